// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What becomes of a claim whose deadline has passed.

use super::{each, lean, standard};
use crate::{AgendaTasks, Bans, Error, Event, MAX_DOUBLINGS, OrderState, Params, mock::*};
use frame_support::{assert_noop, assert_ok, dispatch::Pays, traits::OnPoll, weights::WeightMeter};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{FragmentId, MinerId};

const FULL: u64 = 1_000_000;

fn claimed(claimer: u32) -> (TestFile, FragmentId) {
	let file = lean();
	let fragment = file.fragment(0, 1);
	assert_ok!(Restore::open(by(1), list([fragment])));
	assert_ok!(Restore::claim(by(claimer), list([fragment])));
	events();
	(file, fragment)
}

#[test]
fn the_agenda_ends_it_the_tick_after_its_deadline() {
	execute(|| {
		let (_, fragment) = claimed(9);
		blocks(PERIOD);
		assert!(matches!(state(fragment), Some(OrderState::Claimed { .. })));
		assert_eq!(events(), []);
		next_block();
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		let expired = Event::ClaimExpired { fragment, by: MinerId(9), penalty: PENALTY };
		assert_eq!(events(), [expired]);
		assert_eq!(miner(9), Miner { collateral: FULL - PENALTY, ..Default::default() });
	});
}

#[test]
fn the_next_claimer_ends_it_where_the_agenda_is_late() {
	execute(|| {
		let (_, fragment) = claimed(9);
		blocks_without_agenda(PERIOD + 1);
		assert_ok!(Restore::claim(by(8), list([fragment])));
		let deadline = 1 + PERIOD + 1 + PERIOD;
		assert_eq!(
			events(),
			[
				Event::ClaimExpired { fragment, by: MinerId(9), penalty: PENALTY },
				Event::OrderClaimed { fragment, by: MinerId(8), deadline },
			]
		);
		// The agenda comes to the first claim's end: that is over, and the second runs.
		next_block();
		assert_eq!(state(fragment), Some(OrderState::Claimed { by: MinerId(8), deadline }));
		assert_eq!((collateral(9), collateral(8)), (FULL - PENALTY, FULL));
	});
}

#[test]
fn anybody_ends_it_by_tidying_up_once() {
	execute(|| {
		let (_, fragment) = claimed(9);
		let tidy = || Restore::tidy(RuntimeOrigin::signed(5), list([fragment]));
		assert_noop!(tidy(), Error::<Test>::NothingToTidy);
		blocks_without_agenda(PERIOD);
		assert_noop!(tidy(), Error::<Test>::NothingToTidy);
		blocks_without_agenda(1);
		assert_ok!(tidy());
		assert_noop!(tidy(), Error::<Test>::NothingToTidy);
		next_block();
		assert_eq!(collateral(9), FULL - PENALTY);
		assert_noop!(Restore::tidy(by(5), list([])), Error::<Test>::NoItems);
	});
}

#[test]
fn tidying_up_is_free_where_all_of_it_was_due() {
	execute(|| {
		let files = standard(2);
		let fragments = each(&files, 1);
		let both = || list([fragments[0], fragments[1]]);
		assert_ok!(Restore::open(by(1), both()));
		assert_ok!(Restore::claim(by(20), list([fragments[0]])));
		let untidy = || [0, 1].map(|n| Restore::is_untidy(fragments[n]));
		assert_eq!(untidy(), [false, false]);
		blocks_without_agenda(PERIOD + 1);
		assert_eq!(untidy(), [true, false]);
		let info = Restore::tidy(by(5), both()).expect("one was due");
		assert_eq!((info.pays_fee, untidy()), (Pays::Yes, [false, false]));

		assert_ok!(Restore::claim(by(21), both()));
		blocks_without_agenda(PERIOD + 1);
		assert_eq!(untidy(), [true, true]);
		let info = Restore::tidy(by(5), both()).expect("both were due");
		assert_eq!((info.pays_fee, untidy()), (Pays::No, [false, false]));
	});
}

#[test]
fn who_let_a_claim_expire_is_banned_from_the_segment() {
	execute(|| {
		let files = standard(2);
		let (a, b) = (files[0].fragment(0, 1), files[0].fragment(0, 2));
		let other = files[1].fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([a, other])));
		assert_ok!(Restore::open(by(2), list([b])));
		assert_ok!(Restore::claim(by(20), list([a])));
		blocks(PERIOD + 1);
		let expired = Ticks::get();
		assert_noop!(Restore::claim(by(20), list([a])), Error::<Test>::Banned);
		assert_noop!(Restore::claim(by(20), list([b])), Error::<Test>::Banned);
		// Other segments are open to it.
		assert_ok!(Restore::claim(by(20), list([other])));
		assert_ok!(Restore::give_back(by(20), list([other])));
		blocks_without_agenda(expired + BAN - Ticks::get());
		assert_noop!(Restore::claim(by(20), list([b])), Error::<Test>::Banned);
		blocks_without_agenda(1);
		assert_ok!(Restore::claim(by(20), list([b])));
	});
}

#[test]
fn a_ban_is_removed_when_it_is_over() {
	execute(|| {
		claimed(9);
		blocks(PERIOD + 1);
		assert_eq!(Bans::<Test>::iter().count(), 1);
		blocks(BAN);
		assert_eq!(Bans::<Test>::iter().count(), 1);
		next_block();
		assert_eq!(Bans::<Test>::iter().count(), 0);
		assert_eq!(AgendaTasks::<Test>::iter().count(), 0);
	});
}

#[test]
fn the_penalty_doubles_with_each_expiry_of_the_order() {
	execute(|| {
		let (_, fragment) = claimed(9);
		blocks(PERIOD + 1);
		for claimer in 20..30 {
			assert_ok!(Restore::claim(by(claimer), list([fragment])));
			blocks(PERIOD + 1);
			let doublings = (claimer - 19).min(u32::from(MAX_DOUBLINGS));
			assert_eq!(FULL - collateral(claimer), PENALTY << doublings);
		}
	});
}

#[test]
fn no_penalty_overflows() {
	let params = Params { claim_penalty: u64::MAX / 2, ..Default::default() };
	assert_eq!(params.penalty(0), u64::MAX / 2);
	assert_eq!(params.penalty(255), u64::MAX);
	assert_eq!(Params { claim_penalty: 3u64, ..params }.penalty(255), 3 * 64);
}

#[test]
fn a_penalty_takes_what_is_there() {
	execute(|| {
		let (_, fragment) = claimed(9);
		change(MinerId(9), |m| m.collateral = 30);
		blocks(PERIOD + 1);
		assert_eq!(collateral(9), 0);
		assert_eq!(events(), [Event::ClaimExpired { fragment, by: MinerId(9), penalty: 30 }]);
	});
}

#[test]
fn nobody_pays_for_a_file_that_is_gone() {
	execute(|| {
		let (file, fragment) = claimed(9);
		file.set_state(FileState::Deleting);
		blocks(PERIOD + 1);
		assert_eq!(miner(9), Miner::default());
		assert_eq!(Bans::<Test>::iter().count(), 0);
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
	});
}

#[test]
fn what_expires_in_vain_is_void() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::open(by(9), list([fragment])));
		set_standing(1, Standing::Serving);
		events();
		blocks(PERIOD + 1);
		assert_eq!(
			events(),
			[
				Event::ClaimExpired { fragment, by: MinerId(9), penalty: PENALTY },
				Event::OrderVoided { fragment },
			]
		);
		assert_eq!(state(fragment), None);
	});
}

#[test]
fn no_item_of_a_claim_that_fails_has_an_effect() {
	execute(|| {
		let (_, fragment) = claimed(9);
		blocks_without_agenda(PERIOD + 1);
		// Miner 2 holds a sibling: its claim fails, and so it is not the one to end the first.
		assert_noop!(Restore::claim(by(2), list([fragment])), Error::<Test>::HoldsSibling);
		// The first claimer cannot have it again.
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Banned);
		assert_eq!(collateral(9), FULL);
	});
}

#[test]
fn the_agenda_keeps_to_its_weight_and_goes_on_later() {
	execute(|| {
		let files = standard(20);
		let fragments = each(&files, 1);
		let all = || frame_support::BoundedVec::truncate_from(fragments.clone());
		assert_ok!(Restore::open(by(1), all()));
		assert_ok!(Restore::claim(by(20), all()));
		// 20 tasks at 8 per tick spill over to the next two.
		assert_eq!(AgendaTasks::<Test>::iter().count(), 3);
		blocks_without_agenda(PERIOD + 1);
		let unclaimed =
			|| fragments.iter().filter(|f| state(**f) == Some(OrderState::Unclaimed)).count();
		let one = <() as crate::WeightInfo>::agenda_tick().saturating_mul(u64::from(PERIOD) + 3);
		let limit = one.saturating_add(Restore::task_weight());
		let mut meter = WeightMeter::with_limit(limit);
		<Restore as OnPoll<u32>>::on_poll(1, &mut meter);
		assert!(meter.consumed().all_lte(limit));
		assert!((1..8).contains(&unclaimed()), "{}", unclaimed());
		let mut none = WeightMeter::with_limit(Default::default());
		<Restore as OnPoll<u32>>::on_poll(1, &mut none);
		blocks(3);
		assert_eq!(unclaimed(), 20);
		assert_eq!(FULL - collateral(20), 20 * PENALTY);
	});
}
