// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Getting a fragment.

use super::{
	Client, count,
	pool::{Exchange, Place},
};
use crate::{
	PeerAddr, PeerKey, TransferError,
	bao::whole_groups,
	endpoint::Shared,
	protocol::{GetAnswer, GetRequest, Request},
	rate::RateLimit,
	stream::{Meter, Receiver, receiver},
};
use bao_tree::iter::BaoChunk;
use bytes::Bytes;
use iroh::endpoint::RecvStream;
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, Sidecar};
use std::{fmt, ops::Range, sync::Arc};

/// The getting of a fragment or a range of it, from one peer or from several in turn: what was
/// verified stays, and the next attempt goes on behind it.
pub struct Fetch {
	name: FragmentName,
	spec: FileSpec,
	/// The bytes wanted.
	range: Range<u32>,
	/// The bytes fetched: the range in whole groups.
	groups: Range<u32>,
	/// Known once a sidecar was verified.
	proof: Option<(FragmentHash, Sidecar)>,
	/// From the groups' start on. Only the first `verified` bytes count.
	bytes: Vec<u8>,
	verified: usize,
	progress: Option<Box<dyn FnMut(u32) + Send + Sync>>,
}

/// A fragment, or a range of it, verified against its file's id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FragmentData {
	/// Which of the fragment's bytes these are.
	pub range: Range<u32>,
	/// The bytes.
	pub bytes: Bytes,
	/// The hash of the whole fragment.
	pub hash: FragmentHash,
	/// Proves the hash up to the file's id.
	pub sidecar: Sidecar,
}

impl Fetch {
	/// A whole fragment of the file with this geometry; both are known from the chain.
	pub fn new(name: FragmentName, spec: FileSpec) -> Self {
		let len = spec.fragment_len(name.segment);
		Self {
			name,
			spec,
			range: 0..len,
			groups: 0..len,
			proof: None,
			bytes: Vec::new(),
			verified: 0,
			progress: None,
		}
	}

	/// A range of its bytes. Whole groups of 16 KiB are moved.
	pub fn range(name: FragmentName, spec: FileSpec, range: Range<u32>) -> Self {
		let groups = whole_groups(&range, spec.fragment_len(name.segment));
		Self { range, groups, ..Self::new(name, spec) }
	}

	/// Calls `progress` with the number of verified bytes whenever it has grown.
	pub fn on_progress(mut self, progress: impl FnMut(u32) + Send + Sync + 'static) -> Self {
		self.progress = Some(Box::new(progress));
		self
	}

	/// How many bytes were verified.
	pub fn verified(&self) -> u32 {
		u32::try_from(self.verified).unwrap_or(u32::MAX)
	}

	/// How many bytes there are to fetch, whole groups.
	pub fn wanted(&self) -> u32 {
		self.groups.end - self.groups.start
	}

	/// Whether everything was fetched.
	pub fn is_complete(&self) -> bool {
		self.proof.is_some() && self.verified() == self.wanted()
	}

	/// What was fetched; `None` unless it [is complete](Self::is_complete).
	pub fn finish(self) -> Option<FragmentData> {
		if !self.is_complete() {
			return None;
		}
		let Self { range, groups, proof, mut bytes, verified, .. } = self;
		let (hash, sidecar) = proof?;
		bytes.truncate(verified);
		let start = (range.start - groups.start) as usize;
		let end = (range.end - groups.start) as usize;
		Some(FragmentData { bytes: Bytes::from(bytes).slice(start..end), range, hash, sidecar })
	}

	fn check(&self) -> Result<(), TransferError> {
		let len = self.spec.fragment_len(self.name.segment);
		if self.name.index >= self.spec.fragments()
			|| self.range.start >= self.range.end
			|| self.range.end > len
		{
			return Err(TransferError::NoSuchRange);
		}
		Ok(())
	}

	fn grew(&mut self) {
		self.verified = self.bytes.len();
		let verified = self.verified();
		if let Some(progress) = &mut self.progress {
			progress(verified);
		}
	}
}

impl fmt::Debug for Fetch {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Fetch")
			.field("name", &self.name)
			.field("range", &self.range)
			.field("verified", &self.verified)
			.finish_non_exhaustive()
	}
}

impl Client {
	/// Gets a fragment, whole or as [`Fetch::range`] says. A transfer that breaks goes on at the
	/// same peer, [`resume_attempts`](crate::TransferConfig::resume_attempts) times.
	pub async fn get(
		&self,
		peer: &PeerAddr,
		mut fetch: Fetch,
	) -> Result<FragmentData, TransferError> {
		let mut attempts = self.shared().config.resume_attempts;
		loop {
			match self.fetch(peer, &mut fetch).await {
				Ok(()) => break,
				Err(error) if error.is_interrupted() && attempts > 0 => attempts -= 1,
				Err(error) => return Err(error),
			}
		}
		fetch.finish().ok_or_else(|| TransferError::Interrupted("incomplete".into()))
	}

	/// One attempt to bring a fetch to its end at this peer. Whatever goes wrong, what was verified
	/// stays in `fetch`, and another attempt, at any peer, goes on behind it.
	pub async fn fetch(&self, peer: &PeerAddr, fetch: &mut Fetch) -> Result<(), TransferError> {
		fetch.check()?;
		// An attempt that was cancelled may have left more.
		fetch.bytes.truncate(fetch.verified);
		let range = fetch.groups.start + fetch.verified()..fetch.groups.end;
		if range.is_empty() {
			return Ok(());
		}
		let (name, spec, missing) = (fetch.name, fetch.spec, range.len());
		let mut incoming = self.open(peer, &name, &spec, range, Meter::default()).await?;
		fetch.proof = Some((incoming.hash, incoming.sidecar.clone()));
		fetch.bytes.reserve_exact(missing);
		while incoming.append(&mut fetch.bytes).await? {
			fetch.grew();
		}
		Ok(())
	}

	/// Opens the stream of a range of a fragment of the file with this geometry; both are known
	/// from the chain. What arrives is counted by `meter`, whatever becomes of it. Dropped, the
	/// stream is stopped.
	///
	/// Whole groups of 16 KiB are moved: the bytes begin at a group's start at or before the
	/// range's, and end likewise at or behind its end.
	pub async fn open(
		&self,
		peer: &PeerAddr,
		name: &FragmentName,
		spec: &FileSpec,
		range: Range<u32>,
		meter: Meter,
	) -> Result<Incoming, TransferError> {
		let active = Active::new(self.shared());
		let opened = self.opened(peer, name, spec, range, meter, active).await;
		opened.inspect_err(|error| count(self.shared(), &peer.key, error))
	}

	async fn opened(
		&self,
		peer: &PeerAddr,
		name: &FragmentName,
		spec: &FileSpec,
		range: Range<u32>,
		meter: Meter,
		active: Active,
	) -> Result<Incoming, TransferError> {
		if name.segment >= spec.segments()
			|| name.index >= spec.fragments()
			|| range.start >= range.end
			|| range.end > spec.fragment_len(name.segment)
		{
			return Err(TransferError::NoSuchRange);
		}
		let range = whole_groups(&range, spec.fragment_len(name.segment));
		let request = Request::Get(GetRequest { name: *name, start: range.start, end: range.end });
		let (mut exchange, answer) = self.pool.exchange(peer, &request).await?;
		let _ = exchange.send.finish();
		meter.add(answer.len() as u64);
		let (hash, len, sidecar) = match self.decode::<GetAnswer>(&answer)? {
			GetAnswer::Found { hash, len, sidecar } => (hash, len, sidecar),
			GetAnswer::NotFound => return Err(TransferError::NotFound),
			GetAnswer::Busy => return Err(TransferError::Busy),
			GetAnswer::Damaged => return Err(TransferError::Damaged),
			GetAnswer::BadRange => return Err(TransferError::NoSuchRange),
			GetAnswer::Failed => return Err(TransferError::PeerFailed),
		};
		let expected = spec.fragment_len(name.segment);
		if len != expected {
			return Err(TransferError::WrongLength { expected, theirs: len });
		}
		// A hash is taken only with a sidecar that leads to the file's id.
		sidecar
			.verify(&name.file_id, spec, name.segment, name.index, &hash)
			.map_err(TransferError::WrongSidecar)?;
		let Exchange { recv, place, .. } = exchange;
		let start = range.start;
		let receiver = receiver(self.shared(), recv, &hash, len, &range, meter).boxed();
		let rate = self.rate.clone();
		Ok(Incoming { hash, sidecar, start, peer: peer.key, receiver, rate, active, _place: place })
	}
}

/// A fragment, or a range of it, while it arrives. Its sidecar has been verified.
pub struct Incoming {
	hash: FragmentHash,
	sidecar: Sidecar,
	start: u32,
	peer: PeerKey,
	receiver: Receiver<RecvStream, Box<dyn Iterator<Item = BaoChunk> + Send>>,
	rate: Arc<RateLimit>,
	active: Active,
	_place: Place,
}

impl Incoming {
	/// The hash of the whole fragment.
	pub fn hash(&self) -> FragmentHash {
		self.hash
	}

	/// Proves the hash up to the file's id.
	pub fn sidecar(&self) -> &Sidecar {
		&self.sidecar
	}

	/// Where in the fragment the bytes begin.
	pub fn start(&self) -> u32 {
		self.start
	}

	/// Appends the next group to `bytes` when it was verified; whether there was one. After an
	/// error nothing more comes.
	///
	/// Not cancel-safe: what was appended by a cancelled call must be cut off.
	pub async fn append(&mut self, bytes: &mut Vec<u8>) -> Result<bool, TransferError> {
		let before = bytes.len();
		let appended = self.receiver.next_group(bytes).await;
		match &appended {
			Ok(true) => {
				if self.rate.take(bytes.len() - before).await {
					self.receiver.waited();
				}
			},
			Ok(false) => self.active.0.metrics.gets_done.add(1),
			Err(error) => count(&self.active.0, &self.peer, error),
		}
		appended
	}

	/// This side made the peer wait: that does not count against it.
	pub fn waited(&mut self) {
		self.receiver.waited();
	}
}

impl fmt::Debug for Incoming {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Incoming").field("hash", &self.hash).finish_non_exhaustive()
	}
}

/// Counts a get while it goes on.
struct Active(Arc<Shared>);

impl Active {
	fn new(shared: &Arc<Shared>) -> Self {
		shared.metrics.active.add(1);
		Self(shared.clone())
	}
}

impl Drop for Active {
	fn drop(&mut self) {
		self.0.metrics.active.sub(1);
	}
}
