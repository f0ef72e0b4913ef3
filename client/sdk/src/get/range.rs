// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Ranges of bytes as people write them.

use std::{fmt, ops::Range, str::FromStr};

/// Some of a file's bytes, whatever its size is. The text is that of HTTP: `A-B` is from byte `A` to
/// byte `B`, both included, `A-` from `A` to the end, `-N` the last `N`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteRange {
	/// From the first to the last given, which is not before it.
	Between(u64, u64),
	/// From this one to the end.
	From(u64),
	/// So many at the end, at least one.
	Last(u64),
}

impl ByteRange {
	/// The bytes of a file of this size; `None` where it has none of them.
	pub fn within(&self, size: u64) -> Option<Range<u64>> {
		let range = match *self {
			Self::Between(first, last) => first..last.saturating_add(1).min(size),
			Self::From(first) => first..size,
			Self::Last(count) => size.saturating_sub(count)..size,
		};
		Some(range).filter(|range| range.start < range.end)
	}
}

impl fmt::Display for ByteRange {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Between(first, last) => write!(f, "{first}-{last}"),
			Self::From(first) => write!(f, "{first}-"),
			Self::Last(count) => write!(f, "-{count}"),
		}
	}
}

impl FromStr for ByteRange {
	type Err = ByteRangeError;
	fn from_str(text: &str) -> Result<Self, ByteRangeError> {
		let (first, last) = text.split_once('-').ok_or(ByteRangeError)?;
		let number = |text: &str| {
			let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
			is_number.then(|| text.parse().ok()).flatten().ok_or(ByteRangeError)
		};
		match (first, last) {
			("", count) => match number(count)? {
				0 => Err(ByteRangeError),
				count => Ok(Self::Last(count)),
			},
			(first, "") => number(first).map(Self::From),
			(first, last) => match (number(first)?, number(last)?) {
				(first, last) if first <= last => Ok(Self::Between(first, last)),
				_ => Err(ByteRangeError),
			},
		}
	}
}

/// The text is no range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a range of bytes: A-B, A- or -N")]
pub struct ByteRangeError;

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges_are_read_and_shown() {
		for (text, range, of_ten) in [
			("0-0", ByteRange::Between(0, 0), Some(0..1)),
			("2-5", ByteRange::Between(2, 5), Some(2..6)),
			("2-99", ByteRange::Between(2, 99), Some(2..10)),
			("2-18446744073709551615", ByteRange::Between(2, u64::MAX), Some(2..10)),
			("10-11", ByteRange::Between(10, 11), None),
			("9-", ByteRange::From(9), Some(9..10)),
			("10-", ByteRange::From(10), None),
			("-3", ByteRange::Last(3), Some(7..10)),
			("-30", ByteRange::Last(30), Some(0..10)),
		] {
			assert_eq!(text.parse(), Ok(range), "{text}");
			assert_eq!(range.to_string(), text);
			assert_eq!(range.within(10), of_ten, "{text}");
			assert_eq!(range.within(0), None);
		}
		for text in
			["", "-", "5", "5-4", "-0", "a-b", "1-+2", "+1-2", "1--2", "1-18446744073709551616"]
		{
			assert_eq!(text.parse::<ByteRange>(), Err(ByteRangeError), "{text}");
		}
	}
}
