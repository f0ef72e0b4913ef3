// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The beacon.

use crate::{mock::*, *};
use pallet_planaria_support::Clock as _;
use sp_io::hashing::blake2_256;

#[test]
fn it_mixes_the_parents_vrf_output_in() {
	execute(|| {
		Vrf::set(&Some([7; 32]));
		blocks(1);
		let first = blake2_256(&[[0; 32], [7; 32]].concat());
		assert_eq!(Clock::beacon_at(1), Some(first));
		Vrf::set(&Some([8; 32]));
		blocks(1);
		assert_eq!(Clock::beacon_at(2), Some(blake2_256(&[first, [8; 32]].concat())));
	});
}

#[test]
fn without_one_it_mixes_the_parents_hash_in() {
	execute(|| {
		blocks(1);
		let parent = System::parent_hash();
		assert_eq!(Clock::beacon_at(1), Some(blake2_256(&[[0; 32], parent.0].concat())));
	});
}

#[test]
fn it_does_not_depend_on_the_block_it_is_for() {
	let beacon = |slots: u64| {
		new_test_ext().execute_with(|| {
			Vrf::set(&Some([7; 32]));
			next_block_after(slots);
			Clock::beacon_at(1)
		})
	};
	assert_eq!(beacon(1), beacon(5));
}

#[test]
fn boundary_the_last_256_are_kept() {
	execute(|| {
		assert_eq!(Clock::beacon_at(0), None);
		blocks(300);
		assert_eq!(Clock::beacon_at(301), None);
		let kept: Vec<_> = (0..400).filter(|block| Clock::beacon_at(*block).is_some()).collect();
		assert_eq!(kept, (45..=300).collect::<Vec<_>>());
		assert_eq!(Beacons::<Test>::iter().count(), BEACONS as usize);
	});
}

#[test]
fn it_rolls_on_while_the_clock_stands_still() {
	execute(|| {
		Migrating::set(&true);
		blocks(2);
		assert_eq!(Clock::now(), 0);
		assert!(Clock::beacon_at(1).is_some());
		assert_ne!(Clock::beacon_at(1), Clock::beacon_at(2));
	});
}
