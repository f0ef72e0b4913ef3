// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! One sealed file.

use crate::{
	Digest, Layout, OpenError, Opening, SealError, TAG_LEN, UserKey,
	header::{self, FileKey, Header, aes},
	key::{derive, random},
};
use ring::aead::{Aad, LessSafeKey, Nonce};
use std::{fmt, ops::Range};
use zeroize::Zeroizing;

/// Seals and opens the frames of one file. It holds the file's key, and not the user's.
pub struct Cipher {
	header: Vec<u8>,
	layout: Layout,
	frames: LessSafeKey,
	/// The header's last bytes, which prove the others.
	check: [u8; 32],
}

impl Cipher {
	/// For a file of `size` bytes with this digest. The same bytes are sealed alike for the same
	/// user whenever that is done, and for no other user.
	///
	/// What is sealed must be what was digested: the same key for two different files would lay
	/// both open.
	pub fn derive(user: &UserKey, digest: &Digest, size: u64) -> Result<Self, SealError> {
		let size_bytes = size.to_le_bytes();
		let key = derive("planaria 2026 seal file key", &digest.0, &size_bytes);
		let salt = derive("planaria 2026 seal salt", &digest.0, &size_bytes);
		Self::create(user, key, *salt, size)
	}

	/// For a file of `size` bytes that are not known yet, under a random key. Keep
	/// [`header`](Self::header): with it [`open`](Self::open) makes the same cipher again.
	///
	/// No more than one file may be sealed with it.
	pub fn random(user: &UserKey, size: u64) -> Result<Self, SealError> {
		let key = random().map(Zeroizing::new).ok_or(SealError::NoRandom)?;
		let salt = random().ok_or(SealError::NoRandom)?;
		Self::create(user, key, salt, size)
	}

	fn create(user: &UserKey, key: FileKey, salt: [u8; 32], size: u64) -> Result<Self, SealError> {
		let header = header::write(user, key, salt, size).ok_or(SealError::TooLong(size))?;
		Ok(Self::new(header))
	}

	/// For the sealed file of `sealed_len` bytes that begins with `head`:
	/// [`MAX_HEADER_LEN`](crate::MAX_HEADER_LEN) bytes suffice, or all of a shorter file. The first
	/// of the keys that opens it does.
	pub fn open(head: &[u8], sealed_len: u64, keys: &[UserKey]) -> Result<Self, OpenError> {
		let header = header::read(head, keys)?;
		let expected = header.layout.sealed_len();
		if sealed_len != expected {
			return Err(OpenError::WrongLength { have: sealed_len, expected });
		}
		Ok(Self::new(header))
	}

	fn new(Header { bytes, key, layout }: Header) -> Self {
		let check = *bytes.last_chunk().expect("a header ends so; qed");
		let frames = aes(&derive("planaria 2026 seal frames", &key, &check));
		Self { header: bytes, layout, frames, check }
	}

	/// The header: what the sealed file begins with. It is no secret.
	pub fn header(&self) -> &[u8] {
		&self.header
	}

	/// Where everything is.
	pub fn layout(&self) -> &Layout {
		&self.layout
	}

	/// Seals the bytes of a frame, which must be all that it holds, in place, and returns its tag.
	pub(crate) fn seal(&self, frame: u64, bytes: &mut [u8]) -> [u8; TAG_LEN as usize] {
		let tag = self
			.frames
			.seal_in_place_separate_tag(self.nonce(frame), Aad::from(self.check), bytes)
			.expect("a frame is not too long; qed");
		tag.as_ref().try_into().expect("16 bytes; qed")
	}

	/// Opens a sealed frame in place, and returns the bytes it holds.
	pub fn open_frame<'a>(
		&self,
		frame: u64,
		sealed: &'a mut [u8],
	) -> Result<&'a mut [u8], OpenError> {
		let expected = self.layout.sealed(frame);
		if sealed.len() as u64 != expected.end - expected.start || sealed.is_empty() {
			return Err(OpenError::Truncated(frame));
		}
		self.frames
			.open_in_place(self.nonce(frame), Aad::from(self.check), sealed)
			.map_err(|_| OpenError::AlteredFrame(frame))
	}

	/// Fills `to` with the sealed file's bytes from `offset` on, which end in the file. `read` is
	/// asked for the file's own bytes: frame by frame, in order, each frame's at once.
	///
	/// Frames of which `to` holds a part only are sealed as a whole, so read in multiples of
	/// [`FRAME_LEN`](crate::FRAME_LEN).
	pub fn seal_at<E>(
		&self,
		offset: u64,
		to: &mut [u8],
		mut read: impl FnMut(u64, &mut [u8]) -> Result<(), E>,
	) -> Result<(), E> {
		let header = within(&self.header, offset);
		let (head, mut to) = to.split_at_mut(header.len().min(to.len()));
		head.copy_from_slice(&header[..head.len()]);
		let mut offset = offset + head.len() as u64;
		let mut room = Zeroizing::new(Vec::new());
		while !to.is_empty() {
			let frame = self.layout.frame_at(offset);
			let (plain, sealed) = (self.layout.plain(frame), self.layout.sealed(frame));
			let plain_len = len(&plain);
			assert!(offset < sealed.end, "only bytes of the sealed file can be read");
			let wanted = usize::try_from(sealed.end - offset).unwrap_or(usize::MAX).min(to.len());
			let (part, rest) = to.split_at_mut(wanted);
			if offset == sealed.start && part.len() == len(&sealed) {
				let (bytes, tag) = part.split_at_mut(plain_len);
				read(plain.start, bytes)?;
				tag.copy_from_slice(&self.seal(frame, bytes));
			} else {
				room.resize(plain_len, 0);
				read(plain.start, &mut room)?;
				let tag = self.seal(frame, &mut room);
				room.extend_from_slice(&tag);
				let skip = usize::try_from(offset - sealed.start).expect("at most 64 KiB; qed");
				part.copy_from_slice(&room[skip..skip + wanted]);
			}
			offset += wanted as u64;
			to = rest;
		}
		Ok(())
	}

	/// Opens a range of the file's bytes from the sealed bytes that [`Opening::sealed`] says. What
	/// lies behind the file's end is left out.
	pub fn opening(self: &std::sync::Arc<Self>, plain: Range<u64>) -> Opening {
		Opening::new(self.clone(), plain)
	}

	/// The frame's number, and whether it is the last.
	fn nonce(&self, frame: u64) -> Nonce {
		let mut nonce = [0; 12];
		nonce[..8].copy_from_slice(&frame.to_le_bytes());
		nonce[11] = u8::from(frame + 1 == self.layout.frames());
		Nonce::assume_unique_for_key(nonce)
	}
}

impl fmt::Debug for Cipher {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Cipher").field("layout", &self.layout).finish_non_exhaustive()
	}
}

/// What of `bytes` follows `offset`.
fn within(bytes: &[u8], offset: u64) -> &[u8] {
	usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default()
}

/// The length of a range of a frame's bytes.
fn len(range: &Range<u64>) -> usize {
	usize::try_from(range.end - range.start).expect("at most 64 KiB; qed")
}
