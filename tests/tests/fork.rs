// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A network that is cut in two and grows together again.

use anyhow::{Result, ensure};
use planaria_sdk::{api::FileLife, chain::calls, primitives::FileIndex};
use planaria_tests::{Network, Node, content, until};
use std::{thread::sleep, time::Duration};

/// Alice and Bob stay with two miners.
const WINNERS: [Node; 2] = [Node::Validator(0), Node::Validator(1)];
/// Charlie and Dave are cut off with the two others.
const LOSERS: [Node; 2] = [Node::Validator(2), Node::Validator(3)];
const CUT_OFF: [u32; 2] = [2, 3];

/// How long a miner keeps what the chain no longer assigns to it, on local networks, after a
/// comparison with the chain, which takes place that often, has found it; and some more.
const GRACE: Duration = Duration::from_secs(20 + 30 + 10);

#[test]
fn a_delete_on_the_losing_side_of_a_fork_loses_nothing() -> Result<()> {
	let network = Network::with_validators(25600, 4, 4)?;
	let bytes = content(31, 40 << 20);
	let file = network.put(&bytes, "lean")?;
	let index = FileIndex(file.parse()?);
	let height = |node: Node| network.ask_at(node, async |view| Ok(view.block().number));
	let finalized = |node: Node| -> Result<u32> {
		let chain = network.chain_at(node)?;
		Ok(network.block_on(chain.finalized())?.number)
	};
	let stored =
		|| network.miners().map(|miner| network.fragment_files(miner)).collect::<Result<Vec<_>>>();
	let before = stored()?;

	let cut_off: Vec<Node> =
		LOSERS.into_iter().chain(CUT_OFF.into_iter().map(Node::Miner)).collect();
	for node in &cut_off {
		network.stop(*node)?;
	}
	network.start_apart(&cut_off)?;
	let cut_at = height(LOSERS[0])?;
	// The transaction is bound to a block that only this side has.
	until("both sides go on", || {
		Ok(height(LOSERS[0])? > cut_at + 8 && height(WINNERS[0])? > cut_at + 8)
	})?;
	ensure!(
		network.chain_block(LOSERS[0], cut_at + 3)?
			!= network.chain_block(WINNERS[0], cut_at + 3)?
	);
	let ahead = network.chain_block(WINNERS[0], cut_at + 3)?;
	ensure!(finalized(LOSERS[0])? <= cut_at, "two of four validators finalized something");

	network.submit_at(LOSERS[0], "//Alice", &calls::delete(index))?;
	let life = |node: Node| network.ask_at(node, async |view| view.file(index).await);
	let gone = |node: Node| {
		Ok::<_, anyhow::Error>(life(node)?.is_none_or(|file| file.state == FileLife::Deleting))
	};
	for miner in CUT_OFF {
		until("the delete is seen there", || gone(Node::Miner(miner)))?;
	}
	ensure!(!gone(WINNERS[0])?, "the delete crossed the cut");
	network.check_get(&file, &bytes)?;
	// A time that is long enough for an engine that forgets to look at finalized state.
	sleep(GRACE);
	ensure!(stored()? == before, "fragments were discarded for a delete that is not final");

	// The winners get ahead, then all are one network again.
	for node in LOSERS {
		network.stop(node)?;
	}
	let lost_at = height(Node::Miner(CUT_OFF[0]))?;
	// Far ahead: of two chains the best has more blocks of primary slots, not simply more blocks.
	until("the other side is ahead", || Ok(height(WINNERS[0])? > lost_at + 20))?;
	for miner in CUT_OFF {
		network.stop(miner)?;
	}
	for node in &cut_off {
		network.start(*node)?;
	}
	until("all are on one chain, which is final beyond the fork", || {
		let final_at = finalized(WINNERS[0])?;
		let block = network.chain_block(WINNERS[0], final_at)?;
		let mut one = final_at > lost_at;
		for node in &cut_off {
			one &= finalized(*node)? >= final_at && network.chain_block(*node, final_at)? == block;
		}
		Ok(one)
	})?;
	ensure!(
		network.chain_block(WINNERS[0], cut_at + 3)? == ahead,
		"the chain with the delete is the best: nothing was lost"
	);
	ensure!(!gone(WINNERS[0])?, "the delete was applied again after the fork");
	network.until_serving(network.miners())?;
	network.until_whole(&file)?;
	sleep(GRACE);
	ensure!(stored()? == before, "fragments were discarded after the fork");
	for miner in network.miners() {
		ensure!(network.total(miner, "discarded")? == 0, "miner {miner} discarded something");
	}
	network.check_get(&file, &bytes)
}
