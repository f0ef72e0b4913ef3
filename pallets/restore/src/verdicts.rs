// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Suspected lost, lost, found.

use super::{tally::Tally, *};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use pallet_planaria_support::{
	Bounties, Clock, Custody, Fragments, SegmentInfo, Standing, WriteOff,
};
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

	/// Counts the present fragments of the segment until it can spare so many.
	pub(crate) fn count(
		segment: SegmentId,
		info: &SegmentInfo,
		spare: i16,
		tally: &mut Tally,
	) -> u8 {
		let enough = i16::from(info.spec.data()).saturating_add(spare);
		let enough = u8::try_from(enough).unwrap_or(u8::MAX);
		let standing = |miner| Self::standing_in(miner, tally);
		info.count(standing, Self::missing(segment, info), enough)
	}

	/// How many the segment can spare of those that were counted.
	pub(crate) fn spare_in(info: &SegmentInfo, present: u8) -> i16 {
		i16::from(present).saturating_sub(i16::from(info.spec.data()))
	}

	/// Whether the segment can be restored from what is present.
	fn is_restorable(segment: SegmentId, info: &SegmentInfo) -> bool {
		Self::spare_in(info, Self::count(segment, info, 0, &mut Tally::default())) >= 0
	}

	/// The fragments under restoration that their holders do not have.
	fn missing(segment: SegmentId, info: &SegmentInfo) -> u64 {
		if info.segment.restoring == 0 { 0 } else { Missing::<T>::get(segment) }
	}

	/// Whether `check_segment` would change anything.
	pub fn is_misjudged(segment: SegmentId) -> bool {
		let Some(info) = Self::judged(segment) else { return false };
		let restorable = Self::is_restorable(segment, &info);
		match Verdicts::<T>::get(segment) {
			None => !restorable,
			Some(Verdict::Suspected { deadline }) => restorable || T::Clock::now() > deadline,
			Some(Verdict::Lost { .. }) => {
				restorable || Self::to_vacate(segment, &info).next().is_some()
			},
		}
	}

	/// Whether the segment is judged: not while it was never whole, nor once its file is gone.
	fn is_judged(info: &SegmentInfo) -> bool {
		info.state.is_alive() && info.segment.confirmed_count() == info.segment.fragments()
	}

	/// The segment, if it is judged.
	fn judged(segment: SegmentId) -> Option<SegmentInfo> {
		T::Fragments::get(segment).filter(Self::is_judged)
	}

	/// Judges the segment by the fragments that are present now, to the end: it is lost where its
	/// countdown is over, and all is vacated that is to be.
	pub(crate) fn evaluate(segment: SegmentId) -> DispatchResult {
		let Some(mut info) = Self::judged(segment) else { return Ok(()) };
		Self::judge(segment, &mut info, None, &mut Tally::default())?;
		let now = T::Clock::now();
		match Verdicts::<T>::get(segment) {
			Some(Verdict::Suspected { deadline }) if now > deadline => {
				Verdicts::<T>::insert(segment, Verdict::Lost { since: now });
				T::Custody::set_lost(segment, true)?;
				Self::deposit_event(Event::SegmentLost { segment });
			},
			Some(Verdict::Lost { .. }) => (),
			_ => return Ok(()),
		}
		Self::vacate(segment, &mut info, usize::MAX)
	}

	/// Judges the segment, which is so now, by what was counted at least until it can be restored;
	/// without that it is counted.
	///
	/// No item of a call does what takes as many writes as there are fragments: of a lost segment one
	/// fragment is vacated, and the end of a countdown waits for the agenda or `check_segment`.
	pub(crate) fn judge(
		segment: SegmentId,
		info: &mut SegmentInfo,
		count: Option<u8>,
		tally: &mut Tally,
	) -> DispatchResult {
		if !Self::is_judged(info) {
			return Ok(());
		}
		let count = count.unwrap_or_else(|| Self::count(segment, info, 0, tally));
		let restorable = Self::spare_in(info, count) >= 0;
		let verdict = match Verdicts::<T>::get(segment) {
			None if restorable => return Ok(()),
			verdict => verdict,
		};
		tally.verdicts = tally.verdicts.saturating_add(1);
		match verdict {
			None => {
				let deadline = Parameters::<T>::get().countdown_ends(T::Clock::now());
				Verdicts::<T>::insert(segment, Verdict::Suspected { deadline });
				Self::schedule(deadline, Task::CountdownEnds(segment));
				Self::deposit_event(Event::SuspectedLost { segment, deadline });
			},
			Some(Verdict::Suspected { .. }) if restorable => {
				Verdicts::<T>::remove(segment);
				Self::deposit_event(Event::SuspicionCleared { segment });
			},
			Some(Verdict::Suspected { .. }) => (),
			Some(Verdict::Lost { .. }) if restorable => {
				Verdicts::<T>::remove(segment);
				T::Custody::set_lost(segment, false)?;
				Self::deposit_event(Event::SegmentFound { segment });
				Self::pay_again(segment);
			},
			Some(Verdict::Lost { .. }) => Self::vacate(segment, info, 1)?,
		}
		Ok(())
	}

	/// A segment that was settled and is not lost any more is paid for again, if its owner has the
	/// space. Otherwise it stays settled: nobody is compensated twice. Says whether it is from now on.
	pub(crate) fn pay_again(segment: SegmentId) -> bool {
		let lost = matches!(Verdicts::<T>::get(segment), Some(Verdict::Lost { .. }));
		let paid = !lost && Settled::<T>::contains_key(segment) && T::WriteOff::take_back(segment);
		if paid {
			Settled::<T>::remove(segment);
		}
		paid
	}

	/// Money moves for a segment that has been lost for long enough: nobody pays for it any more, and
	/// those who should have its fragments and do not pay its owner.
	pub(crate) fn do_settle(segment: SegmentId) -> DispatchResult {
		let Some(Verdict::Lost { since }) = Verdicts::<T>::get(segment) else {
			return Err(Error::<T>::NotLost.into());
		};
		ensure!(!Settled::<T>::contains_key(segment), Error::<T>::AlreadySettled);
		let due = since.saturating_add(Parameters::<T>::get().loss_settlement);
		ensure!(T::Clock::now() >= due, Error::<T>::NotYetSettled);
		let info = Self::judged(segment).ok_or(Error::<T>::FileGone)?;
		let missing = Self::missing(segment, &info);
		ensure!(info.spare(Self::standing, missing) < 0, Error::<T>::NotLost);

		let owner = T::WriteOff::write_off(segment)?;
		Settled::<T>::insert(segment, ());
		for index in 0..info.segment.fragments() {
			if !info.is_present(index, Self::standing, missing) {
				let (fragment, holder) =
					(FragmentId { segment, index }, info.segment.holder(index));
				T::Bounties::compensate(fragment, info.fragment_len(), holder, &owner);
			}
		}
		Self::deposit_event(Event::LossSettled { segment, owner });
		Ok(())
	}

	/// Takes fragments under restoration off their holders, `most` of them, so that restore targets
	/// can finish. Their orders stay.
	///
	/// A miner that serves keeps what it has, whether it leaves and others are to copy it, or was
	/// absent and came back: it is needed to restore the rest.
	fn vacate(segment: SegmentId, info: &mut SegmentInfo, most: usize) -> DispatchResult {
		let vacated: Vec<_> = Self::to_vacate(segment, info).take(most).collect();
		let mut moves = Vec::new();
		for (fragment, from) in vacated {
			moves.push(T::Custody::hand_over(fragment, info, None)?);
			Self::deposit_event(Event::FragmentVacated { fragment, from });
		}
		T::Custody::moved(&moves);
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
			let serves = Self::standing(*holder).is_some_and(Standing::serves);
			!serves || missing & bit(fragment.index) != 0
		})
	}
}
