// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Putting a fragment.

use super::{Client, count};
use crate::{
	Fragment, GROUP_LEN, PeerAddr, PutOffer, Refusal, TransferError, frame,
	protocol::{PutAnswer, PutDone, Request},
	stream::send_stream,
};
use iroh::endpoint::RecvStream;
use planaria_primitives::{FragmentName, Sidecar};
use tokio::time::timeout;

/// A fragment to be put. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct Put {
	/// Which fragment it is.
	pub name: FragmentName,
	/// Proves its hash up to the file's id.
	pub sidecar: Sidecar,
	/// Its bytes.
	pub fragment: Fragment,
}

/// What a peer said to a put. What to do about it is for the caller to decide: a peer that has not
/// seen the placement yet will, a full one has to be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutOutcome {
	/// It is on the peer's disk.
	Stored {
		/// How many bytes were sent; fewer than the fragment has where an earlier attempt was
		/// resumed.
		sent: u32,
	},
	/// The peer had it already.
	Have,
	/// The peer has not seen the placement.
	NotYet {
		/// The peer's best block.
		best: u32,
	},
	/// The fragment is not assigned to the peer.
	NotAssigned {
		/// The block at which that holds.
		at: u32,
	},
	/// The peer has too much to do.
	Busy,
	/// The peer has no room.
	Full,
	/// The peer says that the offer is wrong.
	Refused(Refusal),
}

impl PutOutcome {
	/// Whether the fragment is on the peer's disk.
	pub fn is_held(&self) -> bool {
		matches!(self, Self::Stored { .. } | Self::Have)
	}
}

impl Client {
	/// One attempt to put a fragment. When it breaks, another attempt goes on where the peer says.
	pub async fn put(&self, peer: &PeerAddr, put: &Put) -> Result<PutOutcome, TransferError> {
		let _active = self.shared().metrics.active.during();
		let result = self.offer(peer, put).await;
		match &result {
			Ok(outcome) if outcome.is_held() => self.shared().metrics.puts_done.add(1),
			Ok(_) => {},
			Err(error) => count(self.shared(), &peer.key, error),
		}
		result
	}

	async fn offer(&self, peer: &PeerAddr, put: &Put) -> Result<PutOutcome, TransferError> {
		let Put { name, sidecar, fragment } = put;
		let len = fragment.len();
		let offer = PutOffer { name: *name, hash: fragment.hash(), len, sidecar: sidecar.clone() };
		let (mut exchange, answer) = self.pool.exchange(peer, &Request::Put(offer)).await?;
		let offset = match self.decode::<PutAnswer>(&answer)? {
			PutAnswer::Accepted { offset } => offset,
			PutAnswer::Have => return Ok(PutOutcome::Have),
			PutAnswer::NotYet { best } => return Ok(PutOutcome::NotYet { best }),
			PutAnswer::NotAssigned { at } => return Ok(PutOutcome::NotAssigned { at }),
			PutAnswer::Busy => return Ok(PutOutcome::Busy),
			PutAnswer::Full => return Ok(PutOutcome::Full),
			PutAnswer::Refused(reason) => return Ok(PutOutcome::Refused(reason)),
		};
		if offset > len || (offset != len && offset % GROUP_LEN != 0) {
			return Err(TransferError::Protocol("an offset that cannot be".into()));
		}
		let sent = if offset == len {
			Ok(())
		} else {
			let pieces = fragment.encode(&(offset..len));
			let least = || self.shared().config.min_progress;
			send_stream(self.shared(), pieces, &mut exchange.send, least).await
		};
		// Where sending failed, the peer may still have said why.
		let _ = exchange.send.finish();
		match (sent, self.done(&mut exchange.recv).await) {
			(_, Ok(PutDone::Stored)) => Ok(PutOutcome::Stored { sent: len - offset }),
			(_, Ok(PutDone::Full)) => Ok(PutOutcome::Full),
			(_, Ok(PutDone::WrongBytes { offset })) => {
				Err(TransferError::WrongBytesSent { offset })
			},
			(_, Ok(PutDone::Failed)) => Err(TransferError::PeerFailed),
			(_, Ok(PutDone::Stalled)) => Err(TransferError::Stalled),
			(Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
		}
	}

	async fn done(&self, recv: &mut RecvStream) -> Result<PutDone, TransferError> {
		let patience = self.shared().config.commit_timeout;
		let done = timeout(patience, frame::read(recv)).await;
		Ok(done.map_err(|_| TransferError::Stalled)??)
	}
}
