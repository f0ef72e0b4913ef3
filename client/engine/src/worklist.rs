// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The segments that have something to restore, as far as this miner knows: no I/O and no clock.
//!
//! A segment is on the list while a restore target holds a fragment of it or a restore order is
//! open. Of 12 fragments it takes about 170 bytes, so [`CAPACITY`] of them take 45 MB, with their
//! files and orders up to 75 MB. Where there are more, those stay of which the most is missing.

use crate::chain::{FileRow, OrderRow};
use planaria_primitives::{
	FileIndex, FileSpec, FragmentId, MinerId, Segment, SegmentId, Tick,
	segment::{SegmentV0, bit},
};
use planaria_runtime_api::OrderCause;
use planaria_worker::planner::{Candidate, Way, splitmix};
use std::collections::{BTreeMap, BTreeSet};

/// How many segments are remembered.
pub const CAPACITY: usize = 1 << 18;

/// How many restore orders are remembered.
pub const MAX_ORDERS: usize = 1 << 18;

/// While the brake is engaged, what absent and expelled miners held is restored only where no more
/// fragments than this can be spared.
pub const BRAKED_SPARE: i16 = 2;

/// A miner the data moves away from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
	/// How its fragments are had: copied as long as it serves.
	pub way: Way,
	/// Since when it is one.
	pub since: Tick,
	/// How many fragments it holds.
	pub fragments: u32,
}

/// The restore targets.
pub type Targets = BTreeMap<MinerId, Target>;

/// How many confirmed fragments of the segment are present: their holder serves, and they are not
/// under restoration unless they only move away from a miner that leaves and still serves.
///
/// `missing` are the fragments, bit by bit, whose holders said or showed that they do not have
/// them.
pub fn present(segment: &SegmentV0, targets: &Targets, missing: u64) -> u8 {
	let present = |index: &u8| {
		let restoring = segment.is_restoring(*index);
		segment.is_confirmed(*index)
			&& segment.holder(*index).is_some_and(|holder| match targets.get(&holder) {
				Some(target) => {
					target.way == Way::Copy && !(restoring && missing & bit(*index) != 0)
				},
				None => !restoring,
			})
	};
	(0..segment.fragments()).filter(present).map(|_| 1).sum()
}

/// Whether something of the segment is to be restored, or is being restored.
pub fn is_affected(segment: &SegmentV0, targets: &Targets) -> bool {
	segment.restoring != 0
		|| segment.holders.iter().enumerate().any(|(index, holder)| {
			targets.contains_key(holder) && segment.confirmed >> index & 1 == 1
		})
}

/// What the network is like when candidates are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
	/// The network's clock.
	pub tick: Tick,
	/// For how many ticks what absent and expelled miners held may wait.
	pub lazy_max: Tick,
	/// Whether the brake is engaged.
	pub braked: bool,
}

#[derive(Clone, Debug)]
struct Entry {
	segment: Segment,
	/// The round in which it was last seen on chain.
	round: u32,
}

/// The list.
#[derive(Clone, Debug)]
pub struct Worklist {
	me: MinerId,
	capacity: usize,
	segments: BTreeMap<SegmentId, Entry>,
	orders: BTreeMap<FragmentId, OrderRow>,
	files: BTreeMap<FileIndex, FileRow>,
	/// Files of which nothing is known yet.
	unknown: BTreeSet<FileIndex>,
	round: u32,
	overflowed: bool,
}

impl Worklist {
	/// An empty list for miner `me` with room for `capacity` segments.
	pub const fn new(me: MinerId, capacity: usize) -> Self {
		Self {
			me,
			capacity,
			segments: BTreeMap::new(),
			orders: BTreeMap::new(),
			files: BTreeMap::new(),
			unknown: BTreeSet::new(),
			round: 0,
			overflowed: false,
		}
	}

	/// How many segments are on it.
	pub fn len(&self) -> usize {
		self.segments.len()
	}

	/// Whether it is empty.
	pub fn is_empty(&self) -> bool {
		self.segments.is_empty()
	}

	/// Whether segments were left out for want of room since the last [`Worklist::begin_round`].
	pub const fn has_overflowed(&self) -> bool {
		self.overflowed
	}

	/// Everything is about to be seen again.
	pub fn begin_round(&mut self) {
		self.round = self.round.wrapping_add(1);
		self.overflowed = false;
	}

	/// Drops the segments of these classes that were not seen in this round, and what belonged to
	/// none any more.
	pub fn end_round(&mut self, class: impl Fn(u8) -> bool) {
		let round = self.round;
		self.segments.retain(|id, entry| entry.round == round || !class(class_of(*id)));
		let files: BTreeSet<_> = self.segments.values().map(|entry| entry.segment.file).collect();
		self.files.retain(|file, _| files.contains(file));
		self.unknown.retain(|file| files.contains(file));
	}

	/// The segment is like this; `None` where it is gone.
	pub fn put(&mut self, id: SegmentId, segment: Option<Segment>, targets: &Targets) {
		let Some(segment) = segment.filter(|segment| is_affected(segment, targets)) else {
			self.segments.remove(&id);
			return;
		};
		if !self.files.contains_key(&segment.file) {
			self.unknown.insert(segment.file);
		}
		self.segments.insert(id, Entry { segment, round: self.round });
		// Dropping many at a time keeps it cheap.
		if self.segments.len() > self.capacity + self.capacity / 4 {
			self.shrink(targets);
		}
	}

	/// Keeps the segments of which the most is missing; among equals each miner keeps others.
	fn shrink(&mut self, targets: &Targets) {
		let seed = splitmix(self.me.0.into());
		let mut ranked: Vec<_> = self
			.segments
			.iter()
			.map(|(id, entry)| {
				let segment = &entry.segment;
				let present = present(segment, targets, self.missing(*id, segment));
				(std::cmp::Reverse(segment.fragments() - present), splitmix(seed ^ id.0), *id)
			})
			.collect();
		ranked.select_nth_unstable(self.capacity);
		for (.., id) in ranked.drain(self.capacity..) {
			self.segments.remove(&id);
		}
		self.overflowed = true;
	}

	/// The fragments whose holders do not have them, bit by bit.
	fn missing(&self, id: SegmentId, segment: &SegmentV0) -> u64 {
		if segment.restoring == 0 {
			return 0;
		}
		let fragment = |index| FragmentId { segment: id, index };
		let orders = self.orders.range(fragment(0)..=fragment(u8::MAX));
		let missing = orders.filter(|(_, order)| order.cause != OrderCause::Target);
		missing.fold(0, |bits, (id, _)| bits | bit(id.index))
	}

	/// The targets have changed: drops what is affected no longer.
	pub fn retarget(&mut self, targets: &Targets) {
		self.segments.retain(|_, entry| is_affected(&entry.segment, targets));
	}

	/// The order is like this; `None` where there is none any more.
	pub fn put_order(&mut self, fragment: FragmentId, order: Option<OrderRow>) {
		match order {
			None => {
				self.orders.remove(&fragment);
			},
			Some(order) => {
				if self.orders.len() < MAX_ORDERS || self.orders.contains_key(&fragment) {
					self.orders.insert(fragment, order);
				}
			},
		}
	}

	/// All orders are about to be read again.
	pub fn forget_orders(&mut self) {
		self.orders.clear();
	}

	/// A file is like this; `None` where it is gone.
	pub fn put_file(&mut self, file: FileIndex, row: Option<FileRow>) {
		self.unknown.remove(&file);
		if let Some(row) = row {
			self.files.insert(file, row);
		}
	}

	/// At most `limit` files of which nothing is known yet.
	pub fn unknown_files(&self, limit: usize) -> Vec<FileIndex> {
		self.unknown.iter().copied().take(limit).collect()
	}

	/// At most `limit` segments after `after` with orders that are not on the list.
	pub fn unknown_segments(&self, after: Option<SegmentId>, limit: usize) -> Vec<SegmentId> {
		let first = after.map_or(Some(0), |after| after.0.checked_add(1));
		let Some(first) = first else { return Vec::new() };
		let from = FragmentId { segment: SegmentId(first), index: 0 };
		let mut unknown = Vec::new();
		for (FragmentId { segment, .. }, _) in self.orders.range(from..) {
			if unknown.len() == limit {
				break;
			}
			if unknown.last() != Some(segment) && !self.segments.contains_key(segment) {
				unknown.push(*segment);
			}
		}
		unknown
	}

	/// Whether the segment is on the list.
	pub fn contains(&self, id: SegmentId) -> bool {
		self.segments.contains_key(&id)
	}

	/// How many fragments each target holds for which no order is open, as far as is known.
	pub fn held(&self, targets: &Targets) -> BTreeMap<MinerId, u32> {
		let mut held = BTreeMap::new();
		for entry in self.segments.values() {
			let segment = &entry.segment;
			for index in 0..segment.fragments() {
				let Some(holder) = segment.holder(index).filter(|h| targets.contains_key(h)) else {
					continue;
				};
				if segment.is_confirmed(index) && !segment.is_restoring(index) {
					*held.entry(holder).or_default() += 1;
				}
			}
		}
		held
	}

	/// How many more fragments of the segment may go missing, and whether its file still can be
	/// restored; `None` where it is not on the list or its file is not known.
	pub fn spare(&self, id: SegmentId, targets: &Targets) -> Option<i16> {
		let entry = self.segments.get(&id)?;
		let file = self.files.get(&entry.segment.file).filter(|file| file.alive)?;
		let present = present(&entry.segment, targets, self.missing(id, &entry.segment));
		Some(i16::from(present) - i16::from(file.coding.data))
	}

	/// Segments that are confirmed as a whole and cannot be restored from what is present.
	pub fn unrestorable<'a>(
		&'a self,
		targets: &'a Targets,
	) -> impl Iterator<Item = SegmentId> + 'a {
		self.segments.iter().filter_map(|(id, entry)| {
			let segment = &entry.segment;
			let whole = segment.confirmed_count() == segment.fragments();
			(whole && self.spare(*id, targets).is_some_and(|spare| spare < 0)).then_some(*id)
		})
	}

	/// What this miner could claim now and should.
	pub fn candidates<'a>(
		&'a self,
		targets: &'a Targets,
		conditions: Conditions,
	) -> impl Iterator<Item = Candidate> + 'a {
		self.segments
			.iter()
			.flat_map(move |(id, entry)| self.of_segment(*id, &entry.segment, targets, conditions))
	}

	/// What of this segment this miner could claim now and should.
	pub fn candidates_of(
		&self,
		id: SegmentId,
		targets: &Targets,
		conditions: Conditions,
	) -> Vec<Candidate> {
		let entry = self.segments.get(&id);
		entry.map_or_else(Vec::new, |e| self.of_segment(id, &e.segment, targets, conditions))
	}

	fn of_segment(
		&self,
		id: SegmentId,
		segment: &SegmentV0,
		targets: &Targets,
		conditions: Conditions,
	) -> Vec<Candidate> {
		let Conditions { tick, lazy_max, braked } = conditions;
		let Some(file) = self.files.get(&segment.file).filter(|file| file.alive) else {
			return Vec::new();
		};
		let (Ok(spec), Some(number)) =
			(FileSpec::new(file.size, file.coding), number(file.first_segment, id))
		else {
			return Vec::new();
		};
		if segment.index_of(self.me).is_some() {
			return Vec::new();
		}
		let missing = self.missing(id, segment);
		let way = |index: u8| {
			let target = segment.holder(index).and_then(|holder| targets.get(&holder));
			let missing = missing & bit(index) != 0;
			target.filter(|_| !missing).map_or(Way::Rebuild, |target| target.way)
		};
		let spare = i16::from(present(segment, targets, missing)) - i16::from(file.coding.data);
		let rebuilding = (0..segment.fragments())
			.any(|index| segment.is_restoring(index) && way(index) == Way::Rebuild);
		let mut candidates = Vec::new();
		for index in (0..segment.fragments()).filter(|index| segment.is_confirmed(*index)) {
			let fragment = FragmentId { segment: id, index };
			let holder = segment.holder(index);
			let target = holder.and_then(|holder| targets.get(&holder));
			let (since, disputed) = if segment.is_restoring(index) {
				let Some(order) = self.orders.get(&fragment) else { continue };
				match order.claim.filter(|(_, deadline)| tick <= *deadline) {
					// Nobody restores two fragments of a segment.
					Some((by, _)) if by == self.me => return Vec::new(),
					Some(_) => continue,
					None => (),
				}
				if is_void(order, holder, targets) {
					continue;
				}
				(order.opened, order.disputed)
			} else {
				let Some(target) = target else { continue };
				if braked && target.way == Way::Rebuild && spare > BRAKED_SPARE {
					continue;
				}
				(target.since, false)
			};
			let candidate = Candidate {
				fragment,
				holder,
				len: spec.fragment_len(number),
				data: file.coding.data,
				parity: file.coding.parity,
				spare,
				way: way(index),
				since,
				under_way: rebuilding,
				ordered: segment.is_restoring(index),
				disputed,
			};
			if candidate.is_due(tick, lazy_max) {
				candidates.push(candidate);
			}
		}
		candidates
	}

	/// Orders that `tidy` would change: a claim has expired, or the holder came back.
	pub fn untidy<'a>(
		&'a self,
		targets: &'a Targets,
		tick: Tick,
	) -> impl Iterator<Item = FragmentId> + 'a {
		self.orders.iter().filter_map(move |(fragment, order)| {
			let expired = order.claim.is_some_and(|(_, deadline)| deadline < tick);
			let void = order.claim.is_none()
				&& self.segments.get(&fragment.segment).is_some_and(|entry| {
					is_void(order, entry.segment.holder(fragment.index), targets)
				});
			(expired || void).then_some(*fragment)
		})
	}
}

/// Whether nothing needs to be restored any more: the holder, as a target of which the order was
/// opened, came back.
fn is_void(order: &OrderRow, holder: Option<MinerId>, targets: &Targets) -> bool {
	order.cause == OrderCause::Target && holder.is_some_and(|holder| !targets.contains_key(&holder))
}

/// The class of a segment: the low byte of its id.
pub const fn class_of(id: SegmentId) -> u8 {
	id.0.to_le_bytes()[0]
}

fn number(first: SegmentId, id: SegmentId) -> Option<u32> {
	u32::try_from(id.0.checked_sub(first.0)?).ok()
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::CodingParams;

	const ME: MinerId = MinerId(99);
	const LEAVING: MinerId = MinerId(1);
	const GONE: MinerId = MinerId(2);
	const NOW: Conditions = Conditions { tick: 50, lazy_max: 100, braked: false };

	fn targets() -> Targets {
		let target = |way| Target { way, since: 0, fragments: 9 };
		Targets::from([(LEAVING, target(Way::Copy)), (GONE, target(Way::Rebuild))])
	}

	/// A confirmed segment with these holders, the only one of its file.
	fn segment(id: u64, holders: &[u32]) -> Segment {
		let count = u8::try_from(holders.len()).expect("few");
		let mut segment = Segment::unplaced(FileIndex(id), count);
		for (index, holder) in (0..).zip(holders) {
			segment.holders.set(index, MinerId(*holder));
		}
		segment.confirmed = (1 << count) - 1;
		segment
	}

	fn list(segments: &[(u64, Segment)], coding: CodingParams) -> Worklist {
		let mut list = Worklist::new(ME, 100);
		for (id, segment) in segments {
			list.put(SegmentId(*id), Some(segment.clone()), &targets());
			let first_segment = SegmentId(*id);
			let row = FileRow { size: 5_000, coding, first_segment, alive: true };
			list.put_file(FileIndex(*id), Some(row));
		}
		list
	}

	fn indices(list: &Worklist, conditions: Conditions) -> Vec<(u8, bool)> {
		let targets = targets();
		let candidates = list.candidates(&targets, conditions);
		candidates.map(|c| (c.fragment.index, c.way == Way::Copy)).collect()
	}

	const LEAN: CodingParams = CodingParams::LEAN;

	#[test]
	fn only_what_is_affected_is_on_the_list() {
		let whole = segment(1, &[3, 4, 5]);
		let held = segment(2, &[3, 4, 2]);
		let mut ordered = segment(3, &[3, 4, 5]);
		ordered.restoring = 1;
		let mut unconfirmed = segment(4, &[3, 4, 2]);
		unconfirmed.confirmed = 0b011;
		let mut list =
			list(&[(1, whole), (2, held.clone()), (3, ordered.clone()), (4, unconfirmed)], LEAN);
		assert_eq!(list.len(), 2);
		assert_eq!(list.held(&targets()), BTreeMap::from([(GONE, 1)]));
		ordered.restoring = 0;
		list.put(SegmentId(3), Some(ordered), &targets());
		assert_eq!(list.len(), 1);
		list.retarget(&Targets::new());
		assert!(list.is_empty());
		list.put(SegmentId(2), Some(held), &targets());
		list.put(SegmentId(2), None, &targets());
		assert!(list.is_empty());
	}

	#[test]
	fn candidates_are_what_targets_hold_without_an_order() {
		let copied = segment(1, &[1, 4, 5]);
		assert_eq!(indices(&list(&[(1, copied)], LEAN), NOW), [(0, true)]);
		let rebuilt = segment(1, &[2, 4, 5]);
		assert_eq!(indices(&list(&[(1, rebuilt.clone())], LEAN), NOW), [(0, false)]);
		// Whoever holds a sibling restores none.
		assert_eq!(indices(&list(&[(1, segment(1, &[2, 4, 99]))], LEAN), NOW), []);
		// Nor is anything restored of a file that goes, or is not known.
		let mut list = list(&[(1, rebuilt.clone())], LEAN);
		let dead = FileRow { size: 5_000, coding: LEAN, first_segment: SegmentId(1), alive: false };
		list.put_file(FileIndex(1), Some(dead));
		assert_eq!(indices(&list, NOW), []);
		let mut list = Worklist::new(ME, 100);
		list.put(SegmentId(1), Some(rebuilt), &targets());
		assert_eq!((indices(&list, NOW), list.unknown_files(9)), (vec![], vec![FileIndex(1)]));
	}

	#[test]
	fn orders_are_candidates_while_nobody_works_on_them() {
		let mut ordered = segment(1, &[3, 4, 5]);
		ordered.restoring = 0b010;
		let fragment = FragmentId { segment: SegmentId(1), index: 1 };
		let mut list = list(&[(1, ordered)], LEAN);
		let order = OrderRow { claim: None, cause: OrderCause::Broken, opened: 7, disputed: false };
		assert_eq!(list.unknown_segments(None, 9), []);
		assert_eq!(indices(&list, NOW), []);
		for (row, found) in [
			(order, 1),
			(OrderRow { claim: Some((MinerId(7), 49)), ..order }, 1),
			(OrderRow { claim: Some((MinerId(7), 50)), ..order }, 0),
			(OrderRow { claim: Some((ME, 50)), ..order }, 0),
			// The holder came back.
			(OrderRow { cause: OrderCause::Target, ..order }, 0),
		] {
			list.put_order(fragment, Some(row));
			assert_eq!(indices(&list, NOW).len(), found, "{row:?}");
		}
		let other = FragmentId { segment: SegmentId(8), index: 0 };
		list.put_order(other, Some(order));
		assert_eq!(list.unknown_segments(None, 9), [SegmentId(8)]);
		assert_eq!(list.unknown_segments(Some(SegmentId(8)), 9), []);
	}

	#[test]
	fn what_a_leaving_miner_does_not_have_is_rebuilt() {
		let mut ordered = segment(1, &[1, 4, 5]);
		ordered.restoring = 1;
		let fragment = FragmentId { segment: SegmentId(1), index: 0 };
		let mut list = list(&[(1, ordered)], LEAN);
		let mut found = |cause| {
			let order = OrderRow { claim: None, cause, opened: 7, disputed: false };
			list.put_order(fragment, Some(order));
			let targets = targets();
			let candidates = list.candidates(&targets, NOW);
			candidates.map(|c| (c.way, c.spare)).collect::<Vec<_>>()
		};
		assert_eq!(found(OrderCause::Target), [(Way::Copy, 1)]);
		assert_eq!(found(OrderCause::Broken), [(Way::Rebuild, 0)]);
		assert_eq!(found(OrderCause::Challenge), [(Way::Rebuild, 0)]);
	}

	#[test]
	fn what_is_thick_waits_unless_a_sibling_is_rebuilt() {
		let standard = CodingParams::STANDARD;
		let mut thick = segment(1, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
		let all = |segment: &Segment, conditions| {
			indices(&list(&[(1, segment.clone())], standard), conditions)
		};
		assert_eq!(all(&thick, NOW), []);
		assert_eq!(all(&thick, Conditions { tick: 100, ..NOW }), [(0, false)]);
		let braked = Conditions { tick: 100, braked: true, ..NOW };
		assert_eq!(all(&thick, braked), []);
		// A copy that is under way makes no decode.
		thick.holders.set(1, LEAVING);
		thick.restoring = 0b10;
		assert_eq!(all(&thick, NOW), []);
		thick.restoring = 0b100;
		assert_eq!(all(&thick, NOW), [(0, false), (1, true)]);
		// With four more under restoration three can be spared.
		thick.restoring = 0b0111_0000_0100;
		assert_eq!(all(&thick, NOW).len(), 2);
		assert_eq!(all(&thick, braked), [(1, true)]);
		thick.restoring = 0b1111_0000_0100;
		assert_eq!(all(&thick, braked), [(0, false), (1, true)]);
	}

	#[test]
	fn a_full_list_keeps_what_misses_the_most() {
		let mut list = Worklist::new(ME, 100);
		for id in 0..300 {
			let holders = if id % 10 == 0 { [2, 2, 5] } else { [2, 4, 5] };
			list.put(SegmentId(id), Some(segment(id, &holders)), &targets());
			assert!(list.len() <= 125);
		}
		assert!(list.has_overflowed());
		let thin = (0..300).step_by(10).filter(|id| list.contains(SegmentId(*id))).count();
		assert_eq!(thin, 30);
		list.begin_round();
		assert!(!list.has_overflowed());
		list.put(SegmentId(0), Some(segment(0, &[2, 4, 5])), &targets());
		list.end_round(|class| class != 10);
		// What was not seen again is dropped, but not of classes that were not looked at.
		let left: Vec<u64> = (0..300).filter(|id| list.contains(SegmentId(*id))).collect();
		assert!(left.iter().all(|id| [0, 10, 266].contains(id)) && left.len() >= 2, "{left:?}");
	}

	#[test]
	fn what_cannot_be_restored_and_what_is_untidy_is_seen() {
		let mut list = list(&[(1, segment(1, &[2, 2, 5])), (2, segment(2, &[2, 4, 5]))], LEAN);
		let targets = targets();
		assert_eq!(list.unrestorable(&targets).collect::<Vec<_>>(), [SegmentId(1)]);
		assert_eq!(list.spare(SegmentId(2), &targets), Some(0));
		let fragment = |index| FragmentId { segment: SegmentId(2), index };
		let order = OrderRow { claim: None, cause: OrderCause::Target, opened: 0, disputed: false };
		// Fragment 0 is held by a target still, fragment 1 is not any more.
		for index in 0..3 {
			list.put_order(fragment(index), Some(order));
		}
		list.put_order(fragment(2), Some(OrderRow { claim: Some((ME, 49)), ..order }));
		assert_eq!(list.untidy(&targets, 50).collect::<Vec<_>>(), [fragment(1), fragment(2)]);
		assert_eq!(list.untidy(&targets, 49).count(), 1);
	}
}
