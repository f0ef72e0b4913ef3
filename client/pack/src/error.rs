// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can go wrong.

use std::io;

/// Why a pack is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackError {
	/// It is shorter than an empty pack, or ends differently.
	#[error("the file is not a pack")]
	NotAPack,
	/// The format is newer than this program.
	#[error("version {0} of packs is not known here; use a newer program")]
	UnknownVersion(u8),
	/// There are no objects, or more than a pack can have.
	#[error("the pack says that it has {0} objects")]
	AbsurdCount(u32),
	/// The index is longer than an index can be, or than the pack.
	#[error("the pack says that its index has {0} bytes")]
	AbsurdIndex(u32),
	/// These are not the bytes that were asked for.
	#[error("{have} bytes of the pack's end were given, {need} are needed")]
	WrongPart {
		/// How many there are.
		have: u64,
		/// How many there must be.
		need: u64,
	},
	/// The index is not the one that was written.
	#[error("the pack's index was altered")]
	AlteredIndex,
	/// The index ends within this object's entry.
	#[error("the pack's index ends within entry {0}")]
	ShortIndex(u32),
	/// There are bytes behind the last entry.
	#[error("bytes follow the last entry of the pack's index")]
	LongIndex,
	/// An object has no bytes.
	#[error("object {0} of the pack is empty")]
	EmptyObject(u32),
	/// An object has no name, or too long a one.
	#[error("object {0} of the pack has a name of {1} bytes")]
	BadName(u32, u16),
	/// Two objects have the same name.
	#[error("object {0} of the pack has the name of another one")]
	DuplicateName(u32),
	/// The objects together are not what lies before the index.
	#[error("the objects of the pack have {objects} bytes, and there is room for {room}")]
	WrongSizes {
		/// The sum of their lengths.
		objects: u64,
		/// What lies before the index.
		room: u64,
	},
}

/// Why an object is not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
	/// Objects without bytes need no place.
	#[error("an object without bytes is not packed")]
	Empty,
	/// The object is too long for an entry.
	#[error("an object of {0} bytes is too long for a pack")]
	TooLong(u64),
	/// There is no name, or too long a one.
	#[error("a name of {0} bytes: it must have 1 to 1024")]
	BadName(usize),
	/// There is an object of that name.
	#[error("the pack has an object of that name already")]
	Duplicate,
	/// The pack is full.
	#[error("the pack is full")]
	Full,
	/// There is nothing in it.
	#[error("a pack without objects is not finished")]
	NoObjects,
	/// The pack cannot be written. It is of no use any more.
	#[error("cannot write the pack: {0}")]
	Io(#[from] io::Error),
	/// An earlier write failed.
	#[error("the pack could not be written before")]
	Broken,
}

/// Why a pack is not repacked.
#[derive(Debug, thiserror::Error)]
pub enum RepackError<E> {
	/// The old one cannot be read.
	#[error("cannot read the pack: {0}")]
	Read(E),
	/// The new one cannot be written.
	#[error(transparent)]
	Append(#[from] AppendError),
}
