// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Clock, Miners, Files and Restore, and how they are put together.
//!
//! Each takes the seams of `pallet-planaria-support`; here is the only place where one pallet is
//! named for another. What can be tuned stands in each pallet's `Params`, set at genesis.

use super::system::BLOCK_WEIGHT;
use crate::{AccountId, Balances, Clock, Files, Miners, Restore, Runtime, RuntimeHoldReason};
use frame_support::{parameter_types, traits::ConstU32, weights::Weight};
use frame_system::EnsureRoot;
use pallet_planaria_clock::OngoingMigration;
use pallet_planaria_miners::MAX_DUTY_BYTES;
use sp_runtime::{Perbill, traits::Get};

/// What the tidying up of one pallet may use of a block.
const AGENDA_SHARE: Perbill = Perbill::from_percent(10);

parameter_types! {
	/// What each pallet's agenda may use of a block at most.
	pub AgendaWeight: Weight = AGENDA_SHARE * BLOCK_WEIGHT;
	/// A block without room for this much more was full: half a tenth of its time.
	pub Headroom: Weight = Perbill::from_percent(5) * BLOCK_WEIGHT;
	/// The bytes one miner may offer: 1 PiB. Larger machines run several miners.
	pub const MaxDeclared: u64 = 1 << 50;
}

/// The slot of the block at hand.
pub struct CurrentSlot;

impl Get<u64> for CurrentSlot {
	fn get() -> u64 {
		pallet_babe::CurrentSlot::<Runtime>::get().into()
	}
}

/// The VRF output of the parent, as it stands in the state until the block at hand is finalized.
pub struct ParentVrf;

impl Get<Option<planaria_primitives::Hash>> for ParentVrf {
	fn get() -> Option<planaria_primitives::Hash> {
		pallet_babe::AuthorVrfRandomness::<Runtime>::get()
	}
}

impl pallet_planaria_clock::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type CurrentSlot = CurrentSlot;
	type Headroom = Headroom;
	type HeadroomLength = ConstU32<MAX_DUTY_BYTES>;
	type Migrating = OngoingMigration<Runtime>;
	type Vrf = ParentVrf;
	type WeightInfo = pallet_planaria_clock::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_miners::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Clock = Clock;
	type Currency = Balances;
	type MaxDeclared = MaxDeclared;
	type OnDeparture = Restore;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = pallet_planaria_miners::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_files::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Clock = Clock;
	type Currency = Balances;
	type DutyGate = Miners;
	type MaxAgendaWeight = AgendaWeight;
	type MaxBatch = ConstU32<128>;
	type MaxFilesPerTick = ConstU32<64>;
	type MinerLedger = Miners;
	type OnSegmentRemoved = Restore;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SpaceLedger = ();
	type WeightInfo = pallet_planaria_files::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_restore::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type AgendaWeight = AgendaWeight;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Brake = Miners;
	type Clock = Clock;
	type Collateral = Miners;
	type Currency = Balances;
	type Custody = Files;
	type Directory = Miners;
	type DutyGate = Miners;
	type Fragments = Files;
	type Ledger = Miners;
	type MaxBatch = ConstU32<64>;
	type MaxTasks = ConstU32<256>;
	type WeightInfo = pallet_planaria_restore::weights::SubstrateWeight<Runtime>;
}
