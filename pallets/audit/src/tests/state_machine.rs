// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Anything anybody might do, in any order: the invariants hold after every step.

use super::standard;
use crate::{AgendaTasks, Answer, Challenges, Event, Parameters, Records, Requests, mock::*};
use frame_support::BoundedVec;
use pallet_planaria_support::{FileState, OnConfirmed, OpenOrder, Standing};
use planaria_primitives::{CodingParams, FragmentId, MinerId};
use proptest::{
	prelude::*,
	sample::Index,
	test_runner::{Config, TestRunner},
};
use std::{cell::RefCell, collections::BTreeSet};

/// Miners 0 to 11 hold fragments, 12 to 15 may come to.
const MINERS: u32 = 16;

#[derive(Clone, Debug)]
enum Step {
	Name {
		by: u64,
		fragment: Index,
	},
	Draw {
		number: u64,
	},
	Confirm {
		miner: u32,
		fragments: Vec<Index>,
	},
	/// The holders answer some of the open challenges; a wrong bit for some.
	Answer {
		challenges: Vec<(Index, bool)>,
	},
	Stray {
		miner: u32,
		fragment: Index,
	},
	Tidy {
		challenges: Vec<Index>,
	},
	Standing {
		miner: u32,
		standing: Standing,
	},
	Move {
		fragment: Index,
		to: u32,
	},
	Open {
		fragment: Index,
	},
	Restored {
		fragment: Index,
	},
	Delete {
		file: usize,
	},
	Remove {
		file: usize,
	},
	Depart {
		miner: u32,
	},
	Brake {
		engaged: bool,
	},
	Blocks {
		count: u32,
		hook: bool,
	},
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
	let standing = prop_oneof![
		6 => Just(Standing::Serving),
		2 => Just(Standing::Absent),
		1 => Just(Standing::Leaving { expelled: false }),
		1 => Just(EXPELLED),
	];
	let index = any::<Index>;
	let step = prop_oneof![
		30 => (prop_oneof![Just(DAVE), Just(ERIN)], index())
			.prop_map(|(by, fragment)| Step::Name { by, fragment }),
		20 => (0..1_000u64).prop_map(|number| Step::Draw { number }),
		8 => (0..MINERS, prop::collection::vec(index(), 1..5))
			.prop_map(|(miner, fragments)| Step::Confirm { miner, fragments }),
		25 => prop::collection::vec((index(), prop::bool::weighted(0.9)), 1..5)
			.prop_map(|challenges| Step::Answer { challenges }),
		2 => (0..MINERS, index()).prop_map(|(miner, fragment)| Step::Stray { miner, fragment }),
		5 => prop::collection::vec(index(), 0..4).prop_map(|challenges| Step::Tidy { challenges }),
		6 => (0..MINERS, standing).prop_map(|(miner, standing)| Step::Standing { miner, standing }),
		4 => (index(), 12..MINERS).prop_map(|(fragment, to)| Step::Move { fragment, to }),
		2 => index().prop_map(|fragment| Step::Open { fragment }),
		10 => index().prop_map(|fragment| Step::Restored { fragment }),
		1 => (0..4usize).prop_map(|file| Step::Delete { file }),
		1 => (0..4usize).prop_map(|file| Step::Remove { file }),
		1 => (0..MINERS).prop_map(|miner| Step::Depart { miner }),
		1 => any::<bool>().prop_map(|engaged| Step::Brake { engaged }),
		40 => (prop_oneof![8 => 1..8u32, 2 => 8..80u32], prop::bool::weighted(0.8))
			.prop_map(|(count, hook)| Step::Blocks { count, hook }),
	];
	prop::collection::vec(step, 1..150)
}

struct Machine {
	files: Vec<TestFile>,
}

impl Machine {
	fn new() -> Self {
		let mut files: Vec<_> = (0..3).map(standard).collect();
		files.push(TestFile::new(50, 100_000, CodingParams::LEAN).store(&[0, 1, 2]));
		// Short enough for the game.
		Parameters::<Test>::mutate(|params| {
			(params.strike_window, params.heal_after) = (20, 40);
		});
		Self { files }
	}

	/// The fragments that there are still, of all files.
	fn fragments(&self) -> Vec<FragmentId> {
		let of = |file: &TestFile| {
			let file = file.clone();
			(0..file.spec.fragments()).map(move |index| file.fragment(0, index))
		};
		let all = self.files.iter().flat_map(of);
		all.filter(|fragment| Segments::contains_key(fragment.segment)).collect()
	}

	fn file_of(&self, fragment: FragmentId) -> &TestFile {
		self.files.iter().find(|file| file.first == fragment.segment).expect("one of these")
	}

	fn pick(&self, index: &Index) -> Option<FragmentId> {
		one_of(index, self.fragments())
	}

	/// Does the step; calls that are refused are part of the game.
	fn run(&self, step: &Step) {
		match step {
			Step::Name { by, fragment } => {
				let Some(fragment) = self.pick(fragment) else { return };
				let _ = Audit::challenge(signed(*by), fragment);
			},
			Step::Draw { number } => Audit::draw(&[1; 32], *number),
			Step::Confirm { miner, fragments } => {
				let picked: Vec<_> =
					fragments.iter().filter_map(|index| self.pick(index)).collect();
				if !picked.is_empty() {
					Audit::on_confirmed(MinerId(*miner), picked);
				}
			},
			Step::Answer { challenges } => {
				for (index, right) in challenges {
					let all = Challenges::<Test>::iter().collect();
					let Some((miner, fragment, challenge)) = one_of(index, all) else { return };
					let mut proof = self.file_of(fragment).proof_of(fragment, challenge.chunk);
					if !right {
						proof.0[0] ^= 1;
					}
					if Miners::contains_key(miner) {
						answer(miner.0, vec![Answer { fragment, proof }]);
						let open = Challenges::<Test>::contains_key(miner, fragment);
						assert!(*right || open, "a wrong proof answers nothing");
					}
				}
			},
			Step::Stray { miner, fragment } => {
				let Some(fragment) = self.pick(fragment) else { return };
				if Miners::contains_key(MinerId(*miner)) {
					let proof = self.file_of(fragment).proof_of(fragment, 0);
					answer(*miner, vec![Answer { fragment, proof }]);
				}
			},
			Step::Tidy { challenges } => {
				let all: Vec<_> =
					Challenges::<Test>::iter().map(|(miner, id, _)| (miner, id)).collect();
				let picked: Vec<_> =
					challenges.iter().filter_map(|index| one_of(index, all.clone())).collect();
				let miner = picked.first().map_or(MinerId(0), |(miner, _)| *miner);
				let fragments = picked.into_iter().map(|(_, fragment)| fragment).collect();
				let _ = Audit::tidy(signed(DAVE), miner, BoundedVec::truncate_from(fragments));
			},
			Step::Standing { miner, standing } => {
				if Miners::contains_key(MinerId(*miner)) {
					set_standing(*miner, *standing);
				}
			},
			Step::Move { fragment, to } => {
				let Some(fragment) = self.pick(fragment) else { return };
				change_segment(fragment, |segment| {
					if segment.index_of(MinerId(*to)).is_none() {
						segment.holders.set(fragment.index, MinerId(*to));
					}
				});
			},
			Step::Open { fragment } => {
				let Some(fragment) = self.pick(fragment) else { return };
				let _ = <World as OpenOrder>::open(fragment);
			},
			Step::Restored { fragment } => {
				let Some(fragment) = self.pick(fragment) else { return };
				change_segment(fragment, |segment| segment.restoring = 0);
			},
			Step::Delete { file } => {
				self.files[*file].set_state(FileState::Deleting);
			},
			Step::Remove { file } => {
				let file = &self.files[*file];
				let state = Files::get(file.index).expect("stored").state;
				if !state.is_alive() && Segments::contains_key(file.first) {
					remove_segment(file.first);
				}
			},
			Step::Depart { miner } => depart(*miner),
			Step::Brake { engaged } => Engaged::put(engaged),
			Step::Blocks { count, hook: true } => blocks(*count),
			Step::Blocks { count, hook: false } => blocks_without_hook(*count),
		}
	}
}

fn change_segment(fragment: FragmentId, f: impl FnOnce(&mut planaria_primitives::Segment)) {
	let mut segment = Segments::get(fragment.segment).expect("there still");
	f(&mut segment);
	Segments::insert(fragment.segment, segment);
}

fn one_of<Item: Clone>(index: &Index, from: Vec<Item>) -> Option<Item> {
	(!from.is_empty()).then(|| index.get(&from).clone())
}

/// All the money there is, in accounts and at stake.
fn money() -> u64 {
	let collateral: u64 = Miners::iter_values().map(|miner| miner.collateral).sum();
	Balances::total_issuance() + collateral
}

/// Plays the game; returns the kinds of events there were.
fn play(steps: &[Step]) -> BTreeSet<String> {
	let mut kinds = BTreeSet::new();
	new_test_ext().execute_with(|| {
		let machine = Machine::new();
		let mut departed = 0;
		let before = money();
		let mut slashed = 0;
		for step in steps {
			if let Step::Depart { miner } = step {
				departed += Miners::get(MinerId(*miner)).map_or(0, |miner| miner.collateral);
			}
			machine.run(step);
			check();
			for event in events() {
				if let Event::Struck { slashed: amount, .. } = &event {
					slashed += amount;
				}
				kinds.insert(
					format!("{event:?}").split([' ', '{']).next().expect("a name").to_owned(),
				);
			}
			// Nothing is created, and nothing goes but what is slashed.
			assert_eq!(money() + slashed + departed, before);
		}
		// In the end every question has had its answer, and every deposit is with somebody.
		blocks(200);
		check();
		assert_eq!(Challenges::<Test>::iter().count() + Requests::<Test>::iter().count(), 0);
		assert_eq!(AgendaTasks::<Test>::iter().count(), 0);
		assert_eq!((held(DAVE), held(ERIN)), (0, 0));
		assert!(Records::<Test>::iter_values().all(|record| record.strikes > 0));
	});
	kinds
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 2000, ..Default::default() })]
	#[test]
	fn the_invariants_hold_whatever_happens(steps in steps()) {
		play(&steps);
	}
}

/// The game is worth playing: everything that can happen in this pallet does.
#[test]
fn everything_happens() {
	let kinds = RefCell::new(BTreeSet::new());
	let config = Config { cases: 150, failure_persistence: None, ..Default::default() };
	let mut runner = TestRunner::new_with_rng(
		config,
		proptest::test_runner::TestRng::deterministic_rng(
			proptest::test_runner::RngAlgorithm::ChaCha,
		),
	);
	runner
		.run(&steps(), |steps| {
			kinds.borrow_mut().extend(play(&steps));
			Ok(())
		})
		.expect("the invariants hold");
	let expected = [
		"Answered",
		"Challenged",
		"DepositPaid",
		"DepositReturned",
		"Failed",
		"Healed",
		"ItemFailed",
		"Lapsed",
		"Named",
		"Struck",
	]
	.map(|kind| format!("Event::{kind}"));
	let expected = BTreeSet::from(expected);
	let kinds = kinds.into_inner();
	assert_eq!(expected.difference(&kinds).collect::<Vec<_>>(), Vec::<&String>::new());
}
