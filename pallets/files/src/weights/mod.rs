// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// What the calls and the agenda weigh.
pub trait WeightInfo {
	/// `order`, without the entry in the agenda.
	fn order() -> Weight;
	/// `place` of `s` segments of two fragments.
	fn place(s: u32) -> Weight;
	/// `place` of one segment of `n` fragments.
	fn place_fragments(n: u32) -> Weight;
	/// `confirm` of `n` fragments, each the last of another file; without the gate.
	fn confirm(n: u32) -> Weight;
	/// `delete`, without the entry in the agenda.
	fn delete() -> Weight;
	/// `tidy` of `n` files without segments.
	fn tidy(n: u32) -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The agenda's part of a tick, without its tasks.
	fn serve_tick() -> Weight;
	/// The agenda's part of a file: an order that fails and has no segments.
	fn serve_task() -> Weight;
	/// The removal of a segment that was never placed.
	fn sweep_gap() -> Weight;
	/// The removal of a segment of `n` fragments, without the callback.
	fn sweep_segment(n: u32) -> Weight;
}
