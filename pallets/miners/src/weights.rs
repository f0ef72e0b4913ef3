// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet: estimates on the safe side, until they are measured.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{RuntimeDbWeight, Weight, constants::RocksDbWeight},
};

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
	/// `finish`.
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
	/// Letting a duty in.
	fn enter_duty() -> Weight;
}

/// Microseconds, in the unit of weights.
const MICROS: u64 = 1_000_000;

/// What the proof of one value costs, with the path to it.
const PROOF: u64 = 4_000;

/// The work of one call: computation, and how often the database is asked.
const fn work(db: RuntimeDbWeight, micros: u64, reads: u64, writes: u64) -> Weight {
	let proof = PROOF.saturating_mul(reads);
	Weight::from_parts(micros.saturating_mul(MICROS), proof)
		.saturating_add(Weight::from_parts(db.read.saturating_mul(reads), 0))
		.saturating_add(Weight::from_parts(db.write.saturating_mul(writes), 0))
}

/// A duty's signature costs 150 us, and 10 ns for each byte it covers.
const fn signature(bytes: u32) -> Weight {
	Weight::from_parts((150 * MICROS).saturating_add((bytes as u64).saturating_mul(10_000)), 0)
}

/// The weights with the database of `T`.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! weights {
	($db:expr) => {
		// Two signatures; genesis hash, id, count, stash, hot key, endpoint, parameters, tick, account and
		// holds read; record, load, four lookups, id, count, account and holds written.
		fn register() -> Weight {
			work($db, 400, 11, 11)
		}
		// A signature; account, record, genesis hash, lookup; record and two lookups.
		fn set_endpoint() -> Weight {
			work($db, 200, 4, 3)
		}
		fn set_hot_key() -> Weight {
			work($db, 200, 4, 3)
		}
		fn set_payee() -> Weight {
			work($db, 40, 2, 1)
		}
		// Account, record, load.
		fn set_declared() -> Weight {
			work($db, 40, 3, 1)
		}
		// Account, record, system account, holds.
		fn top_up() -> Weight {
			work($db, 90, 4, 3)
		}
		// Account, record, load, parameters, tick, system account, holds; the worst case removes
		// the record and its lookups.
		fn withdraw() -> Weight {
			work($db, 100, 7, 7)
		}
		fn exit() -> Weight {
			work($db, 40, 3, 1)
		}
		// Record, load, parameters, tick, count; record, load and count.
		fn finish() -> Weight {
			work($db, 50, 5, 3)
		}
		fn alive() -> Weight {
			Self::enter_duty()
		}
		// Record, load, parameters, tick, brake; record and brake.
		fn mark_absent() -> Weight {
			work($db, 50, 5, 2)
		}
		// The same, and the sum of all bytes.
		fn expel_absent() -> Weight {
			work($db, 50, 6, 1)
		}
		fn tidy() -> Weight {
			work($db, 100, 5, 7)
		}
		fn set_params() -> Weight {
			work($db, 40, 3, 2)
		}
		// Load, block number, block hash, record, parameters, tick.
		fn authorize_duty(bytes: u32) -> Weight {
			work($db, 20, 6, 0).saturating_add(signature(bytes))
		}
		// Load, tick, record, parameters, brake; load, record, brake.
		fn enter_duty() -> Weight {
			work($db, 50, 5, 3)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	weights!(T::DbWeight::get());
}

impl WeightInfo for () {
	weights!(RocksDbWeight::get());
}
