// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet: estimates on the safe side, until they are measured.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{Weight, constants::RocksDbWeight},
};

/// The weights of this pallet.
pub trait WeightInfo {
	/// Rolling the beacon and letting a tick pass.
	fn on_initialize() -> Weight;
	/// Judging whether the block is full.
	fn on_finalize() -> Weight;
	/// `set_running`.
	fn set_running() -> Weight;
}

/// What the proof of one small value costs.
const PROOF: u64 = 3_600;

/// The weights with the database of `T`.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn on_initialize() -> Weight {
		// Read: slot, VRF output, parent hash, migration, beacon, condition, tick.
		// Written: two beacons, condition, tick.
		Weight::from_parts(30_000_000, 7 * PROOF)
			.saturating_add(T::DbWeight::get().reads_writes(7, 4))
	}

	fn on_finalize() -> Weight {
		// Read: condition, the block's weight and size. Written: condition.
		Weight::from_parts(15_000_000, 3 * PROOF)
			.saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn set_running() -> Weight {
		Weight::from_parts(15_000_000, PROOF).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}
}

impl WeightInfo for () {
	fn on_initialize() -> Weight {
		Weight::from_parts(30_000_000, 7 * PROOF)
			.saturating_add(RocksDbWeight::get().reads_writes(7, 4))
	}

	fn on_finalize() -> Weight {
		Weight::from_parts(15_000_000, 3 * PROOF)
			.saturating_add(RocksDbWeight::get().reads_writes(3, 1))
	}

	fn set_running() -> Weight {
		Weight::from_parts(15_000_000, PROOF)
			.saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
}
