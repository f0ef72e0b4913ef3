// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is lost is restored: whoever dies, lies, races, or disappears.
//!
//! One network of seven miners serves all tests, in any order. Miner 6 is gone after one of them;
//! the others may use it, but do not need it.

use anyhow::{Context, Result, ensure};
use planaria_primitives::{FragmentId, MinerId};
use planaria_sdk::api::{MinerStanding, OrderStanding, OrderStatus};
use planaria_tests::{Happened, Liar, Network, Node, Shared, content, until, until_some};
use serde_json::{Value, json};
use std::{
	collections::BTreeSet,
	fs,
	io::{Seek, SeekFrom, Write},
	path::PathBuf,
};

const MIB: usize = 1 << 20;

static NETWORK: Shared = Shared::new(23400, 7);

/// The validator: frozen, it keeps the chain where it is.
const VALIDATOR: Node = Node::Validator(0);

/// Runs a test with claims that last longer than a slow machine takes to start a node again.
fn with_network(test: impl FnOnce(&Network) -> Result<()>) -> Result<()> {
	NETWORK.with(|network| {
		network.set_params("Restore", &[("claim_period", 120)])?;
		test(network)
	})
}

/// A fragment of a file.
fn fragment(network: &Network, file: &str, segment: usize, index: u8) -> Result<FragmentId> {
	let segments = network.segments(file)?;
	Ok(FragmentId { segment: segments.get(segment).context("it is stored")?.id, index })
}

/// The order for a fragment, as a node sees it: the validator may be frozen, and a miner that was
/// killed may have lost its last blocks.
fn order_of(
	network: &Network,
	at: impl Into<Node>,
	fragment: FragmentId,
) -> Result<Option<OrderStatus>> {
	let orders = network.ask_at(at, async |view| view.orders().await)?;
	Ok(orders.into_iter().find(|order| order.fragment == fragment))
}

fn claimer(order: &OrderStatus) -> Option<u32> {
	match order.standing {
		OrderStanding::Claimed { by, .. } | OrderStanding::Ready { by, .. } => Some(by.0),
		OrderStanding::Unclaimed => None,
	}
}

/// Waits until somebody has claimed the order for a fragment.
fn until_claimed(network: &Network, at: u32, fragment: FragmentId) -> Result<u32> {
	until_some("the order is claimed", || {
		Ok(order_of(network, at, fragment)?.and_then(|order| claimer(&order)))
	})
}

/// Nobody's claim expired, and nobody paid for a wrong proof, since that block.
fn ensure_nobody_was_punished(network: &Network, since: u32) -> Result<()> {
	let events = network.events(since)?;
	let punished = |event: &&Happened| {
		["Restore.ClaimExpired", "Restore.ReportFailed", "Miners.WrongProofCharged"]
			.contains(&event.name.as_str())
	};
	let punished: Vec<_> = events.iter().filter(punished).collect();
	ensure!(punished.is_empty(), "{punished:?}");
	Ok(())
}

/// What became of a fragment's order since a block: who restored it, and from whom.
fn restored(network: &Network, since: u32, fragment: FragmentId) -> Result<Vec<u32>> {
	let events = network.events(since)?;
	Ok(events
		.iter()
		.filter(|event| {
			event.name == "Restore.FragmentRestored" && event.fragment() == Some(fragment)
		})
		.filter_map(|event| event.fields["to"].as_u64()?.try_into().ok())
		.collect())
}

/// Where a miner keeps its fragments of a file.
fn paths(network: &Network, miner: u32, file: &str) -> Result<Vec<PathBuf>> {
	let stored = network.rpc(miner, "miner_fragments", &json!([null, 256]))?;
	let stored = stored.as_array().context("a list of fragments")?;
	let hashes: Vec<&str> = stored
		.iter()
		.filter(|fragment| fragment["name"]["file"].to_string() == file)
		.filter_map(|fragment| fragment["hash"].as_str())
		.collect();
	ensure!(!hashes.is_empty(), "miner {miner} has nothing of file {file}");
	let files = network.fragment_files(miner)?.into_iter();
	Ok(files.filter(|path| hashes.iter().any(|hash| path.ends_with(hash))).collect())
}

#[test]
fn a_killed_miner_whose_store_is_gone_is_marked_absent_and_what_it_held_regrows() -> Result<()> {
	with_network(|network| {
		let bytes = content(1, 40 * MIB);
		let file = network.put_on(&bytes, "lean", &[0, 1, 2, 3, 4, 5])?;
		let held = |miner: u32| network.fragments_on_chain(miner);
		let mut victim = (0, 0);
		for miner in 0..6 {
			victim = victim.max((held(miner)?, miner));
		}
		let victim = victim.1;
		let since = network.height()?;
		network.kill(victim)?;
		network.wipe(victim)?;
		network.check_get(&file, &bytes)?;

		until("it is marked absent", || {
			network.check_get(&file, &bytes)?;
			Ok(network.targets()?.iter().any(|target| {
				target.miner == MinerId(victim) && target.standing == MinerStanding::Absent
			}))
		})?;
		until("all it held was restored", || {
			network.check_get(&file, &bytes)?;
			Ok(held(victim)? == 0)
		})?;
		network.until_whole(&file)?;
		network.check_get(&file, &bytes)?;
		ensure!(network.segments(&file)?.iter().all(|segment| segment.verdict.is_none()));
		ensure_nobody_was_punished(network, since)?;

		// It comes back with an empty store, and is as good as any.
		network.start(victim)?;
		network.until_serving([victim])
	})
}

/// One fragment of a file is to be restored; whoever claims it is killed at a point, and started
/// again. Returns what it has read since.
fn kill_the_restorer(
	network: &Network,
	file: &str,
	index: u8,
	point: impl Fn(u32, FragmentId) -> Result<bool>,
) -> Result<u64> {
	let fragment = fragment(network, file, 0, index)?;
	for _ in 0..6 {
		let holder = network.holders(file, 0)?[usize::from(index)].context("it has a holder")?;
		let others: Vec<u32> = network.holders(file, 0)?.into_iter().flatten().collect();
		let since = network.height()?;
		network.open_order(holder, fragment)?;
		let by = until_claimed(network, holder, fragment)?;
		ensure!(!others.contains(&by), "a holder claimed another fragment of the segment");
		let hit = point(by, fragment)?;
		network.start(by)?;
		until("the order is done", || Ok(order_of(network, VALIDATOR, fragment)?.is_none()))?;
		network.until_whole(file)?;
		let now = restored(network, since, fragment)?;
		ensure!(now.len() == 1, "restored by {now:?}");
		network.until_serving([by])?;
		if hit && now == [by] {
			return network.total(by, "bytes_read");
		}
		eprintln!("    it was too late for this point, or another took over: once more");
	}
	anyhow::bail!("the restorer was never killed at that point")
}

#[test]
fn a_restorer_killed_at_any_point_goes_on_and_reads_nothing_twice() -> Result<()> {
	with_network(|network| {
		const LEN: u64 = 8 << 20;
		let bytes = content(2, 16 * MIB);
		let file = network.put_on(&bytes, "lean", &[0, 1, 2])?;
		let is_durable = |by: u32| {
			let status = network.status(by)?;
			let restores = status["engine"]["restores"].as_array().cloned().unwrap_or_default();
			Ok(restores.iter().any(|restore| restore["phase"] == "durable"))
		};

		eprintln!("  before it has fetched");
		let read = kill_the_restorer(network, &file, 0, |by, _| {
			// Nothing is read meanwhile, however fast it is.
			network.kill(by)?;
			Ok(true)
		})?;
		// A copy, or one decode of two.
		ensure!(read <= 2 * LEN, "{read} bytes were read");

		eprintln!("  when it is durable, before it is ready");
		let read = kill_the_restorer(network, &file, 1, |by, fragment| {
			network.pause(VALIDATOR)?;
			// Its own node must have seen the claim before the chain stands still.
			let order = order_of(network, by, fragment)?.map(|order| order.standing);
			let early = matches!(order, Some(OrderStanding::Claimed { .. }));
			if early {
				until("the fragment is durable", || is_durable(by))?;
			}
			network.kill(by)?;
			network.resume(VALIDATOR)?;
			Ok(early)
		})?;
		ensure!(read == 0, "{read} bytes were read again");

		eprintln!("  when it is ready, before it has reported");
		let read = kill_the_restorer(network, &file, 2, |by, fragment| {
			let ready = until_some("the fragment is ready, or done", || {
				let order = order_of(network, VALIDATOR, fragment)?.map(|order| order.standing);
				Ok(match order {
					Some(OrderStanding::Ready { .. }) => Some(true),
					Some(_) => None,
					None => Some(false),
				})
			})?;
			network.kill(by)?;
			Ok(ready)
		})?;
		ensure!(read == 0, "{read} bytes were read again");
		network.check_get(&file, &bytes)
	})
}

#[test]
fn a_source_with_damaged_fragments_is_passed_over_and_heals() -> Result<()> {
	with_network(|network| {
		let bytes = content(3, 16 * MIB);
		// Miner 1 is the only one whose store is damaged; 2+2 can spare two of four.
		let file = network.put_on(&bytes, "2+2", &[0, 1, 2, 3])?;
		let holders = network.holders(&file, 0)?;
		let index = |miner: u32| holders.iter().position(|holder| *holder == Some(miner));
		let lost = fragment(network, &file, 0, u8::try_from(index(0).context("0 holds one")?)?)?;
		let damaged = paths(network, 1, &file)?;
		for path in &damaged {
			let mut fragment = fs::OpenOptions::new().write(true).open(path)?;
			fragment.seek(SeekFrom::Start(5000))?;
			fragment.write_all(b"garbage")?;
		}
		// With two holders down, a restorer needs the damaged one and cannot be helped.
		network.kill(0)?;
		network.kill(3)?;
		network.open_order(0, lost)?;
		until("the damage is found", || Ok(network.status(1)?["store"]["broken"] != 0))?;
		ensure!(restored(network, 1, lost)?.is_empty(), "restored out of damaged fragments");
		network.start(3)?;
		until("the order is done", || Ok(order_of(network, 3, lost)?.is_none()))?;
		until("the damaged store is whole again", || {
			let status = network.status(1)?;
			Ok(status["store"]["broken"] == 0 && status["store"]["quarantined"] != 0)
		})?;
		for path in damaged {
			let hash = blake3::hash(&fs::read(&path)?).to_hex();
			let name = path.file_name().and_then(|name| name.to_str());
			ensure!(name == Some(hash.as_str()), "a fragment is not what its name says");
		}
		network.check_get(&file, &bytes)?;
		network.start(0)?;
		network.until_serving([0, 1, 3])
	})
}

#[test]
fn a_liar_is_caught_and_counted_and_the_others_are_asked() -> Result<()> {
	with_network(|network| {
		let bytes = content(4, 16 * MIB);
		let file = network.put_on(&bytes, "2+2", &[0, 1, 2, 3])?;
		let holders = network.holders(&file, 0)?;
		let index = |miner: u32| holders.iter().position(|holder| *holder == Some(miner));
		let lost = fragment(network, &file, 0, u8::try_from(index(0).context("0 holds one")?)?)?;
		network.kill(0)?;
		network.kill(1)?;
		network.kill(3)?;
		let lies = |network: &Network| {
			let mut lies = 0;
			for miner in network.miners().filter(|miner| network.runs(*miner)) {
				lies += network.total(miner, "lies")?;
			}
			Ok::<_, anyhow::Error>(lies)
		};
		let before = lies(network)?;
		let liar = Liar::in_place_of(network, 1, &file, &bytes)?;
		network.open_order(0, lost)?;
		liar.until_asked()?;
		until("the lie is counted", || Ok(lies(network)? > before))?;
		ensure!(restored(network, 1, lost)?.is_empty(), "restored out of lies");
		network.start(3)?;
		// A reader is not deceived either.
		network.check_get(&file, &bytes)?;
		until("the order is done", || Ok(order_of(network, 3, lost)?.is_none()))?;
		drop(liar);
		network.start(0)?;
		network.start(1)?;
		network.until_serving([0, 1, 3])?;
		network.until_whole(&file)?;
		network.check_get(&file, &bytes)
	})
}

#[test]
fn of_two_who_claim_at_once_one_wins_and_nobody_is_punished() -> Result<()> {
	with_network(|network| {
		let bytes = content(5, MIB);
		let since = network.height()?;
		let mut before = Vec::new();
		for miner in network.miners() {
			before.push(network.miner(miner)?.collateral);
		}
		let mut lost = Vec::new();
		for round in 0..12u8 {
			let file = network.put_on(&bytes, "copies:2", &[0, 1])?;
			let wanted = fragment(network, &file, 0, round % 2)?;
			let holder = network.holders(&file, 0)?[usize::from(round % 2)];
			network.open_order(holder.context("it has a holder")?, wanted)?;
			until("the order is done", || Ok(order_of(network, 0, wanted)?.is_none()))?;
			network.until_whole(&file)?;
			network.check_get(&file, &bytes)?;
			let events = network.events(since)?;
			lost = events
				.into_iter()
				.filter(|event| event.error.as_deref() == Some("Restore.AlreadyClaimed"))
				.collect();
			if !lost.is_empty() {
				break;
			}
		}
		ensure!(!lost.is_empty(), "nobody ever raced");
		eprintln!("    lost races: {}", lost.len());
		ensure_nobody_was_punished(network, since)?;
		// The holders pay for what they said they do not have.
		for (miner, before) in network.miners().zip(before).filter(|(miner, _)| *miner > 1) {
			ensure!(network.miner(miner)?.collateral == before, "miner {miner} paid something");
		}
		Ok(())
	})
}

#[test]
fn a_claim_that_expires_costs_and_is_claimed_by_another() -> Result<()> {
	with_network(|network| {
		let bytes = content(6, 4 * MIB);
		let file = network.put_on(&bytes, "lean", &[0, 1, 2])?;
		let wanted = fragment(network, &file, 0, 0)?;
		let holder = network.holders(&file, 0)?[0].context("it has a holder")?;
		let period = network.clock()?.claim_period;
		network.set_params("Restore", &[("claim_period", 12)])?;
		let since = network.height()?;
		network.open_order(holder, wanted)?;
		let first = until_claimed(network, holder, wanted)?;
		network.pause(first)?;
		let before = network.miner(first)?.collateral;
		let expired = until_some("the claim has expired", || {
			Ok(network.events(since)?.into_iter().find(|event| {
				event.name == "Restore.ClaimExpired" && event.fragment() == Some(wanted)
			}))
		})?;
		network.set_params("Restore", &[("claim_period", period.into())])?;
		ensure!(expired.is("by", first), "{expired:?}");
		let penalty: u128 = number(&expired.fields["penalty"]).context("a penalty")?.into();
		ensure!(penalty > 0, "{expired:?}");
		ensure!(network.miner(first)?.collateral == before - penalty, "the penalty was not taken");
		until("another has restored it", || {
			let by = restored(network, since, wanted)?;
			ensure!(!by.contains(&first), "who is banned restored it");
			Ok(!by.is_empty())
		})?;
		network.resume(first)?;
		network.until_serving([first])?;
		network.until_whole(&file)?;
		network.check_get(&file, &bytes)
	})
}

/// A number, which is text where JSON's are too short.
fn number(value: &Value) -> Option<u64> {
	value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[test]
fn what_a_leaving_miner_takes_along_half_way_is_rebuilt_and_it_disconnects() -> Result<()> {
	with_network(|network| {
		const LEAVER: u32 = 6;
		let bytes = content(7, 96 * MIB);
		let file = network.put_on(&bytes, "lean", &[4, 5, LEAVER])?;
		// One at a time, so that there is a half of the way.
		network.set_params("Miners", &[("max_claims", 1)])?;
		let held = network.fragments_on_chain(LEAVER)?;
		let since = network.height()?;
		let totals = |name: &str| {
			let mut sum = 0;
			for miner in network.miners().filter(|miner| *miner != LEAVER) {
				sum += network.total(miner, name)?;
			}
			Ok::<_, anyhow::Error>(sum)
		};
		let (copied, rebuilt) = (totals("copied")?, totals("rebuilt")?);
		network.planaria(&["miner", "exit", "--stash", &format!("//Miner/{LEAVER}")])?;
		until("a part of it has moved", || Ok(network.fragments_on_chain(LEAVER)? < held))?;
		network.kill(LEAVER)?;
		network.wipe(LEAVER)?;
		let left = network.fragments_on_chain(LEAVER)?;
		ensure!(left > 0, "all of it had moved already");
		network.set_params("Miners", &[("max_claims", 256)])?;
		network.check_get(&file, &bytes)?;
		until("the rest has new holders", || Ok(network.fragments_on_chain(LEAVER)? == 0))?;
		ensure!(totals("copied")? > copied, "nothing was copied");
		ensure!(totals("rebuilt")? > rebuilt, "nothing was rebuilt");
		network.until_whole(&file)?;
		network.check_get(&file, &bytes)?;
		until("it is disconnected", || {
			Ok(network.miner(LEAVER)?.standing == MinerStanding::Departed)
		})?;
		ensure!(network.targets()?.is_empty(), "it is still a target");
		let events = network.events(since)?;
		ensure!(
			events
				.iter()
				.any(|event| { event.name == "Miners.Disconnected" && event.is("miner", LEAVER) })
		);
		ensure_nobody_was_punished(network, since)
	})
}

#[test]
fn no_duty_call_is_accepted_twice() -> Result<()> {
	with_network(|network| {
		// So that there is one of each kind, whatever ran before.
		let bytes = content(8, MIB);
		let file = network.put_on(&bytes, "lean", &[0, 1, 2])?;
		let wanted = fragment(network, &file, 0, 0)?;
		network.open_order(network.holders(&file, 0)?[0].context("a holder")?, wanted)?;
		until("the order is done", || Ok(order_of(network, 0, wanted)?.is_none()))?;
		let duties = until_some("every kind of duty was done", || {
			let duties = network.duties()?;
			let kinds: BTreeSet<_> = duties.iter().map(|duty| duty.call.as_str()).collect();
			// What was confirmed is challenged.
			let all = [
				"Audit.answer",
				"Files.confirm",
				"Miners.alive",
				"Restore.ready",
				"Restore.report",
			];
			ensure!(kinds.iter().all(|kind| all.contains(kind)), "{kinds:?}");
			Ok((kinds.len() == all.len()).then_some(duties))
		})?;
		eprintln!("    {} duty calls", duties.len());
		for duty in &duties {
			let hex = format!("0x{}", hex::encode(&duty.bytes));
			// What the runtime says of it, and what a node's pool that has seen it does.
			let outcome = network.dry_run(&duty.bytes)?;
			ensure!(outcome.first() == Some(&1), "{} would be applied: {outcome:?}", duty.call);
			for node in [VALIDATOR, Node::Miner(0)] {
				let answer = network.rpc_raw(node, "author_submitExtrinsic", &json!([hex]))?;
				ensure!(answer.get("error").is_some(), "{} was taken: {answer}", duty.call);
			}
		}
		let from = network.height()?;
		until("three more blocks", || Ok(network.height()? >= from + 3))?;
		let now = network.duties()?;
		for duty in &duties {
			let times = now.iter().filter(|other| other.bytes == duty.bytes).count();
			ensure!(times == 1, "{} is in {times} blocks", duty.call);
		}
		Ok(())
	})
}
