// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Simulates the restore protocol; `--help` says how.

use clap::Parser;
use planaria_primitives::CodingParams;
use planaria_simulation::{Config, Fault, Report, Sabotage, run};
use std::{collections::BTreeSet, process::ExitCode, sync::Mutex, thread};

/// A run takes a tenth less time than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulates the restore protocol: the real runtime, worker and rules of the engine, with faults by
/// seed. Exits with 1 when something recoverable was lost or an invariant broke.
///
/// Replay a seed with exactly the arguments it was run with, --first-seed N --seeds 1.
#[derive(Debug, Parser)]
#[command(name = "planaria-simulate", max_term_width = 100)]
struct Arguments {
	/// How many seeds to run.
	#[arg(long, default_value_t = 1)]
	seeds: u64,
	/// The first of them; the others follow.
	#[arg(long, default_value_t = 1)]
	first_seed: u64,
	/// How many miners there are.
	#[arg(long, default_value_t = 30)]
	miners: u32,
	/// How many segments are stored.
	#[arg(long, default_value_t = 300)]
	segments: u32,
	/// How many days pass; the last three are without faults.
	#[arg(long, default_value_t = 5)]
	days: u32,
	/// The coding of all files: standard, lean, copies:N, bitdust:N or DATA+PARITY.
	#[arg(long, default_value = "standard", value_parser = coding)]
	coding: CodingParams,
	/// What goes wrong, separated by commas: crash, disk, death, slow, liar, partition, fork, outage,
	/// exits, delete; all; none.
	#[arg(long, default_value = "all")]
	faults: String,
	/// A rule that is broken on purpose, to see that it is noticed.
	#[arg(long = "break", value_name = "RULE", value_enum)]
	sabotage: Option<Sabotage>,
	/// How fast a miner sends and receives, in bytes per second each.
	#[arg(long, default_value_t = 12_500_000)]
	bandwidth: u64,
	/// How many seeds run at the same time.
	#[arg(long, default_value_t = 1)]
	jobs: usize,
	/// How many threads each of them uses [default: the cores, shared by the seeds that run at the
	/// same time]. The run is the same with any number.
	#[arg(long)]
	threads: Option<usize>,
	/// Print one JSON object per seed instead of a table.
	#[arg(long)]
	json: bool,
	/// Run the first seed with 10,000, 30,000 and 100,000 segments, and print how long each takes and
	/// keeps cores busy.
	#[arg(long, conflicts_with_all = ["seeds", "segments"])]
	scaling: bool,
}

fn coding(text: &str) -> Result<CodingParams, String> {
	text.parse().map_err(|error: planaria_primitives::CodingError| error.to_string())
}

fn faults(text: &str) -> Result<BTreeSet<Fault>, String> {
	match text {
		"all" => Ok(Fault::ALL.into()),
		"none" | "" => Ok(BTreeSet::new()),
		list => list.split(',').map(|name| name.trim().parse()).collect(),
	}
}

fn main() -> ExitCode {
	match simulate(&Arguments::parse()) {
		Ok(true) => ExitCode::SUCCESS,
		Ok(false) => ExitCode::from(1),
		Err(error) => {
			eprintln!("error: {error:#}");
			ExitCode::from(2)
		},
	}
}

/// Whether every run was good.
fn simulate(arguments: &Arguments) -> anyhow::Result<bool> {
	let config = Config {
		miners: arguments.miners,
		segments: arguments.segments,
		days: arguments.days,
		coding: arguments.coding,
		faults: faults(&arguments.faults).map_err(anyhow::Error::msg)?,
		bandwidth: arguments.bandwidth,
		sabotage: arguments.sabotage,
		..Config::default()
	};
	let first = arguments.first_seed;
	let mut runs: Vec<Config> =
		(0..arguments.seeds).map(|n| Config { seed: first + n, ..config.clone() }).collect();
	if arguments.scaling {
		let sizes = [10_000, 30_000, 100_000];
		runs = sizes.map(|segments| Config { seed: first, segments, ..config.clone() }).into();
	}
	let jobs = arguments.jobs.clamp(1, runs.len().max(1));
	let cores = thread::available_parallelism().map_or(1, usize::from);
	let threads = arguments.threads.unwrap_or(cores / jobs).max(1);
	for run in &mut runs {
		run.threads = threads;
		run.check()?;
	}
	let waiting = Mutex::new(runs.into_iter());
	let results = Mutex::new(Vec::new());
	thread::scope(|scope| {
		for _ in 0..jobs {
			scope.spawn(|| {
				loop {
					let next = waiting.lock().unwrap_or_else(|error| error.into_inner()).next();
					let Some(config) = next else { break };
					let report = run(&config);
					if let Ok(report) = &report {
						print(report, arguments.json);
					}
					let outcome = report.map(|report| (report.is_good(), report));
					results.lock().unwrap_or_else(|error| error.into_inner()).push(outcome);
				}
			});
		}
	});
	let mut good = true;
	let mut costs = Vec::new();
	for outcome in results.into_inner().unwrap_or_else(|error| error.into_inner()) {
		let (is_good, report) = outcome?;
		good &= is_good;
		let secs = report.cpu_secs.unwrap_or(report.wall_secs);
		costs.push((report.config.segments, report.wall_secs, secs));
	}
	if arguments.scaling && !arguments.json {
		costs.sort_by_key(|(segments, ..)| *segments);
		for (segments, wall, secs) in costs {
			println!(
				"{segments:>7} segments: {wall:.1} s, {secs:.1} s on a core, {:.2} ms each",
				secs * 1e3 / f64::from(segments)
			);
		}
	}
	Ok(good)
}

fn print(report: &Report, json: bool) {
	if json {
		println!("{}", serde_json::to_string(report).expect("plain figures; qed"));
	} else {
		println!("{report}");
	}
}
