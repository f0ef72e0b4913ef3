// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use codec::Encode;
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};
use sp_runtime::DispatchError;

fn try_place(file: FileIndex, first: u32, segments: &[&[u32]]) -> Result<(), DispatchError> {
	Files::place(signed(ALICE), file, first, placements(segments))
}

#[test]
fn placing_reserves_the_miners_bytes() {
	build_and_execute(|| {
		let file = order();
		events();
		place(file, 0, &[&[0, 1, 2], &[2, 3, 4]]);
		assert_eq!(events(), [Event::Placed { file, first: 0, segments: 2 }]);
		assert_eq!(MockMiners::load(0).placed, LONG);
		assert_eq!(MockMiners::load(2).placed, LONG + SHORT);
		assert_eq!(MockMiners::load(4).placed, SHORT);
		assert_eq!(segment(file, 1).holder(2), Some(MinerId(4)));
		assert_eq!((segment(file, 0).confirmed, record(file).placed), (0, 2));
		assert_eq!(record(file).last_progress, 1);
	});
}

#[test]
fn segments_may_be_placed_in_any_order() {
	build_and_execute(|| {
		let file = order();
		place(file, 1, &[&[3, 4, 5]]);
		assert_eq!((record(file).placed, Segments::<Test>::iter().count()), (2, 1));
		assert_eq!(Files::segments_of(file, 0, 256).len(), 1);
		place(file, 0, &[&[0, 1, 2]]);
		assert_eq!(record(file).placed, 2);
		let page = Files::segments_of(file, 0, 256);
		assert_eq!(page.iter().map(|info| info.number).collect::<Vec<_>>(), [0, 1]);
		assert_eq!(page[1].fragment_len(), SHORT);
		assert_eq!(Files::segments_of(file, 1, 256), page[1..]);
		assert_eq!(Files::segments_of(file, 0, 1), page[..1]);
		assert!(Files::segments_of(file, 2, 256).is_empty());
		assert!(Files::segments_of(FileIndex(9), 0, 256).is_empty());
	});
}

#[test]
fn an_unconfirmed_fragment_is_placed_again() {
	build_and_execute(|| {
		let file = placed();
		confirm(1, &[fragment(file, 0, 1)]);
		place(file, 0, &[&[6, 1, 2]]);
		assert_eq!(MockMiners::load(0), Load::default());
		assert_eq!(MockMiners::load(6).placed, LONG);
		assert_eq!(MockMiners::load(2).placed, LONG);
		assert_eq!(MockMiners::load(1).held, LONG);
		// The one that was replaced confirms nothing any more.
		events();
		confirm(0, &[fragment(file, 0, 0)]);
		let error = Error::<Test>::NotHolder.into();
		assert_eq!(events(), [Event::ItemFailed { miner: MinerId(0), index: 0, error }]);
	});
}

#[test]
fn a_confirmed_fragment_stays_where_it_is() {
	build_and_execute(|| {
		let file = placed();
		confirm(1, &[fragment(file, 0, 1)]);
		assert_noop!(try_place(file, 0, &[&[0, 6, 2]]), Error::<Test>::FragmentConfirmed);
		assert_noop!(try_place(file, 0, &[&[1, 0, 2]]), Error::<Test>::FragmentConfirmed);
		assert_noop!(try_place(file, 0, &[&[0, u32::MAX, 2]]), Error::<Test>::FragmentConfirmed);
	});
}

#[test]
fn a_confirmed_fragment_that_nobody_holds_is_repeated_as_such() {
	build_and_execute(|| {
		let file = placed();
		confirm(1, &[fragment(file, 0, 1)]);
		assert_ok!(hand_over(fragment(file, 0, 1), None));
		assert_noop!(try_place(file, 0, &[&[6, 1, 2]]), Error::<Test>::FragmentConfirmed);
		place(file, 0, &[&[6, u32::MAX, 2]]);
		assert_eq!(segment(file, 0).holder(0), Some(MinerId(6)));
		assert_eq!(segment(file, 0).holder(1), None);
	});
}

#[test]
fn miners_that_are_full_may_change_places() {
	build_and_execute(|| {
		let file = order();
		for miner in 0..3 {
			MockMiners::set_capacity(miner, LONG);
		}
		place(file, 0, &[&[0, 1, 2]]);
		place(file, 0, &[&[2, 0, 1]]);
		assert_eq!(segment(file, 0).holder(0), Some(MinerId(2)));
		assert_noop!(try_place(file, 1, &[&[2, 3, 4]]), MockMiners::FULL);
	});
}

#[test]
fn a_wrong_placement_is_refused_precisely() {
	build_and_execute(|| {
		let file = order();
		assert_noop!(try_place(FileIndex(9), 0, &[&[0, 1, 2]]), Error::<Test>::FileNotFound);
		assert_noop!(try_place(file, 0, &[]), Error::<Test>::EmptyBatch);
		assert_noop!(try_place(file, 2, &[&[0, 1, 2]]), Error::<Test>::SegmentNotFound);
		assert_noop!(try_place(file, u32::MAX, &[&[0, 1, 2]]), Error::<Test>::SegmentNotFound);
		let both: &[&[u32]] = &[&[0, 1, 2], &[0, 1, 2]];
		assert_noop!(try_place(file, 1, both), Error::<Test>::SegmentNotFound);
		assert_noop!(try_place(file, 0, &[&[0, 1]]), Error::<Test>::WrongFragmentCount);
		assert_noop!(try_place(file, 0, &[&[0, 1, 2, 3]]), Error::<Test>::WrongFragmentCount);
		assert_noop!(try_place(file, 0, &[&[0, 1, 0]]), Error::<Test>::RepeatedMiner);
		let nobody = u32::MAX;
		assert_noop!(try_place(file, 0, &[&[0, 1, nobody]]), Error::<Test>::PlacedWithNobody);
		assert_noop!(try_place(file, 0, &[&[0, nobody, nobody]]), Error::<Test>::PlacedWithNobody);
	});
}

#[test]
fn one_miner_that_takes_no_data_undoes_the_whole_call() {
	build_and_execute(|| {
		let file = order();
		let both = |last| try_place(file, 0, &[&[0, 1, 2], &[3, 4, last]]);
		MockMiners::set_standing(5, Standing::Suspended);
		assert_noop!(both(5), MockMiners::TAKES_NO_DATA);
		assert_noop!(both(MINERS), MockMiners::TAKES_NO_DATA);
		MockMiners::set_capacity(6, SHORT - 1);
		assert_noop!(both(6), MockMiners::FULL);
		assert_eq!(MockMiners::load(0), Load::default());
		assert_ok!(both(7));
		// Who takes no data any more keeps what it was assigned.
		MockMiners::set_standing(7, Standing::Absent);
		assert_ok!(both(7));
	});
}

#[test]
fn only_a_pending_file_is_placed() {
	build_and_execute(|| {
		let file = active();
		assert_noop!(try_place(file, 0, &[&[0, 1, 2]]), Error::<Test>::NotPending);
		assert_ok!(Files::delete(signed(ALICE), file));
		assert_noop!(try_place(file, 0, &[&[0, 1, 2]]), Error::<Test>::NotPending);
	});
}

#[test]
fn a_segment_of_twelve_takes_74_bytes_under_its_id() {
	build_and_execute(|| {
		order_of(1, CodingParams::STANDARD);
		let file = order_of(1, CodingParams::STANDARD);
		place(file, 0, &[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]);
		let key = Segments::<Test>::hashed_key_for(SegmentId(1));
		// Pallet, item, and the id itself.
		assert_eq!(key.len(), 16 + 16 + 8);
		assert_eq!(key[32..], SegmentId(1).encode());
		let value = sp_io::storage::get(&key).expect("it is placed");
		assert_eq!(value.len(), 74);
		println!("a segment of 12 fragments: key {}, value {} bytes", key.len(), value.len());
	});
}

#[test]
fn the_weight_grows_with_the_fragments() {
	build_and_execute(|| {
		let weight = |segments: &[&[u32]]| {
			let placements = placements(segments);
			Call::<Test>::place { file: FileIndex(0), first: 0, placements }
				.get_dispatch_info()
				.call_weight
		};
		let (two, three) = (weight(&[&[0, 1]]), weight(&[&[0, 1, 2]]));
		assert!(two.all_lt(three) && three.all_lt(weight(&[&[0, 1, 2], &[0, 1, 2]])));
		let per_fragment = three.saturating_sub(two);
		let most: Vec<u32> = (0..64).collect();
		assert_eq!(weight(&[&most]), two.saturating_add(per_fragment.saturating_mul(62)));
	});
}
