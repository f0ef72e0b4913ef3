// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a transfer endpoint may use, and how long it waits.

use crate::GROUP_LEN;
use planaria_primitives::MAX_FRAGMENT_LEN;
use std::{net::SocketAddr, num::NonZeroU64, time::Duration};

/// Who an endpoint is and where it listens.
#[derive(Clone)]
pub struct EndpointConfig {
	/// The ed25519 secret key whose public key peers know this endpoint by.
	pub secret_key: [u8; 32],
	/// The chain: peers of another are refused.
	pub genesis: [u8; 32],
	/// Where to listen: at most one address per family. Empty: every interface, any port.
	pub bind: Vec<SocketAddr>,
	/// URLs of the relays that help behind NAT: this endpoint is reached through the nearest of
	/// them, and peers through those that their own addresses name, whichever these are. Empty:
	/// relays off, and nothing but what is dialled is ever contacted: no relay, no name service, no
	/// port mapping.
	pub relays: Vec<String>,
}

impl std::fmt::Debug for EndpointConfig {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("EndpointConfig")
			.field("bind", &self.bind)
			.field("relays", &self.relays)
			.finish_non_exhaustive()
	}
}

/// Limits and timeouts. The defaults suit a miner with a home connection. Counts of 0 are taken as
/// 1, times above a day as a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferConfig {
	/// Connections a server keeps, all peers together.
	pub max_connections: usize,
	/// Connections a server keeps with one peer.
	pub max_connections_per_peer: usize,
	/// Requests a server works on at once, all peers together; further ones get `Busy`.
	pub max_streams: usize,
	/// Requests at once with one peer. A server answers further ones with `Busy`; a client waits.
	pub max_streams_per_peer: usize,
	/// Fragment bytes a server holds in memory at once, all transfers together; what does not fit
	/// gets `Busy`. At least 8 MiB are used; one peer has half of them, or 8 MiB where that is more.
	pub max_bytes_in_flight: u64,
	/// What one connection may have on its way in each direction: bytes received and not yet read,
	/// bytes written and not yet acknowledged. Times [`max_connections`](Self::max_connections),
	/// this is the most that hostile peers can make the network code hold.
	pub connection_window: u32,
	/// Peers a client stays connected to; the longest idle ones are let go first.
	pub max_pooled_peers: usize,

	/// From dialling, or from a peer's first packet, to the end of the handshake.
	pub handshake_timeout: Duration,
	/// From the opening of a stream to its request; from the request to its answer.
	pub request_timeout: Duration,
	/// From the last byte of a put to the acknowledgement that it is on disk.
	pub commit_timeout: Duration,
	/// A peer that moves less than [`min_progress`](Self::min_progress) bytes in this time is cut.
	/// While less than a quarter of [`max_bytes_in_flight`](Self::max_bytes_in_flight) is free, a
	/// server cuts who takes less than 1 MiB.
	pub stall_timeout: Duration,
	/// See [`stall_timeout`](Self::stall_timeout).
	pub min_progress: u32,
	/// A connection without a request is closed after this time by the client, and after twice
	/// this time by the server.
	pub idle_timeout: Duration,
	/// A peer that is silent for this long, keep-alives included, is gone.
	pub lost_timeout: Duration,

	/// Bytes per second sent, all peers together. It can be changed while running. It should leave
	/// each of [`max_streams`](Self::max_streams) the progress that peers expect.
	pub upload_rate: Option<NonZeroU64>,
	/// Bytes per second received, all peers together. It can be changed while running.
	pub download_rate: Option<NonZeroU64>,

	/// How often a get that broke goes on at the same peer before it fails.
	pub resume_attempts: u32,
}

impl Default for TransferConfig {
	fn default() -> Self {
		Self {
			max_connections: 256,
			max_connections_per_peer: 4,
			max_streams: 64,
			max_streams_per_peer: 8,
			max_bytes_in_flight: 16 * u64::from(MAX_FRAGMENT_LEN),
			connection_window: MAX_FRAGMENT_LEN,
			max_pooled_peers: 256,
			handshake_timeout: Duration::from_secs(10),
			request_timeout: Duration::from_secs(20),
			commit_timeout: Duration::from_secs(60),
			stall_timeout: Duration::from_secs(30),
			min_progress: 4 * GROUP_LEN,
			idle_timeout: Duration::from_secs(60),
			lost_timeout: Duration::from_secs(20),
			upload_rate: None,
			download_rate: None,
			resume_attempts: 2,
		}
	}
}

impl TransferConfig {
	/// Every value within what the machinery below can do.
	pub(crate) fn sane(mut self) -> Self {
		const DAY: Duration = Duration::from_secs(86_400);
		for count in [
			&mut self.max_connections,
			&mut self.max_connections_per_peer,
			&mut self.max_streams,
			&mut self.max_streams_per_peer,
			&mut self.max_pooled_peers,
		] {
			*count = (*count).clamp(1, 1 << 16);
		}
		for time in [
			&mut self.handshake_timeout,
			&mut self.request_timeout,
			&mut self.commit_timeout,
			&mut self.stall_timeout,
			&mut self.idle_timeout,
			&mut self.lost_timeout,
		] {
			*time = (*time).min(DAY);
		}
		self.max_bytes_in_flight =
			self.max_bytes_in_flight.clamp(u64::from(MAX_FRAGMENT_LEN), 1 << 40);
		self.connection_window = self.connection_window.max(4 * GROUP_LEN);
		self.min_progress = self.min_progress.max(1);
		self
	}
}
