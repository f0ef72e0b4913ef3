// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A gateway in front of a network.

use crate::{Network, binary, until};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
	fs,
	io::{BufRead, BufReader},
	path::Path,
	process::{Child, Command, Output, Stdio},
};

/// A gateway's process, with a data directory of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct Gateway<'a> {
	network: &'a Network,
	data: tempfile::TempDir,
	port: u16,
	options: Vec<String>,
	process: Option<Child>,
}

impl<'a> Gateway<'a> {
	/// Starts one that speaks S3 at this port and plain HTTP at the next, with further options.
	pub fn start(network: &'a Network, port: u16, options: &[&str]) -> Result<Self> {
		let data = tempfile::tempdir()?;
		let options = options.iter().map(|option| (*option).to_owned()).collect();
		let mut gateway = Self { network, data, port, options, process: None };
		gateway.again()?;
		Ok(gateway)
	}

	/// An access key for all buckets of an account.
	pub fn key(&self, account: &str) -> Result<Value> {
		self.network.planaria(&["gateway", "keys", "--data", self.path()?, "add", "--key", account])
	}

	/// Where it speaks plain HTTP.
	pub fn http(&self) -> String {
		format!("http://127.0.0.1:{}", self.port + 1)
	}

	/// Where it speaks S3.
	pub const fn port(&self) -> u16 {
		self.port
	}

	/// Its data directory.
	pub fn data(&self) -> &Path {
		self.data.path()
	}

	/// What `planaria gateway` says as a client of it, given these arguments.
	pub fn client(&self, key: &Value, arguments: &[&str]) -> Result<Output> {
		let text = |name: &str| key[name].as_str().context("a key has text");
		let output = Command::new(binary("planaria")?)
			.arg("gateway")
			.args(arguments)
			.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
			.env("AWS_ACCESS_KEY_ID", text("access_key")?)
			.env("AWS_SECRET_ACCESS_KEY", text("secret_key")?)
			.output()?;
		Ok(output)
	}

	/// The most memory that its process had since it was started, in bytes.
	pub fn peak_memory(&self) -> Result<u64> {
		let process = self.process.as_ref().context("it runs")?;
		let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
		let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
		let kib = peak.and_then(|text| text.trim().strip_suffix("kB")).context("a peak")?;
		Ok(kib.trim().parse::<u64>()? * 1024)
	}

	fn path(&self) -> Result<&str> {
		self.data.path().to_str().context("a path of plain text")
	}

	/// Starts the process, again or for the first time.
	pub fn again(&mut self) -> Result<()> {
		self.again_with(&[])
	}

	/// The same, with further options.
	pub fn again_with(&mut self, more: &[&str]) -> Result<()> {
		let log =
			fs::File::options().create(true).append(true).open(self.data.path().join("log"))?;
		let mut process = Command::new(binary("planaria")?)
			.args(["--json", "gateway", "run"])
			.args(&self.options)
			.args(more)
			.args(["--data", self.path()?])
			.args(["--listen", &format!("127.0.0.1:{}", self.port)])
			.args(["--http", &format!("127.0.0.1:{}", self.port + 1)])
			.env("PLANARIA_URL", self.network.url())
			.env("AWS_ACCESS_KEY_ID", "test")
			.env("AWS_SECRET_ACCESS_KEY", "test")
			.stdout(Stdio::piped())
			.stderr(log)
			.spawn()?;
		let mut line = String::new();
		BufReader::new(process.stdout.take().context("a pipe")?).read_line(&mut line)?;
		self.process = Some(process);
		ensure!(line.contains("operator"), "the gateway does not start: {}", self.log()?);
		Ok(())
	}

	/// What it has logged.
	pub fn log(&self) -> Result<String> {
		Ok(fs::read_to_string(self.data.path().join("log"))?)
	}

	/// Ends it as a power cut would.
	pub fn kill(&mut self) -> Result<()> {
		if let Some(mut process) = self.process.take() {
			process.kill()?;
			process.wait()?;
		}
		Ok(())
	}

	/// What it says of itself.
	pub fn status(&self) -> Result<Value> {
		self.network.planaria(&["gateway", "status", "--http", &self.http()])
	}

	/// Kills it and starts it again without anything that it has read from the network.
	pub fn forget(&mut self, more: &[&str]) -> Result<()> {
		self.kill()?;
		fs::remove_dir_all(self.data.path().join("cache"))?;
		self.again_with(more)
	}

	/// A request to its S3 by curl, signed with a key; what curl prints. The body goes nowhere.
	pub fn curl(&self, key: &Value, path: &str, arguments: &[&str]) -> Result<String> {
		let text = |name: &str| key[name].as_str().context("a key has text");
		let user = format!("{}:{}", text("access_key")?, text("secret_key")?);
		let output = Command::new("curl")
			.args(["-sS", "-m", "600", "-o", "/dev/null"])
			.args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user])
			.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
			.args(arguments)
			.arg(format!("http://127.0.0.1:{}{path}", self.port))
			.output()?;
		let failed = String::from_utf8_lossy(&output.stderr);
		ensure!(output.status.success(), "{path}: {failed}\n{}", self.log()?);
		Ok(String::from_utf8_lossy(&output.stdout).into_owned())
	}

	/// The same: the status and the answer's headers.
	pub fn s3(&self, key: &Value, path: &str, arguments: &[&str]) -> Result<(String, String)> {
		let all = [&["-D", "-", "-w", "\n%{http_code}"], arguments].concat();
		let said = self.curl(key, path, &all)?;
		let status = said.lines().last().unwrap_or_default().to_owned();
		Ok((status, said))
	}

	/// Puts an object that anybody may read, waits until it is active, and returns its file's id.
	pub fn put(&self, key: &Value, path: &str, bytes: &[u8]) -> Result<String> {
		let (status, said) = self.put_status(key, path, bytes)?;
		ensure!(status == "200", "{said}");
		self.until_active()?;
		let (_, head) = self.s3(key, path, &["-I"])?;
		let id = head.lines().find_map(|line| line.strip_prefix("x-planaria-file-id: "));
		Ok(id.with_context(|| format!("no id: {head}"))?.trim().to_owned())
	}

	/// Puts an object that anybody may read, whatever comes of it: the status and the headers.
	pub fn put_status(&self, key: &Value, path: &str, bytes: &[u8]) -> Result<(String, String)> {
		let file = tempfile::NamedTempFile::new()?;
		fs::write(file.path(), bytes)?;
		let name = file.path().to_str().context("a path of plain text")?;
		self.s3(key, path, &["-T", name, "-H", "x-amz-acl: public-read"])
	}

	/// Reads a file by its id, and compares.
	pub fn check(&self, id: &str, bytes: &[u8]) -> Result<()> {
		let read = tempfile::NamedTempFile::new()?;
		let output = Command::new("curl")
			.args(["-sSf", "-m", "300", "-o"])
			.arg(read.path())
			.arg(format!("{}/file/{id}", self.http()))
			.output()?;
		let failed = String::from_utf8_lossy(&output.stderr).into_owned();
		ensure!(output.status.success(), "{id}: {failed}\n{}", self.log()?);
		ensure!(fs::read(read.path())? == bytes, "{id}: the bytes are others");
		Ok(())
	}

	/// Waits until every object is active, nothing is left to do, and the spool is empty.
	pub fn until_active(&self) -> Result<()> {
		until("every object is active", || {
			let status = self.status()?;
			let none = |state: &str| status["contents"][state]["count"] == 0;
			let idle = status["jobs"] == 0 && status["spool"]["used"] == 0;
			Ok(none("queued") && none("placing") && idle)
		})
	}
}

impl Drop for Gateway<'_> {
	fn drop(&mut self) {
		if std::thread::panicking() || std::env::var_os("PLANARIA_KEEP").is_some() {
			eprintln!("{}", self.log().unwrap_or_default());
		}
		let _ = self.kill();
	}
}
