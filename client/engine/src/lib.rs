// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Does on this machine what the worker wants.
//!
//! The worker decides in Wasm; the engine has the disk, the hashing, the Reed-Solomon coding and
//! the transfers. It runs inside the node of a miner and
//!
//! - **serves** the fragments it holds and takes those that the chain assigns to it ([`Service`]),
//! - **checks** its store against its hashes and against the chain, and heals what is bad,
//! - **finds** fragments of restore targets and unclaimed orders that it could restore,
//! - **restores** what it claimed: a copy from the holder, or made by another restorer of the same
//!   segment, or rebuilt from any `data` others,
//! - **proves** the chunks that the chain asks for,
//! - **discards** what is no longer its own.
//!
//! # Properties
//!
//! - *The store and the chain are the truth.* Everything the engine remembers beside them can be
//!   lost at any moment and is found again: after a crash, on another fork, after a lost mailbox.
//! - *Durable before said.* A fragment is named to the chain only after the store has synced it.
//! - *Adding follows the best block, destroying the finalized one.* A fragment is given up only when
//!   neither assigns it to this miner, and only after a grace period.
//! - *Nothing durable is fetched twice.* What is copied streams into the store and is continued
//!   there after a crash; what is whole there is not asked for.
//! - *Bounded memory.* At most [`EngineConfig::copies`] fragments are restored at a time. A copy
//!   takes 1 MiB. A rebuild takes `data + 1` fragments of 8 MiB and one for each other of its
//!   segment that is made along with it, all of them together at most
//!   [`EngineConfig::rebuild_memory`] or what one segment takes. What was made for others stays
//!   within [`EngineConfig::siblings_memory`]. Lists are read in pages.
//!
//! The seams are traits: [`Chain`], [`Mailbox`], [`Peers`] and the store's
//! [`FragmentStore`](planaria_store::FragmentStore), so that the same logic runs in the node and in
//! a simulation.

mod chain;

mod mailbox;

mod peers;

mod config;

mod status;

mod needs;

mod foreign;

mod sources;

mod progress;

mod worklist;

mod finder;

mod chores;

mod search;

mod contacts;

mod gauge;

mod siblings;

mod writing;

mod gather;

mod restore;

mod report;

mod scrub;

mod throttle;

mod check;

mod service;

mod engine;

#[cfg(test)]
mod tests;

/// The rules the engine works by, without I/O and clock: the node and the simulation run the same.
pub mod logic {
	pub use crate::{
		chores::due,
		finder::{Finder, FinderConfig, Known, Raced, Read, SCAN_PAGE, is_responsible, tries_for},
		foreign::Foreign,
		needs::{Need, Needs, Retry, Why},
		progress::{ReadRate, Tally, Window},
		scrub::{Finding, Next, Scrub},
		sources::{
			Attempt, Avoided, Blame, Patience, Source, Speed, Waits, attempts, is_wanted, place,
			restorers, siblings, wanted_by_others,
		},
		throttle::{Limits, needed},
		worklist::{CAPACITY, Conditions, Target, Targets, Worklist, class_of, present},
	};
}

pub use chain::{At, Chain, ChainError, Changes, FileRow, Heads, MinerRow, OrderRow};
pub use config::EngineConfig;
pub use engine::{Engine, EngineHandle};
pub use mailbox::Mailbox;
pub use peers::{Fault, Incoming, PeerError, Peers, Wanted};
pub use service::{Service, StoreSink};
pub use status::{
	CheckPhase, CheckStatus, DiskAlarm, EngineStatus, FileProgress, FinderStatus, PassStatus,
	Profile, Progress, RestorePhase, RestoreSource, RestoreStatus, Throttle, Totals,
};
