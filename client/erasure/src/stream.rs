// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole files, read segment by segment.

use crate::{Coder, EncodedSegment, ReadError, coder::Parity};
use planaria_primitives::{
	FileId, FileSpec, Hash, Sidecar, SidecarError, commitment::file_tree, file_id, merkle::Tree,
};
use std::{
	io::{self, Read},
	sync::Arc,
};

/// What a file's id commits to, down to its segments. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Commitment {
	id: FileId,
	spec: FileSpec,
	roots: Arc<[Hash]>,
	tree: Arc<Tree>,
}

impl Commitment {
	/// The commitment to a file whose segments have these roots; `None` where they are not as many
	/// as the file has segments.
	pub fn from_segment_roots(spec: &FileSpec, roots: Vec<Hash>) -> Option<Self> {
		let tree = file_tree(&roots).filter(|_| roots.len() == spec.segments() as usize)?;
		let id = file_id(spec, &tree.root());
		Some(Self { id, spec: *spec, roots: roots.into(), tree: tree.into() })
	}

	/// The file's id.
	pub fn id(&self) -> &FileId {
		&self.id
	}

	/// The file's size and coding.
	pub fn spec(&self) -> &FileSpec {
		&self.spec
	}

	/// The roots of the segments' trees, in order.
	pub fn segment_roots(&self) -> &[Hash] {
		&self.roots
	}

	/// The sidecar of fragment `index` of a segment of this file.
	pub fn sidecar(&self, segment: &EncodedSegment, index: u8) -> Result<Sidecar, SidecarError> {
		let tree = segment.tree().ok_or(SidecarError::NoSuchFragment)?;
		if self.roots.get(segment.number() as usize) != Some(&tree.root()) {
			return Err(SidecarError::WrongFile);
		}
		Sidecar::new(&tree, index, &self.tree, segment.number()).ok_or(SidecarError::NoSuchFragment)
	}
}

/// Reads a whole file and commits to it: [`Coder::commit`] with the default backend.
pub fn commit(spec: &FileSpec, reader: impl Read) -> Result<Commitment, ReadError> {
	Coder::new(*spec).commit(reader)
}

/// A file that is read and encoded segment by segment, in order.
///
/// As an iterator each segment has memory of its own; [`read_into`](Self::read_into) uses that of a
/// segment that is done with. Nothing follows after an error.
#[derive(Debug)]
pub struct Segments<R> {
	coder: Coder,
	reader: SegmentReader<R>,
	roots: Vec<Hash>,
	expected: Option<Commitment>,
}

impl<R: Read> Segments<R> {
	pub(crate) fn new(coder: Coder, reader: R) -> Self {
		let roots = Vec::with_capacity(coder.spec().segments() as usize);
		let reader = SegmentReader::new(*coder.spec(), reader);
		Self { coder, reader, roots, expected: None }
	}

	/// Refuses every segment that is not as the commitment says, because the file changed since.
	pub fn expecting(mut self, commitment: &Commitment) -> Self {
		self.expected = Some(commitment.clone());
		self
	}

	/// Reads and encodes the next segment, and returns whether there was one.
	pub fn read_into(&mut self, segment: &mut EncodedSegment) -> Result<bool, ReadError> {
		let Some(number) = self.reader.next_segment() else { return Ok(false) };
		let read = self.encode_next(number, segment);
		if read.is_err() {
			self.reader.stop();
		}
		read.map(|()| true)
	}

	/// The commitment to the file; `None` unless all of it was read.
	pub fn commitment(self) -> Option<Commitment> {
		Commitment::from_segment_roots(self.coder.spec(), self.roots)
	}

	fn encode_next(&mut self, number: u32, segment: &mut EncodedSegment) -> Result<(), ReadError> {
		let Self { coder, reader, expected, .. } = self;
		coder.encode_with(number, segment, Parity::Kept, |room| reader.read(number, room))?;
		let root = segment.root().expect("just encoded; qed");
		let is_as_expected = expected.as_ref().is_none_or(|commitment| {
			commitment.spec == *coder.spec() && commitment.roots.get(number as usize) == Some(&root)
		});
		if !is_as_expected {
			return Err(ReadError::Changed { segment: number });
		}
		self.roots.push(root);
		Ok(())
	}
}

impl<R: Read> Iterator for Segments<R> {
	type Item = Result<EncodedSegment, ReadError>;

	fn next(&mut self) -> Option<Self::Item> {
		let mut segment = EncodedSegment::default();
		self.read_into(&mut segment).map(|read| read.then_some(segment)).transpose()
	}
}

/// Cuts a reader into segments.
#[derive(Debug)]
pub(crate) struct SegmentReader<R> {
	reader: R,
	spec: FileSpec,
	next: u32,
}

impl<R: Read> SegmentReader<R> {
	pub(crate) fn new(spec: FileSpec, reader: R) -> Self {
		Self { reader, spec, next: 0 }
	}

	/// The number of the segment that is to be read, if there is one left.
	pub(crate) fn next_segment(&self) -> Option<u32> {
		Some(self.next).filter(|next| *next < self.spec.segments())
	}

	/// Reads segment number `segment`, the next one, to the beginning of `room`. The last one has
	/// to be followed by the reader's end.
	pub(crate) fn read(&mut self, segment: u32, room: &mut [u8]) -> Result<(), ReadError> {
		let (size, len) = (self.spec.size(), self.spec.segment_len(segment));
		let len = usize::try_from(len).expect("memory-sized; qed");
		let filled = fill(&mut self.reader, &mut room[..len])?;
		if filled < len {
			let before = u64::from(segment) * self.spec.coding().segment_capacity();
			return Err(ReadError::TooShort { read: before + filled as u64, size });
		}
		self.next = segment + 1;
		if self.next_segment().is_none() && fill(&mut self.reader, &mut [0])? > 0 {
			return Err(ReadError::TooLong { size });
		}
		Ok(())
	}

	/// Lets no segment be left.
	pub(crate) fn stop(&mut self) {
		self.next = self.spec.segments();
	}
}

/// Reads until the buffer is full or the reader ends, and returns how much was read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
	let mut filled = 0;
	while filled < buffer.len() {
		match reader.read(&mut buffer[filled..]) {
			Ok(0) => break,
			Ok(len) => filled += len,
			Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
			Err(error) => return Err(error),
		}
	}
	Ok(filled)
}
