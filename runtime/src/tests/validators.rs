// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who validates, from session to session.

use super::*;
use crate::{
	Babe, Grandpa, RuntimeOrigin, Session, SessionKeys, Sudo, Utility, Validators,
	time::EPOCH_SLOTS,
};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::traits::Dispatchable;

use Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve};

/// Runs `test` on the local network after its first block, with a keystore.
fn on_local_network(test: impl FnOnce()) {
	let mut ext = genesis("local_testnet");
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	ext.execute_with(|| {
		run_block(1_000);
		test();
		assert_invariants();
	});
}

/// Runs one block, an epoch later than the last: a session ends.
fn next_session() {
	let session = Session::current_index();
	run_block(*Babe::current_slot() + EPOCH_SLOTS);
	assert_eq!(Session::current_index(), session + 1);
}

/// `who` makes session keys and registers them.
fn set_keys(who: Sr25519Keyring) {
	let owner = account(who);
	let made = SessionKeys::generate(&owner.encode(), None);
	assert_ok!(Session::set_keys(RuntimeOrigin::signed(owner), made.keys, made.proof.encode()));
}

fn add(who: Sr25519Keyring) {
	assert_ok!(Validators::add_member(RuntimeOrigin::root(), account(who).into()));
}

fn remove(who: Sr25519Keyring) {
	assert_ok!(Validators::remove_member(RuntimeOrigin::root(), account(who).into()));
}

/// That these, and nobody else, make blocks and vote.
#[track_caller]
fn assert_validate(expected: &[Sr25519Keyring]) {
	let mut now = Session::validators();
	let mut expected: Vec<_> = expected.iter().map(|key| account(*key)).collect();
	now.sort();
	expected.sort();
	assert_eq!(now, expected);
	assert_eq!(Babe::authorities().len(), expected.len());
}

#[test]
fn who_joins_validates_from_the_session_after_next() {
	on_local_network(|| {
		set_keys(Eve);
		add(Eve);
		assert_validate(&[Alice, Bob, Charlie, Dave]);
		next_session();
		assert_validate(&[Alice, Bob, Charlie, Dave]);
		next_session();
		assert_validate(&[Alice, Bob, Charlie, Dave, Eve]);
		assert_eq!(Grandpa::grandpa_authorities().len(), 5);
		next_session();
		assert_validate(&[Alice, Bob, Charlie, Dave, Eve]);
	});
}

#[test]
fn who_leaves_validates_until_the_session_after_next() {
	on_local_network(|| {
		remove(Dave);
		next_session();
		assert_validate(&[Alice, Bob, Charlie, Dave]);
		next_session();
		assert_validate(&[Alice, Bob, Charlie]);
	});
}

#[test]
fn one_may_take_the_place_of_another() {
	on_local_network(|| {
		set_keys(Eve);
		let (out, into) = (account(Dave).into(), account(Eve).into());
		assert_ok!(Validators::swap_member(RuntimeOrigin::root(), out, into));
		next_session();
		next_session();
		assert_validate(&[Alice, Bob, Charlie, Eve]);
	});
}

#[test]
fn a_member_without_keys_waits() {
	on_local_network(|| {
		add(Eve);
		(0..3).for_each(|_| next_session());
		assert_validate(&[Alice, Bob, Charlie, Dave]);
		set_keys(Eve);
		(0..2).for_each(|_| next_session());
		assert_validate(&[Alice, Bob, Charlie, Dave, Eve]);
	});
}

#[test]
fn the_set_is_never_empty() {
	on_local_network(|| {
		assert_ok!(Validators::reset_members(RuntimeOrigin::root(), vec![]));
		(0..3).for_each(|_| next_session());
		assert_validate(&[Alice, Bob, Charlie, Dave]);

		// Somebody without keys is nobody.
		add(Eve);
		(0..3).for_each(|_| next_session());
		assert_validate(&[Alice, Bob, Charlie, Dave]);

		set_keys(Eve);
		(0..2).for_each(|_| next_session());
		assert_validate(&[Eve]);
	});
}

#[test]
fn new_keys_of_a_validator_are_taken_over() {
	on_local_network(|| {
		let before = Babe::authorities();
		set_keys(Alice);
		(0..2).for_each(|_| next_session());
		assert_validate(&[Alice, Bob, Charlie, Dave]);
		assert_ne!(Babe::authorities(), before);
	});
}

/// Each change costs every node a new GRANDPA set.
#[test]
fn nothing_changes_while_nobody_joins_or_leaves() {
	on_local_network(|| {
		(0..3).for_each(|_| next_session());
		assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 0);
	});
}

#[test]
fn only_root_gives_up_keys() {
	on_local_network(|| {
		let purge = RuntimeCall::from(pallet_session::Call::purge_keys {});
		let filtered = frame_system::Error::<Runtime>::CallFiltered;
		assert_noop!(purge.clone().dispatch(RuntimeOrigin::signed(account(Dave))), filtered);
		// Nor in a batch.
		assert_ok!(Utility::batch(RuntimeOrigin::signed(account(Dave)), vec![purge.clone()]));
		assert!(pallet_session::NextKeys::<Runtime>::contains_key(account(Dave)));

		assert!(purge.get_dispatch_info().call_weight.ref_time() > 0);
		let root = RuntimeOrigin::signed(account(Alice));
		assert_ok!(Sudo::sudo_as(root, account(Dave).into(), Box::new(purge)));
		assert!(!pallet_session::NextKeys::<Runtime>::contains_key(account(Dave)));
	});
}

#[test]
fn the_invariants_of_the_pallets_hold_after_a_change() {
	on_local_network(|| {
		set_keys(Eve);
		add(Eve);
		remove(Bob);
		(0..3).for_each(|_| next_session());
		super::assert_invariants();
	});
}
