// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The crate's properties, checked.

use crate::{
	AgendaOf, BalanceOf, Config, FileOf, Files, FilesById, FilesOf, HoldReason, Lot, NextFile,
	NextSegment, Pallet, Seed, Segments, Task,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{ensure, traits::fungible::InspectHold};
use pallet_planaria_support::{Clock, FileState};
use planaria_primitives::{FileIndex, FileSpec, segment::bit};
use sp_runtime::{TryRuntimeError, traits::Saturating};

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
	/// Checks every property of the crate's docs.
	pub fn do_try_state() -> Check {
		let files: BTreeMap<_, _> = Files::<T>::iter().collect();
		Self::check_ids(&files)?;
		Self::check_segments(&files)?;
		Self::check_counters(&files)?;
		Self::check_indices(&files)?;
		Self::check_deposits(&files)?;
		Self::check_agenda(&files)
	}

	/// A file's segment ids are its own, and below the next one; its index is below the next one.
	fn check_ids(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		let mut ranges = Vec::new();
		for (index, file) in files {
			ensure!(*index < NextFile::<T>::get(), "a file's index is not assigned yet");
			ensure!(FileSpec::new(file.size, file.coding).is_ok(), "a file's coding is unsound");
			ranges.push(file.segment_ids());
		}
		ranges.sort_by_key(|range| range.start);
		for pair in ranges.windows(2) {
			ensure!(pair[0].end <= pair[1].start, "two files share segment ids");
		}
		let end = ranges.last().map_or(0, |range| range.end);
		ensure!(end <= NextSegment::<T>::get().0, "a segment id is not assigned yet");
		Ok(())
	}

	/// A segment lies in its file's range and was placed; its fragments have different holders.
	fn check_segments(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		for (id, segment) in Segments::<T>::iter() {
			let file = files.get(&segment.file).ok_or("a segment has no file")?;
			let number = file.number_of(id).ok_or("a segment is outside of its file's range")?;
			ensure!(number < file.placed, "a segment behind the last one was placed");
			ensure!(number >= file.swept, "a segment that was swept is still there");
			let fragments = segment.fragments();
			ensure!(fragments == file.spec().fragments(), "a segment has not all its fragments");

			let all = (0..fragments).fold(0, |bits, index| bits | bit(index));
			ensure!(segment.confirmed & !all == 0, "a fragment that is not there is confirmed");
			ensure!(
				segment.restoring & !segment.confirmed == 0,
				"a fragment that is not confirmed is restored"
			);
			let holders = (0..fragments).filter_map(|index| segment.holder(index));
			let mut holders: Vec<_> = holders.collect();
			holders.sort_unstable();
			ensure!(
				holders.windows(2).all(|pair| pair[0] != pair[1]),
				"a miner is assigned two fragments of a segment"
			);
			let mut unconfirmed = (0..fragments).filter(|index| !segment.is_confirmed(*index));
			ensure!(
				unconfirmed.all(|index| segment.holder(index).is_some()),
				"a fragment that is not confirmed is placed with nobody"
			);
		}
		Ok(())
	}

	/// The counters agree with the segments, and the state with the counters.
	fn check_counters(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		let mut confirmed = BTreeMap::<FileIndex, u32>::new();
		for segment in Segments::<T>::iter_values() {
			*confirmed.entry(segment.file).or_default() += u32::from(segment.confirmed_count());
		}
		for (index, file) in files {
			let (spec, confirmed) = (file.spec(), confirmed.get(index).copied().unwrap_or(0));
			ensure!(file.placed <= spec.segments(), "more segments are placed than there are");
			ensure!(file.swept <= file.placed, "more segments are swept than were placed");
			let awaited = matches!(file.lot, Lot::Drawn { seed: Seed::Awaited(_), .. });
			ensure!(file.placed == 0 || !awaited, "a file was placed without its seed");
			ensure!(file.lost <= file.placed, "more segments are lost than were placed");
			ensure!(file.written_off <= spec.stored_bytes(), "more is written off than is stored");
			if file.state.is_alive() {
				let all = spec.segments() * u32::from(spec.fragments());
				ensure!(file.swept == 0, "a file that is alive is swept");
				ensure!(file.unconfirmed == all - confirmed, "an unconfirmed counter is wrong");
				ensure!(
					(file.state == FileState::Pending) == (file.unconfirmed > 0),
					"a file's state does not agree with its counter"
				);
			} else {
				ensure!(
					file.placed == 0 || file.swept < file.placed,
					"a file whose last segment is gone is still there"
				);
			}
		}
		Ok(())
	}

	/// The indices have exactly the files.
	fn check_indices(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		for (index, file) in files {
			ensure!(FilesById::<T>::contains_key(file.id, index), "a file's id is not indexed");
			ensure!(
				FilesOf::<T>::contains_key(&file.owner, index),
				"a file's owner is not indexed"
			);
		}
		ensure!(FilesById::<T>::iter_keys().count() == files.len(), "an id has a file too many");
		ensure!(FilesOf::<T>::iter_keys().count() == files.len(), "an owner has a file too many");
		Ok(())
	}

	/// The agenda comes to every running order's deadline, and to whatever is to be removed, once.
	fn check_agenda(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		let mut tasks = BTreeMap::<Task, u32>::new();
		for (_, task) in AgendaOf::<T>::tasks(T::Clock::now())? {
			*tasks.entry(task).or_default() += 1;
		}
		for (index, file) in files {
			let times = |task: Task| tasks.get(&task).copied().unwrap_or(0);
			let (deadline, removal) = (times(Task::Deadline(*index)), times(Task::Removal(*index)));
			let (runs, goes) = (file.state == FileState::Pending, !file.state.is_alive());
			ensure!(!runs || deadline == 1, "the agenda has not the deadline of an order once");
			ensure!(removal == u32::from(goes), "the agenda has not what is removed once");
		}
		Ok(())
	}

	/// What is held of an owner is the sum of its files' deposits.
	fn check_deposits(files: &BTreeMap<FileIndex, FileOf<T>>) -> Check {
		let mut sums = BTreeMap::<Vec<u8>, (T::AccountId, BalanceOf<T>)>::new();
		for file in files.values() {
			let key = codec::Encode::encode(&file.owner);
			let sum = sums.entry(key).or_insert((file.owner.clone(), Default::default()));
			sum.1 = sum.1.saturating_add(file.deposit);
		}
		let reason = HoldReason::StorageDeposit.into();
		for (owner, sum) in sums.into_values() {
			ensure!(
				T::Currency::balance_on_hold(&reason, &owner) == sum,
				"what is held is not the sum of the deposits"
			);
		}
		Ok(())
	}
}
