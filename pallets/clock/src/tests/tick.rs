// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! When a tick passes.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::Clock as _;
use proptest::prelude::*;
use sp_runtime::DispatchError;
use std::collections::BTreeSet;

#[test]
fn a_young_chain_ticks_with_every_block() {
	execute(|| {
		assert_eq!(Clock::now(), 0);
		blocks(40);
		assert_eq!(Clock::now(), 40);
	});
}

#[test]
fn the_first_block_may_come_in_any_slot() {
	execute(|| {
		next_block_after(123_456_789);
		assert_eq!(Clock::now(), 1);
		assert_eq!(Clock::health().blocks_in_last_32_slots, 32);
	});
}

#[test]
fn boundary_a_quarter_of_the_slots_may_be_empty() {
	execute(|| {
		blocks(40);
		// Eight empty slots at once: 24 of the last 32 have a block.
		next_block_after(9);
		assert_eq!((Clock::now(), Clock::health().blocks_in_last_32_slots), (41, 24));
		// Nine.
		next_block_after(2);
		assert_eq!((Clock::now(), Clock::health().blocks_in_last_32_slots), (41, 23));
	});
}

#[test]
fn a_block_in_every_second_slot_is_not_enough() {
	execute(|| {
		for _ in 0..100 {
			next_block_after(2);
		}
		let stopped_at = Clock::now();
		assert!(stopped_at < 10, "{stopped_at}");
		for _ in 0..100 {
			next_block_after(2);
		}
		assert_eq!(Clock::now(), stopped_at);
	});
}

#[test]
fn after_an_outage_it_takes_24_blocks_in_a_row() {
	execute(|| {
		for outage in [32, 33, 1 << 31, 1 << 32, 1 << 40] {
			blocks(40);
			let before = Clock::now();
			next_block_after(outage);
			assert_eq!(Clock::health().blocks_in_last_32_slots, 1);
			blocks(22);
			assert_eq!(Clock::now(), before);
			blocks(1);
			assert_eq!(Clock::now(), before + 1);
		}
	});
}

#[test]
fn a_slot_that_does_not_come_in_order_changes_nothing() {
	let mut condition = ConditionRecord::default();
	condition.note_slot(10);
	condition.note_slot(15);
	let before = condition;
	condition.note_slot(15);
	condition.note_slot(3);
	assert_eq!(condition, before);
}

#[test]
fn it_stands_still_while_a_migration_runs() {
	execute(|| {
		blocks(3);
		Migrating::set(&true);
		blocks(3);
		assert_eq!(Clock::now(), 3);
		Migrating::set(&false);
		blocks(3);
		assert_eq!(Clock::now(), 6);
	});
}

#[test]
fn root_stops_it_and_lets_it_run() {
	execute(|| {
		blocks(3);
		assert_ok!(Clock::set_running(RuntimeOrigin::root(), false));
		System::assert_last_event(Event::RunningSet { running: false }.into());
		assert_eq!(Clock::now(), 3);
		blocks(5);
		assert_eq!(Clock::now(), 3);
		assert_ok!(Clock::set_running(RuntimeOrigin::root(), true));
		blocks(1);
		assert_eq!(Clock::now(), 4);
		assert_noop!(Clock::set_running(RuntimeOrigin::signed(1), false), DispatchError::BadOrigin);
	});
}

#[test]
fn root_cannot_make_it_run_in_a_crisis() {
	execute(|| {
		blocks(40);
		next_block_after(1000);
		assert_ok!(Clock::set_running(RuntimeOrigin::root(), true));
		blocks(5);
		assert_eq!(Clock::now(), 40);
	});
}

#[derive(Clone, Debug)]
enum Step {
	Block { slots: u64, full: bool },
	Migrating(bool),
	Running(bool),
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		20 => (1..4u64, proptest::bool::weighted(0.05))
			.prop_map(|(slots, full)| Step::Block { slots, full }),
		2 => (4..70u64).prop_map(|slots| Step::Block { slots, full: false }),
		1 => any::<bool>().prop_map(Step::Migrating),
		1 => any::<bool>().prop_map(Step::Running),
	]
}

proptest! {
	/// The clock against the four conditions in so many words.
	#[test]
	fn it_ticks_exactly_when_all_is_well(steps in prop::collection::vec(step(), 1..300)) {
		new_test_ext().execute_with(|| {
			// Slots before the first block count as filled.
			let mut filled: BTreeSet<u64> = (0..1000).collect();
			let mut slot = 1000;
			let (mut was_full, mut migrating, mut running) = (false, false, true);
			Slot::set(&(slot - 1));
			for step in steps {
				match step {
					Step::Block { slots, full } => {
						// The first block's slot follows those that count as filled.
						slot += if System::block_number() == 0 { 0 } else { slots };
						filled.insert(slot);
						let before = Clock::now();
						next_block_after(slot - Slot::get());
						let had_block = filled.range(slot - 31..=slot).count();
						let well = had_block >= 24 && !was_full && !migrating && running;
						prop_assert_eq!(Clock::now(), before + u32::from(well));
						if full {
							System::register_extra_weight_unchecked(
								MAX_BLOCK,
								frame_support::dispatch::DispatchClass::Operational,
							);
						}
						was_full = full;
						prop_assert_eq!(Clock::do_try_state(), Ok(()));
					},
					Step::Migrating(value) => {
						migrating = value;
						Migrating::set(&value);
					},
					Step::Running(value) => {
						running = value;
						assert_ok!(Clock::set_running(RuntimeOrigin::root(), value));
					},
				}
			}
			Ok(())
		})?;
	}
}
