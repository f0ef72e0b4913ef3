// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The commitment to a file, and the sidecar that proves a fragment up to it.

use crate::{
	FileId, FileSpec, FragmentHash, Hash,
	merkle::{self, Level, Tree},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;
use scale_info::TypeInfo;

/// The domain of a [`FileId`].
pub const FILE_ID_CONTEXT: &str = "planaria 2026 file";

/// The id of a file with this geometry and file root.
///
/// BLAKE3 `derive_key` over codec, data, parity (a byte each), size (u64, little-endian) and root.
pub fn file_id(spec: &FileSpec, file_root: &Hash) -> FileId {
	let coding = spec.coding();
	let mut hasher = blake3::Hasher::new_derive_key(FILE_ID_CONTEXT);
	hasher.update(&[coding.codec, coding.data, coding.parity]);
	hasher.update(&spec.size().to_le_bytes());
	hasher.update(file_root);
	FileId(*hasher.finalize().as_bytes())
}

/// The tree over a segment's fragment hashes, in fragment order; `None` where there are none.
pub fn segment_tree(fragments: &[FragmentHash]) -> Option<Tree> {
	Tree::new(Level::Segment, fragments.iter().map(|hash| hash.0))
}

/// The tree over a file's segment roots, in file order; `None` where there are none.
pub fn file_tree(segment_roots: &[Hash]) -> Option<Tree> {
	Tree::new(Level::File, segment_roots.iter().copied())
}

/// What proves a fragment up to its [`FileId`]: the siblings of its hash in the segment's tree,
/// then those of the segment's root in the file's, bottom up, 32 bytes each, nothing else.
///
/// Its length follows from the file's geometry and the fragment's place, so there is exactly one
/// shape to accept. At most 832 bytes.
#[derive(
	Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub struct Sidecar(pub Vec<u8>);

impl Sidecar {
	/// The longest there is: 6 siblings in the segment's tree, 20 in the file's.
	pub const MAX_LEN: usize = (6 + 20) * 32;

	/// The sidecar of fragment `index` of segment number `segment`; `None` where one of the trees
	/// has no such leaf.
	pub fn new(segment_tree: &Tree, index: u8, file_tree: &Tree, segment: u32) -> Option<Self> {
		let mut path = segment_tree.path(u32::from(index))?;
		path.extend(file_tree.path(segment)?);
		Some(Self(path.into_flattened()))
	}

	/// The length of the sidecar of that fragment in bytes.
	pub fn len_for(spec: &FileSpec, segment: u32, index: u8) -> usize {
		32 * (merkle::path_len(u32::from(index), u32::from(spec.fragments()))
			+ merkle::path_len(segment, spec.segments()))
	}

	/// Checks that the fragment with this hash is fragment `index` of segment number `segment` of
	/// the file `id`, whose geometry is `spec`.
	pub fn verify(
		&self,
		id: &FileId,
		spec: &FileSpec,
		segment: u32,
		index: u8,
		hash: &FragmentHash,
	) -> Result<(), SidecarError> {
		verify_path(&self.0, id, spec, segment, index, hash)
	}

	/// The part that all fragments of the segment share: the path of the segment's root.
	///
	/// With it, whoever has rebuilt a segment makes the sidecars of all its fragments:
	/// [`Sidecar::from_parts`].
	pub fn file_path(&self, spec: &FileSpec, segment: u32) -> Option<&[u8]> {
		let len = 32 * merkle::path_len(segment, spec.segments());
		self.0.len().checked_sub(len).and_then(|start| self.0.get(start..))
	}

	/// The sidecar of fragment `index` from the segment's own tree and the path that a sibling's
	/// sidecar shares with it; `None` where the tree has no such leaf.
	pub fn from_parts(segment_tree: &Tree, index: u8, file_path: &[u8]) -> Option<Self> {
		let mut bytes = segment_tree.path(u32::from(index))?.into_flattened();
		bytes.extend_from_slice(file_path);
		Some(Self(bytes))
	}
}

/// [`Sidecar::verify`] on bytes that are still part of a longer message.
pub(crate) fn verify_path(
	path: &[u8],
	id: &FileId,
	spec: &FileSpec,
	segment: u32,
	index: u8,
	hash: &FragmentHash,
) -> Result<(), SidecarError> {
	if index >= spec.fragments() || segment >= spec.segments() {
		return Err(SidecarError::NoSuchFragment);
	}
	let (index, fragments) = (u32::from(index), u32::from(spec.fragments()));
	let in_segment = 32 * merkle::path_len(index, fragments);
	let (in_segment, in_file) =
		path.split_at_checked(in_segment).ok_or(SidecarError::WrongLength)?;
	let file_root = merkle::root_from_path(Level::Segment, &hash.0, index, fragments, in_segment)
		.and_then(|root| {
			merkle::root_from_path(Level::File, &root, segment, spec.segments(), in_file)
		})
		.ok_or(SidecarError::WrongLength)?;
	if file_id(spec, &file_root) == *id { Ok(()) } else { Err(SidecarError::WrongFile) }
}

/// Why a sidecar does not prove a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SidecarError {
	/// The file has no such segment, or the segment no such fragment.
	NoSuchFragment,
	/// The path has not the one length that fits.
	WrongLength,
	/// The path leads to another file, or the fragment is another one.
	WrongFile,
}

impl fmt::Display for SidecarError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NoSuchFragment => "the file has no such fragment",
			Self::WrongLength => "the sidecar has the wrong length",
			Self::WrongFile => "the sidecar does not lead to the file id",
		})
	}
}

impl core::error::Error for SidecarError {}
