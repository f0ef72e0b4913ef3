// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an account has bought, whom it lets use it, and what can be tuned.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::{Deref, DerefMut};
use pallet_planaria_support::{GRAIN_BITS, Grains, Stream};
use planaria_primitives::{FileIndex, Tick};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The bytes of a TiB.
pub const TIB: u64 = 1 << GRAIN_BITS;

/// What an account has bought.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Space {
	/// The first layout.
	#[codec(index = 0)]
	V0(SpaceV0),
}

/// The first layout of [`Space`].
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SpaceV0 {
	/// How many bytes may be stored.
	pub bytes: u64,
	/// The bytes of files whose storage order runs.
	pub reserved: u64,
	/// The bytes of files that are stored.
	pub used: u64,
	/// The last tick that is paid for. An era ends with it.
	pub until: Tick,
	/// What a byte costs for a tick: what was paid, on average.
	pub price: Grains,
	/// What was left of the payments at tick `at`.
	pub left: Grains,
	/// See `left`.
	pub at: Tick,
	/// How many operators it has.
	pub operators: u32,
	/// What is held for the record.
	pub deposit: u128,
	/// The tick at which the agenda looks at it.
	pub look: Tick,
	/// The file that the removal has come to.
	pub removed: Option<FileIndex>,
}

/// What may be done with a space, by the tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
	/// Files may be stored.
	Open,
	/// What is stored stays, and nothing new may be; the space may still be renewed.
	Grace,
	/// Nothing is paid for any more: the files are being removed, and then the space.
	Over,
}

impl SpaceV0 {
	/// The bytes that are paid for, tick by tick.
	pub const fn occupied(&self) -> u64 {
		self.reserved.saturating_add(self.used)
	}

	/// The bytes that are free.
	pub const fn free(&self) -> u64 {
		self.bytes.saturating_sub(self.occupied())
	}

	/// What flows for it.
	pub fn stream(&self) -> Stream {
		let bytes = self.occupied();
		Stream { bytes, rate: self.price.saturating_mul(bytes.into()), ends: self.until }
	}

	/// What is left of the payments at `now`.
	pub fn left_at(&self, now: Tick) -> Grains {
		let ticks = now.min(self.until).saturating_sub(self.at);
		self.left.saturating_sub(self.stream().rate.saturating_mul(ticks.into()))
	}

	/// Brings what is left up to date.
	pub(crate) fn settle(&mut self, now: Tick) {
		self.left = self.left_at(now);
		self.at = self.at.max(now);
	}

	/// What all of it costs from `now` on; `None` where no amount is that high.
	pub fn needed(&self, now: Tick) -> Option<Grains> {
		cost(self.bytes, self.until.saturating_sub(now), self.price)
	}

	/// The last tick at which something new may be stored.
	pub const fn open_until(&self, grace: Tick) -> Tick {
		self.until.saturating_sub(grace)
	}

	/// Where it is in its life.
	pub const fn phase(&self, now: Tick, grace: Tick) -> Phase {
		if now > self.until {
			Phase::Over
		} else if now > self.open_until(grace) {
			Phase::Grace
		} else {
			Phase::Open
		}
	}
}

impl Deref for Space {
	type Target = SpaceV0;
	fn deref(&self) -> &SpaceV0 {
		let Self::V0(space) = self;
		space
	}
}

impl DerefMut for Space {
	fn deref_mut(&mut self) -> &mut SpaceV0 {
		let Self::V0(space) = self;
		space
	}
}

/// What so many bytes cost for so many ticks at so many grains each; `None` where no amount is that
/// high.
pub fn cost(bytes: u64, ticks: Tick, price: Grains) -> Option<Grains> {
	u128::from(bytes).checked_mul(ticks.into())?.checked_mul(price)
}

/// The average of two prices, of which the first stands for `first` bytes or ticks and the other for
/// `second`; rounded up, so that it is never less than what was paid. `None` where it overflows.
pub(crate) fn average(
	(price, first): (Grains, u64),
	(other, second): (Grains, u64),
) -> Option<Grains> {
	let sum = price.checked_mul(first.into())?.checked_add(other.checked_mul(second.into())?)?;
	sum.checked_add(u128::from(first).checked_add(second.into())?.checked_sub(1)?)?
		.checked_div(u128::from(first).checked_add(second.into())?)
}

/// That an account may order storage on another's behalf.
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
pub struct Operator {
	/// How many bytes it may still order.
	pub bytes: u64,
	/// The last tick at which it may.
	pub until: Tick,
	/// What is held of the owner for this record.
	pub deposit: u128,
	/// When the owner last said how much it may order.
	pub since: Tick,
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params {
	/// What a TiB costs for a tick, in the token's smallest parts. So many grains a byte costs.
	pub price: u128,
	/// How many ticks before the end of what is paid for nothing new may be stored.
	pub grace: Tick,
	/// The fewest bytes that are sold.
	pub min_bytes: u64,
	/// The most ticks that are sold ahead.
	pub max_ticks: Tick,
	/// What is held for a space, and for each operator.
	pub deposit: u128,
}

/// The most a price may be, so that every amount can be counted: 2^50 bytes for 2^24 ticks of it
/// are less than 2^128 grains.
pub const MAX_PRICE: u128 = 1 << 50;

/// The most ticks that can be sold ahead: three years of 6 s.
pub const MAX_TICKS: Tick = 1 << 24;

impl Params {
	/// Whether the numbers fit each other.
	pub const fn check(&self) -> bool {
		self.price <= MAX_PRICE
			&& self.min_bytes > 0
			&& self.max_ticks <= MAX_TICKS
			&& self.grace < self.max_ticks
	}
}

impl Default for Params {
	/// The numbers of the main network, for ticks of 6 s and a token of 12 decimals: 100 tokens for
	/// a TiB and 30 days.
	fn default() -> Self {
		const DAY: Tick = 14_400;
		Self {
			price: 100_000_000_000_000 / (30 * DAY as u128),
			grace: 7 * DAY,
			min_bytes: 1 << 30,
			max_ticks: 1_000 * DAY,
			deposit: 20_000_000_000,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn averages_are_rounded_up() {
		assert_eq!(average((10, 1), (20, 1)), Some(15));
		assert_eq!(average((10, 2), (11, 1)), Some(11));
		assert_eq!(average((10, 3), (10, 8)), Some(10));
		assert_eq!(average((0, 5), (7, 0)), Some(0));
		assert_eq!(average((1, 0), (1, 0)), None);
		assert_eq!(average((u128::MAX, 2), (1, 1)), None);
	}

	#[test]
	fn a_tib_costs_the_price_and_less_costs_less() {
		assert_eq!(cost(TIB, 1, 5), Some(pallet_planaria_support::grains(5)));
		assert_eq!(cost(1, 1, 5), Some(5));
		assert_eq!(cost(1 << 50, MAX_TICKS, MAX_PRICE), Some(1 << 124));
		assert_eq!(cost(u64::MAX, Tick::MAX, MAX_PRICE), None);
	}
}
