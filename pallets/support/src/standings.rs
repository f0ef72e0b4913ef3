// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The standings of many miners at a time.
//!
//! To judge a segment is to ask for the standing of each of its holders. A call judges up to 64
//! segments; read page by page, their holders' standings cost as many reads as there are pages, not
//! as there are holders.

use crate::Standing;
use alloc::collections::BTreeMap;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::cell::RefCell;
use frame_support::{BoundedVec, traits::ConstU32};
use planaria_primitives::MinerId;
use scale_info::TypeInfo;

/// How many miners' standings are on a page: those of miner `n` are on page `n / PAGE`.
pub const PAGE: u32 = 1024;

/// The standings of the miners with [`PAGE`] successive ids, a byte each. It ends with the last one
/// that is registered.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct StandingPage(BoundedVec<u8, ConstU32<PAGE>>);

impl StandingPage {
	/// The page that this miner is on.
	pub const fn of(miner: MinerId) -> u32 {
		miner.0 / PAGE
	}

	/// The standing of a miner on this page; `None` where it is not registered.
	pub fn get(&self, miner: MinerId) -> Option<Standing> {
		self.0.get(place(miner)).copied().and_then(decoded)
	}

	/// Notes the standing of a miner on this page.
	pub fn set(&mut self, miner: MinerId, standing: Option<Standing>) {
		let place = place(miner);
		if self.0.len() <= place {
			self.0.bounded_resize(place.saturating_add(1), UNKNOWN);
		}
		if let Some(byte) = self.0.get_mut(place) {
			*byte = encoded(standing);
		}
		let len = self.0.iter().rposition(|byte| *byte != UNKNOWN).map_or(0, |last| last + 1);
		self.0.truncate(len);
	}

	/// Whether nobody on this page is registered.
	pub fn is_empty(&self) -> bool {
		self.0.is_empty()
	}

	/// How many on this page are registered.
	pub fn count(&self) -> usize {
		self.0.iter().filter(|byte| **byte != UNKNOWN).count()
	}
}

/// Where on its page a miner is.
fn place(miner: MinerId) -> usize {
	usize::try_from(miner.0 % PAGE).unwrap_or(usize::MAX)
}

const UNKNOWN: u8 = 0;

fn encoded(standing: Option<Standing>) -> u8 {
	match standing {
		None => UNKNOWN,
		Some(Standing::Serving) => 1,
		Some(Standing::Suspended) => 2,
		Some(Standing::Absent) => 3,
		Some(Standing::Leaving { expelled: false }) => 4,
		Some(Standing::Leaving { expelled: true }) => 5,
	}
}

fn decoded(byte: u8) -> Option<Standing> {
	Some(match byte {
		1 => Standing::Serving,
		2 => Standing::Suspended,
		3 => Standing::Absent,
		4 => Standing::Leaving { expelled: false },
		5 => Standing::Leaving { expelled: true },
		_ => return None,
	})
}

/// Standings as they are, of which every page is read once. To be used as long as none changes.
#[derive(Debug, Default)]
pub struct StandingCache(RefCell<BTreeMap<u32, StandingPage>>);

impl StandingCache {
	/// The standing of a miner, on a page that `read` reads where that was not done before.
	pub fn get(&self, miner: MinerId, read: impl FnOnce(u32) -> StandingPage) -> Option<Standing> {
		let page = StandingPage::of(miner);
		// Nothing is borrowed while the page is read.
		if let Some(known) = self.0.borrow().get(&page) {
			return known.get(miner);
		}
		let read = read(page);
		let standing = read.get(miner);
		self.0.borrow_mut().insert(page, read);
		standing
	}

	/// How many pages were read.
	pub fn pages(&self) -> usize {
		self.0.borrow().len()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec::Vec;
	use core::cell::Cell;

	const ALL: [Option<Standing>; 6] = [
		None,
		Some(Standing::Serving),
		Some(Standing::Suspended),
		Some(Standing::Absent),
		Some(Standing::Leaving { expelled: false }),
		Some(Standing::Leaving { expelled: true }),
	];

	#[test]
	fn a_page_has_the_standings_that_were_noted() {
		let mut page = StandingPage::default();
		for (miner, standing) in (5000..).zip(ALL.into_iter().cycle()).take(600) {
			page.set(MinerId(miner), standing);
			assert_eq!(page.get(MinerId(miner)), standing);
		}
		let noted: Vec<_> = (5000..5600).map(|miner| page.get(MinerId(miner))).collect();
		assert!(noted.into_iter().eq(ALL.into_iter().cycle().take(600)));
		assert_eq!(
			(page.count(), page.get(MinerId(4999)), page.get(MinerId(5600))),
			(500, None, None)
		);
		(5000..5600).for_each(|miner| page.set(MinerId(miner), None));
		assert!(page.is_empty());
	}

	#[test]
	fn the_first_and_the_last_are_on_their_page() {
		assert_eq!((StandingPage::of(MinerId(1023)), StandingPage::of(MinerId(1024))), (0, 1));
		let mut page = StandingPage::default();
		for miner in [MinerId(1023), MinerId(0)] {
			page.set(miner, ALL[3]);
			assert_eq!(page.get(miner), ALL[3]);
		}
		assert_eq!(page.encoded_size(), StandingPage::max_encoded_len());
	}

	#[test]
	fn each_page_is_read_once() {
		let (cache, read) = (StandingCache::default(), Cell::new(0));
		for miner in [0, 1, 2000, 2, 2001, 0] {
			let standing = cache.get(MinerId(miner), |number| {
				read.set(read.get() + 1);
				let mut page = StandingPage::default();
				(0..3).for_each(|i| page.set(MinerId(number * PAGE + i), ALL[1]));
				page
			});
			assert_eq!(standing.is_some(), miner < 3);
		}
		assert_eq!((cache.pages(), read.get()), (2, 2));
	}
}
