// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How long it takes a miner to find all that a dead one held, on a chain of a million segments.
//!
//! The state is in a database as the node has it, opened anew; the finder and its reads are the
//! node's. Everything a miner of a small network reads is read: all classes, every file, with the
//! pauses between pages. Prints a table, or with `--json` one object per line; fails where a
//! fragment is not found. `--segments N` takes another number of segments.

#[allow(dead_code)] // it reads pages only
#[path = "../src/miner/native.rs"]
mod native;

use codec::Encode;
use frame_support::storage::StoragePrefixedMap;
use pallet_planaria_files::Segments;
use planaria_engine::{
	FileRow, MinerRow, Throttle,
	logic::{CAPACITY, Conditions, Finder, FinderConfig, Read, SCAN_PAGE},
};
use planaria_primitives::{
	CodingParams, FileIndex, MAX_FRAGMENT_LEN, MinerId, Segment, SegmentId, segment::bit,
};
use planaria_runtime::{Block, Hash, Header, Runtime};
use planaria_runtime_api::MinerStanding;
use sc_client_api::{
	Backend as _, BlockImportOperation, HeaderBackend, NewBlockState, TrieCacheContext,
};
use sc_client_db::{Backend, BlocksPruning, DatabaseSettings, DatabaseSource, PruningMode};
use serde_json::json;
use sp_core::storage::{StateVersion, Storage};
use sp_runtime::traits::{HashingFor, Header as _};
use std::{
	collections::BTreeSet,
	path::Path,
	process::Command,
	time::{Duration, Instant},
};

/// Fragments of a segment.
const FRAGMENTS: u8 = 12;

/// Segments of a file.
const PER_FILE: u64 = 32;

/// Miners; each holds 12/100 of a fragment of every segment.
const MINERS: u32 = 100;

/// The one that is dead.
const DEAD: MinerId = MinerId(7);

fn main() {
	let arguments: Vec<String> = std::env::args().collect();
	let value = |name: &str| {
		let at = arguments.iter().position(|argument| argument == name)?;
		arguments.get(at + 1)
	};
	let segments = value("--segments").map_or(1_000_000, |n| n.parse().expect("a number"));
	match (value("--build"), value("--find")) {
		(Some(path), _) => build(Path::new(path), segments),
		(_, Some(path)) => find(Path::new(path), segments),
		_ => {
			let dir = tempfile::tempdir().expect("a temporary directory");
			// Each in a process of its own, so that peak memory is that of the search alone.
			let path = dir.path().join("db");
			run("--build", &path, segments);
			let found = run("--find", &path, segments);
			print(&found, segments, arguments.iter().any(|argument| argument == "--json"));
		},
	}
}

fn run(what: &str, path: &Path, segments: u64) -> String {
	let output = Command::new(std::env::current_exe().expect("this program"))
		.args([what.as_ref(), path.as_os_str()])
		.args(["--segments", &segments.to_string()])
		.stderr(std::process::Stdio::inherit())
		.output()
		.expect("this program starts");
	assert!(output.status.success(), "{what} failed");
	String::from_utf8(output.stdout).expect("text")
}

fn open(path: &Path) -> Backend<Block> {
	let settings = DatabaseSettings {
		trie_cache_maximum_size: Some(64 << 20),
		state_pruning: Some(PruningMode::blocks_pruning(256)),
		source: DatabaseSource::ParityDb { path: path.into() },
		blocks_pruning: BlocksPruning::KeepFinalized,
		pruning_filters: Vec::new(),
		metrics_registry: None,
	};
	Backend::new(settings, 4096).expect("the database opens")
}

/// The holders of a segment: miners that follow each other, so that each holds as much.
fn segment(id: u64) -> Segment {
	let mut segment = Segment::unplaced(FileIndex(id / PER_FILE), FRAGMENTS);
	let first = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
	for index in 0..FRAGMENTS {
		let miner = (first + u64::from(index)) % u64::from(MINERS);
		segment.holders.set(index, MinerId(u32::try_from(miner).expect("below 100")));
		segment.confirmed |= bit(index);
	}
	segment
}

/// A database whose only block has these segments in its state.
fn build(path: &Path, segments: u64) {
	std::fs::create_dir_all(path).expect("a directory");
	let prefix = Segments::<Runtime>::final_prefix();
	let mut storage = Storage::default();
	for id in 0..segments {
		let key = [&prefix[..], &SegmentId(id).encode()].concat();
		storage.top.insert(key, segment(id).encode());
	}
	let backend = open(path);
	let mut operation = backend.begin_operation().expect("a database");
	let root = operation.set_genesis_state(storage, true, StateVersion::V1).expect("a trie");
	let hash = Hash::default();
	let header = Header::new(0, hash, root, hash, Default::default());
	operation
		.set_block_data(header, Some(Vec::new()), None, None, NewBlockState::Final, true)
		.expect("a block");
	backend.commit_operation(operation).expect("written");
}

/// Finds what the dead miner held and prints how long it took.
fn find(path: &Path, segments: u64) {
	let backend = open(path);
	let block = backend.blockchain().info().finalized_hash;
	let config = FinderConfig {
		capacity: CAPACITY,
		lazy_max: 14_400,
		pass_every: Duration::from_secs(3600),
		pass_pause: Duration::from_secs(60),
		shelve_for: Duration::from_secs(900),
	};
	let held = (0..segments).filter(|id| segment(*id).index_of(DEAD).is_some()).count();
	// It holds nothing itself, so everything can be a candidate, and it is responsible for all
	// classes, as everybody is in a network of up to 40.
	let me = MinerId(MINERS);
	let rows = [row(DEAD, held), row(me, 0)];

	let pause = Throttle::default().limits(1, 0).scan_pause;
	let started = Instant::now();
	let mut finder = Finder::new(me, config);
	finder.observe(&rows, 1, segments);
	while let Some(read) = finder.next(started.elapsed()) {
		let state = backend.state_at(block, TrieCacheContext::Untrusted).expect("a state");
		match &read {
			Read::Orders { .. } => finder.read_orders(Vec::new(), true),
			Read::Class { class, after } => {
				let prefix = Segments::<Runtime>::final_prefix();
				let page = native::page::<_, HashingFor<Block>, _, _>(
					&state,
					&prefix,
					&[*class],
					after.as_ref(),
					SCAN_PAGE,
				)
				.expect("the state is whole");
				let last = page.len() < SCAN_PAGE as usize;
				finder.read_class(*class, page, last);
			},
			Read::Files(files) => {
				let file = |file: &FileIndex| {
					let first_segment = SegmentId(file.0 * PER_FILE);
					let size = PER_FILE * 4 * u64::from(MAX_FRAGMENT_LEN);
					let coding = CodingParams::STANDARD;
					(*file, Some(FileRow { size, coding, first_segment, alive: true }))
				};
				finder.read_files(files.iter().map(file).collect::<Vec<_>>());
			},
			Read::Segments(_) | Read::List { .. } => unreachable!("nothing of the kind is there"),
		}
		std::thread::sleep(pause);
	}
	let seconds = started.elapsed().as_secs_f64();
	let found = finder.worklist().held(finder.targets()).get(&DEAD).copied().unwrap_or(0);
	assert_eq!(found as usize, held, "not all fragments were found");

	let planning = Instant::now();
	let conditions = Conditions { tick: 20_000, lazy_max: 14_400, braked: false };
	let candidates = finder.candidates(conditions, &BTreeSet::new(), started.elapsed());
	assert!(!candidates.is_empty(), "what has waited for long enough is due");
	let planning = planning.elapsed().as_secs_f64() * 1000.0;
	println!("{}", json!([seconds, found, planning, peak()]));
}

fn row(miner: MinerId, held: usize) -> MinerRow {
	MinerRow {
		miner,
		standing: if miner == DEAD { MinerStanding::Absent } else { MinerStanding::Serving },
		since: 1,
		absent: (miner == DEAD).then_some(1),
		last_seen: 0,
		fragments: u32::try_from(held).unwrap_or(u32::MAX),
		idle: false,
	}
}

/// The most memory that this process had, in MiB.
fn peak() -> u64 {
	let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
	let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
	let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
	kib.unwrap_or(0) / 1024
}

fn print(found: &str, segments: u64, json: bool) {
	let (seconds, found, planning, peak): (f64, u64, f64, u64) =
		serde_json::from_str(found).expect("what was printed");
	let size = match segments {
		1_000_000 => "1M".into(),
		other => other.to_string(),
	};
	let name = |of: &str| format!("restore/find-{size}-segments{of}");
	let rounded = |value: f64| (value * 10.0).round() / 10.0;
	let rows = [
		(name(""), rounded(seconds), "s", Some(120.0)),
		(name("-rate"), (segments as f64 / seconds).round(), "segments/s", None),
		(name("-found"), found as f64, "fragments", None),
		(name("-plan"), rounded(planning), "ms", None),
		(name("-memory"), peak as f64, "MiB", None),
	];
	for (name, value, unit, goal) in rows {
		let met = goal.is_none_or(|goal| value <= goal);
		if json {
			let row = json!({ "name": name, "value": value, "unit": unit, "baseline": null,
				"ratio": null, "goal": goal, "met": met });
			println!("{row}");
		} else {
			println!("{name}\t{value}\t{unit}\t{}", if met { "yes" } else { "NO" });
		}
	}
}
