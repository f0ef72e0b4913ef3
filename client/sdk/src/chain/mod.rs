// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A connection to a node of the chain.
//!
//! - [`Chain`]: the connection,
//! - [`View`]: the state at one block, through the runtime APIs of [`planaria_runtime_api`],
//! - [`Account`]: a key that signs and submits [`calls`].

pub mod calls;

mod error;

mod link;

mod submit;

mod view;

pub use calls::{Call, Endpoint, RegistrationProofs};
pub use error::{ChainError, Refusal};
pub use submit::{Account, ChainEvent, Included, Level, Pending, Wait};
pub use view::{Balances, View};

use futures::{StreamExt, stream::BoxStream};
use link::Link;
use planaria_primitives::Hash;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use subxt::{
	OnlineClient, SubstrateConfig,
	backend::LegacyBackend,
	config::{RpcConfigFor, substrate::SubstrateHeader},
	rpcs::{RpcClient, client::RpcParams, methods::legacy::LegacyRpcMethods},
	utils::H256,
};

/// The `spec_name` of every Planaria runtime.
pub const SPEC_NAME: &str = "planaria";

type Config = SubstrateConfig;

/// A block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Block {
	/// Its number.
	pub number: u32,
	/// Its hash.
	pub hash: H256,
}

/// A connection to a node. Cheap to clone; it is made anew when it broke.
#[derive(Clone, Debug)]
pub struct Chain {
	inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
	url: String,
	rpc: RpcClient,
	legacy: LegacyRpcMethods<RpcConfigFor<Config>>,
	client: OnlineClient<Config>,
	genesis: Hash,
}

impl Chain {
	/// Connects to the node at a `ws://` or `wss://` URL and checks that its chain is Planaria.
	pub async fn connect(url: &str) -> Result<Self, ChainError> {
		let unreachable = |reason: String| ChainError::Unreachable { url: url.into(), reason };
		if !url.starts_with("ws://") && !url.starts_with("wss://") {
			return Err(unreachable("a URL that begins with ws:// or wss:// is needed".into()));
		}
		let link = Link::connect(url)
			.await
			.map_err(|error| ChainError::rpc(url, "a connection", error))?;
		let rpc = RpcClient::new(link);
		let legacy = LegacyRpcMethods::new(rpc.clone());
		let rpc_error = |method| move |error| ChainError::rpc(url, method, error);
		let wrong = |reason: String| ChainError::WrongChain { url: url.into(), reason };

		let version = legacy
			.state_get_runtime_version(None)
			.await
			.map_err(rpc_error("state_getRuntimeVersion"))?;
		let name = version.other.get("specName").and_then(serde_json::Value::as_str);
		if name != Some(SPEC_NAME) {
			let name = name.unwrap_or("nameless");
			return Err(wrong(format!("its runtime is {name}, not {SPEC_NAME}")));
		}
		let genesis = legacy.genesis_hash().await.map_err(rpc_error("chain_getBlockHash"))?;
		let backend = LegacyBackend::<Config>::builder().build(rpc.clone());
		let config = Config::builder().set_genesis_hash(genesis).build();
		let client = OnlineClient::from_backend_with_config(config, Arc::new(backend))
			.await
			.map_err(|error| ChainError::subxt(url, error))?;
		let inner = Inner { url: url.into(), rpc, legacy, client, genesis: genesis.0 };
		let chain = Self { inner: inner.into() };

		let best = chain.best().await?;
		let at = chain.at(best).await?;
		for pallet in ["Files", "Miners", "Restore"] {
			if at.metadata_ref().pallet_by_name(pallet).is_none() {
				return Err(wrong(format!("its runtime has no pallet {pallet}")));
			}
		}
		Ok(chain)
	}

	/// Where the node is.
	pub fn url(&self) -> &str {
		&self.inner.url
	}

	/// The chain's genesis hash.
	pub fn genesis(&self) -> Hash {
		self.inner.genesis
	}

	/// The best block.
	pub async fn best(&self) -> Result<Block, ChainError> {
		self.header(None).await?.ok_or_else(|| self.incompatible("the node has no best block"))
	}

	/// The last finalized block.
	pub async fn finalized(&self) -> Result<Block, ChainError> {
		let hash = self
			.inner
			.legacy
			.chain_get_finalized_head()
			.await
			.map_err(|error| self.rpc_error("chain_getFinalizedHead", error))?;
		let header = self.header(Some(hash)).await?;
		header.ok_or_else(|| self.incompatible("the node has no finalized block"))
	}

	/// The canonical block with this number.
	pub async fn block(&self, number: u32) -> Result<Option<Block>, ChainError> {
		let hash = self
			.inner
			.legacy
			.chain_get_block_hash(Some(u64::from(number).into()))
			.await
			.map_err(|error| self.rpc_error("chain_getBlockHash", error))?;
		Ok(hash.map(|hash| Block { number, hash }))
	}

	/// The version of the runtime at the best block.
	pub async fn runtime_version(&self) -> Result<u32, ChainError> {
		let version = self.inner.legacy.state_get_runtime_version(None).await;
		let version = version.map_err(|error| self.rpc_error("state_getRuntimeVersion", error))?;
		Ok(version.spec_version)
	}

	/// The state at the best block.
	pub async fn view(&self) -> Result<View, ChainError> {
		Ok(View::new(self.clone(), self.best().await?))
	}

	/// The state at the last finalized block.
	pub async fn finalized_view(&self) -> Result<View, ChainError> {
		Ok(View::new(self.clone(), self.finalized().await?))
	}

	/// Asks the node a question of its own.
	pub async fn rpc<R: DeserializeOwned>(
		&self,
		method: &str,
		params: &[serde_json::Value],
	) -> Result<R, ChainError> {
		let mut list = RpcParams::new();
		for param in params {
			list.push(param).map_err(|error| self.rpc_error(method, error))?;
		}
		let answer = self.inner.rpc.request(method, list).await;
		answer.map_err(|error| self.rpc_error(method, error))
	}

	/// Subscribes to what the node tells by itself. The stream ends with the connection; what could
	/// not be read is an error in it.
	pub async fn subscribe<R: DeserializeOwned + Send + 'static>(
		&self,
		subscribe: &str,
		unsubscribe: &str,
	) -> Result<BoxStream<'static, Result<R, ChainError>>, ChainError> {
		let stream = self
			.inner
			.rpc
			.subscribe::<R>(subscribe, RpcParams::new(), unsubscribe)
			.await
			.map_err(|error| self.rpc_error(subscribe, error))?;
		let (chain, method) = (self.clone(), subscribe.to_owned());
		Ok(stream.map(move |item| item.map_err(|error| chain.rpc_error(&method, error))).boxed())
	}

	/// Asks the node for the signatures that its keys give for registration by this stash. The node
	/// answers only callers that may use its unsafe methods.
	pub async fn registration_proofs(
		&self,
		stash: &crate::AccountId32,
	) -> Result<RegistrationProofs, ChainError> {
		self.rpc("miner_registrationProofs", &[stash.to_string().into()]).await
	}

	async fn header(&self, hash: Option<H256>) -> Result<Option<Block>, ChainError> {
		use subxt::config::Hasher;
		// The header as it came, hashed as every Substrate chain does.
		let header: Option<SubstrateHeader<H256>> = self
			.inner
			.legacy
			.chain_get_header(hash)
			.await
			.map_err(|error| self.rpc_error("chain_getHeader", error))?;
		let Some(header) = header else { return Ok(None) };
		let number = u32::try_from(header.number)
			.map_err(|_| self.incompatible("block numbers are larger than expected"))?;
		let hash = hash.unwrap_or_else(|| {
			subxt::config::substrate::BlakeTwo256.hash(&codec::Encode::encode(&header))
		});
		Ok(Some(Block { number, hash }))
	}

	async fn at(&self, block: Block) -> Result<subxt::OnlineClientAtBlock<Config>, ChainError> {
		self.inner
			.client
			.at_block_hash_and_number(block.hash, u64::from(block.number))
			.await
			.map_err(|error| ChainError::subxt(&self.inner.url, error))
	}

	async fn state_call(
		&self,
		function: &str,
		args: &[u8],
		at: H256,
	) -> Result<Vec<u8>, ChainError> {
		self.inner
			.legacy
			.state_call(function, Some(args), Some(at))
			.await
			.map_err(|error| self.rpc_error(function, error))
	}

	fn rpc_error(&self, method: &str, error: subxt::rpcs::Error) -> ChainError {
		ChainError::rpc(&self.inner.url, method, error)
	}

	fn incompatible(&self, what: &str) -> ChainError {
		ChainError::Incompatible(what.into())
	}
}
