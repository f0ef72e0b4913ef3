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
	fn buy() -> Weight {
		// At least 193_592_000 ps.
		Weight::from_parts(325_297_000, 5519)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	fn grow() -> Weight {
		// At least 130_734_000 ps.
		Weight::from_parts(250_928_000, 3611)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn renew() -> Weight {
		// At least 130_473_000 ps.
		Weight::from_parts(234_888_000, 5996)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	fn authorise() -> Weight {
		// At least 116_076_000 ps.
		Weight::from_parts(205_563_000, 3611)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn revoke() -> Weight {
		// At least 101_269_000 ps.
		Weight::from_parts(176_970_000, 3611)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn close() -> Weight {
		// At least 308_255_000 ps.
		Weight::from_parts(581_785_000, 45173)
			.saturating_add(T::DbWeight::get().reads(22))
			.saturating_add(T::DbWeight::get().writes(20))
	}

	fn set_params() -> Weight {
		// At least 19_726_000 ps.
		Weight::from_parts(35_506_000, 1533)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn agenda_page() -> Weight {
		// By hand until it is measured again: the numbers of pages.
		Weight::from_parts(40_000_000, 5519)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn agenda_task() -> Weight {
		// At least 54_131_000 ps.
		Weight::from_parts(104_424_000, 10048)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn agenda_nothing() -> Weight {
		// By hand until it is measured again: a space is looked up.
		Weight::from_parts(30_000_000, 3611).saturating_add(T::DbWeight::get().reads(1))
	}

	fn step() -> Weight {
		// At least 40_856_000 ps.
		Weight::from_parts(67_647_000, 3611)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}

impl WeightInfo for () {
	fn buy() -> Weight {
		Weight::from_parts(325_297_000, 5519)
			.saturating_add(RocksDbWeight::get().reads(8))
			.saturating_add(RocksDbWeight::get().writes(5))
	}

	fn grow() -> Weight {
		Weight::from_parts(250_928_000, 3611)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn renew() -> Weight {
		Weight::from_parts(234_888_000, 5996)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(5))
	}

	fn authorise() -> Weight {
		Weight::from_parts(205_563_000, 3611)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn revoke() -> Weight {
		Weight::from_parts(176_970_000, 3611)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn close() -> Weight {
		Weight::from_parts(581_785_000, 45173)
			.saturating_add(RocksDbWeight::get().reads(22))
			.saturating_add(RocksDbWeight::get().writes(20))
	}

	fn set_params() -> Weight {
		Weight::from_parts(35_506_000, 1533)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn agenda_page() -> Weight {
		Weight::from_parts(40_000_000, 5519)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn agenda_task() -> Weight {
		Weight::from_parts(104_424_000, 10048)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn agenda_nothing() -> Weight {
		Weight::from_parts(30_000_000, 3611).saturating_add(RocksDbWeight::get().reads(1))
	}

	fn step() -> Weight {
		Weight::from_parts(67_647_000, 3611)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
}
