// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Amounts and sizes as people write them.

use planaria_primitives::size::{scaled, split};
use std::{fmt, str::FromStr};

pub use planaria_primitives::size::{Size, UnitError};

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
}
