// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is stored, and what flows for it.

use super::*;
use pallet_planaria_support::SpaceLedger;

#[test]
fn an_order_reserves_and_is_settled_or_released() {
	execute(|| {
		bought();
		let (one, two) = (order(ALICE, ALICE, 2 * TIB), order(ALICE, ALICE, 3 * TIB));
		assert_eq!((space(ALICE).reserved, space(ALICE).used), (5 * TIB, 0));
		MockFiles::activate(one);
		assert_eq!((space(ALICE).reserved, space(ALICE).used), (3 * TIB, 2 * TIB));
		MockFiles::delete(two);
		assert_eq!((space(ALICE).reserved, space(ALICE).used), (0, 2 * TIB));
		MockFiles::delete(one);
		assert_eq!(space(ALICE).occupied(), 0);
	});
}

#[test]
fn boundary_reserve() {
	execute(|| {
		let refused = |bytes| Space::reserve(&ALICE, &ALICE, bytes);
		assert_noop!(refused(1), Error::<Test>::NoSpace);
		bought();
		assert_noop!(refused(10 * TIB + 1), Error::<Test>::OutOfSpace);
		stored(9 * TIB);
		assert_noop!(refused(TIB + 1), Error::<Test>::OutOfSpace);
		assert_noop!(refused(u64::MAX), Error::<Test>::OutOfSpace);
		stored(TIB);
		assert_noop!(refused(1), Error::<Test>::OutOfSpace);
	});
}

#[test]
fn what_flows_is_what_is_stored() {
	execute(|| {
		bought();
		assert!(MockPot::flowing().is_empty());
		let file = order(ALICE, ALICE, 2 * TIB);
		let tib = i128::from(TIB);
		assert_eq!(MockPot::flowing()[&100], (2 * tib, 14 * tib));
		MockFiles::activate(file);
		assert_eq!(MockPot::flowing()[&100], (2 * tib, 14 * tib));
		assert_ok!(Space::renew(signed(ALICE), 100));
		assert_eq!(MockPot::flowing().len(), 1);
		assert_eq!(MockPot::flowing()[&200], (2 * tib, 14 * tib));
		MockFiles::delete(file);
		assert!(MockPot::flowing().is_empty());
	});
}

#[test]
fn a_full_space_has_nothing_left_at_its_end() {
	execute(|| {
		bought();
		stored(10 * TIB);
		pass(98);
		assert_eq!((now(), Space::left(ALICE)), (99, 70));
		pass(1);
		assert_eq!((now(), Space::left(ALICE)), (100, 0));
		pass(1);
		assert!(Spaces::<Test>::get(ALICE).is_none());
		assert_eq!(purse(ALICE), RICH - 99 * 70);
	});
}
