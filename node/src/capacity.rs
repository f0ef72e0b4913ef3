// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How many bytes a miner offers, as a person writes it.

use std::{fmt, num::NonZeroU64, str::FromStr};

/// A number of bytes, written as `1TiB`, `1.5 TiB`, `500GB` or `1000000`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity(NonZeroU64);

impl Capacity {
	/// The number of bytes.
	pub fn bytes(self) -> u64 {
		self.0.get()
	}
}

/// The units, and how many bytes each is: powers of 1000, and with an `i` of 1024.
const UNITS: [(&str, u64); 11] = [
	("b", 1),
	("kb", 1_000),
	("kib", 1 << 10),
	("mb", 1_000_000),
	("mib", 1 << 20),
	("gb", 1_000_000_000),
	("gib", 1 << 30),
	("tb", 1_000_000_000_000),
	("tib", 1 << 40),
	("pb", 1_000_000_000_000_000),
	("pib", 1 << 50),
];

/// Why a text is not a [`Capacity`].
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum CapacityError {
	/// There is no number in front.
	#[error("`{0}` does not begin with a number; write for example 1TiB or 500GB")]
	NoNumber(String),
	/// What stands behind the number is not a unit.
	#[error("`{0}` is not a unit; write B, KB, MB, GB, TB, PB or KiB, MiB, GiB, TiB, PiB")]
	Unit(String),
	/// It is nothing, or less than a byte.
	#[error("a capacity is at least one byte")]
	Zero,
	/// It does not fit into 64 bits.
	#[error("`{0}` is more than any disk holds")]
	TooLarge(String),
}

impl FromStr for Capacity {
	type Err = CapacityError;

	fn from_str(text: &str) -> Result<Self, CapacityError> {
		let text = text.trim();
		let too_large = || CapacityError::TooLarge(text.into());
		let no_number = || CapacityError::NoNumber(text.into());

		let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
		let (number, unit) = text.split_at(end);
		let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
		if whole.is_empty() || part.is_empty() || part.contains('.') {
			return Err(no_number());
		}
		let unit = unit.trim();
		let factor = match unit.to_ascii_lowercase().as_str() {
			"" => 1,
			unit_text => UNITS
				.iter()
				.find_map(|(name, bytes)| (*name == unit_text).then_some(u128::from(*bytes)))
				.ok_or_else(|| CapacityError::Unit(unit.into()))?,
		};

		// 18 digits behind the point are more than the largest unit has.
		let part = part.get(..18).unwrap_or(part);
		let scale = 10u128.pow(u32::try_from(part.len()).map_err(|_| no_number())?);
		let whole: u128 = whole.parse().map_err(|_| too_large())?;
		let part: u128 = part.parse().map_err(|_| no_number())?;
		let bytes = whole
			.checked_mul(factor)
			.and_then(|bytes| bytes.checked_add(part * factor / scale))
			.and_then(|bytes| u64::try_from(bytes).ok())
			.ok_or_else(too_large)?;
		NonZeroU64::new(bytes).map(Self).ok_or(CapacityError::Zero)
	}
}

/// The largest binary unit of which it is a whole number.
impl fmt::Display for Capacity {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let bytes = self.bytes();
		let unit = [(1 << 50, "PiB"), (1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")]
			.into_iter()
			.find(|(size, _)| bytes.is_multiple_of(*size));
		match unit {
			Some((size, name)) => write!(f, "{} {name}", bytes / size),
			None => write!(f, "{bytes} B"),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn bytes(text: &str) -> Result<u64, CapacityError> {
		text.parse::<Capacity>().map(Capacity::bytes)
	}

	#[test]
	fn reads_what_people_write() {
		assert_eq!(bytes("4096"), Ok(4096));
		assert_eq!(bytes("1TiB"), Ok(1 << 40));
		assert_eq!(bytes(" 1.5 tib "), Ok(3 << 39));
		assert_eq!(bytes("500GB"), Ok(500_000_000_000));
		assert_eq!(bytes("0.5KB"), Ok(500));
		assert_eq!(bytes("1.0000000000000000000001B"), Ok(1));
		assert_eq!(bytes("18446744073709551615"), Ok(u64::MAX));
	}

	#[test]
	fn refuses_the_rest() {
		for text in ["", "TiB", ".5TiB", "1.TiB", "1.2.3TiB", "-1TiB"] {
			assert!(matches!(bytes(text), Err(CapacityError::NoNumber(_))), "{text}");
		}
		for text in ["1T", "1 tibs", "1Ti B", "1,5TiB"] {
			assert!(matches!(bytes(text), Err(CapacityError::Unit(_))), "{text}");
		}
		for text in ["0", "0TiB", "0.1B"] {
			assert_eq!(bytes(text), Err(CapacityError::Zero), "{text}");
		}
		for text in ["18446744073709551616", "99999PiB", "9999999999999999999999999999999999999999"]
		{
			assert!(matches!(bytes(text), Err(CapacityError::TooLarge(_))), "{text}");
		}
	}

	#[test]
	fn shows_the_largest_whole_unit() {
		let show = |text: &str| text.parse::<Capacity>().map(|capacity| capacity.to_string());
		assert_eq!(show("1TiB"), Ok("1 TiB".into()));
		assert_eq!(show("1.5GiB"), Ok("1536 MiB".into()));
		assert_eq!(show("500GB"), Ok("500000000000 B".into()));
	}
}
