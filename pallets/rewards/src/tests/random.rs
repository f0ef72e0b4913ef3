// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whatever happens in whatever order: no money is made or lost, and nobody is paid twice.

use super::*;
use frame_support::traits::fungible::Inspect as _;
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
enum Step {
	Holds {
		miner: u32,
		bytes: u64,
	},
	Earns {
		miner: u32,
		earns: bool,
	},
	Departs {
		miner: u32,
	},
	/// Payer `n` has so many bytes at such a price until then, and pays for it.
	Pays {
		n: usize,
		bytes: u64,
		price: u128,
		eras: u32,
	},
	Stops {
		n: usize,
	},
	Claims {
		miner: u32,
	},
	Burns,
	Open {
		n: u8,
		bytes: u64,
		holder: u32,
		leaves: bool,
	},
	Restored {
		n: u8,
		by: u32,
	},
	GiveBack {
		n: u8,
	},
	Pass {
		ticks: u32,
		polled: bool,
	},
	/// Without the hook that goes from era to era.
	Jump {
		ticks: u32,
	},
}

fn steps() -> impl Strategy<Value = Step> {
	use Step::*;
	let miner = || 0..MINERS;
	let bytes = || prop_oneof![0..5u64, 0..5 * TIB];
	prop_oneof![
		6 => (miner(), bytes()).prop_map(|(miner, bytes)| Holds { miner, bytes }),
		2 => (miner(), any::<bool>()).prop_map(|(miner, earns)| Earns { miner, earns }),
		1 => miner().prop_map(|miner| Departs { miner }),
		4 => (0..3usize, bytes(), 0..1_000u128, 0..12u32)
			.prop_map(|(n, bytes, price, eras)| Pays { n, bytes, price, eras }),
		1 => (0..3usize).prop_map(|n| Stops { n }),
		3 => miner().prop_map(|miner| Claims { miner }),
		1 => Just(Burns),
		3 => (0..4u8, 0..LONG, miner(), any::<bool>())
			.prop_map(|(n, bytes, holder, leaves)| Open { n, bytes, holder, leaves }),
		3 => (0..4u8, miner()).prop_map(|(n, by)| Restored { n, by }),
		1 => (0..4u8).prop_map(|n| GiveBack { n }),
		5 => (0..40u32, any::<bool>()).prop_map(|(ticks, polled)| Pass { ticks, polled }),
		1 => (0..60u32).prop_map(|ticks| Jump { ticks }),
	]
}

/// A payer: what it lets flow, what is left of what it paid as of which tick.
#[derive(Clone, Copy, Default)]
struct Payer {
	stream: Stream,
	left: u128,
	at: u32,
}

impl Payer {
	fn settle(&mut self) {
		let until = now().min(self.stream.ends).max(self.at);
		self.left -= self.stream.rate * u128::from(until - self.at);
		self.at = now();
	}
}

fn take(step: Step, payers: &mut [Payer; 3], gone: &mut Vec<u32>) {
	match step {
		Step::Holds { miner, .. } | Step::Earns { miner, .. } if gone.contains(&miner) => {},
		Step::Holds { miner, bytes } => holds(miner, bytes),
		Step::Earns { miner, earns: yes } => earns(miner, yes),
		Step::Departs { miner } if gone.contains(&miner) => {},
		Step::Departs { miner } => {
			departs(miner);
			gone.push(miner);
		},
		Step::Pays { n, bytes, price, eras } => {
			let payer = &mut payers[n];
			payer.settle();
			let ends = (now() / ERA + eras) * ERA;
			let next = if ends > now() { stream(bytes, price, ends) } else { NOTHING };
			let needed = next.rate * u128::from(next.ends.saturating_sub(now()));
			let amount = needed.saturating_sub(payer.left).div_ceil(grains(1));
			if <Rewards as Pot<_>>::fund(&ALICE, amount).is_ok() {
				<Rewards as Pot<_>>::flow(payer.stream, next);
				payer.left += grains(amount);
				payer.stream = next;
			}
		},
		Step::Stops { n } => {
			let payer = &mut payers[n];
			payer.settle();
			<Rewards as Pot<_>>::flow(payer.stream, NOTHING);
			<Rewards as Pot<_>>::refund(&ALICE, payer.left);
			*payer = Payer { at: now(), ..Default::default() };
		},
		Step::Claims { miner } => {
			let (before, expected) = (received(miner), claimable(miner));
			if claim(miner).is_ok() {
				assert_eq!(received(miner), before + expected);
				assert_eq!(claimable(miner), 0);
			}
		},
		Step::Burns => {
			let _ = Rewards::burn(signed(BOB));
		},
		Step::Open { n, bytes, holder, leaves } => open(n, bytes, holder, leaves),
		Step::Restored { n, by } => <Rewards as Bounties<_>>::pay(vec![fragment(n)], MinerId(by)),
		Step::GiveBack { n } => <Rewards as Bounties<_>>::give_back(fragment(n)),
		Step::Pass { ticks, polled } => {
			pass(ticks);
			if polled {
				poll();
			}
		},
		Step::Jump { ticks } => MockClock::set(now() + ticks),
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn no_money_is_made_or_lost(steps in vec(steps(), 1..100)) {
		new_test_ext().execute_with(|| {
			let (mut payers, mut gone) = ([Payer::default(); 3], Vec::new());
			let everything = Balances::total_issuance();
			for step in steps {
				take(step, &mut payers, &mut gone);
				check();
			}
			// In the end everybody has theirs, and the pot what it began with.
			for n in 0..3 {
				take(Step::Stops { n }, &mut payers, &mut gone);
			}
			for miner in 0..MINERS {
				take(Step::Departs { miner }, &mut payers, &mut gone);
			}
			for n in 0..4 {
				take(Step::GiveBack { n }, &mut payers, &mut gone);
			}
			take(Step::Pass { ticks: 60, polled: true }, &mut payers, &mut gone);
			for n in 0..4 {
				let _ = Rewards::collect(signed(BOB), fragment(n));
			}
			take(Step::Burns, &mut payers, &mut gone);
			check();
			assert_eq!(Pledged::<Test>::get(), 0);
			let flow = Rewards::flow_now();
			assert_eq!((flow.earned, flow.prepaid, flow.held), (0, 0, 0));
			// What could not be divided is left: less than a grain for each of 25 TiB.
			assert!(Balances::free_balance(Rewards::pot()) <= LEAST + 26);
			assert_eq!(Balances::total_issuance(), Balances::total_balance(&ALICE)
				+ Balances::total_balance(&BOB)
				+ (0..MINERS).map(|m| received(m) + Balances::total_balance(&MockMiners::stash(m))).sum::<Balance>()
				+ Balances::total_balance(&Rewards::pot()));
			assert!(Balances::total_issuance() <= everything);
		});
	}
}
