// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The transport: who reaches whom, and how long a fragment takes.
//!
//! A miner sends one byte after the other, and receives one after the other: a transfer begins when
//! both ends have time for it.

use crate::content::WEIGHT;

/// What a round trip and the opening of a stream take, in milliseconds.
pub const ROUND_TRIP: u64 = 200;

/// After how long a peer that does not answer is given up, in milliseconds.
pub const CONNECT_TIMEOUT: u64 = 10_000;

/// A miner's line.
#[derive(Clone, Copy, Debug)]
pub struct Link {
	/// How fast it sends, in bytes per second.
	pub up: u64,
	/// How fast it receives.
	pub down: u64,
	/// When it has sent what it is to send.
	pub up_free: u64,
	/// When it has received what it is to receive.
	pub down_free: u64,
}

impl Link {
	/// A line of this rate in both directions.
	pub fn new(rate: u64) -> Self {
		Self { up: rate, down: rate, up_free: 0, down_free: 0 }
	}
}

fn millis(bytes: u64, rate: u64) -> u64 {
	(bytes * 1000).div_ceil(rate.max(1))
}

/// When the bytes of a fragment that is asked for now begin to come, and when it is all there.
pub fn schedule(from: &Link, to: &Link, now: u64) -> (u64, u64) {
	let (up, down) = (millis(WEIGHT, from.up), millis(WEIGHT, to.down));
	let over = (from.up_free.max(now) + up).max(to.down_free.max(now) + down);
	(over - up.max(down), over + ROUND_TRIP)
}

/// Keeps both ends busy with it.
pub fn occupy(from: &mut Link, to: &mut Link, now: u64) {
	from.up_free = from.up_free.max(now) + millis(WEIGHT, from.up);
	to.down_free = to.down_free.max(now) + millis(WEIGHT, to.down);
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_slower_end_counts_and_transfers_follow_each_other() {
		let (mut fast, mut slow) = (Link::new(WEIGHT), Link::new(WEIGHT / 4));
		assert_eq!(schedule(&slow, &fast, 0), (0, 4_000 + ROUND_TRIP));
		occupy(&mut slow, &mut fast, 0);
		assert_eq!(schedule(&slow, &fast, 0), (4_000, 8_000 + ROUND_TRIP));
		assert_eq!(schedule(&fast, &Link::new(WEIGHT), 0), (0, 1_000 + ROUND_TRIP));
		assert_eq!(schedule(&Link::new(WEIGHT), &fast, 0), (1_000, 2_000 + ROUND_TRIP));
	}
}
