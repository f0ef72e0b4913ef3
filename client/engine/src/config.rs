// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an operator or a test may set.

use crate::status::Profile;
use planaria_primitives::Tick;
use std::{num::NonZeroU64, time::Duration};

/// How the engine works. The defaults are a production miner's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineConfig {
	/// How many fragments are restored at once, as far as the throttle does not say otherwise.
	pub copies: usize,
	/// How many bytes of memory the segments that are being rebuilt may take together; one always
	/// may, whatever it takes.
	pub rebuild_memory: u64,
	/// How many bytes of fragments that were made for others are kept in memory for them.
	pub siblings_memory: u64,
	/// How long these are kept.
	pub siblings_age: Duration,
	/// How often a restorer of the same segment is asked whether it has made a fragment by now.
	pub poll_every: Duration,
	/// How many percent of the time until a claim's deadline are spent waiting for others at most.
	pub wait_share: u32,
	/// How long a source may move nothing before a spare one is asked as well. A source that has
	/// been far slower than others for half of this time is joined, too.
	pub hedge_after: Duration,
	/// A copy that after [`hedge_after`](Self::hedge_after) runs at fewer bytes per second than
	/// this is broken off, and its rest had from others.
	pub least_rate: u64,
	/// Over how long the rate of restorations is measured.
	pub rate_window: Duration,
	/// Restorations are stalled when nothing has moved for so long.
	pub stall_after: Duration,
	/// How often the status is published at most.
	pub publish_every: Duration,
	/// The wait before a failed restoration is tried again; it doubles with each attempt.
	pub retry_after: Duration,
	/// After how many attempts a restoration is given up: an own fragment's order is opened, a
	/// claim is given back.
	pub attempts: u32,
	/// How often an own fragment whose order is open is tried again all the same, and for how long a
	/// segment is left alone at first in which a claim came to nothing.
	pub heal_again_after: Duration,
	/// How often restorable fragments of others are looked for.
	pub find_every: Duration,
	/// For how many ticks what an absent or expelled miner held is left alone while its segment has
	/// fragments to spare.
	pub lazy_max: Tick,
	/// How long after a scan of the chain's segments for what restore targets hold it is made
	/// again, while there are any. Changes are followed all the time.
	pub pass_every: Duration,
	/// How long after a scan it is made again at the earliest, when all that it found is done.
	pub pass_pause: Duration,
	/// How many bytes per second this miner restores, as long as nothing was measured.
	pub assumed_rate: u64,
	/// How many fragments may be claimed and not yet reported at once.
	pub max_claims: usize,
	/// How often the store is compared with the chain.
	pub compare_every: Duration,
	/// How long a steady pass of the self-check takes.
	pub check_every: Duration,
	/// The throttle's profile; `None`: the one that was set last.
	pub profile: Option<Profile>,
	/// The throttle's cap, or that there is none; `None`: as it was set last.
	pub cap: Option<Option<NonZeroU64>>,
	/// How long a fragment is kept after the chain ceased to assign it to this miner.
	pub discard_after: Duration,
}

impl Default for EngineConfig {
	fn default() -> Self {
		Self {
			copies: 4,
			rebuild_memory: 256 << 20,
			siblings_memory: 256 << 20,
			siblings_age: Duration::from_secs(10 * 60),
			poll_every: Duration::from_secs(2),
			wait_share: 25,
			hedge_after: Duration::from_secs(10),
			least_rate: 32 << 10,
			rate_window: Duration::from_secs(30),
			stall_after: Duration::from_secs(60),
			publish_every: Duration::from_millis(250),
			retry_after: Duration::from_secs(10),
			attempts: 3,
			heal_again_after: Duration::from_secs(15 * 60),
			find_every: Duration::from_secs(18),
			lazy_max: 14_400,
			pass_every: Duration::from_secs(3600),
			pass_pause: Duration::from_secs(60),
			assumed_rate: 4 << 20,
			max_claims: 128,
			compare_every: Duration::from_secs(10 * 60),
			check_every: Duration::from_secs(14 * 24 * 3600),
			profile: None,
			cap: None,
			discard_after: Duration::from_secs(30 * 60),
		}
	}
}

impl EngineConfig {
	/// For a network whose periods are short enough to be watched.
	pub fn local() -> Self {
		Self {
			poll_every: Duration::from_secs(1),
			hedge_after: Duration::from_secs(3),
			retry_after: Duration::from_secs(2),
			heal_again_after: Duration::from_secs(60),
			find_every: Duration::from_secs(4),
			lazy_max: 60,
			pass_every: Duration::from_secs(60),
			pass_pause: Duration::from_secs(10),
			compare_every: Duration::from_secs(30),
			check_every: Duration::from_secs(10 * 60),
			discard_after: Duration::from_secs(20),
			..Self::default()
		}
	}
}
