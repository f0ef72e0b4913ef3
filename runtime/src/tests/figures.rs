// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a restored fragment costs the chain, in full batches and at its worst: proofs of the
//! greatest length, each fragment in a segment and a file of its own.

use super::{
	machine::{
		parties::{HOT_KEYS, KEYS, Party, STASHES, account_of, accounts, party},
		world::World,
	},
	network::*,
	*,
};
use crate::{Restore, configs::storage::MaxSpace, currency::UNIT, presets};
use frame_support::{
	BoundedVec,
	storage::{storage_prefix, unhashed},
};
use pallet_planaria_files::{self as files, Placement};
use pallet_planaria_miners as miners;
use pallet_planaria_restore::{self as restore, MAX_READY, SEED_DELAY};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentProof,
	MAX_FRAGMENT_LEN, MAX_SEGMENTS, MinerId, PlacementRule, SegmentId, Sidecar,
	commitment::file_id,
	duty::DutyKind,
	merkle::{self, Level},
};
use sp_core::sr25519;

/// Bytes of the block per restored fragment: claim, ready and report.
const BLOCK_SPACE: usize = 400;

/// Bytes written to the state per restored fragment, keys and values.
const STATE_WRITES: usize = 1_200;

/// Holders of the fragments.
const HOLDERS: u32 = 12;

/// As many files as one account has the space for.
const FILES: usize = 10;

/// Restores them.
const RESTORER: u32 = 13;

/// A file of the most segments, of which the first fragment is known.
struct Long {
	id: FileId,
	spec: FileSpec,
	sidecar: Sidecar,
	/// Its first fragment.
	fragment: FragmentId,
}

impl Long {
	/// The other fragments are whatever they must be, by `seed`.
	fn new(seed: u8, hash: &FragmentHash) -> Self {
		let coding = CodingParams::STANDARD;
		let size = coding.segment_capacity() * u64::from(MAX_SEGMENTS);
		let spec = FileSpec::new(size, coding).unwrap();
		let sidecar = vec![seed; Sidecar::len_for(&spec, 0, 0)];
		let (in_segment, in_file) = sidecar.split_at(sidecar.len() - 20 * 32);
		let root = merkle::root_from_path(Level::Segment, &hash.0, 0, HOLDERS, in_segment).unwrap();
		let root = merkle::root_from_path(Level::File, &root, 0, MAX_SEGMENTS, in_file).unwrap();
		let fragment = FragmentId { segment: SegmentId(0), index: 0 };
		Self { id: file_id(&spec, &root), spec, sidecar: Sidecar(sidecar), fragment }
	}

	/// Orders it, and places its first segment.
	fn store(&mut self, owner: &sr25519::Pair) {
		let file: FileIndex = files::NextFile::<Runtime>::get();
		self.fragment.segment = files::NextSegment::<Runtime>::get();
		let (id, size, coding) = (self.id, self.spec.size(), self.spec.coding());
		let label = BoundedVec::default();
		let placement = PlacementRule::Chosen;
		let order = files::Call::order { id, size, coding, label, payer: None, placement };
		apply_ok(signed(owner, order));
		let miners = (0..HOLDERS).map(MinerId).collect();
		let placements = vec![Placement::Chosen(BoundedVec::truncate_from(miners))];
		let placements = BoundedVec::truncate_from(placements);
		apply_ok(signed(owner, files::Call::place { file, first: 0, placements }));
	}
}

fn genesis_with_miners() -> TestExternalities {
	let mut patch = preset("development");
	patch["miners"]["params"] = serde_json::to_value(presets::production_miners()).unwrap();
	patch["files"]["params"] = serde_json::to_value(presets::production_files()).unwrap();
	patch["restore"]["params"] = serde_json::to_value(presets::production_restore()).unwrap();
	let balances = patch["balances"]["balances"].as_array_mut().unwrap();
	balances.extend(accounts().map(|who| serde_json::to_value((who, 1_000_000 * UNIT)).unwrap()));
	// Nobody has the space for all of the files.
	let space = |stash| (account_of(stash), MaxSpace::get(), 1_000);
	let spaces: Vec<_> = STASHES.iter().map(space).collect();
	patch["space"]["spaces"] = serde_json::to_value(spaces).unwrap();
	genesis_with(patch)
}

/// What a block costs.
struct Costs {
	/// The bytes of its transactions.
	space: usize,
	/// The bytes it writes, keys and values.
	written: usize,
	/// Those of them that are events, which the next block removes.
	events: usize,
}

/// What a block with these transactions costs beyond an empty one.
fn costs(
	ext: &mut TestExternalities,
	chain: &mut Chain,
	transactions: impl FnOnce() -> Vec<UncheckedExtrinsic>,
) -> Costs {
	let empty = block(ext, chain, Vec::new);
	let full = block(ext, chain, transactions);
	Costs {
		space: full.space,
		written: full.written.saturating_sub(empty.written),
		events: full.events.saturating_sub(empty.events),
	}
}

fn block(
	ext: &mut TestExternalities,
	chain: &mut Chain,
	transactions: impl FnOnce() -> Vec<UncheckedExtrinsic>,
) -> Costs {
	ext.commit_all().unwrap();
	let space = ext.execute_with(|| {
		chain.block(|| {
			let transactions = transactions();
			transactions.iter().for_each(|transaction| apply_ok(transaction.clone()));
			transactions.iter().map(Encode::encoded_size).sum()
		})
	});
	let keys: Vec<_> = ext.overlayed_changes().changes().map(|(key, _)| key.clone()).collect();
	ext.execute_with(|| {
		let written = |key: &Vec<u8>| key.len() + unhashed::get_raw(key).map_or(0, |v| v.len());
		let events = storage_prefix(b"System", b"Events");
		Costs {
			space,
			written: keys.iter().map(written).sum(),
			events: keys.iter().filter(|key| key[..] == events).map(written).sum(),
		}
	})
}

#[test]
fn a_restored_fragment_is_cheap_in_full_batches() {
	let bytes = vec![0; MAX_FRAGMENT_LEN as usize];
	let hash = FragmentHash::of(&bytes);
	let mut files: Vec<_> = (0..MAX_READY).map(|n| Long::new(n as u8, &hash)).collect();
	let mut ext = genesis_with_miners();
	let mut chain = ext.execute_with(|| {
		let mut world = World::on(Chain::new(Hash::repeat_byte(7)));
		world.next_block();
		for n in 0..=RESTORER {
			assert!(world.register(n, 0));
			world.next_block();
		}
		world.end()
	});
	let fragments = ext.execute_with(|| {
		for (owner, some) in STASHES.iter().zip(files.chunks_mut(FILES)) {
			chain.block(|| some.iter_mut().for_each(|file| file.store(owner)));
		}
		let fragments: Vec<_> = files.iter().map(|file| file.fragment).collect();
		chain.block(|| {
			for n in 0..HOLDERS {
				let of_miner = fragments.iter().map(|f| FragmentId { index: n as u8, ..*f });
				let items = BoundedVec::truncate_from(of_miner.collect());
				let confirm = files::Call::confirm {
					miner: MinerId(n),
					anchor: anchor(),
					signature: World::sign(&of(n), DutyKind::Confirm, anchor(), &items),
					items,
				};
				apply_ok(authorized(confirm));
			}
		});
		// The top-ups pay for what is claimed at most.
		chain.block(|| {
			apply_ok(signed(of(RESTORER).stash(), miners::Call::top_up { amount: 100 * UNIT }));
		});
		fragments
	});

	let list = || BoundedVec::truncate_from(fragments.clone());
	let hot = |n: u32| &HOT_KEYS[(n * KEYS) as usize];
	let open = costs(&mut ext, &mut chain, || {
		vec![signed(hot(0), restore::Call::open { fragments: list() })]
	});
	let claim = costs(&mut ext, &mut chain, || {
		vec![signed(hot(RESTORER), restore::Call::claim { fragments: list() })]
	});
	let ready = costs(&mut ext, &mut chain, || {
		let fragments = BoundedVec::truncate_from(fragments.clone());
		let signature = World::sign(&of(RESTORER), DutyKind::Ready, anchor(), &fragments);
		let (miner, anchor) = (MinerId(RESTORER), anchor());
		vec![authorized(restore::Call::ready { miner, anchor, fragments, signature })]
	});
	ext.execute_with(|| chain.blocks(SEED_DELAY - 1));
	let report = costs(&mut ext, &mut chain, || {
		let mut batches = restore::Batches::<Runtime>::iter_prefix(MinerId(RESTORER));
		let (at, batch) = batches.next().unwrap();
		assert_eq!(batch.fragments.len(), MAX_READY as usize);
		let proof = |(fragment, chunk): (FragmentId, u32)| {
			let file = files.iter().find(|file| file.fragment == fragment).unwrap();
			FragmentProof::new(&bytes, chunk, &file.sidecar).unwrap()
		};
		let asked = Restore::asked(at, &batch).unwrap();
		assert_eq!(asked.len(), 8);
		let proofs: Vec<_> = asked.into_iter().map(proof).collect();
		let proofs = BoundedVec::truncate_from(proofs);
		let signature = World::sign(&of(RESTORER), DutyKind::Report, anchor(), &(at, &proofs));
		let (miner, anchor) = (MinerId(RESTORER), anchor());
		vec![authorized(restore::Call::report { miner, anchor, at, proofs, signature })]
	});
	ext.execute_with(|| {
		let restored = of(RESTORER).load().unwrap();
		assert_eq!((restored.fragments, restored.claims), (MAX_READY, 0));
		assert_eq!(restore::Orders::<Runtime>::iter().count(), 0);
	});

	let each = |bytes: usize| bytes / MAX_READY as usize;
	for (what, costs) in
		[("open", &open), ("claim", &claim), ("ready", &ready), ("report", &report)]
	{
		println!(
			"{what:>6}: {:>3} B of the block, {:>3} B written, {:>3} B of them events",
			each(costs.space),
			each(costs.written),
			each(costs.events)
		);
	}
	let space = each(claim.space + ready.space + report.space);
	let written = each(claim.written + ready.written + report.written);
	println!("per restored fragment: {space} B of the block, {written} B written");
	assert!(space <= BLOCK_SPACE, "{space} B of the block for each fragment");
	assert!(written <= STATE_WRITES, "{written} B written for each fragment");
}

/// The miner of stash `n`.
fn of(n: u32) -> Party {
	let party = party(MinerId(n)).unwrap();
	assert_eq!(account_of(party.stash()), party.record.stash);
	party
}
