// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Amounts and sizes as people write them.

use std::{fmt, str::FromStr};

/// The token's name.
pub const SYMBOL: &str = "PLAN";
/// Digits behind the decimal point.
pub const DECIMALS: u32 = 12;
/// One token in its smallest parts.
pub const UNIT: u128 = 10u128.pow(DECIMALS);

/// An amount of the token, in its smallest parts.
///
/// Reads `10`, `1.5 PLAN`, `1_000PLAN`: whole tokens unless the unit `planck` is given. Shows
/// `1.5 PLAN`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(pub u128);

impl FromStr for Amount {
	type Err = UnitError;
	fn from_str(text: &str) -> Result<Self, UnitError> {
		let (number, unit) = split(text)?;
		let decimals = match unit.to_ascii_uppercase().as_str() {
			"" | SYMBOL => DECIMALS,
			"PLANCK" => 0,
			_ => return Err(UnitError::UnknownUnit(unit.into())),
		};
		scaled(&number, decimals).map(Self)
	}
}

impl fmt::Display for Amount {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (whole, part) = (self.0 / UNIT, self.0 % UNIT);
		if part == 0 {
			return write!(f, "{whole} {SYMBOL}");
		}
		let digits = format!("{part:012}");
		write!(f, "{whole}.{} {SYMBOL}", digits.trim_end_matches('0'))
	}
}

/// A number of bytes.
///
/// Reads `4096`, `1GiB`, `1.5 TiB`, `10 MB`: powers of 1024 with an `i`, of 1000 without.
/// Shows `1.5 GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Size(pub u64);

const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

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
fn split(text: &str) -> Result<(String, &str), UnitError> {
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
fn scaled(number: &str, decimals: u32) -> Result<u128, UnitError> {
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

/// What is wrong with an amount or a size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnitError {
	/// There is no number, or more than one decimal point.
	#[error("a number is needed, for example 10 or 1.5")]
	NoNumber,
	/// A comma could be either separator.
	#[error("use a point for decimals and nothing or _ between thousands")]
	Comma,
	/// The unit is not known.
	#[error("unknown unit {0:?}: amounts are in PLAN (or planck), sizes in B, KiB, MiB, GiB, TiB")]
	UnknownUnit(String),
	/// There are more digits behind the point than the unit has.
	#[error("at most {decimals} digits behind the point")]
	TooPrecise {
		/// How many there may be.
		decimals: u32,
	},
	/// The number is too large.
	#[error("the number is too large")]
	TooLarge,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn amounts_are_read_and_shown() {
		for (text, planck, shown) in [
			("10 PLAN", 10 * UNIT, "10 PLAN"),
			("10", 10 * UNIT, "10 PLAN"),
			("1.5plan", 3 * UNIT / 2, "1.5 PLAN"),
			("0.000000000001", 1, "0.000000000001 PLAN"),
			(".5", UNIT / 2, "0.5 PLAN"),
			("1_000 PLAN", 1000 * UNIT, "1000 PLAN"),
			("7 planck", 7, "0.000000000007 PLAN"),
			("1.50000000000000", 3 * UNIT / 2, "1.5 PLAN"),
			("0", 0, "0 PLAN"),
		] {
			assert_eq!(text.parse(), Ok(Amount(planck)), "{text}");
			assert_eq!(Amount(planck).to_string(), shown);
			assert_eq!(shown.parse(), Ok(Amount(planck)), "{shown}");
		}
		for (text, error) in [
			("", UnitError::NoNumber),
			("PLAN", UnitError::NoNumber),
			(".", UnitError::NoNumber),
			("1.2.3", UnitError::NoNumber),
			("-1", UnitError::NoNumber),
			("1,5", UnitError::Comma),
			("1 DOT", UnitError::UnknownUnit("DOT".into())),
			("0.0000000000001", UnitError::TooPrecise { decimals: 12 }),
			("0.5 planck", UnitError::TooPrecise { decimals: 0 }),
			("999999999999999999999999999999", UnitError::TooLarge),
		] {
			assert_eq!(text.parse::<Amount>(), Err(error), "{text}");
		}
	}

	#[test]
	fn sizes_are_read_and_shown() {
		for (text, bytes) in [
			("4096", 4096),
			("1GiB", 1 << 30),
			("1.5 TiB", 3 << 39),
			("10 MB", 10_000_000),
			("1k", 1000),
			("0.5KiB", 512),
			("1 B", 1),
		] {
			assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
		}
		assert_eq!("1 GB/s".parse::<Size>(), Err(UnitError::UnknownUnit("GB/s".into())));
		assert_eq!("99999999 PiB".parse::<Size>(), Err(UnitError::TooLarge));
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
