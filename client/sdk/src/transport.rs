// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Fragments to and from miners.

use async_trait::async_trait;
use planaria_primitives::{FileSpec, FragmentName, Hash};
use planaria_runtime_api::MinerStatus;
use planaria_transfer::{BindError, EndpointConfig, Fetch, Transfer, TransferConfig};
use std::{
	net::SocketAddr,
	num::NonZeroU64,
	ops::Range,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

pub use planaria_transfer::{FragmentData, PeerAddr, Put, PutOutcome, Refusal, TransferError};

/// Moves fragments between this program and miners.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
	/// One attempt to put a fragment.
	async fn put(&self, peer: &PeerAddr, put: &Put) -> Result<PutOutcome, TransferError>;

	/// Gets a range of a fragment, verified against its file's id; `pulse` beats while it arrives.
	async fn get(
		&self,
		peer: &PeerAddr,
		name: FragmentName,
		spec: FileSpec,
		range: Range<u32>,
		pulse: Arc<Pulse>,
	) -> Result<FragmentData, TransferError>;
}

/// When a transfer last made progress.
#[derive(Debug)]
pub struct Pulse {
	began: Instant,
	last: Mutex<Instant>,
}

impl Default for Pulse {
	fn default() -> Self {
		let began = Instant::now();
		Self { began, last: Mutex::new(began) }
	}
}

impl Pulse {
	/// Progress was made.
	pub fn beat(&self) {
		*self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
	}

	/// How long ago there was progress, or the transfer began.
	pub fn idle(&self) -> Duration {
		self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
	}

	/// How long ago the transfer began.
	pub fn elapsed(&self) -> Duration {
		self.began.elapsed()
	}
}

/// Where a miner is, as the chain says.
pub fn peer(miner: &MinerStatus) -> PeerAddr {
	PeerAddr { key: miner.endpoint_key, addrs: miner.endpoint_addrs.clone() }
}

/// How this program takes part in transfers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TransportOptions {
	/// Where to listen; empty: every interface, any port.
	pub bind: Vec<SocketAddr>,
	/// Relays that help behind NAT. Without one only miners with a reachable address are.
	pub relays: Vec<String>,
	/// Bytes per second sent.
	pub upload_rate: Option<NonZeroU64>,
	/// Bytes per second received.
	pub download_rate: Option<NonZeroU64>,
}

/// Transfers by [`planaria_transfer`], under a key made for this process.
#[derive(Clone, Debug)]
pub struct TransferTransport(Transfer);

/// What one connection may have on its way: less than a server's, because a program talks to many
/// miners at once.
const CONNECTION_WINDOW: u32 = 4 << 20;

impl TransferTransport {
	/// An endpoint for the chain with this genesis.
	pub async fn bind(genesis: Hash) -> Result<Self, BindError> {
		Self::bind_with(genesis, TransportOptions::default()).await
	}

	/// An endpoint for the chain with this genesis.
	pub async fn bind_with(genesis: Hash, options: TransportOptions) -> Result<Self, BindError> {
		let TransportOptions { bind, relays, upload_rate, download_rate } = options;
		let id = EndpointConfig { secret_key: rand::random(), genesis, bind, relays };
		let config = TransferConfig {
			connection_window: CONNECTION_WINDOW,
			max_streams_per_peer: 4,
			handshake_timeout: Duration::from_secs(8),
			upload_rate,
			download_rate,
			// A broken get goes on once; then another holder is faster.
			resume_attempts: 1,
			..TransferConfig::default()
		};
		Transfer::bind(id, config).await.map(Self)
	}

	/// The endpoint.
	pub fn endpoint(&self) -> &Transfer {
		&self.0
	}
}

#[async_trait]
impl Transport for TransferTransport {
	async fn put(&self, peer: &PeerAddr, put: &Put) -> Result<PutOutcome, TransferError> {
		self.0.client().put(peer, put).await
	}

	async fn get(
		&self,
		peer: &PeerAddr,
		name: FragmentName,
		spec: FileSpec,
		range: Range<u32>,
		pulse: Arc<Pulse>,
	) -> Result<FragmentData, TransferError> {
		let fetch = Fetch::range(name, spec, range).on_progress(move |_| pulse.beat());
		self.0.client().get(peer, fetch).await
	}
}
