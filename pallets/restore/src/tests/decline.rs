// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Declining orders, and disputed ones.

use super::{each, lean, standard};
use crate::{Bans, Error, Event, MAX_DECLINES, OrderState, Orders, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::FileState;
use planaria_primitives::{FragmentId, MinerId};

/// An unclaimed order.
fn opened() -> (TestFile, FragmentId) {
	let file = lean();
	let fragment = file.fragment(0, 1);
	assert_ok!(Restore::open(by(1), list([fragment])));
	events();
	(file, fragment)
}

fn claim(miner: u32, fragment: FragmentId) {
	assert_ok!(Restore::claim(by(miner), list([fragment])));
}

fn decline(miner: u32, fragment: FragmentId) {
	claim(miner, fragment);
	assert_ok!(Restore::decline(by(miner), list([fragment])));
}

/// An order that three miners, 20 to 22, have declined.
fn disputed() -> (TestFile, FragmentId) {
	let (file, fragment) = opened();
	(20..23).for_each(|miner| decline(miner, fragment));
	events();
	(file, fragment)
}

#[test]
fn it_costs_nothing_and_the_order_is_not_for_this_miner_any_more() {
	execute(|| {
		let (_, fragment) = opened();
		claim(9, fragment);
		events();
		assert_ok!(Restore::decline(by(9), list([fragment])));
		assert_eq!(events(), [Event::OrderDeclined { fragment, by: MinerId(9) }]);
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		assert_eq!(miner(9), Miner::default());
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Declined);
		assert_eq!(may_take(9, fragment), Err(Error::<Test>::Declined.into()));
		// Nor after a long time; but for others.
		blocks(10 * PERIOD);
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Declined);
		claim(8, fragment);
	});
}

#[test]
fn the_next_order_for_the_fragment_is_another_one() {
	execute(|| {
		let (file, fragment) = opened();
		decline(9, fragment);
		claim(8, fragment);
		ready(8, &[fragment]);
		blocks(crate::SEED_DELAY);
		report(8, proofs(8, &[&file]));
		assert_ok!(Restore::open(by(8), list([fragment])));
		// That it declined the other one does not count, that it had it does for a while.
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Banned);
		blocks(2);
		claim(9, fragment);
	});
}

#[test]
fn only_a_running_claim_that_is_not_in_a_batch_is_declined() {
	execute(|| {
		let (_, fragment) = opened();
		let decline = |who| Restore::decline(by(who), list([fragment]));
		assert_noop!(decline(9), Error::<Test>::NotClaimer);
		claim(9, fragment);
		assert_noop!(decline(8), Error::<Test>::NotClaimer);
		let stranger = Restore::decline(RuntimeOrigin::signed(5), list([fragment]));
		assert_noop!(stranger, Error::<Test>::NotAMiner);
		assert_noop!(Restore::decline(by(9), list([])), Error::<Test>::NoItems);
		ready(9, &[fragment]);
		assert_noop!(decline(9), Error::<Test>::InBatch);
		ready(9, &[]);
		blocks_without_agenda(PERIOD + 1);
		assert_noop!(decline(9), Error::<Test>::DeadlinePassed);
	});
}

#[test]
fn an_item_that_fails_leaves_the_others_alone() {
	execute(|| {
		let files = standard(2);
		let fragments = each(&files, 1);
		assert_ok!(Restore::open(by(1), list([fragments[0], fragments[1]])));
		claim(20, fragments[1]);
		events();
		assert_ok!(Restore::decline(by(20), list([fragments[0], fragments[1]])));
		let error = Error::<Test>::NotClaimer.into();
		assert_eq!(
			events(),
			[
				Event::ItemFailed { miner: MinerId(20), index: 0, error },
				Event::OrderDeclined { fragment: fragments[1], by: MinerId(20) },
			]
		);
	});
}

#[test]
fn after_three_declines_the_order_is_disputed() {
	execute(|| {
		let (_, fragment) = opened();
		decline(20, fragment);
		decline(21, fragment);
		assert!(!Orders::<Test>::get(fragment).expect("open").is_disputed());
		claim(22, fragment);
		events();
		assert_ok!(Restore::decline(by(22), list([fragment])));
		assert_eq!(
			events(),
			[Event::OrderDeclined { fragment, by: MinerId(22) }, Event::OrderDisputed { fragment },]
		);
		let order = Orders::<Test>::get(fragment).expect("open");
		assert!(order.is_disputed());
		assert_eq!(order.declined.len(), MAX_DECLINES as usize);
		// It is not disputed twice, and no more are recorded.
		decline(23, fragment);
		assert!(!events().contains(&Event::OrderDisputed { fragment }));
		assert_noop!(Restore::claim(by(23), list([fragment])), Error::<Test>::Banned);
		blocks(4);
		claim(23, fragment);
	});
}

#[test]
fn a_disputed_order_expires_without_a_penalty_and_others_come_first() {
	execute(|| {
		let (_, fragment) = disputed();
		claim(9, fragment);
		events();
		blocks(PERIOD + 1);
		assert_eq!(events(), [Event::ClaimExpired { fragment, by: MinerId(9), penalty: 0 }]);
		assert_eq!(miner(9), Miner::default());
		assert_eq!(Orders::<Test>::get(fragment).expect("open").expiries, 0);
		// Else one miner could have it for ever, and for nothing.
		let until = Ticks::get() + BAN;
		assert_eq!(Bans::<Test>::get(MinerId(9), fragment.segment), Some(until));
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Banned);
		claim(8, fragment);
		blocks(BAN + 1);
		claim(9, fragment);
	});
}

#[test]
fn a_disputed_order_is_reported_like_any_other() {
	execute(|| {
		let (file, fragment) = disputed();
		claim(9, fragment);
		ready(9, &[fragment]);
		blocks(crate::SEED_DELAY);
		report(9, proofs(9, &[&file]));
		assert_eq!(holder(fragment), Some(MinerId(9)));
	});
}

#[test]
fn a_claim_that_had_expired_before_the_dispute_pays() {
	execute(|| {
		let (_, fragment) = opened();
		decline(20, fragment);
		decline(21, fragment);
		claim(9, fragment);
		blocks_without_agenda(PERIOD + 1);
		// The next claimer ends it first.
		decline(22, fragment);
		assert_eq!(collateral(9), Miner::default().collateral - PENALTY);
	});
}

#[test]
fn a_claim_on_a_file_that_is_gone_can_be_declined() {
	execute(|| {
		let (file, fragment) = opened();
		claim(9, fragment);
		file.set_state(FileState::Deleting);
		assert_ok!(Restore::decline(by(9), list([fragment])));
		assert_eq!(miner(9), Miner::default());
	});
}
