// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can go wrong.

use std::{io, path::PathBuf};

/// Why nothing is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
	/// The sealed file would be longer than 2^63 bytes.
	#[error("{0} bytes are too many to be encrypted as one file")]
	TooLong(u64),
	/// The system has no random numbers.
	#[error("the system gives no random numbers")]
	NoRandom,
}

/// Why a sealed file, or a range of it, is not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
	/// It does not begin as sealed files do.
	#[error("the file is not encrypted")]
	NotSealed,
	/// The format is newer than this program.
	#[error("version {0} of the encryption format is not known here; use a newer program")]
	UnknownVersion(u8),
	/// The method is newer than this program.
	#[error("encryption method {0} is not known here; use a newer program")]
	UnknownMethod(u8),
	/// The header ends too early.
	#[error("the encryption header ends after {have} of {need} bytes")]
	ShortHeader {
		/// How many bytes there are.
		have: u64,
		/// How many it says, or must have.
		need: u64,
	},
	/// The header contradicts itself.
	#[error("the encryption header is malformed: {0}")]
	BadHeader(&'static str),
	/// The file has not the length that its header says.
	#[error("the encrypted file has {have} bytes instead of {expected}")]
	WrongLength {
		/// How many it has.
		have: u64,
		/// How many it must have.
		expected: u64,
	},
	/// None of the keys opens it.
	#[error("the file is encrypted for another key")]
	WrongKey,
	/// The header was altered.
	#[error("the encryption header was altered")]
	AlteredHeader,
	/// A frame was altered, or is not where it belongs.
	#[error("frame {0} of the encrypted file was altered")]
	AlteredFrame(u64),
	/// Bytes are missing at the end.
	#[error("the encrypted bytes end in frame {0}")]
	Truncated(u64),
	/// There are more bytes than the range has.
	#[error("there are bytes behind the encrypted range")]
	TooMuch,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
	/// The file cannot be read.
	#[error("cannot read the encryption key {path}: {error}")]
	Unreadable {
		/// Which file.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The file cannot be written.
	#[error("cannot write the encryption key {path}: {error}")]
	Unwritable {
		/// Which file.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The text is no key.
	#[error("not an encryption key: {0}")]
	Malformed(&'static str),
	/// The system has no random numbers.
	#[error("the system gives no random numbers")]
	NoRandom,
}
