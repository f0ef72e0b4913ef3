// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Prints the rows `audit/…` of `scripts/bench.sh`: what the runtime's measured weights come to.

use planaria_runtime::capacity::{Network, answers};
use serde_json::json;

/// Proofs that a quarter of a block should verify.
const PROOFS: u64 = 200;

/// What a large network should take of its blocks at most.
const SHARE: f64 = 0.25;

fn main() {
	let proofs = answers(25);
	let share = Network::LARGE.share();
	let rows = [
		json!({
			"name": "audit/proofs-in-a-quarter-of-a-block", "value": proofs, "unit": "proofs",
			"baseline": null, "ratio": null, "goal": PROOFS, "met": proofs >= PROOFS,
		}),
		json!({
			"name": "audit/blocks-of-10000-miners-10-PiB-37-deaths-a-day", "value": share,
			"unit": "of the blocks' time", "baseline": null, "ratio": null, "goal": SHARE,
			"met": share < SHARE,
		}),
	];
	rows.iter().for_each(|row| println!("{row}"));
}
