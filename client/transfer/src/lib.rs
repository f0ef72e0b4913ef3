// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Fragments between machines, verified while they arrive.
//!
//! # Participants
//!
//! - A **client** asks for fragments or offers them: a gateway, or a miner that restores.
//! - A **server** holds fragments: a miner. It answers through a [`FragmentService`], which knows
//!   the chain and the disk; this crate knows neither.
//!
//! Both are [`Transfer`] endpoints, known by their ed25519 key and bound to one chain by its
//! genesis hash. One endpoint can be both at once.
//!
//! # Goals
//!
//! - **No byte is taken on trust.** Whoever asks knows a [`FragmentName`] and the file's
//!   [`FileSpec`] from the chain, nothing else. The answer's sidecar must lead from the fragment's
//!   hash to the `FileId` before the first byte is accepted; then every group of 16 KiB is checked
//!   against that hash when it arrives. A wrong byte stops the transfer at its group.
//! - **Nothing verified is lost.** A broken transfer goes on where it stopped, at the same peer or
//!   another.
//! - **An acknowledged put is on disk.** The server syncs before it says so.
//! - **A peer cannot exhaust a machine.** Connections, streams, memory, time and rate are bounded by
//!   [`TransferConfig`]; a transfer takes at most 8 MiB and some KiB of memory at either end
//!   (a server that receives: 1 MiB and some KiB).
//! - **A server never spreads damage.** It hashes what it read before it sends any of it; damaged
//!   bytes are refused and reported to the service.
//!
//! # Non-goals
//!
//! - Finding peers: the chain says where they are.
//! - Retrying and choosing among peers: the caller knows what it can do instead. Answers are typed
//!   so that it can decide ([`PutOutcome`], [`TransferError`]).
//! - Secrecy of what is stored: everyone may ask for a fragment whose name they know, unless the
//!   service refuses.
//!
//! # Requests
//!
//! | request | answer |
//! |---|---|
//! | get a fragment, whole or a range, by name | its hash, length and sidecar, then a verified stream |
//! | put a fragment, by name, hash, length and sidecar | where to go on, or why not; then, after the stream, that it is stored |
//! | list the fragments a server holds | a page of at most 256 names |
//!
//! The bytes are described in [`protocol`].

mod address;
mod bao;
mod client;
mod config;
mod endpoint;
mod error;
mod frame;
mod metrics;
mod pace;
pub mod protocol;
mod rate;
mod server;
mod service;
mod stream;

pub use address::{AddressError, PeerAddr, PeerKey, relay_url};
pub use bao::{Fragment, GROUP_LEN, Verifier, WrongBytes};
pub use client::{Client, Fetch, FragmentData, Incoming, Put, PutOutcome};
pub use config::{EndpointConfig, TransferConfig};
pub use endpoint::{BindError, Transfer};
pub use error::TransferError;
pub use metrics::TransferMetrics;
pub use protocol::{ALPN, MAX_LIST, PutOffer, Refusal, VERSION};
pub use server::Server;
pub use service::{FragmentService, FragmentSink, OpenError, ReadError, Stored, Verdict};
pub use stream::Meter;

#[cfg(doc)]
use planaria_primitives::{FileSpec, FragmentName};
