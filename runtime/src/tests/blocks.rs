// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Blocks and what is in them.

use super::*;
use crate::{
	Balances, TransactionPayment,
	configs::system::{BLOCK_WEIGHT, NORMAL_SHARE},
	currency::{MILLI, UNIT},
	session_manager::CallFilter,
	transactions::signed_transaction,
};
use frame_support::{
	dispatch::DispatchClass,
	traits::{Contains, fungible::Inspect},
};
use sp_runtime::MultiSignature;

fn transfer(to: Sr25519Keyring, value: u128) -> RuntimeCall {
	pallet_balances::Call::transfer_keep_alive { dest: account(to).into(), value }.into()
}

#[test]
fn extensions_stand_in_their_order() {
	let identifiers: Vec<_> = genesis("development").execute_with(|| {
		let extensions = Runtime::metadata_ir().extrinsic.extensions_v0().unwrap();
		extensions.into_iter().map(|extension| extension.identifier).collect()
	});
	assert_eq!(
		identifiers,
		[
			"AuthorizeCall",
			"CheckNonZeroSender",
			"CheckSpecVersion",
			"CheckTxVersion",
			"CheckGenesis",
			"CheckMortality",
			"CheckNonce",
			"CheckWeight",
			"ChargeTransactionPayment",
			"CheckMetadataHash",
			"WeightReclaim",
		]
	);
}

#[test]
fn what_every_block_must_do_leaves_room() {
	genesis("local_testnet").execute_with(|| {
		for slot in 1_000..1_010 {
			begin_block(slot, 0);
			let weight = mandatory_weight();
			let limit = (BLOCK_WEIGHT - NORMAL_SHARE * BLOCK_WEIGHT) / 2;
			assert!(
				weight.ref_time() < limit.ref_time(),
				"slot {slot}: {weight} of {limit}, before the first transaction"
			);
			Executive::finalize_block();
			assert_invariants();
		}
	});
}

/// Otherwise an upgrade could not be sent.
#[test]
fn a_runtime_fits_a_transaction() {
	let limits = <Runtime as frame_system::Config>::BlockLength::get();
	assert!(*limits.max.get(DispatchClass::Normal) > 3 << 20);
}

#[test]
fn a_transfer_costs_some_thousandths() {
	genesis("development").execute_with(|| {
		let call = transfer(Sr25519Keyring::Bob, UNIT);
		let length = 150;
		let fee = TransactionPayment::query_call_info(call, length).partial_fee;
		assert!((2 * MILLI..10 * MILLI).contains(&fee), "{fee}");
	});
}

#[test]
fn fee_goes_to_the_author() {
	genesis("local_testnet").execute_with(|| {
		let (alice, eve) = (Sr25519Keyring::Alice, Sr25519Keyring::Eve);
		run_block(1_000);
		// The validators stand in the order of their accounts.
		let author = pallet_session::Validators::<Runtime>::get()[1].clone();
		assert_ne!(author, account(alice));
		let before = (Balances::balance(&account(alice)), Balances::balance(&author));
		let issued = Balances::total_issuance();

		begin_block(1_001, 1);
		let tx = signed_transaction(transfer(eve, UNIT), account(alice), 0, |payload| {
			Some(MultiSignature::Sr25519(alice.sign(payload)))
		});
		Executive::apply_extrinsic(tx.unwrap()).unwrap().unwrap();

		let paid = before.0 - Balances::balance(&account(alice)) - UNIT;
		assert!(paid > MILLI);
		assert_eq!(Balances::balance(&author) - before.1, paid);
		assert_eq!(Balances::total_issuance(), issued);
		Executive::finalize_block();
		assert_invariants();
	});
}

#[test]
fn a_foreign_signature_is_refused() {
	genesis("development").execute_with(|| {
		begin_block(1_000, 0);
		let tx = signed_transaction(
			transfer(Sr25519Keyring::Bob, UNIT),
			account(Sr25519Keyring::Alice),
			0,
			|payload| Some(MultiSignature::Sr25519(Sr25519Keyring::Bob.sign(payload))),
		);
		assert!(Executive::apply_extrinsic(tx.unwrap()).is_err());
		Executive::finalize_block();
		assert_invariants();
	});
}

#[test]
fn only_what_would_undo_roots_decision_is_filtered() {
	assert!(!CallFilter::contains(&pallet_session::Call::purge_keys {}.into()));
	let new = account(Sr25519Keyring::Eve).into();
	assert!(!CallFilter::contains(&pallet_membership::Call::change_key { new }.into()));
	assert!(CallFilter::contains(&transfer(Sr25519Keyring::Bob, 1)));
}
