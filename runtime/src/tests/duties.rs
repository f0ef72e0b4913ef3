// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Duty calls are free, mean one thing and mean it once.

use super::{network::*, *};
use codec::Decode;
use frame_support::storage::with_transaction;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore as restore;
use planaria_primitives::{
	MinerId,
	duty::{DutyKind, MAX_ANCHOR_AGE},
};
use sp_runtime::{
	DispatchError, TransactionOutcome,
	transaction_validity::{
		InvalidTransaction::{self, BadProof, Future, Stale},
		TransactionSource, TransactionValidityError,
	},
};

#[track_caller]
fn refused(extrinsic: &UncheckedExtrinsic, why: InvalidTransaction) {
	assert_eq!(apply(extrinsic), Err(TransactionValidityError::Invalid(why)));
}

/// A file that waits for the confirmations of the miners 0, 1 and 2.
fn placed(chain: &mut Chain) -> TestFile {
	chain.block(|| {
		let file = TestFile::order(1);
		file.place([0, 1, 2]);
		file
	})
}

#[test]
fn the_same_duty_is_accepted_once() {
	on_network(|chain| {
		let [file, other, third] = [(); 3].map(|()| placed(chain));
		let duty = chain.block(|| {
			let duty = confirm(0, &[file.fragment(0)]);
			apply_duty(&duty);
			refused(&duty, Stale);
			duty
		});
		chain.block(|| refused(&duty, Stale));
		// Nor is another one of the same anchor.
		chain.block(|| {
			apply_duty(&confirm(0, &[other.fragment(0)]));
			refused(&confirm(0, &[third.fragment(0)]), Stale);
		});
		assert_eq!(load(0).fragments, 2);
	});
}

#[test]
fn of_two_duties_of_one_anchor_the_pool_keeps_one() {
	on_network(|chain| {
		let [file, second] = [(); 2].map(|()| placed(chain));
		chain.block(|| {
			// As in the node, nothing remains of it.
			let validate = |duty: UncheckedExtrinsic| {
				with_transaction(|| {
					let (source, parent) = (TransactionSource::External, System::parent_hash());
					let valid = Executive::validate_transaction(source, duty, parent);
					TransactionOutcome::Rollback(Ok::<_, DispatchError>(valid))
				})
				.unwrap()
				.unwrap()
			};
			let of = |file: &TestFile| validate(confirm(0, &[file.fragment(0)]));
			let (one, other) = (of(&file), of(&second));
			let another = validate(confirm(1, &[file.fragment(1)]));
			assert_eq!(one.provides, other.provides);
			assert_ne!(one.provides, another.provides);
			assert!(one.propagate && one.longevity < u64::from(MAX_ANCHOR_AGE));
			// Whatever is paid for comes after it, however much is paid.
			let remark = frame_system::Call::remark { remark: vec![] };
			assert!(one.priority > validate(signed(&OWNER.pair(), remark)).priority);
		});
	});
}

#[test]
fn a_duty_of_another_chain_is_refused() {
	// Both have the same miners, files, orders and heights.
	let begin = |genesis| {
		let (mut ext, mut chain) = network(Hash::repeat_byte(genesis), &[0, 1, 2, 3]);
		let file = ext.execute_with(|| {
			let file = placed(&mut chain);
			chain.begin();
			file
		});
		(ext, chain, file)
	};
	let (mut ext, mut chain, file) = begin(1);
	let duty = ext.execute_with(|| confirm(0, &[file.fragment(0)]).encode());
	let duty = UncheckedExtrinsic::decode(&mut &duty[..]).unwrap();
	let (mut other_ext, mut other_chain, other_file) = begin(2);
	other_ext.execute_with(|| {
		refused(&duty, BadProof);
		apply_duty(&confirm(0, &[other_file.fragment(0)]));
		other_chain.end();
	});
	ext.execute_with(|| {
		apply_duty(&duty);
		chain.end();
	});
}

#[test]
fn a_duty_is_its_miners_only() {
	on_network(|chain| {
		let file = placed(chain);
		chain.block(|| {
			let mut call = confirm_call(0, anchor(), &[file.fragment(1)]);
			if let files::Call::confirm { miner, .. } = &mut call {
				*miner = MinerId(1);
			}
			refused(&authorized(call), BadProof);
			// An account beside the signature does not help.
			let call = confirm_call(0, anchor(), &[file.fragment(0)]);
			assert!(apply(&signed(&hot_pair(1), call)).unwrap().is_err());
		});
		assert_eq!((load(0).fragments, load(1).fragments), (0, 0));
	});
}

#[test]
fn a_duty_does_not_say_anything_else() {
	on_network(|chain| {
		let file = TestFile::stored(chain, 1, [0, 1, 2]);
		let fragment = file.fragment(0);
		chain.block(|| apply_ok(open(0, &[fragment])));
		chain.block(|| apply_ok(claim(3, &[fragment])));
		chain.block(|| {
			let anchor = anchor();
			let fragments = restore::ReadyFragments::truncate_from(vec![fragment]);
			let signed_as = |kind| {
				let signature = sign(3, kind, anchor, &fragments);
				let (miner, fragments) = (MinerId(3), fragments.clone());
				authorized(restore::Call::ready { miner, anchor, fragments, signature })
			};
			refused(&signed_as(DutyKind::Confirm), BadProof);
			refused(&signed_as(DutyKind::Report), BadProof);
			// Without a signature it is nobody's.
			let fragments = fragments.clone();
			let miner = MinerId(3);
			let bare = restore::Call::ready { miner, anchor, fragments, signature: None };
			refused(&authorized(bare), BadProof);
			apply_duty(&signed_as(DutyKind::Ready));
		});
	});
}

#[test]
fn other_items_than_the_signed_ones_are_refused() {
	on_network(|chain| {
		let file = placed(chain);
		chain.block(|| {
			let mut call = confirm_call(0, anchor(), &[file.fragment(0)]);
			if let files::Call::confirm { items, .. } = &mut call {
				items.try_push(file.fragment(1)).unwrap();
			}
			refused(&authorized(call), BadProof);
		});
	});
}

#[test]
fn an_anchor_is_neither_old_nor_yet_to_come() {
	on_network(|chain| {
		let file = placed(chain);
		let (first, early) = chain.block(|| {
			let first = System::block_number() - 1;
			(first, authorized(confirm_call(0, first, &[file.fragment(0)])))
		});
		chain.blocks(MAX_ANCHOR_AGE);
		chain.block(|| {
			assert!(System::block_number() - first >= MAX_ANCHOR_AGE);
			refused(&early, Stale);
			let now = System::block_number();
			refused(&authorized(confirm_call(0, now, &[file.fragment(0)])), Future);
			refused(&authorized(confirm_call(0, now + 1, &[file.fragment(0)])), Future);
			let oldest = now - (MAX_ANCHOR_AGE - 1);
			apply_duty(&authorized(confirm_call(0, oldest, &[file.fragment(0)])));
		});
		assert_eq!(load(0).fragments, 1);
	});
}

#[test]
fn a_duty_without_a_miner_is_refused() {
	on_network(|chain| {
		chain.block(|| {
			let signature = sign(0, DutyKind::Alive, anchor(), &());
			let call = miners::Call::alive { miner: MinerId(77), anchor: anchor(), signature };
			let unknown = miners::refusal::UNKNOWN_MINER;
			refused(&authorized(call), InvalidTransaction::Custom(unknown));
		});
	});
}
