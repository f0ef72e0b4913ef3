// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! System, Timestamp and Slots.

use crate::{
	AccountId, Balance, Block, BlockNumber, Hash, Migrations, Nonce, PalletInfo, Runtime,
	RuntimeCall, RuntimeEvent, RuntimeOrigin, RuntimeTask, VERSION,
	session_manager::CallFilter,
	slots::{self, HalfSlot},
};
use frame_support::{
	derive_impl, parameter_types,
	weights::{
		Weight,
		constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
	},
};
use frame_system::limits::{BlockLength, BlockWeights};
use sp_runtime::Perbill;
use sp_version::RuntimeVersion;

/// The share of a block that ordinary transactions may fill. The rest is for duties and for what
/// every block must do.
pub const NORMAL_SHARE: Perbill = Perbill::from_percent(75);

/// The weight of a full block: a third of a slot of 6 s, all of one of 2 s.
pub const BLOCK_WEIGHT: Weight = Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX);

/// The length of a full block, in bytes.
pub const BLOCK_BYTES: u32 = 5 << 20;

parameter_types! {
	/// How many blocks back a block's hash is known: four hours.
	pub const BlockHashCount: BlockNumber = 2400;
	/// The runtime's version.
	pub const Version: RuntimeVersion = VERSION;
	/// How the weight of a block is shared.
	pub RuntimeBlockWeights: BlockWeights =
		BlockWeights::with_sensible_defaults(BLOCK_WEIGHT, NORMAL_SHARE);
	/// How its length is.
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(BLOCK_BYTES)
		.modify_max_length_for_class(frame_support::dispatch::DispatchClass::Normal, |bytes| {
			*bytes = NORMAL_SHARE * BLOCK_BYTES;
		})
		.build();
	/// The generic prefix; one of our own is registered before a public network starts.
	pub const SS58Prefix: u16 = 42;
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type AccountData = pallet_balances::AccountData<Balance>;
	type AccountId = AccountId;
	type BaseCallFilter = CallFilter;
	type Block = Block;
	type BlockHashCount = BlockHashCount;
	type BlockLength = RuntimeBlockLength;
	type BlockWeights = RuntimeBlockWeights;
	type DbWeight = ParityDbWeight;
	type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
	type Hash = Hash;
	type MultiBlockMigrator = Migrations;
	type Nonce = Nonce;
	type SS58Prefix = SS58Prefix;
	type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
	type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
	type MinimumPeriod = HalfSlot<Runtime>;
	type Moment = u64;
	type OnTimestampSet = crate::Babe;
	type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl slots::Config for Runtime {}

#[cfg(feature = "runtime-benchmarks")]
impl frame_benchmarking::baseline::Config for Runtime {}

#[cfg(feature = "runtime-benchmarks")]
impl frame_system_benchmarking::Config for Runtime {}
