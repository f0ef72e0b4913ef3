// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Claiming what was earned, and burning what was not.

use super::*;

#[test]
fn success_claim() {
	execute(|| {
		holds(0, TIB);
		pay(1_000, stream(TIB, 10, 100));
		pass(3);
		assert_ok!(claim(0));
		let (miner, payee) = (MinerId(0), MockMiners::payee(0));
		assert_eq!(events(), [Event::Claimed { miner, payee, amount: 30 }]);
		assert_eq!((received(0), claimable(0)), (30, 0));
		assert_noop!(claim(0), Error::<Test>::NothingThere);
		pass(1);
		assert_ok!(claim(0));
		assert_eq!(received(0), 40);
	});
}

#[test]
fn nothing_is_claimed_where_nothing_is() {
	execute(|| {
		assert_noop!(claim(0), Error::<Test>::NothingThere);
		assert_noop!(claim(MINERS), Error::<Test>::UnknownMiner);
		// A grain for each byte: half a part of the token.
		holds(0, TIB / 2);
		pay(1_000, Stream { bytes: TIB / 2, rate: u128::from(TIB / 2), ends: 100 });
		pass(1);
		assert_noop!(claim(0), Error::<Test>::NothingThere);
		assert_noop!(
			Rewards::claim(RuntimeOrigin::none(), MinerId(0)),
			sp_runtime::DispatchError::BadOrigin
		);
	});
}

#[test]
fn what_cannot_be_received_stays() {
	execute(|| {
		holds(0, TIB);
		pay(1_000, stream(TIB, 3, 100));
		pass(3);
		// The payee needs ten parts to exist.
		assert!(claim(0).is_err());
		assert_eq!(claimable(0), 9);
		pass(1);
		assert_ok!(claim(0));
		assert_eq!(received(0), 12);
	});
}

#[test]
fn what_is_less_than_a_part_stays_for_the_next_time() {
	execute(|| {
		holds(0, TIB);
		let rate = grains(10) + u128::from(TIB) / 2;
		pay(2_000, Stream { bytes: TIB, rate, ends: 100 });
		pass(1);
		// Half a part for 2^40 bytes cannot be divided by them.
		assert_ok!(claim(0));
		assert_eq!(received(0), 10);
		pass(1);
		assert_ok!(claim(0));
		assert_eq!(received(0), 21);
	});
}

#[test]
fn who_departs_is_paid() {
	execute(|| {
		holds(0, TIB);
		pay(1_000, stream(TIB, 10, 100));
		pass(5);
		departs(0);
		assert_eq!(received(0), 50);
		assert_eq!(Accounts::<Test>::iter().count(), 0);
		assert_noop!(claim(0), Error::<Test>::UnknownMiner);
		// Nobody earns what flows then.
		pass(5);
		assert_eq!(unearned(), 50);
	});
}

#[test]
fn who_departs_and_cannot_be_paid_leaves_it() {
	execute(|| {
		holds(0, TIB);
		pay(1_000, stream(TIB, 3, 100));
		pass(3);
		departs(0);
		assert_eq!(events(), [Event::Abandoned { miner: MinerId(0), amount: 9 }]);
		assert_eq!((received(0), unearned()), (0, 9));
	});
}

#[test]
fn what_nobody_earned_is_burnt() {
	execute(|| {
		assert_noop!(Rewards::burn(signed(BOB)), Error::<Test>::NothingThere);
		pay(1_000, stream(TIB, 10, 100));
		pass(5);
		let issuance = Balances::total_issuance();
		events();
		assert_ok!(Rewards::burn(signed(BOB)));
		assert_eq!(events(), [Event::Burnt { amount: 50 }]);
		assert_eq!(Balances::total_issuance(), issuance - 50);
		assert_eq!(unearned(), 0);
	});
}
