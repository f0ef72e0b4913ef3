// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! One miner's machine: what it stores, what its engine and worker know.

use crate::{
	content::{Stored, WEIGHT},
	net::Link,
};
use planaria_engine::{
	EngineConfig,
	logic::{Attempt, Avoided, Foreign, Needs, Retry, Speed, Waits},
};
use planaria_primitives::{
	FragmentId, FragmentName, MinerId, SegmentId,
	mailbox::{Done, Job as Wish, JobKind, ProofItem, Wanted},
};
use planaria_runtime::AccountId;
use planaria_runtime_api::FragmentRecord;
use planaria_worker::{Memory, planner::Races};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

/// How long a segment is left alone the first time, in milliseconds; each further time twice as
/// long.
const SHELVED: u64 = 15 * 60 * 1000;

/// Whether a machine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
	/// It does.
	Up,
	/// It does not, but will.
	Down,
	/// It never will again.
	Dead,
}

/// How a miner lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
	/// The bytes are wrong.
	Bytes,
	/// What proves them is.
	Sidecar,
}

/// A transfer under way.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
	/// From whom.
	pub from: MinerId,
	/// Which restart of its machine it began in.
	pub from_life: u32,
	/// Which fragment of the segment.
	pub index: u8,
	/// When it was asked for.
	pub began: u64,
	/// When its bytes begin to come, if any do.
	pub flows: Option<u64>,
	/// When it is over.
	pub ends: u64,
	/// Whether it is given up because it would take too long.
	pub hopeless: bool,
	/// Whether a spare was asked for it.
	pub slow: bool,
}

impl Transfer {
	/// How fast it is.
	pub fn speed(&self, now: u64) -> Speed {
		let bytes = match self.flows {
			Some(from) if now > from => WEIGHT * (now - from) / (self.ends - from).max(1),
			_ => 0,
		};
		let elapsed = time(now - self.began);
		Speed { elapsed, still: if bytes == 0 { elapsed } else { Duration::ZERO }, bytes }
	}
}

/// What a restoration is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
	/// The fragment comes from its holder, or from a restorer that has made it.
	Copying {
		/// From a restorer.
		passed: bool,
	},
	/// There is no memory to rebuild another segment.
	Waiting,
	/// Others of the segment come from their holders.
	Gathering,
}

/// A restoration under way.
#[derive(Clone, Debug)]
pub struct Job {
	/// What the chain said when it began.
	pub record: FragmentRecord,
	/// What to try next.
	pub attempts: VecDeque<Attempt>,
	/// What it is at.
	pub stage: Stage,
	/// Which other fragments are made along with this one.
	pub others: Vec<u8>,
	/// Whom to ask next.
	pub sources: VecDeque<(u8, MinerId)>,
	/// What comes.
	pub running: BTreeMap<u64, Transfer>,
	/// What has come.
	pub got: Vec<(u8, Stored)>,
	/// When rebuilding began.
	pub began: u64,
}

/// A fragment made for others.
#[derive(Clone, Debug)]
pub struct Sibling {
	/// What was made.
	pub stored: Stored,
	/// When.
	pub since: u64,
	/// Whether somebody has fetched it.
	pub served: bool,
}

/// A miner's machine.
#[derive(Debug)]
pub struct Node {
	/// The miner.
	pub id: MinerId,
	/// Signs for its node.
	pub hot: AccountId,
	/// Owns it.
	pub stash: AccountId,
	/// Whether it runs.
	pub presence: Presence,
	/// When it runs again.
	pub up_at: u64,
	/// How often it was restarted.
	pub life: u32,
	/// Which part of a cut network it is in; 0 is the one with the chain.
	pub part: u32,
	/// Its line.
	pub link: Link,
	/// How it lies.
	pub lie: Option<Lie>,
	/// What is on its disk.
	pub store: BTreeMap<FragmentId, Stored>,

	/// What its worker remembers. Like the mailbox it outlives a restart.
	pub memory: Memory,
	/// What its worker wants.
	pub wanted: Option<Wanted>,
	/// What its engine has done.
	pub done: Done,
	/// And proven.
	pub proofs: Vec<ProofItem>,
	/// What is wanted was looked at, and nothing has changed since that would change what came of it.
	pub taken: bool,

	/// The engine's memory, from here on: gone with a restart.
	pub needs: Needs,
	/// What it gives up soon.
	pub foreign: Foreign,
	/// What may be assigned elsewhere, or missing here.
	pub suspects: BTreeSet<FragmentId>,
	/// Own fragments whose order was opened.
	pub opened: BTreeSet<FragmentName>,
	/// Whom it does not ask for a while.
	pub avoided: Avoided,
	/// Whom it waits for.
	pub waits: Waits,
	/// How long a rebuild takes.
	pub decode: Duration,
	/// What it made for others.
	pub siblings: BTreeMap<FragmentId, Sibling>,
	/// What it would restore.
	pub found: Vec<FragmentId>,
	/// What it planned last, to see what becomes of it.
	pub planned: Vec<FragmentId>,
	/// Segments it leaves alone until then, and how often it did.
	pub shelved: BTreeMap<SegmentId, (u64, u32)>,
	/// The classes it is responsible for, by how many miners serve.
	pub classes: BTreeMap<u32, Vec<u8>>,
	/// How its claims went.
	pub races: Races,
	/// What it restores.
	pub jobs: BTreeMap<FragmentName, Job>,
	/// When it looks for work again.
	pub find_at: u64,
	/// How often it has.
	pub turns: u64,
	/// When it compares its store with the chain again.
	pub compare_at: u64,
	/// When its worker runs at the latest.
	pub wake: u64,
	/// When its engine looks around at the latest.
	pub timer: u64,
}

impl Node {
	/// A machine that runs and stores nothing.
	pub fn new(
		id: MinerId,
		hot: AccountId,
		stash: AccountId,
		rate: u64,
		config: &EngineConfig,
	) -> Self {
		Self {
			id,
			hot,
			stash,
			presence: Presence::Up,
			up_at: 0,
			life: 0,
			part: 0,
			link: Link::new(rate),
			lie: None,
			store: BTreeMap::new(),
			memory: Memory::default(),
			wanted: None,
			done: Done::default(),
			proofs: Vec::new(),
			taken: false,
			needs: needs(config),
			foreign: Foreign::default(),
			suspects: BTreeSet::new(),
			opened: BTreeSet::new(),
			avoided: Avoided::default(),
			waits: Waits::default(),
			decode: Duration::ZERO,
			siblings: BTreeMap::new(),
			found: Vec::new(),
			planned: Vec::new(),
			shelved: BTreeMap::new(),
			classes: BTreeMap::new(),
			races: Races::default(),
			jobs: BTreeMap::new(),
			find_at: 0,
			turns: 0,
			compare_at: 0,
			wake: 0,
			timer: 0,
		}
	}

	/// Whether it sees the chain.
	pub fn is_connected(&self) -> bool {
		self.presence == Presence::Up && self.part == 0
	}

	/// Whether it and another machine reach each other.
	pub fn reaches(&self, other: &Self) -> bool {
		self.presence == Presence::Up && other.presence == Presence::Up && self.part == other.part
	}

	/// What was in memory is gone.
	pub fn forget(&mut self, now: u64, config: &EngineConfig) {
		self.life += 1;
		self.needs = needs(config);
		self.taken = false;
		self.foreign = Foreign::default();
		self.suspects.clear();
		self.opened.clear();
		self.avoided = Avoided::default();
		self.waits = Waits::default();
		self.decode = Duration::ZERO;
		self.siblings.clear();
		self.found.clear();
		self.planned.clear();
		self.shelved.clear();
		self.races = Races::default();
		self.jobs.clear();
		self.compare_at = now;
		self.find_at = now;
		self.timer = 0;
		(self.link.up_free, self.link.down_free) = (0, 0);
	}

	/// Leaves a segment alone for a while, as the finder does: a claim in it came to nothing.
	pub fn shelve(&mut self, segment: SegmentId, now: u64) {
		let (until, times) = self.shelved.entry(segment).or_default();
		if now >= *until {
			*until = now + (SHELVED << (*times).min(7));
			*times += 1;
		}
	}

	/// Whether it has a fragment to serve.
	pub fn has(&self, fragment: FragmentId) -> bool {
		self.store.contains_key(&fragment) || self.siblings.contains_key(&fragment)
	}

	/// Whether its worker wants a proof of the fragment.
	pub fn is_to_prove(&self, fragment: FragmentId) -> bool {
		let jobs = self.wanted.iter().flat_map(|wanted| &wanted.jobs);
		let mut proven = jobs.filter_map(|job| match job {
			Wish::Known(JobKind::Prove { fragment, .. }) => Some(*fragment),
			_ => None,
		});
		proven.any(|other| other == fragment)
	}

	/// What it answers when asked for a fragment.
	pub fn serve(&mut self, fragment: FragmentId) -> Option<Stored> {
		let made = self.siblings.get_mut(&fragment).map(|sibling| {
			sibling.served = true;
			&sibling.stored
		});
		let mut stored = self.store.get(&fragment).or(made)?.clone();
		match self.lie {
			None => (),
			Some(Lie::Bytes) => stored.bytes[7] ^= 0x20,
			Some(Lie::Sidecar) => stored.sidecar.0[0] ^= 1,
		}
		Some(stored)
	}

	/// Whether so many fragments can be kept for others without giving up what nobody has fetched.
	pub fn has_room_for(&self, count: usize, config: &EngineConfig) -> bool {
		let capacity = (config.siblings_memory / WEIGHT) as usize;
		let waiting = self.siblings.values().filter(|sibling| !sibling.served).count();
		waiting + count.min(capacity) <= capacity
	}

	/// Keeps a fragment for others.
	pub fn keep(&mut self, fragment: FragmentId, stored: Stored, now: u64, config: &EngineConfig) {
		let capacity = (config.siblings_memory / WEIGHT) as usize;
		while self.siblings.len() >= capacity {
			let oldest = self.siblings.iter().min_by_key(|(_, it)| (!it.served, it.since));
			let Some(oldest) = oldest.map(|(fragment, _)| *fragment) else { return };
			self.siblings.remove(&oldest);
		}
		self.siblings.insert(fragment, Sibling { stored, since: now, served: false });
	}

	/// What it made for others and is too old goes.
	pub fn expire_siblings(&mut self, now: u64, config: &EngineConfig) {
		let age = config.siblings_age.as_millis() as u64;
		self.siblings.retain(|_, sibling| sibling.since + age > now);
	}
}

fn needs(config: &EngineConfig) -> Needs {
	Needs::new(Retry {
		after: config.retry_after,
		attempts: config.attempts,
		again_after: config.heal_again_after,
	})
}

/// The engine's time.
pub fn time(millis: u64) -> Duration {
	Duration::from_millis(millis)
}
