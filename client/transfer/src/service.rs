// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a server needs to know and do that this crate cannot: the chain and the disk.

use crate::{
	PeerKey, PutOffer,
	protocol::{PutAnswer, Refusal},
};
use bytes::Bytes;
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, Sidecar};
use std::{future::Future, io};

/// What a server serves from and stores to.
///
/// Methods that touch the disk are blocking; the server calls them on tokio's blocking threads, at
/// most as many at once as [`TransferConfig::max_streams`](crate::TransferConfig::max_streams).
pub trait FragmentService: Send + Sync + 'static {
	/// Where the bytes of a put go.
	type Sink: FragmentSink;

	/// Whether a fragment may be put here now, as the chain says.
	///
	/// The server checks length and sidecar itself, against the geometry in the answer.
	fn judge(&self, peer: &PeerKey, offer: &PutOffer) -> impl Future<Output = Verdict> + Send;

	/// Opens a place for the bytes of an offer that was judged [`Verdict::Assigned`] and has a
	/// valid sidecar, and says from which offset on they are wanted: a multiple of
	/// [`GROUP_LEN`](crate::GROUP_LEN) or the fragment's length. Blocking.
	///
	/// What lies before the offset came in an earlier attempt and was verified then; a store that
	/// kept it across a restart hashes it again, here or in [`FragmentSink::commit`]. `spec` is the
	/// geometry that was answered.
	fn open(&self, offer: &PutOffer, spec: FileSpec) -> Result<(Self::Sink, u32), OpenError>;

	/// Reads a whole fragment with its sidecar; `None` if it is not held. Blocking.
	///
	/// The server hashes the bytes itself before it sends any.
	fn read(&self, peer: &PeerKey, name: &FragmentName) -> Result<Option<Stored>, ReadError>;

	/// The next at most `limit` names after `after` of what is held, in a fixed order. Blocking.
	fn list(
		&self,
		peer: &PeerKey,
		after: Option<&FragmentName>,
		limit: usize,
	) -> io::Result<Vec<FragmentName>>;

	/// What [`read`](Self::read) returned does not have the hash it should: quarantine it.
	/// Blocking.
	fn damaged(&self, name: &FragmentName, hash: &FragmentHash);
}

/// Where the bytes of one put go. Every method is blocking.
///
/// Exactly one of [`commit`](Self::commit) and [`abandon`](Self::abandon) is called at the end,
/// unless the process ends or the endpoint is closed by force: then the sink is dropped.
pub trait FragmentSink: Send + 'static {
	/// Takes verified bytes; each call goes on where the one before ended.
	fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()>;

	/// Everything is there: makes it durable and findable. The put is acknowledged when this has
	/// returned, so it must survive a power cut then.
	fn commit(self) -> io::Result<()>;

	/// The put broke off. What was written is verified and may be kept for a later attempt.
	fn abandon(self);
}

/// Whether a fragment may be put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
	/// It is assigned to this miner; the file has this geometry on chain.
	Assigned(FileSpec),
	/// It is assigned to this miner and stored already.
	Have,
	/// The placement has not been seen; the best block has this number.
	NotYet {
		/// The best block.
		best: u32,
	},
	/// It is assigned to another miner, or to none.
	NotAssigned {
		/// The block at which that holds.
		at: u32,
	},
	/// Too much to do.
	Busy,
	/// There is no room.
	Full,
	/// It is not taken, for example because the file is being deleted.
	Unwanted,
}

/// A fragment as the store has it.
#[derive(Clone, Debug)]
pub struct Stored {
	/// The hash its bytes must have.
	pub hash: FragmentHash,
	/// Proves the hash up to the file's id.
	pub sidecar: Sidecar,
	/// The whole fragment.
	pub bytes: Bytes,
}

/// Why no place was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
	/// It was stored in the meantime.
	#[error("already stored")]
	Have,
	/// Another put of it goes on.
	#[error("busy")]
	Busy,
	/// There is no room.
	#[error("full")]
	Full,
	/// The disk failed.
	#[error(transparent)]
	Io(#[from] io::Error),
}

impl OpenError {
	pub(crate) fn answer(&self) -> PutAnswer {
		match self {
			Self::Have => PutAnswer::Have,
			Self::Busy => PutAnswer::Busy,
			Self::Full => PutAnswer::Full,
			Self::Io(error) if is_full(error) => PutAnswer::Full,
			Self::Io(_) => PutAnswer::Refused(Refusal::Failed),
		}
	}
}

/// Why a fragment was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
	/// Too much to do, or being written.
	#[error("busy")]
	Busy,
	/// It is in quarantine.
	#[error("damaged")]
	Damaged,
	/// The disk failed.
	#[error(transparent)]
	Io(#[from] io::Error),
}

pub(crate) fn is_full(error: &io::Error) -> bool {
	matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
