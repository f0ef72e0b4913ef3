// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Calls in any order, with the state checked after each of them.

use super::*;
use frame_support::dispatch::RawOrigin;
use planaria_primitives::duty::DutyKind;
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{Collateral, Discipline, DutyGate};

/// Test miners 1 to 5 take part.
const PARTIES: u8 = 5;

#[derive(Clone, Debug)]
enum Step {
	Register { n: u8, hot: u8, end: u8, collateral: Balance },
	SetHotKey(u8, u8),
	SetEndpoint(u8, u8),
	SetDeclared(u8, u64),
	TopUp(u8, Balance),
	Withdraw(u8, Balance),
	Exit(u8),
	Finish(u8),
	Tidy(u8),
	Signed(u8),
	Duty(u8, u32),
	MarkAbsent(u8),
	ExpelAbsent(u8),
	Suspend(u8),
	Reinstate(u8),
	Absent(u8),
	Expel(u8),
	Reserve(u8, u64, bool),
	Release(u8),
	Settle(u8),
	Forget(u8),
	Pay(u8, bool, Balance),
	Wrong(u8),
	Window(Tick),
	Pass(Tick),
	Block,
}

fn step() -> impl Strategy<Value = Step> {
	use Step::*;
	let n = || 1..=PARTIES;
	let key = || 1..=PARTIES + 2;
	let money = || 0..1500u128;
	prop_oneof![
		6 => (n(), key(), key(), money())
			.prop_map(|(n, hot, end, collateral)| Register { n, hot, end, collateral }),
		1 => (n(), key()).prop_map(|(n, key)| SetHotKey(n, key)),
		1 => (n(), key()).prop_map(|(n, key)| SetEndpoint(n, key)),
		1 => (n(), 0..DECLARED).prop_map(|(n, bytes)| SetDeclared(n, bytes)),
		1 => (n(), money()).prop_map(|(n, amount)| TopUp(n, amount)),
		3 => (n(), money()).prop_map(|(n, amount)| Withdraw(n, amount)),
		2 => n().prop_map(Exit),
		3 => n().prop_map(Finish),
		1 => n().prop_map(Tidy),
		3 => n().prop_map(Signed),
		3 => (n(), 1..70u32).prop_map(|(n, age)| Duty(n, age)),
		4 => n().prop_map(MarkAbsent),
		3 => n().prop_map(ExpelAbsent),
		2 => n().prop_map(Suspend),
		2 => n().prop_map(Reinstate),
		1 => n().prop_map(Absent),
		1 => n().prop_map(Expel),
		12 => (n(), 1..30 * GIB, any::<bool>()).prop_map(|(n, bytes, claim)| Reserve(n, bytes, claim)),
		2 => n().prop_map(Release),
		8 => n().prop_map(Settle),
		5 => n().prop_map(Forget),
		2 => (n(), any::<bool>(), money()).prop_map(|(n, burn, amount)| Pay(n, burn, amount)),
		1 => n().prop_map(Wrong),
		1 => (1..400u32).prop_map(Window),
		8 => prop_oneof![1..30u32, 30..300u32, 300..700u32].prop_map(Pass),
		3 => Just(Block),
	]
}

/// What was reserved with and is held by each miner, so that no more is taken off.
#[derive(Default)]
struct Model {
	reserved: BTreeMap<MinerId, Vec<(u64, Purpose)>>,
	held: BTreeMap<MinerId, Vec<u64>>,
	/// The id given last.
	last_id: Option<MinerId>,
}

impl Model {
	fn run(&mut self, step: Step) {
		// What comes of it does not matter: that the state holds together does.
		let _ = self.try_run(step);
	}

	fn try_run(&mut self, step: Step) -> Option<()> {
		use Step::*;
		let id = |n: u8| ByAccount::<Test>::get(stash(n));
		match step {
			Register { n, hot, end, collateral } => {
				register_with(n, hot, end, collateral).ok()?;
				let new = id(n)?;
				assert!(self.last_id < Some(new), "an id was reused");
				self.last_id = Some(new);
			},
			SetHotKey(n, key) => {
				let (public, proof) = (sp_core::Pair::public(&hot_pair(key)), hot_proof(key, n));
				Miners::set_hot_key(by(stash(n)), public, proof).ok()?;
			},
			SetEndpoint(n, key) => {
				Miners::set_endpoint(by(stash(n)), endpoint(key), endpoint_proof(key, n)).ok()?;
			},
			SetDeclared(n, bytes) => Miners::set_declared(by(stash(n)), bytes).ok()?,
			TopUp(n, amount) => Miners::top_up(by(stash(n)), amount).ok()?,
			Withdraw(n, amount) => Miners::withdraw(by(stash(n)), amount).ok()?,
			Exit(n) => Miners::exit(by(stash(n))).ok()?,
			Finish(n) => {
				let id = id(n)?;
				Miners::finish(by(somebody()), id).ok()?;
				let mut reserved = self.reserved.get(&id).into_iter().flatten();
				assert!(reserved.all(|(_, purpose)| *purpose == Purpose::Placement));
				assert!(self.held.remove(&id).unwrap_or_default().is_empty());
			},
			Tidy(n) => drop(Miners::tidy(by(somebody()), id(n)?).ok()?),
			Signed(n) => drop(Miners::alive(by(stash(n)), id(n)?, 0, None).ok()?),
			Duty(n, age) => {
				let (id, anchor) = (id(n)?, System::block_number().saturating_sub(age));
				let origin = || RawOrigin::Authorized.into();
				Miners::enter(origin(), DutyKind::Report, id, anchor).ok()?;
				let again = Miners::enter(origin(), DutyKind::Report, id, anchor);
				assert!(again.is_err(), "a duty was done twice");
				assert!(record(id).absence.is_none());
			},
			MarkAbsent(n) => drop(Miners::mark_absent(by(somebody()), id(n)?).ok()?),
			ExpelAbsent(n) => drop(Miners::expel_absent(by(somebody()), id(n)?).ok()?),
			Suspend(n) => <Miners as Discipline>::suspend(id(n)?).ok()?,
			Reinstate(n) => Miners::reinstate(id(n)?).ok()?,
			Absent(n) => <Miners as Discipline>::absent(id(n)?).ok()?,
			Expel(n) => <Miners as Discipline>::expel(id(n)?).ok()?,
			Reserve(n, bytes, claim) => {
				let purpose = if claim { Purpose::Claim } else { Purpose::Placement };
				let id = id(n)?;
				Miners::reserve(id, bytes, purpose).ok()?;
				assert_eq!(standing(id), Some(Standing::Serving));
				assert!(record(id).collateral >= Miners::required_collateral(id));
				self.reserved.entry(id).or_default().push((bytes, purpose));
			},
			Release(n) => {
				let id = id(n)?;
				let (bytes, purpose) = self.reserved.get_mut(&id)?.pop()?;
				Miners::release(id, bytes, purpose);
			},
			Settle(n) => {
				let id = id(n)?;
				// Who has departed confirms nothing.
				Loads::<Test>::get(id)?;
				let (bytes, purpose) = self.reserved.get_mut(&id)?.pop()?;
				Miners::settle(id, bytes, purpose);
				self.held.entry(id).or_default().push(bytes);
			},
			Forget(n) => {
				let id = id(n)?;
				let bytes = self.held.get_mut(&id)?.pop()?;
				Miners::forget(id, bytes);
			},
			Pay(n, burn, amount) => {
				let to = (!burn).then(somebody);
				assert!(Miners::pay(id(n)?, to.as_ref(), amount) <= amount);
			},
			Wrong(n) => Miners::charge_wrong(id(n)?),
			Window(brake_window) => {
				let params = ParamsOf::<Test> { brake_window, ..params() };
				Miners::set_params(RuntimeOrigin::root(), params).ok()?;
			},
			Pass(ticks) => pass(ticks),
			Block => go_to_block(System::block_number() + 1),
		}
		Some(())
	}

	fn check(&self) {
		for (id, load) in Loads::<Test>::iter() {
			let reserved = self.reserved.get(&id).cloned().unwrap_or_default();
			let held = self.held.get(&id).cloned().unwrap_or_default();
			let claims = reserved.iter().filter(|(_, purpose)| *purpose == Purpose::Claim).count();
			assert_eq!(load.reserved, reserved.iter().map(|(bytes, _)| bytes).sum::<u64>());
			assert_eq!(load.claims as usize, claims);
			assert_eq!(load.held, held.iter().sum::<u64>());
			assert_eq!(load.fragments as usize, held.len());
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(200))]

	#[test]
	fn the_state_holds_together(steps in prop::collection::vec(step(), 1..150)) {
		new_test_ext().execute_with(|| {
			let mut model = Model::default();
			for step in steps {
				model.run(step.clone());
				model.check();
				check_earnings();
				if let Err(error) = Miners::do_try_state() {
					panic!("after {step:?}: {error:?}");
				}
			}
		});
	}
}
