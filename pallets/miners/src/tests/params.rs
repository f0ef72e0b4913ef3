// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The parameters.

use super::*;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Percent};

#[test]
fn success_set_params() {
	execute(|| {
		let params = ParamsOf::<Test> { cooldown: 1, ..params() };
		assert_ok!(Miners::set_params(RuntimeOrigin::root(), params.clone()));
		assert_eq!(events(), [Event::ParamsSet { params: params.clone() }]);
		assert_eq!(Parameters::<Test>::get(), params);
		assert_noop!(Miners::set_params(by(somebody()), params), DispatchError::BadOrigin);
	});
}

#[test]
fn what_does_not_fit_is_refused() {
	execute(|| {
		let bad: [fn(&mut ParamsOf<Test>); 8] = [
			|p| p.absent_after = 0,
			|p| p.absent_max = 0,
			|p| p.alive_every = 0,
			|p| p.brake_window = 0,
			|p| p.max_claims = 0,
			|p| p.room_floor = 0,
			|p| p.alive_every = p.absent_after / 2 + 1,
			|p| p.wrong_proof_fee = p.collateral_base + 1,
		];
		for spoil in bad {
			let mut params = params();
			spoil(&mut params);
			assert_noop!(
				Miners::set_params(RuntimeOrigin::root(), params),
				Error::<Test>::InvalidParams
			);
		}
	});
}

#[test]
fn the_main_networks_numbers() {
	let params = ParamsOf::<Test>::default();
	assert_eq!(params.check(), Ok(()));
	// In seconds.
	assert_eq!(params.alive_every * 6, 30 * 60);
	assert_eq!(params.absent_after * 6, 2 * 3600);
	assert_eq!(params.absent_max * 6, 3 * 86_400);
	assert_eq!(params.brake_window * 6, 6 * 3600);
	assert_eq!(params.brake_share, Percent::from_percent(10));
	assert_eq!(params.room_floor, 1 << 40);
}
