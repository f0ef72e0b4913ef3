// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The file that is being stored.

use super::PutError;
use crate::{
	progress::{Progress, PutEvent},
	transport::Put,
};
use bytes::Bytes;
use planaria_erasure::{Coder, Commitment, ReadError, commit};
use planaria_primitives::{CodingParams, FileId, FileIndex, FileSpec, FragmentName};
use planaria_transfer::Fragment;
use std::{
	fs::File,
	io::{self, Read, Seek, SeekFrom},
	path::{Path, PathBuf},
	sync::Arc,
};
use tokio::task::spawn_blocking;

/// A file, committed to.
#[derive(Debug)]
pub struct Source {
	path: PathBuf,
	commitment: Commitment,
	coder: Coder,
}

/// Tells how far it has come.
struct Counting<R> {
	reader: R,
	bytes: u64,
	told: u64,
	size: u64,
	progress: Progress<PutEvent>,
}

impl<R: Read> Read for Counting<R> {
	fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
		const STEP: u64 = 4 << 20;
		let read = self.reader.read(to)?;
		self.bytes += read as u64;
		if self.bytes - self.told >= STEP || self.bytes == self.size {
			self.told = self.bytes;
			(self.progress)(PutEvent::Committing { bytes: self.bytes, size: self.size });
		}
		Ok(read)
	}
}

/// The file's commitment, as [`Source::commit`] computes it, without the chain.
pub(crate) fn commit_file(
	path: &Path,
	coding: CodingParams,
	progress: Progress<PutEvent>,
) -> Result<Commitment, PutError> {
	let unreadable = |error| PutError::Unreadable { path: path.into(), error };
	let file = File::open(path).map_err(unreadable)?;
	let metadata = file.metadata().map_err(unreadable)?;
	if !metadata.is_file() {
		return Err(PutError::NotAFile(path.into()));
	}
	let size = metadata.len();
	let spec = FileSpec::new(size, coding)?;
	let reader = Counting { reader: file, bytes: 0, told: 0, size, progress };
	commit(&spec, reader).map_err(|error| match error {
		ReadError::Io(error) => unreadable(error),
		ReadError::TooShort { .. } | ReadError::TooLong { .. } | ReadError::Changed { .. } => {
			PutError::Changed
		},
	})
}

impl Source {
	/// Reads the file for the first time.
	pub async fn commit(
		path: &Path,
		coding: CodingParams,
		progress: Progress<PutEvent>,
	) -> Result<Self, PutError> {
		let path = path.to_owned();
		let commitment = {
			let path = path.clone();
			spawn_blocking(move || commit_file(&path, coding, progress))
				.await
				.expect("committing does not panic; qed")?
		};
		let coder = Coder::new(*commitment.spec());
		Ok(Self { path, commitment, coder })
	}

	/// The file's id.
	pub fn id(&self) -> &FileId {
		self.commitment.id()
	}

	/// The file's geometry.
	pub fn spec(&self) -> &FileSpec {
		self.commitment.spec()
	}

	/// Reads and encodes a segment; returns the fragments that are `wanted`, in that order.
	pub async fn fragments(
		self: &Arc<Self>,
		file: FileIndex,
		segment: u32,
		wanted: Vec<u8>,
	) -> Result<Vec<Put>, PutError> {
		let source = self.clone();
		spawn_blocking(move || source.encode(file, segment, &wanted))
			.await
			.expect("encoding does not panic; qed")
	}

	fn encode(&self, file: FileIndex, segment: u32, wanted: &[u8]) -> Result<Vec<Put>, PutError> {
		let encoded = {
			let bytes = self.read(segment)?;
			self.coder.encode(segment, &bytes).map_err(|_| PutError::Changed)?
		};
		// Only a segment that is still the one committed to has sidecars.
		let sidecars = wanted
			.iter()
			.map(|index| self.commitment.sidecar(&encoded, *index))
			.collect::<Result<Vec<_>, _>>()
			.map_err(|_| PutError::Changed)?;
		let len = encoded.fragment_len();
		let bytes = Bytes::from(encoded.into_bytes());
		let put = |(index, sidecar)| {
			let start = usize::from(index) * len;
			let fragment = Fragment::new(bytes.slice(start..start + len));
			let name = FragmentName { file_id: *self.id(), file, segment, index };
			Put { name, sidecar, fragment }
		};
		Ok(wanted.iter().copied().zip(sidecars).map(put).collect())
	}

	fn read(&self, segment: u32) -> Result<Vec<u8>, PutError> {
		let spec = self.spec();
		let len = usize::try_from(spec.segment_len(segment)).expect("at most 504 MiB; qed");
		let offset = u64::from(segment) * spec.coding().segment_capacity();
		let mut bytes = vec![0; len];
		let mut read = || {
			let mut file = File::open(&self.path)?;
			file.seek(SeekFrom::Start(offset))?;
			file.read_exact(&mut bytes)
		};
		match read() {
			Ok(()) => Ok(bytes),
			Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(PutError::Changed),
			Err(error) => Err(PutError::Unreadable { path: self.path.clone(), error }),
		}
	}
}
