// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files read in ranges.

use super::{
	network::{Fake, Network},
	put_get::{LEN, Sample, content, options, store},
};
use crate::{
	GetError, GetOptions, Reader, Target, TransferTransport,
	progress::{self, GetEvent, Progress},
};
use futures::{StreamExt, TryStreamExt};
use planaria_primitives::{CodingParams, FileIndex, MinerId};
use std::{
	ops::Range,
	sync::{Arc, Mutex},
};

type FakeReader = Reader<Fake, TransferTransport>;

async fn open(network: &Network, file: FileIndex, progress: Progress<GetEvent>) -> FakeReader {
	let (chain, transport) = (Arc::new(network.chain.clone()), network.transport.clone());
	let options = GetOptions { attempts: 1, ..GetOptions::default() };
	Reader::open_with(chain, transport, Target::File(file), options, progress).await.expect("open")
}

async fn bytes(reader: &FakeReader, range: Range<u64>) -> Result<Vec<u8>, GetError> {
	let parts: Vec<_> = reader.read(range).try_collect().await?;
	Ok(parts.concat())
}

fn slice(file: &Sample, range: &Range<u64>) -> Vec<u8> {
	let end = usize::try_from(range.end).expect("small").min(file.bytes.len());
	let start = usize::try_from(range.start).expect("small").min(end);
	file.bytes[start..end].to_vec()
}

/// What arrived: segment, place in it, and how many bytes.
type Fetched = Arc<Mutex<Vec<(u32, u8, u32)>>>;

fn listener() -> (Fetched, Progress<GetEvent>) {
	let told = Fetched::default();
	let listener = told.clone();
	let progress: Progress<GetEvent> = Arc::new(move |event| {
		if let GetEvent::Fetched { segment, index, bytes } = event {
			listener.lock().expect("no panic").push((segment, index, bytes));
		}
	});
	(told, progress)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_range_is_read_and_nothing_else_is_fetched() {
	let network = Network::new(3).await;
	let file = content(LEN);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	let (told, progress) = listener();
	let reader = open(&network, stored.file, progress).await;
	assert_eq!((reader.size(), reader.id()), (LEN as u64, stored.id));
	assert_eq!(reader.file().file, stored.file);
	const MIB: u64 = 1 << 20;
	let last = (33 * MIB + 17) - 32 * MIB;
	let half = u32::try_from(last.div_ceil(2).next_multiple_of(64)).expect("small");
	let rest = u32::try_from(last).expect("small") - half;
	for (range, fetched) in [
		(5..6, vec![(0, 0, 1)]),
		(8 * MIB - 1..8 * MIB + 2, vec![(0, 0, 1), (0, 1, 2)]),
		(16 * MIB - 7..16 * MIB + 100_000, vec![(0, 1, 7), (1, 0, 100_000)]),
		(32 * MIB..33 * MIB + 17, vec![(2, 0, half), (2, 1, half)]),
		(32 * MIB + 1..u64::MAX, vec![(2, 0, half - 1), (2, 1, rest)]),
		(16 * MIB..32 * MIB, vec![(1, 0, 8 << 20), (1, 1, 8 << 20)]),
		(9..9, vec![]),
		(LEN as u64..u64::MAX, vec![]),
	] {
		assert!(bytes(&reader, range.clone()).await.expect("read") == slice(&file, &range));
		let mut had = std::mem::take(&mut *told.lock().expect("no panic"));
		had.sort_unstable();
		assert_eq!(had, fetched, "{range:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_whose_holder_is_gone_is_rebuilt() {
	let mut network = Network::new(6).await;
	let file = content(300_000);
	let coding = CodingParams::new(2, 4).expect("valid");
	let stored = store(&network, &file.path, options(coding)).await.expect("stored");
	let holder = |index: usize| {
		let state = network.chain.state();
		state.segments[&(stored.file, 0)].fragments[index].holder.expect("placed").0
	};
	let (first, second) = (holder(0), holder(1));
	network.kill(first).await;
	let (told, progress) = listener();
	let reader = open(&network, stored.file, progress).await;
	let ranges = [10..20u64, 149_000..151_000, 299_999..300_000, 0..300_000];
	let reads = ranges.iter().map(|range| bytes(&reader, range.clone()));
	for (range, read) in ranges.iter().zip(futures::future::join_all(reads).await) {
		assert!(read.expect("read") == slice(&file, range), "{range:?}");
	}
	// Who failed is not asked first again: the rest comes at once.
	told.lock().expect("no panic").clear();
	assert!(bytes(&reader, 10..20).await.expect("read") == slice(&file, &(10..20)));
	let whole = stored.stored_bytes / 6;
	let fetched = told.lock().expect("no panic").clone();
	assert_eq!(fetched.iter().map(|(.., bytes)| u64::from(*bytes)).sum::<u64>(), 2 * whole);

	network.kill(second).await;
	for id in (0..6).filter(|id| ![first, second].contains(id)).take(3) {
		network.kill(id).await;
	}
	let reader = open(&network, stored.file, progress::silent()).await;
	let mut parts = Box::pin(reader.read(10..20));
	assert!(matches!(
		parts.next().await,
		Some(Err(GetError::Unrestorable { have: 1, need: 2, .. }))
	));
	assert!(parts.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_for_whom_does_not_read_on() {
	let network = Network::new(3).await;
	// Seven segments.
	let file = content(100 << 20);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	let (told, progress) = listener();
	let reader = open(&network, stored.file, progress).await;
	let mut parts = Box::pin(reader.read(0..reader.size()));
	assert!(told.lock().expect("no panic").is_empty());
	let first = parts.next().await.expect("there is more").expect("read");
	assert!(first[..] == file.bytes[..first.len()]);
	// Three segments are in work at most, and the first of them was handed out.
	let fetched = told.lock().expect("no panic").clone();
	assert!(fetched.iter().all(|(segment, ..)| *segment < 3), "{fetched:?}");
	drop(parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_holder_is_asked_for_something_it_holds() {
	let mut network = Network::new(5).await;
	let file = content(LEN);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	let reader = open(&network, stored.file, progress::silent()).await;
	let held = network.held();
	let probed = reader.probe().await.expect("asked");
	assert_eq!(probed.len(), held.iter().filter(|held| **held > 0).count());
	assert!(probed.iter().all(|probed| probed.result.is_ok()), "{probed:?}");

	// One loses everything, another one is gone.
	let with_something = |id: &u32| held[usize::try_from(*id).expect("small")] > 0;
	let mut holders = (0..5).filter(with_something).map(MinerId);
	let (loser, dead) = (holders.next().expect("three"), holders.next().expect("three"));
	network.chain.state().disks.remove(&loser);
	network.kill(dead.0).await;
	let probed = reader.probe().await.expect("asked");
	let mut failed: Vec<_> =
		probed.iter().filter(|probed| probed.result.is_err()).map(|probed| probed.miner).collect();
	failed.sort();
	assert_eq!(failed, [loser, dead]);
}
