// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What other pallets do to a miner that does not do what it should.

use super::*;
use frame_support::{assert_noop, assert_ok};
use support::{Brake, Discipline};

const GONE: Standing = Standing::Leaving { expelled: true };

fn come_back(n: u8, id: MinerId) {
	assert_ok!(Miners::alive(by(hot_account(n)), id, 0, None));
}

fn leave(n: u8) -> MinerId {
	let id = register(n);
	assert_ok!(Miners::exit(by(stash(n))));
	id
}

fn depart(n: u8) -> MinerId {
	let id = leave(n);
	assert_ok!(Miners::finish(by(somebody()), id));
	id
}

#[test]
fn a_suspended_miner_serves_and_gets_nothing_until_it_is_reinstated() {
	execute(|| {
		let id = register(1);
		pass(3);
		System::reset_events();
		assert_ok!(<Miners as Discipline>::suspend(id));
		assert_eq!(events(), [Event::Suspended { miner: id }]);
		assert_eq!(standing(id), Some(Standing::Suspended));
		assert_eq!(record(id).since, Now::get());
		assert_noop!(hold(id, 1), Error::<Test>::NotServing);
		assert_noop!(<Miners as Discipline>::suspend(id), Error::<Test>::AlreadySuspended);
		System::reset_events();
		pass(3);
		assert_ok!(Miners::reinstate(id));
		assert_eq!(events(), [Event::Reinstated { miner: id }]);
		assert_eq!((standing(id), record(id).since), (Some(Standing::Serving), Now::get()));
		assert_ok!(hold(id, 1));
		assert_noop!(Miners::reinstate(id), Error::<Test>::NotSuspended);
	});
}

#[test]
fn a_suspension_of_an_absent_miner_shows_when_it_is_back() {
	execute(|| {
		let id = register(1);
		make_absent(id);
		let since = record(id).since;
		pass(3);
		assert_ok!(<Miners as Discipline>::suspend(id));
		assert_eq!((standing(id), record(id).since), (Some(Standing::Absent), since));
		come_back(1, id);
		assert_eq!(standing(id), Some(Standing::Suspended));
	});
}

#[test]
fn one_that_was_just_seen_is_marked_absent_until_its_next_duty() {
	execute(|| {
		let id = register(1);
		assert_ok!(hold(id, 50));
		System::reset_events();
		assert_ok!(<Miners as Discipline>::absent(id));
		assert_eq!(events(), [Event::BecameAbsent { miner: id }]);
		assert_eq!(standing(id), Some(Standing::Absent));
		// The brake counts it like any other.
		assert!(<Miners as Brake>::is_engaged());
		assert_noop!(<Miners as Discipline>::absent(id), Error::<Test>::AlreadyAbsent);
		come_back(1, id);
		assert_eq!(standing(id), Some(Standing::Serving));
		assert!(!<Miners as Brake>::is_engaged());
	});
}

#[test]
fn whatever_its_standing_an_expelled_miner_does_not_come_back() {
	let miners: [fn() -> MinerId; 4] = [
		|| register(1),
		|| {
			let id = register(1);
			suspend(id);
			id
		},
		|| {
			let id = register(1);
			make_absent(id);
			id
		},
		|| leave(1),
	];
	for miner in miners {
		execute(|| {
			let id = miner();
			System::reset_events();
			assert_ok!(<Miners as Discipline>::expel(id));
			assert_eq!(events(), [Event::LeaveStarted { miner: id, expelled: true }]);
			assert_eq!(standing(id), Some(GONE));
			come_back(1, id);
			assert_eq!(standing(id), Some(GONE));
			let again = <Miners as Discipline>::expel(id);
			assert_noop!(again, Error::<Test>::AlreadyExpelled);
		});
	}
}

#[test]
fn nobody_is_expelled_while_the_brake_is_engaged() {
	execute(|| {
		let (one, other) = (register(1), register(2));
		assert_ok!(hold(one, 50));
		assert_ok!(hold(other, 50));
		assert_ok!(<Miners as Discipline>::absent(one));
		let expelled = <Miners as Discipline>::expel(other);
		assert_noop!(expelled, Error::<Test>::BrakeEngaged);
		come_back(1, one);
		assert_ok!(<Miners as Discipline>::expel(other));
	});
}

#[test]
fn who_is_expelled_or_has_left_is_not_suspended() {
	execute(|| {
		let (leaving, departed, expelled) = (leave(1), depart(2), leave(3));
		assert_ok!(<Miners as Discipline>::expel(expelled));
		let suspend = <Miners as Discipline>::suspend;
		assert_noop!(suspend(expelled), Error::<Test>::IsLeaving);
		assert_noop!(Miners::reinstate(expelled), Error::<Test>::IsLeaving);
		assert_noop!(suspend(departed), Error::<Test>::HasDeparted);
		assert_noop!(suspend(MinerId(9)), Error::<Test>::UnknownMiner);
		assert_noop!(<Miners as Discipline>::absent(departed), Error::<Test>::HasDeparted);
		assert_noop!(<Miners as Discipline>::absent(MinerId(9)), Error::<Test>::UnknownMiner);
		assert_noop!(<Miners as Discipline>::expel(departed), Error::<Test>::HasDeparted);
		assert_noop!(<Miners as Discipline>::expel(MinerId(9)), Error::<Test>::UnknownMiner);
		// One that leaves may still be marked absent: what it holds does not count as present.
		assert_ok!(<Miners as Discipline>::absent(leaving));
		assert_eq!(standing(leaving), Some(GONE));
		come_back(1, leaving);
		assert_eq!(standing(leaving), Some(Standing::Leaving { expelled: false }));
	});
}

#[test]
fn the_miners_are_counted_until_they_depart() {
	execute(|| {
		assert_eq!(Registered::<Test>::get(), 0);
		let id = register(1);
		leave(2);
		depart(3);
		assert_eq!(Registered::<Test>::get(), 2);
		assert_ok!(<Miners as Discipline>::expel(id));
		assert_eq!(Registered::<Test>::get(), 2);
		assert_ok!(Miners::finish(by(somebody()), id));
		assert_eq!(Registered::<Test>::get(), 1);
	});
}

#[test]
fn who_is_suspended_while_it_leaves_gets_no_rewards_until_it_is_reinstated() {
	execute(|| {
		let id = leave(1);
		let since = record(id).since;
		let earns = || Earnings::get().get(&id).copied().unwrap_or((0, true)).1;
		assert!(earns());
		pass(3);
		System::reset_events();
		assert_ok!(<Miners as Discipline>::suspend(id));
		assert_eq!(events(), [Event::Suspended { miner: id }]);
		assert!(!earns());
		assert_noop!(<Miners as Discipline>::suspend(id), Error::<Test>::AlreadySuspended);
		// It leaves as before.
		assert_eq!(standing(id), Some(Standing::Leaving { expelled: false }));
		assert_eq!(record(id).since, since);
		// Staying away heals nothing.
		make_absent(id);
		assert_eq!(standing(id), Some(GONE));
		come_back(1, id);
		assert_eq!((standing(id), earns()), (Some(Standing::Leaving { expelled: false }), false));
		assert_ok!(Miners::reinstate(id));
		assert!(earns());
		assert_noop!(Miners::reinstate(id), Error::<Test>::NotSuspended);
		assert_ok!(Miners::finish(by(somebody()), id));
	});
}

#[test]
fn who_leaves_while_suspended_leaves_without_rewards() {
	execute(|| {
		let (good, bad) = (register(1), register(2));
		assert_ok!(<Miners as Discipline>::suspend(bad));
		for n in [1, 2] {
			assert_ok!(Miners::exit(by(stash(n))));
		}
		assert_eq!(standing(good), standing(bad));
		let earns = |id: MinerId| Earnings::get().get(&id).copied().unwrap_or((0, true)).1;
		assert_eq!((earns(good), earns(bad)), (true, false));
	});
}
