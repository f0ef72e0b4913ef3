// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reports, right and wrong.

use super::{each, lean, standard};
use crate::{Batches, Error, Event, OrderState, Orders, mock::*};
use frame_support::{BoundedVec, assert_ok};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{CodingParams, FragmentId, FragmentProof, MinerId};

fn claimed(files: &[TestFile]) -> Vec<FragmentId> {
	let fragments = each(files, 1);
	let bounded = || BoundedVec::truncate_from(fragments.clone());
	assert_ok!(Restore::open(by(1), bounded()));
	assert_ok!(Restore::claim(by(20), bounded()));
	fragments
}

/// `count` files whose fragment 1 miner 20 declared ready one block ago.
fn batched(count: u32) -> (Vec<TestFile>, Vec<FragmentId>) {
	let files = standard(count);
	let fragments = claimed(&files);
	ready(20, &fragments);
	blocks(crate::SEED_DELAY);
	events();
	(files, fragments)
}

fn all_proofs(files: &[TestFile]) -> Vec<FragmentProof> {
	proofs(20, &files.iter().collect::<Vec<_>>())
}

/// The report failed: with that event, that many fees, no batch, and the claims as they were.
fn assert_failed(error: Error<Test>, fees: u32, fragments: &[FragmentId]) {
	let error = error.into();
	assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
	assert_eq!(miner(20).wrong, fees);
	assert_eq!(Batches::<Test>::iter().count(), 0);
	for fragment in fragments {
		assert!(matches!(state(*fragment), Some(OrderState::Claimed { by: MinerId(20), .. })));
		assert_eq!(holder(*fragment), Some(MinerId(1)));
	}
}

#[test]
fn a_report_moves_the_whole_batch() {
	execute(|| {
		let (files, fragments) = batched(20);
		let proofs = all_proofs(&files);
		assert_eq!(proofs.len(), 8);
		report(20, proofs);
		let restored = |fragment: &FragmentId| Event::FragmentRestored {
			fragment: *fragment,
			from: Some(MinerId(1)),
			to: MinerId(20),
		};
		assert_eq!(events(), fragments.iter().map(restored).collect::<Vec<_>>());
		for fragment in &fragments {
			assert_eq!(holder(*fragment), Some(MinerId(20)));
			assert_eq!(state(*fragment), None);
		}
		assert_eq!((miner(1).fragments, miner(1).held), (0, 0));
		let mine = miner(20);
		assert_eq!((mine.fragments, mine.held, mine.reserved), (20, 20 * 4096, 0));
		assert_eq!((mine.claims, mine.wrong), (0, 0));
		assert_eq!(Batches::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_small_batch_is_proven_whole() {
	execute(|| {
		let (files, fragments) = batched(3);
		let proofs = all_proofs(&files);
		assert_eq!(proofs.len(), 3);
		report(20, proofs);
		assert!(fragments.iter().all(|fragment| holder(*fragment) == Some(MinerId(20))));
	});
}

#[test]
fn a_report_cannot_be_replayed() {
	execute(|| {
		let (files, fragments) = batched(3);
		let proofs = all_proofs(&files);
		report(20, proofs.clone());
		events();
		report(20, proofs.clone());
		let error = Error::<Test>::NoBatch.into();
		assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
		assert_eq!(miner(20).wrong, 0);
		// Nor for the next batch: the next holder loses one of them, and miner 20 has no claim.
		assert_ok!(Restore::open(by(20), list([fragments[0]])));
		assert_ok!(Restore::claim(by(30), list([fragments[0]])));
		ready(30, &fragments[..1]);
		blocks(crate::SEED_DELAY);
		events();
		report(20, proofs);
		assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
		assert_eq!(holder(fragments[0]), Some(MinerId(20)));
	});
}

#[test]
fn one_wrong_proof_fails_the_batch() {
	execute(|| {
		let (files, fragments) = batched(12);
		let mut proofs = all_proofs(&files);
		proofs[5].0[7] ^= 0x20;
		report(20, proofs);
		assert_failed(Error::WrongProof, 1, &fragments);
	});
}

#[test]
fn each_wrong_proof_costs_a_fee() {
	execute(|| {
		let (files, fragments) = batched(12);
		let mut proofs = all_proofs(&files);
		for wrong in [0, 3, 7] {
			proofs[wrong] = FragmentProof(vec![0; 2000]);
		}
		report(20, proofs);
		assert_failed(Error::WrongProof, 3, &fragments);
	});
}

#[test]
fn a_missing_proof_fails_the_batch() {
	for missing in [0, 4, 7] {
		execute(|| {
			let (files, fragments) = batched(12);
			let mut proofs = all_proofs(&files);
			proofs.remove(missing);
			report(20, proofs);
			// Behind the gap, every proof stands at another's place.
			assert_failed(Error::WrongProof, 8 - missing as u32, &fragments);
		});
	}
	execute(|| {
		let (_, fragments) = batched(12);
		report(20, vec![]);
		assert_failed(Error::WrongProof, 8, &fragments);
	});
}

#[test]
fn surplus_proofs_fail_the_batch() {
	execute(|| {
		let (files, fragments) = batched(12);
		let mut proofs = all_proofs(&files);
		proofs.push(proofs[0].clone());
		report(20, proofs);
		assert_failed(Error::SurplusProofs, 1, &fragments);
	});
}

#[test]
fn proofs_of_other_things_prove_nothing() {
	// Two segments each, so that another segment of the same file exists.
	let coding = CodingParams::new(1, 7).expect("sound");
	let size = coding.segment_capacity() + 4 * 1024;
	let holders: Vec<u32> = (0..8).collect();
	let file = TestFile::new(1, size, coding);
	let other = TestFile::new(2, size, coding);
	type Wrong = fn(&TestFile, &TestFile, u32) -> FragmentProof;
	let wrong: [Wrong; 7] = [
		// Another chunk, fragment, segment, file.
		|file, _, chunk| file.proof(1, 3, (chunk + 1) % 4),
		|file, _, chunk| file.proof(1, 2, chunk),
		|file, _, chunk| file.proof(0, 3, chunk),
		|_, other, chunk| other.proof(1, 3, chunk),
		// A wrong length.
		|file, _, chunk| FragmentProof(file.proof(1, 3, chunk).0[1..].to_vec()),
		|file, _, chunk| FragmentProof([file.proof(1, 3, chunk).0, vec![0; 32]].concat()),
		|_, _, _| FragmentProof::default(),
	];
	for (number, wrong) in (0..).zip(wrong) {
		execute(|| {
			let file = file.clone().store(&holders);
			let other = other.clone().store(&holders);
			let fragment = file.fragment(1, 3);
			assert_ok!(Restore::open(by(3), list([fragment])));
			assert_ok!(Restore::claim(by(20), list([fragment])));
			ready(20, &[fragment]);
			blocks(crate::SEED_DELAY);
			let (_, chunk) = asked(20).expect("known")[0];
			report(20, vec![wrong(&file, &other, chunk)]);
			assert_eq!(holder(fragment), Some(MinerId(3)), "{number}");
			assert_eq!(miner(20).wrong, 1);
			// The right one does.
			ready(20, &[fragment]);
			blocks(crate::SEED_DELAY);
			report(20, proofs(20, &[&file]));
			assert_eq!(holder(fragment), Some(MinerId(20)));
		});
	}
}

#[test]
fn the_order_of_the_proofs_counts() {
	execute(|| {
		let (files, fragments) = batched(12);
		let mut proofs = all_proofs(&files);
		proofs.swap(2, 3);
		report(20, proofs);
		assert_failed(Error::WrongProof, 2, &fragments);
	});
}

#[test]
fn the_seed_is_not_known_in_the_block_of_the_batch() {
	execute(|| {
		let files = standard(2);
		let fragments = claimed(&files);
		ready(20, &fragments);
		events();
		report(20, vec![FragmentProof::default(); 2]);
		let error = Error::<Test>::SeedUnknown.into();
		assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
		// That was too early, not wrong: the batch is still there.
		assert_eq!(miner(20).wrong, 0);
		blocks(crate::SEED_DELAY);
		report(20, all_proofs(&files));
		assert_eq!(holder(fragments[1]), Some(MinerId(20)));
	});
}

#[test]
fn a_batch_whose_seed_is_forgotten_must_be_declared_again() {
	execute(|| {
		let params = crate::Params { claim_period: 1000, ..crate::Parameters::<Test>::get() };
		assert_ok!(Restore::set_params(RuntimeOrigin::root(), params));
		let files = standard(2);
		let fragments = claimed(&files);
		ready(20, &fragments);
		blocks(crate::SEED_DELAY);
		let late = all_proofs(&files);
		blocks_without_agenda(256);
		events();
		report(20, late);
		// It had the time to see what it would have to prove.
		assert_failed(Error::BatchTooOld, 1, &fragments);
		ready(20, &fragments);
		blocks_without_agenda(256);
		report(20, all_proofs(&files));
		assert_eq!(holder(fragments[1]), Some(MinerId(20)));
	});
}

#[test]
fn an_expired_claim_is_not_credited_and_the_others_are() {
	for agenda in [true, false] {
		execute(|| {
			let files = standard(2);
			let fragments = each(&files, 1);
			assert_ok!(Restore::open(by(1), list([fragments[0], fragments[1]])));
			assert_ok!(Restore::claim(by(20), list([fragments[0]])));
			blocks(5);
			assert_ok!(Restore::claim(by(20), list([fragments[1]])));
			blocks(PERIOD - 4 - crate::SEED_DELAY);
			ready(20, &fragments);
			if agenda {
				blocks(crate::SEED_DELAY)
			} else {
				blocks_without_agenda(crate::SEED_DELAY)
			}
			events();
			// Both are proven: what was declared ready is there, whether in time or not.
			report(20, all_proofs(&files));
			let why = if agenda { Error::NotClaimer } else { Error::<Test>::DeadlinePassed };
			assert_eq!(
				events(),
				[
					Event::ItemFailed { miner: MinerId(20), index: 0, error: why.into() },
					Event::FragmentRestored {
						fragment: fragments[1],
						from: Some(MinerId(1)),
						to: MinerId(20),
					},
				]
			);
			assert_eq!(holder(fragments[0]), Some(MinerId(1)));
			assert!(matches!(
				state(fragments[0]),
				Some(OrderState::Unclaimed | OrderState::Claimed { .. })
			));
		});
	}
}

#[test]
fn nobody_is_credited_for_what_another_claims_now() {
	execute(|| {
		let files = standard(2);
		let fragments = claimed(&files);
		blocks(PERIOD);
		ready(20, &fragments);
		blocks(crate::SEED_DELAY);
		assert_ok!(Restore::claim(by(21), list([fragments[0]])));
		report(20, all_proofs(&files));
		assert!(matches!(state(fragments[0]), Some(OrderState::Claimed { by: MinerId(21), .. })));
		assert_eq!(holder(fragments[0]), Some(MinerId(1)));
		assert_eq!(Batches::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_file_that_is_deleted_meanwhile_is_left_out() {
	// With its proof and without, its segment removed or not yet.
	for (with_proof, removed) in [(true, true), (true, false), (false, true), (false, false)] {
		execute(|| {
			let (files, fragments) = batched(5);
			let early = all_proofs(&files);
			files[2].set_state(FileState::Deleting);
			if removed {
				files[2].remove_segment(0);
			}
			let late = all_proofs(&files);
			assert_eq!((early.len(), late.len()), (5, 4));
			report(20, if with_proof { early } else { late });
			for (index, fragment) in fragments.iter().enumerate().filter(|(index, _)| *index != 2) {
				assert_eq!(holder(*fragment), Some(MinerId(20)), "{index}");
			}
			let why = if removed { Error::<Test>::OrderNotFound } else { Error::FileGone };
			let left_out = Event::ItemFailed { miner: MinerId(20), index: 2, error: why.into() };
			assert!(events().contains(&left_out));
			assert_eq!(miner(20).wrong, 0);
			assert_eq!(miner(20).claims, u32::from(!removed));
		});
	}
}

#[test]
fn a_deleted_file_excuses_no_other_proof() {
	execute(|| {
		let (files, fragments) = batched(5);
		let mut early = all_proofs(&files);
		files[2].set_state(FileState::Deleting);
		early[0] = FragmentProof::default();
		report(20, early);
		assert!(miner(20).wrong >= 1);
		assert!(fragments.iter().all(|fragment| holder(*fragment) == Some(MinerId(1))));
	});
}

#[test]
fn a_batch_of_which_nothing_is_left_ends_without_a_proof() {
	execute(|| {
		let (files, _) = batched(2);
		files.iter().for_each(|file| {
			file.set_state(FileState::Deleting);
			file.remove_segment(0);
		});
		assert_eq!(asked(20), Some(vec![]));
		ready(20, &[]);
		assert_eq!(miner(20).wrong, 0);
		assert_eq!(Batches::<Test>::iter().count(), 0);
	});
}

#[test]
fn an_expelled_claimer_becomes_no_holder() {
	execute(|| {
		let (files, fragments) = batched(2);
		set_standing(20, Standing::Leaving { expelled: true });
		report(20, all_proofs(&files));
		let error = Error::<Test>::NotServing.into();
		assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
		assert_eq!(holder(fragments[0]), Some(MinerId(1)));
	});
}

#[test]
fn a_sibling_that_was_placed_with_the_claimer_meanwhile_is_respected() {
	execute(|| {
		let file = lean();
		file.set_state(FileState::Pending);
		let fragment = file.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([fragment])));
		assert_ok!(Restore::claim(by(20), list([fragment])));
		ready(20, &[fragment]);
		blocks(crate::SEED_DELAY);
		// Its storage order places fragment 0 anew.
		let mut segment = Segments::get(fragment.segment).expect("stored");
		segment.holders.set(0, MinerId(20));
		segment.confirmed &= !1;
		Segments::insert(fragment.segment, &segment);
		change(MinerId(0), |m| (m.held, m.fragments) = (0, 0));
		events();
		report(20, proofs(20, &[&file]));
		let error = Error::<Test>::HoldsSibling.into();
		assert_eq!(events(), [Event::ItemFailed { miner: MinerId(20), index: 0, error }]);
		// It costs nothing to get out of it.
		assert_ok!(Restore::give_back(by(20), list([fragment])));
	});
}

#[test]
fn the_weight_is_that_of_the_batch() {
	execute(|| {
		let (files, _) = batched(3);
		let proofs = BoundedVec::truncate_from(all_proofs(&files));
		let (miner, at) = (MinerId(20), oldest(20).0);
		let call = crate::Call::<Test>::report { miner, anchor: 1, at, proofs, signature: None };
		use frame_support::dispatch::GetDispatchInfo;
		let before = call.get_dispatch_info().call_weight;
		let after = duty(call).expect("fine").actual_weight.expect("known");
		assert!(after.all_lt(before));
		assert_eq!(Orders::<Test>::iter().count(), 0);
	});
}
