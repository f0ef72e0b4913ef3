// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The end of what is paid for.

use super::*;
use frame_support::{
	traits::{Hooks, fungible::Mutate},
	weights::WeightMeter,
};
use pallet_planaria_support::SpaceLedger;

#[test]
fn grace_then_removal_then_everything_returns() {
	execute(|| {
		bought();
		assert_ok!(Space::authorise(signed(ALICE), BOB, 3 * TIB, 500));
		let (one, _) = (stored(2 * TIB), order(ALICE, BOB, 3 * TIB));
		pass(74);
		events();
		pass(1);
		assert_eq!(now(), 76);
		assert_eq!(events(), [Event::GraceBegan { owner: ALICE, until: 100 }]);
		assert_noop!(Space::reserve(&ALICE, &ALICE, 1), Error::<Test>::InGrace);
		// What is there stays, and can still be confirmed or deleted.
		MockFiles::activate(FileIndex(1));
		MockFiles::delete(one);
		pass(24);
		assert_eq!((now(), space(ALICE).used), (100, 3 * TIB));
		let left = Space::left(ALICE);
		assert_eq!(left, 99 * 70 - 75 * 35 - 24 * 21);
		assert_eq!(events(), []);
		pass(1);
		assert_eq!(
			events(),
			[Event::Lapsed { owner: ALICE }, Event::Closed { owner: ALICE, returned: left }]
		);
		assert!(MockFiles::all().is_empty());
		assert_eq!(purse(ALICE), RICH - 99 * 70 + left);
		assert_eq!(Operators::<Test>::iter().count(), 0);
		assert_ok!(Space::buy(signed(ALICE), TIB, 99));
	});
}

#[test]
fn what_is_over_is_over_before_the_agenda_comes() {
	execute(|| {
		bought();
		stored(TIB);
		MockClock::set(101);
		let (left, lapsed) = (Space::left(ALICE), Error::<Test>::HasLapsed);
		assert_eq!(left, 99 * 63);
		assert_noop!(Space::reserve(&ALICE, &ALICE, 1), lapsed);
		let lapsed = Error::<Test>::HasLapsed;
		assert_noop!(Space::renew(signed(ALICE), 100), lapsed);
		let lapsed = Error::<Test>::HasLapsed;
		assert_noop!(Space::grow(signed(ALICE), TIB), lapsed);
		// Nothing is paid for what was not removed yet.
		MockClock::set(500);
		assert_eq!(Space::left(ALICE), left);
		assert_ok!(Space::tidy(signed(BOB), ALICE));
		assert!(Spaces::<Test>::get(ALICE).is_none());
		assert_noop!(Space::tidy(signed(BOB), ALICE), Error::<Test>::NothingToTidy);
	});
}

#[test]
fn nothing_is_tidied_before_its_end() {
	execute(|| {
		bought();
		pass(99);
		assert_noop!(Space::tidy(signed(BOB), ALICE), Error::<Test>::NothingToTidy);
	});
}

#[test]
fn the_removal_goes_in_steps_and_in_order() {
	execute(|| {
		bought();
		for _ in 0..10 {
			stored(TIB);
		}
		MockClock::set(101);
		let left = |space: &SpaceV0| space.used / TIB;
		// As much as for two files.
		let tick = <Test as Config>::WeightInfo::agenda_page().saturating_mul(110);
		let some = Space::task_weight().saturating_add(Space::step_weight());
		let mut meter = WeightMeter::with_limit(tick.saturating_add(some));
		Space::on_poll(1, &mut meter);
		let after = left(&space(ALICE));
		assert!((1..10).contains(&after), "{after}");
		let first = MockFiles::all().iter().map(|(file, _)| file.0).min();
		assert_eq!(first, Some(10 - after));
		assert_eq!(space(ALICE).removed, Some(FileIndex(9 - after)));
		check();
		pass(1);
		assert!(Spaces::<Test>::get(ALICE).is_none());
		let lapsed = events().into_iter().filter(|event| matches!(event, Event::Lapsed { .. }));
		assert_eq!(lapsed.count(), 1);
	});
}

#[test]
fn a_renewed_space_is_looked_at_when_it_ends() {
	execute(|| {
		bought();
		pass(50);
		assert_ok!(Space::renew(signed(ALICE), 100));
		pass(100);
		assert_eq!(now(), 151);
		events();
		pass(25);
		assert_eq!(now(), 176);
		assert_eq!(events(), [Event::GraceBegan { owner: ALICE, until: 200 }]);
		assert_ok!(Space::renew(signed(ALICE), 100));
		pass(99);
		assert!(Spaces::<Test>::get(ALICE).is_some());
		pass(25);
		assert_eq!(now(), 300);
		pass(1);
		assert!(Spaces::<Test>::get(ALICE).is_none());
	});
}

#[test]
fn each_space_is_in_the_agenda_once() {
	execute(|| {
		for _ in 0..3 {
			bought();
			assert_ok!(Space::close(signed(ALICE)));
		}
		bought();
		pass(60);
		assert_ok!(Space::renew(signed(ALICE), 100));
		pass(100);
		let tasks: usize = AgendaTasks::<Test>::iter_values().map(|tasks| tasks.len()).sum();
		assert_eq!(tasks, 1);
	});
}

#[test]
fn what_was_put_down_for_an_earlier_space_comes_to_nothing() {
	execute(|| {
		bought();
		assert_ok!(Space::close(signed(ALICE)));
		pass(10);
		assert_ok!(Space::buy(signed(ALICE), TIB, 99));
		events();
		let mut meter = WeightMeter::new();
		Space::look_at(76, ALICE, 76, &mut meter);
		assert_eq!(meter.consumed(), <Test as Config>::WeightInfo::agenda_nothing());
		pass(74);
		assert_eq!((now(), space(ALICE).look, events()), (85, 86, vec![]));
		pass(1);
		assert_eq!(events(), [Event::GraceBegan { owner: ALICE, until: 110 }]);
	});
}

#[test]
fn however_many_spaces_end_with_one_tick_each_of_them_goes() {
	execute(|| {
		// Twenty-five pages.
		let owners = 1_000..1_100;
		for owner in owners.clone() {
			Balances::set_balance(&owner, 10_000);
			assert_ok!(Space::buy(signed(owner), TIB, 99));
		}
		order(1_050, 1_050, TIB);
		assert!(AgendaTasks::<Test>::iter_keys().all(|(at, _)| at == 76));
		check();
		pass(75);
		let graces = events().into_iter().filter(|event| matches!(event, Event::GraceBegan { .. }));
		assert_eq!((now(), graces.count()), (76, 100));
		// Some of them renew, and are looked at again when it comes to that.
		for owner in owners.clone().take(30) {
			assert_ok!(Space::renew(signed(owner), 100));
		}
		pass(25);
		let left = || Spaces::<Test>::iter().count();
		assert!((31..100).contains(&left()), "{}", left());
		pass(9);
		assert_eq!(left(), 30);
		check();
		pass(200);
		assert_eq!(left(), 0);
		assert!(MockFiles::all().is_empty());
		assert_eq!(AgendaTasks::<Test>::iter().count() + AgendaPages::<Test>::iter().count(), 0);
	});
}
