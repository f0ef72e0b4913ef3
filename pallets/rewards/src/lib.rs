// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The pot, what it pays to those who store, and bounties.
//!
//! # Story
//!
//! Alice has bought space and paid for it in advance. What she paid is in the **pot**. As long as
//! she stores nothing, nothing happens to it. From the moment she orders the storage of a file it
//! **flows**: in every tick, for every byte, the price she paid. It flows to the miners, to each by
//! the bytes it holds and the ticks it holds them.
//!
//! Bob's miner holds some of these bytes. Nobody sends him anything: what he has earned grows with
//! every tick, and when it is worth a transaction, anyone [claims](Pallet::claim) it for him. Then
//! his miner is absent for a day. What flows for the bytes he holds is *unearned* for that day:
//! neither he gets it nor anybody else, and anyone may [burn](Pallet::burn) it. His rivals gain
//! nothing by cutting his cable.
//!
//! Bob's disk fails, and he opens restore orders for what was on it. For each of them a **bounty**
//! is taken from his collateral. Carol restores a fragment, proves it, and is paid a half. The other
//! half she gets a week later, if she still has the fragment then. Had Bob only left, he would have
//! paid half as much, as copying is less work than restoring.
//!
//! # The flow
//!
//! Money here is counted in [`Grains`], of which the token's smallest part has 2^40: where a TiB
//! costs `price` parts for a tick, a byte costs `price` grains. So whatever is stored for however
//! long costs a whole number of grains, and nothing is ever rounded but payments in and out.
//!
//! One record, [`Flow`], knows what flows from all payers together, and what a byte has earned since
//! the beginning. A miner's earnings are what it held times what a byte earned meanwhile; they are
//! brought up to date whenever what it holds changes, and whenever it claims. So nothing here loops
//! over miners, payers or files. What ends, ends with an **era**, a short span of ticks: at most one
//! value is read for each era that passed.
//!
//! # Why nobody gains
//!
//! - *By failing.* A miner that does not have a fragment pays the whole bounty for it, and earns
//!   nothing with it from then on. The bounty comes out of its collateral, never out of the pot.
//! - *By restoring one's own failures.* Whoever holds a fragment with one miner and restores it with
//!   another pays the bounty with the left hand and gets it with the right one: half at once, half
//!   after `bounty_hold`. Together they never get more than they paid, and they pay the fees.
//! - *By leaving to an own second miner.* The same, with half the bounty.
//! - *By being first.* Of a restored fragment that is restored again within `bounty_hold` the second
//!   half is forfeited: whoever claims what it cannot keep loses half, and pays the next one.
//! - *By attacking others.* A byte earns the same whoever else is absent. A bounty is the price of
//!   the work to restore, and a miner that comes back before anybody has done it has its bounties
//!   back.
//! - *By deleting.* When a file goes before a fragment was restored, whoever said or showed that it
//!   did not have it, was expelled, or was away when the segment was lost, does not have the bounty
//!   back, nor has anybody else: an owner cannot save a bad holder its bounty, nor live on it.
//! - *By losing what is one's own.* When a segment is lost for good, whoever did not have a fragment
//!   of it pays the collateral of its bytes to the owner of the file. An owner who holds it all pays
//!   itself.
//! - *By many identities.* Everything here is counted by bytes and fragments, nothing by miners.
//!
//! # Properties
//!
//! `try_state` checks these:
//!
//! 1. *Funded*: the pot's account has what was prepaid, earned, unearned and is kept for bounties,
//!    and what it needs to exist.
//! 2. *Flowing*: what flows now is what ends later, and suffices until then.
//! 3. *Summed*: the bytes held and earning, and what was earned, are the sums over all miners.
//! 4. *Pledged*: what is kept for bounties is the sum of all bounties and second halves.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

mod flow;

mod bounties;

#[cfg(feature = "runtime-benchmarks")]
pub(crate) use bounties::Due;

pub mod weights;

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use pallet_planaria_support::Agenda;
#[cfg(doc)]
use pallet_planaria_support::Grains;

pub(crate) const LOG_TARGET: &str = "runtime::rewards";

/// The second halves of bounties, by when they are due.
pub(crate) type AgendaOf<T> =
	Agenda<AgendaTasks<T>, AgendaNext<T>, planaria_primitives::FragmentId, <T as Config>::MaxTasks>;

// For the types that the storage macros write.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		PalletId,
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, Mutate},
			tokens::Preservation,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_planaria_support::{Clock, Collateral, MinerDirectory, whole};
	use planaria_primitives::{FragmentId, MinerId, Tick};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// What is paid in.
		type Currency: Mutate<Self::AccountId> + Inspect<Self::AccountId, Balance = u128>;

		/// The network's clock.
		type Clock: Clock;

		/// Who the miners are.
		type Directory: MinerDirectory<Self::AccountId>;

		/// What bounties are paid from.
		type Collateral: Collateral<Self::AccountId, u128>;

		/// Who may set the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The pot's account.
		#[pallet::constant]
		type PotId: Get<PalletId>;

		/// How many ticks an era lasts. What is paid for ends with one.
		#[pallet::constant]
		type Era: Get<Tick>;

		/// How many second halves of bounties are due at one tick at most; further ones come at one of
		/// the next.
		#[pallet::constant]
		type MaxTasks: Get<u32>;

		/// What the agenda may use of a block at most.
		#[pallet::constant]
		type AgendaWeight: Get<Weight>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;

		/// Sets up what the benchmarks need of other pallets.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: benchmarking::BenchmarkHelper;
	}

	/// What flows, and whose it is.
	#[pallet::storage]
	pub type Flows<T> = StorageValue<_, Flow, ValueQuery>;

	/// What ends with a tick, the last one of an era.
	// Identity, here and below: the chain assigns these keys.
	#[pallet::storage]
	pub type Endings<T> = StorageMap<_, Identity, Tick, Ending, OptionQuery>;

	/// What each miner holds and has earned. One without a record holds nothing.
	#[pallet::storage]
	pub type Accounts<T> = StorageMap<_, Identity, MinerId, Earnings, OptionQuery>;

	/// The bounties of open restore orders, and the second halves of those of fragments that were
	/// restored lately.
	#[pallet::storage]
	pub type Pledges<T> = StorageMap<_, Identity, FragmentId, Pledge, OptionQuery>;

	/// All of them together.
	#[pallet::storage]
	pub type Pledged<T> = StorageValue<_, u128, ValueQuery>;

	/// What can be tuned.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

	/// The fragments whose second halves are due, by tick.
	#[pallet::storage]
	pub type AgendaTasks<T: Config> =
		StorageMap<_, Identity, Tick, BoundedVec<FragmentId, T::MaxTasks>, ValueQuery>;

	/// The first tick that may still have some.
	#[pallet::storage]
	pub type AgendaNext<T> = StorageValue<_, Tick, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The parameters.
		pub params: Params,
		#[serde(skip)]
		#[allow(missing_docs)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				Pallet::<T>::is_covered(&self.params),
				"the collateral of a fragment does not pay for its bounty"
			);
			Parameters::<T>::put(self.params);
			// What the pot needs to exist, beside all that is paid into it.
			let least = T::Currency::minimum_balance();
			T::Currency::mint_into(&Pallet::<T>::pot(), least)
				.expect("the pot takes what it needs");
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A miner was paid what it earned.
		Claimed {
			/// The miner.
			miner: MinerId,
			/// Who received it.
			payee: T::AccountId,
			/// How much.
			amount: u128,
		},
		/// A miner departed, and what it earned could not be paid: it is nobody's.
		Abandoned {
			/// The miner.
			miner: MinerId,
			/// How much.
			amount: u128,
		},
		/// What nobody has earned was burnt.
		Burnt {
			/// How much.
			amount: u128,
		},
		/// A bounty was taken from a miner's collateral for a fragment it does not have, or from whom
		/// it moves away.
		BountyTaken {
			/// The fragment.
			fragment: FragmentId,
			/// The miner.
			holder: MinerId,
			/// How much: less than the bounty where there was not more.
			amount: u128,
		},
		/// The first half of a bounty was paid, or the second one.
		BountyPaid {
			/// The fragment.
			fragment: FragmentId,
			/// Who restored it.
			miner: MinerId,
			/// Who received it.
			payee: T::AccountId,
			/// How much.
			amount: u128,
		},
		/// Nobody receives this part of a bounty: who restored the fragment did not keep it, is not
		/// there any more, or cannot receive it. Or its file went first: then `miner` is who paid, and
		/// did not have it.
		BountyForfeited {
			/// The fragment.
			fragment: FragmentId,
			/// Whose it would have been, or was.
			miner: MinerId,
			/// How much.
			amount: u128,
		},
		/// Nothing was to be restored: a bounty went back to the collateral it came from.
		BountyReturned {
			/// The fragment.
			fragment: FragmentId,
			/// Who had paid it.
			holder: MinerId,
			/// How much.
			amount: u128,
		},
		/// A segment is lost: a bounty that nobody has earned went to the owner of the file.
		Compensated {
			/// The fragment.
			fragment: FragmentId,
			/// Who had paid it.
			holder: MinerId,
			/// Who received it.
			to: T::AccountId,
			/// How much.
			amount: u128,
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
		/// There is no such miner, or it has departed and was paid.
		UnknownMiner,
		/// There is less than one part of the token to pay or to burn.
		NothingThere,
		/// There is no second half of a bounty for this fragment, or it is not due yet.
		NotDue,
		/// The collateral that a fragment requires would not pay for its bounty.
		NotCovered,
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What a miner could claim now, in the token's smallest parts.
		pub fn claimable(miner: MinerId) -> u128 {
			let per_byte = Self::flow_now().per_byte;
			let account = Accounts::<T>::get(miner).map(|mut account| {
				account.update(per_byte);
				account.grains
			});
			whole(account.unwrap_or_default())
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			// So that nothing else has to go through many eras.
			let era = T::Era::get().max(1);
			if T::Clock::now() / era > Flows::<T>::get().at / era {
				Flows::<T>::put(Self::flowed());
			}
			T::WeightInfo::on_initialize()
		}

		fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
			let mut own = WeightMeter::with_limit(T::AgendaWeight::get().min(meter.remaining()));
			Self::serve_agenda(&mut own);
			meter.consume(own.consumed());
		}

		fn integrity_test() {
			assert!(T::Era::get() > 0 && T::MaxTasks::get() > 0, "a bound is zero");
			let one = T::WeightInfo::agenda_tick().saturating_add(T::WeightInfo::agenda_tasks(1));
			assert!(one.all_lte(T::AgendaWeight::get()), "the agenda could never serve a task");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(T::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Pays a miner's payee what the miner has earned.
		///
		/// ## Dispatch Origin
		///
		/// Anyone.
		///
		/// ## Events
		///
		/// [`Event::Claimed`].
		#[pallet::call_index(0)]
		pub fn claim(origin: OriginFor<T>, miner: MinerId) -> DispatchResult {
			ensure_signed(origin)?;
			let payee = T::Directory::get(miner).ok_or(Error::<T>::UnknownMiner)?.payee;
			let mut flow = Self::flowed();
			let mut account = Accounts::<T>::get(miner).ok_or(Error::<T>::NothingThere)?;
			account.update(flow.per_byte);
			let amount = whole(account.grains);
			ensure!(amount > 0, Error::<T>::NothingThere);
			Self::pay_earned(&payee, amount, &mut account, &mut flow)?;
			Self::put_account(miner, account);
			Flows::<T>::put(flow);
			Self::deposit_event(Event::Claimed { miner, payee, amount });
			Ok(())
		}

		/// Pays the second half of a bounty that is due and that the agenda has not paid.
		///
		/// ## Dispatch Origin
		///
		/// Anyone.
		///
		/// ## Events
		///
		/// [`Event::BountyPaid`], or [`Event::BountyForfeited`] where nobody can receive it.
		#[pallet::call_index(1)]
		pub fn collect(origin: OriginFor<T>, fragment: FragmentId) -> DispatchResult {
			ensure_signed(origin)?;
			let kept = Self::take_due(fragment).ok_or(Error::<T>::NotDue)?;
			Self::pay_parts(kept.miner, &[(fragment, kept.amount)]);
			Ok(())
		}

		/// Burns what nobody has earned.
		///
		/// ## Dispatch Origin
		///
		/// Anyone.
		///
		/// ## Events
		///
		/// [`Event::Burnt`].
		#[pallet::call_index(2)]
		pub fn burn(origin: OriginFor<T>) -> DispatchResult {
			ensure_signed(origin)?;
			let mut flow = Self::flowed();
			let amount = whole(flow.unearned);
			ensure!(amount > 0, Error::<T>::NothingThere);
			Self::burn_unearned(amount, &mut flow)?;
			Flows::<T>::put(flow);
			Self::deposit_event(Event::Burnt { amount });
			Ok(())
		}

		/// Sets the parameters. Bounties that were taken stay what they are.
		///
		/// ## Dispatch Origin
		///
		/// [`Config::AdminOrigin`].
		///
		/// ## Errors
		///
		/// [`Error::NotCovered`] where the collateral that the bytes of a whole fragment require is
		/// less than its bounty.
		///
		/// ## Events
		///
		/// [`Event::ParamsSet`].
		#[pallet::call_index(3)]
		pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(Self::is_covered(&params), Error::<T>::NotCovered);
			let old = Parameters::<T>::mutate(|now| core::mem::replace(now, params));
			Self::deposit_event(Event::ParamsSet { old, new: params });
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// Moves money out of the pot, which stays alive.
		pub(crate) fn transfer(to: &T::AccountId, amount: u128) -> DispatchResult {
			frame_support::storage::with_storage_layer(|| {
				T::Currency::transfer(&Self::pot(), to, amount, Preservation::Preserve).map(drop)
			})
		}
	}
}
