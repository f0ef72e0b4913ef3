// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What comes into the pot, how it flows, and how miners are paid out of it.

use crate::*;
use frame_support::{
	defensive,
	pallet_prelude::DispatchResult,
	traits::{
		Get,
		fungible::Mutate as _,
		tokens::{Fortitude, Precision, Preservation},
	},
};
use pallet_planaria_support::{
	Clock as _, EarningChange, Grains, OnEarningChange, Pot, Stream, grains, whole,
};
use planaria_primitives::{MinerId, Tick};
use sp_runtime::traits::{AccountIdConversion, CheckedSub};

impl<T: Config> Pallet<T> {
	/// The account everything is kept in.
	pub fn pot() -> T::AccountId {
		T::PotId::get().into_account_truncating()
	}

	/// The flow as it is now.
	pub fn flow_now() -> Flow {
		Self::advanced(Endings::<T>::get)
	}

	/// The flow, up to now. The caller stores it, as what ended on the way is forgotten by this.
	pub(crate) fn flowed() -> Flow {
		Self::advanced(Endings::<T>::take)
	}

	fn advanced(ending: impl Fn(Tick) -> Option<Ending>) -> Flow {
		let now = T::Clock::now();
		let mut flow = Flows::<T>::get();
		while flow.at < now {
			let end = Self::era_end(flow.at.saturating_add(1));
			// Where nothing is paid for nothing ends.
			if end > now || flow.paid == 0 {
				flow.run(now);
				break;
			}
			flow.run(end);
			if let Some(ending) = ending(end) {
				flow.paid = subtract(flow.paid, ending.bytes);
				flow.rate = subtract(flow.rate, ending.rate);
			}
		}
		flow
	}

	/// The last tick of the era that `tick` belongs to.
	fn era_end(tick: Tick) -> Tick {
		tick.checked_next_multiple_of(T::Era::get().max(1)).unwrap_or(Tick::MAX)
	}

	/// Pays a part of what a miner has earned. Nothing changes where that is refused.
	pub(crate) fn pay_earned(
		payee: &T::AccountId,
		amount: u128,
		account: &mut Earnings,
		flow: &mut Flow,
	) -> DispatchResult {
		Self::transfer(payee, amount)?;
		account.grains = subtract(account.grains, grains(amount));
		flow.earned = subtract(flow.earned, grains(amount));
		Ok(())
	}

	/// Stores what a miner has earned, if it is worth remembering.
	pub(crate) fn put_account(miner: MinerId, account: Earnings) {
		if account.is_empty() {
			Accounts::<T>::remove(miner);
		} else {
			Accounts::<T>::insert(miner, account);
		}
	}

	pub(crate) fn burn_unearned(amount: u128, flow: &mut Flow) -> DispatchResult {
		let (preserve, exact, polite) =
			(Preservation::Preserve, Precision::Exact, Fortitude::Polite);
		T::Currency::burn_from(&Self::pot(), amount, preserve, exact, polite)?;
		flow.unearned = subtract(flow.unearned, grains(amount));
		Ok(())
	}

	/// What a part of the token was kept for has become nobody's: anyone may burn it.
	pub(crate) fn abandon(amount: u128) {
		Flows::<T>::mutate(|flow| flow.unearned = flow.unearned.saturating_add(grains(amount)));
	}

	/// The miner has departed. What cannot be paid, and what is less than a part, is nobody's.
	fn settle_up(miner: MinerId, payee: T::AccountId, mut account: Earnings, flow: &mut Flow) {
		let amount = whole(account.grains);
		if amount > 0 {
			Self::deposit_event(match Self::pay_earned(&payee, amount, &mut account, flow) {
				Ok(()) => Event::Claimed { miner, payee, amount },
				Err(_) => Event::Abandoned { miner, amount },
			});
		}
		flow.earned = subtract(flow.earned, account.grains);
		flow.unearned = flow.unearned.saturating_add(account.grains);
		Accounts::<T>::remove(miner);
	}
}

impl<T: Config> Pot<T::AccountId> for Pallet<T> {
	fn fund(from: &T::AccountId, amount: u128) -> DispatchResult {
		T::Currency::transfer(from, &Self::pot(), amount, Preservation::Preserve)?;
		Flows::<T>::mutate(|flow| flow.prepaid = flow.prepaid.saturating_add(grains(amount)));
		Ok(())
	}

	fn refund(to: &T::AccountId, left: Grains) -> u128 {
		let mut flow = Self::flowed();
		let amount = whole(left);
		let moved = match Self::transfer(to, amount) {
			Ok(()) => amount,
			Err(error) => {
				log::warn!(target: LOG_TARGET, "a prepayment cannot be returned: {error:?}");
				0
			},
		};
		flow.prepaid = subtract(flow.prepaid, left);
		flow.unearned = flow.unearned.saturating_add(subtract(left, grains(moved)));
		Flows::<T>::put(flow);
		moved
	}

	fn flow(before: Stream, after: Stream) {
		let mut flow = Self::flowed();
		let now = T::Clock::now();
		if before.bytes > 0 && before.ends > now {
			flow.paid = subtract(flow.paid, before.bytes);
			flow.rate = subtract(flow.rate, before.rate);
			Endings::<T>::mutate_exists(before.ends, |ending| {
				let mut rest = ending.unwrap_or_default();
				rest.remove(&before);
				*ending = (!rest.is_empty()).then_some(rest);
			});
		}
		if after.bytes > 0 && after.ends > now {
			if Self::era_end(after.ends) != after.ends {
				defensive!("a stream ends within an era", after.ends);
			}
			flow.paid = flow.paid.saturating_add(after.bytes);
			flow.rate = flow.rate.saturating_add(after.rate);
			Endings::<T>::mutate(after.ends, |ending| {
				ending.get_or_insert_default().add(&after);
			});
		}
		Flows::<T>::put(flow);
	}
}

impl<T: Config> OnEarningChange<T::AccountId> for Pallet<T> {
	fn on_earning_change(miner: MinerId, change: EarningChange<T::AccountId>) {
		let mut flow = Self::flowed();
		let mut account = Accounts::<T>::get(miner).unwrap_or_else(|| Earnings::new(flow.per_byte));
		account.update(flow.per_byte);
		flow.held = subtract(flow.held, account.held);
		flow.earning = subtract(flow.earning, account.earning());
		match change {
			EarningChange::Held(held) => account.held = held,
			EarningChange::Earns(earns) => account.earns = earns,
			EarningChange::Departed { payee } => {
				Self::settle_up(miner, payee, account, &mut flow);
				Flows::<T>::put(flow);
				return;
			},
		}
		flow.held = flow.held.saturating_add(account.held);
		flow.earning = flow.earning.saturating_add(account.earning());
		Self::put_account(miner, account);
		Flows::<T>::put(flow);
	}
}

/// Nothing is taken off that is not there. If it is all the same, zero is left and the log says so.
pub(crate) fn subtract<N: Copy + Default + CheckedSub>(from: N, amount: N) -> N {
	from.checked_sub(&amount).unwrap_or_else(|| {
		defensive!("more was taken off the pot's ledger than there is");
		N::default()
	})
}
