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
use iroh::endpoint::{RecvStream, SendStream};
use planaria_primitives::FragmentHash;
use std::{
	borrow::BorrowMut,
	collections::VecDeque,
	mem,
	ops::Range,
	sync::{
		Arc,
		atomic::{AtomicU64, Ordering::Relaxed},
	},
};

/// How much is handed to the network at once; less where the rate is low.
const BATCH: usize = 256 << 10;

/// How many pieces are taken from the network at once, a packet's each: about a group.
const PIECES: usize = 16;

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
	/// What arrived and was not looked at yet. No piece is empty.
	arrived: VecDeque<Bytes>,
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
	let (arrived, pace) = (VecDeque::with_capacity(PIECES), shared.pace());
	Receiver { shared: shared.clone(), recv, arrived, decoder, pace, meter }
}

impl<R, I: Iterator<Item = BaoChunk> + Send + 'static> Receiver<R, I> {
	/// The same, of a type that can be named.
	pub(crate) fn boxed(self) -> Receiver<R, Box<dyn Iterator<Item = BaoChunk> + Send>> {
		let Self { shared, recv, arrived, decoder, pace, meter } = self;
		Receiver { shared, recv, arrived, decoder: decoder.boxed(), pace, meter }
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
		while let Some(next) = self.decoder.next() {
			match next {
				Next::Parent(parent) => {
					let mut hashes = [0; 64];
					let mut rest = &mut hashes[..];
					while !rest.is_empty() {
						let piece = self.piece(rest.len()).await?;
						rest[..piece.len()].copy_from_slice(&piece);
						rest = &mut rest[piece.len()..];
					}
					self.meter.add(hashes.len() as u64);
					self.decoder.parent(&parent, &hashes)?;
				},
				Next::Leaf(leaf) => {
					let start = bytes.len();
					let end = start + leaf.len;
					bytes.reserve(leaf.len);
					while bytes.len() < end {
						let piece = self.piece(end - bytes.len()).await?;
						bytes.extend_from_slice(&piece);
					}
					self.meter.add(leaf.len as u64);
					self.decoder.leaf(&leaf, &bytes[start..])?;
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
		match self.has_more().await? {
			false => Ok(false),
			true => Err(TransferError::Protocol("bytes behind the end".into())),
		}
	}

	/// The next bytes, at least one and at most `most`, which is not 0.
	async fn piece(&mut self, most: usize) -> Result<Bytes, TransferError> {
		if self.has_more().await?
			&& let Some(next) = self.arrived.front_mut()
		{
			if next.len() > most {
				return Ok(next.split_to(most));
			}
			return Ok(self.arrived.pop_front().unwrap_or_default());
		}
		Err(TransferError::Interrupted("the stream ended too early".into()))
	}

	/// Whether something comes before the stream's end; then some of it is here.
	async fn has_more(&mut self) -> Result<bool, TransferError> {
		while self.arrived.is_empty() {
			let mut pieces = [const { Bytes::new() }; PIECES];
			let read = self.recv.borrow_mut().read_many_chunks(&mut pieces);
			match self.pace.within(read).await?? {
				None => return Ok(false),
				Some(read) => {
					let pieces = pieces.into_iter().take(read);
					self.arrived.extend(pieces.filter(|piece| !piece.is_empty()));
				},
			}
		}
		Ok(true)
	}

	/// This side made the peer wait.
	pub(crate) fn waited(&mut self) {
		self.pace.restart();
	}
}
