// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Sending the fragments of one segment.

use super::{CHAIN_ATTEMPTS, POLL, PutError, Putting, is_worth_another, lock, patiently};
use crate::{
	Orders, Transport,
	progress::PutEvent,
	retry::{Attempts, Step},
	transport::{Put, PutOutcome, TransferError},
};
use futures::{StreamExt, stream::FuturesUnordered};
use planaria_primitives::MinerId;
use planaria_runtime_api::{FragmentStatus, SegmentStatus};
use std::sync::atomic::Ordering;
use tokio::time::sleep;
use tracing::{debug, info, warn};

/// A segment that is to be sent.
#[derive(Clone, Debug)]
pub struct Work {
	/// Its number.
	pub number: u32,
	/// Who its fragments are assigned to.
	pub holders: Vec<MinerId>,
	/// The fragments that are not confirmed.
	pub wanted: Vec<u8>,
	/// A block that has seen the placement.
	pub placed_at: u32,
	/// Whether other miners shall get them.
	pub replace: bool,
}

/// How the attempts with one holder ended.
enum End {
	/// So many bytes were sent; none where it had the fragment already.
	Done(Option<u32>),
	Replace {
		reason: String,
		shun: bool,
	},
	GiveUp(String),
}

impl<O: Orders, T: Transport> Putting<O, T> {
	/// Sends the wanted fragments of a segment that were not sent to their holder yet; replaces
	/// holders until each has one that took it.
	pub(super) async fn send_segment(&self, work: Work) -> Result<(), PutError> {
		let Work { number, mut holders, wanted, mut placed_at, replace } = work;
		let file = *lock(&self.file);
		let todo: Vec<u8> = {
			let sent = lock(&self.sent);
			let had = |index: u8| {
				sent.get(&number).and_then(|sent| sent.get(usize::from(index))).copied()
			};
			let is_sent =
				|index: u8| had(index).is_some_and(|to| to == holders[usize::from(index)]);
			wanted.into_iter().filter(|index| !is_sent(*index)).collect()
		};
		if todo.is_empty() {
			return Ok(());
		}
		let mut puts = self.source.fragments(file, number, todo).await?;
		let mut tried = 1;
		if replace {
			let mut failed =
				puts.iter().map(|put| (put.name.index, "does not confirm it".to_owned())).collect();
			placed_at = self.replace(number, &mut holders, &mut failed).await?;
			puts.retain(|put| failed.iter().any(|(index, _)| *index == put.name.index));
		}
		loop {
			let mut offers: FuturesUnordered<_> = puts
				.iter()
				.map(|put| self.offer(put, holders[usize::from(put.name.index)], placed_at))
				.collect();
			let mut failed = Vec::new();
			while let Some((put, miner, end)) = offers.next().await {
				let index = put.name.index;
				match end {
					End::Done(sent) => self.note_sent(put, miner, sent),
					End::Replace { reason, shun } => {
						if shun {
							lock(&self.planner).shun(miner);
						}
						warn!(segment = number, index, miner = miner.0, reason, "replacing");
						failed.push((index, reason));
					},
					End::GiveUp(reason) => {
						return Err(PutError::GaveUp { segment: number, index, reason });
					},
				}
			}
			drop(offers);
			let Some((index, last)) = failed.first().cloned() else { return Ok(()) };
			if tried > self.options.patience.replacements {
				return Err(PutError::NoHolder { segment: number, index, tried, last });
			}
			placed_at = self.replace(number, &mut holders, &mut failed).await?;
			puts.retain(|put| failed.iter().any(|(index, _)| *index == put.name.index));
			tried += 1;
		}
	}

	/// Offers a fragment to its holder until that took it or shows that it will not.
	async fn offer<'put>(
		&self,
		put: &'put Put,
		miner: MinerId,
		placed_at: u32,
	) -> (&'put Put, MinerId, End) {
		let mut attempts = Attempts::new(self.options.patience, placed_at);
		let peer = lock(&self.peers).get(&miner).cloned();
		let Some(peer) = peer else {
			let reason = "is no longer registered".into();
			return (put, miner, End::Replace { reason, shun: true });
		};
		loop {
			let outcome: Result<_, TransferError> = self.transport.put(&peer, put).await;
			debug!(fragment = %put.name, miner = miner.0, ?outcome, "offered");
			match attempts.judge(&outcome) {
				Step::Done => {
					let sent = match outcome {
						Ok(PutOutcome::Stored { sent }) => Some(sent),
						_ => None,
					};
					return (put, miner, End::Done(sent));
				},
				Step::Again(wait) => sleep(wait).await,
				Step::Replace { reason, shun } => {
					return (put, miner, End::Replace { reason, shun });
				},
				Step::GiveUp(reason) => return (put, miner, End::GiveUp(reason)),
			}
		}
	}

	fn note_sent(&self, put: &Put, miner: MinerId, sent: Option<u32>) {
		let (segment, index) = (put.name.segment, put.name.index);
		let bytes = put.fragment.len();
		let fragments = usize::from(self.source.spec().fragments());
		lock(&self.sent).entry(segment).or_insert_with(|| vec![MinerId::NOBODY; fragments])
			[usize::from(index)] = miner;
		if let Some(sent) = sent {
			self.sent_fragments.fetch_add(1, Ordering::Relaxed);
			self.sent_bytes.fetch_add(u64::from(sent), Ordering::Relaxed);
		}
		(self.progress)(PutEvent::Sent { segment, index, miner, bytes });
	}

	/// Gives fragments of a segment to other miners; returns the block that is in. Takes those off
	/// `failed` that turn out to be confirmed.
	async fn replace(
		&self,
		segment: u32,
		holders: &mut Vec<MinerId>,
		failed: &mut Vec<(u8, String)>,
	) -> Result<u32, PutError> {
		let len = self.source.spec().fragment_len(segment);
		let mut attempt = 0;
		loop {
			self.refresh_miners().await?;
			let file = self.status().await?.file;
			let known = patiently(|| self.orders.segments(file, segment, 1)).await?;
			if let Some(known) = known.first() {
				*holders = holders_of(known);
				failed.retain(|(index, _)| !known.fragments[usize::from(*index)].confirmed);
			}
			if failed.is_empty() {
				return Ok(patiently(|| self.orders.height()).await?);
			}
			let mut new = holders.clone();
			for (index, _) in failed.iter() {
				// Different from every holder, old and new.
				let taken: Vec<_> = holders.iter().chain(&new).copied().collect();
				new[usize::from(*index)] = lock(&self.planner).replacement(&taken, len)?;
			}
			match self.orders.place(file, segment, std::slice::from_ref(&new)).await {
				Ok(block) => {
					for (index, reason) in failed.iter().cloned() {
						let place = usize::from(index);
						let (from, to) = (holders[place], new[place]);
						info!(segment, index, from = from.0, to = to.0, "replaced");
						self.replaced.fetch_add(1, Ordering::Relaxed);
						(self.progress)(PutEvent::Replaced { segment, index, from, to, reason });
					}
					*holders = new;
					return Ok(block);
				},
				Err(error) if attempt < CHAIN_ATTEMPTS && is_worth_another(&error) => {
					warn!(%error, attempt, "placing again");
					attempt += 1;
					sleep(POLL).await;
				},
				Err(error) => return Err(error.into()),
			}
		}
	}
}

/// Who the fragments of a segment are assigned to.
pub(super) fn holders_of(segment: &SegmentStatus) -> Vec<MinerId> {
	let holder = |fragment: &FragmentStatus| fragment.holder.unwrap_or(MinerId::NOBODY);
	segment.fragments.iter().map(holder).collect()
}
