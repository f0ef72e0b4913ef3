// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Sealed while it is read.

use crate::{
	Content, PutError,
	progress::{Progress, PutEvent},
	put::unreadable,
};
use planaria_seal::{Cipher, Digest, Digester, UserKey};
use std::{
	fmt, io,
	sync::{Arc, Mutex, PoisonError},
};
use tokio::task::spawn_blocking;

/// A content as it is when it is sealed.
pub struct SealedContent {
	content: Arc<dyn Content>,
	cipher: Cipher,
	/// Until the content was read as it was digested.
	check: Mutex<Option<Check>>,
}

/// The content is what was digested so far.
struct Check {
	digest: Digest,
	digester: Digester,
	next: u64,
}

impl SealedContent {
	/// Seals for this key. The content is read once to be digested; when it is read for the first
	/// time after that, which must be in order, it is digested again: what has changed since is
	/// refused before a put lets anything out.
	pub async fn new(
		content: Arc<dyn Content>,
		user: UserKey,
		progress: Progress<PutEvent>,
	) -> Result<Self, PutError> {
		let digested = spawn_blocking(move || {
			let digest = digest(&*content, &user, &progress);
			let digest = digest.map_err(|error| unreadable(&*content, error))?;
			let cipher = Cipher::derive(&user, &digest, content.size())?;
			let check = Check { digest, digester: user.digester(), next: 0 };
			Ok(Self { content, cipher, check: Mutex::new(Some(check)) })
		});
		digested.await.expect("digesting does not panic; qed")
	}

	/// What seals it.
	pub fn cipher(&self) -> &Cipher {
		&self.cipher
	}

	/// Bytes of the content were read: are they those that were digested?
	fn check(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
		let mut open = self.check.lock().unwrap_or_else(PoisonError::into_inner);
		let Some(check) = &mut *open else { return Ok(()) };
		let Some(known) = check.next.checked_sub(offset) else {
			let error = "a sealed content is read in order the first time";
			return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
		};
		let new = usize::try_from(known).ok().and_then(|known| bytes.get(known..));
		let new = new.unwrap_or_default();
		check.digester.update(new);
		check.next += new.len() as u64;
		if check.next == self.content.size() {
			if check.digester.finish() != check.digest {
				return Err(io::ErrorKind::InvalidData.into());
			}
			*open = None;
		}
		Ok(())
	}
}

impl Content for SealedContent {
	fn size(&self) -> u64 {
		self.cipher.layout().sealed_len()
	}

	fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
		self.cipher.seal_at(offset, to, |offset, to| {
			self.content.read_at(offset, to)?;
			self.check(offset, to)
		})
	}

	fn name(&self) -> String {
		self.content.name()
	}
}

impl fmt::Debug for SealedContent {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("SealedContent")
			.field("content", &self.content.name())
			.finish_non_exhaustive()
	}
}

fn digest(
	content: &dyn Content,
	user: &UserKey,
	progress: &Progress<PutEvent>,
) -> io::Result<Digest> {
	const STEP: usize = 4 << 20;
	let size = content.size();
	let mut digester = user.digester();
	let mut offset = 0;
	let mut room = vec![0; usize::try_from(size).unwrap_or(STEP).min(STEP)];
	while offset < size {
		let len = usize::try_from(size - offset).unwrap_or(STEP).min(STEP);
		content.read_at(offset, &mut room[..len])?;
		digester.update(&room[..len]);
		offset += len as u64;
		progress(PutEvent::Digesting { bytes: offset, size });
	}
	Ok(digester.finish())
}
