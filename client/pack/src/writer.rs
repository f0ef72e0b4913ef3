// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Making a pack.

use crate::{
	AppendError, Index, MAX_INDEX_LEN, MAX_NAME_LEN, MAX_OBJECTS, TRAILER_LEN,
	index::{ENTRY_LEN, MAGIC},
};
use std::io::Write;

/// Writes a pack, object by object.
#[derive(Debug)]
pub struct Writer<W> {
	to: W,
	index: Index,
	/// The bytes of all objects.
	objects: u64,
	index_len: usize,
	broken: bool,
}

impl<W: Write> Writer<W> {
	/// Begins a pack.
	pub fn new(mut to: W) -> Result<Self, AppendError> {
		to.write_all(&MAGIC)?;
		Ok(Self { to, index: Index::default(), objects: 0, index_len: 0, broken: false })
	}

	/// Appends an object. What is refused leaves the pack as it was, unless it could not be written.
	pub fn append(&mut self, name: &[u8], bytes: &[u8]) -> Result<(), AppendError> {
		if self.broken {
			return Err(AppendError::Broken);
		}
		if bytes.is_empty() {
			return Err(AppendError::Empty);
		}
		let len = bytes.len() as u64;
		let short_len = u32::try_from(len).map_err(|_| AppendError::TooLong(len))?;
		if name.is_empty() || name.len() > MAX_NAME_LEN {
			return Err(AppendError::BadName(name.len()));
		}
		if self.index.find(name).is_some() {
			return Err(AppendError::Duplicate);
		}
		let index_len = self.index_len + ENTRY_LEN + name.len();
		let is_full = self.index.entries().len() >= MAX_OBJECTS as usize;
		if is_full || index_len > MAX_INDEX_LEN as usize {
			return Err(AppendError::Full);
		}
		self.write(bytes)?;
		self.index.push(name, short_len);
		self.index_len = index_len;
		self.objects += len;
		Ok(())
	}

	/// How long the pack would be, were it finished now.
	pub fn pack_len(&self) -> u64 {
		MAGIC.len() as u64 + self.objects + (self.index_len + TRAILER_LEN) as u64
	}

	/// What is in it so far.
	pub fn index(&self) -> &Index {
		&self.index
	}

	/// Writes the index, and returns where it was written and what is in it. Whoever wants the pack
	/// on disk syncs it.
	pub fn finish(mut self) -> Result<(W, Index), AppendError> {
		if self.broken {
			return Err(AppendError::Broken);
		}
		if self.index.entries().is_empty() {
			return Err(AppendError::NoObjects);
		}
		self.write(&self.index.to_bytes())?;
		self.to.flush()?;
		Ok((self.to, self.index))
	}

	fn write(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
		self.to.write_all(bytes).inspect_err(|_| self.broken = true)?;
		Ok(())
	}
}
