// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, by concern. After each the pallet's properties are checked, that what flows is what the
//! spaces say, and that usage is what is stored.

// The pallet of the mock, not the record of the same name.
use crate::{
	mock::{Space, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::grains;
use planaria_primitives::{FileIndex, Tick};

mod buy;
mod lapse;
mod ledger;
mod operators;
mod params;
mod random;

fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Alice buys ten TiB up to tick 100: 99 ticks at 70 parts each.
fn bought() {
	assert_ok!(Space::buy(signed(ALICE), 10 * TIB, 99));
	events();
}

fn space(owner: AccountId) -> SpaceV0 {
	let crate::Space::V0(space) = Spaces::<Test>::get(owner).expect("it was bought");
	space
}

/// What an account can spend.
fn purse(who: AccountId) -> Balance {
	Balances::free_balance(who)
}

fn order(owner: AccountId, by: AccountId, bytes: u64) -> FileIndex {
	MockFiles::order(owner, by, bytes).expect("there is room")
}

/// Alice stores so much.
fn stored(bytes: u64) -> FileIndex {
	let file = order(ALICE, ALICE, bytes);
	MockFiles::activate(file);
	file
}
