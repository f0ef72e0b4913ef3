// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The bytes of files: real ones, but few. A file has one segment, whose fragments have one chunk
//! of 64 bytes; in the accounting each stands for 8 MiB.

use planaria_erasure::{Coder, Commitment};
use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, FragmentName, MAX_FRAGMENT_LEN, Sidecar,
};

/// The bytes of a fragment.
pub const FRAGMENT_LEN: usize = 64;

/// What a fragment stands for where bytes are counted and transfers take time.
pub const WEIGHT: u64 = MAX_FRAGMENT_LEN as u64;

/// A fragment with what proves it, as a miner stores and serves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
	/// The bytes.
	pub bytes: [u8; FRAGMENT_LEN],
	/// What leads from their hash to the file's id.
	pub sidecar: Sidecar,
}

/// Makes files, encodes and decodes them.
#[derive(Clone, Debug)]
pub struct Codec {
	spec: FileSpec,
	coder: Coder,
}

impl Codec {
	/// Files of this coding.
	pub fn new(coding: CodingParams) -> anyhow::Result<Self> {
		let size = u64::from(coding.data) * FRAGMENT_LEN as u64;
		let spec = FileSpec::new(size, coding).map_err(|error| anyhow::anyhow!("{error}"))?;
		Ok(Self { spec, coder: Coder::new(spec) })
	}

	/// The geometry every file has.
	pub fn spec(&self) -> &FileSpec {
		&self.spec
	}

	/// File number `number` of a run: its id and its fragments.
	pub fn file(&self, seed: u64, number: u64) -> (FileId, Vec<Stored>) {
		let size = usize::try_from(self.spec.size()).expect("small; qed");
		let mut bytes = vec![0; size];
		let mut hasher = blake3::Hasher::new();
		hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes());
		hasher.finalize_xof().fill(&mut bytes);
		let segment = self.coder.encode(0, &bytes).expect("a whole segment; qed");
		let root = segment.root().expect("encoded; qed");
		let commitment =
			Commitment::from_segment_roots(&self.spec, vec![root]).expect("one segment; qed");
		let fragments = (0..)
			.zip(segment.fragments())
			.map(|(index, bytes)| Stored {
				bytes: bytes.try_into().expect("64 bytes; qed"),
				sidecar: commitment.sidecar(&segment, index).expect("there is one; qed"),
			})
			.collect();
		(*commitment.id(), fragments)
	}

	/// Whether these are the bytes of the fragment of that name.
	pub fn verify(&self, name: &FragmentName, stored: &Stored) -> bool {
		let hash = FragmentHash::of(&stored.bytes);
		stored.sidecar.verify(&name.file_id, &self.spec, name.segment, name.index, &hash).is_ok()
	}

	/// All fragments of the segment from these; `None` where they do not decode to the file.
	pub fn restore(&self, name: &FragmentName, sources: &[(u8, Stored)]) -> Option<Vec<Stored>> {
		let sibling = &sources.first()?.1.sidecar;
		let present: Vec<(u8, &[u8])> =
			sources.iter().map(|(index, stored)| (*index, &stored.bytes[..])).collect();
		let (segment, sidecars) =
			self.coder.restore(&name.file_id, name.segment, &present, sibling).ok()?;
		segment
			.fragments()
			.zip(sidecars)
			.map(|(bytes, sidecar)| Some(Stored { bytes: bytes.try_into().ok()?, sidecar }))
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::FileIndex;

	#[test]
	fn any_four_fragments_restore_all_and_a_wrong_byte_is_seen() {
		let codec = Codec::new(CodingParams::STANDARD).expect("sound");
		let (file_id, fragments) = codec.file(1, 2);
		assert_ne!(codec.file(1, 3).0, file_id);
		let name = |index| FragmentName { file_id, file: FileIndex(0), segment: 0, index };
		let sources: Vec<(u8, Stored)> =
			[11, 3, 7, 0].map(|index| (index, fragments[usize::from(index)].clone())).into();
		assert_eq!(codec.restore(&name(5), &sources), Some(fragments.clone()));
		assert!(codec.verify(&name(5), &fragments[5]) && !codec.verify(&name(4), &fragments[5]));
		let mut wrong = fragments[5].clone();
		wrong.bytes[9] ^= 1;
		assert!(!codec.verify(&name(5), &wrong));
	}
}
