// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The questions this node answers beside the standard ones.

mod planaria;

use crate::{
	miner::Miner,
	service::{FullBackend, FullClient, FullPool, FullSelectChain},
	watch::RestoreWatch,
};
use jsonrpsee::RpcModule;
use planaria_runtime::{Block, BlockNumber, Hash};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// What the answers need.
pub struct Deps {
	pub client: Arc<FullClient>,
	pub pool: Arc<FullPool>,
	pub select_chain: FullSelectChain,
	pub keystore: KeystorePtr,
	pub babe_worker: BabeWorkerHandle<Block>,
	pub grandpa: GrandpaDeps,
	pub miner: Option<Miner>,
	pub restoration: RestoreWatch,
}

/// What the answers about finality need.
#[derive(Clone)]
pub struct GrandpaDeps {
	pub voter_state: SharedVoterState,
	pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub justifications: GrandpaJustificationStream<Block>,
	pub proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// All answers together.
pub fn create(
	deps: Deps,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use planaria::{MinerAnswers, MinerRpcServer, NetworkAnswers, NetworkRpcServer};
	use sc_consensus_babe_rpc::{Babe, BabeApiServer};
	use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let Deps { client, pool, select_chain, keystore, babe_worker, grandpa, miner, restoration } =
		deps;
	let GrandpaDeps { voter_state, authority_set, justifications, proofs } = grandpa;

	let mut module = RpcModule::new(());
	let engine = miner.as_ref().map(|miner| miner.engine().clone());
	let network =
		NetworkAnswers { client: client.clone(), restoration, engine, executor: executor.clone() };
	module.merge(MinerAnswers { miner, executor: executor.clone() }.into_rpc())?;
	module.merge(network.into_rpc())?;
	module.merge(System::new(client.clone(), pool).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(Babe::new(client, babe_worker, keystore, select_chain).into_rpc())?;
	module.merge(
		Grandpa::new(executor, authority_set, voter_state, justifications, proofs).into_rpc(),
	)?;
	Ok(module)
}
