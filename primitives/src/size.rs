// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Numbers of bytes as people write them.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

/// A number of bytes.
///
/// Reads `4096`, `1GiB`, `1.5 TiB`, `10 MB`, `1_000`: powers of 1024 with an `i`, of 1000 without.
/// Shows `1.5 GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Size(pub u64);

const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// What is wrong with a number and its unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnitError {
	/// There is no number, or more than one decimal point.
	NoNumber,
	/// A comma could be either separator.
	Comma,
	/// The unit is not known.
	UnknownUnit(String),
	/// There are more digits behind the point than the unit has.
	TooPrecise {
		/// How many there may be.
		decimals: u32,
	},
	/// The number is too large.
	TooLarge,
}

impl fmt::Display for UnitError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::NoNumber => f.write_str("a number is needed, for example 10 or 1.5"),
			Self::Comma => {
				f.write_str("use a point for decimals and nothing or _ between thousands")
			},
			Self::UnknownUnit(unit) => write!(
				f,
				"unknown unit {unit:?}: amounts are in PLAN (or planck), sizes in B, KiB, MiB, GiB, TiB"
			),
			Self::TooPrecise { decimals } => {
				write!(f, "at most {decimals} digits behind the point")
			},
			Self::TooLarge => f.write_str("the number is too large"),
		}
	}
}

impl core::error::Error for UnitError {}

impl FromStr for Size {
	type Err = UnitError;
	fn from_str(text: &str) -> Result<Self, UnitError> {
		let (number, unit) = split(text)?;
		let factor: u128 = match unit.to_ascii_lowercase().as_str() {
			"" | "b" => 1,
			"k" | "kb" => 1_000,
			"m" | "mb" => 1_000_000,
			"g" | "gb" => 1_000_000_000,
			"t" | "tb" => 1_000_000_000_000,
			"p" | "pb" => 1_000_000_000_000_000,
			"kib" => 1 << 10,
			"mib" => 1 << 20,
			"gib" => 1 << 30,
			"tib" => 1 << 40,
			"pib" => 1 << 50,
			_ => return Err(UnitError::UnknownUnit(unit.into())),
		};
		// Nine digits behind the point, then rounded down to whole bytes.
		let billionths = scaled(&number, 9)?;
		let bytes = billionths.checked_mul(factor).ok_or(UnitError::TooLarge)? / 1_000_000_000;
		u64::try_from(bytes).map(Self).map_err(|_| UnitError::TooLarge)
	}
}

impl fmt::Display for Size {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let mut unit = None;
		let mut scale = 1u64;
		for name in BINARY {
			let Some(next) = scale.checked_mul(1024).filter(|next| self.0 >= *next) else { break };
			(unit, scale) = (Some(name), next);
		}
		let Some(unit) = unit else { return write!(f, "{} B", self.0) };
		let tenths = u128::from(self.0) * 10 / u128::from(scale);
		match tenths % 10 {
			0 => write!(f, "{} {unit}", tenths / 10),
			rest => write!(f, "{}.{rest} {unit}", tenths / 10),
		}
	}
}

/// The number without separators, and the unit.
pub fn split(text: &str) -> Result<(String, &str), UnitError> {
	let text = text.trim();
	let end = text
		.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_' || c == ','))
		.unwrap_or(text.len());
	let (number, unit) = text.split_at(end);
	if number.contains(',') {
		return Err(UnitError::Comma);
	}
	let number = number.replace('_', "");
	if !number.chars().any(|c| c.is_ascii_digit()) {
		return Err(UnitError::NoNumber);
	}
	Ok((number, unit.trim()))
}

/// A decimal number times ten to the power of `decimals`.
pub fn scaled(number: &str, decimals: u32) -> Result<u128, UnitError> {
	let (whole, part) = number.split_once('.').unwrap_or((number, ""));
	let part = part.trim_end_matches('0');
	let missing = usize::try_from(decimals).ok().and_then(|all| all.checked_sub(part.len()));
	let missing = missing.ok_or(UnitError::TooPrecise { decimals })?;
	if part.contains('.') {
		return Err(UnitError::NoNumber);
	}
	let digits = format!("{whole}{part}{}", "0".repeat(missing));
	digits.parse().map_err(|_| UnitError::TooLarge)
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::string::ToString;

	#[test]
	fn sizes_are_read_and_shown() {
		for (text, bytes) in [
			("4096", 4096),
			("1GiB", 1 << 30),
			(" 1.5 tib ", 3 << 39),
			("10 MB", 10_000_000),
			("1k", 1000),
			("0.5KiB", 512),
			("1_000", 1000),
			("1 B", 1),
			("0", 0),
			("18446744073709551615", u64::MAX),
		] {
			assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
		}
		for (text, error) in [
			("", UnitError::NoNumber),
			("TiB", UnitError::NoNumber),
			("-1TiB", UnitError::NoNumber),
			("1.2.3TiB", UnitError::NoNumber),
			("1,5TiB", UnitError::Comma),
			("1 GB/s", UnitError::UnknownUnit("GB/s".into())),
			("1Ti B", UnitError::UnknownUnit("Ti B".into())),
			("99999999 PiB", UnitError::TooLarge),
			("18446744073709551616", UnitError::TooLarge),
			("9999999999999999999999999999999999999999", UnitError::TooLarge),
			("1.0000000001 B", UnitError::TooPrecise { decimals: 9 }),
		] {
			assert_eq!(text.parse::<Size>(), Err(error), "{text}");
		}
		for (bytes, shown) in [
			(0, "0 B"),
			(1023, "1023 B"),
			(1024, "1 KiB"),
			(1536, "1.5 KiB"),
			(8 << 20, "8 MiB"),
			(u64::MAX, "15.9 EiB"),
		] {
			assert_eq!(Size(bytes).to_string(), shown);
		}
	}
}
