// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The store on a disk.
//!
//! ```text
//! <store>/planaria-store                  version of the layout, id of the store
//! <store>/lock                            locked while a process has the store open
//! <store>/fragments/ab/cd/abcd…           a fragment: `b3sum` prints its name
//! <store>/fragments/ab/cd/abcd….side      what it is used for (see `side.rs`)
//! <store>/quarantine/abcd….0              wrong bytes; the number counts up
//! <store>/partial/abcd…                   a write in progress or interrupted
//! <store>/intents                         what was about to change (see `intents.rs`)
//! <store>/manifest.redb                   a cache of all this (see `manifest.rs`)
//! <store>/check.note, throttle.note       what the engine wants to find again (see `notes.rs`)
//! ```
//!
//! # What happens in which order
//!
//! Storing a fragment: its bytes are written to `partial/` and synced, the change is noted and
//! synced, the sidecar file is written under a temporary name, synced and renamed, the bytes get
//! their name, the directory is synced, the manifest is committed, the note is crossed out. A
//! process that ends before the second rename leaves nothing but a partial file; afterwards the
//! fragment is there. [`DiskStore::open`] looks at what is noted, and at nothing else.
//!
//! The files are the truth. A manifest that is missing, damaged, of another version or of another
//! store is made anew from them: one read of every directory and sidecar file, none of the
//! fragments' bytes. On the other hand, a sidecar file that was damaged is written anew from the
//! manifest when [`verify`](crate::FragmentStore::verify) finds it.
//!
//! All of the manifest is checked when it is opened. Where redb panics on it all the same, the store
//! refuses all work until the manifest is made anew, and the process goes on.
//!
//! # Locks, from the outermost
//!
//! One of 64 for the fragment's hash, held while files of the fragment change; the manifest's; the
//! accounts'. Readers of the manifest and of fragments take none of the first kind.

mod faults;

mod fs;

mod layout;

mod intents;

mod side;

mod manifest;

mod accounts;

mod open;

mod change;

mod sink;

mod notes;

pub use faults::{Faults, Step};
pub use open::Rebuilt;

use crate::{
	BeginError, Begun, Entry, ForgetError, Fragment, FragmentStore, FragmentUse, Note, OpenError,
	PAGE_LEN, ReadError, Reader, Released, StoreError, Usage, Verdict, Writer, verify,
};
use accounts::Accounts;
use change::Doubt;
use fs::Fs;
use intents::{Intent, Intents, Noted};
use layout::Layout;
use manifest::{Manifest, Row};
use planaria_primitives::{FragmentHash, FragmentName};
use sink::DiskSink;
use std::{
	collections::{BTreeSet, HashMap},
	fmt,
	fs::File,
	io,
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};

/// How a [`DiskStore`] is opened.
#[derive(Clone, Debug)]
pub struct DiskOptions {
	/// How many bytes of fragments, quarantine and writes in progress the store may hold.
	pub capacity: u64,
	/// What is left free on the file system for sidecars and the manifest: 64 MiB.
	pub disk_reserve: u64,
	/// How long an interrupted write is kept: a day.
	pub partial_age: Duration,
	/// How many bytes of interrupted writes are kept when the store is opened, newest first: 1 GiB.
	pub partial_budget: u64,
	/// Makes the manifest anew, and the marker where that is damaged.
	pub rebuild: bool,
	/// The [id](DiskStore::id) of the store that is to be there: no other is opened, and none is
	/// made.
	pub known: Option<[u8; 16]>,
	/// For tests.
	pub faults: Option<Arc<dyn Faults>>,
}

impl DiskOptions {
	/// A store for `capacity` bytes.
	pub fn new(capacity: u64) -> Self {
		Self {
			capacity,
			disk_reserve: 64 << 20,
			partial_age: Duration::from_secs(24 * 60 * 60),
			partial_budget: 1 << 30,
			rebuild: false,
			known: None,
			faults: None,
		}
	}
}

/// A [`FragmentStore`] on a disk. Clones are the same store, which stays open (and locked against
/// other processes) until the last of them and the last [`Writer`] is dropped.
#[derive(Clone)]
pub struct DiskStore(Arc<Inner>);

struct Inner {
	layout: Layout,
	options: DiskOptions,
	fs: Fs,
	manifest: Manifest,
	intents: Intents,
	/// One for each remainder of a hash's first byte.
	locks: [Mutex<()>; 64],
	/// Held while directories are made, so that nobody relies on one that is not durable.
	dirs: Mutex<()>,
	accounts: Mutex<Accounts>,
	/// Fragments that could not be quarantined, and are not served all the same.
	refused: Mutex<BTreeSet<FragmentHash>>,
	/// Held while a note is written.
	notes: Mutex<()>,
	/// Changes that failed, and whose traces could not be tidied up yet.
	stuck: Mutex<HashMap<FragmentHash, (Intent, Noted)>>,
	/// The last one: until everything else is closed the store is not free.
	_lock: open::StoreLock,
}

impl fmt::Debug for DiskStore {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("DiskStore").field("root", &self.0.layout.root).finish_non_exhaustive()
	}
}

/// What a lock protects is changed in single steps, so a panic leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DiskStore {
	/// Opens the store in this directory, or makes one where there is nothing and none is
	/// [known](DiskOptions::known).
	pub fn open(root: impl AsRef<Path>, options: DiskOptions) -> Result<Self, OpenError> {
		Ok(Self(Arc::new(Inner::open(root.as_ref(), options)?)))
	}

	/// Where the store is.
	pub fn root(&self) -> &Path {
		&self.0.layout.root
	}

	/// What tells it from every other store, wherever it is moved to.
	pub fn id(&self) -> [u8; 16] {
		self.0.manifest.id
	}

	/// Makes the manifest anew from the files on the disk. Other calls wait meanwhile. Finds
	/// fragments that were put there by other means, provided their sidecar file is with them.
	pub fn rebuild(&self) -> Result<Rebuilt, StoreError> {
		self.0.rebuild()
	}

	/// Removes interrupted writes that are older than the options allow.
	pub fn tidy(&self) -> Result<(), StoreError> {
		self.0.expire(&mut lock(&self.0.accounts))
	}
}

impl Inner {
	fn refused(&self, hash: &FragmentHash) -> bool {
		lock(&self.refused).contains(hash)
	}

	fn to_fragment(&self, hash: FragmentHash, row: Row) -> Fragment {
		Fragment { broken: row.broken || self.refused(&hash), ..row.fragment(hash) }
	}

	fn to_entry(&self, entry: Entry) -> Entry {
		Entry { broken: entry.broken || self.refused(&entry.hash), ..entry }
	}

	/// Opens the bytes of a fragment, whatever is known about them.
	fn reader(&self, hash: &FragmentHash, len: u32) -> io::Result<Reader> {
		let path = self.layout.fragment(hash);
		let file = File::open(&path)?;
		Ok(Reader::file(file, path, len, self.options.faults.clone()))
	}

	/// Hashes a fragment's bytes again.
	fn check(&self, hash: &FragmentHash, row: &Row) -> Result<Verdict, StoreError> {
		if row.broken {
			let quarantined = self.manifest.quarantined(hash)? > 0;
			return Ok(if quarantined { Verdict::Damaged } else { Verdict::Missing });
		}
		let path = self.layout.fragment(hash);
		Ok(match self.reader(hash, row.len) {
			Ok(mut reader) => {
				// It is the disk that is to be checked, and nobody else wants the bytes kept.
				reader.uncache();
				let verdict = verify::check(&mut reader, &path, hash, row.len);
				reader.uncache();
				verdict
			},
			Err(error) if error.kind() == io::ErrorKind::NotFound => match self.is_mounted() {
				Ok(()) => Verdict::Missing,
				Err(error) => Verdict::Unreadable(error),
			},
			Err(error) => Verdict::Unreadable(StoreError::unreadable(path, error)),
		})
	}

	/// Whether this is still the store's directory: where its file system was taken away, every
	/// file seems to be missing.
	pub fn is_mounted(&self) -> Result<(), StoreError> {
		let marker = self.layout.marker();
		match std::fs::metadata(&marker) {
			Ok(_) => Ok(()),
			Err(error) => Err(StoreError::unreadable(marker, error)),
		}
	}
}

impl FragmentStore for DiskStore {
	fn begin(&self, hash: FragmentHash, of: &FragmentUse) -> Result<Begun, BeginError> {
		of.check(&hash).map_err(|reason| BeginError::Invalid { hash, reason })?;
		let mut sink = DiskSink::claim(self.0.clone(), hash, of)?;
		if self.0.have(&hash, of)? {
			return Ok(Begun::Have);
		}
		let (hasher, offset) = sink.open()?;
		Ok(Begun::Write(Writer::new(hash, of.fragment_len(), offset, hasher, Box::new(sink))))
	}

	fn open(&self, hash: &FragmentHash) -> Result<Reader, ReadError> {
		let row = self.0.manifest.row(hash)?.ok_or(ReadError::Unknown(*hash))?;
		if row.broken || self.0.refused(hash) {
			return Err(ReadError::Broken(*hash));
		}
		let failed = |error| StoreError::io("open", self.0.layout.fragment(hash), error);
		match self.0.reader(hash, row.len) {
			Ok(reader) if reader.len_on_disk().map_err(failed)? == u64::from(row.len) => Ok(reader),
			Ok(_) => Err(ReadError::Broken(*hash)),
			Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadError::Broken(*hash)),
			Err(error) => Err(failed(error).into()),
		}
	}

	fn fragment(&self, hash: &FragmentHash) -> Result<Option<Fragment>, StoreError> {
		Ok(self.0.manifest.row(hash)?.map(|row| self.0.to_fragment(*hash, row)))
	}

	fn entry(&self, name: &FragmentName) -> Result<Option<Entry>, StoreError> {
		Ok(self.0.manifest.entry(name)?.map(|entry| self.0.to_entry(entry)))
	}

	fn fragments(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError> {
		let rows = self.0.manifest.fragments(after, limit.min(PAGE_LEN))?;
		Ok(rows.into_iter().map(|(hash, row)| self.0.to_fragment(hash, row)).collect())
	}

	fn entries(
		&self,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<Entry>, StoreError> {
		let entries = self.0.manifest.entries(after, limit.min(PAGE_LEN))?;
		Ok(entries.into_iter().map(|entry| self.0.to_entry(entry)).collect())
	}

	fn uses(
		&self,
		hash: &FragmentHash,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentUse>, StoreError> {
		self.0.manifest.uses(hash, after, limit.min(PAGE_LEN))
	}

	fn broken(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError> {
		let limit = limit.min(PAGE_LEN);
		let mut hashes: BTreeSet<_> = self.0.manifest.broken(after, limit)?.into_iter().collect();
		let refused = lock(&self.0.refused);
		hashes.extend(refused.iter().filter(|hash| after.is_none_or(|after| *hash > after)));
		drop(refused);
		let mut fragments = Vec::new();
		for hash in hashes {
			fragments.extend(self.fragment(&hash)?.filter(|fragment| fragment.broken));
			if fragments.len() == limit {
				break;
			}
		}
		Ok(fragments)
	}

	fn quarantined(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<(FragmentHash, u64)>, StoreError> {
		self.0.manifest.quarantine(after, limit.min(PAGE_LEN))
	}

	fn release(&self, name: &FragmentName) -> Result<Released, StoreError> {
		self.0.release(name)
	}

	fn verify(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		let Some(row) = self.0.manifest.row(hash)? else { return Ok(Verdict::Missing) };
		let verdict = self.0.check(hash, &row)?;
		if !matches!(verdict, Verdict::Unreadable(_)) {
			self.0.heal_side(hash);
		}
		Ok(verdict)
	}

	fn quarantine(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		let _guard = self.0.lock(hash)?;
		match self.0.manifest.row(hash)? {
			Some(row) => self.0.quarantine(hash, row, Doubt::Keep),
			None => Ok(Verdict::Missing),
		}
	}

	fn give_up(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		let _guard = self.0.lock(hash)?;
		match self.0.manifest.row(hash)? {
			Some(row) => self.0.quarantine(hash, row, Doubt::GiveUp),
			None => Ok(Verdict::Missing),
		}
	}

	fn forget_quarantined(&self, hash: &FragmentHash) -> Result<u64, ForgetError> {
		let _guard = self.0.lock(hash)?;
		if self.0.manifest.row(hash)?.is_some_and(|row| row.broken) || self.0.refused(hash) {
			return Err(ForgetError::NotReplaced(*hash));
		}
		Ok(self.0.forget_quarantined(hash)?)
	}

	fn usage(&self) -> Result<Usage, StoreError> {
		// Who asks for room is not to be told of some where nothing can be stored.
		self.0.manifest.ensure_usable()?;
		let free = self.0.fs.free(&self.0.layout.root)?;
		let mut usage = lock(&self.0.accounts).usage(self.0.options.capacity, free);
		usage.broken += lock(&self.0.refused).len() as u64;
		Ok(usage)
	}

	fn note(&self, note: Note) -> Result<Option<Vec<u8>>, StoreError> {
		self.0.read_note(note)
	}

	fn set_note(&self, note: Note, bytes: &[u8]) -> Result<(), StoreError> {
		let _guard = lock(&self.0.notes);
		self.0.write_note(note, bytes)
	}
}
