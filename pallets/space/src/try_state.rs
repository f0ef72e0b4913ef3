// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The crate's properties, checked.

use crate::*;
use alloc::collections::BTreeSet;
use frame_support::{
	ensure,
	traits::{Get, fungible::InspectHold as _},
};
use pallet_planaria_support::Clock as _;
use sp_runtime::TryRuntimeError;

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
	/// Checks the [properties](crate#properties).
	pub fn do_try_state() -> Check {
		ensure!(Parameters::<T>::get().check(), "the parameters are unsound");
		for (owner, space) in Spaces::<T>::iter() {
			Self::check_within(&space)?;
			Self::check_paid(&space)?;
			Self::check_held(&owner, &space)?;
		}
		Self::check_listed()?;
		Self::check_awaited()
	}

	/// No more is reserved and used than was bought.
	fn check_within(space: &SpaceV0) -> Check {
		ensure!(space.occupied() <= space.bytes, "more is stored than was bought");
		ensure!(space.bytes <= T::MaxBytes::get(), "more was bought than is sold");
		Ok(())
	}

	/// What is left pays for every byte that was bought, up to the last tick.
	fn check_paid(space: &SpaceV0) -> Check {
		let now = T::Clock::now();
		ensure!(space.at <= now, "a space of the future");
		ensure!(space.until.is_multiple_of(T::Era::get()), "a space ends within an era");
		let needed = space.needed(now).ok_or("a space that is too expensive")?;
		ensure!(space.left_at(now) >= needed, "what is left does not suffice");
		Ok(())
	}

	/// What is held of the owner is the deposit of the space and of its operators.
	fn check_held(owner: &T::AccountId, space: &SpaceV0) -> Check {
		let operators = Operators::<T>::iter_prefix_values(owner);
		let deposits = operators.map(|operator| operator.deposit);
		let sum = deposits.fold(space.deposit, u128::saturating_add);
		let held = T::Currency::balance_on_hold(&HoldReason::Deposit.into(), owner);
		ensure!(held == sum, "what is held is not the sum of the deposits");
		Ok(())
	}

	/// Every operator belongs to a space, which counts it.
	fn check_listed() -> Check {
		let mut counted = 0u64;
		for (owner, space) in Spaces::<T>::iter() {
			let operators = Operators::<T>::iter_key_prefix(&owner).count();
			ensure!(space.operators as usize == operators, "operators that are not counted");
			ensure!(space.operators <= T::MaxOperators::get(), "more operators than allowed");
			counted = counted.saturating_add(space.operators.into());
		}
		let all = Operators::<T>::iter_keys().count() as u64;
		ensure!(counted == all, "an operator without a space");
		Ok(())
	}

	/// The agenda has every space at the tick at which it looks at it.
	fn check_awaited() -> Check {
		let tasks: BTreeSet<_> = AgendaOf::<T>::tasks(T::Clock::now())?.into_iter().collect();
		for (owner, space) in Spaces::<T>::iter() {
			ensure!(tasks.contains(&(space.look, owner)), "the agenda does not come to a space");
		}
		Ok(())
	}
}
