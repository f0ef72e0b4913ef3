// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an operator or a test may set.

use planaria_primitives::Tick;
use std::time::Duration;

/// How the engine works. The defaults are a production miner's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineConfig {
	/// How many fragments are restored at once. Rebuilding, which needs a whole segment in memory,
	/// is done one at a time whatever this is.
	pub copies: usize,
	/// How long another source is waited for before a spare one is asked as well.
	pub hedge_after: Duration,
	/// The wait before a failed restoration is tried again; it doubles with each attempt.
	pub retry_after: Duration,
	/// After how many attempts a restoration is given up: an own fragment's order is opened, a
	/// claim is given back.
	pub attempts: u32,
	/// How often an own fragment whose order is open is tried again all the same.
	pub heal_again_after: Duration,
	/// How often restorable fragments of others are looked for.
	pub find_every: Duration,
	/// For how many ticks what an absent or expelled miner held is left alone while its segment has
	/// fragments to spare.
	pub lazy_max: Tick,
	/// How many fragments may be claimed and not yet reported at once.
	pub max_claims: usize,
	/// How often the store is compared with the chain.
	pub compare_every: Duration,
	/// How often every stored fragment is hashed again.
	pub check_every: Duration,
	/// How long a fragment is kept after the chain ceased to assign it to this miner.
	pub discard_after: Duration,
}

impl Default for EngineConfig {
	fn default() -> Self {
		Self {
			copies: 4,
			hedge_after: Duration::from_secs(10),
			retry_after: Duration::from_secs(10),
			attempts: 3,
			heal_again_after: Duration::from_secs(15 * 60),
			find_every: Duration::from_secs(18),
			lazy_max: 14_400,
			max_claims: 64,
			compare_every: Duration::from_secs(10 * 60),
			check_every: Duration::from_secs(14 * 24 * 3600),
			discard_after: Duration::from_secs(30 * 60),
		}
	}
}

impl EngineConfig {
	/// For a network whose periods are short enough to be watched.
	pub fn local() -> Self {
		Self {
			hedge_after: Duration::from_secs(3),
			retry_after: Duration::from_secs(2),
			heal_again_after: Duration::from_secs(60),
			find_every: Duration::from_secs(4),
			lazy_max: 60,
			compare_every: Duration::from_secs(30),
			check_every: Duration::from_secs(10 * 60),
			discard_after: Duration::from_secs(20),
			..Self::default()
		}
	}
}
