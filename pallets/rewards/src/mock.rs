// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with a pot, real balances, and stand-ins for the clock and the miners.

use crate::{self as pallet_planaria_rewards, Params};
use frame_support::{
	PalletId, derive_impl,
	pallet_prelude::*,
	parameter_types, storage_alias,
	traits::{
		ConstU32, ConstU128,
		fungible::Mutate,
		tokens::{Fortitude, Precision, Preservation},
	},
	weights::{RuntimeDbWeight, constants::RocksDbWeight},
};
use frame_system::EnsureRoot;
use pallet_planaria_support::{
	Bounties, Clock, Collateral, EarningChange, MinerDirectory, MinerInfo, OnEarningChange, Pot,
	Standing, Stream, Wanted,
};
use planaria_primitives::{FragmentId, Hash, MinerId, SegmentId, Tick};
use sp_runtime::BuildStorage;

pub type AccountId = u64;
pub type Balance = u128;

/// Somebody who pays, and can.
pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
/// What everybody begins with.
pub const RICH: Balance = 1_000_000_000;
/// What an account needs to exist.
pub const LEAST: Balance = 10;
/// How many ticks an era has.
pub const ERA: Tick = 10;
/// How many miners there are.
pub const MINERS: u32 = 5;
/// A fragment of 8 MiB is worth 108.
pub const PARAMS: Params = Params { bounty_base: 8, bounty_per_gib: 12_800, bounty_hold: 50 };

#[frame_support::runtime]
mod runtime {
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
	pub type Rewards = pallet_planaria_rewards;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
	type DbWeight = DbWeight;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<LEAST>;
	type AccountStore = System;
}

parameter_types! {
	pub const DbWeight: RuntimeDbWeight = RocksDbWeight::get();
	pub const PotId: PalletId = PalletId(*b"plan/pot");
	pub AgendaWeight: Weight = Weight::from_parts(200_000_000_000, 8 << 20);
}

impl crate::Config for Test {
	type Currency = Balances;
	type Clock = MockClock;
	type Directory = MockMiners;
	type Collateral = MockMiners;
	type AdminOrigin = EnsureRoot<AccountId>;
	type PotId = PotId;
	type Era = ConstU32<ERA>;
	type MaxTasks = ConstU32<4>;
	type AgendaWeight = AgendaWeight;
	type WeightInfo = crate::weights::SubstrateWeight<Test>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = MockMiners;
}

#[storage_alias]
type Now = StorageValue<Mock, Tick, ValueQuery>;

#[derive(Debug)]
pub struct MockClock;

impl MockClock {
	pub fn set(now: Tick) {
		Now::put(now);
	}
}

impl Clock for MockClock {
	fn now() -> Tick {
		Now::get()
	}

	fn beacon_at(_: u32) -> Option<Hash> {
		None
	}
}

#[storage_alias]
type Gone = StorageMap<Mock, Identity, MinerId, ()>;

/// The miners 0 to 4. The collateral of each is what its stash has.
#[derive(Debug)]
pub struct MockMiners;

impl MockMiners {
	/// The account that has the collateral of this miner.
	pub fn stash(miner: u32) -> AccountId {
		1_000 + u64::from(miner)
	}

	/// The account that receives what this miner earns. It does not exist at first.
	pub fn payee(miner: u32) -> AccountId {
		2_000 + u64::from(miner)
	}

	pub fn remove(miner: u32) {
		Gone::insert(MinerId(miner), ());
	}
}

impl MinerDirectory<AccountId> for MockMiners {
	fn by_account(_: &AccountId) -> Option<MinerId> {
		None
	}

	fn get(miner: MinerId) -> Option<MinerInfo<AccountId>> {
		let there = miner.0 < MINERS && !Gone::contains_key(miner);
		there.then(|| MinerInfo {
			stash: Self::stash(miner.0),
			payee: Self::payee(miner.0),
			standing: Standing::Serving,
		})
	}
}

impl Collateral<AccountId, Balance> for MockMiners {
	fn required(_: MinerId) -> Balance {
		0
	}

	/// 128 for 8 MiB.
	fn for_bytes(bytes: u64) -> Balance {
		u128::from(bytes >> 16)
	}

	fn pay(miner: MinerId, to: Option<&AccountId>, amount: Balance) -> Balance {
		let stash = Self::stash(miner.0);
		let amount = amount.min(Balances::free_balance(stash).saturating_sub(LEAST));
		let moved = match to {
			Some(to) => Balances::transfer(&stash, to, amount, Preservation::Preserve),
			None => Balances::burn_from(
				&stash,
				amount,
				Preservation::Preserve,
				Precision::Exact,
				Fortitude::Polite,
			),
		};
		moved.unwrap_or_default()
	}

	fn give(miner: MinerId, from: &AccountId, amount: Balance) -> Balance {
		if Gone::contains_key(miner) {
			return 0;
		}
		Balances::transfer(from, &Self::stash(miner.0), amount, Preservation::Preserve)
			.unwrap_or_default()
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper for MockMiners {
	fn miner() -> MinerId {
		Balances::set_balance(&Self::stash(0), RICH);
		MinerId(0)
	}

	fn set_tick(tick: Tick) {
		MockClock::set(tick);
	}
}

/// Time passes, block by block.
pub fn pass(ticks: Tick) {
	for _ in 0..ticks {
		MockClock::set(Now::get() + 1);
		System::set_block_number(System::block_number() + 1);
		Rewards::on_initialize(System::block_number());
	}
}

/// A block in which the agenda is served.
pub fn poll() {
	let mut meter = frame_support::weights::WeightMeter::new();
	Rewards::on_poll(System::block_number(), &mut meter);
}

pub fn now() -> Tick {
	Now::get()
}

/// This miner holds so many bytes from now on.
pub fn holds(miner: u32, bytes: u64) {
	Rewards::on_earning_change(MinerId(miner), EarningChange::Held(bytes));
}

/// This miner earns, or does not.
pub fn earns(miner: u32, earns: bool) {
	Rewards::on_earning_change(MinerId(miner), EarningChange::Earns(earns));
}

/// This miner departs.
pub fn departs(miner: u32) {
	let payee = MockMiners::payee(miner);
	Rewards::on_earning_change(MinerId(miner), EarningChange::Departed { payee });
	MockMiners::remove(miner);
}

/// What a payee has.
pub fn received(miner: u32) -> Balance {
	Balances::free_balance(MockMiners::payee(miner))
}

/// A stream of so many bytes at a price of so many parts for 2^40 of them, up to a tick.
pub fn stream(bytes: u64, price: u128, ends: Tick) -> Stream {
	Stream { bytes, rate: price * u128::from(bytes), ends }
}

/// Nothing flows.
pub const NOTHING: Stream = Stream { bytes: 0, rate: 0, ends: 0 };

/// Alice pays so much, and lets it flow.
pub fn pay(amount: Balance, stream: Stream) {
	<Rewards as Pot<_>>::fund(&ALICE, amount).expect("Alice is rich");
	<Rewards as Pot<_>>::flow(NOTHING, stream);
}

pub fn fragment(n: u8) -> FragmentId {
	FragmentId { segment: SegmentId(7), index: n }
}

pub fn open(n: u8, bytes: u64, holder: u32, leaves: bool) {
	open_all(&[n], bytes, holder, leaves);
}

/// Orders open for these fragments together.
pub fn open_all(numbers: &[u8], bytes: u64, holder: u32, leaves: bool) {
	let holder = MinerId(holder);
	let wanted = |n: &u8| Wanted { fragment: fragment(*n), bytes, holder, leaves };
	<Rewards as Bounties<_>>::open(numbers.iter().map(wanted).collect());
}

pub fn new_test_ext() -> sp_io::TestExternalities {
	let stashes = (0..MINERS).map(|miner| (MockMiners::stash(miner), 1_000));
	let balances = [(ALICE, RICH), (BOB, RICH)].into_iter().chain(stashes).collect();
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
		rewards: crate::GenesisConfig { params: PARAMS, ..Default::default() },
		..Default::default()
	};
	let mut ext: sp_io::TestExternalities =
		config.build_storage().expect("the genesis is sound").into();
	ext.execute_with(|| {
		System::set_block_number(1);
		MockClock::set(1);
	});
	ext
}

/// Runs a test. Nothing was made or lost by it but what was burnt, and the properties hold.
pub fn execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		check();
	});
}

/// The properties, and that the pot has exactly what its ledgers say.
pub fn check() {
	Rewards::do_try_state().expect("the properties hold");
	let parts = crate::Pledged::<Test>::get() + LEAST;
	let owed = pallet_planaria_support::grains(parts) + crate::Flows::<Test>::get().total();
	let has = pallet_planaria_support::grains(Balances::free_balance(Rewards::pot()));
	assert_eq!(has, owed, "the pot has what its ledgers say");
}

/// The pallet's events since the last time.
pub fn events() -> Vec<crate::Event<Test>> {
	let events = System::events().into_iter().filter_map(|record| match record.event {
		RuntimeEvent::Rewards(event) => Some(event),
		_ => None,
	});
	let events = events.collect();
	System::reset_events();
	events
}
