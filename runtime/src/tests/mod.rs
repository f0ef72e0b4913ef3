// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The runtime as a whole. Its pallets have tests of their own.

#![allow(clippy::unwrap_used)]

mod audit;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
mod blocks;
mod capacity;
mod documents;
mod duties;
mod economics;
mod figures;
mod genesis;
mod golden;
mod machine;
mod money;
mod network;
mod replay;
mod storage;
#[cfg(feature = "try-runtime")]
mod try_runtime;
mod validators;
mod weights;
mod worker;

use crate::{
	AccountId, Executive, Hash, Header, Runtime, RuntimeCall, RuntimeGenesisConfig, System,
	UncheckedExtrinsic, invariants, presets, slots::SlotMillis,
};
use codec::Encode;
use frame_support::{genesis_builder_helper::build_state, traits::Get, weights::Weight};
use serde_json::Value;
use sp_consensus_babe::{
	BABE_ENGINE_ID,
	digests::{PreDigest, SecondaryPlainPreDigest},
};
use sp_genesis_builder::PresetId;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{Digest, DigestItem, traits::Header as _};

/// Puts `patch` over `base`, as a chain spec does with a preset.
fn merge(base: &mut Value, patch: Value) {
	match (base, patch) {
		(Value::Object(base), Value::Object(patch)) => {
			for (key, value) in patch {
				merge(base.entry(key).or_insert(Value::Null), value);
			}
		},
		(base, patch) => *base = patch,
	}
}

/// The genesis that `patch` over the default makes.
fn genesis_with(patch: Value) -> TestExternalities {
	let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	merge(&mut config, patch);
	let mut ext = TestExternalities::new_empty();
	ext.execute_with(|| {
		build_state::<RuntimeGenesisConfig>(serde_json::to_vec(&config).unwrap()).unwrap();
	});
	ext.commit_all().unwrap();
	ext
}

/// A preset's patch.
fn preset(name: &str) -> Value {
	serde_json::from_slice(&presets::get_preset(&PresetId::from(name)).unwrap()).unwrap()
}

/// The genesis of a preset.
fn genesis(name: &str) -> TestExternalities {
	genesis_with(preset(name))
}

fn account(key: Sr25519Keyring) -> AccountId {
	key.to_account_id()
}

/// Begins the next block, in `slot`, made by the validator with this index. It has its timestamp.
fn begin_block(slot: u64, author: u32) {
	let parent = if System::block_number() == 0 { Hash::zero() } else { System::parent_hash() };
	let digest = SecondaryPlainPreDigest { authority_index: author, slot: slot.into() };
	begin_block_on(parent, slot, PreDigest::SecondaryPlain(digest));
}

/// Begins the next block on the one with this hash.
fn begin_block_on(parent: Hash, slot: u64, digest: PreDigest) {
	let header = Header::new(
		System::block_number() + 1,
		Default::default(),
		Default::default(),
		parent,
		Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, digest.encode())] },
	);
	Executive::initialize_block(&header);
	let now = slot * SlotMillis::<Runtime>::get();
	let timestamp = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now });
	Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(timestamp)).unwrap().unwrap();
}

/// Begins and ends a block.
fn run_block(slot: u64) {
	begin_block(slot, 0);
	Executive::finalize_block();
	assert_invariants();
}

/// What every block takes before it has a transaction.
fn mandatory_weight() -> Weight {
	System::block_weight().total()
}

/// That the invariants across the pallets hold, and that each pallet finds its own state in order;
/// the latter is known only with the feature `try-runtime`.
fn assert_invariants() {
	invariants::check().unwrap();
	#[cfg(feature = "try-runtime")]
	{
		use frame_support::traits::{TryState, TryStateSelect};
		let number = System::block_number();
		crate::AllPalletsWithSystem::try_state(number, TryStateSelect::All).unwrap();
	}
}
