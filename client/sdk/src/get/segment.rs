// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Getting one segment, or a range of it.

use super::{
	GetError,
	race::{Holder, Race},
	reading::{Reading, lock},
};
use crate::{
	ChainError, Ledger, Transport,
	progress::GetEvent,
	transport::{FragmentData, Pulse, TransferError},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use planaria_erasure::RestoreError;
use planaria_primitives::{FileIndex, FragmentName};
use planaria_runtime_api::SegmentStatus;
use std::{
	collections::HashMap,
	ops::Range,
	pin::pin,
	sync::{Arc, atomic::Ordering},
	time::Duration,
};
use tokio::{
	sync::Notify,
	task::spawn_blocking,
	time::{Instant, sleep},
};
use tracing::{debug, warn};

/// The fragments of a segment that arrived, by their place in it.
type Fragments = Vec<(u8, FragmentData)>;

/// How often those that are asked are looked at.
const WATCH: Duration = Duration::from_millis(250);

/// A holder that is asked.
struct Watched {
	holder: Holder,
	pulse: Arc<Pulse>,
	is_slow: bool,
}

/// How often a busy or interrupted holder is asked again within one attempt.
const RETRIES: u32 = 2;

impl<L: Ledger, T: Transport> Reading<L, T> {
	/// A range of a segment's bytes, in parts.
	pub(super) async fn part(
		self: Arc<Self>,
		number: u32,
		range: Range<u64>,
	) -> Result<Vec<Bytes>, GetError> {
		if range == (0..self.spec.segment_len(number)) {
			return self.segment(number).await;
		}
		let slow = Notify::new();
		let mut sources = pin!(self.sources(number, &range, &slow).fuse());
		let first = tokio::select! {
			found = &mut sources => found?,
			() = slow.notified() => None,
		};
		if let Some(parts) = first {
			return Ok(parts);
		}
		tokio::select! {
			Ok(Some(parts)) = &mut sources => Ok(parts),
			segment = self.clone().segment(number) => Ok(cut(segment?, &range)),
		}
	}

	/// A range of a segment's bytes from the holders of the source fragments they are in, and from
	/// nobody else; nothing where one of them fails. Tells when one is slow.
	async fn sources(
		&self,
		number: u32,
		range: &Range<u64>,
		slow: &Notify,
	) -> Result<Option<Vec<Bytes>>, GetError> {
		let holders = self.holders(number, false).await?;
		let mut running = FuturesUnordered::new();
		let mut watched: Vec<Watched> = Vec::new();
		for (index, bytes) in pieces(self.spec.fragment_len(number), range) {
			let holder = holders.iter().find(|holder| holder.index == index);
			// Who is known to fail would only take time.
			let likely = holder.filter(|holder| self.failures_of(holder.miner) == 0);
			let Some(holder) = likely.copied() else { return Ok(None) };
			let pulse = Arc::new(Pulse::default());
			running.push(self.ask(number, holder, bytes, pulse.clone()));
			watched.push(Watched { holder, pulse, is_slow: false });
		}
		let mut arrived = Vec::new();
		loop {
			let answer = tokio::select! {
				answer = running.next() => answer,
				() = sleep(WATCH) => {
					if self.slow(number, &mut watched) > 0 {
						slow.notify_one();
					}
					continue;
				},
			};
			let Some((holder, result)) = answer else { break };
			watched.retain(|watched| watched.holder != holder);
			match result {
				Ok(data) => {
					self.tell_fetched(number, &holder, &data);
					arrived.push((holder.index, data.bytes));
				},
				Err(error) => {
					self.tell_failed(number, &holder, &error);
					return Ok(None);
				},
			}
		}
		arrived.sort_by_key(|(index, _)| *index);
		Ok(Some(arrived.into_iter().map(|(_, bytes)| bytes).collect()))
	}

	/// The bytes of a segment, in parts.
	async fn segment(self: Arc<Self>, number: u32) -> Result<Vec<Bytes>, GetError> {
		let mut attempt = 1;
		let mut fragments = Fragments::new();
		let need = usize::from(self.spec.data());
		loop {
			let holders = self.holders(number, attempt > 1).await?;
			let reasons = self.fetch(number, holders, &mut fragments).await;
			if fragments.len() >= need {
				break;
			}
			if attempt >= self.options.attempts {
				let have = fragments.len();
				return Err(GetError::Unrestorable { segment: number, have, need, reasons });
			}
			warn!(segment = number, attempt, "too few fragments, looking up holders again");
			sleep(Duration::from_secs(2) * attempt).await;
			attempt += 1;
		}
		spawn_blocking(move || self.assemble(number, fragments))
			.await
			.expect("decoding does not panic; qed")
	}

	/// Who may have fragments of the segment, in the order in which to ask them. The first time the
	/// instance that was asked for, from pages; then every instance, as they are now.
	async fn holders(&self, number: u32, again: bool) -> Result<Vec<Holder>, ChainError> {
		let mut found: Vec<(FileIndex, SegmentStatus)> = Vec::new();
		if again {
			self.look_miners_up().await?;
			for instance in &self.instances {
				let segments = self.ledger.segments(instance.file, number, 1).await?;
				found.extend(segments.into_iter().map(|segment| (instance.file, segment)));
			}
		} else {
			let segment = self.status(number).await?;
			found.extend(segment.map(|segment| (self.instances[0].file, segment)));
		}
		let miners = lock(&self.miners);
		let mut ranked = Vec::new();
		for (instance, (file, segment)) in found.iter().enumerate() {
			for (index, fragment) in (0u8..).zip(&segment.fragments) {
				let Some(miner) = fragment.holder else { continue };
				let Some(known) = miners.get(&miner) else { continue };
				// A holder that restores its fragment may not have it, nor one that never
				// confirmed it; but it may.
				let doubtful = !fragment.confirmed || fragment.restoring;
				let failures = self.failures_of(miner);
				let rank = (doubtful, !known.serves, failures, index, instance);
				ranked.push((rank, Holder { index, file: *file, miner }));
			}
		}
		ranked.sort_by_key(|(rank, _)| *rank);
		Ok(ranked.into_iter().map(|(_, holder)| holder).collect())
	}

	/// Gets fragments until there are enough or no holder is left; returns what went wrong.
	async fn fetch(
		&self,
		number: u32,
		holders: Vec<Holder>,
		fragments: &mut Fragments,
	) -> Vec<String> {
		let had = |index| fragments.iter().any(|(other, _)| *other == index);
		let holders: Vec<_> = holders.into_iter().filter(|holder| !had(holder.index)).collect();
		let missing = usize::from(self.spec.data()).saturating_sub(fragments.len());
		let missing = u8::try_from(missing).expect("at most data; qed");
		let mut race = Race::new(missing, holders);
		let mut running = FuturesUnordered::new();
		let mut watched: Vec<Watched> = Vec::new();
		let mut reasons = Vec::new();
		let mut retries = HashMap::new();
		let all = 0..self.spec.fragment_len(number);
		loop {
			while let Some(holder) = race.start() {
				let pulse = Arc::new(Pulse::default());
				running.push(self.ask(number, holder, all.clone(), pulse.clone()));
				watched.push(Watched { holder, pulse, is_slow: false });
			}
			if race.is_won() || running.is_empty() {
				return reasons;
			}
			let answer = tokio::select! {
				answer = running.next() => answer,
				() = sleep(WATCH) => {
					race.slow(self.slow(number, &mut watched));
					continue;
				},
			};
			let Some((holder, result)) = answer else { return reasons };
			watched.retain(|watched| watched.holder != holder);
			match result {
				Ok(data) => {
					race.delivered(&holder);
					self.tell_fetched(number, &holder, &data);
					if !fragments.iter().any(|(index, _)| *index == holder.index) {
						fragments.push((holder.index, data));
					}
				},
				Err(error) => {
					reasons.push(self.tell_failed(number, &holder, &error));
					let tried: &mut u32 = retries.entry((holder.index, holder.miner)).or_default();
					*tried += 1;
					let passing = error.is_interrupted() || matches!(error, TransferError::Busy);
					race.failed(&holder, passing && *tried <= RETRIES);
				},
			}
		}
	}

	/// How many of those that are asked are slow. Those that turn out so are asked last from now
	/// on, until they deliver.
	fn slow(&self, number: u32, watched: &mut [Watched]) -> usize {
		let patience = self.slow_after();
		for watched in watched.iter_mut().filter(|watched| !watched.is_slow) {
			let Watched { holder, pulse, is_slow } = watched;
			if pulse.idle() >= self.options.hedge_after || pulse.elapsed() >= patience {
				*is_slow = true;
				self.note_failed(holder.miner);
				let reason = format!("miner {} is slow", holder.miner);
				self.tell_spare(number, holder, &reason);
			}
		}
		watched.iter().filter(|watched| watched.is_slow).count()
	}

	fn tell_fetched(&self, segment: u32, holder: &Holder, data: &FragmentData) {
		self.note_delivered(holder.miner);
		self.note_proof(segment, holder.index, data.hash, &data.sidecar);
		self.fetched.fetch_add(1, Ordering::Relaxed);
		let bytes = data.range.end - data.range.start;
		(self.progress)(GetEvent::Fetched { segment, index: holder.index, bytes });
	}

	/// Returns what went wrong.
	fn tell_failed(&self, segment: u32, holder: &Holder, error: &TransferError) -> String {
		debug!(segment, ?holder, %error, "a holder failed");
		self.note_failed(holder.miner);
		self.failures.fetch_add(1, Ordering::Relaxed);
		let reason = format!("fragment {} with miner {}: {error}", holder.index, holder.miner);
		self.tell_spare(segment, holder, &reason);
		reason
	}

	fn tell_spare(&self, segment: u32, holder: &Holder, reason: &str) {
		let (index, reason) = (holder.index, reason.to_owned());
		(self.progress)(GetEvent::Spare { segment, index, reason });
	}

	pub(super) async fn ask(
		&self,
		segment: u32,
		holder: Holder,
		range: Range<u32>,
		pulse: Arc<Pulse>,
	) -> (Holder, Result<FragmentData, TransferError>) {
		let peer = lock(&self.miners).get(&holder.miner).map(|known| known.peer.clone());
		let Some(peer) = peer else { return (holder, Err(TransferError::NotFound)) };
		let Holder { index, file, .. } = holder;
		let name = FragmentName { file_id: self.id, file, segment, index };
		let began = Instant::now();
		let is_whole = range == (0..self.spec.fragment_len(segment));
		let result = self.transport.get(&peer, name, self.spec, range, pulse).await;
		if result.is_ok() && is_whole {
			self.note_duration(began.elapsed());
		}
		(holder, result)
	}

	/// The segment's bytes from enough fragments, each verified; what is rebuilt is verified here.
	fn assemble(&self, number: u32, mut fragments: Fragments) -> Result<Vec<Bytes>, GetError> {
		fragments.sort_by_key(|(index, _)| *index);
		let data = usize::from(self.spec.data());
		fragments.truncate(data);
		let len = usize::try_from(self.spec.segment_len(number)).expect("at most 504 MiB; qed");
		if fragments.iter().all(|(index, _)| usize::from(*index) < data) {
			let mut rest = len;
			let parts = fragments.into_iter().map(|(_, fragment)| {
				let part = fragment.bytes.slice(..fragment.bytes.len().min(rest));
				rest -= part.len();
				part
			});
			return Ok(parts.collect());
		}
		let sibling = &fragments.first().expect("data is at least 1; qed").1.sidecar;
		let present: Vec<_> =
			fragments.iter().map(|(index, fragment)| (*index, &fragment.bytes[..])).collect();
		match self.coder.restore(&self.id, number, &present, sibling) {
			Ok((segment, sidecars)) => {
				self.rebuilt.fetch_add(1, Ordering::Relaxed);
				for ((index, hash), sidecar) in (0..).zip(segment.hashes()).zip(&sidecars) {
					self.note_proof(number, index, *hash, sidecar);
				}
				// Source fragments come first and without gaps.
				Ok(vec![Bytes::from(segment.into_bytes()).slice(..len)])
			},
			Err(RestoreError::Sidecar(_)) => Err(GetError::NotCodeword { segment: number }),
			Err(RestoreError::Reconstruct(error)) => Err(GetError::Unrestorable {
				segment: number,
				have: present.len(),
				need: data,
				reasons: vec![error.to_string()],
			}),
		}
	}
}

/// The source fragments, each `len` long, that hold a range of a segment's bytes, and which of their
/// bytes these are.
fn pieces(len: u32, range: &Range<u64>) -> impl Iterator<Item = (u8, Range<u32>)> + use<> {
	let Range { start, end } = *range;
	let within =
		move |offset: u64| u32::try_from(offset.min(len.into())).expect("at most len; qed");
	let number = |offset| u8::try_from(offset / u64::from(len)).expect("at most 63; qed");
	(number(start)..number(end - 1) + 1).map(move |index| {
		let begin = u64::from(index) * u64::from(len);
		(index, within(start.saturating_sub(begin))..within(end - begin))
	})
}

/// A range of the bytes that the parts are together.
fn cut(parts: Vec<Bytes>, range: &Range<u64>) -> Vec<Bytes> {
	let mut begin = 0;
	let mut wanted = Vec::new();
	for part in parts {
		let len = part.len() as u64;
		let within = |offset: u64| usize::try_from(offset.saturating_sub(begin).min(len));
		let bounds = within(range.start).and_then(|start| Ok(start..within(range.end)?));
		let bytes = part.slice(bounds.expect("at most the part's length; qed"));
		if !bytes.is_empty() {
			wanted.push(bytes);
		}
		begin += len;
	}
	wanted
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_range_is_found_in_its_source_fragments() {
		let found = |range| pieces(100, &range).collect::<Vec<_>>();
		assert_eq!(found(0..1), [(0, 0..1)]);
		assert_eq!(found(99..100), [(0, 99..100)]);
		assert_eq!(found(99..301), [(0, 99..100), (1, 0..100), (2, 0..100), (3, 0..1)]);
		assert_eq!(found(100..200), [(1, 0..100)]);
	}

	#[test]
	fn a_range_is_cut_from_parts() {
		let parts = ["abc", "de", "fgh"].map(|part| Bytes::from_static(part.as_bytes()));
		let whole = b"abcdefgh";
		for start in 0..=whole.len() {
			for end in start..=whole.len() {
				let range = start as u64..end as u64;
				let cut = cut(parts.to_vec(), &range);
				assert!(cut.iter().all(|part| !part.is_empty()));
				assert_eq!(cut.concat(), whole[start..end]);
			}
		}
	}
}
