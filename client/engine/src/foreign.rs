// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is here but assigned elsewhere: kept for a grace period before it is given up.
//!
//! Times are durations since the engine started.

use planaria_primitives::FragmentName;
use std::{collections::BTreeMap, time::Duration};

/// Fragments assigned elsewhere, and since when that is known.
#[derive(Clone, Debug, Default)]
pub struct Foreign(BTreeMap<FragmentName, Duration>);

impl Foreign {
	/// A comparison of the store with the chain found exactly these; what it found before keeps its
	/// time.
	pub fn compared(&mut self, found: impl IntoIterator<Item = FragmentName>, now: Duration) {
		let known = std::mem::take(&mut self.0);
		self.0 = found
			.into_iter()
			.map(|name| (name, known.get(&name).copied().unwrap_or(now)))
			.collect();
	}

	/// It is assigned to this miner after all, or was given up.
	pub fn remove(&mut self, name: &FragmentName) {
		self.0.remove(name);
	}

	/// At most `limit` whose grace period is over.
	pub fn due(&self, now: Duration, grace: Duration, limit: usize) -> Vec<FragmentName> {
		let over = self.0.iter().filter(|(_, since)| **since + grace <= now);
		over.map(|(name, _)| *name).take(limit).collect()
	}

	/// When the first grace period is over.
	pub fn next_due(&self, grace: Duration) -> Option<Duration> {
		self.0.values().min().map(|since| *since + grace)
	}

	/// How many there are.
	pub fn len(&self) -> usize {
		self.0.len()
	}

	/// Whether there are none.
	pub fn is_empty(&self) -> bool {
		self.0.is_empty()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileId, FileIndex};

	fn name(index: u8) -> FragmentName {
		FragmentName { file_id: FileId([7; 32]), file: FileIndex(1), segment: 0, index }
	}

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	#[test]
	fn the_grace_period_counts_from_the_first_of_unbroken_findings() {
		let mut foreign = Foreign::default();
		foreign.compared([name(0), name(1)], secs(0));
		foreign.compared([name(0), name(2)], secs(5));
		foreign.compared([name(0), name(1)], secs(8));
		assert_eq!(foreign.due(secs(10), secs(10), 9), [name(0)]);
		assert_eq!(foreign.due(secs(18), secs(10), 9), [name(0), name(1)]);
		assert_eq!(foreign.due(secs(18), secs(10), 1), [name(0)]);
		assert_eq!(foreign.next_due(secs(10)), Some(secs(10)));
		foreign.remove(&name(0));
		assert_eq!((foreign.next_due(secs(10)), foreign.len()), (Some(secs(18)), 1));
	}
}
