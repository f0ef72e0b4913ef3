// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A network that keeps bytes in memory.

use crate::network::{Network, NetworkError, Order, Remote};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use planaria_erasure::{Coder, commit};
use planaria_sdk::{
	AccountId32, Content, GetError, PlacementError, PutError, Target,
	api::{FileLife, FileStatus, PlacementStatus},
	get::Probed,
	primitives::{FileId, FileIndex, FileSpec, FragmentHash, MinerId, SegmentId, Sidecar},
	progress::{Progress, PutEvent},
	transport::TransferError,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	io::{self, Read},
	ops::Range,
	sync::{Arc, Mutex, MutexGuard},
	time::Duration,
};
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub struct Kept {
	pub bytes: Bytes,
	pub status: FileStatus,
}

#[derive(Clone, Debug, Default)]
pub struct State {
	pub files: BTreeMap<FileIndex, Kept>,
	pub deleted: Vec<FileIndex>,
	/// How many of the next attempts to store fail.
	pub refuse: u32,
	/// How many bytes were read.
	pub read: u64,
	/// What is read is not what was stored.
	pub lies: bool,
	/// Nothing can be read.
	pub mute: bool,
	/// How often it was tried to read something.
	pub reads: u32,
	/// Holders that give nothing back.
	pub deaf: BTreeSet<u32>,
	/// Miners that take nothing, wherever others do.
	pub failing: BTreeSet<u32>,
	/// The miners that each attempt to store was to avoid.
	pub avoided: Vec<BTreeSet<MinerId>>,
	/// Miners that take four times as long as others.
	pub slow: BTreeSet<u32>,
	/// How good miners were to each attempt to store.
	pub qualities: Vec<BTreeMap<MinerId, u16>>,
	/// All miners are needed.
	pub scarce: bool,
	/// There are fewer miners than a segment has fragments.
	pub few: bool,
	/// How many bytes were read to store them.
	pub taken: u64,
	/// The chain lets nobody delete.
	pub denied: bool,
}

/// Clones are the same.
#[derive(Clone, Debug)]
pub struct Memory {
	state: Arc<Mutex<State>>,
	/// Whether files may become active.
	pub open: watch::Sender<bool>,
	/// Whether files that are to be deleted go.
	pub deletes: watch::Sender<bool>,
}

impl Memory {
	pub fn new() -> Self {
		Self {
			state: Arc::default(),
			open: watch::channel(true).0,
			deletes: watch::channel(true).0,
		}
	}

	/// Another network that has the same.
	pub fn copied(&self) -> Self {
		let state = Arc::new(Mutex::new(self.state().clone()));
		let copied = |gate: &watch::Sender<bool>| watch::channel(*gate.borrow()).0;
		Self { state, open: copied(&self.open), deletes: copied(&self.deletes) }
	}

	pub fn state(&self) -> MutexGuard<'_, State> {
		self.state.lock().expect("no test panicked with it")
	}
}

struct Reading<'a>(&'a dyn Content, u64);

impl Read for Reading<'_> {
	fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
		let len = usize::try_from(self.0.size() - self.1).unwrap_or(usize::MAX).min(to.len());
		self.0.read_at(self.1, &mut to[..len])?;
		self.1 += len as u64;
		Ok(len)
	}
}

struct File {
	network: Memory,
	kept: Kept,
}

#[async_trait]
impl Remote for File {
	fn id(&self) -> FileId {
		self.kept.status.id
	}

	fn spec(&self) -> FileSpec {
		FileSpec::new(self.kept.status.size, self.kept.status.coding).expect("valid")
	}

	fn read(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, NetworkError>> {
		let range = range.start as usize..(range.end as usize).min(self.kept.bytes.len());
		let mut bytes = self.kept.bytes.slice(range).to_vec();
		let mut state = self.network.state();
		state.reads += 1;
		if state.mute {
			let reasons = Vec::new();
			let error = GetError::Unrestorable { segment: 0, have: 0, need: 2, reasons };
			return stream::iter([Err(error.into())]).boxed();
		}
		state.read += bytes.len() as u64;
		if state.lies {
			bytes.iter_mut().for_each(|byte| *byte ^= 1);
		}
		let parts: Vec<_> =
			bytes.chunks(100_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
		stream::iter(parts).boxed()
	}

	async fn probe(&self) -> Result<Vec<Probed>, NetworkError> {
		let state = self.network.state();
		let probed = (0..self.spec().fragments()).map(|index| {
			let miner = u32::from(index);
			// Somebody else took its place.
			let miner = if state.failing.contains(&miner) { 100 + miner } else { miner };
			let stalled = state.deaf.contains(&miner);
			let result = if stalled { Err(TransferError::Stalled) } else { Ok(()) };
			Probed { miner: MinerId(miner), segment: 0, index, result }
		});
		Ok(probed.collect())
	}

	fn take_proof(&self, segment: u32, index: u8) -> Option<(FragmentHash, Sidecar)> {
		let spec = self.spec();
		let commitment = commit(&spec, &self.kept.bytes[..]).expect("commits");
		let start = u64::from(segment) * spec.coding().segment_capacity();
		let range = start as usize..(start + spec.segment_len(segment)) as usize;
		let encoded = Coder::new(spec).encode(segment, &self.kept.bytes[range]).expect("encodes");
		let sidecar = commitment.sidecar(&encoded, index).expect("there is one");
		Some((encoded.hashes()[usize::from(index)], sidecar))
	}
}

#[async_trait]
impl Network for Memory {
	fn operator(&self) -> AccountId32 {
		AccountId32::new([9; 32])
	}

	async fn could_store(&self, _: u64, order: &Order) -> Result<(), NetworkError> {
		let needed = usize::from(order.coding.fragments());
		match self.state().few {
			true => Err(PutError::from(PlacementError { needed, found: needed - 1 }).into()),
			false => Ok(()),
		}
	}

	async fn store(
		&self,
		content: Arc<dyn Content>,
		order: &Order,
		progress: Progress<PutEvent>,
	) -> Result<(FileIndex, FileId), NetworkError> {
		{
			let mut state = self.state();
			if state.refuse > 0 {
				state.refuse -= 1;
				return Err(NetworkError::Gone);
			}
			let avoid = order.preferences.avoid.clone();
			let scarce = state.scarce && !avoid.is_empty();
			state.avoided.push(avoid);
			state.qualities.push(order.preferences.quality.clone());
			if scarce {
				return Err(PutError::from(PlacementError { needed: 3, found: 2 }).into());
			}
		}
		let spec = FileSpec::new(content.size(), order.coding).expect("valid");
		let mut bytes = Vec::new();
		Reading(&*content, 0).read_to_end(&mut bytes)?;
		self.state().taken += bytes.len() as u64;
		let id = commit(&spec, &bytes[..]).expect("commits");
		let id = *id.id();
		progress(PutEvent::Committed(id));
		let file = {
			let mut state = self.state();
			let known = state.files.values().find(|kept| {
				kept.status.id == id
					&& kept.status.owner == order.owner
					&& kept.status.label == order.label
			});
			let known = known.map(|kept| kept.status.file);
			let next = state.files.keys().next_back().map_or(0, |last| last.0 + 1);
			let file = known.unwrap_or(FileIndex(next));
			let active = state.files.get(&file).map(|kept| kept.status.state);
			let status = FileStatus {
				file,
				id,
				owner: order.owner.clone(),
				size: spec.size(),
				coding: order.coding,
				label: order.label.clone(),
				state: active.unwrap_or(FileLife::Pending),
				first_segment: SegmentId(0),
				segments: spec.segments(),
				unconfirmed: 1,
				lost: 0,
				last_progress: 0,
				placement: PlacementStatus::Chosen,
				deposit: 0,
			};
			state.files.insert(file, Kept { bytes: bytes.into(), status });
			file
		};
		progress(PutEvent::Ordered(file));
		let (failing, slow) = {
			let state = self.state();
			(state.failing.clone(), state.slow.clone())
		};
		for (index, miner) in (0..spec.fragments()).map(|index| (index, MinerId(index.into()))) {
			if failing.contains(&miner.0) {
				if !order.preferences.avoid.contains(&miner) {
					progress(PutEvent::Blamed { miner, reason: "is silent".into() });
				}
			} else {
				let bytes = spec.fragment_len(0);
				let took = Duration::from_millis(if slow.contains(&miner.0) { 400 } else { 100 });
				progress(PutEvent::Sent { segment: 0, index, miner, bytes, took: Some(took) });
			}
		}
		let mut open = self.open.subscribe();
		open.wait_for(|open| *open).await.map_err(|_| NetworkError::Stopping)?;
		let mut state = self.state();
		state.files.get_mut(&file).expect("it was added").status.state = FileLife::Active;
		Ok((file, id))
	}

	async fn finalized(&self, file: FileIndex) -> Result<Option<FileStatus>, NetworkError> {
		Ok(self.state().files.get(&file).map(|kept| kept.status.clone()))
	}

	async fn files(&self, id: FileId) -> Result<Vec<FileStatus>, NetworkError> {
		let state = self.state();
		let files = state.files.values().map(|kept| kept.status.clone());
		Ok(files.filter(|file| file.id == id).collect())
	}

	async fn open(&self, target: Target) -> Result<Arc<dyn Remote>, NetworkError> {
		let state = self.state();
		let found = state.files.values().find(|kept| match target {
			Target::File(file) => kept.status.file == file,
			Target::Id(id) => kept.status.id == id,
		});
		let kept = found.ok_or(GetError::NotFound(target))?.clone();
		Ok(Arc::new(File { network: self.clone(), kept }))
	}

	async fn delete(&self, file: FileIndex, id: FileId, label: &[u8]) -> Result<(), NetworkError> {
		let mut deletes = self.deletes.subscribe();
		deletes.wait_for(|deletes| *deletes).await.map_err(|_| NetworkError::Stopping)?;
		let mut state = self.state();
		let Some(kept) = state.files.get(&file) else { return Ok(()) };
		if state.denied {
			return Err(NetworkError::NotAllowed("Files.NotYourFile".into()));
		}
		assert_eq!((kept.status.id, &kept.status.label[..]), (id, label));
		state.files.remove(&file);
		state.deleted.push(file);
		Ok(())
	}
}
