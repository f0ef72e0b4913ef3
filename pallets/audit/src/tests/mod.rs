// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, by concern.

mod answer;
mod census;
mod challenge;
mod draws;
mod failing;
mod latency;
mod params;
mod state_machine;
mod verifier;

use crate::mock::*;
use planaria_primitives::CodingParams;

/// 2+1 in fragments of four chunks, held by miners 0, 1 and 2.
fn lean() -> TestFile {
	TestFile::new(7, 2 * 4 * 1024, CodingParams::LEAN).store(&[0, 1, 2])
}

/// 4+8 in fragments of four chunks, held by miners 0 to 11.
fn standard(seed: u32) -> TestFile {
	let holders: Vec<u32> = (0..12).collect();
	TestFile::new(seed, 4 * 4 * 1024, CodingParams::STANDARD).store(&holders)
}
