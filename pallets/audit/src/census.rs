// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where the stored bytes are, so that one of them can be drawn.
//!
//! Segments stand in pages of [`PAGE`] ids. Above the pages is a tree of [`FANOUT`] children per
//! node that has the bytes of each child; level 0 are the pages themselves. To draw is to walk from
//! the top down to where the drawn byte lies: as many reads as the tree is high, one for the page
//! and one for the total. Two levels above the pages hold 33 million segments, three 8 billion.
//!
//! Ids are never reused. Pages and nodes with nothing in them are not stored, so a draw does not
//! depend on how much was deleted.

use super::*;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, defensive, traits::ConstU32};
use planaria_primitives::SegmentId;
use scale_info::TypeInfo;

/// How many segment ids a page has.
pub const PAGE: u32 = 512;

/// How many children a node of the tree has.
pub const FANOUT: u32 = 256;

/// What the census as a whole comes to.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Total {
	/// How many levels of nodes stand above the pages. The top one has one node.
	pub height: u8,
	/// The bytes of all segments: those of all their fragments.
	pub bytes: u64,
}

/// Equally large segments of a page.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Run {
	/// The place in the page of the first of them.
	pub from: u16,
	/// The bytes of each segment that is present from there to the next run.
	pub bytes: u32,
}

/// Which of 512 consecutive segment ids are in the census, and with how many bytes.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Page {
	/// Bit `p % 64` of word `p / 64` says whether the segment at place `p` is present.
	pub present: [u64; PAGE as usize / 64],
	/// Their sizes, in order. A run begins where a segment has not the size of the one before it,
	/// so a page of one large file has one or two.
	pub runs: BoundedVec<Run, ConstU32<PAGE>>,
}

impl Page {
	/// The segments that are present: their places, in order, and their bytes.
	pub fn sizes(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
		let mut runs = self.runs.iter().peekable();
		let mut bytes = 0;
		(0u16..)
			.take(PAGE as usize)
			.filter(|place| {
				let (word, bit) = (usize::from(place / 64), place % 64);
				self.present[word] >> bit & 1 == 1
			})
			.map(move |place| {
				while let Some(run) = runs.next_if(|run| run.from <= place) {
					bytes = run.bytes;
				}
				(place, bytes)
			})
	}

	/// The bytes of the segment at this place; 0 where it is not present.
	pub fn bytes(&self, place: u16) -> u32 {
		self.sizes().find(|(other, _)| *other == place).map_or(0, |(_, bytes)| bytes)
	}

	/// Gives the segment at this place so many bytes, 0 to take it out.
	pub fn set(&mut self, place: u16, bytes: u32) {
		let mut sizes = [0; PAGE as usize];
		for (place, bytes) in self.sizes() {
			sizes[usize::from(place)] = bytes;
		}
		if let Some(size) = sizes.get_mut(usize::from(place)) {
			*size = bytes;
		}
		*self = Self::default();
		let mut last = 0;
		for (place, bytes) in (0u16..).zip(sizes).filter(|(_, bytes)| *bytes > 0) {
			self.present[usize::from(place / 64)] |= 1 << (place % 64);
			if bytes != last {
				// No more runs than places.
				let _ = self.runs.try_push(Run { from: place, bytes });
				last = bytes;
			}
		}
	}

	/// The place of the segment that this byte of the page belongs to, and which of the segment's
	/// bytes it is; `None` behind the last.
	pub fn locate(&self, byte: u64) -> Option<(u16, u64)> {
		locate(self.sizes().map(|(place, bytes)| (place, u64::from(bytes))), byte)
	}

	/// Whether no segment is present.
	pub fn is_empty(&self) -> bool {
		self.runs.is_empty()
	}
}

/// The bytes of a node's children, up to the last that has any.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Node(pub BoundedVec<u64, ConstU32<FANOUT>>);

impl Node {
	/// Gives a child so many bytes.
	pub(crate) fn set(&mut self, child: u32, bytes: u64) {
		let child = (child % FANOUT) as usize;
		let mut children = core::mem::take(&mut self.0).into_inner();
		children.resize(children.len().max(child + 1), 0);
		children[child] = bytes;
		let used = children.iter().rposition(|bytes| *bytes > 0).map_or(0, |last| last + 1);
		children.truncate(used);
		self.0 = BoundedVec::truncate_from(children);
	}

	fn get(&self, child: u32) -> u64 {
		self.0.get((child % FANOUT) as usize).copied().unwrap_or(0)
	}

	/// The child that this byte of the node belongs to, and which of the child's bytes it is.
	fn locate(&self, byte: u64) -> Option<(u32, u64)> {
		locate((0u32..).zip(self.0.iter().copied()), byte)
	}
}

fn locate<Id>(parts: impl Iterator<Item = (Id, u64)>, byte: u64) -> Option<(Id, u64)> {
	let mut rest = byte;
	for (id, bytes) in parts {
		match rest.checked_sub(bytes) {
			Some(behind) => rest = behind,
			None => return Some((id, rest)),
		}
	}
	None
}

/// Where a segment stands: its page, and its place there.
pub(crate) const fn place_of(segment: SegmentId) -> (u64, u16) {
	// The remainder is less than 512.
	(segment.0 / PAGE as u64, (segment.0 % PAGE as u64) as u16)
}

/// The number of the node of this level that a page lies under.
pub(crate) const fn above(page: u64, level: u8) -> u64 {
	match page.checked_shr(FANOUT.ilog2() * level as u32) {
		Some(index) => index,
		None => 0,
	}
}

/// Which child of its node that one is.
const fn child_of(index: u64) -> u32 {
	// The remainder is less than 256.
	(index % FANOUT as u64) as u32
}

impl<T: Config> Pallet<T> {
	/// Gives a segment so many bytes in the census, 0 to take it out.
	pub(crate) fn count(segment: SegmentId, bytes: u32) {
		let (index, place) = place_of(segment);
		let mut page = Pages::<T>::get(index);
		let old = page.bytes(place);
		if old == bytes {
			return;
		}
		page.set(place, bytes);
		if page.is_empty() {
			Pages::<T>::remove(index);
		} else {
			Pages::<T>::insert(index, page);
		}

		let mut total = Census::<T>::get();
		while above(index, total.height) > 0 {
			total.height = total.height.saturating_add(1);
			// The former top is the first child of the new one.
			let mut top = Node::default();
			top.set(0, total.bytes);
			Self::put_node(total.height, 0, top);
		}
		let change = |sum: u64| {
			let rest = sum.checked_sub(u64::from(old)).unwrap_or_else(|| {
				defensive!("the census would fall below zero");
				0
			});
			rest.saturating_add(u64::from(bytes))
		};
		for level in 1..=total.height {
			let node_index = above(index, level);
			let child = child_of(above(index, level.saturating_sub(1)));
			let mut node = Nodes::<T>::get(level, node_index);
			node.set(child, change(node.get(child)));
			Self::put_node(level, node_index, node);
		}
		total.bytes = change(total.bytes);
		Census::<T>::put(total);
	}

	fn put_node(level: u8, index: u64, node: Node) {
		if node.0.is_empty() {
			Nodes::<T>::remove(level, index);
		} else {
			Nodes::<T>::insert(level, index, node);
		}
	}

	/// The segment that this byte of all stored ones belongs to, and which of the segment's bytes
	/// it is; `None` behind the last.
	pub fn segment_at(byte: u64) -> Option<(SegmentId, u64)> {
		let (mut index, mut rest) = (0u64, byte);
		for level in (1..=Census::<T>::get().height).rev() {
			let (child, within) = Nodes::<T>::get(level, index).locate(rest)?;
			index = index.saturating_mul(u64::from(FANOUT)).saturating_add(u64::from(child));
			rest = within;
		}
		let (place, rest) = Pages::<T>::get(index).locate(rest)?;
		let segment = index.saturating_mul(u64::from(PAGE)).saturating_add(u64::from(place));
		Some((SegmentId(segment), rest))
	}
}
