// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks of the calls and hooks.

use crate::{Pallet as Rewards, *};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec,
	traits::{EnsureOrigin, Get, Hooks, fungible::Mutate},
	weights::WeightMeter,
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use pallet_planaria_support::{
	Bounties, Clock, EarningChange, OnEarningChange, Pot, Stream, Wanted, grains,
};
use planaria_primitives::{FragmentId, MinerId, SegmentId, Tick};

/// What the benchmarks need of the pallets beside this one.
pub trait BenchmarkHelper {
	/// A miner with much collateral, whose payee exists. The same one every time.
	fn miner() -> MinerId;

	/// Sets the clock.
	fn set_tick(tick: Tick);
}

const TIB: u64 = 1 << 40;

const FRAGMENT: FragmentId = FragmentId { segment: SegmentId(7), index: 3 };

/// Somebody pays for a TiB, a thousand times as much in each tick as an account needs.
fn pay<T: Config>() {
	let who: T::AccountId = account("payer", 0, 0);
	let price = <T::Currency as frame_support::traits::fungible::Inspect<_>>::minimum_balance()
		.saturating_mul(1_000)
		.max(1);
	let ticks = T::Era::get().saturating_mul(100);
	let ends = T::Clock::now().saturating_add(ticks).next_multiple_of(T::Era::get());
	let amount = price.saturating_mul(u128::from(ends));
	T::Currency::set_balance(&who, amount.saturating_mul(2));
	<Rewards<T> as Pot<_>>::fund(&who, amount).expect("the payer is rich; qed");
	let stream = Stream { bytes: TIB, rate: grains(price), ends };
	<Rewards<T> as Pot<_>>::flow(Stream::default(), stream);
}

/// Time passes, up to the last tick of an era.
fn pass<T: Config>() {
	let next = T::Clock::now().saturating_add(1).next_multiple_of(T::Era::get());
	T::BenchmarkHelper::set_tick(next);
}

/// A miner that has earned something.
fn earned<T: Config>() -> MinerId {
	let miner = T::BenchmarkHelper::miner();
	Rewards::<T>::on_earning_change(miner, EarningChange::Held(TIB));
	pay::<T>();
	pass::<T>();
	miner
}

/// So many second halves of bounties that are due, all to one miner.
fn kept<T: Config>(n: u8) -> Vec<FragmentId> {
	let holder = T::BenchmarkHelper::miner();
	let fragments: Vec<_> = (0..n).map(|index| FragmentId { index, ..FRAGMENT }).collect();
	let wanted = |fragment| Wanted { fragment, bytes: 8 << 20, holder, leaves: false };
	Rewards::<T>::open(fragments.iter().copied().map(wanted).collect());
	Rewards::<T>::pay(fragments.clone(), holder);
	let hold = Parameters::<T>::get().bounty_hold;
	T::BenchmarkHelper::set_tick(T::Clock::now().saturating_add(hold));
	assert_eq!(Pledges::<T>::iter().count(), fragments.len());
	fragments
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn claim() {
		let miner = earned::<T>();
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), miner);

		assert_eq!(Rewards::<T>::claimable(miner), 0);
	}

	#[benchmark]
	fn collect() {
		let fragment = kept::<T>(1)[0];
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), fragment);

		assert!(!Pledges::<T>::contains_key(fragment));
	}

	#[benchmark]
	fn burn() {
		pay::<T>();
		pass::<T>();
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller));

		assert_eq!(pallet_planaria_support::whole(Flows::<T>::get().unearned), 0);
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let params = Params { bounty_hold: 77, ..Parameters::<T>::get() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params);

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	/// With an era that ends.
	#[benchmark]
	fn on_initialize() {
		pay::<T>();
		let end = Endings::<T>::iter_keys().max().expect("something flows; qed");
		let mut flow = Rewards::<T>::flow_now();
		flow.run(end.saturating_sub(1));
		Flows::<T>::put(flow);
		T::BenchmarkHelper::set_tick(end);

		#[block]
		{
			Rewards::<T>::on_initialize(BlockNumberFor::<T>::from(1u32));
		}

		assert_eq!(Flows::<T>::get().paid, 0);
	}

	/// A tick of which every task is over.
	#[benchmark]
	fn agenda_tick() {
		let now = T::Clock::now();
		let over = vec![FRAGMENT; T::MaxTasks::get() as usize];
		AgendaNext::<T>::put(now);
		AgendaTasks::<T>::insert(now, BoundedVec::truncate_from(over));

		#[block]
		{
			AgendaOf::<T>::serve(
				now,
				&mut WeightMeter::new(),
				T::WeightInfo::agenda_tick(),
				T::WeightInfo::agenda_tasks(1),
				|_, _| None,
			);
		}

		assert_eq!(AgendaNext::<T>::get(), now.saturating_add(1));
	}

	#[benchmark]
	fn agenda_tasks(n: Linear<1, 64>) {
		let fragments = kept::<T>(u8::try_from(n).unwrap_or(u8::MAX));
		let mut due = Due::default();

		#[block]
		{
			for fragment in &fragments {
				let _ = Rewards::<T>::note_due(*fragment, &mut due);
			}
			Rewards::<T>::pay_due(due);
		}

		assert_eq!(Pledges::<T>::iter().count(), 0);
	}

	impl_benchmark_test_suite!(Rewards, crate::mock::new_test_ext(), crate::mock::Test);
}
