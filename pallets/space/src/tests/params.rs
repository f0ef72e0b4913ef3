// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can be tuned, and what is configured.

use super::*;
use frame_support::traits::Hooks;
use sp_runtime::{BuildStorage, DispatchError};

#[test]
fn the_administrator_sets_them() {
	execute(|| {
		let new = Params { price: 8, ..PARAMS };
		assert_noop!(Space::set_params(signed(ALICE), new), DispatchError::BadOrigin);
		assert_ok!(Space::set_params(RuntimeOrigin::root(), new));
		assert_eq!(events(), [Event::ParamsSet { old: PARAMS, new }]);
	});
}

#[test]
fn unsound_ones_are_refused() {
	execute(|| {
		for unsound in [
			Params { price: MAX_PRICE + 1, ..PARAMS },
			Params { min_bytes: 0, ..PARAMS },
			Params { max_ticks: MAX_TICKS + 1, ..PARAMS },
			Params { grace: 1_000, ..PARAMS },
		] {
			let set = Space::set_params(RuntimeOrigin::root(), unsound);
			assert_eq!(set, Err(Error::<Test>::InvalidParams.into()));
		}
		let extreme = Params { price: MAX_PRICE, max_ticks: MAX_TICKS, ..PARAMS };
		assert_ok!(Space::set_params(RuntimeOrigin::root(), extreme));
	});
}

#[test]
fn a_network_may_begin_with_spaces() {
	let spaces = vec![(ALICE, 2 * TIB, 100)];
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances: vec![(ALICE, RICH), (POT, 10)],
			..Default::default()
		},
		space: crate::GenesisConfig { params: PARAMS, spaces },
		..Default::default()
	};
	let mut ext: sp_io::TestExternalities = config.build_storage().expect("it is sound").into();
	ext.execute_with(|| {
		assert_eq!(purse(ALICE), RICH - 100 * 14 - 30);
		assert_eq!((space(ALICE).bytes, space(ALICE).until), (2 * TIB, 100));
		check();
	});
}

#[test]
#[should_panic(expected = "unsound")]
fn unsound_ones_are_no_genesis() {
	let params = Params { min_bytes: 0, ..PARAMS };
	let genesis = crate::GenesisConfig::<Test> { params, ..Default::default() };
	let _ = genesis.build_storage();
}

#[test]
fn the_configuration_is_sound() {
	execute(Space::integrity_test);
}

#[test]
fn the_layout_is_this() {
	// What is stored has a version first; a change of these bytes needs a migration.
	execute(|| {
		use codec::{Encode, MaxEncodedLen};
		bought();
		let space = Spaces::<Test>::get(ALICE).expect("it was bought");
		assert_eq!(space.encode()[0], 0);
		// Bytes, reserved, used; until, at, operators, look; price, left, deposit; removed.
		assert_eq!(crate::Space::max_encoded_len(), 1 + 3 * 8 + 4 * 4 + 3 * 16 + 9);
		assert_eq!(space.left, grains(99 * 70));
	});
}
