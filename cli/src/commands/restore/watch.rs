// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What changes from block to block.

use super::{
	Report, concerns,
	show::{Clock, claimer, standing, time_left, verdict, why},
	snapshot,
};
use crate::{args::Part, context::Context, output::count};
use futures::{StreamExt, stream::BoxStream};
use planaria_sdk::{
	Chain, ChainError, View,
	api::{OrderStatus, SegmentVerdict, TargetStatus, progress::RestoreProgress},
	primitives::{FileIndex, FragmentId, MinerId, SegmentId},
	units::Size,
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How often it is looked for a new block where the node does not tell of it.
const POLL: Duration = Duration::from_secs(1);

/// The wait before a node that does not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// Something that changed from one block to another.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Change {
	/// What there is when the watch begins.
	Began { orders: u64, targets: u64 },
	/// An order was opened.
	Opened { order: OrderStatus },
	/// An order changed hands, or was declared ready, or declined, or its claim expired.
	Changed { order: OrderStatus },
	/// An order is gone: its fragment was restored to another miner.
	Restored { fragment: FragmentId, to: MinerId },
	/// An order is gone: it was cancelled, or its fragment was removed.
	Closed { fragment: FragmentId },
	/// A miner became a target.
	Target { target: TargetStatus },
	/// A target holds less or more than before, or is one for another reason.
	Moved { target: TargetStatus },
	/// A miner is no longer a target: it came back, or holds nothing any more.
	TargetGone { miner: MinerId },
	/// Too little of a segment is present, or it was declared lost.
	Verdict(SegmentVerdict),
	/// Enough of a segment is present again, or it was removed.
	VerdictGone { segment: SegmentId, file: FileIndex },
	/// What is left and how fast it goes.
	Progress { network: Box<RestoreProgress>, miner: Option<serde_json::Value> },
}

/// A change with the block it was seen at.
#[derive(Debug, Serialize)]
struct Seen<'a> {
	height: u32,
	#[serde(flatten)]
	change: &'a Change,
}

/// What is compared from block to block.
#[derive(Clone, Debug, Default)]
struct State {
	orders: BTreeMap<FragmentId, OrderStatus>,
	targets: BTreeMap<MinerId, TargetStatus>,
	verdicts: BTreeMap<SegmentId, SegmentVerdict>,
}

impl State {
	async fn read(view: &View, part: Part) -> anyhow::Result<(Self, Clock)> {
		let (snapshot, verdicts) = snapshot(view).await?;
		let clock = Clock::new(&snapshot.network);
		let mut state = Self {
			orders: snapshot.orders,
			targets: snapshot.targets,
			verdicts: verdicts.into_iter().map(|row| (row.segment, row)).collect(),
		};
		state.orders.retain(|_, order| concerns(part, order));
		state.targets.retain(|miner, _| match part {
			Part { miner: Some(of), .. } => *miner == of,
			Part { file, .. } => file.is_none(),
		});
		state.verdicts.retain(|_, row| match part {
			Part { file: Some(file), .. } => row.file == file,
			Part { miner, .. } => miner.is_none(),
		});
		Ok((state, clock))
	}

	/// What is new in `next`, and which orders are gone.
	fn changes(&self, next: &Self) -> (Vec<Change>, Vec<OrderStatus>) {
		let mut changes = Vec::new();
		for (fragment, order) in &next.orders {
			match self.orders.get(fragment) {
				None => changes.push(Change::Opened { order: order.clone() }),
				Some(old) if (old.standing, old.declines) != (order.standing, order.declines) => {
					changes.push(Change::Changed { order: order.clone() });
				},
				Some(_) => {},
			}
		}
		let gone = self.orders.iter().filter(|(fragment, _)| !next.orders.contains_key(fragment));
		let gone = gone.map(|(_, order)| order.clone()).collect();
		for (miner, target) in &next.targets {
			match self.targets.get(miner) {
				None => changes.push(Change::Target { target: target.clone() }),
				Some(old)
					if (old.fragments, old.standing) != (target.fragments, target.standing) =>
				{
					changes.push(Change::Moved { target: target.clone() });
				},
				Some(_) => {},
			}
		}
		for miner in self.targets.keys().filter(|miner| !next.targets.contains_key(miner)) {
			changes.push(Change::TargetGone { miner: *miner });
		}
		for (segment, row) in &next.verdicts {
			if self.verdicts.get(segment).is_none_or(|old| old.verdict != row.verdict) {
				changes.push(Change::Verdict(*row));
			}
		}
		for row in self.verdicts.values().filter(|row| !next.verdicts.contains_key(&row.segment)) {
			changes.push(Change::VerdictGone { segment: row.segment, file: row.file });
		}
		(changes, gone)
	}
}

/// What tells when to look, and what the node measured.
enum Source {
	/// The node does.
	Node(BoxStream<'static, Result<Report, ChainError>>),
	/// Nobody does: this node has no such subscription, or the connection broke.
	Poll,
}

impl Source {
	async fn of(chain: &Chain) -> Self {
		match chain.subscribe("restore_subscribe", "restore_unsubscribe").await {
			Ok(stream) => Self::Node(stream),
			Err(_) => Self::Poll,
		}
	}

	/// Waits until it may be worth looking.
	async fn next(&mut self, chain: &Chain) -> Option<Report> {
		match self {
			Self::Node(stream) => match stream.next().await {
				Some(Ok(report)) => return Some(report),
				Some(Err(_)) | None => *self = Self::Poll,
			},
			Self::Poll => {
				tokio::time::sleep(POLL).await;
				// It may be back.
				if let source @ Self::Node(_) = Self::of(chain).await {
					*self = source;
				}
			},
		}
		None
	}
}

pub async fn run(context: &Context, part: Part) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let mut source = Source::of(&chain).await;
	let mut last = None;
	let mut known: Option<State> = None;
	let mut told: Option<Report> = None;
	loop {
		let view = match chain.view().await {
			Ok(view) => view,
			// A watch outlives the node's restart.
			Err(error) if error.is_transient() && known.is_some() => {
				eprintln!("{error}; trying again");
				tokio::time::sleep(AGAIN).await;
				continue;
			},
			Err(error) => return Err(error.into()),
		};
		let height = view.block().number;
		if last != Some(view.block()) {
			let (now, clock) = State::read(&view, part).await?;
			let found = match &known {
				None => vec![Change::Began {
					orders: now.orders.len() as u64,
					targets: now.targets.len() as u64,
				}],
				Some(before) => {
					let (mut found, gone) = before.changes(&now);
					found.extend(closed(&view, gone).await?);
					found
				},
			};
			for change in &found {
				tell(context, height, change, &clock)?;
			}
			known = Some(now);
			last = Some(view.block());
		}
		let Some(report) = source.next(&chain).await else { continue };
		let report = of_part(report, part);
		if told.as_ref().is_none_or(|before| differ(before, &report)) {
			let clock = Clock::new(&view.network().await?);
			let (network, miner) = (Box::new(report.network.clone()), report.miner.clone());
			tell(context, report.network.height, &Change::Progress { network, miner }, &clock)?;
			told = Some(report);
		}
	}
}

fn tell(context: &Context, height: u32, change: &Change, clock: &Clock) -> anyhow::Result<()> {
	let seen = Seen { height, change };
	context.printer.line(&seen, || format!("block {height}: {}", text(change, clock)))
}

/// The report with the pace of the part in the place of the network's.
fn of_part(mut report: Report, part: Part) -> Report {
	let network = &mut report.network;
	if let Some(miner) = part.miner {
		network.by_target.retain(|row| row.miner == miner);
		network.by_file.clear();
		network.pace = network.by_target.first().map(|row| row.pace).unwrap_or_default();
	}
	if let Some(file) = part.file {
		network.by_file.retain(|row| row.file == file);
		network.by_target.clear();
		network.pace = network.by_file.first().map(|row| row.pace).unwrap_or_default();
	}
	report
}

/// Whether more changed than the time.
fn differ(before: &Report, now: &Report) -> bool {
	let same = |report: &Report| {
		let mut network = report.network.clone();
		(network.height, network.tick) = (0, 0);
		(network, report.miner.clone())
	};
	same(before) != same(now)
}

/// How orders ended, as far as the present holder of the fragment shows it.
async fn closed(view: &View, gone: Vec<OrderStatus>) -> anyhow::Result<Vec<Change>> {
	let mut changes = Vec::new();
	for page in gone.chunks(256) {
		let fragments: Vec<_> = page.iter().map(|order| order.fragment).collect();
		let records = view.records(&fragments).await?;
		for (order, record) in page.iter().zip(records) {
			let index = usize::from(order.fragment.index);
			let holder = record.and_then(|record| record.holders.get(index).copied().flatten());
			let fragment = order.fragment;
			let by = claimer(order.standing);
			changes.push(match holder {
				// The holder itself may have restored its own fragment.
				Some(to) if order.holder != Some(to) || by == Some(to) => {
					Change::Restored { fragment, to }
				},
				_ => Change::Closed { fragment },
			});
		}
	}
	Ok(changes)
}

fn text(change: &Change, clock: &Clock) -> String {
	match change {
		Change::Began { orders, targets } => {
			format!("{}, {}", count(*orders, "order"), count(*targets, "target"))
		},
		Change::Opened { order } => format!(
			"order for fragment {} of file {} opened, {}, spare {}",
			order.fragment,
			order.file,
			standing(order.standing, clock),
			order.spare
		),
		Change::Changed { order } => {
			let declined = match order.declines {
				0 => String::new(),
				declines if order.disputed => format!(" (disputed: declined {declines} times)"),
				declines => format!(" (declined {declines} times)"),
			};
			let state = standing(order.standing, clock);
			format!("order for fragment {}: {state}{declined}", order.fragment)
		},
		Change::Restored { fragment, to } => format!("fragment {fragment} restored to miner {to}"),
		Change::Closed { fragment } => format!("order for fragment {fragment} closed"),
		Change::Target { target } => format!(
			"miner {} is {}: {} to move",
			target.miner,
			why(target.standing),
			count(target.fragments, "fragment")
		),
		Change::Moved { target } => format!(
			"miner {}, {}, still holds {}",
			target.miner,
			why(target.standing),
			count(target.fragments, "fragment")
		),
		Change::TargetGone { miner } => format!("miner {miner} is no longer a restore target"),
		Change::Verdict(row) => {
			format!("segment {} of file {}: {}", row.number, row.file, verdict(row.verdict, clock))
		},
		Change::VerdictGone { segment, file } => {
			format!("segment {segment} of file {file} is out of danger, or was removed")
		},
		Change::Progress { network, .. } => {
			let pace = &network.pace;
			if pace.fragments_left == 0 {
				return "nothing is left to restore".into();
			}
			let speed = pace.rate.map_or(String::new(), |rate| format!(" at {}/s", Size(rate)));
			let brake = if network.braked { "; the brake is engaged" } else { "" };
			let orders = &network.orders;
			format!(
				"{}, {} left{speed}, time left: {}; orders: {} unclaimed, {} claimed, {} ready{brake}",
				count(pace.fragments_left, "fragment"),
				Size(pace.bytes_left),
				time_left(pace),
				orders.unclaimed,
				orders.claimed,
				orders.ready,
			)
		},
	}
}

#[cfg(test)]
mod tests {
	use super::super::tests::{CLAIMED, network, order, target};
	use super::*;
	use planaria_sdk::api::{
		OrderStanding, VerdictStatus,
		progress::{FileProgress, Pace},
	};

	fn state(
		orders: &[OrderStatus],
		targets: &[TargetStatus],
		verdicts: &[SegmentVerdict],
	) -> State {
		State {
			orders: orders.iter().map(|order| (order.fragment, order.clone())).collect(),
			targets: targets.iter().map(|target| (target.miner, target.clone())).collect(),
			verdicts: verdicts.iter().map(|row| (row.segment, *row)).collect(),
		}
	}

	fn row(segment: u64, verdict: VerdictStatus) -> SegmentVerdict {
		let (segment, file) = (SegmentId(segment), FileIndex(1));
		SegmentVerdict { segment, file, number: 0, spare: -1, verdict }
	}

	#[test]
	fn what_changes_is_told() {
		let suspected = VerdictStatus::Suspected { deadline: 20 };
		let lost = VerdictStatus::Lost { since: 21 };
		let before = state(
			&[order(1, 0, OrderStanding::Unclaimed), order(2, 0, CLAIMED)],
			&[target(1, 3), target(2, 1)],
			&[row(5, suspected), row(6, suspected)],
		);
		let after = state(
			&[order(1, 0, CLAIMED), order(3, 1, CLAIMED)],
			&[target(1, 2), target(3, 1)],
			&[row(5, lost)],
		);
		let (found, gone) = before.changes(&after);
		assert_eq!(
			found,
			[
				Change::Changed { order: order(1, 0, CLAIMED) },
				Change::Opened { order: order(3, 1, CLAIMED) },
				Change::Moved { target: target(1, 2) },
				Change::Target { target: target(3, 1) },
				Change::TargetGone { miner: MinerId(2) },
				Change::Verdict(row(5, lost)),
				Change::VerdictGone { segment: SegmentId(6), file: FileIndex(1) },
			]
		);
		assert_eq!(gone, [order(2, 0, CLAIMED)]);
		let (found_again, gone_again) = after.changes(&after);
		assert!(found_again.is_empty() && gone_again.is_empty());
		let clock = Clock::new(&network(7));
		assert_eq!(text(&found[0], &clock), "order for fragment 1.1: claimed by miner 4, 4 s left");
		let declined =
			OrderStatus { declines: 3, disputed: true, ..order(1, 0, OrderStanding::Unclaimed) };
		assert!(text(&Change::Changed { order: declined }, &clock).contains("disputed"));
	}

	#[test]
	fn time_alone_is_no_progress_and_a_part_has_its_own_pace() {
		let pace = Pace { fragments_left: 1, bytes_left: 64, ..Pace::default() };
		let of_file = FileProgress { file: FileIndex(7), spare: 0, pace };
		let all = RestoreProgress { height: 1, by_file: vec![of_file], ..Default::default() };
		let report = Report { network: all.clone(), miner: None };
		let later = Report { network: RestoreProgress { height: 2, tick: 3, ..all }, miner: None };
		assert!(!differ(&report, &later));
		let part = Part { file: Some(FileIndex(7)), ..Part::default() };
		let part = of_part(report.clone(), part);
		assert_eq!(part.network.pace, pace);
		assert!(differ(&report, &part));
		let (network_, miner) = (Box::new(part.network), None);
		let told = text(&Change::Progress { network: network_, miner }, &Clock::new(&network(7)));
		assert!(told.starts_with("1 fragment, 64 B left, time left: unknown"), "{told}");
	}

	#[test]
	fn a_change_has_this_json_shape() {
		let change = Change::Restored {
			fragment: FragmentId { segment: SegmentId(7), index: 2 },
			to: MinerId(4),
		};
		let json = serde_json::to_value(Seen { height: 9, change: &change }).expect("serialises");
		let expected = serde_json::json!({
			"height": 9,
			"event": "restored",
			"fragment": { "segment": 7, "index": 2 },
			"to": 4,
		});
		assert_eq!(json, expected);
		let change = Change::Verdict(row(5, VerdictStatus::Lost { since: 2 }));
		let json = serde_json::to_value(Seen { height: 9, change: &change }).expect("serialises");
		assert_eq!((&json["event"], &json["file"]), (&"verdict".into(), &1.into()));
	}
}
