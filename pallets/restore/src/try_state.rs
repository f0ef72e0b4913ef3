// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The invariants of this pallet: see the crate's properties.

use super::*;
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::ensure;
use pallet_planaria_support::{Clock, Fragments, MinerDirectory};
use planaria_primitives::{FragmentId, SegmentId, segment::bit};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks all invariants.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_orders()?;
		Self::check_missing()?;
		Self::check_claims()?;
		Self::check_bans()?;
		Self::check_batches()?;
		Self::check_verdicts()?;
		Self::check_agenda()
	}

	/// An order exists exactly where the restoring bit is set, on a confirmed fragment. (Seen from
	/// the orders: a segment without any is for the runtime's invariants.)
	fn check_orders() -> Result<(), TryRuntimeError> {
		for (fragment, order) in Orders::<T>::iter() {
			let info = T::Fragments::get(fragment.segment).ok_or("an order without a segment")?;
			let segment = &info.segment;
			ensure!(segment.is_restoring(fragment.index), "an order without its bit");
			ensure!(segment.is_confirmed(fragment.index), "an order for what is not confirmed");
			ensure!(segment.restoring & !segment.confirmed == 0, "restoring, but not confirmed");
			for index in (0..segment.fragments()).filter(|i| segment.is_restoring(*i)) {
				let sibling = FragmentId { index, ..fragment };
				ensure!(Orders::<T>::contains_key(sibling), "a bit without its order");
			}
			ensure!(order.opened_at <= Self::block(), "an order from the future");
			let distinct: BTreeSet<_> = order.declined.iter().collect();
			ensure!(distinct.len() == order.declined.len(), "declined twice by one miner");
			let claimer = order.state.claim().map(|(by, _)| by);
			ensure!(
				claimer.is_none_or(|by| !order.declined.contains(&by)),
				"claimed by a miner that has declined it"
			);
			let holder = segment.holder(fragment.index);
			ensure!(
				holder.is_none_or(|holder| holder == order.holder),
				"an ordered fragment changed its holder"
			);
		}
		Ok(())
	}

	/// The bits are those of the orders that were not opened only because the holder is a target.
	fn check_missing() -> Result<(), TryRuntimeError> {
		let mut missing = BTreeMap::<SegmentId, u64>::new();
		for (fragment, order) in Orders::<T>::iter() {
			if order.cause != Cause::Target {
				*missing.entry(fragment.segment).or_default() |= bit(fragment.index);
			}
		}
		let stored: BTreeMap<_, _> = Missing::<T>::iter().collect();
		ensure!(stored == missing, "what holders do not have is not what orders say");
		Ok(())
	}

	/// The claims listed by miner are exactly the claimed orders.
	fn check_claims() -> Result<(), TryRuntimeError> {
		for (miner, segment, index) in ClaimsOf::<T>::iter() {
			let order = Orders::<T>::get(FragmentId { segment, index });
			let claim = order.and_then(|order| order.state.claim());
			ensure!(claim.is_some_and(|(by, _)| by == miner), "listed, but not claimed");
		}
		for (fragment, order) in Orders::<T>::iter() {
			let Some((by, _)) = order.state.claim() else { continue };
			let listed = ClaimsOf::<T>::get(by, fragment.segment);
			ensure!(listed == Some(fragment.index), "claimed, but not listed");
		}
		Ok(())
	}

	/// Nobody claims in a segment that it is banned from.
	fn check_bans() -> Result<(), TryRuntimeError> {
		for (miner, segment, until) in Bans::<T>::iter() {
			let claims = ClaimsOf::<T>::contains_key(miner, segment);
			ensure!(!claims || T::Clock::now() > until, "claimed in spite of a ban");
		}
		Ok(())
	}

	/// A batch is that of a miner that has not departed and has no more than it may, names no fragment
	/// twice, nor one that another batch of its miner names, and needs no more proofs than a report
	/// carries.
	fn check_batches() -> Result<(), TryRuntimeError> {
		for (miner, at, batch) in Batches::<T>::iter() {
			let batches = Batches::<T>::iter_key_prefix(miner).count();
			ensure!(batches <= MAX_BATCHES as usize, "too many batches of a miner");
			ensure!(T::Directory::get(miner).is_some(), "the batch of a miner that has departed");
			let named: usize =
				Batches::<T>::iter_prefix_values(miner).map(|batch| batch.fragments.len()).sum();
			ensure!(named == Self::ready_of(miner).len(), "a fragment twice in a miner's batches");
			ensure!(!batch.fragments.is_empty(), "an empty batch");
			ensure!(at <= Self::block(), "a batch from the future");
			let count = u32::try_from(batch.fragments.len()).unwrap_or(u32::MAX);
			ensure!(
				count == MAX_READY || batch.thin >> count == 0,
				"a thin position behind the batch"
			);
			let thin = batch.thin.count_ones();
			let needed = Batch::proofs_needed(thin, count - thin);
			ensure!(needed <= MAX_PROOFS, "a batch that no report can prove");
		}
		Ok(())
	}

	/// A segment with a verdict exists and was confirmed as a whole.
	fn check_verdicts() -> Result<(), TryRuntimeError> {
		for (segment, verdict) in Verdicts::<T>::iter() {
			let info = T::Fragments::get(segment).ok_or("a verdict without a segment")?;
			let whole = info.segment.confirmed_count() == info.segment.fragments();
			ensure!(whole, "a verdict on a segment that was never whole");
			if let Verdict::Lost { since } = verdict {
				ensure!(since <= T::Clock::now(), "lost in the future");
			}
		}
		for segment in Settled::<T>::iter_keys() {
			ensure!(T::Fragments::get(segment).is_some(), "settled without a segment");
		}
		Ok(())
	}

	/// No task is left behind a tick that was served.
	fn check_agenda() -> Result<(), TryRuntimeError> {
		let next = AgendaNext::<T>::get();
		ensure!(AgendaTasks::<T>::iter_keys().all(|tick| tick >= next), "a task left behind");
		ensure!(next <= T::Clock::now().saturating_add(1), "the agenda runs ahead");
		Ok(())
	}
}
