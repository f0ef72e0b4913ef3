// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an operator is told.

use planaria_primitives::{FragmentName, MinerId};
use serde::Serialize;

/// The engine at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EngineStatus {
	/// The miner this node acts for; `None` until it is registered.
	pub miner: Option<MinerId>,
	/// Fragments that are stored but not yet confirmed on chain.
	pub unconfirmed: u64,
	/// What is being restored, and what could not be.
	pub restores: Vec<RestoreStatus>,
	/// Restorable fragments of others that were found last.
	pub found: u64,
	/// Proofs that the chain asks for now.
	pub proofs: u64,
	/// Stored fragments that the chain assigns to this miner no longer.
	pub discarding: u64,
	/// Jobs of a kind that this version does not know: the node should be updated.
	pub unknown_jobs: u64,
	/// The self-check.
	pub check: CheckStatus,
	/// Totals since the node started.
	pub totals: Totals,
}

/// Totals since the node started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
	/// Fragments copied from their holder.
	pub copied: u64,
	/// Fragments rebuilt from others.
	pub rebuilt: u64,
	/// Bytes read from other miners for both.
	pub bytes_read: u64,
	/// Bytes of the fragments restored.
	pub bytes_restored: u64,
	/// Sources that were caught with wrong bytes.
	pub lies: u64,
	/// Fragments given up because the chain assigned them elsewhere.
	pub discarded: u64,
}

/// One restoration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RestoreStatus {
	/// The fragment.
	pub name: FragmentName,
	/// Whether it is this miner's own, or was claimed.
	pub own: bool,
	/// How far it is.
	pub phase: RestorePhase,
	/// How often it was tried.
	pub attempts: u32,
	/// Why the last attempt failed.
	pub error: Option<String>,
}

/// How far a restoration is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorePhase {
	/// Waits for its turn.
	Waiting,
	/// Is being copied or rebuilt.
	Running,
	/// Is durable; the chain has not taken that in yet.
	Durable,
	/// Was given up: its order is opened, or the claim is given back.
	GivenUp,
}

/// The self-check.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CheckStatus {
	/// Whether one runs now.
	pub running: bool,
	/// How many passes were finished since the node started.
	pub passes: u64,
	/// Of the current or last pass: fragments hashed.
	pub checked: u64,
	/// How many bytes those have.
	pub bytes: u64,
	/// How many of them have wrong bytes.
	pub damaged: u64,
	/// How many the disk could not read.
	pub unreadable: u64,
	/// How many the chain assigns to this miner that are not here.
	pub missing: u64,
}
