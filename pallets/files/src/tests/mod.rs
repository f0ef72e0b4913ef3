// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, by concern. After each the pallet's properties are checked, and that the ledgers beside
//! it say what the segments do.

use crate::{
	mock::{Files, *},
	*,
};
use frame_support::{
	BoundedVec,
	pallet_prelude::DispatchResult,
	traits::Hooks,
	weights::{Weight, WeightMeter},
};
use pallet_planaria_support::{
	Clock, Custody, FileState, Fragments, MinerLedger, Purpose, SegmentInfo, SpaceLedger, Standing,
	WriteOff,
};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FragmentId, MinerId, PlacementRule, Segment, SegmentId,
};
use std::collections::BTreeMap;

mod confirm;
mod custody;
mod delete;
mod drawn;
mod lapse;
mod order;
mod params;
mod place;
mod random;
mod timeout;

/// A file of two segments with three fragments each: 8 MiB and 64 bytes long.
const TWO_SEGMENTS: u64 = CodingParams::LEAN.segment_capacity() + 1;
/// What its segments' fragments take.
const LONG: u64 = 8 << 20;
const SHORT: u64 = 64;
const CHOSEN: PlacementRule = PlacementRule::Chosen;
/// What all of it takes.
const STORED: u64 = 3 * (LONG + SHORT);

fn id() -> FileId {
	FileId([0xa5; 32])
}

fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Alice orders a file of two segments.
fn order() -> FileIndex {
	order_of(TWO_SEGMENTS, CodingParams::LEAN)
}

fn order_of(size: u64, coding: CodingParams) -> FileIndex {
	order_by(size, coding, CHOSEN)
}

fn order_by(size: u64, coding: CodingParams, rule: PlacementRule) -> FileIndex {
	let file = NextFile::<Test>::get();
	Files::order(signed(ALICE), id(), size, coding, Label::default(), None, rule)
		.expect("Alice is rich");
	file
}

fn to(miners: &[u32]) -> Placement {
	Placement::Chosen(BoundedVec::truncate_from(miners.iter().copied().map(MinerId).collect()))
}

fn placements(segments: &[&[u32]]) -> Placements {
	BoundedVec::truncate_from(segments.iter().map(|miners| to(miners)).collect())
}

fn place(file: FileIndex, first: u32, segments: &[&[u32]]) {
	Files::place(signed(ALICE), file, first, placements(segments)).expect("the miners take it");
}

/// Orders a file and places its segments with miners 0 to 2 and 3 to 5.
fn placed() -> FileIndex {
	let file = order();
	place(file, 0, &[&[0, 1, 2], &[3, 4, 5]]);
	file
}

/// Such a file, all of it confirmed.
fn active() -> FileIndex {
	let file = placed();
	for miner in 0..6 {
		confirm(miner, &[fragment(file, miner / 3, (miner % 3) as u8)]);
	}
	assert_eq!(record(file).state, FileState::Active);
	file
}

fn confirm(miner: u32, fragments: &[FragmentId]) {
	let items = BoundedVec::truncate_from(fragments.to_vec());
	Files::confirm(signed(MockMiners::stash(miner)), MinerId(miner), 1, items, None)
		.expect("a duty call never fails behind the gate");
}

fn fragment(file: FileIndex, number: u32, index: u8) -> FragmentId {
	FragmentId { segment: record(file).segment_id(number), index }
}

fn info(fragment: FragmentId) -> SegmentInfo {
	<Files as Fragments>::get(fragment.segment).expect("it is there")
}

/// Hands a fragment over, with its bytes.
fn hand_over(fragment: FragmentId, to: Option<MinerId>) -> DispatchResult {
	let mut segment = info(fragment);
	let moved = <Files as Custody>::hand_over(fragment, &mut segment, to)?;
	assert_eq!(segment, info(fragment));
	Files::moved(&[moved]);
	Ok(())
}

fn set_restoring(fragment: FragmentId, restoring: bool) -> DispatchResult {
	let mut segment = info(fragment);
	<Files as Custody>::set_restoring(fragment, &mut segment, restoring)?;
	assert_eq!(segment, info(fragment));
	Ok(())
}

fn record(file: FileIndex) -> FileOf<Test> {
	crate::Files::<Test>::get(file).expect("the file is there")
}

fn segment(file: FileIndex, number: u32) -> Segment {
	Segments::<Test>::get(record(file).segment_id(number)).expect("the segment is there")
}

/// A block, with so much weight for the agenda.
fn poll_with(weight: Weight) {
	let mut meter = WeightMeter::with_limit(weight);
	Files::on_poll(System::block_number(), &mut meter);
	assert!(meter.consumed().all_lte(weight));
}

fn poll() {
	poll_with(Weight::MAX);
}

/// A block at this tick.
fn poll_at(now: u32) {
	MockClock::set(now);
	poll();
}

/// The pallet's events since the last time.
fn events() -> Vec<Event<Test>> {
	let events = System::events().into_iter().filter_map(|record| match record.event {
		RuntimeEvent::Files(event) => Some(event),
		_ => None,
	});
	let events = events.collect();
	System::reset_events();
	events
}

/// The pallet's properties, and that the ledgers say what the segments do.
pub fn check() {
	Files::do_try_state().expect("the pallet's properties hold");
	let mut loads = BTreeMap::<u32, Load>::new();
	let mut space = BTreeMap::<AccountId, (u64, u64)>::new();
	for file in crate::Files::<Test>::iter_values() {
		let entry = space.entry(file.owner).or_default();
		match file.state {
			FileState::Pending => entry.0 += file.paid_bytes(),
			FileState::Active => entry.1 += file.paid_bytes(),
			FileState::Deleting | FileState::Failed => {},
		}
	}
	for (id, _) in Segments::<Test>::iter() {
		let info = Files::segment_info(id).expect("a segment has a file");
		let whole = info.segment.confirmed_count() == info.segment.fragments();
		assert_eq!(MockAudit::stored(id).is_some(), whole, "whole segments are told");
		for index in 0..info.segment.fragments() {
			let Some(holder) = info.segment.holder(index) else { continue };
			let load = loads.entry(holder.0).or_default();
			if info.segment.is_confirmed(index) {
				load.held += info.fragment_len();
				load.fragments += 1;
			} else {
				load.placed += info.fragment_len();
			}
		}
	}
	for (fragment, by) in MockRestore::claims() {
		let info = Files::segment_info(fragment.segment).expect("a claim has a segment");
		assert!(info.segment.is_restoring(fragment.index), "a claim without its bit");
		loads.entry(by.0).or_default().claimed += info.fragment_len();
	}
	for miner in 0..MINERS {
		let expected = loads.remove(&miner).unwrap_or_default();
		assert_eq!(MockMiners::load(miner), expected, "the ledger of miner {miner}");
	}
	for who in [ALICE, BOB, CHARLIE, OPERATOR] {
		assert_eq!(MockSpace::of(who), space.remove(&who).unwrap_or_default());
	}
}
