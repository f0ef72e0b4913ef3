// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reserved and held bytes.

use super::*;
use Purpose::{Claim, Placement};
use frame_support::{assert_noop, assert_ok};

#[test]
fn a_load_is_small() {
	use codec::MaxEncodedLen;
	assert_eq!(MinerLoad::max_encoded_len(), 48);
}

#[test]
fn what_is_reserved_is_held_or_released() {
	execute(|| {
		let id = register(1);
		assert_ok!(Miners::reserve(id, 300, Placement));
		assert_ok!(Miners::reserve(id, 200, Claim));
		assert_ok!(Miners::reserve(id, 100, Claim));
		assert_eq!((load(id).held, load(id).reserved, load(id).claims), (0, 600, 2));
		Miners::settle(id, 300, Placement);
		Miners::settle(id, 200, Claim);
		Miners::release(id, 100, Claim);
		let expected = MinerLoad { held: 500, fragments: 2, last_seen: 1000, ..Default::default() };
		assert_eq!(load(id), expected);
		assert_eq!(HeldBytes::<Test>::get(), 500);
		Miners::forget(id, 300);
		Miners::forget(id, 200);
		assert!(load(id).is_idle());
		assert_eq!(HeldBytes::<Test>::get(), 0);
	});
}

#[test]
fn what_changes_hands_together_is_moved_as_one_after_the_other() {
	execute(|| {
		let [old, older, new] = [1, 2, 3].map(register);
		for (miner, bytes) in [(old, 300), (old, 20), (older, 100), (new, 7)] {
			assert_ok!(hold(miner, bytes));
		}
		for bytes in [300, 20, 7] {
			assert_ok!(Miners::reserve(new, bytes, Claim));
		}
		let moved = |from, to, bytes| Moved { from, to, bytes };
		Miners::moved(&[
			moved(Some(old), Some(new), 300),
			moved(Some(older), None, 100),
			moved(Some(old), Some(new), 20),
			// Who restores its own keeps it.
			moved(Some(new), Some(new), 7),
		]);
		assert!(load(old).is_idle() && load(older).is_idle());
		let all = load(new);
		assert_eq!((all.held, all.fragments, all.reserved, all.claims), (327, 3, 0, 0));
		assert_eq!(HeldBytes::<Test>::get(), 327);
	});
}

#[test]
fn boundary_room_for_placement() {
	execute(|| {
		let id = register(1);
		// A new miner: the floor, less what is reserved already.
		assert_eq!(Miners::room(id), 20 * GIB);
		assert_noop!(Miners::reserve(id, 20 * GIB + 1, Placement), Error::<Test>::NoRoom);
		assert_ok!(Miners::reserve(id, 19 * GIB, Placement));
		assert_noop!(Miners::reserve(id, GIB + 1, Placement), Error::<Test>::NoRoom);
		assert_ok!(Miners::reserve(id, GIB, Placement));
		assert_eq!(Miners::room(id), 0);
		// One that has shown what it can hold: as much again.
		Miners::settle(id, 19 * GIB, Placement);
		Miners::settle(id, GIB, Placement);
		assert_ok!(hold(id, 15 * GIB));
		assert_eq!(Miners::room(id), 35 * GIB);
	});
}

#[test]
fn boundary_a_claim_is_bound_by_the_offer() {
	execute(|| {
		let id = register(1);
		assert_ok!(Miners::set_declared(by(stash(1)), 30 * GIB));
		assert_ok!(Miners::reserve(id, 20 * GIB, Placement));
		assert_noop!(Miners::reserve(id, 1, Placement), Error::<Test>::NoRoom);
		assert_noop!(Miners::reserve(id, 10 * GIB + 1, Claim), Error::<Test>::NoRoom);
		assert_ok!(Miners::reserve(id, 10 * GIB, Claim));
		assert_noop!(Miners::reserve(id, 1, Claim), Error::<Test>::NoRoom);
	});
}

#[test]
fn boundary_claims() {
	execute(|| {
		let id = register(1);
		for _ in 0..3 {
			assert_ok!(Miners::reserve(id, 1, Claim));
		}
		assert_noop!(Miners::reserve(id, 1, Claim), Error::<Test>::TooManyClaims);
		assert_ok!(Miners::reserve(id, 1, Placement));
		Miners::release(id, 1, Claim);
		assert_ok!(Miners::reserve(id, 1, Claim));
	});
}

#[test]
fn boundary_frozen() {
	execute(|| {
		// 100 for the base, 900 for 90 GiB.
		let id = register(1);
		assert_ok!(hold(id, 20 * GIB));
		assert_ok!(hold(id, 20 * GIB));
		assert_ok!(hold(id, 40 * GIB));
		assert_noop!(Miners::reserve(id, 10 * GIB + 1, Placement), Error::<Test>::Frozen);
		assert_noop!(Miners::reserve(id, 10 * GIB + 1, Claim), Error::<Test>::Frozen);
		assert_ok!(Miners::reserve(id, 10 * GIB, Claim));
		assert_noop!(Miners::reserve(id, 1, Placement), Error::<Test>::Frozen);
		// It thaws with more collateral.
		assert_ok!(Miners::top_up(by(stash(1)), 1));
		assert_ok!(Miners::reserve(id, GIB / 10, Placement));
		assert_noop!(Miners::reserve(id, 1, Placement), Error::<Test>::Frozen);
	});
}

#[test]
fn only_who_serves_takes_data() {
	execute(|| {
		for (n, change) in [
			(1, suspend as fn(MinerId)),
			(2, make_absent),
			(3, |_| Miners::exit(by(stash(3))).expect("it serves")),
		] {
			let id = register(n);
			assert_ok!(Miners::reserve(id, 1, Placement));
			change(id);
			assert_noop!(Miners::reserve(id, 1, Placement), Error::<Test>::NotServing);
			assert_noop!(Miners::reserve(id, 1, Claim), Error::<Test>::NotServing);
			assert_eq!(Miners::room(id), 0);
			// What was reserved before can still be held.
			Miners::settle(id, 1, Placement);
			assert_eq!(load(id).fragments, 1);
		}
		let nobody = MinerId::NOBODY;
		assert_noop!(Miners::reserve(nobody, 1, Placement), Error::<Test>::UnknownMiner);
	});
}

/// With debug assertions these panic, as they are mistakes.
#[cfg(not(debug_assertions))]
#[test]
fn a_ledger_never_falls_below_zero() {
	execute(|| {
		let (id, other) = (register(1), register(2));
		assert_ok!(hold(other, 50));
		assert_ok!(hold(id, 10));
		Miners::forget(id, 20);
		Miners::release(id, 5, Claim);
		assert!(load(id).is_idle());
		assert_eq!((load(id).held, HeldBytes::<Test>::get()), (0, 50));
		Miners::settle(MinerId::NOBODY, 5, Claim);
		Miners::forget(MinerId::NOBODY, 5);
	});
}
