// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a large network costs its chain, computed from the measured weights: the table of
//! `docs/economics.md`.

use crate::{
	Miners, Restore, Runtime, RuntimeCall,
	configs::system::{BLOCK_WEIGHT, RuntimeBlockWeights},
	presets, time,
	transactions::tx_extension,
};
use core::fmt;
use frame_support::{BoundedVec, dispatch::GetDispatchInfo, weights::Weight};
use pallet_planaria_audit::{self as audit, Answer, MAX_ANSWERS, WeightInfo as _};
use pallet_planaria_miners::{self as miners, WeightInfo as _};
use pallet_planaria_restore::{self as restore, MAX_READY, WeightInfo as _, weights::Items};
use pallet_planaria_rewards::{self as rewards, WeightInfo as _};
use pallet_planaria_support::standings::PAGE;
use planaria_primitives::{
	CodingParams, FragmentId, FragmentProof, MAX_FRAGMENT_LEN, MinerId, SegmentId, THIN_SPARE,
	sampling::SAMPLE,
};
use sp_runtime::{generic::Era, traits::TransactionExtension};

/// A network, and what happens to it in a day.
#[derive(Clone, Copy, Debug)]
pub struct Network {
	/// How many miners there are.
	pub miners: u64,
	/// What they hold together, in bytes.
	pub stored: u64,
	/// How many of them are gone for good with each day.
	pub deaths: u64,
	/// Of how many dead miners the fragments of a full batch are.
	pub holders: u32,
	/// How many miners have ever been registered.
	pub ids: u32,
}

impl Network {
	/// What the chain is made for: 10,000 miners with 10 PiB, of which a third goes in 90 days. An
	/// engine restores what one holder had before it goes on to the next, so that a full batch has the
	/// fragments of few: one or two in the simulation (`holders_of_full`), and twice as many here. For
	/// each miner that died another one has come, for three years.
	pub const LARGE: Self = Self {
		miners: 10_000,
		stored: 10 << 50,
		deaths: 37,
		holders: 4,
		ids: 10_000 + 37 * 3 * 365,
	};

	/// How many fragments of the greatest length are lost in a day.
	pub fn fragments(&self) -> u64 {
		let lost = u128::from(self.stored) * u128::from(self.deaths) / u128::from(self.miners);
		u64::try_from(lost / u128::from(MAX_FRAGMENT_LEN)).unwrap_or(u64::MAX)
	}

	/// What the chain does for it beside what every block must do, in full batches of fragments of
	/// `standard`.
	pub fn parts(&self) -> Vec<Part> {
		type Restored = <Runtime as restore::Config>::WeightInfo;
		type Rewards = <Runtime as rewards::Config>::WeightInfo;
		type Audit = <Runtime as audit::Config>::WeightInfo;
		let day = u64::from(time::DAYS);
		let fragments = self.fragments();
		let batches = fragments.div_ceil(MAX_READY.into());
		let further = MAX_READY.saturating_sub(self.holders);
		// They were seen before.
		let gate = <Runtime as miners::Config>::WeightInfo::enter_duty_again();
		let data = i16::from(CodingParams::STANDARD.data);
		let of = |n: u32| FragmentId { segment: SegmentId(n.into()), index: 0 };

		let list = || BoundedVec::truncate_from((0..MAX_READY).map(of).collect());
		let items = Items { dear: 0, apart: self.holders, alike: further };
		let open = restore::Call::open { fragments: list() };
		let opened = Restore::open_of(items, self.pages(data));
		let (miner, anchor, at, signature) = (MinerId(0), 0, 0, None);
		let fragments_ready = BoundedVec::truncate_from((0..MAX_READY).map(of).collect());
		let ready =
			restore::Call::ready { miner, anchor, fragments: fragments_ready, signature: None };
		let readied = Restore::ready_of_pages(MAX_READY, self.pages(data + THIN_SPARE + 1))
			.saturating_add(gate);
		let proofs = vec![longest_proof(); SAMPLE as usize];
		let proofs = BoundedVec::truncate_from(proofs);
		let report = restore::Call::report { miner, anchor, at, proofs, signature };
		let reported = Restore::report_of(SAMPLE, items, self.pages(data)).saturating_add(gate);

		let audit = presets::production_audit();
		let draws = self.stored.div_ceil(audit.bytes_per_draw) * day;
		let answered = Audit::answer(1).saturating_add(gate);
		let alive = miners::Call::alive { miner, anchor, signature: None };
		let lived = Miners::alive_weight(gate);
		let lives = u64::from(time::DAYS / presets::production_miners().alive_every);
		vec![
			Part::new("`open`", batches, of_call(open.into(), Some(opened))),
			Part::new("`ready`", batches, of_call(ready.into(), Some(readied))),
			Part::new("`report`", batches, of_call(report.into(), Some(reported))),
			Part::new("a claim's period ends, long reported", fragments, Restored::claim_ended()),
			Part::new("second halves of bounties", batches, Rewards::agenda_tasks(MAX_READY)),
			Part::new("a fragment is drawn", draws, Audit::draw()),
			Part::new("`answer`", draws, of_call(answer(1), Some(answered))),
			Part::new("the time for an answer ends, long given", draws, Audit::answered()),
			Part::new("`alive`", self.miners * lives, of_call(alive.into(), Some(lived))),
		]
	}

	/// How many pages of standings are read to judge a full batch of segments, of each of which the
	/// count is over with so many that are present. Three of a segment are gone: with a fourth
	/// `standard` is restored at once.
	fn pages(&self, present: i16) -> u32 {
		let asked = MAX_READY.saturating_mul(u32::try_from(present + 3).unwrap_or(u32::MAX));
		self.ids.div_ceil(PAGE).min(asked)
	}

	/// What all of it takes of the time of the blocks.
	pub fn share(&self) -> f64 {
		self.parts().iter().map(Part::share).sum()
	}
}

/// Something that the chain does.
#[derive(Clone, Copy, Debug)]
pub struct Part {
	/// What.
	pub what: &'static str,
	/// How often in a day.
	pub per_day: u64,
	/// What one of them weighs.
	pub each: Weight,
}

impl Part {
	const fn new(what: &'static str, per_day: u64, each: Weight) -> Self {
		Self { what, per_day, each }
	}

	/// How often in a block.
	#[allow(clippy::cast_precision_loss)]
	pub fn per_block(&self) -> f64 {
		self.per_day as f64 / f64::from(time::DAYS)
	}

	/// What it takes of the time of the blocks.
	#[allow(clippy::cast_precision_loss)]
	pub fn share(&self) -> f64 {
		self.per_block() * self.each.ref_time() as f64 / BLOCK_WEIGHT.ref_time() as f64
	}
}

impl fmt::Display for Part {
	/// A row of the table.
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { what, each, .. } = self;
		let (often, micros) = (self.per_block(), each.ref_time() / 1_000_000);
		write!(f, "| {what} | {often:.1} | {micros} | {:.2} % |", self.share() * 100.0)
	}
}

/// How many answers, each with the longest proof there is, are verified in this share of a block.
pub fn answers(percent: u64) -> u64 {
	let full = of_call(answer(MAX_ANSWERS), None).ref_time();
	(BLOCK_WEIGHT.ref_time() / 100 * percent / full.max(1)).saturating_mul(MAX_ANSWERS.into())
}

/// So many answers in one call.
fn answer(count: u32) -> RuntimeCall {
	let fragment = FragmentId { segment: SegmentId(0), index: 0 };
	let answers = vec![Answer { fragment, proof: longest_proof() }; count as usize];
	let answers = BoundedVec::truncate_from(answers);
	audit::Call::answer { miner: MinerId(0), anchor: 0, answers, signature: None }.into()
}

fn longest_proof() -> FragmentProof {
	FragmentProof(vec![0; FragmentProof::MAX_LEN])
}

/// What a transaction weighs in a block, of which the call took `taken`, or what it takes at most.
fn of_call(call: RuntimeCall, taken: Option<Weight>) -> Weight {
	let info = call.get_dispatch_info();
	let base = RuntimeBlockWeights::get().get(info.class).base_extrinsic;
	tx_extension(Era::Immortal, 0, 0)
		.weight(&call)
		.saturating_add(taken.unwrap_or(info.call_weight))
		.saturating_add(base)
}
