// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! One miner's machine: what it stores, what its engine and worker know.

use crate::{content::Stored, net::Link};
use planaria_engine::EngineConfig;
use planaria_engine::logic::{Foreign, Needs, Retry};
use planaria_primitives::{
	FragmentId, FragmentName, MinerId,
	mailbox::{Done, ProofItem, Wanted},
};
use planaria_runtime::AccountId;
use planaria_runtime_api::FragmentRecord;
use planaria_worker::{Memory, planner::Races};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

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
	/// Whether the source is a restorer, not a holder.
	pub passed: bool,
	/// When it began.
	pub began: u64,
	/// When it is over.
	pub ends: u64,
	/// Whether bytes flow at all.
	pub flows: bool,
}

/// What a restoration is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
	/// The fragment comes from its holder.
	Copying,
	/// Another segment is being rebuilt.
	Waiting,
	/// Others of the segment come from their holders.
	Gathering,
}

/// A restoration under way.
#[derive(Clone, Debug)]
pub struct Job {
	/// What the chain said when it began.
	pub record: FragmentRecord,
	/// What it is at.
	pub stage: Stage,
	/// Whom to ask next.
	pub sources: VecDeque<(u8, MinerId)>,
	/// What comes.
	pub running: BTreeMap<u64, Transfer>,
	/// What has come.
	pub got: Vec<(u8, Stored)>,
	/// How many are to run at once.
	pub wanted: usize,
	/// When a slow source is joined by a spare one.
	pub hedge_at: u64,
	/// What it has read.
	pub read: u64,
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

	/// The engine's memory, from here on: gone with a restart.
	pub needs: Needs,
	/// What it gives up soon.
	pub foreign: Foreign,
	/// What may be assigned elsewhere, or missing here.
	pub suspects: BTreeSet<FragmentId>,
	/// Own fragments whose order was opened.
	pub opened: BTreeSet<FragmentName>,
	/// What it would restore.
	pub found: Vec<FragmentId>,
	/// What it planned last, to see what becomes of it.
	pub planned: Vec<FragmentId>,
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
			needs: needs(config),
			foreign: Foreign::default(),
			suspects: BTreeSet::new(),
			opened: BTreeSet::new(),
			found: Vec::new(),
			planned: Vec::new(),
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
		self.foreign = Foreign::default();
		self.suspects.clear();
		self.opened.clear();
		self.found.clear();
		self.planned.clear();
		self.races = Races::default();
		self.jobs.clear();
		self.compare_at = now;
		self.find_at = now;
		self.timer = 0;
		(self.link.up_free, self.link.down_free) = (0, 0);
	}

	/// What it answers when asked for a fragment.
	pub fn serve(&self, fragment: FragmentId) -> Option<Stored> {
		let mut stored = self.store.get(&fragment)?.clone();
		match self.lie {
			None => (),
			Some(Lie::Bytes) => stored.bytes[7] ^= 0x20,
			Some(Lie::Sidecar) => stored.sidecar.0[40] ^= 1,
		}
		Some(stored)
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
