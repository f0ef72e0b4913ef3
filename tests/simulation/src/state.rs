// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain's state in memory, without a trie.
//!
//! Values are found by 128 bits of hash, so that one place in memory is looked at less; keys are
//! ordered within their first 32 bytes, which are pallet and item, or a value's whole key. An undo log per open transaction makes rolling back cheap. On a
//! fork what each changed value was before is kept, too: that is the finalized state, which can be
//! read while the losing branch grows.

use codec::{Compact, Decode, Encode};
use foldhash::fast::FixedState;
use sp_externalities::{Error, Extension, ExtensionStore, Externalities, MultiRemovalResults};
use sp_storage::{ChildInfo, StateVersion, Storage, TrackedStorageKey};
use std::{
	any::{Any, TypeId},
	collections::{BTreeMap, BTreeSet, HashMap},
	hash::BuildHasher,
	ops::Bound::{Excluded, Unbounded},
};

const PREFIX: usize = 32;

/// How a change is undone.
#[derive(Debug)]
enum Undo {
	/// By the value there was.
	Value(Vec<u8>, Option<Vec<u8>>),
	/// By taking off what was appended: the list's length and its bytes' were these.
	Append { key: Vec<u8>, items: u32, len: usize },
}

/// Keys and values.
#[derive(Debug, Default)]
pub struct State {
	values: HashMap<u128, Vec<u8>, FixedState>,
	keys: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
	undo: Vec<Vec<Undo>>,
	/// What was changed since the fork began.
	base: Option<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

/// What a run sees of the state.
#[derive(Debug)]
enum Access<'a> {
	/// All of it, to change it.
	Change(&'a mut State),
	/// All of it, to look at.
	Look(&'a State),
	/// What it was where the fork began, to look at.
	LookAtBase(&'a State),
}

fn split(key: &[u8]) -> (&[u8], &[u8]) {
	key.split_at(key.len().min(PREFIX))
}

/// What a value is found by.
fn digest(key: &[u8]) -> u128 {
	let half = |seed| u128::from(FixedState::with_seed(seed).hash_one(key));
	half(1) << 64 | half(2)
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

	/// Whether there is nothing in it.
	pub fn is_empty(&self) -> bool {
		self.values.is_empty()
	}

	/// Runs `f` on this state.
	pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
		sp_externalities::set_and_run_with_externalities(&mut Access::Change(self), f)
	}

	/// Runs `f`, which only reads, on this state.
	pub fn look<R>(&self, f: impl FnOnce() -> R) -> R {
		sp_externalities::set_and_run_with_externalities(&mut Access::Look(self), f)
	}

	/// Runs `f`, which only reads, on the state where the fork began, if there is one.
	pub fn look_at_base<R>(&self, f: impl FnOnce() -> R) -> R {
		sp_externalities::set_and_run_with_externalities(&mut Access::LookAtBase(self), f)
	}

	/// From here on the state can be taken back.
	pub fn fork(&mut self) {
		assert!(self.undo.is_empty() && self.base.is_none(), "only between calls, and only once");
		self.base = Some(BTreeMap::new());
	}

	/// The state is what it was when the fork began.
	pub fn end_fork(&mut self) {
		for (key, value) in self.base.take().unwrap_or_default() {
			self.replace(&key, value);
		}
	}

	fn begin(&mut self) {
		self.undo.push(Vec::new());
	}

	/// Undoes all that happened since the last transaction was opened.
	fn roll_back(&mut self) -> bool {
		let Some(changes) = self.undo.pop() else { return false };
		for change in changes.into_iter().rev() {
			match change {
				Undo::Value(key, value) => {
					self.replace(&key, value);
				},
				Undo::Append { key, items, len } => {
					let value = self.values.get_mut(&digest(&key)).expect("was appended to; qed");
					value.truncate(len);
					let count = Compact(items).encode();
					value[..count.len()].copy_from_slice(&count);
				},
			}
		}
		true
	}

	/// Keeps all that happened since the last transaction was opened.
	fn commit(&mut self) -> bool {
		let Some(changes) = self.undo.pop() else { return false };
		if let Some(outer) = self.undo.last_mut() {
			outer.extend(changes);
		}
		true
	}

	fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
		self.values.get(&digest(key))
	}

	fn get_base(&self, key: &[u8]) -> Option<&Vec<u8>> {
		match self.base.as_ref().and_then(|base| base.get(key)) {
			Some(old) => old.as_ref(),
			None => self.get(key),
		}
	}

	fn replace(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
		let (prefix, rest) = split(key);
		match value {
			Some(value) => {
				let old = self.values.insert(digest(key), value);
				if old.is_some() {
					return old;
				}
				match self.keys.get_mut(prefix) {
					Some(keys) => keys.insert(rest.to_vec()),
					None => self.keys.entry(prefix.to_vec()).or_default().insert(rest.to_vec()),
				};
				None
			},
			None => {
				let old = self.values.remove(&digest(key))?;
				self.keys.get_mut(prefix).map(|keys| keys.remove(rest));
				Some(old)
			},
		}
	}

	/// Keeps what a value is that is changed for the first time since the fork began.
	fn keep_base(&mut self, key: &[u8]) {
		if let Some(base) = &mut self.base
			&& !base.contains_key(key)
		{
			base.insert(key.to_vec(), self.values.get(&digest(key)).cloned());
		}
	}

	fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
		self.keep_base(&key);
		let old = self.replace(&key, value);
		if let Some(changes) = self.undo.last_mut() {
			changes.push(Undo::Value(key, old));
		}
	}

	/// Removes all keys that begin with `prefix`; says how many there were.
	fn clear(&mut self, prefix: &[u8]) -> u32 {
		let mut count = 0;
		if self.get(prefix).is_some() {
			self.put(prefix.to_vec(), None);
			count += 1;
		}
		while let Some(key) = self.next(prefix).filter(|key| key.starts_with(prefix)) {
			self.put(key, None);
			count += 1;
		}
		count
	}

	/// A `Vec` of encoded items grows by one, in place if its length takes as many bytes as before.
	fn append(&mut self, key: Vec<u8>, item: Vec<u8>) {
		self.keep_base(&key);
		let Some(value) = self.values.get_mut(&digest(&key)) else {
			return self.put(key, Some([Compact(1u32).encode(), item].concat()));
		};
		let items = Compact::<u32>::decode(&mut &value[..]).map_or(0, |items| items.0);
		let (old, new) = (Compact(items).encode(), Compact(items + 1).encode());
		if items == 0 || old.len() != new.len() {
			let rest = if items == 0 { &[] } else { &value[old.len()..] };
			let value = [&new[..], rest, &item[..]].concat();
			return self.put(key, Some(value));
		}
		let len = value.len();
		value[..new.len()].copy_from_slice(&new);
		value.extend(item);
		if let Some(changes) = self.undo.last_mut() {
			changes.push(Undo::Append { key, items, len });
		}
	}

	fn next_base(&self, key: &[u8]) -> Option<Vec<u8>> {
		let Some(base) = &self.base else { return self.next(key) };
		let mut now = self.next(key);
		while let Some(key) = now.take_if(|key| base.get(key).is_some_and(Option::is_none)) {
			now = self.next(&key);
		}
		let mut later = base.range::<[u8], _>((Excluded(key), Unbounded));
		let then = later.find_map(|(key, old)| old.as_ref().map(|_| key.clone()));
		now.into_iter().chain(then).min()
	}

	fn next(&self, key: &[u8]) -> Option<Vec<u8>> {
		let (prefix, rest) = split(key);
		let whole = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
		if let Some(keys) = self.keys.get(prefix)
			&& let Some(rest) = keys.range::<[u8], _>((Excluded(rest), Unbounded)).next()
		{
			return Some(whole(prefix, rest));
		}
		self.keys
			.range::<[u8], _>((Excluded(prefix), Unbounded))
			.find_map(|(prefix, keys)| Some(whole(prefix, keys.first()?)))
	}
}

impl Access<'_> {
	fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
		match self {
			Self::Change(state) => state.get(key),
			Self::Look(state) => state.get(key),
			Self::LookAtBase(state) => state.get_base(key),
		}
	}

	/// The state, to change it.
	fn state(&mut self) -> &mut State {
		match self {
			Self::Change(state) => state,
			Self::Look(_) | Self::LookAtBase(_) => panic!("what is only looked at is not changed"),
		}
	}
}

impl ExtensionStore for Access<'_> {
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

impl Externalities for Access<'_> {
	fn set_offchain_storage(&mut self, _: &[u8], _: Option<&[u8]>) {}

	fn storage(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		self.get(key).cloned()
	}

	fn exists_storage(&mut self, key: &[u8]) -> bool {
		self.get(key).is_some()
	}

	fn next_storage_key(&mut self, key: &[u8]) -> Option<Vec<u8>> {
		match self {
			Self::Change(state) => state.next(key),
			Self::Look(state) => state.next(key),
			Self::LookAtBase(state) => state.next_base(key),
		}
	}

	fn place_storage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
		self.state().put(key, value);
	}

	fn clear_prefix(
		&mut self,
		prefix: &[u8],
		_: Option<u32>,
		_: Option<&[u8]>,
	) -> MultiRemovalResults {
		let count = self.state().clear(prefix);
		MultiRemovalResults { maybe_cursor: None, backend: count, unique: count, loops: count }
	}

	fn storage_append(&mut self, key: Vec<u8>, item: Vec<u8>) {
		self.state().append(key, item);
	}

	/// Nobody compares roots here.
	fn storage_root(&mut self, _: StateVersion) -> Vec<u8> {
		[0; 32].encode()
	}

	fn storage_start_transaction(&mut self) {
		self.state().begin();
	}

	fn storage_rollback_transaction(&mut self) -> Result<(), ()> {
		if self.state().roll_back() { Ok(()) } else { Err(()) }
	}

	fn storage_commit_transaction(&mut self) -> Result<(), ()> {
		if self.state().commit() { Ok(()) } else { Err(()) }
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
	fn transactions_nest() {
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
		assert!(state.commit());
		assert_eq!(state.get(&key(1, 40)), Some(&vec![4]));
		assert!(state.roll_back());
		assert_eq!(state.get(&key(1, 40)), Some(&vec![1]));
		assert_eq!((state.get(&key(2, 8)), state.next(&key(1, 40))), (None, None));
		assert!(!state.roll_back());
	}

	#[test]
	fn what_is_appended_is_taken_off_again() {
		let mut state = State::default();
		let list = |len: u32| Some((0..len).collect::<Vec<u32>>().encode());
		for n in 0..63u32 {
			state.append(key(1, 32), n.encode());
		}
		state.begin();
		for n in 63..70u32 {
			state.append(key(1, 32), n.encode());
		}
		assert_eq!(state.get(&key(1, 32)).cloned(), list(70));
		assert!(state.roll_back());
		assert_eq!(state.get(&key(1, 32)).cloned(), list(63));
		state.begin();
		state.append(key(2, 32), 0u32.encode());
		state.append(key(2, 32), 1u32.encode());
		assert_eq!(state.get(&key(2, 32)).cloned(), list(2));
		assert!(state.roll_back());
		assert_eq!(state.get(&key(2, 32)), None);
	}

	#[test]
	fn the_base_of_a_fork_can_be_read_and_is_what_it_ends_in() {
		let mut state = State::default();
		let (a, b, c, d) = (key(1, 40), key(2, 40), key(3, 40), key(4, 40));
		for key in [&a, &c] {
			state.put(key.clone(), Some(vec![1].encode()));
		}
		state.fork();
		state.put(a.clone(), None);
		state.put(b.clone(), Some(vec![2]));
		state.append(c.clone(), 3i32.encode());
		state.begin();
		state.put(d.clone(), Some(vec![4]));
		assert!(state.roll_back());
		let all = || {
			sp_externalities::with_externalities(|ext| {
				let mut all = Vec::new();
				let mut at = Vec::new();
				while let Some(key) = ext.next_storage_key(&at) {
					all.push((key.clone(), ext.storage(&key)));
					at = key;
				}
				all
			})
			.expect("within a run")
		};
		let base = [&a, &c].map(|key| (key.clone(), Some(vec![1].encode()))).to_vec();
		assert_eq!(state.look_at_base(all), base);
		let best = [(b, Some(vec![2])), (c, Some(vec![1, 3].encode()))].to_vec();
		assert_eq!(state.look(all), best);
		state.end_fork();
		assert_eq!(state.look(all), base);
		assert_eq!(state.look_at_base(all), base);
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
		state.append(key(9, 3), 7u8.encode());
		state.append(key(9, 3), 8u8.encode());
		assert_eq!(state.get(&key(9, 3)), Some(&vec![7u8, 8].encode()));
	}
}
