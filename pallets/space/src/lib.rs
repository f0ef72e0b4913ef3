// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Prepaid capacity: who has bought it, who may use it, and when it lapses.
//!
//! # Story
//!
//! Alice wants to store a TiB for a year. She [buys](Call::buy) **space**: so many bytes, for so
//! many ticks, at the price of the day. What she pays for it is paid in advance and is kept in the
//! pot ([`Pot`]). The bytes are *stored* bytes: a file coded three for one takes three times its size
//! of them.
//!
//! She pays for what she stores, not for what she has bought. From the tick in which a file is
//! ordered, until it is deleted or its order has failed, its bytes take what they cost out of her
//! payment, tick by tick. What she does not use is hers: it counts when she [renews](Call::renew) or
//! [grows](Call::grow), and what is left in the end returns.
//!
//! The price may change. What she has bought keeps the price she paid; what she adds has the price
//! of that day, and from then on she has the average.
//!
//! Bob runs a gateway, and stores files for Alice. She [authorises](Call::authorise) him as her
//! **operator**: up to so many bytes, until such a tick. What he orders in her name is hers. An
//! order of his that fails gives him back what he may still order, unless she has said anew what
//! that is since he made it; she may [revoke](Call::revoke) it all at any time.
//!
//! The year is nearly over, and Alice does not notice. For the last week, the **grace**, which she
//! has paid for as well, nothing new can be stored, and miners are paid as before. At its end her
//! space has **lapsed**. Nothing is paid for any more; her files are removed, one after another, and
//! when the last of them is gone so is her space. What was left and all deposits return to her.
//!
//! # The order of removal
//!
//! A lapsed space's files go in the order of the keys in which an owner's files are listed: by the
//! lowest byte of their indices, then by the next. In each step one file's removal begins; its
//! segments are removed as those of any deleted file. A file that is being removed already is passed
//! over.
//!
//! # Phases
//!
//! | [`Phase`] | ticks | new files | files stay | may be renewed |
//! |---|---|---|---|---|
//! | Open | up to `until - grace` | yes | yes | yes |
//! | Grace | up to `until` | no | yes | yes |
//! | Over | after | no | no | no |
//!
//! These follow from the record and the clock alone. The agenda only removes what is over;
//! [`tidy`](Call::tidy) does what it has not. As files that nobody pays for take their miners' room
//! until they are removed, the agenda is a [`Calendar`], which never drops a space: however many end
//! with a tick, it comes to each of them.
//!
//! # Properties
//!
//! `try_state` checks these:
//!
//! 1. *Within*: no more is reserved and used than was bought.
//! 2. *Paid*: what is left pays for every byte that was bought, up to the last tick. So whatever is
//!    stored is paid for as long as it stays.
//! 3. *Held*: what is held of an account is the deposit of its space and of its operators.
//! 4. *Listed*: every operator belongs to a space, which counts it; there are at most
//!    [`Config::MaxOperators`] of each.
//! 5. *Awaited*: the agenda has every space at the tick at which it looks at it. What else it has of
//!    an owner was for an earlier space, and comes to nothing.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

mod impls;

mod lapse;

pub mod weights;

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use pallet_planaria_support::Calendar;
#[cfg(doc)]
use pallet_planaria_support::Pot;

pub(crate) const LOG_TARGET: &str = "runtime::space";

/// The spaces to look at when a tick has come.
pub(crate) type AgendaOf<T> = Calendar<
	AgendaTasks<T>,
	AgendaPages<T>,
	AgendaNext<T>,
	<T as frame_system::Config>::AccountId,
	<T as Config>::TasksPerPage,
>;

// For the types that the storage macros write.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, MutateHold},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_planaria_support::{Clock, OnSpaceLapsed, Pot, whole};
	use planaria_primitives::Tick;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// What the runtime calls the reasons for holds.
		type RuntimeHoldReason: From<HoldReason>;

		/// What deposits are made in.
		type Currency: Inspect<Self::AccountId, Balance = u128>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The network's clock.
		type Clock: Clock;

		/// Keeps what is paid in advance.
		type Pot: Pot<Self::AccountId>;

		/// Removes the files of a lapsed space.
		type OnSpaceLapsed: OnSpaceLapsed<Self::AccountId>;

		/// Who may set the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// How many ticks an era lasts: what is paid for ends with one.
		#[pallet::constant]
		type Era: Get<Tick>;

		/// How many bytes one account may buy.
		#[pallet::constant]
		type MaxBytes: Get<u64>;

		/// How many operators one account may authorise.
		#[pallet::constant]
		type MaxOperators: Get<u32>;

		/// How many spaces a page of the agenda has at most. A tick has as many pages as it takes.
		#[pallet::constant]
		type TasksPerPage: Get<u32>;

		/// What the agenda may use of a block at most.
		#[pallet::constant]
		type AgendaWeight: Get<Weight>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;

		/// Sets up what the benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: benchmarking::BenchmarkHelper<Self::AccountId>;
	}

	/// What each account has bought.
	// Blake2_128Concat, here and below: anybody can grind an account.
	#[pallet::storage]
	pub type Spaces<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Space, OptionQuery>;

	/// Who may order storage on whose behalf: the operator by the owner.
	#[pallet::storage]
	pub type Operators<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Blake2_128Concat,
		T::AccountId,
		Operator,
		OptionQuery,
	>;

	/// What can be tuned.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

	/// The spaces to look at, by the tick and the number of the page.
	#[pallet::storage]
	pub type AgendaTasks<T: Config> =
		StorageMap<_, Identity, (Tick, u32), BoundedVec<T::AccountId, T::TasksPerPage>, ValueQuery>;

	/// The numbers of the first page that is left of a tick and of its last one, where these are not
	/// both zero.
	#[pallet::storage]
	pub type AgendaPages<T> = StorageMap<_, Identity, Tick, (u32, u32), ValueQuery>;

	/// The first tick that may still have some.
	#[pallet::storage]
	pub type AgendaNext<T> = StorageValue<_, Tick, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The parameters.
		pub params: Params,
		/// Who has bought how many bytes, for how many ticks, before the network began.
		pub spaces: Vec<(T::AccountId, u64, Tick)>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.params.check(), "the parameters of space are unsound");
			Parameters::<T>::put(self.params);
			for (owner, bytes, ticks) in &self.spaces {
				Pallet::<T>::do_buy(owner, *bytes, *ticks)
					.expect("the owner can pay for its space");
			}
		}
	}

	/// Why something is held of an account.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The price of the records of a space and its operators, returned with them.
		#[codec(index = 0)]
		Deposit,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An account has bought space.
		Bought {
			/// The account.
			owner: T::AccountId,
			/// How many bytes.
			bytes: u64,
			/// The last tick that is paid for.
			until: Tick,
			/// What it paid.
			paid: u128,
		},
		/// A space has more bytes than before.
		Grown {
			/// Whose.
			owner: T::AccountId,
			/// How many bytes it has now.
			bytes: u64,
			/// What was paid for it.
			paid: u128,
		},
		/// A space lasts longer than before.
		Renewed {
			/// Whose.
			owner: T::AccountId,
			/// The last tick that is paid for now.
			until: Tick,
			/// What was paid for it.
			paid: u128,
		},
		/// An operator may order storage on an account's behalf.
		Authorised {
			/// The account.
			owner: T::AccountId,
			/// The operator.
			operator: T::AccountId,
			/// Up to so many bytes.
			bytes: u64,
			/// Up to and including this tick.
			until: Tick,
		},
		/// An operator may no longer.
		Revoked {
			/// Whose it was.
			owner: T::AccountId,
			/// The operator.
			operator: T::AccountId,
		},
		/// Nothing new can be stored in a space; what is stored stays until then, if it is not renewed.
		GraceBegan {
			/// Whose.
			owner: T::AccountId,
			/// The last tick that is paid for.
			until: Tick,
		},
		/// Nothing is paid for any more of what an account has stored: the removal of its files began.
		Lapsed {
			/// The account.
			owner: T::AccountId,
		},
		/// A space is gone.
		Closed {
			/// Whose it was.
			owner: T::AccountId,
			/// What was left of the payments, and returned.
			returned: u128,
		},
		/// The parameters were set.
		ParamsSet {
			/// What they were before.
			old: Params,
			/// What they are now.
			new: Params,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// This account has space already: let it grow, or renew it.
		AlreadyBought,
		/// This account has bought no space, or it has lapsed.
		NoSpace,
		/// Fewer bytes are not sold.
		TooFewBytes,
		/// More bytes are not sold to one account.
		TooManyBytes,
		/// Less time is not sold than the grace takes.
		TooShort,
		/// More time is not sold ahead.
		TooLong,
		/// The grace has begun: renew the space first.
		InGrace,
		/// The space has lapsed. Buy space again when its files are removed.
		HasLapsed,
		/// The space has less room than that: let it grow.
		OutOfSpace,
		/// The owner has not authorised this account to order in its name.
		NotAuthorised,
		/// The operator's authorisation is over.
		AuthorisationOver,
		/// The operator may not order so much.
		OverLimit,
		/// An account needs no authorisation for itself.
		OwnOperator,
		/// The owner has authorised as many operators as it may.
		TooManyOperators,
		/// Something is stored, or being stored, in the space.
		StillUsed,
		/// The space has not lapsed, or is not there.
		NothingToTidy,
		/// The amount is higher than any.
		Overflow,
		/// The parameters do not fit each other.
		InvalidParams,
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What is left of what an account paid, in the token's smallest parts.
		pub fn left(owner: T::AccountId) -> u128 {
			let now = T::Clock::now();
			Spaces::<T>::get(owner).map_or(0, |space| whole(space.left_at(now)))
		}

		/// What so many bytes cost for so many ticks at the price of now, in the token's smallest
		/// parts, before the time is rounded up to an era; `None` where no amount is that high.
		pub fn quote(bytes: u64, ticks: Tick) -> Option<u128> {
			cost(bytes, ticks, Parameters::<T>::get().price).map(Self::rounded_up)
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
			assert!(Params::default().check(), "the default parameters are unsound");
			assert!(T::Era::get() > 0 && T::TasksPerPage::get() > 0 && T::MaxOperators::get() > 0);
			assert!(T::MaxBytes::get() <= 1 << 50, "an amount could be higher than any");

			let one = T::WeightInfo::agenda_page().saturating_add(Self::task_weight());
			assert!(one.all_lte(T::AgendaWeight::get()), "the agenda could never remove a space");
			let weights = T::BlockWeights::get();
			let class = weights.get(DispatchClass::Normal);
			let limit = class.max_extrinsic.unwrap_or(weights.max_block);
			assert!(Self::tidy_weight().all_lte(limit), "a tidy does not fit into a block");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(T::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Buys space, and pays for it.
		///
		/// ## Dispatch Origin
		///
		/// Signed by an account that has none.
		///
		/// ## Details
		///
		/// The time is rounded up to the end of an era. The grace comes out of it. A deposit is held
		/// until the space is gone.
		///
		/// ## Parameters
		///
		/// - `bytes`: stored bytes, at least `min_bytes`, at most [`Config::MaxBytes`],
		/// - `ticks`: for how long, more than `grace`, at most `max_ticks`.
		///
		/// ## Events
		///
		/// [`Event::Bought`].
		#[pallet::call_index(0)]
		#[pallet::weight(Pallet::<T>::buy_weight())]
		pub fn buy(origin: OriginFor<T>, bytes: u64, ticks: Tick) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_buy(&owner, bytes, ticks)
		}

		/// Adds bytes to a space, for as long as it lasts. What is left over pays first.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the owner of a space whose grace has not begun.
		///
		/// ## Events
		///
		/// [`Event::Grown`].
		#[pallet::call_index(1)]
		pub fn grow(origin: OriginFor<T>, bytes: u64) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_grow(&owner, bytes)
		}

		/// Adds time to a space, for all of its bytes. What is left over pays first.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the owner of a space that has not lapsed.
		///
		/// ## Details
		///
		/// The new end is rounded up to that of an era.
		///
		/// ## Events
		///
		/// [`Event::Renewed`].
		#[pallet::call_index(2)]
		pub fn renew(origin: OriginFor<T>, ticks: Tick) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_renew(&owner, ticks)
		}

		/// Lets an operator order storage in the owner's name and delete what it has ordered, or says
		/// anew how much and how long.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the owner of a space.
		///
		/// ## Parameters
		///
		/// - `bytes`: how many stored bytes it may order from now on, whatever it has ordered before (in
		///   the same tick, too) and whatever of that fails;
		/// - `until`: the last tick at which it may.
		///
		/// ## Events
		///
		/// [`Event::Authorised`].
		#[pallet::call_index(3)]
		pub fn authorise(
			origin: OriginFor<T>,
			operator: T::AccountId,
			bytes: u64,
			until: Tick,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_authorise(owner, operator, bytes, until)
		}

		/// Lets an operator order and delete nothing more. What it has ordered stays.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the owner.
		///
		/// ## Events
		///
		/// [`Event::Revoked`].
		#[pallet::call_index(4)]
		pub fn revoke(origin: OriginFor<T>, operator: T::AccountId) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_revoke(owner, operator)
		}

		/// Gives back a space in which nothing is stored. What is left returns, as do all deposits.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the owner.
		///
		/// ## Events
		///
		/// [`Event::Closed`].
		#[pallet::call_index(5)]
		pub fn close(origin: OriginFor<T>) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_close(&owner)
		}

		/// Removes what the agenda has not of a lapsed space: begins the removal of some of its files,
		/// and when there are none any more, removes the space.
		///
		/// ## Dispatch Origin
		///
		/// Anyone.
		///
		/// ## Events
		///
		/// [`Event::Lapsed`] with the first step, [`Event::Closed`] with the last.
		#[pallet::call_index(6)]
		#[pallet::weight(Pallet::<T>::tidy_weight())]
		pub fn tidy(origin: OriginFor<T>, owner: T::AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_tidy(&owner)
		}

		/// Sets the parameters. What was bought keeps its price; a changed grace begins sooner or
		/// later for every space.
		///
		/// ## Dispatch Origin
		///
		/// [`Config::AdminOrigin`].
		///
		/// ## Events
		///
		/// [`Event::ParamsSet`].
		#[pallet::call_index(7)]
		pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(params.check(), Error::<T>::InvalidParams);
			let old = Parameters::<T>::mutate(|now| core::mem::replace(now, params));
			Self::deposit_event(Event::ParamsSet { old, new: params });
			Ok(())
		}
	}
}
