// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A limit in bytes per second that many transfers share.

use std::{
	num::NonZeroU64,
	sync::{Mutex, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

/// A token bucket that holds a quarter of a second's bytes. Whoever takes more than there is goes
/// into debt and waits until it is paid, so large takes are served in turn, and on average the
/// rate holds.
#[derive(Debug)]
pub(crate) struct RateLimit(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
	rate: Option<NonZeroU64>,
	/// Negative: debt.
	tokens: f64,
	filled: Instant,
}

impl RateLimit {
	pub(crate) fn new(rate: Option<NonZeroU64>) -> Self {
		Self(Mutex::new(Bucket { rate, tokens: 0.0, filled: Instant::now() }))
	}

	/// Changes the rate for every take from now on.
	pub(crate) fn set(&self, rate: Option<NonZeroU64>) {
		let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		*bucket = Bucket { rate, tokens: 0.0, filled: Instant::now() };
	}

	/// How many bytes to take at once, at most `most`: what the rate allows in an eighth of a second,
	/// so that whoever waits for them does not think the sender stalled.
	pub(crate) fn portion(&self, most: usize) -> usize {
		let rate = self.0.lock().unwrap_or_else(PoisonError::into_inner).rate;
		rate.map_or(most, |rate| usize::try_from(rate.get() / 8).unwrap_or(most).min(most))
	}

	/// Waits until `bytes` may be moved; whether it had to wait.
	pub(crate) async fn take(&self, bytes: usize) -> bool {
		let wait = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
		if wait.is_zero() {
			return false;
		}
		tokio::time::sleep(wait).await;
		true
	}
}

impl Bucket {
	#[allow(clippy::cast_precision_loss)] // rates and byte counts are far below 2^53
	fn take(&mut self, bytes: usize) -> Duration {
		let Some(rate) = self.rate else { return Duration::ZERO };
		let rate = rate.get() as f64;
		let now = Instant::now();
		let new = now.duration_since(self.filled).as_secs_f64() * rate;
		self.tokens = (self.tokens + new).min(rate / 4.0) - bytes as f64;
		self.filled = now;
		Duration::try_from_secs_f64(-self.tokens / rate).unwrap_or_default()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test(start_paused = true)]
	async fn the_rate_holds_on_average() {
		let limit = RateLimit::new(NonZeroU64::new(1 << 20));
		let start = Instant::now();
		for _ in 0..40 {
			limit.take(256 << 10).await;
		}
		let seconds = start.elapsed().as_secs_f64();
		assert!((9.5..=10.5).contains(&seconds), "{seconds}");

		limit.set(None);
		let start = Instant::now();
		assert!(!limit.take(1 << 30).await);
		assert!(start.elapsed().is_zero());
	}
}
