// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The census, and that every stored byte is as likely to be drawn as any other.

use crate::{Census, FANOUT, Node, Nodes, PAGE, Page, Pages, mock::*};
use codec::{Decode, Encode, MaxEncodedLen};
use planaria_primitives::{CodingParams, FileId, FileSpec, FragmentId, Hash, SegmentId};
use proptest::prelude::*;
use sp_io::hashing::blake2_256;
use std::collections::BTreeMap;

fn seed(number: u32) -> Hash {
	blake2_256(&(b"seed", number).encode())
}

#[test]
fn a_page_of_one_large_file_is_small() {
	let mut page = Page::default();
	(0..512).for_each(|place| page.set(place, 12 << 23));
	assert_eq!((page.runs.len(), page.encoded_size()), (1, 64 + 1 + 6));
	page.set(511, 64);
	page.set(17, 0);
	assert_eq!(page.runs.len(), 2);
	assert!(Page::max_encoded_len() < 4096 && Node::max_encoded_len() < 4096);
}

proptest! {
	#[test]
	fn a_page_has_what_was_set(
		changes in prop::collection::vec((0..512u16, prop_oneof![Just(0u32), 1..4u32, any::<u32>()]), 0..200),
	) {
		let mut page = Page::default();
		let mut model = BTreeMap::new();
		for (place, bytes) in changes {
			page.set(place, bytes);
			if bytes == 0 { model.remove(&place); } else { model.insert(place, bytes); }
			prop_assert_eq!(page.bytes(place), bytes);
		}
		prop_assert!(page.sizes().eq(model.iter().map(|(place, bytes)| (*place, *bytes))));
		prop_assert_eq!(page.is_empty(), model.is_empty());
		prop_assert_eq!(Page::decode(&mut &page.encode()[..]), Ok(page.clone()));
		// Whatever the way there, the same segments make the same page.
		let mut again = Page::default();
		model.iter().rev().for_each(|(place, bytes)| again.set(*place, *bytes));
		prop_assert_eq!(&again, &page);
		// The first and the last byte of each, and none behind.
		let mut before = 0u64;
		for (place, bytes) in model {
			let bytes = u64::from(bytes);
			prop_assert_eq!(page.locate(before), Some((place, 0)));
			prop_assert_eq!(page.locate(before + bytes - 1), Some((place, bytes - 1)));
			before += bytes;
		}
		prop_assert_eq!(page.locate(before), None);
	}

	/// Ids that make the tree grow, in any order, deleted again in any order.
	#[test]
	fn the_tree_has_what_was_counted(
		changes in prop::collection::vec(
			(prop_oneof![0..2_000u64, 0..1u64 << 20, 0..1u64 << 36], prop_oneof![Just(0u32), 1..1_000_000u32]),
			1..120,
		),
	) {
		new_test_ext().execute_with(|| {
			let mut model = BTreeMap::new();
			for (id, bytes) in changes {
				Audit::count(SegmentId(id), bytes);
				if bytes == 0 { model.remove(&id); } else { model.insert(id, u64::from(bytes)); }
			}
			assert_eq!(Census::<Test>::get().bytes, model.values().sum::<u64>());
			let mut before = 0;
			for (id, bytes) in &model {
				assert_eq!(Audit::segment_at(before), Some((SegmentId(*id), 0)));
				let last = before + bytes - 1;
				assert_eq!(Audit::segment_at(last), Some((SegmentId(*id), bytes - 1)));
				before += bytes;
			}
			assert_eq!(Audit::segment_at(before), None);
			for id in model.into_keys() {
				Audit::count(SegmentId(id), 0);
			}
			// Nothing stays behind.
			assert_eq!(Census::<Test>::get().bytes, 0);
			assert_eq!(Pages::<Test>::iter().count() + Nodes::<Test>::iter().count(), 0);
			assert_eq!(Audit::segment_at(0), None);
		});
	}
}

#[test]
fn the_tree_is_as_high_as_it_must_be() {
	new_test_ext().execute_with(|| {
		let height = |id| {
			Audit::count(SegmentId(id), 64);
			Census::<Test>::get().height
		};
		let (page, fanout) = (u64::from(PAGE), u64::from(FANOUT));
		assert_eq!((height(0), height(page - 1)), (0, 0));
		assert_eq!((height(page), height(page * fanout - 1)), (1, 1));
		// 33 million segments with two levels: a draw reads the total, two nodes and a page.
		assert_eq!((height(page * fanout), height(page * fanout * fanout - 1)), (2, 2));
		assert_eq!(height(page * fanout * fanout), 3);
		assert_eq!(height(u64::MAX), 7);
		assert_eq!(Census::<Test>::get().bytes, 8 * 64);
		assert_eq!(Audit::segment_at(7 * 64 + 1), Some((SegmentId(u64::MAX), 1)));
	});
}

/// What is drawn `draws` times of the files of these sizes, of which those are deleted that `goes`
/// says, compared with their bytes: chi-squared, per degree of freedom in standard deviations.
fn skew(sizes: impl Iterator<Item = (u64, CodingParams)>, goes: impl Fn(u64) -> bool) -> f64 {
	const BUCKETS: usize = 64;
	const DRAWS: u64 = 20_000;
	let mut result = 0.0;
	new_test_ext().execute_with(|| {
		for (number, (size, coding)) in (0u32..).zip(sizes) {
			let spec = FileSpec::new(size, coding).expect("valid");
			let holders: Vec<u32> = (0..u32::from(spec.fragments())).collect();
			store(FileId(seed(number)), spec, &holders);
		}
		let ids: Vec<SegmentId> = Segments::iter_keys().collect();
		ids.into_iter().filter(|id| goes(id.0)).for_each(remove_segment);
		check();

		// The fragments that are left, in buckets that have about as many bytes each.
		let mut fragments = BTreeMap::new();
		for id in Segments::iter_keys() {
			let info = info(id).expect("stored");
			for index in 0..info.segment.fragments() {
				fragments.insert(FragmentId { segment: id, index }, info.fragment_len());
			}
		}
		let total: u64 = fragments.values().sum();
		let mut expected = [0.0; BUCKETS];
		let mut bucket_of = BTreeMap::new();
		let mut before = 0;
		for (fragment, len) in fragments {
			let bucket = (before * BUCKETS as u64 / total) as usize;
			expected[bucket] += len as f64 / total as f64 * DRAWS as f64;
			bucket_of.insert(fragment, bucket);
			before += len;
		}
		let mut counts = [0.0; BUCKETS];
		for number in 0..DRAWS {
			let (fragment, _) = Audit::drawn(&seed(1), number).expect("every draw hits");
			counts[bucket_of[&fragment]] += 1.0;
		}
		let used = expected.iter().filter(|e| **e > 0.0).count();
		let terms = counts.iter().zip(expected).filter(|(_, e)| *e > 0.0);
		let chi: f64 = terms.map(|(count, e)| (count - e).powi(2) / e).sum();
		// By Wilson and Hilferty the cube root is normal.
		let freedom = (used - 1) as f64;
		let variance = 2.0 / (9.0 * freedom);
		result = ((chi / freedom).cbrt() - (1.0 - variance)) / variance.sqrt();
	});
	result
}

/// Sizes from 1 byte to several segments, codings from 2 to 12 fragments.
fn mixed(count: u64) -> impl Iterator<Item = (u64, CodingParams)> {
	let codings =
		[CodingParams::LEAN, CodingParams::STANDARD, CodingParams::copies(2).expect("valid")];
	(0..count).map(move |n| (1 + (n * n * 7919) % (40 << 20), codings[(n % 3) as usize]))
}

fn small(count: u64) -> impl Iterator<Item = (u64, CodingParams)> {
	(0..count).map(|_| (4096, CodingParams::STANDARD))
}

/// The seeds are fixed, so this never flickers: a fair draw is beyond 3.5 once in 4,000 times.
fn assert_fair(skew: f64) {
	assert!(skew.abs() < 3.5, "{skew} standard deviations");
}

#[test]
fn every_byte_is_as_likely() {
	assert_fair(skew(mixed(600), |_| false));
}

#[test]
fn a_small_deletion_changes_nothing_for_the_rest() {
	assert_fair(skew(mixed(600), |id| id == 300 || id == 301));
}

#[test]
fn one_percent_of_holes() {
	assert_fair(skew(mixed(600), |id| id % 100 == 42));
}

#[test]
fn half_of_it_holes() {
	assert_fair(skew(mixed(800), |id| id % 2 == 0));
}

#[test]
fn ninety_nine_percent_of_holes() {
	assert_fair(skew(mixed(3_000), |id| id % 100 != 42));
}

#[test]
fn small_files_only() {
	assert_fair(skew(small(2_000), |_| false));
	assert_fair(skew(small(2_000), |id| id % 3 != 0));
}
