// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the engine reads of the chain.

use async_trait::async_trait;
use planaria_primitives::{
	CodingParams, FileIndex, FragmentId, FragmentName, Hash, MinerId, Segment, SegmentId, Tick,
};
use planaria_runtime_api::{
	FragmentRecord, MinerStanding, MinerStatus, NetworkStatus, OrderCause, VerdictStatus,
};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Which state is read.
///
/// Work that adds follows the best block; work that destroys happens only after its reason was
/// read in finalized state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
	/// The best block.
	Best,
	/// The last finalized block.
	Finalized,
}

/// The ends of the chain as this node sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heads {
	/// The height of the best block.
	pub best: u32,
	/// The height of the last finalized block.
	pub finalized: u32,
	/// Whether the node is still catching up with the network.
	pub syncing: bool,
}

/// What of a miner decides whether its data moves away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MinerRow {
	/// The miner.
	pub miner: MinerId,
	/// How the network sees it.
	pub standing: MinerStanding,
	/// Since when.
	pub since: Tick,
	/// Since when it is marked absent, if it is.
	pub absent: Option<Tick>,
	/// When a duty was last accepted from it.
	pub last_seen: Tick,
	/// How many fragments it holds.
	pub fragments: u32,
	/// Whether it holds nothing, and nothing is to come.
	pub idle: bool,
}

/// What of a file decides how its fragments are restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRow {
	/// The file's size in bytes.
	pub size: u64,
	/// Its coding.
	pub coding: CodingParams,
	/// The id of its first segment.
	pub first_segment: SegmentId,
	/// Whether it is neither deleted nor failed.
	pub alive: bool,
}

/// A restore order as the chain stores it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRow {
	/// Who has claimed it, and the last tick of the claim, which may have passed.
	pub claim: Option<(MinerId, Tick)>,
	/// Why it was opened.
	pub cause: OrderCause,
	/// When.
	pub opened: Tick,
	/// Whether so many have declined it that it probably cannot be restored.
	pub disputed: bool,
}

/// What a block changed: the new values, `None` where something was removed.
///
/// The block may be on a fork that loses: these are hints where to look.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
	/// Of segments.
	pub segments: Vec<(SegmentId, Option<Segment>)>,
	/// Of restore orders.
	pub orders: Vec<(FragmentId, Option<OrderRow>)>,
}

/// The node could not read its own chain.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the node could not read its chain: {0}")]
pub struct ChainError(pub String);

/// The chain, read by the node this engine runs in.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
	/// The chain's genesis hash.
	fn genesis(&self) -> Hash;

	/// The heads; changes with each of them.
	fn heads(&self) -> watch::Receiver<Heads>;

	/// The network as a whole.
	async fn network(&self, at: At) -> Result<NetworkStatus, ChainError>;

	/// The miner whose hot key this node has.
	async fn me(&self, at: At) -> Result<Option<MinerStatus>, ChainError>;

	/// A miner.
	async fn miner(&self, at: At, miner: MinerId) -> Result<Option<MinerStatus>, ChainError>;

	/// Fragments by their names off chain.
	async fn locate(
		&self,
		at: At,
		names: Vec<FragmentName>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError>;

	/// Fragments by their names on chain.
	async fn records(
		&self,
		at: At,
		fragments: Vec<FragmentId>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError>;

	/// A page of the miners that have not departed, read natively.
	///
	/// Like every page read natively it is in the database's order, and one that is shorter than
	/// `limit` is the last.
	async fn miners(
		&self,
		at: At,
		after: Option<MinerId>,
		limit: u32,
	) -> Result<Vec<MinerRow>, ChainError>;

	/// Files, read natively.
	async fn files(
		&self,
		at: At,
		files: Vec<FileIndex>,
	) -> Result<Vec<Option<FileRow>>, ChainError>;

	/// A page of all restore orders, read natively.
	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		limit: u32,
	) -> Result<Vec<(FragmentId, OrderRow)>, ChainError>;

	/// A page of all verdicts on segments, read natively.
	async fn verdicts(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, VerdictStatus)>, ChainError>;

	/// Segments by their ids, read natively.
	async fn segments(
		&self,
		at: At,
		ids: Vec<SegmentId>,
	) -> Result<Vec<Option<Segment>>, ChainError>;

	/// A page of the segments of a class, read natively. The class of a segment is the low byte of
	/// its id, so a class is one range of keys.
	async fn class(
		&self,
		at: At,
		class: u8,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError>;

	/// What each imported block changes, from now on. Whoever falls behind loses the oldest, and
	/// is told so.
	fn changes(&self) -> broadcast::Receiver<Arc<Changes>>;

	/// The beacon of a recent block; `None` where it is not known (any more).
	async fn beacon(&self, at: At, block: u32) -> Result<Option<Hash>, ChainError>;
}
