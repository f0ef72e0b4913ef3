// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Miners that are not there.

use super::*;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

const GONE: Standing = Standing::Leaving { expelled: true };
const LEAVING: Standing = Standing::Leaving { expelled: false };

fn come_back(n: u8, id: MinerId) {
	assert_ok!(Miners::alive(by(hot_account(n)), id, 0, None));
}

#[test]
fn boundary_mark_absent() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		pass(60);
		assert_noop!(Miners::mark_absent(by(somebody()), id), Error::<Test>::SeenLately);
		pass(1);
		let info = Miners::mark_absent(by(somebody()), id).expect("it was not seen");
		assert_eq!(info.pays_fee, Pays::No);
		assert_eq!(events(), [Event::BecameAbsent { miner: id }]);
		assert_eq!(standing(id), Some(Standing::Absent));
		assert_noop!(Miners::mark_absent(by(somebody()), id), Error::<Test>::AlreadyAbsent);
		assert_noop!(Miners::mark_absent(by(somebody()), MinerId(9)), Error::<Test>::UnknownMiner);
	});
}

#[test]
fn who_fails_to_mark_pays() {
	execute(|| {
		let id = register(1);
		let error = Miners::mark_absent(by(somebody()), id).expect_err("it was seen");
		assert_eq!(error.post_info.pays_fee, Pays::Yes);
	});
}

#[test]
fn a_duty_brings_it_back() {
	execute(|| {
		let id = register(1);
		make_absent(id);
		System::reset_events();
		come_back(1, id);
		assert_eq!(events(), [Event::Returned { miner: id }]);
		assert_eq!(standing(id), Some(Standing::Serving));
		// Once.
		come_back(1, id);
		assert_eq!(events(), []);
		assert_noop!(Miners::mark_absent(by(somebody()), id), Error::<Test>::SeenLately);
	});
}

#[test]
fn staying_away_heals_nothing() {
	execute(|| {
		let id = register(1);
		suspend(id);
		make_absent(id);
		assert_eq!(standing(id), Some(Standing::Absent));
		come_back(1, id);
		assert_eq!(standing(id), Some(Standing::Suspended));
	});
}

#[test]
fn who_leaves_can_be_absent_too() {
	execute(|| {
		let id = register(1);
		assert_ok!(Miners::exit(by(stash(1))));
		assert_eq!(standing(id), Some(LEAVING));
		make_absent(id);
		assert_eq!(standing(id), Some(GONE));
		come_back(1, id);
		assert_eq!(standing(id), Some(LEAVING));
	});
}

#[test]
fn leaving_does_not_make_absent_data_present() {
	execute(|| {
		let id = register(1);
		make_absent(id);
		assert_ok!(Miners::exit(by(stash(1))));
		assert_eq!(standing(id), Some(GONE));
		come_back(1, id);
		assert_eq!(standing(id), Some(LEAVING));
	});
}

#[test]
fn boundary_expel_absent() {
	execute(|| {
		let id = register(1);
		assert_noop!(Miners::expel_absent(by(somebody()), id), Error::<Test>::NotAbsent);
		make_absent(id);
		System::reset_events();
		pass(500);
		assert_noop!(Miners::expel_absent(by(somebody()), id), Error::<Test>::NotAbsent);
		pass(1);
		let info = Miners::expel_absent(by(somebody()), id).expect("it was away for too long");
		assert_eq!(info.pays_fee, Pays::No);
		assert_eq!(events(), [Event::LeaveStarted { miner: id, expelled: true }]);
		assert_eq!(standing(id), Some(GONE));
		// There is no way back, and nothing more to happen.
		come_back(1, id);
		assert_eq!(standing(id), Some(GONE));
		assert_eq!(events(), []);
		pass(10_000);
		assert_noop!(Miners::mark_absent(by(somebody()), id), Error::<Test>::AlreadyAbsent);
		assert_noop!(Miners::expel_absent(by(somebody()), id), Error::<Test>::NotAbsent);
		assert_noop!(Miners::exit(by(stash(1))), Error::<Test>::IsLeaving);
	});
}

#[test]
fn being_marked_late_does_not_shorten_the_time_to_come_back() {
	execute(|| {
		let id = register(1);
		pass(10_000);
		assert_ok!(Miners::mark_absent(by(somebody()), id));
		assert_noop!(Miners::expel_absent(by(somebody()), id), Error::<Test>::NotAbsent);
	});
}

#[test]
fn who_leaves_and_stays_away_is_expelled() {
	execute(|| {
		let id = register(1);
		assert_ok!(Miners::exit(by(stash(1))));
		make_absent(id);
		pass(501);
		assert_ok!(Miners::expel_absent(by(somebody()), id));
		come_back(1, id);
		assert_eq!(standing(id), Some(GONE));
		assert_ok!(Miners::finish(by(somebody()), id));
	});
}
