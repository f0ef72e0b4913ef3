// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A write in progress, on the disk.

use super::{
	Inner, Step,
	accounts::{Accounts, Idle},
	lock,
};
use crate::{BeginError, FragmentUse, Sink, StoreError, verify};
use planaria_primitives::FragmentHash;
use std::{fs::File, path::PathBuf, sync::Arc, time::SystemTime};
use tracing::debug;

/// The right to write a fragment, and its file once that is open.
pub(super) struct DiskSink {
	inner: Arc<Inner>,
	hash: FragmentHash,
	of: FragmentUse,
	path: PathBuf,
	file: Option<File>,
	/// Whether what is written is to be removed in the end.
	live: bool,
	/// What it counts on but could not take from the file system.
	unbacked: u64,
}

impl DiskSink {
	/// Takes the right to write a fragment, which only one has at a time.
	pub fn claim(
		inner: Arc<Inner>,
		hash: FragmentHash,
		of: &FragmentUse,
	) -> Result<Self, BeginError> {
		let mut accounts = lock(&inner.accounts);
		if accounts.writing.contains_key(&hash) {
			return Err(BeginError::Busy(hash));
		}
		accounts.writing.insert(hash, 0);
		drop(accounts);
		let path = inner.layout.partial(&hash);
		Ok(Self { inner, hash, of: of.clone(), path, file: None, live: false, unbacked: 0 })
	}

	/// Takes the room, opens the file, and hashes what is in it from before.
	pub fn open(&mut self) -> Result<(blake3::Hasher, u32), BeginError> {
		let len = u64::from(self.of.fragment_len());
		self.take_capacity(len)?;
		self.live = true;
		self.take_disk(len)?;
		let fs = &self.inner.fs;
		let file = fs.create(&self.path)?;
		let mut offset = fs.len(&self.path)?.unwrap_or(0);
		if offset > len {
			fs.step(Step::Write, &self.path, || file.set_len(0))?;
			offset = 0;
		}
		let backed = match fs.reserve(&file, &self.path, len) {
			Ok(backed) => backed,
			Err(StoreError::DiskFull { .. }) => {
				let free = self.spare()?;
				return Err(BeginError::DiskFull { needed: len, free });
			},
			Err(error) => return Err(error.into()),
		};
		if !backed {
			self.unbacked = len - offset;
			lock(&self.inner.accounts).unbacked += self.unbacked;
		}
		let hashed = verify::hash_some(&mut &file, offset);
		let (hasher, read) =
			hashed.map_err(|error| StoreError::io("read", self.path.clone(), error))?;
		self.file = Some(file);
		Ok((hasher, u32::try_from(read).expect("at most the fragment's length; qed")))
	}

	/// Reserves capacity, for which interrupted writes make room.
	fn take_capacity(&self, needed: u64) -> Result<(), BeginError> {
		let Inner { accounts, options, .. } = &*self.inner;
		let mut accounts = lock(accounts);
		let own = accounts.idle.remove(&self.hash);
		loop {
			let free = accounts.usage(options.capacity, 0).free();
			if free >= needed {
				break;
			}
			if !self.inner.evict(&mut accounts)? {
				accounts.idle.extend(own.map(|own| (self.hash, own)));
				return Err(BeginError::Full { needed, free });
			}
		}
		accounts.writing.insert(self.hash, needed);
		Ok(())
	}

	/// Checks that the file system has the room, for which interrupted writes are removed.
	fn take_disk(&self, len: u64) -> Result<(), BeginError> {
		let needed = len.saturating_sub(self.inner.fs.len(&self.path)?.unwrap_or(0));
		loop {
			let free = self.spare()?;
			if free >= needed {
				return Ok(());
			}
			if !self.inner.evict(&mut lock(&self.inner.accounts))? {
				return Err(BeginError::DiskFull { needed, free });
			}
		}
	}

	/// What the store may still take from the file system.
	fn spare(&self) -> Result<u64, StoreError> {
		let free = self.inner.fs.free(&self.inner.layout.root)?;
		let promised = lock(&self.inner.accounts).unbacked;
		Ok(free.saturating_sub(self.inner.options.disk_reserve).saturating_sub(promised))
	}

	fn file(&self) -> Result<&File, StoreError> {
		let closed = || StoreError::io("write", &self.path, std::io::ErrorKind::NotFound.into());
		self.file.as_ref().ok_or_else(closed)
	}
}

impl Sink for DiskSink {
	fn write_at(&mut self, bytes: &[u8], offset: u32) -> Result<(), StoreError> {
		self.inner.fs.write_at(Step::Write, self.file()?, &self.path, bytes, offset.into())
	}

	fn commit(&mut self) -> Result<(), StoreError> {
		self.inner.fs.sync(Step::Sync, self.file()?, &self.path)?;
		self.inner.store(&self.hash, &self.of)?;
		self.live = false;
		Ok(())
	}

	fn keep(&mut self, offset: u32) -> Result<(), StoreError> {
		if offset == 0 {
			return Ok(());
		}
		let file = self.file()?;
		// Gives back what lies behind, too.
		self.inner.fs.step(Step::Write, &self.path, || file.set_len(offset.into()))?;
		self.inner.fs.sync(Step::Sync, file, &self.path)?;
		self.live = false;
		let mut accounts = lock(&self.inner.accounts);
		accounts.writing.insert(self.hash, 0);
		accounts.idle.insert(self.hash, Idle { bytes: offset.into(), since: SystemTime::now() });
		self.inner.expire(&mut accounts)
	}
}

impl Drop for DiskSink {
	fn drop(&mut self) {
		if self.live
			&& let Err(error) = self.inner.fs.remove(&self.path)
		{
			debug!(%error, "an aborted write could not be removed; the next start does it");
		}
		let mut accounts = lock(&self.inner.accounts);
		accounts.unbacked -= self.unbacked;
		accounts.writing.remove(&self.hash);
	}
}

impl Inner {
	/// Removes the oldest interrupted write; says whether there was one.
	fn evict(&self, accounts: &mut Accounts) -> Result<bool, StoreError> {
		let Some((hash, _)) = accounts.oldest() else { return Ok(false) };
		self.fs.remove(&self.layout.partial(&hash))?;
		accounts.idle.remove(&hash);
		Ok(true)
	}

	/// Removes interrupted writes that are too old.
	pub fn expire(&self, accounts: &mut Accounts) -> Result<(), StoreError> {
		while let Some((_, idle)) = accounts.oldest() {
			let age = idle.since.elapsed().unwrap_or_default();
			if age <= self.options.partial_age {
				break;
			}
			self.evict(accounts)?;
		}
		Ok(())
	}
}
