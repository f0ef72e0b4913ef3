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
	/// `place` of `s` segments of two fragments, each of which goes from a miner of its own to another.
	fn place(s: u32) -> Weight;
	/// `place` of one segment of `n` fragments.
	fn place_fragments(n: u32) -> Weight;
	/// `confirm` of `n` fragments, each the last of another file; without the gate.
	fn confirm(n: u32) -> Weight;
	/// `delete` by an operator, without the entry in the agenda.
	fn delete() -> Weight;
	/// `tidy` of `n` files without segments, each of another owner and ordered by another operator;
	/// without entries in the agenda.
	fn tidy(n: u32) -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The agenda's part of a page, without its tasks.
	fn serve_page() -> Weight;
	/// The agenda's part of a file: an order of an operator that fails and has no segments.
	fn serve_task() -> Weight;
	/// The agenda's part of a file about which nothing is to be done.
	fn serve_nothing() -> Weight;
	/// The removal of a segment that was never placed.
	fn sweep_gap() -> Weight;
	/// The removal of a segment of `n` fragments, without the callback.
	fn sweep_segment(n: u32) -> Weight;
}
