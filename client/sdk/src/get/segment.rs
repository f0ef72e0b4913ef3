// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Getting one segment.

use super::{
	GetError, Getting, known, lock,
	race::{Holder, Race},
};
use crate::{
	ChainError, Ledger, Transport,
	progress::GetEvent,
	transport::{FragmentData, Pulse, TransferError},
};
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use planaria_erasure::RestoreError;
use planaria_primitives::{FileIndex, FragmentName};
use planaria_runtime_api::SegmentStatus;
use std::{
	collections::HashMap,
	sync::{Arc, atomic::Ordering},
	time::Duration,
};
use tokio::{
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

impl<L: Ledger, T: Transport> Getting<L, T> {
	/// The bytes of a segment, in parts.
	pub(super) async fn segment(self: Arc<Self>, number: u32) -> Result<Vec<Bytes>, GetError> {
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
			let miners = known(self.ledger.miners().await?);
			*lock(&self.miners) = miners;
			for instance in &self.instances {
				let segments = self.ledger.segments(instance.file, number, 1).await?;
				found.extend(segments.into_iter().map(|segment| (instance.file, segment)));
			}
		} else {
			let segment = self.status(number).await?;
			found.extend(segment.map(|segment| (self.instances[0].file, segment)));
		}
		let miners = lock(&self.miners);
		let bad = lock(&self.bad);
		let mut ranked = Vec::new();
		for (instance, (file, segment)) in found.iter().enumerate() {
			for (index, fragment) in (0u8..).zip(&segment.fragments) {
				let Some(miner) = fragment.holder else { continue };
				let Some(known) = miners.get(&miner) else { continue };
				// A holder that restores its fragment may not have it, nor one that never
				// confirmed it; but it may.
				let doubtful = !fragment.confirmed || fragment.restoring;
				let failures = bad.get(&miner).copied().unwrap_or(0);
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
		loop {
			while let Some(holder) = race.start() {
				let pulse = Arc::new(Pulse::default());
				running.push(self.ask(number, holder, pulse.clone()));
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
					lock(&self.bad).remove(&holder.miner);
					let bytes = u32::try_from(data.bytes.len()).unwrap_or(u32::MAX);
					if !fragments.iter().any(|(index, _)| *index == holder.index) {
						fragments.push((holder.index, data));
					}
					self.fetched.fetch_add(1, Ordering::Relaxed);
					let index = holder.index;
					(self.progress)(GetEvent::Fetched { segment: number, index, bytes });
				},
				Err(error) => {
					debug!(segment = number, ?holder, %error, "a holder failed");
					self.failures.fetch_add(1, Ordering::Relaxed);
					*lock(&self.bad).entry(holder.miner).or_insert(0) += 1;
					let tried: &mut u32 = retries.entry((holder.index, holder.miner)).or_default();
					*tried += 1;
					let passing = error.is_interrupted() || matches!(error, TransferError::Busy);
					race.failed(&holder, passing && *tried <= RETRIES);
					let reason =
						format!("fragment {} with miner {}: {error}", holder.index, holder.miner);
					self.tell_spare(number, &holder, &reason);
					reasons.push(reason);
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
				*lock(&self.bad).entry(holder.miner).or_insert(0) += 1;
				let reason = format!("miner {} is slow", holder.miner);
				self.tell_spare(number, holder, &reason);
			}
		}
		watched.iter().filter(|watched| watched.is_slow).count()
	}

	fn tell_spare(&self, segment: u32, holder: &Holder, reason: &str) {
		let (index, reason) = (holder.index, reason.to_owned());
		(self.progress)(GetEvent::Spare { segment, index, reason });
	}

	async fn ask(
		&self,
		segment: u32,
		holder: Holder,
		pulse: Arc<Pulse>,
	) -> (Holder, Result<FragmentData, TransferError>) {
		let peer = lock(&self.miners).get(&holder.miner).map(|known| known.peer.clone());
		let Some(peer) = peer else { return (holder, Err(TransferError::NotFound)) };
		let Holder { index, file, .. } = holder;
		let name = FragmentName { file_id: self.id, file, segment, index };
		let began = Instant::now();
		let result = self.transport.get(&peer, name, self.spec, pulse).await;
		if result.is_ok() {
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
			Ok((segment, _)) => {
				self.rebuilt.fetch_add(1, Ordering::Relaxed);
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
