// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who may order in whose name.

use super::*;
use pallet_planaria_support::SpaceLedger;

fn operator(owner: AccountId, operator: AccountId) -> Operator {
	Operators::<Test>::get(owner, operator).expect("it is authorised")
}

#[test]
fn an_operator_orders_up_to_its_limit() {
	execute(|| {
		bought();
		assert_noop!(Space::reserve(&ALICE, &BOB, 1), Error::<Test>::NotAuthorised);
		assert_ok!(Space::authorise(signed(ALICE), BOB, 3 * TIB, 50));
		let (owner, bytes, until) = (ALICE, 3 * TIB, 50);
		assert_eq!(events(), [Event::Authorised { owner, operator: BOB, bytes, until }]);
		pass(1);
		let file = order(ALICE, BOB, 2 * TIB);
		assert_eq!(operator(ALICE, BOB).bytes, TIB);
		assert_noop!(Space::reserve(&ALICE, &BOB, TIB + 1), Error::<Test>::OverLimit);
		// An order that fails can be ordered again.
		MockFiles::delete(file);
		assert_eq!(operator(ALICE, BOB).bytes, 3 * TIB);
		// One that is stored has been ordered, also when it is deleted.
		let file = order(ALICE, BOB, TIB);
		MockFiles::activate(file);
		MockFiles::delete(file);
		assert_eq!(operator(ALICE, BOB).bytes, 2 * TIB);
	});
}

#[test]
fn a_lower_limit_holds_whatever_fails_that_was_ordered_before() {
	execute(|| {
		bought();
		assert_ok!(Space::authorise(signed(ALICE), BOB, 4 * TIB, 90));
		pass(1);
		let old = [TIB, 2 * TIB, TIB].map(|bytes| order(ALICE, BOB, bytes));
		// In the same tick as the last orders.
		assert_ok!(Space::authorise(signed(ALICE), BOB, TIB, 90));
		MockFiles::delete(old[0]);
		assert_eq!(operator(ALICE, BOB).bytes, TIB);
		pass(1);
		let new = order(ALICE, BOB, TIB);
		MockFiles::delete(old[1]);
		assert_eq!(operator(ALICE, BOB).bytes, 0);
		assert_noop!(Space::reserve(&ALICE, &BOB, 1), Error::<Test>::OverLimit);
		// What it has ordered since then it may order again.
		MockFiles::delete(new);
		assert_eq!(operator(ALICE, BOB).bytes, TIB);
		// Nor does it come back when it was revoked meanwhile.
		assert_ok!(Space::revoke(signed(ALICE), BOB));
		pass(1);
		assert_ok!(Space::authorise(signed(ALICE), BOB, 1, 90));
		MockFiles::delete(old[2]);
		assert_eq!((operator(ALICE, BOB).bytes, space(ALICE).occupied()), (1, 0));
	});
}

#[test]
fn a_limit_is_no_room() {
	execute(|| {
		bought();
		assert_ok!(Space::authorise(signed(ALICE), BOB, 30 * TIB, 50));
		assert_noop!(Space::reserve(&ALICE, &BOB, 11 * TIB), Error::<Test>::OutOfSpace);
		assert_eq!(operator(ALICE, BOB).bytes, 30 * TIB);
	});
}

#[test]
fn an_authorisation_ends() {
	execute(|| {
		bought();
		assert_ok!(Space::authorise(signed(ALICE), BOB, 3 * TIB, 50));
		assert!(!Space::may_act(&BOB, &ALICE) && Space::may_act(&BOB, &BOB));
		pass(49);
		let file = order(ALICE, BOB, TIB);
		assert!(Space::may_act(&ALICE, &BOB));
		pass(1);
		assert!(!Space::may_act(&ALICE, &BOB));
		assert_noop!(Space::reserve(&ALICE, &BOB, TIB), Error::<Test>::AuthorisationOver);
		assert_ok!(Space::authorise(signed(ALICE), BOB, 1, 90));
		assert_eq!(operator(ALICE, BOB).bytes, 1);
		assert!(Space::may_act(&ALICE, &BOB));
		assert_ok!(Space::revoke(signed(ALICE), BOB));
		assert!(!Space::may_act(&ALICE, &BOB));
		assert_noop!(Space::reserve(&ALICE, &BOB, 1), Error::<Test>::NotAuthorised);
		// What it has ordered stays, and can end as any other.
		MockFiles::delete(file);
		assert_eq!(space(ALICE).occupied(), 0);
		assert_noop!(Space::revoke(signed(ALICE), BOB), Error::<Test>::NotAuthorised);
	});
}

#[test]
fn every_operator_has_a_deposit() {
	execute(|| {
		assert_noop!(Space::authorise(signed(ALICE), BOB, 1, 1), Error::<Test>::NoSpace);
		bought();
		let before = purse(ALICE);
		assert_noop!(Space::authorise(signed(ALICE), ALICE, 1, 1), Error::<Test>::OwnOperator);
		for operator in 10..13 {
			assert_ok!(Space::authorise(signed(ALICE), operator, 1, 1));
		}
		assert_eq!(purse(ALICE), before - 3 * 30);
		let too_many = Error::<Test>::TooManyOperators;
		assert_noop!(Space::authorise(signed(ALICE), 13, 1, 1), too_many);
		// One that is known has one already, whatever it is now.
		let dearer = Params { deposit: 500, ..PARAMS };
		assert_ok!(Space::set_params(RuntimeOrigin::root(), dearer));
		assert_ok!(Space::authorise(signed(ALICE), 12, 2, 2));
		assert_eq!(purse(ALICE), before - 3 * 30);
		assert_ok!(Space::revoke(signed(ALICE), 12));
		assert_eq!(purse(ALICE), before - 2 * 30);
		assert_ok!(Space::authorise(signed(ALICE), 13, 1, 1));
		assert_eq!(purse(ALICE), before - 2 * 30 - 500);
	});
}
