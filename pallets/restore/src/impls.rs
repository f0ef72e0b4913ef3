// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opening, claiming, giving back, cancelling and tidying up restore orders.

use super::{tally::Tally, *};
use alloc::{collections::BTreeSet, vec, vec::Vec};
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult, Weight},
	storage::with_storage_layer,
	weights::WeightMeter,
};
use frame_system::pallet_prelude::OriginFor;
use pallet_planaria_support::{
	Bounties, Brake, Clock, Collateral, Custody, Fragments, MinerDirectory, MinerLedger,
	OnDeparture, OnSegmentRemoved, OpenOrder, Purpose, SegmentInfo, Standing, Wanted,
};
use planaria_primitives::{
	FragmentId, FragmentProof, MinerId, Segment, SegmentId, Tick, sampling, segment::bit,
};
use sp_runtime::traits::UniqueSaturatedInto;

impl<T: Config> Pallet<T> {
	/// The fragments in the miner's batches.
	pub fn ready_of(miner: MinerId) -> BTreeSet<FragmentId> {
		Batches::<T>::iter_prefix_values(miner).flat_map(|batch| batch.fragments).collect()
	}

	/// Whether the fragment is in one of the miner's batches.
	pub fn is_ready(miner: MinerId, fragment: FragmentId) -> bool {
		Batches::<T>::iter_prefix_values(miner).any(|batch| batch.fragments.contains(&fragment))
	}

	/// The fragments that a miner has claimed, their claims expired or not.
	pub fn claims_of(miner: MinerId) -> impl Iterator<Item = FragmentId> {
		ClaimsOf::<T>::iter_prefix(miner).map(|(segment, index)| FragmentId { segment, index })
	}

	/// Whether nothing needs to be restored any more: the fragment's holder, for whom it was opened
	/// as a restore target, came back.
	pub fn is_void(fragment: FragmentId, order: &Order, info: &SegmentInfo) -> bool {
		let holder = info.segment.holder(fragment.index);
		let standing = holder.and_then(Self::standing);
		order.cause == Cause::Target && standing.is_some_and(|s| !s.is_restore_target())
	}

	/// Whether the fragment's holder turned out not to have it: it said so, failed a challenge, was
	/// expelled, or was away until the segment was lost.
	fn is_at_fault(order: &Order, lost: bool) -> bool {
		if order.is_disputed() {
			return false;
		}
		order.cause != Cause::Target
			|| match Self::standing(order.holder) {
				None | Some(Standing::Leaving { expelled: true }) => true,
				Some(standing) => lost && !standing.serves(),
			}
	}

	/// Whether the miner may claim the fragment's order, or open one and claim it: all rules but
	/// those of its own standing, room and limits.
	pub fn may_take(
		miner: MinerId,
		fragment: FragmentId,
		info: &SegmentInfo,
	) -> Result<(), Error<T>> {
		ensure!(info.state.is_alive(), Error::<T>::FileGone);
		match Self::order_of(fragment, info) {
			Some(order) => Self::may_claim(miner, fragment, &order, info),
			None => {
				Self::may_open(fragment, info, T::Brake::is_engaged(), &mut Tally::default())?;
				Self::may_restore(miner, fragment, info)
			},
		}
	}

	/// The fragment's order; its segment says whether there is one.
	pub fn order_of(fragment: FragmentId, info: &SegmentInfo) -> Option<Order> {
		info.segment.is_restoring(fragment.index).then(|| Orders::<T>::get(fragment)).flatten()
	}

	/// Whether an order may be opened for a fragment by miners that do not hold it. Says whether it
	/// can be copied from its holder, and what was counted on the way.
	fn may_open(
		fragment: FragmentId,
		info: &SegmentInfo,
		braked: bool,
		tally: &mut Tally,
	) -> Result<(bool, Option<u8>), Error<T>> {
		ensure!(info.segment.is_confirmed(fragment.index), Error::<T>::NotConfirmed);
		ensure!(!info.segment.is_restoring(fragment.index), Error::<T>::OrderExists);
		let holder = info.segment.holder(fragment.index);
		let standing = holder.and_then(|holder| Self::standing_in(holder, tally));
		// A holder that is not known any more cannot object.
		let target = standing.is_none_or(Standing::is_restore_target);
		ensure!(target, Error::<T>::NotRestoreTarget);
		let copied = standing.is_some_and(Standing::serves);
		if copied || !braked {
			return Ok((copied, None));
		}
		let count = Self::count(fragment.segment, info, BRAKED_SPARE.saturating_add(1), tally);
		ensure!(Self::spare_in(info, count) <= BRAKED_SPARE, Error::<T>::Braked);
		Ok((copied, Some(count)))
	}

	/// Whether the miner may claim the order: all rules but those of its own standing, room and
	/// limits.
	fn may_claim(
		miner: MinerId,
		fragment: FragmentId,
		order: &Order,
		info: &SegmentInfo,
	) -> Result<(), Error<T>> {
		let deadline = order.state.claim().map(|(_, deadline)| deadline);
		let claimed = deadline.is_some_and(|deadline| T::Clock::now() <= deadline);
		ensure!(!claimed, Error::<T>::AlreadyClaimed);
		ensure!(!Self::is_void(fragment, order, info), Error::<T>::OrderVoid);
		ensure!(!order.declined.contains(&miner), Error::<T>::Declined);
		Self::may_restore(miner, fragment, info)
	}

	/// Whether the miner may restore the fragment, by what it holds, claims, and failed at.
	fn may_restore(
		miner: MinerId,
		fragment: FragmentId,
		info: &SegmentInfo,
	) -> Result<(), Error<T>> {
		let segment = fragment.segment;
		match info.segment.index_of(miner) {
			Some(index) if index == fragment.index => return Err(Error::<T>::OwnFragment),
			Some(_) => return Err(Error::<T>::HoldsSibling),
			None => (),
		}
		ensure!(!ClaimsOf::<T>::contains_key(miner, segment), Error::<T>::ClaimsSibling);
		let banned = Bans::<T>::get(miner, segment).is_some_and(|until| T::Clock::now() <= until);
		ensure!(!banned, Error::<T>::Banned);
		Ok(())
	}

	/// Whether `tidy` would do something about the fragment's order.
	pub fn is_untidy(fragment: FragmentId) -> bool {
		let (Some(order), Some(info)) =
			(Orders::<T>::get(fragment), T::Fragments::get(fragment.segment))
		else {
			return false;
		};
		match order.state.claim() {
			Some((_, deadline)) => T::Clock::now() > deadline,
			None => info.state.is_alive() && Self::is_void(fragment, &order, &info),
		}
	}

	/// Opens an order for a fragment of a living file that nobody works on yet. Its holder stays
	/// what it is.
	///
	/// The caller stores the order, has its bounty taken and judges the segment; `info` is as it is
	/// from now on.
	pub(crate) fn open_order(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		cause: Cause,
		leaves: bool,
	) -> Result<(Order, Wanted), DispatchError> {
		ensure!(info.segment.is_confirmed(fragment.index), Error::<T>::NotConfirmed);
		ensure!(!info.segment.is_restoring(fragment.index), Error::<T>::OrderExists);
		let holder = info.segment.holder(fragment.index).ok_or(Error::<T>::NotConfirmed)?;
		T::Custody::set_restoring(fragment, info, true)?;
		if cause != Cause::Target {
			Missing::<T>::mutate(fragment.segment, |missing| *missing |= bit(fragment.index));
		}
		Self::deposit_event(Event::OrderOpened { fragment, holder });
		let order = Order::new(cause, holder, T::Clock::now(), Self::block());
		Ok((order, Wanted { fragment, bytes: info.fragment_len(), holder, leaves }))
	}

	/// Opens an order for a fragment that its holder does not have, or notes so on the one that is
	/// open because the holder leaves.
	fn open_missing(
		fragment: FragmentId,
		mut info: SegmentInfo,
		cause: Cause,
		tally: &mut Tally,
	) -> Result<Wanted, DispatchError> {
		let moving = Self::order_of(fragment, &info).filter(|order| order.cause == Cause::Target);
		let wanted = match (moving, info.segment.holder(fragment.index)) {
			(Some(mut order), Some(holder)) => {
				order.cause = cause;
				Orders::<T>::insert(fragment, order);
				Missing::<T>::mutate(fragment.segment, |missing| *missing |= bit(fragment.index));
				Self::deposit_event(Event::NothingToCopy { fragment, holder });
				Wanted { fragment, bytes: info.fragment_len(), holder, leaves: false }
			},
			_ => {
				let (order, wanted) = Self::open_order(fragment, &mut info, cause, false)?;
				Orders::<T>::insert(fragment, order);
				wanted
			},
		};
		Self::judge(fragment.segment, &mut info, None, tally)?;
		Ok(wanted)
	}

	/// Opens an order, claimed until `deadline` at once where the fragment is not the miner's own.
	/// Says whether it is.
	fn do_open(
		miner: MinerId,
		fragment: FragmentId,
		braked: bool,
		deadline: Tick,
		tally: &mut Tally,
	) -> Result<(Wanted, bool), DispatchError> {
		let mut info = Self::live(fragment)?;
		if info.segment.holder(fragment.index) == Some(miner) {
			return Ok((Self::open_missing(fragment, info, Cause::Broken, tally)?, false));
		}
		let (leaves, count) = Self::may_open(fragment, &info, braked, tally)?;
		Self::may_restore(miner, fragment, &info)?;
		let (order, wanted) = Self::open_order(fragment, &mut info, Cause::Target, leaves)?;
		Self::take(miner, fragment, order, &info, deadline)?;
		// What was counted is still so: a fragment that is not copied was not present before.
		Self::judge(fragment.segment, &mut info, count, tally)?;
		Ok((wanted, true))
	}

	/// Opens orders, and has their bounties taken together.
	pub(crate) fn open_all(
		miner: MinerId,
		fragments: &[FragmentId],
	) -> Result<Tally, DispatchError> {
		let mut tally = Tally::default();
		let (mut wanted, mut claimed) = (Vec::new(), Vec::new());
		let (braked, deadline) = (T::Brake::is_engaged(), Self::claim_deadline());
		Self::for_each(miner, fragments, |fragment| {
			let before = tally.verdicts;
			let opened = Self::do_open(miner, fragment, braked, deadline, &mut tally);
			let Ok((want, is_claimed)) = opened else {
				tally.refused();
				return opened.map(drop);
			};
			tally.done(Some(want.holder), tally.verdicts != before);
			wanted.push(want);
			claimed.extend(is_claimed.then_some(fragment));
			Ok(())
		})?;
		Self::schedule_claims(deadline, claimed);
		T::Bounties::open(wanted);
		Ok(tally)
	}

	pub(crate) fn claim_all(miner: MinerId, fragments: &[FragmentId]) -> DispatchResult {
		let deadline = Self::claim_deadline();
		let mut claimed = Vec::new();
		Self::for_each(miner, fragments, |fragment| {
			Self::do_claim(miner, fragment, deadline)?;
			claimed.push(fragment);
			Ok(())
		})?;
		Self::schedule_claims(deadline, claimed);
		Ok(())
	}

	fn do_claim(miner: MinerId, fragment: FragmentId, deadline: Tick) -> DispatchResult {
		let mut order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		let info = Self::live(fragment)?;
		if order.state.claim().is_some_and(|(_, deadline)| T::Clock::now() > deadline) {
			Self::expire(fragment, &mut order, &info);
		}
		Self::may_claim(miner, fragment, &order, &info)?;
		Self::take(miner, fragment, order, &info, deadline)
	}

	/// The last tick that what is claimed now can be reported at.
	fn claim_deadline() -> Tick {
		T::Clock::now().saturating_add(Parameters::<T>::get().claim_period)
	}

	/// Has the agenda look at these claims once their deadline has passed.
	fn schedule_claims(deadline: Tick, claimed: Vec<FragmentId>) {
		let tasks = claimed.into_iter().map(Task::ClaimEnds);
		AgendaOf::<T>::schedule_all(deadline.saturating_add(1), tasks);
	}

	/// The miner, who may, has claimed the order from now on. The caller schedules the claim's end.
	fn take(
		miner: MinerId,
		fragment: FragmentId,
		mut order: Order,
		info: &SegmentInfo,
		deadline: Tick,
	) -> DispatchResult {
		T::Ledger::reserve(miner, info.fragment_len(), Purpose::Claim)?;
		order.state = OrderState::Claimed { by: miner, deadline };
		Orders::<T>::insert(fragment, order);
		ClaimsOf::<T>::insert(miner, fragment.segment, fragment.index);
		Self::deposit_event(Event::OrderClaimed { fragment, by: miner, deadline });
		Ok(())
	}

	pub(crate) fn give_back_all(miner: MinerId, fragments: &[FragmentId]) -> DispatchResult {
		Self::let_go_all(miner, fragments, |fragment, _| {
			Self::deposit_event(Event::GivenBack { fragment, by: miner });
		})
	}

	pub(crate) fn decline_all(miner: MinerId, fragments: &[FragmentId]) -> DispatchResult {
		Self::let_go_all(miner, fragments, |fragment, order| {
			Self::deposit_event(Event::OrderDeclined { fragment, by: miner });
			// Who has declined it could not claim it. Of a disputed one no more are recorded.
			if order.declined.try_push(miner).is_ok() && order.is_disputed() {
				Self::deposit_event(Event::OrderDisputed { fragment });
			}
		})
	}

	/// Ends claims of the miner before their deadlines, and notes on each order why.
	///
	/// Others come first then: else one miner could keep them away for ever, for the price of the
	/// calls. Where the file is gone there is nothing to come first at.
	fn let_go_all(
		miner: MinerId,
		fragments: &[FragmentId],
		note: impl Fn(FragmentId, &mut Order),
	) -> DispatchResult {
		let (now, params) = (T::Clock::now(), Parameters::<T>::get());
		let ready = Self::ready_of(miner);
		let mut banned = Vec::new();
		Self::for_each(miner, fragments, |fragment| {
			let mut order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
			let (by, deadline) = order.state.claim().ok_or(Error::<T>::NotClaimer)?;
			ensure!(by == miner, Error::<T>::NotClaimer);
			let left = deadline.checked_sub(now).ok_or(Error::<T>::DeadlinePassed)?;
			ensure!(!ready.contains(&fragment), Error::<T>::InBatch);
			let segment = fragment.segment;
			let info = T::Fragments::get(segment).ok_or(Error::<T>::FragmentNotFound)?;
			Self::end_claim(fragment, miner, info.fragment_len());
			order.state = OrderState::Unclaimed;
			note(fragment, &mut order);
			Orders::<T>::insert(fragment, order);
			if info.state.is_alive() {
				Bans::<T>::insert(miner, segment, now.saturating_add(params.ban(left)));
				banned.push(Task::BanEnds(miner, segment));
			}
			Ok(())
		})?;
		// All at once, when the longest ban would be over.
		let longest = now.saturating_add(params.ban_period);
		AgendaOf::<T>::schedule_all(longest.saturating_add(1), banned);
		Ok(())
	}

	pub(crate) fn do_cancel(
		miner: MinerId,
		fragment: FragmentId,
		at: u32,
		proof: &FragmentProof,
	) -> DispatchResult {
		let mut order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		let info = Self::live(fragment)?;
		ensure!(info.segment.holder(fragment.index) == Some(miner), Error::<T>::NotHolder);
		if let Some((_, deadline)) = order.state.claim() {
			ensure!(T::Clock::now() > deadline, Error::<T>::AlreadyClaimed);
			Self::expire(fragment, &mut order, &info);
		}
		let age = Self::block().checked_sub(at).ok_or(Error::<T>::WrongBlock)?;
		ensure!(at >= order.opened_at && age <= CANCEL_BLOCKS, Error::<T>::WrongBlock);
		let beacon = T::Clock::beacon_at(at).ok_or(Error::<T>::WrongBlock)?;
		let chunk = sampling::chunk(&beacon, &fragment, info.spec.chunks(info.number));
		ensure!(Self::proves(proof, &info, fragment, chunk), Error::<T>::WrongProof);
		Self::deposit_event(Event::OrderCancelled { fragment, holder: miner });
		Self::close(fragment, info)
	}

	/// Makes an expired claim pay, and removes a void order.
	pub(crate) fn do_tidy(fragment: FragmentId) -> DispatchResult {
		let mut order = Orders::<T>::get(fragment).ok_or(Error::<T>::OrderNotFound)?;
		let info = T::Fragments::get(fragment.segment).ok_or(Error::<T>::FragmentNotFound)?;
		let expired = match order.state.claim() {
			Some((_, deadline)) if T::Clock::now() <= deadline => {
				return Err(Error::<T>::NothingToTidy.into());
			},
			Some(_) => {
				Self::expire(fragment, &mut order, &info);
				true
			},
			None => false,
		};
		if info.state.is_alive() && Self::is_void(fragment, &order, &info) {
			Self::deposit_event(Event::OrderVoided { fragment });
			return Self::close(fragment, info);
		}
		ensure!(expired, Error::<T>::NothingToTidy);
		Orders::<T>::insert(fragment, order);
		Ok(())
	}

	/// Ends the order's expired claim. The caller stores the order.
	///
	/// Where the file is gone or the order disputed, the claimer had perhaps no way to finish: it
	/// does not pay. Others come first at a disputed order all the same.
	fn expire(fragment: FragmentId, order: &mut Order, info: &SegmentInfo) {
		let Some((by, _)) = order.state.claim() else { return };
		let mut penalty = Default::default();
		if info.state.is_alive() {
			let params = Parameters::<T>::get();
			let until = T::Clock::now().saturating_add(params.ban_period);
			if !order.is_disputed() {
				penalty = T::Collateral::pay(by, None, params.penalty(order.expiries));
				order.expiries = order.expiries.saturating_add(1);
			}
			Bans::<T>::insert(by, fragment.segment, until);
			Self::schedule(until, Task::BanEnds(by, fragment.segment));
		}
		Self::end_claim(fragment, by, info.fragment_len());
		order.state = OrderState::Unclaimed;
		Self::deposit_event(Event::ClaimExpired { fragment, by, penalty });
	}

	/// Releases what a claim has reserved and takes it off its claimer's list.
	fn end_claim(fragment: FragmentId, by: MinerId, fragment_len: u64) {
		T::Ledger::release(by, fragment_len, Purpose::Claim);
		ClaimsOf::<T>::remove(by, fragment.segment);
	}

	/// Removes an order that nobody claims any more, and judges its segment.
	pub(crate) fn close(fragment: FragmentId, mut info: SegmentInfo) -> DispatchResult {
		Self::remove_order(fragment);
		T::Custody::set_restoring(fragment, &mut info, false)?;
		T::Bounties::give_back(fragment);
		Self::judge(fragment.segment, &mut info, None, &mut Tally::default())
	}

	/// Removes an order, and what is noted of its fragment.
	pub(crate) fn remove_order(fragment: FragmentId) {
		Orders::<T>::remove(fragment);
		let missing = Missing::<T>::get(fragment.segment);
		match missing & !bit(fragment.index) {
			rest if rest == missing => (),
			0 => Missing::<T>::remove(fragment.segment),
			rest => Missing::<T>::insert(fragment.segment, rest),
		}
	}

	/// The segment of a fragment that exists and whose file is neither deleted nor failed.
	pub(crate) fn live(fragment: FragmentId) -> Result<SegmentInfo, DispatchError> {
		let info = T::Fragments::get(fragment.segment)
			.filter(|info| fragment.index < info.segment.fragments())
			.ok_or(Error::<T>::FragmentNotFound)?;
		ensure!(info.state.is_alive(), Error::<T>::FileGone);
		Ok(info)
	}

	/// Whether `proof` proves that chunk of that fragment.
	pub(crate) fn proves(
		proof: &FragmentProof,
		info: &SegmentInfo,
		fragment: FragmentId,
		chunk: u32,
	) -> bool {
		proof.verify(&info.file_id, &info.spec, info.number, fragment.index, chunk).is_ok()
	}

	pub(crate) fn standing(miner: MinerId) -> Option<Standing> {
		T::Directory::standing(miner)
	}

	/// The same within a call, which changes no standing.
	pub(crate) fn standing_in(miner: MinerId, tally: &Tally) -> Option<Standing> {
		tally.standing(miner, T::Directory::standings)
	}

	/// The number of the current block.
	pub(crate) fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}

	/// The miner whose hot key or stash signed.
	pub(crate) fn ensure_miner(origin: OriginFor<T>) -> Result<MinerId, DispatchError> {
		let who = frame_system::ensure_signed(origin)?;
		T::Directory::by_account(&who).ok_or(Error::<T>::NotAMiner.into())
	}

	/// Does `item` with each of the fragments on its own, an event for each that fails.
	pub(crate) fn for_each(
		miner: MinerId,
		fragments: &[FragmentId],
		item: impl FnMut(FragmentId) -> DispatchResult,
	) -> DispatchResult {
		Self::first_error(fragments, item, |index, error| {
			Self::deposit_event(Event::ItemFailed { miner, index, error });
		})
	}

	/// Does `item` with each of the fragments on its own. Fails where all do, with the first error.
	pub(crate) fn first_error(
		fragments: &[FragmentId],
		mut item: impl FnMut(FragmentId) -> DispatchResult,
		failed: impl Fn(u32, DispatchError),
	) -> DispatchResult {
		let mut result = Err(Error::<T>::NoItems.into());
		let mut first = true;
		for (index, fragment) in (0..).zip(fragments) {
			match with_storage_layer(|| item(*fragment)) {
				Ok(()) => result = Ok(()),
				Err(error) => {
					failed(index, error);
					if first {
						result = Err(error);
					}
				},
			}
			first = false;
		}
		result
	}

	/// Puts a task down for the tick after `last`.
	pub(crate) fn schedule(last: Tick, task: Task) {
		// A dropped task changes nothing but an event's time.
		let _ = AgendaOf::<T>::schedule(last.saturating_add(1), task);
	}

	/// What the heaviest task takes.
	pub(crate) fn task_weight() -> Weight {
		T::WeightInfo::check_segment().max(T::WeightInfo::tidy(1)).max(T::WeightInfo::ban_ends())
	}

	/// Whether there is an order that nobody claims any more.
	pub(crate) fn may_be_untidy(fragment: FragmentId) -> bool {
		let now = T::Clock::now();
		let over = |order: Order| order.state.claim().is_none_or(|(_, deadline)| now > deadline);
		Orders::<T>::get(fragment).is_some_and(over)
	}

	/// Removes a ban that is over.
	pub(crate) fn end_ban(miner: MinerId, segment: SegmentId) {
		if Bans::<T>::get(miner, segment).is_some_and(|until| T::Clock::now() > until) {
			Bans::<T>::remove(miner, segment);
		}
	}

	/// Serves the tasks that are due, as far as `meter` goes.
	pub(crate) fn serve_agenda(meter: &mut WeightMeter) {
		let now = T::Clock::now();
		let per_tick = T::WeightInfo::agenda_tick();
		AgendaOf::<T>::serve(now, meter, per_tick, Self::task_weight(), |task, meter| {
			match task {
				// Most claims were reported by then.
				Task::ClaimEnds(fragment) if !Self::may_be_untidy(fragment) => {
					meter.consume(T::WeightInfo::claim_ended());
				},
				Task::ClaimEnds(fragment) => {
					meter.consume(T::WeightInfo::tidy(1));
					let _ = with_storage_layer(|| Self::do_tidy(fragment));
				},
				Task::CountdownEnds(segment) => {
					meter.consume(T::WeightInfo::check_segment());
					if let Err(error) = with_storage_layer(|| Self::evaluate(segment)) {
						log::error!(target: LOG_TARGET, "segment {segment} not judged: {error:?}");
					}
				},
				Task::BanEnds(miner, segment) => {
					meter.consume(T::WeightInfo::ban_ends());
					Self::end_ban(miner, segment);
				},
			}
			None
		});
	}
}

const LOG_TARGET: &str = "runtime::restore";

impl<T: Config> OpenOrder for Pallet<T> {
	fn open(fragment: FragmentId) -> DispatchResult {
		let wanted = with_storage_layer(|| {
			let info = Self::live(fragment)?;
			Self::open_missing(fragment, info, Cause::Challenge, &mut Tally::default())
		})?;
		T::Bounties::open(vec![wanted]);
		Ok(())
	}

	fn weight() -> Weight {
		T::WeightInfo::open_challenged()
	}
}

impl<T: Config> OnDeparture for Pallet<T> {
	/// Batches outlive the files they were made of; nobody reports them any more.
	fn on_departure(miner: MinerId) {
		let _ = Batches::<T>::clear_prefix(miner, MAX_BATCHES, None);
	}
}

impl<T: Config> OnSegmentRemoved for Pallet<T> {
	fn on_segment_removed(id: SegmentId, segment: Segment, fragment_len: u64) {
		let lost = matches!(Verdicts::<T>::get(id), Some(Verdict::Lost { .. }));
		for index in (0..segment.fragments()).filter(|i| segment.restoring & bit(*i) != 0) {
			let fragment = FragmentId { segment: id, index };
			let Some(order) = Orders::<T>::take(fragment) else { continue };
			if let Some((by, _)) = order.state.claim() {
				Self::end_claim(fragment, by, fragment_len);
			}
			if Self::is_at_fault(&order, lost) {
				T::Bounties::forfeit(fragment);
			} else {
				T::Bounties::give_back(fragment);
			}
		}
		Missing::<T>::remove(id);
		Verdicts::<T>::remove(id);
		Settled::<T>::remove(id);
	}

	fn weight(fragments: u32) -> Weight {
		T::WeightInfo::on_segment_removed(fragments)
	}
}
