// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{assert_noop, assert_ok};

fn tidy(files: &[FileIndex]) -> frame_support::dispatch::DispatchResultWithPostInfo {
	Files::tidy(signed(CHARLIE), BoundedVec::truncate_from(files.to_vec()))
}

#[test]
fn an_order_without_progress_fails() {
	build_and_execute(|| {
		let file = placed();
		confirm(0, &[fragment(file, 0, 0)]);
		events();
		poll_at(100);
		assert_eq!(record(file).state, FileState::Pending);
		poll_at(101);
		assert_eq!(events(), [Event::OrderFailed { file }, Event::Removed { file }]);
		assert_eq!(Files::file(file), None);
		assert_eq!(Balances::free_balance(ALICE), RICH);
		// Both kinds of bytes are given back.
		assert_eq!((MockMiners::load(0), MockMiners::load(1)), (Load::default(), Load::default()));
		assert_eq!(MockSpace::of(ALICE), (0, 0));
	});
}

#[test]
fn every_confirmation_gives_it_the_time_again() {
	build_and_execute(|| {
		let file = placed();
		for (miner, now) in [(0u8, 90), (1, 180), (2, 270)] {
			poll_at(now);
			confirm(miner.into(), &[fragment(file, 0, miner)]);
		}
		poll_at(369);
		assert_eq!(record(file).state, FileState::Pending);
		poll_at(370);
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn placing_again_is_no_progress() {
	build_and_execute(|| {
		let file = placed();
		MockClock::set(100);
		place(file, 0, &[&[6, 7, 8]]);
		assert_eq!(Files::deadline_of(file), Some(101));
		poll_at(101);
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn an_overdue_order_is_resumed_by_a_confirmation() {
	build_and_execute(|| {
		let file = placed();
		// The agenda has not come to it.
		MockClock::set(500);
		place(file, 0, &[&[6, 1, 2]]);
		confirm(1, &[fragment(file, 0, 1)]);
		assert_eq!(Files::deadline_of(file), Some(600));
		let error = tidy(&[file]).expect_err("there is nothing to be done");
		assert_eq!(error.error, Error::<Test>::NothingToTidy.into());
		poll();
		poll_at(599);
		assert_eq!(record(file).state, FileState::Pending);
		poll_at(600);
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn once_its_removal_began_an_order_is_over() {
	build_and_execute(|| {
		let file = placed();
		MockClock::set(101);
		// Enough to look at it and for one segment.
		let step = <Test as Config>::WeightInfo::sweep_gap();
		let one = step.saturating_add(Files::segment_weight(3));
		let mut meter = WeightMeter::with_limit(one);
		let mut failed = record(file);
		failed.state = FileState::Failed;
		MockSpace::release(&ALICE, &ALICE, STORED, 1);
		Files::sweep(&mut failed, &mut meter);
		crate::Files::<Test>::insert(file, failed);
		AgendaOf::<Test>::schedule(101, &Task::Removal(file));
		assert_eq!(record(file).swept, 1);
		check();

		let last = fragment(file, 1, 0);
		events();
		confirm(3, &[last]);
		let error = Error::<Test>::FileNotAlive.into();
		assert_eq!(events(), [Event::ItemFailed { miner: MinerId(3), index: 0, error }]);
		assert_noop!(Files::delete(signed(ALICE), file), Error::<Test>::FileNotAlive);
		let again = Files::place(signed(ALICE), file, 1, placements(&[&[3, 4, 5]]));
		assert_eq!(again, Err(Error::<Test>::NotPending.into()));
		poll();
		assert_eq!(Files::file(file), None);
	});
}

#[test]
fn anyone_tidies_what_the_agenda_has_not() {
	build_and_execute(|| {
		let (first, second, fresh) = (placed(), placed(), FileIndex(2));
		// The agenda has not come to them.
		MockClock::set(101);
		assert_eq!(order(), fresh);
		events();
		for nothing in [&[fresh, FileIndex(9)][..], &[]] {
			let error = tidy(nothing).expect_err("there is nothing to be done");
			assert_eq!(error.error, Error::<Test>::NothingToTidy.into());
			let actual = error.post_info.actual_weight.expect("it is measured");
			assert!(actual.all_lt(Files::tidy_weight(2)));
		}
		assert_ok!(tidy(&[fresh, first, second, second]));
		let expected = [first, second]
			.map(|file| [Event::OrderFailed { file }, Event::Removed { file }])
			.concat();
		assert_eq!(events(), expected);
		assert_eq!(record(fresh).state, FileState::Pending);
		// When it does there is nothing left to do.
		poll();
		assert_eq!(events(), []);
	});
}

#[test]
fn the_agenda_goes_on_with_what_a_tidy_let_fail() {
	build_and_execute(|| {
		let coding = CodingParams::LEAN;
		let file = order_of(coding.segment_capacity() * 1_000, coding);
		let segments: Vec<&[u32]> = (0..256).map(|_| &[0, 1, 2][..]).collect();
		for first in [0, 256, 512] {
			place(file, first, &segments);
		}
		MockClock::set(101);
		let small = order();
		let post = tidy(&[file, small]).expect("there is something to be done");
		assert!(post.actual_weight.expect("it is measured").all_lte(Files::tidy_weight(2)));
		assert_eq!(record(file).state, FileState::Failed);
		check();
		for now in 101..200 {
			poll_at(now);
		}
		assert_eq!((Files::file(file), record(small).state), (None, FileState::Pending));
	});
}

#[test]
fn a_tidy_is_bounded_and_pays_for_what_it_did() {
	build_and_execute(|| {
		let coding = CodingParams::LEAN;
		let file = order_of(coding.segment_capacity() * 1_000, coding);
		let segments: Vec<&[u32]> = (0..256).map(|_| &[0, 1, 2][..]).collect();
		for first in [0, 256, 512] {
			place(file, first, &segments);
		}
		MockClock::set(101);
		let mut calls = 0;
		while Files::file(file).is_some() {
			let post = tidy(&[file]).expect("there is something to be done");
			let actual = post.actual_weight.expect("it is measured");
			assert!(actual.all_lte(Files::tidy_weight(1)));
			check();
			calls += 1;
		}
		assert!((2..20).contains(&calls), "{calls} calls");
		let small = placed();
		MockClock::set(300);
		let post = tidy(&[small]).expect("there is something to be done");
		let actual = post.actual_weight.expect("it is measured");
		assert!(actual.ref_time() < Files::tidy_weight(1).ref_time() / 4);
	});
}

#[test]
fn however_many_orders_end_with_one_tick_all_of_them_fail() {
	build_and_execute(|| {
		// Twenty-five pages.
		for _ in 0..200 {
			order_of(1, CodingParams::LEAN);
		}
		assert!(Due::<Test>::iter_keys().all(|(at, _)| at == 101));
		poll_at(100);
		assert_eq!(crate::Files::<Test>::iter().count(), 200);
		for now in 101..110 {
			poll_at(now);
			check();
		}
		assert_eq!(crate::Files::<Test>::iter().count(), 0);
		assert_eq!(Due::<Test>::iter().count() + DuePages::<Test>::iter().count(), 0);
		assert_eq!(Balances::free_balance(ALICE), RICH);
	});
}

#[test]
fn an_order_that_was_confirmed_meanwhile_is_put_down_again_wherever_that_is() {
	build_and_execute(|| {
		// All of them are confirmed in part at one tick, and end with another one.
		let files: Vec<_> = (0..40).map(|_| order_of(1, CodingParams::LEAN)).collect();
		for file in &files {
			place(*file, 0, &[&[0, 1, 2]]);
		}
		MockClock::set(90);
		for file in &files {
			confirm(0, &[fragment(*file, 0, 0)]);
		}
		poll_at(101);
		assert!(Due::<Test>::iter_keys().all(|(at, _)| at == 190));
		check();
		poll_at(189);
		assert_eq!(crate::Files::<Test>::iter().count(), 40);
		for now in 190..195 {
			poll_at(now);
		}
		assert_eq!(crate::Files::<Test>::iter().count(), 0);
		assert_eq!(MockMiners::load(0), Load::default());
	});
}
