// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Declaring restored fragments ready, and proving a sample of them.

use super::{tally::Tally, *};
use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult, InvalidTransaction, TransactionValidityError},
	storage::with_storage_layer,
};
use pallet_planaria_support::{Bounties, Clock, Custody, DutyGate, Moved, SegmentInfo, Standing};
use planaria_primitives::{
	FragmentId, FragmentProof, Hash, MinerId, THIN_SPARE, sampling, segment::bit,
};

/// A chunk that a report must prove.
struct Asked {
	fragment: FragmentId,
	info: SegmentInfo,
	chunk: u32,
}

impl<T: Config> Pallet<T> {
	/// The batches that a miner declared ready and can still report, with the blocks it declared
	/// them in, the oldest first.
	pub fn batches_of(miner: MinerId) -> Vec<(u32, Batch)> {
		let mut batches: Vec<_> = Batches::<T>::iter_prefix(miner).collect();
		batches.retain(|(at, _)| !Self::is_too_old(*at));
		batches.sort_unstable_by_key(|(at, _)| *at);
		batches
	}

	/// The fragments and chunks that a report of the batch must prove, in the report's order;
	/// `None` until the seed is known, and once it is forgotten.
	pub fn asked(at: u32, batch: &Batch) -> Option<Vec<(FragmentId, u32)>> {
		let seed = T::Clock::beacon_at(Batch::seed_block(at))?;
		let asked = Self::chunks_asked(batch, &seed);
		Some(asked.into_iter().map(|asked| (asked.fragment, asked.chunk)).collect())
	}

	/// Whether the seed of a batch that was declared in block `at` is forgotten.
	fn is_too_old(at: u32) -> bool {
		let seed_block = Batch::seed_block(at);
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
			None => Batches::<T>::iter_key_prefix(miner).next().is_some(),
		};
		if effective { Ok(()) } else { Err(InvalidTransaction::Stale.into()) }
	}

	/// Before the gate: whether `report` can have any effect.
	pub(crate) fn may_report(
		miner: MinerId,
		at: u32,
		proofs: &[FragmentProof],
	) -> Result<(), TransactionValidityError> {
		let batch = Batches::<T>::get(miner, at).ok_or(InvalidTransaction::Stale)?;
		let seed_block = Batch::seed_block(at);
		if Self::block() < seed_block {
			return Err(InvalidTransaction::Future.into());
		}
		let seed = T::Clock::beacon_at(seed_block).ok_or(InvalidTransaction::Stale)?;
		let asked = Self::sample(&batch, &seed).count_ones();
		if len(proofs) > asked { Err(InvalidTransaction::BadProof.into()) } else { Ok(()) }
	}

	pub(crate) fn do_ready(miner: MinerId, fragments: &[FragmentId], tally: &mut Tally) {
		let at = Self::block();
		if let Some(earlier) = Self::displaced(miner, at, fragments.is_empty())
			&& let Some(batch) = Batches::<T>::take(miner, earlier)
		{
			// Where the miner could see what it would have to prove, another seed has its price. One
			// that is forgotten was known before.
			let asked = Self::asked(earlier, &batch).map(|asked| !asked.is_empty());
			if asked.unwrap_or_else(|| Self::is_too_old(earlier)) {
				T::DutyGate::charge_wrong(miner);
			}
			Self::deposit_event(Event::BatchDropped { miner, at: earlier });
		}

		let mut ready = Self::ready_of(miner);
		let mut batch = Batch { fragments: ReadyFragments::new(), thin: 0 };
		for (index, fragment) in (0..).zip(fragments) {
			let added = if ready.insert(*fragment) {
				Self::add_to_batch(miner, *fragment, &mut batch, tally)
			} else {
				Err(Error::<T>::InBatch.into())
			};
			if let Err(error) = added {
				Self::deposit_event(Event::ItemFailed { miner, index, error });
			}
		}
		if !batch.fragments.is_empty() {
			let count = len(&batch.fragments);
			Batches::<T>::insert(miner, at, batch);
			Self::deposit_event(Event::BatchReady { miner, at, count });
		}
	}

	/// The batch that gives way to one that is declared in block `now`: one of the same block;
	/// otherwise the oldest, if there is no room for another, its seed is forgotten, or it is only
	/// to be dropped.
	fn displaced(miner: MinerId, now: u32, only_dropped: bool) -> Option<u32> {
		let batches: Vec<u32> = Batches::<T>::iter_key_prefix(miner).collect();
		let oldest = batches.iter().copied().min()?;
		let displaces = only_dropped || len(&batches) >= MAX_BATCHES || Self::is_too_old(oldest);
		if batches.contains(&now) { Some(now) } else { displaces.then_some(oldest) }
	}

	/// Changes nothing where it fails.
	fn add_to_batch(
		miner: MinerId,
		fragment: FragmentId,
		batch: &mut Batch,
		tally: &mut Tally,
	) -> DispatchResult {
		Self::ensure_claimed(miner, fragment)?;
		let info = Self::live(fragment)?;
		let count = Self::count(fragment.segment, &info, THIN_SPARE.saturating_add(1), tally);
		let thin = Self::spare_in(&info, count) <= THIN_SPARE;

		let (thin_after, len_after) =
			(batch.thin.count_ones() + u32::from(thin), len(&batch.fragments) + 1);
		let needed = Batch::proofs_needed(thin_after, len_after - thin_after);
		ensure!(needed <= MAX_PROOFS, Error::<T>::TooThin);
		let position = u8::try_from(batch.fragments.len()).map_err(|_| Error::<T>::TooThin)?;
		batch.fragments.try_push(fragment).map_err(|_| Error::<T>::TooThin)?;
		if thin {
			batch.thin |= bit(position);
		}
		Ok(())
	}

	/// The miner has claimed the fragment, and its deadline has not passed.
	fn ensure_claimed(miner: MinerId, fragment: FragmentId) -> DispatchResult {
		let order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		let (by, deadline) = order.state.claim().ok_or(Error::<T>::NotClaimer)?;
		ensure!(by == miner, Error::<T>::NotClaimer);
		ensure!(T::Clock::now() <= deadline, Error::<T>::DeadlinePassed);
		Ok(())
	}

	/// Returns how many fragments the batch names.
	pub(crate) fn do_report(
		miner: MinerId,
		at: u32,
		proofs: &[FragmentProof],
		tally: &mut Tally,
	) -> u32 {
		let Some(batch) = Batches::<T>::get(miner, at) else {
			Self::report_failed(miner, Error::<T>::NoBatch);
			return 0;
		};
		let named = len(&batch.fragments);
		if !Self::standing(miner).is_some_and(Standing::serves) {
			Self::report_failed(miner, Error::<T>::NotServing);
			return named;
		}
		let Some(seed) = T::Clock::beacon_at(Batch::seed_block(at)) else {
			if Self::is_too_old(at) {
				T::DutyGate::charge_wrong(miner);
				Batches::<T>::remove(miner, at);
				Self::report_failed(miner, Error::<T>::BatchTooOld);
			} else {
				Self::report_failed(miner, Error::<T>::SeedUnknown);
			}
			return named;
		};
		if let Err((error, wrong)) = Self::check_proofs(&batch, &seed, proofs) {
			(0..wrong).for_each(|_| T::DutyGate::charge_wrong(miner));
			Batches::<T>::remove(miner, at);
			Self::report_failed(miner, error);
			return named;
		}
		let (mut restored, mut moves) = (Vec::new(), Vec::new());
		for (index, fragment) in (0..).zip(&batch.fragments) {
			let before = tally.verdicts;
			match with_storage_layer(|| Self::restored(miner, *fragment, tally)) {
				Ok(moved) => {
					tally.done(moved.from, tally.verdicts != before);
					restored.push(*fragment);
					moves.push(moved);
				},
				// It stays claimed.
				Err(error) => {
					tally.refused();
					Self::deposit_event(Event::ItemFailed { miner, index, error });
				},
			}
		}
		T::Custody::moved(&moves);
		T::Bounties::pay(restored, miner);
		Batches::<T>::remove(miner, at);
		named
	}

	/// Checks the proofs of a report; the error comes with how many fees it costs.
	pub(crate) fn check_proofs(
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

	/// The miner has proven the batch that the fragment is part of: it holds it from now on. The
	/// caller tells the ledger and pays the bounty.
	fn restored(
		miner: MinerId,
		fragment: FragmentId,
		tally: &mut Tally,
	) -> Result<Moved, DispatchError> {
		Self::ensure_claimed(miner, fragment)?;
		let mut info = Self::live(fragment)?;
		// A fragment of a running storage order may have been placed with it since the claim.
		ensure!(info.segment.index_of(miner).is_none(), Error::<T>::HoldsSibling);

		let moved = T::Custody::hand_over(fragment, &mut info, Some(miner))?;
		ClaimsOf::<T>::remove(miner, fragment.segment);
		Self::remove_order(fragment);
		Self::deposit_event(Event::FragmentRestored { fragment, from: moved.from, to: miner });
		Self::judge(fragment.segment, &mut info, None, tally)?;
		Ok(moved)
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
