// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Suspected lost, lost, found.

use super::{lean, standard};
use crate::{Error, Event, LOSS_PERIODS, OrderState, Verdict, Verdicts, mock::*};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use pallet_planaria_support::{Clock, FileState, Standing};
use planaria_primitives::{FragmentId, MinerId, SegmentId, sampling, segment::bit};

const COUNTDOWN: u32 = LOSS_PERIODS * PERIOD;

fn verdict(file: &TestFile) -> Option<Verdict> {
	Verdicts::<Test>::get(file.fragment(0, 0).segment)
}

fn open(file: &TestFile, indices: &[u8]) {
	for index in indices {
		let holder = holder(file.fragment(0, *index)).expect("held");
		assert_ok!(Restore::open(by(holder.0), list([file.fragment(0, *index)])));
	}
}

fn cancel(file: &TestFile, index: u8) {
	let (fragment, at) = (file.fragment(0, index), System::block_number());
	let beacon = World::beacon_at(at).expect("known");
	let chunk = sampling::chunk(&beacon, &fragment, file.spec.chunks(0));
	let holder = holder(fragment).expect("held").0;
	assert_ok!(Restore::cancel(by(holder), fragment, at, file.proof_of(fragment, chunk)));
}

fn restore(file: &TestFile, fragment: FragmentId, by: u32) {
	assert_ok!(Restore::claim(self::by(by), list([fragment])));
	ready(by, &[fragment]);
	blocks(crate::SEED_DELAY);
	report(by, proofs(by, &[file]));
	assert_eq!(holder(fragment), Some(MinerId(by)));
}

/// Seed 000: "more than 1/3 of its file fragments are under restoration".
#[test]
fn more_than_a_third_under_restoration_is_suspected_lost() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		open(&file, &[0]);
		assert_eq!(verdict(&file), None);
		events();
		open(&file, &[1]);
		let deadline = 1 + COUNTDOWN;
		assert_eq!(verdict(&file), Some(Verdict::Suspected { deadline }));
		assert_eq!(events()[1], Event::SuspectedLost { segment, deadline });
		// The countdown does not begin anew.
		blocks(3);
		open(&file, &[2]);
		assert_eq!(verdict(&file), Some(Verdict::Suspected { deadline }));
		// One back is not enough, two are.
		cancel(&file, 0);
		assert_eq!(verdict(&file), Some(Verdict::Suspected { deadline }));
		events();
		cancel(&file, 1);
		assert_eq!(verdict(&file), None);
		assert_eq!(events()[1], Event::SuspicionCleared { segment });
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 0);
	});
}

#[test]
fn a_restored_fragment_clears_the_suspicion() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		restore(&file, file.fragment(0, 0), 9);
		assert_eq!(verdict(&file), None);
	});
}

#[test]
fn eight_of_twelve_may_be_gone() {
	execute(|| {
		let file = &standard(1)[0];
		(0..8).for_each(|miner| set_standing(miner, Standing::Absent));
		let segment = file.fragment(0, 0).segment;
		assert_ok!(Restore::check_segment(RuntimeOrigin::signed(5), segment));
		assert_eq!(verdict(file), None);
		set_standing(8, Standing::Leaving { expelled: true });
		assert_ok!(Restore::check_segment(RuntimeOrigin::signed(5), segment));
		assert_eq!(verdict(file), Some(Verdict::Suspected { deadline: 1 + COUNTDOWN }));
		set_standing(3, Standing::Serving);
		assert_ok!(Restore::check_segment(RuntimeOrigin::signed(5), segment));
		assert_eq!(verdict(file), None);
		let nowhere = Restore::check_segment(RuntimeOrigin::signed(5), SegmentId(999));
		assert_noop!(nowhere, Error::<Test>::FragmentNotFound);
	});
}

#[test]
fn what_a_leaving_miner_still_serves_is_present() {
	execute(|| {
		let file = lean();
		(0..3).for_each(|miner| set_standing(miner, Standing::Leaving { expelled: false }));
		for (index, claimer) in [(0, 10), (1, 11), (2, 12)] {
			assert_ok!(Restore::open(by(claimer), list([file.fragment(0, index)])));
		}
		assert_eq!(verdict(&file), None);
	});
}

#[test]
fn who_came_back_is_present_whatever_others_have_claimed() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		(0..2).for_each(|miner| set_standing(miner, Standing::Absent));
		assert_ok!(Restore::check_segment(by(5), segment));
		blocks(COUNTDOWN - 1);
		// These claims outlast the countdown.
		for (index, claimer) in [(0, 10), (1, 11)] {
			assert_ok!(Restore::open(by(claimer), list([file.fragment(0, index)])));
		}
		assert!(matches!(verdict(&file), Some(Verdict::Suspected { .. })));
		(0..2).for_each(|miner| set_standing(miner, Standing::Serving));
		blocks(3);
		assert_eq!((verdict(&file), file.lost()), (None, 0));
		assert_eq!((miner(0).fragments, miner(1).fragments), (1, 1));
	});
}

#[test]
fn the_countdown_ends_in_the_verdict() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		let segment = file.fragment(0, 0).segment;
		blocks(COUNTDOWN);
		assert_ok!(Restore::check_segment(by(5), segment));
		assert!(matches!(verdict(&file), Some(Verdict::Suspected { .. })));
		events();
		blocks(crate::SEED_DELAY);
		let since = 1 + COUNTDOWN + 1;
		assert_eq!(verdict(&file), Some(Verdict::Lost { since }));
		assert_eq!(file.lost(), 1);
		assert_eq!(
			events(),
			[
				Event::SegmentLost { segment },
				Event::FragmentVacated { fragment: file.fragment(0, 0), from: MinerId(0) },
				Event::FragmentVacated { fragment: file.fragment(0, 1), from: MinerId(1) },
			]
		);
		// Their holders are free of them; nothing is deleted, and the orders stay.
		assert_eq!((miner(0).fragments, miner(1).fragments, miner(2).fragments), (0, 0, 1));
		assert_eq!(state(file.fragment(0, 0)), Some(OrderState::Unclaimed));
		// It is counted once.
		assert_ok!(Restore::check_segment(by(5), segment));
		blocks(10);
		assert_eq!(file.lost(), 1);
	});
}

#[test]
fn anybody_ends_the_countdown_where_the_agenda_is_late() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		blocks_without_agenda(COUNTDOWN + 1);
		assert_ok!(Restore::check_segment(by(5), file.fragment(0, 0).segment));
		assert!(matches!(verdict(&file), Some(Verdict::Lost { .. })));
		blocks(crate::SEED_DELAY);
		assert_eq!(file.lost(), 1);
	});
}

#[test]
fn a_late_task_finds_a_segment_that_is_whole_again() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		blocks_without_agenda(COUNTDOWN + 1);
		// Restored in the very block in which the countdown has ended.
		cancel(&file, 1);
		assert_eq!(verdict(&file), None);
		blocks(crate::SEED_DELAY);
		assert_eq!(file.lost(), 0);
		// A new suspicion has its own countdown, whatever tasks the first has left.
		open(&file, &[1]);
		blocks(COUNTDOWN);
		assert!(matches!(verdict(&file), Some(Verdict::Suspected { .. })));
		blocks(crate::SEED_DELAY);
		assert!(matches!(verdict(&file), Some(Verdict::Lost { .. })));
	});
}

#[test]
fn a_lost_segment_is_found_when_somebody_still_has_a_fragment() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		blocks(COUNTDOWN + 1);
		let segment = file.fragment(0, 0).segment;
		assert_eq!(file.lost(), 1);
		// The former holder looks again and finds it. It cannot cancel, nor take its sibling's…
		let at = System::block_number();
		let cancelled = Restore::cancel(by(0), file.fragment(0, 0), at, Default::default());
		assert_noop!(cancelled, Error::<Test>::NotHolder);
		events();
		// …but it claims and proves it like everybody else.
		restore(&file, file.fragment(0, 0), 0);
		assert_eq!(verdict(&file), None);
		assert_eq!(file.lost(), 0);
		let events = events();
		let restored =
			Event::FragmentRestored { fragment: file.fragment(0, 0), from: None, to: MinerId(0) };
		assert_eq!(events[events.len() - 2..], [restored, Event::SegmentFound { segment }]);
		// And with two fragments the third is restored too.
		restore(&file, file.fragment(0, 1), 9);
		assert_eq!(Segments::get(segment).expect("stored").restoring, 0);
	});
}

#[test]
fn a_claim_goes_on_when_its_segment_is_lost_in_the_middle_of_it() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 0);
		open(&file, &[0, 1]);
		blocks(COUNTDOWN - 2);
		assert_ok!(Restore::claim(by(9), list([fragment])));
		assert_ok!(Restore::claim(by(8), list([file.fragment(0, 1)])));
		ready(9, &[fragment]);
		blocks(crate::SEED_DELAY + 1);
		assert_eq!((file.lost(), holder(fragment)), (1, None));
		events();
		report(9, proofs(9, &[&file]));
		assert_eq!((file.lost(), holder(fragment)), (0, Some(MinerId(9))));
		let restored = Event::FragmentRestored { fragment, from: None, to: MinerId(9) };
		let segment = fragment.segment;
		assert_eq!(events(), [restored, Event::SegmentFound { segment }]);
		// The other has its claim to the end, and pays like anybody else.
		blocks(PERIOD);
		assert_eq!(collateral(8), Miner::default().collateral - PENALTY);
	});
}

#[test]
fn a_lost_segment_is_found_when_its_holders_come_back() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		set_standing(0, Standing::Absent);
		set_standing(1, Standing::Absent);
		// One of them has an order, one has not.
		assert_ok!(Restore::open(by(9), list([file.fragment(0, 0)])));
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 1);
		assert_eq!(
			(holder(file.fragment(0, 0)), holder(file.fragment(0, 1))),
			(None, Some(MinerId(1)))
		);
		set_standing(0, Standing::Serving);
		set_standing(1, Standing::Serving);
		assert_ok!(Restore::check_segment(by(5), segment));
		assert_eq!(verdict(&file), None);
		assert_eq!(file.lost(), 0);
		// The vacated one has nobody it could be void for: its former holder restores it.
		assert_noop!(
			Restore::tidy(by(5), list([file.fragment(0, 0)])),
			Error::<Test>::NothingToTidy
		);
		restore(&file, file.fragment(0, 0), 0);
	});
}

#[test]
fn a_leaving_miner_keeps_what_the_others_need() {
	execute(|| {
		let file = lean();
		set_standing(2, Standing::Leaving { expelled: false });
		open(&file, &[0, 1]);
		assert_ok!(Restore::open(by(9), list([file.fragment(0, 2)])));
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 1);
		let holders: Vec<_> = (0..3).map(|index| holder(file.fragment(0, index))).collect();
		assert_eq!(holders, [None, None, Some(MinerId(2))]);
		// Expelled, it does not: a fragment of a lost segment must not keep it from finishing.
		set_standing(2, Standing::Leaving { expelled: true });
		assert_ok!(Restore::check_segment(by(5), file.fragment(0, 0).segment));
		assert_eq!(holder(file.fragment(0, 2)), None);
		assert_eq!(miner(2).fragments, 0);
	});
}

#[test]
fn what_is_opened_in_a_lost_segment_is_vacated() {
	execute(|| {
		let file = &standard(1)[0];
		open(file, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 1);
		open(file, &[9]);
		assert_eq!(holder(file.fragment(0, 9)), None);
		assert_eq!(miner(9).fragments, 0);
	});
}

/// As many writes as a segment has fragments are not part of any item of a call.
#[test]
fn a_countdown_ends_by_the_agenda_or_a_check() {
	execute(|| {
		let file = &standard(1)[0];
		open(file, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
		blocks_without_agenda(COUNTDOWN + 1);
		open(file, &[9]);
		assert!(matches!(verdict(file), Some(Verdict::Suspected { .. })));
		assert_ok!(Restore::check_segment(by(5), file.fragment(0, 0).segment));
		assert_eq!(file.lost(), 1);
		assert!((0..10).all(|index| holder(file.fragment(0, index)).is_none()));
	});
}

#[test]
fn an_item_of_a_call_vacates_one_fragment() {
	execute(|| {
		let file = &standard(1)[0];
		open(file, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
		(10..12).for_each(|miner| set_standing(miner, Standing::Leaving { expelled: false }));
		assert_ok!(Restore::open(by(12), list([file.fragment(0, 10)])));
		assert_ok!(Restore::open(by(13), list([file.fragment(0, 11)])));
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 1);
		(10..12).for_each(|miner| set_standing(miner, Standing::Leaving { expelled: true }));
		let held = || (9..12).filter(|index| holder(file.fragment(0, *index)).is_some()).count();
		assert_eq!(held(), 3);
		open(file, &[9]);
		assert_eq!(held(), 2);
		assert_ok!(Restore::check_segment(by(5), file.fragment(0, 0).segment));
		assert_eq!(held(), 0);
	});
}

#[test]
fn a_segment_that_was_never_whole_is_not_judged() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		file.set_state(FileState::Pending);
		let mut record = Segments::get(segment).expect("stored");
		record.confirmed = bit(0);
		Segments::insert(segment, &record);
		assert_ok!(Restore::check_segment(by(5), segment));
		assert_ok!(Restore::open(by(0), list([file.fragment(0, 0)])));
		assert_eq!(verdict(&file), None);
		// Once it is, it is.
		record.confirmed = 0b111;
		record.restoring = bit(0);
		Segments::insert(segment, &record);
		set_standing(1, Standing::Absent);
		assert_ok!(Restore::check_segment(by(5), segment));
		assert!(matches!(verdict(&file), Some(Verdict::Suspected { .. })));
	});
}

#[test]
fn a_check_that_changes_something_is_free() {
	execute(|| {
		let file = lean();
		let segment = file.fragment(0, 0).segment;
		let check = || {
			let due = Restore::is_misjudged(segment);
			let info = Restore::check_segment(by(5), segment).expect("there is such a segment");
			assert_eq!(info.pays_fee == Pays::No, due);
			due
		};
		assert!(!check());
		// Nobody is told when a miner turns absent.
		set_standing(0, Standing::Absent);
		set_standing(1, Standing::Absent);
		assert!(check());
		assert!(!check());
		set_standing(1, Standing::Serving);
		assert!(check());
		assert_eq!(verdict(&file), None);
		set_standing(1, Standing::Absent);
		assert!(check());
		blocks_without_agenda(COUNTDOWN);
		assert!(!check());
		blocks_without_agenda(1);
		assert!(check());
		assert_eq!(file.lost(), 1);
		assert!(!check());
		// What a miner that leaves still holds of it is to be taken off once it is expelled.
		set_standing(2, Standing::Leaving { expelled: false });
		assert_ok!(Restore::open(by(9), list([file.fragment(0, 2)])));
		assert!(!check());
		set_standing(2, Standing::Leaving { expelled: true });
		assert!(check());
		assert!(!check());
		(0..2).for_each(|miner| set_standing(miner, Standing::Serving));
		assert!(check());
		assert_eq!(file.lost(), 0);
	});
}

#[test]
fn a_file_that_is_gone_is_not_judged() {
	execute(|| {
		let file = lean();
		open(&file, &[0, 1]);
		file.set_state(FileState::Deleting);
		blocks(COUNTDOWN + 1);
		assert_eq!(file.lost(), 0);
		file.remove_segment(0);
		assert_eq!(verdict(&file), None);
	});
}
