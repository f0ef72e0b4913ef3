// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which sealed bytes hold which of the file's.

use std::ops::Range;

/// The sealed length of every frame but the last; the first shares it with the header.
///
/// It divides a fragment, and so a segment: no frame but one of a segment's last few bytes lies in
/// two fragments.
pub const FRAME_LEN: u64 = 64 << 10;

/// What a frame takes beside its bytes.
pub const TAG_LEN: u64 = 16;

/// How many of the file's bytes a frame holds that shares its place with nothing.
const ROOM: u64 = FRAME_LEN - TAG_LEN;

/// The geometry of a sealed file. Frame `k` ends at `(k + 1) × 64 KiB`, the last one at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
	header: u64,
	size: u64,
}

impl Layout {
	/// The geometry of `size` bytes behind a header of `header` bytes; `None` where the sealed file
	/// would be longer than 2^63 bytes, or the header than a frame has room for.
	pub fn new(header: u64, size: u64) -> Option<Self> {
		let layout = Self { header, size };
		let fits = header < ROOM && size <= 1 << 62;
		fits.then_some(layout)
	}

	/// How many bytes the header takes.
	pub fn header_len(&self) -> u64 {
		self.header
	}

	/// How many bytes the file has.
	pub fn size(&self) -> u64 {
		self.size
	}

	/// How many bytes it has when it is sealed.
	pub fn sealed_len(&self) -> u64 {
		self.header + self.size + self.frames() * TAG_LEN
	}

	/// How many frames there are, at least one.
	pub fn frames(&self) -> u64 {
		1 + self.size.saturating_sub(self.first()).div_ceil(ROOM)
	}

	/// The file's bytes that a frame holds; empty behind the last frame.
	pub fn plain(&self, frame: u64) -> Range<u64> {
		let start = |frame: u64| match frame.checked_sub(1) {
			None => 0,
			Some(before) => before.saturating_mul(ROOM).saturating_add(self.first()).min(self.size),
		};
		start(frame)..start(frame.saturating_add(1))
	}

	/// The sealed bytes that a frame takes; empty behind the last frame.
	pub fn sealed(&self, frame: u64) -> Range<u64> {
		let end = self.sealed_len();
		let start = if frame == 0 { self.header } else { frame.saturating_mul(FRAME_LEN).min(end) };
		start..frame.saturating_add(1).saturating_mul(FRAME_LEN).min(end)
	}

	/// The frames that hold a range of the file's bytes; none for an empty range. What lies behind
	/// the file's end is left out.
	pub fn frames_of(&self, plain: &Range<u64>) -> Range<u64> {
		let end = plain.end.min(self.size);
		if plain.start >= end {
			return 0..0;
		}
		let frame = |offset: u64| match offset.checked_sub(self.first()) {
			None => 0,
			Some(rest) => 1 + rest / ROOM,
		};
		frame(plain.start)..frame(end - 1) + 1
	}

	/// The frame that a sealed offset lies in; for the header's it is the first.
	pub(crate) fn frame_at(&self, sealed: u64) -> u64 {
		sealed / FRAME_LEN
	}

	/// How many bytes the first frame has room for.
	fn first(&self) -> u64 {
		ROOM - self.header
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn frames_have_these_places() {
		let layout = Layout::new(100, 70_000).expect("fits");
		assert_eq!(layout.frames(), 2);
		assert_eq!((layout.plain(0), layout.plain(1)), (0..65_420, 65_420..70_000));
		assert_eq!((layout.sealed(0), layout.sealed(1)), (100..65_536, 65_536..70_132));
		assert_eq!(layout.sealed_len(), 70_132);
		assert!(layout.plain(2).is_empty() && layout.sealed(2).is_empty());
		assert!(layout.plain(u64::MAX).is_empty() && layout.sealed(u64::MAX).is_empty());
		let empty = Layout::new(100, 0).expect("fits");
		assert_eq!((empty.frames(), empty.sealed_len(), empty.sealed(0)), (1, 116, 100..116));
		assert_eq!(Layout::new(ROOM, 1), None);
		assert_eq!(Layout::new(100, u64::MAX), None);
	}

	proptest! {
		#[test]
		fn frames_tile_the_file(header in 0..4096u64, size in 0..5 * FRAME_LEN, big in 0..1u64 << 62) {
			let layout = Layout::new(header, size).expect("fits");
			let (mut plain, mut sealed) = (0, header);
			for frame in 0..layout.frames() {
				prop_assert_eq!(layout.plain(frame).start, plain);
				prop_assert_eq!(layout.sealed(frame).start, sealed);
				plain = layout.plain(frame).end;
				sealed = layout.sealed(frame).end;
				prop_assert_eq!(
					layout.sealed(frame).count() as u64,
					layout.plain(frame).count() as u64 + TAG_LEN
				);
			}
			prop_assert_eq!((plain, sealed), (size, layout.sealed_len()));
			let big = Layout::new(header, big).expect("fits");
			let last = big.frames() - 1;
			prop_assert_eq!(big.plain(last).end, big.size());
			prop_assert_eq!(big.sealed(last).end, big.sealed_len());
		}

		#[test]
		fn a_range_is_in_its_frames(
			header in 0..4096u64, size in 0..5 * FRAME_LEN, start in 0..5 * FRAME_LEN, len in 0..FRAME_LEN,
		) {
			let layout = Layout::new(header, size).expect("fits");
			let range = start..start + len;
			let touched: Vec<_> = (0..layout.frames())
				.filter(|frame| {
					let plain = layout.plain(*frame);
					plain.start.max(range.start) < plain.end.min(range.end)
				})
				.collect();
			prop_assert_eq!(layout.frames_of(&range).collect::<Vec<_>>(), touched);
		}
	}
}
