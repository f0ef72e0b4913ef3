// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast a gateway takes and gives, with five miners and `lean`, against what raw iroh moves on
//! the same machine in the same run, for cold downloads right after each of them. The client is curl.
//!
//! Prints one JSON object per line, as `scripts/bench.sh` does. Takes six times the object's size of
//! disk, and 43 times that of a parallel transfer.
//!
//! Usage: `planaria-bench-gateway [PORT [MIB [PARALLEL_MIB]]]`: the first of 400 ports (default
//! 29800), the size of the object (default 1024), and of each of 16 that are moved at once (default
//! 128).

use anyhow::{Context, Result, ensure};
use planaria_tests::{Gateway, Network, binary};
use serde_json::{Value, json};
use std::{
	fs,
	io::{Read, Write},
	path::Path,
	process::Command,
	time::Instant,
};

/// How many transfers go on at once.
const AT_ONCE: usize = 16;
/// How many cold downloads there are; the one in the middle counts.
const ROUNDS: usize = 5;
/// How many small objects there are.
const SMALL: usize = 2048;

fn main() -> Result<()> {
	let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
	let port = u16::try_from(arguments.next().unwrap_or(Ok(29_800))?)?;
	let size = arguments.next().unwrap_or(Ok(1024))? << 20;
	let parallel = arguments.next().unwrap_or(Ok(128))? << 20;

	let network = Network::up(port, 5)?;
	let raw = raw_iroh(size >> 20)?;
	let work = tempfile::tempdir()?;
	let object = work.path().join("object");
	fill(&object, size)?;
	let options = ["--key", "//Alice", "--coding", "lean"];
	let mut gateway = Gateway::start(&network, port + 380, &options)?;
	let key = gateway.key("//Alice")?;
	let client = Client { gateway: &gateway, key: &key };
	client.request("/bucket", &["-X", "PUT"])?;

	small(&network, client)?;
	let begun = Instant::now();
	let put = client.put("/bucket/object", &object)?;
	let uploaded = size as f64 / put.seconds / 1e6;
	row("gateway/upload", uploaded, "MB/s", Some(raw), Some(0.6), uploaded / raw >= 0.6);
	gateway.until_active()?;
	let stored = size as f64 / begun.elapsed().as_secs_f64() / 1e6;
	row("gateway/stored", stored, "MB/s", Some(raw), None, true);

	gateway.forget(&[])?;
	let client = Client { gateway: &gateway, key: &key };
	let segment = client.request("/bucket/object", &["-r", "0-16777215"])?.seconds;
	// What the machine can do changes by the minute: each download has a baseline of its own.
	let mut colds = Vec::new();
	for _ in 0..ROUNDS {
		gateway.forget(&[])?;
		let client = Client { gateway: &gateway, key: &key };
		let cold = client.request("/bucket/object", &[])?;
		ensure!(cold.bytes == size, "{} of {size} bytes came", cold.bytes);
		let rate = size as f64 / cold.seconds / 1e6;
		colds.push((rate / raw_iroh(size >> 20)?, rate, cold.first));
	}
	let client = Client { gateway: &gateway, key: &key };
	colds.sort_by(|one, other| one.0.total_cmp(&other.0));
	eprintln!(
		"cold downloads, as part of raw iroh: {:.2?}",
		colds.iter().map(|cold| cold.0).collect::<Vec<_>>()
	);
	let (ratio, rate, first) = colds[ROUNDS / 2];
	row("gateway/cold-download", rate, "MB/s", Some(rate / ratio), Some(0.6), ratio >= 0.6);
	row("gateway/cold-first-byte", first, "s", Some(segment), Some(1.0), first <= segment);
	let warm = size as f64 / client.request("/bucket/object", &[])?.seconds / 1e6;
	row("gateway/warm-download", warm, "MB/s", None, Some(1000.0), warm >= 1000.0);

	// Half up, half down, at once, each another object; what comes down was not read before.
	for number in 0..AT_ONCE / 2 {
		fill(&object, parallel)?;
		client.put(&format!("/bucket/down-{number}"), &object)?;
	}
	gateway.until_active()?;
	gateway.forget(&[])?;
	fill(&object, parallel)?;
	let client = Client { gateway: &gateway, key: &key };
	std::thread::scope(|scope| {
		let up = |number: usize| client.put(&format!("/bucket/up-{number}"), &object);
		let down = |number: usize| client.request(&format!("/bucket/down-{number}"), &[]);
		let mut transfers = Vec::new();
		for number in 0..AT_ONCE / 2 {
			transfers.push(scope.spawn(move || up(number)));
			transfers.push(scope.spawn(move || down(number)));
		}
		transfers.into_iter().try_for_each(|it| it.join().expect("curl does not panic").map(drop))
	})?;
	let peak = gateway.peak_memory()? as f64 / f64::from(1 << 20);
	row("gateway/memory-16-transfers", peak, "MiB", None, Some(512.0), peak <= 512.0);
	Ok(())
}

/// What 2,048 objects of 4 KiB take of the chain.
fn small(network: &Network, client: Client<'_>) -> Result<()> {
	let directory = tempfile::tempdir()?;
	let work = directory.path();
	let owner = client.key["owner"].as_str().context("a key has an owner")?;
	let (sent, state) = (network.transactions_for(owner)?, network.files_state()?);
	std::thread::scope(|scope| {
		let put = move |thread: usize| {
			let file = work.join(thread.to_string());
			for number in (thread..SMALL).step_by(AT_ONCE) {
				fill(&file, 4096)?;
				client.put(&format!("/bucket/small-{number}"), &file)?;
			}
			anyhow::Ok(())
		};
		let puts: Vec<_> = (0..AT_ONCE).map(|thread| scope.spawn(move || put(thread))).collect();
		puts.into_iter().try_for_each(|it| it.join().expect("curl does not panic"))
	})?;
	client.gateway.until_active()?;
	let state = network.files_state()?.saturating_sub(state) as f64 / SMALL as f64;
	let sent = network.transactions_for(owner)?.saturating_sub(sent);
	let transactions = sent as f64 / SMALL as f64;
	row("gateway/chain-state-per-4KiB-object", state, "bytes", None, None, true);
	row("gateway/transactions-per-4KiB-object", transactions, "", None, None, true);
	Ok(())
}

/// One row of the table.
fn row(name: &str, value: f64, unit: &str, baseline: Option<f64>, goal: Option<f64>, met: bool) {
	let round = |value: f64| (value * 1000.0).round() / 1000.0;
	let row = json!({
		"name": name, "value": round(value), "unit": unit, "baseline": baseline.map(round),
		"ratio": baseline.map(|baseline| round(value / baseline)), "goal": goal, "met": met,
	});
	println!("{row}");
}

/// What raw iroh moves, in MB/s.
fn raw_iroh(mib: u64) -> Result<f64> {
	let program = binary("planaria-bench-transfer")?;
	let output = Command::new(program).arg(mib.to_string()).output()?;
	ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	let text = String::from_utf8(output.stdout)?;
	let rows = text.lines().map(serde_json::from_str::<Value>);
	let rows = rows.collect::<std::result::Result<Vec<_>, _>>()?;
	let put = rows.iter().find(|row| row["name"] == "transfer/put");
	put.and_then(|row| row["baseline"].as_f64()).context("a baseline")
}

/// Writes random bytes.
fn fill(path: &Path, size: u64) -> Result<()> {
	let mut random = fs::File::open("/dev/urandom")?.take(size);
	let mut file = fs::File::create(path)?;
	std::io::copy(&mut random, &mut file)?;
	file.flush()?;
	Ok(())
}

/// How a request went.
struct Timed {
	seconds: f64,
	/// Until the first byte of the answer.
	first: f64,
	bytes: u64,
}

/// curl, with a key.
#[derive(Clone, Copy)]
struct Client<'a> {
	gateway: &'a Gateway<'a>,
	key: &'a Value,
}

impl Client<'_> {
	fn request(&self, path: &str, arguments: &[&str]) -> Result<Timed> {
		let form = "%{http_code} %{time_total} %{time_starttransfer} %{size_download}";
		let all = [&["-w", form], arguments].concat();
		let said = self.gateway.curl(self.key, path, &all)?;
		let mut fields = said.split(' ');
		let status = fields.next().unwrap_or_default();
		ensure!(status.starts_with('2'), "{path}: {said}");
		let mut number =
			|| fields.next().context("curl tells").and_then(|text| Ok(text.parse::<f64>()?));
		let (seconds, first): (f64, f64) = (number()?, number()?);
		Ok(Timed { seconds, first, bytes: number()? as u64 })
	}

	/// Puts an object that anybody may read: what is not encrypted is compared.
	fn put(&self, path: &str, file: &Path) -> Result<Timed> {
		let file = file.to_str().context("a path of plain text")?;
		self.request(path, &["-T", file, "-H", "x-amz-acl: public-read"])
	}
}
