// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The rules of the self-check, over a disk that is a list of hashes.

use crate::{
	CheckPhase, Profile, Throttle,
	logic::{Finding, Limits, Next, Scrub},
};
use planaria_primitives::FragmentHash;
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const PERIOD: Duration = Duration::from_secs(14 * 24 * 3600);
const EPOCH: Duration = Duration::from_secs(1_700_000_000);
const MIB: u64 = 1 << 20;

struct Disk {
	scrub: Scrub,
	now: Duration,
	limits: Limits,
	/// Lengths by hash.
	stored: BTreeMap<FragmentHash, u32>,
	unreadable: BTreeSet<FragmentHash>,
	damaged: BTreeSet<FragmentHash>,
	/// How long reading one takes.
	read_time: Duration,
	reads: Vec<(Duration, FragmentHash)>,
	given_up: Vec<FragmentHash>,
}

/// Evenly spread hashes.
fn hash(number: u64, of: u64) -> FragmentHash {
	let mut hash = [7; 32];
	hash[..8].copy_from_slice(&(u64::MAX / of * number + u64::MAX / of / 2).to_be_bytes());
	FragmentHash(hash)
}

impl Disk {
	fn new(fragments: u64) -> Self {
		Self {
			scrub: Scrub::load(None, EPOCH, PERIOD),
			now: EPOCH,
			limits: Throttle::default().limits(4, 0),
			stored: (0..fragments).map(|number| (hash(number, fragments), 8 << 20)).collect(),
			unreadable: BTreeSet::new(),
			damaged: BTreeSet::new(),
			read_time: Duration::from_millis(50),
			reads: Vec::new(),
			given_up: Vec::new(),
		}
	}

	/// Does what is to be done until then.
	fn run(&mut self, time: Duration) {
		let end = self.now + time;
		for _ in 0..1_000_000 {
			if self.now >= end {
				return;
			}
			match self.scrub.next(self.now, &self.limits) {
				Next::Wait(until) if until >= end => {
					self.now = end;
					return;
				},
				Next::Wait(until) => self.now = self.now.max(until),
				Next::List { after } => {
					let behind = |hash: &&FragmentHash| after.is_none_or(|after| **hash > after);
					let page = self.stored.keys().filter(behind).take(3).copied();
					let page: Vec<_> = page.map(|hash| (hash, self.stored[&hash])).collect();
					let total = self.stored.values().map(|len| u64::from(*len)).sum();
					self.scrub.list(page, total);
				},
				Next::Verify(hash) => {
					let finding = match self.stored.get(&hash) {
						None => Finding::Gone,
						Some(_) if self.unreadable.contains(&hash) => {
							Finding::Unreadable("error 5".into())
						},
						Some(_) if self.damaged.contains(&hash) => Finding::Damaged,
						Some(_) => Finding::Whole,
					};
					let len = self.stored.get(&hash).copied().unwrap_or_default();
					self.now += self.read_time;
					if finding != Finding::Gone {
						self.reads.push((self.now, hash));
					}
					self.scrub.looked(hash, len, finding, self.read_time, self.now);
				},
				Next::GiveUp(hash) => {
					self.given_up.push(hash);
					self.stored.remove(&hash);
					self.scrub.given_up();
				},
			}
		}
		panic!("it never rests");
	}

	fn restart(&mut self, clean: bool, downtime: Duration) {
		let saved = self.scrub.save(self.now, clean);
		assert!(saved.len() <= 4096, "{} bytes", saved.len());
		self.now += downtime;
		self.scrub = Scrub::load(Some(&saved), self.now, PERIOD);
	}

	fn status(&self) -> crate::CheckStatus {
		self.scrub.status(self.now, &self.limits)
	}

	fn reads_of(&self, hash: FragmentHash) -> usize {
		self.reads.iter().filter(|(_, read)| *read == hash).count()
	}

	/// Fragments per day, day by day.
	fn by_day(&self) -> BTreeMap<u64, usize> {
		let mut days = BTreeMap::new();
		for (at, _) in &self.reads {
			*days.entry((*at - EPOCH).as_secs() / DAY.as_secs()).or_default() += 1;
		}
		days
	}
}

#[test]
fn a_steady_pass_takes_its_period_evenly() {
	let mut disk = Disk::new(1400);
	disk.run(PERIOD);
	assert_eq!(disk.reads.len(), 1400);
	assert!(disk.by_day().values().all(|fragments| (99..=101).contains(fragments)));
	disk.run(Duration::from_secs(60));
	let status = disk.status();
	assert_eq!((status.passes, status.phase), (1, CheckPhase::Steady));
	let last = status.last.expect("finished");
	assert_eq!((last.checked, last.bytes), (1400, 1400 * 8 * MIB));
	assert_eq!(last.finished - last.began, PERIOD.as_secs());
	// And again.
	disk.run(PERIOD);
	assert_eq!((disk.status().passes, disk.reads.len()), (2, 2800));
	assert!(disk.stored.keys().all(|hash| disk.reads_of(*hash) == 2));
}

#[test]
fn what_is_stored_behind_the_pass_waits_and_what_is_released_is_no_error() {
	let mut disk = Disk::new(100);
	disk.run(PERIOD / 2);
	let (behind, ahead) = (hash(100, 1001), hash(900, 1001));
	disk.stored.insert(behind, 64);
	disk.stored.insert(ahead, 64);
	for number in 60..70 {
		disk.stored.remove(&hash(number, 100));
	}
	disk.run(PERIOD / 2 + DAY / 100);
	assert_eq!((disk.reads_of(behind), disk.reads_of(ahead)), (0, 1));
	let last = disk.status().last.expect("finished");
	assert_eq!((last.checked, last.unreadable, last.gone), (91, 0, 0));
}

#[test]
fn a_fast_pass_goes_as_fast_as_the_profile_lets_it() {
	let time = |profile, cap_read: u64| {
		let mut disk = Disk::new(100);
		disk.read_time = Duration::from_millis(cap_read);
		disk.limits = Throttle { profile, cap: None }.limits(4, 0);
		disk.run(DAY);
		disk.reads.clear();
		disk.scrub.check(disk.now);
		assert!(disk.status().running);
		let began = disk.now;
		disk.run(DAY / 2);
		let status = disk.status();
		assert_eq!((status.passes, status.running), (1, false));
		let last = status.last.expect("finished");
		assert_eq!(last.checked, 100);
		(disk.reads[99].0 - began).as_millis()
	};
	// 800 MiB at 8 MiB/s, at 64 MiB/s, and at what the disk gives.
	assert!((99_000..=100_100).contains(&time(Profile::Quiet, 50)));
	assert!((14_800..=15_300).contains(&time(Profile::Balanced, 50)));
	assert_eq!(time(Profile::Fast, 50), 5_000);
	// On a disk that others keep busy the share counts: 10 %, 33 %, all of it.
	assert!((990_000..=1_001_000).contains(&time(Profile::Quiet, 1000)));
	assert!((300_000..=304_000).contains(&time(Profile::Balanced, 1000)));
	assert_eq!(time(Profile::Fast, 1000), 100_000);
}

#[test]
fn the_profile_can_be_changed_in_the_middle() {
	let mut disk = Disk::new(100);
	disk.limits = Throttle { profile: Profile::Quiet, cap: None }.limits(4, 0);
	disk.scrub.check(disk.now);
	disk.run(Duration::from_secs(10));
	assert!((9..=11).contains(&disk.reads.len()), "{}", disk.reads.len());
	disk.limits = Throttle { profile: Profile::Fast, cap: None }.limits(4, 0);
	disk.run(Duration::from_secs(1));
	assert!((28..=31).contains(&disk.reads.len()), "{}", disk.reads.len());
}

#[test]
fn a_pass_survives_restarts() {
	let mut disk = Disk::new(100);
	disk.damaged.insert(hash(10, 100));
	disk.run(PERIOD / 2);
	for _ in 0..5 {
		disk.restart(true, Duration::from_secs(60));
	}
	assert_eq!((disk.status().checked, disk.status().damaged), (50, 1));
	disk.run(PERIOD / 2);
	let last = disk.status().last.expect("finished in time");
	assert_eq!((last.checked, last.damaged), (100, 1));
	assert!(disk.stored.keys().all(|hash| disk.reads_of(*hash) == 1));
}

#[test]
fn after_a_long_downtime_the_pass_catches_up_gently() {
	let mut disk = Disk::new(1400);
	disk.run(PERIOD / 2);
	disk.restart(true, 10 * PERIOD);
	disk.reads.clear();
	let end = disk.status().expected_end.expect("goes on") - disk.now.as_secs();
	assert!(end.abs_diff(PERIOD.as_secs() / 4) < 3600, "{end}");
	disk.run(DAY);
	assert!((199..=201).contains(&disk.reads.len()), "{}", disk.reads.len());
	disk.run(PERIOD / 4 - DAY + DAY / 10);
	assert_eq!(disk.status().passes, 1);
}

#[test]
fn an_unclean_stop_begins_a_fast_pass_which_goes_on_after_another_one() {
	let mut disk = Disk::new(100);
	disk.run(PERIOD / 2);
	disk.restart(false, DAY);
	assert_eq!((disk.status().phase, disk.status().checked), (CheckPhase::Fast, 0));
	disk.run(Duration::from_secs(5));
	let checked = disk.status().checked;
	assert!((20..80).contains(&checked));
	disk.restart(false, DAY);
	assert_eq!((disk.status().phase, disk.status().checked), (CheckPhase::Fast, checked));
	disk.run(Duration::from_secs(60));
	assert_eq!(disk.status().last.expect("finished").checked, 100);
	assert_eq!(disk.status().phase, CheckPhase::Steady);
}

#[test]
fn what_was_saved_and_cannot_be_understood_begins_anew() {
	let mut disk = Disk::new(10);
	disk.run(PERIOD + DAY);
	let saved = disk.scrub.save(disk.now, true);
	assert_eq!(
		Scrub::load(Some(&saved), disk.now, PERIOD).status(disk.now, &disk.limits).passes,
		1
	);
	for at in 0..saved.len() {
		let scrub = Scrub::load(Some(&saved[..at]), disk.now, PERIOD);
		let status = scrub.status(disk.now, &disk.limits);
		assert_eq!((status.passes, status.phase), (0, CheckPhase::Steady));
		// Whatever a flipped byte says, it is something that works.
		let mut wrong = saved.clone();
		wrong[at] ^= 0x55;
		disk.scrub = Scrub::load(Some(&wrong), disk.now, PERIOD);
		let now = disk.now;
		disk.run(PERIOD);
		disk.now = now;
	}
	// A clock that was set back does not stop it.
	disk.now = EPOCH;
	disk.scrub = Scrub::load(Some(&saved), EPOCH, PERIOD);
	disk.run(PERIOD + DAY);
	assert_eq!(disk.status().passes, 2);
}

#[test]
fn an_unreadable_fragment_is_tried_four_times_and_then_given_up() {
	let mut disk = Disk::new(100);
	let bad = hash(40, 100);
	disk.unreadable.insert(bad);
	disk.run(PERIOD * 41 / 100);
	assert_eq!(disk.status().suspects, 0);
	let reads: Vec<_> = disk.reads.iter().filter(|(_, hash)| *hash == bad).collect();
	let waits: Vec<_> = reads.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs()).collect();
	assert_eq!(waits, [60, 300, 1800]);
	// The next fragment was read out of turn, so that it is not the disk as a whole.
	assert_eq!(disk.given_up, [bad]);
	assert_eq!((disk.status().unreadable, disk.status().given_up), (1, 1));
	assert_eq!((disk.status().damaged, disk.status().alarm), (0, None));
}

#[test]
fn a_fragment_that_can_be_read_again_is_innocent() {
	let mut disk = Disk::new(100);
	let bad = hash(40, 100);
	disk.unreadable.insert(bad);
	disk.run(PERIOD * 405 / 1000 + Duration::from_secs(400));
	assert_eq!((disk.reads_of(bad), disk.status().suspects), (3, 1));
	// Its tries survive a restart.
	disk.restart(true, Duration::ZERO);
	assert_eq!(disk.status().suspects, 1);
	disk.unreadable.clear();
	disk.run(DAY);
	assert_eq!((disk.reads_of(bad), disk.status().suspects), (4, 0));
	assert!(disk.given_up.is_empty());
}

#[test]
fn the_last_fragment_is_given_up_as_well() {
	let mut disk = Disk::new(100);
	let bad = hash(99, 100);
	disk.unreadable.insert(bad);
	disk.run(PERIOD + DAY / 10);
	assert_eq!(disk.given_up, [bad]);
	assert_eq!(disk.status().alarm, None);
}

#[test]
fn a_loose_cable_costs_no_fragment() {
	let mut disk = Disk::new(100);
	disk.run(DAY);
	disk.unreadable = disk.stored.keys().copied().collect();
	disk.scrub.check(disk.now);
	disk.run(DAY / 2);
	let status = disk.status();
	assert_eq!((status.phase, status.expected_end), (CheckPhase::DiskFailing, None));
	assert!(status.alarm.is_some_and(|alarm| alarm.error.contains("error 5")));
	assert_eq!((status.checked, status.suspects), (4, 4));
	// It is tried now and then: after 1, 2, 4, 8, 15, 15 … minutes.
	let since = disk.reads.len();
	disk.run(DAY / 24);
	assert!((3..=4).contains(&(disk.reads.len() - since)));
	assert!(disk.given_up.is_empty());
	// Somebody looks after the cable.
	disk.unreadable.clear();
	disk.run(DAY / 24);
	let status = disk.status();
	assert_eq!((status.alarm, status.suspects, status.passes), (None, 0, 1));
	assert_eq!(status.last.map(|last| (last.checked, last.damaged)), Some((100, 0)));
	assert!(disk.given_up.is_empty());
}

#[test]
fn a_disk_that_fails_here_and_there_is_failing_too() {
	let mut disk = Disk::new(300);
	disk.unreadable = (0..300).filter(|n| n % 3 == 0).map(|n| hash(n, 300)).collect();
	disk.scrub.check(disk.now);
	disk.run(DAY);
	let status = disk.status();
	assert_eq!((status.phase, status.suspects), (CheckPhase::DiskFailing, 16));
	assert!(disk.given_up.is_empty());
	// It is repaired and the operator asks for a check: it goes on at once.
	disk.unreadable.clear();
	disk.scrub.check(disk.now);
	disk.run(DAY);
	assert_eq!((disk.status().alarm, disk.status().suspects), (None, 0));
	assert_eq!(disk.status().passes, 1);
}

#[test]
fn a_few_bad_sectors_are_no_failing_disk() {
	let mut disk = Disk::new(300);
	disk.unreadable = (0..300).filter(|n| n % 30 == 0).map(|n| hash(n, 300)).collect();
	disk.scrub.check(disk.now);
	disk.run(DAY);
	assert_eq!((disk.status().alarm, disk.given_up.len()), (None, 10));
	assert_eq!(disk.status().last.map(|last| (last.checked, last.unreadable)), Some((300, 10)));
}

#[test]
fn a_store_of_which_nothing_can_be_read_is_on_a_failing_disk() {
	for fragments in 1..=3 {
		let mut disk = Disk::new(fragments);
		disk.unreadable = disk.stored.keys().copied().collect();
		disk.scrub.check(disk.now);
		disk.run(DAY);
		assert_eq!(disk.status().phase, CheckPhase::DiskFailing, "{fragments}");
		assert!(disk.given_up.is_empty());
		disk.unreadable.clear();
		disk.run(DAY);
		assert_eq!((disk.status().alarm, disk.status().suspects), (None, 0), "{fragments}");
	}
}

#[test]
fn suspects_that_are_released_are_forgotten() {
	let mut disk = Disk::new(4);
	disk.unreadable = disk.stored.keys().copied().collect();
	disk.scrub.check(disk.now);
	disk.run(DAY);
	assert_eq!(disk.status().phase, CheckPhase::DiskFailing);
	disk.stored.clear();
	disk.run(DAY);
	assert_eq!((disk.status().alarm, disk.status().suspects), (None, 0));
	disk.run(2 * PERIOD);
	assert!(disk.status().passes >= 2);
}

#[test]
fn a_fragment_that_could_not_be_served_is_looked_at_out_of_turn() {
	let mut disk = Disk::new(100);
	let bad = hash(99, 100);
	disk.unreadable.insert(bad);
	disk.run(DAY);
	for _ in 0..5 {
		disk.scrub.suspect(bad);
	}
	disk.run(DAY);
	assert_eq!((disk.reads_of(bad), &disk.given_up[..]), (4, &[bad][..]));
}

#[test]
fn little_is_saved() {
	let mut disk = Disk::new(100_000);
	disk.scrub.save(disk.now, false);
	let mut saves = 0;
	for _ in 0..3600 {
		disk.run(Duration::from_secs(1));
		if disk.scrub.is_to_be_saved(disk.now) {
			disk.scrub.save(disk.now, false);
			saves += 1;
		}
	}
	assert_eq!(saves, 12);
	let mut idle = Disk::new(0);
	idle.scrub.save(idle.now, false);
	idle.run(DAY);
	assert!(!idle.scrub.is_to_be_saved(idle.now));
}

#[test]
fn a_store_that_fails_is_left_alone_for_a_while() {
	let mut disk = Disk::new(10);
	disk.scrub.check(disk.now);
	disk.scrub.stumbled(disk.now);
	disk.run(Duration::from_secs(59));
	assert!(disk.reads.is_empty());
	disk.run(Duration::from_secs(60));
	assert_eq!(disk.reads.len(), 10);
}
