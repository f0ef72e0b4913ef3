// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Sudo, Utility and Migrations.

use super::system::{BLOCK_WEIGHT, NORMAL_SHARE};
use crate::{OriginCaller, Runtime, RuntimeCall, RuntimeEvent};
use frame_support::{
	migrations::FreezeChainOnFailedMigration, parameter_types, traits::ConstU32, weights::Weight,
};

impl pallet_sudo::Config for Runtime {
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

impl pallet_utility::Config for Runtime {
	type PalletsOrigin = OriginCaller;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

/// The migrations that take more than one block, in the order in which they run.
#[cfg(not(feature = "runtime-benchmarks"))]
pub type MultiBlockMigrations = ();
#[cfg(feature = "runtime-benchmarks")]
pub type MultiBlockMigrations = pallet_migrations::mock_helpers::MockedMigrations;

parameter_types! {
	/// What a step may take of a block: what ordinary transactions leave free while it runs.
	pub MaxServiceWeight: Weight = NORMAL_SHARE * BLOCK_WEIGHT;
}

impl pallet_migrations::Config for Runtime {
	type CursorMaxLen = ConstU32<65_536>;
	/// The chain stops where a migration fails: root must look at it.
	type FailedMigrationHandler = FreezeChainOnFailedMigration;
	type IdentifierMaxLen = ConstU32<256>;
	type MaxServiceWeight = MaxServiceWeight;
	type MigrationStatusHandler = ();
	type Migrations = MultiBlockMigrations;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_migrations::weights::SubstrateWeight<Runtime>;
}
