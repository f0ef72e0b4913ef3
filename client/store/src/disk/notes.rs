// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Notes: `<name>.note`, what was noted and 8 bytes of BLAKE3 of that.

use super::{Inner, Step};
use crate::{Note, StoreError};
use std::{
	fs::File,
	io::{self, Read, Write},
};
use tracing::warn;

const CHECKSUM_LEN: usize = 8;

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
	*blake3::hash(bytes).as_bytes().first_chunk().expect("a hash has 32 bytes; qed")
}

impl Inner {
	pub fn read_note(&self, note: Note) -> Result<Option<Vec<u8>>, StoreError> {
		let path = self.layout.note(note);
		let mut bytes = Vec::new();
		let longest = Note::MAX_LEN + CHECKSUM_LEN + 1;
		match File::open(&path).and_then(|file| file.take(longest as u64).read_to_end(&mut bytes)) {
			Ok(_) => (),
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
			Err(error) => return Err(StoreError::unreadable(path, error)),
		}
		match bytes.split_last_chunk::<CHECKSUM_LEN>() {
			Some((text, found)) if text.len() <= Note::MAX_LEN && *found == checksum(text) => {
				Ok(Some(text.to_vec()))
			},
			_ => {
				warn!(path = %path.display(), "a note is damaged and counts as not written");
				Ok(None)
			},
		}
	}

	pub fn write_note(&self, note: Note, bytes: &[u8]) -> Result<(), StoreError> {
		if bytes.len() > Note::MAX_LEN {
			return Err(StoreError::NoteTooLong { len: bytes.len() });
		}
		let path = self.layout.note(note);
		let temporary = path.with_extension("note.tmp");
		self.fs.step(Step::Note, &temporary, || {
			let mut file = File::create(&temporary)?;
			file.write_all(bytes)?;
			file.write_all(&checksum(bytes))?;
			file.sync_all()
		})?;
		self.fs.rename(&temporary, &path)?;
		self.fs.sync_dir(&self.layout.root)
	}
}
