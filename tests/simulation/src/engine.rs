// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an engine does around its rules: the loop, the restorations, the comparison with the
//! chain. The rules are the engine's own.

use crate::{
	config::Sabotage,
	content::{Stored, WEIGHT},
	mirror::CLASSES,
	net::{self, CONNECT_TIMEOUT, ROUND_TRIP},
	node::{Job, Presence, Stage, Transfer, time},
	truth::Cause,
	world::{Event, World},
};
use pallet_planaria_restore::Orders;
use planaria_engine::{
	RestorePhase,
	logic::{Why, siblings},
};
use planaria_primitives::{
	FragmentId, FragmentName, FragmentProof, MinerId, SegmentId,
	mailbox::{Done, Healed, Job as Wish, JobKind, MAX_LISTED, ProofItem},
	sampling,
	segment::bit,
};
use planaria_runtime::{Runtime, queries};
use planaria_runtime_api::{FileLife, FragmentRecord};
use planaria_worker::planner::{self, Budget, Candidate};
use std::collections::BTreeSet;

/// How many orders and fragments one pass of a finder looks at.
const MAX_CANDIDATES: usize = 1024;

/// On average so many miners look after each class.
const WATCHERS: u64 = 40;

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

/// What the chain says of a fragment. To be run on the chain's state.
fn record(fragment: FragmentId) -> Option<FragmentRecord> {
	queries::records(vec![fragment]).pop().flatten()
}

/// Whether a miner looks after a class, when the oldest target has waited `waited` times the
/// patience of the lazy.
fn looks_after(miner: MinerId, class: usize, miners: usize, doublings: u32) -> bool {
	let mut hasher = blake3::Hasher::new();
	hasher.update(&[u8::try_from(class).expect("256 classes; qed")]).update(&miner.0.to_le_bytes());
	let hash = hasher.finalize();
	let number = u32::from_le_bytes(hash.as_bytes()[..4].try_into().expect("four bytes; qed"));
	let share = (WATCHERS << doublings.min(16)) << 32;
	u64::from(number) * (miners.max(1) as u64) < share
}

impl World {
	/// One look at everything.
	pub(crate) fn turn(&mut self, node: usize) {
		if !self.nodes[node].is_connected() {
			return;
		}
		self.take_jobs(node);
		if self.nodes[node].compare_at <= self.now {
			self.compare(node);
		}
		self.start_restores(node);
		self.discard(node);
		let done = self.done(node);
		let machine = &mut self.nodes[node];
		if machine.done != done {
			machine.done = done;
			self.dirty.insert(node);
		}
		self.set_timer(node);
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
		let Some(wanted) = machine.wanted.clone().filter(|wanted| wanted.miner == me) else {
			return;
		};
		let mut claimed = BTreeSet::new();
		let mut proofs = Vec::new();
		for job in wanted.jobs {
			match job {
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
		for name in over {
			let record = self.chain.finalized(|| record(id(&name)));
			if record.is_none_or(|record| record.claimed_by() != Some(me)) {
				let machine = &mut self.nodes[node];
				machine.needs.remove(&name);
				machine.jobs.remove(&name);
				if machine.store.contains_key(&id(&name)) {
					machine.suspects.insert(id(&name));
				}
			}
		}
	}

	/// Starts what has to be restored and is due.
	fn start_restores(&mut self, node: usize) {
		let due = self.nodes[node].needs.due(time(self.now), self.config.engine.copies);
		let me = self.nodes[node].id;
		for name in due {
			let record = self.chain.best(|| record(id(&name)));
			let Some(record) = record.filter(|record| is_assigned(record, me)) else {
				self.nodes[node].needs.remove(&name);
				continue;
			};
			self.nodes[node].needs.begin(&name);
			if self.nodes[node].store.contains_key(&id(&name)) {
				self.nodes[node].needs.succeeded(&name);
				continue;
			}
			let source = holder(&record).filter(|holder| *holder != me);
			let stage = if source.is_some() { Stage::Copying } else { Stage::Waiting };
			let job = Job {
				record,
				stage,
				sources: Default::default(),
				running: Default::default(),
				got: Vec::new(),
				wanted: 1,
				hedge_at: u64::MAX,
				read: 0,
			};
			self.nodes[node].jobs.insert(name, job);
			match source {
				Some(holder) => self.fetch(node, name, holder, name.index, false),
				None => self.rebuild_next(node),
			}
		}
	}

	/// Begins to fetch a fragment of the segment of `name` from a miner.
	fn fetch(&mut self, node: usize, name: FragmentName, from: MinerId, index: u8, passed: bool) {
		let source = from.0 as usize;
		let fragment = FragmentId { index, ..id(&name) };
		let reached = self.nodes[node].reaches(&self.nodes[source]);
		let has = reached && self.nodes[source].store.contains_key(&fragment);
		let ends = if has {
			let mut up = self.nodes[source].link;
			let ends = net::transfer(&mut up, &mut self.nodes[node].link, self.now);
			self.nodes[source].link = up;
			ends
		} else if reached {
			self.now + ROUND_TRIP
		} else {
			self.now + CONNECT_TIMEOUT
		};
		let transfer = Transfer {
			from,
			from_life: self.nodes[source].life,
			index,
			passed,
			began: self.now,
			ends,
			flows: has,
		};
		self.transfers += 1;
		let number = self.transfers;
		if let Some(job) = self.nodes[node].jobs.get_mut(&name) {
			job.running.insert(number, transfer);
			self.at(ends, Event::Transfer(node, name, number));
		}
	}

	/// A transfer is over.
	pub(crate) fn transferred(&mut self, node: usize, name: FragmentName, number: u64) {
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		let Some(transfer) = job.running.remove(&number) else { return };
		let fragment = FragmentId { index: transfer.index, ..id(&name) };
		let source = &self.nodes[transfer.from.0 as usize];
		let reached = self.nodes[node].reaches(source) && source.life == transfer.from_life;
		let served = if reached && transfer.flows { source.serve(fragment) } else { None };
		let source_name = FragmentName { index: transfer.index, ..name };
		let right = served.filter(|stored| {
			let right = self.codec.verify(&source_name, stored);
			if !right {
				self.traffic.lies += 1;
			}
			right
		});
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		let bytes = if transfer.flows { WEIGHT } else { 0 };
		if right.is_none() {
			self.traffic.wasted_bytes += bytes;
		}
		match (job.stage, right) {
			(Stage::Copying, Some(stored)) => {
				self.traffic.copy_bytes += WEIGHT;
				self.durability.copied += 1;
				self.restored(node, name, stored);
			},
			(Stage::Copying | Stage::Waiting, _) => {
				job.stage = Stage::Waiting;
				self.rebuild_next(node);
			},
			(Stage::Gathering, Some(stored)) => {
				job.read += WEIGHT;
				if transfer.passed {
					self.traffic.passed_bytes += WEIGHT;
				} else {
					self.traffic.rebuild_bytes += WEIGHT;
				}
				job.got.push((transfer.index, stored));
				job.wanted = job.wanted.saturating_sub(1);
				if job.got.len() == usize::from(job.record.coding.data) {
					self.decode(node, name);
				} else {
					self.gather(node, name);
				}
			},
			(Stage::Gathering, None) => self.gather(node, name),
		}
	}

	/// Begins to rebuild the next segment, if none is being rebuilt.
	fn rebuild_next(&mut self, node: usize) {
		let machine = &mut self.nodes[node];
		if machine.jobs.values().any(|job| job.stage == Stage::Gathering) {
			return;
		}
		let me = machine.id;
		let waiting = machine.jobs.iter_mut().find(|(_, job)| job.stage == Stage::Waiting);
		let Some((name, job)) = waiting else { return };
		job.stage = Stage::Gathering;
		job.sources = siblings(&job.record, me, |_| false, &mut self.rng).into();
		job.wanted = usize::from(job.record.coding.data);
		let name = *name;
		self.gather(node, name);
	}

	/// Keeps as many transfers running as are wanted.
	fn gather(&mut self, node: usize, name: FragmentName) {
		loop {
			let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
			if job.running.len() >= job.wanted {
				break;
			}
			let Some((index, from)) = job.sources.pop_front() else { break };
			self.fetch(node, name, from, index, false);
		}
		let hedge_at = self.now + self.config.engine.hedge_after.as_millis() as u64;
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		if job.running.is_empty() {
			let got = job.got.len();
			self.failed(node, name, format!("only {got} fragments could be fetched"), false);
		} else if !job.sources.is_empty() {
			job.hedge_at = hedge_at;
			self.at(hedge_at, Event::Hedge(node, name));
		}
	}

	/// A slow source is joined by a spare one.
	pub(crate) fn hedge(&mut self, node: usize, name: FragmentName) {
		let now = self.now;
		let Some(job) = self.nodes[node].jobs.get_mut(&name) else { return };
		if job.stage == Stage::Gathering && job.hedge_at == now {
			job.wanted += 1;
			self.gather(node, name);
		}
	}

	fn decode(&mut self, node: usize, name: FragmentName) {
		let Some(job) = self.nodes[node].jobs.get(&name) else { return };
		let restored = self.codec.restore(&name, &job.got);
		match restored.and_then(|all| all.into_iter().nth(usize::from(name.index))) {
			Some(stored) => self.restored(node, name, stored),
			None => self.failed(node, name, "the others do not decode to the file".into(), true),
		}
	}

	/// What a job read and does not need is wasted; the next may begin.
	fn end_job(&mut self, node: usize, name: FragmentName) {
		if let Some(job) = self.nodes[node].jobs.remove(&name) {
			for transfer in job.running.values().filter(|transfer| transfer.flows) {
				let (whole, part) =
					((transfer.ends - transfer.began).max(1), self.now - transfer.began);
				self.traffic.wasted_bytes += WEIGHT * part / whole;
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

	fn failed(&mut self, node: usize, name: FragmentName, error: String, pointless: bool) {
		let now = time(self.now);
		self.nodes[node].needs.failed(&name, error, pointless, now);
		self.end_job(node, name);
		self.turn(node);
	}

	/// Compares what may differ between store and chain: what is here and assigned elsewhere, and
	/// what is assigned to this miner and not here.
	pub(crate) fn compare(&mut self, node: usize) {
		let me = self.nodes[node].id;
		let mut foreign = Vec::new();
		for fragment in self.nodes[node].suspects.clone() {
			let best = self.chain.best(|| record(fragment));
			let mine = best.as_ref().is_some_and(|record| is_assigned(record, me));
			let stored = self.nodes[node].store.contains_key(&fragment);
			let name = self.name(fragment);
			if !stored {
				let owned = best.as_ref().is_some_and(|record| {
					holder(record) == Some(me)
						&& record.confirmed & bit(fragment.index) != 0
						&& matches!(record.state, FileLife::Pending | FileLife::Active)
				});
				if owned {
					self.nodes[node].needs.need(name, Why::Own, time(self.now));
				}
				self.nodes[node].suspects.remove(&fragment);
			} else if mine {
				self.nodes[node].suspects.remove(&fragment);
			} else if self.config.sabotage == Some(Sabotage::HastyDiscard) {
				self.give_up(node, fragment);
			} else {
				let finalized = self.chain.finalized(|| record(fragment));
				if finalized.is_none_or(|record| !is_assigned(&record, me)) {
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
			let finalized = self.chain.finalized(|| record(fragment));
			self.nodes[node].foreign.remove(&name);
			if finalized.is_some_and(|record| is_assigned(&record, me)) {
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
			let Some(record) = self.chain.best(|| record(fragment)) else { continue };
			let claimed = record.claimed_by() == Some(me);
			let list = match (why, phase) {
				(Why::Claimed { .. }, RestorePhase::Durable) if claimed => &mut done.restored,
				(Why::Claimed { .. }, RestorePhase::GivenUp) if claimed => &mut done.hopeless,
				(Why::Own, RestorePhase::GivenUp) if holder(&record) == Some(me) => {
					self.nodes[node].opened.insert(name);
					&mut done.broken
				},
				_ => continue,
			};
			if list.len() < MAX_LISTED {
				list.push(fragment);
			}
		}
		self.healed(node, &mut done);
		done
	}

	/// Own fragments that are whole again although their order is open: proofs to cancel it.
	fn healed(&mut self, node: usize, done: &mut Done) {
		let me = self.nodes[node].id;
		let at = self.chain.height().saturating_sub(1);
		let whole: Vec<FragmentName> = self.nodes[node]
			.opened
			.iter()
			.filter(|name| self.nodes[node].needs.get(name).is_none())
			.copied()
			.take(MAX_LISTED)
			.collect();
		for name in whole {
			let fragment = id(&name);
			let (record, seed) = self.chain.best(|| (record(fragment), queries::beacon(at)));
			let open = record.filter(|record| {
				holder(record) == Some(me) && record.restoring & bit(name.index) != 0
			});
			let Some(record) = open else {
				self.nodes[node].opened.remove(&name);
				continue;
			};
			if record.claimed_by().is_some() || done.healed.len() == Done::MAX_HEALED {
				continue;
			}
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
		let serving = self.mirror.serving();
		for node in 0..self.nodes.len() {
			let machine = &self.nodes[node];
			if machine.is_connected() && machine.find_at <= self.now {
				self.find(node, serving);
			}
		}
	}

	/// What became of the last plan.
	fn review(&mut self, node: usize) {
		let machine = &mut self.nodes[node];
		let (me, planned) = (machine.id, std::mem::take(&mut machine.planned));
		let (mut won, mut lost) = (0, 0);
		let orders = self.chain.best(|| {
			planned.iter().map(|fragment| Orders::<Runtime>::get(*fragment)).collect::<Vec<_>>()
		});
		for (fragment, order) in planned.into_iter().zip(orders) {
			let holder =
				self.mirror.segment(fragment.segment).and_then(|s| s.holder(fragment.index));
			match order.and_then(|order| order.state.claim()) {
				Some((by, _)) if by == me => won += 1,
				Some(_) => lost += 1,
				None => won += usize::from(holder == Some(me)),
			}
		}
		self.nodes[node].races.note(won, lost);
	}

	fn find(&mut self, node: usize, serving: usize) {
		self.review(node);
		let every = self.config.engine.find_every.as_millis() as u64;
		let machine = &mut self.nodes[node];
		machine.find_at = self.now + every;
		machine.turns += 1;
		let me = machine.id;
		if !self.mirror.standing(me).is_some_and(|standing| standing.takes_data()) {
			return;
		}
		let claims = machine.needs.claims();
		let room = self.config.engine.max_claims.saturating_sub(claims);
		if room == 0 {
			return;
		}
		let committed = machine
			.needs
			.iter()
			.filter(|(_, need)| need.why.is_claim() && need.phase != RestorePhase::Durable)
			.count() as u64
			* WEIGHT * u64::from(self.config.coding.data);
		let period = u64::from(self.claim_period) * crate::world::SLOT;
		let rate = machine.link.down;
		let budget = Budget::new(room.min(machine.races.window()), rate, period, committed);
		let seed = planner::seed(me, machine.turns);
		let start =
			FragmentId { segment: SegmentId(seed % u64::from(self.config.segments)), index: 0 };
		let taken: BTreeSet<u64> = machine.needs.iter().map(|(name, _)| name.file.0).collect();
		let mine = |candidate: &&Candidate| {
			let id = candidate.fragment.segment;
			let segment = self.mirror.segment(id);
			!taken.contains(&id.0) && segment.is_some_and(|segment| segment.index_of(me).is_none())
		};
		let mut candidates: Vec<Candidate> =
			self.mirror.orders(start).take(MAX_CANDIDATES).filter(mine).copied().collect();
		for class in 0..CLASSES {
			if looks_after(me, class, serving, 0) {
				candidates.extend(self.mirror.held(class).filter(mine).copied());
			}
		}
		let found = planner::plan(candidates, budget, seed);
		self.nodes[node].planned = found.clone();
		if self.nodes[node].found != found {
			self.nodes[node].found = found;
			self.turn(node);
		}
	}

	/// What was restored but not kept is gone once it was reported. Only in sabotaged runs.
	pub(crate) fn forget_reported(&mut self, node: usize, fragment: FragmentId) {
		if self.forgotten.remove(&(node, fragment))
			&& self.nodes[node].presence != Presence::Dead
			&& self.nodes[node].store.remove(&fragment).is_some()
		{
			self.truth.removed(fragment, Cause::Protocol);
		}
	}
}
