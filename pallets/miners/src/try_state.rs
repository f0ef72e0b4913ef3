// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The properties of the crate's documentation, as far as they can be read off the storage.

use crate::*;
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::hold::Inspect as _};
use sp_runtime::TryRuntimeError;
use support::{Clock as _, MinerDirectory};

impl<T: Config> Pallet<T> {
	/// Checks the [properties](crate#properties) that can be read off the storage.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_params()?;
		Self::check_lookups()?;
		Self::check_collateral()?;
		Self::check_loads()?;
		Self::check_phases()?;
		Self::check_brake()
	}

	/// The parameters fit each other.
	fn check_params() -> Result<(), TryRuntimeError> {
		ensure!(Parameters::<T>::get().check().is_ok(), "the parameters are not sane");
		Ok(())
	}

	/// Every stash, hot key and endpoint key leads to its miner, and nothing else does.
	fn check_lookups() -> Result<(), TryRuntimeError> {
		for (id, miner) in Miners::<T>::iter() {
			let hot_key = AccountId32::from(miner.hot_key);
			ensure!(id < NextMiner::<T>::get(), "a miner with an id of the future");
			ensure!(miner.stash != hot_key, "a hot key that is the stash");
			ensure!(ByAccount::<T>::get(&miner.stash) == Some(id), "a stash is not found");
			ensure!(ByAccount::<T>::get(hot_key) == Some(id), "a hot key is not found");
			let found = ByEndpoint::<T>::get(miner.endpoint.key);
			ensure!(found == Some(id), "an endpoint key is not found");
		}
		let miners = Miners::<T>::iter_keys().count();
		let by_account = ByAccount::<T>::iter_keys().count();
		ensure!(by_account == 2 * miners, "an account leads nowhere");
		ensure!(ByEndpoint::<T>::iter_keys().count() == miners, "an endpoint leads nowhere");
		Ok(())
	}

	/// What is recorded as collateral is on hold.
	fn check_collateral() -> Result<(), TryRuntimeError> {
		for (_, miner) in Miners::<T>::iter() {
			let reason = HoldReason::Collateral.into();
			let held = T::Currency::balance_on_hold(&reason, &miner.stash);
			ensure!(held == miner.collateral, "collateral that is not on hold");
		}
		Ok(())
	}

	/// Every miner that has not departed has a load, and nobody else; each holds no more than
	/// it offers; the sum is right.
	fn check_loads() -> Result<(), TryRuntimeError> {
		let registered = Loads::<T>::iter_keys().count();
		ensure!(Registered::<T>::get() as usize == registered, "miners that are not counted");
		let mut total = 0u64;
		for (id, load) in Loads::<T>::iter() {
			let Some(miner) = Miners::<T>::get(id) else {
				return Err("a load without a miner".into());
			};
			ensure!(miner.standing().is_some(), "a departed miner has a load");
			ensure!(load.used() <= miner.declared, "more in use than offered");
			ensure!(load.held >= load.fragments.into(), "fragments without bytes");
			ensure!(load.held == 0 || load.fragments > 0, "bytes without fragments");
			ensure!(load.last_seen <= T::Clock::now(), "seen in the future");
			total = total.saturating_add(load.held);
		}
		ensure!(total == HeldBytes::<T>::get(), "the sum of held bytes is wrong");
		Ok(())
	}

	/// Who is absent could return, and a miner has a load and a standing until it departs.
	fn check_phases() -> Result<(), TryRuntimeError> {
		let mut registered = 0;
		for (id, miner) in Miners::<T>::iter() {
			let departed = miner.standing().is_none();
			ensure!(
				<Self as MinerDirectory<_>>::standing(id) == miner.standing(),
				"a standing that is not the miner's"
			);
			registered += usize::from(!departed);
			ensure!(Loads::<T>::contains_key(id) != departed, "a miner without a load");
			if departed || miner.phase == Phase::Expelled {
				ensure!(miner.absence.is_none(), "an absence that cannot end");
			}
		}
		let noted: usize = Standings::<T>::iter_values().map(|page| page.count()).sum();
		ensure!(noted == registered, "a standing without a miner");
		let empty = Standings::<T>::iter_values().any(|page| page.is_empty());
		ensure!(!empty, "a page of standings of nobody");
		Ok(())
	}

	/// The brake counts everybody that turned absent in its window and is still away; so does an
	/// outage everybody that belongs to it.
	fn check_brake() -> Result<(), TryRuntimeError> {
		let window = Parameters::<T>::get().brake_window;
		let brake = BrakeState::<T>::get();
		let mut away = BTreeMap::<u32, u64>::new();
		for (_, miner) in Miners::<T>::iter() {
			let Some(absence) = miner.absence else { continue };
			if let Some(number) = brake.bucket_of(absence, window) {
				let bytes = away.entry(number).or_default();
				*bytes = bytes.saturating_add(absence.bytes);
			}
		}
		for (number, bytes) in away {
			let counted = brake.buckets[number as usize % brake.buckets.len()];
			ensure!(bytes <= counted, "an absence is not counted");
		}
		if let Some(outage) = OutageState::<T>::get() {
			let absences = Miners::<T>::iter_values().filter_map(|miner| miner.absence);
			let own = absences.filter(|absence| outage.includes(*absence));
			let bytes = own.map(|absence| absence.bytes).fold(0, u64::saturating_add);
			ensure!(bytes <= outage.bytes, "an absence does not count for its outage");
		}
		Ok(())
	}
}
