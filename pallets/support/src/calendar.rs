// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Doing what nobody else does when a tick has come, under a weight limit.
//!
//! An [`Agenda`](crate::Agenda) that is full drops a task: whoever cares does what it has not. A
//! calendar takes as many as there are. A tick has one page of tasks, and another whenever its last
//! one is full, so that no task is ever dropped or refused, and putting one down costs as much
//! whatever else there is. What comes of many tasks at once is that they come later, one after the
//! other.

use codec::FullCodec;
use core::marker::PhantomData;
use frame_support::{
	BoundedVec, defensive,
	storage::{StorageMap, StorageValue, TryAppendMap},
	traits::Get,
	weights::{RuntimeDbWeight, Weight, WeightMeter},
};
use planaria_primitives::Tick;

/// Tasks by the tick they are due at, in three storage items of the pallet that uses it.
///
/// `Tasks` maps a tick and the number of a page to the page, of at most `PageSize` tasks; `Pages` a
/// tick to the numbers of the first page that is left and of the last one, where these are not both
/// zero; `Next` is the first tick that may still have some. To make pages smaller takes a migration.
#[derive(Debug)]
pub struct Calendar<Tasks, Pages, Next, Task, PageSize>(
	PhantomData<(Tasks, Pages, Next, Task, PageSize)>,
);

impl<Tasks, Pages, Next, Task, PageSize> Calendar<Tasks, Pages, Next, Task, PageSize>
where
	Tasks: StorageMap<(Tick, u32), BoundedVec<Task, PageSize>, Query = BoundedVec<Task, PageSize>>
		+ TryAppendMap<(Tick, u32), BoundedVec<Task, PageSize>, Task>,
	Pages: StorageMap<Tick, (u32, u32), Query = (u32, u32)>,
	Next: StorageValue<Tick, Query = Tick>,
	Task: FullCodec,
	PageSize: Get<u32>,
{
	/// Puts a task down for `at`, or for the first tick that was not served yet, if that is later.
	/// Returns the tick.
	pub fn schedule(at: Tick, task: &Task) -> Tick {
		let at = at.max(Next::get());
		let (first, last) = Pages::get(at);
		// Without reading what else there is.
		if Tasks::try_append((at, last), task).is_err() {
			let last = last.saturating_add(1);
			Pages::insert(at, (first, last));
			if Tasks::try_append((at, last), task).is_err() {
				defensive!("a page has no room for a single task");
			}
		}
		at
	}

	/// The weight `schedule` takes at most.
	pub fn schedule_weight(db: RuntimeDbWeight) -> Weight {
		db.reads_writes(4, 2)
	}

	/// Serves the tasks due up to and including `now`, oldest first, as far as `meter` goes.
	///
	/// A page costs `per_page`, and a tick has one at least. A task is begun only while `meter` has
	/// `per_task` left; `run` is given the tick it was put down for and the meter, and consumes what
	/// it uses. What it puts down for a tick that is being served comes the next time.
	pub fn serve(
		now: Tick,
		meter: &mut WeightMeter,
		per_page: Weight,
		per_task: Weight,
		mut run: impl FnMut(Tick, Task, &mut WeightMeter),
	) {
		let mut tick = Next::get();
		while tick <= now && Self::serve_tick(tick, meter, per_page, per_task, &mut run) {
			tick = tick.saturating_add(1);
			Next::put(tick);
		}
	}

	/// Serves the pages that a tick has now. Returns whether nothing is left of it.
	fn serve_tick(
		tick: Tick,
		meter: &mut WeightMeter,
		per_page: Weight,
		per_task: Weight,
		run: &mut impl FnMut(Tick, Task, &mut WeightMeter),
	) -> bool {
		if !meter.can_consume(per_page) {
			return false;
		}
		let (first, last) = Pages::get(tick);
		for page in first..=last {
			if meter.try_consume(per_page).is_err() {
				return false;
			}
			let mut rest = BoundedVec::<Task, PageSize>::new();
			for task in Tasks::take((tick, page)) {
				if meter.can_consume(per_task) {
					run(tick, task, meter);
				} else {
					// As many as were taken out at most.
					let _ = rest.try_push(task);
				}
			}
			if !rest.is_empty() {
				// What `run` put down for this very tick comes behind what remains.
				let added = Tasks::take((tick, page));
				Tasks::insert((tick, page), rest);
				for task in added {
					Self::schedule(tick, &task);
				}
				return false;
			}
			if page < last {
				Pages::mutate(tick, |pages| pages.0 = page.saturating_add(1));
			}
		}
		if Pages::get(tick).1 > last || Tasks::contains_key((tick, last)) {
			return false;
		}
		if last > 0 {
			Pages::remove(tick);
		}
		true
	}
}

#[cfg(any(feature = "std", feature = "try-runtime"))]
mod checked {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{ensure, storage::IterableStorageMap};
	use sp_runtime::TryRuntimeError;

	impl<Tasks, Pages, Next, Task, PageSize> Calendar<Tasks, Pages, Next, Task, PageSize>
	where
		Tasks: IterableStorageMap<(Tick, u32), BoundedVec<Task, PageSize>>,
		Pages: StorageMap<Tick, (u32, u32), Query = (u32, u32)>,
		Next: StorageValue<Tick, Query = Tick>,
		Task: FullCodec,
		PageSize: Get<u32>,
	{
		/// All tasks with the ticks they are due at, in no particular order. Fails where one of them
		/// would never be served.
		pub fn tasks(now: Tick) -> Result<Vec<(Tick, Task)>, TryRuntimeError> {
			let next = Next::get();
			ensure!(next <= now.saturating_add(1), "the calendar runs ahead");
			let mut all = Vec::new();
			for ((tick, page), tasks) in Tasks::iter() {
				let (first, last) = Pages::get(tick);
				ensure!(tick >= next, "a task left behind");
				ensure!((first..=last).contains(&page), "a page that no tick has");
				all.extend(tasks.into_iter().map(|task| (tick, task)));
			}
			Ok(all)
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::{collections::BTreeMap, vec::Vec};
	use frame_support::{Identity, parameter_types, storage_alias};
	use proptest::{collection::vec, prelude::*};
	use sp_io::TestExternalities;

	parameter_types! {
		pub const PageSize: u32 = 3;
	}

	#[storage_alias]
	type Tasks = StorageMap<
		Test,
		Identity,
		(Tick, u32),
		BoundedVec<u32, PageSize>,
		frame_support::pallet_prelude::ValueQuery,
	>;
	#[storage_alias]
	type Pages =
		StorageMap<Test, Identity, Tick, (u32, u32), frame_support::pallet_prelude::ValueQuery>;
	#[storage_alias]
	type Next = StorageValue<Test, Tick, frame_support::pallet_prelude::ValueQuery>;

	type Subject = Calendar<Tasks, Pages, Next, u32, PageSize>;

	const PAGE: Weight = Weight::from_parts(1, 0);
	const UNIT: Weight = Weight::from_parts(10, 0);

	/// Serves, and does so with each task and its tick.
	fn serve_with(now: Tick, budget: u64, mut run: impl FnMut(Tick, u32)) {
		let mut meter = WeightMeter::with_limit(Weight::from_parts(budget, u64::MAX));
		Subject::serve(now, &mut meter, PAGE, UNIT, |tick, task, meter| {
			meter.consume(UNIT);
			run(tick, task);
		});
		assert!(meter.consumed().all_lte(meter.limit()));
	}

	fn serve(now: Tick, budget: u64) -> Vec<u32> {
		let mut served = Vec::new();
		serve_with(now, budget, |_, task| served.push(task));
		served
	}

	/// What is still to be done, and that all of it will be.
	fn waiting(now: Tick) -> usize {
		Subject::tasks(now).expect("everything is served in time").len()
	}

	/// Nothing is left, not even of the ticks that were.
	fn is_empty() -> bool {
		Tasks::iter().count() == 0 && Pages::iter().count() == 0
	}

	#[test]
	fn tasks_are_served_in_order_when_due() {
		TestExternalities::default().execute_with(|| {
			for (at, task) in [(5, 50), (3, 30), (5, 51)] {
				assert_eq!(Subject::schedule(at, &task), at);
			}
			assert!(serve(2, 1000).is_empty());
			assert_eq!(serve(4, 1000), [30]);
			assert_eq!(serve(9, 1000), [50, 51]);
			assert_eq!(Next::get(), 10);
			// A tick that is over is served at the next opportunity.
			assert_eq!(Subject::schedule(1, &10), 10);
			assert_eq!(serve(10, 1000), [10]);
			assert!(is_empty());
		});
	}

	#[test]
	fn a_tick_takes_as_many_tasks_as_there_are() {
		TestExternalities::default().execute_with(|| {
			for task in 0..1_000 {
				assert_eq!(Subject::schedule(7, &task), 7);
			}
			assert_eq!((waiting(7), Pages::get(7)), (1_000, (0, 333)));
			assert!(serve(6, u64::MAX).is_empty());
			assert_eq!(serve(7, u64::MAX), (0..1_000).collect::<Vec<_>>());
			assert!(is_empty());
			assert_eq!(Next::get(), 8);
		});
	}

	#[test]
	fn the_weight_limit_holds_and_work_resumes() {
		TestExternalities::default().execute_with(|| {
			for task in 0..8 {
				Subject::schedule(1, &task);
			}
			// Tick 0, a page, and one task.
			assert_eq!(serve(9, 2 + 10), [0]);
			assert_eq!((Next::get(), waiting(9)), (1, 7));
			assert_eq!(serve(9, 1 + 25), [1, 2]);
			// Another page, of which there is no room for a task.
			assert!(serve(9, 2).is_empty());
			assert!(serve(9, 0).is_empty());
			assert_eq!((Pages::get(1), waiting(9)), ((1, 2), 5));
			assert_eq!(serve(9, 1 + 30), [3, 4, 5]);
			// Further ones come behind what is left.
			Subject::schedule(1, &8);
			Subject::schedule(0, &9);
			assert_eq!(serve(9, 1000), [6, 7, 8, 9]);
			assert_eq!(Next::get(), 10);
			assert!(is_empty());
		});
	}

	#[test]
	fn a_task_may_put_down_others_for_a_tick_that_is_served() {
		TestExternalities::default().execute_with(|| {
			for task in [100, 1, 2, 3] {
				Subject::schedule(5, &task);
			}
			let mut rounds = Vec::new();
			for _ in 0..3 {
				let mut served = Vec::new();
				serve_with(6, 1000, |tick, task| {
					served.push((tick, task));
					if task == 100 {
						// Also for one that was served before this one.
						for (at, new) in [(5, 101), (3, 102), (0, 103), (6, 104), (5, 105)] {
							assert_eq!(Subject::schedule(at, &new), at.max(5));
						}
					} else if task == 3 {
						Subject::schedule(5, &106);
					}
				});
				rounds.push(served);
				assert!(waiting(6) < 10);
			}
			// Those that came onto a page behind were served with it.
			let (first, second) = (&rounds[0], &rounds[1]);
			assert_eq!(first[..4], [(5, 100), (5, 1), (5, 2), (5, 3)]);
			let mut all: Vec<_> = first.iter().chain(second).chain(&rounds[2]).copied().collect();
			all.sort_unstable();
			let expected = [1, 2, 3, 100, 101, 102, 103, 105, 106].map(|task| (5, task));
			assert_eq!(all, [&expected[..], &[(6, 104)][..]].concat());
			assert!(is_empty());
		});
	}

	#[test]
	fn what_remains_comes_before_what_was_added() {
		TestExternalities::default().execute_with(|| {
			for task in [1, 2, 3] {
				Subject::schedule(1, &task);
			}
			// Room for one, which puts down two more.
			serve_with(1, 2 + 10, |_, task| {
				assert_eq!(task, 1);
				for new in [4, 5] {
					Subject::schedule(1, &new);
				}
			});
			assert_eq!(waiting(1), 4);
			assert_eq!(serve(1, 1000), [2, 3, 4, 5]);
			assert!(is_empty());
		});
	}

	#[derive(Clone, Debug)]
	enum Step {
		Schedule { after: Tick, count: u32 },
		Serve { budget: u64 },
		Pass(Tick),
	}

	fn steps() -> impl Strategy<Value = Vec<Step>> {
		let step = prop_oneof![
			3 => (0..6u32, 1..12u32).prop_map(|(after, count)| Step::Schedule { after, count }),
			4 => (0..150u64).prop_map(|budget| Step::Serve { budget }),
			2 => (0..4u32).prop_map(Step::Pass),
		];
		vec(step, 1..80)
	}

	proptest! {
		/// Every third task puts itself down once more, be it for now or for later.
		#[test]
		fn whatever_happens_each_task_is_served_when_it_is_due(steps in steps()) {
			TestExternalities::default().execute_with(|| {
				let (mut now, mut made) = (2, 0);
				let mut due = BTreeMap::<u32, (Tick, u32)>::new();
				let end = [Step::Pass(20), Step::Serve { budget: u64::MAX }];
				let ends = end.iter().cycle().take(6);
				for step in steps.iter().chain(ends) {
					match *step {
						Step::Schedule { after, count } => for _ in 0..count {
							let times = if made % 3 == 0 { 2 } else { 1 };
							due.insert(made, (Subject::schedule(now - 2 + after, &made), times));
							made += 1;
						},
						Step::Serve { budget } => serve_with(now, budget, |tick, task| {
							let (at, times) = due.remove(&task).expect("it is to be done");
							assert_eq!(at, tick);
							assert!(at <= now, "done too early");
							if times > 1 {
								let at = Subject::schedule(now + task % 2, &task);
								due.insert(task, (at, times - 1));
							}
						}),
						Step::Pass(ticks) => now += ticks,
					}
					assert_eq!(waiting(now), due.len());
				}
				assert!(due.is_empty() && is_empty());
			});
		}
	}
}
