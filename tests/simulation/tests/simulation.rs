// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Small networks, every kind of fault, several seeds.

use planaria_primitives::CodingParams;
use planaria_simulation::{Config, Fault, Report, run};
use serde_json::Value;
use std::process::{Command, Output};

/// A small network and one day with faults.
fn small() -> Config {
	Config { miners: 20, segments: 100, days: 4, ..Config::default() }
}

fn simulate(config: &Config) -> Report {
	run(config).expect("the configuration is sound")
}

#[track_caller]
fn assert_good(report: &Report) {
	assert!(report.is_good(), "{report}");
	assert_eq!(report.durability.missing, 0, "{report}");
}

/// The program, with a small network.
fn program(arguments: &str) -> Output {
	Command::new(env!("CARGO_BIN_EXE_planaria-simulate"))
		.args("--miners 20 --segments 60 --days 4 --json".split(' '))
		.args(arguments.split(' '))
		.output()
		.expect("the program is there")
}

#[test]
fn with_every_fault_nothing_recoverable_is_lost() {
	for seed in 1..=4 {
		let report = simulate(&Config { seed, ..small() });
		assert_good(&report);
		assert!(report.durability.restored > 0 && report.durability.copies_lost > 0, "{report}");
	}
}

#[test]
fn with_each_fault_alone_nothing_recoverable_is_lost() {
	for fault in Fault::ALL {
		let report = simulate(&Config { faults: [fault].into(), segments: 60, ..small() });
		assert_good(&report);
		assert!(report.faults[&fault.to_string()] > 0, "{report}");
	}
}

#[test]
fn other_codings_hold_as_well() {
	for coding in [CodingParams::LEAN, CodingParams::new(1, 2).expect("sound")] {
		assert_good(&simulate(&Config { coding, ..small() }));
	}
}

#[test]
fn the_same_seed_is_the_same_run_by_any_threads_and_another_is_not() {
	let output = |seed: u64, threads: u32| {
		let output = program(&format!("--first-seed {seed} --threads {threads}"));
		let mut report: Value = serde_json::from_slice(&output.stdout).expect("one object");
		for time in ["wall_secs", "cpu_secs"] {
			assert!(report.as_object_mut().expect("an object").remove(time).is_some());
		}
		assert!(output.status.success(), "{report:#}");
		report
	};
	let first = output(1, 1);
	assert_eq!(output(1, 3), first);
	assert_ne!(output(2, 1)["digest"], first["digest"]);
}

#[test]
fn nothing_happens_where_nothing_goes_wrong() {
	let report = simulate(&Config { faults: [].into(), segments: 50, ..small() });
	assert_good(&report);
	assert_eq!((report.orders.opened, report.durability.restored), (0, 0), "{report}");
}

/// The checks notice what they are for, and the program says so by its exit code.
#[test]
fn a_broken_rule_is_noticed() {
	for (rule, fault) in
		[("no-restores", "death"), ("hasty-discard", "fork"), ("empty-reports", "death")]
	{
		assert!(program(&format!("--faults {fault}")).status.success(), "{fault}");
		let output = program(&format!("--faults {fault} --break {rule}"));
		let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
		assert_eq!(output.status.code(), Some(1), "{rule}: {report:#}");
		assert!(report["durability"]["lost_recoverable"].as_u64() > Some(0), "{rule}: {report:#}");
	}
}

#[test]
fn what_cannot_be_run_is_said() {
	for config in [
		Config { miners: 10, ..small() },
		Config { days: 3, ..small() },
		Config { segments: 0, ..small() },
	] {
		let error = run(&config).expect_err("refused").to_string();
		assert!(error.contains("use --"), "{error}");
	}
	assert_eq!(program("--bandwidth 1").status.code(), Some(2));
}
