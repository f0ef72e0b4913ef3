// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The record of a file, what a placement is, and what can be set.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::{Deref, DerefMut, Range};
use frame_support::{BoundedVec, traits::ConstU32};
use pallet_planaria_support::FileState;
use planaria_primitives::{
	CodingParams, FileId, FileSpec, MAX_FRAGMENTS, MAX_SEGMENTS, MinerId, SegmentId, Tick,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::traits::AtLeast32BitUnsigned;

/// What an owner calls a file, in bytes that mean nothing to the chain.
pub type Label = BoundedVec<u8, ConstU32<64>>;

/// The most segments one `place` takes.
pub const MAX_PLACEMENTS: u32 = 256;

/// The placements of consecutive segments.
pub type Placements = BoundedVec<Placement, ConstU32<MAX_PLACEMENTS>>;

/// A stored file. The record's size does not depend on the file's.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum File<AccountId, Balance> {
	/// The first layout.
	#[codec(index = 0)]
	V0(FileV0<AccountId, Balance>),
}

/// The first layout of a [`File`].
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct FileV0<AccountId, Balance> {
	/// The content.
	pub id: FileId,
	/// Whose file it is. Its space and its deposit pay for it.
	pub owner: AccountId,
	/// Who ordered it: the owner, or an operator on the owner's behalf. Both may place fragments.
	pub by: AccountId,
	/// The file's size in bytes.
	pub size: u64,
	/// Its erasure code. Together with the size it is known to be sound.
	pub coding: CodingParams,
	/// The id of segment number 0. The others follow.
	pub first_segment: SegmentId,
	/// Where the file is in its life.
	pub state: FileState,
	/// What the owner calls it.
	pub label: Label,
	/// How many fragments are not confirmed yet. Meaningless once the file is being removed.
	pub unconfirmed: u32,
	/// How many segments are lost at the moment.
	pub lost: u32,
	/// One more than the highest segment number that was placed: no later one has a record.
	pub placed: u32,
	/// The segment number the removal has come to.
	pub swept: u32,
	/// When it was ordered.
	pub ordered: Tick,
	/// When a fragment was last confirmed; when it was ordered, where none was.
	pub last_progress: Tick,
	/// What is held of the owner for the record and its segments.
	pub deposit: Balance,
}

impl<AccountId, Balance> Deref for File<AccountId, Balance> {
	type Target = FileV0<AccountId, Balance>;
	fn deref(&self) -> &Self::Target {
		let Self::V0(file) = self;
		file
	}
}

impl<AccountId, Balance> DerefMut for File<AccountId, Balance> {
	fn deref_mut(&mut self) -> &mut Self::Target {
		let Self::V0(file) = self;
		file
	}
}

impl<AccountId: PartialEq, Balance> FileV0<AccountId, Balance> {
	/// The file's geometry.
	pub fn spec(&self) -> FileSpec {
		FileSpec::new(self.size, self.coding).expect("checked before the file was recorded; qed")
	}

	/// The id of segment number `number`.
	pub const fn segment_id(&self, number: u32) -> SegmentId {
		SegmentId(self.first_segment.0.saturating_add(number as u64))
	}

	/// The number of a segment in the file; `None` where it belongs to another one.
	pub fn number_of(&self, id: SegmentId) -> Option<u32> {
		let number = u32::try_from(id.0.checked_sub(self.first_segment.0)?).ok()?;
		(number < self.spec().segments()).then_some(number)
	}

	/// The file's segment ids.
	pub fn segment_ids(&self) -> Range<u64> {
		self.first_segment.0..self.segment_id(self.spec().segments()).0
	}

	/// Whether this account may place the file's fragments.
	pub fn may_place(&self, who: &AccountId) -> bool {
		self.owner == *who || self.by == *who
	}

	/// When a storage order without a further confirmation is over.
	pub const fn deadline(&self, order_timeout: Tick) -> Tick {
		self.last_progress.saturating_add(order_timeout)
	}
}

/// Where the fragments of one segment go.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Placement {
	/// To these miners, one per fragment, in fragment order, each of them once.
	#[codec(index = 0)]
	Chosen(BoundedVec<MinerId, ConstU32<{ MAX_FRAGMENTS as u32 }>>),
}

impl Placement {
	/// How many fragments it places.
	pub fn fragments(&self) -> u32 {
		let Self::Chosen(miners) = self;
		u32::try_from(miners.len()).unwrap_or(u32::MAX)
	}
}

/// What an administrator can set.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Params<Balance> {
	/// Held for a file's record.
	pub deposit_base: Balance,
	/// Held for each of its segments.
	pub deposit_per_segment: Balance,
	/// A storage order fails after this many ticks without a new confirmation.
	pub order_timeout: Tick,
}

impl<Balance: Default> Default for Params<Balance> {
	/// No deposits, and a day of six-second ticks.
	fn default() -> Self {
		Self {
			deposit_base: Balance::default(),
			deposit_per_segment: Balance::default(),
			order_timeout: 14_400,
		}
	}
}

impl<Balance: AtLeast32BitUnsigned + Copy> Params<Balance> {
	/// What a file of this many segments has held; `None` where that is more than a balance.
	pub fn deposit(&self, segments: u32) -> Option<Balance> {
		let segments = self.deposit_per_segment.checked_mul(&Balance::from(segments))?;
		self.deposit_base.checked_add(&segments)
	}

	/// Whether these values are sound: a timeout of at least a tick, and a deposit that even the
	/// largest file has.
	pub fn check(&self) -> bool {
		self.order_timeout > 0 && self.deposit(MAX_SEGMENTS).is_some()
	}
}
