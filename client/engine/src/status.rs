// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What an operator is told.

use planaria_primitives::{FileIndex, FragmentName, MinerId};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;

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
	/// How far all restorations together are.
	pub progress: Progress,
	/// Bytes per second that are read from other miners while something is restored, measured
	/// lately; it does not fall while there is nothing to do.
	pub read_rate: u64,
	/// How far they are file by file, the first [`MAX_FILES`](Self::MAX_FILES) files.
	pub files: Vec<FileProgress>,
	/// The search for what restore targets hold.
	pub finder: FinderStatus,
	/// How fast restorations and self-checks may go.
	pub throttle: Throttle,
	/// Totals since the node started.
	pub totals: Totals,
}

impl EngineStatus {
	/// How many files are listed at most.
	pub const MAX_FILES: usize = 256;
}

/// How far restorations are: those that wait and those that run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Progress {
	/// Fragments that are not durable yet.
	pub fragments_left: u64,
	/// Their bytes that are not here yet.
	pub bytes_left: u64,
	/// Bytes of fragments restored per second, measured lately; 0 while nothing was measured.
	pub rate: u64,
	/// Seconds until all are durable at this rate; `None` while nothing was measured, and when
	/// stalled.
	pub eta_secs: Option<u64>,
	/// Whether something is left and nothing has moved for a while.
	pub stalled: bool,
}

/// How far the restorations of one file's fragments are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FileProgress {
	/// The stored instance.
	pub file: FileIndex,
	/// How far.
	#[serde(flatten)]
	pub progress: Progress,
}

/// The search for what restore targets hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FinderStatus {
	/// Whether a pass over the chain's segments runs now.
	pub scanning: bool,
	/// Segments that this pass, or the last one, has looked at.
	pub scanned: u64,
	/// How many it is expected to look at.
	pub total: u64,
	/// Segments known of which a target holds a fragment.
	pub worklist: u64,
	/// Restore targets.
	pub targets: u64,
	/// Passes finished since the node started.
	pub passes: u64,
	/// How long the last one took, in milliseconds.
	pub last_pass_millis: u64,
}

/// How much of the machine restorations and self-checks may take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
	/// As little as keeps up with the deadlines.
	Quiet,
	/// Leaves room for serving.
	#[default]
	Balanced,
	/// All there is.
	Fast,
}

/// How fast restorations and self-checks may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Throttle {
	/// The profile.
	pub profile: Profile,
	/// At most so many bytes per second are read from other miners, whatever the profile.
	pub cap: Option<NonZeroU64>,
}

/// Totals since the node started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
	/// Fragments copied from their holder.
	pub copied: u64,
	/// Fragments rebuilt from others.
	pub rebuilt: u64,
	/// Fragments that another restorer of the same segment had rebuilt.
	pub cooperated: u64,
	/// Bytes read from holders for all of these, those of attempts that failed included.
	pub bytes_read: u64,
	/// Bytes of the fragments restored.
	pub bytes_restored: u64,
	/// Bytes read from other restorers of the same segment, beside those read from holders.
	pub bytes_cooperated: u64,
	/// Sources that were caught with wrong bytes.
	pub lies: u64,
	/// Orders that somebody else claimed first.
	pub races_lost: u64,
	/// Claims declined, because the other fragments decode to another hash.
	pub declined: u64,
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
	/// Its length in bytes; 0 while that is not known.
	pub len: u64,
	/// How many of its bytes are here; for one that is rebuilt, as many as correspond to what was
	/// fetched for it.
	pub had: u64,
	/// How many bytes this attempt has read from other miners.
	pub read: u64,
	/// Where it comes from, while it is running.
	pub source: Option<RestoreSource>,
}

/// Where a fragment comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreSource {
	/// Copied from its holder.
	Copy,
	/// Another restorer of the same segment has made it.
	Cooperative,
	/// Rebuilt here from others of its segment.
	Rebuild,
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
	/// Cannot be restored by anybody: the claim is declined.
	Declined,
}

/// The self-check. Times are seconds since the Unix epoch.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CheckStatus {
	/// What it does now.
	pub phase: CheckPhase,
	/// Whether a fast pass runs now.
	pub running: bool,
	/// How many passes were finished in this store.
	pub passes: u64,
	/// Of this pass: fragments hashed.
	pub checked: u64,
	/// How many bytes those have.
	pub bytes: u64,
	/// How many bytes there are to hash.
	pub bytes_total: u64,
	/// How many fragments had wrong bytes.
	pub damaged: u64,
	/// How many the disk could not read. They are tried again before anything else happens.
	pub unreadable: u64,
	/// How many of those were given up: they are restored like damaged ones.
	pub given_up: u64,
	/// How many files had disappeared from the store.
	pub gone: u64,
	/// Fragments that the chain assigns to this miner and that are not whole here, as of the last
	/// comparison; without those that it leaves to others because it leaves.
	pub missing: u64,
	/// Fragments that could not be read and will be tried again.
	pub suspects: u64,
	/// When this pass began.
	pub began: Option<u64>,
	/// When it is expected to end; `None` while it stands still.
	pub expected_end: Option<u64>,
	/// The last pass that was finished.
	pub last: Option<PassStatus>,
	/// The disk is failing, and nothing is done about single fragments until it reads again.
	pub alarm: Option<DiskAlarm>,
}

/// What the self-check does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPhase {
	/// A pass spread over the configured period.
	#[default]
	Steady,
	/// A pass as fast as the throttle allows.
	Fast,
	/// Nothing: the disk cannot be relied on.
	DiskFailing,
}

/// A pass of the self-check that was finished. Times are seconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PassStatus {
	/// When it began.
	pub began: u64,
	/// When it was finished.
	pub finished: u64,
	/// Fragments hashed.
	pub checked: u64,
	/// How many bytes those have.
	pub bytes: u64,
	/// How many had wrong bytes.
	pub damaged: u64,
	/// How many the disk could not read at first.
	pub unreadable: u64,
	/// How many of those were given up.
	pub given_up: u64,
	/// How many files had disappeared from the store.
	pub gone: u64,
}

/// A disk that cannot read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DiskAlarm {
	/// Since when, in seconds since the Unix epoch.
	pub since: u64,
	/// What the system said last, and of which file.
	pub error: String,
}
