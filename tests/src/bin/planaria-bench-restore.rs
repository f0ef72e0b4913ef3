// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What restoring costs on a network of real processes, and how fast one miner does it.
//!
//! Prints one JSON object per line, as `scripts/bench.sh` does. Takes up to 7 GiB of disk.
//!
//! Usage: `planaria-bench-restore [PORT]` (the first of 800 ports, default 26400).

use anyhow::{Context, Result};
use planaria_primitives::FragmentId;
use planaria_sdk::chain::calls;
use planaria_tests::{Network, content, until};
use serde_json::json;
use std::{
	ops::Range,
	thread::sleep,
	time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

fn main() -> Result<()> {
	let port = std::env::args().nth(1).map_or(Ok(26_400), |text| text.parse())?;
	traffic(port)?;
	speed(port + 400)
}

/// One row of the table.
fn row(name: &str, value: f64, unit: &str, goal: f64, met: bool) {
	let row = json!({
		"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit,
		"baseline": null, "ratio": null, "goal": goal, "met": met,
	});
	println!("{row}");
}

/// The sum of a total over these miners.
fn sum(network: &Network, miners: &[u32], name: &str) -> Result<u64> {
	miners.iter().map(|miner| network.total(*miner, name)).sum()
}

/// The fragments that a miner holds of a file.
fn held(network: &Network, file: &str, miner: u32) -> Result<Vec<FragmentId>> {
	let mut held = Vec::new();
	for segment in network.segments(file)? {
		for (index, fragment) in (0..).zip(&segment.fragments) {
			if fragment.holder.is_some_and(|holder| holder.0 == miner) {
				held.push(FragmentId { segment: segment.id, index });
			}
		}
	}
	Ok(held)
}

/// Miners die at once, and their fragments are to be restored at once.
fn lose(network: &Network, file: &str, miners: Range<u32>) -> Result<()> {
	let mut lost = Vec::new();
	for miner in miners {
		network.kill(miner)?;
		network.wipe(miner)?;
		lost.push((miner, held(network, file, miner)?));
	}
	std::thread::scope(|scope| {
		let opening = lost.iter().map(|(miner, held)| {
			scope.spawn(move || {
				held.chunks(64).try_for_each(|fragments| {
					network.submit(&format!("//Miner/{miner}"), &calls::open(fragments)).map(drop)
				})
			})
		});
		let opening: Vec<_> = opening.collect();
		opening.into_iter().try_for_each(|it| it.join().expect("submitting does not panic"))
	})
}

/// Bytes read per byte restored: four of twelve gone, and one that leaves.
fn traffic(port: u16) -> Result<()> {
	let network = Network::up(port, 16)?;
	let holders: Vec<u32> = (0..12).collect();
	let lost = 0..4;
	let alive: Vec<u32> = (4..16).collect();
	let file = network.put_on(&content(1, 128 * MIB), "standard", &holders)?;

	lose(&network, &file, lost)?;
	network.until_whole(&file)?;
	let restored = sum(&network, &alive, "bytes_restored")? as f64;
	let read = sum(&network, &alive, "bytes_read")? as f64 / restored;
	row("restore/cooperative-4-of-12-read", read, "bytes per byte", 1.3, read <= 1.3);
	if let Ok(passed) = sum(&network, &alive, "bytes_cooperated") {
		let passed = passed as f64 / restored;
		row("restore/cooperative-4-of-12-passed-on", passed, "bytes per byte", 1.0, passed <= 1.0);
	}

	for miner in 0..4 {
		network.start(miner)?;
	}
	network.until_serving(0..4)?;
	let leaver = 4;
	let others: Vec<u32> = network.miners().filter(|miner| *miner != leaver).collect();
	let before = [sum(&network, &others, "bytes_read")?, sum(&network, &others, "bytes_restored")?];
	network.planaria(&["miner", "exit", "--stash", &format!("//Miner/{leaver}")])?;
	until("all of it has moved", || Ok(network.fragments_on_chain(leaver)? == 0))?;
	let read = (sum(&network, &others, "bytes_read")? - before[0]) as f64;
	let moved = (sum(&network, &others, "bytes_restored")? - before[1]) as f64;
	let copied = read / moved;
	row("restore/copy-from-leaving", copied, "bytes per byte", 1.02, copied <= 1.02);
	Ok(())
}

/// How fast one miner restores many fragments, with the cores shared by the whole network.
fn speed(port: u16) -> Result<()> {
	let network = Network::up(port, 5)?;
	let file = network.put_on(&content(2, 2048 * MIB), "lean", &[0, 1, 2])?;

	// Miner 3 alone can take over what miner 0 leaves; then miner 4 alone what miner 1 loses.
	network.stop(4)?;
	let bytes = network.miner(0)?.held;
	network.planaria(&["miner", "exit", "--stash", "//Miner/0"])?;
	let rate = watch(&network, 3, bytes)?;
	row("restore/one-miner-copies", rate, "MiB/s", 60.0, rate >= 60.0);
	until("all of it has moved", || Ok(network.fragments_on_chain(0)? == 0))?;

	network.start(4)?;
	network.until_serving([4])?;
	let bytes = network.miner(1)?.held;
	lose(&network, &file, 1..2)?;
	let rate = watch(&network, 4, bytes)?;
	row("restore/one-miner-rebuilds", rate, "MiB/s", 60.0, rate >= 60.0);
	network.until_whole(&file)
}

/// The rate at which a miner restores so many bytes, from its first claim to the last fragment on
/// its disk, in MiB/s.
fn watch(network: &Network, miner: u32, bytes: u64) -> Result<f64> {
	let before = network.total(miner, "bytes_restored")?;
	until("it has claimed something", || Ok(network.miner(miner)?.claims > 0))?;
	let begun = Instant::now();
	loop {
		let restored = network.total(miner, "bytes_restored")? - before;
		if restored >= bytes {
			return Ok(restored as f64 / MIB as f64 / begun.elapsed().as_secs_f64());
		}
		let late = begun.elapsed() > 4 * planaria_tests::LIMIT;
		(!late).then_some(()).with_context(|| format!("only {restored} of {bytes} restored"))?;
		sleep(Duration::from_millis(100));
	}
}
