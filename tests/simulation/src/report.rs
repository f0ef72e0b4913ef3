// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a run comes to.

use crate::config::Config;
use planaria_primitives::MinerId;
use planaria_worker::MAX_BATCH;
use serde::Serialize;
use std::{collections::BTreeSet, fmt};

/// One run's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// What was run.
	pub config: Config,
	/// What happened to the data.
	pub durability: Durability,
	/// What was read for it.
	pub traffic: Traffic,
	/// How long it took, in seconds, from loss to whole.
	pub repair: Times,
	/// How long orders were open until they were restored, in seconds.
	pub orders_open: Times,
	/// What became of restore orders.
	pub orders: Orders,
	/// What it took of the chain.
	pub chain: ChainUse,
	/// What went wrong on purpose.
	pub faults: std::collections::BTreeMap<String, u64>,
	/// Everything that must not happen.
	pub violations: Vec<String>,
	/// Over every event of every block and these figures: the same for the same seed.
	pub digest: String,
	/// How long the run took, in seconds. No part of the digest.
	pub wall_secs: f64,
	/// How long its threads were on a core together, where the system tells. No part of the digest.
	pub cpu_secs: Option<f64>,
}

/// What happened to the data.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Durability {
	/// Segments stored.
	pub segments: u64,
	/// Of these deleted by their owner.
	pub deleted: u64,
	/// Segments of which the faults left too little.
	pub lost_in_truth: u64,
	/// Segments that could have been restored and were not, or that the protocol itself destroyed.
	pub lost_recoverable: u64,
	/// Verdicts: suspected lost, cleared, lost, found.
	pub suspected: u64,
	/// See there.
	pub cleared: u64,
	/// See there.
	pub lost_by_verdict: u64,
	/// See there.
	pub found: u64,
	/// Fragments whose copy a fault destroyed.
	pub copies_lost: u64,
	/// Fragments that were moved to another miner.
	pub restored: u64,
	/// Of these copied from a holder that left.
	pub copied: u64,
	/// Fragments rebuilt by those who needed them.
	pub rebuilt: u64,
	/// Fragments that another restorer had made.
	pub cooperated: u64,
	/// Fragments healed by their own holder.
	pub healed: u64,
	/// Fragments still missing at the end, of segments that can be restored.
	pub missing: u64,
}

/// What was read, in fragments of 8 MiB.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Traffic {
	/// Bytes read from surviving holders for rebuilding.
	pub rebuild_bytes: u64,
	/// Bytes read from leaving holders for copies.
	pub copy_bytes: u64,
	/// Bytes that restorers passed to each other.
	pub passed_bytes: u64,
	/// Bytes that were read and not used: of slow, lying and dying sources.
	pub wasted_bytes: u64,
	/// Bytes read from surviving holders per byte rebuilt, whoever made it; healing included.
	pub read_per_rebuilt: f64,
	/// Bytes read from leaving holders per byte copied.
	pub read_per_copied: f64,
	/// All bytes read from holders per byte that a fault destroyed.
	pub read_per_lost: f64,
	/// Bytes passed between restorers per byte that a fault destroyed.
	pub passed_per_lost: f64,
	/// Sources caught with wrong bytes.
	pub lies: u64,
}

/// A distribution of durations, in seconds.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Times {
	/// How many.
	pub count: usize,
	/// The mean.
	pub mean: u64,
	/// The median.
	pub p50: u64,
	/// The 99th percentile.
	pub p99: u64,
	/// The longest.
	pub max: u64,
}

impl Times {
	/// Of durations in milliseconds.
	pub fn of(mut millis: Vec<u64>) -> Self {
		millis.sort_unstable();
		let Some(max) = millis.last() else { return Self::default() };
		let at = |share: usize| millis[(millis.len() - 1) * share / 100] / 1000;
		let mean = millis.iter().sum::<u64>() / millis.len() as u64 / 1000;
		Self { count: millis.len(), mean, p50: at(50), p99: at(99), max: max / 1000 }
	}
}

/// What became of restore orders.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Orders {
	/// Opened.
	pub opened: u64,
	/// Claimed, also again.
	pub claimed: u64,
	/// Restored.
	pub restored: u64,
	/// Cancelled by a holder that has the fragment after all.
	pub cancelled: u64,
	/// Void, because the holder came back.
	pub voided: u64,
	/// Claims that expired.
	pub expired: u64,
	/// Claims that were given back.
	pub given_back: u64,
	/// Claims that were declined.
	pub declined: u64,
	/// Orders that are disputed.
	pub disputed: u64,
	/// Claims refused because another miner was faster.
	pub races_lost: u64,
	/// Claims refused for other reasons.
	pub refused: u64,
	/// Reports refused as a whole.
	pub reports_failed: u64,
	/// Fees for wrong proofs.
	pub wrong_proofs: u64,
	/// Open at the end.
	pub open: u64,
	/// Miners that were marked absent, that returned, were expelled, and departed.
	pub absent: u64,
	/// See there.
	pub returned: u64,
	/// See there.
	pub expelled: u64,
	/// See there.
	pub departed: u64,
}

/// Calls of a kind that had an effect, and what it was on.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Calls {
	/// How many there were.
	pub calls: u64,
	/// On how many fragments, on average.
	pub items: f64,
	/// How many miners held these, on average.
	pub holders: f64,
	/// How many of the calls were full.
	pub full: u64,
	/// How many miners held the fragments of a full one, on average.
	pub holders_of_full: f64,
}

impl Calls {
	/// Another call, on fragments of these holders.
	pub fn note(&mut self, holders: &[MinerId]) {
		fn mean(mean: &mut f64, count: u64, next: usize) {
			*mean += (next as f64 - *mean) / count as f64;
		}
		let distinct = holders.iter().collect::<BTreeSet<_>>().len();
		self.calls += 1;
		mean(&mut self.items, self.calls, holders.len());
		mean(&mut self.holders, self.calls, distinct);
		if holders.len() >= MAX_BATCH {
			self.full += 1;
			mean(&mut self.holders_of_full, self.full, distinct);
		}
	}
}

/// What it took of the chain.
#[derive(Clone, Default, Debug, Serialize)]
pub struct ChainUse {
	/// Blocks.
	pub blocks: u64,
	/// Transactions for restoring.
	pub transactions: u64,
	/// Their bytes.
	pub bytes: u64,
	/// Transactions for restoring that failed.
	pub failed: u64,
	/// Transactions per restored fragment.
	pub transactions_per_restored: f64,
	/// Bytes in blocks per restored fragment.
	pub bytes_per_restored: f64,
	/// Calls that opened orders.
	pub opening: Calls,
	/// Calls that reported batches.
	pub reporting: Calls,
	/// Transactions by call.
	pub calls: std::collections::BTreeMap<String, u64>,
	/// Items and transactions that were refused, by reason.
	pub errors: std::collections::BTreeMap<String, u64>,
}

impl Report {
	/// Whether nothing recoverable was lost and every invariant held.
	pub fn is_good(&self) -> bool {
		self.violations.is_empty()
	}
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			config, durability: d, traffic: t, repair, orders_open, orders: o, chain, ..
		} = self;
		writeln!(
			f,
			"seed {}: {} miners, {} segments of {}, {} days, {:.1} s, {:.1} s on a core",
			config.seed,
			config.miners,
			config.segments,
			config.coding,
			config.days,
			self.wall_secs,
			self.cpu_secs.unwrap_or(self.wall_secs)
		)?;
		let faults: Vec<_> =
			self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
		writeln!(f, "  faults      {}", faults.join(", "))?;
		writeln!(
			f,
			"  durability  {} lost in truth, {} lost though recoverable, {} missing; verdicts: \
			 {} suspected, {} cleared, {} lost, {} found",
			d.lost_in_truth,
			d.lost_recoverable,
			d.missing,
			d.suspected,
			d.cleared,
			d.lost_by_verdict,
			d.found
		)?;
		writeln!(
			f,
			"  fragments   {} lost, {} restored, {} healed by their holder; {} copied, {} rebuilt, {} \
			 had from another restorer",
			d.copies_lost, d.restored, d.healed, d.copied, d.rebuilt, d.cooperated
		)?;
		writeln!(
			f,
			"  traffic     {:.2} read per byte rebuilt, {:.2} per byte copied, {:.2} per byte lost, \
			 {:.2} passed between restorers, {:.1} GiB wasted, {} lies",
			t.read_per_rebuilt,
			t.read_per_copied,
			t.read_per_lost,
			t.passed_per_lost,
			t.wasted_bytes as f64 / (1u64 << 30) as f64,
			t.lies
		)?;
		for (what, times) in [("repair", repair), ("order open", orders_open)] {
			writeln!(
				f,
				"  {what:<11} mean {} s, median {} s, p99 {} s, max {} s",
				times.mean, times.p50, times.p99, times.max
			)?;
		}
		writeln!(
			f,
			"  orders      {} opened, {} restored, {} cancelled, {} voided; claims: {} taken, \
			 {} expired, {} given back, {} declined, {} disputed, {} races lost, {} refused; {} open",
			o.opened,
			o.restored,
			o.cancelled,
			o.voided,
			o.claimed,
			o.expired,
			o.given_back,
			o.declined,
			o.disputed,
			o.races_lost,
			o.refused,
			o.open
		)?;
		writeln!(
			f,
			"  miners      {} absent, {} returned, {} expelled, {} departed; {} reports failed, {} \
			 wrong proofs",
			o.absent, o.returned, o.expelled, o.departed, o.reports_failed, o.wrong_proofs
		)?;
		writeln!(
			f,
			"  chain       {} blocks, {} transactions for restoring ({} failed), {:.3} and {:.0} bytes \
			 per restored fragment",
			chain.blocks,
			chain.transactions,
			chain.failed,
			chain.transactions_per_restored,
			chain.bytes_per_restored
		)?;
		for (what, calls) in [("opening", &chain.opening), ("reporting", &chain.reporting)] {
			writeln!(
				f,
				"  {what:<11} {:.1} fragments of {:.1} holders in each call; {} full, of {:.1} holders",
				calls.items, calls.holders, calls.full, calls.holders_of_full
			)?;
		}
		for violation in &self.violations {
			writeln!(f, "  VIOLATION   {violation}")?;
		}
		write!(f, "  digest      {}", self.digest)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn calls_are_counted_with_their_fragments_and_holders() {
		let mut calls = Calls::default();
		let holders = |count: usize| vec![MinerId(0); count];
		calls.note(&[1, 2, 1, 3, 3, 3].map(MinerId));
		calls.note(&holders(2));
		assert_eq!((calls.calls, calls.items, calls.holders), (2, 4.0, 2.0));
		assert_eq!((calls.full, calls.holders_of_full), (0, 0.0));
		calls.note(&holders(MAX_BATCH));
		calls.note(&[holders(MAX_BATCH - 1), vec![MinerId(1)]].concat());
		assert_eq!((calls.full, calls.holders_of_full), (2, 1.5));
	}
}
