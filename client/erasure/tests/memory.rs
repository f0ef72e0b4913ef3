// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The memory that the crate's documentation promises not to exceed, measured.
//!
//! A test program of its own, and one test, because the peak is that of the process.

#![cfg(target_os = "linux")]

use planaria_erasure::{Coder, EncodedSegment, Sibling};
use planaria_primitives::{CodingParams, FileSpec};
use std::{
	env, fs,
	io::{self, Read},
	process::Command,
};

/// Makes glibc return large allocations when they are freed; else later ones would hide in them.
const ALLOCATOR: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "1048576");

/// What tables, hash states and columns may take, and a little for the process itself.
const BESIDES: u64 = (8 + 4) << 20;

const FRAGMENT: u64 = 8 << 20;

/// The value of this line of `/proc/self/status` in bytes.
fn status(name: &str) -> u64 {
	let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
	let line = status.lines().find(|line| line.starts_with(name)).expect("there is the line");
	let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
	kilobytes.expect("a number") << 10
}

/// By how much memory grows at most while this runs.
fn peak(run: impl FnOnce()) -> u64 {
	// Resets the peak.
	fs::write("/proc/self/clear_refs", "5").expect("our own process");
	let before = status("VmRSS");
	run();
	status("VmHWM").saturating_sub(before)
}

#[test]
fn no_more_memory_than_promised() {
	if env::var_os(ALLOCATOR.0).is_none() {
		let again = env::current_exe().expect("this is a program");
		let status = Command::new(again)
			.args(["--exact", "no_more_memory_than_promised", "--nocapture"])
			.env(ALLOCATOR.0, ALLOCATOR.1)
			.status();
		assert!(status.expect("it runs").success());
		return;
	}
	for (data, parity) in [(2, 1), (4, 8), (10, 4), (1, 63), (32, 32), (63, 1)] {
		let coding = CodingParams::new(data, parity).expect("valid");
		let n = u64::from(coding.fragments());
		// Two whole segments and a piece.
		let size = 2 * coding.segment_capacity() + 1000;
		let spec = FileSpec::new(size, coding).expect("valid");
		let coder = Coder::new(spec);
		let file = || io::repeat(0xa5).take(size);
		let within = |what: &str, used: u64, bound: u64| {
			let (used_mib, bound_mib) = (used >> 20, bound >> 20);
			println!("{coding} {what}: {used_mib} MiB, at most {bound_mib} MiB");
			assert!(used <= bound, "{coding} {what}: {used_mib} of {bound_mib} MiB");
		};

		let mut commitment = None;
		let used = peak(|| commitment = Some(coder.commit(file()).expect("readable")));
		within("commit", used, u64::from(data) * FRAGMENT + BESIDES);
		let commitment = commitment.expect("just made");

		let used = peak(|| {
			let mut segments = coder.segments(file()).expecting(&commitment);
			let mut segment = EncodedSegment::default();
			while segments.read_into(&mut segment).expect("the same file") {}
		});
		within("segments", used, n * FRAGMENT + BESIDES);

		let segment = coder.segments(file()).next().expect("there is one").expect("readable");
		let sidecar = commitment.sidecar(&segment, 0).expect("there is one");
		let last: Vec<_> = (0..).zip(segment.fragments()).skip(usize::from(parity)).collect();
		let sidecars: Vec<_> = last
			.iter()
			.map(|(index, _)| commitment.sidecar(&segment, *index).expect("there is one"))
			.collect();
		let siblings: Vec<_> = last
			.iter()
			.zip(&sidecars)
			.map(|(&(index, bytes), sidecar)| Sibling {
				index,
				bytes,
				hash: segment.hashes()[usize::from(index)],
				sidecar,
			})
			.collect();
		let used = peak(|| coder.decode(0, &last, &mut io::sink()).expect("enough"));
		within("decode", used, u64::from(data.min(parity)) * FRAGMENT + BESIDES);
		let used = peak(|| drop(coder.reconstruct(0, &last, &[0]).expect("enough")));
		within("reconstruct", used, FRAGMENT + BESIDES);
		let used = peak(|| {
			drop(coder.restore(commitment.id(), 0, &last, &sidecar).expect("of this file"));
		});
		within("restore", used, n * FRAGMENT + BESIDES);
		let used = peak(|| {
			let restored = coder.restore_some(commitment.id(), 0, &siblings, &[0]);
			drop(restored.expect("of this file"));
		});
		within("restore some", used, FRAGMENT + BESIDES);
	}
}
