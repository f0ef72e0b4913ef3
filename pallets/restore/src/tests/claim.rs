// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Claiming, giving back.

use super::{each, lean, standard};
use crate::{Error, Event, OrderState, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::MinerId;

#[test]
fn a_claim_reserves_the_bytes_until_its_deadline() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		blocks(3);
		events();
		assert_ok!(Restore::claim(by(9), list([fragment])));
		let deadline = 4 + PERIOD;
		assert_eq!(state(fragment), Some(OrderState::Claimed { by: MinerId(9), deadline }));
		assert_eq!(miner(9).reserved, 4096);
		assert_eq!(Restore::claims_of(MinerId(9)).collect::<Vec<_>>(), [fragment]);
		assert_eq!(events(), [Event::OrderClaimed { fragment, by: MinerId(9), deadline }]);
	});
}

#[test]
fn one_claimer_at_a_time() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		let claim = |who| Restore::claim(by(who), list([fragment]));
		assert_noop!(claim(9), Error::<Test>::OrderNotFound);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_ok!(claim(9));
		assert_noop!(claim(8), Error::<Test>::AlreadyClaimed);
		assert_noop!(claim(9), Error::<Test>::AlreadyClaimed);
		// To the last tick of the claim.
		blocks(PERIOD);
		assert_noop!(claim(8), Error::<Test>::AlreadyClaimed);
		blocks_without_agenda(1);
		assert_ok!(claim(8));
	});
}

#[test]
fn nobody_gets_two_fragments_of_a_segment() {
	execute(|| {
		let file = &standard(1)[0];
		let (a, b) = (file.fragment(0, 1), file.fragment(0, 2));
		assert_ok!(Restore::open(by(1), list([a])));
		assert_ok!(Restore::open(by(2), list([b])));
		assert_noop!(Restore::claim(by(1), list([a])), Error::<Test>::OwnFragment);
		assert_noop!(Restore::claim(by(1), list([b])), Error::<Test>::HoldsSibling);
		assert_noop!(Restore::claim(by(5), list([b])), Error::<Test>::HoldsSibling);
		// Of two at once only the first.
		assert_ok!(Restore::claim(by(20), list([a, b])));
		assert_eq!(state(b), Some(OrderState::Unclaimed));
		assert_noop!(Restore::claim(by(20), list([b])), Error::<Test>::ClaimsSibling);
		// Who had one is not the first to have the other.
		assert_ok!(Restore::give_back(by(20), list([a])));
		assert_noop!(Restore::claim(by(20), list([b])), Error::<Test>::Banned);
		blocks(4);
		assert_ok!(Restore::claim(by(20), list([b])));
	});
}

#[test]
fn only_who_takes_data_and_has_the_room_claims() {
	execute(|| {
		let files = standard(3);
		let fragments = each(&files, 1);
		assert_ok!(Restore::open(by(1), list([fragments[0], fragments[1], fragments[2]])));
		for standing in
			[Standing::Suspended, Standing::Absent, Standing::Leaving { expelled: false }]
		{
			set_standing(20, standing);
			assert!(Restore::claim(by(20), list([fragments[0]])).is_err());
		}
		set_standing(20, Standing::Serving);
		change(MinerId(20), |m| m.room = 2 * 4096 - 1);
		assert_ok!(Restore::claim(by(20), list([fragments[0], fragments[1]])));
		assert_eq!(miner(20).claims, 1);
		change(MinerId(21), |m| m.claim_limit = 1);
		assert_ok!(Restore::claim(by(21), list([fragments[1], fragments[2]])));
		assert_eq!(miner(21).claims, 1);
		assert_noop!(
			Restore::claim(RuntimeOrigin::signed(5), list([fragments[2]])),
			Error::<Test>::NotAMiner
		);
		files[2].set_state(FileState::Deleting);
		assert_noop!(Restore::claim(by(22), list([fragments[2]])), Error::<Test>::FileGone);
	});
}

#[test]
fn a_claim_is_given_back_without_a_penalty() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_ok!(Restore::claim(by(9), list([fragment])));
		assert_noop!(Restore::give_back(by(8), list([fragment])), Error::<Test>::NotClaimer);
		events();
		assert_ok!(Restore::give_back(by(9), list([fragment])));
		assert_eq!(events(), [Event::GivenBack { fragment, by: MinerId(9) }]);
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		assert_eq!(miner(9), Miner::default());
		assert_noop!(Restore::give_back(by(9), list([fragment])), Error::<Test>::NotClaimer);
		// Others may claim it at once, and soon the same miner too; the old deadline is of no concern.
		assert_eq!(may_take(8, fragment), Ok(()));
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Banned);
		blocks(PERIOD / 2);
		assert_ok!(Restore::claim(by(9), list([fragment])));
		blocks(PERIOD / 2 + 1);
		assert!(matches!(state(fragment), Some(OrderState::Claimed { .. })));
		assert_eq!(miner(9).collateral, Miner::default().collateral);
	});
}

#[test]
fn an_expired_claim_cannot_be_given_back() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_ok!(Restore::claim(by(9), list([fragment])));
		blocks_without_agenda(PERIOD + 1);
		assert_noop!(Restore::give_back(by(9), list([fragment])), Error::<Test>::DeadlinePassed);
	});
}

#[test]
fn what_is_in_a_batch_is_not_given_back() {
	execute(|| {
		let files = standard(2);
		let fragments = each(&files, 1);
		assert_ok!(Restore::open(by(1), list([fragments[0], fragments[1]])));
		assert_ok!(Restore::claim(by(20), list([fragments[0], fragments[1]])));
		ready(20, &fragments);
		assert_noop!(Restore::give_back(by(20), list([fragments[0]])), Error::<Test>::InBatch);
		// The seed is not known yet: to declare another batch costs nothing.
		ready(20, &fragments[1..]);
		assert_ok!(Restore::give_back(by(20), list([fragments[0]])));
		assert_eq!(miner(20).wrong, 0);
	});
}

#[test]
fn an_order_is_void_when_its_target_comes_back() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::open(by(9), list([fragment])));
		set_standing(1, Standing::Serving);
		// A claim is never touched before its deadline.
		let nothing = Error::<Test>::NothingToTidy;
		assert_noop!(Restore::tidy(by(50), list([fragment])), nothing);
		assert_ok!(Restore::give_back(by(9), list([fragment])));
		assert_noop!(Restore::claim(by(8), list([fragment])), Error::<Test>::OrderVoid);
		events();
		assert_ok!(Restore::tidy(RuntimeOrigin::signed(5), list([fragment])));
		assert_eq!(events(), [Event::OrderVoided { fragment }]);
		assert_eq!(state(fragment), None);
		assert_eq!(holder(fragment), Some(MinerId(1)));
	});
}

#[test]
fn an_order_stays_when_its_opener_was_away_and_comes_back() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		set_standing(1, Standing::Absent);
		set_standing(1, Standing::Serving);
		assert_noop!(Restore::tidy(by(50), list([fragment])), Error::<Test>::NothingToTidy);
		assert_ok!(Restore::claim(by(9), list([fragment])));
	});
}
