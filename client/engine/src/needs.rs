// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What this miner has to have and does not have yet: no I/O and no clock, so that the node and the
//! simulation run the same rules.
//!
//! Times are durations since the engine started.

use crate::status::RestorePhase;
use planaria_primitives::{FragmentName, Tick};
use std::{collections::BTreeMap, time::Duration};

/// Why a fragment has to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
	/// It is this miner's own.
	Own,
	/// Its restore order was claimed.
	Claimed {
		/// The last tick it can be reported at.
		deadline: Tick,
	},
}

impl Why {
	/// Whether it is for a claim.
	pub const fn is_claim(self) -> bool {
		matches!(self, Self::Claimed { .. })
	}
}

/// A fragment that has to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
	/// Why.
	pub why: Why,
	/// How far it is.
	pub phase: RestorePhase,
	/// How often it was tried and failed, or is being tried.
	pub attempts: u32,
	/// When it is tried next, or again.
	pub at: Duration,
	/// Why the last attempt failed.
	pub error: Option<String>,
	/// The fragment's length; `None` until the chain was asked.
	pub len: Option<u32>,
}

impl Need {
	const fn new(why: Why, at: Duration) -> Self {
		Self { why, phase: RestorePhase::Waiting, attempts: 0, at, error: None, len: None }
	}

	fn is_due(&self, now: Duration) -> bool {
		match self.phase {
			RestorePhase::Waiting => self.at <= now,
			RestorePhase::GivenUp => self.why == Why::Own && self.at <= now,
			RestorePhase::Running | RestorePhase::Durable | RestorePhase::Declined => false,
		}
	}

	/// Whether it is still to be had here.
	pub fn is_left(&self) -> bool {
		match self.phase {
			RestorePhase::Waiting | RestorePhase::Running => true,
			RestorePhase::GivenUp => self.why == Why::Own,
			RestorePhase::Durable | RestorePhase::Declined => false,
		}
	}
}

/// When a failed restoration is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
	/// The wait after the first attempt; it doubles with each.
	pub after: Duration,
	/// After how many attempts it is given up.
	pub attempts: u32,
	/// How long after that an own fragment is tried again all the same.
	pub again_after: Duration,
}

/// All fragments that have to be had and are not on chain as had, by name.
#[derive(Clone, Debug)]
pub struct Needs {
	needs: BTreeMap<FragmentName, Need>,
	retry: Retry,
}

impl Needs {
	/// Nothing is needed yet.
	pub const fn new(retry: Retry) -> Self {
		Self { needs: BTreeMap::new(), retry }
	}

	/// The fragment has to be had.
	///
	/// An own one that was durable and is needed again has been lost again. What is an own one
	/// already stays one.
	pub fn need(&mut self, name: FragmentName, why: Why, now: Duration) {
		let need = self.needs.entry(name).or_insert_with(|| Need::new(why, now));
		if need.phase == RestorePhase::Durable && why == Why::Own {
			*need = Need::new(why, now);
		} else if need.why.is_claim() {
			need.why = why;
		}
	}

	/// The fragment is not needed any more.
	pub fn remove(&mut self, name: &FragmentName) {
		self.needs.remove(name);
	}

	/// What is needed, by name.
	pub fn iter(&self) -> impl Iterator<Item = (&FragmentName, &Need)> {
		self.needs.iter()
	}

	/// Whether and why the fragment is needed.
	pub fn get(&self, name: &FragmentName) -> Option<&Need> {
		self.needs.get(name)
	}

	/// How many are needed for claims.
	pub fn claims(&self) -> usize {
		self.needs.values().filter(|need| need.why.is_claim()).count()
	}

	/// How many are in this phase.
	pub fn in_phase(&self, phase: RestorePhase) -> usize {
		self.needs.values().filter(|need| need.phase == phase).count()
	}

	/// What is to be started, while no more than `at_once` run: own fragments first, then the
	/// claims that expire first.
	pub fn due(&self, now: Duration, at_once: usize) -> Vec<FragmentName> {
		let mut due: Vec<(Option<Tick>, FragmentName)> = self
			.needs
			.iter()
			.filter(|(_, need)| need.is_due(now))
			.map(|(name, need)| match need.why {
				Why::Own => (None, *name),
				Why::Claimed { deadline } => (Some(deadline), *name),
			})
			.collect();
		due.sort();
		due.truncate(at_once.saturating_sub(self.in_phase(RestorePhase::Running)));
		due.into_iter().map(|(_, name)| name).collect()
	}

	/// At most `limit` whose length is not known.
	pub fn of_unknown_len(&self, limit: usize) -> Vec<FragmentName> {
		let unknown = self.needs.iter().filter(|(_, need)| need.len.is_none());
		unknown.map(|(name, _)| *name).take(limit).collect()
	}

	/// The fragment has this length.
	pub fn set_len(&mut self, name: &FragmentName, len: u32) {
		if let Some(need) = self.needs.get_mut(name) {
			need.len = Some(len);
		}
	}

	/// An attempt begins.
	pub fn begin(&mut self, name: &FragmentName) {
		if let Some(need) = self.needs.get_mut(name) {
			need.phase = RestorePhase::Running;
			need.attempts = need.attempts.saturating_add(1);
		}
	}

	/// The attempt has to wait for something: it does not count, and is made again at `at`.
	pub fn postpone(&mut self, name: &FragmentName, at: Duration) {
		if let Some(need) = self.needs.get_mut(name) {
			need.phase = RestorePhase::Waiting;
			need.attempts = need.attempts.saturating_sub(1);
			need.at = at;
		}
	}

	/// The fragment is durable here. An own one is not needed any more; one that was claimed is
	/// remembered until the chain has taken it in.
	pub fn succeeded(&mut self, name: &FragmentName) {
		let Some(need) = self.needs.get_mut(name) else { return };
		if need.why == Why::Own {
			self.needs.remove(name);
		} else {
			need.phase = RestorePhase::Durable;
			need.error = None;
		}
	}

	/// What was stored is no codeword, so nobody can restore the fragment from others. A claim of
	/// it is declined; an own one is given up.
	pub fn declined(&mut self, name: &FragmentName, error: String, now: Duration) {
		if self.needs.get(name).is_some_and(|need| need.why == Why::Own) {
			self.failed(name, error, true, now);
		} else if let Some(need) = self.needs.get_mut(name) {
			need.phase = RestorePhase::Declined;
			need.error = Some(error);
		}
	}

	/// The attempt failed; it is `pointless` to try again soon. Returns whether it is given up.
	pub fn failed(
		&mut self,
		name: &FragmentName,
		error: String,
		pointless: bool,
		now: Duration,
	) -> bool {
		let Some(need) = self.needs.get_mut(name) else { return false };
		need.error = Some(error);
		let give_up = pointless || need.attempts >= self.retry.attempts;
		if give_up {
			need.phase = RestorePhase::GivenUp;
			need.at = now + self.retry.again_after;
		} else {
			need.phase = RestorePhase::Waiting;
			let doublings = need.attempts.min(10).saturating_sub(1);
			need.at = now + self.retry.after * 2u32.pow(doublings);
		}
		give_up
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileId, FileIndex};

	const RETRY: Retry = Retry {
		after: Duration::from_secs(10),
		attempts: 3,
		again_after: Duration::from_secs(100),
	};

	fn name(index: u8) -> FragmentName {
		FragmentName { file_id: FileId([7; 32]), file: FileIndex(1), segment: 0, index }
	}

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	#[test]
	fn own_fragments_come_first_then_the_earliest_deadline() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		needs.need(name(1), Why::Claimed { deadline: 5 }, secs(0));
		needs.need(name(2), Why::Own, secs(0));
		assert_eq!(needs.due(secs(0), 9), [name(2), name(1), name(0)]);
		needs.begin(&name(2));
		assert_eq!(needs.due(secs(0), 2), [name(1)]);
		assert_eq!(needs.claims(), 2);
	}

	#[test]
	fn a_failed_attempt_is_made_again_ever_later_and_then_given_up() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		for (now, next) in [(0, 10), (10, 30)] {
			needs.begin(&name(0));
			assert!(!needs.failed(&name(0), "why".into(), false, secs(now)));
			assert!(needs.due(secs(next - 1), 1).is_empty());
			assert_eq!(needs.due(secs(next), 1), [name(0)]);
		}
		needs.begin(&name(0));
		assert!(needs.failed(&name(0), "why".into(), false, secs(30)));
		// A claim that was given up is given back.
		assert!(needs.due(secs(10_000), 1).is_empty());
		assert_eq!(needs.in_phase(RestorePhase::GivenUp), 1);
	}

	#[test]
	fn an_own_fragment_that_was_given_up_is_tried_again() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Own, secs(0));
		needs.begin(&name(0));
		assert!(needs.failed(&name(0), "full".into(), true, secs(0)));
		assert!(needs.due(secs(99), 1).is_empty());
		assert_eq!(needs.due(secs(100), 1), [name(0)]);
	}

	#[test]
	fn waiting_for_another_miner_is_no_attempt() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		for now in 0..20 {
			needs.begin(&name(0));
			needs.postpone(&name(0), secs(now + 1));
		}
		needs.begin(&name(0));
		assert!(!needs.failed(&name(0), "why".into(), false, secs(20)));
	}

	#[test]
	fn a_claim_is_declined_and_an_own_fragment_given_up_when_there_is_no_codeword() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		needs.need(name(1), Why::Own, secs(0));
		assert_eq!(needs.of_unknown_len(1), [name(0)]);
		needs.set_len(&name(0), 64);
		assert_eq!(needs.of_unknown_len(9), [name(1)]);
		for name in [name(0), name(1)] {
			needs.begin(&name);
			needs.declined(&name, "why".into(), secs(0));
		}
		assert_eq!(needs.in_phase(RestorePhase::Declined), 1);
		assert_eq!(needs.due(secs(100), 9), [name(1)]);
		let left: Vec<_> = needs.iter().map(|(_, need)| need.is_left()).collect();
		assert_eq!(left, [false, true]);
	}

	#[test]
	fn what_was_had_and_is_lost_again_is_needed_again() {
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		needs.begin(&name(0));
		needs.succeeded(&name(0));
		needs.need(name(0), Why::Claimed { deadline: 9 }, secs(0));
		assert_eq!(needs.in_phase(RestorePhase::Durable), 1);
		needs.need(name(0), Why::Own, secs(5));
		assert_eq!(needs.due(secs(5), 1), [name(0)]);
		needs.begin(&name(0));
		needs.succeeded(&name(0));
		assert_eq!(needs.get(&name(0)), None);
	}
}
