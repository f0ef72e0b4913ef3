// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The flow out of the pot, what each miner earns, bounties, and what can be tuned.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use pallet_planaria_support::{Grains, Stream};
use planaria_primitives::{MinerId, Tick};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The bytes of a GiB.
pub const GIB: u64 = 1 << 30;

/// The pot: what flows out of it, to how many bytes, and whose it is.
///
/// `prepaid`, `earned`, `unearned` and `remainder` together are all that was paid in advance and not
/// paid out: not a grain is lost.
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
pub struct Flow {
	/// Up to and including this tick it has flowed.
	pub at: Tick,
	/// The bytes that are paid for.
	pub paid: u64,
	/// What flows for them in each tick.
	pub rate: Grains,
	/// The bytes that all miners hold.
	pub held: u64,
	/// Those of them that are held by miners who earn.
	pub earning: u64,
	/// What a byte has earned since the beginning, had it been held all the time.
	pub per_byte: Grains,
	/// What was paid in advance and has not flowed.
	pub prepaid: Grains,
	/// What miners have earned and not claimed.
	pub earned: Grains,
	/// What flowed for bytes that nobody earned with, and what is left of payers who have gone.
	pub unearned: Grains,
	/// What has flowed and could not be divided by the bytes. It flows on with the next.
	pub remainder: Grains,
}

impl Flow {
	/// Lets it flow up to `to`. No stream ends in between.
	///
	/// What flows is divided by the bytes that are paid for; by those that are held, where these are
	/// more. A byte whose miner does not earn keeps its share from everybody: nobody is paid more
	/// because somebody else is not.
	pub fn run(&mut self, to: Tick) {
		let ticks = to.saturating_sub(self.at);
		self.at = self.at.max(to);
		let flows = self.rate.saturating_mul(ticks.into()).min(self.prepaid);
		let bytes = self.stored();
		if flows == 0 || bytes == 0 {
			return;
		}
		let sum = flows.saturating_add(self.remainder);
		let each = sum / u128::from(bytes);
		let shares = each.saturating_mul(bytes.into());
		let earned = each.saturating_mul(self.earning.into());
		self.prepaid = self.prepaid.saturating_sub(flows);
		self.remainder = sum.saturating_sub(shares);
		self.per_byte = self.per_byte.saturating_add(each);
		self.earned = self.earned.saturating_add(earned);
		self.unearned = self.unearned.saturating_add(shares.saturating_sub(earned));
	}

	/// The bytes that what flows is divided by.
	pub const fn stored(&self) -> u64 {
		if self.paid > self.held { self.paid } else { self.held }
	}

	/// All that is in the pot for those who store.
	pub const fn total(&self) -> Grains {
		self.prepaid
			.saturating_add(self.earned)
			.saturating_add(self.unearned)
			.saturating_add(self.remainder)
	}
}

/// What ends with a tick, of all payers together.
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
pub struct Ending {
	/// The bytes that are paid for no longer.
	pub bytes: u64,
	/// What flows no longer.
	pub rate: Grains,
}

impl Ending {
	/// Whether nothing ends.
	pub const fn is_empty(&self) -> bool {
		self.bytes == 0 && self.rate == 0
	}

	pub(crate) fn add(&mut self, stream: &Stream) {
		self.bytes = self.bytes.saturating_add(stream.bytes);
		self.rate = self.rate.saturating_add(stream.rate);
	}

	pub(crate) fn remove(&mut self, stream: &Stream) {
		self.bytes = self.bytes.saturating_sub(stream.bytes);
		self.rate = self.rate.saturating_sub(stream.rate);
	}
}

/// What a miner holds, and what it has earned with it.
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
pub struct Earnings {
	/// The bytes it holds.
	pub held: u64,
	/// Whether it earns with them.
	pub earns: bool,
	/// What a byte had earned when this was brought up to date.
	pub per_byte: Grains,
	/// What it has earned until then and not claimed.
	pub grains: Grains,
}

impl Earnings {
	/// Of a miner that was never heard of.
	pub const fn new(per_byte: Grains) -> Self {
		Self { held: 0, earns: true, per_byte, grains: 0 }
	}

	/// The bytes it earns with.
	pub const fn earning(&self) -> u64 {
		if self.earns { self.held } else { 0 }
	}

	/// Brings it up to date.
	pub(crate) fn update(&mut self, per_byte: Grains) {
		let each = per_byte.saturating_sub(self.per_byte);
		self.grains = self.grains.saturating_add(each.saturating_mul(self.earning().into()));
		self.per_byte = per_byte;
	}

	/// Whether there is nothing to remember.
	pub const fn is_empty(&self) -> bool {
		self.held == 0 && self.earns && self.grains == 0
	}
}

/// What the restoration of a fragment is worth, paid for by whoever does not have it any more.
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
pub struct Bounty {
	/// Who paid.
	pub holder: MinerId,
	/// How much.
	pub amount: u128,
}

/// What is kept for the restoration of a fragment: all of its bounty until then, and a half of it for
/// a while after it.
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
pub enum Pledge {
	/// The bounty of an open restore order.
	#[codec(index = 0)]
	Open(Bounty),
	/// The second half of a bounty, of a fragment that was restored lately.
	#[codec(index = 1)]
	Kept(Kept),
}

impl Pledge {
	/// How much it is.
	pub const fn amount(&self) -> u128 {
		match self {
			Self::Open(bounty) => bounty.amount,
			Self::Kept(kept) => kept.amount,
		}
	}

	/// The bounty of an open restore order.
	pub const fn open(self) -> Option<Bounty> {
		match self {
			Self::Open(bounty) => Some(bounty),
			Self::Kept(_) => None,
		}
	}

	/// The second half of a bounty.
	pub const fn kept(self) -> Option<Kept> {
		match self {
			Self::Open(_) => None,
			Self::Kept(kept) => Some(kept),
		}
	}
}

/// The second half of a bounty, kept until the fragment has stayed for a while.
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
pub struct Kept {
	/// Who restored it.
	pub miner: MinerId,
	/// How much.
	pub amount: u128,
	/// From this tick on it is the miner's.
	pub due: Tick,
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
	/// The bounty for a fragment, however small.
	pub bounty_base: u128,
	/// The bounty for each GiB, on top of that.
	pub bounty_per_gib: u128,
	/// How many ticks a restored fragment must stay where it is until the second half is paid.
	pub bounty_hold: Tick,
}

impl Params {
	/// The bounty for a fragment of so many bytes, rounded down.
	pub fn bounty(&self, bytes: u64) -> u128 {
		let for_bytes = self.bounty_per_gib.saturating_mul(bytes.into()) / u128::from(GIB);
		self.bounty_base.saturating_add(for_bytes)
	}
}

impl Default for Params {
	/// No bounties, which depend on the currency and the collateral; a week of ticks of 6 s.
	fn default() -> Self {
		Self { bounty_base: 0, bounty_per_gib: 0, bounty_hold: 7 * 14_400 }
	}
}
