// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the sidecars of some fragments of a segment tell of the paths of others.
//!
//! Two paths share every node above the place where they part. So whoever restores a fragment needs
//! the hashes of a few others at most, and of none where the fragment beside it is given.

use planaria_primitives::{
	FileSpec, FragmentHash, Hash, Sidecar, SidecarError,
	commitment::segment_tree,
	merkle::{Level, path_len, root_from_path},
};
use std::ops::Range;

/// The nodes of a segment's tree that are known.
pub(crate) struct Paths<'a> {
	/// How many fragments the segment has.
	count: u32,
	known: Vec<Known<'a>>,
	/// Of the segment's root.
	file_path: &'a [u8],
}

struct Known<'a> {
	index: u32,
	hash: FragmentHash,
	/// The siblings of the hash, from the leaf to the root of the segment's tree.
	path: &'a [Hash],
}

impl<'a> Paths<'a> {
	/// What is known from these fragments of segment number `segment`: their indices, hashes and
	/// sidecars.
	pub(crate) fn new(
		spec: &FileSpec,
		segment: u32,
		given: impl IntoIterator<Item = (u8, FragmentHash, &'a Sidecar)>,
	) -> Result<Self, SidecarError> {
		let count = u32::from(spec.fragments());
		let in_file = 32 * path_len(segment, spec.segments());
		let mut paths = Self { count, known: Vec::new(), file_path: &[] };
		for (index, hash, sidecar) in given {
			let index = u32::from(index);
			let in_segment = 32 * path_len(index, count);
			if index >= count || sidecar.0.len() != in_segment + in_file {
				return Err(SidecarError::WrongLength);
			}
			let (path, file_path) = sidecar.0.split_at(in_segment);
			let (path, _) = path.as_chunks();
			paths.file_path = file_path;
			paths.known.push(Known { index, hash, path });
		}
		Ok(paths)
	}

	/// The fragments whose hashes it takes beside what is known to make the sidecar of this one.
	pub(crate) fn lacking(&self, index: u8) -> impl Iterator<Item = u8> {
		let unknown = siblings(index.into(), self.count).into_iter();
		let unknown = unknown.filter(|below| self.node(below).is_none());
		unknown.flatten().filter_map(|index| u8::try_from(index).ok())
	}

	/// The sidecar of this fragment, where `hashes` has those that are [lacking](Self::lacking).
	pub(crate) fn sidecar(&self, index: u8, hashes: &[Option<FragmentHash>]) -> Option<Sidecar> {
		let mut bytes = Vec::with_capacity(Sidecar::MAX_LEN);
		for below in siblings(index.into(), self.count) {
			let node = self.node(&below).or_else(|| {
				let below = hashes.get(below.start as usize..below.end as usize)?;
				Some(segment_tree(&below.iter().copied().collect::<Option<Vec<_>>>()?)?.root())
			});
			bytes.extend_from_slice(&node?);
		}
		bytes.extend_from_slice(self.file_path);
		Some(Sidecar(bytes))
	}

	/// The node above these leaves. One that is not known has no known node below it either.
	fn node(&self, below: &Range<u32>) -> Option<Hash> {
		self.known.iter().find_map(|Known { index, hash, path }| {
			if below.contains(index) {
				let (index, count) = (index - below.start, below.end - below.start);
				let path = path.get(..path_len(index, count))?;
				return root_from_path(Level::Segment, &hash.0, index, count, path.as_flattened());
			}
			let step = siblings(*index, self.count).iter().position(|sibling| sibling == below)?;
			path.get(step).copied()
		})
	}
}

/// The leaves below each sibling on the path of leaf `index` of `count`, from the leaf to the root.
fn siblings(index: u32, count: u32) -> Vec<Range<u32>> {
	let mut siblings = Vec::new();
	let mut here = 0..count;
	while here.end - here.start > 1 {
		let middle = here.start + (here.end - here.start).next_power_of_two() / 2;
		let (left, right) = (here.start..middle, middle..here.end);
		let (next, sibling) = if index < middle { (left, right) } else { (right, left) };
		siblings.push(sibling);
		here = next;
	}
	siblings.reverse();
	siblings
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{
		CodingParams,
		commitment::{file_id, file_tree},
	};

	fn hashes(count: u8) -> Vec<FragmentHash> {
		(0..count).map(|index| FragmentHash::of(&[index])).collect()
	}

	#[test]
	fn every_sidecar_follows_from_any_other_and_what_it_lacks() {
		for count in 2..=64u8 {
			let coding = CodingParams::new(1, count - 1).expect("valid");
			let spec = FileSpec::new(3 * coding.segment_capacity(), coding).expect("valid");
			let hashes = hashes(count);
			let tree = segment_tree(&hashes).expect("not empty");
			let file = file_tree(&[tree.root(), [1; 32], [2; 32]]).expect("not empty");
			let id = file_id(&spec, &file.root());
			let sidecar = |index| Sidecar::new(&tree, index, &file, 0).expect("one of them");
			for given in [0, count / 2, count - 1] {
				let known = sidecar(given);
				let hash = hashes[usize::from(given)];
				let paths = Paths::new(&spec, 0, [(given, hash, &known)]).expect("its length");
				for index in 0..count {
					let mut some = vec![None; usize::from(count)];
					for lacking in paths.lacking(index) {
						assert!(lacking != index && lacking != given);
						some[usize::from(lacking)] = Some(hashes[usize::from(lacking)]);
					}
					let made = paths.sidecar(index, &some).expect("nothing is lacking");
					assert_eq!(made, sidecar(index), "{index} of {count} from {given}");
					let hash = &hashes[usize::from(index)];
					assert_eq!(made.verify(&id, &spec, 0, index, hash), Ok(()));
					// One hash less is too little.
					if let Some(last) = paths.lacking(index).last() {
						some[usize::from(last)] = None;
						assert_eq!(paths.sidecar(index, &some), None);
					}
				}
			}
		}
	}

	#[test]
	fn the_fragment_beside_it_leaves_nothing_lacking() {
		let spec = FileSpec::new(1000, CodingParams::STANDARD).expect("valid");
		let hashes = hashes(12);
		let tree = segment_tree(&hashes).expect("not empty");
		let lacking = |given: &[u8], index| -> Vec<u8> {
			let file = file_tree(&[tree.root()]).expect("not empty");
			let sidecars: Vec<_> = given
				.iter()
				.map(|index| Sidecar::new(&tree, *index, &file, 0).expect("one of them"))
				.collect();
			let given = given.iter().zip(&sidecars);
			let given = given.map(|(index, it)| (*index, hashes[usize::from(*index)], it));
			Paths::new(&spec, 0, given).expect("their length").lacking(index).collect()
		};
		assert_eq!(lacking(&[1], 0), []);
		assert_eq!(lacking(&[2], 0), [1]);
		assert_eq!(lacking(&[2, 1], 0), []);
		assert_eq!(lacking(&[7], 0), [1, 2, 3]);
		assert_eq!(lacking(&[9, 11], 0), [1, 2, 3, 4, 5, 6, 7]);
		assert_eq!(lacking(&[0, 1, 2, 3], 11), [10, 8, 9]);
		assert_eq!(lacking(&[], 11), [10, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7]);
	}

	#[test]
	fn a_sidecar_of_another_length_is_refused() {
		let spec = FileSpec::new(1000, CodingParams::LEAN).expect("valid");
		let refused = |index, len| {
			let sidecar = Sidecar(vec![0; len]);
			Paths::new(&spec, 0, [(index, FragmentHash([0; 32]), &sidecar)]).map(drop)
		};
		assert_eq!(refused(0, 64), Ok(()));
		assert_eq!(refused(2, 32), Ok(()));
		for (index, len) in [(0, 0), (0, 32), (0, 65), (0, 96), (2, 64), (3, 0)] {
			assert_eq!(refused(index, len), Err(SidecarError::WrongLength));
		}
	}
}
