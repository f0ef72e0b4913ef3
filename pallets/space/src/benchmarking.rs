// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks of the calls, and of what the agenda does.

use crate::{Pallet as SpacePallet, *};
use alloc::vec;
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec,
	traits::{EnsureOrigin, Get},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use pallet_planaria_support::{Clock, SpaceLedger};
use planaria_primitives::Tick;

/// What the benchmarks need of the runtime.
pub trait BenchmarkHelper<AccountId> {
	/// Gives an account as much as anything here may cost.
	fn fund(who: &AccountId);

	/// Sets the clock.
	fn set_tick(tick: Tick);
}

/// An account with space, in which something is stored.
fn bought<T: Config>() -> T::AccountId {
	let who: T::AccountId = whitelisted_caller();
	T::BenchmarkHelper::fund(&who);
	let params = Parameters::<T>::get();
	let ticks = params.grace.saturating_add(10);
	SpacePallet::<T>::do_buy(&who, params.min_bytes.saturating_mul(2), ticks)
		.expect("the caller can pay; qed");
	SpacePallet::<T>::reserve(&who, &who, params.min_bytes).expect("there is room; qed");
	who
}

fn authorised<T: Config>(who: &T::AccountId, operators: u32) {
	for n in 0..operators {
		let operator = account("operator", n, 0);
		SpacePallet::<T>::do_authorise(who.clone(), operator, 1, 1).expect("few enough; qed");
	}
}

fn record<T: Config>(who: &T::AccountId) -> Space {
	Spaces::<T>::get(who).expect("it was bought; qed")
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn buy() {
		let who: T::AccountId = whitelisted_caller();
		T::BenchmarkHelper::fund(&who);
		let params = Parameters::<T>::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), params.min_bytes, params.grace.saturating_add(10));

		assert!(Spaces::<T>::contains_key(who));
	}

	#[benchmark]
	fn grow() {
		let who = bought::<T>();
		let before = record::<T>(&who).bytes;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), before);

		assert_eq!(record::<T>(&who).bytes, before.saturating_mul(2));
	}

	#[benchmark]
	fn renew() {
		let who = bought::<T>();
		let before = record::<T>(&who).until;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), T::Era::get());

		assert!(record::<T>(&who).until > before);
	}

	#[benchmark]
	fn authorise() {
		let who = bought::<T>();
		let operator: T::AccountId = account("operator", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), operator, 7, 7);

		assert_eq!(record::<T>(&who).operators, 1);
	}

	#[benchmark]
	fn revoke() {
		let who = bought::<T>();
		authorised::<T>(&who, 1);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), account("operator", 0, 0));

		assert_eq!(record::<T>(&who).operators, 0);
	}

	#[benchmark]
	fn close() {
		let who = bought::<T>();
		authorised::<T>(&who, T::MaxOperators::get());
		let reserved = record::<T>(&who).reserved;
		SpacePallet::<T>::release(&who, &who, reserved, T::Clock::now());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Spaces::<T>::contains_key(who));
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let params = Params { min_bytes: 77, ..Parameters::<T>::get() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params);

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	/// A full page, and a tick that had another one.
	#[benchmark]
	fn agenda_page() {
		let now = T::Clock::now();
		let gone = vec![account("gone", 0, 0); T::TasksPerPage::get() as usize];
		AgendaNext::<T>::put(now);
		AgendaPages::<T>::insert(now, (1, 1));
		AgendaTasks::<T>::insert((now, 1), BoundedVec::truncate_from(gone));

		#[block]
		{
			AgendaOf::<T>::serve(
				now,
				&mut WeightMeter::new(),
				T::WeightInfo::agenda_page(),
				SpacePallet::<T>::task_weight(),
				|_, _, _| (),
			);
		}

		assert_eq!(AgendaNext::<T>::get(), now.saturating_add(1));
	}

	/// A space whose grace begins.
	#[benchmark]
	fn agenda_task() {
		let who = bought::<T>();
		let look = record::<T>(&who).look;
		AgendaNext::<T>::put(look);
		T::BenchmarkHelper::set_tick(look);

		#[block]
		{
			SpacePallet::<T>::serve_agenda(&mut WeightMeter::new());
		}

		assert!(record::<T>(&who).look > look);
	}

	/// A space that was put down for another tick.
	#[benchmark]
	fn agenda_nothing() {
		let who = bought::<T>();
		let look = record::<T>(&who).look;
		let now = T::Clock::now();

		#[block]
		{
			let at = look.saturating_add(1);
			SpacePallet::<T>::look_at(at, who.clone(), now, &mut WeightMeter::new());
		}

		assert_eq!(record::<T>(&who).look, look);
	}

	/// What a step changes beside the files.
	#[benchmark]
	fn step() {
		let who = bought::<T>();
		let now = T::Clock::now().saturating_add(1);
		T::BenchmarkHelper::set_tick(now);

		#[block]
		{
			SpacePallet::<T>::change(&who, |space| space.reserved = 0);
		}

		assert_eq!(record::<T>(&who).occupied(), 0);
	}

	impl_benchmark_test_suite!(SpacePallet, crate::mock::new_test_ext(), crate::mock::Test);
}
