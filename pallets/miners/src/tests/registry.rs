// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Registration, keys, endpoint and offer.

use super::*;
use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate as _};
use planaria_primitives::duty::registration_bytes;
use sp_core::Pair as _;

#[test]
fn success_register() {
	execute(|| {
		let id = register(1);
		assert_eq!(id, MinerId(0));
		assert_eq!(events(), [Event::Registered { miner: id, stash: stash(1) }]);
		assert_eq!(standing(id), Some(Standing::Serving));
		assert_eq!(Miners::by_account(&stash(1)), Some(id));
		assert_eq!(Miners::by_account(&hot_account(1)), Some(id));
		assert_eq!(ByEndpoint::<Test>::get(endpoint(1).key), Some(id));
		assert_eq!(Balances::free_balance(stash(1)), FUNDS - COLLATERAL);
		assert_eq!((record(id).registered, load(id).last_seen), (1000, 1000));
		assert_eq!(register(2), MinerId(1));
	});
}

#[test]
fn an_account_is_one_miners_only() {
	execute(|| {
		register(1);
		assert_noop!(register_with(1, 2, 2, COLLATERAL), Error::<Test>::AlreadyRegistered);
		assert_noop!(register_with(2, 1, 2, COLLATERAL), Error::<Test>::KeyInUse);
		assert_noop!(register_with(2, 2, 1, COLLATERAL), Error::<Test>::EndpointInUse);
	});
}

#[test]
fn a_hot_key_is_never_a_stash() {
	execute(|| {
		let register_as = |who: AccountId32, hot: u8, end: u8| {
			let bytes = registration_bytes(&genesis(), who.as_ref());
			Miners::register(
				by(who.clone()),
				hot_pair(hot).public(),
				hot_pair(hot).sign(&bytes),
				endpoint(end),
				endpoint_pair(end).sign(&bytes),
				DECLARED,
				who,
				COLLATERAL,
			)
		};
		// Its own.
		assert_noop!(register_as(hot_account(5), 5, 5), Error::<Test>::KeyInUse);
		// Another miner's, in either order.
		register(1);
		assert_noop!(register_as(hot_account(1), 5, 5), Error::<Test>::AlreadyRegistered);
		let paid = Balances::mint_into(&hot_account(6), FUNDS);
		assert_ok!(paid);
		assert_ok!(register_as(hot_account(6), 7, 7));
		assert_noop!(
			Miners::set_hot_key(by(stash(1)), hot_pair(6).public(), hot_proof(6, 1)),
			Error::<Test>::KeyInUse
		);
	});
}

#[test]
fn keys_must_agree_to_this_stash_on_this_chain() {
	execute(|| {
		let register = |hot_proof, endpoint_proof| {
			Miners::register(
				by(stash(1)),
				hot_pair(1).public(),
				hot_proof,
				endpoint(1),
				endpoint_proof,
				DECLARED,
				stash(1),
				COLLATERAL,
			)
		};
		// Another stash, another key.
		assert_noop!(register(hot_proof(1, 2), endpoint_proof(1, 1)), Error::<Test>::BadProof);
		assert_noop!(register(hot_proof(1, 1), endpoint_proof(1, 2)), Error::<Test>::BadProof);
		assert_noop!(register(hot_proof(2, 1), endpoint_proof(1, 1)), Error::<Test>::BadProof);
		assert_noop!(register(hot_proof(1, 1), endpoint_proof(2, 1)), Error::<Test>::BadProof);
		// Another chain.
		let elsewhere = registration_bytes(&[9; 32], stash(1).as_ref());
		assert_noop!(
			register(hot_pair(1).sign(&elsewhere), endpoint_proof(1, 1)),
			Error::<Test>::BadProof
		);
		assert_ok!(register(hot_proof(1, 1), endpoint_proof(1, 1)));
	});
}

#[test]
fn boundary_collateral_and_offer() {
	execute(|| {
		assert_noop!(register_with(1, 1, 1, 99), Error::<Test>::TooLittleCollateral);
		assert_noop!(register_with(1, 1, 1, FUNDS), sp_runtime::TokenError::FundsUnavailable);
		assert_ok!(register_with(1, 1, 1, 100));
		let id = MinerId(0);
		let max = MaxDeclared::get();
		assert_noop!(Miners::set_declared(by(stash(1)), max + 1), Error::<Test>::TooLarge);
		assert_ok!(Miners::set_declared(by(stash(1)), max));
		assert_eq!(record(id).declared, max);
	});
}

#[test]
fn ids_run_out_before_nobody() {
	execute(|| {
		NextMiner::<Test>::put(MinerId::NOBODY);
		assert_noop!(register_with(1, 1, 1, COLLATERAL), Error::<Test>::TooManyMiners);
		NextMiner::<Test>::put(MinerId(u32::MAX - 1));
		assert_eq!(register(1), MinerId(u32::MAX - 1));
	});
}

#[test]
fn addresses_are_text() {
	execute(|| {
		register(1);
		for addr in [&b""[..], b"two words", b"tab\t", b"caf\xc3\xa9", b"nul\0"] {
			let mut endpoint = endpoint(1);
			endpoint.addrs[0] = addr.to_vec().try_into().expect("it is short");
			assert_noop!(
				Miners::set_endpoint(by(stash(1)), endpoint, endpoint_proof(1, 1)),
				Error::<Test>::InvalidAddress
			);
		}
		let bare = Endpoint { addrs: Default::default(), ..endpoint(1) };
		assert_ok!(Miners::set_endpoint(by(stash(1)), bare, endpoint_proof(1, 1)));
	});
}

#[test]
fn success_set_endpoint() {
	execute(|| {
		let id = register(1);
		register(2);
		System::reset_events();
		// By the hot key, too; the old key is free then.
		assert_ok!(Miners::set_endpoint(by(hot_account(1)), endpoint(3), endpoint_proof(3, 1)));
		assert_eq!(events(), [Event::EndpointSet { miner: id, key: endpoint(3).key }]);
		assert_eq!(ByEndpoint::<Test>::get(endpoint(1).key), None);
		assert_noop!(
			Miners::set_endpoint(by(stash(1)), endpoint(2), endpoint_proof(2, 1)),
			Error::<Test>::EndpointInUse
		);
		assert_noop!(
			Miners::set_endpoint(by(stash(1)), endpoint(4), endpoint_proof(4, 2)),
			Error::<Test>::BadProof
		);
		assert_noop!(
			Miners::set_endpoint(by(somebody()), endpoint(4), endpoint_proof(4, 1)),
			Error::<Test>::UnknownMiner
		);
	});
}

#[test]
fn success_set_hot_key() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		let hot_key = hot_pair(3).public();
		assert_noop!(
			Miners::set_hot_key(by(stash(1)), hot_key, hot_proof(3, 2)),
			Error::<Test>::BadProof
		);
		assert_ok!(Miners::set_hot_key(by(stash(1)), hot_key, hot_proof(3, 1)));
		assert_eq!(events(), [Event::HotKeySet { miner: id, hot_key }]);
		assert_eq!(Miners::by_account(&hot_account(1)), None);
		assert_eq!(Miners::by_account(&hot_account(3)), Some(id));
		assert_noop!(
			Miners::set_hot_key(by(stash(1)), hot_key, hot_proof(3, 1)),
			Error::<Test>::KeyInUse
		);
	});
}

#[test]
fn the_hot_key_cannot_do_what_the_stash_decides() {
	execute(|| {
		register(1);
		let hot = || by(hot_account(1));
		let (key, proof) = (hot_pair(3).public(), hot_proof(3, 1));
		assert_noop!(Miners::set_hot_key(hot(), key, proof), Error::<Test>::NotStash);
		assert_noop!(Miners::set_payee(hot(), hot_account(1)), Error::<Test>::NotStash);
		assert_noop!(Miners::top_up(hot(), 1), Error::<Test>::NotStash);
		assert_noop!(Miners::withdraw(hot(), 1), Error::<Test>::NotStash);
		assert_noop!(Miners::exit(hot()), Error::<Test>::NotStash);
		assert_ok!(Miners::set_declared(hot(), DECLARED - 1));
	});
}

#[test]
fn success_set_payee() {
	execute(|| {
		let id = register(1);
		System::reset_events();
		assert_ok!(Miners::set_payee(by(stash(1)), stash(9)));
		assert_eq!(events(), [Event::PayeeSet { miner: id, payee: stash(9) }]);
		assert_eq!(<Miners as MinerDirectory<_>>::get(id).map(|info| info.payee), Some(stash(9)));
	});
}

#[test]
fn boundary_the_offer_covers_what_is_in_use() {
	execute(|| {
		let id = register(1);
		assert_ok!(hold(id, 5 * GIB));
		assert_ok!(Miners::reserve(id, GIB, Purpose::Claim));
		System::reset_events();
		assert_noop!(Miners::set_declared(by(stash(1)), 6 * GIB - 1), Error::<Test>::BelowUsed);
		assert_ok!(Miners::set_declared(by(stash(1)), 6 * GIB));
		let changed = Event::DeclaredSet { miner: id, old_bytes: DECLARED, new_bytes: 6 * GIB };
		assert_eq!(events(), [changed]);
		assert_eq!(Miners::room(id), 0);
	});
}
