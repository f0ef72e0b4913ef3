// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast restorations and self-checks may go: no I/O and no clock.
//!
//! | | quiet | balanced | fast |
//! |---|---|---|---|
//! | restorations at once | 1 | [`copies`](crate::EngineConfig::copies) | twice that |
//! | read from other miners to restore | 4 MiB/s | – | – |
//! | self-check, at most | 8 MiB/s | 64 MiB/s | – |
//! | self-check, share of the disk's time | 10 % | 33 % | all |
//! | pause in every page of the search for targets' data | 50 ms | 5 ms | – |
//!
//! A cap limits what is read from other miners to restore, whatever the profile. Nothing here
//! limits what is served or what users put: that is the transfer's own rate.
//!
//! **Deadlines come first**: while what was claimed needs more than a profile's rate, that much is
//! allowed. What is claimed anew is to be reckoned with [`Limits::to_claim_by`], so a quiet miner
//! claims little instead. A cap is the operator's word and is kept all the same.

use crate::{
	config::EngineConfig,
	status::{Profile, Throttle},
};
use codec::{Decode, DecodeAll, Encode};
use planaria_store::{FragmentStore, Note};
use std::{num::NonZeroU64, time::Duration};

const MIB: u64 = 1 << 20;

/// Restorations are to be over after this part of the time that is left: 1/2.
const HASTE: u32 = 2;

/// What a [`Throttle`] comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
	/// How many restorations run at once.
	pub restorations: usize,
	/// Bytes per second that are read from other miners to restore; `None`: no limit.
	pub download: Option<NonZeroU64>,
	/// The same as far as new claims may count on it: without what present deadlines add.
	pub to_claim_by: Option<NonZeroU64>,
	/// Bytes per second that the self-check reads at most.
	pub scrub: Option<NonZeroU64>,
	/// How many percent of the disk's time it takes at most.
	pub scrub_percent: u32,
	/// How long the search for what restore targets hold pauses in each page.
	pub scan_pause: Duration,
}

const fn rate(bytes: u64) -> Option<NonZeroU64> {
	NonZeroU64::new(bytes)
}

fn slower(a: Option<NonZeroU64>, b: Option<NonZeroU64>) -> Option<NonZeroU64> {
	match (a, b) {
		(Some(a), Some(b)) => Some(a.min(b)),
		(a, b) => a.or(b),
	}
}

impl Throttle {
	/// The lowest cap. A restoration that gets less than this seems to stall: its sources are read
	/// beside each other. So a low cap lets fewer restorations run at once, too.
	pub const MIN_CAP: u64 = 256 << 10;

	/// What may be used, where `copies` restorations at once are the usual number and what is
	/// claimed needs `needed` bytes per second to be ready in time.
	pub fn limits(&self, copies: usize, needed: u64) -> Limits {
		let copies = copies.max(1);
		let limits = match self.profile {
			Profile::Quiet => Limits {
				restorations: 1,
				download: rate(4 * MIB),
				to_claim_by: rate(4 * MIB),
				scrub: rate(8 * MIB),
				scrub_percent: 10,
				scan_pause: Duration::from_millis(50),
			},
			Profile::Balanced => Limits {
				restorations: copies,
				download: None,
				to_claim_by: None,
				scrub: rate(64 * MIB),
				scrub_percent: 33,
				scan_pause: Duration::from_millis(5),
			},
			Profile::Fast => Limits {
				restorations: copies.saturating_mul(2),
				download: None,
				to_claim_by: None,
				scrub: None,
				scrub_percent: 100,
				scan_pause: Duration::ZERO,
			},
		};
		let in_haste = limits.download.is_some_and(|usual| usual.get() < needed);
		let download = limits.download.map(|usual| usual.max(rate(needed).unwrap_or(usual)));
		let download = slower(download, self.cap);
		let restorations = if in_haste { copies } else { limits.restorations };
		let at_most = download.map_or(u64::MAX, |rate| rate.get() / Self::MIN_CAP);
		let at_most = usize::try_from(at_most).unwrap_or(usize::MAX).max(1);
		Limits {
			restorations: restorations.min(at_most),
			download,
			to_claim_by: slower(limits.to_claim_by, self.cap),
			..limits
		}
	}

	/// What is kept across a restart.
	pub(crate) fn save(&self) -> Vec<u8> {
		Saved { version: VERSION, profile: self.profile as u8, cap: self.cap.map(NonZeroU64::get) }
			.encode()
	}

	/// What was kept; `None` where that cannot be understood.
	pub(crate) fn load(mut bytes: &[u8]) -> Option<Self> {
		let Saved { version: VERSION, profile, cap } = Saved::decode_all(&mut bytes).ok()? else {
			return None;
		};
		let profile = [Profile::Quiet, Profile::Balanced, Profile::Fast]
			.into_iter()
			.find(|known| *known as u8 == profile)?;
		Some(Self { profile, cap: cap.and_then(NonZeroU64::new) })
	}
}

/// The throttle to start with: what was set last, as far as the configuration does not say
/// otherwise.
pub(crate) fn start(store: &dyn FragmentStore, config: &EngineConfig) -> Throttle {
	let note = store.note(Note::Throttle).unwrap_or_else(|error| {
		tracing::warn!(%error, "the throttle that was set last is not known");
		None
	});
	let last = note.and_then(|note| Throttle::load(&note)).unwrap_or_default();
	Throttle {
		profile: config.profile.unwrap_or(last.profile),
		cap: config.cap.unwrap_or(last.cap),
	}
}

const VERSION: u8 = 1;

#[derive(Encode, Decode)]
struct Saved {
	version: u8,
	profile: u8,
	cap: Option<u64>,
}

impl Limits {
	/// How long the disk rests after a read of `len` bytes for the self-check that took so long. A
	/// disk that others keep busy takes longer, and is left alone for longer.
	pub(crate) fn rest(&self, took: Duration, len: u32) -> Duration {
		let by_rate = self.time_for(u64::from(len)).saturating_sub(took);
		let percent = self.scrub_percent.clamp(1, 100);
		let by_share = took * (100 - percent) / percent;
		by_rate.max(by_share)
	}

	/// How long the self-check takes at least for so many bytes.
	pub(crate) fn scrub_time(&self, bytes: u64) -> Duration {
		self.time_for(bytes)
	}

	fn time_for(&self, bytes: u64) -> Duration {
		let Some(rate) = self.scrub else { return Duration::ZERO };
		let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
		Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
	}
}

/// The bytes per second that it takes to have everything in time, with as much time again to spare:
/// for each restoration the time that is left and the bytes that are to be read.
pub fn needed(restorations: impl IntoIterator<Item = (Duration, u64)>) -> u64 {
	let mut restorations: Vec<_> = restorations.into_iter().collect();
	restorations.sort_unstable();
	let mut bytes: u64 = 0;
	let mut needed = 0;
	for (left, more) in restorations {
		bytes = bytes.saturating_add(more);
		let millis = (left / HASTE).as_millis().max(1000);
		let rate = u128::from(bytes) * 1000 / millis;
		needed = needed.max(u64::try_from(rate).unwrap_or(u64::MAX));
	}
	needed
}

#[cfg(test)]
mod tests {
	use super::*;

	fn throttle(profile: Profile, cap: u64) -> Throttle {
		Throttle { profile, cap: NonZeroU64::new(cap) }
	}

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	#[test]
	fn deadlines_lift_the_rate_of_a_profile_but_not_a_cap() {
		let quiet = throttle(Profile::Quiet, 0);
		let usual = quiet.limits(4, 0);
		assert_eq!((usual.restorations, usual.download), (1, rate(4 * MIB)));
		assert_eq!(quiet.limits(4, 4 * MIB), usual);
		let in_haste = quiet.limits(4, 9 * MIB);
		assert_eq!((in_haste.restorations, in_haste.download), (4, rate(9 * MIB)));
		// What is claimed next is not to count on that.
		assert_eq!(in_haste.to_claim_by, usual.to_claim_by);
		let capped = throttle(Profile::Quiet, MIB).limits(4, 9 * MIB);
		assert_eq!((capped.download, capped.to_claim_by), (rate(MIB), rate(MIB)));
		let roomy = throttle(Profile::Quiet, 100 * MIB).limits(4, 0);
		assert_eq!(roomy.download, rate(4 * MIB));
		let slow = throttle(Profile::Fast, 3 * Throttle::MIN_CAP).limits(4, 0);
		assert_eq!(slow.restorations, 3);
		assert_eq!(throttle(Profile::Fast, 1).limits(4, 0).restorations, 1);
		for profile in [Profile::Balanced, Profile::Fast] {
			assert_eq!(throttle(profile, 0).limits(4, 9 * MIB).download, None);
			assert_eq!(throttle(profile, MIB).limits(4, 9 * MIB).download, rate(MIB));
		}
	}

	#[test]
	fn what_is_needed_is_what_the_tightest_deadline_needs_with_time_to_spare() {
		assert_eq!(needed([]), 0);
		assert_eq!(needed([(secs(100), 50 * MIB)]), MIB);
		// Both together by the later one need more than the earlier one alone.
		assert_eq!(needed([(secs(200), 250 * MIB), (secs(100), 50 * MIB)]), 3 * MIB);
		assert_eq!(needed([(secs(1000), MIB), (secs(100), 50 * MIB)]), MIB);
		// Too late is as fast as can be, not a division by zero.
		assert_eq!(needed([(secs(0), MIB)]), MIB);
	}

	#[test]
	fn the_disk_rests_by_rate_and_by_share() {
		let limits = throttle(Profile::Quiet, 0).limits(4, 0);
		// 8 MiB at 8 MiB/s.
		let len = u32::try_from(8 * MIB).expect("small");
		assert_eq!(limits.rest(Duration::ZERO, len), secs(1));
		assert_eq!(limits.rest(Duration::from_millis(20), len), Duration::from_millis(980));
		// A busy disk takes a second for it: the share of 10 % holds.
		assert_eq!(limits.rest(secs(1), len), secs(9));
		let fast = throttle(Profile::Fast, 0).limits(4, 0);
		assert_eq!(fast.rest(secs(1), len), Duration::ZERO);
	}

	#[test]
	fn what_is_saved_comes_back_and_nothing_else() {
		for profile in [Profile::Quiet, Profile::Balanced, Profile::Fast] {
			for cap in [0, 1, u64::MAX] {
				let throttle = throttle(profile, cap);
				let saved = throttle.save();
				assert_eq!(Throttle::load(&saved), Some(throttle));
				assert_eq!(Throttle::load(&saved[1..]), None);
				assert_eq!(Throttle::load(&[&saved[..], &[0]].concat()), None);
			}
		}
		assert_eq!(Throttle::load(&[]), None);
		assert_eq!(Throttle::load(&[VERSION, 3, 0]), None);
		assert_eq!(Throttle::load(&[VERSION + 1, 0, 0]), None);
	}
}
