// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What was about to change when the process ended.
//!
//! A change touches several files and the manifest, and cannot be atomic. So before the first of
//! them is touched, the fragment is noted in the file `intents` and that is synced; when the
//! manifest is committed the note is crossed out. After a crash the fragments that are still noted
//! are looked at again, and only those, so that opening a store does not read all of it.
//!
//! The file is an array of slots of 64 bytes: kind, hash, count of records, zeros, and 8 bytes
//! of BLAKE3 of those. A slot that does not check is empty: its note was never synced, so nothing was touched.
//! Crossing out is not synced: looking at a fragment once too often does no harm, and every later
//! note syncs it along.

use super::{faults::Step, fs::Fs};
use crate::StoreError;
use planaria_primitives::FragmentHash;
use std::{
	collections::BTreeSet,
	fs::File,
	os::unix::fs::FileExt,
	path::PathBuf,
	sync::{Mutex, MutexGuard, PoisonError},
};

/// What is about to happen to a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Intent {
	/// It is stored for the first time: what is half there is removed.
	Create,
	/// It changes in one step: what is on the disk counts.
	Change,
	/// It is broken and gets its bytes, and perhaps one more use, which is then the last of its
	/// sidecar file. Without the bytes the file has `records` records.
	Restore { records: u64 },
	/// It goes: what is left is removed.
	Remove,
}

const SLOT_LEN: usize = 64;

/// The file of intents.
#[derive(Debug)]
pub(super) struct Intents {
	file: File,
	path: PathBuf,
	fs: Fs,
	taken: Mutex<BTreeSet<u64>>,
}

/// A change that is noted. It stays noted unless it is [settled](Intents::settle).
#[derive(Debug)]
#[must_use]
pub(super) struct Noted {
	slot: u64,
}

fn encode(intent: Intent, hash: &FragmentHash) -> [u8; SLOT_LEN] {
	let mut slot = [0; SLOT_LEN];
	let (kind, records) = match intent {
		Intent::Create => (1, 0),
		Intent::Change => (2, 0),
		Intent::Remove => (3, 0),
		Intent::Restore { records } => (4, records),
	};
	slot[0] = kind;
	slot[1..33].copy_from_slice(&hash.0);
	slot[33..41].copy_from_slice(&records.to_le_bytes());
	let checksum = blake3::hash(&slot[..56]);
	slot[56..].copy_from_slice(&checksum.as_bytes()[..8]);
	slot
}

fn decode(slot: &[u8; SLOT_LEN]) -> Option<(Intent, FragmentHash)> {
	let intent = match slot[0] {
		1 => Intent::Create,
		2 => Intent::Change,
		3 => Intent::Remove,
		4 => Intent::Restore { records: u64::from_le_bytes(slot[33..41].try_into().ok()?) },
		_ => return None,
	};
	let hash = FragmentHash(slot[1..33].try_into().ok()?);
	(encode(intent, &hash) == *slot).then_some((intent, hash))
}

impl Intents {
	/// Opens the file and says what is noted in it.
	pub fn open(fs: &Fs, path: PathBuf) -> Result<(Self, Vec<(Intent, FragmentHash)>), StoreError> {
		let file = fs.create(&path)?;
		let bytes = std::fs::read(&path).map_err(|error| StoreError::io("read", &path, error))?;
		let (slots, _) = bytes.as_chunks::<SLOT_LEN>();
		let noted = slots.iter().filter_map(decode).collect();
		let taken = Mutex::default();
		Ok((Self { file, path, fs: fs.clone(), taken }, noted))
	}

	/// Crosses out everything that was noted when the file was opened.
	pub fn clear(&self) -> Result<(), StoreError> {
		self.fs.step(Step::Settle, &self.path, || {
			self.file.set_len(0)?;
			self.file.sync_all()
		})
	}

	/// Notes, durably, what is about to happen.
	pub fn note(&self, intent: Intent, hash: &FragmentHash) -> Result<Noted, StoreError> {
		let slot = {
			let mut taken = self.taken();
			let slot =
				(0..).find(|slot| !taken.contains(slot)).expect("2^64 slots are enough; qed");
			taken.insert(slot);
			slot
		};
		let written = self.fs.step(Step::Intend, &self.path, || {
			self.file.write_all_at(&encode(intent, hash), slot * SLOT_LEN as u64)?;
			self.file.sync_data()
		});
		match written {
			Ok(()) => Ok(Noted { slot }),
			Err(error) => {
				// Should it be there after all, it asks to look at what did not change.
				self.taken().remove(&slot);
				Err(error)
			},
		}
	}

	/// Crosses out a note, or gives it back where the disk does not let it.
	pub fn settle(&self, noted: Noted) -> Result<(), Noted> {
		let offset = noted.slot * SLOT_LEN as u64;
		match self.fs.write_at(Step::Settle, &self.file, &self.path, &[0; SLOT_LEN], offset) {
			Ok(()) => {
				self.taken().remove(&noted.slot);
				Ok(())
			},
			Err(_) => Err(noted),
		}
	}

	fn taken(&self) -> MutexGuard<'_, BTreeSet<u64>> {
		self.taken.lock().unwrap_or_else(PoisonError::into_inner)
	}
}
