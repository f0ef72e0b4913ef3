// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Suspected lost, lost, found.

use super::*;
use frame_support::pallet_prelude::DispatchResult;
use pallet_planaria_support::{Clock, Custody, Fragments, SegmentInfo, Standing};
use planaria_primitives::{FragmentId, SegmentId};

impl<T: Config> Pallet<T> {
	/// How many more fragments of the segment could be missing.
	pub fn spare(info: &SegmentInfo) -> i16 {
		info.spare(Self::standing)
	}

	/// Judges the segment by the fragments that are present now.
	///
	/// Nothing happens while the segment was never whole, and once its file is gone.
	pub(crate) fn evaluate(segment: SegmentId) -> DispatchResult {
		let Some(info) = T::Fragments::get(segment).filter(|info| info.state.is_alive()) else {
			return Ok(());
		};
		if info.segment.confirmed_count() < info.segment.fragments() {
			return Ok(());
		}
		let now = T::Clock::now();
		let restorable = Self::spare(&info) >= 0;
		match Verdicts::<T>::get(segment) {
			None if restorable => (),
			None => {
				let deadline = Parameters::<T>::get().countdown_ends(now);
				Verdicts::<T>::insert(segment, Verdict::Suspected { deadline });
				Self::schedule(deadline, Task::CountdownEnds(segment));
				Self::deposit_event(Event::SuspectedLost { segment, deadline });
			},
			Some(Verdict::Suspected { .. }) if restorable => {
				Verdicts::<T>::remove(segment);
				Self::deposit_event(Event::SuspicionCleared { segment });
			},
			Some(Verdict::Suspected { deadline }) if now > deadline => {
				Verdicts::<T>::insert(segment, Verdict::Lost { since: now });
				T::Custody::set_lost(segment, true)?;
				Self::deposit_event(Event::SegmentLost { segment });
				Self::vacate(segment, &info)?;
			},
			Some(Verdict::Suspected { .. }) => (),
			Some(Verdict::Lost { .. }) if restorable => {
				Verdicts::<T>::remove(segment);
				T::Custody::set_lost(segment, false)?;
				Self::deposit_event(Event::SegmentFound { segment });
			},
			Some(Verdict::Lost { .. }) => Self::vacate(segment, &info)?,
		}
		Ok(())
	}

	/// Takes the fragments under restoration off their holders, so that restore targets can finish.
	/// Their orders stay.
	///
	/// A miner that leaves and still serves keeps what others are to copy from it: it is needed
	/// to restore the rest.
	fn vacate(segment: SegmentId, info: &SegmentInfo) -> DispatchResult {
		for index in (0..info.segment.fragments()).filter(|i| info.segment.is_restoring(*i)) {
			let fragment = FragmentId { segment, index };
			let Some(holder) = info.segment.holder(index) else { continue };
			let copied = Self::standing(holder) == Some(Standing::Leaving { expelled: false })
				&& Orders::<T>::get(fragment).is_some_and(|order| order.cause == Cause::Target);
			if !copied {
				T::Custody::hand_over(fragment, None)?;
				Self::deposit_event(Event::FragmentVacated { fragment, from: holder });
			}
		}
		Ok(())
	}
}
