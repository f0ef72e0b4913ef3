// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Random sequences of everything that can happen to a store, compared with a simple model.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Disk, Memory, assert_no_litter};
use planaria_store::{
	Begun, CommitError, ForgetError, FragmentHash, FragmentName, FragmentStore, FragmentStoreExt,
	Put, PutError, Released, Verdict,
	conformance::{Damage, Fixture, Sample, file, file_of, noise},
};
use proptest::prelude::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	fs,
};

const LEN: usize = 128;
const LEN_U32: u32 = 128;

#[derive(Clone, Debug)]
enum Op {
	Put(usize),
	PutWrong(usize),
	Keep(usize, usize),
	Continue(usize),
	Release(usize),
	Damage(usize, Damage),
	Verify(usize),
	Quarantine(usize),
	Forget(usize),
	Reopen,
	Crash,
	Rebuild,
	LoseManifest(Lose),
	LoseSide(usize, Lose),
}

#[derive(Clone, Copy, Debug)]
enum Lose {
	Delete,
	Truncate,
	Garble,
}

impl Lose {
	fn apply(self, path: &std::path::Path) {
		let Ok(mut bytes) = fs::read(path) else { return };
		match self {
			Self::Delete => return fs::remove_file(path).unwrap(),
			Self::Truncate => bytes.truncate(bytes.len() / 2),
			Self::Garble => bytes.iter_mut().skip(100).step_by(300).for_each(|byte| *byte ^= 0x55),
		}
		fs::write(path, bytes).unwrap();
	}
}

/// Two files, a second owner of one, and a file with some of the same bytes twice.
fn samples() -> Vec<Sample> {
	let twice = [noise(1 << 8, LEN), noise(1 << 8, LEN), noise(1 << 8 | 1, LEN)];
	let mut samples = file(1, LEN);
	samples.extend(file(1, LEN).iter().map(|sample| sample.of_owner(70)));
	samples.extend(file(2, LEN));
	samples.extend(file_of(&twice, 1, 80));
	samples
}

fn op() -> impl Strategy<Value = Op> {
	let at = 0..samples().len();
	let damage = prop_oneof![
		(0..LEN_U32).prop_map(Damage::Flip),
		Just(Damage::Shorten),
		Just(Damage::Lengthen),
		Just(Damage::Remove),
	];
	let lose = prop_oneof![Just(Lose::Delete), Just(Lose::Truncate), Just(Lose::Garble)];
	prop_oneof![
		8 => at.clone().prop_map(Op::Put),
		1 => at.clone().prop_map(Op::PutWrong),
		2 => (at.clone(), 0..LEN).prop_map(|(at, len)| Op::Keep(at, len)),
		2 => at.clone().prop_map(Op::Continue),
		4 => at.clone().prop_map(Op::Release),
		3 => (at.clone(), damage).prop_map(|(at, damage)| Op::Damage(at, damage)),
		2 => at.clone().prop_map(Op::Verify),
		3 => at.clone().prop_map(Op::Quarantine),
		2 => at.clone().prop_map(Op::Forget),
		1 => Just(Op::Reopen),
		1 => Just(Op::Crash),
		1 => Just(Op::Rebuild),
		1 => lose.clone().prop_map(Op::LoseManifest),
		1 => (at, lose).prop_map(|(at, lose)| Op::LoseSide(at, lose)),
	]
}

/// What only a disk can do.
trait Backend: Fixture {
	/// Whether what was deleted is known to be broken afterwards.
	fn crash(&mut self) {
		self.reopen();
	}
	fn rebuild(&mut self) -> bool {
		false
	}
	fn lose_manifest(&mut self, _: Lose) -> bool {
		false
	}
	fn lose_side(&mut self, _: &FragmentHash, _: Lose) {}
	fn check(&self) {}
}

impl Backend for Memory {}

impl Backend for Disk {
	fn crash(&mut self) {
		Disk::crash(self);
	}

	fn rebuild(&mut self) -> bool {
		self.get().rebuild().unwrap();
		true
	}

	fn lose_manifest(&mut self, lose: Lose) -> bool {
		self.close();
		lose.apply(&self.manifest());
		self.open();
		true
	}

	fn lose_side(&mut self, hash: &FragmentHash, lose: Lose) {
		lose.apply(&self.side(hash));
		self.get().verify(hash).unwrap();
	}

	fn check(&self) {
		// Something deleted by the test and not noticed yet is not litter, but less than expected.
		let store = self.get();
		let fragments = store.fragments(None, usize::MAX).unwrap();
		if fragments.iter().all(|it| it.broken || self.path(&it.hash).exists()) {
			assert_no_litter(self);
		}
	}
}

#[derive(Default)]
struct Model {
	names: BTreeMap<FragmentName, FragmentHash>,
	stored: BTreeMap<FragmentHash, Bytes>,
	quarantine: BTreeMap<FragmentHash, u64>,
}

struct Bytes {
	right: Vec<u8>,
	/// What is there; nothing where it is broken.
	now: Option<Vec<u8>>,
	broken: bool,
}

impl Bytes {
	fn whole(&self) -> bool {
		self.now.as_ref() == Some(&self.right)
	}

	fn served(&self) -> bool {
		!self.broken && self.now.as_ref().is_some_and(|now| now.len() == LEN)
	}
}

impl Model {
	fn quarantine(&mut self, hash: &FragmentHash) {
		let Some(bytes) = self.stored.get_mut(hash).filter(|bytes| !bytes.broken && !bytes.whole())
		else {
			return;
		};
		bytes.broken = true;
		if let Some(now) = bytes.now.take().filter(|now| !now.is_empty()) {
			*self.quarantine.entry(*hash).or_default() += now.len() as u64;
		}
	}

	/// Whether bytes have to be written.
	fn begin(&mut self, sample: &Sample) -> bool {
		let known = self.names.contains_key(&sample.of.name);
		match self.stored.get(&sample.hash) {
			Some(bytes) if bytes.served() && (known || bytes.whole()) => {
				self.names.insert(sample.of.name, sample.hash);
				false
			},
			_ => {
				self.quarantine(&sample.hash);
				true
			},
		}
	}

	fn store(&mut self, sample: &Sample) {
		let right = sample.bytes.clone();
		let bytes = Bytes { now: Some(right.clone()), right, broken: false };
		self.stored.insert(sample.hash, bytes);
		self.names.insert(sample.of.name, sample.hash);
	}

	/// The manifest was made anew.
	fn notice_missing(&mut self) {
		for bytes in self.stored.values_mut() {
			bytes.broken |= bytes.now.is_none();
		}
	}

	fn names_of(&self, hash: &FragmentHash) -> u64 {
		self.names.values().filter(|other| *other == hash).count() as u64
	}

	fn compare(&self, store: &dyn FragmentStore, samples: &[Sample]) {
		let entries = store.entries(None, usize::MAX).unwrap();
		assert!(entries.iter().map(|entry| (entry.of.name, entry.hash)).eq(self.names.clone()));
		for entry in &entries {
			let sample = samples.iter().find(|sample| sample.of.name == entry.of.name).unwrap();
			assert_eq!(entry.of, sample.of);
		}
		let fragments = store.fragments(None, usize::MAX).unwrap();
		assert!(fragments.iter().map(|it| &it.hash).eq(self.stored.keys()));
		for fragment in &fragments {
			let bytes = &self.stored[&fragment.hash];
			assert_eq!((fragment.broken, fragment.len as usize), (bytes.broken, LEN));
			assert_eq!(fragment.names, self.names_of(&fragment.hash));
			let read = store.read(&fragment.hash, 0..fragment.len).ok();
			assert_eq!(read, bytes.now.clone().filter(|_| bytes.served()));
		}
		let broken = store.broken(None, usize::MAX).unwrap();
		let expected = self.stored.iter().filter(|(_, bytes)| bytes.broken).map(|(hash, _)| hash);
		assert!(broken.iter().map(|it| &it.hash).eq(expected));
		let quarantined: BTreeMap<_, _> =
			store.quarantined(None, usize::MAX).unwrap().into_iter().collect();
		assert_eq!(quarantined, self.quarantine);
		let usage = store.usage().unwrap();
		assert_eq!(usage.used, (LEN * self.stored.values().filter(|it| !it.broken).count()) as u64);
		assert_eq!(usage.quarantined, self.quarantine.values().sum::<u64>());
		assert_eq!(
			(usage.fragments, usage.broken, usage.names),
			(fragments.len() as u64, broken.len() as u64, entries.len() as u64)
		);
	}
}

fn run(fixture: &mut impl Backend, ops: &[Op]) {
	let samples = samples();
	let mut model = Model::default();
	for op in ops {
		apply(fixture, &mut model, &samples, op);
		model.compare(fixture.store(), &samples);
		fixture.check();
	}
	// Whatever happened, everything can be stored and released again.
	for sample in &samples {
		fixture.store().quarantine(&sample.hash).unwrap();
		sample.put(fixture.store()).unwrap();
		assert_eq!(fixture.store().read(&sample.hash, 0..LEN_U32).unwrap(), sample.bytes);
		fixture.store().forget_quarantined(&sample.hash).unwrap();
	}
	fixture.crash();
	let left: BTreeSet<_> = samples.iter().map(|sample| sample.of.name).collect();
	for name in left {
		assert_ne!(fixture.store().release(&name).unwrap(), Released::Unknown);
	}
	let usage = fixture.store().usage().unwrap();
	assert_eq!((usage.used, usage.quarantined, usage.fragments, usage.names), (0, 0, 0, 0));
	fixture.check();
}

fn apply(fixture: &mut impl Backend, model: &mut Model, samples: &[Sample], op: &Op) {
	match *op {
		Op::Put(at) => {
			let expected = if model.begin(&samples[at]) { Put::Stored } else { Put::Had };
			assert_eq!(samples[at].put(fixture.store()).unwrap(), expected);
			if expected == Put::Stored {
				model.store(&samples[at]);
			}
		},
		Op::PutWrong(at) => {
			let sample = &samples[at];
			let wrong = fixture.store().put_bytes(sample.hash, &sample.of, &[0; LEN]);
			if model.begin(sample) {
				let error =
					PutError::Commit(CommitError::WrongHash { hash: sample.hash, resumed: 0 });
				assert_eq!(wrong.unwrap_err().to_string(), error.to_string());
			} else {
				assert_eq!(wrong.unwrap(), Put::Had);
			}
		},
		Op::Keep(at, len) => {
			let sample = &samples[at];
			match fixture.store().begin(sample.hash, &sample.of).unwrap() {
				Begun::Write(mut writer) => {
					assert!(model.begin(sample));
					writer.restart().unwrap();
					writer.write(&sample.bytes[..len]).unwrap();
					writer.keep().unwrap();
				},
				Begun::Have => assert!(!model.begin(sample)),
			}
		},
		Op::Continue(at) => {
			let sample = &samples[at];
			match fixture.store().begin(sample.hash, &sample.of).unwrap() {
				Begun::Write(mut writer) => {
					assert!(model.begin(sample));
					let offset = writer.offset() as usize;
					writer.write(&sample.bytes[offset..]).unwrap();
					writer.commit().unwrap();
					model.store(sample);
				},
				Begun::Have => assert!(!model.begin(sample)),
			}
		},
		Op::Release(at) => {
			let sample = &samples[at];
			let expected = match (model.names.remove(&sample.of.name), model.names_of(&sample.hash))
			{
				(None, _) => Released::Unknown,
				(Some(hash), 0) => {
					let bytes = model.stored.remove(&hash).unwrap();
					model.quarantine.remove(&hash);
					Released::Removed { bytes: if bytes.broken { 0 } else { LEN as u64 } }
				},
				(Some(_), names) => Released::Kept { names },
			};
			assert_eq!(fixture.store().release(&sample.of.name).unwrap(), expected);
		},
		Op::Damage(at, damage) => {
			let hash = &samples[at].hash;
			let Some(bytes) = model.stored.get_mut(hash).filter(|bytes| !bytes.broken) else {
				return;
			};
			if bytes.now.as_ref().is_none_or(|now| now.len() < LEN) {
				return;
			}
			bytes.now = bytes.now.take().and_then(|now| damage.apply(now));
			fixture.damage(hash, damage);
		},
		Op::Verify(at) => {
			let verdict = fixture.store().verify(&samples[at].hash).unwrap();
			compare(&verdict, model, &samples[at].hash);
		},
		Op::Quarantine(at) => {
			let verdict = fixture.store().quarantine(&samples[at].hash).unwrap();
			compare(&verdict, model, &samples[at].hash);
			model.quarantine(&samples[at].hash);
		},
		Op::Forget(at) => {
			let hash = &samples[at].hash;
			let forgotten = fixture.store().forget_quarantined(hash);
			if model.stored.get(hash).is_some_and(|bytes| bytes.broken) {
				assert!(matches!(forgotten, Err(ForgetError::NotReplaced(_))));
			} else {
				assert_eq!(forgotten.unwrap(), model.quarantine.remove(hash).unwrap_or(0));
			}
		},
		Op::Reopen => fixture.reopen(),
		Op::Crash => fixture.crash(),
		Op::Rebuild => {
			if fixture.rebuild() {
				model.notice_missing();
			}
		},
		Op::LoseManifest(lose) => {
			if fixture.lose_manifest(lose) {
				model.notice_missing();
			}
		},
		Op::LoseSide(at, lose) => fixture.lose_side(&samples[at].hash, lose),
	}
}

fn compare(verdict: &Verdict, model: &Model, hash: &FragmentHash) {
	let expected = match model.stored.get(hash) {
		None => Verdict::Missing,
		Some(bytes) if bytes.broken && model.quarantine.contains_key(hash) => Verdict::Damaged,
		Some(bytes) if bytes.whole() => Verdict::Whole,
		Some(bytes) if bytes.now.is_none() => Verdict::Missing,
		Some(_) => Verdict::Damaged,
	};
	assert_eq!(format!("{verdict:?}"), format!("{expected:?}"));
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn memory_is_as_the_model(ops in prop::collection::vec(op(), 1..60)) {
		run(&mut Memory::new(1 << 20), &ops);
	}
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn disk_is_as_the_model(ops in prop::collection::vec(op(), 1..40)) {
		run(&mut Disk::fast(1 << 20), &ops);
	}
}
