// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet, measured by `scripts/weights.sh`.

mod calls;
mod measured;

pub use calls::Items;
pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// The weights of this pallet.
pub trait WeightInfo {
	/// `open` with `n` fragments of one restore target.
	fn open(n: u32) -> Weight;
	/// `open` with `n` fragments, each of another restore target.
	fn open_apart(n: u32) -> Weight;
	/// `open` with `n` fragments, each of another restore target, whose segments are found to be
	/// suspected lost.
	fn open_dear(n: u32) -> Weight;
	/// `claim` with `n` fragments whose claims have expired.
	fn claim(n: u32) -> Weight;
	/// `give_back` with `n` fragments.
	fn give_back(n: u32) -> Weight;
	/// `decline` with `n` fragments.
	fn decline(n: u32) -> Weight;
	/// `cancel`.
	fn cancel() -> Weight;
	/// `ready` with `n` fragments, which replace a full batch.
	fn ready(n: u32) -> Weight;
	/// What `authorize` looks at before the gate does, for `ready`.
	fn authorize_ready() -> Weight;
	/// What `open`, `ready` and `report` read of standings beside a few pages: `p` pages, each for a
	/// fragment that is looked at to find out how many of its segment are present.
	fn judge(p: u32) -> Weight;
	/// `report` of a batch of `n` fragments of one holder, with as many proofs as are drawn.
	fn report(n: u32) -> Weight;
	/// `report` of a batch of `n` fragments, each of another holder.
	fn report_apart(n: u32) -> Weight;
	/// `report` of a batch of `n` fragments, each of another holder, whose segments are found.
	fn report_dear(n: u32) -> Weight;
	/// Checking `p` proofs.
	fn prove(p: u32) -> Weight;
	/// What `authorize` looks at before the gate does, for `report`.
	fn authorize_report() -> Weight;
	/// `check_segment` of a segment that is found lost, all of it under restoration.
	fn check_segment() -> Weight;
	/// `settle_loss` of a segment without any fragment, all of whose holders pay.
	fn settle_loss() -> Weight;
	/// `tidy` with `n` fragments whose claims have expired and whose orders are void.
	fn tidy(n: u32) -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The chain opens an order for a fragment of a segment of which all others are restoring.
	fn open_challenged() -> Weight;
	/// A segment of `f` fragments is removed, all of them claimed, whose holders have their bounties
	/// back.
	fn on_segment_removed(f: u32) -> Weight;
	/// A tick of the agenda without its tasks.
	fn agenda_tick() -> Weight;
	/// A task: the claim that ends is over already.
	fn claim_ended() -> Weight;
	/// A task: a ban has ended.
	fn ban_ends() -> Weight;
}
