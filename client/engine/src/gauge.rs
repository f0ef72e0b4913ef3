// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a restoration that runs shows of itself.

use crate::status::RestoreSource;
use planaria_transfer::Meter;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// One attempt to restore a fragment, as it goes.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
	/// Bytes that arrived from holders.
	pub(crate) read: Meter,
	/// Bytes that arrived from other restorers.
	pub(crate) passed: Meter,
	had: AtomicU64,
	lies: AtomicU64,
	source: AtomicU8,
}

impl Gauge {
	/// The fragment now comes from there.
	pub(crate) fn set_source(&self, source: RestoreSource) {
		let source = match source {
			RestoreSource::Copy => 1,
			RestoreSource::Cooperative => 2,
			RestoreSource::Rebuild => 3,
		};
		self.source.store(source, Relaxed);
	}

	/// Where it comes from; `None` before that is decided.
	pub(crate) fn source(&self) -> Option<RestoreSource> {
		match self.source.load(Relaxed) {
			1 => Some(RestoreSource::Copy),
			2 => Some(RestoreSource::Cooperative),
			3 => Some(RestoreSource::Rebuild),
			_ => None,
		}
	}

	/// So many of its bytes are here.
	pub(crate) fn set_had(&self, bytes: u64) {
		self.had.store(bytes, Relaxed);
	}

	/// How many of its bytes are here.
	pub(crate) fn had(&self) -> u64 {
		self.had.load(Relaxed)
	}

	/// A source was caught with wrong bytes.
	pub(crate) fn lied(&self) {
		self.lies.fetch_add(1, Relaxed);
	}

	/// How many were.
	pub(crate) fn lies(&self) -> u64 {
		self.lies.load(Relaxed)
	}

	/// How many bytes have arrived from other miners.
	pub(crate) fn arrived(&self) -> u64 {
		self.read.bytes() + self.passed.bytes()
	}
}
