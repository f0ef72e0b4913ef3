// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{fixture::*, handshake::closed_with};
use planaria_transfer::{
	Fetch, GROUP_LEN, PutOutcome, TransferConfig, TransferError,
	protocol::{GetAnswer, GetRequest, ListAnswer, ListRequest, PutAnswer, Request, close},
};
use std::{
	num::NonZeroU64,
	sync::{
		Arc,
		atomic::{AtomicU32, Ordering::SeqCst},
	},
	time::{Duration, Instant},
};

#[tokio::test]
async fn too_many_streams_of_a_peer_are_busy() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let mut few = config();
	few.max_streams_per_peer = 2;
	let host = serve_with(&store, few).await;
	store.hold.store(true, SeqCst);
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let get = Request::Get(GetRequest { name: file.name(0), start: 0, end: 1024 });
	let mut held = Vec::new();
	for _ in 0..2 {
		let (mut send, recv) = connection.open_bi().await.unwrap();
		write_frame(&mut send, &get).await;
		held.push((send, recv));
	}
	eventually("two are served", || host.transfer.metrics().active == 2).await;

	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &get).await;
	assert_eq!(read_frame::<GetAnswer>(&mut recv).await, GetAnswer::Busy);
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &Request::Put(file.offer(1))).await;
	assert_eq!(read_frame::<PutAnswer>(&mut recv).await, PutAnswer::Busy);
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &Request::List(ListRequest { after: None, limit: 1 })).await;
	assert_eq!(read_frame::<ListAnswer>(&mut recv).await, ListAnswer::Busy);
	// A second connection of the same peer has no further places; another peer has its own.
	let second = raw_client(&endpoint, &host.addr).await;
	let (mut send, mut recv) = second.open_bi().await.unwrap();
	write_frame(&mut send, &get).await;
	assert_eq!(read_frame::<GetAnswer>(&mut recv).await, GetAnswer::Busy);
	assert_eq!(host.transfer.metrics().busy, 4);
	assert!(bind().await.client().list(&host.addr, None, 1).await.is_ok());

	store.hold.store(false, SeqCst);
	for (_send, mut recv) in held {
		assert!(matches!(read_frame(&mut recv).await, GetAnswer::Found { .. }));
	}
}

#[tokio::test]
async fn too_many_streams_of_all_peers_are_busy() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let mut few = config();
	few.max_streams = 1;
	let host = serve_with(&store, few).await;
	store.hold.store(true, SeqCst);
	let (one, other) = (bind().await, bind().await);
	let fetch = Fetch::new(file.name(0), file.spec);
	let first = one.client().get(&host.addr, fetch);
	let second = async {
		eventually("one is served", || host.transfer.metrics().active == 1).await;
		let fetch = Fetch::new(file.name(0), file.spec);
		let error = other.client().get(&host.addr, fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::Busy), "{error:?}");
		let outcome = other.client().put(&host.addr, &file.put(1)).await.unwrap();
		assert_eq!(outcome, PutOutcome::Busy);
		store.hold.store(false, SeqCst);
	};
	assert!(tokio::join!(first, second).0.is_ok());
}

#[tokio::test]
async fn memory_is_bounded() {
	let file = File::new(8 << 20);
	let store = Store::new(&file, [0]);
	let mut small = config();
	small.max_bytes_in_flight = 0; // Raised to one fragment.
	let host = serve_with(&store, small).await;
	store.hold.store(true, SeqCst);
	let client = bind().await;
	let first = client.client().get(&host.addr, Fetch::new(file.name(0), file.spec));
	let second = async {
		eventually("one is served", || host.transfer.metrics().active == 1).await;
		let outcome = client.client().put(&host.addr, &file.put(1)).await.unwrap();
		assert_eq!(outcome, PutOutcome::Busy);
		store.hold.store(false, SeqCst);
	};
	assert!(tokio::join!(first, second).0.is_ok());
	// One after the other there is room.
	for _ in 0..5 {
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&host.addr, fetch).await.unwrap();
	}
}

/// What is sent holds memory until the peer takes it: no more than that, and never all there is.
#[tokio::test]
async fn a_peer_has_its_share_of_the_memory() {
	let file = File::new(8 << 20);
	let mut some = config();
	some.max_bytes_in_flight = 4 * u64::from(file.len());
	some.stall_timeout = Duration::from_secs(60);
	let host = serve_with(&Store::new(&file, [0]), some).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let mut held = Vec::new();
	let mut get = async |end| {
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		let request = GetRequest { name: file.name(0), start: 0, end };
		write_frame(&mut send, &Request::Get(request)).await;
		let answer = read_frame::<GetAnswer>(&mut recv).await;
		held.push((send, recv));
		answer
	};
	// Nothing of the streams is read: 3, 3 and 8 MiB of 16 are taken.
	for end in [3 << 20, 3 << 20, file.len()] {
		assert!(matches!(get(end).await, GetAnswer::Found { .. }));
	}
	assert_eq!(get(64).await, GetAnswer::Busy);
	let fetch = Fetch::new(file.name(0), file.spec);
	bind().await.client().get(&host.addr, fetch).await.unwrap();
}

#[tokio::test]
async fn who_takes_little_is_cut_where_memory_is_scarce() {
	let file = File::new(8 << 20);
	let mut small = config();
	small.max_bytes_in_flight = 0; // Raised to one fragment.
	small.stall_timeout = Duration::from_secs(1);
	let host = serve_with(&Store::new(&file, [0]), small).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let request = GetRequest { name: file.name(0), start: 0, end: file.len() };
	write_frame(&mut send, &Request::Get(request)).await;
	assert!(matches!(read_frame(&mut recv).await, GetAnswer::Found { .. }));
	// Four times what would do otherwise.
	let mut bytes = vec![0; 64 << 10];
	while recv.read_exact(&mut bytes).await.is_ok() {
		tokio::time::sleep(Duration::from_millis(250)).await;
	}
	eventually("it was cut", || host.transfer.metrics().stalled == 1).await;
	eventually("its memory is free", || host.transfer.metrics().active == 0).await;
	let fetch = Fetch::new(file.name(0), file.spec);
	bind().await.client().get(&host.addr, fetch).await.unwrap();
}

#[tokio::test]
async fn a_client_waits_for_its_places() {
	let file = File::new(1024);
	let mut one = config();
	one.max_streams_per_peer = 1;
	let host = serve_with(&Store::new(&file, [0]), one.clone()).await;
	let client = bind_with(GENESIS, one).await;
	let gets = (0..20).map(|_| {
		let (client, addr) = (client.client().clone(), host.addr.clone());
		let fetch = Fetch::new(file.name(0), file.spec);
		tokio::spawn(async move { client.get(&addr, fetch).await.map(|_| ()) })
	});
	for get in gets.collect::<Vec<_>>() {
		get.await.unwrap().unwrap();
	}
	assert_eq!(host.transfer.metrics().busy, 0);
}

#[tokio::test]
async fn connections_are_limited() {
	let file = File::new(1024);
	let mut few = config();
	few.max_connections = 3;
	few.max_connections_per_peer = 2;
	let host = serve_with(&Store::new(&file, [0]), few).await;
	let endpoint = raw_endpoint().await;
	let _one = raw_client(&endpoint, &host.addr).await;
	let two = raw_client(&endpoint, &host.addr).await;
	let three = raw_connect(&endpoint, &host.addr).await;
	let code = closed_with(&three.closed().await);
	assert_eq!(code, Some(close::BUSY.into_inner()));

	let (one, other) = (bind().await, bind().await);
	let get = || Fetch::new(file.name(0), file.spec);
	one.client().get(&host.addr, get()).await.unwrap();
	let error = other.client().get(&host.addr, get()).await.unwrap_err();
	assert!(matches!(error, TransferError::Busy), "{error:?}");
	two.close(0u32.into(), b"");
	eventually("there is room again", || host.transfer.metrics().connections == 2).await;
	other.client().get(&host.addr, get()).await.unwrap();
}

/// At 64 KiB per second 2 MiB take half a minute, and once the limit is gone no time.
#[tokio::test]
async fn the_rate_is_limited_until_it_is_changed() {
	let file = File::new(2 << 20);
	let slow = NonZeroU64::new(64 << 10);
	for server_limits in [true, false] {
		let mut limited = config();
		limited.upload_rate = slow.filter(|_| server_limits);
		let host = serve_with(&Store::new(&file, [0]), limited).await;
		let mut limited = config();
		limited.download_rate = slow.filter(|_| !server_limits);
		let client = bind_with(GENESIS, limited).await;
		let get = client.client().get(&host.addr, Fetch::new(file.name(0), file.spec));
		tokio::pin!(get);
		tokio::select! {
			biased;
			() = eventually("a part is there", || client.metrics().bytes_in > 0) => {},
			got = &mut get => panic!("{got:?}"),
		}
		assert!(client.metrics().bytes_in < 1 << 20);
		host.transfer.set_rates(None, None);
		client.set_rates(None, None);
		assert!(get.await.unwrap().bytes == file.fragments[0]);
	}
}

/// The bytes a client may have received are bounded by the time that has passed, and neither what is
/// put here nor other clients wait for that.
#[tokio::test]
async fn a_client_has_its_own_rate() {
	const RATE: u64 = 256 << 10;
	let (got, put) = (File::new(1 << 20), File::new(3 << 20));
	let peer = serve_with(&Store::new(&got, [0]), config()).await;
	let store = Store::new(&put, []);
	store.specs.lock().unwrap().insert(put.id, put.spec);
	let slow = serve_with(&store, config()).await;
	let started = Instant::now();
	slow.transfer.client().set_rate(NonZeroU64::new(RATE));
	let client = slow.transfer.client().clone();
	let (addr, fetch) = (peer.addr.clone(), Fetch::new(got.name(0), got.spec));
	let progress = Arc::new(AtomicU32::new(0));
	let seen = progress.clone();
	let fetch = fetch.on_progress(move |bytes| seen.store(bytes, SeqCst));
	let get = tokio::spawn(async move { client.get(&addr, fetch).await });
	eventually("a part is there", || progress.load(SeqCst) > 0).await;

	let other = bind().await;
	let outcome = other.client().put(&slow.addr, &put.put(0)).await.unwrap();
	assert!(matches!(outcome, PutOutcome::Stored { .. }), "{outcome:?}");
	other.client().get(&peer.addr, Fetch::new(got.name(0), got.spec)).await.unwrap();

	while !get.is_finished() {
		let (bytes, millis) = (progress.load(SeqCst), started.elapsed().as_millis() as u64);
		// A quarter of a second's bytes may come at once, and a group is on its way.
		let most = RATE * millis / 1000 + RATE / 4 + 2 * u64::from(GROUP_LEN);
		assert!(u64::from(bytes) <= most, "{bytes} bytes after {millis} ms");
		tokio::time::sleep(Duration::from_millis(5)).await;
		if bytes > 512 << 10 {
			slow.transfer.client().set_rate(None);
			break;
		}
	}
	assert_eq!(get.await.unwrap().unwrap().bytes, got.fragments[0]);
}

#[tokio::test]
async fn extreme_settings_work() {
	let file = File::new(100_032);
	let zero = TransferConfig {
		max_connections: 0,
		max_connections_per_peer: 0,
		max_streams: 0,
		max_streams_per_peer: 0,
		max_bytes_in_flight: 0,
		connection_window: 0,
		max_pooled_peers: 0,
		min_progress: 0,
		..config()
	};
	let most = TransferConfig {
		max_connections: usize::MAX,
		max_connections_per_peer: usize::MAX,
		max_streams: usize::MAX,
		max_streams_per_peer: usize::MAX,
		max_bytes_in_flight: u64::MAX,
		connection_window: u32::MAX,
		max_pooled_peers: usize::MAX,
		handshake_timeout: Duration::MAX,
		request_timeout: Duration::MAX,
		commit_timeout: Duration::MAX,
		stall_timeout: Duration::MAX,
		idle_timeout: Duration::MAX,
		lost_timeout: Duration::MAX,
		upload_rate: Some(NonZeroU64::MAX),
		download_rate: Some(NonZeroU64::MAX),
		resume_attempts: u32::MAX,
		min_progress: u32::MAX,
	};
	for (server, client) in [(&zero, &most), (&most, &zero), (&zero, &zero), (&most, &most)] {
		let store = Store::new(&file, [0]);
		let host = serve_with(&store, server.clone()).await;
		let client = bind_with(GENESIS, client.clone()).await;
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&host.addr, fetch).await.unwrap();
		assert!(client.client().put(&host.addr, &file.put(1)).await.unwrap().is_held());
	}
}
