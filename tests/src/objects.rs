// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! An object store that speaks S3 and that nobody here wrote: moto's.

use crate::{root, until};
use anyhow::{Context, Result, ensure};
use std::process::{Child, Command, Stdio};

/// The store's process, with one bucket, `planaria`; it ends when this is dropped.
#[derive(Debug)]
pub struct ObjectStore {
	process: Child,
	url: String,
}

impl ObjectStore {
	/// Starts it at this port. The first time it is installed.
	pub fn start(port: u16) -> Result<Self> {
		let process = Command::new(root().join("tests/s3/run.sh"))
			.args(["serve", &port.to_string()])
			.stdout(Stdio::null())
			.stderr(Stdio::null())
			.spawn()?;
		let store = Self { process, url: format!("http://127.0.0.1:{port}") };
		until("an object store answers", || Ok(store.request("", &["-X", "PUT"]).is_ok()))?;
		Ok(store)
	}

	/// Where it is.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// The names of what it has, as far as they contain this.
	pub fn names(&self, part: &str) -> Result<Vec<String>> {
		let listed = self.request("?list-type=2&max-keys=1000", &[])?;
		let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
		Ok(keys.filter(|key| key.contains(part)).map(str::to_owned).collect())
	}

	fn request(&self, path: &str, arguments: &[&str]) -> Result<String> {
		let output = Command::new("curl")
			.args(["-sSf", "-m", "60"])
			.args(arguments)
			.arg(format!("{}/planaria{path}", self.url))
			.output()?;
		ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
		String::from_utf8(output.stdout).context("text")
	}
}

impl Drop for ObjectStore {
	fn drop(&mut self) {
		let _ = self.process.kill();
		let _ = self.process.wait();
	}
}
