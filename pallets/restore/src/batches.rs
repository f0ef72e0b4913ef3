// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Declaring restored fragments ready, and proving a sample of them.

use super::*;
use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult, InvalidTransaction, TransactionValidityError},
	storage::with_storage_layer,
};
use pallet_planaria_support::{Clock, Custody, DutyGate, SegmentInfo, Standing};
use planaria_primitives::{FragmentId, FragmentProof, Hash, MinerId, sampling, segment::bit};

/// A chunk that a report must prove.
struct Asked {
	fragment: FragmentId,
	info: SegmentInfo,
	chunk: u32,
}

impl<T: Config> Pallet<T> {
	/// The batch that a miner declared ready, while it can still be reported.
	pub fn batch_of(miner: MinerId) -> Option<Batch> {
		Batches::<T>::get(miner).filter(|batch| !Self::is_too_old(batch))
	}

	/// The fragments and chunks that a report of the batch must prove, in the report's order;
	/// `None` until the seed is known, and once it is forgotten.
	pub fn asked(batch: &Batch) -> Option<Vec<(FragmentId, u32)>> {
		let seed = T::Clock::beacon_at(batch.seed_block())?;
		let asked = Self::chunks_asked(batch, &seed);
		Some(asked.into_iter().map(|asked| (asked.fragment, asked.chunk)).collect())
	}

	/// Whether the seed of the batch is forgotten.
	fn is_too_old(batch: &Batch) -> bool {
		let seed_block = batch.seed_block();
		seed_block < Self::block() && T::Clock::beacon_at(seed_block).is_none()
	}

	/// The positions of the batch that the seed asks for.
	fn sample(batch: &Batch, seed: &Hash) -> u64 {
		sampling::positions(seed, len(&batch.fragments), batch.thin)
	}

	/// The chunks that the seed asks for, without those of files that are gone.
	fn chunks_asked(batch: &Batch, seed: &Hash) -> Vec<Asked> {
		let sample = Self::sample(batch, seed);
		(0..)
			.zip(&batch.fragments)
			.filter(|(position, _)| sample & bit(*position) != 0)
			.filter_map(|(_, fragment)| {
				let info = Self::live(*fragment).ok()?;
				let chunk = sampling::chunk(seed, fragment, info.spec.chunks(info.number));
				Some(Asked { fragment: *fragment, info, chunk })
			})
			.collect()
	}

	/// Before the gate: whether `ready` can have any effect.
	pub(crate) fn may_be_ready(
		miner: MinerId,
		fragments: &ReadyFragments,
	) -> Result<(), TransactionValidityError> {
		let effective = match fragments.first() {
			Some(first) => ClaimsOf::<T>::get(miner, first.segment) == Some(first.index),
			None => Batches::<T>::contains_key(miner),
		};
		if effective { Ok(()) } else { Err(InvalidTransaction::Stale.into()) }
	}

	/// Before the gate: whether `report` can have any effect.
	pub(crate) fn may_report(
		miner: MinerId,
		proofs: &[FragmentProof],
	) -> Result<(), TransactionValidityError> {
		let batch = Batches::<T>::get(miner).ok_or(InvalidTransaction::Stale)?;
		if Self::block() < batch.seed_block() {
			return Err(InvalidTransaction::Future.into());
		}
		let seed = T::Clock::beacon_at(batch.seed_block()).ok_or(InvalidTransaction::Stale)?;
		let asked = Self::sample(&batch, &seed).count_ones();
		if len(proofs) > asked { Err(InvalidTransaction::BadProof.into()) } else { Ok(()) }
	}

	pub(crate) fn do_ready(miner: MinerId, fragments: &[FragmentId]) {
		if let Some(earlier) = Batches::<T>::get(miner) {
			// Where the miner could see what it would have to prove, another seed has its price.
			if Self::asked(&earlier).is_some_and(|asked| !asked.is_empty()) {
				T::DutyGate::charge_wrong(miner);
			}
			Self::drop_batch(miner, &earlier);
			Self::deposit_event(Event::BatchDropped { miner, at: earlier.at });
		}

		let at = Self::block();
		let mut batch = Batch { at, fragments: ReadyFragments::new(), thin: 0 };
		for (index, fragment) in (0..).zip(fragments) {
			let added = with_storage_layer(|| Self::add_to_batch(miner, *fragment, &mut batch));
			if let Err(error) = added {
				Self::deposit_event(Event::ItemFailed { miner, index, error });
			}
		}
		if !batch.fragments.is_empty() {
			let count = len(&batch.fragments);
			Batches::<T>::insert(miner, batch);
			Self::deposit_event(Event::BatchReady { miner, at, count });
		}
	}

	fn add_to_batch(miner: MinerId, fragment: FragmentId, batch: &mut Batch) -> DispatchResult {
		let mut order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		let (by, deadline) = order.state.claim().ok_or(Error::<T>::NotClaimer)?;
		ensure!(by == miner, Error::<T>::NotClaimer);
		ensure!(!order.state.is_ready_by(miner), Error::<T>::InBatch);
		ensure!(T::Clock::now() <= deadline, Error::<T>::DeadlinePassed);
		let thin = Self::spare(fragment.segment, &Self::live(fragment)?) <= THIN_SPARE;

		let (thin_after, len_after) =
			(batch.thin.count_ones() + u32::from(thin), len(&batch.fragments) + 1);
		let needed = Batch::proofs_needed(thin_after, len_after - thin_after);
		ensure!(needed <= MAX_PROOFS, Error::<T>::TooThin);
		let position = u8::try_from(batch.fragments.len()).map_err(|_| Error::<T>::TooThin)?;
		batch.fragments.try_push(fragment).map_err(|_| Error::<T>::TooThin)?;
		if thin {
			batch.thin |= bit(position);
		}
		order.state = OrderState::Ready { by, deadline };
		Orders::<T>::insert(fragment, order);
		Ok(())
	}

	/// Returns how many fragments the batch had.
	pub(crate) fn do_report(miner: MinerId, proofs: &[FragmentProof]) -> u32 {
		let Some(batch) = Batches::<T>::get(miner) else {
			Self::report_failed(miner, Error::<T>::NoBatch);
			return 0;
		};
		let fragments = len(&batch.fragments);
		if !Self::standing(miner).is_some_and(Standing::serves) {
			Self::report_failed(miner, Error::<T>::NotServing);
			return fragments;
		}
		let Some(seed) = T::Clock::beacon_at(batch.seed_block()) else {
			if Self::is_too_old(&batch) {
				Self::drop_batch(miner, &batch);
				Self::report_failed(miner, Error::<T>::BatchTooOld);
			} else {
				Self::report_failed(miner, Error::<T>::SeedUnknown);
			}
			return fragments;
		};
		if let Err((error, wrong)) = Self::check_proofs(&batch, &seed, proofs) {
			(0..wrong).for_each(|_| T::DutyGate::charge_wrong(miner));
			Self::drop_batch(miner, &batch);
			Self::report_failed(miner, error);
			return fragments;
		}
		for (index, fragment) in (0..).zip(&batch.fragments) {
			if let Err(error) = with_storage_layer(|| Self::restored(miner, *fragment)) {
				Self::deposit_event(Event::ItemFailed { miner, index, error });
			}
		}
		// What was left out stays claimed.
		Self::drop_batch(miner, &batch);
		fragments
	}

	/// Checks the proofs of a report; the error comes with how many fees it costs.
	fn check_proofs(
		batch: &Batch,
		seed: &Hash,
		proofs: &[FragmentProof],
	) -> Result<(), (Error<T>, u32)> {
		if len(proofs) > Self::sample(batch, seed).count_ones() {
			return Err((Error::<T>::SurplusProofs, 1));
		}
		let asked = Self::chunks_asked(batch, seed);
		// So many proofs may be of fragments whose files went after they were made.
		let mut surplus = proofs.len().saturating_sub(asked.len());
		let mut proofs = proofs.iter();
		let mut unproven = 0;
		for Asked { fragment, info, chunk } in &asked {
			let mut proven = false;
			for proof in proofs.by_ref() {
				proven = Self::proves(proof, info, *fragment, *chunk);
				if proven || surplus == 0 {
					break;
				}
				surplus -= 1;
			}
			unproven += u32::from(!proven);
		}
		if unproven == 0 { Ok(()) } else { Err((Error::<T>::WrongProof, unproven)) }
	}

	/// The miner has proven the batch that the fragment is part of: it holds it from now on.
	fn restored(miner: MinerId, fragment: FragmentId) -> DispatchResult {
		let order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		ensure!(order.state.is_ready_by(miner), Error::<T>::NotClaimer);
		let (_, deadline) = order.state.claim().ok_or(Error::<T>::NotClaimer)?;
		ensure!(T::Clock::now() <= deadline, Error::<T>::DeadlinePassed);
		let info = Self::live(fragment)?;
		// A fragment of a running storage order may have been placed with it since the claim.
		ensure!(info.segment.index_of(miner).is_none(), Error::<T>::HoldsSibling);

		T::Custody::hand_over(fragment, Some(miner))?;
		ClaimsOf::<T>::remove(miner, fragment.segment);
		let from = info.segment.holder(fragment.index);
		Self::deposit_event(Event::FragmentRestored { fragment, from, to: miner });
		Self::close(fragment)
	}

	/// Removes the batch; what it names and is still the miner's stays claimed.
	fn drop_batch(miner: MinerId, batch: &Batch) {
		Batches::<T>::remove(miner);
		for fragment in &batch.fragments {
			let Some(mut order) = Orders::<T>::get(fragment) else { continue };
			if let OrderState::Ready { by, deadline } = order.state
				&& by == miner
			{
				order.state = OrderState::Claimed { by, deadline };
				Orders::<T>::insert(fragment, order);
			}
		}
	}

	fn report_failed(miner: MinerId, error: Error<T>) {
		let error = DispatchError::from(error);
		Self::deposit_event(Event::ReportFailed { miner, error });
	}
}

/// The length of a list of at most 64.
fn len<Item>(list: &[Item]) -> u32 {
	u32::try_from(list.len()).unwrap_or(u32::MAX)
}
