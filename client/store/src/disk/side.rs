// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The sidecar file `<hash>.side`: what a fragment is used for.
//!
//! A log of records of 1 KiB, so that a use is added or given up by appending one, whatever the
//! number of others, and a damaged record harms no other. Each is
//!
//! ```text
//! 0                                                          992            1024
//! | SCALE of `Record`: version, hash, length, change | zeros | BLAKE3 of 0..992 |
//! ```
//!
//! The hash and length of the fragment stand in every record, so a file under a wrong name is
//! noticed. A record that is torn or has another checksum counts as not written.

#![allow(clippy::cast_possible_truncation)] // what the codec derives casts indices

use super::{faults::Step, fs::Fs};
use crate::{FragmentUse, StoreError};
use codec::{Decode, Encode};
use planaria_primitives::{CodingParams, FileSpec, FragmentHash, FragmentName, Sidecar};
use std::{
	fs::File,
	io::{self, Read},
	path::Path,
};

/// The length of a record.
pub(super) const RECORD_LEN: u64 = RECORD as u64;

const RECORD: usize = 1024;

const PAYLOAD_LEN: usize = 992;

#[derive(Encode, Decode)]
enum Record {
	#[codec(index = 1)]
	V1 { hash: FragmentHash, len: u32, change: Change },
}

#[derive(Encode, Decode)]
enum Change {
	#[codec(index = 0)]
	Add { name: FragmentName, size: u64, coding: CodingParams, sidecar: Sidecar },
	#[codec(index = 1)]
	Remove { name: FragmentName },
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
	/// The fragment is used.
	Add(FragmentUse),
	/// It is no longer used for this.
	Remove(FragmentName),
}

fn encode(hash: &FragmentHash, len: u32, line: &Line) -> [u8; RECORD] {
	let change = match line {
		Line::Add(FragmentUse { name, spec, sidecar }) => Change::Add {
			name: *name,
			size: spec.size(),
			coding: spec.coding(),
			sidecar: sidecar.clone(),
		},
		Line::Remove(name) => Change::Remove { name: *name },
	};
	let payload = Record::V1 { hash: *hash, len, change }.encode();
	let mut record = [0; RECORD];
	record[..payload.len()].copy_from_slice(&payload);
	let checksum = blake3::hash(&record[..PAYLOAD_LEN]);
	record[PAYLOAD_LEN..].copy_from_slice(checksum.as_bytes());
	record
}

fn decode(hash: &FragmentHash, record: &[u8; RECORD]) -> Option<(u32, Line)> {
	let (payload, checksum) = record.split_at(PAYLOAD_LEN);
	if blake3::hash(payload) != *<&[u8; 32]>::try_from(checksum).ok()? {
		return None;
	}
	let Record::V1 { hash: of, len, change } = Record::decode(&mut &*payload).ok()?;
	if of != *hash {
		return None;
	}
	let line = match change {
		Change::Add { name, size, coding, sidecar } => {
			Line::Add(FragmentUse { name, spec: FileSpec::new(size, coding).ok()?, sidecar })
		},
		Change::Remove { name } => Line::Remove(name),
	};
	Some((len, line))
}

/// What [`read`] went through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Summary {
	/// How many records there is room for in the file, the unreadable ones included.
	pub records: u64,
	/// How many of them are not readable.
	pub bad: u64,
	/// The fragment's length, where any record is readable.
	pub len: Option<u32>,
}

/// Tells `visit` every readable record in order; `None` where there is no such file.
pub(super) fn read(
	path: &Path,
	hash: &FragmentHash,
	mut visit: impl FnMut(Line) -> Result<(), StoreError>,
) -> Result<Option<Summary>, StoreError> {
	let file = match File::open(path) {
		Ok(file) => file,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
		Err(error) => return Err(StoreError::io("read", path, error)),
	};
	let mut file = io::BufReader::with_capacity(64 << 10, file);
	let mut summary = Summary::default();
	let mut record = [0; RECORD];
	loop {
		match file.read_exact(&mut record) {
			Ok(()) => summary.records += 1,
			// A torn record at the end may follow; the next one takes its place.
			Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(summary)),
			Err(error) => return Err(StoreError::io("read", path, error)),
		}
		match decode(hash, &record) {
			Some((len, line)) => {
				summary.len = Some(len);
				visit(line)?;
			},
			None => summary.bad += 1,
		}
	}
}

/// Writes a file of these uses, synced, under a temporary name, then renames it. The directory is
/// for the caller to sync.
pub(super) fn write(
	fs: &Fs,
	path: &Path,
	hash: &FragmentHash,
	len: u32,
	uses: impl IntoIterator<Item = Result<FragmentUse, StoreError>>,
) -> Result<u64, StoreError> {
	let temporary = path.with_extension("side.tmp");
	fs.remove(&temporary)?;
	let file = fs.create(&temporary)?;
	let mut records = 0;
	for of in uses {
		let record = encode(hash, len, &Line::Add(of?));
		fs.write_at(Step::WriteSide, &file, &temporary, &record, records * RECORD_LEN)?;
		records += 1;
	}
	fs.sync(Step::SyncSide, &file, &temporary)?;
	fs.rename(&temporary, path)?;
	Ok(records)
}

/// Appends a record behind `records` others, synced. What may be torn behind those is overwritten.
pub(super) fn append(
	fs: &Fs,
	path: &Path,
	hash: &FragmentHash,
	len: u32,
	records: u64,
	line: &Line,
) -> Result<(), StoreError> {
	let file = fs.create(path)?;
	let record = encode(hash, len, line);
	fs.write_at(Step::WriteSide, &file, path, &record, records * RECORD_LEN)?;
	fs.sync(Step::SyncSide, &file, path)
}

/// Takes away what is behind so many records, synced.
pub(super) fn truncate(fs: &Fs, path: &Path, records: u64) -> Result<(), StoreError> {
	let file = fs.create(path)?;
	let len = file.metadata().map_err(|error| StoreError::io("look at", path, error))?.len();
	if len > records * RECORD_LEN {
		fs.step(Step::WriteSide, path, || file.set_len(records * RECORD_LEN))?;
		fs.sync(Step::SyncSide, &file, path)?;
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileId, FileIndex};

	fn longest() -> Line {
		Line::Add(FragmentUse {
			name: FragmentName {
				file_id: FileId([0xff; 32]),
				file: FileIndex(u64::MAX),
				segment: u32::MAX,
				index: u8::MAX,
			},
			spec: FileSpec::new(1 << 40, CodingParams::STANDARD).expect("valid"),
			sidecar: Sidecar(vec![0xff; Sidecar::MAX_LEN]),
		})
	}

	#[test]
	fn the_longest_record_fits_and_comes_back() {
		let hash = FragmentHash([7; 32]);
		let record = encode(&hash, 64, &longest());
		assert_eq!(decode(&hash, &record), Some((64, longest())));
		assert_eq!(decode(&FragmentHash([8; 32]), &record), None);
	}

	#[test]
	fn no_flipped_bit_is_read() {
		let hash = FragmentHash([7; 32]);
		let record = encode(&hash, 64, &longest());
		for bit in 0..record.len() * 8 {
			let mut record = record;
			record[bit / 8] ^= 1 << (bit % 8);
			assert_eq!(decode(&hash, &record), None, "bit {bit}");
		}
	}

	#[test]
	fn torn_and_damaged_records_harm_no_other() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("x.side");
		let fs = Fs { faults: None };
		let hash = FragmentHash([7; 32]);
		let Line::Add(of) = longest() else { unreachable!() };
		assert_eq!(write(&fs, &path, &hash, 64, [Ok(of.clone())]).expect("written"), 1);
		let name = |segment| FragmentName { segment, ..of.name };
		for records in 1..4 {
			let line = Line::Remove(name(u32::try_from(records).expect("small")));
			append(&fs, &path, &hash, 64, records, &line).expect("appended");
		}
		let mut bytes = std::fs::read(&path).expect("read");
		bytes[2 * 1024 + 5] ^= 1;
		bytes.extend_from_slice(&[1; 100]);
		std::fs::write(&path, bytes).expect("written");
		let mut lines = Vec::new();
		let summary = read(&path, &hash, |line| {
			lines.push(line);
			Ok(())
		});
		let summary = summary.expect("readable").expect("there");
		assert_eq!(summary, Summary { records: 4, bad: 1, len: Some(64) });
		assert_eq!(lines, [longest(), Line::Remove(name(1)), Line::Remove(name(3))]);
		append(&fs, &path, &hash, 64, 4, &longest()).expect("appended");
		assert_eq!(std::fs::metadata(&path).expect("there").len(), 5 * 1024);
		truncate(&fs, &path, 4).expect("truncated");
		truncate(&fs, &path, 9).expect("left alone");
		assert_eq!(std::fs::metadata(&path).expect("there").len(), 4 * 1024);
	}
}
