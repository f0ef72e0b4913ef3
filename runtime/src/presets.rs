// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The genesis states of local networks. A public network has a chain spec of its own.
//!
//! Both have the well-known accounts Alice to Ferdie, with Alice as root, and slots of 2 s:
//!
//! - `development`: Alice validates;
//! - `local_testnet`: Alice, Bob, Charlie and Dave do.
//!
//! Their periods are short enough to be watched: a claim lasts a minute, a silent miner is absent
//! after a minute and a half, collateral is free a minute after the last fragment moved.
//!
//! [`production_miners`], [`production_files`] and [`production_restore`] are what a public network
//! begins with.

use crate::{
	AccountId, BabeConfig, Balance, BalancesConfig, FilesConfig, MinersConfig, RestoreConfig,
	RuntimeGenesisConfig, SessionConfig, SessionKeys, SlotsConfig, SudoConfig, ValidatorsConfig,
	configs::consensus::EPOCH_CONFIG,
	currency::{UNIT, deposit},
	time::{DAYS, HOURS},
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use pallet_planaria_files::Params as FilesParams;
use pallet_planaria_miners::Params as MinersParams;
use pallet_planaria_restore::Params as RestoreParams;
use serde_json::Value;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET, PresetId};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// How long a slot lasts on a local network, in milliseconds.
pub const LOCAL_SLOT_MILLIS: u64 = 2_000;

/// What each well-known account owns.
const ENDOWMENT: Balance = 10_000_000 * UNIT;

/// The accounts that own something and may validate: the first ones do.
const WELL_KNOWN: [(Sr25519Keyring, Ed25519Keyring); 6] = [
	(Sr25519Keyring::Alice, Ed25519Keyring::Alice),
	(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
	(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
	(Sr25519Keyring::Dave, Ed25519Keyring::Dave),
	(Sr25519Keyring::Eve, Ed25519Keyring::Eve),
	(Sr25519Keyring::Ferdie, Ed25519Keyring::Ferdie),
];

/// A network of the first `validators` well-known accounts.
fn local(validators: usize) -> Value {
	let account = |(key, _): &(Sr25519Keyring, Ed25519Keyring)| key.to_account_id();
	let validators = &WELL_KNOWN[..validators];
	let session_keys: Vec<(AccountId, AccountId, SessionKeys)> = validators
		.iter()
		.map(|keys| {
			let (babe, grandpa) = keys;
			let session =
				SessionKeys { babe: babe.public().into(), grandpa: grandpa.public().into() };
			(account(keys), account(keys), session)
		})
		.collect();
	let members: Vec<AccountId> = validators.iter().map(account).collect();

	build_struct_json_patch!(RuntimeGenesisConfig {
		babe: BabeConfig { epoch_config: EPOCH_CONFIG },
		files: FilesConfig { params: local_files() },
		miners: MinersConfig { params: local_miners() },
		restore: RestoreConfig { params: local_restore() },
		balances: BalancesConfig {
			balances: WELL_KNOWN.iter().map(|keys| (account(keys), ENDOWMENT)).collect::<Vec<_>>(),
		},
		session: SessionConfig { keys: session_keys },
		slots: SlotsConfig { slot_millis: LOCAL_SLOT_MILLIS },
		sudo: SudoConfig { key: Some(Sr25519Keyring::Alice.to_account_id()) },
		validators: ValidatorsConfig { members: members.try_into().unwrap_or_default() },
	})
}

/// The rules for miners of a public network, in ticks of 6 s: see `docs/limits.md`.
pub fn production_miners() -> MinersParams<Balance> {
	MinersParams::default()
}

/// The deposits and periods of files of a public network: a segment's deposit pays for its record.
pub fn production_files() -> FilesParams<Balance> {
	FilesParams {
		deposit_base: deposit(3, 400),
		deposit_per_segment: deposit(1, 100),
		order_timeout: DAYS,
	}
}

/// The rules for restore orders of a public network.
pub fn production_restore() -> RestoreParams<Balance> {
	RestoreParams { claim_period: HOURS, claim_penalty: UNIT, ban_period: DAYS }
}

fn local_miners() -> MinersParams<Balance> {
	MinersParams {
		alive_every: 10,
		absent_after: 45,
		absent_max: 900,
		cooldown: 30,
		brake_window: 300,
		..production_miners()
	}
}

fn local_files() -> FilesParams<Balance> {
	FilesParams { order_timeout: 150, ..production_files() }
}

fn local_restore() -> RestoreParams<Balance> {
	RestoreParams { claim_period: 30, ban_period: 45, ..production_restore() }
}

/// The preset called `id`, as JSON.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let preset = match id.as_ref() {
		DEV_RUNTIME_PRESET => local(1),
		LOCAL_TESTNET_RUNTIME_PRESET => local(4),
		_ => return None,
	};
	serde_json::to_vec(&preset).ok()
}

/// What the presets are called.
pub fn preset_names() -> Vec<PresetId> {
	vec![PresetId::from(DEV_RUNTIME_PRESET), PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET)]
}
