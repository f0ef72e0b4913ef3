// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain as the engine reads it: runtime APIs, and natively where that is much to read.

use crate::service::{FullBackend, FullClient};
use async_trait::async_trait;
use codec::{Decode, Encode};
use frame_support::storage::StoragePrefixedMap;
use futures::StreamExt;
use pallet_planaria_files::Segments;
use pallet_planaria_support::hot_key;
use planaria_engine::{At, Chain, ChainError, Heads};
use planaria_primitives::{FragmentId, FragmentName, MinerId, Segment, SegmentId};
use planaria_runtime::{AccountId, Hash, Runtime};
use planaria_runtime_api::{
	FilesApi, FragmentRecord, MinerStatus, MinersApi, NetworkStatus, OrderStatus, RestoreApi,
	TargetStatus,
};
use sc_client_api::{BlockchainEvents, HeaderBackend, StorageProvider};
use sp_api::ProvideRuntimeApi;
use sp_consensus::SyncOracle;
use sp_core::storage::StorageKey;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use tokio::sync::watch;

/// The chain of this node.
#[derive(Clone)]
pub struct NodeChain {
	client: Arc<FullClient>,
	keystore: KeystorePtr,
	heads: watch::Receiver<Heads>,
	genesis: Hash,
}

impl NodeChain {
	/// Reads `client`. The returned future keeps the heads up to date; it ends with the node.
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
		let follow = async move {
			loop {
				tokio::select! {
					Some(_) = imported.next() => (),
					Some(_) = finalized.next() => (),
					else => break,
				}
				sender.send_replace(heads());
			}
		};
		(Self { client, keystore, heads: receiver, genesis }, follow)
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

	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		limit: u32,
	) -> Result<Vec<OrderStatus>, ChainError> {
		self.read(at, move |client, hash| {
			client.runtime_api().orders(hash, after, limit).map_err(text)
		})
		.await
	}

	async fn targets(
		&self,
		at: At,
		after: Option<MinerId>,
		limit: u32,
	) -> Result<Vec<TargetStatus>, ChainError> {
		self.read(at, move |client, hash| {
			client.runtime_api().targets(hash, after, limit).map_err(text)
		})
		.await
	}

	async fn segments(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError> {
		self.read(at, move |client, hash| {
			// The keys of the map are its prefix and the id as it is.
			let prefix = Segments::<Runtime>::final_prefix();
			let key = |id: SegmentId| StorageKey([&prefix[..], &id.encode()].concat());
			let start = after.map(key);
			let pairs = StorageProvider::<_, FullBackend>::storage_pairs(
				client,
				hash,
				Some(&StorageKey(prefix.to_vec())),
				start.as_ref(),
			)
			.map_err(text)?;
			pairs
				.take(limit as usize)
				.map(|(key, value)| {
					let mut id = key.0.get(prefix.len()..).unwrap_or_default();
					let id = SegmentId::decode(&mut id).map_err(text)?;
					Ok((id, Segment::decode(&mut &value.0[..]).map_err(text)?))
				})
				.collect()
		})
		.await
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

fn text(error: impl std::fmt::Display) -> String {
	error.to_string()
}
