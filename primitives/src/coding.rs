// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How a file is cut into segments and fragments.

use crate::{CHUNK_LEN, MAX_FRAGMENT_LEN, MAX_FRAGMENTS, MAX_SEGMENTS};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// The erasure code of a file: any `data` of a segment's `data + parity` fragments restore it.
///
/// As a message or argument it may hold anything; [`CodingParams::check`], or a [`FileSpec`] made
/// of it, says that it is sound.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CodingParams {
	/// The code and its byte format. 0 is Reed-Solomon over GF(2^8) as `reed-solomon-erasure`
	/// (`galois_8`) lays it out; no other is known.
	pub codec: u8,
	/// Source fragments per segment.
	pub data: u8,
	/// Parity fragments per segment: how many may be lost.
	pub parity: u8,
}

impl CodingParams {
	/// Reed-Solomon, the only codec there is.
	pub const REED_SOLOMON: u8 = 0;
	/// `standard`: 4+8, 3.0 bytes stored per byte, any 8 of 12 may be lost.
	pub const STANDARD: Self = Self { codec: 0, data: 4, parity: 8 };
	/// `lean`: 2+1, 1.5 bytes stored per byte, any 1 of 3 may be lost.
	pub const LEAN: Self = Self { codec: 0, data: 2, parity: 1 };

	/// Reed-Solomon with these counts, checked.
	pub const fn new(data: u8, parity: u8) -> Result<Self, CodingError> {
		let params = Self { codec: Self::REED_SOLOMON, data, parity };
		match params.check() {
			Ok(()) => Ok(params),
			Err(error) => Err(error),
		}
	}

	/// `copies:N`: N whole copies, a 1+(N-1) code.
	pub const fn copies(n: u8) -> Result<Self, CodingError> {
		Self::new(1, n.saturating_sub(1))
	}

	/// `bitdust:N`: as many parity as source fragments, N/2 of each (seed 001).
	pub const fn bitdust(n: u8) -> Result<Self, CodingError> {
		if !n.is_multiple_of(2) { Err(CodingError::OddCount) } else { Self::new(n / 2, n / 2) }
	}

	/// Whether these parameters are sound.
	pub const fn check(&self) -> Result<(), CodingError> {
		if self.codec != Self::REED_SOLOMON {
			Err(CodingError::UnknownCodec)
		} else if self.data == 0 {
			Err(CodingError::NoData)
		} else if self.parity == 0 {
			Err(CodingError::NoParity)
		} else if self.data as u16 + self.parity as u16 > MAX_FRAGMENTS as u16 {
			Err(CodingError::TooManyFragments)
		} else {
			Ok(())
		}
	}

	/// Fragments per segment. Saturates where the parameters are unsound.
	pub const fn fragments(&self) -> u8 {
		self.data.saturating_add(self.parity)
	}

	/// The bytes of a file that one whole segment holds.
	pub const fn segment_capacity(&self) -> u64 {
		self.data as u64 * MAX_FRAGMENT_LEN as u64
	}
}

/// `standard`, `lean` or `data+parity`.
impl fmt::Display for CodingParams {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}+{}", self.data, self.parity)
	}
}

/// Reads `standard`, `lean`, `copies:N`, `bitdust:N` or `data+parity`.
impl core::str::FromStr for CodingParams {
	type Err = CodingError;
	fn from_str(text: &str) -> Result<Self, Self::Err> {
		let number = |digits: &str| digits.parse::<u8>().map_err(|_| CodingError::Unreadable);
		match text {
			"standard" => Ok(Self::STANDARD),
			"lean" => Ok(Self::LEAN),
			_ => {
				if let Some(n) = text.strip_prefix("copies:") {
					Self::copies(number(n)?)
				} else if let Some(n) = text.strip_prefix("bitdust:") {
					Self::bitdust(number(n)?)
				} else if let Some((data, parity)) = text.split_once('+') {
					Self::new(number(data)?, number(parity)?)
				} else {
					Err(CodingError::Unreadable)
				}
			},
		}
	}
}

/// What is wrong with [`CodingParams`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodingError {
	/// The codec is not one this version knows.
	UnknownCodec,
	/// There is no source fragment.
	NoData,
	/// There is no parity fragment.
	NoParity,
	/// There are more than 64 fragments.
	TooManyFragments,
	/// `bitdust:N` needs an even N.
	OddCount,
	/// The text is neither a preset nor `data+parity`.
	Unreadable,
}

impl fmt::Display for CodingError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::UnknownCodec => "unknown codec: only 0 (Reed-Solomon) is known",
			Self::NoData => "at least one source fragment is needed",
			Self::NoParity => "at least one parity fragment is needed",
			Self::TooManyFragments => "a segment has at most 64 fragments",
			Self::OddCount => "bitdust:N needs an even N",
			Self::Unreadable => "expected standard, lean, copies:N, bitdust:N or DATA+PARITY",
		})
	}
}

impl core::error::Error for CodingError {}

/// A file's size and coding, checked: everything about its geometry follows from it.
///
/// Segment `k` holds the file's bytes from `k * data * 8 MiB` on. Its source fragment `i` holds
/// `fragment_len` bytes from `i * fragment_len` of the segment on, padded with zeros at the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileSpec {
	size: u64,
	coding: CodingParams,
}

impl FileSpec {
	/// The geometry of a file of `size` bytes under `coding`.
	pub const fn new(size: u64, coding: CodingParams) -> Result<Self, SpecError> {
		if let Err(error) = coding.check() {
			return Err(SpecError::Coding(error));
		}
		if size == 0 {
			return Err(SpecError::Empty);
		}
		if size.div_ceil(coding.segment_capacity()) > MAX_SEGMENTS as u64 {
			return Err(SpecError::TooLarge);
		}
		Ok(Self { size, coding })
	}

	/// The file's size in bytes, at least 1.
	pub const fn size(&self) -> u64 {
		self.size
	}

	/// The file's coding.
	pub const fn coding(&self) -> CodingParams {
		self.coding
	}

	/// Source fragments per segment.
	pub const fn data(&self) -> u8 {
		self.coding.data
	}

	/// Fragments per segment.
	pub const fn fragments(&self) -> u8 {
		self.coding.fragments()
	}

	/// How many segments the file has, 1 to [`MAX_SEGMENTS`].
	#[allow(clippy::cast_possible_truncation)] // at most MAX_SEGMENTS, checked by `new`
	pub const fn segments(&self) -> u32 {
		self.size.div_ceil(self.coding.segment_capacity()) as u32
	}

	/// How many of the file's bytes segment number `segment` holds; 0 behind the last.
	pub const fn segment_len(&self, segment: u32) -> u64 {
		let capacity = self.coding.segment_capacity();
		let rest = self.size.saturating_sub(segment as u64 * capacity);
		if rest < capacity { rest } else { capacity }
	}

	/// The length of each fragment of segment number `segment`: a multiple of 64, at most 8 MiB;
	/// 0 behind the last segment.
	#[allow(clippy::cast_possible_truncation)] // at most MAX_FRAGMENT_LEN
	pub const fn fragment_len(&self, segment: u32) -> u32 {
		(self.segment_len(segment).div_ceil(self.coding.data as u64).next_multiple_of(64)) as u32
	}

	/// How many chunks each fragment of segment number `segment` has.
	pub const fn chunks(&self, segment: u32) -> u32 {
		self.fragment_len(segment).div_ceil(CHUNK_LEN)
	}

	/// The length of chunk number `chunk`: [`CHUNK_LEN`], or less at a fragment's end; 0 behind it.
	pub const fn chunk_len(&self, segment: u32, chunk: u32) -> u32 {
		let rest =
			(self.fragment_len(segment) as u64).saturating_sub(chunk as u64 * CHUNK_LEN as u64);
		#[allow(clippy::cast_possible_truncation)] // less than CHUNK_LEN
		if rest < CHUNK_LEN as u64 { rest as u32 } else { CHUNK_LEN }
	}

	/// The bytes all fragments of the file take together.
	pub const fn stored_bytes(&self) -> u64 {
		let last = self.segments() - 1;
		let per_index = last as u64 * MAX_FRAGMENT_LEN as u64 + self.fragment_len(last) as u64;
		per_index * self.fragments() as u64
	}
}

/// What is wrong with a file's size and coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecError {
	/// The coding is unsound.
	Coding(CodingError),
	/// An empty file cannot be stored.
	Empty,
	/// The file has more than 2^20 segments.
	TooLarge,
}

impl fmt::Display for SpecError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Coding(error) => error.fmt(f),
			Self::Empty => f.write_str("an empty file cannot be stored"),
			Self::TooLarge => f.write_str("a file has at most 2^20 segments"),
		}
	}
}

impl core::error::Error for SpecError {}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn presets_are_read() {
		assert_eq!("standard".parse(), Ok(CodingParams::STANDARD));
		assert_eq!("2+1".parse(), Ok(CodingParams::LEAN));
		assert_eq!("copies:3".parse(), CodingParams::new(1, 2));
		assert_eq!("bitdust:64".parse(), CodingParams::new(32, 32));
		for (text, error) in [
			("copies:1", CodingError::NoParity),
			("copies:0", CodingError::NoParity),
			("bitdust:3", CodingError::OddCount),
			("bitdust:0", CodingError::NoData),
			("0+3", CodingError::NoData),
			("40+25", CodingError::TooManyFragments),
			("255+255", CodingError::TooManyFragments),
			("256+1", CodingError::Unreadable),
			("", CodingError::Unreadable),
		] {
			assert_eq!(text.parse::<CodingParams>(), Err(error), "{text}");
		}
		let unknown = CodingParams { codec: 1, ..CodingParams::LEAN };
		assert_eq!(FileSpec::new(1, unknown), Err(SpecError::Coding(CodingError::UnknownCodec)));
	}

	#[test]
	fn sizes_at_the_edges() {
		let spec = |size| FileSpec::new(size, CodingParams::LEAN);
		assert_eq!(spec(0), Err(SpecError::Empty));
		assert_eq!(spec(u64::MAX), Err(SpecError::TooLarge));
		let capacity = CodingParams::LEAN.segment_capacity();
		let largest = capacity * u64::from(MAX_SEGMENTS);
		assert_eq!(spec(largest).map(|s| s.segments()), Ok(MAX_SEGMENTS));
		assert_eq!(spec(largest + 1), Err(SpecError::TooLarge));

		let one = spec(1).expect("valid");
		assert_eq!(
			(one.segments(), one.fragment_len(0), one.chunks(0), one.chunk_len(0, 0)),
			(1, 64, 1, 64)
		);
		assert_eq!((one.fragment_len(1), one.chunks(1), one.chunk_len(0, 1)), (0, 0, 0));
		let over = spec(capacity + 1).expect("valid");
		assert_eq!(
			(over.segments(), over.fragment_len(0), over.fragment_len(1)),
			(2, MAX_FRAGMENT_LEN, 64)
		);
		assert_eq!(over.stored_bytes(), 3 * (u64::from(MAX_FRAGMENT_LEN) + 64));
	}

	proptest! {
		#[test]
		fn geometry_holds_together(size in 1u64..1 << 40, data in 1u8..=63, parity in 1u8..=63) {
			let Ok(coding) = CodingParams::new(data, parity) else { return Ok(()) };
			let Ok(spec) = FileSpec::new(size, coding) else { return Ok(()) };
			let last = spec.segments() - 1;
			let whole = u64::from(last) * coding.segment_capacity();
			prop_assert_eq!(whole + spec.segment_len(last), size);
			let len = spec.fragment_len(last);
			prop_assert!(len % 64 == 0 && len <= MAX_FRAGMENT_LEN);
			prop_assert!(u64::from(len) * u64::from(data) >= spec.segment_len(last));
			let chunks = spec.chunks(last);
			let bytes: u64 = u64::from(chunks - 1) * 1024 + u64::from(spec.chunk_len(last, chunks - 1));
			prop_assert_eq!(bytes, u64::from(len));
		}
	}
}
