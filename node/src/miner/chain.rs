// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain as the engine reads it: runtime APIs, and natively where that is much to read.

use super::native::{get, page};
use crate::service::{FullBackend, FullClient};
use async_trait::async_trait;
use codec::Decode;
use frame_support::storage::StoragePrefixedMap;
use futures::StreamExt;
use pallet_planaria_files::{FileOf, Files, Segments};
use pallet_planaria_miners::{Loads, MinerLoad, MinerOf, Miners};
use pallet_planaria_restore::{Order, Orders, Verdict, Verdicts};
use pallet_planaria_support::hot_key;
use planaria_engine::{At, Chain, ChainError, Changes, FileRow, Heads, MinerRow, OrderRow};
use planaria_primitives::{FileIndex, FragmentId, FragmentName, MinerId, Segment, SegmentId};
use planaria_runtime::{AccountId, Block, Hash, Runtime, queries};
use planaria_runtime_api::{
	FilesApi, FragmentRecord, MinerStatus, MinersApi, NetworkStatus, RestoreApi, VerdictStatus,
};
use sc_client_api::{Backend, BlockchainEvents, HeaderBackend, StorageChangeSet};
use sp_api::ProvideRuntimeApi;
use sp_consensus::SyncOracle;
use sp_core::storage::StorageKey;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// How many blocks' changes are kept for a reader that falls behind.
const CHANGES_KEPT: usize = 256;

/// The chain of this node.
#[derive(Clone)]
pub struct NodeChain {
	client: Arc<FullClient>,
	keystore: KeystorePtr,
	heads: watch::Receiver<Heads>,
	changes: broadcast::Sender<Arc<Changes>>,
	genesis: Hash,
}

impl NodeChain {
	/// Reads `client`. The returned future keeps the heads up to date and passes on what changes;
	/// it ends with the node.
	pub fn new(
		client: Arc<FullClient>,
		keystore: KeystorePtr,
		sync: impl SyncOracle + Send + Sync + 'static,
	) -> (Self, impl Future<Output = ()> + Send + 'static) {
		let heads = {
			let client = client.clone();
			move || {
				let info = client.info();
				Heads {
					best: info.best_number,
					finalized: info.finalized_number,
					syncing: sync.is_major_syncing(),
				}
			}
		};
		let (sender, receiver) = watch::channel(heads());
		let genesis = client.info().genesis_hash;
		let mut imported = client.import_notification_stream();
		let mut finalized = client.finality_notification_stream();
		// Keys cannot be filtered by prefix there: all come, and most are dropped here.
		let changed = client.storage_changes_notification_stream(None, None);
		let mut changed =
			changed.map_or_else(|_| futures::stream::empty().boxed(), StreamExt::boxed);
		let changes = broadcast::channel(CHANGES_KEPT).0;
		let passed_on = changes.clone();
		let follow = async move {
			loop {
				tokio::select! {
					Some(_) = imported.next() => (),
					Some(_) = finalized.next() => (),
					Some(changed) = changed.next() => {
						if let Some(changes) = followed(&changed.changes) {
							// Nobody listens while there is no registered miner.
							let _ = passed_on.send(Arc::new(changes));
						}
						continue;
					},
					else => break,
				}
				sender.send_replace(heads());
			}
		};
		(Self { client, keystore, heads: receiver, changes, genesis }, follow)
	}

	/// The public parts of the hot keys in the keystore.
	pub fn hot_keys(&self) -> Vec<sp_core::sr25519::Public> {
		self.keystore.sr25519_public_keys(hot_key::KEY_TYPE)
	}

	fn at(&self, at: At) -> Hash {
		let info = self.client.info();
		match at {
			At::Best => info.best_hash,
			At::Finalized => info.finalized_hash,
		}
	}

	/// Runs a read, which executes Wasm or touches the disk, where it may block.
	async fn read<T: Send + 'static>(
		&self,
		at: At,
		read: impl FnOnce(&FullClient, Hash) -> Result<T, String> + Send + 'static,
	) -> Result<T, ChainError> {
		let (client, hash) = (self.client.clone(), self.at(at));
		tokio::task::spawn_blocking(move || read(&client, hash))
			.await
			.map_err(|error| ChainError(error.to_string()))?
			.map_err(ChainError)
	}

	/// Runs a read of the raw state.
	async fn native<T: Send + 'static>(
		&self,
		at: At,
		read: impl FnOnce(&<FullBackend as Backend<Block>>::State) -> Result<T, String> + Send + 'static,
	) -> Result<T, ChainError> {
		self.read(at, |client, hash| read(&client.state_at(hash).map_err(text)?)).await
	}
}

#[async_trait]
impl Chain for NodeChain {
	fn genesis(&self) -> planaria_primitives::Hash {
		self.genesis.0
	}

	fn heads(&self) -> watch::Receiver<Heads> {
		self.heads.clone()
	}

	async fn network(&self, at: At) -> Result<NetworkStatus, ChainError> {
		self.read(at, |client, hash| client.runtime_api().network(hash).map_err(text)).await
	}

	async fn me(&self, at: At) -> Result<Option<MinerStatus>, ChainError> {
		let keys = self.hot_keys();
		self.read(at, move |client, hash| {
			for key in keys {
				let api = client.runtime_api();
				let account = AccountId::from(key.0);
				let Some(miner) = api.miner_by_account(hash, account.clone()).map_err(text)? else {
					continue;
				};
				let status = api.miner(hash, miner).map_err(text)?;
				if let Some(status) = status.filter(|status| status.hot_key == account) {
					return Ok(Some(status));
				}
			}
			Ok(None)
		})
		.await
	}

	async fn miner(&self, at: At, miner: MinerId) -> Result<Option<MinerStatus>, ChainError> {
		self.read(at, move |client, hash| client.runtime_api().miner(hash, miner).map_err(text))
			.await
	}

	async fn locate(
		&self,
		at: At,
		names: Vec<FragmentName>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		self.read(at, move |client, hash| client.runtime_api().locate(hash, names).map_err(text))
			.await
	}

	async fn records(
		&self,
		at: At,
		fragments: Vec<FragmentId>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		self.read(at, move |client, hash| {
			client.runtime_api().records(hash, fragments).map_err(text)
		})
		.await
	}

	async fn miners(
		&self,
		at: At,
		after: Option<MinerId>,
		limit: u32,
	) -> Result<Vec<MinerRow>, ChainError> {
		self.native(at, move |state| {
			// Departed miners have no load.
			let loads: Vec<(MinerId, MinerLoad)> =
				page(state, &Loads::<Runtime>::final_prefix(), &[], after.as_ref(), limit)?;
			let prefix = Miners::<Runtime>::final_prefix();
			let mut rows = Vec::with_capacity(loads.len());
			for (miner, load) in loads {
				if let Some(record) = get::<_, _, _, MinerOf<Runtime>>(state, &prefix, &miner)? {
					rows.push(miner_row(miner, &record, &load));
				}
			}
			Ok(rows)
		})
		.await
	}

	async fn files(
		&self,
		at: At,
		files: Vec<FileIndex>,
	) -> Result<Vec<Option<FileRow>>, ChainError> {
		self.native(at, move |state| {
			let prefix = Files::<Runtime>::final_prefix();
			let file = |file| {
				let record: Option<FileOf<Runtime>> = get(state, &prefix, file)?;
				Ok(record.map(|record| FileRow {
					size: record.size,
					coding: record.coding,
					first_segment: record.first_segment,
					alive: record.state.is_alive(),
				}))
			};
			files.iter().map(file).collect()
		})
		.await
	}

	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		limit: u32,
	) -> Result<Vec<(FragmentId, OrderRow)>, ChainError> {
		self.native(at, move |state| {
			let prefix = Orders::<Runtime>::final_prefix();
			let orders: Vec<(_, Order)> = page(state, &prefix, &[], after.as_ref(), limit)?;
			Ok(orders.into_iter().map(|(id, order)| (id, order_row(&order))).collect())
		})
		.await
	}

	async fn verdicts(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, VerdictStatus)>, ChainError> {
		self.native(at, move |state| {
			let prefix = Verdicts::<Runtime>::final_prefix();
			let verdicts: Vec<(_, Verdict)> = page(state, &prefix, &[], after.as_ref(), limit)?;
			let shown = |(id, verdict)| (id, queries::verdict_status(verdict));
			Ok(verdicts.into_iter().map(shown).collect())
		})
		.await
	}

	async fn segments(
		&self,
		at: At,
		ids: Vec<SegmentId>,
	) -> Result<Vec<Option<Segment>>, ChainError> {
		self.native(at, move |state| {
			let prefix = Segments::<Runtime>::final_prefix();
			ids.iter().map(|id| get(state, &prefix, id)).collect()
		})
		.await
	}

	async fn class(
		&self,
		at: At,
		class: u8,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError> {
		self.native(at, move |state| {
			page(state, &Segments::<Runtime>::final_prefix(), &[class], after.as_ref(), limit)
		})
		.await
	}

	fn changes(&self) -> broadcast::Receiver<Arc<Changes>> {
		self.changes.subscribe()
	}

	async fn beacon(
		&self,
		at: At,
		block: u32,
	) -> Result<Option<planaria_primitives::Hash>, ChainError> {
		self.read(at, move |client, hash| client.runtime_api().beacon(hash, block).map_err(text))
			.await
	}
}

/// What of a block's changes the engine follows; `None` where there is nothing.
fn followed(changes: &StorageChangeSet) -> Option<Changes> {
	let segments = Segments::<Runtime>::final_prefix();
	let orders = Orders::<Runtime>::final_prefix();
	let mut followed = Changes::default();
	for (child, key, value) in changes.iter() {
		let value = value.map(|value| &value.0[..]);
		if child.is_some() {
			continue;
		} else if let Some(id) = key_in(&segments, key) {
			let segment = value.and_then(|mut value| Segment::decode(&mut value).ok());
			followed.segments.push((id, segment));
		} else if let Some(fragment) = key_in(&orders, key) {
			let order = value.and_then(|mut value| Order::decode(&mut value).ok());
			followed.orders.push((fragment, order.as_ref().map(order_row)));
		}
	}
	let none = followed.segments.is_empty() && followed.orders.is_empty();
	(!none).then_some(followed)
}

fn key_in<K: Decode>(prefix: &[u8], key: &StorageKey) -> Option<K> {
	let mut rest = key.0.strip_prefix(prefix)?;
	K::decode(&mut rest).ok()
}

fn miner_row(miner: MinerId, record: &MinerOf<Runtime>, load: &MinerLoad) -> MinerRow {
	MinerRow {
		miner,
		standing: queries::standing(record),
		since: record.since,
		absent: record.absence.map(|absence| absence.since),
		last_seen: load.last_seen,
		fragments: load.fragments,
		idle: load.is_idle(),
	}
}

fn order_row(order: &Order) -> OrderRow {
	OrderRow {
		claim: order.state.claim(),
		cause: queries::order_cause(order.cause),
		opened: order.opened,
		disputed: order.is_disputed(),
	}
}

fn text(error: impl std::fmt::Display) -> String {
	error.to_string()
}
