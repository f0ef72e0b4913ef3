// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Room on the disk for the catalog, whatever else fills it: what was acknowledged can be read,
//! changed and deleted on a full disk, too.

use redb::{BackendError, StorageBackend, backends::FileBackend};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::{
	fs::{self, File},
	io,
	ops::Bound,
	path::{Path, PathBuf},
	sync::{
		Arc,
		atomic::{AtomicBool, Ordering},
	},
};

/// How much is kept.
pub const RESERVE: u64 = 16 << 20;

/// A file that takes the room until the catalog needs it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Reserve(Arc<Inner>);

#[derive(Debug)]
struct Inner {
	data: PathBuf,
	path: PathBuf,
	held: AtomicBool,
	/// There cannot be one here.
	refused: AtomicBool,
}

impl Reserve {
	/// Keeps room in this directory, if there is any.
	pub fn open(data: &Path) -> Self {
		let (data, path) = (data.to_owned(), data.join("reserve"));
		let [held, refused] = [(); 2].map(|()| AtomicBool::new(false));
		let reserve = Self(Arc::new(Inner { data, path, held, refused }));
		reserve.renew();
		reserve
	}

	/// Keeps the room again where it was used, and there is plenty. Blocks.
	pub fn renew(&self) {
		let Inner { data, path, held, refused } = &*self.0;
		if held.load(Ordering::Relaxed) || refused.load(Ordering::Relaxed) {
			return;
		}
		let taken = || -> io::Result<bool> {
			let has = fs::metadata(path).is_ok_and(|known| known.len() == RESERVE);
			let disk = statvfs(data)?;
			if !has && disk.f_bavail.saturating_mul(disk.f_frsize) < 2 * RESERVE {
				return Ok(false);
			}
			let file = File::options().write(true).create(true).truncate(false).open(path)?;
			fallocate(&file, FallocateFlags::empty(), 0, RESERVE)?;
			Ok(true)
		};
		match taken() {
			Ok(taken) => held.store(taken, Ordering::Relaxed),
			Err(error) => {
				tracing::warn!(%error, "no room is kept for the catalog");
				let _ = fs::remove_file(path);
				refused.store(error.kind() != io::ErrorKind::StorageFull, Ordering::Relaxed);
			},
		}
	}

	/// Lets the room go; whether there was any. Blocks.
	fn release(&self) -> bool {
		let Inner { path, held, .. } = &*self.0;
		let released = held.swap(false, Ordering::Relaxed) && fs::remove_file(path).is_ok();
		if released {
			tracing::warn!("the disk is full: the catalog uses the room that was kept for it");
		}
		released
	}
}

/// The catalog's file, which finds room where there is a reserve.
#[derive(Debug)]
pub struct Guarded {
	file: FileBackend,
	reserve: Reserve,
}

impl Guarded {
	/// Opens the file, or makes it.
	pub fn open(path: &Path, reserve: Reserve) -> io::Result<(Self, File)> {
		let mut options = File::options();
		let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
		let same = file.try_clone()?;
		let file = FileBackend::new(file).map_err(io::Error::other)?;
		Ok((Self { file, reserve }, same))
	}

	fn with_room(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
		match write() {
			Err(error) if error.kind() == io::ErrorKind::StorageFull && self.reserve.release() => {
				write()
			},
			done => done,
		}
	}
}

type Lock = Result<bool, BackendError>;

impl StorageBackend for Guarded {
	fn len(&self) -> io::Result<u64> {
		self.file.len()
	}

	fn read(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
		self.file.read(offset, to)
	}

	fn set_len(&self, len: u64) -> io::Result<()> {
		self.with_room(|| self.file.set_len(len))
	}

	fn sync_data(&self) -> io::Result<()> {
		self.file.sync_data()
	}

	fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
		self.with_room(|| self.file.write(offset, bytes))
	}

	fn close(&self) -> io::Result<()> {
		self.file.close()
	}

	fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.file.try_lock_range(start, end)
	}

	fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.file.try_lock_shared_range(start, end)
	}

	fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.file.lock_range(start, end)
	}

	fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.file.lock_shared_range(start, end)
	}

	fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.file.unlock_range(start, end)
	}

	fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.file.query_lock_range(start, end)
	}
}
