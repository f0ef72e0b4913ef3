// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A fragment that is being read.

use crate::{
	ReadError, StoreError,
	disk::{Faults, Step},
};
use rustix::{
	buffer::spare_capacity,
	fs::{Advice, fadvise},
	io::{Errno, pread},
};
use std::{
	fmt,
	fs::File,
	io::{self, Read, Seek, SeekFrom},
	os::unix::fs::FileExt,
	path::PathBuf,
	sync::Arc,
};

/// An open fragment: a stream, or bytes at any place.
pub struct Reader {
	bytes: Bytes,
	len: u32,
	position: u64,
}

enum Bytes {
	Memory(Arc<[u8]>),
	File { file: File, path: PathBuf, faults: Option<Arc<dyn Faults>> },
}

impl fmt::Debug for Reader {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Reader").field("len", &self.len).finish_non_exhaustive()
	}
}

impl Reader {
	/// Reads bytes in memory, of which there are `len`.
	pub(crate) fn memory(bytes: Arc<[u8]>, len: u32) -> Self {
		Self { bytes: Bytes::Memory(bytes), len, position: 0 }
	}

	/// Reads a file, which has `len` bytes.
	pub(crate) fn file(
		file: File,
		path: PathBuf,
		len: u32,
		faults: Option<Arc<dyn Faults>>,
	) -> Self {
		Self { bytes: Bytes::File { file, path, faults }, len, position: 0 }
	}

	/// The fragment's length.
	#[allow(clippy::len_without_is_empty)] // no fragment is empty
	pub fn len(&self) -> u32 {
		self.len
	}

	/// Reads some bytes from `offset` on; how many, 0 at the end.
	pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
		match &self.bytes {
			Bytes::Memory(bytes) => {
				let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
				Read::read(&mut &bytes[start..], buffer)
			},
			Bytes::File { file, path, faults } => {
				if let Some(faults) = faults {
					faults.before(Step::Read, path)?;
				}
				file.read_at(buffer, offset)
			},
		}
	}

	/// Bytes from `offset` on, so many of them.
	pub fn read_vec(&self, len: usize, offset: u64) -> io::Result<Vec<u8>> {
		let (file, path, faults) = match &self.bytes {
			Bytes::Memory(bytes) => {
				let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..));
				let bytes = rest.and_then(|rest| rest.get(..len));
				return Ok(bytes.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec());
			},
			Bytes::File { file, path, faults } => (file, path, faults),
		};
		let mut bytes = Vec::with_capacity(len);
		while bytes.len() < len {
			if let Some(faults) = faults {
				faults.before(Step::Read, path)?;
			}
			let at = offset + bytes.len() as u64;
			match pread(file, spare_capacity(&mut bytes), at) {
				Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
				Ok(_) | Err(Errno::INTR) => {},
				Err(error) => return Err(error.into()),
			}
		}
		bytes.truncate(len);
		Ok(bytes)
	}

	/// Has the system forget what it keeps of the file in memory, so that the next read is one of
	/// the disk. Where it does not, a read may be faster than the disk, that is all.
	pub(crate) fn uncache(&self) {
		if let Bytes::File { file, .. } = &self.bytes {
			let _ = fadvise(file, 0, None, Advice::DontNeed);
		}
	}

	/// How many bytes there really are.
	pub(crate) fn len_on_disk(&self) -> io::Result<u64> {
		match &self.bytes {
			Bytes::Memory(bytes) => Ok(bytes.len() as u64),
			Bytes::File { file, .. } => Ok(file.metadata()?.len()),
		}
	}

	/// What a failed read means.
	pub(crate) fn failed(&self, error: io::Error) -> ReadError {
		let path = match &self.bytes {
			Bytes::Memory(_) => PathBuf::new(),
			Bytes::File { path, .. } => path.clone(),
		};
		StoreError::io("read", path, error).into()
	}
}

impl Read for Reader {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		let read = self.read_at(buffer, self.position)?;
		self.position += read as u64;
		Ok(read)
	}
}

impl Seek for Reader {
	fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
		let position = match to {
			SeekFrom::Start(position) => Some(position),
			SeekFrom::Current(by) => self.position.checked_add_signed(by),
			SeekFrom::End(by) => u64::from(self.len).checked_add_signed(by),
		};
		self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
		Ok(self.position)
	}
}
