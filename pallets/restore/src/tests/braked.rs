// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What may be restored while too much is absent.

use super::{each, lean, standard};
use crate::{BRAKED_SPARE, Error, OrderState, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::Standing;

const EXPELLED: Standing = Standing::Leaving { expelled: true };

#[test]
fn only_segments_with_little_to_spare() {
	for away in [Standing::Absent, EXPELLED] {
		execute(|| {
			let file = &standard(1)[0];
			let fragment = file.fragment(0, 0);
			// 12 fragments, of which 4 are needed: with six away two are to spare.
			(0..5).for_each(|miner| set_standing(miner, away));
			assert_eq!(spare(file), 3);
			Engaged::put(true);
			assert_noop!(Restore::open(by(20), list([fragment])), Error::<Test>::Braked);
			assert_eq!(may_take(20, fragment), Err(Error::<Test>::Braked.into()));
			set_standing(5, away);
			assert_eq!(spare(file), BRAKED_SPARE);
			assert_eq!(may_take(20, fragment), Ok(()));
			assert_ok!(Restore::open(by(20), list([fragment])));
		});
	}
}

#[test]
fn when_it_is_over_all() {
	execute(|| {
		let file = &standard(1)[0];
		set_standing(0, Standing::Absent);
		Engaged::put(true);
		assert_noop!(Restore::open(by(20), list([file.fragment(0, 0)])), Error::<Test>::Braked);
		Engaged::put(false);
		assert_ok!(Restore::open(by(20), list([file.fragment(0, 0)])));
	});
}

#[test]
fn copies_and_what_holders_open_go_on() {
	execute(|| {
		let file = &standard(1)[0];
		Engaged::put(true);
		set_standing(0, Standing::Leaving { expelled: false });
		assert_ok!(Restore::open(by(20), list([file.fragment(0, 0)])));
		assert_ok!(Restore::open(by(1), list([file.fragment(0, 1)])));
		// As do lean segments, which never have more than one to spare.
		let lean = lean();
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::open(by(20), list([lean.fragment(0, 1)])));
	});
}

#[test]
fn what_was_opened_before_goes_on() {
	execute(|| {
		let files = standard(2);
		let fragments = each(&files, 0);
		set_standing(0, Standing::Absent);
		assert_ok!(Restore::open(by(20), list([fragments[0], fragments[1]])));
		Engaged::put(true);
		assert_ok!(Restore::give_back(by(20), list([fragments[0]])));
		assert_ok!(Restore::claim(by(21), list([fragments[0]])));
		ready(20, &[fragments[1]]);
		blocks(crate::SEED_DELAY);
		report(20, proofs(20, &[&files[1]]));
		assert_eq!(state(fragments[1]), None);
		assert!(matches!(state(fragments[0]), Some(OrderState::Claimed { .. })));
	});
}
