// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an engine does around its rules: the loop, the restorations, the comparison with the
//! chain. The rules are the engine's own.

use crate::{
	config::Sabotage,
	content::{Stored, WEIGHT},
	mirror::{Claim, restoring},
	net::{self, CONNECT_TIMEOUT, ROUND_TRIP},
	node::{Job, Presence, Stage, Transfer, time},
	truth::Cause,
	world::{Event, SLOT, World, each},
};
use pallet_planaria_restore::Orders;
use pallet_planaria_support::{Clock as _, Fragments as _, Standing};
use planaria_engine::{
	RestorePhase,
	logic::{
		self as sources, Attempt, Blame, Known, Patience, Source, Why, is_responsible, tries_for,
	},
};
use planaria_primitives::{
	FragmentId, FragmentName, FragmentProof, MinerId, Segment, SegmentId, Tick,
	mailbox::{Done, Healed, Job as Wish, JobKind, MAX_LISTED, ProofItem},
	sampling,
};
use planaria_runtime::{Clock, Files, Runtime, queries};
use planaria_runtime_api::{FileLife, FragmentRecord, SegmentClaim};
use planaria_worker::planner::{self, Budget, Candidate};
use std::collections::BTreeSet;

/// How many candidates a plan is made of, as in the engine.
const MAX_CANDIDATES: usize = 8 * MAX_LISTED;

fn id(name: &FragmentName) -> FragmentId {
	FragmentId { segment: SegmentId(name.file.0), index: name.index }
}

fn holder(record: &FragmentRecord) -> Option<MinerId> {
	record.holders.get(usize::from(record.name.index)).copied().flatten()
}

fn is_assigned(record: &FragmentRecord, me: MinerId) -> bool {
	matches!(record.state, FileLife::Pending | FileLife::Active)
		&& (holder(record) == Some(me) || record.claimed_by() == Some(me))
}

/// Whose a fragment is.
struct Assignment {
	alive: bool,
	holder: Option<MinerId>,
	confirmed: bool,
	restoring: bool,
	claimed_by: Option<MinerId>,
}

impl Assignment {
	fn new(fragment: FragmentId, segment: &Segment, alive: bool) -> Self {
		Self {
			alive,
			holder: segment.holder(fragment.index),
			confirmed: segment.is_confirmed(fragment.index),
			restoring: segment.is_restoring(fragment.index),
			claimed_by: None,
		}
	}

	/// With the claim of its order, if that has not expired.
	fn with_claim(self, claim: Option<(MinerId, Tick)>, now: Tick) -> Self {
		let live = claim.filter(|(_, deadline)| self.restoring && now <= *deadline);
		Self { claimed_by: live.map(|(by, _)| by), ..self }
	}

	fn is_held_by(&self, me: MinerId) -> bool {
		self.alive && self.holder == Some(me)
	}

	fn is_to(&self, me: MinerId) -> bool {
		self.alive && (self.holder == Some(me) || self.claimed_by == Some(me))
	}

	/// Whether who has it keeps it: what a lost segment was vacated of is the way back.
	fn is_kept_by(&self, me: MinerId) -> bool {
		self.is_to(me) || (self.alive && self.confirmed && self.holder.is_none())
	}
}

impl World {
	/// One look at everything; what comes of it is handed to the worker before it runs next.
	pub(crate) fn turn(&mut self, node: usize) {
		if !self.nodes[node].is_connected() {
			return;
		}
		if !self.nodes[node].taken {
			self.take_jobs(node);
		}
		if self.nodes[node].compare_at <= self.now {
			self.compare(node);
		}
		self.start_restores(node);
		self.discard(node);
		self.turned.insert(node);
		self.set_timer(node);
	}

	/// Hands what the engines have done to the workers.
	pub(crate) fn hand_over(&mut self) {
		for node in std::mem::take(&mut self.turned) {
			if self.nodes[node].is_connected() {
				let done = self.done(node);
				if self.nodes[node].done != done {
					self.watch_claims(node, &done);
					self.nodes[node].done = done;
					self.dirty.insert(node);
				}
			}
		}
	}

	/// The worker looks again when it does not wait any longer to declare ready what is restored.
	fn watch_claims(&mut self, node: usize, done: &Done) {
		let claims = done.restored.iter().filter_map(|fragment| self.mirror.claim(*fragment));
		let open = claims.filter(|claim| !claim.ready).map(|claim| claim.deadline);
		if let Some(deadline) = open.min() {
			let late = (deadline + self.claim_period / 8).saturating_sub(self.claim_period);
			if let Some(ticks) = late.checked_sub(self.tick).filter(|ticks| *ticks > 0) {
				self.at(self.now + u64::from(ticks) * SLOT - 1, Event::Worker(node));
			}
		}
	}

	fn set_timer(&mut self, node: usize) {
		let (now, life) = (self.now, self.nodes[node].life);
		let machine = &self.nodes[node];
		let retry = machine
			.needs
			.iter()
			.filter(|(_, need)| {
				matches!(need.phase, RestorePhase::Waiting | RestorePhase::GivenUp)
					&& need.at > time(now)
			})
			.map(|(_, need)| need.at.as_millis() as u64)
			.min();
		let grace = machine
			.foreign
			.next_due(self.config.engine.discard_after)
			.map(|due| due.as_millis() as u64 + 1000);
		let compare = (!machine.suspects.is_empty()).then_some(machine.compare_at);
		if let Some(at) = [retry, grace, compare].into_iter().flatten().min() {
			let at = at.max(now + 1000);
			if machine.timer <= now || at < machine.timer {
				self.nodes[node].timer = at;
				self.at(at, Event::Turn(node, life));
			}
		}
	}

	/// Reconciles what is being done with what the worker wants.
	fn take_jobs(&mut self, node: usize) {
		let now = time(self.now);
		let machine = &mut self.nodes[node];
		let me = machine.id;
		let Some(wanted) = machine.wanted.as_ref().filter(|wanted| wanted.miner == me) else {
			return;
		};
		let mut claimed = BTreeSet::new();
		let mut proofs = Vec::new();
		for job in &wanted.jobs {
			match *job {
				Wish::Known(JobKind::Restore { name, deadline, .. }) => {
					claimed.insert(name);
					machine.needs.need(name, Why::Claimed { deadline }, now);
				},
				Wish::Known(JobKind::Prove { fragment, chunk, .. }) => {
					let proof = machine.store.get(&fragment).and_then(|stored| {
						FragmentProof::new(&stored.bytes, chunk, &stored.sidecar)
					});
					proofs.extend(proof.map(|proof| ProofItem { fragment, chunk, proof }));
				},
				Wish::Unknown(_) => (),
			}
		}
		if machine.proofs != proofs {
			machine.proofs = proofs;
			self.dirty.insert(node);
		}
		let over: Vec<FragmentName> = self.nodes[node]
			.needs
			.iter()
			.filter(|(name, need)| need.why.is_claim() && !claimed.contains(*name))
			.map(|(name, _)| *name)
			.take(MAX_LISTED)
			.collect();
		self.nodes[node].taken = over.is_empty();
		for name in over {
			let assigned = self.finalized_assignment(id(&name));
			if assigned.is_none_or(|assigned| assigned.claimed_by != Some(me)) {
				let machine = &mut self.nodes[node];
				machine.needs.remove(&name);
				machine.jobs.remove(&name);
				if machine.store.contains_key(&id(&name)) {
					machine.suspects.insert(id(&name));
				}
			}
		}
	}

	/// Whose a fragment is on the best block.
	fn assignment(&self, fragment: FragmentId) -> Option<Assignment> {
		let (segment, alive) = self.mirror.known(fragment.segment)?;
		let assigned = Assignment::new(fragment, segment, alive);
		let claim = self.mirror.claim(fragment).map(|claim| (claim.by, claim.deadline));
		Some(assigned.with_claim(claim, self.tick))
	}

	/// What the runtime API says of a fragment on the best block, of what is known already.
	pub(crate) fn record(&self, name: FragmentName) -> Option<FragmentRecord> {
		let fragment = id(&name);
		let (segment, alive) = self.mirror.known(fragment.segment)?;
		let claim = |index| {
			let claim = self.mirror.claim(FragmentId { index, ..fragment })?;
			let Claim { by, deadline, ready } = claim;
			(self.tick <= deadline).then_some(SegmentClaim { index, by, deadline, ready })
		};
		Some(FragmentRecord {
			fragment,
			name,
			size: self.codec.spec().size(),
			coding: self.codec.spec().coding(),
			state: if alive { FileLife::Active } else { FileLife::Deleting },
			holders: (0..segment.fragments()).map(|index| segment.holder(index)).collect(),
			confirmed: segment.confirmed,
			restoring: segment.restoring,
			claims: restoring(segment).filter_map(claim).collect(),
			spare: self.mirror.spare(fragment.segment),
			verdict: self.mirror.verdict(fragment.segment).map(queries::verdict_status),
		})
	}

	/// Whose a fragment is on the last finalized block.
	fn finalized_assignment(&self, fragment: FragmentId) -> Option<Assignment> {
		if !self.chain.is_forked() {
			return self.assignment(fragment);
		}
		self.chain.finalized(|| {
			let info = Files::get(fragment.segment)?;
			let assigned = Assignment::new(fragment, &info.segment, info.state.is_alive());
			let claim = Orders::<Runtime>::get(fragment).and_then(|order| order.state.claim());
			Some(assigned.with_claim(claim, Clock::now()))
		})
	}

	/// Starts what has to be restored and is due.
	fn start_restores(&mut self, node: usize) {
		let due = self.nodes[node].needs.due(time(self.now), self.config.engine.copies);
		let me = self.nodes[node].id;
		for name in due {
			let record = self.record(name);
			let machine = &mut self.nodes[node];
			let Some(record) = record.filter(|record| is_assigned(record, me)) else {
				machine.needs.remove(&name);
				machine.taken = false;
				continue;
			};
			machine.needs.begin(&name);
			if machine.store.contains_key(&id(&name)) {
				machine.needs.succeeded(&name);
				machine.taken = false;
				continue;
			}
			let attempts = self.attempts(node, &record).into();
			let job = Job {
				record,
				attempts,
				stage: Stage::Copying { passed: false },
				others: Vec::new(),
				sources: Default::default(),
				running: Default::default(),
				got: Vec::new(),
				began: self.now,
			};
			let machine = &mut self.nodes[node];
			machine.jobs.insert(name, job);
			machine.expire_siblings(self.now, &self.config.engine);
			// This miner may have made it for others before it claimed it.
			match machine.siblings.remove(&id(&name)) {
				Some(made) => self.restored(node, name, made.stored),
				None => self.next_attempt(node, name),
			}
		}
	}

	/// What a miner is as a source, as the chain says.
	fn source(&self, miner: MinerId) -> Source {
		match self.mirror.standing(miner) {
			Some(Standing::Serving | Standing::Suspended) => Source::Serves,
			Some(Standing::Leaving { expelled: false }) => Source::Leaves,
			_ => Source::Gone,
		}
	}

	/// What to try, with what is known of everybody.
	fn attempts(&self, node: usize, record: &FragmentRecord) -> Vec<Attempt> {
		let (machine, now) = (&self.nodes[node], time(self.now));
		let avoided = |miner| machine.avoided.contains(miner, now);
		let holder = holder(record).map(|miner| (miner, self.source(miner), avoided(miner)));
		let patience = self.patience(node, record);
		let patient = |miner| machine.waits.is_patient(&record.name, miner, now, patience);
		sources::attempts(record, machine.id, holder, |miner| !avoided(miner), patient)
	}

	/// How long the claim can wait for others.
	fn patience(&self, node: usize, record: &FragmentRecord) -> Patience {
		let machine = &self.nodes[node];
		let claim = record.claim(record.name.index).filter(|claim| claim.by == machine.id);
		let Some(claim) = claim else { return Patience::NONE };
		let left = claim.deadline.saturating_sub(self.tick);
		let share = self.config.engine.wait_share;
		Patience::new(left, time(crate::world::SLOT), share, machine.decode)
	}

	/// Goes on to the next thing to try.
	fn next_attempt(&mut self, node: usize, name: FragmentName) {
		let now = self.now;
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		match job.attempts.pop_front() {
			Some(Attempt::Copy(from)) => {
				job.stage = Stage::Copying { passed: false };
				self.fetch(node, name, from, name.index);
			},
			Some(Attempt::Ask(from)) => {
				job.stage = Stage::Copying { passed: true };
				self.fetch(node, name, from, name.index);
			},
			Some(Attempt::Wait(on)) => self.wait(node, name, on),
			Some(Attempt::Rebuild) => {
				let record = job.record.clone();
				let me = self.nodes[node].id;
				let others = sources::wanted_by_others(&record, me, |miner| self.source(miner));
				let machine = &self.nodes[node];
				if !others.is_empty() && !machine.has_room_for(others.len(), &self.config.engine) {
					let patience = self.patience(node, &record);
					if machine.waits.is_patient(&name, me, time(now), patience) {
						self.wait(node, name, me);
						return;
					}
				}
				if let Some(job) = self.nodes[node].jobs.get_mut(&name) {
					job.others = others;
					job.stage = Stage::Waiting;
				}
				self.rebuild_next(node);
			},
			None => self.failed(node, name, "nobody has it".into()),
		}
	}

	/// The attempt is made again when another miner may have made the fragment.
	fn wait(&mut self, node: usize, name: FragmentName, on: MinerId) {
		let now = time(self.now);
		let machine = &mut self.nodes[node];
		machine.waits.wait(name, on, now);
		machine.jobs.remove(&name);
		machine.needs.postpone(&name, now + self.config.engine.poll_every);
		self.set_timer(node);
	}

	/// Begins to fetch a fragment of the segment of `name` from a miner.
	fn fetch(&mut self, node: usize, name: FragmentName, from: MinerId, index: u8) {
		let (source, now) = (from.0 as usize, self.now);
		let fragment = FragmentId { index, ..id(&name) };
		let config = &self.config.engine;
		let reached = self.nodes[node].reaches(&self.nodes[source]);
		self.nodes[source].expire_siblings(now, config);
		let mut transfer = Transfer {
			from,
			from_life: self.nodes[source].life,
			index,
			began: now,
			flows: None,
			ends: now + if reached { ROUND_TRIP } else { CONNECT_TIMEOUT },
			hopeless: false,
			slow: false,
		};
		if reached && self.nodes[source].has(fragment) {
			let (mut up, mut down) = (self.nodes[source].link, self.nodes[node].link);
			let (flows, ends) = net::schedule(&up, &down, now);
			let copies = self.nodes[node]
				.jobs
				.get(&name)
				.is_some_and(|job| matches!(job.stage, Stage::Copying { .. }));
			// A copy that crawls is broken off.
			transfer.hopeless = copies && WEIGHT * 1000 / (ends - now) < config.least_rate;
			if transfer.hopeless {
				transfer.ends = now + config.hedge_after.as_millis() as u64;
			} else {
				net::occupy(&mut up, &mut down, now);
				(self.nodes[source].link, self.nodes[node].link) = (up, down);
				(transfer.flows, transfer.ends) = (Some(flows), ends);
			}
		}
		self.transfers += 1;
		let number = self.transfers;
		let look =
			[config.hedge_after / 2, config.hedge_after].map(|after| after.as_millis() as u64);
		if let Some(job) = self.nodes[node].jobs.get_mut(&name) {
			job.running.insert(number, transfer);
			let gathering = job.stage == Stage::Gathering;
			self.at(transfer.ends, Event::Transfer(node, name, number));
			if gathering {
				for after in look.into_iter().filter(|after| now + after < transfer.ends) {
					self.at(now + after, Event::Hedge(node, name));
				}
			}
		}
	}

	/// A transfer is over.
	pub(crate) fn transferred(&mut self, node: usize, name: FragmentName, number: u64) {
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		let Some(transfer) = job.running.remove(&number) else { return };
		let stage = job.stage;
		let from = transfer.from;
		let fragment = FragmentId { index: transfer.index, ..id(&name) };
		let source = &self.nodes[from.0 as usize];
		let reached = self.nodes[node].reaches(source) && source.life == transfer.from_life;
		let flowed = transfer.flows.is_some();
		let served =
			(reached && flowed).then(|| self.nodes[from.0 as usize].serve(fragment)).flatten();
		let source_name = FragmentName { index: transfer.index, ..name };
		let lied = served.as_ref().is_some_and(|stored| !self.codec.verify(&source_name, stored));
		let blame = if lied {
			self.traffic.lies += 1;
			Some(Blame::Lied)
		} else if transfer.hopeless {
			Some(Blame::Slow)
		} else {
			(!reached).then_some(Blame::Unreachable)
		};
		let now = time(self.now);
		let machine = &mut self.nodes[node];
		match blame {
			Some(why) => machine.avoided.blame(from, why, now),
			None if served.is_some() => machine.avoided.served(from),
			None => (),
		}
		let right = served.filter(|_| !lied);
		if right.is_none() && flowed {
			self.traffic.wasted_bytes += WEIGHT;
		}
		match (stage, right) {
			(Stage::Copying { passed: false }, Some(stored)) => {
				self.traffic.copy_bytes += WEIGHT;
				self.durability.copied += 1;
				self.restored(node, name, stored);
			},
			(Stage::Copying { passed: true }, Some(stored)) => {
				self.traffic.passed_bytes += WEIGHT;
				self.durability.cooperated += 1;
				self.restored(node, name, stored);
			},
			(Stage::Copying { .. }, None) => self.next_attempt(node, name),
			(Stage::Gathering, Some(stored)) => {
				self.traffic.rebuild_bytes += WEIGHT;
				let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
				job.got.push((transfer.index, stored));
				if job.got.len() == usize::from(job.record.coding.data) {
					self.decode(node, name);
				} else {
					self.gather(node, name);
				}
			},
			(Stage::Gathering, None) => self.gather(node, name),
			(Stage::Waiting, _) => (),
		}
	}

	/// Begins to rebuild segments, as far as there is memory; one always is.
	fn rebuild_next(&mut self, node: usize) {
		loop {
			let (now, config) = (self.now, &self.config.engine);
			let machine = &self.nodes[node];
			let memory = |job: &Job| {
				let fragments = usize::from(job.record.coding.data) + 1 + job.others.len();
				(fragments as u64 * WEIGHT).min(config.rebuild_memory)
			};
			let gathering = machine.jobs.values().filter(|job| job.stage == Stage::Gathering);
			let used: u64 = gathering.map(memory).sum();
			let waiting = machine.jobs.iter().find(|(_, job)| job.stage == Stage::Waiting);
			let Some((name, job)) = waiting else { return };
			if used > 0 && used + memory(job) > config.rebuild_memory {
				return;
			}
			let (name, bad) = (*name, |miner| machine.avoided.contains(miner, time(now)));
			let sources = sources::siblings(&job.record, machine.id, bad, &mut self.rng);
			if let Some(job) = self.nodes[node].jobs.get_mut(&name) {
				job.stage = Stage::Gathering;
				job.sources = sources.into();
				job.began = now;
			}
			self.gather(node, name);
		}
	}

	/// Keeps as many transfers running as are needed, and a spare for each slow one.
	fn gather(&mut self, node: usize, name: FragmentName) {
		loop {
			let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
			let spares = job.running.values().filter(|transfer| transfer.slow).count();
			let needed = usize::from(job.record.coding.data) - job.got.len();
			if job.running.len() >= needed + spares {
				return;
			}
			let Some((index, from)) = job.sources.pop_front() else {
				if job.running.is_empty() {
					self.next_attempt(node, name);
				}
				return;
			};
			self.fetch(node, name, from, index);
		}
	}

	/// Looks whether a source is slow.
	pub(crate) fn hedge(&mut self, node: usize, name: FragmentName) {
		let (now, after) = (self.now, self.config.engine.hedge_after);
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		if job.stage != Stage::Gathering {
			return;
		}
		let best = job.running.values().map(|transfer| transfer.speed(now).rate()).max();
		for transfer in job.running.values_mut() {
			transfer.slow |= transfer.speed(now).is_slow(best.unwrap_or(0), after);
		}
		self.gather(node, name);
	}

	fn decode(&mut self, node: usize, name: FragmentName) {
		let (now, config) = (self.now, &self.config.engine);
		let Some(job) = self.nodes[node].jobs.get(&name) else { return };
		let Some(all) = self.codec.restore(&name, &job.got) else {
			// Each was verified and every file is a codeword.
			self.violation(format!("{name} does not decode from verified fragments"));
			return;
		};
		let (others, took) = (job.others.clone(), time(now - job.began));
		let slow: Vec<MinerId> =
			job.running.values().filter(|it| it.slow).map(|it| it.from).collect();
		let machine = &mut self.nodes[node];
		for miner in slow {
			machine.avoided.blame(miner, Blame::Slow, time(now));
		}
		machine.decode =
			if machine.decode.is_zero() { took } else { (machine.decode * 7 + took) / 8 };
		for index in others {
			let fragment = FragmentId { index, ..id(&name) };
			machine.keep(fragment, all[usize::from(index)].clone(), now, config);
		}
		self.durability.rebuilt += 1;
		self.restored(node, name, all[usize::from(name.index)].clone());
	}

	/// What a job read and does not need is wasted; the next may begin.
	fn end_job(&mut self, node: usize, name: FragmentName) {
		if let Some(job) = self.nodes[node].jobs.remove(&name) {
			for transfer in job.running.values() {
				self.traffic.wasted_bytes += transfer.speed(self.now).bytes.min(WEIGHT);
			}
		}
		self.rebuild_next(node);
	}

	fn restored(&mut self, node: usize, name: FragmentName, stored: Stored) {
		let fragment = id(&name);
		let machine = &mut self.nodes[node];
		let own = machine.needs.get(&name).is_some_and(|need| need.why == Why::Own);
		let keeps = self.config.sabotage != Some(Sabotage::EmptyReports) || own;
		if machine.store.insert(fragment, stored).is_none() {
			self.truth.added(fragment);
		}
		machine.needs.succeeded(&name);
		// It may have to be proven, or to be needed for a claim.
		machine.taken &= !own && !machine.is_to_prove(fragment);
		if own {
			self.durability.healed += 1;
			let me = machine.id;
			let holds = self.mirror.segment(fragment.segment);
			if holds.is_some_and(|segment| segment.holder(fragment.index) == Some(me)) {
				self.truth.repaired(fragment, self.now);
			}
		}
		if !keeps {
			self.forgotten.insert((node, fragment));
		}
		self.end_job(node, name);
		self.turn(node);
	}

	fn failed(&mut self, node: usize, name: FragmentName, error: String) {
		let now = time(self.now);
		self.nodes[node].needs.failed(&name, error, false, now);
		self.end_job(node, name);
		self.turn(node);
	}

	/// Compares what may differ between store and chain: what is here and assigned elsewhere, and
	/// what is assigned to this miner and not here.
	pub(crate) fn compare(&mut self, node: usize) {
		let me = self.nodes[node].id;
		let mut foreign = Vec::new();
		for fragment in self.nodes[node].suspects.clone() {
			let best = self.assignment(fragment);
			let mine = best.as_ref().is_some_and(|assigned| assigned.is_to(me));
			let stored = self.nodes[node].store.contains_key(&fragment);
			let name = self.name(fragment);
			if !stored {
				let owned =
					best.is_some_and(|assigned| assigned.is_held_by(me) && assigned.confirmed);
				if owned {
					self.nodes[node].needs.need(name, Why::Own, time(self.now));
				}
				self.nodes[node].suspects.remove(&fragment);
			} else if mine {
				self.nodes[node].suspects.remove(&fragment);
			} else if self.config.sabotage == Some(Sabotage::HastyDiscard) {
				self.give_up(node, fragment);
			} else {
				let finalized = self.finalized_assignment(fragment);
				if finalized.is_none_or(|assigned| !assigned.is_kept_by(me)) {
					foreign.push(name);
				}
			}
		}
		let now = self.now;
		let machine = &mut self.nodes[node];
		machine.foreign.compared(foreign, time(now));
		machine.compare_at = now + self.config.engine.compare_every.as_millis() as u64;
	}

	/// Gives up what was assigned elsewhere for long enough.
	fn discard(&mut self, node: usize) {
		let (now, grace) = (time(self.now), self.config.engine.discard_after);
		let me = self.nodes[node].id;
		for name in self.nodes[node].foreign.due(now, grace, MAX_LISTED) {
			let fragment = id(&name);
			let finalized = self.finalized_assignment(fragment);
			self.nodes[node].foreign.remove(&name);
			if finalized.is_some_and(|assigned| assigned.is_kept_by(me)) {
				continue;
			}
			self.give_up(node, fragment);
		}
	}

	fn give_up(&mut self, node: usize, fragment: FragmentId) {
		let name = self.name(fragment);
		let machine = &mut self.nodes[node];
		machine.suspects.remove(&fragment);
		if machine.store.remove(&fragment).is_some() {
			machine.needs.remove(&name);
			machine.jobs.remove(&name);
			machine.taken = false;
			self.truth.removed(fragment, Cause::Protocol);
		}
	}

	/// All that is done and that the chain may not know yet.
	fn done(&mut self, node: usize) -> Done {
		let me = self.nodes[node].id;
		let machine = &self.nodes[node];
		let (found, chores) = (machine.found.clone(), machine.done.chores.clone());
		let mut done = Done { found, chores, ..Done::default() };
		let needs: Vec<(FragmentName, Why, RestorePhase)> = self.nodes[node]
			.needs
			.iter()
			.filter(|(_, need)| matches!(need.phase, RestorePhase::Durable | RestorePhase::GivenUp))
			.map(|(name, need)| (*name, need.why, need.phase))
			.take(2 * MAX_LISTED)
			.collect();
		for (name, why, phase) in needs {
			let fragment = id(&name);
			let Some(assigned) = self.assignment(fragment) else { continue };
			let claimed = assigned.claimed_by == Some(me);
			let list = match (why, phase) {
				(Why::Claimed { .. }, RestorePhase::Durable) if claimed => &mut done.restored,
				(Why::Claimed { .. }, RestorePhase::GivenUp) if claimed => &mut done.hopeless,
				(Why::Own, RestorePhase::GivenUp) if assigned.holder == Some(me) => {
					self.nodes[node].opened.insert(name);
					&mut done.broken
				},
				_ => continue,
			};
			if list.len() < MAX_LISTED {
				list.push(fragment);
				if phase == RestorePhase::GivenUp {
					self.nodes[node].shelve(fragment.segment, self.now);
				}
			}
		}
		self.healed(node, &mut done);
		done
	}

	/// Own fragments that are whole again although their order is open: proofs to cancel it.
	fn healed(&mut self, node: usize, done: &mut Done) {
		let me = self.nodes[node].id;
		let at = self.height.saturating_sub(1);
		let whole: Vec<FragmentName> = self.nodes[node]
			.opened
			.iter()
			.filter(|name| self.nodes[node].needs.get(name).is_none())
			.copied()
			.take(MAX_LISTED)
			.collect();
		for name in whole {
			let fragment = id(&name);
			let open = self
				.assignment(fragment)
				.filter(|assigned| assigned.holder == Some(me) && assigned.restoring);
			let Some(assigned) = open else {
				self.nodes[node].opened.remove(&name);
				continue;
			};
			if assigned.claimed_by.is_some() || done.healed.len() == Done::MAX_HEALED {
				continue;
			}
			let seed = self.chain.best(|| queries::beacon(at));
			let (Some(seed), Some(stored)) = (seed, self.nodes[node].store.get(&fragment)) else {
				continue;
			};
			let chunk = sampling::chunk(&seed, &fragment, self.codec.spec().chunks(0));
			if let Some(proof) = FragmentProof::new(&stored.bytes, chunk, &stored.sidecar) {
				done.healed.push(Healed { fragment, at, proof });
			}
		}
	}

	/// Those look for work whose turn it is.
	pub(crate) fn find_work(&mut self) {
		if self.config.sabotage == Some(Sabotage::NoRestores) {
			return;
		}
		if self.mirror.is_idle() {
			// As every pass would.
			for node in self.nodes.iter_mut().filter(|node| !node.found.is_empty()) {
				node.found.clear();
				node.done.found.clear();
			}
			return;
		}
		let serving = u32::try_from(self.mirror.serving()).unwrap_or(u32::MAX);
		let looks = |node: &usize| {
			let machine = &self.nodes[*node];
			machine.is_connected() && machine.find_at <= self.now
		};
		let nodes: Vec<usize> = (0..self.nodes.len()).filter(looks).collect();
		for node in &nodes {
			self.review(*node);
			self.begin_to_find(*node, serving);
		}
		// What a miner plans does not depend on the others that do so now.
		let plans = each(&nodes, |node| self.plan(*node, serving));
		for (node, found) in nodes.into_iter().zip(plans) {
			self.nodes[node].planned = found.clone();
			if self.nodes[node].found != found {
				self.nodes[node].found = found;
				self.turn(node);
			}
		}
	}

	/// What became of the last plan.
	fn review(&mut self, node: usize) {
		let machine = &mut self.nodes[node];
		let (me, planned) = (machine.id, std::mem::take(&mut machine.planned));
		let (mut won, mut lost) = (0, 0);
		for fragment in planned {
			let holder =
				self.mirror.segment(fragment.segment).and_then(|s| s.holder(fragment.index));
			match self.mirror.claim(fragment) {
				Some(claim) if claim.by == me => won += 1,
				Some(_) => lost += 1,
				None => won += usize::from(holder == Some(me)),
			}
		}
		self.nodes[node].races.note(won, lost);
	}

	fn begin_to_find(&mut self, node: usize, serving: u32) {
		let every = self.config.engine.find_every.as_millis() as u64;
		let machine = &mut self.nodes[node];
		machine.find_at = self.now + every;
		machine.turns += 1;
		let me = machine.id;
		let of_mine = |class: &u8| is_responsible(*class, me, serving, 0);
		let classes = machine.classes.entry(serving);
		classes.or_insert_with(|| (0..=u8::MAX).filter(of_mine).collect());
	}

	fn plan(&self, node: usize, serving: u32) -> Vec<FragmentId> {
		let machine = &self.nodes[node];
		let me = machine.id;
		if !self.mirror.standing(me).is_some_and(|standing| standing.takes_data()) {
			return Vec::new();
		}
		let room = self.config.engine.max_claims.saturating_sub(machine.needs.claims());
		let committed = machine
			.needs
			.iter()
			.filter(|(_, need)| need.why.is_claim() && need.phase != RestorePhase::Durable)
			.count() as u64
			* WEIGHT * u64::from(self.config.coding.data);
		let period = u64::from(self.claim_period) * crate::world::SLOT;
		let rate = machine.link.down;
		let budget = Budget::new(room.min(machine.races.window()), rate, period, committed);
		if budget.claims == 0 || (budget.bytes < WEIGHT && !budget.idle) {
			return Vec::new();
		}
		let seed = planner::seed(me, machine.turns);
		let taken: BTreeSet<u64> = machine.needs.iter().map(|(name, _)| name.file.0).collect();
		let (now, shelved, store) = (self.now, &machine.shelved, &machine.store);
		let vacated = |fragment: FragmentId, segment: &Segment| {
			segment.holder(fragment.index).is_none() && store.contains_key(&fragment)
		};
		let is_new = |candidate: &&Candidate| {
			let id = candidate.fragment.segment;
			let segment = self.mirror.segment(id);
			let left_alone = shelved.get(&id).is_some_and(|(until, _)| now < *until);
			!taken.contains(&id.0)
				&& segment.is_some_and(|segment| {
					segment.index_of(me).is_none()
						&& (!left_alone || vacated(candidate.fragment, segment))
				})
		};
		let tries = |known: Known| move |candidate: &&Candidate| tries_for(candidate, known, seed);
		let Some(classes) = machine.classes.get(&serving) else { return Vec::new() };
		let held = classes.iter().flat_map(|class| self.mirror.held(usize::from(*class)));
		// A class is known to so many on average.
		let finders = serving * classes.len() as u32 / 256;
		let orders = self.mirror.orders().filter(tries(Known::ToAll(serving)));
		let held = held.filter(tries(Known::ToResponsible(finders)));
		let mut candidates: Vec<Candidate> = orders.chain(held).filter(is_new).copied().collect();
		planner::keep_best(&mut candidates, MAX_CANDIDATES, seed);
		planner::plan(candidates, budget, seed)
	}

	/// What was restored but not kept is gone once it was reported. Only in sabotaged runs.
	pub(crate) fn forget_reported(&mut self, node: usize, fragment: FragmentId) {
		if self.forgotten.remove(&(node, fragment))
			&& self.nodes[node].presence != Presence::Dead
			&& self.nodes[node].store.remove(&fragment).is_some()
		{
			self.nodes[node].taken = false;
			self.truth.removed(fragment, Cause::Protocol);
		}
	}
}
