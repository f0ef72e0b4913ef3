// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the finders of all miners would find by scanning the chain's state, kept up to date by its
//! events, so that one scan serves them all.

use pallet_planaria_files::Segments;
use pallet_planaria_miners::Miners;
use pallet_planaria_restore::{BRAKED_SPARE, Orders};
use pallet_planaria_support::{Fragments as _, Standing};
use planaria_primitives::{CodingParams, FragmentId, MinerId, Segment, SegmentId, Tick};
use planaria_runtime::{Files, Restore, Runtime};
use planaria_worker::planner::{Candidate, Way};
use std::collections::{BTreeMap, BTreeSet};

/// How many classes of segments there are: the low byte of the id.
pub const CLASSES: usize = 256;

/// The chain's segments and miners as they were at the last refresh.
#[derive(Debug)]
pub struct Mirror {
	coding: CodingParams,
	len: u32,
	lazy_max: Tick,
	segments: Vec<Option<Segment>>,
	/// Whose file can still be confirmed and restored.
	alive: Vec<bool>,
	standings: Vec<Option<(Standing, Tick)>>,
	/// Unclaimed orders.
	orders: BTreeMap<FragmentId, Candidate>,
	/// Orders that nobody needs any more.
	void: BTreeSet<FragmentId>,
	/// Segments whose verdict is not what their fragments say.
	misjudged: BTreeSet<SegmentId>,
	/// What restore targets hold and nobody has opened an order for, if it is due; by class.
	held: Vec<BTreeMap<FragmentId, Candidate>>,
	due: usize,
	braked: bool,
	/// Targets to look at again when what they held is not left alone any longer.
	patience: BTreeMap<Tick, Vec<MinerId>>,
}

impl Mirror {
	/// Nothing is known yet. A fragment counts as `len` bytes.
	pub fn new(coding: CodingParams, len: u32, lazy_max: Tick) -> Self {
		Self {
			coding,
			len,
			lazy_max,
			segments: Vec::new(),
			alive: Vec::new(),
			standings: Vec::new(),
			orders: BTreeMap::new(),
			void: BTreeSet::new(),
			misjudged: BTreeSet::new(),
			held: vec![BTreeMap::new(); CLASSES],
			due: 0,
			braked: false,
			patience: BTreeMap::new(),
		}
	}

	/// Whether there is anything to restore for anybody.
	pub fn is_idle(&self) -> bool {
		self.due == 0 && self.orders.is_empty()
	}

	/// A segment.
	pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
		self.segments.get(usize::try_from(id.0).ok()?)?.as_ref()
	}

	/// A segment, and whether its file can still be confirmed and restored.
	pub fn known(&self, id: SegmentId) -> Option<(&Segment, bool)> {
		let place = usize::try_from(id.0).ok()?;
		Some((self.segments.get(place)?.as_ref()?, *self.alive.get(place)?))
	}

	/// All segments.
	pub fn segments(&self) -> impl Iterator<Item = (SegmentId, &Segment)> {
		(0..)
			.zip(&self.segments)
			.filter_map(|(id, segment)| Some((SegmentId(id), segment.as_ref()?)))
	}

	/// How the chain sees a miner.
	pub fn standing(&self, miner: MinerId) -> Option<Standing> {
		Some(self.standings.get(miner.0 as usize)?.as_ref()?.0)
	}

	/// How many miners take data.
	pub fn serving(&self) -> usize {
		self.standings.iter().flatten().filter(|(standing, _)| standing.takes_data()).count()
	}

	/// The unclaimed orders.
	pub fn orders(&self) -> impl Iterator<Item = &Candidate> {
		self.orders.values()
	}

	/// The orders that anybody may tidy up, because their holder came back.
	pub fn void(&self) -> Vec<FragmentId> {
		self.void.iter().copied().collect()
	}

	/// The segments that anybody may have judged anew.
	pub fn misjudged(&self) -> Vec<SegmentId> {
		self.misjudged.iter().copied().collect()
	}

	/// What is due of a class.
	pub fn held(&self, class: usize) -> impl Iterator<Item = &Candidate> {
		self.held[class].values()
	}

	/// Everything that each of `miners` miners is assigned, in order.
	pub fn all_assigned(&self, miners: usize) -> Vec<Vec<FragmentId>> {
		let mut assigned = vec![Vec::new(); miners];
		for (segment, record) in self.segments() {
			for index in 0..record.fragments() {
				let holder = record.holder(index).map(|holder| holder.0 as usize);
				if let Some(list) = holder.and_then(|holder| assigned.get_mut(holder)) {
					list.push(FragmentId { segment, index });
				}
			}
		}
		assigned
	}

	/// Everything that `miner` is assigned, in order.
	pub fn assigned(&self, miner: MinerId) -> Vec<FragmentId> {
		self.segments()
			.filter_map(|(segment, record)| {
				Some(FragmentId { segment, index: record.index_of(miner)? })
			})
			.collect()
	}

	/// Reads the standing of these miners, and what follows for their segments. To be run on the
	/// chain's state.
	pub fn refresh_miners(
		&mut self,
		miners: &BTreeSet<MinerId>,
		touched: &mut BTreeSet<SegmentId>,
	) {
		for miner in miners {
			let record = Miners::<Runtime>::get(miner);
			let now = record.and_then(|record| Some((record.standing()?, record.since)));
			let place = miner.0 as usize;
			if self.standings.len() <= place {
				self.standings.resize(place + 1, None);
			}
			let old = std::mem::replace(&mut self.standings[place], now);
			if old == now {
				continue;
			}
			if let Some((_, since)) = now.filter(|(standing, _)| standing.is_restore_target()) {
				self.patience.entry(since + self.lazy_max).or_default().push(*miner);
			}
			touched.extend(self.assigned(*miner).into_iter().map(|fragment| fragment.segment));
		}
	}

	/// Adds the segments of targets that have waited for long enough.
	pub fn lose_patience(&mut self, now: Tick, touched: &mut BTreeSet<SegmentId>) {
		while let Some(entry) = self.patience.first_entry().filter(|entry| *entry.key() <= now) {
			for miner in entry.remove() {
				touched.extend(self.assigned(miner).into_iter().map(|fragment| fragment.segment));
			}
		}
	}

	/// Adds the segments of all targets, as the brake was engaged or released.
	pub fn all_held(&mut self, touched: &mut BTreeSet<SegmentId>) {
		let braked = is_braked();
		if std::mem::replace(&mut self.braked, braked) != braked {
			let targets: Vec<MinerId> = (0..)
				.zip(&self.standings)
				.filter(|(_, standing)| standing.is_some_and(|(s, _)| s.is_restore_target()))
				.map(|(miner, _)| MinerId(miner))
				.collect();
			for miner in targets {
				touched.extend(self.assigned(miner).into_iter().map(|fragment| fragment.segment));
			}
		}
	}

	/// Reads these segments again. To be run on the chain's state.
	pub fn refresh(&mut self, touched: &BTreeSet<SegmentId>) {
		let now = pallet_planaria_clock::Now::<Runtime>::get();
		for id in touched {
			self.refresh_one(*id, now);
		}
	}

	fn refresh_one(&mut self, id: SegmentId, now: Tick) {
		let place = usize::try_from(id.0).expect("few segments; qed");
		if self.segments.len() <= place {
			self.segments.resize(place + 1, None);
			self.alive.resize(place + 1, false);
		}
		let record = Segments::<Runtime>::get(id);
		let class = place % CLASSES;
		for index in 0..self.coding.fragments() {
			let fragment = FragmentId { segment: id, index };
			self.orders.remove(&fragment);
			self.void.remove(&fragment);
			self.due -= usize::from(self.held[class].remove(&fragment).is_some());
		}
		self.misjudged.remove(&id);
		let info =
			record.as_ref().and_then(|_| Files::get(id)).filter(|info| info.state.is_alive());
		self.alive[place] = info.is_some();
		if let (Some(segment), Some(info)) = (&record, info) {
			let spare = Restore::spare(id, &info);
			if spare < 0 && Restore::is_misjudged(id) {
				self.misjudged.insert(id);
			}
			let standing_of = |index| {
				let holder: Option<MinerId> = segment.holder(index);
				holder.and_then(|holder| *self.standings.get(holder.0 as usize)?)
			};
			let way = |index| match standing_of(index) {
				Some((Standing::Leaving { expelled: false }, _)) => Way::Copy,
				_ => Way::Rebuild,
			};
			let rebuilding = (0..segment.fragments())
				.any(|index| segment.is_restoring(index) && way(index) == Way::Rebuild);
			let candidate = |index, way, since, ordered| Candidate {
				fragment: FragmentId { segment: id, index },
				len: self.len,
				data: self.coding.data,
				parity: self.coding.parity,
				spare,
				way,
				since,
				under_way: rebuilding,
				ordered,
				disputed: false,
			};
			let braked = is_braked() && spare > BRAKED_SPARE;
			for index in (0..segment.fragments()).filter(|index| segment.is_confirmed(*index)) {
				let standing = standing_of(index);
				let way = way(index);
				let fragment = FragmentId { segment: id, index };
				if segment.is_restoring(index) {
					let Some(order) = Orders::<Runtime>::get(fragment) else { continue };
					if order.state.claim().is_some_and(|(_, deadline)| now <= deadline) {
						continue;
					}
					if Restore::is_void(fragment, &order, &info) {
						self.void.insert(fragment);
					} else {
						let disputed = order.is_disputed();
						let candidate = candidate(index, way, order.opened, true);
						self.orders.insert(fragment, Candidate { disputed, ..candidate });
					}
				} else if let Some((_, since)) =
					standing.filter(|(standing, _)| standing.is_restore_target())
				{
					let candidate = candidate(index, way, since, false);
					let held_up = braked && way == Way::Rebuild;
					if !held_up && candidate.is_due(now, self.lazy_max) {
						self.held[class].insert(fragment, candidate);
						self.due += 1;
					}
				}
			}
		}
		self.segments[place] = record;
	}

	/// That what is known is what a scan would find. To be run on the chain's state.
	pub fn check(&self) -> anyhow::Result<()> {
		let mut fresh = Self::new(self.coding, self.len, self.lazy_max);
		let mut touched = BTreeSet::new();
		fresh.refresh_miners(&Miners::<Runtime>::iter_keys().collect(), &mut touched);
		fresh.refresh(&Segments::<Runtime>::iter_keys().collect());
		anyhow::ensure!(fresh.segments().eq(self.segments()), "a segment changed unnoticed");
		let known = |(id, _)| fresh.known(id) == self.known(id);
		anyhow::ensure!(fresh.segments().all(known), "a file's state changed unnoticed");
		let standings =
			|mirror: &Self| mirror.standings.iter().flatten().copied().collect::<Vec<_>>();
		anyhow::ensure!(
			standings(&fresh) == standings(self),
			"a miner's standing changed unnoticed"
		);
		anyhow::ensure!(fresh.orders.keys().eq(self.orders.keys()), "an order changed unnoticed");
		let held = |mirror: &Self| -> Vec<FragmentId> {
			mirror.held.iter().flat_map(|class| class.keys().copied()).collect()
		};
		anyhow::ensure!(held(&fresh) == held(self), "what is due changed unnoticed");
		Ok(())
	}
}

/// Whether the brake is engaged. To be run on the chain's state.
pub fn is_braked() -> bool {
	planaria_runtime::Miners::brake_engaged()
}
