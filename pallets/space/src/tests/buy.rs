// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Buying, growing, renewing, giving back.

use super::*;

#[test]
fn success_buy() {
	execute(|| {
		assert_ok!(Space::buy(signed(ALICE), 10 * TIB, 91));
		// Up to the end of the era that tick 92 is in.
		let (owner, bytes, until, paid) = (ALICE, 10 * TIB, 100, 99 * 70);
		assert_eq!(events(), [Event::Bought { owner, bytes, until, paid }]);
		assert_eq!(purse(ALICE), RICH - paid - 30);
		assert_eq!(Space::left(ALICE), paid);
		assert_eq!(space(ALICE).free(), 10 * TIB);
		assert_noop!(Space::buy(signed(ALICE), TIB, 99), Error::<Test>::AlreadyBought);
	});
}

#[test]
fn boundary_buy() {
	execute(|| {
		let buy = |bytes, ticks| Space::buy(signed(ALICE), bytes, ticks);
		assert_noop!(buy(TIB - 1, 99), Error::<Test>::TooFewBytes);
		assert_noop!(buy(100 * TIB + 1, 99), Error::<Test>::TooManyBytes);
		assert_noop!(buy(TIB, 25), Error::<Test>::TooShort);
		assert_noop!(buy(TIB, 1_001), Error::<Test>::TooLong);
		assert_noop!(buy(TIB, Tick::MAX), Error::<Test>::TooLong);
		assert_ok!(buy(TIB, 26));
		assert_eq!(space(ALICE).until, 30);
		assert_ok!(Space::buy(signed(BOB), 100 * TIB, 1_000));
		assert_eq!(space(BOB).until, 1_010);
		let poor = signed(77);
		assert!(Space::buy(poor, TIB, 99).is_err());
	});
}

#[test]
fn a_part_is_paid_for_however_little_it_is() {
	execute(|| {
		// 99 ticks at 7 parts, and a little more for the last byte.
		assert_ok!(Space::buy(signed(ALICE), TIB + 1, 99));
		let paid = 99 * 7 + 1;
		assert_eq!(purse(ALICE), RICH - paid - 30);
		assert_eq!(Space::quote(TIB + 1, 99), Some(paid));
		assert_eq!(Space::quote(TIB, 99), Some(paid - 1));
		assert_eq!(Space::quote(0, 99), Some(0));
	});
}

#[test]
fn only_what_is_stored_is_paid_for() {
	execute(|| {
		bought();
		pass(50);
		assert_eq!(Space::left(ALICE), 99 * 70);
		let file = stored(3 * TIB);
		pass(10);
		assert_eq!(Space::left(ALICE), 99 * 70 - 10 * 21);
		MockFiles::delete(file);
		pass(10);
		assert_eq!(Space::left(ALICE), 99 * 70 - 10 * 21);
		assert_ok!(Space::close(signed(ALICE)));
		assert_eq!(purse(ALICE), RICH - 10 * 21);
		assert_eq!(events(), [Event::Closed { owner: ALICE, returned: 99 * 70 - 210 }]);
	});
}

#[test]
fn success_grow() {
	execute(|| {
		bought();
		stored(10 * TIB);
		pass(9);
		assert_ok!(Space::grow(signed(ALICE), 5 * TIB));
		// 90 ticks for five TiB more.
		let paid = 90 * 35;
		assert_eq!(events(), [Event::Grown { owner: ALICE, bytes: 15 * TIB, paid }]);
		stored(5 * TIB);
		pass(10);
		assert_eq!(Space::left(ALICE), 99 * 70 + paid - 9 * 70 - 10 * 105);
	});
}

#[test]
fn what_is_left_over_pays_first() {
	execute(|| {
		bought();
		pass(49);
		// Half of the time is over, and nothing was used of it.
		events();
		assert_ok!(Space::grow(signed(ALICE), 9 * TIB));
		let paid = 50 * 19 * 7_u128;
		assert_eq!(
			events(),
			[Event::Grown { owner: ALICE, bytes: 19 * TIB, paid: paid.saturating_sub(99 * 70) }]
		);
		assert_eq!(paid, 6_650);
		assert_ok!(Space::renew(signed(ALICE), 10));
		let paid = 60 * 19 * 7 - 99 * 70;
		assert_eq!(events(), [Event::Renewed { owner: ALICE, until: 110, paid }]);
	});
}

#[test]
fn a_new_price_is_that_of_what_is_added() {
	execute(|| {
		bought();
		let dearer = Params { price: 10, ..PARAMS };
		assert_ok!(Space::set_params(RuntimeOrigin::root(), dearer));
		events();
		assert_ok!(Space::grow(signed(ALICE), 10 * TIB));
		// Half at 7, half at 10: rounded up to 9 grains for each byte and tick.
		assert_eq!(space(ALICE).price, 9);
		assert_eq!(Space::left(ALICE), 99 * 20 * 9);
		assert_ok!(Space::renew(signed(ALICE), 99));
		// To tick 200: 99 ticks at 9, 100 at 10.
		assert_eq!((space(ALICE).price, space(ALICE).until), (10, 200));
	});
}

#[test]
fn boundary_grow_and_renew() {
	execute(|| {
		assert_noop!(Space::grow(signed(ALICE), TIB), Error::<Test>::NoSpace);
		assert_noop!(Space::renew(signed(ALICE), 10), Error::<Test>::NoSpace);
		bought();
		assert_noop!(Space::grow(signed(ALICE), 0), Error::<Test>::TooFewBytes);
		assert_noop!(Space::grow(signed(ALICE), 90 * TIB + 1), Error::<Test>::TooManyBytes);
		assert_noop!(Space::grow(signed(ALICE), u64::MAX), Error::<Test>::TooManyBytes);
		assert_ok!(Space::grow(signed(ALICE), 1));
		assert_noop!(Space::renew(signed(ALICE), 0), Error::<Test>::TooShort);
		assert_noop!(Space::renew(signed(ALICE), 902), Error::<Test>::TooLong);
		assert_ok!(Space::renew(signed(ALICE), 901));
		assert_eq!(space(ALICE).until, 1_010);
	});
}

#[test]
fn in_its_grace_a_space_is_only_renewed() {
	execute(|| {
		bought();
		pass(75);
		// Tick 76 is the first of the last 25.
		assert_noop!(Space::grow(signed(ALICE), TIB), Error::<Test>::InGrace);
		assert_ok!(Space::renew(signed(ALICE), 30));
		assert_ok!(Space::grow(signed(ALICE), TIB));
		assert_eq!(space(ALICE).until, 130);
		pass(30);
		assert_noop!(Space::grow(signed(ALICE), TIB), Error::<Test>::InGrace);
	});
}

#[test]
fn success_close() {
	execute(|| {
		bought();
		assert_ok!(Space::authorise(signed(ALICE), BOB, TIB, 50));
		let file = order(ALICE, ALICE, TIB);
		assert_noop!(Space::close(signed(ALICE)), Error::<Test>::StillUsed);
		MockFiles::delete(file);
		assert_ok!(Space::close(signed(ALICE)));
		assert_eq!(purse(ALICE), RICH);
		assert_noop!(Space::close(signed(ALICE)), Error::<Test>::NoSpace);
		assert_eq!(Operators::<Test>::iter().count(), 0);
	});
}
