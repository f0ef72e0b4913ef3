// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which miners get the fragments of a file.

mod ties;

use planaria_primitives::{MinerId, PlacementRule, placement::Draw};
use planaria_runtime_api::{MinerStanding, MinerStatus};
use rand::{Rng, seq::SliceRandom};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use ties::{Spread, Ties};

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
	/// With so many miners only a file's owner, by signing the order, has its holders chosen.
	pub drawn_from: u32,
}

impl Default for Terms {
	/// No limits: the chain has the last word.
	fn default() -> Self {
		Self {
			collateral_base: 0,
			collateral_per_gib: 0,
			room_floor: u64::MAX,
			drawn_from: u32::MAX,
		}
	}
}

impl Terms {
	/// How a file is placed where nobody wishes anything: drawn, unless the network is small.
	pub fn rule(&self, miners: &[MinerStatus]) -> PlacementRule {
		let registered = |status: &&MinerStatus| status.standing != MinerStanding::Departed;
		let small = miners.iter().filter(registered).count() < self.drawn_from as usize;
		if small { PlacementRule::Chosen } else { PlacementRule::Drawn }
	}

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

/// Where the fragments of a segment go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
	/// To these miners, one per fragment.
	Chosen(Vec<MinerId>),
	/// To the candidates of these numbers, one per fragment; to whom it went before where there is
	/// none.
	Drawn(Vec<Option<u8>>),
}

impl Placement {
	/// That the fragments of segment `number` go to these miners. Who is no candidate of a draw has
	/// his fragment already.
	pub fn of(draw: Option<&Draw>, number: u32, holders: &[MinerId]) -> Self {
		let Some(draw) = draw else { return Self::Chosen(holders.to_vec()) };
		let choice = |(index, holder): (u8, &MinerId)| {
			(0..=u8::MAX)
				.zip(draw.of(number, index))
				.find_map(|(choice, miner)| (miner == *holder).then_some(choice))
		};
		Self::Drawn((0..).zip(holders).map(choice).collect())
	}
}

/// The best [quality](Preferences::quality).
pub const BEST: u16 = 1000;

/// Which miners a user wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preferences {
	/// These first, as long as they have room.
	pub prefer: BTreeSet<MinerId>,
	/// Never these.
	pub avoid: BTreeSet<MinerId>,
	/// Only these, if any are named.
	pub only: BTreeSet<MinerId>,
	/// Whether a miner is given the more, the more room it has and the better it is; otherwise all
	/// are given the same.
	pub weigh: bool,
	/// Whether the fragments of a segment go to different operators, and into different networks, as
	/// far as there are enough.
	pub spread: bool,
	/// How good miners have proven to be, from 1 to [`BEST`]; who is not named is as good as the best.
	pub quality: BTreeMap<MinerId, u16>,
}

impl Default for Preferences {
	fn default() -> Self {
		let (prefer, avoid, only) = Default::default();
		Self { prefer, avoid, only, weigh: true, spread: true, quality: BTreeMap::new() }
	}
}

impl Preferences {
	/// How much a miner with this room is given in proportion to others.
	fn weight(&self, miner: MinerId, room: u64) -> f64 {
		if !self.weigh {
			return 1.0;
		}
		let quality = self.quality.get(&miner).copied().unwrap_or(BEST).clamp(1, BEST);
		room.max(1) as f64 * f64::from(quality)
	}

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
	/// How much it is given in proportion to others; more than 0.
	weight: f64,
	/// How many whole fragments the one with the most weight would have been given for that.
	turns: u64,
	/// Random, and likely to be small for who has much weight.
	chance: f64,
}

/// Chooses holders for one file: random among the miners that take data and have room, each as much
/// as its weight says as far as that goes, all of a segment's different, and of different operators
/// and networks as far as there are enough.
#[derive(Debug)]
pub struct Planner<R> {
	candidates: Vec<Candidate>,
	/// What miners share with each other, if that is to be looked at.
	ties: HashMap<MinerId, Ties>,
	/// The length of a whole fragment.
	unit: u64,
	terms: Terms,
	preferences: Preferences,
	shunned: HashSet<MinerId>,
	random: R,
}

impl<R: Rng> Planner<R> {
	/// A planner over these miners.
	pub fn new(terms: Terms, miners: &[MinerStatus], preferences: Preferences, random: R) -> Self {
		let (candidates, ties, shunned) = Default::default();
		let mut planner = Self { candidates, ties, unit: 1, terms, preferences, shunned, random };
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
			.map(|status| {
				let (miner, room) = (status.miner, self.terms.room(status));
				Candidate {
					miner,
					room,
					preferred: self.preferences.prefer.contains(&miner),
					given: given(miner),
					weight: self.preferences.weight(miner, room),
					turns: 0,
					chance: 0.0,
				}
			})
			.collect();
		if self.preferences.spread {
			self.ties = miners.iter().map(|status| (status.miner, Ties::of(status))).collect();
		}
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

	/// Whether the preferences are against a miner.
	pub fn is_unwanted(&self, miner: MinerId) -> bool {
		!self.preferences.allow(miner)
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

	/// So many more holders for fragments of a segment, different from these miners.
	pub fn others(
		&mut self,
		count: usize,
		taken: &[MinerId],
		len: u32,
	) -> Result<Vec<MinerId>, PlacementError> {
		self.choose(count, len, taken)
	}

	/// One more holder for a fragment of a segment whose other fragments these miners have; among
	/// these candidates, if there are any.
	pub fn another(
		&mut self,
		candidates: Option<impl Iterator<Item = MinerId>>,
		others: &[MinerId],
		len: u32,
	) -> Result<MinerId, PlacementError> {
		let chosen = match candidates {
			None => self.choose(1, len, others)?,
			Some(candidates) => self.drawn(&[candidates.collect()], others, len)?,
		};
		chosen.first().copied().ok_or(PlacementError { needed: 1, found: 0 })
	}

	/// Holders for fragments of a segment that each have these candidates, none of them of `taken`:
	/// a preferred one, or one of another operator, in another network, that was given least of this
	/// file for its weight, as far as all get one.
	pub fn drawn(
		&mut self,
		candidates: &[Vec<MinerId>],
		taken: &[MinerId],
		len: u32,
	) -> Result<Vec<MinerId>, PlacementError> {
		let len = u64::from(len);
		self.sort(len);
		let able =
			|candidate: &Candidate| candidate.room >= len && !taken.contains(&candidate.miner);
		let mut options: Vec<Vec<usize>> = candidates
			.iter()
			.map(|miners| {
				let all = self.candidates.iter().enumerate();
				let of = all.filter(|(_, one)| able(one) && miners.contains(&one.miner));
				of.map(|(place, _)| place).collect()
			})
			.collect();
		let mut given = HashMap::new();
		let mut found = 0;
		for fragment in 0..candidates.len() {
			let holders = given.keys().map(|place: &usize| self.candidates[*place].miner);
			let spread = self.spread(taken.iter().copied().chain(holders));
			options[fragment].sort_by_key(|place| self.rank(&self.candidates[*place], &spread));
			found += usize::from(assign(fragment, &options, &mut given, &mut HashSet::new()));
		}
		if found < candidates.len() {
			return Err(PlacementError { needed: candidates.len(), found });
		}
		let mut holders = vec![MinerId::NOBODY; candidates.len()];
		for (place, fragment) in given {
			let candidate = &mut self.candidates[place];
			candidate.room -= len;
			candidate.given += len;
			holders[fragment] = candidate.miner;
		}
		Ok(holders)
	}

	/// Sorts by what each was given of this file for its weight, the least first, random among
	/// equals, whoever has more weight the likelier the first.
	fn sort(&mut self, len: u64) {
		self.unit = self.unit.max(len);
		let most = self.candidates.iter().map(|one| one.weight).fold(0.0, f64::max);
		for one in &mut self.candidates {
			let fragments = one.given as f64 / self.unit as f64;
			one.turns = (fragments * (most / one.weight)) as u64;
			// The first of several exponential times is each one's with a probability in proportion
			// to its rate.
			one.chance = -(1.0 - self.random.random::<f64>()).ln() / one.weight;
		}
		self.candidates.sort_by(|one, other| {
			one.turns.cmp(&other.turns).then(one.chance.total_cmp(&other.chance))
		});
	}

	/// Where a segment is that these miners have fragments of.
	fn spread(&self, holders: impl Iterator<Item = MinerId>) -> Spread<'_> {
		let mut spread = Spread::default();
		holders.filter_map(|holder| self.ties.get(&holder)).for_each(|ties| spread.add(ties));
		spread
	}

	/// What comes before turns and chance: the least is the best.
	fn rank(&self, candidate: &Candidate, spread: &Spread) -> (bool, (u32, u32)) {
		let ties = self.ties.get(&candidate.miner);
		(!candidate.preferred, ties.map_or((0, 0), |ties| spread.shared(ties)))
	}

	/// The place of the first of the best among these candidates.
	fn best(&self, among: &[usize], spread: &Spread) -> Option<usize> {
		// Nobody is better than that.
		let ideal = (self.preferences.prefer.is_empty(), (0, 0));
		let mut best = None;
		for (place, candidate) in among.iter().enumerate() {
			let rank = self.rank(&self.candidates[*candidate], spread);
			if best.is_none_or(|(_, least)| rank < least) {
				best = Some((place, rank));
			}
			if rank == ideal {
				break;
			}
		}
		best.map(|(place, _)| place)
	}

	fn choose(
		&mut self,
		count: usize,
		len: u32,
		taken: &[MinerId],
	) -> Result<Vec<MinerId>, PlacementError> {
		let len = u64::from(len);
		self.sort(len);
		let able =
			|candidate: &Candidate| candidate.room >= len && !taken.contains(&candidate.miner);
		let all = 0..self.candidates.len();
		let mut fitting: Vec<_> = all.filter(|place| able(&self.candidates[*place])).collect();
		if fitting.len() < count {
			return Err(PlacementError { needed: count, found: fitting.len() });
		}
		let mut chosen = Vec::new();
		let mut spread = self.spread(taken.iter().copied());
		for _ in 0..count {
			let Some(best) = self.best(&fitting, &spread) else { break };
			let place = fitting.remove(best);
			if let Some(ties) = self.ties.get(&self.candidates[place].miner) {
				spread.add(ties);
			}
			chosen.push(place);
		}
		let mut miners = Vec::new();
		for place in chosen {
			let candidate = &mut self.candidates[place];
			candidate.room -= len;
			candidate.given += len;
			miners.push(candidate.miner);
		}
		// Otherwise those with the least would always hold the source fragments.
		miners.shuffle(&mut self.random);
		Ok(miners)
	}
}

/// Gives a fragment the first of its options that is free, or can be freed as whoever has it takes
/// another one; `given` says which fragment has an option. A matching grows along augmenting paths,
/// so in the end as many fragments have one as can.
fn assign(
	fragment: usize,
	options: &[Vec<usize>],
	given: &mut HashMap<usize, usize>,
	tried: &mut HashSet<usize>,
) -> bool {
	for option in &options[fragment] {
		if !tried.insert(*option) {
			continue;
		}
		let free = match given.get(option).copied() {
			None => true,
			Some(other) => assign(other, options, given, tried),
		};
		if free {
			given.insert(*option, fragment);
			return true;
		}
	}
	false
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

	/// No candidates.
	const ANY: Option<std::iter::Empty<MinerId>> = None;

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
		let terms = Terms {
			collateral_base: 10,
			collateral_per_gib: 2,
			room_floor: 8 * GIB,
			..Terms::default()
		};
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
			assert_eq!(planner.another(ANY, &taken, 1), Ok(MinerId(4)));
		}
		let candidates = || Some([0, 3, 4].map(MinerId).into_iter());
		assert_eq!(planner.another(candidates(), &taken, 1), Ok(MinerId(4)));
		planner.shun(MinerId(4));
		assert!(planner.another(ANY, &taken, 1).is_err());
		assert!(planner.another(candidates(), &taken, 1).is_err());
	}

	#[test]
	fn a_large_network_draws() {
		let terms = Terms { drawn_from: 3, ..Terms::default() };
		let mut all = miners(3);
		assert_eq!(terms.rule(&all), PlacementRule::Drawn);
		all[1].standing = MinerStanding::Absent;
		assert_eq!(terms.rule(&all), PlacementRule::Drawn);
		all[1].standing = MinerStanding::Departed;
		assert_eq!(terms.rule(&all), PlacementRule::Chosen);
	}

	#[test]
	fn every_fragment_gets_a_candidate_if_that_is_possible_at_all() {
		let all = miners(4);
		let candidates = |of: &[&[u32]]| -> Vec<Vec<MinerId>> {
			of.iter().map(|of| of.iter().copied().map(MinerId).collect()).collect()
		};
		for _ in 0..20 {
			// Only one way is left, whoever begins.
			let of = candidates(&[&[0, 1, 2], &[0, 1], &[0]]);
			let holders = planner(&all, Preferences::default()).drawn(&of, &[], 1);
			assert_eq!(holders, Ok([2, 1, 0].map(MinerId).to_vec()));
		}
		let mut planner = planner(&all, Preferences::default());
		let of = candidates(&[&[0, 1], &[1, 0], &[1]]);
		assert_eq!(planner.drawn(&of, &[], 1), Err(PlacementError { needed: 3, found: 2 }));
		// Nor those who have another fragment, are shunned, or are not there.
		let of = candidates(&[&[0, 1, 2, 3, 99]]);
		planner.shun(MinerId(2));
		let holders = planner.drawn(&of, &[MinerId(0), MinerId(1)], 1);
		assert_eq!(holders, Ok(vec![MinerId(3)]));
	}

	#[test]
	fn candidates_are_evenly_used_and_preferred_ones_first() {
		let all = miners(40);
		let draw = Draw { seed: [5; 32], ids: 40, candidates: 4 };
		let of = |number| (0..3).map(|index| draw.of(number, index).collect()).collect::<Vec<_>>();
		let mut even = planner(&all, Preferences::default());
		let mut given = HashMap::new();
		for number in 0..400 {
			let holders = even.drawn(&of(number), &[], 1000).expect("room");
			for (index, holder) in (0..).zip(&holders) {
				assert!(draw.of(number, index).any(|miner| miner == *holder));
				*given.entry(*holder).or_insert(0) += 1;
			}
			let Placement::Drawn(choices) = Placement::of(Some(&draw), number, &holders) else {
				panic!("it is drawn")
			};
			for ((index, choice), holder) in (0..).zip(choices).zip(holders) {
				let choice = choice.expect("it is a candidate");
				assert_eq!(draw.candidate(number, index, choice), Some(holder));
			}
		}
		assert!(given.values().all(|count| (26..=34).contains(count)), "{given:?}");

		let prefer = Preferences { prefer: ids([7]), ..Preferences::default() };
		let mut planner = planner(&all, prefer);
		let number = (0..).find(|n| draw.of(*n, 1).any(|miner| miner == MinerId(7)));
		let holders = planner.drawn(&of(number.expect("one")), &[], 1).expect("room");
		assert!(holders.contains(&MinerId(7)));
	}

	/// How often each of so many miners is chosen, alone, by planners that know of nothing before.
	fn chances(all: &[MinerStatus], preferences: &Preferences) -> Vec<u32> {
		let mut times = vec![0; all.len()];
		for seed in 0..2000 {
			let random = StdRng::seed_from_u64(seed);
			let mut planner = Planner::new(Terms::default(), all, preferences.clone(), random);
			times[planner.segment(1, 1).expect("room")[0].0 as usize] += 1;
		}
		times
	}

	#[test]
	fn room_and_quality_make_likelier() {
		let mut all = miners(4);
		all[3].declared *= 5;
		let times = chances(&all, &Preferences::default());
		assert!(times[..3].iter().all(|times| (200..=300).contains(times)), "{times:?}");
		// What is no longer free does not count.
		all[3].held = all[3].declared / 5 * 4;
		let times = chances(&all, &Preferences::default());
		assert!(times.iter().all(|times| (440..=560).contains(times)), "{times:?}");

		let quality = [(MinerId(0), 200), (MinerId(1), BEST), (MinerId(2), 0)].into();
		let times = chances(&all, &Preferences { quality, ..Preferences::default() });
		assert!((130..=230).contains(&times[0]) && times[2] <= 5, "{times:?}");
		assert!(times[1].abs_diff(times[3]) < 150, "{times:?}");

		// Unless all are to be alike.
		all[0].declared *= 5;
		let quality = [(MinerId(1), 1)].into();
		let times = chances(&all, &Preferences { quality, weigh: false, ..Preferences::default() });
		assert!(times.iter().all(|times| (440..=560).contains(times)), "{times:?}");
	}

	#[test]
	fn a_long_file_is_given_in_proportion() {
		let mut all = miners(5);
		all[4].declared *= 4;
		let mut planner = planner(&all, Preferences::default());
		let mut given = [0; 5];
		for _ in 0..800 {
			given[planner.segment(1, 1000).expect("room")[0].0 as usize] += 1;
		}
		assert!(given[..4].iter().all(|given| (98..=102).contains(given)), "{given:?}");
	}

	fn account(number: u8) -> AccountId32 {
		AccountId32::new([number; 32])
	}

	#[test]
	fn a_replacement_is_of_another_operator_and_in_another_network() {
		let mut all = miners(6);
		let place = |miner: &mut MinerStatus, operator: u8, network: &str| {
			(miner.stash, miner.payee) = (account(operator), account(operator));
			miner.endpoint_addrs = vec![format!("{network}.{}:1", miner.miner)];
		};
		for (miner, operator, network) in [
			(0, 1, "5.0.0"),
			(1, 2, "5.0.1"),
			// Who is tempting, but related.
			(2, 1, "5.0.2"),
			(3, 3, "5.0.1"),
			(4, 3, "5.0.4"),
			(5, 2, "5.0.5"),
		] {
			place(&mut all[miner], operator, network);
		}
		all[2].declared *= 1000;
		let mut planner = planner(&all, Preferences::default());
		let taken = [MinerId(0), MinerId(1)];
		assert_eq!(planner.another(ANY, &taken, 1), Ok(MinerId(4)));
		let among = |ids: &[u32]| Some(ids.iter().copied().map(MinerId).collect::<Vec<_>>());
		let mut another = |ids: &[u32]| {
			planner.another(among(ids).map(Vec::into_iter), &taken, 1).expect("there is one")
		};
		assert_eq!(another(&[2, 3, 4, 5]), MinerId(4));
		// The same network is better than the same operator, and that better than nobody.
		assert_eq!(another(&[2, 3, 5]), MinerId(3));
		assert_eq!(another(&[5]), MinerId(5));

		// A wish comes first.
		let prefer = Preferences { prefer: ids([2]), ..Preferences::default() };
		let mut wished = self::planner(&all, prefer);
		assert_eq!(wished.another(ANY, &taken, 1), Ok(MinerId(2)));
		// Nobody need look at it.
		let alike = Preferences { spread: false, ..Preferences::default() };
		let mut alike = self::planner(&all, alike);
		assert_eq!(alike.another(ANY, &taken, 1), Ok(MinerId(2)));
	}

	#[test]
	fn candidates_are_of_different_operators_where_there_is_a_choice() {
		let mut all = miners(8);
		for (status, operator) in all.iter_mut().zip([1, 1, 1, 1, 2, 3, 4, 5]) {
			(status.stash, status.payee) = (account(operator), account(operator));
		}
		let of: Vec<Vec<MinerId>> =
			[[0, 1, 4], [1, 2, 5], [2, 3, 6]].map(|of| of.map(MinerId).to_vec()).into();
		for seed in 0..50 {
			let random = StdRng::seed_from_u64(seed);
			let mut planner = Planner::new(Terms::default(), &all, Preferences::default(), random);
			let holders = planner.drawn(&of, &[MinerId(7)], 1).expect("room");
			let related = holders.iter().filter(|holder| holder.0 < 4).count();
			assert!(related <= 1, "{holders:?}");
		}
	}

	proptest! {
		/// As far as there are enough of them, no two fragments of a segment are with one operator,
		/// or else in one network; where there are too few, each has as many as the others.
		#[test]
		fn a_segment_is_spread(
			seed in any::<u64>(),
			groups in prop::collection::vec((0u8..8, 1u64..1000), 1..30),
			fragments in 1u8..=12,
			by_operator in any::<bool>(),
		) {
			prop_assume!(groups.len() >= usize::from(fragments));
			let status = |(id, (group, room)): (u32, &(u8, u64))| {
				let operator = if by_operator { *group } else { u8::try_from(id).expect("few") };
				let network = if by_operator { u8::try_from(id).expect("few") } else { *group };
				MinerStatus {
					stash: account(operator),
					payee: account(operator),
					endpoint_addrs: vec![format!("5.5.{network}.{id}:1")],
					declared: *room << 20,
					..miner(id)
				}
			};
			let all: Vec<_> = (0..).zip(&groups).map(status).collect();
			let random = StdRng::seed_from_u64(seed);
			let mut planner = Planner::new(Terms::default(), &all, Preferences::default(), random);
			for _ in 0..3 {
				let mut has = [0; 8];
				for holder in planner.segment(fragments, 1).expect("room") {
					has[usize::from(groups[holder.0 as usize].0)] += 1;
				}
				let members =
					|group: usize| groups.iter().filter(|(of, _)| usize::from(*of) == group).count();
				let most = has.iter().copied().max().expect("eight");
				for (group, has) in has.into_iter().enumerate() {
					prop_assert!(has + 1 >= most || has == members(group), "{group}: {has}, {most}");
				}
			}
		}

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
