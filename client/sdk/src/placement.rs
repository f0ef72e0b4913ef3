// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which miners get the fragments of a file.

use planaria_primitives::MinerId;
use planaria_runtime_api::{MinerStanding, MinerStatus};
use rand::{Rng, seq::SliceRandom};
use std::collections::{BTreeSet, HashSet};

/// The chain's terms for new data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
	/// The collateral of a miner that holds nothing.
	pub collateral_base: u128,
	/// The collateral for each GiB held or reserved, on top of that.
	pub collateral_per_gib: u128,
	/// How much may be reserved with a miner that holds less than that; with others, as much as
	/// they hold.
	pub room_floor: u64,
}

impl Default for Terms {
	/// No limits: the chain has the last word.
	fn default() -> Self {
		Self { collateral_base: 0, collateral_per_gib: 0, room_floor: u64::MAX }
	}
}

impl Terms {
	/// The bytes that a miner can be given: what it offers, what it may grow by, what its
	/// collateral covers.
	fn room(&self, status: &MinerStatus) -> u64 {
		let used = status.held.saturating_add(status.reserved);
		let offered = status.declared.saturating_sub(used);
		let growth = self.room_floor.max(status.held).saturating_sub(status.reserved);
		let covered = match status.collateral.checked_sub(self.collateral_base) {
			None => 0,
			Some(rest) => rest
				.saturating_mul(1 << 30)
				.checked_div(self.collateral_per_gib)
				.map_or(u64::MAX, |bytes| u64::try_from(bytes).unwrap_or(u64::MAX)),
		};
		offered.min(growth).min(covered.saturating_sub(used))
	}
}

/// Which miners a user wants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preferences {
	/// These first, as long as they have room.
	pub prefer: BTreeSet<MinerId>,
	/// Never these.
	pub avoid: BTreeSet<MinerId>,
	/// Only these, if any are named.
	pub only: BTreeSet<MinerId>,
}

impl Preferences {
	fn allow(&self, miner: MinerId) -> bool {
		!self.avoid.contains(&miner) && (self.only.is_empty() || self.only.contains(&miner))
	}
}

#[derive(Clone, Debug)]
struct Candidate {
	miner: MinerId,
	room: u64,
	preferred: bool,
	/// The bytes of this file it was given.
	given: u64,
}

/// Chooses holders for one file: random among the miners that take data and have room, the same
/// amount for each as far as that goes, all of a segment's different.
#[derive(Debug)]
pub struct Planner<R> {
	candidates: Vec<Candidate>,
	terms: Terms,
	preferences: Preferences,
	shunned: HashSet<MinerId>,
	random: R,
}

impl<R: Rng> Planner<R> {
	/// A planner over these miners.
	pub fn new(terms: Terms, miners: &[MinerStatus], preferences: Preferences, random: R) -> Self {
		let candidates = Vec::new();
		let mut planner = Self { candidates, terms, preferences, shunned: HashSet::new(), random };
		planner.refresh(miners);
		planner
	}

	/// Takes the miners' present state; what each was given of this file is remembered.
	pub fn refresh(&mut self, miners: &[MinerStatus]) {
		let given = |miner| {
			let known = self.candidates.iter().find(|candidate| candidate.miner == miner);
			known.map_or(0, |candidate| candidate.given)
		};
		self.candidates = miners
			.iter()
			.filter(|status| status.standing == MinerStanding::Serving)
			.filter(|status| self.preferences.allow(status.miner))
			.filter(|status| !self.shunned.contains(&status.miner))
			.map(|status| Candidate {
				miner: status.miner,
				room: self.terms.room(status),
				preferred: self.preferences.prefer.contains(&status.miner),
				given: given(status.miner),
			})
			.collect();
	}

	/// Never chooses this miner again.
	pub fn shun(&mut self, miner: MinerId) {
		self.shunned.insert(miner);
		self.candidates.retain(|candidate| candidate.miner != miner);
	}

	/// Whether a miner is never chosen again.
	pub fn is_shunned(&self, miner: MinerId) -> bool {
		self.shunned.contains(&miner)
	}

	/// Whether there are holders for a segment of so many fragments, without choosing any.
	pub fn could_serve(&self, fragments: usize, len: u32) -> Result<(), PlacementError> {
		let fits = |candidate: &&Candidate| candidate.room >= u64::from(len);
		let found = self.candidates.iter().filter(fits).count();
		if found < fragments { Err(PlacementError { needed: fragments, found }) } else { Ok(()) }
	}

	/// Holders for a segment of `fragments` fragments of `len` bytes each.
	pub fn segment(&mut self, fragments: u8, len: u32) -> Result<Vec<MinerId>, PlacementError> {
		self.choose(usize::from(fragments), len, &[])
	}

	/// One more holder for a fragment of a segment whose other fragments these miners have.
	pub fn replacement(&mut self, others: &[MinerId], len: u32) -> Result<MinerId, PlacementError> {
		let chosen = self.choose(1, len, others)?;
		chosen.first().copied().ok_or(PlacementError { needed: 1, found: 0 })
	}

	fn choose(
		&mut self,
		count: usize,
		len: u32,
		taken: &[MinerId],
	) -> Result<Vec<MinerId>, PlacementError> {
		let len = u64::from(len);
		// Shuffled, then sorted stably: random among equals.
		self.candidates.shuffle(&mut self.random);
		self.candidates.sort_by_key(|candidate| (!candidate.preferred, candidate.given));
		let fitting = self
			.candidates
			.iter_mut()
			.filter(|candidate| candidate.room >= len && !taken.contains(&candidate.miner));
		let chosen: Vec<_> = fitting.take(count).collect();
		if chosen.len() < count {
			return Err(PlacementError { needed: count, found: chosen.len() });
		}
		let mut miners: Vec<_> = chosen
			.into_iter()
			.map(|candidate| {
				candidate.room -= len;
				candidate.given += len;
				candidate.miner
			})
			.collect();
		// Otherwise those with the least would always hold the source fragments.
		miners.shuffle(&mut self.random);
		Ok(miners)
	}
}

/// There are too few miners that take data, are allowed by the preferences and have room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
	"{needed} different miners with room are needed, {found} can be had: use a coding with fewer \
	 fragments, allow more miners, or wait for some to join"
)]
pub struct PlacementError {
	/// How many are needed.
	pub needed: usize,
	/// How many there are.
	pub found: usize,
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{AccountId32, tests::miner};
	use proptest::prelude::*;
	use rand::{SeedableRng, rngs::StdRng};
	use std::collections::HashMap;

	fn miners(count: u32) -> Vec<MinerStatus> {
		(0..count).map(miner).collect()
	}

	fn planner(miners: &[MinerStatus], preferences: Preferences) -> Planner<StdRng> {
		Planner::new(Terms::default(), miners, preferences, StdRng::seed_from_u64(1))
	}

	fn ids(ids: impl IntoIterator<Item = u32>) -> BTreeSet<MinerId> {
		ids.into_iter().map(MinerId).collect()
	}

	#[test]
	fn holders_are_different_and_evenly_used() {
		let mut planner = planner(&miners(12), Preferences::default());
		let mut given = HashMap::new();
		for _ in 0..100 {
			let holders = planner.segment(3, 1000).expect("room");
			assert_eq!(holders.iter().collect::<HashSet<_>>().len(), 3);
			holders.into_iter().for_each(|miner| *given.entry(miner).or_insert(0) += 1);
		}
		assert_eq!(given.len(), 12);
		assert!(given.values().all(|count| *count == 25));
	}

	#[test]
	fn which_miners_share_a_segment_is_random() {
		let mut planner = planner(&miners(12), Preferences::default());
		let sets: HashSet<BTreeSet<_>> =
			(0..100).map(|_| planner.segment(3, 1).expect("room").into_iter().collect()).collect();
		assert!(sets.len() > 60, "{} of 100 sets are different", sets.len());
		let firsts: HashSet<_> =
			(0..100).map(|_| planner.segment(12, 1).expect("room")[0]).collect();
		assert_eq!(firsts.len(), 12);
	}

	#[test]
	fn preferences_are_kept() {
		let all = miners(6);
		let prefer = Preferences { prefer: ids([4, 5]), ..Preferences::default() };
		let chosen: BTreeSet<_> =
			planner(&all, prefer).segment(3, 1).expect("room").into_iter().collect();
		assert!(chosen.is_superset(&ids([4, 5])));

		let avoid = Preferences { avoid: ids([0, 1, 2]), ..Preferences::default() };
		let chosen = planner(&all, avoid.clone()).segment(3, 1).expect("room");
		assert_eq!(chosen.into_iter().collect::<BTreeSet<_>>(), ids([3, 4, 5]));
		let error = planner(&all, avoid).segment(4, 1).expect_err("too few");
		assert_eq!(error, PlacementError { needed: 4, found: 3 });

		let only = Preferences { only: ids([1, 2]), avoid: ids([2]), ..Preferences::default() };
		let error = planner(&all, only).segment(2, 1).expect_err("too few");
		assert_eq!(error, PlacementError { needed: 2, found: 1 });
	}

	#[test]
	fn only_serving_miners_with_room_are_chosen() {
		let mut all = miners(6);
		all[0].standing = MinerStanding::Suspended;
		all[1].standing = MinerStanding::Leaving;
		all[2].declared = 999;
		let error = planner(&all, Preferences::default()).segment(4, 1000).expect_err("too few");
		assert_eq!(error.found, 3);
	}

	#[test]
	fn room_is_what_offer_growth_and_collateral_allow() {
		const GIB: u64 = 1 << 30;
		let terms = Terms { collateral_base: 10, collateral_per_gib: 2, room_floor: 8 * GIB };
		let status = MinerStatus { declared: 100 * GIB, collateral: 1000, ..miner(1) };
		let room = |status: &MinerStatus| terms.room(status) / GIB;
		assert_eq!(room(&status), 8);
		assert_eq!(room(&MinerStatus { reserved: 3 * GIB, ..status.clone() }), 5);
		assert_eq!(room(&MinerStatus { held: 20 * GIB, ..status.clone() }), 20);
		assert_eq!(room(&MinerStatus { held: 95 * GIB, ..status.clone() }), 5);
		// The base and 2 per GiB: 20 covers five GiB, held and reserved ones among them.
		assert_eq!(room(&MinerStatus { collateral: 20, ..status.clone() }), 5);
		assert_eq!(room(&MinerStatus { collateral: 20, held: 4 * GIB, ..status.clone() }), 1);
		assert_eq!(room(&MinerStatus { collateral: 20, held: 6 * GIB, ..status.clone() }), 0);
		assert_eq!(room(&MinerStatus { collateral: 9, ..status.clone() }), 0);
		assert_eq!(Terms::default().room(&status), 100 * GIB);
	}

	#[test]
	fn room_is_used_up_and_comes_back_only_with_the_chains_word() {
		let mut all = miners(2);
		all.iter_mut().for_each(|miner| miner.declared = 2000);
		let mut planner = planner(&all, Preferences::default());
		assert!(planner.segment(2, 1000).is_ok() && planner.segment(2, 1000).is_ok());
		assert!(planner.segment(2, 1000).is_err());
		planner.refresh(&all);
		assert!(planner.segment(2, 1000).is_ok());
	}

	#[test]
	fn a_replacement_is_another_miner_and_never_a_shunned_one() {
		let all = miners(5);
		let mut planner = planner(&all, Preferences::default());
		let taken = [MinerId(0), MinerId(1), MinerId(2)];
		planner.shun(MinerId(3));
		planner.refresh(&all);
		for _ in 0..10 {
			assert_eq!(planner.replacement(&taken, 1), Ok(MinerId(4)));
		}
		planner.shun(MinerId(4));
		assert!(planner.replacement(&taken, 1).is_err());
	}

	proptest! {
		#[test]
		fn whatever_is_chosen_is_allowed(
			seed in any::<u64>(),
			rooms in prop::collection::vec(0u64..5000, 1..30),
			fragments in 1u8..=12,
			avoid in prop::collection::btree_set(0u32..30, 0..5),
		) {
			let all: Vec<_> = (0..).zip(&rooms).map(|(id, room)| MinerStatus {
				declared: *room,
				stash: AccountId32::new([1; 32]),
				..miner(id)
			}).collect();
			let preferences = Preferences { avoid: ids(avoid), ..Preferences::default() };
			let random = StdRng::seed_from_u64(seed);
			let mut planner = Planner::new(Terms::default(), &all, preferences.clone(), random);
			let mut left = rooms.clone();
			while let Ok(holders) = planner.segment(fragments, 1000) {
				let distinct: BTreeSet<_> = holders.iter().copied().collect();
				prop_assert_eq!(distinct.len(), usize::from(fragments));
				prop_assert!(distinct.is_disjoint(&preferences.avoid));
				for holder in holders {
					let room = &mut left[holder.0 as usize];
					prop_assert!(*room >= 1000);
					*room -= 1000;
				}
			}
		}
	}
}
