// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reading a file.
//!
//! Any `data` of a segment's fragments will do. Source fragments are asked for first, because
//! together they are the segment; a holder that fails or is slow is made up for by another
//! fragment at once. Every fragment is verified against the file's id before a byte of it counts.
//! What is rebuilt from parity is verified too: the whole segment is encoded again, and its root
//! must lead to the file's id.
//!
//! # Memory
//!
//! A segment in work takes up to `(data + n) × F` (40 MiB with `lean`, 128 MiB with `standard`); as
//! many as fit into [`MEMORY_BUDGET`](crate::MEMORY_BUDGET) are worked on at once, at least one and
//! at most three. While holders are slow, parts of more fragments may be on their way.

mod error;

mod output;

mod race;

mod segment;

pub use error::{GetError, Target};
pub use output::Destination;

use crate::{
	ChainError, Ledger, Transport,
	progress::{GetEvent, Progress},
	segments_at_once,
	transport::{PeerAddr, peer},
};
use futures::{StreamExt, stream};
use output::Output;
use planaria_erasure::Coder;
use planaria_primitives::{FileId, FileIndex, FileSpec, MinerId};
use planaria_runtime_api::{
	FileLife, FileStatus, MAX_PAGE, MinerStanding, MinerStatus, SegmentStatus,
};
use std::{
	collections::HashMap,
	sync::{
		Arc, Mutex, PoisonError,
		atomic::{AtomicU32, AtomicU64, Ordering},
	},
	time::Duration,
};
use tokio::time::Instant;

/// How a file is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetOptions {
	/// After how long without any progress of a transfer another holder is asked in addition.
	pub hedge_after: Duration,
	/// How often the holders of a segment are looked up again before it is given up.
	pub attempts: u32,
}

impl Default for GetOptions {
	fn default() -> Self {
		Self { hedge_after: Duration::from_secs(3), attempts: 3 }
	}
}

/// What became of a get.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct GetReport {
	/// The instance that was read.
	pub file: FileIndex,
	/// The content.
	pub id: FileId,
	/// Its size in bytes.
	pub size: u64,
	/// How many segments it has.
	pub segments: u32,
	/// How many of them were rebuilt from parity.
	pub rebuilt_segments: u32,
	/// How many fragments arrived.
	pub fetched_fragments: u64,
	/// How many attempts to get a fragment failed.
	pub failures: u64,
	/// How long it took.
	pub seconds: f64,
}

/// How many segments are in work at most.
const MOST_SEGMENTS: usize = 3;
/// After how long a transfer that makes progress is slow, unless all take long: then four times as
/// long as they usually take.
const SLOW_AFTER: Duration = Duration::from_secs(20);
/// How many instances of the same content are read from.
const MOST_INSTANCES: usize = 4;

/// Reads a file and writes it to `destination`, in order.
///
/// A file appears under its name only when it is complete, verified and on disk.
pub async fn get<L: Ledger, T: Transport>(
	ledger: Arc<L>,
	transport: Arc<T>,
	target: Target,
	destination: Destination,
	options: GetOptions,
	progress: Progress<GetEvent>,
) -> Result<GetReport, GetError> {
	let began = Instant::now();
	destination.check()?;
	let instances = instances(&*ledger, &target).await?;
	let first = instances.first().ok_or(GetError::NotFound(target))?.clone();
	let (id, file) = (first.id, first.file);
	let spec = FileSpec::new(first.size, first.coding)?;
	progress(GetEvent::Found { file, size: spec.size() });
	let getting = Getting {
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
		typical: Mutex::new(None),
		fetched: AtomicU64::new(0),
		failures: AtomicU64::new(0),
		rebuilt: AtomicU32::new(0),
	};
	let getting = Arc::new(getting);

	let mut output = Output::open(destination).await?;
	let at_once = segments_at_once(&spec, MOST_SEGMENTS);
	let mut segments = stream::iter(0..spec.segments())
		.map(|number| getting.clone().segment(number))
		.buffered(at_once);
	let mut bytes = 0;
	while let Some(segment) = segments.next().await {
		for part in segment? {
			output.write(&part).await?;
			bytes += part.len() as u64;
		}
		(getting.progress)(GetEvent::Written { bytes });
	}
	drop(segments);
	output.finish().await?;
	Ok(GetReport {
		file,
		id,
		size: spec.size(),
		segments: spec.segments(),
		rebuilt_segments: getting.rebuilt.load(Ordering::Relaxed),
		fetched_fragments: getting.fetched.load(Ordering::Relaxed),
		failures: getting.failures.load(Ordering::Relaxed),
		seconds: began.elapsed().as_secs_f64(),
	})
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
struct Known {
	peer: PeerAddr,
	/// Whether it is likely to answer.
	serves: bool,
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

/// A get in work.
struct Getting<L, T> {
	id: FileId,
	spec: FileSpec,
	coder: Coder,
	instances: Vec<FileStatus>,
	ledger: Arc<L>,
	transport: Arc<T>,
	options: GetOptions,
	progress: Progress<GetEvent>,
	miners: Mutex<HashMap<MinerId, Known>>,
	/// The pages of the first instance's segments that are being read.
	pages: Mutex<HashMap<u32, Page>>,
	/// How often a miner failed.
	bad: Mutex<HashMap<MinerId, u32>>,
	/// How long fragments take.
	typical: Mutex<Option<Duration>>,
	fetched: AtomicU64,
	failures: AtomicU64,
	rebuilt: AtomicU32,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L: Ledger, T: Transport> Getting<L, T> {
	/// A segment of the first instance, read in pages.
	async fn status(&self, number: u32) -> Result<Option<SegmentStatus>, ChainError> {
		let first = number - number % MAX_PAGE;
		let known = lock(&self.pages).get(&first).cloned();
		let page = match known {
			Some(page) => page,
			None => {
				let file = self.instances[0].file;
				let segments = self.ledger.segments(file, first, MAX_PAGE).await?;
				let page: Page = Arc::new(segments.into_iter().map(|s| (s.number, s)).collect());
				let mut pages = lock(&self.pages);
				// Pages that are done with go; neighbours may still be in work.
				pages.retain(|other, _| other.abs_diff(first) <= MAX_PAGE);
				pages.insert(first, page.clone());
				page
			},
		};
		Ok(page.get(&number).cloned())
	}

	fn note_duration(&self, took: Duration) {
		let mut typical = lock(&self.typical);
		*typical = Some(typical.map_or(took, |typical| (typical * 7 + took) / 8));
	}

	/// After how long a transfer is slow though it makes progress.
	fn slow_after(&self) -> Duration {
		let typical = lock(&self.typical).unwrap_or_default();
		SLOW_AFTER.max(typical * 4)
	}
}
