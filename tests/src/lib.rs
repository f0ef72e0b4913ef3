// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole-network tests: real `planaria-node` processes on 127.0.0.1, driven by the `planaria`
//! command line and JSON-RPC as their users drive them.
//!
//! `scripts/localnet.sh` starts and stops the processes; [`Network`] calls it. Nothing here waits
//! for a fixed time: it waits until something has happened, with a generous limit.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
	fs,
	path::{Path, PathBuf},
	process::{Command, Output},
	time::{Duration, Instant},
};

/// How long anything may take on a slow machine.
pub const LIMIT: Duration = Duration::from_secs(300);

/// A network of real processes; it ends when this is dropped.
#[derive(Debug)]
pub struct Network {
	directory: tempfile::TempDir,
	port: u16,
}

impl Network {
	/// Starts one validator and so many miners, whose ports begin at `port`.
	pub fn up(port: u16, miners: u32) -> Result<Self> {
		let network = Self { directory: tempfile::tempdir()?, port };
		network.script(&["up", "--miners", &miners.to_string()])?;
		Ok(network)
	}

	fn script(&self, arguments: &[&str]) -> Result<()> {
		let output = Command::new(root().join("scripts/localnet.sh"))
			.args(arguments)
			.env("PLANARIA_NET", self.data())
			.env("PLANARIA_PORT", self.port.to_string())
			.output()?;
		ensure!(output.status.success(), "localnet.sh {arguments:?}: {}", text(&output));
		Ok(())
	}

	fn data(&self) -> PathBuf {
		self.directory.path().join("net")
	}

	/// Stops a miner's process gently and waits until it has ended.
	pub fn stop(&self, miner: u32) -> Result<()> {
		self.script(&["stop", "miner", &miner.to_string()])
	}

	/// Kills a miner's process, as a power cut would.
	pub fn kill(&self, miner: u32) -> Result<()> {
		let file = self.data().join(format!("miner-{miner}/pid"));
		let pid = fs::read_to_string(&file)?;
		let status = Command::new("kill").args(["-9", pid.trim()]).status()?;
		ensure!(status.success(), "could not kill miner {miner}");
		fs::remove_file(file)?;
		until("the killed process is gone", || {
			Ok(!Path::new(&format!("/proc/{}", pid.trim())).exists())
		})
	}

	/// Starts a miner's process again, with this capacity.
	pub fn start(&self, miner: u32, capacity: &str) -> Result<()> {
		self.script(&["start", "miner", &miner.to_string(), "--capacity", capacity])
	}

	/// Where the validator answers.
	pub fn url(&self) -> String {
		format!("ws://127.0.0.1:{}", self.port + 100)
	}

	/// Where a miner answers.
	pub fn miner_url(&self, miner: u32) -> String {
		format!("ws://127.0.0.1:{}", u32::from(self.port) + 200 + miner)
	}

	/// A miner's store.
	pub fn store(&self, miner: u32) -> PathBuf {
		self.data().join(format!("miner-{miner}/store"))
	}

	/// The command line, with JSON output, against this network.
	pub fn planaria(&self, arguments: &[&str]) -> Result<Value> {
		let output = self.planaria_raw(arguments)?;
		ensure!(output.status.success(), "planaria {arguments:?}: {}", text(&output));
		serde_json::from_slice(&output.stdout).context("planaria did not print JSON")
	}

	/// The command line, whatever comes of it.
	pub fn planaria_raw(&self, arguments: &[&str]) -> Result<Output> {
		let mut command = Command::new(binary("planaria")?);
		command.arg("--json").args(arguments).env("PLANARIA_URL", self.url());
		Ok(command.output()?)
	}

	/// A JSON-RPC call to a miner's node.
	pub fn rpc(&self, miner: u32, method: &str, params: &Value) -> Result<Value> {
		let request = serde_json::json!({
			"jsonrpc": "2.0", "id": 1, "method": method, "params": params,
		});
		let output = Command::new("curl")
			.args(["-sS", "-m", "30", "-H", "content-type: application/json", "-d"])
			.arg(request.to_string())
			.arg(self.miner_url(miner).replace("ws:", "http:"))
			.output()?;
		ensure!(output.status.success(), "{method}: {}", text(&output));
		let answer: Value = serde_json::from_slice(&output.stdout)?;
		match answer.get("result") {
			Some(result) => Ok(result.clone()),
			None => bail!("{method}: {answer}"),
		}
	}

	/// How many fragments the chain assigns to the miner of this process.
	pub fn fragments_on_chain(&self, miner: u32) -> Result<u64> {
		let status = self.rpc(miner, "miner_status", &serde_json::json!([]))?;
		status["chain"]["fragments"].as_u64().context("the miner is not registered")
	}

	/// Files of fragments in a miner's store, sorted.
	pub fn fragment_files(&self, miner: u32) -> Result<Vec<PathBuf>> {
		let mut files = Vec::new();
		let mut directories = vec![self.store(miner).join("fragments")];
		while let Some(directory) = directories.pop() {
			for entry in fs::read_dir(directory)? {
				let path = entry?.path();
				if path.is_dir() {
					directories.push(path);
				} else if path.extension().is_none() {
					files.push(path);
				}
			}
		}
		files.sort();
		Ok(files)
	}

	/// Stores `content` and waits until it is active; returns the file's number.
	pub fn put(&self, content: &[u8], coding: &str) -> Result<String> {
		let path = self.directory.path().join("content");
		fs::write(&path, content)?;
		let path = path.to_str().context("a path of plain text")?;
		let put = self.planaria(&["put", path, "--coding", coding, "--key", "//Alice"])?;
		ensure!(put["active"] == true, "the file is not active: {put}");
		Ok(put["file"].to_string())
	}

	/// Reads a file and compares.
	pub fn check_get(&self, file: &str, content: &[u8]) -> Result<()> {
		let path = self.directory.path().join("read");
		let target = path.to_str().context("a path of plain text")?;
		self.planaria(&["get", file, "-o", target, "--force"])?;
		ensure!(fs::read(&path)? == content, "the bytes read are not those stored");
		Ok(())
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		if let Err(error) = self.script(&["down"]) {
			eprintln!("could not stop the network: {error:#}");
		}
	}
}

/// Waits until `holds` is true.
pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
	let begun = Instant::now();
	loop {
		match holds() {
			Ok(true) => return Ok(()),
			result if begun.elapsed() > LIMIT => bail!("never happened: {what} ({result:?})"),
			_ => std::thread::sleep(Duration::from_millis(500)),
		}
	}
}

/// Bytes that do not repeat, the same every time for a seed.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
	let mut bytes = vec![0; len];
	let mut hasher = blake3::Hasher::new();
	hasher.update(&seed.to_le_bytes());
	hasher.finalize_xof().fill(&mut bytes);
	bytes
}

/// The repository.
pub fn root() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program that `scripts/build.sh` built.
pub fn binary(name: &str) -> Result<PathBuf> {
	// This test runs from the same target directory: .../release/deps/<test>.
	let test = std::env::current_exe()?;
	let path = test.parent().and_then(Path::parent).context("a target directory")?.join(name);
	ensure!(path.exists(), "{} is not built: run scripts/build.sh first", path.display());
	Ok(path)
}

fn text(output: &Output) -> String {
	let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
	format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}
