// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whatever is done in whatever order, the properties hold after each step.

use super::*;
use proptest::{collection::vec, prelude::*, sample::subsequence};

/// Few of everything, so that steps meet.
const FILES: u64 = 4;
const HOLDERS: u32 = 6;

#[derive(Clone, Debug)]
enum Step {
	Order { size: u64, operator: bool, drawn: bool },
	Place { file: u64, first: u32, segments: Vec<Vec<u32>> },
	Draw { file: u64, first: u32, segments: Vec<[Option<u8>; 3]> },
	Confirm { miner: u32, segments: Vec<u64> },
	ConfirmAll { file: u64 },
	Delete { file: u64 },
	Tidy { files: Vec<u64> },
	Pass { ticks: u32, tenths: u64 },
	Open { confirmed: usize, by: u32 },
	Report { claim: usize },
	Vacate { confirmed: usize },
	Room { miner: u32, fragments: u64 },
}

fn miners() -> impl Strategy<Value = Vec<u32>> {
	subsequence((0..HOLDERS).collect::<Vec<_>>(), 3).prop_shuffle()
}

/// Mostly of the first candidates.
fn choices() -> impl Strategy<Value = [Option<u8>; 3]> {
	let choice =
		prop_oneof![4 => (0u8..4).prop_map(Some), 1 => (0u8..13).prop_map(Some), 1 => Just(None)];
	[choice.clone(), choice.clone(), choice]
}

fn steps() -> impl Strategy<Value = Step> {
	let capacity = CodingParams::LEAN.segment_capacity();
	prop_oneof![
		2 => (1..=3 * capacity, any::<bool>(), any::<bool>())
			.prop_map(|(size, operator, drawn)| Step::Order { size, operator, drawn }),
		6 => (0..FILES, 0u32..3, vec(miners(), 1..=3))
			.prop_map(|(file, first, segments)| Step::Place { file, first, segments }),
		8 => (0..FILES, 0u32..3, vec(choices(), 1..=2))
			.prop_map(|(file, first, segments)| Step::Draw { file, first, segments }),
		4 => (0..HOLDERS, vec(0..3 * FILES, 1..6))
			.prop_map(|(miner, segments)| Step::Confirm { miner, segments }),
		3 => (0..FILES).prop_map(|file| Step::ConfirmAll { file }),
		1 => (0..FILES).prop_map(|file| Step::Delete { file }),
		1 => vec(0..FILES, 1..3).prop_map(|files| Step::Tidy { files }),
		3 => (0u32..60, 0u64..20).prop_map(|(ticks, tenths)| Step::Pass { ticks, tenths }),
		5 => (any::<usize>(), 0..HOLDERS).prop_map(|(confirmed, by)| Step::Open { confirmed, by }),
		4 => any::<usize>().prop_map(|claim| Step::Report { claim }),
		1 => any::<usize>().prop_map(|confirmed| Step::Vacate { confirmed }),
		1 => (0..HOLDERS, 1u64..9).prop_map(|(miner, fragments)| Step::Room { miner, fragments }),
	]
}

/// The miners' fragments of these segments, as they are assigned.
fn assigned(miner: u32, segments: impl Iterator<Item = u64>) -> Vec<FragmentId> {
	let ids = segments.map(SegmentId);
	ids.map(|id| {
		let segment = Segments::<Test>::get(id);
		let index = segment.and_then(|segment| segment.index_of(MinerId(miner)));
		FragmentId { segment: id, index: index.unwrap_or(0) }
	})
	.collect()
}

/// One of the confirmed fragments.
fn one_confirmed(pick: usize) -> Option<FragmentId> {
	let segments = Segments::<Test>::iter();
	let fragments = segments.flat_map(|(id, segment)| {
		let indices = (0..segment.fragments()).filter(move |index| segment.is_confirmed(*index));
		indices.map(move |index| FragmentId { segment: id, index })
	});
	let fragments: Vec<_> = fragments.collect();
	fragments.get(pick.checked_rem(fragments.len())?).copied()
}

/// Takes a step, which may be refused. Returns whether it was not.
fn take(step: Step) -> bool {
	match step {
		Step::Order { size, operator, drawn } => {
			let (by, payer) = if operator { (OPERATOR, Some(ALICE)) } else { (ALICE, None) };
			let full = NextFile::<Test>::get().0 >= FILES;
			let (coding, label) = (CodingParams::LEAN, Label::default());
			let rule = if drawn { PlacementRule::Drawn } else { CHOSEN };
			!full && Files::order(signed(by), id(), size, coding, label, payer, rule).is_ok()
		},
		Step::Place { file, first, segments } => {
			let Some(file) = file.checked_rem(NextFile::<Test>::get().0) else { return false };
			let segments: Vec<_> = segments.iter().map(Vec::as_slice).collect();
			Files::place(signed(ALICE), FileIndex(file), first, placements(&segments)).is_ok()
		},
		Step::Draw { file, first, segments } => {
			let Some(file) = file.checked_rem(NextFile::<Test>::get().0) else { return false };
			let drawn =
				|choices: [_; 3]| Placement::Drawn(BoundedVec::truncate_from(choices.to_vec()));
			let drawn = segments.into_iter().map(drawn).collect();
			let drawn = BoundedVec::truncate_from(drawn);
			Files::place(signed(ALICE), FileIndex(file), first, drawn).is_ok()
		},
		Step::Confirm { miner, segments } => {
			confirm(miner, &assigned(miner, segments.into_iter()));
			true
		},
		Step::ConfirmAll { file } => {
			let Some(file) = Files::file(FileIndex(file)) else { return false };
			for miner in 0..HOLDERS {
				confirm(miner, &assigned(miner, file.segment_ids()));
			}
			true
		},
		Step::Delete { file } => Files::delete(signed(ALICE), FileIndex(file)).is_ok(),
		Step::Tidy { files } => {
			let files = files.into_iter().map(FileIndex).collect();
			Files::tidy(signed(BOB), BoundedVec::truncate_from(files)).is_ok()
		},
		Step::Pass { ticks, tenths } => {
			MockClock::set(<Test as Config>::Clock::now() + ticks);
			System::set_block_number(System::block_number() + u64::from(ticks));
			poll_with(Files::task_weight().saturating_div(10).saturating_mul(tenths));
			true
		},
		// Like the pallet that restores: everything or nothing.
		Step::Open { confirmed, by } => {
			let Some(fragment) = one_confirmed(confirmed) else { return false };
			let info = Files::segment_info(fragment.segment).expect("it is confirmed");
			let by = MinerId(by);
			let free =
				info.segment.index_of(by).is_none() && !info.segment.is_restoring(fragment.index);
			if !free || set_restoring(fragment, true).is_err() {
				return false;
			}
			if MockMiners::reserve(by, info.fragment_len(), Purpose::Claim).is_ok() {
				MockRestore::claim(fragment, by);
			}
			true
		},
		Step::Report { claim } => {
			let claims = MockRestore::claims();
			let Some(claim) = claim.checked_rem(claims.len()) else { return false };
			let (fragment, by) = claims[claim];
			if hand_over(fragment, Some(by)).is_err() {
				return false;
			}
			MockRestore::end_claim(fragment);
			set_restoring(fragment, false).is_ok()
		},
		Step::Vacate { confirmed } => {
			let fragment = one_confirmed(confirmed);
			fragment.is_some_and(|fragment| hand_over(fragment, None).is_ok())
		},
		Step::Room { miner, fragments } => {
			MockMiners::set_capacity(miner, fragments * LONG);
			true
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn the_properties_hold_after_every_step(steps in vec(steps(), 1..120)) {
		new_test_ext().execute_with(|| {
			MockMiners::set_count(HOLDERS, HOLDERS);
			for step in steps {
				let _ = take(step);
				check();
			}
			// In the end everything can be removed, and everybody has everything back.
			for file in 0..FILES {
				let _ = Files::delete(signed(ALICE), FileIndex(file));
			}
			for _ in 0..50 {
				take(Step::Pass { ticks: 1, tenths: 100 });
			}
			check();
			assert_eq!(crate::Files::<Test>::iter().count(), 0);
			assert_eq!(Balances::free_balance(ALICE), RICH);
			let now = <Test as Config>::Clock::now();
			assert_eq!(Due::<Test>::iter_keys().filter(|(at, _)| *at <= now).count(), 0);
			for miner in 0..HOLDERS {
				assert_eq!(MockMiners::load(miner), Load::default());
			}
		});
	}
}
