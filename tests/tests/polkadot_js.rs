// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! polkadot.js works with a network by the metadata alone.

use anyhow::{Context, Result, ensure};
use planaria_tests::{Network, content, root};
use serde_json::Value;
use std::process::Command;

/// Runs `tests/polkadot-js/network.mjs`; gives the documents that it prints.
fn polkadot_js(arguments: &[&str]) -> Result<Vec<Value>> {
	let output = Command::new(root().join("tests/polkadot-js/run.sh")).args(arguments).output()?;
	let (said, failed) =
		(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
	ensure!(output.status.success(), "{arguments:?}: {}\n{said}\n{failed}", output.status);
	eprint!("{said}");
	said.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A miner is registered and leaves by polkadot.js. Meanwhile every type, stored value, answer,
/// transaction and event is decoded without a definition of ours.
#[test]
fn polkadot_js_registers_a_miner_and_sees_it_leave() -> Result<()> {
	let network = Network::up(26000, 3)?;
	// A fourth, which nobody has registered.
	network.start(3)?;
	let (url, node) = (network.url(), network.url_of(3));
	let mine = ["--url", &url, "--stash", "//Polkadot/Js"];
	let said = polkadot_js(&[&["register", "--node", &node], &mine[..]].concat())?;
	let miner = said.iter().find_map(|line| line["miner"].as_u64()).context("its number")?;

	let miner = u32::try_from(miner)?;
	let bytes = content(26, 40 << 20);
	let file = network.put_on(&bytes, "lean", &[miner, 0, 1])?;

	let said = polkadot_js(&[&["exit"], &mine[..]].concat())?;
	ensure!(said.last().is_some_and(|line| line["done"] == true), "{said:?}");
	network.check_get(&file, &bytes)
}
