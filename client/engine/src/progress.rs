// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast restorations go, measured: no clock.
//!
//! Times are durations since the engine started.

use crate::status::Progress;
use std::{collections::VecDeque, time::Duration};

/// No more samples than this many are kept: at most one per so many parts of the window.
const SAMPLES: u32 = 60;

/// What is to be restored and what has been, of one miner or of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
	/// Fragments that are not durable yet.
	pub fragments_left: u64,
	/// Their bytes that are not here yet.
	pub bytes_left: u64,
	/// Bytes that are here, of these fragments and of all that were restored before.
	pub bytes_had: u64,
}

/// Progress over a sliding window.
#[derive(Clone, Debug)]
pub struct Window {
	len: Duration,
	stall_after: Duration,
	/// When, and how many bytes were here.
	samples: VecDeque<(Duration, u64)>,
	/// The most bytes that were ever here, and since when.
	most: (Duration, u64),
}

impl Window {
	/// Measures over `len`; says that it stalled when nothing moved for `stall_after`.
	pub const fn new(len: Duration, stall_after: Duration) -> Self {
		Self { len, stall_after, samples: VecDeque::new(), most: (Duration::ZERO, 0) }
	}

	/// Takes in how it stands now, and says how it goes.
	pub fn progress(&mut self, tally: Tally, now: Duration) -> Progress {
		let Tally { fragments_left, bytes_left, bytes_had } = tally;
		if fragments_left == 0 {
			// While there is nothing to do, nothing is measured.
			self.samples.clear();
			return Progress::default();
		}
		if self.samples.is_empty() || bytes_had > self.most.1 {
			self.most = (now, bytes_had);
		}
		while self.samples.front().is_some_and(|(at, _)| *at + self.len < now) {
			self.samples.pop_front();
		}
		let last = self.samples.back().map(|(at, _)| *at);
		if last.is_none_or(|last| now >= last + self.len / SAMPLES) {
			self.samples.push_back((now, bytes_had));
		}
		let first = self.samples.front().copied().unwrap_or((now, bytes_had));
		let millis = u64::try_from(now.saturating_sub(first.0).as_millis()).unwrap_or(u64::MAX);
		// An attempt that failed takes back what it had.
		let rate = bytes_had.saturating_sub(first.1).saturating_mul(1000) / millis.max(1);
		let stalled = now.saturating_sub(self.most.0) >= self.stall_after;
		let eta_secs = (rate > 0 && !stalled).then(|| bytes_left.div_ceil(rate));
		Progress { fragments_left, bytes_left, rate, eta_secs, stalled }
	}
}

/// How many bytes per second this miner reads from others while it restores, as it was lately. It
/// does not fall while there is nothing to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadRate {
	/// What was read, and in how many seconds; the older the less it counts.
	bytes: f64,
	seconds: f64,
	last: Option<(Duration, u64)>,
}

impl ReadRate {
	/// How fast it forgets.
	const MEMORY: Duration = Duration::from_secs(60);

	/// Takes in how many bytes were read since the start, and whether anything is being read.
	#[allow(clippy::cast_precision_loss)] // byte counts are far below 2^53
	pub fn sample(&mut self, read: u64, busy: bool, now: Duration) {
		let last = self.last.take();
		if busy {
			self.last = Some((now, read));
		}
		let Some((at, before)) = last else { return };
		let seconds = now.saturating_sub(at).as_secs_f64();
		let fade = (-seconds / Self::MEMORY.as_secs_f64()).exp();
		self.bytes = self.bytes * fade + read.saturating_sub(before) as f64;
		self.seconds = self.seconds * fade + seconds;
	}

	/// Bytes per second; 0 while nothing was measured.
	#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate is positive
	pub fn rate(&self) -> u64 {
		if self.seconds > 0.0 { (self.bytes / self.seconds).round() as u64 } else { 0 }
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	fn tally(left: u64, had: u64) -> Tally {
		Tally { fragments_left: u64::from(left > 0), bytes_left: left, bytes_had: had }
	}

	#[test]
	fn the_rate_is_that_of_the_window_and_the_time_left_follows_from_it() {
		let mut window = Window::new(secs(30), secs(60));
		let first = window.progress(tally(1000, 0), secs(100));
		assert_eq!((first.rate, first.eta_secs, first.stalled), (0, None, false));
		for second in 1..=60 {
			// Ten per second for half a minute, then twenty.
			let had = if second <= 30 { second * 10 } else { 300 + (second - 30) * 20 };
			let progress = window.progress(tally(1000, had), secs(100 + second));
			assert!((10..=20).contains(&progress.rate), "{progress:?}");
			assert_eq!(progress.eta_secs, Some(1000u64.div_ceil(progress.rate)));
		}
		let last = window.progress(tally(999, 901), secs(160));
		assert_eq!((last.rate, last.eta_secs), (20, Some(50)));
	}

	#[test]
	fn what_stands_still_is_stalled_until_it_moves_beyond_what_it_had() {
		let mut window = Window::new(secs(30), secs(60));
		window.progress(tally(1000, 0), secs(0));
		window.progress(tally(900, 100), secs(10));
		assert!(!window.progress(tally(900, 100), secs(69)).stalled);
		let stalled = window.progress(tally(900, 100), secs(70));
		assert_eq!((stalled.stalled, stalled.rate, stalled.eta_secs), (true, 0, None));
		// An attempt that failed, and one that begins anew, are no progress.
		assert!(window.progress(tally(1000, 0), secs(75)).stalled);
		assert!(window.progress(tally(950, 50), secs(80)).stalled);
		assert!(!window.progress(tally(899, 101), secs(85)).stalled);
	}

	#[test]
	fn nothing_is_measured_while_there_is_nothing_to_do() {
		let mut window = Window::new(secs(30), secs(60));
		window.progress(tally(10, 0), secs(0));
		assert_eq!(window.progress(tally(0, 10), secs(1)), Progress::default());
		// What comes hours later does not start stalled.
		let next = window.progress(tally(10, 10), secs(10_000));
		assert_eq!((next.stalled, next.rate), (false, 0));
		let next = window.progress(tally(5, 15), secs(10_001));
		assert_eq!((next.rate, next.eta_secs), (5, Some(1)));
	}

	#[test]
	fn few_samples_are_kept_however_often_it_is_asked() {
		let mut window = Window::new(secs(30), secs(60));
		for millis in 0..100_000 {
			window.progress(tally(1, millis), Duration::from_millis(millis));
		}
		assert!(window.samples.len() <= SAMPLES as usize + 2);
	}

	#[test]
	fn the_read_rate_does_not_fall_while_idle() {
		let mut rate = ReadRate::default();
		for second in 0..10 {
			rate.sample(second * 500, true, secs(second));
		}
		assert_eq!(rate.rate(), 500);
		rate.sample(4500, false, secs(10));
		let busy = rate.rate();
		rate.sample(4500, false, secs(5000));
		rate.sample(4500, true, secs(10_000));
		assert_eq!(rate.rate(), busy);
		for second in 1..300 {
			rate.sample(4500 + second * 1000, true, secs(10_000 + second));
		}
		assert!((950..=1000).contains(&rate.rate()), "{}", rate.rate());
	}
}
