// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::fixture::*;
use planaria_primitives::{FileIndex, FragmentName, MAX_FRAGMENT_LEN};
use planaria_transfer::{AddressError, Fetch, GROUP_LEN, PeerAddr, TransferError};
use std::sync::{
	Arc,
	atomic::{AtomicU32, Ordering::SeqCst},
};

pub const LENS: [u32; 8] = [
	64,
	1024,
	GROUP_LEN - 64,
	GROUP_LEN,
	GROUP_LEN + 64,
	1 << 20,
	MAX_FRAGMENT_LEN - 64,
	MAX_FRAGMENT_LEN,
];

#[tokio::test]
async fn what_is_held_is_got() {
	let client = bind().await;
	for len in LENS {
		let file = File::new(len);
		let host = serve(&Store::new(&file, 0..3)).await;
		for index in 0..3 {
			let seen = Arc::new(AtomicU32::new(0));
			let progress = seen.clone();
			let fetch = Fetch::new(file.name(index), file.spec)
				.on_progress(move |verified| progress.store(verified, SeqCst));
			let data = client.client().get(&host.addr, fetch).await.unwrap();
			assert!(data.bytes == file.fragments[usize::from(index)]);
			assert_eq!(data.sidecar, file.sidecars[usize::from(index)]);
			assert_eq!((data.hash, data.range), (file.hash(index), 0..len));
			assert_eq!(seen.load(SeqCst), len);
		}
		let metrics = host.transfer.metrics();
		assert_eq!((metrics.gets_served, metrics.connections), (3, 1));
	}
	let metrics = client.metrics();
	assert_eq!(metrics.gets_done, 3 * LENS.len() as u64);
	assert_eq!(metrics.bytes_in, 3 * LENS.iter().map(|len| u64::from(*len)).sum::<u64>());
	client.close().await;
}

#[tokio::test]
async fn a_range_is_got_in_whole_groups() {
	let file = File::new(10 * GROUP_LEN + 640);
	let (host, client) = (serve(&Store::new(&file, [1])).await, bind().await);
	let bytes = &file.fragments[1];
	for range in [
		0..1,
		GROUP_LEN - 1..GROUP_LEN + 1,
		3 * GROUP_LEN..5 * GROUP_LEN,
		100_000..100_001,
		file.len() - 1..file.len(),
		5..file.len(),
	] {
		let before = client.metrics().bytes_in;
		let fetch = Fetch::range(file.name(1), file.spec, range.clone());
		let wanted = fetch.wanted();
		let data = client.client().get(&host.addr, fetch).await.unwrap();
		assert!(data.bytes == bytes[range.start as usize..range.end as usize]);
		assert_eq!(data.range, range);
		assert_eq!(client.metrics().bytes_in - before, u64::from(wanted));
		assert!(wanted < range.end - range.start + 2 * GROUP_LEN);
	}
	for range in [0..0, 5..5, 0..file.len() + 1, file.len()..file.len() + 1] {
		let fetch = Fetch::range(file.name(1), file.spec, range);
		let error = client.client().get(&host.addr, fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::NoSuchRange), "{error:?}");
	}
}

#[tokio::test]
async fn many_at_once_share_a_connection() {
	let file = File::new(1 << 20);
	let (host, client) = (serve(&Store::new(&file, 0..3)).await, bind().await);
	let gets = (0..60).map(|i| {
		let (client, addr) = (client.client().clone(), host.addr.clone());
		let fetch = Fetch::new(file.name(i % 3), file.spec);
		tokio::spawn(async move { client.get(&addr, fetch).await.unwrap().hash })
	});
	for (i, get) in gets.collect::<Vec<_>>().into_iter().enumerate() {
		assert_eq!(get.await.unwrap(), file.hash(i as u8 % 3));
	}
	let metrics = host.transfer.metrics();
	assert_eq!((metrics.connections, metrics.busy, metrics.gets_served), (1, 0, 60));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let (host, client) = (serve(&store).await, bind().await);
	let get = |name| client.client().get(&host.addr, Fetch::new(name, file.spec));
	assert!(matches!(get(file.name(1)).await, Err(TransferError::NotFound)));
	let no_such = FragmentName { index: 3, ..file.name(0) };
	assert!(matches!(get(no_such).await, Err(TransferError::NoSuchRange)));
	let no_such = FragmentName { segment: 1, ..file.name(0) };
	assert!(matches!(get(no_such).await, Err(TransferError::NoSuchRange)));
	store.set_fault(Fault::ReadFails);
	assert!(matches!(get(file.name(0)).await, Err(TransferError::PeerFailed)));
	store.set_fault(Fault::None);
	assert!(get(file.name(0)).await.is_ok());
	assert_eq!(host.transfer.metrics().store_errors, 1);
}

#[tokio::test]
async fn a_damaged_fragment_is_not_served() {
	let file = File::new(1 << 20);
	let store = Store::new(&file, 0..3);
	let mut bytes = file.fragments[2].to_vec();
	bytes[777_777] ^= 1;
	store.held.lock().unwrap().get_mut(&file.name(2)).unwrap().bytes = bytes.into();
	store.held.lock().unwrap().get_mut(&file.name(1)).unwrap().bytes = Default::default();
	let (host, client) = (serve(&store).await, bind().await);
	for index in [1, 2] {
		let fetch = Fetch::new(file.name(index), file.spec);
		let error = client.client().get(&host.addr, fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::Damaged), "{error:?}");
	}
	assert_eq!(*store.damaged.lock().unwrap(), [file.name(1), file.name(2)]);
	let metrics = host.transfer.metrics();
	assert_eq!((metrics.damaged, metrics.bytes_out), (2, 0));
}

#[tokio::test]
async fn lists_come_in_pages() {
	let file = File::new(64);
	let store = Store::new(&file, []);
	let name = |i| FragmentName { file: FileIndex(i), ..file.name(0) };
	for i in 0..600 {
		store.held.lock().unwrap().insert(name(i), file.stored(0));
	}
	let (host, client) = (serve(&store).await, bind().await);
	let mut names = Vec::new();
	let mut pages = 0;
	loop {
		let page = client.client().list(&host.addr, names.last().copied(), 1000).await.unwrap();
		if page.is_empty() {
			break;
		}
		assert!(page.len() <= 256);
		names.extend(page);
		pages += 1;
	}
	assert_eq!(pages, 3);
	assert_eq!(names, (0..600).map(name).collect::<Vec<_>>());
	assert_eq!(client.client().list(&host.addr, None, 5).await.unwrap().len(), 5);
	assert_eq!(client.client().list(&host.addr, None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_there_is_said() {
	let (client, file) = (bind().await, File::new(64));
	let fetch = || Fetch::new(file.name(0), file.spec);
	let get = async |addr: PeerAddr| client.client().get(&addr, fetch()).await.unwrap_err();
	let gone = bind().await;
	let addr = loopback(&gone);
	gone.close().await;
	let error = get(addr.clone()).await;
	assert!(matches!(error, TransferError::Connect(_)), "{error:?}");
	let error = get(PeerAddr { addrs: vec!["nonsense".into()], ..addr.clone() }).await;
	assert!(matches!(error, TransferError::Address(AddressError::NoneUsable)), "{error:?}");

	// Somebody else is there, or the one without a server.
	let (host, no_server) = (serve(&Store::new(&file, [0])).await, bind().await);
	let error = get(PeerAddr { key: addr.key, ..host.addr.clone() }).await;
	assert!(matches!(error, TransferError::Connect(_)), "{error:?}");
	let error = get(loopback(&no_server)).await;
	assert!(matches!(error, TransferError::Busy), "{error:?}");
	let error = get(loopback(&client)).await;
	assert!(matches!(error, TransferError::Connect(_)), "{error:?}");
}
