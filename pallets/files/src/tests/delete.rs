// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{assert_noop, assert_ok};

/// An active file of so many segments, held by miners 0 to 2.
fn active_of(segments: u32) -> FileIndex {
	let coding = CodingParams::LEAN;
	let file = order_of(coding.segment_capacity() * u64::from(segments), coding);
	let miners: Vec<&[u32]> = (0..segments).map(|_| &[0, 1, 2][..]).collect();
	for (first, miners) in (0..).step_by(256).zip(miners.chunks(256)) {
		place(file, first, miners);
	}
	for miner in 0..3u8 {
		let items: Vec<_> = (0..segments).map(|number| fragment(file, number, miner)).collect();
		items.chunks(128).for_each(|items| confirm(miner.into(), items));
	}
	assert_eq!(record(file).state, FileState::Active);
	file
}

/// What the agenda needs to get on at all.
fn least() -> Weight {
	<Test as Config>::WeightInfo::serve_page().saturating_add(Files::task_weight())
}

#[test]
fn a_deleted_file_is_removed() {
	build_and_execute(|| {
		let file = active();
		let ids = record(file).segment_ids();
		assert_noop!(Files::delete(signed(BOB), file), Error::<Test>::NotYourFile);
		events();
		assert_ok!(Files::delete(signed(ALICE), file));
		assert_eq!(events(), [Event::Deleted { file }]);
		// Space at once, the holders' bytes and the deposit at the sweep.
		assert_eq!(MockSpace::of(ALICE), (0, 0));
		assert_eq!(MockMiners::load(0).held, LONG);
		assert_eq!(Balances::free_balance(ALICE), RICH - 1_014);
		assert_noop!(Files::delete(signed(ALICE), file), Error::<Test>::FileNotAlive);
		poll();
		assert_eq!(events(), [Event::Removed { file }]);
		assert_eq!(MockMiners::load(0), Load::default());
		assert_eq!(Balances::free_balance(ALICE), RICH);
		assert_eq!(MockRestore::gone(), ids.map(|id| (SegmentId(id), 0)).collect::<Vec<_>>());
		assert_eq!(Segments::<Test>::iter().count(), 0);
		assert!(
			Files::files_with(id(), 9).is_empty() && Files::files_of(&ALICE, None, 9).is_empty()
		);
		assert_noop!(Files::delete(signed(ALICE), file), Error::<Test>::FileNotFound);
	});
}

#[test]
fn a_pending_file_is_deleted_too() {
	build_and_execute(|| {
		let file = placed();
		confirm(0, &[fragment(file, 0, 0)]);
		assert_ok!(Files::delete(signed(ALICE), file));
		assert_eq!(MockSpace::of(ALICE), (0, 0));
		poll();
		assert_eq!(Files::file(file), None);
		// Its deadline comes to nothing.
		events();
		poll_at(101);
		assert_eq!(events(), []);
	});
}

#[test]
fn a_file_that_was_never_placed_goes_at_once() {
	build_and_execute(|| {
		let largest = CodingParams::LEAN.segment_capacity() << 20;
		let file = order_of(largest, CodingParams::LEAN);
		assert_ok!(Files::delete(signed(ALICE), file));
		poll_with(least());
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn gaps_are_passed_over() {
	build_and_execute(|| {
		let coding = CodingParams::LEAN;
		let file = order_of(coding.segment_capacity() * 1_000, coding);
		for number in [0, 500, 999] {
			place(file, number, &[&[0, 1, 2]]);
		}
		assert_ok!(Files::delete(signed(ALICE), file));
		poll();
		assert_eq!(Files::file(file), None);
		assert_eq!(MockRestore::gone().len(), 3);
	});
}

#[test]
fn what_is_restored_is_told_before_its_record_is_gone() {
	build_and_execute(|| {
		let file = active();
		let restored = fragment(file, 0, 1);
		assert_ok!(MockMiners::reserve(MinerId(9), LONG, Purpose::Claim));
		assert_ok!(set_restoring(restored, true));
		MockRestore::claim(restored, MinerId(9));
		assert_ok!(hand_over(fragment(file, 1, 0), None));
		assert_ok!(Files::delete(signed(ALICE), file));
		poll();
		// One restored, one that nobody held; the claim is released.
		assert_eq!(MockRestore::gone(), [(restored.segment, 0b010), (SegmentId(1), 0)]);
		assert_eq!(MockMiners::load(9), Load::default());
	});
}

#[test]
fn a_removal_stops_anywhere_and_goes_on() {
	build_and_execute(|| {
		let file = active_of(100);
		assert_ok!(Files::delete(signed(ALICE), file));
		let mut cursors = vec![];
		for now in 1.. {
			MockClock::set(now);
			poll_with(least());
			check();
			let Some(file) = Files::file(file) else { break };
			assert_eq!(file.state, FileState::Deleting);
			assert_eq!(Segments::<Test>::iter().count(), 100 - file.swept as usize);
			assert_eq!(MockMiners::load(1).fragments, 100 - file.swept);
			cursors.push(file.swept);
		}
		assert!(cursors.len() > 1 && cursors.is_sorted_by(|a, b| a < b), "{cursors:?}");
		// What is left is the order's deadline, at tick 101.
		assert!(Due::<Test>::iter_keys().all(|(at, _)| at == 101));
	});
}

#[test]
fn whatever_is_deleted_goes_however_much_that_is() {
	build_and_execute(|| {
		// Pages by the dozen, and more than a block can do.
		let files: Vec<_> = (0..300)
			.map(|_| {
				let file = order_of(1, CodingParams::LEAN);
				place(file, 0, &[&[0, 1, 2]]);
				file
			})
			.collect();
		for file in &files {
			assert_ok!(Files::delete(signed(ALICE), *file));
		}
		assert_eq!(MockMiners::load(0).placed, 300 * SHORT);
		check();
		let mut left = vec![300];
		for now in 1..100 {
			poll_at(now);
			check();
			left.push(crate::Files::<Test>::iter().count());
			if left.last() == Some(&0) {
				break;
			}
		}
		assert!(left.len() > 3 && left.is_sorted_by(|more, less| more > less), "{left:?}");
		assert_eq!(left.last(), Some(&0));
		assert_eq!(MockMiners::load(0), Load::default());
		assert_eq!(Balances::free_balance(ALICE), RICH);
	});
}

#[test]
fn what_somebody_tidied_up_comes_to_nothing_in_the_agenda() {
	build_and_execute(|| {
		let (file, other) = (placed(), placed());
		for file in [file, other] {
			assert_ok!(Files::delete(signed(ALICE), file));
		}
		assert_ok!(Files::tidy(signed(BOB), BoundedVec::truncate_from(vec![file])));
		assert_eq!(Files::file(file), None);
		check();
		events();
		let mut meter = WeightMeter::new();
		Files::do_task(Task::Removal(file), 1, &mut meter);
		assert_eq!(meter.consumed(), <Test as Config>::WeightInfo::serve_nothing());
		poll();
		assert_eq!(events(), [Event::Removed { file: other }]);
	});
}

#[test]
fn without_weight_nothing_happens() {
	build_and_execute(|| {
		let file = active_of(3);
		assert_ok!(Files::delete(signed(ALICE), file));
		for weight in [Weight::zero(), Weight::from_parts(1, 1), Files::task_weight()] {
			poll_with(weight);
			assert_eq!(record(file).swept, 0);
			check();
		}
		poll();
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn the_agenda_keeps_to_its_cap() {
	build_and_execute(|| {
		let file = active_of(2_000);
		assert_ok!(Files::delete(signed(ALICE), file));
		let mut meter = WeightMeter::new();
		Files::on_poll(1, &mut meter);
		assert!(meter.consumed().all_lte(MaxAgendaWeight::get()));
		let swept = record(file).swept;
		assert!((10..2_000).contains(&swept), "{swept} segments in a block");
		for now in 2..500 {
			poll_at(now);
		}
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn a_large_removal_does_not_keep_a_small_one_waiting() {
	build_and_execute(|| {
		let (large, small) = (active_of(300), active());
		assert_ok!(Files::delete(signed(ALICE), large));
		assert_ok!(Files::delete(signed(ALICE), small));
		let mut blocks = 0;
		while Files::file(small).is_some() {
			blocks += 1;
			MockClock::set(1 + blocks);
			poll_with(least().saturating_mul(2));
		}
		assert!(blocks <= 3, "{blocks} blocks");
		assert!(Files::file(large).is_some());
		check();
	});
}

#[test]
fn a_tidy_between_two_blocks_does_no_harm() {
	build_and_execute(|| {
		let file = active_of(900);
		assert_ok!(Files::delete(signed(ALICE), file));
		poll_with(least());
		let swept = record(file).swept;
		assert_ok!(Files::tidy(signed(BOB), BoundedVec::truncate_from(vec![file])));
		assert!(record(file).swept > swept);
		check();
		for now in 2..200 {
			poll_at(now);
		}
		assert_eq!(Files::file(file), None);
		assert_eq!(MockRestore::gone().len(), 900);
	});
}
