// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reed-Solomon coding and commitment of files, streaming.
//!
//! A [`Coder`] knows one file's size and coding. Its verbs for one segment:
//!
//! - [`Coder::encode`]: a segment's bytes become all its fragments, hashed,
//! - [`Coder::reconstruct`]: any `data` fragments become any others,
//! - [`Coder::decode`]: any `data` fragments become the segment's bytes again,
//! - [`Coder::restore`]: any `data` fragments and one sidecar become all fragments of the segment
//!   with all their sidecars, checked against the [`FileId`](planaria_primitives::FileId),
//! - [`Coder::restore_some`]: any `data` fragments with their sidecars become any others with
//!   theirs, checked alike, at little more than the cost of [`Coder::reconstruct`].
//!
//! And for whole files, read from any [`Read`](std::io::Read) one segment at a time:
//!
//! - [`Coder::commit`] keeps nothing but the [`Commitment`],
//! - [`Coder::segments`] hands out the fragments, and has the commitment at the end.
//!
//! To store a file is to read it twice, because no fragment has a sidecar before the last segment
//! is read:
//!
//! ```
//! use planaria_erasure::{Coder, EncodedSegment};
//! use planaria_primitives::{CodingParams, FileSpec};
//!
//! let file = b"any bytes".as_slice();
//! let spec = FileSpec::new(9, CodingParams::LEAN)?;
//! let coder = Coder::new(spec);
//! let commitment = coder.commit(file)?;
//! let mut segments = coder.segments(file).expecting(&commitment);
//! let mut segment = EncodedSegment::default();
//! while segments.read_into(&mut segment)? {
//!     for (index, hash) in (0..).zip(segment.hashes()) {
//!         let sidecar = commitment.sidecar(&segment, index)?;
//!         sidecar.verify(commitment.id(), &spec, segment.number(), index, hash)?;
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The bytes
//!
//! They are those of the crate `reed-solomon-erasure` (`galois_8`), whatever [`Backend`] makes
//! them; `docs/format.md` specifies them.
//!
//! # Memory
//!
//! With `F` the length of the segment's fragments (8 MiB in every segment but the last), `n` the
//! fragments per segment and `s` the number of segments, these are the most that is allocated, for
//! every `n`, besides 8 MiB for tables, hash states and the columns in work:
//!
//! | what | at most | `2+1` | `4+8` | n = 64 |
//! |---|---|---|---|---|
//! | an [`EncodedSegment`] | n × F | 24 MiB | 96 MiB | 512 MiB |
//! | [`Segments`], beside the segment it fills | 32 B × s | | | |
//! | [`Coder::commit`] | data × F + 128 B × s | 16 MiB | 32 MiB | 504 MiB |
//! | a [`Commitment`] | 96 B × s | | | |
//! | [`Coder::reconstruct`] | wanted × F | | | |
//! | [`Coder::decode`] | missing source fragments × F | 8 MiB | 32 MiB | 256 MiB |
//! | [`Coder::restore`] | n × F | 24 MiB | 96 MiB | 512 MiB |
//! | [`Coder::restore_some`] | wanted × F | | | |
//!
//! The columns give the largest segment. What grows with `s` is 8 KiB for 1 GiB of `2+1`, and
//! 128 MiB for the largest file there can be. A small file takes no more than its own fragments.
//! Everything here is synchronous and runs on the calling thread.

mod backend;

mod coder;

mod segment;

mod paths;

mod stream;

mod error;

pub use backend::Backend;
pub use coder::Coder;
pub use error::{DecodeError, EncodeError, ReadError, ReconstructError, RestoreError};
pub use segment::{EncodedSegment, RestoredFragment, Sibling};
pub use stream::{Commitment, Segments, commit};
