// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can go wrong, one type per operation.

use planaria_primitives::{FragmentHash, SidecarError};
use std::{fs::TryLockError, io, path::PathBuf};

/// The store itself failed: its disk or its manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
	/// The disk failed.
	#[error("could not {doing} {path}: {source}; check the disk and its cables with smartctl", path = .path.display())]
	Io {
		/// What was being done.
		doing: &'static str,
		/// To which file.
		path: PathBuf,
		/// What the system said.
		source: io::Error,
	},
	/// The file system ran full.
	#[error("could not {doing} {path}: the file system is full; free some space on it or lower the store's capacity", path = .path.display())]
	DiskFull {
		/// What was being done.
		doing: &'static str,
		/// To which file.
		path: PathBuf,
	},
	/// The file system may not be written to.
	#[error("could not {doing} {path}: the store is read-only ({source}); remount it writable or fix its permissions", path = .path.display())]
	ReadOnly {
		/// What was being done.
		doing: &'static str,
		/// To which file.
		path: PathBuf,
		/// What the system said.
		source: io::Error,
	},
	/// The note is longer than notes may be.
	#[error("a note of {len} bytes is too long, {max} are the most", max = crate::Note::MAX_LEN)]
	NoteTooLong {
		/// How many bytes it has.
		len: usize,
	},
	/// The manifest failed. It is a cache and can be made anew.
	#[error(
		"the store's manifest failed ({0}); restart with --rebuild-store, which makes it anew from the fragments on disk"
	)]
	Manifest(String),
}

impl StoreError {
	/// A file that is there could not be read, for whatever reason.
	pub(crate) fn unreadable(path: impl Into<PathBuf>, source: io::Error) -> Self {
		Self::Io { doing: "read", path: path.into(), source }
	}

	/// Classifies what the system said.
	pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
		let path = path.into();
		match source.kind() {
			io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
				Self::DiskFull { doing, path }
			},
			io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
				Self::ReadOnly { doing, path, source }
			},
			_ => Self::Io { doing, path, source },
		}
	}
}

/// A disk store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
	/// Another process has it open.
	#[error("the store {path} is in use by another process ({holder}); stop that one first, or give each its own directory", path = .path.display())]
	Locked {
		/// The store.
		path: PathBuf,
		/// What that process left in the lock file.
		holder: String,
	},
	/// The directory holds something else.
	#[error("{path} is not a fragment store and not empty (it holds {found}); give an empty or new directory", path = .path.display())]
	NotAStore {
		/// The directory.
		path: PathBuf,
		/// One of the files there.
		found: String,
	},
	/// The store that is known is not there.
	#[error("there is no fragment store in {path}, but there was one: is its file system mounted?", path = .path.display())]
	NoStore {
		/// The directory.
		path: PathBuf,
	},
	/// The store there is not the one that is known.
	#[error("{path} is another fragment store than the one before: is the right file system mounted?", path = .path.display())]
	AnotherStore {
		/// The directory.
		path: PathBuf,
	},
	/// The marker cannot be read.
	#[error("the marker {path} is damaged; if this is a fragment store, open it once with the option to rebuild", path = .path.display())]
	BadMarker {
		/// The marker.
		path: PathBuf,
	},
	/// The store was written by a later version.
	#[error("the store {path} has format {found}, this program knows {known}; use a newer program", path = .path.display())]
	Version {
		/// The store.
		path: PathBuf,
		/// Its format.
		found: u32,
		/// The format this program knows.
		known: u32,
	},
	/// The disk or the manifest failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}

impl OpenError {
	pub(crate) fn locked(path: PathBuf, holder: String, error: TryLockError) -> Self {
		match error {
			TryLockError::WouldBlock => Self::Locked { path, holder },
			TryLockError::Error(error) => StoreError::io("lock", path, error).into(),
		}
	}
}

/// A write could not begin. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
	/// The use is not one of this fragment.
	#[error(
		"fragment {hash} does not belong there: {reason}; ask for its sidecar again, or another source"
	)]
	Invalid {
		/// The fragment.
		hash: FragmentHash,
		/// Why not.
		reason: SidecarError,
	},
	/// The same fragment is being written.
	#[error("fragment {0} is being written already; try again when that is done")]
	Busy(FragmentHash),
	/// There is no room.
	#[error(
		"the store is full: {needed} bytes are needed, {free} are free; raise its capacity or forget what is in quarantine"
	)]
	Full {
		/// How many bytes the fragment has.
		needed: u64,
		/// How many there is room for.
		free: u64,
	},
	/// The file system has no room, whatever the store's capacity.
	#[error(
		"the disk is full: {needed} bytes are needed, {free} can be used; free some space on it or lower the store's capacity"
	)]
	DiskFull {
		/// How many bytes the fragment has.
		needed: u64,
		/// How many the store may still take from the file system.
		free: u64,
	},
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}

impl BeginError {
	/// Whether there is no room, for whatever reason.
	pub fn is_full(&self) -> bool {
		matches!(
			self,
			Self::Full { .. } | Self::DiskFull { .. } | Self::Store(StoreError::DiskFull { .. })
		)
	}
}

/// Bytes could not be appended. Those written before are still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
	/// There are more bytes than the fragment has.
	#[error("more than the fragment's {len} bytes were given; the sender is wrong, ask another")]
	TooLong {
		/// The fragment's length.
		len: u32,
	},
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}

/// A write could not be completed, and what it wrote is gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
	/// Bytes are missing.
	#[error("the fragment has {len} bytes but only {offset} were written; write the rest first")]
	Short {
		/// How many were written.
		offset: u32,
		/// The fragment's length.
		len: u32,
	},
	/// The bytes are other bytes.
	#[error("the bytes are not fragment {hash}{}", if *.resumed == 0 {
		"; the sender is wrong, ask another".to_owned()
	} else {
		format!(", of which {resumed} were here from before; begin again")
	})]
	WrongHash {
		/// The fragment that was to be written.
		hash: FragmentHash,
		/// How many bytes came from an interrupted write. Where there are any, they may be the
		/// wrong ones, and the sender is not to blame.
		resumed: u32,
	},
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}

/// Bytes could not be put in one go.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
	/// The write could not begin.
	#[error(transparent)]
	Begin(#[from] BeginError),
	/// The bytes could not be written.
	#[error(transparent)]
	Write(#[from] WriteError),
	/// The write could not be completed.
	#[error(transparent)]
	Commit(#[from] CommitError),
}

/// A fragment could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
	/// The store does not know it.
	#[error("fragment {0} is not stored here")]
	Unknown(FragmentHash),
	/// Its bytes are gone or wrong.
	#[error("fragment {0} is broken here and has to be restored")]
	Broken(FragmentHash),
	/// It ends before the range does.
	#[error("bytes {start}..{end} of a fragment of {len} bytes were asked for")]
	OutOfRange {
		/// The first byte asked for.
		start: u32,
		/// The one behind the last.
		end: u32,
		/// The fragment's length.
		len: u32,
	},
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}

/// Quarantined bytes could not be forgotten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgetError {
	/// They have not been replaced.
	#[error(
		"fragment {0} is still broken: its quarantined bytes stay until it is restored or released"
	)]
	NotReplaced(FragmentHash),
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
}
