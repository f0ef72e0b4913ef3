// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// `buy`, without the entry in the agenda.
	fn buy() -> Weight;
	/// `grow`.
	fn grow() -> Weight;
	/// `renew`.
	fn renew() -> Weight;
	/// `authorise` of an operator that is new.
	fn authorise() -> Weight;
	/// `revoke`.
	fn revoke() -> Weight;
	/// `close` of a space with as many operators as it may have.
	fn close() -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The agenda's part of a page, without its tasks.
	fn agenda_page() -> Weight;
	/// The agenda's look at a space, without what it puts down.
	fn agenda_task() -> Weight;
	/// The agenda's look at a space that is not due.
	fn agenda_nothing() -> Weight;
	/// A step of the removal, without the callback.
	fn step() -> Weight;
}
