// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the calls do, the removal, the seams, and the reads.

use crate::{
	AgendaOf, BalanceOf, Config, Error, Event, File, FileOf, FileV0, Files, FilesById, FilesOf,
	HoldReason, LOG_TARGET, Label, Lot, NextFile, NextSegment, Pallet, Parameters, ParamsOf,
	Placement, Placements, Placing, Seed, Segments, Task, WeightInfo,
};
use alloc::vec::Vec;
use frame_support::{
	dispatch::WithPostDispatchInfo,
	pallet_prelude::*,
	storage::with_storage_layer,
	traits::{fungible::MutateHold, tokens::Precision},
	weights::WeightMeter,
};
use pallet_planaria_support::{
	Clock, Custody, DutyGate, FileState, Fragments, Lapsed, MinerCount, MinerLedger, Moved,
	OnConfirmed, OnSegmentRemoved, OnSegmentStored, OnSpaceLapsed, Purpose, SegmentInfo,
	SpaceLedger, WriteOff,
};
use planaria_primitives::{
	CodingError, CodingParams, FileId, FileIndex, FileSpec, FragmentId, MAX_FRAGMENTS, MinerId,
	PlacementRule, Segment, SegmentId, SpecError, Tick, placement::Draw, segment::bit,
};
use sp_runtime::{ArithmeticError, traits::UniqueSaturatedInto};

/// How many segments of 64 fragments one `tidy` removes; of smaller ones more.
const TIDY_SEGMENTS: u64 = 16;

/// The most rows of a read.
const MAX_ROWS: u32 = 256;

/// What the calls do, after their origin.
impl<T: Config> Pallet<T> {
	pub(crate) fn do_order(
		by: T::AccountId,
		id: FileId,
		size: u64,
		coding: CodingParams,
		label: Label,
		payer: Option<T::AccountId>,
		rule: PlacementRule,
	) -> DispatchResult {
		let spec = FileSpec::new(size, coding).map_err(Error::<T>::from)?;
		let segments = spec.segments();
		let owner = payer.unwrap_or_else(|| by.clone());
		let params = Parameters::<T>::get();
		let lot = Self::lot(rule, by == owner, spec.fragments(), &params)?;
		let deposit = params.deposit(segments).ok_or(ArithmeticError::Overflow)?;
		let file = NextFile::<T>::get();
		let next_file = file.0.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let first_segment = NextSegment::<T>::get();
		let next_segment =
			first_segment.0.checked_add(segments.into()).ok_or(ArithmeticError::Overflow)?;

		T::SpaceLedger::reserve(&owner, &by, spec.stored_bytes())?;
		T::Currency::hold(&HoldReason::StorageDeposit.into(), &owner, deposit)?;

		let now = T::Clock::now();
		let record = FileV0 {
			id,
			owner: owner.clone(),
			by: by.clone(),
			size,
			coding,
			first_segment,
			state: FileState::Pending,
			label,
			unconfirmed: segments.saturating_mul(spec.fragments().into()),
			lost: 0,
			placed: 0,
			swept: 0,
			ordered: now,
			last_progress: now,
			deposit,
			written_off: 0,
			lot,
		};
		Self::put_down(record.deadline(params.order_timeout), Task::Deadline(file));
		NextFile::<T>::put(FileIndex(next_file));
		NextSegment::<T>::put(SegmentId(next_segment));
		Files::<T>::insert(file, File::V0(record));
		FilesById::<T>::insert(id, file, ());
		FilesOf::<T>::insert(&owner, file, ());
		Self::deposit_event(Event::Ordered { file, id, owner, first_segment, segments, by });
		Ok(())
	}

	/// How a new file with so many fragments in a segment is placed.
	fn lot(
		rule: PlacementRule,
		by_owner: bool,
		fragments: u8,
		params: &ParamsOf<T>,
	) -> Result<Lot, DispatchError> {
		let registered = T::MinerCount::registered();
		match rule {
			PlacementRule::Chosen => {
				ensure!(by_owner || registered < params.drawn_from, Error::<T>::OwnerChooses);
				Ok(Lot::Chosen)
			},
			PlacementRule::Drawn => {
				ensure!(registered >= u32::from(fragments), Error::<T>::TooFewMiners);
				Ok(Lot::drawn(Self::block(), T::MinerCount::next_id().0, registered))
			},
		}
	}

	fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}

	/// How a file is placed, with what its candidates follow from now.
	pub fn placing(file: &FileOf<T>) -> Placing {
		let Lot::Drawn { seed, ids, each } = &file.lot else { return Placing::Chosen };
		let seed = match seed {
			Seed::Known(seed) => Some(*seed),
			Seed::Awaited(ordered) => T::Clock::beacon_at(Seed::block(*ordered, Self::block())),
		};
		let params = Parameters::<T>::get();
		let waited = T::Clock::now().saturating_sub(file.last_progress);
		let candidates = params.candidates(*each, waited);
		let more_at =
			params.more_after(waited).map(|after| file.last_progress.saturating_add(after));
		Placing::Drawn { seed, ids: *ids, candidates, more_at }
	}

	pub(crate) fn do_place(
		who: T::AccountId,
		index: FileIndex,
		first: u32,
		placements: &Placements,
	) -> DispatchResult {
		let mut file = Files::<T>::get(index).ok_or(Error::<T>::FileNotFound)?;
		ensure!(file.may_place(&who), Error::<T>::NotYourFile);
		ensure!(file.state == FileState::Pending, Error::<T>::NotPending);
		ensure!(!placements.is_empty(), Error::<T>::EmptyBatch);
		let spec = file.spec();
		let segments = u32::try_from(placements.len()).map_err(|_| ArithmeticError::Overflow)?;
		let end = first
			.checked_add(segments)
			.filter(|end| *end <= spec.segments())
			.ok_or(Error::<T>::SegmentNotFound)?;
		let draw = Self::placing(&file).draw();
		ensure!(draw.is_some() || file.lot == Lot::Chosen, Error::<T>::SeedUnknown);

		for (number, placement) in (first..end).zip(placements) {
			let id = file.segment_id(number);
			let segment = Segments::<T>::get(id)
				.unwrap_or_else(|| Segment::unplaced(index, spec.fragments()));
			let miners = Self::named(&segment, number, placement, draw.as_ref())?;
			let segment = Self::place_segment(segment, &miners, spec.fragment_len(number).into())?;
			Segments::<T>::insert(id, segment);
		}
		let mut changed = end > file.placed;
		file.placed = file.placed.max(end);
		if let (Some(Draw { seed: drawn, .. }), Lot::Drawn { seed, .. }) = (draw, &mut file.lot)
			&& matches!(seed, Seed::Awaited(_))
		{
			*seed = Seed::Known(drawn);
			changed = true;
		}
		if changed {
			Files::<T>::insert(index, file);
		}
		Self::deposit_event(Event::Placed { file: index, first, segments });
		Ok(())
	}

	/// The miners that a placement means for segment number `number`, one per fragment.
	fn named(
		segment: &Segment,
		number: u32,
		placement: &Placement,
		draw: Option<&Draw>,
	) -> Result<Vec<MinerId>, DispatchError> {
		let fragments = segment.fragments();
		ensure!(placement.fragments() == u32::from(fragments), Error::<T>::WrongFragmentCount);
		match (placement, draw) {
			(Placement::Chosen(miners), None) => Ok(miners.to_vec()),
			(Placement::Drawn(choices), Some(draw)) => (0..fragments)
				.zip(choices)
				.map(|(index, choice)| match choice {
					None => Ok(segment.holder(index).unwrap_or(MinerId::NOBODY)),
					Some(choice) => draw
						.candidate(number, index, *choice)
						.ok_or_else(|| Error::<T>::NotACandidate.into()),
				})
				.collect(),
			(Placement::Chosen(_), Some(_)) | (Placement::Drawn(_), None) => {
				Err(Error::<T>::WrongPlacement.into())
			},
		}
	}

	/// Assigns the segment's unconfirmed fragments, `len` bytes each, and moves the reservations.
	fn place_segment(
		mut segment: Segment,
		miners: &[MinerId],
		len: u64,
	) -> Result<Segment, DispatchError> {
		let mut named: Vec<_> = miners.iter().filter(|m| **m != MinerId::NOBODY).collect();
		named.sort_unstable();
		ensure!(named.windows(2).all(|pair| pair[0] != pair[1]), Error::<T>::RepeatedMiner);

		let mut changed = Vec::new();
		for (index, to) in (0..segment.fragments()).zip(miners) {
			let from = segment.holder(index);
			if segment.is_confirmed(index) {
				// Nobody holds it where it was lost.
				let repeated = from.unwrap_or(MinerId::NOBODY) == *to;
				ensure!(repeated, Error::<T>::FragmentConfirmed);
			} else {
				ensure!(*to != MinerId::NOBODY, Error::<T>::PlacedWithNobody);
				if from != Some(*to) {
					changed.push((index, from, *to));
				}
			}
		}
		// First all releases: miners may change places.
		for from in changed.iter().filter_map(|(_, from, _)| *from) {
			T::MinerLedger::release(from, len, Purpose::Placement);
		}
		for (index, _, to) in changed {
			T::MinerLedger::reserve(to, len, Purpose::Placement)?;
			segment.holders.set(index, to);
		}
		Ok(segment)
	}

	/// Before the gate: whether `confirm` can have any effect.
	pub(crate) fn may_confirm(
		miner: MinerId,
		items: &[FragmentId],
	) -> Result<(), TransactionValidityError> {
		let first = items.first().ok_or(InvalidTransaction::Stale)?;
		let is_due = Self::alive(*first).is_ok_and(|(_, segment, _)| {
			segment.holder(first.index) == Some(miner) && !segment.is_confirmed(first.index)
		});
		if is_due { Ok(()) } else { Err(InvalidTransaction::Stale.into()) }
	}

	pub(crate) fn do_confirm(miner: MinerId, items: &[FragmentId]) {
		let now = T::Clock::now();
		let mut confirmed = Vec::new();
		for (index, fragment) in (0u32..).zip(items) {
			match with_storage_layer(|| Self::confirm_one(miner, *fragment, now)) {
				Ok(()) => confirmed.push(*fragment),
				Err(error) => Self::deposit_event(Event::ItemFailed { miner, index, error }),
			}
		}
		if !confirmed.is_empty() {
			let count = u32::try_from(confirmed.len()).unwrap_or(u32::MAX);
			Self::deposit_event(Event::Confirmed { miner, count });
			T::OnConfirmed::on_confirmed(miner, confirmed);
		}
	}

	fn confirm_one(miner: MinerId, fragment: FragmentId, now: Tick) -> DispatchResult {
		let (mut file, mut segment, number) = Self::alive(fragment)?;
		ensure!(segment.holder(fragment.index) == Some(miner), Error::<T>::NotHolder);
		ensure!(!segment.is_confirmed(fragment.index), Error::<T>::AlreadyConfirmed);
		let spec = file.spec();
		let index = segment.file;

		let len = spec.fragment_len(number).into();
		T::MinerLedger::settle(miner, len, Purpose::Placement);
		segment.confirmed |= bit(fragment.index);
		let stored = segment.confirmed_count() == segment.fragments();
		Segments::<T>::insert(fragment.segment, segment);
		if stored {
			T::OnSegmentStored::on_segment_stored(fragment.segment, spec.fragments(), len);
		}

		file.unconfirmed = file.unconfirmed.checked_sub(1).ok_or(ArithmeticError::Underflow)?;
		file.last_progress = now;
		if file.unconfirmed == 0 {
			file.state = FileState::Active;
			T::SpaceLedger::settle(&file.owner, spec.stored_bytes());
			Self::deposit_event(Event::Activated { file: index });
		}
		Files::<T>::insert(index, file);
		Ok(())
	}

	pub(crate) fn do_delete(who: T::AccountId, index: FileIndex) -> DispatchResult {
		let mut file = Files::<T>::get(index).ok_or(Error::<T>::FileNotFound)?;
		ensure!(file.may_place(&who), Error::<T>::NotYourFile);
		ensure!(T::SpaceLedger::may_act(&file.owner, &who), Error::<T>::NotYourFile);
		let bytes = file.paid_bytes();
		match file.state {
			FileState::Pending => {
				T::SpaceLedger::release(&file.owner, &file.by, bytes, file.ordered);
			},
			FileState::Active => T::SpaceLedger::free(&file.owner, bytes),
			FileState::Deleting | FileState::Failed => return Err(Error::<T>::FileNotAlive.into()),
		}
		file.state = FileState::Deleting;
		Files::<T>::insert(index, file);
		Self::put_down(T::Clock::now(), Task::Removal(index));
		Self::deposit_event(Event::Deleted { file: index });
		Ok(())
	}

	pub(crate) fn do_tidy(files: &[FileIndex]) -> DispatchResultWithPostInfo {
		let now = T::Clock::now();
		let mut meter = WeightMeter::with_limit(Self::tidy_segments_weight());
		let (mut done, mut begun) = (false, 0u64);
		for index in files {
			let Some(file) = Files::<T>::get(index) else { continue };
			done |= match Self::look_after(*index, file, now, &mut meter) {
				Next::Nothing | Next::Wait(_) => false,
				Next::Continue { failed: true, .. } => {
					Self::put_down(now, Task::Removal(*index));
					begun = begun.saturating_add(1);
					true
				},
				// The agenda goes on with it anyway.
				Next::Continue { failed: false, progress } => progress,
				Next::Removed => true,
			};
		}
		let files = u32::try_from(files.len()).unwrap_or(u32::MAX);
		let weight = T::WeightInfo::tidy(files)
			.saturating_add(Self::put_down_weight().saturating_mul(begun))
			.saturating_add(meter.consumed());
		ensure!(done, Error::<T>::NothingToTidy.with_weight(weight));
		Ok(Some(weight).into())
	}
}

/// What remains to be done about a file.
enum Next {
	/// It is active.
	Nothing,
	/// Its storage order runs, until this tick as it stands.
	Wait(Tick),
	/// It is being removed, and the weight ran out.
	Continue {
		/// Whether its order has failed by this: the agenda does not know of its removal yet.
		failed: bool,
		/// Whether a segment was removed.
		progress: bool,
	},
	/// It is gone.
	Removed,
}

/// The agenda and the removal.
impl<T: Config> Pallet<T> {
	/// Has the agenda do this at this tick, or as soon after it as it comes to it.
	fn put_down(at: Tick, task: Task) {
		AgendaOf::<T>::schedule(at, &task);
	}

	pub(crate) fn serve_agenda(meter: &mut WeightMeter) {
		let now = T::Clock::now();
		let per_page = T::WeightInfo::serve_page();
		AgendaOf::<T>::serve(now, meter, per_page, Self::task_weight(), |_, task, meter| {
			Self::do_task(task, now, meter);
		});
	}

	/// Does what the agenda has about a file, and puts down what comes next. Most files are active
	/// when their deadline has come.
	pub(crate) fn do_task(task: Task, now: Tick, meter: &mut WeightMeter) {
		let index = task.file();
		let file = Files::<T>::get(index).filter(|file| task.concerns(file.state));
		let Some(file) = file else {
			meter.consume(T::WeightInfo::serve_nothing());
			return;
		};
		meter.consume(Self::look_weight());
		match Self::look_after(index, file, now, meter) {
			Next::Nothing | Next::Removed => (),
			Next::Wait(deadline) => Self::put_down(deadline, task),
			// Behind the others that are due, so that a large file does not keep them waiting.
			Next::Continue { .. } => Self::put_down(now.saturating_add(1), Task::Removal(index)),
		}
	}

	/// Lets the file's order fail where it is overdue, and removes segments as far as `meter` goes
	/// where the file is to be removed.
	fn look_after(
		index: FileIndex,
		mut file: FileOf<T>,
		now: Tick,
		meter: &mut WeightMeter,
	) -> Next {
		let mut failed = false;
		match file.state {
			FileState::Active => return Next::Nothing,
			FileState::Pending => {
				let deadline = file.deadline(Parameters::<T>::get().order_timeout);
				if now < deadline {
					return Next::Wait(deadline);
				}
				failed = true;
				file.state = FileState::Failed;
				let bytes = file.spec().stored_bytes();
				T::SpaceLedger::release(&file.owner, &file.by, bytes, file.ordered);
				Self::deposit_event(Event::OrderFailed { file: index });
			},
			FileState::Deleting | FileState::Failed => {},
		}
		let from = file.swept;
		Self::sweep(&mut file, meter);
		if file.swept == file.placed {
			Self::remove_file(index, file);
			return Next::Removed;
		}
		let progress = file.swept > from;
		Files::<T>::insert(index, file);
		Next::Continue { failed, progress }
	}

	/// Removes the file's next segments and moves its cursor.
	pub(crate) fn sweep(file: &mut FileOf<T>, meter: &mut WeightMeter) {
		let spec = file.spec();
		let per_segment = Self::segment_weight(spec.fragments().into());
		while file.swept < file.placed && meter.try_consume(T::WeightInfo::sweep_gap()).is_ok() {
			let id = file.segment_id(file.swept);
			if let Some(segment) = Segments::<T>::get(id) {
				if meter.try_consume(per_segment).is_err() {
					break;
				}
				Self::remove_segment(id, segment, spec.fragment_len(file.swept).into());
			}
			file.swept = file.swept.saturating_add(1);
		}
	}

	fn remove_segment(id: SegmentId, segment: Segment, len: u64) {
		for index in 0..segment.fragments() {
			let Some(holder) = segment.holder(index) else { continue };
			if segment.is_confirmed(index) {
				T::MinerLedger::forget(holder, len);
			} else {
				T::MinerLedger::release(holder, len, Purpose::Placement);
			}
		}
		// Whatever its bits are: a verdict may stand without a restore order.
		T::OnSegmentRemoved::on_segment_removed(id, segment, len);
		Segments::<T>::remove(id);
	}

	fn remove_file(index: FileIndex, file: FileOf<T>) {
		let reason = HoldReason::StorageDeposit.into();
		let released =
			T::Currency::release(&reason, &file.owner, file.deposit, Precision::BestEffort);
		if released != Ok(file.deposit) {
			log::error!(target: LOG_TARGET, "the deposit of file {index} was not all there");
		}
		Files::<T>::remove(index);
		FilesById::<T>::remove(file.id, index);
		FilesOf::<T>::remove(&file.owner, index);
		Self::deposit_event(Event::Removed { file: index });
	}
}

/// Weights.
impl<T: Config> Pallet<T> {
	/// An entry in the agenda.
	fn put_down_weight() -> Weight {
		AgendaOf::<T>::schedule_weight(T::DbWeight::get())
	}

	pub(crate) fn order_weight() -> Weight {
		T::WeightInfo::order().saturating_add(Self::put_down_weight())
	}

	pub(crate) fn place_weight(segments: u32, fragments: u32) -> Weight {
		// The first counts two fragments of each segment.
		let further = fragments.saturating_sub(segments.saturating_mul(2));
		T::WeightInfo::place(segments).saturating_add(
			T::WeightInfo::place_fragments(further)
				.saturating_sub(T::WeightInfo::place_fragments(0)),
		)
	}

	pub(crate) fn confirm_weight(items: u32) -> Weight {
		T::WeightInfo::confirm(items)
			.saturating_add(T::OnSegmentStored::weight().saturating_mul(items.into()))
			.saturating_add(T::OnConfirmed::weight(items))
			.saturating_add(T::DutyGate::enter_weight())
	}

	pub(crate) fn delete_weight() -> Weight {
		T::WeightInfo::delete().saturating_add(Self::put_down_weight())
	}

	pub(crate) fn tidy_weight(files: u32) -> Weight {
		T::WeightInfo::tidy(files)
			.saturating_add(Self::put_down_weight().saturating_mul(files.into()))
			.saturating_add(Self::tidy_segments_weight())
	}

	fn tidy_segments_weight() -> Weight {
		Self::largest_step().saturating_mul(TIDY_SEGMENTS)
	}

	/// The removal of a segment of so many fragments.
	pub(crate) fn segment_weight(fragments: u32) -> Weight {
		T::WeightInfo::sweep_segment(fragments)
			.saturating_add(T::OnSegmentRemoved::weight(fragments))
	}

	/// The removal of the largest segment there is.
	fn largest_step() -> Weight {
		T::WeightInfo::sweep_gap().saturating_add(Self::segment_weight(MAX_FRAGMENTS.into()))
	}

	/// The agenda's part of a file, and its entry for the next time.
	pub(crate) fn look_weight() -> Weight {
		T::WeightInfo::serve_task().saturating_add(Self::put_down_weight())
	}

	/// With so much, whatever is due about a file gets on: the largest segment goes.
	pub(crate) fn task_weight() -> Weight {
		Self::look_weight().saturating_add(Self::largest_step())
	}
}

/// Reads.
impl<T: Config> Pallet<T> {
	/// A file's record.
	pub fn file(index: FileIndex) -> Option<FileOf<T>> {
		Files::<T>::get(index)
	}

	/// A segment with what its file says about it.
	pub fn segment_info(id: SegmentId) -> Option<SegmentInfo> {
		let segment = Segments::<T>::get(id)?;
		let file = Files::<T>::get(segment.file)?;
		Self::info(&file, id, segment)
	}

	/// A page of a file's segments: those numbered from `first` on that were placed, of at most
	/// `limit` numbers, and of 256.
	pub fn segments_of(index: FileIndex, first: u32, limit: u32) -> Vec<SegmentInfo> {
		let Some(file) = Files::<T>::get(index) else { return Vec::new() };
		let end = first.saturating_add(limit.min(MAX_ROWS)).min(file.placed);
		(first..end)
			.map(|number| file.segment_id(number))
			.filter_map(|id| Self::info(&file, id, Segments::<T>::get(id)?))
			.collect()
	}

	/// A page of an owner's files, at most 256, behind the one given; in no particular order.
	pub fn files_of(owner: &T::AccountId, after: Option<FileIndex>, limit: u32) -> Vec<FileIndex> {
		let files = match after {
			None => FilesOf::<T>::iter_key_prefix(owner),
			Some(file) => {
				let key = FilesOf::<T>::hashed_key_for(owner, file);
				FilesOf::<T>::iter_key_prefix_from(owner, key)
			},
		};
		files.take(limit.min(MAX_ROWS) as usize).collect()
	}

	/// The stored instances of a content, at most 256.
	pub fn files_with(id: FileId, limit: u32) -> Vec<FileIndex> {
		FilesById::<T>::iter_key_prefix(id).take(limit.min(MAX_ROWS) as usize).collect()
	}

	/// When the file's storage order is over without a further confirmation; `None` where the file
	/// is not there, or its order does not run any more.
	pub fn deadline_of(index: FileIndex) -> Option<Tick> {
		let file = Files::<T>::get(index).filter(|file| file.state == FileState::Pending)?;
		Some(file.deadline(Parameters::<T>::get().order_timeout))
	}

	/// What a file of this many segments has held; `None` where no balance is that high.
	pub fn deposit_for(segments: u32) -> Option<BalanceOf<T>> {
		Parameters::<T>::get().deposit(segments)
	}

	fn info(file: &FileOf<T>, id: SegmentId, segment: Segment) -> Option<SegmentInfo> {
		Some(SegmentInfo {
			file: segment.file,
			file_id: file.id,
			spec: file.spec(),
			number: file.number_of(id)?,
			state: file.state,
			segment,
		})
	}

	/// The file of a segment, if all of it is stored, and the segment's bytes.
	fn stored(segment: SegmentId) -> Option<(FileIndex, FileOf<T>, u64)> {
		let index = Segments::<T>::get(segment)?.file;
		let file = Files::<T>::get(index).filter(|file| file.state == FileState::Active)?;
		let bytes = file.segment_bytes(file.number_of(segment)?);
		Some((index, file, bytes))
	}

	/// The fragment's file, which must be alive, and its segment with its number.
	fn alive(fragment: FragmentId) -> Result<(FileOf<T>, Segment, u32), DispatchError> {
		let segment = Segments::<T>::get(fragment.segment).ok_or(Error::<T>::SegmentNotFound)?;
		let file = Files::<T>::get(segment.file).ok_or(Error::<T>::FileNotFound)?;
		ensure!(file.state.is_alive(), Error::<T>::FileNotAlive);
		ensure!(fragment.index < segment.fragments(), Error::<T>::FragmentNotFound);
		let number = file.number_of(fragment.segment).ok_or(Error::<T>::SegmentNotFound)?;
		Ok((file, segment, number))
	}
}

impl<T: Config> Fragments for Pallet<T> {
	fn get(segment: SegmentId) -> Option<SegmentInfo> {
		Self::segment_info(segment)
	}
}

impl<T: Config> Custody for Pallet<T> {
	fn set_restoring(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		restoring: bool,
	) -> DispatchResult {
		let segment = &mut info.segment;
		ensure!(fragment.index < segment.fragments(), Error::<T>::FragmentNotFound);
		if restoring {
			ensure!(segment.is_confirmed(fragment.index), Error::<T>::NotConfirmed);
			segment.restoring |= bit(fragment.index);
		} else {
			segment.restoring &= !bit(fragment.index);
		}
		Segments::<T>::insert(fragment.segment, &*segment);
		Ok(())
	}

	fn hand_over(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		to: Option<MinerId>,
	) -> Result<Moved, DispatchError> {
		let bytes = info.fragment_len();
		let segment = &mut info.segment;
		ensure!(info.state.is_alive(), Error::<T>::FileNotAlive);
		ensure!(fragment.index < segment.fragments(), Error::<T>::FragmentNotFound);
		ensure!(segment.is_confirmed(fragment.index), Error::<T>::NotConfirmed);
		if let Some(to) = to {
			ensure!(to != MinerId::NOBODY, Error::<T>::PlacedWithNobody);
			let another = segment.index_of(to).is_some_and(|index| index != fragment.index);
			ensure!(!another, Error::<T>::HoldsAnotherFragment);
			segment.restoring &= !bit(fragment.index);
		}
		let from = segment.holder(fragment.index);
		segment.holders.set(fragment.index, to.unwrap_or(MinerId::NOBODY));
		Segments::<T>::insert(fragment.segment, &*segment);
		Ok(Moved { from, to, bytes })
	}

	fn moved(moves: &[Moved]) {
		T::MinerLedger::moved(moves);
	}

	fn set_lost(segment: SegmentId, lost: bool) -> DispatchResult {
		let index = Segments::<T>::get(segment).ok_or(Error::<T>::SegmentNotFound)?.file;
		let mut file = Files::<T>::get(index).ok_or(Error::<T>::FileNotFound)?;
		if lost {
			ensure!(file.state.is_alive(), Error::<T>::FileNotAlive);
			file.lost = file.lost.checked_add(1).ok_or(ArithmeticError::Overflow)?;
			ensure!(file.lost <= file.placed, ArithmeticError::Overflow);
		} else {
			file.lost = file.lost.checked_sub(1).ok_or(ArithmeticError::Underflow)?;
		}
		Files::<T>::insert(index, file);
		Ok(())
	}
}

impl<T: Config> WriteOff<T::AccountId> for Pallet<T> {
	fn write_off(segment: SegmentId) -> Result<T::AccountId, DispatchError> {
		let (index, mut file, bytes) = Self::stored(segment).ok_or(Error::<T>::FileNotAlive)?;
		T::SpaceLedger::free(&file.owner, bytes);
		let owner = file.owner.clone();
		file.written_off = file.written_off.saturating_add(bytes);
		Files::<T>::insert(index, file);
		Ok(owner)
	}

	fn take_back(segment: SegmentId) -> bool {
		let Some((index, mut file, bytes)) = Self::stored(segment) else { return false };
		let owner = &file.owner;
		let reserved = with_storage_layer(|| T::SpaceLedger::reserve(owner, owner, bytes));
		if reserved.is_err() {
			return false;
		}
		T::SpaceLedger::settle(owner, bytes);
		file.written_off = file.written_off.saturating_sub(bytes);
		Files::<T>::insert(index, file);
		true
	}
}

impl<T: Config> OnSpaceLapsed<T::AccountId> for Pallet<T> {
	/// In the order of the keys of [`FilesOf`]. A file that is being removed already gives nothing
	/// back, and is a step as well.
	fn on_space_lapsed(payer: T::AccountId, after: Option<FileIndex>) -> Option<Lapsed> {
		let index = Self::files_of(&payer, after, 1).pop()?;
		let mut lapsed = Lapsed { file: index, reserved: 0, used: 0 };
		if let Some(mut file) = Files::<T>::get(index) {
			let bytes = file.paid_bytes();
			match file.state {
				FileState::Pending => lapsed.reserved = bytes,
				FileState::Active => lapsed.used = bytes,
				FileState::Deleting | FileState::Failed => return Some(lapsed),
			}
			file.state = FileState::Deleting;
			Files::<T>::insert(index, file);
			Self::put_down(T::Clock::now(), Task::Removal(index));
			Self::deposit_event(Event::SpaceLapsed { file: index });
		}
		Some(lapsed)
	}

	fn weight() -> Weight {
		Self::delete_weight()
	}
}

impl<T> From<SpecError> for Error<T> {
	fn from(error: SpecError) -> Self {
		match error {
			SpecError::Empty => Self::FileEmpty,
			SpecError::TooLarge => Self::FileTooLarge,
			SpecError::Coding(CodingError::NoData) => Self::NoSourceFragments,
			SpecError::Coding(CodingError::NoParity) => Self::NoParityFragments,
			SpecError::Coding(CodingError::TooManyFragments) => Self::TooManyFragments,
			// The last two say what is wrong with a text; a coding itself never is either.
			SpecError::Coding(
				CodingError::UnknownCodec | CodingError::OddCount | CodingError::Unreadable,
			) => Self::UnknownCodec,
		}
	}
}
