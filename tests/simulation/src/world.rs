// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The network: the chain, the machines, and time.
//!
//! Time goes from one event to the next. At every slot there is a block, after which the workers of
//! those miners run for whom something changed: for the others they would come to the same as
//! before.

use crate::{
	chain::{Block, Chain, Tx},
	config::{Config, Fault, Sabotage},
	content::{Codec, WEIGHT},
	faults::{self, Mishap},
	mirror::{CLASSES, Mirror, Reading},
	node::{Node, Presence},
	report::{ChainUse, Durability, Orders, Report, Times, Traffic},
	truth::{Cause, Truth},
	view::View,
};
use anyhow::{Context, Result, ensure};
use codec::{Decode, Encode};
use frame_support::{BoundedVec, traits::PalletInfoAccess};
use pallet_planaria_audit as audit;
use pallet_planaria_files::{self as files, Placement};
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_support::Standing;
use planaria_primitives::{
	FileId, FileIndex, FragmentId, FragmentName, MinerId, PlacementRule, SegmentId,
	duty::registration_bytes,
	mailbox::{Chore, Done, Healed},
};
use planaria_runtime::{
	AccountId, Runtime, RuntimeCall, RuntimeEvent, System, currency::UNIT, queries,
};
use planaria_worker::{RESUBMIT, Step, Submit, step};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sp_core::{Pair, ed25519, sr25519};
use sp_runtime::DispatchError;
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Instant,
};

/// How long a slot lasts, in milliseconds.
pub const SLOT: u64 = 6_000;

/// How many files are ordered in one block of the setup.
const FILES_PER_BLOCK: u64 = 64;

/// How many blocks behind the best one a duty is anchored.
const ANCHOR_DEPTH: u32 = 3;

/// How many violations are listed.
const MAX_LISTED: usize = 20;

/// Something that happens at a time.
#[derive(Clone, Debug)]
pub enum Event {
	/// Something goes wrong.
	Mishap(Fault, Mishap),
	/// A machine runs again.
	Rejoin(usize),
	/// Machines that were cut off are no longer.
	Heal(Vec<usize>, u32),
	/// The losing branch is given up.
	Reorg,
	/// The worker runs after the next block, whatever happened.
	Worker(usize),
	/// The engine looks around.
	Turn(usize, u32),
	/// A transfer is over.
	Transfer(usize, FragmentName, u64),
	/// A transfer may be slow.
	Hedge(usize, FragmentName),
}

/// What a run of a worker comes to.
struct WorkerRun {
	step: Step,
	/// In how many ticks it has to say that the miner is there; at least 1.
	alive_in: Option<u32>,
	/// Where its duties are anchored.
	anchor: u32,
}

/// The network.
#[derive(Debug)]
pub struct World {
	pub(crate) config: Config,
	pub(crate) codec: Codec,
	pub(crate) chain: Chain,
	pub(crate) mirror: Mirror,
	pub(crate) truth: Truth,
	pub(crate) nodes: Vec<Node>,
	pub(crate) ids: Vec<FileId>,
	pub(crate) rng: ChaCha8Rng,
	pub(crate) now: u64,
	pub(crate) traffic: Traffic,
	pub(crate) durability: Durability,
	pub(crate) orders: Orders,
	usage: ChainUse,
	queue: BTreeMap<(u64, u64), Event>,
	queued: u64,
	/// Whose workers run after the next block.
	pub(crate) dirty: BTreeSet<usize>,
	/// Whose engines look around next, because what their workers want has changed.
	turns: Vec<usize>,
	/// Whose engines have looked around since their workers ran.
	pub(crate) turned: BTreeSet<usize>,
	touched_on_fork: BTreeSet<SegmentId>,
	touched_miners_on_fork: BTreeSet<MinerId>,
	opened: BTreeMap<FragmentId, u64>,
	open_times: Vec<u64>,
	faults: BTreeMap<String, u64>,
	violations: Vec<String>,
	digest: blake3::Hasher,
	parts: u32,
	begun: u64,
	chores: Vec<Chore>,
	pub(crate) transfers: u64,
	pub(crate) claim_period: u32,
	/// The best block's tick.
	pub(crate) tick: u32,
	/// Its height.
	pub(crate) height: u32,
	/// Restored and not kept, in a sabotaged run.
	pub(crate) forgotten: BTreeSet<(usize, FragmentId)>,
}

/// Runs the simulation.
pub fn run(config: &Config) -> Result<Report> {
	config.check()?;
	let threads = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build()?;
	let begun = Instant::now();
	let report = threads.install(|| {
		let mut world = World::new(config.clone())?;
		world.live();
		world.finish();
		anyhow::Ok(world.report())
	})?;
	let cpu_secs = threads.broadcast(|_| cpu_time()).into_iter().sum();
	Ok(Report { cpu_secs, wall_secs: begun.elapsed().as_secs_f64(), ..report })
}

/// What `f` makes of each item, in the same order, by all threads of the run.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
	/// How few are not worth waking another thread for.
	const FEW: usize = 8;
	if items.len() <= FEW || rayon::current_num_threads() == 1 {
		items.iter().map(f).collect()
	} else {
		items.par_iter().with_min_len(FEW / 2).map(f).collect()
	}
}

/// How long this thread has been running on a core, in seconds, where the system tells.
fn cpu_time() -> Option<f64> {
	let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
	Some(stat.split(' ').next()?.parse::<u64>().ok()? as f64 / 1e9)
}

fn owner() -> AccountId {
	AccountId::new([0xf0; 32])
}

fn hot_pair(miner: u32) -> sr25519::Pair {
	sr25519::Pair::from_seed(blake3::hash(&(b"hot", miner).encode()).as_bytes())
}

fn stash(miner: u32) -> AccountId {
	AccountId::new(*blake3::hash(&(b"stash", miner).encode()).as_bytes())
}

impl World {
	/// A network with everything stored.
	pub fn new(config: Config) -> Result<Self> {
		let codec = Codec::new(config.coding)?;
		let mut balances = vec![(owner(), 1_000_000_000 * UNIT)];
		for miner in 0..config.miners {
			balances.push((stash(miner), 1_000_000 * UNIT));
			balances.push((hot_pair(miner).public().into(), 1_000 * UNIT));
		}
		let chain = Chain::new(config.seed, balances)?;
		let nodes = (0..config.miners)
			.map(|miner| {
				let hot = hot_pair(miner).public().into();
				Node::new(MinerId(miner), hot, stash(miner), config.bandwidth, &config.engine)
			})
			.collect();
		let (data, fragments) = (config.coding.data, config.coding.fragments());
		let len = u32::try_from(WEIGHT).expect("8 MiB; qed");
		let mut world = Self {
			mirror: Mirror::new(config.coding, len, config.engine.lazy_max),
			truth: Truth::new(data, fragments, config.segments),
			rng: ChaCha8Rng::seed_from_u64(config.seed ^ 0x51_6d),
			chain,
			codec,
			nodes,
			ids: Vec::new(),
			now: 0,
			traffic: Traffic::default(),
			durability: Durability::default(),
			orders: Orders::default(),
			usage: ChainUse::default(),
			queue: BTreeMap::new(),
			queued: 0,
			dirty: BTreeSet::new(),
			turns: Vec::new(),
			turned: BTreeSet::new(),
			touched_on_fork: BTreeSet::new(),
			touched_miners_on_fork: BTreeSet::new(),
			opened: BTreeMap::new(),
			open_times: Vec::new(),
			faults: BTreeMap::new(),
			violations: Vec::new(),
			digest: blake3::Hasher::new(),
			parts: 0,
			begun: 0,
			chores: Vec::new(),
			transfers: 0,
			claim_period: Chain::restore_params().claim_period,
			tick: 0,
			height: 0,
			forgotten: BTreeSet::new(),
			config,
		};
		world.register_miners()?;
		world.store_files()?;
		Ok(world)
	}

	fn register_miners(&mut self) -> Result<()> {
		self.chain.next_block();
		let genesis = self.chain.best(|| System::block_hash(0));
		for miner in 0..self.config.miners {
			let stash = stash(miner);
			let bytes = registration_bytes(&genesis.0, stash.as_ref());
			let hot = hot_pair(miner);
			let seed = blake3::hash(&(b"endpoint", miner).encode());
			let endpoint = ed25519::Pair::from_seed(seed.as_bytes());
			let call = miners::Call::<Runtime>::register {
				hot_key: hot.public(),
				hot_proof: hot.sign(&bytes),
				endpoint: miners::Endpoint { key: endpoint.public().0, addrs: Default::default() },
				endpoint_proof: endpoint.sign(&bytes),
				declared: 1 << 40,
				payee: stash.clone(),
				collateral: 10_000 * UNIT,
			};
			self.chain.apply(stash, call).with_context(|| format!("registering miner {miner}"))?;
		}
		Ok(())
	}

	/// Orders, places and confirms every file, the bytes lying with their holders.
	fn store_files(&mut self) -> Result<()> {
		let mut unconfirmed: Vec<Vec<FragmentId>> = vec![Vec::new(); self.nodes.len()];
		let all: Vec<u64> = (0..self.config.segments.into()).collect();
		let (seed, codec) = (self.config.seed, self.codec.clone());
		let files = all.chunks(FILES_PER_BLOCK as usize);
		let files = files.flat_map(|numbers| each(numbers, |number| codec.file(seed, *number)));
		for (number, (id, fragments)) in (0..).zip(files) {
			self.ids.push(id);
			let spec = *self.codec.spec();
			let order = files::Call::<Runtime>::order {
				id,
				size: spec.size(),
				coding: spec.coding(),
				label: Default::default(),
				payer: None,
				placement: PlacementRule::Chosen,
			};
			self.chain.apply(owner(), order).context("ordering a file")?;
			let holders =
				rand::seq::index::sample(&mut self.rng, self.nodes.len(), fragments.len());
			let miners: Vec<MinerId> = holders.iter().map(|node| self.nodes[node].id).collect();
			let placements = vec![Placement::Chosen(BoundedVec::truncate_from(miners))];
			let place = files::Call::<Runtime>::place {
				file: FileIndex(number),
				first: 0,
				placements: BoundedVec::truncate_from(placements),
			};
			self.chain.apply(owner(), place).context("placing a file")?;
			for ((index, node), stored) in (0..).zip(holders.iter()).zip(fragments) {
				let fragment = FragmentId { segment: SegmentId(number), index };
				self.nodes[node].store.insert(fragment, stored);
				self.truth.added(fragment);
				unconfirmed[node].push(fragment);
				if unconfirmed[node].len() == 128 {
					self.confirm(node, std::mem::take(&mut unconfirmed[node]))?;
				}
			}
			if number % FILES_PER_BLOCK == FILES_PER_BLOCK - 1 {
				self.chain.next_block();
			}
		}
		for (node, fragments) in unconfirmed.into_iter().enumerate() {
			if !fragments.is_empty() {
				self.confirm(node, fragments)?;
			}
		}
		self.durability.segments = self.config.segments.into();
		self.now = u64::from(self.chain.height()) * SLOT;
		self.begun = self.now;
		self.note_time();
		let segments = (0..self.config.segments.into()).map(SegmentId).collect();
		let miners = self.nodes.iter().map(|node| node.id).collect();
		self.refresh(&miners, segments);
		let whole = u32::from(self.config.coding.fragments());
		ensure!(
			self.mirror.segments().all(|(_, segment)| segment.confirmed.count_ones() == whole),
			"not everything was confirmed"
		);
		Ok(())
	}

	fn confirm(&mut self, node: usize, items: Vec<FragmentId>) -> Result<()> {
		let node = &self.nodes[node];
		let items = BoundedVec::truncate_from(items);
		let call =
			files::Call::<Runtime>::confirm { miner: node.id, anchor: 0, items, signature: None };
		self.chain.apply(node.hot.clone(), call).context("confirming")
	}

	/// The fragment's name off chain. Each file has one segment, so file and segment have the same
	/// number.
	pub(crate) fn name(&self, fragment: FragmentId) -> FragmentName {
		let number = fragment.segment.0;
		let place = usize::try_from(number).expect("few files; qed");
		FragmentName {
			file_id: self.ids[place],
			file: FileIndex(number),
			segment: 0,
			index: fragment.index,
		}
	}

	pub(crate) fn at(&mut self, time: u64, event: Event) {
		self.queued += 1;
		self.queue.insert((time.max(self.now), self.queued), event);
	}

	/// All days of the run.
	fn live(&mut self) {
		let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed ^ 0xfa_17);
		for (at, fault, mishap) in faults::plan(&self.config, self.now, &mut rng) {
			self.at(at, Event::Mishap(fault, mishap));
		}
		let nodes = self.nodes.len();
		for node in 0..nodes {
			// Machines start at different times.
			let offset = self.rng.random_range(0..180 * 1_000);
			self.nodes[node].find_at =
				self.now + offset % self.config.engine.find_every.as_millis() as u64;
			self.at(self.now + offset * 10, Event::Worker(node));
			self.dirty.insert(node);
		}
		let end = self.begun + u64::from(self.config.days) * faults::DAY;
		while self.now + SLOT <= end {
			let block = self.pass_slot();
			self.usage.blocks += 1;
			self.note_time();
			self.take_in(block);
			self.keep_house();
			self.find_work();
			self.hand_over();
			let dirty = std::mem::take(&mut self.dirty);
			self.run_workers(dirty.into_iter().collect());
			let check_every = self.config.check_every * (self.config.segments / 10_000).max(1);
			if self.chain.height().is_multiple_of(check_every) && !self.chain.is_forked() {
				self.check();
			}
		}
		self.take_turns();
	}

	/// All that happens until the next slot, and its block. That is built meanwhile, unless something
	/// happens that has to do with the pool or with what is finalized.
	fn pass_slot(&mut self) -> Block {
		/// How few events are not worth waking another thread for.
		const FEW: usize = 4;
		let slot = self.now + SLOT;
		let due = || self.queue.range(..=(slot, u64::MAX)).map(|(_, event)| event);
		let alone = rayon::current_num_threads() == 1
			|| self.chain.is_forked()
			|| self.turns.len() + due().take(FEW).count() < FEW
			|| due().any(|event| matches!(event, Event::Mishap(..)));
		if alone {
			self.happens_until(slot);
			self.hand_over();
			return self.chain.next_block();
		}
		let mut building = self.chain.begin_block();
		let (block, ()) = rayon::join(|| building.build(true), || self.happens_until(slot));
		self.chain.end_block(building);
		self.hand_over();
		block
	}

	fn happens_until(&mut self, slot: u64) {
		self.take_turns();
		while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= slot) {
			self.now = entry.key().0;
			let event = entry.remove();
			self.happens(event);
		}
		self.now = slot;
	}

	fn take_turns(&mut self) {
		for node in std::mem::take(&mut self.turns) {
			self.turn(node);
		}
	}

	/// Notes which block is the best one.
	fn note_time(&mut self) {
		self.tick = self.chain.best(pallet_planaria_clock::Now::<Runtime>::get);
		self.height = self.chain.height();
	}

	fn happens(&mut self, event: Event) {
		match event {
			Event::Mishap(fault, mishap) => self.goes_wrong(fault, mishap),
			Event::Rejoin(node) => self.rejoin(node),
			Event::Heal(nodes, part) => {
				for node in nodes {
					if self.nodes[node].part == part {
						self.nodes[node].part = 0;
						self.nodes[node].compare_at = self.now;
						self.reconsider(node);
					}
				}
			},
			Event::Reorg => self.reorg(),
			Event::Worker(node) => {
				self.dirty.insert(node);
			},
			Event::Turn(node, life) => {
				if self.nodes[node].life == life {
					self.turn(node);
				}
			},
			Event::Transfer(node, name, id) => self.transferred(node, name, id),
			Event::Hedge(node, name) => self.hedge(node, name),
		}
	}

	fn reconsider(&mut self, node: usize) {
		self.dirty.insert(node);
		self.turn(node);
	}

	fn goes_wrong(&mut self, fault: Fault, mishap: Mishap) {
		let now = self.now;
		if let Mishap::Down { node, .. }
		| Mishap::DiskLost { node, .. }
		| Mishap::Dies(node)
		| Mishap::Slows(node)
		| Mishap::Lies(node, _)
		| Mishap::Exits(node) = &mishap
			&& self.nodes[*node].presence == Presence::Dead
		{
			return;
		}
		*self.faults.entry(fault.to_string()).or_default() += 1;
		match mishap {
			Mishap::Down { node, millis } => self.goes_down(node, now + millis),
			Mishap::DiskLost { node, percent } => {
				let held: Vec<FragmentId> = self.nodes[node].store.keys().copied().collect();
				let rng = &mut self.rng;
				let lost: Vec<FragmentId> =
					held.into_iter().filter(|_| rng.random_range(0..100) < percent).collect();
				self.lose(node, &lost);
				self.goes_down(node, now + faults::MINUTE);
			},
			Mishap::Dies(node) => {
				let lost: Vec<FragmentId> = self.nodes[node].store.keys().copied().collect();
				self.lose(node, &lost);
				let machine = &mut self.nodes[node];
				machine.presence = Presence::Dead;
				machine.forget(now, &self.config.engine);
				let id = machine.id;
				self.chain.retract(id);
			},
			Mishap::Slows(node) => self.nodes[node].link.up /= 100,
			Mishap::Lies(node, lie) => self.nodes[node].lie = Some(lie),
			Mishap::Cut { nodes, millis } => {
				self.parts += 1;
				let part = self.parts;
				for node in &nodes {
					self.nodes[*node].part = part;
				}
				self.at(now + millis, Event::Heal(nodes, part));
			},
			Mishap::Fork { blocks, deletes } => {
				if self.chain.is_forked() {
					return;
				}
				self.chain.begin_fork();
				for _ in 0..deletes {
					self.delete_a_file();
				}
				self.at(now + u64::from(blocks) * SLOT, Event::Reorg);
			},
			Mishap::Exits(node) => {
				let stash = self.nodes[node].stash.clone();
				let call = RuntimeCall::Miners(miners::Call::exit {});
				self.chain.submit(Tx { by: None, signer: Some(stash), call });
			},
			Mishap::Deletes => self.delete_a_file(),
		}
	}

	fn delete_a_file(&mut self) {
		let first = self.rng.random_range(0..u64::from(self.config.segments));
		let mut all = (first..self.config.segments.into()).chain(0..first).map(SegmentId);
		let live =
			|id: &SegmentId| self.mirror.segment(*id).is_some() && !self.truth.is_deleted(*id);
		let Some(segment) = all.find(live) else { return };
		let call = RuntimeCall::Files(files::Call::delete { file: FileIndex(segment.0) });
		self.chain.submit(Tx { by: None, signer: Some(owner()), call });
	}

	/// A fault takes fragments off a disk.
	fn lose(&mut self, node: usize, lost: &[FragmentId]) {
		let id = self.nodes[node].id;
		for fragment in lost {
			if self.nodes[node].store.remove(fragment).is_none() {
				continue;
			}
			self.nodes[node].taken = false;
			self.truth.removed(*fragment, Cause::Fault);
			let segment = self.mirror.segment(fragment.segment);
			if segment.is_some_and(|segment| segment.holder(fragment.index) == Some(id)) {
				self.truth.missing(*fragment, self.now);
			}
		}
	}

	fn goes_down(&mut self, node: usize, until: u64) {
		let machine = &mut self.nodes[node];
		machine.presence = Presence::Down;
		machine.up_at = machine.up_at.max(until);
		machine.forget(self.now, &self.config.engine);
		let (id, up_at) = (machine.id, machine.up_at);
		self.chain.retract(id);
		self.at(up_at, Event::Rejoin(node));
	}

	fn rejoin(&mut self, node: usize) {
		let machine = &mut self.nodes[node];
		if machine.presence != Presence::Down || machine.up_at > self.now {
			return;
		}
		machine.presence = Presence::Up;
		machine.compare_at = self.now;
		self.suspect_all(node);
		self.reconsider(node);
	}

	/// Has a machine compare all it stores and all it is assigned.
	fn suspect_all(&mut self, node: usize) {
		let assigned = self.mirror.assigned(self.nodes[node].id);
		self.suspect_difference(node, &assigned);
	}

	/// Only what is either stored or assigned, in this order, is worth a look.
	fn suspect_difference(&mut self, node: usize, assigned: &[FragmentId]) {
		let machine = &mut self.nodes[node];
		let mut stored = machine.store.keys().copied().peekable();
		let mut assigned = assigned.iter().copied().peekable();
		loop {
			let suspect = match (stored.peek(), assigned.peek()) {
				(None, None) => break,
				(Some(a), Some(b)) if a == b => {
					stored.next();
					assigned.next();
					continue;
				},
				(Some(a), Some(b)) if a < b => stored.next(),
				(Some(_), None) => stored.next(),
				_ => assigned.next(),
			};
			machine.suspects.extend(suspect);
		}
	}

	fn reorg(&mut self) {
		for block in self.chain.end_fork() {
			for event in &block.events {
				self.digest.update(&event.encode());
			}
			self.note_touched(&block);
		}
		self.note_time();
		let segments = std::mem::take(&mut self.touched_on_fork);
		let miners = std::mem::take(&mut self.touched_miners_on_fork);
		self.refresh(&miners, segments);
		let assigned = self.mirror.all_assigned(self.nodes.len());
		for (node, assigned) in assigned.iter().enumerate() {
			if self.nodes[node].is_connected() {
				self.suspect_difference(node, assigned);
				self.reconsider(node);
			}
		}
	}

	fn refresh(&mut self, miners: &BTreeSet<MinerId>, mut segments: BTreeSet<SegmentId>) {
		let (chain, mirror) = (&self.chain, &mut self.mirror);
		chain.best(|| {
			let now = pallet_planaria_clock::Now::<Runtime>::get();
			mirror.refresh_miners(miners, &mut segments);
			mirror.lose_patience(now, &mut segments);
			mirror.all_held(&mut segments);
		});
		let segments: Vec<SegmentId> = segments.into_iter().collect();
		let read = each(&segments, |id| chain.best(|| Reading::of(*id)));
		chain.best(|| mirror.refresh(segments.into_iter().zip(read)));
	}

	/// The segments and miners that a block changed.
	fn note_touched(&mut self, block: &Block) -> (BTreeSet<MinerId>, BTreeSet<SegmentId>) {
		let (mut miners, mut segments) = (BTreeSet::new(), BTreeSet::new());
		for event in &block.events {
			match event {
				RuntimeEvent::Restore(event) => segments.extend(segment_of(event)),
				RuntimeEvent::Miners(event) => miners.extend(miner_of(event)),
				RuntimeEvent::Files(
					files::Event::Deleted { file } | files::Event::Removed { file },
				) => {
					segments.insert(SegmentId(file.0));
				},
				_ => (),
			}
		}
		if self.chain.is_forked() {
			self.touched_on_fork.extend(&segments);
			self.touched_miners_on_fork.extend(&miners);
		}
		(miners, segments)
	}

	/// Looks again at the orders that a block made part of batches, or took out of them.
	fn refresh_batches(&mut self, block: &Block) {
		use restore::Event as E;
		let (mut batches, mut dropped) = (Vec::new(), BTreeSet::new());
		for event in &block.events {
			let RuntimeEvent::Restore(event) = event else { continue };
			match event {
				E::BatchReady { miner, at, .. } => batches.push((*miner, *at)),
				E::BatchDropped { miner, .. }
				| E::ReportFailed { miner, .. }
				| E::ItemFailed { miner, .. } => {
					dropped.insert(*miner);
				},
				_ => (),
			}
		}
		if batches.is_empty() && dropped.is_empty() {
			return;
		}
		let mirror = &mut self.mirror;
		let mut changed = mirror.ready_by(&dropped);
		self.chain.best(|| {
			for (miner, at) in batches {
				let batch = restore::Batches::<Runtime>::get(miner, at);
				changed.extend(batch.into_iter().flat_map(|batch| batch.fragments));
			}
			mirror.refresh_claims(&changed);
		});
		if self.chain.is_forked() {
			self.touched_on_fork.extend(changed.iter().map(|fragment| fragment.segment));
		}
	}

	/// Notes the calls that opened orders and reported batches, of which a miner has one of each in
	/// a block.
	fn note_calls(&mut self, block: &Block) {
		use restore::Event as E;
		let (mut opened, mut opening) = (None, BTreeMap::<MinerId, Vec<MinerId>>::new());
		let mut reporting = opening.clone();
		for event in &block.events {
			let RuntimeEvent::Restore(event) = event else { continue };
			match event {
				E::OrderOpened { fragment, holder } => opened = Some((*fragment, *holder)),
				E::OrderClaimed { fragment, by, .. } => {
					if let Some((_, holder)) = opened.take_if(|(opened, _)| opened == fragment) {
						opening.entry(*by).or_default().push(holder);
					}
				},
				E::FragmentRestored { from, to, .. } => {
					reporting.entry(*to).or_default().push(from.unwrap_or(MinerId::NOBODY));
				},
				_ => (),
			}
		}
		opening.values().for_each(|holders| self.usage.opening.note(holders));
		reporting.values().for_each(|holders| self.usage.reporting.note(holders));
	}

	/// What a block did.
	fn take_in(&mut self, block: Block) {
		for included in &block.included {
			let (pallet, call) = included.call;
			*self.usage.calls.entry(format!("{pallet}.{call}")).or_default() += 1;
			if pallet == "Restore" {
				self.usage.transactions += 1;
				self.usage.bytes += included.len as u64;
				self.usage.failed += u64::from(included.result.is_err());
			}
			if let Err(error) = included.result {
				*self.usage.errors.entry(format!("{call}: {}", reason(error))).or_default() += 1;
			}
			if let Some(by) = included.by {
				self.dirty.insert(by.0 as usize);
			}
		}
		self.note_calls(&block);
		let (miners, segments) = self.note_touched(&block);
		self.refresh(&miners, segments);
		self.refresh_batches(&block);
		for event in &block.events {
			self.digest.update(&event.encode());
			match event {
				RuntimeEvent::Restore(event) => self.restore_event(event),
				RuntimeEvent::Miners(event) => self.miners_event(event),
				RuntimeEvent::Audit(audit::Event::Challenged { miner, .. }) => {
					self.dirty.insert(miner.0 as usize);
				},
				RuntimeEvent::Files(files::Event::Deleted { file }) => {
					let segment = SegmentId(file.0);
					if !self.chain.is_forked() {
						self.durability.deleted += 1;
						self.truth.deleted(segment);
					}
					self.suspect_segment(segment);
				},
				_ => (),
			}
		}
	}

	/// Whoever has something of a segment looks whether it still should.
	fn suspect_segment(&mut self, segment: SegmentId) {
		for node in 0..self.nodes.len() {
			for index in 0..self.config.coding.fragments() {
				self.suspect(node, FragmentId { segment, index });
			}
			let claims =
				self.nodes[node].wanted.as_ref().is_some_and(|wanted| !wanted.jobs.is_empty());
			if claims {
				self.dirty.insert(node);
			}
		}
	}

	fn suspect(&mut self, node: usize, fragment: FragmentId) {
		if self.nodes[node].presence == Presence::Up
			&& self.nodes[node].store.contains_key(&fragment)
		{
			self.nodes[node].suspects.insert(fragment);
			if self.config.sabotage == Some(Sabotage::HastyDiscard) {
				self.compare(node);
			}
		}
	}

	fn restore_event(&mut self, event: &restore::Event<Runtime>) {
		use restore::Event as E;
		let final_so_far = !self.chain.is_forked();
		let orders = &mut self.orders;
		match event {
			E::OrderOpened { fragment, .. } => {
				orders.opened += 1;
				self.opened.insert(*fragment, self.now);
			},
			E::OrderClaimed { .. } => orders.claimed += 1,
			E::ClaimExpired { by, fragment, .. } => {
				orders.expired += 1;
				self.dirty.insert(by.0 as usize);
				self.suspect(by.0 as usize, *fragment);
			},
			E::GivenBack { by, fragment } => {
				orders.given_back += 1;
				self.suspect(by.0 as usize, *fragment);
			},
			E::OrderDeclined { .. } => orders.declined += 1,
			E::OrderDisputed { .. } => orders.disputed += 1,
			E::OrderCancelled { .. } => orders.cancelled += 1,
			E::OrderVoided { .. } => orders.voided += 1,
			E::BatchReady { miner, .. } => {
				let at = self.now + u64::from(restore::SEED_DELAY) * SLOT - 1;
				let node = miner.0 as usize;
				self.at(at, Event::Worker(node));
			},
			E::ReportFailed { error, miner } => {
				orders.reports_failed += 1;
				*self.usage.errors.entry(format!("report: {}", reason(*error))).or_default() += 1;
				self.dirty.insert(miner.0 as usize);
			},
			E::ItemFailed { error, .. } => {
				let why = reason(*error);
				match &why[..] {
					"AlreadyClaimed" | "OrderExists" => orders.races_lost += 1,
					_ => orders.refused += 1,
				}
				*self.usage.errors.entry(format!("item: {why}")).or_default() += 1;
			},
			E::FragmentRestored { fragment, from, to } => {
				orders.restored += 1;
				self.durability.restored += u64::from(final_so_far);
				if let Some(opened) = self.opened.remove(fragment) {
					self.open_times.push(self.now - opened);
				}
				if !self.nodes[to.0 as usize].store.contains_key(fragment) {
					self.violation(format!(
						"{fragment} was reported by a miner that does not have it"
					));
				} else if final_so_far {
					self.truth.repaired(*fragment, self.now);
				}
				if let Some(from) = from {
					self.suspect(from.0 as usize, *fragment);
				}
				self.forget_reported(to.0 as usize, *fragment);
			},
			E::FragmentVacated { fragment, from } => self.suspect(from.0 as usize, *fragment),
			E::SuspectedLost { .. } => self.durability.suspected += 1,
			E::SuspicionCleared { .. } => self.durability.cleared += 1,
			E::SegmentLost { .. } => self.durability.lost_by_verdict += 1,
			E::SegmentFound { .. } => self.durability.found += 1,
			_ => (),
		}
	}

	fn miners_event(&mut self, event: &miners::Event<Runtime>) {
		use miners::Event as E;
		match event {
			E::BecameAbsent { .. } => self.orders.absent += 1,
			E::Returned { .. } => self.orders.returned += 1,
			E::LeaveStarted { expelled: true, .. } => self.orders.expelled += 1,
			E::Disconnected { .. } => self.orders.departed += 1,
			E::WrongProofCharged { .. } => self.orders.wrong_proofs += 1,
			_ => (),
		}
	}

	/// What anybody may do for the network: found by all, done by those whose worker lets them.
	fn keep_house(&mut self) {
		if self.now.is_multiple_of(self.config.engine.find_every.as_millis() as u64) {
			self.chores = self.find_chores();
		}
		if self.chores.is_empty() {
			return;
		}
		let listed = &self.chores[..self.chores.len().min(Done::MAX_CHORES)];
		for (place, node) in self.nodes.iter_mut().enumerate().filter(|(_, it)| it.is_connected()) {
			if node.done.chores != listed {
				node.done.chores = listed.to_vec();
			}
			self.dirty.insert(place);
		}
	}

	fn find_chores(&mut self) -> Vec<Chore> {
		let params = Chain::miners_params();
		let mut chores: Vec<Chore> = Vec::new();
		let suspects: Vec<MinerId> = self
			.nodes
			.iter()
			.filter(|node| {
				let standing = self.mirror.standing(node.id);
				!node.is_connected() || matches!(standing, Some(Standing::Leaving { .. }))
			})
			.map(|node| node.id)
			.collect();
		self.chain.best(|| {
			let now = pallet_planaria_clock::Now::<Runtime>::get();
			for miner in suspects {
				let (Some(record), Some(load)) =
					(miners::Miners::<Runtime>::get(miner), miners::Loads::<Runtime>::get(miner))
				else {
					continue;
				};
				let silent = now.saturating_sub(load.last_seen);
				let leaving =
					matches!(record.phase, miners::Phase::Leaving { .. } | miners::Phase::Expelled);
				if leaving && load.is_idle() {
					chores.push(Chore::Finish(miner));
				} else if record.absence.is_none()
					&& record.phase != miners::Phase::Expelled
					&& silent > params.absent_after
				{
					chores.push(Chore::MarkAbsent(miner));
				} else if let Some(absence) = record.absence
					&& record.phase != miners::Phase::Expelled
					&& now.saturating_sub(absence.since) > params.absent_max
					&& !crate::mirror::is_braked()
				{
					chores.push(Chore::ExpelAbsent(miner));
				}
			}
		});
		chores.extend(self.mirror.misjudged().into_iter().map(Chore::CheckSegment));
		chores.extend(self.mirror.void().into_iter().map(Chore::Tidy));
		chores
	}

	/// Has the workers of these miners look at the chain, submit what comes of it, and their engines
	/// see it. What a worker comes to does not depend on the others of the same block.
	fn run_workers(&mut self, nodes: Vec<usize>) {
		let runs = each(&nodes, |node| self.run_worker(*node));
		for (node, run) in nodes.into_iter().zip(runs) {
			if let Some(run) = run {
				self.take_over(node, run);
			}
		}
	}

	/// What a miner's worker comes to; `None` where it does not see the chain.
	fn run_worker(&self, node: usize) -> Option<WorkerRun> {
		let machine = &self.nodes[node];
		if !machine.is_connected() {
			return None;
		}
		let view = View::new(self, node);
		Some(self.chain.best(|| {
			let step = step(&view, &machine.done, &machine.proofs, machine.memory.clone());
			let now = pallet_planaria_clock::Now::<Runtime>::get();
			let params = miners::Parameters::<Runtime>::get();
			let load = miners::Loads::<Runtime>::get(machine.id);
			let alive_in =
				load.map(|load| (load.last_seen + params.alive_every).saturating_sub(now).max(1));
			let anchor = System::block_number().saturating_sub(ANCHOR_DEPTH);
			WorkerRun { step, alive_in, anchor }
		}))
	}

	/// Submits what a worker came to, and has the engine see it.
	fn take_over(&mut self, node: usize, run: WorkerRun) {
		let WorkerRun { step: Step { wanted, submit, memory }, alive_in, anchor } = run;
		let machine = &mut self.nodes[node];
		machine.memory = memory;
		let (id, hot) = (machine.id, machine.hot.clone());
		let busy = !submit.is_empty();
		for submit in submit {
			let signer = (!submit.is_duty()).then(|| hot.clone());
			let call = call(id, anchor, submit);
			self.chain.submit(Tx { by: Some(id), signer, call });
		}
		if busy {
			self.at(self.now + u64::from(RESUBMIT) * SLOT - 1, Event::Worker(node));
		}
		if let Some(alive_in) = alive_in {
			let wake = self.now + u64::from(alive_in) * SLOT - 1;
			if self.nodes[node].wake <= self.now || wake < self.nodes[node].wake {
				self.nodes[node].wake = wake;
				self.at(wake, Event::Worker(node));
			}
		}
		let machine = &mut self.nodes[node];
		let old = std::mem::replace(&mut machine.wanted, wanted);
		let same = match (&old, &machine.wanted) {
			(Some(old), Some(new)) => old.jobs == new.jobs,
			(old, new) => old.is_none() && new.is_none(),
		};
		if !same {
			machine.taken = false;
			self.turns.push(node);
		}
	}

	fn check(&mut self) {
		let (chain, mirror) =
			rayon::join(|| self.chain.check(), || self.chain.best(|| self.mirror.check()));
		if let Err(error) = chain {
			let height = self.chain.height();
			self.violation(format!("block {height}: {error:#}"));
		}
		if let Err(error) = mirror {
			self.violation(format!("the simulation itself: {error:#}"));
		}
		if let Some(fragment) = self.mistaken() {
			let what = format!("{fragment} is not what it is taken for");
			self.violation(format!("the simulation itself: {what}"));
		}
	}

	/// The first fragment with an order, or held by a restore target, of which the chain says
	/// something else than what is put together from the index.
	fn mistaken(&self) -> Option<FragmentId> {
		let held = (0..CLASSES).filter_map(|class| self.mirror.held(class).next());
		let held = held.map(|candidate| candidate.fragment);
		let known: Vec<FragmentId> = self.mirror.ordered().chain(held).collect();
		let view = View::new(self, 0);
		self.chain.best(|| {
			known.into_iter().find(|fragment| {
				let said = queries::records(vec![*fragment]).pop().flatten();
				self.record(self.name(*fragment)) != said || !view.is_right_of(*fragment)
			})
		})
	}

	pub(crate) fn violation(&mut self, what: String) {
		if self.violations.len() < MAX_LISTED {
			self.violations.push(what);
		}
	}

	/// Whether everything that can be whole is.
	fn finish(&mut self) {
		if self.chain.is_forked() {
			self.reorg();
		}
		self.check();
		let mut violations = Vec::new();
		for (segment, cause) in self.truth.lost() {
			match cause {
				Cause::Fault => self.durability.lost_in_truth += 1,
				Cause::Protocol => {
					self.durability.lost_recoverable += 1;
					violations
						.push(format!("segment {segment}: its miners gave up too many copies"));
				},
			}
		}
		let tick = self.chain.best(pallet_planaria_clock::Now::<Runtime>::get);
		for number in 0..self.config.segments.into() {
			let id = SegmentId(number);
			if self.truth.is_deleted(id) || self.truth.is_lost(id) {
				continue;
			}
			if let Some(what) = self.unwhole(id) {
				if self.honest(id) < usize::from(self.config.coding.data) {
					self.durability.lost_in_truth += 1;
					continue;
				}
				self.durability.lost_recoverable += 1;
				violations.push(format!(
					"segment {id} is not whole at tick {tick} although {} fragments exist: {what}",
					self.truth.distinct(id)
				));
			}
		}
		self.durability.missing = self.truth.still_missing() as u64;
		for violation in violations {
			self.violation(violation);
		}
		self.orders.open =
			self.chain.best(|| restore::Orders::<Runtime>::iter_keys().count()) as u64;
	}

	/// How many different fragments of a segment there are that whoever has them does not lie about.
	fn honest(&self, segment: SegmentId) -> usize {
		let honest = |node: &&Node| node.presence != Presence::Dead && node.lie.is_none();
		(0..self.config.coding.fragments())
			.map(|index| FragmentId { segment, index })
			.filter(|fragment| {
				self.nodes.iter().filter(honest).any(|node| node.store.contains_key(fragment))
			})
			.count()
	}

	/// What is wrong with a segment.
	fn unwhole(&self, id: SegmentId) -> Option<String> {
		let Some(segment) = self.mirror.segment(id) else { return Some("it is gone".into()) };
		for index in 0..segment.fragments() {
			let fragment = FragmentId { segment: id, index };
			let Some(holder) = segment.holder(index) else {
				return Some(format!("nobody holds fragment {index}"));
			};
			let node = &self.nodes[holder.0 as usize];
			if node.presence == Presence::Dead {
				return Some(format!("{holder}, which is dead, holds fragment {index}"));
			}
			if segment.is_restoring(index) {
				return Some(format!("fragment {index} of {holder} is still being restored"));
			}
			let right = node
				.store
				.get(&fragment)
				.is_some_and(|stored| self.codec.verify(&self.name(fragment), stored));
			if !right {
				return Some(format!("{holder} does not have fragment {index}"));
			}
		}
		None
	}

	fn report(mut self) -> Report {
		let share = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
		let lost = self.truth.lost_copies * WEIGHT;
		// What one decode made for several miners counts for all of them.
		let d = &self.durability;
		let rebuilt = (d.rebuilt + d.cooperated) * WEIGHT;
		let t = &mut self.traffic;
		t.read_per_rebuilt = share(t.rebuild_bytes, rebuilt);
		t.read_per_copied = share(t.copy_bytes, self.durability.copied * WEIGHT);
		t.read_per_lost = share(t.rebuild_bytes, lost);
		t.passed_per_lost = share(t.passed_bytes, lost);
		self.durability.copies_lost = self.truth.lost_copies;
		let restored = self.durability.restored;
		self.usage.transactions_per_restored = share(self.usage.transactions, restored);
		self.usage.bytes_per_restored = share(self.usage.bytes, restored);
		let mut report = Report {
			config: self.config,
			durability: self.durability,
			traffic: self.traffic,
			repair: Times::of(std::mem::take(&mut self.truth.repairs)),
			orders_open: Times::of(self.open_times),
			orders: self.orders,
			chain: self.usage,
			faults: self.faults,
			violations: self.violations,
			digest: String::new(),
			wall_secs: 0.0,
			cpu_secs: None,
		};
		let figures = serde_json::to_vec(&report).expect("plain figures; qed");
		self.digest.update(&figures);
		report.digest = self.digest.finalize().to_hex().to_string();
		report
	}
}

/// What an error is called. One that was in an event has only its number.
fn reason(error: DispatchError) -> String {
	let DispatchError::Module(module) = error else { return format!("{error:?}") };
	let mut bytes = &module.error[..];
	let restore = <planaria_runtime::Restore as PalletInfoAccess>::index();
	let miners = <planaria_runtime::Miners as PalletInfoAccess>::index();
	let name = if usize::from(module.index) == restore {
		restore::Error::<Runtime>::decode(&mut bytes).map(|error| format!("{error:?}"))
	} else if usize::from(module.index) == miners {
		miners::Error::<Runtime>::decode(&mut bytes).map(|error| format!("{error:?}"))
	} else {
		files::Error::<Runtime>::decode(&mut bytes).map(|error| format!("{error:?}"))
	};
	name.unwrap_or_else(|_| format!("{module:?}"))
}

fn segment_of(event: &restore::Event<Runtime>) -> Option<SegmentId> {
	use restore::Event as E;
	Some(match event {
		E::OrderOpened { fragment, .. }
		| E::OrderClaimed { fragment, .. }
		| E::ClaimExpired { fragment, .. }
		| E::GivenBack { fragment, .. }
		| E::OrderCancelled { fragment, .. }
		| E::OrderVoided { fragment, .. }
		| E::FragmentRestored { fragment, .. }
		| E::OrderDeclined { fragment, .. }
		| E::OrderDisputed { fragment }
		| E::NothingToCopy { fragment, .. }
		| E::FragmentVacated { fragment, .. } => fragment.segment,
		E::SuspectedLost { segment, .. }
		| E::SuspicionCleared { segment, .. }
		| E::SegmentLost { segment, .. }
		| E::SegmentFound { segment, .. } => *segment,
		_ => return None,
	})
}

fn miner_of(event: &miners::Event<Runtime>) -> Option<MinerId> {
	use miners::Event as E;
	Some(match event {
		E::BecameAbsent { miner }
		| E::Returned { miner }
		| E::LeaveStarted { miner, .. }
		| E::Disconnected { miner, .. } => *miner,
		_ => return None,
	})
}

/// The call that a worker's submission is.
fn call(miner: MinerId, anchor: u32, submit: Submit) -> RuntimeCall {
	let signature = None;
	match submit {
		Submit::Confirm(items) => {
			let items = BoundedVec::truncate_from(items);
			RuntimeCall::Files(files::Call::confirm { miner, anchor, items, signature })
		},
		Submit::Alive => RuntimeCall::Miners(miners::Call::alive { miner, anchor, signature }),
		Submit::Ready(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::ready { miner, anchor, fragments, signature })
		},
		Submit::Report(at, proofs) => {
			let proofs = BoundedVec::truncate_from(proofs);
			RuntimeCall::Restore(restore::Call::report { miner, anchor, at, proofs, signature })
		},
		Submit::Answer(answers) => {
			let answer = |(fragment, proof)| audit::Answer { fragment, proof };
			let answers = BoundedVec::truncate_from(answers.into_iter().map(answer).collect());
			RuntimeCall::Audit(audit::Call::answer { miner, anchor, answers, signature })
		},
		Submit::Open(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::open { fragments })
		},
		Submit::Claim(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::claim { fragments })
		},
		Submit::GiveBack(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::give_back { fragments })
		},
		Submit::Decline(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::decline { fragments })
		},
		Submit::MarkAbsent(miner) => RuntimeCall::Miners(miners::Call::mark_absent { miner }),
		Submit::ExpelAbsent(miner) => RuntimeCall::Miners(miners::Call::expel_absent { miner }),
		Submit::Finish(miner) => RuntimeCall::Miners(miners::Call::finish { miner }),
		Submit::CheckSegment(segment) => {
			RuntimeCall::Restore(restore::Call::check_segment { segment })
		},
		Submit::Tidy(fragments) => {
			let fragments = BoundedVec::truncate_from(fragments);
			RuntimeCall::Restore(restore::Call::tidy { fragments })
		},
		Submit::Cancel(Healed { fragment, at, proof }) => {
			RuntimeCall::Restore(restore::Call::cancel { fragment, at, proof })
		},
	}
}
