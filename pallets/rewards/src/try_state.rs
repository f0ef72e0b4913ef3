// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The crate's properties, checked.

use crate::*;
use frame_support::{ensure, traits::fungible::Inspect as _};
use pallet_planaria_support::{Clock as _, Grains, grains};
use sp_runtime::TryRuntimeError;

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
	/// Checks the [properties](crate#properties).
	pub fn do_try_state() -> Check {
		Self::check_funded()?;
		Self::check_flowing()?;
		Self::check_summed()?;
		Self::check_pledged()
	}

	/// The pot's account has what is in the ledgers, and what it needs to exist. Somebody may have
	/// given it more.
	fn check_funded() -> Check {
		let parts = Pledged::<T>::get().saturating_add(T::Currency::minimum_balance());
		let owed = grains(parts).saturating_add(Flows::<T>::get().total());
		ensure!(grains(T::Currency::balance(&Self::pot())) >= owed, "the pot lacks money");
		Ok(())
	}

	/// What flows now is what ends later, and suffices until then.
	fn check_flowing() -> Check {
		let flow = Self::flow_now();
		ensure!(flow.at == T::Clock::now(), "the flow is not up to date");
		let (mut bytes, mut rate, mut needed) = (0u64, 0u128, 0u128);
		for (end, ending) in Endings::<T>::iter().filter(|(end, _)| *end > flow.at) {
			ensure!(!ending.is_empty(), "nothing ends");
			bytes = bytes.saturating_add(ending.bytes);
			rate = rate.saturating_add(ending.rate);
			let ticks = Grains::from(end.saturating_sub(flow.at));
			needed = needed.saturating_add(ending.rate.saturating_mul(ticks));
		}
		ensure!(flow.paid == bytes, "bytes are paid for without an end");
		ensure!(flow.rate == rate, "something flows without an end");
		ensure!(flow.prepaid >= needed, "what was prepaid does not suffice");
		Ok(())
	}

	/// What is held and earned is the sum over all miners.
	fn check_summed() -> Check {
		let flow = Self::flow_now();
		let (mut held, mut earning, mut earned) = (0u64, 0u64, 0u128);
		for mut account in Accounts::<T>::iter_values() {
			ensure!(!account.is_empty(), "a miner without anything has a record");
			account.update(flow.per_byte);
			held = held.saturating_add(account.held);
			earning = earning.saturating_add(account.earning());
			earned = earned.saturating_add(account.grains);
		}
		ensure!(flow.held == held, "the bytes held are not the sum over all miners");
		ensure!(flow.earning == earning, "the bytes that earn are not the sum over all miners");
		ensure!(flow.earned == earned, "what was earned is not the sum over all miners");
		Ok(())
	}

	/// What is kept for bounties is the sum of all of them.
	fn check_pledged() -> Check {
		let amounts = Pledges::<T>::iter_values().map(|pledge| pledge.amount());
		let sum = amounts.fold(0, u128::saturating_add);
		ensure!(Pledged::<T>::get() == sum, "what is pledged is not the sum of the bounties");
		Ok(())
	}
}
