// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Measured by `scripts/weights.sh`, which writes this file anew.
//!
//! 2026-11-21, 20 steps of each component, 10 repetitions of each step at
//! least, Compiled Wasm, on AMD EPYC.

use super::WeightInfo;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{Weight, constants::RocksDbWeight},
};

/// The weights with the database of `T`.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn on_initialize() -> Weight {
		// At least 37_410_000 ps.
		Weight::from_parts(65_161_000, 67035)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn on_finalize() -> Weight {
		// At least 9_818_000 ps.
		Weight::from_parts(19_086_000, 1501)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn set_running() -> Weight {
		// At least 17_773_000 ps.
		Weight::from_parts(27_501_000, 1501)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn on_initialize() -> Weight {
		Weight::from_parts(65_161_000, 67035)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn on_finalize() -> Weight {
		Weight::from_parts(19_086_000, 1501)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn set_running() -> Weight {
		Weight::from_parts(27_501_000, 1501)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
}
