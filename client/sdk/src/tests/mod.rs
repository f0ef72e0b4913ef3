// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole puts and gets against real transfer endpoints on loopback and a chain in memory.

mod network;

mod put_get;

mod ranges;

mod sealed;

use crate::AccountId32;
use planaria_primitives::MinerId;
use planaria_runtime_api::{MinerStanding, MinerStatus};

/// A miner that serves and has room.
pub(crate) fn miner(id: u32) -> MinerStatus {
	MinerStatus {
		miner: MinerId(id),
		stash: AccountId32::new([1; 32]),
		payee: AccountId32::new([1; 32]),
		hot_key: AccountId32::new([1; 32]),
		endpoint_key: [0; 32],
		endpoint_addrs: Vec::new(),
		standing: MinerStanding::Serving,
		since: 0,
		declared: 1 << 40,
		held: 0,
		reserved: 0,
		fragments: 0,
		claims: 0,
		last_seen: 0,
		collateral: 0,
		required: 0,
		free_at: None,
		audit: Default::default(),
	}
}
