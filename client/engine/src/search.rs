// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Drives the [`Finder`]: reads for it what it asks for, tells it what changes, and plans with it.

use crate::{
	chain::{At, Chain, ChainError, Changes, Heads, MinerRow},
	chores,
	finder::{Finder, FinderConfig, Read, SCAN_PAGE},
	restore::Restorer,
	status::FinderStatus,
	throttle::Limits,
	worklist::{CAPACITY, Conditions},
};
use planaria_primitives::{
	FragmentId, MinerId, Segment, SegmentId, Tick,
	mailbox::{Chore, MAX_LISTED},
};
use planaria_runtime_api::{FragmentRecord, NetworkStatus, VerdictStatus};
use planaria_worker::planner::Budget;
use std::{
	collections::BTreeSet,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::{Notify, broadcast::error::RecvError, watch},
	time::Instant,
};

/// Records read by the runtime API at a time, and names of a target's list.
const RECORDS: usize = 256;

/// How many verdicts are looked at.
const MAX_VERDICTS: u32 = 1024;

/// How long the reader rests when there is nothing to read, and after a failure.
const REST: Duration = Duration::from_secs(1);

/// What planning needs to know of this miner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Able {
	/// How many more fragments it may claim.
	pub(crate) claims: usize,
	/// How many bytes it restores per second.
	pub(crate) rate: u64,
	/// How many bytes it has yet to restore for what it has claimed.
	pub(crate) committed: u64,
}

/// What a look around came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
	/// What to claim, best first.
	pub(crate) plan: Vec<FragmentId>,
	/// What to do for the network.
	pub(crate) chores: Vec<Chore>,
	/// Orders of the last plan that somebody else has claimed.
	pub(crate) lost: u64,
}

/// The search of one miner.
pub(crate) struct Search {
	me: MinerId,
	chain: Arc<dyn Chain>,
	restorer: Restorer,
	lazy_max: Tick,
	started: Instant,
	finder: Mutex<Finder>,
	status: watch::Sender<FinderStatus>,
	limits: watch::Receiver<Limits>,
	/// There may be more to read.
	wake: Notify,
}

impl std::fmt::Debug for Search {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Search").field("me", &self.me).finish_non_exhaustive()
	}
}

/// Blocks of whose changes the node is told nothing: those that it catches up with, as after it was
/// started again.
#[derive(Debug)]
struct Silent {
	best: u32,
	/// The last of them, until it is finalized.
	last: Option<u32>,
}

impl Silent {
	/// A node that catches up takes more blocks than this at a time.
	const TOLD: u32 = 5;

	/// None have come before these heads that are to be read.
	fn after(heads: &Heads) -> Self {
		Self { best: heads.best, last: None }
	}

	/// Whether the state at the finalized block has all of them, for the first time.
	fn ended(&mut self, heads: &Heads) -> bool {
		if heads.best > self.best.saturating_add(Self::TOLD) {
			self.last = Some(heads.best);
		}
		self.best = heads.best;
		self.last.take_if(|last| heads.finalized >= *last).is_some()
	}
}

impl Search {
	pub(crate) fn new(me: MinerId, restorer: &Restorer, limits: watch::Receiver<Limits>) -> Self {
		let config = &restorer.config;
		let finder = Finder::new(
			me,
			FinderConfig {
				capacity: CAPACITY,
				lazy_max: config.lazy_max,
				pass_every: config.pass_every,
				pass_pause: config.pass_pause,
				shelve_for: config.heal_again_after,
			},
		);
		Self {
			me,
			chain: restorer.chain.clone(),
			restorer: restorer.clone(),
			lazy_max: config.lazy_max,
			started: Instant::now(),
			finder: Mutex::new(finder),
			status: watch::channel(FinderStatus::default()).0,
			limits,
			wake: Notify::new(),
		}
	}

	pub(crate) const fn me(&self) -> MinerId {
		self.me
	}

	pub(crate) fn status(&self) -> FinderStatus {
		*self.status.borrow()
	}

	/// Leaves the segment alone for a while: a claim in it came to nothing.
	pub(crate) async fn shelve(self: &Arc<Self>, segment: SegmentId) -> Result<(), ChainError> {
		self.work(move |finder, now| finder.shelve(segment, now)).await
	}

	fn lock(&self) -> MutexGuard<'_, Finder> {
		self.finder.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn now(&self) -> Duration {
		self.started.elapsed()
	}

	/// Does what needs a look at the whole worklist where it may take its time.
	async fn work<T: Send + 'static>(
		self: &Arc<Self>,
		work: impl FnOnce(&mut Finder, Duration) -> T + Send + 'static,
	) -> Result<T, ChainError> {
		let search = self.clone();
		tokio::task::spawn_blocking(move || {
			let now = search.now();
			let mut finder = search.lock();
			let done = work(&mut finder, now);
			search.status.send_replace(finder.status());
			done
		})
		.await
		.map_err(|error| ChainError(error.to_string()))
	}

	/// Reads what the finder asks for, and follows the changes, as long as it is polled.
	pub(crate) async fn run(self: Arc<Self>) {
		let mut changes = self.chain.changes();
		let mut heads = self.chain.heads();
		let mut silent = Silent::after(&heads.borrow_and_update());
		loop {
			let read = async {
				match self.work(|finder, now| finder.next(now)).await {
					Ok(Some(read)) => self.read(read).await,
					_ => {
						let _ = tokio::time::timeout(REST, self.wake.notified()).await;
					},
				}
			};
			tokio::pin!(read);
			loop {
				tokio::select! {
					() = &mut read => break,
					changed = changes.recv() => match changed {
						Ok(changed) => self.changed(changed).await,
						Err(RecvError::Lagged(_)) => {
							let _ = self.work(|finder, _| finder.lagged()).await;
						},
						Err(RecvError::Closed) => return,
					},
					Ok(()) = heads.changed() => {
						let ended = silent.ended(&heads.borrow_and_update());
						if ended {
							let _ = self.work(|finder, _| finder.lagged()).await;
						}
					},
				}
			}
		}
	}

	async fn changed(self: &Arc<Self>, changes: Arc<Changes>) {
		let changed = self.work(move |finder, _| {
			for (id, segment) in &changes.segments {
				finder.changed_segment(*id, segment.clone());
			}
			for (fragment, order) in &changes.orders {
				finder.changed_order(*fragment, *order);
			}
		});
		// It fails only when the node stops.
		let _ = changed.await;
	}

	async fn read(self: &Arc<Self>, read: Read) {
		if let Err(error) = self.try_read(&read).await {
			tracing::debug!(%error, ?read, "could not look for restorable fragments");
			let _ = self.work(move |finder, now| finder.failed(&read, now)).await;
		}
		let pause = self.limits.borrow().scan_pause;
		tokio::time::sleep(pause).await;
	}

	async fn try_read(self: &Arc<Self>, read: &Read) -> Result<(), ChainError> {
		let chain = &self.chain;
		match read {
			Read::Orders { after } => {
				let page = chain.orders(At::Finalized, *after, SCAN_PAGE).await?;
				let last = page.len() < SCAN_PAGE as usize;
				self.work(move |finder, _| finder.read_orders(page, last)).await
			},
			Read::Segments(ids) => {
				let segments = chain.segments(At::Finalized, ids.clone()).await?;
				let segments: Vec<_> = ids.iter().copied().zip(segments).collect();
				self.work(move |finder, _| finder.read_segments(segments)).await
			},
			Read::Files(files) => {
				let rows = chain.files(At::Best, files.clone()).await?;
				let rows: Vec<_> = files.iter().copied().zip(rows).collect();
				self.work(move |finder, _| finder.read_files(rows)).await
			},
			Read::List { target, after } => {
				let contact = self.restorer.contact(*target).await?;
				let contact = contact.ok_or_else(|| ChainError("the target is gone".into()))?;
				let names = self.restorer.peers.list(&contact.addr, *after, RECORDS).await;
				let names = names.map_err(|error| ChainError(error.to_string()))?;
				let records = chain.locate(At::Best, names.clone()).await?;
				let (target, last) = (*target, names.len() < RECORDS);
				self.work(move |finder, now| {
					finder.read_list(target, &names, &records, last, now);
				})
				.await
			},
			Read::Class { class, after } => {
				let page = chain.class(At::Finalized, *class, *after, SCAN_PAGE).await?;
				let (class, last) = (*class, page.len() < SCAN_PAGE as usize);
				self.work(move |finder, _| finder.read_class(class, page, last)).await
			},
		}
	}

	/// Looks what became of the last plan, makes the next one where `able` says what this miner
	/// can do, and finds chores. `vacated` is what lies here and is assigned to nobody.
	pub(crate) async fn look(
		self: Arc<Self>,
		able: Option<Able>,
		vacated: Arc<BTreeSet<FragmentId>>,
	) -> Result<Found, ChainError> {
		let network = self.chain.network(At::Best).await?;
		let miners = miners(&*self.chain).await?;
		let conditions =
			Conditions { tick: network.tick, lazy_max: self.lazy_max, braked: network.braked };
		let planned = {
			let miners = miners.clone();
			let (tick, ever) = (network.tick, network.segments_ever);
			self.work(move |finder, _| {
				finder.observe(&miners, tick, ever);
				finder.planned().to_vec()
			})
			.await?
		};
		self.wake.notify_one();

		let records = self.records(&planned).await?;
		let raced = self.work(move |finder, now| finder.review(&records, now)).await?;
		let mut plan = Vec::new();
		if let Some(able) = able {
			plan = self.plan(&network, conditions, able, vacated).await?;
		}
		let chores = self.chores(network, miners).await?;
		Ok(Found { plan, chores, lost: raced.lost as u64 })
	}

	async fn plan(
		self: &Arc<Self>,
		network: &NetworkStatus,
		conditions: Conditions,
		able: Able,
		vacated: Arc<BTreeSet<FragmentId>>,
	) -> Result<Vec<FragmentId>, ChainError> {
		let period = u64::from(network.claim_period).saturating_mul(network.slot_millis);
		let budget = Budget::new(able.claims.min(MAX_LISTED), able.rate, period, able.committed);
		let known = vacated.clone();
		let candidates = move |finder: &mut Finder, now| finder.candidates(conditions, &known, now);
		let candidates = self.work(candidates).await?;
		let fragments: Vec<_> = candidates.iter().map(|candidate| candidate.fragment).collect();
		let records = self.records(&fragments).await?;
		let plan = move |finder: &mut Finder, _| {
			finder.plan(&candidates, &records, &vacated, conditions, budget)
		};
		self.work(plan).await
	}

	async fn chores(
		self: &Arc<Self>,
		network: NetworkStatus,
		miners: Vec<MinerRow>,
	) -> Result<Vec<Chore>, ChainError> {
		let verdicts: Vec<(SegmentId, VerdictStatus)> =
			self.chain.verdicts(At::Best, None, MAX_VERDICTS).await?;
		let ids: Vec<SegmentId> = verdicts.iter().map(|(id, _)| *id).collect();
		let segments = self.chain.segments(At::Best, ids.clone()).await?;
		self.work(move |finder, _| {
			finder.read_segments(ids.into_iter().zip(segments));
			chores::due(&network, &miners, &verdicts, finder)
		})
		.await
	}

	async fn records(
		&self,
		fragments: &[FragmentId],
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		let mut records = Vec::with_capacity(fragments.len());
		for page in fragments.chunks(RECORDS) {
			records.extend(self.chain.records(At::Best, page.to_vec()).await?);
		}
		Ok(records)
	}
}

/// All miners that have not departed.
async fn miners(chain: &dyn Chain) -> Result<Vec<MinerRow>, ChainError> {
	let mut miners: Vec<MinerRow> = Vec::new();
	loop {
		let after = miners.last().map(|row| row.miner);
		let page = chain.miners(At::Best, after, SCAN_PAGE).await?;
		let last = page.len() < SCAN_PAGE as usize;
		miners.extend(page);
		if last {
			return Ok(miners);
		}
	}
}

/// Scans all segments on chain by classes, page by page, with a pause after each.
pub(crate) async fn scan(
	chain: &dyn Chain,
	at: At,
	pause: Duration,
	mut visit: impl FnMut(Vec<(SegmentId, Segment)>) + Send,
) -> Result<(), ChainError> {
	for class in 0..=u8::MAX {
		let mut after = None;
		loop {
			let page = chain.class(at, class, after, SCAN_PAGE).await?;
			after = page.last().map(|(id, _)| *id);
			let last = page.len() < SCAN_PAGE as usize;
			visit(page);
			if last {
				break;
			}
			tokio::time::sleep(pause).await;
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_came_without_notice_is_read_once_it_is_final() {
		let heads = |best, finalized| Heads { best, finalized, syncing: false };
		let mut silent = Silent::after(&heads(38, 36));
		// One by one, and with a short fork.
		for best in [39, 40, 45, 44, 49] {
			assert!(!silent.ended(&heads(best, best - 2)), "{best}");
		}
		assert!(!silent.ended(&heads(150, 40)));
		assert!(!silent.ended(&heads(151, 149)));
		assert!(silent.ended(&heads(151, 150)));
		assert!(!silent.ended(&heads(152, 151)));
		// Again, and more of them before the first are final.
		assert!(!silent.ended(&heads(160, 151)));
		assert!(!silent.ended(&heads(170, 165)));
		assert!(silent.ended(&heads(170, 170)));
	}
}
