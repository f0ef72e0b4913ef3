// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Challenges, requests, a miner's record, and parameters.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use planaria_primitives::{FragmentId, FragmentProof, MinerId, Tick};
use scale_info::TypeInfo;
use sp_runtime::{
	Percent,
	serde::{Deserialize, Serialize},
	traits::AtLeast32BitUnsigned,
};

/// How many answers one call carries at most: 24 of the longest stay below 64 KiB.
pub const MAX_ANSWERS: u32 = 24;

/// How many challenges of one miner are open at most. More would tell nothing new: all that fail in
/// one window count once.
pub const MAX_OPEN: u32 = 64;

/// How many requests wait at most.
pub const MAX_REQUESTS: u64 = 1024;

/// How many of them may be there for confirmed batches to be noted: the rest is for who asks.
pub const MAX_FRESH: u64 = MAX_REQUESTS / 2;

/// How many fragments of a confirmed batch are noted at most.
pub const MAX_BATCH: u32 = 128;

/// How many blocks after a request the challenge is drawn.
///
/// Two, because the author of a block knows the next one's beacon before it decides what goes into
/// its block: with one, a miner that is also a validator could choose what it is asked for.
pub const SEED_DELAY: u32 = 2;

/// The bytes of a TiB.
pub const TIB: u64 = 1 << 40;

/// Who had a fragment challenged, and with what.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Challenger<AccountId, Balance> {
	/// The account.
	pub who: AccountId,
	/// What is held of it.
	pub deposit: Balance,
}

/// A question to a miner: show this chunk of a fragment you hold.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Challenge<AccountId, Balance> {
	/// The chunk.
	pub chunk: u32,
	/// The last tick it can be answered at.
	pub deadline: Tick,
	/// Who asked for it by name; nobody where it was drawn.
	pub by: Option<Challenger<AccountId, Balance>>,
}

/// What is to be challenged once a beacon is known that nobody knew at the time.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Request<AccountId, Balance> {
	/// The block it was made in. The beacon of the second after it draws.
	pub at: u32,
	/// Whose fragments they are.
	pub miner: MinerId,
	/// Which ones.
	pub subject: Subject<AccountId, Balance>,
}

/// What a request is about.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Subject<AccountId, Balance> {
	/// One of these, which the miner confirmed together.
	#[codec(index = 0)]
	Fresh(BoundedVec<FragmentId, ConstU32<MAX_BATCH>>),
	/// This one, which somebody named.
	#[codec(index = 1)]
	Named(FragmentId, Challenger<AccountId, Balance>),
}

/// The answer to a challenge.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Answer {
	/// The fragment that was challenged.
	pub fragment: FragmentId,
	/// The proof of the chunk that was asked for.
	pub proof: FragmentProof,
}

/// What a miner's audits have come to. A miner that has no record is beyond reproach.
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
pub struct Record {
	/// How many challenges of it are open.
	pub open: u32,
	/// How many fragments of it were named, be their challenges open or still to be drawn.
	pub named: u32,
	/// How many windows with failures it has not made good for.
	pub strikes: u8,
	/// When the last of them began. Meaningless without strikes.
	pub struck: Tick,
	/// When it last failed, or was last forgiven a strike. Meaningless without strikes.
	pub since: Tick,
}

impl Record {
	/// A challenge failed. Returns whether that is another strike: not where one was given less
	/// than a window ago.
	pub fn fail(&mut self, now: Tick, strike_window: Tick) -> bool {
		let covered = self.strikes > 0 && now < self.struck.saturating_add(strike_window);
		self.since = now;
		if covered {
			return false;
		}
		self.strikes = self.strikes.saturating_add(1);
		self.struck = now;
		true
	}

	/// A drawn challenge was passed. Returns whether a strike is forgiven: where the last failure
	/// and the last one forgiven were long enough ago.
	pub fn pass(&mut self, now: Tick, heal_after: Tick) -> bool {
		let healed = self.strikes > 0 && now >= self.since.saturating_add(heal_after);
		if healed {
			self.strikes = self.strikes.saturating_sub(1);
			self.since = now;
		}
		healed
	}

	/// Whether there is nothing to remember.
	pub const fn is_clean(&self) -> bool {
		self.open == 0 && self.named == 0 && self.strikes == 0
	}
}

/// What follows from a miner's strikes. Each includes what stands before it.
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
pub enum Level {
	/// Nothing yet.
	#[codec(index = 0)]
	Warned,
	/// It gets no new data and no rewards.
	#[codec(index = 1)]
	Suspended,
	/// Each further strike takes a larger share of its collateral.
	#[codec(index = 2)]
	Slashed,
	/// It leaves against its will.
	#[codec(index = 3)]
	Expelled,
}

/// Something to do when its tick has come.
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
	/// The miner's challenge for the fragment may be overdue.
	#[codec(index = 0)]
	AnswerDue(MinerId, FragmentId),
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
	/// One draw falls on each tick for so many stored bytes. So 600 TiB mean that every TiB is
	/// asked once in 600 ticks.
	pub bytes_per_draw: u64,
	/// How many ticks a miner has to answer.
	pub answer_period: Tick,
	/// All failures within this many ticks are one strike.
	pub strike_window: Tick,
	/// A strike is forgiven with the first drawn challenge that is passed this many ticks after the
	/// last failure, and so on for each further one.
	pub heal_after: Tick,
	/// With so many strikes a miner is suspended; with fewer it is only warned.
	pub suspend_at: u8,
	/// With so many its collateral is slashed, and again with each further one.
	pub slash_at: u8,
	/// With so many it is expelled.
	pub expel_at: u8,
	/// The share of the collateral that its bytes require which the first slash takes; the second
	/// takes twice as much, and so on.
	pub slash_share: Percent,
	/// What is held of who names a fragment. It goes to the miner that passes.
	pub deposit: Balance,
	/// What a miner that fails pays to who named the fragment, once per strike.
	pub reward: Balance,
	/// How many named challenges one miner has at a time at most.
	pub max_named: u32,
}

impl<Balance: Default> Default for Params<Balance> {
	/// Production, with ticks of 6 seconds. Every TiB is asked once an hour; an answer has 20
	/// minutes, long enough for a restart; whatever happens within six hours, such as an outage
	/// until the miner counts as absent, is one strike; two days without a failure make one good.
	/// The amounts depend on the currency.
	fn default() -> Self {
		Self {
			bytes_per_draw: 600 * TIB,
			answer_period: 200,
			strike_window: 3_600,
			heal_after: 28_800,
			suspend_at: 2,
			slash_at: 3,
			expel_at: 6,
			slash_share: Percent::from_percent(5),
			deposit: Balance::default(),
			reward: Balance::default(),
			max_named: 8,
		}
	}
}

impl<Balance: AtLeast32BitUnsigned + Copy> Params<Balance> {
	/// The shortest period for an answer: two blocks from a job to its inclusion, one at a
	/// session's rotation, and as many again for a fork.
	pub const MIN_PERIOD: Tick = 6;
	/// The longest period, a year with ticks of 6 seconds: no sum of ticks overflows.
	pub const MAX_PERIOD: Tick = 5_259_600;

	/// Whether these parameters are sound.
	pub fn check(&self) -> bool {
		let periods = [self.answer_period, self.strike_window, self.heal_after];
		self.bytes_per_draw > 0
			&& self.strike_window <= self.heal_after
			&& self.answer_period <= self.heal_after
			&& periods.iter().all(|p| (Self::MIN_PERIOD..=Self::MAX_PERIOD).contains(p))
			&& [1, self.suspend_at, self.slash_at, self.expel_at].is_sorted()
	}

	/// What follows from so many strikes; `None` from none.
	pub const fn level(&self, strikes: u8) -> Option<Level> {
		Some(match strikes {
			0 => return None,
			_ if strikes >= self.expel_at => Level::Expelled,
			_ if strikes >= self.slash_at => Level::Slashed,
			_ if strikes >= self.suspend_at => Level::Suspended,
			_ => Level::Warned,
		})
	}

	/// The share of the required collateral that this strike takes.
	pub fn slash(&self, strikes: u8) -> Percent {
		let times = strikes.checked_sub(self.slash_at).map_or(0, |more| more.saturating_add(1));
		Percent::from_percent(self.slash_share.deconstruct().saturating_mul(times))
	}

	/// How many draws fall on a tick with so many bytes in the census; `lot` decides about the
	/// fraction.
	pub fn draws(&self, bytes: u64, lot: u64) -> u64 {
		let per_draw = self.bytes_per_draw.max(1);
		let (whole, rest) = (bytes / per_draw, bytes % per_draw);
		let hit = u128::from(lot).saturating_mul(per_draw.into()) >> 64 < rest.into();
		whole.saturating_add(hit.into())
	}
}
