// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Runs the benchmarks of a runtime's pallets: `planaria-bencher --help`.

#![forbid(unsafe_code)]

use clap::Parser;
use frame_benchmarking_cli::PalletCmd;
use sp_runtime::traits::BlakeTwo256;
use tracing_subscriber::EnvFilter;

fn main() -> sc_cli::Result<()> {
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
	tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
	// Our runtime needs no host functions but the standard ones.
	PalletCmd::parse().run_with_spec::<BlakeTwo256, ()>(None)
}
