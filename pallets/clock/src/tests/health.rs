// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! When a block is full, and what the clock says of itself.

use crate::{mock::*, *};
use frame_support::{
	assert_ok,
	dispatch::{DispatchInfo, Pays},
	traits::OnFinalize,
};
use frame_system::CheckWeight;
use pallet_planaria_support::Clock as _;

const WELL: Health = Health {
	running: true,
	blocks_in_last_32_slots: 32,
	operational_full: false,
	migrating: false,
	halted: false,
};

/// Whether a largest duty would be let into the block as it stands.
fn duty_fits() -> bool {
	let info = DispatchInfo {
		call_weight: Headroom::get(),
		extension_weight: Weight::zero(),
		class: DispatchClass::Operational,
		pays_fee: Pays::No,
	};
	let length = HeadroomLength::get() as usize;
	CheckWeight::<Test>::do_validate(&info, length)
		.and_then(|(_, next)| CheckWeight::<Test>::do_prepare(&info, length, next))
		.is_ok()
}

/// Fills the block with calls of this class and weight until no more goes in.
fn fill(class: DispatchClass, call_weight: Weight, length: usize) {
	let info =
		DispatchInfo { call_weight, extension_weight: Weight::zero(), class, pays_fee: Pays::Yes };
	while CheckWeight::<Test>::do_validate(&info, length)
		.and_then(|(_, next)| CheckWeight::<Test>::do_prepare(&info, length, next))
		.is_ok()
	{}
}

#[track_caller]
fn assert_full(full: bool) {
	let before = Clock::now();
	blocks(1);
	assert_eq!(Clock::now(), before + u32::from(!full));
	assert_eq!(Clock::health().operational_full, full);
	// One full block costs one tick.
	blocks(1);
	assert_eq!(Clock::now(), before + 1 + u32::from(!full));
}

#[test]
fn blocks_full_of_normal_calls_leave_room() {
	execute(|| {
		blocks(1);
		fill(DispatchClass::Normal, MAX_BLOCK / 100, 100);
		assert!(duty_fits());
		assert_full(false);
		fill(DispatchClass::Normal, Weight::zero(), 10_000);
		assert!(duty_fits());
		assert_full(false);
	});
}

#[test]
fn blocks_full_of_operational_calls_have_no_room() {
	execute(|| {
		blocks(1);
		fill(DispatchClass::Operational, MAX_BLOCK / 1000, 100);
		assert!(!duty_fits());
		assert_full(true);
	});
}

#[test]
fn length_counts_too() {
	execute(|| {
		blocks(1);
		fill(DispatchClass::Operational, Weight::zero(), 50_000);
		assert!(!duty_fits());
		assert_full(true);
	});
}

#[test]
fn boundary_the_last_duty_that_fits() {
	execute(|| {
		blocks(1);
		// What is judged is what the block itself would do, to the last duty.
		while !Clock::operational_full() {
			assert!(duty_fits());
		}
		assert!(!duty_fits());
		assert_full(true);
	});
}

#[test]
fn whatever_a_block_holds_it_is_full_exactly_when_no_duty_fits() {
	let classes = [DispatchClass::Normal, DispatchClass::Operational, DispatchClass::Mandatory];
	for class in classes {
		for percent in 1..=100u64 {
			new_test_ext().execute_with(|| {
				blocks(1);
				System::register_extra_weight_unchecked(MAX_BLOCK / 100 * percent, class);
				let full = Clock::operational_full();
				assert_eq!(duty_fits(), !full, "{class:?} {percent}");
			});
		}
	}
}

#[test]
fn health_says_why() {
	execute(|| {
		assert_eq!(Clock::health(), WELL);
		blocks(1);
		assert_eq!(Clock::health(), WELL);
		assert!(events().is_empty());

		Migrating::set(&true);
		blocks(1);
		let health = Health { running: false, migrating: true, ..WELL };
		assert_eq!(Clock::health(), health);
		assert_eq!(events(), [Event::Stopped { tick: 1, health }]);

		// Nothing more is said until the state changes.
		assert_ok!(Clock::set_running(RuntimeOrigin::root(), false));
		Migrating::set(&false);
		blocks(1);
		assert_eq!(Clock::health(), Health { running: false, halted: true, ..WELL });
		assert!(events().is_empty());

		assert_ok!(Clock::set_running(RuntimeOrigin::root(), true));
		blocks(1);
		assert_eq!(Clock::health(), WELL);
		assert_eq!(events(), [Event::Resumed { tick: 2 }]);
		blocks(1);
		assert!(events().is_empty());

		next_block_after(20);
		let health = Health { running: false, blocks_in_last_32_slots: 13, ..WELL };
		assert_eq!(events(), [Event::Stopped { tick: 3, health }]);
	});
}

#[test]
fn the_block_is_judged_when_it_ends() {
	execute(|| {
		blocks(1);
		fill(DispatchClass::Operational, MAX_BLOCK / 1000, 100);
		assert!(!Clock::health().operational_full);
		Clock::on_finalize(1);
		assert!(Clock::health().operational_full);
	});
}
