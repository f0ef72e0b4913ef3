// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where a fragment can be had, and whom to ask first: no I/O and no clock, so that the node and the
//! simulation run the same rules.
//!
//! # Cooperative restore
//!
//! The missing fragments of a segment are claimed by different miners, and one decode makes all of
//! them. So the claimers of a segment stand in an order that everybody derives from the chain: who
//! claimed first goes first, since it may be decoding already; who claimed at the same tick, by hash,
//! each segment another. The first of them, the **leader**, decodes and keeps the others' fragments
//! for a while; the others ask it, wait with bounded patience, then turn to the next in the order,
//! and whoever finds nobody before itself decodes. Two that decode at once cost bytes and nothing
//! else.
//!
//! Times are durations since the engine started.

use planaria_primitives::{FragmentName, MinerId, SegmentId, Tick, segment::bit};
use planaria_runtime_api::FragmentRecord;
use rand::{Rng, seq::SliceRandom};
use std::{collections::BTreeMap, time::Duration};

/// How many restorers are asked before a fragment is rebuilt.
const MAX_ASKED: usize = 4;

/// How many miners, or waits, are remembered.
const MAX_REMEMBERED: usize = 4096;

/// What to try next for a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
	/// Copy it from its holder.
	Copy(MinerId),
	/// Ask a restorer of its segment, which may have made it already.
	Ask(MinerId),
	/// Come back later: this restorer is about to make it. Always the last.
	Wait(MinerId),
	/// Rebuild it from any `data` others.
	Rebuild,
}

/// What a miner is as a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
	/// It serves.
	Serves,
	/// It serves, and what it holds is moved away from it by copying.
	Leaves,
	/// The chain says that it is absent, expelled or gone: it may serve all the same.
	Gone,
}

/// What to try, in this order, until one brings the fragment of `record` to `me`.
///
/// `holder` is what its holder is, and whether it was found bad lately; `usable` whether a restorer
/// was not, and `patient` whether there is patience left to wait for it.
pub fn attempts(
	record: &FragmentRecord,
	me: MinerId,
	holder: Option<(MinerId, Source, bool)>,
	usable: impl Fn(MinerId) -> bool,
	patient: impl Fn(MinerId) -> bool,
) -> Vec<Attempt> {
	let holder = holder.filter(|(holder, ..)| *holder != me);
	let copies = |(_, source, bad): &(_, Source, bool)| !*bad && *source != Source::Gone;
	let mut attempts = Vec::new();
	attempts.extend(holder.filter(copies).map(|(holder, ..)| Attempt::Copy(holder)));

	let order = restorers(record);
	let mine = order.iter().position(|(miner, _)| *miner == me);
	let mut asked = 0;
	for (place, (miner, ready)) in order.into_iter().enumerate() {
		if miner == me || !usable(miner) || asked == MAX_ASKED {
			continue;
		}
		asked += 1;
		attempts.push(Attempt::Ask(miner));
		// Who is ready has made its own fragment, and will make no other.
		if mine.is_some_and(|mine| place < mine) && !ready && patient(miner) {
			attempts.push(Attempt::Wait(miner));
			return attempts;
		}
	}
	attempts.push(Attempt::Rebuild);
	attempts.extend(holder.filter(|it| !copies(it)).map(|(holder, ..)| Attempt::Copy(holder)));
	attempts
}

/// The miners that restore fragments of the segment, the leader first, and whether they are ready.
///
/// Those that are ready come last: they need nothing decoded any more.
pub fn restorers(record: &FragmentRecord) -> Vec<(MinerId, bool)> {
	let mut claims: Vec<_> = record.claims.iter().collect();
	// Deadlines tell the order of claims: all have the same time.
	claims.sort_by_cached_key(|claim| {
		(claim.ready, claim.deadline, place(record.fragment.segment, claim.by))
	});
	claims.dedup_by_key(|claim| claim.by);
	claims.into_iter().map(|claim| (claim.by, claim.ready)).collect()
}

/// Where a miner stands among the restorers of a segment: BLAKE3 of the segment's and the miner's
/// id, little-endian.
pub fn place(segment: SegmentId, miner: MinerId) -> [u8; 32] {
	let mut hasher = blake3::Hasher::new();
	hasher.update(&segment.0.to_le_bytes()).update(&miner.0.to_le_bytes());
	hasher.finalize().into()
}

/// Who may have the other fragments of the segment: those that are whole first, then those under
/// restoration, which their holder may still have; at random among equals. Who was found bad lately
/// comes last. The fragment beside the wanted one goes before its equals: its sidecar has the whole
/// path of the wanted one, which otherwise takes hashes of more fragments.
pub fn siblings(
	record: &FragmentRecord,
	me: MinerId,
	bad: impl Fn(MinerId) -> bool,
	rng: &mut impl Rng,
) -> Vec<(u8, MinerId)> {
	let mut sources: Vec<(u8, MinerId)> = (0..)
		.zip(&record.holders)
		.filter(|(index, _)| *index != record.name.index && record.confirmed & bit(*index) != 0)
		.filter_map(|(index, holder)| Some((index, (*holder)?)))
		.filter(|(_, holder)| *holder != me)
		.collect();
	sources.shuffle(rng);
	let beside = record.name.index ^ 1;
	sources.sort_by_cached_key(|(index, holder)| {
		(bad(*holder), record.restoring & bit(*index) != 0, *index != beside)
	});
	sources
}

/// The other fragments of the segment that whoever decodes it makes along with its own: those that
/// others have claimed, and those that somebody will claim before long.
///
/// What can be copied from a holder that leaves is left out.
pub fn wanted_by_others(
	record: &FragmentRecord,
	me: MinerId,
	source: impl Fn(MinerId) -> Source,
) -> Vec<u8> {
	let others = (0..).zip(&record.holders).filter(|(index, holder)| {
		*index != record.name.index
			&& is_wanted(record, *index, me, holder.map_or(Source::Gone, &source))
	});
	others.map(|(index, _)| index).collect()
}

/// Whether another miner than `me` restores this fragment of the segment, or will before long;
/// `holder` is what its holder is.
pub fn is_wanted(record: &FragmentRecord, index: u8, me: MinerId, holder: Source) -> bool {
	if record.confirmed & bit(index) == 0 || holder == Source::Leaves {
		return false;
	}
	match record.claim(index) {
		Some(claim) => claim.by != me && !claim.ready,
		None => record.restoring & bit(index) != 0 || holder == Source::Gone,
	}
}

/// Why a source is avoided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
	/// It gave wrong bytes or a wrong sidecar.
	Lied,
	/// It cannot be reached, or breaks off.
	Unreachable,
	/// It is far slower than others.
	Slow,
}

impl Blame {
	/// For how long the first time, and at most; it doubles each time.
	const fn terms(self) -> (Duration, Duration) {
		match self {
			Self::Lied => (Duration::from_secs(600), Duration::from_secs(86_400)),
			Self::Unreachable => (Duration::from_secs(20), Duration::from_secs(600)),
			Self::Slow => (Duration::from_secs(60), Duration::from_secs(600)),
		}
	}
}

/// Sources that were found bad lately. They come last for a while, so that one that was wrongly
/// blamed can still serve. At most 4,096 are remembered.
#[derive(Clone, Debug, Default)]
pub struct Avoided(BTreeMap<MinerId, Mark>);

#[derive(Clone, Copy, Debug)]
struct Mark {
	lied: bool,
	times: u32,
	until: Duration,
}

impl Avoided {
	/// The miner was found bad.
	pub fn blame(&mut self, miner: MinerId, why: Blame, now: Duration) {
		if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&miner) {
			let first = self.0.iter().min_by_key(|(_, mark)| mark.until).map(|(miner, _)| *miner);
			first.map(|miner| self.0.remove(&miner));
		}
		let (first, most) = why.terms();
		let mark = self.0.entry(miner).or_insert(Mark { lied: false, times: 0, until: now });
		// What several transfers at once find out counts once; but a lie counts more than silence.
		if mark.until > now && (mark.lied || why != Blame::Lied) {
			return;
		}
		let time = first.saturating_mul(2u32.saturating_pow(mark.times.min(16))).min(most);
		mark.lied |= why == Blame::Lied;
		mark.times = mark.times.saturating_add(1);
		mark.until = now + time;
	}

	/// The miner served well. Lies are not forgotten for that.
	pub fn served(&mut self, miner: MinerId) {
		if self.0.get(&miner).is_some_and(|mark| !mark.lied) {
			self.0.remove(&miner);
		}
	}

	/// Whether it is to be avoided.
	pub fn contains(&self, miner: MinerId, now: Duration) -> bool {
		self.0.get(&miner).is_some_and(|mark| mark.until > now)
	}
}

/// How long is waited for others that restore the same segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
	/// For each of them.
	pub each: Duration,
	/// For all of them together.
	pub all: Duration,
}

impl Patience {
	/// None.
	pub const NONE: Self = Self { each: Duration::ZERO, all: Duration::ZERO };

	/// Patience for a claim that can be reported for `left` more ticks of `tick` each, of which
	/// `share` percent may be waited away, where making a segment's fragments takes `decode`
	/// altogether.
	pub fn new(left: Tick, tick: Duration, share: u32, decode: Duration) -> Self {
		let all = tick.saturating_mul(left) / 100 * share.min(100);
		// The leader has other segments to make as well.
		let each = decode.saturating_mul(20).max(Duration::from_secs(30));
		Self { each: each.min(all), all }
	}
}

/// Since when others are being waited for.
#[derive(Clone, Debug, Default)]
pub struct Waits(BTreeMap<FragmentName, BTreeMap<MinerId, Duration>>);

impl Waits {
	/// The miner was asked for the fragment and is waited for.
	pub fn wait(&mut self, name: FragmentName, miner: MinerId, now: Duration) {
		if self.0.len() < MAX_REMEMBERED || self.0.contains_key(&name) {
			self.0.entry(name).or_default().entry(miner).or_insert(now);
		}
	}

	/// Whether the miner can be waited for still.
	pub fn is_patient(
		&self,
		name: &FragmentName,
		miner: MinerId,
		now: Duration,
		patience: Patience,
	) -> bool {
		let waited = |since: Option<&Duration>| now.saturating_sub(*since.unwrap_or(&now));
		let since = self.0.get(name);
		waited(since.and_then(|since| since.values().min())) < patience.all
			&& waited(since.and_then(|since| since.get(&miner))) < patience.each
	}

	/// Only these are still needed.
	pub fn retain(&mut self, needed: impl Fn(&FragmentName) -> bool) {
		self.0.retain(|name, _| needed(name));
	}
}

/// How fast a source delivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Speed {
	/// Since it was asked.
	pub elapsed: Duration,
	/// Since it last moved anything.
	pub still: Duration,
	/// What it has moved.
	pub bytes: u64,
}

impl Speed {
	/// Bytes per second.
	pub fn rate(&self) -> u64 {
		let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
		self.bytes.saturating_mul(1000) / millis
	}

	/// Whether the rate tells how fast the source is: what was buffered on the way comes in a burst,
	/// so one that has only begun tells nothing, unless it has delivered everything.
	pub fn is_telling(&self, done: bool, hedge_after: Duration) -> bool {
		done || self.elapsed >= hedge_after / 4
	}

	/// Whether a spare should join: it has not moved for `hedge_after`, or for half of that has been
	/// four times slower than the best of the others. Where all are slow it is the own line, and
	/// spares would only make it slower.
	pub fn is_slow(&self, best: u64, hedge_after: Duration) -> bool {
		self.still >= hedge_after
			|| (self.elapsed >= hedge_after / 2 && self.rate().saturating_mul(4) < best)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{CodingParams, FileId, FileIndex, FragmentId};
	use planaria_runtime_api::{FileLife, SegmentClaim};

	const ME: MinerId = MinerId(100);

	fn record(claims: &[(u8, u32, bool)]) -> FragmentRecord {
		let coding = CodingParams::new(4, 8).expect("valid");
		let name =
			FragmentName { file_id: FileId([7; 32]), file: FileIndex(1), segment: 0, index: 0 };
		FragmentRecord {
			fragment: FragmentId { segment: SegmentId(5), index: 0 },
			name,
			size: 1 << 20,
			coding,
			state: FileLife::Active,
			holders: (0..12).map(|miner| Some(MinerId(miner))).collect(),
			confirmed: 0xfff,
			restoring: claims.iter().fold(0, |bits, (index, ..)| bits | bit(*index)),
			claims: claims
				.iter()
				.map(|(index, by, ready)| SegmentClaim {
					index: *index,
					by: MinerId(*by),
					deadline: 100,
					ready: *ready,
				})
				.collect(),
			spare: 4,
			verdict: None,
		}
	}

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	/// Three claimers in their order.
	fn claimers() -> [u32; 3] {
		let mut claimers = [100, 101, 102];
		claimers.sort_by_key(|miner| place(SegmentId(5), MinerId(*miner)));
		claimers
	}

	#[test]
	fn the_leader_decodes_and_the_others_wait_for_it_in_their_order() {
		let [first, second, third] = claimers();
		let record = record(&[(0, first, false), (1, second, false), (2, third, false)]);
		let id = MinerId;
		let attempts = |me, usable: &[u32], patient: &[u32]| {
			let is = |list: &[u32], miner: MinerId| list.contains(&miner.0);
			super::attempts(&record, id(me), None, |m| is(usable, m), |m| is(patient, m))
		};
		use Attempt::*;
		let all = [first, second, third];
		assert_eq!(attempts(first, &all, &all), [Ask(id(second)), Ask(id(third)), Rebuild]);
		assert_eq!(attempts(third, &all, &all), [Ask(id(first)), Wait(id(first))]);
		// The leader let it down: it is asked once more, and the next is waited for.
		assert_eq!(
			attempts(third, &all, &[second]),
			[Ask(id(first)), Ask(id(second)), Wait(id(second))]
		);
		assert_eq!(attempts(third, &[second], &all), [Ask(id(second)), Wait(id(second))]);
		assert_eq!(attempts(third, &all, &[]), [Ask(id(first)), Ask(id(second)), Rebuild]);
		assert_eq!(attempts(third, &[], &[]), [Rebuild]);
		// The holder that heals its own fragment waits for nobody.
		assert_eq!(attempts(0, &[first], &all), [Ask(id(first)), Rebuild]);
	}

	#[test]
	fn who_is_ready_leads_no_more() {
		let [first, second, third] = claimers();
		let record = record(&[(0, first, true), (1, second, false), (2, third, false)]);
		let order: Vec<_> = restorers(&record).into_iter().map(|(miner, _)| miner.0).collect();
		assert_eq!(order, [second, third, first]);
		let attempts = attempts(&record, MinerId(second), None, |_| true, |_| true);
		assert_eq!(
			attempts,
			[Attempt::Ask(MinerId(third)), Attempt::Ask(MinerId(first)), Attempt::Rebuild]
		);
	}

	#[test]
	fn who_claimed_later_waits_for_who_may_be_decoding_already() {
		let [first, second, third] = claimers();
		let mut record = record(&[(0, first, false), (1, second, false), (2, third, false)]);
		record.claims[1].deadline -= 1;
		let order: Vec<_> = restorers(&record).into_iter().map(|(miner, _)| miner.0).collect();
		assert_eq!(order, [second, first, third]);
		let attempts = attempts(&record, MinerId(first), None, |_| true, |_| true);
		let second = MinerId(second);
		assert_eq!(attempts, [Attempt::Ask(second), Attempt::Wait(second)]);
	}

	#[test]
	fn the_holder_is_copied_from_first_where_it_serves_and_last_where_it_may() {
		let record = record(&[(0, ME.0, false)]);
		let attempts = |holder| super::attempts(&record, ME, holder, |_| true, |_| true);
		let holder = MinerId(0);
		use Attempt::*;
		for source in [Source::Serves, Source::Leaves] {
			assert_eq!(attempts(Some((holder, source, false))), [Copy(holder), Rebuild]);
			assert_eq!(attempts(Some((holder, source, true))), [Rebuild, Copy(holder)]);
		}
		assert_eq!(attempts(Some((holder, Source::Gone, false))), [Rebuild, Copy(holder)]);
		assert_eq!(attempts(Some((ME, Source::Serves, false))), [Rebuild]);
		assert_eq!(attempts(None), [Rebuild]);
	}

	#[test]
	fn whoever_decodes_makes_what_others_will_ask_for() {
		let mut record =
			record(&[(0, ME.0, false), (1, 101, false), (2, 102, true), (3, 103, false)]);
		record.restoring |= bit(4);
		record.confirmed &= !bit(6);
		let source = |miner: MinerId| match miner.0 {
			3 => Source::Leaves,
			5 | 6 => Source::Gone,
			_ => Source::Serves,
		};
		// Not: its own, one that is ready, one that is copied, one that was never stored.
		assert_eq!(wanted_by_others(&record, ME, source), [1, 4, 5]);
		record.holders[8] = None;
		assert_eq!(wanted_by_others(&record, ME, source), [1, 4, 5, 8]);
	}

	#[test]
	fn whole_siblings_come_first_and_bad_ones_last() {
		let mut rng = rand::rng();
		let whole = record(&[(0, ME.0, false)]);
		let record = record(&[(0, ME.0, false), (1, 101, false)]);
		for _ in 0..20 {
			let order = siblings(&record, ME, |miner| miner == MinerId(7), &mut rng);
			assert_eq!(order.len(), 11);
			assert_eq!(order[9..], [(1, MinerId(1)), (7, MinerId(7))]);
			let beside = siblings(&whole, ME, |_| false, &mut rng)[0];
			assert_eq!(beside, (1, MinerId(1)));
		}
		let order = siblings(&record, MinerId(3), |_| false, &mut rng);
		assert!(order.iter().all(|(index, _)| *index != 3 && *index != 0));
	}

	#[test]
	fn bad_sources_are_avoided_ever_longer_and_lies_longest() {
		let mut avoided = Avoided::default();
		let miner = MinerId(1);
		avoided.blame(miner, Blame::Unreachable, secs(0));
		// Found out twice at once: one strike.
		avoided.blame(miner, Blame::Unreachable, secs(1));
		assert!(avoided.contains(miner, secs(19)) && !avoided.contains(miner, secs(20)));
		avoided.blame(miner, Blame::Unreachable, secs(20));
		assert!(avoided.contains(miner, secs(59)) && !avoided.contains(miner, secs(60)));
		avoided.served(miner);
		avoided.blame(miner, Blame::Unreachable, secs(100));
		assert!(!avoided.contains(miner, secs(120)));
		// A lie counts while it is avoided for less, and is not forgotten.
		avoided.blame(miner, Blame::Slow, secs(120));
		avoided.blame(miner, Blame::Lied, secs(121));
		avoided.served(miner);
		assert!(avoided.contains(miner, secs(121 + 600)));
		for times in 0..40 {
			avoided.blame(miner, Blame::Lied, secs(10_000 + times * 100_000));
		}
		let last = 10_000 + 39 * 100_000;
		assert!(avoided.contains(miner, secs(last + 86_399)));
		assert!(!avoided.contains(miner, secs(last + 86_400)));
	}

	#[test]
	fn no_more_miners_are_remembered_than_promised() {
		let mut avoided = Avoided::default();
		for miner in 0..10_000 {
			avoided.blame(MinerId(miner), Blame::Lied, secs(miner.into()));
		}
		assert_eq!(avoided.0.len(), MAX_REMEMBERED);
		assert!(avoided.contains(MinerId(9_999), secs(10_000)));
	}

	#[test]
	fn patience_ends_for_each_and_for_all() {
		let patience = Patience::new(100, secs(6), 25, secs(3));
		assert_eq!(patience, Patience { each: secs(60), all: secs(150) });
		assert_eq!(Patience::new(4, secs(6), 25, secs(3)).each, secs(6));
		assert_eq!(Patience::new(100, secs(6), 25, secs(0)).each, secs(30));
		let name = record(&[]).name;
		let mut waits = Waits::default();
		let (one, other) = (MinerId(1), MinerId(2));
		assert!(waits.is_patient(&name, one, secs(0), patience));
		waits.wait(name, one, secs(0));
		waits.wait(name, one, secs(50));
		assert!(waits.is_patient(&name, one, secs(59), patience));
		assert!(!waits.is_patient(&name, one, secs(60), patience));
		assert!(waits.is_patient(&name, other, secs(149), patience));
		assert!(!waits.is_patient(&name, other, secs(150), patience));
		waits.retain(|_| false);
		assert!(waits.is_patient(&name, one, secs(200), patience));
	}

	#[test]
	fn a_source_is_slow_when_it_stands_still_or_others_are_much_faster() {
		let speed =
			|elapsed, still, bytes| Speed { elapsed: secs(elapsed), still: secs(still), bytes };
		let ten = secs(10);
		assert!(!speed(9, 9, 0).is_slow(0, ten));
		assert!(speed(10, 10, 0).is_slow(0, ten));
		assert!(!speed(100, 1, 100).is_slow(4, ten));
		assert!(speed(100, 1, 100).is_slow(5, ten));
		assert!(!speed(4, 1, 1).is_slow(1000, ten));
	}

	#[test]
	fn a_burst_at_the_beginning_says_nothing_of_a_source() {
		let speed = |elapsed| Speed { elapsed, still: Duration::ZERO, bytes: 1 << 20 };
		let ten = secs(10);
		assert!(!speed(Duration::from_millis(10)).is_telling(false, ten));
		assert!(speed(Duration::from_millis(10)).is_telling(true, ten));
		assert!(!speed(secs(2)).is_telling(false, ten));
		assert!(speed(secs(3)).is_telling(false, ten));
	}
}
