// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Taking a put.

use super::{Peer, Slot, State};
use crate::{
	FragmentService, FragmentSink, GROUP_LEN, PutOffer, Refusal, TransferError, Verdict,
	address::short,
	protocol::{PutAnswer, PutDone},
	service::is_full,
	stream::{Meter, receiver},
};
use iroh::endpoint::{RecvStream, SendStream};
use planaria_primitives::{FileSpec, MAX_FRAGMENT_LEN, Sidecar};
use std::io;
use tokio::{task::spawn_blocking, time::timeout};
use tracing::debug;

/// How much is handed to the disk at once, and so what a put holds in memory.
const BATCH: u32 = 1 << 20;

/// How the receiving of a put's stream failed.
enum Broken {
	/// The peer or the line.
	Transfer(TransferError),
	/// The disk.
	Store(io::Error),
}

impl<S: FragmentService> State<S> {
	pub(super) async fn put(
		&self,
		peer: &Peer,
		offer: PutOffer,
		slot: Slot,
		send: &mut SendStream,
		recv: &mut RecvStream,
	) -> Result<(), TransferError> {
		let Some(memory) = self.memory(peer, BATCH + GROUP_LEN).await else {
			drop(slot);
			return self.answer(send, &PutAnswer::Busy).await;
		};
		let (sink, offset) = match self.open(peer, &offer).await {
			Ok(opened) => opened,
			Err(answer) => {
				drop((slot, memory));
				match answer {
					PutAnswer::Busy => self.shared.metrics.busy.add(1),
					PutAnswer::Have => {},
					_ => self.shared.metrics.refused.add(1),
				}
				debug!(peer = %short(&peer.key), name = %offer.name, ?answer, "put not taken");
				return self.answer(send, &answer).await;
			},
		};
		if let Err(error) = self.answer(send, &PutAnswer::Accepted { offset }).await {
			let _ = spawn_blocking(move || sink.abandon()).await;
			return Err(error);
		}
		let (done, result) = match self.receive(&offer, sink, offset, recv).await {
			Ok(()) => (PutDone::Stored, Ok(())),
			Err(Broken::Store(error)) if is_full(&error) => (PutDone::Full, Ok(())),
			Err(Broken::Store(error)) => (self.store_failed(&error, PutDone::Failed), Ok(())),
			Err(Broken::Transfer(error)) => match error {
				TransferError::WrongBytes { offset } => {
					(PutDone::WrongBytes { offset }, Err(error))
				},
				TransferError::Stalled => (PutDone::Stalled, Err(error)),
				_ => return Err(error),
			},
		};
		drop((slot, memory));
		if done == PutDone::Stored {
			self.shared.metrics.puts_stored.add(1);
		}
		self.answer(send, &done).await?;
		if result.is_err() {
			let _ = send.finish();
			let _ = timeout(super::LINGER, send.stopped()).await;
		}
		result
	}

	/// A place for the bytes, or what to answer instead.
	async fn open(&self, peer: &Peer, offer: &PutOffer) -> Result<(S::Sink, u32), PutAnswer> {
		if offer.sidecar.0.len() > Sidecar::MAX_LEN {
			return Err(PutAnswer::Refused(Refusal::WrongSidecar));
		}
		if offer.len == 0 || offer.len > MAX_FRAGMENT_LEN {
			return Err(PutAnswer::Refused(Refusal::WrongLength));
		}
		let patience = self.shared.config.request_timeout / 2;
		let spec = match timeout(patience, self.service.judge(&peer.key, offer)).await {
			Ok(Verdict::Assigned(spec)) => spec,
			Ok(Verdict::Have) => return Err(PutAnswer::Have),
			Ok(Verdict::NotYet { best }) => return Err(PutAnswer::NotYet { best }),
			Ok(Verdict::NotAssigned { at }) => return Err(PutAnswer::NotAssigned { at }),
			Ok(Verdict::Full) => return Err(PutAnswer::Full),
			Ok(Verdict::Unwanted) => return Err(PutAnswer::Refused(Refusal::Unwanted)),
			Ok(Verdict::Busy) | Err(_) => return Err(PutAnswer::Busy),
		};
		verify(offer, &spec).map_err(PutAnswer::Refused)?;

		let (service, wanted) = (self.service.clone(), offer.clone());
		match spawn_blocking(move || service.open(&wanted, spec)).await {
			Ok(Ok((sink, offset))) => {
				if offset == offer.len || (offset % GROUP_LEN == 0 && offset < offer.len) {
					return Ok((sink, offset));
				}
				let _ = spawn_blocking(move || sink.abandon()).await;
				let error = format!("a sink wants bytes from {offset} of {} on", offer.len);
				Err(self.store_failed(&error, PutAnswer::Refused(Refusal::Failed)))
			},
			Ok(Err(error)) => {
				let answer = error.answer();
				if answer == PutAnswer::Refused(Refusal::Failed) {
					return Err(self.store_failed(&error, answer));
				}
				Err(answer)
			},
			Err(error) => Err(self.store_failed(&error, PutAnswer::Refused(Refusal::Failed))),
		}
	}

	/// Takes the stream into the sink and commits it, or abandons the sink.
	async fn receive(
		&self,
		offer: &PutOffer,
		sink: S::Sink,
		mut offset: u32,
		recv: &mut RecvStream,
	) -> Result<(), Broken> {
		let mut batch = Batch { sink, bytes: Vec::new() };
		if offset < offer.len {
			let range = offset..offer.len;
			let mut stream =
				receiver(&self.shared, recv, &offer.hash, offer.len, &range, Meter::default());
			batch.bytes.reserve_exact((offer.len - offset).min(BATCH) as usize);
			loop {
				let more = stream.next_group(&mut batch.bytes).await;
				if !matches!(more, Ok(true)) || batch.bytes.len() >= BATCH as usize {
					(batch, offset) = batch.write(offset).await.map_err(Broken::Store)?;
					stream.waited();
				}
				match more {
					Ok(true) => {},
					Ok(false) => break,
					Err(error) => {
						let _ = spawn_blocking(move || batch.sink.abandon()).await;
						return Err(Broken::Transfer(error));
					},
				}
			}
		}
		blocking(move || batch.sink.commit()).await.map_err(Broken::Store)
	}
}

/// Verified bytes on their way to the disk.
struct Batch<S> {
	sink: S,
	bytes: Vec<u8>,
}

impl<S: FragmentSink> Batch<S> {
	/// Writes the bytes at `offset`, or abandons the sink; the offset behind them.
	async fn write(mut self, offset: u32) -> io::Result<(Self, u32)> {
		blocking(move || {
			if !self.bytes.is_empty()
				&& let Err(error) = self.sink.write(offset, &self.bytes)
			{
				self.sink.abandon();
				return Err(error);
			}
			let written = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
			self.bytes.clear();
			Ok((self, offset.saturating_add(written)))
		})
		.await
	}
}

async fn blocking<T: Send + 'static>(
	work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
	spawn_blocking(work).await.map_err(io::Error::other)?
}

fn verify(offer: &PutOffer, spec: &FileSpec) -> Result<(), Refusal> {
	let name = &offer.name;
	if offer.len != spec.fragment_len(name.segment) {
		return Err(Refusal::WrongLength);
	}
	offer
		.sidecar
		.verify(&name.file_id, spec, name.segment, name.index, &offer.hash)
		.map_err(|_| Refusal::WrongSidecar)
}
