// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A disk that is really full: one in memory, where the system lets a test have one of its own.

use super::{Memory, Running, content};
use crate::catalog::{Headers, Object};
use std::{
	env, fs,
	io::{ErrorKind, Write},
	path::{Path, PathBuf},
	process::Command,
	sync::Arc,
	time::Duration,
};
use tokio::time::sleep;

const DISK: &str = "PLANARIA_TEST_DISK";

/// Runs a command in namespaces in which a disk of 96 MiB is at this path.
fn with_disk(path: &Path, command: &[&str]) -> std::io::Result<std::process::Output> {
	let script = r#"mount -t tmpfs -o size=96m tmpfs "$0" && exec "$@""#;
	Command::new("unshare")
		.args(["-Urm", "sh", "-c", script])
		.arg(path)
		.args(command)
		.env(DISK, path)
		.output()
}

#[test]
fn a_full_disk_says_so_and_loses_nothing() {
	let disk = tempfile::tempdir().expect("a directory");
	match with_disk(disk.path(), &["true"]) {
		Ok(output) if output.status.success() => {},
		refused => {
			eprintln!("not tested: this system gives no disk of its own to a test: {refused:?}");
			return;
		},
	}
	let program = env::current_exe().expect("it runs");
	let program = program.to_str().expect("text");
	let test = "tests::full::on_a_disk_of_its_own";
	let output = with_disk(disk.path(), &[program, "--exact", test, "--ignored", "--nocapture"]);
	let output = output.expect("it runs");
	let said = String::from_utf8_lossy(&output.stdout);
	assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
	assert!(said.contains("1 passed"), "{said}");
}

/// Takes all that is free.
fn fill(path: &Path) {
	let mut file = fs::File::create(path).expect("made");
	for len in [1 << 20, 4096] {
		loop {
			match file.write_all(&vec![1; len]) {
				Ok(()) => {},
				Err(error) if error.kind() == ErrorKind::StorageFull => break,
				Err(error) => panic!("{error}"),
			}
		}
	}
}

/// Makes the catalog larger by half a megabyte.
async fn grow(running: &Running, round: usize) {
	let grown = running.gateway.catalog.write(move |writer| {
		let bucket = writer.bucket("other")?;
		for number in 0..500 {
			let object = Object {
				content: None,
				size: 0,
				etag: "0".repeat(1000),
				modified: 0,
				headers: Headers::default(),
				parts: Vec::new(),
				checksum: None,
				public: false,
			};
			writer.put_object(("other", &bucket), &format!("{round}-{number}"), &object)?;
		}
		Ok(())
	});
	grown.await.expect("there is room");
}

#[tokio::test]
#[ignore = "it is run by the one above, with a disk"]
async fn on_a_disk_of_its_own() {
	let disk = PathBuf::from(env::var_os(DISK).expect("it is run with a disk"));
	let data = Arc::new(tempfile::tempdir_in(&disk).expect("a directory"));
	let (ballast, reserve) = (disk.join("ballast"), data.path().join("reserve"));
	let running = Running::with(data, Memory::new(), |_| {}).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.network.open.send_replace(false);
	let kept = content(1, 6 << 20);
	running.put("/bucket/kept", &kept, &[]).await.is(200);
	running.put("/bucket/gone", b"gone", &[]).await.is(200);
	assert!(reserve.exists());

	// While an object comes that is larger than the reserve: the catalog may need that at any time.
	let bytes = content(2, 20 << 20);
	let slow = running.put("/bucket/slow", &bytes, &["--limit-rate", "8M"]);
	let filled = async {
		sleep(Duration::from_millis(500)).await;
		fill(&ballast);
	};
	let (slow, ()) = tokio::join!(slow, filled);
	slow.fails(507, "InsufficientStorage");
	// What came of it is gone again, and not enough for this.
	let more = content(3, 40 << 20);
	running.put("/bucket/k", &more, &[]).await.fails(507, "InsufficientStorage");

	// All the rest goes on.
	running.s3("/other", &["-X", "PUT"]).await.is(200);
	grow(&running, 0).await;
	for round in 1..100 {
		if reserve.exists() {
			grow(&running, round).await;
		}
	}
	assert!(!reserve.exists(), "the catalog did without");
	running.s3("/bucket/gone", &["-X", "DELETE"]).await.is(204);
	let is_right = async |running: &Running| {
		assert!(running.s3("/bucket/kept", &[]).await.is(200).body == kept);
		running.s3("/bucket/gone", &[]).await.fails(404, "NoSuchKey");
		running.s3("/bucket/slow", &[]).await.fails(404, "NoSuchKey");
		running.s3("/other/0-499", &["-I"]).await.is(200);
	};
	is_right(&running).await;
	let crashed = running.crashed_now(|_| {}).await;
	is_right(&crashed).await;
	crashed.stop().await;

	fs::remove_file(&ballast).expect("removed");
	running.put("/bucket/slow", &bytes, &[]).await.is(200);
	assert!(reserve.exists());
	running.network.open.send_replace(true);
	running.until_active().await;
	assert!(running.s3("/bucket/slow", &[]).await.is(200).body == bytes);
	running.stop().await;
}
