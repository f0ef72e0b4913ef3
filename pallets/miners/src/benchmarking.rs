// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks. They run with a keystore, in which they make the keys that sign.

use crate::*;
use alloc::vec;
use frame_benchmarking::v2::*;
use frame_support::traits::{EnsureOrigin, Get, fungible::Mutate};
use frame_system::RawOrigin;
use planaria_primitives::{
	Tick,
	duty::{DutyKind, signed_bytes},
};
use sp_core::{H256, crypto::KeyTypeId, ed25519, sr25519};
use sp_runtime::{Saturating, traits::Bounded};
use support::{Clock as _, DutyGate as _, hot_key};

/// What the benchmarks need of the runtime.
pub trait BenchmarkHelper {
	/// Sets the clock.
	fn set_tick(tick: Tick);

	/// Has the other pallets keep as much about a miner as can be left to settle when it departs.
	fn burden(miner: MinerId);
}

const KEYS: KeyTypeId = hot_key::KEY_TYPE;

/// A block old enough for every anchor.
const NOW: u32 = 1000;

fn new_hot_key<T: Config>(stash: &AccountId32) -> (sr25519::Public, sr25519::Signature) {
	let key = sp_io::crypto::sr25519_generate(KEYS, None);
	let bytes = Pallet::<T>::bytes_to_prove(stash);
	let proof = sp_io::crypto::sr25519_sign(KEYS, &key, &bytes);
	(key, proof.expect("the keystore has the key; qed"))
}

/// As large as an endpoint can be.
fn new_endpoint<T: Config>(stash: &AccountId32) -> (Endpoint, ed25519::Signature) {
	let key = sp_io::crypto::ed25519_generate(KEYS, None);
	let bytes = Pallet::<T>::bytes_to_prove(stash);
	let proof = sp_io::crypto::ed25519_sign(KEYS, &key, &bytes);
	let addr = vec![b'a'; 128].try_into().expect("128 characters are allowed; qed");
	let addrs = vec![addr; 4].try_into().expect("four addresses are allowed; qed");
	(Endpoint { key: key.0, addrs }, proof.expect("the keystore has the key; qed"))
}

fn collateral<T: Config>() -> BalanceOf<T> {
	Parameters::<T>::get().required(GIB).saturating_mul(2u32.into()).max(1000u32.into())
}

fn funded_stash<T: Config>() -> AccountId32 {
	frame_system::Pallet::<T>::set_block_number(NOW.into());
	T::BenchmarkHelper::set_tick(NOW);
	let stash: AccountId32 = account("stash", 0, 0);
	let funds = (BalanceOf::<T>::max_value() / 4u32.into())
		.min(collateral::<T>().saturating_mul(1000u32.into()));
	T::Currency::set_balance(&stash, funds);
	stash
}

/// A miner that serves, its id and its stash.
fn miner<T: Config>() -> (MinerId, AccountId32) {
	let stash = funded_stash::<T>();
	let (hot_key, hot_proof) = new_hot_key::<T>(&stash);
	let (endpoint, endpoint_proof) = new_endpoint::<T>(&stash);
	let id = NextMiner::<T>::get();
	let registered = Pallet::<T>::register(
		RawOrigin::Signed(stash.clone()).into(),
		hot_key,
		hot_proof,
		endpoint,
		endpoint_proof,
		T::MaxDeclared::get(),
		stash.clone(),
		collateral::<T>(),
	);
	registered.expect("the keys are new and the stash has funds; qed");
	(id, stash)
}

/// A miner that was not seen for as long as it takes, and was marked absent.
fn absent_miner<T: Config>() -> (MinerId, AccountId32) {
	let (id, stash) = miner::<T>();
	pass::<T>(Parameters::<T>::get().absent_after);
	let marked = Pallet::<T>::mark_absent(RawOrigin::Signed(stash.clone()).into(), id);
	marked.expect("the miner was not seen; qed");
	// It belongs to an outage that is over.
	OutageState::<T>::put(Outage { since: 0, first: 0, bytes: 0 });
	(id, stash)
}

/// A miner whose cooldown is over.
fn departed_miner<T: Config>() -> (MinerId, AccountId32) {
	let (id, stash) = miner::<T>();
	Pallet::<T>::exit(RawOrigin::Signed(stash.clone()).into()).expect("the miner serves; qed");
	let finished = Pallet::<T>::finish(RawOrigin::Signed(stash.clone()).into(), id);
	finished.expect("the miner holds nothing; qed");
	pass::<T>(Parameters::<T>::get().cooldown);
	(id, stash)
}

/// More than this many ticks pass.
fn pass<T: Config>(ticks: Tick) {
	T::BenchmarkHelper::set_tick(T::Clock::now().saturating_add(ticks).saturating_add(1));
}

/// The miner's signature of a duty anchored to the last block.
fn signed<T: Config>(
	id: MinerId,
	kind: DutyKind,
	items: &impl codec::Encode,
) -> (u32, Option<hot_key::Signature>) {
	let hash = H256::repeat_byte(7);
	frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::from(NOW - 1), hash);
	let key = Miners::<T>::get(id).expect("the miner is registered; qed").hot_key;
	let bytes = signed_bytes(&hash.0, id, kind, items);
	let signature = sp_io::crypto::sr25519_sign(KEYS, &key, &bytes);
	(NOW - 1, signature.map(Into::into))
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register() {
		let stash = funded_stash::<T>();
		let (hot_key, hot_proof) = new_hot_key::<T>(&stash);
		let (endpoint, endpoint_proof) = new_endpoint::<T>(&stash);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(stash.clone()),
			hot_key,
			hot_proof,
			endpoint,
			endpoint_proof,
			T::MaxDeclared::get(),
			stash.clone(),
			collateral::<T>(),
		);

		assert!(ByAccount::<T>::contains_key(stash));
	}

	#[benchmark]
	fn set_endpoint() {
		let (id, stash) = miner::<T>();
		let (endpoint, proof) = new_endpoint::<T>(&stash);
		let key = endpoint.key;

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), endpoint, proof);

		assert_eq!(ByEndpoint::<T>::get(key), Some(id));
	}

	#[benchmark]
	fn set_hot_key() {
		let (id, stash) = miner::<T>();
		let (key, proof) = new_hot_key::<T>(&stash);

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), key, proof);

		assert_eq!(ByAccount::<T>::get(AccountId32::from(key)), Some(id));
	}

	#[benchmark]
	fn set_payee() {
		let (id, stash) = miner::<T>();
		let payee: AccountId32 = account("payee", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), payee.clone());

		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.payee == payee));
	}

	#[benchmark]
	fn set_declared() {
		let (id, stash) = miner::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), 0);

		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.declared == 0));
	}

	#[benchmark]
	fn top_up() {
		let (id, stash) = miner::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), collateral::<T>());

		let added = collateral::<T>().saturating_mul(2u32.into());
		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.collateral == added));
	}

	/// The worst case: the miner has departed, and its record is removed.
	#[benchmark]
	fn withdraw() {
		let (id, stash) = departed_miner::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), 0u32.into());

		assert!(!Miners::<T>::contains_key(id));
	}

	#[benchmark]
	fn exit() {
		let (id, stash) = miner::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(stash));

		assert!(
			Miners::<T>::get(id).is_some_and(|miner| matches!(miner.phase, Phase::Leaving { .. }))
		);
	}

	/// The worst case: the miner is absent, and leaves much to settle.
	#[benchmark]
	fn finish() -> Result<(), BenchmarkError> {
		let (id, stash) = absent_miner::<T>();
		Pallet::<T>::exit(RawOrigin::Signed(stash.clone()).into())?;
		T::BenchmarkHelper::burden(id);

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), id);

		assert!(!Loads::<T>::contains_key(id));
		Ok(())
	}

	/// The worst case: the miner was absent.
	#[benchmark]
	fn alive() {
		let (id, _) = absent_miner::<T>();
		let (anchor, signature) = signed::<T>(id, DutyKind::Alive, &());

		#[extrinsic_call]
		_(RawOrigin::Authorized, id, anchor, signature);

		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.absence.is_none()));
	}

	#[benchmark]
	fn mark_absent() {
		let (id, stash) = miner::<T>();
		pass::<T>(Parameters::<T>::get().absent_after);

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), id);

		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.absence.is_some()));
	}

	#[benchmark]
	fn expel_absent() {
		let (id, stash) = absent_miner::<T>();
		pass::<T>(Parameters::<T>::get().absent_max);

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), id);

		assert!(Miners::<T>::get(id).is_some_and(|miner| miner.phase == Phase::Expelled));
	}

	#[benchmark]
	fn tidy() {
		let (id, stash) = departed_miner::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(stash), id);

		assert!(!Miners::<T>::contains_key(id));
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let params = ParamsOf::<T> { brake_window: 7, ..Parameters::<T>::get() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params.clone());

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	#[benchmark]
	fn authorize_duty(b: Linear<0, { MAX_DUTY_BYTES - 4 }>) -> Result<(), BenchmarkError> {
		let (id, _) = miner::<T>();
		let items = vec![7u8; b as usize];
		let (anchor, signature) = signed::<T>(id, DutyKind::Report, &items);

		#[block]
		{
			Pallet::<T>::authorize(DutyKind::Report, id, anchor, &items, &signature)
				.map_err(|_| "the duty is refused")?;
		}

		Ok(())
	}

	/// The worst case: the miner was absent.
	#[benchmark]
	fn enter_duty() -> Result<(), BenchmarkError> {
		let (id, _) = absent_miner::<T>();

		#[block]
		{
			Pallet::<T>::enter(RawOrigin::Authorized.into(), DutyKind::Report, id, NOW - 1)?;
		}

		assert!(Loads::<T>::get(id).is_some_and(|load| load.last_seen == T::Clock::now()));
		Ok(())
	}

	#[benchmark]
	fn enter_duty_again() -> Result<(), BenchmarkError> {
		let (id, _) = absent_miner::<T>();
		Pallet::<T>::enter(RawOrigin::Authorized.into(), DutyKind::Ready, id, NOW - 1)?;
		pass::<T>(1);

		#[block]
		{
			Pallet::<T>::enter(RawOrigin::Authorized.into(), DutyKind::Report, id, NOW - 1)?;
		}

		assert!(Loads::<T>::get(id).is_some_and(|load| load.last_seen == T::Clock::now()));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
