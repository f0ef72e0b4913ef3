// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the items of a call took, for the weight of the call.

use alloc::collections::BTreeSet;
use pallet_planaria_support::{Standing, StandingCache, StandingPage};
use planaria_primitives::MinerId;

/// What the items of a call took, and what they need not look up twice.
#[derive(Debug, Default)]
pub(crate) struct Tally {
	/// How many times a segment was judged that had a verdict, or has one now.
	pub verdicts: u32,
	/// How many items were refused, or came to a segment with a verdict.
	pub dear: u32,
	/// How many others were the first of their holder.
	pub first: u32,
	holders: BTreeSet<MinerId>,
	// No item of a call changes a standing.
	standings: StandingCache,
}

impl Tally {
	/// Notes an item that concerned this holder.
	pub fn done(&mut self, holder: Option<MinerId>, verdict: bool) {
		let first = holder.is_none_or(|holder| self.holders.insert(holder));
		if verdict {
			self.dear = self.dear.saturating_add(1);
		} else if first {
			self.first = self.first.saturating_add(1);
		}
	}

	/// Notes an item that was refused.
	pub fn refused(&mut self) {
		self.dear = self.dear.saturating_add(1);
	}

	/// How many of so many items were neither dear nor the first of their holder.
	pub fn others(&self, items: u32) -> u32 {
		items.saturating_sub(self.dear).saturating_sub(self.first)
	}

	/// How the network sees a miner, whose page is read where no item has needed it before.
	pub fn standing(
		&self,
		miner: MinerId,
		read: impl FnOnce(u32) -> StandingPage,
	) -> Option<Standing> {
		self.standings.get(miner, read)
	}

	/// How many pages of standings were read.
	pub fn pages(&self) -> u32 {
		u32::try_from(self.standings.pages()).unwrap_or(u32::MAX)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn only_the_first_item_of_a_holder_is_counted_apart() {
		let mut tally = Tally::default();
		for holder in [1, 1, 2, 1, 2] {
			tally.done(Some(MinerId(holder)), false);
		}
		assert_eq!((tally.dear, tally.first, tally.others(5)), (0, 2, 3));
		tally.done(Some(MinerId(1)), true);
		tally.done(None, false);
		tally.refused();
		assert_eq!((tally.dear, tally.first, tally.others(8)), (2, 3, 3));
		// The holder of an item with a verdict is known from then on.
		tally.done(Some(MinerId(3)), true);
		tally.done(Some(MinerId(3)), false);
		assert_eq!((tally.dear, tally.first, tally.others(10)), (3, 3, 4));
	}
}
