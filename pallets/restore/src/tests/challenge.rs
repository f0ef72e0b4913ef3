// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Orders that the chain opens, and orders for a copy of what is not there.

use super::{lean, standard};
use crate::{Cause, Error, Event, OrderState, Orders, Verdicts, mock::*};
use frame_support::{assert_noop, assert_ok, assert_storage_noop};
use pallet_planaria_support::{Clock, FileState, OpenOrder, Standing};
use planaria_primitives::{FragmentId, MinerId, SegmentId, sampling};

const LEAVING: Standing = Standing::Leaving { expelled: false };

fn open(fragment: FragmentId) -> frame_support::pallet_prelude::DispatchResult {
	<Restore as OpenOrder>::open(fragment)
}

fn cause(fragment: FragmentId) -> Option<Cause> {
	Orders::<Test>::get(fragment).map(|order| order.cause)
}

#[test]
fn the_order_for_what_failed_a_challenge_is_unclaimed() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(open(fragment));
		assert_eq!(events(), [Event::OrderOpened { fragment, holder: MinerId(1) }]);
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		assert_eq!(cause(fragment), Some(Cause::Challenge));
		// Its holder serves, and yet it is not void; anybody else restores it.
		assert_noop!(Restore::tidy(by(5), list([fragment])), Error::<Test>::NothingToTidy);
		assert_noop!(Restore::claim(by(1), list([fragment])), Error::<Test>::OwnFragment);
		assert_ok!(Restore::claim(by(9), list([fragment])));
		assert_eq!(spare(&file), 0);
	});
}

#[test]
fn its_holder_cancels_it_with_a_proof() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(open(fragment));
		let at = System::block_number();
		let beacon = World::beacon_at(at).expect("known");
		let chunk = sampling::chunk(&beacon, &fragment, file.spec.chunks(0));
		assert_ok!(Restore::cancel(by(1), fragment, at, file.proof_of(fragment, chunk)));
		assert_eq!(state(fragment), None);
	});
}

#[test]
fn there_is_nothing_to_open_for_what_is_not_there() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		let nowhere = FragmentId { segment: SegmentId(999), index: 0 };
		assert_storage_noop!(assert_eq!(
			open(nowhere),
			Err(Error::<Test>::FragmentNotFound.into())
		));
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_storage_noop!(assert_eq!(open(fragment), Err(Error::<Test>::OrderExists.into())));
		assert_eq!(cause(fragment), Some(Cause::Broken));
		file.set_state(FileState::Deleting);
		let gone = Err(Error::<Test>::FileGone.into());
		assert_storage_noop!(assert_eq!(open(file.fragment(0, 0)), gone));
	});
}

#[test]
fn what_a_leaving_miner_does_not_have_is_not_present() {
	execute(|| {
		let file = &standard(1)[0];
		let [moved, broken, challenged] = [0, 1, 2].map(|index| file.fragment(0, index));
		(0..3).for_each(|miner| set_standing(miner, LEAVING));
		assert_eq!(spare(file), 8);
		assert_ok!(Restore::open(by(20), list([moved])));
		assert_eq!(spare(file), 8);
		assert_ok!(Restore::open(by(1), list([broken])));
		assert_eq!(spare(file), 7);
		assert_ok!(open(challenged));
		assert_eq!(spare(file), 6);
	});
}

#[test]
fn a_copy_of_what_is_not_there_is_none() {
	execute(|| {
		let file = lean();
		let fragments = [0, 1, 2].map(|index| file.fragment(0, index));
		for (index, claimer) in [(0, 20), (1, 21), (2, 22)] {
			set_standing(index, LEAVING);
			assert_ok!(Restore::open(by(claimer), list([fragments[index as usize]])));
		}
		assert_eq!(spare(&file), 1);
		events();
		// One says so itself, of the other the chain finds out.
		assert_ok!(Restore::open(by(0), list([fragments[0]])));
		assert_eq!(spare(&file), 0);
		assert_ok!(open(fragments[1]));
		assert_eq!(spare(&file), -1);
		assert_eq!(
			(cause(fragments[0]), cause(fragments[1])),
			(Some(Cause::Broken), Some(Cause::Challenge))
		);
		let events = events();
		assert_eq!(events[0], Event::NothingToCopy { fragment: fragments[0], holder: MinerId(0) });
		assert_eq!(events[1], Event::NothingToCopy { fragment: fragments[1], holder: MinerId(1) });
		assert!(Verdicts::<Test>::contains_key(fragments[0].segment));
		// Who claimed them goes on; there is nothing more to say.
		assert!(matches!(state(fragments[0]), Some(OrderState::Claimed { .. })));
		assert_noop!(Restore::open(by(0), list([fragments[0]])), Error::<Test>::OrderExists);
	});
}

#[test]
fn a_lost_segment_takes_what_is_not_there_off_a_leaving_miner() {
	execute(|| {
		let file = lean();
		set_standing(2, LEAVING);
		for index in 0..3 {
			assert_ok!(Restore::open(by(index.into()), list([file.fragment(0, index)])));
		}
		blocks(crate::LOSS_PERIODS * PERIOD + 1);
		assert_eq!(file.lost(), 1);
		assert_eq!((0..3).filter_map(|index| holder(file.fragment(0, index))).count(), 0);
	});
}
