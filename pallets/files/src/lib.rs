// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files, segments, storage orders and their removal.
//!
//! # A file's life
//!
//! Alice has a file: she cuts and codes it, computes its id, and [orders](Call::order) its storage
//! with a deposit for its segments. Then she [places](Call::place) every fragment with a miner and
//! sends it there. The miners write the fragments down and [confirm](Call::confirm) them. A miner
//! that stays silent is replaced by placing the fragment again. When the last fragment is confirmed
//! the file is `Active`, and its fragments may be restored and audited, until Alice
//! [deletes](Call::delete) it. An operator that she authorised may order and place in her name; the
//! file is hers.
//!
//! A storage order without a new confirmation for `order_timeout` ticks has failed. The deadline
//! stands in the file's record; until the agenda, or anyone's [`tidy`](Call::tidy), begins to
//! remove the file, a confirmation resumes the order.
//!
//! # Chosen and drawn holders
//!
//! Whoever names the holders decides who has a file in hand. A gateway that works together with an
//! operator of many miners would give that operator everything. So holders are *drawn*, unless the
//! owner signs an order that says otherwise, or the network has fewer miners than `drawn_from`:
//! each fragment has four candidates, which follow from the order's seed, and whoever places it
//! takes the one that suits: there is room, it is near, it answers. After `place_timeout` without a
//! confirmation there are four more, `redraws` times.
//!
//! The seed is the beacon of the second block after the order, which nobody knows when it is
//! ordered, and is kept in the file's record with the first placement. Candidates are drawn evenly
//! among the ids there were when the file was ordered; as many more as there are ids of miners that
//! have departed, up to eight times. A candidate that takes no data, or already has a fragment of
//! the segment, just cannot be chosen.
//!
//! Whoever orders can order again and again until a draw suits. An owner who does that could have
//! chosen in the first place. A gateway pays for each order, which shows in its owner's name. What
//! it can reach within one draw, and what an operator can without it, is computed in
//! `docs/limits.md`.
//!
//! # Lapse and removal
//!
//! When her space lapses, it is as if she had deleted all of her files, one after another
//! ([`OnSpaceLapsed`]).
//!
//! Removal (`Deleting`, `Failed`) gives the owner's space back at once. The segments go in steps
//! under a weight limit, with a cursor in the file's record: each holder's bytes are given back and
//! what others keep about the segment is dropped through [`OnSegmentRemoved`]. When the last one is
//! gone, so are the file's record and its deposit. A file that is not done with when a block has no
//! more weight for it goes behind the others that wait.
//!
//! What a file's holders have is paid for until it is removed, and what is placed with a miner takes
//! its room until the order is over. So the agenda is a [`Calendar`], which never drops a task:
//! whatever is deleted or has failed is removed, however much else is, sooner or later.
//!
//! # State
//!
//! A file's record has constant size, and its segments are a contiguous range of ids, so every
//! operation on a fragment touches one segment (74 bytes for 12 fragments) and one file. A segment
//! has no record before it is placed.
//!
//! # Properties
//!
//! Checked by `try_state`, after every unit test too:
//!
//! 1. A file's segment ids are its own, and below [`NextSegment`]; its index is below [`NextFile`].
//! 2. A segment's record belongs to a file, lies in its range, was placed and is not swept yet.
//! 3. It has as many fragments as the file's coding says, each with another holder; unconfirmed
//!    ones have one. Restored fragments are confirmed ones.
//! 4. `unconfirmed` is the number of fragments not confirmed, and the file is `Pending` while there
//!    are any. No more segments are lost than there are.
//! 5. [`FilesById`] and [`FilesOf`] have exactly the files.
//! 6. What is held of an owner is the sum of its files' deposits.
//! 7. As long as a draw has no seed, nothing is placed.
//! 8. The agenda has the deadline of every running order once, and once the removal of every file
//!    that is being removed; of no other file a removal.
//!
//! Only this pallet changes a fragment's holder ([`Custody`]), and it moves the miners' ledgers:
//! an unconfirmed fragment is reserved by its holder, a confirmed one is held.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

pub mod types;

mod impls;

pub mod weights;

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

#[allow(unused_imports)] // for the docs
use pallet_planaria_support::{Calendar, Custody, OnSegmentRemoved, OnSpaceLapsed};

pub(crate) const LOG_TARGET: &str = "runtime::planaria-files";

// In what the macro makes.
#[allow(missing_debug_implementations, clippy::cast_possible_truncation, clippy::type_complexity)]
#[frame_support::pallet]
pub mod pallet {
	use crate::{File, Label, MAX_PLACEMENTS, Params, Placement, Placements, Task, WeightInfo};
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, Mutate, MutateHold},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_planaria_support::{
		Calendar, Clock, DutyGate, MinerCount, MinerLedger, OnConfirmed, OnSegmentRemoved,
		OnSegmentStored, SpaceLedger, hot_key,
	};
	use planaria_primitives::{
		CodingParams, FileId, FileIndex, FragmentId, MAX_FRAGMENTS, MinerId, PlacementRule,
		Segment, SegmentId, Tick, duty::DutyKind,
	};

	/// What a file's owner has held.
	pub type BalanceOf<T> =
		<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// The record of a file.
	pub type FileOf<T> = File<<T as frame_system::Config>::AccountId, BalanceOf<T>>;
	/// What can be set.
	pub type ParamsOf<T> = Params<BalanceOf<T>>;
	/// What is to be done when a tick has come: an order's deadline, or the next step of a removal.
	pub type AgendaOf<T> =
		Calendar<Due<T>, DuePages<T>, NextDue<T>, Task, <T as Config>::TasksPerPage>;

	/// A duty call is at most this long.
	const MAX_DUTY_BYTES: u32 = 64 * 1024;

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// What deposits are made in.
		type Currency: Mutate<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The reason of a deposit, among all reasons of the runtime.
		type RuntimeHoldReason: From<HoldReason>;

		/// The network's time.
		type Clock: Clock;

		/// The miners' bytes.
		type MinerLedger: MinerLedger;

		/// How many miners holders are drawn among.
		type MinerCount: MinerCount;

		/// Lets duty calls in.
		type DutyGate: DutyGate<Self::RuntimeOrigin>;

		/// The prepaid capacity of the files' owners, and who may act for them.
		type SpaceLedger: SpaceLedger<Self::AccountId>;

		/// Told when a segment is gone.
		type OnSegmentRemoved: OnSegmentRemoved;

		/// Told when the last fragment of a segment is confirmed.
		type OnSegmentStored: OnSegmentStored;

		/// Told what a miner has confirmed.
		type OnConfirmed: OnConfirmed;

		/// Sets the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most items a batch call takes.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// How many tasks a page of the agenda has at most. A tick has as many pages as it takes.
		#[pallet::constant]
		type TasksPerPage: Get<u32>;

		/// What the agenda takes of a block at most.
		#[pallet::constant]
		type MaxAgendaWeight: Get<Weight>;

		/// What the calls weigh.
		type WeightInfo: WeightInfo;

		/// Prepares miners and space for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: crate::benchmarking::BenchmarkHelper<Self::AccountId>;
	}

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What can be set.
	#[pallet::storage]
	pub type Parameters<T: Config> = StorageValue<_, ParamsOf<T>, ValueQuery>;

	/// The index of the next file.
	#[pallet::storage]
	pub type NextFile<T: Config> = StorageValue<_, FileIndex, ValueQuery>;

	/// The id of the next segment.
	#[pallet::storage]
	pub type NextSegment<T: Config> = StorageValue<_, SegmentId, ValueQuery>;

	/// The stored files.
	// The chain assigns the index: `Identity`.
	#[pallet::storage]
	pub type Files<T: Config> = StorageMap<_, Identity, FileIndex, FileOf<T>>;

	/// The segments that were placed.
	// The chain assigns the id: `Identity`.
	#[pallet::storage]
	pub type Segments<T: Config> = StorageMap<_, Identity, SegmentId, Segment>;

	/// The stored instances of a content.
	// Anybody can grind a content's id.
	#[pallet::storage]
	pub type FilesById<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, FileId, Identity, FileIndex, ()>;

	/// The files of an owner.
	// Anybody can grind an account.
	#[pallet::storage]
	pub type FilesOf<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Identity, FileIndex, ()>;

	/// What is to be done when a tick has come, by the tick and the number of the page.
	#[pallet::storage]
	pub type Due<T: Config> =
		StorageMap<_, Identity, (Tick, u32), BoundedVec<Task, T::TasksPerPage>, ValueQuery>;

	/// The numbers of the first page that is left of a tick and of its last one, where these are not
	/// both zero.
	#[pallet::storage]
	pub type DuePages<T: Config> = StorageMap<_, Identity, Tick, (u32, u32), ValueQuery>;

	/// The first tick that may still have something to be done.
	#[pallet::storage]
	pub type NextDue<T: Config> = StorageValue<_, Tick, ValueQuery>;

	/// What the pallet is told at genesis.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// What can be set.
		pub params: ParamsOf<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.params.check(), "the parameters of the files pallet are unsound");
			Parameters::<T>::put(&self.params);
		}
	}

	/// Why something is held of an account.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The price of a file's state, returned when the file is removed.
		#[codec(index = 0)]
		StorageDeposit,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// The storage of a file was ordered.
		Ordered {
			/// The file.
			file: FileIndex,
			/// Its content.
			id: FileId,
			/// Whose file it is.
			owner: T::AccountId,
			/// The id of its first segment.
			first_segment: SegmentId,
			/// How many segments it has.
			segments: u32,
			/// Who ordered it.
			by: T::AccountId,
		},
		/// The fragments of some segments were placed with miners, who are to confirm them.
		Placed {
			/// The file.
			file: FileIndex,
			/// The first of these segments' numbers in the file.
			first: u32,
			/// How many segments it was.
			segments: u32,
		},
		/// A miner confirmed fragments.
		Confirmed {
			/// The miner.
			miner: MinerId,
			/// How many fragments it confirmed.
			count: u32,
		},
		/// An item of a miner's batch was refused; the others are not affected.
		ItemFailed {
			/// The miner.
			miner: MinerId,
			/// The item's place in the batch.
			index: u32,
			/// Why.
			error: DispatchError,
		},
		/// Every fragment of a file is confirmed.
		Activated {
			/// The file.
			file: FileIndex,
		},
		/// A file was deleted by its owner, or in the owner's name; its removal began.
		Deleted {
			/// The file.
			file: FileIndex,
		},
		/// A storage order made no progress for too long; the file's removal began.
		OrderFailed {
			/// The file.
			file: FileIndex,
		},
		/// The last segment of a file is gone, and its deposit was returned.
		Removed {
			/// The file.
			file: FileIndex,
		},
		/// The parameters were set.
		ParamsSet {
			/// What was set before.
			old: ParamsOf<T>,
			/// What is set now.
			new: ParamsOf<T>,
		},
		/// The owner's space has lapsed; the file's removal began.
		SpaceLapsed {
			/// The file.
			file: FileIndex,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no file of this index: it was never ordered, or is removed already.
		FileNotFound,
		/// There is no such segment: the file has fewer, none was placed, or it is removed.
		SegmentNotFound,
		/// The segment has fewer fragments.
		FragmentNotFound,
		/// An empty file cannot be stored.
		FileEmpty,
		/// The file has more than 2^20 segments: use a coding with more source fragments, or parts.
		FileTooLarge,
		/// The codec is not known: use 0, Reed-Solomon.
		UnknownCodec,
		/// A coding needs at least one source fragment.
		NoSourceFragments,
		/// A coding needs at least one parity fragment.
		NoParityFragments,
		/// A coding has at most 64 fragments.
		TooManyFragments,
		/// Only the file's owner, and whoever ordered it, may do this; deleting it only as long as the
		/// owner authorises that.
		NotYourFile,
		/// The storage order is over: every fragment is confirmed, or the file is being removed.
		NotPending,
		/// The file is being removed.
		FileNotAlive,
		/// The batch has no items.
		EmptyBatch,
		/// A placement must name one miner for each fragment of the segment.
		WrongFragmentCount,
		/// The fragments of a segment must be placed with different miners.
		RepeatedMiner,
		/// `4294967295` stands for nobody and cannot be given a fragment.
		PlacedWithNobody,
		/// A confirmed fragment stays where it is: repeat its holder.
		FragmentConfirmed,
		/// The fragment is assigned to another miner.
		NotHolder,
		/// The miner has confirmed the fragment already.
		AlreadyConfirmed,
		/// The fragment is not confirmed.
		NotConfirmed,
		/// The miner is assigned another fragment of the segment.
		HoldsAnotherFragment,
		/// None of the files has anything to be tidied up: their orders run, or they are active.
		NothingToTidy,
		/// The parameters are unsound: a timeout is zero, there are too many draws, or a deposit
		/// exceeds every balance.
		InvalidParams,
		/// In a network of this size only the owner may have holders chosen: order it drawn, or have
		/// the owner sign the order.
		OwnerChooses,
		/// There are fewer miners than a segment has fragments.
		TooFewMiners,
		/// The file was ordered with the other kind of placement.
		WrongPlacement,
		/// The file's seed is not known yet: place it two blocks after it was ordered.
		SeedUnknown,
		/// The fragment has fewer candidates yet.
		NotACandidate,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
			let limit = T::MaxAgendaWeight::get().min(meter.remaining());
			let mut own = WeightMeter::with_limit(limit);
			Self::serve_agenda(&mut own);
			meter.consume(own.consumed());
		}

		fn integrity_test() {
			let batch = T::MaxBatch::get();
			assert!(batch > 0 && T::TasksPerPage::get() > 0, "a bound is zero");
			assert!(ParamsOf::<T>::default().check(), "the default parameters are unsound");

			// The items, and what stands around them: two indices, miner, anchor, length, signature.
			let item = u32::try_from(FragmentId::max_encoded_len()).unwrap_or(u32::MAX);
			let duty = batch.saturating_mul(item).saturating_add(2 + 4 + 4 + 4 + 65);
			assert!(duty <= MAX_DUTY_BYTES, "a full confirm is longer than a duty call may be");

			let weights = T::BlockWeights::get();
			let fits = |weight: Weight, class: DispatchClass| {
				let limit = weights.get(class).max_extrinsic.unwrap_or(weights.max_block);
				weight.all_lte(limit)
			};
			assert!(
				fits(Self::confirm_weight(batch), DispatchClass::Operational),
				"a full confirm does not fit into a block"
			);
			assert!(
				fits(Self::tidy_weight(batch), DispatchClass::Normal),
				"a full tidy does not fit into a block"
			);
			let fragments = u32::from(MAX_FRAGMENTS);
			assert!(
				fits(Self::place_weight(1, fragments), DispatchClass::Normal),
				"the placement of a segment of 64 fragments does not fit into a block"
			);
			let task = T::WeightInfo::serve_page().saturating_add(Self::task_weight());
			assert!(
				task.all_lte(T::MaxAgendaWeight::get()),
				"the agenda may never come to remove a segment of 64 fragments"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Orders the storage of a file.
		///
		/// Its fragments are placed next, with [`place`](Call::place). The order fails when no
		/// further fragment is confirmed for `order_timeout` ticks.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the file's owner, or by an operator whom the owner authorised.
		///
		/// ## Details
		///
		/// The file is its payer's: `deposit_base` and `deposit_per_segment` for each segment are
		/// held of the payer until the file is removed, and the file's bytes come out of its space.
		///
		/// ## Parameters
		///
		/// - `id`: the commitment to the file's content, size and coding.
		/// - `size`: the file's size in bytes, at least 1.
		/// - `coding`: its erasure code. At most 2^20 segments of `data` x 8 MiB.
		/// - `label`: what the owner calls it.
		/// - `payer`: the owner, where it is not the signer.
		/// - `placement`: whether the fragments' holders are chosen, or drawn. From `drawn_from`
		///   miners on only the owner may have them chosen.
		///
		/// ## Events
		///
		/// [`Event::Ordered`] with the file's index and its segments' ids.
		#[pallet::call_index(0)]
		#[pallet::weight(Pallet::<T>::order_weight())]
		#[allow(clippy::too_many_arguments)]
		pub fn order(
			origin: OriginFor<T>,
			id: FileId,
			size: u64,
			coding: CodingParams,
			label: Label,
			payer: Option<T::AccountId>,
			placement: PlacementRule,
		) -> DispatchResult {
			let by = ensure_signed(origin)?;
			Self::do_order(by, id, size, coding, label, payer, placement)
		}

		/// Places the fragments of consecutive segments with miners, or places them again.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the file's owner, or by whoever ordered it.
		///
		/// ## Details
		///
		/// Each miner's bytes are reserved until it confirms. A fragment that is not confirmed yet
		/// can be placed with another miner, which releases the first one; a confirmed fragment
		/// stays where it is, and its holder must be repeated. Either all of it happens or nothing.
		///
		/// ## Parameters
		///
		/// - `file`: the file, whose storage order must be running.
		/// - `first`: the number of the first of these segments in the file.
		/// - `placements`: one per segment, at most 256, but no more than fit into a block; of the kind
		///   the file was ordered with. Drawn ones can be made from the second block after the order.
		///
		/// ## Errors
		///
		/// Those of this pallet, and what the registry says of a miner that takes no data, or has
		/// not the room or the collateral for it.
		///
		/// ## Events
		///
		/// [`Event::Placed`].
		#[pallet::call_index(1)]
		#[pallet::weight(Pallet::<T>::place_weight(
			u32::try_from(placements.len()).unwrap_or(MAX_PLACEMENTS),
			placements.iter().map(Placement::fragments).sum()
		))]
		pub fn place(
			origin: OriginFor<T>,
			file: FileIndex,
			first: u32,
			placements: Placements,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_place(who, file, first, &placements)
		}

		/// Confirms fragments: the miner has checked them and written them down durably.
		///
		/// ## Dispatch Origin
		///
		/// Free of charge with the signature of the miner's hot key inside the call; or signed by
		/// the hot key's account or the stash.
		///
		/// ## Details
		///
		/// Each item is looked at for itself. One that is refused is reported and changes nothing.
		/// Where the first one is, a call that is free of charge is no transaction.
		///
		/// ## Parameters
		///
		/// - `miner`: who confirms.
		/// - `anchor`: a block younger than 64 blocks, and after that of the last `confirm`.
		/// - `items`: fragments that are assigned to the miner, and not confirmed.
		/// - `signature`: of the hot key; none where the call itself is signed.
		///
		/// ## Events
		///
		/// [`Event::Confirmed`], and for each item that is refused [`Event::ItemFailed`].
		/// [`Event::Activated`] for each file of which this was the last fragment.
		#[pallet::call_index(2)]
		#[pallet::weight((
			Pallet::<T>::confirm_weight(u32::try_from(items.len()).unwrap_or(u32::MAX)),
			DispatchClass::Operational
		))]
		#[pallet::authorize(|_source, miner, anchor, items, signature| {
			Self::may_confirm(*miner, items)?;
			T::DutyGate::authorize(DutyKind::Confirm, *miner, *anchor, items, signature)
		})]
		// The segment and its file.
		#[pallet::weight_of_authorize(
			T::DutyGate::authorize_weight(u32::try_from(items.encoded_size()).unwrap_or(u32::MAX))
				.saturating_add(T::DbWeight::get().reads(2))
		)]
		pub fn confirm(
			origin: OriginFor<T>,
			miner: MinerId,
			anchor: u32,
			items: BoundedVec<FragmentId, T::MaxBatch>,
			signature: Option<hot_key::Signature>,
		) -> DispatchResultWithPostInfo {
			let entered = T::DutyGate::enter(origin, DutyKind::Confirm, miner, anchor)?;
			// Looked at by `authorize`; a signed call needs none.
			let _ = signature;
			Self::do_confirm(miner, &items);
			let weight = Self::confirm_weight(u32::try_from(items.len()).unwrap_or(u32::MAX))
				.saturating_sub(T::DutyGate::enter_weight())
				.saturating_add(entered);
			Ok(Some(weight).into())
		}

		/// Deletes a file, whether its storage order still runs or not.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the file's owner, or by the operator that ordered it, as long as it is authorised.
		///
		/// ## Details
		///
		/// Its space is free at once. Its segments are removed in steps, then the deposit returns.
		///
		/// ## Events
		///
		/// [`Event::Deleted`], and [`Event::Removed`] when the last segment is gone.
		#[pallet::call_index(3)]
		#[pallet::weight(Pallet::<T>::delete_weight())]
		pub fn delete(origin: OriginFor<T>, file: FileIndex) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_delete(who, file)
		}

		/// Does what the agenda has not done yet: lets overdue storage orders fail, and removes
		/// segments of files that are deleted or failed.
		///
		/// ## Dispatch Origin
		///
		/// Signed by anyone.
		///
		/// ## Details
		///
		/// The call removes a bounded number of segments altogether, and pays for what it does. Files
		/// of which nothing is to be done are passed over.
		///
		/// ## Errors
		///
		/// [`Error::NothingToTidy`] where that is so for all of them.
		///
		/// ## Events
		///
		/// [`Event::OrderFailed`] and [`Event::Removed`].
		#[pallet::call_index(4)]
		#[pallet::weight(Pallet::<T>::tidy_weight(u32::try_from(files.len()).unwrap_or(u32::MAX)))]
		pub fn tidy(
			origin: OriginFor<T>,
			files: BoundedVec<FileIndex, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_tidy(&files)
		}

		/// Sets the parameters. Deposits that are held already stay as they are; deadlines follow
		/// the new timeout.
		///
		/// ## Dispatch Origin
		///
		/// The administrator.
		///
		/// ## Events
		///
		/// [`Event::ParamsSet`].
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::set_params())]
		pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(params.check(), Error::<T>::InvalidParams);
			let old = Parameters::<T>::get();
			Parameters::<T>::put(&params);
			Self::deposit_event(Event::ParamsSet { old, new: params });
			Ok(())
		}
	}
}
