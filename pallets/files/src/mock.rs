// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with files, real balances, and recording stand-ins for the pallets beside it. They
//! keep what they record in storage, so that what is reverted is not recorded.

use crate::{self as pallet_planaria_files, Params};
use frame_support::{
	derive_impl,
	pallet_prelude::*,
	parameter_types, storage_alias,
	traits::{ConstU32, ConstU128},
	weights::{RuntimeDbWeight, constants::RocksDbWeight},
};
use frame_system::{EnsureRoot, ensure_authorized, ensure_signed};
use pallet_planaria_support::{
	Clock, DutyGate, MinerCount, MinerDirectory, MinerInfo, MinerLedger, OnConfirmed,
	OnSegmentRemoved, OnSegmentStored, Purpose, SpaceLedger, Standing, hot_key,
};
use planaria_primitives::{FragmentId, Hash, MinerId, Segment, SegmentId, Tick, duty::DutyKind};
use sp_runtime::BuildStorage;

pub type AccountId = u64;
pub type Balance = u128;

pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
pub const CHARLIE: AccountId = 3;
/// May act for everybody.
pub const OPERATOR: AccountId = 4;
/// What everybody begins with.
pub const RICH: Balance = 1_000_000_000;
/// Different, and not zero, so that a wrong deposit shows.
pub const PARAMS: Params<Balance> = Params {
	deposit_base: 1_000,
	deposit_per_segment: 7,
	order_timeout: 100,
	place_timeout: 20,
	redraws: 2,
	drawn_from: MINERS + 1,
};
/// How many miners there are.
pub const MINERS: u32 = 128;

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
	pub type Files = pallet_planaria_files;
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
	pub MaxAgendaWeight: Weight = Weight::from_parts(200_000_000_000, 8 << 20);
}

impl crate::Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Clock = MockClock;
	type MinerLedger = MockMiners;
	type MinerCount = MockMiners;
	type DutyGate = MockGate;
	type SpaceLedger = MockSpace;
	type OnSegmentRemoved = MockRestore;
	type OnSegmentStored = MockAudit;
	type OnConfirmed = MockAudit;
	type AdminOrigin = EnsureRoot<AccountId>;
	type MaxBatch = ConstU32<128>;
	type TasksPerPage = ConstU32<8>;
	type MaxAgendaWeight = MaxAgendaWeight;
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

	/// That of each of the last 256 blocks.
	fn beacon_at(block: u32) -> Option<Hash> {
		let now = u32::try_from(System::block_number()).expect("few blocks");
		let kept = now.saturating_sub(255)..=now;
		kept.contains(&block).then(|| sp_io::hashing::blake2_256(&block.encode()))
	}
}

/// A miner's bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Load {
	pub held: u64,
	pub fragments: u32,
	pub placed: u64,
	pub claimed: u64,
}

#[storage_alias]
type Loads = StorageMap<Mock, Identity, MinerId, Load, ValueQuery>;
#[storage_alias]
type Standings = StorageMap<Mock, Identity, MinerId, Standing>;
#[storage_alias]
type Capacities = StorageMap<Mock, Identity, MinerId, u64>;
#[storage_alias]
type Known = StorageValue<Mock, u32>;

/// The miners 0 to 127, and more in benchmarks; each serves and has room without end unless told
/// otherwise.
#[derive(Debug)]
pub struct MockMiners;

impl MockMiners {
	pub const TAKES_NO_DATA: DispatchError = DispatchError::Other("takes no data");
	pub const FULL: DispatchError = DispatchError::Other("full");

	pub fn load(miner: u32) -> Load {
		Loads::get(MinerId(miner))
	}

	pub fn set_standing(miner: u32, standing: Standing) {
		Standings::insert(MinerId(miner), standing);
	}

	pub fn set_capacity(miner: u32, bytes: u64) {
		Capacities::insert(MinerId(miner), bytes);
	}

	/// The account that is the stash of this miner.
	pub fn stash(miner: u32) -> AccountId {
		1_000 + u64::from(miner)
	}
}

impl MinerDirectory<AccountId> for MockMiners {
	fn by_account(who: &AccountId) -> Option<MinerId> {
		let miner = u32::try_from(u64::checked_sub(*who, 1_000)?).ok()?;
		(miner < MINERS).then_some(MinerId(miner))
	}

	fn get(miner: MinerId) -> Option<MinerInfo<AccountId>> {
		let stash = Self::stash(miner.0);
		let standing = Standings::get(miner).unwrap_or(Standing::Serving);
		let known = miner.0 < Known::get().unwrap_or(MINERS);
		known.then_some(MinerInfo { stash, payee: stash, standing })
	}
}

/// Everybody is rich.
#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper<AccountId> for MockMiners {
	fn miner(index: u32) -> MinerId {
		Known::put(Known::get().unwrap_or(MINERS).max(index + 1));
		MinerId(index)
	}

	fn space(_: &AccountId) {}

	fn owner(index: u32) -> (AccountId, AccountId) {
		let owner = 10_000 + u64::from(index);
		Balances::force_set_balance(RuntimeOrigin::root(), owner, RICH).expect("root may");
		(owner, OPERATOR)
	}

	fn set_beacon(_: u32) {}
}

#[storage_alias]
type Counts = StorageValue<Mock, (u32, u32)>;

impl MockMiners {
	/// There were so many miners, of which so many have not departed.
	pub fn set_count(ids: u32, registered: u32) {
		Counts::put((ids, registered));
	}
}

impl MinerCount for MockMiners {
	fn next_id() -> MinerId {
		MinerId(Counts::get().map_or(MINERS, |(ids, _)| ids))
	}

	fn registered() -> u32 {
		Counts::get().map_or(MINERS, |(_, registered)| registered)
	}
}

impl MinerLedger for MockMiners {
	fn reserve(miner: MinerId, bytes: u64, purpose: Purpose) -> DispatchResult {
		let info = <Self as MinerDirectory<_>>::get(miner).ok_or(Self::TAKES_NO_DATA)?;
		ensure!(info.standing.takes_data(), Self::TAKES_NO_DATA);
		let mut load = Loads::get(miner);
		let used = load.held + load.placed + load.claimed + bytes;
		ensure!(used <= Capacities::get(miner).unwrap_or(u64::MAX), Self::FULL);
		match purpose {
			Purpose::Placement => load.placed += bytes,
			Purpose::Claim => load.claimed += bytes,
		}
		Loads::insert(miner, load);
		Ok(())
	}

	fn release(miner: MinerId, bytes: u64, purpose: Purpose) {
		let mut load = Loads::get(miner);
		let reserved = match purpose {
			Purpose::Placement => &mut load.placed,
			Purpose::Claim => &mut load.claimed,
		};
		*reserved = reserved.checked_sub(bytes).expect("released more than was reserved");
		Loads::insert(miner, load);
	}

	fn settle(miner: MinerId, bytes: u64, purpose: Purpose) {
		Self::release(miner, bytes, purpose);
		let mut load = Loads::get(miner);
		load.held += bytes;
		load.fragments += 1;
		Loads::insert(miner, load);
	}

	fn forget(miner: MinerId, bytes: u64) {
		let mut load = Loads::get(miner);
		load.held = load.held.checked_sub(bytes).expect("forgot more than was held");
		load.fragments = load.fragments.checked_sub(1).expect("forgot a fragment too many");
		Loads::insert(miner, load);
	}
}

#[storage_alias]
type Entered = StorageValue<Mock, (DutyKind, MinerId, u32)>;

/// Lets in whoever has a signature, and the miner's stash.
#[derive(Debug)]
pub struct MockGate;

impl MockGate {
	/// The last duty that was let in.
	pub fn entered() -> Option<(DutyKind, MinerId, u32)> {
		Entered::get()
	}
}

impl DutyGate<RuntimeOrigin> for MockGate {
	fn authorize<Items: Encode>(
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
		_: &Items,
		signature: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund {
		ensure!(signature.is_some(), InvalidTransaction::BadProof);
		ValidTransaction::with_tag_prefix("Mock")
			.and_provides((miner, kind, anchor))
			.build()
			.map(|valid| (valid, Weight::zero()))
	}

	fn authorize_weight(bytes: u32) -> Weight {
		Weight::from_parts(u64::from(bytes), 0)
	}

	fn enter(
		origin: RuntimeOrigin,
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<Weight, DispatchError> {
		if ensure_authorized(origin.clone()).is_err() {
			let who = ensure_signed(origin)?;
			ensure!(MockMiners::by_account(&who) == Some(miner), DispatchError::BadOrigin);
		}
		Entered::put((kind, miner, anchor));
		Ok(Self::enter_weight())
	}

	fn enter_weight() -> Weight {
		Weight::from_parts(1, 0)
	}

	fn charge_wrong(_: MinerId) {}
}

#[storage_alias]
type Space = StorageMap<Mock, Identity, AccountId, (u64, u64), ValueQuery>;
#[storage_alias]
type Revoked = StorageValue<Mock, bool, ValueQuery>;

/// Space without end. Everybody has authorised the operator, until it is revoked.
#[derive(Debug)]
pub struct MockSpace;

impl MockSpace {
	/// An account's reserved and used bytes.
	pub fn of(who: AccountId) -> (u64, u64) {
		Space::get(who)
	}

	/// Nobody has authorised the operator any more.
	pub fn revoke() {
		Revoked::put(true);
	}

	/// Takes off what the files of a lapsed space give back.
	pub fn lapse(who: AccountId, reserved: u64, used: u64) {
		Self::change(who, (reserved, used), (0, 0));
	}

	fn change(who: AccountId, from: (u64, u64), to: (u64, u64)) {
		let (reserved, used) = Space::get(who);
		let reserved = (reserved + to.0).checked_sub(from.0).expect("not reserved");
		let used = (used + to.1).checked_sub(from.1).expect("not used");
		Space::insert(who, (reserved, used));
	}
}

impl SpaceLedger<AccountId> for MockSpace {
	fn reserve(payer: &AccountId, by: &AccountId, bytes: u64) -> DispatchResult {
		ensure!(Self::may_act(payer, by), DispatchError::BadOrigin);
		Self::change(*payer, (0, 0), (bytes, 0));
		Ok(())
	}

	fn release(payer: &AccountId, _: &AccountId, bytes: u64, ordered: Tick) {
		assert!(ordered <= MockClock::now(), "ordered in the future");
		Self::change(*payer, (bytes, 0), (0, 0));
	}

	fn settle(payer: &AccountId, bytes: u64) {
		Self::change(*payer, (bytes, 0), (0, bytes));
	}

	fn free(payer: &AccountId, bytes: u64) {
		Self::change(*payer, (0, bytes), (0, 0));
	}

	fn may_act(payer: &AccountId, by: &AccountId) -> bool {
		payer == by || (*by == OPERATOR && !Revoked::get())
	}
}

#[storage_alias]
type Gone = StorageValue<Mock, Vec<(SegmentId, u64)>, ValueQuery>;
#[storage_alias]
type Claims = StorageMap<Mock, Identity, FragmentId, MinerId>;

/// Keeps claims, and which segments are gone.
#[derive(Debug)]
pub struct MockRestore;

impl MockRestore {
	/// The segments that are gone, and the fragments of each that were restored.
	pub fn gone() -> Vec<(SegmentId, u64)> {
		Gone::get()
	}

	pub fn claim(fragment: FragmentId, by: MinerId) {
		Claims::insert(fragment, by);
	}

	pub fn end_claim(fragment: FragmentId) {
		Claims::remove(fragment);
	}

	pub fn claims() -> Vec<(FragmentId, MinerId)> {
		Claims::iter().collect()
	}
}

impl OnSegmentRemoved for MockRestore {
	fn on_segment_removed(id: SegmentId, segment: Segment, fragment_len: u64) {
		assert!(crate::Segments::<Test>::contains_key(id), "told before the record is gone");
		Gone::append((id, segment.restoring));
		for index in 0..segment.fragments() {
			if let Some(by) = Claims::take(FragmentId { segment: id, index }) {
				MockMiners::release(by, fragment_len, Purpose::Claim);
			}
		}
	}

	fn weight(fragments: u32) -> Weight {
		RocksDbWeight::get().reads_writes(u64::from(fragments), u64::from(fragments))
	}
}

#[storage_alias]
type Stored = StorageMap<Mock, Identity, SegmentId, (u8, u64), OptionQuery>;
#[storage_alias]
type Batches = StorageValue<Mock, Vec<(MinerId, Vec<FragmentId>)>, ValueQuery>;

/// Notes what it is told.
#[derive(Debug)]
pub struct MockAudit;

impl MockAudit {
	/// The segments that were stored: how many fragments of how many bytes.
	pub fn stored(segment: SegmentId) -> Option<(u8, u64)> {
		Stored::get(segment)
	}

	/// What miners confirmed, call by call.
	pub fn batches() -> Vec<(MinerId, Vec<FragmentId>)> {
		Batches::get()
	}
}

impl OnSegmentStored for MockAudit {
	fn on_segment_stored(id: SegmentId, fragments: u8, fragment_len: u64) {
		assert!(!Stored::contains_key(id), "told once");
		Stored::insert(id, (fragments, fragment_len));
	}

	fn weight() -> Weight {
		RocksDbWeight::get().reads_writes(1, 1)
	}
}

impl OnConfirmed for MockAudit {
	fn on_confirmed(miner: MinerId, fragments: Vec<FragmentId>) {
		assert!(!fragments.is_empty());
		Batches::append((miner, fragments));
	}

	fn weight(_: u32) -> Weight {
		RocksDbWeight::get().writes(1)
	}
}

pub fn new_test_ext() -> sp_io::TestExternalities {
	let balances = [ALICE, BOB, CHARLIE, OPERATOR].map(|who| (who, RICH)).to_vec();
	let config = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
		files: crate::GenesisConfig { params: PARAMS },
		..Default::default()
	};
	let mut ext: sp_io::TestExternalities =
		config.build_storage().expect("the genesis is sound").into();
	ext.execute_with(|| {
		System::set_block_number(1);
		MockClock::set(1);
		crate::NextDue::<Test>::put(1);
	});
	ext
}

/// Runs a test, and then checks the properties of the pallet and the ledgers beside it.
pub fn build_and_execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		crate::tests::check();
	});
}
