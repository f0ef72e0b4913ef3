// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What happens when nothing is paid for any more.

use crate::*;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchResult, Get, Weight},
	weights::WeightMeter,
};
use pallet_planaria_support::{Clock as _, OnSpaceLapsed as _};
use planaria_primitives::Tick;

/// How many steps one `tidy` takes at most.
const TIDY_STEPS: u32 = 16;

/// What remains to be done about a lapsed space.
enum Next {
	/// More steps.
	Continue,
	/// Nothing: it is gone.
	Gone,
}

impl<T: Config> Pallet<T> {
	/// Has the agenda look at a space behind this tick, and returns when it does.
	pub(crate) fn put_down(last: Tick, owner: &T::AccountId) -> Tick {
		AgendaOf::<T>::schedule(last.saturating_add(1), owner)
	}

	pub(crate) fn do_tidy(owner: &T::AccountId) -> DispatchResult {
		let space = Spaces::<T>::get(owner).ok_or(Error::<T>::NothingToTidy)?;
		let phase = space.phase(T::Clock::now(), Parameters::<T>::get().grace);
		ensure!(phase == Phase::Over, Error::<T>::NothingToTidy);
		for _ in 0..TIDY_STEPS {
			if let Next::Gone = Self::step(owner) {
				break;
			}
		}
		Ok(())
	}

	/// Each space is in the agenda at the end of its time for new files, then at the end of what is
	/// paid for.
	pub(crate) fn serve_agenda(meter: &mut WeightMeter) {
		let now = T::Clock::now();
		let per_page = T::WeightInfo::agenda_page();
		AgendaOf::<T>::serve(now, meter, per_page, Self::task_weight(), |at, owner, meter| {
			Self::look_at(at, owner, now, meter);
		});
	}

	/// Looks at a space of this owner that was put down for tick `at`, and puts it down again.
	pub(crate) fn look_at(at: Tick, owner: T::AccountId, now: Tick, meter: &mut WeightMeter) {
		// What was put down for an earlier space is over.
		let Some(space) = Spaces::<T>::get(&owner).filter(|space| space.look == at) else {
			meter.consume(T::WeightInfo::agenda_nothing());
			return;
		};
		meter.consume(Self::look_weight());
		let grace = Parameters::<T>::get().grace;
		let phase = space.phase(now, grace);
		let last = match phase {
			Phase::Open => space.open_until(grace),
			Phase::Grace => space.until,
			Phase::Over => {
				while meter.try_consume(Self::step_weight()).is_ok() {
					if let Next::Gone = Self::step(&owner) {
						return;
					}
				}
				// Behind the others that are due.
				now
			},
		};
		let look = Self::put_down(last, &owner);
		Spaces::<T>::mutate_extant(&owner, |space| space.look = look);
		if phase == Phase::Grace {
			Self::deposit_event(Event::GraceBegan { owner, until: space.until });
		}
	}

	/// Begins the removal of one file of a lapsed space, or removes the space.
	fn step(owner: &T::AccountId) -> Next {
		let Some(space) = Spaces::<T>::get(owner) else { return Next::Gone };
		if space.removed.is_none() {
			Self::deposit_event(Event::Lapsed { owner: owner.clone() });
		}
		match T::OnSpaceLapsed::on_space_lapsed(owner.clone(), space.removed) {
			Some(lapsed) => {
				Self::change(owner, |space| {
					space.reserved = impls::subtract(space.reserved, lapsed.reserved);
					space.used = impls::subtract(space.used, lapsed.used);
					space.removed = Some(lapsed.file);
				});
				Next::Continue
			},
			None => {
				if space.occupied() > 0 {
					log::error!(target: LOG_TARGET, "a lapsed space without files is not empty");
				}
				Self::remove(owner, space);
				Next::Gone
			},
		}
	}

	/// A space that is looked at, and put down again.
	pub(crate) fn look_weight() -> Weight {
		T::WeightInfo::agenda_task()
			.saturating_add(AgendaOf::<T>::schedule_weight(T::DbWeight::get()))
	}

	/// The removal of one file, or of the space.
	pub(crate) fn step_weight() -> Weight {
		T::WeightInfo::step().saturating_add(T::OnSpaceLapsed::weight()).max(T::WeightInfo::close())
	}

	/// With so much, whatever is due about a space gets on.
	pub(crate) fn task_weight() -> Weight {
		Self::look_weight().saturating_add(Self::step_weight())
	}

	pub(crate) fn tidy_weight() -> Weight {
		T::WeightInfo::agenda_task()
			.saturating_add(Self::step_weight().saturating_mul(TIDY_STEPS.into()))
	}
}
