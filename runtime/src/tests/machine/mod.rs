// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Anything anybody might do, in any order, on the whole runtime: users, miners, failures and
//! blocks. After every step the invariants hold, no funds appear or vanish, and no fragment has
//! two truths.
//!
//! `PROPTEST_CASES` says how many games are played, a fixed number otherwise. What fails shrinks
//! to a short list of steps.

mod acts;
mod content;
mod op;
pub mod parties;
mod view;
pub mod world;

use op::{Op, ops};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use world::{Tally, World};

/// Steps of a game at most: enough for a miner to be away, to be expelled and to depart.
const STEPS: usize = 400;

/// Games where nothing else is said.
const CASES: u32 = 16;

fn play(steps: &[Op], tally: &mut Tally) {
	World::run(|world| {
		for op in steps {
			let outcome = world.step(op);
			tally.count(op.kind(), outcome);
		}
	});
}

fn config(cases: u32) -> Config {
	// A number in the environment is part of the default.
	let cases =
		if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
	Config { cases, max_shrink_iters: 1_000, failure_persistence: None, ..Config::default() }
}

fn played(mut runner: TestRunner) -> Tally {
	let tally = RefCell::new(Tally::default());
	let result = runner.run(&ops(STEPS), |steps| {
		play(&steps, &mut tally.borrow_mut());
		Ok(())
	});
	if let Err(error) = result {
		panic!("{error}");
	}
	tally.into_inner()
}

#[test]
fn whatever_happens_the_invariants_hold() {
	played(TestRunner::new(config(CASES)));
}

/// The games are worth playing: most of what is tried is done, and all of it happens.
#[test]
fn most_of_what_is_tried_is_done() {
	let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
	let tally = played(TestRunner::new_with_rng(config(CASES), rng));
	for (kind, [idle, refused, done]) in tally.kinds() {
		println!("{kind:>14}: {done:>5} done, {refused:>4} refused, {idle:>5} with nothing to do");
	}
	for (kind, [_, refused, done]) in tally.kinds() {
		// Whatever comes to mind is refused more often than not.
		let most = if kind == "Wild" { 20 } else { 2 };
		// A loss takes more blocks than most games have; the tests of restore settle some.
		assert!(done > 0 || kind == "SettleLoss", "{kind} was never done");
		assert!(refused <= done * most, "{kind} was refused {refused} times and done {done} times");
	}
	assert_eq!(tally.kinds().count(), 53, "a kind of step never came");
}
