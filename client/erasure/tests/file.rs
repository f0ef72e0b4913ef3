// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole files: read in segments, committed to, cut short, grown, changed.

use planaria_erasure::{Backend, Coder, Commitment, EncodedSegment, ReadError};
use planaria_primitives::{
	CodingParams, FileSpec, FragmentHash, MAX_SEGMENTS, SidecarError,
	commitment::{file_tree, segment_tree},
	file_id,
};
use std::io::{self, Read};

fn content(len: u64) -> Vec<u8> {
	let mut bytes = vec![0; usize::try_from(len).expect("memory-sized")];
	blake3::Hasher::new().update(b"file").finalize_xof().fill(&mut bytes);
	bytes
}

fn spec(size: u64, coding: CodingParams) -> FileSpec {
	FileSpec::new(size, coding).expect("valid")
}

/// Encodes, commits, checks every sidecar, decodes and restores each segment.
fn assert_stored(size: u64, coding: CodingParams) {
	let spec = spec(size, coding);
	let (coder, file) = (Coder::new(spec), content(size));
	let commitment = coder.commit(&file[..]).expect("readable");
	let (mut decoded, mut roots) = (Vec::new(), Vec::new());
	let mut segments = coder.segments(&file[..]).expecting(&commitment);
	let mut segment = EncodedSegment::default();
	while segments.read_into(&mut segment).expect("the same file") {
		let number = segment.number();
		assert_eq!(number as usize, roots.len());
		assert_eq!(segment.fragment_len(), spec.fragment_len(number) as usize);
		assert_eq!(segment.fragments().len(), usize::from(spec.fragments()));
		let mut sidecars = Vec::new();
		for (index, bytes) in (0..).zip(segment.fragments()) {
			let hash = FragmentHash::of(bytes);
			assert_eq!(segment.hashes()[usize::from(index)], hash);
			let sidecar = commitment.sidecar(&segment, index).expect("there is one");
			assert_eq!(sidecar.verify(commitment.id(), &spec, number, index, &hash), Ok(()));
			sidecars.push(sidecar);
		}
		roots.push(segment_tree(segment.hashes()).expect("not empty").root());
		let last: Vec<_> =
			(0..).zip(segment.fragments()).skip(usize::from(coding.parity)).collect();
		coder.decode(number, &last, &mut decoded).expect("enough");
		let (restored, made) =
			coder.restore(commitment.id(), number, &last, &sidecars[0]).expect("of this file");
		assert!(restored.fragments().eq(segment.fragments()));
		assert_eq!(made, sidecars);
	}
	assert!(decoded == file, "{size} bytes");
	assert_eq!(roots.len(), spec.segments() as usize);
	let root = file_tree(&roots).expect("not empty").root();
	assert_eq!(*commitment.id(), file_id(&spec, &root));
	assert_eq!(commitment.segment_roots(), roots);

	let of_one_pass = segments.commitment().expect("read to the end");
	let of_roots = Commitment::from_segment_roots(&spec, roots).expect("as many as segments");
	assert_eq!((of_one_pass.id(), of_roots.id()), (commitment.id(), commitment.id()));
}

#[test]
fn files_of_every_shape_are_stored() {
	let lean = CodingParams::LEAN;
	let capacity = lean.segment_capacity();
	for size in [1, 63, 64, 65, 127, 1024, 1025, 2048, 2049, 100_000] {
		for coding in [lean, CodingParams::STANDARD, CodingParams::bitdust(64).expect("valid")] {
			assert_stored(size, coding);
		}
	}
	for size in [capacity - 1, capacity, capacity + 1, 2 * capacity, 2 * capacity + 5] {
		assert_stored(size, lean);
	}
	let (copies, wide) = (CodingParams::copies(3), CodingParams::new(1, 63));
	assert_stored(3 * (8 << 20) + 1, copies.expect("valid"));
	assert_stored((8 << 20) + 1, wide.expect("valid"));
}

#[test]
fn both_backends_commit_to_the_same() {
	for size in [1, 100_000, (16 << 20) + 1] {
		let (spec, file) = (spec(size, CodingParams::LEAN), content(size));
		let [fast, portable] = [Backend::Fast, Backend::Portable].map(|backend| {
			*Coder::with_backend(spec, backend).commit(&file[..]).expect("readable").id()
		});
		assert_eq!(fast, portable);
	}
}

#[test]
fn as_an_iterator_each_segment_stands_for_itself() {
	let spec = spec((16 << 20) + 100, CodingParams::LEAN);
	let file = content(spec.size());
	let coder = Coder::new(spec);
	let segments: Vec<_> = coder.segments(&file[..]).collect::<Result<_, _>>().expect("readable");
	let (first, last) = file.split_at(16 << 20);
	for (number, (segment, bytes)) in (0..).zip(segments.iter().zip([first, last])) {
		let expected = coder.encode(number, bytes).expect("right length");
		assert!(segment.fragments().eq(expected.fragments()));
		assert_eq!(segment.number(), number);
	}
}

#[test]
fn a_file_of_another_size_is_an_error() {
	let capacity = CodingParams::LEAN.segment_capacity();
	for size in [1, 1000, capacity, capacity + 1, 2 * capacity] {
		let coder = Coder::new(spec(size, CodingParams::LEAN));
		let read_all = |file: &[u8]| {
			let mut segments = coder.segments(file);
			let mut segment = EncodedSegment::default();
			let error = loop {
				match segments.read_into(&mut segment) {
					Ok(more) => assert!(more, "ended without an error"),
					Err(error) => break error,
				}
			};
			// Nothing follows, and nothing was committed to.
			assert!(matches!(segments.read_into(&mut segment), Ok(false)));
			assert!(segments.commitment().is_none());
			error
		};
		for len in [0, size - 1] {
			let file = content(len);
			let is_right = |error| matches!(error, ReadError::TooShort { read, size: s } if (read, s) == (len, size));
			assert!(is_right(coder.commit(&file[..]).expect_err("short")));
			assert!(is_right(read_all(&file)));
		}
		let file = content(size + 1);
		let is_right = |error| matches!(error, ReadError::TooLong { size: s } if s == size);
		assert!(is_right(coder.commit(&file[..]).expect_err("long")));
		assert!(is_right(read_all(&file)));
	}
}

#[test]
fn a_file_that_changed_is_an_error() {
	let spec = spec((32 << 20) + 1, CodingParams::LEAN);
	let coder = Coder::new(spec);
	let mut file = content(spec.size());
	let commitment = coder.commit(&file[..]).expect("readable");
	for (at, segment) in [(0, 0), ((16 << 20) - 1, 0), (16 << 20, 1), (32 << 20, 2)] {
		file[at] ^= 1;
		let mut segments = coder.segments(&file[..]).expecting(&commitment);
		let read: Vec<_> = segments.by_ref().collect();
		let (last, before) = read.split_last().expect("an error at least");
		assert!(matches!(last, Err(ReadError::Changed { segment: s }) if *s == segment));
		assert!(before.iter().all(Result::is_ok));
		assert_eq!(before.len(), segment as usize);
		assert!(segments.commitment().is_none());
		file[at] ^= 1;
	}
	// A commitment to a file of another size, although the first segment is the same.
	let longer = content(spec.size() + 100);
	let other = Coder::new(self::spec(spec.size() + 100, CodingParams::LEAN));
	let longer = other.commit(&longer[..]).expect("readable");
	assert_eq!(longer.segment_roots()[0], commitment.segment_roots()[0]);
	let first = coder.segments(&file[..]).expecting(&longer).next();
	assert!(matches!(first, Some(Err(ReadError::Changed { segment: 0 }))));
}

#[test]
fn there_is_no_sidecar_for_what_was_not_committed_to() {
	let coding = CodingParams::LEAN;
	let coder = Coder::new(spec((16 << 20) + 1, coding));
	let file = content((16 << 20) + 1);
	let commitment = coder.commit(&file[..]).expect("readable");
	let segments: Vec<_> = coder.segments(&file[..]).collect::<Result<_, _>>().expect("readable");
	assert!(commitment.sidecar(&segments[0], 2).is_ok());
	let error =
		|segment: &EncodedSegment, index| commitment.sidecar(segment, index).expect_err("none");
	assert_eq!(error(&segments[0], 3), SidecarError::NoSuchFragment);
	assert_eq!(error(&EncodedSegment::default(), 0), SidecarError::NoSuchFragment);
	let other = Coder::new(spec(5, coding)).encode(0, b"other").expect("right length");
	assert_eq!(error(&other, 0), SidecarError::WrongFile);

	let spec = *commitment.spec();
	let roots = commitment.segment_roots();
	assert!(Commitment::from_segment_roots(&spec, roots[..1].to_vec()).is_none());
	assert!(Commitment::from_segment_roots(&spec, Vec::new()).is_none());
	assert!(Commitment::from_segment_roots(&spec, [roots, roots].concat()).is_none());
}

/// Gives a few bytes at a time, interrupted again and again, and then perhaps fails.
struct Slow<'a> {
	rest: &'a [u8],
	turn: usize,
	fails: bool,
}

impl Read for Slow<'_> {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		self.turn += 1;
		if self.turn.is_multiple_of(3) {
			return Err(io::ErrorKind::Interrupted.into());
		}
		if self.fails && self.rest.is_empty() {
			return Err(io::ErrorKind::BrokenPipe.into());
		}
		let len = buffer.len().min(1 + self.turn % 100);
		self.rest.read(&mut buffer[..len])
	}
}

#[test]
fn slow_and_failing_readers() {
	let coder = Coder::new(spec(100_000, CodingParams::STANDARD));
	let file = content(100_000);
	let slow = |fails| Slow { rest: &file, turn: 0, fails };
	let expected = coder.commit(&file[..]).expect("readable");
	assert_eq!(coder.commit(slow(false)).expect("readable").id(), expected.id());
	let failed = coder.commit(slow(true)).expect_err("fails at the end");
	assert!(matches!(failed, ReadError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe));
	assert!(coder.segments(slow(true)).next().expect("an item").is_err());
}

#[test]
fn the_largest_file_is_read_from_the_beginning_only() {
	let coding = CodingParams::copies(2).expect("valid");
	let size = coding.segment_capacity() * u64::from(MAX_SEGMENTS);
	let mut segments = Coder::new(spec(size, coding)).segments(io::repeat(7));
	let segment = segments.next().expect("there is one").expect("readable");
	assert_eq!(segment.fragment_len(), 8 << 20);
	assert!(segments.commitment().is_none());
}
