// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! When which stored fragment is hashed again: no I/O and no clock, so that the node and the
//! simulation run the same rules.
//!
//! A **pass** goes through all fragments in the order of their hashes, which are spread evenly, so
//! the hash it has come to says how much of the store is behind it. A *steady* pass is a straight
//! line in time: half of the hashes are to be behind it when half of the period is over. A *fast*
//! pass takes the next fragment as soon as the limits let it; it begins anew what a steady one had
//! begun. When a pass ends, a steady one follows.
//!
//! What was stored behind the pass was hashed when it came in and has time until the next pass; what
//! was released is simply not met any more.
//!
//! # A disk that cannot read
//!
//! A failed read says nothing about the bytes. Such a fragment becomes a **suspect**: it is read
//! again after 1, 5 and 30 minutes, and when it failed every time, while another fragment could be
//! read, it is given up, that is, treated as damaged. A cable that came loose looks different: when
//! 4 fragments in a row, or 16 of 64, or all there are, cannot be read, the disk is taken to be
//! **failing**. Then nothing is given up and the pass stands still; a suspect is tried now and then,
//! and when 3 reads in a row succeed the pass goes on.
//!
//! Times are durations since the Unix epoch, because a pass outlives the process.

use crate::{
	status::{CheckPhase, CheckStatus, DiskAlarm, PassStatus},
	throttle::Limits,
};
use codec::{Decode, DecodeAll, Encode};
use planaria_primitives::FragmentHash;
use std::{
	collections::{BTreeMap, VecDeque},
	time::Duration,
};

/// After how long a suspect is read again, time after time.
const RETRY_AFTER: [Duration; 3] =
	[Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];

/// How many suspects are remembered. Long before, the disk is failing.
const MAX_SUSPECTS: usize = 1024;

/// How many of them are remembered across a restart.
const MAX_SAVED_SUSPECTS: usize = 64;

/// How many fragments may wait to be looked at out of turn.
const MAX_URGENT: usize = 1024;

/// How many reads are remembered to judge the disk by.
const RECENT: usize = 64;

/// So many of these may not fail.
const MANY_FAILURES: usize = 16;

/// Nor so many of them one after the other.
const FAILURES_IN_A_ROW: usize = 4;

/// So many successes in a row end the alarm.
const SUCCESSES_IN_A_ROW: u32 = 3;

/// How long a failing disk is left alone between two tries: at first, and at most.
const PROBE_AFTER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15 * 60));

/// How often the position is written down, and how often anything is.
const SAVE_EVERY: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(10));

/// How long the pass rests when the store itself failed.
const STUMBLED: Duration = Duration::from_secs(60);

/// How often a fast pass is begun by itself at most.
const DOUBT_EVERY: Duration = Duration::from_secs(6 * 3600);

/// A pass that was interrupted by a long downtime catches up at twice the pace.
const CATCH_UP: u32 = 2;

/// The version of what is saved.
const VERSION: u8 = 1;

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
	/// Nothing before this time.
	Wait(Duration),
	/// Say [which fragments follow](Scrub::list).
	List {
		/// Those behind this one.
		after: Option<FragmentHash>,
	},
	/// Hash this fragment again and say [what was found](Scrub::looked).
	Verify(FragmentHash),
	/// Take this fragment for damaged, although nobody could read it. This is said once.
	GiveUp(FragmentHash),
}

/// What became of a fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
	/// It is whole.
	Whole,
	/// Its bytes are wrong; it was taken out of service.
	Damaged,
	/// Its file is gone; it was taken out of service.
	Missing,
	/// The disk could not read it, for this reason.
	Unreadable(String),
	/// It was released meanwhile, or it was known to be broken.
	Gone,
}

/// Where the self-check stands.
#[derive(Debug)]
pub struct Scrub {
	period: Duration,
	pass: Pass,
	/// Since when the pass has been on its line, and which share of the store was behind it then.
	line: (Duration, u64),
	/// When the line ends.
	ends: Duration,
	/// The fragments that follow, with their lengths; `None` until they are listed.
	upcoming: Option<VecDeque<(FragmentHash, u32)>>,
	/// Bytes in the store.
	total: u64,
	last: Option<Pass>,
	last_finished: Option<u64>,
	passes: u64,
	/// Looked at out of turn.
	urgent: VecDeque<FragmentHash>,
	suspects: BTreeMap<FragmentHash, Suspect>,
	/// Whether the last reads failed, the latest first; those of suspects do not count.
	recent: VecDeque<bool>,
	/// Which fragment was read last, and when.
	read: Option<(FragmentHash, Duration)>,
	failing: Option<Failing>,
	/// What the last read cost: when it ended, how long it took, how many bytes it was.
	cost: Option<(Duration, Duration, u32)>,
	stumbled: Option<Duration>,
	saved_at: Duration,
	/// The position changed since then.
	moved: bool,
	/// Something happened that is to be saved soon.
	unsaved: bool,
}

/// A pass: what is behind it and what it found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Pass {
	/// Seconds since the epoch.
	began: u64,
	fast: bool,
	position: Option<[u8; 32]>,
	fragments: u64,
	bytes: u64,
	damaged: u64,
	missing: u64,
	unreadable: u64,
	given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
	tries: u32,
	since: Duration,
	at: Duration,
}

impl Suspect {
	/// Whether it was tried often enough.
	fn is_hopeless(&self) -> bool {
		usize::try_from(self.tries).map_or(true, |tries| tries > RETRY_AFTER.len())
	}
}

#[derive(Clone, Debug)]
struct Failing {
	since: Duration,
	error: String,
	probe_at: Duration,
	wait: Duration,
	successes: u32,
}

#[derive(Encode, Decode)]
struct Saved {
	version: u8,
	/// Whether the engine had stopped, rather than died.
	clean: bool,
	pass: Pass,
	last: Option<Pass>,
	last_finished: Option<u64>,
	passes: u64,
	/// Tries, and seconds since the epoch.
	suspects: Vec<([u8; 32], u32, u64)>,
}

/// The share of all hashes that is not behind this one, of 2^64.
fn position(hash: &[u8; 32]) -> u64 {
	u64::from_be_bytes(*hash.first_chunk().expect("32 bytes are more than 8; qed"))
}

/// When a suspect is read again that was tried so often.
fn retry_after(tries: u32) -> Duration {
	let tries = usize::try_from(tries).unwrap_or(usize::MAX);
	RETRY_AFTER.get(tries.saturating_sub(1)).copied().unwrap_or_default()
}

/// This share, of 2^64, of a time.
fn share_of(time: Duration, share: u64) -> Duration {
	let nanos = (time.as_nanos().min(u128::from(u64::MAX)) * u128::from(share)) >> 64;
	Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Scrub {
	/// A self-check whose steady passes take `period`, as it was [saved](Self::save), or anew where
	/// that cannot be understood.
	///
	/// After an unclean stop a fast pass is due; one that was under way goes on.
	pub fn load(saved: Option<&[u8]>, now: Duration, period: Duration) -> Self {
		let saved = saved
			.and_then(|mut bytes| Saved::decode_all(&mut bytes).ok())
			.filter(|saved| saved.version == VERSION);
		let mut scrub = Self {
			period,
			pass: Pass { began: now.as_secs(), ..Pass::default() },
			line: (now, 0),
			ends: now + period,
			upcoming: None,
			total: 0,
			last: None,
			last_finished: None,
			passes: 0,
			urgent: VecDeque::new(),
			suspects: BTreeMap::new(),
			recent: VecDeque::new(),
			read: None,
			failing: None,
			cost: None,
			stumbled: None,
			saved_at: now,
			moved: false,
			unsaved: true,
		};
		let Some(saved) = saved else { return scrub };
		scrub.last = saved.last;
		scrub.last_finished = saved.last_finished.map(|finished| finished.min(now.as_secs()));
		scrub.passes = saved.passes;
		scrub.suspects = saved
			.suspects
			.into_iter()
			.take(MAX_SAVED_SUSPECTS)
			.map(|(hash, tries, since)| {
				let since = Duration::from_secs(since).min(now);
				(FragmentHash(hash), Suspect { tries, since, at: now + retry_after(tries) })
			})
			.collect();
		scrub.pass = saved.pass;
		// A clock that was set back does not make the pass longer.
		scrub.pass.began = scrub.pass.began.min(now.as_secs());
		scrub.draw_line(now);
		if !saved.clean && !scrub.pass.fast {
			scrub.check(now);
		}
		scrub
	}

	/// What is to be kept: at most 4 KiB. `clean` is said when the engine stops.
	pub fn save(&mut self, now: Duration, clean: bool) -> Vec<u8> {
		self.saved_at = now;
		(self.moved, self.unsaved) = (false, false);
		let suspects = self.suspects.iter().take(MAX_SAVED_SUSPECTS);
		Saved {
			version: VERSION,
			clean,
			pass: self.pass.clone(),
			last: self.last.clone(),
			last_finished: self.last_finished,
			passes: self.passes,
			suspects: suspects
				.map(|(hash, suspect)| (hash.0, suspect.tries, suspect.since.as_secs()))
				.collect(),
		}
		.encode()
	}

	/// Whether it is worth to save now: rarely.
	pub fn is_to_be_saved(&self, now: Duration) -> bool {
		let (position, soon) = SAVE_EVERY;
		(self.moved && self.saved_at + position <= now)
			|| (self.unsaved && self.saved_at + soon <= now)
	}

	/// Begins a fast pass, unless one is under way. The operator has acted: a failing disk is tried
	/// again.
	pub fn check(&mut self, now: Duration) {
		if self.failing.take().is_some() {
			self.recent.clear();
		}
		if !self.pass.fast {
			self.begin(now, true);
		}
	}

	/// A proof failed or the chain says that something is wrong: begins a fast pass, unless there
	/// was one lately.
	pub fn doubt(&mut self, now: Duration) {
		let lately = |finished: u64| Duration::from_secs(finished) + DOUBT_EVERY > now;
		let checked = self.last.as_ref().is_some_and(|pass| pass.fast);
		if !(checked && self.last_finished.is_some_and(lately)) && self.failing.is_none() {
			self.check(now);
		}
	}

	/// Has this fragment looked at out of turn: it could not be read, or a proof of it failed.
	pub fn suspect(&mut self, hash: FragmentHash) {
		if self.urgent.len() < MAX_URGENT
			&& !self.urgent.contains(&hash)
			&& !self.suspects.contains_key(&hash)
		{
			self.urgent.push_back(hash);
		}
	}

	/// What is to be done.
	pub fn next(&mut self, now: Duration, limits: &Limits) -> Next {
		let ready = self.stumbled.into_iter().chain(self.rested(limits)).max().unwrap_or_default();
		if now < ready {
			return Next::Wait(ready);
		}
		self.stumbled = None;
		if let Some(failing) = &self.failing {
			if now < failing.probe_at {
				return Next::Wait(failing.probe_at);
			}
			// The one that was not tried for the longest time.
			if let Some((hash, _)) = self.suspects.iter().min_by_key(|(_, suspect)| suspect.at) {
				return Next::Verify(*hash);
			}
			// They were all released.
			self.recovered();
		}
		if let Some(hash) = self.urgent.pop_front() {
			return Next::Verify(hash);
		}
		let due_suspect = self.suspects.iter().find(|(_, suspect)| suspect.at <= now);
		let due_suspect = due_suspect.map(|(hash, suspect)| (*hash, *suspect));
		match due_suspect {
			Some((hash, suspect)) if !suspect.is_hopeless() => return Next::Verify(hash),
			Some((hash, suspect)) if self.could_read_since(suspect.since) => {
				self.suspects.remove(&hash);
				self.unsaved = true;
				return Next::GiveUp(hash);
			},
			_ => (),
		}
		// Before a suspect is given up, another fragment has to be read, in its turn or not.
		let in_haste = due_suspect.is_some();
		let due = loop {
			let Some(upcoming) = &self.upcoming else {
				return Next::List { after: self.pass.position.map(FragmentHash) };
			};
			match upcoming.front() {
				Some((hash, _)) if in_haste || self.pass.fast || self.due(hash) <= now => {
					return Next::Verify(*hash);
				},
				Some((hash, _)) => break self.due(hash),
				None if in_haste => return self.read_any(now),
				None if self.pass.fast || self.ends <= now => self.finish(now),
				None => break self.ends,
			}
		};
		let retry = self.suspects.values().map(|suspect| suspect.at).min();
		Next::Wait(retry.map_or(due, |retry| retry.min(due)))
	}

	/// At the end of the pass: any fragment that is no suspect is read, and if there is none, that
	/// says enough about the disk.
	fn read_any(&mut self, now: Duration) -> Next {
		match self.read {
			Some((hash, _)) if !self.suspects.contains_key(&hash) => return Next::Verify(hash),
			// Nothing is stored at all.
			_ if self.pass.position.is_none() => self.suspects.clear(),
			_ if self.pass.fragments > 0 && self.pass.fragments == self.pass.unreadable => {
				self.fail("no fragment can be read".into(), now);
			},
			_ => self.finish(now),
		}
		Next::Wait(now)
	}

	fn could_read_since(&self, since: Duration) -> bool {
		self.read.is_some_and(|(_, at)| at > since)
	}

	/// These fragments follow those that were seen, none if that was all; the store holds `total`
	/// bytes.
	pub fn list(&mut self, fragments: impl IntoIterator<Item = (FragmentHash, u32)>, total: u64) {
		self.upcoming = Some(fragments.into_iter().collect());
		self.total = total;
	}

	/// The store itself failed; nothing is done for a while.
	pub fn stumbled(&mut self, now: Duration) {
		self.stumbled = Some(now + STUMBLED);
	}

	/// What was found when a fragment of `len` bytes was hashed again, which took so long.
	pub fn looked(
		&mut self,
		hash: FragmentHash,
		len: u32,
		finding: Finding,
		took: Duration,
		now: Duration,
	) {
		if finding != Finding::Gone {
			self.cost = Some((now, took, len));
		}
		let in_turn = self.upcoming.as_ref().and_then(VecDeque::front).is_some_and(|(next, _)| {
			// While the disk is failing, only suspects are tried.
			*next == hash && self.failing.is_none()
		});
		if in_turn {
			self.advance(hash, len, &finding);
		}
		match finding {
			Finding::Whole | Finding::Damaged => {
				self.read = Some((hash, now));
				let known = self.settle(&hash);
				self.judge(known, None, now);
			},
			Finding::Missing | Finding::Gone => {
				self.settle(&hash);
				// It cannot be read another time to see whether the disk reads.
				self.read = self.read.filter(|(read, _)| *read != hash);
			},
			Finding::Unreadable(error) => {
				let known = self.suspects.contains_key(&hash);
				self.not_read(hash, now);
				self.judge(known, Some(error), now);
			},
		}
	}

	/// A fragment that was given up is out of service.
	pub fn given_up(&mut self) {
		self.pass.given_up += 1;
		self.unsaved = true;
	}

	fn advance(&mut self, hash: FragmentHash, len: u32, finding: &Finding) {
		if let Some(upcoming) = &mut self.upcoming {
			upcoming.pop_front();
			if upcoming.is_empty() {
				self.upcoming = None;
			}
		}
		self.moved = true;
		let pass = &mut self.pass;
		pass.position = Some(hash.0);
		if *finding == Finding::Gone {
			return;
		}
		pass.fragments += 1;
		pass.bytes += u64::from(len);
		match finding {
			Finding::Damaged => pass.damaged += 1,
			Finding::Missing => pass.missing += 1,
			Finding::Unreadable(_) => pass.unreadable += 1,
			Finding::Whole | Finding::Gone => (),
		}
	}

	/// It is no suspect; whether it was one.
	fn settle(&mut self, hash: &FragmentHash) -> bool {
		let known = self.suspects.remove(hash).is_some();
		self.unsaved |= known;
		known
	}

	fn not_read(&mut self, hash: FragmentHash, now: Duration) {
		if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&hash) {
			return;
		}
		let suspect =
			self.suspects.entry(hash).or_insert(Suspect { tries: 0, since: now, at: now });
		// While the disk is failing, failed reads are no news about the fragment.
		if self.failing.is_none() {
			suspect.tries = suspect.tries.saturating_add(1);
		}
		suspect.at = now + retry_after(suspect.tries);
		self.unsaved = true;
	}

	/// The disk is taken to be failing.
	fn fail(&mut self, error: String, now: Duration) {
		let (wait, _) = PROBE_AFTER;
		self.failing =
			Some(Failing { since: now, error, probe_at: now + wait, wait, successes: 0 });
		self.unsaved = true;
	}

	/// Judges the disk by a read that failed with this error, or did not; of a suspect that was
	/// `known` it is no news.
	fn judge(&mut self, known: bool, error: Option<String>, now: Duration) {
		let Some(failing) = &mut self.failing else {
			if !known {
				self.recent.truncate(RECENT - 1);
				self.recent.push_front(error.is_some());
			}
			let in_a_row = self.recent.iter().take_while(|failed| **failed).count();
			let failures = self.recent.iter().filter(|failed| **failed).count();
			if let Some(error) = error
				&& (in_a_row >= FAILURES_IN_A_ROW || failures >= MANY_FAILURES)
			{
				self.fail(error, now);
			}
			return;
		};
		match error {
			None => {
				failing.successes += 1;
				failing.probe_at = now;
				if failing.successes >= SUCCESSES_IN_A_ROW || self.suspects.is_empty() {
					self.recovered();
					self.draw_line(now);
				}
			},
			Some(error) => {
				let (first, longest) = PROBE_AFTER;
				failing.error = error;
				failing.wait = if failing.successes > 0 { first } else { failing.wait * 2 };
				failing.wait = failing.wait.min(longest);
				failing.successes = 0;
				failing.probe_at = now + failing.wait;
			},
		}
	}

	/// The disk reads again: what failed meanwhile is innocent until it fails again.
	fn recovered(&mut self) {
		let Some(failing) = self.failing.take() else { return };
		self.recent.clear();
		for suspect in self.suspects.values_mut() {
			*suspect = Suspect { tries: 0, since: failing.probe_at, at: failing.probe_at };
		}
		self.unsaved = true;
	}

	fn begin(&mut self, now: Duration, fast: bool) {
		self.pass = Pass { began: now.as_secs(), fast, ..Pass::default() };
		self.upcoming = None;
		self.line = (now, 0);
		self.ends = now + self.period;
		self.unsaved = true;
	}

	fn finish(&mut self, now: Duration) {
		self.passes = self.passes.saturating_add(1);
		self.last_finished = Some(now.as_secs());
		self.last = Some(self.pass.clone());
		self.begin(now, false);
	}

	/// The pass goes on after a rest, from where it is now.
	fn draw_line(&mut self, now: Duration) {
		let behind = self.pass.position.as_ref().map_or(0, position);
		let left = share_of(self.period, u64::MAX - behind);
		let began = Duration::from_secs(self.pass.began);
		self.line = (now, behind);
		self.ends = (began + self.period).max(now + left / CATCH_UP);
		self.upcoming = None;
	}

	/// When it is the turn of a fragment, on the line.
	fn due(&self, hash: &FragmentHash) -> Duration {
		let (since, behind) = self.line;
		let ahead = position(&hash.0).saturating_sub(behind);
		let all = u64::MAX - behind;
		if all == 0 {
			return since;
		}
		let share = (u128::from(ahead) << 64) / (u128::from(all) + 1);
		since + share_of(self.ends.saturating_sub(since), u64::try_from(share).unwrap_or(u64::MAX))
	}

	/// Until when the disk rests after the last read.
	fn rested(&self, limits: &Limits) -> Option<Duration> {
		let (at, took, len) = self.cost?;
		Some(at + limits.rest(took, len))
	}

	/// Whether the disk cannot be relied on.
	pub fn is_disk_failing(&self) -> bool {
		self.failing.is_some()
	}

	/// What an operator is told. `limits` are those of this moment.
	pub fn status(&self, now: Duration, limits: &Limits) -> CheckStatus {
		let pass = &self.pass;
		let left = self.total.saturating_sub(pass.bytes);
		let at_best = limits.scrub_time(left);
		let ends = if pass.fast { now + at_best } else { self.ends.max(now + at_best) };
		CheckStatus {
			phase: match (&self.failing, pass.fast) {
				(Some(_), _) => CheckPhase::DiskFailing,
				(None, true) => CheckPhase::Fast,
				(None, false) => CheckPhase::Steady,
			},
			running: pass.fast && self.failing.is_none(),
			passes: self.passes,
			checked: pass.fragments,
			bytes: pass.bytes,
			bytes_total: self.total.max(pass.bytes),
			damaged: pass.damaged,
			unreadable: pass.unreadable,
			given_up: pass.given_up,
			gone: pass.missing,
			missing: 0,
			suspects: self.suspects.len() as u64,
			began: Some(pass.began),
			expected_end: self.failing.is_none().then_some(ends.as_secs()),
			last: self.last.as_ref().zip(self.last_finished).map(|(pass, finished)| PassStatus {
				began: pass.began,
				finished,
				checked: pass.fragments,
				bytes: pass.bytes,
				damaged: pass.damaged,
				unreadable: pass.unreadable,
				given_up: pass.given_up,
				gone: pass.missing,
			}),
			alarm: self.failing.as_ref().map(|failing| DiskAlarm {
				since: failing.since.as_secs(),
				error: failing.error.clone(),
			}),
		}
	}
}
