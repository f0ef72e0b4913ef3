// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The content that is being stored, committed to.

use super::{Content, PutError};
use crate::{
	progress::{Progress, PutEvent},
	transport::Put,
};
use bytes::Bytes;
use planaria_erasure::{Coder, Commitment, ReadError, commit};
use planaria_primitives::{CodingParams, FileId, FileIndex, FileSpec, FragmentName};
use planaria_transfer::Fragment;
use std::{
	io::{self, Read},
	sync::Arc,
};
use tokio::task::spawn_blocking;

/// A content, committed to.
pub struct Source {
	content: Arc<dyn Content>,
	commitment: Commitment,
	coder: Coder,
}

/// Reads a content in order and tells how far it has come.
struct InOrder<'a> {
	content: &'a dyn Content,
	offset: u64,
	progress: Progress<PutEvent>,
}

impl Read for InOrder<'_> {
	fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
		const STEP: usize = 4 << 20;
		let size = self.content.size();
		let rest = usize::try_from(size - self.offset).unwrap_or(usize::MAX);
		let len = to.len().min(STEP).min(rest);
		if len > 0 {
			self.content.read_at(self.offset, &mut to[..len])?;
			self.offset += len as u64;
			(self.progress)(PutEvent::Committing { bytes: self.offset, size });
		}
		Ok(len)
	}
}

/// The content's commitment, as [`Source::commit`] computes it.
fn commit_content(
	content: &dyn Content,
	coding: CodingParams,
	progress: Progress<PutEvent>,
) -> Result<Commitment, PutError> {
	let spec = FileSpec::new(content.size(), coding)?;
	commit(&spec, InOrder { content, offset: 0, progress }).map_err(|error| match error {
		ReadError::Io(error) => unreadable(content, error),
		ReadError::TooShort { .. } | ReadError::TooLong { .. } | ReadError::Changed { .. } => {
			PutError::Changed
		},
	})
}

/// What it means that a content cannot be read.
pub(crate) fn unreadable(content: &dyn Content, error: io::Error) -> PutError {
	match error.kind() {
		io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => PutError::Changed,
		_ => PutError::Unreadable { name: content.name(), error },
	}
}

impl Source {
	/// Reads the content for the first time.
	pub async fn commit(
		content: Arc<dyn Content>,
		coding: CodingParams,
		progress: Progress<PutEvent>,
	) -> Result<Self, PutError> {
		let commitment = {
			let content = content.clone();
			spawn_blocking(move || commit_content(&*content, coding, progress))
				.await
				.expect("committing does not panic; qed")?
		};
		let coder = Coder::new(*commitment.spec());
		Ok(Self { content, commitment, coder })
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
		match self.content.read_at(offset, &mut bytes) {
			Ok(()) => Ok(bytes),
			Err(error) => Err(unreadable(&*self.content, error)),
		}
	}
}
