// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What anybody may do for the network: no I/O and no clock.
//!
//! Many find the same chores. Which of them goes ahead is decided by the worker, by chance in each
//! block; here each miner picks others of a kind where there are many.

use crate::{chain::MinerRow, finder::Finder};
use codec::Encode;
use planaria_primitives::{
	SegmentId, Tick,
	mailbox::{Chore, Done},
};
use planaria_runtime_api::{MinerStanding, NetworkStatus, VerdictStatus};
use std::collections::BTreeSet;

/// How many chores of a kind are picked.
pub const MAX_OF_A_KIND: usize = 16;

/// What is due on the best block, the most urgent first, at most [`Done::MAX_CHORES`]: what lets
/// others restore, verdicts, what lets a miner go, and what is only untidy.
///
/// The segments with `verdicts` have been looked up for the finder.
pub fn due(
	network: &NetworkStatus,
	miners: &[MinerRow],
	verdicts: &[(SegmentId, VerdictStatus)],
	finder: &Finder,
) -> Vec<Chore> {
	let of_miners = |is_due: fn(&MinerRow, &NetworkStatus) -> bool| {
		miners.iter().filter(move |row| is_due(row, network)).map(|row| row.miner)
	};
	let untidy = finder.worklist().untidy(finder.targets(), network.tick);
	let kinds: [Vec<Chore>; 5] = [
		of_miners(is_overdue).map(Chore::MarkAbsent).collect(),
		to_judge(network.tick, verdicts, finder).map(Chore::CheckSegment).collect(),
		of_miners(is_long_absent).map(Chore::ExpelAbsent).collect(),
		of_miners(has_left).map(Chore::Finish).collect(),
		untidy.map(Chore::Tidy).collect(),
	];
	let mut picked = Vec::new();
	for mut kind in kinds {
		kind.sort_by_cached_key(|chore| *blake3::hash(&(chore, finder.me()).encode()).as_bytes());
		picked.extend(kind.into_iter().take(MAX_OF_A_KIND));
	}
	picked.truncate(Done::MAX_CHORES);
	picked
}

/// Whether a miner was not seen for so long that it may be marked absent.
fn is_overdue(row: &MinerRow, network: &NetworkStatus) -> bool {
	row.absent.is_none()
		&& !matches!(row.standing, MinerStanding::Expelled | MinerStanding::Departed)
		&& network.tick.saturating_sub(row.last_seen) > network.absent_after
}

/// Whether a miner has been absent for so long that it may be expelled.
fn is_long_absent(row: &MinerRow, network: &NetworkStatus) -> bool {
	!network.braked
		&& row.absent.is_some_and(|since| network.tick.saturating_sub(since) > network.absent_max)
}

/// Whether a miner that leaves has nothing left to move.
fn has_left(row: &MinerRow, _: &NetworkStatus) -> bool {
	row.idle && matches!(row.standing, MinerStanding::Leaving | MinerStanding::Expelled)
}

/// Segments whose verdict is not what their fragments say: none although they cannot be restored,
/// one although they can, a countdown that is over.
fn to_judge<'a>(
	now: Tick,
	verdicts: &'a [(SegmentId, VerdictStatus)],
	finder: &'a Finder,
) -> impl Iterator<Item = SegmentId> + 'a {
	let (worklist, targets) = (finder.worklist(), finder.targets());
	let judged: BTreeSet<SegmentId> = verdicts.iter().map(|(id, _)| *id).collect();
	let unjudged = worklist.unrestorable(targets).filter(move |id| !judged.contains(id));
	let outdated = verdicts.iter().filter(move |(id, verdict)| {
		// One that is not on the list, although it was looked up, is whole.
		let restorable =
			!worklist.contains(*id) || worklist.spare(*id, targets).is_some_and(|spare| spare >= 0);
		let over = matches!(verdict, VerdictStatus::Suspected { deadline } if *deadline < now);
		restorable || over
	});
	unjudged.chain(outdated.map(|(id, _)| *id))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::finder::FinderConfig;
	use planaria_primitives::{FileIndex, MinerId, Segment};
	use std::time::Duration;

	const CONFIG: FinderConfig = FinderConfig {
		capacity: 10,
		lazy_max: 10,
		pass_every: Duration::from_secs(60),
		pass_pause: Duration::from_secs(6),
		shelve_for: Duration::from_secs(60),
	};

	fn network() -> NetworkStatus {
		NetworkStatus {
			height: 1,
			tick: 1000,
			running: true,
			slot_millis: 6000,
			claim_period: 100,
			absent_after: 100,
			absent_max: 500,
			braked: false,
			miners: 4,
			files_ever: 1,
			segments_ever: 1,
		}
	}

	fn row(miner: u32, standing: MinerStanding) -> MinerRow {
		MinerRow {
			miner: MinerId(miner),
			standing,
			since: 900,
			absent: None,
			last_seen: 950,
			fragments: 1,
			idle: false,
		}
	}

	fn finder(miners: &[MinerRow]) -> Finder {
		let mut finder = Finder::new(MinerId(0), CONFIG);
		finder.observe(miners, 1000, 1);
		finder
	}

	#[test]
	fn of_many_chores_each_miner_picks_others() {
		let overdue = |miner| MinerRow { last_seen: 0, ..row(miner, MinerStanding::Serving) };
		let rows: Vec<_> = (0..1000).map(overdue).collect();
		let picked = |me| due(&network(), &rows, &[], &Finder::new(MinerId(me), CONFIG));
		assert_eq!(picked(1).len(), MAX_OF_A_KIND);
		assert_eq!(picked(1), picked(1));
		assert_ne!(picked(1), picked(2));
	}

	#[test]
	fn miners_are_marked_expelled_and_let_go_when_they_may_be() {
		let absent =
			|miner, since| MinerRow { absent: Some(since), ..row(miner, MinerStanding::Absent) };
		let idle = |miner, standing| MinerRow { idle: true, ..row(miner, standing) };
		let rows = [
			row(1, MinerStanding::Serving),
			MinerRow { last_seen: 899, ..row(2, MinerStanding::Serving) },
			MinerRow { last_seen: 899, ..row(3, MinerStanding::Leaving) },
			MinerRow { last_seen: 0, ..row(4, MinerStanding::Expelled) },
			absent(5, 500),
			absent(6, 499),
			idle(7, MinerStanding::Leaving),
			idle(8, MinerStanding::Expelled),
			idle(9, MinerStanding::Serving),
		];
		let finder = finder(&rows);
		let mut network = network();
		let mut found = due(&network, &rows, &[], &finder);
		// Within a kind any order will do.
		found.sort();
		let mark = |miner| Chore::MarkAbsent(MinerId(miner));
		let finish = |miner| Chore::Finish(MinerId(miner));
		let expel = Chore::ExpelAbsent(MinerId(6));
		assert_eq!(found, [mark(2), mark(3), expel, finish(7), finish(8)]);
		network.braked = true;
		assert!(!due(&network, &rows, &[], &finder).contains(&expel));
	}

	#[test]
	fn verdicts_that_do_not_fit_are_to_be_judged() {
		let rows = [MinerRow { absent: Some(900), ..row(2, MinerStanding::Absent) }];
		let mut finder = finder(&rows);
		let mut segment = Segment::unplaced(FileIndex(0), 3);
		(0..3).for_each(|index| segment.holders.set(index, MinerId(2)));
		segment.confirmed = 0b111;
		finder.read_segments([(SegmentId(0), Some(segment))]);
		finder.read_files([(
			FileIndex(0),
			Some(crate::chain::FileRow {
				size: 100,
				coding: planaria_primitives::CodingParams::LEAN,
				first_segment: SegmentId(0),
				alive: true,
			}),
		)]);
		let due = |verdicts: &[(u64, VerdictStatus)]| {
			let verdicts: Vec<_> =
				verdicts.iter().map(|(id, verdict)| (SegmentId(*id), *verdict)).collect();
			due(&network(), &rows, &verdicts, &finder)
		};
		let check = |id| Chore::CheckSegment(SegmentId(id));
		let suspected = |deadline| VerdictStatus::Suspected { deadline };
		assert_eq!(due(&[]), [check(0)]);
		assert_eq!(due(&[(0, suspected(1000))]), []);
		assert_eq!(due(&[(0, suspected(999))]), [check(0)]);
		assert_eq!(due(&[(0, VerdictStatus::Lost { since: 1 })]), []);
		// One that has nothing to restore is not lost.
		assert_eq!(due(&[(0, suspected(1000)), (1, suspected(1000))]), [check(1)]);
	}
}
