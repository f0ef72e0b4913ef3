// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The loop that brings chain, mailbox, store and transfers together.
//!
//! One task owns all state. Whatever takes time runs in tasks of its own, which are joined here;
//! what happens elsewhere (a put, a damaged fragment) comes in as an [`Event`].

use crate::{
	chain::{At, Chain, ChainError},
	check::{
		self, Checker, CompareError, Compared, blocking, holder, is_assigned, is_kept,
		is_left_to_others, is_ordered, is_to_be_cancelled, is_unconfirmed,
	},
	config::EngineConfig,
	foreign::Foreign,
	gauge::Gauge,
	mailbox::{self, Mailbox, set_done, set_proofs},
	needs::{Need, Needs, Retry, Why},
	peers::Peers,
	report::Report,
	restore::{RestoreError, Restorer},
	search::{Able, Found, Search},
	siblings::Siblings,
	status::{
		CheckStatus, EngineStatus, RestorePhase, RestoreSource, RestoreStatus, Throttle, Totals,
	},
	throttle::{self, Limits},
};
use planaria_primitives::{
	FileSpec, FragmentHash, FragmentId, FragmentName, FragmentProof, MAX_FRAGMENT_LEN, MinerId,
	Tick,
	mailbox::{Done, Healed, Job, JobKind, MAX_LISTED, ProofItem},
	sampling,
};
use planaria_runtime_api::{FragmentRecord, MinerStanding, MinerStatus};
use planaria_store::{FragmentStore, FragmentStoreExt, Note};
use std::{
	collections::{BTreeMap, BTreeSet},
	num::NonZeroU64,
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::{mpsc, watch},
	task::JoinSet,
	time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// How often the loop looks around without being woken.
const IDLE: Duration = Duration::from_secs(1);

/// How often what was made for others is looked through.
const TIDY: Duration = Duration::from_secs(10);

/// Events taken at a time. Each comes from a transfer, and those are limited.
const MAX_EVENTS: usize = 1024;

/// Fragments that are read for a claim at most, as far as deadlines are reckoned with, while its
/// coding is not known: the `data` of `standard`.
const SOURCES: u64 = 4;

/// How many restorations are listed in the status.
const MAX_SHOWN: usize = 256;

/// Something happened outside the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
	/// A fragment is durable here, and may be unconfirmed.
	Stored(FragmentName),
	/// A fragment was found broken while it was served.
	Broken(FragmentName),
	/// A fragment could not be read when it was to be served.
	Unreadable(FragmentHash),
	/// Hash everything again, and compare it with the chain.
	Check,
	/// From now on this is the throttle.
	Throttle(Throttle),
}

/// Talks to a running engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
	events: mpsc::UnboundedSender<Event>,
	status: watch::Receiver<EngineStatus>,
	/// What was made for others, to be served beside the store.
	siblings: Arc<Siblings>,
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

	/// Sets how fast restorations and self-checks may go, from now on and after a restart.
	pub fn set_throttle(&self, throttle: Throttle) {
		self.send(Event::Throttle(throttle));
	}

	/// How fast restorations and self-checks may go.
	pub fn throttle(&self) -> Throttle {
		self.status.borrow().throttle
	}

	pub(crate) fn siblings(&self) -> &Siblings {
		&self.siblings
	}

	pub(crate) fn send(&self, event: Event) {
		// A stopped engine needs no events: it finds everything again when it starts.
		let _ = self.events.send(event);
	}
}

/// What a task comes to.
enum Outcome {
	Restored(FragmentName, Arc<Gauge>, Result<Option<RestoreSource>, RestoreError>),
	/// The proof, or which fragment is not good for it.
	Proved(FragmentId, u32, Result<FragmentProof, Option<FragmentHash>>),
	Found(Result<Found, ChainError>),
	Searched,
	Compared(Result<Compared, CompareError>),
	CheckStopped,
}

/// A proof that is asked for.
#[derive(Debug)]
enum Proof {
	/// It is being made.
	Making,
	/// Here it is.
	Made(FragmentProof),
	/// The fragment cannot be read; it is tried again then.
	Failed(Instant),
}

/// The engine of one miner.
#[derive(Debug)]
pub struct Engine {
	restorer: Restorer,
	mailbox: Arc<dyn Mailbox>,
	config: Arc<EngineConfig>,
	events: mpsc::UnboundedReceiver<Event>,
	/// For what the engine's own tasks find.
	sender: mpsc::UnboundedSender<Event>,
	publish: watch::Sender<EngineStatus>,
	checker: Arc<Checker>,
	throttle: Throttle,
	/// Bytes per second that what is claimed needs.
	needed: u64,
	limits: watch::Sender<Limits>,
	tasks: JoinSet<Outcome>,

	me: Option<MinerStatus>,
	/// When the engine started, from where the times of `needs` and `foreign` count.
	started: Instant,
	needs: Needs,
	/// What runs.
	running: BTreeMap<FragmentName, Arc<Gauge>>,
	report: Report,
	/// Durable here, but not confirmed in finalized state as far as is known.
	unconfirmed: BTreeSet<FragmentName>,
	/// Own fragments whose order was opened: to be cancelled if they are whole again.
	opened: BTreeSet<FragmentName>,
	/// The last own fragment that was told of as given up: more than can be told at once take turns.
	told: Option<FragmentName>,
	search: Option<Arc<Search>>,
	/// Whole here, and assigned to nobody since its segment was lost.
	vacated: Arc<BTreeSet<FragmentId>>,
	found: Found,
	/// Claims of which nothing came, as of the last turn.
	hopeless: BTreeSet<FragmentId>,
	/// Proofs that are asked for.
	proofs: BTreeMap<(FragmentId, u32), Proof>,
	foreign: Foreign,
	unknown_jobs: u64,
	totals: Totals,
	/// When what was made for others is looked through next.
	tidy_at: Instant,

	finding: bool,
	find_at: Instant,
	comparing: bool,
	compare_at: Instant,
	/// Fragments that the last comparison found missing.
	missing: u64,
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
		let throttle = throttle::start(&*store, &config);
		let (limits, checker_limits) = watch::channel(throttle.limits(config.copies, 0));
		peers.set_rate(limits.borrow().download);
		let checker = Checker::new(store.clone(), config.check_every, checker_limits);
		let restorer = Restorer::new(chain, store, peers, config.clone());
		let siblings = restorer.siblings.clone();
		let mut engine = Self {
			restorer,
			mailbox,
			events: received,
			sender: events.clone(),
			publish,
			checker,
			throttle,
			needed: 0,
			limits,
			tasks: JoinSet::new(),
			me: None,
			started: now,
			needs: Needs::new(Retry {
				after: config.retry_after,
				attempts: config.attempts,
				again_after: config.heal_again_after,
			}),
			running: BTreeMap::new(),
			report: Report::new(&config),
			tidy_at: now,
			unconfirmed: BTreeSet::new(),
			opened: BTreeSet::new(),
			told: None,
			search: None,
			vacated: Arc::default(),
			found: Found::default(),
			hopeless: BTreeSet::new(),
			proofs: BTreeMap::new(),
			foreign: Foreign::default(),
			unknown_jobs: 0,
			totals: Totals::default(),
			finding: false,
			find_at: now,
			comparing: false,
			compare_at: now,
			missing: 0,
			config,
		};
		engine.publish();
		(engine, EngineHandle { events, status, siblings })
	}

	/// Works until `stop` is cancelled; then lets what writes to the disk come to its end.
	pub async fn run(mut self, stop: CancellationToken) {
		let (checker, events) = (self.checker.clone(), self.sender.clone());
		let stop_check = stop.clone();
		self.tasks.spawn(async move {
			let broken = |name| {
				// It is received as long as the engine runs.
				let _ = events.send(Event::Broken(name));
			};
			checker.run(stop_check, broken).await;
			Outcome::CheckStopped
		});
		let mut heads = self.restorer.chain.heads();
		let rings = self.mailbox.rings();
		let mut idle = tokio::time::interval(IDLE);
		idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
		let mut batch = Vec::new();
		loop {
			tokio::select! {
				() = stop.cancelled() => break,
				() = self.report.due(!self.running.is_empty()) => {
					self.publish();
					continue;
				},
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
			self.report.changed();
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
			Event::Broken(name) => {
				let now = self.now();
				self.needs.lost(name, now);
			},
			Event::Unreadable(hash) => self.checker.suspect(hash),
			Event::Check => self.checker.check(),
			Event::Throttle(throttle) => self.set_throttle(throttle),
		}
	}

	fn set_throttle(&mut self, throttle: Throttle) {
		tracing::info!(?throttle, "the throttle is set");
		self.throttle = throttle;
		let store = self.restorer.store.clone();
		// Rarely, and only what a person does waits for it.
		if let Err(error) = store.set_note(Note::Throttle, &throttle.save()) {
			tracing::warn!(%error, "the throttle is not remembered after a restart");
		}
		self.set_limits();
	}

	/// What the claims that are not durable yet need to be in time. Those that cannot be are given
	/// up.
	async fn look_at_deadlines(&mut self) -> Result<(), ChainError> {
		self.needed = 0;
		let any = self.claimed_work().next().is_some();
		if any {
			let network = self.restorer.chain.network(At::Best).await?;
			let late = self.needs.give_up_late(network.tick, network.claim_period);
			if late > 0 {
				tracing::warn!(claims = late, "no time is left for what was claimed");
			}
			let left = |deadline: Tick| {
				let millis = u64::from(deadline.saturating_sub(network.tick)) * network.slot_millis;
				Duration::from_millis(millis)
			};
			let work = self.claimed_work().filter_map(|need| match need.why {
				Why::Claimed { deadline } => Some((left(deadline), bytes_to_read(need))),
				Why::Own => None,
			});
			self.needed = throttle::needed(work);
		}
		self.set_limits();
		Ok(())
	}

	/// What is claimed and not durable here yet.
	fn claimed_work(&self) -> impl Iterator<Item = &Need> {
		let open = |need: &&Need| {
			need.why.is_claim()
				&& matches!(need.phase, RestorePhase::Waiting | RestorePhase::Running)
		};
		self.needs.iter().map(|(_, need)| need).filter(open)
	}

	/// Makes the limits what throttle and deadlines come to.
	fn set_limits(&mut self) {
		let limits = self.throttle.limits(self.config.copies, self.needed);
		if *self.limits.borrow() == limits {
			return;
		}
		if self.limits.borrow().download != limits.download {
			self.restorer.peers.set_rate(limits.download);
		}
		self.limits.send_replace(limits);
	}

	fn need(&mut self, name: FragmentName, why: Why) {
		let now = self.now();
		self.needs.need(name, why, now);
	}

	/// How the network sees this miner. One that is not known does not leave.
	fn standing(&self) -> MinerStanding {
		self.me.as_ref().map_or(MinerStanding::Serving, |me| me.standing)
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
		self.look_at_deadlines().await?;
		self.start_restores(me).await?;
		self.start_surveys(me);
		let done = self.done(me).await?;
		let proofs: Vec<ProofItem> = self
			.proofs
			.iter()
			.filter_map(|((fragment, chunk), proof)| match proof {
				Proof::Made(proof) => {
					Some(ProofItem { fragment: *fragment, chunk: *chunk, proof: proof.clone() })
				},
				Proof::Making | Proof::Failed(_) => None,
			})
			.take(mailbox::MAX_PROOFS)
			.collect();
		set_proofs(&*self.mailbox, &proofs);
		set_done(&*self.mailbox, &done);
		self.tidy_siblings(me).await?;
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
					self.foreign.remove(&name);
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
		match self.proofs.get(&(fragment, chunk)) {
			Some(Proof::Failed(again)) if *again <= Instant::now() => (),
			Some(_) => return,
			None => (),
		}
		self.proofs.insert((fragment, chunk), Proof::Making);
		let store = self.restorer.store.clone();
		self.tasks.spawn(async move {
			let proof = blocking(&store, move |store| {
				let hash = || store.entry(&name).ok().flatten().map(|entry| entry.hash);
				Ok(prove(store, &name, chunk).ok_or_else(hash))
			});
			Outcome::Proved(fragment, chunk, proof.await.unwrap_or(Err(None)))
		});
	}

	/// Starts what has to be restored and is due, own fragments first.
	async fn start_restores(&mut self, me: MinerId) -> Result<(), ChainError> {
		let at_once = self.limits.borrow().restorations;
		let mut names = self.needs.due(self.now(), at_once);
		if self.checker.is_disk_failing() {
			// Own fragments may well be whole, and would be written to the same disk.
			names = self.needs.due(self.now(), usize::MAX);
			names.retain(|name| self.needs.get(name).is_some_and(|need| need.why.is_claim()));
			names.truncate(at_once.saturating_sub(self.needs.in_phase(RestorePhase::Running)));
		}
		let due = names.len();
		names.extend(self.needs.of_unknown_len(MAX_LISTED));
		if names.is_empty() {
			return Ok(());
		}
		let records = self.restorer.chain.locate(At::Best, names.clone()).await?;
		let standing = self.standing();
		for (place, (name, record)) in names.into_iter().zip(records).enumerate() {
			let own = self.needs.get(&name).is_some_and(|need| need.why == Why::Own);
			let wanted = |record: &FragmentRecord| {
				is_assigned(record, me) && !(own && is_left_to_others(record, standing))
			};
			let Some(record) = record.filter(wanted) else {
				if place < due {
					// Not on the best block (any more), or left to others: it is looked for again if
					// it comes back.
					self.needs.remove(&name);
				}
				continue;
			};
			if let Ok(spec) = FileSpec::new(record.size, record.coding) {
				self.needs.set_len(&name, spec.fragment_len(name.segment), spec.data());
			}
			if place >= due {
				continue;
			}
			self.needs.begin(&name);
			let gauge = Arc::new(Gauge::default());
			self.running.insert(name, gauge.clone());
			let restorer = self.restorer.clone();
			self.tasks.spawn(async move {
				let restored = restore_one(&restorer, me, &record, &gauge).await;
				Outcome::Restored(name, gauge, restored)
			});
		}
		Ok(())
	}

	/// Gives up what was made for others and nobody will ask for any more.
	async fn tidy_siblings(&mut self, me: MinerId) -> Result<(), ChainError> {
		if self.tidy_at > Instant::now() {
			return Ok(());
		}
		self.tidy_at = Instant::now() + TIDY;
		let needs = &self.needs;
		self.restorer.retain_waits(|name| needs.get(name).is_some());
		let siblings = &self.restorer.siblings;
		siblings.expire();
		for names in siblings.names().chunks(MAX_LISTED) {
			let records = self.restorer.chain.locate(At::Best, names.to_vec()).await?;
			for (name, record) in names.iter().zip(records) {
				// What this miner has claimed or needs itself it takes before long.
				let wanted = match record {
					_ if self.needs.get(name).is_some() => true,
					Some(record) if record.claimed_by() == Some(me) => true,
					Some(record) => self.restorer.is_wanted(me, &record).await?,
					None => false,
				};
				if !wanted {
					siblings.forget(name);
				}
			}
		}
		Ok(())
	}

	/// Starts looking for work, comparing and checking when these are due.
	fn start_surveys(&mut self, me: MinerId) {
		let now = Instant::now();
		let chain = self.restorer.chain.clone();
		let store = self.restorer.store.clone();
		if !self.finding && self.find_at <= now {
			self.finding = true;
			let (search, able, vacated) = (self.search(me), self.able(), self.vacated.clone());
			let (claimed, store) = (self.needs.claims(), store.clone());
			self.tasks.spawn(async move {
				let able = match able {
					Some(able) => with_room(able, claimed, &store).await,
					None => None,
				};
				Outcome::Found(search.look(able, vacated).await)
			});
		}
		if !self.comparing && self.compare_at <= now {
			self.comparing = true;
			let (standing, pause) = (self.standing(), self.limits.borrow().scan_pause);
			self.tasks.spawn(async move {
				Outcome::Compared(check::compare(&*chain, &store, me, standing, pause).await)
			});
		}
	}

	/// The search of this miner, which begins with its first look around.
	fn search(&mut self, me: MinerId) -> Arc<Search> {
		if let Some(search) = self.search.clone().filter(|search| search.me() == me) {
			return search;
		}
		let search = Arc::new(Search::new(me, &self.restorer, self.limits.subscribe()));
		let running = search.clone();
		self.tasks.spawn(async move {
			running.run().await;
			Outcome::Searched
		});
		self.search = Some(search.clone());
		search
	}

	/// What this miner can take on; `None` while it can take on nothing.
	fn able(&self) -> Option<Able> {
		let me = self.me.as_ref().filter(|me| me.standing == MinerStanding::Serving)?;
		let claims = self.config.max_claims.saturating_sub(self.needs.claims());
		if claims == 0 || me.declared <= me.held + me.reserved || self.checker.is_disk_failing() {
			return None;
		}
		let measured = NonZeroU64::new(self.report.read_rate());
		let rate = measured.map_or(self.config.assumed_rate, NonZeroU64::get);
		let allowed = self.limits.borrow().to_claim_by;
		Some(Able {
			claims,
			rate: allowed.map_or(rate, |allowed| rate.min(allowed.get())),
			committed: self.claimed_work().map(bytes_to_read).sum(),
		})
	}

	fn finished(&mut self, outcome: Outcome) {
		match outcome {
			Outcome::Searched => self.search = None,
			Outcome::Restored(name, gauge, result) => self.restored(name, &gauge, result),
			Outcome::Proved(fragment, chunk, proof) => {
				let proof = proof.map_or_else(
					|hash| {
						tracing::warn!(%fragment, "a fragment that is to be proven cannot be read");
						// The self-check finds out what is wrong.
						self.checker.doubt(hash);
						Proof::Failed(Instant::now() + self.config.retry_after)
					},
					Proof::Made,
				);
				self.proofs.entry((fragment, chunk)).and_modify(|slot| *slot = proof);
			},
			Outcome::Found(result) => {
				self.finding = false;
				self.find_at = Instant::now() + self.config.find_every;
				match result {
					Ok(found) => {
						self.totals.races_lost += found.lost;
						self.found = found;
					},
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
			Outcome::CheckStopped => tracing::debug!("the self-check stopped"),
		}
	}

	fn restored(
		&mut self,
		name: FragmentName,
		gauge: &Gauge,
		result: Result<Option<RestoreSource>, RestoreError>,
	) {
		self.running.remove(&name);
		let totals = &mut self.totals;
		totals.bytes_read += gauge.read.bytes();
		totals.bytes_cooperated += gauge.passed.bytes();
		totals.lies += gauge.lies();
		let now = self.started.elapsed();
		match result {
			Ok(source) => {
				let read = gauge.arrived();
				tracing::info!(%name, ?source, read, "restored");
				let len = self.needs.get(&name).and_then(|need| need.len).unwrap_or(0);
				if source.is_some() {
					totals.bytes_restored += u64::from(len);
				}
				match source {
					Some(RestoreSource::Copy) => totals.copied += 1,
					Some(RestoreSource::Cooperative) => totals.cooperated += 1,
					Some(RestoreSource::Rebuild) => totals.rebuilt += 1,
					None => (),
				}
				self.report.restored(name.file, len.into());
				self.needs.succeeded(&name);
			},
			Err(RestoreError::NotYet(restorer)) => {
				tracing::debug!(%name, %restorer, "waits for another restorer of its segment");
				self.needs.postpone(&name, now + self.config.poll_every);
			},
			Err(error @ RestoreError::Busy(_)) => {
				// Whoever writes it says nothing about this miner's own attempts.
				tracing::debug!(%name, %error, "waits");
				self.needs.postpone(&name, now + self.config.poll_every);
			},
			Err(error @ RestoreError::NoCodeword(_)) => {
				tracing::warn!(%name, %error, "what was stored cannot be restored");
				totals.declined += 1;
				self.needs.declined(&name, error.to_string(), now);
			},
			Err(error) => {
				let give_up = self.needs.failed(&name, error.to_string(), error.is_final(), now);
				tracing::warn!(%name, %error, give_up, "not restored");
			},
		}
	}

	fn compared(&mut self, compared: Compared) {
		if !compared.missing.is_empty() {
			tracing::warn!(missing = compared.missing.len(), "own fragments are not whole here");
		}
		self.missing = compared.missing.len() as u64;
		for name in compared.missing {
			self.need(name, Why::Own);
		}
		let ordered = compared.ordered.into_iter().filter(|name| self.opened.insert(*name));
		let ordered: Vec<_> = ordered.collect();
		if !ordered.is_empty() {
			// A proof failed, or this node was started again since. What is whole is found to be, and
			// its order cancelled.
			tracing::warn!(orders = ordered.len(), "orders are open for own fragments");
			self.checker.doubt(None);
			ordered.into_iter().for_each(|name| self.need(name, Why::Own));
		}
		self.unconfirmed.extend(compared.unconfirmed);
		self.vacated = Arc::new(compared.vacated);
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
		let Found { plan, chores, .. } = self.found.clone();
		let mut done = Done { found: plan, chores, ..Done::default() };
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

		// Claims come first, because they expire. Of own fragments a whole disk may be given up.
		let mut needs: Vec<(FragmentName, Why, RestorePhase)> = self
			.needs
			.iter()
			.filter(|(_, need)| need.why.is_claim() && !need.is_left())
			.map(|(name, need)| (*name, need.why, need.phase))
			.take(2 * MAX_LISTED)
			.collect();
		let room = MAX_LISTED.min(2 * MAX_LISTED - needs.len());
		let own = self.needs.given_up(self.told.as_ref(), room);
		self.told = own.last().copied().or(self.told);
		needs.extend(own.into_iter().map(|name| (name, Why::Own, RestorePhase::GivenUp)));
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
					(Why::Claimed { .. }, RestorePhase::Declined) if claimed => {
						push(&mut done.declined, record.fragment);
					},
					(Why::Own, RestorePhase::GivenUp) if holder(&record) == Some(me) => {
						self.opened.insert(name);
						// What has its order is not in the way of what has none.
						if !is_ordered(&record) {
							push(&mut done.broken, record.fragment);
						}
					},
					_ => (),
				}
			}
		}
		self.healed(me, &mut done).await?;
		let hopeless: BTreeSet<_> = done.hopeless.iter().chain(&done.declined).copied().collect();
		if let Some(search) = &self.search {
			for fragment in hopeless.difference(&self.hopeless) {
				search.shelve(fragment.segment).await?;
			}
		}
		self.hopeless = hopeless;
		Ok(done)
	}

	/// Own fragments that are whole again although an order is open that is not for others to take
	/// them: proofs to cancel it.
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
		let standing = self.standing();
		for (name, record) in whole.into_iter().zip(records) {
			let order = record.filter(|record| {
				holder(record) == Some(me) && is_to_be_cancelled(record, standing)
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
		let spec = FileSpec::new(record.size, record.coding).ok()?;
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
		// The reason is read once more, on both blocks, before anything is destroyed.
		let chain = self.restorer.chain.clone();
		let Ok(best) = chain.locate(At::Best, names.clone()).await else { return };
		let Ok(finalized) = chain.locate(At::Finalized, names.clone()).await else { return };
		for ((name, best), finalized) in names.into_iter().zip(best).zip(finalized) {
			self.foreign.remove(&name);
			if is_kept(best.as_ref(), me) || is_kept(finalized.as_ref(), me) {
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

	fn publish(&mut self) {
		let now = self.now();
		let mut totals = self.totals;
		for gauge in self.running.values() {
			totals.bytes_read += gauge.read.bytes();
			totals.bytes_cooperated += gauge.passed.bytes();
			totals.lies += gauge.lies();
		}
		let (progress, files) = self.report.progress(&self.needs, &self.running, &totals, now);
		let status = EngineStatus {
			miner: self.me.as_ref().map(|me| me.miner),
			unconfirmed: self.unconfirmed.len() as u64,
			restores: self
				.needs
				.iter()
				.take(MAX_SHOWN)
				.map(|(name, need)| {
					let gauge = self.running.get(name);
					RestoreStatus {
						name: *name,
						own: need.why == Why::Own,
						phase: need.phase,
						attempts: need.attempts,
						error: need.error.clone(),
						len: need.len.unwrap_or(0).into(),
						had: gauge.map_or(0, |gauge| gauge.had()),
						read: gauge.map_or(0, |gauge| gauge.arrived()),
						source: gauge.and_then(|gauge| gauge.source()),
					}
				})
				.collect(),
			found: self.found.plan.len() as u64,
			finder: self.search.as_ref().map(|search| search.status()).unwrap_or_default(),
			proofs: self.proofs.len() as u64,
			discarding: self.foreign.len() as u64,
			unknown_jobs: self.unknown_jobs,
			check: CheckStatus { missing: self.missing, ..self.checker.status() },
			throttle: self.throttle,
			progress,
			read_rate: self.report.read_rate(),
			files,
			totals,
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

/// Restores a fragment unless it is whole here already, as it is after a restart; says where it
/// came from.
async fn restore_one(
	restorer: &Restorer,
	me: MinerId,
	record: &FragmentRecord,
	gauge: &Gauge,
) -> Result<Option<RestoreSource>, RestoreError> {
	let name = record.name;
	let whole = blocking(&restorer.store, move |store| {
		let Some(entry) = store.entry(&name)?.filter(|entry| !entry.broken) else {
			return Ok(false);
		};
		Ok(store.quarantine(&entry.hash)?.is_whole())
	})
	.await;
	match whole {
		Ok(true) => Ok(None),
		Ok(false) => restorer.restore(me, record, gauge).await.map(Some),
		Err(error) => Err(RestoreError::Store(error.to_string())),
	}
}

/// What the miner can take on as far as its store has room, with `claimed` fragments still to come.
/// What the chain was told of may be more than the disk has.
async fn with_room(able: Able, claimed: usize, store: &Arc<dyn FragmentStore>) -> Option<Able> {
	let usage = match blocking(store, |store| store.usage()).await {
		Ok(usage) => usage,
		Err(error) => {
			tracing::debug!(%error, "claims nothing: the store does not say what room it has");
			return None;
		},
	};
	let room = usage.free().min(usage.free_on_disk) / u64::from(MAX_FRAGMENT_LEN);
	let room = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(claimed);
	(room > 0).then(|| Able { claims: able.claims.min(room), ..able })
}

/// How many bytes are read at most to restore it.
fn bytes_to_read(need: &Need) -> u64 {
	need.cost.unwrap_or(SOURCES * u64::from(MAX_FRAGMENT_LEN))
}

/// The proof of a chunk of a stored fragment; `None` where it is not here or cannot be read.
fn prove(store: &dyn FragmentStore, name: &FragmentName, chunk: u32) -> Option<FragmentProof> {
	let entry = store.entry(name).ok()??;
	let len = entry.of.fragment_len();
	let bytes = store.read(&entry.hash, 0..len).ok()?;
	let proof = FragmentProof::new(&bytes, chunk, &entry.of.sidecar)?;
	// What is wrong on the disk is not worth the fee for a wrong proof.
	let right =
		proof.verify(&name.file_id, &entry.of.spec, name.segment, name.index, chunk).is_ok();
	right.then_some(proof)
}

fn push(list: &mut Vec<FragmentId>, fragment: FragmentId) {
	if list.len() < MAX_LISTED {
		list.push(fragment);
	}
}
