// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A network's chain: its state, what happened on it, and transactions that the command line has
//! no command for.

use crate::{Network, Node, network::id, until};
use anyhow::{Context, Result, ensure};
use codec::{Compact, Decode};
use planaria_sdk::{
	Account, Chain, Included, Secret, View, Wait,
	api::{FileStatus, MinerStatus, NetworkStatus, OrderStatus, SegmentStatus, TargetStatus},
	chain::{Call, calls},
	primitives::{FileIndex, FragmentId},
};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use subxt::{
	Metadata, OnlineClient, SubstrateConfig,
	backend::LegacyBackend,
	dynamic::Value,
	ext::scale_value::{Composite, Primitive, ValueDef},
	rpcs::RpcClient,
};

type Client = OnlineClient<SubstrateConfig>;

/// An event of the chain.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
	/// The block.
	pub height: u32,
	/// The pallet it is from and its name: `Restore.OrderClaimed`.
	pub name: String,
	/// Its fields.
	pub fields: Json,
	/// The name of the error it tells of: `Restore.AlreadyClaimed`.
	pub error: Option<String>,
}

/// A call that a miner sent because the chain asked for it: without a signature of the transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Duty {
	/// The block it is in.
	pub height: u32,
	/// `Restore.report`.
	pub call: String,
	/// The encoded extrinsic.
	pub bytes: Vec<u8>,
}

impl Happened {
	/// Whether it is about this miner in this role.
	pub fn is(&self, role: &str, miner: u32) -> bool {
		self.fields[role] == miner
	}

	/// The fragment it is about.
	pub fn fragment(&self) -> Option<FragmentId> {
		serde_json::from_value(self.fields["fragment"].clone()).ok()
	}
}

impl Network {
	/// The chain as a node sees it.
	pub fn chain_at(&self, node: impl Into<Node>) -> Result<Chain> {
		Ok(self.runtime.block_on(Chain::connect(&self.url_of(node)))?)
	}

	/// The hash of a node's canonical block with this number.
	pub fn chain_block(&self, node: impl Into<Node>, height: u32) -> Result<String> {
		let hash = self.rpc(node, "chain_getBlockHash", &json!([height]))?;
		Ok(hash.as_str().context("there is such a block")?.to_owned())
	}

	/// Waits for what is asked of a chain.
	pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
		self.runtime.block_on(future)
	}

	/// Asks the first validator's best block.
	pub fn ask<T>(
		&self,
		ask: impl AsyncFnOnce(View) -> Result<T, planaria_sdk::ChainError>,
	) -> Result<T> {
		self.ask_at(Node::Validator(0), ask)
	}

	/// Asks a node's best block.
	pub fn ask_at<T>(
		&self,
		node: impl Into<Node>,
		ask: impl AsyncFnOnce(View) -> Result<T, planaria_sdk::ChainError>,
	) -> Result<T> {
		let url = self.url_of(node);
		Ok(self.runtime.block_on(async {
			let view = Chain::connect(&url).await?.view().await?;
			ask(view).await
		})?)
	}

	/// The network as a whole.
	pub fn clock(&self) -> Result<NetworkStatus> {
		self.ask(async |view| view.network().await)
	}

	/// A miner as the chain sees it.
	pub fn miner(&self, miner: u32) -> Result<MinerStatus> {
		let status = self.ask(async |view| view.miner(id(miner)).await)?;
		status.context("there is no such miner")
	}

	/// A file.
	pub fn file(&self, file: &str) -> Result<FileStatus> {
		let file = FileIndex(file.parse()?);
		self.ask(async |view| view.file(file).await)?.context("there is no such file")
	}

	/// All segments of a file.
	pub fn segments(&self, file: &str) -> Result<Vec<SegmentStatus>> {
		let file = FileIndex(file.parse()?);
		self.ask(async |view| view.segments(file, 0, 256).await)
	}

	/// The restore orders.
	pub fn orders(&self) -> Result<Vec<OrderStatus>> {
		self.ask(async |view| view.orders().await)
	}

	/// The restore targets.
	pub fn targets(&self) -> Result<Vec<TargetStatus>> {
		self.ask(async |view| view.targets().await)
	}

	/// Who holds each fragment of a segment of a file.
	pub fn holders(&self, file: &str, segment: usize) -> Result<Vec<Option<u32>>> {
		let segments = self.segments(file)?;
		let fragments = &segments.get(segment).context("there is no such segment")?.fragments;
		Ok(fragments.iter().map(|fragment| fragment.holder.map(|holder| holder.0)).collect())
	}

	/// Whether every fragment of a file is present.
	pub fn is_whole(&self, file: &str) -> Result<bool> {
		let coding = self.file(file)?.coding;
		let whole = coding.data + coding.parity;
		Ok(self.segments(file)?.iter().all(|segment| segment.present == whole))
	}

	/// Waits until every fragment of a file is present.
	pub fn until_whole(&self, file: &str) -> Result<()> {
		until(&format!("file {file} is whole"), || self.is_whole(file))
	}

	/// Signs a call and waits until it is in a block, where it succeeded.
	pub fn submit(&self, key: &str, call: &Call) -> Result<Included> {
		self.submit_at(Node::Validator(0), key, call)
	}

	/// The same, through another node.
	pub fn submit_at(&self, node: impl Into<Node>, key: &str, call: &Call) -> Result<Included> {
		let account = Account::new(self.chain_at(node)?, Secret::from_uri(key)?);
		let submitted = self.runtime.block_on(account.submit(call, Wait::default()));
		submitted.with_context(|| call.to_string())
	}

	/// A miner's stash opens an order for a fragment that the miner holds.
	pub fn open_order(&self, miner: u32, fragment: FragmentId) -> Result<()> {
		self.submit(&stash(miner), &calls::open(&[fragment])).map(drop)
	}

	/// Somebody has a fragment challenged.
	pub fn challenge(&self, key: &str, fragment: FragmentId) -> Result<()> {
		let value = Value::named_composite([
			("segment", Value::u128(fragment.segment.0.into())),
			("index", Value::u128(fragment.index.into())),
		]);
		self.submit(key, &Call::new("Audit", "challenge", [("fragment", value)])).map(drop)
	}

	/// Sets some of a pallet's parameters, the others stay.
	pub fn set_params(&self, pallet: &str, changed: &[(&str, u128)]) -> Result<()> {
		let mut params = self.runtime.block_on(async {
			let at = self.client(Node::Validator(0)).await?.at_current_block().await?;
			let entry = at.storage().entry((pallet, "Parameters"))?;
			let value = entry.fetch(Vec::<Value>::new()).await?;
			anyhow::Ok(value.decode_as::<Value>()?)
		})?;
		let ValueDef::Composite(Composite::Named(fields)) = &mut params.value else {
			anyhow::bail!("the parameters of {pallet} are no record: {params:?}");
		};
		for (name, value) in changed {
			let field = fields.iter_mut().find(|(field, _)| field == name);
			field.with_context(|| format!("{pallet} has no parameter {name}"))?.1 =
				Value::u128(*value);
		}
		let set = Value::named_variant("set_params", [("params", params)]);
		let call = Value::unnamed_variant(pallet, [set]);
		let included = self.submit("//Alice", &Call::new("Sudo", "sudo", [("call", call)]))?;
		ensure!(
			included.event(pallet, "ParamsSet").is_some(),
			"the parameters of {pallet} were not set: {included:?}"
		);
		Ok(())
	}

	/// Everything that happened in the blocks from `from` to the best one, as a node has it.
	pub fn events_at(&self, node: impl Into<Node>, from: u32) -> Result<Vec<Happened>> {
		let node = node.into();
		let best = self.ask_at(node, async |view| Ok(view.block()))?;
		self.runtime.block_on(async {
			let client = self.client(node).await?;
			let mut happened = Vec::new();
			for height in from..=best.number {
				let at = client.at_block(u64::from(height)).await?;
				for event in at.events().fetch().await?.iter() {
					let event = event?;
					let fields: Composite<()> = event.decode_fields_unchecked_as()?;
					let fields = composite(&fields);
					happened.push(Happened {
						height,
						name: format!("{}.{}", event.pallet_name(), event.event_name()),
						error: error(&fields, at.metadata_ref()),
						fields,
					});
				}
			}
			Ok(happened)
		})
	}

	/// What the chain would do with an encoded extrinsic now: an encoded `ApplyExtrinsicResult`.
	pub fn dry_run(&self, extrinsic: &[u8]) -> Result<Vec<u8>> {
		let hex = format!("0x{}", hex::encode(extrinsic));
		bytes(&self.rpc(Node::Validator(0), "system_dryRun", &json!([hex]))?)
	}

	/// Everything that happened since block `from`.
	pub fn events(&self, from: u32) -> Result<Vec<Happened>> {
		self.events_at(Node::Validator(0), from)
	}

	/// The height of the first validator's best block.
	pub fn height(&self) -> Result<u32> {
		self.ask(async |view| Ok(view.block().number))
	}

	/// The duty calls in all blocks.
	pub fn duties(&self) -> Result<Vec<Duty>> {
		let metadata = self.runtime.block_on(async {
			anyhow::Ok(self.client(Node::Validator(0)).await?.at_current_block().await?.metadata())
		})?;
		let chain = self.chain_at(Node::Validator(0))?;
		let mut duties = Vec::new();
		let mut height = 1;
		while let Some(block) = self.block_on(chain.block(height))? {
			let hash = serde_json::to_value(block.hash)?;
			let body: Json = self.block_on(chain.rpc("chain_getBlock", &[hash]))?;
			let body = body["block"]["extrinsics"].as_array().context("a block has a body")?;
			for extrinsic in body {
				let bytes = bytes(extrinsic)?;
				let Some((pallet, call)) = general_call(&bytes)? else { continue };
				let pallet = metadata.pallet_by_call_index(pallet).context("a pallet")?;
				let call = pallet.call_variant_by_index(call).context("a call")?;
				let call = format!("{}.{}", pallet.name(), call.name);
				duties.push(Duty { height, call, bytes });
			}
			height += 1;
		}
		Ok(duties)
	}

	/// What the files pallet has in the state of the first validator's best block, in bytes of keys
	/// and values.
	pub fn files_state(&self) -> Result<u64> {
		// twox128 of its name.
		const PREFIX: &str = "0xb3b78f30e9b952d60249b22fcdaaa76d";
		let best = self.rpc(Node::Validator(0), "chain_getBlockHash", &json!([]))?;
		let (mut bytes, mut last) = (0, Json::Null);
		loop {
			let page = json!([PREFIX, 1000, last, best]);
			let keys = self.rpc(Node::Validator(0), "state_getKeysPaged", &page)?;
			let keys = keys.as_array().context("keys")?.clone();
			for key in &keys {
				let asked = json!([key, best]);
				let len = self.rpc(Node::Validator(0), "state_getStorageSize", &asked)?;
				let key = key.as_str().context("a key")?;
				bytes += len.as_u64().context("a length")? + (key.len() as u64 - 2) / 2;
			}
			match keys.last() {
				Some(key) => last = key.clone(),
				None => return Ok(bytes),
			}
		}
	}

	/// How many transactions there were for what this account orders: its own, and confirmations.
	pub fn transactions_for(&self, account: &str) -> Result<u64> {
		let asked = json!([account]);
		let own = self.rpc(Node::Validator(0), "system_accountNextIndex", &asked)?;
		let duties = self.duties()?.into_iter();
		let confirmations = duties.filter(|duty| duty.call == "Files.confirm").count() as u64;
		Ok(own.as_u64().context("a number")? + confirmations)
	}

	async fn client(&self, node: Node) -> Result<Client> {
		let rpc = RpcClient::from_insecure_url(self.url_of(node)).await?;
		let backend = LegacyBackend::<SubstrateConfig>::builder().build(rpc);
		Ok(OnlineClient::from_backend(Arc::new(backend)).await?)
	}
}

/// Bytes in an answer: nodes show them as lists of numbers or as text.
pub(crate) fn bytes(answer: &Json) -> Result<Vec<u8>> {
	Ok(match answer {
		Json::String(text) => hex::decode(text.trim_start_matches("0x"))?,
		other => serde_json::from_value(other.clone())?,
	})
}

/// The indices of pallet and call of a *general* extrinsic, one whose signature is not the
/// transaction's; `None` for any other.
fn general_call(extrinsic: &[u8]) -> Result<Option<(u8, u8)>> {
	const GENERAL_5: u8 = 0b0100_0101;
	let mut rest = extrinsic;
	Compact::<u32>::decode(&mut rest)?;
	// Format, version of the extensions, era (immortal), nonce, tip, mode of the metadata's hash.
	Ok(match rest {
		[GENERAL_5, 0, 0, 0, 0, 0, pallet, call, ..] => Some((*pallet, *call)),
		[GENERAL_5, ..] => anyhow::bail!("its extensions are not those of a duty: {rest:?}"),
		_ => None,
	})
}

/// The error of a pallet that an event's fields tell of.
fn error(fields: &Json, metadata: &Metadata) -> Option<String> {
	let told = fields.get("error").or_else(|| fields.get("dispatch_error"))?.get("Module")?;
	let number = |field: &str| u8::try_from(told[field].as_u64().or(told[field][0].as_u64())?).ok();
	let pallet = metadata.pallet_by_error_index(number("index")?)?;
	let error = pallet.error_variant_by_index(number("error")?)?;
	Some(format!("{}.{}", pallet.name(), error.name))
}

/// The key of a miner's stash.
pub(crate) fn stash(miner: u32) -> String {
	format!("//Miner/{miner}")
}

/// A value of the chain as JSON: newtypes are what they contain.
fn json(value: &Value) -> Json {
	match &value.value {
		ValueDef::Composite(fields) => composite(fields),
		ValueDef::Variant(variant) if variant.values.is_empty() => json!(variant.name),
		ValueDef::Variant(variant) => json!({ &variant.name: composite(&variant.values) }),
		ValueDef::Primitive(Primitive::U128(number)) => match u64::try_from(*number) {
			Ok(number) => json!(number),
			Err(_) => json!(number.to_string()),
		},
		ValueDef::Primitive(Primitive::I128(number)) => json!(number.to_string()),
		ValueDef::Primitive(Primitive::Bool(value)) => json!(value),
		ValueDef::Primitive(Primitive::Char(value)) => json!(value),
		ValueDef::Primitive(Primitive::String(value)) => json!(value),
		ValueDef::Primitive(Primitive::U256(bytes) | Primitive::I256(bytes)) => json!(bytes),
		ValueDef::BitSequence(_) => Json::Null,
	}
}

fn composite(fields: &Composite<()>) -> Json {
	match fields {
		Composite::Named(fields) => {
			fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()
		},
		Composite::Unnamed(fields) => match &fields[..] {
			[one] => json(one),
			more => more.iter().map(json).collect(),
		},
	}
}
