// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::RestoreCommand,
	context::Context,
	output::{Table, count, facts},
};
use planaria_sdk::{
	View,
	api::{MinerStanding, OrderStanding, OrderStatus, TargetStatus},
	primitives::{FragmentId, MinerId, Tick},
	units::Size,
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

pub async fn run(context: &Context, command: RestoreCommand) -> anyhow::Result<()> {
	match command {
		RestoreCommand::Orders { miner } => orders(context, miner).await,
		RestoreCommand::Targets => targets(context).await,
		RestoreCommand::Status => status(context).await,
		RestoreCommand::Watch => watch(context).await,
	}
}

/// Those nearest to loss first, then the oldest.
fn rank(orders: &mut [OrderStatus]) {
	orders.sort_by_key(|order| (order.spare, order.opened, order.fragment));
}

fn standing(standing: OrderStanding) -> String {
	match standing {
		OrderStanding::Unclaimed => "unclaimed".into(),
		OrderStanding::Claimed { by, deadline } => {
			format!("claimed by miner {by} until tick {deadline}")
		},
		OrderStanding::Ready { by, deadline } => {
			format!("ready at miner {by}, to be proven until tick {deadline}")
		},
	}
}

async fn orders(context: &Context, miner: Option<MinerId>) -> anyhow::Result<()> {
	let view = context.view().await?;
	let mut orders = match miner {
		Some(miner) => view.claims(miner).await?,
		None => view.orders().await?,
	};
	rank(&mut orders);
	context.printer.print(&orders, || {
		let mut table = Table::new(&[
			"fragment", "file", "segment", "size", "spare", "holder", "opened", "expired", "state",
		]);
		for order in &orders {
			table.row([
				order.fragment.to_string(),
				order.file.to_string(),
				order.number.to_string(),
				Size(order.len.into()).to_string(),
				order.spare.to_string(),
				order.holder.map_or("-".into(), |miner| miner.to_string()),
				order.opened.to_string(),
				order.expiries.to_string(),
				standing(order.standing),
			]);
		}
		table.render("there are no restore orders")
	})
}

async fn targets(context: &Context) -> anyhow::Result<()> {
	let targets = context.view().await?.targets().await?;
	context.printer.print(&targets, || {
		let mut table = Table::new(&["miner", "why", "since tick", "fragments", "held"]);
		for target in &targets {
			table.row([
				target.miner.to_string(),
				why(target).into(),
				target.since.to_string(),
				target.fragments.to_string(),
				Size(target.held).to_string(),
			]);
		}
		table.render("there are no restore targets")
	})
}

fn why(target: &TargetStatus) -> &'static str {
	match target.standing {
		MinerStanding::Leaving => "leaving",
		MinerStanding::Expelled => "expelled",
		MinerStanding::Absent => "absent",
		MinerStanding::Serving | MinerStanding::Suspended | MinerStanding::Departed => "",
	}
}

/// All orders and targets in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
struct Totals {
	height: u32,
	tick: Tick,
	clock_runs: bool,
	orders: u32,
	unclaimed: u32,
	claimed: u32,
	ready: u32,
	/// The bytes all orders are about.
	bytes: u64,
	/// How many orders are of segments with each spare.
	orders_by_spare: BTreeMap<i16, u32>,
	targets: u32,
	/// The fragments the targets still hold.
	target_fragments: u64,
	target_bytes: u64,
}

impl Totals {
	fn add(&mut self, orders: &[OrderStatus], targets: &[TargetStatus]) {
		for order in orders {
			self.orders += 1;
			self.bytes += u64::from(order.len);
			*self.orders_by_spare.entry(order.spare).or_default() += 1;
			match order.standing {
				OrderStanding::Unclaimed => self.unclaimed += 1,
				OrderStanding::Claimed { .. } => self.claimed += 1,
				OrderStanding::Ready { .. } => self.ready += 1,
			}
		}
		for target in targets {
			self.targets += 1;
			self.target_fragments += u64::from(target.fragments);
			self.target_bytes += target.held;
		}
	}
}

async fn totals(view: &View) -> anyhow::Result<Totals> {
	let network = view.network().await?;
	let mut totals = Totals {
		height: network.height,
		tick: network.tick,
		clock_runs: network.running,
		..Totals::default()
	};
	totals.add(&view.orders().await?, &view.targets().await?);
	Ok(totals)
}

async fn status(context: &Context) -> anyhow::Result<()> {
	let totals = totals(&context.view().await?).await?;
	context.printer.print(&totals, || {
		let by_spare = totals.orders_by_spare.iter();
		let by_spare: Vec<_> =
			by_spare.map(|(spare, number)| format!("{number} with {spare}")).collect();
		let clock = if totals.clock_runs { "" } else { " (the clock stands still)" };
		facts(&[
			("tick", format!("{}{clock}", totals.tick)),
			("orders", format!("{}, {}", totals.orders, Size(totals.bytes))),
			("unclaimed", totals.unclaimed.to_string()),
			("claimed", totals.claimed.to_string()),
			("ready", totals.ready.to_string()),
			("by spare", by_spare.join(", ")),
			("targets", totals.targets.to_string()),
			(
				"to move",
				format!("{} fragments, {}", totals.target_fragments, Size(totals.target_bytes)),
			),
		])
	})
}

/// Something that changed from one block to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Change {
	/// What there is when the watch begins.
	Began { orders: u32, targets: u32 },
	/// An order was opened.
	Opened { order: OrderStatus },
	/// An order changed hands, or was declared ready, or its claim expired.
	Changed { order: OrderStatus },
	/// An order is gone: its fragment was restored to another miner.
	Restored { fragment: FragmentId, to: MinerId },
	/// An order is gone: it was cancelled, or its fragment was removed.
	Closed { fragment: FragmentId },
	/// A miner became a target.
	Target { target: TargetStatus },
	/// A target holds less or more than before.
	Moved { target: TargetStatus },
	/// A miner is no longer a target: it came back, or holds nothing any more.
	TargetGone { miner: MinerId },
}

/// A change with the block it was seen at.
#[derive(Debug, Serialize)]
struct Seen<'a> {
	height: u32,
	#[serde(flatten)]
	change: &'a Change,
}

type Orders = BTreeMap<FragmentId, OrderStatus>;
type Targets = BTreeMap<MinerId, TargetStatus>;

/// What is new, and which orders are gone.
fn changes(
	(orders, targets): &(Orders, Targets),
	(new_orders, new_targets): &(Orders, Targets),
) -> (Vec<Change>, Vec<OrderStatus>) {
	let mut changes = Vec::new();
	for (fragment, order) in new_orders {
		match orders.get(fragment) {
			None => changes.push(Change::Opened { order: order.clone() }),
			Some(old) if old.standing != order.standing => {
				changes.push(Change::Changed { order: order.clone() });
			},
			Some(_) => {},
		}
	}
	let gone = orders.iter().filter(|(fragment, _)| !new_orders.contains_key(fragment));
	let gone = gone.map(|(_, order)| order.clone()).collect();
	for (miner, target) in new_targets {
		match targets.get(miner) {
			None => changes.push(Change::Target { target: target.clone() }),
			Some(old) if old.fragments != target.fragments => {
				changes.push(Change::Moved { target: target.clone() });
			},
			Some(_) => {},
		}
	}
	for miner in targets.keys().filter(|miner| !new_targets.contains_key(miner)) {
		changes.push(Change::TargetGone { miner: *miner });
	}
	(changes, gone)
}

async fn snapshot(view: &View) -> anyhow::Result<(Orders, Targets)> {
	let orders = view.orders().await?;
	let targets = view.targets().await?;
	Ok((
		orders.into_iter().map(|order| (order.fragment, order)).collect(),
		targets.into_iter().map(|target| (target.miner, target)).collect(),
	))
}

async fn watch(context: &Context) -> anyhow::Result<()> {
	const POLL: Duration = Duration::from_secs(1);
	let chain = context.chain().await?;
	let mut last = None;
	let mut known: Option<(Orders, Targets)> = None;
	loop {
		let view = match chain.view().await {
			Ok(view) => view,
			// A watch outlives the node's restart.
			Err(error) if error.is_transient() && known.is_some() => {
				eprintln!("{error}; trying again");
				tokio::time::sleep(5 * POLL).await;
				continue;
			},
			Err(error) => return Err(error.into()),
		};
		if last == Some(view.block()) {
			tokio::time::sleep(POLL).await;
			continue;
		}
		let now = snapshot(&view).await?;
		let found = match &known {
			None => {
				let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
				vec![Change::Began { orders: number(now.0.len()), targets: number(now.1.len()) }]
			},
			Some(before) => {
				let (mut found, gone) = changes(before, &now);
				found.extend(closed(&view, gone).await?);
				found
			},
		};
		for change in &found {
			let height = view.block().number;
			context
				.printer
				.line(&Seen { height, change }, || format!("block {height}: {}", told(change)))?;
		}
		known = Some(now);
		last = Some(view.block());
	}
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
			let by = match order.standing {
				OrderStanding::Claimed { by, .. } | OrderStanding::Ready { by, .. } => Some(by),
				OrderStanding::Unclaimed => None,
			};
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

fn told(change: &Change) -> String {
	match change {
		Change::Began { orders, targets } => {
			format!("{}, {}", count(*orders, "order"), count(*targets, "target"))
		},
		Change::Opened { order } => format!(
			"order for fragment {} of file {} opened, {}, spare {}",
			order.fragment,
			order.file,
			standing(order.standing),
			order.spare
		),
		Change::Changed { order } => {
			format!("order for fragment {}: {}", order.fragment, standing(order.standing))
		},
		Change::Restored { fragment, to } => format!("fragment {fragment} restored to miner {to}"),
		Change::Closed { fragment } => format!("order for fragment {fragment} closed"),
		Change::Target { target } => format!(
			"miner {} is {}: {} to move",
			target.miner,
			why(target),
			count(target.fragments, "fragment")
		),
		Change::Moved { target } => {
			format!("miner {} still holds {}", target.miner, count(target.fragments, "fragment"))
		},
		Change::TargetGone { miner } => format!("miner {miner} is no longer a restore target"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::api::OrderCause;
	use planaria_sdk::primitives::{FileIndex, SegmentId};

	fn order(segment: u64, spare: i16, standing: OrderStanding) -> OrderStatus {
		OrderStatus {
			fragment: FragmentId { segment: SegmentId(segment), index: 1 },
			file: FileIndex(1),
			number: 0,
			len: 64,
			holder: Some(MinerId(1)),
			cause: OrderCause::Broken,
			opened: 5,
			standing,
			expiries: 0,
			declines: 0,
			disputed: false,
			spare,
		}
	}

	fn target(miner: u32, fragments: u32) -> TargetStatus {
		let standing = MinerStanding::Leaving;
		TargetStatus { miner: MinerId(miner), standing, since: 1, fragments, held: 64 }
	}

	fn state(orders: &[OrderStatus], targets: &[TargetStatus]) -> (Orders, Targets) {
		(
			orders.iter().map(|order| (order.fragment, order.clone())).collect(),
			targets.iter().map(|target| (target.miner, target.clone())).collect(),
		)
	}

	const CLAIMED: OrderStanding = OrderStanding::Claimed { by: MinerId(4), deadline: 9 };

	#[test]
	fn orders_nearest_to_loss_come_first() {
		let mut orders = [
			order(1, 2, OrderStanding::Unclaimed),
			order(2, -1, CLAIMED),
			order(3, 0, OrderStanding::Unclaimed),
		];
		rank(&mut orders);
		assert_eq!(orders.map(|order| order.fragment.segment.0), [2, 3, 1]);
	}

	#[test]
	fn totals_add_up() {
		let mut totals = Totals::default();
		let orders = [order(1, 2, OrderStanding::Unclaimed), order(2, -1, CLAIMED)];
		totals.add(&orders, &[target(1, 3), target(2, 4)]);
		assert_eq!((totals.orders, totals.unclaimed, totals.claimed, totals.bytes), (2, 1, 1, 128));
		assert_eq!((totals.targets, totals.target_fragments), (2, 7));
	}

	#[test]
	fn what_changes_is_told() {
		let before = state(
			&[order(1, 0, OrderStanding::Unclaimed), order(2, 0, CLAIMED)],
			&[target(1, 3), target(2, 1)],
		);
		let after =
			state(&[order(1, 0, CLAIMED), order(3, 1, CLAIMED)], &[target(1, 2), target(3, 1)]);
		let (found, gone) = changes(&before, &after);
		assert_eq!(
			found,
			[
				Change::Changed { order: order(1, 0, CLAIMED) },
				Change::Opened { order: order(3, 1, CLAIMED) },
				Change::Moved { target: target(1, 2) },
				Change::Target { target: target(3, 1) },
				Change::TargetGone { miner: MinerId(2) },
			]
		);
		assert_eq!(gone, [order(2, 0, CLAIMED)]);
		assert_eq!(changes(&after, &after), (vec![], vec![]));
		assert_eq!(told(&found[0]), "order for fragment 1.1: claimed by miner 4 until tick 9");
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
	}
}
