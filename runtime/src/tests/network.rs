// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A network of four miners and a file, in blocks as nodes make them, for the tests of what the
//! storage pallets do together.

use super::*;
use crate::{
	Babe, Balances, Files, Hash, Rewards, currency::UNIT, time::EPOCH_SLOTS,
	transactions::signed_transaction,
};
use codec::{Decode, Encode};
use frame_support::BoundedVec;
use frame_system::offchain::CreateAuthorizedTransaction;
use pallet_planaria_files::{self as files, Placement};
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_support::{FileState, hot_key};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentName,
	FragmentProof, MinerId, PlacementRule, SegmentId, Sidecar,
	commitment::{file_id, file_tree, segment_tree},
	duty::{DutyKind, registration_bytes, signed_bytes},
	merkle::Tree,
};
use sp_application_crypto::RuntimeAppPublic;
use sp_consensus_babe::{digests::SecondaryVRFPreDigest, make_vrf_sign_data};
use sp_core::{Pair, crypto::VrfSecret, ed25519, sr25519};
use sp_keystore::{Keystore, KeystoreExt, testing::MemoryKeystore};
use sp_runtime::{ApplyExtrinsicResult, MultiSignature};

/// The stashes of the miners 0 to 3.
pub const STASHES: [Sr25519Keyring; 4] =
	[Sr25519Keyring::Bob, Sr25519Keyring::Charlie, Sr25519Keyring::Dave, Sr25519Keyring::Eve];

/// Owns the files. Has nothing to do with miners or blocks.
pub const OWNER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// What every miner has at stake.
pub const COLLATERAL: u128 = 100 * UNIT;

/// Blocks one after the other, each on its parent, with the author's VRF output.
#[derive(Clone)]
pub struct Chain {
	slot: u64,
	parent: Hash,
}

impl Chain {
	pub fn new(genesis: Hash) -> Self {
		Self { slot: 1_000, parent: genesis }
	}

	pub fn begin(&mut self) {
		let slot = self.slot.into();
		let vrf_signature = Self::vrf(self.slot);
		let digest = SecondaryVRFPreDigest { authority_index: 0, slot, vrf_signature };
		begin_block_on(self.parent, self.slot, PreDigest::SecondaryVRF(digest));
	}

	/// Ends the block, after which all invariants hold.
	pub fn end(&mut self) -> Header {
		let header = Executive::finalize_block();
		self.slot += 1;
		self.parent = header.hash();
		assert_invariants();
		header
	}

	/// A block with what `f` does.
	pub fn block<R>(&mut self, f: impl FnOnce() -> R) -> R {
		self.begin();
		let result = f();
		self.end();
		result
	}

	/// That many blocks without a transaction.
	pub fn blocks(&mut self, count: u32) {
		(0..count).for_each(|_| self.block(|| ()));
	}

	/// Leaves that many slots without a block, between two blocks.
	pub fn skip(&mut self, slots: u64) {
		self.slot += slots;
	}

	/// Alice, the only validator, makes all blocks.
	fn vrf(slot: u64) -> sp_core::sr25519::vrf::VrfSignature {
		let current = Babe::current_epoch();
		let is_over = System::block_number() > 0 && slot >= *current.start_slot + EPOCH_SLOTS;
		let epoch = if is_over { Babe::next_epoch() } else { current };
		let data = make_vrf_sign_data(&epoch.randomness, slot.into(), epoch.epoch_index);
		Sr25519Keyring::Alice.pair().vrf_sign(&data)
	}
}

/// A chain with this genesis and four miners, of whom these have their hot keys in the keystore.
pub fn network(genesis_hash: Hash, keys: &[u32]) -> (TestExternalities, Chain) {
	let mut ext = genesis("development");
	ext.register_extension(KeystoreExt::new(keystore(keys)));
	let mut chain = Chain::new(genesis_hash);
	ext.execute_with(|| {
		chain.blocks(1);
		chain.block(|| (0..4).for_each(register));
	});
	(ext, chain)
}

/// Runs `test` on a network whose keystore has all hot keys.
pub fn on_network(test: impl FnOnce(&mut Chain)) {
	let (mut ext, mut chain) = network(Hash::repeat_byte(7), &[0, 1, 2, 3]);
	ext.execute_with(|| test(&mut chain));
}

/// Audits find nobody out from now on: in most tests nobody answers.
pub fn without_audits() {
	let longest = 1_000_000;
	pallet_planaria_audit::Parameters::<Runtime>::mutate(|params| params.answer_period = longest);
}

/// A keystore with the hot keys of these miners.
pub fn keystore(miners: &[u32]) -> MemoryKeystore {
	let keystore = MemoryKeystore::new();
	for miner in miners {
		let seed = hot_seed(*miner);
		keystore.sr25519_generate_new(hot_key::KEY_TYPE, Some(&seed)).unwrap();
	}
	keystore
}

fn hot_seed(miner: u32) -> String {
	format!("//hot//{miner}")
}

/// The key that signs for a miner's node.
pub fn hot_pair(miner: u32) -> sr25519::Pair {
	Pair::from_string(&hot_seed(miner), None).unwrap()
}

pub fn hot_account(miner: u32) -> AccountId {
	hot_pair(miner).public().into()
}

pub fn stash_pair(miner: u32) -> sr25519::Pair {
	STASHES[miner as usize].pair()
}

/// The stash registers the miner, and gives its hot key something to pay fees with.
fn register(miner: u32) {
	let stash = STASHES[miner as usize].to_account_id();
	let bytes = registration_bytes(&System::block_hash(0).0, stash.as_ref());
	let (hot, endpoint) = (
		hot_pair(miner),
		ed25519::Pair::from_string(&format!("//endpoint//{miner}"), None).unwrap(),
	);
	let register = miners::Call::register {
		hot_key: hot.public(),
		hot_proof: hot.sign(&bytes),
		endpoint: miners::Endpoint { key: endpoint.public().0, addrs: Default::default() },
		endpoint_proof: endpoint.sign(&bytes),
		declared: 1 << 40,
		payee: stash,
		collateral: COLLATERAL,
	};
	apply_ok(signed(&stash_pair(miner), register));
	let (dest, value) = (hot_account(miner).into(), 10 * UNIT);
	let fund = pallet_balances::Call::transfer_keep_alive { dest, value };
	apply_ok(signed(&stash_pair(miner), fund));
	assert_eq!(miners::ByAccount::<Runtime>::get(hot_account(miner)), Some(MinerId(miner)));
}

/// An ordinary transaction.
pub fn signed(pair: &sr25519::Pair, call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	let account = AccountId::from(pair.public());
	let nonce = System::account_nonce(&account);
	let sign = |payload: &[u8]| Some(MultiSignature::Sr25519(pair.sign(payload)));
	signed_transaction(call.into(), account, nonce, sign).unwrap()
}

/// A call that nobody signs.
pub fn authorized(call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	<Runtime as CreateAuthorizedTransaction<RuntimeCall>>::create_authorized_transaction(
		call.into(),
	)
}

/// Applies a transaction as it comes over the wire.
pub fn apply(extrinsic: &UncheckedExtrinsic) -> ApplyExtrinsicResult {
	let bytes = extrinsic.encode();
	Executive::apply_extrinsic(UncheckedExtrinsic::decode(&mut &bytes[..]).unwrap())
}

#[track_caller]
pub fn apply_ok(extrinsic: UncheckedExtrinsic) {
	apply(&extrinsic).expect("valid").expect("done");
}

/// Applies a duty and checks that no account notices, but of a report.
#[track_caller]
pub fn apply_duty(extrinsic: &UncheckedExtrinsic) {
	if matches!(extrinsic.function, RuntimeCall::Restore(restore::Call::report { .. })) {
		return apply_report(extrinsic);
	}
	let accounts = || -> Vec<_> {
		let mut accounts: Vec<_> = frame_system::Account::<Runtime>::iter()
			.map(|(who, info)| (who, info.nonce, info.data))
			.collect();
		accounts.sort_by(|a, b| a.0.cmp(&b.0));
		accounts
	};
	let before = (accounts(), total_issuance());
	apply(extrinsic).expect("valid").expect("done");
	assert_eq!((accounts(), total_issuance()), before);
}

/// Applies a report, which costs nothing either, and brings a bounty to those who restored.
#[track_caller]
pub fn apply_report(extrinsic: &UncheckedExtrinsic) {
	let (pot, issuance) = (Balances::free_balance(Rewards::pot()), total_issuance());
	apply(extrinsic).expect("valid").expect("done");
	assert!(Balances::free_balance(Rewards::pot()) < pot, "no bounty was paid");
	assert_eq!(total_issuance(), issuance);
}

pub fn total_issuance() -> u128 {
	Balances::total_issuance()
}

/// What the miner's hot key in the keystore signs.
pub fn sign(
	miner: u32,
	kind: DutyKind,
	anchor: u32,
	items: &impl Encode,
) -> Option<hot_key::Signature> {
	let hash = System::block_hash(anchor).0;
	let key = hot_key::Public::from(hot_pair(miner).public());
	key.sign(&signed_bytes(&hash, MinerId(miner), kind, items))
}

/// A state with its counts of references, as it is kept for another one.
pub type RawSnapshot = Vec<(Vec<u8>, (Vec<u8>, i32))>;

/// The last block.
pub fn anchor() -> u32 {
	System::block_number() - 1
}

pub fn confirm_call(miner: u32, anchor: u32, items: &[FragmentId]) -> files::Call<Runtime> {
	let items = BoundedVec::truncate_from(items.to_vec());
	let signature = sign(miner, DutyKind::Confirm, anchor, &items);
	files::Call::confirm { miner: MinerId(miner), anchor, items, signature }
}

pub fn confirm(miner: u32, items: &[FragmentId]) -> UncheckedExtrinsic {
	authorized(confirm_call(miner, anchor(), items))
}

pub fn ready(miner: u32, fragments: &[FragmentId]) -> UncheckedExtrinsic {
	let (anchor, fragments) = (anchor(), BoundedVec::truncate_from(fragments.to_vec()));
	let signature = sign(miner, DutyKind::Ready, anchor, &fragments);
	authorized(restore::Call::ready { miner: MinerId(miner), anchor, fragments, signature })
}

/// Reports the miner's oldest batch.
pub fn report(miner: u32, proofs: Vec<FragmentProof>) -> UncheckedExtrinsic {
	let (anchor, proofs) = (anchor(), BoundedVec::try_from(proofs).unwrap());
	let at = restore::Batches::<Runtime>::iter_key_prefix(MinerId(miner)).min().unwrap_or(0);
	let signature = sign(miner, DutyKind::Report, anchor, &(at, &proofs));
	authorized(restore::Call::report { miner: MinerId(miner), anchor, at, proofs, signature })
}

/// What the miner's oldest batch is asked for, once its seed is known.
pub fn asked(miner: u32) -> Option<Vec<(FragmentId, u32)>> {
	let batches = restore::Batches::<Runtime>::iter_prefix(MinerId(miner));
	let (at, batch) = batches.min_by_key(|(at, _)| *at).unwrap();
	crate::Restore::asked(at, &batch)
}

/// The hot key opens orders.
pub fn open(miner: u32, fragments: &[FragmentId]) -> UncheckedExtrinsic {
	let fragments = BoundedVec::truncate_from(fragments.to_vec());
	signed(&hot_pair(miner), restore::Call::open { fragments })
}

/// The hot key claims orders.
pub fn claim(miner: u32, fragments: &[FragmentId]) -> UncheckedExtrinsic {
	let fragments = BoundedVec::truncate_from(fragments.to_vec());
	signed(&hot_pair(miner), restore::Call::claim { fragments })
}

/// A file of one segment of three fragments, of which two restore it. Its bytes are not a codeword:
/// the chain does not care.
pub struct TestFile {
	pub id: FileId,
	pub spec: FileSpec,
	fragments: Vec<Vec<u8>>,
	segment: Tree,
	file: Tree,
	/// The stored instance.
	pub index: FileIndex,
	/// Its segment.
	pub first: SegmentId,
}

impl TestFile {
	/// The owner orders it, with a content that depends on `seed`.
	pub fn order(seed: u8) -> Self {
		let spec = FileSpec::new(50_000, CodingParams::LEAN).unwrap();
		let len = spec.fragment_len(0) as usize;
		let fragments: Vec<Vec<u8>> = (0..spec.fragments())
			.map(|index| (0..=250).cycle().map(|byte: u8| seed ^ index ^ byte).take(len).collect())
			.collect();
		let hashes: Vec<_> = fragments.iter().map(|f| FragmentHash::of(f)).collect();
		let segment = segment_tree(&hashes).unwrap();
		let file = file_tree(&[segment.root()]).unwrap();
		let id = file_id(&spec, &file.root());
		let index = files::NextFile::<Runtime>::get();
		let first = files::NextSegment::<Runtime>::get();
		apply_ok(signed(
			&OWNER.pair(),
			files::Call::order {
				id,
				size: spec.size(),
				coding: spec.coding(),
				label: BoundedVec::truncate_from(vec![seed]),
				payer: None,
				placement: PlacementRule::Chosen,
			},
		));
		Self { id, spec, fragments, segment, file, index, first }
	}

	/// The owner places its fragments with these miners.
	pub fn place(&self, miners: [u32; 3]) {
		let miners = BoundedVec::truncate_from(miners.map(MinerId).to_vec());
		let placements = BoundedVec::truncate_from(vec![Placement::Chosen(miners)]);
		let place = files::Call::place { file: self.index, first: 0, placements };
		apply_ok(signed(&OWNER.pair(), place));
	}

	/// It is ordered, placed with these miners and confirmed.
	pub fn stored(chain: &mut Chain, seed: u8, miners: [u32; 3]) -> Self {
		let file = chain.block(|| {
			let file = Self::order(seed);
			file.place(miners);
			file
		});
		chain.block(|| {
			for (index, miner) in (0..).zip(miners) {
				apply_duty(&confirm(miner, &[file.fragment(index)]));
			}
		});
		assert_eq!(file.state(), Some(FileState::Active));
		file
	}

	pub fn state(&self) -> Option<FileState> {
		Files::file(self.index).map(|file| file.state)
	}

	pub fn fragment(&self, index: u8) -> FragmentId {
		FragmentId { segment: self.first, index }
	}

	pub fn name(&self, index: u8) -> FragmentName {
		FragmentName { file_id: self.id, file: self.index, segment: 0, index }
	}

	/// The bytes of each fragment.
	pub fn fragment_len(&self) -> u64 {
		self.spec.fragment_len(0).into()
	}

	pub fn holder(&self, index: u8) -> Option<u32> {
		let segment = files::Segments::<Runtime>::get(self.first)?;
		segment.holder(index).map(|miner| miner.0)
	}

	pub fn proof(&self, index: u8, chunk: u32) -> FragmentProof {
		let sidecar = Sidecar::new(&self.segment, index, &self.file, 0).unwrap();
		FragmentProof::new(&self.fragments[usize::from(index)], chunk, &sidecar).unwrap()
	}

	/// The proofs that the miner's oldest batch, of fragments of this file only, is asked for.
	pub fn proofs(&self, miner: u32) -> Vec<FragmentProof> {
		let asked = asked(miner).unwrap();
		assert!(!asked.is_empty());
		asked.into_iter().map(|(fragment, chunk)| self.proof(fragment.index, chunk)).collect()
	}
}

pub fn load(miner: u32) -> miners::MinerLoad {
	miners::Loads::<Runtime>::get(MinerId(miner)).unwrap()
}
