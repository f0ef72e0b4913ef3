// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where a disk store can be made to fail, for tests.

use std::{fmt, io, path::Path};

/// Something the store does to its disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Step {
	/// Bytes of a fragment are read.
	Read,
	/// Room for a fragment is taken from the file system.
	Reserve,
	/// Bytes of a fragment are written.
	Write,
	/// A fragment's bytes are synced.
	Sync,
	/// What is about to change is noted, and synced.
	Intend,
	/// A directory is made.
	MakeDir,
	/// Records of a sidecar file are written.
	WriteSide,
	/// A sidecar file is synced.
	SyncSide,
	/// A file gets its final name, or is moved to quarantine.
	Rename,
	/// A directory is synced.
	SyncDir,
	/// A file is removed.
	Remove,
	/// The manifest is committed.
	Commit,
	/// The note of what changed is crossed out.
	Settle,
	/// A [`Note`](crate::Note) is written and synced.
	Note,
}

impl Step {
	/// For messages: what could not be done to a file.
	pub(crate) const fn doing(self) -> &'static str {
		match self {
			Self::Read => "read",
			Self::Reserve => "take room for",
			Self::Write | Self::WriteSide | Self::Note => "write",
			Self::Sync | Self::SyncSide | Self::SyncDir => "sync",
			Self::Intend | Self::Settle => "note a change in",
			Self::MakeDir => "make the directory",
			Self::Rename => "rename",
			Self::Remove => "remove",
			Self::Commit => "commit",
		}
	}
}

/// Is asked before every step; an error is taken for one of the disk.
pub trait Faults: fmt::Debug + Send + Sync {
	/// Fails, or ends the process, or lets the step happen.
	fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}
