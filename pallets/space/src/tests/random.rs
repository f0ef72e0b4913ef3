// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whatever is done in whatever order, the properties hold after each step, and everybody has back
//! in the end what was not used.

use super::*;
use frame_support::{
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::{Hooks, fungible::InspectHold},
	weights::WeightMeter,
};
use proptest::{collection::vec, prelude::*};

const PARTIES: [AccountId; 3] = [ALICE, BOB, CHARLIE];

#[derive(Clone, Debug)]
enum Step {
	Buy { who: usize, bytes: u64, ticks: Tick },
	Grow { who: usize, bytes: u64 },
	Renew { who: usize, ticks: Tick },
	Authorise { who: usize, operator: usize, bytes: u64, until: Tick },
	Revoke { who: usize, operator: usize },
	Close { who: usize },
	Tidy { who: usize },
	Order { who: usize, by: usize, bytes: u64 },
	Activate { file: u64 },
	Delete { file: u64 },
	Price { price: u128, deposit: u128, grace: Tick },
	Pass { ticks: Tick, tenths: u64 },
}

fn steps() -> impl Strategy<Value = Step> {
	use Step::*;
	let who = || 0..PARTIES.len();
	let bytes = || prop_oneof![0..9u64, 0..20 * TIB];
	prop_oneof![
		4 => (who(), bytes(), 0..300u32).prop_map(|(who, bytes, ticks)| Buy { who, bytes, ticks }),
		2 => (who(), bytes()).prop_map(|(who, bytes)| Grow { who, bytes }),
		2 => (who(), 0..100u32).prop_map(|(who, ticks)| Renew { who, ticks }),
		2 => (who(), who(), bytes(), 0..500u32).prop_map(|(who, operator, bytes, until)| {
			Authorise { who, operator, bytes, until }
		}),
		1 => (who(), who()).prop_map(|(who, operator)| Revoke { who, operator }),
		1 => who().prop_map(|who| Close { who }),
		1 => who().prop_map(|who| Tidy { who }),
		// No file has no bytes.
		8 => (who(), who(), bytes())
			.prop_map(|(who, by, bytes)| Order { who, by, bytes: bytes.max(1) }),
		5 => (0..30u64).prop_map(|file| Activate { file }),
		4 => (0..30u64).prop_map(|file| Delete { file }),
		1 => (0..1_000u128, 0..50u128, 0..60u32)
			.prop_map(|(price, deposit, grace)| Price { price, deposit, grace }),
		6 => (0..60u32, 0..30u64).prop_map(|(ticks, tenths)| Pass { ticks, tenths }),
	]
}

/// Takes a step, which may be refused.
fn take(step: Step) -> DispatchResult {
	let by = |n: usize| signed(PARTIES[n]);
	match step {
		Step::Buy { who, bytes, ticks } => Space::buy(by(who), bytes, ticks),
		Step::Grow { who, bytes } => Space::grow(by(who), bytes),
		Step::Renew { who, ticks } => Space::renew(by(who), ticks),
		Step::Authorise { who, operator, bytes, until } => {
			Space::authorise(by(who), PARTIES[operator], bytes, until)
		},
		Step::Revoke { who, operator } => Space::revoke(by(who), PARTIES[operator]),
		Step::Close { who } => Space::close(by(who)),
		Step::Tidy { who } => Space::tidy(by(0), PARTIES[who]),
		Step::Order { who, by, bytes } => {
			MockFiles::order(PARTIES[who], PARTIES[by], bytes).map(|_| ())
		},
		Step::Activate { file } => {
			MockFiles::activate(FileIndex(file));
			Ok(())
		},
		Step::Delete { file } => {
			MockFiles::delete(FileIndex(file));
			Ok(())
		},
		Step::Price { price, deposit, grace } => {
			let params = Params { price, deposit, grace, ..PARAMS };
			Space::set_params(RuntimeOrigin::root(), params)
		},
		Step::Pass { ticks, tenths } => {
			MockClock::set(now() + ticks);
			let weight = Space::task_weight().saturating_mul(tenths).saturating_div(10);
			Space::on_poll(1, &mut WeightMeter::with_limit(weight));
			Ok(())
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn the_properties_hold_after_every_step(steps in vec(steps(), 1..100)) {
		new_test_ext().execute_with(|| {
			for step in steps {
				// A call that is refused changes nothing.
				let _ = with_storage_layer(|| take(step));
				check();
			}
			// Everything lapses in the end.
			assert_ok!(take(Step::Pass { ticks: 2_000, tenths: 0 }));
			for (who, party) in PARTIES.iter().enumerate() {
				while Spaces::<Test>::contains_key(party) {
					assert_ok!(take(Step::Tidy { who }));
				}
			}
			check();
			assert!(MockFiles::all().is_empty());
			assert_eq!(Operators::<Test>::iter().count(), 0);
			for who in PARTIES {
				assert_eq!(Balances::total_balance_on_hold(&who), 0);
			}
			// What was paid for is still in the pot; the rest has returned.
			let purses: Balance = PARTIES.into_iter().map(purse).sum();
			assert_eq!(purses + purse(POT), 3 * RICH + 10);
		});
	}
}
