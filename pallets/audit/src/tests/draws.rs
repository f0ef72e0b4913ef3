// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How much is drawn, when, and of what.

use super::*;
use crate::{
	Challenges, Event, MAX_BATCH, MAX_FRESH, MAX_OPEN, Parameters, Params, RequestRange, Requests,
	SEED_DELAY, TIB,
};
use frame_support::assert_ok;
use pallet_planaria_support::{FileState, OnConfirmed, Standing};
use planaria_primitives::{FileId, FileSpec, FragmentId, MinerId, SegmentId};
use std::collections::BTreeMap;

/// A TiB in 2048 segments of 64 fragments, held by miners 0 to 63; one draw per tick.
fn tebibyte() {
	let coding = CodingParams::new(32, 32).expect("valid");
	let spec = FileSpec::new(TIB / 2, coding).expect("valid");
	let holders: Vec<u32> = (0..64).collect();
	store(FileId([1; 32]), spec, &holders);
	assert_eq!(crate::Census::<Test>::get().bytes, TIB);
	Parameters::<Test>::put(Params {
		bytes_per_draw: TIB,
		answer_period: 1_000,
		strike_window: 1_000,
		heal_after: 1_000,
		..PARAMS
	});
}

fn open() -> usize {
	Challenges::<Test>::iter().count()
}

#[test]
fn so_many_are_drawn_as_the_parameters_say() {
	let params = Params { bytes_per_draw: 600 * TIB, ..PARAMS };
	let lots = 100_000u64;
	for (bytes, per_tick) in [
		(0, 0.0),
		(TIB / 10, 1.0 / 6_000.0),
		(TIB, 1.0 / 600.0),
		(600 * TIB, 1.0),
		(1_000 * TIB + 17, 1_000.0 / 600.0),
		(10_240 * TIB, 10_240.0 / 600.0),
	] {
		let lot = |n: u64| n * (u64::MAX / lots);
		let sum: u64 = (0..lots).map(|n| params.draws(bytes, lot(n))).sum();
		let mean = sum as f64 / lots as f64;
		assert!((mean - per_tick).abs() < 2e-5, "{mean} instead of {per_tick}");
	}
	assert_eq!(Params { bytes_per_draw: 1, ..PARAMS }.draws(u64::MAX, u64::MAX), u64::MAX);
	assert_eq!(PARAMS.draws(u64::MAX - 1, u64::MAX), 0);
}

#[test]
fn there_is_one_round_per_tick() {
	execute(|| {
		tebibyte();
		blocks(20);
		assert_eq!(open(), 20);
		// Another block of the same tick: the clock stands still.
		System::set_block_number(System::block_number() + 1);
		poll();
		assert_eq!(open(), 20);
		next_block();
		assert_eq!(open(), 21);
	});
}

#[test]
fn no_more_are_drawn_than_fit() {
	execute(|| {
		tebibyte();
		let bytes = crate::Census::<Test>::get().bytes;
		// As if there were 100 TiB: 16 is the bound of the test runtime.
		let lot = |seed| Audit::draws_due(&seed);
		assert_eq!(lot([7; 32]), 1);
		crate::Census::<Test>::mutate(|total| total.bytes *= 100);
		assert_eq!(lot([7; 32]), 16);
		crate::Census::<Test>::mutate(|total| total.bytes = bytes);
		// A meter that has room for the round and two draws.
		let draw = <() as crate::WeightInfo>::draw();
		let mut meter = frame_support::weights::WeightMeter::with_limit(
			<() as crate::WeightInfo>::round().saturating_add(draw).saturating_add(draw / 2),
		);
		Parameters::<Test>::mutate(|params| params.bytes_per_draw = TIB / 8);
		blocks_without_hook(1);
		Audit::draw_round(&mut meter);
		assert_eq!(open(), 1);
	});
}

#[test]
fn a_challenge_says_what_is_asked_and_until_when() {
	execute(|| {
		tebibyte();
		events();
		next_block();
		let (miner, fragment, challenge) = Challenges::<Test>::iter().next().expect("drawn");
		assert_eq!(holder(fragment), Some(miner));
		assert_eq!((challenge.deadline, challenge.by), (Ticks::get() + 1_000, None));
		let (chunk, deadline) = (challenge.chunk, challenge.deadline);
		assert!(chunk < 8192);
		assert_eq!(events(), [Event::Challenged { miner, fragment, chunk, deadline }]);
		assert_eq!(record(miner.0).open, 1);
	});
}

#[test]
fn a_draw_comes_to_nothing_where_nobody_can_be_asked() {
	execute(|| {
		tebibyte();
		(0..64).for_each(|miner| set_standing(miner, Standing::Absent));
		blocks(10);
		assert_eq!(open(), 0);
		(0..64).for_each(|miner| set_standing(miner, EXPELLED));
		blocks(10);
		assert_eq!(open(), 0);
		// Who leaves or is suspended is asked.
		(0..32).for_each(|miner| set_standing(miner, Standing::Leaving { expelled: false }));
		(32..64).for_each(|miner| set_standing(miner, Standing::Suspended));
		blocks(10);
		assert_eq!(open(), 10);
		let file = Segments::iter_values().next().expect("stored").file;
		let mut record = Files::get(file).expect("stored");
		record.state = FileState::Deleting;
		Files::insert(file, record);
		blocks(10);
		assert_eq!(open(), 10);
	});
}

#[test]
fn what_is_under_restoration_is_not_asked_for() {
	execute(|| {
		standard(1);
		let seed = [3; 32];
		let (fragment, _) = Audit::drawn(&seed, 0).expect("a byte");
		let mut segment = Segments::get(fragment.segment).expect("stored");
		segment.restoring = u64::MAX >> 52;
		Segments::insert(fragment.segment, segment.clone());
		Audit::draw(&seed, 0);
		assert_eq!(open(), 0);
		segment.restoring = 0;
		Segments::insert(fragment.segment, segment);
		Audit::draw(&seed, 0);
		assert_eq!(open(), 1);
		// The same once more: it is asked for already.
		Audit::draw(&seed, 0);
		assert_eq!(open(), 1);
		assert_eq!(record(u32::from(fragment.index)).open, 1);
	});
}

#[test]
fn a_miner_has_so_many_to_answer_at_most() {
	execute(|| {
		let spec =
			FileSpec::new(200 << 20, CodingParams::copies(2).expect("valid")).expect("valid");
		store(FileId([1; 32]), spec, &[0, 1]);
		for number in 0..2_000 {
			Audit::draw(&[9; 32], number);
		}
		// There are 25 fragments of each.
		assert_eq!((record(0).open, record(1).open), (25, 25));
		let spec =
			FileSpec::new(2_000 << 20, CodingParams::copies(2).expect("valid")).expect("valid");
		store(FileId([2; 32]), spec, &[0, 1]);
		for number in 0..2_000 {
			Audit::draw(&[8; 32], number);
		}
		assert_eq!((record(0).open, record(1).open), (MAX_OPEN, MAX_OPEN));
	});
}

#[test]
fn one_of_a_confirmed_batch_is_asked_for() {
	execute(|| {
		let files: Vec<_> = (0..20).map(standard).collect();
		let batch: Vec<_> = files.iter().map(|file| file.fragment(0, 3)).collect();
		Audit::on_confirmed(MinerId(3), batch.clone());
		// Nobody knows which one in the block that confirms it, nor in the next.
		blocks(SEED_DELAY - 1);
		assert_eq!(open(), 0);
		next_block();
		let (miner, fragment, _) = Challenges::<Test>::iter().next().expect("drawn");
		assert_eq!(miner, MinerId(3));
		assert!(batch.contains(&fragment));
		blocks(5);
		assert_eq!((open(), Requests::<Test>::iter().count()), (1, 0));
	});
}

#[test]
fn each_of_a_batch_is_as_likely() {
	execute(|| {
		let files: Vec<_> = (0..8).map(standard).collect();
		let batch: Vec<_> = files.iter().map(|file| file.fragment(0, 3)).collect();
		let mut counts = BTreeMap::<FragmentId, u32>::new();
		for _ in 0..800 {
			Audit::on_confirmed(MinerId(3), batch.clone());
			blocks(SEED_DELAY);
			let (miner, fragment, _) = Challenges::<Test>::iter().next().expect("drawn");
			*counts.entry(fragment).or_default() += 1;
			let file =
				files.iter().find(|file| file.first == fragment.segment).expect("one of them");
			answer(miner.0, vec![file.answer(fragment)]);
			assert_eq!(open(), 0);
		}
		let chi: f64 = batch
			.iter()
			.map(|fragment| (f64::from(counts[fragment]) - 100.0).powi(2) / 100.0)
			.sum();
		// 99.9 % of seven degrees of freedom.
		assert!(chi < 24.3, "{counts:?}");
	});
}

#[test]
fn a_batch_that_has_moved_meanwhile_is_not_asked_for() {
	execute(|| {
		let file = standard(1);
		Audit::on_confirmed(MinerId(3), vec![file.fragment(0, 3)]);
		Audit::on_confirmed(MinerId(4), vec![file.fragment(0, 3)]);
		Audit::on_confirmed(MinerId(5), vec![file.fragment(0, 5)]);
		let mut segment = Segments::get(file.first).expect("stored");
		segment.holders.set(5, MinerId(50));
		Segments::insert(file.first, segment);
		blocks(SEED_DELAY);
		let asked: Vec<_> = Challenges::<Test>::iter().map(|(miner, id, _)| (miner, id)).collect();
		assert_eq!(asked, [(MinerId(3), file.fragment(0, 3))]);
	});
}

#[test]
fn what_a_miner_confirms_leaves_room_for_the_draws() {
	execute(|| {
		let spec =
			FileSpec::new(2_000 << 20, CodingParams::copies(2).expect("valid")).expect("valid");
		let (_, first) = store(FileId([1; 32]), spec, &[0, 1]);
		for number in 0..48 {
			let fragment = FragmentId { segment: SegmentId(first.0 + number), index: 0 };
			Audit::on_confirmed(MinerId(0), vec![fragment]);
		}
		// So many per tick, before any deadline.
		blocks(SEED_DELAY + 2);
		assert_eq!(Requests::<Test>::iter().count(), 0);
		// Half of the room, and what was drawn meanwhile.
		let asked = record(0).open;
		assert!((MAX_OPEN / 2..48).contains(&asked), "{asked}");
		(0..500).for_each(|number| Audit::draw(&[8; 32], number));
		assert_eq!(record(0).open, MAX_OPEN);
	});
}

#[test]
fn requests_wait_in_a_bounded_queue() {
	execute(|| {
		let file = standard(1);
		let many = vec![file.fragment(0, 3); 200];
		for _ in 0..600 {
			Audit::on_confirmed(MinerId(3), many.clone());
		}
		assert_eq!(RequestRange::<Test>::get(), (0, MAX_FRESH));
		let kept = |request: crate::RequestOf<Test>| match request.subject {
			crate::Subject::Fresh(fragments) => fragments.len(),
			crate::Subject::Named(..) => 0,
		};
		assert!(Requests::<Test>::iter_values().all(|r| kept(r) == MAX_BATCH as usize));
		// There is still room for who asks.
		assert_ok!(Audit::challenge(signed(DAVE), file.fragment(0, 7)));
		// So many per tick, in order.
		blocks(SEED_DELAY);
		assert_eq!(RequestRange::<Test>::get(), (16, MAX_FRESH + 1));
		blocks(60);
		assert_eq!(Requests::<Test>::iter().count(), 0);
		assert!(record(7).named == 0 && standing(7) == Standing::Serving);
	});
}
