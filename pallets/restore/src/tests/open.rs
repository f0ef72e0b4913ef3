// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opening orders.

use super::lean;
use crate::{Cause, Error, Event, OrderState, Orders, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{FragmentId, MinerId, SegmentId, segment::bit};

#[test]
fn a_holders_own_fragment_becomes_an_unclaimed_order() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		let order = Orders::<Test>::get(fragment).expect("opened");
		assert_eq!((order.cause, order.holder, order.opened_at), (Cause::Broken, MinerId(1), 1));
		// It keeps its bytes until another miner has proven the fragment.
		assert_eq!(holder(fragment), Some(MinerId(1)));
		assert_eq!(miner(1).fragments, 1);
		assert_eq!(events(), [Event::OrderOpened { fragment, holder: MinerId(1) }]);
	});
}

#[test]
fn a_targets_fragment_is_claimed_at_once() {
	for standing in [
		Standing::Absent,
		Standing::Leaving { expelled: false },
		Standing::Leaving { expelled: true },
	] {
		execute(|| {
			let file = lean();
			let fragment = file.fragment(0, 1);
			set_standing(1, standing);
			assert_ok!(Restore::open(by(9), list([fragment])));
			let deadline = 1 + PERIOD;
			let claimed = OrderState::Claimed { by: MinerId(9), deadline };
			assert_eq!(state(fragment), Some(claimed));
			assert_eq!(miner(9).claims, 1);
			let opened = [
				Event::OrderOpened { fragment, holder: MinerId(1) },
				Event::OrderClaimed { fragment, by: MinerId(9), deadline },
			];
			assert_eq!(events(), opened);
		});
	}
}

#[test]
fn a_target_opens_its_own_fragment_unclaimed() {
	execute(|| {
		let file = lean();
		set_standing(1, Standing::Leaving { expelled: false });
		assert_ok!(Restore::open(by(1), list([file.fragment(0, 1)])));
		assert_eq!(state(file.fragment(0, 1)), Some(OrderState::Unclaimed));
	});
}

#[test]
fn nobody_opens_an_order_for_a_miner_that_stays() {
	for standing in [Standing::Serving, Standing::Suspended] {
		execute(|| {
			let file = lean();
			set_standing(1, standing);
			let fragments = list([file.fragment(0, 1)]);
			assert_noop!(Restore::open(by(9), fragments), Error::<Test>::NotRestoreTarget);
		});
	}
}

#[test]
fn what_is_not_there_cannot_be_restored() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		let open = |fragment| Restore::open(by(1), list([fragment]));
		let elsewhere = FragmentId { segment: SegmentId(999), index: 0 };
		assert_noop!(open(elsewhere), Error::<Test>::FragmentNotFound);
		assert_noop!(open(file.fragment(0, 3)), Error::<Test>::FragmentNotFound);
		assert_noop!(open(file.fragment(0, 200)), Error::<Test>::FragmentNotFound);
		for gone in [FileState::Deleting, FileState::Failed] {
			file.set_state(gone);
			assert_noop!(open(fragment), Error::<Test>::FileGone);
		}
		file.set_state(FileState::Pending);
		let mut segment = Segments::get(fragment.segment).expect("stored");
		segment.confirmed &= !bit(1);
		Segments::insert(fragment.segment, &segment);
		assert_noop!(open(fragment), Error::<Test>::NotConfirmed);
		segment.confirmed |= bit(1);
		Segments::insert(fragment.segment, &segment);
		// What is confirmed of a running storage order can be restored.
		assert_ok!(open(fragment));
		assert_noop!(open(fragment), Error::<Test>::OrderExists);
		set_standing(1, Standing::Absent);
		let again = Restore::open(by(9), list([fragment]));
		assert_eq!(again, Err(Error::<Test>::OrderExists.into()));
	});
}

#[test]
fn only_miners_open_orders() {
	execute(|| {
		let file = lean();
		let fragments = list([file.fragment(0, 1)]);
		let stranger = RuntimeOrigin::signed(5);
		assert_noop!(Restore::open(stranger, fragments), Error::<Test>::NotAMiner);
		assert_noop!(Restore::open(by(1), list([])), Error::<Test>::NoItems);
	});
}

#[test]
fn an_item_that_fails_leaves_the_others_alone() {
	execute(|| {
		let file = lean();
		let fragments = list([file.fragment(0, 0), file.fragment(0, 1), file.fragment(0, 1)]);
		assert_ok!(Restore::open(by(1), fragments));
		assert_eq!(state(file.fragment(0, 0)), None);
		let failed: Vec<_> = events()
			.into_iter()
			.filter_map(|event| match event {
				Event::ItemFailed { miner, index, error } => Some((miner, index, error)),
				_ => None,
			})
			.collect();
		let not_target = Error::<Test>::NotRestoreTarget.into();
		let exists = Error::<Test>::OrderExists.into();
		assert_eq!(failed, [(MinerId(1), 0, not_target), (MinerId(1), 2, exists)]);
	});
}

#[test]
fn an_order_that_cannot_be_claimed_is_not_opened_for_a_target() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		set_standing(1, Standing::Absent);
		// Miner 2 holds a sibling; miner 9 has no room.
		let siblings = Restore::open(by(2), list([fragment]));
		assert_eq!(siblings, Err(Error::<Test>::HoldsSibling.into()));
		change(MinerId(9), |m| m.room = 0);
		assert!(Restore::open(by(9), list([fragment])).is_err());
		assert_eq!(state(fragment), None);
		assert!(!Segments::get(fragment.segment).expect("stored").is_restoring(1));
		assert_eq!(events(), []);
	});
}
