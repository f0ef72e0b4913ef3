// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Other gateways, whose caches are asked before miners, and the object store that is shared with
//! them, which is asked first.
//!
//! A peer gives source fragments of files as the network has them: of an encrypted file, what is
//! encrypted. It answers as a miner does ([`planaria_transfer::protocol`]), but over plain HTTP:
//! a frame with the fragment's hash and sidecar, then the verified stream of the range. The sidecar
//! must lead from the hash to the file's id, and every group of 16 KiB is checked against the hash
//! when it arrives, so that a peer can withhold but not forge.
//!
//! A peer answers from its cache alone and asks nobody, so that peers may name each other. One that
//! fails, is slow or sends what is wrong is passed over for a while, longer each time; what it sent
//! right counts, and the next peer, or the miners, go on behind it. All that holds for an object store
//! too, which has whole fragments.

use crate::{backend::Backend, client, config::PeerUrl, metrics::Metrics};
use bytes::{Buf, Bytes, BytesMut};
use codec::{Decode, DecodeAll, Encode};
use futures::{StreamExt, stream::BoxStream};
use http::StatusCode;
use http_body_util::BodyDataStream;
use planaria_sdk::primitives::{CodingParams, FileId, FileSpec, FragmentHash, Sidecar};
use planaria_transfer::{GROUP_LEN, Verifier, protocol::GetAnswer};
use serde::Serialize;
use std::{
	collections::HashMap,
	fmt, io,
	ops::Range,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::time::{Instant, timeout};

/// How long a peer may take until the next byte.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take for a fragment altogether.
const SLOW_AFTER: Duration = Duration::from_secs(20);
/// For how long a peer that failed is passed over; twice as long each time, up to the second.
const AFTER_FAILURE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The same for one that sent what is wrong.
const AFTER_WRONG: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// For how long it counts that a peer did not have a segment, and of how many that is remembered.
const LACKS: (Duration, usize) = (Duration::from_secs(30), 1024);
/// The longest frame before the stream; a sidecar has at most 832 bytes.
const LONGEST_FRAME: usize = 4 << 10;

/// What proves a source fragment, as the cache keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Proof {
	/// The file's size.
	pub size: u64,
	/// The file's coding.
	pub coding: CodingParams,
	/// The fragment's hash.
	pub hash: FragmentHash,
	/// What leads from the hash to the file's id.
	pub sidecar: Sidecar,
}

/// A part of a source fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
	/// The segment's number.
	pub segment: u32,
	/// The fragment's place in it.
	pub index: u8,
	/// Which of the fragment's bytes; never none.
	pub range: Range<u32>,
}

impl Piece {
	/// What holds a file's bytes from `range.start` on, as far as the range and the fragment reach.
	/// The range is not empty and ends in the file.
	pub fn at(spec: &FileSpec, range: &Range<u64>) -> Self {
		let capacity = spec.coding().segment_capacity();
		let segment = u32::try_from(range.start / capacity).unwrap_or(u32::MAX);
		let within = range.start % capacity;
		let len = u64::from(spec.fragment_len(segment)).max(1);
		let from = within % len;
		let below = len.min(from + (range.end - range.start));
		let narrow = |offset: u64| u32::try_from(offset).unwrap_or(u32::MAX);
		let index = u8::try_from(within / len).unwrap_or(u8::MAX);
		Self { segment, index, range: narrow(from)..narrow(below) }
	}
}

/// Why a peer does not give something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
	/// It is not in its cache.
	#[error("it does not have it")]
	Lacks,
	/// It gives as much as it may.
	#[error("it has too much to do")]
	Busy,
	/// It did not answer, or not to the end.
	#[error("it cannot be reached, or broke off")]
	Failed,
	/// It took too long.
	#[error("it is slow")]
	Slow,
	/// It sent something else.
	#[error("what it sends is not what the file's id says")]
	Wrong,
}

impl Refused {
	const fn name(self) -> &'static str {
		match self {
			Self::Lacks => "missing",
			Self::Busy => "busy",
			Self::Failed => "failed",
			Self::Slow => "slow",
			Self::Wrong => "wrong",
		}
	}
}

/// How a peer is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
	/// Where it is.
	pub url: String,
	/// Verified bytes that came from it.
	pub bytes: u64,
	/// How often it sent what is wrong.
	pub wrong: u64,
	/// How often it failed or was slow.
	pub failures: u64,
	/// For how many more seconds it is passed over.
	pub passed_over: u64,
}

#[derive(Debug, Default)]
struct State {
	bytes: u64,
	wrong: u64,
	failures: u64,
	/// How often in a row it failed, or sent what is wrong.
	in_a_row: u32,
	not_before: Option<Instant>,
	lacks: HashMap<(FileId, u32), Instant>,
}

/// Where fragments may be.
#[derive(Clone, Debug)]
enum Source {
	/// With another gateway.
	Gateway(PeerUrl),
	/// In the object store.
	Backend(Backend),
}

impl Source {
	/// What it is called.
	fn name(&self) -> &str {
		match self {
			Self::Gateway(url) => url.as_str(),
			Self::Backend(_) => "object store",
		}
	}
}

#[derive(Debug)]
struct Peer {
	source: Source,
	state: Mutex<State>,
}

impl Peer {
	fn state(&self) -> std::sync::MutexGuard<'_, State> {
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Whether it is worth asking for something of this segment.
	fn is_worth_asking(&self, segment: &(FileId, u32)) -> bool {
		let now = Instant::now();
		let state = self.state();
		let lacked = state.lacks.get(segment);
		state.not_before.is_none_or(|time| time <= now)
			&& lacked.is_none_or(|since| now.duration_since(*since) > LACKS.0)
	}

	fn refused(&self, segment: (FileId, u32), why: Refused) {
		let now = Instant::now();
		let mut state = self.state();
		let (first, most) = match why {
			Refused::Lacks => {
				if state.lacks.len() >= LACKS.1 {
					state.lacks.clear();
				}
				state.lacks.insert(segment, now);
				return;
			},
			Refused::Busy => {
				state.not_before = Some(now + Duration::from_secs(1));
				return;
			},
			Refused::Failed | Refused::Slow => {
				state.failures += 1;
				AFTER_FAILURE
			},
			Refused::Wrong => {
				state.wrong += 1;
				AFTER_WRONG
			},
		};
		let pause = first.saturating_mul(1 << state.in_a_row.min(10)).min(most);
		state.in_a_row = state.in_a_row.saturating_add(1);
		state.not_before = Some(now + pause);
	}

	fn served(&self) {
		self.state().in_a_row = 0;
	}
}

/// The peers, in the order in which they are asked.
#[derive(Debug)]
pub struct Peers {
	peers: Vec<Peer>,
	metrics: Metrics,
}

impl Peers {
	/// An object store, and the peers at these URLs.
	pub fn new(backend: Option<Backend>, urls: &[PeerUrl], metrics: Metrics) -> Self {
		let sources = backend.into_iter().map(Source::Backend);
		let sources = sources.chain(urls.iter().cloned().map(Source::Gateway));
		let peer = |source| Peer { source, state: Mutex::default() };
		Self { peers: sources.map(peer).collect(), metrics }
	}

	/// The object store, if there is one.
	pub fn backend(&self) -> Option<&Backend> {
		self.peers.iter().find_map(|peer| match &peer.source {
			Source::Backend(backend) => Some(backend),
			Source::Gateway(_) => None,
		})
	}

	/// Whether there are none.
	pub fn is_empty(&self) -> bool {
		self.peers.is_empty()
	}

	/// How they are.
	pub fn shown(&self) -> Vec<Shown> {
		let now = Instant::now();
		let shown = |peer: &Peer| {
			let state = peer.state();
			let left = state.not_before.map(|time| time.saturating_duration_since(now));
			Shown {
				url: peer.source.name().to_owned(),
				bytes: state.bytes,
				wrong: state.wrong,
				failures: state.failures,
				passed_over: left.unwrap_or_default().as_secs(),
			}
		};
		self.peers.iter().map(shown).collect()
	}

	/// Asks for a part of a source fragment of the file with this id and geometry.
	pub fn fragment(self: &Arc<Self>, id: FileId, spec: FileSpec, piece: Piece) -> Coming {
		let at = piece.range.start;
		Coming { peers: self.clone(), id, spec, piece, at, next: 0, open: None, proof: None }
	}

	fn count(&self, peer: &Peer, result: &str) {
		self.metrics.peer_requests.with_label_values(&[peer.source.name(), result]).inc();
	}
}

/// A part of a fragment on its way from peers.
#[derive(Debug)]
pub struct Coming {
	peers: Arc<Peers>,
	id: FileId,
	spec: FileSpec,
	piece: Piece,
	/// Up to here it came.
	at: u32,
	/// The peer to ask next; the one before is being read.
	next: usize,
	open: Option<Open>,
	proof: Option<(FragmentHash, Sidecar)>,
}

impl Coming {
	/// The next bytes, verified; `None` at the end, or when no peer has more.
	pub async fn next(&mut self) -> Option<Bytes> {
		let peers = self.peers.clone();
		let segment = (self.id, self.piece.segment);
		while self.at < self.piece.range.end {
			let read = match &mut self.open {
				Some(open) => open.next().await,
				None => {
					let peer = peers.peers.get(self.next)?;
					self.next += 1;
					if !peer.is_worth_asking(&segment) {
						continue;
					}
					match Open::new(&peer.source, self.id, &self.spec, &self.piece, self.at).await {
						Ok(open) => {
							self.open = Some(open);
							continue;
						},
						Err(why) => Err(why),
					}
				},
			};
			// Either way there is one.
			let peer = peers.peers.get(self.next.checked_sub(1)?)?;
			match read {
				Ok((offset, mut bytes)) => {
					let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
					if offset + len <= self.at {
						continue;
					}
					// Groups begin before what is wanted, and end behind it.
					bytes.truncate((self.piece.range.end - offset) as usize);
					bytes.advance((self.at - offset) as usize);
					self.at += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
					peer.state().bytes += bytes.len() as u64;
					peers.metrics.peer_bytes.inc_by(bytes.len() as u64);
					if self.at == self.piece.range.end {
						peers.count(peer, "served");
						peer.served();
						self.proof = self.open.take().map(|open| (open.hash, open.sidecar));
					}
					return Some(bytes);
				},
				Err(why) => {
					self.open = None;
					peers.count(peer, why.name());
					peer.refused(segment, why);
					match why {
						Refused::Lacks | Refused::Busy => {},
						_ => {
							// Whoever reads it next from miners puts it there again.
							if let (Refused::Wrong, Source::Backend(backend)) = (why, &peer.source)
							{
								let (backend, index) = (backend.clone(), self.piece.index);
								let (file, number) = segment;
								tokio::spawn(async move {
									backend.remove_fragment((file, number, index)).await
								});
							}
							tracing::warn!(peer = peer.source.name(), file = %self.id, "passed over: {why}")
						},
					}
				},
			}
		}
		None
	}

	/// What proves the fragment, if all that was wanted of it came.
	pub fn finish(self) -> Option<(FragmentHash, Sidecar)> {
		self.proof
	}
}

/// What comes from a peer.
type Arriving = BoxStream<'static, io::Result<Bytes>>;

/// A peer that is being read.
struct Open {
	body: Arriving,
	verifier: Verifier,
	/// Where the next group begins.
	offset: u32,
	hash: FragmentHash,
	sidecar: Sidecar,
	began: Instant,
}

impl fmt::Debug for Open {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Open").field("offset", &self.offset).finish_non_exhaustive()
	}
}

/// More of a body.
async fn more(body: &mut Arriving, began: Instant) -> Result<Bytes, Refused> {
	if began.elapsed() > SLOW_AFTER {
		return Err(Refused::Slow);
	}
	let part = timeout(PATIENCE, body.next()).await.map_err(|_| Refused::Slow)?;
	part.ok_or(Refused::Failed)?.map_err(|_| Refused::Failed)
}

/// Asks another gateway for a part of a source fragment.
async fn ask(
	url: &PeerUrl,
	id: FileId,
	(segment, index): (u32, u8),
	range: &Range<u32>,
) -> Result<Arriving, Refused> {
	let Range { start, end } = range;
	let path = format!("/file/{id}/fragment/{segment}/{index}?from={start}&below={end}");
	let answer = client::ask(url.as_str(), &path).await.map_err(|_| Refused::Failed)?;
	match answer.status() {
		StatusCode::OK => {},
		StatusCode::NOT_FOUND => return Err(Refused::Lacks),
		StatusCode::SERVICE_UNAVAILABLE => return Err(Refused::Busy),
		_ => return Err(Refused::Failed),
	}
	let parts = BodyDataStream::new(answer.into_body());
	Ok(parts.map(|part| part.map_err(io::Error::other)).boxed())
}

impl Open {
	/// Asks a peer, and verifies up to the file's id what hash it says the fragment has.
	async fn new(
		source: &Source,
		id: FileId,
		spec: &FileSpec,
		piece: &Piece,
		at: u32,
	) -> Result<Self, Refused> {
		let began = Instant::now();
		let Piece { segment, index, range } = piece;
		let (range, asked) = match source {
			Source::Gateway(url) => {
				let range = at..range.end;
				(range.clone(), timeout(PATIENCE, ask(url, id, (*segment, *index), &range)).await)
			},
			Source::Backend(backend) => {
				let got = timeout(PATIENCE, backend.get_fragment((id, *segment, *index))).await;
				let asked = got.map(|got| match got {
					Ok(found) => found.ok_or(Refused::Lacks),
					Err(error) => {
						tracing::warn!(%error, "a fragment is not read from the object store");
						Err(Refused::Failed)
					},
				});
				(0..spec.fragment_len(*segment), asked)
			},
		};
		let mut body = asked.map_err(|_| Refused::Slow)??;
		let mut arrived = BytesMut::new();
		let frame = loop {
			if let Some(frame) = take_frame(&mut arrived)? {
				break frame;
			}
			arrived.extend_from_slice(&more(&mut body, began).await?);
		};
		let Ok(GetAnswer::Found { hash, len, sidecar }) = GetAnswer::decode_all(&mut &frame[..])
		else {
			return Err(Refused::Wrong);
		};
		let proven = sidecar.verify(&id, spec, *segment, *index, &hash).is_ok();
		if !proven || len != spec.fragment_len(*segment) {
			return Err(Refused::Wrong);
		}
		let mut verifier = Verifier::new(&hash, len, &range);
		verifier.push(&arrived);
		let offset = range.start / GROUP_LEN * GROUP_LEN;
		Ok(Self { body, verifier, offset, hash, sidecar, began })
	}

	/// The next group, and where it begins.
	async fn next(&mut self) -> Result<(u32, Bytes), Refused> {
		loop {
			if let Some(group) = self.verifier.next_group().map_err(|_| Refused::Wrong)? {
				let offset = self.offset;
				self.offset += u32::try_from(group.len()).unwrap_or(u32::MAX);
				return Ok((offset, group));
			}
			if self.verifier.is_done() {
				return Err(Refused::Failed);
			}
			let bytes = more(&mut self.body, self.began).await?;
			self.verifier.push(&bytes);
		}
	}
}

/// The frame that a stream begins with, once all of it came.
pub fn take_frame(arrived: &mut BytesMut) -> Result<Option<Bytes>, Refused> {
	let Some(len) = arrived.first_chunk() else { return Ok(None) };
	let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
	if len > LONGEST_FRAME {
		return Err(Refused::Wrong);
	}
	if arrived.len() < 4 + len {
		return Ok(None);
	}
	arrived.advance(4);
	Ok(Some(arrived.split_to(len).freeze()))
}

/// The frame that says what comes.
pub fn frame(found: &GetAnswer) -> Bytes {
	let message = found.encode();
	let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
	[&len.to_le_bytes()[..], &message].concat().into()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_files_bytes_are_found_in_its_source_fragments() {
		let fragment = 8u64 << 20;
		let spec = FileSpec::new(2 * fragment + 1000, CodingParams::LEAN).expect("valid");
		let at = |start, end| {
			let piece = Piece::at(&spec, &(start..end));
			(piece.segment, piece.index, piece.range)
		};
		assert_eq!(at(0, 1), (0, 0, 0..1));
		assert_eq!(at(5, spec.size()), (0, 0, 5..8 << 20));
		assert_eq!(at(fragment, spec.size()), (0, 1, 0..8 << 20));
		// The last segment's fragments are 512 bytes long, the second's end is padding.
		assert_eq!(at(2 * fragment, spec.size()), (1, 0, 0..512));
		assert_eq!(at(2 * fragment + 512, spec.size()), (1, 1, 0..488));
		assert_eq!(at(2 * fragment + 999, spec.size()), (1, 1, 487..488));
	}

	#[test]
	fn frames_are_taken_when_they_are_complete_and_not_too_long() {
		let whole = frame(&GetAnswer::NotFound);
		let mut arrived = BytesMut::new();
		for byte in &whole[..whole.len() - 1] {
			arrived.extend_from_slice(&[*byte]);
			assert_eq!(take_frame(&mut arrived), Ok(None));
		}
		arrived.extend_from_slice(&[*whole.last().expect("some"), 7]);
		assert_eq!(take_frame(&mut arrived), Ok(Some(whole.slice(4..))));
		assert_eq!(arrived[..], [7]);
		let mut long = BytesMut::from(&[1, 0x10, 0, 0][..]);
		assert_eq!(take_frame(&mut long), Err(Refused::Wrong));
	}

	#[test]
	fn who_sends_what_is_wrong_is_passed_over_longer_each_time() {
		let url = "http://127.0.0.1:1".parse().expect("a URL");
		let peers = Peers::new(None, &[url], Metrics::new());
		let peer = &peers.peers[0];
		let (one, other) = ((FileId([1; 32]), 0), (FileId([1; 32]), 1));
		peer.refused(one, Refused::Lacks);
		assert!(!peer.is_worth_asking(&one) && peer.is_worth_asking(&other));
		peer.refused(one, Refused::Wrong);
		assert!(!peer.is_worth_asking(&other));
		let first = peers.shown()[0].passed_over;
		peer.refused(one, Refused::Wrong);
		let shown = &peers.shown()[0];
		assert!(shown.passed_over > first && shown.wrong == 2, "{shown:?}");
		for _ in 0..40 {
			peer.refused(one, Refused::Failed);
		}
		assert!(peers.shown()[0].passed_over <= AFTER_FAILURE.1.as_secs());
	}
}
