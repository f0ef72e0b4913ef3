// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The pallets whose calls can be measured, and what their benchmarks need of one another.

use crate::{
	AccountId, Balance, Balances, Clock, Miners, Rewards, Runtime, RuntimeHoldReason, Space,
	System,
	configs::storage::{Era, MaxSpace},
	currency::{EXISTENTIAL_DEPOSIT, UNIT},
};
use codec::Encode;
use frame_benchmarking::account;
use frame_support::{
	BoundedVec,
	traits::{
		Get,
		fungible::{Mutate, MutateHold},
	},
};
use pallet_planaria_audit as audit;
use pallet_planaria_clock as clock;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::{
	Clock as _, FileState, MinerLedger, Purpose, SpaceLedger as _, Standing, StandingPage, grains,
	standings::PAGE,
};
use planaria_primitives::{
	FileId, FileSpec, FragmentId, MinerId, Segment, SegmentId, Tick, segment::bit,
};
use sp_core::sr25519;
use sp_io::hashing::blake2_256;

frame_benchmarking::define_benchmarks!(
	[frame_benchmarking, BaselineBench::<Runtime>]
	[frame_system, SystemBench::<Runtime>]
	[frame_system_extensions, SystemExtensionsBench::<Runtime>]
	[pallet_balances, Balances]
	[pallet_membership, Validators]
	[pallet_migrations, Migrations]
	[pallet_sudo, Sudo]
	[pallet_timestamp, Timestamp]
	[pallet_transaction_payment, TransactionPayment]
	[pallet_utility, Utility]
	[pallet_planaria_clock, Clock]
	[pallet_planaria_miners, Miners]
	[pallet_planaria_files, Files]
	[pallet_planaria_restore, Restore]
	[pallet_planaria_rewards, Rewards]
	[pallet_planaria_space, Space]
	[pallet_planaria_audit, Audit]
);

/// Sets up in one pallet what the benchmarks of another one need.
pub struct Helper;

/// Miner number `seed` with its stash, registered at the first time of asking: it offers and has
/// collateral for as much as one miner may hold.
fn miner(seed: u32) -> (MinerId, AccountId) {
	registered(seed, miners::NextMiner::<Runtime>::get())
}

/// The same, with the id `next` where it is not registered yet.
fn registered(seed: u32, next: MinerId) -> (MinerId, AccountId) {
	let stash: AccountId = account("miner", seed, 0);
	if let Some(id) = miners::ByAccount::<Runtime>::get(&stash) {
		return (id, stash);
	}
	let id = next;
	miners::NextMiner::<Runtime>::put(MinerId(id.0.saturating_add(1)));

	let declared = <Runtime as miners::Config>::MaxDeclared::get();
	let params = miners::Parameters::<Runtime>::get();
	// The penalties and fees of a benchmark come on top.
	let collateral: Balance = params.required(declared).saturating_add(10_000 * UNIT);
	let reason: RuntimeHoldReason = miners::HoldReason::Collateral.into();
	Balances::set_balance(&stash, collateral.saturating_add(100 * EXISTENTIAL_DEPOSIT));
	Balances::hold(&reason, &stash, collateral).expect("the stash has so much; qed");

	let hot_key = sr25519::Public::from_raw(blake2_256(&("hot", seed).encode()));
	let endpoint = miners::Endpoint {
		key: blake2_256(&("endpoint", seed).encode()),
		addrs: Default::default(),
	};
	miners::ByAccount::<Runtime>::insert(&stash, id);
	miners::ByAccount::<Runtime>::insert(AccountId::from(hot_key), id);
	miners::ByEndpoint::<Runtime>::insert(endpoint.key, id);
	let now = Clock::now();
	let load = miners::MinerLoad { last_seen: now, ..Default::default() };
	miners::Loads::<Runtime>::insert(id, load);
	let record = miners::MinerV0 {
		stash: stash.clone(),
		payee: stash.clone(),
		hot_key,
		endpoint,
		declared,
		collateral,
		registered: now,
		phase: miners::Phase::Active { suspended: false },
		absence: None,
		since: now,
	};
	set_standing(id, Standing::Serving);
	miners::Miners::<Runtime>::insert(id, miners::Miner::V0(record));
	miners::Registered::<Runtime>::mutate(|count| *count = count.saturating_add(1));
	(id, stash)
}

/// On a page that is as long as can be.
fn set_standing(miner: MinerId, standing: Standing) {
	miners::Standings::<Runtime>::mutate(StandingPage::of(miner), |page| {
		page.set(MinerId(PAGE - 1), Some(Standing::Serving));
		page.set(miner, Some(standing));
	});
}

/// An owner who is rich buys as much space as it may, for as little time as is sold and so many eras.
fn buy_space(owner: &AccountId, eras: u32) {
	let (most, params) = (MaxSpace::get(), space::Parameters::<Runtime>::get());
	let ticks = params.grace.saturating_add(100).saturating_add(eras.saturating_mul(Era::get()));
	let signed = frame_system::RawOrigin::Signed(owner.clone());
	Space::buy(signed.into(), most, ticks).expect("the owner is rich; qed");
}

impl miners::benchmarking::BenchmarkHelper for Helper {
	fn set_tick(tick: Tick) {
		clock::Now::<Runtime>::put(tick);
	}

	/// Earnings for another account, as many batches as it may have, and a strike.
	fn burden(miner: MinerId) {
		let payee: AccountId = account("payee", miner.0, 0);
		Balances::set_balance(&payee, EXISTENTIAL_DEPOSIT);
		miners::Miners::<Runtime>::mutate_extant(miner, |record| record.payee = payee);

		let earned = grains(UNIT);
		Balances::mint_into(&Rewards::pot(), UNIT).expect("the pot exists; qed");
		let mut flow = Rewards::flow_now();
		flow.earned = flow.earned.saturating_add(earned);
		let account = rewards::Earnings {
			earns: false,
			grains: earned,
			..rewards::Earnings::new(flow.per_byte)
		};
		rewards::Accounts::<Runtime>::insert(miner, account);
		rewards::Flows::<Runtime>::put(flow);

		let fragment = |n: u32| FragmentId { segment: SegmentId(n.into()), index: 0 };
		let fragments = (0..restore::MAX_READY).map(fragment).collect();
		let fragments = BoundedVec::truncate_from(fragments);
		let batch = restore::Batch { fragments, thin: 0 };
		for at in 0..restore::MAX_BATCHES {
			restore::Batches::<Runtime>::insert(miner, at, batch.clone());
		}
		let record = audit::Record { strikes: 1, ..Default::default() };
		audit::Records::<Runtime>::insert(miner, record);
	}
}

impl files::benchmarking::BenchmarkHelper<AccountId> for Helper {
	fn miner(index: u32) -> MinerId {
		// So that a duty may be anchored to block 1.
		System::set_block_number(System::block_number().max(2));
		miner(index).0
	}

	fn set_beacon(block: u32) {
		clock::Beacons::<Runtime>::insert(block, blake2_256(&block.encode()));
	}

	fn space(owner: &AccountId) {
		buy_space(owner, 0);
	}

	fn owner(index: u32) -> (AccountId, AccountId) {
		let owner: AccountId = account("owner", index, 1);
		let operator: AccountId = account("operator", index, 1);
		Balances::set_balance(&owner, 1_000_000 * UNIT);
		buy_space(&owner, index);
		let signed = frame_system::RawOrigin::Signed(owner.clone());
		Space::authorise(signed.into(), operator.clone(), MaxSpace::get(), Tick::MAX)
			.expect("it is the first one; qed");
		// Time passes, so that what fails is given back.
		clock::Now::<Runtime>::mutate(|now| *now = now.saturating_add(1));
		(owner, operator)
	}
}

impl space::benchmarking::BenchmarkHelper<AccountId> for Helper {
	fn fund(who: &AccountId) {
		Balances::set_balance(who, 1_000_000 * UNIT);
	}

	fn set_tick(tick: Tick) {
		clock::Now::<Runtime>::put(tick);
	}
}

impl rewards::benchmarking::BenchmarkHelper for Helper {
	fn miner() -> MinerId {
		miner(0).0
	}

	fn set_tick(tick: Tick) {
		clock::Now::<Runtime>::put(tick);
	}
}

impl restore::BenchmarkHelper<AccountId> for Helper {
	fn miner(seed: u32) -> (MinerId, AccountId) {
		let next = miners::NextMiner::<Runtime>::get().0;
		let near = seed >= restore::NEAR;
		registered(seed, MinerId(if near { next } else { next.next_multiple_of(PAGE) }))
	}

	fn engage_brake() {
		let (since, bytes) = (Clock::now(), u64::MAX);
		miners::OutageState::<Runtime>::put(miners::Outage { since, first: since, bytes });
	}

	fn set_standing(miner: MinerId, standing: Standing) {
		let mut record = miners::Miners::<Runtime>::get(miner).expect("registered; qed");
		// Since before the brake began to count.
		let away = Some(miners::Absence { since: 0, bytes: 0 });
		(record.phase, record.absence) = match standing {
			Standing::Serving => (miners::Phase::Active { suspended: false }, None),
			Standing::Suspended => (miners::Phase::Active { suspended: true }, None),
			Standing::Absent => (miners::Phase::Active { suspended: false }, away),
			Standing::Leaving { expelled: false } => {
				(miners::Phase::Leaving { suspended: false }, None)
			},
			Standing::Leaving { expelled: true } => (miners::Phase::Expelled, None),
		};
		set_standing(miner, standing);
		miners::Miners::<Runtime>::insert(miner, record);
	}

	/// Of a file with many segments only the first has a record.
	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId {
		let index = files::NextFile::<Runtime>::get();
		let first = files::NextSegment::<Runtime>::get();
		files::NextFile::<Runtime>::put(planaria_primitives::FileIndex(index.0.saturating_add(1)));
		let next = first.0.saturating_add(spec.segments().into());
		files::NextSegment::<Runtime>::put(SegmentId(next));

		let mut segment = Segment::unplaced(index, spec.fragments());
		let len = u64::from(spec.fragment_len(0));
		for (number, holder) in (0u8..).zip(holders) {
			Miners::reserve(*holder, len, Purpose::Placement).expect("it has the room; qed");
			Miners::settle(*holder, len, Purpose::Placement);
			segment.holders.set(number, *holder);
			segment.confirmed |= bit(number);
		}
		files::Segments::<Runtime>::insert(first, segment);

		let owner: AccountId = account("owner", 0, 0);
		if !space::Spaces::<Runtime>::contains_key(&owner) {
			Balances::set_balance(&owner, 1_000_000 * UNIT);
			<Self as files::benchmarking::BenchmarkHelper<AccountId>>::space(&owner);
		}
		// No more than the first segment's can be freed.
		let bytes = len.saturating_mul(spec.fragments().into());
		Space::reserve(&owner, &owner, bytes).expect("there is room; qed");
		Space::settle(&owner, bytes);
		let now = Clock::now();
		let file = files::FileV0 {
			id,
			owner: owner.clone(),
			by: owner.clone(),
			size: spec.size(),
			coding: spec.coding(),
			first_segment: first,
			state: FileState::Active,
			label: Default::default(),
			unconfirmed: 0,
			lost: 0,
			placed: 1,
			swept: 0,
			ordered: now,
			last_progress: now,
			deposit: 0,
			written_off: 0,
			lot: files::Lot::Chosen,
		};
		files::Files::<Runtime>::insert(index, files::File::V0(file));
		files::FilesById::<Runtime>::insert(id, index, ());
		files::FilesOf::<Runtime>::insert(owner, index, ());
		first
	}

	/// A block's beacon is the same each time.
	fn set_time(block: u32, now: Tick) {
		System::set_block_number(block);
		clock::Now::<Runtime>::put(now);
		let kept = block.saturating_sub(clock::BEACONS - 1)..=block;
		let old: alloc::vec::Vec<u32> = clock::Beacons::<Runtime>::iter_keys()
			.filter(|number| !kept.contains(number))
			.collect();
		old.into_iter().for_each(clock::Beacons::<Runtime>::remove);
		for number in kept {
			clock::Beacons::<Runtime>::insert(number, blake2_256(&number.encode()));
		}
	}
}

impl audit::BenchmarkHelper<AccountId> for Helper {
	fn miner(seed: u32) -> (MinerId, AccountId) {
		miner(seed)
	}

	fn rich(seed: u32) -> AccountId {
		let who: AccountId = account("rich", seed, 0);
		Balances::set_balance(&who, 1_000 * UNIT);
		who
	}

	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId {
		<Self as restore::BenchmarkHelper<AccountId>>::store(id, spec, holders)
	}

	fn set_time(block: u32, now: Tick) {
		<Self as restore::BenchmarkHelper<AccountId>>::set_time(block, now);
	}
}
