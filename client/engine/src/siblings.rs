// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Fragments that were made for others, kept in memory until they have fetched them.
//!
//! At most [`EngineConfig::siblings_memory`](crate::EngineConfig::siblings_memory) bytes, each for
//! at most [`EngineConfig::siblings_age`](crate::EngineConfig::siblings_age). They are lost with
//! the process: whoever waits for one then decodes the segment itself.

use bytes::Bytes;
use planaria_primitives::{FragmentHash, FragmentName, Sidecar};
use planaria_transfer::Stored;
use std::{
	collections::HashMap,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

/// Fragments made for others.
#[derive(Debug)]
pub(crate) struct Siblings {
	capacity: u64,
	age: Duration,
	kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
	bytes: u64,
	fragments: HashMap<FragmentName, Sibling>,
}

#[derive(Debug)]
struct Sibling {
	hash: FragmentHash,
	sidecar: Sidecar,
	bytes: Bytes,
	since: Instant,
	/// Somebody has asked for it: it goes before others when room is needed.
	served: bool,
}

impl Siblings {
	pub(crate) fn new(capacity: u64, age: Duration) -> Self {
		Self { capacity, age, kept: Mutex::default() }
	}

	/// Keeps a fragment. Older ones go if there is no room, those first that were served.
	pub(crate) fn keep(
		&self,
		name: FragmentName,
		hash: FragmentHash,
		sidecar: Sidecar,
		bytes: Bytes,
	) {
		let len = bytes.len() as u64;
		let mut kept = self.lock();
		kept.remove(&name);
		if len > self.capacity {
			return;
		}
		while kept.bytes + len > self.capacity {
			let oldest = kept.fragments.iter().min_by_key(|(_, it)| (!it.served, it.since));
			let Some(oldest) = oldest.map(|(name, _)| *name) else { return };
			kept.remove(&oldest);
		}
		kept.bytes += len;
		let since = Instant::now();
		kept.fragments.insert(name, Sibling { hash, sidecar, bytes, since, served: false });
	}

	/// Whether so many bytes can be kept without giving up what nobody has fetched yet.
	pub(crate) fn has_room(&self, len: u64) -> bool {
		let kept = self.lock();
		let waiting = kept.fragments.values().filter(|it| !it.served);
		let waiting: u64 = waiting.map(|it| it.bytes.len() as u64).sum();
		waiting + len.min(self.capacity) <= self.capacity
	}

	/// A fragment, for somebody who asks for it.
	pub(crate) fn serve(&self, name: &FragmentName) -> Option<Stored> {
		let mut kept = self.lock();
		let sibling = kept.fragments.get_mut(name).filter(|it| it.since.elapsed() < self.age)?;
		sibling.served = true;
		Some(Stored {
			hash: sibling.hash,
			sidecar: sibling.sidecar.clone(),
			bytes: sibling.bytes.clone(),
		})
	}

	/// A fragment for this miner itself, which has claimed it after it made it for others.
	pub(crate) fn take(&self, name: &FragmentName) -> Option<Stored> {
		let sibling = self.lock().remove(name)?;
		Some(Stored { hash: sibling.hash, sidecar: sibling.sidecar, bytes: sibling.bytes })
	}

	/// What is kept.
	pub(crate) fn names(&self) -> Vec<FragmentName> {
		self.lock().fragments.keys().copied().collect()
	}

	/// A fragment that nobody is going to ask for any more goes.
	pub(crate) fn forget(&self, name: &FragmentName) {
		self.lock().remove(name);
	}

	/// What is too old goes.
	pub(crate) fn expire(&self) {
		let mut kept = self.lock();
		let old = kept.fragments.iter().filter(|(_, it)| it.since.elapsed() >= self.age);
		for name in old.map(|(name, _)| *name).collect::<Vec<_>>() {
			kept.remove(&name);
		}
	}

	fn lock(&self) -> MutexGuard<'_, Kept> {
		self.kept.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

impl Kept {
	fn remove(&mut self, name: &FragmentName) -> Option<Sibling> {
		let sibling = self.fragments.remove(name)?;
		self.bytes -= sibling.bytes.len() as u64;
		Some(sibling)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileId, FileIndex};

	const AGE: Duration = Duration::from_secs(100);

	fn name(index: u8) -> FragmentName {
		FragmentName { file_id: FileId([7; 32]), file: FileIndex(1), segment: 0, index }
	}

	fn keep(siblings: &Siblings, index: u8, len: usize) {
		let bytes = Bytes::from(vec![index; len]);
		siblings.keep(name(index), FragmentHash::of(&bytes), Sidecar::default(), bytes);
	}

	fn kept(siblings: &Siblings) -> Vec<u8> {
		let mut names: Vec<_> = siblings.names().into_iter().map(|name| name.index).collect();
		names.sort_unstable();
		names
	}

	#[tokio::test(start_paused = true)]
	async fn when_room_is_needed_what_was_served_goes_first_then_the_oldest() {
		let siblings = Siblings::new(30, AGE);
		for index in 0..3 {
			keep(&siblings, index, 10);
			tokio::time::advance(Duration::from_secs(1)).await;
		}
		assert!(!siblings.has_room(1));
		let served = siblings.serve(&name(1)).expect("kept");
		assert_eq!((served.hash, &served.bytes[..]), (FragmentHash::of(&[1; 10]), &[1; 10][..]));
		assert!(siblings.has_room(10) && !siblings.has_room(11));
		keep(&siblings, 3, 10);
		assert_eq!(kept(&siblings), [0, 2, 3]);
		keep(&siblings, 4, 15);
		assert_eq!(kept(&siblings), [3, 4]);
		assert_eq!(siblings.lock().bytes, 25);
		// What never fits is not kept; nor is room for it waited for for ever.
		keep(&siblings, 5, 31);
		assert_eq!(kept(&siblings), [3, 4]);
		siblings.forget(&name(3));
		siblings.forget(&name(4));
		assert!(siblings.has_room(31));
	}

	#[tokio::test(start_paused = true)]
	async fn what_is_old_is_neither_served_nor_kept() {
		let siblings = Siblings::new(30, AGE);
		keep(&siblings, 0, 10);
		tokio::time::advance(AGE / 2).await;
		keep(&siblings, 1, 10);
		tokio::time::advance(AGE / 2).await;
		assert!(siblings.serve(&name(0)).is_none() && siblings.serve(&name(1)).is_some());
		siblings.expire();
		assert_eq!((kept(&siblings), siblings.lock().bytes), (vec![1], 10));
		assert!(siblings.take(&name(1)).is_some());
		assert!(siblings.take(&name(1)).is_none());
		assert_eq!(siblings.lock().bytes, 0);
	}
}
