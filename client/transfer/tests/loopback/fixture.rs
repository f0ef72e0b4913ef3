// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A file, a store in memory that can be made to misbehave, endpoints, and the raw protocol.

use bao_tree::{
	BlockSize, ChunkNum, ChunkRanges,
	io::{outboard::PreOrderMemOutboard, sync::encode_ranges_validated},
};
use bytes::Bytes;
use codec::{DecodeAll, Encode};
use iroh::{
	Endpoint, EndpointAddr, PublicKey, RelayMode, SecretKey,
	endpoint::{Connection, RecvStream, SendStream, presets},
};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentName, Sidecar,
	commitment::{file_tree, segment_tree},
	file_id,
};
use planaria_transfer::{
	ALPN, EndpointConfig, Fragment, FragmentService, FragmentSink, GROUP_LEN, OpenError, PeerAddr,
	PeerKey, Put, PutOffer, ReadError, Server, Stored, Transfer, TransferConfig, VERSION, Verdict,
	protocol::Hello,
};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::{
	collections::{BTreeMap, HashMap},
	io,
	ops::Range,
	sync::{
		Arc, Mutex,
		atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst},
	},
	thread,
	time::{Duration, Instant},
};

pub const GENESIS: [u8; 32] = [7; 32];

/// A file of one `lean` segment whose fragments have this length.
#[derive(Clone)]
pub struct File {
	pub id: FileId,
	pub spec: FileSpec,
	pub fragments: Vec<Bytes>,
	pub sidecars: Vec<Sidecar>,
}

impl File {
	pub fn new(len: u32) -> Self {
		let mut rng = StdRng::seed_from_u64(u64::from(len));
		let fragments: Vec<Bytes> = (0..3)
			.map(|_| {
				let mut bytes = vec![0; len as usize];
				rng.fill_bytes(&mut bytes);
				bytes.into()
			})
			.collect();
		let hashes: Vec<_> = fragments.iter().map(|bytes| FragmentHash::of(bytes)).collect();
		let segment = segment_tree(&hashes).unwrap();
		let file = file_tree(&[segment.root()]).unwrap();
		let spec = FileSpec::new(2 * u64::from(len), CodingParams::LEAN).unwrap();
		assert_eq!(spec.fragment_len(0), len);
		let sidecars = (0..3).map(|i| Sidecar::new(&segment, i, &file, 0).unwrap()).collect();
		Self { id: file_id(&spec, &file.root()), spec, fragments, sidecars }
	}

	pub fn name(&self, index: u8) -> FragmentName {
		FragmentName { file_id: self.id, file: FileIndex(3), segment: 0, index }
	}

	pub fn hash(&self, index: u8) -> FragmentHash {
		FragmentHash::of(&self.fragments[usize::from(index)])
	}

	pub fn len(&self) -> u32 {
		self.spec.fragment_len(0)
	}

	pub fn put(&self, index: u8) -> Put {
		let i = usize::from(index);
		Put {
			name: self.name(index),
			sidecar: self.sidecars[i].clone(),
			fragment: Fragment::new(self.fragments[i].clone()),
		}
	}

	pub fn offer(&self, index: u8) -> PutOffer {
		PutOffer {
			name: self.name(index),
			hash: self.hash(index),
			len: self.len(),
			sidecar: self.sidecars[usize::from(index)].clone(),
		}
	}

	pub fn stored(&self, index: u8) -> Stored {
		let i = usize::from(index);
		Stored {
			hash: self.hash(index),
			sidecar: self.sidecars[i].clone(),
			bytes: self.fragments[i].clone(),
		}
	}

	/// The stream of a range as `bao-tree` itself makes it.
	pub fn stream(&self, index: u8, range: Range<u32>) -> Vec<u8> {
		let bytes = &self.fragments[usize::from(index)];
		let outboard = PreOrderMemOutboard::create(bytes, BlockSize::from_chunk_log(4));
		let start = ChunkNum(u64::from(range.start / GROUP_LEN * (GROUP_LEN / 1024)));
		let ranges = if range.end == self.len() {
			ChunkRanges::from(start..)
		} else {
			let end = range.end.next_multiple_of(GROUP_LEN) / 1024;
			ChunkRanges::from(start..ChunkNum(u64::from(end)))
		};
		let mut stream = Vec::new();
		encode_ranges_validated(&bytes[..], &outboard, &ranges, &mut stream).unwrap();
		stream
	}
}

/// What a test makes a [`Store`] do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Fault {
	None,
	WriteFull,
	CommitFails,
	ReadFails,
}

#[derive(Default)]
pub struct Store {
	pub specs: Mutex<HashMap<FileId, FileSpec>>,
	pub held: Mutex<BTreeMap<FragmentName, Stored>>,
	pub partial: Mutex<HashMap<FragmentName, Vec<u8>>>,
	pub damaged: Mutex<Vec<FragmentName>>,
	pub verdict: Mutex<Option<Verdict>>,
	fault: AtomicU8,
	/// While set, reads and commits wait.
	pub hold: AtomicBool,
	/// Commits that were begun.
	pub commits: AtomicUsize,
}

impl Store {
	/// A store that knows the file; it holds these fragments of it.
	pub fn new(file: &File, held: impl IntoIterator<Item = u8>) -> Arc<Self> {
		let store = Self::default();
		store.specs.lock().unwrap().insert(file.id, file.spec);
		for index in held {
			store.held.lock().unwrap().insert(file.name(index), file.stored(index));
		}
		Arc::new(store)
	}

	pub fn judging(self: Arc<Self>, verdict: Verdict) -> Arc<Self> {
		*self.verdict.lock().unwrap() = Some(verdict);
		self
	}

	pub fn set_fault(&self, fault: Fault) {
		self.fault.store(fault as u8, SeqCst);
	}

	pub fn holds(&self, name: &FragmentName) -> bool {
		self.held.lock().unwrap().contains_key(name)
	}

	pub fn partial_len(&self, name: &FragmentName) -> usize {
		self.partial.lock().unwrap().get(name).map_or(0, Vec::len)
	}

	fn has(&self, fault: Fault) -> bool {
		self.fault.load(SeqCst) == fault as u8
	}

	fn wait(&self) {
		let start = Instant::now();
		while self.hold.load(SeqCst) && start.elapsed() < Duration::from_secs(60) {
			thread::sleep(Duration::from_millis(5));
		}
	}
}

/// The service of an `Arc<Store>`.
pub struct Service(pub Arc<Store>);

impl FragmentService for Service {
	type Sink = Sink;

	async fn judge(&self, _: &PeerKey, offer: &PutOffer) -> Verdict {
		if let Some(verdict) = *self.0.verdict.lock().unwrap() {
			return verdict;
		}
		if self.0.holds(&offer.name) {
			return Verdict::Have;
		}
		let spec = self.0.specs.lock().unwrap().get(&offer.name.file_id).copied();
		spec.map_or(Verdict::NotYet { best: 1 }, Verdict::Assigned)
	}

	fn open(&self, offer: &PutOffer, _: FileSpec) -> Result<(Sink, u32), OpenError> {
		let bytes = self.0.partial.lock().unwrap().remove(&offer.name).unwrap_or_default();
		let offset = bytes.len() as u32;
		Ok((Sink { store: self.0.clone(), offer: offer.clone(), bytes }, offset))
	}

	fn read(&self, _: &PeerKey, name: &FragmentName) -> Result<Option<Stored>, ReadError> {
		self.0.wait();
		if self.0.has(Fault::ReadFails) {
			return Err(io::Error::other("test").into());
		}
		Ok(self.0.held.lock().unwrap().get(name).cloned())
	}

	fn list(
		&self,
		_: &PeerKey,
		after: Option<&FragmentName>,
		limit: usize,
	) -> io::Result<Vec<FragmentName>> {
		let held = self.0.held.lock().unwrap();
		Ok(held.keys().filter(|name| Some(*name) > after).take(limit).copied().collect())
	}

	fn damaged(&self, name: &FragmentName, _: &FragmentHash) {
		self.0.held.lock().unwrap().remove(name);
		self.0.damaged.lock().unwrap().push(*name);
	}
}

pub struct Sink {
	store: Arc<Store>,
	offer: PutOffer,
	bytes: Vec<u8>,
}

impl FragmentSink for Sink {
	fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
		assert_eq!(offset as usize, self.bytes.len());
		if self.store.has(Fault::WriteFull) {
			return Err(io::ErrorKind::StorageFull.into());
		}
		self.bytes.extend_from_slice(bytes);
		Ok(())
	}

	fn commit(self) -> io::Result<()> {
		self.store.commits.fetch_add(1, SeqCst);
		self.store.wait();
		if self.store.has(Fault::CommitFails) {
			return Err(io::Error::other("test"));
		}
		assert_eq!(FragmentHash::of(&self.bytes), self.offer.hash);
		let stored = Stored {
			hash: self.offer.hash,
			sidecar: self.offer.sidecar.clone(),
			bytes: self.bytes.into(),
		};
		self.store.held.lock().unwrap().insert(self.offer.name, stored);
		Ok(())
	}

	fn abandon(self) {
		assert_eq!(self.bytes.len() % GROUP_LEN as usize, 0);
		self.store.partial.lock().unwrap().insert(self.offer.name, self.bytes);
	}
}

/// Short times, so that a test of a timeout is short.
pub fn config() -> TransferConfig {
	TransferConfig {
		handshake_timeout: Duration::from_secs(5),
		request_timeout: Duration::from_secs(5),
		commit_timeout: Duration::from_secs(5),
		stall_timeout: Duration::from_secs(3),
		lost_timeout: Duration::from_secs(6),
		resume_attempts: 0,
		..TransferConfig::default()
	}
}

pub fn secret() -> [u8; 32] {
	let mut secret = [0; 32];
	rand::rng().fill_bytes(&mut secret);
	secret
}

pub async fn bind_with(genesis: [u8; 32], config: TransferConfig) -> Transfer {
	let bind = vec!["127.0.0.1:0".parse().unwrap()];
	let id = EndpointConfig { secret_key: secret(), genesis, bind, relays: Vec::new() };
	Transfer::bind(id, config).await.unwrap()
}

pub async fn bind() -> Transfer {
	bind_with(GENESIS, config()).await
}

/// A server with its endpoint and where it is.
pub struct Host {
	pub transfer: Transfer,
	pub server: Server,
	pub addr: PeerAddr,
}

pub async fn serve_with(store: &Arc<Store>, config: TransferConfig) -> Host {
	let transfer = bind_with(GENESIS, config).await;
	let server = transfer.serve(Arc::new(Service(store.clone())));
	let addr = loopback(&transfer);
	Host { transfer, server, addr }
}

pub async fn serve(store: &Arc<Store>) -> Host {
	serve_with(store, config()).await
}

pub fn loopback(transfer: &Transfer) -> PeerAddr {
	let addrs = transfer.bound().iter().map(ToString::to_string).collect();
	PeerAddr { key: transfer.key(), addrs }
}

/// Waits until something holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
	let start = Instant::now();
	while !holds() {
		assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
}

/// An endpoint that speaks the raw protocol.
pub async fn raw_endpoint() -> Endpoint {
	Endpoint::builder(presets::Minimal)
		.secret_key(SecretKey::from_bytes(&secret()))
		.alpns(vec![ALPN.to_vec()])
		.relay_mode(RelayMode::Disabled)
		.clear_ip_transports()
		.bind_addr("127.0.0.1:0")
		.unwrap()
		.bind()
		.await
		.unwrap()
}

pub async fn raw_connect(endpoint: &Endpoint, to: &PeerAddr) -> Connection {
	let key = PublicKey::from_bytes(&to.key).unwrap();
	let addr = EndpointAddr::new(key).with_ip_addr(to.addrs[0].parse().unwrap());
	endpoint.connect(addr, ALPN).await.unwrap()
}

/// Connects and shakes hands.
pub async fn raw_client(endpoint: &Endpoint, to: &PeerAddr) -> Connection {
	let connection = raw_connect(endpoint, to).await;
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &Hello { version: VERSION, genesis: GENESIS }).await;
	let hello: Hello = read_frame(&mut recv).await;
	assert_eq!(hello, Hello { version: VERSION, genesis: GENESIS });
	connection
}

pub async fn write_frame(send: &mut SendStream, message: &impl Encode) {
	let bytes = message.encode();
	send.write_all(&(bytes.len() as u32).to_le_bytes()).await.unwrap();
	send.write_all(&bytes).await.unwrap();
}

pub async fn read_frame<T: DecodeAll>(recv: &mut RecvStream) -> T {
	let mut len = [0; 4];
	recv.read_exact(&mut len).await.unwrap();
	let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
	recv.read_exact(&mut bytes).await.unwrap();
	T::decode_all(&mut &bytes[..]).unwrap()
}

pub fn raw_addr(endpoint: &Endpoint) -> PeerAddr {
	let addrs = endpoint.bound_sockets().iter().map(ToString::to_string).collect();
	PeerAddr { key: *endpoint.id().as_bytes(), addrs }
}
