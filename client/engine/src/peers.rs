// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where fragments of others come from.

use async_trait::async_trait;
use bytes::Bytes;
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, Sidecar};
use planaria_transfer::{Client, Fetch, PeerAddr};

/// A fragment that was verified against its file's id while it arrived.
#[derive(Clone, Debug)]
pub struct Fetched {
	/// Which bytes.
	pub hash: FragmentHash,
	/// Proves the hash up to the file's id.
	pub sidecar: Sidecar,
	/// The bytes.
	pub bytes: Bytes,
}

/// Why a peer did not give a fragment.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct PeerError {
	/// What happened.
	pub reason: String,
	/// Whether the peer was caught with wrong bytes or a wrong sidecar.
	pub lied: bool,
}

/// Fetches fragments from other miners.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
	/// Fetches a whole fragment; what is returned has been verified against `name.file_id`.
	async fn get(
		&self,
		from: &PeerAddr,
		name: &FragmentName,
		spec: &FileSpec,
	) -> Result<Fetched, PeerError>;
}

#[async_trait]
impl Peers for Client {
	async fn get(
		&self,
		from: &PeerAddr,
		name: &FragmentName,
		spec: &FileSpec,
	) -> Result<Fetched, PeerError> {
		match Client::get(self, from, Fetch::new(*name, *spec)).await {
			Ok(data) => Ok(Fetched { hash: data.hash, sidecar: data.sidecar, bytes: data.bytes }),
			Err(error) => {
				Err(PeerError { lied: error.is_peers_fault(), reason: error.to_string() })
			},
		}
	}
}
