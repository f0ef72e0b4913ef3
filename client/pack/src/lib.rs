// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Many small objects in one file.
//!
//! On chain a file costs the same whether it has one byte or a segment full of them. A **pack** is a
//! file of many objects, one after the other, with an index at its end; what is small costs its size
//! in it, and 6 bytes and its name. `docs/format.md` specifies every byte.
//!
//! - [`Writer`] appends objects and ends with the index.
//! - [`Index`] is read from a pack's end, by one read where the end that was read is long enough, and
//!   says which of the pack's bytes an object is.
//! - [`Index::live_bytes`], [`is_worth_repacking`] and [`repack`]: a pack never changes. Who deletes
//!   an object notes that in a catalogue of their own, and when too little of a pack is alive, copies
//!   that into another one.
//!
//! ```
//! use planaria_pack::{Index, Tail, Writer};
//!
//! let mut writer = Writer::new(Vec::new())?;
//! writer.append(b"a", b"first")?;
//! writer.append(b"b", b"second")?;
//! let (pack, _) = writer.finish()?;
//!
//! let len = pack.len() as u64;
//! let end = &pack[pack.len().saturating_sub(planaria_pack::TAIL_LEN)..];
//! let Tail::Index(index) = Index::from_tail(end, len)? else { panic!("it is not that long") };
//! let range = index.find(b"b").expect("it is there").range();
//! assert_eq!(&pack[range.start as usize..range.end as usize], b"second");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is verified: an index is taken only whole and as it was written, whatever it was read from.
//! The objects' bytes are verified by what the pack is stored as: a file's id, or its encryption.
//!
//! # Memory
//!
//! An index takes its length on disk, at most [`MAX_INDEX_LEN`], and 32 bytes per object; a writer
//! the same twice. Everything is synchronous.

mod error;

mod index;

mod repack;

mod writer;

pub use error::{AppendError, PackError, RepackError};
pub use index::{
	Entry, Index, MAX_INDEX_LEN, MAX_NAME_LEN, MAX_OBJECTS, TAIL_LEN, TRAILER_LEN, Tail,
};
pub use repack::{REPACK_BELOW, is_worth_repacking, repack};
pub use writer::Writer;

#[cfg(test)]
mod tests;
