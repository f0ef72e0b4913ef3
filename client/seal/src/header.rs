// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What stands before the first frame.

use crate::{Layout, OpenError, UserKey, key::derive};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// What a sealed file begins with. The version follows.
pub const MAGIC: [u8; 7] = *b"PLNSEAL";

/// No header is longer.
pub const MAX_HEADER_LEN: usize = 4096;

const VERSION: u8 = 1;
const METHOD_AES_256_GCM: u8 = 1;
const SLOT_USER_KEY: u8 = 1;

/// Magic, version, length, method, slots, size, salt.
const FIXED_LEN: usize = 7 + 1 + 2 + 1 + 1 + 8 + SALT_LEN;
const SALT_LEN: usize = 32;
const WRAPPED_LEN: usize = 32 + 16;
const CHECK_LEN: usize = 32;

/// Whether these first bytes of a file, at least eight, say that it is sealed.
pub fn is_sealed(head: &[u8]) -> bool {
	head.starts_with(&MAGIC) && head.len() > MAGIC.len()
}

/// The key of one sealed file.
pub(crate) type FileKey = Zeroizing<[u8; 32]>;

/// A header whose every byte is authentic, and the key it held.
pub(crate) struct Header {
	pub bytes: Vec<u8>,
	pub key: FileKey,
	pub layout: Layout,
}

/// The header of a file of `size` bytes, whose key only this user key opens.
///
/// `None` where the file is too long.
pub(crate) fn write(user: &UserKey, key: FileKey, salt: [u8; 32], size: u64) -> Option<Header> {
	let len = FIXED_LEN + 3 + WRAPPED_LEN + CHECK_LEN;
	let mut bytes = Vec::with_capacity(len);
	bytes.extend_from_slice(&MAGIC);
	bytes.push(VERSION);
	bytes.extend_from_slice(&u16::try_from(len).expect("135; qed").to_le_bytes());
	bytes.push(METHOD_AES_256_GCM);
	bytes.push(1);
	bytes.extend_from_slice(&size.to_le_bytes());
	bytes.extend_from_slice(&salt);
	bytes.push(SLOT_USER_KEY);
	bytes.extend_from_slice(&u16::try_from(WRAPPED_LEN).expect("48; qed").to_le_bytes());
	bytes.extend_from_slice(&wrap(user, &salt, &key));
	bytes.extend_from_slice(&check(&key, &bytes));
	let layout = Layout::new(len as u64, size)?;
	Some(Header { bytes, key, layout })
}

/// Reads the header at the beginning of `head` and finds the key that opens it.
pub(crate) fn read(head: &[u8], keys: &[UserKey]) -> Result<Header, OpenError> {
	let have = head.len() as u64;
	let short = |need: usize| OpenError::ShortHeader { have, need: need as u64 };
	if !is_sealed(head) {
		return Err(OpenError::NotSealed);
	}
	if head[MAGIC.len()] != VERSION {
		return Err(OpenError::UnknownVersion(head[MAGIC.len()]));
	}
	let fixed = head.get(..FIXED_LEN).ok_or(short(FIXED_LEN))?;
	let mut rest = Parser(&fixed[MAGIC.len() + 1..]);
	let truncated = || short(FIXED_LEN);
	let len = usize::from(u16::from_le_bytes(rest.array().ok_or_else(truncated)?));
	let [method] = rest.array().ok_or_else(truncated)?;
	let [slots] = rest.array().ok_or_else(truncated)?;
	let size = u64::from_le_bytes(rest.array().ok_or_else(truncated)?);
	let salt: [u8; SALT_LEN] = rest.array().ok_or_else(truncated)?;
	if method != METHOD_AES_256_GCM {
		return Err(OpenError::UnknownMethod(method));
	}
	if !(FIXED_LEN + CHECK_LEN..=MAX_HEADER_LEN).contains(&len) {
		return Err(OpenError::BadHeader("its length is out of range"));
	}
	let bytes = head.get(..len).ok_or(short(len))?;
	let (checked, sum) = bytes.split_at(len - CHECK_LEN);
	let layout =
		Layout::new(len as u64, size).ok_or(OpenError::BadHeader("the file's size is absurd"))?;

	let mut key = None;
	let mut rest = Parser(&checked[FIXED_LEN..]);
	for _ in 0..slots {
		let (kind, body) = rest.slot().ok_or(OpenError::BadHeader("a slot ends behind it"))?;
		// Other kinds are for other readers.
		if kind == SLOT_USER_KEY && key.is_none() {
			let wrapped = <[u8; WRAPPED_LEN]>::try_from(body)
				.map_err(|_| OpenError::BadHeader("a wrapped key has a wrong length"))?;
			key = keys.iter().find_map(|user| unwrap(user, &salt, wrapped));
		}
	}
	if !rest.0.is_empty() {
		return Err(OpenError::BadHeader("bytes follow its slots"));
	}
	let key = key.ok_or(OpenError::WrongKey)?;
	if blake3::Hash::from_bytes(check(&key, checked)) != *sum {
		return Err(OpenError::AlteredHeader);
	}
	Ok(Header { bytes: bytes.to_vec(), key, layout })
}

/// What is not read yet.
struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
	fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
		let (first, rest) = self.0.split_first_chunk()?;
		self.0 = rest;
		Some(*first)
	}

	fn slot(&mut self) -> Option<(u8, &'a [u8])> {
		let [kind] = self.array()?;
		let len = u16::from_le_bytes(self.array()?);
		let (body, rest) = self.0.split_at_checked(len.into())?;
		self.0 = rest;
		Some((kind, body))
	}
}

/// Proves to whoever knows the file's key that the header's other bytes are the sealer's.
fn check(key: &FileKey, header: &[u8]) -> [u8; CHECK_LEN] {
	*derive("planaria 2026 seal header", key, header)
}

/// The key that wraps the key of the file with this salt. It wraps nothing else, so that its nonce
/// can be zero.
fn wrapping(user: &UserKey, salt: &[u8; SALT_LEN]) -> LessSafeKey {
	aes(&user.derive("planaria 2026 seal wrap", salt))
}

fn wrap(user: &UserKey, salt: &[u8; SALT_LEN], key: &FileKey) -> [u8; WRAPPED_LEN] {
	let mut wrapped = [0; WRAPPED_LEN];
	let (place, tag) = wrapped.split_at_mut(32);
	place.copy_from_slice(&key[..]);
	let made = wrapping(user, salt)
		.seal_in_place_separate_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), place)
		.expect("32 bytes are not too long; qed");
	tag.copy_from_slice(made.as_ref());
	wrapped
}

fn unwrap(user: &UserKey, salt: &[u8; SALT_LEN], wrapped: [u8; WRAPPED_LEN]) -> Option<FileKey> {
	let mut bytes = Zeroizing::new(wrapped);
	let nonce = Nonce::assume_unique_for_key([0; 12]);
	let key = wrapping(user, salt).open_in_place(nonce, Aad::empty(), &mut bytes[..]).ok()?;
	<[u8; 32]>::try_from(&*key).ok().map(Zeroizing::new)
}

/// A key of AES-256-GCM.
pub(crate) fn aes(key: &[u8; 32]) -> LessSafeKey {
	LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key; qed"))
}
