// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What flows, and to whom.

use super::*;

#[test]
fn what_was_paid_flows_to_those_who_hold() {
	execute(|| {
		holds(0, 3 * TIB);
		holds(1, TIB);
		pay(800, stream(4 * TIB, 10, 20));
		assert_eq!(Rewards::flow_now().prepaid, grains(800));
		pass(5);
		assert_eq!((claimable(0), claimable(1)), (150, 50));
		// What is earned later does not change what was earned before.
		holds(1, 2 * TIB);
		pass(4);
		// Five TiB are held, four are paid for: 40 parts a tick for five.
		assert_eq!((claimable(0), claimable(1)), (150 + 96, 50 + 64));
	});
}

#[test]
fn without_somebody_who_pays_nothing_is_earned() {
	execute(|| {
		holds(0, TIB);
		pass(100);
		assert_eq!(claimable(0), 0);
		pay(1000, stream(TIB, 10, 200));
		pass(1);
		assert_eq!(claimable(0), 10);
	});
}

#[test]
fn what_ends_ends_with_its_tick() {
	execute(|| {
		holds(0, TIB);
		pay(1_000, stream(TIB, 10, 20));
		pass(18);
		assert_eq!((now(), claimable(0)), (19, 180));
		pass(1);
		assert_eq!((now(), claimable(0)), (20, 190));
		pass(50);
		assert_eq!(claimable(0), 190);
		let flow = Rewards::flow_now();
		assert_eq!((flow.paid, flow.rate), (0, 0));
		assert_eq!(Endings::<Test>::iter().count(), 0);
		// What has ended cannot be ended again.
		<Rewards as Pot<_>>::flow(stream(TIB, 10, 20), NOTHING);
		assert_eq!(Rewards::flow_now().paid, 0);
	});
}

#[test]
fn blocks_without_a_hook_change_nothing() {
	execute(|| {
		holds(0, TIB);
		pay(10_000, stream(TIB, 10, 50));
		pay(10_000, stream(2 * TIB, 1, 100));
		// Ten eras at once.
		MockClock::set(101);
		// 49 ticks of 10 and of 2, for three TiB of which one is held; 50 ticks of 2 for two.
		let expected = 49 * 12 / 3 + 50 * 2 / 2;
		assert_eq!(claimable(0), expected);
		pass(1);
		assert_eq!(claimable(0), expected);
	});
}

#[test]
fn a_stream_is_replaced_by_another() {
	execute(|| {
		holds(0, 2 * TIB);
		let first = stream(TIB, 10, 100);
		pay(5_000, first);
		pass(5);
		let second = stream(2 * TIB, 5, 200);
		<Rewards as Pot<_>>::flow(first, second);
		assert_eq!(Rewards::flow_now().paid, 2 * TIB);
		assert_eq!(Endings::<Test>::iter_keys().collect::<Vec<_>>(), [200]);
		pass(5);
		assert_eq!(claimable(0), 5 * 10 + 5 * 10);
		<Rewards as Pot<_>>::flow(second, NOTHING);
		pass(5);
		assert_eq!(claimable(0), 100);
		assert_eq!(Endings::<Test>::iter().count(), 0);
	});
}

#[test]
fn nobody_earns_more_because_another_does_not() {
	execute(|| {
		holds(0, TIB);
		holds(1, TIB);
		pay(20_000, stream(2 * TIB, 10, 1_000));
		pass(10);
		assert_eq!((claimable(0), claimable(1)), (100, 100));
		earns(1, false);
		pass(10);
		assert_eq!((claimable(0), claimable(1), unearned()), (200, 100, 100));
		earns(1, true);
		pass(10);
		assert_eq!((claimable(0), claimable(1), unearned()), (300, 200, 100));
		// Nor because it has lost what was paid for.
		holds(1, 0);
		pass(10);
		assert_eq!((claimable(0), claimable(1), unearned()), (400, 200, 200));
	});
}

#[test]
fn the_smallest_amounts_are_not_lost() {
	execute(|| {
		holds(0, 1);
		holds(1, 2);
		// A part lasts for 2^40 ticks of a byte.
		pay(1, Stream { bytes: 3, rate: 7, ends: 1_000 });
		pass(500);
		let flow = Rewards::flow_now();
		assert_eq!(flow.prepaid, grains(1) - 500 * 7);
		assert_eq!(flow.earned + flow.remainder, 500 * 7);
		assert!(flow.remainder < 3);
	});
}

#[test]
fn what_is_left_returns_in_whole_parts() {
	execute(|| {
		pay(100, NOTHING);
		let before = Balances::free_balance(ALICE);
		assert_eq!(<Rewards as Pot<_>>::refund(&ALICE, grains(60) + 5), 60);
		assert_eq!(Balances::free_balance(ALICE), before + 60);
		assert_eq!(Rewards::flow_now().unearned, 5);
		// Less than an account needs.
		assert_eq!(<Rewards as Pot<_>>::refund(&77, grains(9)), 0);
		assert_eq!(Rewards::flow_now().unearned, grains(9) + 5);
		assert_eq!(Rewards::flow_now().prepaid, grains(31) - 5);
	});
}

#[test]
fn nobody_pays_what_it_does_not_have() {
	execute(|| {
		let all = RICH + 1 - LEAST;
		assert!(<Rewards as Pot<_>>::fund(&ALICE, all).is_err());
		assert_ok!(<Rewards as Pot<_>>::fund(&ALICE, all - 1));
		assert_eq!(Rewards::flow_now().prepaid, grains(all - 1));
	});
}
