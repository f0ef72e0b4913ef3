// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the gateway needs of the network: the seam between S3 and everything behind it.

mod chain;

pub use chain::ChainNetwork;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use planaria_sdk::{
	AccountId32, ChainError, Content, GetError, Preferences, PutError, Target,
	api::FileStatus,
	get::Probed,
	primitives::{CodingParams, FileId, FileIndex, FileSpec, FragmentHash, PlacementRule, Sidecar},
	progress::{Progress, PutEvent},
};
use std::{io, ops::Range, sync::Arc};

/// How a content is to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
	/// Whose file it is to be.
	pub owner: AccountId32,
	/// The erasure code.
	pub coding: CodingParams,
	/// What is written on it, on chain.
	pub label: Vec<u8>,
	/// Which miners.
	pub preferences: Preferences,
	/// Whether they are chosen, or drawn; as the network's size has it where it is not said.
	pub placement: Option<PlacementRule>,
}

/// Why the network does not do its part.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
	/// A file was not stored.
	#[error("the file is not stored: {0}")]
	Put(#[from] PutError),
	/// A file cannot be read.
	#[error("the file cannot be read: {0}")]
	Get(#[from] GetError),
	/// The chain could not be asked.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The owner does not let the operator order storage in its name.
	#[error(
		"{owner} has not authorised {operator}, this gateway's operator, to store for it, or no \
		 longer does: see 'planaria space authorise'"
	)]
	NotAuthorised {
		/// Whose object it is.
		owner: AccountId32,
		/// Who would order.
		operator: AccountId32,
	},
	/// Holders did not give back what they are to hold.
	#[error("not read back from {}", .0.join(", "))]
	NotReadBack(Vec<String>),
	/// The chain does not let this operator do that with the file.
	#[error("the chain does not let this operator delete the file: {0}")]
	NotAllowed(String),
	/// What was read back is not what was stored.
	#[error("what was read back from the network is not what was stored")]
	Differs,
	/// The file is gone.
	#[error("the file is no longer on the network")]
	Gone,
	/// The cache on this gateway's disk failed.
	#[error("the gateway's disk failed: {0}")]
	Disk(#[from] io::Error),
	/// The gateway is being stopped.
	#[error("the gateway is being stopped")]
	Stopping,
	/// Somebody else asked for the same, and it failed.
	#[error("{0}")]
	Shared(Arc<NetworkError>),
}

/// A file of the network that is open for reading.
#[async_trait]
pub trait Remote: Send + Sync + 'static {
	/// The content.
	fn id(&self) -> FileId;

	/// Its size and coding.
	fn spec(&self) -> FileSpec;

	/// The bytes of a range, in order, each verified before it is given.
	fn read(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, NetworkError>>;

	/// Reads a random range from every holder.
	async fn probe(&self) -> Result<Vec<Probed>, NetworkError>;

	/// The hash of a source fragment that was read from lately, and what proves it; told once.
	fn take_proof(&self, segment: u32, index: u8) -> Option<(FragmentHash, Sidecar)>;
}

/// The network.
#[async_trait]
pub trait Network: std::fmt::Debug + Send + Sync + 'static {
	/// The account that orders storage.
	fn operator(&self) -> AccountId32;

	/// Whether there are miners for so many bytes, and the owner lets the operator order that,
	/// before anything is read of them.
	async fn could_store(&self, size: u64, order: &Order) -> Result<(), NetworkError>;

	/// Stores bytes and returns when every fragment is confirmed; called again with the same bytes
	/// and order it goes on where it was.
	async fn store(
		&self,
		content: Arc<dyn Content>,
		order: &Order,
		progress: Progress<PutEvent>,
	) -> Result<(FileIndex, FileId), NetworkError>;

	/// A file as finalized state has it.
	async fn finalized(&self, file: FileIndex) -> Result<Option<FileStatus>, NetworkError>;

	/// All stored instances of this content, as the best block has them.
	async fn files(&self, id: FileId) -> Result<Vec<FileStatus>, NetworkError>;

	/// Opens a file for reading.
	async fn open(&self, target: Target) -> Result<Arc<dyn Remote>, NetworkError>;

	/// Deletes a file that this operator ordered under this label. One that is gone is deleted. A
	/// chain that does not let it is [`NetworkError::NotAllowed`].
	async fn delete(&self, file: FileIndex, id: FileId, label: &[u8]) -> Result<(), NetworkError>;
}
