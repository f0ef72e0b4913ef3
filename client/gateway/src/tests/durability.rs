// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What survives, and what gives way.

use super::{Running, content, curl};
use crate::catalog::Life;
use planaria_sdk::primitives::MinerId;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};
use tokio::time::sleep;

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_at_every_stage() {
	let mut running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.open.send_replace(false);
	let bytes = content(1, 300_000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	let upload = running.s3("/bucket/m?uploads=", &["-X", "POST"]).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	let part = format!("/bucket/m?partNumber=1&uploadId={upload}");
	running.put(&part, b"part", &[]).await.is(200);
	// Whatever it does; while it places; after that.
	for round in 0..3 {
		match round {
			0 => {},
			1 => running.until(|lives| lives == [Life::Placing]).await,
			_ => {
				running.network.open.send_replace(true);
				running.until_active().await;
			},
		}
		let next = running.crashed_now(|_| {}).await;
		running.network.open.send_replace(true);
		running.stop().await;
		running = next;
		assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes, "{round}");
		let parts = running.s3(&format!("/bucket/m?uploadId={upload}"), &[]).await.is(200);
		assert_eq!(parts.elements("Size"), ["4"]);
	}
	running.until_active().await;
	assert_eq!(running.spooled(), 1, "the part");
	assert_eq!(running.network.state().files.len(), 1);
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes);
	running.stop().await;
}

#[tokio::test]
async fn a_copy_that_was_not_read_back_right_is_not_dropped() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.state().lies = true;
	let bytes = content(1, 300_000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	loop {
		let content =
			running.gateway.catalog.read(|reader| reader.content(0)).await.expect("reads");
		if content.is_some_and(|content| content.failures > 0) {
			break;
		}
		sleep(Duration::from_millis(20)).await;
	}
	assert_eq!(running.spooled(), 1);
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes);
	running.stop().await;
}

#[tokio::test]
async fn a_copy_is_kept_until_every_holder_has_given_back_what_it_holds() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.state().deaf.insert(1);
	let bytes = content(1, 300_000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	let status = running.status_when(|status| status["failing"][0]["failures"] == 1).await;
	let failure = status["failing"][0]["failure"].as_str().expect("text");
	assert!(failure.contains("not read back from miner 1 ("), "{failure}");
	assert_eq!((&status["contents"]["placing"]["count"], running.spooled()), (&1.into(), 1));
	let id = running.s3("/bucket/k", &["-I"]).await.is(200).headers["x-planaria-file-id"].clone();
	let url = format!("{}/file/{id}/status", running.plain);
	let shown: serde_json::Value =
		serde_json::from_slice(&curl(&url, &[]).await.is(200).body).expect("JSON");
	let phases = |shown: &serde_json::Value| {
		let fragments = shown["gateway"][0]["fragments"]["0"].as_array().cloned();
		let fragments = fragments.expect("fragments").into_iter();
		fragments.map(|fragment| fragment["phase"].clone()).collect::<Vec<_>>()
	};
	assert_eq!(phases(&shown), ["COMPLETED", "UNAVAILABLE", "COMPLETED"]);

	// It is tried again by itself, without being stored again.
	running.network.state().deaf.clear();
	running.until_active().await;
	assert_eq!((running.spooled(), running.network.state().avoided.len()), (0, 1));
	let shown: serde_json::Value =
		serde_json::from_slice(&curl(&url, &[]).await.is(200).body).expect("JSON");
	assert_eq!(phases(&shown), ["COMPLETED"; 3]);
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes);
	running.stop().await;
}

#[tokio::test]
async fn miners_that_fail_cool_down() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.state().failing.insert(2);
	for seed in 0..4 {
		running.put(&format!("/bucket/{seed}"), &content(seed, 1000), &[]).await.is(200);
		running.until_active().await;
	}
	let pool = running.status().await["cooling"].clone();
	assert_eq!(pool[0]["miner"], 2);
	assert_eq!((&pool[0]["failures"], &pool[0]["cooldowns"]), (&3.into(), &1.into()));
	assert!((500..=600).contains(&pool[0]["seconds"].as_u64().expect("a number")), "{pool}");
	let avoided = running.network.state().avoided.clone();
	let nobody = BTreeSet::new();
	assert_eq!(avoided, [nobody.clone(), nobody.clone(), nobody.clone(), [MinerId(2)].into()]);

	// Where there are too few others it is given another chance.
	running.network.state().scarce = true;
	running.put("/bucket/k", &content(9, 1000), &[]).await.is(200);
	running.until_active().await;
	assert_eq!(running.network.state().avoided[4..], [[MinerId(2)].into(), nobody]);
	running.stop().await;
}

#[tokio::test]
async fn miners_are_weighed_by_what_was_measured_of_them() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.state().failing.insert(2);
	running.network.state().slow.insert(1);
	for seed in 0..2 {
		running.put(&format!("/bucket/{seed}"), &content(seed, 2_000_000), &[]).await.is(200);
		running.until_active().await;
	}
	let qualities = running.network.state().qualities.clone();
	// Another one took the place of the one that fails.
	let measured = [(0, 1000), (1, 250), (2, 875), (102, 1000)]
		.map(|(miner, quality)| (MinerId(miner), quality));
	assert_eq!(qualities, [BTreeMap::new(), measured.into()]);
	let weak = running.status().await["weak"].clone();
	assert_eq!((&weak[0]["miner"], &weak[0]["quality"]), (&1.into(), &250.into()), "{weak}");
	assert_eq!((&weak[1]["miner"], &weak[1]["reliability"]), (&2.into(), &765.into()), "{weak}");
	assert_eq!(weak.as_array().map(Vec::len), Some(2), "{weak}");

	// Unless all are to be alike.
	let alike = running.crashed_now(|config| config.placement.weigh = false).await;
	running.stop().await;
	alike.put("/bucket/k", &content(9, 2_000_000), &[]).await.is(200);
	alike.until_active().await;
	assert_eq!(alike.network.state().qualities[2..], [BTreeMap::new()]);
	assert_eq!(alike.status().await["weak"], serde_json::json!([]));
	alike.stop().await;
}

#[tokio::test]
async fn what_nobody_could_hold_says_so_and_waits() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.state().few = true;
	let bytes = content(1, 300_000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	let status = running.status_when(|status| status["failing"][0]["failures"] == 1).await;
	let failure = status["failing"][0]["failure"].as_str().expect("text").to_owned();
	assert!(failure.contains("3 different miners with room are needed, 2"), "{failure}");
	assert_eq!(status["contents"]["queued"]["count"], 1);
	let head = running.s3("/bucket/k", &["-I"]).await.is(200);
	assert_eq!(head.headers["x-planaria-state"], "queued");
	assert_eq!(head.headers["x-planaria-failure"], failure);
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes);
	// The next attempt is seconds away, and nothing was read for this one.
	sleep(Duration::from_millis(500)).await;
	let status = running.status().await;
	assert_eq!((&status["failing"][0]["failures"], running.network.state().taken), (&1.into(), 0));

	// Deleted, it goes with the next attempt; another one is stored once it can be.
	running.put("/bucket/gone", b"gone", &[]).await.is(200);
	running.status_when(|status| status["failing"][1]["failures"] == 1).await;
	running.s3("/bucket/gone", &["-X", "DELETE"]).await.is(204);
	running.status_when(|status| status["jobs"] == 1).await;
	running.network.state().few = false;
	running.until_active().await;
	let head = running.s3("/bucket/k", &["-I"]).await.is(200);
	assert!(!head.headers.contains_key("x-planaria-failure"));
	running.stop().await;
}

#[tokio::test]
async fn nobody_is_blamed_while_nobody_is_reached() {
	let data = Arc::new(tempfile::tempdir().expect("a directory"));
	let network = super::Memory::new();
	network.state().failing.extend(0..3);
	network.state().deaf.extend(100..103);
	let running = Running::with(data, network, |config| config.cooldown.failures = 1).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.put("/bucket/k", &content(1, 1000), &[]).await.is(200);
	running.status_when(|status| status["failing"][0]["failures"] == 1).await;
	assert_eq!(running.status().await["cooling"], serde_json::json!([]));
	running.stop().await;
}

#[tokio::test]
async fn a_file_that_the_chain_does_not_let_go_is_told_of() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 1000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	running.until_active().await;
	running.network.state().denied = true;
	running.s3("/bucket/k", &["-X", "DELETE"]).await.is(204);
	let status = running.status_when(|status| status["jobs"] == 0).await;
	assert_eq!(
		(&status["undeleted"], &status["undeleted_files"][0]["file"]),
		(&1.into(), &0.into())
	);
	assert_eq!(status["undeleted_files"][0]["reason"], "Files.NotYourFile");
	assert_eq!(status["contents"]["active"]["count"], 0);
	running.stop().await;
}

#[tokio::test]
async fn what_is_being_deleted_is_not_what_the_same_bytes_become() {
	let mut running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 300_000);
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	running.until_active().await;
	let first: Vec<_> = running.network.state().files.keys().copied().collect();

	// The chain is slow to delete it, and the same object comes again meanwhile.
	running.network.deletes.send_replace(false);
	running.s3("/bucket/k", &["-X", "DELETE"]).await.is(204);
	let doomed = first[0].0;
	let is_doomed = || running.gateway.catalog.write(move |writer| writer.is_doomed(doomed));
	while !is_doomed().await.expect("reads") {
		sleep(Duration::from_millis(20)).await;
	}
	running.put("/bucket/k", &bytes, &[]).await.is(200);
	let failed = |status: &serde_json::Value| status["failing"][0]["failures"].as_u64();
	running.status_when(|status| failed(status) >= Some(1)).await;
	// Who is started again has not forgotten it.
	let next = running.crashed_now(|_| {}).await;
	next.network.deletes.send_replace(false);
	running.stop().await;
	running = next;
	running.status_when(|status| failed(status) >= Some(2)).await;
	assert_eq!(running.spooled(), 1, "its bytes are here as long as they are nowhere else");
	running.network.deletes.send_replace(true);
	running.until_active().await;
	let state = running.network.state().clone();
	assert_eq!((state.deleted, state.files.len()), (first, 1));
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == bytes);
	running.stop().await;
}

#[tokio::test]
async fn a_full_spool_says_so_before_a_byte_is_sent() {
	let data = Arc::new(tempfile::tempdir().expect("a directory"));
	let network = super::Memory::new();
	let running = Running::with(data, network, |config| config.spool = 1_000_000).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.open.send_replace(false);
	running.put("/bucket/a", &content(1, 600_000), &[]).await.is(200);
	running.put("/bucket/b", &content(2, 600_000), &[]).await.fails(503, "SlowDown");
	running.put("/bucket/c", &content(2, 2_000_000), &[]).await.fails(400, "EntityTooLarge");
	running.network.open.send_replace(true);
	running.until_active().await;
	running.put("/bucket/b", &content(2, 600_000), &[]).await.is(200);
	running.stop().await;
}

#[tokio::test]
async fn objects_that_are_deleted_leave_nothing() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.put("/bucket/empty", b"", &[]).await.is(200);
	assert_eq!(running.s3("/bucket/empty", &[]).await.is(200).body, b"");
	running.until_active().await;
	assert!(running.network.state().files.is_empty(), "no bytes are nothing for the chain");

	// While it is being placed.
	running.network.open.send_replace(false);
	running.put("/bucket/k", &content(1, 1000), &[]).await.is(200);
	running.until(|lives| lives == [Life::Placing]).await;
	running.s3("/bucket/k", &["-X", "DELETE"]).await.is(204);
	running.s3("/bucket/k", &[]).await.fails(404, "NoSuchKey");
	running.until(<[Life]>::is_empty).await;
	running.network.open.send_replace(true);
	assert_eq!(running.spooled(), 0);

	// After it was stored, by being replaced.
	running.put("/bucket/k", &content(2, 1000), &[]).await.is(200);
	running.until_active().await;
	running.put("/bucket/k", &content(3, 1000), &[]).await.is(200);
	running.until_active().await;
	loop {
		let known = running.network.state().files.len();
		if known == 1 {
			break;
		}
		sleep(Duration::from_millis(20)).await;
	}
	assert!(running.s3("/bucket/k", &[]).await.is(200).body == content(3, 1000));
	running.stop().await;
}
