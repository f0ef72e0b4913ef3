// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whether bytes are the right ones.

use crate::{BUFFER_LEN, StoreError, Verdict};
use planaria_primitives::FragmentHash;
use std::{
	io::{self, Read},
	path::Path,
};

/// Hashes at most `limit` bytes, streaming: a longer file does not take longer.
pub(crate) fn hash_some(from: &mut impl Read, limit: u64) -> io::Result<(blake3::Hasher, u64)> {
	let mut hasher = blake3::Hasher::new();
	let mut from = from.take(limit);
	let mut buffer = vec![0; BUFFER_LEN.min(usize::try_from(limit).unwrap_or(BUFFER_LEN))];
	let mut len = 0;
	loop {
		match from.read(&mut buffer) {
			Ok(0) => return Ok((hasher, len)),
			Ok(read) => {
				hasher.update(&buffer[..read]);
				len += read as u64;
			},
			Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
			Err(error) => return Err(error),
		}
	}
}

/// Whether the bytes at `path` are those of the fragment `hash`, of `len` bytes.
pub(crate) fn check(from: &mut impl Read, path: &Path, hash: &FragmentHash, len: u32) -> Verdict {
	match hash_some(from, u64::from(len) + 1) {
		Ok((hasher, read)) if read == u64::from(len) && hasher.finalize() == hash.0 => {
			Verdict::Whole
		},
		Ok(_) => Verdict::Damaged,
		Err(error) => Verdict::Unreadable(StoreError::unreadable(path, error)),
	}
}
