// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Having a fragment durable again, from wherever it can be had.

use crate::{
	chain::{At, Chain, ChainError},
	config::EngineConfig,
	peers::{Fetched, Peers},
	sources,
};
use futures::{StreamExt, stream::FuturesUnordered};
use planaria_erasure::Coder;
use planaria_primitives::{FileSpec, FragmentName, MinerId, SpecError};
use planaria_runtime_api::{FileLife, FragmentRecord};
use planaria_store::{
	BeginError, FragmentStore, FragmentStoreExt, FragmentUse, PutError, StoreError,
};
use planaria_transfer::PeerAddr;
use std::{
	collections::HashMap,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// How long an endpoint that was read from the chain is believed.
const ENDPOINT_AGE: Duration = Duration::from_secs(60);

/// What a restoration needs.
#[derive(Clone)]
pub(crate) struct Restorer {
	pub(crate) chain: Arc<dyn Chain>,
	pub(crate) store: Arc<dyn FragmentStore>,
	pub(crate) peers: Arc<dyn Peers>,
	pub(crate) config: Arc<EngineConfig>,
	/// One segment in memory at a time.
	pub(crate) rebuilding: Arc<Semaphore>,
	pub(crate) endpoints: Arc<Endpoints>,
}

/// How a fragment was restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Restored {
	/// Rebuilt from others; otherwise copied from its holder, or it was here.
	pub(crate) rebuilt: bool,
	/// Its length.
	pub(crate) len: u64,
	/// Bytes read from other miners.
	pub(crate) read: u64,
	/// Sources that were caught with wrong bytes.
	pub(crate) lies: u64,
}

/// Why a fragment could not be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
	/// The chain's record is unusable.
	#[error("the chain's record of the file is unusable: {0}")]
	Spec(#[from] SpecError),
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The file is gone or not restorable.
	#[error("the file is being removed")]
	Removed,
	/// Too few sources answered.
	#[error("only {got} of the {needed} fragments that are needed could be fetched; last: {last}")]
	Sources { got: usize, needed: u8, last: String },
	/// What was fetched does not decode to the file.
	#[error("the other fragments do not decode to the file: {0}")]
	Decode(#[from] planaria_erasure::RestoreError),
	/// The store cannot take it, and trying again will not help.
	#[error("{0}")]
	NoRoom(String),
	/// The store failed.
	#[error("{0}")]
	Store(String),
	/// The node stops.
	#[error("the node stops")]
	Stopped,
}

impl RestoreError {
	/// Whether another attempt is pointless for now.
	pub(crate) const fn is_final(&self) -> bool {
		matches!(self, Self::NoRoom(_) | Self::Removed | Self::Spec(_) | Self::Decode(_))
	}
}

impl From<PutError> for RestoreError {
	fn from(error: PutError) -> Self {
		match &error {
			PutError::Begin(begin) => begin_error(begin),
			_ => Self::Store(error.to_string()),
		}
	}
}

fn begin_error(error: &BeginError) -> RestoreError {
	let text = error.to_string();
	if error.is_full() || matches!(error, BeginError::Store(StoreError::ReadOnly { .. })) {
		RestoreError::NoRoom(text)
	} else {
		RestoreError::Store(text)
	}
}

impl Restorer {
	/// Restores the fragment of `record` for miner `me`: a copy from its holder where that serves,
	/// otherwise rebuilt from any `data` others.
	pub(crate) async fn restore(
		&self,
		me: MinerId,
		record: &FragmentRecord,
	) -> Result<Restored, RestoreError> {
		if !matches!(record.state, FileLife::Active | FileLife::Pending) {
			return Err(RestoreError::Removed);
		}
		let spec = FileSpec::new(record.size, record.coding)?;
		let len = u64::from(spec.fragment_len(record.name.segment));
		let mut restored = Restored { len, ..Restored::default() };
		if let Some(fetched) = self.copy(me, record, &spec, &mut restored).await? {
			let of = FragmentUse { name: record.name, spec, sidecar: fetched.sidecar };
			self.put(move |store| store.put_bytes(fetched.hash, &of, &fetched.bytes).map(drop))
				.await?;
			return Ok(restored);
		}
		restored.rebuilt = true;
		self.rebuild(me, record, &spec, &mut restored).await?;
		Ok(restored)
	}

	/// The fragment as its holder has it.
	async fn copy(
		&self,
		me: MinerId,
		record: &FragmentRecord,
		spec: &FileSpec,
		restored: &mut Restored,
	) -> Result<Option<Fetched>, RestoreError> {
		let holder = record.holders.get(usize::from(record.name.index)).copied().flatten();
		let Some(holder) = holder.filter(|holder| *holder != me) else { return Ok(None) };
		let Some(peer) = self.endpoints.get(&*self.chain, holder).await? else { return Ok(None) };
		match self.peers.get(&peer, &record.name, spec).await {
			Ok(fetched) => {
				restored.read += restored.len;
				Ok(Some(fetched))
			},
			Err(error) => {
				restored.lies += u64::from(error.lied);
				tracing::debug!(name = %record.name, %holder, %error, "the holder does not give it");
				Ok(None)
			},
		}
	}

	async fn rebuild(
		&self,
		me: MinerId,
		record: &FragmentRecord,
		spec: &FileSpec,
		restored: &mut Restored,
	) -> Result<(), RestoreError> {
		let _permit = self.rebuilding.acquire().await.map_err(|_| RestoreError::Stopped)?;
		let sources = self.gather(me, record, spec, restored).await?;
		let (name, spec) = (record.name, *spec);
		self.put_rebuilt(name, spec, sources).await
	}

	/// Any `data` other fragments of the segment, from as many holders; a slow one is joined by a
	/// spare, a failing one replaced.
	async fn gather(
		&self,
		me: MinerId,
		record: &FragmentRecord,
		spec: &FileSpec,
		restored: &mut Restored,
	) -> Result<Vec<(u8, Fetched)>, RestoreError> {
		let needed = usize::from(spec.data());
		let mut sources = sources::siblings(record, me, &mut rand::rng()).into_iter();
		let mut running = FuturesUnordered::new();
		let mut fetched: Vec<(u8, Fetched)> = Vec::with_capacity(needed);
		let mut last = String::from("nobody else holds any");
		let mut wanted = needed;
		let mut exhausted = false;
		loop {
			while !exhausted && running.len() < wanted {
				let Some((index, holder)) = sources.next() else {
					exhausted = true;
					break;
				};
				let name = FragmentName { index, ..record.name };
				running.push(async move {
					let result = match self.endpoints.get(&*self.chain, holder).await {
						Ok(Some(peer)) => self.peers.get(&peer, &name, spec).await,
						Ok(None) => Err(unreachable("the miner is gone".into())),
						Err(error) => Err(unreachable(error.to_string())),
					};
					(index, holder, result)
				});
			}
			let next = tokio::time::timeout(self.config.hedge_after, running.next()).await;
			match next {
				Ok(Some((index, _, Ok(fragment)))) => {
					restored.read += restored.len;
					fetched.push((index, fragment));
					wanted = wanted.saturating_sub(1);
					if fetched.len() == needed {
						return Ok(fetched);
					}
				},
				Ok(Some((index, holder, Err(error)))) => {
					tracing::debug!(name = %record.name, index, %holder, %error, "a source failed");
					restored.lies += u64::from(error.lied);
					last = error.reason;
				},
				Ok(None) => {
					let needed = spec.data();
					return Err(RestoreError::Sources { got: fetched.len(), needed, last });
				},
				Err(_) if !exhausted => wanted += 1,
				Err(_) => (),
			}
		}
	}

	async fn put_rebuilt(
		&self,
		name: FragmentName,
		spec: FileSpec,
		sources: Vec<(u8, Fetched)>,
	) -> Result<(), RestoreError> {
		let store = self.store.clone();
		let work = move || {
			let sidecar = &sources.first().ok_or(RestoreError::Stopped)?.1.sidecar;
			let fragments: Vec<(u8, &[u8])> =
				sources.iter().map(|(index, fetched)| (*index, &fetched.bytes[..])).collect();
			let (segment, sidecars) =
				Coder::new(spec).restore(&name.file_id, name.segment, &fragments, sidecar)?;
			let index = usize::from(name.index);
			let (Some(bytes), Some(hash), Some(sidecar)) =
				(segment.fragment(name.index), segment.hashes().get(index), sidecars.get(index))
			else {
				return Err(RestoreError::Removed);
			};
			let of = FragmentUse { name, spec, sidecar: sidecar.clone() };
			store.put_bytes(*hash, &of, bytes)?;
			Ok(())
		};
		tokio::task::spawn_blocking(work).await.map_err(|_| RestoreError::Stopped)?
	}

	async fn put(
		&self,
		put: impl FnOnce(&dyn FragmentStore) -> Result<(), PutError> + Send + 'static,
	) -> Result<(), RestoreError> {
		let store = self.store.clone();
		tokio::task::spawn_blocking(move || put(&*store))
			.await
			.map_err(|_| RestoreError::Stopped)?
			.map_err(Into::into)
	}
}

fn unreachable(reason: String) -> crate::PeerError {
	crate::PeerError { reason, lied: false }
}

/// Where the miners are, as read from the chain a moment ago. At most 4,096 are remembered.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(Mutex<HashMap<MinerId, (Instant, Option<PeerAddr>)>>);

impl Endpoints {
	async fn get(&self, chain: &dyn Chain, miner: MinerId) -> Result<Option<PeerAddr>, ChainError> {
		let known = self.lock().get(&miner).cloned();
		if let Some((_, peer)) = known.filter(|(at, _)| at.elapsed() < ENDPOINT_AGE) {
			return Ok(peer);
		}
		let peer = chain
			.miner(At::Best, miner)
			.await?
			.map(|status| PeerAddr { key: status.endpoint_key, addrs: status.endpoint_addrs });
		let mut endpoints = self.lock();
		if endpoints.len() >= 4096 {
			endpoints.clear();
		}
		endpoints.insert(miner, (Instant::now(), peer.clone()));
		Ok(peer)
	}

	fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<MinerId, (Instant, Option<PeerAddr>)>> {
		self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
	}
}
