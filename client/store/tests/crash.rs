// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Processes that end in the middle of something. The test starts itself as the process that ends.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Disk, Memory, assert_no_litter, fragment_path, options, snapshot};
use planaria_store::{
	Begun, DiskStore, FragmentStore, FragmentStoreExt, Released,
	conformance::{Damage, Fixture, Sample, file, noise},
	disk::{Faults, Step},
};
use std::{
	collections::BTreeMap,
	env, fs,
	io::{self, BufRead, BufReader, Write},
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	sync::atomic::{AtomicU64, Ordering},
	thread,
};

const DIR: &str = "PLANARIA_STORE_CRASH_DIR";
const STEP: &str = "PLANARIA_STORE_CRASH_STEP";

/// Runs one of the `child_…` tests in a process of its own.
fn child(name: &str, dir: &Path, step: u64) -> Child {
	Command::new(env::current_exe().unwrap())
		.args(["--exact", name, "--ignored", "--nocapture", "--test-threads", "1"])
		.env(DIR, dir)
		.env(STEP, step.to_string())
		.stdout(Stdio::piped())
		.stderr(Stdio::null())
		.spawn()
		.unwrap()
}

/// The directory and the step at which to end, in a child.
fn orders() -> Option<(PathBuf, u64)> {
	Some((env::var_os(DIR)?.into(), env::var(STEP).ok()?.parse().ok()?))
}

/// Tells the parent something, at once.
fn say(what: &str) {
	let mut out = io::stdout().lock();
	writeln!(out, "\n#{what}").unwrap();
	out.flush().unwrap();
}

/// What a child said, as far as it came.
fn heard(child: &mut Child) -> impl Iterator<Item = String> + use<> {
	let lines = BufReader::new(child.stdout.take().unwrap()).lines();
	lines.map_while(Result::ok).filter_map(|line| Some(line.strip_prefix('#')?.to_owned()))
}

/// Ends the process, without any cleaning up, at a step.
#[derive(Debug)]
struct EndAt(AtomicU64);

impl Faults for EndAt {
	fn before(&self, _: Step, _: &Path) -> io::Result<()> {
		if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
			std::process::abort();
		}
		Ok(())
	}
}

/// A step of the story that is told with every possible end.
type Scene = Box<dyn Fn(&dyn FragmentStore)>;

/// Something of everything that changes a store.
fn story() -> Vec<Scene> {
	let [first, second, _] = <[Sample; 3]>::try_from(file(1, 640)).unwrap();
	let put = |sample: &Sample| -> Scene {
		let sample = sample.clone();
		Box::new(move |store| {
			sample.put(store).unwrap();
		})
	};
	let release = |sample: &Sample| -> Scene {
		let name = sample.of.name;
		Box::new(move |store| {
			store.release(&name).unwrap();
		})
	};
	let hash = first.hash;
	let kept = second.clone();
	vec![
		put(&first),
		put(&first.of_owner(8)),
		Box::new(move |store| {
			let Begun::Write(mut writer) = store.begin(kept.hash, &kept.of).unwrap() else {
				return;
			};
			writer.restart().unwrap();
			writer.write(&kept.bytes[..100]).unwrap();
			writer.keep().unwrap();
		}),
		put(&second),
		release(&first),
		Box::new(move |store| {
			store.quarantine(&hash).unwrap();
		}),
		put(&first.of_owner(9)),
		Box::new(move |store| {
			store.forget_quarantined(&hash).unwrap();
		}),
		release(&second),
		put(&second.of_owner(9)),
		release(&first.of_owner(8)),
		release(&first.of_owner(9)),
	]
}

/// Behind which scene the first fragment is damaged.
const DAMAGED_AFTER: usize = 4;

#[test]
#[ignore = "a process that other tests start"]
fn child_tells_the_story() {
	let Some((dir, step)) = orders() else { return };
	let mut options = options(1 << 20);
	options.faults = Some(std::sync::Arc::new(EndAt(AtomicU64::new(step))));
	let store = DiskStore::open(&dir, options).unwrap();
	say("opened");
	let hash = file(1, 640)[0].hash;
	for (at, scene) in story().iter().enumerate() {
		scene(&store);
		say("done");
		if at == DAMAGED_AFTER {
			let path = fragment_path(&dir, &hash);
			fs::write(&path, Damage::Flip(5).apply(fs::read(&path).unwrap()).unwrap()).unwrap();
		}
	}
	say("end");
}

#[test]
#[ignore = "a process that other tests start"]
fn child_opens() {
	let Some((dir, step)) = orders() else { return };
	let mut options = options(1 << 20);
	options.faults = Some(std::sync::Arc::new(EndAt(AtomicU64::new(step))));
	drop(DiskStore::open(&dir, options).unwrap());
	say("end");
}

/// For every step of everything: a process that ends there leaves the state before or after.
#[test]
fn every_step_is_a_good_one_to_crash_at() {
	let mut memory = Memory::new(1 << 20);
	let mut states = vec![snapshot(memory.store())];
	let mut damaged = None;
	for (at, scene) in story().iter().enumerate() {
		scene(memory.store());
		states.push(snapshot(memory.store()));
		if at == DAMAGED_AFTER {
			memory.damage(&file(1, 640)[0].hash, Damage::Flip(5));
			damaged = Some(snapshot(memory.store()));
		}
	}
	let mut again = 0;
	for step in 1.. {
		let mut disk = Disk::fast(1 << 20);
		disk.close();
		let mut process = child("child_tells_the_story", disk.root(), step);
		let said: Vec<_> = heard(&mut process).collect();
		let ended = process.wait().unwrap();
		let done = said.iter().filter(|what| *what == "done").count();
		let whole = said.iter().any(|what| what == "end");
		assert_eq!(ended.success(), whole, "step {step}: {said:?}");
		// Crash again while the store is opened, every time a little later.
		again = again % 8 + 1;
		let mut process = child("child_opens", disk.root(), again);
		heard(&mut process).for_each(drop);
		process.wait().unwrap();
		for kind in ["open", "rebuild"] {
			disk.options.rebuild = kind == "rebuild";
			disk.open();
			let found = snapshot(disk.store());
			let mut good = vec![&states[done], &states[(done + 1).min(states.len() - 1)]];
			if done == DAMAGED_AFTER + 1 {
				good.extend(&damaged);
			}
			assert!(
				good.contains(&&found),
				"step {step}, {done} done, {kind}:\n{found:#?}\nis none of\n{good:#?}",
			);
			assert_no_litter(&disk);
		}
		for sample in &file(1, 640) {
			disk.store().quarantine(&sample.hash).unwrap();
			sample.put(disk.store()).unwrap();
			assert!(disk.store().verify(&sample.hash).unwrap().is_whole());
		}
		if whole {
			assert!(step > 100, "only {step} steps: the faults are not asked any more");
			return;
		}
	}
}

/// Fragment number `n` of the endless writer.
fn endless(n: u64) -> Sample {
	let fragments = [noise(3 * n, 16 << 10), noise(3 * n + 1, 16 << 10)];
	planaria_store::conformance::file_of(&fragments, 1, n)[0].clone()
}

#[test]
#[ignore = "a process that other tests start"]
fn child_writes_endlessly() {
	let Some((dir, first)) = orders() else { return };
	let store = DiskStore::open(&dir, options(1 << 30)).unwrap();
	thread::scope(|scope| {
		for thread in 0..3 {
			let store = &store;
			scope.spawn(move || {
				for n in (first + thread..).step_by(3) {
					let sample = endless(n);
					sample.put(store).unwrap();
					say(&format!("put {n}"));
					if n % 2 == 0 {
						say(&format!("releasing {n}"));
						store.release(&sample.of.name).unwrap();
						say(&format!("released {n}"));
					}
				}
			});
		}
	});
}

/// `kill -9` at any moment: what was acknowledged is there, what was released is not.
#[test]
fn kill_9_loses_nothing_acknowledged() {
	let mut disk = Disk::fast(1 << 30);
	let mut said = BTreeMap::new();
	let mut first = 0;
	for round in 0..12 {
		disk.close();
		let mut process = child("child_writes_endlessly", disk.root(), first);
		for (at, line) in heard(&mut process).enumerate() {
			// What it said until then is still in the pipe.
			if at == 5 + 3 * round {
				process.kill().unwrap(); // SIGKILL
			}
			if let Some((what, n)) = line.split_once(' ')
				&& let Ok(n) = n.parse::<u64>()
			{
				said.insert(n, what.to_owned());
			}
		}
		assert!(!process.wait().unwrap().success());
		let last = said.last_key_value().map_or(0, |(n, _)| n + 1);
		disk.open();
		for n in 0..last + 6 {
			let sample = endless(n);
			let here = disk.store().entry(&sample.of.name).unwrap().is_some();
			match said.get(&n).map(String::as_str) {
				Some("put") => assert!(here, "{n} was acknowledged"),
				Some("released") => assert!(!here, "{n} was released"),
				_ => {},
			}
			if here {
				assert!(disk.store().verify(&sample.hash).unwrap().is_whole(), "{n}");
			} else {
				assert_eq!(disk.store().release(&sample.of.name).unwrap(), Released::Unknown);
			}
		}
		assert_no_litter(&disk);
		let before = snapshot(disk.store());
		disk.get().rebuild().unwrap();
		assert_eq!(snapshot(disk.store()), before);
		first = last + 6;
	}
	assert!(
		said.values().any(|what| what == "put") && said.values().any(|what| what == "released")
	);
	let pass = disk.store().verify_all(None, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
	assert_eq!(pass.bad, 0);
	assert!(pass.fragments > 10, "{pass:?}");
}
