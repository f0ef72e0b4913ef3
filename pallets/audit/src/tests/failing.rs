// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What failing leads to, and how it heals.

use super::*;
use crate::{Challenges, Error, Event, Level, Parameters, SEED_DELAY};
use frame_support::{BoundedVec, assert_noop, assert_ok, dispatch::Pays};
use pallet_planaria_support::{OpenOrder, Standing};
use planaria_primitives::{FragmentId, MinerId};

/// Has the miner, which holds fragment `miner` of this file, fail a challenge for it.
fn fail(file: &TestFile, miner: u8) {
	let fragment = file.fragment(0, miner);
	// What is being restored is not asked for again.
	let mut segment = Segments::get(file.first).expect("stored");
	segment.restoring = 0;
	Segments::insert(file.first, segment);
	named(fragment);
	blocks(PARAMS.answer_period + 1);
}

/// Has the miner pass a challenge that was drawn.
fn pass(file: &TestFile, miner: u8) {
	let fragment = file.fragment(0, miner);
	let drawn = (0..)
		.find(|number| Audit::drawn(&[5; 32], *number).is_some_and(|(drawn, _)| drawn == fragment));
	Audit::draw(&[5; 32], drawn.expect("found sooner or later"));
	answer(miner.into(), vec![file.answer(fragment)]);
	assert_eq!(challenge_of(fragment), None);
}

/// The strikes of the last event that gave one, with the level and what was slashed.
fn last_strike() -> Option<(u8, Level, u64)> {
	events().into_iter().rev().find_map(|event| match event {
		Event::Struck { strikes, level, slashed, .. } => Some((strikes, level, slashed)),
		_ => None,
	})
}

#[test]
fn the_ladder_is_climbed_step_by_step() {
	execute(|| {
		Parameters::<Test>::mutate(|params| params.reward = 0);
		let file = standard(1);
		let steps = [
			(Level::Warned, 0, Standing::Serving),
			(Level::Suspended, 0, Standing::Suspended),
			// 5 % of what is required, 10, 15, 20.
			(Level::Slashed, 50, Standing::Suspended),
			(Level::Slashed, 100, Standing::Suspended),
			(Level::Slashed, 150, Standing::Suspended),
			(Level::Expelled, 200, EXPELLED),
		];
		let mut sum = 0;
		for (strikes, (level, slashed, after)) in (1..).zip(steps) {
			fail(&file, 3);
			assert_eq!(last_strike(), Some((strikes, level, slashed)));
			sum += slashed;
			assert_eq!((taken(3), standing(3)), (sum, after));
			blocks(PARAMS.strike_window);
		}
		// It is over: nobody asks any more.
		let fragment = file.fragment(0, 3);
		let mut segment = Segments::get(file.first).expect("stored");
		segment.restoring = 0;
		Segments::insert(file.first, segment);
		assert_noop!(Audit::challenge(signed(DAVE), fragment), Error::<Test>::HolderAway);
	});
}

#[test]
fn a_slash_takes_no_more_than_there_is() {
	execute(|| {
		let file = standard(1);
		Parameters::<Test>::mutate(|params| {
			params.slash_share = sp_runtime::Percent::from_percent(60);
			params.reward = 0;
			(params.slash_at, params.expel_at) = (2, 9);
		});
		change(MinerId(3), |m| m.collateral = 1_700);
		let mut slashes = Vec::new();
		for _ in 0..4 {
			fail(&file, 3);
			slashes.extend(last_strike().map(|(_, _, slashed)| slashed));
			blocks(PARAMS.strike_window);
		}
		// 60 % of 1,000, then all of it, of which 1,100 are left, and then 100.
		assert_eq!(slashes, [0, 600, 1_000, 100]);
		assert_eq!(miner(3).collateral, 0);
	});
}

#[test]
fn all_failures_in_a_window_count_once() {
	execute(|| {
		let files: Vec<_> = (0..6).map(standard).collect();
		let fragments: Vec<FragmentId> = files.iter().map(|file| file.fragment(0, 3)).collect();
		for fragment in &fragments[..3] {
			assert_ok!(Audit::challenge(signed(DAVE), *fragment));
		}
		blocks(SEED_DELAY + PARAMS.answer_period + 1);
		assert_eq!(record(3).strikes, 1);
		let struck = record(3).struck;
		assert!(fragments[..3].iter().all(|fragment| is_restoring(*fragment)));
		// Up to the last tick of the window.
		assert_ok!(Audit::challenge(signed(DAVE), fragments[3]));
		let until = struck + PARAMS.strike_window - 1 - PARAMS.answer_period - 1;
		blocks_without_hook(until - Ticks::get() - 1);
		next_block();
		blocks(PARAMS.answer_period + 1);
		assert_eq!(Ticks::get(), struck + PARAMS.strike_window - 1);
		assert_eq!((record(3).strikes, record(3).since), (1, Ticks::get()));
		assert!(is_restoring(fragments[3]));
		// The next one is another.
		named(fragments[4]);
		blocks(PARAMS.answer_period + 1);
		assert_eq!(record(3).strikes, 2);
	});
}

#[test]
fn a_fragment_that_failed_is_to_be_restored_at_once() {
	execute(|| {
		let file = standard(1);
		let (asked, other) = (file.fragment(0, 3), file.fragment(0, 4));
		named(asked);
		blocks(PARAMS.answer_period);
		assert!(!is_restoring(asked));
		next_block();
		assert!(is_restoring(asked) && !is_restoring(other));
	});
}

#[test]
fn who_admits_it_when_asked_has_failed_all_the_same() {
	execute(|| {
		let file = standard(1);
		let fragment = file.fragment(0, 3);
		named(fragment);
		assert_ok!(<World as OpenOrder>::open(fragment));
		blocks(PARAMS.answer_period + 1);
		assert_eq!(last_strike(), Some((1, Level::Warned, 0)));
		assert!(is_restoring(fragment));
	});
}

#[test]
fn it_heals_by_passing_over_time() {
	execute(|| {
		let file = standard(1);
		for _ in 0..2 {
			fail(&file, 3);
			blocks(PARAMS.strike_window);
		}
		let mut segment = Segments::get(file.first).expect("stored");
		segment.restoring = 0;
		Segments::insert(file.first, segment);
		assert_eq!((record(3).strikes, standing(3)), (2, Standing::Suspended));
		let last = record(3).since;
		events();
		blocks_without_hook(last + PARAMS.heal_after - 1 - Ticks::get());
		pass(&file, 3);
		assert_eq!(record(3).strikes, 2);
		blocks_without_hook(1);
		pass(&file, 3);
		let healed = Event::Healed { miner: MinerId(3), strikes: 1 };
		assert!(events().contains(&healed));
		assert_eq!((record(3).strikes, standing(3)), (1, Standing::Serving));
		// One at a time.
		pass(&file, 3);
		assert_eq!(record(3).strikes, 1);
		blocks_without_hook(PARAMS.heal_after);
		pass(&file, 3);
		assert!(record(3).is_clean());
		// Time alone heals nothing, and a strike begins anew.
		fail(&file, 3);
		blocks(2 * PARAMS.heal_after);
		assert_eq!(record(3).strikes, 1);
	});
}

#[test]
fn what_was_named_does_not_heal() {
	execute(|| {
		let file = standard(1);
		fail(&file, 3);
		blocks(2 * PARAMS.heal_after);
		let mut segment = Segments::get(file.first).expect("stored");
		segment.restoring = 0;
		Segments::insert(file.first, segment);
		let fragment = file.fragment(0, 3);
		named(fragment);
		answer(3, vec![file.answer(fragment)]);
		assert_eq!(record(3).strikes, 1);
		pass(&file, 3);
		assert_eq!(record(3).strikes, 0);
	});
}

#[test]
fn a_failure_in_between_puts_healing_off() {
	execute(|| {
		let file = standard(1);
		fail(&file, 3);
		// Not another strike, but not nothing either.
		blocks(20);
		fail(&file, 3);
		let since = record(3).since;
		assert!(since > record(3).struck);
		let mut segment = Segments::get(file.first).expect("stored");
		segment.restoring = 0;
		Segments::insert(file.first, segment);
		blocks_without_hook(record(3).struck + PARAMS.heal_after - Ticks::get());
		pass(&file, 3);
		assert_eq!(record(3).strikes, 1);
		blocks_without_hook(since + PARAMS.heal_after - Ticks::get());
		pass(&file, 3);
		assert_eq!(record(3).strikes, 0);
	});
}

#[test]
fn nobody_is_expelled_while_the_brake_is_engaged() {
	execute(|| {
		let file = standard(1);
		Engaged::put(true);
		for _ in 0..6 {
			fail(&file, 3);
			blocks(PARAMS.strike_window);
		}
		let (strikes, level, _) = last_strike().expect("struck");
		assert_eq!((strikes, level, standing(3)), (6, Level::Slashed, Standing::Suspended));
		Engaged::put(false);
		fail(&file, 3);
		let (strikes, level, _) = last_strike().expect("struck");
		assert_eq!((strikes, level, standing(3)), (7, Level::Expelled, EXPELLED));
	});
}

#[test]
fn a_leaving_miner_is_slashed_like_any_other() {
	execute(|| {
		let file = standard(1);
		set_standing(3, Standing::Leaving { expelled: false });
		for _ in 0..3 {
			fail(&file, 3);
			blocks(PARAMS.strike_window);
		}
		assert_eq!(last_strike().map(|(strikes, ..)| strikes), Some(3));
		assert_eq!(standing(3), Standing::Leaving { expelled: false });
		assert_eq!(taken(3), 3 * PARAMS.reward + 50);
	});
}

#[test]
fn anyone_tidies_up_what_the_agenda_has_not() {
	execute(|| {
		let files: Vec<_> = (0..2).map(standard).collect();
		let fragments: Vec<_> = files.iter().map(|file| file.fragment(0, 3)).collect();
		fragments.iter().for_each(|fragment| named(*fragment));
		let tidy = |fragments: &[FragmentId]| {
			let fragments = BoundedVec::truncate_from(fragments.to_vec());
			Audit::tidy(signed(DAVE), MinerId(3), fragments)
		};
		assert_noop!(tidy(&[]), Error::<Test>::NothingToTidy);
		assert_noop!(tidy(&fragments), Error::<Test>::NotOverdue);
		let first = challenge_of(fragments[0]).expect("challenged").deadline;
		blocks_without_hook(first + 1 - Ticks::get());
		// One of the two is overdue.
		assert_eq!(tidy(&fragments).map(|info| info.pays_fee), Ok(Pays::Yes));
		assert_eq!((challenge_of(fragments[0]), record(3).strikes), (None, 1));
		blocks_without_hook(PARAMS.answer_period);
		assert_eq!(tidy(&fragments[1..]).map(|info| info.pays_fee), Ok(Pays::No));
		assert_noop!(tidy(&fragments), Error::<Test>::NotChallenged);
		assert_eq!(Challenges::<Test>::iter().count(), 0);
	});
}

#[test]
fn who_has_departed_is_forgotten() {
	execute(|| {
		let file = standard(1);
		fail(&file, 3);
		let other = standard(2);
		named(other.fragment(0, 3));
		depart(3);
		// What it was asked lapses.
		assert_eq!((record(3).strikes, record(3).open), (0, 1));
		blocks(PARAMS.answer_period + 1);
		assert_eq!(crate::Records::<Test>::iter().count(), 0);
		assert_eq!(held(DAVE), 0);
	});
}
