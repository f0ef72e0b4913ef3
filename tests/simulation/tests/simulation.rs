// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Small networks, every kind of fault, several seeds.

use planaria_primitives::CodingParams;
use planaria_simulation::{Config, Fault, Report, Sabotage, run};

fn simulate(config: &Config) -> Report {
	run(config).expect("the configuration is sound")
}

#[track_caller]
fn assert_good(report: &Report) {
	assert!(report.is_good(), "{report}");
}

#[test]
fn with_every_fault_nothing_recoverable_is_lost() {
	for seed in 1..=4 {
		let report = simulate(&Config { seed, ..Config::default() });
		assert_good(&report);
		assert!(report.durability.restored > 0 && report.durability.copies_lost > 0, "{report}");
		assert_eq!(report.durability.missing, 0, "{report}");
	}
}

#[test]
fn with_each_fault_alone_nothing_recoverable_is_lost() {
	for fault in Fault::ALL {
		let report =
			simulate(&Config { faults: [fault].into(), segments: 100, ..Config::default() });
		assert_good(&report);
		assert!(report.faults[&fault.to_string()] > 0, "{report}");
	}
}

#[test]
fn other_codings_hold_as_well() {
	for coding in [CodingParams::LEAN, CodingParams::new(1, 2).expect("sound")] {
		let report = simulate(&Config { coding, miners: 20, segments: 200, ..Config::default() });
		assert_good(&report);
	}
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
	let config = Config { segments: 100, ..Config::default() };
	let digest = |seed| simulate(&Config { seed, ..config.clone() }).digest;
	let first = digest(1);
	assert_eq!(digest(1), first);
	assert_ne!(digest(2), first);
}

#[test]
fn nothing_happens_where_nothing_goes_wrong() {
	let report = simulate(&Config { faults: [].into(), segments: 50, ..Config::default() });
	assert_good(&report);
	assert_eq!((report.orders.opened, report.durability.restored), (0, 0), "{report}");
}

/// The checks notice what they are for.
#[test]
fn a_broken_rule_is_noticed() {
	let death = [Fault::Death].into();
	let broken =
		Config { faults: death, sabotage: Some(Sabotage::NoRestores), ..Config::default() };
	let report = simulate(&broken);
	assert!(!report.is_good() && report.durability.lost_recoverable > 0, "{report}");

	let fork = [Fault::Fork].into();
	let hasty =
		Config { faults: fork, sabotage: Some(Sabotage::HastyDiscard), ..Config::default() };
	let report = simulate(&hasty);
	assert!(!report.is_good() && report.durability.lost_recoverable > 0, "{report}");

	let death = [Fault::Death].into();
	let empty =
		Config { faults: death, sabotage: Some(Sabotage::EmptyReports), ..Config::default() };
	let report = simulate(&empty);
	assert!(!report.is_good() && report.durability.lost_recoverable > 0, "{report}");
}

#[test]
fn what_cannot_be_run_is_said() {
	for config in [
		Config { miners: 10, ..Config::default() },
		Config { days: 3, ..Config::default() },
		Config { segments: 0, ..Config::default() },
	] {
		let error = run(&config).expect_err("refused").to_string();
		assert!(error.contains("use --"), "{error}");
	}
}
