// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The least a peer must move.

use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};

/// The peer moved too little for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stalled;

/// Cuts a peer that moves less than `least` bytes per `window`.
#[derive(Debug)]
pub(crate) struct Pace {
	window: Duration,
	least: usize,
	deadline: Instant,
	moved: usize,
}

impl Pace {
	pub(crate) fn new(window: Duration, least: u32) -> Self {
		Self { window, least: least as usize, deadline: Instant::now() + window, moved: 0 }
	}

	/// Waits for the peer, at most until the window's end.
	pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Stalled> {
		timeout_at(self.deadline, work).await.map_err(|_| Stalled)
	}

	/// From now on this is the least.
	pub(crate) fn expect(&mut self, least: u32) {
		self.least = least as usize;
	}

	/// The peer moved so many bytes.
	pub(crate) fn moved(&mut self, bytes: usize) {
		self.moved += bytes;
		if self.moved >= self.least {
			self.restart();
		}
	}

	/// Starts a new window: this side made the peer wait.
	pub(crate) fn restart(&mut self) {
		self.deadline = Instant::now() + self.window;
		self.moved = 0;
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::future::pending;
	use tokio::time::sleep;

	#[tokio::test(start_paused = true)]
	async fn silence_and_dripping_are_cut() {
		let ten = Duration::from_secs(10);
		assert_eq!(Pace::new(ten, 100).within(pending::<()>()).await, Err(Stalled));

		let mut pace = Pace::new(ten, 100);
		let start = Instant::now();
		while pace.within(sleep(ten / 10)).await.is_ok() {
			pace.moved(1);
		}
		assert_eq!(start.elapsed(), ten);

		let mut pace = Pace::new(ten, 100);
		for _ in 0..100 {
			assert_eq!(pace.within(sleep(ten / 10)).await, Ok(()));
			pace.moved(20);
		}
		// What was enough is too little.
		pace.expect(1000);
		let start = Instant::now();
		while pace.within(sleep(ten / 10)).await.is_ok() {
			pace.moved(20);
		}
		assert_eq!(start.elapsed(), ten);
	}
}
