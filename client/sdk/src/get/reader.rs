// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A file that is read, in whatever ranges.

use super::{
	Destination, GetError, GetOptions, GetReport, Target, output::Output, reading::Reading,
};
use crate::{
	Ledger, Transport,
	progress::{self, GetEvent, Progress},
	segments_at_once,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use planaria_primitives::{FileId, FileSpec, FragmentHash, Sidecar};
use planaria_runtime_api::FileStatus;
use std::{
	fmt,
	ops::Range,
	pin::pin,
	sync::{Arc, atomic::Ordering},
};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How many segments are in work at most.
const MOST_SEGMENTS: usize = 3;

/// Reads a file, whole or in ranges, any number of them at once. Clones share what they learn of
/// the holders.
pub struct Reader<L, T>(Arc<Reading<L, T>>);

impl<L, T> Clone for Reader<L, T> {
	fn clone(&self) -> Self {
		Self(self.0.clone())
	}
}

impl<L, T> fmt::Debug for Reader<L, T> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Reader").field("id", &self.0.id).finish_non_exhaustive()
	}
}

impl<L: Ledger, T: Transport> Reader<L, T> {
	/// Looks the file up on chain.
	pub async fn open(
		ledger: Arc<L>,
		transport: Arc<T>,
		target: Target,
		options: GetOptions,
	) -> Result<Self, GetError> {
		Self::open_with(ledger, transport, target, options, progress::silent()).await
	}

	/// The same, telling what happens with every range.
	pub async fn open_with(
		ledger: Arc<L>,
		transport: Arc<T>,
		target: Target,
		options: GetOptions,
		progress: Progress<GetEvent>,
	) -> Result<Self, GetError> {
		let reading = Reading::open(ledger, transport, target, options, progress).await?;
		Ok(Self(Arc::new(reading)))
	}

	pub(super) fn reading(&self) -> &Arc<Reading<L, T>> {
		&self.0
	}

	/// The content.
	pub fn id(&self) -> FileId {
		self.0.id
	}

	/// The content's size in bytes, at least 1.
	pub fn size(&self) -> u64 {
		self.0.spec.size()
	}

	/// Size and coding.
	pub fn spec(&self) -> &FileSpec {
		&self.0.spec
	}

	/// The instance that is read first, as it was when the reader was opened: its number, owner,
	/// coding, label and state.
	pub fn file(&self) -> &FileStatus {
		&self.0.instances[0]
	}

	/// The bytes of a range, in order, each verified before it is handed out; what lies behind the
	/// file's end is left out. After an error nothing more comes.
	///
	/// Nothing happens before the stream is asked for bytes. From then on the segments in work (see
	/// [the module](super)) go on by themselves in the present runtime; dropped, the stream stops
	/// them.
	pub fn read(
		&self,
		range: Range<u64>,
	) -> impl Stream<Item = Result<Bytes, GetError>> + Send + use<L, T> {
		let reading = self.0.clone();
		let at_once = segments_at_once(&reading.spec, MOST_SEGMENTS);
		stream::iter(parts(&reading.spec, range))
			.map(move |(segment, range)| {
				let part = reading.clone().part(segment, range);
				let part = AbortOnDropHandle::new(tokio::spawn(part));
				async { part.await.expect("reading does not panic; qed") }
			})
			.buffered(at_once)
			.map_ok(|pieces| stream::iter(pieces).map(Ok))
			.try_flatten()
			.scan(false, |failed, item: Result<_, _>| {
				let ended = std::mem::replace(failed, item.is_err());
				std::future::ready((!ended).then_some(item))
			})
	}

	/// The hash of a source fragment that was read from or rebuilt lately, and what proves it up to
	/// the file's id. It is told once; of those that nobody asks for the latest are kept.
	pub fn take_proof(&self, segment: u32, index: u8) -> Option<(FragmentHash, Sidecar)> {
		self.0.take_proof(segment, index)
	}

	/// Writes a range to `destination`, in order. A file appears under its name only when it is
	/// complete, verified and on disk.
	pub async fn write(
		&self,
		range: Range<u64>,
		destination: Destination,
	) -> Result<GetReport, GetError> {
		self.save(self.read(range), destination).await
	}

	/// Writes what is made of the file.
	pub(crate) async fn save(
		&self,
		content: impl Stream<Item = Result<Bytes, GetError>>,
		destination: Destination,
	) -> Result<GetReport, GetError> {
		let began = Instant::now();
		destination.check()?;
		let mut output = Output::open(destination).await?;
		let mut bytes = 0;
		let mut content = pin!(content);
		while let Some(part) = content.next().await {
			let part = part?;
			output.write(&part).await?;
			bytes += part.len() as u64;
			(self.0.progress)(GetEvent::Written { bytes });
		}
		output.finish().await?;
		let Reading { id, spec, fetched, failures, rebuilt, .. } = &*self.0;
		Ok(GetReport {
			file: self.file().file,
			id: *id,
			size: spec.size(),
			written: bytes,
			segments: spec.segments(),
			rebuilt_segments: rebuilt.load(Ordering::Relaxed),
			fetched_fragments: fetched.load(Ordering::Relaxed),
			failures: failures.load(Ordering::Relaxed),
			seconds: began.elapsed().as_secs_f64(),
		})
	}
}

/// The segments that hold a range of a file's bytes, each with which of its bytes these are.
fn parts(
	spec: &FileSpec,
	range: Range<u64>,
) -> impl Iterator<Item = (u32, Range<u64>)> + Send + use<> {
	let spec = *spec;
	let capacity = spec.coding().segment_capacity();
	let range = range.start..range.end.min(spec.size());
	let number = |offset: u64| u32::try_from(offset / capacity).unwrap_or(u32::MAX);
	let segments = match range.is_empty() {
		true => 0..0,
		false => number(range.start)..number(range.end - 1) + 1,
	};
	segments.map(move |segment| {
		let begin = u64::from(segment) * capacity;
		let end = begin + spec.segment_len(segment);
		(segment, range.start.max(begin) - begin..range.end.min(end) - begin)
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::CodingParams;

	#[test]
	fn ranges_are_cut_at_segments() {
		let capacity = CodingParams::LEAN.segment_capacity();
		let spec = FileSpec::new(2 * capacity + 5, CodingParams::LEAN).expect("valid");
		let cut = |range| parts(&spec, range).collect::<Vec<_>>();
		assert_eq!(cut(0..u64::MAX), [(0, 0..capacity), (1, 0..capacity), (2, 0..5)]);
		assert_eq!(cut(7..8), [(0, 7..8)]);
		assert_eq!(cut(capacity - 1..capacity + 1), [(0, capacity - 1..capacity), (1, 0..1)]);
		assert_eq!(cut(2 * capacity + 4..2 * capacity + 9), [(2, 4..5)]);
		for nothing in [0..0, 9..9, spec.size()..u64::MAX, u64::MAX..u64::MAX] {
			assert_eq!(cut(nothing), []);
		}
	}
}
