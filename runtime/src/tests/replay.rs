// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A duty that was seen is good for nothing any more: not in any later block, not on another fork,
//! and not in another wrapping.

use super::{network::*, *};
use crate::transactions::tx_extension;
use codec::Decode;
use frame_support::storage::with_transaction;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore::{self as restore, SEED_DELAY};
use planaria_primitives::{
	MinerId,
	duty::{DutyKind, MAX_ANCHOR_AGE},
};
use sp_runtime::{
	ApplyExtrinsicResult, DispatchError, TransactionOutcome,
	generic::Era,
	transaction_validity::{InvalidTransaction::BadProof, TransactionValidityError},
};

/// Every way to say it again, by somebody who is not the miner, with what the way is called.
pub fn wrappings(duty: &UncheckedExtrinsic) -> Vec<(&'static str, UncheckedExtrinsic)> {
	let call = duty.function.clone();
	let utility = |call: pallet_utility::Call<Runtime>| signed(&OWNER.pair(), call);
	let (calls, boxed) = (vec![call.clone()], Box::new(call.clone()));
	let sudo = pallet_sudo::Call::sudo { call: boxed.clone() };
	let extension = |era, nonce, tip| {
		UncheckedExtrinsic::new_transaction(call.clone(), tx_extension(era, nonce, tip))
	};
	let mut wrappings = vec![
		("as it was", duty.clone()),
		("bare", UncheckedExtrinsic::new_bare(call.clone())),
		("with a nonce", extension(Era::Immortal, 7, 0)),
		("with a tip", extension(Era::Immortal, 0, 7)),
		("mortal", extension(Era::mortal(64, anchor().into()), 0, 0)),
		("signed by somebody", signed(&OWNER.pair(), call.clone())),
		("signed by root", signed(&Sr25519Keyring::Alice.pair(), call.clone())),
		("in a batch", utility(pallet_utility::Call::batch_all { calls })),
		("by a derivative", utility(pallet_utility::Call::as_derivative { index: 0, call: boxed })),
		("by root", signed(&Sr25519Keyring::Alice.pair(), sudo)),
	];
	wrappings.extend(as_another(&call).map(|call| ("as another duty", authorized(call))));
	wrappings
}

/// What was signed for a duty whose items are of the same type as those of another, as that one.
fn as_another(call: &RuntimeCall) -> Option<RuntimeCall> {
	use frame_support::BoundedVec;
	match call.clone() {
		RuntimeCall::Files(files::Call::confirm { miner, anchor, items, signature }) => {
			let fragments = BoundedVec::truncate_from(items.into_inner());
			Some(restore::Call::ready { miner, anchor, fragments, signature }.into())
		},
		RuntimeCall::Restore(restore::Call::ready { miner, anchor, fragments, signature }) => {
			let items = BoundedVec::truncate_from(fragments.into_inner());
			Some(files::Call::confirm { miner, anchor, items, signature }.into())
		},
		_ => None,
	}
}

/// What comes of a transaction that comes over the wire. Nothing remains.
fn trial(extrinsic: &UncheckedExtrinsic) -> (ApplyExtrinsicResult, bool) {
	// What the block itself does first has nothing to do with it.
	if !System::inherents_applied() {
		Executive::inherents_applied();
	}
	with_transaction(|| {
		let before = state();
		let result = apply(extrinsic);
		let changed = state() != before;
		TransactionOutcome::Rollback(Ok::<_, DispatchError>((result, changed)))
	})
	.unwrap()
}

/// What duties change.
fn state() -> impl PartialEq {
	(
		miners::Loads::<Runtime>::iter().collect::<Vec<_>>(),
		miners::Miners::<Runtime>::iter().collect::<Vec<_>>(),
		files::Segments::<Runtime>::iter().collect::<Vec<_>>(),
		restore::Orders::<Runtime>::iter().collect::<Vec<_>>(),
		restore::Batches::<Runtime>::iter().collect::<Vec<_>>(),
	)
}

/// However it is wrapped, nothing comes of the duty.
#[track_caller]
fn good_for_nothing(duty: &UncheckedExtrinsic) {
	for (how, extrinsic) in wrappings(duty) {
		let (result, changed) = trial(&extrinsic);
		let number = System::block_number();
		// Root's call fails inside.
		let refused = !matches!(result, Ok(Ok(()))) || how == "by root";
		assert!(refused, "accepted {how} in block {number}: {:?}", duty.function);
		assert!(!changed, "something came of it {how} in block {number}: {:?}", duty.function);
	}
}

fn alive(miner: u32) -> UncheckedExtrinsic {
	let anchor = anchor();
	let signature = sign(miner, DutyKind::Alive, anchor, &());
	authorized(miners::Call::alive { miner: MinerId(miner), anchor, signature })
}

/// Each kind of duty is due: miner 0 may declare what it claimed ready, 1 confirm, 2 say that it is
/// there, 3 report.
struct Due {
	claimed: TestFile,
	ready: TestFile,
	placed: TestFile,
}

impl Due {
	fn new(chain: &mut Chain) -> Self {
		let claimed = TestFile::stored(chain, 1, [1, 2, 3]);
		let ready = TestFile::stored(chain, 2, [0, 1, 2]);
		let placed = chain.block(|| {
			let file = TestFile::order(3);
			file.place([0, 1, 2]);
			file
		});
		chain.block(|| {
			apply_ok(open(1, &[claimed.fragment(0)]));
			apply_ok(open(0, &[ready.fragment(0)]));
			apply_ok(claim(0, &[claimed.fragment(0)]));
			apply_ok(claim(3, &[ready.fragment(0)]));
		});
		chain.block(|| apply_duty(&network::ready(3, &[ready.fragment(0)])));
		let quiet = miners::Parameters::<Runtime>::get().alive_every / 2;
		chain.blocks(quiet.max(SEED_DELAY));
		Self { claimed, ready, placed }
	}

	/// One of each kind, anchored to the last block.
	fn duties(&self) -> [UncheckedExtrinsic; 4] {
		[
			network::ready(0, &[self.claimed.fragment(0)]),
			confirm(1, &[self.placed.fragment(1)]),
			alive(2),
			report(3, self.ready.proofs(3)),
		]
	}
}

#[test]
fn no_duty_is_done_again_in_any_later_block() {
	on_network(|chain| {
		let due = Due::new(chain);
		chain.begin();
		let duties = due.duties();
		duties.iter().for_each(apply_duty);
		duties.iter().for_each(good_for_nothing);
		assert_eq!(due.ready.holder(0), Some(3));
		chain.end();
		// What the duties were for is due again in the meantime.
		let after = chain.block(|| {
			apply_ok(open(3, &[due.ready.fragment(0)]));
			duties.iter().for_each(good_for_nothing);
			let file = TestFile::order(4);
			file.place([0, 1, 2]);
			file
		});
		for _ in 0..MAX_ANCHOR_AGE + 3 {
			chain.block(|| duties.iter().for_each(good_for_nothing));
		}
		assert_eq!(after.holder(1), Some(1));
	});
}

/// The hot key is another one, and then the first one again.
#[test]
fn no_duty_is_done_again_when_the_key_comes_back() {
	on_network(|chain| {
		let due = Due::new(chain);
		chain.begin();
		let duties = due.duties();
		duties.iter().for_each(apply_duty);
		chain.end();
		for seed in [9, 1] {
			chain.block(|| {
				let stash = STASHES[1].to_account_id();
				let genesis = System::block_hash(0).0;
				let bytes = planaria_primitives::duty::registration_bytes(&genesis, stash.as_ref());
				let hot = hot_pair(seed);
				let (hot_key, proof) =
					(sp_core::Pair::public(&hot), sp_core::Pair::sign(&hot, &bytes));
				apply_ok(signed(&stash_pair(1), miners::Call::set_hot_key { hot_key, proof }));
				duties.iter().for_each(good_for_nothing);
			});
		}
	});
}

/// Two branches of one chain, with the same history, and what is due on both.
struct Branches {
	due: Due,
	chain: Chain,
	raw: RawSnapshot,
	root: Hash,
	/// Duties whose anchor is common to both.
	common: Vec<Vec<u8>>,
}

impl Branches {
	fn new() -> Self {
		let (mut ext, mut chain) = network(Hash::repeat_byte(7), &[0, 1, 2, 3]);
		let (due, common) = ext.execute_with(|| {
			let due = Due::new(&mut chain);
			chain.begin();
			let common = due.duties().iter().map(Encode::encode).collect();
			chain.end();
			(due, common)
		});
		ext.commit_all().unwrap();
		let (raw, root) = ext.into_raw_snapshot();
		Self { due, chain, raw, root, common }
	}

	/// On a branch whose first block comes so many slots later.
	fn on<R>(&self, slots: u64, test: impl FnOnce(&mut Chain) -> R) -> R {
		let version = sp_runtime::StateVersion::V1;
		let mut ext = TestExternalities::from_raw_snapshot(self.raw.clone(), self.root, version);
		ext.register_extension(sp_keystore::KeystoreExt::new(keystore(&[0, 1, 2, 3])));
		let mut chain = self.chain.clone();
		chain.skip(slots);
		ext.execute_with(|| {
			chain.blocks(2);
			test(&mut chain)
		})
	}
}

fn decode(bytes: &[u8]) -> UncheckedExtrinsic {
	UncheckedExtrinsic::decode(&mut &bytes[..]).unwrap()
}

#[test]
fn no_duty_of_a_fork_is_done_on_another() {
	let branches = Branches::new();
	let seen: Vec<Vec<u8>> = branches.on(0, |chain| {
		chain.block(|| {
			let duties = branches.due.duties();
			duties.iter().for_each(apply_duty);
			duties.iter().map(Encode::encode).collect()
		})
	});
	branches.on(1, |chain| {
		chain.block(|| {
			for duty in &seen {
				let duty = decode(duty);
				let refused = TransactionValidityError::Invalid(BadProof);
				assert_eq!(trial(&duty).0, Err(refused), "{:?}", duty.function);
				good_for_nothing(&duty);
			}
			// They are due all the same.
			branches.due.duties().iter().for_each(apply_duty);
		});
		for _ in 0..MAX_ANCHOR_AGE {
			chain.block(|| seen.iter().for_each(|duty| good_for_nothing(&decode(duty))));
		}
	});
}

/// So that a duty survives a fork, it is anchored to a block that both have: then it is done once
/// on each.
#[test]
fn a_duty_from_before_the_fork_is_done_once_on_each() {
	let branches = Branches::new();
	for slots in [0, 1] {
		branches.on(slots, |chain| {
			chain.block(|| {
				for duty in branches.common.iter().map(|duty| decode(duty)) {
					apply_duty(&duty);
					good_for_nothing(&duty);
				}
			});
			for _ in 0..MAX_ANCHOR_AGE {
				chain.block(|| branches.common.iter().for_each(|d| good_for_nothing(&decode(d))));
			}
		});
	}
}
