// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::SpaceCommand,
	context::{Context, Receipt},
	exit,
	output::{Table, duration, facts},
};
use planaria_sdk::{
	AccountId32, Included,
	api::{NetworkStatus, SpacePhase, SpaceStatus, SpaceTerms},
	chain::{Call, calls},
	primitives::Tick,
	units::{Amount, Size},
};
use serde::Serialize;
use std::time::Duration;

pub async fn run(context: &Context, command: SpaceCommand) -> anyhow::Result<()> {
	match command {
		SpaceCommand::Show { owner } => show(context, owner).await,
		SpaceCommand::Quote { bytes, time } => quote(context, bytes, time.into()).await,
		SpaceCommand::Buy { bytes, time } => {
			let ticks = ticks(&network(context).await?, time.into())?;
			pay(context, calls::buy(bytes.0, ticks), "Bought").await
		},
		SpaceCommand::Grow { bytes } => pay(context, calls::grow(bytes.0), "Grown").await,
		SpaceCommand::Renew { time } => {
			let ticks = ticks(&network(context).await?, time.into())?;
			pay(context, calls::renew(ticks), "Renewed").await
		},
		SpaceCommand::Authorise { operator, bytes, time } => {
			let network = network(context).await?;
			let until = network.tick.saturating_add(ticks(&network, time.into())?);
			sign(context, calls::authorise(&operator, bytes.0, until)).await
		},
		SpaceCommand::Revoke { operator } => sign(context, calls::revoke(&operator)).await,
		SpaceCommand::Close => sign(context, calls::close_space()).await,
	}
}

async fn network(context: &Context) -> anyhow::Result<NetworkStatus> {
	Ok(context.view().await?.network().await?)
}

/// At least so long, in ticks of a healthy chain.
fn ticks(network: &NetworkStatus, time: Duration) -> anyhow::Result<Tick> {
	let ticks = time.as_millis().div_ceil(network.slot_millis.max(1).into());
	Tick::try_from(ticks).map_err(|_| exit::usage("that is more time than there is"))
}

/// How long so many ticks take on a healthy chain.
fn time(network: &NetworkStatus, ticks: Tick) -> String {
	duration(u64::from(ticks).saturating_mul(network.slot_millis) / 1_000)
}

async fn submit(context: &Context, call: &Call) -> anyhow::Result<Included> {
	let secret = context.secret()?;
	context.submit(context.chain().await?, secret, call).await
}

async fn sign(context: &Context, call: Call) -> anyhow::Result<()> {
	let included = submit(context, &call).await?;
	let block = included.block.number;
	context.printer.print(&Receipt::new(&call, &included), || format!("{call} is in block {block}"))
}

/// A purchase that succeeded.
#[derive(Debug, Serialize)]
struct Paid {
	/// In the token's smallest parts.
	paid: String,
	/// The space as it is now.
	space: Option<SpaceStatus>,
	#[serde(flatten)]
	receipt: Receipt,
}

async fn pay(context: &Context, call: Call, event: &str) -> anyhow::Result<()> {
	let owner = context.secret()?.account();
	let included = submit(context, &call).await?;
	let paid = included.amount("Space", event, "paid")?;
	let view = context.view().await?;
	let (space, network) = (view.space(&owner).await?, view.network().await?);
	let text = space.as_ref().map(|space| text(space, &network)).unwrap_or_default();
	let receipt = Receipt::new(&call, &included);
	let document = Paid { paid: paid.to_string(), space, receipt };
	context.printer.print(&document, || format!("paid {}\n{text}", Amount(paid)))
}

/// What so much space would cost.
#[derive(Debug, Serialize)]
struct Quoted {
	bytes: u64,
	ticks: Tick,
	/// In the token's smallest parts.
	price: String,
	terms: SpaceTerms,
}

async fn quote(context: &Context, bytes: Size, length: Duration) -> anyhow::Result<()> {
	let view = context.view().await?;
	let network = view.network().await?;
	let terms = view.space_terms().await?;
	let ticks = ticks(&network, length)?;
	let price = view.quote(bytes.0, ticks).await?;
	let price = price.ok_or_else(|| exit::usage("no amount is that high"))?;
	let document = Quoted { bytes: bytes.0, ticks, price: price.to_string(), terms };
	context.printer.print(&document, || {
		facts(&[
			("space", format!("{bytes} for {}", time(&network, ticks))),
			("price", Amount(price).to_string()),
			("deposit", format!("{}, returned", Amount(terms.deposit))),
			("grace", format!("{} at the end, for what is stored", time(&network, terms.grace))),
			(
				"sold",
				format!(
					"{} to {}, for up to {}",
					Size(terms.min_bytes),
					Size(terms.max_bytes),
					time(&network, terms.max_ticks)
				),
			),
		])
	})
}

async fn show(context: &Context, owner: Option<AccountId32>) -> anyhow::Result<()> {
	let owner = context.account_or(owner)?;
	let view = context.view().await?;
	let network = view.network().await?;
	let missing = || exit::not_found(format!("{owner} has no space; see 'planaria space buy'"));
	let space = view.space(&owner).await?.ok_or_else(missing)?;
	context.printer.print(&space, || text(&space, &network))
}

fn text(space: &SpaceStatus, network: &NetworkStatus) -> String {
	let left = |until: Tick| time(network, until.saturating_sub(network.tick));
	let state = match space.phase {
		SpacePhase::Open => format!("open: files can be stored for {}", left(space.open_until)),
		SpacePhase::Grace => format!(
			"GRACE: nothing new can be stored, and all files are removed in {}; renew it",
			left(space.until)
		),
		SpacePhase::Lapsed => "LAPSED: its files are being removed".into(),
	};
	let free = space.bytes.saturating_sub(space.used).saturating_sub(space.reserved);
	let mut shown = facts(&[
		("owner", space.owner.to_string()),
		("state", state),
		("space", Size(space.bytes).to_string()),
		("used", Size(space.used).to_string()),
		("reserved", format!("{} by storage orders that run", Size(space.reserved))),
		("free", Size(free).to_string()),
		("paid for", format!("{}, until tick {}", left(space.until), space.until)),
		("left", format!("{} of what was paid", Amount(space.left))),
		("deposit", Amount(space.deposit).to_string()),
	]);
	if !space.operators.is_empty() {
		let mut table = Table::new(&["operator", "may still order", "for"]);
		for operator in &space.operators {
			let bytes = Size(operator.bytes).to_string();
			table.row([operator.operator.to_string(), bytes, left(operator.until)]);
		}
		shown.push_str("\n\n");
		shown.push_str(&table.render(""));
	}
	shown
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::api::OperatorStatus;

	fn network() -> NetworkStatus {
		NetworkStatus {
			height: 9,
			tick: 100,
			running: true,
			slot_millis: 6_000,
			claim_period: 600,
			absent_after: 1_200,
			absent_max: 43_200,
			braked: false,
			miners: 4,
			files_ever: 0,
			segments_ever: 0,
		}
	}

	fn space(phase: SpacePhase) -> SpaceStatus {
		SpaceStatus {
			owner: AccountId32::new([1; 32]),
			bytes: 10 << 30,
			reserved: 1 << 30,
			used: 2 << 30,
			phase,
			open_until: 14_500,
			until: 28_900,
			price: 231_481_481,
			left: 3_000_000_000_000,
			deposit: 40_000_000_000,
			operators: vec![OperatorStatus {
				operator: AccountId32::new([2; 32]),
				bytes: 5 << 30,
				until: 700,
			}],
		}
	}

	#[test]
	fn a_time_is_at_least_as_long_in_ticks() {
		let network = network();
		let ticks = |millis| ticks(&network, Duration::from_millis(millis)).ok();
		assert_eq!([0, 1, 6_000, 6_001].map(ticks), [Some(0), Some(1), Some(1), Some(2)]);
		assert_eq!(ticks(u64::MAX), None);
		assert_eq!(time(&network, 14_400), "1 d");
	}

	#[test]
	fn a_space_says_what_can_be_done_with_it() {
		let shown = text(&space(SpacePhase::Open), &network());
		assert!(shown.contains("stored for 1 d") && shown.contains("free      7 GiB"), "{shown}");
		assert!(shown.contains("5 GiB") && shown.contains("1 h"), "{shown}");
		let shown = text(&space(SpacePhase::Grace), &network());
		assert!(shown.contains("removed in 2 d") && shown.contains("renew"), "{shown}");
		assert!(text(&space(SpacePhase::Lapsed), &network()).contains("LAPSED"));
	}

	#[test]
	fn the_json_has_this_shape() {
		let json = serde_json::to_value(space(SpacePhase::Grace)).expect("serialises");
		assert_eq!((&json["phase"], &json["left"]), (&"grace".into(), &"3000000000000".into()));
		assert_eq!((&json["used"], &json["until"]), (&(2u64 << 30).into(), &28_900.into()));
		assert_eq!(json["operators"][0]["bytes"], 5u64 << 30);
	}
}
