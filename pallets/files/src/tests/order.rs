// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{assert_noop, assert_ok};
use planaria_primitives::MAX_SEGMENTS;
use sp_runtime::{DispatchError, TokenError};

fn held(who: AccountId) -> Balance {
	use frame_support::traits::fungible::InspectHold;
	Balances::balance_on_hold(&HoldReason::StorageDeposit.into(), &who)
}

#[test]
fn an_order_is_recorded() {
	build_and_execute(|| {
		MockClock::set(9);
		let label = Label::truncate_from(b"holiday".to_vec());
		assert_ok!(Files::order(
			signed(ALICE),
			id(),
			TWO_SEGMENTS,
			CodingParams::LEAN,
			label.clone(),
			None,
			CHOSEN
		));
		let file = FileIndex(0);
		assert_eq!(
			events(),
			[Event::Ordered {
				file,
				id: id(),
				owner: ALICE,
				first_segment: SegmentId(0),
				segments: 2,
				by: ALICE
			}]
		);
		let expected = FileV0 {
			id: id(),
			owner: ALICE,
			by: ALICE,
			size: TWO_SEGMENTS,
			coding: CodingParams::LEAN,
			first_segment: SegmentId(0),
			state: FileState::Pending,
			label,
			unconfirmed: 6,
			lost: 0,
			placed: 0,
			swept: 0,
			ordered: 9,
			last_progress: 9,
			deposit: 1_014,
			written_off: 0,
			lot: Lot::Chosen,
		};
		assert_eq!(Files::file(file), Some(File::V0(expected)));
		assert_eq!(held(ALICE), 1_014);
		assert_eq!(MockSpace::of(ALICE), (STORED, 0));
		assert_eq!(Files::deadline_of(file), Some(109));
		// No segment is written before it is placed.
		assert_eq!(Segments::<Test>::iter().count(), 0);
	});
}

#[test]
fn segment_ids_are_contiguous_and_never_reused() {
	build_and_execute(|| {
		let (first, second) = (order(), order());
		assert_eq!(record(first).segment_ids(), 0..2);
		assert_eq!(record(second).segment_ids(), 2..4);
		assert_ok!(Files::delete(signed(ALICE), second));
		poll();
		assert_eq!(Files::file(second), None);
		let third = order();
		assert_eq!((third, record(third).segment_ids()), (FileIndex(2), 4..6));
		assert_eq!(record(third).number_of(SegmentId(5)), Some(1));
		assert_eq!(record(third).number_of(SegmentId(6)), None);
		assert_eq!(record(third).number_of(SegmentId(3)), None);
	});
}

#[test]
fn the_same_content_is_stored_by_two_owners() {
	build_and_execute(|| {
		let first = order();
		let (coding, label) = (CodingParams::LEAN, Label::default());
		assert_ok!(Files::order(signed(BOB), id(), TWO_SEGMENTS, coding, label, None, CHOSEN));
		let mut files = Files::files_with(id(), 256);
		files.sort_unstable();
		assert_eq!(files, [first, FileIndex(1)]);
		assert_eq!(Files::files_of(&ALICE, None, 256), [first]);
		assert_eq!(Files::files_of(&BOB, None, 256), [FileIndex(1)]);
	});
}

#[test]
fn an_owners_files_come_in_pages() {
	build_and_execute(|| {
		let mut all: Vec<_> = (0..5).map(|_| order()).collect();
		let mut read = Files::files_of(&ALICE, None, 2);
		assert_eq!(read.len(), 2);
		while let [.., last] = read[..] {
			let page = Files::files_of(&ALICE, Some(last), 2);
			if page.is_empty() {
				break;
			}
			read.extend(page);
		}
		read.sort_unstable();
		all.sort_unstable();
		assert_eq!(read, all);
	});
}

#[test]
fn an_operator_orders_for_the_owner() {
	build_and_execute(|| {
		let (coding, label) = (CodingParams::LEAN, Label::default());
		let order = |by, payer| {
			Files::order(signed(by), id(), TWO_SEGMENTS, coding, label.clone(), Some(payer), CHOSEN)
		};
		assert_noop!(order(BOB, ALICE), DispatchError::BadOrigin);
		assert_ok!(order(OPERATOR, ALICE));
		let file = FileIndex(0);
		assert_eq!((record(file).owner, record(file).by), (ALICE, OPERATOR));
		assert_eq!((held(ALICE), held(OPERATOR)), (1_014, 0));
		assert_eq!(MockSpace::of(ALICE), (STORED, 0));
		// Both place.
		let place = |who| Files::place(signed(who), file, 0, placements(&[&[0, 1, 2]]));
		assert_ok!(place(OPERATOR));
		assert_ok!(place(ALICE));
		assert_noop!(place(BOB), Error::<Test>::NotYourFile);
		assert_ok!(Files::delete(signed(ALICE), file));
		poll();
		assert_eq!(held(ALICE), 0);
	});
}

#[test]
fn an_operator_deletes_what_it_ordered_while_it_is_authorised() {
	build_and_execute(|| {
		let order = |by, payer| {
			let coding = CodingParams::LEAN;
			assert_ok!(Files::order(signed(by), id(), 1, coding, Label::default(), payer, CHOSEN));
		};
		for (by, payer) in [(OPERATOR, Some(ALICE)), (OPERATOR, Some(ALICE)), (ALICE, None)] {
			order(by, payer);
		}
		let deleted = |who, file| Files::delete(signed(who), FileIndex(file));
		assert_ok!(deleted(OPERATOR, 0));
		// Not what the owner ordered itself.
		assert_noop!(deleted(OPERATOR, 2), Error::<Test>::NotYourFile);
		MockSpace::revoke();
		assert_noop!(deleted(OPERATOR, 1), Error::<Test>::NotYourFile);
		for file in [1, 2] {
			assert_ok!(deleted(ALICE, file));
		}
		poll();
		assert_eq!((held(ALICE), MockSpace::of(ALICE)), (0, (0, 0)));
	});
}

#[test]
fn an_unsound_order_is_refused_precisely() {
	build_and_execute(|| {
		let order = |size, codec, data, parity| {
			let coding = CodingParams { codec, data, parity };
			Files::order(signed(ALICE), id(), size, coding, Label::default(), None, CHOSEN)
		};
		assert_noop!(order(0, 0, 2, 1), Error::<Test>::FileEmpty);
		assert_noop!(order(u64::MAX, 0, 2, 1), Error::<Test>::FileTooLarge);
		assert_noop!(order(1, 1, 2, 1), Error::<Test>::UnknownCodec);
		assert_noop!(order(1, 0, 0, 1), Error::<Test>::NoSourceFragments);
		assert_noop!(order(1, 0, 2, 0), Error::<Test>::NoParityFragments);
		assert_noop!(order(1, 0, 33, 32), Error::<Test>::TooManyFragments);
	});
}

#[test]
fn the_largest_file_has_2_to_the_20_segments() {
	build_and_execute(|| {
		let largest = CodingParams::STANDARD.segment_capacity() * u64::from(MAX_SEGMENTS);
		let file = order_of(largest, CodingParams::STANDARD);
		assert_eq!(record(file).unconfirmed, 12 << 20);
		assert_eq!(held(ALICE), 1_000 + 7 * (1 << 20));
		assert_eq!(Files::deposit_for(MAX_SEGMENTS), Some(held(ALICE)));
		assert_noop!(
			Files::order(
				signed(ALICE),
				id(),
				largest + 1,
				CodingParams::STANDARD,
				Label::default(),
				None,
				CHOSEN
			),
			Error::<Test>::FileTooLarge
		);
	});
}

#[test]
fn who_cannot_pay_the_deposit_orders_nothing() {
	build_and_execute(|| {
		let poor = 77;
		let (coding, label) = (CodingParams::LEAN, Label::default());
		assert_noop!(
			Files::order(signed(poor), id(), 1, coding, label, None, CHOSEN),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn ids_do_not_overflow() {
	build_and_execute(|| {
		NextSegment::<Test>::put(SegmentId(u64::MAX - 1));
		let (coding, label) = (CodingParams::LEAN, Label::default());
		let order =
			|size| Files::order(signed(ALICE), id(), size, coding, label.clone(), None, CHOSEN);
		assert_noop!(order(TWO_SEGMENTS), sp_runtime::ArithmeticError::Overflow);
		assert_ok!(order(1));
	});
}
