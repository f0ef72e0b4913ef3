// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The whole engine over a chain, a transport and stores in memory, with a paused clock.

mod world;

use crate::{EngineConfig, Heads, RestorePhase};
use planaria_primitives::{
	FragmentName, MinerId,
	mailbox::{Job, JobKind},
};
use planaria_store::{FragmentStore, FragmentStoreExt, Verdict};
use std::time::Duration;
use world::{ME, World};

#[tokio::test(start_paused = true)]
async fn a_damaged_and_a_missing_own_fragment_are_found_and_healed() {
	let world = World::new(2, 1, 3);
	let damaged = world.name(0, 0);
	let missing = world.name(1, 0);
	world.corrupt(ME, &damaged);
	world.lose(ME, &missing);
	let engine = world.start();
	engine.check();
	world
		.until("both are whole again", || {
			world.is_whole(ME, &damaged) && world.is_whole(ME, &missing)
		})
		.await;
	world.until("nothing is left to do", || engine.status().restores.is_empty()).await;
	let status = engine.status();
	assert_eq!(status.totals.rebuilt, 2);
	assert_eq!(status.check.damaged, 1);
	assert_eq!(world.done().broken, []);
	let hash = world.hash(&damaged);
	assert!(matches!(world.store(ME).verify(&hash), Ok(Verdict::Whole)));
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_found_when_it_is_asked_for() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	let engine = world.start();
	world.until("the first look is over", || engine.status().miner == Some(ME)).await;
	world.corrupt(ME, &name);
	world.serve_damaged(&name);
	world.until("it is healed", || world.is_whole(ME, &name)).await;
}

#[tokio::test(start_paused = true)]
async fn too_few_sources_open_an_order_and_healing_later_cancels_it() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	world.lose(ME, &name);
	world.silence(MinerId(1), true);
	let engine = world.start();
	world.until("it is given up", || world.done().broken == [world.id(&name)]).await;
	assert_eq!(engine.status().restores[0].phase, RestorePhase::GivenUp);
	world.open_order(&name);
	world.silence(MinerId(1), false);
	world.until("the order is to be cancelled", || !world.done().healed.is_empty()).await;
	let healed = world.done().healed.remove(0);
	world.verify_cancel(&name, &healed);
	assert!(world.is_whole(ME, &name));
	world.close_order(&name);
	world.until("the chain knows", || world.done().healed.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_store_opens_the_order_at_once() {
	let world = World::full(2, 1);
	let name = world.name(0, 0);
	// The quarantined bytes will leave no room for the replacement.
	world.corrupt(ME, &name);
	let engine = world.start();
	engine.check();
	world.until("it is given up", || world.done().broken == [world.id(&name)]).await;
	assert_eq!(engine.status().restores[0].attempts, 1);
	assert!(engine.status().restores[0].error.as_ref().is_some_and(|e| e.contains("full")));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_copied_from_a_holder_that_serves() {
	let world = World::new(2, 1, 1);
	let name = world.claim_by_me(0, 1);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	let totals = engine.status().totals;
	assert_eq!((totals.copied, totals.rebuilt), (1, 0));
	assert_eq!(totals.bytes_read, totals.bytes_restored);
	// Handed over on chain: nothing is left to say.
	world.hand_over(&name, ME);
	world.want(vec![]);
	world.until("nothing is left to do", || engine.status().restores.is_empty()).await;
	assert_eq!(world.done().restored, []);
	assert!(world.is_whole(ME, &name));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_rebuilt_when_the_holder_is_gone_and_a_liar_is_counted() {
	let world = World::new(2, 3, 1);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	world.make_liar(MinerId(2));
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	assert_eq!(engine.status().totals.rebuilt, 1);
	assert!(world.is_whole(ME, &name));
	let bytes = world.store(ME).read(&world.hash(&name), 0..64).expect("stored");
	assert_eq!(bytes, world.bytes(&name)[..64]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_cannot_be_restored_is_given_back() {
	let world = World::new(2, 1, 1);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	world.silence(MinerId(2), true);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is given up", || world.done().hopeless == [world.id(&name)]).await;
	assert_eq!(engine.status().restores[0].attempts, EngineConfig::default().attempts);
	world.unclaim(&name);
	world.want(vec![]);
	world.until("it is forgotten", || engine.status().restores.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_survives_a_restart_without_being_fetched_again() {
	let world = World::new(2, 1, 1);
	let name = world.claim_by_me(0, 1);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || !world.done().restored.is_empty()).await;
	drop(engine);
	world.stop().await;
	world.forget_done();
	let engine = world.start();
	world.until("it is said again", || world.done().restored == [world.id(&name)]).await;
	assert_eq!(engine.status().totals.bytes_read, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_put_is_confirmed_until_finality_says_so() {
	let world = World::new(2, 1, 2);
	let name = world.name(0, 0);
	world.unconfirm(&name);
	let engine = world.start();
	world.until("it is said", || world.done().stored == [world.id(&name)]).await;
	world.confirm_on_best(&name);
	world.until("the best block knows", || world.done().stored.is_empty()).await;
	assert_eq!(engine.status().unconfirmed, 1);
	// The fork loses: it is said again.
	world.unconfirm(&name);
	world.until("it is said again", || world.done().stored == [world.id(&name)]).await;
	world.confirm(&name);
	world.until("finality knows", || engine.status().unconfirmed == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_fragment_is_discarded_only_when_both_heads_and_the_grace_period_say_so() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	let _engine = world.start();
	world.hand_over_on_best(&name, MinerId(9));
	world.pass(EngineConfig::default().discard_after * 3).await;
	assert!(world.is_whole(ME, &name), "finality still assigns it");
	world.hand_over(&name, MinerId(9));
	world.pass(EngineConfig::default().compare_every).await;
	assert!(world.is_whole(ME, &name), "the grace period is not over");
	world.pass(EngineConfig::default().discard_after * 2).await;
	assert!(world.store(ME).entry(&name).expect("store").is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_discarded_or_reported_while_the_node_catches_up() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	world.set_heads(Heads { best: 1, finalized: 1, syncing: true });
	world.hand_over(&name, MinerId(9));
	let engine = world.start();
	world.pass(EngineConfig::default().discard_after * 3).await;
	assert_eq!(engine.status().miner, None);
	assert!(world.is_whole(ME, &name));
}

#[tokio::test(start_paused = true)]
async fn proofs_are_made_for_what_is_asked_and_dropped_when_it_is_not() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	let _engine = world.start();
	let job = JobKind::Prove { fragment: world.id(&name), name, chunk: 1 };
	world.want(vec![job.into()]);
	world.until("the proof is there", || world.proofs().len() == 1).await;
	let item = world.proofs().remove(0);
	world.verify_proof(&name, 1, &item.proof);
	world.want(vec![]);
	world.until("it is dropped", || world.proofs().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_skipped_and_shown() {
	let world = World::new(2, 1, 1);
	let name = world.claim_by_me(0, 1);
	let engine = world.start();
	let restore = JobKind::Restore { fragment: world.id(&name), name, deadline: 100 };
	world.want(vec![Job::Unknown(vec![200, 1, 2, 3]), restore.into()]);
	world.until("the other is done", || !world.done().restored.is_empty()).await;
	assert_eq!(engine.status().unknown_jobs, 1);
}

#[tokio::test(start_paused = true)]
async fn fragments_of_leaving_miners_and_unclaimed_orders_are_found() {
	let world = World::new(2, 1, 3);
	// Segments in which this miner has none.
	let names: Vec<FragmentName> = (0..3).map(|segment| world.name(segment, 1)).collect();
	for segment in 0..3 {
		world.hand_over(&world.name(segment, 0), MinerId(9));
	}
	let engine = world.start();
	world.until("a first look", || engine.status().miner.is_some()).await;
	assert_eq!(world.done().found, []);
	world.leave(MinerId(1));
	world.open_order(&world.name(2, 0));
	world.until("all are found", || world.done().found.len() == 3).await;
	let found = world.done().found;
	for name in &names[..2] {
		assert!(found.contains(&world.id(name)), "{found:?}");
	}
	world.pass(Duration::from_secs(60)).await;
	assert_eq!(world.done().found.len(), 3);
}
