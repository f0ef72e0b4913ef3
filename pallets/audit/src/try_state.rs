// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The invariants of this pallet: see the crate's properties.

use super::*;
use alloc::{collections::BTreeMap, vec::Vec};
use codec::Encode;
use frame_support::{ensure, traits::fungible::InspectHold};
use pallet_planaria_support::{Clock, Fragments};
use planaria_primitives::{MinerId, SegmentId};
use sp_runtime::{TryRuntimeError, traits::Saturating};

impl<T: Config> Pallet<T> {
	/// Checks all invariants.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_census()?;
		Self::check_records()?;
		Self::check_deposits()?;
		Self::check_requests()?;
		Self::check_agenda()
	}

	/// A segment's bytes in the census are those of its fragments, all of them confirmed; every
	/// node is the sum of what is below it, and none is empty. (Seen from the census: a segment
	/// that is missing in it is for the runtime's invariants.)
	fn check_census() -> Result<(), TryRuntimeError> {
		let total = Census::<T>::get();
		// The bytes of the nodes of a level, by number; first those of the pages.
		let mut below = BTreeMap::<u64, u64>::new();
		for (index, page) in Pages::<T>::iter() {
			ensure!(!page.is_empty(), "an empty page");
			ensure!(census::above(index, total.height) == 0, "a page outside of the tree");
			let mut sum = 0u64;
			for (place, bytes) in page.sizes() {
				let id = SegmentId(index * u64::from(PAGE) + u64::from(place));
				let info = T::Fragments::get(id).ok_or("counted, but not stored")?;
				let fragments = info.segment.fragments();
				ensure!(info.segment.confirmed_count() == fragments, "counted, but not confirmed");
				let stored = draws::segment_bytes(fragments, info.fragment_len());
				ensure!(bytes == stored, "counted with other bytes than are stored");
				sum += u64::from(bytes);
			}
			below.insert(index, sum);
		}
		for level in 1..=total.height {
			let mut sums = BTreeMap::<u64, Node>::new();
			for (index, bytes) in core::mem::take(&mut below) {
				let child = u32::try_from(index % u64::from(FANOUT)).unwrap_or(0);
				sums.entry(index / u64::from(FANOUT)).or_default().set(child, bytes);
			}
			let stored: BTreeMap<_, _> = Nodes::<T>::iter_prefix(level).collect();
			ensure!(stored == sums, "a node is not the sum of what is below it");
			below = sums.into_iter().map(|(i, node)| (i, node.0.iter().sum())).collect();
		}
		ensure!(
			Nodes::<T>::iter_keys().all(|(level, _)| (1..=total.height).contains(&level)),
			"a node on a level that the tree has not"
		);
		ensure!(below.values().sum::<u64>() == total.bytes, "the total is not the sum");
		Ok(())
	}

	/// A miner's record counts its open challenges and what was named of it; there is none with
	/// nothing in it.
	fn check_records() -> Result<(), TryRuntimeError> {
		let mut counts = BTreeMap::<MinerId, (u32, u32)>::new();
		for (miner, _, challenge) in Challenges::<T>::iter() {
			let count = counts.entry(miner).or_default();
			count.0 += 1;
			count.1 += u32::from(challenge.by.is_some());
		}
		for request in Requests::<T>::iter_values() {
			if let Subject::Named(..) = request.subject {
				counts.entry(request.miner).or_default().1 += 1;
			}
		}
		let now = T::Clock::now();
		for (miner, record) in Records::<T>::iter() {
			ensure!(!record.is_clean(), "a record of nothing");
			let count = counts.remove(&miner).unwrap_or_default();
			ensure!((record.open, record.named) == count, "a record counts wrongly");
			let past = record.struck <= record.since && record.since <= now;
			ensure!(record.strikes == 0 || past, "a strike from the future");
		}
		ensure!(counts.is_empty(), "a challenge without a record");
		Ok(())
	}

	/// What is held of an account is the sum of its deposits in challenges and requests.
	fn check_deposits() -> Result<(), TryRuntimeError> {
		let mut sums = BTreeMap::<Vec<u8>, (T::AccountId, BalanceOf<T>)>::new();
		let named = Requests::<T>::iter_values().filter_map(|request| match request.subject {
			Subject::Named(_, by) => Some(by),
			Subject::Fresh(_) => None,
		});
		let challenged = Challenges::<T>::iter_values().filter_map(|challenge| challenge.by);
		for by in named.chain(challenged) {
			let sum =
				sums.entry(by.who.encode()).or_insert_with(|| (by.who.clone(), Default::default()));
			sum.1 = sum.1.saturating_add(by.deposit);
		}
		let reason = HoldReason::ChallengeDeposit.into();
		for (who, sum) in sums.into_values() {
			let held = T::Currency::balance_on_hold(&reason, &who);
			ensure!(held == sum, "what is held is not the sum of the deposits");
		}
		Ok(())
	}

	/// Requests are numbered without a gap, and not from the future.
	fn check_requests() -> Result<(), TryRuntimeError> {
		let (first, end) = RequestRange::<T>::get();
		let mut numbers: Vec<_> = Requests::<T>::iter_keys().collect();
		numbers.sort_unstable();
		ensure!(numbers.into_iter().eq(first..end), "a gap between requests");
		ensure!(end - first <= MAX_REQUESTS, "more requests than may wait");
		let known = Requests::<T>::iter_values().all(|request| request.at <= Self::block());
		ensure!(known, "a request from the future");
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
