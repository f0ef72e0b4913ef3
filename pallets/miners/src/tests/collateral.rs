// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a miner has at stake.

use super::*;
use frame_support::{assert_noop, assert_ok};
use support::{Collateral, DutyGate};

fn on_hold(n: u8) -> Balance {
	Balances::reserved_balance(stash(n))
}

#[test]
fn required_rises_with_every_byte() {
	let params = params();
	assert_eq!(params.required(0), 100);
	assert_eq!(params.required(1), 101);
	assert_eq!(params.required(GIB / 10), 101);
	assert_eq!(params.required(GIB / 10 + 1), 102);
	assert_eq!(params.required(GIB), 110);
	assert_eq!(params.required(90 * GIB), 1000);
	let greedy = ParamsOf::<Test> { collateral_per_gib: u128::MAX, ..params };
	assert_eq!(greedy.required(u64::MAX), u128::MAX);
}

#[test]
fn success_top_up() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		assert_ok!(Miners::top_up(by(stash(1)), 50));
		assert_eq!(events(), [Event::CollateralAdded { miner: id, amount: 50 }]);
		assert_eq!((on_hold(1), record(id).collateral), (COLLATERAL + 50, COLLATERAL + 50));
		assert_noop!(Miners::top_up(by(stash(1)), FUNDS), sp_runtime::TokenError::FundsUnavailable);
	});
}

#[test]
fn boundary_withdraw_what_is_not_required() {
	execute(|| {
		let id = register(1);
		assert_ok!(hold(id, GIB));
		assert_ok!(Miners::reserve(id, GIB, Purpose::Claim));
		System::reset_events();
		// 1000 - (100 + 20)
		assert_eq!(Miners::required_collateral(id), 120);
		let too_little = Error::<Test>::TooLittleCollateral;
		assert_noop!(Miners::withdraw(by(stash(1)), 881), too_little);
		assert_ok!(Miners::withdraw(by(stash(1)), 880));
		assert_eq!(events(), [Event::CollateralReleased { miner: id, amount: 880 }]);
		assert_eq!(on_hold(1), 120);
		let too_little = Error::<Test>::TooLittleCollateral;
		assert_noop!(Miners::withdraw(by(stash(1)), 1), too_little);
		let too_little = Error::<Test>::TooLittleCollateral;
		assert_noop!(Miners::withdraw(by(stash(1)), Balance::MAX), too_little);
		assert_noop!(Miners::withdraw(by(somebody()), 1), Error::<Test>::UnknownMiner);
	});
}

#[test]
fn withdraw_while_suspended_or_absent_but_not_while_leaving() {
	execute(|| {
		let id = register(1);
		suspend(id);
		assert_ok!(Miners::withdraw(by(stash(1)), 1));
		make_absent(id);
		assert_ok!(Miners::withdraw(by(stash(1)), 1));
		assert_ok!(Miners::exit(by(stash(1))));
		assert_noop!(Miners::withdraw(by(stash(1)), 1), Error::<Test>::IsLeaving);
	});
}

#[test]
fn pay_moves_or_burns() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		let issuance = Balances::total_issuance();
		assert_eq!(Miners::pay(id, Some(&stash(2)), 300), 300);
		assert_eq!(Balances::free_balance(stash(2)), FUNDS + 300);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(Miners::pay(id, None, 200), 200);
		assert_eq!(Balances::total_issuance(), issuance - 200);
		assert_eq!((on_hold(1), record(id).collateral), (500, 500));
		let taken = |to, amount| Event::CollateralTaken { miner: id, to, amount };
		assert_eq!(events(), [taken(Some(stash(2)), 300), taken(None, 200)]);
	});
}

#[test]
fn what_is_given_is_collateral() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		assert_eq!(Miners::give(id, &stash(2), 300), 300);
		assert_eq!((on_hold(1), record(id).collateral), (COLLATERAL + 300, COLLATERAL + 300));
		assert_eq!(Balances::free_balance(stash(2)), FUNDS - 300);
		assert_eq!(events(), [Event::CollateralAdded { miner: id, amount: 300 }]);
		// All or nothing, and only to a miner.
		assert_eq!(Miners::give(id, &stash(2), FUNDS), 0);
		assert_eq!(Miners::give(MinerId(77), &stash(2), 1), 0);
		assert_eq!(Balances::free_balance(stash(2)), FUNDS - 300);
	});
}

#[test]
fn boundary_pay_what_is_there() {
	execute(|| {
		let id = register(1);
		assert_eq!(Miners::pay(id, Some(&stash(2)), COLLATERAL - 1), COLLATERAL - 1);
		assert_eq!(Miners::pay(id, None, 2), 1);
		System::reset_events();
		assert_eq!(Miners::pay(id, None, 2), 0);
		assert_eq!(events(), []);
		assert_eq!((on_hold(1), record(id).collateral), (0, 0));
		// It stays a miner, frozen, and can top up.
		assert_noop!(hold(id, 1), Error::<Test>::Frozen);
		assert_ok!(Miners::top_up(by(stash(1)), 101));
		assert_ok!(hold(id, 1));
	});
}

#[test]
fn nothing_is_taken_where_it_cannot_be_received() {
	execute(|| {
		let id = register(1);
		// Less than an account needs to exist.
		assert_eq!(Miners::pay(id, Some(&stash(77)), 9), 0);
		assert_eq!((on_hold(1), record(id).collateral), (COLLATERAL, COLLATERAL));
		assert_eq!(Miners::pay(id, Some(&stash(77)), 10), 10);
	});
}

#[test]
fn a_stash_without_free_funds_can_still_be_charged() {
	execute(|| {
		let id = register(1);
		let rest = FUNDS - COLLATERAL - ExistentialDeposit::get();
		assert_ok!(Balances::transfer_allow_death(by(stash(1)), somebody(), rest));
		assert_eq!(Miners::pay(id, None, COLLATERAL), COLLATERAL);
		assert_eq!(on_hold(1), 0);
	});
}

#[test]
fn wrong_proofs_cost_the_fee_until_nothing_is_left() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		let issuance = Balances::total_issuance();
		Miners::charge_wrong(id);
		assert_eq!(events(), [Event::WrongProofCharged { miner: id, amount: 7 }]);
		assert_eq!(Balances::total_issuance(), issuance - 7);
		for _ in 0..200 {
			Miners::charge_wrong(id);
		}
		assert_eq!(Balances::total_issuance(), issuance - COLLATERAL);
		assert_eq!(record(id).collateral, 0);
	});
}
