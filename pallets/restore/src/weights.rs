// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The weights of this pallet: estimates on the safe side, until they are measured.
//!
//! They are those of the worst case: segments of 64 fragments, each at a miner of its own.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{RuntimeDbWeight, Weight, constants::RocksDbWeight},
};

/// The weights of this pallet.
pub trait WeightInfo {
	/// `open` with `n` fragments of restore targets.
	fn open(n: u32) -> Weight;
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
	/// `report` of a batch of `n` fragments with `p` proofs.
	fn report(p: u32, n: u32) -> Weight;
	/// What `authorize` looks at before the gate does, for `report`.
	fn authorize_report() -> Weight;
	/// `check_segment` of a segment that is found lost, all of it under restoration.
	fn check_segment() -> Weight;
	/// `tidy` with `n` fragments whose claims have expired and whose orders are void.
	fn tidy(n: u32) -> Weight;
	/// `set_params`.
	fn set_params() -> Weight;
	/// The chain opens an order for a fragment of a segment of which all others are restoring.
	fn open_challenged() -> Weight;
	/// A segment of `f` fragments, all of them claimed, is removed.
	fn on_segment_removed(f: u32) -> Weight;
	/// A tick of the agenda without its tasks.
	fn agenda_tick() -> Weight;
	/// A task: a ban has ended.
	fn ban_ends() -> Weight;
}

/// What the proof of one small value costs.
const PROOF: u64 = 3_600;
/// Reading and writing the tasks of a tick, and spilling to the next.
const SCHEDULE: (u64, u64) = (4, 3);

fn weigh(db: RuntimeDbWeight, micros: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(micros * 1_000_000, reads * PROOF)
		.saturating_add(db.reads_writes(reads, writes))
}

/// The weights with these database costs.
#[derive(Debug)]
struct Estimate(RuntimeDbWeight);

impl Estimate {
	/// The segment and its file, the standing of 64 holders, what is missing, the verdict.
	fn evaluate(&self) -> Weight {
		weigh(self.0, 30, 69, 1).saturating_add(weigh(self.0, 5, SCHEDULE.0, SCHEDULE.1))
	}

	/// Segment, file, order, claim, ban, ledger, task.
	fn claim(&self) -> Weight {
		weigh(self.0, 40, 10, 5).saturating_add(weigh(self.0, 5, SCHEDULE.0, SCHEDULE.1))
	}

	/// Collateral, ledger, claim, ban, task.
	fn expire(&self) -> Weight {
		weigh(self.0, 60, 8, 7).saturating_add(weigh(self.0, 5, SCHEDULE.0, SCHEDULE.1))
	}

	/// The caller, the clock, the parameters.
	fn call(&self) -> Weight {
		weigh(self.0, 25, 5, 0)
	}

	/// A proof of the largest size: hashing 2.3 KB in some 40 steps, and its decoding.
	fn verify(&self) -> Weight {
		weigh(self.0, 60, 3, 0)
	}

	/// Segment and file, two ledgers.
	fn hand_over(&self) -> Weight {
		weigh(self.0, 40, 5, 4)
	}

	fn open(&self, n: u32) -> Weight {
		let item = self.claim().saturating_add(self.evaluate());
		// The brake, and what the verdict reads, once more from memory.
		let item = item.saturating_add(weigh(self.0, 60, 6, 4));
		self.call().saturating_add(item.saturating_mul(n.into()))
	}

	fn claims(&self, n: u32) -> Weight {
		let item = self.claim().saturating_add(self.expire());
		self.call().saturating_add(item.saturating_mul(n.into()))
	}

	fn give_back(&self, n: u32) -> Weight {
		self.call().saturating_add(weigh(self.0, 25, 5, 3).saturating_mul(n.into()))
	}

	fn open_challenged(&self) -> Weight {
		weigh(self.0, 40, 5, 4).saturating_add(self.evaluate())
	}

	fn cancel(&self) -> Weight {
		let change = weigh(self.0, 30, 5, 4).saturating_add(self.expire());
		self.call()
			.saturating_add(self.verify())
			.saturating_add(change)
			.saturating_add(self.evaluate())
	}

	fn ready(&self, n: u32) -> Weight {
		let replaced = weigh(self.0, 10, 1, 1).saturating_mul(64).saturating_add(self.asked());
		let item = weigh(self.0, 30, 69, 1);
		self.call()
			.saturating_add(weigh(self.0, 20, 2, 2))
			.saturating_add(replaced)
			.saturating_add(item.saturating_mul(n.into()))
	}

	fn asked(&self) -> Weight {
		// What is asked of a batch: the segment and the file of each of at most 24 fragments.
		weigh(self.0, 60, 2 + 2 * 24, 0)
	}

	fn report(&self, p: u32, n: u32) -> Weight {
		let item = weigh(self.0, 25, 4, 4)
			.saturating_add(self.hand_over())
			.saturating_add(self.evaluate());
		let proof = self.verify().saturating_add(weigh(self.0, 20, 2, 2));
		self.call()
			.saturating_add(weigh(self.0, 20, 3, 1))
			.saturating_add(self.asked())
			.saturating_add(proof.saturating_mul(p.into()))
			.saturating_add(item.saturating_mul(n.into()))
	}

	fn check_segment(&self) -> Weight {
		let vacated = weigh(self.0, 10, 1, 0).saturating_add(self.hand_over()).saturating_mul(64);
		self.call()
			.saturating_add(self.evaluate())
			.saturating_add(weigh(self.0, 20, 2, 1))
			.saturating_add(vacated)
	}

	fn tidy(&self, n: u32) -> Weight {
		let item =
			weigh(self.0, 30, 7, 4).saturating_add(self.expire()).saturating_add(self.evaluate());
		self.call().saturating_add(item.saturating_mul(n.into()))
	}

	fn set_params(&self) -> Weight {
		weigh(self.0, 15, 0, 1)
	}

	fn on_segment_removed(&self, f: u32) -> Weight {
		weigh(self.0, 5, 2, 2).saturating_add(weigh(self.0, 20, 3, 3).saturating_mul(f.into()))
	}

	fn agenda_tick(&self) -> Weight {
		weigh(self.0, 10, 4, 3)
	}

	fn ban_ends(&self) -> Weight {
		weigh(self.0, 10, 2, 1)
	}
}

/// The weights with the database of `T`.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! weight_info {
	($db:expr) => {
		fn open(n: u32) -> Weight {
			Estimate($db).open(n)
		}
		fn claim(n: u32) -> Weight {
			Estimate($db).claims(n)
		}
		fn give_back(n: u32) -> Weight {
			Estimate($db).give_back(n)
		}
		fn decline(n: u32) -> Weight {
			Estimate($db).give_back(n)
		}
		fn cancel() -> Weight {
			Estimate($db).cancel()
		}
		fn ready(n: u32) -> Weight {
			Estimate($db).ready(n)
		}
		fn authorize_ready() -> Weight {
			weigh($db, 10, 2, 0)
		}
		fn report(p: u32, n: u32) -> Weight {
			Estimate($db).report(p, n)
		}
		fn authorize_report() -> Weight {
			weigh($db, 20, 2, 0)
		}
		fn check_segment() -> Weight {
			Estimate($db).check_segment()
		}
		fn tidy(n: u32) -> Weight {
			Estimate($db).tidy(n)
		}
		fn set_params() -> Weight {
			Estimate($db).set_params()
		}
		fn open_challenged() -> Weight {
			Estimate($db).open_challenged()
		}
		fn on_segment_removed(f: u32) -> Weight {
			Estimate($db).on_segment_removed(f)
		}
		fn agenda_tick() -> Weight {
			Estimate($db).agenda_tick()
		}
		fn ban_ends() -> Weight {
			Estimate($db).ban_ends()
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	weight_info!(T::DbWeight::get());
}

impl WeightInfo for () {
	weight_info!(RocksDbWeight::get());
}
