// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reading: from this gateway's disk, else from the object store that is shared, if there is one, else
//! from other gateways' caches, else from miners. What came from miners is put into the object store.
//!
//! What comes from elsewhere goes through the cache, in blocks. A miss has the rest of the wanted
//! range fetched as far as the segment reaches, once for all who want it. When its first block is
//! there the segment behind it is begun, later the two behind it. Of a block of which little is wanted
//! only that is fetched, the first [`SIPS`] times.
//!
//! # Memory
//!
//! A reader has two blocks on their way and a third in its hands, 12 MiB. Fetching takes what
//! [`planaria_sdk::Reader`] takes for one segment, for as many segments as
//! [`Config::fetching_at_once`](crate::Config) allows, however many readers there are. What was
//! fetched and not read yet takes [`FRESH`](crate::cache::FRESH) blocks, and keeps the rest of their
//! fragments. Giving a fragment to another gateway takes 12 MiB, [`GIVEN_AT_ONCE`] times at most; so
//! does putting one into an object store, [`SHARED_AT_ONCE`] times.

use crate::{
	backend::Backend,
	cache::{BLOCK, Block, Cache},
	catalog::{Content, blocking},
	error::Error,
	metrics::Metrics,
	network::{Network, NetworkError, Remote},
	peers::{self, Peers, Piece, Proof},
	sealing::Sealing,
	spool::{BATCH, Spool, Spooled},
};
use bytes::{Bytes, BytesMut};
use codec::{DecodeAll, Encode};
use futures::{Stream, StreamExt, stream};
use planaria_sdk::{
	GetError, Target,
	primitives::{FileId, FileIndex, FileSpec, FragmentHash, Sidecar},
	sealed::{Cipher, OpenError},
};
use planaria_transfer::{Fragment, protocol::GetAnswer};
use std::{
	collections::HashMap,
	io,
	ops::Range,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// How many opened files are remembered.
const MOST_OPEN: usize = 256;

/// How many fragments are given to other gateways at once.
pub const GIVEN_AT_ONCE: usize = 4;

/// How many fragments are put into an object store at once.
pub const SHARED_AT_ONCE: usize = 2;

/// What has at most so many bytes is little.
const SIP: u64 = 256 << 10;

/// How often little of a block is fetched before all of it is.
pub const SIPS: u32 = 2;

/// Of how many blocks it is remembered that little of them was fetched.
const MOST_SIPPED: usize = 4096;

/// For how long a segment that could not be read is not asked for again: who asks for what nobody can
/// read would keep others from what can be.
const GIVEN_UP_FOR: Duration = Duration::from_secs(30);

/// Of how many segments it is remembered that they could not be read.
const MOST_GIVEN_UP: usize = 1024;

/// How many bytes say how the rest is opened.
const HEAD: u64 = 4096;

/// How far a fetch is.
#[derive(Clone, Debug)]
enum Fetch {
	/// The blocks from the first number to below the second are in the cache.
	Going(u64, u64),
	/// It is done.
	Done,
	/// It failed.
	Failed(Arc<NetworkError>),
}

type GivenUp = HashMap<(FileId, u64), (Instant, Arc<NetworkError>)>;

/// Reads files. Clones are the same.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
	network: Arc<dyn Network>,
	cache: Cache,
	spool: Spool,
	sealing: Arc<Sealing>,
	peers: Arc<Peers>,
	metrics: Metrics,
	permits: Semaphore,
	giving: Arc<Semaphore>,
	sharing: Arc<Semaphore>,
	open: Mutex<HashMap<FileId, Arc<dyn Remote>>>,
	ciphers: Mutex<HashMap<FileId, Arc<Cipher>>>,
	fetches: Mutex<HashMap<(FileId, u64), watch::Receiver<Fetch>>>,
	/// The segments that could not be read, when and why.
	given_up: Mutex<GivenUp>,
	/// How often little of a block was fetched.
	sipped: Mutex<HashMap<Block, u32>>,
}

impl std::fmt::Debug for Library {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Library").field("cache", &self.0.cache).finish_non_exhaustive()
	}
}

/// A source fragment that another gateway is given.
#[derive(Debug)]
pub struct Given {
	/// Its bytes.
	pub fragment: Fragment,
	/// Proves them up to the file's id.
	pub sidecar: Sidecar,
	/// Held until they are sent.
	pub turn: OwnedSemaphorePermit,
}

/// Bytes on their way to a client.
#[derive(Debug)]
pub struct Body {
	first: Option<Result<Bytes, io::Error>>,
	rest: mpsc::Receiver<Result<Bytes, io::Error>>,
}

impl Body {
	/// The bytes.
	pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + Sync {
		let Self { first, mut rest } = self;
		stream::iter(first).chain(stream::poll_fn(move |context| rest.poll_recv(context)))
	}
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file of the network that is read.
#[derive(Clone, Copy, Debug)]
struct Wanted {
	/// The instance to read first.
	index: Option<FileIndex>,
	id: FileId,
	/// Whose key opens it, if it is to be opened.
	sealed_for: Option<[u8; 32]>,
}

fn refused(error: OpenError) -> Error {
	NetworkError::Get(GetError::from(error)).into()
}

/// How many sealed bytes are opened at once, so that it blocks for much less than a millisecond.
const OPENED_AT_ONCE: usize = 256 << 10;

type Sender = mpsc::Sender<Result<Bytes, io::Error>>;

impl Library {
	/// Reads through this cache and from this spool.
	pub fn new(
		network: Arc<dyn Network>,
		(cache, spool, sealing): (Cache, Spool, Arc<Sealing>),
		(peers, metrics): (Peers, Metrics),
		fetching_at_once: usize,
	) -> Self {
		Self(Arc::new(Inner {
			network,
			cache,
			spool,
			sealing,
			peers: Arc::new(peers),
			metrics,
			permits: Semaphore::new(fetching_at_once.max(1)),
			giving: Arc::new(Semaphore::new(GIVEN_AT_ONCE)),
			sharing: Arc::new(Semaphore::new(SHARED_AT_ONCE)),
			open: Mutex::default(),
			ciphers: Mutex::default(),
			fetches: Mutex::default(),
			given_up: Mutex::default(),
			sipped: Mutex::default(),
		}))
	}

	/// The cache.
	pub fn cache(&self) -> &Cache {
		&self.0.cache
	}

	/// The other gateways.
	pub fn peers(&self) -> &Peers {
		&self.0.peers
	}

	/// A source fragment for another gateway, if all of it is in the cache.
	pub async fn give(&self, id: FileId, segment: u32, index: u8) -> Result<Option<Given>, Error> {
		if !self.0.cache.has(&Block::proof(id, segment, index)) {
			return Ok(None);
		}
		let turn = self.0.giving.clone().try_acquire_owned().map_err(|_| Error::SlowDown)?;
		let cached = self.cached_fragment(id, segment, index).await?;
		Ok(cached.map(|(fragment, sidecar)| Given { fragment, sidecar, turn }))
	}

	/// A source fragment and what proves it, if all of it is in the cache.
	async fn cached_fragment(
		&self,
		id: FileId,
		segment: u32,
		index: u8,
	) -> Result<Option<(Fragment, Sidecar)>, Error> {
		let cache = &self.0.cache;
		let Some(record) = cache.get(Block::proof(id, segment, index)).await else {
			return Ok(None);
		};
		let Ok(Proof { size, coding, hash, sidecar }) = Proof::decode_all(&mut &record[..]) else {
			return Ok(None);
		};
		let Ok(spec) = FileSpec::new(size, coding) else { return Ok(None) };
		let len = spec.fragment_len(segment);
		let start =
			u64::from(segment) * coding.segment_capacity() + u64::from(index) * u64::from(len);
		let end = (start + u64::from(len)).min(size);
		if index >= spec.data() || start >= end {
			return Ok(None);
		}
		// What is behind the file's end is zero.
		let mut bytes = BytesMut::zeroed(len as usize);
		for number in start / BLOCK..end.div_ceil(BLOCK) {
			let Some(block) = cache.get(Block { file: id, number }).await else { return Ok(None) };
			let first = number * BLOCK;
			let (from, below) = (start.max(first), end.min(first + block.len() as u64));
			let narrow = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
			let part = block.get(narrow(from - first)..narrow(below.saturating_sub(first)));
			let room = bytes.get_mut(narrow(from - start)..narrow(below.saturating_sub(start)));
			match (part, room) {
				(Some(part), Some(room)) => room.copy_from_slice(part),
				_ => return Ok(None),
			}
		}
		let bytes = bytes.freeze();
		let fragment = blocking(move || Ok(Fragment::new(bytes))).await?;
		Ok((fragment.hash() == hash).then_some((fragment, sidecar)))
	}

	/// The bytes of a range of a content. What goes wrong before the first byte is an error; later
	/// the body breaks off.
	pub async fn content(&self, content: &Content, range: Range<u64>) -> Result<Body, Error> {
		let local = (!content.local.is_empty()).then(|| self.0.spool.bytes(content.local.clone()));
		let file = content.stored.as_ref();
		let file = file.map(|stored| Wanted {
			index: Some(FileIndex(stored.file)),
			id: FileId(stored.id),
			sealed_for: (!content.public).then_some(content.owner),
		});
		self.start(local, file, range).await
	}

	/// The bytes of a range of a file of the network.
	pub async fn file(&self, id: FileId, range: Range<u64>) -> Result<Body, Error> {
		let remote = self.remote(None, id).await?;
		let file = Wanted { index: None, id: remote.id(), sealed_for: None };
		self.start(None, Some(file), range).await
	}

	/// How many bytes a file of the network has.
	pub async fn size(&self, id: FileId) -> Result<u64, Error> {
		Ok(self.remote(None, id).await?.spec().size())
	}

	async fn start(
		&self,
		local: Option<Spooled>,
		file: Option<Wanted>,
		range: Range<u64>,
	) -> Result<Body, Error> {
		let (sender, mut rest) = mpsc::channel(2);
		let library = self.clone();
		let (failed, failure) = oneshot::channel();
		tokio::spawn(async move {
			if let Err(error) = library.send(local, file, range, &sender).await {
				tracing::warn!(%error, "a download broke off");
				let told = io::Error::other(error.to_string());
				let _ = failed.send(error);
				let _ = sender.send(Err(told)).await;
			}
		});
		// Nothing is promised before there is something.
		match rest.recv().await {
			Some(Err(_)) => Err(failure.await.unwrap_or(Error::Stopping)),
			first => Ok(Body { first, rest }),
		}
	}

	/// Sends a range: from the spool as long as the bytes are there, else through the cache.
	async fn send(
		&self,
		local: Option<Spooled>,
		file: Option<Wanted>,
		range: Range<u64>,
		to: &Sender,
	) -> Result<(), Error> {
		let mut at = range.start;
		if let Some(local) = local {
			while at < range.end {
				let len = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(BATCH);
				match local.read(at, len).await {
					Ok(bytes) => {
						at += bytes.len() as u64;
						if to.send(Ok(bytes)).await.is_err() {
							return Ok(());
						}
					},
					// The network has it now.
					Err(Error::Io(error))
						if error.kind() == io::ErrorKind::NotFound && file.is_some() =>
					{
						break;
					},
					Err(error) => return Err(error),
				}
			}
		}
		if at >= range.end {
			return Ok(());
		}
		let file = file.ok_or(NetworkError::Gone)?;
		match file.sealed_for {
			None => self.send_file(&file, at..range.end, to).await,
			Some(owner) => self.send_opened(&file, owner, at..range.end, to).await,
		}
	}

	async fn send_file(&self, file: &Wanted, range: Range<u64>, to: &Sender) -> Result<(), Error> {
		let mut at = range.start;
		while at < range.end {
			let piece = self.piece(file, at, &range).await?;
			at += piece.len() as u64;
			if to.send(Ok(piece)).await.is_err() {
				return Ok(());
			}
		}
		Ok(())
	}

	async fn send_opened(
		&self,
		file: &Wanted,
		owner: [u8; 32],
		range: Range<u64>,
		to: &Sender,
	) -> Result<(), Error> {
		let cipher = self.cipher(file, owner).await?;
		let mut opening = cipher.opening(range);
		let sealed = opening.sealed();
		let mut at = sealed.start;
		while at < sealed.end {
			let piece = self.piece(file, at, &sealed).await?;
			at += piece.len() as u64;
			for step in piece.chunks(OPENED_AT_ONCE) {
				let opened = opening.push(step).map_err(refused)?;
				if !opened.is_empty() && to.send(Ok(opened.concat().into())).await.is_err() {
					return Ok(());
				}
			}
		}
		opening.finish().map_err(refused)
	}

	/// What opens a file.
	async fn cipher(&self, file: &Wanted, owner: [u8; 32]) -> Result<Arc<Cipher>, Error> {
		let known = lock(&self.0.ciphers).get(&file.id).cloned();
		if let Some(known) = known {
			return Ok(known);
		}
		let key = self.0.sealing.key(owner).await?;
		let size = self.remote(file.index, file.id).await?.spec().size();
		let head = self.piece(file, 0, &(0..size.min(HEAD))).await?;
		let cipher = Arc::new(Cipher::open(&head, size, &[key]).map_err(refused)?);
		let mut ciphers = lock(&self.0.ciphers);
		if ciphers.len() >= MOST_OPEN
			&& let Some(any) = ciphers.keys().next().copied()
		{
			ciphers.remove(&any);
		}
		ciphers.insert(file.id, cipher.clone());
		Ok(cipher)
	}

	/// The bytes of a range from `at` on, as far as their block reaches.
	async fn piece(&self, file: &Wanted, at: u64, range: &Range<u64>) -> Result<Bytes, Error> {
		if let Some(little) = self.sip(file, at, range).await? {
			return Ok(little);
		}
		let number = at / BLOCK;
		let block = self.block(file.index, file.id, number, range).await?;
		let from = usize::try_from(at - number * BLOCK).unwrap_or(usize::MAX);
		let end = (range.end - number * BLOCK).min(block.len() as u64);
		let end = usize::try_from(end).unwrap_or(usize::MAX);
		if from >= end {
			return Err(NetworkError::Differs.into());
		}
		Ok(block.slice(from..end))
	}

	/// The same without the rest of the block, where that is not cached, nor on its way, nor was
	/// wanted before.
	async fn sip(
		&self,
		file: &Wanted,
		at: u64,
		range: &Range<u64>,
	) -> Result<Option<Bytes>, Error> {
		let (id, number) = (file.id, at / BLOCK);
		let block = Block { file: id, number };
		// The object store gives whole fragments.
		if range.end - range.start > SIP
			|| self.0.cache.has(&block)
			|| self.0.peers.backend().is_some()
		{
			return Ok(None);
		}
		let remote = self.remote(file.index, id).await?;
		let spec = remote.spec();
		let end = range.end.min((number + 1) * BLOCK);
		let segment = (id, number / segment_blocks(&*remote));
		let is_coming = lock(&self.0.fetches).contains_key(&segment);
		if is_coming || end > spec.size() || spec.size() - number * BLOCK <= 2 * SIP {
			return Ok(None);
		}
		{
			let mut sipped = lock(&self.0.sipped);
			if sipped.len() >= MOST_SIPPED {
				sipped.clear();
			}
			let times = sipped.entry(block).or_default();
			*times += 1;
			if *times > SIPS {
				sipped.remove(&block);
				return Ok(None);
			}
		}
		if let Some(error) = self.given_up(&segment) {
			return Err(NetworkError::Shared(error).into());
		}
		let _permit = self.0.permits.acquire().await.map_err(|_| Error::Stopping)?;
		let mut little = BytesMut::new();
		if !self.0.peers.is_empty() {
			let mut coming = self.0.peers.fragment(id, spec, Piece::at(&spec, &(at..end)));
			while let Some(bytes) = coming.next().await {
				little.extend_from_slice(&bytes);
			}
		}
		let mut parts = remote.read(at + little.len() as u64..end);
		while let Some(part) = parts.next().await {
			let part = part.map_err(|error| NetworkError::Shared(self.failed(segment, error)))?;
			little.extend_from_slice(&part);
		}
		self.0.metrics.fetched_bytes.inc_by(little.len() as u64);
		match little.len() as u64 == end - at {
			true => Ok(Some(little.freeze())),
			false => Err(NetworkError::Gone.into()),
		}
	}

	/// The file, opened or still open.
	async fn remote(
		&self,
		index: Option<FileIndex>,
		id: FileId,
	) -> Result<Arc<dyn Remote>, NetworkError> {
		let known = lock(&self.0.open).get(&id).cloned();
		if let Some(known) = known {
			return Ok(known);
		}
		let target = index.map_or(Target::Id(id), Target::File);
		let remote = self.0.network.open(target).await?;
		if remote.id() != id {
			return Err(NetworkError::Gone);
		}
		let mut open = lock(&self.0.open);
		if open.len() >= MOST_OPEN
			&& let Some(any) = open.keys().next().copied()
		{
			open.remove(&any);
		}
		open.insert(id, remote.clone());
		Ok(remote)
	}

	/// A block, from the cache, after it was fetched if need be.
	async fn block(
		&self,
		index: Option<FileIndex>,
		id: FileId,
		number: u64,
		range: &Range<u64>,
	) -> Result<Bytes, Error> {
		let block = Block { file: id, number };
		// A fetch may be on its way that does not reach this block, or the block may be evicted
		// before it is read.
		for attempt in 0..8 {
			let cached = self.0.cache.get(block).await;
			if let Some(bytes) = cached {
				let open = lock(&self.0.open).get(&id).cloned();
				if let Some(remote) = open {
					self.ahead(&remote, number, range);
				}
				return Ok(bytes);
			}
			let remote = self.remote(index, id).await?;
			let mut fetch = self.fetch(&remote, number, range);
			loop {
				let state = fetch.borrow_and_update().clone();
				match state {
					// One that has passed it does not bring it again: the next one does.
					Fetch::Going(first, below)
						if attempt > 0 || !(first..below).contains(&number) =>
					{
						if fetch.changed().await.is_err() {
							break;
						}
					},
					Fetch::Going(..) | Fetch::Done => break,
					Fetch::Failed(error) => return Err(NetworkError::Shared(error).into()),
				}
			}
		}
		Err(Error::SlowDown)
	}

	/// Has the segment behind this block's fetched while this one is read; two of them once a
	/// segment was read. The first one has the network for itself.
	fn ahead(&self, remote: &Arc<dyn Remote>, number: u64, range: &Range<u64>) {
		let blocks = segment_blocks(&**remote);
		let behind = number - number % blocks + blocks;
		let most = if number >= range.start / BLOCK + blocks { 2 } else { 1 };
		for number in [behind, behind + blocks].into_iter().take(most) {
			let block = Block { file: remote.id(), number };
			if number * BLOCK < range.end && !self.0.cache.has(&block) {
				self.fetch(remote, number, range);
			}
		}
	}

	/// Begins to fetch blocks from this one on, as far as the range and the segment reach, unless
	/// that is being done.
	fn fetch(
		&self,
		remote: &Arc<dyn Remote>,
		number: u64,
		range: &Range<u64>,
	) -> watch::Receiver<Fetch> {
		let blocks = segment_blocks(&**remote);
		let segment = number / blocks;
		let key = (remote.id(), segment);
		let mut fetches = lock(&self.0.fetches);
		if let Some(known) = fetches.get(&key)
			&& matches!(*known.borrow(), Fetch::Going(..))
			&& known.has_changed().is_ok()
		{
			return known.clone();
		}
		if let Some(error) = self.given_up(&key) {
			return watch::channel(Fetch::Failed(error)).1;
		}
		let size = remote.spec().size();
		let end = range.end.div_ceil(BLOCK).min((segment + 1) * blocks) * BLOCK;
		let wanted = number * BLOCK..end.min(size);
		let (state, watched) = watch::channel(Fetch::Going(number, number));
		fetches.insert(key, watched.clone());
		drop(fetches);
		let (library, remote) = (self.clone(), remote.clone());
		tokio::spawn(async move {
			let fetched = match library.fetch_blocks(&remote, wanted, &state).await {
				Ok(()) => Fetch::Done,
				Err(error) => Fetch::Failed(library.failed(key, error)),
			};
			lock(&library.0.fetches).remove(&key);
			state.send_replace(fetched);
		});
		watched
	}

	/// Why a segment could not be read lately.
	fn given_up(&self, segment: &(FileId, u64)) -> Option<Arc<NetworkError>> {
		let given_up = lock(&self.0.given_up);
		let (when, why) = given_up.get(segment)?;
		(when.elapsed() < GIVEN_UP_FOR).then(|| why.clone())
	}

	/// A segment could not be read. Where there were too few holders who could give it, that is
	/// remembered; as they may change, the file is looked up again by who asks next.
	fn failed(&self, segment: (FileId, u64), why: NetworkError) -> Arc<NetworkError> {
		lock(&self.0.open).remove(&segment.0);
		let why = Arc::new(why);
		if matches!(*why, NetworkError::Get(GetError::Unrestorable { .. })) {
			let mut given_up = lock(&self.0.given_up);
			given_up.retain(|_, (when, _)| when.elapsed() < GIVEN_UP_FOR);
			if given_up.len() < MOST_GIVEN_UP {
				given_up.insert(segment, (Instant::now(), why.clone()));
			}
		}
		why
	}

	async fn fetch_blocks(
		&self,
		remote: &Arc<dyn Remote>,
		wanted: Range<u64>,
		state: &watch::Sender<Fetch>,
	) -> Result<(), NetworkError> {
		let _permit = self.0.permits.acquire().await.map_err(|_| NetworkError::Stopping)?;
		let (start, end) = (wanted.start, wanted.end);
		let mut filling = Filling {
			cache: &self.0.cache,
			file: remote.id(),
			first: start / BLOCK,
			number: start / BLOCK,
			at: start,
			end,
			assembled: BytesMut::new(),
			state,
		};
		if !self.0.peers.is_empty() {
			self.fetch_from_peers(&**remote, &mut filling).await?;
		}
		if filling.at < end {
			let rest = filling.at..end;
			let mut parts = remote.read(rest.clone());
			while let Some(part) = parts.next().await {
				filling.take(part?).await?;
			}
			self.keep_proofs(&**remote, rest.clone()).await?;
			self.share(&**remote, rest);
		}
		self.0.metrics.fetched_bytes.inc_by(filling.at - start);
		if filling.at == end { Ok(()) } else { Err(NetworkError::Gone) }
	}

	/// Fetches from peers, fragment by fragment, as long as they have it.
	async fn fetch_from_peers(
		&self,
		remote: &dyn Remote,
		filling: &mut Filling<'_>,
	) -> Result<(), NetworkError> {
		let (id, spec) = (remote.id(), remote.spec());
		while filling.at < filling.end {
			let piece = Piece::at(&spec, &(filling.at..filling.end));
			let (segment, index) = (piece.segment, piece.index);
			let mut coming = self.0.peers.fragment(id, spec, piece);
			while let Some(bytes) = coming.next().await {
				filling.take(bytes).await?;
			}
			let Some(proof) = coming.finish() else { break };
			self.keep_proof(id, &spec, (segment, index), proof).await?;
		}
		Ok(())
	}

	/// Keeps what proves the source fragments that a range was read from.
	async fn keep_proofs(
		&self,
		remote: &dyn Remote,
		mut range: Range<u64>,
	) -> Result<(), NetworkError> {
		let spec = remote.spec();
		while !range.is_empty() {
			let Piece { segment, index, range: within } = Piece::at(&spec, &range);
			if let Some(proof) = remote.take_proof(segment, index) {
				self.keep_proof(remote.id(), &spec, (segment, index), proof).await?;
			}
			range.start += u64::from(within.end - within.start).max(1);
		}
		Ok(())
	}

	/// Puts the source fragments of a range into the object store, if there is one, as far as all of
	/// them is in the cache. Nobody waits for that.
	fn share(&self, remote: &dyn Remote, mut range: Range<u64>) {
		let Some(backend) = self.0.peers.backend() else { return };
		let (id, spec) = (remote.id(), remote.spec());
		while !range.is_empty() {
			let Piece { segment, index, range: within } = Piece::at(&spec, &range);
			range.start += u64::from(within.end - within.start).max(1);
			let turn = self.0.sharing.clone();
			let (library, backend) = (self.clone(), backend.clone());
			tokio::spawn(async move {
				let Ok(_turn) = turn.acquire().await else { return };
				if let Err(error) = library.share_fragment(&backend, (id, segment, index)).await {
					tracing::warn!(%error, file = %id, "a fragment is not put into the object store");
				}
			});
		}
	}

	async fn share_fragment(
		&self,
		backend: &Backend,
		(id, segment, index): (FileId, u32, u8),
	) -> Result<(), Error> {
		if backend.has_fragment(id, segment, index).await? {
			return Ok(());
		}
		let Some((fragment, sidecar)) = self.cached_fragment(id, segment, index).await? else {
			return Ok(());
		};
		let (hash, len) = (fragment.hash(), fragment.len());
		let first = peers::frame(&GetAnswer::Found { hash, len, sidecar });
		let pieces = std::iter::once(first).chain(fragment.encode(&(0..len)));
		Ok(backend.put_fragment((id, segment, index), pieces).await?)
	}

	async fn keep_proof(
		&self,
		id: FileId,
		spec: &FileSpec,
		(segment, index): (u32, u8),
		(hash, sidecar): (FragmentHash, Sidecar),
	) -> Result<(), NetworkError> {
		let key = Block::proof(id, segment, index);
		if self.0.cache.has(&key) {
			return Ok(());
		}
		let proof = Proof { size: spec.size(), coding: spec.coding(), hash, sidecar };
		self.0.cache.put(key, proof.encode().into()).await.map_err(disk)
	}
}

/// The cache failed.
fn disk(error: Error) -> NetworkError {
	match error {
		Error::Io(error) => NetworkError::Disk(error),
		_ => NetworkError::Stopping,
	}
}

/// Makes blocks of what comes, puts them into the cache, and tells.
struct Filling<'a> {
	cache: &'a Cache,
	file: FileId,
	/// The first block, and the one that is being filled.
	first: u64,
	number: u64,
	/// Up to here bytes came.
	at: u64,
	end: u64,
	assembled: BytesMut,
	state: &'a watch::Sender<Fetch>,
}

impl Filling<'_> {
	async fn take(&mut self, mut part: Bytes) -> Result<(), NetworkError> {
		while !part.is_empty() {
			let room = usize::try_from(BLOCK).unwrap_or(usize::MAX) - self.assembled.len();
			let taken = part.split_to(room.min(part.len()));
			self.at += taken.len() as u64;
			let is_whole = taken.len() == room || self.at == self.end;
			// A block that came in one piece is not copied.
			let bytes = if is_whole && self.assembled.is_empty() {
				taken
			} else {
				self.assembled.reserve(room);
				self.assembled.extend_from_slice(&taken);
				if !is_whole {
					continue;
				}
				std::mem::take(&mut self.assembled).freeze()
			};
			let block = Block { file: self.file, number: self.number };
			self.cache.put(block, bytes).await.map_err(disk)?;
			self.number += 1;
			self.state.send_replace(Fetch::Going(self.first, self.number));
		}
		Ok(())
	}
}

/// How many blocks a segment has, but for the last.
fn segment_blocks(remote: &dyn Remote) -> u64 {
	(remote.spec().coding().segment_capacity() / BLOCK).max(1)
}
