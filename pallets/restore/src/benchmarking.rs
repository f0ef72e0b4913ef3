// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Benchmarks, of the worst case: segments of 64 fragments, each at a miner of its own, no two of
//! which are on the same page of standings where that is not weighed by `judge`, proofs of the
//! largest size, claims of others that have expired, verdicts that change, and an agenda that is
//! full but for the last tick it may spill to.

// All numbers are bounded by 64.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use super::{tally::Tally, *};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec,
	traits::{ConstU32, EnsureOrigin},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use pallet_planaria_support::{
	Bounties, Clock, Custody, Fragments, OnSegmentRemoved, OpenOrder, Standing, WriteOff,
	agenda::MAX_SPILL,
};
use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, FragmentId, FragmentProof, MAX_FRAGMENT_LEN,
	MAX_FRAGMENTS, MAX_SEGMENTS, MinerId, Segment, SegmentId, Sidecar, THIN_SPARE, Tick, file_id,
	merkle::{self, Level},
	sampling,
	segment::bit,
};

/// Sets up what the benchmarks need of other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// A registered miner that is Serving, with room and collateral for 64 claims of 8 MiB, and its
	/// hot key's or stash's account. The same seed means the same miner. The pages of standings are
	/// full: those of two seeds below [`NEAR`] are on different ones, the others next to each other.
	fn miner(seed: u32) -> (MinerId, AccountId);

	/// Gives a miner that standing.
	fn set_standing(miner: MinerId, standing: Standing);

	/// Engages the brake.
	fn engage_brake();

	/// Stores an Active file of this id and geometry, or as much of it as is needed to have its
	/// segment number 0, whose fragments are confirmed by these holders.
	fn store(id: FileId, spec: FileSpec, holders: &[MinerId]) -> SegmentId;

	/// Makes this the current block and tick, with the beacons of all 255 blocks before it known.
	fn set_time(block: u32, now: Tick);
}

/// What the claimer is drawn by; rivals and holders come behind.
const CLAIMER: u32 = 0;
const FIRST_RIVAL: u32 = 1;
const FIRST_HOLDER: u32 = 1000;

/// The first seed of miners that are next to each other.
pub const NEAR: u32 = 1 << 20;

/// How many of a segment's miners are absent where it is lost, and found with one fragment more.
const AWAY: u8 = 33;

/// How many are absent at most where a segment is not thin. All others must be asked to see that.
const AWAY_AND_NOT_THIN: u8 = AWAY - 2 - THIN_SPARE as u8;

/// When the benchmarks begin.
const BLOCK: u32 = 1000;
const NOW: Tick = 1000;

/// A file with the longest paths there are, of which one fragment is real.
struct Longest {
	id: FileId,
	spec: FileSpec,
	sidecar: Sidecar,
}

impl Longest {
	/// `seed` stands in for all the rest of the file.
	fn new(seed: u32, hash: &FragmentHash) -> Self {
		let coding = CodingParams::new(32, 32).expect("sound; qed");
		let size = coding.segment_capacity() * u64::from(MAX_SEGMENTS);
		let spec = FileSpec::new(size, coding).expect("sound; qed");
		let sidecar: Vec<u8> =
			seed.to_le_bytes().into_iter().cycle().take(Sidecar::MAX_LEN).collect();
		let (in_segment, in_file) = sidecar.split_at(6 * 32);
		let root = merkle::root_from_path(Level::Segment, &hash.0, 0, 64, in_segment)
			.and_then(|root| merkle::root_from_path(Level::File, &root, 0, MAX_SEGMENTS, in_file))
			.expect("these are the lengths; qed");
		Self { id: file_id(&spec, &root), spec, sidecar: Sidecar(sidecar) }
	}

	/// The first of its fragments is at `holder`, the others at those from `others` on.
	fn store<T: Config>(&self, holder: u32, others: u32) -> FragmentId {
		let holders: Vec<_> = core::iter::once(holder)
			.chain(others..others + 63)
			.map(|seed| T::BenchmarkHelper::miner(seed).0)
			.collect();
		let segment = T::BenchmarkHelper::store(self.id, self.spec, &holders);
		FragmentId { segment, index: 0 }
	}
}

fn largest_fragment() -> Vec<u8> {
	vec![0; MAX_FRAGMENT_LEN as usize]
}

/// `n` files with their fragment 0 at a miner that is absent.
fn absent<T: Config>(n: u32) -> (Vec<Longest>, Vec<FragmentId>) {
	stored::<T>(0, n, |i| (FIRST_HOLDER + 64 * i, FIRST_HOLDER + 64 * i + 1))
}

/// `n` other such files, whose other fragments are with the same miners: for what does not look at
/// these.
fn absent_alike<T: Config>(n: u32) -> Vec<FragmentId> {
	let others = FIRST_HOLDER + 64 * 1000;
	stored::<T>(1000, n, |i| (others + 63 + i, others)).1
}

/// `n` files, numbered from `first` on, with holders that depend on the number of a file.
fn stored<T: Config>(
	first: u32,
	n: u32,
	holders: impl Fn(u32) -> (u32, u32),
) -> (Vec<Longest>, Vec<FragmentId>) {
	T::BenchmarkHelper::set_time(BLOCK, NOW);
	let hash = FragmentHash::of(&largest_fragment());
	let files: Vec<_> = (0..n).map(|i| Longest::new(first + i, &hash)).collect();
	let store = |(i, file): (u32, &Longest)| {
		let (holder, others) = holders(i);
		file.store::<T>(holder, others)
	};
	let fragments: Vec<_> = (0..).zip(&files).map(store).collect();
	for fragment in &fragments {
		T::BenchmarkHelper::set_standing(holder::<T>(*fragment), Standing::Absent);
	}
	crowd_agenda::<T>(NOW);
	(files, fragments)
}

/// Of the ticks that a task could be put down for at `now` only the last has room.
fn crowd_agenda<T: Config>(now: Tick) {
	let params = Parameters::<T>::get();
	let task = Task::BanEnds(MinerId::NOBODY, SegmentId(u64::MAX));
	let tasks: BoundedVec<_, T::MaxTasks> =
		BoundedVec::truncate_from(vec![task; T::MaxTasks::get() as usize]);
	for last in [now + params.claim_period, now + params.ban_period, params.countdown_ends(now)] {
		for tick in (last + 1..).take(MAX_SPILL as usize) {
			AgendaTasks::<T>::insert(tick, tasks.clone());
		}
	}
}

/// `apart` files with their fragment 0 each at a miner of its own that is absent, and `n` more with
/// that of the last of these files. All miners are on few pages of standings.
fn apart_and_alike<T: Config>(apart: u32, n: u32) -> (Vec<Longest>, Vec<FragmentId>) {
	let last = apart.saturating_sub(1);
	stored::<T>(0, apart + n, |i| (NEAR + 64 * i.min(last), NEAR + 64 * i + 1))
}

/// So many of the segment's miners are absent that it cannot be restored.
fn all_but_lost<T: Config>(segment: SegmentId) {
	away::<T>(segment, AWAY);
}

/// The first miners of the segment are absent.
fn away<T: Config>(segment: SegmentId, count: u8) {
	for index in 0..count {
		let holder = holder::<T>(FragmentId { segment, index });
		T::BenchmarkHelper::set_standing(holder, Standing::Absent);
	}
}

/// The segment is lost and settled, and found once one of the absent ones is back, or replaced.
fn lost<T: Config>(segment: SegmentId) {
	all_but_lost::<T>(segment);
	Verdicts::<T>::insert(segment, Verdict::Lost { since: NOW });
	T::Custody::set_lost(segment, true).expect("stored; qed");
	T::WriteOff::write_off(segment).expect("stored; qed");
	Settled::<T>::insert(segment, ());
}

fn holder<T: Config>(fragment: FragmentId) -> MinerId {
	T::Fragments::get(fragment.segment)
		.and_then(|info| info.segment.holder(fragment.index))
		.expect("stored; qed")
}

fn bounded<T: Config>(fragments: &[FragmentId]) -> BoundedVec<FragmentId, T::MaxBatch> {
	BoundedVec::truncate_from(fragments.to_vec())
}

/// Has each of the fragments claimed by another rival, and lets the claims expire without the
/// agenda.
fn expired<T: Config>(fragments: &[FragmentId]) {
	for (rival, fragment) in (FIRST_RIVAL..).zip(fragments) {
		let (_, rival) = T::BenchmarkHelper::miner(rival);
		Pallet::<T>::open(RawOrigin::Signed(rival).into(), bounded::<T>(&[*fragment]))
			.expect("open; qed");
	}
	let now = NOW + Parameters::<T>::get().claim_period + 1;
	T::BenchmarkHelper::set_time(BLOCK + 1, now);
	crowd_agenda::<T>(now);
}

fn claim<T: Config>(fragments: &[FragmentId]) -> (MinerId, T::AccountId) {
	let (miner, account) = T::BenchmarkHelper::miner(CLAIMER);
	Pallet::<T>::open(RawOrigin::Signed(account.clone()).into(), bounded::<T>(fragments))
		.expect("open; qed");
	(miner, account)
}

/// Opens an order for a fragment of a holder that is absent.
fn ordered<T: Config>(fragment: FragmentId) {
	let mut info = T::Fragments::get(fragment.segment).expect("stored; qed");
	let opened = Pallet::<T>::open_order(fragment, &mut info, Cause::Target, false);
	let (order, wanted) = opened.expect("no order yet; qed");
	Orders::<T>::insert(fragment, order);
	T::Bounties::open(vec![wanted]);
}

/// Sets all fragments of the segment to be restored, at miners that do not serve.
fn all_restoring<T: Config>(segment: SegmentId, fragments: u8) {
	for index in 0..fragments {
		let fragment = FragmentId { segment, index };
		T::BenchmarkHelper::set_standing(holder::<T>(fragment), Standing::Absent);
		ordered::<T>(fragment);
	}
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn open(n: Linear<1, { T::MaxBatch::get() }>) {
		let (_, fragments) = apart_and_alike::<T>(1, n - 1);
		let account = to_open::<T>(&fragments, AWAY - 1);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!((Orders::<T>::iter().count() as u32, Verdicts::<T>::iter().count()), (n, 0));
	}

	#[benchmark]
	fn open_apart(n: Linear<1, { T::MaxBatch::get() }>) {
		let (_, fragments) = apart_and_alike::<T>(n, 0);
		let account = to_open::<T>(&fragments, AWAY - 1);

		#[extrinsic_call]
		open(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!((Orders::<T>::iter().count() as u32, Verdicts::<T>::iter().count()), (n, 0));
	}

	#[benchmark]
	fn open_dear(n: Linear<1, { T::MaxBatch::get() }>) {
		let (_, fragments) = apart_and_alike::<T>(n, 0);
		let account = to_open::<T>(&fragments, AWAY);

		#[extrinsic_call]
		open(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!(Verdicts::<T>::iter().count() as u32, n);
	}

	#[benchmark]
	fn claim(n: Linear<1, { T::MaxBatch::get() }>) {
		let fragments = absent_alike::<T>(n);
		expired::<T>(&fragments);
		let (miner, account) = T::BenchmarkHelper::miner(CLAIMER);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!(Pallet::<T>::claims_of(miner).count() as u32, n);
	}

	#[benchmark]
	fn give_back(n: Linear<1, { T::MaxBatch::get() }>) {
		let fragments = absent_alike::<T>(n);
		let (miner, account) = super::claim::<T>(&fragments);
		batches::<T>(miner, BLOCK, MAX_BATCHES);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!(Pallet::<T>::claims_of(miner).count(), 0);
	}

	/// Each becomes disputed.
	#[benchmark]
	fn decline(n: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let fragments = absent_alike::<T>(n);
		let (miner, account) = super::claim::<T>(&fragments);
		batches::<T>(miner, BLOCK, MAX_BATCHES);
		for fragment in &fragments {
			let mut order = Orders::<T>::get(fragment).ok_or("opened")?;
			for other in 1..MAX_DECLINES {
				order.declined.try_push(MinerId(miner.0 + other)).map_err(|_| "bounded")?;
			}
			Orders::<T>::insert(fragment, order);
		}

		#[extrinsic_call]
		_(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert!(Orders::<T>::iter_values().all(|order| order.is_disputed()));
		Ok(())
	}

	/// The holder is back.
	#[benchmark]
	fn cancel() {
		let (files, fragments) = absent::<T>(1);
		expired::<T>(&fragments);
		let fragment = fragments[0];
		lost::<T>(fragment.segment);
		T::BenchmarkHelper::set_standing(holder::<T>(fragment), Standing::Serving);
		// The holder is the 0th of the 64 of this file.
		let (_, account) = T::BenchmarkHelper::miner(FIRST_HOLDER);
		let beacon = T::Clock::beacon_at(BLOCK + 1).expect("known; qed");
		let chunk = sampling::chunk(&beacon, &fragment, files[0].spec.chunks(0));
		let proof = FragmentProof::new(&largest_fragment(), chunk, &files[0].sidecar);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), fragment, BLOCK + 1, proof.expect("there is; qed"));

		assert!(!Orders::<T>::contains_key(fragment));
		assert!(!Verdicts::<T>::contains_key(fragment.segment));
	}

	/// All miners of their segments are asked, which are not thin: a batch has few of such. They take
	/// the place of a full batch, whose seed is known, where there are as many batches as there may
	/// be.
	#[benchmark]
	fn ready(n: Linear<1, MAX_READY>) {
		let earlier = absent_alike::<T>(MAX_READY);
		let (miner, account) = T::BenchmarkHelper::miner(CLAIMER);
		// With those that the seed draws as many are asked as can be.
		let thin = (1 << (MAX_PROOFS - sampling::SAMPLE)) - 1;
		let batch = Batch { fragments: ReadyFragments::truncate_from(earlier), thin };
		Batches::<T>::insert(miner, BLOCK, batch);
		batches::<T>(miner, BLOCK + 100, MAX_BATCHES - 1);
		let (_, fragments) = apart_and_alike::<T>(n, 0);
		fragments.iter().for_each(|fragment| drop(super::claim::<T>(&[*fragment])));
		fragments.iter().for_each(|fragment| away::<T>(fragment.segment, AWAY_AND_NOT_THIN));
		T::BenchmarkHelper::set_time(BLOCK + 2, NOW);
		let fragments = ReadyFragments::truncate_from(fragments);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), miner, BLOCK, fragments.clone(), None);

		assert!(!Batches::<T>::contains_key(miner, BLOCK));
		let batch = Batches::<T>::get(miner, BLOCK + 2);
		assert_eq!(batch.map(|batch| batch.fragments), Some(fragments));
	}

	/// One of the holders is absent.
	#[benchmark]
	fn judge(p: Linear<1, { MAX_FRAGMENTS as u32 }>) -> Result<(), BenchmarkError> {
		let (_, fragments) = absent::<T>(1);
		let segment = fragments[0].segment;
		let mut info = T::Fragments::get(segment).ok_or("stored")?;
		let mut few = Segment::unplaced(info.segment.file, p as u8);
		for index in 0..p as u8 {
			few.holders.set(index, info.segment.holder(index).ok_or("confirmed")?);
			few.confirmed |= bit(index);
		}
		info.segment = few;
		let mut tally = Tally::default();

		#[block]
		{
			Pallet::<T>::count(segment, &info, i16::MAX, &mut tally);
		}

		assert_eq!(tally.pages(), p);
		Ok(())
	}

	#[benchmark]
	fn authorize_ready() {
		let (_, fragments) = absent::<T>(1);
		let (miner, _) = super::claim::<T>(&fragments);
		let fragments = ReadyFragments::truncate_from(fragments);

		#[block]
		{
			Pallet::<T>::may_be_ready(miner, &fragments).expect("claimed; qed");
		}
	}

	#[benchmark]
	fn report(n: Linear<{ sampling::SAMPLE }, MAX_READY>) {
		let (files, fragments) = apart_and_alike::<T>(1, n - 1);
		let (miner, account, proofs) = to_report::<T>(&files, &fragments);
		fragments.iter().for_each(|fragment| all_but_lost::<T>(fragment.segment));

		#[extrinsic_call]
		_(RawOrigin::Signed(account), miner, BLOCK, BLOCK, proofs, None);

		assert_eq!(Orders::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn report_apart(n: Linear<{ sampling::SAMPLE }, MAX_READY>) {
		let (files, fragments) = apart_and_alike::<T>(n, 0);
		let (miner, account, proofs) = to_report::<T>(&files, &fragments);
		fragments.iter().for_each(|fragment| all_but_lost::<T>(fragment.segment));

		#[extrinsic_call]
		report(RawOrigin::Signed(account), miner, BLOCK, BLOCK, proofs, None);

		assert_eq!(Orders::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn report_dear(n: Linear<{ sampling::SAMPLE }, MAX_READY>) {
		let (files, fragments) = apart_and_alike::<T>(n, 0);
		let (miner, account, proofs) = to_report::<T>(&files, &fragments);
		fragments.iter().for_each(|fragment| lost::<T>(fragment.segment));

		#[extrinsic_call]
		report(RawOrigin::Signed(account), miner, BLOCK, BLOCK, proofs, None);

		assert_eq!(Orders::<T>::iter().count() + Verdicts::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn prove(p: Linear<1, MAX_PROOFS>) -> Result<(), BenchmarkError> {
		let (files, fragments) = apart_and_alike::<T>(1, MAX_PROOFS - 1);
		let (miner, _) = batched::<T>(&fragments, MAX_PROOFS);
		let mut batch = Batches::<T>::get(miner, BLOCK).ok_or("declared")?;
		batch.fragments.truncate(p as usize);
		batch.thin = (1 << p) - 1;
		Batches::<T>::insert(miner, BLOCK, &batch);
		let proofs = proofs::<T>(miner, &files, &fragments);
		let seed = T::Clock::beacon_at(Batch::seed_block(BLOCK)).ok_or("known")?;

		#[block]
		{
			Pallet::<T>::check_proofs(&batch, &seed, &proofs).map_err(|_| "right")?;
		}

		assert_eq!(proofs.len() as u32, p);
		Ok(())
	}

	#[benchmark]
	fn authorize_report() {
		let (files, fragments) = absent::<T>(MAX_READY);
		let (miner, _) = batched::<T>(&fragments, MAX_PROOFS);
		let proofs = proofs::<T>(miner, &files, &fragments);

		#[block]
		{
			Pallet::<T>::may_report(miner, BLOCK, &proofs).expect("asked; qed");
		}
	}

	#[benchmark]
	fn check_segment() -> Result<(), BenchmarkError> {
		let (_, fragments) = absent::<T>(1);
		let (_, account) = T::BenchmarkHelper::miner(CLAIMER);
		let segment = fragments[0].segment;
		all_restoring::<T>(segment, 64);
		Verdicts::<T>::insert(segment, Verdict::Suspected { deadline: NOW - 1 });

		#[extrinsic_call]
		_(RawOrigin::Signed(account), segment);

		assert!(matches!(Verdicts::<T>::get(segment), Some(Verdict::Lost { .. })));
		let info = T::Fragments::get(segment).ok_or("stored")?;
		assert!((0..64).all(|index| info.segment.holder(index).is_none()));
		Ok(())
	}

	#[benchmark]
	fn settle_loss() -> Result<(), BenchmarkError> {
		let (_, fragments) = absent::<T>(1);
		let (_, account) = T::BenchmarkHelper::miner(CLAIMER);
		let segment = fragments[0].segment;
		all_restoring::<T>(segment, 64);
		Verdicts::<T>::insert(segment, Verdict::Lost { since: NOW });
		T::Custody::set_lost(segment, true)?;
		Parameters::<T>::mutate(|params| params.loss_settlement = 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), segment);

		assert!(Settled::<T>::contains_key(segment));
		Ok(())
	}

	/// The holders are back, and each segment is found.
	#[benchmark]
	fn tidy(n: Linear<1, { T::MaxBatch::get() }>) {
		let (_, fragments) = absent::<T>(n);
		expired::<T>(&fragments);
		for fragment in &fragments {
			lost::<T>(fragment.segment);
			T::BenchmarkHelper::set_standing(holder::<T>(*fragment), Standing::Serving);
		}
		let (_, account) = T::BenchmarkHelper::miner(CLAIMER);

		#[extrinsic_call]
		_(RawOrigin::Signed(account), bounded::<T>(&fragments));

		assert_eq!(Orders::<T>::iter().count() + Verdicts::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn set_params() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let params = Params { claim_period: 77, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, params);

		assert_eq!(Parameters::<T>::get(), params);
		Ok(())
	}

	/// All others are under restoration, and the segment is found to be suspected lost.
	#[benchmark]
	fn open_challenged() -> Result<(), BenchmarkError> {
		let (_, fragments) = absent::<T>(1);
		let segment = fragments[0].segment;
		all_restoring::<T>(segment, 64);
		let info = T::Fragments::get(segment).ok_or("stored")?;
		Pallet::<T>::close(fragments[0], info)?;
		Verdicts::<T>::remove(segment);

		#[block]
		{
			<Pallet<T> as OpenOrder>::open(fragments[0])?;
		}

		assert_eq!(Orders::<T>::get(fragments[0]).map(|o| o.cause), Some(Cause::Challenge));
		assert!(Verdicts::<T>::contains_key(segment));
		Ok(())
	}

	/// Each fragment is claimed by a miner of its own, and moves away from another one, which has its
	/// bounty back: whoever did not have the fragment forfeits it, which is cheaper.
	#[benchmark]
	fn on_segment_removed(f: Linear<2, 64>) -> Result<(), BenchmarkError> {
		let (_, fragments) = absent::<T>(1);
		let segment = fragments[0].segment;
		all_restoring::<T>(segment, f as u8);
		for index in 0..f as u8 {
			let (miner, _) = T::BenchmarkHelper::miner(FIRST_HOLDER + 100 + u32::from(index));
			Pallet::<T>::claim_all(miner, &[FragmentId { segment, index }])?;
		}
		let mut info = T::Fragments::get(segment).ok_or("stored")?;
		Verdicts::<T>::insert(segment, Verdict::Suspected { deadline: NOW });

		#[block]
		{
			Pallet::<T>::on_segment_removed(segment, info.segment.clone(), info.fragment_len());
		}

		assert_eq!(Orders::<T>::iter().count() + ClaimsOf::<T>::iter().count(), 0);
		// Nothing is left of it for `try_state` to find.
		for index in 0..f as u8 {
			T::Custody::set_restoring(FragmentId { segment, index }, &mut info, false)?;
		}
		Ok(())
	}

	/// A tick without tasks, and one that is full and stays so, as nothing is left for its tasks.
	#[benchmark]
	fn agenda_tick() {
		T::BenchmarkHelper::set_time(BLOCK, NOW);
		AgendaNext::<T>::put(NOW - 1);
		let task = Task::CountdownEnds(SegmentId(7));
		let tasks = vec![task; T::MaxTasks::get() as usize];
		AgendaTasks::<T>::insert(NOW, BoundedVec::truncate_from(tasks));
		let mut meter = WeightMeter::with_limit(T::WeightInfo::agenda_tick().saturating_mul(2));

		#[block]
		{
			Pallet::<T>::serve_agenda(&mut meter);
		}

		assert_eq!(AgendaNext::<T>::get(), NOW);
		assert!(AgendaTasks::<T>::get(NOW).is_full());
	}

	#[benchmark]
	fn claim_ended() {
		T::BenchmarkHelper::set_time(BLOCK, NOW);
		let untidy;

		#[block]
		{
			untidy = Pallet::<T>::may_be_untidy(FragmentId { segment: SegmentId(7), index: 7 });
		}

		assert!(!untidy);
	}

	#[benchmark]
	fn ban_ends() {
		T::BenchmarkHelper::set_time(BLOCK, NOW);
		let (miner, segment) = (MinerId(7), SegmentId(7));
		Bans::<T>::insert(miner, segment, NOW - 1);

		#[block]
		{
			Pallet::<T>::end_ban(miner, segment);
		}

		assert!(!Bans::<T>::contains_key(miner, segment));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}

/// So many full batches of the miner, declared from block `first` on, of other fragments than there
/// are.
fn batches<T: Config>(miner: MinerId, first: u32, count: u32) {
	for at in first..first + count {
		let segment = |i| SegmentId(u64::MAX - u64::from(MAX_READY * (at - first) + i));
		let fragments = (0..MAX_READY).map(|i| FragmentId { segment: segment(i), index: 0 });
		let fragments = ReadyFragments::truncate_from(fragments.collect());
		Batches::<T>::insert(miner, at, Batch { fragments, thin: 0 });
	}
}

/// So many of each fragment's segment are absent that the brake is engaged. Whose call opens them.
fn to_open<T: Config>(fragments: &[FragmentId], absent: u8) -> T::AccountId {
	fragments.iter().for_each(|fragment| away::<T>(fragment.segment, absent));
	T::BenchmarkHelper::engage_brake();
	T::BenchmarkHelper::miner(CLAIMER).1
}

/// Puts the fragments into a batch of which as many are to be proven as are drawn, and proves these.
fn to_report<T: Config>(
	files: &[Longest],
	fragments: &[FragmentId],
) -> (MinerId, T::AccountId, BoundedVec<FragmentProof, ConstU32<MAX_PROOFS>>) {
	let (miner, account) = batched::<T>(fragments, sampling::SAMPLE);
	let proofs = proofs::<T>(miner, files, fragments);
	(miner, account, proofs)
}

/// Puts the fragments into a batch of which `p` are to be proven: those the seed draws, and as
/// many others as if their segments were thin.
fn batched<T: Config>(fragments: &[FragmentId], p: u32) -> (MinerId, T::AccountId) {
	let (miner, account) = T::BenchmarkHelper::miner(CLAIMER);
	for fragment in fragments {
		claim::<T>(&[*fragment]);
	}
	Pallet::<T>::do_ready(miner, fragments, &mut Tally::default());
	T::BenchmarkHelper::set_time(BLOCK + 2, NOW);
	let mut batch = Batches::<T>::get(miner, BLOCK).expect("declared; qed");
	let seed = T::Clock::beacon_at(Batch::seed_block(BLOCK)).expect("known; qed");
	let drawn = sampling::positions(&seed, fragments.len() as u32, 0);
	let others = (0..fragments.len() as u8).filter(|position| drawn & bit(*position) == 0);
	let more = p.saturating_sub(drawn.count_ones()) as usize;
	batch.thin = others.take(more).fold(0, |thin, position| thin | bit(position));
	Batches::<T>::insert(miner, BLOCK, batch);
	(miner, account)
}

fn proofs<T: Config>(
	miner: MinerId,
	files: &[Longest],
	fragments: &[FragmentId],
) -> BoundedVec<FragmentProof, ConstU32<MAX_PROOFS>> {
	let bytes = largest_fragment();
	let batch = Batches::<T>::get(miner, BLOCK).expect("declared; qed");
	let asked = Pallet::<T>::asked(BLOCK, &batch).expect("the seed is known; qed");
	let proof = |(fragment, chunk): &(FragmentId, u32)| {
		let number = fragments.iter().position(|f| f == fragment).expect("of the batch; qed");
		let proof = FragmentProof::new(&bytes, *chunk, &files[number].sidecar);
		let proof = proof.expect("there is such a chunk; qed");
		assert_eq!(proof.0.len(), FragmentProof::MAX_LEN);
		proof
	};
	BoundedVec::truncate_from(asked.iter().map(proof).collect())
}
