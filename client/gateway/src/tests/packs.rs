// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Small objects that share files on chain.

use super::{Memory, OWNER, Running, content};
use crate::{
	Config,
	catalog::{Kind, Pack},
};
use planaria_pack::{Index, Tail};
use planaria_sdk::{AccountId32, sealed::is_sealed};
use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};
use tokio::{process::Command, time::sleep};

/// Packs are closed when they are full.
fn when_full(config: &mut Config) {
	(config.pack_below, config.pack_size, config.pack_after) = (100_000, 4 << 20, 3600);
}

/// Packs are closed as soon as something waits.
fn at_once(config: &mut Config) {
	(config.pack_below, config.pack_after) = (100_000, 0);
}

async fn running(change: fn(&mut Config)) -> Running {
	let data = Arc::new(tempfile::tempdir().expect("a directory"));
	let running = Running::with(data, Memory::new(), change).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running
}

/// Waits until so many objects are active and nothing is to be done.
async fn until_active(running: &Running, count: u64) {
	let done = |status: &serde_json::Value| {
		status["contents"]["active"]["count"] == count && status["jobs"] == 0
	};
	running.status_when(done).await;
}

/// Which file each object is in.
async fn files(running: &Running, keys: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
	let keys: Vec<_> = keys.collect();
	let found = running.gateway.catalog.read(move |reader| {
		let mut found = BTreeMap::new();
		for key in keys {
			let content = reader.object("bucket", &key)?.content.expect("it has bytes");
			let pack = reader.located(content)?.expect("there").content;
			assert!(matches!(pack.kind, Kind::Pack(_)));
			found.insert(key, pack.stored.expect("stored").file);
		}
		Ok(found)
	});
	found.await.expect("reads")
}

async fn delete(running: &Running, keys: &[String]) {
	let keys: String =
		keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
	let body = format!("<Delete>{keys}</Delete>");
	running.s3("/bucket?delete=", &["-X", "POST", "-d", &body]).await.is(200);
}

/// The keys of these objects.
fn keys(seeds: std::ops::Range<u8>) -> Vec<String> {
	seeds.map(|seed| seed.to_string()).collect()
}

#[tokio::test]
async fn thousands_of_small_objects_are_few_files() {
	let running = running(when_full).await;
	let objects = tempfile::tempdir().expect("a directory");
	let bytes = content(1, 2048 * 4096);
	let key = |number: usize| format!("{number:04}");
	for (number, bytes) in bytes.chunks(4096).enumerate() {
		fs::write(objects.path().join(key(number)), bytes).expect("writes");
	}
	let output = Command::new("curl")
		.args(["-sS", "--fail", "-Z", "--parallel-max", "8", "-m", "300"])
		.args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "owner:secret"])
		.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T"])
		.arg(objects.path().join("[0000-2047]"))
		.arg(format!("{}/bucket/", running.s3))
		.output()
		.await
		.expect("curl runs");
	assert!(output.status.success(), "{output:?}");
	until_active(&running, 2048).await;
	assert_eq!((running.network.state().files.len(), running.spooled()), (2, 0));
	let status = running.status().await;
	assert_eq!(status["contents"]["active"]["bytes"], bytes.len());

	let object = |number: usize| &bytes[number * 4096..(number + 1) * 4096];
	for number in [0, 1, 1000, 2047] {
		let path = format!("/bucket/{}", key(number));
		assert!(running.s3(&path, &[]).await.is(200).body == object(number));
		let part = running.s3(&path, &["-r", "4000-"]).await.is(206);
		assert!(part.body == object(number)[4000..]);
		assert_eq!(part.headers["content-range"], "bytes 4000-4095/4096");
		running.s3(&path, &["-r", "4096-"]).await.fails(416, "InvalidRange");
		let head = running.s3(&path, &["-I"]).await.is(200);
		assert_eq!(head.headers["x-planaria-state"], "active");
		assert!(head.headers.contains_key("x-planaria-range"));
	}
	// The network sees nothing of it.
	assert!(running.network.state().files.values().all(|kept| is_sealed(&kept.bytes)));

	// Less than half of a pack is alive: what is, is in another one.
	let places = files(&running, (0..2048).map(key)).await;
	let file = places[&key(0)];
	let (dead, alive): (Vec<_>, Vec<_>) = places
		.iter()
		.filter(|(_, of)| **of == file)
		.map(|(key, _)| key.clone())
		.partition(|key| key.parse::<usize>().expect("a number") % 64 != 0);
	delete(&running, &dead[..513]).await;
	running.until_deleted(1).await;
	let left = 2048 - 513;
	until_active(&running, left).await;
	{
		let state = running.network.state();
		assert_eq!((state.files.len(), state.deleted.len(), state.deleted[0].0), (2, 1, file));
	}
	let moved = files(&running, alive.iter().cloned()).await;
	assert!(moved.values().all(|of| *of != file));
	for key in &alive {
		let number = key.parse().expect("a number");
		assert!(running.s3(&format!("/bucket/{key}"), &[]).await.is(200).body == object(number));
	}
	for key in dead.iter().take(3) {
		running.s3(&format!("/bucket/{key}"), &[]).await.fails(404, "NoSuchKey");
	}
	assert_eq!(running.spooled(), 0);
	running.stop().await;
}

#[tokio::test]
async fn a_pack_is_of_one_account_and_public_or_not() {
	let running = running(at_once).await;
	running.as_key("other", "/others", &["-X", "PUT"]).await.is(200);
	let other = tempfile::NamedTempFile::new().expect("a file");
	fs::write(other.path(), content(8, 1000)).expect("writes");
	let path = other.path().to_str().expect("text");
	running.as_key("other", "/others/key", &["-T", path]).await.is(200);
	running.network.open.send_replace(false);
	let public = ["-H", "x-amz-acl: public-read"];
	for seed in 0..2 {
		running.put(&format!("/bucket/public-{seed}"), &content(seed, 1000), &public).await.is(200);
		running.put(&format!("/bucket/{seed}"), &content(seed + 2, 1000), &[]).await.is(200);
	}
	running.put("/bucket/large", &content(9, 200_000), &public).await.is(200);
	running.network.open.send_replace(true);
	until_active(&running, 6).await;
	let kept: Vec<_> = running.network.state().files.values().cloned().collect();
	let others = kept.iter().filter(|kept| kept.status.owner != AccountId32::new(OWNER));
	assert_eq!(others.count(), 1);
	// A public pack is what docs/format.md says, and anybody reads it.
	let mut objects = 0;
	for kept in &kept {
		if is_sealed(&kept.bytes) || kept.bytes.len() == 200_000 {
			continue;
		}
		let index = Index::from_tail(&kept.bytes, kept.bytes.len() as u64).expect("a pack");
		let Tail::Index(index) = index else { panic!("all of it was given") };
		for entry in index.entries() {
			let range = entry.range();
			let object = &kept.bytes[range.start as usize..range.end as usize];
			assert!([content(0, 1000), content(1, 1000)].iter().any(|known| known == object));
			objects += 1;
		}
	}
	assert_eq!(objects, 2);
	running.stop().await;
}

#[tokio::test]
async fn what_is_deleted_leaves_nothing_whether_it_is_packed_or_not() {
	let running = running(when_full).await;
	running.put("/bucket/empty", b"", &[]).await.is(200);
	running.put("/bucket/a", &content(1, 1000), &[]).await.is(200);
	running.s3("/bucket/b", &["-X", "PUT", "-H", "x-amz-copy-source: /bucket/a"]).await.is(200);
	let head = running.s3("/bucket/b", &["-I"]).await.is(200);
	assert_eq!(head.headers["x-planaria-state"], "queued");
	delete(&running, &["a".into()]).await;
	assert_eq!(running.spooled(), 1);
	assert!(running.s3("/bucket/b", &[]).await.is(200).body == content(1, 1000));
	delete(&running, &["b".into()]).await;
	assert_eq!((running.spooled(), running.network.state().files.len()), (0, 0));

	let running = next(running, at_once).await;
	for seed in 0..3 {
		running.put(&format!("/bucket/{seed}"), &content(seed, 1000), &[]).await.is(200);
	}
	until_active(&running, 3).await;
	running.put("/bucket/0", &content(7, 1000), &[]).await.is(200);
	delete(&running, &keys(1..3)).await;
	until_active(&running, 1).await;
	assert_eq!((running.spooled(), running.network.state().files.len()), (0, 1));
	assert!(running.s3("/bucket/0", &[]).await.is(200).body == content(7, 1000));
	running.stop().await;
}

#[tokio::test]
async fn objects_that_come_one_at_a_time_become_few_files_too() {
	let running = running(at_once).await;
	for seed in 0..8 {
		running.put(&format!("/bucket/{seed}"), &content(seed, 1000), &[]).await.is(200);
		until_active(&running, u64::from(seed) + 1).await;
	}
	running.until_deleted(8).await;
	until_active(&running, 8).await;
	assert_eq!((running.network.state().files.len(), running.spooled()), (1, 0));
	// While some of them are put together others are deleted.
	for seed in 8..15 {
		let repacked = running.network.state().deleted.len();
		running.put(&format!("/bucket/{seed}"), &content(seed, 1000), &[]).await.is(200);
		assert_eq!(repacked, 8);
		if seed == 14 {
			delete(&running, &keys(0..12)).await;
		} else {
			until_active(&running, u64::from(seed) + 1).await;
		}
	}
	until_active(&running, 3).await;
	for seed in 12..15 {
		let got = running.s3(&format!("/bucket/{seed}"), &[]).await.is(200);
		assert!(got.body == content(seed, 1000), "{seed}");
	}
	running.stop().await;
}

#[tokio::test]
async fn packs_survive_a_crash_at_every_stage() {
	let mut now = running(when_full).await;
	let all = 0..10u8;
	let read = async |running: &Running, seeds: std::ops::Range<u8>| {
		for seed in seeds {
			let got = running.s3(&format!("/bucket/{seed}"), &[]).await.is(200);
			assert!(got.body == content(seed, 5000 + usize::from(seed)), "{seed}");
		}
	};
	for seed in all.clone() {
		let bytes = content(seed, 5000 + usize::from(seed));
		now.put(&format!("/bucket/{seed}"), &bytes, &[]).await.is(200);
	}
	// Waiting; packed and being placed; active.
	now.network.open.send_replace(false);
	now = next(now, at_once).await;
	read(&now, all.clone()).await;
	now.status_when(|status| status["contents"]["placing"]["count"] == 10).await;
	assert_eq!(now.spooled(), 1, "the pack");
	now = next(now, at_once).await;
	read(&now, all.clone()).await;
	now.network.open.send_replace(true);
	until_active(&now, 10).await;
	now = next(now, at_once).await;
	assert_eq!((now.spooled(), now.network.state().files.len()), (0, 1));
	read(&now, all.clone()).await;

	// Repacked and being placed, while one more is deleted; active.
	now.network.open.send_replace(false);
	delete(&now, &keys(0..6)).await;
	// Ten objects, their pack, and this one.
	while now.gateway.catalog.read(|reader| reader.content(11)).await.expect("reads").is_none() {
		sleep(Duration::from_millis(20)).await;
	}
	delete(&now, &keys(6..7)).await;
	now = next(now, at_once).await;
	read(&now, 7..10).await;
	now.network.open.send_replace(true);
	now.until_deleted(1).await;
	now = next(now, at_once).await;
	until_active(&now, 3).await;
	read(&now, 7..10).await;
	assert_eq!((now.spooled(), now.network.state().files.len()), (0, 1));
	let packs = now.gateway.catalog.read(|reader| {
		let mut packs = Vec::new();
		for number in 0..20 {
			if let Some(Kind::Pack(pack)) = reader.content(number)?.map(|content| content.kind) {
				packs.push(pack);
			}
		}
		Ok(packs)
	});
	let sizes = [5006, 5007, 5008, 5009];
	let (bytes, live) = (sizes.iter().sum(), sizes[1..].iter().sum());
	assert_eq!(packs.await.expect("reads"), [Pack { live, ..Pack::new(bytes, Vec::new()) }]);

	// The last ones go, and the file with them.
	delete(&now, &keys(7..10)).await;
	now.until_deleted(2).await;
	assert!(now.network.state().files.is_empty());
	now.stop().await;
}

async fn next(running: Running, change: fn(&mut Config)) -> Running {
	let next = running.crashed_now(change).await;
	running.network.open.send_replace(true);
	running.stop().await;
	next
}

#[tokio::test]
async fn what_is_read_of_a_pack_is_not_all_of_it_unless_it_is_read_again() {
	let running = running(|config| {
		(config.pack_below, config.pack_size, config.pack_after) = (100_000, 50 * 90_000, 3600);
	})
	.await;
	let size = 90_000;
	for seed in 0..50 {
		running.put(&format!("/bucket/{seed}"), &content(seed, size), &[]).await.is(200);
	}
	until_active(&running, 50).await;
	let read = |seed: u8| {
		let (running, path) = (&running, format!("/bucket/{seed}"));
		async move {
			let before = running.network.state().read;
			let got = running.s3(&path, &[]).await.is(200);
			assert!(got.body == content(seed, size));
			running.network.state().read - before
		}
	};
	// With what says how it is opened, and in whole frames.
	let little = read(0).await;
	assert!((90_000..300_000).contains(&little), "{little}");
	assert!(read(10).await > 4_000_000);
	assert_eq!([read(20).await, read(40).await], [0; 2]);
	running.stop().await;
}
