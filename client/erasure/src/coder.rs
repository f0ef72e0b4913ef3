// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The code of one file, segment by segment.

use crate::{
	Backend, Commitment, DecodeError, EncodeError, EncodedSegment, ReadError, ReconstructError,
	RestoreError, RestoredFragment, Segments, Sibling, backend::Kernel, paths::Paths,
	stream::SegmentReader,
};
use planaria_primitives::{FileId, FileSpec, FragmentHash, Sidecar, SidecarError};
use std::{
	io::{Read, Write},
	ops::Range,
	sync::Arc,
};

/// How much of each fragment is worked on at a time, so that what one step writes the next finds in
/// the cache. A multiple of what BLAKE3 hashes at once.
const COLUMN_LEN: usize = 64 << 10;

/// Encodes and reconstructs the segments of a file. Cheap to clone.
///
/// Fragments are given as pairs of index and bytes, in any order; more than are needed may be
/// given. They are not checked against the file, except by [`restore`](Self::restore).
#[derive(Clone, Debug)]
pub struct Coder {
	spec: FileSpec,
	kernel: Arc<Kernel>,
}

/// What is to remain of a segment's parity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parity {
	/// All of it.
	Kept,
	/// Only its hashes: there is room for one column of it.
	Hashed,
}

impl Coder {
	/// The code of files like this, by the default backend.
	pub fn new(spec: FileSpec) -> Self {
		Self::with_backend(spec, Backend::default())
	}

	/// The code of files like this, by this backend.
	pub fn with_backend(spec: FileSpec, backend: Backend) -> Self {
		let (data, parity) = (usize::from(spec.data()), usize::from(spec.coding().parity));
		Self { spec, kernel: Arc::new(Kernel::new(data, parity, backend)) }
	}

	/// The file's size and coding.
	pub fn spec(&self) -> &FileSpec {
		&self.spec
	}

	/// All fragments of segment number `segment`, whose bytes are these.
	pub fn encode(&self, segment: u32, bytes: &[u8]) -> Result<EncodedSegment, EncodeError> {
		if segment >= self.spec.segments() {
			return Err(EncodeError::NoSuchSegment { segment });
		}
		let (len, expected) = (bytes.len() as u64, self.spec.segment_len(segment));
		if len != expected {
			return Err(EncodeError::WrongLength { segment, len, expected });
		}
		let mut encoded = EncodedSegment::default();
		self.encode_with(segment, &mut encoded, Parity::Kept, |room| {
			room[..bytes.len()].copy_from_slice(bytes);
			Ok::<_, EncodeError>(())
		})?;
		Ok(encoded)
	}

	/// The fragments of segment number `segment` that are `wanted`, in that order, from any `data`
	/// others. However many are wanted, the given ones are read once.
	pub fn reconstruct(
		&self,
		segment: u32,
		present: &[(u8, &[u8])],
		wanted: &[u8],
	) -> Result<Vec<Vec<u8>>, ReconstructError> {
		let column = self.check(segment, present)?;
		self.check_wanted(wanted)?;
		let wanted: Vec<_> = wanted.iter().copied().map(usize::from).collect();
		let len = self.spec.fragment_len(segment) as usize;
		let mut fragments = vec![vec![0; len]; wanted.len()];
		let mut out: Vec<_> = fragments.iter_mut().map(Vec::as_mut_slice).collect();
		self.recover(&column, &wanted, &mut out);
		Ok(fragments)
	}

	/// Writes the file's bytes of segment number `segment`, without padding, from any `data`
	/// fragments. Source fragments are written as they are; only missing ones are reconstructed,
	/// before the first byte is written.
	pub fn decode(
		&self,
		segment: u32,
		present: &[(u8, &[u8])],
		to: &mut impl Write,
	) -> Result<(), DecodeError> {
		let column = self.check(segment, present)?;
		let missing = self.missing_source(&column);
		let len = self.spec.fragment_len(segment) as usize;
		let mut rebuilt = vec![vec![0; len]; missing.len()];
		let mut out: Vec<_> = rebuilt.iter_mut().map(Vec::as_mut_slice).collect();
		self.recover(&column, &missing, &mut out);

		let mut rebuilt = rebuilt.iter();
		let mut rest = usize::try_from(self.spec.segment_len(segment)).expect("memory-sized; qed");
		for part in &column[..usize::from(self.spec.data())] {
			let fragment = part.or_else(|| rebuilt.next().map(Vec::as_slice));
			let fragment = fragment.expect("present or rebuilt; qed");
			to.write_all(&fragment[..len.min(rest)])?;
			rest = rest.saturating_sub(len);
		}
		Ok(())
	}

	/// All fragments of segment number `segment` with their sidecars, from any `data` fragments
	/// and the sidecar of any fragment of that segment.
	///
	/// The result is proven to be of the file `id`, whatever was given.
	pub fn restore(
		&self,
		id: &FileId,
		segment: u32,
		present: &[(u8, &[u8])],
		sibling: &Sidecar,
	) -> Result<(EncodedSegment, Vec<Sidecar>), RestoreError> {
		let column = self.check(segment, present)?;
		let file_path = sibling
			.file_path(&self.spec, segment)
			.ok_or(RestoreError::Sidecar(SidecarError::WrongLength))?;
		let mut restored = EncodedSegment::default();
		self.encode_with(segment, &mut restored, Parity::Kept, |room| {
			let len = self.spec.fragment_len(segment) as usize;
			let mut rebuilt = Vec::new();
			for (part, fragment) in column.iter().zip(room.chunks_exact_mut(len)) {
				match part {
					Some(bytes) => fragment.copy_from_slice(bytes),
					None => rebuilt.push(fragment),
				}
			}
			self.recover(&column, &self.missing_source(&column), &mut rebuilt);
			Ok::<_, RestoreError>(())
		})?;
		let sidecars = restored.sidecars(file_path);
		sidecars[0]
			.verify(id, &self.spec, segment, 0, &restored.hashes()[0])
			.map_err(RestoreError::Sidecar)?;
		Ok((restored, sidecars))
	}

	/// The fragments of segment number `segment` that are `wanted`, in that order, from any `data`
	/// of its fragments with what proves them. Only the wanted ones are ever in memory as a whole.
	///
	/// Each is proven to be of the file `id`, whatever was given. What else of the segment has to be
	/// made for that follows from the sidecars: all of it where they tell nothing, and nothing where
	/// the fragment beside a wanted one is given.
	pub fn restore_some(
		&self,
		id: &FileId,
		segment: u32,
		siblings: &[Sibling<'_>],
		wanted: &[u8],
	) -> Result<Vec<RestoredFragment>, RestoreError> {
		let present: Vec<_> = siblings.iter().map(|it| (it.index, it.bytes)).collect();
		let given = self.check(segment, &present)?;
		self.check_wanted(wanted)?;
		let known = siblings.iter().map(|it| (it.index, it.hash, it.sidecar));
		let paths = Paths::new(&self.spec, segment, known).map_err(RestoreError::Sidecar)?;
		let len = self.spec.fragment_len(segment) as usize;
		// A wanted row is kept whole; of one that is only to be hashed there is a column at a time.
		let mut rows: Vec<Option<Vec<u8>>> = vec![None; given.len()];
		for &index in wanted {
			for lacking in paths.lacking(index) {
				rows[usize::from(lacking)].get_or_insert_with(|| vec![0; len.min(COLUMN_LEN)]);
			}
		}
		for &index in wanted {
			rows[usize::from(index)] = Some(vec![0; len]);
		}
		let hashes = self.restore_rows(&given, &mut rows, len);

		let mut restored = Vec::with_capacity(wanted.len());
		for &index in wanted {
			let place = usize::from(index);
			let hash = hashes[place].expect("it was made; qed");
			let sidecar = paths.sidecar(index, &hashes).expect("so was what it lacked; qed");
			sidecar.verify(id, &self.spec, segment, index, &hash).map_err(RestoreError::Sidecar)?;
			let bytes = rows[place].take().unwrap_or_default();
			restored.push(RestoredFragment { index, hash, sidecar, bytes });
		}
		Ok(restored)
	}

	/// Fills the `rows` there are, each as long as a fragment or as a column, from checked
	/// fragments, and hashes them.
	fn restore_rows(
		&self,
		given: &[Option<&[u8]>],
		rows: &mut [Option<Vec<u8>>],
		len: usize,
	) -> Vec<Option<FragmentHash>> {
		let made = |(index, row): (usize, &Option<Vec<u8>>)| {
			(row.is_some() && given[index].is_none()).then_some(index)
		};
		let missing: Vec<usize> = rows.iter().enumerate().filter_map(made).collect();
		let present: Vec<_> = given.iter().map(Option::is_some).collect();
		let plan = (!missing.is_empty()).then(|| self.kernel.plan(&present, &missing));
		let mut hashers: Vec<_> =
			rows.iter().map(|row| row.as_ref().map(|_| blake3::Hasher::new())).collect();
		for column in columns(len) {
			let place =
				|row: &[u8]| if row.len() == len { column.clone() } else { 0..column.len() };
			let parts: Vec<_> =
				given.iter().map(|row| row.map(|row| &row[column.clone()])).collect();
			let mut recovered = Vec::with_capacity(missing.len());
			for (part, row) in parts.iter().zip(&mut *rows) {
				let Some(row) = row else { continue };
				let place = place(row);
				match part {
					Some(part) => row[place].copy_from_slice(part),
					None => recovered.push(&mut row[place]),
				}
			}
			if let Some(plan) = &plan {
				self.kernel.recover(plan, &parts, &mut recovered);
			}
			for (hasher, row) in hashers.iter_mut().zip(&*rows) {
				if let (Some(hasher), Some(row)) = (hasher, row) {
					hasher.update(&row[place(row)]);
				}
			}
		}
		hashers
			.into_iter()
			.map(|hasher| Some(FragmentHash(*hasher?.finalize().as_bytes())))
			.collect()
	}

	/// Reads a whole file and commits to it. Neither the file nor a segment's parity is ever in
	/// memory as a whole.
	pub fn commit(&self, reader: impl Read) -> Result<Commitment, ReadError> {
		let mut reader = SegmentReader::new(self.spec, reader);
		let mut segment = EncodedSegment::default();
		let mut roots = Vec::with_capacity(self.spec.segments() as usize);
		while let Some(number) = reader.next_segment() {
			self.encode_with(number, &mut segment, Parity::Hashed, |room| {
				reader.read(number, room)
			})?;
			roots.extend(segment.root());
		}
		Ok(Commitment::from_segment_roots(&self.spec, roots).expect("read to the end; qed"))
	}

	/// Reads a file and hands out its segments, encoded, in order.
	pub fn segments<R: Read>(&self, reader: R) -> Segments<R> {
		Segments::new(self.clone(), reader)
	}

	/// Lets `fill` put the source fragments of a segment of the file into place, then encodes.
	///
	/// The place is as long as they are together, and zero behind the segment's own bytes.
	pub(crate) fn encode_with<E>(
		&self,
		segment: u32,
		encoded: &mut EncodedSegment,
		parity: Parity,
		fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
	) -> Result<(), E> {
		let len = self.spec.fragment_len(segment) as usize;
		let row_len = if parity == Parity::Kept { len } else { len.min(COLUMN_LEN) };
		let (source, parity) = encoded.prepare(&self.spec, segment, row_len);
		fill(source)?;
		let hashes = self.encode_and_hash(source, parity);
		encoded.finish(hashes);
		Ok(())
	}

	/// Encodes `source`, hashes all fragments. `parity` has room for whole parity fragments, or for
	/// one column of them, if that is all that is wanted.
	fn encode_and_hash(&self, source: &[u8], parity: &mut [u8]) -> Vec<FragmentHash> {
		let len = source.len() / usize::from(self.spec.data());
		let row_len = parity.len() / usize::from(self.spec.coding().parity);
		let mut hashers = vec![blake3::Hasher::new(); usize::from(self.spec.fragments())];
		for column in columns(len) {
			let room = if row_len == len { column.clone() } else { 0..column.len() };
			let source: Vec<_> = source.chunks_exact(len).map(|row| &row[column.clone()]).collect();
			let mut parity: Vec<_> =
				parity.chunks_exact_mut(row_len).map(|row| &mut row[room.clone()]).collect();
			self.kernel.encode(&source, &mut parity);
			let all = source.into_iter().chain(parity.into_iter().map(|part| &*part));
			for (hasher, part) in hashers.iter_mut().zip(all) {
				hasher.update(part);
			}
		}
		hashers.iter().map(|hasher| FragmentHash(*hasher.finalize().as_bytes())).collect()
	}

	/// The fragments by index, if they are enough and of one segment.
	fn check<'a>(
		&self,
		segment: u32,
		present: &[(u8, &'a [u8])],
	) -> Result<Vec<Option<&'a [u8]>>, ReconstructError> {
		if segment >= self.spec.segments() {
			return Err(ReconstructError::NoSuchSegment { segment });
		}
		let expected = self.spec.fragment_len(segment) as usize;
		let mut fragments = vec![None; usize::from(self.spec.fragments())];
		for &(index, bytes) in present {
			let place = fragments
				.get_mut(usize::from(index))
				.ok_or(ReconstructError::NoSuchFragment { index })?;
			if bytes.len() != expected {
				return Err(ReconstructError::WrongLength { index, len: bytes.len(), expected });
			}
			if place.replace(bytes).is_some() {
				return Err(ReconstructError::Repeated { index });
			}
		}
		let needed = usize::from(self.spec.data());
		if present.len() < needed {
			return Err(ReconstructError::TooFew { present: present.len(), needed });
		}
		Ok(fragments)
	}

	/// Whether each is one of the file's fragments, and none is wanted twice.
	fn check_wanted(&self, wanted: &[u8]) -> Result<(), ReconstructError> {
		let mut is_wanted = [false; u8::MAX as usize];
		for &index in wanted {
			if index >= self.spec.fragments() {
				return Err(ReconstructError::NoSuchFragment { index });
			}
			if std::mem::replace(&mut is_wanted[usize::from(index)], true) {
				return Err(ReconstructError::Repeated { index });
			}
		}
		Ok(())
	}

	fn missing_source(&self, fragments: &[Option<&[u8]>]) -> Vec<usize> {
		(0..usize::from(self.spec.data())).filter(|index| fragments[*index].is_none()).collect()
	}

	/// Recovers the `wanted` fragments from checked ones.
	fn recover(&self, fragments: &[Option<&[u8]>], wanted: &[usize], out: &mut [&mut [u8]]) {
		let Some(len) = out.first().map(|row| row.len()) else { return };
		let present: Vec<_> = fragments.iter().map(Option::is_some).collect();
		let plan = self.kernel.plan(&present, wanted);
		for column in columns(len) {
			let parts: Vec<_> =
				fragments.iter().map(|row| row.map(|row| &row[column.clone()])).collect();
			let mut out: Vec<_> = out.iter_mut().map(|row| &mut row[column.clone()]).collect();
			self.kernel.recover(&plan, &parts, &mut out);
		}
	}
}

/// The columns of fragments of this length.
fn columns(len: usize) -> impl Iterator<Item = Range<usize>> {
	(0..len).step_by(COLUMN_LEN).map(move |start| start..len.min(start + COLUMN_LEN))
}
