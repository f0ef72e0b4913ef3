// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Gateways that ask each other.

use super::{Memory, Running, content, curl};
use crate::peers::Shown;
use std::{
	fs,
	sync::{
		Arc,
		atomic::{AtomicUsize, Ordering::SeqCst},
	},
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt, copy},
	net::{TcpListener, TcpStream},
};

/// Passes on what a gateway says, but for one byte.
struct Forger {
	url: String,
	asked: Arc<AtomicUsize>,
}

impl Forger {
	/// The byte at `at` of each answer is another; without `at` nothing is ever answered.
	async fn before(plain: &str, at: Option<usize>) -> Self {
		let target = plain.trim_start_matches("http://").to_owned();
		let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
		let url = format!("http://{}", listener.local_addr().expect("bound"));
		let asked = Arc::new(AtomicUsize::new(0));
		let counted = asked.clone();
		tokio::spawn(async move {
			let mut kept = Vec::new();
			while let Ok((client, _)) = listener.accept().await {
				counted.fetch_add(1, SeqCst);
				match at {
					Some(at) => drop(tokio::spawn(forge(client, target.clone(), at))),
					None => kept.push(client),
				}
			}
		});
		Self { url, asked }
	}
}

async fn forge(client: TcpStream, target: String, at: usize) -> std::io::Result<()> {
	let (mut from_client, mut to_client) = client.into_split();
	let (mut from_gateway, mut to_gateway) = TcpStream::connect(target).await?.into_split();
	tokio::spawn(async move { copy(&mut from_client, &mut to_gateway).await });
	let (mut buffer, mut passed) = (vec![0; 10_000], 0);
	loop {
		let len = from_gateway.read(&mut buffer).await?;
		if len == 0 {
			return Ok(());
		}
		if (passed..passed + len).contains(&at) {
			buffer[at - passed] ^= 1;
		}
		passed += len;
		to_client.write_all(&buffer[..len]).await?;
	}
}

/// Another gateway of the same network.
async fn beside(network: &Memory, peers: &[&str]) -> Running {
	let data = Arc::new(tempfile::tempdir().expect("a directory"));
	let peers = peers.iter().map(|url| url.parse().expect("a URL")).collect();
	Running::with(data, network.clone(), |config| config.peers = peers).await
}

fn shown(running: &Running) -> Vec<Shown> {
	running.gateway.library.peers().shown()
}

/// A gateway that has a file of two segments in its cache, and the file's path.
async fn with_file(bytes: &[u8]) -> (Running, String) {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.put("/bucket/k", bytes, &["-H", "x-amz-acl: public-read"]).await.is(200);
	running.until_active().await;
	let head = running.s3("/bucket/k", &["-I"]).await.is(200);
	let path = format!("/file/{}", head.headers["x-planaria-file-id"]);
	assert!(curl(&format!("{}{path}", running.plain), &[]).await.is(200).body == bytes);
	(running, path)
}

const LEN: usize = (16 << 20) + 100_001;

#[tokio::test]
async fn what_a_peer_has_in_its_cache_is_not_fetched_from_miners() {
	let bytes = content(1, LEN);
	let (first, path) = with_file(&bytes).await;
	let second = beside(&first.network, &[&first.plain]).await;
	let third = beside(&first.network, &[&second.plain]).await;
	let read = first.network.state().read;
	let part = curl(&format!("{}{path}", second.plain), &["-r", "16777000-16777999"]).await;
	assert!(part.is(206).body == bytes[16_777_000..16_778_000]);
	for running in [&second, &third] {
		let got = curl(&format!("{}{path}", running.plain), &[]).await.is(200);
		assert!(got.body == bytes);
	}
	assert_eq!(first.network.state().read, read);
	assert_eq!(shown(&third)[0].bytes, LEN as u64);
	// What nobody has read is nowhere but with the miners.
	first.put("/bucket/other", &bytes[..9], &["-H", "x-amz-acl: public-read"]).await.is(200);
	first.until_active().await;
	let head = first.s3("/bucket/other", &["-I"]).await.is(200);
	let path = format!("/file/{}", head.headers["x-planaria-file-id"]);
	let got = curl(&format!("{}{path}", second.plain), &[]).await.is(200);
	assert!(got.body == bytes[..9]);
	for running in [first, second, third] {
		running.stop().await;
	}
}

#[tokio::test]
async fn what_a_peer_forges_is_not_passed_on() {
	let bytes = content(2, LEN);
	let (first, path) = with_file(&bytes).await;
	// In the frame's length, in the hash, in the sidecar, in the stream's hashes, in its bytes.
	for (at, forged) in [(300, false), (330, false), (400, false), (5_000_000, true)] {
		let forger = Forger::before(&first.plain, Some(at)).await;
		let running = beside(&first.network, &[&forger.url]).await;
		let read = first.network.state().read;
		let got = curl(&format!("{}{path}", running.plain), &[]).await.is(200);
		assert!(got.body == bytes, "{at}");
		let peer = &shown(&running)[0];
		assert!(peer.wrong + peer.failures >= 1, "{at}: {peer:?}");
		if forged {
			assert_eq!(peer.wrong, 1, "{peer:?}");
			assert!(peer.bytes > 4_000_000 && peer.passed_over > 0, "{peer:?}");
		}
		// The miners give what is missing, and the forger is asked no more.
		assert!(first.network.state().read > read);
		if forged {
			let asked = forger.asked.load(SeqCst);
			fs::remove_dir_all(running.data.path().join("cache")).expect("removed");
			assert!(curl(&format!("{}{path}", running.plain), &[]).await.is(200).body == bytes);
			assert_eq!(forger.asked.load(SeqCst), asked);
		}
		running.stop().await;
	}
	first.stop().await;
}

#[tokio::test]
async fn peers_that_are_silent_or_gone_are_passed_over() {
	let bytes = content(3, 1_000_000);
	let (first, path) = with_file(&bytes).await;
	let silent = Forger::before(&first.plain, None).await;
	let running = beside(&first.network, &["http://127.0.0.1:1", &silent.url, &first.plain]).await;
	let read = first.network.state().read;
	assert!(curl(&format!("{}{path}", running.plain), &[]).await.is(200).body == bytes);
	let failures: Vec<u64> = shown(&running).iter().map(|peer| peer.failures).collect();
	assert_eq!((failures, first.network.state().read), (vec![1, 1, 0], read));
	let url = |what: &str| format!("{}{path}/fragment/{what}", first.plain);
	for (what, status) in [
		("0/0?from=0&below=1", 200),
		("0/2", 404),
		("1/0", 404),
		("x", 404),
		("0/0?from=1&below=1", 416),
		("0/0?below=99999999", 416),
	] {
		assert_eq!(curl(&url(what), &[]).await.status, status, "{what}");
	}
	running.stop().await;
	first.stop().await;
}
