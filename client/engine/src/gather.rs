// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Any `data` other fragments of a segment, from as many holders.

use crate::{
	peers::PeerError,
	restore::{Fetched, Pace, RestoreError, Restorer, Task},
	sources::{self, Blame},
};
use futures::{StreamExt, stream::FuturesUnordered};
use planaria_primitives::MinerId;
use std::time::Duration;
use tokio::time::timeout;

/// A source that was asked.
struct Running {
	index: u8,
	holder: MinerId,
	pace: Pace,
	/// A spare was asked for it.
	slow: bool,
}

/// Fetches as many fragments as the segment needs; a slow source is joined by a spare, a failing
/// one replaced. The fragments `last` are asked for last.
pub(crate) async fn gather(
	restorer: &Restorer,
	task: &Task<'_>,
	last: &[u8],
) -> Result<Vec<(u8, Fetched)>, RestoreError> {
	let config = &restorer.config;
	let look_every = (config.hedge_after / 20).max(Duration::from_millis(50));
	let needed = usize::from(task.spec.data());
	let bad = |miner| restorer.is_avoided(miner);
	let mut queue = sources::siblings(task.record, task.me, bad, &mut rand::rng());
	queue.sort_by_key(|(index, _)| last.contains(index));
	let mut queue = queue.into_iter();
	let mut running: Vec<Running> = Vec::new();
	let mut fetching = FuturesUnordered::new();
	let mut fetched: Vec<(u8, Fetched)> = Vec::with_capacity(needed);
	let mut failure = String::from("nobody else holds any");
	let (mut done, mut best) = (0, 0);
	loop {
		let spares = running.iter().filter(|source| source.slow).count();
		while running.len() < needed - fetched.len() + spares
			&& let Some((index, holder)) = queue.next()
		{
			let pace = Pace::new(&task.gauge.read);
			let meter = pace.meter.clone();
			running.push(Running { index, holder, pace, slow: false });
			fetching
				.push(async move { (index, restorer.fetch(task, index, holder, &meter).await) });
		}
		let next = timeout(look_every, fetching.next()).await;
		running.iter_mut().for_each(|source| {
			source.pace.look();
			let speed = source.pace.speed;
			let done = matches!(&next, Ok(Some((index, Ok(_)))) if *index == source.index);
			if speed.is_telling(done, config.hedge_after) {
				best = best.max(speed.rate());
			}
		});
		match next {
			Ok(Some((index, result))) => {
				let Some(place) = running.iter().position(|source| source.index == index) else {
					continue;
				};
				let source = running.swap_remove(place);
				match result {
					Ok(fragment) => {
						done += u64::from(task.len());
						restorer.served(source.holder);
						fetched.push((index, fragment));
					},
					Err(error) => {
						failure = failed(restorer, task, &source, error);
					},
				}
				if fetched.len() == needed {
					// Who was overtaken by its spare is asked later next time.
					for source in running.iter().filter(|source| source.slow) {
						restorer.blame(source.holder, Blame::Slow);
					}
					return Ok(fetched);
				}
			},
			Ok(None) => {
				let (got, needed) = (fetched.len(), task.spec.data());
				return Err(RestoreError::Sources { got, needed, last: failure });
			},
			Err(_) => (),
		}
		for source in &mut running {
			source.slow = source.slow || source.pace.speed.is_slow(best, config.hedge_after);
		}
		let len = u64::from(task.len());
		let arriving = running.iter().map(|source| source.pace.speed.bytes.min(len)).sum::<u64>();
		let whole = len * u64::from(task.spec.data());
		task.gauge.set_had((done + arriving).min(whole) / u64::from(task.spec.data()));
	}
}

fn failed(restorer: &Restorer, task: &Task<'_>, source: &Running, error: PeerError) -> String {
	let Running { index, holder, .. } = source;
	tracing::debug!(name = %task.name(), index, %holder, %error, "a source failed");
	restorer.judge(task.gauge, *holder, error.fault);
	error.reason
}
