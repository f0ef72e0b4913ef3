// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Holders that are drawn.

use super::*;
use frame_support::{assert_noop, assert_ok};
use planaria_primitives::{Hash, placement::Draw};
use sp_runtime::DispatchError;
use std::fs;

const DRAWN: PlacementRule = PlacementRule::Drawn;

/// Alice orders a file of two segments in block 1, and it is block 3.
fn drawn() -> FileIndex {
	let file = order_by(TWO_SEGMENTS, CodingParams::LEAN, DRAWN);
	System::set_block_number(3);
	file
}

fn beacon(block: u32) -> Hash {
	<Test as Config>::Clock::beacon_at(block).expect("the block is there")
}

fn draw(file: FileIndex) -> Draw {
	Files::placing(&record(file)).draw().expect("it is drawn")
}

fn choices(of: [Option<u8>; 3]) -> Placement {
	Placement::Drawn(BoundedVec::truncate_from(of.to_vec()))
}

fn take(file: FileIndex, first: u32, of: &[[Option<u8>; 3]]) -> Result<(), DispatchError> {
	let placements = of.iter().copied().map(choices).collect();
	Files::place(signed(ALICE), file, first, BoundedVec::truncate_from(placements))
}

/// Choices of a segment from number `from` on that are different miners.
fn different(file: FileIndex, number: u32, from: u8) -> [Option<u8>; 3] {
	let mut taken = Vec::new();
	let draw = draw(file);
	[0, 1, 2].map(|index| {
		let mut all = (0..).zip(draw.of(number, index)).skip(from.into());
		let (choice, miner) = all.find(|(_, miner)| !taken.contains(miner)).expect("one is free");
		taken.push(miner);
		Some(choice)
	})
}

#[test]
fn a_drawn_file_is_placed_with_its_candidates() {
	build_and_execute(|| {
		let file = order_by(TWO_SEGMENTS, CodingParams::LEAN, DRAWN);
		let (ids, each) = (MINERS, 4);
		assert_eq!(record(file).lot, Lot::Drawn { seed: Seed::Awaited(1), ids, each });
		assert_eq!(record(file).lot.rule(), DRAWN);
		for block in [1, 2] {
			System::set_block_number(block);
			assert_eq!(Files::placing(&record(file)).draw(), None);
			assert_noop!(take(file, 0, &[[Some(0); 3]]), Error::<Test>::SeedUnknown);
		}
		System::set_block_number(3);
		assert_eq!(draw(file), Draw { seed: beacon(3), ids, candidates: 4 });
		let both = [different(file, 0, 0), different(file, 1, 0)];
		let expected = draw(file);
		assert_ok!(take(file, 0, &both));
		for (number, of) in (0..).zip(both) {
			for (index, choice) in (0..).zip(of) {
				let holder = expected.candidate(number, index, choice.expect("all are"));
				assert_eq!(segment(file, number).holder(index), holder);
			}
		}
		// The seed stays, however long it takes.
		System::set_block_number(1_000);
		assert_eq!(draw(file), expected);
		assert_eq!(record(file).lot, Lot::Drawn { seed: Seed::Known(expected.seed), ids, each });
	});
}

#[test]
fn each_order_has_another_seed_and_a_late_first_placement_too() {
	build_and_execute(|| {
		let first = drawn();
		let second = order_by(TWO_SEGMENTS, CodingParams::LEAN, DRAWN);
		System::set_block_number(5);
		assert_eq!((draw(first).seed, draw(second).seed), (beacon(3), beacon(5)));
		for (block, seed) in [(258, 3), (259, 259), (514, 259), (515, 515)] {
			System::set_block_number(block);
			assert_eq!(draw(first).seed, beacon(seed), "in block {block}");
		}
	});
}

#[test]
fn more_candidates_come_while_nothing_is_confirmed() {
	build_and_execute(|| {
		let file = drawn();
		let more_at = || match Files::placing(&record(file)) {
			Placing::Drawn { more_at, .. } => more_at,
			Placing::Chosen => panic!("it is drawn"),
		};
		assert_eq!((draw(file).candidates, more_at()), (4, Some(21)));
		assert_noop!(take(file, 0, &[[Some(4); 3]]), Error::<Test>::NotACandidate);
		MockClock::set(20);
		assert_eq!(draw(file).candidates, 4);
		MockClock::set(21);
		assert_eq!((draw(file).candidates, more_at()), (8, Some(41)));
		let (early, late) = (different(file, 0, 0), different(file, 1, 4));
		assert_ok!(take(file, 0, &[early, late]));
		MockClock::set(90);
		assert_eq!((draw(file).candidates, more_at()), (12, None));
		assert_noop!(take(file, 0, &[[Some(12); 3]]), Error::<Test>::NotACandidate);

		// With a confirmation time begins anew; what was placed stays where it is.
		let confirmed = segment(file, 0).holder(1).expect("it is placed");
		confirm(confirmed.0, &[fragment(file, 0, 1)]);
		assert_eq!((draw(file).candidates, more_at()), (4, Some(110)));
		let before = (segment(file, 0), segment(file, 1));
		assert_ok!(take(file, 0, &[[None; 3], [None; 3]]));
		assert_eq!((segment(file, 0), segment(file, 1)), before);
		assert_noop!(take(file, 1, &[late]), Error::<Test>::NotACandidate);
	});
}

#[test]
fn candidates_must_be_able_and_different() {
	build_and_execute(|| {
		let file = drawn();
		let of = different(file, 0, 0);
		let miners = [0, 1, 2].map(|index| {
			draw(file).candidate(0, index, of[usize::from(index)].expect("all are")).expect("one")
		});
		assert_noop!(take(file, 0, &[[of[0], of[1], None]]), Error::<Test>::PlacedWithNobody);
		MockMiners::set_standing(miners[1].0, Standing::Suspended);
		assert_noop!(take(file, 0, &[of]), MockMiners::TAKES_NO_DATA);
		MockMiners::set_standing(miners[1].0, Standing::Serving);
		MockMiners::set_capacity(miners[2].0, LONG - 1);
		assert_noop!(take(file, 0, &[of]), MockMiners::FULL);
		MockMiners::set_capacity(miners[2].0, LONG);
		assert_ok!(take(file, 0, &[of]));

		// One miner that all fragments have as a candidate.
		MockMiners::set_count(1, MINERS);
		let narrow = order_by(1, CodingParams::LEAN, DRAWN);
		System::set_block_number(5);
		assert_noop!(take(narrow, 0, &[[Some(0); 3]]), Error::<Test>::RepeatedMiner);
		let two = BoundedVec::truncate_from(vec![Some(0); 2]);
		let short = BoundedVec::truncate_from(vec![Placement::Drawn(two)]);
		assert_noop!(
			Files::place(signed(ALICE), narrow, 0, short),
			Error::<Test>::WrongFragmentCount
		);
	});
}

#[test]
fn a_file_is_placed_as_it_was_ordered() {
	build_and_execute(|| {
		let (one, other) = (drawn(), order());
		let named = placements(&[&[0, 1, 2]]);
		assert_noop!(Files::place(signed(ALICE), one, 0, named), Error::<Test>::WrongPlacement);
		assert_noop!(take(other, 0, &[[Some(0); 3]]), Error::<Test>::WrongPlacement);
		assert_eq!(Files::placing(&record(other)), Placing::Chosen);
	});
}

#[test]
fn in_a_large_network_only_the_owner_has_holders_chosen() {
	build_and_execute(|| {
		let order = |by, rule| {
			let (coding, label) = (CodingParams::LEAN, Label::default());
			Files::order(signed(by), id(), TWO_SEGMENTS, coding, label, Some(ALICE), rule)
		};
		assert_ok!(order(OPERATOR, CHOSEN));
		let params = Params { drawn_from: MINERS, ..PARAMS };
		assert_ok!(Files::set_params(RuntimeOrigin::root(), params));
		assert_noop!(order(OPERATOR, CHOSEN), Error::<Test>::OwnerChooses);
		assert_ok!(order(OPERATOR, DRAWN));
		assert_ok!(order(ALICE, CHOSEN));
		MockMiners::set_count(MINERS, 2);
		assert_noop!(order(ALICE, DRAWN), Error::<Test>::TooFewMiners);
	});
}

#[test]
fn candidates_are_those_who_were_there_and_more_where_many_have_departed() {
	build_and_execute(|| {
		let file = drawn();
		MockMiners::set_count(MINERS * 2, MINERS * 2);
		assert_eq!((draw(file).ids, draw(file).candidates), (MINERS, 4));
		for (ids, each) in [(MINERS + 1, 8), (3 * MINERS, 12), (100 * MINERS, 32)] {
			MockMiners::set_count(ids, MINERS);
			let sparse = order_by(1, CodingParams::LEAN, DRAWN);
			System::set_block_number(System::block_number() + 2);
			assert_eq!((draw(sparse).ids, draw(sparse).candidates), (ids, each));
		}
	});
}

/// The probability that at least `least` of `n` succeed, each with probability `p`.
fn at_least(least: u32, n: u32, p: f64) -> f64 {
	let one = |k: u32| {
		let ways = (0..k).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
		ways * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
	};
	(least..=n).map(one).sum()
}

/// The probability that an operator with this share of the ids is offered, by so many candidates
/// for each fragment, enough fragments of a segment to lose it.
fn can_lose(coding: CodingParams, share: f64, candidates: i32) -> f64 {
	let fragments = u32::from(coding.data + coding.parity);
	at_least(u32::from(coding.parity) + 1, fragments, 1.0 - (1.0 - share).powi(candidates))
}

/// How often that is so for segments that are really drawn.
fn could_lose(coding: CodingParams, share: u32, candidates: u16, segments: u32) -> f64 {
	const IDS: u32 = 1_000;
	let draw = Draw { seed: [3; 32], ids: IDS, candidates };
	let operators = |miner: MinerId| miner.0 < IDS / 100 * share;
	let lost = (0..segments).filter(|number| {
		let offered = |index: &u8| draw.of(*number, *index).any(operators);
		(0..coding.data + coding.parity).filter(offered).count() > usize::from(coding.parity)
	});
	lost.count() as f64 / f64::from(segments)
}

/// Three significant digits, small numbers as powers of ten.
fn written(probability: f64) -> String {
	match probability {
		p if p < 0.001 => {
			let text = format!("{p:.1e}");
			let (digits, power) = text.split_once('e').expect("it has a power");
			format!("{digits} · 10^{power}")
		},
		p => format!("{:.2} %", p * 100.0),
	}
}

#[test]
fn one_operator_does_not_have_a_segment_in_hand() {
	let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
	let document = fs::read_to_string(path).expect("it is there");
	for (name, coding) in [("standard", CodingParams::STANDARD), ("lean", CodingParams::LEAN)] {
		for share in [5, 20] {
			// At random among all, or among candidates: one draw either way.
			let figures = [1, 4, 8, 12].map(|n| can_lose(coding, f64::from(share) / 100.0, n));
			let cells = figures.map(written).join(" | ");
			let row = format!("| `{name}`, {share} % | 100 % | {cells} |");
			println!("{row}");
			assert!(document.contains(&row), "docs/limits.md should say: {row}");
		}
	}
	// What is computed is what is drawn: within four standard deviations.
	const SEGMENTS: u32 = 40_000;
	for (coding, share, candidates) in [
		(CodingParams::LEAN, 5, 1),
		(CodingParams::LEAN, 5, 4),
		(CodingParams::LEAN, 20, 4),
		(CodingParams::STANDARD, 20, 4),
		(CodingParams::STANDARD, 5, 12),
	] {
		let expected = can_lose(coding, f64::from(share) / 100.0, candidates.into());
		let seen = could_lose(coding, share, candidates, SEGMENTS);
		let deviation = (expected * (1.0 - expected) / f64::from(SEGMENTS)).sqrt();
		println!("{coding} {share} % of {candidates}: {seen:.5}, expected {expected:.5}");
		assert!((seen - expected).abs() < 4.0 * deviation, "{seen} is not {expected}");
	}
	let standard = CodingParams::STANDARD;
	assert!(can_lose(standard, 0.05, 4) < 1e-4);
	assert!(could_lose(standard, 5, 4, SEGMENTS) < 1e-3);
}
