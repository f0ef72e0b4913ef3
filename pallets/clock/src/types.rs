// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What decides whether the clock runs, and the step from one beacon to the next.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{migrations::MultiStepMigrator, traits::Get};
use planaria_primitives::Hash;
use scale_info::TypeInfo;

/// How many slots are looked at.
pub const SLOTS: u32 = 32;

/// How many of them must have had a block: three quarters.
pub const HEALTHY_SLOTS: u32 = SLOTS / 4 * 3;

/// Whether the clock runs, and what decides it.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Health {
	/// Whether the tick rose in the last block.
	pub running: bool,
	/// How many of the last 32 slots had a block; from 24 on the network is well.
	pub blocks_in_last_32_slots: u32,
	/// Whether the operational part of the last block was full.
	pub operational_full: bool,
	/// Whether a multi-block migration runs.
	pub migrating: bool,
	/// Whether root has stopped the clock.
	pub halted: bool,
}

/// What decides whether the clock runs, as of the last block.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct ConditionRecord {
	/// The last 32 slots, the latest in bit 0. A bit is set where the slot had a block.
	pub slots: u32,
	/// The slot of the last block.
	pub last_slot: Option<u64>,
	/// Whether the tick rose in the last block.
	pub running: bool,
	/// Whether root has stopped the clock.
	pub halted: bool,
	/// Whether the operational part of the last block was full.
	pub operational_full: bool,
}

impl Default for ConditionRecord {
	/// Before the first block: all is well.
	fn default() -> Self {
		Self {
			slots: u32::MAX,
			last_slot: None,
			running: true,
			halted: false,
			operational_full: false,
		}
	}
}

impl ConditionRecord {
	/// Notes that `slot` has a block. Slots come in order; one that does not changes nothing.
	pub(crate) fn note_slot(&mut self, slot: u64) {
		let passed = self.last_slot.map_or(1, |last| slot.saturating_sub(last));
		if passed == 0 {
			return;
		}
		let shift = u32::try_from(passed).unwrap_or(u32::MAX);
		self.slots = self.slots.checked_shl(shift).unwrap_or_default() | 1;
		self.last_slot = Some(slot);
	}

	/// Whether a tick may pass.
	pub(crate) const fn may_run(&self, migrating: bool) -> bool {
		self.slots.count_ones() >= HEALTHY_SLOTS
			&& !self.operational_full
			&& !migrating
			&& !self.halted
	}

	/// The same for the reader.
	pub(crate) const fn health(&self, migrating: bool) -> Health {
		Health {
			running: self.running,
			blocks_in_last_32_slots: self.slots.count_ones(),
			operational_full: self.operational_full,
			migrating,
			halted: self.halted,
		}
	}
}

/// Whether a multi-block migration runs, by what frame-system is told.
#[derive(Debug)]
pub struct OngoingMigration<T>(PhantomData<T>);

impl<T: frame_system::Config> Get<bool> for OngoingMigration<T> {
	fn get() -> bool {
		T::MultiBlockMigrator::ongoing()
	}
}

/// The beacon that follows `last`.
pub fn next_beacon(last: &Hash, input: &Hash) -> Hash {
	let mut bytes = [0; 64];
	bytes[..32].copy_from_slice(last);
	bytes[32..].copy_from_slice(input);
	sp_io::hashing::blake2_256(&bytes)
}
