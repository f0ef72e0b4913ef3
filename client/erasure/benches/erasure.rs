// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast files are coded and proofs are checked, on one core, and how long proofs are.
//!
//! Prints a table, or with `--json` one object per line. Every time is the median of several runs
//! within this process, those of a figure and of its baseline alternating.

use planaria_erasure::{Coder, EncodedSegment, Sibling};
use planaria_primitives::{
	CHUNK_LEN, CodingParams, FileSpec, FragmentHash, FragmentProof, Hash, MAX_FRAGMENT_LEN,
	MAX_SEGMENTS, Sidecar,
	commitment::{file_tree, segment_tree},
	file_id,
};
use reed_solomon_erasure::galois_8::ReedSolomon;
use serde_json::json;
use std::{hint::black_box, time::Instant};

fn main() {
	let report = Report { json: std::env::args().any(|argument| argument == "--json") };
	report.head();
	encode(&report);
	reconstruct(&report);
	restore(&report);
	for (n, coding) in [
		(3, CodingParams::LEAN),
		(12, CodingParams::STANDARD),
		(64, CodingParams::bitdust(64).expect("valid")),
	] {
		proof(&report, n, coding);
	}
}

/// A segment of 4+8 in memory becomes 12 fragments of 8 MiB, each hashed, and before it the same
/// by `reed-solomon-erasure` as its documentation says, hashing after.
fn encode(report: &Report) {
	let coding = CodingParams::STANDARD;
	let len = coding.segment_capacity();
	let spec = FileSpec::new(len, coding).expect("valid");
	let coder = Coder::new(spec);
	let file = content(len);
	let mut segment = EncodedSegment::default();
	let ours = || {
		let read = coder.segments(&file[..]).read_into(&mut segment);
		assert!(read.expect("the file is as long as it says"));
		black_box(segment.hashes());
	};

	let rs = ReedSolomon::new(4, 8).expect("valid");
	let source: Vec<&[u8]> = file.chunks(MAX_FRAGMENT_LEN as usize).collect();
	let mut parity = vec![vec![0; MAX_FRAGMENT_LEN as usize]; 8];
	let reference = || {
		rs.encode_sep(&source, &mut parity).expect("all of one length");
		for fragment in source.iter().copied().chain(parity.iter().map(Vec::as_slice)) {
			black_box(FragmentHash::of(fragment));
		}
	};

	let (ours, reference) = medians(9, ours, reference);
	let gigabytes = len as f64 / 1e9;
	let (value, baseline) = (gigabytes / ours, gigabytes / reference);
	report.row(Row {
		name: "erasure/encode-4+8",
		value,
		unit: "GB/s of source",
		baseline: Some(baseline),
		goal: has_gfni().then_some((">= 1.2", value >= 1.2)),
	});
	let ratio = value / baseline;
	report.row(Row {
		name: "erasure/encode-4+8-speedup",
		value: ratio,
		unit: "times",
		baseline: None,
		goal: Some((">= 10", ratio >= 10.0)),
	});
}

/// A source fragment that is lost is made from three others and a parity fragment.
fn reconstruct(report: &Report) {
	let coding = CodingParams::STANDARD;
	let len = coding.segment_capacity();
	let coder = Coder::new(FileSpec::new(len, coding).expect("valid"));
	let segment = coder.encode(0, &content(len)).expect("a whole segment");
	let present: Vec<_> = (0..).zip(segment.fragments()).skip(1).take(4).collect();

	let rs = ReedSolomon::new(4, 8).expect("valid");
	let mut shards: Vec<Option<Vec<u8>>> = vec![None; 12];
	for (index, bytes) in &present {
		shards[usize::from(*index)] = Some(bytes.to_vec());
	}
	let ours = || {
		black_box(coder.reconstruct(0, &present, &[0]).expect("four are present"));
	};
	let reference = || {
		rs.reconstruct_data(&mut shards).expect("four are present");
		black_box(shards[0].take());
	};
	let (ours, reference) = medians(15, ours, reference);
	let gigabytes = len as f64 / 1e9;
	let value = gigabytes / ours;
	report.row(Row {
		name: "erasure/reconstruct-1-of-4+8",
		value,
		unit: "GB/s read",
		baseline: Some(gigabytes / reference),
		goal: Some((">= 5", value >= 5.0)),
	});
}

/// A fragment is restored with its proof from four others, one of them that beside it. The baseline
/// makes and hashes all of the segment.
fn restore(report: &Report) {
	let coding = CodingParams::STANDARD;
	let len = coding.segment_capacity();
	let coder = Coder::new(FileSpec::new(len, coding).expect("valid"));
	let file = content(len);
	let commitment = coder.commit(&file[..]).expect("as long as it says");
	let segment = coder.encode(0, &file).expect("a whole segment");
	let present: Vec<_> = (0..).zip(segment.fragments()).skip(1).take(4).collect();
	let sidecars: Vec<_> = present
		.iter()
		.map(|(index, _)| commitment.sidecar(&segment, *index).expect("one of them"))
		.collect();
	let siblings: Vec<_> = present
		.iter()
		.zip(&sidecars)
		.map(|(&(index, bytes), sidecar)| {
			let hash = segment.hashes()[usize::from(index)];
			Sibling { index, bytes, hash, sidecar }
		})
		.collect();
	let ours = || {
		black_box(coder.restore_some(commitment.id(), 0, &siblings, &[0]).expect("enough"));
	};
	let reference = || {
		let all = coder.restore(commitment.id(), 0, &present, &sidecars[0]);
		black_box(all.expect("enough"));
	};
	let (ours, reference) = medians(9, ours, reference);
	let gigabytes = len as f64 / 1e9;
	report.row(Row {
		name: "erasure/restore-1-of-4+8",
		value: gigabytes / ours,
		unit: "GB/s read",
		baseline: Some(gigabytes / reference),
		goal: None,
	});
}

/// The longest proof of a segment of this coding: of a whole fragment, in the largest file.
fn proof(report: &Report, n: u8, coding: CodingParams) {
	assert_eq!(coding.fragments(), n);
	let size = coding.segment_capacity() * u64::from(MAX_SEGMENTS);
	let spec = FileSpec::new(size, coding).expect("valid");
	let other = |number: u32| -> Hash { *blake3::hash(&number.to_le_bytes()).as_bytes() };

	let fragment = content(u64::from(MAX_FRAGMENT_LEN));
	let (segment, index, chunk) = (MAX_SEGMENTS / 3, 0, MAX_FRAGMENT_LEN / CHUNK_LEN / 3);
	let mut hashes: Vec<_> = (0..u32::from(n)).map(|i| FragmentHash(other(i))).collect();
	hashes[usize::from(index)] = FragmentHash::of(&fragment);
	let in_segment = segment_tree(&hashes).expect("not empty");
	let mut roots: Vec<_> = (0..MAX_SEGMENTS).map(other).collect();
	roots[segment as usize] = in_segment.root();
	let in_file = file_tree(&roots).expect("not empty");
	let id = file_id(&spec, &in_file.root());
	let sidecar = Sidecar::new(&in_segment, index, &in_file, segment).expect("there is one");
	let proof = FragmentProof::new(&fragment, chunk, &sidecar).expect("there is such a chunk");

	let bytes = proof.0.len();
	report.row(Row {
		name: &format!("proof/size-n{n}"),
		value: bytes as f64,
		unit: "bytes",
		baseline: None,
		goal: Some(("<= 2300", bytes <= 2300)),
	});
	if n < 64 {
		return;
	}
	let times = 1000;
	let (verify, _) = medians(
		15,
		|| {
			for _ in 0..times {
				black_box(&proof)
					.verify(&id, &spec, segment, index, chunk)
					.expect("the proof is true");
			}
		},
		|| (),
	);
	report.row(Row {
		name: "proof/verify-native",
		value: verify / f64::from(times) * 1e6,
		unit: "us",
		baseline: None,
		goal: None,
	});
}

/// The median times of two things in seconds, done in turns after once each to warm up.
fn medians(runs: usize, mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
	fn seconds(run: &mut impl FnMut()) -> f64 {
		let start = Instant::now();
		run();
		start.elapsed().as_secs_f64()
	}
	seconds(&mut first);
	seconds(&mut second);
	let (mut firsts, mut seconds): (Vec<_>, Vec<_>) =
		(0..runs).map(|_| (seconds(&mut first), seconds(&mut second))).unzip();
	let median = |times: &mut Vec<f64>| {
		times.sort_by(f64::total_cmp);
		times[runs / 2]
	};
	(median(&mut firsts), median(&mut seconds))
}

fn content(len: u64) -> Vec<u8> {
	let mut bytes = vec![0; usize::try_from(len).expect("memory-sized")];
	blake3::Hasher::new().update(b"planaria bench").finalize_xof().fill(&mut bytes);
	bytes
}

fn has_gfni() -> bool {
	#[cfg(target_arch = "x86_64")]
	return std::arch::is_x86_feature_detected!("gfni");
	#[cfg(not(target_arch = "x86_64"))]
	false
}

struct Report {
	json: bool,
}

struct Row<'a> {
	name: &'a str,
	value: f64,
	unit: &'a str,
	baseline: Option<f64>,
	/// What is to be reached, and whether it is.
	goal: Option<(&'a str, bool)>,
}

impl Report {
	fn head(&self) {
		if !self.json {
			println!(
				"{:<30} {:>9}  {:<14} {:>9} {:>7}  {:<22} met",
				"name", "value", "unit", "baseline", "ratio", "goal"
			);
		}
	}

	fn row(&self, row: Row) {
		let Row { name, value, unit, baseline, goal } = row;
		let ratio = baseline.map(|baseline| value / baseline);
		let (goal, met) = goal.unzip();
		if self.json {
			let round = |number: f64| (number * 1000.0).round() / 1000.0;
			let (value, baseline, ratio) = (round(value), baseline.map(round), ratio.map(round));
			println!(
				"{}",
				json!({
					"name": name, "value": value, "unit": unit, "baseline": baseline,
					"ratio": ratio, "goal": goal, "met": met,
				})
			);
		} else {
			let number = |number: Option<f64>| number.map_or("".into(), |n| format!("{n:.2}"));
			let met = met.map_or("", |met| if met { "yes" } else { "NO" });
			println!(
				"{name:<30} {value:>9.2}  {unit:<14} {:>9} {:>7}  {:<22} {met}",
				number(baseline),
				number(ratio),
				goal.unwrap_or(""),
			);
		}
	}
}
