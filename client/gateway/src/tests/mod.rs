// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A whole gateway over HTTP on 127.0.0.1, with a network in memory. The client is curl, which
//! signs by itself.

mod backend;

mod clients;

mod durability;

mod full;

mod fuzz;

mod memory;

mod packs;

mod peers;

mod s3;

use crate::{
	Config, Gateway, Stop,
	backend::Backend,
	catalog::Life,
	keys::{Key, Right},
	serve::{Listeners, serve},
};
use memory::Memory;
use planaria_sdk::{AccountId32, primitives::CodingParams};
use std::{collections::BTreeMap, fs, path::Path, process::Stdio, sync::Arc, time::Duration};
use tokio::{process::Command, task::JoinHandle, time::sleep};

const OWNER: [u8; 32] = [5; 32];

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
	pub status: u16,
	pub headers: BTreeMap<String, String>,
	pub body: Vec<u8>,
}

impl Answer {
	pub fn text(&self) -> String {
		String::from_utf8_lossy(&self.body).into_owned()
	}

	/// The text of the first element of this name.
	pub fn element(&self, name: &str) -> Option<String> {
		self.elements(name).into_iter().next()
	}

	/// The texts of all elements of this name.
	pub fn elements(&self, name: &str) -> Vec<String> {
		let (open, close) = (format!("<{name}>"), format!("</{name}>"));
		let text = self.text();
		let found = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
		found.map(str::to_owned).collect()
	}

	#[track_caller]
	pub fn is(self, status: u16) -> Self {
		assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
		self
	}

	#[track_caller]
	pub fn fails(self, status: u16, code: &str) -> Self {
		assert_eq!(self.element("Code").as_deref(), Some(code), "{}", self.text());
		self.is(status)
	}
}

/// A gateway that runs.
pub struct Running {
	pub data: Arc<tempfile::TempDir>,
	pub gateway: Arc<Gateway>,
	pub network: Memory,
	pub s3: String,
	pub plain: String,
	stop: Stop,
	task: JoinHandle<()>,
}

impl Running {
	pub async fn start() -> Self {
		Self::with(Arc::new(tempfile::tempdir().expect("a directory")), Memory::new(), |_| {}).await
	}

	pub async fn with(
		data: Arc<tempfile::TempDir>,
		network: Memory,
		change: impl FnOnce(&mut Config),
	) -> Self {
		Self::with_backend(data, network, None, change).await
	}

	pub async fn with_backend(
		data: Arc<tempfile::TempDir>,
		network: Memory,
		backend: Option<Backend>,
		change: impl FnOnce(&mut Config),
	) -> Self {
		let mut config = Config {
			data: data.path().into(),
			listen: ([127, 0, 0, 1], 0).into(),
			http: ([127, 0, 0, 1], 0).into(),
			coding: CodingParams::LEAN,
			keep_free: 0,
			// Packs have tests of their own.
			pack_below: 0,
			..Config::default()
		};
		change(&mut config);
		let gateway = Gateway::open_with(config, Arc::new(network.clone()), backend).await;
		let gateway = gateway.expect("opens");
		let key = |owner, buckets: &[(&str, Right)]| Key {
			secret: "secret".into(),
			owner: AccountId32::new(owner),
			buckets: buckets.iter().map(|(name, right)| ((*name).into(), *right)).collect(),
			note: String::new(),
		};
		gateway.keys.add("owner".into(), key(OWNER, &[])).expect("added");
		gateway.keys.add("reader".into(), key(OWNER, &[("bucket", Right::Read)])).expect("added");
		gateway.keys.add("other".into(), key([6; 32], &[])).expect("added");
		let listeners = Listeners::bind(&gateway).await.expect("binds");
		let (s3, plain) = listeners.addresses().expect("bound");
		let stop = Stop::new();
		let (served, stopped) = (gateway.clone(), stop.clone());
		let task = tokio::spawn(async move {
			serve(served, listeners, stopped).await.expect("serves");
		});
		let (s3, plain) = (format!("http://{s3}"), format!("http://{plain}"));
		Self { data, gateway, network, s3, plain, stop, task }
	}

	/// Another gateway that finds on its disk and on the network what this one would find if it were
	/// started again after a crash at this moment.
	pub async fn crashed_now(&self, change: impl FnOnce(&mut Config)) -> Self {
		let data = tempfile::tempdir().expect("a directory");
		let (from, to) = (self.data.path().to_owned(), data.path().to_owned());
		let network = self.network.clone();
		// Nothing is written to the catalog meanwhile.
		let copied = self.gateway.catalog.write(move |_| {
			let network = network.copied();
			copy(&from, &to);
			Ok(network)
		});
		let network = copied.await.expect("copied");
		Self::with(Arc::new(data), network, change).await
	}

	/// Ends as it should.
	pub async fn stop(self) {
		self.stop.cancel();
		self.task.await.expect("ends");
	}

	/// A request to S3, signed with a key.
	pub async fn as_key(&self, key: &str, path: &str, arguments: &[&str]) -> Answer {
		let user = format!("{key}:secret");
		let mut all = vec!["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
		// The body is not signed; what is sent is verified by the headers that a test adds.
		all.extend(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
		all.extend(arguments);
		curl(&format!("{}{path}", self.s3), &all).await
	}

	/// A request to S3 by the owner.
	pub async fn s3(&self, path: &str, arguments: &[&str]) -> Answer {
		self.as_key("owner", path, arguments).await
	}

	/// Puts an object.
	pub async fn put(&self, path: &str, bytes: &[u8], arguments: &[&str]) -> Answer {
		let file = tempfile::NamedTempFile::new().expect("a file");
		fs::write(file.path(), bytes).expect("writes");
		let name = file.path().to_str().expect("text").to_owned();
		let mut all = vec!["-T", &name];
		all.extend(arguments);
		self.s3(path, &all).await
	}

	/// Waits until every content is active.
	pub async fn until_active(&self) {
		self.until(|lives| lives.iter().all(|life| *life == Life::Active)).await;
	}

	/// Waits until that holds; if all contents are active then, until the spool has what the catalog
	/// names.
	pub async fn until(&self, holds: impl Fn(&[Life]) -> bool) {
		loop {
			let lives = self.gateway.catalog.read(|reader| {
				let mut lives = Vec::new();
				for number in 0..64 {
					lives.extend(reader.content(number)?.map(|content| content.life));
				}
				Ok((lives, reader.jobs_len()?, reader.pieces()?.len()))
			});
			let (lives, jobs, named) = lives.await.expect("reads");
			let some = lives.iter().any(|life| *life != Life::Active);
			if holds(&lives) && (some || (jobs == 0 && self.spooled() == named)) {
				return;
			}
			sleep(Duration::from_millis(20)).await;
		}
	}

	/// What the gateway says of itself.
	pub async fn status(&self) -> serde_json::Value {
		let answer = curl(&format!("{}/status", self.plain), &[]).await.is(200);
		serde_json::from_slice(&answer.body).expect("JSON")
	}

	/// What it says once that holds.
	pub async fn status_when(
		&self,
		holds: impl Fn(&serde_json::Value) -> bool,
	) -> serde_json::Value {
		loop {
			let status = self.status().await;
			if holds(&status) {
				return status;
			}
			sleep(Duration::from_millis(50)).await;
		}
	}

	/// Waits until so many files were deleted on chain.
	pub async fn until_deleted(&self, count: usize) {
		while self.network.state().deleted.len() < count {
			sleep(Duration::from_millis(20)).await;
		}
	}

	/// How many files are in the spool.
	pub fn spooled(&self) -> usize {
		let directories = fs::read_dir(self.data.path().join("spool")).expect("there").flatten();
		directories.map(|entry| fs::read_dir(entry.path()).expect("there").count()).sum()
	}
}

/// A request as curl makes it. Older versions sign an argument without `=` wrongly.
pub async fn curl(url: &str, arguments: &[&str]) -> Answer {
	let out = tempfile::tempdir().expect("a directory");
	let (head, body) = (out.path().join("head"), out.path().join("body"));
	let output = Command::new("curl")
		.args(["-sS", "-m", "60", "--path-as-is", "-D"])
		.arg(&head)
		.arg("-o")
		.arg(&body)
		.args(arguments)
		.arg(url)
		.stdin(Stdio::null())
		.output()
		.await
		.expect("curl runs");
	let head = fs::read_to_string(&head).unwrap_or_default();
	// Behind "100 Continue" there is another.
	let last = head.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default().to_owned();
	let mut lines = last.lines();
	let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
	let headers = lines.filter_map(|line| line.split_once(':'));
	let headers = headers.map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
	let status = status.unwrap_or_else(|| panic!("{url}: {output:?}"));
	Answer { status, headers, body: read(&body) }
}

fn copy(from: &Path, to: &Path) {
	fs::create_dir_all(to).expect("made");
	for entry in fs::read_dir(from).expect("there").flatten() {
		let (from, to) = (entry.path(), to.join(entry.file_name()));
		if from.is_dir() {
			copy(&from, &to);
		} else if let Err(error) = fs::copy(&from, &to) {
			// What is not named any more may be removed at any time.
			assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
		}
	}
}

fn read(path: &Path) -> Vec<u8> {
	fs::read(path).unwrap_or_default()
}

/// Bytes that do not repeat.
pub fn content(seed: u8, len: usize) -> Vec<u8> {
	let mut bytes = vec![0; len];
	blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
	bytes
}
