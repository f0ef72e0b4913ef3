// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What must hold across the pallets, whatever happened: checked after every test of the whole
//! runtime, and by try-runtime. Each pallet checks its own part in its `try_state`.

use crate::{AccountId, Balances, Files, Runtime, RuntimeHoldReason};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use frame_support::{ensure, traits::fungible::InspectHold};
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_support::FileState;
use planaria_primitives::{FragmentId, MinerId};
use sp_runtime::TryRuntimeError;

/// What a miner's load should be, from the segments and the claims.
#[derive(Default, PartialEq, Eq, Debug)]
struct Load {
	held: u64,
	reserved: u64,
	fragments: u32,
	claims: u32,
}

/// All invariants.
pub fn check() -> Result<(), TryRuntimeError> {
	loads()?;
	orders()?;
	holds()
}

/// Held bytes and fragments are those confirmed by their holder; reserved bytes are unconfirmed
/// placements and claims.
fn loads() -> Result<(), TryRuntimeError> {
	let mut loads: BTreeMap<MinerId, Load> = BTreeMap::new();
	for (id, segment) in files::Segments::<Runtime>::iter() {
		let info = <Files as pallet_planaria_support::Fragments>::get(id)
			.ok_or("a segment without a file")?;
		for index in 0..segment.fragments() {
			let Some(holder) = segment.holder(index) else { continue };
			let load = loads.entry(holder).or_default();
			if segment.is_confirmed(index) {
				load.held += info.fragment_len();
				load.fragments += 1;
			} else {
				load.reserved += info.fragment_len();
			}
		}
	}
	for (miner, segment, _) in restore::ClaimsOf::<Runtime>::iter() {
		let info = <Files as pallet_planaria_support::Fragments>::get(segment)
			.ok_or("a claim in a segment that is gone")?;
		let load = loads.entry(miner).or_default();
		load.reserved += info.fragment_len();
		load.claims += 1;
	}
	for (miner, load) in miners::Loads::<Runtime>::iter() {
		let actual = Load {
			held: load.held,
			reserved: load.reserved,
			fragments: load.fragments,
			claims: load.claims,
		};
		let expected = loads.remove(&miner).unwrap_or_default();
		if actual != expected {
			log::error!("{miner:?} has the load {actual:?} instead of {expected:?}");
			return Err("a miner's load is not the sum of its fragments and claims".into());
		}
	}
	ensure!(loads.is_empty(), "an unknown miner has a load");
	Ok(())
}

/// A restoring bit is set exactly where an order exists, and only for confirmed fragments.
fn orders() -> Result<(), TryRuntimeError> {
	let orders: BTreeSet<FragmentId> = restore::Orders::<Runtime>::iter_keys().collect();
	let mut restoring = BTreeSet::new();
	for (id, segment) in files::Segments::<Runtime>::iter() {
		ensure!(segment.restoring & !segment.confirmed == 0, "restoring what is not confirmed");
		restoring.extend(
			(0..segment.fragments())
				.filter(|index| segment.is_restoring(*index))
				.map(|index| FragmentId { segment: id, index }),
		);
	}
	ensure!(orders == restoring, "the restoring bits are not the orders");
	Ok(())
}

/// Every hold of our pallets is recorded by one of them.
fn holds() -> Result<(), TryRuntimeError> {
	let collateral: RuntimeHoldReason = miners::HoldReason::Collateral.into();
	let deposit: RuntimeHoldReason = files::HoldReason::StorageDeposit.into();
	let mut recorded: BTreeMap<(AccountId, bool), u128> = BTreeMap::new();
	for (_, miner) in miners::Miners::<Runtime>::iter() {
		*recorded.entry((miner.stash.clone(), true)).or_default() += miner.collateral;
	}
	for (_, file) in files::Files::<Runtime>::iter() {
		*recorded.entry((file.owner.clone(), false)).or_default() += file.deposit;
	}
	let accounts: Vec<AccountId> = frame_system::Account::<Runtime>::iter_keys().collect();
	for account in accounts {
		for (reason, is_collateral) in [(collateral, true), (deposit, false)] {
			let held = Balances::balance_on_hold(&reason, &account);
			let expected = recorded.remove(&(account.clone(), is_collateral)).unwrap_or_default();
			ensure!(held == expected, "a hold that no pallet recorded");
		}
	}
	ensure!(recorded.values().all(|amount| *amount == 0), "a recorded hold that does not exist");
	// An active file has had every fragment confirmed.
	ensure!(
		files::Files::<Runtime>::iter()
			.all(|(_, file)| { file.state != FileState::Active || file.unconfirmed == 0 }),
		"an active file with unconfirmed fragments"
	);
	Ok(())
}
