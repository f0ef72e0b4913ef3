// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The storage miner inside the node: store, transfer and engine, and what ties them to the chain.

mod chain;
mod funds;
mod keys;
mod known;
mod mailbox;
mod metrics;
mod native;
mod reach;

pub use chain::NodeChain;
pub use funds::Funds;
pub use keys::{KeyError, RegistrationProofs};
pub use mailbox::RingingStorage;
pub use metrics::Metrics;

use crate::{cli::MinerConfig, service::FullClient};
use planaria_engine::{Chain, Engine, EngineConfig, EngineHandle, Service};
use planaria_runtime::AccountId;
use planaria_store::{DiskOptions, FragmentStore, OpenError};
use planaria_transfer::{BindError, EndpointConfig, PeerAddr, Server, Transfer, TransferConfig};
use sc_service::{ChainType, Error as ServiceError, SpawnTaskHandle};
use sp_consensus::SyncOracle;
use sp_core::offchain::OffchainStorage;
use sp_keystore::KeystorePtr;
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;
use tokio_util::sync::CancellationToken;

/// How long transfers may take to end when the node stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// How often the metrics are brought up to date.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// Why the miner did not start.
#[derive(Debug, thiserror::Error)]
pub enum MinerError {
	/// The store.
	#[error("the fragment store cannot be opened: {0}")]
	Store(#[from] OpenError),
	/// It is not the store that was there before.
	#[error(
		"{error} The last time it was in {was}. Say where it is now with --store, or start with \
		 another store, such as an empty one, by giving --new-store once"
	)]
	NotKnown {
		/// What is there.
		error: OpenError,
		/// Where it was.
		was: String,
	},
	/// Which store was there before.
	#[error("{path}, which says which store this node has, cannot be used: {source}", path = .path.display())]
	Known {
		/// The file.
		path: PathBuf,
		/// What is wrong.
		source: io::Error,
	},
	/// The endpoint.
	#[error("{0}; choose another address with --transfer-listen")]
	Bind(#[from] BindError),
	/// A key.
	#[error(transparent)]
	Key(#[from] KeyError),
}

impl From<MinerError> for ServiceError {
	fn from(error: MinerError) -> Self {
		Self::Application(Box::new(error))
	}
}

/// What the miner needs of the node.
pub struct Deps<S, O> {
	/// The chain.
	pub client: Arc<FullClient>,
	/// Where the hot key is.
	pub keystore: KeystorePtr,
	/// The offchain database.
	pub mailbox: RingingStorage<S>,
	/// Whether the node is catching up.
	pub sync: O,
	/// Runs tasks as long as the node does.
	pub spawn: SpawnTaskHandle,
	/// What kind of chain this is: local ones are to be watched.
	pub chain_type: ChainType,
	/// Where the chain's data is; the endpoint's key is kept there.
	pub base_path: PathBuf,
	/// Where metrics go.
	pub prometheus: Option<Registry>,
}

/// A running miner. Clones talk to the same one.
#[derive(Clone)]
pub struct Miner {
	client: Arc<FullClient>,
	chain: NodeChain,
	keystore: KeystorePtr,
	store: Arc<dyn FragmentStore>,
	transfer: Transfer,
	engine: EngineHandle,
	secret_key: [u8; 32],
	advertised: Vec<String>,
	capacity: u64,
}

/// Opens the store, binds the endpoint, and starts serving and working.
pub async fn start<S, O>(config: MinerConfig, deps: Deps<S, O>) -> Result<Miner, MinerError>
where
	S: OffchainStorage + Sync + 'static,
	O: SyncOracle + Send + Sync + 'static,
{
	keys::ensure_hot_key(&deps.keystore)?;
	let key_file = config.endpoint_key_file.unwrap_or_else(|| deps.base_path.join("transfer.key"));
	let secret_key = keys::endpoint_key(&key_file)?;

	let capacity = config.capacity.0;
	let options = DiskOptions { rebuild: config.rebuild_store, ..DiskOptions::new(capacity) };
	let store = known::open(&config.store, options, config.new_store, &deps.base_path)?;
	let store: Arc<dyn FragmentStore> = Arc::new(store);

	let (chain, follow) = NodeChain::new(deps.client.clone(), deps.keystore.clone(), deps.sync);
	deps.spawn.spawn("planaria-heads", Some("miner"), follow);

	let endpoint = EndpointConfig {
		secret_key,
		genesis: chain.genesis(),
		bind: vec![config.transfer_listen],
		relays: config.relays.clone(),
	};
	let transfer = Transfer::bind(endpoint, TransferConfig::default()).await?;
	let own = transfer.addr().addrs;
	let advertised = reach::advertised(&config.transfer_addrs, own, &config.relays);

	let local = matches!(deps.chain_type, ChainType::Development | ChainType::Local);
	let engine_config = if local { EngineConfig::local() } else { EngineConfig::default() };
	let engine_config = EngineConfig {
		check_every: config.check_every.map_or(engine_config.check_every, |every| every.0),
		profile: config.restore_profile.map(Into::into),
		cap: config.restore_rate.map(|rate| rate.0),
		..engine_config
	};
	let (engine, handle) = Engine::new(
		Arc::new(chain.clone()),
		store.clone(),
		Arc::new(transfer.client().clone()),
		Arc::new(deps.mailbox),
		engine_config,
	);
	let service = Service::new(Arc::new(chain.clone()), store.clone(), handle.clone());
	let server = transfer.serve(Arc::new(service));

	tracing::info!(
		store = %config.store.display(),
		capacity = %config.capacity,
		listening = ?transfer.bound(),
		advertised = ?advertised,
		"storage miner started",
	);
	if !config.relays.is_empty() {
		let relay = reach::say_relay(transfer.clone(), config.relays);
		deps.spawn.spawn("planaria-relay", Some("miner"), relay);
	}
	let funds = funds::warn(chain.clone(), deps.client.clone(), deps.keystore.clone());
	deps.spawn.spawn("planaria-funds", Some("miner"), funds);
	let miner = Miner {
		client: deps.client,
		chain,
		keystore: deps.keystore,
		store,
		transfer: transfer.clone(),
		engine: handle,
		secret_key,
		advertised,
		capacity,
	};
	if let Some(registry) = &deps.prometheus {
		match Metrics::register(registry) {
			Ok(metrics) => deps.spawn.spawn(
				"planaria-metrics",
				Some("miner"),
				metrics.run(miner.clone(), METRICS_EVERY),
			),
			Err(error) => tracing::warn!(%error, "the miner has no metrics"),
		}
	}
	deps.spawn.spawn("planaria-engine", Some("miner"), work(engine, server, transfer));
	Ok(miner)
}

/// Runs the engine. When the node stops, this future is dropped, and the guard stops the engine's
/// tasks; what is not yet durable was not acknowledged.
async fn work(engine: Engine, server: Server, transfer: Transfer) {
	let stop = CancellationToken::new();
	let _guard = stop.clone().drop_guard();
	engine.run(stop).await;
	server.shutdown(SHUTDOWN).await;
	transfer.close().await;
}

impl Miner {
	/// The engine.
	pub fn engine(&self) -> &EngineHandle {
		&self.engine
	}

	/// The store.
	pub fn store(&self) -> &Arc<dyn FragmentStore> {
		&self.store
	}

	/// The transfer endpoint.
	pub fn transfer(&self) -> &Transfer {
		&self.transfer
	}

	/// The chain.
	pub fn chain(&self) -> &NodeChain {
		&self.chain
	}

	/// What `account`, or else the hot key's, has for fees.
	pub async fn funds(&self, account: Option<AccountId>) -> Result<Option<Funds>, String> {
		let (client, keystore) = (self.client.clone(), self.keystore.clone());
		tokio::task::spawn_blocking(move || Funds::of(&client, &keystore, account))
			.await
			.map_err(|error| error.to_string())?
	}

	/// Where others reach this miner.
	pub fn endpoint(&self) -> PeerAddr {
		PeerAddr { key: self.transfer.key(), addrs: self.advertised.clone() }
	}

	/// What `stash` needs to register this miner.
	pub fn registration_proofs(&self, stash: [u8; 32]) -> Result<RegistrationProofs, KeyError> {
		let genesis = self.chain.genesis();
		let endpoint = self.endpoint();
		keys::prove(&self.keystore, &self.secret_key, &genesis, &stash, endpoint, self.capacity)
	}
}
