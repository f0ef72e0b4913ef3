// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The proof that a miner can read one chunk of a fragment.

use crate::{
	CHUNK_LEN, FileId, FileSpec, FragmentHash, Hash, Sidecar, SidecarError,
	commitment::verify_path,
	merkle::{self, Side},
};
use alloc::vec::Vec;
use blake3::{
	Hasher,
	hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;
use scale_info::TypeInfo;

/// Proves one chunk of a fragment up to its [`FileId`]: the chunk's bytes, the siblings of its
/// chaining value in the fragment's own BLAKE3 tree, then the fragment's [`Sidecar`]; bottom up,
/// one after the other, nothing else.
///
/// Every length follows from the file's geometry and the chunk's place, so for each chunk there is
/// exactly one shape to accept. At most 2,272 bytes.
#[derive(
	Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub struct FragmentProof(pub Vec<u8>);

impl FragmentProof {
	/// The longest there is: a whole chunk, 13 siblings of the largest fragment, a sidecar.
	pub const MAX_LEN: usize = CHUNK_LEN as usize + 13 * 32 + Sidecar::MAX_LEN;

	/// The proof of chunk number `chunk` of `fragment`, whose sidecar is `sidecar`; `None` where
	/// the fragment has no such chunk. Hashes the whole fragment once.
	pub fn new(fragment: &[u8], chunk: u32, sidecar: &Sidecar) -> Option<Self> {
		let start = usize::try_from(u64::from(chunk) * u64::from(CHUNK_LEN)).ok()?;
		let bytes = fragment.get(start..).filter(|rest| !rest.is_empty())?;
		let mut proof = Vec::with_capacity(Self::MAX_LEN);
		proof.extend_from_slice(&bytes[..bytes.len().min(CHUNK_LEN as usize)]);
		push_siblings(&mut proof, fragment, 0, start);
		proof.extend_from_slice(&sidecar.0);
		Some(Self(proof))
	}

	/// The length of the proof of that chunk in bytes.
	pub fn len_for(spec: &FileSpec, segment: u32, index: u8, chunk: u32) -> usize {
		spec.chunk_len(segment, chunk) as usize
			+ 32 * merkle::path_len(chunk, spec.chunks(segment))
			+ Sidecar::len_for(spec, segment, index)
	}

	/// Checks that this is chunk number `chunk` of fragment `index` of segment number `segment`
	/// of the file `id`, whose geometry is `spec`. Allocates nothing.
	pub fn verify(
		&self,
		id: &FileId,
		spec: &FileSpec,
		segment: u32,
		index: u8,
		chunk: u32,
	) -> Result<(), ProofError> {
		let chunks = spec.chunks(segment);
		if chunk >= chunks {
			return Err(ProofError::NoSuchChunk);
		}
		let wrong_length = ProofError::Sidecar(SidecarError::WrongLength);
		let (bytes, rest) =
			self.0.split_at_checked(spec.chunk_len(segment, chunk) as usize).ok_or(wrong_length)?;
		let (path, sidecar) =
			rest.split_at_checked(32 * merkle::path_len(chunk, chunks)).ok_or(wrong_length)?;
		let hash = fragment_hash(bytes, chunk, chunks, path);
		verify_path(sidecar, id, spec, segment, index, &hash).map_err(ProofError::Sidecar)
	}
}

/// The hash of the fragment of `chunks` chunks that has these bytes as chunk number `chunk`, if
/// `path` is true. The caller has checked all lengths.
fn fragment_hash(bytes: &[u8], chunk: u32, chunks: u32, path: &[u8]) -> FragmentHash {
	if chunks == 1 {
		return FragmentHash::of(bytes);
	}
	let (siblings, _) = path.as_chunks::<32>();
	let offset = u64::from(chunk) * u64::from(CHUNK_LEN);
	let mut value: Hash = Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root();
	let mut steps = merkle::sides(chunk, chunks).zip(siblings).peekable();
	while let Some((side, sibling)) = steps.next() {
		let (left, right) = match side {
			Side::Left => (sibling, &value),
			Side::Right => (&value, sibling),
		};
		value = if steps.peek().is_some() {
			merge_subtrees_non_root(left, right, Mode::Hash)
		} else {
			*merge_subtrees_root(left, right, Mode::Hash).as_bytes()
		};
	}
	FragmentHash(value)
}

/// Pushes the siblings of the chunk at `chunk_start` in the subtree `bytes`, which begins at
/// `start` of the fragment, bottom up.
fn push_siblings(proof: &mut Vec<u8>, bytes: &[u8], start: usize, chunk_start: usize) {
	if bytes.len() <= CHUNK_LEN as usize {
		return;
	}
	let split =
		bytes.len().div_ceil(CHUNK_LEN as usize).next_power_of_two() / 2 * CHUNK_LEN as usize;
	let (left, right) = bytes.split_at(split);
	let middle = start + split;
	let (own, own_start, sibling, sibling_start) = if chunk_start < middle {
		(left, start, right, middle)
	} else {
		(right, middle, left, start)
	};
	push_siblings(proof, own, own_start, chunk_start);
	let value =
		Hasher::new().set_input_offset(sibling_start as u64).update(sibling).finalize_non_root();
	proof.extend_from_slice(&value);
}

/// Why a [`FragmentProof`] proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofError {
	/// The fragment has no such chunk.
	NoSuchChunk,
	/// What leads from the chunk to the file is wrong.
	Sidecar(SidecarError),
}

impl fmt::Display for ProofError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::NoSuchChunk => f.write_str("the fragment has no such chunk"),
			Self::Sidecar(error) => write!(f, "the proof is wrong: {error}"),
		}
	}
}

impl core::error::Error for ProofError {}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		CodingParams,
		commitment::{file_id, file_tree, segment_tree},
		merkle::Tree,
	};
	use alloc::vec;
	use proptest::prelude::*;

	/// A file of bytes that are not even a codeword: proofs do not care.
	struct File {
		spec: FileSpec,
		id: FileId,
		fragments: Vec<Vec<Vec<u8>>>,
		trees: Vec<Tree>,
		file_tree: Tree,
	}

	impl File {
		fn new(size: u64, coding: CodingParams) -> Self {
			let spec = FileSpec::new(size, coding).expect("valid");
			let fragments: Vec<Vec<Vec<u8>>> = (0..spec.segments())
				.map(|segment| {
					(0..spec.fragments())
						.map(|index| {
							let mut bytes = vec![0; spec.fragment_len(segment) as usize];
							let mut hasher = Hasher::new();
							hasher.update(&segment.to_le_bytes()).update(&[index]);
							hasher.finalize_xof().fill(&mut bytes);
							bytes
						})
						.collect()
				})
				.collect();
			let trees: Vec<Tree> = fragments
				.iter()
				.map(|segment| {
					let hashes: Vec<_> = segment.iter().map(|f| FragmentHash::of(f)).collect();
					segment_tree(&hashes).expect("not empty")
				})
				.collect();
			let roots: Vec<Hash> = trees.iter().map(Tree::root).collect();
			let file_tree = file_tree(&roots).expect("not empty");
			Self { id: file_id(&spec, &file_tree.root()), spec, fragments, trees, file_tree }
		}

		fn sidecar(&self, segment: u32, index: u8) -> Sidecar {
			Sidecar::new(&self.trees[segment as usize], index, &self.file_tree, segment)
				.expect("there is such a fragment")
		}

		fn proof(&self, segment: u32, index: u8, chunk: u32) -> FragmentProof {
			let fragment = &self.fragments[segment as usize][usize::from(index)];
			FragmentProof::new(fragment, chunk, &self.sidecar(segment, index))
				.expect("there is such a chunk")
		}

		fn verify(&self, proof: &FragmentProof, at: (u32, u8, u32)) -> Result<(), ProofError> {
			proof.verify(&self.id, &self.spec, at.0, at.1, at.2)
		}
	}

	#[test]
	fn every_chunk_is_proven_and_nothing_else() {
		let wide = CodingParams::new(32, 32).expect("valid");
		for (size, coding) in [
			(1, CodingParams::LEAN),
			(63, CodingParams::LEAN),
			(2048, CodingParams::LEAN),
			(2049, CodingParams::LEAN),
			(2 * 1024 * 7 - 100, CodingParams::LEAN),
			(4 * 1024 * 2 + 1, CodingParams::STANDARD),
			(32 * 1024 * 3, wide),
		] {
			let file = File::new(size, coding);
			let chunks = file.spec.chunks(0);
			for index in 0..file.spec.fragments() {
				for chunk in 0..chunks {
					let proof = file.proof(0, index, chunk);
					assert_eq!(proof.0.len(), FragmentProof::len_for(&file.spec, 0, index, chunk));
					assert_eq!(file.verify(&proof, (0, index, chunk)), Ok(()));
					for other in (0..chunks).filter(|other| *other != chunk) {
						assert!(file.verify(&proof, (0, index, other)).is_err());
					}
					for other in (0..file.spec.fragments()).filter(|other| *other != index) {
						assert!(file.verify(&proof, (0, other, chunk)).is_err());
					}
				}
			}
			assert_eq!(
				file.verify(&file.proof(0, 0, 0), (0, 0, chunks)),
				Err(ProofError::NoSuchChunk)
			);
			assert_eq!(file.verify(&file.proof(0, 0, 0), (1, 0, 0)), Err(ProofError::NoSuchChunk));
			let none = ProofError::Sidecar(SidecarError::NoSuchFragment);
			assert_eq!(file.verify(&file.proof(0, 0, 0), (0, file.spec.fragments(), 0)), Err(none));
		}
	}

	#[test]
	fn wrong_lengths_are_refused() {
		let file = File::new(2 * 1024 * 5, CodingParams::LEAN);
		let proof = file.proof(0, 1, 3);
		for len in 0..proof.0.len() {
			let short = FragmentProof(proof.0[..len].to_vec());
			assert!(file.verify(&short, (0, 1, 3)).is_err(), "{len} bytes");
		}
		for extra in [1, 31, 32, 64] {
			let mut long = proof.clone();
			long.0.extend(vec![0; extra]);
			assert!(file.verify(&long, (0, 1, 3)).is_err());
		}
	}

	#[test]
	fn another_file_is_refused() {
		let file = File::new(5000, CodingParams::LEAN);
		let same_root_other_size = FileSpec::new(5001, CodingParams::LEAN).expect("valid");
		let proof = file.proof(0, 0, 0);
		assert_eq!(same_root_other_size.fragment_len(0), file.spec.fragment_len(0));
		assert_eq!(
			proof.verify(&file.id, &same_root_other_size, 0, 0, 0),
			Err(ProofError::Sidecar(SidecarError::WrongFile))
		);
		assert!(File::new(9000, CodingParams::LEAN).verify(&proof, (0, 0, 0)).is_err());
	}

	#[test]
	fn segments_of_a_large_file_and_the_longest_proof() {
		// 1+1 with two whole segments and a short one: the segments are 8 MiB each.
		let file = File::new((16 << 20) + 100, CodingParams::new(1, 1).expect("valid"));
		for (segment, chunk) in [(0, 0), (0, 8191), (1, 4097), (2, 0)] {
			let proof = file.proof(segment, 1, chunk);
			assert_eq!(file.verify(&proof, (segment, 1, chunk)), Ok(()));
			assert!(file.verify(&proof, ((segment + 1) % 3, 1, chunk)).is_err());
		}
		let largest = CodingParams::new(32, 32).expect("valid");
		let spec = FileSpec::new(largest.segment_capacity() << 20, largest).expect("valid");
		assert_eq!(FragmentProof::len_for(&spec, 0, 0, 0), FragmentProof::MAX_LEN);
		const { assert!(FragmentProof::MAX_LEN <= 2300) };
	}

	#[test]
	fn a_sidecar_can_be_made_from_a_siblings() {
		let file = File::new((16 << 20) + 100, CodingParams::new(1, 3).expect("valid"));
		let sibling = file.sidecar(1, 0);
		let path = sibling.file_path(&file.spec, 1).expect("long enough");
		for index in 0..4 {
			let made =
				Sidecar::from_parts(&file.trees[1], index, path).expect("there is such a leaf");
			assert_eq!(made, file.sidecar(1, index));
		}
	}

	proptest! {
		#[test]
		fn one_wrong_bit_anywhere_is_refused(
			size in 1u64..20_000, at in any::<prop::sample::Index>(), bit in 0u8..8,
			chunk in any::<prop::sample::Index>(),
		) {
			let file = File::new(size, CodingParams::LEAN);
			let chunk = u32::try_from(chunk.index(file.spec.chunks(0) as usize)).expect("small");
			let mut proof = file.proof(0, 2, chunk);
			let at = at.index(proof.0.len());
			proof.0[at] ^= 1 << bit;
			prop_assert!(file.verify(&proof, (0, 2, chunk)).is_err());
		}
	}
}
