// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reading a file, or ranges of it.
//!
//! A [`Reader`] knows a file and streams any range of its bytes; [`get`](fn@get) writes a whole file
//! with one.
//!
//! Any `data` of a segment's fragments will do. Source fragments are asked for first, because
//! together they are the segment; a holder that fails or is slow is made up for by another
//! fragment at once. Every fragment is verified against the file's id before a byte of it counts.
//! What is rebuilt from parity is verified too: the whole segment is encoded again, and its root
//! must lead to the file's id.
//!
//! Of a segment that a range covers in part only the bytes of the range are fetched, in whole groups
//! of 16 KiB, from the holders of the source fragments they are in. When one of those fails or is
//! slow, the whole segment is fetched instead: what is rebuilt is proven by nothing less.
//!
//! # Memory
//!
//! A segment in work takes up to `(data + n) × F` (40 MiB with `lean`, 128 MiB with `standard`); as
//! many as fit into [`MEMORY_BUDGET`](crate::MEMORY_BUDGET) are worked on at once, at least one and
//! at most three. What nobody has taken from the stream of a range counts as in work, so that no more
//! is fetched for a reader that does not read on. While holders are slow, parts of more fragments may
//! be on their way.

mod error;

mod output;

mod probe;

mod race;

mod range;

mod reader;

mod reading;

mod segment;

pub use error::{GetError, Target};
pub use output::{Destination, Output};
pub use probe::Probed;
pub use range::{ByteRange, ByteRangeError};
pub use reader::Reader;

use crate::{
	Ledger, Transport,
	progress::{GetEvent, Progress},
};
use planaria_primitives::{FileId, FileIndex};
use std::{sync::Arc, time::Duration};

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
	/// How many bytes were wanted, and written.
	pub written: u64,
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
	destination.check()?;
	let reader = Reader::open_with(ledger, transport, target, options, progress).await?;
	reader.write(0..reader.size(), destination).await
}
