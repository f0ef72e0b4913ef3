// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is known while a file is read.

use super::{GetError, GetOptions, Target};
use crate::{
	ChainError, Ledger, Transport,
	progress::{GetEvent, Progress},
	transport::{PeerAddr, peer},
};
use planaria_erasure::Coder;
use planaria_primitives::{FileId, FileSpec, FragmentHash, MinerId, Sidecar};
use planaria_runtime_api::{
	FileLife, FileStatus, MAX_PAGE, MinerStanding, MinerStatus, SegmentStatus,
};
use std::{
	collections::{BTreeMap, HashMap},
	sync::{
		Arc, Mutex, PoisonError,
		atomic::{AtomicU32, AtomicU64},
	},
	time::Duration,
};
use tokio::time::Instant;

/// After how long a transfer that makes progress is slow, unless all take long: then four times as
/// long as they usually take.
const SLOW_AFTER: Duration = Duration::from_secs(20);
/// How many instances of the same content are read from.
const MOST_INSTANCES: usize = 4;
/// Of how many source fragments it is remembered what proves them: those of a segment at least.
const MOST_PROOFS: usize = 64;
/// For how long it counts who holds a fragment, and that a miner failed.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What readers of the same file share.
pub struct Reading<L, T> {
	pub(super) id: FileId,
	pub(super) spec: FileSpec,
	pub(super) coder: Coder,
	pub(super) instances: Vec<FileStatus>,
	pub(super) ledger: Arc<L>,
	pub(super) transport: Arc<T>,
	pub(super) options: GetOptions,
	pub(super) progress: Progress<GetEvent>,
	pub(super) miners: Mutex<HashMap<MinerId, Known>>,
	/// The pages of the first instance's segments that are being read, and when they were looked up.
	pages: Mutex<HashMap<u32, (Instant, Page)>>,
	/// How often in a row a miner failed, and when it last did.
	bad: Mutex<HashMap<MinerId, (u32, Instant)>>,
	/// What proves source fragments that were fetched or rebuilt, by segment and place.
	proofs: Mutex<BTreeMap<(u32, u8), (FragmentHash, Sidecar)>>,
	/// How long fragments take.
	typical: Mutex<Option<Duration>>,
	pub(super) fetched: AtomicU64,
	pub(super) failures: AtomicU64,
	pub(super) rebuilt: AtomicU32,
}

/// The instances to read from, the best first.
async fn instances(ledger: &impl Ledger, target: &Target) -> Result<Vec<FileStatus>, GetError> {
	let (id, wanted) = match target {
		Target::Id(id) => (*id, None),
		Target::File(file) => {
			let found = ledger.file(*file).await?;
			(found.ok_or(GetError::NotFound(*target))?.id, Some(*file))
		},
	};
	let mut all = ledger.files_by_id(&id).await?;
	all.sort_by_key(|file| {
		let life = match file.state {
			FileLife::Active => 0,
			FileLife::Pending => 1,
			FileLife::Failed | FileLife::Deleting => 2,
		};
		(Some(file.file) != wanted, life, file.lost, file.file)
	});
	all.truncate(MOST_INSTANCES);
	Ok(all)
}

/// What is needed to know of a miner.
#[derive(Clone, Debug)]
pub struct Known {
	pub peer: PeerAddr,
	/// Whether it is likely to answer.
	pub serves: bool,
}

fn known(miners: Vec<MinerStatus>) -> HashMap<MinerId, Known> {
	let serves = |standing| !matches!(standing, MinerStanding::Absent | MinerStanding::Departed);
	miners
		.iter()
		.map(|miner| (miner.miner, Known { peer: peer(miner), serves: serves(miner.standing) }))
		.collect()
}

/// Segments by their number in the file.
type Page = Arc<HashMap<u32, SegmentStatus>>;

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L: Ledger, T: Transport> Reading<L, T> {
	/// Looks the file and its miners up.
	pub async fn open(
		ledger: Arc<L>,
		transport: Arc<T>,
		target: Target,
		options: GetOptions,
		progress: Progress<GetEvent>,
	) -> Result<Self, GetError> {
		let instances = instances(&*ledger, &target).await?;
		let first = instances.first().ok_or(GetError::NotFound(target))?;
		let (id, file) = (first.id, first.file);
		let spec = FileSpec::new(first.size, first.coding)?;
		progress(GetEvent::Found { file, size: spec.size() });
		Ok(Self {
			id,
			spec,
			coder: Coder::new(spec),
			instances,
			miners: Mutex::new(known(ledger.miners().await?)),
			pages: Mutex::new(HashMap::new()),
			ledger,
			transport,
			options,
			progress,
			bad: Mutex::new(HashMap::new()),
			proofs: Mutex::new(BTreeMap::new()),
			typical: Mutex::new(None),
			fetched: AtomicU64::new(0),
			failures: AtomicU64::new(0),
			rebuilt: AtomicU32::new(0),
		})
	}

	/// A segment of the first instance, read in pages.
	pub async fn status(&self, number: u32) -> Result<Option<SegmentStatus>, ChainError> {
		let first = number - number % MAX_PAGE;
		let known = lock(&self.pages).get(&first).cloned();
		let page = match known {
			Some((read, page)) if read.elapsed() < REMEMBERED => page,
			_ => {
				let file = self.instances[0].file;
				let segments = self.ledger.segments(file, first, MAX_PAGE).await?;
				let page: Page = Arc::new(segments.into_iter().map(|s| (s.number, s)).collect());
				let mut pages = lock(&self.pages);
				// Pages that are done with go; neighbours may still be in work.
				pages.retain(|other, _| other.abs_diff(first) <= MAX_PAGE);
				pages.insert(first, (Instant::now(), page.clone()));
				page
			},
		};
		Ok(page.get(&number).cloned())
	}

	/// Reads the miners' present state.
	pub async fn look_miners_up(&self) -> Result<(), ChainError> {
		let miners = known(self.ledger.miners().await?);
		*lock(&self.miners) = miners;
		Ok(())
	}

	/// How often in a row the miner failed lately.
	pub fn failures_of(&self, miner: MinerId) -> u32 {
		let failures = lock(&self.bad).get(&miner).copied();
		failures.map_or(0, |(times, last)| if last.elapsed() < REMEMBERED { times } else { 0 })
	}

	/// The miner failed, or is slow.
	pub fn note_failed(&self, miner: MinerId) {
		let times = self.failures_of(miner) + 1;
		lock(&self.bad).insert(miner, (times, Instant::now()));
	}

	/// The miner delivered.
	pub fn note_delivered(&self, miner: MinerId) {
		lock(&self.bad).remove(&miner);
	}

	/// A source fragment has this hash, as its sidecar proves.
	pub fn note_proof(&self, segment: u32, index: u8, hash: FragmentHash, sidecar: &Sidecar) {
		if index >= self.spec.data() {
			return;
		}
		let mut proofs = lock(&self.proofs);
		proofs.insert((segment, index), (hash, sidecar.clone()));
		if proofs.len() > MOST_PROOFS {
			proofs.pop_first();
		}
	}

	/// What proves a source fragment, once.
	pub fn take_proof(&self, segment: u32, index: u8) -> Option<(FragmentHash, Sidecar)> {
		lock(&self.proofs).remove(&(segment, index))
	}

	/// A whole fragment took so long.
	pub fn note_duration(&self, took: Duration) {
		let mut typical = lock(&self.typical);
		*typical = Some(typical.map_or(took, |typical| (typical * 7 + took) / 8));
	}

	/// After how long a transfer is slow though it makes progress.
	pub fn slow_after(&self) -> Duration {
		let typical = lock(&self.typical).unwrap_or_default();
		SLOW_AFTER.max(typical * 4)
	}
}
