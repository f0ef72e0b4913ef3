// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opening a store, and making its manifest anew.

use super::{
	DiskOptions, Inner,
	accounts::Idle,
	fs::Fs,
	intents::Intents,
	layout::{self, Layout},
	lock,
	manifest::Manifest,
};
use crate::{OpenError, PAGE_LEN, StoreError};
use planaria_primitives::FragmentHash;
use std::{
	collections::{BTreeMap, BTreeSet},
	fs::{self, File, OpenOptions},
	hash::{BuildHasher, RandomState},
	io::{self, Read, Write},
	path::{Path, PathBuf},
	sync::{Mutex, MutexGuard},
	time::SystemTime,
};
use tracing::{info, warn};

/// The version of the layout.
const VERSION: u32 = 1;

/// How many fragments one transaction of a rebuild takes in.
const BATCH_LEN: usize = 512;

/// What a rebuild found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rebuilt {
	/// Fragments with at least one use.
	pub fragments: u64,
	/// Their uses.
	pub names: u64,
	/// How many of them have no bytes.
	pub broken: u64,
	/// Files and directories that the disk could not read. Nothing was done to them.
	pub unreadable: u64,
}

impl Inner {
	pub fn open(root: &Path, options: DiskOptions) -> Result<Self, OpenError> {
		let fs = Fs { faults: options.faults.clone() };
		let layout = Layout { root: root.to_owned() };
		if let Some(known) = &options.known {
			find_known(&layout, known, options.rebuild)?;
		}
		fs::create_dir_all(root)
			.map_err(|error| StoreError::io("make the directory", root, error))?;
		if let Some(found) = foreign(&layout, options.rebuild)? {
			return Err(OpenError::NotAStore { path: root.to_owned(), found });
		}
		let held = take_lock(&layout)?;
		let (id, new) = read_or_make_marker(&layout, &fs, options.rebuild)?;
		for dir in [layout.fragments(), layout.partials(), layout.quarantine()] {
			fs.make_dir(&dir)?;
		}

		// What was about to change comes first: a rebuild must not take half a fragment for a whole.
		let (intents, noted) = Intents::open(&fs, layout.intents())?;
		let (manifest, stale) = if options.rebuild {
			// The old one is not even looked at: it may be what the rebuild is asked for.
			let manifest = Manifest::unopened(&fs, layout.manifest(), id);
			(manifest, Some("a rebuild was asked for".to_owned()))
		} else {
			Manifest::open(&fs, layout.manifest(), id)
		};
		let inner = Self {
			layout,
			options,
			fs,
			manifest,
			intents,
			locks: std::array::from_fn(|_| Mutex::default()),
			dirs: Mutex::default(),
			accounts: Mutex::default(),
			refused: Mutex::default(),
			notes: Mutex::default(),
			stuck: Mutex::default(),
			_lock: held,
		};
		for (intent, hash) in &noted {
			inner.tidy_disk(*intent, hash)?;
		}
		if let Some(reason) = stale {
			if !new {
				warn!(reason, "making the manifest anew from the fragments on disk");
			}
			let rebuilt = inner.manifest.remake(|manifest| inner.scan(manifest))?;
			if !new {
				info!(?rebuilt, "the manifest is made anew");
			}
		} else {
			for (_, hash) in &noted {
				info!(%hash, "a change was interrupted; looking at the fragment again");
				inner.manifest.write(|tables| inner.load(tables, hash))?;
			}
		}
		inner.intents.clear()?;
		inner.count()?;
		inner.find_partials()?;
		Ok(inner)
	}

	/// See [`DiskStore::rebuild`](super::DiskStore::rebuild).
	pub fn rebuild(&self) -> Result<Rebuilt, StoreError> {
		let _guards: Vec<MutexGuard<'_, ()>> = self.locks.iter().map(lock).collect();
		let mut stuck = lock(&self.stuck);
		for (hash, (intent, _)) in &*stuck {
			self.tidy_disk(*intent, hash)?;
		}
		let rebuilt = self.manifest.remake(|manifest| self.scan(manifest))?;
		self.count()?;
		let settled =
			std::mem::take(&mut *stuck).into_iter().filter_map(|(hash, (intent, noted))| {
				let noted = self.intents.settle(noted).err()?;
				Some((hash, (intent, noted)))
			});
		*stuck = settled.collect();
		Ok(rebuilt)
	}

	/// Writes everything on the disk into an empty manifest.
	fn scan(&self, manifest: &Manifest) -> Result<Rebuilt, StoreError> {
		let mut rebuilt = Rebuilt::default();
		let mut batch = Vec::new();
		for outer in list(&self.layout.fragments(), &mut rebuilt) {
			for inner in list(&outer, &mut rebuilt) {
				// A fragment and its sidecar file are in the same directory.
				let mut hashes = BTreeSet::new();
				for path in list(&inner, &mut rebuilt) {
					match layout::parse(&path) {
						Some((hash, "" | ".side")) => drop(hashes.insert(hash)),
						Some((_, ".side.tmp")) => drop(self.fs.remove(&path)?),
						_ => warn!(path = %path.display(), "not a file of the store"),
					}
				}
				batch.extend(hashes);
				if batch.len() >= BATCH_LEN {
					self.scan_batch(manifest, &mut batch, &mut rebuilt)?;
				}
			}
		}
		self.scan_batch(manifest, &mut batch, &mut rebuilt)?;

		let mut quarantine = BTreeMap::<FragmentHash, u64>::new();
		for path in list(&self.layout.quarantine(), &mut rebuilt) {
			if let Some((hash, _)) = layout::parse(&path) {
				*quarantine.entry(hash).or_default() += self.fs.len(&path)?.unwrap_or(0);
			}
		}
		manifest.write(|tables| {
			quarantine.iter().try_for_each(|(hash, bytes)| tables.set_quarantined(hash, *bytes))
		})?;
		Ok(rebuilt)
	}

	fn scan_batch(
		&self,
		manifest: &Manifest,
		batch: &mut Vec<FragmentHash>,
		rebuilt: &mut Rebuilt,
	) -> Result<(), StoreError> {
		manifest.write(|tables| {
			for hash in batch.drain(..) {
				match self.load(tables, &hash) {
					Ok((row, _)) => {
						rebuilt.fragments += u64::from(row.is_some());
						rebuilt.names += row.map_or(0, |row| row.names);
						rebuilt.broken += u64::from(row.is_some_and(|row| row.broken));
					},
					Err(error @ StoreError::Manifest(_)) => return Err(error),
					Err(error) => {
						warn!(%hash, %error, "a fragment cannot be taken in");
						rebuilt.unreadable += 1;
						tables.clear(&hash)?;
					},
				}
			}
			Ok(())
		})
	}

	/// Counts what the manifest knows.
	fn count(&self) -> Result<(), StoreError> {
		let mut accounts = lock(&self.accounts);
		accounts.restart();
		let mut after = None;
		loop {
			let page = self.manifest.fragments(after.as_ref(), PAGE_LEN)?;
			let Some((last, _)) = page.last() else { break };
			after = Some(*last);
			page.iter().for_each(|(_, row)| accounts.replace(None, Some(*row)));
		}
		after = None;
		loop {
			let page = self.manifest.quarantine(after.as_ref(), PAGE_LEN)?;
			let Some((last, _)) = page.last() else { return Ok(()) };
			after = Some(*last);
			page.iter().for_each(|(_, bytes)| accounts.requarantine(0, *bytes));
		}
	}

	/// Looks which interrupted writes there are, and keeps as many as the options allow.
	fn find_partials(&self) -> Result<(), StoreError> {
		let mut found = Vec::new();
		for path in list(&self.layout.partials(), &mut Rebuilt::default()) {
			let whole = |hash| Ok(self.manifest.row(hash)?.is_some_and(|row| !row.broken));
			let wanted = match layout::parse(&path) {
				Some((hash, "")) if !whole(&hash)? => Some(hash),
				_ => None,
			};
			match (wanted, fs::metadata(&path)) {
				(Some(hash), Ok(metadata)) if metadata.len() > 0 => {
					let since = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
					found.push((hash, Idle { bytes: metadata.len(), since }));
				},
				_ => drop(self.fs.remove(&path)?),
			}
		}
		found.sort_by_key(|(_, idle)| std::cmp::Reverse(idle.since));
		let mut accounts = lock(&self.accounts);
		let mut bytes = 0;
		for (hash, idle) in found {
			bytes += idle.bytes;
			if bytes <= self.options.partial_budget {
				accounts.idle.insert(hash, idle);
			} else {
				self.fs.remove(&self.layout.partial(&hash))?;
			}
		}
		self.expire(&mut accounts)
	}
}

/// What is in a directory. What the disk cannot read is counted and left alone.
fn list(dir: &Path, rebuilt: &mut Rebuilt) -> Vec<PathBuf> {
	let entries = fs::read_dir(dir)
		.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
	match entries {
		Ok(entries) => entries,
		// A file where a directory belongs.
		Err(error) if error.kind() == io::ErrorKind::NotADirectory => Vec::new(),
		Err(error) => {
			warn!(path = %dir.display(), %error, "a directory cannot be read");
			rebuilt.unreadable += 1;
			Vec::new()
		},
	}
}

/// Makes sure that a store that is known is there: where its file system is not mounted, its
/// directory looks like one for a new store.
fn find_known(layout: &Layout, known: &[u8; 16], rebuild: bool) -> Result<(), OpenError> {
	let path = layout.root.clone();
	match read_marker(layout) {
		Ok(Some(id)) if id == *known => Ok(()),
		Ok(Some(_)) => Err(OpenError::AnotherStore { path }),
		// The marker is made anew.
		Err(OpenError::BadMarker { .. }) if rebuild => Ok(()),
		Ok(None) if rebuild && layout.fragments().is_dir() => Ok(()),
		Ok(None) => Err(OpenError::NoStore { path }),
		Err(error) => Err(error),
	}
}

/// Something in the directory that does not belong to a store, where there is no marker.
fn foreign(layout: &Layout, rebuild: bool) -> Result<Option<String>, StoreError> {
	if layout.marker().exists() || (rebuild && layout.fragments().is_dir()) {
		return Ok(None);
	}
	let failed = |error| StoreError::io("list", &layout.root, error);
	for entry in fs::read_dir(&layout.root).map_err(failed)? {
		let name = entry.map_err(failed)?.file_name();
		if name != "lock" && name != "lost+found" && name != "planaria-store.tmp" {
			return Ok(Some(name.to_string_lossy().into_owned()));
		}
	}
	Ok(None)
}

/// Keeps other processes from opening the store.
#[derive(Debug)]
pub(super) struct StoreLock(File);

impl Drop for StoreLock {
	fn drop(&mut self) {
		// Closing the file is not enough: a process that is just being started by another thread
		// has it open, too, until it runs its own program.
		let _ = self.0.unlock();
	}
}

/// Makes sure that no other process has the store open.
fn take_lock(layout: &Layout) -> Result<StoreLock, OpenError> {
	let path = layout.lock();
	let mut file = OpenOptions::new()
		.read(true)
		.write(true)
		.create(true)
		.truncate(false)
		.open(&path)
		.map_err(|error| StoreError::io("open", &path, error))?;
	if let Err(error) = file.try_lock() {
		let mut holder = String::new();
		let read = file.read_to_string(&mut holder);
		if read.is_err() || holder.trim().is_empty() {
			holder = "it left no name".to_owned();
		}
		return Err(OpenError::locked(layout.root.clone(), holder.trim().to_owned(), error));
	}
	let named = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id()));
	named.map_err(|error| StoreError::io("write", &path, error))?;
	Ok(StoreLock(file))
}

/// The id that the marker says; `None` where there is no marker.
fn read_marker(layout: &Layout) -> Result<Option<[u8; 16]>, OpenError> {
	let path = layout.marker();
	let text = match fs::read_to_string(&path) {
		Ok(text) => text,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
		Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
		Err(error) => return Err(StoreError::io("read", path, error).into()),
	};
	match parse_marker(&text) {
		Some((VERSION, id)) => Ok(Some(id)),
		Some((found, _)) => {
			let path = layout.root.clone();
			Err(OpenError::Version { path, found, known: VERSION })
		},
		None => Err(OpenError::BadMarker { path }),
	}
}

/// The id of the store, and whether it was made just now.
fn read_or_make_marker(
	layout: &Layout,
	fs: &Fs,
	rebuild: bool,
) -> Result<([u8; 16], bool), OpenError> {
	let missing = match read_marker(layout) {
		Ok(Some(id)) => return Ok((id, false)),
		Ok(None) => true,
		Err(OpenError::BadMarker { .. }) if rebuild => false,
		Err(error) => return Err(error),
	};
	let path = layout.marker();
	let id = new_id(&layout.root);
	let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
	let text = format!(
		"planaria-store {VERSION}
id {digits}
"
	);
	let temporary = path.with_extension("tmp");
	let file = fs.create(&temporary)?;
	fs.step(super::Step::Write, &temporary, || {
		file.set_len(0)?;
		(&file).write_all(text.as_bytes())?;
		file.sync_all()
	})?;
	fs.rename(&temporary, &path)?;
	fs.sync_dir(&layout.root)?;
	Ok((id, missing && !layout.fragments().exists()))
}

fn parse_marker(text: &str) -> Option<(u32, [u8; 16])> {
	let mut lines = text.lines();
	let version = lines.next()?.strip_prefix("planaria-store ")?.parse().ok()?;
	let digits = lines.next()?.strip_prefix("id ")?;
	if digits.len() != 32 || !digits.is_ascii() {
		return None;
	}
	let mut id = [0; 16];
	for (at, byte) in id.iter_mut().enumerate() {
		*byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
	}
	Some((version, id))
}

/// An id that no other store has: it need not be secret, so the clock, the process and the standard
/// library's random hash keys are enough.
fn new_id(root: &Path) -> [u8; 16] {
	let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
	let seed = (root, now, std::process::id());
	let mut hasher = blake3::Hasher::new();
	for _ in 0..2 {
		hasher.update(&RandomState::new().hash_one(seed).to_le_bytes());
	}
	hasher.update(&now.as_nanos().to_le_bytes());
	let mut id = [0; 16];
	hasher.finalize_xof().fill(&mut id);
	id
}
