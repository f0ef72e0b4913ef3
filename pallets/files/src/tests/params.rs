// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{BuildStorage, DispatchError};

#[test]
fn the_administrator_sets_what_new_orders_cost() {
	build_and_execute(|| {
		assert_eq!(Parameters::<Test>::get(), PARAMS);
		let before = order();
		let new = Params { deposit_base: 5, deposit_per_segment: 1, order_timeout: 30, ..PARAMS };
		assert_noop!(Files::set_params(signed(ALICE), new.clone()), DispatchError::BadOrigin);
		events();
		assert_ok!(Files::set_params(RuntimeOrigin::root(), new.clone()));
		assert_eq!(events(), [Event::ParamsSet { old: PARAMS, new }]);
		let after = order();
		// What is held stays; deadlines follow.
		assert_eq!((record(before).deposit, record(after).deposit), (1_014, 7));
		assert_eq!(Files::deadline_of(before), Some(31));
		for file in [before, after] {
			assert_ok!(Files::delete(signed(ALICE), file));
		}
		poll();
		assert_eq!(Balances::free_balance(ALICE), RICH);
	});
}

#[test]
fn unsound_parameters_are_refused() {
	build_and_execute(|| {
		for unsound in [
			Params { order_timeout: 0, ..PARAMS },
			Params { place_timeout: 0, ..PARAMS },
			Params { redraws: MAX_REDRAWS + 1, ..PARAMS },
			Params { deposit_per_segment: Balance::MAX >> 19, ..PARAMS },
			Params { deposit_base: Balance::MAX, ..PARAMS },
		] {
			assert_noop!(
				Files::set_params(RuntimeOrigin::root(), unsound),
				Error::<Test>::InvalidParams
			);
		}
		let extreme = Params {
			deposit_base: 0,
			deposit_per_segment: Balance::MAX >> 20,
			redraws: MAX_REDRAWS,
			..PARAMS
		};
		assert_ok!(Files::set_params(RuntimeOrigin::root(), extreme));
	});
}

#[test]
#[should_panic(expected = "unsound")]
fn unsound_parameters_are_no_genesis() {
	let params = Params { order_timeout: 0, ..PARAMS };
	let _ = crate::GenesisConfig::<Test> { params }.build_storage();
}

#[test]
fn the_configuration_is_sound() {
	build_and_execute(Files::integrity_test);
}

#[test]
fn the_layouts_are_these() {
	// What is stored has a version first; a change of these bytes needs a migration.
	build_and_execute(|| {
		use codec::{Encode, MaxEncodedLen};
		let file = active();
		assert_eq!(record(file).encode()[0], 0);
		assert_eq!(segment(file, 0).encode()[0], 0);
		assert_eq!(to(&[7]).encode(), [0, 4, 7, 0, 0, 0]);
		// Label and accounts aside: id, size, coding, segment, state, six u32, deposit, what was written
		// off, version.
		let constant = 32 + 8 + 3 + 8 + 1 + 6 * 4 + 16 + 8 + 1;
		assert_eq!(record(file).encoded_size(), constant + 2 * 8 + 1 + 1);
		// With a label and a draw: seed, ids, how many.
		assert_eq!(FileOf::<Test>::max_encoded_len(), constant + 2 * 8 + 66 + 1 + 33 + 4 + 1);
		assert_eq!(Task::Deadline(FileIndex(7)).encode(), [0, 7, 0, 0, 0, 0, 0, 0, 0]);
		assert_eq!(Task::Removal(FileIndex(7)).encode(), [1, 7, 0, 0, 0, 0, 0, 0, 0]);
		let drawn = Placement::Drawn(BoundedVec::truncate_from(vec![Some(3), None]));
		assert_eq!(drawn.encode(), [1, 8, 1, 3, 0]);
	});
}
