// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the calls weigh whose items are not alike, before and after they were made.

use super::WeightInfo;
use crate::{Config, MAX_READY, Pallet, tally::Tally};
use frame_support::weights::Weight;
use planaria_primitives::{MAX_FRAGMENTS, sampling::SAMPLE};

/// How many of a call's items are of which kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Items {
	/// Refused, or in segments that have a verdict, or had one.
	pub dear: u32,
	/// Others that are the first of their holder.
	pub apart: u32,
	/// All others.
	pub alike: u32,
}

impl Items {
	const fn all_dear(items: u32) -> Self {
		Self { dear: items, apart: 0, alike: 0 }
	}

	fn of(items: u32, tally: &Tally) -> Self {
		Self { dear: tally.dear, apart: tally.first, alike: tally.others(items) }
	}
}

impl<T: Config> Pallet<T> {
	/// `open`, at most.
	pub(crate) fn open_weight(fragments: u32) -> Weight {
		Self::open_of(Items::all_dear(fragments), most_pages(fragments))
	}

	/// `open`, as it was.
	pub(crate) fn opened_weight(fragments: u32, tally: &Tally) -> Weight {
		Self::open_of(Items::of(fragments, tally), tally.pages())
	}

	/// `open` of such items, where so many pages of standings are read.
	pub fn open_of(items: Items, pages: u32) -> Weight {
		let [alike, apart, dear] =
			[T::WeightInfo::open, T::WeightInfo::open_apart, T::WeightInfo::open_dear];
		sum(items, alike, apart, dear).saturating_add(T::WeightInfo::judge(pages))
	}

	/// `ready`, at most and without the gate.
	pub(crate) fn ready_weight(fragments: u32) -> Weight {
		Self::ready_of_pages(fragments, most_pages(fragments))
	}

	/// `ready` of so many fragments without the gate, where so many pages of standings are read.
	pub fn ready_of_pages(fragments: u32, pages: u32) -> Weight {
		T::WeightInfo::ready(fragments).saturating_add(T::WeightInfo::judge(pages))
	}

	/// `report`, at most and without the gate.
	pub(crate) fn report_weight(proofs: u32) -> Weight {
		Self::report_of(proofs, Items::all_dear(MAX_READY), most_pages(MAX_READY))
	}

	/// `report` of a batch of so many fragments, as it was and without the gate.
	pub(crate) fn reported_weight(proofs: u32, fragments: u32, tally: &Tally) -> Weight {
		Self::report_of(proofs, Items::of(fragments, tally), tally.pages())
	}

	/// `report` of such items without the gate, where so many pages of standings are read.
	pub fn report_of(proofs: u32, items: Items, pages: u32) -> Weight {
		let [alike, apart, dear] =
			[T::WeightInfo::report, T::WeightInfo::report_apart, T::WeightInfo::report_dear];
		let drawn = T::WeightInfo::prove(SAMPLE);
		sum(items, alike, apart, dear)
			.saturating_add(T::WeightInfo::prove(proofs).saturating_sub(drawn))
			.saturating_add(T::WeightInfo::judge(pages))
	}
}

/// The holders of all fragments of so many segments, each on a page of its own.
const fn most_pages(segments: u32) -> u32 {
	segments.saturating_mul(MAX_FRAGMENTS as u32)
}

/// A call of such items, by what it weighs with items of one kind alone.
fn sum(
	items: Items,
	alike: fn(u32) -> Weight,
	apart: fn(u32) -> Weight,
	dear: fn(u32) -> Weight,
) -> Weight {
	let more = |kind: fn(u32) -> Weight, items| kind(items).saturating_sub(kind(0));
	alike(items.alike)
		.saturating_add(more(apart, items.apart))
		.saturating_add(more(dear, items.dear))
}
