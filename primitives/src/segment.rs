// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain's record of a segment.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use crate::{FileIndex, MinerId};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::ops::Deref;
use scale_info::TypeInfo;

/// The miners a segment's fragments are assigned to, in fragment order: at most 64.
///
/// Encodes as a `Vec<MinerId>`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, DecodeWithMemTracking, TypeInfo)]
pub struct Holders(Vec<MinerId>);

impl Holders {
	/// `count` fragments (at most 64) that nobody holds.
	pub fn nobody(count: u8) -> Self {
		Self(alloc::vec![MinerId::NOBODY; usize::from(count.min(crate::MAX_FRAGMENTS))])
	}

	/// Assigns fragment `index`; nothing happens where there is none.
	pub fn set(&mut self, index: u8, holder: MinerId) {
		if let Some(place) = self.0.get_mut(usize::from(index)) {
			*place = holder;
		}
	}
}

impl Deref for Holders {
	type Target = [MinerId];
	fn deref(&self) -> &[MinerId] {
		&self.0
	}
}

impl Decode for Holders {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		let len = codec::Compact::<u32>::decode(input)?.0;
		if len > u32::from(crate::MAX_FRAGMENTS) {
			return Err("more than 64 holders".into());
		}
		(0..len).map(|_| MinerId::decode(input)).collect::<Result<_, _>>().map(Self)
	}
}

impl MaxEncodedLen for Holders {
	fn max_encoded_len() -> usize {
		// A compact length up to 64 takes two bytes.
		2 + usize::from(crate::MAX_FRAGMENTS) * MinerId::max_encoded_len()
	}
}

/// A segment as the chain stores it: 74 bytes for 12 fragments.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Segment {
	/// The first layout.
	#[codec(index = 0)]
	V0(SegmentV0),
}

/// The first layout of a [`Segment`]. Bit `i` of the bit fields is fragment `i`.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SegmentV0 {
	/// The file it belongs to.
	pub file: FileIndex,
	/// Whom each fragment is assigned to.
	pub holders: Holders,
	/// Which fragments their holder has confirmed.
	pub confirmed: u64,
	/// For which fragments a restore order exists.
	pub restoring: u64,
}

impl Segment {
	/// A segment of `count` fragments, none of them placed.
	pub fn unplaced(file: FileIndex, count: u8) -> Self {
		Self::V0(SegmentV0 { file, holders: Holders::nobody(count), confirmed: 0, restoring: 0 })
	}
}

impl Deref for Segment {
	type Target = SegmentV0;
	fn deref(&self) -> &SegmentV0 {
		let Self::V0(segment) = self;
		segment
	}
}

impl core::ops::DerefMut for Segment {
	fn deref_mut(&mut self) -> &mut SegmentV0 {
		let Self::V0(segment) = self;
		segment
	}
}

impl SegmentV0 {
	/// How many fragments the segment has.
	pub fn fragments(&self) -> u8 {
		u8::try_from(self.holders.len()).expect("at most 64 holders; qed")
	}

	/// Whom fragment `index` is assigned to; `None` where there is no such fragment, or nobody
	/// holds it.
	pub fn holder(&self, index: u8) -> Option<MinerId> {
		self.holders.get(usize::from(index)).copied().filter(|miner| *miner != MinerId::NOBODY)
	}

	/// The fragment assigned to `miner`, if there is one.
	pub fn index_of(&self, miner: MinerId) -> Option<u8> {
		let position = self.holders.iter().position(|holder| *holder == miner)?;
		u8::try_from(position).ok().filter(|_| miner != MinerId::NOBODY)
	}

	/// Whether fragment `index` is confirmed.
	pub fn is_confirmed(&self, index: u8) -> bool {
		self.confirmed & bit(index) != 0
	}

	/// Whether a restore order exists for fragment `index`.
	pub fn is_restoring(&self, index: u8) -> bool {
		self.restoring & bit(index) != 0
	}

	/// How many fragments are confirmed.
	pub fn confirmed_count(&self) -> u8 {
		u8::try_from(self.confirmed.count_ones()).expect("at most 64 bits; qed")
	}
}

/// The bit of fragment `index`; none from 64 on.
pub const fn bit(index: u8) -> u64 {
	if index < crate::MAX_FRAGMENTS { 1 << index } else { 0 }
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_segment_of_twelve_takes_74_bytes() {
		let segment = Segment::unplaced(FileIndex(1), 12);
		assert_eq!(segment.encode().len(), 74);
		assert_eq!(Segment::decode(&mut &segment.encode()[..]), Ok(segment));
		assert_eq!(Segment::unplaced(FileIndex(1), 64).encode().len(), Segment::max_encoded_len());
		assert_eq!(Segment::unplaced(FileIndex(1), 200).fragments(), 64);
	}

	#[test]
	fn more_than_64_holders_are_not_decoded() {
		let many = alloc::vec![MinerId(0); 65].encode();
		assert!(Holders::decode(&mut &many[..]).is_err());
	}

	#[test]
	fn nobody_holds_nothing() {
		let mut segment = Segment::unplaced(FileIndex(1), 3);
		assert_eq!(segment.index_of(MinerId::NOBODY), None);
		assert_eq!(segment.holder(0), None);
		segment.holders.set(2, MinerId(9));
		segment.holders.set(3, MinerId(9));
		assert_eq!(segment.index_of(MinerId(9)), Some(2));
		assert_eq!((bit(63), bit(64)), (1 << 63, 0));
	}
}
