// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Measured by `scripts/weights.sh`, which writes this file anew.
//!
//! 2026-11-22, 6 steps of each component, 5 repetitions of each step at
//! least, Compiled Wasm, on AMD EPYC.

use super::WeightInfo;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{Weight, constants::RocksDbWeight},
};

/// The weights with the database of `T`.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// `n` is in `1..=64`.
	fn open(n: u32) -> Weight {
		// At least 598_266_000 ps.
		Weight::from_parts(1_014_163_317, 156319)
			.saturating_add(Weight::from_parts(100_728_532, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(34))
			.saturating_add(T::DbWeight::get().reads(6u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().writes(4u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=64`.
	fn open_apart(n: u32) -> Weight {
		// At least 610_629_000 ps.
		Weight::from_parts(70_879_187, 156319)
			.saturating_add(Weight::from_parts(270_700_527, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3179).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(31))
			.saturating_add(T::DbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(7u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=64`.
	fn open_dear(n: u32) -> Weight {
		// At least 492_107_000 ps.
		Weight::from_parts(404_630_953, 311648)
			.saturating_add(Weight::from_parts(327_232_279, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3179).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(48))
			.saturating_add(T::DbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(8u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=64`.
	fn claim(n: u32) -> Weight {
		// At least 453_686_000 ps.
		Weight::from_parts(1_082_061_462, 293374)
			.saturating_add(Weight::from_parts(248_665_569, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(39))
			.saturating_add(T::DbWeight::get().reads(10u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(8u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=64`.
	fn give_back(n: u32) -> Weight {
		// At least 228_105_000 ps.
		Weight::from_parts(800_000_000, 156319)
			.saturating_add(Weight::from_parts(110_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(27))
			.saturating_add(T::DbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	/// `n` is in `1..=64`.
	fn decline(n: u32) -> Weight {
		// At least 221_974_000 ps.
		Weight::from_parts(800_000_000, 156319)
			.saturating_add(Weight::from_parts(120_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(27))
			.saturating_add(T::DbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	fn cancel() -> Weight {
		// At least 888_197_000 ps.
		Weight::from_parts(1_579_346_000, 225310)
			.saturating_add(T::DbWeight::get().reads(106))
			.saturating_add(T::DbWeight::get().writes(20))
	}

	/// `n` is in `1..=64`.
	fn ready(n: u32) -> Weight {
		// At least 847_641_000 ps.
		Weight::from_parts(1_090_773_470, 56310)
			.saturating_add(Weight::from_parts(61_999_425, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(52))
			.saturating_add(T::DbWeight::get().reads(4u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	/// `p` is in `1..=64`.
	fn judge(p: u32) -> Weight {
		// At least 28_954_000 ps.
		Weight::from_parts(38_657_371, 990)
			.saturating_add(Weight::from_parts(7_059_629, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1u64.saturating_mul(p.into())))
	}

	fn authorize_ready() -> Weight {
		// At least 13_314_000 ps.
		Weight::from_parts(21_310_000, 3478).saturating_add(T::DbWeight::get().reads(1))
	}

	/// `n` is in `8..=64`.
	fn report(n: u32) -> Weight {
		// At least 1_255_552_000 ps.
		Weight::from_parts(1_157_746_442, 8079)
			.saturating_add(Weight::from_parts(94_203_707, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(18))
			.saturating_add(T::DbWeight::get().reads(6u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(11))
			.saturating_add(T::DbWeight::get().writes(4u64.saturating_mul(n.into())))
	}

	/// `n` is in `8..=64`.
	fn report_apart(n: u32) -> Weight {
		// At least 2_093_535_000 ps.
		Weight::from_parts(963_389_733, 8079)
			.saturating_add(Weight::from_parts(157_309_566, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(16))
			.saturating_add(T::DbWeight::get().reads(8u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(9))
			.saturating_add(T::DbWeight::get().writes(6u64.saturating_mul(n.into())))
	}

	/// `n` is in `8..=64`.
	fn report_dear(n: u32) -> Weight {
		// At least 3_018_280_000 ps.
		Weight::from_parts(1_257_189_349, 8079)
			.saturating_add(Weight::from_parts(266_798_709, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(19))
			.saturating_add(T::DbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(11))
			.saturating_add(T::DbWeight::get().writes(9u64.saturating_mul(n.into())))
	}

	/// `p` is in `1..=24`.
	fn prove(p: u32) -> Weight {
		// At least 98_193_000 ps.
		Weight::from_parts(60_509_361, 990)
			.saturating_add(Weight::from_parts(58_019_194, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2u64.saturating_mul(p.into())))
	}

	fn authorize_report() -> Weight {
		// At least 112_560_000 ps.
		Weight::from_parts(176_099_000, 4059).saturating_add(T::DbWeight::get().reads(2))
	}

	fn check_segment() -> Weight {
		// At least 2_049_222_000 ps.
		Weight::from_parts(3_663_454_000, 225310)
			.saturating_add(T::DbWeight::get().reads(199))
			.saturating_add(T::DbWeight::get().writes(133))
	}

	fn settle_loss() -> Weight {
		// At least 11_783_600_000 ps.
		Weight::from_parts(15_551_778_000, 225310)
			.saturating_add(T::DbWeight::get().reads(334))
			.saturating_add(T::DbWeight::get().writes(264))
	}

	/// `n` is in `1..=64`.
	fn tidy(n: u32) -> Weight {
		// At least 854_875_000 ps.
		Weight::from_parts(919_655_000, 156319)
			.saturating_add(Weight::from_parts(1_337_865_936, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 224320).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(26))
			.saturating_add(T::DbWeight::get().reads(78u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes(15u64.saturating_mul(n.into())))
	}

	fn set_params() -> Weight {
		// At least 14_517_000 ps.
		Weight::from_parts(27_902_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}

	fn open_challenged() -> Weight {
		// At least 649_842_000 ps.
		Weight::from_parts(1_126_311_000, 221805)
			.saturating_add(T::DbWeight::get().reads(94))
			.saturating_add(T::DbWeight::get().writes(11))
	}

	/// `f` is in `2..=64`.
	fn on_segment_removed(f: u32) -> Weight {
		// At least 231_342_000 ps.
		Weight::from_parts(250_000_000, 3593)
			.saturating_add(Weight::from_parts(300_000_000, 0).saturating_mul(f.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(f.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(7u64.saturating_mul(f.into())))
			.saturating_add(T::DbWeight::get().writes(7))
			.saturating_add(T::DbWeight::get().writes(7u64.saturating_mul(f.into())))
	}

	fn agenda_tick() -> Weight {
		// At least 48_640_000 ps.
		Weight::from_parts(100_066_000, 19264)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn claim_ended() -> Weight {
		// At least 13_305_000 ps.
		Weight::from_parts(25_748_000, 3511).saturating_add(T::DbWeight::get().reads(2))
	}

	fn ban_ends() -> Weight {
		// At least 18_394_000 ps.
		Weight::from_parts(33_653_000, 3481)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn open(n: u32) -> Weight {
		Weight::from_parts(1_014_163_317, 156319)
			.saturating_add(Weight::from_parts(100_728_532, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(34))
			.saturating_add(RocksDbWeight::get().reads(6u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(6))
			.saturating_add(RocksDbWeight::get().writes(4u64.saturating_mul(n.into())))
	}

	fn open_apart(n: u32) -> Weight {
		Weight::from_parts(70_879_187, 156319)
			.saturating_add(Weight::from_parts(270_700_527, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3179).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(31))
			.saturating_add(RocksDbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(3))
			.saturating_add(RocksDbWeight::get().writes(7u64.saturating_mul(n.into())))
	}

	fn open_dear(n: u32) -> Weight {
		Weight::from_parts(404_630_953, 311648)
			.saturating_add(Weight::from_parts(327_232_279, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3179).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(48))
			.saturating_add(RocksDbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(4))
			.saturating_add(RocksDbWeight::get().writes(8u64.saturating_mul(n.into())))
	}

	fn claim(n: u32) -> Weight {
		Weight::from_parts(1_082_061_462, 293374)
			.saturating_add(Weight::from_parts(248_665_569, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(39))
			.saturating_add(RocksDbWeight::get().reads(10u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(1))
			.saturating_add(RocksDbWeight::get().writes(8u64.saturating_mul(n.into())))
	}

	fn give_back(n: u32) -> Weight {
		Weight::from_parts(800_000_000, 156319)
			.saturating_add(Weight::from_parts(110_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(27))
			.saturating_add(RocksDbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(2))
			.saturating_add(RocksDbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	fn decline(n: u32) -> Weight {
		Weight::from_parts(800_000_000, 156319)
			.saturating_add(Weight::from_parts(120_000_000, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(27))
			.saturating_add(RocksDbWeight::get().reads(3u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(2))
			.saturating_add(RocksDbWeight::get().writes(3u64.saturating_mul(n.into())))
	}

	fn cancel() -> Weight {
		Weight::from_parts(1_579_346_000, 225310)
			.saturating_add(RocksDbWeight::get().reads(106))
			.saturating_add(RocksDbWeight::get().writes(20))
	}

	fn ready(n: u32) -> Weight {
		Weight::from_parts(1_090_773_470, 56310)
			.saturating_add(Weight::from_parts(61_999_425, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(52))
			.saturating_add(RocksDbWeight::get().reads(4u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn judge(p: u32) -> Weight {
		Weight::from_parts(38_657_371, 990)
			.saturating_add(Weight::from_parts(7_059_629, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(p.into()))
			.saturating_add(RocksDbWeight::get().reads(1u64.saturating_mul(p.into())))
	}

	fn authorize_ready() -> Weight {
		Weight::from_parts(21_310_000, 3478).saturating_add(RocksDbWeight::get().reads(1))
	}

	fn report(n: u32) -> Weight {
		Weight::from_parts(1_157_746_442, 8079)
			.saturating_add(Weight::from_parts(94_203_707, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(18))
			.saturating_add(RocksDbWeight::get().reads(6u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(11))
			.saturating_add(RocksDbWeight::get().writes(4u64.saturating_mul(n.into())))
	}

	fn report_apart(n: u32) -> Weight {
		Weight::from_parts(963_389_733, 8079)
			.saturating_add(Weight::from_parts(157_309_566, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(16))
			.saturating_add(RocksDbWeight::get().reads(8u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(9))
			.saturating_add(RocksDbWeight::get().writes(6u64.saturating_mul(n.into())))
	}

	fn report_dear(n: u32) -> Weight {
		Weight::from_parts(1_257_189_349, 8079)
			.saturating_add(Weight::from_parts(266_798_709, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(19))
			.saturating_add(RocksDbWeight::get().reads(9u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(11))
			.saturating_add(RocksDbWeight::get().writes(9u64.saturating_mul(n.into())))
	}

	fn prove(p: u32) -> Weight {
		Weight::from_parts(60_509_361, 990)
			.saturating_add(Weight::from_parts(58_019_194, 0).saturating_mul(p.into()))
			.saturating_add(Weight::from_parts(0, 2766).saturating_mul(p.into()))
			.saturating_add(RocksDbWeight::get().reads(2u64.saturating_mul(p.into())))
	}

	fn authorize_report() -> Weight {
		Weight::from_parts(176_099_000, 4059).saturating_add(RocksDbWeight::get().reads(2))
	}

	fn check_segment() -> Weight {
		Weight::from_parts(3_663_454_000, 225310)
			.saturating_add(RocksDbWeight::get().reads(199))
			.saturating_add(RocksDbWeight::get().writes(133))
	}

	fn settle_loss() -> Weight {
		Weight::from_parts(15_551_778_000, 225310)
			.saturating_add(RocksDbWeight::get().reads(334))
			.saturating_add(RocksDbWeight::get().writes(264))
	}

	fn tidy(n: u32) -> Weight {
		Weight::from_parts(919_655_000, 156319)
			.saturating_add(Weight::from_parts(1_337_865_936, 0).saturating_mul(n.into()))
			.saturating_add(Weight::from_parts(0, 224320).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads(26))
			.saturating_add(RocksDbWeight::get().reads(78u64.saturating_mul(n.into())))
			.saturating_add(RocksDbWeight::get().writes(5))
			.saturating_add(RocksDbWeight::get().writes(15u64.saturating_mul(n.into())))
	}

	fn set_params() -> Weight {
		Weight::from_parts(27_902_000, 0).saturating_add(RocksDbWeight::get().writes(1))
	}

	fn open_challenged() -> Weight {
		Weight::from_parts(1_126_311_000, 221805)
			.saturating_add(RocksDbWeight::get().reads(94))
			.saturating_add(RocksDbWeight::get().writes(11))
	}

	fn on_segment_removed(f: u32) -> Weight {
		Weight::from_parts(250_000_000, 3593)
			.saturating_add(Weight::from_parts(300_000_000, 0).saturating_mul(f.into()))
			.saturating_add(Weight::from_parts(0, 3505).saturating_mul(f.into()))
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().reads(7u64.saturating_mul(f.into())))
			.saturating_add(RocksDbWeight::get().writes(7))
			.saturating_add(RocksDbWeight::get().writes(7u64.saturating_mul(f.into())))
	}

	fn agenda_tick() -> Weight {
		Weight::from_parts(100_066_000, 19264)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn claim_ended() -> Weight {
		Weight::from_parts(25_748_000, 3511).saturating_add(RocksDbWeight::get().reads(2))
	}

	fn ban_ends() -> Weight {
		Weight::from_parts(33_653_000, 3481)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
}
