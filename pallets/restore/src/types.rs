// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Orders, batches, verdicts and parameters.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::{Deref, DerefMut};
use frame_support::{BoundedVec, traits::ConstU32};
use planaria_primitives::{FragmentId, MinerId, SegmentId, Tick, sampling::SAMPLE};
use scale_info::TypeInfo;
use sp_runtime::{
	serde::{Deserialize, Serialize},
	traits::{AtLeast32BitUnsigned, Saturating},
};

/// How many fragments a batch has at most; the bits of [`Batch::thin`] are 64.
pub const MAX_READY: u32 = 64;

/// How many proofs one report carries at most: 24 of the longest stay below 64 KiB.
pub const MAX_PROOFS: u32 = 24;

/// How many blocks after a batch was declared ready its seed is drawn.
///
/// Two, because the author of a block knows the next one's beacon before it decides what goes into
/// its block: with one, a miner that is also a validator could choose its sample.
pub const SEED_DELAY: u32 = 2;

/// How many blocks old the beacon may be that a cancellation is proven by.
pub const CANCEL_BLOCKS: u32 = 16;

/// How many miners decline an order before it is disputed.
pub const MAX_DECLINES: u32 = 3;

/// While the brake is engaged, orders for fragments of absent and expelled miners are opened in
/// segments that can spare this many fragments or fewer.
pub const BRAKED_SPARE: i16 = 2;

/// The countdown from suspected lost to lost, in claim periods.
pub const LOSS_PERIODS: Tick = 3;

/// The penalty of an expired claim doubles with each expiry of the order, this often at most.
pub const MAX_DOUBLINGS: u8 = 6;

/// Fragments that were declared ready.
pub type ReadyFragments = BoundedVec<FragmentId, ConstU32<MAX_READY>>;

/// Why an order was opened.
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
pub enum Cause {
	/// Its holder opened it: it does not have the fragment any more.
	#[codec(index = 0)]
	Broken,
	/// Another miner opened it: the fragment moves away from a restore target.
	#[codec(index = 1)]
	Target,
	/// The chain opened it: its holder failed a challenge for it.
	#[codec(index = 2)]
	Challenge,
}

/// Who works on a restore order.
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
pub enum OrderState {
	/// Nobody. Left by a claim, or by being cancelled or void.
	#[codec(index = 0)]
	Unclaimed,
	/// A miner, up to and including the tick `deadline`. Left by the report, by giving it back, or by
	/// expiry.
	#[codec(index = 1)]
	Claimed {
		/// The claimer.
		by: MinerId,
		/// The last tick the restored fragment can be reported at.
		deadline: Tick,
	},
}

impl OrderState {
	/// The claimer and its deadline, expired or not.
	pub const fn claim(&self) -> Option<(MinerId, Tick)> {
		match self {
			Self::Unclaimed => None,
			Self::Claimed { by, deadline } => Some((*by, *deadline)),
		}
	}
}

/// A restore order: the public task to restore one fragment.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Order {
	/// The first layout.
	#[codec(index = 0)]
	V0(OrderV0),
}

/// The first layout of an [`Order`].
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OrderV0 {
	/// Who works on it.
	pub state: OrderState,
	/// Why it was opened.
	pub cause: Cause,
	/// Who held the fragment when it was opened.
	pub holder: MinerId,
	/// The tick it was opened at.
	pub opened: Tick,
	/// The block it was opened in.
	pub opened_at: u32,
	/// How many claims of it have expired.
	pub expiries: u8,
	/// Who has declined it. They cannot claim it again.
	pub declined: BoundedVec<MinerId, ConstU32<MAX_DECLINES>>,
}

impl OrderV0 {
	/// Whether so many miners have declined it, each for itself, that it probably cannot be
	/// restored: nobody is punished for it any more.
	pub fn is_disputed(&self) -> bool {
		self.declined.is_full()
	}
}

impl Order {
	/// An unclaimed order that is opened now.
	pub fn new(cause: Cause, holder: MinerId, opened: Tick, opened_at: u32) -> Self {
		let state = OrderState::Unclaimed;
		Self::V0(OrderV0 {
			state,
			cause,
			holder,
			opened,
			opened_at,
			expiries: 0,
			declined: BoundedVec::new(),
		})
	}
}

impl Deref for Order {
	type Target = OrderV0;
	fn deref(&self) -> &OrderV0 {
		let Self::V0(order) = self;
		order
	}
}

impl DerefMut for Order {
	fn deref_mut(&mut self) -> &mut OrderV0 {
		let Self::V0(order) = self;
		order
	}
}

/// How many batches a miner may have declared and not yet reported at once. A batch takes several
/// blocks from being declared to being reported; one at a time would bound how fast a miner restores.
pub const MAX_BATCHES: u32 = 4;

/// What a miner declared ready at once, and proves a sample of.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Batch {
	/// The fragments, each at the position that the sample names it by.
	pub fragments: ReadyFragments,
	/// The positions that are always proven, because their segment is thin.
	pub thin: u64,
}

impl Batch {
	/// The block whose beacon is the seed of a batch that was declared in block `at`.
	pub const fn seed_block(at: u32) -> u32 {
		at.saturating_add(SEED_DELAY)
	}

	/// How many proofs a report may need, whatever the seed, for `thin` fragments that are always
	/// proven and `others`.
	pub fn proofs_needed(thin: u32, others: u32) -> u32 {
		thin.saturating_add(others.min(SAMPLE))
	}
}

/// What the chain thinks of a segment that cannot be restored from what is present. A segment
/// without a verdict can be.
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
pub enum Verdict {
	/// Fewer fragments are present than are needed. Left when enough are again, or after
	/// `deadline`.
	#[codec(index = 0)]
	Suspected {
		/// The last tick of the countdown.
		deadline: Tick,
	},
	/// The countdown ended. Left when enough are present again.
	#[codec(index = 1)]
	Lost {
		/// The tick of the verdict.
		since: Tick,
	},
}

/// Something to tidy up when its tick has come.
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
pub enum Task {
	/// A claim of the fragment's order may have expired.
	#[codec(index = 0)]
	ClaimEnds(FragmentId),
	/// The countdown of the segment may have ended.
	#[codec(index = 1)]
	CountdownEnds(SegmentId),
	/// The miner may claim in the segment again.
	#[codec(index = 2)]
	BanEnds(MinerId, SegmentId),
}

/// What root can tune.
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
	Serialize,
	Deserialize,
)]
#[serde(crate = "sp_runtime::serde")]
pub struct Params<Balance> {
	/// How many ticks a claimer has to restore, declare ready and report.
	pub claim_period: Tick,
	/// What the first expired claim of an order costs its claimer; each further one twice as much.
	pub claim_penalty: Balance,
	/// How many ticks a miner whose claim expired may not claim in the same segment. Who gives a
	/// claim back or declines it: as large a share of them as it had of the claim period.
	pub ban_period: Tick,
	/// How many ticks after a segment was found lost money moves for it.
	pub loss_settlement: Tick,
}

impl<Balance: Default> Default for Params<Balance> {
	/// Production, with ticks of 6 seconds. An hour suffices to fetch the four fragments for each
	/// of 64 claims at 0.6 MB/s; a claimer who fails keeps others away for an hour at most, and
	/// stays away from that segment for a day. A week is long enough for disks to be repaired. The
	/// penalty depends on the currency.
	fn default() -> Self {
		let claim_penalty = Balance::default();
		Self { claim_period: 600, claim_penalty, ban_period: 14_400, loss_settlement: 100_800 }
	}
}

impl<Balance: AtLeast32BitUnsigned + Copy> Params<Balance> {
	/// The shortest claim period: two blocks from a job to its inclusion, for the claim, for
	/// declaring it ready and for the report, and one at a session's rotation.
	pub const MIN_PERIOD: Tick = 7;
	/// The longest period, a year with ticks of 6 seconds: no sum of ticks overflows.
	pub const MAX_PERIOD: Tick = 5_259_600;

	/// Whether these parameters are sound.
	pub fn check(&self) -> bool {
		(Self::MIN_PERIOD..=Self::MAX_PERIOD).contains(&self.claim_period)
			&& self.ban_period <= Self::MAX_PERIOD
			&& self.loss_settlement <= Self::MAX_PERIOD
	}

	/// The penalty of a claim that expires after `expiries` others of the same order did.
	pub fn penalty(&self, expiries: u8) -> Balance {
		(0..expiries.min(MAX_DOUBLINGS))
			.fold(self.claim_penalty, |penalty, _| penalty.saturating_add(penalty))
	}

	/// How many ticks a miner that ends its claim when `left` of its ticks are left may not claim in
	/// that segment. The tick it claimed in counts as well.
	pub fn ban(&self, left: Tick) -> Tick {
		let kept = self.claim_period.saturating_sub(left).saturating_add(1).min(self.claim_period);
		let ticks = u64::from(kept).saturating_mul(self.ban_period.into());
		let ban = ticks.div_ceil(self.claim_period.max(1).into());
		Tick::try_from(ban).unwrap_or(self.ban_period)
	}

	/// The last tick of a countdown that begins now.
	pub fn countdown_ends(&self, now: Tick) -> Tick {
		now.saturating_add(Saturating::saturating_mul(self.claim_period, LOSS_PERIODS))
	}
}
