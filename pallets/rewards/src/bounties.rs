// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Bounties: taken from whoever does not have a fragment, paid to whoever restores it.

use crate::*;
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::weights::{Weight, WeightMeter};
use pallet_planaria_support::{Bounties, Clock as _, Collateral as _, MinerDirectory as _, Wanted};
use planaria_primitives::{FragmentId, MAX_FRAGMENT_LEN, MinerId};

impl<T: Config> Pallet<T> {
	/// Whether the collateral that the bytes of a whole fragment require pays for its bounty.
	pub fn is_covered(params: &Params) -> bool {
		let fragment = u64::from(MAX_FRAGMENT_LEN);
		params.bounty(fragment) <= T::Collateral::for_bytes(fragment)
	}

	/// What is kept for bounties becomes more, or less.
	fn pledge(more: u128, less: u128) {
		Pledged::<T>::mutate(|pledged| {
			*pledged = flow::subtract(pledged.saturating_add(more), less);
		});
	}

	/// Pays parts of bounties to the miner's payee, or forfeits them where nobody can receive them.
	pub(crate) fn pay_parts(miner: MinerId, parts: &[(FragmentId, u128)]) {
		let sum = parts.iter().map(|(_, amount)| *amount).fold(0, u128::saturating_add);
		if sum == 0 {
			return;
		}
		let payee = T::Directory::get(miner).map(|info| info.payee);
		let paid = payee.filter(|payee| Self::transfer(payee, sum).is_ok());
		Self::pledge(0, sum);
		if paid.is_none() {
			Self::abandon(sum);
		}
		for (fragment, amount) in parts.iter().copied().filter(|(_, amount)| *amount > 0) {
			Self::deposit_event(match &paid {
				Some(payee) => Event::BountyPaid { fragment, miner, payee: payee.clone(), amount },
				None => Event::BountyForfeited { fragment, miner, amount },
			});
		}
	}

	fn forfeit_part(fragment: FragmentId, miner: MinerId, amount: u128) {
		Self::pledge(0, amount);
		Self::abandon(amount);
		Self::deposit_event(Event::BountyForfeited { fragment, miner, amount });
	}

	/// The second half of a bounty that is due, if there is one. The caller pays it.
	pub(crate) fn take_due(fragment: FragmentId) -> Option<Kept> {
		let kept = Pledges::<T>::get(fragment)?.kept()?;
		(T::Clock::now() >= kept.due).then(|| {
			Pledges::<T>::remove(fragment);
			kept
		})
	}

	/// The bounty of an order that ends.
	fn take_open(fragment: FragmentId) -> Option<Bounty> {
		let bounty = Pledges::<T>::get(fragment)?.open()?;
		Pledges::<T>::remove(fragment);
		Some(bounty)
	}

	/// The fragment is to be restored again: a second half that is not due is forfeited.
	fn end_kept(fragment: FragmentId, kept: Kept) {
		Pledges::<T>::remove(fragment);
		if T::Clock::now() >= kept.due {
			Self::pay_parts(kept.miner, &[(fragment, kept.amount)]);
		} else {
			Self::forfeit_part(fragment, kept.miner, kept.amount);
		}
	}

	/// Notes a second half to be paid with the others of its miner, and says what that weighs.
	pub(crate) fn note_due(fragment: FragmentId, due: &mut Due) -> Weight {
		let further = T::WeightInfo::agenda_tasks(2).saturating_sub(T::WeightInfo::agenda_tasks(1));
		// It may have been forfeited, or be that of a later restoration.
		let Some(kept) = Self::take_due(fragment) else { return further };
		let parts = due.entry(kept.miner).or_default();
		let weight = if parts.is_empty() { T::WeightInfo::agenda_tasks(1) } else { further };
		parts.push((fragment, kept.amount));
		weight
	}

	/// Pays what was noted.
	pub(crate) fn pay_due(due: Due) {
		for (miner, parts) in due {
			Self::pay_parts(miner, &parts);
		}
	}

	pub(crate) fn serve_agenda(meter: &mut WeightMeter) {
		let (tick, task) = (T::WeightInfo::agenda_tick(), T::WeightInfo::agenda_tasks(1));
		let mut due = Due::default();
		AgendaOf::<T>::serve(T::Clock::now(), meter, tick, task, |fragment, meter| {
			meter.consume(Self::note_due(fragment, &mut due));
			None
		});
		Self::pay_due(due);
	}

	/// What an order that opens finds pledged by its holder already. Everything else ends.
	fn pledged_before(fragment: FragmentId, holder: MinerId) -> u128 {
		match Pledges::<T>::get(fragment) {
			Some(Pledge::Open(bounty)) if bounty.holder == holder => return bounty.amount,
			Some(Pledge::Open(_)) => Self::give_back(fragment),
			Some(Pledge::Kept(kept)) => Self::end_kept(fragment, kept),
			None => (),
		}
		0
	}

	/// Takes what these orders cost their holder, the first ones first where it has not enough.
	fn charge(holder: MinerId, orders: &[Charge]) {
		let sum = orders.iter().map(|order| order.due).fold(0, u128::saturating_add);
		let mut rest = T::Collateral::pay(holder, Some(&Self::pot()), sum);
		Self::pledge(rest, 0);
		for Charge { fragment, due, before } in orders.iter().copied() {
			let amount = due.min(rest);
			rest = rest.saturating_sub(amount);
			if amount > 0 {
				let bounty = Bounty { holder, amount: before.saturating_add(amount) };
				Pledges::<T>::insert(fragment, Pledge::Open(bounty));
				Self::deposit_event(Event::BountyTaken { fragment, holder, amount });
			}
		}
	}
}

/// Second halves that are due, by whom they are paid to.
pub(crate) type Due = BTreeMap<MinerId, Vec<(FragmentId, u128)>>;

/// What an order costs its holder, and what it has paid for it before.
#[derive(Clone, Copy)]
struct Charge {
	fragment: FragmentId,
	due: u128,
	before: u128,
}

impl<T: Config> Bounties<T::AccountId> for Pallet<T> {
	fn open(wanted: Vec<Wanted>) {
		let params = Parameters::<T>::get();
		let mut charges = BTreeMap::<MinerId, Vec<Charge>>::new();
		for Wanted { fragment, bytes, holder, leaves } in wanted {
			let before = Self::pledged_before(fragment, holder);
			let all = params.bounty(bytes);
			let due = if leaves { all / 2 } else { all }.saturating_sub(before);
			if due > 0 {
				charges.entry(holder).or_default().push(Charge { fragment, due, before });
			}
		}
		charges.into_iter().for_each(|(holder, orders)| Self::charge(holder, &orders));
	}

	fn pay(fragments: Vec<FragmentId>, to: MinerId) {
		let due = T::Clock::now().saturating_add(Parameters::<T>::get().bounty_hold);
		let (mut parts, mut kept) = (Vec::new(), Vec::new());
		for fragment in fragments {
			let Some(Pledge::Open(Bounty { amount, .. })) = Pledges::<T>::get(fragment) else {
				continue;
			};
			let later = amount / 2;
			parts.push((fragment, amount.saturating_sub(later)));
			if later == 0 {
				Pledges::<T>::remove(fragment);
				continue;
			}
			Pledges::<T>::insert(fragment, Pledge::Kept(Kept { miner: to, amount: later, due }));
			kept.push(fragment);
		}
		// Where the agenda has no room, `collect` is what remains.
		AgendaOf::<T>::schedule_all(due, kept);
		Self::pay_parts(to, &parts);
	}

	fn give_back(fragment: FragmentId) {
		let Some(Bounty { holder, amount }) = Self::take_open(fragment) else { return };
		let moved = T::Collateral::give(holder, &Self::pot(), amount);
		Self::pledge(0, moved);
		if moved > 0 {
			Self::deposit_event(Event::BountyReturned { fragment, holder, amount: moved });
		}
		let rest = flow::subtract(amount, moved);
		if rest > 0 {
			Self::forfeit_part(fragment, holder, rest);
		}
	}

	fn forfeit(fragment: FragmentId) {
		if let Some(Bounty { holder, amount }) = Self::take_open(fragment) {
			Self::forfeit_part(fragment, holder, amount);
		}
	}

	fn compensate(fragment: FragmentId, bytes: u64, holder: Option<MinerId>, to: &T::AccountId) {
		let bounty = Self::take_open(fragment);
		let Some(holder) = bounty.map(|bounty| bounty.holder).or(holder) else { return };
		let amount = bounty.map_or(0, |bounty| bounty.amount);
		if amount > 0 {
			if Self::transfer(to, amount).is_ok() {
				Self::pledge(0, amount);
				let to = to.clone();
				Self::deposit_event(Event::Compensated { fragment, holder, to, amount });
			} else {
				Self::forfeit_part(fragment, holder, amount);
			}
		}
		let rest = T::Collateral::for_bytes(bytes).saturating_sub(amount);
		if rest > 0 {
			T::Collateral::pay(holder, Some(to), rest);
		}
	}
}
