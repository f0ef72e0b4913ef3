// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Money on the whole chain: from who stores to who holds, and from who lost to who restored. That
//! every hold is recorded and the pot has what it owes is checked after every block.

use super::{network::*, *};
use crate::{Balances, Clock, Files, Rewards, RuntimeHoldReason, Space, currency::UNIT};
use frame_support::traits::fungible::{Inspect, InspectHold};
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::{Clock as _, Discipline, FileState, SpaceLedger, whole};
use planaria_primitives::{CodingParams, FileId, MinerId, PlacementRule};

/// Buys space of its own, unlike the accounts that begin with some.
const USER: Sr25519Keyring = Sr25519Keyring::One;

fn free(who: Sr25519Keyring) -> u128 {
	Balances::balance(&account(who))
}

fn stake(miner: u32) -> u128 {
	let reason: RuntimeHoldReason = miners::HoldReason::Collateral.into();
	Balances::balance_on_hold(&reason, &account(STASHES[miner as usize]))
}

fn price() -> u128 {
	space::Parameters::<Runtime>::get().price
}

/// What a byte has earned since the beginning.
fn per_byte() -> u128 {
	Rewards::flow_now().per_byte
}

/// The user has something to buy space with, and buys the least there is.
fn user_buys(chain: &mut Chain) {
	let params = space::Parameters::<Runtime>::get();
	chain.block(|| {
		let (dest, value) = (account(USER).into(), 10 * UNIT);
		let fund = pallet_balances::Call::transfer_keep_alive { dest, value };
		apply_ok(signed(&OWNER.pair(), fund));
	});
	let buy = space::Call::buy { bytes: params.min_bytes, ticks: params.grace + 20 };
	chain.block(|| apply_ok(signed(&USER.pair(), buy)));
}

fn order(payer: Option<AccountId>) -> files::Call<Runtime> {
	let (id, coding, label) = (FileId([9; 32]), CodingParams::LEAN, Default::default());
	let placement = PlacementRule::Chosen;
	files::Call::order { id, size: 1_000, coding, label, payer, placement }
}

#[test]
fn who_stores_pays_who_holds() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let (earned, then) = (per_byte(), Clock::now());
		let left = space::Spaces::<Runtime>::get(account(OWNER)).unwrap().left_at(then);
		chain.blocks(100);
		let ticks = u128::from(Clock::now() - then);
		assert!(ticks >= 90, "{ticks}");
		assert_eq!(per_byte() - earned, price() * ticks);
		let now_left = space::Spaces::<Runtime>::get(account(OWNER)).unwrap().left_at(Clock::now());
		assert_eq!(left - now_left, price() * ticks * u128::from(3 * file.fragment_len()));

		let (claimable, before) = (Rewards::claimable(MinerId(1)), free(STASHES[1]));
		assert!(claimable > 0);
		let claim = rewards::Call::claim { miner: MinerId(1) };
		chain.block(|| apply_ok(signed(&OWNER.pair(), claim)));
		let paid = free(STASHES[1]) - before;
		let tick = whole(price() * u128::from(file.fragment_len()) * 2) + 1;
		assert!((claimable..=claimable + tick).contains(&paid), "{paid} of {claimable}");
		assert_eq!(Rewards::claimable(MinerId(3)), 0);
	});
}

#[test]
fn who_is_away_earns_nothing_and_nobody_more() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		crate::Miners::absent(MinerId(1)).unwrap();
		let (away, there) = (Rewards::claimable(MinerId(1)), Rewards::claimable(MinerId(0)));
		let (unearned, then) = (Rewards::flow_now().unearned, Clock::now());
		chain.blocks(30);
		let share = price() * u128::from(file.fragment_len()) * u128::from(Clock::now() - then);
		assert_eq!(Rewards::claimable(MinerId(1)), away);
		let earned = Rewards::claimable(MinerId(0)) - there;
		assert!(earned.abs_diff(whole(share)) <= 1, "{earned}");
		assert_eq!(Rewards::flow_now().unearned - unearned, share);

		let issuance = total_issuance();
		let burn = rewards::Call::burn {};
		chain.block(|| apply_ok(signed(&OWNER.pair(), burn)));
		assert!(total_issuance() < issuance);
	});
}

#[test]
fn who_lost_a_fragment_pays_who_restored_it() {
	on_network(|chain| {
		without_audits();
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		let params = rewards::Parameters::<Runtime>::get();
		let bounty = params.bounty(file.fragment_len());
		let (issuance, before) = (total_issuance(), free(STASHES[3]));
		chain.block(|| apply_ok(open(0, &[fragment])));
		assert_eq!(stake(0), COLLATERAL - bounty);
		chain.block(|| apply_ok(claim(3, &[fragment])));
		chain.block(|| apply_duty(&ready(3, &[fragment])));
		chain.blocks(restore::SEED_DELAY - 1);
		chain.block(|| apply_report(&report(3, file.proofs(3))));
		assert_eq!(file.holder(0), Some(3));
		assert_eq!(free(STASHES[3]), before + bounty - bounty / 2);
		chain.blocks(params.bounty_hold + 2);
		assert_eq!(free(STASHES[3]), before + bounty);
		assert_eq!((rewards::Pledged::<Runtime>::get(), total_issuance()), (0, issuance));
	});
}

#[test]
fn a_bounty_for_nothing_returns() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		crate::Miners::absent(MinerId(1)).unwrap();
		// The brake is engaged, but the segment has nothing to spare.
		chain.block(|| apply_ok(open(3, &[file.fragment(1)])));
		assert!(stake(1) < COLLATERAL);
		let delete = files::Call::delete { file: file.index };
		chain.block(|| apply_ok(signed(&OWNER.pair(), delete)));
		chain.blocks(2);
		assert_eq!(file.state(), None);
		assert_eq!(stake(1), COLLATERAL);
	});
}

#[test]
fn a_space_lapses_with_everything_in_it() {
	on_network(|chain| {
		let issuance = total_issuance();
		assert!(apply_in(chain, signed(&USER.pair(), order(None))).is_err());
		user_buys(chain);
		let (user, until) =
			(account(USER), space::Spaces::<Runtime>::get(account(USER)).unwrap().until);
		chain.block(|| apply_ok(signed(&USER.pair(), order(None))));
		// Nobody orders in its name whom it has not authorised.
		let by_owner = || signed(&OWNER.pair(), order(Some(account(USER))));
		assert!(apply_in(chain, by_owner()).unwrap().is_err());
		let operator = account(OWNER);
		let authorise = space::Call::authorise { operator, bytes: 1 << 20, until };
		chain.block(|| apply_ok(signed(&USER.pair(), authorise)));
		assert!(apply_in(chain, by_owner()).unwrap().is_ok());
		assert_eq!(Files::files_of(&user, None, 10).len(), 2);

		let grace = space::Parameters::<Runtime>::get().grace;
		while Clock::now() <= until - grace {
			chain.blocks(1);
		}
		let in_grace = apply_in(chain, signed(&USER.pair(), order(None))).unwrap();
		assert_eq!(in_grace, Err(space::Error::<Runtime>::InGrace.into()));
		assert_eq!(Files::files_of(&user, None, 10).len(), 2);
		while Clock::now() <= until + 3 {
			chain.blocks(1);
		}
		assert!(Files::files_of(&user, None, 10).is_empty());
		assert!(space::Spaces::<Runtime>::get(&user).is_none());
		assert_eq!(Balances::total_balance_on_hold(&user), 0);
		assert_eq!(total_issuance(), issuance);
	});
}

#[test]
fn what_is_over_frees_its_space() {
	on_network(|chain| {
		let used = || {
			let space = space::Spaces::<Runtime>::get(account(OWNER)).unwrap();
			(space.reserved, space.used)
		};
		let file = chain.block(|| TestFile::order(1));
		let bytes = 3 * file.fragment_len();
		assert_eq!(used(), (bytes, 0));
		chain.blocks(files::Parameters::<Runtime>::get().order_timeout + 2);
		assert_eq!((file.state(), used()), (None, (0, 0)));
		let file = TestFile::stored(chain, 2, [0, 1, 2]);
		assert_eq!((file.state(), used()), (Some(FileState::Active), (0, bytes)));
		let delete = files::Call::delete { file: file.index };
		chain.block(|| apply_ok(signed(&OWNER.pair(), delete)));
		assert_eq!(used(), (0, 0));
		assert_eq!(Rewards::flow_now().paid, 0);
		// All of it is free again.
		let bytes = space::Spaces::<Runtime>::get(account(OWNER)).unwrap().bytes;
		assert!(Space::reserve(&account(OWNER), &account(OWNER), bytes).is_ok());
		Space::release(&account(OWNER), &account(OWNER), bytes, Clock::now());
	});
}

/// What comes of a transaction in a block of its own.
fn apply_in(chain: &mut Chain, extrinsic: UncheckedExtrinsic) -> sp_runtime::ApplyExtrinsicResult {
	chain.block(|| apply(&extrinsic))
}
