// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Why a file is not stored.

use crate::{ChainError, PlacementError};
use planaria_primitives::{FileIndex, SpecError};
use planaria_seal::SealError;
use std::{io, path::PathBuf};

/// Why a file is not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
	/// The content cannot be read.
	#[error("cannot read {name}: {error}")]
	Unreadable {
		/// Which file, or what else.
		name: String,
		/// Why.
		error: io::Error,
	},
	/// Only regular files can be read twice.
	#[error("{0} is not a regular file; what is stored has to be read twice")]
	NotAFile(PathBuf),
	/// The file and the coding do not go together.
	#[error(transparent)]
	Spec(#[from] SpecError),
	/// The content cannot be encrypted.
	#[error(transparent)]
	Seal(#[from] SealError),
	/// The file changed while it was being stored.
	#[error("the file changed while it was being stored; store a copy that does not change")]
	Changed,
	/// The chain could not be asked, or said no.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// Too few miners.
	#[error(transparent)]
	Placement(#[from] PlacementError),
	/// None of the candidates that were drawn takes a fragment, and no more will be.
	#[error(
		"file {file}: of the candidates that were drawn for {needed} fragments of segment {segment} \
		 only those for {found} can take them, and no more come; delete it and put it again, or \
		 choose its holders (--placement chosen)"
	)]
	NoCandidates {
		/// The file.
		file: FileIndex,
		/// The segment's number.
		segment: u32,
		/// How many fragments need a holder.
		needed: usize,
		/// How many can have one.
		found: usize,
	},
	/// The chain does not say who is drawn.
	#[error("nobody was drawn to hold file {0} yet; put the file again later to go on")]
	NotDrawn(FileIndex),
	/// No miner took a fragment.
	#[error(
		"no miner took fragment {index} of segment {segment} after {tried} were tried; the last {last}"
	)]
	NoHolder {
		/// The segment's number.
		segment: u32,
		/// The fragment's place in it.
		index: u8,
		/// How many miners were tried.
		tried: u32,
		/// What the last one said.
		last: String,
	},
	/// A holder's answer shows that trying on is of no use.
	#[error("fragment {index} of segment {segment} cannot be stored: {reason}")]
	GaveUp {
		/// The segment's number.
		segment: u32,
		/// The fragment's place in it.
		index: u8,
		/// What the holder said.
		reason: String,
	},
	/// No holder confirms.
	#[error(
		"file {file}: holders of segments {first} to {} do not confirm what they have; put the file \
		 again later to go on", .first + .count - 1
	)]
	Unconfirmed {
		/// The file.
		file: FileIndex,
		/// The first segment's number.
		first: u32,
		/// How many segments.
		count: u32,
	},
	/// The storage order failed.
	#[error(
		"the storage order of file {0} failed: no fragment was confirmed for too long; put the file again"
	)]
	Failed(FileIndex),
	/// The file was deleted meanwhile.
	#[error("file {0} was deleted while it was being stored")]
	Deleted(FileIndex),
	/// A fork took the storage order, and it did not come back.
	#[error("the storage order is gone from the chain (a fork); put the file again")]
	Vanished,
}

impl PutError {
	/// Whether there are too few miners that take data and are allowed, among all or among those
	/// that were drawn.
	pub const fn lacks_miners(&self) -> bool {
		matches!(self, Self::Placement(_) | Self::NoCandidates { .. })
	}
}
