// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tidying up when a tick has come, under a weight limit.
//!
//! A deadline stands in the record it concerns and every call compares it with now; the agenda
//! only removes what is over and deposits the events. A late or dropped task therefore changes
//! nothing but an event's time. What is not like that belongs in a [`Calendar`](crate::Calendar).

use codec::FullCodec;
use core::marker::PhantomData;
use frame_support::{
	BoundedVec,
	storage::{StorageMap, StorageValue, TryAppendMap},
	traits::Get,
	weights::{Weight, WeightMeter},
};
use planaria_primitives::Tick;

/// How many later ticks are tried where the wanted one is full.
pub const MAX_SPILL: Tick = 16;

/// Tasks by the tick they are due at, in two storage items of the pallet that uses it.
///
/// `Tasks` maps a tick to its tasks, at most `Bound`; `Next` is the first tick that may still have
/// some.
#[derive(Debug)]
pub struct Agenda<Tasks, Next, Task, Bound>(PhantomData<(Tasks, Next, Task, Bound)>);

impl<Tasks, Next, Task, Bound> Agenda<Tasks, Next, Task, Bound>
where
	Tasks: StorageMap<Tick, BoundedVec<Task, Bound>, Query = BoundedVec<Task, Bound>>
		+ TryAppendMap<Tick, BoundedVec<Task, Bound>, Task>,
	Next: StorageValue<Tick, Query = Tick>,
	Task: FullCodec,
	Bound: Get<u32>,
{
	/// Puts a task down for `at`, or for one of the [`MAX_SPILL`] ticks after it where that is
	/// full. Returns the tick, or the task where all of them are.
	///
	/// What is put down for a tick that was served already comes at the next opportunity.
	pub fn schedule(at: Tick, task: Task) -> Result<Tick, Task> {
		let at = at.max(Next::get());
		// Without reading what else there is.
		let mut ticks = at..=at.saturating_add(MAX_SPILL);
		ticks.find(|tick| Tasks::try_append(*tick, &task).is_ok()).ok_or(task)
	}

	/// Puts tasks down for `at`, as [`schedule`](Self::schedule) does each of them, but looks at a
	/// tick that is full only once. Those that find no room are dropped.
	pub fn schedule_all(at: Tick, tasks: impl IntoIterator<Item = Task>) {
		let at = at.max(Next::get());
		let mut ticks = (at..=at.saturating_add(MAX_SPILL)).peekable();
		for task in tasks {
			while ticks.next_if(|tick| Tasks::try_append(*tick, &task).is_err()).is_some() {}
		}
	}

	/// The weight `schedule` takes at most.
	pub fn schedule_weight(db: frame_support::weights::RuntimeDbWeight) -> Weight {
		db.reads_writes(2 + u64::from(MAX_SPILL), 1)
	}

	/// Serves the tasks due up to and including `now`, oldest first, as far as `meter` goes.
	///
	/// A tick costs `per_tick`. A task is begun only while `meter` has `per_task` left; `run` is
	/// given the meter and consumes what it uses. It returns what remains to be done, which is
	/// taken up before anything else next time, or `None`.
	pub fn serve(
		now: Tick,
		meter: &mut WeightMeter,
		per_tick: Weight,
		per_task: Weight,
		mut run: impl FnMut(Task, &mut WeightMeter) -> Option<Task>,
	) {
		let first = Next::get();
		let mut tick = first;
		while tick <= now && meter.try_consume(per_tick).is_ok() {
			let tasks = Tasks::take(tick);
			let mut rest = BoundedVec::new();
			for task in tasks {
				let remains =
					if meter.can_consume(per_task) { run(task, meter) } else { Some(task) };
				if let Some(task) = remains {
					// As many as were taken out at most.
					let _ = rest.try_push(task);
				}
			}
			if !rest.is_empty() {
				// What `run` put down for this very tick comes behind what remains.
				let added = Tasks::take(tick);
				Tasks::insert(tick, rest);
				for task in added {
					// Only where seventeen ticks are full is a task dropped: see the module's docs.
					let _ = Self::schedule(tick, task);
				}
				break;
			}
			if Tasks::contains_key(tick) {
				break;
			}
			tick = tick.saturating_add(1);
		}
		if tick != first {
			Next::put(tick);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use frame_support::{Twox64Concat, parameter_types, storage_alias};
	use sp_io::TestExternalities;

	parameter_types! {
		pub const Bound: u32 = 3;
	}

	#[storage_alias]
	type Tasks = StorageMap<
		Test,
		Twox64Concat,
		Tick,
		BoundedVec<u32, Bound>,
		frame_support::pallet_prelude::ValueQuery,
	>;
	#[storage_alias]
	type Next = StorageValue<Test, Tick, frame_support::pallet_prelude::ValueQuery>;

	type Subject = Agenda<Tasks, Next, u32, Bound>;

	const UNIT: Weight = Weight::from_parts(10, 0);

	fn serve(now: Tick, budget: u64) -> alloc::vec::Vec<u32> {
		let mut served = alloc::vec::Vec::new();
		let mut meter = WeightMeter::with_limit(Weight::from_parts(budget, u64::MAX));
		Subject::serve(now, &mut meter, Weight::from_parts(1, 0), UNIT, |task, meter| {
			meter.consume(UNIT);
			served.push(task);
			None
		});
		served
	}

	#[test]
	fn tasks_are_served_in_order_when_due() {
		TestExternalities::default().execute_with(|| {
			for (at, task) in [(5, 50), (3, 30), (5, 51)] {
				assert_eq!(Subject::schedule(at, task), Ok(at));
			}
			assert!(serve(2, 1000).is_empty());
			assert_eq!(serve(4, 1000), [30]);
			assert_eq!(serve(9, 1000), [50, 51]);
			assert_eq!(Next::get(), 10);
			// A tick that is over is served at the next opportunity.
			assert_eq!(Subject::schedule(1, 10), Ok(10));
			assert_eq!(serve(10, 1000), [10]);
			assert_eq!(Tasks::iter().count(), 0);
		});
	}

	#[test]
	fn a_full_tick_spills_and_a_full_agenda_refuses() {
		TestExternalities::default().execute_with(|| {
			for task in 0..3 * (1 + MAX_SPILL) {
				assert_eq!(Subject::schedule(7, task), Ok(7 + task / 3));
			}
			assert_eq!(Subject::schedule(7, 999), Err(999));
			assert_eq!(u32::try_from(serve(100, u64::MAX).len()), Ok(3 * (1 + MAX_SPILL)));
		});
	}

	#[test]
	fn many_tasks_spill_like_one_after_the_other() {
		TestExternalities::default().execute_with(|| {
			assert_eq!((0..4).map(|task| Subject::schedule(7, task)).max(), Some(Ok(8)));
			Subject::schedule_all(7, 4..3 * (1 + MAX_SPILL) + 5);
			assert_eq!(
				serve(100, u64::MAX),
				(0..3 * (1 + MAX_SPILL)).collect::<alloc::vec::Vec<_>>()
			);
			Subject::schedule_all(3, [7]);
			assert_eq!(Tasks::get(101).into_inner(), [7]);
		});
	}

	#[test]
	fn the_weight_limit_holds_and_work_resumes() {
		TestExternalities::default().execute_with(|| {
			for task in 0..6 {
				assert!(Subject::schedule(1, task).is_ok());
			}
			// Ticks 0 and 1, and one task.
			assert_eq!(serve(9, 2 + 10), [0]);
			assert_eq!(Next::get(), 1);
			assert_eq!(serve(9, 1 + 25), [1, 2]);
			assert!(serve(9, 0).is_empty());
			assert_eq!(serve(9, 1000), [3, 4, 5]);
			assert_eq!(Next::get(), 10);
		});
	}

	#[test]
	fn what_remains_of_a_task_comes_first_next_time() {
		TestExternalities::default().execute_with(|| {
			assert!(Subject::schedule(1, 3).is_ok());
			assert!(Subject::schedule(1, 1).is_ok());
			let mut steps = alloc::vec::Vec::new();
			for _ in 0..4 {
				let mut meter = WeightMeter::new();
				Subject::serve(1, &mut meter, UNIT, UNIT, |task, _| {
					steps.push(task);
					(task > 1).then(|| task - 1)
				});
			}
			assert_eq!(steps, [3, 1, 2, 1]);
			assert_eq!(Tasks::iter().count(), 0);
		});
	}

	#[test]
	fn a_task_may_put_down_another_for_the_same_tick() {
		TestExternalities::default().execute_with(|| {
			assert!(Subject::schedule(1, 7).is_ok());
			let mut served = alloc::vec::Vec::new();
			for _ in 0..2 {
				let mut meter = WeightMeter::new();
				Subject::serve(1, &mut meter, UNIT, UNIT, |task, _| {
					served.push(task);
					if task == 7 {
						assert_eq!(Subject::schedule(1, 8), Ok(1));
					}
					None
				});
			}
			assert_eq!(served, [7, 8]);
		});
	}
}
