// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Finding what restore targets hold, planning, and chores, in the whole engine.

use super::world::World;
use planaria_primitives::{MinerId, SegmentId, mailbox::Chore};
use planaria_runtime_api::VerdictStatus;
use std::{collections::BTreeSet, time::Duration};

/// A world in whose segments this miner has nothing.
fn elsewhere(data: u8, parity: u8, files: u64) -> World {
	let world = World::new(data, parity, files);
	for segment in 0..files {
		world.hand_over(&world.name(segment as usize, 0), MinerId(99));
	}
	world
}

#[tokio::test(start_paused = true)]
async fn a_leaving_miner_says_what_it_holds_and_nothing_is_scanned() {
	let world = elsewhere(2, 1, 3);
	world.leave(MinerId(1));
	let engine = world.start();
	world.until("all are found", || world.done().found.len() == 3).await;
	let status = engine.status().finder;
	assert_eq!((status.passes, status.targets, status.worklist), (0, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hides_fragments_or_is_silent_is_scanned_for() {
	for silent in [true, false] {
		let world = elsewhere(2, 1, 3);
		world.leave(MinerId(1));
		world.silence(MinerId(1), silent);
		world.lists(MinerId(1), vec![world.name(1, 1)]);
		let engine = world.start();
		world.until("all are found", || world.done().found.len() == 3).await;
		assert_eq!(engine.status().finder.passes, 1);
		world.stop().await;
	}
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_miner_held_is_found_by_a_scan() {
	let world = elsewhere(2, 1, 3);
	let engine = world.start();
	world.until("a first look", || engine.status().miner.is_some()).await;
	assert_eq!(world.done().found, []);
	world.absent(MinerId(2));
	world.until("all are found", || world.done().found.len() == 3).await;
	assert_eq!(engine.status().finder.passes, 1);
	// Another has claimed one, which the next block shows.
	let name = world.name(0, 2);
	world.claim(&name, MinerId(7));
	world.until("the claimed one is left out", || world.done().found.len() == 2).await;
	assert!(!world.done().found.contains(&world.id(&name)));
	assert_eq!((engine.status().finder.passes, engine.status().totals.races_lost), (1, 1));
	world.back(MinerId(2));
	world.until("nothing is left", || world.done().found.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_thick_segment_waits_until_it_is_thin() {
	let world = elsewhere(4, 8, 1);
	let engine = world.start();
	world.absent(MinerId(1));
	world.absent(MinerId(2));
	world.until("it is known", || engine.status().finder.worklist == 1).await;
	world.pass(Duration::from_secs(300)).await;
	assert_eq!(world.done().found, []);
	world.absent(MinerId(3));
	world.until("it is found", || world.done().found.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_brake_leaves_what_can_wait() {
	let world = elsewhere(4, 8, 1);
	world.set_braked(true);
	(1..6).for_each(|miner| world.absent(MinerId(miner)));
	let engine = world.start();
	world.until("it is known", || engine.status().finder.worklist == 1).await;
	world.pass(Duration::from_secs(300)).await;
	assert_eq!(world.done().found, []);
	world.absent(MinerId(6));
	world.until("it is thin", || world.done().found.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_due_for_the_network_is_named() {
	let world = World::new(2, 1, 1);
	world.seen(MinerId(2), 0);
	world.judge(SegmentId(0), VerdictStatus::Lost { since: 1 });
	let _engine = world.start();
	let chores = BTreeSet::from([Chore::MarkAbsent(MinerId(2)), Chore::CheckSegment(SegmentId(0))]);
	world
		.until("both are named", || {
			world.done().chores.into_iter().collect::<BTreeSet<_>>() == chores
		})
		.await;
}
