// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Suspected lost, lost, found.

use super::*;
use frame_support::pallet_prelude::DispatchResult;
use pallet_planaria_support::{Clock, Custody, Fragments, SegmentInfo, Standing};
use planaria_primitives::{FragmentId, MinerId, SegmentId, segment::bit};

impl<T: Config> Pallet<T> {
	/// How many fragments of the segment are present.
	pub fn present(segment: SegmentId, info: &SegmentInfo) -> u8 {
		info.present(Self::standing, Self::missing(segment, info))
	}

	/// How many more fragments of the segment could be missing.
	pub fn spare(segment: SegmentId, info: &SegmentInfo) -> i16 {
		info.spare(Self::standing, Self::missing(segment, info))
	}

	/// The fragments under restoration that their holders do not have.
	fn missing(segment: SegmentId, info: &SegmentInfo) -> u64 {
		if info.segment.restoring == 0 { 0 } else { Missing::<T>::get(segment) }
	}

	/// Whether `check_segment` would change anything.
	pub fn is_misjudged(segment: SegmentId) -> bool {
		let Some(info) = Self::judged(segment) else { return false };
		let restorable = Self::spare(segment, &info) >= 0;
		match Verdicts::<T>::get(segment) {
			None => !restorable,
			Some(Verdict::Suspected { deadline }) => restorable || T::Clock::now() > deadline,
			Some(Verdict::Lost { .. }) => {
				restorable || Self::to_vacate(segment, &info).next().is_some()
			},
		}
	}

	/// The segment, if it is judged: not while it was never whole, nor once its file is gone.
	fn judged(segment: SegmentId) -> Option<SegmentInfo> {
		T::Fragments::get(segment).filter(|info| {
			info.state.is_alive() && info.segment.confirmed_count() == info.segment.fragments()
		})
	}

	/// Judges the segment by the fragments that are present now.
	pub(crate) fn evaluate(segment: SegmentId) -> DispatchResult {
		let Some(info) = Self::judged(segment) else { return Ok(()) };
		let now = T::Clock::now();
		let restorable = Self::spare(segment, &info) >= 0;
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
		for (fragment, from) in Self::to_vacate(segment, info) {
			T::Custody::hand_over(fragment, None)?;
			Self::deposit_event(Event::FragmentVacated { fragment, from });
		}
		Ok(())
	}

	fn to_vacate(
		segment: SegmentId,
		info: &SegmentInfo,
	) -> impl Iterator<Item = (FragmentId, MinerId)> {
		let missing = Self::missing(segment, info);
		let restoring = (0..info.segment.fragments()).filter(|i| info.segment.is_restoring(*i));
		let held = restoring.filter_map(move |index| {
			Some((FragmentId { segment, index }, info.segment.holder(index)?))
		});
		held.filter(move |(fragment, holder)| {
			let leaves = Self::standing(*holder) == Some(Standing::Leaving { expelled: false });
			!leaves || missing & bit(fragment.index) != 0
		})
	}
}
