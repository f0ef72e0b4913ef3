// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Verified streams: the BAO encoding of a range of a fragment, without any input or output.
//!
//! `bao-tree` gives the tree's shape and hashes; reading and writing the stream stays here, so that
//! a sender hands out slices of what it holds and a receiver checks bytes where they arrived.

use bao_tree::{
	BaoTree, BlockSize, ChunkNum, ChunkRanges, TreeNode,
	io::outboard::PreOrderMemOutboard,
	iter::{BaoChunk, ResponseIter},
};
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bytes::{Buf, Bytes, BytesMut};
use planaria_primitives::{CHUNK_LEN, FragmentHash};
use std::{fmt, ops::Range};

/// The unit of verification: 16 KiB.
pub const GROUP_LEN: u32 = 16 << 10;

const GROUP: BlockSize = BlockSize::from_chunk_log(4);
const PARENT_LEN: usize = 64;

/// A fragment in memory, hashed and ready to be sent, as often as needed.
///
/// Clones share the bytes.
#[derive(Clone)]
pub struct Fragment {
	bytes: Bytes,
	hash: FragmentHash,
	tree: BaoTree,
	/// The tree's inner hashes, in pre-order: 4 bytes per KiB.
	parents: Bytes,
}

impl Fragment {
	/// Hashes the bytes, at most 4 GiB; on one core 8 MiB take about 2 ms.
	pub fn new(bytes: impl Into<Bytes>) -> Self {
		let bytes = bytes.into();
		let outboard = PreOrderMemOutboard::create(&bytes, GROUP);
		Self {
			hash: FragmentHash(*outboard.root.as_bytes()),
			tree: outboard.tree,
			parents: outboard.data.into(),
			bytes,
		}
	}

	/// Its bytes.
	pub fn bytes(&self) -> &Bytes {
		&self.bytes
	}

	/// Its hash.
	pub fn hash(&self) -> FragmentHash {
		self.hash
	}

	/// Its length.
	pub fn len(&self) -> u32 {
		u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
	}

	/// Whether it has no bytes; no stored fragment is.
	pub fn is_empty(&self) -> bool {
		self.bytes.is_empty()
	}

	/// The stream of a range, in pieces that share this fragment's memory. The range is not empty
	/// and ends in the fragment; [`Verifier`] checks what comes of it.
	pub fn encode(&self, range: &Range<u32>) -> impl Iterator<Item = Bytes> + Send + use<> {
		let fragment = self.clone();
		items(self.tree, range).map(move |item| match item {
			BaoChunk::Parent { node, .. } => {
				let index = fragment.tree.pre_order_offset(node).unwrap_or_default();
				let start = usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(PARENT_LEN);
				fragment.parents.slice(start..start + PARENT_LEN)
			},
			BaoChunk::Leaf { start_chunk, size, .. } => {
				let start = usize::try_from(start_chunk.to_bytes()).unwrap_or(usize::MAX);
				fragment.bytes.slice(start..start + size)
			},
		})
	}
}

impl fmt::Debug for Fragment {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Fragment").field("hash", &self.hash).field("len", &self.len()).finish()
	}
}

/// A range rounded outward to whole groups, within a fragment of `len` bytes.
pub(crate) fn whole_groups(range: &Range<u32>, len: u32) -> Range<u32> {
	let end = range.end.checked_next_multiple_of(GROUP_LEN).unwrap_or(len);
	range.start / GROUP_LEN * GROUP_LEN..end.min(len)
}

/// The nodes and groups of a range's stream, in its order. The range is not empty and ends in the
/// tree.
fn items(tree: BaoTree, range: &Range<u32>) -> impl Iterator<Item = BaoChunk> + Send + use<> {
	let groups = whole_groups(range, u32::try_from(tree.size()).unwrap_or(u32::MAX));
	let start = ChunkNum(u64::from(groups.start / CHUNK_LEN));
	let ranges = if u64::from(groups.end) == tree.size() {
		ChunkRanges::from(start..)
	} else {
		ChunkRanges::from(start..ChunkNum(u64::from(groups.end / CHUNK_LEN)))
	};
	ResponseIter::new(tree, ranges)
}

/// A byte of the group at this offset, or of a hash above it, is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongBytes {
	/// The group's first byte in the fragment.
	pub offset: u32,
}

/// Checks the stream of a range: says what comes next, and whether what came is right.
pub(crate) struct Decoder<I> {
	items: I,
	/// The hashes that what is still to come must have, the next one last.
	expected: Vec<blake3::Hash>,
	/// Up to here everything was right.
	verified: u32,
}

/// What comes next in a stream.
#[derive(Debug)]
pub(crate) enum Next {
	/// 64 bytes, for [`Decoder::parent`].
	Parent(Parent),
	/// A group's bytes, for [`Decoder::leaf`].
	Leaf(Leaf),
}

#[derive(Debug)]
pub(crate) struct Parent {
	node: TreeNode,
	is_root: bool,
	left: bool,
	right: bool,
}

#[derive(Debug)]
pub(crate) struct Leaf {
	pub offset: u32,
	pub len: usize,
	is_root: bool,
}

/// The stream of `range` of the fragment with this hash and length. The range is not empty and ends
/// in the fragment.
pub(crate) fn decoder(
	hash: &FragmentHash,
	len: u32,
	range: &Range<u32>,
) -> Decoder<impl Iterator<Item = BaoChunk> + Send + use<>> {
	Decoder {
		items: items(BaoTree::new(u64::from(len), GROUP), range),
		expected: vec![blake3::Hash::from_bytes(hash.0)],
		verified: whole_groups(range, len).start,
	}
}

impl<I: Iterator<Item = BaoChunk> + Send + 'static> Decoder<I> {
	/// The same, of a type that can be named.
	pub(crate) fn boxed(self) -> Decoder<Box<dyn Iterator<Item = BaoChunk> + Send>> {
		let Self { items, expected, verified } = self;
		Decoder { items: Box::new(items), expected, verified }
	}
}

impl<I: Iterator<Item = BaoChunk>> Decoder<I> {
	pub(crate) fn next(&mut self) -> Option<Next> {
		Some(match self.items.next()? {
			BaoChunk::Parent { node, is_root, left, right, .. } => {
				Next::Parent(Parent { node, is_root, left, right })
			},
			BaoChunk::Leaf { start_chunk, size, is_root, .. } => {
				Next::Leaf(Leaf { offset: to_u32(start_chunk.to_bytes()), len: size, is_root })
			},
		})
	}

	pub(crate) fn parent(
		&mut self,
		next: &Parent,
		bytes: &[u8; PARENT_LEN],
	) -> Result<(), WrongBytes> {
		let (children, _) = bytes.as_chunks::<32>();
		let [left, right] = children else { unreachable!("64 bytes are two hashes; qed") };
		let hash = if next.is_root {
			merge_subtrees_root(left, right, Mode::Hash)
		} else {
			merge_subtrees_non_root(left, right, Mode::Hash).into()
		};
		if self.expected.pop() != Some(hash) {
			let below = to_u32(next.node.chunk_range().start.to_bytes());
			return Err(WrongBytes { offset: below.max(self.verified) });
		}
		if next.right {
			self.expected.push((*right).into());
		}
		if next.left {
			self.expected.push((*left).into());
		}
		Ok(())
	}

	pub(crate) fn leaf(&mut self, next: &Leaf, bytes: &[u8]) -> Result<(), WrongBytes> {
		let hash = if next.is_root {
			blake3::hash(bytes)
		} else {
			let mut hasher = blake3::Hasher::new();
			hasher.set_input_offset(u64::from(next.offset));
			hasher.update(bytes);
			hasher.finalize_non_root().into()
		};
		if self.expected.pop() != Some(hash) {
			return Err(WrongBytes { offset: next.offset });
		}
		self.verified = next.offset.saturating_add(to_u32(bytes.len() as u64));
		Ok(())
	}
}

fn to_u32(value: u64) -> u32 {
	u32::try_from(value).unwrap_or(u32::MAX)
}

/// Checks the stream of a range whose bytes come from elsewhere than an endpoint of this crate, in
/// pieces of any length.
pub struct Verifier {
	decoder: Decoder<Box<dyn Iterator<Item = BaoChunk> + Send>>,
	next: Option<Next>,
	arrived: BytesMut,
}

impl Verifier {
	/// For `range`, which is not empty and ends in the fragment with this hash and length. The
	/// groups begin at a multiple of [`GROUP_LEN`], at or before the range's start.
	pub fn new(hash: &FragmentHash, len: u32, range: &Range<u32>) -> Self {
		let mut decoder = decoder(hash, len, range).boxed();
		let next = decoder.next();
		Self { decoder, next, arrived: BytesMut::new() }
	}

	/// More of the stream has come.
	pub fn push(&mut self, bytes: &[u8]) {
		self.arrived.extend_from_slice(bytes);
	}

	/// The next group that was verified; `None` where more of the stream has to come first, or
	/// nothing more is expected. After an error nothing counts.
	pub fn next_group(&mut self) -> Result<Option<Bytes>, WrongBytes> {
		while let Some(next) = &self.next {
			match next {
				Next::Parent(parent) => {
					let Some(bytes) = self.arrived.first_chunk().copied() else { return Ok(None) };
					self.arrived.advance(PARENT_LEN);
					self.decoder.parent(parent, &bytes)?;
					self.next = self.decoder.next();
				},
				Next::Leaf(leaf) => {
					if self.arrived.len() < leaf.len {
						return Ok(None);
					}
					let bytes = self.arrived.split_to(leaf.len).freeze();
					self.decoder.leaf(leaf, &bytes)?;
					self.next = self.decoder.next();
					return Ok(Some(bytes));
				},
			}
		}
		Ok(None)
	}

	/// Whether all of the range was verified.
	pub fn is_done(&self) -> bool {
		self.next.is_none()
	}
}

impl fmt::Debug for Verifier {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Verifier").field("next", &self.next).finish_non_exhaustive()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::MAX_FRAGMENT_LEN;
	use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

	fn random(len: u32) -> Vec<u8> {
		let mut bytes = vec![0; len as usize];
		StdRng::seed_from_u64(u64::from(len)).fill_bytes(&mut bytes);
		bytes
	}

	fn stream(fragment: &Fragment, range: &Range<u32>) -> Vec<u8> {
		fragment.encode(range).flatten().collect()
	}

	/// Decodes a whole stream; what was verified, and the wrong group if there was one.
	fn decode(
		hash: &FragmentHash,
		len: u32,
		range: &Range<u32>,
		mut stream: &[u8],
	) -> (Vec<u8>, Option<WrongBytes>) {
		let mut decoder = decoder(hash, len, range);
		let mut verified = Vec::new();
		while let Some(next) = decoder.next() {
			let result = match &next {
				Next::Parent(parent) => {
					let (bytes, rest) = stream.split_first_chunk().expect("long enough");
					stream = rest;
					decoder.parent(parent, bytes)
				},
				Next::Leaf(leaf) => {
					let (bytes, rest) = stream.split_at(leaf.len);
					stream = rest;
					let result = decoder.leaf(leaf, bytes);
					if result.is_ok() {
						verified.extend_from_slice(bytes);
					}
					result
				},
			};
			if let Err(wrong) = result {
				return (verified, Some(wrong));
			}
		}
		assert!(stream.is_empty());
		(verified, None)
	}

	const LENS: [u32; 10] = [
		64,
		1024,
		GROUP_LEN - 64,
		GROUP_LEN,
		GROUP_LEN + 64,
		3 * GROUP_LEN,
		100_032,
		1 << 20,
		MAX_FRAGMENT_LEN - 64,
		MAX_FRAGMENT_LEN,
	];

	#[test]
	fn the_hash_is_plain_blake3() {
		for len in LENS {
			let bytes = random(len);
			assert_eq!(Fragment::new(bytes.clone()).hash(), FragmentHash::of(&bytes));
		}
	}

	#[test]
	fn every_range_is_decoded_and_is_the_stream_of_bao_tree() {
		let mut rng = StdRng::seed_from_u64(1);
		for len in LENS {
			let bytes = random(len);
			let fragment = Fragment::new(bytes.clone());
			let outboard = PreOrderMemOutboard::create(&bytes, GROUP);
			for _ in 0..10 {
				let start = rng.random_range(0..len);
				for range in [0..len, start..len, start..rng.random_range(start + 1..=len)] {
					let groups = whole_groups(&range, len);
					let encoded = stream(&fragment, &range);
					let (decoded, wrong) = decode(&fragment.hash(), len, &range, &encoded);
					assert_eq!(wrong, None);
					assert!(decoded == bytes[groups.start as usize..groups.end as usize]);

					let chunks = ChunkNum(u64::from(groups.start / 1024))
						..ChunkNum(u64::from(groups.end.div_ceil(1024)));
					let mut reference = Vec::new();
					bao_tree::io::sync::encode_ranges_validated(
						&bytes[..],
						&outboard,
						&ChunkRanges::from(chunks),
						&mut reference,
					)
					.expect("valid");
					assert!(encoded == reference, "{len} {range:?}");
				}
			}
		}
	}

	#[test]
	fn every_flipped_bit_is_found_before_its_group_is_accepted() {
		let mut rng = StdRng::seed_from_u64(2);
		for len in LENS {
			let bytes = random(len);
			let fragment = Fragment::new(bytes.clone());
			for _ in 0..20 {
				let range = rng.random_range(0..len)..len;
				let mut encoded = stream(&fragment, &range);
				let at = rng.random_range(0..encoded.len());
				encoded[at] ^= 1 << rng.random_range(0..8);
				let (verified, wrong) = decode(&fragment.hash(), len, &range, &encoded);
				let start = whole_groups(&range, len).start as usize;
				let wrong = wrong.expect("a bit is wrong").offset as usize;
				assert!(verified == bytes[start..start + verified.len()]);
				assert_eq!(wrong, start + verified.len(), "the next group is the wrong one");
			}
		}
	}

	#[test]
	fn a_stream_is_verified_in_whatever_pieces_it_comes() {
		let mut rng = StdRng::seed_from_u64(3);
		for len in LENS {
			let bytes = random(len);
			let fragment = Fragment::new(bytes.clone());
			let range = rng.random_range(0..len)..len;
			let groups = whole_groups(&range, len);
			for flip in [false, true] {
				let mut encoded = stream(&fragment, &range);
				if flip {
					let at = rng.random_range(0..encoded.len());
					encoded[at] ^= 1;
				}
				let mut verifier = Verifier::new(&fragment.hash(), len, &range);
				let (mut verified, mut wrong) = (Vec::new(), false);
				let mut rest = &encoded[..];
				while !rest.is_empty() && !wrong {
					let (piece, more) = rest.split_at(rng.random_range(1..=rest.len().min(50_000)));
					(rest, _) = (more, verifier.push(piece));
					loop {
						match verifier.next_group() {
							Ok(Some(group)) => verified.extend_from_slice(&group),
							Ok(None) => break,
							Err(_) => {
								wrong = true;
								break;
							},
						}
					}
				}
				assert_eq!((wrong, verifier.is_done()), (flip, !flip), "{len} {range:?}");
				let start = groups.start as usize;
				assert!(verified == bytes[start..start + verified.len()]);
				assert!(flip || verified.len() == (groups.end - groups.start) as usize);
			}
		}
	}

	#[test]
	fn another_length_never_verifies() {
		let bytes = random(5 * GROUP_LEN);
		let fragment = Fragment::new(bytes.clone());
		let encoded = stream(&fragment, &(0..fragment.len()));
		for len in [4 * GROUP_LEN, 6 * GROUP_LEN, 5 * GROUP_LEN - 64] {
			let mut longer = encoded.clone();
			longer.resize(encoded.len() + 2 * GROUP_LEN as usize, 0);
			let mut decoder = decoder(&fragment.hash(), len, &(0..len));
			let mut stream = &longer[..];
			let mut failed = false;
			while let Some(next) = decoder.next() {
				let result = match &next {
					Next::Parent(parent) => {
						let (bytes, rest) = stream.split_first_chunk().expect("long enough");
						stream = rest;
						decoder.parent(parent, bytes)
					},
					Next::Leaf(leaf) => {
						let (bytes, rest) = stream.split_at(leaf.len);
						stream = rest;
						decoder.leaf(leaf, bytes)
					},
				};
				failed |= result.is_err();
				if failed {
					break;
				}
			}
			assert!(failed, "{len}");
		}
	}
}
