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
	fn register() -> Weight {
		// At least 299_849_000 ps.
		Weight::from_parts(503_018_000, 6044)
			.saturating_add(T::DbWeight::get().reads(11))
			.saturating_add(T::DbWeight::get().writes(10))
	}

	fn set_endpoint() -> Weight {
		// At least 127_097_000 ps.
		Weight::from_parts(221_964_000, 4169)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn set_hot_key() -> Weight {
		// At least 122_008_000 ps.
		Weight::from_parts(222_595_000, 6044)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn set_payee() -> Weight {
		// At least 44_874_000 ps.
		Weight::from_parts(78_065_000, 4169)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn set_declared() -> Weight {
		// At least 48_070_000 ps.
		Weight::from_parts(76_914_000, 4169)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn top_up() -> Weight {
		// At least 122_989_000 ps.
		Weight::from_parts(205_783_000, 4169)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn withdraw() -> Weight {
		// At least 126_035_000 ps.
		Weight::from_parts(220_902_000, 4169)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn exit() -> Weight {
		// At least 82_484_000 ps.
		Weight::from_parts(144_089_000, 4495)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn finish() -> Weight {
		// By hand until it is measured again: earnings, batches and strikes.
		Weight::from_parts(450_000_000, 15495)
			.saturating_add(T::DbWeight::get().reads(20))
			.saturating_add(T::DbWeight::get().writes(17))
	}

	fn alive() -> Weight {
		// At least 97_572_000 ps.
		Weight::from_parts(168_946_000, 4495)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	fn mark_absent() -> Weight {
		// At least 94_456_000 ps.
		Weight::from_parts(165_769_000, 4495)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn expel_absent() -> Weight {
		// At least 84_928_000 ps.
		Weight::from_parts(153_246_000, 4495)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	fn tidy() -> Weight {
		// At least 113_712_000 ps.
		Weight::from_parts(202_117_000, 4169)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn set_params() -> Weight {
		// At least 26_179_000 ps.
		Weight::from_parts(51_206_000, 1566)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	/// `b` is in `0..=65532`.
	fn authorize_duty(b: u32) -> Weight {
		// At least 87_464_000 ps.
		Weight::from_parts(135_220_814, 4169)
			.saturating_add(Weight::from_parts(6_977, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(3))
	}

	fn enter_duty() -> Weight {
		// At least 79_368_000 ps.
		Weight::from_parts(132_056_000, 4495)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	fn enter_duty_again() -> Weight {
		// At least 29_896_000 ps.
		Weight::from_parts(51_155_000, 4169)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn register() -> Weight {
		Weight::from_parts(503_018_000, 6044)
			.saturating_add(RocksDbWeight::get().reads(11))
			.saturating_add(RocksDbWeight::get().writes(10))
	}

	fn set_endpoint() -> Weight {
		Weight::from_parts(221_964_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn set_hot_key() -> Weight {
		Weight::from_parts(222_595_000, 6044)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn set_payee() -> Weight {
		Weight::from_parts(78_065_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn set_declared() -> Weight {
		Weight::from_parts(76_914_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn top_up() -> Weight {
		Weight::from_parts(205_783_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn withdraw() -> Weight {
		Weight::from_parts(220_902_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn exit() -> Weight {
		Weight::from_parts(144_089_000, 4495)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn finish() -> Weight {
		Weight::from_parts(450_000_000, 15495)
			.saturating_add(RocksDbWeight::get().reads(20))
			.saturating_add(RocksDbWeight::get().writes(17))
	}

	fn alive() -> Weight {
		Weight::from_parts(168_946_000, 4495)
			.saturating_add(RocksDbWeight::get().reads(9))
			.saturating_add(RocksDbWeight::get().writes(7))
	}

	fn mark_absent() -> Weight {
		Weight::from_parts(165_769_000, 4495)
			.saturating_add(RocksDbWeight::get().reads(10))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn expel_absent() -> Weight {
		Weight::from_parts(153_246_000, 4495)
			.saturating_add(RocksDbWeight::get().reads(9))
			.saturating_add(RocksDbWeight::get().writes(5))
	}

	fn tidy() -> Weight {
		Weight::from_parts(202_117_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn set_params() -> Weight {
		Weight::from_parts(51_206_000, 1566)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn authorize_duty(b: u32) -> Weight {
		Weight::from_parts(135_220_814, 4169)
			.saturating_add(Weight::from_parts(6_977, 0).saturating_mul(b.into()))
			.saturating_add(RocksDbWeight::get().reads(3))
	}

	fn enter_duty() -> Weight {
		Weight::from_parts(132_056_000, 4495)
			.saturating_add(RocksDbWeight::get().reads(9))
			.saturating_add(RocksDbWeight::get().writes(7))
	}

	fn enter_duty_again() -> Weight {
		Weight::from_parts(51_155_000, 4169)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
}
