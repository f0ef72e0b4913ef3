// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The commitments, ids and mailbox types every part of Planaria shares.
//!
//! Everything a miner holds is checked against 32 bytes, the [`FileId`]. The path from a byte on a
//! disk to that id has these steps, each in a module of its own, in reading order:
//!
//! - [`ids`]: what files, segments, fragments and miners are called,
//! - [`coding`]: how a file is cut into segments and fragments ([`FileSpec`]),
//! - [`merkle`]: the trees between a fragment's hash and the file's root,
//! - [`commitment`]: the [`FileId`] and the [`Sidecar`] that proves a fragment up to it,
//! - [`proof`]: the [`FragmentProof`] that proves one chunk of a fragment,
//! - [`sampling`]: which fragments and chunks a random seed asks for,
//! - [`placement`]: which miners a random seed offers for a fragment,
//! - [`segment`]: the chain's record of a segment, as the chain stores it,
//! - [`duty`]: what a miner signs when it does what the chain asked of it,
//! - [`mailbox`]: what the offchain worker and the engine tell each other,
//! - [`size`]: numbers of bytes as people write them.
//!
//! The bytes are specified, with test vectors, in `docs/format.md`. The crate is `no_std`, knows
//! no FRAME, and trusts nothing it is given: sizes and coding come from the chain's record, never
//! from a message.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod ids;

pub mod coding;

pub mod merkle;

pub mod commitment;

pub mod proof;

pub mod sampling;

pub mod placement;

pub mod segment;

pub mod duty;

pub mod mailbox;

pub mod size;

pub use coding::{CodingError, CodingParams, FileSpec, SpecError};
pub use commitment::{Sidecar, SidecarError, file_id};
pub use ids::{
	FileId, FileIndex, FragmentHash, FragmentId, FragmentName, MinerId, SegmentId, Tick,
};
pub use placement::PlacementRule;
pub use proof::{FragmentProof, ProofError};
pub use segment::Segment;

/// A 32-byte hash that stands inside a tree; the ids and fragment hashes have types of their own.
pub type Hash = [u8; 32];

/// The largest fragment: 8 MiB.
pub const MAX_FRAGMENT_LEN: u32 = 8 << 20;

/// A chunk is what one challenge asks for: 1 KiB, the chunk of BLAKE3.
pub const CHUNK_LEN: u32 = 1024;

/// A segment has at most this many fragments.
pub const MAX_FRAGMENTS: u8 = 64;

/// A segment that can spare this many fragments or fewer is thin: it is restored before others, and
/// every fragment restored for it is proven.
pub const THIN_SPARE: i16 = 1;

/// A file has at most this many segments.
pub const MAX_SEGMENTS: u32 = 1 << 20;
