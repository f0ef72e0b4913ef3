// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The miner's own keys: the hot key in the keystore, the endpoint's in a file.

use pallet_planaria_support::hot_key::KEY_TYPE;
use planaria_durable::{self as durable, Mode};
use planaria_primitives::{Hash, duty::registration_bytes};
use planaria_transfer::PeerAddr;
use serde::Serialize;
use sp_core::{Pair, ed25519, sr25519};
use sp_keystore::KeystorePtr;
use std::{
	fs::{self, File},
	io::{self, Read},
	path::{Path, PathBuf},
};

/// Why a key is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
	/// The keystore.
	#[error("the keystore does not work: {0}")]
	Keystore(String),
	/// The endpoint's key file.
	#[error("the endpoint's key {path} cannot be used: {source}", path = .path.display())]
	File {
		/// Where it is.
		path: PathBuf,
		/// What is wrong.
		source: io::Error,
	},
	/// The endpoint's key file is something else.
	#[error("{} does not hold a key: 64 hexadecimal digits are expected; move it away to get a new one", .0.display())]
	NotAKey(PathBuf),
}

/// Makes a hot key where the keystore has none.
pub fn ensure_hot_key(keystore: &KeystorePtr) -> Result<(), KeyError> {
	if keystore.sr25519_public_keys(KEY_TYPE).is_empty() {
		let key = keystore
			.sr25519_generate_new(KEY_TYPE, None)
			.map_err(|error| KeyError::Keystore(error.to_string()))?;
		tracing::info!(key = %hex::encode(key.0), "made a hot key");
	}
	Ok(())
}

/// The endpoint's secret key from a file, which is made where it is missing: readable by its owner
/// alone, and on disk before it is used.
pub fn endpoint_key(path: &Path) -> Result<[u8; 32], KeyError> {
	let failed = |source| KeyError::File { path: path.to_owned(), source };
	match File::open(path) {
		Ok(mut file) => {
			let mut text = String::new();
			file.read_to_string(&mut text).map_err(failed)?;
			let mut key = [0; 32];
			hex::decode_to_slice(text.trim(), &mut key)
				.map_err(|_| KeyError::NotAKey(path.to_owned()))?;
			Ok(key)
		},
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			let (pair, _) = ed25519::Pair::generate();
			let key = pair.seed();
			let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
			if let Some(directory) = directory {
				fs::create_dir_all(directory).map_err(failed)?;
			}
			durable::create(path, hex::encode(key).as_bytes(), Mode::Secret).map_err(failed)?;
			Ok(key)
		},
		Err(error) => Err(failed(error)),
	}
}

/// What a stash needs to register this miner. All bytes are hexadecimal, with `0x`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RegistrationProofs {
	/// The hot key's public part (sr25519).
	pub hot_key: String,
	/// Its signature.
	pub hot_proof: String,
	/// Where the miner is reached.
	pub endpoint: Endpoint,
	/// The endpoint key's signature (ed25519).
	pub endpoint_proof: String,
	/// The store's capacity in bytes.
	pub capacity: u64,
}

/// Where a miner is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Endpoint {
	/// The endpoint key's public part (ed25519).
	pub key: String,
	/// Addresses: `ip:port`, or the URL of a relay.
	pub addrs: Vec<String>,
}

/// Lets both keys sign that `stash` may register them.
pub fn prove(
	keystore: &KeystorePtr,
	secret_key: &[u8; 32],
	genesis: &Hash,
	stash: &[u8; 32],
	endpoint: PeerAddr,
	capacity: u64,
) -> Result<RegistrationProofs, KeyError> {
	let bytes = registration_bytes(genesis, stash);
	let missing = || KeyError::Keystore("it has no hot key".into());
	let key: sr25519::Public =
		keystore.sr25519_public_keys(KEY_TYPE).into_iter().next().ok_or_else(missing)?;
	let hot_proof = keystore
		.sr25519_sign(KEY_TYPE, &key, &bytes)
		.map_err(|error| KeyError::Keystore(error.to_string()))?
		.ok_or_else(missing)?;
	let endpoint_proof = ed25519::Pair::from_seed(secret_key).sign(&bytes);
	let text = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
	Ok(RegistrationProofs {
		hot_key: text(&key.0),
		hot_proof: text(&hot_proof.0),
		endpoint: Endpoint { key: text(&endpoint.key), addrs: endpoint.addrs },
		endpoint_proof: text(&endpoint_proof.0),
		capacity,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_endpoint_key_is_made_once_and_kept_private() {
		use std::os::unix::fs::PermissionsExt;
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("deeper/transfer.key");
		let key = endpoint_key(&path).expect("made");
		assert_eq!(endpoint_key(&path).expect("read"), key);
		let mode = fs::metadata(&path).expect("there").permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
		fs::write(&path, "no key").expect("written");
		assert!(matches!(endpoint_key(&path), Err(KeyError::NotAKey(_))));
	}

	#[test]
	fn the_proofs_are_signatures_over_chain_and_stash() {
		let keystore: KeystorePtr = sp_keystore::testing::MemoryKeystore::new().into();
		ensure_hot_key(&keystore).expect("made");
		ensure_hot_key(&keystore).expect("kept");
		assert_eq!(keystore.sr25519_public_keys(KEY_TYPE).len(), 1);
		let secret = [7; 32];
		let pair = ed25519::Pair::from_seed(&secret);
		let endpoint = PeerAddr { key: pair.public().0, addrs: vec!["127.0.0.1:1".into()] };
		let proofs =
			prove(&keystore, &secret, &[1; 32], &[2; 32], endpoint, 5).expect("both keys sign");
		let bytes = registration_bytes(&[1; 32], &[2; 32]);
		let signature: [u8; 64] = hex::decode(&proofs.endpoint_proof[2..])
			.expect("hexadecimal")
			.try_into()
			.expect("64 bytes");
		assert!(ed25519::Pair::verify(&signature.into(), &bytes, &pair.public()));
		let hot: [u8; 64] =
			hex::decode(&proofs.hot_proof[2..]).expect("hexadecimal").try_into().expect("64 bytes");
		let key = keystore.sr25519_public_keys(KEY_TYPE)[0];
		assert!(sr25519::Pair::verify(&hot.into(), &bytes, &key));
	}
}
