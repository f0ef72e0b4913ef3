// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Clock, Miners, Space, Files, Restore, Audit and Rewards, and how they are put together.
//!
//! Each takes the seams of `pallet-planaria-support`; here is the only place where one pallet is
//! named for another. What can be tuned stands in each pallet's `Params`, set at genesis.

use super::system::BLOCK_WEIGHT;
use crate::{
	AccountId, Audit, Balances, Clock, Files, Miners, Restore, Rewards, Runtime, RuntimeHoldReason,
	Space,
};
use frame_support::{PalletId, parameter_types, traits::ConstU32, weights::Weight};
use frame_system::EnsureRoot;
use pallet_planaria_clock::OngoingMigration;
use pallet_planaria_miners::MAX_DUTY_BYTES;
use sp_runtime::{Perbill, traits::Get};

/// What the tidying up of one pallet may use of a block.
const AGENDA_SHARE: Perbill = Perbill::from_percent(7);

/// The same for spaces that lapse, and for bounties that are due.
const MONEY_SHARE: Perbill = Perbill::from_percent(2);

/// The same for draws, and for failures that are noted.
const AUDIT_SHARE: Perbill = Perbill::from_percent(5);

/// What is paid for ends with an era: a minute of ticks of 6 s.
pub type Era = ConstU32<10>;

parameter_types! {
	/// What the agendas of space and rewards may use of a block at most, each.
	pub MoneyWeight: Weight = MONEY_SHARE * BLOCK_WEIGHT;
	/// Where what is paid in advance is kept.
	pub const PotId: PalletId = PalletId(*b"plan/pot");
	/// The bytes one account may buy: 1 PiB.
	pub const MaxSpace: u64 = 1 << 50;
	/// What each pallet's agenda may use of a block at most.
	pub AgendaWeight: Weight = AGENDA_SHARE * BLOCK_WEIGHT;
	/// What draws and the agenda of audits may use of a block at most.
	pub AuditWeight: Weight = AUDIT_SHARE * BLOCK_WEIGHT;
	/// A block without room for this much more was full: a tenth of its time.
	pub Headroom: Weight = Perbill::from_percent(10) * BLOCK_WEIGHT;
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
	type OnDeparture = (Restore, Audit);
	type OnEarningChange = Rewards;
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
	type MinerCount = Miners;
	type MinerLedger = Miners;
	type OnConfirmed = Audit;
	type OnSegmentRemoved = (Restore, Audit);
	type OnSegmentStored = Audit;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SpaceLedger = Space;
	type TasksPerPage = ConstU32<64>;
	type WeightInfo = pallet_planaria_files::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_restore::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type AgendaWeight = AgendaWeight;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Bounties = Rewards;
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
	/// A network that loses 40 TiB a day restores 370 fragments in each block.
	type MaxTasks = ConstU32<512>;
	type WeightInfo = pallet_planaria_restore::weights::SubstrateWeight<Runtime>;
	type WriteOff = Files;
}

impl pallet_planaria_space::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type AgendaWeight = MoneyWeight;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Clock = Clock;
	type Currency = Balances;
	type Era = Era;
	type MaxBytes = MaxSpace;
	type MaxOperators = ConstU32<16>;
	type OnSpaceLapsed = Files;
	type Pot = Rewards;
	type RuntimeHoldReason = RuntimeHoldReason;
	type TasksPerPage = ConstU32<64>;
	type WeightInfo = pallet_planaria_space::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_rewards::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type AgendaWeight = MoneyWeight;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Clock = Clock;
	type Collateral = Miners;
	type Currency = Balances;
	type Directory = Miners;
	type Era = Era;
	/// As many second halves as fragments are restored.
	type MaxTasks = ConstU32<512>;
	type PotId = PotId;
	type WeightInfo = pallet_planaria_rewards::weights::SubstrateWeight<Runtime>;
}

impl pallet_planaria_audit::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type AgendaWeight = AuditWeight;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarks::Helper;
	type Clock = Clock;
	type Collateral = Miners;
	type Currency = Balances;
	type Directory = Miners;
	type Discipline = Miners;
	type DutyGate = Miners;
	type Fragments = Files;
	/// Enough for 37 PiB in which every TiB is asked once an hour.
	type MaxDraws = ConstU32<64>;
	type MaxTasks = ConstU32<256>;
	type OpenOrder = Restore;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = pallet_planaria_audit::weights::SubstrateWeight<Runtime>;
}
