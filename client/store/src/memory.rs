// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A store in memory, for tests and simulations.

use crate::{
	BeginError, Begun, Entry, ForgetError, Fragment, FragmentStore, FragmentUse, Note, PAGE_LEN,
	ReadError, Reader, Released, Sink, StoreError, Usage, Verdict, Writer, verify,
};
use planaria_primitives::{FragmentHash, FragmentName};
use std::{
	collections::{BTreeMap, HashMap, HashSet},
	fmt, io,
	ops::Bound::{Excluded, Unbounded},
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A [`FragmentStore`] in memory. Clones are the same store.
#[derive(Clone)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
	capacity: u64,
	fragments: BTreeMap<FragmentHash, Stored>,
	names: BTreeMap<FragmentName, FragmentHash>,
	quarantine: BTreeMap<FragmentHash, u64>,
	writing: HashSet<FragmentHash>,
	reserved: u64,
	partial: HashMap<FragmentHash, Vec<u8>>,
	notes: BTreeMap<Note, Vec<u8>>,
	unreadable: Unreadable,
}

/// What the disk would not read.
#[derive(Default)]
enum Unreadable {
	#[default]
	Nothing,
	These(HashSet<FragmentHash>),
	Everything,
}

struct Stored {
	len: u32,
	broken: bool,
	bytes: Option<Arc<[u8]>>,
	uses: BTreeMap<FragmentName, FragmentUse>,
}

impl fmt::Debug for MemoryStore {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("MemoryStore").finish_non_exhaustive()
	}
}

impl MemoryStore {
	/// An empty store for `capacity` bytes.
	pub fn new(capacity: u64) -> Self {
		Self(Arc::new(Mutex::new(State { capacity, ..State::default() })))
	}

	/// Replaces a fragment's bytes, or takes them away, as a bad disk would.
	pub fn damage(&self, hash: &FragmentHash, how: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
		if let Some(stored) = self.state().fragments.get_mut(hash) {
			stored.bytes = stored.bytes.take().and_then(|bytes| how(bytes.to_vec())).map(Arc::from);
		}
	}

	/// From now on no fragment can be read, or only those can that are not in this list, as with a
	/// bad disk.
	pub fn fail_reads(&self, of: Option<&[FragmentHash]>) {
		self.state().unreadable = match of {
			None => Unreadable::Everything,
			Some([]) => Unreadable::Nothing,
			Some(hashes) => Unreadable::These(hashes.iter().copied().collect()),
		};
	}

	fn state(&self) -> MutexGuard<'_, State> {
		// Nothing panics between two changes that belong together.
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

impl Unreadable {
	fn contains(&self, hash: &FragmentHash) -> bool {
		match self {
			Self::Nothing => false,
			Self::These(hashes) => hashes.contains(hash),
			Self::Everything => true,
		}
	}
}

fn unreadable_error(hash: &FragmentHash) -> StoreError {
	StoreError::unreadable(hash.to_string(), io::Error::other("input/output error"))
}

impl Stored {
	fn verdict(&self, hash: &FragmentHash, quarantined: bool, unreadable: &Unreadable) -> Verdict {
		match &self.bytes {
			None if quarantined && self.broken => Verdict::Damaged,
			None => Verdict::Missing,
			Some(_) if unreadable.contains(hash) => Verdict::Unreadable(unreadable_error(hash)),
			Some(bytes) => verify::check(&mut &bytes[..], Path::new("memory"), hash, self.len),
		}
	}

	fn fragment(&self, hash: FragmentHash) -> Fragment {
		Fragment { hash, len: self.len, names: self.uses.len() as u64, broken: self.broken }
	}
}

impl State {
	fn usage(&self) -> Usage {
		let whole = self.fragments.values().filter(|stored| !stored.broken);
		Usage {
			capacity: self.capacity,
			used: whole.map(|stored| u64::from(stored.len)).sum(),
			quarantined: self.quarantine.values().sum(),
			reserved: self.reserved
				+ self.partial.values().map(|bytes| bytes.len() as u64).sum::<u64>(),
			free_on_disk: u64::MAX,
			fragments: self.fragments.len() as u64,
			broken: self.fragments.values().filter(|stored| stored.broken).count() as u64,
			names: self.names.len() as u64,
		}
	}

	fn quarantine(&mut self, hash: &FragmentHash, give_up: bool) -> Verdict {
		let quarantined = self.quarantine.contains_key(hash);
		let Some(stored) = self.fragments.get_mut(hash) else { return Verdict::Missing };
		let verdict = stored.verdict(hash, quarantined, &self.unreadable);
		if matches!(verdict, Verdict::Unreadable(_)) && !give_up {
			return verdict;
		}
		if !stored.broken && !verdict.is_whole() {
			stored.broken = true;
			if let Some(bytes) = stored.bytes.take() {
				*self.quarantine.entry(*hash).or_default() += bytes.len() as u64;
			}
		}
		verdict
	}

	fn entry(&self, name: &FragmentName, hash: &FragmentHash) -> Option<Entry> {
		let stored = self.fragments.get(hash)?;
		let of = stored.uses.get(name)?.clone();
		Some(Entry { hash: *hash, broken: stored.broken, of })
	}

	fn add(&mut self, hash: FragmentHash, of: &FragmentUse, bytes: Option<Arc<[u8]>>) {
		let stored = self.fragments.entry(hash).or_insert_with(|| Stored {
			len: of.fragment_len(),
			broken: false,
			bytes: None,
			uses: BTreeMap::new(),
		});
		if bytes.is_some() {
			(stored.bytes, stored.broken) = (bytes, false);
		}
		stored.uses.insert(of.name, of.clone());
		self.names.insert(of.name, hash);
	}
}

impl FragmentStore for MemoryStore {
	fn begin(&self, hash: FragmentHash, of: &FragmentUse) -> Result<Begun, BeginError> {
		of.check(&hash).map_err(|reason| BeginError::Invalid { hash, reason })?;
		let len = of.fragment_len();
		let mut state = self.state();
		if state.writing.contains(&hash) {
			return Err(BeginError::Busy(hash));
		}
		if let Some(stored) = state.fragments.get(&hash).filter(|stored| !stored.broken) {
			let known = stored.uses.contains_key(&of.name);
			let same_len = |bytes: &Arc<[u8]>| bytes.len() == len as usize;
			let verdict = if known && stored.bytes.as_ref().is_some_and(same_len) {
				Verdict::Whole
			} else {
				state.quarantine(&hash, false)
			};
			match verdict {
				Verdict::Whole => {
					state.add(hash, of, None);
					return Ok(Begun::Have);
				},
				Verdict::Unreadable(error) => return Err(error.into()),
				Verdict::Damaged | Verdict::Missing => (),
			}
		}
		let mut bytes = state.partial.remove(&hash).unwrap_or_default();
		let needed = u64::from(len);
		while state.usage().free() < needed {
			let Some(victim) = state.partial.keys().next().copied() else {
				return Err(BeginError::Full { needed, free: state.usage().free() });
			};
			state.partial.remove(&victim);
		}
		bytes.reserve_exact(len as usize - bytes.len());
		state.writing.insert(hash);
		state.reserved += needed;
		drop(state);
		let mut hasher = blake3::Hasher::new();
		hasher.update(&bytes);
		let offset = u32::try_from(bytes.len()).expect("at most the fragment's length; qed");
		let sink = MemorySink { store: self.clone(), hash, of: of.clone(), bytes };
		Ok(Begun::Write(Writer::new(hash, len, offset, hasher, Box::new(sink))))
	}

	fn open(&self, hash: &FragmentHash) -> Result<Reader, ReadError> {
		let state = self.state();
		let stored = state.fragments.get(hash).ok_or(ReadError::Unknown(*hash))?;
		match &stored.bytes {
			Some(_) if !stored.broken && state.unreadable.contains(hash) => {
				Err(unreadable_error(hash).into())
			},
			Some(bytes) if !stored.broken && bytes.len() == stored.len as usize => {
				Ok(Reader::memory(bytes.clone(), stored.len))
			},
			_ => Err(ReadError::Broken(*hash)),
		}
	}

	fn fragment(&self, hash: &FragmentHash) -> Result<Option<Fragment>, StoreError> {
		Ok(self.state().fragments.get(hash).map(|stored| stored.fragment(*hash)))
	}

	fn entry(&self, name: &FragmentName) -> Result<Option<Entry>, StoreError> {
		let state = self.state();
		Ok(state.names.get(name).and_then(|hash| state.entry(name, hash)))
	}

	fn fragments(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError> {
		let state = self.state();
		let range =
			state.fragments.range((after.map_or(Unbounded, |hash| Excluded(*hash)), Unbounded));
		let range = range.map(|(hash, stored)| stored.fragment(*hash));
		Ok(range.take(limit.min(PAGE_LEN)).collect())
	}

	fn entries(
		&self,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<Entry>, StoreError> {
		let state = self.state();
		let range = state.names.range((after.map_or(Unbounded, |name| Excluded(*name)), Unbounded));
		let range = range.filter_map(|(name, hash)| state.entry(name, hash));
		Ok(range.take(limit.min(PAGE_LEN)).collect())
	}

	fn uses(
		&self,
		hash: &FragmentHash,
		after: Option<&FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentUse>, StoreError> {
		let state = self.state();
		let Some(stored) = state.fragments.get(hash) else { return Ok(Vec::new()) };
		let range = stored.uses.range((after.map_or(Unbounded, |name| Excluded(*name)), Unbounded));
		Ok(range.map(|(_, of)| of.clone()).take(limit.min(PAGE_LEN)).collect())
	}

	fn broken(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<Fragment>, StoreError> {
		let state = self.state();
		let range =
			state.fragments.range((after.map_or(Unbounded, |hash| Excluded(*hash)), Unbounded));
		let range = range.filter(|(_, stored)| stored.broken);
		let range = range.map(|(hash, stored)| stored.fragment(*hash));
		Ok(range.take(limit.min(PAGE_LEN)).collect())
	}

	fn quarantined(
		&self,
		after: Option<&FragmentHash>,
		limit: usize,
	) -> Result<Vec<(FragmentHash, u64)>, StoreError> {
		let state = self.state();
		let range =
			state.quarantine.range((after.map_or(Unbounded, |hash| Excluded(*hash)), Unbounded));
		Ok(range.map(|(hash, bytes)| (*hash, *bytes)).take(limit.min(PAGE_LEN)).collect())
	}

	fn release(&self, name: &FragmentName) -> Result<Released, StoreError> {
		let mut state = self.state();
		let Some(hash) = state.names.remove(name) else { return Ok(Released::Unknown) };
		let stored = state.fragments.get_mut(&hash).expect("every name has its fragment; qed");
		stored.uses.remove(name);
		if !stored.uses.is_empty() {
			return Ok(Released::Kept { names: stored.uses.len() as u64 });
		}
		let bytes = if stored.broken { 0 } else { u64::from(stored.len) };
		state.fragments.remove(&hash);
		state.quarantine.remove(&hash);
		Ok(Released::Removed { bytes })
	}

	fn verify(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		let state = self.state();
		let quarantined = state.quarantine.contains_key(hash);
		let stored = state.fragments.get(hash);
		Ok(stored.map_or(Verdict::Missing, |stored| {
			stored.verdict(hash, quarantined, &state.unreadable)
		}))
	}

	fn quarantine(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		Ok(self.state().quarantine(hash, false))
	}

	fn give_up(&self, hash: &FragmentHash) -> Result<Verdict, StoreError> {
		Ok(self.state().quarantine(hash, true))
	}

	fn forget_quarantined(&self, hash: &FragmentHash) -> Result<u64, ForgetError> {
		let mut state = self.state();
		if state.fragments.get(hash).is_some_and(|stored| stored.broken) {
			return Err(ForgetError::NotReplaced(*hash));
		}
		Ok(state.quarantine.remove(hash).unwrap_or(0))
	}

	fn usage(&self) -> Result<Usage, StoreError> {
		Ok(self.state().usage())
	}

	fn note(&self, note: Note) -> Result<Option<Vec<u8>>, StoreError> {
		Ok(self.state().notes.get(&note).cloned())
	}

	fn set_note(&self, note: Note, bytes: &[u8]) -> Result<(), StoreError> {
		if bytes.len() > Note::MAX_LEN {
			return Err(StoreError::NoteTooLong { len: bytes.len() });
		}
		self.state().notes.insert(note, bytes.to_vec());
		Ok(())
	}
}

/// Bytes on their way into a [`MemoryStore`].
struct MemorySink {
	store: MemoryStore,
	hash: FragmentHash,
	of: FragmentUse,
	bytes: Vec<u8>,
}

impl Sink for MemorySink {
	fn write_at(&mut self, bytes: &[u8], offset: u32) -> Result<(), StoreError> {
		self.bytes.truncate(offset as usize);
		self.bytes.extend_from_slice(bytes);
		Ok(())
	}

	fn commit(&mut self) -> Result<(), StoreError> {
		let bytes = std::mem::take(&mut self.bytes).into();
		self.store.state().add(self.hash, &self.of, Some(bytes));
		Ok(())
	}

	fn keep(&mut self, offset: u32) -> Result<(), StoreError> {
		self.bytes.truncate(offset as usize);
		let bytes = std::mem::take(&mut self.bytes);
		if !bytes.is_empty() {
			self.store.state().partial.insert(self.hash, bytes);
		}
		Ok(())
	}
}

impl Drop for MemorySink {
	fn drop(&mut self) {
		let mut state = self.store.state();
		state.writing.remove(&self.hash);
		state.reserved -= u64::from(self.of.fragment_len());
	}
}
