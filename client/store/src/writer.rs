// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A write in progress.

use crate::{CommitError, StoreError, WriteError};
use planaria_primitives::FragmentHash;
use std::fmt;

/// Where a [`Writer`] puts its bytes. Dropping it removes what was written, unless it was
/// [committed](Sink::commit) or [kept](Sink::keep).
pub trait Sink: Send {
	/// Writes bytes at `offset`, which is where the last ones ended.
	fn write_at(&mut self, bytes: &[u8], offset: u32) -> Result<(), StoreError>;

	/// Stores the `len` bytes written, whose hash is right, and the use. Durable when it returns.
	fn commit(&mut self) -> Result<(), StoreError>;

	/// Leaves the first `offset` bytes to be continued later.
	fn keep(&mut self, offset: u32) -> Result<(), StoreError>;
}

/// A fragment that is being written, from its first byte to its last.
///
/// Dropped, it leaves nothing behind; a transfer that breaks off and may come back
/// [keeps](Writer::keep) it instead.
pub struct Writer {
	hash: FragmentHash,
	len: u32,
	offset: u32,
	resumed: u32,
	hasher: Box<blake3::Hasher>,
	sink: Box<dyn Sink>,
}

impl fmt::Debug for Writer {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Writer({}, {} of {})", self.hash, self.offset, self.len)
	}
}

impl Writer {
	/// A write of the fragment `hash` of `len` bytes, of which `sink` already has `offset`, and
	/// `hasher` has seen those.
	pub fn new(
		hash: FragmentHash,
		len: u32,
		offset: u32,
		hasher: blake3::Hasher,
		sink: Box<dyn Sink>,
	) -> Self {
		Self { hash, len, offset, resumed: offset, hasher: Box::new(hasher), sink }
	}

	/// The fragment that is written.
	pub fn hash(&self) -> FragmentHash {
		self.hash
	}

	/// How many bytes it has.
	#[allow(clippy::len_without_is_empty)] // no fragment is empty
	pub fn len(&self) -> u32 {
		self.len
	}

	/// How many bytes are here: the next ones go there. Not 0 at the beginning where an earlier
	/// write of the same fragment was interrupted.
	pub fn offset(&self) -> u32 {
		self.offset
	}

	/// Starts over, as if nothing was here from before.
	pub fn restart(&mut self) -> Result<(), WriteError> {
		self.offset = 0;
		self.resumed = 0;
		self.hasher.reset();
		Ok(())
	}

	/// Appends bytes. After an error the same bytes may be given again.
	pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
		let end = u32::try_from(bytes.len())
			.ok()
			.and_then(|len| self.offset.checked_add(len))
			.filter(|end| *end <= self.len)
			.ok_or(WriteError::TooLong { len: self.len })?;
		self.sink.write_at(bytes, self.offset)?;
		self.hasher.update(bytes);
		self.offset = end;
		Ok(())
	}

	/// Checks the bytes against their hash and stores them. Durable when it returns.
	pub fn commit(mut self) -> Result<(), CommitError> {
		let Self { hash, len, offset, resumed, .. } = self;
		if offset != len {
			return Err(CommitError::Short { offset, len });
		}
		if *self.hasher.finalize().as_bytes() != hash.0 {
			return Err(CommitError::WrongHash { hash, resumed });
		}
		Ok(self.sink.commit()?)
	}

	/// Leaves what is written, so that a later write of the same fragment continues there. It may
	/// still be removed when it gets old or its room is needed.
	pub fn keep(mut self) -> Result<(), StoreError> {
		self.sink.keep(self.offset)
	}

	/// Removes what is written, as dropping does.
	pub fn abort(self) {}
}
