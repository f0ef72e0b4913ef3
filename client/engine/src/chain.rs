// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the engine reads of the chain.

use async_trait::async_trait;
use planaria_primitives::{FragmentId, FragmentName, Hash, MinerId, Segment, SegmentId};
use planaria_runtime_api::{FragmentRecord, MinerStatus, NetworkStatus, OrderStatus, TargetStatus};
use tokio::sync::watch;

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

	/// A page of restore orders.
	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		limit: u32,
	) -> Result<Vec<OrderStatus>, ChainError>;

	/// A page of restore targets.
	async fn targets(
		&self,
		at: At,
		after: Option<MinerId>,
		limit: u32,
	) -> Result<Vec<TargetStatus>, ChainError>;

	/// A page of all segments in the database's order, read natively; an empty one is behind the
	/// last.
	async fn segments(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError>;

	/// The beacon of a recent block; `None` where it is not known (any more).
	async fn beacon(&self, at: At, block: u32) -> Result<Option<Hash>, ChainError>;
}
