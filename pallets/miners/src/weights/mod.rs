// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// `register`.
	fn register() -> Weight;
	/// `set_endpoint`.
	fn set_endpoint() -> Weight;
	/// `set_hot_key`.
	fn set_hot_key() -> Weight;
	/// `set_payee`.
	fn set_payee() -> Weight;
	/// `set_declared`.
	fn set_declared() -> Weight;
	/// `top_up`.
	fn top_up() -> Weight;
	/// `withdraw`, also where it removes the record.
	fn withdraw() -> Weight;
	/// `exit`.
	fn exit() -> Weight;
	/// `finish`, with what it leaves to settle.
	fn finish() -> Weight;
	/// `alive`, without its authorisation.
	fn alive() -> Weight;
	/// `mark_absent`.
	fn mark_absent() -> Weight;
	/// `expel_absent`.
	fn expel_absent() -> Weight;
	/// `tidy`.
	fn tidy() -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// Authorising a duty with this many bytes of items.
	fn authorize_duty(bytes: u32) -> Weight;
	/// Letting in a duty of a miner that was absent.
	fn enter_duty() -> Weight;
	/// Letting in a duty of a miner that was there.
	fn enter_duty_again() -> Weight;
}
