// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the worker remembers: when it last submitted what, so as not to do so at every block.

use crate::RESUBMIT;
use alloc::vec::Vec;
use codec::{Decode, Encode};
use planaria_primitives::FragmentId;

/// A report: the block of its batch, the first of what was asked for, and when.
type Reported = (u32, Option<(FragmentId, u32)>, u32);

/// What the worker remembers from run to run. Losing it costs a refused transaction at most.
///
/// Heights of a fork that lost, or of a chain that began anew, are ahead of the chain: they count
/// as if nothing had been submitted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Memory {
	/// Fragments whose confirmation was submitted, and when.
	confirmed: Vec<(FragmentId, u32)>,
	/// Challenges, by fragment and chunk, whose answer was submitted, and when.
	answered: Vec<(FragmentId, u32, u32)>,
	/// The last reports.
	reports: Vec<Reported>,
	ready: Option<u32>,
	alive: Option<u32>,
	/// The nonce of the last signed transaction, and when.
	signed: Option<(u32, u32)>,
}

impl Memory {
	/// Forgets what is old enough to be submitted again.
	pub(crate) fn forget_before(&mut self, height: u32) {
		self.confirmed.retain(|(_, at)| is_recent(*at, height));
		self.answered.retain(|(.., at)| is_recent(*at, height));
		self.reports.retain(|(.., at)| is_recent(*at, height));
		self.signed = self.signed.filter(|(_, at)| is_recent(*at, height));
		for at in [&mut self.ready, &mut self.alive] {
			*at = at.filter(|at| is_recent(*at, height));
		}
	}

	pub(crate) fn may_confirm(&mut self, fragment: FragmentId, height: u32) -> bool {
		let may = self.confirmed.iter().all(|(other, _)| *other != fragment);
		if may {
			self.confirmed.push((fragment, height));
		}
		may
	}

	pub(crate) fn may_answer(&mut self, fragment: FragmentId, chunk: u32, height: u32) -> bool {
		let may = self.answered.iter().all(|(f, c, _)| (*f, *c) != (fragment, chunk));
		if may {
			self.answered.push((fragment, chunk, height));
		}
		may
	}

	/// A report for another batch or seed may follow at once.
	pub(crate) fn may_report(
		&mut self,
		batch: u32,
		asked: &[(FragmentId, u32)],
		height: u32,
	) -> bool {
		let first = asked.first().copied();
		let may = self.reports.iter().all(|(b, f, _)| (*b, *f) != (batch, first));
		if may {
			self.reports.push((batch, first, height));
		}
		may
	}

	pub(crate) fn may_ready(&mut self, height: u32) -> bool {
		once(&mut self.ready, height)
	}

	/// What was declared ready in block `at` is included: the next batch may follow.
	pub(crate) fn ready_is_in(&mut self, at: u32) {
		self.ready = self.ready.filter(|submitted| *submitted >= at);
	}

	pub(crate) fn may_say_alive(&mut self, height: u32) -> bool {
		once(&mut self.alive, height)
	}

	/// Whether the last signed transaction was included, or is to be given up.
	pub(crate) fn may_sign(&self, nonce: u32) -> bool {
		self.signed.is_none_or(|(last, _)| nonce > last)
	}

	pub(crate) fn signed(&mut self, nonce: u32, height: u32) {
		self.signed = Some((nonce, height));
	}
}

fn once(last: &mut Option<u32>, height: u32) -> bool {
	let may = last.is_none();
	if may {
		*last = Some(height);
	}
	may
}

fn is_recent(at: u32, height: u32) -> bool {
	height.checked_sub(at).is_some_and(|age| age < RESUBMIT)
}
