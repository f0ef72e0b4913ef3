// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Segments that are removed in the middle of everything, and parameters.

use super::{each, lean, standard};
use crate::{
	AgendaTasks, Batches, ClaimsOf, Error, Event, Orders, Parameters, Params, Verdicts, mock::*,
};
use frame_support::{BoundedVec, assert_noop, assert_ok};
use pallet_planaria_support::{FileState, OpenOrder, Standing};
use planaria_primitives::MinerId;
use sp_runtime::DispatchError;

#[test]
fn claims_are_released_and_nobody_pays() {
	execute(|| {
		let file = &standard(1)[0];
		for index in 0..4u8 {
			assert_ok!(Restore::open(by(index.into()), list([file.fragment(0, index)])));
		}
		for (index, claimer) in [(0, 20), (1, 21), (2, 22)] {
			assert_ok!(Restore::claim(by(claimer), list([file.fragment(0, index)])));
		}
		ready(21, &[file.fragment(0, 1)]);
		file.set_state(FileState::Deleting);
		file.remove_segment(0);
		assert_eq!(Orders::<Test>::iter().count(), 0);
		assert_eq!(ClaimsOf::<Test>::iter().count(), 0);
		let untouched = |claimer| {
			let miner = Miner { last_anchor: 0, ..miner(claimer) };
			miner == Miner::default()
		};
		assert!((20..23).all(untouched));
		// What was put down for it finds nothing.
		blocks(PERIOD + 2);
		assert!((20..23).all(untouched));
		assert_eq!(AgendaTasks::<Test>::iter().count(), 0);
		// Neither does a report, nor a claim.
		report(21, vec![]);
		assert_eq!(Batches::<Test>::iter().count(), 0);
		assert_noop!(
			Restore::claim(by(20), list([file.fragment(0, 3)])),
			Error::<Test>::OrderNotFound
		);
	});
}

#[test]
fn who_did_not_have_it_gets_nothing_back_when_the_file_goes() {
	const EXPELLED: Standing = Standing::Leaving { expelled: true };
	execute(|| {
		let file = &standard(1)[0];
		let fragment = |index| file.fragment(0, index);
		// Said so, failed, is expelled, only leaves, is away.
		assert_ok!(Restore::open(by(0), list([fragment(0)])));
		assert_ok!(<Restore as OpenOrder>::open(fragment(1)));
		let targets = [(2, EXPELLED), (3, Standing::Leaving { expelled: false })];
		for (holder, standing) in targets.into_iter().chain([(4, Standing::Absent)]) {
			set_standing(holder, standing);
			let index = u8::try_from(holder).expect("small");
			assert_ok!(Restore::open(by(20 + holder), list([fragment(index)])));
		}
		file.set_state(FileState::Deleting);
		file.remove_segment(0);
		assert_eq!(forfeited(), [fragment(0), fragment(1), fragment(2)]);
		assert_eq!(bounties(), []);
	});
}

#[test]
fn who_was_away_when_it_was_lost_gets_nothing_back() {
	execute(|| {
		let file = lean();
		set_standing(1, Standing::Absent);
		set_standing(2, Standing::Absent);
		assert_ok!(Restore::open(by(9), list([file.fragment(0, 1)])));
		blocks(3 * PERIOD + 1);
		assert_eq!(file.lost(), 1);
		file.set_state(FileState::Deleting);
		file.remove_segment(0);
		assert_eq!(forfeited(), [file.fragment(0, 1)]);
	});
}

#[test]
fn a_verdict_goes_with_its_segment() {
	execute(|| {
		let files = [lean(), lean()];
		for file in &files {
			assert_ok!(Restore::open(by(0), list([file.fragment(0, 0)])));
			assert_ok!(Restore::open(by(1), list([file.fragment(0, 1)])));
		}
		files[0].set_state(FileState::Deleting);
		files[0].remove_segment(0);
		assert_eq!(Verdicts::<Test>::iter().count(), 1);
		// And with a segment that is lost, vacated and claimed.
		blocks(3 * PERIOD + 1);
		assert_ok!(Restore::claim(by(9), list([files[1].fragment(0, 0)])));
		files[1].set_state(FileState::Deleting);
		files[1].remove_segment(0);
		assert_eq!(Verdicts::<Test>::iter().count(), 0);
		assert_eq!(miner(9), Miner::default());
	});
}

#[test]
fn a_batch_outlives_some_of_its_fragments() {
	execute(|| {
		let files = standard(3);
		let fragments = each(&files, 1);
		let bounded = || BoundedVec::truncate_from(fragments.clone());
		assert_ok!(Restore::open(by(1), bounded()));
		assert_ok!(Restore::claim(by(20), bounded()));
		ready(20, &fragments);
		files[0].set_state(FileState::Deleting);
		files[0].remove_segment(0);
		check();
		assert_eq!(batch(20).fragments.len(), 3);
		blocks(crate::SEED_DELAY);
		report(20, proofs(20, &files.iter().collect::<Vec<_>>()));
		assert_eq!(miner(20).fragments, 2);
		assert_eq!(miner(20).wrong, 0);
	});
}

#[test]
fn parameters_are_set_by_the_admin_and_checked() {
	execute(|| {
		let params =
			Params { claim_period: 99, claim_penalty: 5, ban_period: 0, loss_settlement: 1 };
		let set = |origin, params| Restore::set_params(origin, params);
		assert_noop!(set(by(1), params), DispatchError::BadOrigin);
		for unsound in [
			Params { claim_period: 6, ..params },
			Params { claim_period: 0, ..params },
			Params { claim_period: u32::MAX, ..params },
			Params { ban_period: u32::MAX, ..params },
			Params { loss_settlement: u32::MAX, ..params },
		] {
			assert_noop!(set(RuntimeOrigin::root(), unsound), Error::<Test>::UnsoundParams);
		}
		let file = lean();
		assert_ok!(Restore::open(by(0), list([file.fragment(0, 0)])));
		assert_ok!(Restore::claim(by(9), list([file.fragment(0, 0)])));
		events();
		assert_ok!(set(RuntimeOrigin::root(), params));
		assert_eq!(events(), [Event::ParamsSet { params }]);
		assert_eq!(Parameters::<Test>::get(), params);
		// The claim keeps its deadline and pays what is due now.
		blocks(PERIOD + 1);
		assert_eq!(1_000_000 - collateral(9), 5);
		assert_ok!(Restore::claim(by(8), list([file.fragment(0, 0)])));
		let deadline = 1 + PERIOD + 1 + 99;
		let claimed =
			Event::OrderClaimed { fragment: file.fragment(0, 0), by: MinerId(8), deadline };
		assert!(events().contains(&claimed));
	});
}
