// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The glue between the chain, the worker and the mailbox.
//!
//! It runs once per best block in the node of a miner: shows the worker the chain as it is after
//! that block, loads what the engine has done, and stores, signs and submits what comes of it. The
//! decisions are [`planaria_worker`]'s.

use crate::{
	AccountId, Audit, Clock, Files, Header, Miners, Restore, Runtime, RuntimeCall, Signature,
	System, UncheckedExtrinsic, queries, transactions::signed_transaction,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::BoundedVec;
use frame_system::offchain::CreateAuthorizedTransaction;
use pallet_planaria_audit as audit;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_support::{Clock as _, hot_key};
use planaria_primitives::{
	FragmentId, MAX_FRAGMENT_LEN, MinerId, Tick,
	duty::{DutyKind, signed_bytes},
	mailbox::{
		self, Chore, DONE, Done, LAST, MAX_LISTED, MEMORY, PROOF_PAGES, ProofItem, Proofs, WANTED,
		pack, proofs_key, unpack,
	},
};
use planaria_worker::{
	BatchView, ChainView, ChallengeView, FragmentView, Me, Memory, OrderView, Step, Submit, step,
};
use sp_application_crypto::RuntimeAppPublic;
use sp_core::offchain::StorageKind;
use sp_io::offchain::{
	local_storage_compare_and_set, local_storage_get, local_storage_set, submit_transaction,
};

const LOG_TARGET: &str = "runtime::offchain";

/// How many blocks behind the best one a duty is anchored: forks of that depth are rare, and a duty
/// stays valid on all of them.
const ANCHOR_DEPTH: u32 = 3;

// The worker's limits are those of the calls.
const _: () = {
	assert!(planaria_worker::MAX_BATCH == restore::MAX_READY as usize);
	assert!(planaria_worker::MAX_BATCHES == restore::MAX_BATCHES as usize);
	assert!(planaria_worker::MAX_PROOFS == restore::MAX_PROOFS as usize);
	assert!(planaria_worker::MAX_PROOFS == audit::MAX_ANSWERS as usize);
};

/// Runs the worker after the block with this header, if the keystore has a miner's hot key.
pub fn run(header: &Header) {
	let Some((miner, key)) = own_miner() else { return };
	if !is_newest(header.number) {
		return;
	}
	let chain = Chain { miner, account: key_account(&key) };
	let Step { wanted, submit, memory } =
		step(&chain, &read::<Done>(DONE), &proofs(), read::<Memory>(MEMORY));
	write(MEMORY, &memory);
	if let Some(wanted) = wanted {
		write(WANTED, &wanted);
	}
	for submit in submit {
		log::debug!(target: LOG_TARGET, "{miner:?} at {}: {submit:?}", header.number);
		let Some(extrinsic) = chain.extrinsic(submit, &key) else {
			log::warn!(target: LOG_TARGET, "{miner:?}: the hot key cannot sign");
			continue;
		};
		// The pool's answer says nothing about duplicates; the worker looks at the chain instead.
		if submit_transaction(extrinsic.encode()).is_err() {
			log::debug!(target: LOG_TARGET, "{miner:?}: the pool refused a transaction");
		}
	}
}

/// The miner whose hot key is in the keystore, and the key.
fn own_miner() -> Option<(MinerId, hot_key::Public)> {
	hot_key::Public::all().into_iter().find_map(|key| {
		let miner = queries::miner_by_account(&key_account(&key))?;
		let record = miners::Miners::<Runtime>::get(miner)?;
		// The account may also be a stash.
		(record.hot_key.0 == public_bytes(&key)).then_some((miner, key))
	})
}

fn public_bytes(key: &hot_key::Public) -> [u8; 32] {
	sp_core::sr25519::Public::from(key.clone()).0
}

fn key_account(key: &hot_key::Public) -> AccountId {
	public_bytes(key).into()
}

/// Runs overlap and come late: raises the height of the newest run, unless a newer one has.
fn is_newest(height: u32) -> bool {
	loop {
		let old = local_storage_get(StorageKind::PERSISTENT, LAST);
		let last: Option<u32> = old.as_deref().and_then(unpack);
		if last.is_some_and(|last| last > height) {
			return false;
		}
		let Some(new) = pack(&height) else { return false };
		if local_storage_compare_and_set(StorageKind::PERSISTENT, LAST, old, &new) {
			return true;
		}
	}
}

fn read<T: codec::Decode + Default>(key: &[u8]) -> T {
	local_storage_get(StorageKind::PERSISTENT, key)
		.and_then(|bytes| unpack(&bytes))
		.unwrap_or_default()
}

fn write(key: &[u8], value: &impl Encode) {
	match pack(value) {
		Some(bytes) => local_storage_set(StorageKind::PERSISTENT, key, &bytes),
		None => log::error!(target: LOG_TARGET, "a value of the mailbox is too long"),
	}
}

fn proofs() -> Vec<ProofItem> {
	(0..PROOF_PAGES).flat_map(|page| read::<Proofs>(&proofs_key(page)).0).collect()
}

/// The chain after the block at hand, as a miner's worker sees it.
#[derive(Debug)]
pub struct Chain {
	/// The miner.
	pub miner: MinerId,
	/// The account of its hot key.
	pub account: AccountId,
}

impl ChainView for Chain {
	fn height(&self) -> u32 {
		System::block_number()
	}

	fn now(&self) -> Tick {
		Clock::now()
	}

	fn me(&self) -> Option<Me> {
		let record = miners::Miners::<Runtime>::get(self.miner)?;
		let load = miners::Loads::<Runtime>::get(self.miner)?;
		let params = miners::Parameters::<Runtime>::get();
		// One that has departed has no duties.
		let standing = record.standing()?;
		let fragment = u64::from(MAX_FRAGMENT_LEN);
		let used = load.used().saturating_add(fragment);
		let has_room = used <= record.declared && record.collateral >= params.required(used);
		Some(Me {
			miner: self.miner,
			takes_data: standing.takes_data() && has_room,
			claims_left: params.max_claims.saturating_sub(load.claims),
			claim_period: restore::Parameters::<Runtime>::get().claim_period,
			miners: miners::Registered::<Runtime>::get(),
			last_seen: load.last_seen,
			alive_every: params.alive_every,
		})
	}

	fn fragment(&self, id: FragmentId) -> Option<FragmentView> {
		let info = <Files as pallet_planaria_support::Fragments>::get(id.segment)?;
		if id.index >= info.segment.fragments() {
			return None;
		}
		let holder = info.segment.holder(id.index);
		let order = Restore::order_of(id, &info).map(|order| match queries::live_claim(&order) {
			Some((by, deadline)) => {
				OrderView::Claimed { by, deadline, ready: Restore::is_ready(by, id) }
			},
			None if Restore::is_void(id, &order, &info) => OrderView::Void,
			None => OrderView::Unclaimed,
		});
		Some(FragmentView {
			name: queries::name(id, &info),
			holder,
			confirmed: info.segment.is_confirmed(id.index),
			alive: info.state.is_alive(),
			holds_sibling: info.segment.index_of(self.miner).is_some_and(|index| index != id.index),
			order,
		})
	}

	fn is_takeable(&self, id: FragmentId) -> bool {
		let info = <Files as pallet_planaria_support::Fragments>::get(id.segment);
		info.is_some_and(|info| Restore::may_take(self.miner, id, &info).is_ok())
	}

	fn spare(&self, id: FragmentId) -> i16 {
		let info = <Files as pallet_planaria_support::Fragments>::get(id.segment);
		info.map_or(i16::MIN, |info| Restore::spare(id.segment, &info))
	}

	fn claims(&self) -> Vec<FragmentId> {
		Restore::claims_of(self.miner).take(MAX_LISTED).collect()
	}

	fn batches(&self) -> Vec<BatchView> {
		let batches = Restore::batches_of(self.miner).into_iter();
		batches.map(|(at, batch)| BatchView { at, asked: Restore::asked(at, &batch) }).collect()
	}

	fn challenges(&self) -> Vec<ChallengeView> {
		Audit::challenges_of(self.miner)
			.map(|(fragment, challenge)| ChallengeView {
				fragment,
				chunk: challenge.chunk,
				deadline: challenge.deadline,
			})
			.take(MAX_LISTED)
			.collect()
	}

	fn is_due(&self, chore: &Chore) -> bool {
		let record = miners::Miners::<Runtime>::get;
		match *chore {
			Chore::MarkAbsent(miner) => {
				let load = miners::Loads::<Runtime>::get(miner);
				let both = record(miner).zip(load);
				both.is_some_and(|(record, load)| Miners::may_mark_absent(&record, &load).is_ok())
			},
			Chore::ExpelAbsent(miner) => {
				record(miner).is_some_and(|record| Miners::may_expel_absent(&record).is_ok())
			},
			Chore::Finish(miner) => {
				record(miner).is_some_and(|record| Miners::may_finish(miner, &record).is_ok())
			},
			Chore::CheckSegment(segment) => Restore::is_misjudged(segment),
			Chore::Tidy(fragment) => Restore::is_untidy(fragment),
		}
	}

	fn nonce(&self) -> u32 {
		System::account_nonce(&self.account)
	}
}

impl Chain {
	fn extrinsic(&self, submit: Submit, key: &hot_key::Public) -> Option<UncheckedExtrinsic> {
		let miner = self.miner;
		let anchor = self.height().checked_sub(ANCHOR_DEPTH).filter(|anchor| *anchor > 0)?;
		Some(match submit {
			Submit::Confirm(items) => {
				let items = bounded(items);
				let signature = self.sign(DutyKind::Confirm, anchor, &items, key);
				authorized(files::Call::confirm { miner, anchor, items, signature })
			},
			Submit::Alive => {
				let signature = self.sign(DutyKind::Alive, anchor, &(), key);
				authorized(miners::Call::alive { miner, anchor, signature })
			},
			Submit::Ready(fragments) => {
				let fragments = bounded(fragments);
				let signature = self.sign(DutyKind::Ready, anchor, &fragments, key);
				authorized(restore::Call::ready { miner, anchor, fragments, signature })
			},
			Submit::Report(at, proofs) => {
				let proofs = bounded(proofs);
				let items = (at, &proofs);
				let signature = self.sign(DutyKind::Report, anchor, &items, key);
				authorized(restore::Call::report { miner, anchor, at, proofs, signature })
			},
			Submit::Answer(answers) => {
				let answer = |(fragment, proof)| audit::Answer { fragment, proof };
				let answers = bounded(answers.into_iter().map(answer).collect());
				let signature = self.sign(DutyKind::Answer, anchor, &answers, key);
				authorized(audit::Call::answer { miner, anchor, answers, signature })
			},
			Submit::Open(items) => {
				self.signed(restore::Call::open { fragments: bounded(items) }, key)?
			},
			Submit::Claim(items) => {
				self.signed(restore::Call::claim { fragments: bounded(items) }, key)?
			},
			Submit::GiveBack(items) => {
				self.signed(restore::Call::give_back { fragments: bounded(items) }, key)?
			},
			Submit::Decline(items) => {
				self.signed(restore::Call::decline { fragments: bounded(items) }, key)?
			},
			Submit::MarkAbsent(miner) => self.signed(miners::Call::mark_absent { miner }, key)?,
			Submit::ExpelAbsent(miner) => self.signed(miners::Call::expel_absent { miner }, key)?,
			Submit::Finish(miner) => self.signed(miners::Call::finish { miner }, key)?,
			Submit::CheckSegment(segment) => {
				self.signed(restore::Call::check_segment { segment }, key)?
			},
			Submit::Tidy(items) => {
				self.signed(restore::Call::tidy { fragments: bounded(items) }, key)?
			},
			Submit::Cancel(mailbox::Healed { fragment, at, proof }) => {
				self.signed(restore::Call::cancel { fragment, at, proof }, key)?
			},
		})
	}

	/// The hot key's signature of a duty; `None` where the keystore does not sign.
	fn sign(
		&self,
		kind: DutyKind,
		anchor: u32,
		items: &impl Encode,
		key: &hot_key::Public,
	) -> Option<hot_key::Signature> {
		let hash = System::block_hash(anchor).0;
		key.sign(&signed_bytes(&hash, self.miner, kind, items))
	}

	fn signed(
		&self,
		call: impl Into<RuntimeCall>,
		key: &hot_key::Public,
	) -> Option<UncheckedExtrinsic> {
		let account = self.account.clone();
		signed_transaction(call.into(), account, self.nonce(), |payload| {
			let signature = sp_core::sr25519::Signature::from(key.sign(&payload)?);
			Some(Signature::Sr25519(signature))
		})
	}
}

fn authorized<C>(call: C) -> UncheckedExtrinsic
where
	RuntimeCall: From<C>,
{
	<Runtime as CreateAuthorizedTransaction<C>>::create_authorized_transaction(call.into())
}

/// The worker's lists are shorter than every bound.
fn bounded<T, Bound: frame_support::traits::Get<u32>>(list: Vec<T>) -> BoundedVec<T, Bound> {
	BoundedVec::truncate_from(list)
}
