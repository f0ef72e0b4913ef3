// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The Planaria node: validator, storage miner, RPC.
//!
//! - [`cli`] is what one can write behind `planaria-node`, [`command`] does it,
//! - [`chain_spec`] finds the chain, [`service`] runs the node, [`rpc`] answers questions,
//! - [`capacity`] reads how much a miner offers.

// The errors are those of Substrate's crates, and passed on once in the life of a node.
#![allow(clippy::result_large_err)]

mod capacity;
mod chain_spec;
mod cli;
mod command;
mod miner;
mod rpc;
mod service;

fn main() -> std::process::ExitCode {
	match command::run() {
		Ok(()) => std::process::ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			std::process::ExitCode::FAILURE
		},
	}
}
