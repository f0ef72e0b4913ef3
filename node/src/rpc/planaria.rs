// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What only this node knows (`miner_*`), and the runtime's answers for those who speak JSON-RPC
//! alone (`file_status`, `restore_*`).

use crate::{
	miner::{Miner, RegistrationProofs},
	service::FullClient,
};
use jsonrpsee::{
	Extensions, PendingSubscriptionSink,
	core::{RpcResult, async_trait},
	proc_macros::rpc,
	types::{ErrorObjectOwned, error::INTERNAL_ERROR_CODE},
};
use planaria_engine::{At, Chain, EngineStatus};
use planaria_primitives::{FileIndex, FragmentId, FragmentName, MinerId};
use planaria_runtime::AccountId;
use planaria_runtime_api::{
	FileStatus, FilesApi, MinerStatus, OrderStatus, RestoreApi, SegmentStatus, TargetStatus,
};
use sc_client_api::HeaderBackend;
use sc_rpc::{
	SubscriptionTaskExecutor,
	utils::{BoundedVecDeque, PendingSubscription, spawn_subscription_task},
};
use sc_rpc_api::check_if_safe;
use serde::Serialize;
use sp_api::ProvideRuntimeApi;
use std::sync::Arc;

/// The node has no miner.
const NOT_A_MINER: i32 = 4_000;
/// There is no such thing.
const NOT_FOUND: i32 = 4_004;

/// The miner of this node.
#[derive(Clone, Debug, Serialize)]
pub struct MinerReport {
	/// As the chain sees it; `None` until it is registered.
	pub chain: Option<MinerStatus>,
	/// What it does.
	pub engine: EngineStatus,
	/// How full its store is.
	pub store: StoreReport,
	/// Where others reach it.
	pub endpoint: Vec<String>,
}

/// How full a store is, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StoreReport {
	/// What it may hold.
	pub capacity: u64,
	/// What it serves.
	pub used: u64,
	/// Wrong bytes in quarantine.
	pub quarantined: u64,
	/// Writes in progress.
	pub reserved: u64,
	/// What the file system still has.
	pub free_on_disk: u64,
	/// How many fragments there are.
	pub fragments: u64,
	/// How many of them are broken.
	pub broken: u64,
}

/// A fragment in this node's store.
#[derive(Clone, Debug, Serialize)]
pub struct StoredReport {
	/// Its name.
	pub name: FragmentName,
	/// The BLAKE3 hash of its bytes, and its file's name on disk.
	pub hash: String,
	/// Its length in bytes.
	pub len: u32,
	/// Whether it has to be restored.
	pub broken: bool,
}

/// A file with a page of its segments.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
	/// The file.
	pub file: FileStatus,
	/// Its placed segments from the number asked for on, at most 256.
	pub segments: Vec<SegmentStatus>,
}

/// Questions about this node's miner.
#[rpc(server)]
pub trait MinerRpc {
	/// Everything about this node's miner.
	#[method(name = "miner_status")]
	async fn status(&self) -> RpcResult<MinerReport>;

	/// Starts a self-check: every stored fragment is hashed again and compared with the chain.
	#[method(name = "miner_check", with_extensions)]
	fn check(&self) -> RpcResult<bool>;

	/// A page of the fragments in the store, at most 256.
	#[method(name = "miner_fragments", with_extensions)]
	async fn fragments(
		&self,
		after: Option<FragmentName>,
		limit: Option<usize>,
	) -> RpcResult<Vec<StoredReport>>;

	/// The signatures with which `stash` can register this miner.
	#[method(name = "miner_registrationProofs", with_extensions)]
	fn registration_proofs(&self, stash: AccountId) -> RpcResult<RegistrationProofs>;

	/// The engine's status, whenever it changes.
	#[subscription(
		name = "miner_subscribe" => "miner_engine",
		unsubscribe = "miner_unsubscribe",
		item = EngineStatus,
	)]
	fn subscribe(&self);
}

/// Answers of the runtime.
#[rpc(server)]
pub trait NetworkRpc {
	/// A file with its segments from number `first` on, 256 at most.
	#[method(name = "file_status")]
	async fn file_status(&self, file: FileIndex, first: Option<u32>) -> RpcResult<FileReport>;

	/// A page of restore orders.
	#[method(name = "restore_orders")]
	async fn restore_orders(
		&self,
		after: Option<FragmentId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<OrderStatus>>;

	/// A page of restore targets.
	#[method(name = "restore_targets")]
	async fn restore_targets(
		&self,
		after: Option<MinerId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<TargetStatus>>;
}

/// Answers for the node's miner, if it has one.
pub struct MinerAnswers {
	pub miner: Option<Miner>,
	pub executor: SubscriptionTaskExecutor,
}

impl MinerAnswers {
	fn miner(&self) -> RpcResult<&Miner> {
		self.miner
			.as_ref()
			.ok_or_else(|| error(NOT_A_MINER, "this node is not a miner: start it with --miner"))
	}
}

#[async_trait]
impl MinerRpcServer for MinerAnswers {
	async fn status(&self) -> RpcResult<MinerReport> {
		let miner = self.miner()?;
		let store = miner.store().clone();
		let usage = tokio::task::spawn_blocking(move || store.usage())
			.await
			.map_err(internal)?
			.map_err(internal)?;
		Ok(MinerReport {
			chain: miner.chain().me(At::Best).await.map_err(internal)?,
			engine: miner.engine().status(),
			store: StoreReport {
				capacity: usage.capacity,
				used: usage.used,
				quarantined: usage.quarantined,
				reserved: usage.reserved,
				free_on_disk: usage.free_on_disk,
				fragments: usage.fragments,
				broken: usage.broken,
			},
			endpoint: miner.endpoint().addrs,
		})
	}

	fn check(&self, extensions: &Extensions) -> RpcResult<bool> {
		check_if_safe(extensions)?;
		self.miner()?.engine().check();
		Ok(true)
	}

	async fn fragments(
		&self,
		extensions: &Extensions,
		after: Option<FragmentName>,
		limit: Option<usize>,
	) -> RpcResult<Vec<StoredReport>> {
		check_if_safe(extensions)?;
		let store = self.miner()?.store().clone();
		let limit = limit.unwrap_or(256).min(256);
		let entries = tokio::task::spawn_blocking(move || store.entries(after.as_ref(), limit))
			.await
			.map_err(internal)?
			.map_err(internal)?;
		Ok(entries
			.into_iter()
			.map(|entry| StoredReport {
				name: entry.of.name,
				hash: entry.hash.to_string(),
				len: entry.of.fragment_len(),
				broken: entry.broken,
			})
			.collect())
	}

	fn registration_proofs(
		&self,
		extensions: &Extensions,
		stash: AccountId,
	) -> RpcResult<RegistrationProofs> {
		check_if_safe(extensions)?;
		self.miner()?.registration_proofs(stash.into()).map_err(internal)
	}

	fn subscribe(&self, pending: PendingSubscriptionSink) {
		let Some(miner) = &self.miner else { return };
		let mut status = miner.engine().watch();
		let stream = async_stream(move |sender| async move {
			loop {
				let now = status.borrow_and_update().clone();
				if sender.send(now).await.is_err() || status.changed().await.is_err() {
					break;
				}
			}
		});
		spawn_subscription_task(&self.executor, async move {
			PendingSubscription::from(pending)
				.pipe_from_stream(stream, BoundedVecDeque::new(16))
				.await;
		});
	}
}

/// A stream of what `feed` sends.
fn async_stream<T: Send + 'static, F>(
	feed: impl FnOnce(tokio::sync::mpsc::Sender<T>) -> F,
) -> impl futures::Stream<Item = T> + Unpin + Send + 'static
where
	F: Future<Output = ()> + Send + 'static,
{
	let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
	tokio::spawn(feed(sender));
	futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Answers of the runtime at the best block.
pub struct NetworkAnswers {
	pub client: Arc<FullClient>,
}

impl NetworkAnswers {
	async fn ask<T: Send + 'static>(
		&self,
		ask: impl FnOnce(&FullClient, planaria_runtime::Hash) -> Result<T, sp_api::ApiError>
		+ Send
		+ 'static,
	) -> RpcResult<T> {
		let client = self.client.clone();
		tokio::task::spawn_blocking(move || ask(&client, client.info().best_hash))
			.await
			.map_err(internal)?
			.map_err(internal)
	}
}

#[async_trait]
impl NetworkRpcServer for NetworkAnswers {
	async fn file_status(&self, file: FileIndex, first: Option<u32>) -> RpcResult<FileReport> {
		let report = self
			.ask(move |client, at| {
				let api = client.runtime_api();
				let Some(status) = api.file(at, file)? else { return Ok(None) };
				let segments = api.segments(at, file, first.unwrap_or_default(), 256)?;
				Ok(Some(FileReport { file: status, segments }))
			})
			.await?;
		report.ok_or_else(|| error(NOT_FOUND, "there is no such file"))
	}

	async fn restore_orders(
		&self,
		after: Option<FragmentId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<OrderStatus>> {
		self.ask(move |client, at| client.runtime_api().orders(at, after, limit.unwrap_or(256)))
			.await
	}

	async fn restore_targets(
		&self,
		after: Option<MinerId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<TargetStatus>> {
		self.ask(move |client, at| client.runtime_api().targets(at, after, limit.unwrap_or(256)))
			.await
	}
}

fn internal(cause: impl std::fmt::Display) -> ErrorObjectOwned {
	error(INTERNAL_ERROR_CODE, &cause.to_string())
}

fn error(code: i32, message: &str) -> ErrorObjectOwned {
	ErrorObjectOwned::owned(code, message, None::<()>)
}
