// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The duty gate.

use super::*;
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchClass, GetDispatchInfo, RawOrigin},
	pallet_prelude::{Authorize, TransactionSource, ValidTransaction},
	traits::UnfilteredDispatchable,
};
use planaria_primitives::duty::{DutyKind, MAX_ANCHOR_AGE};
use sp_core::{H256, Pair as _};
use sp_runtime::{
	DispatchError,
	transaction_validity::{InvalidTransaction, TransactionValidityError},
};
use support::{DutyGate, hot_key};

type Refused = TransactionValidityError;

const ITEMS: [u8; 3] = [1, 2, 3];

const KINDS: [DutyKind; DutyKind::COUNT] =
	[DutyKind::Confirm, DutyKind::Alive, DutyKind::Ready, DutyKind::Report, DutyKind::Answer];

/// Whether test miner `n`'s confirmation of `ITEMS`, anchored there, is let in.
fn confirm(n: u8, id: MinerId, anchor: u32) -> Result<ValidTransaction, Refused> {
	let signature = sign_duty(n, id, DutyKind::Confirm, anchor, &ITEMS);
	Miners::authorize(DutyKind::Confirm, id, anchor, &ITEMS, &signature).map(|(valid, _)| valid)
}

fn enter(id: MinerId, anchor: u32) -> Result<(), DispatchError> {
	Miners::enter(RawOrigin::Authorized.into(), DutyKind::Confirm, id, anchor).map(drop)
}

fn invalid(reason: InvalidTransaction) -> Refused {
	Refused::Invalid(reason)
}

#[test]
fn a_duty_is_let_in_and_propagated() {
	execute(|| {
		let id = register(1);
		let valid = confirm(1, id, 95).expect("it is as it should be");
		assert!(valid.propagate);
		assert!(valid.requires.is_empty());
		assert_eq!(valid.longevity, 59);
		assert_eq!(valid.provides.len(), 1);
		assert_ok!(enter(id, 95));
		assert_eq!(load(id).anchors[DutyKind::Confirm as usize], 95);
	});
}

#[test]
fn boundary_the_anchors_age() {
	execute(|| {
		let id = register(1);
		let now = System::block_number();
		let oldest = now - MAX_ANCHOR_AGE + 1;
		assert_eq!(confirm(1, id, now), Err(invalid(InvalidTransaction::Future)));
		assert_eq!(confirm(1, id, u32::MAX), Err(invalid(InvalidTransaction::Future)));
		assert_eq!(confirm(1, id, now - 1).map(|valid| valid.longevity), Ok(63));
		assert_eq!(confirm(1, id, oldest).map(|valid| valid.longevity), Ok(1));
		assert_eq!(confirm(1, id, oldest - 1), Err(invalid(InvalidTransaction::Stale)));
		assert_eq!(confirm(1, id, 0), Err(invalid(InvalidTransaction::Stale)));
	});
}

#[test]
fn longevity_ends_with_the_anchor() {
	execute(|| {
		let id = register(1);
		let valid = confirm(1, id, 90).expect("it is as it should be");
		let longevity = u32::try_from(valid.longevity).expect("it is at most 64");
		// Validated for this block, it is good for as many blocks, this one included.
		go_to_block(100 + longevity - 1);
		assert!(confirm(1, id, 90).is_ok());
		go_to_block(100 + longevity);
		assert!(confirm(1, id, 90).is_err());
	});
}

#[test]
fn the_genesis_block_is_no_anchor() {
	execute(|| {
		let id = register(1);
		System::set_block_number(1);
		assert_eq!(confirm(1, id, 0), Err(invalid(InvalidTransaction::Stale)));
	});
}

#[test]
fn a_duty_is_done_once() {
	execute(|| {
		let id = register(1);
		assert!(confirm(1, id, 95).is_ok());
		assert_ok!(enter(id, 95));
		// The same, and whatever else has no greater anchor.
		assert_eq!(confirm(1, id, 95), Err(invalid(InvalidTransaction::Stale)));
		assert_eq!(confirm(1, id, 94), Err(invalid(InvalidTransaction::Stale)));
		assert_noop!(enter(id, 95), Error::<Test>::BadAnchor);
		assert!(confirm(1, id, 96).is_ok());
		// Kinds do not get into each other's way.
		let signature = sign_duty(1, id, DutyKind::Ready, 95, &ITEMS);
		assert_ok!(Miners::authorize(DutyKind::Ready, id, 95, &ITEMS, &signature));
	});
}

#[test]
fn two_calls_for_one_anchor_exclude_each_other_in_the_pool() {
	execute(|| {
		let (id, other) = (register(1), register(2));
		let tags = |n, id, kind, anchor, items: &[u8; 3]| {
			let signature = sign_duty(n, id, kind, anchor, items);
			let (valid, _) = Miners::authorize(kind, id, anchor, items, &signature)
				.expect("it is as it should be");
			valid.provides
		};
		let first = tags(1, id, DutyKind::Confirm, 95, &ITEMS);
		assert_eq!(first, tags(1, id, DutyKind::Confirm, 95, &[9; 3]));
		assert_ne!(first, tags(1, id, DutyKind::Confirm, 96, &ITEMS));
		assert_ne!(first, tags(1, id, DutyKind::Ready, 95, &ITEMS));
		assert_ne!(first, tags(2, other, DutyKind::Confirm, 95, &ITEMS));
	});
}

#[test]
fn what_is_signed_cannot_be_changed() {
	execute(|| {
		let (id, other) = (register(1), register(2));
		let signature = sign_duty(1, id, DutyKind::Confirm, 95, &ITEMS);
		let refused = |kind, miner, anchor, items: &[u8; 3]| {
			let result = Miners::authorize(kind, miner, anchor, items, &signature);
			assert_eq!(result.err(), Some(invalid(InvalidTransaction::BadProof)));
		};
		// Wrapped as another kind, for another miner, anchor or items.
		for kind in KINDS.into_iter().filter(|kind| *kind != DutyKind::Confirm) {
			refused(kind, id, 95, &ITEMS);
		}
		refused(DutyKind::Confirm, other, 95, &ITEMS);
		refused(DutyKind::Confirm, id, 94, &ITEMS);
		refused(DutyKind::Confirm, id, 95, &[1, 2, 4]);
		// Unsigned.
		let unsigned = Miners::authorize(DutyKind::Confirm, id, 95, &ITEMS, &None);
		assert_eq!(unsigned.err(), Some(invalid(InvalidTransaction::BadProof)));
		// With another miner's key.
		assert_eq!(confirm(2, id, 95), Err(invalid(InvalidTransaction::BadProof)));
	});
}

#[test]
fn a_duty_means_nothing_on_another_fork_or_chain() {
	execute(|| {
		let id = register(1);
		let signature = sign_duty(1, id, DutyKind::Confirm, 95, &ITEMS);
		frame_system::BlockHash::<Test>::insert(95, H256::repeat_byte(5));
		let result = Miners::authorize(DutyKind::Confirm, id, 95, &ITEMS, &signature);
		assert_eq!(result.err(), Some(invalid(InvalidTransaction::BadProof)));
	});
}

#[test]
fn a_duty_means_nothing_under_another_hot_key() {
	execute(|| {
		let id = register(1);
		assert_ok!(Miners::set_hot_key(by(stash(1)), hot_pair(3).public(), hot_proof(3, 1)));
		assert_eq!(confirm(1, id, 95), Err(invalid(InvalidTransaction::BadProof)));
		assert!(confirm(3, id, 95).is_ok());
	});
}

#[test]
fn who_is_not_registered_has_no_duty() {
	execute(|| {
		let unknown = invalid(InvalidTransaction::Custom(refusal::UNKNOWN_MINER));
		assert_eq!(confirm(1, MinerId(0), 95), Err(unknown));
		assert_noop!(enter(MinerId(0), 95), Error::<Test>::UnknownMiner);
		let id = register(1);
		assert_ok!(Miners::exit(by(stash(1))));
		assert!(confirm(1, id, 95).is_ok());
		assert_ok!(Miners::finish(by(somebody()), id));
		assert_eq!(confirm(1, id, 95), Err(unknown));
	});
}

#[test]
fn boundary_size() {
	execute(|| {
		let id = register(1);
		let check = |len: usize| {
			let items = vec![0u8; len];
			let signature = sign_duty(1, id, DutyKind::Report, 95, &items);
			Miners::authorize(DutyKind::Report, id, 95, &items, &signature).map(|_| ())
		};
		// The length in front takes four bytes.
		let oversized = invalid(InvalidTransaction::Custom(refusal::OVERSIZED));
		assert_eq!(check(MAX_DUTY_BYTES as usize - 4), Ok(()));
		assert_eq!(check(MAX_DUTY_BYTES as usize - 3), Err(oversized));
	});
}

#[test]
fn urgency() {
	execute(|| {
		let id = register(1);
		let by_urgency = [
			DutyKind::Report,
			DutyKind::Ready,
			DutyKind::Answer,
			DutyKind::Confirm,
			DutyKind::Alive,
		];
		let priorities = by_urgency.map(|kind| {
			let signature = sign_duty(1, id, kind, 95, &ITEMS);
			let result = Miners::authorize(kind, id, 95, &ITEMS, &signature);
			result.expect("it is as it should be").0.priority
		});
		assert!(priorities.is_sorted_by(|one, next| one > next), "{priorities:?}");
	});
}

#[test]
fn a_signed_duty_needs_no_anchor() {
	execute(|| {
		let id = register(1);
		register(2);
		pass(5);
		let enter = |origin: RuntimeOrigin| Miners::enter(origin, DutyKind::Confirm, id, 0);
		assert_ok!(enter(by(hot_account(1))));
		assert_eq!(load(id).last_seen, 1005);
		assert_eq!(load(id).anchors, [0; 5]);
		pass(1);
		assert_ok!(enter(by(stash(1))));
		assert_eq!(load(id).last_seen, 1006);
		for other in [stash(2), hot_account(2), somebody()] {
			assert_noop!(enter(by(other)), Error::<Test>::NotYours);
		}
		assert_noop!(enter(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_noop!(enter(RuntimeOrigin::none()), DispatchError::BadOrigin);
	});
}

#[test]
fn a_duty_weighs_less_where_nobody_returns() {
	execute(|| {
		let id = register(1);
		make_absent(id);
		let enter = || Miners::enter(by(stash(1)), DutyKind::Confirm, id, 0);
		assert_eq!(enter(), Ok(Miners::enter_weight()));
		let again = enter().expect("it enters");
		assert!(again.all_lt(Miners::enter_weight()));
		assert_eq!(Miners::alive_weight(Miners::enter_weight()), <()>::alive());
		let post = Miners::alive(by(stash(1)), id, 0, None);
		let post = post.expect("it is alive").actual_weight;
		assert_eq!(post, Some(Miners::alive_weight(again)));
	});
}

#[test]
fn an_authorised_duty_is_checked_again() {
	execute(|| {
		let id = register(1);
		for anchor in [100, 36, 0] {
			assert_noop!(enter(id, anchor), Error::<Test>::BadAnchor);
		}
		assert_ok!(enter(id, 37));
	});
}

fn alive(n: u8, id: MinerId, anchor: u32) -> RuntimeCall {
	let signature = sign_duty(n, id, DutyKind::Alive, anchor, &());
	Call::alive { miner: id, anchor, signature }.into()
}

#[test]
fn alive_from_every_source() {
	execute(|| {
		let id = register(1);
		pass(15);
		let sources =
			[TransactionSource::Local, TransactionSource::InBlock, TransactionSource::External];
		for source in sources {
			let result = alive(1, id, 95).authorize(source).expect("it is a duty");
			assert_ok!(result);
		}
		assert_ok!(alive(1, id, 95).dispatch_bypass_filter(RawOrigin::Authorized.into()));
		assert_eq!(load(id).last_seen, 1015);
		let info = alive(1, id, 96).get_dispatch_info();
		assert_eq!(info.class, DispatchClass::Operational);
	});
}

#[test]
fn alive_needs_its_own_signature() {
	execute(|| {
		let id = register(1);
		pass(100);
		let signature: Option<hot_key::Signature> = sign_duty(1, id, DutyKind::Confirm, 95, &());
		let call: RuntimeCall = Call::alive { miner: id, anchor: 95, signature }.into();
		let result = call.authorize(TransactionSource::External).expect("it is a duty");
		assert_eq!(result.err(), Some(invalid(InvalidTransaction::BadProof)));
	});
}

#[test]
fn boundary_alive_is_free_only_when_due() {
	execute(|| {
		let id = register(1);
		let check = || {
			let result = alive(1, id, 95).authorize(TransactionSource::External);
			result.expect("it is a duty").map(|_| ())
		};
		pass(14);
		let not_due = invalid(InvalidTransaction::Custom(refusal::NOT_DUE));
		assert_eq!(check(), Err(not_due));
		pass(1);
		assert_eq!(check(), Ok(()));
		// Signed and paid for it is always welcome.
		assert_ok!(Miners::alive(by(hot_account(1)), id, 0, None));
		assert_eq!(check(), Err(not_due));
		assert_ok!(Miners::alive(by(hot_account(1)), id, 0, None));
	});
}
