// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, by concern. After each the pallet's properties are checked, and that the pot has exactly
//! what its ledgers say.

use crate::{
	mock::{Rewards, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{Bounties, Pot, Stream, grains};
use planaria_primitives::MinerId;

mod bounties;
mod claim;
mod flow;
mod params;
mod random;

/// So many bytes at a price of 1 cost a part in each tick.
const TIB: u64 = 1 << 40;

/// A whole fragment. Its bounty is 108.
const LONG: u64 = 8 << 20;

fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

fn claim(miner: u32) -> frame_support::pallet_prelude::DispatchResult {
	Rewards::claim(signed(BOB), MinerId(miner))
}

fn claimable(miner: u32) -> Balance {
	Rewards::claimable(MinerId(miner))
}

/// What nobody has earned, in parts.
fn unearned() -> Balance {
	pallet_planaria_support::whole(Rewards::flow_now().unearned)
}
