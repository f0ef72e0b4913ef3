// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use crate::{Error, Event, Level, Parameters, Params};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Percent};

#[test]
fn parameters_are_set_by_the_admin_and_checked() {
	execute(|| {
		let params = Params { deposit: 7, ..PARAMS };
		let set = |params| Audit::set_params(RuntimeOrigin::root(), params);
		assert_noop!(Audit::set_params(signed(DAVE), params), DispatchError::BadOrigin);
		for unsound in [
			Params { bytes_per_draw: 0, ..params },
			Params { answer_period: 5, ..params },
			Params { answer_period: 201, ..params },
			Params { strike_window: 201, ..params },
			Params { heal_after: u32::MAX, ..params },
			Params { suspend_at: 0, ..params },
			Params { suspend_at: 4, ..params },
			Params { slash_at: 7, ..params },
		] {
			assert_noop!(set(unsound), Error::<Test>::UnsoundParams);
		}
		// What is open keeps its deadline and its deposit.
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		let before = challenge_of(fragment);
		events();
		assert_ok!(set(params));
		assert_eq!(events(), [Event::ParamsSet { params }]);
		assert_eq!(Parameters::<Test>::get(), params);
		assert_eq!(challenge_of(fragment), before);
		blocks(PARAMS.answer_period + 1);
		assert_eq!(held(DAVE), 0);
		assert!(Balances::free_balance(DAVE) >= RICH);
	});
}

#[test]
fn the_ladder_follows_from_the_parameters() {
	let level = |strikes| PARAMS.level(strikes);
	assert_eq!((0..2).map(level).collect::<Vec<_>>(), [None, Some(Level::Warned)]);
	assert_eq!((level(2), level(3)), (Some(Level::Suspended), Some(Level::Slashed)));
	assert_eq!((level(5), level(6)), (Some(Level::Slashed), Some(Level::Expelled)));
	assert_eq!(level(255), Some(Level::Expelled));
	let share = |strikes| PARAMS.slash(strikes);
	assert_eq!((share(2), share(3)), (Percent::zero(), Percent::from_percent(5)));
	assert_eq!((share(6), share(255)), (Percent::from_percent(20), Percent::one()));
}
