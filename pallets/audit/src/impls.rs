// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Naming, answering, failing, and tidying up.

use super::*;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchResult, InvalidTransaction, TransactionValidityError, Weight},
	storage::with_storage_layer,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
	},
	weights::WeightMeter,
};
use pallet_planaria_support::{
	Clock, Collateral, DutyGate, Fragments, MinerDirectory, OpenOrder, Standing,
};
use planaria_primitives::{FragmentId, MinerId, Tick};
use sp_runtime::traits::{UniqueSaturatedInto, Zero};

const LOG_TARGET: &str = "runtime::audit";

impl<T: Config> Pallet<T> {
	/// A miner's open challenges that can still be answered, with their chunks and deadlines.
	pub fn challenges_of(miner: MinerId) -> impl Iterator<Item = (FragmentId, ChallengeOf<T>)> {
		let now = T::Clock::now();
		Challenges::<T>::iter_prefix(miner).filter(move |(_, challenge)| now <= challenge.deadline)
	}

	/// What a miner's strikes have come to.
	pub fn level_of(miner: MinerId) -> Option<Level> {
		Parameters::<T>::get().level(Records::<T>::get(miner).strikes)
	}

	pub(crate) fn do_challenge(who: T::AccountId, fragment: FragmentId) -> DispatchResult {
		let info = T::Fragments::get(fragment.segment).ok_or(Error::<T>::FragmentNotFound)?;
		let miner = Self::may_be_challenged(fragment, &info)?;
		let params = Parameters::<T>::get();
		let mut record = Records::<T>::get(miner);
		ensure!(record.named < params.max_named, Error::<T>::TooManyNamed);
		let deposit = params.deposit;
		T::Currency::hold(&HoldReason::ChallengeDeposit.into(), &who, deposit)?;
		let by = Challenger { who: who.clone(), deposit };
		Self::request(miner, Subject::Named(fragment, by), MAX_REQUESTS)?;
		record.named = record.named.saturating_add(1);
		Self::put_record(miner, record);
		Self::deposit_event(Event::Named { fragment, miner, by: who });
		Ok(())
	}

	/// Before the gate: whether `answer` can have any effect.
	pub(crate) fn may_answer(
		miner: MinerId,
		answers: &[Answer],
	) -> Result<(), TransactionValidityError> {
		let first = answers.first().ok_or(InvalidTransaction::Stale)?;
		let challenge =
			Challenges::<T>::get(miner, first.fragment).ok_or(InvalidTransaction::Stale)?;
		let in_time = T::Clock::now() <= challenge.deadline;
		let open = usize::try_from(Records::<T>::get(miner).open).unwrap_or(usize::MAX);
		if in_time && answers.len() <= open {
			Ok(())
		} else {
			Err(InvalidTransaction::Stale.into())
		}
	}

	pub(crate) fn do_answer(miner: MinerId, answers: &[Answer]) {
		let mut count = 0u32;
		for (index, answer) in (0u32..).zip(answers) {
			match with_storage_layer(|| Self::answer_one(miner, answer)) {
				Ok(()) => count = count.saturating_add(1),
				Err(error) => {
					if error == Error::<T>::WrongProof.into() {
						T::DutyGate::charge_wrong(miner);
					}
					Self::deposit_event(Event::ItemFailed { miner, index, error });
				},
			}
		}
		if count > 0 {
			Self::deposit_event(Event::Answered { miner, count });
		}
	}

	fn answer_one(miner: MinerId, answer: &Answer) -> DispatchResult {
		let fragment = answer.fragment;
		let challenge = Challenges::<T>::get(miner, fragment).ok_or(Error::<T>::NotChallenged)?;
		ensure!(T::Clock::now() <= challenge.deadline, Error::<T>::DeadlinePassed);
		let info = T::Fragments::get(fragment.segment).ok_or(Error::<T>::FragmentNotFound)?;
		ensure!(info.state.is_alive(), Error::<T>::FileGone);
		ensure!(info.segment.holder(fragment.index) == Some(miner), Error::<T>::NotHolder);
		answer
			.proof
			.verify(&info.file_id, &info.spec, info.number, fragment.index, challenge.chunk)
			.map_err(|_| Error::<T>::WrongProof)?;

		Self::remove_challenge(miner, fragment, &challenge);
		match challenge.by {
			Some(by) => Self::pay_deposit(by, miner),
			None => Self::heal(miner),
		}
		Ok(())
	}

	/// Has the challenges fail or lapse whose deadlines have passed. Fails where there was nothing
	/// to do, with the first error.
	pub(crate) fn do_tidy(
		miner: MinerId,
		fragments: &[FragmentId],
		failed: impl Fn(),
	) -> DispatchResult {
		let mut first_error = None;
		let mut done = false;
		for fragment in fragments {
			match with_storage_layer(|| Self::close_overdue(miner, *fragment)) {
				Ok(()) => done = true,
				Err(error) => {
					failed();
					first_error = first_error.or(Some(error));
				},
			}
		}
		if done { Ok(()) } else { Err(first_error.unwrap_or(Error::<T>::NothingToTidy.into())) }
	}

	/// Ends a challenge whose deadline has passed: it fails, unless it has lost its meaning.
	pub(crate) fn close_overdue(miner: MinerId, fragment: FragmentId) -> DispatchResult {
		let challenge = Challenges::<T>::get(miner, fragment).ok_or(Error::<T>::NotChallenged)?;
		ensure!(T::Clock::now() > challenge.deadline, Error::<T>::NotOverdue);
		Self::remove_challenge(miner, fragment, &challenge);

		let info = T::Fragments::get(fragment.segment).filter(|info| info.state.is_alive());
		let holds = info.is_some_and(|info| info.segment.holder(fragment.index) == Some(miner));
		let standing = T::Directory::get(miner).map(|miner| miner.standing);
		if !holds || !standing.is_some_and(Standing::serves) {
			if let Some(by) = challenge.by {
				Self::return_deposit(by, miner, None);
			}
			Self::deposit_event(Event::Lapsed { miner, fragment });
			return Ok(());
		}
		Self::deposit_event(Event::Failed { miner, fragment });
		// Its holder may have said itself by now that it does not have it.
		if let Err(error) = T::OpenOrder::open(fragment) {
			log::debug!(target: LOG_TARGET, "{fragment}: no order was opened: {error:?}");
		}
		// The reward before the slash, which might leave nothing.
		let strikes = Self::note_failure(miner);
		if let Some(by) = challenge.by {
			Self::return_deposit(by, miner, strikes.map(|_| Parameters::<T>::get().reward));
		}
		if let Some(strikes) = strikes {
			Self::punish(miner, strikes);
		}
		Ok(())
	}

	/// The challenge is over.
	fn remove_challenge(miner: MinerId, fragment: FragmentId, challenge: &ChallengeOf<T>) {
		Challenges::<T>::remove(miner, fragment);
		let mut record = Records::<T>::get(miner);
		record.open = record.open.saturating_sub(1);
		if challenge.by.is_some() {
			record.named = record.named.saturating_sub(1);
		}
		Self::put_record(miner, record);
	}

	/// The miner passed: the deposit is for its trouble.
	fn pay_deposit(by: ChallengerOf<T>, miner: MinerId) {
		let Some(info) = T::Directory::get(miner) else {
			return Self::return_deposit(by, miner, None);
		};
		let paid = T::Currency::transfer_on_hold(
			&HoldReason::ChallengeDeposit.into(),
			&by.who,
			&info.payee,
			by.deposit,
			Precision::BestEffort,
			Restriction::Free,
			Fortitude::Force,
		);
		match paid {
			Ok(amount) => Self::deposit_event(Event::DepositPaid { by: by.who, miner, amount }),
			// The payee is no account, and this is too little for one.
			Err(_) => Self::return_deposit(by, miner, None),
		}
	}

	/// Returns the deposit, and where the miner failed, what it pays on top.
	pub(crate) fn return_deposit(
		by: ChallengerOf<T>,
		miner: MinerId,
		reward: Option<BalanceOf<T>>,
	) {
		let reason = HoldReason::ChallengeDeposit.into();
		let released = T::Currency::release(&reason, &by.who, by.deposit, Precision::BestEffort);
		let amount = released.unwrap_or_else(|error| {
			log::error!(target: LOG_TARGET, "a deposit was not released: {error:?}");
			Zero::zero()
		});
		let reward = match reward {
			Some(reward) => T::Collateral::pay(miner, Some(&by.who), reward),
			None => Zero::zero(),
		};
		Self::deposit_event(Event::DepositReturned { by: by.who, amount, reward });
	}

	/// Puts a task down for the tick after `last`.
	pub(crate) fn schedule(last: Tick, task: Task) {
		// A dropped task changes nothing but when a failure is noted: anyone may `tidy`.
		let _ = AgendaOf::<T>::schedule(last.saturating_add(1), task);
	}

	pub(crate) fn tidy_weight(fragments: u32) -> Weight {
		T::WeightInfo::tidy().saturating_add(Self::close_weight().saturating_mul(fragments.into()))
	}

	/// What a challenge takes that fails, with all that follows.
	pub(crate) fn close_weight() -> Weight {
		T::WeightInfo::close().saturating_add(T::OpenOrder::weight())
	}

	/// Whether the miner is challenged for the fragment and has not answered.
	pub(crate) fn is_open(miner: MinerId, fragment: FragmentId) -> bool {
		Challenges::<T>::contains_key(miner, fragment)
	}

	/// Serves the tasks that are due, as far as `meter` goes.
	pub(crate) fn serve_agenda(meter: &mut WeightMeter) {
		let now = T::Clock::now();
		let per_tick = T::WeightInfo::agenda_tick();
		AgendaOf::<T>::serve(now, meter, per_tick, Self::close_weight(), |task, meter| {
			let Task::AnswerDue(miner, fragment) = task;
			// Most challenges were answered by then.
			if Self::is_open(miner, fragment) {
				meter.consume(Self::close_weight());
				let _ = with_storage_layer(|| Self::close_overdue(miner, fragment));
			} else {
				meter.consume(T::WeightInfo::answered());
			}
			None
		});
	}

	/// The number of the current block.
	pub(crate) fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}
}
