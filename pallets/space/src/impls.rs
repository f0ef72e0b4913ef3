// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the calls do, and the ledger of what is stored.

use crate::*;
use frame_support::{
	defensive, ensure,
	pallet_prelude::{DispatchError, DispatchResult, Get, Weight},
	traits::{fungible::MutateHold as _, tokens::Precision},
};
use pallet_planaria_support::{Clock as _, Grains, Pot as _, SpaceLedger, Stream, grains, whole};
use planaria_primitives::Tick;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_buy(owner: &T::AccountId, bytes: u64, ticks: Tick) -> DispatchResult {
		ensure!(!Spaces::<T>::contains_key(owner), Error::<T>::AlreadyBought);
		let (params, now) = (Parameters::<T>::get(), T::Clock::now());
		ensure!(bytes >= params.min_bytes, Error::<T>::TooFewBytes);
		ensure!(bytes <= T::MaxBytes::get(), Error::<T>::TooManyBytes);
		ensure!(ticks > params.grace, Error::<T>::TooShort);
		let mut space = SpaceV0 {
			bytes,
			reserved: 0,
			used: 0,
			until: Self::end_of(now, ticks, &params)?,
			price: params.price,
			left: 0,
			at: now,
			operators: 0,
			deposit: params.deposit,
			look: 0,
			removed: None,
		};
		T::Currency::hold(&HoldReason::Deposit.into(), owner, params.deposit)?;
		let paid = Self::pay(owner, &mut space, now)?;
		space.look = Self::put_down(space.open_until(params.grace), owner);
		let until = space.until;
		Spaces::<T>::insert(owner, Space::V0(space));
		Self::deposit_event(Event::Bought { owner: owner.clone(), bytes, until, paid });
		Ok(())
	}

	pub(crate) fn do_grow(owner: &T::AccountId, more: u64) -> DispatchResult {
		let mut space = Self::open_space(owner)?;
		let (params, now) = (Parameters::<T>::get(), T::Clock::now());
		let before = space.stream();
		space.settle(now);

		ensure!(more > 0, Error::<T>::TooFewBytes);
		let bytes = space.bytes.checked_add(more).ok_or(Error::<T>::TooManyBytes)?;
		ensure!(bytes <= T::MaxBytes::get(), Error::<T>::TooManyBytes);
		space.price = average((space.price, space.bytes), (params.price, more))
			.ok_or(Error::<T>::Overflow)?;
		space.bytes = bytes;
		let paid = Self::pay(owner, &mut space, now)?;
		Self::put(owner, before, space);
		Self::deposit_event(Event::Grown { owner: owner.clone(), bytes, paid });
		Ok(())
	}

	pub(crate) fn do_renew(owner: &T::AccountId, ticks: Tick) -> DispatchResult {
		let mut space = Spaces::<T>::get(owner).ok_or(Error::<T>::NoSpace)?;
		let (params, now) = (Parameters::<T>::get(), T::Clock::now());
		ensure!(space.phase(now, params.grace) != Phase::Over, Error::<T>::HasLapsed);
		let before = space.stream();
		space.settle(now);

		ensure!(ticks > 0, Error::<T>::TooShort);
		let rest = space.until.saturating_sub(now);
		let until = Self::end_of(now, rest.saturating_add(ticks), &params)?;
		let more = until.saturating_sub(space.until);
		space.price = average((space.price, rest.into()), (params.price, more.into()))
			.ok_or(Error::<T>::Overflow)?;
		space.until = until;
		let paid = Self::pay(owner, &mut space, now)?;
		Self::put(owner, before, space);
		Self::deposit_event(Event::Renewed { owner: owner.clone(), until, paid });
		Ok(())
	}

	pub(crate) fn do_authorise(
		owner: T::AccountId,
		operator: T::AccountId,
		bytes: u64,
		until: Tick,
	) -> DispatchResult {
		ensure!(operator != owner, Error::<T>::OwnOperator);
		let mut space = Spaces::<T>::get(&owner).ok_or(Error::<T>::NoSpace)?;
		let deposit = match Operators::<T>::get(&owner, &operator) {
			Some(known) => known.deposit,
			None => {
				ensure!(space.operators < T::MaxOperators::get(), Error::<T>::TooManyOperators);
				let deposit = Parameters::<T>::get().deposit;
				T::Currency::hold(&HoldReason::Deposit.into(), &owner, deposit)?;
				space.operators = space.operators.saturating_add(1);
				Spaces::<T>::insert(&owner, space);
				deposit
			},
		};
		let since = T::Clock::now();
		Operators::<T>::insert(&owner, &operator, Operator { bytes, until, deposit, since });
		Self::deposit_event(Event::Authorised { owner, operator, bytes, until });
		Ok(())
	}

	pub(crate) fn do_revoke(owner: T::AccountId, operator: T::AccountId) -> DispatchResult {
		let known = Operators::<T>::take(&owner, &operator).ok_or(Error::<T>::NotAuthorised)?;
		let mut space = Spaces::<T>::get(&owner).ok_or(Error::<T>::NoSpace)?;
		Self::release_deposit(&owner, known.deposit);
		space.operators = space.operators.saturating_sub(1);
		Spaces::<T>::insert(&owner, space);
		Self::deposit_event(Event::Revoked { owner, operator });
		Ok(())
	}

	pub(crate) fn do_close(owner: &T::AccountId) -> DispatchResult {
		let space = Spaces::<T>::get(owner).ok_or(Error::<T>::NoSpace)?;
		ensure!(space.occupied() == 0, Error::<T>::StillUsed);
		Self::remove(owner, space);
		Ok(())
	}

	/// Removes a space in which nothing is stored.
	pub(crate) fn remove(owner: &T::AccountId, space: Space) {
		let mut deposit = space.deposit;
		for operator in Operators::<T>::drain_prefix(owner) {
			deposit = deposit.saturating_add(operator.1.deposit);
		}
		Self::release_deposit(owner, deposit);
		Spaces::<T>::remove(owner);
		let returned = T::Pot::refund(owner, space.left_at(T::Clock::now()));
		Self::deposit_event(Event::Closed { owner: owner.clone(), returned });
	}

	fn release_deposit(owner: &T::AccountId, deposit: u128) {
		let reason = HoldReason::Deposit.into();
		let released = T::Currency::release(&reason, owner, deposit, Precision::BestEffort);
		if released != Ok(deposit) {
			log::error!(target: LOG_TARGET, "a deposit for space was not all there");
		}
	}

	/// The end of a space that lasts so many ticks more: that of an era.
	fn end_of(now: Tick, ticks: Tick, params: &Params) -> Result<Tick, DispatchError> {
		ensure!(ticks <= params.max_ticks, Error::<T>::TooLong);
		let era = T::Era::get().max(1);
		let end = now.checked_add(ticks).and_then(|end| end.checked_next_multiple_of(era));
		end.ok_or(Error::<T>::TooLong.into())
	}

	/// Pays what is missing for all of the space. Returns how much that was.
	fn pay(owner: &T::AccountId, space: &mut SpaceV0, now: Tick) -> Result<u128, DispatchError> {
		let needed = space.needed(now).ok_or(Error::<T>::Overflow)?;
		let paid = Self::rounded_up(needed.saturating_sub(space.left));
		if paid > 0 {
			T::Pot::fund(owner, paid)?;
			space.left = space.left.saturating_add(grains(paid));
		}
		Ok(paid)
	}

	/// So many of the token's smallest parts are needed for so many grains.
	pub(crate) fn rounded_up(amount: Grains) -> u128 {
		let parts = whole(amount);
		if grains(parts) < amount { parts.saturating_add(1) } else { parts }
	}

	/// The space of an account, in which something new may be stored.
	fn open_space(owner: &T::AccountId) -> Result<Space, DispatchError> {
		let space = Spaces::<T>::get(owner).ok_or(Error::<T>::NoSpace)?;
		match space.phase(T::Clock::now(), Parameters::<T>::get().grace) {
			Phase::Open => Ok(space),
			Phase::Grace => Err(Error::<T>::InGrace.into()),
			Phase::Over => Err(Error::<T>::HasLapsed.into()),
		}
	}

	/// Stores a space, for which something else flows than `before`.
	fn put(owner: &T::AccountId, before: Stream, space: Space) {
		let after = space.stream();
		Spaces::<T>::insert(owner, space);
		T::Pot::flow(before, after);
	}

	/// Changes what is stored in a space.
	pub(crate) fn change(owner: &T::AccountId, change: impl FnOnce(&mut SpaceV0)) {
		let Some(mut space) = Spaces::<T>::get(owner) else {
			defensive!("the ledger of an account without space");
			return;
		};
		let before = space.stream();
		space.settle(T::Clock::now());
		change(&mut space);
		Self::put(owner, before, space);
	}

	pub(crate) fn buy_weight() -> Weight {
		T::WeightInfo::buy().saturating_add(AgendaOf::<T>::schedule_weight(T::DbWeight::get()))
	}
}

impl<T: Config> SpaceLedger<T::AccountId> for Pallet<T> {
	fn reserve(payer: &T::AccountId, by: &T::AccountId, bytes: u64) -> DispatchResult {
		let space = Self::open_space(payer)?;
		let mut operator = None;
		if payer != by {
			let mut known = Operators::<T>::get(payer, by).ok_or(Error::<T>::NotAuthorised)?;
			ensure!(T::Clock::now() <= known.until, Error::<T>::AuthorisationOver);
			let rest = known.bytes.checked_sub(bytes);
			known.bytes = rest.ok_or(Error::<T>::OverLimit)?;
			operator = Some(known);
		}
		ensure!(bytes <= space.free(), Error::<T>::OutOfSpace);
		if let Some(operator) = operator {
			Operators::<T>::insert(payer, by, operator);
		}
		Self::change(payer, |space| space.reserved = space.reserved.saturating_add(bytes));
		Ok(())
	}

	/// Gives an operator back what it may order, where it ordered this after the owner last said how
	/// much that is. What it ordered before does not come on top; nor in the same tick, as that does
	/// not show which was first.
	fn release(payer: &T::AccountId, by: &T::AccountId, bytes: u64, ordered: Tick) {
		if payer != by
			&& let Some(mut operator) = Operators::<T>::get(payer, by)
			&& ordered > operator.since
		{
			operator.bytes = operator.bytes.saturating_add(bytes);
			Operators::<T>::insert(payer, by, operator);
		}
		Self::change(payer, |space| space.reserved = subtract(space.reserved, bytes));
	}

	fn settle(payer: &T::AccountId, bytes: u64) {
		Self::change(payer, |space| {
			space.reserved = subtract(space.reserved, bytes);
			space.used = space.used.saturating_add(bytes);
		});
	}

	fn free(payer: &T::AccountId, bytes: u64) {
		Self::change(payer, |space| space.used = subtract(space.used, bytes));
	}

	fn may_act(payer: &T::AccountId, by: &T::AccountId) -> bool {
		let now = T::Clock::now();
		payer == by || Operators::<T>::get(payer, by).is_some_and(|known| now <= known.until)
	}
}

/// Nothing is taken off that is not there. If it is all the same, zero is left and the log says so.
pub(crate) fn subtract(from: u64, amount: u64) -> u64 {
	from.checked_sub(amount).unwrap_or_else(|| {
		defensive!("more was taken off a space than is stored in it");
		0
	})
}
