// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How a file's fragments find their holders, and which miners a seed offers for each.
//!
//! Whoever stores a file either names any miners, or is offered a few for each fragment by a seed
//! that nobody could choose, and takes one of these. So an operator with a twentieth of the miners
//! gets about a twentieth of each segment, whatever it offers, and however it is in league with
//! whoever places the fragments it gets no more than it was drawn for.

use crate::{Hash, MinerId, sampling};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// How a file's fragments find their holders.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PlacementRule {
	/// Whoever places them chooses among all miners.
	#[codec(index = 0)]
	Chosen,
	/// Whoever places them chooses among a few that are drawn for each fragment.
	#[codec(index = 1)]
	Drawn,
}

impl fmt::Display for PlacementRule {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Chosen => "chosen",
			Self::Drawn => "drawn",
		})
	}
}

/// What the candidates of a file's fragments follow from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draw {
	/// The seed.
	pub seed: Hash,
	/// Miners are drawn with ids below this.
	pub ids: u32,
	/// How many candidates each fragment has.
	pub candidates: u16,
}

impl Draw {
	/// The most candidates of a fragment: a choice names one by a byte.
	pub const MAX_CANDIDATES: u16 = 256;

	/// A fragment's candidate of this number, drawn among all ids alike. It need not be a miner that
	/// takes data, or one at all, and may be another one's candidate as well; `None` where there are
	/// fewer candidates.
	pub fn candidate(&self, segment: u32, index: u8, choice: u8) -> Option<MinerId> {
		let drawn = u16::from(choice) < self.candidates && self.ids > 0;
		drawn.then(|| MinerId(sampling::candidate(&self.seed, segment, index, choice, self.ids)))
	}

	/// All candidates of a fragment, in the order of their numbers.
	pub fn of(&self, segment: u32, index: u8) -> impl Iterator<Item = MinerId> + '_ {
		(0..=u8::MAX).map_while(move |choice| self.candidate(segment, index, choice))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec::Vec;

	fn draw(candidates: u16) -> Draw {
		Draw { seed: [7; 32], ids: 1_000, candidates }
	}

	#[test]
	fn later_candidates_come_on_top() {
		let four: Vec<_> = draw(4).of(3, 2).collect();
		let eight: Vec<_> = draw(8).of(3, 2).collect();
		assert_eq!((four.len(), eight.len()), (4, 8));
		assert_eq!(eight[..4], four);
		assert_eq!(draw(4).candidate(3, 2, 3), Some(four[3]));
		assert_eq!(draw(4).candidate(3, 2, 4), None);
		assert_eq!(draw(Draw::MAX_CANDIDATES).of(0, 0).count(), 256);
		assert_eq!(Draw { ids: 0, ..draw(4) }.of(0, 0).count(), 0);
	}

	#[test]
	fn seed_segment_and_index_all_count() {
		let of = |seed, segment, index| {
			Draw { seed: [seed; 32], ..draw(4) }.of(segment, index).collect::<Vec<_>>()
		};
		let all = [of(1, 0, 0), of(2, 0, 0), of(1, 1, 0), of(1, 0, 1), of(1, 256, 0)];
		for (place, one) in all.iter().enumerate() {
			assert!(all[..place].iter().all(|other| other != one));
		}
	}

	/// Chi-squared against the 99.9 % quantile of 19 degrees of freedom; the seed is fixed.
	#[test]
	fn every_id_is_drawn_alike() {
		let draw = Draw { seed: [9; 32], ids: 20, candidates: 4 };
		let mut counts = [0u32; 20];
		for segment in 0..1_000 {
			for index in 0..12 {
				draw.of(segment, index).for_each(|miner| counts[miner.0 as usize] += 1);
			}
		}
		let expected = 48_000.0 / 20.0;
		let chi: f64 =
			counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
		assert!(chi < 43.8, "{counts:?}");
	}
}
