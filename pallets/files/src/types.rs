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
	CodingParams, FileId, FileIndex, FileSpec, Hash, MAX_FRAGMENTS, MAX_SEGMENTS, MinerId,
	PlacementRule, SegmentId, Tick, placement::Draw,
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
	/// Who ordered it: the owner, or an operator on the owner's behalf. Both may place fragments
	/// and delete the file, the operator as long as it is authorised.
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
	/// The bytes of lost segments that nobody pays for any more.
	pub written_off: u64,
	/// How its fragments find their holders.
	pub lot: Lot,
}

/// How a file's fragments find their holders, fixed when it is ordered.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Lot {
	/// They are named.
	#[codec(index = 0)]
	Chosen,
	/// They are among the candidates of a draw.
	#[codec(index = 1)]
	Drawn {
		/// Where the candidates come from.
		seed: Seed,
		/// The miners that were there when the file was ordered have ids below this. Who registers
		/// later is no candidate: nobody sees a seed first and then becomes what it draws.
		ids: u32,
		/// How many candidates of a fragment there are at first, and how many come with each further
		/// draw.
		each: u8,
	},
}

/// What the candidates of a file follow from.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Seed {
	/// The beacon of a block after this one, in which the file was ordered.
	#[codec(index = 0)]
	Awaited(u32),
	/// This one, since the first placement.
	#[codec(index = 1)]
	Known(Hash),
}

/// How many blocks after an order its seed is drawn.
///
/// Two, because the author of a block knows the next one's beacon before it decides what goes into
/// its block.
pub const SEED_DELAY: u32 = 2;

/// A seed that no placement has fixed is replaced after so many blocks: as long as a beacon is kept.
pub const SEED_LIFE: u32 = 256;

/// How many candidates there are for each fragment, and how many come with each further draw, where
/// every id is that of a miner.
pub const CANDIDATES: u8 = 4;

/// How many times as many are drawn at most where most ids are those of miners that have departed.
pub const MOST_DILUTION: u8 = 8;

/// How often more candidates can come: then a choice still fits into a byte.
pub const MAX_REDRAWS: u8 = 7;

impl Lot {
	/// The rule that the file was ordered with.
	pub const fn rule(&self) -> PlacementRule {
		match self {
			Self::Chosen => PlacementRule::Chosen,
			Self::Drawn { .. } => PlacementRule::Drawn,
		}
	}

	/// A draw in block `now` among ids below `ids`, of which `registered` are those of miners that
	/// have not departed. About four candidates of a fragment have not.
	pub fn drawn(now: u32, ids: u32, registered: u32) -> Self {
		let dilution = ids.div_ceil(registered.max(1)).clamp(1, MOST_DILUTION.into());
		let each = CANDIDATES.saturating_mul(u8::try_from(dilution).unwrap_or(MOST_DILUTION));
		Self::Drawn { seed: Seed::Awaited(now), ids, each }
	}
}

impl Seed {
	/// The block whose beacon is the seed, as long as none is fixed: two blocks after the order, and
	/// 256, 512 and so on after that. Who waits for another seed gets one later than who orders the
	/// file again, so nothing is gained by it.
	pub const fn block(ordered: u32, now: u32) -> u32 {
		let first = ordered.saturating_add(SEED_DELAY);
		first.saturating_add(now.saturating_sub(first) / SEED_LIFE * SEED_LIFE)
	}
}

/// How a file was or will be placed, as anybody sees it now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placing {
	/// Its holders are named.
	Chosen,
	/// They are candidates of a draw.
	Drawn {
		/// The seed; none until it is there.
		seed: Option<Hash>,
		/// Candidates have ids below this.
		ids: u32,
		/// How many each fragment has.
		candidates: u16,
		/// When each fragment gets more candidates, unless one is confirmed meanwhile; none where
		/// there are no more to come.
		more_at: Option<Tick>,
	},
}

impl Placing {
	/// The draw, where there is one and its seed is known.
	pub fn draw(&self) -> Option<Draw> {
		match *self {
			Self::Chosen => None,
			Self::Drawn { seed, ids, candidates, .. } => {
				Some(Draw { seed: seed?, ids, candidates })
			},
		}
	}
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

	/// The stored bytes that are paid for.
	pub fn paid_bytes(&self) -> u64 {
		self.spec().stored_bytes().saturating_sub(self.written_off)
	}

	/// The stored bytes of segment number `number`.
	pub fn segment_bytes(&self, number: u32) -> u64 {
		let spec = self.spec();
		u64::from(spec.fragment_len(number)).saturating_mul(spec.fragments().into())
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

/// What the agenda does about a file when a tick has come.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Task {
	/// Its storage order fails, unless a fragment was confirmed meanwhile.
	#[codec(index = 0)]
	Deadline(FileIndex),
	/// Its next segments are removed.
	#[codec(index = 1)]
	Removal(FileIndex),
}

impl Task {
	/// The file.
	pub const fn file(self) -> FileIndex {
		let (Self::Deadline(file) | Self::Removal(file)) = self;
		file
	}

	/// Whether there is anything to do for it where the file is in this state.
	pub const fn concerns(self, state: FileState) -> bool {
		match self {
			Self::Deadline(_) => matches!(state, FileState::Pending),
			Self::Removal(_) => matches!(state, FileState::Deleting | FileState::Failed),
		}
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
	/// To the candidates of these numbers, one per fragment, in fragment order, who must be
	/// different miners. A fragment without a number stays where it is.
	#[codec(index = 1)]
	Drawn(BoundedVec<Option<u8>, ConstU32<{ MAX_FRAGMENTS as u32 }>>),
}

impl Placement {
	/// How many fragments it places.
	pub fn fragments(&self) -> u32 {
		let fragments = match self {
			Self::Chosen(miners) => miners.len(),
			Self::Drawn(choices) => choices.len(),
		};
		u32::try_from(fragments).unwrap_or(u32::MAX)
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
	/// After this many ticks without a new confirmation there are more candidates for each fragment
	/// of a file whose holders are drawn.
	pub place_timeout: Tick,
	/// How often there are.
	pub redraws: u8,
	/// With so many registered miners only the owner, by signing the order, has holders chosen.
	pub drawn_from: u32,
}

impl<Balance: Default> Default for Params<Balance> {
	/// No deposits; a day and an hour of six-second ticks; twelve candidates in the end; a hundred
	/// miners.
	fn default() -> Self {
		Self {
			deposit_base: Balance::default(),
			deposit_per_segment: Balance::default(),
			order_timeout: 14_400,
			place_timeout: 600,
			redraws: 2,
			drawn_from: 100,
		}
	}
}

impl<Balance> Params<Balance> {
	/// How often there were more candidates when no fragment was confirmed for so many ticks.
	fn draws_after(&self, ticks: Tick) -> u8 {
		let passed = ticks.checked_div(self.place_timeout).unwrap_or(0);
		u8::try_from(passed).unwrap_or(u8::MAX).min(self.redraws)
	}

	/// How many candidates a fragment has then, `each` with every draw.
	pub fn candidates(&self, each: u8, ticks: Tick) -> u16 {
		let draws = u16::from(self.draws_after(ticks)).saturating_add(1);
		u16::from(each).saturating_mul(draws).min(Draw::MAX_CANDIDATES)
	}

	/// After how many ticks without a confirmation, so many of which have passed, there are more;
	/// `None` where there will not be.
	pub fn more_after(&self, ticks: Tick) -> Option<Tick> {
		let next = self.draws_after(ticks).checked_add(1).filter(|next| *next <= self.redraws)?;
		self.place_timeout.checked_mul(next.into())
	}
}

impl<Balance: AtLeast32BitUnsigned + Copy> Params<Balance> {
	/// What a file of this many segments has held; `None` where that is more than a balance.
	pub fn deposit(&self, segments: u32) -> Option<Balance> {
		let segments = self.deposit_per_segment.checked_mul(&Balance::from(segments))?;
		self.deposit_base.checked_add(&segments)
	}

	/// Whether these values are sound: timeouts of at least a tick, draws whose candidates can be
	/// told apart by a byte, and a deposit that even the largest file has.
	pub fn check(&self) -> bool {
		self.order_timeout > 0
			&& self.place_timeout > 0
			&& self.redraws <= MAX_REDRAWS
			&& self.deposit(MAX_SEGMENTS).is_some()
	}
}
