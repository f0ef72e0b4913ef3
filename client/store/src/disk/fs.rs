// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The file operations that change something, each of which can be made to fail.

use super::faults::{Faults, Step};
use crate::StoreError;
use rustix::{
	fs::{FallocateFlags, fallocate, statvfs},
	io::Errno,
};
use std::{
	fs::{self, File, OpenOptions},
	io,
	os::unix::fs::FileExt,
	path::Path,
	sync::Arc,
};

/// The file system below a store.
#[derive(Clone, Debug)]
pub(super) struct Fs {
	pub faults: Option<Arc<dyn Faults>>,
}

impl Fs {
	/// Does one step, unless it is to fail.
	pub fn step<T>(
		&self,
		step: Step,
		path: &Path,
		act: impl FnOnce() -> io::Result<T>,
	) -> Result<T, StoreError> {
		let before = self.faults.as_ref().map_or(Ok(()), |faults| faults.before(step, path));
		before.and_then(|()| act()).map_err(|error| StoreError::io(step.doing(), path, error))
	}

	/// A file to write to, made if it is not there.
	pub fn create(&self, path: &Path) -> Result<File, StoreError> {
		self.step(Step::Write, path, || {
			OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
		})
	}

	pub fn write_at(
		&self,
		step: Step,
		file: &File,
		path: &Path,
		bytes: &[u8],
		offset: u64,
	) -> Result<(), StoreError> {
		self.step(step, path, || file.write_all_at(bytes, offset))
	}

	pub fn sync(&self, step: Step, file: &File, path: &Path) -> Result<(), StoreError> {
		self.step(step, path, || file.sync_all())
	}

	pub fn sync_dir(&self, path: &Path) -> Result<(), StoreError> {
		self.step(Step::SyncDir, path, || File::open(path)?.sync_all())
	}

	pub fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
		self.step(Step::Rename, to, || fs::rename(from, to))
	}

	/// Removes a file; says whether there was one.
	pub fn remove(&self, path: &Path) -> Result<bool, StoreError> {
		self.step(Step::Remove, path, || match fs::remove_file(path) {
			Ok(()) => Ok(true),
			Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
			Err(error) => Err(error),
		})
	}

	/// Makes a directory durable; nothing happens where there is one.
	pub fn make_dir(&self, path: &Path) -> Result<(), StoreError> {
		if path.is_dir() {
			return Ok(());
		}
		let made = self.step(Step::MakeDir, path, || match fs::create_dir(path) {
			Ok(()) => Ok(true),
			Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
			Err(error) => Err(error),
		})?;
		match path.parent() {
			Some(parent) if made => self.sync_dir(parent),
			_ => Ok(()),
		}
	}

	/// The length of a file; `None` where there is none.
	pub fn len(&self, path: &Path) -> Result<Option<u64>, StoreError> {
		match fs::metadata(path) {
			Ok(metadata) => Ok(Some(metadata.len())),
			Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
			Err(error) => Err(StoreError::io("look at", path, error)),
		}
	}

	/// Takes room for `len` bytes from the file system without changing the file's length. Whether
	/// it could: not every file system can.
	pub fn reserve(&self, file: &File, path: &Path, len: u64) -> Result<bool, StoreError> {
		self.step(Step::Reserve, path, || {
			match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
				Ok(()) => Ok(true),
				Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
				Err(error) => Err(error.into()),
			}
		})
	}

	/// How many bytes the file system still has for this user.
	pub fn free(&self, path: &Path) -> Result<u64, StoreError> {
		let stat = statvfs(path)
			.map_err(|error| StoreError::io("ask for the free space of", path, error.into()))?;
		Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
	}
}
