// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What every store does.

use crate::{
	BeginError, Begun, Entry, ForgetError, Fragment, FragmentUse, Note, PAGE_LEN, Put, PutError,
	ReadError, Reader, Released, StoreError, Usage, Verdict,
};
use planaria_primitives::{FragmentHash, FragmentName, Sidecar};
use std::{fmt, ops::ControlFlow, ops::Range};

/// Keeps fragments: see the crate's documentation for what is promised.
///
/// All methods may be called from several threads at once. Those that list things return them in
/// order, from behind `after`, at most `limit` and never more than [`PAGE_LEN`]; an empty page is
/// the end.
pub trait FragmentStore: fmt::Debug + Send + Sync {
	/// Begins to store a fragment for a use, after checking that it belongs there.
	///
	/// Where whole bytes are here already the use is added and nothing is to be written. A *new*
	/// use is acknowledged only after the bytes were read and hashed again; where they turn out
	/// wrong they go to quarantine and are to be written. An interrupted write
	/// [continues](crate::Writer::offset).
	fn begin(&self, hash: FragmentHash, of: &FragmentUse) -> Result<Begun, BeginError>;

	/// Opens a fragment. It stays readable when it is released meanwhile.
	fn open(&self, hash: &FragmentHash) -> Result<Reader, ReadError>;

	/// What is known about a fragment.
	fn fragment(&self, hash: &FragmentHash) -> Result<Option<Fragment>, StoreError>;

	/// What is known about a name.
	fn entry(&self, name: &FragmentName) -> Result<Option<Entry>, StoreError>;

	/// All fragments, by hash.
	fn fragments(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError>;

	/// All uses, by name: file by file.
	fn entries(&self, after: Option<&FragmentName>, limit: usize)
	-> Result<Vec<Entry>, StoreError>;

	/// The uses of one fragment, by name.
	fn uses(
		&self,
		hash: &FragmentHash,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentUse>, StoreError>;

	/// The fragments that are broken, by hash: those that have to be restored.
	fn broken(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError>;

	/// What is in quarantine, by hash, and how many bytes of it there are.
	fn quarantined(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<(FragmentHash, u64)>, StoreError>;

	/// Gives up a use. With the last one the bytes go, those in quarantine as well.
	fn release(&self, name: &FragmentName) -> Result<Released, StoreError>;

	/// Hashes a fragment again. Changes nothing, whatever the verdict; of an unknown fragment the
	/// bytes are [`Verdict::Missing`].
	fn verify(&self, hash: &FragmentHash) -> Result<Verdict, StoreError>;

	/// Hashes a fragment again and, if its bytes are wrong or gone, takes it out of service: they
	/// go to quarantine, its uses stay known. Even where that fails, it is no longer served.
	///
	/// Bytes that the disk cannot read may be the right ones: they stay where they are.
	fn quarantine(&self, hash: &FragmentHash) -> Result<Verdict, StoreError>;

	/// As [`quarantine`](Self::quarantine), and takes the bytes for wrong if the disk cannot read
	/// them.
	fn give_up(&self, hash: &FragmentHash) -> Result<Verdict, StoreError>;

	/// Deletes the quarantined bytes of a fragment and says how many those were. Refused while the
	/// fragment is broken.
	fn forget_quarantined(&self, hash: &FragmentHash) -> Result<u64, ForgetError>;

	/// How full the store is.
	fn usage(&self) -> Result<Usage, StoreError>;

	/// What was noted last; `None` where nothing was, or where it cannot be understood any more.
	fn note(&self, note: Note) -> Result<Option<Vec<u8>>, StoreError>;

	/// Notes something instead, durably. At most [`Note::MAX_LEN`] bytes.
	fn set_note(&self, note: Note, bytes: &[u8]) -> Result<(), StoreError>;
}

/// What follows from the methods of [`FragmentStore`].
pub trait FragmentStoreExt: FragmentStore {
	/// Stores a fragment that is in memory. An interrupted write of it starts over.
	fn put_bytes(
		&self,
		hash: FragmentHash,
		of: &FragmentUse,
		bytes: &[u8],
	) -> Result<Put, PutError> {
		match self.begin(hash, of)? {
			Begun::Have => Ok(Put::Had),
			Begun::Write(mut writer) => {
				writer.restart()?;
				writer.write(bytes)?;
				writer.commit()?;
				Ok(Put::Stored)
			},
		}
	}

	/// Bytes of a fragment, as they are on the disk.
	fn read(&self, hash: &FragmentHash, range: Range<u32>) -> Result<Vec<u8>, ReadError> {
		let reader = self.open(hash)?;
		let Range { start, end } = range;
		if start > end || end > reader.len() {
			return Err(ReadError::OutOfRange { start, end, len: reader.len() });
		}
		let len = (end - start) as usize;
		reader.read_vec(len, u64::from(start)).map_err(|error| reader.failed(error))
	}

	/// Whether a fragment is here and served.
	fn contains(&self, hash: &FragmentHash) -> Result<bool, StoreError> {
		Ok(self.fragment(hash)?.is_some_and(|fragment| !fragment.broken))
	}

	/// The sidecar of a name.
	fn sidecar(&self, name: &FragmentName) -> Result<Option<Sidecar>, StoreError> {
		Ok(self.entry(name)?.map(|entry| entry.of.sidecar))
	}

	/// Hashes every fragment behind `after` again, and tells `visit` of each.
	///
	/// The visitor throttles by taking its time, acts on what it is told (a broken fragment is told
	/// as such, but nothing is quarantined here), and stops by breaking. [`Pass::next`] is then
	/// where to go on, in this process or another.
	fn verify_all(
		&self,
		after: Option<FragmentHash>,
		visit: &mut dyn FnMut(Verified) -> ControlFlow<()>,
	) -> Result<Pass, StoreError> {
		let mut pass = Pass { next: after, ..Pass::default() };
		loop {
			let page = self.fragments(pass.next.as_ref(), PAGE_LEN)?;
			if page.is_empty() {
				return Ok(Pass { next: None, ..pass });
			}
			for Fragment { hash, len, .. } in page {
				let verdict = self.verify(&hash)?;
				pass.next = Some(hash);
				// It may have been released since the page was read.
				if !verdict.is_whole() && self.fragment(&hash)?.is_none() {
					continue;
				}
				pass.fragments += 1;
				pass.bytes += u64::from(len);
				pass.bad += u64::from(!verdict.is_whole());
				if visit(Verified { hash, len, verdict }).is_break() {
					return Ok(pass);
				}
			}
		}
	}
}

impl<S: FragmentStore + ?Sized> FragmentStoreExt for S {}

/// One fragment that [`verify_all`](FragmentStoreExt::verify_all) looked at.
#[derive(Debug)]
pub struct Verified {
	/// The fragment.
	pub hash: FragmentHash,
	/// Its length.
	pub len: u32,
	/// What was found.
	pub verdict: Verdict,
}

/// What [`verify_all`](FragmentStoreExt::verify_all) did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pass {
	/// How many fragments it looked at.
	pub fragments: u64,
	/// How many bytes those have.
	pub bytes: u64,
	/// How many of them are not whole.
	pub bad: u64,
	/// Where to go on; `None` when all were looked at.
	pub next: Option<FragmentHash>,
}
