// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A miner that leaves does not work against that.

use super::world::{ME, World};
use crate::{EngineConfig, Totals};
use planaria_primitives::{MinerId, THIN_SPARE, mailbox::JobKind};
use planaria_runtime_api::MinerStanding;
use planaria_store::FragmentStore;
use planaria_transfer::Verdict;
use std::time::Duration;

/// Takes what this miner holds over.
const TAKER: MinerId = MinerId(5);

#[tokio::test(start_paused = true)]
async fn what_others_are_to_take_over_is_proven_and_otherwise_left_alone() {
	let world = World::new(2, 2, 3);
	world.leave(ME);
	world.open_order(&world.name(0, 0));
	world.claim(&world.name(1, 0), TAKER);
	let engine = world.start();
	world.pass(EngineConfig::default().compare_every * 3).await;
	let status = engine.status();
	assert_eq!((status.miner, status.totals), (Some(ME), Totals::default()));
	assert!(status.restores.is_empty() && world.done().healed.is_empty());
	assert!(!status.check.running && status.check.last.is_none());
	for segment in 0..3 {
		let name = world.name(segment, 0);
		let job = JobKind::Prove { fragment: world.id(&name), name, chunk: 1 };
		world.want(vec![job.into()]);
		world
			.until("it is proven", || {
				world.proofs().iter().any(|item| item.fragment == world.id(&name))
			})
			.await;
	}
}

#[tokio::test(start_paused = true)]
async fn an_order_is_cancelled_only_where_too_little_is_present() {
	for (standing, spare, cancelled) in [
		(MinerStanding::Leaving, -1, true),
		(MinerStanding::Leaving, 0, false),
		(MinerStanding::Expelled, -1, false),
	] {
		let world = World::new(2, 1, 1);
		let name = world.name(0, 0);
		let engine = world.start();
		world.until("a first look", || engine.status().miner == Some(ME)).await;
		// It was opened before, and would have been cancelled.
		world.silence(MinerId(1), true);
		world.silence(MinerId(2), true);
		world.lose(ME, &name);
		world.serve_lost(&name);
		world.until("it is given up", || world.done().broken == [world.id(&name)]).await;
		world.open_order(&name);
		world.stand(ME, standing);
		world.set_spare(0, spare);
		world.silence(MinerId(1), false);
		world.silence(MinerId(2), false);
		world.until("it is whole again", || world.is_whole(ME, &name)).await;
		world.pass(EngineConfig::default().compare_every * 2).await;
		let healed = world.done().healed;
		assert_eq!(healed.len(), usize::from(cancelled), "{standing:?}, {spare}");
		healed.iter().for_each(|healed| world.verify_cancel(&name, healed));
		world.stop().await;
	}
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_is_left_to_others_once_its_order_is_open_and_it_is_not_thin() {
	let world = World::new(2, 2, 3);
	let [alone, taken, thin] = [0, 1, 2].map(|segment| world.name(segment, 0));
	world.leave(ME);
	[alone, taken, thin].iter().for_each(|name| world.lose(ME, name));
	world.claim(&taken, TAKER);
	world.claim(&thin, TAKER);
	world.set_spare(2, THIN_SPARE);
	let engine = world.start();
	world
		.until("the others are whole again", || {
			world.is_whole(ME, &alone) && world.is_whole(ME, &thin)
		})
		.await;
	// However it is found out.
	world.serve_lost(&taken);
	world.pass(EngineConfig::default().compare_every * 2).await;
	assert!(world.store(ME).entry(&taken).expect("store").is_none());
	let status = engine.status();
	assert_eq!((status.totals.rebuilt, status.check.missing), (2, 0));
	let done = world.done();
	assert!(status.restores.is_empty() && done.broken.is_empty() && done.healed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_expelled_restores_only_what_is_thin() {
	let world = World::new(2, 2, 2);
	let (thick, thin) = (world.name(0, 0), world.name(1, 0));
	world.stand(ME, MinerStanding::Expelled);
	world.lose(ME, &thick);
	world.lose(ME, &thin);
	world.set_spare(1, THIN_SPARE);
	let engine = world.start();
	world.until("it is whole again", || world.is_whole(ME, &thin)).await;
	world.pass(EngineConfig::default().compare_every * 2).await;
	assert!(world.store(ME).entry(&thick).expect("store").is_none());
	assert_eq!(engine.status().totals.rebuilt, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_is_discarded_and_nothing_else_comes_of_it() {
	let world = World::new(2, 2, 2);
	let name = world.name(0, 0);
	world.leave(ME);
	world.claim(&name, TAKER);
	let engine = world.start();
	world.until("a first look", || engine.status().miner == Some(ME)).await;
	world.hand_over(&name, TAKER);
	let config = EngineConfig::default();
	world.pass(config.compare_every * 2).await;
	assert!(world.is_whole(ME, &name), "the grace period is not over");
	world.pass(config.discard_after * 2).await;
	assert!(world.store(ME).entry(&name).expect("store").is_none());
	let status = engine.status();
	assert_eq!(status.totals, Totals { discarded: 1, ..Totals::default() });
	assert!(status.check.last.is_none() && status.restores.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_taken_of_what_was_placed_before() {
	let world = World::new(2, 1, 2);
	let (sent, unsent) = (world.name(0, 0), world.name(1, 0));
	[sent, unsent].iter().for_each(|name| world.unconfirm(name));
	world.lose(ME, &unsent);
	let engine = world.start();
	world.until("a first look", || engine.status().miner == Some(ME)).await;
	for name in [&sent, &unsent] {
		assert!(matches!(world.offered(name).await, Verdict::Assigned(_)));
	}
	for standing in [MinerStanding::Leaving, MinerStanding::Expelled] {
		world.stand(ME, standing);
		assert_eq!(world.offered(&unsent).await, Verdict::Full);
		// That was acknowledged.
		assert_eq!(world.offered(&sent).await, Verdict::Have);
		world.pass(Duration::from_secs(5)).await;
		assert_eq!(world.done().stored, [world.id(&sent)]);
	}
	// One of its own can still be brought back.
	world.confirm(&unsent);
	assert!(matches!(world.offered(&unsent).await, Verdict::Assigned(_)));
	world.unconfirm(&unsent);
	world.stand(ME, MinerStanding::Departed);
	for name in [&sent, &unsent] {
		assert_eq!(world.offered(name).await, Verdict::Full);
	}
}
