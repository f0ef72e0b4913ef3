// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a long task tells while it runs.

use planaria_primitives::{FileId, FileIndex, MinerId, Tick};
use std::{sync::Arc, time::Duration};

/// Told what happens. It must return quickly.
pub type Progress<E> = Arc<dyn Fn(E) + Send + Sync>;

/// Tells nobody.
pub fn silent<E>() -> Progress<E> {
	Arc::new(|_| {})
}

/// What happens while a file is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PutEvent {
	/// So many of the bytes were digested, to be encrypted.
	Digesting {
		/// How many.
		bytes: u64,
		/// How many there are.
		size: u64,
	},
	/// So many of the file's bytes were read for the commitment.
	Committing {
		/// How many.
		bytes: u64,
		/// How many there are.
		size: u64,
	},
	/// The file's id is known.
	Committed(FileId),
	/// The storage order is in a block.
	Ordered(FileIndex),
	/// An earlier storage order of the same file goes on.
	Resumed {
		/// Which.
		file: FileIndex,
		/// How many fragments are not confirmed yet.
		unconfirmed: u32,
	},
	/// Segments below this number are placed.
	Placed {
		/// How many.
		segments: u32,
		/// How many there are.
		of: u32,
	},
	/// A fragment is on its holder's disk.
	Sent {
		/// Its segment's number.
		segment: u32,
		/// Its place in the segment.
		index: u8,
		/// Its holder.
		miner: MinerId,
		/// Its length.
		bytes: u32,
		/// How long that took, if the holder had nothing of it before.
		took: Option<Duration>,
	},
	/// A miner did not do its part, and that is its own fault: it is silent, refuses or fails. What
	/// follows from that for its other fragments is not told again.
	Blamed {
		/// Who.
		miner: MinerId,
		/// What it did.
		reason: String,
	},
	/// A fragment goes to another miner.
	Replaced {
		/// Its segment's number.
		segment: u32,
		/// Its place in the segment.
		index: u8,
		/// Who had it.
		from: MinerId,
		/// Who gets it.
		to: MinerId,
		/// Why.
		reason: String,
	},
	/// None of the candidates that were drawn for fragments of a segment takes them: more are drawn.
	Waiting {
		/// The segment's number.
		segment: u32,
		/// When, unless a fragment is confirmed meanwhile.
		until: Tick,
	},
	/// So many fragments are confirmed on chain.
	Confirmed {
		/// How many.
		fragments: u64,
		/// How many there are.
		of: u64,
	},
}

/// What happens while a file is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GetEvent {
	/// The file was found.
	Found {
		/// Which instance.
		file: FileIndex,
		/// Its size.
		size: u64,
	},
	/// A fragment arrived and was verified.
	Fetched {
		/// Its segment's number.
		segment: u32,
		/// Its place in the segment.
		index: u8,
		/// Its length.
		bytes: u32,
	},
	/// A holder failed or is slow; another one is asked.
	Spare {
		/// The segment's number.
		segment: u32,
		/// The fragment that is asked for in addition.
		index: u8,
		/// What happened.
		reason: String,
	},
	/// So many of the file's bytes are written.
	Written {
		/// How many.
		bytes: u64,
	},
}
