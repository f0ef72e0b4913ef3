// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Verified streams over QUIC: the same at both ends.

use crate::{
	TransferError,
	bao::{Decoder, Next, decoder},
	endpoint::Shared,
	pace::Pace,
	protocol::stop,
};
use bao_tree::iter::BaoChunk;
use bytes::Bytes;
use iroh::endpoint::{ReadExactError, RecvStream, SendStream};
use planaria_primitives::FragmentHash;
use std::{
	borrow::BorrowMut,
	mem,
	ops::Range,
	sync::{
		Arc,
		atomic::{AtomicU64, Ordering::Relaxed},
	},
};

/// How much is handed to the network at once; less where the rate is low.
const BATCH: usize = 256 << 10;

/// Sends a stream that is given in pieces. It is reset where the peer moves less than `least` bytes
/// in the time of a stall.
pub(crate) async fn send_stream(
	shared: &Shared,
	pieces: impl Iterator<Item = Bytes>,
	send: &mut SendStream,
	least: impl Fn() -> u32,
) -> Result<(), TransferError> {
	let mut pace = shared.pace();
	let mut pieces = pieces.peekable();
	let mut batch: Vec<Bytes> = Vec::new();
	let mut bytes = 0;
	while let Some(piece) = pieces.next() {
		bytes += piece.len();
		batch.push(piece);
		if bytes < shared.upload.portion(BATCH) && pieces.peek().is_some() {
			continue;
		}
		if shared.upload.take(mem::take(&mut bytes)).await {
			pace.restart();
		}
		let mut rest = &mut batch[..];
		while !rest.is_empty() {
			match pace.within(send.write_many_chunks(&mut rest)).await {
				Ok(written) => {
					let written = written?;
					pace.expect(least());
					pace.moved(written);
					shared.metrics.bytes_out.add(written as u64);
				},
				Err(stalled) => {
					let _ = send.reset(stop::STALLED);
					return Err(stalled.into());
				},
			}
		}
		batch.clear();
	}
	Ok(())
}

/// Counts the bytes that arrive, proofs included, while they do. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
	bytes: AtomicU64,
	whole: Option<Meter>,
}

impl Meter {
	/// A meter of its own, whose bytes count here as well.
	pub fn part(&self) -> Self {
		Self(Arc::new(Count { bytes: AtomicU64::new(0), whole: Some(self.clone()) }))
	}

	/// How many bytes have arrived.
	pub fn bytes(&self) -> u64 {
		self.0.bytes.load(Relaxed)
	}

	/// So many more have.
	pub fn add(&self, bytes: u64) {
		self.0.bytes.fetch_add(bytes, Relaxed);
		if let Some(whole) = &self.0.whole {
			whole.add(bytes);
		}
	}
}

/// Receives the stream of a range, group by group. The stream is stopped at the first wrong byte,
/// and where the peer is too slow.
pub(crate) struct Receiver<R, I> {
	shared: Arc<Shared>,
	recv: R,
	decoder: Decoder<I>,
	pace: Pace,
	meter: Meter,
}

/// Receives `range` of the fragment with this hash and length. The range is not empty and ends in
/// the fragment.
pub(crate) fn receiver<R: BorrowMut<RecvStream>>(
	shared: &Arc<Shared>,
	recv: R,
	hash: &FragmentHash,
	len: u32,
	range: &Range<u32>,
	meter: Meter,
) -> Receiver<R, impl Iterator<Item = BaoChunk> + Send + use<R>> {
	let decoder = decoder(hash, len, range);
	Receiver { shared: shared.clone(), recv, decoder, pace: shared.pace(), meter }
}

impl<R, I: Iterator<Item = BaoChunk> + Send + 'static> Receiver<R, I> {
	/// The same, of a type that can be named.
	pub(crate) fn boxed(self) -> Receiver<R, Box<dyn Iterator<Item = BaoChunk> + Send>> {
		let Self { shared, recv, decoder, pace, meter } = self;
		Receiver { shared, recv, decoder: decoder.boxed(), pace, meter }
	}
}

impl<R: BorrowMut<RecvStream>, I: Iterator<Item = BaoChunk>> Receiver<R, I> {
	/// Appends the next group to `bytes` when it was verified; whether there was one.
	///
	/// Not cancel-safe: what was appended by a cancelled call must be cut off.
	pub(crate) async fn next_group(&mut self, bytes: &mut Vec<u8>) -> Result<bool, TransferError> {
		let start = bytes.len();
		let result = self.append_group(bytes).await;
		if let Err(error) = &result {
			bytes.truncate(start);
			let code = match error {
				TransferError::WrongBytes { .. } => stop::WRONG_BYTES,
				TransferError::Stalled => stop::STALLED,
				_ => stop::CANCELLED,
			};
			let _ = self.recv.borrow_mut().stop(code);
		}
		result
	}

	async fn append_group(&mut self, bytes: &mut Vec<u8>) -> Result<bool, TransferError> {
		let mut hashes = [0; 64];
		while let Some(next) = self.decoder.next() {
			match next {
				Next::Parent(parent) => {
					self.pace.within(self.recv.borrow_mut().read_exact(&mut hashes)).await??;
					self.meter.add(hashes.len() as u64);
					self.decoder.parent(&parent, &hashes)?;
				},
				Next::Leaf(leaf) => {
					let start = bytes.len();
					bytes.resize(start + leaf.len, 0);
					let group = &mut bytes[start..];
					self.pace.within(self.recv.borrow_mut().read_exact(group)).await??;
					self.meter.add(leaf.len as u64);
					self.decoder.leaf(&leaf, group)?;
					self.pace.moved(leaf.len);
					self.shared.metrics.bytes_in.add(leaf.len as u64);
					if self.shared.download.take(leaf.len).await {
						self.pace.restart();
					}
					return Ok(true);
				},
			}
		}
		// The range is complete; nothing may follow.
		match self.pace.within(self.recv.borrow_mut().read_chunk(1)).await?? {
			None => Ok(false),
			Some(_) => Err(TransferError::Protocol("bytes behind the end".into())),
		}
	}

	/// This side made the peer wait.
	pub(crate) fn waited(&mut self) {
		self.pace.restart();
	}
}

impl From<ReadExactError> for TransferError {
	fn from(error: ReadExactError) -> Self {
		match error {
			ReadExactError::FinishedEarly(_) => {
				Self::Interrupted("the stream ended too early".into())
			},
			ReadExactError::ReadError(error) => error.into(),
		}
	}
}
