// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Fragments that somebody names.

use super::*;
use crate::{Challenges, Error, Event, MAX_REQUESTS, RequestRange, Requests, SEED_DELAY};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{FragmentId, MinerId, SegmentId};
use sp_runtime::{DispatchError, TokenError};

fn name(who: u64, fragment: FragmentId) -> frame_support::dispatch::DispatchResult {
	Audit::challenge(signed(who), fragment)
}

#[test]
fn a_named_fragment_is_challenged_two_blocks_later() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(name(DAVE, fragment));
		let miner = MinerId(1);
		assert_eq!(events(), [Event::Named { fragment, miner, by: DAVE }]);
		assert_eq!((held(DAVE), record(1).named, record(1).open), (PARAMS.deposit, 1, 0));
		blocks(SEED_DELAY - 1);
		assert_eq!(Challenges::<Test>::iter().count(), 0);
		next_block();
		let challenge = challenge_of(fragment).expect("challenged");
		let (chunk, deadline) = (challenge.chunk, challenge.deadline);
		assert_eq!(deadline, Ticks::get() + PARAMS.answer_period);
		assert_eq!(events(), [Event::Challenged { miner, fragment, chunk, deadline }]);
		assert_eq!((record(1).named, record(1).open), (1, 1));
	});
}

#[test]
fn the_deposit_goes_to_the_miner_that_passes() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		events();
		answer(1, vec![file.answer(fragment)]);
		let (miner, amount) = (MinerId(1), PARAMS.deposit);
		assert_eq!(
			events(),
			[Event::DepositPaid { by: DAVE, miner, amount }, Event::Answered { miner, count: 1 },]
		);
		assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, RICH - PARAMS.deposit));
		assert_eq!(Balances::free_balance(payee(1)), PARAMS.deposit);
		assert!(record(1).is_clean());
		// Its deadline means nothing any more.
		blocks(20);
		assert_eq!((events(), record(1).strikes), (vec![], 0));
	});
}

#[test]
fn the_deposit_returns_with_a_reward_where_the_miner_fails() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		events();
		blocks(PARAMS.answer_period);
		assert_eq!(events(), []);
		next_block();
		let miner = MinerId(1);
		let (amount, reward) = (PARAMS.deposit, PARAMS.reward);
		let level = crate::Level::Warned;
		assert_eq!(
			events(),
			[
				Event::Failed { miner, fragment },
				Event::DepositReturned { by: DAVE, amount, reward },
				Event::Struck { miner, strikes: 1, level, slashed: 0 },
			]
		);
		assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, RICH + reward));
		assert_eq!(taken(1), reward);
		assert!(is_restoring(fragment));
	});
}

#[test]
fn the_reward_is_paid_once_per_strike() {
	execute(|| {
		let file = standard(1);
		let more = TestFile::new(2, 1000, CodingParams::LEAN).store(&[3, 4, 5]);
		assert_ok!(name(ERIN, file.fragment(0, 3)));
		assert_ok!(name(DAVE, more.fragment(0, 0)));
		blocks(SEED_DELAY + PARAMS.answer_period + 1);
		assert_eq!((taken(3), record(3).strikes), (PARAMS.reward, 1));
		assert_eq!(Balances::free_balance(ERIN), RICH + PARAMS.reward);
		// The other one was found out, too, and has its deposit back.
		assert_eq!(Balances::free_balance(DAVE), RICH);
		assert!(is_restoring(more.fragment(0, 0)));
	});
}

#[test]
fn what_cannot_be_named() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		let nowhere = FragmentId { segment: SegmentId(99), index: 0 };
		assert_noop!(name(DAVE, nowhere), Error::<Test>::FragmentNotFound);
		assert_noop!(name(DAVE, file.fragment(0, 3)), Error::<Test>::FragmentNotFound);
		assert_noop!(name(DAVE, file.fragment(0, 255)), Error::<Test>::FragmentNotFound);
		assert_noop!(Audit::challenge(RuntimeOrigin::none(), fragment), DispatchError::BadOrigin);
		assert_noop!(name(9_999, fragment), TokenError::FundsUnavailable);

		for away in [Standing::Absent, EXPELLED] {
			set_standing(1, away);
			assert_noop!(name(DAVE, fragment), Error::<Test>::HolderAway);
		}
		set_standing(1, Standing::Serving);
		file.set_state(FileState::Deleting);
		assert_noop!(name(DAVE, fragment), Error::<Test>::FileGone);
		file.set_state(FileState::Pending);

		let mut segment = Segments::get(file.first).expect("stored");
		segment.restoring = 0b010;
		Segments::insert(file.first, segment.clone());
		assert_noop!(name(DAVE, fragment), Error::<Test>::BeingRestored);
		(segment.restoring, segment.confirmed) = (0, 0b101);
		Segments::insert(file.first, segment.clone());
		assert_noop!(name(DAVE, fragment), Error::<Test>::NotConfirmed);
		segment.confirmed = 0b111;
		segment.holders.set(1, MinerId::NOBODY);
		Segments::insert(file.first, segment.clone());
		assert_noop!(name(DAVE, fragment), Error::<Test>::HolderAway);
		segment.holders.set(1, MinerId(1));
		Segments::insert(file.first, segment);

		named(fragment);
		assert_noop!(name(ERIN, fragment), Error::<Test>::AlreadyChallenged);
	});
}

#[test]
fn so_many_are_named_of_a_miner_at_most() {
	execute(|| {
		let files: Vec<_> = (0..4).map(standard).collect();
		for file in &files[..3] {
			assert_ok!(name(DAVE, file.fragment(0, 3)));
		}
		let last = files[3].fragment(0, 3);
		assert_noop!(name(DAVE, last), Error::<Test>::TooManyNamed);
		blocks(SEED_DELAY);
		assert_noop!(name(DAVE, last), Error::<Test>::TooManyNamed);
		assert_ok!(name(DAVE, files[3].fragment(0, 4)));
		answer(3, vec![files[0].answer(files[0].fragment(0, 3))]);
		assert_ok!(name(DAVE, last));
	});
}

#[test]
fn what_two_have_named_is_asked_for_once() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(name(DAVE, fragment));
		assert_ok!(name(ERIN, fragment));
		assert_eq!(record(1).named, 2);
		events();
		blocks(SEED_DELAY);
		assert_eq!((held(DAVE), held(ERIN)), (PARAMS.deposit, 0));
		let miner = MinerId(1);
		let (amount, reward) = (PARAMS.deposit, 0);
		assert_eq!(
			events()[1..],
			[
				Event::DepositReturned { by: ERIN, amount, reward },
				Event::Lapsed { miner, fragment },
			]
		);
		assert_eq!((record(1).named, record(1).open), (1, 1));
	});
}

#[test]
fn a_request_lapses_where_the_holder_has_changed() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(name(DAVE, fragment));
		let mut segment = Segments::get(file.first).expect("stored");
		segment.holders.set(1, MinerId(50));
		Segments::insert(file.first, segment);
		blocks(SEED_DELAY);
		assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, RICH));
		assert!(record(1).is_clean() && record(50).is_clean());
		assert_eq!(Requests::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_challenge_lapses_where_it_has_lost_its_meaning() {
	let changes: [fn(&TestFile); 5] = [
		|file| remove_segment(file.first),
		|file| file.set_state(FileState::Deleting),
		|_| set_standing(1, Standing::Absent),
		|_| set_standing(1, EXPELLED),
		|file| {
			let mut segment = Segments::get(file.first).expect("stored");
			segment.holders.set(1, MinerId(50));
			Segments::insert(file.first, segment);
		},
	];
	for change in changes {
		execute(|| {
			let file = lean();
			let fragment = file.fragment(0, 1);
			named(fragment);
			change(&file);
			events();
			blocks(PARAMS.answer_period + 1);
			let (amount, miner) = (PARAMS.deposit, MinerId(1));
			assert_eq!(
				events(),
				[
					Event::DepositReturned { by: DAVE, amount, reward: 0 },
					Event::Lapsed { miner, fragment },
				]
			);
			assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, RICH));
			assert!(record(1).is_clean() && !is_restoring(fragment));
		});
	}
}

#[test]
fn the_queue_takes_no_more_than_it_may() {
	execute(|| {
		let file = lean();
		let (first, _) = RequestRange::<Test>::get();
		RequestRange::<Test>::put((first, first + MAX_REQUESTS));
		assert_noop!(name(DAVE, file.fragment(0, 1)), Error::<Test>::TooManyRequests);
		RequestRange::<Test>::put((first, first));
	});
}

#[test]
fn a_payee_that_is_no_account_does_not_keep_the_deposit() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		crate::Parameters::<Test>::mutate(|params| params.deposit = 0);
		named(fragment);
		answer(1, vec![file.answer(fragment)]);
		assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, RICH));
		assert!(record(1).is_clean());
	});
}
