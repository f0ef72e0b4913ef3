// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{args::ChainCommand, context::Context, output::facts};
use planaria_sdk::{api::NetworkStatus, chain::Block};
use serde::Serialize;

pub async fn run(context: &Context, command: ChainCommand) -> anyhow::Result<()> {
	match command {
		ChainCommand::Info => info(context).await,
	}
}

/// The chain, its blocks and its clock.
#[derive(Debug, Serialize)]
struct Info {
	url: String,
	genesis: String,
	runtime: u32,
	best: Block,
	finalized: Block,
	miners: usize,
	network: NetworkStatus,
}

async fn info(context: &Context) -> anyhow::Result<()> {
	let chain = context.chain().await?;
	let finalized = chain.finalized().await?;
	let view = chain.view().await?;
	let genesis = chain.block(0).await?.map(|block| format!("{:?}", block.hash));
	let info = Info {
		url: chain.url().into(),
		genesis: genesis.unwrap_or_default(),
		runtime: chain.runtime_version().await?,
		best: view.block(),
		finalized,
		miners: view.miners().await?.len(),
		network: view.network().await?,
	};
	context.printer.print(&info, || {
		let network = &info.network;
		let clock = if network.running { "runs" } else { "stands still" };
		let seconds = |ticks: u32| {
			let millis = u64::from(ticks).saturating_mul(network.slot_millis);
			format!("{ticks} ticks, about {} s", millis / 1000)
		};
		facts(&[
			("node", info.url.clone()),
			("genesis", info.genesis.clone()),
			("runtime", info.runtime.to_string()),
			("best block", info.best.number.to_string()),
			("finalized", info.finalized.number.to_string()),
			("tick", format!("{} (the clock {clock})", network.tick)),
			("slot", format!("{} ms", network.slot_millis)),
			("a claim lasts", seconds(network.claim_period)),
			("absent after", seconds(network.absent_after)),
			("miners", info.miners.to_string()),
			("files ever", network.files_ever.to_string()),
			("segments ever", network.segments_ever.to_string()),
		])
	})
}
