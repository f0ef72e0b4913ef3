// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{MinerArg, MinerCommand, StashArgs},
	bars,
	context::{Context, Receipt},
	exit,
	output::{Table, facts},
};
use planaria_sdk::{
	AccountId32, Chain, ChainError, Secret, View,
	api::{MAX_PAGE, MinerStanding, MinerStatus},
	chain::{Call, calls},
	primitives::{FileIndex, FragmentName, MinerId},
	units::{Amount, Size},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub async fn run(context: &Context, command: MinerCommand) -> anyhow::Result<()> {
	match command {
		MinerCommand::Register { stash, node, declared, payee, collateral } => {
			let registration = Registration { node, declared, payee, collateral };
			register(context, &stash, registration).await
		},
		MinerCommand::Status { miner, node: None } => status(context, &miner).await,
		MinerCommand::Status { node, .. } => node_status(context, node).await,
		MinerCommand::List => list(context).await,
		MinerCommand::Exit(stash) => sign(context, &stash, calls::exit()).await,
		MinerCommand::Finish(arg) => finish(context, &arg).await,
		MinerCommand::TopUp { amount, stash } => {
			sign(context, &stash, calls::top_up(amount.0)).await
		},
		MinerCommand::Withdraw { amount, stash } => {
			sign(context, &stash, calls::withdraw(amount.0)).await
		},
		MinerCommand::SetDeclared { bytes, stash } => {
			sign(context, &stash, calls::set_declared(bytes.0)).await
		},
		MinerCommand::SetEndpoint { stash, node } => set_endpoint(context, &stash, node).await,
		MinerCommand::Check { node, no_wait } => check(context, node, !no_wait).await,
		MinerCommand::Fragments { miner, node: None } => fragments(context, &miner).await,
		MinerCommand::Fragments { node, .. } => stored(context, node).await,
	}
}

struct Registration {
	node: Option<String>,
	declared: Option<Size>,
	payee: Option<AccountId32>,
	collateral: Amount,
}

/// A miner that was registered.
#[derive(Debug, Serialize)]
struct Registered {
	miner: MinerId,
	declared: u64,
	#[serde(flatten)]
	receipt: Receipt,
}

async fn register(
	context: &Context,
	stash: &StashArgs,
	registration: Registration,
) -> anyhow::Result<()> {
	let Registration { node, declared, payee, collateral } = registration;
	let secret = context.stash(stash)?;
	let account = secret.account();
	let node = context.node(node.as_deref()).await?;
	let proofs = node.registration_proofs(&account).await?;
	let chain = context.chain().await?;
	if chain.genesis() != node.genesis() {
		return Err(exit::usage("the miner's node (--node) is of another chain than --url"));
	}
	let declared = declared.map_or(proofs.capacity, |declared| declared.0);
	let call = calls::register(&proofs, declared, &payee.unwrap_or(account), collateral.0);
	let included = context.submit(chain, secret, &call).await?;
	let miner = included.number("Miners", "Registered", "miner")?;
	let miner = MinerId(u32::try_from(miner).unwrap_or(u32::MAX));
	let document = Registered { miner, declared, receipt: Receipt::new(&call, &included) };
	context
		.printer
		.print(&document, || format!("registered as miner {miner}, offering {}", Size(declared)))
}

async fn sign(context: &Context, stash: &StashArgs, call: Call) -> anyhow::Result<()> {
	let secret = context.stash(stash)?;
	submit(context, secret, &call).await
}

async fn submit(context: &Context, secret: Secret, call: &Call) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let included = context.submit(chain, secret, call).await?;
	let block = included.block.number;
	context.printer.print(&Receipt::new(call, &included), || format!("{call} is in block {block}"))
}

async fn finish(context: &Context, arg: &MinerArg) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let miner = which(context, &context.view().await?, arg).await?;
	submit(context, secret, &calls::finish(miner)).await
}

async fn set_endpoint(
	context: &Context,
	stash: &StashArgs,
	node: Option<String>,
) -> anyhow::Result<()> {
	let secret = context.stash(stash)?;
	let node = context.node(node.as_deref()).await?;
	let proofs = node.registration_proofs(&secret.account()).await?;
	submit(context, secret, &calls::set_endpoint(&proofs.endpoint, &proofs.endpoint_proof)).await
}

/// Which miner a command is about.
async fn which(context: &Context, view: &View, arg: &MinerArg) -> anyhow::Result<MinerId> {
	if let Some(miner) = arg.miner {
		return Ok(miner);
	}
	let account = context.secret()?.account();
	let found = view.miner_by_account(&account).await?;
	found.ok_or_else(|| exit::not_found(format!("{account} has no miner; name one by its number")))
}

async fn find(context: &Context, view: &View, arg: &MinerArg) -> anyhow::Result<MinerStatus> {
	let miner = which(context, view, arg).await?;
	let found = view.miner(miner).await?;
	found.ok_or_else(|| exit::not_found(format!("there is no miner {miner}")))
}

fn standing(standing: MinerStanding) -> &'static str {
	match standing {
		MinerStanding::Serving => "serving",
		MinerStanding::Suspended => "suspended: failed audits, no new data, no rewards",
		MinerStanding::Absent => "absent: its data is being restored elsewhere",
		MinerStanding::Leaving => "leaving",
		MinerStanding::Expelled => "expelled",
		MinerStanding::Departed => "departed",
	}
}

/// Collateral below what is required: no new data.
fn is_frozen(miner: &MinerStatus) -> bool {
	miner.collateral < miner.required
}

async fn status(context: &Context, arg: &MinerArg) -> anyhow::Result<()> {
	let view = context.view().await?;
	let miner = find(context, &view, arg).await?;
	context.printer.print(&miner, || text(&miner))
}

fn text(miner: &MinerStatus) -> String {
	let frozen = if is_frozen(miner) { " (frozen: top up to get new data)" } else { "" };
	let mut rows = vec![
		("miner", miner.miner.to_string()),
		("standing", standing(miner.standing).into()),
		("stash", miner.stash.to_string()),
		("payee", miner.payee.to_string()),
		("hot key", miner.hot_key.to_string()),
		("endpoint", miner.endpoint_addrs.join(", ")),
		("offered", Size(miner.declared).to_string()),
		("held", format!("{} in {} fragments", Size(miner.held), miner.fragments)),
		("reserved", Size(miner.reserved).to_string()),
		("claims", miner.claims.to_string()),
		("last seen", format!("tick {}", miner.last_seen)),
		("collateral", format!("{}{frozen}", Amount(miner.collateral))),
		("required", Amount(miner.required).to_string()),
	];
	if let Some(tick) = miner.free_at {
		rows.push(("free", format!("at tick {tick}")));
	}
	facts(&rows)
}

async fn list(context: &Context) -> anyhow::Result<()> {
	let miners = context.view().await?.miners().await?;
	context.printer.print(&miners, || {
		let mut table = Table::new(&[
			"miner",
			"standing",
			"offered",
			"held",
			"reserved",
			"fragments",
			"collateral",
			"stash",
		]);
		for miner in &miners {
			let mut standing = standing(miner.standing).split(':').next().unwrap_or("").to_owned();
			if is_frozen(miner) {
				standing.push_str(", frozen");
			}
			table.row([
				miner.miner.to_string(),
				standing,
				Size(miner.declared).to_string(),
				Size(miner.held).to_string(),
				Size(miner.reserved).to_string(),
				miner.fragments.to_string(),
				Amount(miner.collateral).to_string(),
				miner.stash.to_string(),
			]);
		}
		table.render("no miner is registered")
	})
}

/// What a miner's node says of itself. Other fields are passed on as they are.
async fn node_status(context: &Context, node: Option<String>) -> anyhow::Result<()> {
	let report: serde_json::Value =
		context.node(node.as_deref()).await?.rpc("miner_status", &[]).await?;
	context.printer.print(&report, || node_text(&report))
}

fn node_text(report: &serde_json::Value) -> String {
	let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_u64);
	let size = |path| number(path).map_or("?".into(), |bytes| Size(bytes).to_string());
	let whole = |path| number(path).map_or("?".into(), |number| number.to_string());
	let miner = number("/engine/miner").map_or("not registered".into(), |id| id.to_string());
	let endpoint = report.get("endpoint").and_then(serde_json::Value::as_array);
	let endpoint = endpoint.into_iter().flatten().filter_map(serde_json::Value::as_str);
	let mut text = facts(&[
		("miner", miner),
		("endpoint", endpoint.collect::<Vec<_>>().join(", ")),
		("capacity", size("/store/capacity")),
		("used", format!("{} in {} fragments", size("/store/used"), whole("/store/fragments"))),
		("quarantined", size("/store/quarantined")),
		("broken", whole("/store/broken")),
		("unconfirmed", whole("/engine/unconfirmed")),
		("copied", whole("/engine/totals/copied")),
		("rebuilt", whole("/engine/totals/rebuilt")),
		("restored", size("/engine/totals/bytes_restored")),
		("read for it", size("/engine/totals/bytes_read")),
	]);
	let restores = report.pointer("/engine/restores").and_then(serde_json::Value::as_array);
	let mut table = Table::new(&["file", "segment", "fragment", "phase", "attempts", "error"]);
	for restore in restores.into_iter().flatten() {
		let shown = |path: &str| match restore.pointer(path) {
			None | Some(serde_json::Value::Null) => String::new(),
			Some(serde_json::Value::String(text)) => text.clone(),
			Some(other) => other.to_string(),
		};
		let columns =
			["/name/file", "/name/segment", "/name/index", "/phase", "/attempts", "/error"];
		table.row(columns.map(shown));
	}
	text.push_str(&format!("\n{}", table.render("nothing is being restored")));
	text
}

/// The self-check of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Check {
	running: bool,
	passes: u64,
	checked: u64,
	bytes: u64,
	damaged: u64,
	unreadable: u64,
	missing: u64,
}

impl Check {
	async fn of(node: &Chain) -> Result<Self, ChainError> {
		let report: serde_json::Value = node.rpc("miner_status", &[]).await?;
		let check = report.pointer("/engine/check").cloned().unwrap_or_default();
		serde_json::from_value(check).map_err(|error| ChainError::Incompatible(error.to_string()))
	}

	fn text(&self) -> String {
		let bad = self.damaged + self.unreadable + self.missing;
		let verdict = match bad {
			0 => "all fragments are whole and here",
			_ => "the node restores what is bad; see 'planaria miner status --node'",
		};
		facts(&[
			("checked", format!("{} fragments, {}", self.checked, Size(self.bytes))),
			("damaged", self.damaged.to_string()),
			("unreadable", self.unreadable.to_string()),
			("missing", self.missing.to_string()),
			("", verdict.into()),
		])
	}
}

async fn check(context: &Context, node: Option<String>, wait: bool) -> anyhow::Result<()> {
	const POLL: Duration = Duration::from_millis(500);
	let node = context.node(node.as_deref()).await?;
	let passes = Check::of(&node).await?.passes;
	let _: bool = node.rpc("miner_check", &[]).await?;
	let spinner = bars::spinner("the node checks every fragment it stores".into());
	let check = loop {
		let check = Check::of(&node).await?;
		if !wait || check.passes > passes {
			break check;
		}
		spinner.set_message(format!("{} fragments checked", check.checked));
		tokio::time::sleep(POLL).await;
	};
	spinner.finish_and_clear();
	context.printer.print(&check, || if wait { check.text() } else { "the check has begun".into() })
}

/// A fragment on a node's disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
	name: FragmentName,
	hash: String,
	len: u32,
	broken: bool,
}

async fn stored(context: &Context, node: Option<String>) -> anyhow::Result<()> {
	let node = context.node(node.as_deref()).await?;
	let mut all: Vec<Stored> = Vec::new();
	loop {
		let after = serde_json::to_value(all.last().map(|stored| stored.name))?;
		let page: Vec<Stored> = node.rpc("miner_fragments", &[after, MAX_PAGE.into()]).await?;
		let last = page.len() < MAX_PAGE as usize;
		all.extend(page);
		if last {
			break;
		}
	}
	context.printer.print(&all, || {
		let mut table = Table::new(&["file", "segment", "fragment", "size", "state", "hash"]);
		for stored in &all {
			table.row([
				stored.name.file.to_string(),
				stored.name.segment.to_string(),
				stored.name.index.to_string(),
				Size(stored.len.into()).to_string(),
				if stored.broken { "broken" } else { "whole" }.into(),
				stored.hash.clone(),
			]);
		}
		table.render("nothing is stored")
	})
}

/// A fragment that a miner should have.
#[derive(Debug, Serialize)]
struct Assigned {
	file: FileIndex,
	segment: u32,
	index: u8,
	confirmed: bool,
	restoring: bool,
	len: u32,
}

async fn fragments(context: &Context, arg: &MinerArg) -> anyhow::Result<()> {
	let view = context.view().await?;
	let miner = find(context, &view, arg).await?.miner;
	let files = view.network().await?.files_ever;
	let spinner = bars::spinner(String::new());
	let mut assigned = Vec::new();
	// Numbers start with 0 or 1: both ends are looked at.
	for file in (0..=files).map(FileIndex) {
		spinner.set_message(format!("looking at file {file} of {files}"));
		let Some(status) = view.file(file).await? else { continue };
		let Ok(spec) = planaria_sdk::primitives::FileSpec::new(status.size, status.coding) else {
			continue;
		};
		let mut first = 0;
		while first < status.segments {
			for segment in view.segments(file, first, MAX_PAGE).await? {
				for (index, fragment) in (0u8..).zip(&segment.fragments) {
					if fragment.holder == Some(miner) {
						assigned.push(Assigned {
							file,
							segment: segment.number,
							index,
							confirmed: fragment.confirmed,
							restoring: fragment.restoring,
							len: spec.fragment_len(segment.number),
						});
					}
				}
			}
			first = first.saturating_add(MAX_PAGE);
		}
	}
	spinner.finish_and_clear();
	context.printer.print(&assigned, || {
		let mut table = Table::new(&["file", "segment", "fragment", "size", "state"]);
		for one in &assigned {
			let state = match (one.restoring, one.confirmed) {
				(true, _) => "being restored",
				(false, true) => "confirmed",
				(false, false) => "not confirmed",
			};
			table.row([
				one.file.to_string(),
				one.segment.to_string(),
				one.index.to_string(),
				Size(one.len.into()).to_string(),
				state.into(),
			]);
		}
		table.render(&format!("no fragment is assigned to miner {miner}"))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn miner() -> MinerStatus {
		MinerStatus {
			miner: MinerId(3),
			stash: AccountId32::new([1; 32]),
			payee: AccountId32::new([2; 32]),
			hot_key: AccountId32::new([3; 32]),
			endpoint_key: [4; 32],
			endpoint_addrs: vec!["127.0.0.1:4410".into()],
			standing: MinerStanding::Serving,
			since: 0,
			declared: 1 << 40,
			held: 8 << 20,
			reserved: 0,
			fragments: 1,
			claims: 0,
			last_seen: 9,
			collateral: 1,
			required: 2,
			free_at: None,
		}
	}

	#[test]
	fn a_frozen_miner_is_told_to_top_up() {
		let text = text(&miner());
		assert!(text.contains("frozen: top up"), "{text}");
		assert!(text.contains("8 MiB in 1 fragments"));
		let rich = MinerStatus { collateral: 2, ..miner() };
		assert!(!super::text(&rich).contains("frozen"));
	}

	#[test]
	fn a_miner_has_this_json_shape() {
		let json = serde_json::to_value(miner()).expect("serialises");
		assert_eq!(json["miner"], 3);
		assert_eq!(json["standing"], "serving");
		assert_eq!(json["collateral"], "1");
		assert_eq!(json["endpoint_addrs"][0], "127.0.0.1:4410");
	}

	#[test]
	fn a_nodes_report_is_shown() {
		let report = serde_json::json!({
			"chain": null,
			"engine": {
				"miner": 3,
				"unconfirmed": 0,
				"restores": [{
					"name": { "file_id": "00".repeat(32), "file": 7, "segment": 1, "index": 2 },
					"own": false, "phase": "running", "attempts": 1, "error": null,
				}],
				"check": {
					"running": false, "passes": 1, "checked": 5, "bytes": 1024,
					"damaged": 1, "unreadable": 0, "missing": 0, "later": true,
				},
				"totals": { "copied": 1, "rebuilt": 0, "bytes_restored": 64, "bytes_read": 64 },
			},
			"store": { "capacity": 1 << 30, "used": 64, "fragments": 1, "quarantined": 0, "broken": 0 },
			"endpoint": ["127.0.0.1:4410"],
		});
		let text = node_text(&report);
		for part in ["miner        3", "64 B in 1 fragments", "running", "1 GiB", "127.0.0.1:4410"]
		{
			assert!(text.contains(part), "{part:?} is not in\n{text}");
		}
		assert!(node_text(&serde_json::json!({})).contains("not registered"));
		let check = report.pointer("/engine/check").cloned().expect("there");
		let check: Check = serde_json::from_value(check).expect("reads");
		assert!(check.text().contains("5 fragments, 1 KiB"));
		assert!(check.text().contains("restores what is bad"));
	}
}
