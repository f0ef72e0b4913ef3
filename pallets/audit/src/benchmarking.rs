// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks, of the worst case: a census of four levels, pages of 512 different sizes, proofs of
//! the largest size.

// All numbers are bounded by 512.
#![allow(clippy::cast_possible_truncation)]

use super::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec,
	traits::{ConstU32, EnsureOrigin},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use pallet_planaria_support::{Clock, OnConfirmed, OnSegmentStored};
use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, FragmentId, FragmentProof, MAX_FRAGMENT_LEN,
	MAX_SEGMENTS, MinerId, SegmentId, Sidecar, Tick, file_id,
	merkle::{self, Level as TreeLevel},
};

/// Sets up what the benchmarks need of other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// A registered miner that is Serving, with room and collateral for 64 fragments of 8 MiB, and
	/// its hot key's or stash's account. The same seed means the same miner.
	fn miner(seed: u32) -> (MinerId, AccountId);

	/// An account that can pay any deposit.
	fn rich(seed: u32) -> AccountId;

	/// Stores an Active file of this id and geometry, or as much of it as is needed to have its
	/// segment number 0, whose fragments are confirmed by these holders.
	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId;

	/// Makes this the current block and tick, with the beacons of all 255 blocks before it known.
	fn set_time(block: u32, now: Tick);
}

const HOLDER: u32 = 1000;

/// When the benchmarks begin.
const BLOCK: u32 = 1000;
const NOW: Tick = 1000;

/// A file with the longest paths there are, of which one fragment is real.
struct Longest {
	sidecar: Sidecar,
	fragment: FragmentId,
}

/// So many of them, their fragments 0 all at one miner.
fn longest<T: Config>(count: u32) -> Vec<Longest> {
	T::BenchmarkHelper::set_time(BLOCK, NOW);
	let hash = FragmentHash::of(&largest_fragment());
	let holders: Vec<_> = (0..64).map(|i| T::BenchmarkHelper::miner(HOLDER + i).0).collect();
	(0..count)
		.map(|seed| {
			let coding = CodingParams::new(32, 32).expect("sound; qed");
			let size = coding.segment_capacity() * u64::from(MAX_SEGMENTS);
			let spec = FileSpec::new(size, coding).expect("sound; qed");
			let sidecar: Vec<u8> =
				seed.to_le_bytes().into_iter().cycle().take(Sidecar::MAX_LEN).collect();
			let (in_segment, in_file) = sidecar.split_at(6 * 32);
			let root = merkle::root_from_path(TreeLevel::Segment, &hash.0, 0, 64, in_segment)
				.and_then(|root| {
					merkle::root_from_path(TreeLevel::File, &root, 0, MAX_SEGMENTS, in_file)
				})
				.expect("these are the lengths; qed");
			let segment = T::BenchmarkHelper::store(file_id(&spec, &root), spec, &holders);
			Pallet::<T>::on_segment_stored(segment, 64, MAX_FRAGMENT_LEN.into());
			Longest { sidecar: Sidecar(sidecar), fragment: FragmentId { segment, index: 0 } }
		})
		.collect()
}

fn largest_fragment() -> Vec<u8> {
	vec![0; MAX_FRAGMENT_LEN as usize]
}

/// Has all of them named and challenged.
fn challenged<T: Config>(files: &[Longest]) -> MinerId {
	let (miner, _) = T::BenchmarkHelper::miner(HOLDER);
	// Nothing is drawn beside what is named.
	Parameters::<T>::mutate(|params| {
		(params.max_named, params.bytes_per_draw) = (MAX_OPEN, u64::MAX);
	});
	for (seed, file) in (0..).zip(files) {
		let who = T::BenchmarkHelper::rich(seed);
		Pallet::<T>::do_challenge(who, file.fragment).expect("may be named; qed");
	}
	for blocks in 0..(files.len() as u32).div_ceil(T::MaxDraws::get()) {
		T::BenchmarkHelper::set_time(BLOCK + SEED_DELAY + blocks, NOW + SEED_DELAY + blocks);
		Pallet::<T>::draw_round(&mut WeightMeter::new());
	}
	assert_eq!(Records::<T>::get(miner).open as usize, files.len());
	miner
}

fn answers<T: Config>(
	miner: MinerId,
	files: &[Longest],
) -> BoundedVec<Answer, ConstU32<MAX_ANSWERS>> {
	let bytes = largest_fragment();
	let answer = |file: &Longest| {
		let challenge = Challenges::<T>::get(miner, file.fragment).expect("challenged; qed");
		let proof = FragmentProof::new(&bytes, challenge.chunk, &file.sidecar);
		Answer { fragment: file.fragment, proof: proof.expect("there is such a chunk; qed") }
	};
	BoundedVec::truncate_from(files.iter().map(answer).collect())
}

/// Makes the tree above the pages four levels high, and gives the page of this segment 511 others
/// of different sizes.
fn crowded<T: Config>(segment: SegmentId) {
	let page = segment.0 - segment.0 % u64::from(PAGE);
	for place in (0..u64::from(PAGE)).filter(|place| page + place != segment.0) {
		Pallet::<T>::count(SegmentId(page + place), 64 * (1 + place as u32));
	}
	let far = SegmentId(u64::from(PAGE) * u64::from(FANOUT).pow(4) - 1);
	Pallet::<T>::count(far, 64);
}

/// Takes out what `crowded` put in.
fn uncrowd<T: Config>(segment: SegmentId) {
	let page = segment.0 - segment.0 % u64::from(PAGE);
	for place in (0..u64::from(PAGE)).filter(|place| page + place != segment.0) {
		Pallet::<T>::count(SegmentId(page + place), 0);
	}
	Pallet::<T>::count(SegmentId(u64::from(PAGE) * u64::from(FANOUT).pow(4) - 1), 0);
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn challenge() {
		let files = longest::<T>(1);
		let who = T::BenchmarkHelper::rich(0);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), files[0].fragment);

		assert_eq!(Requests::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn answer(n: Linear<1, MAX_ANSWERS>) {
		let files = longest::<T>(n);
		let miner = challenged::<T>(&files);
		let (_, account) = T::BenchmarkHelper::miner(HOLDER);
		let answers = answers::<T>(miner, &files);
		assert!(answers.iter().all(|item| item.proof.0.len() == FragmentProof::MAX_LEN));

		#[extrinsic_call]
		_(RawOrigin::Signed(account), miner, BLOCK, answers, None);

		assert_eq!(Challenges::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn authorize_answer() {
		let files = longest::<T>(1);
		let miner = challenged::<T>(&files);
		let answers = answers::<T>(miner, &files);

		#[block]
		{
			Pallet::<T>::may_answer(miner, &answers).expect("challenged; qed");
		}
	}

	#[benchmark]
	fn tidy() {
		let origin = RawOrigin::Signed(T::BenchmarkHelper::rich(0));
		let result;

		#[block]
		{
			result = Pallet::<T>::tidy(origin.into(), MinerId(0), BoundedVec::new());
		}

		assert!(result.is_err(), "there is nothing to do");
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let params = Params { answer_period: 77, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params);

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	/// No draw is due, and the first request is not due either.
	#[benchmark]
	fn round() {
		let files = longest::<T>(1);
		let (miner, _) = T::BenchmarkHelper::miner(HOLDER);
		Pallet::<T>::on_confirmed(miner, vec![files[0].fragment]);
		Parameters::<T>::mutate(|params| params.bytes_per_draw = u64::MAX);
		let mut meter = WeightMeter::new();

		#[block]
		{
			Pallet::<T>::draw_round(&mut meter);
		}

		assert_eq!((LastRound::<T>::get(), Challenges::<T>::iter().count()), (NOW, 0));
	}

	#[benchmark]
	fn draw() -> Result<(), BenchmarkError> {
		let files = longest::<T>(1);
		let segment = files[0].fragment.segment;
		crowded::<T>(segment);
		let seed = T::Clock::beacon_at(BLOCK).ok_or("known")?;
		let hits = |number: &u64| {
			Pallet::<T>::drawn(&seed, *number).is_some_and(|(drawn, _)| drawn.segment == segment)
		};
		let number = (0..100_000).find(hits).ok_or("the only large one")?;

		#[block]
		{
			Pallet::<T>::draw(&seed, number);
		}

		assert_eq!(Challenges::<T>::iter().count(), 1);
		uncrowd::<T>(segment);
		Ok(())
	}

	#[benchmark]
	fn count() {
		let files = longest::<T>(1);
		let segment = files[0].fragment.segment;
		crowded::<T>(segment);

		#[block]
		{
			Pallet::<T>::count(segment, 0);
		}

		uncrowd::<T>(segment);
		assert_eq!(Census::<T>::get().bytes, 0);
	}

	#[benchmark]
	fn request() {
		let files = longest::<T>(1);
		let (miner, _) = T::BenchmarkHelper::miner(HOLDER);
		let batch = vec![files[0].fragment; MAX_BATCH as usize];

		#[block]
		{
			Pallet::<T>::on_confirmed(miner, batch);
		}

		assert_eq!(Requests::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn agenda_tick() {
		T::BenchmarkHelper::set_time(BLOCK, NOW);
		AgendaNext::<T>::put(NOW);
		let mut meter = WeightMeter::with_limit(T::WeightInfo::agenda_tick());

		#[block]
		{
			Pallet::<T>::serve_agenda(&mut meter);
		}

		assert_eq!(AgendaNext::<T>::get(), NOW + 1);
	}

	#[benchmark]
	fn answered() {
		let (miner, _) = T::BenchmarkHelper::miner(HOLDER);
		let open;

		#[block]
		{
			open = Pallet::<T>::is_open(miner, FragmentId { segment: SegmentId(7), index: 7 });
		}

		assert!(!open);
	}

	#[benchmark]
	fn close() -> Result<(), BenchmarkError> {
		let files = longest::<T>(1);
		let miner = challenged::<T>(&files);
		let params = Parameters::<T>::get();
		let mut record = Records::<T>::get(miner);
		record.strikes = params.expel_at - 1;
		Records::<T>::insert(miner, record);
		let late = NOW + SEED_DELAY + params.strike_window + params.answer_period + 1;
		T::BenchmarkHelper::set_time(BLOCK + 10, late);

		#[block]
		{
			Pallet::<T>::close_overdue(miner, files[0].fragment)?;
		}

		assert_eq!(Records::<T>::get(miner).strikes, params.expel_at);
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
