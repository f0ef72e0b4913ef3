// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with this pallet in it, and a world around it: clock, miners and files, kept in
//! storage so that it is rolled back with the rest, with files whose proofs are real.

use crate as pallet_planaria_audit;
use crate::{Answer, Challenges, Params};
use codec::{Decode, Encode};
use frame_support::{
	BoundedVec, Identity, derive_impl,
	pallet_prelude::*,
	parameter_types, storage_alias,
	traits::{ConstU32, OnPoll, UnfilteredDispatchable, fungible::InspectHold},
	weights::WeightMeter,
};
use frame_system::{EnsureRoot, RawOrigin};
use pallet_planaria_support::{
	Clock, Collateral, Discipline, DutyGate, FileState, Fragments, MinerDirectory, MinerInfo,
	OnDeparture, OnSegmentRemoved, OnSegmentStored, OpenOrder, SegmentInfo, Standing, hot_key,
};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentProof, Hash,
	MinerId, Segment, SegmentId, Sidecar, Tick,
	commitment::{file_tree, segment_tree},
	duty::DutyKind,
	file_id,
	merkle::Tree,
	segment::bit,
};
use sp_io::{TestExternalities, hashing::blake2_256};
use sp_runtime::{BuildStorage, Percent};

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
	pub type Audit = pallet_planaria_audit;
}

parameter_types! {
	pub const AgendaWeight: Weight = Weight::from_parts(200_000_000_000, 10_000_000);
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlockU32<Test>;
	type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type RuntimeHoldReason = RuntimeHoldReason;
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Clock = World;
	type Directory = World;
	type Collateral = World;
	type Discipline = World;
	type DutyGate = World;
	type Fragments = World;
	type OpenOrder = World;
	type AdminOrigin = EnsureRoot<u64>;
	type MaxDraws = ConstU32<16>;
	type MaxTasks = ConstU32<8>;
	type AgendaWeight = AgendaWeight;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = World;
}

/// What the test runtime knows of a miner.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Miner {
	pub standing: Standing,
	pub collateral: u64,
	/// How many fees for wrong proofs it paid.
	pub wrong: u32,
	pub last_anchor: u32,
}

/// What the test runtime knows of a file.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Record {
	pub id: FileId,
	pub size: u64,
	pub coding: CodingParams,
	pub state: FileState,
	pub first: SegmentId,
}

#[storage_alias]
pub type Ticks = StorageValue<Mock, Tick, ValueQuery>;
#[storage_alias]
pub type Miners = StorageMap<Mock, Identity, MinerId, Miner, OptionQuery>;
#[storage_alias]
pub type Files = StorageMap<Mock, Identity, FileIndex, Record, OptionQuery>;
#[storage_alias]
pub type Segments = StorageMap<Mock, Identity, SegmentId, Segment, OptionQuery>;
#[storage_alias]
pub type NextSegment = StorageValue<Mock, u64, ValueQuery>;
/// Whether nobody can be expelled.
#[storage_alias]
pub type Engaged = StorageValue<Mock, bool, ValueQuery>;

/// The other pallets.
#[derive(Debug)]
pub struct World;

impl Clock for World {
	fn now() -> Tick {
		Ticks::get()
	}

	fn beacon_at(block: u32) -> Option<Hash> {
		let age = System::block_number().checked_sub(block)?;
		(age < 256).then(|| blake2_256(&(b"beacon", block).encode()))
	}
}

impl MinerDirectory<u64> for World {
	fn by_account(who: &u64) -> Option<MinerId> {
		let miner = MinerId(u32::try_from((*who).checked_sub(1000)?).ok()?);
		Miners::contains_key(miner).then_some(miner)
	}

	fn get(miner: MinerId) -> Option<MinerInfo<u64>> {
		let standing = Miners::get(miner)?.standing;
		Some(MinerInfo { stash: account(miner.0), payee: payee(miner.0), standing })
	}
}

/// What every miner's bytes require.
pub const REQUIRED: u64 = 1_000;

impl Collateral<u64, u64> for World {
	fn required(_: MinerId) -> u64 {
		REQUIRED
	}

	fn for_bytes(_: u64) -> u64 {
		REQUIRED
	}

	fn give(_: MinerId, _: &u64, _: u64) -> u64 {
		unreachable!("audits do not do this")
	}

	fn pay(miner: MinerId, to: Option<&u64>, amount: u64) -> u64 {
		let paid = amount.min(self::miner(miner.0).collateral);
		change(miner, |m| m.collateral -= paid);
		if let Some(to) = to {
			use frame_support::traits::fungible::Mutate;
			Balances::mint_into(to, paid).expect("an account");
		}
		paid
	}
}

impl Discipline for World {
	fn suspend(miner: MinerId) -> DispatchResult {
		ensure!(self::miner(miner.0).standing == Standing::Serving, "not serving");
		set_standing(miner.0, Standing::Suspended);
		Ok(())
	}

	fn reinstate(miner: MinerId) -> DispatchResult {
		ensure!(self::miner(miner.0).standing == Standing::Suspended, "not suspended");
		set_standing(miner.0, Standing::Serving);
		Ok(())
	}

	fn absent(_: MinerId) -> DispatchResult {
		Err("audits do not do this".into())
	}

	fn expel(miner: MinerId) -> DispatchResult {
		ensure!(!Engaged::get(), "the brake is engaged");
		ensure!(self::miner(miner.0).standing != EXPELLED, "expelled already");
		set_standing(miner.0, EXPELLED);
		Ok(())
	}
}

pub const EXPELLED: Standing = Standing::Leaving { expelled: true };

impl DutyGate<RuntimeOrigin> for World {
	fn authorize<Items: Encode>(
		_: DutyKind,
		miner: MinerId,
		anchor: u32,
		_: &Items,
		_: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund {
		let record = Miners::get(miner).ok_or(InvalidTransaction::BadSigner)?;
		if anchor <= record.last_anchor {
			return Err(InvalidTransaction::Stale.into());
		}
		Ok((ValidTransaction::default(), Weight::zero()))
	}

	fn authorize_weight(_: u32) -> Weight {
		Weight::from_parts(1, 0)
	}

	fn enter(
		origin: RuntimeOrigin,
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<Weight, DispatchError> {
		assert_eq!(kind, DutyKind::Answer);
		ensure!(Miners::contains_key(miner), DispatchError::BadOrigin);
		match origin.into() {
			Ok(RawOrigin::Authorized) => change(miner, |m| m.last_anchor = anchor),
			Ok(RawOrigin::Signed(who)) if Self::by_account(&who) == Some(miner) => (),
			_ => return Err(DispatchError::BadOrigin),
		}
		change(miner, |m| {
			if m.standing == Standing::Absent {
				m.standing = Standing::Serving;
			}
		});
		Ok(Self::enter_weight())
	}

	fn enter_weight() -> Weight {
		Weight::from_parts(1, 0)
	}

	fn charge_wrong(miner: MinerId) {
		change(miner, |m| m.wrong += 1);
	}
}

impl Fragments for World {
	fn get(id: SegmentId) -> Option<SegmentInfo> {
		info(id)
	}
}

pub fn info(id: SegmentId) -> Option<SegmentInfo> {
	let segment = Segments::get(id)?;
	let file = Files::get(segment.file)?;
	Some(SegmentInfo {
		file: segment.file,
		file_id: file.id,
		spec: FileSpec::new(file.size, file.coding).ok()?,
		number: u32::try_from(id.0 - file.first.0).ok()?,
		state: file.state,
		segment,
	})
}

impl OpenOrder for World {
	fn open(fragment: FragmentId) -> DispatchResult {
		let mut segment = Segments::get(fragment.segment).ok_or("no such segment")?;
		ensure!(!segment.is_restoring(fragment.index), "there is an order already");
		segment.restoring |= bit(fragment.index);
		Segments::insert(fragment.segment, segment);
		Ok(())
	}

	fn weight() -> Weight {
		Weight::from_parts(1, 0)
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<u64> for World {
	fn miner(seed: u32) -> (MinerId, u64) {
		register(seed);
		(MinerId(seed), account(seed))
	}

	fn rich(seed: u32) -> u64 {
		use frame_support::traits::fungible::Mutate;
		let who = 1_000_000 + u64::from(seed);
		Balances::set_balance(&who, 1 << 40);
		who
	}

	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId {
		let first = SegmentId(NextSegment::get());
		let (size, coding) = (spec.size(), spec.coding());
		let index = FileIndex(first.0);
		let state = FileState::Active;
		Files::insert(index, Record { id, size, coding, state, first });
		NextSegment::put(first.0 + u64::from(spec.segments()));
		let mut segment = Segment::unplaced(index, spec.fragments());
		for (index, miner) in (0..).zip(holders) {
			segment.holders.set(index, *miner);
			segment.confirmed |= bit(index);
		}
		Segments::insert(first, segment);
		first
	}

	fn set_time(block: u32, now: Tick) {
		System::set_block_number(block);
		Ticks::put(now);
	}
}

/// A file of bytes that are not even a codeword: proofs do not care.
#[derive(Clone)]
pub struct TestFile {
	pub index: FileIndex,
	pub spec: FileSpec,
	pub id: FileId,
	pub first: SegmentId,
	fragments: Vec<Vec<Vec<u8>>>,
	trees: Vec<Tree>,
	tree: Tree,
}

impl TestFile {
	/// Makes up a file without storing it.
	pub fn new(seed: u32, size: u64, coding: CodingParams) -> Self {
		let spec = FileSpec::new(size, coding).expect("valid");
		let fragment = |segment, index: u8| {
			let mut bytes = Vec::new();
			while bytes.len() < spec.fragment_len(segment) as usize {
				bytes.extend(blake2_256(&(seed, segment, index, bytes.len() as u32).encode()));
			}
			bytes
		};
		let fragments: Vec<Vec<Vec<u8>>> = (0..spec.segments())
			.map(|segment| (0..spec.fragments()).map(|index| fragment(segment, index)).collect())
			.collect();
		let trees: Vec<Tree> = fragments
			.iter()
			.map(|segment| {
				let hashes: Vec<_> = segment.iter().map(|f| FragmentHash::of(f)).collect();
				segment_tree(&hashes).expect("not empty")
			})
			.collect();
		let roots: Vec<Hash> = trees.iter().map(Tree::root).collect();
		let tree = file_tree(&roots).expect("not empty");
		let id = file_id(&spec, &tree.root());
		let (index, first) = (FileIndex(0), SegmentId(0));
		Self { index, spec, id, first, fragments, trees, tree }
	}

	/// Stores it: fragment `i` of every segment at miner `holders[i]`, all confirmed.
	pub fn store(mut self, holders: &[u32]) -> Self {
		(self.index, self.first) = store(self.id, self.spec, holders);
		self
	}

	/// Fragment `index` of segment number `number`.
	pub fn fragment(&self, number: u32, index: u8) -> FragmentId {
		FragmentId { segment: SegmentId(self.first.0 + u64::from(number)), index }
	}

	pub fn proof(&self, number: u32, index: u8, chunk: u32) -> FragmentProof {
		let sidecar = Sidecar::new(&self.trees[number as usize], index, &self.tree, number);
		let fragment = &self.fragments[number as usize][usize::from(index)];
		FragmentProof::new(fragment, chunk, &sidecar.expect("there is such a fragment"))
			.expect("there is such a chunk")
	}

	pub fn proof_of(&self, fragment: FragmentId, chunk: u32) -> FragmentProof {
		let number = u32::try_from(fragment.segment.0 - self.first.0).expect("of this file");
		self.proof(number, fragment.index, chunk)
	}

	/// The right answer to the open challenge of its holder.
	pub fn answer(&self, fragment: FragmentId) -> Answer {
		let holder = holder(fragment).expect("held");
		let challenge = Challenges::<Test>::get(holder, fragment).expect("challenged");
		Answer { fragment, proof: self.proof_of(fragment, challenge.chunk) }
	}

	pub fn set_state(&self, state: FileState) {
		let mut record = Files::get(self.index).expect("stored");
		record.state = state;
		Files::insert(self.index, record);
	}
}

/// Stores a file that has this geometry, its segments confirmed by these miners.
pub fn store(id: FileId, spec: FileSpec, holders: &[u32]) -> (FileIndex, SegmentId) {
	assert_eq!(holders.len(), usize::from(spec.fragments()));
	let first = SegmentId(NextSegment::get());
	let index = FileIndex(first.0 + 100);
	NextSegment::put(first.0 + u64::from(spec.segments()));
	let (size, coding) = (spec.size(), spec.coding());
	Files::insert(index, Record { id, size, coding, state: FileState::Active, first });
	for number in 0..spec.segments() {
		let mut segment = Segment::unplaced(index, spec.fragments());
		for (index, miner) in (0..).zip(holders) {
			segment.holders.set(index, MinerId(*miner));
			segment.confirmed |= bit(index);
		}
		let id = SegmentId(first.0 + u64::from(number));
		Segments::insert(id, segment);
		Audit::on_segment_stored(id, spec.fragments(), spec.fragment_len(number).into());
	}
	(index, first)
}

/// What files does when a segment's turn to be removed has come.
pub fn remove_segment(id: SegmentId) {
	let info = info(id).expect("stored");
	Audit::on_segment_removed(id, info.segment.clone(), info.fragment_len());
	Segments::remove(id);
}

pub fn change(miner: MinerId, f: impl FnOnce(&mut Miner)) {
	let mut record = Miners::get(miner).expect("registered");
	f(&mut record);
	Miners::insert(miner, record);
}

fn register(id: u32) {
	let standing = Standing::Serving;
	Miners::insert(MinerId(id), Miner { standing, collateral: 10_000, wrong: 0, last_anchor: 0 });
}

/// What miners does when one goes that holds nothing any more.
pub fn depart(miner: u32) {
	Miners::remove(MinerId(miner));
	Audit::on_departure(MinerId(miner));
}

pub fn set_standing(miner: u32, standing: Standing) {
	change(MinerId(miner), |m| m.standing = standing);
}

pub fn standing(miner: u32) -> Standing {
	self::miner(miner).standing
}

pub fn miner(miner: u32) -> Miner {
	Miners::get(MinerId(miner)).expect("registered")
}

/// What was taken from the miner's collateral.
pub fn taken(miner: u32) -> u64 {
	10_000 - self::miner(miner).collateral
}

/// The account of a miner.
pub fn account(miner: u32) -> u64 {
	1000 + u64::from(miner)
}

/// Who is paid for a miner.
pub fn payee(miner: u32) -> u64 {
	2000 + u64::from(miner)
}

pub const DAVE: u64 = 7;
pub const ERIN: u64 = 8;
pub const RICH: u64 = 1_000_000;

pub const PARAMS: Params<u64> = Params {
	bytes_per_draw: u64::MAX,
	answer_period: 10,
	strike_window: 50,
	heal_after: 200,
	suspend_at: 2,
	slash_at: 3,
	expel_at: 6,
	slash_share: Percent::from_percent(5),
	deposit: 100,
	reward: 30,
	max_named: 3,
};

pub fn new_test_ext() -> TestExternalities {
	let genesis = RuntimeGenesisConfig {
		audit: pallet_planaria_audit::GenesisConfig { params: PARAMS },
		balances: pallet_balances::GenesisConfig {
			balances: vec![(DAVE, RICH), (ERIN, RICH)],
			..Default::default()
		},
		..Default::default()
	};
	let mut ext = TestExternalities::new(genesis.build_storage().expect("valid"));
	ext.execute_with(|| {
		System::set_block_number(1);
		Ticks::put(1);
		(0..100).for_each(register);
	});
	ext
}

/// Runs `test` with miners 0 to 99, and checks the state after it.
pub fn execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		check();
	});
}

/// The invariants of the pallet, and that the census has exactly the segments that are stored.
pub fn check() {
	Audit::do_try_state().expect("the state is consistent");
	let counted: u64 = Segments::iter_keys()
		.map(|id| {
			let info = info(id).expect("a segment has a file");
			info.fragment_len() * u64::from(info.segment.fragments())
		})
		.sum();
	assert_eq!(crate::Census::<Test>::get().bytes, counted);
}

/// Ends the block and begins the next; a tick passes, and the hook runs.
pub fn next_block() {
	blocks_without_hook(1);
	poll();
}

pub fn poll() {
	let mut meter = WeightMeter::with_limit(AgendaWeight::get());
	<Audit as OnPoll<u32>>::on_poll(System::block_number(), &mut meter);
}

pub fn blocks(count: u32) {
	(0..count).for_each(|_| next_block());
}

/// Blocks in which the hook finds no room.
pub fn blocks_without_hook(count: u32) {
	System::set_block_number(System::block_number() + count);
	Ticks::put(Ticks::get() + count);
}

/// The pallet's events since the last time.
pub fn events() -> Vec<crate::Event<Test>> {
	let records = System::events().into_iter();
	let events = records
		.filter_map(|record| match record.event {
			RuntimeEvent::Audit(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}

pub fn signed(who: u64) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

pub fn held(who: u64) -> u64 {
	Balances::balance_on_hold(&crate::HoldReason::ChallengeDeposit.into(), &who)
}

/// A duty, the way the worker sends it: without a signer.
pub fn answer(miner: u32, answers: Vec<Answer>) {
	let answers = BoundedVec::try_from(answers).expect("not too many");
	let (anchor, signature) = (System::block_number(), None);
	let call = crate::Call::<Test>::answer { miner: MinerId(miner), anchor, answers, signature };
	call.dispatch_bypass_filter(RawOrigin::Authorized.into())
		.expect("a duty never fails after the gate");
}

pub fn record(miner: u32) -> crate::Record {
	crate::Records::<Test>::get(MinerId(miner))
}

pub fn challenge_of(fragment: FragmentId) -> Option<crate::ChallengeOf<Test>> {
	Challenges::<Test>::iter().find(|(_, id, _)| *id == fragment).map(|(.., challenge)| challenge)
}

pub fn holder(fragment: FragmentId) -> Option<MinerId> {
	Segments::get(fragment.segment).and_then(|segment| segment.holder(fragment.index))
}

pub fn is_restoring(fragment: FragmentId) -> bool {
	Segments::get(fragment.segment).is_some_and(|segment| segment.is_restoring(fragment.index))
}

/// Names the fragment and waits until it is challenged.
pub fn named(fragment: FragmentId) {
	Audit::challenge(signed(DAVE), fragment).expect("may be challenged");
	blocks(crate::SEED_DELAY);
	assert!(challenge_of(fragment).is_some());
}
