// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What must hold across the pallets, whatever happened: checked after every test of the whole
//! runtime, and by try-runtime. Each pallet checks its own part in its `try_state`.

use crate::{AccountId, Balances, Files, Rewards, Runtime, RuntimeHoldReason};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use frame_support::{ensure, traits::fungible::InspectHold};
use pallet_planaria_audit as audit;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::{FileState, grains};
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
	census()?;
	holds()?;
	stored()?;
	earnings()
}

/// Held bytes and fragments are those confirmed by their holder; reserved bytes are unconfirmed
/// placements and claims. What was placed with a miner that has departed is reserved nowhere.
fn loads() -> Result<(), TryRuntimeError> {
	let mut loads: BTreeMap<MinerId, Load> = BTreeMap::new();
	for (id, segment) in files::Segments::<Runtime>::iter() {
		let info = <Files as pallet_planaria_support::Fragments>::get(id)
			.ok_or("a segment without a file")?;
		for index in 0..segment.fragments() {
			let Some(holder) = segment.holder(index) else { continue };
			if segment.is_confirmed(index) {
				let load = loads.entry(holder).or_default();
				load.held += info.fragment_len();
				load.fragments += 1;
			} else if miners::Loads::<Runtime>::contains_key(holder) {
				loads.entry(holder).or_default().reserved += info.fragment_len();
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

/// What is counted are the bytes of the segments that were confirmed as a whole.
fn census() -> Result<(), TryRuntimeError> {
	let mut bytes = 0;
	for (id, segment) in files::Segments::<Runtime>::iter() {
		let info = <Files as pallet_planaria_support::Fragments>::get(id)
			.ok_or("a segment without a file")?;
		if segment.confirmed_count() == segment.fragments() {
			bytes += info.fragment_len() * u64::from(segment.fragments());
		}
	}
	// Each that is counted is one of these, which the pallet checks itself.
	ensure!(audit::Census::<Runtime>::get().bytes == bytes, "the census is not what is stored");
	Ok(())
}

/// Every hold of our pallets is recorded by one of them.
fn holds() -> Result<(), TryRuntimeError> {
	let reasons: [RuntimeHoldReason; 4] = [
		miners::HoldReason::Collateral.into(),
		files::HoldReason::StorageDeposit.into(),
		space::HoldReason::Deposit.into(),
		audit::HoldReason::ChallengeDeposit.into(),
	];
	// By account, and by which of the reasons.
	let mut recorded: BTreeMap<(AccountId, usize), u128> = BTreeMap::new();
	for (_, miner) in miners::Miners::<Runtime>::iter() {
		*recorded.entry((miner.stash.clone(), 0)).or_default() += miner.collateral;
	}
	for (_, file) in files::Files::<Runtime>::iter() {
		*recorded.entry((file.owner.clone(), 1)).or_default() += file.deposit;
	}
	for (owner, space) in space::Spaces::<Runtime>::iter() {
		*recorded.entry((owner, 2)).or_default() += space.deposit;
	}
	for (owner, _, operator) in space::Operators::<Runtime>::iter() {
		*recorded.entry((owner, 2)).or_default() += operator.deposit;
	}
	let named = audit::Requests::<Runtime>::iter_values().filter_map(|r| match r.subject {
		audit::Subject::Named(_, by) => Some(by),
		audit::Subject::Fresh(_) => None,
	});
	let challenged = audit::Challenges::<Runtime>::iter_values().filter_map(|c| c.by);
	for by in named.chain(challenged) {
		*recorded.entry((by.who, 3)).or_default() += by.deposit;
	}
	let accounts: Vec<AccountId> = frame_system::Account::<Runtime>::iter_keys().collect();
	for account in accounts {
		for (index, reason) in reasons.iter().enumerate() {
			let held = Balances::balance_on_hold(reason, &account);
			let expected = recorded.remove(&(account.clone(), index)).unwrap_or_default();
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

/// What is reserved and used of each space is what its owner's files take, and what flows out of the
/// pot is what the spaces pay.
fn stored() -> Result<(), TryRuntimeError> {
	let mut bytes: BTreeMap<AccountId, (u64, u64)> = BTreeMap::new();
	for (_, file) in files::Files::<Runtime>::iter() {
		let (reserved, used) = bytes.entry(file.owner.clone()).or_default();
		match file.state {
			FileState::Pending => *reserved += file.paid_bytes(),
			FileState::Active => *used += file.paid_bytes(),
			FileState::Deleting | FileState::Failed => (),
		}
	}
	let flow = Rewards::flow_now();
	let (mut paid, mut rate, mut left) = (0u64, 0u128, 0u128);
	for (owner, space) in space::Spaces::<Runtime>::iter() {
		let expected = bytes.remove(&owner).unwrap_or_default();
		ensure!((space.reserved, space.used) == expected, "a space's bytes are not its files'");
		left += space.left_at(flow.at);
		let stream = space.stream();
		if stream.ends > flow.at {
			paid += stream.bytes;
			rate += stream.rate;
		}
	}
	ensure!(bytes.values().all(|bytes| *bytes == (0, 0)), "files without space");
	ensure!((flow.paid, flow.rate) == (paid, rate), "what flows is not what the spaces pay");
	ensure!(flow.prepaid == left, "what was prepaid is not what is left of the spaces");
	let pledged = rewards::Pledged::<Runtime>::get();
	let owed = grains(pledged + crate::currency::EXISTENTIAL_DEPOSIT) + flow.total();
	let has = <Balances as frame_support::traits::fungible::Inspect<_>>::balance(&Rewards::pot());
	ensure!(grains(has) >= owed, "the pot has not what is in its ledgers");
	Ok(())
}

/// What each miner is paid for is what it holds, as long as its standing lets it earn. A bounty is
/// there only for a restore order.
fn earnings() -> Result<(), TryRuntimeError> {
	for (miner, account) in rewards::Accounts::<Runtime>::iter() {
		let load = miners::Loads::<Runtime>::get(miner).ok_or("a departed miner earns")?;
		ensure!(account.held == load.held, "a miner is paid for what it does not hold");
	}
	for (miner, load) in miners::Loads::<Runtime>::iter() {
		let account = rewards::Accounts::<Runtime>::get(miner);
		let earns = account.is_none_or(|account| account.earns);
		let record = miners::Miners::<Runtime>::get(miner).ok_or("a load without a miner")?;
		ensure!(earns == record.earns(), "a miner earns that should not, or does not that should");
		ensure!(account.is_some() || load.held == 0, "a miner is not paid for what it holds");
	}
	let bounties = rewards::Parameters::<Runtime>::get();
	ensure!(Rewards::is_covered(&bounties), "collateral does not pay for a bounty");
	for (fragment, pledge) in rewards::Pledges::<Runtime>::iter() {
		let ordered = restore::Orders::<Runtime>::contains_key(fragment);
		ensure!(ordered == pledge.open().is_some(), "a bounty without an order, or kept with one");
	}
	Ok(())
}
