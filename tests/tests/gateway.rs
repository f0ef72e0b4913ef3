// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A gateway in front of real miners, used by clients that nobody here wrote.

use anyhow::{Context, Result, ensure};
use planaria_sdk::{AccountId32, api::FileLife};
use planaria_tests::{Gateway, Network, ObjectStore, content, root, until};
use serde_json::Value;
use std::{
	fs,
	io::{self, Read, Write},
	net::{Shutdown, TcpListener, TcpStream},
	os::unix::process::ExitStatusExt,
	path::Path,
	process::{Command, Output},
	thread,
};

/// Runs a step of `tests/s3/clients.py`, whose first run installs boto3.
fn clients(gateway: &Gateway, key: &Value, step: &str) -> Result<()> {
	let output = run_clients(gateway, key, step)?;
	let failed = String::from_utf8_lossy(&output.stderr);
	ensure!(output.status.success(), "{step}: {failed}\n{}", gateway.log()?);
	Ok(())
}

fn run_clients(gateway: &Gateway, key: &Value, step: &str) -> Result<Output> {
	let text = |name: &str| key[name].as_str().context("a key has text").map(str::to_owned);
	let output = Command::new(root().join("tests/s3/run.sh"))
		.arg(step)
		.env("S3_URL", format!("http://127.0.0.1:{}", gateway.port()))
		.env("HTTP_URL", gateway.http())
		.env("AWS_ACCESS_KEY_ID", text("access_key")?)
		.env("AWS_SECRET_ACCESS_KEY", text("secret_key")?)
		.env("AWS_DEFAULT_REGION", "us-east-1")
		.env("WORK", gateway.data())
		.output()?;
	eprint!("{}", String::from_utf8_lossy(&output.stdout));
	Ok(output)
}

/// Our own command line is a client, too.
fn commands(gateway: &Gateway, key: &Value, bytes: &[u8]) -> Result<()> {
	let (file, copy) = (gateway.data().join("mine"), gateway.data().join("copy"));
	let [file, copy] = [&file, &copy].map(|path| path.to_str().context("plain text"));
	let (file, copy) = (file?, copy?);
	fs::write(file, bytes)?;
	let ran = |key: &Value, arguments: &[&str], code: i32| {
		let output = gateway.client(key, arguments)?;
		let said = String::from_utf8_lossy(&output.stderr);
		ensure!(output.status.code() == Some(code), "{arguments:?}: {said}\n{}", gateway.log()?);
		anyhow::Ok(output.stdout)
	};
	ran(key, &["put", file, "bucket/dir/"], 0)?;
	ran(key, &["get", "bucket/dir/mine", "-o", copy], 0)?;
	ensure!(fs::read(copy)? == bytes, "another file");
	// It is not overwritten.
	ran(key, &["get", "bucket/dir/mine", "-o", copy], 1)?;
	let part = ran(key, &["get", "bucket/dir/mine", "-o", "-", "--range", "7-18000006"], 0)?;
	ensure!(part == bytes[7..18_000_007], "another part");
	ran(key, &["get", "bucket/dir/other", "-o", "-"], 3)?;
	let mut forged = key.clone();
	forged["secret_key"] = "no secret".into();
	ran(&forged, &["get", "bucket/dir/mine", "-o", "-"], 4)?;
	Ok(())
}

/// Who is not the operator stores in space of its own as long as it authorises the operator.
fn another_owner(network: &Network, gateway: &Gateway) -> Result<()> {
	const OWNER: [&str; 2] = ["--key", "//Carol"];
	let signed = |arguments: &[&str]| network.planaria(&[arguments, &OWNER].concat());
	let text = |value: &Value| value.as_str().context("text").map(str::to_owned);
	let owner = text(&signed(&["account", "address"])?["address"])?;
	let operator = text(&gateway.status()?["operator"])?;
	let authorise = ["space", "authorise", &operator, "--bytes", "1GiB", "--for", "1d"];
	network.planaria(&["account", "transfer", &owner, "1000", "--key", "//Eve"])?;
	signed(&["space", "buy", "2GiB", "--for", "30d"])?;
	signed(&authorise)?;

	let key = gateway.key(OWNER[1])?;
	let bytes = content(7, 3 << 20);
	gateway.s3(&key, "/carol", &["-X", "PUT"])?;
	let id = gateway.put(&key, "/carol/one", &bytes)?;
	let account: AccountId32 = owner.parse().map_err(anyhow::Error::msg)?;
	let files = || network.ask(async |view| view.files_of(&account).await);
	let stored = files()?;
	ensure!(stored.len() == 1 && stored[0].id.to_string() == id, "{stored:?}");
	ensure!(stored[0].state == FileLife::Active, "{stored:?}");
	let http = gateway.http();
	let status = ["gateway", "status", "--http", &http, "--file"];
	let shown = network.planaria(&[&status[..], &[id.as_str()]].concat())?;
	ensure!(shown["gateway"][0]["state"] == "active", "{shown}");
	let fragments = shown["gateway"][0]["fragments"]["0"].as_array().context("fragments")?;
	let holds = |fragment: &Value| fragment["phase"] == "COMPLETED" && fragment["miner"].is_u64();
	ensure!(fragments.len() == 3 && fragments.iter().all(holds), "{shown}");
	let no_id = "00".repeat(32);
	let nothing = network.planaria_raw(&[&status[..], &[no_id.as_str()]].concat())?;
	ensure!(nothing.status.code() == Some(3), "{nothing:?}");

	signed(&["space", "revoke", &operator])?;
	let (status, said) = gateway.put_status(&key, "/carol/two", &content(8, 3 << 20))?;
	ensure!(status == "200", "{said}");
	let head = || gateway.s3(&key, "/carol/two", &["-I"]).map(|(_, said)| said);
	let reason = format!("x-planaria-failure: {owner} has not authorised {operator}");
	until("it says whose authorisation is missing", || Ok(head()?.contains(&reason)))?;
	let said = head()?;
	ensure!(said.contains("x-planaria-state: queued"), "{said}");
	ensure!(files()?.len() == 1, "it was ordered all the same");
	gateway.check(&id, &bytes)?;
	let (status, said) = gateway.s3(&key, "/carol/one", &[])?;
	ensure!(status == "200", "{said}");

	signed(&authorise)?;
	gateway.until_active()?;
	ensure!(files()?.len() == 2, "it was not stored");
	Ok(())
}

/// Passes on what a gateway says, but for a byte in the middle of each answer that is long. It ends
/// with this process.
fn forger(port: u16, target: u16) -> Result<String> {
	let listener = TcpListener::bind(("127.0.0.1", port))?;
	thread::spawn(move || {
		for client in listener.incoming().flatten() {
			thread::spawn(move || forge(client, target));
		}
	});
	Ok(format!("http://127.0.0.1:{port}"))
}

fn forge(mut client: TcpStream, target: u16) -> io::Result<()> {
	let mut gateway = TcpStream::connect(("127.0.0.1", target))?;
	let (mut asking, mut asked) = (client.try_clone()?, gateway.try_clone()?);
	thread::spawn(move || {
		let copied = io::copy(&mut asking, &mut asked);
		let _ = asked.shutdown(Shutdown::Write);
		copied
	});
	let (mut buffer, mut passed) = (vec![0; 64 << 10], 0);
	loop {
		let len = gateway.read(&mut buffer)?;
		if len == 0 {
			return client.shutdown(Shutdown::Both);
		}
		if (passed..passed + len).contains(&1_000_000) {
			buffer[1_000_000 - passed] ^= 1;
		}
		passed += len;
		client.write_all(&buffer[..len])?;
	}
}

fn spooled(data: &Path) -> Result<usize> {
	let mut files = 0;
	for directory in fs::read_dir(data.join("spool"))? {
		files += fs::read_dir(directory?.path())?.count();
	}
	Ok(files)
}

/// What boto3, s3cmd, rclone and curl write through the gateway comes back from the miners, across
/// crashes of the gateway.
#[test]
fn clients_of_s3_store_on_miners_across_crashes() -> Result<()> {
	let network = Network::up(28300, 3)?;
	let mut gateway = Gateway::start(&network, 28700, &["--key", "//Alice", "--coding", "lean"])?;
	let key = gateway.key("//Alice")?;

	clients(&gateway, &key, "write")?;
	// At whatever it is: queued, placing, partly active.
	for _ in 0..2 {
		gateway.kill()?;
		gateway.again()?;
		clients(&gateway, &key, "read")?;
	}
	until("something is being placed", || {
		let status = gateway.status()?;
		Ok(status["contents"]["placing"]["count"] != 0 || status["jobs"] == 0)
	})?;
	gateway.kill()?;
	gateway.again()?;
	another_owner(&network, &gateway)?;
	ensure!(spooled(gateway.data())? == 0, "the local copies are dropped");
	clients(&gateway, &key, "read")?;

	// From the miners alone, with one of three dead.
	gateway.kill()?;
	fs::remove_dir_all(gateway.data().join("cache"))?;
	network.kill(0)?;
	gateway.again()?;
	clients(&gateway, &key, "read")?;
	network.start(0)?;
	clients(&gateway, &key, "delete")?;
	until("the files are deleted on chain", || Ok(gateway.status()?["jobs"] == 0))
}

/// Two gateways share nothing but the chain and what they read; what one cannot have from the other
/// it has from the miners, however few of them are left.
#[test]
fn what_peers_do_not_have_right_miners_have() -> Result<()> {
	let network = Network::up(29000, 12)?;
	let standard = ["--coding", "standard"];
	let mut first =
		Gateway::start(&network, 29400, &[&["--key", "//Alice"], &standard[..]].concat())?;
	let forger = forger(29410, 29401)?;
	let peers = ["--peer", &forger, "--peer", &first.http()].map(str::to_owned);
	let peers = peers.each_ref().map(String::as_str);
	let options = [&["--key", "//Bob"], &standard[..], &peers[..]].concat();
	let mut second = Gateway::start(&network, 29402, &options)?;
	let (alice, bob) = (first.key("//Alice")?, second.key("//Bob")?);

	let bytes = content(1, 34 << 20);
	first.s3(&alice, "/bucket", &["-X", "PUT"])?;
	second.s3(&bob, "/bucket", &["-X", "PUT"])?;
	let id = first.put(&alice, "/bucket/one", &bytes)?;
	first.check(&id, &bytes)?;
	second.check(&id, &bytes)?;
	let status = second.status()?;
	let [forging, honest] = [0, 1].map(|peer| &status["peers"][peer]);
	ensure!(forging["wrong"].as_u64() >= Some(1), "nothing wrong was found: {status}");
	ensure!(honest["bytes"].as_u64() >= Some(24 << 20), "too little came from the peer: {status}");
	// The other way it has no peer.
	let small = content(2, 1 << 20);
	let other = second.put(&bob, "/bucket/two", &small)?;
	first.check(&other, &small)?;

	commands(&first, &alice, &bytes)?;

	// The peer is gone, and a miner does nothing.
	first.kill()?;
	network.pause(5)?;
	second.forget(&[])?;
	second.check(&id, &bytes)?;
	network.resume(5)?;

	// As few are left as can restore it.
	for miner in 0..8 {
		network.kill(miner)?;
	}
	second.forget(&[])?;
	second.check(&id, &bytes)?;

	// With a full disk it says so, and goes on reading.
	let config = second.data().join("full.toml");
	fs::write(&config, "keep_free = '1000000 GiB'")?;
	let config = config.to_str().context("a path of plain text")?.to_owned();
	second.forget(&["--config", &config])?;
	let (status, said) = second.put_status(&bob, "/bucket/three", &small)?;
	ensure!(status == "507", "{said}");
	second.check(&other, &small)?;
	second.kill()?;
	second.again()?;
	let (status, said) = second.put_status(&bob, "/bucket/three", &small)?;
	ensure!(status == "200", "{said}");
	Ok(())
}

/// Two gateways share an object store: what one has read the other has from there, with every miner
/// dead; and what one has acknowledged another process goes on with when its disk is lost.
#[test]
fn gateways_share_an_object_store() -> Result<()> {
	let network = Network::up(30200, 3)?;
	let store = ObjectStore::start(30610)?;
	let shared = tempfile::tempdir()?;
	let config = |name: &str| {
		let path = shared.path().join(format!("{name}.toml"));
		let key = shared.path().join("shared.key");
		let text = format!(
			"[shared]\nurl = 's3://planaria/test'\nendpoint = '{}'\nname = '{name}'\nkey = '{}'",
			store.url(),
			key.display()
		);
		fs::write(&path, text)?;
		Ok::<_, anyhow::Error>(path.to_str().context("a path of plain text")?.to_owned())
	};
	let (one, two) = (config("one")?, config("two")?);
	let one = ["--coding", "lean", "--key", "//Alice", "--config", &one];
	let two = ["--coding", "lean", "--key", "//Bob", "--config", &two];
	let mut first = Gateway::start(&network, 30600, &one)?;
	let second = Gateway::start(&network, 30602, &two)?;
	let alice = first.key("//Alice")?;
	first.s3(&alice, "/bucket", &["-X", "PUT"])?;

	let bytes = content(1, 20 << 20);
	let id = first.put(&alice, "/bucket/one", &bytes)?;
	first.check(&id, &bytes)?;
	until("its fragments are in the object store", || Ok(store.names("fragments/")?.len() == 4))?;
	network.miners().try_for_each(|miner| network.kill(miner))?;
	second.check(&id, &bytes)?;

	// It waits for miners when the disk is lost.
	let queued = content(2, 3_000_000);
	let (status, put) = first.put_status(&alice, "/bucket/two", &queued)?;
	ensure!(status == "200", "{put}");
	let etag = put.lines().find(|line| line.starts_with("etag:")).context("an ETag")?;
	ensure!(store.names("gateways/one/spool/")?.len() == 1, "{:?}", store.names("")?);
	first.kill()?;
	let keys = first.data().join("keys.json");
	let mut third = Gateway::start(&network, 30604, &one)?;
	fs::copy(keys, third.data().join("keys.json"))?;
	let (status, got) = third.s3(&alice, "/bucket/two", &[])?;
	ensure!(status == "200" && got.contains(etag) && got.contains("3000000"), "{got}");
	network.miners().try_for_each(|miner| network.start(miner))?;
	network.until_serving(network.miners())?;
	// It tries again at once.
	third.kill()?;
	third.again()?;
	third.until_active()?;
	let (_, head) = third.s3(&alice, "/bucket/two", &["-I"])?;
	let id = head.lines().find_map(|line| line.strip_prefix("x-planaria-file-id: "));
	third.check(id.context("an id")?.trim(), &queued)?;
	until("the object store's copy is dropped", || {
		Ok(store.names("gateways/one/spool/")?.is_empty())
	})?;
	ensure!(first.again().is_err(), "who was passed over starts");
	Ok(())
}

/// What is small shares files on chain; what is large comes in parts, from a client that is killed
/// and goes on, through a gateway that is killed as well. None of that takes much memory.
#[test]
fn many_small_objects_and_large_ones() -> Result<()> {
	let network = Network::up(31000, 3)?;
	let mut gateway = Gateway::start(&network, 31400, &["--key", "//Alice", "--coding", "lean"])?;
	let key = gateway.key("//Alice")?;
	const OBJECTS: f64 = 2100.0;
	let owner = key["owner"].as_str().context("a key has an owner")?;
	let (sent, state) = (network.transactions_for(owner)?, network.files_state()?);
	clients(&gateway, &key, "tree")?;
	gateway.until_active()?;
	let state = network.files_state()?.saturating_sub(state) as f64 / OBJECTS;
	let sent = network.transactions_for(owner)?.saturating_sub(sent);
	let transactions = sent as f64 / OBJECTS;
	eprintln!("    {state:.2} bytes of chain state and {transactions:.4} transactions per object");
	ensure!(state > 0.0 && state <= 16.0, "{state} bytes of chain state per object");
	ensure!(transactions > 0.0 && transactions <= 0.05, "{transactions} transactions per object");
	gateway.forget(&[])?;
	clients(&gateway, &key, "tree-read")?;

	let killed = run_clients(&gateway, &key, "parts")?;
	ensure!(killed.status.signal() == Some(9), "{killed:?}");
	gateway.kill()?;
	gateway.again()?;
	clients(&gateway, &key, "parts-resume")?;
	clients(&gateway, &key, "at-once")?;
	gateway.until_active()?;
	gateway.forget(&[])?;
	clients(&gateway, &key, "at-once-read")?;
	let peak = gateway.peak_memory()? >> 20;
	eprintln!("    at most {peak} MiB");
	ensure!(peak <= 512, "it took {peak} MiB");
	Ok(())
}
