// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A bound endpoint, from which clients and servers come.

use crate::{
	Client, FragmentService, PeerAddr, PeerKey, Server, TransferError, TransferMetrics,
	address::parse_relay,
	config::{EndpointConfig, TransferConfig},
	frame,
	metrics::Counters,
	pace::Pace,
	protocol::{ALPN, Hello, VERSION, close},
	rate::RateLimit,
};
use codec::{Decode, DecodeAll};
use iroh::{
	Endpoint, RelayMode, SecretKey,
	endpoint::{
		IdleTimeout, Incoming, PortmapperConfig, QuicTransportConfig, RecvStream, SendStream,
		VarInt, presets,
	},
};
use std::{
	fmt,
	net::SocketAddr,
	num::NonZeroU64,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::task::AbortHandle;

/// Why no endpoint was bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
	/// A relay's text is not a URL of `https` or `http`.
	#[error("not the URL of a relay: {0}")]
	BadRelay(String),
	/// The addresses cannot be listened on: in use, or not this machine's.
	#[error("cannot listen on {addrs:?}: {reason}")]
	Socket {
		/// What was to be listened on.
		addrs: Vec<SocketAddr>,
		/// What the system said.
		reason: String,
	},
}

/// A bound endpoint: one key, one set of sockets, one set of limits. It can serve, and ask others,
/// at the same time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transfer {
	pub(crate) shared: Arc<Shared>,
	client: Client,
}

/// Takes a connection that a peer opens.
pub(crate) type Acceptor = dyn Fn(Incoming) + Send + Sync;

type AcceptorSlot = Arc<Mutex<Option<Arc<Acceptor>>>>;

/// What clients and servers of one endpoint share.
pub(crate) struct Shared {
	pub endpoint: Endpoint,
	pub config: TransferConfig,
	pub relays: bool,
	pub metrics: Counters,
	pub upload: RateLimit,
	pub download: RateLimit,
	hello: Hello,
	/// Who gets the connections that peers open; they are refused while there is nobody.
	acceptor: AcceptorSlot,
	accepting: AbortHandle,
}

impl Transfer {
	/// Binds the sockets. Nothing is accepted before [`serve`](Self::serve).
	pub async fn bind(id: EndpointConfig, config: TransferConfig) -> Result<Self, BindError> {
		let config = config.sane();
		let relays = id
			.relays
			.iter()
			.map(|url| parse_relay(url).ok_or_else(|| BindError::BadRelay(url.clone())))
			.collect::<Result<Vec<_>, _>>()?;
		let with_relays = !relays.is_empty();
		// `Minimal` brings no relay and no address lookup.
		let mut builder = Endpoint::builder(presets::Minimal)
			.secret_key(SecretKey::from_bytes(&id.secret_key))
			.alpns(vec![ALPN.to_vec()])
			.transport_config(quic(&config));
		builder = if with_relays {
			builder.relay_mode(RelayMode::custom(relays))
		} else {
			builder.relay_mode(RelayMode::Disabled).portmapper_config(PortmapperConfig::Disabled)
		};
		let socket = |reason: String| BindError::Socket { addrs: id.bind.clone(), reason };
		if !id.bind.is_empty() {
			builder = builder.clear_ip_transports();
			for addr in &id.bind {
				builder = builder.bind_addr(*addr).map_err(|error| socket(error.to_string()))?;
			}
		}
		let endpoint = builder.bind().await.map_err(|error| socket(format!("{error:#}")))?;
		let acceptor = AcceptorSlot::default();
		let accepting = tokio::spawn(accept(endpoint.clone(), acceptor.clone()));
		let shared = Arc::new(Shared {
			endpoint,
			relays: with_relays,
			metrics: Counters::default(),
			upload: RateLimit::new(config.upload_rate),
			download: RateLimit::new(config.download_rate),
			hello: Hello { version: VERSION, genesis: id.genesis },
			acceptor,
			accepting: accepting.abort_handle(),
			config,
		});
		let client = Client::new(shared.clone());
		Ok(Self { shared, client })
	}

	/// The key peers know this endpoint by.
	pub fn key(&self) -> PeerKey {
		*self.shared.endpoint.id().as_bytes()
	}

	/// Where it listens.
	pub fn bound(&self) -> Vec<SocketAddr> {
		self.shared.endpoint.bound_sockets()
	}

	/// Key and addresses as far as this machine knows them: the addresses it listens on, and the
	/// relay it is reached through.
	pub fn addr(&self) -> PeerAddr {
		let addr = self.shared.endpoint.addr();
		let relays = addr.relay_urls().map(ToString::to_string);
		let addrs = addr.ip_addrs().map(ToString::to_string).chain(relays).collect();
		PeerAddr { key: self.key(), addrs }
	}

	/// Waits until this endpoint can be reached through a relay: for ever where it knows none.
	pub async fn relayed(&self) {
		self.shared.endpoint.online().await;
	}

	/// Asks other peers. All clients of an endpoint share their connections.
	pub fn client(&self) -> &Client {
		&self.client
	}

	/// Serves other peers, until the server is shut down or dropped. A later server takes the new
	/// connections from an earlier one.
	pub fn serve<S: FragmentService>(&self, service: Arc<S>) -> Server {
		Server::spawn(self.shared.clone(), service)
	}

	/// What was done so far.
	pub fn metrics(&self) -> TransferMetrics {
		self.shared.metrics.snapshot()
	}

	/// Changes the limits of rate while running, in bytes per second.
	pub fn set_rates(&self, upload: Option<NonZeroU64>, download: Option<NonZeroU64>) {
		self.shared.upload.set(upload);
		self.shared.download.set(download);
	}

	/// Closes every connection and the sockets. Shut a [`Server`] down before, if its transfers
	/// shall come to their end.
	pub async fn close(&self) {
		self.client.disconnect();
		self.shared.endpoint.close().await;
	}
}

impl fmt::Debug for Shared {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Shared").field("endpoint", &self.endpoint.id()).finish_non_exhaustive()
	}
}

impl Drop for Shared {
	fn drop(&mut self) {
		self.accepting.abort();
	}
}

impl Shared {
	/// Gives the connections that peers open to this server, instead of any before.
	pub(crate) fn set_acceptor(&self, acceptor: &Arc<Acceptor>) {
		*self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = Some(acceptor.clone());
	}

	/// Refuses the connections that peers open, unless they go to another server by now.
	pub(crate) fn unset_acceptor(&self, acceptor: &Arc<Acceptor>) {
		let mut current = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner);
		if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, acceptor)) {
			*current = None;
		}
	}

	pub(crate) fn pace(&self) -> Pace {
		Pace::new(self.config.stall_timeout, self.config.min_progress)
	}

	/// The handshake, as either side; the caller limits its time. Each side says its `Hello`, the
	/// client first, and both judge the other's.
	pub(crate) async fn shake_hands(
		&self,
		send: &mut SendStream,
		recv: &mut RecvStream,
		first: bool,
	) -> Result<(), TransferError> {
		if first {
			frame::write(send, &self.hello).await?;
		}
		let bytes = frame::read_bytes(recv).await?;
		if !first {
			frame::write(send, &self.hello).await?;
		}
		let malformed = || TransferError::Protocol("not a handshake".into());
		let version = u16::decode(&mut &bytes[..]).map_err(|_| malformed())?;
		if version != self.hello.version {
			self.metrics.wrong_version.add(1);
			return Err(TransferError::WrongVersion { theirs: Some(version) });
		}
		let hello = Hello::decode_all(&mut &bytes[..]).map_err(|_| malformed())?;
		if hello.genesis != self.hello.genesis {
			self.metrics.wrong_genesis.add(1);
			return Err(TransferError::WrongGenesis { theirs: Some(hello.genesis) });
		}
		Ok(())
	}
}

/// With what a connection is closed after a failed handshake.
pub(crate) fn close_code(error: &TransferError) -> VarInt {
	match error {
		TransferError::WrongVersion { .. } => close::WRONG_VERSION,
		TransferError::WrongGenesis { .. } => close::WRONG_GENESIS,
		TransferError::Protocol(_) => close::MALFORMED,
		TransferError::Busy => close::BUSY,
		_ => close::TIMEOUT,
	}
}

/// The one loop that accepts: servers come and go, and none takes what is meant for the next.
async fn accept(endpoint: Endpoint, acceptor: AcceptorSlot) {
	while let Some(incoming) = endpoint.accept().await {
		let current = acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone();
		match current {
			Some(acceptor) => acceptor(incoming),
			None => incoming.refuse(),
		}
	}
}

/// What one stream may have on its way. `noq` gives a connection up when a stream has more than
/// 1,024 gaps, which a burst of loss makes in a larger window: 2 MiB are at most 1,830 packets of
/// 1,200 bytes, and so at most 915 gaps.
const STREAM_WINDOW: u32 = 2 << 20;

fn quic(config: &TransferConfig) -> QuicTransportConfig {
	let streams = u32::try_from(config.max_streams_per_peer).unwrap_or(u32::MAX);
	let window = VarInt::from_u32(config.connection_window);
	let lost = IdleTimeout::try_from(config.lost_timeout).ok();
	QuicTransportConfig::builder()
		// Room for the handshake and for requests that are told `Busy`.
		.max_concurrent_bidi_streams(VarInt::from_u32(streams.saturating_mul(2).saturating_add(8)))
		.max_concurrent_uni_streams(VarInt::from_u32(0))
		.datagram_receive_buffer_size(None)
		.receive_window(window)
		.stream_receive_window(VarInt::from_u32(config.connection_window.min(STREAM_WINDOW)))
		.send_window(u64::from(config.connection_window))
		.max_idle_timeout(lost.or(IdleTimeout::try_from(Duration::from_secs(30)).ok()))
		.build()
}
