// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the pallet does for others: the directory, the ledger, the collateral and the duty gate.

use crate::*;
use alloc::{collections::BTreeMap, vec::Vec};
use codec::Encode;
use frame_support::{
	defensive, ensure,
	pallet_prelude::{
		DispatchResult, InvalidTransaction, TransactionValidityError,
		TransactionValidityWithRefund, ValidTransaction,
	},
	traits::{
		fungible::hold::Mutate as _,
		tokens::{Fortitude, Precision, Preservation, Restriction},
	},
	weights::Weight,
};
use frame_system::RawOrigin;
use pallet_planaria_support::{
	Brake, Clock as _, Collateral, Discipline, DutyGate, EarningChange, MinerCount, MinerDirectory,
	MinerInfo, MinerLedger, Moved, OnEarningChange as _, Purpose, StandingPage, hot_key,
};
use planaria_primitives::{
	Tick,
	duty::{DutyKind, MAX_ANCHOR_AGE, signed_bytes},
};
use sp_runtime::{
	DispatchError, Saturating,
	traits::{UniqueSaturatedInto, Zero},
};

/// Codes of `InvalidTransaction::Custom` with which a duty is refused.
pub mod refusal {
	/// No such miner, or it has departed.
	pub const UNKNOWN_MINER: u8 = 1;
	/// The items are larger than [`MAX_DUTY_BYTES`](crate::MAX_DUTY_BYTES).
	pub const OVERSIZED: u8 = 2;
	/// The miner was seen lately: it need not say that it is there.
	pub const NOT_DUE: u8 = 3;
}

impl<T: Config> MinerDirectory<AccountId32> for Pallet<T> {
	fn by_account(who: &AccountId32) -> Option<MinerId> {
		ByAccount::<T>::get(who)
	}

	/// A miner that has departed is not registered any more, although its collateral is still on
	/// hold.
	fn get(miner: MinerId) -> Option<MinerInfo<AccountId32>> {
		let Miner::V0(miner) = Miners::<T>::get(miner)?;
		let standing = miner.standing()?;
		Some(MinerInfo { stash: miner.stash, payee: miner.payee, standing })
	}

	fn standing(miner: MinerId) -> Option<Standing> {
		Self::standings(StandingPage::of(miner)).get(miner)
	}

	fn standings(page: u32) -> StandingPage {
		Standings::<T>::get(page)
	}
}

impl<T: Config> MinerCount for Pallet<T> {
	fn next_id() -> MinerId {
		NextMiner::<T>::get()
	}

	fn registered() -> u32 {
		Registered::<T>::get()
	}
}

impl<T: Config> MinerLedger for Pallet<T> {
	fn reserve(miner: MinerId, bytes: u64, purpose: Purpose) -> DispatchResult {
		let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		let mut load = Loads::<T>::get(miner).ok_or(Error::<T>::NotServing)?;
		let params = Parameters::<T>::get();

		ensure!(record.standing().is_some_and(Standing::takes_data), Error::<T>::NotServing);
		if purpose == Purpose::Claim {
			ensure!(load.claims < params.max_claims, Error::<T>::TooManyClaims);
			load.claims = load.claims.saturating_add(1);
		}
		let room = Self::room_of(&record, &load, &params, purpose);
		ensure!(bytes <= room, Error::<T>::NoRoom);
		load.reserved = load.reserved.saturating_add(bytes);
		ensure!(params.required(load.used()) <= record.collateral, Error::<T>::Frozen);

		Loads::<T>::insert(miner, load);
		Ok(())
	}

	fn release(miner: MinerId, bytes: u64, purpose: Purpose) {
		// A miner departs with what was placed with it and never confirmed.
		if purpose == Purpose::Placement && !Loads::<T>::contains_key(miner) {
			return;
		}
		Self::with_load(miner, |load| take_reservation(load, bytes, purpose));
	}

	fn settle(miner: MinerId, bytes: u64, purpose: Purpose) {
		Self::with_load(miner, |load| settle(load, bytes, purpose));
	}

	fn forget(miner: MinerId, bytes: u64) {
		Self::with_load(miner, |load| forget(load, bytes));
	}

	/// Changes each miner's load once.
	fn moved(moves: &[Moved]) {
		let mut of_miners = BTreeMap::<MinerId, Vec<&Moved>>::new();
		for moved in moves {
			let other = moved.to.filter(|to| moved.from != Some(*to));
			for miner in moved.from.into_iter().chain(other) {
				of_miners.entry(miner).or_default().push(moved);
			}
		}
		for (miner, moves) in of_miners {
			Self::with_load(miner, |load| {
				for moved in moves {
					if moved.from == Some(miner) {
						forget(load, moved.bytes);
					}
					if moved.to == Some(miner) {
						settle(load, moved.bytes, Purpose::Claim);
					}
				}
			});
		}
	}
}

impl<T: Config> Collateral<AccountId32, BalanceOf<T>> for Pallet<T> {
	fn required(miner: MinerId) -> BalanceOf<T> {
		let used = Loads::<T>::get(miner).map_or(0, |load| load.used());
		Parameters::<T>::get().required(used)
	}

	fn for_bytes(bytes: u64) -> BalanceOf<T> {
		Parameters::<T>::get().for_bytes(bytes)
	}

	/// Nothing is moved where `to` is no account and `amount` is too little for one.
	fn pay(miner: MinerId, to: Option<&AccountId32>, amount: BalanceOf<T>) -> BalanceOf<T> {
		// It may have left, and taken its collateral with it, before it is to pay for a loss.
		if !Miners::<T>::contains_key(miner) {
			return Zero::zero();
		}
		let moved = Self::take(miner, to, amount);
		if !moved.is_zero() {
			let to = to.cloned();
			Self::deposit_event(Event::CollateralTaken { miner, to, amount: moved });
		}
		moved
	}

	fn give(miner: MinerId, from: &AccountId32, amount: BalanceOf<T>) -> BalanceOf<T> {
		let Some(mut record) = Miners::<T>::get(miner) else { return Zero::zero() };
		let (reason, stash) = (HoldReason::Collateral.into(), record.stash.clone());
		let (exact, keep, polite) = (Precision::Exact, Preservation::Preserve, Fortitude::Polite);
		let moved =
			T::Currency::transfer_and_hold(&reason, from, &stash, amount, exact, keep, polite);
		let Ok(amount) = moved else { return Zero::zero() };
		record.collateral = record.collateral.saturating_add(amount);
		Miners::<T>::insert(miner, record);
		Self::deposit_event(Event::CollateralAdded { miner, amount });
		amount
	}
}

impl<T: Config> Brake for Pallet<T> {
	fn is_engaged() -> bool {
		Self::brake_engaged()
	}
}

impl<T: Config> Discipline for Pallet<T> {
	fn suspend(miner: MinerId) -> DispatchResult {
		Self::set_suspended(miner, true)
	}

	fn reinstate(miner: MinerId) -> DispatchResult {
		Self::set_suspended(miner, false)
	}

	fn absent(miner: MinerId) -> DispatchResult {
		let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		let load = Loads::<T>::get(miner).ok_or(Error::<T>::HasDeparted)?;
		ensure!(!record.is_away(), Error::<T>::AlreadyAbsent);
		Self::set_absent(miner, record, &load);
		Ok(())
	}

	fn expel(miner: MinerId) -> DispatchResult {
		let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		match record.phase {
			Phase::Active { .. } | Phase::Leaving { .. } => (),
			Phase::Expelled => return Err(Error::<T>::AlreadyExpelled.into()),
			Phase::Departed { .. } => return Err(Error::<T>::HasDeparted.into()),
		}
		ensure!(!Self::brake_engaged(), Error::<T>::BrakeEngaged);
		Self::set_expelled(miner, record);
		Ok(())
	}
}

impl<T: Config> DutyGate<T::RuntimeOrigin> for Pallet<T> {
	fn authorize<Items: Encode>(
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
		items: &Items,
		signature: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund {
		let signature = signature.as_ref().ok_or(InvalidTransaction::BadProof)?;
		if items.encoded_size() > MAX_DUTY_BYTES as usize {
			return Err(InvalidTransaction::Custom(refusal::OVERSIZED).into());
		}
		let unknown = InvalidTransaction::Custom(refusal::UNKNOWN_MINER);
		let load = Loads::<T>::get(miner).ok_or(unknown)?;
		let remaining = Self::check_anchor(&load, kind, anchor)?;
		let record = Miners::<T>::get(miner).ok_or(unknown)?;

		let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::from(anchor));
		let bytes = signed_bytes(&hash.0, miner, kind, items);
		let signature = signature.clone().into();
		// Last, as it is what costs.
		if !sp_io::crypto::sr25519_verify(&signature, &bytes, &record.hot_key) {
			return Err(InvalidTransaction::BadProof.into());
		}

		ValidTransaction::with_tag_prefix("PlanariaDuty")
			.and_provides((miner, kind, anchor))
			.priority(priority(kind))
			.longevity(remaining.into())
			.propagate(true)
			.build()
			.map(|valid| (valid, Weight::zero()))
	}

	fn authorize_weight(bytes: u32) -> Weight {
		T::WeightInfo::authorize_duty(bytes)
	}

	fn enter(
		origin: T::RuntimeOrigin,
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<Weight, DispatchError> {
		let mut load = Loads::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		let record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		match origin.into() {
			Ok(RawOrigin::Authorized) => {
				Self::check_anchor(&load, kind, anchor).map_err(|_| Error::<T>::BadAnchor)?;
				load.anchors[kind as usize] = anchor;
			},
			Ok(RawOrigin::Signed(who)) => {
				let hot_key = AccountId32::from(record.hot_key);
				ensure!(who == record.stash || who == hot_key, Error::<T>::NotYours);
			},
			_ => return Err(DispatchError::BadOrigin),
		}
		load.last_seen = T::Clock::now();
		Loads::<T>::insert(miner, load);
		Ok(if Self::note_return(miner, record) {
			T::WeightInfo::enter_duty()
		} else {
			T::WeightInfo::enter_duty_again()
		})
	}

	fn enter_weight() -> Weight {
		T::WeightInfo::enter_duty()
	}

	fn charge_wrong(miner: MinerId) {
		let fee = Parameters::<T>::get().wrong_proof_fee;
		let amount = Self::take(miner, None, fee);
		Self::deposit_event(Event::WrongProofCharged { miner, amount });
	}
}

impl<T: Config> Pallet<T> {
	/// How many bytes the miner has room for.
	///
	/// What is placed with it must not run ahead of what it has shown to hold: beside what it
	/// offers, no more is reserved than it holds, or than `room_floor` while it holds less. A claim
	/// brings data that somebody else has lost, and is only bound by the offer.
	pub(crate) fn room_of(
		record: &MinerOf<T>,
		load: &MinerLoad,
		params: &ParamsOf<T>,
		purpose: Purpose,
	) -> u64 {
		let offered = record.declared.saturating_sub(load.used());
		match purpose {
			Purpose::Claim => offered,
			Purpose::Placement => {
				let shown = params.room_floor.max(load.held);
				offered.min(shown.saturating_sub(load.reserved))
			},
		}
	}

	/// Changes a registered miner's load, and the sum of all held bytes with it.
	fn with_load(miner: MinerId, change: impl FnOnce(&mut MinerLoad)) {
		let Some(mut load) = Loads::<T>::get(miner) else {
			defensive!("the ledger of a miner that is not registered", miner);
			return;
		};
		let before = load.held;
		change(&mut load);
		if load.held != before {
			HeldBytes::<T>::mutate(|total| {
				*total = subtract(*total, before).saturating_add(load.held);
			});
			T::OnEarningChange::on_earning_change(miner, EarningChange::Held(load.held));
		}
		Loads::<T>::insert(miner, load);
	}

	/// Moves or burns up to `amount` of the collateral. What is recorded falls by what was moved.
	fn take(miner: MinerId, to: Option<&AccountId32>, amount: BalanceOf<T>) -> BalanceOf<T> {
		let Some(mut record) = Miners::<T>::get(miner) else {
			defensive!("the collateral of a miner that is not known", miner);
			return Zero::zero();
		};
		let amount = amount.min(record.collateral);
		if amount.is_zero() {
			return amount;
		}
		let reason = HoldReason::Collateral.into();
		let (best, force) = (Precision::BestEffort, Fortitude::Force);
		let moved = match to {
			None => T::Currency::burn_held(&reason, &record.stash, amount, best, force),
			Some(to) => {
				let free = Restriction::Free;
				T::Currency::transfer_on_hold(&reason, &record.stash, to, amount, best, free, force)
			},
		};
		let moved = moved.unwrap_or_else(|error| {
			log::warn!(target: LOG_TARGET, "collateral of miner {miner} not moved: {error:?}");
			Zero::zero()
		});
		record.collateral = record.collateral.saturating_sub(moved);
		Miners::<T>::insert(miner, record);
		moved
	}

	/// Whether a duty may be anchored there: how many more blocks it may be, this one included.
	fn check_anchor(
		load: &MinerLoad,
		kind: DutyKind,
		anchor: u32,
	) -> Result<u32, TransactionValidityError> {
		let now: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
		if anchor >= now {
			return Err(InvalidTransaction::Future.into());
		}
		let remaining = MAX_ANCHOR_AGE.saturating_sub(now.saturating_sub(anchor));
		if remaining == 0 || anchor <= load.anchors[kind as usize] {
			return Err(InvalidTransaction::Stale.into());
		}
		Ok(remaining)
	}

	/// Stores the record of a miner whose standing may have changed, and with it whether it earns.
	pub(crate) fn restand(miner: MinerId, record: MinerOf<T>) {
		let earns = record.earns();
		Self::note_standing(miner, record.standing());
		Miners::<T>::insert(miner, record);
		T::OnEarningChange::on_earning_change(miner, EarningChange::Earns(earns));
	}

	/// What `alive` weighs, of which `entered` is to let it in.
	pub fn alive_weight(entered: Weight) -> Weight {
		T::WeightInfo::alive().saturating_sub(T::WeightInfo::enter_duty()).saturating_add(entered)
	}

	/// How a miner is seen from now on; `None` once it has departed.
	pub(crate) fn note_standing(miner: MinerId, standing: Option<Standing>) {
		let at = StandingPage::of(miner);
		let mut page = Standings::<T>::get(at);
		page.set(miner, standing);
		if page.is_empty() {
			Standings::<T>::remove(at);
		} else {
			Standings::<T>::insert(at, page);
		}
	}

	/// Others may restore what the miner holds, until its next duty.
	pub(crate) fn set_absent(miner: MinerId, mut record: MinerOf<T>, load: &MinerLoad) {
		let now = T::Clock::now();
		record.absence = Some(Absence { since: now, bytes: load.held });
		record.since = now;
		Self::restand(miner, record);
		Self::note_absence(now, load.held);
		Self::deposit_event(Event::BecameAbsent { miner });
	}

	/// So many bytes are away: part of an outage, or what makes it one.
	fn note_absence(now: Tick, bytes: u64) {
		let (params, all) = (Parameters::<T>::get(), HeldBytes::<T>::get());
		let window = params.brake_window;
		let brake = BrakeState::<T>::mutate(|brake| {
			brake.add(now, window, bytes);
			*brake
		});
		let lately = brake.bytes(now, window);
		let lasting = OutageState::<T>::get().filter(|outage| outage.lasts(now, &params, all));
		OutageState::<T>::set(match lasting {
			Some(mut outage) => {
				outage.add(bytes);
				Some(outage)
			},
			None => params.is_too_much(lately, all).then(|| {
				let first = brake.first(window);
				Outage { since: now, first, bytes: lately }
			}),
		});
	}

	/// The miner is not away any more, or will never be back. Says since when it was away.
	pub(crate) fn end_absence(record: &mut MinerOf<T>) -> Option<Absence> {
		let absence = record.absence.take()?;
		OutageState::<T>::mutate_extant(|outage| outage.remove(absence));
		Some(absence)
	}

	/// The miner leaves against its will. There is no way back.
	pub(crate) fn set_expelled(miner: MinerId, mut record: MinerOf<T>) {
		record.phase = Phase::Expelled;
		Self::end_absence(&mut record);
		record.since = T::Clock::now();
		Self::restand(miner, record);
		Self::deposit_event(Event::LeaveStarted { miner, expelled: true });
	}

	/// Suspends or reinstates the miner, whether it is there or not, and also while it leaves.
	fn set_suspended(miner: MinerId, suspended: bool) -> DispatchResult {
		let mut record = Miners::<T>::get(miner).ok_or(Error::<T>::UnknownMiner)?;
		let (before, phase) = match record.phase {
			Phase::Active { suspended: before } => (before, Phase::Active { suspended }),
			Phase::Leaving { suspended: before } => (before, Phase::Leaving { suspended }),
			Phase::Expelled => return Err(Error::<T>::IsLeaving.into()),
			Phase::Departed { .. } => return Err(Error::<T>::HasDeparted.into()),
		};
		ensure!(!suspended || !before, Error::<T>::AlreadySuspended);
		ensure!(suspended || before, Error::<T>::NotSuspended);
		let standing = record.standing();
		record.phase = phase;
		if record.standing() != standing {
			record.since = T::Clock::now();
		}
		Self::restand(miner, record);
		Self::deposit_event(if suspended {
			Event::Suspended { miner }
		} else {
			Event::Reinstated { miner }
		});
		Ok(())
	}

	/// The miner did what was asked of it: if it was absent, it is no longer.
	fn note_return(miner: MinerId, mut record: MinerOf<T>) -> bool {
		let Some(absence) = Self::end_absence(&mut record) else { return false };
		let now = T::Clock::now();
		let window = Parameters::<T>::get().brake_window;
		record.since = now;
		Self::restand(miner, record);
		BrakeState::<T>::mutate(|brake| brake.remove(now, window, absence));
		Self::deposit_event(Event::Returned { miner });
		true
	}
}

/// What is urgent comes first: a report and what leads to it save data and run against a deadline,
/// an answer runs against one, the other two only against their sender's patience. Whatever is paid
/// for comes after all of them.
const fn priority(kind: DutyKind) -> u64 {
	u64::MAX
		- match kind {
			DutyKind::Report => 0,
			DutyKind::Ready => 1,
			DutyKind::Answer => 2,
			DutyKind::Confirm => 3,
			DutyKind::Alive => 4,
		}
}

fn settle(load: &mut MinerLoad, bytes: u64, purpose: Purpose) {
	take_reservation(load, bytes, purpose);
	load.held = load.held.saturating_add(bytes);
	load.fragments = load.fragments.saturating_add(1);
}

fn forget(load: &mut MinerLoad, bytes: u64) {
	load.held = subtract(load.held, bytes);
	load.fragments = subtract(load.fragments, 1);
}

fn take_reservation(load: &mut MinerLoad, bytes: u64, purpose: Purpose) {
	load.reserved = subtract(load.reserved, bytes);
	if purpose == Purpose::Claim {
		load.claims = subtract(load.claims, 1);
	}
}

/// A ledger never takes off what was not there. If it does all the same, zero is left and the log
/// says so.
fn subtract<N: Copy + Default + sp_runtime::traits::CheckedSub>(from: N, amount: N) -> N {
	from.checked_sub(&amount).unwrap_or_else(|| {
		defensive!("a miner's ledger would fall below zero");
		N::default()
	})
}
