// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! S3 and plain HTTP in front of the network, miners behind.
//!
//! An upload is on this gateway's disk, synced, before it is acknowledged; a job in the catalog
//! then stores it on the network. `docs/gateway.md` says how to run one and what is promised when.
//!
//! - [`Config`]: how it is set up; [`keys`]: who may use it,
//! - [`catalog`]: what it knows; [`spool`]: bytes that the network does not have yet; [`cache`]:
//!   bytes that it has,
//! - [`backend`]: an object store that gateways share; [`replica`]: what is in it of one of them,
//! - [`network`]: the seam to the chain and the miners,
//! - [`s3`], [`plain`]: what clients speak,
//! - [`pipeline`]: how contents get to the network, with [`placement`], small ones in packs;
//!   [`reading`]: how they come back, with [`peers`],
//! - [`serve`]: all of it as a program.

pub mod backend;
pub mod cache;
pub mod catalog;
pub mod client;
pub mod config;
pub mod digest;
pub mod error;
pub mod gateway;
pub mod keys;
pub mod metrics;
pub mod network;
mod packing;
pub mod peers;
pub mod pipeline;
pub mod placement;
pub mod plain;
pub mod reading;
pub mod replica;
pub mod s3;
pub mod sealing;
pub mod serve;
pub mod spool;

pub use config::Config;
pub use error::Error;
pub use gateway::{Gateway, StartError};
pub use serve::{Stop, serve};

// What `fuzz/` calls is called from the tests, too.
#[cfg(test)]
extern crate self as planaria_gateway;

#[cfg(test)]
mod tests;
