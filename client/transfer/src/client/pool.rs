// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Connections to peers, kept while they are used.

use crate::{
	PeerAddr, PeerKey, TransferError,
	address::short,
	endpoint::{Shared, close_code},
	frame,
	protocol::{ALPN, close},
};
use codec::Encode;
use iroh::endpoint::{Connection, RecvStream, SendStream};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError, Weak},
	time::Duration,
};
use tokio::{
	sync::{OwnedSemaphorePermit, Semaphore},
	time::{Instant, sleep, timeout},
};
use tracing::debug;

/// Connections by peer, with the places for requests on each.
#[derive(Debug)]
pub(super) struct Pool {
	pub shared: Arc<Shared>,
	peers: Mutex<HashMap<PeerKey, Arc<Peer>>>,
}

#[derive(Debug)]
struct Peer {
	open: Mutex<Option<Connection>>,
	/// Locked while connecting, so that there is one attempt at a time.
	connecting: tokio::sync::Mutex<()>,
	used: Mutex<Instant>,
	places: Arc<Semaphore>,
}

/// A stream on which a request was sent.
pub(super) struct Exchange {
	pub send: SendStream,
	pub recv: RecvStream,
	/// Kept for as long as the streams are used.
	pub place: Place,
}

/// A place for a request on a connection.
pub(super) struct Place {
	_permit: OwnedSemaphorePermit,
	peer: Arc<Peer>,
}

impl Drop for Place {
	fn drop(&mut self) {
		self.peer.touch();
	}
}

impl Peer {
	fn touch(&self) {
		*self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
	}

	fn unused_since(&self) -> Instant {
		*self.used.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn is_idle(&self, places: usize) -> bool {
		self.places.available_permits() == places
	}

	fn open(&self) -> Option<Connection> {
		let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
		open.as_ref().filter(|connection| connection.close_reason().is_none()).cloned()
	}

	fn close(&self, reason: &[u8]) {
		let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
		if let Some(connection) = open {
			connection.close(close::DONE, reason);
		}
	}
}

impl Pool {
	pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
		let pool = Arc::new(Self { shared, peers: Mutex::default() });
		tokio::spawn(sweep(Arc::downgrade(&pool)));
		pool
	}

	/// Sends a request and waits for the answer's bytes.
	///
	/// A kept connection may have been closed by the peer in the meantime; then a new one is tried
	/// once.
	pub(super) async fn exchange(
		&self,
		addr: &PeerAddr,
		request: &impl Encode,
	) -> Result<(Exchange, Vec<u8>), TransferError> {
		let peer = self.peer(&addr.key);
		let permit =
			peer.places.clone().acquire_owned().await.map_err(|_| TransferError::Closed)?;
		let mut place = Place { _permit: permit, peer };
		loop {
			let (connection, kept) = self.connection(addr, &place.peer).await?;
			let patience = self.shared.config.request_timeout;
			let asked = timeout(patience, ask(&connection, request, place)).await;
			match asked.unwrap_or(Err((TransferError::Stalled, None))) {
				Ok(answered) => return Ok(answered),
				Err((TransferError::Interrupted(_) | TransferError::Closed, Some(unused)))
					if kept && connection.close_reason().is_some() =>
				{
					place = unused;
				},
				Err((error, _)) => return Err(error),
			}
		}
	}

	fn peer(&self, key: &PeerKey) -> Arc<Peer> {
		let config = &self.shared.config;
		let places = config.max_streams_per_peer;
		let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(peer) = peers.get(key) {
			peer.touch();
			return peer.clone();
		}
		while peers.len() >= config.max_pooled_peers.max(1) {
			let idle = peers.iter().filter(|(_, peer)| peer.is_idle(places));
			let Some(oldest) =
				idle.min_by_key(|(_, peer)| peer.unused_since()).map(|(key, _)| *key)
			else {
				break;
			};
			if let Some(peer) = peers.remove(&oldest) {
				peer.close(b"too many peers");
			}
		}
		let peer = Arc::new(Peer {
			open: Mutex::default(),
			connecting: tokio::sync::Mutex::default(),
			used: Mutex::new(Instant::now()),
			places: Arc::new(Semaphore::new(places)),
		});
		peers.insert(*key, peer.clone());
		peer
	}

	/// The peer's connection, and whether it was there already.
	async fn connection(
		&self,
		addr: &PeerAddr,
		peer: &Peer,
	) -> Result<(Connection, bool), TransferError> {
		let _connecting = peer.connecting.lock().await;
		if let Some(connection) = peer.open() {
			return Ok((connection, true));
		}
		let connection = timeout(self.shared.config.handshake_timeout, self.connect(addr))
			.await
			.map_err(|_| TransferError::Connect("no answer in time".into()))??;
		*peer.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
		let (shared, watched) = (self.shared.clone(), connection.weak_handle());
		tokio::spawn(async move {
			let _open = shared.metrics.connections.during();
			watched.closed().await;
		});
		Ok((connection, false))
	}

	async fn connect(&self, addr: &PeerAddr) -> Result<Connection, TransferError> {
		if self.shared.endpoint.is_closed() {
			return Err(TransferError::Closed);
		}
		let target = addr.resolve(self.shared.relays)?;
		let connection = self.shared.endpoint.connect(target, ALPN).await?;
		let (mut send, mut recv) = connection.open_bi().await?;
		if let Err(error) = self.shared.shake_hands(&mut send, &mut recv, true).await {
			debug!(peer = %short(&addr.key), %error, "handshake failed");
			connection.close(close_code(&error), error.to_string().as_bytes());
			return Err(error);
		}
		let _ = send.finish();
		Ok(connection)
	}

	/// Closes every connection.
	pub(super) fn disconnect(&self) {
		let peers = std::mem::take(&mut *self.peers.lock().unwrap_or_else(PoisonError::into_inner));
		for peer in peers.values() {
			peer.close(b"done");
		}
	}

	fn close_idle(&self) {
		let config = &self.shared.config;
		let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
		peers.retain(|_, peer| {
			let used = !peer.is_idle(config.max_streams_per_peer)
				|| peer.unused_since().elapsed() < config.idle_timeout;
			if !used {
				peer.close(b"idle");
			}
			used
		});
	}
}

async fn sweep(pool: Weak<Pool>) {
	loop {
		let Some(pause) = pool.upgrade().map(|pool| pool.shared.config.idle_timeout / 4) else {
			return;
		};
		sleep(pause.max(Duration::from_millis(50))).await;
		if let Some(pool) = pool.upgrade() {
			pool.close_idle();
		}
	}
}

/// Sends a request on a new stream. On failure the place is given back, to be used again.
async fn ask(
	connection: &Connection,
	request: &impl Encode,
	place: Place,
) -> Result<(Exchange, Vec<u8>), (TransferError, Option<Place>)> {
	let asked = async {
		let (mut send, mut recv) = connection.open_bi().await?;
		frame::write(&mut send, request).await?;
		let answer = frame::read_bytes(&mut recv).await?;
		Ok::<_, TransferError>((send, recv, answer))
	};
	match asked.await {
		Ok((send, recv, answer)) => Ok((Exchange { send, recv, place }, answer)),
		Err(error) => Err((error, Some(place))),
	}
}
