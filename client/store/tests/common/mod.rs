// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The stores under test.

#![allow(dead_code, clippy::unwrap_used)] // not every test needs all of it

use planaria_store::{
	DiskOptions, DiskStore, Entry, Fragment, FragmentHash, FragmentStore, FragmentStoreExt,
	MemoryStore, Usage,
	conformance::{Damage, Fixture},
};
use std::{
	fs,
	path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A store in memory. Opening it again changes nothing.
pub struct Memory(pub MemoryStore);

impl Memory {
	pub fn new(capacity: u64) -> Self {
		Self(MemoryStore::new(capacity))
	}
}

impl Fixture for Memory {
	fn store(&self) -> &dyn FragmentStore {
		&self.0
	}

	fn damage(&mut self, hash: &FragmentHash, how: Damage) {
		self.0.damage(hash, |bytes| how.apply(bytes));
	}

	fn reopen(&mut self) {}
}

/// A store in a temporary directory.
pub struct Disk {
	pub dir: TempDir,
	pub options: DiskOptions,
	pub store: Option<DiskStore>,
}

/// Options for small stores.
pub fn options(capacity: u64) -> DiskOptions {
	DiskOptions { disk_reserve: 0, ..DiskOptions::new(capacity) }
}

impl Disk {
	pub fn new(capacity: u64) -> Self {
		Self::with(options(capacity))
	}

	/// A store in memory, if the system has a file system there: syncing takes no time then. What a
	/// process leaves behind that is killed is the same.
	pub fn fast(capacity: u64) -> Self {
		let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
		Self::at(dir, options(capacity))
	}

	pub fn with(options: DiskOptions) -> Self {
		Self::at(tempfile::tempdir().unwrap(), options)
	}

	fn at(dir: TempDir, options: DiskOptions) -> Self {
		let mut disk = Self { dir, options, store: None };
		disk.open();
		disk
	}

	pub fn root(&self) -> &Path {
		self.dir.path()
	}

	pub fn get(&self) -> &DiskStore {
		self.store.as_ref().unwrap()
	}

	pub fn close(&mut self) {
		self.store = None;
	}

	pub fn open(&mut self) {
		self.store = None;
		self.store = Some(DiskStore::open(self.root(), self.options.clone()).unwrap());
	}

	pub fn path(&self, hash: &FragmentHash) -> PathBuf {
		fragment_path(self.root(), hash)
	}

	pub fn side(&self, hash: &FragmentHash) -> PathBuf {
		self.path(hash).with_extension("side")
	}

	pub fn manifest(&self) -> PathBuf {
		self.root().join("manifest.redb")
	}

	/// Goes on with what a crash at this moment would leave: a copy of the files of the open store.
	pub fn crash(&mut self) {
		let dir = tempfile::tempdir_in(self.root().parent().unwrap()).unwrap();
		copy(self.root(), dir.path());
		self.store = None;
		self.dir = dir;
		self.open();
	}
}

impl Fixture for Disk {
	fn store(&self) -> &dyn FragmentStore {
		self.get()
	}

	fn damage(&mut self, hash: &FragmentHash, how: Damage) {
		let path = self.path(hash);
		if let Ok(bytes) = fs::read(&path) {
			match how.apply(bytes) {
				Some(bytes) => fs::write(path, bytes).unwrap(),
				None => fs::remove_file(path).unwrap(),
			}
		}
	}

	fn reopen(&mut self) {
		self.open();
	}
}

pub fn fragment_path(root: &Path, hash: &FragmentHash) -> PathBuf {
	let name = hash.to_string();
	root.join("fragments").join(&name[..2]).join(&name[2..4]).join(name)
}

fn copy(from: &Path, to: &Path) {
	for entry in fs::read_dir(from).unwrap() {
		let entry = entry.unwrap();
		let to = to.join(entry.file_name());
		if entry.file_type().unwrap().is_dir() {
			fs::create_dir(&to).unwrap();
			copy(&entry.path(), &to);
		} else {
			fs::copy(entry.path(), to).unwrap();
		}
	}
}

/// All files below a directory, by path, the manifest and the lock excepted.
pub fn files(root: &Path) -> Vec<PathBuf> {
	let mut found = Vec::new();
	for entry in fs::read_dir(root).unwrap() {
		let path = entry.unwrap().path();
		if path.is_dir() {
			found.extend(files(&path));
		} else if !path.ends_with("manifest.redb") && !path.ends_with("lock") {
			found.push(path);
		}
	}
	found.sort();
	found
}

/// Everything a store says, for comparison: entries, fragments with their bytes where they are
/// served, quarantine, usage without what depends on the disk or on interrupted writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
	entries: Vec<Entry>,
	fragments: Vec<(Fragment, Option<FragmentHash>)>,
	quarantined: Vec<(FragmentHash, u64)>,
	usage: Usage,
}

pub fn snapshot(store: &dyn FragmentStore) -> Snapshot {
	let fragments = store.fragments(None, usize::MAX).unwrap();
	let broken: Vec<_> = fragments.iter().copied().filter(|fragment| fragment.broken).collect();
	assert_eq!(store.broken(None, usize::MAX).unwrap(), broken);
	let entries = store.entries(None, usize::MAX).unwrap();
	for fragment in &fragments {
		let uses = store.uses(&fragment.hash, None, usize::MAX).unwrap();
		let of_it = entries.iter().filter(|entry| entry.hash == fragment.hash);
		assert!(of_it.map(|entry| &entry.of).eq(&uses));
		assert_eq!(fragment.names, uses.len() as u64);
	}
	let bytes = |fragment: Fragment| {
		let bytes = store.read(&fragment.hash, 0..fragment.len).ok();
		(fragment, bytes.map(|bytes| FragmentHash::of(&bytes)))
	};
	let usage = store.usage().unwrap();
	Snapshot {
		entries,
		fragments: fragments.into_iter().map(bytes).collect(),
		quarantined: store.quarantined(None, usize::MAX).unwrap(),
		usage: Usage { free_on_disk: 0, reserved: 0, capacity: 0, ..usage },
	}
}

/// That there is no file below `fragments/` and `quarantine/` but those that belong there.
pub fn assert_no_litter(disk: &Disk) {
	let store = disk.get();
	let mut expected = Vec::new();
	for fragment in store.fragments(None, usize::MAX).unwrap() {
		expected.push(disk.side(&fragment.hash));
		if !fragment.broken {
			expected.push(disk.path(&fragment.hash));
		}
	}
	expected.sort();
	assert_eq!(files(&disk.root().join("fragments")), expected);
	let held: u64 = files(&disk.root().join("quarantine"))
		.iter()
		.map(|path| fs::metadata(path).unwrap().len())
		.sum();
	assert_eq!(held, store.usage().unwrap().quarantined);
}
