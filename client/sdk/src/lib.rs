// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Put and get pipelines and chain access for programs.
//!
//! - [`Chain`] is a connection to a node: it reads the state and submits transactions. The
//!   runtime's metadata is fetched when it connects, so a program keeps working when the runtime
//!   is upgraded.
//! - [`put`](fn@put) stores a file, [`get`](fn@get) reads one, and a [`Reader`] reads ranges of one. They work on the two seams [`Ledger`] (what the
//!   chain says) and [`Transport`] (fragments to and from miners), so that they run in tests
//!   without a chain.
//! - [`sealed`] encrypts what is put and decrypts what is read. [`put`](fn@put) and
//!   [`get`](fn@get) themselves store and read bytes as they are.
//!
//! ```no_run
//! use planaria_sdk::{
//!     Account, Chain, Destination, GetOptions, PutOptions, Secret, Target, TransferTransport, get,
//!     progress, put,
//! };
//! use std::{path::Path, sync::Arc};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let chain = Chain::connect("ws://127.0.0.1:9944").await?;
//! let transport = Arc::new(TransferTransport::bind(chain.genesis()).await?);
//! let account = Arc::new(Account::new(chain.clone(), Secret::from_uri("//Alice")?));
//! let stored = put(
//!     account,
//!     transport.clone(),
//!     Path::new("photo.jpg"),
//!     PutOptions::default(),
//!     progress::silent(),
//! )
//! .await?;
//!
//! let copy = Destination::File { path: "copy.jpg".into(), overwrite: false };
//! let target = Target::File(stored.file);
//! get(Arc::new(chain), transport, target, copy, GetOptions::default(), progress::silent()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Memory
//!
//! A program's memory for file contents stays below [`MEMORY_BUDGET`] however large the file is,
//! as long as one segment fits into it; see [`put`](fn@put) and [`get`](fn@get) for what a segment takes. For a
//! 1 GiB file with `lean` it is 120 MiB either way, beside what the transport has on its way.
//! The commitment to a file takes 96 bytes per segment.

pub mod chain;
pub mod get;
pub mod keys;
pub mod ledger;
pub mod placement;
pub mod progress;
pub mod put;
pub mod retry;
pub mod sealed;
pub mod transport;
pub mod units;

pub use chain::{Account, Chain, ChainError, Included, View, Wait};
pub use get::{
	ByteRange, Destination, GetError, GetOptions, GetReport, Output, Reader, Target, get,
};
pub use keys::{KeyError, Secret};
pub use ledger::{Ledger, Orders};
pub use placement::{Placement, PlacementError, Planner, Preferences};
pub use put::{Content, FileContent, PutError, PutOptions, PutReport, put, put_content};
pub use sealed::{SealedContent, SealedReader, UserKey};
pub use transport::{TransferTransport, Transport};

pub use planaria_primitives as primitives;
pub use planaria_runtime_api as api;
pub use sp_runtime::AccountId32;

/// The most memory that [`put`](fn@put) and [`get`](fn@get) use for segments at once, unless a single one takes
/// more (32+32 does: 768 MiB).
pub const MEMORY_BUDGET: u64 = 300 << 20;

/// How many segments of such a file are worked on at once: each takes `(data + n) × F` while it is
/// encoded or rebuilt.
fn segments_at_once(spec: &primitives::FileSpec, most: usize) -> usize {
	let fragments = u64::from(spec.data()) + u64::from(spec.fragments());
	let fitting = MEMORY_BUDGET / (fragments * u64::from(spec.fragment_len(0))).max(1);
	usize::try_from(fitting).unwrap_or(most).clamp(1, most.max(1))
}

#[cfg(test)]
mod tests;
