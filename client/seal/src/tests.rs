// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole files, sealed and opened.

use crate::{Cipher, FRAME_LEN, MAX_HEADER_LEN, OpenError, UserKey, is_sealed};
use proptest::prelude::*;
use std::{convert::Infallible, ops::Range, sync::Arc};

fn user() -> UserKey {
	UserKey::from_bytes(std::array::from_fn(|index| u8::try_from(index).expect("32 bytes")))
}

fn bytes(len: usize) -> Vec<u8> {
	(0..len).map(|index| u8::try_from((index * 7 + index / 251) % 256).expect("a byte")).collect()
}

fn cipher_of(plain: &[u8]) -> Cipher {
	let user = user();
	Cipher::derive(&user, &user.digest_of(plain), plain.len() as u64).expect("not too long")
}

fn read_at(cipher: &Cipher, plain: &[u8], range: Range<u64>) -> Vec<u8> {
	let mut sealed = vec![0; usize::try_from(range.end - range.start).expect("small")];
	let done = cipher.seal_at(range.start, &mut sealed, |offset, to| {
		let start = usize::try_from(offset).expect("small");
		to.copy_from_slice(&plain[start..start + to.len()]);
		Ok::<_, Infallible>(())
	});
	done.expect("the bytes are at hand");
	sealed
}

fn seal(plain: &[u8]) -> Vec<u8> {
	let cipher = cipher_of(plain);
	read_at(&cipher, plain, 0..cipher.layout().sealed_len())
}

fn head(sealed: &[u8]) -> &[u8] {
	&sealed[..sealed.len().min(MAX_HEADER_LEN)]
}

fn open(sealed: &[u8], range: Range<u64>, piece: usize) -> Result<Vec<u8>, OpenError> {
	let cipher = Arc::new(Cipher::open(head(sealed), sealed.len() as u64, &[user()])?);
	let mut opening = cipher.opening(range);
	let frames = opening.sealed();
	let place = |offset: u64| usize::try_from(offset).expect("small");
	let mut opened = Vec::new();
	for part in sealed[place(frames.start)..place(frames.end)].chunks(piece.max(1)) {
		opened.extend(opening.push(part)?.concat());
	}
	opening.finish()?;
	Ok(opened)
}

fn open_all(sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
	open(sealed, 0..u64::MAX, usize::MAX)
}

/// Lengths about the ends of frames.
fn lengths() -> [usize; 9] {
	let header = cipher_of(b"").header().len();
	let frame = usize::try_from(FRAME_LEN).expect("small");
	let first = frame - 16 - header;
	[0, 1, 1000, first - 1, first, first + 1, first + frame - 16, first + frame - 15, 4 * frame]
}

#[test]
fn what_is_sealed_is_opened() {
	for len in lengths() {
		let plain = bytes(len);
		let sealed = seal(&plain);
		assert!(is_sealed(&sealed) && !is_sealed(&plain));
		assert_eq!(sealed.len() as u64, cipher_of(&plain).layout().sealed_len());
		assert!(open_all(&sealed).expect("opens") == plain, "{len}");
		assert_eq!(seal(&plain), sealed);
	}
}

/// The bytes that docs/encryption.md specifies. A change of these is a change of the version.
#[test]
fn sealed_files_have_these_bytes() {
	let vectors = [
		(0, "b40e4a3343e994f904bd0aff166951e42aed7921ad2bc926cb03d1fd8626474b"),
		(1, "376338c93d0444088ed07bbc4ff21f5fe1a77aaa3672750bb8f83d585aadf944"),
		(65_385, "47838b854edddaae2371cab3a9cedec740dc513c8d487d2fb9c01e6af4a06bfc"),
		(65_386, "045b4fd3ba3ef7dcf9a75307884d68285c1275f192f794e5f642ab60d08006a4"),
		(200_000, "5c9b1022eb84a236e16550ec694499143d4d12ff76eee487ed5eb98f7947427c"),
	];
	for (len, expected) in vectors {
		let sealed = seal(&bytes(len));
		assert_eq!(blake3::hash(&sealed).to_hex().as_str(), expected, "{len}");
	}
	let header = hex::encode(cipher_of(&bytes(1)).header());
	let expected = concat!(
		"504c4e5345414c01870001010100000000000000",
		"1268291f50106f24bf0894f716697537e684094f9fe92aa772e56d4018d980f3",
		"013000d486854ae06ab9ce084857397835697f26fc9b888b1f68036503b229b0",
		"a72586ad6d2cae56b3b26467f457656e971a3d",
		"6b0c1d35eaabdebf08cf6d5879aedec74dee6a20b127173146270cf1e7645a07",
	);
	assert_eq!(header, expected);
}

#[test]
fn only_the_user_and_the_content_decide() {
	let (one, other) = (user(), UserKey::from_bytes([9; 32]));
	let plain = bytes(1000);
	let header = |user: &UserKey, plain: &[u8]| {
		let cipher = Cipher::derive(user, &user.digest_of(plain), plain.len() as u64);
		cipher.expect("not too long").header().to_vec()
	};
	assert_eq!(header(&one, &plain), header(&one, &plain));
	assert_ne!(header(&one, &plain), header(&other, &plain));
	assert_ne!(header(&one, &plain)[20..52], header(&other, &plain)[20..52]);
	assert_ne!(header(&one, &plain), header(&one, &plain[1..]));

	let random = || Cipher::random(&one, 1000).expect("random numbers");
	let (first, second) = (random(), random());
	assert_ne!(first.header(), second.header());
	let len = first.layout().sealed_len();
	let again = Cipher::open(first.header(), len, &[other.clone(), one]).expect("its key is there");
	assert_eq!(read_at(&again, &plain, 0..len), read_at(&first, &plain, 0..len));
	let error = Cipher::open(first.header(), len, &[other]).expect_err("another key");
	assert_eq!(error, OpenError::WrongKey);
}

#[test]
fn the_wrong_key_opens_nothing() {
	let sealed = seal(&bytes(100));
	for keys in [&[][..], &[UserKey::from_bytes([0; 32])], &[UserKey::generate().expect("a key")]] {
		let error = Cipher::open(&sealed, sealed.len() as u64, keys).expect_err("wrong");
		assert_eq!(error, OpenError::WrongKey);
	}
}

#[test]
fn every_truncation_is_refused() {
	let sealed = seal(&bytes(500));
	for len in 0..sealed.len() {
		assert!(open_all(&sealed[..len]).is_err(), "{len}");
	}
	let mut longer = sealed.clone();
	longer.push(0);
	assert!(matches!(open_all(&longer), Err(OpenError::WrongLength { .. })));

	// At the ends of frames, too.
	let sealed = seal(&bytes(300_000));
	for frames in 0..sealed.len() / (64 << 10) {
		assert!(open_all(&sealed[..frames * (64 << 10)]).is_err());
	}
}

#[test]
fn every_flipped_bit_is_refused() {
	let plain = bytes(300);
	let sealed = seal(&plain);
	for bit in 0..8 * sealed.len() {
		let mut altered = sealed.clone();
		altered[bit / 8] ^= 1 << (bit % 8);
		assert!(open_all(&altered).is_err(), "bit {bit}");
	}
}

#[test]
fn moved_frames_are_refused() {
	const FRAME: usize = 64 << 10;
	let plain = vec![5; 4 * FRAME];
	let sealed = seal(&plain);
	let mut swapped = sealed.clone();
	swapped[FRAME..3 * FRAME].rotate_left(FRAME);
	assert_eq!(open_all(&swapped), Err(OpenError::AlteredFrame(1)));
	let mut repeated = sealed.clone();
	repeated.copy_within(FRAME..2 * FRAME, 2 * FRAME);
	assert_eq!(open_all(&repeated), Err(OpenError::AlteredFrame(2)));
	// Of another file of the same user.
	let mut foreign = sealed;
	foreign[FRAME..2 * FRAME].copy_from_slice(&seal(&vec![6; 4 * FRAME])[FRAME..2 * FRAME]);
	assert_eq!(open_all(&foreign), Err(OpenError::AlteredFrame(1)));
}

#[test]
fn a_range_that_ends_early_or_late_is_refused() {
	let plain = bytes(1000);
	let sealed = seal(&plain);
	let cipher = Arc::new(Cipher::open(&sealed, sealed.len() as u64, &[user()]).expect("opens"));
	let mut opening = cipher.opening(0..10);
	let frames = usize::try_from(opening.sealed().start).expect("small")..sealed.len();
	assert!(opening.push(&sealed[frames.start..frames.end - 1]).expect("fits").is_empty());
	assert_eq!(opening.push(&sealed[frames.end - 1..]).expect("fits").concat(), plain[..10]);
	assert!(opening.sealed().is_empty());
	assert_eq!(opening.push(&[0]), Err(OpenError::TooMuch));
	let opening = cipher.opening(0..10);
	assert_eq!(opening.finish(), Err(OpenError::Truncated(0)));
	for nothing in [0..0, 5..5, 1000..2000, u64::MAX..u64::MAX] {
		let opening = cipher.opening(nothing);
		assert!(opening.sealed().is_empty());
		assert_eq!(opening.finish(), Ok(()));
	}
}

#[test]
fn what_is_not_known_is_named() {
	let sealed = seal(b"x");
	let altered = |place: usize, value: u8| {
		let mut altered = sealed.clone();
		altered[place] = value;
		open_all(&altered).expect_err("altered")
	};
	assert_eq!(altered(0, 0), OpenError::NotSealed);
	assert_eq!(altered(7, 2), OpenError::UnknownVersion(2));
	assert_eq!(altered(10, 9), OpenError::UnknownMethod(9));
	assert_eq!(altered(9, 255), OpenError::BadHeader("its length is out of range"));
	assert_eq!(altered(11, 2), OpenError::BadHeader("a slot ends behind it"));
	assert_eq!(altered(11, 0), OpenError::BadHeader("bytes follow its slots"));
	assert_eq!(altered(19, 255), OpenError::BadHeader("the file's size is absurd"));
	assert_eq!(altered(52, 7), OpenError::WrongKey);
	let short = Cipher::open(&sealed[..60], sealed.len() as u64, &[user()]).expect_err("short");
	assert_eq!(short, OpenError::ShortHeader { have: 60, need: 135 });
}

proptest! {
	#[test]
	fn any_range_is_opened_and_sealed_alike(
		size in 0..300_000usize,
		start in 0..300_000u64,
		len in 0..200_000u64,
		piece in 1..100_000usize,
	) {
		let plain = bytes(size);
		let cipher = cipher_of(&plain);
		let sealed = seal(&plain);
		let clip = |offset: u64, end: usize| usize::try_from(offset).expect("small").min(end);
		let (from, to) = (clip(start, size), clip(start + len, size));
		let opened = open(&sealed, start..start + len, piece).expect("opens");
		prop_assert!(opened == plain[from..to]);

		let (from, to) = (clip(start, sealed.len()), clip(start + len, sealed.len()));
		let part = read_at(&cipher, &plain, from as u64..to as u64);
		prop_assert!(part == sealed[from..to]);
	}

	#[test]
	fn an_altered_file_is_never_opened(
		size in 0..200_000usize,
		place in any::<prop::sample::Index>(),
		flip in 1..=255u8,
	) {
		let mut sealed = seal(&bytes(size));
		let place = place.index(sealed.len());
		sealed[place] ^= flip;
		prop_assert!(open_all(&sealed).is_err());
	}

	/// Whatever a header says, it is refused without a panic: nobody else can make one.
	#[test]
	fn no_made_up_header_is_taken(
		version in 0..3u8, len in 0..300u16, method in 0..3u8, slots in 0..4u8, size: u64,
		rest in prop::collection::vec(any::<u8>(), 0..300), cut in 0..400usize,
	) {
		let mut head = b"PLNSEAL".to_vec();
		head.push(version);
		head.extend(len.to_le_bytes());
		head.extend([method, slots]);
		head.extend(size.to_le_bytes());
		head.extend(rest);
		head.truncate(cut);
		prop_assert!(Cipher::open(&head, size, &[user()]).is_err());
	}

	#[test]
	fn noise_is_not_sealed(noise in prop::collection::vec(any::<u8>(), 0..500)) {
		prop_assert!(Cipher::open(&noise, noise.len() as u64, &[user()]).is_err());
	}
}
