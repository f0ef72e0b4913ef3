// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The whole engine over a chain, a transport and stores in memory, with a paused clock.

mod finder;
mod leaving;
mod scrub;
mod world;

use crate::{
	CheckPhase, EngineConfig, EngineHandle, Heads, Profile, RestorePhase, RestoreSource, Throttle,
	Totals, sources,
};
use planaria_primitives::{
	FragmentName, MinerId, SegmentId,
	mailbox::{Job, JobKind},
};
use planaria_store::{FragmentStore, FragmentStoreExt, Verdict};
use planaria_transfer::GROUP_LEN;
use std::{collections::BTreeSet, num::NonZeroU64, time::Duration};
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
	assert_eq!(status.check.last.map(|pass| pass.damaged), Some(1));
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
	world.until("it is not to be opened again", || world.done().broken.is_empty()).await;
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
async fn a_claim_for_which_no_time_is_left_is_given_back_unless_it_comes_after_all() {
	let config = EngineConfig { least_rate: 1_000, ..EngineConfig::default() };
	let world = World::sized(2, 1, 400_000).with_config(config);
	let name = world.claim_by_me(0, 1);
	// Twenty seconds.
	world.slow_down(MinerId(1), 10_000);
	let engine = world.start();
	// The tick is 150, and a claim is good for 100.
	let job = |deadline| JobKind::Restore { fragment: world.id(&name), name, deadline };
	world.want(vec![job(162).into()]);
	world.until("it is given back", || world.done().hopeless == [world.id(&name)]).await;
	world.until("it is told", || engine.status().restores.len() == 1).await;
	let restore = engine.status().restores.remove(0);
	assert_eq!((restore.phase, restore.attempts), (RestorePhase::GivenUp, 0));
	assert_eq!(restore.error.as_deref(), Some("no time is left"));
	world.unclaim(&name);
	world.want(vec![]);
	world.until("it is forgotten", || engine.status().restores.is_empty()).await;

	world.claim(&name, ME);
	world.want(vec![job(163).into()]);
	world
		.until("it runs", || {
			let status = engine.status();
			status.restores.iter().any(|restore| restore.phase == RestorePhase::Running)
		})
		.await;
	world.want(vec![job(162).into()]);
	world.until("it is given back", || world.done().hopeless == [world.id(&name)]).await;
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	assert_eq!(world.done().hopeless, []);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_breaks_after_it_was_durable_is_given_back() {
	let world = World::new(2, 1, 1);
	let name = world.claim_by_me(0, 1);
	world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	world.silence(MinerId(1), true);
	world.silence(MinerId(2), true);
	world.corrupt(ME, &name);
	world.serve_damaged(&name);
	world.until("it is given back", || world.done().hopeless == [world.id(&name)]).await;
	assert_eq!(world.done().restored, []);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_is_writing_is_waited_for_and_not_made_again() {
	for silent in [false, true] {
		let world = World::new(2, 2, 1);
		let name = world.claim_by_me(0, 1);
		world.silence(MinerId(1), silent);
		let writer = world.begin(ME, &name);
		let engine = world.start();
		world.want_restore(&name);
		// Longer than all attempts and the waits between them would take.
		world.pass(Duration::from_secs(300)).await;
		assert_eq!(world.done().hopeless, []);
		assert!(engine.status().restores[0].attempts <= 1);
		drop(writer);
		world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
		// Rebuilt once, if at all.
		let asked = world.asked(MinerId(2), &world.name(0, 2));
		assert_eq!(asked.len(), usize::from(silent));
		world.stop().await;
	}
}

#[tokio::test(start_paused = true)]
async fn claims_and_own_fragments_are_told_of_however_many_are_given_up() {
	let world = World::new(2, 1, 270);
	let claimed: Vec<_> = (262..270).map(|segment| world.claim_by_me(segment, 1)).collect();
	let own: BTreeSet<_> = (0..262).map(|segment| world.id(&world.name(segment, 0))).collect();
	(0..262).for_each(|segment| world.lose(ME, &world.name(segment, 0)));
	(1..3).for_each(|miner| world.silence(MinerId(miner), true));
	world.start();
	let job = |name: &FragmentName| JobKind::Restore {
		fragment: world.id(name),
		name: *name,
		deadline: 1_000,
	};
	world.want(claimed.iter().map(|name| job(name).into()).collect());
	world.until("all claims are given back", || world.done().hopeless.len() == claimed.len()).await;
	let mut told = BTreeSet::new();
	for _ in 0..600 {
		world.pass(Duration::from_secs(1)).await;
		let done = world.done();
		assert_eq!(done.hopeless.len(), claimed.len());
		told.extend(done.broken);
	}
	assert_eq!(told, own);
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
async fn what_only_the_best_block_assigns_again_is_not_discarded() {
	let world = World::new(2, 1, 2);
	let (back, claimed) = (world.name(0, 0), world.name(1, 0));
	world.hand_over(&back, MinerId(9));
	world.hand_over(&claimed, MinerId(9));
	let engine = world.start();
	let grace = EngineConfig::default().discard_after;
	world.pass(grace - Duration::from_secs(60)).await;
	assert_eq!(engine.status().discarding, 2);
	world.hand_over_on_best(&back, ME);
	world.claim(&claimed, ME);
	world.want_restore(&claimed);
	// Before the store is compared again.
	world.pass(Duration::from_secs(5)).await;
	assert_eq!(engine.status().discarding, 1);
	world.pass(grace).await;
	assert_eq!(engine.status().totals.discarded, 0);
	assert!(world.is_whole(ME, &back) && world.is_whole(ME, &claimed));
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_segment_was_vacated_of_is_kept() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	let _engine = world.start();
	world.hand_over(&name, MinerId::NOBODY);
	let config = EngineConfig::default();
	world.pass(2 * config.compare_every + 3 * config.discard_after).await;
	assert!(world.is_whole(ME, &name), "the way back from the loss");
	world.hand_over(&name, MinerId(9));
	world.pass(2 * config.compare_every + 3 * config.discard_after).await;
	assert!(world.store(ME).entry(&name).expect("store").is_none(), "another has brought it back");
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
	let restore = JobKind::Restore { fragment: world.id(&name), name, deadline: 1_000 };
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

#[tokio::test(start_paused = true)]
async fn who_has_no_room_claims_nothing() {
	let world = World::full(2, 1);
	world.hand_over(&world.name(0, 0), MinerId(9));
	let engine = world.start();
	world.until("a first look", || engine.status().miner.is_some()).await;
	world.leave(MinerId(1));
	world.pass(Duration::from_secs(600)).await;
	assert_eq!(world.done().found, []);
}

/// Fragments 0 to 3 of a segment of 4+8 have lost their holders and are claimed by four miners that
/// hold nothing.
fn four_missing(world: &World) -> Vec<(MinerId, FragmentName)> {
	let restorers = (0..4u8).map(|index| (MinerId(12 + u32::from(index)), world.name(0, index)));
	let restorers: Vec<_> = restorers.collect();
	for (restorer, name) in &restorers {
		world.silence(MinerId(name.index.into()), true);
		world.claim(name, *restorer);
		world.want_restore_of(*restorer, name);
	}
	restorers
}

/// Who of them decodes first.
fn leader(restorers: &[(MinerId, FragmentName)]) -> MinerId {
	let place =
		|(miner, name): &&(MinerId, FragmentName)| sources::place(SegmentId(name.file.0), *miner);
	restorers.iter().min_by_key(place).expect("there are four").0
}

fn all_restored(world: &World, restorers: &[(MinerId, FragmentName)]) -> bool {
	restorers.iter().all(|(miner, name)| world.done_of(*miner).restored == [world.id(name)])
}

fn sum<'a>(engines: impl IntoIterator<Item = &'a EngineHandle>) -> Totals {
	engines.into_iter().fold(Totals::default(), |mut sum, engine| {
		let totals = engine.status().totals;
		sum.rebuilt += totals.rebuilt;
		sum.cooperated += totals.cooperated;
		sum.bytes_read += totals.bytes_read;
		sum.bytes_cooperated += totals.bytes_cooperated;
		sum.bytes_restored += totals.bytes_restored;
		sum.lies += totals.lies;
		sum
	})
}

#[tokio::test(start_paused = true)]
async fn one_decode_restores_all_missing_fragments_of_a_segment() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let engines: Vec<_> = restorers.iter().map(|(miner, _)| world.start_miner(*miner)).collect();
	world.until("all four are restored", || all_restored(&world, &restorers)).await;
	world.until("all of it is told", || sum(&engines).bytes_restored >= 400_000).await;
	for (miner, name) in &restorers {
		assert!(world.is_whole(*miner, name));
	}
	let totals = sum(&engines);
	assert_eq!((totals.rebuilt, totals.cooperated), (1, 3));
	let ratio = totals.bytes_read as f64 / totals.bytes_restored as f64;
	assert!(ratio <= 1.3, "{ratio} bytes were read of holders for each that was restored");
	assert_eq!(totals.bytes_cooperated, totals.bytes_restored / 4 * 3);
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_replaced_by_the_next_restorer() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let leader = leader(&restorers);
	world.silence(leader, true);
	let alive: Vec<_> = restorers.into_iter().filter(|(miner, _)| *miner != leader).collect();
	let engines: Vec<_> = alive.iter().map(|(miner, _)| world.start_miner(*miner)).collect();
	world.until("the others are restored", || all_restored(&world, &alive)).await;
	world.until("all of it is told", || sum(&engines).cooperated == 2).await;
	assert_eq!(sum(&engines).rebuilt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_answers_but_never_decodes_is_waited_for_with_patience_only() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let leader = leader(&restorers);
	// Its engine does not run; its store answers that it has nothing.
	let alive: Vec<_> = restorers.into_iter().filter(|(miner, _)| *miner != leader).collect();
	let engines: Vec<_> = alive.iter().map(|(miner, _)| world.start_miner(*miner)).collect();
	world.pass(Duration::from_secs(20)).await;
	assert_eq!(sum(&engines), Totals::default(), "the leader is waited for");
	for engine in &engines {
		let restore = &engine.status().restores[0];
		assert_eq!((restore.phase, restore.attempts), (RestorePhase::Waiting, 0));
	}
	world.pass(Duration::from_secs(60)).await;
	assert!(all_restored(&world, &alive));
	assert_eq!((sum(&engines).rebuilt, sum(&engines).cooperated), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lying_leader_is_caught_and_replaced() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let leader = leader(&restorers);
	world.make_liar(leader);
	let engines: Vec<_> = restorers.iter().map(|(miner, _)| world.start_miner(*miner)).collect();
	world.until("all four are restored", || all_restored(&world, &restorers)).await;
	world.until("all of it is told", || sum(&engines).bytes_restored >= 400_000).await;
	// The liar restores for itself; of the others one does for all.
	assert_eq!((sum(&engines).rebuilt, sum(&engines).cooperated), (2, 2));
	assert_eq!(sum(&engines).lies, 3);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_gives_its_claim_back_is_waited_for_no_longer() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let leader = leader(&restorers);
	let given_back = restorers.iter().find(|(miner, _)| *miner == leader).expect("one of them").1;
	let alive: Vec<_> = restorers.into_iter().filter(|(miner, _)| *miner != leader).collect();
	let engines: Vec<_> = alive.iter().map(|(miner, _)| world.start_miner(*miner)).collect();
	world.pass(Duration::from_secs(5)).await;
	assert_eq!(sum(&engines).bytes_restored, 0);
	world.unclaim(&given_back);
	world.pass(Duration::from_secs(10)).await;
	assert!(all_restored(&world, &alive));
}

#[tokio::test(start_paused = true)]
async fn slow_sources_are_joined_by_spares_and_asked_last_next_time() {
	let world = World::sized(2, 6, 200_000);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	// Two of six are fast.
	let slow = [2, 3, 4, 5];
	for miner in slow {
		world.slow_down(MinerId(miner), 1_000);
	}
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	world.until("it is told", || engine.status().totals.rebuilt == 1).await;
	// What the slow ones sent before they were left counts, too.
	let Totals { bytes_restored, bytes_read, .. } = engine.status().totals;
	let asked = |miner: u8| world.asked(MinerId(miner.into()), &world.name(0, miner)).len();
	let asked_slow: Vec<u8> =
		slow.iter().map(|miner| *miner as u8).filter(|it| asked(*it) > 0).collect();
	// No fragment of a slow one was waited for.
	let more = bytes_read - 2 * bytes_restored;
	assert!(more < 2 * bytes_restored && more % u64::from(GROUP_LEN) == 0, "{more}");

	world.lose(ME, &name);
	world.serve_lost(&name);
	world.until("it is restored again", || world.is_whole(ME, &name)).await;
	assert!(asked_slow.iter().all(|miner| asked(*miner) == 1));
}

#[tokio::test(start_paused = true)]
async fn a_liar_is_avoided_but_asked_when_nobody_else_is_left() {
	let world = World::new(2, 2, 1);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	world.silence(MinerId(3), true);
	world.make_liar(MinerId(2));
	let engine = world.start();
	world.want_restore(&name);
	world.until("it was caught", || engine.status().totals.lies > 0).await;
	// It was wrongly blamed, and of two that are needed it is one.
	world.make_honest(MinerId(2));
	world.silence(MinerId(3), false);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	assert_eq!(engine.status().totals.lies, 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_copy_goes_on_where_it_stopped_also_after_a_restart() {
	let world = World::sized(2, 1, 200_000);
	let name = world.claim_by_me(0, 1);
	let holder = MinerId(1);
	world.silence(MinerId(2), true);
	world.break_after(holder, 20_000);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it breaks", || world.asked(holder, &name).len() == 3).await;
	world.silence(holder, true);
	world.until("it failed", || engine.status().restores[0].attempts == 1).await;
	let asked = world.asked(holder, &name);
	// Each goes on with the group in which the one before broke.
	assert_eq!(asked, [0..100_032, 16_384..100_032, 32_768..100_032]);
	drop(engine);
	world.stop().await;

	world.silence(holder, false);
	world.break_after(holder, 0);
	let engine = world.start();
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	let asked = world.asked(holder, &name);
	// The first group tells which bytes it has; what is here of them is not fetched again.
	assert_eq!(asked[3..], [0..16_384, 49_152..100_032]);
	assert_eq!(engine.status().totals.copied, 1);
	assert!(world.is_whole(ME, &name));
}

#[tokio::test(start_paused = true)]
async fn what_one_source_began_another_completes() {
	// The holder breaks off for good; another restorer has the same fragment.
	let world = World::sized(2, 2, 200_000);
	let name = world.claim_by_me(0, 1);
	let (holder, other) = (MinerId(1), MinerId(4));
	world.claim(&world.name(0, 2), other);
	world.copy_of(&name, other);
	world.break_after(holder, 20_000);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	assert_eq!(world.asked(other, &name), std::slice::from_ref(&(49_152..100_032)));
	assert_eq!(engine.status().totals.cooperated, 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_what_is_no_codeword_is_declined() {
	let world = World::new(2, 3, 1);
	world.make_no_codeword(0, 1);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is declined", || world.done().declined == [world.id(&name)]).await;
	let status = engine.status();
	assert_eq!(status.restores[0].phase, RestorePhase::Declined);
	assert_eq!((status.restores[0].attempts, status.totals.declined), (1, 1));
	// Twice, from two sets of sources.
	let asked = (2..5).map(|index| {
		world.asked(MinerId(index), &world.name(0, u8::try_from(index).expect("small"))).len()
	});
	assert_eq!(asked.clone().sum::<usize>(), 4);
	assert!(asked.clone().all(|times| times > 0));
	world.unclaim(&name);
	world.want(vec![]);
	world.until("it is forgotten", || engine.status().restores.is_empty()).await;
	assert_eq!(world.done().declined, []);
}

#[tokio::test(start_paused = true)]
async fn a_fragment_that_is_right_is_restored_though_another_is_no_codeword() {
	// Two sets of sources, only one of which has the wrong one.
	let world = World::new(2, 4, 1);
	world.make_no_codeword(0, 4);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	let engine = world.start();
	world.want_restore(&name);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	assert!(world.is_whole(ME, &name));
	assert_eq!(engine.status().totals.declined, 0);
}

#[tokio::test(start_paused = true)]
async fn an_own_fragment_of_what_is_no_codeword_is_given_up() {
	let world = World::new(2, 2, 1);
	world.make_no_codeword(0, 0);
	let name = world.name(0, 0);
	world.lose(ME, &name);
	let engine = world.start();
	world.until("its order is to be opened", || world.done().broken == [world.id(&name)]).await;
	assert_eq!(engine.status().restores[0].phase, RestorePhase::GivenUp);
}

#[tokio::test(start_paused = true)]
async fn progress_and_time_left_are_measured_while_it_runs() {
	let config = EngineConfig { least_rate: 1_000, ..EngineConfig::default() };
	let world = World::sized(2, 1, 2_000_000).with_config(config);
	let name = world.claim_by_me(0, 1);
	// A hundred seconds.
	world.slow_down(MinerId(1), 10_000);
	let engine = world.start();
	world.want_restore(&name);
	world.pass(Duration::from_secs(50)).await;
	let status = engine.status();
	let progress = status.progress;
	assert_eq!((progress.fragments_left, progress.stalled), (1, false));
	assert!((400_000..600_000).contains(&progress.bytes_left), "{progress:?}");
	assert!((8_000..12_000).contains(&progress.rate), "{progress:?}");
	assert_eq!(progress.eta_secs, Some(progress.bytes_left.div_ceil(progress.rate)));
	assert!((8_000..12_000).contains(&status.read_rate), "{}", status.read_rate);
	assert_eq!(status.files.len(), 1);
	assert_eq!((status.files[0].file, status.files[0].progress), (name.file, progress));
	let restore = &status.restores[0];
	assert_eq!((restore.len, restore.source), (1_000_000, Some(RestoreSource::Copy)));
	assert_eq!(
		(restore.had, restore.read),
		(restore.len - progress.bytes_left, status.totals.bytes_read)
	);
	world.until("it is restored", || world.done().restored == [world.id(&name)]).await;
	world.pass(Duration::from_secs(1)).await;
	let status = engine.status();
	assert_eq!((status.progress.fragments_left, status.files.len()), (0, 0));
	assert!(status.read_rate > 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_move_is_stalled() {
	let world = World::new(2, 1, 1);
	let name = world.name(0, 0);
	world.lose(ME, &name);
	world.silence(MinerId(1), true);
	let engine = world.start();
	let stall_after = EngineConfig::default().stall_after;
	world.until("it is tried", || engine.status().progress.fragments_left == 1).await;
	assert!(!engine.status().progress.stalled);
	world.pass(stall_after + Duration::from_secs(20)).await;
	let progress = engine.status().progress;
	assert_eq!((progress.stalled, progress.eta_secs, progress.fragments_left), (true, None, 1));
	world.silence(MinerId(1), false);
	world.until("it is healed", || world.is_whole(ME, &name)).await;
	world.until("it moves", || !engine.status().progress.stalled).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_made_for_others_is_served_and_given_up_in_time() {
	let world = World::sized(4, 8, 400_000);
	let restorers = four_missing(&world);
	let leader = leader(&restorers);
	let engine = world.start_miner(leader);
	world.until("the leader is done", || engine.status().totals.rebuilt == 1).await;
	// Nobody has asked yet.
	assert_eq!(engine.siblings().names().len(), 3);
	let other = restorers.iter().find(|(miner, _)| *miner != leader).expect("three").1;
	world.hand_over(&other, MinerId(11));
	world.pass(Duration::from_secs(30)).await;
	assert_eq!(engine.siblings().names().len(), 2);
	world.pass(EngineConfig::default().siblings_age).await;
	assert_eq!(engine.siblings().names().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_read_costs_no_order() {
	let world = World::new(2, 1, 6);
	let engine = world.start();
	world.until("the first look is over", || engine.status().miner == Some(ME)).await;
	world.store(ME).fail_reads(None);
	engine.check();
	world.until("there is an alarm", || engine.status().check.alarm.is_some()).await;
	assert_eq!(engine.status().check.phase, CheckPhase::DiskFailing);
	world.pass(Duration::from_secs(6 * 3600)).await;
	assert_eq!(world.done().broken, []);
	assert!(engine.status().restores.is_empty());
	world.store(ME).fail_reads(Some(&[]));
	world.until("the disk reads again", || engine.status().check.alarm.is_none()).await;
	world.until("the pass is over", || engine.status().check.passes == 1).await;
	let last = engine.status().check.last;
	assert_eq!(last.map(|pass| (pass.checked, pass.damaged, pass.given_up)), Some((6, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_fragment_that_stays_unreadable_is_restored() {
	let world = World::new(2, 1, 6);
	let name = world.name(3, 0);
	let engine = world.start();
	world.store(ME).fail_reads(Some(&[world.hash(&name)]));
	engine.check();
	world.until("it is suspected", || engine.status().check.suspects == 1).await;
	world.pass(Duration::from_secs(30 * 60)).await;
	assert!(engine.status().restores.is_empty());
	assert!(world.store(ME).contains(&world.hash(&name)).expect("store"));
	world
		.until("it is given up", || {
			world.store(ME).usage().expect("store").quarantined > 0
				&& engine.status().check.suspects == 0
		})
		.await;
	world.store(ME).fail_reads(Some(&[]));
	world.until("it is whole again", || world.is_whole(ME, &name)).await;
	assert_eq!(engine.status().totals.rebuilt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_has_everything_checked_once() {
	let world = World::new(2, 1, 3);
	let name = world.name(0, 0);
	let engine = world.start();
	world.until("the first look is over", || engine.status().miner == Some(ME)).await;
	world.store(ME).fail_reads(Some(&[world.hash(&name)]));
	let job = JobKind::Prove { fragment: world.id(&name), name, chunk: 0 };
	world.want(vec![job.into()]);
	world.until("it was checked", || engine.status().check.last.is_some()).await;
	assert_eq!(engine.status().check.suspects, 1);
	// The chain goes on asking.
	world.pass(Duration::from_secs(600)).await;
	assert_eq!(engine.status().check.passes, 1);
	world.store(ME).fail_reads(Some(&[]));
	world.until("it is proven", || world.proofs().len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_on_the_disk_is_rebuilt_before_it_is_proven() {
	let world = World::new(2, 1, 3);
	let name = world.name(0, 0);
	let engine = world.start();
	world.until("the first look is over", || engine.status().miner == Some(ME)).await;
	world.corrupt(ME, &name);
	let job = JobKind::Prove { fragment: world.id(&name), name, chunk: 1 };
	world.want(vec![job.into()]);
	world.until("it is proven", || world.proofs().len() == 1).await;
	world.verify_proof(&name, 1, &world.proofs()[0].proof);
	assert!(world.is_whole(ME, &name));
	assert_eq!(engine.status().totals.rebuilt, 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_the_chain_opened_for_a_whole_fragment_is_cancelled() {
	let world = World::new(2, 1, 3);
	let name = world.name(1, 0);
	let engine = world.start();
	world.until("the first look is over", || engine.status().miner == Some(ME)).await;
	world.open_order(&name);
	world.until("the order is to be cancelled", || !world.done().healed.is_empty()).await;
	world.verify_cancel(&name, &world.done().healed[0]);
	world.until("everything was checked", || engine.status().check.last.is_some()).await;
	assert_eq!(engine.status().totals.bytes_read, 0);
	world.close_order(&name);
	world.until("the chain knows", || world.done().healed.is_empty()).await;
	// Nor does it matter whether this engine was there when the order was opened.
	world.stop().await;
	world.forget_done();
	world.open_order(&name);
	world.start();
	world.until("it is to be cancelled", || !world.done().healed.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn only_an_engine_that_died_checks_everything_at_once() {
	let world = World::new(2, 1, 3);
	let engine = world.start();
	assert_eq!(engine.status().check.phase, CheckPhase::Steady);
	world.pass(Duration::from_secs(60)).await;
	world.stop().await;
	let engine = world.start();
	assert_eq!(engine.status().check.phase, CheckPhase::Steady);
	world.pass(Duration::from_secs(60)).await;
	// Another one is started while this one has not stopped.
	let engine = world.start();
	world.until("everything was checked", || engine.status().check.passes == 1).await;
	assert_eq!(engine.status().check.last.map(|pass| pass.checked), Some(3));
}

#[tokio::test(start_paused = true)]
async fn the_throttle_is_changed_while_running_and_remembered() {
	let quiet = Throttle { profile: Profile::Quiet, cap: NonZeroU64::new(1 << 20) };
	let world = World::new(2, 1, 1);
	let engine = world.start();
	assert_eq!((engine.throttle(), world.rate()), (Throttle::default(), None));
	engine.set_throttle(quiet);
	world.until("it is set", || engine.throttle() == quiet).await;
	assert_eq!(world.rate(), Some(1 << 20));
	world.stop().await;
	let engine = world.start();
	assert_eq!((engine.throttle(), world.rate()), (quiet, Some(1 << 20)));
	world.stop().await;
	// The configuration comes first, each part of it.
	let fast = EngineConfig { profile: Some(Profile::Fast), ..EngineConfig::default() };
	let engine = world.start_with(fast);
	assert_eq!(engine.throttle(), Throttle { profile: Profile::Fast, ..quiet });
	world.stop().await;
	let engine = world.start_with(EngineConfig { cap: Some(None), ..EngineConfig::default() });
	assert_eq!(engine.throttle(), Throttle { cap: None, ..quiet });
	assert_eq!(world.rate(), Some(4 << 20));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_miner_hurries_for_its_deadlines() {
	// Each fragment has 3 MiB, and two of them are read.
	let world = World::sized(2, 1, 6 << 20);
	world.set_slot(100);
	let name = world.claim_by_me(0, 1);
	world.silence(MinerId(1), true);
	world.silence(MinerId(2), true);
	let engine = world.start();
	engine.set_throttle(Throttle { profile: Profile::Quiet, cap: None });
	world.until("it is set", || world.rate() == Some(4 << 20)).await;
	// The tick is 150; all is to be read within a second.
	let job = |deadline| JobKind::Restore { fragment: world.id(&name), name, deadline };
	world.want(vec![job(163).into()]);
	world.until("it hurries", || world.rate() == Some(6 << 20)).await;
	world.want(vec![job(1_000).into()]);
	world.until("it has time", || world.rate() == Some(4 << 20)).await;
	assert_eq!(world.done().hopeless, []);
}
