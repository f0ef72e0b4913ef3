// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Copying what is alive.

use crate::{Index, RepackError, Writer};
use std::{io::Write, ops::Range};

/// A pack is worth repacking when less than this part of it is alive.
pub const REPACK_BELOW: f64 = 0.5;

/// Whether less than half of the pack's bytes are alive.
pub fn is_worth_repacking(index: &Index, is_live: impl Fn(&[u8]) -> bool) -> bool {
	index.live_fraction(is_live) < REPACK_BELOW
}

/// Appends the objects of a pack that are alive to another one, in the order of the old one; returns
/// how many. `read` is asked for the old pack's bytes, one object's at a time.
pub fn repack<W: Write, E>(
	from: &Index,
	is_live: impl Fn(&[u8]) -> bool,
	mut read: impl FnMut(Range<u64>) -> Result<Vec<u8>, E>,
	to: &mut Writer<W>,
) -> Result<usize, RepackError<E>> {
	let mut copied = 0;
	for entry in from.entries().iter().filter(|entry| is_live(entry.name())) {
		let bytes = read(entry.range()).map_err(RepackError::Read)?;
		to.append(entry.name(), &bytes)?;
		copied += 1;
	}
	Ok(copied)
}
