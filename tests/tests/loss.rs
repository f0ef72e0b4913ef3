// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The verdict on segments of which too little is left, as users see it.

use anyhow::{Context, Result, ensure};
use planaria_sdk::api::VerdictStatus;
use planaria_tests::{Network, Shared, content, until};
use serde_json::Value;

const MIB: usize = 1 << 20;

/// Four miners: the fourth can restore what one of three holders had, not what two had.
static NETWORK: Shared = Shared::new(25200, 4);

/// Absence after 20 ticks, and the countdown to lost in three times this many.
fn hurry(network: &Network, claim_period: u128) -> Result<()> {
	network.set_params("Miners", &[("alive_every", 7), ("absent_after", 20)])?;
	network.set_params("Restore", &[("claim_period", claim_period)])
}

/// What `planaria file status` shows of a file's first segment.
fn shown(network: &Network, file: &str) -> Result<Value> {
	let status = network.planaria(&["file", "status", file, "--all"])?;
	let segment = find(&status, "verdict").context("no segment is shown")?;
	Ok(segment.clone())
}

/// The first record with this field.
fn find<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
	match value {
		Value::Object(fields) if fields.contains_key(field) => Some(value),
		Value::Object(fields) => fields.values().find_map(|value| find(value, field)),
		Value::Array(values) => values.iter().find_map(|value| find(value, field)),
		_ => None,
	}
}

fn holders(network: &Network, file: &str) -> Result<Vec<u32>> {
	Ok(network.holders(file, 0)?.into_iter().flatten().collect())
}

fn suspected(network: &Network, file: &str) -> Result<()> {
	until("it is suspected lost", || {
		Ok(matches!(network.segments(file)?[0].verdict, Some(VerdictStatus::Suspected { .. })))
	})
}

/// The file cannot be read, and the command line says so.
fn ensure_unreadable(network: &Network, file: &str) -> Result<()> {
	let output = network.planaria_raw(&["get", file, "-o", "-"])?;
	ensure!(output.status.code() == Some(6), "{output:?}");
	Ok(())
}

#[test]
fn a_segment_is_suspected_lost_and_cleared_when_a_holder_returns() -> Result<()> {
	NETWORK.with(|network| {
		// Long enough for a holder that starts on a busy machine.
		hurry(network, 200)?;
		let since = network.height()?;
		let bytes = content(21, 4 * MIB);
		let file = network.put(&bytes, "lean")?;
		let held = holders(network, &file)?;
		network.kill(held[0])?;
		network.kill(held[1])?;
		ensure_unreadable(network, &file)?;
		suspected(network, &file)?;
		let segment = shown(network, &file)?;
		ensure!(segment["spare"] == -1, "{segment}");
		ensure!(segment["verdict"]["suspected"]["deadline"].is_u64(), "{segment}");
		let targets = network.planaria(&["restore", "targets"])?;
		ensure!(targets.as_array().is_some_and(|targets| targets.len() == 2), "{targets}");

		network.start(held[0])?;
		until("the suspicion is cleared", || Ok(network.segments(&file)?[0].verdict.is_none()))?;
		network.check_get(&file, &bytes)?;
		let events = network.events(since)?;
		ensure!(!events.iter().any(|event| event.name == "Restore.SegmentLost"));
		// What the other one held is restored to the fourth, unless it is back before.
		network.until_whole(&file)?;
		network.start(held[1])?;
		network.until_serving(network.miners())?;
		network.check_get(&file, &bytes)
	})
}

#[test]
fn a_lost_segment_is_found_when_a_holder_returns() -> Result<()> {
	NETWORK.with(|network| {
		hurry(network, 15)?;
		let bytes = content(22, 4 * MIB);
		let file = network.put(&bytes, "lean")?;
		let held = holders(network, &file)?;
		network.kill(held[0])?;
		network.kill(held[1])?;
		suspected(network, &file)?;
		until("it is lost", || {
			Ok(matches!(network.segments(&file)?[0].verdict, Some(VerdictStatus::Lost { .. })))
		})?;
		ensure!(network.file(&file)?.lost == 1);
		let segment = shown(network, &file)?;
		ensure!(segment["verdict"]["lost"]["since"].is_u64(), "{segment}");
		ensure_unreadable(network, &file)?;

		// It was a verdict, nothing is deleted: one of the two is enough.
		network.start(held[0])?;
		until("it is found", || Ok(network.segments(&file)?[0].verdict.is_none()))?;
		ensure!(network.file(&file)?.lost == 0);
		network.check_get(&file, &bytes)?;
		network.until_whole(&file)?;
		network.start(held[1])?;
		network.until_serving(network.miners())?;
		network.check_get(&file, &bytes)
	})
}
