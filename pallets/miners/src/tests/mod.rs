// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, one file per concern.

mod absence;
mod brake;
mod collateral;
mod discipline;
mod duties;
mod leaving;
mod ledger;
mod params;
mod random;
mod registry;

// The pallet of the mock, not the storage of the same name.
use crate::{
	mock::{Miners, *},
	*,
};
use frame_support::pallet_prelude::DispatchResult;
use planaria_primitives::Tick;
use support::{MinerDirectory, MinerLedger, Moved, Purpose};

/// What somebody signs.
fn by(who: AccountId32) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

fn standing(id: MinerId) -> Option<Standing> {
	<Miners as MinerDirectory<_>>::get(id).map(|info| info.standing)
}

fn record(id: MinerId) -> MinerV0<AccountId32, Balance> {
	let Miner::V0(record) = crate::Miners::<Test>::get(id).expect("there is such a miner");
	record
}

fn load(id: MinerId) -> MinerLoad {
	Loads::<Test>::get(id).expect("the miner has not departed")
}

/// Places a fragment with a miner, which confirms it.
fn hold(id: MinerId, bytes: u64) -> DispatchResult {
	Miners::reserve(id, bytes, Purpose::Placement)?;
	Miners::settle(id, bytes, Purpose::Placement);
	Ok(())
}

/// Lets the miner be silent for too long, and has it marked.
#[track_caller]
fn make_absent(id: MinerId) {
	let unseen: Tick = Now::get() - load(id).last_seen;
	pass((params().absent_after + 1).saturating_sub(unseen));
	Miners::mark_absent(by(somebody()), id).expect("it was not seen");
}

fn suspend(id: MinerId) {
	<Miners as support::Discipline>::suspend(id).expect("it is not suspended yet");
}
