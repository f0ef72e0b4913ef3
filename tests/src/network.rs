// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The processes of a network.

use crate::until;
use anyhow::{Context, Result, bail, ensure};
use planaria_sdk::{api::MinerStanding, primitives::MinerId};
use serde_json::{Value, json};
use std::{
	fmt, fs,
	path::{Path, PathBuf},
	process::{Command, Output},
};

/// One process of a network, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
	/// A validator.
	Validator(u32),
	/// A miner; it is registered under the same number.
	Miner(u32),
}

impl From<u32> for Node {
	fn from(miner: u32) -> Self {
		Self::Miner(miner)
	}
}

impl fmt::Display for Node {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Validator(number) => write!(f, "validator-{number}"),
			Self::Miner(number) => write!(f, "miner-{number}"),
		}
	}
}

/// A network of real processes; it ends when this is dropped, or the test's process ends.
#[derive(Debug)]
pub struct Network {
	directory: tempfile::TempDir,
	port: u16,
	miners: u32,
	pub(crate) runtime: tokio::runtime::Runtime,
}

impl Network {
	/// Starts one validator and so many miners, whose ports begin at `port`.
	pub fn up(port: u16, miners: u32) -> Result<Self> {
		Self::with_validators(port, 1, miners)
	}

	/// Starts 1 or 4 validators and so many miners, whose ports begin at `port`.
	pub fn with_validators(port: u16, validators: u32, miners: u32) -> Result<Self> {
		let directory = tempfile::tempdir()?;
		let runtime =
			tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
		let network = Self { directory, port, miners, runtime };
		network.script(&[
			"up",
			"--validators",
			&validators.to_string(),
			"--miners",
			&miners.to_string(),
			"--while",
			&std::process::id().to_string(),
		])?;
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

	/// The numbers of all miners.
	pub fn miners(&self) -> impl Iterator<Item = u32> + use<> {
		0..self.miners
	}

	/// Ends a process gently and waits until it has ended.
	pub fn stop(&self, node: impl Into<Node>) -> Result<()> {
		self.script(&["stop", &node.into().to_string()])
	}

	/// Kills a process, as a power cut would.
	pub fn kill(&self, node: impl Into<Node>) -> Result<()> {
		self.script(&["kill", &node.into().to_string()])
	}

	/// Freezes a process: its connections stay, it does nothing.
	pub fn pause(&self, node: impl Into<Node>) -> Result<()> {
		self.script(&["pause", &node.into().to_string()])
	}

	/// Lets a frozen process go on.
	pub fn resume(&self, node: impl Into<Node>) -> Result<()> {
		self.script(&["resume", &node.into().to_string()])
	}

	/// Starts a process again.
	pub fn start(&self, node: impl Into<Node>) -> Result<()> {
		self.script(&["start", &node.into().to_string()])
	}

	/// Starts a miner's process again with this capacity.
	pub fn start_with_capacity(&self, miner: u32, capacity: &str) -> Result<()> {
		self.script(&["start", &Node::Miner(miner).to_string(), "--capacity", capacity])
	}

	/// Starts processes again that see nothing of those that are not apart.
	pub fn start_apart(&self, nodes: &[Node]) -> Result<()> {
		let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
		let mut arguments = vec!["start", "--apart"];
		arguments.extend(nodes.iter().map(String::as_str));
		self.script(&arguments)
	}

	/// Deletes the store of a miner that does not run.
	pub fn wipe(&self, miner: u32) -> Result<()> {
		self.script(&["wipe", &Node::Miner(miner).to_string()])
	}

	/// Whether a process runs, frozen or not.
	pub fn runs(&self, node: impl Into<Node>) -> bool {
		let pid = fs::read_to_string(self.data().join(format!("{}/pid", node.into())));
		pid.is_ok_and(|pid| Path::new(&format!("/proc/{}", pid.trim())).exists())
	}

	/// Where the first validator answers.
	pub fn url(&self) -> String {
		self.url_of(Node::Validator(0))
	}

	/// Where a node answers.
	pub fn url_of(&self, node: impl Into<Node>) -> String {
		let port = match node.into() {
			Node::Validator(number) => u32::from(self.port) + 100 + number,
			Node::Miner(number) => u32::from(self.port) + 200 + number,
		};
		format!("ws://127.0.0.1:{port}")
	}

	/// A miner's store.
	pub fn store(&self, miner: u32) -> PathBuf {
		self.data().join(format!("miner-{miner}/store"))
	}

	/// Where a miner's node keeps the chain and its keys.
	pub fn data_of(&self, miner: u32) -> PathBuf {
		self.data().join(format!("miner-{miner}/data"))
	}

	/// What a process has logged.
	pub fn log(&self, node: impl Into<Node>) -> Result<String> {
		Ok(fs::read_to_string(self.data().join(format!("{}/log", node.into())))?)
	}

	/// The command line, with JSON output, against this network.
	pub fn planaria(&self, arguments: &[&str]) -> Result<Value> {
		let output = self.planaria_raw(arguments)?;
		ensure!(output.status.success(), "planaria {arguments:?}: {}", text(&output));
		serde_json::from_slice(&output.stdout).context("planaria did not print JSON")
	}

	/// What the command line shows people.
	pub fn planaria_text(&self, arguments: &[&str]) -> Result<String> {
		let mut command = Command::new(binary("planaria")?);
		let output = command.args(arguments).env("PLANARIA_URL", self.url()).output()?;
		ensure!(output.status.success(), "planaria {arguments:?}: {}", text(&output));
		Ok(String::from_utf8(output.stdout)?)
	}

	/// The command line, whatever comes of it.
	pub fn planaria_raw(&self, arguments: &[&str]) -> Result<Output> {
		let mut command = Command::new(binary("planaria")?);
		command.arg("--json").args(arguments).env("PLANARIA_URL", self.url());
		// Keys that it makes are this network's.
		command.env("XDG_CONFIG_HOME", self.directory.path());
		Ok(command.output()?)
	}

	/// A JSON-RPC call to a node.
	pub fn rpc(&self, node: impl Into<Node>, method: &str, params: &Value) -> Result<Value> {
		let answer = self.rpc_raw(node, method, params)?;
		match answer.get("result") {
			Some(result) => Ok(result.clone()),
			None => bail!("{method}: {answer}"),
		}
	}

	/// A JSON-RPC call to a node, whatever it answers.
	pub fn rpc_raw(&self, node: impl Into<Node>, method: &str, params: &Value) -> Result<Value> {
		let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
		let request_file = tempfile::NamedTempFile::new_in(self.directory.path())?;
		fs::write(request_file.path(), request.to_string())?;
		let output = Command::new("curl")
			.args(["-sS", "-m", "30", "-H", "content-type: application/json", "-d"])
			.arg(format!("@{}", request_file.path().display()))
			.arg(self.url_of(node).replace("ws:", "http:"))
			.output()?;
		ensure!(output.status.success(), "{method}: {}", text(&output));
		Ok(serde_json::from_slice(&output.stdout)?)
	}

	/// What a miner says of itself.
	pub fn status(&self, miner: u32) -> Result<Value> {
		self.rpc(miner, "miner_status", &json!([]))
	}

	/// A number in a miner's totals since its process was started.
	pub fn total(&self, miner: u32, name: &str) -> Result<u64> {
		let status = self.status(miner)?;
		let total = status["engine"]["totals"][name].as_u64();
		total.with_context(|| format!("a miner's totals have no {name}: {status}"))
	}

	/// How many fragments the chain assigns to a miner.
	pub fn fragments_on_chain(&self, miner: u32) -> Result<u64> {
		Ok(self.miner(miner)?.fragments.into())
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

	/// Stores `content` as it is and waits until it is active; returns the file's number.
	pub fn put(&self, content: &[u8], coding: &str) -> Result<String> {
		self.put_on(content, coding, &[])
	}

	/// The same, on these miners alone where any are given.
	pub fn put_on(&self, content: &[u8], coding: &str, miners: &[u32]) -> Result<String> {
		let file = tempfile::NamedTempFile::new_in(self.directory.path())?;
		fs::write(file.path(), content)?;
		let path = file.path().to_str().context("a path of plain text")?;
		let only = miners.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
		let mut arguments = vec!["put", path, "--public", "--coding", coding, "--key", "//Alice"];
		if !miners.is_empty() {
			arguments.extend(["--only", &only]);
		}
		let put = self.planaria(&arguments)?;
		ensure!(put["active"] == true, "the file is not active: {put}");
		Ok(put["file"].to_string())
	}

	/// Reads a file and compares.
	pub fn check_get(&self, file: &str, content: &[u8]) -> Result<()> {
		let read = tempfile::NamedTempFile::new_in(self.directory.path())?;
		let target = read.path().to_str().context("a path of plain text")?;
		self.planaria(&["get", file, "-o", target, "--force"])?;
		ensure!(fs::read(read.path())? == content, "the bytes read are not those stored");
		Ok(())
	}

	/// Waits until these miners serve on chain, know it, and others see it.
	pub fn until_serving(&self, miners: impl IntoIterator<Item = u32>) -> Result<()> {
		for miner in miners {
			until(&format!("miner {miner} serves"), || {
				let status = self.status(miner)?;
				let known =
					status["chain"]["standing"] == "serving" && status["engine"]["miner"] == miner;
				Ok(known && self.miner(miner)?.standing == MinerStanding::Serving)
			})?;
		}
		Ok(())
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		if std::env::var_os("PLANARIA_KEEP").is_some() {
			let _ = fs::rename(self.data(), format!("/tmp/planaria-kept-{}", self.port));
		}
		if let Err(error) = self.script(&["down"]) {
			eprintln!("could not stop the network: {error:#}");
		}
	}
}

/// The number of a miner that was registered by [`Network::up`].
pub(crate) const fn id(miner: u32) -> MinerId {
	MinerId(miner)
}

/// The repository: where cargo runs this program, which it may have built elsewhere.
pub fn root() -> PathBuf {
	let package = std::env::var_os("CARGO_MANIFEST_DIR");
	PathBuf::from(package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into())).join("..")
}

/// A program that `scripts/build.sh` built.
pub fn binary(name: &str) -> Result<PathBuf> {
	// This program is in the same target directory: .../release/deps/<test> or .../release/<bin>.
	let program = std::env::current_exe()?;
	let found = program.ancestors().skip(1).take(2).map(|directory| directory.join(name));
	let found = found.into_iter().find(|path| path.is_file());
	found.with_context(|| format!("{name} is not built: run scripts/build.sh first"))
}

fn text(output: &Output) -> String {
	let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
	format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}
