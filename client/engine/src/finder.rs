// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Finding what restore targets hold and what orders are open: which reads are made and what comes
//! of them. No I/O and no clock; times are durations since the engine started.
//!
//! The chain has no index from miners to fragments. A target that leaves and serves says itself
//! what it holds; each name counts once the chain confirms it, and whoever does not say all of it
//! is not asked again. For every other target the segments on chain are scanned, by **classes**: a
//! miner is [responsible](is_responsible) for some of the 256, for all in a small network. One
//! **pass** serves all targets. Between passes the changes of each block keep the list fresh.
//!
//! The driver executes one [`Read`] after the other, as [`Finder::next`] asks for them, and gives
//! back what it read.

use crate::{
	chain::{FileRow, MinerRow, OrderRow},
	status::FinderStatus,
	worklist::{Conditions, Target, Targets, Worklist, class_of},
};
use planaria_primitives::{
	FileId, FileIndex, FragmentId, FragmentName, MinerId, Segment, SegmentId, THIN_SPARE, Tick,
	mailbox::MAX_LISTED, segment::bit,
};
use planaria_runtime_api::{FileLife, FragmentRecord, MinerStanding};
use planaria_worker::planner::{self, Candidate, Races, Way, splitmix};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

/// How many miners are responsible for a class on average, where there are as many.
pub const COVER: u64 = 40;

/// How many segments, orders or miners are read natively at a time.
pub const SCAN_PAGE: u32 = 4096;

/// How many files or segments are read by their ids at a time.
const BATCH: usize = 1024;

/// How many pages of a target's list are read before what they gave is done.
const LIST_PAGES: u32 = 16;

/// After how many pages without a name of its own, or without an answer, a target is not asked for
/// its list any more.
const MAX_STRIKES: u8 = 3;

/// How many candidates are looked up on chain before a plan is made of them.
const MAX_CANDIDATES: usize = 8 * MAX_LISTED;

/// How the finder works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FinderConfig {
	/// How many segments are remembered.
	pub capacity: usize,
	/// For how many ticks what absent and expelled miners held may wait.
	pub lazy_max: Tick,
	/// How long after a pass another one begins, while there are targets.
	pub pass_every: Duration,
	/// How long after a pass another one begins at the earliest, when what it found is done while
	/// a target still holds fragments.
	pub pass_pause: Duration,
	/// For how long a segment in which a claim came to nothing is left alone the first time; each
	/// further time twice as long.
	pub shelve_for: Duration,
}

/// Something to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
	/// A page of all restore orders.
	Orders {
		/// Where the last one ended.
		after: Option<FragmentId>,
	},
	/// Segments by their ids.
	Segments(Vec<SegmentId>),
	/// Files by their indices.
	Files(Vec<FileIndex>),
	/// A page of what a target says it holds.
	List {
		/// The target.
		target: MinerId,
		/// Where the last one ended.
		after: Option<FragmentName>,
	},
	/// A page of a class of all segments.
	Class {
		/// The class.
		class: u8,
		/// Where the last one ended.
		after: Option<SegmentId>,
	},
}

/// Whether `me` is responsible for finding what targets hold in this class, where `miners` serve
/// and a target has waited for `doublings` times the longest that it should.
///
/// About [`COVER`] of the miners are, all where there are no more; with each doubling twice as
/// many.
pub fn is_responsible(class: u8, me: MinerId, miners: u32, doublings: u32) -> bool {
	let cover = COVER.checked_shl(doublings.min(32)).unwrap_or(u64::MAX);
	if cover >= u64::from(miners) {
		return true;
	}
	let mut hasher = blake3::Hasher::new();
	hasher.update(&[class]).update(&me.0.to_le_bytes());
	let mut hash = [0; 8];
	hasher.finalize_xof().fill(&mut hash);
	let hash = u128::from(u64::from_le_bytes(hash));
	hash * u128::from(miners) < u128::from(cover) << 64
}

/// How many of the miners that know of a fragment of a thin segment try for it at the same time.
/// Where no more know of a fragment at all, they all do.
const TRIES: u32 = 8;

/// Who knows of a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
	/// Every miner that serves, as of an open order: so many.
	ToAll(u32),
	/// Those that are responsible for its class: so many.
	ToResponsible(u32),
}

/// Whether a miner tries for a fragment in the turn that `seed` is of: about one of those that know
/// of it does, or eight where its segment is thin; others in the next turn. So few races are lost,
/// and paid for, even where there is less to restore than there are miners.
///
/// What is tried for together was one holder's: all of it that the miner is responsible for, or all
/// of a class. So calls are long, and their fragments have few holders.
pub fn tries_for(candidate: &Candidate, known: Known, seed: u64) -> bool {
	let tries = if candidate.spare <= THIN_SPARE { TRIES } else { 1 };
	let holder = u64::from(candidate.holder.unwrap_or(MinerId::NOBODY).0);
	let class = u64::from(class_of(candidate.fragment.segment));
	let (finders, about) = match known {
		Known::ToAll(miners) => (miners, holder << 8 | class),
		Known::ToResponsible(miners) => (miners, holder),
	};
	finders <= TRIES || splitmix(seed ^ splitmix(about)) % u64::from(finders) < u64::from(tries)
}

/// A pass over the classes this miner is responsible for.
#[derive(Clone, Debug)]
struct Pass {
	begun: Duration,
	covers: BTreeSet<MinerId>,
	/// The classes still to be scanned, the next one last.
	classes: Vec<u8>,
	after: Option<SegmentId>,
	all: BTreeSet<u8>,
	scanned: u64,
}

/// The last pass that was finished.
#[derive(Clone, Debug)]
struct Passed {
	at: Duration,
	covered: BTreeSet<MinerId>,
	classes: usize,
	took: Duration,
	scanned: u64,
}

/// Reading what a target says it holds: once around from a point of its own for each miner.
#[derive(Clone, Debug)]
struct Listing {
	start: FragmentName,
	after: Option<FragmentName>,
	wrapped: bool,
	/// How many names of it the chain has confirmed.
	confirmed: u32,
	/// How many more pages are read before it rests.
	pages: u32,
	strikes: u8,
}

impl Listing {
	fn new(seed: u64) -> Self {
		let mut start = [0; 32];
		start[..8].copy_from_slice(&seed.to_le_bytes());
		let start =
			FragmentName { file_id: FileId(start), file: FileIndex(0), segment: 0, index: 0 };
		let after = Some(start);
		Self { start, after, wrapped: false, confirmed: 0, pages: LIST_PAGES, strikes: 0 }
	}
}

/// Where what a target holds is found.
#[derive(Clone, Debug)]
enum Source {
	/// It says so itself.
	List(Listing),
	/// It has said all of it; asked again when the list runs dry and this time has come.
	Listed(Duration),
	/// By passes.
	Scan,
}

/// What is known of restorable fragments.
#[derive(Clone, Debug)]
pub struct Finder {
	me: MinerId,
	config: FinderConfig,
	targets: Targets,
	sources: BTreeMap<MinerId, Source>,
	serving: u32,
	tick: Tick,
	segments_ever: u64,
	worklist: Worklist,
	/// Where reading all orders has come to; `None` while they are up to date.
	orders: Option<Option<FragmentId>>,
	/// Where looking up the orders' segments has come to; `None` when all were.
	order_segments: Option<Option<SegmentId>>,
	pass: Option<Pass>,
	passed: Option<Passed>,
	passes: u64,
	/// Changes were missed.
	lagged: bool,
	/// A target that is found by passes holds fragments of which none is on the list.
	dry: bool,
	/// When reading goes on after a failure.
	resume: Duration,
	planned: Vec<FragmentId>,
	races: Races,
	turn: u64,
	/// How often each fragment was planned without anything coming of it.
	fruitless: BTreeMap<FragmentId, u8>,
	/// Segments that are left alone until then, and how often they were.
	shelved: BTreeMap<SegmentId, Shelved>,
}

/// A segment that is left alone, unless more of it comes back.
#[derive(Clone, Copy, Debug, Default)]
struct Shelved {
	until: Duration,
	/// How often it was.
	times: u32,
	/// How many fragments it could spare then.
	spare: Option<i16>,
}

/// After how many plans of which nothing came a segment is left alone.
const FRUITLESS: u8 = 10;

/// How often the time for which a segment is left alone doubles at most.
const SHELVED_DOUBLINGS: u32 = 7;

/// How many segments are left alone at most.
const MAX_SHELVED: usize = 1 << 14;

/// How long reading pauses after a failure.
const PAUSE: Duration = Duration::from_secs(10);

/// What became of the last plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Raced {
	/// Fragments that this miner has claimed.
	pub won: usize,
	/// Fragments that somebody else has claimed.
	pub lost: usize,
}

impl Finder {
	/// Knows nothing yet.
	pub const fn new(me: MinerId, config: FinderConfig) -> Self {
		Self {
			me,
			config,
			targets: BTreeMap::new(),
			sources: BTreeMap::new(),
			serving: 0,
			tick: 0,
			segments_ever: 0,
			worklist: Worklist::new(me, config.capacity),
			orders: Some(None),
			order_segments: None,
			pass: None,
			passed: None,
			passes: 0,
			lagged: false,
			dry: false,
			resume: Duration::ZERO,
			planned: Vec::new(),
			races: Races::new(),
			turn: 0,
			fruitless: BTreeMap::new(),
			shelved: BTreeMap::new(),
		}
	}

	/// The miner it works for.
	pub const fn me(&self) -> MinerId {
		self.me
	}

	/// The restore targets.
	pub const fn targets(&self) -> &Targets {
		&self.targets
	}

	/// How many miners take new data.
	pub const fn serving(&self) -> u32 {
		self.serving
	}

	/// What is known.
	pub const fn worklist(&self) -> &Worklist {
		&self.worklist
	}

	/// The miners, the clock, and how many segments there ever were, on the best block.
	pub fn observe(&mut self, miners: &[MinerRow], tick: Tick, segments_ever: u64) {
		self.tick = tick;
		self.segments_ever = segments_ever;
		let serving = miners.iter().filter(|row| row.standing == MinerStanding::Serving).count();
		self.serving = u32::try_from(serving).unwrap_or(u32::MAX);
		let targets: Targets = miners
			.iter()
			.filter_map(|row| {
				let way = match row.standing {
					MinerStanding::Leaving => Way::Copy,
					MinerStanding::Absent | MinerStanding::Expelled => Way::Rebuild,
					_ => return None,
				};
				Some((row.miner, Target { way, since: row.since, fragments: row.fragments }))
			})
			.collect();
		let same = |a: &Target, b: &Target| a.way == b.way && a.since == b.since;
		let changed = targets.len() != self.targets.len()
			|| targets.iter().zip(&self.targets).any(|(a, b)| a.0 != b.0 || !same(a.1, b.1));
		let old = std::mem::replace(&mut self.targets, targets);
		if !changed {
			return;
		}
		let (me, targets) = (self.me, &self.targets);
		self.sources.retain(|miner, _| {
			targets.get(miner).zip(old.get(miner)).is_some_and(|(new, old)| same(new, old))
		});
		for (miner, target) in targets {
			self.sources.entry(*miner).or_insert_with(|| match target.way {
				Way::Copy => Source::List(Listing::new(planner::seed(me, miner.0.into()))),
				Way::Rebuild => Source::Scan,
			});
		}
		// One that was a target, came back and is one again is to be looked for again.
		if let Some(passed) = &mut self.passed {
			passed.covered.retain(|miner| {
				targets.get(miner).zip(old.get(miner)).is_some_and(|(new, old)| same(new, old))
			});
		}
		self.worklist.retarget(targets);
	}

	/// What a block has changed.
	pub fn changed_segment(&mut self, id: SegmentId, segment: Option<Segment>) {
		let known = self.worklist.contains(id);
		let wanted = segment.as_ref().is_some_and(|s| s.restoring != 0);
		if known || wanted || self.is_responsible(class_of(id)) {
			self.worklist.put(id, segment, &self.targets);
		}
	}

	/// What a block has changed.
	pub fn changed_order(&mut self, fragment: FragmentId, order: Option<OrderRow>) {
		self.worklist.put_order(fragment, order);
	}

	/// Changes were missed: everything is to be read again.
	pub const fn lagged(&mut self) {
		self.lagged = true;
		self.orders = Some(None);
	}

	fn is_responsible(&self, class: u8) -> bool {
		is_responsible(class, self.me, self.serving, self.doublings())
	}

	/// How often the longest that a target should wait has passed, for the one that waits longest.
	fn doublings(&self) -> u32 {
		let scanned = self.scanned().map(|(_, target)| self.tick.saturating_sub(target.since));
		scanned.max().unwrap_or(0) / self.config.lazy_max.max(1)
	}

	/// The targets whose fragments are found by passes.
	fn scanned(&self) -> impl Iterator<Item = (&MinerId, &Target)> {
		self.targets.iter().filter(|(miner, target)| {
			target.fragments > 0 && matches!(self.sources.get(miner), Some(Source::Scan))
		})
	}

	/// What to read next; `None` while there is nothing.
	pub fn next(&mut self, now: Duration) -> Option<Read> {
		if now < self.resume {
			return None;
		}
		if let Some(after) = self.orders {
			return Some(Read::Orders { after });
		}
		if let Some(after) = self.order_segments {
			let ids = self.worklist.unknown_segments(after, BATCH);
			self.order_segments = ids.last().map(|last| Some(*last));
			if !ids.is_empty() {
				return Some(Read::Segments(ids));
			}
		}
		let files = self.worklist.unknown_files(BATCH);
		if files.len() == BATCH {
			return Some(Read::Files(files));
		}
		if let Some(read) = self.next_list() {
			return Some(read);
		}
		if self.pass.is_none() && self.is_pass_due(now) {
			self.begin_pass(now);
		}
		if let Some(read) = self.next_class(now) {
			return Some(read);
		}
		(!files.is_empty()).then_some(Read::Files(files))
	}

	fn next_list(&self) -> Option<Read> {
		self.sources.iter().find_map(|(miner, source)| match source {
			Source::List(listing)
				if listing.pages > 0
					&& self.targets.get(miner).is_some_and(|target| target.fragments > 0) =>
			{
				Some(Read::List { target: *miner, after: listing.after })
			},
			_ => None,
		})
	}

	fn is_pass_due(&self, now: Duration) -> bool {
		if self.scanned().next().is_none() {
			return false;
		}
		let Some(passed) = &self.passed else { return true };
		let since = now.saturating_sub(passed.at);
		let new = self.scanned().any(|(miner, _)| !passed.covered.contains(miner))
			|| self.lagged
			|| self.responsible().len() > passed.classes;
		// A pass never takes more than a tenth of the time for what it probably does not find.
		let pause = self.config.pass_pause.max(passed.took * 9);
		new || since >= self.config.pass_every.max(pause) || (since >= pause && self.dry)
	}

	/// The classes this miner is responsible for.
	fn responsible(&self) -> Vec<u8> {
		(0..=255).filter(|class| self.is_responsible(*class)).collect()
	}

	fn begin_pass(&mut self, now: Duration) {
		let mut classes = self.responsible();
		let all = classes.iter().copied().collect();
		// Each miner begins elsewhere.
		let turn = splitmix(planner::seed(self.me, self.passes));
		if let Some(first) = usize::try_from(turn).ok().and_then(|n| n.checked_rem(classes.len())) {
			classes.rotate_left(first);
		}
		let covers = self.scanned().map(|(miner, _)| *miner).collect();
		self.lagged = false;
		self.worklist.begin_round();
		self.pass = Some(Pass { begun: now, covers, classes, after: None, all, scanned: 0 });
		self.dry = false;
	}

	fn next_class(&mut self, now: Duration) -> Option<Read> {
		let pass = self.pass.as_ref()?;
		if let Some(class) = pass.classes.last() {
			return Some(Read::Class { class: *class, after: pass.after });
		}
		let pass = self.pass.take()?;
		self.worklist.end_round(|class| pass.all.contains(&class));
		self.passes += 1;
		self.passed = Some(Passed {
			at: now,
			covered: pass.covers,
			classes: pass.all.len(),
			took: now.saturating_sub(pass.begun),
			scanned: pass.scanned,
		});
		None
	}

	/// A page of orders was read; it may be the `last` one.
	pub fn read_orders(&mut self, page: Vec<(FragmentId, OrderRow)>, last: bool) {
		if self.orders == Some(None) {
			self.worklist.forget_orders();
		}
		self.orders = page.last().filter(|_| !last).map(|(id, _)| Some(*id));
		for (fragment, order) in page {
			self.worklist.put_order(fragment, Some(order));
		}
		if self.orders.is_none() {
			self.order_segments = Some(None);
		}
	}

	/// Segments were read by their ids.
	pub fn read_segments(
		&mut self,
		segments: impl IntoIterator<Item = (SegmentId, Option<Segment>)>,
	) {
		for (id, segment) in segments {
			self.worklist.put(id, segment, &self.targets);
		}
	}

	/// Files were read by their indices.
	pub fn read_files(&mut self, files: impl IntoIterator<Item = (FileIndex, Option<FileRow>)>) {
		for (file, row) in files {
			self.worklist.put_file(file, row);
		}
	}

	/// A page of a class was read; it may be the `last` one.
	pub fn read_class(&mut self, class: u8, page: Vec<(SegmentId, Segment)>, last: bool) {
		let Some(pass) = self.pass.as_mut().filter(|pass| pass.classes.last() == Some(&class))
		else {
			return;
		};
		pass.scanned += page.len() as u64;
		pass.after = page.last().map(|(id, _)| *id);
		if last {
			pass.classes.pop();
			pass.after = None;
		}
		for (id, segment) in page {
			self.worklist.put(id, Some(segment), &self.targets);
		}
	}

	/// A target has listed these names; `None` for those that the chain does not know. It may be
	/// the `last` page.
	pub fn read_list(
		&mut self,
		target: MinerId,
		names: &[FragmentName],
		records: &[Option<FragmentRecord>],
		last: bool,
		now: Duration,
	) {
		let Some(Source::List(listing)) = self.sources.get_mut(&target) else { return };
		let mut before = listing.after;
		let rising = names.iter().all(|name| before.replace(*name).is_none_or(|old| old < *name));
		let own = records.iter().flatten().filter(|record| is_held(record, target));
		let own: Vec<&FragmentRecord> = own.collect();
		// What the first round has seen does not count again in the second.
		let (start, wrapped) = (listing.start, listing.wrapped);
		let new = own.iter().filter(|record| !wrapped || record.name < start).count();
		listing.pages = listing.pages.saturating_sub(1);
		let end = match names.last() {
			Some(name) if !last => {
				listing.after = Some(*name);
				listing.wrapped && *name >= listing.start
			},
			_ if listing.wrapped => true,
			_ => {
				listing.wrapped = true;
				listing.after = None;
				false
			},
		};
		listing.confirmed =
			listing.confirmed.saturating_add(u32::try_from(new).unwrap_or(u32::MAX));
		let empty = own.is_empty() && !names.is_empty();
		listing.strikes += u8::from(empty);
		let held = self.targets.get(&target).map_or(0, |target| target.fragments);
		let lies = !rising || listing.strikes >= MAX_STRIKES || (end && listing.confirmed < held);
		let segments: Vec<_> = own.into_iter().map(segment_of).collect();
		for (id, segment) in segments {
			self.worklist.put(id, Some(segment), &self.targets);
		}
		let pause = self.config.pass_pause;
		if lies {
			self.sources.insert(target, Source::Scan);
		} else if end {
			self.sources.insert(target, Source::Listed(now + pause));
		}
	}

	/// The read failed, because of the target in the case of its list.
	pub fn failed(&mut self, read: &Read, now: Duration) {
		if let Read::List { target, .. } = read
			&& let Some(Source::List(listing)) = self.sources.get_mut(target)
		{
			listing.strikes += 1;
			if listing.strikes >= MAX_STRIKES {
				self.sources.insert(*target, Source::Scan);
				return;
			}
		}
		self.resume = now + PAUSE;
	}

	/// The best candidates, to be looked up on chain before [`Finder::plan`].
	///
	/// Targets whose list has run dry are asked again. What is `vacated` and lies here is never left
	/// alone.
	pub fn candidates(
		&mut self,
		conditions: Conditions,
		vacated: &BTreeSet<FragmentId>,
		now: Duration,
	) -> Vec<Candidate> {
		self.ask_again(now);
		self.turn += 1;
		let seed = planner::seed(self.me, self.turn);
		let mut best: Vec<Candidate> = Vec::new();
		let candidates = self.worklist.candidates(&self.targets, conditions);
		let shelved = |candidate: &Candidate| {
			let id = candidate.fragment.segment;
			let same = |shelved: &Shelved| {
				now < shelved.until && shelved.spare.is_none_or(|spare| candidate.spare <= spare)
			};
			self.shelved.get(&id).is_some_and(same) && !is_vacated(vacated, id)
		};
		// All know the orders and what those hold that say so.
		let cover = COVER.checked_shl(self.doublings().min(32)).unwrap_or(u64::MAX);
		let cover = self.serving.min(u32::try_from(cover).unwrap_or(u32::MAX));
		let tries = |candidate: &Candidate| {
			let known_to_all = candidate.ordered || candidate.way == Way::Copy;
			let known =
				if known_to_all { Known::ToAll(self.serving) } else { Known::ToResponsible(cover) };
			is_vacated(vacated, candidate.fragment.segment) || tries_for(candidate, known, seed)
		};
		for candidate in candidates.filter(|candidate| !shelved(candidate) && tries(candidate)) {
			best.push(candidate);
			if best.len() >= 4 * MAX_CANDIDATES {
				planner::keep_best(&mut best, MAX_CANDIDATES, seed);
			}
		}
		planner::keep_best(&mut best, MAX_CANDIDATES, seed);
		best
	}

	fn ask_again(&mut self, now: Duration) {
		let held = self.worklist.held(&self.targets);
		let dry = self.scanned().any(|(miner, _)| !held.contains_key(miner));
		self.dry = dry;
		for (miner, source) in &mut self.sources {
			let dry = !held.contains_key(miner)
				&& self.targets.get(miner).is_some_and(|target| target.fragments > 0);
			match source {
				Source::List(listing) if dry && listing.pages == 0 => listing.pages = LIST_PAGES,
				Source::Listed(at) if dry && now >= *at => {
					*source = Source::List(Listing::new(planner::seed(self.me, self.turn)));
				},
				_ => (),
			}
		}
	}

	/// What to claim, best first, of candidates whose segments are like these `records` on the best
	/// block; `budget` is what this miner can do.
	///
	/// `vacated` is what lies whole in this miner's store and is assigned to nobody, as after a
	/// segment was lost and its holder came back. That goes first, and of such a segment this miner
	/// takes nothing else.
	pub fn plan(
		&mut self,
		candidates: &[Candidate],
		records: &[Option<FragmentRecord>],
		vacated: &BTreeSet<FragmentId>,
		conditions: Conditions,
		mut budget: planner::Budget,
	) -> Vec<FragmentId> {
		let mut segments = BTreeSet::new();
		for (candidate, record) in candidates.iter().zip(records) {
			let id = candidate.fragment.segment;
			let segment = record.as_ref().filter(|record| is_alive(record));
			// Who has claimed what is fresher in the record as well.
			let mine = record.as_ref().is_some_and(|r| r.claims.iter().any(|c| c.by == self.me));
			let taken = record.as_ref().is_some_and(|record| record.claimed_by().is_some());
			self.worklist.put(id, segment.map(|record| segment_of(record).1), &self.targets);
			if segment.is_some() && !mine && !taken {
				segments.insert(candidate.fragment);
			}
		}
		let ids: BTreeSet<SegmentId> = segments.iter().map(|fragment| fragment.segment).collect();
		let (had, mut fresh): (Vec<Candidate>, Vec<Candidate>) = ids
			.into_iter()
			.flat_map(|id| self.worklist.candidates_of(id, &self.targets, conditions))
			.filter(|candidate| segments.contains(&candidate.fragment))
			.partition(|candidate| vacated.contains(&candidate.fragment));
		let seed = planner::seed(self.me, self.turn);
		budget.claims = budget.claims.min(self.races.window());
		let free = planner::Budget { bytes: u64::MAX, ..budget };
		self.planned = planner::plan(had, free, seed);
		fresh.retain(|candidate| !is_vacated(vacated, candidate.fragment.segment));
		budget.claims -= self.planned.len();
		self.planned.extend(planner::plan(fresh, budget, seed));
		self.planned.truncate(MAX_LISTED);
		self.planned.clone()
	}

	/// What was planned last, to be looked up for [`Finder::review`].
	pub fn planned(&self) -> &[FragmentId] {
		&self.planned
	}

	/// Sees what became of the last plan.
	pub fn review(&mut self, records: &[Option<FragmentRecord>], now: Duration) -> Raced {
		let mut raced = Raced::default();
		let mut fruitless = BTreeMap::new();
		for (fragment, record) in std::mem::take(&mut self.planned).into_iter().zip(records) {
			let Some(record) = record else { continue };
			let held = record.holders.get(usize::from(fragment.index)).copied().flatten();
			match record.claimed_by() {
				Some(by) if by == self.me => raced.won += 1,
				Some(_) => raced.lost += 1,
				None if held == Some(self.me) => raced.won += 1,
				None => {
					let times = self.fruitless.get(&fragment).map_or(1, |times| times + 1);
					if times >= FRUITLESS {
						self.shelve(fragment.segment, now);
					} else {
						fruitless.insert(fragment, times);
					}
				},
			}
		}
		self.fruitless = fruitless;
		self.races.note(raced.won, raced.lost);
		raced
	}

	/// Leaves a segment alone for a while, unless more of it comes back: a claim in it came to
	/// nothing.
	pub fn shelve(&mut self, segment: SegmentId, now: Duration) {
		if self.shelved.len() >= MAX_SHELVED {
			self.shelved.retain(|_, shelved| now < shelved.until);
		}
		if self.shelved.len() >= MAX_SHELVED {
			self.shelved.pop_first();
		}
		let spare = self.worklist.spare(segment, &self.targets);
		let shelved = self.shelved.entry(segment).or_default();
		shelved.spare = spare;
		if now >= shelved.until {
			shelved.until =
				now + self.config.shelve_for * 2u32.pow(shelved.times.min(SHELVED_DOUBLINGS));
			shelved.times += 1;
		}
	}

	/// How far the search is.
	pub fn status(&self) -> FinderStatus {
		let classes = self.pass.as_ref().map_or_else(|| self.responsible().len(), |p| p.all.len());
		let last = self.passed.as_ref();
		let (scanning, scanned) = match &self.pass {
			Some(pass) => (true, pass.scanned),
			None => (false, last.map_or(0, |passed| passed.scanned)),
		};
		FinderStatus {
			scanning,
			scanned,
			total: scanned.max(self.segments_ever * classes as u64 / 256),
			worklist: self.worklist.len() as u64,
			targets: self.targets.len() as u64,
			passes: self.passes,
			last_pass_millis: last
				.map_or(0, |passed| passed.took.as_millis().try_into().unwrap_or(u64::MAX)),
		}
	}
}

/// Whether something of the segment is among what is `vacated`.
fn is_vacated(vacated: &BTreeSet<FragmentId>, segment: SegmentId) -> bool {
	let fragment = |index| FragmentId { segment, index };
	vacated.range(fragment(0)..=fragment(u8::MAX)).next().is_some()
}

/// Whether the chain says that `miner` holds the fragment.
fn is_held(record: &FragmentRecord, miner: MinerId) -> bool {
	let index = record.name.index;
	is_alive(record)
		&& record.confirmed & bit(index) != 0
		&& record.holders.get(usize::from(index)) == Some(&Some(miner))
}

fn is_alive(record: &FragmentRecord) -> bool {
	matches!(record.state, FileLife::Pending | FileLife::Active)
}

/// The segment of a fragment's record.
fn segment_of(record: &FragmentRecord) -> (SegmentId, Segment) {
	let count = u8::try_from(record.holders.len()).unwrap_or(u8::MAX);
	let mut segment = Segment::unplaced(record.name.file, count);
	for (index, holder) in (0..).zip(&record.holders) {
		segment.holders.set(index, holder.unwrap_or(MinerId::NOBODY));
	}
	segment.confirmed = record.confirmed;
	segment.restoring = record.restoring;
	(record.fragment.segment, segment)
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::CodingParams;
	use planaria_runtime_api::{OrderCause, SegmentClaim};
	use planaria_worker::planner::Budget;

	const ME: MinerId = MinerId(0);
	const SHELVED: Duration = Duration::from_secs(900);
	const LEAVING: MinerId = MinerId(1);
	const DEAD: MinerId = MinerId(2);
	const CONFIG: FinderConfig = FinderConfig {
		capacity: 1000,
		lazy_max: 100,
		pass_every: Duration::from_secs(3600),
		pass_pause: Duration::from_secs(60),
		shelve_for: SHELVED,
	};
	const NOW: Conditions = Conditions { tick: 10, lazy_max: 100, braked: false };
	const PLENTY: Budget = Budget { claims: 128, bytes: u64::MAX, idle: true };

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	/// A chain of segments of 2+1, each the only one of its file, with these holders.
	struct Chain {
		segments: BTreeMap<SegmentId, Segment>,
		miners: BTreeMap<MinerId, MinerStanding>,
		/// What the leaving miner says it holds; `None`: it does not answer.
		list: Option<Vec<FragmentName>>,
		orders: BTreeMap<FragmentId, OrderRow>,
		/// What lies in this miner's store and is assigned to nobody.
		vacated: BTreeSet<FragmentId>,
	}

	impl Chain {
		fn new(count: u64, holders: [u32; 3]) -> Self {
			let mut chain = Self {
				segments: BTreeMap::new(),
				miners: (0..8).map(|miner| (MinerId(miner), MinerStanding::Serving)).collect(),
				list: Some(Vec::new()),
				orders: BTreeMap::new(),
				vacated: BTreeSet::new(),
			};
			for id in 0..count {
				let mut segment = Segment::unplaced(FileIndex(id), 3);
				for (index, holder) in (0..).zip(holders) {
					segment.holders.set(index, MinerId(holder));
				}
				segment.confirmed = 0b111;
				chain.segments.insert(SegmentId(id), segment);
			}
			chain
		}

		fn name(id: FragmentId) -> FragmentName {
			let file_id = FileId(*blake3::hash(&id.segment.0.to_le_bytes()).as_bytes());
			FragmentName { file_id, file: FileIndex(id.segment.0), segment: 0, index: id.index }
		}

		/// What a miner holds, in the order of names.
		fn held(&self, miner: MinerId) -> Vec<FragmentName> {
			let held = self.segments.iter().filter_map(|(segment, record)| {
				let index = record.index_of(miner)?;
				Some(Self::name(FragmentId { segment: *segment, index }))
			});
			let mut held: Vec<_> = held.collect();
			held.sort();
			held
		}

		fn record(&self, fragment: FragmentId) -> Option<FragmentRecord> {
			let segment = self.segments.get(&fragment.segment)?;
			let claim = self.orders.get(&fragment).and_then(|order| order.claim);
			Some(FragmentRecord {
				fragment,
				name: Self::name(fragment),
				size: 100,
				coding: CodingParams::LEAN,
				state: FileLife::Active,
				holders: (0..3).map(|index| segment.holder(index)).collect(),
				confirmed: segment.confirmed,
				restoring: segment.restoring,
				claims: claim
					.map(|(by, deadline)| SegmentClaim {
						index: fragment.index,
						by,
						deadline,
						ready: false,
					})
					.into_iter()
					.collect(),
				spare: 0,
				verdict: None,
			})
		}

		fn rows(&self) -> Vec<MinerRow> {
			let row = |(miner, standing): (&MinerId, &MinerStanding)| MinerRow {
				miner: *miner,
				standing: *standing,
				since: 0,
				absent: None,
				last_seen: 0,
				fragments: self.held(*miner).len() as u32,
				idle: false,
			};
			self.miners.iter().map(row).collect()
		}

		/// Answers reads until there are no more, with pages of 10; returns what was read.
		fn run(&self, finder: &mut Finder, now: Duration) -> Vec<Read> {
			finder.observe(&self.rows(), NOW.tick, self.segments.len() as u64);
			let mut reads = Vec::new();
			while let Some(read) = finder.next(now) {
				assert!(reads.len() < 10_000, "it never ends: {read:?}");
				match &read {
					Read::Orders { .. } => {
						let orders = self.orders.iter().map(|(id, order)| (*id, *order));
						finder.read_orders(orders.collect(), true);
					},
					Read::Segments(ids) => {
						let segments = ids.iter().map(|id| (*id, self.segments.get(id).cloned()));
						finder.read_segments(segments.collect::<Vec<_>>());
					},
					Read::Files(files) => {
						let row = |file: &FileIndex| FileRow {
							size: 100,
							coding: CodingParams::LEAN,
							first_segment: SegmentId(file.0),
							alive: true,
						};
						let rows = files.iter().map(|file| (*file, Some(row(file))));
						finder.read_files(rows.collect::<Vec<_>>());
					},
					Read::Class { class, after } => {
						let of_class = self.segments.iter().filter(|(id, _)| {
							class_of(**id) == *class && after.is_none_or(|after| **id > after)
						});
						let page: Vec<_> =
							of_class.take(10).map(|(id, s)| (*id, s.clone())).collect();
						let last = page.len() < 10;
						finder.read_class(*class, page, last);
					},
					Read::List { target, after } => match &self.list {
						None => finder.failed(&read, now.saturating_sub(PAUSE)),
						Some(list) => {
							let names: Vec<_> = list
								.iter()
								.filter(|name| after.is_none_or(|after| **name > after))
								.take(10)
								.copied()
								.collect();
							let record = |name: &FragmentName| {
								self.record(FragmentId {
									segment: SegmentId(name.file.0),
									index: name.index,
								})
							};
							let records: Vec<_> = names.iter().map(record).collect();
							finder.read_list(*target, &names, &records, names.len() < 10, now);
						},
					},
				}
				reads.push(read);
			}
			reads
		}

		fn plan(&self, finder: &mut Finder, now: Duration) -> Vec<FragmentId> {
			let candidates = finder.candidates(NOW, &self.vacated, now);
			let records: Vec<_> = candidates.iter().map(|c| self.record(c.fragment)).collect();
			finder.plan(&candidates, &records, &self.vacated, NOW, PLENTY)
		}

		fn review(&self, finder: &mut Finder, now: Duration) -> Raced {
			let records: Vec<_> = finder.planned().iter().map(|id| self.record(*id)).collect();
			finder.review(&records, now)
		}
	}

	fn scans(reads: &[Read]) -> usize {
		reads.iter().filter(|read| matches!(read, Read::Class { .. })).count()
	}

	#[test]
	fn every_class_is_covered_and_nobody_scans_more_than_needed() {
		for miners in [1, 20, 40, 41, 100, 1000, 10_000] {
			let count = |class| {
				(0..miners).filter(|me| is_responsible(class, MinerId(*me), miners, 0)).count()
			};
			let covers: Vec<usize> = (0..=255).map(count).collect();
			let least = covers.iter().min().copied().unwrap_or(0);
			let wanted = (miners as usize).min(40);
			let mean = covers.iter().sum::<usize>() as f64 / 256.0;
			assert!((mean - wanted as f64).abs() < 2.0, "{miners}: {mean}");
			assert!(least >= wanted.min(20), "{miners}: {least}");
		}
	}

	#[test]
	fn the_share_doubles_until_everybody_is_responsible() {
		let share = |doublings| {
			let mine = (0..=255).filter(|class| is_responsible(*class, ME, 10_000, doublings));
			mine.count()
		};
		let shares: Vec<usize> = (0..9).map(share).collect();
		assert!(shares.is_sorted() && shares[0] < 8 && shares[8] == 256, "{shares:?}");
		assert_eq!(share(u32::MAX), 256);
	}

	#[test]
	fn one_pass_finds_all_that_a_dead_miner_held_and_no_other_follows() {
		let mut chain = Chain::new(600, [2, 3, 4]);
		let mut finder = Finder::new(ME, CONFIG);
		assert_eq!(chain.run(&mut finder, secs(0)), [Read::Orders { after: None }]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		assert_eq!(scans(&chain.run(&mut finder, secs(1))), 256);
		assert_eq!(finder.worklist().held(finder.targets()), BTreeMap::from([(DEAD, 600)]));
		let status = finder.status();
		assert_eq!((status.scanned, status.passes, status.targets), (600, 1, 1));
		assert_eq!(chain.plan(&mut finder, secs(1)).len(), 128);
		assert_eq!(chain.run(&mut finder, secs(1000)), []);
		// After the configured time it looks again.
		assert_eq!(scans(&chain.run(&mut finder, secs(3700))), 256);
	}

	#[test]
	fn a_new_target_missed_changes_and_an_empty_list_begin_another_pass() {
		let mut chain = Chain::new(20, [2, 3, 4]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		let mut finder = Finder::new(ME, CONFIG);
		assert_eq!(scans(&chain.run(&mut finder, secs(0))), 256);
		chain.miners.insert(MinerId(3), MinerStanding::Expelled);
		assert_eq!(scans(&chain.run(&mut finder, secs(1))), 256);
		finder.lagged();
		let reads = chain.run(&mut finder, secs(2));
		assert_eq!((scans(&reads), &reads[0]), (256, &Read::Orders { after: None }));
		// Everything known is under restoration, but the targets hold more than is known.
		for id in 0..20 {
			finder.changed_segment(SegmentId(id), None);
		}
		chain.plan(&mut finder, secs(3));
		assert_eq!(scans(&chain.run(&mut finder, secs(3))), 0);
		assert_eq!(scans(&chain.run(&mut finder, secs(62))), 256);
		assert_eq!(finder.worklist().len(), 20);
		// One that came back and went again is looked for again.
		chain.miners.insert(DEAD, MinerStanding::Serving);
		assert_eq!(scans(&chain.run(&mut finder, secs(63))), 0);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		assert_eq!(scans(&chain.run(&mut finder, secs(64))), 256);
	}

	#[test]
	fn a_leaving_miner_is_asked_and_nothing_is_scanned() {
		let mut chain = Chain::new(100, [1, 3, 4]);
		chain.miners.insert(LEAVING, MinerStanding::Leaving);
		chain.list = Some(chain.held(LEAVING));
		let mut finder = Finder::new(ME, CONFIG);
		let reads = chain.run(&mut finder, secs(0));
		assert_eq!(scans(&reads), 0);
		assert_eq!(finder.worklist().len(), 100);
		assert_eq!(chain.plan(&mut finder, secs(0)).len(), 100);
		// Each miner begins elsewhere in the list.
		let first = |me| {
			let mut finder = Finder::new(MinerId(me), CONFIG);
			let reads = chain.run(&mut finder, secs(0));
			reads.into_iter().find(|read| matches!(read, Read::List { .. }))
		};
		assert_ne!(first(5), first(6));
	}

	#[test]
	fn a_long_list_is_read_as_far_as_is_needed() {
		let mut chain = Chain::new(1000, [1, 3, 4]);
		chain.miners.insert(LEAVING, MinerStanding::Leaving);
		chain.list = Some(chain.held(LEAVING));
		let mut finder = Finder::new(ME, CONFIG);
		assert_eq!(chain.run(&mut finder, secs(0)).len() as u32, 1 + LIST_PAGES + 1);
		let known = finder.worklist().len();
		assert!((150..=160).contains(&known), "{known}");
		chain.plan(&mut finder, secs(0));
		assert_eq!(chain.run(&mut finder, secs(1)), []);
		for id in 0..1000 {
			finder.changed_segment(SegmentId(id), None);
		}
		chain.plan(&mut finder, secs(2));
		assert_eq!(chain.run(&mut finder, secs(2)).len() as u32, LIST_PAGES + 1);
		assert_eq!(finder.status().passes, 0);
	}

	#[test]
	fn who_lists_too_little_wrong_names_or_nothing_is_scanned_for() {
		let mut chain = Chain::new(100, [1, 3, 4]);
		chain.miners.insert(LEAVING, MinerStanding::Leaving);
		let own = chain.held(LEAVING);
		let others = chain.held(MinerId(3));
		let mut falling = own.clone();
		falling.reverse();
		for list in [None, Some(vec![]), Some(own[1..].to_vec()), Some(others), Some(falling)] {
			chain.list = list;
			let mut finder = Finder::new(ME, CONFIG);
			assert_eq!(scans(&chain.run(&mut finder, secs(100))), 256);
			assert_eq!(finder.worklist().len(), 100);
		}
	}

	#[test]
	fn a_leaving_miner_that_disappears_is_scanned_for() {
		let mut chain = Chain::new(10, [1, 3, 4]);
		chain.miners.insert(LEAVING, MinerStanding::Leaving);
		chain.list = Some(chain.held(LEAVING));
		let mut finder = Finder::new(ME, CONFIG);
		assert_eq!(scans(&chain.run(&mut finder, secs(0))), 0);
		chain.miners.insert(LEAVING, MinerStanding::Expelled);
		assert_eq!(scans(&chain.run(&mut finder, secs(1))), 256);
		assert!(
			finder.candidates(NOW, &BTreeSet::new(), secs(1)).iter().all(|c| c.way == Way::Rebuild)
		);
	}

	#[test]
	fn orders_are_found_with_their_segments_and_changes_are_followed() {
		let mut chain = Chain::new(3, [5, 3, 4]);
		let fragment = |id| FragmentId { segment: SegmentId(id), index: 0 };
		let order = OrderRow { claim: None, cause: OrderCause::Broken, opened: 0, disputed: false };
		chain.orders.insert(fragment(0), order);
		chain.segments.get_mut(&SegmentId(0)).expect("there").restoring = 1;
		let mut finder = Finder::new(ME, CONFIG);
		chain.run(&mut finder, secs(0));
		assert_eq!(chain.plan(&mut finder, secs(0)), [fragment(0)]);

		// Another is opened, the first is claimed by somebody else.
		chain.orders.insert(fragment(1), order);
		chain.segments.get_mut(&SegmentId(1)).expect("there").restoring = 1;
		chain.orders.insert(fragment(0), OrderRow { claim: Some((DEAD, 99)), ..order });
		finder.changed_segment(SegmentId(1), chain.segments.get(&SegmentId(1)).cloned());
		for (id, order) in &chain.orders {
			finder.changed_order(*id, Some(*order));
		}
		chain.run(&mut finder, secs(1));
		assert_eq!(chain.review(&mut finder, secs(1)), Raced { won: 0, lost: 1 });
		assert_eq!(chain.plan(&mut finder, secs(1)), [fragment(1)]);

		// It is gone again, and the finder has missed it: the chain's record decides.
		chain.orders.remove(&fragment(1));
		chain.segments.get_mut(&SegmentId(1)).expect("there").restoring = 0;
		assert_eq!(chain.plan(&mut finder, secs(1)), []);
		assert!(!finder.worklist().contains(SegmentId(1)));
	}

	#[test]
	fn what_lies_here_already_is_claimed_first_and_of_its_segment_nothing_else() {
		let mut chain = Chain::new(3, [2, 2, 4]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		let mut finder = Finder::new(ME, CONFIG);
		chain.run(&mut finder, secs(0));
		let fragment = FragmentId { segment: SegmentId(1), index: 1 };
		chain.vacated.insert(fragment);
		finder.shelve(SegmentId(1), secs(0));
		for turn in 0..20 {
			let plan = chain.plan(&mut finder, secs(turn));
			assert_eq!((plan.len(), plan[0]), (3, fragment));
		}
		// Somebody else has claimed it: this miner waits, or is asked for it.
		let order = OrderRow {
			claim: Some((MinerId(7), 99)),
			cause: OrderCause::Target,
			opened: 0,
			disputed: false,
		};
		chain.orders.insert(fragment, order);
		chain.segments.get_mut(&SegmentId(1)).expect("there").restoring = 0b10;
		assert!(chain.plan(&mut finder, secs(20)).iter().all(|id| id.segment != SegmentId(1)));
	}

	#[test]
	fn what_never_comes_to_anything_is_left_alone_for_a_while() {
		let mut chain = Chain::new(1, [2, 3, 4]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		let mut finder = Finder::new(ME, CONFIG);
		chain.run(&mut finder, secs(0));
		for _ in 0..FRUITLESS {
			assert_eq!(chain.plan(&mut finder, secs(0)).len(), 1);
			chain.review(&mut finder, secs(0));
		}
		assert_eq!(chain.plan(&mut finder, secs(0)), []);
		assert_eq!(chain.plan(&mut finder, SHELVED).len(), 1);
		finder.shelve(SegmentId(0), SHELVED);
		assert_eq!(chain.plan(&mut finder, SHELVED * 2), []);
		assert_eq!(chain.plan(&mut finder, SHELVED * 3).len(), 1);
	}

	#[test]
	fn a_segment_of_which_more_comes_back_is_tried_again_at_once() {
		let mut chain = Chain::new(1, [2, 3, 4]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		chain.miners.insert(MinerId(3), MinerStanding::Absent);
		let mut finder = Finder::new(ME, CONFIG);
		chain.run(&mut finder, secs(0));
		assert_eq!(chain.plan(&mut finder, secs(0)).len(), 1);
		finder.shelve(SegmentId(0), secs(0));
		assert_eq!(chain.plan(&mut finder, secs(1)), []);
		chain.miners.insert(MinerId(3), MinerStanding::Serving);
		chain.run(&mut finder, secs(2));
		assert_eq!(chain.plan(&mut finder, secs(2)).len(), 1);
		finder.shelve(SegmentId(0), secs(2));
		assert_eq!(chain.plan(&mut finder, secs(3)), []);
	}

	#[test]
	fn a_miner_that_loses_races_tries_for_less() {
		let mut chain = Chain::new(200, [2, 3, 4]);
		chain.miners.insert(DEAD, MinerStanding::Absent);
		let mut finder = Finder::new(ME, CONFIG);
		chain.run(&mut finder, secs(0));
		let plan = chain.plan(&mut finder, secs(0));
		assert_eq!(plan.len(), 128);
		let order = OrderRow {
			claim: Some((MinerId(7), 99)),
			cause: OrderCause::Target,
			opened: 0,
			disputed: false,
		};
		for fragment in plan {
			chain.orders.insert(fragment, order);
			chain.segments.get_mut(&fragment.segment).expect("there").restoring = 1;
		}
		assert_eq!(chain.review(&mut finder, secs(1)), Raced { won: 0, lost: 128 });
		assert_eq!(chain.plan(&mut finder, secs(1)).len(), 64);
	}

	fn dead_fragment(segment: u64, spare: i16) -> Candidate {
		Candidate {
			fragment: FragmentId { segment: SegmentId(segment), index: 3 },
			holder: Some(DEAD),
			len: 100,
			data: 4,
			parity: 8,
			spare,
			way: Way::Rebuild,
			since: 0,
			under_way: false,
			ordered: false,
			disputed: false,
		}
	}

	#[test]
	fn few_of_many_try_for_a_fragment_at_once_and_each_has_its_turn() {
		for known in [Known::ToAll, Known::ToResponsible] {
			let tries = |spare, miner, miners, turn| {
				let seed = planner::seed(MinerId(miner), turn);
				tries_for(&dead_fragment(7, spare), known(miners), seed)
			};
			assert!((0..8).all(|miner| tries(5, miner, 8, 0)));
			let count = |spare| {
				let turns = (0..100).flat_map(|turn| (0..300).map(move |miner| (miner, turn)));
				turns.filter(|(miner, turn)| tries(spare, *miner, 300, *turn)).count()
			};
			let (thick, thin) = (count(THIN_SPARE + 1), count(THIN_SPARE));
			assert!((60..150).contains(&thick), "{thick} in 100 turns");
			assert!((600..1000).contains(&thin), "{thin} in 100 turns");
			assert!((0..3000).any(|turn| tries(5, 5, 300, turn)));
		}
	}

	#[test]
	fn what_one_holder_had_is_tried_for_together() {
		let tries = |known: Known, segment, miner| {
			tries_for(&dead_fragment(segment, 5), known, planner::seed(MinerId(miner), 0))
		};
		let (mut classes, mut together) = (BTreeSet::new(), 0);
		for miner in 0..300 {
			let all = Known::ToAll(300);
			let of_class = |class: u64| [class, class + 256].map(|id| tries(all, id, miner));
			for class in 0..256 {
				let [one, other] = of_class(class);
				assert_eq!(one, other);
				classes.extend(one.then_some(class));
			}
			let responsible: Vec<bool> =
				(0..100).map(|id| tries(Known::ToResponsible(40), id, miner)).collect();
			assert!(responsible.iter().all(|tries| *tries == responsible[0]));
			together += usize::from(responsible[0]);
		}
		// Each class by one miner on average, and all that is known by each fortieth.
		assert!(classes.len() > 128, "{}", classes.len());
		assert!((1..20).contains(&together), "{together}");
	}
}
