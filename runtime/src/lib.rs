// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The Planaria runtime: what the chain is made of, and with which settings.
//!
//! - the pallets and their indices stand below, their settings in [`configs`],
//! - [`apis`] is what a node asks of the runtime,
//! - [`queries`] answers what is computed of several pallets' state,
//! - [`offchain`] is the glue between the chain, the worker and the mailbox,
//! - [`presets`] are the genesis states of local networks,
//! - `capacity` computes what a large network costs the chain,
//! - [`session_manager`] lets root say who validates, [`slots`] how long a slot lasts,
//! - [`transactions`] builds the transactions that the runtime's own offchain worker submits.
//!
//! Indices of pallets, calls, events, errors and the prefixes in storage are part of what other
//! programs rely on. `golden.txt` pins them; a test compares.

#![cfg_attr(not(feature = "std"), no_std)]
// The macros that put a runtime together recurse over every pallet's variants.
#![recursion_limit = "256"]
// What they generate has neither documentation nor `Debug`.
#![allow(missing_docs, missing_debug_implementations)]

extern crate alloc;

/// The runtime as Wasm, as [`WASM_BINARY`].
#[cfg(feature = "std")]
mod wasm {
	#![allow(dead_code)]
	include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}
#[cfg(feature = "std")]
pub use wasm::{WASM_BINARY, WASM_BINARY_BLOATY};

// First: `apis` uses the macros it defines.
#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks;

pub mod apis;
#[cfg(feature = "std")]
pub mod capacity;
pub mod configs;
pub mod offchain;
pub mod presets;
pub mod queries;
pub mod session_manager;
pub mod slots;
pub mod transactions;

#[cfg(any(feature = "std", feature = "try-runtime"))]
pub mod invariants;
#[cfg(test)]
mod tests;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
	MultiAddress, MultiSignature, generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
};
use sp_version::RuntimeVersion;

pub use apis::{RUNTIME_API_VERSIONS, RuntimeApi};
pub use transactions::TxExtension;

/// Which runtime this is.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("planaria"),
	impl_name: Cow::Borrowed("planaria-node"),
	authoring_version: 1,
	spec_version: 1,
	impl_version: 1,
	apis: RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

/// A number of a block.
pub type BlockNumber = u32;
/// An amount of the token, in its smallest part.
pub type Balance = u128;
/// How many transactions an account has signed.
pub type Nonce = u32;
/// The hash of a block, of a transaction, of the state.
pub type Hash = sp_core::H256;
/// A signature of any of the three kinds an account may use; sr25519 is the usual one.
pub type Signature = MultiSignature;
/// What an account is called.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How a transaction says which account it means.
pub type Address = MultiAddress<AccountId, ()>;

/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A transaction as it is sent.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// Runs blocks on the pallets.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

/// The token's name and its parts.
pub mod currency {
	use super::Balance;

	/// What the token is called.
	pub const SYMBOL: &str = "PLAN";
	/// Digits behind the decimal point.
	pub const DECIMALS: u32 = 12;
	/// One token.
	pub const UNIT: Balance = 10u128.pow(DECIMALS);
	/// A thousandth of a token.
	pub const MILLI: Balance = UNIT / 1_000;
	/// A millionth of a token.
	pub const MICRO: Balance = UNIT / 1_000_000;

	/// What an account must hold to exist.
	pub const EXISTENTIAL_DEPOSIT: Balance = MILLI;

	/// What is held, and returned, for occupying `items` entries of `bytes` bytes in the state.
	pub const fn deposit(items: u32, bytes: u32) -> Balance {
		items as Balance * 10 * MILLI + bytes as Balance * 100 * MICRO
	}
}

/// Slots, epochs and everyday spans of time.
pub mod time {
	use super::BlockNumber;

	/// How long a slot lasts unless a chain's genesis says otherwise, in milliseconds.
	pub const DEFAULT_SLOT_MILLIS: u64 = 6_000;
	/// An epoch, and so a session, in slots. It can never change on a running chain.
	pub const EPOCH_SLOTS: u64 = 50;

	/// A minute, in blocks of [`DEFAULT_SLOT_MILLIS`].
	pub const MINUTES: BlockNumber = 10;
	/// An hour, in blocks of [`DEFAULT_SLOT_MILLIS`].
	pub const HOURS: BlockNumber = 60 * MINUTES;
	/// A day, in blocks of [`DEFAULT_SLOT_MILLIS`].
	pub const DAYS: BlockNumber = 24 * HOURS;
}

impl_opaque_keys! {
	/// What a validator signs with.
	pub struct SessionKeys {
		/// Its blocks (sr25519).
		pub babe: Babe,
		/// Its votes for finality (ed25519).
		pub grandpa: Grandpa,
	}
}

// Indices are never changed and never given to another pallet. 0..=9 is what every block needs,
// 10..=19 is administration, 20..=39 belongs to Planaria: 20 Clock, 21 Miners, 22 Space, 23 Files,
// 24 Restore, 25 Audit, 26 Rewards, 27 Market.
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
	/// All pallets together.
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system::Pallet<Runtime>;
	#[runtime::pallet_index(1)]
	pub type Timestamp = pallet_timestamp::Pallet<Runtime>;
	#[runtime::pallet_index(2)]
	pub type Slots = crate::slots::Pallet<Runtime>;
	#[runtime::pallet_index(3)]
	pub type Babe = pallet_babe::Pallet<Runtime>;
	#[runtime::pallet_index(4)]
	pub type Authorship = pallet_authorship::Pallet<Runtime>;
	#[runtime::pallet_index(5)]
	pub type Balances = pallet_balances::Pallet<Runtime>;
	#[runtime::pallet_index(6)]
	pub type TransactionPayment = pallet_transaction_payment::Pallet<Runtime>;
	// Before Session, which asks at genesis who the validators are.
	#[runtime::pallet_index(7)]
	pub type Validators = pallet_membership::Pallet<Runtime>;
	#[runtime::pallet_index(8)]
	pub type Session = pallet_session::Pallet<Runtime>;
	#[runtime::pallet_index(9)]
	pub type Grandpa = pallet_grandpa::Pallet<Runtime>;

	#[runtime::pallet_index(10)]
	pub type Sudo = pallet_sudo::Pallet<Runtime>;
	#[runtime::pallet_index(11)]
	pub type Utility = pallet_utility::Pallet<Runtime>;
	#[runtime::pallet_index(12)]
	pub type Migrations = pallet_migrations::Pallet<Runtime>;

	// After Babe, whose slot and randomness it reads.
	#[runtime::pallet_index(20)]
	pub type Clock = pallet_planaria_clock::Pallet<Runtime>;
	#[runtime::pallet_index(21)]
	pub type Miners = pallet_planaria_miners::Pallet<Runtime>;
	#[runtime::pallet_index(22)]
	pub type Space = pallet_planaria_space::Pallet<Runtime>;
	#[runtime::pallet_index(23)]
	pub type Files = pallet_planaria_files::Pallet<Runtime>;
	#[runtime::pallet_index(24)]
	pub type Restore = pallet_planaria_restore::Pallet<Runtime>;
	#[runtime::pallet_index(25)]
	pub type Audit = pallet_planaria_audit::Pallet<Runtime>;
	#[runtime::pallet_index(26)]
	pub type Rewards = pallet_planaria_rewards::Pallet<Runtime>;
}
