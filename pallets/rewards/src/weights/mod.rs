// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// `claim`.
	fn claim() -> Weight;
	/// `collect`.
	fn collect() -> Weight;
	/// `burn`.
	fn burn() -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The beginning of a block in which an era begins.
	fn on_initialize() -> Weight;
	/// The agenda's part of a tick, without its tasks.
	fn agenda_tick() -> Weight;
	/// `n` second halves of bounties that are paid to one miner.
	fn agenda_tasks(n: u32) -> Weight;
}
