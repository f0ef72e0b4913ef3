// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What `fuzz/` runs without an end, with a few thousand inputs.

use proptest::prelude::*;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

proptest! {
	#![proptest_config(ProptestConfig { cases: 4_000, ..Default::default() })]

	#[test]
	fn whatever_arrives_is_decoded_or_refused(
		data in prop::collection::vec(any::<u8>(), 0..3_000),
	) {
		fuzz::decode(&data);
	}

	#[test]
	fn only_the_right_proof_is_accepted(
		head in prop::array::uniform6(any::<u8>()),
		changes in prop_oneof![
			prop::collection::vec(any::<u8>(), 0..3_000),
			prop::collection::vec(any::<u8>(), 0..4),
			Just(Vec::new()),
		],
	) {
		fuzz::proof(&[&head[..], &changes[..]].concat());
	}

	/// The length of the right one: nothing is refused for its length alone.
	#[test]
	fn a_bit_makes_the_difference(
		file in 0..4u8, index in 0..64u8, chunk in 0..8u8, place in any::<u8>(), with in any::<u8>(),
	) {
		fuzz::proof(&[file, index, chunk, 1, 0, 128, place, with]);
	}
}
