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
//! after a minute and a half, collateral is free a minute after the last fragment moved, and who has
//! thrown away what it should have is expelled after four minutes.
//!
//! Each of the well-known accounts has bought space, so that it can store something at once.
//!
//! [`production_miners`], [`production_files`], [`production_restore`], [`production_audit`],
//! [`production_space`] and [`production_rewards`] are what a public network begins with;
//! `docs/economics.md` and `docs/audits.md` say why.

use crate::{
	AccountId, AuditConfig, BabeConfig, Balance, BalancesConfig, FilesConfig, MinersConfig,
	RestoreConfig, RewardsConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys, SlotsConfig,
	SpaceConfig, SudoConfig, ValidatorsConfig,
	configs::consensus::EPOCH_CONFIG,
	currency::{MILLI, UNIT, deposit},
	time::{DAYS, HOURS, MINUTES},
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use pallet_planaria_audit::Params as AuditParams;
use pallet_planaria_files::Params as FilesParams;
use pallet_planaria_miners::Params as MinersParams;
use pallet_planaria_restore::Params as RestoreParams;
use pallet_planaria_rewards::Params as RewardsParams;
use pallet_planaria_space::Params as SpaceParams;
use serde_json::Value;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET, PresetId};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// How long a slot lasts on a local network, in milliseconds.
pub const LOCAL_SLOT_MILLIS: u64 = 2_000;

/// What each well-known account owns.
const ENDOWMENT: Balance = 10_000_000 * UNIT;

/// The space of each: as much as one account may buy, for a tenth of what it owns.
const SPACE: u64 = 1 << 50;
const SPACE_TICKS: u32 = 300 * DAYS;

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
		audit: AuditConfig { params: local_audit() },
		babe: BabeConfig { epoch_config: EPOCH_CONFIG },
		files: FilesConfig { params: local_files() },
		miners: MinersConfig { params: local_miners() },
		restore: RestoreConfig { params: local_restore() },
		rewards: RewardsConfig { params: local_rewards() },
		space: SpaceConfig {
			params: local_space(),
			spaces: WELL_KNOWN
				.iter()
				.map(|keys| (account(keys), SPACE, SPACE_TICKS))
				.collect::<Vec<_>>(),
		},
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
		..Default::default()
	}
}

/// The rules for restore orders of a public network.
pub fn production_restore() -> RestoreParams<Balance> {
	RestoreParams {
		claim_period: HOURS,
		claim_penalty: UNIT,
		ban_period: DAYS,
		loss_settlement: 7 * DAYS,
	}
}

/// The price of space on a public network: 100 tokens for a TiB and 30 days.
pub fn production_space() -> SpaceParams {
	SpaceParams {
		price: 100 * UNIT / Balance::from(30 * DAYS),
		grace: 7 * DAYS,
		min_bytes: 1 << 30,
		max_ticks: 1_000 * DAYS,
		deposit: deposit(1, 100),
	}
}

/// What restoring is worth on a public network: of 8 MiB less than the collateral they require.
pub fn production_rewards() -> RewardsParams {
	RewardsParams { bounty_base: MILLI / 5, bounty_per_gib: 50 * MILLI, bounty_hold: 7 * DAYS }
}

fn local_space() -> SpaceParams {
	SpaceParams { grace: 3 * MINUTES, ..production_space() }
}

fn local_rewards() -> RewardsParams {
	RewardsParams { bounty_hold: 6 * MINUTES, ..production_rewards() }
}

/// The rules for audits of a public network: a named challenge costs a tenth of a token, and brings
/// half of one where the miner fails.
pub fn production_audit() -> AuditParams<Balance> {
	AuditParams { deposit: 100 * MILLI, reward: 500 * MILLI, ..Default::default() }
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
	FilesParams { order_timeout: 150, place_timeout: 15, ..production_files() }
}

fn local_restore() -> RestoreParams<Balance> {
	RestoreParams { claim_period: 30, ban_period: 45, loss_settlement: 90, ..production_restore() }
}

/// A miner that is stopped is absent before its answers are due; one that is there and has thrown
/// away what it holds is expelled after four minutes.
fn local_audit() -> AuditParams<Balance> {
	AuditParams {
		bytes_per_draw: 256 << 20,
		answer_period: 60,
		strike_window: 6,
		heal_after: 300,
		expel_at: 5,
		..production_audit()
	}
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
