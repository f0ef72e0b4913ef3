// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Babe, Authorship, Validators, Session and Grandpa.
//!
//! Equivocations are not reported: the validators are chosen by root, who dismisses them. Staking
//! and the reports come together.

use crate::{
	AccountId, Babe, Balance, Balances, Runtime, RuntimeEvent, Session, SessionKeys,
	currency::deposit, session_manager::ValidatorSet, slots::SlotDuration, time::EPOCH_SLOTS,
};
use frame_support::{parameter_types, traits::ConstU32};
use frame_system::EnsureRoot;
use pallet_session::disabling::UpToLimitDisablingStrategy;
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

/// The most validators there can be.
pub type MaxValidators = ConstU32<100>;

/// Every fourth slot, on average, is won by lot; in the others a validator has its turn, so that no
/// slot stays empty. Every block brings fresh randomness.
pub const EPOCH_CONFIG: BabeEpochConfiguration =
	BabeEpochConfiguration { c: (1, 4), allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots };

parameter_types! {
	/// An epoch, in slots.
	pub const EpochDuration: u64 = EPOCH_SLOTS;
	/// Two keys of 32 bytes, and who owns each.
	pub const KeyDeposit: Balance = deposit(3, 200);
	/// A day and more of sessions in which a GRANDPA set can be looked up.
	pub const MaxSetIdSessionEntries: u64 = 1_000;
}

impl pallet_babe::Config for Runtime {
	type DisabledValidators = Session;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type EpochDuration = EpochDuration;
	type EquivocationReportSystem = ();
	type ExpectedBlockTime = SlotDuration<Runtime>;
	type KeyOwnerProof = sp_core::Void;
	type MaxAuthorities = MaxValidators;
	type MaxNominators = ConstU32<0>;
	type WeightInfo = ();
}

impl pallet_authorship::Config for Runtime {
	type EventHandler = ();
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Runtime, Babe>;
}

impl pallet_membership::Config for Runtime {
	type AddOrigin = EnsureRoot<AccountId>;
	type MaxMembers = MaxValidators;
	type MembershipChanged = ();
	type MembershipInitialized = ();
	type PrimeOrigin = EnsureRoot<AccountId>;
	type RemoveOrigin = EnsureRoot<AccountId>;
	type ResetOrigin = EnsureRoot<AccountId>;
	type RuntimeEvent = RuntimeEvent;
	type SwapOrigin = EnsureRoot<AccountId>;
	type WeightInfo = pallet_membership::weights::SubstrateWeight<Runtime>;
}

impl pallet_session::Config for Runtime {
	type Currency = Balances;
	type DisablingStrategy = UpToLimitDisablingStrategy;
	type KeyDeposit = KeyDeposit;
	type Keys = SessionKeys;
	type NextSessionRotation = Babe;
	type RuntimeEvent = RuntimeEvent;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type SessionManager = ValidatorSet;
	type ShouldEndSession = Babe;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
}

impl pallet_grandpa::Config for Runtime {
	type EquivocationReportSystem = ();
	type KeyOwnerProof = sp_core::Void;
	type MaxAuthorities = MaxValidators;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = MaxSetIdSessionEntries;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
}
