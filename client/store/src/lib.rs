// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The fragment store on a miner's disk.
//!
//! A miner is paid for bytes it still has, so the store has one job: what it acknowledged is there,
//! and it says so itself when it is not. [`FragmentStore`] is what the rest of the miner sees;
//! [`DiskStore`] keeps fragments as plain files, [`MemoryStore`] keeps them in memory for tests and
//! simulations, and [`conformance`] is the one suite both of them pass.
//!
//! # Words
//!
//! A fragment is known by its [`FragmentHash`], so identical bytes are stored once, whoever they
//! belong to. A [`FragmentUse`] says what they are stored for: a [`FragmentName`], the geometry of
//! the file, and the sidecar that proves the fragment up to that file. Bytes go when the last use
//! is [released](FragmentStore::release).
//!
//! A fragment is **broken** when its bytes are gone or wrong. It is then never served, but its uses
//! stay known, because they say what has to be restored. Wrong bytes stay in quarantine until
//! somebody [forgets](FragmentStore::forget_quarantined) them, which is refused until whole bytes
//! are back, or until the last use is released.
//!
//! Bytes that the disk cannot read are neither: a loose cable is no damage. They stay where they are
//! until somebody [gives them up](FragmentStore::give_up).
//!
//! # Properties
//!
//! - **Durable before acknowledged.** When a call that changes something returns `Ok`, the change
//!   is synced. A process killed at any point leaves the state before or after the call.
//! - **Nothing wrong gets in.** A use is checked against its file id before the first byte is
//!   written, the bytes against their hash before they are stored.
//! - **Nothing wrong gets out twice.** What fails its hash is quarantined and refused to readers.
//! - **Full is an error before the first byte.** Room is reserved when a write begins.
//! - **Bounded memory.** Bytes are streamed through buffers of [`BUFFER_LEN`]; lists come in pages
//!   of at most [`PAGE_LEN`]. The disk store keeps 32 MiB of its manifest in memory and a few dozen
//!   bytes per write in progress or interrupted.
//!
//! Calls block; asynchronous callers wrap them in `spawn_blocking`.
//!
//! # Non-goals
//!
//! The store does not know the chain: which names a miner should have is for its caller to say. It
//! serves bytes as they are on the disk without hashing them again; whoever receives them checks.

mod types;

mod error;

mod store;

mod writer;

mod reader;

mod verify;

mod memory;

pub mod disk;

pub mod conformance;

pub use disk::{DiskOptions, DiskStore};
pub use error::{
	BeginError, CommitError, ForgetError, OpenError, PutError, ReadError, StoreError, WriteError,
};
pub use memory::MemoryStore;
pub use planaria_primitives::{FragmentHash, FragmentName};
pub use reader::Reader;
pub use store::{FragmentStore, FragmentStoreExt, Pass, Verified};
pub use types::{Begun, Entry, Fragment, FragmentUse, Note, Put, Released, Usage, Verdict};
pub use writer::{Sink, Writer};

/// The buffers that bytes are streamed through: 256 KiB.
pub const BUFFER_LEN: usize = 256 << 10;

/// The longest page of a list, whatever limit the caller gives.
pub const PAGE_LEN: usize = 1024;
