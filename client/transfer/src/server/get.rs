// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Serving a get.

use super::{Peer, Sent, Slot, State};
use crate::{
	Fragment, FragmentService, ReadError, TransferError,
	protocol::{GetAnswer, GetRequest},
	service::Stored,
	stream::send_stream,
};
use bytes::Bytes;
use iroh::endpoint::SendStream;
use planaria_primitives::{FragmentHash, MAX_FRAGMENT_LEN, Sidecar};
use tokio::task::spawn_blocking;
use tracing::warn;

impl<S: FragmentService> State<S> {
	/// Returns what was sent, and the memory that it takes for as long as the peer has not got it.
	pub(super) async fn get(
		&self,
		peer: &Peer,
		request: GetRequest,
		slot: Slot,
		send: &mut SendStream,
	) -> Result<Option<Sent>, TransferError> {
		let Some(mut memory) = self.memory(peer, MAX_FRAGMENT_LEN).await else {
			drop(slot);
			self.answer(send, &GetAnswer::Busy).await?;
			return Ok(None);
		};
		let (fragment, sidecar) = match self.read(peer, &request).await {
			Ok(found) => found,
			Err(answer) => {
				drop((slot, memory));
				self.answer(send, &answer).await?;
				return Ok(None);
			},
		};
		let (hash, len) = (fragment.hash(), fragment.len());
		let mut pieces: Vec<Bytes> = fragment.encode(&(request.start..request.end)).collect();
		let mut kept = len as usize;
		let bytes = pieces.iter().map(Bytes::len).sum::<usize>();
		if bytes < kept / 2 {
			// The pieces are slices and would keep all of it.
			pieces.iter_mut().for_each(|piece| *piece = Bytes::copy_from_slice(piece));
			kept = bytes;
		}
		drop(fragment);
		memory.shrink(kept);

		self.answer(send, &GetAnswer::Found { hash, len, sidecar }).await?;
		let least = || self.least_progress();
		send_stream(&self.shared, pieces.into_iter(), send, least).await?;
		drop(slot);
		self.shared.metrics.gets_served.add(1);
		Ok(Some(Sent { bytes: u32::try_from(bytes).unwrap_or(u32::MAX), _memory: memory }))
	}

	/// The fragment, read and found whole, or what to answer instead.
	async fn read(
		&self,
		peer: &Peer,
		request: &GetRequest,
	) -> Result<(Fragment, Sidecar), GetAnswer> {
		enum Read {
			Whole(Fragment, Sidecar),
			Damaged,
			NotHeld,
		}
		let (service, key, name) = (self.service.clone(), peer.key, request.name);
		let read = spawn_blocking(move || {
			let Some(Stored { hash, sidecar, bytes }) = service.read(&key, &name)? else {
				return Ok(Read::NotHeld);
			};
			Ok(match check(bytes, &hash) {
				Some(fragment) => Read::Whole(fragment, sidecar),
				None => {
					service.damaged(&name, &hash);
					Read::Damaged
				},
			})
		});
		match read.await {
			Ok(Ok(Read::Whole(fragment, sidecar))) => {
				if request.start >= request.end || request.end > fragment.len() {
					return Err(GetAnswer::BadRange);
				}
				Ok((fragment, sidecar))
			},
			Ok(Ok(Read::NotHeld)) => Err(GetAnswer::NotFound),
			Ok(Ok(Read::Damaged)) => {
				self.shared.metrics.damaged.add(1);
				warn!(name = %request.name, "a stored fragment is damaged");
				Err(GetAnswer::Damaged)
			},
			Ok(Err(ReadError::Damaged)) => Err(GetAnswer::Damaged),
			Ok(Err(ReadError::Busy)) => {
				self.shared.metrics.busy.add(1);
				Err(GetAnswer::Busy)
			},
			Ok(Err(ReadError::Io(error))) => Err(self.store_failed(&error, GetAnswer::Failed)),
			Err(error) => Err(self.store_failed(&error, GetAnswer::Failed)),
		}
	}
}

fn check(bytes: Bytes, hash: &FragmentHash) -> Option<Fragment> {
	if bytes.is_empty() || bytes.len() > MAX_FRAGMENT_LEN as usize {
		return None;
	}
	let fragment = Fragment::new(bytes);
	(fragment.hash() == *hash).then_some(fragment)
}
