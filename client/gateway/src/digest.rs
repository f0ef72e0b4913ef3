// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is computed over bytes while they arrive: the MD5 that ETags are made of, and the checksum
//! that a client may give.

use crate::error::Error;
use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::{Digest as _, Md5};
use s3s::{
	checksum::ChecksumHasher,
	crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
	dto,
};

/// A checksum's algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
	/// `x-amz-checksum-crc32`.
	Crc32,
	/// `x-amz-checksum-crc32c`.
	Crc32c,
	/// `x-amz-checksum-crc64nvme`.
	Crc64Nvme,
	/// `x-amz-checksum-sha1`.
	Sha1,
	/// `x-amz-checksum-sha256`.
	Sha256,
}

const ALL: [Algorithm; 5] =
	[Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
	/// Its name in requests.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Crc32 => "CRC32",
			Self::Crc32c => "CRC32C",
			Self::Crc64Nvme => "CRC64NVME",
			Self::Sha1 => "SHA1",
			Self::Sha256 => "SHA256",
		}
	}

	/// How many bytes its sum has.
	pub const fn width(self) -> usize {
		match self {
			Self::Crc32 | Self::Crc32c => 4,
			Self::Crc64Nvme => 8,
			Self::Sha1 => 20,
			Self::Sha256 => 32,
		}
	}

	/// The header its sum is in.
	pub const fn header(self) -> &'static str {
		match self {
			Self::Crc32 => "x-amz-checksum-crc32",
			Self::Crc32c => "x-amz-checksum-crc32c",
			Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
			Self::Sha1 => "x-amz-checksum-sha1",
			Self::Sha256 => "x-amz-checksum-sha256",
		}
	}

	/// The algorithm of this name.
	pub fn named(name: &str) -> Option<Self> {
		ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
	}

	/// The algorithm whose sum is in this header.
	pub fn in_header(header: &str) -> Option<Self> {
		ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(header.trim()))
	}

	/// How it combines the checksums of parts, unless a client says how.
	pub const fn usual(self) -> SumKind {
		match self {
			Self::Crc64Nvme => SumKind::FullObject,
			_ => SumKind::Composite,
		}
	}

	/// Whether checksums of parts can be combined like this.
	pub const fn has(self, kind: SumKind) -> bool {
		match (self, kind) {
			(Self::Crc32 | Self::Crc32c, _) => true,
			(Self::Crc64Nvme, kind) => matches!(kind, SumKind::FullObject),
			(Self::Sha1 | Self::Sha256, kind) => matches!(kind, SumKind::Composite),
		}
	}

	fn of(self, sums: dto::Checksum) -> Option<String> {
		match self {
			Self::Crc32 => sums.checksum_crc32,
			Self::Crc32c => sums.checksum_crc32c,
			Self::Crc64Nvme => sums.checksum_crc64nvme,
			Self::Sha1 => sums.checksum_sha1,
			Self::Sha256 => sums.checksum_sha256,
		}
	}
}

/// What the checksum of an object that is assembled from parts is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SumKind {
	/// Of its bytes.
	FullObject,
	/// Of its parts' checksums; the number of parts is behind it.
	Composite,
}

impl SumKind {
	/// Its name in requests.
	pub const fn name(self) -> &'static str {
		match self {
			Self::FullObject => "FULL_OBJECT",
			Self::Composite => "COMPOSITE",
		}
	}

	/// The kind of this name.
	pub fn named(name: &str) -> Option<Self> {
		[Self::FullObject, Self::Composite].into_iter().find(|kind| kind.name() == name)
	}

	/// The kind that a checksum is.
	pub fn of(sum: &str) -> Self {
		if sum.contains('-') { Self::Composite } else { Self::FullObject }
	}
}

/// What a request says its bytes are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
	/// Their MD5.
	pub md5: Option<[u8; 16]>,
	/// The algorithm of their checksum.
	pub algorithm: Option<Algorithm>,
	/// Their checksum in base 64, if it is known before the bytes.
	pub sum: Option<String>,
}

/// Computes over bytes that arrive.
pub struct Digester {
	md5: Md5,
	sums: ChecksumHasher,
	algorithm: Option<Algorithm>,
}

impl std::fmt::Debug for Digester {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Digester").field("algorithm", &self.algorithm).finish_non_exhaustive()
	}
}

/// What bytes are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Digests {
	/// Their MD5.
	pub md5: [u8; 16],
	/// Their checksum.
	pub checksum: Option<(Algorithm, String)>,
}

impl Digester {
	/// Computes the MD5, and the checksum if one is wanted.
	pub fn new(algorithm: Option<Algorithm>) -> Self {
		let mut sums = ChecksumHasher::default();
		match algorithm {
			Some(Algorithm::Crc32) => sums.crc32 = Some(Crc32::default()),
			Some(Algorithm::Crc32c) => sums.crc32c = Some(Crc32c::default()),
			Some(Algorithm::Crc64Nvme) => sums.crc64nvme = Some(Crc64Nvme::default()),
			Some(Algorithm::Sha1) => sums.sha1 = Some(Sha1::new()),
			Some(Algorithm::Sha256) => sums.sha256 = Some(Sha256::new()),
			None => {},
		}
		Self { md5: Md5::new(), sums, algorithm }
	}

	/// More bytes.
	pub fn update(&mut self, bytes: &[u8]) {
		self.md5.update(bytes);
		self.sums.update(bytes);
	}

	/// The end.
	pub fn finish(self) -> Digests {
		let sums = self.sums.finalize();
		let checksum = self.algorithm.and_then(|algorithm| Some((algorithm, algorithm.of(sums)?)));
		Digests { md5: self.md5.finalize().into(), checksum }
	}
}

impl Digests {
	/// Whether the bytes are what the request says; `trailing` is the checksum that came after
	/// them.
	pub fn verify(&self, expected: &Expected, trailing: Option<&str>) -> Result<(), Error> {
		if expected.md5.is_some_and(|md5| md5 != self.md5) {
			return Err(Error::BadDigest("Content-MD5"));
		}
		let Some((algorithm, sum)) = &self.checksum else { return Ok(()) };
		let said = expected.sum.as_deref().or(trailing);
		if said.is_some_and(|said| said != sum) {
			return Err(Error::BadDigest(algorithm.header()));
		}
		Ok(())
	}
}

/// The MD5 of an object that is assembled from parts is made of theirs.
pub fn assembled_etag<'a>(parts: impl ExactSizeIterator<Item = &'a [u8; 16]>) -> String {
	let count = parts.len();
	let mut md5 = Md5::new();
	parts.for_each(|part| md5.update(part));
	format!("{}-{count}", hex::encode(md5.finalize()))
}

/// The checksum of an object that is assembled from parts, of each its checksum in base 64 and its
/// length; `None` where one is not a checksum, or the algorithm cannot do it.
pub fn assembled_checksum(
	algorithm: Algorithm,
	kind: SumKind,
	parts: &[(String, u64)],
) -> Option<String> {
	if !algorithm.has(kind) {
		return None;
	}
	let raw = parts.iter().map(|(sum, len)| Some((BASE64_STANDARD.decode(sum).ok()?, *len)));
	let raw: Vec<(Vec<u8>, u64)> = raw.collect::<Option<_>>()?;
	if kind == SumKind::Composite {
		let mut digester = Digester::new(Some(algorithm));
		raw.iter().for_each(|(sum, _)| digester.update(sum));
		let (_, sum) = digester.finish().checksum?;
		return Some(format!("{sum}-{}", parts.len()));
	}
	let crc = match algorithm {
		Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
		Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
		Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
		Algorithm::Sha1 | Algorithm::Sha256 => return None,
	};
	let width = algorithm.width();
	let mut whole: Option<u64> = None;
	for (sum, len) in raw {
		let mut bytes = [0; 8];
		bytes.get_mut(8 - width..).filter(|room| room.len() == sum.len())?.copy_from_slice(&sum);
		let sum = u64::from_be_bytes(bytes);
		whole = Some(match whole {
			Some(before) => checksum_combine(crc, before, sum, len),
			None => sum,
		});
	}
	let bytes = whole?.to_be_bytes();
	Some(BASE64_STANDARD.encode(&bytes[8 - width..]))
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		/// The checksum of all bytes follows from those of the parts, wherever they are cut.
		#[test]
		fn parts_checksums_make_the_whole_ones(
			parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
		) {
			for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
				let sum = |bytes: &[u8]| digests(Some(algorithm), bytes).checksum.expect("wanted").1;
				let known: Vec<_> =
					parts.iter().map(|part| (sum(part), part.len() as u64)).collect();
				let whole = assembled_checksum(algorithm, SumKind::FullObject, &known);
				prop_assert_eq!(whole, Some(sum(&parts.concat())));
			}
		}
	}

	#[test]
	fn composite_checksums_are_of_the_parts_checksums() {
		let sum = |bytes: &[u8]| digests(Some(Algorithm::Sha256), bytes).checksum.expect("some").1;
		let parts = [(sum(b"a"), 1), (sum(b"b"), 1)];
		let raw = parts.iter().flat_map(|(sum, _)| BASE64_STANDARD.decode(sum).expect("base 64"));
		let expected = format!("{}-2", sum(&raw.collect::<Vec<_>>()));
		let made = assembled_checksum(Algorithm::Sha256, SumKind::Composite, &parts);
		assert_eq!(made.as_deref(), Some(&expected[..]));
		assert_eq!(SumKind::of(&expected), SumKind::Composite);
		assert_eq!(assembled_checksum(Algorithm::Sha256, SumKind::FullObject, &parts), None);
		assert_eq!(assembled_checksum(Algorithm::Crc64Nvme, SumKind::Composite, &parts), None);
		let wrong = [("AAA=".to_owned(), 1)];
		assert_eq!(assembled_checksum(Algorithm::Crc32, SumKind::FullObject, &wrong), None);
	}

	fn digests(algorithm: Option<Algorithm>, bytes: &[u8]) -> Digests {
		let mut digester = Digester::new(algorithm);
		bytes.chunks(3).for_each(|part| digester.update(part));
		digester.finish()
	}

	/// The check values of the algorithms' specifications.
	#[test]
	fn sums_are_those_of_the_specifications() {
		let sum = |algorithm| digests(Some(algorithm), b"123456789").checksum.expect("wanted").1;
		assert_eq!(sum(Algorithm::Crc32), "y/Q5Jg==");
		assert_eq!(sum(Algorithm::Crc32c), "4waSgw==");
		assert_eq!(sum(Algorithm::Crc64Nvme), "rosUhgp5mIg=");
		assert_eq!(sum(Algorithm::Sha1), "98O8HYCOBHMq32eZZczDTKeuNEE=");
		let md5 = digests(None, b"").md5;
		assert_eq!(hex::encode(md5), "d41d8cd98f00b204e9800998ecf8427e");
		for algorithm in ALL {
			assert_eq!(Algorithm::named(&algorithm.name().to_lowercase()), Some(algorithm));
			assert_eq!(Algorithm::in_header(algorithm.header()), Some(algorithm));
		}
	}

	#[test]
	fn other_bytes_than_said_are_refused() {
		let found = digests(Some(Algorithm::Crc32), b"123456789");
		let expected = |md5, sum: Option<&str>| Expected {
			md5,
			algorithm: Some(Algorithm::Crc32),
			sum: sum.map(Into::into),
		};
		assert!(found.verify(&expected(Some(found.md5), Some("y/Q5Jg==")), None).is_ok());
		assert!(found.verify(&expected(None, None), Some("y/Q5Jg==")).is_ok());
		for (expected, trailing) in [
			(expected(Some([0; 16]), None), None),
			(expected(None, Some("AAAAAA==")), None),
			(expected(None, None), Some("AAAAAA==")),
		] {
			assert!(matches!(found.verify(&expected, trailing), Err(Error::BadDigest(_))));
		}
	}

	#[test]
	fn an_assembled_object_has_the_etag_that_s3_gives_it() {
		let parts = [digests(None, b"a").md5, digests(None, b"b").md5];
		let mut both = Md5::new();
		both.update(parts.concat());
		let expected = format!("{}-2", hex::encode(both.finalize()));
		assert_eq!(assembled_etag(parts.iter()), expected);
	}
}
