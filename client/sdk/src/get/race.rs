// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which fragments of a segment are asked for next: a pure state machine.

use planaria_primitives::{FileIndex, MinerId};
use std::collections::VecDeque;

/// Where a fragment may be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
	/// The fragment's place in the segment.
	pub index: u8,
	/// The instance it belongs to.
	pub file: FileIndex,
	/// Who has it.
	pub miner: MinerId,
}

/// The race for enough fragments of one segment.
#[derive(Clone, Debug)]
pub struct Race {
	needed: usize,
	queue: VecDeque<Holder>,
	running: Vec<Holder>,
	arrived: Vec<u8>,
	spares: usize,
}

impl Race {
	/// A race for `needed` fragments, whose holders are in the order in which to ask them.
	pub fn new(needed: u8, holders: impl IntoIterator<Item = Holder>) -> Self {
		Self {
			needed: needed.into(),
			queue: holders.into_iter().collect(),
			running: Vec::new(),
			arrived: Vec::new(),
			spares: 0,
		}
	}

	/// Whether enough fragments arrived.
	pub fn is_won(&self) -> bool {
		self.arrived.len() >= self.needed
	}

	/// The next holder to ask, if one should be asked now. It counts as asked.
	pub fn start(&mut self) -> Option<Holder> {
		if self.is_won() || self.arrived.len() + self.running.len() >= self.needed + self.spares {
			return None;
		}
		// The same fragment from another instance has to wait.
		let is_new = |holder: &Holder| {
			!self.arrived.contains(&holder.index)
				&& self.running.iter().all(|running| running.index != holder.index)
		};
		let next = self.queue.iter().position(is_new)?;
		let holder = self.queue.remove(next)?;
		self.running.push(holder);
		Some(holder)
	}

	/// The holder delivered.
	pub fn delivered(&mut self, holder: &Holder) {
		self.running.retain(|running| running != holder);
		if !self.arrived.contains(&holder.index) {
			self.arrived.push(holder.index);
		}
	}

	/// The holder failed. With `retry` it is asked again after all others.
	pub fn failed(&mut self, holder: &Holder, retry: bool) {
		self.running.retain(|running| running != holder);
		if retry {
			self.queue.push_back(*holder);
		}
	}

	/// So many of those that are asked are slow: as many others may be asked beside them, up to
	/// twice as many as are needed.
	pub fn slow(&mut self, holders: usize) {
		self.spares = holders.min(2 * self.needed);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn holder(index: u8) -> Holder {
		Holder { index, file: FileIndex(1), miner: MinerId(index.into()) }
	}

	fn race(needed: u8, count: u8) -> Race {
		Race::new(needed, (0..count).map(holder))
	}

	fn started(race: &mut Race) -> Vec<u8> {
		std::iter::from_fn(|| race.start()).map(|holder| holder.index).collect()
	}

	#[test]
	fn only_as_many_as_are_needed_are_asked() {
		let mut race = race(4, 12);
		assert_eq!(started(&mut race), [0, 1, 2, 3]);
		race.delivered(&holder(0));
		assert_eq!(started(&mut race), [0u8; 0]);
		race.failed(&holder(1), false);
		assert_eq!(started(&mut race), [4]);
		[2, 3, 4].iter().for_each(|index| race.delivered(&holder(*index)));
		assert!(race.is_won());
		assert_eq!(started(&mut race), [0u8; 0]);
	}

	#[test]
	fn slow_holders_are_made_up_for_within_limits() {
		let mut race = race(2, 9);
		assert_eq!(started(&mut race), [0, 1]);
		race.slow(1);
		assert_eq!(started(&mut race), [2]);
		// One of the slow ones fails after all: its place is taken already.
		race.failed(&holder(0), false);
		race.slow(0);
		assert_eq!(started(&mut race), [0u8; 0]);
		race.slow(2);
		assert_eq!(started(&mut race), [3, 4]);
		race.slow(100);
		assert_eq!(started(&mut race), [5, 6]);
		race.delivered(&holder(5));
		race.delivered(&holder(6));
		assert!(race.is_won());
	}

	#[test]
	fn the_same_fragment_is_not_asked_for_twice_at_once() {
		let other = Holder { file: FileIndex(2), ..holder(0) };
		let mut race = Race::new(2, [holder(0), other, holder(1)]);
		assert_eq!([race.start(), race.start()], [Some(holder(0)), Some(holder(1))]);
		race.failed(&holder(0), false);
		assert_eq!(race.start(), Some(other));
		race.delivered(&other);
		race.delivered(&holder(1));
		assert!(race.is_won());
	}

	#[test]
	fn a_holder_that_may_recover_is_asked_last() {
		let mut race = race(1, 2);
		assert_eq!(started(&mut race), [0]);
		race.failed(&holder(0), true);
		assert_eq!(started(&mut race), [1]);
		race.failed(&holder(1), false);
		assert_eq!(started(&mut race), [0]);
	}

	proptest! {
		/// A race is won exactly when `needed` holders are alive.
		#[test]
		fn it_is_won_if_it_can_be(
			alive in prop::collection::vec(any::<bool>(), 1..64),
			needed in 1u8..32,
			slow in prop::collection::vec(0usize..64, 64),
		) {
			let count = u8::try_from(alive.len()).expect("at most 63");
			let mut race = race(needed, count);
			let mut running = Vec::new();
			let mut asked = 0;
			for turn in 0.. {
				running.extend(std::iter::from_fn(|| race.start()));
				prop_assert!(running.len() <= 3 * usize::from(needed));
				let Some(holder) = running.pop() else { break };
				asked += 1;
				race.slow(slow.get(turn).copied().unwrap_or(0));
				match alive[usize::from(holder.index)] {
					true => race.delivered(&holder),
					false => race.failed(&holder, false),
				}
				if race.is_won() {
					break;
				}
			}
			let living = alive.iter().filter(|alive| **alive).count();
			prop_assert_eq!(race.is_won(), living >= usize::from(needed));
			prop_assert!(asked <= alive.len());
		}
	}
}
