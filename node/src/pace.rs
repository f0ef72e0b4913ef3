// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast a miner restores and checks itself, as a person writes it.

use clap::ValueEnum;
use planaria_engine::{Profile, Throttle};
use planaria_primitives::size::{Size, UnitError};
use std::{num::NonZeroU64, str::FromStr, time::Duration};

/// How much of the machine restorations and self-checks may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum RestoreProfile {
	/// As little as keeps up with the deadlines.
	Quiet,
	/// Leaves room for serving.
	Balanced,
	/// All there is.
	Fast,
}

impl From<RestoreProfile> for Profile {
	fn from(profile: RestoreProfile) -> Self {
		match profile {
			RestoreProfile::Quiet => Self::Quiet,
			RestoreProfile::Balanced => Self::Balanced,
			RestoreProfile::Fast => Self::Fast,
		}
	}
}

/// Bytes per second, written as `20MB/s` or `2.5 MiB/s`, or `none` for as many as the profile
/// allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RestoreRate(pub Option<NonZeroU64>);

/// Why a text is not a [`RestoreRate`].
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum RateError {
	/// It is not a number of bytes.
	#[error("{0}; write for example 20MB/s, or none")]
	Bytes(#[from] UnitError),
	/// Transfers would stall.
	#[error("at less than {least} KiB/s restorations stall: give more, or use the profile quiet", least = Throttle::MIN_CAP >> 10)]
	TooSlow,
}

impl FromStr for RestoreRate {
	type Err = RateError;

	fn from_str(text: &str) -> Result<Self, RateError> {
		let text = text.trim();
		if text.eq_ignore_ascii_case("none") {
			return Ok(Self(None));
		}
		let Size(bytes) = text.strip_suffix("/s").unwrap_or(text).parse()?;
		if bytes < Throttle::MIN_CAP {
			return Err(RateError::TooSlow);
		}
		Ok(Self(NonZeroU64::new(bytes)))
	}
}

/// A time between two looks at the same fragment, written as `14d` or `12h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckEvery(pub Duration);

/// Why a text is not a [`CheckEvery`].
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PeriodError {
	/// It is not a time.
	#[error("{0}; write for example 14d or 12h")]
	NotATime(#[from] humantime::DurationError),
	/// It is too short or too long.
	#[error("a full check takes between a minute and a year; write for example 14d or 12h")]
	OutOfRange,
}

impl FromStr for CheckEvery {
	type Err = PeriodError;

	fn from_str(text: &str) -> Result<Self, PeriodError> {
		let period = humantime::parse_duration(text.trim())?;
		let range = Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 3600);
		if range.contains(&period) { Ok(Self(period)) } else { Err(PeriodError::OutOfRange) }
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn reads_rates() {
		let rate = |text: &str| text.parse::<RestoreRate>().map(|rate| rate.0.map(NonZeroU64::get));
		assert_eq!(rate("20MB/s"), Ok(Some(20_000_000)));
		assert_eq!(rate("2.5 MiB/s"), Ok(Some(5 << 19)));
		assert_eq!(rate("262144"), Ok(Some(256 << 10)));
		assert_eq!(rate(" None "), Ok(None));
		assert_eq!(rate("262143"), Err(RateError::TooSlow));
		assert_eq!(rate("0MB/s"), Err(RateError::TooSlow));
		for text in ["", "fast", "20MB/h", "20Mbit/s"] {
			let error = rate(text).expect_err(text).to_string();
			assert!(error.contains("for example 20MB/s"), "{error}");
		}
	}

	#[test]
	fn reads_periods() {
		let secs = |text: &str| text.parse::<CheckEvery>().map(|every| every.0.as_secs());
		assert_eq!(secs("14d"), Ok(14 * 24 * 3600));
		assert_eq!(secs("1d 12h"), Ok(36 * 3600));
		assert_eq!(secs("60s"), Ok(60));
		for text in ["0s", "59s", "2y", "", "14", "x"] {
			let error = secs(text).expect_err(text).to_string();
			assert!(error.contains("for example 14d"), "{error}");
		}
	}
}
