// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The offchain worker of a miner's node: what it reads from the mailbox, and what it submits.

use super::{network::*, *};
use crate::{Audit, offchain};
use codec::Decode;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use pallet_planaria_support::Clock as _;
use planaria_primitives::{
	FragmentId, MinerId,
	mailbox::{
		Chore, DONE, Done, JobKind, LAST, MAX_VALUE_LEN, MEMORY, ProofItem, Proofs, VERSION,
		WANTED, Wanted, pack, proofs_key, unpack,
	},
};
use sp_core::offchain::{
	DbExternalities, OffchainDbExt, OffchainWorkerExt, StorageKind, TransactionPoolExt,
	testing::{TestOffchainExt, TestTransactionPoolExt},
};
use sp_keystore::KeystoreExt;
use std::{cell::RefCell, mem};

/// The miner whose node this is.
const ME: u32 = 3;

/// What surrounds the worker.
struct Node {
	chain: Chain,
	database: RefCell<TestOffchainExt>,
	/// Takes what was submitted out of the pool.
	submitted: Box<dyn Fn() -> Vec<Vec<u8>>>,
}

impl Node {
	fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
		self.database.borrow_mut().local_storage_get(StorageKind::PERSISTENT, key)
	}

	fn set(&self, key: &[u8], value: &[u8]) {
		self.database.borrow_mut().local_storage_set(StorageKind::PERSISTENT, key, value);
	}

	fn done(&self, done: &Done) {
		self.set(DONE, &pack(done).unwrap());
	}

	/// Runs the worker after this block: what it submits.
	fn run(&self, header: &Header) -> Vec<UncheckedExtrinsic> {
		offchain::run(header);
		(self.submitted)()
			.iter()
			.map(|bytes| UncheckedExtrinsic::decode(&mut &bytes[..]).unwrap())
			.collect()
	}

	/// An empty block, after which the worker runs: what it submits.
	fn next(&mut self) -> Vec<UncheckedExtrinsic> {
		self.chain.begin();
		let header = self.chain.end();
		self.run(&header)
	}

	/// A block with what the worker submits next.
	fn advance(&mut self) -> Vec<UncheckedExtrinsic> {
		let submitted = self.next();
		self.chain.block(|| {
			for extrinsic in &submitted {
				apply_ok(extrinsic.clone());
			}
		});
		submitted
	}
}

/// Runs `test` in the node of miner 3, whose hot key alone is in the keystore. A file is stored with
/// the others.
fn in_a_node(test: impl FnOnce(&mut Node, TestFile)) {
	let (mut ext, mut chain) = network(Hash::repeat_byte(7), &[0, 1, 2, 3]);
	let file = ext.execute_with(|| TestFile::stored(&mut chain, 1, [0, 1, 2]));
	let mut node = node_of(&mut ext, chain, ME);
	ext.execute_with(|| test(&mut node, file));
}

/// A node on this chain, which has this hot key and no other.
fn node_of(ext: &mut TestExternalities, chain: Chain, hot_key: u32) -> Node {
	ext.register_extension(KeystoreExt::new(keystore(&[hot_key])));
	let (database, _) = TestOffchainExt::new();
	let (pool, state) = TestTransactionPoolExt::new();
	let submitted = Box::new(move || mem::take(&mut state.write().transactions));
	ext.register_extension(OffchainDbExt::new(database.clone()));
	ext.register_extension(OffchainWorkerExt::new(database.clone()));
	ext.register_extension(TransactionPoolExt::new(pool));
	Node { chain, database: RefCell::new(database), submitted }
}

/// A second file, of which fragment 0 is placed with this node's miner.
fn placed_here(node: &mut Node) -> TestFile {
	node.chain.block(|| {
		let file = TestFile::order(2);
		file.place([ME, 1, 2]);
		file
	})
}

fn stored(fragments: &[FragmentId]) -> Done {
	Done { stored: fragments.to_vec(), ..Default::default() }
}

#[test]
fn what_is_stored_is_confirmed() {
	in_a_node(|node, _| {
		let file = placed_here(node);
		assert!(node.next().is_empty());
		node.done(&stored(&[file.fragment(0), file.fragment(1)]));
		let submitted = node.next();
		let [duty] = &submitted[..] else { panic!("{submitted:?}") };
		assert!(matches!(
			&duty.function,
			RuntimeCall::Files(files::Call::confirm { miner, items, .. })
				if *miner == MinerId(ME) && items[..] == [file.fragment(0)]
		));
		// It does not say so again while the first one is on its way.
		assert!(node.next().is_empty());
		node.chain.block(|| apply_duty(duty));
		assert_eq!((load(ME).fragments, load(ME).held), (1, file.fragment_len()));
		assert!(node.next().is_empty());
		let wanted: Wanted = unpack(&node.get(WANTED).unwrap()).unwrap();
		assert_eq!((wanted.miner, wanted.jobs.len()), (MinerId(ME), 0));
		assert_eq!(wanted.height, System::block_number());
	});
}

#[test]
fn what_is_no_value_is_as_if_it_were_not_there() {
	in_a_node(|node, _| {
		let file = placed_here(node);
		// So that the miner needs not say that it is there meanwhile.
		miners::Parameters::<Runtime>::mutate(|params| {
			params.alive_every = 1_000;
			params.absent_after = 2_000;
		});
		let done = pack(&stored(&[file.fragment(0)])).unwrap();
		let mut other_version = done.clone();
		other_version[0] = VERSION + 1;
		let mut longer = done.clone();
		longer.push(0);
		let many = stored(&vec![file.fragment(0); MAX_VALUE_LEN / 9]);
		let oversized = (VERSION, many).encode();
		assert!(oversized.len() > MAX_VALUE_LEN);
		let garbage: Vec<Vec<u8>> = vec![
			vec![],
			vec![VERSION],
			vec![VERSION, 0xff, 0xff, 0xff, 0xff],
			vec![0xff; 64],
			vec![VERSION; MAX_VALUE_LEN],
			vec![VERSION; 4 * MAX_VALUE_LEN],
			done[..done.len() - 1].to_vec(),
			other_version,
			longer,
			oversized,
		];
		for value in garbage {
			node.set(DONE, &value);
			assert!(node.next().is_empty(), "{} bytes", value.len());
		}
		// Nor is it led astray by what it wrote itself, or by what the engine may write elsewhere.
		node.set(DONE, &done);
		node.set(MEMORY, &[0xff; 100]);
		node.set(LAST, &[0xff; 100]);
		node.set(&proofs_key(0), &[0xff; 100]);
		assert_eq!(node.advance().len(), 1);
		assert_eq!(load(ME).fragments, 1);
	});
}

#[test]
fn a_run_for_an_older_block_stops() {
	in_a_node(|node, _| {
		let file = placed_here(node);
		node.chain.begin();
		let older = node.chain.end();
		node.chain.begin();
		let newer = node.chain.end();
		assert!(node.run(&newer).is_empty());
		let last = node.get(LAST);
		assert_eq!(unpack(last.as_deref().unwrap()), Some(newer.number));

		node.done(&stored(&[file.fragment(0)]));
		assert!(node.run(&older).is_empty());
		assert_eq!(node.get(LAST), last);
		// The same block again is a fork: it may run.
		assert_eq!(node.run(&newer).len(), 1);
	});
}

#[test]
fn a_node_without_a_miners_key_does_nothing() {
	let (mut ext, chain) = network(Hash::repeat_byte(7), &[]);
	let mut node = node_of(&mut ext, chain, 77);
	ext.execute_with(|| {
		node.chain.blocks(3);
		assert!(node.next().is_empty());
		assert_eq!((node.get(LAST), node.get(WANTED)), (None, None));
	});
}

#[test]
fn a_silent_miner_says_that_it_is_there() {
	in_a_node(|node, _| {
		let every = pallet_planaria_miners::Parameters::<Runtime>::get().alive_every;
		node.chain.blocks(every);
		let submitted = node.next();
		let [alive] = &submitted[..] else { panic!("{submitted:?}") };
		node.chain.block(|| apply_duty(alive));
		assert_eq!(load(ME).last_seen, crate::Clock::now());
		assert!(node.next().is_empty());
	});
}

/// Two nodes' worth of work: the order is opened by its holder, all the rest is this worker's.
#[test]
fn the_worker_takes_over_what_another_miner_lost() {
	in_a_node(|node, file| {
		let fragment = file.fragment(0);
		node.chain.block(|| {
			apply_ok(open(0, &[fragment]));
		});
		// It claims what the engine chose.
		node.done(&Done { found: vec![fragment], ..Default::default() });
		let submitted = node.advance();
		assert!(matches!(
			&submitted[..],
			[UncheckedExtrinsic {
				function: RuntimeCall::Restore(restore::Call::claim { .. }),
				..
			}]
		));
		assert_eq!(load(ME).claims, 1);

		// It wants it restored.
		assert!(node.next().is_empty());
		let wanted: Wanted = unpack(&node.get(WANTED).unwrap()).unwrap();
		let order = restore::Orders::<Runtime>::get(fragment).unwrap();
		let (_, deadline) = order.state.claim().unwrap();
		let name = file.name(0);
		assert_eq!(wanted.jobs, [JobKind::Restore { fragment, name, deadline }.into()]);

		// It declares it ready.
		node.done(&Done { restored: vec![fragment], ..Default::default() });
		assert_eq!(node.advance().len(), 1);
		assert!(restore::Batches::<Runtime>::iter_key_prefix(MinerId(ME)).next().is_some());

		// It wants the proof once it is known which one, and reports it.
		node.chain.blocks(restore::SEED_DELAY - 1);
		assert!(node.next().is_empty());
		let wanted: Wanted = unpack(&node.get(WANTED).unwrap()).unwrap();
		let (_, chunk) = asked(ME).unwrap()[0];
		assert_eq!(wanted.jobs[0], JobKind::Prove { fragment, name, chunk }.into());
		let proof = file.proof(0, chunk);
		let page = Proofs(vec![ProofItem { fragment, chunk, proof }]);
		node.set(&proofs_key(0), &pack(&page).unwrap());
		let submitted = node.advance();
		assert_eq!(submitted.len(), 1);
		assert_eq!(file.holder(0), Some(ME));
		assert_eq!((load(ME).claims, load(ME).fragments), (0, 1));
	});
}

/// What the worker submits next besides that it is alive, and a block with it.
fn calls(node: &mut Node) -> Vec<RuntimeCall> {
	let submitted = node.advance().into_iter().map(|extrinsic| extrinsic.function);
	let alive =
		|call: &RuntimeCall| matches!(call, RuntimeCall::Miners(miners::Call::alive { .. }));
	submitted.filter(|call| !alive(call)).collect()
}

/// Has this node do the chore, in whatever block its turn comes.
fn do_chore(node: &mut Node, chore: Chore) -> RuntimeCall {
	node.done(&Done { chores: vec![chore], ..Default::default() });
	let done = (0..100).find_map(|_| calls(node).pop());
	done.unwrap_or_else(|| panic!("{chore:?} is not done"))
}

#[test]
fn the_worker_does_what_is_due_for_the_network() {
	in_a_node(|node, file| {
		let (gone, leaving) = (MinerId(0), MinerId(1));
		let segment = file.fragment(0).segment;
		let all = [
			Chore::MarkAbsent(gone),
			Chore::ExpelAbsent(gone),
			Chore::Finish(leaving),
			Chore::CheckSegment(segment),
			Chore::Tidy(file.fragment(0)),
		];
		without_audits();
		// Nothing is due.
		node.done(&Done { chores: all.to_vec(), ..Default::default() });
		for _ in 0..20 {
			assert_eq!(calls(node), []);
		}

		let params = miners::Parameters::<Runtime>::get();
		node.chain.blocks(params.absent_after);
		let call = do_chore(node, all[0]);
		assert_eq!(call, miners::Call::mark_absent { miner: gone }.into());
		let call = do_chore(node, Chore::MarkAbsent(leaving));
		assert_eq!(call, miners::Call::mark_absent { miner: leaving }.into());

		// Of two out of three too many are away, which nobody has judged.
		let call = do_chore(node, all[3]);
		assert_eq!(call, restore::Call::check_segment { segment }.into());
		assert!(restore::Verdicts::<Runtime>::contains_key(segment));

		// One is back: its order is void once nobody claims it.
		node.chain.block(|| {
			apply_ok(open(ME, &[file.fragment(0)]));
			let give_back =
				restore::Call::give_back { fragments: vec![file.fragment(0)].try_into().unwrap() };
			apply_ok(signed(&hot_pair(ME), give_back));
			apply_ok(signed(
				&stash_pair(0),
				miners::Call::alive { miner: gone, anchor: anchor(), signature: None },
			));
		});
		let call = do_chore(node, all[4]);
		let fragments = vec![file.fragment(0)].try_into().unwrap();
		assert_eq!(call, restore::Call::tidy { fragments }.into());
		assert_eq!(restore::Orders::<Runtime>::iter().count(), 0);

		// The other one has stayed away for too long, and the brake has let go.
		node.chain.blocks(params.absent_max.max(2 * params.brake_window));
		let call = do_chore(node, Chore::ExpelAbsent(leaving));
		assert_eq!(call, miners::Call::expel_absent { miner: leaving }.into());
		node.chain.block(|| apply_ok(open(ME, &[file.fragment(1)])));
		node.chain.block(|| apply_duty(&ready(ME, &[file.fragment(1)])));
		node.chain.blocks(restore::SEED_DELAY - 1);
		node.chain.block(|| apply_report(&report(ME, file.proofs(ME))));
		let call = do_chore(node, all[2]);
		assert_eq!(call, miners::Call::finish { miner: leaving }.into());
	});
}

#[test]
fn the_worker_declines_what_is_not_the_fragment() {
	in_a_node(|node, file| {
		let fragment = file.fragment(0);
		node.chain.block(|| apply_ok(open(0, &[fragment])));
		node.done(&Done { found: vec![fragment], ..Default::default() });
		assert_eq!(node.advance().len(), 1);
		assert_eq!(load(ME).claims, 1);
		node.done(&Done { declined: vec![fragment], ..Default::default() });
		assert_eq!(node.advance().len(), 1);
		assert_eq!(load(ME).claims, 0);
		let order = restore::Orders::<Runtime>::get(fragment).unwrap();
		assert_eq!(order.declined[..], [MinerId(ME)]);
		// It does not ask for it again, although its engine would.
		node.done(&Done { found: vec![fragment], ..Default::default() });
		for _ in 0..10 {
			assert_eq!(calls(node), []);
		}
	});
}

#[test]
fn the_worker_answers_what_its_miner_is_asked() {
	in_a_node(|node, _| {
		let file = placed_here(node);
		let fragment = file.fragment(0);
		node.done(&stored(&[fragment]));
		assert_eq!(calls(node).len(), 1);
		// What was confirmed is asked for two blocks later, and the engine is told.
		let challenge = (0..5).find_map(|_| {
			assert_eq!(calls(node), []);
			Audit::challenges_of(MinerId(ME)).next()
		});
		let (asked, challenge) = challenge.unwrap();
		assert_eq!(asked, fragment);
		assert!(node.next().is_empty());
		let wanted: Wanted = unpack(&node.get(WANTED).unwrap()).unwrap();
		let (name, chunk) = (file.name(0), challenge.chunk);
		assert_eq!(wanted.jobs, [JobKind::Prove { fragment, name, chunk }.into()]);

		let proof = file.proof(0, chunk);
		let page = Proofs(vec![ProofItem { fragment, chunk, proof }]);
		node.set(&proofs_key(0), &pack(&page).unwrap());
		assert_eq!(node.advance().len(), 1);
		assert_eq!(Audit::challenges_of(MinerId(ME)).count(), 0);
		assert!(node.next().is_empty());
	});
}
