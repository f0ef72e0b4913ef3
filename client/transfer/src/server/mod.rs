// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Serves fragments and takes them.

mod get;
mod put;

use crate::{
	FragmentService, MAX_LIST, PeerKey, TransferError,
	address::short,
	endpoint::{Acceptor, Shared, close_code},
	frame,
	protocol::{GetAnswer, ListAnswer, ListRequest, PutAnswer, Request, close, stop},
};
use codec::Encode;
use iroh::endpoint::{Connection, Incoming, IncomingAddr, RecvStream, SendStream};
use planaria_primitives::MAX_FRAGMENT_LEN;
use std::{
	collections::HashMap,
	fmt,
	sync::{
		Arc, Mutex, PoisonError,
		atomic::{AtomicUsize, Ordering::Relaxed},
	},
	time::Duration,
};
use tokio::{
	sync::{OwnedSemaphorePermit, Semaphore, watch},
	task::spawn_blocking,
	time::{Instant, timeout},
};
use tracing::{debug, warn};

/// How long a side that closes a connection waits for its last message to arrive.
const LINGER: Duration = Duration::from_secs(2);

/// How long a request waits for memory before it is told `Busy`: what a peer has just received is
/// given back a round trip later.
const MEMORY_PATIENCE: Duration = Duration::from_secs(1);

/// What a peer must move in the time of a stall while less than a quarter of the memory is free, so
/// that nobody keeps others out by taking what it asked for as slowly as may be.
const SCARCE_PROGRESS: u32 = 1 << 20;

/// How often it is looked whether memory has become scarce.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// More than can ever be served at once.
const ALL: u32 = 1 << 28;

/// A running server. Dropped, it stops at once; [`Server::shutdown`] lets transfers end.
pub struct Server {
	phase: watch::Sender<Phase>,
	/// Every request being served holds one permit.
	served: Arc<Semaphore>,
	acceptor: Arc<Acceptor>,
	shared: Arc<Shared>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
	Open,
	/// What is being served goes on, nothing new begins.
	Draining,
	/// Every connection is closed.
	Closed,
}

impl Server {
	pub(crate) fn spawn<S: FragmentService>(shared: Arc<Shared>, service: Arc<S>) -> Self {
		let (phase, watched) = watch::channel(Phase::Open);
		let served = Arc::new(Semaphore::new(ALL as usize));
		let config = &shared.config;
		let memory = usize::try_from(config.max_bytes_in_flight >> 10).unwrap_or(usize::MAX);
		let memory = memory.min(Semaphore::MAX_PERMITS);
		let state = Arc::new(State {
			service,
			connections: Arc::new(Semaphore::new(config.max_connections)),
			streams: Arc::new(Semaphore::new(config.max_streams)),
			all_memory: memory,
			memory: Arc::new(Semaphore::new(memory)),
			served: served.clone(),
			peers: Mutex::default(),
			phase: watched,
			shared: shared.clone(),
		});
		let acceptor: Arc<Acceptor> = Arc::new(move |incoming| state.accept(incoming));
		shared.set_acceptor(&acceptor);
		Self { phase, served, acceptor, shared }
	}

	/// Takes no new request, lets those being served come to their end for at most `patience`, and
	/// closes the connections; whether all came to their end.
	pub async fn shutdown(self, patience: Duration) -> bool {
		self.phase.send_replace(Phase::Draining);
		// Dropping `self` closes the connections.
		timeout(patience, self.served.acquire_many(ALL)).await.is_ok()
	}
}

impl Drop for Server {
	fn drop(&mut self) {
		self.phase.send_replace(Phase::Closed);
		self.shared.unset_acceptor(&self.acceptor);
	}
}

impl fmt::Debug for Server {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Server").field("phase", &*self.phase.borrow()).finish_non_exhaustive()
	}
}

struct State<S> {
	shared: Arc<Shared>,
	service: Arc<S>,
	connections: Arc<Semaphore>,
	streams: Arc<Semaphore>,
	/// In KiB: what there is, and what is free.
	all_memory: usize,
	memory: Arc<Semaphore>,
	served: Arc<Semaphore>,
	peers: Mutex<HashMap<PeerKey, Arc<Peer>>>,
	phase: watch::Receiver<Phase>,
}

/// What all connections of a peer share.
struct Peer {
	key: PeerKey,
	connections: AtomicUsize,
	streams: Arc<Semaphore>,
	/// What is left of its share, in KiB.
	memory: Arc<Semaphore>,
}

/// Room for bytes of fragments, out of a peer's share and out of what there is.
struct Memory {
	own: OwnedSemaphorePermit,
	all: OwnedSemaphorePermit,
}

impl Memory {
	/// Keeps only the room for so many bytes.
	fn shrink(&mut self, bytes: usize) {
		let kept = bytes.div_ceil(1024);
		for permit in [&mut self.own, &mut self.all] {
			let rest = permit.num_permits().saturating_sub(kept);
			drop(permit.split(rest));
		}
	}
}

/// What a peer was sent and has not yet got.
struct Sent {
	bytes: u32,
	_memory: Memory,
}

/// The right to work on one request. It is given back before the answer's end is sent, so that a
/// client that has seen the end never finds its place still taken.
struct Slot {
	_peer: OwnedSemaphorePermit,
	_all: OwnedSemaphorePermit,
}

impl<S: FragmentService> State<S> {
	/// Takes a connection that a peer opens.
	fn accept(self: &Arc<Self>, incoming: Incoming) {
		if *self.phase.borrow() != Phase::Open {
			return incoming.refuse();
		}
		let Ok(permit) = self.connections.clone().try_acquire_owned() else {
			self.shared.metrics.busy.add(1);
			debug!("too many connections, one refused");
			return incoming.refuse();
		};
		// With half the places taken, a packet's sender shows first that it is where it says.
		let crowded = self.connections.available_permits() < self.shared.config.max_connections / 2;
		let direct = matches!(incoming.remote_addr(), IncomingAddr::Ip(_));
		if crowded && direct && !incoming.remote_addr_validated() {
			let _ = incoming.retry();
			return;
		}
		let state = self.clone();
		tokio::spawn(async move {
			state.connection(incoming).await;
			drop(permit);
		});
	}

	async fn connection(self: Arc<Self>, incoming: Incoming) {
		let patience = self.shared.config.handshake_timeout;
		let connection = match timeout(patience, incoming).await {
			Ok(Ok(connection)) => connection,
			Ok(Err(error)) => return debug!(%error, "no connection"),
			Err(_) => return debug!("a connection was not made in time"),
		};
		let _open = self.shared.metrics.connections.during();
		let key = *connection.remote_id().as_bytes();
		let peer = self.enter(key);
		let result = timeout(patience, self.greet(&connection, &peer)).await;
		match result.unwrap_or(Err(TransferError::Stalled)) {
			Ok(()) => self.requests(&connection, &peer).await,
			Err(error) => {
				debug!(peer = %short(&key), %error, "handshake failed");
				connection.close(close_code(&error), error.to_string().as_bytes());
			},
		}
		self.leave(&peer);
	}

	fn enter(&self, key: PeerKey) -> Arc<Peer> {
		let streams = self.shared.config.max_streams_per_peer;
		let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
		let peer = peers.entry(key).or_insert_with(|| {
			let streams = Arc::new(Semaphore::new(streams));
			// Half of all, which is room for a fragment in each of its streams by default.
			let share = (self.all_memory / 2).max(MAX_FRAGMENT_LEN as usize / 1024);
			let memory = Arc::new(Semaphore::new(share));
			Arc::new(Peer { key, connections: AtomicUsize::new(0), streams, memory })
		});
		peer.connections.fetch_add(1, Relaxed);
		peer.clone()
	}

	fn leave(&self, peer: &Peer) {
		let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
		if peer.connections.fetch_sub(1, Relaxed) == 1 {
			peers.remove(&peer.key);
		}
	}

	async fn greet(&self, connection: &Connection, peer: &Peer) -> Result<(), TransferError> {
		if peer.connections.load(Relaxed) > self.shared.config.max_connections_per_peer {
			self.shared.metrics.busy.add(1);
			return Err(TransferError::Busy);
		}
		let (mut send, mut recv) = connection.accept_bi().await?;
		let result = self.shared.shake_hands(&mut send, &mut recv, false).await;
		let _ = send.finish();
		if result.is_err() {
			// So that the peer learns what this side is before the connection is gone.
			let _ = timeout(LINGER, send.stopped()).await;
		}
		result
	}

	async fn requests(self: &Arc<Self>, connection: &Connection, peer: &Arc<Peer>) {
		let mut phase = self.phase.clone();
		let idle = 2 * self.shared.config.idle_timeout;
		loop {
			tokio::select! {
				biased;
				_ = phase.wait_for(|phase| *phase == Phase::Closed) => {
					return connection.close(close::SHUTDOWN, b"shutdown");
				},
				stream = timeout(idle, connection.accept_bi()) => match stream {
					Ok(Ok((send, recv))) => {
						let (state, peer, connection) =
							(self.clone(), peer.clone(), connection.clone());
						tokio::spawn(async move {
							state.request(&connection, &peer, send, recv).await;
						});
					},
					Ok(Err(error)) => return debug!(peer = %short(&peer.key), %error, "gone"),
					Err(_) if self.is_idle(peer) => return connection.close(close::IDLE, b"idle"),
					Err(_) => {},
				},
			}
		}
	}

	fn is_idle(&self, peer: &Peer) -> bool {
		peer.streams.available_permits() == self.shared.config.max_streams_per_peer
	}

	async fn request(
		&self,
		connection: &Connection,
		peer: &Peer,
		mut send: SendStream,
		mut recv: RecvStream,
	) {
		let patience = self.shared.config.request_timeout;
		let request = match timeout(patience, frame::read::<Request>(&mut recv)).await {
			Ok(Ok(request)) => request,
			Ok(Err(error)) if error.is_malformed() => {
				self.shared.metrics.malformed.add(1);
				debug!(peer = %short(&peer.key), %error, "malformed request");
				return connection.close(close::MALFORMED, error.to_string().as_bytes());
			},
			// Dropping the streams ends them.
			Ok(Err(error)) => return debug!(peer = %short(&peer.key), %error, "no request"),
			Err(_) => return debug!(peer = %short(&peer.key), "no request in time"),
		};
		if *self.phase.borrow() == Phase::Closed {
			// Not `Busy`: the client shall connect again, perhaps to the next server.
			return connection.close(close::SHUTDOWN, b"shutdown");
		}
		let _active = self.shared.metrics.active.during();
		let served = self.served.try_acquire();
		let slot = if served.is_ok() { self.slot(peer) } else { None };
		let result = match (slot, request) {
			(None, request) => {
				self.shared.metrics.busy.add(1);
				busy(&mut send, &request).await.map(|()| None)
			},
			(Some(slot), Request::Get(request)) => self.get(peer, request, slot, &mut send).await,
			(Some(slot), Request::Put(offer)) => {
				self.put(peer, offer, slot, &mut send, &mut recv).await.map(|()| None)
			},
			(Some(slot), Request::List(request)) => {
				self.list(peer, request, slot, &mut send).await.map(|()| None)
			},
		};
		let result = match result {
			Ok(sent) => self.finish(&mut send, sent).await,
			Err(error) => Err(error),
		};
		if let Err(error) = result {
			let metrics = &self.shared.metrics;
			match &error {
				TransferError::Stalled => metrics.stalled.add(1),
				TransferError::WrongBytes { .. } => metrics.blame(&peer.key),
				_ => metrics.interrupted.add(1),
			}
			debug!(peer = %short(&peer.key), %error, "transfer failed");
		}
	}

	/// Waits until the peer has got everything, and holds a fragment's memory until then. What was
	/// handed over is no more than the peer said it takes, so only the line can be slow now.
	async fn finish(&self, send: &mut SendStream, sent: Option<Sent>) -> Result<(), TransferError> {
		let _ = send.finish();
		let config = &self.shared.config;
		let patience = || match &sent {
			Some(sent) => {
				let bytes = sent.bytes.min(config.connection_window);
				config.stall_timeout.saturating_mul(bytes / self.least_progress() + 1)
			},
			None => config.request_timeout,
		};
		let since = Instant::now();
		let mut left = patience();
		while timeout(left.min(LOOK_EVERY), send.stopped()).await.is_err() {
			left = patience().saturating_sub(since.elapsed());
			if left.is_zero() {
				let _ = send.reset(stop::STALLED);
				return Err(TransferError::Stalled);
			}
		}
		Ok(())
	}

	/// A place for a request, unless all are taken or no new request is served.
	fn slot(&self, peer: &Peer) -> Option<Slot> {
		if *self.phase.borrow() != Phase::Open {
			return None;
		}
		let _peer = peer.streams.clone().try_acquire_owned().ok()?;
		let _all = self.streams.clone().try_acquire_owned().ok()?;
		Some(Slot { _peer, _all })
	}

	/// Room for so many bytes of fragments; none if there is none soon.
	async fn memory(&self, peer: &Peer, bytes: u32) -> Option<Memory> {
		let room = async {
			let own = peer.memory.clone().acquire_many_owned(bytes.div_ceil(1024)).await.ok()?;
			let all = self.memory.clone().acquire_many_owned(bytes.div_ceil(1024)).await.ok()?;
			Some(Memory { own, all })
		};
		let room = timeout(MEMORY_PATIENCE, room).await.ok().flatten();
		if room.is_none() {
			self.shared.metrics.busy.add(1);
		}
		room
	}

	/// What a peer must move in the time of a stall.
	fn least_progress(&self) -> u32 {
		let least = self.shared.config.min_progress;
		let scarce = self.memory.available_permits() < self.all_memory / 4;
		if scarce { least.max(SCARCE_PROGRESS) } else { least }
	}

	async fn list(
		&self,
		peer: &Peer,
		request: ListRequest,
		slot: Slot,
		send: &mut SendStream,
	) -> Result<(), TransferError> {
		let (service, key) = (self.service.clone(), peer.key);
		let limit = usize::from(request.limit.min(MAX_LIST));
		let listed =
			spawn_blocking(move || service.list(&key, request.after.as_ref(), limit)).await;
		drop(slot);
		let answer = match listed {
			Ok(Ok(mut names)) => {
				names.truncate(limit);
				self.shared.metrics.lists_served.add(1);
				ListAnswer::Names(names)
			},
			Ok(Err(error)) => self.store_failed(&error, ListAnswer::Failed),
			Err(error) => self.store_failed(&error, ListAnswer::Failed),
		};
		self.answer(send, &answer).await
	}

	/// Sends a message to a peer that may not read it.
	async fn answer(
		&self,
		send: &mut SendStream,
		answer: &impl Encode,
	) -> Result<(), TransferError> {
		let patience = self.shared.config.request_timeout;
		timeout(patience, frame::write(send, answer))
			.await
			.map_err(|_| TransferError::Stalled)??;
		Ok(())
	}

	fn store_failed<T>(&self, error: &dyn std::fmt::Display, answer: T) -> T {
		self.shared.metrics.store_errors.add(1);
		warn!(%error, "the store failed");
		answer
	}
}

/// Says `Busy` in the words of the request.
async fn busy(send: &mut SendStream, request: &Request) -> Result<(), TransferError> {
	match request {
		Request::Get(_) => frame::write(send, &GetAnswer::Busy).await?,
		Request::Put(_) => frame::write(send, &PutAnswer::Busy).await?,
		Request::List(_) => frame::write(send, &ListAnswer::Busy).await?,
	}
	Ok(())
}
