// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who ends a claim before its deadline lets others come first.

use super::{each, lean, standard};
use crate::{AgendaTasks, Bans, Error, Params, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{Clock, FileState, Standing};
use planaria_primitives::{FragmentId, MinerId, Tick, sampling};

/// An order that miner 9 has claimed now.
fn claimed() -> (TestFile, FragmentId) {
	let file = lean();
	let fragment = file.fragment(0, 1);
	assert_ok!(Restore::open(by(1), list([fragment])));
	assert_ok!(Restore::claim(by(9), list([fragment])));
	(file, fragment)
}

fn give_back(fragment: FragmentId) {
	assert_ok!(Restore::give_back(by(9), list([fragment])));
}

fn assert_banned(fragment: FragmentId) {
	assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Banned);
	assert_eq!(may_take(9, fragment), Err(Error::<Test>::Banned.into()));
}

#[test]
fn who_gives_back_cannot_claim_again_in_the_same_block_and_others_can() {
	execute(|| {
		let (_, fragment) = claimed();
		give_back(fragment);
		assert_banned(fragment);
		assert_eq!(may_take(8, fragment), Ok(()));
		assert_ok!(Restore::claim(by(8), list([fragment])));
		assert_eq!(collateral(9), Miner::default().collateral);
	});
}

#[test]
fn who_declines_neither() {
	execute(|| {
		let (file, fragment) = claimed();
		assert_ok!(Restore::decline(by(9), list([fragment])));
		assert_noop!(Restore::claim(by(9), list([fragment])), Error::<Test>::Declined);
		// Nor another fragment of the segment.
		let sibling = file.fragment(0, 2);
		assert_ok!(Restore::open(by(2), list([sibling])));
		assert_banned(sibling);
		assert_ok!(Restore::claim(by(8), list([fragment])));
	});
}

#[test]
fn the_longer_a_claim_was_kept_the_longer_others_come_first() {
	for (kept, ban) in [(0, 3), (1, 5), (9, 25), (18, 48), (PERIOD - 1, BAN), (PERIOD, BAN)] {
		execute(|| {
			let (_, fragment) = claimed();
			blocks(kept);
			give_back(fragment);
			let until = Ticks::get() + ban;
			assert_eq!(Bans::<Test>::get(MinerId(9), fragment.segment), Some(until));
			assert_banned(fragment);
			blocks(ban);
			assert_banned(fragment);
			next_block();
			assert_ok!(Restore::claim(by(9), list([fragment])));
		});
	}
}

#[test]
fn a_ban_is_never_longer_than_its_period_nor_does_it_overflow() {
	let longest = Params::<u64>::MAX_PERIOD;
	for period in [7, 20, longest] {
		let params =
			Params::<u64> { claim_period: period, ban_period: longest, ..Default::default() };
		assert_eq!((params.ban(0), params.ban(1)), (longest, longest));
		assert!(params.ban(period) >= longest / period);
		// A claim of before the period became shorter.
		assert_eq!(params.ban(Tick::MAX), params.ban(period));
	}
	// Even then it is for this tick.
	execute(|| {
		let params = Params { ban_period: 0, ..crate::Parameters::<Test>::get() };
		assert_ok!(Restore::set_params(RuntimeOrigin::root(), params));
		let (_, fragment) = claimed();
		give_back(fragment);
		assert_banned(fragment);
		next_block();
		assert_ok!(Restore::claim(by(9), list([fragment])));
	});
}

#[test]
fn another_order_for_the_fragment_changes_nothing() {
	execute(|| {
		let (file, fragment) = claimed();
		give_back(fragment);
		let at = System::block_number();
		let beacon = World::beacon_at(at).expect("known");
		let chunk = sampling::chunk(&beacon, &fragment, file.spec.chunks(0));
		assert_ok!(Restore::cancel(by(1), fragment, at, file.proof_of(fragment, chunk)));
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_banned(fragment);
	});
	execute(|| {
		let fragment = lean().fragment(0, 1);
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::open(by(9), list([fragment])));
		give_back(fragment);
		set_standing(1, Standing::Serving);
		assert_ok!(Restore::tidy(by(5), list([fragment])));
		set_standing(1, Standing::Absent);
		assert_noop!(Restore::open(by(9), list([fragment])), Error::<Test>::Banned);
		assert_eq!(may_take(9, fragment), Err(Error::<Test>::Banned.into()));
		assert_ok!(Restore::open(by(8), list([fragment])));
	});
}

#[test]
fn bans_are_removed_together_when_the_longest_would_be_over() {
	execute(|| {
		let files = standard(2);
		let fragments = each(&files, 1);
		assert_ok!(Restore::open(by(1), list([fragments[0], fragments[1]])));
		assert_ok!(Restore::claim(by(20), list([fragments[0]])));
		blocks(7);
		assert_ok!(Restore::claim(by(20), list([fragments[1]])));
		assert_ok!(Restore::give_back(by(20), list([fragments[0], fragments[1]])));
		assert_eq!(Bans::<Test>::iter().count(), 2);
		blocks(BAN);
		assert_eq!(Bans::<Test>::iter().count(), 2);
		next_block();
		assert_eq!(Bans::<Test>::iter().count(), 0);
		assert_eq!(AgendaTasks::<Test>::iter().count(), 0);
	});
}

#[test]
fn the_end_of_an_earlier_ban_does_not_end_a_later_one() {
	execute(|| {
		let (_, fragment) = claimed();
		give_back(fragment);
		blocks(BAN - 6);
		assert_ok!(Restore::claim(by(9), list([fragment])));
		blocks(5);
		give_back(fragment);
		let until = Bans::<Test>::get(MinerId(9), fragment.segment).expect("banned");
		// Meanwhile the agenda has come to the first one.
		blocks(until - Ticks::get());
		assert_banned(fragment);
		next_block();
		assert_eq!(may_take(9, fragment), Ok(()));
		blocks(BAN);
		assert_eq!(Bans::<Test>::iter().count(), 0);
	});
}

#[test]
fn what_is_gone_bans_nobody() {
	execute(|| {
		let (file, fragment) = claimed();
		file.set_state(FileState::Deleting);
		give_back(fragment);
		assert_eq!(Bans::<Test>::iter().count(), 0);
	});
}
