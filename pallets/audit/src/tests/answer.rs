// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Answers, right and wrong, and when.

use super::*;
use crate::{Answer, Call, Challenges, Error, Event, MAX_ANSWERS};
use codec::Encode;
use frame_support::{
	BoundedVec, assert_noop, assert_ok,
	dispatch::{DispatchClass, GetDispatchInfo},
	traits::Authorize,
};
use pallet_planaria_support::{FileState, Standing};
use planaria_primitives::{FragmentId, FragmentProof, MinerId, SegmentId};
use sp_runtime::{
	DispatchError,
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
};

fn call(miner: u32, anchor: u32, answers: Vec<Answer>) -> Call<Test> {
	let answers = BoundedVec::truncate_from(answers);
	Call::answer { miner: MinerId(miner), anchor, answers, signature: None }
}

fn authorized(miner: u32, answers: Vec<Answer>) -> Result<(), TransactionValidityError> {
	let call = RuntimeCall::Audit(call(miner, System::block_number(), answers));
	call.authorize(TransactionSource::External).expect("a duty").map(|_| ())
}

fn failed(miner: u32, index: u32, error: Error<Test>) -> Event<Test> {
	Event::ItemFailed { miner: MinerId(miner), index, error: error.into() }
}

/// A miner that holds a fragment of each of these has them all challenged.
fn challenged(miner: u8, files: &[TestFile]) -> Vec<FragmentId> {
	let fragments: Vec<_> = files.iter().map(|file| file.fragment(0, miner)).collect();
	fragments.iter().for_each(|fragment| named(*fragment));
	events();
	fragments
}

#[test]
fn several_are_answered_at_once() {
	execute(|| {
		let files: Vec<_> = (0..3).map(standard).collect();
		let fragments = challenged(3, &files);
		let answers = files.iter().zip(&fragments).map(|(file, id)| file.answer(*id)).collect();
		answer(3, answers);
		assert_eq!(events().last(), Some(&Event::Answered { miner: MinerId(3), count: 3 }));
		assert_eq!(Challenges::<Test>::iter().count(), 0);
		assert!(record(3).is_clean());
	});
}

#[test]
fn each_answer_stands_for_itself() {
	execute(|| {
		let files: Vec<_> = (0..3).map(standard).collect();
		let fragments = challenged(3, &files);
		let mut wrong = files[0].answer(fragments[0]);
		wrong.proof.0[100] ^= 1;
		let nowhere = FragmentId { segment: SegmentId(99), index: 3 };
		let stray = Answer { fragment: nowhere, proof: FragmentProof::default() };
		let right = files[1].answer(fragments[1]);
		answer(3, vec![wrong, right.clone(), right, stray]);
		let miner = MinerId(3);
		assert_eq!(
			events(),
			[
				failed(3, 0, Error::WrongProof),
				Event::DepositPaid { by: DAVE, miner, amount: PARAMS.deposit },
				failed(3, 2, Error::NotChallenged),
				failed(3, 3, Error::NotChallenged),
				Event::Answered { miner, count: 1 },
			]
		);
		// Only the wrong proof costs something, and can still be made good.
		assert_eq!(self::miner(3).wrong, 1);
		answer(3, vec![files[0].answer(fragments[0])]);
		assert_eq!(challenge_of(fragments[0]), None);
	});
}

#[test]
fn an_answer_is_none_before_the_question() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		assert_ok!(Audit::challenge(signed(DAVE), fragment));
		events();
		let answers: Vec<_> = (0..4)
			.map(|chunk| Answer { fragment, proof: file.proof_of(fragment, chunk) })
			.collect();
		answer(1, answers);
		let refused: Vec<_> = (0..4).map(|index| failed(1, index, Error::NotChallenged)).collect();
		assert_eq!(events(), refused);
		assert_eq!((miner(1).wrong, record(1).named), (0, 1));
	});
}

#[test]
fn an_answer_counts_up_to_the_deadline() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		blocks(PARAMS.answer_period);
		assert_eq!(challenge_of(fragment).map(|c| c.deadline), Some(Ticks::get()));
		answer(1, vec![file.answer(fragment)]);
		assert_eq!(challenge_of(fragment), None);
	});
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		// The agenda has not come to it: it is too late all the same.
		blocks_without_hook(PARAMS.answer_period + 1);
		events();
		let late = file.answer(fragment);
		assert_eq!(authorized(1, vec![late.clone()]), Err(InvalidTransaction::Stale.into()));
		answer(1, vec![late.clone()]);
		assert_eq!(events(), [failed(1, 0, Error::DeadlinePassed)]);
		assert_eq!(miner(1).wrong, 0);
		next_block();
		assert_eq!((challenge_of(fragment), record(1).strikes), (None, 1));
		events();
		answer(1, vec![late]);
		assert_eq!(events(), [failed(1, 0, Error::NotChallenged)]);
	});
}

#[test]
fn an_answer_cannot_be_replayed() {
	execute(|| {
		let file = TestFile::new(3, 2 * 64 * 1024, CodingParams::LEAN).store(&[0, 1, 2]);
		let fragment = file.fragment(0, 1);
		named(fragment);
		let old = file.answer(fragment);
		answer(1, vec![old.clone()]);
		events();
		answer(1, vec![old.clone()]);
		assert_eq!(events(), [failed(1, 0, Error::NotChallenged)]);
		// Nor for the next challenge, which asks for another chunk.
		named(fragment);
		assert_ne!(file.answer(fragment), old);
		events();
		answer(1, vec![old]);
		assert_eq!(events(), [failed(1, 0, Error::WrongProof)]);
		assert_eq!(miner(1).wrong, 1);
	});
}

#[test]
fn nobody_answers_for_another() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		events();
		let right = file.answer(fragment);
		answer(0, vec![right.clone()]);
		assert_eq!(events(), [failed(0, 0, Error::NotChallenged)]);
		assert!(challenge_of(fragment).is_some());

		let answers = || BoundedVec::truncate_from(vec![right.clone()]);
		let by = |origin| Audit::answer(origin, MinerId(1), 1, answers(), None);
		assert_noop!(by(signed(account(0))), DispatchError::BadOrigin);
		assert_noop!(by(signed(DAVE)), DispatchError::BadOrigin);
		assert_noop!(by(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_noop!(by(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_ok!(by(signed(account(1))));
		assert_eq!(challenge_of(fragment), None);
	});
}

#[test]
fn what_has_moved_or_gone_is_not_answered_for() {
	execute(|| {
		let files = [lean(), TestFile::new(8, 9_000, CodingParams::LEAN).store(&[0, 1, 2])];
		let fragments = challenged(1, &files);
		let answers: Vec<_> =
			files.iter().zip(&fragments).map(|(file, id)| file.answer(*id)).collect();
		files[0].set_state(FileState::Deleting);
		let mut segment = Segments::get(files[1].first).expect("stored");
		segment.holders.set(1, MinerId(50));
		Segments::insert(files[1].first, segment);
		answer(1, answers);
		assert_eq!(events(), [failed(1, 0, Error::FileGone), failed(1, 1, Error::NotHolder)]);
		assert_eq!(miner(1).wrong, 0);
		remove_segment(files[0].first);
	});
}

#[test]
fn an_absent_miner_is_back_with_its_answer() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		named(fragment);
		set_standing(1, Standing::Absent);
		answer(1, vec![file.answer(fragment)]);
		assert_eq!((standing(1), challenge_of(fragment)), (Standing::Serving, None));
	});
}

#[test]
fn nothing_enters_the_pool_that_has_no_effect() {
	execute(|| {
		let file = lean();
		let fragment = file.fragment(0, 1);
		let stale = Err(InvalidTransaction::Stale.into());
		assert_eq!(authorized(1, vec![]), stale);
		named(fragment);
		let right = file.answer(fragment);
		assert_eq!(authorized(1, vec![]), stale);
		assert_eq!(authorized(0, vec![right.clone()]), stale);
		// More answers than questions.
		assert_eq!(authorized(1, vec![right.clone(), right.clone()]), stale);
		assert_eq!(authorized(1, vec![right.clone()]), Ok(()));
		answer(1, vec![right.clone()]);
		assert_eq!(authorized(1, vec![right]), stale);
	});
}

#[test]
fn an_answer_is_operational_and_pays_for_what_it_carries() {
	let proof = FragmentProof(vec![0; FragmentProof::MAX_LEN]);
	let fragment = FragmentId { segment: SegmentId(u64::MAX), index: 63 };
	let weight = |count: u32| {
		let answers = vec![Answer { fragment, proof: proof.clone() }; count as usize];
		let call = call(1, 1, answers);
		assert!(call.encoded_size() < 64 << 10);
		let info = call.get_dispatch_info();
		assert_eq!(info.class, DispatchClass::Operational);
		info.total_weight().ref_time()
	};
	assert!(weight(MAX_ANSWERS) > 20 * (weight(2) - weight(1)));
}
