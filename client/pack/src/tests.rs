// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole packs.

use crate::{
	AppendError, Index, MAX_INDEX_LEN, MAX_NAME_LEN, MAX_OBJECTS, PackError, TRAILER_LEN, Tail,
	Writer, index::MAGIC, is_worth_repacking, repack,
};
use proptest::{collection::vec, prelude::*};
use std::{
	collections::BTreeMap,
	convert::Infallible,
	io::{self, Write},
	ops::Range,
};

type Objects = BTreeMap<Vec<u8>, Vec<u8>>;

fn pack(objects: &Objects) -> Vec<u8> {
	let mut writer = Writer::new(Vec::new()).expect("in memory");
	for (name, bytes) in objects {
		writer.append(name, bytes).expect("a new name");
	}
	let len = writer.pack_len();
	let (pack, index) = writer.finish().expect("objects");
	assert_eq!(pack.len() as u64, len);
	assert_eq!(read(&pack), Ok(index));
	pack
}

fn read(pack: &[u8]) -> Result<Index, PackError> {
	match Index::from_tail(pack, pack.len() as u64)? {
		Tail::Index(index) => Ok(index),
		Tail::From(offset) => panic!("all of it was given, not what begins at {offset}"),
	}
}

fn slice(pack: &[u8], range: Range<u64>) -> &[u8] {
	let place = |offset| usize::try_from(offset).expect("small");
	&pack[place(range.start)..place(range.end)]
}

fn some() -> Objects {
	[(&b"b"[..], &b"second"[..]), (b"a", b"first"), (b"dir/c", b"3")]
		.map(|(name, bytes)| (name.to_vec(), bytes.to_vec()))
		.into()
}

/// The index's bytes and the objects' length, with a right trailer.
fn forged(count: u32, objects: u64, index: &[u8]) -> Vec<u8> {
	let mut pack = MAGIC.to_vec();
	pack.extend(vec![7; usize::try_from(objects).expect("small")]);
	pack.extend(index);
	pack.extend(count.to_le_bytes());
	pack.extend(u32::try_from(index.len()).expect("short").to_le_bytes());
	let mut hasher = blake3::Hasher::new_derive_key("planaria 2026 pack index");
	hasher.update(&count.to_le_bytes()).update(index);
	pack.extend(hasher.finalize().as_bytes());
	pack.extend(MAGIC);
	pack
}

fn entry(len: u32, name: &[u8]) -> Vec<u8> {
	let name_len = u16::try_from(name.len()).expect("short");
	[&len.to_le_bytes()[..], &name_len.to_le_bytes(), name].concat()
}

/// The bytes that docs/format.md specifies. A change of these is a change of the version.
#[test]
fn a_pack_has_these_bytes() {
	let expected = concat!(
		"504c4e5041434b01",
		"6669727374",
		"7365636f6e64",
		"33",
		"05000000010061",
		"06000000010062",
		"01000000050064",
		"69722f63",
		"0300000019000000",
		"7f947c29d66462c1f323719de938d1271f28e96264a7785d279c005dc51f4835",
		"504c4e5041434b01",
	);
	assert_eq!(hex::encode(pack(&some())), expected);
}

#[test]
fn what_is_packed_is_found() {
	let pack = pack(&some());
	let index = read(&pack).expect("a pack");
	for (name, bytes) in some() {
		let found = index.find(&name).expect("there");
		assert_eq!(slice(&pack, found.range()), bytes);
		assert_eq!((found.name(), found.len()), (&name[..], bytes.len() as u64));
	}
	assert_eq!(index.find(b"c"), None);
	let second = index.find(b"b").expect("there");
	assert_eq!(slice(&pack, second.part(1..3)), b"ec");
	assert_eq!(slice(&pack, second.part(4..u64::MAX)), b"nd");
	assert_eq!(slice(&pack, second.part(9..12)), b"");
}

#[test]
fn an_index_is_read_from_any_end_that_holds_it() {
	let pack = pack(&some());
	let len = pack.len() as u64;
	let whole = read(&pack).expect("a pack");
	let begins = 8 + 12;
	for start in 0..pack.len() {
		let tail = Index::from_tail(&pack[start..], len);
		match start {
			start if start <= begins => assert_eq!(tail, Ok(Tail::Index(whole.clone()))),
			start if start <= pack.len() - TRAILER_LEN => {
				assert_eq!(tail, Ok(Tail::From(begins as u64)));
			},
			_ => assert!(matches!(tail, Err(PackError::WrongPart { .. })), "{tail:?}"),
		}
	}
	let error = Index::from_tail(&pack, len - 1).expect_err("longer than all of it");
	assert_eq!(error, PackError::WrongPart { have: len, need: len - 1 });
}

#[test]
fn what_does_not_belong_into_a_pack_is_refused() {
	let mut writer = Writer::new(Vec::new()).expect("in memory");
	writer.append(b"a", b"1").expect("new");
	let before = writer.pack_len();
	assert!(matches!(writer.append(b"b", b""), Err(AppendError::Empty)));
	assert!(matches!(writer.append(b"", b"1"), Err(AppendError::BadName(0))));
	let long = [0; MAX_NAME_LEN + 1];
	assert!(matches!(writer.append(&long, b"1"), Err(AppendError::BadName(1025))));
	assert!(matches!(writer.append(b"a", b"2"), Err(AppendError::Duplicate)));
	assert_eq!(writer.pack_len(), before);
	writer.append(&long[1..], b"1").expect("just short enough");
	read(&writer.finish().expect("objects").0).expect("a pack");
	let empty = Writer::new(Vec::new()).expect("in memory");
	assert!(matches!(empty.finish(), Err(AppendError::NoObjects)));
}

#[test]
fn a_full_pack_takes_no_more() {
	let mut writer = Writer::new(io::sink()).expect("nowhere");
	for number in 0..MAX_OBJECTS {
		writer.append(&number.to_be_bytes(), b"1").expect("there is room");
	}
	assert!(matches!(writer.append(b"x", b"1"), Err(AppendError::Full)));
	let mut writer = Writer::new(io::sink()).expect("nowhere");
	let full = (0u32..).find(|number| {
		let mut name = [0; MAX_NAME_LEN];
		name[..4].copy_from_slice(&number.to_be_bytes());
		matches!(writer.append(&name, b"1"), Err(AppendError::Full))
	});
	assert_eq!(full, Some(MAX_INDEX_LEN / (6 + 1024)));
}

/// Takes so many bytes.
struct Small(usize);

impl Write for Small {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
		Ok(bytes.len())
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}

#[test]
fn a_pack_that_could_not_be_written_is_given_up() {
	assert!(matches!(Writer::new(Small(7)), Err(AppendError::Io(_))));
	let mut writer = Writer::new(Small(10)).expect("eight bytes");
	assert!(matches!(writer.append(b"a", b"123"), Err(AppendError::Io(_))));
	assert!(matches!(writer.append(b"a", b"1"), Err(AppendError::Broken)));
	assert!(matches!(writer.finish(), Err(AppendError::Broken)));
	let mut writer = Writer::new(Small(10)).expect("eight bytes");
	writer.append(b"a", b"12").expect("two more");
	assert!(matches!(writer.finish(), Err(AppendError::Io(_))));
}

#[test]
fn every_truncation_is_refused() {
	let pack = pack(&some());
	for len in 0..pack.len() {
		let error = read(&pack[..len]).expect_err("cut off");
		assert!(matches!(error, PackError::NotAPack), "{len}: {error}");
		// Nor does a cut at the beginning pass.
		assert!(Index::from_tail(&pack[pack.len() - len..], len as u64).is_err(), "{len}");
	}
}

#[test]
fn every_flipped_bit_of_index_and_trailer_is_refused() {
	let pack = pack(&some());
	for bit in 8 * (8 + 12)..8 * pack.len() {
		let mut altered = pack.clone();
		altered[bit / 8] ^= 1 << (bit % 8);
		let read = Index::from_tail(&altered, altered.len() as u64);
		// A longer index than the pack's is looked for before the beginning of what was given.
		assert!(read.is_err(), "bit {bit}: {read:?}");
	}
}

#[test]
fn malformed_packs_are_refused_with_a_reason() {
	let (a, b) = (entry(2, b"a"), entry(3, b"b"));
	let both = [&a[..], &b].concat();
	assert!(read(&forged(2, 5, &both)).is_ok());
	for (count, objects, index, reason) in [
		(0, 0, vec![], PackError::AbsurdCount(0)),
		(MAX_OBJECTS + 1, 5, both.clone(), PackError::AbsurdCount(MAX_OBJECTS + 1)),
		(u32::MAX, 5, both.clone(), PackError::AbsurdCount(u32::MAX)),
		(3, 5, both.clone(), PackError::ShortIndex(2)),
		(MAX_OBJECTS, 5, both.clone(), PackError::ShortIndex(2)),
		(1, 5, both.clone(), PackError::LongIndex),
		(2, 5, both[..both.len() - 1].to_vec(), PackError::ShortIndex(1)),
		// Out of range, and with a gap.
		(2, 4, both.clone(), PackError::WrongSizes { objects: 5, room: 4 }),
		(2, 6, both.clone(), PackError::WrongSizes { objects: 5, room: 6 }),
		(2, 5, [&a[..], &a].concat(), PackError::WrongSizes { objects: 4, room: 5 }),
		(2, 4, [&a[..], &a].concat(), PackError::DuplicateName(1)),
		(2, 2, [entry(0, b"x"), a.clone()].concat(), PackError::EmptyObject(0)),
		(2, 4, [a.clone(), entry(2, b"")].concat(), PackError::BadName(1, 0)),
		(1, 2, entry(2, &[0; 1025]), PackError::BadName(0, 1025)),
		(
			2,
			5,
			[entry(u32::MAX, b"x"), entry(u32::MAX, b"y")].concat(),
			PackError::WrongSizes { objects: 2 * u64::from(u32::MAX), room: 5 },
		),
	] {
		assert_eq!(read(&forged(count, objects, &index)), Err(reason));
	}

	let good = forged(2, 5, &both);
	let with = |from_end: usize, bytes: &[u8]| {
		let mut altered = good.clone();
		let place = altered.len() - from_end;
		altered[place..place + bytes.len()].copy_from_slice(bytes);
		read(&altered)
	};
	assert_eq!(with(1, &[2]), Err(PackError::UnknownVersion(2)));
	assert_eq!(with(8, b"p"), Err(PackError::NotAPack));
	assert_eq!(with(44, &[255; 4]), Err(PackError::AbsurdIndex(u32::MAX)));
	assert_eq!(with(44, &20u32.to_le_bytes()), Err(PackError::AbsurdIndex(20)));
	assert_eq!(with(44, &13u32.to_le_bytes()), Err(PackError::AlteredIndex));
	assert_eq!(read(&good[good.len() - 55..]), Err(PackError::NotAPack));
}

#[test]
fn what_is_alive_is_copied() {
	let old = pack(&some());
	let index = read(&old).expect("a pack");
	let is_live = |name: &[u8]| name != b"b";
	assert_eq!(index.live_bytes(is_live), (6, 12));
	assert!((index.live_fraction(is_live) - 0.5).abs() < 1e-9);
	assert!(!is_worth_repacking(&index, is_live));
	assert!(is_worth_repacking(&index, |name| name == b"a"));

	let mut writer = Writer::new(Vec::new()).expect("in memory");
	writer.append(b"new", b"before").expect("new");
	let bytes = |range| Ok::<_, Infallible>(slice(&old, range).to_vec());
	assert_eq!(repack(&index, is_live, bytes, &mut writer).expect("copied"), 2);
	let (new, _) = writer.finish().expect("objects");
	let new_index = read(&new).expect("a pack");
	for (name, bytes) in some() {
		let found = new_index.find(&name).map(|entry| slice(&new, entry.range()).to_vec());
		assert_eq!(found, is_live(&name).then_some(bytes));
	}
	assert_eq!(new_index.entries().len(), 3);
}

fn objects() -> impl Strategy<Value = Objects> {
	prop::collection::btree_map(vec(any::<u8>(), 1..20), vec(any::<u8>(), 1..50), 1..40)
}

proptest! {
	#[test]
	fn any_objects_are_found(objects in objects(), missing in vec(any::<u8>(), 1..20)) {
		let pack = pack(&objects);
		let index = read(&pack).expect("a pack");
		for (name, bytes) in &objects {
			let found = index.find(name).expect("there");
			prop_assert_eq!(slice(&pack, found.range()), &bytes[..]);
		}
		prop_assert_eq!(index.find(&missing).is_some(), objects.contains_key(&missing));
		let mut end = 8;
		for entry in index.entries() {
			prop_assert_eq!(entry.range().start, end);
			end = entry.range().end;
		}
	}

	#[test]
	fn an_altered_index_is_never_taken(
		objects in objects(), place in any::<prop::sample::Index>(), flip in 1..=255u8,
	) {
		let mut pack = pack(&objects);
		let bytes: usize = objects.values().map(Vec::len).sum();
		let place = 8 + bytes + place.index(pack.len() - 8 - bytes);
		pack[place] ^= flip;
		prop_assert!(Index::from_tail(&pack, pack.len() as u64).is_err());
	}

	/// Whatever an index says, with a right hash: it is refused, or it is sound.
	#[test]
	fn a_forged_index_is_sound_or_refused(
		count in 0..6u32, objects in 0..40u64, index in vec(0..4u8, 0..60),
	) {
		if let Ok(index) = read(&forged(count, objects, &index)) {
			prop_assert_eq!(index.entries().len(), count as usize);
			prop_assert_eq!(index.entries().last().map(|last| last.range().end), Some(8 + objects));
			prop_assert!(index.entries().iter().all(|entry| !entry.range().is_empty()));
			prop_assert!(index.entries().iter().all(|e| index.find(e.name()) == Some(e)));
		}
	}

	#[test]
	fn noise_is_no_pack(noise in vec(any::<u8>(), 0..200), more in 0..1000u64) {
		prop_assert!(Index::from_tail(&noise, noise.len() as u64 + more).is_err());
	}
}
