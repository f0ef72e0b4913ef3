// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which fragments of others a miner takes on, and in which order.
//!
//! Every miner plans for itself, from the same chain. So that they neither leave the scarcest
//! segments to each other nor race for the same fragments, the order is that of need first
//! (spare, then age), and among equals that of their holders and then of chance. Each miner takes
//! the holders in an order of its own, because a call is the cheaper for the chain the fewer
//! holders the fragments in it have. What an absent or expelled miner held is left alone while its
//! segments have fragments to spare: one decode later restores all that is missing.

use alloc::{collections::BTreeSet, vec::Vec};
use planaria_primitives::{
	FragmentId, MinerId, Tick,
	mailbox::{Chore, MAX_LISTED},
};

/// Ages within so many ticks are equal.
const AGE: Tick = 64;

/// How a fragment would be had.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
	/// Copied from its holder, which leaves and still serves.
	Copy,
	/// Rebuilt from others of its segment.
	Rebuild,
}

/// A fragment that could be claimed, or whose order could be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
	/// The fragment.
	pub fragment: FragmentId,
	/// Whom it is assigned to.
	pub holder: Option<MinerId>,
	/// Its length in bytes.
	pub len: u32,
	/// How many fragments restore its segment.
	pub data: u8,
	/// How many more than these the segment has when whole.
	pub parity: u8,
	/// How many more fragments of its segment may go missing.
	pub spare: i16,
	/// How it would be had.
	pub way: Way,
	/// Since when it is to be restored: its order's opening, or its holder's becoming a target.
	pub since: Tick,
	/// Whether a fragment of its segment is being rebuilt already, or is to be.
	pub under_way: bool,
	/// Whether an order for it is open.
	pub ordered: bool,
	/// Whether its order is disputed.
	pub disputed: bool,
}

impl Candidate {
	/// How many bytes are read for it at most.
	pub const fn cost(&self) -> u64 {
		match self.way {
			Way::Copy => self.len as u64,
			Way::Rebuild => self.len as u64 * self.data as u64,
		}
	}

	/// Whether it should be restored now rather than later.
	///
	/// Copies and open orders always; what an absent or expelled miner held when its segment is
	/// thin, has begun to be restored, or has waited for `lazy_max` ticks.
	pub fn is_due(&self, now: Tick, lazy_max: Tick) -> bool {
		self.ordered
			|| self.way == Way::Copy
			|| self.under_way
			|| self.spare <= lazy_spare(self.parity)
			|| now.saturating_sub(self.since) >= lazy_max
	}
}

/// How many spare fragments a segment has when it is worth restoring what an absent or expelled
/// miner held: five eighths of its parity.
pub const fn lazy_spare(parity: u8) -> i16 {
	(parity as i16 * 5 + 7) / 8
}

/// How much more a miner may take on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
	/// How many orders it may claim.
	pub claims: usize,
	/// How many bytes it can still read before a claim made now expires.
	pub bytes: u64,
	/// Whether it has claimed nothing that it still has to restore. It may then take on one
	/// fragment that is too much for `bytes`, as what it measured may be wrong.
	pub idle: bool,
}

impl Budget {
	/// The share of a claim period in which everything should be had, in percent. The rest is for
	/// the two blocks each of the claim, of declaring ready and of the report, and for surprises.
	const SHARE: u64 = 50;

	/// What a miner can do that reads `rate` bytes per second, has `claims` left, and has yet to
	/// read `committed` bytes for what it has claimed, in `period_millis` until a claim made now
	/// expires.
	pub const fn new(claims: usize, rate: u64, period_millis: u64, committed: u64) -> Self {
		let able = (rate as u128 * period_millis as u128 / 1000) * Self::SHARE as u128 / 100;
		let able = if able > u64::MAX as u128 { u64::MAX } else { able as u64 };
		Self { claims, bytes: able.saturating_sub(committed), idle: committed == 0 }
	}
}

/// What to claim, best first: due, of each segment one, within the budget, at most
/// [`MAX_LISTED`].
///
/// The same candidates in any order and the same seed give the same plan; miners use different
/// seeds.
pub fn plan(mut candidates: Vec<Candidate>, mut budget: Budget, seed: u64) -> Vec<FragmentId> {
	candidates.sort_by_cached_key(|candidate| rank(candidate, seed));
	let mut segments = BTreeSet::new();
	let mut planned = Vec::new();
	for candidate in candidates {
		if planned.len() >= budget.claims.min(MAX_LISTED) {
			break;
		}
		let affordable = candidate.cost() <= budget.bytes || (budget.idle && planned.is_empty());
		if affordable && segments.insert(candidate.fragment.segment) {
			budget.bytes = budget.bytes.saturating_sub(candidate.cost());
			planned.push(candidate.fragment);
		}
	}
	planned
}

/// Keeps the `count` candidates that [`plan`] would take first with this seed, in any order.
pub fn keep_best(candidates: &mut Vec<Candidate>, count: usize, seed: u64) {
	if candidates.len() > count {
		candidates.select_nth_unstable_by_key(count, |candidate| rank(candidate, seed));
		candidates.truncate(count);
	}
}

/// The scarcest first. Among these copies before rebuilding, and rebuilding where others do so
/// already before anything new: one decode serves all that is missing of a segment. Equals are taken
/// holder by holder.
fn rank(candidate: &Candidate, seed: u64) -> impl Ord + use<> {
	let Candidate { disputed, spare, way, under_way, since, holder, fragment, .. } = *candidate;
	let new = way == Way::Rebuild && !under_way;
	let place = splitmix(seed ^ u64::from(holder.unwrap_or(MinerId::NOBODY).0));
	(disputed, spare, way, new, since / AGE, place, mix(seed, fragment), fragment)
}

/// How many orders a miner tries to claim at once, by how its last attempts went: half as many
/// after it lost more races than it won, twice as many after it lost none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Races {
	window: usize,
}

impl Default for Races {
	fn default() -> Self {
		Self::new()
	}
}

impl Races {
	/// Nothing was lost yet.
	pub const fn new() -> Self {
		Self { window: MAX_LISTED }
	}

	/// Notes how many of the orders that were tried for became this miner's, and how many became
	/// somebody else's.
	pub fn note(&mut self, won: usize, lost: usize) {
		if lost > won {
			self.window = (self.window / 2).max(1);
		} else if lost == 0 && won > 0 {
			self.window = (self.window * 2).min(MAX_LISTED);
		}
	}

	/// How many to try for.
	pub const fn window(&self) -> usize {
		self.window
	}
}

/// A number that is as good as random for each miner and turn.
pub fn seed(miner: MinerId, turn: u64) -> u64 {
	splitmix(splitmix(miner.0.into()) ^ turn)
}

/// Whether the miner is the one of `finders` that does the chore in this block: one of them is on
/// average, and over the blocks each gets its turn.
pub(crate) fn is_drawn(miner: MinerId, height: u32, chore: &Chore, finders: u32) -> bool {
	let about = match *chore {
		Chore::MarkAbsent(miner) | Chore::ExpelAbsent(miner) | Chore::Finish(miner) => {
			miner.0.into()
		},
		Chore::CheckSegment(segment) => segment.0,
		Chore::Tidy(fragment) => fragment.segment.0,
	};
	splitmix(seed(miner, height.into()) ^ about).is_multiple_of(finders.max(1).into())
}

fn mix(seed: u64, fragment: FragmentId) -> u64 {
	splitmix(splitmix(seed ^ fragment.segment.0).wrapping_add(fragment.index.into()))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub const fn splitmix(n: u64) -> u64 {
	let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
	let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
	n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::{vec, vec::Vec};
	use planaria_primitives::SegmentId;
	use proptest::prelude::*;

	const PLENTY: Budget = Budget { claims: 100, bytes: u64::MAX, idle: false };

	fn candidate(segment: u64, index: u8, spare: i16, way: Way) -> Candidate {
		Candidate {
			fragment: FragmentId { segment: SegmentId(segment), index },
			holder: Some(MinerId(7)),
			len: 100,
			data: 4,
			parity: 8,
			spare,
			way,
			since: 0,
			under_way: false,
			ordered: false,
			disputed: false,
		}
	}

	#[test]
	fn the_scarcest_come_first_and_only_one_of_a_segment() {
		let candidates = vec![
			candidate(1, 0, 4, Way::Copy),
			candidate(2, 1, 0, Way::Rebuild),
			candidate(2, 2, 0, Way::Copy),
			candidate(3, 0, -1, Way::Rebuild),
			Candidate { disputed: true, ..candidate(4, 0, -4, Way::Rebuild) },
		];
		let expected = [3, 2, 0, 4].map(|n: usize| candidates[n].fragment);
		for seed in 0..20 {
			assert_eq!(plan(candidates.clone(), PLENTY, seed), expected);
			let mut turned = candidates.clone();
			turned.rotate_left(seed as usize % 5);
			assert_eq!(plan(turned, PLENTY, seed), expected);
		}
		assert_eq!(plan(candidates, Budget { claims: 1, ..PLENTY }, 0).len(), 1);
	}

	#[test]
	fn the_oldest_come_first_among_equals_of_about_the_same_age_chance_decides() {
		let old = Candidate { since: 0, ..candidate(9, 0, 1, Way::Copy) };
		let young = |n| Candidate { since: 2 * AGE + n as Tick, ..candidate(n, 0, 1, Way::Copy) };
		let candidates: Vec<_> = (10..50).map(young).chain([old]).collect();
		let plans: BTreeSet<Vec<_>> =
			(0..8).map(|seed| plan(candidates.clone(), PLENTY, seed)).collect();
		assert_eq!(plans.len(), 8);
		assert!(plans.iter().all(|plan| plan[0] == old.fragment && plan.len() == 41));
	}

	/// Of these segments this fragment each, which this miner held.
	fn held(holder: u32, index: u8, segments: core::ops::Range<u64>) -> Vec<Candidate> {
		let holder = Some(MinerId(holder));
		let of = |n| Candidate { holder, ..candidate(n, index, 1, Way::Rebuild) };
		segments.map(of).collect()
	}

	fn holder_in(candidates: &[Candidate], fragment: FragmentId) -> Option<MinerId> {
		candidates.iter().find(|candidate| candidate.fragment == fragment)?.holder
	}

	#[test]
	fn equals_are_taken_holder_by_holder_and_each_miner_begins_with_another() {
		let of = |n: u32| held(n, 0, u64::from(n) * 100..u64::from(n) * 100 + 16);
		let candidates: Vec<_> = (0..8).flat_map(of).collect();
		let mut first = BTreeSet::new();
		for miner in 0..64 {
			let plan = plan(candidates.clone(), PLENTY, seed(MinerId(miner), 0));
			let mut holders: Vec<_> = plan.iter().map(|f| holder_in(&candidates, *f)).collect();
			first.insert(holders[0]);
			holders.dedup();
			assert_eq!((plan.len(), holders.len()), (100, 7));
		}
		assert_eq!(first.len(), 8);
	}

	#[test]
	fn of_a_segment_with_several_the_one_of_the_first_holder_is_taken() {
		let candidates: Vec<_> = (0..4).flat_map(|n| held(u32::from(n), n, 0..50)).collect();
		for seed in 0..8 {
			let plan = plan(candidates.clone(), PLENTY, seed);
			let holders: BTreeSet<_> = plan.iter().map(|f| holder_in(&candidates, *f)).collect();
			assert_eq!((plan.len(), holders.len()), (50, 1));
		}
	}

	fn any_candidate() -> impl Strategy<Value = Candidate> {
		let what = (0..40u64, 0..12u8, 0..6u32, -1..3i16, 0..2 * AGE);
		(what, any::<[bool; 3]>()).prop_map(
			|((segment, index, holder, spare, since), [copied, under_way, disputed])| {
				let way = if copied { Way::Copy } else { Way::Rebuild };
				let holder = Some(MinerId(holder));
				let known = candidate(segment, index, spare, way);
				Candidate { holder, since, under_way, disputed, ..known }
			},
		)
	}

	proptest! {
		#[test]
		fn need_comes_before_the_holder_and_nothing_is_taken_twice(
			candidates in prop::collection::btree_map((0..40u64, 0..12u8), any_candidate(), 0..200),
			claims in 0..50usize,
			seed: u64,
		) {
			let candidates: Vec<_> = candidates
				.into_iter()
				.map(|((segment, index), known)| {
					Candidate { fragment: FragmentId { segment: SegmentId(segment), index }, ..known }
				})
				.collect();
			let find = |fragment| candidates.iter().find(|known| known.fragment == fragment);
			let need = |known: &Candidate| {
				let new = known.way == Way::Rebuild && !known.under_way;
				(known.disputed, known.spare, known.way, new, known.since / AGE)
			};
			let plan = plan(candidates.clone(), Budget { claims, ..PLENTY }, seed);
			let planned: Vec<&Candidate> = plan.iter().filter_map(|id| find(*id)).collect();
			let segments: BTreeSet<_> = plan.iter().map(|id| id.segment).collect();
			let all: BTreeSet<_> = candidates.iter().map(|known| known.fragment.segment).collect();
			prop_assert_eq!((planned.len(), segments.len()), (plan.len(), plan.len()));
			prop_assert_eq!(plan.len(), claims.min(all.len()));
			prop_assert!(planned.iter().map(|known| need(known)).is_sorted());
			// Who held it comes once among those of the same need.
			let mut runs: Vec<_> = planned.iter().map(|known| (need(known), known.holder)).collect();
			runs.dedup();
			prop_assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), runs.len());
		}
	}

	#[test]
	fn no_more_is_planned_than_can_be_read_in_time() {
		let candidates: Vec<_> = (0..10).map(|n| candidate(n, 0, 1, Way::Rebuild)).collect();
		let planned = |budget| plan(candidates.clone(), budget, 7).len();
		assert_eq!(planned(Budget { bytes: 1_600, ..PLENTY }), 4);
		assert_eq!(planned(Budget { bytes: 399, ..PLENTY }), 0);
		assert_eq!(planned(Budget { bytes: 399, idle: true, ..PLENTY }), 1);
		// 100 bytes per second, ten seconds, half of them.
		assert_eq!(Budget::new(5, 100, 10_000, 100), Budget { claims: 5, bytes: 400, idle: false });
		assert_eq!(Budget::new(5, u64::MAX, u64::MAX, 0).bytes, u64::MAX);
	}

	#[test]
	fn what_absent_miners_held_waits_until_its_segment_is_thin() {
		// 2+1 at once, 4+8 when three are gone.
		assert_eq!((lazy_spare(1), lazy_spare(8)), (1, 5));
		let thick = candidate(1, 0, 6, Way::Rebuild);
		assert!(!thick.is_due(9, 10));
		assert!(thick.is_due(10, 10));
		for due in [
			Candidate { spare: 5, ..thick },
			Candidate { way: Way::Copy, ..thick },
			Candidate { ordered: true, ..thick },
			Candidate { under_way: true, ..thick },
		] {
			assert!(due.is_due(0, 10));
		}
	}

	#[test]
	fn lost_races_make_a_miner_modest_and_won_ones_bold() {
		let mut races = Races::default();
		(0..20).for_each(|_| races.note(1, 2));
		assert_eq!(races.window(), 1);
		races.note(1, 1);
		assert_eq!(races.window(), 1);
		races.note(1, 0);
		assert_eq!(races.window(), 2);
		(0..20).for_each(|_| races.note(1, 0));
		assert_eq!(races.window(), MAX_LISTED);
	}

	#[test]
	fn seeds_differ_by_miner_and_turn() {
		let seeds: BTreeSet<u64> =
			(0..10).flat_map(|miner| (0..10).map(move |turn| seed(MinerId(miner), turn))).collect();
		assert_eq!(seeds.len(), 100);
	}
}
