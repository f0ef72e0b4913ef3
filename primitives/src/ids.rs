// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What files, segments, fragments and miners are called.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// A moment of the network's clock, which rises by one per healthy block. Every deadline is one.
pub type Tick = u32;

macro_rules! index {
	($(#[$doc:meta])* $name:ident($inner:ty)) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode,
			DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
		)]
		#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
		pub struct $name(pub $inner);

		impl fmt::Display for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				self.0.fmt(f)
			}
		}

		impl fmt::Debug for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				write!(f, concat!(stringify!($name), "({})"), self.0)
			}
		}

		impl core::str::FromStr for $name {
			type Err = core::num::ParseIntError;
			fn from_str(text: &str) -> Result<Self, Self::Err> {
				text.parse().map(Self)
			}
		}
	};
}

index! {
	/// A stored instance of a file. The same bytes stored by two owners are two of them.
	FileIndex(u64)
}

index! {
	/// A segment on chain, never reused. Segment number `k` of a file is its first id plus `k`.
	SegmentId(u64)
}

index! {
	/// A registered storage miner.
	MinerId(u32)
}

impl MinerId {
	/// The holder of a fragment that nobody holds: not placed yet, or vacated after a loss.
	pub const NOBODY: Self = Self(u32::MAX);
}

macro_rules! hash {
	($(#[$doc:meta])* $name:ident) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode,
			DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
		)]
		pub struct $name(pub [u8; 32]);

		impl AsRef<[u8]> for $name {
			fn as_ref(&self) -> &[u8] {
				&self.0
			}
		}

		/// Lower-case hexadecimal, 64 digits, without a prefix (what `b3sum` prints).
		impl fmt::Display for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
			}
		}

		impl fmt::Debug for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				fmt::Display::fmt(self, f)
			}
		}

		/// Reads 64 hexadecimal digits, with or without `0x` before them.
		impl core::str::FromStr for $name {
			type Err = HashParseError;
			fn from_str(text: &str) -> Result<Self, Self::Err> {
				parse_hash(text).map(Self)
			}
		}

		#[cfg(feature = "serde")]
		impl serde::Serialize for $name {
			fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
				to.collect_str(self)
			}
		}

		#[cfg(feature = "serde")]
		impl<'de> serde::Deserialize<'de> for $name {
			fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
				let text = <alloc::string::String as serde::Deserialize>::deserialize(from)?;
				text.parse().map_err(serde::de::Error::custom)
			}
		}
	};
}

hash! {
	/// The commitment to a file's content, size and coding. See [`file_id`](crate::file_id).
	FileId
}

hash! {
	/// The plain BLAKE3 hash of a fragment's bytes: it says *which bytes*.
	FragmentHash
}

impl FragmentHash {
	/// The hash of a fragment's bytes.
	pub fn of(fragment: &[u8]) -> Self {
		Self(*blake3::hash(fragment).as_bytes())
	}
}

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashParseError;

impl fmt::Display for HashParseError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("expected 64 hexadecimal digits")
	}
}

impl core::error::Error for HashParseError {}

fn parse_hash(text: &str) -> Result<[u8; 32], HashParseError> {
	let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
	if digits.len() != 64 {
		return Err(HashParseError);
	}
	let mut hash = [0; 32];
	for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
		let mut value = 0;
		for digit in pair {
			let digit = char::from(*digit).to_digit(16).ok_or(HashParseError)?;
			value = value << 4 | digit;
		}
		*byte = u8::try_from(value).map_err(|_| HashParseError)?;
	}
	Ok(hash)
}

/// A fragment on chain: it says *which fragment*, not which bytes.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FragmentId {
	/// The segment it belongs to.
	pub segment: SegmentId,
	/// Its place in the segment: the source fragments first, then parity.
	pub index: u8,
}

impl fmt::Display for FragmentId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}.{}", self.segment, self.index)
	}
}

/// The name of a fragment off chain. A [`SegmentId`] may mean another segment on another fork;
/// this name means the same bytes on every one.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FragmentName {
	/// The content it belongs to.
	pub file_id: FileId,
	/// The stored instance.
	pub file: FileIndex,
	/// The segment's number in the file, from 0.
	pub segment: u32,
	/// Its place in the segment.
	pub index: u8,
}

impl fmt::Display for FragmentName {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}:{}/{}/{}", self.file, self.file_id, self.segment, self.index)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_hash_is_read_as_it_is_written() {
		let id = FileId([0xa5; 32]);
		let text = alloc::format!("{id}");
		assert_eq!(text.len(), 64);
		assert_eq!(text.parse(), Ok(id));
		assert_eq!(alloc::format!("0x{text}").parse(), Ok(id));
		assert_eq!("a5".parse::<FileId>(), Err(HashParseError));
		assert_eq!(text.replace("a5", "+5").parse::<FileId>(), Err(HashParseError));
	}
}
