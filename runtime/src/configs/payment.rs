// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Balances and TransactionPayment.
//!
//! A transaction pays for the time it takes and for its bytes; a transfer costs about four
//! thousandths of a PLAN. The price of time rises when blocks are more than a quarter full, slowly,
//! and falls back. Fee and tip go to the block's author: validators have no other income.

use crate::{
	AccountId, Authorship, Balance, Balances, Runtime, RuntimeEvent, RuntimeFreezeReason,
	RuntimeHoldReason, System,
	currency::{EXISTENTIAL_DEPOSIT, MICRO},
};
use frame_support::{
	parameter_types,
	traits::{
		ConstU8, ConstU32, OnUnbalanced, VariantCountOf,
		fungible::{Balanced, Credit},
	},
	weights::ConstantMultiplier,
};
use pallet_transaction_payment::{FungibleAdapter, Multiplier, TargetedFeeAdjustment};
use sp_runtime::{FixedPointNumber, Perquintill, traits::Bounded};

parameter_types! {
	/// What an account must hold to exist.
	pub const ExistentialDeposit: Balance = EXISTENTIAL_DEPOSIT;
	/// What a picosecond costs, in the token's smallest part.
	pub const TimeFee: Balance = 10;
	/// What a byte costs.
	pub const ByteFee: Balance = 10 * MICRO;
	/// The share of a block's time at which the price stays as it is.
	pub const TargetFullness: Perquintill = Perquintill::from_percent(25);
	/// How fast the price follows: see `TargetedFeeAdjustment`.
	pub Adjustment: Multiplier = Multiplier::saturating_from_rational(75, 1_000_000);
	/// The price never falls below `TimeFee`.
	pub MinMultiplier: Multiplier = Multiplier::from_u32(1);
	/// It may rise without a limit.
	pub MaxMultiplier: Multiplier = Multiplier::max_value();
}

impl pallet_balances::Config for Runtime {
	type AccountStore = System;
	type Balance = Balance;
	type DoneSlashHandler = ();
	type DustRemoval = ();
	type ExistentialDeposit = ExistentialDeposit;
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	type MaxLocks = ConstU32<0>;
	type MaxReserves = ConstU32<0>;
	type ReserveIdentifier = [u8; 8];
	type RuntimeEvent = RuntimeEvent;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
}

/// Gives fees and tips to the block's author. What its account cannot take is burned.
pub struct ToAuthor;

impl OnUnbalanced<Credit<AccountId, Balances>> for ToAuthor {
	fn on_nonzero_unbalanced(credit: Credit<AccountId, Balances>) {
		if let Some(author) = Authorship::author() {
			let _ = Balances::resolve(&author, credit);
		}
	}
}

impl pallet_transaction_payment::Config for Runtime {
	type FeeMultiplierUpdate =
		TargetedFeeAdjustment<Runtime, TargetFullness, Adjustment, MinMultiplier, MaxMultiplier>;
	type LengthToFee = ConstantMultiplier<Balance, ByteFee>;
	type OnChargeTransaction = FungibleAdapter<Balances, ToAuthor>;
	type OperationalFeeMultiplier = ConstU8<5>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
	type WeightToFee = ConstantMultiplier<Balance, TimeFee>;
}

#[cfg(feature = "runtime-benchmarks")]
impl pallet_transaction_payment::BenchmarkConfig for Runtime {}
