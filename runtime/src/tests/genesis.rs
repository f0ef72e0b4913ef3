// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The genesis states.

use super::*;
use crate::{Babe, Balances, Session, currency::UNIT, time::DEFAULT_SLOT_MILLIS};
use frame_support::traits::fungible::Inspect;
use serde_json::json;

#[test]
fn each_preset_builds_its_validators() {
	for (name, validators) in [("development", 1), ("local_testnet", 4)] {
		genesis(name).execute_with(|| {
			assert_eq!(Session::validators().len(), validators, "{name}");
			assert_eq!(Babe::authorities().len(), validators, "{name}");
			assert_eq!(pallet_grandpa::Pallet::<Runtime>::grandpa_authorities().len(), validators);
			assert_eq!(pallet_membership::Members::<Runtime>::get().len(), validators, "{name}");
			assert_eq!(Babe::slot_duration(), presets::LOCAL_SLOT_MILLIS);
			assert_eq!(pallet_sudo::Key::<Runtime>::get(), Some(account(Sr25519Keyring::Alice)));
			for key in Sr25519Keyring::well_known().take(6) {
				assert!(Balances::balance(&account(key)) > 1_000 * UNIT, "{key}");
			}
			assert_invariants();
		});
	}
}

#[test]
fn the_names_are_those_of_the_presets() {
	for name in presets::preset_names() {
		assert!(presets::get_preset(&name).is_some());
	}
	assert!(presets::get_preset(&PresetId::from("production")).is_none());
}

#[test]
fn a_slot_lasts_six_seconds_unless_the_genesis_says_otherwise() {
	genesis_with(json!({})).execute_with(|| {
		assert_eq!(Babe::slot_duration(), DEFAULT_SLOT_MILLIS);
		assert_eq!(<Runtime as pallet_babe::Config>::ExpectedBlockTime::get(), DEFAULT_SLOT_MILLIS);
	});
	// A state without a genesis: what tools see that run only the code.
	TestExternalities::new_empty().execute_with(|| {
		assert_eq!(Babe::slot_duration(), DEFAULT_SLOT_MILLIS);
	});
}

#[test]
#[should_panic(expected = "slots.slotMillis must be even")]
fn a_slot_is_even() {
	genesis_with(json!({ "slots": { "slotMillis": 2001 } }));
}

#[test]
#[should_panic(expected = "within 1000..=60000")]
fn a_slot_is_not_too_short() {
	genesis_with(json!({ "slots": { "slotMillis": 500 } }));
}
