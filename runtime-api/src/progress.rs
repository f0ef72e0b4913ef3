// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a node makes of the runtime's answers from block to block: how much is left to restore, how
//! fast it goes, and how long it takes at that speed.

use crate::{
	MinerStanding, NetworkStatus, OrderStanding, OrderStatus, TargetStatus, VerdictStatus,
};
use planaria_primitives::{FileIndex, FragmentId, MinerId, Tick};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

/// How many targets and files are listed one by one.
pub const MAX_ROWS: usize = 256;

/// All restore orders in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderTotals {
	/// How many there are.
	pub total: u32,
	/// How many of them anybody may claim.
	pub unclaimed: u32,
	/// How many are claimed.
	pub claimed: u32,
	/// How many are about to be proven.
	pub ready: u32,
	/// How many were declined by so many miners that they probably cannot be restored.
	pub disputed: u32,
	/// The bytes of their fragments.
	pub bytes: u64,
	/// How many are of segments with each spare.
	pub by_spare: BTreeMap<i16, u32>,
}

/// All restore targets in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TargetTotals {
	/// Miners that leave by their own wish.
	pub leaving: u32,
	/// Miners that are silent.
	pub absent: u32,
	/// Miners that were expelled.
	pub expelled: u32,
	/// The fragments they still hold.
	pub fragments: u64,
	/// How many bytes these are.
	pub bytes: u64,
}

/// What is left, and at which pace it becomes less.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pace {
	/// How many fragments are left.
	pub fragments_left: u64,
	/// How many bytes are left.
	pub bytes_left: u64,
	/// Bytes per second that were restored lately; `None` until some were.
	pub rate: Option<u64>,
	/// The time that what is left takes at that rate, in seconds; `None` without a rate.
	pub eta_secs: Option<u64>,
	/// Whether there is something to do and nothing moved for a claim period.
	pub stalled: bool,
}

/// A restore target on its way to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TargetProgress {
	/// The miner.
	pub miner: MinerId,
	/// Why its data moves away.
	pub standing: MinerStanding,
	/// How far it is.
	#[cfg_attr(feature = "serde", serde(flatten))]
	pub pace: Pace,
}

/// A file with restore orders.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FileProgress {
	/// The file.
	pub file: FileIndex,
	/// The spare of the weakest segment that has an order.
	pub spare: i16,
	/// How far its orders are.
	#[cfg_attr(feature = "serde", serde(flatten))]
	pub pace: Pace,
}

/// What the network restores, as a node sees it at one block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RestoreProgress {
	/// The height of the block.
	pub height: u32,
	/// The network's clock.
	pub tick: Tick,
	/// Whether the clock runs.
	pub clock_runs: bool,
	/// Whether the brake is engaged.
	pub braked: bool,
	/// The orders.
	pub orders: OrderTotals,
	/// The targets.
	pub targets: TargetTotals,
	/// Segments that are suspected lost.
	pub suspected: u32,
	/// Segments that are lost.
	pub lost: u32,
	/// What is left to restore: what targets hold, and the orders for what others hold or nobody.
	#[cfg_attr(feature = "serde", serde(flatten))]
	pub pace: Pace,
	/// Fragments that were restored since this node looks.
	pub restored_fragments: u64,
	/// How many bytes these have.
	pub restored_bytes: u64,
	/// The targets one by one, at most [`MAX_ROWS`].
	pub by_target: Vec<TargetProgress>,
	/// The files with orders, weakest first, at most [`MAX_ROWS`].
	pub by_file: Vec<FileProgress>,
	/// Whether there was more than a node looks at: then the numbers are lower bounds.
	pub partial: bool,
}

/// Everything about restoration at one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
	/// The network.
	pub network: NetworkStatus,
	/// The orders.
	pub orders: BTreeMap<FragmentId, OrderStatus>,
	/// The targets.
	pub targets: BTreeMap<MinerId, TargetStatus>,
	/// The verdicts that stand.
	pub verdicts: Vec<VerdictStatus>,
	/// Whether there was more than this.
	pub partial: bool,
}

impl Snapshot {
	/// The orders that were about to be proven and are not there in `later`: they were reported,
	/// unless their file went.
	pub fn ended<'a>(
		&'a self,
		later: &'a Self,
	) -> impl Iterator<Item = (&'a OrderStatus, MinerId)> + 'a {
		let gone = self.orders.values().filter(|order| !later.orders.contains_key(&order.fragment));
		gone.filter_map(|order| match order.standing {
			OrderStanding::Ready { by, .. } => Some((order, by)),
			OrderStanding::Unclaimed | OrderStanding::Claimed { .. } => None,
		})
	}

	fn order_totals(&self) -> OrderTotals {
		let mut totals = OrderTotals::default();
		for order in self.orders.values() {
			totals.total += 1;
			totals.bytes += u64::from(order.len);
			totals.disputed += u32::from(order.disputed);
			*totals.by_spare.entry(order.spare).or_default() += 1;
			match order.standing {
				OrderStanding::Unclaimed => totals.unclaimed += 1,
				OrderStanding::Claimed { .. } => totals.claimed += 1,
				OrderStanding::Ready { .. } => totals.ready += 1,
			}
		}
		totals
	}

	fn target_totals(&self) -> TargetTotals {
		let mut totals = TargetTotals::default();
		for target in self.targets.values() {
			match target.standing {
				MinerStanding::Leaving => totals.leaving += 1,
				MinerStanding::Absent => totals.absent += 1,
				MinerStanding::Expelled => totals.expelled += 1,
				MinerStanding::Serving | MinerStanding::Suspended | MinerStanding::Departed => (),
			}
			totals.fragments += u64::from(target.fragments);
			totals.bytes += target.held;
		}
		totals
	}

	/// How long nothing may move before it has stalled, and how far a rate looks back: a claim
	/// period, and a minute at least.
	fn window(&self) -> Duration {
		let millis = u64::from(self.network.claim_period).saturating_mul(self.network.slot_millis);
		Duration::from_millis(millis).max(Duration::from_secs(60))
	}
}

/// Measures how fast something moves.
///
/// Restoration comes in batches, so the rate is what moved within a window over the length of that
/// window, or over the time since there was something to do where that is shorter.
#[derive(Clone, Debug, Default)]
pub struct Meter {
	/// When there was something to do first.
	begun: Option<Duration>,
	/// When something moved, and how many bytes.
	moved: VecDeque<(Duration, u64)>,
}

impl Meter {
	/// How many movements are remembered: the oldest are put together.
	const MOVES: usize = 1024;

	/// Says that `bytes` moved by `now`, a time since any fixed moment. `idle` where nothing needs
	/// to move: then measuring begins anew.
	pub fn note(&mut self, now: Duration, bytes: u64, idle: bool) {
		if idle && bytes == 0 {
			*self = Self::default();
			return;
		}
		self.begun.get_or_insert(now);
		if bytes > 0 {
			if self.moved.len() == Self::MOVES {
				let first = self.moved.pop_front().map_or(0, |(_, bytes)| bytes);
				if let Some(second) = self.moved.front_mut() {
					second.1 = second.1.saturating_add(first);
				}
			}
			self.moved.push_back((now, bytes));
		}
	}

	/// The pace with so many fragments and bytes left.
	pub fn pace(
		&mut self,
		now: Duration,
		window: Duration,
		(fragments_left, bytes_left): (u64, u64),
	) -> Pace {
		let from = now.saturating_sub(window);
		while self.moved.front().is_some_and(|(at, _)| *at < from) {
			self.moved.pop_front();
		}
		let begun = self.begun.unwrap_or(now);
		let since = begun.max(from);
		let millis = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
		let moved = self.moved.iter().fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
		let rate = (moved > 0 && millis > 0).then(|| {
			let rate = u128::from(moved) * 1000 / u128::from(millis);
			u64::try_from(rate).unwrap_or(u64::MAX)
		});
		let eta_secs = rate.filter(|rate| *rate > 0).map(|rate| bytes_left.div_ceil(rate));
		let stalled = bytes_left > 0 && moved == 0 && now.saturating_sub(begun) >= window;
		Pace { fragments_left, bytes_left, rate, eta_secs, stalled }
	}
}

/// Follows restoration from snapshot to snapshot.
#[derive(Clone, Debug, Default)]
pub struct Follower {
	last: Option<Snapshot>,
	all: Meter,
	targets: BTreeMap<MinerId, Meter>,
	files: BTreeMap<FileIndex, Meter>,
	restored_fragments: u64,
	restored_bytes: u64,
}

impl Follower {
	/// The snapshot that was looked at last.
	pub fn last(&self) -> Option<&Snapshot> {
		self.last.as_ref()
	}

	/// What becomes of it with the next snapshot, taken at `now`. `gone` are those of the orders
	/// that [ended](Snapshot::ended) whose fragment is gone as well: nobody restored them.
	pub fn follow(
		&mut self,
		now: Duration,
		next: Snapshot,
		gone: &[FragmentId],
	) -> RestoreProgress {
		let window = next.window();
		let restored: Vec<(FileIndex, u64)> = self
			.last
			.as_ref()
			.into_iter()
			.flat_map(|last| last.ended(&next))
			.filter(|(order, _)| !gone.contains(&order.fragment))
			.map(|(order, _)| (order.file, u64::from(order.len)))
			.collect();
		let bytes = restored.iter().map(|(_, len)| len).sum::<u64>();
		self.restored_fragments += restored.len() as u64;
		self.restored_bytes += bytes;

		let by_target = self.by_target(now, window, &next);
		let by_file = self.by_file(now, window, &next, &restored);
		let targets = next.target_totals();
		let orders = next.order_totals();
		let others = next
			.orders
			.values()
			.filter(|order| order.holder.is_none_or(|holder| !next.targets.contains_key(&holder)));
		let left = others.fold((targets.fragments, targets.bytes), |(count, bytes), order| {
			(count + 1, bytes + u64::from(order.len))
		});
		// What absent and expelled miners held is left alone while there is enough to spare.
		let idle = orders.total == 0 && targets.leaving == 0;
		self.all.note(now, bytes, idle || left.0 == 0);
		let pace = self.all.pace(now, window, left);
		let count = |lost: bool| {
			let verdicts = next.verdicts.iter();
			let number = verdicts
				.filter(|verdict| matches!(verdict, VerdictStatus::Lost { .. }) == lost)
				.count();
			u32::try_from(number).unwrap_or(u32::MAX)
		};
		let progress = RestoreProgress {
			height: next.network.height,
			tick: next.network.tick,
			clock_runs: next.network.running,
			braked: next.network.braked,
			orders,
			targets,
			suspected: count(false),
			lost: count(true),
			pace,
			restored_fragments: self.restored_fragments,
			restored_bytes: self.restored_bytes,
			by_target,
			by_file,
			partial: next.partial,
		};
		self.last = Some(next);
		progress
	}

	fn by_target(
		&mut self,
		now: Duration,
		window: Duration,
		next: &Snapshot,
	) -> Vec<TargetProgress> {
		self.targets.retain(|miner, _| next.targets.contains_key(miner));
		let ordered: BTreeSet<_> = next.orders.values().filter_map(|order| order.holder).collect();
		let rows = next.targets.values().take(MAX_ROWS);
		rows.map(|target| {
			let before = self.last.as_ref().and_then(|last| last.targets.get(&target.miner));
			let moved = before.map_or(0, |before| before.held.saturating_sub(target.held));
			let waits =
				target.standing != MinerStanding::Leaving && !ordered.contains(&target.miner);
			let meter = self.targets.entry(target.miner).or_default();
			meter.note(now, moved, waits || target.fragments == 0);
			let pace = meter.pace(now, window, (u64::from(target.fragments), target.held));
			TargetProgress { miner: target.miner, standing: target.standing, pace }
		})
		.collect()
	}

	fn by_file(
		&mut self,
		now: Duration,
		window: Duration,
		next: &Snapshot,
		restored: &[(FileIndex, u64)],
	) -> Vec<FileProgress> {
		let mut files: BTreeMap<FileIndex, (i16, u64, u64)> = BTreeMap::new();
		for order in next.orders.values() {
			let file = files.entry(order.file).or_insert((order.spare, 0, 0));
			*file = (file.0.min(order.spare), file.1 + 1, file.2 + u64::from(order.len));
		}
		let mut files: Vec<_> = files.into_iter().collect();
		files.sort_by_key(|(file, (spare, ..))| (*spare, *file));
		files.truncate(MAX_ROWS);
		self.files.retain(|file, _| files.iter().any(|(other, _)| other == file));
		files
			.into_iter()
			.map(|(file, (spare, fragments, bytes))| {
				let moved = restored.iter().filter(|(of, _)| *of == file).map(|(_, len)| len).sum();
				let meter = self.files.entry(file).or_default();
				meter.note(now, moved, false);
				let pace = meter.pace(now, window, (fragments, bytes));
				FileProgress { file, spare, pace }
			})
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::OrderCause;
	use planaria_primitives::SegmentId;

	const MIB: u64 = 1 << 20;

	fn secs(secs: u64) -> Duration {
		Duration::from_secs(secs)
	}

	fn order(segment: u64, holder: u32, standing: OrderStanding) -> OrderStatus {
		OrderStatus {
			fragment: FragmentId { segment: SegmentId(segment), index: 1 },
			file: FileIndex(segment / 10),
			number: 0,
			len: 1 << 20,
			holder: Some(MinerId(holder)),
			cause: OrderCause::Target,
			opened: 5,
			standing,
			expiries: 0,
			declines: 0,
			disputed: false,
			spare: i16::try_from(segment).unwrap_or(0),
		}
	}

	fn target(miner: u32, standing: MinerStanding, fragments: u32) -> TargetStatus {
		let held = u64::from(fragments) * MIB;
		TargetStatus { miner: MinerId(miner), standing, since: 1, fragments, held }
	}

	fn snapshot(orders: &[OrderStatus], targets: &[TargetStatus]) -> Snapshot {
		Snapshot {
			network: NetworkStatus {
				height: 9,
				tick: 8,
				running: true,
				slot_millis: 2000,
				claim_period: 45,
				absent_after: 60,
				absent_max: 900,
				braked: false,
				miners: 5,
				files_ever: 1,
				segments_ever: 1,
			},
			orders: orders.iter().map(|order| (order.fragment, order.clone())).collect(),
			targets: targets.iter().map(|target| (target.miner, target.clone())).collect(),
			verdicts: vec![],
			partial: false,
		}
	}

	const READY: OrderStanding = OrderStanding::Ready { by: MinerId(4), deadline: 9 };

	const MINUTE: Duration = Duration::from_secs(60);

	#[test]
	fn a_rate_is_unknown_until_something_moved() {
		let mut meter = Meter::default();
		meter.note(secs(0), 0, false);
		let pace = meter.pace(secs(30), MINUTE, (1, 100));
		assert_eq!((pace.rate, pace.eta_secs, pace.stalled), (None, None, false));
		meter.note(secs(40), 20, false);
		let pace = meter.pace(secs(40), MINUTE, (1, 80));
		assert_eq!((pace.rate, pace.eta_secs), (Some(0), None), "less than a byte a second");
		meter.note(secs(40), 60, false);
		let pace = meter.pace(secs(40), MINUTE, (1, 20));
		assert_eq!((pace.rate, pace.eta_secs), (Some(2), Some(10)));
	}

	#[test]
	fn what_does_not_move_for_a_window_has_stalled_unless_it_need_not() {
		let mut meter = Meter::default();
		meter.note(secs(0), 0, false);
		meter.note(secs(10), 50, false);
		assert!(!meter.pace(secs(70), MINUTE, (1, 50)).stalled);
		assert!(meter.pace(secs(71), MINUTE, (1, 50)).stalled);
		// When all was done and there is something new, measuring begins anew.
		meter.note(secs(80), 0, true);
		assert!(!meter.pace(secs(81), MINUTE, (1, 50)).stalled);
		meter.note(secs(90), 0, false);
		assert!(!meter.pace(secs(149), MINUTE, (1, 50)).stalled);
		assert!(meter.pace(secs(150), MINUTE, (1, 50)).stalled);
	}

	#[test]
	fn a_meter_is_bounded_and_forgets_nothing_within_its_window() {
		let mut meter = Meter::default();
		for _ in 0..3000 {
			meter.note(secs(1), 1, false);
		}
		assert_eq!(meter.moved.len(), Meter::MOVES);
		assert_eq!(meter.pace(secs(11), MINUTE, (1, 10)).rate, Some(300));
	}

	#[test]
	fn what_is_left_counts_every_fragment_once() {
		let targets = [target(1, MinerStanding::Leaving, 3), target(2, MinerStanding::Absent, 2)];
		let lost = OrderStatus { holder: None, ..order(3, 0, OrderStanding::Unclaimed) };
		let orders = [order(1, 1, READY), order(2, 7, OrderStanding::Unclaimed), lost];
		let progress = Follower::default().follow(secs(0), snapshot(&orders, &targets), &[]);
		// Five of the targets, one of them ordered; one broken and one vacated.
		assert_eq!((progress.pace.fragments_left, progress.pace.bytes_left), (7, 7 * MIB));
		assert_eq!((progress.targets.leaving, progress.targets.absent), (1, 1));
		let totals = &progress.orders;
		assert_eq!((totals.total, totals.unclaimed, totals.ready), (3, 2, 1));
		assert_eq!(totals.by_spare, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
	}

	#[test]
	fn restored_bytes_are_measured_per_network_target_and_file() {
		let mut follower = Follower::default();
		let begin = snapshot(
			&[order(1, 1, READY), order(2, 1, READY), order(11, 1, READY)],
			&[target(1, MinerStanding::Leaving, 10)],
		);
		let progress = follower.follow(secs(0), begin, &[]);
		assert_eq!(progress.pace.rate, None);
		assert_eq!(progress.by_file.iter().map(|row| row.file.0).collect::<Vec<_>>(), [0, 1]);

		// One is reported, one's file was deleted; of another file one is still there.
		let then = snapshot(&[order(11, 1, READY)], &[target(1, MinerStanding::Leaving, 8)]);
		let deleted = order(2, 1, READY).fragment;
		let progress = follower.follow(secs(4), then, &[deleted]);
		assert_eq!((progress.restored_fragments, progress.restored_bytes), (1, MIB));
		assert_eq!(progress.pace.rate, Some(MIB / 4));
		assert_eq!(progress.pace.eta_secs, Some(32));
		let row = &progress.by_target[0];
		assert_eq!((row.miner, row.pace.rate), (MinerId(1), Some(MIB / 2)));
		assert_eq!(row.pace.eta_secs, Some(16));
		assert_eq!(progress.by_file.len(), 1);
		assert_eq!(progress.by_file[0].pace.rate, None);
	}

	#[test]
	fn absent_miners_alone_do_not_stall() {
		let mut follower = Follower::default();
		let absent = || snapshot(&[], &[target(1, MinerStanding::Absent, 2)]);
		follower.follow(secs(0), absent(), &[]);
		let progress = follower.follow(secs(1000), absent(), &[]);
		assert!(!progress.pace.stalled && !progress.by_target[0].pace.stalled);
		let broken = || snapshot(&[order(1, 7, OrderStanding::Unclaimed)], &[]);
		follower.follow(secs(1000), broken(), &[]);
		assert!(follower.follow(secs(2000), broken(), &[]).pace.stalled);
	}
}
