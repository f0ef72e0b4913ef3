// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who pays for a restoration, and who is paid.

use super::lean;
use crate::{SEED_DELAY, mock::*};
use frame_support::assert_ok;
use pallet_planaria_support::{OpenOrder, Standing};
use planaria_primitives::{FragmentId, MinerId};

const LEAVING: Standing = Standing::Leaving { expelled: false };

/// What a fragment of `lean` has.
const BYTES: u64 = 4 * 1024;

fn restore(file: &TestFile, fragment: FragmentId, by: u32) {
	ready(by, &[fragment]);
	blocks(SEED_DELAY);
	report(by, proofs(by, &[file]));
	assert_eq!(holder(fragment), Some(MinerId(by)));
}

#[test]
fn who_does_not_have_it_pays_who_restores_it() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_eq!(bounty(fragment), Some((BYTES, MinerId(1), false)));
		assert_ok!(Restore::claim(by(9), list([fragment])));
		restore(&file, fragment, 9);
		assert_eq!(paid(), [(fragment, MinerId(9))]);
	});
}

#[test]
fn who_leaves_and_serves_pays_half() {
	for (standing, half) in
		[(LEAVING, true), (Standing::Leaving { expelled: true }, false), (Standing::Absent, false)]
	{
		execute(|| {
			let file = lean();
			let fragment = file.fragment(0, 1);
			set_standing(1, standing);
			assert_ok!(Restore::open(by(9), list([fragment])));
			assert_eq!(bounty(fragment), Some((BYTES, MinerId(1), half)));
			restore(&file, fragment, 9);
			assert_eq!(paid(), [(fragment, MinerId(9))]);
		});
	}
}

#[test]
fn who_leaves_and_has_nothing_to_copy_pays_all() {
	execute(|| {
		let file = lean();
		set_standing(1, LEAVING);
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(9), list([fragment])));
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_eq!(bounty(fragment), Some((BYTES, MinerId(1), false)));
		// The same where it says so first.
		let other = lean();
		let fragment = other.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_eq!(bounty(fragment), Some((BYTES, MinerId(1), false)));
	});
}

#[test]
fn who_failed_a_challenge_pays() {
	execute(|| {
		let fragment = lean().fragment(0, 1);
		assert_ok!(<Restore as OpenOrder>::open(fragment));
		assert_eq!(bounty(fragment), Some((BYTES, MinerId(1), false)));
	});
}

#[test]
fn of_an_order_that_is_void_nobody_is_paid() {
	execute(|| {
		let fragment = lean().fragment(0, 1);
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::open(by(9), list([fragment])));
		set_standing(1, Standing::Serving);
		assert_ok!(Restore::give_back(by(9), list([fragment])));
		assert!(bounty(fragment).is_some());
		assert_ok!(Restore::tidy(by(5), list([fragment])));
		assert_eq!((bounty(fragment), paid()), (None, vec![]));
	});
}
