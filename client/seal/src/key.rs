// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The key that a user's files are sealed for.

use crate::KeyError;
use planaria_durable::{self as durable, Mode};
use ring::rand::{SecureRandom, SystemRandom};
use std::{fmt, fs, io, path::Path};
use zeroize::Zeroizing;

/// 32 secret bytes. Whoever has them can open every file sealed for them; without them nobody can.
/// They are never shown.
#[derive(Clone)]
pub struct UserKey(Zeroizing<[u8; 32]>);

/// What a key's text begins with.
const PREFIX: &str = "planaria-encryption-key-1:";
const CHECKSUM_LEN: usize = 4;

/// What a key's file says above the key.
const HEADING: &str = "\
# A Planaria encryption key. Whoever has it can read your files; without it
# nobody can, not even you. Keep a copy in another place.
";

impl UserKey {
	/// A new random key.
	pub fn generate() -> Result<Self, KeyError> {
		random().map(|bytes| Self(Zeroizing::new(bytes))).ok_or(KeyError::NoRandom)
	}

	/// The key of these bytes.
	pub fn from_bytes(bytes: [u8; 32]) -> Self {
		Self(Zeroizing::new(bytes))
	}

	/// A key from its text; lines that begin with `#` are passed over.
	pub fn from_text(text: &str) -> Result<Self, KeyError> {
		let mut lines = text.lines().map(str::trim).filter(|line| {
			let is_comment = line.is_empty() || line.starts_with('#');
			!is_comment
		});
		let line = lines.next().ok_or(KeyError::Malformed("there is nothing in it"))?;
		if lines.next().is_some() {
			return Err(KeyError::Malformed("there is more than one line in it"));
		}
		let digits = line
			.strip_prefix(PREFIX)
			.ok_or(KeyError::Malformed("it does not begin with planaria-encryption-key-1:"))?;
		let mut bytes = Zeroizing::new([0; 32 + CHECKSUM_LEN]);
		hex::decode_to_slice(digits, &mut bytes[..])
			.map_err(|_| KeyError::Malformed("expected 72 hexadecimal digits"))?;
		let (key, sum) = bytes.split_at(32);
		let key = Zeroizing::new(<[u8; 32]>::try_from(key).expect("32 bytes; qed"));
		if checksum(&key) != sum {
			return Err(KeyError::Malformed("the checksum is wrong: a digit is mistyped"));
		}
		Ok(Self(key))
	}

	/// The key as text of one line.
	pub fn to_text(&self) -> Zeroizing<String> {
		let mut bytes = Zeroizing::new([0; 32 + CHECKSUM_LEN]);
		bytes[..32].copy_from_slice(&self.0[..]);
		bytes[32..].copy_from_slice(&checksum(&self.0));
		let digits = Zeroizing::new(hex::encode(&bytes[..]));
		Zeroizing::new(format!("{PREFIX}{}", *digits))
	}

	/// A key from a file.
	pub fn read(path: &Path) -> Result<Self, KeyError> {
		const MOST: u64 = 64 << 10;
		let read = || {
			if fs::metadata(path)?.len() > MOST {
				return Err(io::Error::other("it is too long for a key"));
			}
			fs::read_to_string(path).map(Zeroizing::new)
		};
		let text = read().map_err(|error| KeyError::Unreadable { path: path.into(), error })?;
		Self::from_text(&text)
	}

	/// Writes the key to a new file that only its owner can read.
	pub fn write(&self, path: &Path) -> Result<(), KeyError> {
		durable::create(path, self.to_file().as_bytes(), Mode::Secret)
			.map_err(|error| KeyError::Unwritable { path: path.into(), error })
	}

	/// Writes the key to a file that only its owner can read, instead of the one that may be there.
	pub fn replace(&self, path: &Path) -> Result<(), KeyError> {
		durable::replace(path, self.to_file().as_bytes(), Mode::Secret)
			.map_err(|error| KeyError::Unwritable { path: path.into(), error })
	}

	/// What stands in the file.
	fn to_file(&self) -> Zeroizing<String> {
		Zeroizing::new([HEADING, self.to_text().as_str(), "\n"].concat())
	}

	/// Digests a file of which all bytes are at hand.
	pub fn digest_of(&self, bytes: &[u8]) -> Digest {
		let mut digester = self.digester();
		digester.update(bytes);
		digester.finish()
	}

	/// Digests a file, for [`Cipher::derive`](crate::Cipher::derive).
	pub fn digester(&self) -> Digester {
		Digester(blake3::Hasher::new_keyed(&self.derive("planaria 2026 seal digest", &[])))
	}

	/// A key for one purpose and whatever else it depends on.
	pub(crate) fn derive(&self, context: &str, rest: &[u8]) -> Zeroizing<[u8; 32]> {
		derive(context, &self.0, rest)
	}
}

impl fmt::Debug for UserKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("UserKey")
	}
}

/// Digests a file's bytes, in order.
pub struct Digester(blake3::Hasher);

impl Digester {
	/// The next bytes.
	pub fn update(&mut self, bytes: &[u8]) {
		self.0.update(bytes);
	}

	/// All bytes were given.
	pub fn finish(&self) -> Digest {
		Digest(Zeroizing::new(*self.0.finalize().as_bytes()))
	}
}

impl fmt::Debug for Digester {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Digester")
	}
}

/// The digest of a file's bytes under a user's key. It is a secret: the file's key follows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(pub(crate) Zeroizing<[u8; 32]>);

impl fmt::Debug for Digest {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Digest")
	}
}

/// A key for one purpose from another key and whatever else it depends on.
pub(crate) fn derive(context: &str, key: &[u8; 32], rest: &[u8]) -> Zeroizing<[u8; 32]> {
	let mut hasher = blake3::Hasher::new_derive_key(context);
	hasher.update(key).update(rest);
	Zeroizing::new(*hasher.finalize().as_bytes())
}

/// Random bytes from the system.
pub(crate) fn random() -> Option<[u8; 32]> {
	let mut bytes = [0; 32];
	SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}

fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
	let sum = derive("planaria 2026 seal key checksum", key, &[]);
	let mut bytes = [0; CHECKSUM_LEN];
	bytes.copy_from_slice(&sum[..CHECKSUM_LEN]);
	bytes
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_key_is_read_as_it_was_written() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("key");
		let key = UserKey::generate().expect("a key");
		key.write(&path).expect("written");
		assert_eq!(*UserKey::read(&path).expect("read").0, *key.0);
		assert!(matches!(key.write(&path), Err(KeyError::Unwritable { .. })));
		assert!(matches!(UserKey::read(dir.path()), Err(KeyError::Unreadable { .. })));
		assert!(!format!("{key:?}").contains(&hex::encode(&key.0[..])));
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = fs::metadata(&path).expect("exists").permissions().mode();
			assert_eq!(mode & 0o777, 0o600);
		}
		let other = UserKey::generate().expect("a key");
		other.replace(&path).expect("written");
		assert_eq!(*UserKey::read(&path).expect("read").0, *other.0);
	}

	#[test]
	fn what_is_no_key_is_refused() {
		let text = UserKey::from_bytes([7; 32]).to_text();
		assert!(UserKey::from_text(&text).is_ok());
		assert!(UserKey::from_text(&format!("# mine\n\n {} \n", *text)).is_ok());
		let flipped = text.replacen("07", "17", 1);
		let twice = format!("{0}\n{0}", *text);
		for bad in ["", "# nothing", &text[1..], &text[..text.len() - 1], &flipped, &twice] {
			assert!(matches!(UserKey::from_text(bad), Err(KeyError::Malformed(_))), "{bad}");
		}
	}
}
