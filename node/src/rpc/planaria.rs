// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What only this node knows (`miner_*`), and the runtime's answers for those who speak JSON-RPC
//! alone (`file_status`, `restore_*`).

use crate::{
	miner::{Funds, Miner, RegistrationProofs},
	service::FullClient,
	watch::RestoreWatch,
};
use jsonrpsee::{
	Extensions, PendingSubscriptionSink,
	core::{RpcResult, async_trait},
	proc_macros::rpc,
	types::{
		ErrorObjectOwned,
		error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
	},
};
use planaria_engine::{
	At, Chain, EngineHandle, EngineStatus, FinderStatus, Profile, Throttle, Totals,
};
use planaria_primitives::{FileIndex, FragmentId, FragmentName, MinerId, SegmentId};
use planaria_runtime::AccountId;
use planaria_runtime_api::{
	FileStatus, FilesApi, MinerStatus, OrderStatus, RestoreApi, SegmentStatus, SegmentVerdict,
	TargetStatus, progress::RestoreProgress,
};
use sc_client_api::HeaderBackend;
use sc_rpc::{
	SubscriptionTaskExecutor,
	utils::{BoundedVecDeque, PendingSubscription, spawn_subscription_task},
};
use sc_rpc_api::check_if_safe;
use serde::Serialize;
use sp_api::ProvideRuntimeApi;
use std::{num::NonZeroU64, sync::Arc, time::Duration};

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
	/// What its hot key's account has; `None` if there is no hot key.
	pub funds: Option<Funds>,
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

/// What is restored: by the network, and by this node.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
	/// What the network restores.
	pub network: RestoreProgress,
	/// What this node's miner restores, if it has one.
	pub miner: Option<MinerRestores>,
}

/// What a miner restores.
#[derive(Clone, Debug, Serialize)]
pub struct MinerRestores {
	/// The miner; `None` until it is registered.
	pub miner: Option<MinerId>,
	/// How far all is together.
	pub progress: planaria_engine::Progress,
	/// How far it is file by file.
	pub files: Vec<planaria_engine::FileProgress>,
	/// The search for more.
	pub finder: FinderStatus,
	/// Totals since the node started.
	pub totals: Totals,
}

impl From<EngineStatus> for MinerRestores {
	fn from(engine: EngineStatus) -> Self {
		let EngineStatus { miner, progress, files, finder, totals, .. } = engine;
		Self { miner, progress, files, finder, totals }
	}
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

	/// How fast restorations and self-checks may go.
	#[method(name = "miner_throttle")]
	fn throttle(&self) -> RpcResult<Throttle>;

	/// Changes that, from now on and after a restart. `cap`: bytes per second, none where it is
	/// missing.
	#[method(name = "miner_setThrottle", with_extensions)]
	fn set_throttle(&self, profile: Profile, cap: Option<NonZeroU64>) -> RpcResult<Throttle>;

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

	/// A page of the segments that too little is present of.
	#[method(name = "restore_verdicts")]
	async fn restore_verdicts(
		&self,
		after: Option<SegmentId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<SegmentVerdict>>;

	/// What is restored, how fast, and how long it takes; `None` while the node catches up.
	#[method(name = "restore_progress")]
	fn restore_progress(&self) -> RpcResult<Option<RestoreReport>>;

	/// The same with every block, and whenever the node's miner gets on; at most once a second.
	#[subscription(
		name = "restore_subscribe" => "restore_report",
		unsubscribe = "restore_unsubscribe",
		item = RestoreReport,
	)]
	fn restore_subscribe(&self);
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
		let chain = miner.chain().me(At::Best).await.map_err(internal)?;
		let account = chain.as_ref().map(|me| me.hot_key.clone());
		Ok(MinerReport {
			chain,
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
			funds: miner.funds(account).await.map_err(internal)?,
			endpoint: miner.endpoint().addrs,
		})
	}

	fn check(&self, extensions: &Extensions) -> RpcResult<bool> {
		check_if_safe(extensions)?;
		self.miner()?.engine().check();
		Ok(true)
	}

	fn throttle(&self) -> RpcResult<Throttle> {
		Ok(self.miner()?.engine().status().throttle)
	}

	fn set_throttle(
		&self,
		extensions: &Extensions,
		profile: Profile,
		cap: Option<NonZeroU64>,
	) -> RpcResult<Throttle> {
		check_if_safe(extensions)?;
		let miner = self.miner()?;
		if cap.is_some_and(|cap| cap.get() < Throttle::MIN_CAP) {
			let least = Throttle::MIN_CAP >> 10;
			let message = format!("restorations stall below {least} KiB/s: use the profile quiet");
			return Err(error(INVALID_PARAMS_CODE, &message));
		}
		let throttle = Throttle { profile, cap };
		miner.engine().set_throttle(throttle);
		Ok(throttle)
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
	pub restoration: RestoreWatch,
	pub engine: Option<EngineHandle>,
	pub executor: SubscriptionTaskExecutor,
}

/// How often a subscriber is told of progress at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

fn report(restoration: &RestoreWatch, engine: Option<&EngineHandle>) -> Option<RestoreReport> {
	let network = restoration.borrow().clone()?;
	Some(RestoreReport { network, miner: engine.map(|engine| engine.status().into()) })
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

	async fn restore_verdicts(
		&self,
		after: Option<SegmentId>,
		limit: Option<u32>,
	) -> RpcResult<Vec<SegmentVerdict>> {
		self.ask(move |client, at| client.runtime_api().verdicts(at, after, limit.unwrap_or(256)))
			.await
	}

	fn restore_progress(&self) -> RpcResult<Option<RestoreReport>> {
		Ok(report(&self.restoration, self.engine.as_ref()))
	}

	fn restore_subscribe(&self, pending: PendingSubscriptionSink) {
		let (mut restoration, engine) = (self.restoration.clone(), self.engine.clone());
		let stream = async_stream(move |sender| async move {
			let mut status = engine.as_ref().map(EngineHandle::watch);
			loop {
				restoration.mark_unchanged();
				if let Some(status) = &mut status {
					status.mark_unchanged();
				}
				if let Some(report) = report(&restoration, engine.as_ref())
					&& sender.send(report).await.is_err()
				{
					break;
				}
				tokio::time::sleep(TELL_EVERY).await;
				let miner = async {
					match &mut status {
						Some(status) => status.changed().await,
						None => std::future::pending().await,
					}
				};
				let changed = tokio::select! {
					changed = restoration.changed() => changed,
					changed = miner => changed,
				};
				if changed.is_err() {
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

fn internal(cause: impl std::fmt::Display) -> ErrorObjectOwned {
	error(INTERNAL_ERROR_CODE, &cause.to_string())
}

fn error(code: i32, message: &str) -> ErrorObjectOwned {
	ErrorObjectOwned::owned(code, message, None::<()>)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_report_tells_the_network_from_the_miner() {
		let network = RestoreProgress { lost: 2, ..RestoreProgress::default() };
		let miner = Some(EngineStatus::default().into());
		let json = serde_json::to_value(RestoreReport { network, miner }).expect("serialises");
		assert_eq!(json["network"]["lost"], 2);
		assert_eq!(json["miner"]["progress"]["fragments_left"], 0);
	}
}
