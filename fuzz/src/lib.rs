// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What must hold for whatever bytes arrive.

use codec::{Decode, DecodeAll, Encode};
use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, FragmentId, FragmentProof, Segment, Sidecar,
	commitment::{file_tree, segment_tree},
	file_id,
	mailbox::{Done, Proofs, Wanted},
	merkle::Tree,
};
use std::{fmt::Debug, sync::LazyLock};

/// What is decoded is encoded as it came; nothing traps.
pub fn decode(data: &[u8]) {
	fn one<T: Decode + Encode + PartialEq + Debug>(data: &[u8]) {
		if let Ok(value) = T::decode_all(&mut &data[..]) {
			let encoded = value.encode();
			assert_eq!(T::decode_all(&mut &encoded[..]).as_ref(), Ok(&value));
		}
	}
	// The items of the calls that carry proofs.
	one::<Vec<(FragmentId, FragmentProof)>>(data);
	one::<Vec<FragmentProof>>(data);
	one::<Sidecar>(data);
	one::<Segment>(data);
	one::<FileId>(data);
	one::<CodingParams>(data);
	// The mailbox.
	one::<Wanted>(data);
	one::<Done>(data);
	one::<Proofs>(data);
}

/// Whatever is shown as a proof: the only one that is accepted is the right one.
///
/// The first bytes say of which file, fragment and chunk it should be; the rest is the proof, or
/// what is changed in the right one.
pub fn proof(data: &[u8]) {
	let mut data = Bytes(data);
	let file = &FILES[usize::from(data.byte()) % FILES.len()];
	let (index, chunk, whole) = (data.byte(), u32::from(data.byte()), data.byte() % 2 == 0);
	let number = u32::from(data.byte() % 3);
	let right = file.proof(number, index, chunk);
	let shown = match &right {
		Some(right) if !whole => {
			let mut bytes = right.0.clone();
			bytes.resize(usize::from(data.byte()) + bytes.len().saturating_sub(128), 0);
			while let [place, with, ..] = data.0 {
				let last = bytes.len().saturating_sub(1);
				if let Some(byte) = bytes.get_mut(usize::from(*place) * last / 255) {
					*byte ^= with;
				}
				data.0 = &data.0[2..];
			}
			bytes
		},
		_ => data.0.to_vec(),
	};
	let shown = FragmentProof(shown);
	let accepted = shown.verify(&file.id, &file.spec, number, index, chunk).is_ok();
	assert_eq!(accepted, Some(&shown) == right.as_ref());
}

/// Bytes that are taken from the front; zeros behind the end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
	fn byte(&mut self) -> u8 {
		let Some((first, rest)) = self.0.split_first() else { return 0 };
		self.0 = rest;
		*first
	}
}

struct File {
	spec: FileSpec,
	id: FileId,
	fragments: Vec<Vec<u8>>,
	segment: Tree,
	file: Tree,
}

/// Files of one segment: a chunk, a chunk and a bit more, several, sixty-four fragments.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
	let wide = CodingParams::new(32, 32).expect("a coding");
	[
		(1, CodingParams::LEAN),
		(2 * 1024 + 1, CodingParams::LEAN),
		(4 * 1024 * 7, CodingParams::STANDARD),
		(32 * 1024 * 2, wide),
	]
	.map(|(size, coding)| File::new(size, coding))
	.into()
});

impl File {
	fn new(size: u64, coding: CodingParams) -> Self {
		let spec = FileSpec::new(size, coding).expect("a geometry");
		let len = spec.fragment_len(0) as usize;
		// Not even a codeword: proofs do not care.
		let fragment = |index: u8| -> Vec<u8> {
			(0..len).map(|at| index ^ (at as u8).wrapping_mul(167) ^ (at >> 8) as u8).collect()
		};
		let fragments: Vec<_> = (0..spec.fragments()).map(fragment).collect();
		let hashes: Vec<_> = fragments.iter().map(|bytes| FragmentHash::of(bytes)).collect();
		let segment = segment_tree(&hashes).expect("not empty");
		let file = file_tree(&[segment.root()]).expect("not empty");
		Self { id: file_id(&spec, &file.root()), spec, fragments, segment, file }
	}

	fn proof(&self, number: u32, index: u8, chunk: u32) -> Option<FragmentProof> {
		let sidecar = Sidecar::new(&self.segment, index, &self.file, number)?;
		FragmentProof::new(self.fragments.get(usize::from(index))?, chunk, &sidecar)
	}
}
