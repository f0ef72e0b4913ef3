// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is particular about a disk: layout, lock, manifest, faults, a full file system.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Disk, assert_no_litter, files, options, snapshot};
use planaria_store::{
	BeginError, Begun, CommitError, DiskOptions, DiskStore, FragmentStore, FragmentStoreExt, Note,
	OpenError, Put, PutError, ReadError, Released, StoreError, Verdict, WriteError,
	conformance::{Damage, Fixture, Sample, file, noise},
	disk::{Faults, Rebuilt, Step},
};
use std::{
	fs,
	io::{self, ErrorKind},
	path::Path,
	process::Command,
	sync::{
		Arc, Mutex,
		atomic::{AtomicBool, Ordering},
	},
	time::{Duration, SystemTime},
};

/// A disk with some fragments: a shared one, a quarantined one that was replaced, a broken one.
fn full_of_everything() -> Disk {
	let mut disk = Disk::fast(1 << 20);
	let samples = file(1, 640);
	for sample in samples.iter().chain(&file(2, 64)) {
		sample.put(disk.store()).unwrap();
	}
	samples[0].of_owner(7).put(disk.store()).unwrap();
	disk.damage(&samples[1].hash, Damage::Flip(9));
	disk.store().quarantine(&samples[1].hash).unwrap();
	samples[1].put(disk.store()).unwrap();
	disk.damage(&samples[2].hash, Damage::Shorten);
	disk.store().quarantine(&samples[2].hash).unwrap();
	disk
}

#[test]
fn fragments_lie_under_their_hash() {
	let disk = Disk::new(1 << 20);
	let sample = &file(1, 640)[0];
	sample.put(disk.store()).unwrap();
	let hash = blake3::hash(&sample.bytes).to_hex().to_string();
	let dir = disk.root().join("fragments").join(&hash[..2]).join(&hash[2..4]);
	assert_eq!(fs::read(dir.join(&hash)).unwrap(), sample.bytes);
	assert_eq!(fs::metadata(dir.join(format!("{hash}.side"))).unwrap().len(), 1024);
	let mut expected = vec![
		dir.join(&hash),
		dir.join(format!("{hash}.side")),
		disk.root().join("intents"),
		disk.root().join("planaria-store"),
	];
	expected.sort();
	assert_eq!(files(disk.root()), expected);
	let marker = fs::read_to_string(disk.root().join("planaria-store")).unwrap();
	assert!(marker.starts_with("planaria-store 1\nid "), "{marker}");
}

#[test]
fn only_one_opens_a_store() {
	let mut disk = Disk::new(1 << 20);
	match DiskStore::open(disk.root(), options(1)) {
		Err(error @ OpenError::Locked { .. }) => {
			let text = error.to_string();
			assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
		},
		other => panic!("{other:?}"),
	}
	// A write in progress keeps it open.
	let sample = &file(1, 640)[0];
	let writer = sample.write(disk.store());
	disk.close();
	let locked = DiskStore::open(disk.root(), options(1));
	assert!(matches!(locked, Err(OpenError::Locked { .. })));
	drop(writer);
	disk.open();
}

#[test]
fn other_directories_are_left_alone() {
	let dir = tempfile::tempdir().unwrap();
	fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
	for rebuild in [false, true] {
		let options = DiskOptions { rebuild, ..options(1) };
		match DiskStore::open(dir.path(), options) {
			Err(OpenError::NotAStore { found, .. }) => assert_eq!(found, "thesis.tex"),
			other => panic!("{other:?}"),
		}
	}
	assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
	let path = dir.path().join("thesis.tex");
	let error = DiskStore::open(&path, options(1)).unwrap_err();
	assert!(matches!(error, OpenError::Store(StoreError::Io { .. })), "{error}");
	// A fresh file system has this directory.
	let dir = tempfile::tempdir().unwrap();
	fs::create_dir(dir.path().join("lost+found")).unwrap();
	DiskStore::open(dir.path(), options(1)).unwrap();
	let dir = tempfile::tempdir().unwrap();
	DiskStore::open(dir.path().join("new/deeper"), options(1)).unwrap();
}

#[test]
fn the_marker_is_checked() {
	let mut disk = full_of_everything();
	let before = snapshot(disk.store());
	disk.close();
	let marker = disk.root().join("planaria-store");
	let text = fs::read_to_string(&marker).unwrap();
	fs::write(&marker, text.replace("store 1", "store 2")).unwrap();
	let error = DiskStore::open(disk.root(), options(1)).unwrap_err();
	assert!(matches!(error, OpenError::Version { found: 2, known: 1, .. }), "{error}");
	for bad in ["", "planaria-store 1\n", "planaria-store 1\nid xyz\n", "\u{0}\u{ff}", "id\n"] {
		fs::write(&marker, bad).unwrap();
		let error = DiskStore::open(disk.root(), options(1)).unwrap_err();
		assert!(matches!(error, OpenError::BadMarker { .. }), "{bad}: {error}");
	}
	fs::remove_file(&marker).unwrap();
	let error = DiskStore::open(disk.root(), options(1)).unwrap_err();
	assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
	// What the messages advise.
	disk.options.rebuild = true;
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
	disk.options.rebuild = false;
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
}

/// The directory of a file system that is not mounted is no place for a new store.
#[test]
fn a_known_store_is_not_made_anew() {
	let mut disk = full_of_everything();
	let before = snapshot(disk.store());
	let known = Some(disk.get().id());
	disk.options.known = known;
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
	assert_eq!(Some(disk.get().id()), known);
	// Another one is not taken for it.
	let mut other = Disk::fast(1 << 20);
	assert_ne!(Some(other.get().id()), known);
	other.close();
	let error = DiskStore::open(other.root(), disk.options.clone()).unwrap_err();
	assert!(matches!(error, OpenError::AnotherStore { .. }), "{error}");
	// Nothing is made of an empty directory, nor of none.
	let dir = tempfile::tempdir().unwrap();
	let gone = dir.path().join("gone");
	for rebuild in [false, true] {
		let options = DiskOptions { rebuild, known, ..options(1 << 20) };
		for root in [dir.path(), gone.as_path()] {
			let error = DiskStore::open(root, options.clone()).unwrap_err();
			assert!(matches!(error, OpenError::NoStore { .. }), "{error}");
			assert!(error.to_string().contains("mounted"), "{error}");
		}
	}
	assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
	// Where only the marker is lost, a rebuild makes another.
	disk.close();
	let marker = disk.root().join("planaria-store");
	for lost in [true, false] {
		if lost {
			fs::remove_file(&marker).unwrap();
		} else {
			fs::write(&marker, "").unwrap();
		}
		disk.options.rebuild = false;
		assert!(DiskStore::open(disk.root(), disk.options.clone()).is_err());
		disk.options.rebuild = true;
		disk.open();
		assert_eq!(snapshot(disk.store()), before);
		disk.close();
	}
}

#[test]
fn a_bad_manifest_is_made_anew() {
	let mut disk = full_of_everything();
	let before = snapshot(disk.store());
	disk.close();
	let manifest = disk.manifest();
	let good = fs::read(&manifest).unwrap();
	let mut bad: Vec<Vec<u8>> = vec![Vec::new(), b"not a database".to_vec(), vec![0; 1 << 16]];
	bad.extend([1, 100, 320, 4096, good.len() / 2, good.len() - 1].map(|len| good[..len].to_vec()));
	// A flipped bit anywhere: every byte of the header, some of the rest.
	for at in (0..320).chain((320..good.len()).step_by(good.len() / 200)) {
		let mut bytes = good.clone();
		bytes[at] ^= 1 << (at % 8);
		bad.push(bytes);
	}
	for bytes in bad {
		fs::write(&manifest, &bytes).unwrap();
		disk.open();
		assert_eq!(snapshot(disk.store()), before);
		disk.close();
	}
	fs::remove_file(&manifest).unwrap();
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
	// Where a rebuild is asked for, it is not even opened.
	disk.close();
	fs::write(&manifest, &good[..4096]).unwrap();
	disk.options.rebuild = true;
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
	disk.options.rebuild = false;
	// That of another store is not believed, even where it is sound.
	let mut other = Disk::fast(1 << 20);
	disk.close();
	other.close();
	fs::copy(other.manifest(), &manifest).unwrap();
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
}

#[test]
fn a_rebuild_finds_what_is_there() {
	let disk = full_of_everything();
	let other = Disk::fast(1 << 20);
	// Put there by other means.
	let moved = &file(5, 640)[0];
	moved.put(other.store()).unwrap();
	let (path, side) = (disk.path(&moved.hash), disk.side(&moved.hash));
	fs::create_dir_all(path.parent().unwrap()).unwrap();
	fs::copy(other.path(&moved.hash), &path).unwrap();
	fs::copy(other.side(&moved.hash), &side).unwrap();
	// Nobody knows what these are for: no sidecar file, that of another fragment, an empty one.
	let lost = [&file(6, 640)[0], &file(6, 640)[1], &file(6, 640)[2]];
	for (sample, with) in lost.iter().zip([None, Some(fs::read(&side).unwrap()), Some(Vec::new())])
	{
		let path = disk.path(&sample.hash);
		fs::create_dir_all(path.parent().unwrap()).unwrap();
		fs::write(path, &sample.bytes).unwrap();
		if let Some(bytes) = with {
			fs::write(disk.side(&sample.hash), bytes).unwrap();
		}
	}
	// A sidecar file without bytes says what has to be restored.
	let gone = &file(2, 64)[0];
	fs::remove_file(disk.path(&gone.hash)).unwrap();
	// Not ours.
	fs::write(disk.root().join("fragments/README"), "?").unwrap();
	fs::write(path.with_file_name("README"), "?").unwrap();

	assert!(disk.store().entry(&moved.of.name).unwrap().is_none());
	let before = disk.store().usage().unwrap();
	let rebuilt = disk.get().rebuild().unwrap();
	assert_eq!(rebuilt, Rebuilt { fragments: 7, names: 8, broken: 2, unreadable: 0 });
	let after = disk.store().usage().unwrap();
	assert_eq!((after.fragments, after.names, after.broken), (7, 8, 2));
	assert_eq!(after.used, before.used + 640 - 64);
	assert_eq!(after.quarantined, before.quarantined + 3 * 640);
	assert_eq!(disk.store().read(&moved.hash, 0..640).unwrap(), moved.bytes);
	assert_eq!(disk.store().entry(&moved.of.name).unwrap().unwrap().of, moved.of);
	assert!(matches!(disk.store().open(&gone.hash), Err(ReadError::Broken(_))));
	for sample in lost {
		assert_eq!(disk.store().fragment(&sample.hash).unwrap(), None);
		assert_eq!(disk.store().forget_quarantined(&sample.hash).unwrap(), 640);
	}
	assert_eq!(disk.get().rebuild().unwrap(), rebuilt);
	assert!(path.with_file_name("README").exists());
}

#[test]
fn sidecar_files_and_manifest_heal_each_other() {
	let mut disk = full_of_everything();
	let before = snapshot(disk.store());
	let hashes: Vec<_> =
		disk.store().fragments(None, 99).unwrap().into_iter().map(|it| it.hash).collect();
	for damage in Damage::ALL {
		for hash in &hashes {
			let side = disk.side(hash);
			match damage.apply(fs::read(&side).unwrap()) {
				Some(bytes) => fs::write(&side, bytes).unwrap(),
				None => fs::remove_file(&side).unwrap(),
			}
			disk.store().verify(hash).unwrap();
			assert!(fs::metadata(&side).unwrap().len() >= 1024);
		}
		disk.close();
		fs::remove_file(disk.manifest()).unwrap();
		disk.open();
		assert_eq!(snapshot(disk.store()), before, "{damage:?}");
	}
	// A change heals, too.
	let sample = &file(1, 640)[0];
	fs::remove_file(disk.side(&sample.hash)).unwrap();
	let released = disk.store().release(&sample.of.name).unwrap();
	assert_eq!(released, Released::Kept { names: 1 });
	fs::remove_file(disk.side(&sample.hash)).unwrap();
	assert_eq!(sample.put(disk.store()).unwrap(), Put::Had);
	disk.close();
	fs::remove_file(disk.manifest()).unwrap();
	disk.open();
	assert_eq!(snapshot(disk.store()), before);
}

#[test]
fn sidecar_files_do_not_grow_without_end() {
	let mut disk = Disk::fast(1 << 20);
	let sample = &file(1, 640)[0];
	let side = disk.side(&sample.hash);
	sample.put(disk.store()).unwrap();
	for owner in 100..400 {
		sample.of_owner(owner).put(disk.store()).unwrap();
		disk.store().release(&sample.of_owner(owner).of.name).unwrap();
		assert!(fs::metadata(&side).unwrap().len() <= 24 << 10);
	}
	for owner in 100..140 {
		sample.of_owner(owner).put(disk.store()).unwrap();
	}
	let before = snapshot(disk.store());
	disk.get().rebuild().unwrap();
	assert_eq!(snapshot(disk.store()), before);
	assert_eq!(disk.store().fragment(&sample.hash).unwrap().unwrap().names, 41);
	for owner in 100..140 {
		disk.store().release(&sample.of_owner(owner).of.name).unwrap();
	}
	assert!(fs::metadata(&side).unwrap().len() <= 96 << 10);
	disk.open();
	assert_eq!(disk.store().uses(&sample.hash, None, 9).unwrap(), std::slice::from_ref(&sample.of));
}

fn keep(disk: &Disk, sample: &Sample, len: usize) {
	let mut writer = sample.write(disk.store());
	writer.write(&sample.bytes[..len]).unwrap();
	writer.keep().unwrap();
}

fn age(disk: &Disk, sample: &Sample, by: Duration) {
	let path = disk.root().join("partial").join(sample.hash.to_string());
	fs::File::options()
		.write(true)
		.open(path)
		.unwrap()
		.set_modified(SystemTime::now() - by)
		.unwrap();
}

#[test]
fn interrupted_writes_are_tidied_up() {
	let mut disk = Disk::fast(1 << 20);
	let [old, newer, newest] = <[Sample; 3]>::try_from(file(1, 640)).unwrap();
	for sample in [&old, &newer, &newest] {
		keep(&disk, sample, 600);
	}
	disk.close();
	age(&disk, &old, Duration::from_secs(48 * 3600));
	age(&disk, &newer, Duration::from_secs(3600));
	let partial = disk.root().join("partial");
	fs::write(partial.join("stray"), "?").unwrap();
	fs::write(partial.join(file(2, 640)[0].hash.to_string()), "").unwrap();
	disk.open();
	assert_eq!(disk.store().usage().unwrap().reserved, 1200);
	assert_eq!(files(&partial).len(), 2);
	// The budget is for the newest.
	disk.options.partial_budget = 600;
	disk.open();
	assert_eq!(disk.store().usage().unwrap().reserved, 600);
	assert_eq!(newest.write(disk.store()).offset(), 600);
	// While the store is open, too.
	keep(&disk, &old, 300);
	disk.options.partial_age = Duration::ZERO;
	disk.open();
	assert_eq!(files(&partial).len(), 0);
	keep(&disk, &old, 300);
	disk.get().tidy().unwrap();
	assert_eq!((files(&partial).len(), disk.store().usage().unwrap().reserved), (0, 0));
	// What is longer than the fragment was never its beginning.
	disk.options.partial_age = Duration::from_secs(3600);
	disk.close();
	fs::write(partial.join(old.hash.to_string()), [0; 641]).unwrap();
	disk.open();
	assert_eq!(old.write(disk.store()).offset(), 0);
	old.put(disk.store()).unwrap();
	// And of a fragment that is here nothing is left to write.
	fs::write(partial.join(old.hash.to_string()), [0; 64]).unwrap();
	disk.open();
	assert_eq!(files(&partial).len(), 0);
}

/// Says what happened, and fails as it is told.
#[derive(Debug, Default)]
struct Plan(Mutex<State>);

#[derive(Debug, Default)]
struct State {
	seen: Vec<Step>,
	fail: Option<Fail>,
}

#[derive(Clone, Copy, Debug)]
enum Fail {
	/// Only the step with this number, counted from 1.
	Once(usize, ErrorKind),
	/// All of them from this one on, but not reading.
	From(usize, ErrorKind),
	/// All reading.
	Reads(ErrorKind),
}

impl Faults for Plan {
	fn before(&self, step: Step, _: &Path) -> io::Result<()> {
		let mut state = self.0.lock().unwrap();
		let kind = match state.fail {
			Some(Fail::Reads(kind)) => (step == Step::Read).then_some(kind),
			_ if step == Step::Read => None,
			fail => {
				state.seen.push(step);
				let number = state.seen.len();
				match fail {
					Some(Fail::Once(at, kind)) if number == at => Some(kind),
					Some(Fail::From(at, kind)) if number >= at => Some(kind),
					_ => None,
				}
			},
		};
		kind.map_or(Ok(()), |kind| Err(kind.into()))
	}
}

impl Plan {
	fn set(&self, fail: Option<Fail>) {
		*self.0.lock().unwrap() = State { seen: Vec::new(), fail };
	}

	fn seen(&self) -> Vec<Step> {
		self.0.lock().unwrap().seen.clone()
	}
}

fn with_plan() -> (Disk, Arc<Plan>) {
	let plan = Arc::new(Plan::default());
	let mut disk = Disk::fast(1 << 20);
	disk.options.faults = Some(plan.clone());
	disk.open();
	(disk, plan)
}

/// Nothing is acknowledged before it is synced, and in the right order.
#[test]
fn everything_is_synced_in_order() {
	use Step::{
		Commit, Intend, MakeDir, Remove, Rename, Reserve, Settle, Sync, SyncDir, SyncSide, Write,
		WriteSide,
	};
	let (disk, plan) = with_plan();
	let sample = &file(1, 640)[0];
	let expect = |what: &str, steps: &[Step]| {
		assert_eq!(plan.seen(), steps, "{what}");
		plan.set(None);
	};
	plan.set(None);
	sample.put(disk.store()).unwrap();
	#[rustfmt::skip]
	expect("put", &[
		Write, Reserve, Write, Sync,
		Intend, MakeDir, SyncDir, MakeDir, SyncDir,
		Remove, Write, WriteSide, SyncSide, Rename,
		Rename, SyncDir, Commit, Settle,
	]);
	sample.put(disk.store()).unwrap();
	expect("put again", &[]);
	sample.of_owner(2).put(disk.store()).unwrap();
	expect("another use", &[Intend, Write, WriteSide, SyncSide, Commit, Settle]);
	disk.store().release(&sample.of.name).unwrap();
	expect("release", &[Intend, Write, WriteSide, SyncSide, Commit, Settle]);
	fs::write(disk.path(&sample.hash), "wrong").unwrap();
	disk.store().quarantine(&sample.hash).unwrap();
	expect("quarantine", &[Intend, Rename, SyncDir, SyncDir, Commit, Settle]);
	sample.put(disk.store()).unwrap();
	#[rustfmt::skip]
	expect("restore", &[
		Write, Reserve, Write, Sync,
		Intend, Write, WriteSide, SyncSide, Rename, SyncDir, Commit, Settle,
	]);
	disk.store().forget_quarantined(&sample.hash).unwrap();
	expect("forget", &[Intend, Remove, SyncDir, Commit, Settle]);
	disk.store().release(&sample.of.name).unwrap();
	plan.set(None);
	disk.store().release(&sample.of_owner(2).of.name).unwrap();
	expect("remove", &[Intend, Remove, Remove, Remove, SyncDir, Commit, Settle]);
}

/// Something that changes a store, and what must be so before.
type Change = (&'static str, fn(&mut Disk), fn(&Disk) -> Result<(), String>);

fn changes() -> [Change; 8] {
	fn text<E: ToString>(error: E) -> String {
		error.to_string()
	}
	fn first() -> Sample {
		file(1, 640).remove(0)
	}
	fn put(disk: &mut Disk) {
		first().put(disk.store()).unwrap();
	}
	fn put_two(disk: &mut Disk) {
		put(disk);
		first().of_owner(2).put(disk.store()).unwrap();
	}
	fn damage(disk: &mut Disk) {
		put(disk);
		disk.damage(&first().hash, Damage::Flip(1));
	}
	fn break_it(disk: &mut Disk) {
		damage(disk);
		disk.store().quarantine(&first().hash).unwrap();
	}
	fn replace(disk: &mut Disk) {
		break_it(disk);
		put(disk);
	}
	[
		("put", |_| (), |disk| first().put(disk.store()).map(drop).map_err(text)),
		("use", put, |disk| first().of_owner(2).put(disk.store()).map(drop).map_err(text)),
		("release", put_two, |disk| disk.store().release(&first().of.name).map(drop).map_err(text)),
		("remove", put, |disk| disk.store().release(&first().of.name).map(drop).map_err(text)),
		("remove all", replace, |disk| {
			disk.store().release(&first().of.name).map(drop).map_err(text)
		}),
		("quarantine", damage, |disk| {
			disk.store().quarantine(&first().hash).map(drop).map_err(text)
		}),
		("restore", break_it, |disk| first().of_owner(2).put(disk.store()).map(drop).map_err(text)),
		("forget", replace, |disk| {
			disk.store().forget_quarantined(&first().hash).map(drop).map_err(text)
		}),
	]
}

/// Every step of every change fails once, or from then on: the store is as before or after, goes on
/// when the disk does, and opens again.
#[test]
fn every_step_may_fail() {
	for (what, prepare, change) in changes() {
		for fail_on in [false, true] {
			for at in 1.. {
				let (mut disk, plan) = with_plan();
				prepare(&mut disk);
				let before = snapshot(disk.store());
				let kind = ErrorKind::Other;
				plan.set(Some(if fail_on { Fail::From(at, kind) } else { Fail::Once(at, kind) }));
				let result = change(&disk);
				let steps = plan.seen().len();
				plan.set(None);
				if steps < at {
					result.unwrap();
					assert!(at > 4, "{what} has only {at} steps");
					break;
				}
				let note = format!("{what}, step {at} of {steps} fails, {fail_on}: {result:?}");
				let failed = snapshot(disk.store());
				// Where nothing can be tidied up either, that waits until the disk goes on.
				if result.is_err() && what != "quarantine" && !fail_on {
					let (mut other, _) = with_plan();
					prepare(&mut other);
					change(&other).unwrap();
					let good = [before.clone(), snapshot(other.store())];
					assert!(good.contains(&failed), "{note}\n{failed:#?}\nis none of\n{good:#?}");
				}
				change(&disk).unwrap_or_else(|error| panic!("{note}: {error}"));
				let after = snapshot(disk.store());
				assert_no_litter(&disk);
				disk.crash();
				assert_eq!(snapshot(disk.store()), after, "{note}");
				disk.get().rebuild().unwrap();
				assert_eq!(snapshot(disk.store()), after, "{note}");
				assert_no_litter(&disk);
			}
		}
	}
}

#[test]
fn a_disk_that_cannot_read_is_told_from_wrong_bytes() {
	let (disk, plan) = with_plan();
	let sample = &file(1, 640)[0];
	sample.put(disk.store()).unwrap();
	plan.set(Some(Fail::Reads(ErrorKind::Other)));
	let verdict = disk.store().verify(&sample.hash).unwrap();
	assert!(matches!(verdict, Verdict::Unreadable(_)), "{verdict:?}");
	let error = disk.store().read(&sample.hash, 0..64).unwrap_err();
	assert!(matches!(error, ReadError::Store(StoreError::Io { .. })), "{error}");
	plan.set(None);
	assert!(disk.store().verify(&sample.hash).unwrap().is_whole());
	// It is left alone, and nothing is written over it.
	plan.set(Some(Fail::Reads(ErrorKind::Other)));
	let verdict = disk.store().quarantine(&sample.hash).unwrap();
	assert!(matches!(verdict, Verdict::Unreadable(_)), "{verdict:?}");
	let other = sample.of_owner(2);
	let error = disk.store().begin(sample.hash, &other.of).unwrap_err();
	assert!(matches!(error, BeginError::Store(StoreError::Io { .. })), "{error}");
	assert_eq!(disk.store().broken(None, 9).unwrap(), []);
	plan.set(None);
	assert_eq!(disk.store().read(&sample.hash, 0..64).unwrap(), sample.bytes[..64]);
	// It can be given up, and comes back when it is stored again.
	plan.set(Some(Fail::Reads(ErrorKind::Other)));
	let verdict = disk.store().give_up(&sample.hash).unwrap();
	let Verdict::Unreadable(error) = verdict else { panic!("{verdict:?}") };
	assert!(error.to_string().contains(&sample.hash.to_string()), "{error}");
	plan.set(None);
	assert!(matches!(disk.store().open(&sample.hash), Err(ReadError::Broken(_))));
	assert_eq!(sample.put(disk.store()).unwrap(), Put::Stored);
	assert_eq!(disk.store().forget_quarantined(&sample.hash).unwrap(), 640);
	// What can be read is not given up.
	assert!(disk.store().give_up(&sample.hash).unwrap().is_whole());
	assert_eq!(disk.store().read(&sample.hash, 0..64).unwrap(), sample.bytes[..64]);
}

/// Panics where the manifest is committed, as redb does on a file that is damaged.
#[derive(Debug, Default)]
struct Bomb(AtomicBool);

impl Faults for Bomb {
	fn before(&self, step: Step, _: &Path) -> io::Result<()> {
		assert!(step != Step::Commit || !self.0.load(Ordering::Relaxed), "a page is damaged");
		Ok(())
	}
}

#[test]
fn a_store_whose_manifest_panics_refuses_everything_until_that_is_made_anew() {
	let bomb = Arc::new(Bomb::default());
	let mut disk = Disk::fast(1 << 20);
	disk.options.faults = Some(bomb.clone());
	disk.open();
	let samples = file(1, 640);
	samples[0].put(disk.store()).unwrap();
	for (restarted, sample) in [(false, &samples[1]), (true, &samples[2])] {
		let store = disk.store();
		bomb.0.store(true, Ordering::Relaxed);
		match sample.put(store) {
			Err(PutError::Commit(CommitError::Store(error @ StoreError::Manifest(_)))) => {
				assert!(error.to_string().contains("a page is damaged"), "{error}");
				assert!(error.to_string().contains("--rebuild-store"), "{error}");
			},
			other => panic!("{other:?}"),
		}
		// Whether it would panic again is not tried.
		bomb.0.store(false, Ordering::Relaxed);
		let (name, hash) = (&samples[0].of.name, &samples[0].hash);
		let begun = store.begin(*hash, &samples[0].of).unwrap_err();
		assert!(matches!(begun, BeginError::Store(StoreError::Manifest(_))), "{begun}");
		let read = store.read(hash, 0..640).unwrap_err();
		assert!(matches!(read, ReadError::Store(StoreError::Manifest(_))), "{read}");
		for error in [
			store.entry(name).unwrap_err(),
			store.verify(hash).unwrap_err(),
			store.release(name).unwrap_err(),
			store.usage().unwrap_err(),
		] {
			assert!(matches!(error, StoreError::Manifest(_)), "{error}");
		}
		if restarted {
			disk.open();
		} else {
			disk.get().rebuild().unwrap();
		}
		for sample in [&samples[0], sample] {
			sample.put(disk.store()).unwrap();
			assert_eq!(disk.store().read(&sample.hash, 0..640).unwrap(), sample.bytes);
		}
		assert_no_litter(&disk);
	}
}

/// The directory below an unmounted file system is empty: nothing in it is missing.
#[test]
fn a_store_that_was_taken_away_is_unreadable() {
	let disk = Disk::fast(1 << 20);
	let sample = &file(1, 640)[0];
	sample.put(disk.store()).unwrap();
	let away = disk.root().with_extension("away");
	fs::rename(disk.root(), &away).unwrap();
	fs::create_dir(disk.root()).unwrap();
	for verdict in [disk.store().verify(&sample.hash), disk.store().quarantine(&sample.hash)] {
		assert!(matches!(verdict, Ok(Verdict::Unreadable(_))), "{verdict:?}");
	}
	let error = sample.of_owner(2).put(disk.store()).unwrap_err();
	assert!(error.to_string().contains("planaria-store"), "{error}");
	fs::remove_dir(disk.root()).unwrap();
	fs::rename(&away, disk.root()).unwrap();
	assert!(disk.store().verify(&sample.hash).unwrap().is_whole());
	assert_eq!(disk.store().uses(&sample.hash, None, 9).unwrap(), std::slice::from_ref(&sample.of));
	fs::remove_file(disk.path(&sample.hash)).unwrap();
	assert!(matches!(disk.store().verify(&sample.hash), Ok(Verdict::Missing)));
}

#[test]
fn a_damaged_note_was_not_written() {
	let disk = Disk::fast(1 << 20);
	disk.store().set_note(Note::Check, b"here").unwrap();
	let path = disk.root().join("check.note");
	let bytes = fs::read(&path).unwrap();
	for at in 0..bytes.len() {
		let mut wrong = bytes.clone();
		wrong[at] ^= 1;
		fs::write(&path, wrong).unwrap();
		assert_eq!(disk.store().note(Note::Check).unwrap(), None, "byte {at}");
		fs::write(&path, &bytes[..at]).unwrap();
		assert_eq!(disk.store().note(Note::Check).unwrap(), None, "first {at} bytes");
	}
	fs::write(&path, &bytes).unwrap();
	assert_eq!(disk.store().note(Note::Check).unwrap().as_deref(), Some(&b"here"[..]));
}

#[test]
fn a_read_only_disk_serves_what_is_whole() {
	let (mut disk, plan) = with_plan();
	let samples = file(1, 640);
	for sample in &samples[..2] {
		sample.put(disk.store()).unwrap();
	}
	disk.damage(&samples[1].hash, Damage::Flip(1));
	plan.set(Some(Fail::From(1, ErrorKind::ReadOnlyFilesystem)));
	let store = disk.store();
	let read_only = |error: &StoreError| {
		assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
		assert!(error.to_string().contains("read-only"), "{error}");
	};
	match samples[2].put(store) {
		Err(PutError::Begin(BeginError::Store(error))) => read_only(&error),
		other => panic!("{other:?}"),
	}
	read_only(&store.release(&samples[0].of.name).unwrap_err());
	assert_eq!(store.read(&samples[0].hash, 0..640).unwrap(), samples[0].bytes);
	// What is wrong cannot go to quarantine, but is not served, and is listed as broken.
	read_only(&store.quarantine(&samples[1].hash).unwrap_err());
	assert!(matches!(store.open(&samples[1].hash), Err(ReadError::Broken(_))));
	let broken = store.broken(None, 9).unwrap();
	assert_eq!(broken.len(), 1);
	assert_eq!((broken[0].hash, broken[0].broken), (samples[1].hash, true));
	assert!(store.entry(&samples[1].of.name).unwrap().unwrap().broken);
	assert_eq!(store.usage().unwrap().broken, 1);
	// When it may be written to again, all goes on.
	plan.set(None);
	assert!(matches!(store.quarantine(&samples[1].hash), Ok(Verdict::Damaged)));
	for sample in &samples {
		sample.put(store).unwrap();
	}
	assert!(store.broken(None, 9).unwrap().is_empty());
	let before = snapshot(store);
	disk.crash();
	assert_eq!(snapshot(disk.store()), before);
	// A store that cannot even be opened says so.
	plan.set(Some(Fail::From(1, ErrorKind::ReadOnlyFilesystem)));
	disk.close();
	match DiskStore::open(disk.root(), disk.options.clone()) {
		Err(OpenError::Store(error)) => read_only(&error),
		other => panic!("{other:?}"),
	}
}

#[test]
fn a_disk_that_runs_full_says_so() {
	let (disk, plan) = with_plan();
	let sample = &file(1, 640)[0];
	let full = Some(Fail::From(1, ErrorKind::StorageFull));
	plan.set(Some(Fail::Once(2, ErrorKind::StorageFull))); // when the room is taken
	match sample.put(disk.store()) {
		Err(PutError::Begin(error @ BeginError::DiskFull { needed: 640, .. })) => {
			assert!(error.is_full(), "{error}");
		},
		other => panic!("{other:?}"),
	}
	plan.set(None);
	let mut writer = sample.write(disk.store());
	plan.set(full);
	let error = writer.write(&sample.bytes).unwrap_err();
	assert!(matches!(error, WriteError::Store(StoreError::DiskFull { .. })), "{error}");
	plan.set(None);
	assert_eq!(writer.offset(), 0);
	writer.write(&sample.bytes).unwrap();
	plan.set(full);
	let error = writer.commit().unwrap_err();
	assert!(matches!(error, CommitError::Store(StoreError::DiskFull { .. })), "{error}");
	plan.set(None);
	assert_eq!(disk.store().fragment(&sample.hash).unwrap(), None);
	sample.put(disk.store()).unwrap();
	assert_no_litter(&disk);
}

#[test]
fn room_is_kept_back_on_the_disk() {
	let mut disk = Disk::new(1 << 20);
	let free = disk.store().usage().unwrap().free_on_disk;
	disk.options.disk_reserve = u64::MAX;
	disk.open();
	let sample = &file(1, 640)[0];
	let error = disk.store().begin(sample.hash, &sample.of).unwrap_err();
	assert!(matches!(error, BeginError::DiskFull { needed: 640, free: 0 }), "{error}");
	assert!(error.is_full() && free > 0);
	assert_eq!(disk.store().usage().unwrap().reserved, 0);
	assert!(files(&disk.root().join("partial")).is_empty());
}

/// A small file system of its own; `None` where this process may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
	fn mount(size: &str) -> Option<Self> {
		let dir = tempfile::tempdir().unwrap();
		let mount = Command::new("mount")
			.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
			.arg(dir.path())
			.output();
		mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
	}

	fn remount(&self, how: &str) -> bool {
		let mount = Command::new("mount").args(["-o", how]).arg(self.0.path()).output();
		mount.is_ok_and(|output| output.status.success())
	}
}

impl Drop for SmallDisk {
	fn drop(&mut self) {
		let _ = Command::new("umount").arg(self.0.path()).output();
	}
}

/// With a real file system that is really full, or really read-only. Needs the right to mount; the
/// tests above do the same with injected errors.
#[test]
fn a_real_disk_runs_full() {
	let Some(small) = SmallDisk::mount("4m") else {
		eprintln!("not allowed to mount a file system: nothing tested");
		return;
	};
	let root = small.0.path().join("store");
	let store = DiskStore::open(&root, options(1 << 30)).unwrap();
	let samples: Vec<_> = (0..30).flat_map(|seed| file(seed, 256 << 10)).collect();
	let mut stored = Vec::new();
	let error = loop {
		let sample = &samples[stored.len()];
		match store.begin(sample.hash, &sample.of) {
			Ok(Begun::Write(mut writer)) => {
				writer.write(&sample.bytes).unwrap();
				match writer.commit() {
					Ok(()) => stored.push(sample),
					Err(CommitError::Store(error)) => break error.to_string(),
					Err(error) => panic!("{error}"),
				}
			},
			Ok(Begun::Have) => panic!("not yet"),
			Err(error) => {
				assert!(error.is_full(), "{error}");
				break error.to_string();
			},
		}
	};
	assert!(error.contains("full"), "{error}");
	assert!(stored.len() > 3, "{error}");
	// Somebody else takes the rest.
	let filler = small.0.path().join("filler");
	let mut len = 4 << 20;
	while len > 0 {
		let filled = fs::write(&filler, noise(0, len));
		if filled.is_ok() {
			break;
		}
		len -= 4096;
	}
	for sample in &stored {
		assert_eq!(store.read(&sample.hash, 0..256 << 10).unwrap(), sample.bytes);
		assert!(store.verify(&sample.hash).unwrap().is_whole());
	}
	// A change that needs room may fail, and then is not half done.
	let before = snapshot(&store);
	if let Err(error) = stored[0].of_owner(99).put(&store) {
		assert!(
			error.to_string().contains("full") || error.to_string().contains("space"),
			"{error}"
		);
		assert_eq!(snapshot(&store), before);
	} else {
		store.release(&stored[0].of_owner(99).of.name).unwrap();
	}
	fs::remove_file(&filler).unwrap();
	let freed = stored.pop().unwrap();
	assert_eq!(store.release(&freed.of.name).unwrap(), Released::Removed { bytes: 256 << 10 });
	freed.put(&store).unwrap();
	let before = snapshot(&store);
	drop(store);

	if small.remount("remount,ro") {
		let error = DiskStore::open(&root, options(1 << 30)).unwrap_err();
		assert!(matches!(error, OpenError::Store(StoreError::ReadOnly { .. })), "{error}");
		assert!(small.remount("remount,rw"));
	}
	let store = DiskStore::open(&root, options(1 << 30)).unwrap();
	assert_eq!(snapshot(&store), before);
}
