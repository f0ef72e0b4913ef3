// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast fragments move over loopback, both ends in this process, against raw iroh with the
//! same number of bytes and streams.
//!
//! Prints one JSON object per line. The store is memory, so the disk is not measured; everything
//! else is: hashing at both ends, sidecars, requests, acknowledgements.
//!
//! Usage: `planaria-bench-transfer [MIB]` (default 1024).

use bytes::Bytes;
use futures::{StreamExt, stream};
use iroh::{
	Endpoint, EndpointAddr, RelayMode, SecretKey,
	endpoint::{QuicTransportConfig, presets},
};
use planaria_primitives::{
	CodingParams, FileIndex, FileSpec, FragmentHash, FragmentName, MAX_FRAGMENT_LEN, Sidecar,
	commitment::{file_tree, segment_tree},
	file_id,
};
use planaria_transfer::{
	EndpointConfig, Fetch, Fragment, FragmentService, FragmentSink, OpenError, PeerAddr, PeerKey,
	Put, PutOffer, PutOutcome, ReadError, Stored, Transfer, TransferConfig, Verdict,
};
use std::{
	collections::HashMap,
	error::Error,
	future::Future,
	io,
	net::SocketAddr,
	sync::{Arc, Mutex, PoisonError},
	time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const STREAMS: usize = 8;
const RAW: &[u8] = b"planaria/bench/raw";
/// Baseline and measured run in turn, so that what else the machine does weighs on both.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
	let mib = std::env::args().nth(1).map_or(Ok(1024), |text| text.parse::<u32>())?;
	let count = mib.div_ceil(MAX_FRAGMENT_LEN >> 20).max(1);
	let bench = Bench::new(count).await?;
	let raw = Raw::new().await?;

	let (mut puts, mut gets) = (Vec::new(), Vec::new());
	for _ in 0..ROUNDS {
		let baseline = speed(count, raw.send(count)).await?;
		puts.push((speed(count, bench.put()).await?, baseline));
		gets.push((speed(count, bench.get()).await?, baseline));
	}
	row("transfer/put", puts);
	row("transfer/get", gets);
	Ok(())
}

/// Prints the round with the median ratio of value to baseline.
fn row(name: &str, mut rounds: Vec<(f64, f64)>) {
	rounds.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
	let Some((value, baseline)) = rounds.get(rounds.len() / 2) else { return };
	let ratio = value / baseline;
	println!(
		r#"{{"name":"{name}","value":{value:.1},"unit":"MB/s","baseline":{baseline:.1},"ratio":{ratio:.3},"goal":0.5,"met":{}}}"#,
		ratio >= 0.5
	);
}

/// MB/s of `count` fragments.
async fn speed(count: u32, work: impl Future<Output = Result<()>>) -> Result<f64> {
	let start = Instant::now();
	work.await?;
	let bytes = f64::from(count) * f64::from(MAX_FRAGMENT_LEN);
	Ok(bytes / start.elapsed().as_secs_f64() / 1e6)
}

/// The fragment's bytes, the same for every fragment: so many copies need no memory.
fn fragment_bytes() -> Bytes {
	let mut bytes = vec![0; MAX_FRAGMENT_LEN as usize];
	blake3::Hasher::new().finalize_xof().fill(&mut bytes);
	bytes.into()
}

/// Raw iroh: the bytes on as many streams, and nothing else.
struct Raw {
	client: Endpoint,
	addr: EndpointAddr,
	bytes: Bytes,
}

impl Raw {
	async fn new() -> Result<Self> {
		let server = raw_endpoint(1).await?;
		let addr = server.bound_sockets().first().copied().ok_or("not bound")?;
		let addr = EndpointAddr::new(server.id()).with_ip_addr(addr);
		tokio::spawn(async move {
			while let Some(incoming) = server.accept().await {
				tokio::spawn(async move {
					let connection = incoming.await?;
					while let Ok((mut send, mut recv)) = connection.accept_bi().await {
						tokio::spawn(async move {
							let mut chunks = vec![Bytes::new(); 64];
							while recv.read_many_chunks(&mut chunks).await?.is_some() {}
							send.write_all(b"ok").await?;
							Result::Ok(())
						});
					}
					Result::Ok(())
				});
			}
		});
		Ok(Self { client: raw_endpoint(2).await?, addr, bytes: fragment_bytes() })
	}

	async fn send(&self, count: u32) -> Result<()> {
		let connection = &self.client.connect(self.addr.clone(), RAW).await?;
		let sent = stream::iter(0..count).map(async |_| {
			let (mut send, mut recv) = connection.open_bi().await?;
			send.write_chunk(self.bytes.clone()).await?;
			send.finish()?;
			recv.read_to_end(2).await?;
			Result::Ok(())
		});
		all(sent).await
	}
}

/// Waits for all, a few at a time.
async fn all<F: Future<Output = Result<()>>>(work: impl futures::Stream<Item = F>) -> Result<()> {
	let mut work = Box::pin(work.buffer_unordered(STREAMS));
	while let Some(done) = work.next().await {
		done?;
	}
	Ok(())
}

async fn raw_endpoint(seed: u8) -> Result<Endpoint> {
	let endpoint = Endpoint::builder(presets::Minimal)
		.secret_key(SecretKey::from_bytes(&[seed; 32]))
		.alpns(vec![RAW.to_vec()])
		.relay_mode(RelayMode::Disabled)
		.transport_config(QuicTransportConfig::default())
		.clear_ip_transports()
		.bind_addr(SocketAddr::from(([127, 0, 0, 1], 0)))?
		.bind()
		.await?;
	Ok(endpoint)
}

/// A file of `count` whole fragments, a server and a client.
struct Bench {
	store: Arc<Store>,
	spec: FileSpec,
	puts: Vec<Put>,
	addr: PeerAddr,
	client: Transfer,
	server: Transfer,
}

impl Bench {
	async fn new(count: u32) -> Result<Self> {
		let coding = CodingParams::copies(2)?;
		let spec = FileSpec::new(u64::from(count) * u64::from(MAX_FRAGMENT_LEN), coding)?;
		let fragment = Fragment::new(fragment_bytes());
		let segment = segment_tree(&[fragment.hash(); 2]).ok_or("no segment")?;
		let roots: Vec<_> = (0..count).map(|_| segment.root()).collect();
		let file = file_tree(&roots).ok_or("no file")?;
		let file_id = file_id(&spec, &file.root());
		let puts = (0..count)
			.map(|number| {
				let sidecar = Sidecar::new(&segment, 0, &file, number).ok_or("no sidecar")?;
				let name = FragmentName { file_id, file: FileIndex(0), segment: number, index: 0 };
				Ok(Put { name, sidecar, fragment: fragment.clone() })
			})
			.collect::<Result<Vec<_>>>()?;
		let bytes = fragment.bytes().clone();
		let store = Arc::new(Store { spec, bytes, held: Arc::default() });
		let (server, client) = (endpoint(3).await?, endpoint(4).await?);
		let addrs = server.bound().iter().map(ToString::to_string).collect();
		let addr = PeerAddr { key: server.key(), addrs };
		Ok(Self { store, spec, puts, addr, client, server })
	}

	/// Puts every fragment; its hashing before counts too.
	async fn put(&self) -> Result<()> {
		self.store.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
		let server = self.server.serve(self.store.clone());
		let puts = stream::iter(&self.puts).map(async |put| {
			let bytes = put.fragment.bytes().clone();
			let fragment = tokio::task::spawn_blocking(|| Fragment::new(bytes)).await?;
			let put = Put { fragment, ..put.clone() };
			match self.client.client().put(&self.addr, &put).await? {
				PutOutcome::Stored { .. } => Ok(()),
				other => Err(format!("put: {other:?}").into()),
			}
		});
		all(puts).await?;
		drop(server);
		Ok(())
	}

	async fn get(&self) -> Result<()> {
		let server = self.server.serve(self.store.clone());
		let gets = stream::iter(&self.puts).map(async |put| {
			let fetch = Fetch::new(put.name, self.spec);
			self.client.client().get(&self.addr, fetch).await?;
			Ok(())
		});
		all(gets).await?;
		drop(server);
		Ok(())
	}
}

async fn endpoint(seed: u8) -> Result<Transfer> {
	let id = EndpointConfig {
		secret_key: [seed; 32],
		genesis: [0; 32],
		bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
		relays: Vec::new(),
	};
	Ok(Transfer::bind(id, TransferConfig::default()).await?)
}

/// Keeps what it is given, except that all fragments share the bytes of one: they are the same.
struct Store {
	spec: FileSpec,
	bytes: Bytes,
	held: Arc<Mutex<HashMap<FragmentName, Stored>>>,
}

struct Sink {
	offer: PutOffer,
	shared: Bytes,
	bytes: Vec<u8>,
	held: Arc<Mutex<HashMap<FragmentName, Stored>>>,
}

impl FragmentService for Store {
	type Sink = Sink;

	async fn judge(&self, _: &PeerKey, _: &PutOffer) -> Verdict {
		Verdict::Assigned(self.spec)
	}

	fn open(&self, offer: &PutOffer, _: FileSpec) -> std::result::Result<(Sink, u32), OpenError> {
		let bytes = Vec::with_capacity(MAX_FRAGMENT_LEN as usize);
		let (shared, held) = (self.bytes.clone(), self.held.clone());
		Ok((Sink { offer: offer.clone(), shared, bytes, held }, 0))
	}

	fn read(
		&self,
		_: &PeerKey,
		name: &FragmentName,
	) -> std::result::Result<Option<Stored>, ReadError> {
		let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
		Ok(held.get(name).cloned())
	}

	fn list(
		&self,
		_: &PeerKey,
		_: Option<&FragmentName>,
		_: usize,
	) -> io::Result<Vec<FragmentName>> {
		Ok(Vec::new())
	}

	fn damaged(&self, _: &FragmentName, _: &FragmentHash) {}
}

impl FragmentSink for Sink {
	fn write(&mut self, _: u32, bytes: &[u8]) -> io::Result<()> {
		self.bytes.extend_from_slice(bytes);
		Ok(())
	}

	fn commit(self) -> io::Result<()> {
		if self.bytes.len() != self.shared.len() {
			return Err(io::Error::other("incomplete"));
		}
		let PutOffer { name, hash, sidecar, .. } = self.offer;
		let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
		held.insert(name, Stored { hash, sidecar, bytes: self.shared });
		Ok(())
	}

	fn abandon(self) {}
}
