// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with space, real balances, and stand-ins for the clock, the pot and the files.

use crate::{self as pallet_planaria_space, Params, TIB};
use frame_support::{
	derive_impl,
	pallet_prelude::*,
	parameter_types, storage_alias,
	traits::{ConstU32, ConstU64, ConstU128, fungible::Mutate, tokens::Preservation},
	weights::{RuntimeDbWeight, WeightMeter, constants::RocksDbWeight},
};
use frame_system::EnsureRoot;
use pallet_planaria_support::{
	Clock, Grains, Lapsed, OnSpaceLapsed, Pot, SpaceLedger, Stream, grains, whole,
};
use planaria_primitives::{FileIndex, Hash, Tick};
use sp_runtime::BuildStorage;
use std::collections::BTreeMap;

pub type AccountId = u64;
pub type Balance = u128;

pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
pub const CHARLIE: AccountId = 3;
/// Where what is paid in advance is kept.
pub const POT: AccountId = 99;
/// What everybody begins with.
pub const RICH: Balance = 1_000_000_000;
/// How many ticks an era has.
pub const ERA: Tick = 10;
/// A TiB costs 7 for a tick.
pub const PARAMS: Params =
	Params { price: 7, grace: 25, min_bytes: TIB, max_ticks: 1_000, deposit: 30 };

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
	pub type Space = pallet_planaria_space;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
	type DbWeight = DbWeight;
	type BlockWeights = BlockWeights;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<10>;
	type AccountStore = System;
	type RuntimeHoldReason = RuntimeHoldReason;
}

parameter_types! {
	pub const DbWeight: RuntimeDbWeight = RocksDbWeight::get();
	pub BlockWeights: frame_system::limits::BlockWeights =
		frame_system::limits::BlockWeights::with_sensible_defaults(
			Weight::from_parts(2_000_000_000_000, 64 << 20),
			sp_runtime::Perbill::from_percent(75),
		);
	pub AgendaWeight: Weight = Weight::from_parts(200_000_000_000, 8 << 20);
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Clock = MockClock;
	type Pot = MockPot;
	type OnSpaceLapsed = MockFiles;
	type AdminOrigin = EnsureRoot<AccountId>;
	type Era = ConstU32<ERA>;
	type MaxBytes = ConstU64<{ 100 * TIB }>;
	type MaxOperators = ConstU32<3>;
	type TasksPerPage = ConstU32<4>;
	type AgendaWeight = AgendaWeight;
	type WeightInfo = crate::weights::SubstrateWeight<Test>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = MockFiles;
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

/// What flows: bytes and rate, by the tick it ends at. Signed, so that what is taken off and was
/// not there shows.
#[storage_alias]
type Flowing = StorageValue<Mock, BTreeMap<Tick, (i128, i128)>, ValueQuery>;

/// An account, and what flows out of it.
#[derive(Debug)]
pub struct MockPot;

impl MockPot {
	/// What flows now, by the tick it ends at: bytes, and grains for each tick.
	pub fn flowing() -> BTreeMap<Tick, (i128, i128)> {
		Flowing::get()
	}
}

impl Pot<AccountId> for MockPot {
	fn fund(from: &AccountId, amount: u128) -> DispatchResult {
		Balances::transfer(from, &POT, amount, Preservation::Preserve).map(drop)
	}

	fn refund(to: &AccountId, left: Grains) -> u128 {
		Balances::transfer(&POT, to, whole(left), Preservation::Preserve)
			.expect("what is left is there")
	}

	fn flow(before: Stream, after: Stream) {
		let mut all = Flowing::get();
		for (sign, stream) in [(-1, before), (1, after)] {
			if stream.ends > now() {
				let entry = all.entry(stream.ends).or_default();
				entry.0 += sign * i128::from(stream.bytes);
				entry.1 += sign * i128::try_from(stream.rate).expect("a small rate");
			}
		}
		all.retain(|ends, (bytes, rate)| *ends > now() && (*bytes, *rate) != (0, 0));
		Flowing::put(all);
	}
}

/// A file, as the stand-in keeps it: its owner, who ordered it, its bytes, whether it is stored and
/// when it was ordered.
pub type MockFile = (AccountId, AccountId, u64, bool, Tick);

#[storage_alias]
type Stored = StorageMap<Mock, Identity, FileIndex, MockFile>;
#[storage_alias]
type NextFile = StorageValue<Mock, u64, ValueQuery>;

/// Keeps files, and tells space of them as the real one does.
#[derive(Debug)]
pub struct MockFiles;

impl MockFiles {
	pub fn order(owner: AccountId, by: AccountId, bytes: u64) -> Result<FileIndex, DispatchError> {
		Space::reserve(&owner, &by, bytes)?;
		let file = FileIndex(NextFile::mutate(|next| {
			*next += 1;
			*next - 1
		}));
		Stored::insert(file, (owner, by, bytes, false, now()));
		Ok(file)
	}

	pub fn activate(file: FileIndex) {
		if let Some((owner, by, bytes, false, ordered)) = Stored::get(file) {
			Stored::insert(file, (owner, by, bytes, true, ordered));
			Space::settle(&owner, bytes);
		}
	}

	pub fn delete(file: FileIndex) {
		match Stored::take(file) {
			Some((owner, by, bytes, false, at)) => Space::release(&owner, &by, bytes, at),
			Some((owner, _, bytes, true, _)) => Space::free(&owner, bytes),
			None => {},
		}
	}

	pub fn all() -> Vec<(FileIndex, MockFile)> {
		Stored::iter().collect()
	}
}

impl OnSpaceLapsed<AccountId> for MockFiles {
	fn on_space_lapsed(payer: AccountId, after: Option<FileIndex>) -> Option<Lapsed> {
		let mut own: Vec<_> = Stored::iter().filter(|(_, file)| file.0 == payer).collect();
		own.sort();
		let (file, (_, _, bytes, active, _)) =
			own.into_iter().find(|(file, _)| after.is_none_or(|after| *file > after))?;
		Stored::remove(file);
		let (reserved, used) = if active { (0, bytes) } else { (bytes, 0) };
		Some(Lapsed { file, reserved, used })
	}

	fn weight() -> Weight {
		RocksDbWeight::get().reads_writes(3, 3)
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper<AccountId> for MockFiles {
	fn fund(who: &AccountId) {
		Balances::set_balance(who, RICH * RICH);
	}

	fn set_tick(tick: Tick) {
		MockClock::set(tick);
	}
}

pub fn now() -> Tick {
	Now::get()
}

/// Time passes, tick by tick, with a block in each.
pub fn pass(ticks: Tick) {
	for _ in 0..ticks {
		Now::put(now() + 1);
		poll();
	}
}

/// A block in which the agenda is served.
pub fn poll() {
	let mut meter = WeightMeter::new();
	Space::on_poll(System::block_number(), &mut meter);
}

pub fn new_test_ext() -> sp_io::TestExternalities {
	let balances = vec![(ALICE, RICH), (BOB, RICH), (CHARLIE, RICH), (POT, 10)];
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
		space: crate::GenesisConfig { params: PARAMS, ..Default::default() },
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

/// Runs a test, and checks the state after it.
pub fn execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		check();
	});
}

/// The pallet's properties, that what flows is what the spaces say, and that usage is exact.
pub fn check() {
	Space::do_try_state().expect("the properties hold");
	let mut flowing = BTreeMap::<Tick, (i128, i128)>::new();
	for space in crate::Spaces::<Test>::iter_values() {
		let stream = space.stream();
		if stream.ends > now() && stream.bytes > 0 {
			let entry = flowing.entry(stream.ends).or_default();
			entry.0 += i128::from(stream.bytes);
			entry.1 += i128::try_from(stream.rate).expect("a small rate");
		}
	}
	let mut actual = MockPot::flowing();
	actual.retain(|ends, _| *ends > now());
	assert_eq!(actual, flowing, "what flows");

	let mut stored = BTreeMap::<AccountId, (u64, u64)>::new();
	for (_, (owner, _, bytes, active, _)) in MockFiles::all() {
		let entry = stored.entry(owner).or_default();
		*(if active { &mut entry.1 } else { &mut entry.0 }) += bytes;
	}
	for (owner, space) in crate::Spaces::<Test>::iter() {
		let expected = stored.remove(&owner).unwrap_or_default();
		assert_eq!((space.reserved, space.used), expected, "what {owner} has stored");
	}
	assert!(stored.values().all(|bytes| *bytes == (0, 0)), "something is stored without space");

	let left = crate::Spaces::<Test>::iter_values().map(|space| space.left_at(now())).sum();
	assert!(grains(Balances::free_balance(POT)) >= left, "the pot has what is left");
}

/// The pallet's events since the last time.
pub fn events() -> Vec<crate::Event<Test>> {
	let events = System::events().into_iter().filter_map(|record| match record.event {
		RuntimeEvent::Space(event) => Some(event),
		_ => None,
	});
	let events = events.collect();
	System::reset_events();
	events
}
