// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What putting and getting need of the chain.

use crate::{
	Account, AccountId32, Chain, ChainError, Placement, Wait, chain::calls, placement::Terms,
};
use async_trait::async_trait;
use planaria_primitives::{CodingParams, FileId, FileIndex, PlacementRule};
use planaria_runtime_api::{FileStatus, MinerStatus, SegmentStatus};

/// What the chain says, at its best block.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
	/// The number of the best block.
	async fn height(&self) -> Result<u32, ChainError>;

	/// All miners.
	async fn miners(&self) -> Result<Vec<MinerStatus>, ChainError>;

	/// The terms on which miners get new data.
	async fn terms(&self) -> Result<Terms, ChainError>;

	/// A file.
	async fn file(&self, file: FileIndex) -> Result<Option<FileStatus>, ChainError>;

	/// All stored instances of this content.
	async fn files_by_id(&self, id: &FileId) -> Result<Vec<FileStatus>, ChainError>;

	/// The placed segments among the file's numbers from `first` to below `first + limit`; at most
	/// 256.
	async fn segments(
		&self,
		file: FileIndex,
		first: u32,
		limit: u32,
	) -> Result<Vec<SegmentStatus>, ChainError>;
}

/// A storage order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrder {
	/// The content.
	pub id: FileId,
	/// Its size in bytes.
	pub size: u64,
	/// Its coding.
	pub coding: CodingParams,
	/// What the owner writes on it, at most 64 bytes.
	pub label: Vec<u8>,
	/// Whose file it shall be, if not the signer's.
	pub payer: Option<AccountId32>,
	/// How its fragments find their holders.
	pub placement: PlacementRule,
}

/// An account that stores files.
#[async_trait]
pub trait Orders: Ledger {
	/// The account.
	fn account(&self) -> AccountId32;

	/// Orders the storage of a file, and waits until that is in a block.
	async fn order(&self, order: &NewOrder) -> Result<FileIndex, ChainError>;

	/// Places segments from number `first` on, at most 256, and returns the block that is in.
	async fn place(
		&self,
		file: FileIndex,
		first: u32,
		segments: &[Placement],
	) -> Result<u32, ChainError>;
}

#[async_trait]
impl Ledger for Chain {
	async fn height(&self) -> Result<u32, ChainError> {
		Ok(self.best().await?.number)
	}

	async fn miners(&self) -> Result<Vec<MinerStatus>, ChainError> {
		self.view().await?.miners().await
	}

	async fn terms(&self) -> Result<Terms, ChainError> {
		self.view().await?.terms().await
	}

	async fn file(&self, file: FileIndex) -> Result<Option<FileStatus>, ChainError> {
		self.view().await?.file(file).await
	}

	async fn files_by_id(&self, id: &FileId) -> Result<Vec<FileStatus>, ChainError> {
		self.view().await?.files_by_id(id).await
	}

	async fn segments(
		&self,
		file: FileIndex,
		first: u32,
		limit: u32,
	) -> Result<Vec<SegmentStatus>, ChainError> {
		self.view().await?.segments(file, first, limit).await
	}
}

#[async_trait]
impl Ledger for Account {
	async fn height(&self) -> Result<u32, ChainError> {
		self.chain().height().await
	}

	async fn miners(&self) -> Result<Vec<MinerStatus>, ChainError> {
		self.chain().miners().await
	}

	async fn terms(&self) -> Result<Terms, ChainError> {
		self.chain().terms().await
	}

	async fn file(&self, file: FileIndex) -> Result<Option<FileStatus>, ChainError> {
		self.chain().file(file).await
	}

	async fn files_by_id(&self, id: &FileId) -> Result<Vec<FileStatus>, ChainError> {
		self.chain().files_by_id(id).await
	}

	async fn segments(
		&self,
		file: FileIndex,
		first: u32,
		limit: u32,
	) -> Result<Vec<SegmentStatus>, ChainError> {
		self.chain().segments(file, first, limit).await
	}
}

#[async_trait]
impl Orders for Account {
	fn account(&self) -> AccountId32 {
		self.id()
	}

	async fn order(&self, order: &NewOrder) -> Result<FileIndex, ChainError> {
		let NewOrder { id, size, coding, label, payer, placement } = order;
		let call = calls::order(id, *size, *coding, label, payer.as_ref(), *placement);
		let included = self.submit(&call, Wait::default()).await?;
		included.number("Files", "Ordered", "file").map(FileIndex)
	}

	async fn place(
		&self,
		file: FileIndex,
		first: u32,
		segments: &[Placement],
	) -> Result<u32, ChainError> {
		let call = calls::place(file, first, segments);
		Ok(self.submit(&call, Wait::default()).await?.block.number)
	}
}
