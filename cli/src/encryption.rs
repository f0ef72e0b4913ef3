// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where the encryption key is.

use crate::{args::EncryptionArgs, exit};
use anyhow::Context as _;
use planaria_sdk::UserKey;
use std::{
	env, fs,
	path::{Path, PathBuf},
};

/// Where the key is without `--key-file`: `encryption.key` in the user's configuration of this
/// program.
pub fn default_path() -> anyhow::Result<PathBuf> {
	let of = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
	let base = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")));
	let base = base.ok_or_else(|| {
		exit::usage("there is no home directory for the encryption key: give --key-file FILE")
	})?;
	Ok(base.join("planaria").join("encryption.key"))
}

/// Makes a new key at a place where there is none.
pub fn generate(path: &Path) -> anyhow::Result<UserKey> {
	if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
		fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
	}
	let key = UserKey::generate()?;
	key.write(path)?;
	Ok(key)
}

impl EncryptionArgs {
	/// The key to encrypt with: the one that is named, else the user's own, which is made when it is
	/// needed for the first time.
	pub fn key_or_new(&self) -> anyhow::Result<UserKey> {
		if let Some(path) = &self.key_file {
			return Ok(UserKey::read(path)?);
		}
		let path = default_path()?;
		if path.exists() {
			return Ok(UserKey::read(&path)?);
		}
		let key = generate(&path)?;
		eprintln!(
			"A new encryption key is in {}.\nKeep a copy of it in another place: without it nobody can \
			 read your files, not even you.",
			path.display()
		);
		Ok(key)
	}

	/// The key to decrypt with, if there is one.
	pub fn key(&self) -> anyhow::Result<Option<UserKey>> {
		let path = match &self.key_file {
			Some(path) => path.clone(),
			None => match default_path() {
				Ok(path) if path.exists() => path,
				_ => return Ok(None),
			},
		};
		Ok(Some(UserKey::read(&path)?))
	}
}
