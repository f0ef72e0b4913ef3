// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What this miner has to have and does not have yet: no I/O and no clock, so that the node and the
//! simulation run the same rules.
//!
//! Times are durations since the engine started.

use crate::status::RestorePhase;
use planaria_primitives::{FragmentName, Tick};
use std::{collections::BTreeMap, time::Duration};

/// How many ticks it takes at least to declare ready what is durable, to have its batch's seed and
/// to report it: with no more left, nothing can be had in time any more.
const TO_REPORT: Tick = 5;

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
	/// How many bytes are read at most to restore it; `None` until the chain was asked.
	pub cost: Option<u64>,
}

impl Need {
	const fn new(why: Why, at: Duration) -> Self {
		let phase = RestorePhase::Waiting;
		Self { why, phase, attempts: 0, at, error: None, len: None, cost: None }
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
	/// One that was claimed and durable, and is an own one now, has been lost again. What is an own
	/// one already stays one; only if it was given up and is claimed now, it is tried for the claim.
	pub fn need(&mut self, name: FragmentName, why: Why, now: Duration) {
		let need = self.needs.entry(name).or_insert_with(|| Need::new(why, now));
		let again = match why {
			Why::Own => need.phase == RestorePhase::Durable,
			Why::Claimed { .. } => need.why == Why::Own && need.phase == RestorePhase::GivenUp,
		};
		if again {
			*need = Need::new(why, now);
		} else if need.why.is_claim() {
			need.why = why;
		}
	}

	/// The fragment was here and is not whole any more. A claim stays one, so that it is given back
	/// if nothing comes of it; what is not needed for one is an own one.
	pub fn lost(&mut self, name: FragmentName, now: Duration) {
		let need = self.needs.entry(name).or_insert_with(|| Need::new(Why::Own, now));
		if need.phase == RestorePhase::Durable {
			*need = Need::new(need.why, now);
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

	/// At most `limit` own ones that were given up. If there are more, those behind `after` are
	/// next.
	pub fn given_up(&self, after: Option<&FragmentName>, limit: usize) -> Vec<FragmentName> {
		let own = |need: &Need| need.why == Why::Own && need.phase == RestorePhase::GivenUp;
		let names = self.needs.iter().filter(|(_, need)| own(need)).map(|(name, _)| *name);
		let mut names: Vec<FragmentName> = names.collect();
		if names.len() > limit {
			let next = names.partition_point(|name| Some(name) <= after);
			names.rotate_left(next);
			names.truncate(limit);
		}
		names
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

	/// The fragment has this length, and `data` others of its segment restore it.
	pub fn set_len(&mut self, name: &FragmentName, len: u32, data: u8) {
		if let Some(need) = self.needs.get_mut(name) {
			need.len = Some(len);
			need.cost = Some(u64::from(len) * u64::from(data));
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

	/// Gives up the claims that are not durable when too little is left of their `period`: others
	/// may still be in time. Returns how many.
	///
	/// One that is running may come to its end all the same, and is durable then.
	pub fn give_up_late(&mut self, tick: Tick, period: Tick) -> usize {
		let late = (period / 8).max(TO_REPORT).min(period / 4);
		let mut given_up = 0;
		for need in self.needs.values_mut() {
			let Why::Claimed { deadline } = need.why else { continue };
			if need.is_left() && deadline.saturating_sub(tick) <= late {
				need.phase = RestorePhase::GivenUp;
				need.error = Some("no time is left".into());
				given_up += 1;
			}
		}
		given_up
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
		needs.set_len(&name(0), 64, 32);
		assert_eq!(needs.of_unknown_len(9), [name(1)]);
		assert_eq!(needs.get(&name(0)).and_then(|need| need.cost), Some(64 * 32));
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
		// Still a claim: it would be given back.
		needs.lost(name(0), secs(5));
		assert_eq!(needs.due(secs(5), 1), [name(0)]);
		assert_eq!(needs.claims(), 1);
		needs.lost(name(0), secs(6));
		assert_eq!(needs.claims(), 1);
		needs.begin(&name(0));
		needs.succeeded(&name(0));
		assert_eq!(needs.in_phase(RestorePhase::Durable), 1);
		// The chain has taken it in: it is an own one now.
		needs.need(name(0), Why::Own, secs(7));
		assert_eq!((needs.due(secs(7), 1), needs.claims()), (vec![name(0)], 0));
		needs.begin(&name(0));
		needs.succeeded(&name(0));
		assert_eq!(needs.get(&name(0)), None);
		needs.lost(name(0), secs(8));
		assert_eq!(needs.get(&name(0)).map(|need| need.why), Some(Why::Own));
	}

	#[test]
	fn an_own_fragment_that_was_given_up_is_tried_for_a_claim() {
		let claimed = Why::Claimed { deadline: 9 };
		let mut needs = Needs::new(RETRY);
		needs.need(name(0), Why::Own, secs(0));
		needs.begin(&name(0));
		needs.need(name(0), claimed, secs(0));
		assert_eq!(needs.claims(), 0);
		assert!(needs.failed(&name(0), "why".into(), true, secs(0)));
		needs.need(name(0), claimed, secs(1));
		assert_eq!((needs.due(secs(1), 1), needs.claims()), (vec![name(0)], 1));
		// What is asked for again and again is not tried anew each time.
		needs.begin(&name(0));
		assert!(needs.failed(&name(0), "why".into(), true, secs(1)));
		needs.need(name(0), claimed, secs(2));
		assert_eq!(needs.in_phase(RestorePhase::GivenUp), 1);
	}

	#[test]
	fn a_claim_is_given_up_when_it_cannot_be_reported_in_time() {
		// The period, and how many ticks before the deadline it is too late.
		for (period, late) in [(600, 75), (100, 12), (30, 5), (15, 3), (12, 3), (7, 1), (0, 0)] {
			let mut needs = Needs::new(RETRY);
			for index in 0..5 {
				needs.need(name(index), Why::Claimed { deadline: 1000 }, secs(0));
			}
			needs.need(name(1), Why::Claimed { deadline: 1001 }, secs(0));
			needs.begin(&name(2));
			needs.begin(&name(3));
			needs.succeeded(&name(3));
			needs.begin(&name(4));
			needs.declined(&name(4), "why".into(), secs(0));
			needs.need(name(5), Why::Own, secs(0));
			assert_eq!(needs.give_up_late(1000 - late - 1, period), 0, "{period}");
			assert_eq!(needs.give_up_late(1000 - late, period), 2, "{period}");
			assert_eq!(needs.give_up_late(1000 - late, period), 0, "{period}");
			let left: Vec<_> = needs.iter().map(|(_, need)| need.is_left()).collect();
			assert_eq!(left, [false, true, false, false, false, true]);
			// What was running when it was given up comes to its end.
			needs.succeeded(&name(2));
			assert_eq!(needs.in_phase(RestorePhase::Durable), 2);
			assert_eq!(needs.in_phase(RestorePhase::GivenUp), 1);
			// One that has expired is too late as well.
			assert_eq!(needs.give_up_late(2000, period), 1, "{period}");
		}
	}

	#[test]
	fn own_fragments_that_were_given_up_take_turns() {
		let mut needs = Needs::new(RETRY);
		for index in 0..6 {
			let why = if index == 2 { Why::Claimed { deadline: 9 } } else { Why::Own };
			needs.need(name(index), why, secs(0));
			if index != 4 {
				needs.begin(&name(index));
				needs.failed(&name(index), "why".into(), true, secs(0));
			}
		}
		// 0, 1, 3 and 5.
		let mut turns = Vec::new();
		let mut last = None;
		for _ in 0..3 {
			let turn = needs.given_up(last.as_ref(), 3);
			last = turn.last().copied();
			turns.push(turn.into_iter().map(|name| name.index).collect::<Vec<_>>());
		}
		assert_eq!(turns, [[0, 1, 3], [5, 0, 1], [3, 5, 0]]);
		// Where all of them fit, their order does not change.
		assert_eq!(needs.given_up(last.as_ref(), 4).first(), Some(&name(0)));
		assert!(needs.given_up(last.as_ref(), 0).is_empty());
	}
}
