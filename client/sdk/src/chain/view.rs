// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The state at one block.

use super::{Block, Chain, ChainError};
use crate::{AccountId32, placement::Terms};
use codec::{Decode, DecodeAll, Encode};
use planaria_primitives::{FileId, FileIndex, FragmentId, FragmentName, MinerId, Tick};
use planaria_runtime_api::{
	EarningsStatus, FileStatus, FragmentRecord, MAX_PAGE, MinerStatus, NetworkStatus, OrderStatus,
	SegmentStatus, SegmentVerdict, SpaceStatus, SpaceTerms, TargetStatus,
};
use subxt::ext::scale_decode::DecodeAsType;

/// The state at one block. Every method reads that block, so what several of them say fits
/// together.
#[derive(Clone, Debug)]
pub struct View {
	chain: Chain,
	block: Block,
}

/// What an account has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Balances {
	/// What can be spent or held.
	pub free: u128,
	/// What is held: collateral and deposits.
	pub reserved: u128,
	/// What of it cannot be spent.
	pub frozen: u128,
	/// How many transactions the account has signed.
	pub nonce: u32,
}

impl View {
	pub(super) fn new(chain: Chain, block: Block) -> Self {
		Self { chain, block }
	}

	/// The block.
	pub fn block(&self) -> Block {
		self.block
	}

	async fn call<R: Decode>(&self, function: &str, args: impl Encode) -> Result<R, ChainError> {
		let answer = self.chain.state_call(function, &args.encode(), self.block.hash).await?;
		R::decode_all(&mut &answer[..])
			.map_err(|_| self.chain.incompatible(&format!("{function} answers in another form")))
	}

	/// Reads all pages of a list.
	async fn pages<K: Encode + Clone, R: Decode>(
		&self,
		function: &str,
		args: impl Encode,
		key: impl Fn(&R) -> K,
	) -> Result<Vec<R>, ChainError> {
		let mut all = Vec::new();
		let mut after: Option<K> = None;
		loop {
			let page: Vec<R> = self.call(function, (&args, &after, MAX_PAGE)).await?;
			let whole = page.len() >= MAX_PAGE as usize;
			all.extend(page);
			after = all.last().map(&key);
			if !whole {
				return Ok(all);
			}
		}
	}

	/// A miner.
	pub async fn miner(&self, miner: MinerId) -> Result<Option<MinerStatus>, ChainError> {
		self.call("MinersApi_miner", miner).await
	}

	/// The miner whose stash or hot key this account is.
	pub async fn miner_by_account(
		&self,
		account: &AccountId32,
	) -> Result<Option<MinerId>, ChainError> {
		self.call("MinersApi_miner_by_account", account).await
	}

	/// All miners.
	pub async fn miners(&self) -> Result<Vec<MinerStatus>, ChainError> {
		self.pages("MinersApi_miners", (), |miner: &MinerStatus| miner.miner).await
	}

	/// The network as a whole.
	pub async fn network(&self) -> Result<NetworkStatus, ChainError> {
		self.call("MinersApi_network", ()).await
	}

	/// The terms on which miners get new data.
	pub async fn terms(&self) -> Result<Terms, ChainError> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Params {
			collateral_base: u128,
			collateral_per_gib: u128,
			room_floor: u64,
		}
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct FilesParams {
			drawn_from: u32,
		}
		let error = |error: subxt::Error| ChainError::subxt(self.chain.url(), error);
		let at = self.chain.at(self.block).await?;
		let address = subxt::dynamic::storage::<(), Params>("Miners", "Parameters");
		let value = at.storage().fetch(address, ()).await.map_err(|e| error(e.into()))?;
		let params = value.decode().map_err(|e| error(e.into()))?;
		let Params { collateral_base, collateral_per_gib, room_floor } = params;
		let address = subxt::dynamic::storage::<(), FilesParams>("Files", "Parameters");
		let value = at.storage().fetch(address, ()).await.map_err(|e| error(e.into()))?;
		let FilesParams { drawn_from } = value.decode().map_err(|e| error(e.into()))?;
		Ok(Terms { collateral_base, collateral_per_gib, room_floor, drawn_from })
	}

	/// A file.
	pub async fn file(&self, file: FileIndex) -> Result<Option<FileStatus>, ChainError> {
		self.call("FilesApi_file", file).await
	}

	/// All stored instances of this content.
	pub async fn files_by_id(&self, id: &FileId) -> Result<Vec<FileStatus>, ChainError> {
		self.pages("FilesApi_files_by_id", id, |file: &FileStatus| file.file).await
	}

	/// All files of an account.
	pub async fn files_of(&self, owner: &AccountId32) -> Result<Vec<FileStatus>, ChainError> {
		self.pages("FilesApi_files_of", owner, |file: &FileStatus| file.file).await
	}

	/// The placed segments among the file's numbers from `first` to below `first + limit`.
	pub async fn segments(
		&self,
		file: FileIndex,
		first: u32,
		limit: u32,
	) -> Result<Vec<SegmentStatus>, ChainError> {
		self.call("FilesApi_segments", (file, first, limit.min(MAX_PAGE))).await
	}

	/// What is known of these fragments, at most [`MAX_PAGE`].
	pub async fn locate(
		&self,
		names: &[FragmentName],
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		self.call("FilesApi_locate", names).await
	}

	/// What is known of these fragments, at most [`MAX_PAGE`].
	pub async fn records(
		&self,
		fragments: &[FragmentId],
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		self.call("FilesApi_records", fragments).await
	}

	/// All restore orders.
	pub async fn orders(&self) -> Result<Vec<OrderStatus>, ChainError> {
		self.pages("RestoreApi_orders", (), |order: &OrderStatus| order.fragment).await
	}

	/// The restore orders a miner has claimed.
	pub async fn claims(&self, miner: MinerId) -> Result<Vec<OrderStatus>, ChainError> {
		self.pages("RestoreApi_claims", miner, |order: &OrderStatus| order.fragment).await
	}

	/// All restore targets.
	pub async fn targets(&self) -> Result<Vec<TargetStatus>, ChainError> {
		self.pages("RestoreApi_targets", (), |target: &TargetStatus| target.miner).await
	}

	/// All segments that too little is present of.
	pub async fn verdicts(&self) -> Result<Vec<SegmentVerdict>, ChainError> {
		self.pages("RestoreApi_verdicts", (), |row: &SegmentVerdict| row.segment).await
	}

	/// What an account has bought.
	pub async fn space(&self, owner: &AccountId32) -> Result<Option<SpaceStatus>, ChainError> {
		self.call("SpaceApi_space", owner).await
	}

	/// What space costs now, and how much of it is sold.
	pub async fn space_terms(&self) -> Result<SpaceTerms, ChainError> {
		self.call("SpaceApi_space_terms", ()).await
	}

	/// What so many bytes cost for so many ticks at the price of now, in the token's smallest parts.
	pub async fn quote(&self, bytes: u64, ticks: Tick) -> Result<Option<u128>, ChainError> {
		self.call("SpaceApi_quote", (bytes, ticks)).await
	}

	/// What a registered miner earns.
	pub async fn earnings(&self, miner: MinerId) -> Result<Option<EarningsStatus>, ChainError> {
		self.call("SpaceApi_earnings", miner).await
	}

	/// What an account has.
	pub async fn balances(&self, account: &AccountId32) -> Result<Balances, ChainError> {
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Info {
			nonce: u32,
			data: Data,
		}
		#[derive(DecodeAsType)]
		#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
		struct Data {
			free: u128,
			reserved: u128,
			frozen: u128,
		}
		let error = |error: subxt::Error| ChainError::subxt(self.chain.url(), error);
		let at = self.chain.at(self.block).await?;
		let address = subxt::dynamic::storage::<([u8; 32],), Info>("System", "Account");
		let key: [u8; 32] = *account.as_ref();
		let value = at.storage().try_fetch(address, (key,)).await.map_err(|e| error(e.into()))?;
		let Some(value) = value else { return Ok(Balances::default()) };
		let Info { nonce, data } = value.decode().map_err(|e| error(e.into()))?;
		let Data { free, reserved, frozen } = data;
		Ok(Balances { free, reserved, frozen, nonce })
	}
}
