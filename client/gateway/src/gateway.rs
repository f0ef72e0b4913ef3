// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The gateway: its parts, put together.

use crate::{
	backend::{Backend, BackendError},
	cache::Cache,
	catalog::{Catalog, Piece, reserve::RESERVE},
	config::Config,
	error::{CatalogError, Error},
	keys::{Keys, KeysError},
	metrics::Metrics,
	network::Network,
	peers::Peers,
	reading::Library,
	replica::Replica,
	sealing::Sealing,
	spool::{Limits, Spool},
};
use std::{fs, io, path::PathBuf, sync::Arc};
use tokio::sync::Notify;

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
	/// How it is set up.
	pub config: Config,
	/// What it knows.
	pub catalog: Catalog,
	/// Who may use it.
	pub keys: Keys,
	/// What the network does not have yet.
	pub spool: Spool,
	/// What the network has.
	pub library: Library,
	/// How it is.
	pub metrics: Metrics,
	/// What objects are encrypted with.
	pub(crate) sealing: Arc<Sealing>,
	pub(crate) network: Arc<dyn Network>,
	/// Told when there is something to do.
	pub(crate) jobs: Notify,
	/// What is written on the files on chain that it orders.
	pub(crate) label: Vec<u8>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
	/// The data directory cannot be used.
	#[error("{path}: {error}")]
	Data {
		/// Which.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The catalog cannot be opened.
	#[error("{0}; is another gateway running with the same data directory?")]
	Catalog(#[from] CatalogError),
	/// The catalog cannot be read.
	#[error(transparent)]
	Read(#[from] Error),
	/// The object store cannot be used.
	#[error(transparent)]
	Backend(#[from] BackendError),
	/// The keys cannot be read.
	#[error(transparent)]
	Keys(#[from] KeysError),
	/// An address cannot be listened at.
	#[error("cannot listen at {address}: {error}")]
	Listen {
		/// Which.
		address: std::net::SocketAddr,
		/// Why.
		error: io::Error,
	},
}

impl Gateway {
	/// Opens the gateway's data, and removes what was never acknowledged.
	pub async fn open(config: Config, network: Arc<dyn Network>) -> Result<Arc<Self>, StartError> {
		let backend = config.shared.as_ref().map(Backend::open).transpose()?;
		Self::open_with(config, network, backend).await
	}

	/// The same, with this object store.
	pub async fn open_with(
		config: Config,
		network: Arc<dyn Network>,
		backend: Option<Backend>,
	) -> Result<Arc<Self>, StartError> {
		let failed = |error| StartError::Data { path: config.data.clone(), error };
		fs::create_dir_all(&config.data).map_err(failed)?;
		let name = config.shared.as_ref().and_then(|shared| shared.name.as_deref());
		let replica = match (&backend, name) {
			(Some(backend), Some(name)) => {
				Some(Replica::take_over(backend.clone(), name, &config.data).await?)
			},
			_ => None,
		};
		let catalog = match replica.clone() {
			Some(replica) => Catalog::open_replicated(&config.data, replica).await?,
			None => Catalog::open(&config.data)?,
		};
		let keys = Keys::open(&config.data)?;
		let pieces: Vec<Piece> = catalog.read(|reader| reader.pieces()).await?;
		let limits = Limits { most: config.spool, keep_free: config.keep_free.max(RESERVE) };
		let spool = Spool::open(&config.data, limits, &pieces, replica).map_err(failed)?;
		spool.even_out(&pieces).await?;
		let cache = Cache::open(&config.data, config.cache).map_err(failed)?;
		let sealing = Arc::new(Sealing::open(&config.data, backend.clone()).map_err(failed)?);
		sealing.even_out().await?;
		let sources = (cache, spool.clone(), sealing.clone());
		let metrics = Metrics::new();
		let peers = (Peers::new(backend, &config.peers, metrics.clone()), metrics.clone());
		let library = Library::new(network.clone(), sources, peers, config.fetching_at_once);
		let instance = catalog.instance().await?;
		let label = [&b"gateway "[..], &instance.to_le_bytes()].concat();
		let jobs = Notify::new();
		Ok(Arc::new(Self {
			config,
			catalog,
			keys,
			spool,
			library,
			metrics,
			sealing,
			network,
			jobs,
			label,
		}))
	}
}
