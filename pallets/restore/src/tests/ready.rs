// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Declaring batches ready, and what is let in before the gate.

use super::{each, lean, standard};
use crate::{Batches, Call, Error, Event, MAX_PROOFS, OrderState, mock::*};
use codec::Encode;
use frame_support::{
	BoundedVec, assert_ok,
	dispatch::{DispatchClass, GetDispatchInfo},
	pallet_prelude::{InvalidTransaction, TransactionSource},
	traits::{Authorize, ConstU32},
};
use pallet_planaria_support::Standing;
use planaria_primitives::{CodingParams, FragmentId, FragmentProof, MinerId};
use sp_runtime::{DispatchError, transaction_validity::TransactionValidityError};

fn bounded(fragments: &[FragmentId]) -> BoundedVec<FragmentId, ConstU32<64>> {
	BoundedVec::truncate_from(fragments.to_vec())
}

fn claimed(count: u32) -> (Vec<TestFile>, Vec<FragmentId>) {
	let files = standard(count);
	let fragments = each(&files, 1);
	assert_ok!(Restore::open(by(1), bounded(&fragments)));
	assert_ok!(Restore::claim(by(20), bounded(&fragments)));
	events();
	(files, fragments)
}

fn failures() -> Vec<(u32, DispatchError)> {
	events()
		.into_iter()
		.filter_map(|event| match event {
			Event::ItemFailed { index, error, .. } => Some((index, error)),
			_ => None,
		})
		.collect()
}

#[test]
fn a_batch_is_recorded_and_deadlines_stay() {
	execute(|| {
		let (_, fragments) = claimed(3);
		blocks(4);
		ready(20, &fragments);
		assert_eq!(events(), [Event::BatchReady { miner: MinerId(20), at: 5, count: 3 }]);
		let (at, recorded) = oldest(20);
		assert_eq!((at, recorded.thin), (5, 0));
		assert_eq!(recorded.fragments.to_vec(), fragments);
		for fragment in &fragments {
			let deadline = 1 + PERIOD;
			assert_eq!(state(*fragment), Some(OrderState::Claimed { by: MinerId(20), deadline }));
		}
		assert!(Restore::ready_of(MinerId(20)).iter().eq(&fragments));
		// What it will have to prove is known from the second block after it on.
		assert_eq!(asked(20), None);
		blocks(crate::SEED_DELAY);
		assert_eq!(asked(20).map(|asked| asked.len()), Some(3));
	});
}

#[test]
fn only_own_claims_that_run_are_ready_and_only_once() {
	execute(|| {
		let (_, fragments) = claimed(3);
		let foreign = lean();
		assert_ok!(Restore::open(by(0), list([foreign.fragment(0, 0)])));
		let nowhere = foreign.fragment(0, 1);
		events();
		let named = [fragments[0], foreign.fragment(0, 0), fragments[0], nowhere, fragments[1]];
		ready(20, &named);
		let expected = [
			(1, Error::<Test>::NotClaimer.into()),
			(2, Error::<Test>::InBatch.into()),
			(3, Error::<Test>::OrderNotFound.into()),
		];
		assert_eq!(failures(), expected);
		assert_eq!(batch(20).fragments.to_vec(), fragments[..2]);
		// After the deadline there is nothing to declare, whether the agenda was here or not.
		blocks_without_agenda(PERIOD + 1);
		ready(20, &[fragments[2]]);
		assert_eq!(failures(), [(0, Error::<Test>::DeadlinePassed.into())]);
		assert_eq!(Batches::<Test>::iter_keys().collect::<Vec<_>>(), [(MinerId(20), 1)]);
	});
}

#[test]
fn thin_segments_are_always_proven() {
	execute(|| {
		// 2+1 with one fragment under restoration: nothing to spare.
		let thin = lean();
		let thin_fragment = thin.fragment(0, 1);
		assert_ok!(Restore::open(by(1), list([thin_fragment])));
		assert_ok!(Restore::claim(by(20), list([thin_fragment])));
		let (_, fragments) = claimed(10);
		let mut all = fragments.clone();
		all.insert(4, thin_fragment);
		ready(20, &all);
		assert_eq!(batch(20).thin, 1 << 4);
		blocks(crate::SEED_DELAY);
		let asked = asked(20).expect("known");
		assert!(asked.iter().any(|(fragment, _)| *fragment == thin_fragment));
	});
}

#[test]
fn a_batch_never_needs_more_proofs_than_a_report_carries() {
	execute(|| {
		let holders: Vec<u32> = (0..3).collect();
		let thin: Vec<TestFile> = (0..30)
			.map(|seed| TestFile::new(seed, 2048, CodingParams::LEAN).store(&holders))
			.collect();
		let thin = each(&thin, 1);
		assert_ok!(Restore::open(by(1), bounded(&thin)));
		assert_ok!(Restore::claim(by(20), bounded(&thin)));
		let (_, others) = claimed(12);

		ready(20, &thin);
		assert_eq!(batch(20).fragments.len() as u32, MAX_PROOFS);
		assert_eq!(failures().len(), 6);

		// 16 of them leave room for a sample of any number of others.
		let mut mixed = thin[..16].to_vec();
		mixed.extend(&others);
		mixed.push(thin[20]);
		ready(20, &mixed);
		assert_eq!(failures(), [(28, Error::<Test>::TooThin.into())]);
		for _ in 0..20 {
			blocks(crate::SEED_DELAY);
			Chosen::insert(
				crate::Batch::seed_block(oldest(20).0),
				sp_io::hashing::blake2_256(&Ticks::get().encode()),
			);
			let asked = asked(20).expect("known");
			assert!((16..=MAX_PROOFS as usize).contains(&asked.len()));
		}
	});
}

#[test]
fn a_fifth_batch_takes_the_place_of_the_oldest_and_costs_a_fee_once_its_seed_is_known() {
	execute(|| {
		let (_, fragments) = claimed(6);
		ready(20, &fragments[..2]);
		// One of the same block takes its place.
		ready(20, &fragments[1..2]);
		assert!(matches!(state(fragments[0]), Some(OrderState::Claimed { .. })));
		blocks(1);
		ready(20, &[fragments[2]]);
		// What is part of one is part of no other.
		blocks(1);
		events();
		ready(20, &[fragments[2]]);
		assert_eq!(failures(), [(0, Error::<Test>::InBatch.into())]);
		ready(20, &[fragments[3]]);
		blocks(1);
		ready(20, &[fragments[4]]);
		assert_eq!(Batches::<Test>::iter().count(), crate::MAX_BATCHES as usize);
		assert_eq!(miner(20).wrong, 0);
		events();

		blocks(crate::SEED_DELAY);
		ready(20, &[fragments[5], fragments[1]]);
		assert_eq!(miner(20).wrong, 1);
		assert_eq!(
			events(),
			[
				Event::BatchDropped { miner: MinerId(20), at: 1 },
				Event::BatchReady { miner: MinerId(20), at: 4 + crate::SEED_DELAY, count: 2 },
			]
		);
		// No items at all drop one more: of this block if there is one, else the oldest.
		ready(20, &[]);
		assert!(matches!(state(fragments[5]), Some(OrderState::Claimed { .. })));
		assert_eq!(miner(20).wrong, 1);
		ready(20, &[]);
		assert_eq!((oldest(20).0, miner(20).wrong), (3, 2));
	});
}

#[test]
fn several_batches_are_reported_in_any_order() {
	execute(|| {
		let (files, fragments) = claimed(4);
		for two in fragments.chunks(2) {
			ready(20, two);
			blocks(1);
		}
		blocks(crate::SEED_DELAY);
		let files: Vec<_> = files.iter().collect();
		let proofs_of = |at| {
			let batch = Batches::<Test>::get(MinerId(20), at).expect("declared");
			let asked = Restore::asked(at, &batch).expect("the seed is known");
			let proof = |(fragment, chunk): (FragmentId, u32)| {
				let file = files.iter().find(|file| file.has(fragment.segment)).expect("given");
				file.proof_of(fragment, chunk)
			};
			asked.into_iter().map(proof).collect::<Vec<_>>()
		};
		let first = proofs_of(1);
		report_of(20, 2, proofs_of(2));
		assert_eq!(
			fragments.iter().map(|f| holder(*f)).filter(|h| *h == Some(MinerId(20))).count(),
			2
		);
		report_of(20, 1, first.clone());
		assert!(fragments.iter().all(|fragment| holder(*fragment) == Some(MinerId(20))));
		assert_eq!((miner(20).wrong, Batches::<Test>::iter().count()), (0, 0));
		// A report of no batch is refused, and costs nothing.
		events();
		report_of(20, 1, first);
		let error = Error::<Test>::NoBatch.into();
		assert_eq!(events(), [Event::ReportFailed { miner: MinerId(20), error }]);
		assert_eq!(miner(20).wrong, 0);
	});
}

#[test]
fn a_batch_whose_seed_is_forgotten_costs_a_fee_as_if_it_was_dropped_before() {
	execute(|| {
		let params = crate::Params { claim_period: 1000, ..crate::Parameters::<Test>::get() };
		assert_ok!(Restore::set_params(RuntimeOrigin::root(), params));
		let (_, fragments) = claimed(2);
		ready(20, &fragments);
		blocks_without_agenda(255 + crate::SEED_DELAY);
		assert_eq!(Restore::batches_of(MinerId(20)).len(), 1);
		blocks_without_agenda(1);
		assert_eq!(Restore::batches_of(MinerId(20)), []);
		ready(20, &fragments);
		assert_eq!(miner(20).wrong, 1);
		assert_eq!(Restore::batches_of(MinerId(20)).len(), 1);
		// Its seed is not known yet: it is replaced for nothing.
		ready(20, &fragments);
		assert_eq!(miner(20).wrong, 1);
		blocks_without_agenda(256 + crate::SEED_DELAY);
		ready(20, &[]);
		assert_eq!(miner(20).wrong, 2);
		assert_eq!(Batches::<Test>::iter().count(), 0);
	});
}

#[test]
fn duties_are_let_in_only_where_they_can_have_an_effect() {
	fn authorize(call: Call<Test>) -> Result<(), TransactionValidityError> {
		for source in
			[TransactionSource::Local, TransactionSource::InBlock, TransactionSource::External]
		{
			call.authorize(source).expect("a duty")?;
		}
		Ok(())
	}
	fn refused(why: InvalidTransaction) -> Result<(), TransactionValidityError> {
		Err(why.into())
	}
	let ready_call = |fragments: &[FragmentId], anchor| Call::<Test>::ready {
		miner: MinerId(20),
		anchor,
		fragments: bounded(fragments),
		signature: None,
	};
	let report_call = |proofs: usize, anchor| Call::<Test>::report {
		miner: MinerId(20),
		anchor,
		at: 1,
		proofs: BoundedVec::truncate_from(vec![FragmentProof::default(); proofs]),
		signature: None,
	};
	execute(|| {
		let (_, fragments) = claimed(3);
		let stale = || refused(InvalidTransaction::Stale);
		assert_eq!(authorize(ready_call(&[], 1)), stale());
		assert_eq!(authorize(report_call(0, 1)), stale());
		assert_eq!(authorize(ready_call(&[fragments[0]], 1)), Ok(()));
		// The gate has a say.
		assert_eq!(authorize(ready_call(&[fragments[0]], 0)), stale());

		ready(20, &fragments);
		assert_eq!(authorize(ready_call(&[], 2)), Ok(()));
		assert_eq!(authorize(report_call(3, 2)), refused(InvalidTransaction::Future));
		blocks(crate::SEED_DELAY);
		assert_eq!(authorize(report_call(3, 2)), Ok(()));
		assert_eq!(authorize(report_call(4, 2)), refused(InvalidTransaction::BadProof));
		assert_eq!(authorize(report_call(3, 0)), stale());
		blocks(PERIOD + 1);
		assert_eq!(authorize(ready_call(&[fragments[0]], 2)), stale());
		blocks_without_agenda(255 + crate::SEED_DELAY);
		assert_eq!(authorize(report_call(3, 2)), stale());
	});
}

#[test]
fn duties_are_operational_and_for_the_miner_only() {
	execute(|| {
		let (_, fragments) = claimed(1);
		let call = |miner: u32| Call::<Test>::ready {
			miner: MinerId(miner),
			anchor: 1,
			fragments: bounded(&fragments),
			signature: None,
		};
		assert_eq!(call(20).get_dispatch_info().class, DispatchClass::Operational);
		use frame_support::traits::UnfilteredDispatchable;
		for origin in [by(1), RuntimeOrigin::signed(5), RuntimeOrigin::none()] {
			let result = call(20).dispatch_bypass_filter(origin);
			assert_eq!(result.map_err(|e| e.error), Err(DispatchError::BadOrigin));
		}
		// The signed way, from polkadot.js.
		assert_ok!(call(20).dispatch_bypass_filter(by(20)));
		assert_eq!(batch(20).fragments.len(), 1);
	});
}

#[test]
fn a_duty_brings_an_absent_claimer_back() {
	execute(|| {
		let (files, fragments) = claimed(2);
		set_standing(20, Standing::Absent);
		ready(20, &fragments);
		blocks(crate::SEED_DELAY);
		report(20, proofs(20, &files.iter().collect::<Vec<_>>()));
		assert_eq!(holder(fragments[0]), Some(MinerId(20)));
		assert_eq!(miner(20).standing, Standing::Serving);
	});
}
