// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How long a BABE slot lasts on this chain.
//!
//! The genesis says it, once; no call changes it, because nodes read it when they start and BABE
//! derives slot numbers from it. So one Wasm serves the network (6 s) and a local one that somebody
//! wants to watch (2 s).

pub use pallet::*;

use crate::time::DEFAULT_SLOT_MILLIS;
use core::marker::PhantomData;
use frame_support::traits::Get;

/// The shortest and the longest slot a genesis may ask for, in milliseconds.
pub const SLOT_MILLIS: core::ops::RangeInclusive<u64> = 1_000..=60_000;

/// Holds the duration of a slot. See [the module](self).
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::pallet_prelude::*;

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// It needs nothing from the runtime.
	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// The default of [`SlotMillis`], for a state that has no genesis.
	#[pallet::type_value]
	pub fn DefaultSlotMillis() -> u64 {
		DEFAULT_SLOT_MILLIS
	}

	/// How long a slot lasts, in milliseconds. Written at genesis only.
	#[pallet::storage]
	pub type SlotMillis<T: Config> = StorageValue<_, u64, ValueQuery, DefaultSlotMillis>;

	/// How long a slot lasts on this chain.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// In milliseconds, even, between 1,000 and 60,000.
		pub slot_millis: u64,
		/// Nothing.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self { slot_millis: DEFAULT_SLOT_MILLIS, _config: PhantomData }
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				SLOT_MILLIS.contains(&self.slot_millis) && self.slot_millis.is_multiple_of(2),
				"slots.slotMillis must be even and within {SLOT_MILLIS:?}, not {}",
				self.slot_millis,
			);
			SlotMillis::<T>::put(self.slot_millis);
		}
	}
}

/// How long a slot lasts: BABE's expected time between blocks.
pub struct SlotDuration<T>(PhantomData<T>);

impl<T: Config> Get<u64> for SlotDuration<T> {
	fn get() -> u64 {
		SlotMillis::<T>::get()
	}
}

/// Half a slot: the least time between two blocks, of which BABE takes the double as its slot.
pub struct HalfSlot<T>(PhantomData<T>);

impl<T: Config> Get<u64> for HalfSlot<T> {
	fn get() -> u64 {
		SlotMillis::<T>::get() / 2
	}
}
