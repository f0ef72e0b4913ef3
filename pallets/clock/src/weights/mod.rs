// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// Rolling the beacon and letting a tick pass.
	fn on_initialize() -> Weight;
	/// Judging whether the block is full.
	fn on_finalize() -> Weight;
	/// `set_running`.
	fn set_running() -> Weight;
}
