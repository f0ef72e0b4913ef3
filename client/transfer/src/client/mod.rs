// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Asks for fragments and offers them.

mod get;
mod pool;
mod put;

pub use get::{Fetch, FragmentData, Incoming};
pub use put::{Put, PutOutcome};

use crate::{
	MAX_LIST, PeerAddr, PeerKey, TransferError,
	endpoint::Shared,
	protocol::{ListAnswer, ListRequest, Request},
	rate::RateLimit,
};
use codec::DecodeAll;
use planaria_primitives::FragmentName;
use pool::Pool;
use std::{num::NonZeroU64, sync::Arc};

/// Asks other peers. Cheap to clone; clones share their connections.
///
/// Requests to one peer run beside each other, up to
/// [`max_streams_per_peer`](crate::TransferConfig::max_streams_per_peer) on one connection; further
/// ones wait. A request whose future is dropped is cancelled.
#[derive(Clone, Debug)]
pub struct Client {
	pool: Arc<Pool>,
	rate: Arc<RateLimit>,
}

impl Client {
	pub(crate) fn new(shared: Arc<Shared>) -> Self {
		Self { pool: Pool::new(shared), rate: Arc::new(RateLimit::new(None)) }
	}

	/// Limits the bytes per second that all gets of this client and its clones receive together,
	/// from now on. This is beside the endpoint's own limit, which counts what is put here as well.
	pub fn set_rate(&self, rate: Option<NonZeroU64>) {
		self.rate.set(rate);
	}

	/// A page of what the peer holds: at most `limit` names (and at most [`MAX_LIST`]) after
	/// `after`, in the peer's order. An empty page is behind the last name.
	pub async fn list(
		&self,
		peer: &PeerAddr,
		after: Option<FragmentName>,
		limit: u16,
	) -> Result<Vec<FragmentName>, TransferError> {
		let limit = limit.min(MAX_LIST);
		let _active = self.shared().metrics.active.during();
		let request = Request::List(ListRequest { after, limit });
		let (mut exchange, answer) = self.pool.exchange(peer, &request).await?;
		let _ = exchange.send.finish();
		match self.decode::<ListAnswer>(&answer)? {
			ListAnswer::Names(names) if names.len() > usize::from(limit) => {
				Err(TransferError::Protocol("more names than asked for".into()))
			},
			ListAnswer::Names(names) => Ok(names),
			ListAnswer::Busy => Err(TransferError::Busy),
			ListAnswer::Failed => Err(TransferError::PeerFailed),
		}
	}

	/// Closes every connection; the next request opens a new one.
	pub(crate) fn disconnect(&self) {
		self.pool.disconnect();
	}

	fn shared(&self) -> &Arc<Shared> {
		&self.pool.shared
	}

	fn decode<T: DecodeAll>(&self, mut answer: &[u8]) -> Result<T, TransferError> {
		T::decode_all(&mut answer).map_err(|_| {
			self.shared().metrics.malformed.add(1);
			TransferError::Protocol("an answer is not understood".into())
		})
	}
}

/// Counts how a transfer ended.
fn count(shared: &Shared, peer: &PeerKey, error: &TransferError) {
	let metrics = &shared.metrics;
	match error {
		TransferError::WrongBytes { .. }
		| TransferError::WrongSidecar(_)
		| TransferError::WrongLength { .. } => metrics.blame(peer),
		TransferError::Stalled => metrics.stalled.add(1),
		TransferError::Interrupted(_) => metrics.interrupted.add(1),
		_ => {},
	}
}
