// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Access keys: who may use the gateway, for whose account, and which buckets.
//!
//! They are in one file that only its owner can read, `keys.json` in the data directory. It is
//! replaced whole, so that a gateway that runs sees a key that was added or removed with its next
//! request.

use planaria_durable::{self as durable, Mode};
use planaria_sdk::AccountId32;
use rand::{Rng, distr::Alphanumeric};
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeMap,
	fmt, fs, io,
	path::{Path, PathBuf},
	sync::{Arc, Mutex, PoisonError},
	time::SystemTime,
};

/// How many keys there may be.
pub const MOST_KEYS: usize = 10_000;

/// What a key may do with a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
	/// Read and list.
	Read,
	/// Read, list, write and delete.
	Write,
}

/// An access key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
	/// The secret that requests are signed with.
	pub secret: String,
	/// The account whose files its objects are.
	pub owner: AccountId32,
	/// Which buckets it is for; all of the account's where none is named.
	#[serde(default)]
	pub buckets: BTreeMap<String, Right>,
	/// What it is for, in the words of who made it.
	#[serde(default)]
	pub note: String,
}

impl fmt::Debug for Key {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Key").field("owner", &self.owner).finish_non_exhaustive()
	}
}

impl Key {
	/// A key with a new secret.
	pub fn generate(owner: AccountId32, buckets: BTreeMap<String, Right>, note: String) -> Self {
		Self { secret: random_text(40), owner, buckets, note }
	}

	/// Whether it may read, or with `write` change, this bucket.
	pub fn may(&self, bucket: &str, write: bool) -> bool {
		match self.buckets.get(bucket) {
			Some(right) => !write || *right == Right::Write,
			None => self.buckets.is_empty(),
		}
	}
}

/// A new name for a key.
pub fn new_name() -> String {
	format!("PL{}", random_text(18).to_ascii_uppercase())
}

fn random_text(len: usize) -> String {
	rand::rng().sample_iter(Alphanumeric).take(len).map(char::from).collect()
}

/// Why the keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
	/// The file cannot be read or written.
	#[error("{path}: {error}")]
	Io {
		/// Which file.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The file is not one of keys.
	#[error("{path} is not a file of keys: {error}")]
	Format {
		/// Which file.
		path: PathBuf,
		/// What is wrong.
		error: serde_json::Error,
	},
	/// There are too many.
	#[error("there are {MOST_KEYS} keys already")]
	TooMany,
}

/// The file of keys.
#[derive(Debug)]
pub struct Keys {
	path: PathBuf,
	known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
	/// When the file was changed that the keys are from, and its size.
	stamp: Option<(SystemTime, u64)>,
	keys: Arc<BTreeMap<String, Key>>,
}

impl Keys {
	/// The keys of the gateway with this data directory.
	pub fn open(data: &Path) -> Result<Self, KeysError> {
		let keys = Self { path: data.join("keys.json"), known: Mutex::default() };
		keys.all()?;
		Ok(keys)
	}

	/// The keys in the text of a file.
	pub fn parse(text: &[u8]) -> serde_json::Result<BTreeMap<String, Key>> {
		serde_json::from_slice(text)
	}

	/// All keys, by name.
	pub fn all(&self) -> Result<Arc<BTreeMap<String, Key>>, KeysError> {
		let failed = |error| KeysError::Io { path: self.path.clone(), error };
		let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
		let metadata = match fs::metadata(&self.path) {
			Ok(metadata) => metadata,
			Err(error) if error.kind() == io::ErrorKind::NotFound => {
				*known = Known::default();
				return Ok(known.keys.clone());
			},
			Err(error) => return Err(failed(error)),
		};
		let stamp = (metadata.modified().map_err(failed)?, metadata.len());
		if known.stamp != Some(stamp) {
			let text = fs::read(&self.path).map_err(failed)?;
			let keys = Self::parse(&text)
				.map_err(|error| KeysError::Format { path: self.path.clone(), error })?;
			*known = Known { stamp: Some(stamp), keys: Arc::new(keys) };
		}
		Ok(known.keys.clone())
	}

	/// Adds a key or replaces it.
	pub fn add(&self, name: String, key: Key) -> Result<(), KeysError> {
		let mut keys = (*self.all()?).clone();
		keys.insert(name, key);
		if keys.len() > MOST_KEYS {
			return Err(KeysError::TooMany);
		}
		self.write(&keys)
	}

	/// Removes a key; whether there was one.
	pub fn remove(&self, name: &str) -> Result<bool, KeysError> {
		let mut keys = (*self.all()?).clone();
		let removed = keys.remove(name).is_some();
		if removed {
			self.write(&keys)?;
		}
		Ok(removed)
	}

	fn write(&self, keys: &BTreeMap<String, Key>) -> Result<(), KeysError> {
		let failed = |error| KeysError::Io { path: self.path.clone(), error };
		let text = serde_json::to_vec_pretty(keys)
			.map_err(|error| KeysError::Format { path: self.path.clone(), error })?;
		durable::replace(&self.path, &text, Mode::Secret).map_err(failed)?;
		self.known.lock().unwrap_or_else(PoisonError::into_inner).stamp = None;
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn key(buckets: &[(&str, Right)]) -> Key {
		let buckets = buckets.iter().map(|(name, right)| ((*name).to_owned(), *right)).collect();
		Key::generate(AccountId32::new([1; 32]), buckets, String::new())
	}

	#[test]
	fn keys_are_seen_by_who_has_the_file_open() {
		let data = tempfile::tempdir().expect("a directory");
		let (one, other) = (Keys::open(data.path()), Keys::open(data.path()));
		let (one, other) = (one.expect("opens"), other.expect("opens"));
		assert!(one.all().expect("reads").is_empty());
		let added = key(&[]);
		other.add("A".into(), added.clone()).expect("writes");
		assert_eq!(one.all().expect("reads").get("A"), Some(&added));
		assert!(other.remove("A").expect("writes") && !other.remove("A").expect("writes"));
		assert!(one.all().expect("reads").is_empty());
		fs::write(data.path().join("keys.json"), "{").expect("writes");
		assert!(matches!(one.all(), Err(KeysError::Format { .. })));
	}

	#[test]
	fn rights_are_per_bucket() {
		let all = key(&[]);
		assert!(all.may("any", true));
		let some = key(&[("a", Right::Read), ("b", Right::Write)]);
		assert!(some.may("a", false) && !some.may("a", true));
		assert!(some.may("b", true) && !some.may("c", false));
		assert_eq!(some.secret.len(), 40);
		assert!(!format!("{some:?}").contains(&some.secret));
	}
}
