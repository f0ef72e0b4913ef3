// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Restore orders, claims, reports and the loss verdict.
//!
//! # Story
//!
//! Alice, Bob and Carol each hold one of the three fragments of a segment; any two restore it.
//! Alice's disk has a bad sector. She cannot repair the fragment from the others in time, so she
//! **opens** a restore order for it. The order is **unclaimed**: everybody sees that the fragment
//! is to be restored. Dave **claims** it. He has the room, holds nothing else of that segment, and
//! has one claim period to finish. He fetches the other two fragments, rebuilds the third, and
//! declares it **ready**, with whatever else he restored meanwhile. The beacon of the second
//! block after that, which nobody could know, says which chunks of which of them he has to prove. He **reports** the
//! proofs, the chain checks them against the file's id, and Dave holds the fragment.
//!
//! Had Dave done nothing, his claim would have **expired**: the order is open to others, he pays
//! a penalty, and is **banned** from that segment for a day. Had he noticed that he cannot, he would
//! have **given it back**, which costs nothing; the longer he kept others away, the longer they come
//! first. Had Alice found the bytes again before anybody claimed the order, she would have
//! **cancelled** it with a proof.
//!
//! And had Dave restored it and found that it is not the fragment the file's id commits to, he would
//! have **declined** the order: perhaps the file was wrong from the beginning. That costs nothing
//! either, but the order is none for him any more. After three miners have declined it, it is
//! **disputed**: whoever tries all the same is not punished for failing.
//!
//! Bob leaves the network. He is a **restore target**: anybody may open orders for what he holds,
//! and has claimed them by that. Were Bob only absent and came back, the orders that nobody works
//! on are **void**, and `tidy` removes them. Had half of the network turned absent with Bob, it would
//! most likely come back with him: while the **brake** is engaged, only segments that have little to
//! spare are restored.
//!
//! If Carol's disk dies before Dave is done, one fragment is left and two are needed: the segment
//! is **suspected lost**. Should that still be so three claim periods later, it is **lost**. That
//! is a verdict, nothing is deleted: the fragments under restoration are taken off their holders,
//! the orders stay, and whoever still has the bytes claims and reports them. With two fragments
//! back the segment is **found**.
//!
//! # Rules
//!
//! - There is one order per fragment, for confirmed fragments of files that are neither deleted
//!   nor failed. The fragment's *restoring* bit says that there is one.
//! - A claim is never touched before its deadline has passed. From then on everybody sees an
//!   unclaimed order, whether the agenda has come to it or not.
//! - A miner that holds a fragment of a segment, or claims one, claims no other of that segment.
//! - Whose claim came to nothing may not claim in that segment for a while: for `ban_period` where
//!   the claim expired, and for as large a share of it as it had of the claim period where it gave
//!   the claim back or declined the order. Nor does another order for the fragment change that.
//! - Holders open orders for what they do not have, and claimers for what moves away from a restore
//!   target. The chain opens one where a challenge failed ([`OpenOrder`]).
//! - A fragment that only moves away from a miner that leaves is present. One that this miner said
//!   it does not have, or was found not to have, is not.
//! - Whoever does not have a fragment pays a bounty ([`Bounties`]) to whoever restores it; half as
//!   much where it only leaves. Of an order that is cancelled or void it has it back; of one whose
//!   file is deleted only where it did not turn out to lack the fragment.
//! - A segment that has been lost for `loss_settlement` ticks is settled once: its owner pays nothing
//!   more for it, and has the collateral of the fragments that are not present.
//! - While the brake is engaged, orders for fragments of absent and expelled miners are opened only
//!   in segments that can spare [`BRAKED_SPARE`] fragments or fewer. What exists goes on.
//! - A batch is fixed before its seed is known. Of `m` fragments the seed draws `min(m, 8)`; those
//!   of thin segments are proven in addition. One wrong or missing proof fails the whole batch and
//!   costs the fee for a wrong proof, once per fragment not proven. Dropping a batch whose seed is
//!   known costs one such fee, as does letting the seed be forgotten, so that nobody draws until the
//!   seed suits. A miner may have [`MAX_BATCHES`] under way, because each takes several blocks.
//! - What a failed batch names stays claimed until its deadline.
//! - A segment is judged once all of its fragments were confirmed: before that the order of its
//!   file is still running.
//!
//! # Properties
//!
//! `try_state` checks these, with the same names:
//!
//! - *orders*: an order exists exactly where the restoring bit is set, on a confirmed fragment.
//! - *missing*: [`Missing`] says exactly of which orders the holder does not have the fragment.
//! - *declines*: no miner has declined an order twice, or claims one that it declined.
//! - *claims*: [`ClaimsOf`] lists exactly the claimed orders.
//! - *bans*: nobody claims in a segment that it is banned from.
//! - *batches*: a batch is that of a miner that has not departed and has at most [`MAX_BATCHES`],
//!   which name no fragment twice; it needs at most [`MAX_PROOFS`] proofs, whatever its seed.
//! - *verdicts*: a segment with a verdict exists and was confirmed as a whole.
//! - *agenda*: no task is left behind a tick that was served.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

mod impls;

mod tally;

mod batches;

mod verdicts;

pub mod weights;

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::{BenchmarkHelper, NEAR};
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::traits::{Get, fungible::Inspect};
use pallet_planaria_support::Agenda;
#[cfg(doc)]
use pallet_planaria_support::{Bounties, OpenOrder};

/// The balance of the currency that collateral is in.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// The parameters with the runtime's balance.
pub type ParamsOf<T> = Params<BalanceOf<T>>;

/// The tasks of this pallet.
pub(crate) type AgendaOf<T> = Agenda<AgendaTasks<T>, AgendaNext<T>, Task, <T as Config>::MaxTasks>;

// What the macro makes has no `Debug`; the lists of the calls are bounded.
#[allow(missing_debug_implementations, clippy::cast_possible_truncation)]
#[frame_support::pallet]
pub mod pallet {
	// The prelude has a trait of the same name.
	use super::Task;
	use super::{tally::Tally, *};
	use core::cell::Cell;
	use frame_support::{
		dispatch::DispatchResultWithPostInfo, pallet_prelude::*, weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_planaria_support::{
		Bounties, Brake, Clock, Collateral, Custody, DutyGate, Fragments, MinerDirectory,
		MinerLedger, WriteOff, hot_key,
	};
	use planaria_primitives::{
		FragmentId, FragmentProof, MinerId, SegmentId, Tick, duty::DutyKind,
	};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// What collateral is in.
		type Currency: Inspect<Self::AccountId>;

		/// Time and randomness.
		type Clock: Clock;

		/// Who the miners are.
		type Directory: MinerDirectory<Self::AccountId>;

		/// Their bytes: a claim reserves some.
		type Ledger: MinerLedger;

		/// What an expired claim is paid from.
		type Collateral: Collateral<Self::AccountId, BalanceOf<Self>>;

		/// What restoring is worth, and who pays for it.
		type Bounties: Bounties<Self::AccountId>;

		/// Ends the payment for what was lost.
		type WriteOff: WriteOff<Self::AccountId>;

		/// Whether too much is absent to restore it all.
		type Brake: Brake;

		/// Lets duties in.
		type DutyGate: DutyGate<Self::RuntimeOrigin>;

		/// What is stored.
		type Fragments: Fragments;

		/// Changes who has what.
		type Custody: Custody;

		/// Who may set the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// How many fragments `open`, `claim`, `give_back`, `decline` and `tidy` take at most.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// How many tasks a tick of the agenda has at most.
		#[pallet::constant]
		type MaxTasks: Get<u32>;

		/// What the agenda may use of a block at most.
		#[pallet::constant]
		type AgendaWeight: Get<Weight>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;

		/// Sets up what the benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// The restore orders. There is one exactly for each fragment whose restoring bit is set.
	// Identity, here and below: the chain assigns these ids.
	#[pallet::storage]
	pub type Orders<T> = StorageMap<_, Identity, FragmentId, Order, OptionQuery>;

	/// What each miner has claimed: the fragment's index by its segment. Nobody claims two
	/// fragments of a segment.
	#[pallet::storage]
	pub type ClaimsOf<T> =
		StorageDoubleMap<_, Identity, MinerId, Identity, SegmentId, u8, OptionQuery>;

	/// The batches each miner declared ready and has not reported, by the block it did so in; at
	/// most [`MAX_BATCHES`]. They may name fragments that the miner does not claim any more.
	#[pallet::storage]
	pub type Batches<T> = StorageDoubleMap<_, Identity, MinerId, Identity, u32, Batch, OptionQuery>;

	/// Up to and including which tick a miner may not claim in a segment, because a claim of it
	/// there came to nothing. The agenda removes what is over.
	// Not kept with the order: another one for the fragment would be open to the miner.
	#[pallet::storage]
	pub type Bans<T> =
		StorageDoubleMap<_, Identity, MinerId, Identity, SegmentId, Tick, OptionQuery>;

	/// The fragments, bit by bit, whose orders were opened because their holders do not have them.
	// Kept apart from the orders, as a segment's verdict would need all of them.
	#[pallet::storage]
	pub type Missing<T> = StorageMap<_, Identity, SegmentId, u64, ValueQuery>;

	/// The segments that cannot be restored from what is present.
	#[pallet::storage]
	pub type Verdicts<T> = StorageMap<_, Identity, SegmentId, Verdict, OptionQuery>;

	/// The segments that were lost, for which money has moved: nobody pays for them any more. One that
	/// was found again stays here until its owner has the space for it.
	#[pallet::storage]
	pub type Settled<T> = StorageMap<_, Identity, SegmentId, (), OptionQuery>;

	/// What can be tuned.
	#[pallet::storage]
	pub type Parameters<T: Config> = StorageValue<_, ParamsOf<T>, ValueQuery>;

	/// What is to be tidied up, by tick.
	#[pallet::storage]
	pub type AgendaTasks<T: Config> =
		StorageMap<_, Identity, Tick, BoundedVec<Task, T::MaxTasks>, ValueQuery>;

	/// The first tick that may still have tasks.
	#[pallet::storage]
	pub type AgendaNext<T> = StorageValue<_, Tick, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The parameters to begin with.
		pub params: ParamsOf<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.params.check(), "the parameters of restore are unsound");
			Parameters::<T>::put(self.params);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A fragment is to be restored.
		OrderOpened {
			/// The fragment.
			fragment: FragmentId,
			/// Its holder, who stays it until another miner has proven the fragment.
			holder: MinerId,
		},
		/// A miner took a restore order.
		OrderClaimed {
			/// The fragment.
			fragment: FragmentId,
			/// The claimer.
			by: MinerId,
			/// The last tick it can be reported at.
			deadline: Tick,
		},
		/// A claimer let its deadline pass; the order is unclaimed again.
		ClaimExpired {
			/// The fragment.
			fragment: FragmentId,
			/// The claimer.
			by: MinerId,
			/// What was taken from its collateral.
			penalty: BalanceOf<T>,
		},
		/// A claimer gave its claim back; the order is unclaimed again.
		GivenBack {
			/// The fragment.
			fragment: FragmentId,
			/// The claimer.
			by: MinerId,
		},
		/// The holder proved that it has the fragment; there is nothing to restore.
		OrderCancelled {
			/// The fragment.
			fragment: FragmentId,
			/// Its holder.
			holder: MinerId,
		},
		/// The holder is no restore target any more; there is nothing to restore.
		OrderVoided {
			/// The fragment.
			fragment: FragmentId,
		},
		/// A miner declared restored fragments ready to be proven.
		BatchReady {
			/// The miner.
			miner: MinerId,
			/// The block; the beacon of the second one after it is the seed.
			at: u32,
			/// How many fragments.
			count: u32,
		},
		/// A batch gave way to another, or was given up, before it was reported.
		BatchDropped {
			/// The miner.
			miner: MinerId,
			/// The block the batch was declared ready in.
			at: u32,
		},
		/// A fragment was restored and has a new holder.
		FragmentRestored {
			/// The fragment.
			fragment: FragmentId,
			/// Who held it; nobody after a loss.
			from: Option<MinerId>,
			/// Who holds it now.
			to: MinerId,
		},
		/// A report was refused as a whole.
		ReportFailed {
			/// The miner.
			miner: MinerId,
			/// Why.
			error: DispatchError,
		},
		/// Fewer fragments of the segment are present than are needed to restore it.
		SuspectedLost {
			/// The segment.
			segment: SegmentId,
			/// The last tick of the countdown to the verdict.
			deadline: Tick,
		},
		/// Enough fragments of a segment that was suspected lost are present again.
		SuspicionCleared {
			/// The segment.
			segment: SegmentId,
		},
		/// The countdown ended and the segment still cannot be restored.
		SegmentLost {
			/// The segment.
			segment: SegmentId,
		},
		/// Enough fragments of a lost segment are present again.
		SegmentFound {
			/// The segment.
			segment: SegmentId,
		},
		/// A fragment of a lost segment was taken off its holder. Its order stays.
		FragmentVacated {
			/// The fragment.
			fragment: FragmentId,
			/// Who held it.
			from: MinerId,
		},
		/// One item of a call failed, the others did not.
		ItemFailed {
			/// The miner.
			miner: MinerId,
			/// The position of the item in the call; in a report, that in the batch.
			index: u32,
			/// Why.
			error: DispatchError,
		},
		/// The parameters were set.
		ParamsSet {
			/// What they are now.
			params: ParamsOf<T>,
		},
		/// A claimer found that what the others restore to is not the fragment; the order is
		/// unclaimed again, and not for this miner.
		OrderDeclined {
			/// The fragment.
			fragment: FragmentId,
			/// The claimer.
			by: MinerId,
		},
		/// So many miners have declined the order that nobody is punished for it any more.
		OrderDisputed {
			/// The fragment.
			fragment: FragmentId,
		},
		/// The fragment's order was opened because its holder leaves; it does not even have it.
		NothingToCopy {
			/// The fragment.
			fragment: FragmentId,
			/// Its holder.
			holder: MinerId,
		},
		/// Nobody pays for a lost segment any more, and its owner was compensated from the collateral of
		/// those who should have its fragments and do not.
		LossSettled {
			/// The segment.
			segment: SegmentId,
			/// Whose it is.
			owner: T::AccountId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The signer is neither the hot key nor the stash of a miner.
		NotAMiner,
		/// The call names nothing.
		NoItems,
		/// There is no such fragment.
		FragmentNotFound,
		/// The file was deleted, or its storage order failed.
		FileGone,
		/// The fragment was not confirmed yet: its storage order places it again.
		NotConfirmed,
		/// There is an order for the fragment already.
		OrderExists,
		/// The fragment's holder is neither the caller nor a restore target.
		NotRestoreTarget,
		/// There is no order for the fragment.
		OrderNotFound,
		/// Another miner works on the order until its deadline.
		AlreadyClaimed,
		/// The holder is no restore target any more: `tidy` removes the order.
		OrderVoid,
		/// The claimer holds this fragment: it cancels the order with a proof instead.
		OwnFragment,
		/// The claimer holds another fragment of the segment.
		HoldsSibling,
		/// The claimer claims a fragment of the segment already.
		ClaimsSibling,
		/// A claim of this miner in the segment expired or was given back: others come first for now.
		Banned,
		/// The miner has not claimed the order.
		NotClaimer,
		/// The claim has expired.
		DeadlinePassed,
		/// The fragment is part of a batch of the miner's: report that, or drop it by declaring
		/// nothing ready.
		InBatch,
		/// Only the fragment's holder can cancel the order.
		NotHolder,
		/// The proof's block is older than the order or than 16 blocks, or is yet to come.
		WrongBlock,
		/// A proof is wrong or missing.
		WrongProof,
		/// There are more proofs than were asked for.
		SurplusProofs,
		/// The batch is full of thin segments: a report could not carry all the proofs.
		TooThin,
		/// The miner has declared nothing ready.
		NoBatch,
		/// The seed of the batch is the beacon of the second block after it.
		SeedUnknown,
		/// The beacon of the batch is forgotten, which costs a fee: declare it ready again.
		BatchTooOld,
		/// What the miner holds does not count as present.
		NotServing,
		/// No claim has expired and the order is not void.
		NothingToTidy,
		/// The parameters are outside their bounds.
		UnsoundParams,
		/// The miner has declined this order.
		Declined,
		/// Too much turned absent lately: only what segments with little to spare have lost is
		/// restored.
		Braked,
		/// The segment is not lost.
		NotLost,
		/// The segment has not been lost for long enough.
		NotYetSettled,
		/// Money has moved for this segment already.
		AlreadySettled,
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Opens restore orders.
		///
		/// ## Dispatch origin
		/// The hot key or the stash of a miner.
		///
		/// ## Details
		/// An order for a fragment of the caller's own is unclaimed; where one is open because the
		/// caller leaves, it is no longer only a copy. An order for a fragment of a restore target
		/// is claimed by the caller at once, under the rules of `claim`; while the brake is
		/// engaged, not those of absent and expelled miners in segments that can spare more than
		/// [`BRAKED_SPARE`]. An item
		/// that fails leaves the others alone; if all fail, the call does with the first error.
		///
		/// ## Parameters
		/// - `fragments`: confirmed fragments of files that are neither deleted nor failed, without
		///   an order.
		#[pallet::call_index(0)]
		#[pallet::weight(Pallet::<T>::open_weight(fragments.len() as u32))]
		pub fn open(
			origin: OriginFor<T>,
			fragments: BoundedVec<FragmentId, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let miner = Self::ensure_miner(origin)?;
			let tally = Self::open_all(miner, &fragments)?;
			Ok(Some(Self::opened_weight(fragments.len() as u32, &tally)).into())
		}

		/// Claims restore orders, to be restored and reported within a claim period.
		///
		/// ## Dispatch origin
		/// The hot key or the stash of a miner that takes new data.
		///
		/// ## Details
		/// An order whose claim has expired is unclaimed; its claimer pays first. The bytes are
		/// reserved. An item that fails leaves the others alone; if all fail, the call does with
		/// the first error.
		///
		/// ## Parameters
		/// - `fragments`: fragments with an unclaimed order that the claimer has not declined, of
		///   segments of which it neither holds nor claims a fragment and from which it is not
		///   banned.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::claim(fragments.len() as u32))]
		pub fn claim(
			origin: OriginFor<T>,
			fragments: BoundedVec<FragmentId, T::MaxBatch>,
		) -> DispatchResult {
			let miner = Self::ensure_miner(origin)?;
			Self::claim_all(miner, &fragments)
		}

		/// Gives claims back, for others to take. It costs nothing but the fee.
		///
		/// ## Dispatch origin
		/// The hot key or the stash of the claimer.
		///
		/// ## Details
		/// The caller is banned from the segment, for the longer the longer it kept others away: for
		/// a ban period after a whole claim period, and for a share of it after less.
		///
		/// Not after the deadline. Not what is part of the claimer's batch: else one could leave
		/// out what the seed asks for. An item that fails leaves the others alone; if all fail,
		/// the call does with the first error.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::give_back(fragments.len() as u32))]
		pub fn give_back(
			origin: OriginFor<T>,
			fragments: BoundedVec<FragmentId, T::MaxBatch>,
		) -> DispatchResult {
			let miner = Self::ensure_miner(origin)?;
			Self::give_back_all(miner, &fragments)
		}

		/// Cancels an unclaimed order for a fragment the caller holds and has.
		///
		/// ## Dispatch origin
		/// The hot key or the stash of the fragment's holder.
		///
		/// ## Parameters
		/// - `at`: a block since the order was opened, at most 16 blocks old. Its beacon says which
		///   chunk is to be proven.
		/// - `proof`: the proof of that chunk.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::cancel())]
		pub fn cancel(
			origin: OriginFor<T>,
			fragment: FragmentId,
			at: u32,
			proof: FragmentProof,
		) -> DispatchResult {
			let miner = Self::ensure_miner(origin)?;
			Self::do_cancel(miner, fragment, at, &proof)
		}

		/// Declares claimed fragments restored and ready to be proven.
		///
		/// ## Dispatch origin
		/// Nobody, with the signature of the miner's hot key; or the miner's hot key or stash.
		///
		/// ## Details
		/// They are a batch from now on, to be proven by `report` while the beacon of the second
		/// block after this one is kept. A miner may have four batches that it has not reported: a
		/// fifth takes the place of the oldest, one of the same block that of the other, and any
		/// that of an oldest one whose beacon is forgotten. No items at all drop the oldest. A batch
		/// that is dropped though its seed is known, or forgotten by now, costs the fee for a wrong
		/// proof. Deadlines stay what they are.
		///
		/// ## Parameters
		/// - `anchor`: a block less than 64 blocks old, greater than that of the last such call.
		/// - `fragments`: fragments that the miner has claimed and whose deadline has not passed.
		/// - `signature`: of the anchor's hash, the miner and the fragments; none where the call
		///   is signed.
		#[pallet::call_index(4)]
		#[pallet::weight((
			Pallet::<T>::ready_weight(fragments.len() as u32)
				.saturating_add(T::DutyGate::enter_weight()),
			DispatchClass::Operational,
		))]
		#[pallet::weight_of_authorize(
			T::WeightInfo::authorize_ready()
				.saturating_add(T::DutyGate::authorize_weight(fragments.encoded_size() as u32))
		)]
		#[pallet::authorize(|_source, miner, anchor, fragments, signature| {
			Self::may_be_ready(*miner, fragments)?;
			T::DutyGate::authorize(DutyKind::Ready, *miner, *anchor, fragments, signature)
		})]
		pub fn ready(
			origin: OriginFor<T>,
			miner: MinerId,
			anchor: u32,
			fragments: ReadyFragments,
			signature: Option<hot_key::Signature>,
		) -> DispatchResultWithPostInfo {
			// Checked by `authorize`.
			let _ = signature;
			let entered = T::DutyGate::enter(origin, DutyKind::Ready, miner, anchor)?;
			let mut tally = Tally::default();
			Self::do_ready(miner, &fragments, &mut tally);
			let weight = Self::ready_of_pages(fragments.len() as u32, tally.pages());
			Ok(Some(weight.saturating_add(entered)).into())
		}

		/// Proves a sample of a batch of the miner's, which makes it the holder of all of it.
		///
		/// ## Dispatch origin
		/// Nobody, with the signature of the miner's hot key; or the miner's hot key or stash.
		///
		/// ## Details
		/// All or nothing as to the proofs: where one is wrong or missing, the batch is dropped,
		/// and each fragment not proven costs the fee for a wrong proof. One whose beacon is
		/// forgotten is dropped for one such fee. Where all are right, a fragment whose claim has
		/// expired or whose file is gone is left out.
		///
		/// ## Parameters
		/// - `anchor`: a block less than 64 blocks old, greater than that of the last such call.
		/// - `at`: the block in which the batch was declared ready.
		/// - `proofs`: of the chunks that the seed asks for, in the order of the batch. The proof
		///   of a fragment whose file is gone can be left out.
		/// - `signature`: of the anchor's hash, the miner, and `at` with the proofs; none where the
		///   call is signed.
		#[pallet::call_index(5)]
		#[pallet::weight((
			Pallet::<T>::report_weight(proofs.len() as u32)
				.saturating_add(T::DutyGate::enter_weight()),
			DispatchClass::Operational,
		))]
		#[pallet::weight_of_authorize(
			T::WeightInfo::authorize_report()
				.saturating_add(T::DutyGate::authorize_weight(
					(at, proofs).encoded_size() as u32,
				))
		)]
		#[pallet::authorize(|_source, miner, anchor, at, proofs, signature| {
			Self::may_report(*miner, *at, proofs)?;
			let items = (at, proofs);
			T::DutyGate::authorize(DutyKind::Report, *miner, *anchor, &items, signature)
		})]
		pub fn report(
			origin: OriginFor<T>,
			miner: MinerId,
			anchor: u32,
			at: u32,
			proofs: BoundedVec<FragmentProof, ConstU32<MAX_PROOFS>>,
			signature: Option<hot_key::Signature>,
		) -> DispatchResultWithPostInfo {
			// Checked by `authorize`.
			let _ = signature;
			let entered = T::DutyGate::enter(origin, DutyKind::Report, miner, anchor)?;
			let mut tally = Tally::default();
			let items = Self::do_report(miner, at, &proofs, &mut tally);
			let weight = Self::reported_weight(proofs.len() as u32, items, &tally);
			Ok(Some(weight.saturating_add(entered)).into())
		}

		/// Judges a segment anew: suspected lost, lost, or neither. One that was settled and found
		/// again is paid for again from now on, if its owner has the space by now.
		///
		/// ## Dispatch origin
		/// Any account. The fee is returned where this changes anything.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::check_segment())]
		pub fn check_segment(
			origin: OriginFor<T>,
			segment: SegmentId,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			ensure!(T::Fragments::get(segment).is_some(), Error::<T>::FragmentNotFound);
			let misjudged = Self::is_misjudged(segment);
			Self::evaluate(segment)?;
			let due = Self::pay_again(segment) || misjudged;
			Ok(if due { Pays::No } else { Pays::Yes }.into())
		}

		/// Does what the agenda has not: makes expired claims pay, and removes void orders.
		///
		/// ## Dispatch origin
		/// Any account. The fee is returned where there was something to tidy in all of them.
		///
		/// ## Details
		/// Fails only where there is nothing to tidy in any of them.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::tidy(fragments.len() as u32))]
		pub fn tidy(
			origin: OriginFor<T>,
			fragments: BoundedVec<FragmentId, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let failed = Cell::new(false);
			Self::first_error(&fragments, Self::do_tidy, |_, _| failed.set(true))?;
			Ok(if failed.get() { Pays::Yes } else { Pays::No }.into())
		}

		/// Sets the parameters.
		///
		/// ## Dispatch origin
		/// `AdminOrigin`.
		///
		/// ## Details
		/// Deadlines that are set stay what they are.
		#[pallet::call_index(8)]
		#[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
		pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(params.check(), Error::<T>::UnsoundParams);
			Parameters::<T>::put(params);
			Self::deposit_event(Event::ParamsSet { params });
			Ok(())
		}

		/// Gives claims back because what the others restore to is not the fragment that the file's
		/// id commits to. It costs nothing but the fee, and the caller cannot claim these orders
		/// again. From their segments it is banned as by `give_back`.
		///
		/// ## Dispatch origin
		/// The hot key or the stash of the claimer.
		///
		/// ## Details
		/// Once [`MAX_DECLINES`] miners have declined an order it is disputed: claims of it expire
		/// without a penalty, and no more declines are recorded. As with `give_back`, not after the
		/// deadline and not what is part of the claimer's batch. An item that fails leaves the
		/// others alone; if all fail, the call does with the first error.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::decline(fragments.len() as u32))]
		pub fn decline(
			origin: OriginFor<T>,
			fragments: BoundedVec<FragmentId, T::MaxBatch>,
		) -> DispatchResult {
			let miner = Self::ensure_miner(origin)?;
			Self::decline_all(miner, &fragments)
		}

		/// Moves money for a segment that has been lost for `loss_settlement` ticks.
		///
		/// ## Dispatch origin
		/// Any account. The fee is returned.
		///
		/// ## Details
		/// The owner of the file pays nothing more for the segment, and receives the collateral of the
		/// bytes of each fragment that is not present, from whoever should have it. The verdict stays
		/// reversible: when the segment is found again, it is paid for again if the owner has the
		/// space, and stays for nothing otherwise.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::settle_loss())]
		pub fn settle_loss(origin: OriginFor<T>, segment: SegmentId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_settle(segment)?;
			Ok(Pays::No.into())
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
			let mut own = WeightMeter::with_limit(T::AgendaWeight::get().min(meter.remaining()));
			Self::serve_agenda(&mut own);
			meter.consume(own.consumed());
		}

		fn integrity_test() {
			assert!(ParamsOf::<T>::default().check(), "the default parameters are unsound");
			assert!(T::MaxBatch::get() > 0 && T::MaxTasks::get() > 0);

			let one = T::WeightInfo::agenda_tick().saturating_add(Self::task_weight());
			assert!(one.all_lte(T::AgendaWeight::get()), "the agenda could never serve a task");

			let block = T::BlockWeights::get();
			let fits = |class, weight: Weight, what| {
				let limit = block.get(class).max_extrinsic.unwrap_or(block.max_block);
				assert!(weight.all_lte(limit), "{what} does not fit into a block");
			};
			let most = T::MaxBatch::get();
			let gate = T::DutyGate::enter_weight();
			fits(DispatchClass::Normal, Self::open_weight(most), "open");
			fits(DispatchClass::Normal, T::WeightInfo::claim(most), "claim");
			fits(DispatchClass::Normal, T::WeightInfo::tidy(most), "tidy");
			let ready = Self::ready_weight(MAX_READY).saturating_add(gate);
			fits(DispatchClass::Operational, ready, "ready");
			let report = Self::report_weight(MAX_PROOFS).saturating_add(gate);
			fits(DispatchClass::Operational, report, "report");

			// Length, version, extensions, indices, miner, anchor and signature take less than 1 KiB.
			let proofs = MAX_PROOFS as usize * (2 + FragmentProof::MAX_LEN);
			assert!(proofs <= 63 << 10, "a report is longer than 64 KiB");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}
}
