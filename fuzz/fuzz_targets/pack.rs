// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! `cargo +nightly fuzz run pack`
#![no_main]

use planaria_pack::{Index, Tail};

// The index of a pack, from its end: every object is in the pack, and behind the one before.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
	let len = data.len() as u64;
	if let Ok(Tail::Index(index)) = Index::from_tail(data, len) {
		let mut end = 0;
		for entry in index.entries() {
			let range = entry.range();
			assert!(range.start >= end && range.start < range.end && range.end <= len);
			assert_eq!(index.find(entry.name()), Some(entry));
			end = range.end;
		}
	}
});
