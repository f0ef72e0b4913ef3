// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What every block must do, at its worst, leaves room for duties and for transactions.

use super::*;
use crate::{
	AllPalletsWithSystem, Clock,
	configs::{
		storage::{AgendaWeight, AuditWeight, MoneyWeight},
		system::{BLOCK_WEIGHT, NORMAL_SHARE},
	},
};
use frame_support::{BoundedVec, dispatch::DispatchClass, traits::IntegrityTest};
use pallet_planaria_audit as audit;
use pallet_planaria_files as files;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::Clock as _;
use planaria_primitives::{FileIndex, FragmentId, MinerId, SegmentId};
use sp_runtime::transaction_validity::InvalidTransaction;

#[test]
fn every_pallet_fits_its_settings() {
	genesis("development").execute_with(<AllPalletsWithSystem as IntegrityTest>::integrity_test);
}

/// Fills the agendas of all pallets far beyond what a block can serve.
fn fill_agendas() {
	// What is over already is quickly done.
	const TICKS: u32 = 60;
	// There is no end to what files and spaces may have to do with one tick.
	const PAGES: u32 = 8;
	let batch = <Runtime as files::Config>::TasksPerPage::get();
	let tasks = <Runtime as restore::Config>::MaxTasks::get();
	let answers = <Runtime as audit::Config>::MaxTasks::get();
	pallet_planaria_clock::Now::<Runtime>::put(TICKS);
	files::NextDue::<Runtime>::put(1);
	restore::AgendaNext::<Runtime>::put(1);
	space::AgendaNext::<Runtime>::put(1);
	rewards::AgendaNext::<Runtime>::put(1);
	let owners: u32 = <Runtime as space::Config>::TasksPerPage::get();
	let halves: u32 = <Runtime as rewards::Config>::MaxTasks::get();
	audit::AgendaNext::<Runtime>::put(1);
	audit::LastRound::<Runtime>::kill();
	for tick in 1..=TICKS {
		let removal = |n: u32| files::Task::Removal(FileIndex(n.into()));
		let due: BoundedVec<_, <Runtime as files::Config>::TasksPerPage> =
			BoundedVec::truncate_from((0..batch).map(removal).collect());
		let lapsed: BoundedVec<_, <Runtime as space::Config>::TasksPerPage> =
			BoundedVec::truncate_from(vec![account(Sr25519Keyring::Alice); owners as usize]);
		for page in 0..PAGES {
			files::Due::<Runtime>::insert((tick, page), due.clone());
			space::AgendaTasks::<Runtime>::insert((tick, page), lapsed.clone());
		}
		files::DuePages::<Runtime>::insert(tick, (0, PAGES - 1));
		space::AgendaPages::<Runtime>::insert(tick, (0, PAGES - 1));
		let fragment = |n| FragmentId { segment: SegmentId(u64::from(n)), index: 0 };
		let ends = (0..tasks).map(|n| restore::Task::CountdownEnds(fragment(n).segment)).collect();
		restore::AgendaTasks::<Runtime>::insert(tick, BoundedVec::truncate_from(ends));
		let kept = (0..halves).map(fragment).collect();
		rewards::AgendaTasks::<Runtime>::insert(tick, BoundedVec::truncate_from(kept));
		let due = (0..answers).map(|n| audit::Task::AnswerDue(MinerId(n % 4), fragment(n)));
		audit::AgendaTasks::<Runtime>::insert(tick, BoundedVec::truncate_from(due.collect()));
	}
}

#[test]
fn full_agendas_leave_room_for_duties_and_transactions() {
	genesis("local_testnet").execute_with(|| {
		run_block(1_000);
		begin_block(1_001, 0);
		let hooks = mandatory_weight();
		Executive::finalize_block();
		fill_agendas();
		begin_block(1_002, 0);
		Executive::inherents_applied();
		let full = mandatory_weight();

		// All were busy for about as long as they may be, and not for longer.
		let agendas = full.saturating_sub(hooks);
		let most =
			((AgendaWeight::get() + MoneyWeight::get()) * 2).saturating_add(AuditWeight::get());
		assert!(agendas.all_lte(most), "{agendas} of {most}");
		assert!(agendas.ref_time() > most.ref_time() / 4 * 3, "{agendas} of {most}");
		assert!(restore::AgendaNext::<Runtime>::get() < Clock::now());
		assert!(files::NextDue::<Runtime>::get() < Clock::now());
		assert!(audit::AgendaNext::<Runtime>::get() < Clock::now());

		// What they leave is enough for the longest duty, even of a block that is full of ordinary
		// transactions, and for most of these.
		let headroom = <Runtime as pallet_planaria_clock::Config>::Headroom::get();
		let left = BLOCK_WEIGHT.saturating_sub(full);
		assert!(headroom.all_lte(left), "{headroom} of {left}");
		assert!(left.ref_time() > (NORMAL_SHARE * BLOCK_WEIGHT).ref_time(), "{left}");

		// The clock goes on.
		let now = Clock::now();
		Executive::finalize_block();
		begin_block(1_003, 0);
		assert_eq!(Clock::now(), now + 1);
	});
}

/// The largest duties of a miner, signed by its hot key: nothing in them is so, which costs as much.
fn largest_duties(miner: u32) -> [RuntimeCall; 2] {
	let (miner, anchor, signature) = (MinerId(miner), 1, None);
	let fragment = |n: u64| FragmentId { segment: SegmentId(1_000 + n), index: 0 };
	let items = BoundedVec::truncate_from((0..128).map(fragment).collect());
	let ready = (0..u64::from(restore::MAX_READY)).map(fragment).collect();
	let fragments = BoundedVec::truncate_from(ready);
	[
		files::Call::confirm { miner, anchor, items, signature: None }.into(),
		restore::Call::ready { miner, anchor, fragments, signature }.into(),
	]
}

#[test]
fn a_block_of_full_agendas_and_full_duties_stays_inside_its_limits() {
	network::on_network(|chain| {
		// There are never more ticks than blocks.
		chain.blocks(60);
		fill_agendas();
		chain.begin();
		let mut duties = 0;
		let refused = 'full: loop {
			for miner in 0..4 {
				for duty in largest_duties(miner) {
					match network::apply(&network::signed(&network::hot_pair(miner), duty)) {
						Ok(done) => done.unwrap(),
						Err(refused) => break 'full refused,
					}
					duties += 1;
				}
			}
		};
		assert_eq!(refused, InvalidTransaction::ExhaustsResources.into());
		// Every miner got its turn.
		assert!(duties >= 8, "{duties}");
		let used = System::block_weight().total();
		assert!(used.all_lte(BLOCK_WEIGHT), "{used} of {BLOCK_WEIGHT}");

		// It was full, so the next tick waits for a block that is not.
		let now = Clock::now();
		chain.end();
		chain.begin();
		assert_eq!(Clock::now(), now);
		chain.end();
		chain.begin();
		assert_eq!(Clock::now(), now + 1);
		chain.end();
	});
}

/// The clock counts a block as full that has no room for the largest duty: it must not be larger.
#[test]
fn no_duty_is_heavier_than_the_headroom() {
	use frame_support::dispatch::GetDispatchInfo;
	use planaria_primitives::FragmentProof;
	let headroom = <Runtime as pallet_planaria_clock::Config>::Headroom::get();
	let (miner, anchor, signature) = (MinerId(0), 1, None);
	let fragment = FragmentId { segment: SegmentId(0), index: 0 };
	let proof = FragmentProof(vec![0; FragmentProof::MAX_LEN]);
	let answer = audit::Answer { fragment, proof: proof.clone() };
	let duties: [RuntimeCall; 4] = [
		files::Call::confirm {
			miner,
			anchor,
			items: BoundedVec::truncate_from(vec![fragment; 128]),
			signature: signature.clone(),
		}
		.into(),
		restore::Call::ready {
			miner,
			anchor,
			fragments: BoundedVec::truncate_from(vec![fragment; restore::MAX_READY as usize]),
			signature: signature.clone(),
		}
		.into(),
		restore::Call::report {
			miner,
			anchor,
			at: 0,
			proofs: BoundedVec::truncate_from(vec![proof; restore::MAX_PROOFS as usize]),
			signature: signature.clone(),
		}
		.into(),
		audit::Call::answer {
			miner,
			anchor,
			answers: BoundedVec::truncate_from(vec![answer; audit::MAX_ANSWERS as usize]),
			signature,
		}
		.into(),
	];
	genesis("development").execute_with(|| {
		for duty in duties {
			let length = duty.encoded_size();
			// With what it takes to authorize it, and with all other extensions.
			let info = network::authorized(duty).get_dispatch_info();
			assert_eq!(info.class, DispatchClass::Operational);
			assert!(length < pallet_planaria_miners::MAX_DUTY_BYTES as usize);
			let weight = info.total_weight();
			assert!(weight.all_lte(headroom), "{weight} of {headroom} of {length} bytes");
		}
	});
}
