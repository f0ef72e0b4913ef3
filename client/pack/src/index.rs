// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which of a pack's bytes an object is.

use crate::PackError;
use std::ops::Range;

/// What a pack begins and ends with: seven letters and the version.
pub(crate) const MAGIC: [u8; 8] = *b"PLNPACK\x01";

/// Count, index length, index hash, magic.
pub const TRAILER_LEN: usize = 4 + 4 + 32 + 8;

/// How much of a pack's end is worth reading at once: the index of more than a thousand objects with
/// names of 50 bytes.
pub const TAIL_LEN: usize = 64 << 10;

/// The most objects in a pack.
pub const MAX_OBJECTS: u32 = 1 << 16;

/// The longest name.
pub const MAX_NAME_LEN: usize = 1024;

/// The longest index.
pub const MAX_INDEX_LEN: u32 = 16 << 20;

/// An entry's length and name length.
pub(crate) const ENTRY_LEN: usize = 4 + 2;

/// An object in a pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
	name: Box<[u8]>,
	start: u64,
	len: u32,
}

impl Entry {
	/// Its name.
	pub fn name(&self) -> &[u8] {
		&self.name
	}

	/// How many bytes it has, at least 1.
	pub fn len(&self) -> u64 {
		self.len.into()
	}

	/// Never: an object has bytes.
	pub fn is_empty(&self) -> bool {
		false
	}

	/// Which of the pack's bytes it is.
	pub fn range(&self) -> Range<u64> {
		self.start..self.start + self.len()
	}

	/// Which of the pack's bytes a range of the object's is; what lies behind its end is left out.
	pub fn part(&self, range: Range<u64>) -> Range<u64> {
		let within = |offset: u64| self.start + offset.min(self.len());
		within(range.start)..within(range.end).max(within(range.start))
	}
}

/// What is in a pack.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Index {
	/// In the order of the pack.
	entries: Vec<Entry>,
	/// The entries' places, in the order of their names.
	by_name: Vec<u32>,
}

/// What a pack's end says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tail {
	/// The index was in it.
	Index(Index),
	/// The index begins before it: give [`Index::from_tail`] the pack from this offset on.
	From(u64),
}

impl Index {
	/// Reads the index from a pack's last bytes, any number that is not less than
	/// [`TRAILER_LEN`]; [`TAIL_LEN`], or all of a shorter pack, mostly suffice.
	pub fn from_tail(tail: &[u8], pack_len: u64) -> Result<Tail, PackError> {
		let have = tail.len() as u64;
		if have > pack_len {
			return Err(PackError::WrongPart { have, need: pack_len });
		}
		let need = TRAILER_LEN as u64;
		if pack_len < need + MAGIC.len() as u64 {
			return Err(PackError::NotAPack);
		}
		let Some((before, trailer)) = tail.split_last_chunk::<TRAILER_LEN>() else {
			return Err(PackError::WrongPart { have, need });
		};
		let Trailer { count, index_len, hash } = Trailer::read(trailer)?;
		let room = pack_len - need - MAGIC.len() as u64;
		if index_len > MAX_INDEX_LEN || u64::from(index_len) > room {
			return Err(PackError::AbsurdIndex(index_len));
		}
		let len = index_len as usize;
		let Some(start) = before.len().checked_sub(len) else {
			return Ok(Tail::From(pack_len - need - u64::from(index_len)));
		};
		let bytes = &before[start..];
		if hash_of(count, bytes) != hash {
			return Err(PackError::AlteredIndex);
		}
		Self::parse(bytes, count, room - u64::from(index_len)).map(Tail::Index)
	}

	/// The entries of an index, whose objects have so many bytes together.
	fn parse(mut bytes: &[u8], count: u32, room: u64) -> Result<Self, PackError> {
		let mut entries = Vec::with_capacity(bytes.len() / (ENTRY_LEN + 1));
		let mut start = MAGIC.len() as u64;
		for number in 0..count {
			let short = PackError::ShortIndex(number);
			let (len, rest) = bytes.split_first_chunk().ok_or(short)?;
			let (name_len, rest) = rest.split_first_chunk().ok_or(short)?;
			let (len, name_len) = (u32::from_le_bytes(*len), u16::from_le_bytes(*name_len));
			if len == 0 {
				return Err(PackError::EmptyObject(number));
			}
			if name_len == 0 || usize::from(name_len) > MAX_NAME_LEN {
				return Err(PackError::BadName(number, name_len));
			}
			let (name, rest) = rest.split_at_checked(name_len.into()).ok_or(short)?;
			entries.push(Entry { name: name.into(), start, len });
			start += u64::from(len);
			bytes = rest;
		}
		if !bytes.is_empty() {
			return Err(PackError::LongIndex);
		}
		let objects = start - MAGIC.len() as u64;
		if objects != room {
			return Err(PackError::WrongSizes { objects, room });
		}
		Self::new(entries).map_err(PackError::DuplicateName)
	}

	/// The index of entries in the order of the pack; if two have the same name, the place of the
	/// latter.
	fn new(entries: Vec<Entry>) -> Result<Self, u32> {
		let name = |place: u32| &*entries[place as usize].name;
		let count = u32::try_from(entries.len()).expect("at most MAX_OBJECTS; qed");
		let mut by_name: Vec<u32> = (0..count).collect();
		by_name.sort_by(|one, other| name(*one).cmp(name(*other)));
		let twice = by_name.windows(2).find(|pair| name(pair[0]) == name(pair[1]));
		match twice {
			Some(pair) => Err(pair[1]),
			None => Ok(Self { entries, by_name }),
		}
	}

	/// The object of this name.
	pub fn find(&self, name: &[u8]) -> Option<&Entry> {
		let entry = |place: &u32| &self.entries[*place as usize];
		let found = self.by_name.binary_search_by(|place| entry(place).name().cmp(name)).ok()?;
		self.by_name.get(found).map(entry)
	}

	/// All objects, in the order of the pack.
	pub fn entries(&self) -> &[Entry] {
		&self.entries
	}

	/// How many of the objects' bytes are alive, and how many there are.
	pub fn live_bytes(&self, is_live: impl Fn(&[u8]) -> bool) -> (u64, u64) {
		let sum = |entries: &mut dyn Iterator<Item = &Entry>| entries.map(Entry::len).sum();
		let live = sum(&mut self.entries.iter().filter(|entry| is_live(entry.name())));
		(live, sum(&mut self.entries.iter()))
	}

	/// How much of the objects' bytes is alive, 0 to 1.
	#[allow(clippy::cast_precision_loss)] // a share
	pub fn live_fraction(&self, is_live: impl Fn(&[u8]) -> bool) -> f64 {
		let (live, all) = self.live_bytes(is_live);
		if all == 0 { 0.0 } else { live as f64 / all as f64 }
	}

	/// Appends an entry behind the last one. The name must be new.
	pub(crate) fn push(&mut self, name: &[u8], len: u32) {
		let start = self.entries.last().map_or(MAGIC.len() as u64, |last| last.range().end);
		let place = u32::try_from(self.entries.len()).expect("at most MAX_OBJECTS; qed");
		let order =
			self.by_name.partition_point(|place| self.entries[*place as usize].name() < name);
		self.by_name.insert(order, place);
		self.entries.push(Entry { name: name.into(), start, len });
	}

	/// The index and the trailer as they stand in a pack.
	pub(crate) fn to_bytes(&self) -> Vec<u8> {
		let mut bytes = Vec::new();
		for Entry { name, len, .. } in &self.entries {
			bytes.extend_from_slice(&len.to_le_bytes());
			let name_len = u16::try_from(name.len()).expect("at most MAX_NAME_LEN; qed");
			bytes.extend_from_slice(&name_len.to_le_bytes());
			bytes.extend_from_slice(name);
		}
		let count = u32::try_from(self.entries.len()).expect("at most MAX_OBJECTS; qed");
		let index_len = u32::try_from(bytes.len()).expect("at most MAX_INDEX_LEN; qed");
		let hash = hash_of(count, &bytes);
		bytes.extend_from_slice(&count.to_le_bytes());
		bytes.extend_from_slice(&index_len.to_le_bytes());
		bytes.extend_from_slice(&hash);
		bytes.extend_from_slice(&MAGIC);
		bytes
	}
}

/// What a pack ends with.
struct Trailer {
	count: u32,
	index_len: u32,
	hash: [u8; 32],
}

impl Trailer {
	fn read(bytes: &[u8; TRAILER_LEN]) -> Result<Self, PackError> {
		let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
		let (magic, [version]) = (&bytes[40..47], [bytes[47]]);
		if magic != &MAGIC[..7] {
			return Err(PackError::NotAPack);
		}
		if version != MAGIC[7] {
			return Err(PackError::UnknownVersion(version));
		}
		let count = number(0);
		if count == 0 || count > MAX_OBJECTS {
			return Err(PackError::AbsurdCount(count));
		}
		Ok(Self { count, index_len: number(4), hash: std::array::from_fn(|i| bytes[8 + i]) })
	}
}

/// What shows that an index is whole.
fn hash_of(count: u32, index: &[u8]) -> [u8; 32] {
	let mut hasher = blake3::Hasher::new_derive_key("planaria 2026 pack index");
	hasher.update(&count.to_le_bytes()).update(index);
	*hasher.finalize().as_bytes()
}
