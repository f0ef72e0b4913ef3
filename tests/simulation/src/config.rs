// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is simulated.

use planaria_engine::EngineConfig;
use planaria_primitives::CodingParams;
use serde::Serialize;
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
	/// A node restarts: what was in memory is gone, its store is not.
	Crash,
	/// A disk loses some or all fragments; the node goes on.
	Disk,
	/// A miner never comes back.
	Death,
	/// A miner sends at a hundredth of its rate.
	Slow,
	/// A miner serves wrong bytes, or right ones with a wrong sidecar.
	Liar,
	/// Some miners reach neither the others nor the chain.
	Partition,
	/// The chain forks; on the losing branch files are deleted.
	Fork,
	/// A site is without power: a tenth of all miners is away at once, for hours.
	Outage,
	/// Many miners leave within an hour.
	Exits,
	/// An owner deletes files.
	Delete,
}

impl Fault {
	/// All of them.
	pub const ALL: [Self; 10] = [
		Self::Crash,
		Self::Disk,
		Self::Death,
		Self::Slow,
		Self::Liar,
		Self::Partition,
		Self::Fork,
		Self::Outage,
		Self::Exits,
		Self::Delete,
	];

	const fn name(self) -> &'static str {
		match self {
			Self::Crash => "crash",
			Self::Disk => "disk",
			Self::Death => "death",
			Self::Slow => "slow",
			Self::Liar => "liar",
			Self::Partition => "partition",
			Self::Fork => "fork",
			Self::Outage => "outage",
			Self::Exits => "exits",
			Self::Delete => "delete",
		}
	}
}

impl fmt::Display for Fault {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(self.name())
	}
}

impl FromStr for Fault {
	type Err = String;
	fn from_str(text: &str) -> Result<Self, String> {
		Self::ALL.into_iter().find(|fault| fault.name() == text).ok_or_else(|| {
			let known: Vec<_> = Self::ALL.iter().map(ToString::to_string).collect();
			format!("unknown fault `{text}`; known are {}, all and none", known.join(", "))
		})
	}
}

/// How many days at the end of a run are quiet, so that what can be restored is: two hours until a
/// miner is absent, a day until what it held is restored whatever there is to spare, and as long
/// again for what was hit twice.
pub const QUIET_DAYS: u32 = 3;

/// A rule that is broken on purpose, to see that the checks notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
	/// Miners give up fragments as soon as the best block assigns them elsewhere.
	HastyDiscard,
	/// Nobody restores anything.
	NoRestores,
	/// A claimer that restored a fragment does not keep it.
	EmptyReports,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
	/// All randomness follows from it.
	pub seed: u64,
	/// How many miners there are.
	pub miners: u32,
	/// How many segments are stored.
	pub segments: u32,
	/// How many days pass.
	pub days: u32,
	/// The coding of all files.
	#[serde(serialize_with = "display")]
	pub coding: CodingParams,
	/// What goes wrong.
	pub faults: BTreeSet<Fault>,
	/// How fast a miner sends and receives, in bytes per second each.
	pub bandwidth: u64,
	/// How often all invariants are checked, in blocks; in proportion less often with more than
	/// 10,000 segments.
	pub check_every: u32,
	/// How many threads the run uses. It comes to the same with any number.
	#[serde(skip)]
	pub threads: usize,
	/// How the engines work.
	#[serde(skip)]
	pub engine: EngineConfig,
	/// A rule that is broken on purpose.
	pub sabotage: Option<Sabotage>,
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
	to.collect_str(value)
}

impl Default for Config {
	fn default() -> Self {
		Self {
			seed: 1,
			miners: 30,
			segments: 300,
			days: 5,
			coding: CodingParams::STANDARD,
			faults: Fault::ALL.into(),
			bandwidth: 12_500_000,
			check_every: 14_400,
			threads: 1,
			engine: EngineConfig::default(),
			sabotage: None,
		}
	}
}

impl Config {
	/// Why this cannot be run, and what to do.
	pub fn check(&self) -> anyhow::Result<()> {
		let fragments = u32::from(self.coding.fragments());
		anyhow::ensure!(
			self.miners >= fragments + 3,
			"{} miners cannot restore segments of {fragments} fragments, each of which has a holder of \
			 its own: use --miners {} or more, or another --coding",
			self.miners,
			fragments + 3,
		);
		anyhow::ensure!(self.segments > 0, "there is nothing to store: use --segments 1 or more");
		anyhow::ensure!(
			self.days > QUIET_DAYS,
			"the last {QUIET_DAYS} days of a run are without faults, so that what can be restored is: \
			 use --days {} or more",
			QUIET_DAYS + 1,
		);
		anyhow::ensure!(self.bandwidth >= 1_000, "use --bandwidth 1000 or more bytes per second");
		Ok(())
	}
}
