// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::ArithmeticError;

fn claim(miner: u32, len: u64) {
	assert_ok!(MockMiners::reserve(MinerId(miner), len, Purpose::Claim));
}

#[test]
fn a_segment_is_read_with_its_file() {
	build_and_execute(|| {
		let file = active();
		let info = <Files as Fragments>::get(SegmentId(1)).expect("it is there");
		assert_eq!((info.file, info.file_id, info.number), (file, id(), 1));
		assert_eq!((info.spec, info.state), (record(file).spec(), FileState::Active));
		assert_eq!((info.fragment_len(), info.segment.confirmed), (SHORT, 0b111));
		assert_eq!(<Files as Fragments>::get(SegmentId(2)), None);
	});
}

#[test]
fn a_fragment_is_handed_over() {
	build_and_execute(|| {
		let file = active();
		claim(9, LONG);
		assert_ok!(hand_over(fragment(file, 0, 1), Some(MinerId(9))));
		assert_eq!(MockMiners::load(1), Load::default());
		assert_eq!((MockMiners::load(9).held, MockMiners::load(9).claimed), (LONG, 0));
		assert_eq!(segment(file, 0).holder(1), Some(MinerId(9)));
		assert_eq!((segment(file, 0).confirmed, record(file).unconfirmed), (0b111, 0));
	});
}

#[test]
fn a_fragment_goes_to_nobody_and_comes_back() {
	build_and_execute(|| {
		let file = active();
		let item = fragment(file, 0, 1);
		assert_ok!(hand_over(item, None));
		assert_eq!((segment(file, 0).holder(1), MockMiners::load(1).held), (None, 0));
		assert_ok!(hand_over(item, None));
		claim(1, LONG);
		assert_ok!(hand_over(item, Some(MinerId(1))));
		assert_eq!(MockMiners::load(1).held, LONG);
	});
}

#[test]
fn a_holder_may_restore_its_own_fragment() {
	build_and_execute(|| {
		let file = active();
		claim(1, LONG);
		assert_ok!(hand_over(fragment(file, 0, 1), Some(MinerId(1))));
		let load = MockMiners::load(1);
		assert_eq!((load.held, load.fragments, load.claimed), (LONG, 1, 0));
	});
}

#[test]
fn no_miner_gets_two_fragments_of_a_segment() {
	build_and_execute(|| {
		let file = active();
		claim(2, LONG);
		assert_noop!(
			hand_over(fragment(file, 0, 1), Some(MinerId(2))),
			Error::<Test>::HoldsAnotherFragment
		);
		MockMiners::release(MinerId(2), LONG, Purpose::Claim);
		let pending = placed();
		confirm(0, &[fragment(pending, 0, 0)]);
		// A placement counts.
		assert_noop!(
			hand_over(fragment(pending, 0, 0), Some(MinerId(2))),
			Error::<Test>::HoldsAnotherFragment
		);
		let nobody = Some(MinerId::NOBODY);
		assert_noop!(hand_over(fragment(pending, 0, 0), nobody), Error::<Test>::PlacedWithNobody);
	});
}

#[test]
fn only_confirmed_fragments_of_living_files_change_hands() {
	build_and_execute(|| {
		let file = placed();
		let item = fragment(file, 0, 0);
		let past = FragmentId { index: 3, ..item };
		let vacate = |item| hand_over(item, None);
		let restore = |item| set_restoring(item, true);
		assert_noop!(vacate(item), Error::<Test>::NotConfirmed);
		assert_noop!(restore(item), Error::<Test>::NotConfirmed);
		assert_noop!(vacate(past), Error::<Test>::FragmentNotFound);
		assert_noop!(restore(past), Error::<Test>::FragmentNotFound);
		assert_noop!(set_restoring(past, false), Error::<Test>::FragmentNotFound);
		confirm(0, &[item]);
		assert_ok!(restore(item));
		assert_ok!(Files::delete(signed(ALICE), file));
		assert_noop!(vacate(item), Error::<Test>::FileNotAlive);
		assert_noop!(Files::set_lost(item.segment, true), Error::<Test>::FileNotAlive);
		// An order may still end.
		assert_ok!(set_restoring(item, false));
	});
}

#[test]
fn the_restoring_bit_is_set_and_cleared() {
	build_and_execute(|| {
		let file = active();
		assert_ok!(set_restoring(fragment(file, 0, 1), true));
		assert_ok!(set_restoring(fragment(file, 0, 2), true));
		assert_ok!(set_restoring(fragment(file, 0, 2), true));
		assert_eq!(segment(file, 0).restoring, 0b110);
		assert_ok!(set_restoring(fragment(file, 0, 1), false));
		assert_eq!(segment(file, 0).restoring, 0b100);
	});
}

#[test]
fn what_is_handed_over_to_a_miner_is_restored() {
	build_and_execute(|| {
		let file = active();
		let item = fragment(file, 0, 1);
		assert_ok!(set_restoring(item, true));
		assert_ok!(hand_over(item, None));
		assert_eq!(segment(file, 0).restoring, 0b010);
		claim(9, LONG);
		assert_ok!(hand_over(item, Some(MinerId(9))));
		assert_eq!(segment(file, 0).restoring, 0);
	});
}

#[test]
fn lost_segments_are_counted() {
	build_and_execute(|| {
		let file = active();
		let (first, second) = (SegmentId(0), SegmentId(1));
		assert_noop!(Files::set_lost(first, false), ArithmeticError::Underflow);
		assert_ok!(Files::set_lost(first, true));
		assert_ok!(Files::set_lost(second, true));
		assert_eq!(record(file).lost, 2);
		assert_noop!(Files::set_lost(first, true), ArithmeticError::Overflow);
		assert_ok!(Files::set_lost(first, false));
		assert_eq!(record(file).lost, 1);
		assert_noop!(Files::set_lost(SegmentId(99), true), Error::<Test>::SegmentNotFound);
	});
}

#[test]
fn what_is_lost_is_paid_for_no_longer_and_again_when_it_is_back() {
	build_and_execute(|| {
		let file = active();
		let first = record(file).segment_id(0);
		assert_eq!(Files::write_off(first), Ok(ALICE));
		assert_eq!(MockSpace::of(ALICE), (0, STORED - 3 * LONG));
		assert!(Files::take_back(first));
		assert_eq!((MockSpace::of(ALICE), record(file).written_off), ((0, STORED), 0));
		// What was written off is not given back once more.
		assert_eq!(Files::write_off(first), Ok(ALICE));
		Files::delete(signed(ALICE), file).expect("it is hers");
		assert_eq!(MockSpace::of(ALICE), (0, 0));
		assert!(Files::write_off(first).is_err() && !Files::take_back(first));
	});
}

#[test]
fn what_is_not_stored_yet_is_not_written_off() {
	build_and_execute(|| {
		let first = record(placed()).segment_id(0);
		assert_noop!(Files::write_off(first), Error::<Test>::FileNotAlive);
	});
}
