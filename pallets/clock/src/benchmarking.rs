// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks.

use super::*;
use frame_benchmarking::v2::*;
use frame_support::traits::{EnsureOrigin, Hooks};

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The worst case: a beacon to forget, and an event because the clock goes on.
	#[benchmark]
	fn on_initialize() {
		let now = BEACONS + 1;
		Beacons::<T>::insert(now - 1, [1; 32]);
		Beacons::<T>::insert(now - BEACONS, [2; 32]);
		Condition::<T>::mutate(|condition| condition.running = false);

		#[block]
		{
			Pallet::<T>::on_initialize(now.into());
		}

		assert!(Beacons::<T>::contains_key(now));
		assert!(!Beacons::<T>::contains_key(now - BEACONS));
	}

	/// The worst case: the last block was full and this one is not.
	#[benchmark]
	fn on_finalize() {
		Condition::<T>::mutate(|condition| condition.operational_full = true);

		#[block]
		{
			Pallet::<T>::on_finalize(1u32.into());
		}

		assert!(!Condition::<T>::get().operational_full);
	}

	#[benchmark]
	fn set_running() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, false);

		assert!(Condition::<T>::get().halted);
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
