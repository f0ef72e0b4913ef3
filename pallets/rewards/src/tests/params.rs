// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can be tuned, and what is configured.

use super::*;
use frame_support::traits::Hooks;
use sp_runtime::{BuildStorage, DispatchError};

#[test]
fn the_administrator_sets_the_bounties() {
	execute(|| {
		let new = Params { bounty_base: 1, bounty_per_gib: 2, bounty_hold: 3 };
		assert_noop!(Rewards::set_params(signed(BOB), new), DispatchError::BadOrigin);
		assert_ok!(Rewards::set_params(RuntimeOrigin::root(), new));
		assert_eq!(events(), [Event::ParamsSet { old: PARAMS, new }]);
		assert_eq!(Parameters::<Test>::get(), new);
	});
}

#[test]
fn collateral_pays_for_every_bounty() {
	execute(|| {
		// 128 is what 8 MiB require here.
		let covered = Params { bounty_base: 28, ..PARAMS };
		assert_ok!(Rewards::set_params(RuntimeOrigin::root(), covered));
		let uncovered = Params { bounty_base: 29, ..PARAMS };
		let not_covered = Error::<Test>::NotCovered;
		assert_noop!(Rewards::set_params(RuntimeOrigin::root(), uncovered), not_covered);
	});
}

#[test]
#[should_panic(expected = "does not pay for its bounty")]
fn what_is_not_covered_is_no_genesis() {
	let params = Params { bounty_base: 29, ..PARAMS };
	let genesis = crate::GenesisConfig::<Test> { params, ..Default::default() };
	let _ = genesis.build_storage();
}

#[test]
fn the_configuration_is_sound() {
	execute(Rewards::integrity_test);
}

#[test]
fn a_bounty_never_overflows() {
	let params = Params { bounty_base: u128::MAX, bounty_per_gib: u128::MAX, bounty_hold: 0 };
	assert_eq!(params.bounty(u64::MAX), u128::MAX);
	assert_eq!(PARAMS.bounty(0), 8);
	assert_eq!(PARAMS.bounty(1 << 30), 12_808);
}
