// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the finders of all miners would find by scanning the chain's state, kept up to date by its
//! events, so that one scan serves them all.

use pallet_planaria_files::Segments;
use pallet_planaria_miners::Miners;
use pallet_planaria_restore::{BRAKED_SPARE, Missing, Order, Orders, Verdict, Verdicts};
use pallet_planaria_support::{Fragments as _, SegmentInfo, Standing};
use planaria_primitives::{CodingParams, FragmentId, MinerId, Segment, SegmentId, Tick};
use planaria_runtime::{Files, Restore, Runtime};
use planaria_worker::planner::{Candidate, Way};
use std::collections::{BTreeMap, BTreeSet};

/// How many classes of segments there are: the low byte of the id.
pub const CLASSES: usize = 256;

/// The claim of an order, expired or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
	/// By whom.
	pub by: MinerId,
	/// Until when.
	pub deadline: Tick,
	/// Whether it is part of its claimer's batch.
	pub ready: bool,
}

/// What is known of an order that is not claimed, or whose claim has expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unclaimed {
	/// It can be claimed.
	Open,
	/// Nobody needs it any more.
	Void,
}

/// What the chain's state says of a segment.
#[derive(Debug)]
pub struct Reading {
	record: Option<Segment>,
	/// While its file can be confirmed and restored.
	info: Option<SegmentInfo>,
	missing: u64,
	verdict: Option<Verdict>,
	/// Of what is under restoration.
	orders: Vec<(u8, Order)>,
}

impl Reading {
	/// Reads it. To be run on the chain's state.
	pub fn of(id: SegmentId) -> Self {
		let record = Segments::<Runtime>::get(id);
		let info = record.as_ref().and_then(|_| Files::get(id));
		let order = |index| {
			let order = Orders::<Runtime>::get(FragmentId { segment: id, index })?;
			Some((index, order))
		};
		let under_way = record.as_ref().is_some_and(|segment| segment.restoring != 0);
		Self {
			orders: record.iter().flat_map(restoring).filter_map(order).collect(),
			missing: if under_way { Missing::<Runtime>::get(id) } else { 0 },
			verdict: Verdicts::<Runtime>::get(id),
			info: info.filter(|info| info.state.is_alive()),
			record,
		}
	}

	fn order(&self, index: u8) -> Option<&Order> {
		self.orders.iter().find(|(other, _)| *other == index).map(|(_, order)| order)
	}
}

/// The claims of orders, with what is in the claimers' batches, which are read once each. To be used
/// on the chain's state, as long as that stays as it is.
#[derive(Default)]
struct Claims(BTreeMap<MinerId, BTreeSet<FragmentId>>);

impl Claims {
	fn of(&mut self, fragment: FragmentId, order: &Order) -> Option<Claim> {
		let (by, deadline) = order.state.claim()?;
		let ready = self.0.entry(by).or_insert_with(|| Restore::ready_of(by));
		Some(Claim { by, deadline, ready: ready.contains(&fragment) })
	}
}

/// The chain's segments and miners as they were at the last refresh.
#[derive(Debug)]
pub struct Mirror {
	coding: CodingParams,
	len: u32,
	lazy_max: Tick,
	segments: Vec<Option<Segment>>,
	/// Who holds their fragments, one segment after the other: what is looked through often.
	holders: Vec<Option<MinerId>>,
	/// Whose file can still be confirmed and restored.
	alive: Vec<bool>,
	/// How many more of their fragments may go missing.
	spares: Vec<i16>,
	standings: Vec<Option<(Standing, Tick)>>,
	/// Unclaimed orders.
	orders: BTreeMap<FragmentId, Candidate>,
	/// The claims of the others.
	claims: BTreeMap<FragmentId, Claim>,
	/// Orders that nobody needs any more.
	void: BTreeSet<FragmentId>,
	/// Segments whose verdict is not what their fragments say.
	misjudged: BTreeSet<SegmentId>,
	verdicts: BTreeMap<SegmentId, Verdict>,
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
			holders: Vec::new(),
			alive: Vec::new(),
			spares: Vec::new(),
			standings: Vec::new(),
			orders: BTreeMap::new(),
			claims: BTreeMap::new(),
			void: BTreeSet::new(),
			misjudged: BTreeSet::new(),
			verdicts: BTreeMap::new(),
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

	/// How many more of a segment's fragments may go missing, while its file is alive.
	pub fn spare(&self, id: SegmentId) -> i16 {
		usize::try_from(id.0).ok().and_then(|place| self.spares.get(place).copied()).unwrap_or(0)
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

	/// The claim of the fragment's order; an expired one counts.
	pub fn claim(&self, fragment: FragmentId) -> Option<Claim> {
		self.claims.get(&fragment).copied()
	}

	/// What the fragment's order is, if it is known not to be claimed.
	pub fn unclaimed(&self, fragment: FragmentId) -> Option<Unclaimed> {
		if self.void.contains(&fragment) {
			return Some(Unclaimed::Void);
		}
		self.orders.contains_key(&fragment).then_some(Unclaimed::Open)
	}

	/// What is part of a batch of these miners.
	pub fn ready_by(&self, miners: &BTreeSet<MinerId>) -> Vec<FragmentId> {
		let theirs = |claim: &Claim| claim.ready && miners.contains(&claim.by);
		let ready = self.claims.iter().filter(|(_, claim)| theirs(claim));
		ready.map(|(fragment, _)| *fragment).collect()
	}

	/// What has an order.
	pub fn ordered(&self) -> impl Iterator<Item = FragmentId> {
		let all = self.claims.keys().chain(self.orders.keys()).chain(&self.void);
		all.copied()
	}

	/// What the chain thinks of a segment.
	pub fn verdict(&self, segment: SegmentId) -> Option<Verdict> {
		self.verdicts.get(&segment).copied()
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
		let width = usize::from(self.coding.fragments());
		(0..)
			.zip(self.holders.chunks_exact(width))
			.filter_map(|(segment, holders)| {
				let index = (0..).zip(holders).find(|(_, holder)| **holder == Some(miner))?.0;
				Some(FragmentId { segment: SegmentId(segment), index })
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
			let lazy = self.lazy_max;
			let waited = |miner: &MinerId| {
				let standing = self.standings.get(miner.0 as usize).copied().flatten();
				standing.is_some_and(|(standing, since)| {
					standing.is_restore_target() && since + lazy <= now
				})
			};
			for miner in entry.remove().into_iter().filter(waited) {
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

	/// Reads again who works on these fragments. To be run on the chain's state.
	pub fn refresh_claims(&mut self, fragments: &[FragmentId]) {
		let mut claims = Claims::default();
		for fragment in fragments {
			let order = Orders::<Runtime>::get(fragment);
			match order.and_then(|order| claims.of(*fragment, &order)) {
				Some(claim) => self.claims.insert(*fragment, claim),
				None => self.claims.remove(fragment),
			};
		}
	}

	/// Takes in what the chain says of segments now. To be run on the state it was read from.
	pub fn refresh(&mut self, read: impl IntoIterator<Item = (SegmentId, Reading)>) {
		let now = pallet_planaria_clock::Now::<Runtime>::get();
		let (braked, mut claims) = (is_braked(), Claims::default());
		for (id, reading) in read {
			self.refresh_one(id, &reading, now, braked, &mut claims);
			let place = usize::try_from(id.0).expect("few segments; qed");
			self.segments[place] = reading.record;
		}
	}

	fn refresh_one(
		&mut self,
		id: SegmentId,
		read: &Reading,
		now: Tick,
		braked: bool,
		claims: &mut Claims,
	) {
		let place = usize::try_from(id.0).expect("few segments; qed");
		if self.segments.len() <= place {
			self.segments.resize(place + 1, None);
			self.alive.resize(place + 1, false);
			self.spares.resize(place + 1, 0);
			self.holders.resize((place + 1) * usize::from(self.coding.fragments()), None);
		}
		let class = place % CLASSES;
		for index in 0..self.coding.fragments() {
			let fragment = FragmentId { segment: id, index };
			self.orders.remove(&fragment);
			self.claims.remove(&fragment);
			self.void.remove(&fragment);
			self.due -= usize::from(self.held[class].remove(&fragment).is_some());
		}
		for (index, order) in &read.orders {
			let fragment = FragmentId { segment: id, index: *index };
			if let Some(claim) = claims.of(fragment, order) {
				self.claims.insert(fragment, claim);
			}
		}
		match read.verdict {
			Some(verdict) => self.verdicts.insert(id, verdict),
			None => self.verdicts.remove(&id),
		};
		self.misjudged.remove(&id);
		let width = usize::from(self.coding.fragments());
		let holders = &mut self.holders[place * width..][..width];
		for (index, known) in (0..).zip(holders) {
			*known = read.record.as_ref().and_then(|segment| segment.holder(index));
		}
		self.alive[place] = read.info.is_some();
		if let (Some(segment), Some(info)) = (&read.record, &read.info) {
			let spare = info.spare(|miner| self.standing(miner), read.missing);
			self.spares[place] = spare;
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
			let rebuilding = restoring(segment).any(|index| way(index) == Way::Rebuild);
			let candidate = |index, way, since, ordered| Candidate {
				fragment: FragmentId { segment: id, index },
				holder: segment.holder(index),
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
			let braked = braked && spare > BRAKED_SPARE;
			for index in (0..segment.fragments()).filter(|index| segment.is_confirmed(*index)) {
				let standing = standing_of(index);
				let way = way(index);
				let fragment = FragmentId { segment: id, index };
				if segment.is_restoring(index) {
					let Some(order) = read.order(index) else { continue };
					if self.claim(fragment).is_some_and(|claim| now <= claim.deadline) {
						continue;
					}
					if Restore::is_void(fragment, order, info) {
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
	}

	/// That what is known is what a scan would find. To be run on the chain's state.
	pub fn check(&self) -> anyhow::Result<()> {
		let mut fresh = Self::new(self.coding, self.len, self.lazy_max);
		let mut touched = BTreeSet::new();
		fresh.refresh_miners(&Miners::<Runtime>::iter_keys().collect(), &mut touched);
		fresh.refresh(Segments::<Runtime>::iter_keys().map(|id| (id, Reading::of(id))));
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
		anyhow::ensure!(fresh.claims == self.claims, "a claim changed unnoticed");
		anyhow::ensure!(fresh.verdicts == self.verdicts, "a verdict changed unnoticed");
		let held = |mirror: &Self| -> Vec<FragmentId> {
			mirror.held.iter().flat_map(|class| class.keys().copied()).collect()
		};
		anyhow::ensure!(held(&fresh) == held(self), "what is due changed unnoticed");
		Ok(())
	}
}

/// The fragments of a segment that are under restoration.
pub fn restoring(segment: &Segment) -> impl Iterator<Item = u8> {
	(0..segment.fragments()).filter(|index| segment.is_restoring(*index))
}

/// Whether the brake is engaged. To be run on the chain's state.
pub fn is_braked() -> bool {
	planaria_runtime::Miners::brake_engaged()
}
