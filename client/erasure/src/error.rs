// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can go wrong, one type per operation.

use planaria_primitives::SidecarError;
use std::io;

/// Why bytes are not encoded as a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
	/// The file has no such segment.
	#[error("the file has no segment {segment}")]
	NoSuchSegment {
		/// The number that was given.
		segment: u32,
	},
	/// The bytes are not as many as this segment of the file has.
	#[error("segment {segment} has {expected} bytes, not {len}")]
	WrongLength {
		/// The segment's number.
		segment: u32,
		/// How many bytes were given.
		len: u64,
		/// How many there have to be.
		expected: u64,
	},
}

/// Why a file is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
	/// The reader failed.
	#[error("the file cannot be read")]
	Io(#[from] io::Error),
	/// The reader ended early.
	#[error("the file ends after {read} of {size} bytes")]
	TooShort {
		/// How many bytes there were.
		read: u64,
		/// The file's stated size.
		size: u64,
	},
	/// The reader did not end where the file should.
	#[error("the file goes on after {size} bytes")]
	TooLong {
		/// The file's stated size.
		size: u64,
	},
	/// A segment is not the one that was committed to: the file changed in between.
	#[error("segment {segment} changed since the file was committed to")]
	Changed {
		/// The segment's number.
		segment: u32,
	},
}

/// Why fragments are not reconstructed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReconstructError {
	/// The file has no such segment.
	#[error("the file has no segment {segment}")]
	NoSuchSegment {
		/// The number that was given.
		segment: u32,
	},
	/// The segment has no such fragment.
	#[error("a segment of this file has no fragment {index}")]
	NoSuchFragment {
		/// The index that was given, or wanted.
		index: u8,
	},
	/// A fragment was given, or wanted, twice.
	#[error("fragment {index} is named twice")]
	Repeated {
		/// Its index.
		index: u8,
	},
	/// A fragment has not the length that all fragments of this segment have.
	#[error("fragment {index} has {len} bytes instead of {expected}")]
	WrongLength {
		/// Its index.
		index: u8,
		/// Its length.
		len: usize,
		/// The length it has to have.
		expected: usize,
	},
	/// Fewer fragments were given than are needed.
	#[error("{present} fragments are too few, {needed} are needed")]
	TooFew {
		/// How many were given.
		present: usize,
		/// How many are needed.
		needed: usize,
	},
}

/// Why a segment is not decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
	/// The source fragments cannot be had.
	#[error(transparent)]
	Reconstruct(#[from] ReconstructError),
	/// The bytes cannot be written.
	#[error("the segment cannot be written")]
	Io(#[from] io::Error),
}

/// Why a segment is not restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
	/// The source fragments cannot be had.
	#[error(transparent)]
	Reconstruct(#[from] ReconstructError),
	/// The rebuilt segment and the sibling's sidecar do not lead to the file.
	///
	/// If every fragment was checked against its own sidecar, as was the sibling's, then what was
	/// stored is not a codeword.
	#[error("what was rebuilt is not of this file: {0}")]
	Sidecar(SidecarError),
}
