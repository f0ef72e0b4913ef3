// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who stores the network's data: registry, capacity, collateral, standing, and the duty gate.
//!
//! # Story
//!
//! Alice has a disk to spare. From her **stash**, an account whose key she keeps offline, she
//! registers a **miner**: with the **hot key** that signs for her node, the **endpoint** where
//! fragments are put and fetched, the bytes she offers, the account that shall be paid, and
//! **collateral**, which is put on hold. Both keys have signed that they agree, so nobody registers
//! the keys of somebody else. Her miner is *Serving*.
//!
//! Files are placed with her: bytes are *reserved*, and become *held* as her node confirms them.
//! With every byte the collateral that is required rises. Once it would exceed what she has put on
//! hold she gets nothing new, which is called *frozen*, until she tops up.
//!
//! Her node does what the chain asks of it with **duty calls**: free of charge, as the chain has
//! asked. Each of them shows that she is there. If it has nothing else to do for half an hour, it
//! sends [`alive`](Pallet::alive).
//!
//! One day lightning strikes. After two hours without a duty anyone may
//! [`mark_absent`](Pallet::mark_absent) her miner: what it holds does not count as present any
//! more, and others may restore it. On the second day Alice has a new power supply, her node sends
//! a duty, and all is as before. Had she stayed away for three days more, anyone could have
//! [expelled](Pallet::expel_absent) her miner, and there would have been no way back.
//!
//! A miner that is there and does not do what it should is a matter for
//! [`Discipline`](support::Discipline): other pallets have it suspended, marked absent or expelled.
//!
//! Bob's data centre burns, and with it a fifth of the network. That is not the time to throw
//! miners out: when many turn absent at once, the **brake** holds the expulsions up until most of
//! them are back, or until it has waited as long as for any single one of them.
//!
//! Years later Alice wants her disk back. She [exits](Pallet::exit): her miner is *Leaving*, still
//! serves and is still paid, and others take its data over. When nothing is left, anyone
//! [finishes](Pallet::finish) the matter, the chain announces that the miner has disconnected, and
//! after a cooldown, in which she can still be held to account for what comes to light late, she
//! [withdraws](Pallet::withdraw) her collateral. The record is gone, and its keys may be used again.
//!
//! What was placed with her miner and never confirmed does not keep it: whoever placed it may never
//! send it. It goes with the miner, and is to be placed elsewhere.
//!
//! # Standing
//!
//! | [`Standing`] | gets data | is moved away from | counts as present | until |
//! |---|---|---|---|---|
//! | Serving | yes | no | yes | `exit`, `mark_absent` |
//! | Suspended | no | no | yes | audits pass, `exit`, `mark_absent` |
//! | Absent | no | yes | no | a duty, `exit`, `expel_absent` |
//! | Leaving | no | yes | yes | `finish`, `mark_absent` |
//! | Leaving, expelled | no | yes | no | `finish`; a duty, if it is only absent |
//!
//! A miner that fails audits while it leaves is shown as *Leaving*, but is suspended all the same: it
//! is not paid until it passes them again.
//!
//! A miner that leaves and is absent at the same time is shown as *expelled*, as that is what it
//! means for its data, but comes back to *Leaving* with its next duty. One that was suspended when
//! it turned absent is suspended when it comes back: staying away heals nothing.
//!
//! # Duties
//!
//! A duty call is signed by the hot key over
//! [`signed_bytes`](planaria_primitives::duty::signed_bytes): a domain, the hash of the block it is
//! anchored to, the miner, the kind and the items. So it means one thing on one chain and one fork;
//! as the anchor must be younger than
//! [`MAX_ANCHOR_AGE`](planaria_primitives::duty::MAX_ANCHOR_AGE) blocks and greater than the
//! miner's last of this kind, it means it once. The gate ([`DutyGate`](support::DutyGate)) reads a
//! constant number of values, checks the signature last, and puts `(miner, kind, anchor)` into the
//! pool as what the call provides, so that of two calls for one anchor only one gets in. The same
//! calls may be signed by the hot key's account or the stash and paid for: no anchor is used then.
//!
//! # Properties
//!
//! - *Found*: stash, hot key and endpoint key of every miner lead to it, each belongs to one miner
//!   only, and nothing leads to a miner that is gone.
//! - *Backed*: what is recorded as collateral is on hold in the stash.
//! - *Counted*: held and reserved bytes never exceed what is offered, and the sum of held bytes is
//!   that of all miners. Nothing is taken off a ledger that is not there.
//! - *Once*: an id is never reused, no duty is accepted twice, no collateral withdrawn twice.
//! - *Reversible*: absence ends with the next duty, whatever standing it hides.
//! - *Braked*: while holders of more than `brake_share` of all bytes turned absent within
//!   `brake_window` and are still away, nobody is expelled. The miners that this was found of, and
//!   all that turn absent later, hold the expulsions up until no more than that share is away, for
//!   `absent_max` ticks at most.
//! - *Told*: at every moment [`OnEarningChange`](support::OnEarningChange) has heard what each miner
//!   holds, and whether it earns with it.
//! - *Constant*: every call reads and writes a bounded number of values, however much a miner holds.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub use impls::refusal;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod types;

mod impls;

mod checks;

pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::traits::fungible;
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_planaria_support as support;
use planaria_primitives::MinerId;
use sp_runtime::AccountId32;
pub use support::Standing;

/// The target of this pallet's log.
pub const LOG_TARGET: &str = "runtime::miners";

/// The items of a duty call may take this many bytes.
pub const MAX_DUTY_BYTES: u32 = 64 * 1024;

/// The balance of the currency that collateral is held in.
pub type BalanceOf<T> = <<T as Config>::Currency as fungible::Inspect<AccountId32>>::Balance;

/// A miner's record.
pub type MinerOf<T> = Miner<AccountId32, BalanceOf<T>>;

/// The parameters.
pub type ParamsOf<T> = Params<BalanceOf<T>>;

// For the types that the storage macros write.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		dispatch::{DispatchClass, DispatchResultWithPostInfo, Pays},
		pallet_prelude::*,
		traits::{
			fungible::{Mutate, hold, hold::Mutate as _},
			tokens::Precision,
		},
	};
	use frame_system::pallet_prelude::*;
	use planaria_primitives::{
		Tick,
		duty::{DutyKind, MAX_ANCHOR_AGE},
	};
	use sp_core::{ed25519, sr25519};
	use sp_runtime::{Saturating, traits::UniqueSaturatedInto};
	use support::{
		Clock, DutyGate, EarningChange, OnDeparture, OnEarningChange, Purpose, StandingPage,
		hot_key,
	};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config:
		frame_system::Config<
			AccountId = AccountId32,
			Hash = sp_core::H256,
			RuntimeEvent: From<Event<Self>>,
		>
	{
		/// What the runtime calls the reasons for holds.
		type RuntimeHoldReason: From<HoldReason>;

		/// The currency that collateral is held in.
		type Currency: Mutate<AccountId32>
			+ hold::Mutate<AccountId32, Reason = Self::RuntimeHoldReason>;

		/// The network's clock.
		type Clock: Clock;

		/// Told when what a miner is paid for changes.
		type OnEarningChange: OnEarningChange<AccountId32>;

		/// Who may set the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Told when a miner has departed.
		type OnDeparture: OnDeparture;

		/// How many bytes one miner may offer.
		#[pallet::constant]
		type MaxDeclared: Get<u64>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;

		/// Sets the clock in benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: benchmarking::BenchmarkHelper;
	}

	/// The miners, from registration until their collateral is withdrawn.
	// Identity: ids are assigned one after the other.
	#[pallet::storage]
	pub type Miners<T: Config> = StorageMap<_, Identity, MinerId, MinerOf<T>>;

	/// How the miners are seen, by `id / 1024`: the byte with number `id % 1024` is 0 for a miner that
	/// is not registered or has departed, 1 for one that serves, 2 suspended, 3 absent, 4 leaving, 5
	/// expelled.
	// Follows from `Miners`. Apart from it, as judging a segment reads that of many miners.
	#[pallet::storage]
	pub type Standings<T: Config> = StorageMap<_, Identity, u32, StandingPage, ValueQuery>;

	/// What each miner holds, and when it was last seen, until it has departed.
	// Kept apart from `Miners`, as it changes with every fragment and every duty.
	#[pallet::storage]
	pub type Loads<T: Config> = StorageMap<_, Identity, MinerId, MinerLoad>;

	/// The miner whose stash or hot key an account is.
	// Blake2_128Concat: anyone can make keys.
	#[pallet::storage]
	pub type ByAccount<T: Config> = StorageMap<_, Blake2_128Concat, AccountId32, MinerId>;

	/// The miner whose endpoint has this key.
	#[pallet::storage]
	pub type ByEndpoint<T: Config> = StorageMap<_, Blake2_128Concat, [u8; 32], MinerId>;

	/// The id of the next miner.
	#[pallet::storage]
	pub type NextMiner<T> = StorageValue<_, MinerId, ValueQuery>;

	/// How many miners are registered and have not departed.
	#[pallet::storage]
	pub type Registered<T> = StorageValue<_, u32, ValueQuery>;

	/// The bytes held by all miners together.
	#[pallet::storage]
	pub type HeldBytes<T> = StorageValue<_, u64, ValueQuery>;

	/// How many bytes turned absent lately.
	#[pallet::storage]
	pub type BrakeState<T> = StorageValue<_, Brake, ValueQuery>;

	/// The outage that the brake was last engaged by.
	#[pallet::storage]
	pub type OutageState<T> = StorageValue<_, Outage>;

	/// The numbers the rules turn on.
	#[pallet::storage]
	pub type Parameters<T: Config> = StorageValue<_, ParamsOf<T>, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The parameters.
		pub params: ParamsOf<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.params.check().is_ok(), "the parameters of the miners are not sane");
			Parameters::<T>::put(&self.params);
		}
	}

	/// Why funds are on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A miner's collateral. It is released when the miner has left and the cooldown is over,
		/// and what is not required may be withdrawn while it serves.
		#[codec(index = 0)]
		Collateral,
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A miner was registered.
		Registered {
			/// Its id.
			miner: MinerId,
			/// The account that owns its collateral.
			stash: AccountId32,
		},
		/// A miner is reached elsewhere, or under another key.
		EndpointSet {
			/// Which one.
			miner: MinerId,
			/// The key of its endpoint.
			key: [u8; 32],
		},
		/// A miner's duties are signed with another key.
		HotKeySet {
			/// Which one.
			miner: MinerId,
			/// The new key.
			hot_key: sr25519::Public,
		},
		/// A miner's earnings go to another account.
		PayeeSet {
			/// Which one.
			miner: MinerId,
			/// The new payee.
			payee: AccountId32,
		},
		/// A miner offers more or less than before.
		DeclaredSet {
			/// Which one.
			miner: MinerId,
			/// The bytes it offered before.
			old_bytes: u64,
			/// The bytes it offers now.
			new_bytes: u64,
		},
		/// Collateral was added.
		CollateralAdded {
			/// Whose.
			miner: MinerId,
			/// How much was added.
			amount: BalanceOf<T>,
		},
		/// Collateral was released to the stash.
		CollateralReleased {
			/// Whose.
			miner: MinerId,
			/// How much was released.
			amount: BalanceOf<T>,
		},
		/// Collateral was taken.
		CollateralTaken {
			/// Whose.
			miner: MinerId,
			/// Who received it; nobody where it was burnt.
			to: Option<AccountId32>,
			/// How much was taken.
			amount: BalanceOf<T>,
		},
		/// A miner sent a wrong proof; the fee was burnt from its collateral.
		WrongProofCharged {
			/// Which one.
			miner: MinerId,
			/// How much was burnt: the fee, or what was left.
			amount: BalanceOf<T>,
		},
		/// A miner was not seen for too long: its data may be restored by others.
		BecameAbsent {
			/// Which one.
			miner: MinerId,
		},
		/// A miner that was absent is there again.
		Returned {
			/// Which one.
			miner: MinerId,
		},
		/// A miner leaves: its data is to be taken over by others.
		LeaveStarted {
			/// Which one.
			miner: MinerId,
			/// Whether it was expelled.
			expelled: bool,
		},
		/// A miner that was leaving holds nothing any more, and has departed.
		Disconnected {
			/// Which one.
			miner: MinerId,
			/// From this tick on its collateral is free.
			free_at: Tick,
		},
		/// The parameters were set.
		ParamsSet {
			/// What they are now.
			params: ParamsOf<T>,
		},
		/// A miner failed audits: it gets no new data and no rewards.
		Suspended {
			/// Which one.
			miner: MinerId,
		},
		/// A miner that was suspended is not any more.
		Reinstated {
			/// Which one.
			miner: MinerId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no such miner.
		UnknownMiner,
		/// Only the miner's stash may do this.
		NotStash,
		/// Only the miner's stash or hot key may do this.
		NotYours,
		/// This account is already a miner's stash or hot key.
		AlreadyRegistered,
		/// This key already belongs to a miner, or is the stash itself. Make a new one.
		KeyInUse,
		/// This endpoint already belongs to a miner. Make a new endpoint key.
		EndpointInUse,
		/// The key has not signed the registration by this stash on this chain.
		BadProof,
		/// An address is empty, or is not printable ASCII without spaces.
		InvalidAddress,
		/// More bytes are offered than one miner may.
		TooLarge,
		/// Fewer bytes are offered than are in use. Exit to have data moved away.
		BelowUsed,
		/// There are as many miners as there can ever be.
		TooManyMiners,
		/// The collateral would be less than what is required.
		TooLittleCollateral,
		/// The miner leaves: its collateral stays until it has departed.
		IsLeaving,
		/// The miner has departed.
		HasDeparted,
		/// The miner is not leaving.
		NotLeaving,
		/// Data is still to be moved away, or restored.
		NotIdle,
		/// The miner has departed, and the cooldown is not over yet.
		CoolingDown,
		/// The miner has not departed.
		NotDeparted,
		/// The miner does not take data.
		NotServing,
		/// The miner has no room for this.
		NoRoom,
		/// The miner's collateral is not enough for this. Top up.
		Frozen,
		/// The miner has claimed as many restore orders as it may.
		TooManyClaims,
		/// The duty's anchor is too old, in the future, or not greater than the last one.
		BadAnchor,
		/// The miner was seen lately.
		SeenLately,
		/// The miner is already absent, or expelled.
		AlreadyAbsent,
		/// The miner is not absent, or not for long enough.
		NotAbsent,
		/// Too much data turned absent lately: nobody is expelled now.
		BrakeEngaged,
		/// The parameters do not fit each other.
		InvalidParams,
		/// The miner is suspended already.
		AlreadySuspended,
		/// The miner is not suspended.
		NotSuspended,
		/// The miner is expelled already.
		AlreadyExpelled,
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The collateral that is required of a miner now.
		pub fn required_collateral(miner: MinerId) -> BalanceOf<T> {
			<Self as support::Collateral<AccountId32, BalanceOf<T>>>::required(miner)
		}

		/// How many bytes could be placed with a miner now, as far as its offer goes; nothing where
		/// it takes no data.
		pub fn room(miner: MinerId) -> u64 {
			let (Some(record), Some(load)) = (Miners::<T>::get(miner), Loads::<T>::get(miner))
			else {
				return 0;
			};
			if !record.standing().is_some_and(Standing::takes_data) {
				return 0;
			}
			Self::room_of(&record, &load, &Parameters::<T>::get(), Purpose::Placement)
		}

		/// Whether so much data turned absent lately that nobody is expelled, and only what is
		/// close to being lost should be restored.
		pub fn brake_engaged() -> bool {
			let (now, params, all) =
				(T::Clock::now(), Parameters::<T>::get(), HeldBytes::<T>::get());
			let lately = BrakeState::<T>::get().bytes(now, params.brake_window);
			params.is_too_much(lately, all)
				|| OutageState::<T>::get().is_some_and(|outage| outage.lasts(now, &params, all))
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(ParamsOf::<T>::default().check().is_ok(), "the default parameters are sane");
			assert!(MinerLoad::max_encoded_len() <= 64, "a load is at most 64 bytes");
			assert!(T::MaxDeclared::get() > 0, "a miner must be able to offer something");
			let hashes: u32 = T::BlockHashCount::get().unique_saturated_into();
			assert!(hashes >= MAX_ANCHOR_AGE, "the hash of every anchor must be known");

			let duty = T::WeightInfo::authorize_duty(MAX_DUTY_BYTES)
				.saturating_add(T::WeightInfo::enter_duty());
			let class = T::BlockWeights::get();
			let class = class.get(DispatchClass::Operational);
			assert!(class.max_total.is_none_or(|max| duty.all_lte(max)), "a duty fits in a block");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(T::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Registers a miner. The signer becomes its stash.
		///
		/// ## Parameters
		///
		/// - `hot_key`, `endpoint.key`: used by no other miner,
		/// - `hot_proof`, `endpoint_proof`: their signatures over
		///   [`registration_bytes`](planaria_primitives::duty::registration_bytes) of this chain's
		///   genesis hash and the stash,
		/// - `declared`: the bytes offered, at most [`Config::MaxDeclared`],
		/// - `payee`: receives what the miner earns,
		/// - `collateral`: put on hold; at least the base collateral.
		///
		/// ## Events
		///
		/// [`Event::Registered`].
		#[pallet::call_index(0)]
		#[allow(clippy::too_many_arguments)]
		pub fn register(
			origin: OriginFor<T>,
			hot_key: sr25519::Public,
			hot_proof: sr25519::Signature,
			endpoint: Endpoint,
			endpoint_proof: ed25519::Signature,
			declared: u64,
			payee: AccountId32,
			collateral: BalanceOf<T>,
		) -> DispatchResult {
			let stash = ensure_signed(origin)?;
			ensure!(!ByAccount::<T>::contains_key(&stash), Error::<T>::AlreadyRegistered);
			ensure!(declared <= T::MaxDeclared::get(), Error::<T>::TooLarge);
			let base = Parameters::<T>::get().required(0);
			ensure!(collateral >= base, Error::<T>::TooLittleCollateral);
			Self::ensure_hot_key(&stash, &hot_key, &hot_proof)?;
			Self::ensure_endpoint(None, &stash, &endpoint, &endpoint_proof)?;

			let id = NextMiner::<T>::get();
			ensure!(id != MinerId::NOBODY, Error::<T>::TooManyMiners);
			NextMiner::<T>::put(MinerId(id.0.saturating_add(1)));
			T::Currency::hold(&HoldReason::Collateral.into(), &stash, collateral)?;
			Registered::<T>::mutate(|count| *count = count.saturating_add(1));

			let now = T::Clock::now();
			ByAccount::<T>::insert(&stash, id);
			ByAccount::<T>::insert(AccountId32::from(hot_key), id);
			ByEndpoint::<T>::insert(endpoint.key, id);
			Loads::<T>::insert(id, MinerLoad { last_seen: now, ..Default::default() });
			let record = MinerV0 {
				stash: stash.clone(),
				payee,
				hot_key,
				endpoint,
				declared,
				collateral,
				registered: now,
				phase: Phase::Active { suspended: false },
				absence: None,
				since: now,
			};
			Self::note_standing(id, Some(Standing::Serving));
			Miners::<T>::insert(id, Miner::V0(record));
			Self::deposit_event(Event::Registered { miner: id, stash });
			Ok(())
		}

		/// Changes where the miner's fragments are put and fetched.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash or hot key, so that the node itself can follow a change of address.
		///
		/// ## Parameters
		///
		/// - `proof`: the endpoint key's signature as in [`Pallet::register`], also where only the
		///   addresses change.
		///
		/// ## Events
		///
		/// [`Event::EndpointSet`].
		#[pallet::call_index(1)]
		pub fn set_endpoint(
			origin: OriginFor<T>,
			endpoint: Endpoint,
			proof: ed25519::Signature,
		) -> DispatchResult {
			let (id, mut record) = Self::ensure_own(origin)?;
			Self::ensure_endpoint(Some(id), &record.stash, &endpoint, &proof)?;

			let key = endpoint.key;
			ByEndpoint::<T>::remove(record.endpoint.key);
			ByEndpoint::<T>::insert(key, id);
			record.endpoint = endpoint;
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::EndpointSet { miner: id, key });
			Ok(())
		}

		/// Changes the key that signs the miner's duties.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash.
		///
		/// ## Parameters
		///
		/// - `proof`: the new key's signature as in [`Pallet::register`].
		///
		/// ## Events
		///
		/// [`Event::HotKeySet`].
		#[pallet::call_index(2)]
		pub fn set_hot_key(
			origin: OriginFor<T>,
			hot_key: sr25519::Public,
			proof: sr25519::Signature,
		) -> DispatchResult {
			let (id, mut record) = Self::ensure_stash(origin)?;
			Self::ensure_hot_key(&record.stash, &hot_key, &proof)?;

			ByAccount::<T>::remove(AccountId32::from(record.hot_key));
			ByAccount::<T>::insert(AccountId32::from(hot_key), id);
			record.hot_key = hot_key;
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::HotKeySet { miner: id, hot_key });
			Ok(())
		}

		/// Changes who receives what the miner earns.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash.
		///
		/// ## Events
		///
		/// [`Event::PayeeSet`].
		#[pallet::call_index(3)]
		pub fn set_payee(origin: OriginFor<T>, payee: AccountId32) -> DispatchResult {
			let (id, mut record) = Self::ensure_stash(origin)?;
			record.payee = payee.clone();
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::PayeeSet { miner: id, payee });
			Ok(())
		}

		/// Changes how many bytes the miner offers, those in use included.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash or hot key.
		///
		/// ## Events
		///
		/// [`Event::DeclaredSet`].
		#[pallet::call_index(4)]
		pub fn set_declared(origin: OriginFor<T>, bytes: u64) -> DispatchResult {
			let (id, mut record) = Self::ensure_own(origin)?;
			ensure!(bytes <= T::MaxDeclared::get(), Error::<T>::TooLarge);
			let used = Loads::<T>::get(id).map_or(0, |load| load.used());
			ensure!(bytes >= used, Error::<T>::BelowUsed);

			let old_bytes = core::mem::replace(&mut record.declared, bytes);
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::DeclaredSet { miner: id, old_bytes, new_bytes: bytes });
			Ok(())
		}

		/// Adds collateral.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash.
		///
		/// ## Events
		///
		/// [`Event::CollateralAdded`].
		#[pallet::call_index(5)]
		pub fn top_up(
			origin: OriginFor<T>,
			#[pallet::compact] amount: BalanceOf<T>,
		) -> DispatchResult {
			let (id, mut record) = Self::ensure_stash(origin)?;
			T::Currency::hold(&HoldReason::Collateral.into(), &record.stash, amount)?;
			record.collateral = record.collateral.saturating_add(amount);
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::CollateralAdded { miner: id, amount });
			Ok(())
		}

		/// Withdraws collateral that is not required; or all of it, once the miner has departed and
		/// the cooldown is over. `amount` does not matter then, and the record is removed.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash.
		///
		/// ## Events
		///
		/// [`Event::CollateralReleased`].
		#[pallet::call_index(6)]
		pub fn withdraw(
			origin: OriginFor<T>,
			#[pallet::compact] amount: BalanceOf<T>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let id = ByAccount::<T>::get(&who).ok_or(Error::<T>::UnknownMiner)?;
			let mut record = Miners::<T>::get(id).ok_or(Error::<T>::UnknownMiner)?;
			ensure!(record.stash == who, Error::<T>::NotStash);
			match record.phase {
				Phase::Departed { .. } => return Self::remove(id, record),
				Phase::Leaving { .. } | Phase::Expelled => return Err(Error::<T>::IsLeaving.into()),
				Phase::Active { .. } => (),
			}
			let left = record.collateral.checked_sub(&amount);
			let left = left.ok_or(Error::<T>::TooLittleCollateral)?;
			ensure!(left >= Self::required_collateral(id), Error::<T>::TooLittleCollateral);

			let reason = HoldReason::Collateral.into();
			T::Currency::release(&reason, &record.stash, amount, Precision::Exact)?;
			record.collateral = left;
			Miners::<T>::insert(id, record);
			Self::deposit_event(Event::CollateralReleased { miner: id, amount });
			Ok(())
		}

		/// Begins to leave. There is no way back: the miner gets no new data, and others take over
		/// what it holds. It goes on serving, and being paid, until nothing is left.
		///
		/// ## Dispatch Origin
		///
		/// The miner's stash.
		///
		/// ## Events
		///
		/// [`Event::LeaveStarted`].
		#[pallet::call_index(7)]
		pub fn exit(origin: OriginFor<T>) -> DispatchResult {
			let (id, mut record) = Self::ensure_stash(origin)?;
			let Phase::Active { suspended } = record.phase else {
				return Err(Error::<T>::IsLeaving.into());
			};
			record.phase = Phase::Leaving { suspended };
			record.since = T::Clock::now();
			Self::restand(id, record);
			Self::deposit_event(Event::LeaveStarted { miner: id, expelled: false });
			Ok(())
		}

		/// Lets a leaving miner go that holds nothing any more, and has claimed nothing. The cooldown
		/// of its collateral begins.
		///
		/// What is placed with it and not confirmed does not keep it, and can not be confirmed any more:
		/// it is to be placed with another miner.
		///
		/// ## Dispatch Origin
		///
		/// Anyone. The fee is returned.
		///
		/// ## Events
		///
		/// [`Event::Disconnected`].
		#[pallet::call_index(8)]
		pub fn finish(origin: OriginFor<T>, miner: MinerId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let mut record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
			Self::may_finish(miner, &record)?;

			let now = T::Clock::now();
			let free_at = now.saturating_add(Parameters::<T>::get().cooldown);
			record.phase = Phase::Departed { free_at };
			Self::end_absence(&mut record);
			record.since = now;
			let payee = record.payee.clone();
			Miners::<T>::insert(miner, record);
			Self::note_standing(miner, None);
			Loads::<T>::remove(miner);
			T::OnEarningChange::on_earning_change(miner, EarningChange::Departed { payee });
			Registered::<T>::mutate(|count| *count = count.saturating_sub(1));
			T::OnDeparture::on_departure(miner);
			Self::deposit_event(Event::Disconnected { miner, free_at });
			Ok(Pays::No.into())
		}

		/// Says that the miner is there. A duty, whose items are `()`: it covers no further bytes.
		///
		/// It is due when the miner was not seen for `alive_every` ticks, and free of charge from
		/// half of that on. An absent miner returns with it.
		///
		/// ## Dispatch Origin
		///
		/// Nobody, with the hot key's `signature`; or the miner's stash or hot key.
		///
		/// ## Events
		///
		/// [`Event::Returned`] if the miner was absent.
		#[pallet::call_index(9)]
		#[pallet::weight((T::WeightInfo::alive(), DispatchClass::Operational))]
		#[pallet::weight_of_authorize(T::WeightInfo::authorize_duty(0))]
		#[pallet::authorize(|_source, miner, anchor, signature| {
			Pallet::<T>::authorize_alive(*miner, *anchor, signature)
		})]
		pub fn alive(
			origin: OriginFor<T>,
			miner: MinerId,
			anchor: u32,
			signature: Option<hot_key::Signature>,
		) -> DispatchResultWithPostInfo {
			// Checked before it got here, if the call was authorised.
			let _ = signature;
			let entered = Self::enter(origin, DutyKind::Alive, miner, anchor)?;
			Ok(Some(Self::alive_weight(entered)).into())
		}

		/// Notes that a miner was not seen for more than `absent_after` ticks. Its data may be
		/// restored by others until its next duty.
		///
		/// ## Dispatch Origin
		///
		/// Anyone. The fee is returned.
		///
		/// ## Events
		///
		/// [`Event::BecameAbsent`].
		#[pallet::call_index(10)]
		pub fn mark_absent(origin: OriginFor<T>, miner: MinerId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
			let load = Loads::<T>::get(miner).ok_or(Error::<T>::HasDeparted)?;
			Self::may_mark_absent(&record, &load)?;
			Self::set_absent(miner, record, &load);
			Ok(Pays::No.into())
		}

		/// Expels a miner that has been absent for more than `absent_max` ticks, unless so much
		/// turned absent lately that the brake is engaged.
		///
		/// ## Dispatch Origin
		///
		/// Anyone. The fee is returned.
		///
		/// ## Events
		///
		/// [`Event::LeaveStarted`].
		#[pallet::call_index(11)]
		pub fn expel_absent(origin: OriginFor<T>, miner: MinerId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
			Self::may_expel_absent(&record)?;
			Self::set_expelled(miner, record);
			Ok(Pays::No.into())
		}

		/// Releases the collateral of a miner that has departed to its stash, and removes the
		/// record, once the cooldown is over.
		///
		/// ## Dispatch Origin
		///
		/// Anyone. The fee is returned.
		///
		/// ## Events
		///
		/// [`Event::CollateralReleased`].
		#[pallet::call_index(12)]
		pub fn tidy(origin: OriginFor<T>, miner: MinerId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
			Self::remove(miner, record)?;
			Ok(Pays::No.into())
		}

		/// Sets the parameters. A changed brake window lets the brake count anew.
		///
		/// ## Dispatch Origin
		///
		/// [`Config::AdminOrigin`].
		///
		/// ## Events
		///
		/// [`Event::ParamsSet`].
		#[pallet::call_index(13)]
		pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			params.check().map_err(|_| Error::<T>::InvalidParams)?;
			let window = params.brake_window;
			if window != Parameters::<T>::get().brake_window {
				BrakeState::<T>::put(Brake::new(T::Clock::now(), window));
				OutageState::<T>::kill();
			}
			Parameters::<T>::put(&params);
			Self::deposit_event(Event::ParamsSet { params });
			Ok(())
		}
	}
}
