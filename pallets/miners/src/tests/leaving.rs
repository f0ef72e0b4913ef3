// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Exit, disconnection, cooldown and what comes after.

use super::*;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use support::Collateral;

/// Registers, exits and finishes test miner `n`.
fn depart(n: u8) -> MinerId {
	let id = register(n);
	assert_ok!(Miners::exit(by(stash(n))));
	assert_ok!(Miners::finish(by(somebody()), id));
	id
}

#[test]
fn success_exit() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		assert_ok!(Miners::exit(by(stash(1))));
		assert_eq!(events(), [Event::LeaveStarted { miner: id, expelled: false }]);
		assert_eq!(standing(id), Some(Standing::Leaving { expelled: false }));
		assert_noop!(Miners::exit(by(stash(1))), Error::<Test>::IsLeaving);
		assert_noop!(Miners::exit(by(somebody())), Error::<Test>::UnknownMiner);
	});
}

#[test]
fn exit_while_suspended() {
	execute(|| {
		let id = register(1);
		suspend(id);
		assert_ok!(Miners::exit(by(stash(1))));
		assert_eq!(standing(id), Some(Standing::Leaving { expelled: false }));
	});
}

#[test]
fn boundary_finish_when_nothing_is_left() {
	execute(|| {
		let id = register(1);
		assert_noop!(Miners::finish(by(somebody()), id), Error::<Test>::NotLeaving);
		assert_ok!(hold(id, 10));
		assert_ok!(Miners::reserve(id, 20, Purpose::Placement));
		assert_ok!(Miners::reserve(id, 30, Purpose::Claim));
		assert_ok!(Miners::exit(by(stash(1))));
		System::reset_events();
		assert_noop!(Miners::finish(by(somebody()), id), Error::<Test>::NotIdle);
		Miners::forget(id, 10);
		assert_noop!(Miners::finish(by(somebody()), id), Error::<Test>::NotIdle);
		Miners::release(id, 30, Purpose::Claim);
		// What was placed with it and never sent does not matter.
		assert_eq!(load(id).reserved, 20);
		let info = Miners::finish(by(somebody()), id).expect("nothing is left");
		assert_eq!(info.pays_fee, Pays::No);
		assert_eq!(events(), [Event::Disconnected { miner: id, free_at: 1200 }]);
		assert_noop!(Miners::finish(by(somebody()), id), Error::<Test>::HasDeparted);
		assert_noop!(Miners::finish(by(somebody()), MinerId(9)), Error::<Test>::UnknownMiner);
	});
}

#[test]
fn what_was_never_confirmed_goes_with_the_miner() {
	execute(|| {
		let (id, other) = (register(1), register(2));
		for bytes in [20, 30] {
			assert_ok!(Miners::reserve(id, bytes, Purpose::Placement));
		}
		assert_ok!(Miners::exit(by(stash(1))));
		// What it confirms until then has to be moved away.
		Miners::settle(id, 20, Purpose::Placement);
		assert_noop!(Miners::finish(by(somebody()), id), Error::<Test>::NotIdle);
		Miners::forget(id, 20);
		assert_ok!(Miners::finish(by(somebody()), id));
		pass(200);
		assert_ok!(Miners::withdraw(by(stash(1)), 0));
		assert_eq!(Balances::free_balance(stash(1)), FUNDS);
		// Whoever placed it places it elsewhere.
		Miners::release(id, 30, Purpose::Placement);
		assert_ok!(Miners::reserve(other, 30, Purpose::Placement));
		assert_eq!((HeldBytes::<Test>::get(), load(other).reserved), (0, 30));
	});
}

#[test]
fn who_departed_is_no_miner_any_more() {
	execute(|| {
		let id = depart(1);
		assert_eq!(standing(id), None);
		let departed = Error::<Test>::HasDeparted;
		assert_noop!(Miners::exit(by(stash(1))), departed);
		assert_noop!(Miners::top_up(by(stash(1)), 1), Error::<Test>::HasDeparted);
		assert_noop!(Miners::set_declared(by(stash(1)), 1), Error::<Test>::HasDeparted);
		assert_noop!(Miners::mark_absent(by(somebody()), id), Error::<Test>::HasDeparted);
		assert_noop!(Miners::expel_absent(by(somebody()), id), Error::<Test>::NotAbsent);
		assert_noop!(Miners::alive(by(hot_account(1)), id, 0, None), Error::<Test>::UnknownMiner);
		assert_noop!(Miners::reserve(id, 1, Purpose::Placement), Error::<Test>::NotServing);
		// Its keys are not free yet.
		assert_noop!(register_with(1, 2, 2, COLLATERAL), Error::<Test>::AlreadyRegistered);
		assert_noop!(register_with(2, 1, 2, COLLATERAL), Error::<Test>::KeyInUse);
		assert_noop!(register_with(2, 2, 1, COLLATERAL), Error::<Test>::EndpointInUse);
	});
}

#[test]
fn boundary_cooldown() {
	execute(|| {
		let id = depart(1);
		System::reset_events();
		pass(199);
		assert_noop!(Miners::withdraw(by(stash(1)), COLLATERAL), Error::<Test>::CoolingDown);
		assert_noop!(Miners::tidy(by(somebody()), id), Error::<Test>::CoolingDown);
		pass(1);
		assert_noop!(Miners::withdraw(by(hot_account(1)), 0), Error::<Test>::NotStash);
		assert_ok!(Miners::withdraw(by(stash(1)), 0));
		assert_eq!(events(), [Event::CollateralReleased { miner: id, amount: COLLATERAL }]);
		assert_eq!(Balances::free_balance(stash(1)), FUNDS);
		assert_eq!(Balances::reserved_balance(stash(1)), 0);
	});
}

#[test]
fn nobody_withdraws_twice() {
	execute(|| {
		let id = depart(1);
		pass(200);
		assert_ok!(Miners::withdraw(by(stash(1)), COLLATERAL));
		assert_noop!(Miners::withdraw(by(stash(1)), COLLATERAL), Error::<Test>::UnknownMiner);
		assert_noop!(Miners::tidy(by(somebody()), id), Error::<Test>::UnknownMiner);
		assert_eq!(Balances::free_balance(stash(1)), FUNDS);
	});
}

#[test]
fn anyone_may_tidy_up() {
	execute(|| {
		let id = register(1);
		assert_noop!(Miners::tidy(by(somebody()), id), Error::<Test>::NotDeparted);
		assert_ok!(Miners::exit(by(stash(1))));
		assert_noop!(Miners::tidy(by(somebody()), id), Error::<Test>::NotDeparted);
		assert_ok!(Miners::finish(by(somebody()), id));
		pass(200);
		let info = Miners::tidy(by(somebody()), id).expect("the cooldown is over");
		assert_eq!(info.pays_fee, Pays::No);
		// To the stash, whoever tidied up.
		assert_eq!(Balances::free_balance(stash(1)), FUNDS);
		assert_noop!(Miners::withdraw(by(stash(1)), 0), Error::<Test>::UnknownMiner);
	});
}

#[test]
fn the_keys_are_free_again_and_the_id_is_not() {
	execute(|| {
		let id = depart(1);
		pass(200);
		assert_ok!(Miners::withdraw(by(stash(1)), 0));
		assert_eq!(Loads::<Test>::iter().count() + ByAccount::<Test>::iter().count(), 0);
		let again = register(1);
		assert_ne!(again, id);
		assert_eq!(standing(id), None);
		assert_eq!(standing(again), Some(Standing::Serving));
	});
}

#[test]
fn collateral_can_be_taken_in_the_cooldown() {
	execute(|| {
		let id = depart(1);
		assert_eq!(Miners::pay(id, None, 400), 400);
		pass(200);
		System::reset_events();
		assert_ok!(Miners::withdraw(by(stash(1)), 0));
		assert_eq!(events(), [Event::CollateralReleased { miner: id, amount: 600 }]);
		assert_eq!(Balances::free_balance(stash(1)), FUNDS - 400);
	});
}

#[test]
fn nothing_left_to_release_is_released_too() {
	execute(|| {
		let id = depart(1);
		assert_eq!(Miners::pay(id, None, COLLATERAL), COLLATERAL);
		pass(200);
		assert_ok!(Miners::tidy(by(somebody()), id));
		assert_eq!(standing(id), None);
		assert_eq!(ByAccount::<Test>::iter().count(), 0);
	});
}
