// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where a fragment can be had.

use planaria_primitives::{MinerId, segment::bit};
use planaria_runtime_api::FragmentRecord;
use rand::{Rng, seq::SliceRandom};

/// Who may have the other fragments of the segment: those that are whole first, then those under
/// restoration, which their holder may still have; at random among equals.
pub fn siblings(record: &FragmentRecord, me: MinerId, rng: &mut impl Rng) -> Vec<(u8, MinerId)> {
	let mut sources: Vec<(u8, MinerId)> = (0..)
		.zip(&record.holders)
		.filter(|(index, _)| *index != record.name.index && record.confirmed & bit(*index) != 0)
		.filter_map(|(index, holder)| Some((index, (*holder)?)))
		.filter(|(_, holder)| *holder != me)
		.collect();
	sources.shuffle(rng);
	sources.sort_by_key(|(index, _)| record.restoring & bit(*index) != 0);
	sources
}
