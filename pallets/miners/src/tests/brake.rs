// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Nobody is expelled while much turns absent at once.

use super::*;
use frame_support::{assert_noop, assert_ok};

/// Twenty miners that hold 50 bytes each; all but the first `silent` were seen just now.
fn network(silent: u8) -> Vec<MinerId> {
	let miners: Vec<_> = (1..=20).map(register).collect();
	for id in &miners {
		assert_ok!(hold(*id, 50));
	}
	pass(params().absent_after + 1);
	all_but_seen(&miners, silent);
	miners
}

fn all_but_seen(miners: &[MinerId], silent: u8) {
	for (id, n) in miners.iter().zip(1..).skip(silent.into()) {
		assert_ok!(Miners::alive(by(hot_account(n)), *id, 0, None));
	}
}

#[test]
fn boundary_more_than_a_tenth() {
	execute(|| {
		let miners = network(3);
		make_absent(miners[0]);
		make_absent(miners[1]);
		assert!(!Miners::brake_engaged());
		make_absent(miners[2]);
		assert!(Miners::brake_engaged());
		// When others lose what they hold, the share of those that are away grows.
		assert_ok!(Miners::alive(by(hot_account(3)), miners[2], 0, None));
		assert!(!Miners::brake_engaged());
		Miners::forget(miners[19], 50);
		assert!(Miners::brake_engaged());
	});
}

#[test]
fn an_empty_network_is_not_braked() {
	execute(|| {
		let id = register(1);
		make_absent(id);
		assert!(!Miners::brake_engaged());
	});
}

#[test]
fn nobody_is_expelled_while_it_is_engaged() {
	execute(|| {
		let miners = network(4);
		make_absent(miners[0]);
		pass(501);
		all_but_seen(&miners, 4);
		assert!(!Miners::brake_engaged());
		for id in &miners[1..4] {
			make_absent(*id);
		}
		assert_noop!(Miners::expel_absent(by(somebody()), miners[0]), Error::<Test>::BrakeEngaged);
		// They come back.
		assert_ok!(Miners::alive(by(hot_account(2)), miners[1], 0, None));
		assert_ok!(Miners::expel_absent(by(somebody()), miners[0]));
	});
}

#[test]
fn boundary_the_window() {
	for wait in 0..200 {
		new_test_ext().execute_with(|| {
			let miners = network(3);
			for id in &miners[..2] {
				make_absent(*id);
			}
			pass(wait);
			make_absent(miners[2]);
			// At least the window of 140 ticks; at most a seventh more.
			let engaged = Miners::brake_engaged();
			assert!(engaged || wait > 140, "not engaged after {wait}");
			assert!(!engaged || wait < 160, "engaged after {wait}");
		});
	}
}

#[test]
fn it_holds_while_they_stay_away() {
	execute(|| {
		let miners = network(4);
		for id in &miners[..3] {
			make_absent(*id);
		}
		// Long after the window.
		pass(300);
		assert!(Miners::brake_engaged());
		// Another one stays away, as one of the first returns: that is the same outage.
		make_absent(miners[3]);
		assert_ok!(Miners::alive(by(hot_account(1)), miners[0], 0, None));
		assert!(Miners::brake_engaged());
		assert_ok!(Miners::alive(by(hot_account(2)), miners[1], 0, None));
		assert!(!Miners::brake_engaged());
	});
}

#[test]
fn boundary_it_holds_no_longer_than_absence_may_last() {
	execute(|| {
		let miners = network(3);
		for id in &miners[..3] {
			make_absent(*id);
		}
		pass(params().absent_max);
		assert!(Miners::brake_engaged());
		pass(1);
		assert!(!Miners::brake_engaged());
		assert_ok!(Miners::expel_absent(by(somebody()), miners[0]));
		// Those that are expelled are not what a brake waits for.
		assert_ok!(Miners::expel_absent(by(somebody()), miners[1]));
		assert_eq!(OutageState::<Test>::get().map(|outage| outage.bytes), Some(50));
	});
}

#[test]
fn who_was_away_before_is_no_part_of_it() {
	execute(|| {
		let miners = network(4);
		make_absent(miners[0]);
		pass(300);
		for id in &miners[1..4] {
			make_absent(*id);
		}
		pass(300);
		assert!(Miners::brake_engaged());
		// That one comes back changes nothing.
		assert_ok!(Miners::alive(by(hot_account(1)), miners[0], 0, None));
		assert!(Miners::brake_engaged());
		assert_ok!(Miners::alive(by(hot_account(2)), miners[1], 0, None));
		assert!(!Miners::brake_engaged());
	});
}

#[test]
fn it_comes_on_when_many_turn_absent_one_after_the_other() {
	execute(|| {
		let miners = network(20);
		for id in &miners[..2] {
			make_absent(*id);
			pass(60);
		}
		assert!(!Miners::brake_engaged());
		make_absent(miners[2]);
		assert!(Miners::brake_engaged());
	});
}

#[test]
fn flapping_counts_once() {
	execute(|| {
		let miners = network(1);
		for _ in 0..50 {
			make_absent(miners[0]);
			assert!(!Miners::brake_engaged());
			assert_ok!(Miners::alive(by(hot_account(1)), miners[0], 0, None));
		}
		assert_eq!(BrakeState::<Test>::get().bytes(Now::get(), 140), 0);
	});
}

#[test]
fn what_was_taken_from_an_absent_miner_still_counts() {
	execute(|| {
		let miners = network(3);
		for id in &miners[..3] {
			make_absent(*id);
			Miners::forget(*id, 50);
		}
		assert!(Miners::brake_engaged());
		// And goes exactly as they come back.
		for (id, n) in miners[..3].iter().zip(1..) {
			assert_ok!(Miners::alive(by(hot_account(n)), *id, 0, None));
		}
		assert_eq!(BrakeState::<Test>::get().bytes(Now::get(), 140), 0);
	});
}

#[test]
fn another_window_counts_anew() {
	execute(|| {
		let miners = network(3);
		for id in &miners[..3] {
			make_absent(*id);
		}
		let params = ParamsOf::<Test> { brake_window: 1000, ..params() };
		// The same window changes nothing.
		assert_ok!(Miners::set_params(RuntimeOrigin::root(), crate::mock::params()));
		assert!(Miners::brake_engaged());
		assert_ok!(Miners::set_params(RuntimeOrigin::root(), params));
		assert!(!Miners::brake_engaged());
		// Who returns now was not counted anew.
		assert_ok!(Miners::alive(by(hot_account(1)), miners[0], 0, None));
		assert_eq!(BrakeState::<Test>::get().bytes(Now::get(), 1000), 0);
	});
}
