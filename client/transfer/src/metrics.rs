// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a [`Transfer`](crate::Transfer) counts.

use crate::PeerKey;
use std::{
	collections::HashMap,
	sync::{
		Mutex, PoisonError,
		atomic::{AtomicU64, Ordering::Relaxed},
	},
};

/// Peers whose wrong bytes are counted one by one; those of further ones only in the sum.
const MAX_BLAMED: usize = 1024;

macro_rules! metrics {
	($($(#[$doc:meta])* $name:ident,)*) => {
		/// What a transfer endpoint did since it was bound, as server and as client together.
		#[derive(Clone, Default, PartialEq, Eq, Debug)]
		#[non_exhaustive]
		pub struct TransferMetrics {
			$($(#[$doc])* pub $name: u64,)*
			/// Wrong bytes and sidecars by peer, for at most 1,024 peers.
			pub wrong_bytes_by_peer: Vec<(PeerKey, u64)>,
		}

		#[derive(Default, Debug)]
		pub(crate) struct Counters {
			$(pub $name: Counter,)*
			blamed: Mutex<HashMap<PeerKey, u64>>,
		}

		impl Counters {
			pub(crate) fn snapshot(&self) -> TransferMetrics {
				let blamed = self.blamed.lock().unwrap_or_else(PoisonError::into_inner);
				TransferMetrics {
					$($name: self.$name.0.load(Relaxed),)*
					wrong_bytes_by_peer: blamed.iter().map(|(key, count)| (*key, *count)).collect(),
				}
			}
		}
	};
}

metrics! {
	/// Fragment bytes received and verified.
	bytes_in,
	/// Fragment bytes and hashes handed to the network.
	bytes_out,
	/// Connections open now, to and from peers.
	connections,
	/// Requests being worked on now, own and peers'.
	active,
	/// Gets served to the end.
	gets_served,
	/// Puts taken and on disk.
	puts_stored,
	/// Lists served.
	lists_served,
	/// Own gets that came to their end.
	gets_done,
	/// Own puts that were acknowledged.
	puts_done,
	/// Connections and requests turned away because there was too much to do.
	busy,
	/// Offers refused for another reason.
	refused,
	/// Peers of another chain.
	wrong_genesis,
	/// Peers of another version.
	wrong_version,
	/// Peers that sent what is no message.
	malformed,
	/// Transfers stopped at a wrong byte or sidecar.
	wrong_bytes,
	/// Transfers cut because the peer was too slow.
	stalled,
	/// Transfers that broke.
	interrupted,
	/// Own fragments found damaged when they were asked for.
	damaged,
	/// Reads, writes and syncs of the store that failed.
	store_errors,
}

impl Counters {
	pub(crate) fn blame(&self, peer: &PeerKey) {
		self.wrong_bytes.add(1);
		let mut blamed = self.blamed.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(count) = blamed.get_mut(peer) {
			*count += 1;
		} else if blamed.len() < MAX_BLAMED {
			blamed.insert(*peer, 1);
		}
	}
}

#[derive(Default, Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
	pub(crate) fn add(&self, count: u64) {
		self.0.fetch_add(count, Relaxed);
	}

	pub(crate) fn sub(&self, count: u64) {
		self.0.fetch_sub(count, Relaxed);
	}

	/// Counts something that goes on, until the guard is dropped.
	pub(crate) fn during(&self) -> impl Drop + Send + use<'_> {
		self.add(1);
		During(self)
	}
}

struct During<'a>(&'a Counter);

impl Drop for During<'_> {
	fn drop(&mut self) {
		self.0.sub(1);
	}
}
