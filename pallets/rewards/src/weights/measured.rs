// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Measured by `scripts/weights.sh`, which writes this file anew.
//!
//! 2026-11-22, 10 steps of each component, 6 repetitions of each step at
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
	fn claim() -> Weight {
		// At least 128_600_000 ps.
		Weight::from_parts(204_351_000, 6196)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn collect() -> Weight {
		// At least 123_110_000 ps.
		Weight::from_parts(216_414_000, 6196)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn burn() -> Weight {
		// At least 72_194_000 ps.
		Weight::from_parts(132_528_000, 3593)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn set_params() -> Weight {
		// At least 27_311_000 ps.
		Weight::from_parts(50_003_000, 1566)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn on_initialize() -> Weight {
		// At least 23_123_000 ps.
		Weight::from_parts(40_907_000, 3493)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn agenda_tick() -> Weight {
		// At least 20_188_000 ps.
		Weight::from_parts(35_857_000, 8079)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	/// `n` is in `1..=64`.
	fn agenda_tasks(n: u32) -> Weight {
		// At least 117_730_000 ps.
		Weight::from_parts(173_892_351, 6196)
			.saturating_add(Weight::from_parts(14_461_132, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2509).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(1u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(1u64.saturating_mul(n.into())))
	}
}

impl WeightInfo for () {
	fn claim() -> Weight {
		Weight::from_parts(204_351_000, 6196)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn collect() -> Weight {
		Weight::from_parts(216_414_000, 6196)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn burn() -> Weight {
		Weight::from_parts(132_528_000, 3593)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn set_params() -> Weight {
		Weight::from_parts(50_003_000, 1566)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn on_initialize() -> Weight {
		Weight::from_parts(40_907_000, 3493)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn agenda_tick() -> Weight {
		Weight::from_parts(35_857_000, 8079)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn agenda_tasks(n: u32) -> Weight {
		Weight::from_parts(173_892_351, 6196)
			.saturating_add(Weight::from_parts(14_461_132, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2509).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().reads(1u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(3))
			.saturating_add(RocksDbWeight::get().writes(1u64.saturating_mul(n.into())))
	}
}
