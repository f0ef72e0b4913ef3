// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A file's life on the whole chain: the pallets together, in blocks with all their hooks.

use super::{network::*, *};
use crate::{Balances, Clock, Miners, RuntimeEvent, RuntimeHoldReason, RuntimeOrigin, queries};
use frame_support::traits::fungible::InspectHold;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore::{self as restore, OrderState, SEED_DELAY};
use pallet_planaria_rewards as rewards;
use pallet_planaria_support::{Clock as _, Discipline, FileState, MinerDirectory as _, Standing};
use planaria_primitives::{FragmentId, FragmentProof, MinerId};
use planaria_runtime_api::{MinerStanding, OrderCause, SegmentClaim, VerdictStatus};

fn state(fragment: FragmentId) -> Option<OrderState> {
	restore::Orders::<Runtime>::get(fragment).map(|order| order.state)
}

fn standing(miner: u32) -> Option<Standing> {
	Miners::get(MinerId(miner)).map(|info| info.standing)
}

fn stake(miner: u32) -> u128 {
	let reason: RuntimeHoldReason = miners::HoldReason::Collateral.into();
	Balances::balance_on_hold(&reason, &account(STASHES[miner as usize]))
}

/// What a pallet said in this block.
fn said(event: impl Into<RuntimeEvent>) -> bool {
	let event = event.into();
	System::events().iter().any(|record| record.event == event)
}

/// The miner, which has claimed the fragment, declares it ready, proves it and holds it.
fn restore_fragment(chain: &mut Chain, file: &TestFile, miner: u32, index: u8) {
	let fragment = file.fragment(index);
	chain.block(|| apply_duty(&ready(miner, &[fragment])));
	assert!(matches!(state(fragment), Some(OrderState::Claimed { .. })));
	chain.blocks(SEED_DELAY - 1);
	chain.block(|| {
		let report = report(miner, file.proofs(miner));
		apply_report(&report);
		assert_eq!(file.holder(index), Some(miner));
	});
	assert_eq!(state(fragment), None);
}

#[test]
fn a_file_becomes_active_when_its_last_fragment_is_confirmed() {
	on_network(|chain| {
		let file = chain.block(|| TestFile::order(1));
		chain.block(|| file.place([0, 1, 2]));
		let len = file.fragment_len();
		assert_eq!((load(0).held, load(0).reserved), (0, len));
		for (index, miner) in (0..).zip(0..3) {
			assert_eq!(file.state(), Some(FileState::Pending));
			chain.block(|| apply_duty(&confirm(miner, &[file.fragment(index)])));
			assert_eq!((load(miner).held, load(miner).reserved), (len, 0));
		}
		assert_eq!(file.state(), Some(FileState::Active));
		assert_eq!(load(3).held, 0);
	});
}

#[test]
fn a_broken_fragment_is_restored_by_another_miner() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		chain.block(|| {
			// Nobody takes two fragments of a segment.
			assert!(apply(&claim(1, &[fragment])).unwrap().is_err());
			apply_ok(claim(3, &[fragment]));
		});
		assert_eq!((load(3).reserved, load(3).claims), (file.fragment_len(), 1));
		assert_eq!(file.holder(0), Some(0));

		restore_fragment(chain, &file, 3, 0);
		assert_eq!((load(0).held, load(0).fragments), (0, 0));
		assert_eq!((load(3).held, load(3).claims), (file.fragment_len(), 0));
		assert_eq!(stake(3), COLLATERAL);
	});
}

#[test]
fn the_seed_of_a_batch_is_unknown_when_it_is_declared() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		chain.block(|| apply_ok(claim(3, &[fragment])));
		chain.block(|| apply_duty(&ready(3, &[fragment])));
		for _ in 1..SEED_DELAY {
			assert_eq!(asked(3), None);
			chain.block(|| assert!(apply(&report(3, vec![file.proof(0, 0)])).is_err()));
		}
		assert_eq!(asked(3), None);
		// It follows from the VRF output of the last of these blocks.
		let vrf = pallet_babe::AuthorVrfRandomness::<Runtime>::get().unwrap();
		let last = Clock::beacon_at(System::block_number()).unwrap();
		chain.block(|| {
			let beacon = sp_io::hashing::blake2_256(&[last, vrf].concat());
			assert_eq!(Clock::beacon_at(System::block_number()), Some(beacon));
			apply_report(&report(3, file.proofs(3)));
		});
		assert_eq!(file.holder(0), Some(3));
	});
}

#[test]
fn a_wrong_proof_costs_its_fee_and_nothing_changes_hands() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let other = TestFile::stored(chain, 2, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		chain.block(|| apply_ok(claim(3, &[fragment])));
		chain.block(|| apply_duty(&ready(3, &[fragment])));
		chain.blocks(SEED_DELAY - 1);
		chain.block(|| {
			let right = file.proofs(3);
			let chunk = asked(3).unwrap()[0].1;
			let wrong: Vec<FragmentProof> = vec![other.proof(0, chunk)];
			assert_ne!(right, wrong);
			apply(&report(3, wrong)).unwrap().unwrap();
		});
		let fee = miners::Parameters::<Runtime>::get().wrong_proof_fee;
		assert_eq!(stake(3), COLLATERAL - fee);
		assert_eq!(file.holder(0), Some(0));
		assert!(matches!(state(fragment), Some(OrderState::Claimed { by: MinerId(3), .. })));

		// It may try again.
		restore_fragment(chain, &file, 3, 0);
		assert_eq!(stake(3), COLLATERAL - fee);
	});
}

#[test]
fn a_miner_that_leaves_hands_everything_over_and_is_paid_back() {
	on_network(|chain| {
		let files: Vec<_> = (1..4).map(|seed| TestFile::stored(chain, seed, [0, 1, 2])).collect();
		let finish = miners::Call::finish { miner: MinerId(1) };
		chain.block(|| apply_ok(signed(&stash_pair(1), miners::Call::exit {})));
		assert_eq!(standing(1), Some(Standing::Leaving { expelled: false }));

		let moving: Vec<_> = files.iter().map(|file| file.fragment(1)).collect();
		chain.block(|| {
			assert!(apply(&signed(&OWNER.pair(), finish.clone())).unwrap().is_err());
			apply_ok(open(3, &moving));
		});
		assert_eq!(load(3).claims, 3);
		for file in &files {
			// Thin segments: each fragment is proven anyway.
			restore_fragment(chain, file, 3, 1);
		}
		assert!(load(1).is_idle());
		assert_eq!(load(3).held, 3 * files[0].fragment_len());

		chain.block(|| apply_ok(signed(&OWNER.pair(), finish)));
		assert_eq!(standing(1), None);
		let withdraw = miners::Call::withdraw { amount: 0 };
		chain.block(|| assert!(apply(&signed(&stash_pair(1), withdraw.clone())).unwrap().is_err()));
		// Whoever leaves pays for the copies.
		let bounty = rewards::Parameters::<Runtime>::get().bounty(files[0].fragment_len());
		assert_eq!(stake(1), COLLATERAL - 3 * (bounty / 2));
		// The cooldown takes it past the end of a session.
		chain.blocks(miners::Parameters::<Runtime>::get().cooldown);
		chain.block(|| apply_ok(signed(&stash_pair(1), withdraw)));
		assert_eq!(stake(1), 0);
		assert!(!miners::Miners::<Runtime>::contains_key(MinerId(1)));
		assert!(files.iter().all(|file| file.state() == Some(FileState::Active)));
	});
}

#[test]
fn a_claim_that_expires_is_paid_for_and_open_to_others() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		chain.block(|| apply_ok(claim(3, &[fragment])));
		let params = restore::Parameters::<Runtime>::get();
		chain.blocks(params.claim_period);
		assert!(matches!(state(fragment), Some(OrderState::Claimed { .. })));
		// The agenda comes to it.
		chain.begin();
		apply_ok(signed(&OWNER.pair(), frame_system::Call::remark { remark: vec![] }));
		let (by, penalty) = (MinerId(3), params.claim_penalty);
		assert!(said(restore::Event::<Runtime>::ClaimExpired { fragment, by, penalty }));
		chain.end();
		assert_eq!(state(fragment), Some(OrderState::Unclaimed));
		assert_eq!((load(3).reserved, load(3).claims), (0, 0));
		assert_eq!(stake(3), COLLATERAL - params.claim_penalty);
		chain.block(|| assert!(apply(&claim(3, &[fragment])).unwrap().is_err()));
	});
}

#[test]
fn a_deleted_file_leaves_nothing_behind_even_under_restoration() {
	on_network(|chain| {
		let before = Balances::total_balance_on_hold(&account(OWNER));
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		chain.block(|| apply_ok(claim(3, &[fragment])));
		chain.block(|| apply_duty(&ready(3, &[fragment])));
		assert!(Balances::total_balance_on_hold(&account(OWNER)) > before);
		let delete = files::Call::delete { file: file.index };
		chain.block(|| apply_ok(signed(&OWNER.pair(), delete)));
		chain.blocks(2);
		assert_eq!(file.state(), None);
		assert_eq!(files::Segments::<Runtime>::iter().count(), 0);
		assert_eq!(restore::Orders::<Runtime>::iter().count(), 0);
		assert_eq!(Balances::total_balance_on_hold(&account(OWNER)), before);
		for miner in 0..4 {
			assert_eq!((load(miner).is_idle(), load(miner).used()), (true, 0), "{miner}");
		}
		// Nor does the batch that nobody can report, once its miner has left.
		assert!(restore::Batches::<Runtime>::iter_key_prefix(MinerId(3)).next().is_some());
		chain.block(|| {
			apply_ok(signed(&stash_pair(3), miners::Call::exit {}));
			apply_ok(signed(&OWNER.pair(), miners::Call::finish { miner: MinerId(3) }));
		});
		assert_eq!(restore::Batches::<Runtime>::iter().count(), 0);
	});
}

#[test]
fn an_order_that_nobody_confirms_fails() {
	on_network(|chain| {
		let held = Balances::total_balance_on_hold(&account(OWNER));
		let file = chain.block(|| {
			let file = TestFile::order(1);
			file.place([0, 1, 2]);
			file
		});
		chain.block(|| apply_duty(&confirm(0, &[file.fragment(0)])));
		chain.blocks(files::Parameters::<Runtime>::get().order_timeout + 1);
		assert_eq!(file.state(), None);
		assert_eq!(Balances::total_balance_on_hold(&account(OWNER)), held);
		assert!((0..3).all(|miner| load(miner).is_idle() && load(miner).used() == 0));
	});
}

/// Who stores a file, and has a miner that confirms a fragment now and then, can have its order run
/// for as long as it likes.
#[test]
fn a_miner_that_leaves_does_not_wait_for_what_it_is_never_sent() {
	on_network(|chain| {
		without_audits();
		let file = chain.block(|| {
			let file = TestFile::order(1);
			file.place([0, 1, 2]);
			file
		});
		let timeout = files::Parameters::<Runtime>::get().order_timeout;
		chain.blocks(timeout - 10);
		chain.block(|| apply_duty(&confirm(0, &[file.fragment(0)])));
		chain.block(|| apply_ok(signed(&stash_pair(1), miners::Call::exit {})));
		chain.blocks(20);
		assert_eq!(file.state(), Some(FileState::Pending));
		assert_eq!((load(1).is_idle(), load(1).reserved), (true, file.fragment_len()));

		// Anybody lets it go, and its collateral is free after the cooldown.
		let finish = miners::Call::finish { miner: MinerId(1) };
		chain.block(|| apply_ok(signed(&OWNER.pair(), finish)));
		assert_eq!(standing(1), None);
		chain.block(|| assert!(apply(&confirm(1, &[file.fragment(1)])).is_err()));
		chain.blocks(miners::Parameters::<Runtime>::get().cooldown);
		let withdraw = miners::Call::withdraw { amount: 0 };
		chain.block(|| apply_ok(signed(&stash_pair(1), withdraw)));
		assert_eq!(stake(1), 0);

		// The fragment is placed elsewhere.
		assert_eq!(file.holder(1), Some(1));
		chain.block(|| file.place([0, 3, 2]));
		chain.block(|| {
			apply_duty(&confirm(3, &[file.fragment(1)]));
			apply_duty(&confirm(2, &[file.fragment(2)]));
		});
		assert_eq!((file.state(), file.holder(1)), (Some(FileState::Active), Some(3)));
	});
}

#[test]
fn what_was_placed_with_a_miner_that_has_departed_is_removed_as_well() {
	on_network(|chain| {
		let held = Balances::total_balance_on_hold(&account(OWNER));
		let file = chain.block(|| {
			let file = TestFile::order(1);
			file.place([0, 1, 2]);
			file
		});
		chain.block(|| {
			apply_ok(signed(&stash_pair(1), miners::Call::exit {}));
			apply_ok(signed(&OWNER.pair(), miners::Call::finish { miner: MinerId(1) }));
		});
		chain.blocks(files::Parameters::<Runtime>::get().order_timeout + 1);
		assert_eq!(file.state(), None);
		assert_eq!(Balances::total_balance_on_hold(&account(OWNER)), held);
		assert!([0, 2, 3].into_iter().all(|miner| load(miner).used() == 0));
	});
}

#[test]
fn what_an_absent_miner_holds_is_restored_and_it_comes_back_without() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let after = miners::Parameters::<Runtime>::get().absent_after;
		let mark = miners::Call::mark_absent { miner: MinerId(0) };
		chain.block(|| assert!(apply(&signed(&OWNER.pair(), mark.clone())).unwrap().is_err()));
		// One more than needed: the block of a session's rotation has no room for transactions.
		chain.blocks(after + 1);
		chain.block(|| apply_ok(signed(&OWNER.pair(), mark)));
		assert_eq!(standing(0), Some(Standing::Absent));
		chain.block(|| apply_ok(open(3, &[file.fragment(0)])));
		restore_fragment(chain, &file, 3, 0);

		chain.block(|| {
			let anchor = anchor();
			let signature = sign(0, planaria_primitives::duty::DutyKind::Alive, anchor, &());
			let alive = miners::Call::alive { miner: MinerId(0), anchor, signature };
			apply_duty(&authorized(alive));
		});
		assert_eq!(standing(0), Some(Standing::Serving));
		assert_eq!((load(0).held, file.holder(0)), (0, Some(3)));
	});
}

/// Whatever has a deadline waits for the clock.
#[test]
fn nothing_expires_while_the_tick_stands() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let pending = chain.block(|| {
			let file = TestFile::order(2);
			file.place([0, 1, 2]);
			file
		});
		let fragments = [file.fragment(0), file.fragment(1)];
		chain.block(|| {
			apply_ok(open(0, &fragments[..1]));
			apply_ok(open(1, &fragments[1..]));
			apply_ok(claim(3, &fragments[..1]));
		});
		let claimed = state(fragments[0]);
		let verdict = restore::Verdicts::<Runtime>::get(fragments[0].segment);
		assert!(matches!(verdict, Some(restore::Verdict::Suspected { .. })));

		pallet_planaria_clock::Pallet::<Runtime>::set_running(RuntimeOrigin::root(), false)
			.unwrap();
		chain.blocks(1);
		let now = Clock::now();
		let longest = [
			restore::Parameters::<Runtime>::get().claim_period * restore::LOSS_PERIODS,
			miners::Parameters::<Runtime>::get().absent_after,
			files::Parameters::<Runtime>::get().order_timeout,
		];
		chain.blocks(longest.into_iter().max().unwrap() + 10);
		assert_eq!(Clock::now(), now);
		assert_eq!(state(fragments[0]), claimed);
		assert_eq!(restore::Verdicts::<Runtime>::get(fragments[0].segment), verdict);
		assert_eq!(pending.state(), Some(FileState::Pending));
		assert_eq!(stake(3), COLLATERAL);
		let mark = miners::Call::mark_absent { miner: MinerId(0) };
		chain.block(|| assert!(apply(&signed(&OWNER.pair(), mark)).unwrap().is_err()));
		// What has no deadline goes on: the claimer restores in its own time.
		restore_fragment(chain, &file, 3, 0);

		pallet_planaria_clock::Pallet::<Runtime>::set_running(RuntimeOrigin::root(), true).unwrap();
		chain.blocks(files::Parameters::<Runtime>::get().order_timeout + 2);
		assert_eq!(pending.state(), None);
	});
}

#[test]
fn the_apis_show_who_restores_what() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragments = vec![file.fragment(0), file.fragment(1)];
		chain.block(|| apply_ok(open(0, &fragments[..1])));
		chain.block(|| apply_ok(claim(3, &fragments[..1])));
		let records = || -> Vec<_> {
			queries::records(fragments.clone()).into_iter().map(Option::unwrap).collect()
		};
		let (_, deadline) = state(fragments[0]).unwrap().claim().unwrap();
		let claim = |ready| SegmentClaim { index: 0, by: MinerId(3), deadline, ready };
		for record in records() {
			assert_eq!(record.claims, [claim(false)]);
			assert_eq!((record.spare, record.verdict), (0, None));
		}
		let by: Vec<_> = records().iter().map(|record| record.claimed_by()).collect();
		assert_eq!(by, [Some(MinerId(3)), None]);
		chain.block(|| apply_duty(&ready(3, &fragments[..1])));
		assert_eq!(records()[1].claims, [claim(true)]);
		chain.block(|| apply_duty(&ready(3, &[])));

		let orders = queries::orders(None, 10);
		assert_eq!(orders.len(), 1);
		assert_eq!((orders[0].cause, orders[0].declines), (OrderCause::Broken, 0));
		chain.block(|| {
			let fragments = fragments[..1].to_vec().try_into().unwrap();
			apply_ok(signed(&hot_pair(3), restore::Call::decline { fragments }));
		});
		let orders = queries::orders(None, 10);
		assert_eq!((orders[0].declines, orders[0].disputed), (1, false));
		assert_eq!(records()[0].claims, []);

		chain.block(|| apply_ok(open(1, &fragments[1..])));
		let record = &records()[0];
		assert_eq!(record.spare, -1);
		assert!(matches!(record.verdict, Some(VerdictStatus::Suspected { .. })));
		let network = queries::network();
		assert_eq!((network.miners, network.braked), (4, false));
		// A third of everything turns absent.
		<Miners as Discipline>::absent(MinerId(2)).unwrap();
		assert!(queries::network().braked);
		let status = queries::miner(MinerId(2)).unwrap();
		assert_eq!((status.standing, status.since), (MinerStanding::Absent, Clock::now()));
	});
}
