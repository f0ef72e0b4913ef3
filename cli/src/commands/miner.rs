// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{MinerArg, MinerCommand, Profile, StashArgs},
	bars,
	context::{Context, Receipt},
	exit,
	output::{Table, duration, facts},
};
use planaria_sdk::{
	AccountId32, Chain, ChainError, Secret, View,
	api::{
		AuditLevel, AuditStatus, EarningsStatus, MAX_PAGE, MinerStanding, MinerStatus,
		NetworkStatus,
	},
	chain::{Call, calls},
	primitives::{FileIndex, FragmentName, MinerId},
	units::{Amount, Size},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

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
		MinerCommand::Claim(arg) => claim(context, &arg).await,
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
		MinerCommand::SetHotKey { stash, node } => set_hot_key(context, &stash, node).await,
		MinerCommand::SetPayee { payee, stash } => {
			sign(context, &stash, calls::set_payee(&payee)).await
		},
		MinerCommand::Check { node, no_wait, watch: false } => check(context, node, !no_wait).await,
		MinerCommand::Check { node, .. } => watch_check(context, node).await,
		MinerCommand::Throttle { profile, cap, node } => {
			throttle(context, node, profile, cap).await
		},
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

/// Earnings that were paid.
#[derive(Debug, Serialize)]
struct Claimed {
	miner: MinerId,
	/// In the token's smallest parts.
	amount: String,
	#[serde(flatten)]
	receipt: Receipt,
}

async fn claim(context: &Context, arg: &MinerArg) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let miner = which(context, &context.view().await?, arg).await?;
	let call = calls::claim_earnings(miner);
	let included = context.submit(context.chain().await?, secret, &call).await?;
	let amount = included.amount("Rewards", "Claimed", "amount")?;
	let receipt = Receipt::new(&call, &included);
	let document = Claimed { miner, amount: amount.to_string(), receipt };
	context
		.printer
		.print(&document, || format!("the payee of miner {miner} was paid {}", Amount(amount)))
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

async fn set_hot_key(
	context: &Context,
	stash: &StashArgs,
	node: Option<String>,
) -> anyhow::Result<()> {
	let secret = context.stash(stash)?;
	let node = context.node(node.as_deref()).await?;
	let proofs = node.registration_proofs(&secret.account()).await?;
	submit(context, secret, &calls::set_hot_key(&proofs.hot_key, &proofs.hot_proof)).await
}

/// How fast a node may restore and check itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Throttle {
	profile: Profile,
	/// Bytes per second.
	cap: Option<u64>,
}

impl Throttle {
	fn text(self) -> String {
		let profile = match self.profile {
			Profile::Quiet => "quiet",
			Profile::Balanced => "balanced",
			Profile::Fast => "fast",
		};
		match self.cap {
			Some(cap) => format!("{profile}, at most {}/s", Size(cap)),
			None => profile.into(),
		}
	}
}

async fn throttle(
	context: &Context,
	node: Option<String>,
	profile: Option<Profile>,
	cap: Option<Size>,
) -> anyhow::Result<()> {
	let node = context.node(node.as_deref()).await?;
	let now: Throttle = node.rpc("miner_throttle", &[]).await?;
	let throttle = if profile.is_none() && cap.is_none() {
		now
	} else {
		let profile = serde_json::to_value(profile.unwrap_or(now.profile))?;
		let cap = serde_json::to_value(cap.map(|cap| cap.0))?;
		node.rpc("miner_setThrottle", &[profile, cap]).await?
	};
	context.printer.print(&throttle, || throttle.text())
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

pub fn standing(standing: MinerStanding) -> &'static str {
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
	let earnings = view.earnings(miner.miner).await?;
	let document = Shown { miner: &miner, earnings: earnings.as_ref() };
	context.printer.print(&document, || text(&miner, earnings.as_ref()))
}

/// A miner and what it earns.
#[derive(Debug, Serialize)]
struct Shown<'a> {
	#[serde(flatten)]
	miner: &'a MinerStatus,
	earnings: Option<&'a EarningsStatus>,
}

/// What a miner has earned and goes on to earn.
fn earned(earnings: &EarningsStatus) -> String {
	let claimable = Amount(earnings.claimable);
	if !earnings.earns {
		return format!("{claimable} not claimed; nothing more in this standing");
	}
	format!("{claimable} not claimed; {} a day at present", Amount(earnings.per_day))
}

fn text(miner: &MinerStatus, earnings: Option<&EarningsStatus>) -> String {
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
	if let Some(earnings) = earnings {
		rows.push(("earned", earned(earnings)));
	}
	rows.push(("audits", audits(&miner.audit)));
	if let Some(tick) = miner.free_at {
		rows.push(("free", format!("at tick {tick}")));
	}
	facts(&rows)
}

/// What its failed audits have come to, what one more comes to, and what to do.
fn audits(audit: &AuditStatus) -> String {
	let level = |level| match level {
		AuditLevel::Clean => "nothing",
		AuditLevel::Warned => "a warning",
		AuditLevel::Suspended => "a suspension",
		AuditLevel::Slashed => "a slash",
		AuditLevel::Expelled => "an expulsion",
	};
	let mut text = match audit.strikes {
		0 => "no failures".to_owned(),
		strikes => format!(
			"{strikes} windows with failures, which came to {}; the next one comes to {}: see that \
			 the node answers, and check its store",
			level(audit.level),
			level(audit.next)
		),
	};
	if let Some(tick) = audit.heals_at {
		text.push_str(&format!("; one is made good by passing from tick {tick} on"));
	}
	if audit.open > 0 {
		text.push_str(&format!("; {} to answer", audit.open));
	}
	text
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
	let node = context.node(node.as_deref()).await?;
	let report: serde_json::Value = node.rpc("miner_status", &[]).await?;
	let network = node.view().await?.network().await?;
	context.printer.print(&report, || node_text(&report, &network))
}

/// Reads the numbers of a node's report, whatever else may be in it.
struct Reader<'a>(&'a serde_json::Value);

impl Reader<'_> {
	fn number(&self, path: &str) -> Option<u64> {
		self.0.pointer(path).and_then(serde_json::Value::as_u64)
	}

	fn is(&self, path: &str) -> bool {
		self.0.pointer(path).and_then(serde_json::Value::as_bool).unwrap_or_default()
	}

	fn whole(&self, path: &str) -> String {
		self.number(path).map_or("?".into(), |number| number.to_string())
	}

	fn size(&self, path: &str) -> String {
		self.number(path).map_or("?".into(), |bytes| Size(bytes).to_string())
	}

	/// What it has for fees.
	fn funds(&self) -> String {
		let text = |path: &str| self.0.pointer(path).and_then(serde_json::Value::as_str);
		let free = text("/funds/free").and_then(|free| free.parse().ok()).map(Amount);
		let (Some(free), Some(account)) = (free, text("/funds/account")) else {
			return "?".into();
		};
		let low = if self.is("/funds/low") {
			" (LOW: send some, or it can neither open nor claim restore orders)"
		} else {
			""
		};
		format!("{free} at {account}{low}")
	}

	/// How long until it counts as absent.
	fn seen(&self, network: &NetworkStatus) -> String {
		let Some(seen) = self.number("/chain/last_seen") else { return "not registered".into() };
		let unseen = u64::from(network.tick).saturating_sub(seen);
		let left = u64::from(network.absent_after).saturating_sub(unseen);
		let time = |ticks: u64| duration(ticks.saturating_mul(network.slot_millis) / 1000);
		match self.0.pointer("/chain/standing").and_then(serde_json::Value::as_str) {
			Some("absent") => format!("{} ago: ABSENT until a duty is accepted", time(unseen)),
			_ => format!("{} ago; absent in {} without a duty", time(unseen), time(left)),
		}
	}

	/// What is left to restore.
	fn left(&self) -> String {
		let of = "/engine/progress";
		let number = |field: &str| self.number(&format!("{of}/{field}"));
		let left = number("fragments_left").unwrap_or_default();
		if left == 0 {
			return "nothing".into();
		}
		let speed = match number("rate") {
			None | Some(0) => String::new(),
			Some(rate) => format!(" at {}/s", Size(rate)),
		};
		let time = match number("eta_secs") {
			_ if self.is(&format!("{of}/stalled")) => "stalled: nothing moves".into(),
			Some(seconds) => format!("about {}", duration(seconds)),
			None => "time unknown until something is restored".into(),
		};
		format!("{left} fragments, {}{speed}, {time}", self.size(&format!("{of}/bytes_left")))
	}

	/// How far the search for what targets hold is.
	fn finder(&self) -> String {
		let of = |field: &str| self.whole(&format!("/engine/finder/{field}"));
		let pass = if self.is("/engine/finder/scanning") {
			format!("{} of {} segments looked at", of("scanned"), of("total"))
		} else if self.number("/engine/finder/passes").unwrap_or_default() == 0 {
			"has not looked yet".into()
		} else {
			let millis = self.number("/engine/finder/last_pass_millis").unwrap_or_default();
			let seconds = format!("{}.{} s", millis / 1000, millis % 1000 / 100);
			format!("the last pass over {} segments took {seconds}", of("scanned"))
		};
		format!("{} restorable at {} targets; {pass}", of("worklist"), of("targets"))
	}
}

fn node_text(report: &serde_json::Value, network: &NetworkStatus) -> String {
	let read = Reader(report);
	let miner = read.number("/engine/miner").map_or("not registered".into(), |id| id.to_string());
	let endpoint = report.get("endpoint").and_then(serde_json::Value::as_array);
	let endpoint = endpoint.into_iter().flatten().filter_map(serde_json::Value::as_str);
	let throttle = report.pointer("/engine/throttle").cloned().unwrap_or_default();
	let throttle = serde_json::from_value(throttle).map_or("?".into(), Throttle::text);
	let check = report.pointer("/engine/check").cloned().unwrap_or_default();
	let check = serde_json::from_value(check).map_or("?".into(), |check: Check| check.line());
	let mut text = facts(&[
		("miner", miner),
		("endpoint", endpoint.collect::<Vec<_>>().join(", ")),
		("last seen", read.seen(network)),
		("fees", read.funds()),
		("capacity", read.size("/store/capacity")),
		(
			"used",
			format!("{} in {} fragments", read.size("/store/used"), read.whole("/store/fragments")),
		),
		("quarantined", read.size("/store/quarantined")),
		("broken", read.whole("/store/broken")),
		("unconfirmed", read.whole("/engine/unconfirmed")),
		("self-check", check),
		("throttle", throttle),
		("to restore", read.left()),
		("finder", read.finder()),
		(
			"restored",
			format!(
				"{} copied, {} rebuilt, {} by others' help; {}",
				read.whole("/engine/totals/copied"),
				read.whole("/engine/totals/rebuilt"),
				read.whole("/engine/totals/cooperated"),
				read.size("/engine/totals/bytes_restored"),
			),
		),
		("read for it", read.size("/engine/totals/bytes_read")),
		(
			"failures",
			format!(
				"{} sources lied, {} races lost, {} claims declined",
				read.whole("/engine/totals/lies"),
				read.whole("/engine/totals/races_lost"),
				read.whole("/engine/totals/declined"),
			),
		),
	]);
	let files = report.pointer("/engine/files").and_then(serde_json::Value::as_array);
	let mut table = Table::new(&["file", "fragments", "left", "time left"]);
	for file in files.into_iter().flatten() {
		let read = Reader(file);
		let time = read.number("/eta_secs").map_or("?".into(), duration);
		table.row([
			read.whole("/file"),
			read.whole("/fragments_left"),
			read.size("/bytes_left"),
			if read.is("/stalled") { "stalled".into() } else { time },
		]);
	}
	let files = table.render("");
	if !files.is_empty() {
		text.push_str(&format!("\n{files}"));
	}
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

/// The self-check of a node. Times are seconds since the Unix epoch.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Check {
	/// Whether a pass runs that somebody asked for, as fast as it may.
	running: bool,
	passes: u64,
	checked: u64,
	bytes: u64,
	/// What there is to hash.
	bytes_total: u64,
	/// Wrong bytes.
	damaged: u64,
	/// Not to be read.
	unreadable: u64,
	missing: u64,
	/// When this pass is expected to end.
	expected_end: Option<u64>,
	/// The last pass that was finished.
	last: Option<Pass>,
	/// That the disk fails, as the node says it.
	alarm: Option<serde_json::Value>,
}

/// A self-check that was finished.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Pass {
	finished: u64,
	checked: u64,
	bytes: u64,
	damaged: u64,
	unreadable: u64,
}

fn unix_time() -> u64 {
	let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
	now.map(|now| now.as_secs()).unwrap_or_default()
}

impl Check {
	async fn of(node: &Chain) -> Result<Self, ChainError> {
		let report: serde_json::Value = node.rpc("miner_status", &[]).await?;
		let check = report.pointer("/engine/check").cloned().unwrap_or_default();
		serde_json::from_value(check).map_err(|error| ChainError::Incompatible(error.to_string()))
	}

	/// Of this pass, in percent.
	fn share(&self) -> u64 {
		(self.bytes.min(self.bytes_total) * 100).checked_div(self.bytes_total).unwrap_or(100)
	}

	fn bad(&self) -> u64 {
		self.damaged + self.unreadable + self.missing
	}

	/// Why this check does not end, if the disk is failing: then the node waits for somebody to do
	/// something about it.
	fn failing(&self) -> Option<String> {
		let alarm = self.alarm.as_ref()?;
		let error = alarm.get("error").and_then(serde_json::Value::as_str);
		let error = error.map_or_else(|| alarm.to_string(), str::to_owned);
		Some(format!("the disk is failing: see the node's log: {error}"))
	}

	/// Everything in a line.
	fn line(&self) -> String {
		self.line_at(unix_time())
	}

	fn line_at(&self, now: u64) -> String {
		if self.alarm.is_some() {
			return "stopped: THE DISK IS FAILING, see the node's log".into();
		}
		let how = if self.running { "runs" } else { "goes on in the background" };
		let mut text = format!("{how}, {} % done", self.share());
		if let Some(end) = self.expected_end.filter(|end| *end > now) {
			text.push_str(&format!(", {} left", duration(end - now)));
		}
		text.push_str(&format!(
			"; {} damaged, {} unreadable, {} missing",
			self.damaged, self.unreadable, self.missing
		));
		match &self.last {
			Some(last) => text.push_str(&format!(
				"; the last full pass ended {} ago",
				duration(now.saturating_sub(last.finished))
			)),
			None => text.push_str("; no full pass yet"),
		}
		text
	}

	fn text(&self) -> String {
		let verdict = match self.bad() {
			_ if self.alarm.is_some() => "the disk is failing: see the node's log",
			0 => "all fragments are whole and here",
			_ => "the node restores what is bad; see 'planaria miner status --node'",
		};
		let (checked, bytes, damaged, unreadable) = match &self.last {
			Some(last) => (last.checked, last.bytes, last.damaged, last.unreadable),
			None => (self.checked, self.bytes, self.damaged, self.unreadable),
		};
		facts(&[
			("checked", format!("{checked} fragments, {}", Size(bytes))),
			("damaged", damaged.to_string()),
			("unreadable", unreadable.to_string()),
			("missing", self.missing.to_string()),
			("", verdict.into()),
		])
	}
}

async fn check(context: &Context, node: Option<String>, wait: bool) -> anyhow::Result<()> {
	let node = context.node(node.as_deref()).await?;
	let spinner = bars::spinner("the node checks every fragment it stores".into());
	let check = run_check(&node, wait, |check| {
		spinner.set_message(check.line());
		Ok(())
	})
	.await?;
	spinner.finish_and_clear();
	context.printer.print(&check, || if wait { check.text() } else { "the check has begun".into() })
}

/// Starts a check and shows how far it is, until it is done if that is waited for.
async fn run_check(
	node: &Chain,
	wait: bool,
	mut show: impl FnMut(&Check) -> anyhow::Result<()>,
) -> anyhow::Result<Check> {
	const POLL: Duration = Duration::from_millis(500);
	// A failing disk is tried again when a check is asked for: the alarm of before goes then, but the
	// node may show it for a moment.
	const OLD_ALARM: Duration = Duration::from_secs(5);
	let before = Check::of(node).await?;
	let _: bool = node.rpc("miner_check", &[]).await?;
	let asked = Instant::now();
	loop {
		let check = Check::of(node).await?;
		if !wait {
			return Ok(check);
		}
		let may_be_old = check.alarm == before.alarm && asked.elapsed() < OLD_ALARM;
		if let Some(failing) = check.failing().filter(|_| !may_be_old) {
			return Err(anyhow::anyhow!(failing));
		}
		if check.passes > before.passes && !check.running {
			return Ok(check);
		}
		show(&check)?;
		tokio::time::sleep(POLL).await;
	}
}

async fn watch_check(context: &Context, node: Option<String>) -> anyhow::Result<()> {
	let node = context.node(node.as_deref()).await?;
	let mut told = None;
	let done = run_check(&node, true, |check| {
		if told.as_ref() != Some(check) {
			context.printer.line(check, || check.line())?;
			told = Some(check.clone());
		}
		Ok(())
	})
	.await?;
	context.printer.line(&done, || done.text())
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
			audit: AuditStatus::default(),
		}
	}

	#[test]
	fn a_frozen_miner_is_told_to_top_up() {
		let text = text(&miner(), None);
		assert!(text.contains("frozen: top up"), "{text}");
		assert!(text.contains("8 MiB in 1 fragments"));
		let rich = MinerStatus { collateral: 2, ..miner() };
		assert!(!super::text(&rich, None).contains("frozen"));
	}

	fn earnings(earns: bool) -> EarningsStatus {
		let (miner, claimable) = (MinerId(3), 1_500_000_000_000);
		EarningsStatus { miner, earns, bytes: 8 << 20, claimable, per_day: 2_000_000_000_000 }
	}

	#[test]
	fn a_miner_sees_what_it_earns() {
		let shown = text(&miner(), Some(&earnings(true)));
		assert!(shown.contains("1.5 PLAN not claimed; 2 PLAN a day"), "{shown}");
		let shown = text(&miner(), Some(&earnings(false)));
		assert!(shown.contains("1.5 PLAN not claimed; nothing more"), "{shown}");
	}

	#[test]
	fn a_miner_that_failed_audits_is_told_what_comes_next() {
		assert!(text(&miner(), None).contains("no failures"));
		let audit = AuditStatus {
			open: 3,
			strikes: 1,
			level: AuditLevel::Warned,
			next: AuditLevel::Suspended,
			heals_at: Some(28_900),
		};
		let text = text(&MinerStatus { audit, ..miner() }, None);
		for part in ["1 windows", "a warning", "a suspension", "tick 28900", "3 to answer"] {
			assert!(text.contains(part), "{part}: {text}");
		}
	}

	#[test]
	fn a_miner_has_this_json_shape() {
		let (miner, earnings) = (miner(), earnings(true));
		let document = Shown { miner: &miner, earnings: Some(&earnings) };
		let json = serde_json::to_value(document).expect("serialises");
		assert_eq!(json["miner"], 3);
		assert_eq!(json["earnings"]["claimable"], "1500000000000");
		assert_eq!(json["standing"], "serving");
		assert_eq!(json["collateral"], "1");
		assert_eq!(json["audit"]["level"], "clean");
		assert_eq!(json["endpoint_addrs"][0], "127.0.0.1:4410");
	}

	fn network() -> NetworkStatus {
		NetworkStatus {
			height: 9,
			tick: 30,
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

	#[test]
	fn a_nodes_report_is_shown() {
		let report = serde_json::json!({
			"chain": { "last_seen": 20, "standing": "serving" },
			"engine": {
				"miner": 3,
				"unconfirmed": 0,
				"restores": [{
					"name": { "file_id": "00".repeat(32), "file": 7, "segment": 1, "index": 2 },
					"own": false, "phase": "running", "attempts": 1, "error": null,
				}],
				"check": {
					"running": false, "passes": 1, "checked": 5, "bytes": 1024, "bytes_total": 4096,
					"damaged": 1, "unreadable": 0, "missing": 0, "later": true,
				},
				"progress": {
					"fragments_left": 3, "bytes_left": 3072, "rate": 1024, "eta_secs": 3,
					"stalled": false,
				},
				"files": [{ "file": 7, "fragments_left": 3, "bytes_left": 3072, "stalled": true }],
				"finder": {
					"scanning": false, "scanned": 10, "total": 10, "worklist": 4, "targets": 1,
					"passes": 1, "last_pass_millis": 1234,
				},
				"throttle": { "profile": "quiet", "cap": 20_971_520 },
				"totals": {
					"copied": 1, "rebuilt": 0, "cooperated": 2, "bytes_restored": 64,
					"bytes_read": 64, "lies": 0, "races_lost": 5, "declined": 0,
				},
			},
			"store": { "capacity": 1 << 30, "used": 64, "fragments": 1, "quarantined": 0, "broken": 0 },
			"funds": { "account": "5Grw", "free": "500000000000", "low": true },
			"endpoint": ["127.0.0.1:4410"],
		});
		let text = node_text(&report, &network());
		for part in [
			"miner        3",
			"64 B in 1 fragments",
			"running",
			"1 GiB",
			"127.0.0.1:4410",
			"20 s ago; absent in 1 min 40 s",
			"0.5 PLAN at 5Grw (LOW",
			"25 % done",
			"3 fragments, 3 KiB at 1 KiB/s, about 3 s",
			"quiet, at most 20 MiB/s",
			"4 restorable at 1 targets; the last pass over 10 segments took 1.2 s",
			"1 copied, 0 rebuilt, 2 by others' help",
			"stalled",
			"5 races lost",
		] {
			assert!(text.contains(part), "{part:?} is not in\n{text}");
		}
		let empty = node_text(&serde_json::json!({}), &network());
		assert!(empty.contains("not registered"), "{empty}");
	}

	#[test]
	fn a_self_check_tells_damaged_from_unreadable_and_when_it_ends() {
		let check = Check {
			running: true,
			bytes: 1,
			bytes_total: 4,
			damaged: 1,
			unreadable: 2,
			expected_end: Some(160),
			last: Some(Pass { finished: 40, checked: 5, bytes: 1024, ..Pass::default() }),
			..Check::default()
		};
		assert_eq!(
			check.line_at(100),
			"runs, 25 % done, 1 min left; 1 damaged, 2 unreadable, 0 missing; the last full pass \
			 ended 1 min ago"
		);
		assert!(check.text().contains("5 fragments, 1 KiB"));
		assert!(check.text().contains("restores what is bad"));
		let failing = Check { alarm: Some(true.into()), ..check };
		assert!(failing.line_at(100).contains("FAILING"));
		let alarm =
			serde_json::json!({ "since": 90, "error": "could not read /srv/p/fragments/ab" });
		let failing = Check { alarm: Some(alarm), ..failing };
		let told = failing.failing().unwrap_or_default();
		assert!(told.starts_with("the disk is failing: see the node's log"), "{told}");
		assert!(told.ends_with("could not read /srv/p/fragments/ab"), "{told}");
		assert_eq!(Check::default().failing(), None);
		assert_eq!(Check::default().share(), 100);
	}
}
