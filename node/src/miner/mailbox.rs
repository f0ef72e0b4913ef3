// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The mailbox in the node's offchain database.
//!
//! The offchain worker reads and writes the database through [`RingingStorage`], which rings a bell
//! when the worker has written what it wants, so that the engine need not poll.

use planaria_engine::Mailbox;
use planaria_primitives::mailbox::WANTED;
use sp_core::offchain::{OffchainStorage, STORAGE_PREFIX};
use std::sync::Arc;
use tokio::sync::Notify;

/// A storage that rings when [`WANTED`] is written.
#[derive(Clone, Debug)]
pub struct RingingStorage<S> {
	storage: S,
	bell: Arc<Notify>,
}

impl<S> RingingStorage<S> {
	/// Rings for what is written to `storage`.
	pub fn new(storage: S) -> Self {
		Self { storage, bell: Arc::new(Notify::new()) }
	}

	fn ring_for(&self, key: &[u8]) {
		if key == WANTED {
			self.bell.notify_one();
		}
	}
}

impl<S: OffchainStorage> OffchainStorage for RingingStorage<S> {
	fn set(&mut self, prefix: &[u8], key: &[u8], value: &[u8]) {
		self.storage.set(prefix, key, value);
		self.ring_for(key);
	}

	fn remove(&mut self, prefix: &[u8], key: &[u8]) {
		self.storage.remove(prefix, key);
	}

	fn get(&self, prefix: &[u8], key: &[u8]) -> Option<Vec<u8>> {
		self.storage.get(prefix, key)
	}

	fn compare_and_set(
		&mut self,
		prefix: &[u8],
		key: &[u8],
		old_value: Option<&[u8]>,
		new_value: &[u8],
	) -> bool {
		self.storage.compare_and_set(prefix, key, old_value, new_value)
	}
}

impl<S: OffchainStorage + Sync + 'static> Mailbox for RingingStorage<S> {
	fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
		self.storage.get(STORAGE_PREFIX, key)
	}

	fn set(&self, key: &[u8], value: Vec<u8>) {
		// A clone writes to the same database.
		self.storage.clone().set(STORAGE_PREFIX, key, &value);
	}

	fn rings(&self) -> Arc<Notify> {
		self.bell.clone()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_core::offchain::storage::InMemOffchainStorage;
	use std::sync::Mutex;

	/// Clones of the in-memory storage are copies; the node's are not.
	#[derive(Clone, Debug, Default)]
	struct Shared(Arc<Mutex<InMemOffchainStorage>>);

	impl Shared {
		fn with<T>(&self, f: impl FnOnce(&mut InMemOffchainStorage) -> T) -> T {
			f(&mut self.0.lock().expect("not poisoned"))
		}
	}

	impl OffchainStorage for Shared {
		fn set(&mut self, prefix: &[u8], key: &[u8], value: &[u8]) {
			self.with(|s| s.set(prefix, key, value));
		}
		fn remove(&mut self, prefix: &[u8], key: &[u8]) {
			self.with(|s| s.remove(prefix, key));
		}
		fn get(&self, prefix: &[u8], key: &[u8]) -> Option<Vec<u8>> {
			self.with(|s| s.get(prefix, key))
		}
		fn compare_and_set(&mut self, p: &[u8], k: &[u8], old: Option<&[u8]>, new: &[u8]) -> bool {
			self.with(|s| s.compare_and_set(p, k, old, new))
		}
	}

	#[tokio::test]
	async fn the_engine_is_woken_by_what_the_worker_wants_and_by_nothing_else() {
		let mut worker = RingingStorage::new(Shared::default());
		let engine = worker.clone();
		OffchainStorage::set(&mut worker, STORAGE_PREFIX, b"planaria/memory", b"x");
		Mailbox::set(&engine, b"planaria/done", vec![1]);
		let rung = engine.rings();
		let bell = tokio::time::timeout(std::time::Duration::from_millis(20), rung.notified());
		assert!(bell.await.is_err());
		OffchainStorage::set(&mut worker, STORAGE_PREFIX, WANTED, b"job");
		rung.notified().await;
		assert_eq!(Mailbox::get(&engine, WANTED), Some(b"job".to_vec()));
		let seen = OffchainStorage::get(&worker, STORAGE_PREFIX, b"planaria/done");
		assert_eq!(seen, Some(vec![1]));
	}
}
