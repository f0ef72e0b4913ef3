// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The benchmarks of our pallets find on this runtime what they need.

use super::*;
use crate::{Audit, Clock, Files, Miners, Restore, Rewards, Space};
use frame_benchmarking::Benchmarking;
use sc_client_db::BenchmarkingState;
use sp_externalities::{Extensions, set_and_run_with_externalities};
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{BasicExternalities, Ext, OverlayedChanges};

/// The genesis of the local network, as a database begins with it.
fn storage() -> sp_core::storage::Storage {
	let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	merge(&mut config, preset("development"));
	let mut ext = BasicExternalities::new_empty();
	ext.execute_with(|| {
		build_state::<RuntimeGenesisConfig>(serde_json::to_vec(&config).unwrap()).unwrap();
	});
	ext.into_storages()
}

/// Runs each benchmark of the pallet with the least and the most of everything, and checks what
/// each of them says must hold at its end.
fn run<P: Benchmarking>() {
	let state = BenchmarkingState::<BlakeTwo256>::new(storage(), None, false, true).unwrap();
	let mut extensions = Extensions::default();
	extensions.register(KeystoreExt::new(MemoryKeystore::new()));
	let mut overlay = OverlayedChanges::default();
	let mut ext = Ext::new(&mut overlay, &state, Some(&mut extensions));
	set_and_run_with_externalities(&mut ext, || {
		let benchmarks = P::benchmarks(true);
		assert!(!benchmarks.is_empty());
		for benchmark in benchmarks {
			let name = String::from_utf8_lossy(&benchmark.name).into_owned();
			let least: Vec<_> = benchmark.components.iter().map(|(c, low, _)| (*c, *low)).collect();
			let most: Vec<_> =
				benchmark.components.iter().map(|(c, _, high)| (*c, *high)).collect();
			for components in [least, most] {
				if let Err(error) = P::run_benchmark(&benchmark.name, &components, &[], true, 1) {
					panic!("{name} with {components:?}: {error:?}");
				}
			}
		}
	});
}

#[test]
fn those_of_the_clock_run() {
	run::<Clock>();
}

#[test]
fn those_of_the_miners_run() {
	run::<Miners>();
}

#[test]
fn those_of_the_files_run() {
	run::<Files>();
}

#[test]
fn those_of_the_restore_orders_run() {
	run::<Restore>();
}

#[test]
fn those_of_the_rewards_run() {
	run::<Rewards>();
}

#[test]
fn those_of_space_run() {
	run::<Space>();
}

#[test]
fn those_of_the_audits_run() {
	run::<Audit>();
}
