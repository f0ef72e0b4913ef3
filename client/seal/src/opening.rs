// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opening a range while it arrives.

use crate::{Cipher, OpenError};
use std::{ops::Range, sync::Arc};

/// Opens a range of a file from sealed bytes that are given piece by piece.
///
/// Only authentic bytes come out, each as soon as its frame is complete. That nothing is missing at
/// the end [`finish`](Self::finish) says.
#[derive(Debug)]
pub struct Opening {
	cipher: Arc<Cipher>,
	plain: Range<u64>,
	frames: Range<u64>,
	/// What there is of the next frame.
	buffer: Vec<u8>,
}

impl Opening {
	pub(crate) fn new(cipher: Arc<Cipher>, plain: Range<u64>) -> Self {
		let frames = cipher.layout().frames_of(&plain);
		Self { cipher, plain, frames, buffer: Vec::new() }
	}

	/// The sealed bytes that are needed: whole frames. Empty where there are none or no more.
	pub fn sealed(&self) -> Range<u64> {
		if self.frames.is_empty() {
			return 0..0;
		}
		let layout = self.cipher.layout();
		layout.sealed(self.frames.start).start..layout.sealed(self.frames.end - 1).end
	}

	/// The next sealed bytes, however many; returns what of the range could be opened with them, in
	/// order.
	pub fn push(&mut self, mut sealed: &[u8]) -> Result<Vec<Vec<u8>>, OpenError> {
		let mut opened = Vec::new();
		while !sealed.is_empty() {
			let frame = self.frames.start;
			if self.frames.is_empty() {
				return Err(OpenError::TooMuch);
			}
			let place = self.cipher.layout().sealed(frame);
			let len = usize::try_from(place.end - place.start).expect("at most 64 KiB; qed");
			let (part, rest) = sealed.split_at(sealed.len().min(len - self.buffer.len()));
			self.buffer.reserve_exact(len - self.buffer.len());
			self.buffer.extend_from_slice(part);
			sealed = rest;
			if self.buffer.len() == len {
				let mut bytes = std::mem::take(&mut self.buffer);
				let plain_len = self.cipher.open_frame(frame, &mut bytes)?.len();
				bytes.truncate(plain_len);
				self.frames.start += 1;
				let held = self.cipher.layout().plain(frame);
				let within = |offset: u64| {
					let offset = offset.clamp(held.start, held.end) - held.start;
					usize::try_from(offset).expect("at most 64 KiB; qed")
				};
				bytes.truncate(within(self.plain.end));
				bytes.drain(..within(self.plain.start));
				opened.push(bytes);
			}
		}
		Ok(opened)
	}

	/// Everything was given: is it all?
	pub fn finish(self) -> Result<(), OpenError> {
		match self.frames.is_empty() {
			true => Ok(()),
			false => Err(OpenError::Truncated(self.frames.start)),
		}
	}
}
