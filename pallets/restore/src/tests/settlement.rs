// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What becomes of the money for a segment that is lost.

use super::lean;
use crate::{Error, Event, LOSS_PERIODS, Settled, Verdicts, mock::*};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{MinerId, SegmentId};

const COUNTDOWN: u32 = LOSS_PERIODS * PERIOD;

/// What a fragment of `lean` has.
const BYTES: u64 = 4 * 1024;

/// Miners 0 and 1 do not have their fragments any more, and the segment is lost.
fn lost() -> (TestFile, SegmentId) {
	let file = lean();
	for index in [0, 1] {
		assert_ok!(Restore::open(by(index.into()), list([file.fragment(0, index)])));
	}
	blocks(COUNTDOWN + 1);
	assert_eq!(file.lost(), 1);
	let segment = file.fragment(0, 0).segment;
	(file, segment)
}

fn settle(segment: SegmentId) -> frame_support::dispatch::DispatchResultWithPostInfo {
	Restore::settle_loss(by(5), segment)
}

fn restore(file: &TestFile, index: u8, by: u32) {
	let fragment = file.fragment(0, index);
	assert_ok!(Restore::claim(self::by(by), list([fragment])));
	ready(by, &[fragment]);
	blocks(crate::SEED_DELAY);
	report(by, proofs(by, &[file]));
}

#[test]
fn who_should_have_it_pays_who_owns_it() {
	execute(|| {
		let (file, segment) = lost();
		blocks(SETTLEMENT - 1);
		assert_noop!(settle(segment), Error::<Test>::NotYetSettled);
		blocks(1);
		events();
		assert_eq!(settle(segment).map(|info| info.pays_fee), Ok(Pays::No));
		assert_eq!(events(), [Event::LossSettled { segment, owner: OWNER }]);
		let by_holder =
			|index: u8| (file.fragment(0, index), BYTES, Some(MinerId(index.into())), OWNER);
		// Not miner 2, which still has what it should.
		assert_eq!(compensations(), [by_holder(0), by_holder(1)]);
		assert!(written_off(segment));
		assert_noop!(settle(segment), Error::<Test>::AlreadySettled);
		// Nobody is paid for what he brings back now, and it is paid for again.
		restore(&file, 0, 9);
		assert_eq!((file.lost(), written_off(segment), paid().len()), (0, false, 0));
		assert!(!Settled::<Test>::contains_key(segment));
	});
}

#[test]
fn who_is_absent_pays_although_nobody_has_opened_an_order() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		(1..3).for_each(|miner| set_standing(miner, Standing::Absent));
		assert_ok!(Restore::check_segment(by(5), segment));
		blocks(COUNTDOWN + 1 + SETTLEMENT);
		assert_eq!(file.lost(), 1);
		assert_ok!(settle(segment));
		let holders: Vec<_> = compensations().iter().map(|paid| paid.2).collect();
		assert_eq!(holders, [Some(MinerId(1)), Some(MinerId(2))]);
	});
}

#[test]
fn what_is_not_lost_is_not_settled() {
	execute(|| {
		let whole = lean().fragment(0, 0).segment;
		assert_noop!(settle(whole), Error::<Test>::NotLost);
		let (file, segment) = lost();
		blocks(SETTLEMENT);
		file.set_state(FileState::Deleting);
		assert_noop!(settle(segment), Error::<Test>::FileGone);
		file.set_state(FileState::Active);
		// Its verdict is of yesterday: both are back.
		restore(&file, 0, 9);
		assert_noop!(settle(segment), Error::<Test>::NotLost);
		assert_eq!(compensations(), []);
	});
}

#[test]
fn who_has_no_space_for_it_has_it_for_nothing_and_is_compensated_once() {
	execute(|| {
		let (file, segment) = lost();
		blocks(SETTLEMENT);
		assert_ok!(settle(segment));
		set_no_space(true);
		restore(&file, 0, 9);
		assert_eq!((file.lost(), written_off(segment)), (0, true));
		assert_ok!(Restore::open(by(9), list([file.fragment(0, 0)])));
		blocks(COUNTDOWN + 1 + SETTLEMENT);
		assert_eq!(file.lost(), 1);
		assert_noop!(settle(segment), Error::<Test>::AlreadySettled);
	});
}

#[test]
fn who_has_space_again_pays_again() {
	execute(|| {
		let (file, segment) = lost();
		blocks(SETTLEMENT);
		assert_ok!(settle(segment));
		set_no_space(true);
		// Not while it is lost.
		assert!(!Restore::pay_again(segment));
		restore(&file, 0, 9);
		let paid = Restore::check_segment(by(5), segment).map(|info| info.pays_fee);
		assert_eq!((paid, written_off(segment)), (Ok(Pays::Yes), true));
		set_no_space(false);
		let paid = Restore::check_segment(by(5), segment).map(|info| info.pays_fee);
		assert_eq!((paid, written_off(segment)), (Ok(Pays::No), false));
		assert!(!Settled::<Test>::contains_key(segment));
	});
}

#[test]
fn what_is_removed_is_forgotten() {
	execute(|| {
		let (file, segment) = lost();
		blocks(SETTLEMENT);
		assert_ok!(settle(segment));
		file.set_state(FileState::Deleting);
		file.remove_segment(0);
		assert!(!Settled::<Test>::contains_key(segment));
		assert!(!Verdicts::<Test>::contains_key(segment));
	});
}
