// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Crashes, damage and wrong input, against real processes.

use anyhow::{Context, Result, ensure};
use planaria_tests::{Network, binary, content, until};
use serde_json::json;
use std::{
	fs,
	io::{Seek, SeekFrom, Write},
	process::Command,
};

const MIB: usize = 1 << 20;

/// What was acknowledged survives a kill, a missing manifest and a restart; what was not is put
/// again by the same command.
#[test]
fn a_killed_miner_loses_nothing_that_it_acknowledged() -> Result<()> {
	let network = Network::up(24000, 3)?;
	let bytes = content(1, 40 * MIB);
	let file = network.put(&bytes, "lean")?;
	let held = network.fragments_on_chain(0)?;
	ensure!(held > 0, "with three miners each holds something");

	network.kill(0)?;
	// With one of three gone, the two others are enough.
	network.check_get(&file, &bytes)?;

	fs::write(network.store(0).join("manifest.redb"), b"not a manifest")?;
	network.start(0)?;
	let stored = network.rpc(0, "miner_fragments", &json!([null, 256]))?;
	ensure!(stored.as_array().map(Vec::len) == Some(usize::try_from(held)?), "{stored}");
	network.check_get(&file, &bytes)?;

	// The other two are stopped: nothing can be restored, and the error says so.
	network.stop(1)?;
	network.stop(2)?;
	let output = network.planaria_raw(&["get", &file, "-o", "-"])?;
	ensure!(output.status.code() == Some(6), "{output:?}");
	network.start(1)?;
	network.check_get(&file, &bytes)?;

	// The one that is still stopped is healed of a deleted fragment as soon as it is back.
	let lost = network.fragment_files(2)?.into_iter().next().context("it holds something")?;
	fs::remove_file(&lost)?;
	network.start(2)?;
	network.rpc(2, "miner_check", &json!([]))?;
	until("the deleted fragment is rebuilt", || Ok(lost.exists()))?;
	network.check_get(&file, &bytes)
}

/// A miner never hands out wrong bytes, and a reader takes none.
#[test]
fn a_damaged_fragment_is_neither_served_nor_taken() -> Result<()> {
	let network = Network::up(24400, 3)?;
	let bytes = content(2, 20 * MIB);
	let file = network.put(&bytes, "lean")?;
	let damaged = network.fragment_files(0)?;
	for path in &damaged {
		let mut fragment = fs::OpenOptions::new().write(true).open(path)?;
		fragment.seek(SeekFrom::Start(1000))?;
		fragment.write_all(b"damage")?;
	}
	// Reading finds the damage before any self-check does.
	network.check_get(&file, &bytes)?;
	network.rpc(0, "miner_check", &json!([]))?;
	until("all of it is rebuilt", || {
		let status = network.rpc(0, "miner_status", &json!([]))?;
		let rebuilt = status["engine"]["totals"]["rebuilt"].as_u64();
		Ok(status["store"]["broken"] == 0 && rebuilt >= Some(damaged.len() as u64))
	})?;
	for path in network.fragment_files(0)? {
		let name = path.file_name().and_then(|name| name.to_str()).context("a hash")?;
		let hash = blake3::hash(&fs::read(&path)?);
		ensure!(hash.to_hex().as_str() == name, "a fragment is not what its name says");
	}
	network.check_get(&file, &bytes)
}

/// Wrong input gets a clear error and the right exit code, and changes nothing.
#[test]
fn wrong_input_is_refused_with_a_reason() -> Result<()> {
	let network = Network::up(24800, 3)?;
	let refused = |arguments: &[&str], code: i32, reason: &str| -> Result<()> {
		let output = network.planaria_raw(arguments)?;
		let said = String::from_utf8_lossy(&output.stderr).into_owned();
		ensure!(output.status.code() == Some(code), "{arguments:?}: {output:?}");
		ensure!(said.contains(reason), "{arguments:?} does not say {reason}: {said}");
		Ok(())
	};
	refused(&["get", "99", "-o", "-"], 3, "there is no file 99")?;
	refused(&["put", "/nonexistent", "--key", "//Alice"], 1, "/nonexistent")?;
	let passwd = ["put", "/etc/passwd", "--public", "--coding", "standard", "--key", "//Alice"];
	refused(&passwd, 1, "miners")?;
	refused(&["miner", "exit", "--stash", "//Nobody"], 4, "")?;
	refused(&["--url", "ws://127.0.0.1:1", "chain", "info"], 5, "127.0.0.1:1")?;

	encryption(&network, refused)?;
	drawn(&network)?;

	// A second node on the same store.
	let node = binary("planaria-node")?;
	let data = tempfile::tempdir()?;
	let second = |arguments: &[&str]| -> Result<String> {
		let output = Command::new(&node)
			.args(["--chain", "dev", "--no-mdns", "--no-prometheus", "--no-telemetry"])
			.args(["--listen-addr", "/ip4/127.0.0.1/tcp/0", "--rpc-port", "25199", "--base-path"])
			.arg(data.path())
			.args(arguments)
			.output()?;
		ensure!(!output.status.success(), "{arguments:?} should not run");
		Ok(String::from_utf8_lossy(&output.stderr).into_owned())
	};
	let store = network.store(0);
	let store = store.to_str().context("a path of plain text")?;
	let mine = ["--miner", "--capacity", "1GiB", "--transfer-listen"];
	let said = second(&[&mine[..], &["127.0.0.1:0", "--store", store]].concat())?;
	ensure!(said.contains("in use by another process"), "{said}");
	// A second endpoint on the same port.
	let other = data.path().join("store");
	let other = other.to_str().context("a path of plain text")?;
	let said = second(&[&mine[..], &["127.0.0.1:25100", "--store", other]].concat())?;
	ensure!(said.contains("--transfer-listen"), "{said}");
	Ok(())
}

/// A file whose holders the chain draws is stored and read, and its status says how it was placed.
fn drawn(network: &Network) -> Result<()> {
	let bytes = content(7, 3 * MIB);
	let file = tempfile::NamedTempFile::new()?;
	fs::write(file.path(), &bytes)?;
	let path = file.path().to_str().context("a path of plain text")?;
	let put = ["put", path, "--public", "--coding", "copies:2", "--key", "//Alice"];
	let stored = network.planaria(&[&put[..], &["--placement", "drawn"]].concat())?;
	ensure!(stored["active"] == true && stored["placement"] == "drawn", "not stored: {stored}");
	let file = stored["file"].to_string();
	let status = network.planaria(&["file", "status", &file])?;
	let placement = &status["placement"];
	ensure!(placement["rule"] == "drawn" && !placement["seed"].is_null(), "{status}");
	network.check_get(&file, &bytes)
}

/// What is put is encrypted unless it shall be public; only its key opens it.
fn encryption(network: &Network, refused: impl Fn(&[&str], i32, &str) -> Result<()>) -> Result<()> {
	let directory = tempfile::tempdir()?;
	let at = |name: &str| directory.path().join(name).display().to_string();
	let (plain, other) = (at("plain"), at("other.key"));
	let content: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
	fs::write(&plain, &content)?;
	let put = || network.planaria(&["put", &plain, "--coding", "lean", "--key", "//Alice"]);
	let stored = put()?;
	ensure!(stored["encrypted"] == true && stored["active"] == true, "not stored: {stored}");
	// The same key, the same content: the same file.
	ensure!(put()?["file"] == stored["file"], "stored twice");
	let file = stored["file"].to_string();
	network.check_get(&file, &content)?;
	let read = |arguments: &[&str]| -> Result<Vec<u8>> {
		let output = network.planaria_raw(&[&["get", &file, "-o", "-"], arguments].concat())?;
		ensure!(output.status.success(), "{arguments:?}: {output:?}");
		Ok(output.stdout)
	};
	ensure!(read(&["--range", "99999-200000"])? == content[99_999..=200_000], "another range");
	ensure!(read(&["--range", "-5"])? == content[content.len() - 5..], "another end");
	let raw = read(&["--raw"])?;
	ensure!(raw.starts_with(b"PLNSEAL") && raw.len() > content.len(), "it is not encrypted");
	network.planaria(&["keys", "encryption", "generate", "-o", &other])?;
	let get = ["get", &file, "-o", "-"];
	refused(&[&get[..], &["--key-file", &other]].concat(), 1, "another key")?;
	refused(&[&get[..], &["--range", "9999999-"]].concat(), 2, "no byte 9999999-")?;
	refused(&["keys", "encryption", "generate", "-o", &other], 2, "other.key")
}
