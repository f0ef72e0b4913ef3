// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which file lies where.

use crate::Note;
use planaria_primitives::FragmentHash;
use std::path::{Path, PathBuf};

/// The paths of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
	pub root: PathBuf,
}

impl Layout {
	pub fn marker(&self) -> PathBuf {
		self.root.join("planaria-store")
	}

	pub fn lock(&self) -> PathBuf {
		self.root.join("lock")
	}

	pub fn intents(&self) -> PathBuf {
		self.root.join("intents")
	}

	pub fn manifest(&self) -> PathBuf {
		self.root.join("manifest.redb")
	}

	pub fn note(&self, note: Note) -> PathBuf {
		self.root.join(note.file_name())
	}

	pub fn fragments(&self) -> PathBuf {
		self.root.join("fragments")
	}

	pub fn partials(&self) -> PathBuf {
		self.root.join("partial")
	}

	pub fn quarantine(&self) -> PathBuf {
		self.root.join("quarantine")
	}

	/// The two directories above a fragment, the outer one first.
	pub fn dirs(&self, hash: &FragmentHash) -> [PathBuf; 2] {
		let [first, second, ..] = hash.0;
		let outer = self.fragments().join(format!("{first:02x}"));
		let inner = outer.join(format!("{second:02x}"));
		[outer, inner]
	}

	pub fn fragment(&self, hash: &FragmentHash) -> PathBuf {
		let [_, dir] = self.dirs(hash);
		dir.join(hash.to_string())
	}

	pub fn side(&self, hash: &FragmentHash) -> PathBuf {
		let [_, dir] = self.dirs(hash);
		dir.join(format!("{hash}.side"))
	}

	pub fn partial(&self, hash: &FragmentHash) -> PathBuf {
		self.partials().join(hash.to_string())
	}

	/// The quarantined bytes of a fragment; `number` counts from 0, without gaps.
	pub fn quarantined(&self, hash: &FragmentHash, number: u32) -> PathBuf {
		self.quarantine().join(format!("{hash}.{number}"))
	}
}

/// The fragment that a file's name begins with, and the rest of the name. Only the one spelling
/// that the store writes counts.
pub(super) fn parse(path: &Path) -> Option<(FragmentHash, &str)> {
	let name = path.file_name()?.to_str()?;
	let (digits, rest) = name.split_at_checked(64)?;
	let hash: FragmentHash = digits.parse().ok()?;
	(hash.to_string() == digits).then_some((hash, rest))
}
