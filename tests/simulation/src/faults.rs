// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What goes wrong when: drawn before the run begins.

use crate::{
	config::{Config, Fault, QUIET_DAYS},
	node::Lie,
};
use rand::{Rng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;

/// A minute, in milliseconds.
pub const MINUTE: u64 = 60_000;
/// An hour.
pub const HOUR: u64 = 60 * MINUTE;
/// A day.
pub const DAY: u64 = 24 * HOUR;

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub enum Mishap {
	/// The machine is down for a while.
	Down {
		/// Which.
		node: usize,
		/// For how long.
		millis: u64,
	},
	/// The disk loses this share of its fragments.
	DiskLost {
		/// Which.
		node: usize,
		/// How much.
		percent: u8,
	},
	/// The machine never comes back.
	Dies(usize),
	/// The line is slow from now on.
	Slows(usize),
	/// The machine lies from now on.
	Lies(usize, Lie),
	/// These reach nobody else, nor the chain.
	Cut {
		/// Which.
		nodes: Vec<usize>,
		/// For how long.
		millis: u64,
	},
	/// The chain forks.
	Fork {
		/// For so many blocks.
		blocks: u32,
		/// Files deleted on the losing branch.
		deletes: u32,
	},
	/// The miner leaves.
	Exits(usize),
	/// A file is deleted.
	Deletes,
}

/// Everything that goes wrong from `begin` on, with its time, in order.
pub fn plan(config: &Config, begin: u64, rng: &mut ChaCha8Rng) -> Vec<(u64, Fault, Mishap)> {
	let miners = config.miners as usize;
	let days = f64::from(config.days - QUIET_DAYS);
	let end = begin + u64::from(config.days - QUIET_DAYS) * DAY;
	let mut planned = Vec::new();
	// How often something happens that happens `rate` times a day, at least once.
	let times = |rate: f64| ((rate * days).round() as usize).max(1);
	let n = miners as f64;
	for fault in &config.faults {
		let mut add = |at, mishap| planned.push((at, *fault, mishap));
		match fault {
			Fault::Crash => {
				for _ in 0..times(n * 0.2) {
					let millis = match rng.random_range(0..10) {
						0 => rng.random_range(HOUR..4 * HOUR),
						1 => rng.random_range(4 * HOUR..40 * HOUR),
						_ => rng.random_range(10_000..20 * MINUTE),
					};
					let node = rng.random_range(0..miners);
					add(rng.random_range(begin..end), Mishap::Down { node, millis });
				}
			},
			Fault::Disk => {
				for _ in 0..times(n * 0.003) {
					let percent = if rng.random() { 100 } else { rng.random_range(1..60) };
					let node = rng.random_range(0..miners);
					add(rng.random_range(begin..end), Mishap::DiskLost { node, percent });
				}
			},
			Fault::Death => {
				let count = times(n * 0.002).min(miners / 10).max(1);
				for node in (0..miners).choose_multiple(rng, count) {
					add(rng.random_range(begin..end), Mishap::Dies(node));
				}
			},
			Fault::Slow => {
				for node in (0..miners).choose_multiple(rng, (miners / 20).max(1)) {
					add(rng.random_range(begin..end), Mishap::Slows(node));
				}
			},
			Fault::Liar => {
				for node in (0..miners).choose_multiple(rng, (miners / 50).max(1)) {
					let lie = if rng.random() { Lie::Bytes } else { Lie::Sidecar };
					add(rng.random_range(begin..end), Mishap::Lies(node, lie));
				}
			},
			Fault::Partition => {
				for _ in 0..times(0.3) {
					let count = rng.random_range(1..=(miners / 4).max(1));
					let nodes = (0..miners).choose_multiple(rng, count);
					let millis = rng.random_range(5 * MINUTE..4 * HOUR);
					add(rng.random_range(begin..end), Mishap::Cut { nodes, millis });
				}
			},
			Fault::Fork => {
				for _ in 0..times(1.0) {
					let blocks = rng.random_range(2..=150);
					let deletes = rng.random_range(1..=3);
					add(rng.random_range(begin..end), Mishap::Fork { blocks, deletes });
				}
			},
			Fault::Outage => {
				for _ in 0..times(0.1) {
					let count = rng.random_range((miners / 10).max(1)..=(miners / 5).max(1));
					let first = rng.random_range(0..miners);
					let at = rng.random_range(begin..end);
					let millis = rng.random_range(3 * HOUR..12 * HOUR);
					for place in 0..count {
						let node = (first + place) % miners;
						add(at, Mishap::Down { node, millis: millis + rng.random_range(0..HOUR) });
					}
				}
			},
			Fault::Exits => {
				for _ in 0..times(1.0 / 15.0) {
					let at = rng.random_range(begin..end);
					for node in (0..miners).choose_multiple(rng, (miners / 20).max(1)) {
						add(at + rng.random_range(0..HOUR), Mishap::Exits(node));
					}
				}
			},
			Fault::Delete => {
				for _ in 0..times(f64::from(config.segments) * 0.002) {
					add(rng.random_range(begin..end), Mishap::Deletes);
				}
			},
		}
	}
	planned.sort_by_key(|(at, ..)| *at);
	planned
}
