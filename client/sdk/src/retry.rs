// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What to do after a holder's answer: pure state machines, without a clock of their own.

use crate::transport::{PutOutcome, Refusal, TransferError};
use std::time::Duration;

/// Waits that double up to a longest one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
	next: Duration,
	longest: Duration,
}

impl Backoff {
	/// The first wait and the longest.
	pub const fn new(first: Duration, longest: Duration) -> Self {
		Self { next: first, longest }
	}
}

/// Endless.
impl Iterator for Backoff {
	type Item = Duration;
	fn next(&mut self) -> Option<Duration> {
		let wait = self.next.min(self.longest);
		self.next = wait.saturating_mul(2);
		Some(wait)
	}
}

/// How patient a put is with one holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
	/// How long a holder may not have seen the placement.
	pub not_yet: Duration,
	/// How often a holder may be busy.
	pub busy: u32,
	/// How often a holder may fail with one fragment.
	pub failures: u32,
	/// How often in a row it may not be reached, with whatever fragments.
	pub unreachable: u32,
	/// How many holders a fragment may go through.
	pub replacements: u32,
}

impl Default for Patience {
	fn default() -> Self {
		Self {
			not_yet: Duration::from_secs(180),
			busy: 12,
			failures: 3,
			unreachable: 2,
			replacements: 8,
		}
	}
}

/// What to do next with a fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
	/// It is on the holder's disk.
	Done,
	/// Offer it to the same holder after this time.
	Again(Duration),
	/// Give it to another miner.
	Replace {
		/// Why.
		reason: String,
		/// Whether the holder should get nothing more in this put.
		shun: bool,
		/// Whether that is the holder's fault: one that has not seen the placement is only slow to
		/// follow the chain.
		blamed: bool,
	},
	/// Trying on is of no use.
	GiveUp(String),
}

impl Step {
	/// The holder is to blame.
	fn replace(reason: impl ToString, shun: bool) -> Self {
		Self::Replace { reason: reason.to_string(), shun, blamed: true }
	}
}

/// One holder's part in the putting of one fragment.
#[derive(Clone, Debug)]
pub struct Attempts {
	patience: Patience,
	/// The block with the placement.
	placed_at: u32,
	/// How long the holder has been behind that block.
	behind: Duration,
	busy: u32,
	failures: u32,
	backoff: Backoff,
}

impl Attempts {
	/// The first attempt with a holder that was assigned in block `placed_at`.
	pub fn new(patience: Patience, placed_at: u32) -> Self {
		let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
		Self { patience, placed_at, behind: Duration::ZERO, busy: 0, failures: 0, backoff }
	}

	/// Judges what became of an attempt.
	pub fn judge(&mut self, outcome: &Result<PutOutcome, TransferError>) -> Step {
		match outcome {
			Ok(PutOutcome::Stored { .. } | PutOutcome::Have) => Step::Done,
			// A node that has not seen the block of the placement is not to blame.
			Ok(PutOutcome::NotYet { best }) if *best < self.placed_at => self.lagging(*best),
			Ok(PutOutcome::NotAssigned { at }) if *at < self.placed_at => self.lagging(*at),
			// On another fork, or its state is read a moment too early.
			Ok(PutOutcome::NotYet { .. } | PutOutcome::NotAssigned { .. }) => {
				self.failed("does not know the placement")
			},
			Ok(PutOutcome::Busy) | Err(TransferError::Busy) => self.busy(),
			Ok(PutOutcome::Full) => Step::replace("is full", true),
			Ok(PutOutcome::Refused(Refusal::Unwanted)) => {
				Step::GiveUp("the file is no longer wanted: it failed or was deleted".into())
			},
			Ok(PutOutcome::Refused(Refusal::WrongLength | Refusal::WrongSidecar)) => {
				Step::GiveUp("a holder says that the fragment is not of this file".into())
			},
			Ok(PutOutcome::Refused(Refusal::Failed)) => self.failed("cannot write to its disk"),
			Err(TransferError::Closed) => Step::GiveUp("this program's endpoint is closed".into()),
			Err(
				error @ (TransferError::Address(_)
				| TransferError::WrongGenesis { .. }
				| TransferError::WrongVersion { .. }
				| TransferError::Protocol(_)),
			) => Step::replace(error, true),
			Err(error) => self.failed(&error.to_string()),
		}
	}

	fn wait(&mut self) -> Duration {
		self.backoff.next().unwrap_or_default()
	}

	fn lagging(&mut self, at: u32) -> Step {
		if self.behind >= self.patience.not_yet {
			let reason = format!("is behind the chain, at block {at}");
			return Step::Replace { reason, shun: true, blamed: false };
		}
		let wait = self.wait();
		self.behind += wait;
		Step::Again(wait)
	}

	fn busy(&mut self) -> Step {
		self.busy += 1;
		if self.busy > self.patience.busy {
			return Step::replace("is busy", false);
		}
		Step::Again(self.wait())
	}

	fn failed(&mut self, reason: &str) -> Step {
		self.failures += 1;
		if self.failures >= self.patience.failures {
			return Step::replace(reason, true);
		}
		Step::Again(self.wait())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::SidecarError;
	use proptest::prelude::*;

	fn attempts() -> Attempts {
		Attempts::new(Patience::default(), 100)
	}

	fn is_replaced(step: &Step, shunned: bool) -> bool {
		matches!(step, Step::Replace { shun, blamed: true, .. } if *shun == shunned)
	}

	#[test]
	fn a_backoff_doubles_up_to_the_longest() {
		let second = Duration::from_secs(1);
		let waits: Vec<_> = Backoff::new(second, 5 * second).take(5).collect();
		assert_eq!(waits, [1, 2, 4, 5, 5].map(|n| n * second));
	}

	#[test]
	fn a_holder_that_has_it_is_done() {
		assert_eq!(attempts().judge(&Ok(PutOutcome::Have)), Step::Done);
		assert_eq!(attempts().judge(&Ok(PutOutcome::Stored { sent: 64 })), Step::Done);
	}

	#[test]
	fn a_holder_behind_the_placement_is_waited_for_and_at_last_replaced() {
		for outcome in [PutOutcome::NotYet { best: 99 }, PutOutcome::NotAssigned { at: 99 }] {
			let mut attempts = attempts();
			let mut waited = Duration::ZERO;
			let end = loop {
				match attempts.judge(&Ok(outcome)) {
					Step::Again(wait) => waited += wait,
					end => break end,
				}
			};
			assert!(matches!(end, Step::Replace { shun: true, blamed: false, .. }));
			assert!(waited >= Patience::default().not_yet);
		}
	}

	#[test]
	fn a_holder_that_has_seen_the_placement_block_is_counted_against() {
		for outcome in [PutOutcome::NotYet { best: 100 }, PutOutcome::NotAssigned { at: 101 }] {
			let mut attempts = attempts();
			assert!(matches!(attempts.judge(&Ok(outcome)), Step::Again(_)));
			assert!(matches!(attempts.judge(&Ok(outcome)), Step::Again(_)));
			assert!(is_replaced(&attempts.judge(&Ok(outcome)), true));
		}
	}

	#[test]
	fn a_busy_holder_is_replaced_but_not_shunned() {
		let mut attempts = attempts();
		for _ in 0..Patience::default().busy {
			assert!(matches!(attempts.judge(&Ok(PutOutcome::Busy)), Step::Again(_)));
		}
		assert!(is_replaced(&attempts.judge(&Err(TransferError::Busy)), false));
	}

	#[test]
	fn a_full_or_foreign_holder_is_replaced_at_once() {
		assert!(is_replaced(&attempts().judge(&Ok(PutOutcome::Full)), true));
		let foreign = TransferError::WrongGenesis { theirs: None };
		assert!(is_replaced(&attempts().judge(&Err(foreign)), true));
	}

	#[test]
	fn a_dead_holder_is_replaced_after_three_attempts() {
		let mut attempts = attempts();
		let dead = || Err(TransferError::Connect("timed out".into()));
		assert!(matches!(attempts.judge(&dead()), Step::Again(_)));
		assert!(matches!(attempts.judge(&dead()), Step::Again(_)));
		assert!(is_replaced(&attempts.judge(&dead()), true));
	}

	#[test]
	fn a_wrong_offer_is_given_up() {
		for refusal in [Refusal::Unwanted, Refusal::WrongLength, Refusal::WrongSidecar] {
			let step = attempts().judge(&Ok(PutOutcome::Refused(refusal)));
			assert!(matches!(step, Step::GiveUp(_)));
		}
	}

	fn any_outcome() -> impl Strategy<Value = u8> {
		0u8..7
	}

	proptest! {
		/// Whatever a holder answers, it comes to an end.
		#[test]
		fn no_holder_is_asked_for_ever(kinds in prop::collection::vec(any_outcome(), 200)) {
			let mut attempts = attempts();
			let ended = kinds.into_iter().any(|kind| {
				let outcome = match kind {
					0 => Ok(PutOutcome::NotYet { best: 1 }),
					1 => Ok(PutOutcome::NotAssigned { at: 1000 }),
					2 => Ok(PutOutcome::Busy),
					3 => Err(TransferError::Stalled),
					4 => Err(TransferError::PeerFailed),
					5 => Err(TransferError::WrongSidecar(SidecarError::WrongFile)),
					_ => Err(TransferError::Interrupted("line".into())),
				};
				!matches!(attempts.judge(&outcome), Step::Again(_))
			});
			prop_assert!(ended);
		}
	}
}
