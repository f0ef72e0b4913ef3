// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the calls check, and how a miner's record goes.

use crate::*;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchResult, InvalidTransaction, TransactionValidityWithRefund},
	traits::{fungible::hold::Mutate as _, tokens::Precision},
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use planaria_primitives::duty::{DutyKind, registration_bytes};
use sp_core::{ed25519, sr25519};
use sp_runtime::{DispatchError, traits::Zero};
use support::{Clock as _, DutyGate as _, hot_key};

impl<T: Config> Pallet<T> {
	/// Checks a fee-less `alive`: that it is due, and then what the gate checks of every duty.
	pub(crate) fn authorize_alive(
		miner: MinerId,
		anchor: u32,
		signature: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund {
		if let Some(load) = Loads::<T>::get(miner) {
			let unseen = T::Clock::now().saturating_sub(load.last_seen);
			if unseen < Parameters::<T>::get().alive_every / 2 {
				return Err(InvalidTransaction::Custom(refusal::NOT_DUE).into());
			}
		}
		Self::authorize(DutyKind::Alive, miner, anchor, &(), signature)
	}

	/// The miner whose stash or hot key has signed, unless it has departed.
	pub(crate) fn ensure_own(origin: OriginFor<T>) -> Result<(MinerId, MinerOf<T>), DispatchError> {
		let who = ensure_signed(origin)?;
		let id = ByAccount::<T>::get(&who).ok_or(Error::<T>::UnknownMiner)?;
		let record = Miners::<T>::get(id).ok_or(Error::<T>::UnknownMiner)?;
		ensure!(record.standing().is_some(), Error::<T>::HasDeparted);
		Ok((id, record))
	}

	/// The miner whose stash has signed, unless it has departed.
	pub(crate) fn ensure_stash(
		origin: OriginFor<T>,
	) -> Result<(MinerId, MinerOf<T>), DispatchError> {
		let who = ensure_signed(origin.clone())?;
		let (id, record) = Self::ensure_own(origin)?;
		ensure!(record.stash == who, Error::<T>::NotStash);
		Ok((id, record))
	}

	/// The key is nobody's yet, and agrees to sign for a miner of this stash.
	pub(crate) fn ensure_hot_key(
		stash: &AccountId32,
		key: &sr25519::Public,
		proof: &sr25519::Signature,
	) -> DispatchResult {
		let account = AccountId32::from(*key);
		let free = account != *stash && !ByAccount::<T>::contains_key(account);
		ensure!(free, Error::<T>::KeyInUse);
		let bytes = Self::bytes_to_prove(stash);
		ensure!(sp_io::crypto::sr25519_verify(proof, &bytes, key), Error::<T>::BadProof);
		Ok(())
	}

	/// The endpoint is well-formed, its key belongs to nobody but `miner`, and agrees to be the
	/// endpoint of a miner of this stash.
	pub(crate) fn ensure_endpoint(
		miner: Option<MinerId>,
		stash: &AccountId32,
		endpoint: &Endpoint,
		proof: &ed25519::Signature,
	) -> DispatchResult {
		ensure!(endpoint.is_valid(), Error::<T>::InvalidAddress);
		let used_by = ByEndpoint::<T>::get(endpoint.key);
		ensure!(used_by.is_none() || used_by == miner, Error::<T>::EndpointInUse);
		let key = ed25519::Public::from_raw(endpoint.key);
		let bytes = Self::bytes_to_prove(stash);
		ensure!(sp_io::crypto::ed25519_verify(proof, &bytes, &key), Error::<T>::BadProof);
		Ok(())
	}

	/// Whether the miner was not seen for so long that anyone may mark it absent.
	pub fn may_mark_absent(record: &MinerOf<T>, load: &MinerLoad) -> Result<(), Error<T>> {
		ensure!(!record.is_away(), Error::<T>::AlreadyAbsent);
		let unseen = T::Clock::now().saturating_sub(load.last_seen);
		ensure!(unseen > Parameters::<T>::get().absent_after, Error::<T>::SeenLately);
		Ok(())
	}

	/// Whether the miner has been absent for so long that anyone may expel it.
	pub fn may_expel_absent(record: &MinerOf<T>) -> Result<(), Error<T>> {
		let absence = record.absence.ok_or(Error::<T>::NotAbsent)?;
		let away = T::Clock::now().saturating_sub(absence.since);
		ensure!(away > Parameters::<T>::get().absent_max, Error::<T>::NotAbsent);
		ensure!(!Self::brake_engaged(), Error::<T>::BrakeEngaged);
		Ok(())
	}

	/// Whether the miner leaves and nothing is left to wait for, so that anyone may let it go. What was
	/// placed with it and not confirmed is not waited for: otherwise whoever placed it could keep the
	/// miner and its collateral by never sending it.
	pub fn may_finish(miner: MinerId, record: &MinerOf<T>) -> Result<(), Error<T>> {
		match record.phase {
			Phase::Leaving { .. } | Phase::Expelled => (),
			Phase::Active { .. } => return Err(Error::<T>::NotLeaving),
			Phase::Departed { .. } => return Err(Error::<T>::HasDeparted),
		}
		let idle = Loads::<T>::get(miner).is_none_or(|load| load.is_idle());
		ensure!(idle, Error::<T>::NotIdle);
		Ok(())
	}

	pub(crate) fn bytes_to_prove(stash: &AccountId32) -> alloc::vec::Vec<u8> {
		let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		registration_bytes(&genesis.0, stash.as_ref())
	}

	/// Releases the collateral of a miner that departed, and removes all traces of it.
	pub(crate) fn remove(id: MinerId, record: MinerOf<T>) -> DispatchResult {
		let Phase::Departed { free_at } = record.phase else {
			return Err(Error::<T>::NotDeparted.into());
		};
		ensure!(T::Clock::now() >= free_at, Error::<T>::CoolingDown);
		let reason = HoldReason::Collateral.into();
		let (stash, collateral) = (&record.stash, record.collateral);
		let amount = T::Currency::release(&reason, stash, collateral, Precision::BestEffort)?;

		ByAccount::<T>::remove(stash);
		ByAccount::<T>::remove(AccountId32::from(record.hot_key));
		ByEndpoint::<T>::remove(record.endpoint.key);
		Miners::<T>::remove(id);
		Self::deposit_event(Event::CollateralReleased { miner: id, amount });
		Ok(())
	}
}
