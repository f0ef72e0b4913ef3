// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which fragments and chunks are asked for, and when.

use super::*;
use alloc::vec::Vec;
use codec::Encode;
use frame_support::pallet_prelude::Weight;
use frame_support::{BoundedVec, ensure, weights::WeightMeter};
use pallet_planaria_support::{
	Clock, Fragments, MinerDirectory, OnConfirmed, OnSegmentRemoved, OnSegmentStored, SegmentInfo,
};
use planaria_primitives::{FragmentId, Hash, MinerId, Segment, SegmentId, sampling};
use sp_io::hashing::blake2_256;

/// 128 bits that follow from the seed, what they are for, and a number.
fn random(seed: &Hash, purpose: &[u8], number: u64) -> u128 {
	let hash = blake2_256(&(b"planaria audit", purpose, seed, number).encode());
	let (first, _) = hash.split_at(16);
	u128::from_le_bytes(first.try_into().expect("a hash has 32 bytes; qed"))
}

/// A number below `bound`, every one as likely as the others, but for 2^-64 of that.
fn below(random: u128, bound: u64) -> u64 {
	let (high, low) = (random >> 64, random & u128::from(u64::MAX));
	let bound = u128::from(bound);
	// The upper half of a product of two numbers of 64 bits, and a carry from the lower one.
	#[allow(clippy::cast_possible_truncation)]
	let number =
		(high.saturating_mul(bound).saturating_add(low.saturating_mul(bound) >> 64) >> 64) as u64;
	number
}

impl<T: Config> Pallet<T> {
	/// Once per tick: serves the requests that are due, then draws.
	pub(crate) fn draw_round(meter: &mut WeightMeter) {
		let now = T::Clock::now();
		if meter.try_consume(T::WeightInfo::round()).is_err() || LastRound::<T>::get() >= now {
			return;
		}
		let Some(seed) = T::Clock::beacon_at(Self::block()) else { return };
		LastRound::<T>::put(now);
		Self::serve_requests(&seed, meter);
		for number in 0..Self::draws_due(&seed) {
			if meter.try_consume(T::WeightInfo::draw()).is_err() {
				break;
			}
			Self::draw(&seed, number);
		}
	}

	/// How many draws fall on a tick with this seed.
	pub(crate) fn draws_due(seed: &Hash) -> u64 {
		#[allow(clippy::cast_possible_truncation)] // the upper half
		let lot = (random(seed, b"lot", 0) >> 64) as u64;
		let due = Parameters::<T>::get().draws(Census::<T>::get().bytes, lot);
		due.min(T::MaxDraws::get().into())
	}

	/// Draws a byte, and challenges the fragment it lies in.
	pub(crate) fn draw(seed: &Hash, number: u64) {
		let Some((fragment, info)) = Self::drawn(seed, number) else { return };
		if let Ok(miner) = Self::may_be_challenged(fragment, &info)
			&& Records::<T>::get(miner).open < MAX_OPEN
		{
			Self::open_challenge(miner, fragment, &info, seed, None);
		}
	}

	/// The fragment that the byte drawn with this seed lies in.
	pub fn drawn(seed: &Hash, number: u64) -> Option<(FragmentId, SegmentInfo)> {
		let byte = below(random(seed, b"byte", number), Census::<T>::get().bytes);
		let (segment, byte) = Self::segment_at(byte)?;
		let info = T::Fragments::get(segment)?;
		let index = byte.checked_div(info.fragment_len())?;
		let index = u8::try_from(index).ok().filter(|i| *i < info.segment.fragments())?;
		Some((FragmentId { segment, index }, info))
	}

	/// Takes the requests whose seeds were not known when they were made.
	fn serve_requests(seed: &Hash, meter: &mut WeightMeter) {
		let (mut first, end) = RequestRange::<T>::get();
		let before = first;
		let last = end.min(first.saturating_add(T::MaxDraws::get().into()));
		while first < last && meter.can_consume(T::WeightInfo::draw()) {
			let due = Requests::<T>::get(first)
				.is_none_or(|request| request.at.saturating_add(SEED_DELAY) <= Self::block());
			if !due {
				break;
			}
			meter.consume(T::WeightInfo::draw());
			if let Some(request) = Requests::<T>::take(first) {
				Self::serve_request(request, seed, first);
			}
			first = first.saturating_add(1);
		}
		if first != before {
			RequestRange::<T>::put((first, end));
		}
	}

	fn serve_request(request: RequestOf<T>, seed: &Hash, number: u64) {
		let miner = request.miner;
		match request.subject {
			Subject::Fresh(fragments) => {
				let place = below(random(seed, b"fresh", number), fragments.len() as u64);
				let Some(fragment) = fragments.get(usize::try_from(place).unwrap_or(0)) else {
					return;
				};
				let Some(info) = T::Fragments::get(fragment.segment) else { return };
				// A miner has a hand in what it confirms and in when that is deleted again. Then
				// nobody answers and nobody fails, so half of the room is left for the draws.
				if Self::may_be_challenged(*fragment, &info).ok() == Some(miner)
					&& Records::<T>::get(miner).open < MAX_OPEN / 2
				{
					Self::open_challenge(miner, *fragment, &info, seed, None);
				}
			},
			Subject::Named(fragment, by) => {
				let info = T::Fragments::get(fragment.segment);
				let holds = |info: &SegmentInfo| {
					Self::may_be_challenged(fragment, info).ok() == Some(miner)
				};
				match info.filter(holds) {
					Some(info) => Self::open_challenge(miner, fragment, &info, seed, Some(by)),
					None => {
						Self::unname(miner);
						Self::return_deposit(by, miner, None);
						Self::deposit_event(Event::Lapsed { miner, fragment });
					},
				}
			},
		}
	}

	/// The miner that can be asked for the fragment now.
	pub fn may_be_challenged(
		fragment: FragmentId,
		info: &SegmentInfo,
	) -> Result<MinerId, Error<T>> {
		ensure!(fragment.index < info.segment.fragments(), Error::<T>::FragmentNotFound);
		ensure!(info.state.is_alive(), Error::<T>::FileGone);
		ensure!(info.segment.is_confirmed(fragment.index), Error::<T>::NotConfirmed);
		ensure!(!info.segment.is_restoring(fragment.index), Error::<T>::BeingRestored);
		let miner = info.segment.holder(fragment.index).ok_or(Error::<T>::HolderAway)?;
		let serves = T::Directory::get(miner).is_some_and(|miner| miner.standing.serves());
		ensure!(serves, Error::<T>::HolderAway);
		let open = Challenges::<T>::contains_key(miner, fragment);
		ensure!(!open, Error::<T>::AlreadyChallenged);
		Ok(miner)
	}

	/// Asks the miner for a chunk of the fragment. What was named is counted as such already.
	fn open_challenge(
		miner: MinerId,
		fragment: FragmentId,
		info: &SegmentInfo,
		seed: &Hash,
		by: Option<ChallengerOf<T>>,
	) {
		let chunk = sampling::chunk(seed, &fragment, info.spec.chunks(info.number));
		let deadline = T::Clock::now().saturating_add(Parameters::<T>::get().answer_period);
		Challenges::<T>::insert(miner, fragment, Challenge { chunk, deadline, by });
		let mut record = Records::<T>::get(miner);
		record.open = record.open.saturating_add(1);
		Self::put_record(miner, record);
		Self::schedule(deadline, Task::AnswerDue(miner, fragment));
		Self::deposit_event(Event::Challenged { miner, fragment, chunk, deadline });
	}

	/// Puts a request behind the others, of which there may be `limit`.
	pub(crate) fn request(
		miner: MinerId,
		subject: Subject<T::AccountId, BalanceOf<T>>,
		limit: u64,
	) -> Result<(), Error<T>> {
		let (first, end) = RequestRange::<T>::get();
		ensure!(end.saturating_sub(first) < limit, Error::<T>::TooManyRequests);
		Requests::<T>::insert(end, Request { at: Self::block(), miner, subject });
		RequestRange::<T>::put((first, end.saturating_add(1)));
		Ok(())
	}
}

impl<T: Config> OnSegmentStored for Pallet<T> {
	fn on_segment_stored(id: SegmentId, fragments: u8, fragment_len: u64) {
		Self::count(id, segment_bytes(fragments, fragment_len));
	}

	fn weight() -> Weight {
		T::WeightInfo::count()
	}
}

impl<T: Config> OnSegmentRemoved for Pallet<T> {
	fn on_segment_removed(id: SegmentId, _: Segment, _: u64) {
		Self::count(id, 0);
	}

	fn weight(_: u32) -> Weight {
		T::WeightInfo::count()
	}
}

impl<T: Config> OnConfirmed for Pallet<T> {
	/// Where too many wait already, this batch is left to the ordinary draws.
	fn on_confirmed(miner: MinerId, fragments: Vec<FragmentId>) {
		let fragments = BoundedVec::truncate_from(fragments);
		let _ = Self::request(miner, Subject::Fresh(fragments), MAX_FRESH);
	}

	fn weight(_: u32) -> Weight {
		T::WeightInfo::request()
	}
}

/// The bytes of a segment's fragments: 64 of 8 MiB at most.
pub(crate) fn segment_bytes(fragments: u8, fragment_len: u64) -> u32 {
	u32::try_from(fragment_len.saturating_mul(fragments.into())).unwrap_or(u32::MAX)
}
