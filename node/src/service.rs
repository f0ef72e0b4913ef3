// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Puts a node together and runs it.
//!
//! [`new_partial`] opens the database and builds what every command needs; [`new_full`] adds the
//! network, RPC, the offchain worker and, for a validator, BABE and GRANDPA.

use crate::{
	cli::MinerConfig,
	miner::{self, RingingStorage},
	rpc::{self, GrandpaDeps},
	watch,
};
use futures::FutureExt;
use planaria_runtime::{Block, Hash, RuntimeApi};
use sc_basic_authorship::ProposerFactory;
use sc_client_api::{Backend as _, BlockBackend};
use sc_consensus::{DefaultImportQueue, JustificationSyncLink, LongestChain};
use sc_consensus_babe::{BabeBlockImport, BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaBlockImport, GrandpaParams, LinkHalf, SharedVoterState,
	VotingRulesBuilder, grandpa_peers_set_config, protocol_standard_name,
	warp_proof::NetworkProvider,
};
use sc_executor::WasmExecutor;
use sc_network::{
	NetworkBackend, config::FullNetworkConfiguration, service::traits::NetworkService,
};
use sc_offchain::{OffchainWorkerOptions, OffchainWorkers};
use sc_service::{
	BuildNetworkParams, Configuration, Error as ServiceError, PartialComponents, Role,
	SpawnTaskHandle, SpawnTasksParams, TFullBackend, TFullClient, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus::SyncOracle;
use sp_consensus_babe::inherents::{BabeCreateInherentDataProviders, InherentDataProvider};
use sp_keystore::KeystorePtr;
use std::{sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

/// Only the standard host functions: every tool that runs a Substrate runtime runs ours.
type Executor = WasmExecutor<sp_io::SubstrateHostFunctions>;
/// The chain as this node has it.
pub type FullClient = TFullClient<Block, RuntimeApi, Executor>;
/// The database that the offchain worker and the engine share.
type OffchainDb = <FullBackend as sc_client_api::Backend<Block>>::OffchainStorage;
/// The database.
pub type FullBackend = TFullBackend<Block>;
/// Which fork is the best one.
pub type FullSelectChain = LongestChain<FullBackend, Block>;
/// Transactions waiting for a block.
pub type FullPool = TransactionPoolHandle<Block, FullClient>;

type GrandpaImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
type BlockImport = BabeBlockImport<
	Block,
	FullClient,
	GrandpaImport,
	BabeCreateInherentDataProviders<Block>,
	FullSelectChain,
>;

/// What [`new_full`] needs of consensus beside the common parts.
pub struct Consensus {
	block_import: BlockImport,
	babe_link: BabeLink<Block>,
	babe_worker: BabeWorkerHandle<Block>,
	inherents: BabeCreateInherentDataProviders<Block>,
	grandpa_link: LinkHalf<Block, FullClient, FullSelectChain>,
}

/// What every command needs.
pub type Partial = PartialComponents<
	FullClient,
	FullBackend,
	FullSelectChain,
	DefaultImportQueue<Block>,
	FullPool,
	(Consensus, Option<Telemetry>),
>;

/// A justification is kept at least every so many blocks.
const JUSTIFICATION_PERIOD: u32 = 512;

/// How long a GRANDPA message takes to reach everybody.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

/// How much of a slot may go into making its block.
const PROPOSAL_SHARE: f32 = 0.5;

/// Opens the database and builds what every command needs.
pub fn new_partial(config: &Configuration) -> Result<Partial, ServiceError> {
	let telemetry = start_telemetry(config)?;
	let handle = telemetry.as_ref().map(|(_, telemetry)| telemetry.handle());

	let executor = sc_service::new_wasm_executor(&config.executor);
	let (client, backend, keystore_container, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, Executor>(
			config,
			handle.clone(),
			executor,
			vec![],
		)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});

	let select_chain = LongestChain::new(backend.clone());
	let transaction_pool = Arc::new(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			client.clone(),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (import_queue, consensus) =
		build_consensus(config, &client, &select_chain, &transaction_pool, &task_manager, handle)?;

	Ok(PartialComponents {
		client,
		backend,
		task_manager,
		keystore_container,
		select_chain,
		import_queue,
		transaction_pool,
		other: (consensus, telemetry),
	})
}

/// Telemetry, if the chain or the operator wants it.
fn start_telemetry(
	config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
	let Some(endpoints) = config.telemetry_endpoints.clone().filter(|list| !list.is_empty()) else {
		return Ok(None);
	};
	let worker = TelemetryWorker::new(16)?;
	let telemetry = worker.handle().new_telemetry(endpoints);
	Ok(Some((worker, telemetry)))
}

/// BABE around GRANDPA around the client, and the queue through which blocks reach them.
fn build_consensus(
	config: &Configuration,
	client: &Arc<FullClient>,
	select_chain: &FullSelectChain,
	pool: &Arc<FullPool>,
	task_manager: &TaskManager,
	telemetry: Option<TelemetryHandle>,
) -> Result<(DefaultImportQueue<Block>, Consensus), ServiceError> {
	let (grandpa_import, grandpa_link) = sc_consensus_grandpa::block_import(
		client.clone(),
		JUSTIFICATION_PERIOD,
		client,
		select_chain.clone(),
		telemetry.clone(),
	)?;

	let babe_config = sc_consensus_babe::configuration(&**client)?;
	let slot_duration = babe_config.slot_duration();
	let inherents: BabeCreateInherentDataProviders<Block> =
		Arc::new(move |_parent, ()| async move {
			let now = sp_timestamp::InherentDataProvider::from_system_time();
			let slot = InherentDataProvider::from_timestamp_and_slot_duration(*now, slot_duration);
			Ok((slot, now))
		});

	let (block_import, babe_link) = sc_consensus_babe::block_import(
		babe_config,
		grandpa_import.clone(),
		client.clone(),
		inherents.clone(),
		select_chain.clone(),
		OffchainTransactionPoolFactory::new(pool.clone()),
	)?;
	let (import_queue, babe_worker) =
		sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
			link: babe_link.clone(),
			block_import: block_import.clone(),
			justification_import: Some(Box::new(grandpa_import)),
			client: client.clone(),
			slot_duration,
			spawner: &task_manager.spawn_essential_handle(),
			registry: config.prometheus_registry(),
			telemetry,
		})?;

	Ok((import_queue, Consensus { block_import, babe_link, babe_worker, inherents, grandpa_link }))
}

/// What parts of a running node share.
pub struct Node {
	pub client: Arc<FullClient>,
	pub backend: Arc<FullBackend>,
	pub keystore: KeystorePtr,
	pub pool: Arc<FullPool>,
	pub network: Arc<dyn NetworkService>,
	pub spawn: SpawnTaskHandle,
	pub prometheus: Option<Registry>,
	pub telemetry: Option<TelemetryHandle>,
}

/// Starts the node. What it returns must be kept: the node runs as long.
pub async fn new_full<N: NetworkBackend<Block, Hash>>(
	config: Configuration,
	miner: Option<MinerConfig>,
) -> Result<TaskManager, ServiceError> {
	let PartialComponents {
		client,
		backend,
		mut task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool,
		other: (consensus, mut telemetry),
	} = new_partial(&config)?;
	let Consensus { block_import, babe_link, babe_worker, inherents, grandpa_link } = consensus;

	let prometheus = config.prometheus_registry().cloned();
	let mut net_config =
		FullNetworkConfiguration::<_, _, N>::new(&config.network, prometheus.clone());
	let metrics = N::register_notification_metrics(prometheus.as_ref());
	let genesis = client
		.block_hash(0)?
		.ok_or_else(|| ServiceError::Other("the database has no genesis block".into()))?;
	let grandpa_protocol = protocol_standard_name(&genesis, &config.chain_spec);
	let (grandpa_peers, grandpa_notifications) = grandpa_peers_set_config::<_, N>(
		grandpa_protocol.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(grandpa_peers);

	let warp_sync =
		NetworkProvider::new(backend.clone(), grandpa_link.shared_authority_set().clone(), vec![]);
	let (network, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
		sc_service::build_network(BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: transaction_pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(Arc::new(warp_sync))),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	let node = Node {
		client: client.clone(),
		backend: backend.clone(),
		keystore: keystore_container.keystore(),
		pool: transaction_pool.clone(),
		network: network.clone(),
		spawn: task_manager.spawn_handle(),
		prometheus: prometheus.clone(),
		telemetry: telemetry.as_ref().map(Telemetry::handle),
	};
	let role = config.role;
	let name = config.network.node_name.clone();
	let force_authoring = config.force_authoring;
	let grandpa_enabled = !config.disable_grandpa;

	let mailbox = node.backend.offchain_storage().map(RingingStorage::new);
	if config.offchain_worker.enabled {
		spawn_offchain_worker(&node, role, mailbox.clone())?;
	}
	let miner = match (miner, mailbox) {
		(Some(miner), Some(mailbox)) => {
			let deps = miner::Deps {
				client: client.clone(),
				keystore: node.keystore.clone(),
				mailbox,
				sync: sync.clone(),
				spawn: node.spawn.clone(),
				chain_type: config.chain_spec.chain_type(),
				base_path: config.base_path.config_dir(config.chain_spec.id()),
				prometheus: prometheus.clone(),
			};
			Some(miner::start(miner, deps).await?)
		},
		(Some(_), None) => return Err(ServiceError::Other("there is no offchain database".into())),
		(None, _) => None,
	};

	let metrics = prometheus.as_ref().and_then(|registry| {
		watch::Metrics::register(registry)
			.inspect_err(|error| tracing::warn!(%error, "restoration has no metrics"))
			.ok()
	});
	let (restoration, follow) = watch::restoration(client.clone(), sync.clone(), metrics);
	node.spawn.spawn("planaria-restoration", None, follow);

	let voter_state = SharedVoterState::empty();
	let rpc_builder = {
		let (client, pool, select_chain, keystore, babe_worker) = (
			client.clone(),
			transaction_pool.clone(),
			select_chain.clone(),
			node.keystore.clone(),
			babe_worker.clone(),
		);
		let authority_set = grandpa_link.shared_authority_set().clone();
		let grandpa = GrandpaDeps {
			voter_state: voter_state.clone(),
			proofs: FinalityProofProvider::new_for_service(
				backend.clone(),
				Some(authority_set.clone()),
			),
			authority_set,
			justifications: grandpa_link.justification_stream(),
		};
		Box::new(move |executor| {
			let deps = rpc::Deps {
				client: client.clone(),
				pool: pool.clone(),
				select_chain: select_chain.clone(),
				keystore: keystore.clone(),
				babe_worker: babe_worker.clone(),
				grandpa: grandpa.clone(),
				miner: miner.clone(),
				restoration: restoration.clone(),
			};
			rpc::create(deps, executor).map_err(ServiceError::Application)
		})
	};
	sc_service::spawn_tasks(SpawnTasksParams {
		config,
		client: client.clone(),
		backend,
		task_manager: &mut task_manager,
		keystore: node.keystore.clone(),
		transaction_pool: transaction_pool.clone(),
		rpc_builder,
		network: network.clone(),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync.clone(),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;
	// Its task ends, and with it the node, when the last handle is gone.
	task_manager.keep_alive(babe_worker);

	if role.is_authority() {
		let authoring =
			Authoring { block_import, babe_link, inherents, select_chain, force: force_authoring };
		spawn_authoring(&node, &task_manager, authoring, sync.clone())?;
	}

	if grandpa_enabled {
		let params = GrandpaParams {
			config: sc_consensus_grandpa::Config {
				gossip_duration: GOSSIP_DURATION,
				justification_generation_period: JUSTIFICATION_PERIOD,
				name: Some(name),
				observer_enabled: false,
				// Only a validator votes; any other node follows.
				keystore: role.is_authority().then(|| node.keystore.clone()),
				local_role: role,
				telemetry: node.telemetry.clone(),
				protocol_name: grandpa_protocol,
			},
			link: grandpa_link,
			network,
			sync: Arc::new(sync),
			notification_service: grandpa_notifications,
			voting_rule: VotingRulesBuilder::default().build(),
			prometheus_registry: prometheus,
			shared_voter_state: voter_state,
			telemetry: node.telemetry.clone(),
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
		};
		task_manager.spawn_essential_handle().spawn_blocking(
			"grandpa-voter",
			None,
			sc_consensus_grandpa::run_grandpa_voter(params)?,
		);
	}

	Ok(task_manager)
}

/// Runs the runtime's offchain worker at every new best block.
fn spawn_offchain_worker(
	node: &Node,
	role: Role,
	mailbox: Option<RingingStorage<OffchainDb>>,
) -> Result<(), ServiceError> {
	let workers = OffchainWorkers::new(OffchainWorkerOptions {
		runtime_api_provider: node.client.clone(),
		keystore: Some(node.keystore.clone()),
		offchain_db: mailbox,
		transaction_pool: Some(OffchainTransactionPoolFactory::new(node.pool.clone())),
		network_provider: Arc::new(node.network.clone()),
		is_validator: role.is_authority(),
		enable_http_requests: false,
		custom_extensions: |_block| vec![],
	})?;
	node.spawn.spawn(
		"offchain-workers-runner",
		Some("offchain-worker"),
		workers.run(node.client.clone(), node.spawn.clone()).boxed(),
	);
	Ok(())
}

/// What making blocks needs.
struct Authoring {
	block_import: BlockImport,
	babe_link: BabeLink<Block>,
	inherents: BabeCreateInherentDataProviders<Block>,
	select_chain: FullSelectChain,
	/// Also without peers.
	force: bool,
}

/// Makes a block whenever it is this validator's turn.
fn spawn_authoring<S>(
	node: &Node,
	task_manager: &TaskManager,
	authoring: Authoring,
	sync: S,
) -> Result<(), ServiceError>
where
	S: SyncOracle + JustificationSyncLink<Block> + Clone + 'static,
{
	let proposer = ProposerFactory::new(
		node.spawn.clone(),
		node.client.clone(),
		node.pool.clone(),
		node.prometheus.as_ref(),
		node.telemetry.clone(),
	);
	let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
		keystore: node.keystore.clone(),
		client: node.client.clone(),
		select_chain: authoring.select_chain,
		env: proposer,
		block_import: authoring.block_import,
		sync_oracle: sync.clone(),
		justification_sync_link: sync,
		create_inherent_data_providers: authoring.inherents,
		force_authoring: authoring.force,
		backoff_authoring_blocks: None::<()>,
		babe_link: authoring.babe_link,
		block_proposal_slot_portion: SlotProportion::new(PROPOSAL_SHARE),
		max_block_proposal_slot_portion: None,
		telemetry: node.telemetry.clone(),
	})?;
	task_manager.spawn_essential_handle().spawn_blocking(
		"babe-proposer",
		Some("block-authoring"),
		babe,
	);
	Ok(())
}
