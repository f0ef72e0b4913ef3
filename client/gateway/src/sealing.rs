// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The keys that objects are encrypted with: one per account, made when its first object is stored.
//!
//! They are in `sealing/` of the data directory, readable by their owner alone. Without them nobody
//! can read the objects, not even this gateway. Gateways that share a sealed object store have the
//! same keys.

use crate::{
	backend::{Backend, BackendError},
	catalog::blocking,
	error::Error,
};
use planaria_sdk::UserKey;
use std::{
	fs, io,
	path::{Path, PathBuf},
};
use tokio::sync::Mutex;

/// The keys.
#[derive(Debug)]
pub struct Sealing {
	directory: PathBuf,
	/// Where they are as well.
	backend: Option<Backend>,
	/// Held while a key is made.
	making: Mutex<()>,
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
	Error::Io(io::Error::other(error))
}

fn name(owner: &[u8; 32]) -> String {
	format!("sealing/{}", hex::encode(owner))
}

impl Sealing {
	/// The keys of the gateway with this data directory, and of those that share this object store
	/// if it is sealed.
	pub fn open(data: &Path, backend: Option<Backend>) -> io::Result<Self> {
		let directory = data.join("sealing");
		fs::create_dir_all(&directory)?;
		let backend = backend.filter(Backend::has_key);
		Ok(Self { directory, backend, making: Mutex::default() })
	}

	/// Gives the object store, if there is one, the keys that it does not have: those that were made
	/// before it was there.
	pub async fn even_out(&self) -> Result<(), Error> {
		let Some(backend) = &self.backend else { return Ok(()) };
		let directory = self.directory.clone();
		let owners = blocking(move || {
			let mut owners = Vec::new();
			for entry in fs::read_dir(&directory)? {
				let name = entry?.file_name();
				let owner = name.to_str().and_then(|name| name.strip_suffix(".key"));
				let mut bytes = [0; 32];
				if owner.is_some_and(|owner| hex::decode_to_slice(owner, &mut bytes).is_ok()) {
					owners.push(bytes);
				}
			}
			Ok(owners)
		});
		for owner in owners.await? {
			let (name, key) = (name(&owner), self.key(owner).await?.to_text());
			let there = match backend.get(&name).await? {
				None if backend.put(&name, key.as_bytes(), true).await? => continue,
				// Another gateway was faster.
				None => backend.get(&name).await?,
				there => there,
			};
			if there.is_none_or(|there| there != key.as_bytes()) {
				return Err(failed(format!(
					"{} and {name} in the object store are different keys: what is encrypted with the \
					 one cannot be read with the other, so gateways that both have objects of this \
					 account cannot share an object store",
					self.path(&owner).display()
				)));
			}
		}
		Ok(())
	}

	fn path(&self, owner: &[u8; 32]) -> PathBuf {
		self.directory.join(format!("{}.key", hex::encode(owner)))
	}

	/// An account's key.
	pub async fn key(&self, owner: [u8; 32]) -> Result<UserKey, Error> {
		match self.known(owner).await? {
			Some(key) => Ok(key),
			None => Err(failed("there is no key for this account")),
		}
	}

	/// An account's key, made and synced if there is none.
	pub async fn key_or_new(&self, owner: [u8; 32]) -> Result<UserKey, Error> {
		let _turn = self.making.lock().await;
		if let Some(key) = self.known(owner).await? {
			return Ok(key);
		}
		let key = UserKey::generate().map_err(failed)?;
		if let Some(backend) = &self.backend
			&& !backend.put(&name(&owner), key.to_text().as_bytes(), true).await?
		{
			// Another gateway was faster.
			let known = self.known(owner).await?;
			return known.ok_or_else(|| BackendError::Lost(name(&owner)).into());
		}
		self.keep(owner, key).await
	}

	async fn known(&self, owner: [u8; 32]) -> Result<Option<UserKey>, Error> {
		let path = self.path(&owner);
		let known = blocking(move || match path.exists() {
			true => UserKey::read(&path).map(Some).map_err(failed),
			false => Ok(None),
		});
		if let Some(key) = known.await? {
			return Ok(Some(key));
		}
		let Some(backend) = &self.backend else { return Ok(None) };
		let Some(text) = backend.get(&name(&owner)).await? else { return Ok(None) };
		let text = String::from_utf8(text).map_err(failed)?;
		let key = UserKey::from_text(&text).map_err(failed)?;
		self.keep(owner, key).await.map(Some)
	}

	async fn keep(&self, owner: [u8; 32], key: UserKey) -> Result<UserKey, Error> {
		let path = self.path(&owner);
		blocking(move || {
			key.replace(&path).map_err(failed)?;
			Ok(key)
		})
		.await
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use object_store::memory::InMemory;
	use std::sync::Arc;

	fn text(key: Result<UserKey, Error>) -> String {
		key.expect("a key").to_text().to_string()
	}

	#[tokio::test]
	async fn an_account_keeps_its_key() {
		let data = tempfile::tempdir().expect("a directory");
		let sealing = Sealing::open(data.path(), None).expect("opens");
		assert!(sealing.key([1; 32]).await.is_err());
		let key = text(sealing.key_or_new([1; 32]).await);
		let sealing = Sealing::open(data.path(), None).expect("opens");
		assert_eq!(text(sealing.key_or_new([1; 32]).await), key);
		assert_eq!(text(sealing.key([1; 32]).await), key);
		assert_ne!(text(sealing.key_or_new([2; 32]).await), key);
	}

	#[tokio::test]
	async fn keys_that_were_there_before_the_object_store_get_there() {
		let data = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
		let alone = Sealing::open(data[0].path(), None).expect("opens");
		let key = text(alone.key_or_new([1; 32]).await);
		alone.even_out().await.expect("there is nothing to do");

		let shared = UserKey::generate().expect("random");
		let backend = Backend::new(Arc::new(InMemory::new()), Some(shared));
		let open = |data: &Path| Sealing::open(data, Some(backend.clone())).expect("opens");
		open(data[0].path()).even_out().await.expect("they get there");
		open(data[0].path()).even_out().await.expect("they are there");
		assert_eq!(text(open(data[1].path()).key([1; 32]).await), key);

		// One that has made another key meanwhile does not begin.
		let other = tempfile::tempdir().expect("a directory");
		let alone = Sealing::open(other.path(), None).expect("opens");
		assert_ne!(text(alone.key_or_new([1; 32]).await), key);
		assert!(open(other.path()).even_out().await.is_err());
	}

	#[tokio::test]
	async fn gateways_that_share_a_sealed_object_store_have_the_same_keys() {
		let shared = UserKey::generate().expect("random");
		let backend = Backend::new(Arc::new(InMemory::new()), Some(shared));
		let data = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
		let [one, two, three] =
			data.each_ref().map(|data| Sealing::open(data.path(), Some(backend.clone())));
		let (one, two, three) = (one.expect("opens"), two.expect("opens"), three.expect("opens"));
		let (key, same) = tokio::join!(one.key_or_new([1; 32]), two.key_or_new([1; 32]));
		let key = text(key);
		assert_eq!((text(same), text(three.key([1; 32]).await)), (key.clone(), key.clone()));
		// It is on the disk as well.
		let alone = Sealing::open(data[2].path(), None).expect("opens");
		assert_eq!(text(alone.key([1; 32]).await), key);
	}
}
