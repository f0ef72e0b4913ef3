// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The network behind the seam: a node and miners.

use super::{Network, NetworkError, Order, Remote};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use planaria_sdk::{
	Account, AccountId32, Chain, Content, GetOptions, Ledger, Planner, PutError, PutOptions,
	Reader, Target, TransferTransport, Wait,
	api::{FileLife, FileStatus, SpaceStatus},
	chain::{ChainError, calls},
	get::Probed,
	primitives::{FileId, FileIndex, FileSpec, FragmentHash, Sidecar},
	progress::{Progress, PutEvent},
	put_content,
};
use rand::{SeedableRng, rngs::StdRng};
use std::{ops::Range, sync::Arc};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// A node and miners.
#[derive(Clone, Debug)]
pub struct ChainNetwork {
	account: Arc<Account>,
	chain: Arc<Chain>,
	transport: Arc<TransferTransport>,
}

impl ChainNetwork {
	/// Orders storage as this account.
	pub fn new(account: Account, chain: Chain, transport: Arc<TransferTransport>) -> Self {
		Self { account: Arc::new(account), chain: Arc::new(chain), transport }
	}

	/// Whether the operator may order storage in the owner's name; how much is the chain's to say.
	async fn check_authorised(&self, owner: &AccountId32) -> Result<(), NetworkError> {
		let operator = self.account.id();
		if *owner == operator {
			return Ok(());
		}
		let view = self.chain.view().await?;
		let (space, now) = (view.space(owner).await?, view.network().await?.tick);
		let may = |space: &SpaceStatus| {
			space.operators.iter().any(|known| known.operator == operator && now <= known.until)
		};
		if space.as_ref().is_some_and(may) {
			return Ok(());
		}
		Err(NetworkError::NotAuthorised { owner: owner.clone(), operator })
	}
}

#[async_trait]
impl Remote for Reader<Chain, TransferTransport> {
	fn id(&self) -> FileId {
		Self::id(self)
	}

	fn spec(&self) -> FileSpec {
		*Self::spec(self)
	}

	fn read(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, NetworkError>> {
		Self::read(self, range).map_err(NetworkError::from).boxed()
	}

	async fn probe(&self) -> Result<Vec<Probed>, NetworkError> {
		Ok(Self::probe(self).await?)
	}

	fn take_proof(&self, segment: u32, index: u8) -> Option<(FragmentHash, Sidecar)> {
		Self::take_proof(self, segment, index)
	}
}

#[async_trait]
impl Network for ChainNetwork {
	fn operator(&self) -> AccountId32 {
		self.account.id()
	}

	async fn could_store(&self, size: u64, order: &Order) -> Result<(), NetworkError> {
		let spec = FileSpec::new(size, order.coding).map_err(PutError::from)?;
		self.check_authorised(&order.owner).await?;
		let terms = self.chain.terms().await?;
		let miners = self.chain.miners().await?;
		let random = StdRng::from_rng(&mut rand::rng());
		let planner = Planner::new(terms, &miners, order.preferences.clone(), random);
		let fragments = usize::from(spec.fragments());
		planner.could_serve(fragments, spec.fragment_len(0)).map_err(PutError::from)?;
		Ok(())
	}

	async fn store(
		&self,
		content: Arc<dyn Content>,
		order: &Order,
		progress: Progress<PutEvent>,
	) -> Result<(FileIndex, FileId), NetworkError> {
		let operator = self.account.id();
		let options = PutOptions {
			coding: order.coding,
			label: order.label.clone(),
			payer: Some(order.owner.clone()).filter(|owner| *owner != operator),
			preferences: order.preferences.clone(),
			placement: order.placement,
			..PutOptions::default()
		};
		let (orders, transport) = (self.account.clone(), self.transport.clone());
		let stop = CancellationToken::new();
		let _stops = stop.clone().drop_guard();
		let runtime = Handle::current();
		// The compiler cannot see that a put may move between threads: it stays on one.
		let task = spawn_blocking(move || {
			runtime.block_on(async move {
				tokio::select! {
					done = put_content(orders, transport, content, options, progress) => Some(done),
					() = stop.cancelled() => None,
				}
			})
		});
		let report = task.await.ok().flatten().ok_or(NetworkError::Stopping)??;
		Ok((report.file, report.id))
	}

	async fn finalized(&self, file: FileIndex) -> Result<Option<FileStatus>, NetworkError> {
		Ok(self.chain.finalized_view().await?.file(file).await?)
	}

	async fn files(&self, id: FileId) -> Result<Vec<FileStatus>, NetworkError> {
		Ok(self.chain.view().await?.files_by_id(&id).await?)
	}

	async fn open(&self, target: Target) -> Result<Arc<dyn Remote>, NetworkError> {
		let (chain, transport) = (self.chain.clone(), self.transport.clone());
		Ok(Arc::new(Reader::open(chain, transport, target, GetOptions::default()).await?))
	}

	async fn delete(&self, file: FileIndex, id: FileId, label: &[u8]) -> Result<(), NetworkError> {
		let Some(found) = self.chain.view().await?.file(file).await? else { return Ok(()) };
		if found.id != id || matches!(found.state, FileLife::Deleting | FileLife::Failed) {
			return Ok(());
		}
		if found.label != label {
			warn!(file = file.0, "was not ordered by this gateway, and stays");
			return Ok(());
		}
		match self.account.submit(&calls::delete(file), Wait::finalized()).await {
			Ok(_) => Ok(()),
			Err(ChainError::Refused(gone))
				if gone.is("Files", "FileNotFound") || gone.is("Files", "FileNotAlive") =>
			{
				Ok(())
			},
			Err(ChainError::Refused(refusal)) if refusal.is("Files", "NotYourFile") => {
				Err(NetworkError::NotAllowed(refusal.to_string()))
			},
			Err(error) => Err(error.into()),
		}
	}
}
