// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Audits on the whole runtime: who does not have what it should is found out and has to go, and
//! how long that takes with the parameters of a public network.

use super::{network::*, *};
use crate::{Audit, Balances, Clock, Miners, Restore, currency::UNIT};
use codec::Encode;
use frame_support::{BoundedVec, traits::fungible::InspectHold};
use pallet_planaria_audit as audit;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_support::{Clock as _, MinerDirectory, Standing};
use planaria_primitives::{FragmentId, MinerId, duty::DutyKind};

fn params() -> audit::ParamsOf<Runtime> {
	audit::Parameters::<Runtime>::get()
}

fn standing(miner: u32) -> Option<Standing> {
	<Miners as MinerDirectory<AccountId>>::get(MinerId(miner)).map(|miner| miner.standing)
}

fn collateral(miner: u32) -> u128 {
	miners::Miners::<Runtime>::get(MinerId(miner)).unwrap().collateral
}

fn name(fragment: FragmentId) -> UncheckedExtrinsic {
	signed(&OWNER.pair(), audit::Call::challenge { fragment })
}

fn answer(miner: u32, answers: Vec<audit::Answer>) -> UncheckedExtrinsic {
	let (anchor, answers) = (anchor(), BoundedVec::try_from(answers).unwrap());
	let signature = sign(miner, DutyKind::Answer, anchor, &answers);
	authorized(audit::Call::answer { miner: MinerId(miner), anchor, answers, signature })
}

/// The right answer of a holder that still has the file.
fn right(file: &TestFile, index: u8, miner: u32) -> audit::Answer {
	let fragment = file.fragment(index);
	let challenge = audit::Challenges::<Runtime>::get(MinerId(miner), fragment).unwrap();
	audit::Answer { fragment, proof: file.proof(index, challenge.chunk) }
}

/// Everybody answers what it is asked, but not these.
fn answer_all(chain: &mut Chain, files: &[TestFile], but: &[u32]) {
	chain.block(|| {
		for miner in (0..4).filter(|miner| !but.contains(miner)) {
			let answers: Vec<_> = Audit::challenges_of(MinerId(miner))
				.map(|(fragment, challenge)| {
					let file = files.iter().find(|file| file.first == fragment.segment).unwrap();
					audit::Answer { fragment, proof: file.proof(fragment.index, challenge.chunk) }
				})
				.collect();
			if !answers.is_empty() {
				apply_duty(&answer(miner, answers));
			}
		}
	});
}

#[test]
fn what_was_confirmed_is_asked_for_two_blocks_later() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		assert_eq!(audit::Census::<Runtime>::get().bytes, 3 * file.fragment_len());
		chain.blocks(audit::SEED_DELAY);
		for (index, miner) in (0..).zip(0..3) {
			let open: Vec<_> = Audit::challenges_of(MinerId(miner)).collect();
			assert_eq!(open.len(), 1);
			assert_eq!(open[0].0, file.fragment(index));
		}
		answer_all(chain, &[file], &[]);
		assert_eq!(audit::Challenges::<Runtime>::iter().count(), 0);
	});
}

#[test]
fn an_answer_is_free_and_accepted_once() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		chain.blocks(audit::SEED_DELAY);
		chain.block(|| {
			let duty = answer(0, vec![right(&file, 0, 0)]);
			apply_duty(&duty);
			assert!(apply(&duty).is_err());
		});
		assert!(audit::Challenges::<Runtime>::iter().all(|(miner, ..)| miner != MinerId(0)));
		assert_eq!(load(0).last_seen, Clock::now());
	});
}

/// Has files stored with the miners 0, 1 and 2, who answer what they are asked at first; the periods
/// are short.
fn audited(chain: &mut Chain, files: u8) -> Vec<TestFile> {
	chain.block(|| {
		let short = audit::Params {
			answer_period: 6,
			strike_window: 6,
			heal_after: 40,
			..presets::production_audit()
		};
		audit::Parameters::<Runtime>::put(short);
	});
	let mut stored = Vec::new();
	for seed in 0..files {
		stored.push(TestFile::stored(chain, seed, [0, 1, 2]));
		chain.blocks(audit::SEED_DELAY);
		answer_all(chain, &stored, &[]);
	}
	assert_eq!(audit::Records::<Runtime>::iter().count(), 0);
	stored
}

/// It says that it is alive, and nothing else.
fn alive(miner: u32) {
	let alive = miners::Call::alive { miner: MinerId(miner), anchor: anchor(), signature: None };
	apply_ok(signed(&stash_pair(miner), alive));
}

#[test]
fn who_answers_nothing_is_warned_suspended_slashed_and_expelled() {
	use audit::Level::{Expelled, Slashed, Suspended, Warned};
	on_network(|chain| {
		let files = audited(chain, 6);
		let required = <Miners as pallet_planaria_support::Collateral<_, u128>>::required;
		let mut slashed = 0;
		for (file, level) in
			files.iter().zip([Warned, Suspended, Slashed, Slashed, Slashed, Expelled])
		{
			chain.block(|| {
				alive(0);
				apply_ok(name(file.fragment(0)));
			});
			for _ in 0..audit::SEED_DELAY + params().answer_period + 1 {
				answer_all(chain, &files, &[0]);
			}
			assert_eq!(Audit::level_of(MinerId(0)), Some(level));
			// Others restore it, and nothing else.
			let order = restore::Orders::<Runtime>::get(file.fragment(0)).unwrap();
			assert_eq!(order.cause, restore::Cause::Challenge);
			let strikes = audit::Records::<Runtime>::get(MinerId(0)).strikes;
			slashed += params().slash(strikes) * required(MinerId(0));
			assert_eq!(
				standing(0),
				Some(match level {
					Warned => Standing::Serving,
					Suspended | Slashed => Standing::Suspended,
					Expelled => Standing::Leaving { expelled: true },
				})
			);
		}
		// 5, 10, 15 and 20 % of what its bytes require, six rewards for who named them, and the
		// bounties for those who restore them.
		assert!(slashed > 4 * UNIT);
		let bounties: u128 = rewards::Pledges::<Runtime>::iter_values()
			.filter_map(|pledge| pledge.open())
			.map(|bounty| bounty.amount)
			.sum();
		assert_eq!(COLLATERAL - collateral(0), slashed + 6 * params().reward + bounties);
		let reason = audit::HoldReason::ChallengeDeposit.into();
		assert_eq!(Balances::balance_on_hold(&reason, &OWNER.to_account_id()), 0);
		assert_eq!(restore::Orders::<Runtime>::iter().count(), 6);
		// Nobody else has been harmed.
		assert_eq!(audit::Records::<Runtime>::iter().count(), 1);
		assert!((1..4).all(|miner| collateral(miner) == COLLATERAL));
	});
}

#[test]
fn a_suspended_miner_gets_nothing_new_and_is_reinstated_by_passing() {
	on_network(|chain| {
		let files = audited(chain, 3);
		for file in &files[..2] {
			chain.block(|| apply_ok(name(file.fragment(0))));
			for _ in 0..audit::SEED_DELAY + params().answer_period + 1 {
				answer_all(chain, &files, &[0]);
			}
		}
		assert_eq!(standing(0), Some(Standing::Suspended));
		// What it passes now heals, if it was drawn. There is one fragment left to ask it for.
		chain.block(|| {
			audit::Parameters::<Runtime>::mutate(|p| p.bytes_per_draw = files[0].fragment_len());
		});
		for _ in 0..3 * params().heal_after {
			answer_all(chain, &files, &[]);
		}
		assert_eq!((standing(0), Audit::level_of(MinerId(0))), (Some(Standing::Serving), None));
	});
}

#[test]
fn what_is_deleted_leaves_the_census_and_lapses() {
	on_network(|chain| {
		let files = audited(chain, 2);
		chain.block(|| apply_ok(name(files[0].fragment(0))));
		chain.blocks(audit::SEED_DELAY);
		chain.block(|| {
			let delete = files::Call::delete { file: files[0].index };
			apply_ok(signed(&OWNER.pair(), delete));
		});
		for _ in 0..20 {
			answer_all(chain, &files, &[0]);
		}
		assert_eq!(audit::Census::<Runtime>::get().bytes, 3 * files[1].fragment_len());
		assert_eq!(audit::Records::<Runtime>::iter().count(), 0);
		let reason = audit::HoldReason::ChallengeDeposit.into();
		assert_eq!(Balances::balance_on_hold(&reason, &OWNER.to_account_id()), 0);
	});
}

/// Minutes, for ticks of 6 s.
fn minutes(ticks: u32) -> f64 {
	f64::from(ticks) / 10.0
}

#[test]
fn a_fragment_that_somebody_names_is_under_restoration_within_half_an_hour() {
	let params = presets::production_audit();
	// It is included, waits for its seed behind a full queue, is not answered, and noted.
	let queue = u32::try_from(audit::MAX_REQUESTS).unwrap();
	let queued = queue.div_ceil(<Runtime as audit::Config>::MaxDraws::get());
	let usual = 1 + audit::SEED_DELAY + params.answer_period + 1;
	let worst = usual + 1 + queued;
	println!("named -> order open: {} min, at worst {} min", minutes(usual), minutes(worst));
	assert!(minutes(worst) <= 25.0);
	// Even if every fifth slot is empty; with more than every fourth the clock stands still.
	assert!(minutes(worst) / 0.8 <= 30.0);
}

/// Whatever its size: it is absence that matters, not audits.
#[test]
fn what_a_crashed_miner_holds_is_restorable_within_two_and_a_half_hours() {
	const SLOT: f64 = 6.0;
	let miners = presets::production_miners();
	// Its last duty was up to so long ago. Then any of the others marks it absent: its engine looks
	// every 18 s, of all that found it about one goes ahead in each block, and is included two
	// blocks later.
	let engine = 3.0;
	let mut times: Vec<f64> = Vec::new();
	for n in 0..10_000u32 {
		let random = |what: u8| {
			let hash = sp_io::hashing::blake2_128(&(what, n).encode());
			(f64::from(u32::from_le_bytes(hash[..4].try_into().unwrap())) + 0.5) / 2f64.powi(32)
		};
		let unseen = random(0) * f64::from(miners.alive_every);
		let looked = random(1) * engine;
		// One goes ahead with probability 1 - 1/e.
		let drawn = (-random(2).ln()).ceil();
		times.push(
			(f64::from(miners.absent_after) + 1.0 - unseen + looked + drawn + 2.0) * SLOT / 3600.0,
		);
	}
	times.sort_by(f64::total_cmp);
	let mean = times.iter().sum::<f64>() / times.len() as f64;
	let late = times[times.len() * 99 / 100];
	println!("crash -> restorable: {mean:.2} h, 99 % within {late:.2} h");
	assert!((1.7..1.9).contains(&mean), "{mean}");
	assert!(late < 2.1 && *times.last().unwrap() < 2.5, "{late}");
}

/// A network of 10 PiB in which every TiB is asked once an hour.
#[test]
fn audits_of_a_large_network_take_little_of_a_block() {
	use crate::configs::system::BLOCK_WEIGHT;
	use audit::WeightInfo;
	use pallet_planaria_support::{DutyGate, OpenOrder};
	type Weights = <Runtime as audit::Config>::WeightInfo;
	let params = presets::production_audit();
	let per_tick = params.draws(10 << 50, 0);
	assert_eq!(per_tick, 18);
	let most: u32 = <Runtime as audit::Config>::MaxDraws::get();
	assert!(per_tick < u64::from(most));
	// Each miner sends its answers by itself, and one in a hundred fails.
	let gate = Miners::authorize_weight(2_300).saturating_add(Miners::enter_weight());
	let answer =
		Weights::answer(1).saturating_add(Weights::authorize_answer()).saturating_add(gate);
	let draw = Weights::draw().saturating_add(answer);
	let fail = Weights::close().saturating_add(Restore::weight());
	let all = Weights::round()
		.saturating_add(draw.saturating_mul(per_tick))
		.saturating_add(fail.saturating_mul(per_tick) / 100);
	let share = all.ref_time() as f64 / BLOCK_WEIGHT.ref_time() as f64;
	println!("10 PiB: {per_tick} draws per block, {:.1} % of a block", share * 100.0);
	assert!(share < 0.05, "{share}");
	// A quarter of a block holds 200 proofs and more.
	let full = Weights::answer(audit::MAX_ANSWERS).saturating_add(Weights::authorize_answer());
	let full = full
		.saturating_add(Miners::authorize_weight(64 << 10))
		.saturating_add(Miners::enter_weight());
	let proofs = BLOCK_WEIGHT.ref_time() / 4 / full.ref_time() * u64::from(audit::MAX_ANSWERS);
	println!("{proofs} proofs in a quarter of a block");
	assert!(proofs >= 200, "{proofs}");
}
