// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchClass, GetDispatchInfo},
	traits::Authorize,
};
use planaria_primitives::duty::DutyKind;
use sp_runtime::{
	DispatchError,
	transaction_validity::{InvalidTransaction, TransactionSource},
};

fn failed(miner: u32, index: u32, error: Error<Test>) -> Event<Test> {
	Event::ItemFailed { miner: MinerId(miner), index, error: error.into() }
}

#[test]
fn confirming_turns_a_reservation_into_a_fragment_held() {
	build_and_execute(|| {
		let file = placed();
		events();
		MockClock::set(50);
		confirm(1, &[fragment(file, 0, 1)]);
		assert_eq!(events(), [Event::Confirmed { miner: MinerId(1), count: 1 }]);
		let load = MockMiners::load(1);
		assert_eq!((load.held, load.fragments, load.placed), (LONG, 1, 0));
		assert_eq!((segment(file, 0).confirmed, record(file).unconfirmed), (0b010, 5));
		assert_eq!((record(file).state, record(file).last_progress), (FileState::Pending, 50));
		assert_eq!(Files::deadline_of(file), Some(150));
	});
}

#[test]
fn with_the_last_fragment_the_file_is_active() {
	build_and_execute(|| {
		let file = active();
		assert_eq!(
			events()[7..],
			[Event::Activated { file }, Event::Confirmed { miner: MinerId(5), count: 1 }][..]
		);
		assert_eq!((record(file).unconfirmed, Files::deadline_of(file)), (0, None));
		assert_eq!(MockSpace::of(ALICE), (0, STORED));
		// Its deadline means nothing any more.
		poll_at(10_000);
		assert_eq!(record(file).state, FileState::Active);
		assert_eq!(Due::<Test>::iter().count(), 0);
	});
}

#[test]
fn each_item_stands_for_itself() {
	build_and_execute(|| {
		let file = placed();
		place(file, 1, &[&[0, 4, 5]]);
		events();
		let nowhere = FragmentId { segment: SegmentId(99), index: 0 };
		confirm(
			0,
			&[
				nowhere,
				fragment(file, 0, 0),
				fragment(file, 0, 3),
				fragment(file, 0, 1),
				fragment(file, 0, 0),
				fragment(file, 1, 0),
			],
		);
		assert_eq!(
			events(),
			[
				failed(0, 0, Error::SegmentNotFound),
				failed(0, 2, Error::FragmentNotFound),
				failed(0, 3, Error::NotHolder),
				failed(0, 4, Error::AlreadyConfirmed),
				Event::Confirmed { miner: MinerId(0), count: 2 },
			]
		);
		assert_eq!(MockMiners::load(0).held, LONG + SHORT);
	});
}

#[test]
fn what_is_confirmed_already_is_so_in_an_active_file_too() {
	build_and_execute(|| {
		let file = active();
		events();
		confirm(0, &[fragment(file, 0, 0)]);
		assert_eq!(events(), [failed(0, 0, Error::AlreadyConfirmed)]);
	});
}

#[test]
fn nothing_is_confirmed_in_a_file_that_is_being_removed() {
	build_and_execute(|| {
		let file = placed();
		assert_ok!(Files::delete(signed(ALICE), file));
		let item = fragment(file, 0, 0);
		events();
		confirm(0, &[item]);
		assert_eq!(events(), [failed(0, 0, Error::FileNotAlive)]);
		poll();
		events();
		confirm(0, &[item]);
		assert_eq!(events(), [failed(0, 0, Error::SegmentNotFound)]);
	});
}

#[test]
fn a_batch_of_one_file_counts_every_fragment() {
	build_and_execute(|| {
		let coding = CodingParams::LEAN;
		let file = order_of(coding.segment_capacity() * 128, coding);
		let segments: Vec<&[u32]> = (0..128).map(|_| &[0, 1, 2][..]).collect();
		place(file, 0, &segments);
		for miner in 0..3u8 {
			let items: Vec<_> = (0..128).map(|number| fragment(file, number, miner)).collect();
			confirm(miner.into(), &items);
		}
		assert_eq!(record(file).state, FileState::Active);
		assert_eq!(MockMiners::load(1).fragments, 128);
	});
}

#[test]
fn only_the_gate_lets_in() {
	build_and_execute(|| {
		let file = placed();
		let items = BoundedVec::truncate_from(vec![fragment(file, 0, 0)]);
		let confirm = |origin| Files::confirm(origin, MinerId(0), 7, items.clone(), None);
		assert_noop!(confirm(signed(MockMiners::stash(1))), DispatchError::BadOrigin);
		assert_noop!(confirm(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_ok!(confirm(frame_system::RawOrigin::Authorized.into()));
		assert_eq!(MockGate::entered(), Some((DutyKind::Confirm, MinerId(0), 7)));
		assert_eq!(record(file).unconfirmed, 5);
	});
}

#[test]
fn what_confirms_nothing_is_not_free() {
	build_and_execute(|| {
		let file = placed();
		let may = |miner: u32, items: &[FragmentId]| Files::may_confirm(MinerId(miner), items);
		let [own, other] = [0, 1].map(|index| fragment(file, 0, index));
		let nowhere = FragmentId { segment: SegmentId(99), index: 0 };
		assert_ok!(may(0, &[own]));
		// What comes after the first is looked at when it is confirmed.
		assert_ok!(may(0, &[own, nowhere]));
		let beyond = FragmentId { index: 64, ..own };
		for items in [&[][..], &[other], &[nowhere], &[nowhere, own], &[beyond]] {
			assert_eq!(may(0, items), Err(InvalidTransaction::Stale.into()));
		}
		confirm(0, &[own]);
		assert!(may(0, &[own]).is_err());
		assert_ok!(Files::delete(RuntimeOrigin::signed(ALICE), file));
		assert!(may(1, &[other]).is_err());
	});
}

#[test]
fn the_gate_authorises_from_every_source() {
	build_and_execute(|| {
		let item = fragment(placed(), 0, 0);
		let call = |signature| Call::<Test>::confirm {
			miner: MinerId(0),
			anchor: 7,
			items: BoundedVec::truncate_from(vec![item]),
			signature,
		};
		let signature: pallet_planaria_support::hot_key::Signature =
			sp_core::sr25519::Signature::default().into();
		for source in
			[TransactionSource::Local, TransactionSource::InBlock, TransactionSource::External]
		{
			let authorised = call(Some(signature.clone())).authorize(source);
			let (valid, _) = authorised.expect("it is a duty").expect("it is signed");
			let once = valid.provides.len();
			assert_eq!(once, 1);
			assert!(call(None).authorize(source).expect("it is a duty").is_err());
			let file = FileIndex(0);
			assert!(Call::<Test>::delete { file }.authorize(source).is_none());
		}
	});
}

#[test]
fn a_full_batch_is_operational_and_fits() {
	build_and_execute(|| {
		let item = FragmentId { segment: SegmentId(0), index: 0 };
		let items = BoundedVec::truncate_from(vec![item; 128]);
		let (miner, anchor) = (MinerId(0), 1);
		let call = Call::<Test>::confirm { miner, anchor, items, signature: None };
		let info = call.get_dispatch_info();
		assert_eq!(info.class, DispatchClass::Operational);
		let weights: frame_system::limits::BlockWeights = BlockWeights::get();
		let most =
			weights.get(DispatchClass::Operational).max_extrinsic.unwrap_or(weights.max_block);
		assert!(info.call_weight.all_lte(most));
		// The length of the batch and 9 bytes an item; the first item's segment and file.
		let read = <Test as frame_system::Config>::DbWeight::get().reads(2);
		assert_eq!(call.weight_of_authorize(), Weight::from_parts(2 + 128 * 9, 0) + read);
	});
}

#[test]
fn what_is_confirmed_is_told_once() {
	build_and_execute(|| {
		let file = placed();
		let first = fragment(file, 0, 0).segment;
		confirm(0, &[fragment(file, 0, 0)]);
		confirm(1, &[fragment(file, 0, 1), fragment(file, 0, 2)]);
		assert_eq!(MockAudit::stored(first), None);
		confirm(2, &[fragment(file, 0, 2)]);
		confirm(2, &[fragment(file, 0, 2)]);
		assert_eq!(MockAudit::stored(first), Some((3, LONG)));
		// What was refused is not told.
		let batch = |miner, index| (MinerId(miner), vec![fragment(file, 0, index)]);
		assert_eq!(MockAudit::batches(), [batch(0, 0), batch(1, 1), batch(2, 2)]);
	});
}
