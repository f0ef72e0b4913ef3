// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A segment in memory.

use planaria_primitives::{
	FileSpec, FragmentHash, Hash, Sidecar, commitment::segment_tree, merkle::Tree,
};

/// All fragments of a segment, with their hashes.
///
/// It holds one run of memory, which is used again when it is filled again: the segment's bytes,
/// padded with zeros, are its source fragments as they stand, then follows parity.
#[derive(Clone, Debug, Default)]
pub struct EncodedSegment {
	number: u32,
	fragment_len: usize,
	bytes: Vec<u8>,
	hashes: Vec<FragmentHash>,
}

impl EncodedSegment {
	/// The segment's number in the file.
	pub fn number(&self) -> u32 {
		self.number
	}

	/// The length of each fragment.
	pub fn fragment_len(&self) -> usize {
		self.fragment_len
	}

	/// The bytes of fragment `index`; `None` where there is no such fragment.
	pub fn fragment(&self, index: u8) -> Option<&[u8]> {
		self.fragments().nth(usize::from(index))
	}

	/// All fragments in order: source, then parity.
	pub fn fragments(&self) -> impl ExactSizeIterator<Item = &[u8]> {
		// An empty segment has no fragments, of whatever length.
		self.bytes.chunks_exact(self.fragment_len.max(1))
	}

	/// The hashes of all fragments, in order.
	pub fn hashes(&self) -> &[FragmentHash] {
		&self.hashes
	}

	/// The tree over the hashes; `None` where nothing was encoded yet.
	pub fn tree(&self) -> Option<Tree> {
		segment_tree(&self.hashes)
	}

	/// The root of the tree over the hashes; `None` where nothing was encoded yet.
	pub fn root(&self) -> Option<Hash> {
		self.tree().map(|tree| tree.root())
	}

	/// All fragments one after the other, each [`fragment_len`](Self::fragment_len) long.
	pub fn into_bytes(self) -> Vec<u8> {
		self.bytes
	}

	/// The sidecars of all fragments, given the part that they share.
	pub(crate) fn sidecars(&self, file_path: &[u8]) -> Vec<Sidecar> {
		let Some(tree) = self.tree() else { return Vec::new() };
		(0..=u8::MAX).map_while(|index| Sidecar::from_parts(&tree, index, file_path)).collect()
	}

	/// Becomes segment number `number` of such a file and returns the room for its source fragments
	/// and that for `parity_len` bytes of each parity fragment. What stands there is to be
	/// overwritten, but behind the segment's own bytes the source is already zero.
	pub(crate) fn prepare(
		&mut self,
		spec: &FileSpec,
		number: u32,
		parity_len: usize,
	) -> (&mut [u8], &mut [u8]) {
		self.number = number;
		self.hashes.clear();
		self.fragment_len = spec.fragment_len(number) as usize;
		let source_len = usize::from(spec.data()) * self.fragment_len;
		let len = source_len + usize::from(spec.coding().parity) * parity_len;
		if len <= self.bytes.capacity() {
			self.bytes.resize(len, 0);
		} else {
			// Not resized: the old bytes need not be kept, and fresh zeros cost nothing.
			self.bytes = Vec::new();
			self.bytes = vec![0; len];
		}
		let (source, parity) = self.bytes.split_at_mut(source_len);
		let end = usize::try_from(spec.segment_len(number)).expect("memory-sized; qed");
		source[end..].fill(0);
		(source, parity)
	}

	/// Sets the hashes that [`prepare`](Self::prepare) cleared.
	pub(crate) fn finish(&mut self, hashes: Vec<FragmentHash>) {
		self.hashes = hashes;
	}
}

/// One fragment of a segment that others are restored from, and what proves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sibling<'a> {
	/// Which of the segment's fragments.
	pub index: u8,
	/// Its bytes.
	pub bytes: &'a [u8],
	/// Their hash.
	pub hash: FragmentHash,
	/// Proves the hash up to the file's id.
	pub sidecar: &'a Sidecar,
}

/// One fragment of a segment, proven to be of its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoredFragment {
	/// Which of the segment's fragments.
	pub index: u8,
	/// Its hash.
	pub hash: FragmentHash,
	/// Proves the hash up to the file's id.
	pub sidecar: Sidecar,
	/// Its bytes.
	pub bytes: Vec<u8>,
}
