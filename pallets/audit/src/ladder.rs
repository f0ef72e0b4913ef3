// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Strikes, what they lead to, and how they heal.

use super::*;
use pallet_planaria_support::{Clock, Collateral, Discipline, OnDeparture};
use planaria_primitives::MinerId;
use sp_runtime::traits::Zero;

impl<T: Config> Pallet<T> {
	/// The miner failed a challenge. Returns its strikes, if that is another one.
	pub(crate) fn note_failure(miner: MinerId) -> Option<u8> {
		let strike_window = Parameters::<T>::get().strike_window;
		let mut record = Records::<T>::get(miner);
		let struck = record.fail(T::Clock::now(), strike_window);
		Self::put_record(miner, record);
		struck.then_some(record.strikes)
	}

	/// What follows from another strike.
	pub(crate) fn punish(miner: MinerId, strikes: u8) {
		let params = Parameters::<T>::get();
		let Some(mut level) = params.level(strikes) else { return };
		if level >= Level::Suspended {
			// It may be suspended already, or leave.
			let _ = T::Discipline::suspend(miner);
		}
		let mut slashed = Zero::zero();
		if level >= Level::Slashed {
			let amount = params.slash(strikes) * T::Collateral::required(miner);
			slashed = T::Collateral::pay(miner, None, amount);
		}
		if level == Level::Expelled && T::Discipline::expel(miner).is_err() {
			// Not while so much else is away; the next strike tries again.
			level = Level::Slashed;
		}
		Self::deposit_event(Event::Struck { miner, strikes, level, slashed });
	}

	/// The miner passed a drawn challenge.
	pub(crate) fn heal(miner: MinerId) {
		let params = Parameters::<T>::get();
		let mut record = Records::<T>::get(miner);
		if !record.pass(T::Clock::now(), params.heal_after) {
			return;
		}
		let strikes = record.strikes;
		Self::put_record(miner, record);
		if params.level(strikes) < Some(Level::Suspended) {
			// It may leave, or never have been suspended.
			let _ = T::Discipline::reinstate(miner);
		}
		Self::deposit_event(Event::Healed { miner, strikes });
	}

	/// Stores a miner's record, or removes it where there is nothing to remember.
	pub(crate) fn put_record(miner: MinerId, record: Record) {
		if record.is_clean() {
			Records::<T>::remove(miner);
		} else {
			Records::<T>::insert(miner, record);
		}
	}

	/// One fragment less of the miner is named.
	pub(crate) fn unname(miner: MinerId) {
		let mut record = Records::<T>::get(miner);
		record.named = record.named.saturating_sub(1);
		Self::put_record(miner, record);
	}
}

impl<T: Config> OnDeparture for Pallet<T> {
	/// Its strikes are forgotten; its open challenges lapse when their deadlines have passed.
	fn on_departure(miner: MinerId) {
		let mut record = Records::<T>::get(miner);
		record.strikes = 0;
		Self::put_record(miner, record);
	}
}
