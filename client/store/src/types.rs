// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What goes into a store and what it says about itself.

use crate::{StoreError, Writer};
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, Sidecar, SidecarError};

/// One reason to keep a fragment: the place in a file that it fills, and the proof that it does.
///
/// The same bytes at two places need two sidecars, so a sidecar belongs to a use, not to a hash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FragmentUse {
	/// The place: file, segment, index.
	pub name: FragmentName,
	/// The size and coding of the file.
	pub spec: FileSpec,
	/// What proves the fragment up to the file's id.
	pub sidecar: Sidecar,
}

impl FragmentUse {
	/// The length of the fragment, which follows from the file's geometry.
	pub fn fragment_len(&self) -> u32 {
		self.spec.fragment_len(self.name.segment)
	}

	/// Checks that the fragment with this hash is the one that belongs at this place.
	pub fn check(&self, hash: &FragmentHash) -> Result<(), SidecarError> {
		let FragmentName { file_id, segment, index, .. } = &self.name;
		self.sidecar.verify(file_id, &self.spec, *segment, *index, hash)
	}
}

/// What [`begin`](crate::FragmentStore::begin) found.
#[derive(Debug)]
pub enum Begun {
	/// The bytes are here already and the use is durable: nothing is to be written.
	Have,
	/// The bytes are to be written.
	Write(Writer),
}

/// What [`put_bytes`](crate::FragmentStoreExt::put_bytes) did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
	/// The bytes were here already; the use is durable.
	Had,
	/// The bytes and the use are durable.
	Stored,
}

/// A fragment, whatever it is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
	/// Which bytes.
	pub hash: FragmentHash,
	/// How many bytes.
	pub len: u32,
	/// How many names use it, at least 1.
	pub names: u64,
	/// Its bytes are gone or wrong; it is not served.
	pub broken: bool,
}

/// A use of a fragment, and what became of the fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
	/// Which bytes.
	pub hash: FragmentHash,
	/// Its bytes are gone or wrong; it is not served.
	pub broken: bool,
	/// What they are used for.
	pub of: FragmentUse,
}

/// What [`release`](crate::FragmentStore::release) did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Released {
	/// There is no such name, so there is nothing to do.
	Unknown,
	/// The name is gone; others still use the bytes.
	Kept {
		/// How many others.
		names: u64,
	},
	/// The name is gone, and so are the bytes that only it used.
	Removed {
		/// How many bytes that freed: 0 where the fragment was broken.
		bytes: u64,
	},
}

/// The state of a fragment's bytes.
#[derive(Debug)]
pub enum Verdict {
	/// They have the right hash.
	Whole,
	/// They are wrong, or were when they went to quarantine.
	Damaged,
	/// They are not there.
	Missing,
	/// The disk could not read them: wrong or not, nobody can tell.
	Unreadable(StoreError),
}

impl Verdict {
	/// Whether the bytes have the right hash.
	pub fn is_whole(&self) -> bool {
		matches!(self, Self::Whole)
	}
}

/// How full a store is. All but `names` and counts are bytes.
///
/// `used + quarantined + reserved` never exceeds `capacity` unless the store was opened with less
/// capacity than it already held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
	/// What the store may hold.
	pub capacity: u64,
	/// Fragments that are served, counted as the chain counts them. What comes beside them on a
	/// disk (sidecars, manifest) is not included; on a disk, some room is kept back for it.
	pub used: u64,
	/// Wrong bytes in quarantine.
	pub quarantined: u64,
	/// Writes in progress with their full length, interrupted ones with what they have.
	pub reserved: u64,
	/// What the file system still has; `u64::MAX` where there is none.
	pub free_on_disk: u64,
	/// How many fragments there are, the broken ones included.
	pub fragments: u64,
	/// How many of them are broken.
	pub broken: u64,
	/// How many names use them.
	pub names: u64,
}

impl Usage {
	/// What the capacity still allows.
	pub fn free(&self) -> u64 {
		let taken = self.used.saturating_add(self.quarantined).saturating_add(self.reserved);
		self.capacity.saturating_sub(taken)
	}
}

/// Something small that the user of a store wants to find again after a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Note {
	/// How far the self-check is.
	Check,
	/// How fast it may go, and restorations.
	Throttle,
}

impl Note {
	/// The longest note: 4 KiB.
	pub const MAX_LEN: usize = 4096;

	/// The file's name on a disk.
	pub(crate) const fn file_name(self) -> &'static str {
		match self {
			Self::Check => "check.note",
			Self::Throttle => "throttle.note",
		}
	}
}
