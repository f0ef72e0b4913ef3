// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with miners in it, whose clock the tests set.

use crate as pallet_planaria_miners;
use crate::{Endpoint, GIB, Params, ParamsOf};
use codec::Encode;
use frame_support::{derive_impl, dispatch::DispatchResult, parameter_types};
use frame_system::EnsureRoot;
use pallet_planaria_support::{Clock, EarningChange, OnEarningChange, hot_key};
use planaria_primitives::{
	Hash, MinerId, Tick,
	duty::{DutyKind, registration_bytes, signed_bytes},
};
use sp_core::{H256, Pair, ed25519, sr25519};
use sp_io::TestExternalities;
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::{AccountId32, BuildStorage, Percent, traits::IdentityLookup};
use std::collections::BTreeMap;

pub type Balance = u128;

#[frame_support::runtime]
mod test_runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(2)]
	pub type Miners = pallet_planaria_miners;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlockU32<Test>;
	type BlockHashCount = frame_support::traits::ConstU32<250>;
	type AccountId = AccountId32;
	type Lookup = IdentityLookup<AccountId32>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

parameter_types! {
	pub const ExistentialDeposit: Balance = 10;
	pub const MaxDeclared: u64 = 1 << 50;
	pub storage Now: Tick = 0;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ExistentialDeposit;
	type AccountStore = System;
}

#[derive(Debug)]
pub struct MockClock;

impl Clock for MockClock {
	fn now() -> Tick {
		Now::get()
	}

	fn beacon_at(_: u32) -> Option<Hash> {
		None
	}
}

parameter_types! {
	/// What each miner is paid for, as the pallet has told.
	pub storage Earnings: BTreeMap<MinerId, (u64, bool)> = BTreeMap::new();
	/// Who was to be paid as they departed.
	pub storage Departed: Vec<(MinerId, AccountId32)> = Vec::new();
}

/// Keeps what it is told.
#[derive(Debug)]
pub struct MockRewards;

impl OnEarningChange<AccountId32> for MockRewards {
	fn on_earning_change(miner: MinerId, change: EarningChange<AccountId32>) {
		let mut all = Earnings::get();
		let earning = all.entry(miner).or_insert((0, true));
		match change {
			EarningChange::Held(held) => earning.0 = held,
			EarningChange::Earns(earns) => earning.1 = earns,
			EarningChange::Departed { payee } => {
				all.remove(&miner);
				Departed::set(&[Departed::get(), vec![(miner, payee)]].concat());
			},
		}
		Earnings::set(&all);
	}
}

/// That what was told is what is.
pub fn check_earnings() {
	for (id, miner) in crate::Miners::<Test>::iter() {
		let Some(load) = crate::Loads::<Test>::get(id) else {
			assert!(!Earnings::get().contains_key(&id), "a miner that departed earns");
			continue;
		};
		let expected = (load.held, miner.earns());
		assert_eq!(Earnings::get().get(&id).copied().unwrap_or((0, true)), expected);
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper for MockClock {
	fn set_tick(tick: Tick) {
		Now::set(&tick);
	}

	fn burden(_: MinerId) {}
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Clock = MockClock;
	type OnEarningChange = MockRewards;
	type AdminOrigin = EnsureRoot<AccountId32>;
	type MaxDeclared = MaxDeclared;
	type OnDeparture = ();
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = MockClock;
}

/// What everybody has at first.
pub const FUNDS: Balance = 1_000_000;

/// What every test miner puts on hold: enough for 90 GiB.
pub const COLLATERAL: Balance = 1_000;

/// What every test miner offers.
pub const DECLARED: u64 = 1000 * GIB;

/// The base is 100, and a GiB costs 10. No number stands in two places.
pub fn params() -> ParamsOf<Test> {
	Params {
		collateral_base: 100,
		collateral_per_gib: 10,
		wrong_proof_fee: 7,
		absent_after: 60,
		absent_max: 500,
		alive_every: 30,
		cooldown: 200,
		max_claims: 3,
		room_floor: 20 * GIB,
		brake_window: 140,
		brake_share: Percent::from_percent(10),
	}
}

/// The stash of test miner `n`.
pub fn stash(n: u8) -> AccountId32 {
	AccountId32::new([n; 32])
}

/// Somebody who is no miner.
pub fn somebody() -> AccountId32 {
	stash(200)
}

pub fn hot_pair(n: u8) -> sr25519::Pair {
	sr25519::Pair::from_seed(&[n; 32])
}

pub fn hot_account(n: u8) -> AccountId32 {
	hot_pair(n).public().into()
}

pub fn endpoint_pair(n: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[n; 32])
}

pub fn endpoint(n: u8) -> Endpoint {
	let addr = b"198.51.100.7:4410".to_vec().try_into().expect("it is short enough");
	let addrs = vec![addr].try_into().expect("it is one");
	Endpoint { key: endpoint_pair(n).public().0, addrs }
}

pub fn genesis() -> Hash {
	System::block_hash(0).0
}

/// What keys sign to be registered by test miner `n`'s stash.
pub fn to_prove(n: u8) -> Vec<u8> {
	registration_bytes(&genesis(), stash(n).as_ref())
}

pub fn hot_proof(key: u8, of: u8) -> sr25519::Signature {
	hot_pair(key).sign(&to_prove(of))
}

pub fn endpoint_proof(key: u8, of: u8) -> ed25519::Signature {
	endpoint_pair(key).sign(&to_prove(of))
}

/// Registers test miner `n` with keys made of the numbers given.
pub fn register_with(n: u8, hot: u8, end: u8, collateral: Balance) -> DispatchResult {
	Miners::register(
		RuntimeOrigin::signed(stash(n)),
		hot_pair(hot).public(),
		hot_proof(hot, n),
		endpoint(end),
		endpoint_proof(end, n),
		DECLARED,
		stash(n),
		collateral,
	)
}

/// Registers test miner `n`, and returns its id.
#[track_caller]
pub fn register(n: u8) -> MinerId {
	register_with(n, n, n, COLLATERAL).expect("it can be registered");
	crate::ByAccount::<Test>::get(stash(n)).expect("it was registered")
}

/// The duty of test miner `n`, anchored to `anchor`.
pub fn sign_duty(
	n: u8,
	miner: MinerId,
	kind: DutyKind,
	anchor: u32,
	items: &impl Encode,
) -> Option<hot_key::Signature> {
	let hash = System::block_hash(anchor);
	let bytes = signed_bytes(&hash.0, miner, kind, items);
	Some(hot_pair(n).sign(&bytes).into())
}

/// Goes to block `number`; every block on the way has a hash of its own.
pub fn go_to_block(number: u32) {
	for block in System::block_number()..number {
		let hash = H256::from_low_u64_be(u64::from(block) + 1000);
		frame_system::BlockHash::<Test>::insert(block, hash);
	}
	System::set_block_number(number);
}

pub fn pass(ticks: Tick) {
	Now::set(&(Now::get() + ticks));
}

pub fn new_test_ext() -> TestExternalities {
	let storage = RuntimeGenesisConfig {
		miners: crate::GenesisConfig { params: params() },
		balances: pallet_balances::GenesisConfig {
			balances: (1..=20).chain([200]).map(|n| (stash(n), FUNDS)).collect(),
			..Default::default()
		},
		..Default::default()
	};
	let mut ext = TestExternalities::new(storage.build_storage().expect("it is valid"));
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	ext.execute_with(|| {
		frame_system::BlockHash::<Test>::insert(0, H256::repeat_byte(0xee));
		System::set_block_number(1);
		go_to_block(100);
		pass(1000);
	});
	ext
}

/// Runs `test`, and checks the state after it.
pub fn execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		Miners::do_try_state().expect("the state is consistent");
		check_earnings();
	});
}

/// The pallet's events so far, the oldest first; they are forgotten.
pub fn events() -> Vec<crate::Event<Test>> {
	let records = System::events().into_iter();
	let events = records
		.filter_map(|record| match record.event {
			RuntimeEvent::Miners(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}
