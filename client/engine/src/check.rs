// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The self-check: the store against its own hashes, and against the chain.

use crate::{
	chain::{At, Chain, ChainError},
	status::CheckStatus,
};
use planaria_primitives::{FragmentId, FragmentName, MinerId};
use planaria_runtime_api::{FileLife, FragmentRecord};
use planaria_store::{FragmentStore, FragmentStoreExt, StoreError, Verdict};
use std::{ops::ControlFlow, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many names are looked up at a time.
const PAGE: usize = 256;

/// Segments read at a time by the native scan.
const SCAN_PAGE: u32 = 4096;

/// Each list of [`Compared`] stops here; what is beyond it is found by the next comparison.
const MAX_FOUND: usize = 1 << 16;

/// The store compared with the chain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Compared {
	/// Confirmed as this miner's on the best block, but not whole here.
	pub(crate) missing: Vec<FragmentName>,
	/// Here and assigned to this miner, but not confirmed on the best block.
	pub(crate) unconfirmed: Vec<FragmentName>,
	/// Here, but assigned to this miner neither on the best nor on the finalized block.
	pub(crate) foreign: Vec<FragmentName>,
}

/// A comparison could not be finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
	#[error(transparent)]
	Chain(#[from] ChainError),
	#[error(transparent)]
	Store(#[from] StoreError),
	#[error("the node stops")]
	Stopped,
}

/// Compares everything stored with the chain, and everything the chain assigns to `me` with the
/// store.
pub(crate) async fn compare(
	chain: &dyn Chain,
	store: &Arc<dyn FragmentStore>,
	me: MinerId,
) -> Result<Compared, CompareError> {
	let mut compared = Compared::default();
	let mut after: Option<FragmentName> = None;
	loop {
		let page = blocking(store, move |store| store.entries(after.as_ref(), PAGE)).await?;
		let Some(last) = page.last() else { break };
		after = Some(last.of.name);
		let names: Vec<_> = page.iter().map(|entry| entry.of.name).collect();
		let best = chain.locate(At::Best, names.clone()).await?;
		let finalized = chain.locate(At::Finalized, names.clone()).await?;
		for ((name, best), finalized) in names.into_iter().zip(&best).zip(&finalized) {
			let mine = |record: &Option<FragmentRecord>| {
				record.as_ref().is_some_and(|record| is_assigned(record, me))
			};
			if !mine(best) && !mine(finalized) {
				push(&mut compared.foreign, name);
			} else if best.as_ref().is_some_and(|record| is_unconfirmed(record, me)) {
				push(&mut compared.unconfirmed, name);
			}
		}
	}
	let mut after = None;
	loop {
		let page = chain.segments(At::Best, after, SCAN_PAGE).await?;
		let Some((last, _)) = page.last() else { break };
		after = Some(*last);
		let mine: Vec<FragmentId> = page
			.into_iter()
			.filter_map(|(segment, record)| {
				let index = record.index_of(me).filter(|index| record.is_confirmed(*index))?;
				Some(FragmentId { segment, index })
			})
			.collect();
		for ids in mine.chunks(PAGE) {
			let records = chain.records(At::Best, ids.to_vec()).await?;
			let names: Vec<FragmentName> = records
				.into_iter()
				.flatten()
				.filter(|record| is_assigned(record, me))
				.map(|record| record.name)
				.collect();
			let missing = blocking(store, move |store| {
				let mut missing = Vec::new();
				for name in names {
					if store.entry(&name)?.is_none_or(|entry| entry.broken) {
						missing.push(name);
					}
				}
				Ok(missing)
			})
			.await?;
			missing.into_iter().for_each(|name| push(&mut compared.missing, name));
		}
	}
	Ok(compared)
}

/// Whether the chain wants `me` to have this fragment: as its holder, or as the claimer of its
/// restore order.
pub(crate) fn is_assigned(record: &FragmentRecord, me: MinerId) -> bool {
	matches!(record.state, FileLife::Pending | FileLife::Active)
		&& (holder(record) == Some(me) || record.claimed_by() == Some(me))
}

/// Whether `me` is to confirm this fragment.
pub(crate) fn is_unconfirmed(record: &FragmentRecord, me: MinerId) -> bool {
	record.state == FileLife::Pending
		&& holder(record) == Some(me)
		&& record.confirmed & planaria_primitives::segment::bit(record.name.index) == 0
}

/// Whom the fragment is assigned to.
pub(crate) fn holder(record: &FragmentRecord) -> Option<MinerId> {
	record.holders.get(usize::from(record.name.index)).copied().flatten()
}

/// Hashes everything stored again and takes out of service what is not whole. Progress is told
/// through `status`.
pub(crate) async fn check(
	store: &Arc<dyn FragmentStore>,
	status: watch::Sender<CheckStatus>,
	stop: CancellationToken,
) -> Result<(), CompareError> {
	blocking(store, move |store| {
		let mut failed = None;
		store.verify_all(None, &mut |verified| {
			if !verified.verdict.is_whole()
				&& let Err(error) = store.quarantine(&verified.hash)
			{
				failed = Some(error);
				return ControlFlow::Break(());
			}
			status.send_modify(|status| {
				status.checked += 1;
				status.bytes += u64::from(verified.len);
				match verified.verdict {
					Verdict::Whole => (),
					Verdict::Damaged => status.damaged += 1,
					Verdict::Missing => status.missing += 1,
					Verdict::Unreadable(_) => status.unreadable += 1,
				}
			});
			if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
		})?;
		failed.map_or(Ok(()), Err)
	})
	.await
}

pub(crate) async fn blocking<T: Send + 'static>(
	store: &Arc<dyn FragmentStore>,
	work: impl FnOnce(&dyn FragmentStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, CompareError> {
	let store = store.clone();
	let done = tokio::task::spawn_blocking(move || work(&*store)).await;
	Ok(done.map_err(|_| CompareError::Stopped)??)
}

fn push(list: &mut Vec<FragmentName>, name: FragmentName) {
	if list.len() < MAX_FOUND {
		list.push(name);
	}
}
