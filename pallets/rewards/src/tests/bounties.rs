// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Bounties, and what whoever tries to live on them gets.

use super::*;
use frame_support::traits::fungible::Mutate as _;

/// What a miner has at stake, and has received: what its operator has of it.
fn wealth(miner: u32) -> Balance {
	Balances::free_balance(MockMiners::stash(miner)) + received(miner)
}

fn restore(n: u8, by: u32) {
	restore_all(&[n], by);
}

fn restore_all(numbers: &[u8], by: u32) {
	let fragments = numbers.iter().copied().map(fragment).collect();
	<Rewards as Bounties<_>>::pay(fragments, MinerId(by));
}

fn give_back(n: u8) {
	<Rewards as Bounties<_>>::give_back(fragment(n));
}

#[test]
fn half_is_paid_at_once_and_half_when_it_has_stayed() {
	execute(|| {
		open(0, LONG, 0, false);
		assert_eq!(wealth(0), 1_000 - 108);
		restore(0, 1);
		assert_eq!(wealth(1), 1_000 + 54);
		pass(49);
		poll();
		assert_eq!(wealth(1), 1_000 + 54);
		assert_noop!(Rewards::collect(signed(BOB), fragment(0)), Error::<Test>::NotDue);
		pass(1);
		poll();
		assert_eq!(wealth(1), 1_000 + 108);
		let (fragment, holder, miner, payee) =
			(fragment(0), MinerId(0), MinerId(1), MockMiners::payee(1));
		assert_eq!(
			events(),
			[
				Event::BountyTaken { fragment, holder, amount: 108 },
				Event::BountyPaid { fragment, miner, payee, amount: 54 },
				Event::BountyPaid { fragment, miner, payee, amount: 54 },
			]
		);
		assert_eq!(Pledged::<Test>::get(), 0);
	});
}

#[test]
fn what_is_opened_and_restored_together_moves_money_once() {
	execute(|| {
		open_all(&[0, 1, 2], LONG, 0, false);
		assert_eq!(wealth(0), 1_000 - 3 * 108);
		let transfers = || {
			let own = |e: &frame_system::EventRecord<RuntimeEvent, _>| {
				matches!(e.event, RuntimeEvent::Balances(pallet_balances::Event::Transfer { .. }))
			};
			System::events().iter().filter(|e| own(e)).count()
		};
		System::reset_events();
		restore_all(&[0, 1, 2], 1);
		assert_eq!((wealth(1), transfers()), (1_000 + 3 * 54, 1));
		pass(50);
		System::reset_events();
		poll();
		assert_eq!((wealth(1), transfers()), (1_000 + 3 * 108, 1));
		let paid = |n| Event::BountyPaid {
			fragment: fragment(n),
			miner: MinerId(1),
			payee: MockMiners::payee(1),
			amount: 54,
		};
		assert_eq!(events(), [paid(0), paid(1), paid(2)]);
		assert_eq!(Pledged::<Test>::get(), 0);
	});
}

#[test]
fn who_has_not_enough_for_all_pays_for_the_first() {
	execute(|| {
		// 1,000 pay for nine of 108, and for a part of the tenth.
		let numbers: Vec<u8> = (0..12).collect();
		open_all(&numbers, LONG, 0, false);
		let amount = |n| Pledges::<Test>::get(fragment(n)).map(|pledge| pledge.amount());
		let has = 1_000 - wealth(0);
		for n in 0..12u8 {
			let paid = has.saturating_sub(108 * u128::from(n)).min(108);
			assert_eq!(amount(n), Some(paid).filter(|paid| *paid > 0), "{n}");
		}
		assert!(amount(8).is_some() && amount(11).is_none());
		assert_eq!(Pledged::<Test>::get(), has);
		numbers.iter().for_each(|n| give_back(*n));
		assert_eq!((wealth(0), Pledged::<Test>::get()), (1_000, 0));
	});
}

#[test]
fn nobody_gets_what_is_forfeited() {
	execute(|| {
		open(0, LONG, 0, false);
		<Rewards as Bounties<_>>::forfeit(fragment(0));
		let (fragment, holder) = (fragment(0), MinerId(0));
		assert_eq!(
			events(),
			[
				Event::BountyTaken { fragment, holder, amount: 108 },
				Event::BountyForfeited { fragment, miner: holder, amount: 108 },
			]
		);
		assert_eq!((wealth(0), Pledged::<Test>::get()), (1_000 - 108, 0));
		assert_ok!(Rewards::burn(signed(BOB)));
		assert_eq!(events(), [Event::Burnt { amount: 108 }]);
		// There is nothing to give back, and nothing to forfeit twice.
		give_back(0);
		<Rewards as Bounties<_>>::forfeit(fragment);
		assert_eq!(events(), []);
	});
}

#[test]
fn a_miner_that_leaves_pays_half_as_much() {
	execute(|| {
		open(0, LONG, 0, true);
		assert_eq!(wealth(0), 1_000 - 54);
		// It says that it does not even have it: the other half.
		open(0, LONG, 0, false);
		assert_eq!(wealth(0), 1_000 - 108);
		// Not twice.
		open(0, LONG, 0, false);
		assert_eq!(wealth(0), 1_000 - 108);
		restore(0, 1);
		assert_eq!(wealth(1), 1_000 + 54);
	});
}

#[test]
fn the_bounty_follows_the_bytes() {
	execute(|| {
		open(0, 64, 0, false);
		assert_eq!(wealth(0), 1_000 - 8);
		open(1, LONG / 2, 0, false);
		assert_eq!(wealth(0), 1_000 - 8 - 58);
	});
}

#[test]
fn what_was_not_restored_is_given_back() {
	execute(|| {
		open(0, LONG, 0, false);
		events();
		give_back(0);
		assert_eq!(wealth(0), 1_000);
		let returned =
			Event::BountyReturned { fragment: fragment(0), holder: MinerId(0), amount: 108 };
		assert_eq!(events(), [returned]);
		// Once.
		give_back(0);
		restore(0, 1);
		assert_eq!((wealth(0), wealth(1), events().len()), (1_000, 1_000, 0));
	});
}

#[test]
fn what_nobody_can_have_back_is_nobodys() {
	execute(|| {
		open(0, LONG, 0, false);
		MockMiners::remove(0);
		give_back(0);
		assert_eq!((Pledged::<Test>::get(), unearned()), (0, 108));
		// The same where the restorer has gone.
		open(1, LONG, 1, false);
		restore(1, 2);
		MockMiners::remove(2);
		pass(50);
		assert_ok!(Rewards::collect(signed(BOB), fragment(1)));
		assert_eq!((Pledged::<Test>::get(), unearned()), (0, 108 + 54));
	});
}

#[test]
fn no_more_is_taken_than_is_there() {
	execute(|| {
		Balances::set_balance(&MockMiners::stash(0), 10 + 21);
		open(0, LONG, 0, false);
		assert_eq!(Pledged::<Test>::get(), 21);
		open(1, LONG, 0, false);
		assert_eq!(Pledged::<Test>::get(), 21);
		restore(0, 1);
		restore(1, 2);
		pass(50);
		poll();
		assert_eq!((wealth(1), wealth(2)), (1_000 + 21, 1_000));
	});
}

#[test]
fn what_did_not_stay_is_forfeited() {
	execute(|| {
		open(0, LONG, 0, false);
		restore(0, 1);
		pass(20);
		open(0, LONG, 1, false);
		assert_eq!(wealth(1), 1_000 + 54 - 108);
		assert_eq!(unearned(), 54);
		restore(0, 2);
		// The first one's time comes, which is not the second one's.
		pass(30);
		poll();
		assert_eq!(wealth(2), 1_000 + 54);
		pass(20);
		poll();
		assert_eq!(wealth(2), 1_000 + 108);
	});
}

#[test]
fn what_is_due_is_paid_though_it_is_lost_again() {
	execute(|| {
		open(0, LONG, 0, false);
		restore(0, 1);
		pass(50);
		open(0, LONG, 1, false);
		assert_eq!(wealth(1), 1_000 + 108 - 108);
	});
}

/// Whoever fails and restores with other identities of its own, in whatever order, ends up with no
/// more than it began with.
#[test]
fn many_identities_gain_nothing() {
	execute(|| {
		let all = |miners: std::ops::Range<u32>| miners.map(wealth).sum::<Balance>();
		let before = all(0..MINERS);
		let mut holder = 0;
		for round in 0..40u32 {
			let next = (holder + 1 + round % 3) % MINERS;
			open(0, LONG, holder, round % 4 == 1);
			if round % 5 == 2 {
				give_back(0);
			} else {
				restore(0, next);
				holder = next;
			}
			pass(round * 7 % 60);
			poll();
			assert!(all(0..MINERS) <= before, "in round {round}");
		}
		pass(60);
		poll();
		// Whoever could not keep it has even lost something.
		assert!(all(0..MINERS) < before);
		assert_eq!(Pledged::<Test>::get(), 0);
	});
}

#[test]
fn who_owns_what_is_lost_has_the_collateral_for_it() {
	execute(|| {
		let compensate = |n, holder: Option<u32>| {
			<Rewards as Bounties<_>>::compensate(fragment(n), LONG, holder.map(MinerId), &BOB);
		};
		open(0, LONG, 0, false);
		events();
		compensate(0, None);
		assert_eq!(wealth(0), 1_000 - 128);
		assert_eq!(Balances::free_balance(BOB), RICH + 128);
		let (fragment, holder) = (fragment(0), MinerId(0));
		assert_eq!(events(), [Event::Compensated { fragment, holder, to: BOB, amount: 108 }]);
		// Nothing is left for whoever brings it back, or for the holder.
		restore(0, 1);
		give_back(0);
		assert_eq!((wealth(0), wealth(1), Pledged::<Test>::get()), (1_000 - 128, 1_000, 0));
		// Without a bounty the holder pays it all, and where there is none nobody.
		compensate(1, Some(2));
		compensate(2, None);
		assert_eq!((wealth(2), Balances::free_balance(BOB)), (1_000 - 128, RICH + 256));
	});
}
