// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who takes part, with which keys.

use super::super::*;
use crate::currency::UNIT;
use pallet_planaria_miners as miners;
use planaria_primitives::MinerId;
use sp_core::{Pair, ed25519, sr25519};
use std::sync::LazyLock;

/// How many stashes there are; as many miners at a time at most.
pub const MINERS: u32 = 17;

/// How many of them are registered at first.
pub const REGISTERED: u32 = 15;

/// How many hot keys and endpoint keys each of them has, to change between.
pub const KEYS: u32 = 3;

/// How many accounts order files.
pub const OWNERS: u32 = 2;

/// What every account has at first.
pub const ENDOWMENT: u128 = 1_000 * UNIT;

fn pairs(role: &str, count: u32) -> Vec<sr25519::Pair> {
	let pair = |n| sr25519::Pair::from_string(&format!("//{role}//{n}"), None).unwrap();
	(0..count).map(pair).collect()
}

pub static STASHES: LazyLock<Vec<sr25519::Pair>> = LazyLock::new(|| pairs("stash", MINERS));

/// The keys of stash `n` are those from `n * KEYS` on.
pub static HOT_KEYS: LazyLock<Vec<sr25519::Pair>> = LazyLock::new(|| pairs("hot", MINERS * KEYS));

/// In the order of the hot keys.
pub static ENDPOINTS: LazyLock<Vec<ed25519::Pair>> = LazyLock::new(|| {
	let pair = |n| ed25519::Pair::from_string(&format!("//endpoint//{n}"), None).unwrap();
	(0..MINERS * KEYS).map(pair).collect()
});

pub static FILE_OWNERS: LazyLock<Vec<sr25519::Pair>> = LazyLock::new(|| pairs("owner", OWNERS));

/// Those who store in the name of an owner that lets them: two of those who offer storage.
pub static OPERATORS: LazyLock<Vec<sr25519::Pair>> =
	LazyLock::new(|| STASHES.iter().take(2).cloned().collect());

pub fn account_of(pair: &sr25519::Pair) -> AccountId {
	pair.public().into()
}

/// All of the accounts above.
pub fn accounts() -> impl Iterator<Item = AccountId> {
	STASHES.iter().chain(HOT_KEYS.iter()).chain(FILE_OWNERS.iter()).map(account_of)
}

/// A registered miner as it is now.
#[derive(Clone)]
pub struct Party {
	pub id: MinerId,
	/// The number of its stash.
	pub n: u32,
	pub record: miners::MinerV0<AccountId, u128>,
}

impl Party {
	pub fn stash(&self) -> &'static sr25519::Pair {
		&STASHES[self.n as usize]
	}

	pub fn hot(&self) -> &'static sr25519::Pair {
		let own = (self.n * KEYS) as usize..((self.n + 1) * KEYS) as usize;
		HOT_KEYS[own].iter().find(|pair| pair.public() == self.record.hot_key).unwrap()
	}

	/// What changes all the time; nothing once it has departed.
	pub fn load(&self) -> Option<miners::MinerLoad> {
		miners::Loads::<Runtime>::get(self.id)
	}
}

/// Those that have a record, in the order of their ids.
pub fn parties() -> Vec<Party> {
	let mut parties: Vec<_> = miners::Miners::<Runtime>::iter()
		.map(|(id, miners::Miner::V0(record))| {
			let n = (0..).zip(STASHES.iter()).find(|(_, pair)| account_of(pair) == record.stash);
			Party { id, n: n.unwrap().0, record }
		})
		.collect();
	parties.sort_by_key(|party| party.id);
	parties
}

/// The one with this id.
pub fn party(id: MinerId) -> Option<Party> {
	parties().into_iter().find(|party| party.id == id)
}
