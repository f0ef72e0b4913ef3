// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Anything anybody might do, in any order: the invariants hold after every step.

use super::standard;
use crate::{AgendaTasks, Bans, Batch, Batches, Event, Orders, mock::*};
use frame_support::BoundedVec;
use pallet_planaria_support::{Clock, FileState, OpenOrder, Standing};
use planaria_primitives::{CodingParams, FragmentId, FragmentProof, MinerId, sampling};
use proptest::{
	prelude::*,
	sample::Index,
	test_runner::{Config, TestRunner},
};
use std::{cell::RefCell, collections::BTreeSet};

/// Miners 0 to 11 hold the fragments at first, the others nothing.
const MINERS: u32 = 20;

/// A step; what it is about is picked from what there is at that time.
#[derive(Clone, Debug)]
enum Step {
	/// A miner, or the holder itself, opens orders for these fragments.
	Open {
		by: Option<u32>,
		fragments: Vec<Index>,
	},
	Claim {
		by: u32,
		orders: Vec<Index>,
	},
	GiveBack {
		claimer: Index,
		take: usize,
	},
	Decline {
		claimer: Index,
		take: usize,
	},
	/// Some miners that hold nothing claim the order and decline it, one after the other.
	Dispute {
		order: Index,
		miners: u32,
	},
	/// The chain found that the holder does not have this fragment.
	Challenge {
		fragment: Index,
	},
	Brake {
		engaged: bool,
	},
	Cancel {
		order: Index,
		right: bool,
	},
	Ready {
		claimer: Index,
		take: usize,
	},
	Report {
		batch: Index,
		wrong: Option<Index>,
	},
	/// By somebody who perhaps has declared nothing.
	StrayReport {
		by: u32,
		proofs: usize,
	},
	Check {
		file: usize,
	},
	Tidy {
		orders: Vec<Index>,
	},
	Standing {
		miner: u32,
		standing: Standing,
	},
	/// The holder of an ordered fragment comes back.
	Return {
		order: Index,
	},
	Delete,
	Remove,
	Blocks {
		count: u32,
		agenda: bool,
	},
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
	let some = || prop::collection::vec(any::<Index>(), 1..6);
	let standing = prop_oneof![
		6 => Just(Standing::Serving),
		1 => Just(Standing::Suspended),
		6 => Just(Standing::Absent),
		3 => Just(Standing::Leaving { expelled: false }),
		1 => Just(Standing::Leaving { expelled: true }),
	];
	let step = prop_oneof![
		30 => (prop::option::weighted(0.4, 0..MINERS), some())
			.prop_map(|(by, fragments)| Step::Open { by, fragments }),
		30 => (0..MINERS, some()).prop_map(|(by, orders)| Step::Claim { by, orders }),
		5 => (any::<Index>(), 0..3usize)
			.prop_map(|(claimer, take)| Step::GiveBack { claimer, take }),
		8 => (any::<Index>(), 0..3usize)
			.prop_map(|(claimer, take)| Step::Decline { claimer, take }),
		3 => (any::<Index>(), 1..5u32)
			.prop_map(|(order, miners)| Step::Dispute { order, miners }),
		4 => any::<Index>().prop_map(|fragment| Step::Challenge { fragment }),
		3 => any::<bool>().prop_map(|engaged| Step::Brake { engaged }),
		5 => (any::<Index>(), prop::bool::weighted(0.8))
			.prop_map(|(order, right)| Step::Cancel { order, right }),
		25 => (any::<Index>(), 0..6usize)
			.prop_map(|(claimer, take)| Step::Ready { claimer, take }),
		25 => (any::<Index>(), prop::option::weighted(0.2, any::<Index>()))
			.prop_map(|(batch, wrong)| Step::Report { batch, wrong }),
		2 => (0..MINERS, 0..3usize).prop_map(|(by, proofs)| Step::StrayReport { by, proofs }),
		10 => (0..4usize).prop_map(|file| Step::Check { file }),
		5 => some().prop_map(|orders| Step::Tidy { orders }),
		30 => (0..MINERS, standing)
			.prop_map(|(miner, standing)| Step::Standing { miner, standing }),
		8 => any::<Index>().prop_map(|order| Step::Return { order }),
		1 => Just(Step::Delete),
		1 => Just(Step::Remove),
		30 => (prop_oneof![8 => 1..4u32, 1 => 4..80u32], any::<bool>())
			.prop_map(|(count, agenda)| Step::Blocks { count, agenda }),
	];
	prop::collection::vec(step, 1..120)
}

/// The last of the files is the one that is deleted.
struct Machine {
	files: Vec<TestFile>,
	removed: bool,
}

impl Machine {
	fn new() -> Self {
		let mut files = standard(2);
		files.push(TestFile::new(50, 2048, CodingParams::LEAN).store(&[0, 1, 2]));
		files.push(TestFile::new(51, 5000, CodingParams::LEAN).store(&[3, 4, 5]));
		Self { files, removed: false }
	}

	fn fragments(&self) -> Vec<FragmentId> {
		let of = |file: &TestFile| {
			let file = file.clone();
			(0..file.spec.fragments()).map(move |index| file.fragment(0, index))
		};
		self.files.iter().flat_map(of).collect()
	}

	fn file_of(&self, fragment: FragmentId) -> &TestFile {
		self.files.iter().find(|file| file.has(fragment.segment)).expect("one of these")
	}

	/// Does the step; calls that are refused are part of the game.
	fn run(&mut self, step: &Step) {
		match step {
			Step::Open { by, fragments } => {
				let all = self.fragments();
				for fragment in fragments.iter().map(|index| *index.get(&all)) {
					let miner = by.or_else(|| holder(fragment).map(|holder| holder.0));
					let _ = Restore::open(self::by(miner.unwrap_or(0)), list([fragment]));
				}
			},
			Step::Claim { by, orders } => {
				let orders = pick(orders);
				// What is said beforehand holds, wherever room and limits allow it.
				let may = |fragment: &FragmentId| may_take(*by, *fragment).is_ok();
				let taken =
					orders.first().is_some_and(may) && miner(*by).standing == Standing::Serving;
				let claimed = Restore::claim(self::by(*by), orders.clone());
				if let (true, Some(first)) = (taken, orders.first()) {
					assert_eq!(claimed, Ok(()));
					let claim = Orders::<Test>::get(first).and_then(|order| order.state.claim());
					assert_eq!(claim.map(|(miner, _)| miner), Some(MinerId(*by)));
				}
			},
			Step::GiveBack { claimer, take } => {
				let Some(miner) = one_of(claimer, claimers()) else { return };
				let claims = claims(miner, *take);
				let _ = Restore::give_back(by(miner.0), BoundedVec::truncate_from(claims));
			},
			Step::Decline { claimer, take } => {
				let Some(miner) = one_of(claimer, claimers()) else { return };
				let claims = claims(miner, *take);
				let _ = Restore::decline(by(miner.0), BoundedVec::truncate_from(claims));
			},
			Step::Dispute { order, miners } => {
				let orders = Orders::<Test>::iter_keys().collect();
				let Some(fragment) = one_of(order, orders) else { return };
				for miner in 12..12 + miners {
					let _ = Restore::claim(by(miner), list([fragment]));
					let _ = Restore::decline(by(miner), list([fragment]));
				}
			},
			Step::Challenge { fragment } => {
				let _ = <Restore as OpenOrder>::open(*fragment.get(&self.fragments()));
			},
			Step::Brake { engaged } => Engaged::put(engaged),
			Step::Cancel { order, right } => self.cancel(order, *right),
			Step::Ready { claimer, take } => {
				let Some(miner) = one_of(claimer, claimers()) else { return };
				ready(miner.0, &claims(miner, *take));
			},
			Step::Report { batch, wrong } => {
				let batches = Batches::<Test>::iter_keys().map(|(miner, _)| miner).collect();
				let Some(miner) = one_of(batch, batches) else { return };
				self.report(miner.0, wrong.as_ref());
			},
			Step::StrayReport { by, proofs } => {
				report(*by, vec![FragmentProof::default(); *proofs])
			},
			Step::Check { file } => {
				let segment = self.files[*file].fragment(0, 0).segment;
				let exists = *file != 3 || !self.removed;
				assert_eq!(Restore::check_segment(by(0), segment).is_ok(), exists);
			},
			Step::Tidy { orders } => {
				let _ = Restore::tidy(by(0), pick(orders));
			},
			Step::Standing { miner, standing } => set_standing(*miner, *standing),
			Step::Return { order } => {
				let orders = Orders::<Test>::iter_keys().collect();
				let holder = one_of(order, orders).and_then(holder).map(|holder| holder.0);
				if let Some(holder) = holder.filter(|h| miner(*h).standing == Standing::Absent) {
					set_standing(holder, Standing::Serving);
				}
			},
			Step::Delete => self.files[3].set_state(FileState::Deleting),
			Step::Remove => {
				let state = Files::get(self.files[3].index).expect("stored").state;
				if !self.removed && !state.is_alive() {
					self.files[3].remove_segment(0);
					self.removed = true;
				}
			},
			Step::Blocks { count, agenda: true } => blocks(*count),
			Step::Blocks { count, agenda: false } => blocks_without_agenda(*count),
		}
	}

	fn cancel(&self, order: &Index, right: bool) {
		let Some(fragment) = one_of(order, Orders::<Test>::iter_keys().collect()) else { return };
		let Some(holder) = holder(fragment) else { return };
		let (file, at) = (self.file_of(fragment), System::block_number());
		let beacon = World::beacon_at(at).expect("known");
		let chunk = sampling::chunk(&beacon, &fragment, file.spec.chunks(0));
		let mut proof = file.proof_of(fragment, chunk);
		if !right {
			proof.0[0] ^= 1;
		}
		let done = Restore::cancel(by(holder.0), fragment, at, proof);
		assert!(right || done.is_err());
	}

	/// Right proofs cost nothing and wrong ones bring nothing. What comes too late costs a fee.
	fn report(&self, miner: u32, wrong: Option<&Index>) {
		let asked = asked(miner);
		let mut proofs = match &asked {
			Some(_) => proofs(miner, &self.files.iter().collect::<Vec<_>>()),
			None => Vec::new(),
		};
		let spoilt = match wrong.filter(|_| !proofs.is_empty()) {
			Some(index) => {
				let at = index.index(proofs.len());
				proofs[at].0[0] ^= 1;
				true
			},
			None => false,
		};
		let seed_block = Batch::seed_block(oldest(miner).0);
		let late = seed_block < System::block_number() && World::beacon_at(seed_block).is_none();
		let before = self::miner(miner);
		report(miner, proofs);
		let after = self::miner(miner);
		let serves = before.standing.serves() || before.standing == Standing::Absent;
		let charged = serves && (spoilt || late);
		assert_eq!(after.wrong - before.wrong, u32::from(charged));
		if spoilt || asked.is_none() {
			assert_eq!((after.claims, after.fragments), (before.claims, before.fragments));
		}
	}
}

fn one_of<Item: Copy>(index: &Index, from: Vec<Item>) -> Option<Item> {
	(!from.is_empty()).then(|| *index.get(&from))
}

/// Some of the fragments with an order.
fn pick(orders: &[Index]) -> BoundedVec<FragmentId, frame_support::traits::ConstU32<64>> {
	let all: Vec<_> = Orders::<Test>::iter_keys().collect();
	let picked = orders.iter().filter_map(|index| one_of(index, all.clone()));
	BoundedVec::truncate_from(picked.collect())
}

fn claimers() -> Vec<MinerId> {
	let claimers = Orders::<Test>::iter().filter_map(|(_, order)| order.state.claim());
	claimers.map(|(by, _)| by).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The miner's first claims; all of them for 0.
fn claims(miner: MinerId, take: usize) -> Vec<FragmentId> {
	Restore::claims_of(miner).take(if take == 0 { usize::MAX } else { take }).collect()
}

/// Plays the game; returns the kinds of events there were.
fn play(steps: &[Step]) -> BTreeSet<String> {
	let mut kinds = BTreeSet::new();
	new_test_ext().execute_with(|| {
		let mut machine = Machine::new();
		let mut note = |events: Vec<Event<Test>>| {
			let name = |event| format!("{event:?}").split([' ', '{']).next().map(str::to_owned);
			kinds.extend(events.into_iter().filter_map(name));
		};
		for step in steps {
			machine.run(step);
			check();
			note(events());
		}
		// In the end everything that was put down is tidied up.
		blocks(200);
		check();
		note(events());
		assert!(Orders::<Test>::iter().all(|(_, order)| order.state.claim().is_none()));
		assert_eq!(AgendaTasks::<Test>::iter().count(), 0);
		assert_eq!(Bans::<Test>::iter().count(), 0);
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
	let config = Config { cases: 300, failure_persistence: None, ..Default::default() };
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
		"BatchDropped",
		"BatchReady",
		"ClaimExpired",
		"FragmentRestored",
		"FragmentVacated",
		"GivenBack",
		"ItemFailed",
		"NothingToCopy",
		"OrderCancelled",
		"OrderClaimed",
		"OrderDeclined",
		"OrderDisputed",
		"OrderOpened",
		"OrderVoided",
		"ReportFailed",
		"SegmentFound",
		"SegmentLost",
		"SuspectedLost",
		"SuspicionCleared",
	]
	.map(|kind| format!("Event::{kind}"));
	let expected = BTreeSet::from(expected);
	let kinds = kinds.into_inner();
	assert_eq!(expected.difference(&kinds).collect::<Vec<_>>(), Vec::<&String>::new());
}
