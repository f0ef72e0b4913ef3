// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Weights. Estimated by hand on the safe side from the storage each call touches, until they are
//! measured by the benchmarks; the traits of other pallets are counted with what they touch.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{Weight, constants::RocksDbWeight},
};

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

/// Proof size of a key and its value: 16 nodes of a hexary trie share little on the way.
const PROOF: u64 = 3_000;

fn weigh<Db: Get<frame_support::weights::RuntimeDbWeight>>(
	micros: u64,
	reads: u64,
	writes: u64,
) -> Weight {
	Weight::from_parts(micros.saturating_mul(1_000_000), reads.saturating_mul(PROOF))
		.saturating_add(Db::get().reads_writes(reads, writes))
}

macro_rules! estimates {
	($db:ty) => {
		// Params, both counters, the owner's account and holds, its space; the file and two indices.
		fn order() -> Weight {
			weigh::<$db>(60, 9, 9)
		}
		// The file; per segment its record, per fragment a reservation (miner, load, collateral).
		fn place(s: u32) -> Weight {
			weigh::<$db>(30, 2, 1).saturating_add(weigh::<$db>(20, 9, 5).saturating_mul(s.into()))
		}
		fn place_fragments(n: u32) -> Weight {
			weigh::<$db>(30, 3, 2).saturating_add(weigh::<$db>(8, 4, 2).saturating_mul(n.into()))
		}
		// Per fragment the segment, the file and its owner's space; the miner's ledger.
		fn confirm(n: u32) -> Weight {
			weigh::<$db>(20, 4, 3).saturating_add(weigh::<$db>(25, 4, 4).saturating_mul(n.into()))
		}
		fn delete() -> Weight {
			weigh::<$db>(30, 4, 4)
		}
		// Per file its record, its owner's account, holds and space, and two indices.
		fn tidy(n: u32) -> Weight {
			weigh::<$db>(20, 2, 1).saturating_add(weigh::<$db>(60, 7, 7).saturating_mul(n.into()))
		}
		fn set_params() -> Weight {
			weigh::<$db>(10, 0, 1)
		}
		fn serve_tick() -> Weight {
			weigh::<$db>(10, 3, 3)
		}
		fn serve_task() -> Weight {
			weigh::<$db>(60, 8, 7)
		}
		fn sweep_gap() -> Weight {
			weigh::<$db>(2, 1, 0)
		}
		// Its record, and the ledger of each holder.
		fn sweep_segment(n: u32) -> Weight {
			weigh::<$db>(5, 1, 1).saturating_add(weigh::<$db>(5, 2, 2).saturating_mul(n.into()))
		}
	};
}

/// The estimates with the runtime's database weights.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	estimates!(T::DbWeight);
}

impl WeightInfo for () {
	estimates!(RocksDbWeight);
}
