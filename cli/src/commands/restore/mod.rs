// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

mod show;

mod watch;

use crate::{
	args::{Part, RestoreCommand},
	context::Context,
	exit,
	output::{Table, count, facts},
};
use planaria_sdk::{
	Chain, ChainError, View,
	api::{
		FileStatus, MinerStanding, MinerStatus, NetworkStatus, OrderStatus, SegmentVerdict,
		TargetStatus,
		progress::{Follower, Pace, RestoreProgress, Snapshot},
	},
	primitives::{FileIndex, MinerId},
	units::Size,
};
use serde::{Deserialize, Serialize};
use show::{Clock, cause, holder, pace_columns, pace_facts, standing, verdict, why};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

pub async fn run(context: &Context, command: RestoreCommand) -> anyhow::Result<()> {
	match command {
		RestoreCommand::Orders(part) => orders(context, part).await,
		RestoreCommand::Targets { miner } => targets(context, miner).await,
		RestoreCommand::Status(Part { file: Some(file), .. }) => file_status(context, file).await,
		RestoreCommand::Status(Part { miner: Some(miner), .. }) => {
			miner_status(context, miner).await
		},
		RestoreCommand::Status(_) => status(context).await,
		RestoreCommand::Watch(part) => watch::run(context, part).await,
	}
}

/// What a node says of restoration: `restore_progress`, and each item of `restore_subscribe`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Report {
	network: RestoreProgress,
	/// What the node's own miner restores, as the node says it.
	miner: Option<serde_json::Value>,
}

/// What the node has measured; where it has not, the same without any speed.
async fn report(chain: &Chain, view: &View) -> anyhow::Result<Report> {
	const METHOD_NOT_FOUND: i32 = -32_601;
	match chain.rpc::<Option<Report>>("restore_progress", &[]).await {
		Ok(Some(report)) => return Ok(report),
		// It is catching up, or of another version.
		Ok(None)
		| Err(ChainError::Rpc { code: METHOD_NOT_FOUND, .. } | ChainError::Incompatible(_)) => {},
		Err(error) => return Err(error.into()),
	}
	let snapshot = snapshot(view).await?.0;
	let network = Follower::default().follow(Duration::ZERO, snapshot, &[]);
	Ok(Report { network, miner: None })
}

async fn snapshot(view: &View) -> anyhow::Result<(Snapshot, Vec<SegmentVerdict>)> {
	let verdicts = view.verdicts().await?;
	let orders = view.orders().await?;
	let targets = view.targets().await?;
	let snapshot = Snapshot {
		network: view.network().await?,
		orders: orders.into_iter().map(|order| (order.fragment, order)).collect(),
		targets: targets.into_iter().map(|target| (target.miner, target)).collect(),
		verdicts: verdicts.iter().map(|row| row.verdict).collect(),
		partial: false,
	};
	Ok((snapshot, verdicts))
}

/// The most urgent first: what is disputed last, then those nearest to loss, then the oldest.
fn rank(orders: &mut [OrderStatus]) {
	orders.sort_by_key(|order| (order.disputed, order.spare, order.opened, order.fragment));
}

/// Whether an order is about this part.
fn concerns(part: Part, order: &OrderStatus) -> bool {
	let of_miner = part.miner.is_none_or(|miner| {
		order.holder == Some(miner) || show::claimer(order.standing) == Some(miner)
	});
	of_miner && part.file.is_none_or(|file| order.file == file)
}

/// An order with what follows from its rank and the time.
#[derive(Debug, Serialize)]
struct Row<'a> {
	/// 1 is the most urgent one of the whole network.
	rank: u32,
	/// How long it has been open.
	age_secs: u64,
	/// How long its claim still lasts.
	claim_secs: Option<u64>,
	#[serde(flatten)]
	order: &'a OrderStatus,
}

fn rows<'a>(orders: &'a [OrderStatus], clock: &Clock, part: Part) -> Vec<Row<'a>> {
	(1..)
		.zip(orders)
		.filter(|(_, order)| concerns(part, order))
		.map(|(rank, order)| Row {
			rank,
			age_secs: clock.since(order.opened),
			claim_secs: show::deadline(order.standing).map(|deadline| clock.until(deadline)),
			order,
		})
		.collect()
}

async fn orders(context: &Context, part: Part) -> anyhow::Result<()> {
	let view = context.view().await?;
	let clock = Clock::new(&view.network().await?);
	let mut orders = view.orders().await?;
	rank(&mut orders);
	let rows = rows(&orders, &clock, part);
	context.printer.print(&rows, || order_table(&rows, &clock))
}

fn order_table(rows: &[Row<'_>], clock: &Clock) -> String {
	let mut table = Table::new(&[
		"rank", "fragment", "file", "segment", "size", "spare", "holder", "cause", "age",
		"expired", "declined", "state",
	]);
	for Row { rank, order, .. } in rows {
		let disputed = if order.disputed { ", disputed" } else { "" };
		table.row([
			rank.to_string(),
			order.fragment.to_string(),
			order.file.to_string(),
			order.number.to_string(),
			Size(order.len.into()).to_string(),
			order.spare.to_string(),
			holder(order.holder),
			cause(order.cause).into(),
			clock.age(order.opened),
			order.expiries.to_string(),
			format!("{}{disputed}", order.declines),
			standing(order.standing, clock),
		]);
	}
	table.render("there are no restore orders")
}

/// A target with what is known of its pace.
#[derive(Debug, Serialize)]
struct TargetRow<'a> {
	#[serde(flatten)]
	target: &'a TargetStatus,
	age_secs: u64,
	rate: Option<u64>,
	eta_secs: Option<u64>,
	stalled: bool,
	/// When an absent miner can be expelled; `None` for others, and while the brake is engaged.
	expelled_in_secs: Option<u64>,
}

impl<'a> TargetRow<'a> {
	fn new(target: &'a TargetStatus, network: &NetworkStatus, report: &Report) -> Self {
		let clock = Clock::new(network);
		let known = report.network.by_target.iter().find(|row| row.miner == target.miner);
		let pace = known.map(|row| row.pace).unwrap_or_default();
		let absent = target.standing == MinerStanding::Absent && !network.braked;
		Self {
			target,
			age_secs: clock.since(target.since),
			rate: pace.rate,
			eta_secs: pace.eta_secs,
			stalled: pace.stalled,
			expelled_in_secs: absent
				.then(|| clock.until(target.since.saturating_add(network.absent_max))),
		}
	}

	fn pace(&self) -> Pace {
		Pace {
			fragments_left: self.target.fragments.into(),
			bytes_left: self.target.held,
			rate: self.rate,
			eta_secs: self.eta_secs,
			stalled: self.stalled,
		}
	}
}

async fn targets(context: &Context, miner: Option<MinerId>) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let view = chain.view().await?;
	let network = view.network().await?;
	let report = report(&chain, &view).await?;
	let mut targets = view.targets().await?;
	targets.retain(|target| miner.is_none_or(|miner| miner == target.miner));
	let rows: Vec<_> =
		targets.iter().map(|target| TargetRow::new(target, &network, &report)).collect();
	context.printer.print(&rows, || {
		let clock = Clock::new(&network);
		let mut table = Table::new(&[
			"miner",
			"why",
			"since",
			"fragments",
			"held",
			"speed",
			"time left",
			"expelled",
		]);
		for row in &rows {
			let target = row.target;
			let [speed, left] = pace_columns(&row.pace());
			let expelled = match row.expelled_in_secs {
				Some(0) => "any moment".into(),
				Some(seconds) => format!("in {}", crate::output::duration(seconds)),
				None if target.standing == MinerStanding::Absent => "not now: the brake".into(),
				None => String::new(),
			};
			table.row([
				target.miner.to_string(),
				why(target.standing).into(),
				format!("{} ago", clock.age(target.since)),
				target.fragments.to_string(),
				Size(target.held).to_string(),
				speed,
				left,
				expelled,
			]);
		}
		table.render("there are no restore targets")
	})
}

/// Everything about restoration.
#[derive(Debug, Serialize)]
struct Status {
	network: RestoreProgress,
	miner: Option<serde_json::Value>,
	verdicts: Vec<SegmentVerdict>,
}

async fn status(context: &Context) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let view = chain.view().await?;
	let network = view.network().await?;
	let Report { network: progress, miner } = report(&chain, &view).await?;
	let status = Status { network: progress, miner, verdicts: view.verdicts().await? };
	context.printer.print(&status, || status_text(&status, &Clock::new(&network)))
}

fn status_text(status: &Status, clock: &Clock) -> String {
	let progress = &status.network;
	let (orders, targets) = (&progress.orders, &progress.targets);
	let by_spare: Vec<_> =
		orders.by_spare.iter().map(|(spare, number)| format!("{number} with {spare}")).collect();
	let least = if progress.partial { "at least " } else { "" };
	let brake = if progress.braked {
		"engaged: many turned absent at once; nobody is expelled, and what absent miners hold is \
		 restored only where it is thin"
	} else {
		"off"
	};
	let mut rows = vec![
		("tick", clock.tick_text()),
		("orders", format!("{least}{}, {}", orders.total, Size(orders.bytes))),
		(
			"",
			format!(
				"{} unclaimed, {} claimed, {} ready, {} disputed",
				orders.unclaimed, orders.claimed, orders.ready, orders.disputed
			),
		),
		("by spare", by_spare.join(", ")),
		(
			"targets",
			format!(
				"{} leaving, {} absent, {} expelled",
				targets.leaving, targets.absent, targets.expelled
			),
		),
	];
	rows.extend(pace_facts(&progress.pace));
	rows.push((
		"restored",
		format!(
			"{}, {} since the node looks",
			count(progress.restored_fragments, "fragment"),
			Size(progress.restored_bytes)
		),
	));
	rows.push(("brake", brake.into()));
	rows.push(("suspected", count(progress.suspected, "segment")));
	rows.push(("lost", count(progress.lost, "segment")));
	let mut text = facts(&rows);
	if !progress.by_file.is_empty() {
		let mut table = Table::new(&["file", "spare", "fragments", "left", "speed", "time left"]);
		for row in &progress.by_file {
			let [speed, left] = pace_columns(&row.pace);
			table.row([
				row.file.to_string(),
				row.spare.to_string(),
				row.pace.fragments_left.to_string(),
				Size(row.pace.bytes_left).to_string(),
				speed,
				left,
			]);
		}
		text.push_str(&format!("\n{}", table.render("")));
	}
	if !status.verdicts.is_empty() {
		text.push_str(&format!("\n{}", verdict_table(&status.verdicts, clock)));
	}
	text
}

fn verdict_table(verdicts: &[SegmentVerdict], clock: &Clock) -> String {
	let mut table = Table::new(&["segment", "file", "number", "spare", "verdict"]);
	for row in verdicts {
		table.row([
			row.segment.to_string(),
			row.file.to_string(),
			row.number.to_string(),
			row.spare.to_string(),
			verdict(row.verdict, clock),
		]);
	}
	table.render("no segment is in danger")
}

/// A miner as one that restores, and as one that is restored from.
#[derive(Debug, Serialize)]
struct OfMiner<'a> {
	miner: MinerStatus,
	/// Where its data moves away.
	target: Option<TargetRow<'a>>,
	/// What it has claimed, and what of its own others restore.
	orders: Vec<Row<'a>>,
}

async fn miner_status(context: &Context, miner: MinerId) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let view = chain.view().await?;
	let network = view.network().await?;
	let clock = Clock::new(&network);
	let found = view.miner(miner).await?;
	let found = found.ok_or_else(|| exit::not_found(format!("there is no miner {miner}")))?;
	let report = report(&chain, &view).await?;
	let targets = view.targets().await?;
	let target = targets.iter().find(|target| target.miner == miner);
	let mut orders = view.orders().await?;
	rank(&mut orders);
	let of_miner = OfMiner {
		miner: found,
		target: target.map(|target| TargetRow::new(target, &network, &report)),
		orders: rows(&orders, &clock, Part { miner: Some(miner), file: None }),
	};
	context.printer.print(&of_miner, || {
		let unseen = clock.since(of_miner.miner.last_seen);
		let claimed = of_miner
			.orders
			.iter()
			.filter(|row| show::claimer(row.order.standing) == Some(miner))
			.count();
		let mut rows = vec![
			("miner", miner.to_string()),
			("standing", super::miner::standing(of_miner.miner.standing).into()),
			("last seen", format!("{} ago", crate::output::duration(unseen))),
			("restores", count(claimed as u64, "fragment")),
		];
		if let Some(row) = &of_miner.target {
			rows.extend(pace_facts(&row.pace()));
		}
		let table = order_table(&of_miner.orders, &clock);
		format!("{}\n{table}", facts(&rows))
	})
}

/// A file's restoration.
#[derive(Debug, Serialize)]
struct OfFile<'a> {
	file: FileStatus,
	/// How many of its segments have each spare.
	segments_by_spare: BTreeMap<i16, u32>,
	/// Fragments at restore targets for which there is no order yet.
	to_be_ordered: u64,
	/// How far its orders are.
	#[serde(flatten)]
	pace: Pace,
	orders: Vec<Row<'a>>,
	verdicts: Vec<SegmentVerdict>,
}

async fn file_status(context: &Context, index: FileIndex) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let view = chain.view().await?;
	let clock = Clock::new(&view.network().await?);
	let file = view.file(index).await?;
	let file = file.ok_or_else(|| exit::not_found(format!("there is no file {index}")))?;
	let report = report(&chain, &view).await?;
	let targets: BTreeSet<MinerId> =
		view.targets().await?.into_iter().map(|target| target.miner).collect();
	let mut segments_by_spare: BTreeMap<i16, u32> = BTreeMap::new();
	let mut to_be_ordered = 0;
	let mut first = 0;
	while first < file.segments {
		for segment in view.segments(index, first, planaria_sdk::api::MAX_PAGE).await? {
			*segments_by_spare.entry(segment.spare).or_default() += 1;
			let at_target = segment.fragments.iter().filter(|fragment| {
				!fragment.restoring && fragment.holder.is_some_and(|miner| targets.contains(&miner))
			});
			to_be_ordered += at_target.count() as u64;
		}
		first = first.saturating_add(planaria_sdk::api::MAX_PAGE);
	}
	let mut orders = view.orders().await?;
	rank(&mut orders);
	let known = report.network.by_file.iter().find(|row| row.file == index);
	let mut verdicts = view.verdicts().await?;
	verdicts.retain(|row| row.file == index);
	let of_file = OfFile {
		file,
		segments_by_spare,
		to_be_ordered,
		pace: known.map(|row| row.pace).unwrap_or_default(),
		orders: rows(&orders, &clock, Part { miner: None, file: Some(index) }),
		verdicts,
	};
	context.printer.print(&of_file, || {
		let spares = of_file.segments_by_spare.iter();
		let spares: Vec<_> =
			spares.map(|(spare, number)| format!("{number} with {spare}")).collect();
		let mut rows = vec![
			("file", index.to_string()),
			("segments", of_file.file.segments.to_string()),
			("by spare", spares.join(", ")),
			("lost", count(of_file.file.lost, "segment")),
			("not ordered", count(of_file.to_be_ordered, "fragment")),
		];
		rows.extend(pace_facts(&of_file.pace));
		let mut text = facts(&rows);
		text.push_str(&format!("\n{}", order_table(&of_file.orders, &clock)));
		if !of_file.verdicts.is_empty() {
			text.push_str(&format!("\n{}", verdict_table(&of_file.verdicts, &clock)));
		}
		text
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::{
		api::{OrderCause, OrderStanding, VerdictStatus},
		primitives::{FragmentId, SegmentId, Tick},
	};

	pub fn network(tick: Tick) -> NetworkStatus {
		NetworkStatus {
			height: 9,
			tick,
			running: true,
			slot_millis: 2000,
			claim_period: 45,
			absent_after: 60,
			absent_max: 900,
			braked: false,
			miners: 5,
			files_ever: 1,
			segments_ever: 1,
		}
	}

	pub fn order(segment: u64, spare: i16, standing: OrderStanding) -> OrderStatus {
		OrderStatus {
			fragment: FragmentId { segment: SegmentId(segment), index: 1 },
			file: FileIndex(segment / 10),
			number: 0,
			len: 64,
			holder: Some(MinerId(1)),
			cause: OrderCause::Target,
			opened: 5,
			standing,
			expiries: 0,
			declines: 0,
			disputed: false,
			spare,
		}
	}

	pub fn target(miner: u32, fragments: u32) -> TargetStatus {
		let standing = MinerStanding::Leaving;
		TargetStatus { miner: MinerId(miner), standing, since: 1, fragments, held: 64 }
	}

	pub const CLAIMED: OrderStanding = OrderStanding::Claimed { by: MinerId(4), deadline: 9 };

	#[test]
	fn the_most_urgent_come_first_and_keep_their_rank() {
		let disputed =
			OrderStatus { disputed: true, declines: 3, ..order(14, -2, OrderStanding::Unclaimed) };
		let mut orders = [
			order(1, 2, OrderStanding::Unclaimed),
			disputed,
			order(12, -1, CLAIMED),
			order(3, 0, OrderStanding::Unclaimed),
		];
		rank(&mut orders);
		assert_eq!(orders.clone().map(|order| order.fragment.segment.0), [12, 3, 1, 14]);
		let clock = Clock::new(&network(7));
		let part = |miner, file| Part { miner, file };
		let ranks =
			|part| -> Vec<u32> { rows(&orders, &clock, part).iter().map(|row| row.rank).collect() };
		assert_eq!(ranks(part(None, None)), [1, 2, 3, 4]);
		assert_eq!(ranks(part(None, Some(FileIndex(1)))), [1, 4]);
		assert_eq!(ranks(part(Some(MinerId(4)), None)), [1]);
		assert_eq!(ranks(part(Some(MinerId(9)), None)), [0u32; 0]);
		let all = rows(&orders, &clock, part(None, None));
		assert_eq!((all[0].age_secs, all[0].claim_secs, all[1].claim_secs), (4, Some(4), None));
		let table = order_table(&all, &clock);
		assert!(table.contains("3, disputed"), "{table}");
		assert!(table.contains("claimed by miner 4, 4 s left"), "{table}");
	}

	#[test]
	fn an_absent_miner_is_expelled_unless_the_brake_is_engaged() {
		let absent = TargetStatus { standing: MinerStanding::Absent, ..target(1, 3) };
		let progress = RestoreProgress::default();
		let report = Report { network: progress, miner: None };
		let row = TargetRow::new(&absent, &network(101), &report);
		assert_eq!((row.age_secs, row.expelled_in_secs), (200, Some(1600)));
		let braked = NetworkStatus { braked: true, ..network(101) };
		assert_eq!(TargetRow::new(&absent, &braked, &report).expelled_in_secs, None);
		assert_eq!(TargetRow::new(&target(1, 3), &network(101), &report).expelled_in_secs, None);
	}

	#[test]
	fn a_status_says_what_is_left_and_what_is_in_danger() {
		let verdicts = vec![SegmentVerdict {
			segment: SegmentId(2),
			file: FileIndex(1),
			number: 0,
			spare: -1,
			verdict: VerdictStatus::Suspected { deadline: 142 },
		}];
		let snapshot = Snapshot {
			network: NetworkStatus { braked: true, ..network(7) },
			orders: [order(2, -1, CLAIMED)].map(|order| (order.fragment, order)).into(),
			targets: [target(1, 3)].map(|target| (target.miner, target)).into(),
			verdicts: verdicts.iter().map(|row| row.verdict).collect(),
			partial: false,
		};
		let network = Follower::default().follow(Duration::ZERO, snapshot, &[]);
		let status = Status { network, miner: None, verdicts };
		let text = status_text(&status, &Clock::new(&super::tests::network(7)));
		for part in [
			"orders     1, 64 B",
			"0 unclaimed, 1 claimed, 0 ready, 0 disputed",
			"1 with -1",
			"1 leaving, 0 absent",
			"3 fragments, 64 B",
			"unknown until something is restored",
			"engaged",
			"suspected  1 segment\n",
			"lost in 4 min 30 s unless enough comes back",
		] {
			assert!(text.contains(part), "{part:?} is not in\n{text}");
		}
	}

	#[test]
	fn a_report_has_this_json_shape() {
		let snapshot = Snapshot {
			network: network(7),
			orders: [order(12, -1, CLAIMED)].map(|order| (order.fragment, order)).into(),
			targets: [target(1, 3)].map(|target| (target.miner, target)).into(),
			verdicts: vec![],
			partial: false,
		};
		let network = Follower::default().follow(Duration::ZERO, snapshot, &[]);
		let report = Report { network, miner: None };
		let json = serde_json::to_value(&report).expect("serialises");
		let network = &json["network"];
		assert_eq!(network["bytes_left"], 64);
		assert_eq!(network["eta_secs"], serde_json::Value::Null);
		assert_eq!(network["orders"]["by_spare"]["-1"], 1);
		assert_eq!(network["by_target"][0]["standing"], "leaving");
		assert_eq!(network["by_file"][0]["fragments_left"], 1);
		assert_eq!(serde_json::from_value::<Report>(json).expect("reads"), report);
	}
}
