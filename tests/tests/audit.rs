// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who does not keep what it should is found out, whatever it says of itself.
//!
//! One network of six miners serves those that are expelled in the end, miner 0 and miner 1, in any
//! order; the others are honest.

use anyhow::{Context, Result, ensure};
use planaria_primitives::FragmentId;
use planaria_sdk::api::{AuditLevel, MinerStanding, OrderCause};
use planaria_tests::{Cheat, Happened, Network, Shared, content, until, until_some};
use std::{fs, path::PathBuf};

const MIB: usize = 1 << 20;
/// The length of a file of which a miner holds 20 fragments: each that it fails for goes to others,
/// and it is expelled before it has lost all of them.
const HELD: usize = 320 * MIB;

static NETWORK: Shared = Shared::new(27100, 6);

/// Everything of this name that is about this miner.
fn about(network: &Network, since: u32, name: &str, miner: u32) -> Result<Vec<Happened>> {
	let mut events = network.events(since)?;
	events.retain(|event| event.name == name && event.is("miner", miner));
	Ok(events)
}

/// The levels a miner came to since a block.
fn levels(network: &Network, since: u32, miner: u32) -> Result<Vec<String>> {
	let struck = about(network, since, "Audit.Struck", miner)?;
	Ok(struck.iter().filter_map(|event| Some(event.fields["level"].as_str()?.into())).collect())
}

/// Nobody but this miner failed since a block.
fn ensure_others_passed(network: &Network, since: u32, but: u32) -> Result<()> {
	for miner in network.miners().filter(|miner| *miner != but) {
		let failed = about(network, since, "Audit.Failed", miner)?;
		ensure!(failed.is_empty(), "{failed:?}");
	}
	Ok(())
}

/// The stash says that its miner is there, and nothing else is done, until it is expelled: warned
/// first, then suspended, then slashed. What it held regrows without it.
fn ensure_expelled(network: &Network, miner: u32, since: u32, file: &str) -> Result<()> {
	for level in [AuditLevel::Warned, AuditLevel::Suspended, AuditLevel::Slashed] {
		until(&format!("miner {miner} is {level:?}"), || {
			network.say_alive(miner)?;
			Ok(network.miner(miner)?.audit.level >= level)
		})?;
	}
	until(&format!("miner {miner} is expelled"), || {
		let standing = network.miner(miner)?.standing;
		if standing == MinerStanding::Suspended {
			network.say_alive(miner)?;
		}
		Ok(matches!(standing, MinerStanding::Expelled | MinerStanding::Departed))
	})?;
	let came_to = levels(network, since, miner)?;
	ensure!(came_to.is_sorted_by_key(|level| rank(level)), "{came_to:?}");
	for level in ["Warned", "Suspended", "Slashed", "Expelled"] {
		ensure!(came_to.iter().any(|other| other == level), "never {level}: {came_to:?}");
	}
	ensure!(!about(network, since, "Miners.CollateralTaken", miner)?.is_empty());

	// Every fragment that was asked for in vain had an order at once.
	let events = network.events(since)?;
	for failed in events.iter().filter(|event| event.name == "Audit.Failed") {
		let ordered = events.iter().any(|event| {
			event.name == "Restore.OrderOpened"
				&& event.fragment() == failed.fragment()
				&& event.height <= failed.height
		});
		ensure!(ordered, "{failed:?} has no order");
	}
	until("all it held is with others", || Ok(network.fragments_on_chain(miner)? == 0))?;
	network.until_whole(file)?;
	for segment in 0..network.segments(file)?.len() {
		ensure!(!network.holders(file, segment)?.contains(&Some(miner)), "it holds something");
	}
	ensure_others_passed(network, since, miner)
}

fn rank(level: &str) -> Option<usize> {
	["Warned", "Suspended", "Slashed", "Expelled"].iter().position(|other| *other == level)
}

#[test]
fn who_says_that_it_is_alive_and_has_thrown_its_data_away_is_expelled() -> Result<()> {
	NETWORK.with(|network| {
		let bytes = content(41, HELD);
		let file = network.put_on(&bytes, "lean", &[0, 3, 4])?;
		let since = network.height()?;
		network.kill(0)?;
		network.wipe(0)?;
		until("it is warned", || {
			network.say_alive(0)?;
			Ok(network.miner(0)?.audit.strikes > 0)
		})?;
		let shown = network.planaria_text(&["miner", "status", "0"])?;
		ensure!(shown.contains("windows with failures"), "{shown}");
		ensure_expelled(network, 0, since, &file)?;
		network.check_get(&file, &bytes)
	})
}

/// The files of the hot keys in a miner's keystore.
fn hot_keys(network: &Network, miner: u32) -> Result<Vec<PathBuf>> {
	let keystore = network.data_of(miner).join("chains/planaria_dev/keystore");
	let mut keys = Vec::new();
	for entry in fs::read_dir(&keystore).with_context(|| keystore.display().to_string())? {
		let path = entry?.path();
		let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
		// The key type, `plan`.
		if name.starts_with("706c616e") {
			keys.push(path);
		}
	}
	Ok(keys)
}

#[test]
fn who_serves_and_does_not_answer_is_expelled() -> Result<()> {
	NETWORK.with(|network| {
		let bytes = content(42, HELD);
		let file = network.put_on(&bytes, "lean", &[1, 3, 4])?;
		let since = network.height()?;
		network.stop(1)?;
		let keys = hot_keys(network, 1)?;
		ensure!(!keys.is_empty(), "it has a hot key");
		for key in keys {
			fs::remove_file(key)?;
		}
		network.start(1)?;
		let stored = network.fragment_files(1)?.len();
		ensure_expelled(network, 1, since, &file)?;
		// It had everything all the time.
		ensure!(stored > 0 && network.fragment_files(1)?.len() >= stored);
		network.check_get(&file, &bytes)
	})
}

/// Audits do not find this one out: it has what it should. Readers and restorers go on without it.
#[test]
fn who_answers_and_does_not_serve_keeps_nobody_from_reading_or_restoring() -> Result<()> {
	let network = &Network::up(27500, 6)?;
	let bytes = content(43, 24 * MIB);
	let file = network.put_on(&bytes, "bitdust:4", &[1, 3, 4, 5])?;
	let since = network.height()?;
	network.kill(1)?;
	let mut cheat = Cheat::in_place_of(network, 1, &file, &bytes)?;
	// Somebody who wants to know has it asked.
	let index = network.holders(&file, 0)?.iter().position(|holder| *holder == Some(1));
	let index = u8::try_from(index.context("it holds one of each segment")?)?;
	let segment = network.segments(&file)?.first().context("a segment")?.id;
	let fragment = FragmentId { segment, index };
	until("somebody has it challenged", || {
		cheat.act(network)?;
		match network.challenge("//Bob", fragment) {
			// It was drawn.
			Err(error) if format!("{error:?}").contains("AlreadyChallenged") => Ok(false),
			challenged => challenged.map(|()| true),
		}
	})?;
	until("it has answered that, and others", || {
		cheat.act(network)?;
		let passed = about(network, since, "Audit.Answered", 1)?;
		Ok(passed.len() > 1 && !about(network, since, "Audit.DepositPaid", 1)?.is_empty())
	})?;
	network.check_get(&file, &bytes)?;

	// One of the others has lost a fragment of the same segment.
	let theirs = network.holders(&file, 0)?.iter().position(|holder| *holder == Some(3));
	let index = u8::try_from(theirs.context("it holds one of each segment")?)?;
	network.open_order(3, FragmentId { segment, index })?;
	let to = until_some("it is restored by another", || {
		cheat.act(network)?;
		let holder = network.holders(&file, 0)?[usize::from(index)];
		Ok(holder.filter(|holder| *holder != 3))
	})?;
	ensure!(to != 1, "who restores must fetch");
	ensure!(levels(network, since, 1)?.is_empty(), "it has answered everything");
	ensure!(network.orders()?.iter().all(|order| order.cause != OrderCause::Challenge));
	network.check_get(&file, &bytes)
}
