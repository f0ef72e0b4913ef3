// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A runtime with a clock in it, whose slots, VRF outputs and migrations the tests set.

use crate as pallet_planaria_clock;
use frame_support::{
	derive_impl, parameter_types,
	traits::{OnFinalize, OnInitialize},
	weights::Weight,
};
use frame_system::{EnsureRoot, limits};
use sp_core::H256;
use sp_io::TestExternalities;
use sp_runtime::BuildStorage;

#[frame_support::runtime]
mod test_runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Clock = pallet_planaria_clock;
}

/// The weight the mock's blocks may have, of which three quarters may be normal calls.
pub const MAX_BLOCK: Weight = Weight::from_parts(1_000_000_000_000, 5_000_000);

/// The length they may have.
pub const MAX_LENGTH: u32 = 5 * 1024 * 1024;

parameter_types! {
	pub BlockWeights: limits::BlockWeights =
		limits::BlockWeights::with_sensible_defaults(MAX_BLOCK, sp_runtime::Perbill::from_percent(75));
	pub BlockLength: limits::BlockLength = limits::BlockLength::builder()
		.max_length(MAX_LENGTH)
		.modify_max_length_for_class(frame_support::dispatch::DispatchClass::Normal, |max| {
			*max = MAX_LENGTH / 4 * 3;
		})
		.build();
	pub const Headroom: Weight = Weight::from_parts(10_000_000_000, 200_000);
	pub const HeadroomLength: u32 = 64 * 1024;
	pub storage Slot: u64 = 0;
	pub storage Vrf: Option<[u8; 32]> = None;
	pub storage Migrating: bool = false;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlockU32<Test>;
	type BlockWeights = BlockWeights;
	type BlockLength = BlockLength;
}

impl crate::Config for Test {
	type CurrentSlot = Slot;
	type Vrf = Vrf;
	type Migrating = Migrating;
	type Headroom = Headroom;
	type HeadroomLength = HeadroomLength;
	type AdminOrigin = EnsureRoot<u64>;
	type WeightInfo = ();
}

pub fn new_test_ext() -> TestExternalities {
	let storage = RuntimeGenesisConfig::default().build_storage();
	TestExternalities::new(storage.expect("the default genesis is valid"))
}

/// Runs `test` from before the first block on, and checks the state after it.
pub fn execute(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		crate::Pallet::<Test>::do_try_state().expect("the state is consistent");
	});
}

/// Ends the current block and begins the next one, `slots` slots later.
pub fn next_block_after(slots: u64) {
	let now = System::block_number();
	if now > 0 {
		Clock::on_finalize(now);
	}
	let parent = H256::from_low_u64_be(u64::from(now) + 1000);
	System::reset_events();
	System::initialize(&(now + 1), &parent, &Default::default());
	Slot::set(&(Slot::get() + slots));
	Clock::on_initialize(now + 1);
}

/// `count` blocks in slots one after the other.
pub fn blocks(count: u32) {
	for _ in 0..count {
		next_block_after(1);
	}
}

/// The clock's events in this block.
pub fn events() -> Vec<crate::Event<Test>> {
	let records = System::events().into_iter();
	records
		.filter_map(|record| match record.event {
			RuntimeEvent::Clock(event) => Some(event),
			_ => None,
		})
		.collect()
}
