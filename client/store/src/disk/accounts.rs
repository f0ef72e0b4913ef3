// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What takes up room, counted in memory.

use super::manifest::Row;
use crate::Usage;
use planaria_primitives::FragmentHash;
use std::{collections::HashMap, time::SystemTime};

/// The counts behind [`Usage`].
#[derive(Debug, Default)]
pub(super) struct Accounts {
	used: u64,
	fragments: u64,
	broken: u64,
	names: u64,
	quarantined: u64,
	/// Writes in progress and the room they have.
	pub writing: HashMap<FragmentHash, u64>,
	/// Interrupted writes.
	pub idle: HashMap<FragmentHash, Idle>,
	/// Room that writes in progress count on but could not take from the file system.
	pub unbacked: u64,
}

/// An interrupted write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
	pub bytes: u64,
	pub since: SystemTime,
}

impl Accounts {
	/// A fragment becomes another.
	pub fn replace(&mut self, before: Option<Row>, after: Option<Row>) {
		if let Some(row) = before {
			self.used -= if row.broken { 0 } else { u64::from(row.len) };
			self.fragments -= 1;
			self.broken -= u64::from(row.broken);
			self.names -= row.names;
		}
		if let Some(row) = after {
			self.used += if row.broken { 0 } else { u64::from(row.len) };
			self.fragments += 1;
			self.broken += u64::from(row.broken);
			self.names += row.names;
		}
	}

	/// So many bytes of a fragment in quarantine become so many.
	pub fn requarantine(&mut self, before: u64, after: u64) {
		self.quarantined = self.quarantined - before + after;
	}

	/// Forgets everything that the manifest knows.
	pub fn restart(&mut self) {
		let Self { writing, idle, unbacked, .. } = std::mem::take(self);
		*self = Self { writing, idle, unbacked, ..Self::default() };
	}

	/// The interrupted write that is the oldest.
	pub fn oldest(&self) -> Option<(FragmentHash, Idle)> {
		self.idle.iter().min_by_key(|(_, idle)| idle.since).map(|(hash, idle)| (*hash, *idle))
	}

	/// The usage of a store of this capacity.
	pub fn usage(&self, capacity: u64, free_on_disk: u64) -> Usage {
		Usage {
			capacity,
			used: self.used,
			quarantined: self.quarantined,
			reserved: self.writing.values().sum::<u64>()
				+ self.idle.values().map(|idle| idle.bytes).sum::<u64>(),
			free_on_disk,
			fragments: self.fragments,
			broken: self.broken,
			names: self.names,
		}
	}
}
