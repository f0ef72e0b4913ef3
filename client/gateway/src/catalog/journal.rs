// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The catalog's file, of which every change is noted so that it can be made elsewhere as well.

use super::reserve::{Guarded, Reserve};
use codec::{Decode, Encode};
use redb::{BackendError, StorageBackend};
use std::{
	fs::File,
	io,
	ops::Bound,
	os::unix::fs::FileExt,
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most bytes of changes that are noted; when there are more, only all of the file will do.
const MOST: usize = 64 << 20;
/// How much is copied at once.
const STEP: usize = 1 << 20;

/// A change of a file.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Change {
	/// Its length is another.
	#[codec(index = 0)]
	Len(u64),
	/// These bytes are from here on.
	#[codec(index = 1)]
	Bytes(u64, Vec<u8>),
}

impl Change {
	/// Makes it.
	pub fn apply(&self, file: &File) -> io::Result<()> {
		match self {
			Self::Len(len) => file.set_len(*len),
			Self::Bytes(offset, bytes) => file.write_all_at(bytes, *offset),
		}
	}
}

#[derive(Debug, Default)]
struct Noted {
	changes: Vec<Change>,
	bytes: usize,
	/// How many changes there were since the file was opened.
	count: u64,
	/// There were more than can be noted.
	overflow: bool,
}

impl Noted {
	fn note(&mut self, change: Change) {
		self.count += 1;
		self.bytes += match &change {
			Change::Len(_) => 8,
			Change::Bytes(_, bytes) => bytes.len(),
		};
		self.overflow |= self.bytes > MOST;
		match self.overflow {
			true => self.changes = Vec::new(),
			false => self.changes.push(change),
		}
	}
}

/// What was noted.
#[derive(Debug)]
pub enum Taken {
	/// All changes up to this one, in order.
	Changes(Vec<Change>, u64),
	/// More than that.
	TooMuch,
}

#[derive(Debug)]
struct Inner {
	file: Guarded,
	/// The same file.
	copied: File,
	noted: Mutex<Noted>,
}

/// A file whose changes are noted. Clones are the same.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

impl Journal {
	/// Opens a file, or makes it.
	pub fn open(path: &Path, reserve: Reserve) -> io::Result<Self> {
		let (file, copied) = Guarded::open(path, reserve)?;
		Ok(Self(Arc::new(Inner { file, copied, noted: Mutex::default() })))
	}

	fn noted(&self) -> MutexGuard<'_, Noted> {
		self.0.noted.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// How many changes there were.
	pub fn count(&self) -> u64 {
		self.noted().count
	}

	/// Takes what was noted since it was last taken.
	pub fn take(&self) -> Taken {
		let mut noted = self.noted();
		if noted.overflow {
			return Taken::TooMuch;
		}
		noted.bytes = 0;
		Taken::Changes(std::mem::take(&mut noted.changes), noted.count)
	}

	/// Copies the file as it is at a moment; returns its length, and after how many changes that
	/// is. What was noted before is forgotten. Blocks.
	pub fn copy(&self, to: &File) -> io::Result<(u64, u64)> {
		// Nothing changes meanwhile.
		let mut noted = self.noted();
		let len = self.0.copied.metadata()?.len();
		let mut at = 0;
		let mut part = vec![0; STEP];
		while at < len {
			let step = usize::try_from(len - at).unwrap_or(STEP).min(STEP);
			let part = part.get_mut(..step).unwrap_or_default();
			self.0.copied.read_exact_at(part, at)?;
			to.write_all_at(part, at)?;
			at += step as u64;
		}
		let count = noted.count;
		*noted = Noted { count, ..Noted::default() };
		Ok((len, count))
	}
}

type Lock = Result<bool, BackendError>;

impl StorageBackend for Journal {
	fn len(&self) -> io::Result<u64> {
		self.0.file.len()
	}

	fn read(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
		self.0.file.read(offset, to)
	}

	fn set_len(&self, len: u64) -> io::Result<()> {
		let mut noted = self.noted();
		self.0.file.set_len(len)?;
		noted.note(Change::Len(len));
		Ok(())
	}

	fn sync_data(&self) -> io::Result<()> {
		self.0.file.sync_data()
	}

	fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
		let mut noted = self.noted();
		self.0.file.write(offset, bytes)?;
		noted.note(Change::Bytes(offset, bytes.to_vec()));
		Ok(())
	}

	fn close(&self) -> io::Result<()> {
		self.0.file.close()
	}

	fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.0.file.try_lock_range(start, end)
	}

	fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.0.file.try_lock_shared_range(start, end)
	}

	fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.0.file.lock_range(start, end)
	}

	fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.0.file.lock_shared_range(start, end)
	}

	fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
		self.0.file.unlock_range(start, end)
	}

	fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Lock {
		self.0.file.query_lock_range(start, end)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use redb::{Database, ReadableDatabase, TableDefinition};
	use std::fs;

	const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("table");

	fn insert(db: &Database, key: u64, value: &[u8]) {
		let txn = db.begin_write().expect("begins");
		txn.open_table(TABLE).expect("opens").insert(key, value).expect("inserts");
		txn.commit().expect("commits");
	}

	fn changes(journal: &Journal) -> Vec<Change> {
		match journal.take() {
			Taken::Changes(changes, count) => {
				assert_eq!(count, journal.count());
				changes
			},
			Taken::TooMuch => panic!("too much"),
		}
	}

	#[test]
	fn a_copy_and_the_changes_behind_it_are_the_file_at_any_moment() {
		let data = tempfile::tempdir().expect("a directory");
		let path = data.path().join("db");
		let journal = Journal::open(&path, Reserve::open(data.path())).expect("opens");
		let db = Database::builder().create_with_backend(journal.clone()).expect("made");
		insert(&db, 0, b"before");
		let copy = data.path().join("copy");
		let file = File::create(&copy).expect("made");
		let (len, count) = journal.copy(&file).expect("copied");
		assert_eq!((len, count), (file.metadata().expect("there").len(), journal.count()));
		for key in 1..50 {
			insert(&db, key, &vec![7; 20_000]);
			for change in changes(&journal) {
				change.apply(&file).expect("applied");
			}
			if key % 10 == 0 {
				let other = data.path().join("other");
				fs::copy(&copy, &other).expect("copied");
				let other = Database::create(&other).expect("opens");
				let table = other.begin_read().expect("begins").open_table(TABLE).expect("opens");
				assert!(table.get(key).expect("reads").is_some());
				assert!(table.get(key + 1).expect("reads").is_none());
			}
		}
		assert!(fs::read(&copy).expect("read") == fs::read(&path).expect("read"));
		assert!(changes(&journal).is_empty());
		// It is open once, as any database.
		assert!(Database::create(&path).is_err());
	}

	#[test]
	fn more_than_can_be_noted_is_not_noted_in_part() {
		let data = tempfile::tempdir().expect("a directory");
		let reserve = Reserve::open(data.path());
		let journal = Journal::open(&data.path().join("file"), reserve).expect("opens");
		journal.set_len(2 << 20).expect("set");
		let bytes = vec![1; 2 << 20];
		for _ in 0..MOST / bytes.len() + 1 {
			journal.write(0, &bytes).expect("written");
		}
		assert!(matches!(journal.take(), Taken::TooMuch));
		journal.write(0, b"more").expect("written");
		assert!(matches!(journal.take(), Taken::TooMuch));
		journal.copy(&tempfile::tempfile().expect("a file")).expect("copied");
		journal.write(5, b"then").expect("written");
		assert_eq!(changes(&journal), [Change::Bytes(5, b"then".to_vec())]);
	}
}
