// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the network restores, followed from block to block.

use crate::{
	metrics::{known, metrics},
	service::FullClient,
};
use futures::{FutureExt, StreamExt};
use planaria_primitives::{FragmentId, MinerId};
use planaria_runtime::Hash;
use planaria_runtime_api::{
	FilesApi, MAX_PAGE, MinersApi, RestoreApi,
	progress::{Follower, RestoreProgress, Snapshot},
};
use sc_client_api::{BlockchainEvents, HeaderBackend};
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_consensus::SyncOracle;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// The most orders, targets and verdicts that are looked at in a block.
const MAX_ROWS: usize = 16_384;

/// The wait after each look, so that a node that imports quickly does not look all the time.
const PAUSE: Duration = Duration::from_millis(500);

/// How long it is waited for a block before the best one is looked at again.
const IDLE: Duration = Duration::from_secs(1);

/// What the network restores; `None` until the node has looked, which it does not while it
/// catches up.
pub type RestoreWatch = watch::Receiver<Option<RestoreProgress>>;

/// Follows restoration at the best block. The returned future does the work; it ends with the node.
pub fn restoration(
	client: Arc<FullClient>,
	sync: impl SyncOracle + Send + Sync + 'static,
	metrics: Option<Metrics>,
) -> (RestoreWatch, impl Future<Output = ()> + Send + 'static) {
	let (publish, progress) = watch::channel(None);
	(progress, follow(client, sync, metrics, publish))
}

async fn follow(
	client: Arc<FullClient>,
	sync: impl SyncOracle,
	metrics: Option<Metrics>,
	publish: watch::Sender<Option<RestoreProgress>>,
) {
	let begun = Instant::now();
	let mut imported = client.import_notification_stream();
	let mut follower = Follower::default();
	let mut last = None;
	loop {
		let hash = client.info().best_hash;
		if last == Some(hash) || sync.is_major_syncing() {
			let Ok(next) = tokio::time::timeout(IDLE, imported.next()).await else { continue };
			if next.is_none() {
				return;
			}
		} else {
			last = Some(hash);
			match look(&client, hash, &follower).await {
				Ok((snapshot, gone)) => {
					let progress = follower.follow(begun.elapsed(), snapshot, &gone);
					if let Some(metrics) = &metrics {
						metrics.set(&progress);
					}
					publish.send_replace(Some(progress));
				},
				Err(error) => tracing::debug!(%error, "restoration cannot be followed now"),
			}
			tokio::time::sleep(PAUSE).await;
		}
		while let Some(Some(_)) = imported.next().now_or_never() {}
	}
}

/// The snapshot of a block, and the fragments that were about to be proven before and are gone.
async fn look(
	client: &Arc<FullClient>,
	hash: Hash,
	follower: &Follower,
) -> Result<(Snapshot, Vec<FragmentId>), String> {
	let (client, last) = (client.clone(), follower.last().cloned());
	tokio::task::spawn_blocking(move || {
		let next = snapshot(&client, hash)?;
		let mut gone = Vec::new();
		if let Some(last) = last {
			let ended: Vec<(FragmentId, MinerId)> =
				last.ended(&next).map(|(order, by)| (order.fragment, by)).collect();
			for page in ended.chunks(MAX_PAGE as usize) {
				let ids = page.iter().map(|(fragment, _)| *fragment).collect();
				let records = client.runtime_api().records(hash, ids)?;
				gone.extend(page.iter().zip(records).filter_map(|((fragment, by), record)| {
					let holders = record.map(|record| record.holders).unwrap_or_default();
					let holder = holders.get(usize::from(fragment.index)).copied().flatten();
					(holder != Some(*by)).then_some(*fragment)
				}));
			}
		}
		Ok((next, gone))
	})
	.await
	.map_err(|error| error.to_string())?
	.map_err(|error: ApiError| error.to_string())
}

fn snapshot(client: &FullClient, hash: Hash) -> Result<Snapshot, ApiError> {
	let api = client.runtime_api();
	let orders = pages(|after, limit| api.orders(hash, after, limit), |order| order.fragment)?;
	let targets = pages(|after, limit| api.targets(hash, after, limit), |target| target.miner)?;
	let verdicts = pages(|after, limit| api.verdicts(hash, after, limit), |row| row.segment)?;
	let partial = [orders.len(), targets.len(), verdicts.len()].iter().any(|len| *len >= MAX_ROWS);
	Ok(Snapshot {
		network: api.network(hash)?,
		orders: orders.into_iter().map(|order| (order.fragment, order)).collect(),
		targets: targets.into_iter().map(|target| (target.miner, target)).collect(),
		verdicts: verdicts.into_iter().map(|row| row.verdict).collect(),
		partial,
	})
}

/// Reads the pages of a list, up to [`MAX_ROWS`].
fn pages<K, R>(
	read: impl Fn(Option<K>, u32) -> Result<Vec<R>, ApiError>,
	key: impl Fn(&R) -> K,
) -> Result<Vec<R>, ApiError> {
	let mut all: Vec<R> = Vec::new();
	loop {
		let page = read(all.last().map(&key), MAX_PAGE)?;
		let last = page.len() < MAX_PAGE as usize;
		all.extend(page);
		if last || all.len() >= MAX_ROWS {
			return Ok(all);
		}
	}
}

metrics! {
	/// What any node shows of the network's restoration.
	Metrics {
		clock: Whole "planaria_network_clock_running", "Whether the network's clock runs; nothing expires while it does not";
		tick: Whole "planaria_network_tick", "The network's clock";
		braked: Whole "planaria_network_braked", "Whether so much turned absent that expulsions are held up";
		unclaimed: Whole "planaria_network_orders_unclaimed", "Restore orders that nobody works on";
		claimed: Whole "planaria_network_orders_claimed", "Restore orders that miners work on";
		ready: Whole "planaria_network_orders_ready", "Restore orders about to be proven";
		disputed: Whole "planaria_network_orders_disputed", "Restore orders that several miners declined";
		thinnest: Real "planaria_network_orders_least_spare", "How many more fragments the weakest segment with an order can lose";
		leaving: Whole "planaria_network_targets_leaving", "Miners that leave";
		absent: Whole "planaria_network_targets_absent", "Miners that are silent";
		expelled: Whole "planaria_network_targets_expelled", "Miners that were expelled and still hold something";
		fragments_left: Whole "planaria_network_restore_fragments_left", "Fragments that are left to restore";
		bytes_left: Whole "planaria_network_restore_bytes_left", "Bytes that are left to restore";
		rate: Real "planaria_network_restore_rate_bytes", "Bytes per second that were restored lately";
		eta: Real "planaria_network_restore_eta_seconds", "The time that what is left takes at that rate";
		stalled: Whole "planaria_network_restore_stalled", "Whether there is something to do and nothing moved for a claim period";
		restored_fragments: Total "planaria_network_restored_fragments_total", "Fragments restored since the node looks";
		restored_bytes: Total "planaria_network_restored_bytes_total", "Bytes restored since the node looks";
		suspected: Whole "planaria_network_suspected_segments", "Segments suspected lost";
		lost: Whole "planaria_network_lost_segments", "Segments that are lost";
	}
}

impl Metrics {
	fn set(&self, progress: &RestoreProgress) {
		self.clock.set(progress.clock_runs.into());
		self.tick.set(progress.tick.into());
		self.braked.set(progress.braked.into());
		self.unclaimed.set(progress.orders.unclaimed.into());
		self.claimed.set(progress.orders.claimed.into());
		self.ready.set(progress.orders.ready.into());
		self.disputed.set(progress.orders.disputed.into());
		let thinnest = progress.orders.by_spare.first_key_value().map(|(spare, _)| *spare);
		self.thinnest.set(thinnest.map_or(f64::NAN, f64::from));
		self.leaving.set(progress.targets.leaving.into());
		self.absent.set(progress.targets.absent.into());
		self.expelled.set(progress.targets.expelled.into());
		self.fragments_left.set(progress.pace.fragments_left);
		self.bytes_left.set(progress.pace.bytes_left);
		self.rate.set(known(progress.pace.rate));
		self.eta.set(known(progress.pace.eta_secs));
		self.stalled.set(progress.pace.stalled.into());
		self.restored_fragments.raise(progress.restored_fragments);
		self.restored_bytes.raise(progress.restored_bytes);
		self.suspected.set(progress.suspected.into());
		self.lost.set(progress.lost.into());
	}
}
