// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where right bytes really are, whatever the chain believes, and what was lost through whom.

use planaria_primitives::{FragmentId, SegmentId};
use std::collections::{BTreeMap, BTreeSet};

/// What took a copy away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
	/// A fault: it may be too much.
	Fault,
	/// The protocol itself: a miner gave the copy up.
	Protocol,
}

/// Counts the copies of each fragment.
#[derive(Debug)]
pub struct Truth {
	data: usize,
	fragments: usize,
	copies: Vec<u16>,
	deleted: BTreeSet<SegmentId>,
	lost: BTreeMap<SegmentId, Cause>,
	/// Fragments of which a copy was lost by a fault, since when, in milliseconds.
	missing: BTreeMap<FragmentId, u64>,
	/// How many copies faults took away.
	pub lost_copies: u64,
	/// How long each was missing.
	pub repairs: Vec<u64>,
}

impl Truth {
	/// Nothing is stored yet.
	pub fn new(data: u8, fragments: u8, segments: u32) -> Self {
		let (data, fragments) = (usize::from(data), usize::from(fragments));
		Self {
			data,
			fragments,
			copies: vec![0; fragments * segments as usize],
			deleted: BTreeSet::new(),
			lost: BTreeMap::new(),
			missing: BTreeMap::new(),
			lost_copies: 0,
			repairs: Vec::new(),
		}
	}

	fn place(&self, fragment: FragmentId) -> usize {
		let segment = usize::try_from(fragment.segment.0).expect("few segments; qed");
		segment * self.fragments + usize::from(fragment.index)
	}

	/// A copy came into being.
	pub fn added(&mut self, fragment: FragmentId) {
		let place = self.place(fragment);
		self.copies[place] += 1;
	}

	/// A copy is gone.
	pub fn removed(&mut self, fragment: FragmentId, cause: Cause) {
		let place = self.place(fragment);
		self.copies[place] -= 1;
		let segment = fragment.segment;
		if !self.deleted.contains(&segment)
			&& !self.lost.contains_key(&segment)
			&& self.distinct(segment) < self.data
		{
			self.lost.insert(segment, cause);
		}
	}

	/// A fault took away what the holder held.
	pub fn missing(&mut self, fragment: FragmentId, now: u64) {
		if !self.deleted.contains(&fragment.segment) {
			self.lost_copies += 1;
			self.missing.entry(fragment).or_insert(now);
		}
	}

	/// The fragment's holder has it again, or another one does.
	pub fn repaired(&mut self, fragment: FragmentId, now: u64) {
		if let Some(since) = self.missing.remove(&fragment) {
			self.repairs.push(now - since);
		}
	}

	/// The file is deleted for good: nothing of it needs to be kept.
	pub fn deleted(&mut self, segment: SegmentId) {
		self.deleted.insert(segment);
		for index in 0..self.fragments {
			let index = u8::try_from(index).expect("at most 64; qed");
			self.missing.remove(&FragmentId { segment, index });
		}
	}

	/// Whether it is.
	pub fn is_deleted(&self, segment: SegmentId) -> bool {
		self.deleted.contains(&segment)
	}

	/// How many different fragments there still are copies of.
	pub fn distinct(&self, segment: SegmentId) -> usize {
		let first = self.place(FragmentId { segment, index: 0 });
		self.copies[first..first + self.fragments].iter().filter(|copies| **copies > 0).count()
	}

	/// The segments that cannot be restored any more, and through whom.
	pub fn lost(&self) -> impl Iterator<Item = (SegmentId, Cause)> {
		self.lost
			.iter()
			.filter(|(id, _)| !self.deleted.contains(id))
			.map(|(id, cause)| (*id, *cause))
	}

	/// Whether it cannot be restored any more.
	pub fn is_lost(&self, segment: SegmentId) -> bool {
		self.lost.contains_key(&segment)
	}

	/// What is still missing.
	pub fn still_missing(&self) -> usize {
		self.missing.keys().filter(|fragment| !self.is_lost(fragment.segment)).count()
	}
}
