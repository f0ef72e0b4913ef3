// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can be stored.

use super::PutError;
use std::{
	fs::File,
	io,
	path::{Path, PathBuf},
};

/// Bytes that can be read again and again, and are the same each time.
///
/// A put reads them once in order, to commit to them, and again segment by segment, up to three at
/// once and from several threads. It calls from where it may block.
pub trait Content: Send + Sync + 'static {
	/// How many bytes there are. It stays the same.
	fn size(&self) -> u64;

	/// Fills `to` with the bytes from `offset` on; they are all within the size. At first `offset`
	/// rises without gaps, in steps of at most 4 MiB that end at multiples of it or at the end; then
	/// it is a segment's beginning, and `to` the whole segment.
	///
	/// An error of the kind `UnexpectedEof` or `InvalidData` says that the bytes have changed.
	fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()>;

	/// What errors call it.
	fn name(&self) -> String;
}

/// A file on disk, held open.
#[derive(Debug)]
pub struct FileContent {
	path: PathBuf,
	file: File,
	size: u64,
}

impl FileContent {
	/// Opens a regular file.
	pub fn open(path: &Path) -> Result<Self, PutError> {
		let unreadable = |error| PutError::Unreadable { name: path.display().to_string(), error };
		// Opening a pipe would wait for its other end.
		if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
			return Err(PutError::NotAFile(path.into()));
		}
		let file = File::open(path).map_err(unreadable)?;
		let size = file.metadata().map_err(unreadable)?.len();
		Ok(Self { path: path.into(), file, size })
	}
}

impl Content for FileContent {
	fn size(&self) -> u64 {
		self.size
	}

	fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
		read_exact_at(&self.file, offset, to)?;
		// One that has grown is not the same any more.
		let is_last = offset + to.len() as u64 == self.size;
		if is_last && self.file.metadata()?.len() != self.size {
			return Err(io::ErrorKind::InvalidData.into());
		}
		Ok(())
	}

	fn name(&self) -> String {
		self.path.display().to_string()
	}
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, to: &mut [u8]) -> io::Result<()> {
	std::os::unix::fs::FileExt::read_exact_at(file, to, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut to: &mut [u8]) -> io::Result<()> {
	while !to.is_empty() {
		let read = std::os::windows::fs::FileExt::seek_read(file, to, offset)?;
		if read == 0 {
			return Err(io::ErrorKind::UnexpectedEof.into());
		}
		offset += read as u64;
		to = &mut to[read..];
	}
	Ok(())
}

/// Bytes in memory.
impl Content for bytes::Bytes {
	fn size(&self) -> u64 {
		self.len() as u64
	}

	fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
		let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
		let from = self.get(start..).and_then(|rest| rest.get(..to.len()));
		to.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
		Ok(())
	}

	fn name(&self) -> String {
		"bytes in memory".into()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::io::Write;

	#[test]
	fn a_file_that_changes_its_length_has_changed() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("file");
		std::fs::write(&path, b"0123456789").expect("written");
		let content = FileContent::open(&path).expect("open");
		let mut two = [0; 2];
		content.read_at(8, &mut two).expect("read");
		assert_eq!((&two, content.size()), (b"89", 10));

		let mut file = File::options().append(true).open(&path).expect("open");
		file.write_all(b"x").expect("written");
		content.read_at(0, &mut two).expect("its first bytes are there");
		let error = content.read_at(8, &mut two).expect_err("it has grown");
		assert_eq!(error.kind(), io::ErrorKind::InvalidData);
		file.set_len(9).expect("cut");
		let error = content.read_at(8, &mut two).expect_err("it has shrunk");
		assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
		assert!(matches!(FileContent::open(dir.path()), Err(PutError::NotAFile(_))));
	}
}
