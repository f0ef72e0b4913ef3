// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which fragments of others this miner would restore.

use crate::chain::{At, Chain, ChainError};
use planaria_primitives::{
	FragmentId, MinerId, SegmentId, Tick, mailbox::MAX_LISTED, segment::SegmentV0,
};
use planaria_runtime_api::{MinerStanding, OrderStanding};
use planaria_worker::planner::lazy_spare;
use rand::{Rng, seq::SliceRandom};
use std::collections::{BTreeMap, BTreeSet};

/// How many rows are read from the chain at a time.
const PAGE: u32 = 256;

/// Segments read at a time by the native scan.
const SCAN_PAGE: u32 = 4096;

/// The native scan stops when it has found this many.
const MAX_FOUND: usize = 1 << 16;

/// A fragment that could be claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
	pub(crate) fragment: FragmentId,
	/// How many more fragments of its segment may go missing.
	pub(crate) spare: i16,
	/// Its holder leaves and still serves: restoring it is a copy.
	pub(crate) copy: bool,
}

/// Looks through the orders and the restore targets for what `me` may claim, in the order in which
/// it should.
///
/// What an absent or expelled miner held is left alone until enough of its segment is missing,
/// because one decode then restores it all; but not for longer than `lazy_max` ticks.
pub(crate) async fn find(
	chain: &dyn Chain,
	me: MinerId,
	limit: usize,
	lazy_max: Tick,
) -> Result<Vec<FragmentId>, ChainError> {
	let mut candidates = unclaimed(chain, me).await?;
	let targets = targets(chain, lazy_max).await?;
	if !targets.is_empty() {
		candidates.extend(held_by(chain, me, &targets).await?);
	}
	Ok(rank(candidates, limit.min(MAX_LISTED), &mut rand::rng()))
}

async fn unclaimed(chain: &dyn Chain, me: MinerId) -> Result<Vec<Candidate>, ChainError> {
	let mut candidates = Vec::new();
	let mut after = None;
	loop {
		let page = chain.orders(At::Best, after, PAGE).await?;
		after = page.last().map(|order| order.fragment);
		let whole = page.len() == PAGE as usize;
		candidates.extend(
			page.into_iter()
				.filter(|order| {
					order.standing == OrderStanding::Unclaimed && order.holder != Some(me)
				})
				.map(|order| Candidate {
					fragment: order.fragment,
					spare: order.spare,
					copy: false,
				}),
		);
		if !whole || candidates.len() >= 8 * MAX_LISTED {
			break;
		}
	}
	// A miner has at most one fragment of a segment.
	let ids = candidates.iter().map(|candidate| candidate.fragment).collect::<Vec<_>>();
	let mut mine = BTreeSet::new();
	for ids in ids.chunks(PAGE as usize) {
		for (id, record) in ids.iter().zip(chain.records(At::Best, ids.to_vec()).await?) {
			if record.is_none_or(|record| record.holders.contains(&Some(me))) {
				mine.insert(id.segment);
			}
		}
	}
	candidates.retain(|candidate| !mine.contains(&candidate.fragment.segment));
	Ok(candidates)
}

/// How the fragments of a restore target are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Move {
	/// The target still serves: they are copied, always.
	Copy,
	/// They are rebuilt once their segment is thin enough.
	Lazy,
	/// They are rebuilt now.
	Now,
}

async fn targets(chain: &dyn Chain, lazy_max: Tick) -> Result<BTreeMap<MinerId, Move>, ChainError> {
	let now = chain.network(At::Best).await?.tick;
	let mut targets = BTreeMap::new();
	let mut after = None;
	loop {
		let page = chain.targets(At::Best, after, PAGE).await?;
		after = page.last().map(|target| target.miner);
		let whole = page.len() == PAGE as usize;
		targets.extend(page.into_iter().filter(|target| target.fragments > 0).map(|target| {
			let patience = now.saturating_sub(target.since) < lazy_max;
			let how = match target.standing {
				MinerStanding::Leaving => Move::Copy,
				_ if patience => Move::Lazy,
				_ => Move::Now,
			};
			(target.miner, how)
		}));
		if !whole {
			return Ok(targets);
		}
	}
}

/// The fragments that the targets hold, without an order yet, natively scanned.
async fn held_by(
	chain: &dyn Chain,
	me: MinerId,
	targets: &BTreeMap<MinerId, Move>,
) -> Result<Vec<Candidate>, ChainError> {
	let mut found = Vec::new();
	let mut after = None;
	while found.len() < MAX_FOUND {
		let page = chain.segments(At::Finalized, after, SCAN_PAGE).await?;
		let Some((last, _)) = page.last() else { break };
		after = Some(*last);
		for (id, segment) in page {
			found.extend(restorable(me, id, &segment, targets));
		}
	}
	// Only the most urgent are looked up; the others come once these are done.
	found.shuffle(&mut rand::rng());
	found.sort_by_key(|(candidate, how)| (*how == Move::Lazy, candidate.spare));
	found.truncate(4 * MAX_LISTED);
	let ids: Vec<_> = found.iter().map(|(candidate, _)| candidate.fragment).collect();
	let mut candidates = Vec::new();
	for (ids, found) in ids.chunks(PAGE as usize).zip(found.chunks(PAGE as usize)) {
		let records = chain.records(At::Best, ids.to_vec()).await?;
		for ((candidate, how), record) in found.iter().zip(records) {
			let Some(record) = record else { continue };
			let spare = candidate.spare + i16::from(record.coding.parity);
			if *how != Move::Lazy || spare <= lazy_spare(record.coding.parity) {
				candidates.push(Candidate { spare, ..*candidate });
			}
		}
	}
	Ok(candidates)
}

/// What of a segment `me` could take over. `spare` is below the real one by the code's parity,
/// which does not stand in the record.
fn restorable(
	me: MinerId,
	id: SegmentId,
	segment: &SegmentV0,
	targets: &BTreeMap<MinerId, Move>,
) -> Vec<(Candidate, Move)> {
	if segment.index_of(me).is_some() {
		return Vec::new();
	}
	let mut present = 0;
	let mut moving = Vec::new();
	for index in (0..segment.fragments()).filter(|index| segment.is_confirmed(*index)) {
		let Some(holder) = segment.holder(index) else { continue };
		let restoring = segment.is_restoring(index);
		let how = targets.get(&holder).copied();
		// A fragment under restoration is there no longer, unless it is only moving.
		present += i16::from(how == Some(Move::Copy) || (how.is_none() && !restoring));
		moving.extend(how.filter(|_| !restoring).map(|how| (index, how)));
	}
	let spare = present - i16::from(segment.fragments());
	moving
		.into_iter()
		.map(|(index, how)| {
			let fragment = FragmentId { segment: id, index };
			(Candidate { fragment, spare, copy: how == Move::Copy }, how)
		})
		.collect()
}

/// The scarcest first, copies before rebuilding, otherwise at random so that miners do not race
/// for the same; of one segment only one.
fn rank(mut candidates: Vec<Candidate>, limit: usize, rng: &mut impl Rng) -> Vec<FragmentId> {
	candidates.shuffle(rng);
	candidates.sort_by_key(|candidate| (candidate.spare, !candidate.copy));
	let mut segments = BTreeSet::new();
	candidates
		.into_iter()
		.map(|candidate| candidate.fragment)
		.filter(|fragment| segments.insert(fragment.segment))
		.take(limit)
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileIndex, Segment};

	fn candidate(segment: u64, index: u8, spare: i16, copy: bool) -> Candidate {
		Candidate { fragment: FragmentId { segment: SegmentId(segment), index }, spare, copy }
	}

	#[test]
	fn the_scarcest_come_first_and_only_one_of_a_segment() {
		let candidates = vec![
			candidate(1, 0, 4, true),
			candidate(2, 1, 0, false),
			candidate(2, 2, 0, true),
			candidate(3, 0, -1, false),
		];
		for _ in 0..20 {
			let ranked = rank(candidates.clone(), 10, &mut rand::rng());
			assert_eq!(
				ranked,
				[candidates[3].fragment, candidates[2].fragment, candidates[0].fragment]
			);
		}
		assert_eq!(rank(candidates, 1, &mut rand::rng()).len(), 1);
	}

	#[test]
	fn equals_come_in_any_order() {
		let candidates: Vec<_> = (0..40).map(|n| candidate(n, 0, 1, true)).collect();
		let orders: BTreeSet<Vec<_>> =
			(0..8).map(|_| rank(candidates.clone(), 40, &mut rand::rng())).collect();
		assert!(orders.len() > 1);
	}

	#[test]
	fn only_confirmed_fragments_of_targets_without_an_order_are_restorable() {
		let (me, leaving, absent, other) = (MinerId(1), MinerId(2), MinerId(3), MinerId(4));
		let targets = BTreeMap::from([(leaving, Move::Copy), (absent, Move::Lazy)]);
		let mut segment = Segment::unplaced(FileIndex(0), 4);
		for (index, holder) in (0..).zip([leaving, absent, other, leaving]) {
			segment.holders.set(index, holder);
		}
		segment.confirmed = 0b0111;
		let found = |segment: &SegmentV0| restorable(me, SegmentId(9), segment, &targets);
		let copy = (candidate(9, 0, -2, true), Move::Copy);
		let rebuild = (candidate(9, 1, -2, false), Move::Lazy);
		assert_eq!(found(&segment), [copy, rebuild]);
		segment.restoring = 0b0001;
		assert_eq!(found(&segment), [rebuild]);
		segment.restoring = 0b0100;
		assert_eq!(found(&segment)[0].0.spare, -3);
		segment.holders.set(2, me);
		assert_eq!(found(&segment), []);
	}
}
