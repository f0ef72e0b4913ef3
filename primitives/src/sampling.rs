// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which fragments of a batch and which of their chunks a random seed asks for.
//!
//! A restore report proves a sample of the batch that was declared ready before the seed existed.

use crate::{FragmentId, Hash};
use codec::Encode;

/// How many fragments of a batch a report proves by the seed's choice alone.
pub const SAMPLE: u32 = 8;

/// A number below `bound` that follows from `seed`, the domain and `about`; 0 where `bound` is.
fn draw(context: &str, seed: &Hash, about: &impl Encode, bound: u32) -> u32 {
	let mut hasher = blake3::Hasher::new_derive_key(context);
	hasher.update(seed);
	about.using_encoded(|bytes| hasher.update(bytes));
	let mut wide = [0; 8];
	hasher.finalize_xof().fill(&mut wide);
	// The high half of a 64-bit random times the bound: the bias is below 2^-32.
	#[allow(clippy::cast_possible_truncation)] // the product's high half is below `bound`
	let number = ((u128::from(u64::from_le_bytes(wide)) * u128::from(bound)) >> 64) as u32;
	number
}

/// The chunk of a fragment of `chunks` chunks that `seed` asks for.
pub fn chunk(seed: &Hash, fragment: &FragmentId, chunks: u32) -> u32 {
	draw("planaria 2026 challenged chunk", seed, fragment, chunks)
}

/// The number below `ids` of a fragment's candidate holder: see [`placement`](crate::placement).
pub(crate) fn candidate(seed: &Hash, segment: u32, index: u8, choice: u8, ids: u32) -> u32 {
	draw("planaria 2026 candidate holder", seed, &(segment, index, choice), ids)
}

/// The positions of a batch of `len` (at most 64) that are to be proven: `always`, and by the
/// seed's choice as many others as make up [`SAMPLE`], or all.
pub fn positions(seed: &Hash, len: u32, always: u64) -> u64 {
	let len = len.min(64);
	let all = if len == 64 { u64::MAX } else { (1 << len) - 1 };
	let mut chosen = 0u64;
	// A partial shuffle: the k-th draw takes the d-th position that is still free.
	for k in 0..SAMPLE.min(len) {
		let mut skip = draw("planaria 2026 sampled position", seed, &k, len - k);
		for position in 0..len {
			if chosen >> position & 1 == 0 {
				if skip == 0 {
					chosen |= 1 << position;
					break;
				}
				skip -= 1;
			}
		}
	}
	(chosen | always) & all
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::SegmentId;

	fn seed(n: u32) -> Hash {
		*blake3::hash(&n.to_le_bytes()).as_bytes()
	}

	#[test]
	fn a_sample_has_its_size_and_what_is_always_asked() {
		for n in 0..200 {
			for len in [0, 1, 7, 8, 9, 40, 64, 100] {
				let sample = positions(&seed(n), len, 0);
				assert_eq!(sample.count_ones(), len.min(SAMPLE));
				assert!(len >= 64 || sample >> len == 0);
				let always = 0b1010_0000_0000;
				let with = positions(&seed(n), len, always);
				let all = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
				assert_eq!(with, (sample | always) & all);
			}
		}
	}

	/// Chi-squared against the 99.9 % quantile; the seeds are fixed, so this never flickers.
	#[test]
	fn chunks_and_positions_are_drawn_evenly() {
		let fragment = FragmentId { segment: SegmentId(7), index: 3 };
		let (mut chunks, mut places) = ([0u32; 13], [0u32; 20]);
		for n in 0..13_000 {
			chunks[chunk(&seed(n), &fragment, 13) as usize] += 1;
			let sample = positions(&seed(n), 20, 0);
			(0..20).for_each(|p| places[p] += u32::from(sample >> p & 1 == 1));
		}
		let chi = |counts: &[u32]| {
			let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
			counts.iter().map(|c| (f64::from(*c) - expected).powi(2) / expected).sum::<f64>()
		};
		assert!(chi(&chunks) < 32.9, "{chunks:?}");
		assert!(chi(&places) < 43.8, "{places:?}");
		assert_eq!(chunk(&seed(0), &fragment, 1), 0);
		assert_eq!(chunk(&seed(0), &fragment, 0), 0);
	}
}
