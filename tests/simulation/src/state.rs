// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain's state in memory, without a trie.
//!
//! Two maps: the first 32 bytes of a key are pallet and item, or a value's whole key. An undo log
//! per open transaction makes rolling back cheap, and lets what a transaction began from be read
//! while it is open: on a fork the outermost transaction is the losing branch, and what it began
//! from is the finalized state.

use codec::{Compact, Decode, Encode};
use sp_externalities::{Error, Extension, ExtensionStore, Externalities, MultiRemovalResults};
use sp_storage::{ChildInfo, StateVersion, Storage, TrackedStorageKey};
use std::{
	any::{Any, TypeId},
	collections::BTreeMap,
	ops::Bound::{Excluded, Unbounded},
};

const PREFIX: usize = 32;

/// What a value was before it was changed.
type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Keys and values.
#[derive(Debug, Default)]
pub struct State {
	items: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>,
	undo: Vec<Undo>,
}

fn split(key: &[u8]) -> (&[u8], &[u8]) {
	key.split_at(key.len().min(PREFIX))
}

impl State {
	/// The state with these contents.
	pub fn new(storage: Storage) -> Self {
		let mut state = Self::default();
		for (key, value) in storage.top {
			state.replace(&key, Some(value));
		}
		state
	}

	/// Runs `f` on this state.
	pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
		sp_externalities::set_and_run_with_externalities(self, f)
	}

	/// Runs `f` on the state as it was when the only open transaction began; what `f` changes is
	/// forgotten.
	pub fn run_on_base<R>(&mut self, f: impl FnOnce() -> R) -> R {
		assert!(self.undo.len() <= 1, "only between calls");
		let Some(changes) = self.undo.pop() else { return self.run(f) };
		let mut first: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
		for (key, value) in &changes {
			first.entry(key.clone()).or_insert_with(|| value.clone());
		}
		let swap = |state: &mut Self, values: BTreeMap<Vec<u8>, Option<Vec<u8>>>| {
			values
				.into_iter()
				.map(|(key, value)| {
					let old = state.replace(&key, value);
					(key, old)
				})
				.collect::<BTreeMap<_, _>>()
		};
		let now = swap(self, first);
		self.begin();
		let result = self.run(f);
		self.roll_back();
		swap(self, now);
		self.undo.push(changes);
		result
	}

	/// Opens a transaction.
	pub fn begin(&mut self) {
		self.undo.push(Undo::new());
	}

	/// Undoes all that happened since the last transaction was opened.
	pub fn roll_back(&mut self) -> bool {
		let Some(changes) = self.undo.pop() else { return false };
		for (key, value) in changes.into_iter().rev() {
			self.replace(&key, value);
		}
		true
	}

	fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
		let (prefix, rest) = split(key);
		self.items.get(prefix)?.get(rest)
	}

	fn replace(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
		let (prefix, rest) = split(key);
		match value {
			Some(value) => {
				if let Some(item) = self.items.get_mut(prefix) {
					return item.insert(rest.to_vec(), value);
				}
				self.items.entry(prefix.to_vec()).or_default().insert(rest.to_vec(), value)
			},
			None => self.items.get_mut(prefix)?.remove(rest),
		}
	}

	fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
		let old = self.replace(&key, value);
		if let Some(changes) = self.undo.last_mut() {
			changes.push((key, old));
		}
	}

	fn next(&self, key: &[u8]) -> Option<Vec<u8>> {
		let (prefix, rest) = split(key);
		let whole = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
		if let Some(item) = self.items.get(prefix)
			&& let Some((rest, _)) = item.range::<[u8], _>((Excluded(rest), Unbounded)).next()
		{
			return Some(whole(prefix, rest));
		}
		self.items
			.range::<[u8], _>((Excluded(prefix), Unbounded))
			.find_map(|(prefix, item)| Some(whole(prefix, item.keys().next()?)))
	}
}

impl ExtensionStore for State {
	fn extension_by_type_id(&mut self, _: TypeId) -> Option<&mut dyn Any> {
		None
	}

	fn register_extension_with_type_id(
		&mut self,
		_: TypeId,
		_: Box<dyn Extension>,
	) -> Result<(), Error> {
		Err(Error::ExtensionsAreNotSupported)
	}

	fn deregister_extension_by_type_id(&mut self, _: TypeId) -> Result<(), Error> {
		Err(Error::ExtensionsAreNotSupported)
	}
}

/// Nothing in this runtime has child tries, is benchmarked here, or indexes transactions.
macro_rules! absent {
	() => {
		unimplemented!("the simulated state has no such thing")
	};
}

impl Externalities for State {
	fn set_offchain_storage(&mut self, _: &[u8], _: Option<&[u8]>) {}

	fn storage(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.get(key).cloned()
	}

	fn exists_storage(&mut self, key: &[u8]) -> bool {
		self.get(key).is_some()
	}

	fn next_storage_key(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.next(key)
	}

	fn place_storage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
		self.put(key, value);
	}

	fn clear_prefix(
		&mut self,
		prefix: &[u8],
		_: Option<u32>,
		_: Option<&[u8]>,
	) -> MultiRemovalResults {
		let mut count = 0;
		if self.get(prefix).is_some() {
			self.put(prefix.to_vec(), None);
			count += 1;
		}
		while let Some(key) = self.next(prefix).filter(|key| key.starts_with(prefix)) {
			self.put(key, None);
			count += 1;
		}
		MultiRemovalResults { maybe_cursor: None, backend: count, unique: count, loops: count }
	}

	/// A `Vec` of encoded items grows by one.
	fn storage_append(&mut self, key: Vec<u8>, item: Vec<u8>) {
		let old = self.get(&key).cloned().unwrap_or_default();
		let mut items = &old[..];
		let len = Compact::<u32>::decode(&mut items).map_or(0, |len| len.0);
		let mut new = Compact(len + 1).encode();
		new.extend_from_slice(if len == 0 { &[] } else { items });
		new.extend(item);
		self.put(key, Some(new));
	}

	/// Nobody compares roots here.
	fn storage_root(&mut self, _: StateVersion) -> Vec<u8> {
		[0; 32].encode()
	}

	fn storage_start_transaction(&mut self) {
		self.begin();
	}

	fn storage_rollback_transaction(&mut self) -> Result<(), ()> {
		if self.roll_back() { Ok(()) } else { Err(()) }
	}

	fn storage_commit_transaction(&mut self) -> Result<(), ()> {
		let changes = self.undo.pop().ok_or(())?;
		if let Some(outer) = self.undo.last_mut() {
			outer.extend(changes);
		}
		Ok(())
	}

	fn storage_hash(&mut self, _: &[u8]) -> Option<Vec<u8>> {
		absent!()
	}

	fn child_storage_hash(&mut self, _: &ChildInfo, _: &[u8]) -> Option<Vec<u8>> {
		absent!()
	}

	fn child_storage(&mut self, _: &ChildInfo, _: &[u8]) -> Option<Vec<u8>> {
		absent!()
	}

	fn next_child_storage_key(&mut self, _: &ChildInfo, _: &[u8]) -> Option<Vec<u8>> {
		absent!()
	}

	fn kill_child_storage(
		&mut self,
		_: &ChildInfo,
		_: Option<u32>,
		_: Option<&[u8]>,
	) -> MultiRemovalResults {
		absent!()
	}

	fn clear_child_prefix(
		&mut self,
		_: &ChildInfo,
		_: &[u8],
		_: Option<u32>,
		_: Option<&[u8]>,
	) -> MultiRemovalResults {
		absent!()
	}

	fn place_child_storage(&mut self, _: &ChildInfo, _: Vec<u8>, _: Option<Vec<u8>>) {
		absent!()
	}

	fn child_storage_root(&mut self, _: &ChildInfo, _: StateVersion) -> Vec<u8> {
		absent!()
	}

	fn wipe(&mut self) {
		absent!()
	}

	fn commit(&mut self) {
		absent!()
	}

	fn read_write_count(&self) -> (u32, u32, u32, u32) {
		absent!()
	}

	fn reset_read_write_count(&mut self) {
		absent!()
	}

	fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
		absent!()
	}

	fn set_whitelist(&mut self, _: Vec<TrackedStorageKey>) {
		absent!()
	}

	fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
		absent!()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn key(n: u8, len: usize) -> Vec<u8> {
		vec![n; len]
	}

	#[test]
	fn transactions_nest_and_the_base_can_be_read() {
		let mut state = State::default();
		state.put(key(1, 40), Some(vec![1]));
		state.begin();
		state.put(key(1, 40), Some(vec![2]));
		state.put(key(2, 8), Some(vec![3]));
		state.begin();
		state.put(key(1, 40), None);
		assert!(state.roll_back());
		assert_eq!(state.get(&key(1, 40)), Some(&vec![2]));
		state.begin();
		state.put(key(1, 40), Some(vec![4]));
		state.storage_commit_transaction().expect("open");

		let base = |state: &mut State| {
			state.run_on_base(|| {
				sp_externalities::with_externalities(|ext| {
					(ext.storage(&key(1, 40)), ext.storage(&key(2, 8)))
				})
			})
		};
		assert_eq!(base(&mut state), Some((Some(vec![1]), None)));
		assert_eq!(state.get(&key(1, 40)), Some(&vec![4]));
		assert!(state.roll_back());
		assert_eq!(state.get(&key(1, 40)), Some(&vec![1]));
		assert_eq!(state.get(&key(2, 8)), None);
		assert!(!state.roll_back());
	}

	#[test]
	fn keys_come_in_order_across_prefixes() {
		let mut state = State::default();
		let keys = [key(1, 32), key(1, 33), key(1, 40), key(2, 8), key(2, 32), key(3, 40)];
		for key in &keys {
			state.put(key.clone(), Some(vec![0]));
		}
		let mut sorted = keys.to_vec();
		sorted.sort();
		let mut found = Vec::new();
		let mut at = Vec::new();
		while let Some(next) = state.next(&at) {
			found.push(next.clone());
			at = next;
		}
		assert_eq!(found, sorted);
		state.storage_append(key(9, 3), 7u8.encode());
		state.storage_append(key(9, 3), 8u8.encode());
		assert_eq!(state.get(&key(9, 3)), Some(&vec![7u8, 8].encode()));
	}
}
