// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The manifest `manifest.redb`: a cache of what the files on the disk say.
//!
//! | table | key | value |
//! |---|---|---|
//! | `fragments` | hash | length, names, records of its sidecar file, broken |
//! | `uses` | hash, name | size and coding of the file, sidecar |
//! | `names` | name | hash |
//! | `broken` | hash | |
//! | `quarantine` | hash | bytes |
//! | `meta` | `store` | the version and the store's id, written last when it is made |
//!
//! Names are encoded so that their order is that of [`FragmentName`].

use super::{faults::Step, fs::Fs};
use crate::{Entry, Fragment, FragmentUse, StoreError};
use codec::{Decode, Encode};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentName, Sidecar,
};
use redb::{
	Builder, Database, ReadTransaction, ReadableDatabase, Table, TableDefinition, WriteTransaction,
};
use sp_panic_handler::AbortGuard;
use std::{
	mem,
	ops::Bound::{Excluded, Included, Unbounded},
	panic::{AssertUnwindSafe, catch_unwind},
	path::{Path, PathBuf},
	sync::{PoisonError, RwLock},
};
use tracing::error;

type NameKey = [u8; 45];
type UseKey = [u8; 77];
type RowValue = (u32, u64, u64, bool);

const FRAGMENTS: TableDefinition<&[u8; 32], RowValue> = TableDefinition::new("fragments");
const USES: TableDefinition<&UseKey, &[u8]> = TableDefinition::new("uses");
const NAMES: TableDefinition<&NameKey, &[u8; 32]> = TableDefinition::new("names");
const BROKEN: TableDefinition<&[u8; 32], ()> = TableDefinition::new("broken");
const QUARANTINE: TableDefinition<&[u8; 32], u64> = TableDefinition::new("quarantine");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// What `meta` begins with. Another version is made anew.
const VERSION: u8 = 1;

/// How much of the manifest is kept in memory.
const CACHE_LEN: usize = 32 << 20;

fn failed(error: impl Into<redb::Error>) -> StoreError {
	StoreError::Manifest(error.into().to_string())
}

fn unreadable(_: codec::Error) -> StoreError {
	StoreError::Manifest("a row is not readable".to_owned())
}

/// What the manifest says of a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
	pub len: u32,
	pub names: u64,
	pub records: u64,
	pub broken: bool,
}

impl Row {
	fn decode((len, names, records, broken): RowValue) -> Self {
		Self { len, names, records, broken }
	}

	pub fn fragment(&self, hash: FragmentHash) -> Fragment {
		Fragment { hash, len: self.len, names: self.names, broken: self.broken }
	}
}

fn name_key(name: &FragmentName) -> NameKey {
	let mut key = [0; 45];
	key[..32].copy_from_slice(&name.file_id.0);
	key[32..40].copy_from_slice(&name.file.0.to_be_bytes());
	key[40..44].copy_from_slice(&name.segment.to_be_bytes());
	key[44] = name.index;
	key
}

fn key_name(key: &NameKey) -> FragmentName {
	let (file_id, rest) = key.split_first_chunk::<32>().expect("45 bytes are enough; qed");
	let (file, rest) = rest.split_first_chunk::<8>().expect("13 bytes are enough; qed");
	let (segment, rest) = rest.split_first_chunk::<4>().expect("5 bytes are enough; qed");
	FragmentName {
		file_id: FileId(*file_id),
		file: FileIndex(u64::from_be_bytes(*file)),
		segment: u32::from_be_bytes(*segment),
		index: rest[0],
	}
}

fn use_key(hash: &FragmentHash, name: &NameKey) -> UseKey {
	let mut key = [0; 77];
	key[..32].copy_from_slice(&hash.0);
	key[32..].copy_from_slice(name);
	key
}

fn decode_use(name: FragmentName, mut value: &[u8]) -> Result<FragmentUse, StoreError> {
	let (size, coding, sidecar) =
		<(u64, CodingParams, Sidecar)>::decode(&mut value).map_err(unreadable)?;
	let spec = FileSpec::new(size, coding).map_err(|_| unreadable("geometry".into()))?;
	Ok(FragmentUse { name, spec, sidecar })
}

/// The database, or why there is none.
#[derive(Debug)]
enum Db {
	Open(Database),
	/// After a failure of the disk, until it can be opened again: redb refuses everything after
	/// one.
	Closed,
	/// After a panic, until it is made anew: nothing that it says can be relied on.
	Broken(String),
}

impl Db {
	fn close(&mut self) {
		if matches!(self, Self::Open(_)) {
			// Closing writes, and may panic as well.
			let _ = unwinding(|| *self = Self::Closed);
		}
	}
}

/// The manifest of an open store.
#[derive(Debug)]
pub(super) struct Manifest {
	db: RwLock<Db>,
	path: PathBuf,
	/// The store's.
	pub id: [u8; 16],
	fs: Fs,
}

/// The tables, open for writing.
pub(super) struct Tables<'txn> {
	fragments: Table<'txn, &'static [u8; 32], RowValue>,
	uses: Table<'txn, &'static UseKey, &'static [u8]>,
	names: Table<'txn, &'static NameKey, &'static [u8; 32]>,
	broken: Table<'txn, &'static [u8; 32], ()>,
	quarantine: Table<'txn, &'static [u8; 32], u64>,
}

impl<'txn> Tables<'txn> {
	fn open(txn: &'txn WriteTransaction) -> Result<Self, StoreError> {
		Ok(Self {
			fragments: txn.open_table(FRAGMENTS).map_err(failed)?,
			uses: txn.open_table(USES).map_err(failed)?,
			names: txn.open_table(NAMES).map_err(failed)?,
			broken: txn.open_table(BROKEN).map_err(failed)?,
			quarantine: txn.open_table(QUARANTINE).map_err(failed)?,
		})
	}

	/// Says what a fragment is like, or that there is none; its uses are another matter.
	pub fn set_row(&mut self, hash: &FragmentHash, row: Option<Row>) -> Result<(), StoreError> {
		match row {
			Some(Row { len, names, records, broken }) => {
				self.fragments.insert(&hash.0, (len, names, records, broken)).map_err(failed)?;
			},
			None => drop(self.fragments.remove(&hash.0).map_err(failed)?),
		}
		if row.is_some_and(|row| row.broken) {
			self.broken.insert(&hash.0, ()).map_err(failed)?;
		} else {
			self.broken.remove(&hash.0).map_err(failed)?;
		}
		Ok(())
	}

	/// Adds a use; says whether it is new.
	pub fn add(&mut self, hash: &FragmentHash, of: &FragmentUse) -> Result<bool, StoreError> {
		let name = name_key(&of.name);
		let value = (of.spec.size(), of.spec.coding(), &of.sidecar).encode();
		let old = self.uses.insert(&use_key(hash, &name), &value[..]).map_err(failed)?.is_some();
		self.names.insert(&name, &hash.0).map_err(failed)?;
		Ok(!old)
	}

	/// Removes a use; says whether it was there.
	pub fn remove(&mut self, hash: &FragmentHash, name: &FragmentName) -> Result<bool, StoreError> {
		let name = name_key(name);
		let old = self.uses.remove(&use_key(hash, &name)).map_err(failed)?.is_some();
		if old {
			self.names.remove(&name).map_err(failed)?;
		}
		Ok(old)
	}

	/// Removes a fragment with all its uses.
	pub fn clear(&mut self, hash: &FragmentHash) -> Result<(), StoreError> {
		let range = use_key(hash, &[0; 45])..=use_key(hash, &[0xff; 45]);
		let gone =
			self.uses.extract_from_if::<&UseKey, _>(&range.start()..=&range.end(), |_, _| true);
		for row in gone.map_err(failed)? {
			let (key, _) = row.map_err(failed)?;
			let name = key.value().last_chunk::<45>().expect("77 bytes are enough; qed");
			self.names.remove(name).map_err(failed)?;
		}
		self.set_row(hash, None)
	}

	/// Says how many bytes of a fragment are in quarantine.
	pub fn set_quarantined(&mut self, hash: &FragmentHash, bytes: u64) -> Result<(), StoreError> {
		if bytes == 0 {
			self.quarantine.remove(&hash.0).map_err(failed)?;
		} else {
			self.quarantine.insert(&hash.0, bytes).map_err(failed)?;
		}
		Ok(())
	}
}

impl Manifest {
	/// The manifest of the store `id`, and why it has to be [made anew](Manifest::remake), if so.
	pub fn open(fs: &Fs, path: PathBuf, id: [u8; 16]) -> (Self, Option<String>) {
		let (db, reason) = match open_checked(&path, id) {
			Ok(db) => (Db::Open(db), None),
			Err(reason) => (Db::Closed, Some(reason)),
		};
		(Self { db: RwLock::new(db), path, id, fs: fs.clone() }, reason)
	}

	/// The same, to be [made anew](Manifest::remake) without a look at what is there.
	pub fn unopened(fs: &Fs, path: PathBuf, id: [u8; 16]) -> Self {
		Self { db: RwLock::new(Db::Closed), path, id, fs: fs.clone() }
	}

	/// Makes the manifest anew: `fill` writes what belongs into it, in as many batches as it likes.
	/// Until that is done, this is the old one.
	pub fn remake<T>(
		&self,
		fill: impl FnOnce(&Self) -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		let path = self.path.with_extension("redb.new");
		self.fs.remove(&path)?;
		let db = Builder::new().set_cache_size(CACHE_LEN).create(&path).map_err(failed)?;
		let db = RwLock::new(Db::Open(db));
		let new = Self { db, path, id: self.id, fs: self.fs.clone() };
		let filled = fill(&new)?;
		new.transact(|txn| {
			Tables::open(txn)?;
			let mut meta = txn.open_table(META).map_err(failed)?;
			meta.insert("store", &(VERSION, self.id).encode()[..]).map_err(failed)?;
			Ok(())
		})?;
		let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
		db.close();
		self.fs.rename(&new.path, &self.path)?;
		*db = new.db.into_inner().unwrap_or_else(PoisonError::into_inner);
		drop(db);
		self.path.parent().map_or(Ok(()), |parent| self.fs.sync_dir(parent))?;
		Ok(filled)
	}

	fn transact<T>(
		&self,
		change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		let result = self.with(|db| {
			// Synced when it is committed: that is redb's default.
			let txn = db.begin_write().map_err(failed)?;
			let changed = change(&txn)?;
			self.fs.step(Step::Commit, &self.path, || Ok(()))?;
			txn.commit().map_err(failed)?;
			Ok(changed)
		});
		if matches!(result, Err(StoreError::Manifest(_))) {
			// redb refuses everything after a failure of the disk; the next call opens it again.
			self.db.write().unwrap_or_else(PoisonError::into_inner).close();
		}
		result
	}

	fn with<T>(
		&self,
		act: impl FnOnce(&Database) -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		let mut db = self.db.read().unwrap_or_else(PoisonError::into_inner);
		if matches!(*db, Db::Closed) {
			drop(db);
			let mut slot = self.db.write().unwrap_or_else(PoisonError::into_inner);
			if matches!(*slot, Db::Closed) {
				let opened = open_checked(&self.path, self.id).map_err(StoreError::Manifest)?;
				*slot = Db::Open(opened);
			}
			drop(slot);
			db = self.db.read().unwrap_or_else(PoisonError::into_inner);
		}
		let result = match &*db {
			Db::Open(db) => unwinding(|| act(db)),
			Db::Closed => return Err(StoreError::Manifest("closed after a failure".to_owned())),
			Db::Broken(panic) => return Err(StoreError::Manifest(panic.clone())),
		};
		drop(db);
		result.unwrap_or_else(|panic| Err(self.give_up(panic)))
	}

	/// Asks this database nothing more.
	fn give_up(&self, panic: String) -> StoreError {
		let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
		if let Db::Open(db) = mem::replace(&mut *db, Db::Broken(panic.clone())) {
			// A panic leaves its locks poisoned, on which closing it would panic again.
			mem::forget(db);
		}
		drop(db);
		let error = StoreError::Manifest(panic);
		error!(%error, "THE STORE REFUSES ALL WORK: it takes, serves and proves nothing any more");
		error
	}

	/// Fails where the manifest is of no use until it is [made anew](Manifest::remake).
	pub fn ensure_usable(&self) -> Result<(), StoreError> {
		match &*self.db.read().unwrap_or_else(PoisonError::into_inner) {
			Db::Open(_) | Db::Closed => Ok(()),
			Db::Broken(panic) => Err(StoreError::Manifest(panic.clone())),
		}
	}

	/// Changes something, durably.
	pub fn write<T>(
		&self,
		change: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		self.transact(|txn| change(&mut Tables::open(txn)?))
	}

	fn read<T>(
		&self,
		look: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		self.with(|db| look(&db.begin_read().map_err(failed)?))
	}

	pub fn row(&self, hash: &FragmentHash) -> Result<Option<Row>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(FRAGMENTS).map_err(failed)?;
			Ok(table.get(&hash.0).map_err(failed)?.map(|row| Row::decode(row.value())))
		})
	}

	pub fn hash(&self, name: &FragmentName) -> Result<Option<FragmentHash>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(NAMES).map_err(failed)?;
			let hash = table.get(&name_key(name)).map_err(failed)?;
			Ok(hash.map(|hash| FragmentHash(*hash.value())))
		})
	}

	pub fn quarantined(&self, hash: &FragmentHash) -> Result<u64, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(QUARANTINE).map_err(failed)?;
			Ok(table.get(&hash.0).map_err(failed)?.map_or(0, |bytes| bytes.value()))
		})
	}

	pub fn has_use(&self, hash: &FragmentHash, name: &FragmentName) -> Result<bool, StoreError> {
		Ok(self.hash(name)? == Some(*hash))
	}

	pub fn entry(&self, name: &FragmentName) -> Result<Option<Entry>, StoreError> {
		self.read(|txn| {
			let names = txn.open_table(NAMES).map_err(failed)?;
			let Some(hash) = names.get(&name_key(name)).map_err(failed)? else { return Ok(None) };
			entry(txn, *name, FragmentHash(*hash.value()))
		})
	}

	pub fn fragments(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<(FragmentHash, Row)>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(FRAGMENTS).map_err(failed)?;
			let start = after.map_or(Unbounded, |hash| Excluded(&hash.0));
			let rows = table.range::<&[u8; 32]>((start, Unbounded)).map_err(failed)?;
			rows.take(limit)
				.map(|row| {
					let (hash, row) = row.map_err(failed)?;
					Ok((FragmentHash(*hash.value()), Row::decode(row.value())))
				})
				.collect()
		})
	}

	pub fn broken(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<FragmentHash>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(BROKEN).map_err(failed)?;
			let start = after.map_or(Unbounded, |hash| Excluded(&hash.0));
			let rows = table.range::<&[u8; 32]>((start, Unbounded)).map_err(failed)?;
			rows.take(limit).map(|row| Ok(FragmentHash(*row.map_err(failed)?.0.value()))).collect()
		})
	}

	pub fn quarantine(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<(FragmentHash, u64)>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(QUARANTINE).map_err(failed)?;
			let start = after.map_or(Unbounded, |hash| Excluded(&hash.0));
			let rows = table.range::<&[u8; 32]>((start, Unbounded)).map_err(failed)?;
			rows.take(limit)
				.map(|row| {
					let (hash, bytes) = row.map_err(failed)?;
					Ok((FragmentHash(*hash.value()), bytes.value()))
				})
				.collect()
		})
	}

	pub fn entries(
		&self,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<Entry>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(NAMES).map_err(failed)?;
			let after = after.map(name_key);
			let start = after.as_ref().map_or(Unbounded, Excluded);
			let mut entries = Vec::new();
			for row in table.range::<&NameKey>((start, Unbounded)).map_err(failed)?.take(limit) {
				let (name, hash) = row.map_err(failed)?;
				entries.extend(entry(txn, key_name(name.value()), FragmentHash(*hash.value()))?);
			}
			Ok(entries)
		})
	}

	pub fn uses(
		&self,
		hash: &FragmentHash,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentUse>, StoreError> {
		self.read(|txn| {
			let table = txn.open_table(USES).map_err(failed)?;
			let after = after.map(|name| use_key(hash, &name_key(name)));
			let first = use_key(hash, &[0; 45]);
			let last = use_key(hash, &[0xff; 45]);
			let start = after.as_ref().map_or(Included(&first), Excluded);
			let rows = table.range::<&UseKey>((start, Included(&last))).map_err(failed)?;
			rows.take(limit)
				.map(|row| {
					let (key, value) = row.map_err(failed)?;
					let name = key.value().last_chunk().expect("77 bytes are enough; qed");
					decode_use(key_name(name), value.value())
				})
				.collect()
		})
	}
}

fn entry(
	txn: &ReadTransaction,
	name: FragmentName,
	hash: FragmentHash,
) -> Result<Option<Entry>, StoreError> {
	let fragments = txn.open_table(FRAGMENTS).map_err(failed)?;
	let uses = txn.open_table(USES).map_err(failed)?;
	let key = use_key(&hash, &name_key(&name));
	let (Some(row), Some(of)) =
		(fragments.get(&hash.0).map_err(failed)?, uses.get(&key).map_err(failed)?)
	else {
		return Ok(None);
	};
	let broken = Row::decode(row.value()).broken;
	Ok(Some(Entry { hash, broken, of: decode_use(name, of.value())? }))
}

/// Opens a manifest and checks all of it: a wrong byte in it would be believed otherwise. The
/// manifest is about a ten-thousandth of the store.
fn open_checked(path: &Path, id: [u8; 16]) -> Result<Database, String> {
	if !path.exists() {
		return Err("there is none".to_owned());
	}
	let opened = unwinding(|| {
		let mut db = Builder::new().set_cache_size(CACHE_LEN).open(path)?;
		if !db.check_integrity()? {
			return Err(redb::Error::Corrupted("its checksums are wrong".to_owned()));
		}
		let txn = db.begin_read()?;
		let meta = txn.open_table(META)?;
		let store = meta.get("store")?.map(|value| value.value().to_vec());
		Ok((db, store))
	});
	match opened {
		Ok(Ok((db, Some(store)))) if store == (VERSION, id).encode() => Ok(db),
		Ok(Ok(_)) => Err("it is of another version or store, or was not completed".to_owned()),
		Ok(Err(error)) => Err(error.to_string()),
		Err(panic) => Err(panic),
	}
}

/// Does something with redb, which may panic on a file that is damaged; what it said if it does.
fn unwinding<T>(act: impl FnOnce() -> T) -> Result<T, String> {
	// Substrate's panic handler ends the process otherwise, before anything is unwound.
	let _unwind = AbortGuard::force_unwind();
	catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
		let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
		let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
		format!("redb panicked: {}", text.unwrap_or_default())
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn after_a_panic_everything_is_refused_until_the_manifest_is_made_anew() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("manifest.redb");
		let manifest = Manifest::unopened(&Fs { faults: None }, path, [7; 16]);
		let hash = FragmentHash([1; 32]);
		let damaged = || -> Result<(), StoreError> { panic!("a page is damaged") };
		for writes in [false, true] {
			manifest.remake(|_| Ok(())).expect("made");
			manifest.ensure_usable().expect("made");
			assert_eq!(manifest.row(&hash).expect("readable"), None);
			let panicked =
				if writes { manifest.write(|_| damaged()) } else { manifest.read(|_| damaged()) };
			let refused = [
				panicked,
				manifest.row(&hash).map(drop),
				manifest.write(|tables| tables.set_row(&hash, None)),
				manifest.ensure_usable(),
			];
			for result in refused {
				let error = result.expect_err("refused").to_string();
				assert!(error.contains("a page is damaged"), "{error}");
				assert!(error.contains("--rebuild-store"), "{error}");
			}
		}
	}
}
