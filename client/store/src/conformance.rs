// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The one suite that every store passes.
//!
//! A backend implements [`Fixture`] in its tests and calls [`run`]. The suite needs nothing but the
//! trait and a way to damage stored bytes and to open the store again.
//!
//! # Panics
//!
//! Everything here panics when a store does not do what it should: it is for tests.

#![allow(clippy::unwrap_used)]

use crate::{
	BeginError, Begun, CommitError, ForgetError, Fragment, FragmentStore, FragmentStoreExt,
	FragmentUse, Note, PutError, ReadError, Released, StoreError, Usage, Verdict, WriteError,
	Writer, types::Put,
};
use planaria_primitives::{
	CodingParams, FileIndex, FileSpec, FragmentHash, FragmentName, Sidecar, SidecarError,
	commitment::{file_tree, segment_tree},
	file_id,
};
use std::{
	collections::BTreeSet,
	io::{Read, Seek, SeekFrom},
	ops::ControlFlow,
	thread,
};

/// A store under test.
pub trait Fixture {
	/// The store.
	fn store(&self) -> &dyn FragmentStore;

	/// Damages the bytes of a fragment behind the store's back.
	fn damage(&mut self, hash: &FragmentHash, how: Damage);

	/// Closes the store and opens it again.
	fn reopen(&mut self);
}

/// What can happen to bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
	/// A bit of this byte is flipped.
	Flip(u32),
	/// The last byte is gone.
	Shorten,
	/// There is one byte more.
	Lengthen,
	/// They are gone.
	Remove,
}

impl Damage {
	/// One of each.
	pub const ALL: [Self; 4] = [Self::Flip(0), Self::Shorten, Self::Lengthen, Self::Remove];

	/// The bytes afterwards.
	pub fn apply(self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
		match self {
			Self::Flip(at) => bytes[at as usize] ^= 1,
			Self::Shorten => drop(bytes.pop()),
			Self::Lengthen => bytes.push(0),
			Self::Remove => return None,
		}
		Some(bytes)
	}
}

/// A fragment to store.
#[derive(Clone, Debug)]
pub struct Sample {
	/// Its hash.
	pub hash: FragmentHash,
	/// What it is for.
	pub of: FragmentUse,
	/// Its bytes.
	pub bytes: Vec<u8>,
}

impl Sample {
	/// Stores it.
	pub fn put(&self, store: &dyn FragmentStore) -> Result<Put, PutError> {
		store.put_bytes(self.hash, &self.of, &self.bytes)
	}

	/// Begins to write it.
	pub fn write(&self, store: &dyn FragmentStore) -> Writer {
		match store.begin(self.hash, &self.of).expect("begun") {
			Begun::Write(writer) => writer,
			Begun::Have => panic!("it is not there yet"),
		}
	}

	/// The same fragment of another stored instance of the file.
	pub fn of_owner(&self, file: u64) -> Self {
		let name = FragmentName { file: FileIndex(file), ..self.of.name };
		Self { of: FragmentUse { name, ..self.of.clone() }, ..self.clone() }
	}
}

/// A file of one segment whose fragments have these bytes, as many as `data + parity`, all of the
/// same length. They need not be a codeword: a store cannot tell.
pub fn file_of(fragments: &[Vec<u8>], data: u8, file: u64) -> Vec<Sample> {
	let count = u8::try_from(fragments.len()).expect("at most 64 fragments");
	let coding = CodingParams::new(data, count - data).expect("a sound coding");
	let spec = FileSpec::new(fragments[0].len() as u64 * u64::from(data), coding).expect("a file");
	assert_eq!(spec.segments(), 1);
	let hashes: Vec<_> = fragments.iter().map(|bytes| FragmentHash::of(bytes)).collect();
	let segment = segment_tree(&hashes).expect("fragments");
	let tree = file_tree(&[segment.root()]).expect("a segment");
	let file_id = file_id(&spec, &tree.root());
	(0..count)
		.zip(hashes)
		.zip(fragments)
		.map(|((index, hash), bytes)| {
			let name = FragmentName { file_id, file: FileIndex(file), segment: 0, index };
			let sidecar = Sidecar::new(&segment, index, &tree, 0).expect("a leaf");
			let sample =
				Sample { hash, of: FragmentUse { name, spec, sidecar }, bytes: bytes.clone() };
			assert_eq!(
				sample.of.fragment_len() as usize,
				bytes.len(),
				"lengths are multiples of 64"
			);
			sample
		})
		.collect()
}

/// Bytes that are the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
	let mut bytes = vec![0; len];
	blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
	bytes
}

/// A `lean` file of three fragments of `len` bytes.
pub fn file(seed: u64, len: usize) -> Vec<Sample> {
	let fragments: Vec<_> = (0..3).map(|index| noise(seed << 8 | index, len)).collect();
	file_of(&fragments, 2, seed)
}

/// Runs the whole suite; `make` makes an empty store of the given capacity.
pub fn run<F: Fixture>(mut make: impl FnMut(u64) -> F) {
	const ROOM: u64 = 1 << 20;
	stores_and_reads(&mut make(ROOM));
	refuses_what_does_not_belong(&mut make(ROOM));
	refuses_wrong_bytes(&mut make(ROOM));
	stores_equal_bytes_once(&mut make(ROOM));
	is_full_before_the_first_byte(&mut make(3 * 640));
	lets_one_write_at_a_time(&mut make(ROOM));
	continues_interrupted_writes(&mut make(ROOM));
	interrupted_writes_make_room(&mut make(3 * 640));
	for damage in Damage::ALL {
		quarantines_and_restores(&mut make(ROOM), damage);
		does_not_take_damage_for_bytes_it_has(&mut make(ROOM), damage);
		releases_what_is_broken(&mut make(ROOM), damage);
	}
	releases_what_was_replaced(&mut make(ROOM));
	breaks_more_than_once(&mut make(ROOM));
	lists_in_pages(&mut make(ROOM));
	verifies_all(&mut make(ROOM));
	keeps_notes(&mut make(ROOM));
	keeps_readers(&mut make(ROOM));
	serves_many_at_once(&make(ROOM));
	stores_the_largest(&mut make(64 << 20));
}

fn usage(store: &dyn FragmentStore) -> Usage {
	Usage { free_on_disk: 0, ..store.usage().unwrap() }
}

fn stores_and_reads(fixture: &mut impl Fixture) {
	let empty = usage(fixture.store());
	assert_eq!(empty, Usage { capacity: empty.capacity, ..Usage::default() });
	let samples = file(1, 640);
	for sample in &samples {
		assert_eq!(sample.put(fixture.store()).unwrap(), Put::Stored);
		assert_eq!(sample.put(fixture.store()).unwrap(), Put::Had);
	}
	for _ in 0..2 {
		let store = fixture.store();
		for Sample { hash, of, bytes } in &samples {
			assert_eq!(store.read(hash, 0..640).unwrap(), *bytes);
			assert_eq!(store.read(hash, 100..164).unwrap(), bytes[100..164]);
			assert_eq!(store.read(hash, 640..640).unwrap(), []);
			for (start, end) in [(0, 641), (641, 641), (2, 1), (0, u32::MAX)] {
				let error = store.read(hash, start..end).unwrap_err();
				assert!(matches!(error, ReadError::OutOfRange { len: 640, .. }), "{error}");
			}
			let mut reader = store.open(hash).unwrap();
			assert_eq!(reader.seek(SeekFrom::End(-40)).unwrap(), 600);
			let mut rest = Vec::new();
			reader.read_to_end(&mut rest).unwrap();
			assert_eq!(rest, bytes[600..]);
			assert_eq!(reader.read_at(&mut [0; 8], 700).unwrap(), 0);
			reader.rewind().unwrap();
			let mut all = Vec::new();
			reader.read_to_end(&mut all).unwrap();
			assert_eq!(all, *bytes);

			let fragment = Fragment { hash: *hash, len: 640, names: 1, broken: false };
			assert_eq!(store.fragment(hash).unwrap(), Some(fragment));
			let entry = store.entry(&of.name).unwrap().unwrap();
			assert_eq!((entry.hash, entry.broken, &entry.of), (*hash, false, of));
			assert_eq!(store.uses(hash, None, 9).unwrap(), std::slice::from_ref(of));
			assert_eq!(store.sidecar(&of.name).unwrap().as_ref(), Some(&of.sidecar));
			assert!(store.contains(hash).unwrap());
			assert!(store.verify(hash).unwrap().is_whole());
		}
		let full = Usage { used: 3 * 640, fragments: 3, names: 3, ..empty };
		assert_eq!(usage(store), full);
		fixture.reopen();
	}
	let unknown = FragmentHash([9; 32]);
	let name = samples[0].of_owner(9).of.name;
	let store = fixture.store();
	assert!(matches!(store.open(&unknown), Err(ReadError::Unknown(_))));
	assert!(matches!(store.verify(&unknown), Ok(Verdict::Missing)));
	assert!(matches!(store.quarantine(&unknown), Ok(Verdict::Missing)));
	assert_eq!(store.forget_quarantined(&unknown).unwrap(), 0);
	assert_eq!(store.fragment(&unknown).unwrap(), None);
	assert_eq!(store.entry(&name).unwrap(), None);
	assert_eq!(store.release(&name).unwrap(), Released::Unknown);
	assert_eq!(store.uses(&unknown, None, 9).unwrap(), []);
	for Sample { of, hash, .. } in &samples {
		assert_eq!(store.release(&of.name).unwrap(), Released::Removed { bytes: 640 });
		assert_eq!(store.fragment(hash).unwrap(), None);
		assert!(matches!(store.open(hash), Err(ReadError::Unknown(_))));
	}
	assert_eq!(usage(store), empty);
}

fn refuses_what_does_not_belong(fixture: &mut impl Fixture) {
	let store = fixture.store();
	let before = usage(store);
	let [sample, sibling, _] = &file(1, 640)[..] else { panic!("three") };
	let [other, ..] = &file(2, 640)[..] else { panic!("three") };
	let with = |change: &dyn Fn(&mut FragmentUse)| {
		let mut of = sample.of.clone();
		change(&mut of);
		of
	};
	let uses = [
		(with(&|of| of.name.index = 1), SidecarError::WrongFile),
		(with(&|of| of.name.index = 3), SidecarError::NoSuchFragment),
		(with(&|of| of.name.segment = 1), SidecarError::NoSuchFragment),
		(with(&|of| of.name.file_id = other.of.name.file_id), SidecarError::WrongFile),
		(with(&|of| of.sidecar = sibling.of.sidecar.clone()), SidecarError::WrongFile),
		(with(&|of| of.sidecar.0.push(0)), SidecarError::WrongLength),
		(with(&|of| of.sidecar = Sidecar::default()), SidecarError::WrongLength),
		(
			with(&|of| of.spec = FileSpec::new(1281, CodingParams::LEAN).unwrap()),
			SidecarError::WrongFile,
		),
		(
			with(&|of| of.spec = FileSpec::new(1280, CodingParams::new(1, 2).unwrap()).unwrap()),
			SidecarError::WrongFile,
		),
	];
	for (of, expected) in uses {
		match store.begin(sample.hash, &of) {
			Err(BeginError::Invalid { hash, reason }) => {
				assert_eq!((hash, reason), (sample.hash, expected));
			},
			other => panic!("{of:?}: {other:?}"),
		}
	}
	let wrong = store.begin(other.hash, &sample.of);
	assert!(matches!(wrong, Err(BeginError::Invalid { .. })));
	assert_eq!(usage(store), before);
}

fn refuses_wrong_bytes(fixture: &mut impl Fixture) {
	let before = usage(fixture.store());
	let store = fixture.store();
	let sample = &file(1, 640)[0];
	let mut wrong = sample.bytes.clone();
	wrong[639] ^= 1;
	let mut writer = sample.write(store);
	writer.write(&wrong).unwrap();
	match writer.commit() {
		Err(CommitError::WrongHash { hash, resumed: 0 }) => assert_eq!(hash, sample.hash),
		other => panic!("{other:?}"),
	}
	let mut writer = sample.write(store);
	assert_eq!((writer.offset(), writer.len()), (0, 640));
	writer.write(&sample.bytes[..639]).unwrap();
	let short = writer.commit();
	assert!(matches!(short, Err(CommitError::Short { offset: 639, len: 640 })), "{short:?}");
	let mut writer = sample.write(store);
	writer.write(&sample.bytes[..600]).unwrap();
	let long = writer.write(&[0; 41]);
	assert!(matches!(long, Err(WriteError::TooLong { len: 640 })), "{long:?}");
	assert_eq!(writer.offset(), 600);
	drop(writer);
	assert_eq!(usage(store), before);
	assert_eq!(store.fragment(&sample.hash).unwrap(), None);
	fixture.reopen();
	let store = fixture.store();
	assert_eq!(usage(store), before);
	let mut writer = sample.write(store);
	for piece in sample.bytes.chunks(7) {
		writer.write(piece).unwrap();
	}
	writer.commit().unwrap();
	assert_eq!(store.read(&sample.hash, 0..640).unwrap(), sample.bytes);
}

fn stores_equal_bytes_once(fixture: &mut impl Fixture) {
	// Two owners of one file, and another file with the same bytes at two places.
	let copies = vec![noise(1 << 8, 640), noise(1 << 8, 640), noise(7, 640)];
	let samples = [
		file(1, 640)[0].clone(),
		file(1, 640)[0].of_owner(50),
		file_of(&copies, 1, 60)[0].clone(),
		file_of(&copies, 1, 60)[1].clone(),
	];
	let hash = samples[0].hash;
	assert!(samples.iter().all(|sample| sample.hash == hash));
	let empty = usage(fixture.store());
	for (at, sample) in (0..).zip(&samples) {
		let put = sample.put(fixture.store()).unwrap();
		assert_eq!(put, if at == 0 { Put::Stored } else { Put::Had });
		let fragment = fixture.store().fragment(&hash).unwrap().unwrap();
		assert_eq!(fragment.names, at + 1);
	}
	fixture.reopen();
	let store = fixture.store();
	assert_eq!(usage(store), Usage { used: 640, fragments: 1, names: 4, ..empty });
	let mut uses: Vec<_> = samples.iter().map(|sample| sample.of.clone()).collect();
	uses.sort_by_key(|of| of.name);
	assert_eq!(store.uses(&hash, None, 9).unwrap(), uses);
	assert_eq!(store.uses(&hash, Some(&uses[1].name), 1).unwrap(), uses[2..3]);
	for (left, sample) in [3, 2, 1].into_iter().zip(&samples) {
		let name = &sample.of.name;
		assert_eq!(fixture.store().release(name).unwrap(), Released::Kept { names: left });
		assert_eq!(fixture.store().release(name).unwrap(), Released::Unknown);
		fixture.reopen();
		assert_eq!(fixture.store().entry(name).unwrap(), None);
		assert_eq!(fixture.store().read(&hash, 0..640).unwrap(), samples[0].bytes);
	}
	let removed = fixture.store().release(&samples[3].of.name).unwrap();
	assert_eq!(removed, Released::Removed { bytes: 640 });
	fixture.reopen();
	assert_eq!(usage(fixture.store()), empty);
	assert!(fixture.store().entries(None, 9).unwrap().is_empty());
}

fn is_full_before_the_first_byte(fixture: &mut impl Fixture) {
	let store = fixture.store();
	let (samples, others) = (file(1, 640), file(2, 640));
	let empty = usage(store);
	let large = &file(3, 1984)[0];
	match store.begin(large.hash, &large.of) {
		Err(error @ BeginError::Full { needed: 1984, free: 1920 }) => assert!(error.is_full()),
		other => panic!("{other:?}"),
	}
	let writers: Vec<_> = samples.iter().map(|sample| sample.write(store)).collect();
	assert_eq!(usage(store), Usage { reserved: 1920, ..empty });
	let full = store.begin(others[0].hash, &others[0].of);
	assert!(matches!(full, Err(BeginError::Full { needed: 640, free: 0 })), "{full:?}");
	drop(writers);
	assert_eq!(usage(store), empty);
	for sample in &samples {
		sample.put(store).unwrap();
	}
	assert_eq!(usage(store).free(), 0);
	let full = store.begin(others[0].hash, &others[0].of);
	assert!(matches!(full, Err(BeginError::Full { .. })));
	// A use of bytes that are there needs no room.
	assert_eq!(samples[0].of_owner(9).put(store).unwrap(), Put::Had);
	store.release(&samples[1].of.name).unwrap();
	assert_eq!(others[0].put(store).unwrap(), Put::Stored);
	fixture.reopen();
	assert_eq!(usage(fixture.store()).free(), 0);
}

fn lets_one_write_at_a_time(fixture: &mut impl Fixture) {
	let store = fixture.store();
	let [sample, other, _] = &file(1, 640)[..] else { panic!("three") };
	let writer = sample.write(store);
	let busy = store.begin(sample.hash, &sample.of_owner(9).of);
	assert!(matches!(busy, Err(BeginError::Busy(hash)) if hash == sample.hash), "{busy:?}");
	other.put(store).unwrap();
	writer.abort();
	sample.put(store).unwrap();
}

fn continues_interrupted_writes(fixture: &mut impl Fixture) {
	let sample = &file(1, 640)[0];
	let empty = usage(fixture.store());
	let mut writer = sample.write(fixture.store());
	writer.write(&sample.bytes[..300]).unwrap();
	writer.keep().unwrap();
	assert_eq!(usage(fixture.store()), Usage { reserved: 300, ..empty });
	fixture.reopen();
	assert_eq!(usage(fixture.store()), Usage { reserved: 300, ..empty });
	let mut writer = sample.write(fixture.store());
	assert_eq!(writer.offset(), 300);
	assert_eq!(usage(fixture.store()), Usage { reserved: 640, ..empty });
	writer.write(&sample.bytes[300..500]).unwrap();
	writer.keep().unwrap();
	let mut writer = sample.write(fixture.store());
	assert_eq!(writer.offset(), 500);
	writer.write(&sample.bytes[500..]).unwrap();
	writer.commit().unwrap();
	assert_eq!(fixture.store().read(&sample.hash, 0..640).unwrap(), sample.bytes);
	fixture.reopen();
	assert_eq!(usage(fixture.store()), Usage { used: 640, fragments: 1, names: 1, ..empty });

	// Wrong bytes from before are told apart from wrong bytes of this sender, and are gone then.
	let store = fixture.store();
	let sample = &file(1, 640)[1];
	let mut writer = sample.write(store);
	writer.write(&[0; 600]).unwrap();
	writer.keep().unwrap();
	let mut writer = sample.write(store);
	writer.write(&sample.bytes[600..]).unwrap();
	let wrong = writer.commit();
	assert!(matches!(wrong, Err(CommitError::WrongHash { resumed: 600, .. })), "{wrong:?}");
	assert_eq!(sample.write(store).offset(), 0);

	// What was kept can be passed over, and what is kept anew is only what was written since.
	let mut writer = sample.write(store);
	writer.write(&[0; 600]).unwrap();
	writer.keep().unwrap();
	let mut writer = sample.write(store);
	writer.restart().unwrap();
	writer.write(&sample.bytes[..64]).unwrap();
	writer.keep().unwrap();
	let mut writer = sample.write(store);
	assert_eq!(writer.offset(), 64);
	writer.write(&sample.bytes[64..]).unwrap();
	writer.commit().unwrap();
	// Nothing is nothing to keep.
	let sample = &file(1, 640)[2];
	sample.write(store).keep().unwrap();
	assert_eq!(usage(store).reserved, 0);
}

fn interrupted_writes_make_room(fixture: &mut impl Fixture) {
	let store = fixture.store();
	for sample in &file(1, 640) {
		let mut writer = sample.write(store);
		writer.write(&sample.bytes[..639]).unwrap();
		writer.keep().unwrap();
	}
	assert_eq!(usage(store).reserved, 3 * 639);
	for sample in &file(2, 640) {
		sample.put(store).unwrap();
	}
	assert_eq!((usage(store).reserved, usage(store).free()), (0, 0));
}

fn quarantines_and_restores(fixture: &mut impl Fixture, damage: Damage) {
	let samples = file(1, 640);
	for sample in &samples {
		sample.put(fixture.store()).unwrap();
	}
	let whole = usage(fixture.store());
	let hash = samples[1].hash;
	assert!(fixture.store().quarantine(&hash).unwrap().is_whole());
	assert_eq!(usage(fixture.store()), whole);
	fixture.damage(&hash, damage);
	let bytes = damage.apply(samples[1].bytes.clone()).map_or(0, |bytes| bytes.len() as u64);
	let as_expected = |verdict: &Verdict| match damage {
		Damage::Remove => matches!(verdict, Verdict::Missing),
		_ => matches!(verdict, Verdict::Damaged),
	};
	assert!(as_expected(&fixture.store().verify(&hash).unwrap()));
	assert!(as_expected(&fixture.store().quarantine(&hash).unwrap()));
	let broken = Usage { used: 2 * 640, broken: 1, quarantined: bytes, ..whole };
	for _ in 0..2 {
		let store = fixture.store();
		assert_eq!(usage(store), broken);
		assert!(as_expected(&store.verify(&hash).unwrap()));
		assert!(as_expected(&store.quarantine(&hash).unwrap()));
		assert!(matches!(store.open(&hash), Err(ReadError::Broken(_))));
		assert!(matches!(store.read(&hash, 0..1), Err(ReadError::Broken(_))));
		assert!(!store.contains(&hash).unwrap());
		let fragment = Fragment { hash, len: 640, names: 1, broken: true };
		assert_eq!(store.fragment(&hash).unwrap(), Some(fragment));
		assert_eq!(store.broken(None, 9).unwrap(), [fragment]);
		assert_eq!(store.broken(Some(&hash), 9).unwrap(), []);
		let entry = store.entry(&samples[1].of.name).unwrap().unwrap();
		assert_eq!((entry.broken, entry.of), (true, samples[1].of.clone()));
		let listed = if bytes > 0 { vec![(hash, bytes)] } else { Vec::new() };
		assert_eq!(store.quarantined(None, 9).unwrap(), listed);
		let refused = store.forget_quarantined(&hash);
		assert!(matches!(refused, Err(ForgetError::NotReplaced(_))), "{refused:?}");
		fixture.reopen();
	}
	// The replacement comes for a new use, and serves the old one too.
	let owner = samples[1].of_owner(9);
	assert_eq!(owner.put(fixture.store()).unwrap(), Put::Stored);
	let restored = Usage { names: 4, quarantined: bytes, ..whole };
	for _ in 0..2 {
		let store = fixture.store();
		assert_eq!(usage(store), restored);
		assert_eq!(store.broken(None, 9).unwrap(), []);
		assert_eq!(store.uses(&hash, None, 9).unwrap().len(), 2);
		assert!(store.verify(&hash).unwrap().is_whole());
		assert_eq!(store.read(&hash, 0..640).unwrap(), samples[1].bytes);
		fixture.reopen();
	}
	let store = fixture.store();
	assert_eq!(store.forget_quarantined(&hash).unwrap(), bytes);
	assert_eq!(store.forget_quarantined(&hash).unwrap(), 0);
	fixture.reopen();
	assert_eq!(usage(fixture.store()), Usage { names: 4, ..whole });
	assert_eq!(fixture.store().quarantined(None, 9).unwrap(), []);
}

fn does_not_take_damage_for_bytes_it_has(fixture: &mut impl Fixture, damage: Damage) {
	let sample = &file(1, 640)[0];
	sample.put(fixture.store()).unwrap();
	fixture.damage(&sample.hash, damage);
	// A new use is not acknowledged before the bytes were read again.
	assert_eq!(sample.of_owner(9).put(fixture.store()).unwrap(), Put::Stored);
	assert!(fixture.store().verify(&sample.hash).unwrap().is_whole());
	assert_eq!(fixture.store().uses(&sample.hash, None, 9).unwrap().len(), 2);
	fixture.damage(&sample.hash, damage);
	// A known one is not served where the length is wrong; a flipped bit is for `verify` to find.
	match damage {
		Damage::Flip(_) => assert_eq!(sample.put(fixture.store()).unwrap(), Put::Had),
		_ => {
			assert!(matches!(fixture.store().open(&sample.hash), Err(ReadError::Broken(_))));
			assert_eq!(sample.put(fixture.store()).unwrap(), Put::Stored);
			assert!(fixture.store().verify(&sample.hash).unwrap().is_whole());
		},
	}
}

fn releases_what_is_broken(fixture: &mut impl Fixture, damage: Damage) {
	let sample = &file(1, 640)[0];
	let empty = usage(fixture.store());
	sample.put(fixture.store()).unwrap();
	fixture.damage(&sample.hash, damage);
	assert!(!fixture.store().quarantine(&sample.hash).unwrap().is_whole());
	let released = fixture.store().release(&sample.of.name).unwrap();
	assert_eq!(released, Released::Removed { bytes: 0 });
	fixture.reopen();
	let store = fixture.store();
	assert_eq!(store.broken(None, 9).unwrap(), []);
	assert_eq!(store.fragment(&sample.hash).unwrap(), None);
	assert_eq!(store.quarantined(None, 9).unwrap(), []);
	assert_eq!(usage(store), empty);
	assert_eq!(store.forget_quarantined(&sample.hash).unwrap(), 0);
}

/// Wrong bytes do not outlive what they were stored for, whether they were replaced or not.
fn releases_what_was_replaced(fixture: &mut impl Fixture) {
	let sample = &file(1, 640)[0];
	let empty = usage(fixture.store());
	for times in 0..2 {
		sample.put(fixture.store()).unwrap();
		fixture.damage(&sample.hash, Damage::Flip(times));
		assert!(matches!(fixture.store().quarantine(&sample.hash), Ok(Verdict::Damaged)));
	}
	sample.of_owner(9).put(fixture.store()).unwrap();
	// They are kept for as long as there is a use.
	let released = fixture.store().release(&sample.of.name).unwrap();
	assert_eq!(released, Released::Kept { names: 1 });
	assert_eq!(usage(fixture.store()).quarantined, 2 * 640);
	let released = fixture.store().release(&sample.of_owner(9).of.name).unwrap();
	assert_eq!(released, Released::Removed { bytes: 640 });
	for _ in 0..2 {
		assert_eq!(fixture.store().quarantined(None, 9).unwrap(), []);
		assert_eq!(usage(fixture.store()), empty);
		fixture.reopen();
	}
}

fn breaks_more_than_once(fixture: &mut impl Fixture) {
	let sample = &file(1, 640)[0];
	for times in 0..3 {
		assert_eq!(sample.put(fixture.store()).unwrap(), Put::Stored);
		fixture.damage(&sample.hash, Damage::Flip(times));
		assert!(matches!(fixture.store().quarantine(&sample.hash), Ok(Verdict::Damaged)));
		assert_eq!(usage(fixture.store()).quarantined, 640 * (u64::from(times) + 1));
		fixture.reopen();
	}
	sample.put(fixture.store()).unwrap();
	assert_eq!(fixture.store().forget_quarantined(&sample.hash).unwrap(), 3 * 640);
	assert_eq!(usage(fixture.store()).quarantined, 0);
}

fn lists_in_pages(fixture: &mut impl Fixture) {
	let samples: Vec<_> = (0..20).flat_map(|seed| file(seed, 64)).collect();
	for sample in &samples {
		sample.put(fixture.store()).unwrap();
	}
	for sample in samples.iter().step_by(2) {
		fixture.damage(&sample.hash, Damage::Flip(3));
		assert!(!fixture.store().quarantine(&sample.hash).unwrap().is_whole());
	}
	let names: BTreeSet<_> = samples.iter().map(|sample| sample.of.name).collect();
	let hashes: BTreeSet<_> = samples.iter().map(|sample| sample.hash).collect();
	let broken: BTreeSet<_> = samples.iter().step_by(2).map(|sample| sample.hash).collect();
	let store = fixture.store();
	for limit in [1, 7, usize::MAX] {
		let entries = pages(|after| store.entries(after, limit).unwrap(), |entry| entry.of.name);
		assert!(entries.iter().map(|entry| &entry.of.name).eq(&names));
		assert!(entries.iter().all(|entry| entry.broken == broken.contains(&entry.hash)));
		let all = pages(|after| store.fragments(after, limit).unwrap(), |fragment| fragment.hash);
		assert!(all.iter().map(|fragment| &fragment.hash).eq(&hashes));
		let bad = pages(|after| store.broken(after, limit).unwrap(), |fragment| fragment.hash);
		assert!(bad.iter().map(|fragment| &fragment.hash).eq(&broken));
		let held = pages(|after| store.quarantined(after, limit).unwrap(), |(hash, _)| *hash);
		assert!(held.iter().map(|(hash, _)| hash).eq(&broken));
	}
	assert!(store.entries(None, 0).unwrap().is_empty());
}

fn pages<T, K>(page: impl Fn(Option<&K>) -> Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
	let mut all = Vec::new();
	loop {
		let next = page(all.last().map(&key).as_ref());
		if next.is_empty() {
			return all;
		}
		all.extend(next);
	}
}

fn verifies_all(fixture: &mut impl Fixture) {
	let samples: Vec<_> = (0..4).flat_map(|seed| file(seed, 640)).collect();
	for sample in &samples {
		sample.put(fixture.store()).unwrap();
	}
	fixture.damage(&samples[0].hash, Damage::Flip(1));
	fixture.damage(&samples[1].hash, Damage::Remove);
	let store = fixture.store();
	store.quarantine(&samples[1].hash).unwrap();
	let mut seen = Vec::new();
	let mut bad = BTreeSet::new();
	let mut after = None;
	loop {
		let mut left = 5;
		let pass = store.verify_all(after, &mut |verified| {
			assert_eq!(verified.len, 640);
			seen.push(verified.hash);
			if !verified.verdict.is_whole() {
				bad.insert(verified.hash);
			}
			left -= 1;
			if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
		});
		let pass = pass.unwrap();
		assert_eq!(pass.bytes, pass.fragments * 640);
		after = pass.next;
		if after.is_none() {
			assert_eq!(pass.fragments, 2);
			break;
		}
		assert_eq!((pass.fragments, after.as_ref()), (5, seen.last()));
	}
	assert!(seen.is_sorted() && seen.len() == 12);
	assert_eq!(bad, BTreeSet::from([samples[0].hash, samples[1].hash]));
	let pass = store.verify_all(None, &mut |_| ControlFlow::Continue(())).unwrap();
	assert_eq!((pass.fragments, pass.bytes, pass.bad), (12, 12 * 640, 2));
}

fn keeps_notes(fixture: &mut impl Fixture) {
	assert_eq!(fixture.store().note(Note::Check).unwrap(), None);
	fixture.store().set_note(Note::Check, b"here").unwrap();
	fixture.store().set_note(Note::Throttle, &[7; Note::MAX_LEN]).unwrap();
	fixture.store().set_note(Note::Check, b"there").unwrap();
	let long = fixture.store().set_note(Note::Check, &[7; Note::MAX_LEN + 1]);
	assert!(matches!(long, Err(StoreError::NoteTooLong { len: 4097 })), "{long:?}");
	for _ in 0..2 {
		assert_eq!(fixture.store().note(Note::Check).unwrap().as_deref(), Some(&b"there"[..]));
		let throttle = fixture.store().note(Note::Throttle).unwrap();
		assert_eq!(throttle.as_deref(), Some(&[7; Note::MAX_LEN][..]));
		fixture.reopen();
	}
	fixture.store().set_note(Note::Check, b"").unwrap();
	assert_eq!(fixture.store().note(Note::Check).unwrap().as_deref(), Some(&b""[..]));
}

fn keeps_readers(fixture: &mut impl Fixture) {
	let store = fixture.store();
	let sample = &file(1, 640)[0];
	sample.put(store).unwrap();
	let mut reader = store.open(&sample.hash).unwrap();
	store.release(&sample.of.name).unwrap();
	let mut bytes = Vec::new();
	reader.read_to_end(&mut bytes).unwrap();
	assert_eq!(bytes, sample.bytes);
}

fn serves_many_at_once(fixture: &impl Fixture) {
	let store = fixture.store();
	let samples: Vec<_> = (0..6).flat_map(|seed| file(seed, 640)).collect();
	let empty = usage(store);
	thread::scope(|scope| {
		for owner in 0..4 {
			let samples = &samples;
			scope.spawn(move || {
				for sample in samples.iter().cycle().skip(owner * 5).take(samples.len()) {
					let sample = sample.of_owner(owner as u64);
					loop {
						match sample.put(store) {
							Ok(_) => break,
							Err(PutError::Begin(BeginError::Busy(_))) => thread::yield_now(),
							Err(error) => panic!("{error}"),
						}
					}
					assert_eq!(store.read(&sample.hash, 0..640).unwrap(), sample.bytes);
					assert!(store.verify(&sample.hash).unwrap().is_whole());
				}
			});
		}
	});
	assert_eq!(usage(store), Usage { used: 18 * 640, fragments: 18, names: 72, ..empty });
	thread::scope(|scope| {
		for owner in 0..4 {
			let samples = &samples;
			scope.spawn(move || {
				for sample in samples {
					let released = store.release(&sample.of_owner(owner).of.name).unwrap();
					assert_ne!(released, Released::Unknown);
				}
			});
		}
	});
	assert_eq!(usage(store), empty);
}

fn stores_the_largest(fixture: &mut impl Fixture) {
	// The second segment of this file is as short as can be.
	const LARGEST: usize = planaria_primitives::MAX_FRAGMENT_LEN as usize;
	let spec = FileSpec::new(LARGEST as u64 + 1, CodingParams::new(1, 1).unwrap()).unwrap();
	let lens = [LARGEST, 64];
	let bytes = lens.map(|len| [noise(1, len), noise(2, len)]);
	let hashes = bytes.each_ref().map(|pair| pair.each_ref().map(|bytes| FragmentHash::of(bytes)));
	let segments = hashes.map(|pair| segment_tree(&pair).unwrap());
	let tree = file_tree(&segments.each_ref().map(|segment| segment.root())).unwrap();
	let file_id = file_id(&spec, &tree.root());
	for (segment, number) in segments.iter().zip(0..) {
		for index in 0..2 {
			let name = FragmentName { file_id, file: FileIndex(1), segment: number, index };
			let sidecar = Sidecar::new(segment, index, &tree, number).unwrap();
			let at = (number as usize, usize::from(index));
			let sample = Sample {
				hash: hashes[at.0][at.1],
				of: FragmentUse { name, spec, sidecar },
				bytes: bytes[at.0][at.1].clone(),
			};
			assert_eq!(sample.put(fixture.store()).unwrap(), Put::Stored);
		}
	}
	fixture.reopen();
	let pass = fixture.store().verify_all(None, &mut |_| ControlFlow::Continue(())).unwrap();
	assert_eq!((pass.fragments, pass.bytes, pass.bad), (4, 2 * (LARGEST as u64 + 64), 0));
}
