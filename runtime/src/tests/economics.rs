// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The arithmetic of `docs/economics.md`, from the parameters of a public network.

use super::*;
use crate::{
	Balance,
	currency::UNIT,
	time::{DAYS, HOURS},
};
use pallet_planaria_space::cost;
use pallet_planaria_support::whole;
use planaria_primitives::{CodingParams, FileSpec, MAX_FRAGMENT_LEN};
use std::fs;

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const MONTH: u32 = 30 * DAYS;

fn document() -> String {
	fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/economics.md")).unwrap()
}

/// An amount in PLAN, with as many decimals as are needed, and with separators.
fn plan(amount: Balance) -> String {
	let tokens = (amount / UNIT).to_string();
	let groups: Vec<&[u8]> = tokens.as_bytes().rchunks(3).rev().collect();
	let tokens = String::from_utf8(groups.join(&b',')).unwrap();
	let decimals = format!("{:012}", amount % UNIT);
	let decimals = decimals.trim_end_matches('0');
	if decimals.is_empty() { tokens } else { format!("{tokens}.{decimals}") }
}

#[track_caller]
fn assert_stated(document: &str, what: &str, amount: Balance) {
	let row = format!("| {what} | {} |", plan(amount));
	assert!(document.contains(&row), "docs/economics.md should say: {row}");
}

/// What so many bytes cost for so long; the price is rounded down to a part, so the sum is a little
/// less than meant.
fn price(bytes: u64, ticks: u32) -> Balance {
	whole(cost(bytes, ticks, presets::production_space().price).unwrap())
}

/// Rounded to a hundred thousandth of a PLAN, which is more than the price is rounded by.
fn about(amount: Balance) -> Balance {
	const STEP: Balance = UNIT / 100_000;
	(amount + STEP / 2) / STEP * STEP
}

fn stored(size: u64, coding: CodingParams) -> u64 {
	FileSpec::new(size, coding).unwrap().stored_bytes()
}

#[test]
fn what_a_user_pays() {
	let document = document();
	let stated = |what: &str, amount| assert_stated(&document, what, amount);
	let (standard, lean) = (CodingParams::STANDARD, CodingParams::LEAN);
	stated("1 TiB stored, a month", about(price(TIB, MONTH)));
	let month = |size, coding| about(price(stored(size, coding), MONTH));
	stated("a file of 1 TiB with `standard`, a month", month(TIB, standard));
	stated("a file of 1 TiB with `lean`, a month", month(TIB, lean));
	let year = price(stored(TIB, standard), 365 * DAYS);
	stated("a file of 1 TiB with `standard`, a year of 365 days", about(year / 100) * 100);
	let small = 3 * 100 * UNIT / 1024;
	assert!(small - price(stored(GIB, standard), MONTH) < UNIT / 1_000_000);
	stated("a file of 1 GiB with `standard`, a month", small);

	let deposit = |coding| {
		let segments = FileSpec::new(TIB, coding).unwrap().segments();
		presets::production_files().deposit(segments).unwrap()
	};
	let held = "held meanwhile, and returned, for a file of 1 TiB with";
	stated(&format!("{held} `standard`"), deposit(standard));
	stated(&format!("{held} `lean`"), deposit(lean));
	// What is not stored is not paid for.
	assert_eq!(about((price(10 * TIB, MONTH) - price(TIB, MONTH)) / 10) * 10, 900 * UNIT);
}

#[test]
fn what_a_miner_locks_earns_and_risks() {
	let document = document();
	let stated = |what: &str, amount| assert_stated(&document, what, amount);
	let (miners, rewards) = (presets::production_miners(), presets::production_rewards());
	let fragment = u64::from(MAX_FRAGMENT_LEN);
	let bounty = rewards.bounty(fragment);
	let fragments = Balance::from(10 * TIB / fragment);

	stated("locks as collateral", miners.required(10 * TIB));
	stated(
		"earns in a month, all of it full and paid for",
		about(price(10 * TIB, MONTH) / 10) * 10,
	);
	stated("does not earn, for a day of absence", price(10 * TIB, DAYS));
	stated("pays for one broken fragment of 8 MiB", bounty);
	let locked = miners.for_bytes(fragment);
	stated("has locked for that fragment, and pays if its segment is lost for good", locked);
	// Nine of twelve are gone.
	assert!(
		document
			.contains(&format!("that is {} PLAN, the price of it for 23 days", plan(9 * locked)))
	);
	assert_eq!(9 * locked / price(12 * fragment, DAYS), 23);
	stated("pays if everything is lost", bounty * fragments);
	stated("pays for leaving with everything", bounty / 2 * fragments);
	stated("pays for a wrong proof", miners.wrong_proof_fee);
	stated("pays for the first claim it lets expire", presets::production_restore().penalty(0));

	// It can pay for all of it, and the base for so many of the smallest.
	assert!(bounty < miners.for_bytes(fragment));
	assert!(bounty * fragments < miners.required(10 * TIB));
	assert_eq!(miners.collateral_base / rewards.bounty(0), 50_000);
}

#[test]
fn what_restoring_pays() {
	let document = document();
	let stated = |what: &str, amount| assert_stated(&document, what, amount);
	let fragment = u64::from(MAX_FRAGMENT_LEN);
	let bounty = presets::production_rewards().bounty(fragment);
	stated("a fragment of 8 MiB from a miner that failed, at once", bounty - bounty / 2);
	stated("the same, after a week", bounty / 2);
	let half = bounty / 2;
	stated("a fragment of 8 MiB from a miner that leaves, at once", half - half / 2);
	stated("holding it then, for a month", price(fragment, MONTH));
}

#[test]
fn the_parameters_are_those() {
	let document = document();
	let space = presets::production_space();
	let rewards = presets::production_rewards();
	let is = |name: &str, value: String| {
		let row = format!("| `{name}` | {value} |");
		assert!(document.contains(&row), "docs/economics.md should say: {row}");
	};
	let money = |amount| format!("{} PLAN", plan(amount));
	assert_eq!((space.price, space.min_bytes), (231_481_481, GIB));
	assert_eq!((space.grace, space.max_ticks), (100_800, 14_400_000));
	assert_eq!(rewards.bounty_hold, 100_800);
	assert_eq!((DAYS, HOURS), (14_400, 600));
	is("space.deposit", money(space.deposit));
	is("rewards.bountyBase", money(rewards.bounty_base));
	is("rewards.bountyPerGib", money(rewards.bounty_per_gib));
	is("miners.collateralBase", money(presets::production_miners().collateral_base));
	is("miners.collateralPerGib", money(presets::production_miners().collateral_per_gib));
	is("miners.wrongProofFee", money(presets::production_miners().wrong_proof_fee));
	is("restore.claimPenalty", money(presets::production_restore().claim_penalty));
	is("files.depositBase", money(presets::production_files().deposit_base));
	is("files.depositPerSegment", money(presets::production_files().deposit_per_segment));
	// What a chain has without a preset is the same.
	assert_eq!(space, Default::default());
}
