// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The loop that brings chain, mailbox, store and transfers together.
//!
//! One task owns all state. Whatever takes time runs in tasks of its own, which are joined here;
//! what happens elsewhere (a put, a damaged fragment) comes in as an [`Event`].

use crate::{
	chain::{At, Chain, ChainError},
	check::{self, CompareError, Compared, blocking, holder, is_assigned, is_unconfirmed},
	config::EngineConfig,
	foreign::Foreign,
	mailbox::{self, Mailbox, set_done, set_proofs},
	needs::{Needs, Retry, Why},
	peers::Peers,
	planner,
	restore::{Endpoints, RestoreError, Restored, Restorer},
	status::{CheckStatus, EngineStatus, RestorePhase, RestoreStatus, Totals},
};
use planaria_primitives::{
	FragmentId, FragmentName, FragmentProof, MinerId,
	mailbox::{Done, Healed, Job, JobKind, MAX_LISTED, ProofItem},
	sampling,
	segment::bit,
};
use planaria_runtime_api::{FragmentRecord, MinerStanding, MinerStatus};
use planaria_store::{FragmentStore, FragmentStoreExt};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::{Semaphore, mpsc, watch},
	task::JoinSet,
	time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// How often the loop looks around without being woken.
const IDLE: Duration = Duration::from_secs(1);

/// Events taken at a time. Each comes from a transfer, and those are limited.
const MAX_EVENTS: usize = 1024;

/// How many restorations are listed in the status.
const MAX_SHOWN: usize = 256;

/// Something happened outside the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
	/// A fragment is durable here, and may be unconfirmed.
	Stored(FragmentName),
	/// A fragment was found broken while it was served.
	Broken(FragmentName),
	/// Hash everything again, and compare it with the chain.
	Check,
}

/// Talks to a running engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
	events: mpsc::UnboundedSender<Event>,
	status: watch::Receiver<EngineStatus>,
}

impl EngineHandle {
	/// The engine at this moment.
	pub fn status(&self) -> EngineStatus {
		self.status.borrow().clone()
	}

	/// Changes with every change of the status.
	pub fn watch(&self) -> watch::Receiver<EngineStatus> {
		self.status.clone()
	}

	/// Starts a self-check: every stored fragment is hashed again and compared with the chain. One
	/// that already runs goes on.
	pub fn check(&self) {
		self.send(Event::Check);
	}

	pub(crate) fn send(&self, event: Event) {
		// A stopped engine needs no events: it finds everything again when it starts.
		let _ = self.events.send(event);
	}
}

/// What a task comes to.
enum Outcome {
	Restored(FragmentName, Result<Restored, RestoreError>),
	Proved(FragmentId, u32, Option<FragmentProof>),
	Found(Result<Vec<FragmentId>, ChainError>),
	Compared(Result<Compared, CompareError>),
	Checked(Result<(), CompareError>),
}

/// The engine of one miner.
#[derive(Debug)]
pub struct Engine {
	restorer: Restorer,
	mailbox: Arc<dyn Mailbox>,
	config: Arc<EngineConfig>,
	events: mpsc::UnboundedReceiver<Event>,
	publish: watch::Sender<EngineStatus>,
	check_progress: watch::Sender<CheckStatus>,
	stop: CancellationToken,
	tasks: JoinSet<Outcome>,

	me: Option<MinerStatus>,
	/// When the engine started, from where the times of `needs` and `foreign` count.
	started: Instant,
	needs: Needs,
	/// Durable here, but not confirmed in finalized state as far as is known.
	unconfirmed: BTreeSet<FragmentName>,
	/// Own fragments whose order was opened: to be cancelled if they are whole again.
	opened: BTreeSet<FragmentName>,
	found: Vec<FragmentId>,
	/// Proofs that are asked for; `None` while one is being made.
	proofs: BTreeMap<(FragmentId, u32), Option<FragmentProof>>,
	foreign: Foreign,
	unknown_jobs: u64,
	totals: Totals,

	finding: bool,
	find_at: Instant,
	comparing: bool,
	compare_at: Instant,
	checking: bool,
	check_at: Instant,
}

impl std::fmt::Debug for Restorer {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Restorer").field("store", &self.store).finish_non_exhaustive()
	}
}

impl std::fmt::Debug for dyn Mailbox {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Mailbox")
	}
}

impl Engine {
	/// An engine that works as soon as it is [run](Self::run), and the handle to talk to it.
	pub fn new(
		chain: Arc<dyn Chain>,
		store: Arc<dyn FragmentStore>,
		peers: Arc<dyn Peers>,
		mailbox: Arc<dyn Mailbox>,
		config: EngineConfig,
	) -> (Self, EngineHandle) {
		let (events, received) = mpsc::unbounded_channel();
		let (publish, status) = watch::channel(EngineStatus::default());
		let config = Arc::new(config);
		let now = Instant::now();
		let engine = Self {
			restorer: Restorer {
				chain,
				store,
				peers,
				config: config.clone(),
				rebuilding: Arc::new(Semaphore::new(1)),
				endpoints: Arc::new(Endpoints::default()),
			},
			mailbox,
			events: received,
			publish,
			check_progress: watch::channel(CheckStatus::default()).0,
			stop: CancellationToken::new(),
			tasks: JoinSet::new(),
			me: None,
			started: now,
			needs: Needs::new(Retry {
				after: config.retry_after,
				attempts: config.attempts,
				again_after: config.heal_again_after,
			}),
			unconfirmed: BTreeSet::new(),
			opened: BTreeSet::new(),
			found: Vec::new(),
			proofs: BTreeMap::new(),
			foreign: Foreign::default(),
			unknown_jobs: 0,
			totals: Totals::default(),
			finding: false,
			find_at: now,
			comparing: false,
			compare_at: now,
			checking: false,
			check_at: now + config.check_every,
			config,
		};
		(engine, EngineHandle { events, status })
	}

	/// Works until `stop` is cancelled; then lets what writes to the disk come to its end.
	pub async fn run(mut self, stop: CancellationToken) {
		self.stop = stop.clone();
		let mut heads = self.restorer.chain.heads();
		let rings = self.mailbox.rings();
		let mut idle = tokio::time::interval(IDLE);
		idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
		let mut batch = Vec::new();
		loop {
			tokio::select! {
				() = stop.cancelled() => break,
				changed = heads.changed() => if changed.is_err() { break },
				() = rings.notified() => (),
				_ = self.events.recv_many(&mut batch, MAX_EVENTS) => {
					batch.drain(..).for_each(|event| self.happened(event));
				},
				Some(outcome) = self.tasks.join_next(), if !self.tasks.is_empty() => match outcome {
					Ok(outcome) => self.finished(outcome),
					Err(error) => tracing::error!(%error, "a task of the engine failed"),
				},
				_ = idle.tick() => (),
			}
			if let Err(error) = self.turn().await {
				tracing::debug!(%error, "the chain cannot be read now");
			}
			self.publish();
		}
		self.tasks.abort_all();
		while self.tasks.join_next().await.is_some() {}
	}

	fn happened(&mut self, event: Event) {
		match event {
			Event::Stored(name) => {
				self.foreign.remove(&name);
				self.unconfirmed.insert(name);
			},
			Event::Broken(name) => self.need(name, Why::Own),
			Event::Check => self.check_at = Instant::now(),
		}
	}

	fn need(&mut self, name: FragmentName, why: Why) {
		let now = self.now();
		self.needs.need(name, why, now);
	}

	/// How long the engine has run.
	fn now(&self) -> Duration {
		self.started.elapsed()
	}

	/// One look at everything. Reads of the chain are few and cheap; the rest is started here and
	/// joined in the loop.
	async fn turn(&mut self) -> Result<(), ChainError> {
		let chain = self.restorer.chain.clone();
		if chain.heads().borrow().syncing {
			return Ok(());
		}
		self.me = chain.me(At::Best).await?;
		let Some(me) = self.me.as_ref().map(|me| me.miner) else { return Ok(()) };
		self.take_jobs(me).await?;
		self.start_restores(me).await?;
		self.start_surveys(me);
		let done = self.done(me).await?;
		let proofs: Vec<ProofItem> = self
			.proofs
			.iter()
			.filter_map(|((fragment, chunk), proof)| {
				Some(ProofItem { fragment: *fragment, chunk: *chunk, proof: proof.clone()? })
			})
			.take(mailbox::MAX_PROOFS)
			.collect();
		set_proofs(&*self.mailbox, &proofs);
		set_done(&*self.mailbox, &done);
		self.discard().await;
		Ok(())
	}

	/// Reconciles what is being done with what the worker wants.
	async fn take_jobs(&mut self, me: MinerId) -> Result<(), ChainError> {
		let Some(wanted) = mailbox::wanted(&*self.mailbox).filter(|wanted| wanted.miner == me)
		else {
			return Ok(());
		};
		let mut unknown = 0;
		let mut claimed = BTreeSet::new();
		let mut asked = BTreeSet::new();
		for job in wanted.jobs {
			match job {
				Job::Known(JobKind::Restore { name, deadline, .. }) => {
					claimed.insert(name);
					self.need(name, Why::Claimed { deadline });
				},
				Job::Known(JobKind::Prove { fragment, name, chunk }) => {
					asked.insert((fragment, chunk));
					self.prove(fragment, name, chunk);
				},
				Job::Unknown(_) => unknown += 1,
			}
		}
		self.unknown_jobs = unknown;
		self.proofs.retain(|key, _| asked.contains(key));

		// A claim that is wanted no longer is dropped once finalized state says so as well.
		let over: Vec<FragmentName> = self
			.needs
			.iter()
			.filter(|(name, need)| need.why.is_claim() && !claimed.contains(*name))
			.map(|(name, _)| *name)
			.take(MAX_LISTED)
			.collect();
		if !over.is_empty() {
			let records = self.restorer.chain.locate(At::Finalized, over.clone()).await?;
			for (name, record) in over.into_iter().zip(records) {
				if record.is_none_or(|record| record.claimed_by() != Some(me)) {
					self.needs.remove(&name);
				}
			}
		}
		Ok(())
	}

	fn prove(&mut self, fragment: FragmentId, name: FragmentName, chunk: u32) {
		if self.proofs.contains_key(&(fragment, chunk)) {
			return;
		}
		self.proofs.insert((fragment, chunk), None);
		let store = self.restorer.store.clone();
		self.tasks.spawn(async move {
			let proof = blocking(&store, move |store| Ok(prove(store, &name, chunk))).await;
			Outcome::Proved(fragment, chunk, proof.unwrap_or_default())
		});
	}

	/// Starts what has to be restored and is due, own fragments first.
	async fn start_restores(&mut self, me: MinerId) -> Result<(), ChainError> {
		let due = self.needs.due(self.now(), self.config.copies);
		if due.is_empty() {
			return Ok(());
		}
		let records = self.restorer.chain.locate(At::Best, due.clone()).await?;
		for (name, record) in due.into_iter().zip(records) {
			let Some(record) = record.filter(|record| is_assigned(record, me)) else {
				// Not on the best block (any more): it is looked for again if it comes back.
				self.needs.remove(&name);
				continue;
			};
			self.needs.begin(&name);
			let restorer = self.restorer.clone();
			self.tasks.spawn(async move {
				Outcome::Restored(name, restore_one(&restorer, me, &record).await)
			});
		}
		Ok(())
	}

	/// Starts looking for work, comparing and checking when these are due.
	fn start_surveys(&mut self, me: MinerId) {
		let now = Instant::now();
		let chain = self.restorer.chain.clone();
		let store = self.restorer.store.clone();
		let takes_data = self.me.as_ref().is_some_and(|me| me.standing == MinerStanding::Serving);
		let room = self.config.max_claims.saturating_sub(self.needs.claims());
		if !self.finding && self.find_at <= now && takes_data && room > 0 {
			self.finding = true;
			let (chain, lazy_max) = (chain.clone(), self.config.lazy_max);
			self.tasks.spawn(async move {
				Outcome::Found(planner::find(&*chain, me, room, lazy_max).await)
			});
		}
		if !self.checking && self.check_at <= now {
			self.checking = true;
			let passes = self.check_progress.borrow().passes;
			self.check_progress.send_replace(CheckStatus {
				running: true,
				passes,
				..CheckStatus::default()
			});
			let (store, progress, stop) =
				(store.clone(), self.check_progress.clone(), self.stop.clone());
			self.tasks
				.spawn(async move { Outcome::Checked(check::check(&store, progress, stop).await) });
		}
		if !self.comparing && !self.checking && self.compare_at <= now {
			self.comparing = true;
			self.tasks
				.spawn(async move { Outcome::Compared(check::compare(&*chain, &store, me).await) });
		}
	}

	fn finished(&mut self, outcome: Outcome) {
		match outcome {
			Outcome::Restored(name, result) => self.restored(name, result),
			Outcome::Proved(fragment, chunk, proof) => match proof {
				Some(proof) => {
					self.proofs.entry((fragment, chunk)).and_modify(|slot| *slot = Some(proof));
				},
				// Asked again as long as the chain does; the self-check finds out what is wrong.
				None => {
					tracing::warn!(%fragment, "a fragment that is to be proven cannot be read");
					self.proofs.remove(&(fragment, chunk));
					self.check_at = Instant::now();
				},
			},
			Outcome::Found(result) => {
				self.finding = false;
				self.find_at = Instant::now() + self.config.find_every;
				match result {
					Ok(found) => self.found = found,
					Err(error) => {
						tracing::debug!(%error, "could not look for restorable fragments")
					},
				}
			},
			Outcome::Compared(result) => {
				self.comparing = false;
				self.compare_at = Instant::now() + self.config.compare_every;
				match result {
					Ok(compared) => self.compared(compared),
					Err(error) => {
						tracing::warn!(%error, "could not compare the store with the chain")
					},
				}
			},
			Outcome::Checked(result) => {
				self.checking = false;
				self.check_at = Instant::now() + self.config.check_every;
				// What is broken or missing comes out of the comparison.
				self.compare_at = Instant::now();
				if let Err(error) = result {
					tracing::error!(%error, "the self-check could not be finished");
				}
				self.check_progress.send_modify(|status| {
					status.running = false;
					status.passes += 1;
				});
				let CheckStatus { checked, damaged, unreadable, .. } =
					*self.check_progress.borrow();
				tracing::info!(checked, damaged, unreadable, "self-check finished");
			},
		}
	}

	fn restored(&mut self, name: FragmentName, result: Result<Restored, RestoreError>) {
		match result {
			Ok(restored) => {
				tracing::info!(%name, rebuilt = restored.rebuilt, read = restored.read, "restored");
				let totals = &mut self.totals;
				totals.copied += u64::from(!restored.rebuilt && restored.read > 0);
				totals.rebuilt += u64::from(restored.rebuilt);
				totals.bytes_read += restored.read;
				totals.bytes_restored += restored.len;
				totals.lies += restored.lies;
				self.needs.succeeded(&name);
			},
			Err(error) => {
				let now = self.now();
				let give_up = self.needs.failed(&name, error.to_string(), error.is_final(), now);
				tracing::warn!(%name, %error, give_up, "not restored");
			},
		}
	}

	fn compared(&mut self, compared: Compared) {
		if !compared.missing.is_empty() {
			tracing::warn!(missing = compared.missing.len(), "own fragments are not whole here");
		}
		let missing = compared.missing.len() as u64;
		self.check_progress.send_modify(|status| status.missing = missing);
		for name in compared.missing {
			self.need(name, Why::Own);
		}
		self.unconfirmed.extend(compared.unconfirmed);
		let now = self.now();
		self.foreign.compared(compared.foreign, now);
		// While something is to be discarded, look again as soon as its grace period is over.
		if let Some(due) = self.foreign.next_due(self.config.discard_after) {
			let due = self.started + (due + IDLE).max(now + IDLE);
			self.compare_at = self.compare_at.min(due);
		}
	}

	/// All that is done and that the chain may not know yet.
	async fn done(&mut self, me: MinerId) -> Result<Done, ChainError> {
		let mut done = Done { found: self.found.clone(), ..Done::default() };
		let chain = self.restorer.chain.clone();

		let names: Vec<_> = self.unconfirmed.iter().copied().take(MAX_LISTED).collect();
		if !names.is_empty() {
			let best = chain.locate(At::Best, names.clone()).await?;
			let finalized = chain.locate(At::Finalized, names.clone()).await?;
			for ((name, best), finalized) in names.into_iter().zip(best).zip(finalized) {
				if let Some(record) = best.as_ref().filter(|record| is_unconfirmed(record, me)) {
					done.stored.push(record.fragment);
				} else if finalized.is_none_or(|record| !is_unconfirmed(&record, me)) {
					self.unconfirmed.remove(&name);
				}
			}
		}

		let needs: Vec<(FragmentName, Why, RestorePhase)> = self
			.needs
			.iter()
			.filter(|(_, need)| matches!(need.phase, RestorePhase::Durable | RestorePhase::GivenUp))
			.map(|(name, need)| (*name, need.why, need.phase))
			.take(2 * MAX_LISTED)
			.collect();
		if !needs.is_empty() {
			let names = needs.iter().map(|(name, ..)| *name).collect();
			let records = chain.locate(At::Best, names).await?;
			for ((name, why, phase), record) in needs.into_iter().zip(records) {
				let Some(record) = record else { continue };
				let claimed = record.claimed_by() == Some(me);
				match (why, phase) {
					(Why::Claimed { .. }, RestorePhase::Durable) if claimed => {
						push(&mut done.restored, record.fragment);
					},
					(Why::Claimed { .. }, RestorePhase::GivenUp) if claimed => {
						push(&mut done.hopeless, record.fragment);
					},
					(Why::Own, RestorePhase::GivenUp) if holder(&record) == Some(me) => {
						self.opened.insert(name);
						push(&mut done.broken, record.fragment);
					},
					_ => (),
				}
			}
		}
		self.healed(me, &mut done).await?;
		Ok(done)
	}

	/// Own fragments that are whole again although their order is open: proofs to cancel it.
	async fn healed(&mut self, me: MinerId, done: &mut Done) -> Result<(), ChainError> {
		let whole: Vec<FragmentName> = self
			.opened
			.iter()
			.filter(|name| self.needs.get(name).is_none())
			.copied()
			.take(MAX_LISTED)
			.collect();
		if whole.is_empty() {
			return Ok(());
		}
		let chain = self.restorer.chain.clone();
		let at = chain.heads().borrow().best.saturating_sub(1);
		let records = chain.locate(At::Best, whole.clone()).await?;
		for (name, record) in whole.into_iter().zip(records) {
			let order = record.filter(|record| {
				holder(record) == Some(me) && record.restoring & bit(name.index) != 0
			});
			let Some(record) = order else {
				self.opened.remove(&name);
				continue;
			};
			if record.claimed_by().is_some() || done.healed.len() == Done::MAX_HEALED {
				continue;
			}
			let Some(seed) = chain.beacon(At::Best, at).await? else { continue };
			if let Some(proof) = self.cancel_proof(&record, &seed).await {
				done.healed.push(Healed { fragment: record.fragment, at, proof });
			}
		}
		Ok(())
	}

	async fn cancel_proof(
		&self,
		record: &FragmentRecord,
		seed: &planaria_primitives::Hash,
	) -> Option<FragmentProof> {
		let spec = planaria_primitives::FileSpec::new(record.size, record.coding).ok()?;
		let chunk = sampling::chunk(seed, &record.fragment, spec.chunks(record.name.segment));
		let name = record.name;
		blocking(&self.restorer.store, move |store| Ok(prove(store, &name, chunk))).await.ok()?
	}

	/// Gives up what was assigned elsewhere for long enough.
	async fn discard(&mut self) {
		// Only what the latest comparison still found foreign is in there.
		let names = self.foreign.due(self.now(), self.config.discard_after, MAX_LISTED);
		if names.is_empty() {
			return;
		}
		let Some(me) = self.me.as_ref().map(|me| me.miner) else { return };
		// The reason is read once more, in finalized state, before anything is destroyed.
		let Ok(records) = self.restorer.chain.locate(At::Finalized, names.clone()).await else {
			return;
		};
		for (name, record) in names.into_iter().zip(records) {
			self.foreign.remove(&name);
			if record.is_some_and(|record| is_assigned(&record, me)) {
				continue;
			}
			let released = blocking(&self.restorer.store, move |store| store.release(&name)).await;
			match released {
				Ok(released) => {
					self.totals.discarded += 1;
					self.needs.remove(&name);
					self.unconfirmed.remove(&name);
					tracing::info!(%name, ?released, "discarded: the chain assigns it elsewhere");
				},
				Err(error) => tracing::warn!(%name, %error, "could not discard a fragment"),
			}
		}
	}

	fn publish(&self) {
		let status = EngineStatus {
			miner: self.me.as_ref().map(|me| me.miner),
			unconfirmed: self.unconfirmed.len() as u64,
			restores: self
				.needs
				.iter()
				.take(MAX_SHOWN)
				.map(|(name, need)| RestoreStatus {
					name: *name,
					own: need.why == Why::Own,
					phase: need.phase,
					attempts: need.attempts,
					error: need.error.clone(),
				})
				.collect(),
			found: self.found.len() as u64,
			proofs: self.proofs.len() as u64,
			discarding: self.foreign.len() as u64,
			unknown_jobs: self.unknown_jobs,
			check: self.check_progress.borrow().clone(),
			totals: self.totals,
			..EngineStatus::default()
		};
		self.publish.send_if_modified(|old| {
			let changed = *old != status;
			if changed {
				*old = status;
			}
			changed
		});
	}
}

/// Restores a fragment unless it is whole here already, as it is after a restart.
async fn restore_one(
	restorer: &Restorer,
	me: MinerId,
	record: &FragmentRecord,
) -> Result<Restored, RestoreError> {
	let name = record.name;
	let whole = blocking(&restorer.store, move |store| {
		let Some(entry) = store.entry(&name)?.filter(|entry| !entry.broken) else {
			return Ok(false);
		};
		Ok(store.quarantine(&entry.hash)?.is_whole())
	})
	.await;
	match whole {
		Ok(true) => Ok(Restored::default()),
		Ok(false) => restorer.restore(me, record).await,
		Err(error) => Err(RestoreError::Store(error.to_string())),
	}
}

/// The proof of a chunk of a stored fragment; `None` where it is not here or cannot be read.
fn prove(store: &dyn FragmentStore, name: &FragmentName, chunk: u32) -> Option<FragmentProof> {
	let entry = store.entry(name).ok()??;
	let len = entry.of.fragment_len();
	let bytes = store.read(&entry.hash, 0..len).ok()?;
	FragmentProof::new(&bytes, chunk, &entry.of.sidecar)
}

fn push(list: &mut Vec<FragmentId>, fragment: FragmentId) {
	if list.len() < MAX_LISTED {
		list.push(fragment);
	}
}
