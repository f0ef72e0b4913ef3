// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks of the calls, and of what the agenda does.

use crate::{Pallet as FilesPallet, *};
use alloc::{collections::BTreeSet, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec,
	traits::{EnsureOrigin, Get, fungible::Mutate},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use pallet_planaria_support::{Clock, FileState};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FragmentId, MAX_FRAGMENTS, MinerId, PlacementRule,
	placement::Draw,
};
use sp_runtime::traits::Bounded;

/// What the benchmarks need of the pallets beside this one.
pub trait BenchmarkHelper<AccountId> {
	/// Miner number `index`, which takes any amount of data. The same one every time.
	fn miner(index: u32) -> MinerId;

	/// Lets an account that is rich store as much as one account may.
	fn space(owner: &AccountId);

	/// Owner number `index`, who is rich and may store as much, for another time than any other one;
	/// and an operator of its own, who may order all of that in its name.
	fn owner(index: u32) -> (AccountId, AccountId);

	/// Gives this block a beacon.
	fn set_beacon(block: u32);
}

fn rich<T: Config>() -> T::AccountId {
	let who: T::AccountId = whitelisted_caller();
	let enough = BalanceOf::<T>::max_value() / 4u32.into();
	T::Currency::set_balance(&who, enough);
	T::BenchmarkHelper::space(&who);
	who
}

/// Orders a file of so many segments with so many fragments each.
fn ordered<T: Config>(who: &T::AccountId, segments: u32, fragments: u8) -> FileIndex {
	ordered_by::<T>(who, who, segments, fragments)
}

/// The same, `by` somebody in an owner's name.
fn ordered_by<T: Config>(
	by: &T::AccountId,
	owner: &T::AccountId,
	segments: u32,
	fragments: u8,
) -> FileIndex {
	let coding = CodingParams { codec: 0, data: 1, parity: fragments.saturating_sub(1) };
	let size = coding.segment_capacity().saturating_mul(segments.into());
	let file = NextFile::<T>::get();
	let (id, label) = (FileId([7; 32]), Label::truncate_from(alloc::vec![0; 64]));
	let (origin, payer) = (RawOrigin::Signed(by.clone()).into(), Some(owner.clone()));
	FilesPallet::<T>::order(origin, id, size, coding, label, payer, PlacementRule::Chosen)
		.expect("the owner is rich");
	file
}

/// An order for owner number `index` by its operator.
fn ordered_for<T: Config>(index: u32) -> FileIndex {
	let (owner, operator) = T::BenchmarkHelper::owner(index);
	ordered_by::<T>(&operator, &owner, 1, 2)
}

/// The placement of a segment of so many fragments with the miners from `first` on.
fn placement<T: Config>(first: u32, fragments: u8) -> Placement {
	let miners = first..first.saturating_add(fragments.into());
	let miners = miners.map(T::BenchmarkHelper::miner).collect();
	Placement::Chosen(BoundedVec::truncate_from(miners))
}

fn place_all<T: Config>(by: &T::AccountId, file: FileIndex, placements: Vec<Placement>) {
	let placements = BoundedVec::truncate_from(placements);
	FilesPallet::<T>::place(RawOrigin::Signed(by.clone()).into(), file, 0, placements)
		.expect("the miners take it");
}

/// Orders a file and places all of its segments with the same miners.
fn placed<T: Config>(who: &T::AccountId, segments: u32, fragments: u8) -> FileIndex {
	let file = ordered::<T>(who, segments, fragments);
	let placements = alloc::vec![placement::<T>(0, fragments); segments as usize];
	place_all::<T>(who, file, placements);
	file
}

/// Places a file, each fragment with a miner of its own, and has its holders drawn from now on.
/// Returns it with placements with candidates, of whom none was placed with, and none comes twice.
fn drawn<T: Config>(who: &T::AccountId, segments: u32, fragments: u8) -> (FileIndex, Placements) {
	let file = ordered::<T>(who, segments, fragments);
	let all = segments.saturating_mul(fragments.into());
	let firsts = (0..all).step_by(usize::from(fragments));
	let apart = firsts.map(|first| placement::<T>(first, fragments)).collect();
	place_all::<T>(who, file, apart);
	// Twice as many as it takes, so that each fragment has one among its candidates that is free; and
	// as many candidates as there can be.
	let others = all..all.saturating_mul(3);
	let mut free: BTreeSet<MinerId> = others.map(T::BenchmarkHelper::miner).collect();
	let ids = free.last().map_or(0, |miner| miner.0.saturating_add(1));
	let (ordered, each) = (1u32, u8::MAX);
	let block = ordered.saturating_add(SEED_DELAY);
	frame_system::Pallet::<T>::set_block_number(block.into());
	T::BenchmarkHelper::set_beacon(block);
	let seed = T::Clock::beacon_at(block).expect("the block is there");
	Files::<T>::mutate(file, |file| {
		let file = file.as_mut().expect("it was ordered");
		file.lot = Lot::Drawn { seed: Seed::Awaited(ordered), ids, each };
	});
	let draw = Draw { seed, ids, candidates: each.into() };
	let mut choice = |number, index| {
		let mut candidates = (0..=u8::MAX).zip(draw.of(number, index));
		let (choice, miner) = candidates.find(|(_, miner)| free.contains(miner))?;
		free.remove(&miner);
		Some(choice)
	};
	let placement = |number| {
		let choices = (0..fragments).map(|index| choice(number, index)).collect();
		Placement::Drawn(BoundedVec::truncate_from(choices))
	};
	(file, BoundedVec::truncate_from((0..segments).map(placement).collect()))
}

/// Fragment `index` of a file's first segment.
fn fragment<T: Config>(file: FileIndex, index: u8) -> FragmentId {
	let file = Files::<T>::get(file).expect("it was ordered");
	FragmentId { segment: file.first_segment, index }
}

/// Makes every storage order overdue.
fn all_overdue<T: Config>() {
	Parameters::<T>::mutate(|params| params.order_timeout = 0);
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn order() {
		let who = rich::<T>();
		let (id, label) = (FileId([7; 32]), Label::truncate_from(alloc::vec![0; 64]));
		(0..12).for_each(|index| _ = T::BenchmarkHelper::miner(index));
		let rule = PlacementRule::Drawn;

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, 1 << 30, CodingParams::STANDARD, label, None, rule);

		assert!(Files::<T>::contains_key(FileIndex(0)));
	}

	/// Places segments again with other miners, which are drawn: no two fragments have the same one,
	/// before or after.
	#[benchmark]
	fn place(s: Linear<1, MAX_PLACEMENTS>) {
		let who = rich::<T>();
		let (file, others) = drawn::<T>(&who, s, 2);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), file, 0, others);

		let first = Segments::<T>::get(fragment::<T>(file, 0).segment).expect("it is placed");
		assert_ne!(first.holder(0), Some(T::BenchmarkHelper::miner(0)));
	}

	/// Places one segment again with other miners, which are drawn.
	#[benchmark]
	fn place_fragments(n: Linear<2, 64>) {
		let who = rich::<T>();
		let n = u8::try_from(n).expect("at most 64; qed");
		let (file, others) = drawn::<T>(&who, 1, n);

		#[extrinsic_call]
		place(RawOrigin::Signed(who), file, 0, others);

		let first = Segments::<T>::get(fragment::<T>(file, 0).segment).expect("it is placed");
		assert_ne!(first.holder(0), Some(T::BenchmarkHelper::miner(0)));
	}

	/// Confirms the last fragments of as many files.
	#[benchmark]
	fn confirm(n: Linear<1, { T::MaxBatch::get() }>) {
		let who = rich::<T>();
		let files: Vec<_> = (0..n).map(|_| placed::<T>(&who, 1, 2)).collect();
		let fragments = |index| {
			BoundedVec::truncate_from(
				files.iter().map(|file| fragment::<T>(*file, index)).collect(),
			)
		};
		FilesPallet::<T>::do_confirm(T::BenchmarkHelper::miner(1), &fragments(1));
		let miner = T::BenchmarkHelper::miner(0);

		#[extrinsic_call]
		_(RawOrigin::Authorized, miner, 1, fragments(0), None);

		assert!(Files::<T>::iter_values().all(|file| file.state == FileState::Active));
	}

	/// By the operator that ordered it.
	#[benchmark]
	fn delete() {
		let (owner, operator) = T::BenchmarkHelper::owner(0);
		let file = ordered_by::<T>(&operator, &owner, 1, 2);
		place_all::<T>(&operator, file, alloc::vec![placement::<T>(0, 2)]);

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), file);

		assert_eq!(Files::<T>::get(file).map(|file| file.state), Some(FileState::Deleting));
	}

	/// Tidies up orders that are overdue and were never placed, each of another owner by another
	/// operator. The removal of segments, and entries in the agenda, come on top.
	#[benchmark]
	fn tidy(n: Linear<1, { T::MaxBatch::get() }>) {
		let caller: T::AccountId = whitelisted_caller();
		let files = BoundedVec::truncate_from((0..n).map(ordered_for::<T>).collect());
		all_overdue::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), files);

		assert_eq!(Files::<T>::iter_keys().count(), 0);
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let params = ParamsOf::<T> { order_timeout: 77, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params.clone());

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	/// The agenda at a page of which every file is gone, and a tick that had another one.
	#[benchmark]
	fn serve_page() {
		let now = T::Clock::now();
		let gone = Task::Removal(FileIndex(u64::MAX));
		let gone = alloc::vec![gone; T::TasksPerPage::get() as usize];
		NextDue::<T>::put(now);
		DuePages::<T>::insert(now, (1, 1));
		Due::<T>::insert((now, 1), BoundedVec::truncate_from(gone));

		#[block]
		{
			FilesPallet::<T>::serve_agenda(&mut WeightMeter::new());
		}

		assert_eq!(NextDue::<T>::get(), now.saturating_add(1));
	}

	/// The agenda at an order by an operator that is overdue and was never placed.
	#[benchmark]
	fn serve_task() {
		let file = ordered_for::<T>(0);
		let now = T::Clock::now();
		all_overdue::<T>();
		NextDue::<T>::put(now);
		let deadline = alloc::vec![Task::Deadline(file)];
		Due::<T>::insert((now, 0), BoundedVec::truncate_from(deadline));

		#[block]
		{
			FilesPallet::<T>::serve_agenda(&mut WeightMeter::new());
		}

		assert!(!Files::<T>::contains_key(file));
	}

	/// The deadline of an order that is complete.
	#[benchmark]
	fn serve_nothing() {
		let who = rich::<T>();
		let file = placed::<T>(&who, 1, 2);
		for index in 0..2 {
			let miner = T::BenchmarkHelper::miner(index.into());
			FilesPallet::<T>::do_confirm(miner, &[fragment::<T>(file, index)]);
		}
		let now = T::Clock::now();

		#[block]
		{
			FilesPallet::<T>::do_task(Task::Deadline(file), now, &mut WeightMeter::new());
		}

		assert_eq!(Files::<T>::get(file).map(|file| file.state), Some(FileState::Active));
	}

	/// A segment without a record.
	#[benchmark]
	fn sweep_gap() {
		let who = rich::<T>();
		let index = ordered::<T>(&who, 2, 2);
		let mut file = Files::<T>::get(index).expect("it was ordered");
		file.placed = 1;

		#[block]
		{
			FilesPallet::<T>::sweep(&mut file, &mut WeightMeter::new());
		}

		assert_eq!(file.swept, 1);
	}

	/// A segment whose fragments are confirmed.
	#[benchmark]
	fn sweep_segment(n: Linear<2, { MAX_FRAGMENTS as u32 }>) {
		let who = rich::<T>();
		let n = u8::try_from(n).expect("at most 64; qed");
		let index = placed::<T>(&who, 2, n);
		for number in 0..n {
			let miner = T::BenchmarkHelper::miner(number.into());
			FilesPallet::<T>::do_confirm(miner, &[fragment::<T>(index, number)]);
		}
		let mut file = Files::<T>::get(index).expect("it was ordered");
		file.placed = 1;

		#[block]
		{
			FilesPallet::<T>::sweep(&mut file, &mut WeightMeter::new());
		}

		assert!(!Segments::<T>::contains_key(file.first_segment));
	}

	impl_benchmark_test_suite!(FilesPallet, crate::mock::new_test_ext(), crate::mock::Test);
}
