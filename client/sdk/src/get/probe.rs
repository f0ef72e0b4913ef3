// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Asking every holder for a little of what it holds.

use super::{
	GetError, Reader,
	race::Holder,
	reading::{Reading, lock},
};
use crate::{
	Ledger, Transport,
	transport::{Pulse, TransferError},
};
use futures::{StreamExt, stream};
use planaria_primitives::MinerId;
use planaria_runtime_api::MAX_PAGE;
use planaria_transfer::GROUP_LEN;
use rand::Rng;
use std::{
	collections::{BTreeMap, BTreeSet},
	ops::Range,
	sync::Arc,
	time::Duration,
};
use tokio::time::timeout;

/// How many holders are asked at once.
const AT_ONCE: usize = 16;
/// How long a holder may take for a group.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a holder did when it was asked for a random part of what it holds.
#[derive(Debug)]
pub struct Probed {
	/// Who.
	pub miner: MinerId,
	/// The number of the segment whose fragment it was asked for.
	pub segment: u32,
	/// The fragment's place in it.
	pub index: u8,
	/// Whether the bytes came and were the file's.
	pub result: Result<(), TransferError>,
}

impl<L: Ledger, T: Transport> Reader<L, T> {
	/// Asks every holder of [`file`](Self::file) for one group of 16 KiB, at random, of one fragment
	/// that it holds, at random, and verifies it against the file's id. The holders are those that
	/// the chain names now.
	///
	/// A fragment without a holder is passed over: the chain says so itself.
	pub async fn probe(&self) -> Result<Vec<Probed>, GetError> {
		let reading = self.reading();
		let chosen = reading.one_fragment_each().await?;
		let asked = stream::iter(chosen).map(|(miner, (segment, index))| {
			let reading = reading.clone();
			async move { reading.probe(miner, segment, index).await }
		});
		Ok(asked.buffer_unordered(AT_ONCE).collect().await)
	}
}

impl<L: Ledger, T: Transport> Reading<L, T> {
	/// One fragment of each holder, any with the same probability.
	async fn one_fragment_each(&self) -> Result<BTreeMap<MinerId, (u32, u8)>, GetError> {
		let mut chosen = BTreeMap::new();
		let mut seen: BTreeMap<MinerId, u32> = BTreeMap::new();
		for first in (0..self.spec.segments()).step_by(MAX_PAGE as usize) {
			let file = self.instances[0].file;
			for segment in self.ledger.segments(file, first, MAX_PAGE).await? {
				for (index, fragment) in (0..).zip(&segment.fragments) {
					let Some(miner) = fragment.holder else { continue };
					let seen = seen.entry(miner).or_default();
					*seen += 1;
					if rand::rng().random_range(0..*seen) == 0 {
						chosen.insert(miner, (segment.number, index));
					}
				}
			}
		}
		let known: BTreeSet<_> = lock(&self.miners).keys().copied().collect();
		if chosen.keys().any(|miner| !known.contains(miner)) {
			self.look_miners_up().await?;
		}
		Ok(chosen)
	}

	async fn probe(&self, miner: MinerId, segment: u32, index: u8) -> Probed {
		let holder = Holder { index, file: self.instances[0].file, miner };
		let group = random_group(self.spec.fragment_len(segment));
		let asked = self.ask(segment, holder, group, Arc::new(Pulse::default()));
		let result = match timeout(PATIENCE, asked).await {
			Ok((_, result)) => result.map(|_| ()),
			Err(_) => Err(TransferError::Stalled),
		};
		Probed { miner, segment, index, result }
	}
}

/// A group of a fragment of this length.
fn random_group(len: u32) -> Range<u32> {
	let start = rand::rng().random_range(0..len.div_ceil(GROUP_LEN)) * GROUP_LEN;
	start..len.min(start + GROUP_LEN)
}
