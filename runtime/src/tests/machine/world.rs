// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain with its parties, on which the steps are done.

use super::super::{
	network::{self, Chain},
	*,
};
use super::{
	content::{CONTENTS, Content},
	op::{Op, Pick},
	parties::*,
	view::View,
};
use crate::{Clock, Restore, RuntimeEvent, configs::system::BLOCK_WEIGHT, currency::UNIT, presets};
use frame_support::{
	BoundedVec, dispatch::DispatchClass, storage::with_transaction, traits::ConstU32,
};
use pallet_planaria_audit as audit;
use pallet_planaria_clock as clock;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::{Clock as _, Fragments as _, SegmentInfo, hot_key};
use planaria_primitives::{
	FileIndex, FragmentId, FragmentProof, MinerId, PlacementRule, SegmentId,
	duty::{DutyKind, registration_bytes, signed_bytes},
};
use sp_core::{Pair, sr25519};
use sp_runtime::{
	ApplyExtrinsicResult, DispatchError, Percent, TransactionOutcome,
	transaction_validity::InvalidTransaction,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::LazyLock,
};

/// What the miners begin with; the base is 10.
const COLLATERAL: u128 = 12 * UNIT;

/// The bytes each of them offers at first.
const DECLARED: u64 = 1 << 30;

/// The space that is bought, for so many ticks: enough for every file.
pub const SPACE: u64 = 1 << 28;
pub const SPACE_TICKS: u32 = 150;

/// Short periods, so that everything that can expire does.
pub fn miners_params() -> miners::Params<u128> {
	miners::Params {
		alive_every: 8,
		absent_after: 18,
		absent_max: 6,
		cooldown: 4,
		brake_window: 70,
		brake_share: Percent::from_percent(40),
		max_claims: 6,
		..presets::production_miners()
	}
}

pub fn files_params() -> files::Params<u128> {
	files::Params { order_timeout: 25, place_timeout: 6, ..presets::production_files() }
}

pub fn restore_params() -> restore::Params<u128> {
	restore::Params {
		claim_period: 14,
		ban_period: 16,
		loss_settlement: 6,
		..presets::production_restore()
	}
}

/// A byte costs a part for a tick, so that every file pays.
pub fn space_params() -> space::Params {
	space::Params {
		price: space::TIB.into(),
		grace: 20,
		min_bytes: SPACE,
		max_ticks: 10_000,
		..presets::production_space()
	}
}

pub fn rewards_params() -> rewards::Params {
	rewards::Params { bounty_hold: 30, ..presets::production_rewards() }
}

/// About every fourth tick somebody is asked.
pub fn audit_params() -> audit::Params<u128> {
	audit::Params {
		bytes_per_draw: 4 << 10,
		answer_period: 10,
		strike_window: 14,
		heal_after: 24,
		max_named: 3,
		..presets::production_audit()
	}
}

/// A chain on which the first miners are registered and some files are stored, with its state.
struct Beginning {
	chain: Chain,
	raw: network::RawSnapshot,
	root: Hash,
}

static BEGINNING: LazyLock<Beginning> = LazyLock::new(|| {
	let mut patch = preset("development");
	patch["miners"]["params"] = serde_json::to_value(miners_params()).unwrap();
	patch["files"]["params"] = serde_json::to_value(files_params()).unwrap();
	patch["restore"]["params"] = serde_json::to_value(restore_params()).unwrap();
	patch["space"]["params"] = serde_json::to_value(space_params()).unwrap();
	patch["rewards"]["params"] = serde_json::to_value(rewards_params()).unwrap();
	let space = |owner| (account_of(owner), SPACE, SPACE_TICKS);
	let spaces: Vec<_> = FILE_OWNERS.iter().map(space).collect();
	patch["space"]["spaces"] = serde_json::to_value(spaces).unwrap();
	patch["audit"]["params"] = serde_json::to_value(audit_params()).unwrap();
	let balances = patch["balances"]["balances"].as_array_mut().unwrap();
	balances.extend(accounts().map(|who| serde_json::to_value((who, ENDOWMENT)).unwrap()));
	let mut ext = genesis_with(patch);
	let chain = ext.execute_with(|| {
		let mut world = World::on(Chain::new(Hash::repeat_byte(7)));
		world.next_block();
		for n in 0..REGISTERED {
			assert!(world.register(n, 0));
		}
		for content in [0, 2, 4] {
			world.store(content);
		}
		world.end()
	});
	ext.commit_all().unwrap();
	let (raw, root) = ext.into_raw_snapshot();
	Beginning { chain, raw, root }
});

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
	/// There was nothing to do it with.
	Idle,
	Refused,
	Done,
}

impl Outcome {
	pub fn of(done: bool) -> Self {
		if done { Self::Done } else { Self::Refused }
	}
}

/// What came of the steps of each kind.
#[derive(Default)]
pub struct Tally(BTreeMap<String, [u32; 3]>);

impl Tally {
	pub fn count(&mut self, kind: String, outcome: Outcome) {
		self.0.entry(kind).or_default()[outcome as usize] += 1;
	}

	/// Each kind with how often it was idle, refused and done.
	pub fn kinds(&self) -> impl Iterator<Item = (&str, [u32; 3])> {
		self.0.iter().map(|(kind, counts)| (kind.as_str(), *counts))
	}
}

/// The chain in the middle of a block.
pub struct World {
	chain: Chain,
	/// What was, when it was last looked at.
	view: View,
	/// How many of the block's events were looked at.
	seen: usize,
	/// Claims of miners that were assigned another fragment of the segment later.
	placed_later: BTreeSet<(MinerId, SegmentId)>,
	/// Every duty that was done.
	duties: Vec<UncheckedExtrinsic>,
}

impl World {
	/// Does the test at the beginning of the world.
	pub fn run<R>(test: impl FnOnce(&mut Self) -> R) -> R {
		let Beginning { chain, raw, root } = &*BEGINNING;
		let version = sp_runtime::StateVersion::V1;
		let mut ext = TestExternalities::from_raw_snapshot(raw.clone(), *root, version);
		ext.execute_with(|| {
			let mut world = Self::on(chain.clone());
			world.next_block();
			let result = test(&mut world);
			world.end();
			result
		})
	}

	/// On this chain, in its next block.
	pub fn on(mut chain: Chain) -> Self {
		chain.begin();
		Executive::inherents_applied();
		Self {
			chain,
			view: View::now(),
			seen: System::events().len(),
			placed_later: BTreeSet::new(),
			duties: Vec::new(),
		}
	}

	/// Does the step, and checks what must hold after it.
	pub fn step(&mut self, op: &Op) -> Outcome {
		// There is room for the transactions of a step.
		if System::block_weight().total().ref_time() > BLOCK_WEIGHT.ref_time() / 3 {
			self.next_block();
		}
		let outcome = self.act(op);
		self.look();
		outcome
	}

	/// Checks what must hold now.
	fn look(&mut self) {
		assert_invariants();
		self.compare();
	}

	/// Checks what happened since the last time.
	fn compare(&mut self) {
		let events: Vec<_> =
			System::events().into_iter().skip(self.seen).map(|record| record.event).collect();
		self.seen += events.len();
		let now = View::now();
		now.follows(&self.view, &events);
		let claimed = now.claimed_by_holders();
		self.placed_later.retain(|claim| claimed.contains(claim));
		now.is_one_truth(&self.placed_later);
		self.view = now;
	}

	/// Ends the block.
	pub fn end(&mut self) -> Chain {
		self.chain.end();
		self.compare();
		self.chain.clone()
	}

	/// Ends the block and begins the next one, in which no duty that was done is accepted again.
	pub fn next_block(&mut self) {
		self.end();
		self.chain.begin();
		self.seen = 0;
		Executive::inherents_applied();
		self.look();
		for duty in &self.duties {
			assert!(Self::trial(duty).is_err(), "a duty is done twice");
		}
	}

	pub fn blocks(&mut self, count: u32) {
		(0..count).for_each(|_| self.next_block());
	}

	/// Leaves that many slots empty.
	pub fn skip(&mut self, slots: u64) {
		self.end();
		self.chain.skip(slots);
		self.chain.begin();
		self.seen = 0;
		Executive::inherents_applied();
		self.look();
	}

	/// The clock stands still after a block without room for a duty.
	pub fn full_block(&mut self) {
		System::register_extra_weight_unchecked(BLOCK_WEIGHT, DispatchClass::Operational);
		let before = Clock::now();
		self.next_block();
		assert_eq!(Clock::now(), before);
		self.next_block();
	}

	/// What would come of it. Nothing remains.
	fn trial(extrinsic: &UncheckedExtrinsic) -> ApplyExtrinsicResult {
		with_transaction(|| {
			TransactionOutcome::Rollback(Ok::<_, DispatchError>(network::apply(extrinsic)))
		})
		.unwrap()
	}

	/// Applies it; nothing remains where it is invalid.
	fn submit(extrinsic: &UncheckedExtrinsic) -> ApplyExtrinsicResult {
		with_transaction(|| {
			let result = network::apply(extrinsic);
			match result {
				Ok(_) => TransactionOutcome::Commit(Ok::<_, DispatchError>(result)),
				Err(_) => TransactionOutcome::Rollback(Ok(result)),
			}
		})
		.unwrap()
	}

	/// Whether the call was dispatched and did not fail. It must have been valid. It waits for a
	/// block with room, as it would in a pool: one that begins a session has none.
	pub fn call(&mut self, by: &sr25519::Pair, call: impl Into<RuntimeCall>) -> bool {
		let call = network::signed(by, call);
		let mut result = Self::submit(&call);
		if result == Err(InvalidTransaction::ExhaustsResources.into()) {
			self.next_block();
			result = Self::submit(&call);
		}
		result.unwrap().is_ok()
	}

	/// Whether root did it.
	pub fn root(&mut self, call: impl Into<RuntimeCall>) -> bool {
		let call = pallet_sudo::Call::sudo { call: Box::new(call.into()) };
		assert!(self.call(&Sr25519Keyring::Alice.pair(), call));
		let events = System::events().into_iter().rev();
		let done = events.map(|record| record.event).find_map(|event| match event {
			RuntimeEvent::Sudo(pallet_sudo::Event::Sudid { sudo_result }) => Some(sudo_result),
			_ => None,
		});
		done.unwrap().is_ok()
	}

	/// The anchor of a duty of this kind now, unless the last one has it already.
	pub fn anchor(party: &Party, kind: DutyKind) -> Option<u32> {
		let anchor = network::anchor();
		(party.load()?.anchors[kind as usize] < anchor).then_some(anchor)
	}

	pub fn sign(
		party: &Party,
		kind: DutyKind,
		anchor: u32,
		items: &impl Encode,
	) -> Option<hot_key::Signature> {
		let bytes = signed_bytes(&System::block_hash(anchor).0, party.id, kind, items);
		Some(party.hot().sign(&bytes).into())
	}

	/// Whether the duty was accepted. It is remembered.
	pub fn duty(&mut self, call: impl Into<RuntimeCall>) -> bool {
		let duty = network::authorized(call);
		let accepted = match Self::submit(&duty) {
			Ok(result) => {
				assert_eq!(result, Ok(()), "a duty failed after the gate");
				true
			},
			Err(_) => false,
		};
		if accepted {
			assert!(Self::trial(&duty).is_err(), "a duty is done twice");
			self.duties.push(duty);
		}
		accepted
	}

	pub fn confirm(&mut self, party: &Party, items: &[FragmentId]) -> bool {
		let Some(anchor) = Self::anchor(party, DutyKind::Confirm) else { return false };
		let items = BoundedVec::truncate_from(items.to_vec());
		let signature = Self::sign(party, DutyKind::Confirm, anchor, &items);
		self.duty(files::Call::confirm { miner: party.id, anchor, items, signature })
	}

	pub fn alive(&mut self, party: &Party) -> bool {
		let Some(anchor) = Self::anchor(party, DutyKind::Alive) else { return false };
		let signature = Self::sign(party, DutyKind::Alive, anchor, &());
		self.duty(miners::Call::alive { miner: party.id, anchor, signature })
	}

	pub fn ready(&mut self, party: &Party, fragments: &[FragmentId]) -> bool {
		let Some(anchor) = Self::anchor(party, DutyKind::Ready) else { return false };
		let fragments = BoundedVec::truncate_from(fragments.to_vec());
		let signature = Self::sign(party, DutyKind::Ready, anchor, &fragments);
		self.duty(restore::Call::ready { miner: party.id, anchor, fragments, signature })
	}

	pub fn report(&mut self, party: &Party, at: u32, proofs: Vec<FragmentProof>) -> bool {
		let Some(anchor) = Self::anchor(party, DutyKind::Report) else { return false };
		let proofs = BoundedVec::truncate_from(proofs);
		let signature = Self::sign(party, DutyKind::Report, anchor, &(at, &proofs));
		self.duty(restore::Call::report { miner: party.id, anchor, at, proofs, signature })
	}

	pub fn answer(&mut self, party: &Party, answers: Vec<audit::Answer>) -> bool {
		let Some(anchor) = Self::anchor(party, DutyKind::Answer) else { return false };
		let answers = BoundedVec::truncate_from(answers);
		let signature = Self::sign(party, DutyKind::Answer, anchor, &answers);
		self.duty(audit::Call::answer { miner: party.id, anchor, answers, signature })
	}

	/// The miner of stash `n` registers with the keys of this number.
	pub fn register(&mut self, n: u32, key: u32) -> bool {
		let stash = &STASHES[n as usize];
		let bytes = registration_bytes(&System::block_hash(0).0, account_of(stash).as_ref());
		let (hot, endpoint) = keys(n, key);
		let call = miners::Call::register {
			hot_key: hot.public(),
			hot_proof: hot.sign(&bytes),
			endpoint: miners::Endpoint { key: endpoint.public().0, addrs: Default::default() },
			endpoint_proof: endpoint.sign(&bytes),
			declared: DECLARED,
			payee: account_of(stash),
			collateral: COLLATERAL,
		};
		self.call(stash, call)
	}

	/// An order in one's own name, or in that of `payer`.
	pub fn order(
		&mut self,
		by: &sr25519::Pair,
		content: &Content,
		payer: Option<AccountId>,
		placement: PlacementRule,
	) -> bool {
		let (id, size, coding) = (content.id, content.spec.size(), content.spec.coding());
		let label = BoundedVec::default();
		self.call(by, files::Call::order { id, size, coding, label, payer, placement })
	}

	pub fn place(&mut self, owner: &sr25519::Pair, file: FileIndex, by: Placed) -> bool {
		let Placed { first, miners } = by;
		let chosen = |miners| files::Placement::Chosen(BoundedVec::truncate_from(miners));
		self.place_as(owner, file, first, miners.into_iter().map(chosen).collect())
	}

	pub fn place_as(
		&mut self,
		owner: &sr25519::Pair,
		file: FileIndex,
		first: u32,
		placements: Vec<files::Placement>,
	) -> bool {
		let before = self.view.claimed_by_holders();
		let placements = BoundedVec::truncate_from(placements);
		let placed = self.call(owner, files::Call::place { file, first, placements });
		if placed {
			let now = View::now().claimed_by_holders();
			self.placed_later.extend(now.difference(&before));
		}
		placed
	}

	/// The first owner orders it, with the first miners, who confirm.
	fn store(&mut self, content: usize) {
		let content = &CONTENTS[content];
		let file = files::NextFile::<Runtime>::get();
		assert!(self.order(&FILE_OWNERS[0], content, None, PlacementRule::Chosen));
		let miners = (0..u32::from(content.spec.fragments())).map(MinerId).collect();
		let placed = Placed { first: 0, miners: vec![miners] };
		assert!(self.place(&FILE_OWNERS[0], file, placed));
		self.next_block();
		assert_eq!(self.confirm_file(file), Outcome::Done);
	}

	/// All miners of the file confirm what they can.
	pub fn confirm_file(&mut self, file: FileIndex) -> Outcome {
		let mut outcome = Outcome::Idle;
		for party in parties() {
			let mut assigned = unconfirmed(&party);
			assigned.retain(|f| segment(f.segment).is_some_and(|info| info.file == file));
			if assigned.is_empty() || Self::anchor(&party, DutyKind::Confirm).is_none() {
				continue;
			}
			let done = self.confirm(&party, &assigned);
			if !done || outcome == Outcome::Refused {
				outcome = Outcome::Refused;
			} else {
				outcome = Outcome::Done;
			}
		}
		outcome
	}

	/// A full set of proofs for what a batch that was declared in block `at` is asked for.
	pub fn proofs(at: u32, batch: &restore::Batch) -> Vec<FragmentProof> {
		let asked = Restore::asked(at, batch).unwrap_or_default();
		asked.into_iter().map(|(fragment, chunk)| proof(fragment, chunk)).collect()
	}

	pub fn set_running(&mut self, running: bool) -> bool {
		self.root(clock::Call::set_running { running })
	}
}

/// Placements of the segments from `first` on.
pub struct Placed {
	pub first: u32,
	pub miners: Vec<Vec<MinerId>>,
}

pub fn keys(n: u32, key: u32) -> (&'static sr25519::Pair, &'static sp_core::ed25519::Pair) {
	let at = (n * KEYS + key) as usize;
	(&HOT_KEYS[at], &ENDPOINTS[at])
}

/// The segment, with its file.
pub fn segment(id: SegmentId) -> Option<SegmentInfo> {
	crate::Files::get(id)
}

/// The proof of a chunk that exists.
pub fn proof(fragment: FragmentId, chunk: u32) -> FragmentProof {
	let info = segment(fragment.segment).unwrap();
	let content = CONTENTS.iter().find(|content| content.id == info.file_id).unwrap();
	content.proof(info.number, fragment.index, chunk)
}

/// All fragments there are, each with its segment, in their order.
pub fn fragments() -> Vec<(FragmentId, SegmentInfo)> {
	let mut ids: Vec<_> = files::Segments::<Runtime>::iter_keys().collect();
	ids.sort_unstable();
	let infos = ids.into_iter().filter_map(|id| Some((id, segment(id)?)));
	infos
		.flat_map(|(segment, info)| {
			(0..info.segment.fragments())
				.map(move |index| (FragmentId { segment, index }, info.clone()))
		})
		.collect()
}

/// What the miner is assigned and has not confirmed, of files that are alive.
pub fn unconfirmed(party: &Party) -> Vec<FragmentId> {
	let assigned = fragments().into_iter().filter(|(fragment, info)| {
		info.state.is_alive()
			&& info.segment.holder(fragment.index) == Some(party.id)
			&& !info.segment.is_confirmed(fragment.index)
	});
	assigned.map(|(fragment, _)| fragment).collect()
}

/// A list for a call on restore orders.
pub fn list(
	fragments: impl IntoIterator<Item = FragmentId>,
) -> BoundedVec<FragmentId, ConstU32<64>> {
	BoundedVec::truncate_from(fragments.into_iter().collect())
}

/// One of these by the pick, and the pick after it.
pub fn choose<Item: Clone>(pick: &mut Pick, items: &[Item]) -> Option<Item> {
	let item = pick.of(items);
	*pick = pick.next();
	item
}
