// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Measured by `scripts/weights.sh`, which writes this file anew.
//!
//! 2026-11-22, 6 steps of each component, 5 repetitions of each step at
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
	fn order() -> Weight {
		// At least 200_053_000 ps.
		Weight::from_parts(377_745_000, 3983)
			.saturating_add(T::DbWeight::get().reads(13))
			.saturating_add(T::DbWeight::get().writes(10))
	}

	/// `s` is in `1..=256`.
	fn place(s: u32) -> Weight {
		// By hand until it is measured again: each fragment between miners of its own.
		Weight::from_parts(746_195_003, 11098)
			.saturating_add(Weight::from_parts(280_000_000, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 12874).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().reads(7u64.saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes(5u64.saturating_mul(s.into())))
	}

	/// `n` is in `2..=64`.
	fn place_fragments(n: u32) -> Weight {
		// At least 121_096_000 ps.
		Weight::from_parts(218_979_000, 3756)
			.saturating_add(Weight::from_parts(61_130_705, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 5054).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(2u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=128`.
	fn confirm(n: u32) -> Weight {
		// At least 169_627_000 ps.
		Weight::from_parts(506_390_100, 6611)
			.saturating_add(Weight::from_parts(212_950_451, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().reads(2u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(10))
			.saturating_add(T::DbWeight::get().writes(2u64.saturating_mul(n.into())))
	}

	fn delete() -> Weight {
		// By hand until it is measured again: an operator.
		Weight::from_parts(160_000_000, 3983)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	/// `n` is in `1..=128`.
	fn tidy(n: u32) -> Weight {
		// By hand until it is measured again: owners and operators of each.
		Weight::from_parts(251_790_000, 3611)
			.saturating_add(Weight::from_parts(600_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 18000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads(7u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(9u64.saturating_mul(n.into())))
	}

	fn set_params() -> Weight {
		// At least 21_771_000 ps.
		Weight::from_parts(47_188_000, 1530)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn serve_page() -> Weight {
		// By hand until it is measured again: the numbers of pages.
		Weight::from_parts(184_855_000, 3983)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn serve_task() -> Weight {
		// By hand until it is measured again: an operator.
		Weight::from_parts(250_000_000, 3983)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(10))
	}

	fn serve_nothing() -> Weight {
		// By hand until it is measured again: a file is looked up.
		Weight::from_parts(30_000_000, 3756).saturating_add(T::DbWeight::get().reads(1))
	}

	fn sweep_gap() -> Weight {
		// At least 9_498_000 ps.
		Weight::from_parts(17_903_000, 3756).saturating_add(T::DbWeight::get().reads(1))
	}

	/// `n` is in `2..=64`.
	fn sweep_segment(n: u32) -> Weight {
		// At least 102_952_000 ps.
		Weight::from_parts(141_284_000, 6611)
			.saturating_add(Weight::from_parts(41_009_931, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2527).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().reads(2u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(8))
			.saturating_add(T::DbWeight::get().writes(2u64.saturating_mul(n.into())))
	}
}

impl WeightInfo for () {
	fn order() -> Weight {
		Weight::from_parts(377_745_000, 3983)
			.saturating_add(RocksDbWeight::get().reads(13))
			.saturating_add(RocksDbWeight::get().writes(10))
	}

	fn place(s: u32) -> Weight {
		Weight::from_parts(746_195_003, 11098)
			.saturating_add(Weight::from_parts(280_000_000, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(0, 12874).saturating_mul(s.into()))
			.saturating_add(RocksDbWeight::get().reads(11))
			.saturating_add(RocksDbWeight::get().reads(7u64.saturating_mul(s.into())))
			.saturating_add(RocksDbWeight::get().writes(5))
			.saturating_add(RocksDbWeight::get().writes(5u64.saturating_mul(s.into())))
	}

	fn place_fragments(n: u32) -> Weight {
		Weight::from_parts(218_979_000, 3756)
			.saturating_add(Weight::from_parts(61_130_705, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 5054).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(2))
			.saturating_add(RocksDbWeight::get().writes(2u64.saturating_mul(n.into())))
	}

	fn confirm(n: u32) -> Weight {
		Weight::from_parts(506_390_100, 6611)
			.saturating_add(Weight::from_parts(212_950_451, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(11))
			.saturating_add(RocksDbWeight::get().reads(2u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(10))
			.saturating_add(RocksDbWeight::get().writes(2u64.saturating_mul(n.into())))
	}

	fn delete() -> Weight {
		Weight::from_parts(160_000_000, 3983)
			.saturating_add(RocksDbWeight::get().reads(9))
			.saturating_add(RocksDbWeight::get().writes(7))
	}

	fn tidy(n: u32) -> Weight {
		Weight::from_parts(251_790_000, 3611)
			.saturating_add(Weight::from_parts(600_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 18000).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().reads(7u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(4))
			.saturating_add(RocksDbWeight::get().writes(9u64.saturating_mul(n.into())))
	}

	fn set_params() -> Weight {
		Weight::from_parts(47_188_000, 1530)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn serve_page() -> Weight {
		Weight::from_parts(184_855_000, 3983)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn serve_task() -> Weight {
		Weight::from_parts(250_000_000, 3983)
			.saturating_add(RocksDbWeight::get().reads(10))
			.saturating_add(RocksDbWeight::get().writes(10))
	}

	fn serve_nothing() -> Weight {
		Weight::from_parts(30_000_000, 3756).saturating_add(RocksDbWeight::get().reads(1))
	}

	fn sweep_gap() -> Weight {
		Weight::from_parts(17_903_000, 3756).saturating_add(RocksDbWeight::get().reads(1))
	}

	fn sweep_segment(n: u32) -> Weight {
		Weight::from_parts(141_284_000, 6611)
			.saturating_add(Weight::from_parts(41_009_931, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2527).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().reads(2u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(8))
			.saturating_add(RocksDbWeight::get().writes(2u64.saturating_mul(n.into())))
	}
}
