// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The Planaria node: validator, storage miner, RPC.
//!
//! - [`cli`] is what one can write behind `planaria-node`, [`command`] does it,
//! - [`chain_spec`] finds the chain, [`service`] runs the node, [`rpc`] answers questions,
//! - [`miner`] is the storage miner inside it, [`pace`] reads how fast it restores,
//! - [`watch`] follows what the network restores, [`metrics`] declares what Prometheus is told.

// The errors are those of Substrate's crates, and passed on once in the life of a node.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod metrics;
mod miner;
mod pace;
mod rpc;
mod service;
mod watch;

fn main() -> std::process::ExitCode {
	match command::run() {
		Ok(()) => std::process::ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			std::process::ExitCode::FAILURE
		},
	}
}
