// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! One segment: the bytes are those of `reed-solomon-erasure`, and any fragments make any others.

use planaria_erasure::{
	Backend, Coder, DecodeError, EncodeError, EncodedSegment, ReconstructError, RestoreError,
	RestoredFragment, Sibling,
};
use planaria_primitives::{
	CodingParams, FileId, FileSpec, FragmentHash, Sidecar, SidecarError, commitment::file_tree,
	file_id,
};
use proptest::{prelude::*, sample::Index};
use reed_solomon_erasure::galois_8::ReedSolomon;

/// Fragments with their indices.
type Indexed<'a> = &'a [(u8, &'a [u8])];

fn content(len: u64) -> Vec<u8> {
	let mut bytes = vec![0; usize::try_from(len).expect("memory-sized")];
	blake3::Hasher::new().update(&len.to_le_bytes()).finalize_xof().fill(&mut bytes);
	bytes
}

fn spec(size: u64, data: u8, parity: u8) -> FileSpec {
	FileSpec::new(size, CodingParams::new(data, parity).expect("valid")).expect("valid")
}

/// All fragments by the definition: `reed-solomon-erasure` on whole, zero-padded fragments.
fn by_definition(spec: &FileSpec, bytes: &[u8]) -> Vec<Vec<u8>> {
	let len = spec.fragment_len(0) as usize;
	let mut padded = bytes.to_vec();
	padded.resize(len * usize::from(spec.fragments()), 0);
	let mut fragments: Vec<_> = padded.chunks(len).map(<[u8]>::to_vec).collect();
	let (data, parity) = (usize::from(spec.data()), usize::from(spec.coding().parity));
	let rs = ReedSolomon::new(data, parity).expect("valid");
	rs.encode(&mut fragments).expect("one length");
	fragments
}

fn assert_encodes(spec: FileSpec, backend: Backend) {
	let bytes = content(spec.size());
	let expected = by_definition(&spec, &bytes);
	let encoded = Coder::with_backend(spec, backend).encode(0, &bytes).expect("right length");
	assert!(encoded.fragments().eq(expected.iter().map(Vec::as_slice)), "{spec:?} {backend:?}");
	let hashes: Vec<_> = expected.iter().map(|bytes| FragmentHash::of(bytes)).collect();
	assert_eq!(encoded.hashes(), hashes, "{spec:?} {backend:?}");
	let last = spec.fragments() - 1;
	assert_eq!(encoded.fragment(last), expected.last().map(Vec::as_slice));
	assert_eq!(encoded.fragment(last + 1), None);
	assert_eq!(encoded.into_bytes(), expected.concat());
}

/// The fragments whose bit is set in `set`.
fn choose(fragments: &[Vec<u8>], set: u64) -> Vec<(u8, &[u8])> {
	let is_in = |(index, _): &(u8, &[u8])| set >> index & 1 == 1;
	(0..).zip(fragments.iter().map(Vec::as_slice)).filter(is_in).collect()
}

/// [`Coder::restore_some`] from fragments that have these hashes and sidecars.
fn restore_some(
	coder: &Coder,
	id: &FileId,
	present: Indexed,
	hashes: &[FragmentHash],
	sidecars: &[Sidecar],
	wanted: &[u8],
) -> Result<Vec<RestoredFragment>, RestoreError> {
	let siblings: Vec<_> = present
		.iter()
		.map(|&(index, bytes)| {
			let place = usize::from(index);
			Sibling { index, bytes, hash: hashes[place], sidecar: &sidecars[place] }
		})
		.collect();
	coder.restore_some(id, 0, &siblings, wanted)
}

fn assert_reconstructs(coder: &Coder, fragments: &[Vec<u8>], present: u64, wanted: &[u8]) {
	let present = choose(fragments, present);
	let rebuilt = coder.reconstruct(0, &present, wanted).expect("enough are present");
	let expected: Vec<_> = wanted.iter().map(|i| fragments[usize::from(*i)].clone()).collect();
	assert!(rebuilt == expected, "{coder:?}: {wanted:?}");
}

fn assert_decodes(coder: &Coder, fragments: &[Vec<u8>], present: u64, bytes: &[u8]) {
	let mut decoded = Vec::new();
	coder.decode(0, &choose(fragments, present), &mut decoded).expect("enough are present");
	assert!(decoded == bytes, "{coder:?}");
}

#[test]
fn every_code_makes_the_reference_bytes() {
	for data in 1..=63u8 {
		for parity in 1..=64 - data {
			let spec = spec(u64::from(data) * 128 - 50, data, parity);
			assert_encodes(spec, Backend::Fast);
			let bytes = content(spec.size());
			let fragments = by_definition(&spec, &bytes);
			// The last `data` fragments, the ones that need most work.
			let last = u64::MAX << parity;
			let wanted: Vec<_> = (0..spec.fragments()).rev().collect();
			assert_reconstructs(&Coder::new(spec), &fragments, last, &wanted);
			assert_decodes(&Coder::new(spec), &fragments, last, &bytes);
		}
	}
}

#[test]
fn long_fragments_and_both_backends_make_the_reference_bytes() {
	for (data, parity) in [(1, 1), (2, 1), (4, 8), (10, 4), (5, 9), (32, 32), (63, 1), (1, 63)] {
		// Around the length that is worked on at a time.
		for len in [64, 1024, (64 << 10) - 64, 64 << 10, (64 << 10) + 64, (128 << 10) + 64] {
			let spec = spec(u64::from(data) * len - 1, data, parity);
			assert_eq!(u64::from(spec.fragment_len(0)), len);
			assert_encodes(spec, Backend::Fast);
			assert_encodes(spec, Backend::Portable);
		}
	}
}

#[test]
fn every_subset_of_every_small_code_makes_every_other() {
	for n in 2..=6u8 {
		for data in 1..n {
			let spec = spec(u64::from(data) * 64 - 9, data, n - data);
			let bytes = content(spec.size());
			let fragments = by_definition(&spec, &bytes);
			for backend in [Backend::Fast, Backend::Portable] {
				let coder = Coder::with_backend(spec, backend);
				for present in (0..1u64 << n).filter(|set| set.count_ones() >= data.into()) {
					assert_decodes(&coder, &fragments, present, &bytes);
					for wanted in 0..1u64 << n {
						let wanted: Vec<_> = (0..n).filter(|i| wanted >> i & 1 == 1).collect();
						assert_reconstructs(&coder, &fragments, present, &wanted);
					}
				}
			}
		}
	}
}

#[test]
fn padding_is_zero_also_where_memory_is_used_again() {
	let (long, short) = (spec(4 * 640, 4, 2), spec(1, 4, 2));
	let mut segment = EncodedSegment::default();
	let bytes = vec![0xff; 4 * 640];
	assert!(Coder::new(long).segments(&bytes[..]).read_into(&mut segment).expect("readable"));
	assert!(Coder::new(short).segments(&bytes[..1]).read_into(&mut segment).expect("readable"));
	assert_eq!(segment.fragment_len(), 64);
	let source: Vec<u8> = segment.fragments().take(4).flatten().copied().collect();
	assert_eq!(source[0], 0xff);
	assert!(source[1..].iter().all(|byte| *byte == 0));
	assert!(segment.fragments().eq(by_definition(&short, &bytes[..1])));
}

#[test]
fn a_segment_of_another_length_is_not_encoded() {
	let coder = Coder::new(spec(1000, 2, 1));
	let wrong = |len| EncodeError::WrongLength { segment: 0, len, expected: 1000 };
	for len in [0, 999, 1001] {
		assert_eq!(coder.encode(0, &content(len)).map(drop), Err(wrong(len)));
	}
	let none = EncodeError::NoSuchSegment { segment: 1 };
	assert_eq!(coder.encode(1, &[]).map(drop), Err(none));
}

#[test]
fn wrong_fragments_are_refused() {
	let spec = spec(1000, 2, 2);
	let bytes = content(1000);
	let fragments = by_definition(&spec, &bytes);
	let [a, b, c, _] = [0, 1, 2, 3].map(|i| fragments[i].as_slice());
	let (short, long) = (&a[1..], [a, &[0]].concat());
	use ReconstructError::*;
	let length = |index, len| WrongLength { index, len, expected: a.len() };
	let cases: [(u32, Indexed, ReconstructError); 9] = [
		(1, &[(0, a), (1, b)], NoSuchSegment { segment: 1 }),
		(0, &[(0, a), (4, b)], NoSuchFragment { index: 4 }),
		(0, &[(0, a), (255, b)], NoSuchFragment { index: 255 }),
		(0, &[(0, a), (0, a)], Repeated { index: 0 }),
		(0, &[(0, a), (2, c), (2, c)], Repeated { index: 2 }),
		(0, &[(0, short), (1, b)], length(0, a.len() - 1)),
		(0, &[(0, a), (1, b), (3, &long)], length(3, a.len() + 1)),
		(0, &[], TooFew { present: 0, needed: 2 }),
		(0, &[(3, b)], TooFew { present: 1, needed: 2 }),
	];
	let none = Sidecar::default();
	for backend in [Backend::Fast, Backend::Portable] {
		let coder = Coder::with_backend(spec, backend);
		for (segment, present, error) in cases {
			assert_eq!(coder.reconstruct(segment, present, &[3]), Err(error));
			let decoded = coder.decode(segment, present, &mut Vec::new());
			assert!(matches!(decoded, Err(DecodeError::Reconstruct(e)) if e == error));
			let restored = coder.restore(&FileId([0; 32]), segment, present, &Sidecar::default());
			assert_eq!(restored.map(drop), Err(RestoreError::Reconstruct(error)));
			let siblings: Vec<_> = present
				.iter()
				.map(|&(index, bytes)| Sibling {
					index,
					bytes,
					hash: FragmentHash([0; 32]),
					sidecar: &none,
				})
				.collect();
			let some = coder.restore_some(&FileId([0; 32]), segment, &siblings, &[3]);
			assert_eq!(some, Err(RestoreError::Reconstruct(error)));
		}
		let present = [(1, b), (0, a)];
		assert_eq!(coder.reconstruct(0, &present, &[]), Ok(vec![]));
		for (wanted, error) in [
			([3, 3], Repeated { index: 3 }),
			([0, 4], NoSuchFragment { index: 4 }),
			([255, 1], NoSuchFragment { index: 255 }),
		] {
			assert_eq!(coder.reconstruct(0, &present, &wanted), Err(error));
			let (hashes, sidecars) = ([FragmentHash([0; 32]); 4], [(); 4].map(|()| none.clone()));
			let some =
				restore_some(&coder, &FileId([0; 32]), &present, &hashes, &sidecars, &wanted);
			assert_eq!(some, Err(RestoreError::Reconstruct(error)));
		}
	}
}

#[test]
fn a_writer_that_fails_is_an_error() {
	let coder = Coder::new(spec(1000, 2, 2));
	let segment = coder.encode(0, &content(1000)).expect("right length");
	let present: Vec<_> = (0..).zip(segment.fragments()).collect();
	let mut room = [0; 999];
	let decoded = coder.decode(0, &present, &mut room.as_mut_slice());
	assert!(matches!(decoded, Err(DecodeError::Io(_))));
}

#[test]
fn what_is_restored_is_of_the_file_or_refused() {
	let spec = spec(1000, 2, 2);
	let (coder, bytes) = (Coder::new(spec), content(1000));
	let commitment = coder.commit(&bytes[..]).expect("readable");
	let segment = coder.encode(0, &bytes).expect("right length");
	let sidecar = commitment.sidecar(&segment, 3).expect("there is one");
	let fragments: Vec<_> = segment.fragments().map(<[u8]>::to_vec).collect();
	let present = choose(&fragments, 0b1100);

	let (restored, sidecars) =
		coder.restore(commitment.id(), 0, &present, &sidecar).expect("all of the file");
	assert_eq!(restored.hashes(), segment.hashes());
	assert!(restored.fragments().eq(segment.fragments()));
	for (index, made) in (0..).zip(&sidecars) {
		assert_eq!(Ok(made), commitment.sidecar(&segment, index).as_ref());
	}
	assert_eq!(sidecars.len(), 4);
	assert_eq!(commitment.sidecar(&segment, 4), Err(SidecarError::NoSuchFragment));

	let refused = |error| Err(RestoreError::Sidecar(error));
	let restore = |id: &FileId, present: Indexed, sidecar: &Sidecar| {
		coder.restore(id, 0, present, sidecar).map(drop)
	};
	let other = FileId([1; 32]);
	assert_eq!(restore(&other, &present, &sidecar), refused(SidecarError::WrongFile));
	let mut damaged = fragments.clone();
	damaged[2][17] ^= 1;
	let damaged = choose(&damaged, 0b1100);
	assert_eq!(restore(commitment.id(), &damaged, &sidecar), refused(SidecarError::WrongFile));
	// Two fragments under each other's names.
	let swapped = [(2, present[1].1), (3, present[0].1)];
	assert_eq!(restore(commitment.id(), &swapped, &sidecar), refused(SidecarError::WrongFile));
}

#[test]
fn a_sidecar_of_another_length_restores_nothing() {
	let spec = spec((16 << 20) + 1000, 1, 1);
	let coder = Coder::new(spec);
	let bytes = content(spec.size());
	let commitment = coder.commit(&bytes[..]).expect("readable");
	let segment = coder.encode(2, &bytes[16 << 20..]).expect("right length");
	let sidecar = commitment.sidecar(&segment, 1).expect("there is one");
	let present: Vec<_> = (0..).zip(segment.fragments()).skip(1).collect();
	let restore = |sidecar| coder.restore(commitment.id(), 2, &present, &sidecar).map(drop);
	assert_eq!(restore(sidecar.clone()), Ok(()));
	let error = |error| Err(RestoreError::Sidecar(error));
	assert_eq!(restore(Sidecar::default()), error(SidecarError::WrongLength));
	let mut long = sidecar.clone();
	long.0.insert(0, 0);
	// Only the part that siblings share is used, and it stands at the end.
	assert_eq!(restore(long), Ok(()));
	let mut shifted = sidecar;
	shifted.0.push(0);
	assert_eq!(restore(shifted), error(SidecarError::WrongFile));
}

/// What somebody stored whose parity is not that of its source.
#[test]
fn what_is_no_codeword_is_not_restored() {
	let spec = spec(1000, 2, 2);
	let coder = Coder::new(spec);
	let mut fragments = by_definition(&spec, &content(1000));
	fragments[3] = content(512);
	let hashes: Vec<_> = fragments.iter().map(|bytes| FragmentHash::of(bytes)).collect();
	let tree = planaria_primitives::commitment::segment_tree(&hashes).expect("not empty");
	let in_file = file_tree(&[tree.root()]).expect("not empty");
	let id = file_id(&spec, &in_file.root());
	let sidecars: Vec<_> = (0..4)
		.map(|index| Sidecar::new(&tree, index, &in_file, 0).expect("there is one"))
		.collect();
	assert_eq!(sidecars[3].verify(&id, &spec, 0, 3, &hashes[3]), Ok(()));
	let wrong = Err(RestoreError::Sidecar(SidecarError::WrongFile));
	for (present, wanted) in [(0b0011, 3), (0b1010, 0), (0b1100, 0), (0b1100, 1)] {
		let present = choose(&fragments, present);
		assert_eq!(coder.restore(&id, 0, &present, &sidecars[3]).map(drop), wrong);
		let some = restore_some(&coder, &id, &present, &hashes, &sidecars, &[wanted]);
		assert_eq!(some.map(drop), wrong);
	}
	// What the wrong one has no part in can be restored.
	let some = restore_some(&coder, &id, &choose(&fragments, 0b0101), &hashes, &sidecars, &[1]);
	assert_eq!(some.map(|made| made[0].bytes == fragments[1]), Ok(true));
}

/// Wrong bytes, hashes and sidecars, each of which could lead elsewhere.
#[test]
fn some_fragments_are_of_the_file_or_refused() {
	let spec = spec(1000, 2, 6);
	let (coder, bytes) = (Coder::new(spec), content(1000));
	let commitment = coder.commit(&bytes[..]).expect("readable");
	let segment = coder.encode(0, &bytes).expect("right length");
	let id = commitment.id();
	let sidecars: Vec<_> =
		(0..8).map(|index| commitment.sidecar(&segment, index).expect("there is one")).collect();
	let fragments: Vec<_> = segment.fragments().map(<[u8]>::to_vec).collect();
	let hashes = segment.hashes();
	let present = choose(&fragments, 0b0001_0010);
	let refused = Err(RestoreError::Sidecar(SidecarError::WrongFile));
	for wanted in [[0], [2], [3], [5], [6]] {
		let restore = |id, present: Indexed, hashes: &[FragmentHash], sidecars: &[Sidecar]| {
			restore_some(&coder, id, present, hashes, sidecars, &wanted).map(drop)
		};
		assert_eq!(restore(id, &present, hashes, &sidecars), Ok(()));
		assert_eq!(restore(&FileId([1; 32]), &present, hashes, &sidecars), refused);
		let mut damaged = fragments.clone();
		damaged[1][17] ^= 1;
		let damaged = choose(&damaged, 0b0001_0010);
		assert_eq!(restore(id, &damaged, hashes, &sidecars), refused);
		let swapped = [(1, present[1].1), (4, present[0].1)];
		assert_eq!(restore(id, &swapped, hashes, &sidecars), refused);
		let mut long = sidecars.clone();
		long[4].0.extend([0; 32]);
		let wrong_length = Err(RestoreError::Sidecar(SidecarError::WrongLength));
		assert_eq!(restore(id, &present, hashes, &long), wrong_length);
	}
	// The hash beside fragment 1 is in the path of 2, but not in that of 0, which it is made anew.
	let mut lies = sidecars.clone();
	lies[1].0[0] ^= 1;
	let of = |lies: &[Sidecar], wanted| {
		restore_some(&coder, id, &present, hashes, lies, &[wanted]).map(drop)
	};
	assert_eq!((of(&lies, 0), of(&lies, 2)), (Ok(()), refused));
	lies[1].0[32] ^= 1;
	assert_eq!(of(&lies, 0), refused);
	let mut other = hashes.to_vec();
	other[1].0[0] ^= 1;
	assert_eq!(restore_some(&coder, id, &present, &other, &sidecars, &[0]).map(drop), refused);
}

#[test]
fn some_fragments_are_restored_as_all_are() {
	// More than a column, and a last column that is shorter.
	for size in [1000, 3 * (200 << 10) + 77] {
		let spec = spec(size, 3, 4);
		let bytes = content(size);
		for backend in [Backend::Fast, Backend::Portable] {
			let coder = Coder::with_backend(spec, backend);
			let commitment = coder.commit(&bytes[..]).expect("readable");
			let segment = coder.encode(0, &bytes).expect("right length");
			let sidecars: Vec<_> = (0..7)
				.map(|index| commitment.sidecar(&segment, index).expect("there is one"))
				.collect();
			let (id, hashes) = (commitment.id(), segment.hashes());
			let fragments: Vec<_> = segment.fragments().map(<[u8]>::to_vec).collect();
			for set in [0b000_0111, 0b111_0000, 0b010_1010, 0b111_1111] {
				let present = choose(&fragments, set);
				for wanted in [&[0][..], &[5, 1], &[], &[0, 1, 2, 3, 4, 5, 6], &[4]] {
					let restored = restore_some(&coder, id, &present, hashes, &sidecars, wanted)
						.expect("all of the file");
					assert!(restored.iter().map(|made| made.index).eq(wanted.iter().copied()));
					for made in restored {
						let index = usize::from(made.index);
						assert!(made.bytes == fragments[index], "{set:b} {wanted:?} {index}");
						assert_eq!(made.hash, segment.hashes()[index]);
						assert_eq!(made.sidecar, sidecars[index]);
					}
				}
			}
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

	#[test]
	fn any_fragments_make_any_others(
		data in 1u8..=63, parity in 1u8..=63, size in 1u64..400_000,
		order in any::<[Index; 64]>(), spare in any::<Index>(), wanted in any::<u64>(),
		portable in prop::bool::weighted(0.1),
	) {
		prop_assume!(data + parity <= 64);
		let spec = spec(size, data, parity);
		let backend = if portable { Backend::Portable } else { Backend::Fast };
		let coder = Coder::with_backend(spec, backend);
		let bytes = content(size);
		let segment = coder.encode(0, &bytes).expect("right length");
		let fragments: Vec<_> = segment.fragments().collect();

		let mut present: Vec<_> = (0..spec.fragments()).zip(fragments.iter().copied()).collect();
		for (at, other) in order.iter().enumerate().take(present.len()) {
			let other = other.index(present.len());
			present.swap(at, other);
		}
		present.truncate(usize::from(data) + spare.index(usize::from(parity) + 1));

		let wanted: Vec<_> = (0..spec.fragments()).filter(|i| wanted >> i & 1 == 1).collect();
		let rebuilt = coder.reconstruct(0, &present, &wanted).expect("enough are present");
		for (index, rebuilt) in wanted.iter().zip(rebuilt) {
			prop_assert!(rebuilt == fragments[usize::from(*index)]);
		}
		let mut decoded = Vec::new();
		coder.decode(0, &present, &mut decoded).expect("enough are present");
		prop_assert!(decoded == bytes);
	}
}
