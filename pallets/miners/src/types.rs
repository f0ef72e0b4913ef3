// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the chain knows of a miner, and the numbers the rules turn on.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::{Deref, DerefMut};
use frame_support::{BoundedVec, traits::ConstU32};
use pallet_planaria_support::Standing;
use planaria_primitives::{Tick, duty::DutyKind};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::sr25519;
use sp_runtime::{
	Percent, Rounding, helpers_128bit::multiply_by_rational_with_rounding,
	traits::AtLeast32BitUnsigned,
};

/// Where a miner is reached: addresses of up to 128 characters, up to four.
pub type Addresses = BoundedVec<BoundedVec<u8, ConstU32<128>>, ConstU32<4>>;

/// Where a miner's fragments are put and fetched.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Endpoint {
	/// The ed25519 key that its transfers prove.
	pub key: [u8; 32],
	/// Hints where to find it: printable ASCII, such as `198.51.100.7:4410`. May be empty, where
	/// the key is enough to find it.
	pub addrs: Addresses,
}

impl Endpoint {
	/// Whether the addresses are text that can be shown.
	pub fn is_valid(&self) -> bool {
		self.addrs.iter().all(|addr| !addr.is_empty() && addr.iter().all(u8::is_ascii_graphic))
	}
}

/// What a miner has decided, or what was decided about it. How it is seen by others,
/// [`Standing`], follows from this and from whether it is absent.
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
pub enum Phase {
	/// It stores and serves. Left by `exit` and `expel_absent`.
	#[codec(index = 0)]
	Active {
		/// It failed audits: it gets no new data, and no rewards.
		suspended: bool,
	},
	/// It has declared to leave. Left by `finish` when its data has moved, and by `expel_absent`.
	#[codec(index = 1)]
	Leaving {
		/// It has failed audits, before it did or since: it gets no rewards.
		suspended: bool,
	},
	/// It leaves against its will. Left by `finish`.
	#[codec(index = 2)]
	Expelled,
	/// It has left. The record goes with the collateral: `withdraw` and `tidy`.
	#[codec(index = 3)]
	Departed {
		/// From this tick on the collateral is free.
		free_at: Tick,
	},
}

/// That a miner was not seen for too long.
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
pub struct Absence {
	/// When it was marked.
	pub since: Tick,
	/// What it held then: what the brake counts.
	pub bytes: u64,
}

/// A miner as the chain stores it: what rarely changes.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Miner<AccountId, Balance> {
	/// The first layout.
	#[codec(index = 0)]
	V0(MinerV0<AccountId, Balance>),
}

/// The first layout of a [`Miner`].
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct MinerV0<AccountId, Balance> {
	/// Owns the collateral, and decides.
	pub stash: AccountId,
	/// Receives what the miner earns.
	pub payee: AccountId,
	/// Signs duties, and pays for what the node starts itself.
	pub hot_key: sr25519::Public,
	/// Where its fragments are put and fetched.
	pub endpoint: Endpoint,
	/// How many bytes it offers, those in use included.
	pub declared: u64,
	/// What it has at stake: on hold in the stash.
	pub collateral: Balance,
	/// When it was registered.
	pub registered: Tick,
	/// What was decided.
	pub phase: Phase,
	/// Whether it is there. Never set where the miner is expelled or departed.
	pub absence: Option<Absence>,
	/// Since when its standing is what it is.
	pub since: Tick,
}

impl<AccountId, Balance> MinerV0<AccountId, Balance> {
	/// How the network sees it; `None` once it has departed.
	///
	/// A miner that leaves and is absent is shown as expelled until it returns: what it holds does
	/// not count as present.
	pub const fn standing(&self) -> Option<Standing> {
		Some(match (self.phase, self.absence) {
			(Phase::Departed { .. }, _) => return None,
			(Phase::Expelled, _) => Standing::Leaving { expelled: true },
			(Phase::Leaving { .. }, absence) => Standing::Leaving { expelled: absence.is_some() },
			(Phase::Active { .. }, Some(_)) => Standing::Absent,
			(Phase::Active { suspended: true }, None) => Standing::Suspended,
			(Phase::Active { suspended: false }, None) => Standing::Serving,
		})
	}

	/// Whether it is paid for what it holds: it serves, and has not failed audits.
	pub const fn earns(&self) -> bool {
		matches!(
			(self.phase, self.absence),
			(Phase::Active { suspended: false } | Phase::Leaving { suspended: false }, None)
		)
	}

	/// Whether it is absent or expelled.
	pub fn is_away(&self) -> bool {
		self.absence.is_some() || self.phase == Phase::Expelled
	}
}

impl<AccountId, Balance> Deref for Miner<AccountId, Balance> {
	type Target = MinerV0<AccountId, Balance>;
	fn deref(&self) -> &Self::Target {
		let Self::V0(miner) = self;
		miner
	}
}

impl<AccountId, Balance> DerefMut for Miner<AccountId, Balance> {
	fn deref_mut(&mut self) -> &mut Self::Target {
		let Self::V0(miner) = self;
		miner
	}
}

/// What changes all the time of a miner: at most 64 bytes, apart from its record.
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
pub struct MinerLoad {
	/// The bytes of the fragments it has confirmed.
	pub held: u64,
	/// The bytes of the fragments it is to confirm, and of those it has claimed.
	pub reserved: u64,
	/// How many fragments it has confirmed.
	pub fragments: u32,
	/// How many restore orders it has claimed.
	pub claims: u32,
	/// When its last duty was accepted.
	pub last_seen: Tick,
	/// The anchor of its last duty of each kind, in the order of [`DutyKind`].
	pub anchors: [u32; DutyKind::COUNT],
}

impl MinerLoad {
	/// The bytes that are no longer free.
	pub const fn used(&self) -> u64 {
		self.held.saturating_add(self.reserved)
	}

	/// Whether everything has moved away, and nothing that it has claimed is to come. What is reserved
	/// then is for what was placed with it, and may never be sent.
	pub const fn is_idle(&self) -> bool {
		self.fragments == 0 && self.claims == 0
	}
}

/// The numbers the rules turn on.
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params<Balance> {
	/// The collateral of a miner that holds nothing.
	pub collateral_base: Balance,
	/// The collateral for each GiB held or reserved, on top of that.
	pub collateral_per_gib: Balance,
	/// What a wrong proof costs.
	pub wrong_proof_fee: Balance,
	/// A miner not seen for more than this many ticks may be marked absent.
	pub absent_after: Tick,
	/// A miner that is absent for more than this many ticks may be expelled.
	pub absent_max: Tick,
	/// A miner not seen for this many ticks sends `alive`. Free of charge it may do so after half
	/// of them.
	pub alive_every: Tick,
	/// How many ticks the collateral stays on hold after the miner has left.
	pub cooldown: Tick,
	/// How many restore orders one miner may have claimed at a time.
	pub max_claims: u32,
	/// How many bytes may be reserved with a miner that holds less than that.
	pub room_floor: u64,
	/// The brake looks at the miners that turned absent in this many ticks, or up to a seventh
	/// more.
	pub brake_window: Tick,
	/// Nobody is expelled while they hold more than this share of all bytes, for `absent_max` ticks
	/// at most after they came to do so.
	pub brake_share: Percent,
}

/// Why parameters are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamsError {
	/// A number is zero that must not be.
	Zero,
	/// A miner could turn absent between two `alive`s: `absent_after < 2 * alive_every`.
	AbsentTooSoon,
	/// The base collateral does not pay for a wrong proof.
	FeeTooHigh,
}

/// The bytes of a GiB.
pub const GIB: u64 = 1 << 30;

impl<Balance: AtLeast32BitUnsigned + Copy> Params<Balance> {
	/// Whether the numbers fit each other.
	pub fn check(&self) -> Result<(), ParamsError> {
		let ticks = [self.absent_after, self.absent_max, self.alive_every, self.brake_window];
		if ticks.contains(&0) || self.max_claims == 0 || self.room_floor == 0 {
			return Err(ParamsError::Zero);
		}
		if self.absent_after < self.alive_every.saturating_mul(2) {
			return Err(ParamsError::AbsentTooSoon);
		}
		if self.wrong_proof_fee > self.collateral_base {
			return Err(ParamsError::FeeTooHigh);
		}
		Ok(())
	}

	/// Whether so many of all bytes are more than the brake bears.
	pub(crate) fn is_too_much(&self, bytes: u64, all: u64) -> bool {
		let share = u128::from(self.brake_share.deconstruct());
		u128::from(bytes) * 100 > u128::from(all) * share
	}

	/// The collateral that this many bytes require: the base, and the price per GiB for each byte,
	/// rounded up.
	pub fn required(&self, bytes: u64) -> Balance {
		self.collateral_base.saturating_add(self.for_bytes(bytes))
	}

	/// What these bytes add to the base.
	pub fn for_bytes(&self, bytes: u64) -> Balance {
		let per_gib: u128 = self.collateral_per_gib.unique_saturated_into();
		let for_bytes =
			multiply_by_rational_with_rounding(per_gib, bytes.into(), GIB.into(), Rounding::Up);
		Balance::unique_saturated_from(for_bytes.unwrap_or(u128::MAX))
	}
}

impl<Balance: AtLeast32BitUnsigned> Default for Params<Balance> {
	/// The numbers of the main network, for ticks of 6 s and a token of 12 decimals.
	fn default() -> Self {
		const HOUR: Tick = 600;
		const DAY: Tick = 24 * HOUR;
		let milli = |units: u64| Balance::unique_saturated_from(units * 1_000_000_000);
		Self {
			collateral_base: milli(10_000),
			collateral_per_gib: milli(100),
			wrong_proof_fee: milli(100),
			absent_after: 2 * HOUR,
			absent_max: 3 * DAY,
			alive_every: HOUR / 2,
			cooldown: 14 * DAY,
			max_claims: 256,
			room_floor: 1 << 40,
			brake_window: 6 * HOUR,
			brake_share: Percent::from_percent(10),
		}
	}
}

/// How many buckets the brake has.
const BUCKETS: u32 = 8;

/// How many bytes turned absent lately: in buckets of a seventh of the window, the oldest of which
/// is dropped as a new one begins.
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
pub struct Brake {
	/// What turned absent up to this tick is not counted.
	pub counts_after: Tick,
	/// The number of the latest bucket.
	pub latest: u32,
	/// The bytes in bucket `number % 8`.
	pub buckets: [u64; BUCKETS as usize],
}

impl Brake {
	/// Begins anew, as the window has changed.
	pub(crate) fn new(now: Tick, window: Tick) -> Self {
		Self { counts_after: now, latest: bucket(now, window), buckets: Default::default() }
	}

	/// Adds a miner's bytes as it is marked absent.
	pub(crate) fn add(&mut self, now: Tick, window: Tick, bytes: u64) {
		self.advance(now, window);
		let place = &mut self.buckets[index(self.latest)];
		*place = place.saturating_add(bytes);
	}

	/// Takes a miner's bytes off as it returns, unless they are no longer counted.
	pub(crate) fn remove(&mut self, now: Tick, window: Tick, absence: Absence) {
		self.advance(now, window);
		if let Some(number) = self.bucket_of(absence, window) {
			let place = &mut self.buckets[index(number)];
			*place = place.saturating_sub(absence.bytes);
		}
	}

	/// The bytes that are counted at `now`.
	pub(crate) fn bytes(mut self, now: Tick, window: Tick) -> u64 {
		self.advance(now, window);
		self.buckets.into_iter().fold(0, u64::saturating_add)
	}

	/// What turned absent from this tick on is counted.
	pub(crate) fn first(&self, window: Tick) -> Tick {
		let oldest = self.latest.saturating_sub(BUCKETS - 1).saturating_mul(width(window));
		oldest.max(self.counts_after.saturating_add(1))
	}

	/// The bucket an absence is counted in, if it still is.
	pub(crate) fn bucket_of(&self, absence: Absence, window: Tick) -> Option<u32> {
		let number = bucket(absence.since, window);
		let kept = self.latest.saturating_sub(number) < BUCKETS;
		(kept && absence.since > self.counts_after).then_some(number)
	}

	fn advance(&mut self, now: Tick, window: Tick) {
		let number = bucket(now, window);
		let first = self.latest.saturating_add(1).max(number.saturating_sub(BUCKETS - 1));
		for dropped in first..=number {
			self.buckets[index(dropped)] = 0;
		}
		self.latest = self.latest.max(number);
	}
}

/// The number of the bucket that `tick` falls into.
const fn bucket(tick: Tick, window: Tick) -> u32 {
	tick / width(window)
}

/// How many ticks a bucket has.
const fn width(window: Tick) -> Tick {
	let width = window.div_ceil(BUCKETS - 1);
	// A window of zero ticks is refused by `Params::check`.
	if width == 0 { 1 } else { width }
}

const fn index(number: u32) -> usize {
	(number % BUCKETS) as usize
}

/// So much turned absent at once that the brake engaged. It stays engaged while those miners stay
/// away: most likely they come back together.
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
pub struct Outage {
	/// When the brake engaged.
	pub since: Tick,
	/// What turned absent from this tick on belongs to it.
	pub first: Tick,
	/// The bytes of those that are still away.
	pub bytes: u64,
}

impl Outage {
	/// Whether it keeps the brake engaged at `now`, where miners hold `all` bytes together.
	pub(crate) fn lasts<Balance: AtLeast32BitUnsigned + Copy>(
		&self,
		now: Tick,
		params: &Params<Balance>,
		all: u64,
	) -> bool {
		now.saturating_sub(self.since) <= params.absent_max && params.is_too_much(self.bytes, all)
	}

	/// Adds a miner's bytes as it is marked absent.
	pub(crate) fn add(&mut self, bytes: u64) {
		self.bytes = self.bytes.saturating_add(bytes);
	}

	/// Takes a miner's bytes off as it returns or departs, if they belong to it.
	pub(crate) fn remove(&mut self, absence: Absence) {
		if self.includes(absence) {
			self.bytes = self.bytes.saturating_sub(absence.bytes);
		}
	}

	/// Whether an absence belongs to it.
	pub(crate) const fn includes(&self, absence: Absence) -> bool {
		absence.since >= self.first
	}
}
