// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The key a program signs its transactions with.

use crate::AccountId32;
use planaria_durable::{self as durable, Mode};
use serde::{Deserialize, Serialize};
use std::{fmt, fs, path::Path, str::FromStr};
use subxt_signer::{SecretUri, bip39::Mnemonic, sr25519::Keypair};

/// An sr25519 key pair. It is never shown.
#[derive(Clone)]
pub struct Secret(Keypair);

impl fmt::Debug for Secret {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Secret({})", self.account())
	}
}

impl Secret {
	/// A key from a secret URI: a phrase of 12 to 24 words or a seed `0x…`, with derivations
	/// (`//hard`, `/soft`) and `///password` behind it; without words it is a development account
	/// (`//Alice`).
	pub fn from_uri(uri: &str) -> Result<Self, KeyError> {
		let uri = SecretUri::from_str(uri.trim()).map_err(|_| KeyError::BadUri)?;
		Keypair::from_uri(&uri).map(Self).map_err(|error| KeyError::BadPhrase(error.to_string()))
	}

	/// A key from a file: what [`KeyFile`] writes, what `subkey generate --output-type json`
	/// prints, or a secret URI as text.
	pub fn from_file(path: &Path) -> Result<Self, KeyError> {
		let unreadable = |error| KeyError::Unreadable { path: path.display().to_string(), error };
		let text = fs::read_to_string(path).map_err(unreadable)?;
		if !text.trim_start().starts_with('{') {
			return Self::from_uri(&text);
		}
		let content: serde_json::Value =
			serde_json::from_str(&text).map_err(|error| KeyError::BadFile(error.to_string()))?;
		if content.get("encoded").is_some() {
			return Err(KeyError::Encrypted);
		}
		let field = |name| content.get(name).and_then(serde_json::Value::as_str);
		let uri = field("secretPhrase").or_else(|| field("secretSeed"));
		Self::from_uri(uri.ok_or_else(|| {
			KeyError::BadFile("neither secretPhrase nor secretSeed is in it".into())
		})?)
	}

	/// A key from what a user typed: the path of a key file that exists, else a secret URI.
	pub fn from_text(text: &str) -> Result<Self, KeyError> {
		let is_uri = text.starts_with('/') || text.starts_with("0x") || text.contains(' ');
		if !is_uri || (!text.starts_with("//") && Path::new(text).is_file()) {
			return Self::from_file(Path::new(text));
		}
		Self::from_uri(text)
	}

	/// The account the key controls.
	pub fn account(&self) -> AccountId32 {
		AccountId32::new(self.0.public_key().0)
	}

	/// Signs a message.
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.0.sign(message).0
	}

	pub(crate) fn pair(&self) -> &Keypair {
		&self.0
	}
}

/// A new key as it is written to a file, in the words of `subkey`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyFile {
	/// The account.
	pub ss58_address: String,
	/// The public key.
	pub public_key: String,
	/// Twelve words: whoever knows them controls the account.
	pub secret_phrase: String,
}

impl fmt::Debug for KeyFile {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("KeyFile").field("ss58_address", &self.ss58_address).finish_non_exhaustive()
	}
}

impl KeyFile {
	/// A new random key.
	pub fn generate() -> Result<Self, KeyError> {
		let entropy: [u8; 16] = rand::random();
		let phrase = Mnemonic::from_entropy(&entropy)
			.map_err(|error| KeyError::BadPhrase(error.to_string()))?
			.to_string();
		let account = Secret::from_uri(&phrase)?.account();
		Ok(Self {
			ss58_address: account.to_string(),
			public_key: format!("0x{}", hex::encode(account)),
			secret_phrase: phrase,
		})
	}

	/// Writes the key to a new file that only its owner can read.
	pub fn write(&self, path: &Path) -> Result<(), KeyError> {
		let text = serde_json::to_string_pretty(self)
			.map_err(|error| KeyError::BadFile(error.to_string()))?;
		durable::create(path, format!("{text}\n").as_bytes(), Mode::Secret)
			.map_err(|error| KeyError::Unwritable { path: path.display().to_string(), error })
	}
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
	/// The text has not the form of a secret URI.
	#[error("not a secret: give //Alice, 12 to 24 words, a seed 0x…, or the path of a key file")]
	BadUri,
	/// The phrase or seed is wrong.
	#[error("not a secret: {0}")]
	BadPhrase(String),
	/// The file cannot be read.
	#[error("cannot read the key file {path}: {error}")]
	Unreadable {
		/// Which file.
		path: String,
		/// Why.
		error: std::io::Error,
	},
	/// The file cannot be written.
	#[error("cannot write the key file {path}: {error}")]
	Unwritable {
		/// Which file.
		path: String,
		/// Why.
		error: std::io::Error,
	},
	/// The file is no key file.
	#[error("not a key file: {0}")]
	BadFile(String),
	/// The file is an encrypted export of a wallet.
	#[error("the key file is encrypted (a wallet's export): use the account's words instead")]
	Encrypted,
}

#[cfg(test)]
mod tests {
	use super::*;

	const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

	#[test]
	fn development_accounts_phrases_and_seeds_are_read() {
		assert_eq!(Secret::from_text("//Alice").expect("valid").account().to_string(), ALICE);
		let phrase = format!("{}//Alice", subxt_signer::DEV_PHRASE);
		assert_eq!(Secret::from_text(&phrase).expect("valid").account().to_string(), ALICE);
		let seed = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
		assert_eq!(Secret::from_text(seed).expect("valid").account().to_string(), ALICE);
		assert!(matches!(Secret::from_uri("bottom drive"), Err(KeyError::BadPhrase(_))));
		assert!(matches!(Secret::from_text("no/such/file"), Err(KeyError::Unreadable { .. })));
	}

	#[test]
	fn a_key_file_is_read_as_it_was_written() {
		let dir = tempfile::tempdir().expect("a temporary directory");
		let path = dir.path().join("key.json");
		let key = KeyFile::generate().expect("a key");
		key.write(&path).expect("written");
		assert!(matches!(key.write(&path), Err(KeyError::Unwritable { .. })));
		let secret = Secret::from_text(&path.display().to_string()).expect("a key");
		assert_eq!(secret.account().to_string(), key.ss58_address);
		assert!(!format!("{key:?} {secret:?}").contains(&key.secret_phrase));
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = fs::metadata(&path).expect("exists").permissions().mode();
			assert_eq!(mode & 0o777, 0o600);
		}

		fs::write(&path, "//Alice\n").expect("written");
		assert_eq!(Secret::from_file(&path).expect("a key").account().to_string(), ALICE);
		fs::write(&path, r#"{"encoded":"x"}"#).expect("written");
		assert!(matches!(Secret::from_file(&path), Err(KeyError::Encrypted)));
		fs::write(&path, "{}").expect("written");
		assert!(matches!(Secret::from_file(&path), Err(KeyError::BadFile(_))));
	}
}
