// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Answers to the runtime APIs: what is computed, joined or paged. No page is longer than
//! [`MAX_PAGE`], whatever is asked for.

use crate::{
	AccountId, Clock, Files, Miners, Restore, Rewards, Runtime, System, configs::storage::MaxSpace,
};
use alloc::{string::String, vec::Vec};
use pallet_planaria_audit as audit;
use pallet_planaria_files::{self as files, Placing};
use pallet_planaria_miners::{self as miners, MinerOf, Phase};
use pallet_planaria_restore::{self as restore, Cause, Order, Verdict};
use pallet_planaria_rewards as rewards;
use pallet_planaria_space::{self as space, Phase as SpaceState};
use pallet_planaria_support::{
	Clock as _, Collateral as _, FileState, MinerDirectory as _, SegmentInfo, Standing, whole,
};
use planaria_primitives::{FileId, FileIndex, FragmentId, FragmentName, Hash, MinerId, SegmentId};
use planaria_runtime_api::{
	AuditLevel, AuditStatus, EarningsStatus, FileLife, FileStatus, FragmentRecord, FragmentStatus,
	MAX_PAGE, MinerStanding, MinerStatus, NetworkStatus, OperatorStatus, OrderCause, OrderStanding,
	OrderStatus, PlacementStatus, SegmentClaim, SegmentStatus, SegmentVerdict, SpacePhase,
	SpaceStatus, SpaceTerms, TargetStatus, VerdictStatus,
};

/// The milliseconds of a day.
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

fn page(limit: u32) -> usize {
	limit.min(MAX_PAGE) as usize
}

/// A miner.
pub fn miner(miner: MinerId) -> Option<MinerStatus> {
	miners::Miners::<Runtime>::get(miner).map(|record| miner_status(miner, &record))
}

/// The miner whose stash or hot key this account is.
pub fn miner_by_account(account: &AccountId) -> Option<MinerId> {
	Miners::by_account(account)
}

/// A page of miners.
pub fn miners(after: Option<MinerId>, limit: u32) -> Vec<MinerStatus> {
	let iter = match after {
		None => miners::Miners::<Runtime>::iter(),
		Some(after) => {
			miners::Miners::<Runtime>::iter_from(miners::Miners::<Runtime>::hashed_key_for(after))
		},
	};
	iter.take(page(limit)).map(|(miner, record)| miner_status(miner, &record)).collect()
}

fn miner_status(miner: MinerId, record: &MinerOf<Runtime>) -> MinerStatus {
	let load = miners::Loads::<Runtime>::get(miner).unwrap_or_default();
	let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
	MinerStatus {
		miner,
		stash: record.stash.clone(),
		payee: record.payee.clone(),
		hot_key: record.hot_key.0.into(),
		endpoint_key: record.endpoint.key,
		endpoint_addrs: record.endpoint.addrs.iter().map(|addr| text(addr)).collect(),
		standing: standing(record),
		since: record.since,
		declared: record.declared,
		held: load.held,
		reserved: load.reserved,
		fragments: load.fragments,
		claims: load.claims,
		last_seen: load.last_seen,
		collateral: record.collateral,
		required: Miners::required(miner),
		free_at: match record.phase {
			Phase::Departed { free_at } => Some(free_at),
			_ => None,
		},
		audit: audit_status(miner),
	}
}

fn audit_status(miner: MinerId) -> AuditStatus {
	let record = audit::Records::<Runtime>::get(miner);
	let params = audit::Parameters::<Runtime>::get();
	let level = |strikes| match params.level(strikes) {
		None => AuditLevel::Clean,
		Some(audit::Level::Warned) => AuditLevel::Warned,
		Some(audit::Level::Suspended) => AuditLevel::Suspended,
		Some(audit::Level::Slashed) => AuditLevel::Slashed,
		Some(audit::Level::Expelled) => AuditLevel::Expelled,
	};
	AuditStatus {
		open: record.open,
		strikes: record.strikes,
		level: level(record.strikes),
		next: level(record.strikes.saturating_add(1)),
		heals_at: (record.strikes > 0).then(|| record.since.saturating_add(params.heal_after)),
	}
}

/// How the network sees the miner of this record.
pub fn standing(record: &MinerOf<Runtime>) -> MinerStanding {
	match record.standing() {
		None => MinerStanding::Departed,
		Some(Standing::Serving) => MinerStanding::Serving,
		Some(Standing::Suspended) => MinerStanding::Suspended,
		Some(Standing::Absent) => MinerStanding::Absent,
		Some(Standing::Leaving { expelled: false }) => MinerStanding::Leaving,
		Some(Standing::Leaving { expelled: true }) => MinerStanding::Expelled,
	}
}

/// The network as a whole.
pub fn network() -> NetworkStatus {
	let params = miners::Parameters::<Runtime>::get();
	NetworkStatus {
		height: System::block_number(),
		tick: Clock::now(),
		running: Clock::health().running,
		slot_millis: crate::Babe::slot_duration(),
		claim_period: restore::Parameters::<Runtime>::get().claim_period,
		absent_after: params.absent_after,
		absent_max: params.absent_max,
		braked: Miners::brake_engaged(),
		miners: miners::Registered::<Runtime>::get(),
		files_ever: files::NextFile::<Runtime>::get().0,
		segments_ever: files::NextSegment::<Runtime>::get().0,
	}
}

/// A file.
pub fn file(index: FileIndex) -> Option<FileStatus> {
	let file = Files::file(index)?;
	Some(FileStatus {
		file: index,
		id: file.id,
		owner: file.owner.clone(),
		size: file.size,
		coding: file.coding,
		label: file.label.to_vec(),
		state: life(file.state),
		first_segment: file.first_segment,
		segments: file.spec().segments(),
		unconfirmed: file.unconfirmed,
		lost: file.lost,
		last_progress: file.last_progress,
		placement: match Files::placing(&file) {
			Placing::Chosen => PlacementStatus::Chosen,
			Placing::Drawn { seed, ids, candidates, more_at } => {
				PlacementStatus::Drawn { seed, ids, candidates, more_at }
			},
		},
		deposit: file.deposit,
	})
}

fn life(state: FileState) -> FileLife {
	match state {
		FileState::Pending => FileLife::Pending,
		FileState::Active => FileLife::Active,
		FileState::Deleting => FileLife::Deleting,
		FileState::Failed => FileLife::Failed,
	}
}

/// A page of the stored instances of a content.
pub fn files_by_id(id: FileId, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus> {
	let iter = match after {
		None => files::FilesById::<Runtime>::iter_key_prefix(id),
		Some(after) => {
			let key = files::FilesById::<Runtime>::hashed_key_for(id, after);
			files::FilesById::<Runtime>::iter_key_prefix_from(id, key)
		},
	};
	iter.take(page(limit)).filter_map(file).collect()
}

/// A page of an account's files.
pub fn files_of(owner: &AccountId, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus> {
	Files::files_of(owner, after, limit).into_iter().filter_map(file).collect()
}

/// The placed segments of a file among these numbers.
pub fn segments(index: FileIndex, first: u32, limit: u32) -> Vec<SegmentStatus> {
	let Some(file) = Files::file(index) else { return Vec::new() };
	Files::segments_of(index, first, limit)
		.into_iter()
		.map(|info| segment_status(file.segment_id(info.number), &info))
		.collect()
}

fn segment_status(id: SegmentId, info: &SegmentInfo) -> SegmentStatus {
	let segment = &info.segment;
	SegmentStatus {
		id,
		number: info.number,
		present: Restore::present(id, info),
		spare: Restore::spare(id, info),
		verdict: verdict(id),
		fragments: (0..segment.fragments())
			.map(|index| FragmentStatus {
				holder: segment.holder(index),
				confirmed: segment.is_confirmed(index),
				restoring: segment.is_restoring(index),
			})
			.collect(),
	}
}

fn verdict(segment: SegmentId) -> Option<VerdictStatus> {
	restore::Verdicts::<Runtime>::get(segment).map(verdict_status)
}

/// A verdict as it is shown.
pub fn verdict_status(verdict: Verdict) -> VerdictStatus {
	match verdict {
		Verdict::Suspected { deadline } => VerdictStatus::Suspected { deadline },
		Verdict::Lost { since } => VerdictStatus::Lost { since },
	}
}

/// What a miner must know of these fragments, named off chain.
pub fn locate(names: Vec<FragmentName>) -> Vec<Option<FragmentRecord>> {
	let locate = |name: FragmentName| {
		let file = Files::file(name.file).filter(|file| file.id == name.file_id)?;
		if name.segment >= file.spec().segments() {
			return None;
		}
		record(FragmentId { segment: file.segment_id(name.segment), index: name.index })
	};
	names.into_iter().take(MAX_PAGE as usize).map(locate).collect()
}

/// What a miner must know of these fragments, named on chain.
pub fn records(fragments: Vec<FragmentId>) -> Vec<Option<FragmentRecord>> {
	fragments.into_iter().take(MAX_PAGE as usize).map(record).collect()
}

fn record(fragment: FragmentId) -> Option<FragmentRecord> {
	let info = <Files as pallet_planaria_support::Fragments>::get(fragment.segment)?;
	if fragment.index >= info.segment.fragments() {
		return None;
	}
	Some(FragmentRecord {
		fragment,
		name: name(fragment, &info),
		size: info.spec.size(),
		coding: info.spec.coding(),
		state: life(info.state),
		holders: (0..info.segment.fragments()).map(|index| info.segment.holder(index)).collect(),
		confirmed: info.segment.confirmed,
		restoring: info.segment.restoring,
		claims: claims_in(fragment.segment, &info),
		spare: Restore::spare(fragment.segment, &info),
		verdict: verdict(fragment.segment),
	})
}

/// The claims in a segment that have not expired.
fn claims_in(segment: SegmentId, info: &SegmentInfo) -> Vec<SegmentClaim> {
	(0..info.segment.fragments())
		.filter(|index| info.segment.is_restoring(*index))
		.filter_map(|index| {
			let order = restore::Orders::<Runtime>::get(FragmentId { segment, index })?;
			let (by, deadline) = live_claim(&order)?;
			let ready = Restore::is_ready(by, FragmentId { segment, index });
			Some(SegmentClaim { index, by, deadline, ready })
		})
		.collect()
}

/// The name of a fragment off chain.
pub(crate) fn name(fragment: FragmentId, info: &SegmentInfo) -> FragmentName {
	FragmentName {
		file_id: info.file_id,
		file: info.file,
		segment: info.number,
		index: fragment.index,
	}
}

/// The claim of an order, if it has not expired.
pub(crate) fn live_claim(order: &Order) -> Option<(MinerId, planaria_primitives::Tick)> {
	order.state.claim().filter(|(_, deadline)| Clock::now() <= *deadline)
}

/// A page of restore orders.
pub fn orders(after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus> {
	let iter = match after {
		None => restore::Orders::<Runtime>::iter(),
		Some(after) => {
			restore::Orders::<Runtime>::iter_from(restore::Orders::<Runtime>::hashed_key_for(after))
		},
	};
	iter.take(page(limit)).filter_map(|(id, order)| order_status(id, &order)).collect()
}

/// A page of the restore orders that a miner has claimed.
pub fn claims(miner: MinerId, after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus> {
	Restore::claims_of(miner)
		.skip_while(|id| after.is_some_and(|after| *id != after))
		.skip(usize::from(after.is_some()))
		.take(page(limit))
		.filter_map(|id| order_status(id, &restore::Orders::<Runtime>::get(id)?))
		.collect()
}

/// Why an order was opened, as it is shown.
pub fn order_cause(cause: Cause) -> OrderCause {
	match cause {
		Cause::Broken => OrderCause::Broken,
		Cause::Target => OrderCause::Target,
		Cause::Challenge => OrderCause::Challenge,
	}
}

fn order_status(fragment: FragmentId, order: &Order) -> Option<OrderStatus> {
	let info = <Files as pallet_planaria_support::Fragments>::get(fragment.segment)?;
	let standing = match live_claim(order) {
		None => OrderStanding::Unclaimed,
		Some((by, deadline)) if Restore::is_ready(by, fragment) => {
			OrderStanding::Ready { by, deadline }
		},
		Some((by, deadline)) => OrderStanding::Claimed { by, deadline },
	};
	Some(OrderStatus {
		fragment,
		file: info.file,
		number: info.number,
		len: info.spec.fragment_len(info.number),
		holder: info.segment.holder(fragment.index),
		cause: order_cause(order.cause),
		opened: order.opened,
		standing,
		expiries: order.expiries,
		declines: u8::try_from(order.declined.len()).unwrap_or(u8::MAX),
		disputed: order.is_disputed(),
		spare: Restore::spare(fragment.segment, &info),
	})
}

/// A page of restore targets. The miners between them are looked at and left out.
pub fn targets(after: Option<MinerId>, limit: u32) -> Vec<TargetStatus> {
	let iter = match after {
		None => miners::Miners::<Runtime>::iter(),
		Some(after) => {
			miners::Miners::<Runtime>::iter_from(miners::Miners::<Runtime>::hashed_key_for(after))
		},
	};
	iter.filter(|(_, record)| record.standing().is_some_and(Standing::is_restore_target))
		.take(page(limit))
		.map(|(miner, record)| {
			let load = miners::Loads::<Runtime>::get(miner).unwrap_or_default();
			TargetStatus {
				miner,
				standing: standing(&record),
				since: record.since,
				fragments: load.fragments,
				held: load.held,
			}
		})
		.collect()
}

/// A page of the segments that have a verdict.
pub fn verdicts(after: Option<SegmentId>, limit: u32) -> Vec<SegmentVerdict> {
	let iter = match after {
		None => restore::Verdicts::<Runtime>::iter(),
		Some(after) => restore::Verdicts::<Runtime>::iter_from(
			restore::Verdicts::<Runtime>::hashed_key_for(after),
		),
	};
	iter.take(page(limit))
		.filter_map(|(segment, verdict)| {
			let info = <Files as pallet_planaria_support::Fragments>::get(segment)?;
			Some(SegmentVerdict {
				segment,
				file: info.file,
				number: info.number,
				spare: Restore::spare(segment, &info),
				verdict: verdict_status(verdict),
			})
		})
		.collect()
}

/// The beacon of one of the last 256 blocks.
pub fn beacon(block: u32) -> Option<Hash> {
	Clock::beacon_at(block)
}

/// What an account has bought.
pub fn space(owner: &AccountId) -> Option<SpaceStatus> {
	let space = space::Spaces::<Runtime>::get(owner)?;
	let (now, grace) = (Clock::now(), space::Parameters::<Runtime>::get().grace);
	// At most as many as one account may authorise.
	let operators: Vec<_> = space::Operators::<Runtime>::iter_prefix(owner).collect();
	let deposits = operators.iter().map(|(_, operator)| operator.deposit);
	Some(SpaceStatus {
		owner: owner.clone(),
		bytes: space.bytes,
		reserved: space.reserved,
		used: space.used,
		phase: match space.phase(now, grace) {
			SpaceState::Open => SpacePhase::Open,
			SpaceState::Grace => SpacePhase::Grace,
			SpaceState::Over => SpacePhase::Lapsed,
		},
		open_until: space.open_until(grace),
		until: space.until,
		price: space.price,
		left: whole(space.left_at(now)),
		deposit: deposits.fold(space.deposit, u128::saturating_add),
		operators: operators
			.into_iter()
			.map(|(operator, known)| OperatorStatus {
				operator,
				bytes: known.bytes,
				until: known.until,
			})
			.collect(),
	})
}

/// What space costs now, and how much of it is sold.
pub fn space_terms() -> SpaceTerms {
	let params = space::Parameters::<Runtime>::get();
	SpaceTerms {
		price: params.price,
		grace: params.grace,
		min_bytes: params.min_bytes,
		max_bytes: MaxSpace::get(),
		max_ticks: params.max_ticks,
		deposit: params.deposit,
	}
}

/// What a registered miner earns.
pub fn earnings(miner: MinerId) -> Option<EarningsStatus> {
	let record = miners::Miners::<Runtime>::get(miner)?;
	let held = rewards::Accounts::<Runtime>::get(miner).map_or(0, |account| account.held);
	let earns = record.earns();
	let bytes = if earns { held } else { 0 };
	let flow = Rewards::flow_now();
	let each = flow.rate.checked_div(flow.stored().into()).unwrap_or_default();
	let ticks = u128::from(DAY_MILLIS / crate::Babe::slot_duration().max(1));
	let per_day = each.saturating_mul(bytes.into()).saturating_mul(ticks);
	let claimable = Rewards::claimable(miner);
	Some(EarningsStatus { miner, earns, bytes, claimable, per_day: whole(per_day) })
}
