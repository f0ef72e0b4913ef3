// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where fragments of others come from.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, Sidecar};
use planaria_transfer::{Client, Meter, PeerAddr, TransferError};
use std::{num::NonZeroU64, ops::Range};

/// Bytes of a fragment that are to be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
	/// The fragment.
	pub name: FragmentName,
	/// Its file's geometry, as the chain has it.
	pub spec: FileSpec,
	/// Which of its bytes: a range that begins at a multiple of
	/// [`GROUP_LEN`](planaria_transfer::GROUP_LEN).
	pub range: Range<u32>,
	/// How many of them are to be handed on at a time.
	pub piece: usize,
}

/// A fragment while it arrives.
pub struct Incoming {
	/// Which bytes it has, proven up to the file's id.
	pub hash: FragmentHash,
	/// The proof.
	pub sidecar: Sidecar,
	/// Its bytes, in order and verified; the range that was asked for is complete when they end.
	pub pieces: BoxStream<'static, Result<Bytes, PeerError>>,
}

impl std::fmt::Debug for Incoming {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Incoming").field("hash", &self.hash).finish_non_exhaustive()
	}
}

/// Why a peer did not give a fragment.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct PeerError {
	/// What happened.
	pub reason: String,
	/// What that says about the peer.
	pub fault: Fault,
}

/// What is wrong with a peer that did not give a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
	/// It does not have the fragment whole.
	NotHeld,
	/// It has too much to do now.
	Busy,
	/// It cannot be reached.
	Unreachable,
	/// The line broke, or it fell silent: what is missing can be asked for again.
	Broken,
	/// It gave wrong bytes or a wrong sidecar.
	Lied,
	/// Something else.
	Other,
}

/// Fetches fragments from other miners.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
	/// Asks a miner for bytes of a fragment. What comes has been verified against the file's id;
	/// every byte that arrives is counted by `meter`, when it does and whatever becomes of it.
	/// Dropping the answer stops the transfer.
	async fn open(
		&self,
		from: &PeerAddr,
		wanted: &Wanted,
		meter: &Meter,
	) -> Result<Incoming, PeerError>;

	/// Limits the bytes per second that all gets together receive, from now on. What moves no bytes
	/// over a network need not heed it.
	fn set_rate(&self, _: Option<NonZeroU64>) {}

	/// A page of what a miner says it holds: at most `limit` names after `after`, rising; fewer
	/// than that where there are no more.
	async fn list(
		&self,
		from: &PeerAddr,
		after: Option<FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentName>, PeerError>;
}

#[async_trait]
impl Peers for Client {
	async fn open(
		&self,
		from: &PeerAddr,
		wanted: &Wanted,
		meter: &Meter,
	) -> Result<Incoming, PeerError> {
		let Wanted { name, spec, range, piece: len } = wanted;
		let len = (*len).min(range.len()).max(1);
		let incoming = Self::open(self, from, name, spec, range.clone(), meter.clone()).await?;
		let (hash, sidecar) = (incoming.hash(), incoming.sidecar().clone());
		// After an error nothing more comes, but what came before it is handed on first.
		let pieces = stream::unfold((incoming, None), move |(mut incoming, mut end)| async move {
			let mut piece = Vec::with_capacity(len);
			incoming.waited();
			while end.is_none() && piece.len() < len {
				match incoming.append(&mut piece).await {
					Ok(true) => {},
					Ok(false) => end = Some(None),
					Err(error) => end = Some(Some(PeerError::from(error))),
				}
			}
			if !piece.is_empty() {
				return Some((Ok(Bytes::from(piece)), (incoming, end)));
			}
			let error = end??;
			Some((Err(error), (incoming, Some(None))))
		});
		Ok(Incoming { hash, sidecar, pieces: pieces.boxed() })
	}

	fn set_rate(&self, rate: Option<NonZeroU64>) {
		Client::set_rate(self, rate);
	}

	async fn list(
		&self,
		from: &PeerAddr,
		after: Option<FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentName>, PeerError> {
		let limit = u16::try_from(limit).unwrap_or(u16::MAX);
		Ok(Self::list(self, from, after, limit).await?)
	}
}

impl From<TransferError> for PeerError {
	fn from(error: TransferError) -> Self {
		let fault = match &error {
			TransferError::NotFound | TransferError::Damaged => Fault::NotHeld,
			TransferError::Busy => Fault::Busy,
			TransferError::Address(_) | TransferError::Connect(_) => Fault::Unreachable,
			error if error.is_interrupted() => Fault::Broken,
			error if error.is_peers_fault() => Fault::Lied,
			_ => Fault::Other,
		};
		Self { reason: error.to_string(), fault }
	}
}
