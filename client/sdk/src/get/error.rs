// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is read, and why it is not.

use crate::ChainError;
use planaria_primitives::{FileId, FileIndex, SpecError};
use planaria_seal::OpenError;
use std::{fmt, io, path::PathBuf, str::FromStr};

/// What is to be read: one instance, or any instance of some content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
	/// A stored instance.
	File(FileIndex),
	/// Any instance of this content.
	Id(FileId),
}

impl fmt::Display for Target {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::File(file) => write!(f, "file {file}"),
			Self::Id(id) => write!(f, "file id {id}"),
		}
	}
}

/// Reads a file's number, or its id of 64 hexadecimal digits.
impl FromStr for Target {
	type Err = TargetError;
	fn from_str(text: &str) -> Result<Self, TargetError> {
		let id = || text.parse().map(Self::Id);
		if text.len() >= 64 {
			return id().map_err(|_| TargetError);
		}
		text.parse().map(Self::File).map_err(|_| TargetError)
	}
}

/// The text is neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a file's number, or its id of 64 hexadecimal digits")]
pub struct TargetError;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
	/// There is no such file on chain.
	#[error("there is no {0} on this chain")]
	NotFound(Target),
	/// The destination exists.
	#[error("{0} exists already")]
	Exists(PathBuf),
	/// The destination cannot be written.
	#[error("cannot write {path}: {error}")]
	Unwritable {
		/// Which file.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The chain's record of the file is unsound.
	#[error("the chain's record of the file is unsound: {0}")]
	Spec(#[from] SpecError),
	/// The chain could not be asked.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The file is encrypted and cannot be decrypted.
	#[error(transparent)]
	Sealed(#[from] OpenError),
	/// Too few fragments can be had now.
	#[error(
		"segment {segment} cannot be restored now: {have} of the {need} fragments needed can be \
		 had{}{}", if .reasons.is_empty() { "" } else { "; " }, .reasons.join(", ")
	)]
	Unrestorable {
		/// The segment's number.
		segment: u32,
		/// How many fragments were had.
		have: usize,
		/// How many are needed.
		need: usize,
		/// What went wrong with the others.
		reasons: Vec<String>,
	},
	/// The parity that was stored does not belong to the data.
	#[error(
		"segment {segment} is not a codeword: whoever stored it made parity that does not belong to \
		 its data, so it can be read only while all its source fragments can be had"
	)]
	NotCodeword {
		/// The segment's number.
		segment: u32,
	},
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn targets_are_read() {
		assert_eq!("7".parse(), Ok(Target::File(FileIndex(7))));
		let id = FileId([0xab; 32]);
		assert_eq!(id.to_string().parse(), Ok(Target::Id(id)));
		assert_eq!(format!("0x{id}").parse(), Ok(Target::Id(id)));
		for text in ["", "-1", "abc", &"x".repeat(64)] {
			assert_eq!(text.parse::<Target>(), Err(TargetError), "{text}");
		}
	}
}
