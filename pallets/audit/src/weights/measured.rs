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
	fn challenge() -> Weight {
		// At least 190_435_000 ps.
		Weight::from_parts(237_584_000, 4169)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	/// `n` is in `1..=24`.
	fn answer(n: u32) -> Weight {
		// At least 309_026_000 ps.
		Weight::from_parts(409_514_000, 4169)
			.saturating_add(Weight::from_parts(230_010_244, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(5u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	fn authorize_answer() -> Weight {
		// At least 29_405_000 ps.
		Weight::from_parts(47_770_000, 3535).saturating_add(T::DbWeight::get().reads(3))
	}

	fn tidy() -> Weight {
		// At least 7_925_000 ps.
		Weight::from_parts(14_637_000, 0)
	}

	fn set_params() -> Weight {
		// At least 14_727_000 ps.
		Weight::from_parts(27_581_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	fn round() -> Weight {
		// At least 62_657_000 ps.
		Weight::from_parts(96_409_000, 4636)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn draw() -> Weight {
		// At least 139_290_000 ps.
		Weight::from_parts(261_357_000, 19126)
			.saturating_add(T::DbWeight::get().reads(15))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn count() -> Weight {
		// At least 84_327_000 ps.
		Weight::from_parts(138_598_000, 19126)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn request() -> Weight {
		// At least 24_346_000 ps.
		Weight::from_parts(43_972_000, 1501)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn agenda_tick() -> Weight {
		// At least 19_947_000 ps.
		Weight::from_parts(38_142_000, 7055)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn answered() -> Weight {
		// At least 7_895_000 ps.
		Weight::from_parts(12_353_000, 3535).saturating_add(T::DbWeight::get().reads(1))
	}

	fn close() -> Weight {
		// At least 607_905_000 ps.
		Weight::from_parts(1_040_842_000, 16008)
			.saturating_add(T::DbWeight::get().reads(31))
			.saturating_add(T::DbWeight::get().writes(16))
	}
}

impl WeightInfo for () {
	fn challenge() -> Weight {
		Weight::from_parts(237_584_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(9))
			.saturating_add(RocksDbWeight::get().writes(5))
	}

	fn answer(n: u32) -> Weight {
		Weight::from_parts(409_514_000, 4169)
			.saturating_add(Weight::from_parts(230_010_244, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().reads(5u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(3))
			.saturating_add(RocksDbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	fn authorize_answer() -> Weight {
		Weight::from_parts(47_770_000, 3535).saturating_add(RocksDbWeight::get().reads(3))
	}

	fn tidy() -> Weight {
		Weight::from_parts(14_637_000, 0)
	}

	fn set_params() -> Weight {
		Weight::from_parts(27_581_000, 0).saturating_add(RocksDbWeight::get().writes(1))
	}

	fn round() -> Weight {
		Weight::from_parts(96_409_000, 4636)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn draw() -> Weight {
		Weight::from_parts(261_357_000, 19126)
			.saturating_add(RocksDbWeight::get().reads(15))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn count() -> Weight {
		Weight::from_parts(138_598_000, 19126)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn request() -> Weight {
		Weight::from_parts(43_972_000, 1501)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn agenda_tick() -> Weight {
		Weight::from_parts(38_142_000, 7055)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn answered() -> Weight {
		Weight::from_parts(12_353_000, 3535).saturating_add(RocksDbWeight::get().reads(1))
	}

	fn close() -> Weight {
		Weight::from_parts(1_040_842_000, 16008)
			.saturating_add(RocksDbWeight::get().reads(31))
			.saturating_add(RocksDbWeight::get().writes(16))
	}
}
