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
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep};
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
	/// It has the fragment.
	Done {
		/// How many bytes were sent; none where it had the fragment already.
		sent: Option<u32>,
		/// How long the last attempt took.
		took: Duration,
	},
	Replace {
		reason: String,
		shun: bool,
		blamed: bool,
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
			let reason = "does not confirm it";
			let mut failed =
				puts.iter().map(|put| (put.name.index, reason.to_owned())).collect::<Vec<_>>();
			let silent = holders.clone();
			let replaced = self.replace(number, &mut holders, &mut failed).await;
			if replaced.as_ref().err().is_none_or(PutError::lacks_miners) {
				for (index, _) in &failed {
					self.note_blamed(silent[usize::from(*index)], reason);
				}
			}
			placed_at = replaced?;
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
					End::Done { sent, took } => self.note_sent(put, miner, sent, took),
					End::Replace { reason, shun, blamed } => {
						if blamed {
							self.note_blamed(miner, &reason);
						}
						if shun {
							lock(&self.planner).shun(miner);
							self.shunning.notify_waiters();
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
		let end = |reason: &str, blamed| End::Replace { reason: reason.into(), shun: true, blamed };
		let peer = lock(&self.peers).get(&miner).cloned();
		let Some(peer) = peer else { return (put, miner, end("is no longer registered", false)) };
		loop {
			let began = Instant::now();
			let outcome = tokio::select! {
				biased;
				() = self.until_shunned(miner) => {
					return (put, miner, end("failed with other fragments", false));
				},
				outcome = self.transport.put(&peer, put) => outcome,
			};
			debug!(fragment = %put.name, miner = miner.0, ?outcome, "offered");
			if self.note_reached(miner, &outcome) >= self.options.patience.unreachable {
				return (put, miner, end("cannot be reached", true));
			}
			match attempts.judge(&outcome) {
				Step::Done => {
					let sent = match outcome {
						Ok(PutOutcome::Stored { sent }) => Some(sent),
						_ => None,
					};
					return (put, miner, End::Done { sent, took: began.elapsed() });
				},
				Step::Again(wait) => sleep(wait).await,
				Step::Replace { reason, shun, blamed } => {
					return (put, miner, End::Replace { reason, shun, blamed });
				},
				Step::GiveUp(reason) => return (put, miner, End::GiveUp(reason)),
			}
		}
	}

	/// How often in a row a miner was not reached, with whatever fragments.
	fn note_reached(&self, miner: MinerId, outcome: &Result<PutOutcome, TransferError>) -> u32 {
		let mut unreachable = lock(&self.unreachable);
		if !matches!(outcome, Err(TransferError::Connect(_))) {
			unreachable.remove(&miner);
			return 0;
		}
		let times = unreachable.entry(miner).or_insert(0);
		*times += 1;
		*times
	}

	/// Ends when the miner is to get nothing more.
	async fn until_shunned(&self, miner: MinerId) {
		loop {
			let news = self.shunning.notified();
			tokio::pin!(news);
			// From here on no news is missed.
			news.as_mut().enable();
			if lock(&self.planner).is_shunned(miner) {
				return;
			}
			news.await;
		}
	}

	fn note_sent(&self, put: &Put, miner: MinerId, sent: Option<u32>, took: Duration) {
		let (segment, index) = (put.name.segment, put.name.index);
		let bytes = put.fragment.len();
		let fragments = usize::from(self.source.spec().fragments());
		lock(&self.sent).entry(segment).or_insert_with(|| vec![MinerId::NOBODY; fragments])
			[usize::from(index)] = miner;
		if let Some(sent) = sent {
			self.sent_fragments.fetch_add(1, Ordering::Relaxed);
			self.sent_bytes.fetch_add(u64::from(sent), Ordering::Relaxed);
		}
		let took = sent.filter(|sent| *sent >= bytes).map(|_| took);
		(self.progress)(PutEvent::Sent { segment, index, miner, bytes, took });
	}

	fn note_blamed(&self, miner: MinerId, reason: &str) {
		(self.progress)(PutEvent::Blamed { miner, reason: reason.into() });
	}

	fn note_replaced(&self, segment: u32, index: u8, from: MinerId, to: MinerId, reason: String) {
		info!(segment, index, from = from.0, to = to.0, reason, "replaced");
		self.replaced.fetch_add(1, Ordering::Relaxed);
		(self.progress)(PutEvent::Replaced { segment, index, from, to, reason });
	}

	/// Gives those fragments of consecutive segments whose holder failed before, or is not wanted
	/// any more, to other miners, all by one call. Where that fails each segment's own turn comes.
	pub(super) async fn leave_shunned(
		&self,
		segments: &mut [SegmentStatus],
	) -> Result<Option<u32>, PutError> {
		let (status, draw) = self.drawn().await?;
		let mut new: Vec<_> = segments.iter().map(holders_of).collect();
		let mut changed = Vec::new();
		for (segment, holders) in segments.iter().zip(&mut new) {
			let len = self.source.spec().fragment_len(segment.number);
			for (index, fragment) in (0u8..).zip(&segment.fragments) {
				let mut planner = lock(&self.planner);
				let Some(from) = fragment.holder.filter(|_| !fragment.confirmed) else { continue };
				let reason = match from {
					from if planner.is_shunned(from) => "failed before",
					from if planner.is_unwanted(from) => "is not to have it",
					_ => continue,
				};
				let candidates = draw.as_ref().map(|draw| draw.of(segment.number, index));
				let to = match planner.another(candidates, holders, len) {
					Ok(to) => to,
					// There may be more of them when its turn comes.
					Err(_) if draw.is_some() => continue,
					Err(error) => return Err(error.into()),
				};
				holders[usize::from(index)] = to;
				changed.push((segment.number, index, from, to, reason));
			}
		}
		let (Some(first), false) = (segments.first(), changed.is_empty()) else { return Ok(None) };
		match self.place(status.file, first.number, draw.as_ref(), &new).await {
			Ok(block) => {
				for (segment, holders) in segments.iter_mut().zip(&new) {
					for (fragment, holder) in segment.fragments.iter_mut().zip(holders) {
						fragment.holder = Some(*holder).filter(|holder| *holder != MinerId::NOBODY);
					}
				}
				for (segment, index, from, to, reason) in changed {
					self.note_replaced(segment, index, from, to, reason.into());
				}
				Ok(Some(block))
			},
			Err(error) => {
				warn!(%error, "segments are placed again one by one");
				Ok(None)
			},
		}
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
			let (status, draw) = self.drawn().await?;
			let file = status.file;
			let known = patiently(|| self.orders.segments(file, segment, 1)).await?;
			if let Some(known) = known.first() {
				*holders = holders_of(known);
				failed.retain(|(index, _)| !known.fragments[usize::from(*index)].confirmed);
			}
			if failed.is_empty() {
				return Ok(patiently(|| self.orders.height()).await?);
			}
			let indices: Vec<u8> = failed.iter().map(|(index, _)| *index).collect();
			let others = match &draw {
				None => lock(&self.planner).others(indices.len(), holders, len),
				Some(draw) => {
					let of = |index: &u8| draw.of(segment, *index).collect();
					let of: Vec<_> = indices.iter().map(of).collect();
					lock(&self.planner).drawn(&of, holders, len)
				},
			};
			let others = match others {
				Ok(others) => others,
				Err(error) => {
					self.until_more(&status, segment, error).await?;
					continue;
				},
			};
			// Different from every holder there was.
			let mut new = holders.clone();
			for (index, other) in indices.iter().zip(others) {
				new[usize::from(*index)] = other;
			}
			match self.place(file, segment, draw.as_ref(), std::slice::from_ref(&new)).await {
				Ok(block) => {
					for (index, reason) in failed.iter().cloned() {
						let place = usize::from(index);
						self.note_replaced(segment, index, holders[place], new[place], reason);
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
