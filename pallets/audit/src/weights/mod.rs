// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// `challenge`.
	fn challenge() -> Weight;
	/// `answer` with `n` answers to named challenges, without the gate.
	fn answer(n: u32) -> Weight;
	/// What `authorize` looks at before the gate does, for `answer`.
	fn authorize_answer() -> Weight;
	/// `tidy` with no fragments.
	fn tidy() -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// A round of draws without any.
	fn round() -> Weight;
	/// A draw, or a request, that becomes a challenge.
	fn draw() -> Weight;
	/// A segment comes into the census or leaves it.
	fn count() -> Weight;
	/// A full batch is noted.
	fn request() -> Weight;
	/// A tick of the agenda without its tasks.
	fn agenda_tick() -> Weight;
	/// A task: the challenge was answered.
	fn answered() -> Weight;
	/// A named challenge fails, with the last strike; without the restore order.
	fn close() -> Weight;
}
