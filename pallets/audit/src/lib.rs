// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The census of what is stored, challenges, and what failing them leads to.
//!
//! # Story
//!
//! Alice stores forty thousand fragments. Some ten times an hour the chain **draws** one of the
//! bytes that all miners store, finds that it lies in a fragment of hers, and **challenges** her:
//! show the chunk of 1 KiB around a place that nobody knew before. Her node reads the fragment and
//! **answers** with the chunk and the path from it to the file's id. The chain checks the proof
//! against those 32 bytes. Nobody has to be believed: not Alice, nor whoever wrote the file, nor a
//! trusted machine.
//!
//! Bob has thrown away a tenth of what he is paid for. One challenge in ten finds him without the
//! chunk, and its deadline passes. The chain opens a restore order for that fragment at once, and
//! Bob has a **strike**: he is **warned**. With the second strike he is **suspended**: he gets no
//! new data and no rewards. The third one is **slashed** from his collateral, the fourth twice as
//! much, the fifth three times; with the sixth he is **expelled**, and what he still holds is moved
//! to others.
//!
//! Carol's house has no power for an hour. She fails four challenges, and that is one strike: all
//! failures in one **window** count once. Two days later she passes a challenge, and it is forgiven.
//! Had she been away for longer, she would have been absent, which has rules of its own: who is
//! absent is not challenged.
//!
//! Dave wants to know whether Bob really has fragment 7 of his file. He **names** it and leaves a
//! deposit. If Bob answers, the deposit is Bob's, for his trouble; if not, Dave has it back, with a
//! reward from Bob's collateral, and the fragment is being restored within half an hour.
//!
//! # Rules
//!
//! - Every confirmed segment stands in the census with the bytes of all its fragments, from its
//!   last confirmation until its removal. A draw is uniform over those bytes, whatever was deleted.
//! - The number of draws follows from the bytes stored and `bytes_per_draw`. There is one round of
//!   draws per tick, so none while the network is not well.
//! - Of each batch that a miner confirms, one fragment is challenged two blocks later.
//! - A draw comes to nothing where the fragment is under restoration, its file is being removed, its
//!   holder is absent or expelled, or has [`MAX_OPEN`] challenges to answer.
//! - What is drawn follows from the beacon of the block of the draw; what somebody names, and what a
//!   miner confirms, is drawn by the beacon of the second block after that, which nobody knew.
//! - Who opens a restore order for a fragment after it was challenged has failed all the same: to
//!   admit what one is found out about is no merit.
//! - A challenge **lapses**, and nobody gains or loses by it, where the file is gone, the fragment
//!   has another holder, or its holder is absent or expelled when the deadline has passed.
//! - A wrong proof costs the fee for one, and the challenge stays open until its deadline.
//! - Only draws heal: who could be healed by naming its own fragments would name those it has.
//! - The reward is paid once per strike: who fails, and names what it fails with another account,
//!   loses more by the strikes than it could draw out of its collateral in this way.
//!
//! # Properties
//!
//! `try_state` checks these, with the same names:
//!
//! - *census*: a segment's bytes in the census are those of its fragments, all of them confirmed;
//!   every node is the sum of what is below it, and none is empty.
//! - *records*: a miner's record counts its open challenges and what was named of it; there is none
//!   with nothing in it.
//! - *deposits*: what is held of an account is the sum of its deposits in challenges and requests.
//! - *requests*: they are numbered without a gap.
//! - *agenda*: no task is left behind a tick that was served.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use census::{FANOUT, Node, PAGE, Page, Run, Total};
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

mod census;

mod draws;

mod ladder;

mod impls;

pub mod weights;

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::traits::{Get, fungible::Inspect};
use pallet_planaria_support::Agenda;

/// The balance of the currency that deposits and collateral are in.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// The parameters with the runtime's balance.
pub type ParamsOf<T> = Params<BalanceOf<T>>;

/// A challenge with the runtime's types.
pub type ChallengeOf<T> = Challenge<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

/// Who named a fragment, with the runtime's types.
pub type ChallengerOf<T> = Challenger<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

/// A request with the runtime's types.
pub type RequestOf<T> = Request<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

/// The tasks of this pallet.
pub(crate) type AgendaOf<T> = Agenda<AgendaTasks<T>, AgendaNext<T>, Task, <T as Config>::MaxTasks>;

// What the macro makes has no `Debug`; the lists of the calls are bounded.
#[allow(missing_debug_implementations, clippy::cast_possible_truncation)]
#[frame_support::pallet]
pub mod pallet {
	// The prelude has a trait of the same name.
	use super::Task;
	use super::*;
	use core::cell::Cell;
	use frame_support::{
		dispatch::DispatchResultWithPostInfo,
		pallet_prelude::*,
		traits::fungible::{Mutate, MutateHold},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_planaria_support::{
		Clock, Collateral, Discipline, DutyGate, Fragments, MinerDirectory, OpenOrder, hot_key,
	};
	use planaria_primitives::{FragmentId, FragmentProof, MinerId, Tick, duty::DutyKind};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// What the runtime calls the reasons for holds.
		type RuntimeHoldReason: From<HoldReason>;

		/// What deposits are made in, and collateral is in.
		type Currency: Mutate<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// Time and randomness.
		type Clock: Clock;

		/// Who the miners are.
		type Directory: MinerDirectory<Self::AccountId>;

		/// What slashes and rewards are paid from.
		type Collateral: Collateral<Self::AccountId, BalanceOf<Self>>;

		/// Suspends, reinstates and expels miners.
		type Discipline: Discipline;

		/// Lets duties in.
		type DutyGate: DutyGate<Self::RuntimeOrigin>;

		/// What is stored.
		type Fragments: Fragments;

		/// Has what failed a challenge restored.
		type OpenOrder: OpenOrder;

		/// Who may set the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// How many bytes are drawn per tick at most, and how many requests are served.
		#[pallet::constant]
		type MaxDraws: Get<u32>;

		/// How many tasks a tick of the agenda has at most.
		#[pallet::constant]
		type MaxTasks: Get<u32>;

		/// What draws and agenda together may use of a block at most.
		#[pallet::constant]
		type AgendaWeight: Get<Weight>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;

		/// Sets up what the benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// The census by pages of 512 segment ids. Pages without a segment are not stored.
	// Identity, here and below: these numbers follow from ids that the chain assigns.
	#[pallet::storage]
	pub type Pages<T> = StorageMap<_, Identity, u64, Page, ValueQuery>;

	/// The tree above the pages: the bytes below each child of a node, by level and number. The
	/// children of level 1 are pages. Nodes without a byte are not stored.
	#[pallet::storage]
	pub type Nodes<T> = StorageDoubleMap<_, Identity, u8, Identity, u64, Node, ValueQuery>;

	/// The height of that tree, and the bytes of all segments in the census.
	#[pallet::storage]
	pub type Census<T> = StorageValue<_, Total, ValueQuery>;

	/// The challenges that are neither answered nor failed, by the miner that is challenged.
	#[pallet::storage]
	pub type Challenges<T: Config> =
		StorageDoubleMap<_, Identity, MinerId, Identity, FragmentId, ChallengeOf<T>, OptionQuery>;

	/// What each miner's audits have come to.
	#[pallet::storage]
	pub type Records<T> = StorageMap<_, Identity, MinerId, Record, ValueQuery>;

	/// What is to be challenged, in the order of the requests.
	#[pallet::storage]
	pub type Requests<T: Config> = StorageMap<_, Identity, u64, RequestOf<T>, OptionQuery>;

	/// The number of the first request, and that of the next one to be made.
	#[pallet::storage]
	pub type RequestRange<T> = StorageValue<_, (u64, u64), ValueQuery>;

	/// The tick of the last round of draws.
	#[pallet::storage]
	pub type LastRound<T> = StorageValue<_, Tick, ValueQuery>;

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
			assert!(self.params.check(), "the parameters of audit are unsound");
			Parameters::<T>::put(self.params);
		}
	}

	/// Why something is held of an account.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposit for a named challenge. It is returned where the miner fails or the challenge
		/// lapses, and is the miner's where it passes.
		#[codec(index = 0)]
		ChallengeDeposit,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// Somebody named a fragment; it is challenged two blocks later.
		Named {
			/// The fragment.
			fragment: FragmentId,
			/// Its holder.
			miner: MinerId,
			/// Who named it.
			by: T::AccountId,
		},
		/// A miner is to show a chunk of a fragment it holds.
		Challenged {
			/// The miner.
			miner: MinerId,
			/// The fragment.
			fragment: FragmentId,
			/// The chunk.
			chunk: u32,
			/// The last tick it can be answered at.
			deadline: Tick,
		},
		/// A miner answered challenges.
		Answered {
			/// The miner.
			miner: MinerId,
			/// How many.
			count: u32,
		},
		/// A miner did not show what it was asked for in time.
		Failed {
			/// The miner.
			miner: MinerId,
			/// The fragment.
			fragment: FragmentId,
		},
		/// A challenge came to nothing: the fragment's file is gone, it has another holder, or its
		/// holder is away.
		Lapsed {
			/// The miner.
			miner: MinerId,
			/// The fragment.
			fragment: FragmentId,
		},
		/// A miner failed for the first time in a window.
		Struck {
			/// The miner.
			miner: MinerId,
			/// How many strikes it has now.
			strikes: u8,
			/// What it has come to.
			level: Level,
			/// What was taken from its collateral for it.
			slashed: BalanceOf<T>,
		},
		/// A miner passed a challenge long enough after it last failed: a strike is forgiven.
		Healed {
			/// The miner.
			miner: MinerId,
			/// How many strikes it has left.
			strikes: u8,
		},
		/// The deposit for a named fragment went to the miner that passed.
		DepositPaid {
			/// Who named the fragment.
			by: T::AccountId,
			/// The miner.
			miner: MinerId,
			/// The amount.
			amount: BalanceOf<T>,
		},
		/// The deposit for a named fragment went back.
		DepositReturned {
			/// Who named the fragment.
			by: T::AccountId,
			/// The amount.
			amount: BalanceOf<T>,
			/// What the miner that failed paid on top.
			reward: BalanceOf<T>,
		},
		/// One item of a call failed, the others did not.
		ItemFailed {
			/// The miner.
			miner: MinerId,
			/// The position of the item in the call.
			index: u32,
			/// Why.
			error: DispatchError,
		},
		/// The parameters were set.
		ParamsSet {
			/// What they are now.
			params: ParamsOf<T>,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no such fragment.
		FragmentNotFound,
		/// The file was deleted, or its storage order failed.
		FileGone,
		/// The fragment was not confirmed yet: nobody claims to have it.
		NotConfirmed,
		/// The fragment is under restoration.
		BeingRestored,
		/// Nobody that serves holds the fragment.
		HolderAway,
		/// The fragment is challenged already.
		AlreadyChallenged,
		/// So many fragments of this miner were named that it should answer those first.
		TooManyNamed,
		/// So many requests wait that this one cannot be taken: try again later.
		TooManyRequests,
		/// No challenge was named.
		NothingToTidy,
		/// There is no such challenge: it was answered, has failed or lapsed, or never was.
		NotChallenged,
		/// The challenge's deadline has passed.
		DeadlinePassed,
		/// The fragment has another holder now.
		NotHolder,
		/// The proof does not show the chunk that was asked for.
		WrongProof,
		/// The challenge can still be answered.
		NotOverdue,
		/// The parameters are outside their bounds.
		UnsoundParams,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
			let mut own = WeightMeter::with_limit(T::AgendaWeight::get().min(meter.remaining()));
			Self::draw_round(&mut own);
			Self::serve_agenda(&mut own);
			meter.consume(own.consumed());
		}

		fn integrity_test() {
			assert!(ParamsOf::<T>::default().check(), "the default parameters are unsound");
			assert!(T::MaxDraws::get() > 0 && T::MaxTasks::get() > 0);

			let draws = T::WeightInfo::draw().saturating_mul(u64::from(T::MaxDraws::get()) * 2);
			let round = T::WeightInfo::round().saturating_add(draws);
			let task = T::WeightInfo::agenda_tick().saturating_add(Self::close_weight());
			assert!(
				round.saturating_add(task).all_lte(T::AgendaWeight::get()),
				"a full round of draws leaves no room for a task"
			);

			let block = T::BlockWeights::get();
			let fits = |class, weight: Weight, what| {
				let limit = block.get(class).max_extrinsic.unwrap_or(block.max_block);
				assert!(weight.all_lte(limit), "{what} does not fit into a block");
			};
			let answer =
				T::WeightInfo::answer(MAX_ANSWERS).saturating_add(T::DutyGate::enter_weight());
			fits(DispatchClass::Operational, answer, "answer");
			fits(DispatchClass::Normal, Self::tidy_weight(MAX_OPEN), "tidy");

			// Length, version, extensions, indices, miner, anchor and signature take less than 1 KiB.
			let item = FragmentId::max_encoded_len() + 2 + FragmentProof::MAX_LEN;
			assert!(MAX_ANSWERS as usize * item <= 63 << 10, "an answer is longer than 64 KiB");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Has a fragment challenged.
		///
		/// ## Dispatch origin
		/// Any account. The deposit is held of it.
		///
		/// ## Details
		/// The chunk is drawn two blocks later. If the fragment's holder fails, the deposit is
		/// returned, with a reward from the holder's collateral where that is its first failure in
		/// a window, and the fragment is to be restored; if it passes, the deposit goes to its
		/// payee. Where the challenge comes to nothing, the deposit is returned.
		///
		/// ## Parameters
		/// - `fragment`: confirmed, of a file that is neither deleted nor failed, not under
		///   restoration, at a miner that serves.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::challenge())]
		pub fn challenge(origin: OriginFor<T>, fragment: FragmentId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_challenge(who, fragment)
		}

		/// Answers challenges.
		///
		/// ## Dispatch origin
		/// Nobody, with the signature of the miner's hot key; or the miner's hot key or stash.
		///
		/// ## Details
		/// Each answer is looked at for itself. One that is refused is reported; where its proof
		/// is wrong, that costs the fee for a wrong proof, and the challenge can still be answered.
		///
		/// ## Parameters
		/// - `anchor`: a block less than 64 blocks old, greater than that of the last such call.
		/// - `answers`: to open challenges of the miner; their `fragment`s and the proofs of the
		///   chunks that were asked for.
		/// - `signature`: of the anchor's hash, the miner and the answers; none where the call is
		///   signed.
		#[pallet::call_index(1)]
		#[pallet::weight((
			T::WeightInfo::answer(answers.len() as u32)
				.saturating_add(T::DutyGate::enter_weight()),
			DispatchClass::Operational,
		))]
		#[pallet::weight_of_authorize(
			T::WeightInfo::authorize_answer()
				.saturating_add(T::DutyGate::authorize_weight(answers.encoded_size() as u32))
		)]
		#[pallet::authorize(|_source, miner, anchor, answers, signature| {
			Self::may_answer(*miner, answers)?;
			T::DutyGate::authorize(DutyKind::Answer, *miner, *anchor, answers, signature)
		})]
		pub fn answer(
			origin: OriginFor<T>,
			miner: MinerId,
			anchor: u32,
			answers: BoundedVec<Answer, ConstU32<MAX_ANSWERS>>,
			signature: Option<hot_key::Signature>,
		) -> DispatchResultWithPostInfo {
			// Checked by `authorize`.
			let _ = signature;
			let entered = T::DutyGate::enter(origin, DutyKind::Answer, miner, anchor)?;
			let weight = T::WeightInfo::answer(answers.len() as u32).saturating_add(entered);
			Self::do_answer(miner, &answers);
			Ok(Some(weight).into())
		}

		/// Does what the agenda has not: has overdue challenges fail, or lapse.
		///
		/// ## Dispatch origin
		/// Any account. The fee is returned where all of them were overdue.
		///
		/// ## Details
		/// Fails only where there was nothing to do.
		///
		/// ## Parameters
		/// - `fragments`: fragments for which the miner is challenged.
		#[pallet::call_index(2)]
		#[pallet::weight(Pallet::<T>::tidy_weight(fragments.len() as u32))]
		pub fn tidy(
			origin: OriginFor<T>,
			miner: MinerId,
			fragments: BoundedVec<FragmentId, ConstU32<MAX_OPEN>>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let failed = Cell::new(false);
			Self::do_tidy(miner, &fragments, || failed.set(true))?;
			Ok(if failed.get() { Pays::Yes } else { Pays::No }.into())
		}

		/// Sets the parameters.
		///
		/// ## Dispatch origin
		/// `AdminOrigin`.
		///
		/// ## Details
		/// Deadlines that are set and deposits that are held stay what they are.
		#[pallet::call_index(3)]
		#[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
		pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(params.check(), Error::<T>::UnsoundParams);
			Parameters::<T>::put(params);
			Self::deposit_event(Event::ParamsSet { params });
			Ok(())
		}
	}
}
