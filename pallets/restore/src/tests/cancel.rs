// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Cancelling orders.

use super::lean;
use crate::{CANCEL_BLOCKS, Error, Event, mock::*};
use frame_support::{assert_noop, assert_ok};
use pallet_planaria_support::{Clock, FileState};
use planaria_primitives::{FragmentId, FragmentProof, MinerId, sampling};

fn opened() -> (TestFile, FragmentId) {
	blocks(30);
	let file = lean();
	let fragment = file.fragment(0, 1);
	assert_ok!(Restore::open(by(1), list([fragment])));
	events();
	(file, fragment)
}

fn proof_at(file: &TestFile, fragment: FragmentId, at: u32) -> FragmentProof {
	let beacon = World::beacon_at(at).expect("known");
	file.proof_of(fragment, sampling::chunk(&beacon, &fragment, file.spec.chunks(0)))
}

#[test]
fn the_holder_cancels_with_a_proof() {
	execute(|| {
		let (file, fragment) = opened();
		blocks(3);
		let at = System::block_number() - 1;
		let proof = proof_at(&file, fragment, at);
		assert_ok!(Restore::cancel(by(1), fragment, at, proof.clone()));
		assert_eq!(events(), [Event::OrderCancelled { fragment, holder: MinerId(1) }]);
		assert_eq!(state(fragment), None);
		assert_eq!(holder(fragment), Some(MinerId(1)));
		let again = Restore::cancel(by(1), fragment, at, proof);
		assert_noop!(again, Error::<Test>::OrderNotFound);
	});
}

#[test]
fn only_a_right_proof_does() {
	execute(|| {
		let (file, fragment) = opened();
		blocks(3);
		let at = System::block_number();
		let right = proof_at(&file, fragment, at);
		let other_chunk = (0..4).map(|chunk| file.proof_of(fragment, chunk)).find(|p| *p != right);
		let mut flipped = right.clone();
		flipped.0[100] ^= 1;
		let mut long = right.clone();
		long.0.push(0);
		let sibling = proof_at(&file, file.fragment(0, 0), at);
		for wrong in
			[other_chunk.expect("four chunks"), flipped, long, sibling, FragmentProof::default()]
		{
			let cancel = Restore::cancel(by(1), fragment, at, wrong);
			assert_noop!(cancel, Error::<Test>::WrongProof);
		}
		assert_ok!(Restore::cancel(by(1), fragment, at, right));
	});
}

#[test]
fn the_proof_is_of_a_recent_block_since_the_order() {
	execute(|| {
		let (file, fragment) = opened();
		let opened_at = System::block_number();
		blocks(3);
		let cancel = |at| {
			let proof = World::beacon_at(at).map(|_| proof_at(&file, fragment, at));
			Restore::cancel(by(1), fragment, at, proof.unwrap_or_default())
		};
		assert_noop!(cancel(opened_at - 1), Error::<Test>::WrongBlock);
		assert_noop!(cancel(System::block_number() + 1), Error::<Test>::WrongBlock);
		blocks(CANCEL_BLOCKS - 2);
		assert_noop!(cancel(opened_at), Error::<Test>::WrongBlock);
		assert_ok!(cancel(opened_at + 1));
	});
}

#[test]
fn only_the_holder_cancels_and_only_while_nobody_works_on_it() {
	execute(|| {
		let (file, fragment) = opened();
		let cancel = |who| {
			let at = System::block_number();
			Restore::cancel(by(who), fragment, at, proof_at(&file, fragment, at))
		};
		assert_noop!(cancel(0), Error::<Test>::NotHolder);
		assert_ok!(Restore::claim(by(9), list([fragment])));
		assert_noop!(cancel(1), Error::<Test>::AlreadyClaimed);
		blocks_without_agenda(PERIOD + 1);
		file.set_state(FileState::Deleting);
		assert_noop!(cancel(1), Error::<Test>::FileGone);
		file.set_state(FileState::Active);
		// An expired claim is none: its claimer pays, and the order is cancelled.
		assert_ok!(cancel(1));
		assert_eq!(1_000_000 - collateral(9), PENALTY);
		assert_eq!(miner(9).claims, 0);
	});
}
