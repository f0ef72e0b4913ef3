// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, by concern.

mod bans;
mod bounties;
mod braked;
mod cancel;
mod challenge;
mod claim;
mod decline;
mod expiry;
mod open;
mod ready;
mod removal;
mod report;
mod settlement;
mod state_machine;
mod verdict;

use crate::mock::*;
use planaria_primitives::CodingParams;

/// 2+1 in fragments of four chunks, held by miners 0, 1 and 2.
fn lean() -> TestFile {
	TestFile::new(7, 2 * 4 * 1024, CodingParams::LEAN).store(&[0, 1, 2])
}

/// `count` files of one segment, 4+8 in fragments of four chunks, all held by miners 0 to 11.
fn standard(count: u32) -> Vec<TestFile> {
	let holders: Vec<u32> = (0..12).collect();
	(0..count)
		.map(|seed| TestFile::new(seed, 4 * 4 * 1024, CodingParams::STANDARD).store(&holders))
		.collect()
}

/// The fragment `index` of each of the files.
fn each(files: &[TestFile], index: u8) -> Vec<planaria_primitives::FragmentId> {
	files.iter().map(|file| file.fragment(0, index)).collect()
}
