// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The files that are stored: their bytes, and the proofs of them.

use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, FragmentProof, Sidecar,
	commitment::{file_id, file_tree, segment_tree},
	merkle::Tree,
};
use std::sync::LazyLock;

/// What is stored. Its fragments are not a codeword: the chain does not care.
pub struct Content {
	pub id: FileId,
	pub spec: FileSpec,
	segments: Vec<(Vec<Vec<u8>>, Tree)>,
	file: Tree,
}

/// Fragments of 64 bytes, three, four and twelve to a segment; and a file of two segments, the
/// first of which has fragments of 8 MiB.
pub static CONTENTS: LazyLock<Vec<Content>> = LazyLock::new(|| {
	let four = CodingParams::bitdust(4).unwrap();
	let two = CodingParams::copies(2).unwrap();
	vec![
		Content::new(128, CodingParams::LEAN),
		Content::new(127, CodingParams::LEAN),
		Content::new(100, four),
		Content::new(99, four),
		Content::new(256, CodingParams::STANDARD),
		Content::new((8 << 20) + 1, two),
	]
});

impl Content {
	fn new(size: u64, coding: CodingParams) -> Self {
		let spec = FileSpec::new(size, coding).unwrap();
		let segments: Vec<_> = (0..spec.segments())
			.map(|number| {
				let len = spec.fragment_len(number) as usize;
				let fragments: Vec<Vec<u8>> =
					(0..spec.fragments()).map(|index| vec![index ^ size as u8; len]).collect();
				let hashes: Vec<_> = fragments.iter().map(|f| FragmentHash::of(f)).collect();
				let tree = segment_tree(&hashes).unwrap();
				(fragments, tree)
			})
			.collect();
		let roots: Vec<_> = segments.iter().map(|(_, tree)| tree.root()).collect();
		let file = file_tree(&roots).unwrap();
		Self { id: file_id(&spec, &file.root()), spec, segments, file }
	}

	/// The proof of a chunk of a fragment of segment `number`.
	pub fn proof(&self, number: u32, index: u8, chunk: u32) -> FragmentProof {
		let (fragments, tree) = &self.segments[number as usize];
		let sidecar = Sidecar::new(tree, index, &self.file, number).unwrap();
		FragmentProof::new(&fragments[usize::from(index)], chunk, &sidecar).unwrap()
	}
}
