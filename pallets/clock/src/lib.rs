// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The network's clock and its beacon.
//!
//! # Story
//!
//! Alice stores fragments. She has to answer what the chain asks of her by some deadline, and
//! loses collateral where she does not. One night half of the validators are cut off. The chain
//! limps on with a block in every second slot; hers might be on either side of the cut. If a
//! deadline were a block number, thousands of honest miners would be punished in the morning for
//! something they could do nothing about.
//!
//! So a deadline is a **tick**. The clock shows the current one ([`Now`]). It rises by one with a
//! block as long as the network is well, and stands still while it is not: that night it stops
//! after a minute or two, every deadline of every pallet is put off with it, and it goes on when
//! the slots are filled again. The same holds while somebody fills the blocks so that Alice's
//! duties find no place, while the chain migrates its state over several blocks, and while root
//! has stopped the clock.
//!
//! Bob wants to be asked for bytes he has, and not for those he lost. What he is asked for follows
//! from the **beacon**, a hash that changes with every block and that nobody knows much earlier.
//!
//! # The tick
//!
//! In `on_initialize` the tick rises by one if
//!
//! 1. **slots**: at least [`HEALTHY_SLOTS`] of the last [`SLOTS`] BABE slots, this one included,
//!    had a block. Before the first block all of them count as filled, so that a young chain ticks
//!    at once; after an outage of 32 slots or more it takes 24 blocks in a row.
//! 2. **room**: the parent's operational part was not full. It was full if one more operational
//!    call of [`Config::Headroom`] and [`Config::HeadroomLength`], that is the largest duty, would
//!    have been refused by `CheckWeight`, be it for its weight or for its length. This is judged
//!    in `on_finalize`, when all calls are in: at the beginning of the next block frame-system has
//!    forgotten what the last one consumed.
//! 3. **migration**: no multi-block migration runs: [`Config::Migrating`].
//! 4. **root**: nobody has stopped it with [`Pallet::set_running`].
//!
//! # The beacon
//!
//! `beacon(N) = BLAKE2b-256(beacon(N - 1) ‖ input)`, computed in `on_initialize` of block `N`,
//! with `beacon(0) = 0` and with the VRF output of block `N - 1` as input ([`Config::Vrf`]); where
//! there is none (block 1, whose parent is the genesis block), with the parent's hash.
//!
//! With BABE, `Vrf` is `pallet_babe::AuthorVrfRandomness`. BABE sets it in `on_finalize`, so until
//! block `N` is finalised it is the parent's, whatever the order of the two pallets' hooks. (The
//! slot, [`Config::CurrentSlot`], BABE sets in `on_initialize`: **BABE stands before the clock in
//! the runtime**.) BABE leaves the value alone in a block whose author has no VRF output, so
//! secondary slots must be VRF slots: with plain ones the beacon after such a block could be
//! computed in advance.
//!
//! What it is worth: `beacon(N)` is known to everybody from block `N - 1` on, and to the author of
//! `N - 1` when it makes that block. It may choose not to make the block, and it may choose what
//! goes into the block. Who must not be able to choose what is fixed before the randomness is
//! drawn takes `beacon(N + 1)` or a later one for what block `N - 1` contains.
//!
//! # Properties
//!
//! - *Monotone*: the tick never falls, and rises by at most one per block.
//! - *Safe*: no tick passes in a block for which one of the four conditions does not hold.
//! - *Live*: one tick passes in each block for which they do; nothing else can hold the clock up.
//! - *Bounded*: the last [`BEACONS`] beacons are kept, the current block's included, and no other.
//! - *Quiet*: an event when the clock stops and when it goes on, none per block.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::{dispatch::DispatchClass, traits::Get, weights::Weight};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_planaria_support as support;
use planaria_primitives::{Hash, Tick};
use sp_runtime::traits::UniqueSaturatedInto;

/// How many beacons are kept, the current block's included.
pub const BEACONS: u32 = 256;

// For the types that the storage macros write.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config:
		frame_system::Config<Hash = sp_core::H256, RuntimeEvent: From<Event<Self>>>
	{
		/// The slot of the block that is executed: `pallet_babe::CurrentSlot`.
		type CurrentSlot: Get<u64>;

		/// The VRF output of the parent, as seen from `on_initialize`:
		/// `pallet_babe::AuthorVrfRandomness`.
		type Vrf: Get<Option<Hash>>;

		/// Whether a multi-block migration runs: [`OngoingMigration`].
		type Migrating: Get<bool>;

		/// The weight of the largest duty. A block counts as full where it had no room for one
		/// more of them.
		#[pallet::constant]
		type Headroom: Get<Weight>;

		/// The encoded length of the largest duty.
		#[pallet::constant]
		type HeadroomLength: Get<u32>;

		/// Who may stop the clock and let it go on.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;
	}

	/// The current tick. Every deadline is one.
	// Kept apart from `Condition` so that those who compare a deadline read four bytes.
	#[pallet::storage]
	pub type Now<T> = StorageValue<_, Tick, ValueQuery>;

	/// What decides whether the clock runs, as of the last block.
	#[pallet::storage]
	pub type Condition<T> = StorageValue<_, ConditionRecord, ValueQuery>;

	/// The beacons of the last 256 blocks, by block number.
	// Identity: only block numbers, one after the other, become keys.
	#[pallet::storage]
	pub type Beacons<T> = StorageMap<_, Identity, u32, Hash>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// The clock stands still: every deadline is put off until it goes on.
		Stopped {
			/// The tick it shows until then.
			tick: Tick,
			/// Why.
			health: Health,
		},
		/// The clock goes on.
		Resumed {
			/// The first tick after the standstill.
			tick: Tick,
		},
		/// The clock was told to run, or to stand still, from the next block on.
		RunningSet {
			/// Whether it may run.
			running: bool,
		},
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Whether the clock runs, and what decides it.
		pub fn health() -> Health {
			Condition::<T>::get().health(T::Migrating::get())
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::roll_beacon(now.unique_saturated_into());
			Self::tick();
			T::WeightInfo::on_initialize().saturating_add(T::WeightInfo::on_finalize())
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			let mut condition = Condition::<T>::get();
			let full = Self::operational_full();
			if condition.operational_full != full {
				condition.operational_full = full;
				Condition::<T>::put(condition);
			}
		}

		fn integrity_test() {
			let weights = T::BlockWeights::get();
			let empty = frame_system::ConsumedWeight::new(|class| match class {
				DispatchClass::Mandatory => weights.base_block,
				_ => Weight::zero(),
			});
			assert!(
				Self::has_room(&empty, 0),
				"Headroom must fit into an empty block, or the clock never ticks",
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(T::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Stops the clock, or lets it run again, from the next block on.
		///
		/// For a crisis: while the clock stands still nobody misses a deadline. It runs again only
		/// where the network is well, too.
		///
		/// ## Dispatch Origin
		///
		/// [`Config::AdminOrigin`].
		///
		/// ## Events
		///
		/// [`Event::RunningSet`].
		#[pallet::call_index(0)]
		pub fn set_running(origin: OriginFor<T>, running: bool) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Condition::<T>::mutate(|condition| condition.halted = !running);
			Self::deposit_event(Event::RunningSet { running });
			Ok(())
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Computes the beacon of block `now` and forgets the one that is too old.
	fn roll_beacon(now: u32) {
		let last = Beacons::<T>::get(now.saturating_sub(1)).unwrap_or_default();
		let input = T::Vrf::get().unwrap_or_else(|| frame_system::Pallet::<T>::parent_hash().0);
		Beacons::<T>::insert(now, next_beacon(&last, &input));
		if let Some(old) = now.checked_sub(BEACONS) {
			Beacons::<T>::remove(old);
		}
	}

	/// Notes the slot, and lets a tick pass if all is well.
	fn tick() {
		let mut condition = Condition::<T>::get();
		let was_running = condition.running;
		condition.note_slot(T::CurrentSlot::get());
		condition.running = condition.may_run(T::Migrating::get());
		if condition.running {
			Now::<T>::mutate(|now| *now = now.saturating_add(1));
		}
		match (was_running, condition.running) {
			(true, false) => Self::deposit_event(Event::Stopped {
				tick: Now::<T>::get(),
				health: condition.health(T::Migrating::get()),
			}),
			(false, true) => Self::deposit_event(Event::Resumed { tick: Now::<T>::get() }),
			_ => (),
		}
		Condition::<T>::put(condition);
	}

	/// Whether the operational part of the block that ends here is full.
	fn operational_full() -> bool {
		!Self::has_room(
			&frame_system::BlockWeight::<T>::get(),
			frame_system::Pallet::<T>::block_size(),
		)
	}

	/// Whether `CheckWeight` would let one more operational call of the largest kind into a block
	/// of this weight and length.
	fn has_room(used: &frame_system::ConsumedWeight, length: u32) -> bool {
		const CLASS: DispatchClass = DispatchClass::Operational;
		let weights = T::BlockWeights::get();
		let class = weights.get(CLASS);
		// A call's length counts towards the weight of the proof, too.
		let headroom = T::Headroom::get()
			.saturating_add(class.base_extrinsic)
			.saturating_add(Weight::from_parts(0, u64::from(T::HeadroomLength::get())));
		let of_class = used.get(CLASS).saturating_add(headroom);
		let of_block = used.total().saturating_add(headroom);

		let in_class = class.max_total.is_none_or(|max| of_class.all_lte(max));
		// Beyond the block's limit there is what is reserved for the class.
		let in_block = of_block.all_lte(weights.max_block)
			|| class.reserved.is_none_or(|reserved| of_class.all_lte(reserved));
		let in_length = length.saturating_add(T::HeadroomLength::get())
			<= *T::BlockLength::get().max.get(CLASS);
		in_class && in_block && in_length
	}
}

impl<T: Config> support::Clock for Pallet<T> {
	fn now() -> Tick {
		Now::<T>::get()
	}

	fn beacon_at(block: u32) -> Option<Hash> {
		Beacons::<T>::get(block)
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
impl<T: Config> Pallet<T> {
	/// Checks the [properties](crate#properties) that can be read off the storage.
	pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		Self::check_beacons()?;
		Self::check_condition()
	}

	/// The beacons of the last 256 blocks are there, and no other.
	fn check_beacons() -> Result<(), sp_runtime::TryRuntimeError> {
		let now: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
		let mut kept: alloc::vec::Vec<u32> = Beacons::<T>::iter_keys().collect();
		kept.sort_unstable();
		let expected = now.saturating_sub(BEACONS - 1).max(1)..=now;
		frame_support::ensure!(kept.into_iter().eq(expected), "not the last 256 beacons");
		Ok(())
	}

	/// Once there was a block, its slot is the latest and has a block; no more ticks than blocks.
	fn check_condition() -> Result<(), sp_runtime::TryRuntimeError> {
		let condition = Condition::<T>::get();
		let now: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
		frame_support::ensure!(condition.slots & 1 == 1, "the latest slot has no block");
		frame_support::ensure!(condition.last_slot.is_some() == (now > 0), "no slot was noted");
		frame_support::ensure!(Now::<T>::get() <= now, "more ticks than blocks");
		Ok(())
	}
}
