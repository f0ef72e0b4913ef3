// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The deterministic simulation of the restore protocol.
//!
//! The real runtime, the real worker and the engine's own rules, over an in-memory transport, an
//! in-memory store and a virtual clock: hundreds of miners, tens of thousands of segments, and
//! everything that can go wrong, by one seed. Bytes, Reed-Solomon, sidecars, proofs and reports are
//! real; a fragment has 64 bytes and stands for 8 MiB where time and traffic are counted. The same
//! seed is the same run. `docs/simulation.md` says what is modelled.
//!
//! Checked all along: each pallet's invariants and those across them. Checked at the end: every
//! segment of which enough right bytes existed at all times is whole.

#![allow(clippy::cast_possible_truncation)]

mod state;

mod content;

pub mod config;

mod faults;

mod chain;

mod mirror;

mod net;

mod node;

mod truth;

mod world;

mod view;

mod engine;

pub mod report;

pub use config::{Config, Fault, Sabotage};
pub use report::Report;
pub use world::run;
