// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with this pallet in it, and a world around it: clock, miners and files, kept in
//! storage so that it is rolled back with the rest, with files whose proofs are real.

use crate as pallet_planaria_restore;
use crate::{Batch, Batches, OrderState, Orders, Params};
use codec::{Decode, Encode};
use frame_support::{
	BoundedVec, Identity, derive_impl,
	pallet_prelude::*,
	parameter_types, storage_alias,
	traits::{ConstU32, OnPoll, UnfilteredDispatchable},
	weights::WeightMeter,
};
use frame_system::{EnsureRoot, RawOrigin};
use pallet_planaria_support::{
	Bounties, Brake, Clock, Collateral, Custody, DutyGate, FileState, Fragments, MinerDirectory,
	MinerInfo, MinerLedger, Moved, OnSegmentRemoved, Purpose, SegmentInfo, Standing, StandingPage,
	Wanted, WriteOff, hot_key, standings::PAGE,
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
use sp_runtime::BuildStorage;

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
	pub type Restore = pallet_planaria_restore;
}

parameter_types! {
	pub const AgendaWeight: Weight = Weight::from_parts(100_000_000_000, 10_000_000);
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlockU32<Test>;
	type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
}

impl crate::Config for Test {
	type Currency = Balances;
	type Clock = World;
	type Directory = World;
	type Ledger = World;
	type Collateral = World;
	type Bounties = World;
	type WriteOff = World;
	type Brake = World;
	type DutyGate = World;
	type Fragments = World;
	type Custody = World;
	type AdminOrigin = EnsureRoot<u64>;
	type MaxBatch = ConstU32<64>;
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
	/// Bytes it could still take.
	pub room: u64,
	pub held: u64,
	pub fragments: u32,
	pub reserved: u64,
	pub claims: u32,
	pub claim_limit: u32,
	pub collateral: u64,
	/// How many fees for wrong proofs it paid.
	pub wrong: u32,
	pub last_anchor: u32,
}

impl Default for Miner {
	fn default() -> Self {
		Self {
			standing: Standing::Serving,
			room: u64::MAX / 2,
			held: 0,
			fragments: 0,
			reserved: 0,
			claims: 0,
			claim_limit: 1000,
			collateral: 1_000_000,
			wrong: 0,
			last_anchor: 0,
		}
	}
}

/// What the test runtime knows of a file.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Record {
	pub id: FileId,
	pub size: u64,
	pub coding: CodingParams,
	pub state: FileState,
	pub first: SegmentId,
	pub lost: u32,
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
/// Whether the brake is engaged.
#[storage_alias]
pub type Engaged = StorageValue<Mock, bool, ValueQuery>;
/// A beacon that a test wants, instead of the ordinary one.
#[storage_alias]
pub type Chosen = StorageMap<Mock, Identity, u32, Hash, OptionQuery>;

/// The other pallets.
#[derive(Debug)]
pub struct World;

impl Clock for World {
	fn now() -> Tick {
		Ticks::get()
	}

	fn beacon_at(block: u32) -> Option<Hash> {
		let age = System::block_number().checked_sub(block)?;
		let ordinary = || blake2_256(&(b"beacon", block).encode());
		(age < 256).then(|| Chosen::get(block).unwrap_or_else(ordinary))
	}
}

impl MinerDirectory<u64> for World {
	fn by_account(who: &u64) -> Option<MinerId> {
		let miner = MinerId(u32::try_from(who.checked_sub(&1000)?).ok()?);
		Miners::contains_key(miner).then_some(miner)
	}

	fn get(miner: MinerId) -> Option<MinerInfo<u64>> {
		let standing = Miners::get(miner)?.standing;
		Some(MinerInfo { stash: account(miner.0), payee: account(miner.0), standing })
	}

	/// No test has more miners, and in benchmarks each is the first of its page.
	fn standings(page: u32) -> StandingPage {
		let mut standings = StandingPage::default();
		for miner in (page * PAGE..).take(100).map(MinerId) {
			standings.set(miner, Self::standing(miner));
		}
		standings
	}
}

impl MinerLedger for World {
	fn reserve(miner: MinerId, bytes: u64, purpose: Purpose) -> DispatchResult {
		let mut record = Miners::get(miner).ok_or("no such miner")?;
		ensure!(record.standing.takes_data(), "takes no data");
		ensure!(record.held + record.reserved + bytes <= record.room, "no room");
		if purpose == Purpose::Claim {
			ensure!(record.claims < record.claim_limit, "too many claims");
			record.claims += 1;
		}
		record.reserved += bytes;
		Miners::insert(miner, record);
		Ok(())
	}

	fn release(miner: MinerId, bytes: u64, purpose: Purpose) {
		change(miner, |m| {
			m.reserved -= bytes;
			m.claims -= u32::from(purpose == Purpose::Claim);
		});
	}

	fn settle(miner: MinerId, bytes: u64, purpose: Purpose) {
		Self::release(miner, bytes, purpose);
		change(miner, |m| {
			m.held += bytes;
			m.fragments += 1;
		});
	}

	fn forget(miner: MinerId, bytes: u64) {
		change(miner, |m| {
			m.held -= bytes;
			m.fragments -= 1;
		});
	}
}

impl Collateral<u64, u64> for World {
	fn required(_: MinerId) -> u64 {
		0
	}

	fn for_bytes(_: u64) -> u64 {
		0
	}

	fn pay(miner: MinerId, _: Option<&u64>, amount: u64) -> u64 {
		let paid = amount.min(collateral(miner.0));
		change(miner, |m| m.collateral -= paid);
		paid
	}

	fn give(_: MinerId, _: &u64, _: u64) -> u64 {
		0
	}
}

/// A bounty: the fragment's bytes, who pays for it, and whether half as much.
pub type Bounty = (u64, MinerId, bool);

#[storage_alias]
type OpenBounties = StorageMap<Mock, Identity, FragmentId, Bounty>;
#[storage_alias]
type PaidBounties = StorageValue<Mock, Vec<(FragmentId, MinerId)>, ValueQuery>;

#[storage_alias]
type ForfeitedBounties = StorageValue<Mock, Vec<FragmentId>, ValueQuery>;

/// The fragments whose bounties nobody got.
pub fn forfeited() -> Vec<FragmentId> {
	ForfeitedBounties::get()
}

/// The bounty of a fragment that is not paid yet.
pub fn bounty(fragment: FragmentId) -> Option<Bounty> {
	OpenBounties::get(fragment)
}

/// All bounties that are not paid yet.
pub fn bounties() -> Vec<FragmentId> {
	OpenBounties::iter_keys().collect()
}

/// Who was paid for what.
pub fn paid() -> Vec<(FragmentId, MinerId)> {
	PaidBounties::get()
}

impl Bounties<u64> for World {
	fn open(wanted: Vec<Wanted>) {
		for Wanted { fragment, bytes, holder, leaves } in wanted {
			OpenBounties::insert(fragment, (bytes, holder, leaves));
		}
	}

	fn pay(fragments: Vec<FragmentId>, to: MinerId) {
		for fragment in fragments {
			if OpenBounties::take(fragment).is_some() {
				PaidBounties::append((fragment, to));
			}
		}
	}

	fn give_back(fragment: FragmentId) {
		OpenBounties::remove(fragment);
	}

	fn forfeit(fragment: FragmentId) {
		if OpenBounties::take(fragment).is_some() {
			ForfeitedBounties::append(fragment);
		}
	}

	fn compensate(fragment: FragmentId, bytes: u64, holder: Option<MinerId>, to: &u64) {
		let holder = OpenBounties::take(fragment).map(|bounty| bounty.1).or(holder);
		Compensations::append((fragment, bytes, holder, *to));
	}
}

/// Who owns whatever is stored.
pub const OWNER: u64 = 12_345;

/// What was compensated: the fragment, its bytes, who paid and who received it.
pub type Compensation = (FragmentId, u64, Option<MinerId>, u64);

#[storage_alias]
type Compensations = StorageValue<Mock, Vec<Compensation>, ValueQuery>;
#[storage_alias]
type WrittenOff = StorageMap<Mock, Identity, SegmentId, ()>;
#[storage_alias]
type NoSpace = StorageValue<Mock, bool, ValueQuery>;

/// What was compensated so far.
pub fn compensations() -> Vec<Compensation> {
	Compensations::get()
}

/// Whether nobody pays for the segment any more.
pub fn written_off(segment: SegmentId) -> bool {
	WrittenOff::contains_key(segment)
}

/// Whether owners have no space for what comes back.
pub fn set_no_space(full: bool) {
	NoSpace::put(full);
}

impl WriteOff<u64> for World {
	fn write_off(segment: SegmentId) -> Result<u64, DispatchError> {
		assert!(!written_off(segment), "written off twice");
		WrittenOff::insert(segment, ());
		Ok(OWNER)
	}

	fn take_back(segment: SegmentId) -> bool {
		assert!(written_off(segment), "it is paid for");
		if NoSpace::get() {
			return false;
		}
		WrittenOff::remove(segment);
		true
	}
}

impl Brake for World {
	fn is_engaged() -> bool {
		Engaged::get()
	}
}

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
		_: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<Weight, DispatchError> {
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

impl Custody for World {
	fn set_restoring(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		restoring: bool,
	) -> DispatchResult {
		let segment = &mut info.segment;
		assert_eq!(Segments::get(fragment.segment).as_ref(), Some(&*segment));
		ensure!(segment.is_confirmed(fragment.index), "not confirmed");
		ensure!(segment.is_restoring(fragment.index) != restoring, "the bit is so already");
		segment.restoring ^= bit(fragment.index);
		Segments::insert(fragment.segment, segment);
		Ok(())
	}

	fn hand_over(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		to: Option<MinerId>,
	) -> Result<Moved, DispatchError> {
		let bytes = info.fragment_len();
		let segment = &mut info.segment;
		assert_eq!(Segments::get(fragment.segment).as_ref(), Some(&*segment));
		ensure!(segment.is_confirmed(fragment.index), "not confirmed");
		let from = segment.holder(fragment.index);
		if to.is_some() {
			segment.restoring &= !bit(fragment.index);
		}
		segment.holders.set(fragment.index, to.unwrap_or(MinerId::NOBODY));
		Segments::insert(fragment.segment, segment);
		Ok(Moved { from, to, bytes })
	}

	fn moved(moves: &[Moved]) {
		<Self as MinerLedger>::moved(moves);
	}

	fn set_lost(segment: SegmentId, lost: bool) -> DispatchResult {
		let index = Segments::get(segment).ok_or("no such segment")?.file;
		let mut file = Files::get(index).ok_or("no such file")?;
		file.lost = if lost { file.lost + 1 } else { file.lost - 1 };
		Files::insert(index, file);
		Ok(())
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<u64> for World {
	fn miner(seed: u32) -> (MinerId, u64) {
		let id = seed * PAGE;
		if !Miners::contains_key(MinerId(id)) {
			Miners::insert(MinerId(id), Miner::default());
		}
		(MinerId(id), account(id))
	}

	fn engage_brake() {
		Engaged::put(true);
	}

	fn set_standing(miner: MinerId, standing: Standing) {
		change(miner, |m| m.standing = standing);
	}

	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId {
		let len = u64::from(spec.fragment_len(0));
		let first = SegmentId(NextSegment::get());
		let (size, coding) = (spec.size(), spec.coding());
		let index = FileIndex(first.0);
		let state = FileState::Active;
		Files::insert(index, Record { id, size, coding, state, first, lost: 0 });
		// No two files share a segment id, whatever their sizes.
		NextSegment::put(first.0 + u64::from(spec.segments()));
		let mut segment = Segment::unplaced(index, spec.fragments());
		for (index, miner) in (0..).zip(holders) {
			segment.holders.set(index, *miner);
			segment.confirmed |= bit(index);
			change(*miner, |m| {
				m.held += len;
				m.fragments += 1;
			});
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
		assert_eq!(holders.len(), usize::from(self.spec.fragments()));
		self.first = SegmentId(NextSegment::get());
		self.index = FileIndex(self.first.0 + 100);
		NextSegment::put(self.first.0 + u64::from(self.spec.segments()));
		let (size, coding) = (self.spec.size(), self.spec.coding());
		let (id, first, state) = (self.id, self.first, FileState::Active);
		Files::insert(self.index, Record { id, size, coding, state, first, lost: 0 });
		for number in 0..self.spec.segments() {
			let mut segment = Segment::unplaced(self.index, self.spec.fragments());
			for (index, miner) in (0..).zip(holders) {
				segment.holders.set(index, MinerId(*miner));
				segment.confirmed |= bit(index);
				change(MinerId(*miner), |m| {
					m.held += u64::from(self.spec.fragment_len(number));
					m.fragments += 1;
				});
			}
			Segments::insert(SegmentId(first.0 + u64::from(number)), segment);
		}
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

	/// Whether the segment is one of this file's.
	pub fn has(&self, segment: SegmentId) -> bool {
		let end = self.first.0 + u64::from(self.spec.segments());
		(self.first.0..end).contains(&segment.0)
	}

	pub fn set_state(&self, state: FileState) {
		let mut record = Files::get(self.index).expect("stored");
		record.state = state;
		Files::insert(self.index, record);
	}

	pub fn lost(&self) -> u32 {
		Files::get(self.index).expect("stored").lost
	}

	/// What files does when a segment's turn to be removed has come.
	pub fn remove_segment(&self, number: u32) {
		let id = self.fragment(number, 0).segment;
		let segment = Segments::take(id).expect("stored");
		let len = u64::from(self.spec.fragment_len(number));
		for index in 0..segment.fragments() {
			if let Some(holder) = segment.holder(index) {
				World::forget(holder, len);
			}
		}
		Restore::on_segment_removed(id, segment, len);
	}
}

pub fn change(miner: MinerId, f: impl FnOnce(&mut Miner)) {
	let mut record = Miners::get(miner).expect("registered");
	f(&mut record);
	Miners::insert(miner, record);
}

pub fn set_standing(miner: u32, standing: Standing) {
	change(MinerId(miner), |m| m.standing = standing);
}

pub fn miner(miner: u32) -> Miner {
	Miners::get(MinerId(miner)).expect("registered")
}

pub fn collateral(miner: u32) -> u64 {
	self::miner(miner).collateral
}

/// The account of a miner.
pub fn account(miner: u32) -> u64 {
	1000 + u64::from(miner)
}

pub fn by(miner: u32) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(miner))
}

pub fn list<const N: usize>(fragments: [FragmentId; N]) -> BoundedVec<FragmentId, ConstU32<64>> {
	BoundedVec::truncate_from(fragments.to_vec())
}

pub const PERIOD: Tick = 20;
pub const PENALTY: u64 = 100;
pub const BAN: Tick = 50;
pub const SETTLEMENT: Tick = 200;

pub fn new_test_ext() -> TestExternalities {
	let params = Params {
		claim_period: PERIOD,
		claim_penalty: PENALTY,
		ban_period: BAN,
		loss_settlement: SETTLEMENT,
	};
	let genesis = RuntimeGenesisConfig {
		restore: pallet_planaria_restore::GenesisConfig { params },
		..Default::default()
	};
	let mut ext = TestExternalities::new(genesis.build_storage().expect("valid"));
	ext.execute_with(|| {
		System::set_block_number(1);
		Ticks::put(1);
		(0..100).for_each(|id| Miners::insert(MinerId(id), Miner::default()));
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

/// The invariants of the pallet, and those that take a look at the whole world.
pub fn check() {
	Restore::do_try_state().expect("the state is consistent");
	let unpaid: std::collections::BTreeSet<_> = bounties().into_iter().collect();
	let settled: std::collections::BTreeSet<_> =
		compensations().into_iter().map(|compensation| compensation.0).collect();
	let orders: std::collections::BTreeSet<_> = Orders::<Test>::iter_keys().collect();
	assert!(unpaid.is_subset(&orders), "what has a bounty has an order");
	let bare = orders.difference(&unpaid).all(|fragment| settled.contains(fragment));
	assert!(bare, "an order without a bounty, for which nobody was compensated");
	let mut reserved = std::collections::BTreeMap::<MinerId, (u64, u32)>::new();
	for (fragment, order) in Orders::<Test>::iter() {
		let info = self::info(fragment.segment).expect("an order has a segment");
		if let Some((by, _)) = order.state.claim() {
			let sum = reserved.entry(by).or_default();
			*sum = (sum.0 + info.fragment_len(), sum.1 + 1);
		}
	}
	let mut held = std::collections::BTreeMap::<MinerId, (u64, u32)>::new();
	for id in Segments::iter_keys() {
		let info = self::info(id).expect("a segment has a file");
		let mut seen = std::collections::BTreeSet::new();
		for index in 0..info.segment.fragments() {
			let fragment = FragmentId { segment: id, index };
			let ordered = Orders::<Test>::get(fragment);
			assert_eq!(info.segment.is_restoring(index), ordered.is_some(), "bit and order");
			let claimer = ordered.and_then(|order| order.state.claim()).map(|claim| claim.0);
			let holder = info.segment.holder(index);
			for miner in holder.into_iter().chain(claimer) {
				assert!(seen.insert(miner), "{miner} has two fragments of {id}");
			}
			if let Some(holder) = holder.filter(|_| info.segment.is_confirmed(index)) {
				let sum = held.entry(holder).or_default();
				*sum = (sum.0 + info.fragment_len(), sum.1 + 1);
			}
		}
	}
	for (id, miner) in Miners::iter() {
		let sum = reserved.get(&id).copied().unwrap_or_default();
		assert_eq!((miner.reserved, miner.claims), sum, "what {id} has reserved");
		let sum = held.get(&id).copied().unwrap_or_default();
		assert_eq!((miner.held, miner.fragments), sum, "what {id} holds");
	}
	for (index, file) in Files::iter() {
		let lost = crate::Verdicts::<Test>::iter()
			.filter(|(_, verdict)| matches!(verdict, crate::Verdict::Lost { .. }))
			.filter(|(id, _)| Segments::get(id).is_some_and(|segment| segment.file == index))
			.count();
		assert!(file.lost as usize >= lost, "lost segments of {index}");
	}
}

/// Ends the block and begins the next; a tick passes, and the agenda is served.
pub fn next_block() {
	blocks_without_agenda(1);
	let mut meter = WeightMeter::with_limit(AgendaWeight::get());
	<Restore as OnPoll<u32>>::on_poll(System::block_number(), &mut meter);
}

pub fn blocks(count: u32) {
	(0..count).for_each(|_| next_block());
}

/// Blocks in which the agenda finds no room.
pub fn blocks_without_agenda(count: u32) {
	System::set_block_number(System::block_number() + count);
	Ticks::put(Ticks::get() + count);
}

/// The pallet's events since the last time.
pub fn events() -> Vec<crate::Event<Test>> {
	let records = System::events().into_iter();
	let events = records
		.filter_map(|record| match record.event {
			RuntimeEvent::Restore(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}

/// A duty, the way the worker sends it: without a signer.
pub fn duty(call: crate::Call<Test>) -> DispatchResultWithPostInfo {
	call.dispatch_bypass_filter(RawOrigin::Authorized.into())
}

pub fn ready(miner: u32, fragments: &[FragmentId]) {
	let fragments = BoundedVec::truncate_from(fragments.to_vec());
	let anchor = System::block_number();
	let signature = None;
	let call = crate::Call::ready { miner: MinerId(miner), anchor, fragments, signature };
	duty(call).expect("a duty never fails after the gate");
}

/// Reports the miner's oldest batch.
pub fn report(miner: u32, proofs: Vec<FragmentProof>) {
	let at = Batches::<Test>::iter_key_prefix(MinerId(miner)).min().unwrap_or_default();
	report_of(miner, at, proofs);
}

/// Reports the batch that the miner declared in block `at`.
pub fn report_of(miner: u32, at: u32, proofs: Vec<FragmentProof>) {
	let proofs = BoundedVec::try_from(proofs).expect("not too many");
	let anchor = System::block_number();
	let signature = None;
	let call = crate::Call::report { miner: MinerId(miner), anchor, at, proofs, signature };
	duty(call).expect("a duty never fails after the gate");
}

/// The miner's oldest batch, with the block it was declared in.
pub fn oldest(miner: u32) -> (u32, Batch) {
	let batches = Batches::<Test>::iter_prefix(MinerId(miner));
	batches.min_by_key(|(at, _)| *at).expect("there is a batch")
}

pub fn batch(miner: u32) -> Batch {
	oldest(miner).1
}

/// What the miner's oldest batch is asked for, once its seed is known.
pub fn asked(miner: u32) -> Option<Vec<(FragmentId, u32)>> {
	let (at, batch) = oldest(miner);
	Restore::asked(at, &batch)
}

/// The proofs that the miner's oldest batch is asked for.
pub fn proofs(miner: u32, files: &[&TestFile]) -> Vec<FragmentProof> {
	let asked = asked(miner).expect("the seed is known");
	let proof = |(fragment, chunk): (FragmentId, u32)| {
		let file = files.iter().find(|file| file.has(fragment.segment)).expect("given");
		file.proof_of(fragment, chunk)
	};
	asked.into_iter().map(proof).collect()
}

pub fn state(fragment: FragmentId) -> Option<OrderState> {
	Orders::<Test>::get(fragment).map(|order| order.state)
}

/// Whether the miner may take the fragment on.
pub fn may_take(miner: u32, fragment: FragmentId) -> DispatchResult {
	let info = info(fragment.segment).expect("stored");
	Ok(Restore::may_take(MinerId(miner), fragment, &info)?)
}

/// How much the first segment of the file can spare.
pub fn spare(file: &TestFile) -> i16 {
	let segment = file.fragment(0, 0).segment;
	Restore::spare(segment, &info(segment).expect("stored"))
}

pub fn holder(fragment: FragmentId) -> Option<MinerId> {
	Segments::get(fragment.segment).and_then(|segment| segment.holder(fragment.index))
}
