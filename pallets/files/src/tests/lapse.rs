// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The owner's space has lapsed.

use super::*;
use pallet_planaria_support::{Lapsed, OnSpaceLapsed};

/// One step. What it gives back is taken off the space as the pallet beside this one does.
fn step(after: Option<FileIndex>) -> Option<Lapsed> {
	let lapsed = Files::on_space_lapsed(ALICE, after)?;
	MockSpace::lapse(ALICE, lapsed.reserved, lapsed.used);
	Some(lapsed)
}

#[test]
fn each_step_begins_the_removal_of_one_file() {
	build_and_execute(|| {
		let (pending, active) = (placed(), active());
		events();
		let first = step(None).expect("there is a file");
		assert_eq!(first, Lapsed { file: pending, reserved: STORED, used: 0 });
		assert_eq!(record(pending).state, FileState::Deleting);
		assert_eq!(record(active).state, FileState::Active);
		let second = step(Some(pending)).expect("there is another file");
		assert_eq!(second, Lapsed { file: active, reserved: 0, used: STORED });
		assert_eq!(step(Some(active)), None);
		assert_eq!(
			events(),
			[Event::SpaceLapsed { file: pending }, Event::SpaceLapsed { file: active }]
		);
		poll();
		poll_at(2);
		assert_eq!(crate::Files::<Test>::iter().count(), 0);
		assert_eq!(Balances::free_balance(ALICE), RICH);
	});
}

#[test]
fn what_is_being_removed_gives_nothing_back() {
	build_and_execute(|| {
		let (deleted, other) = (placed(), placed());
		Files::delete(signed(ALICE), deleted).expect("it is hers");
		let nothing = Lapsed { file: deleted, reserved: 0, used: 0 };
		assert_eq!(step(None), Some(nothing));
		// The next step comes behind it, whether it is still there or not.
		poll();
		poll_at(2);
		assert!(Files::file(deleted).is_none());
		assert_eq!(step(Some(deleted)).map(|lapsed| lapsed.file), Some(other));
	});
}

#[test]
fn what_others_have_stored_stays() {
	build_and_execute(|| {
		let coding = CodingParams::LEAN;
		let file = NextFile::<Test>::get();
		Files::order(signed(BOB), id(), 1, coding, Label::default(), None, CHOSEN)
			.expect("Bob is rich");
		assert_eq!(step(None), None);
		assert_eq!(record(file).state, FileState::Pending);
	});
}
