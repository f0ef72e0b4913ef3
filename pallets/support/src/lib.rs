// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the Planaria pallets share.
//!
//! A Planaria pallet never names another one. It takes the [`traits`] of this crate, each with at
//! most five methods and a `()` implementation beside it, and the runtime puts them together.
//! Downward calls may change state; upward calls are callbacks of one method, get everything by
//! value and never call back. No trait method is called inside a `mutate` closure.
//!
//! - [`traits`]: the seams between the pallets, and the types that cross them,
//! - [`agenda`]: tidying up when a tick has come, under a weight limit,
//! - [`calendar`]: the same of what nobody else does, so that nothing is ever dropped,
//! - [`hot_key`]: the key a miner's node signs with.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod traits;

pub mod standings;

pub mod agenda;

pub mod calendar;

pub mod hot_key {
	//! The key a miner's node signs with: duties, and the orders and claims it starts itself.
	//!
	//! It can never exit, withdraw or change the payee; only the stash can.

	use sp_application_crypto::{KeyTypeId, app_crypto, sr25519};

	/// Where the keystore has it.
	pub const KEY_TYPE: KeyTypeId = KeyTypeId(*b"plan");

	app_crypto!(sr25519, KEY_TYPE);
}

pub use agenda::Agenda;
pub use calendar::Calendar;
pub use standings::{StandingCache, StandingPage};
pub use traits::*;
