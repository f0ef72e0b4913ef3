// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The test vectors of `docs/format.md`: made here, kept in `vectors.json`, shown in the text.
//!
//! `UPDATE_VECTORS=1 cargo test -p planaria-erasure --test vectors` writes both anew. That is to
//! change the format: nothing stored or signed before can be read after.

use codec::Encode;
use planaria_erasure::{Coder, Commitment, EncodedSegment};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentName,
	FragmentProof, Hash, MinerId, Segment, SegmentId,
	commitment::{file_tree, segment_tree},
	duty::{DutyKind, registration_bytes, signed_bytes},
	mailbox::{self, Chore, Done, Healed, Job, JobKind, ProofItem, Proofs, Wanted},
	sampling,
	segment::bit,
};
use std::{collections::BTreeMap, env, fs, io::Read, path::PathBuf};

/// The content of every file here: its extended output.
const CONTENT: &[u8] = b"planaria test vector";

/// A part of the vectors: its name, and names and values in the order of the text.
type Part = (String, Vec<(String, String)>);

#[test]
fn the_vectors_are_these_and_the_text_shows_them() {
	let parts = parts();
	let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs it"));
	let (json_path, text_path) =
		(root.join("tests/vectors.json"), root.join("../../docs/format.md"));
	let json: BTreeMap<&str, BTreeMap<&str, &str>> = parts
		.iter()
		.map(|(name, lines)| {
			(name.as_str(), lines.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect())
		})
		.collect();
	let text = fs::read_to_string(&text_path).expect("docs/format.md is there");
	if env::var_os("UPDATE_VECTORS").is_some() {
		let json = serde_json::to_string_pretty(&json).expect("strings only");
		fs::write(&json_path, json + "\n").expect("writable");
		fs::write(&text_path, with_blocks(&text, &parts)).expect("writable");
		return;
	}
	let kept = fs::read_to_string(&json_path).expect("vectors.json is there");
	let kept: BTreeMap<&str, BTreeMap<&str, &str>> =
		serde_json::from_str(&kept).expect("it is what is written here");
	assert_eq!(kept, json, "the format changed");
	for (name, lines) in &parts {
		let block = block(name, lines);
		assert!(text.contains(&block), "docs/format.md does not show:\n{block}");
	}
}

/// A part as it stands in the text.
fn block(name: &str, lines: &[(String, String)]) -> String {
	let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
	format!("{}{lines}```\n", block_head(name))
}

fn block_head(name: &str) -> String {
	format!("```yaml\n# {name}\n")
}

/// The text with each part's block in place of the one that is there.
fn with_blocks(text: &str, parts: &[Part]) -> String {
	parts.iter().fold(text.to_owned(), |text, (name, lines)| {
		let head = block_head(name);
		let (before, rest) =
			text.split_once(&head).unwrap_or_else(|| panic!("no block for {name}"));
		let (_, after) = rest.split_once("```\n").expect("the block ends");
		[before, &block(name, lines), after].concat()
	})
}

fn parts() -> Vec<Part> {
	let lean = CodingParams::LEAN;
	let segment = lean.segment_capacity();
	let mut parts = vec![code(), trees(), asked_for(), signed(), records(), mailbox()];
	for (name, size, coding) in [
		("1 byte", 1, lean),
		("63 bytes", 63, lean),
		("one chunk", 1024, lean),
		("one chunk and a byte", 1025, lean),
		("fragments of one chunk", 2048, lean),
		("fragments of one chunk and a byte more", 2049, lean),
		("one segment less a byte", segment - 1, lean),
		("one segment", segment, lean),
		("one segment and a byte", segment + 1, lean),
		("two segments", 2 * segment, lean),
		("standard", 1_000_000, CodingParams::STANDARD),
		("64 fragments", 100_000, CodingParams::bitdust(64).expect("valid")),
	] {
		parts.push((name.into(), file(size, coding)));
	}
	parts
}

fn line(name: impl Into<String>, value: impl ToString) -> (String, String) {
	(name.into(), value.to_string())
}

fn bytes(name: impl Into<String>, value: impl AsRef<[u8]>) -> (String, String) {
	line(name, hex::encode(value))
}

fn content(len: u64) -> impl Read {
	blake3::Hasher::new().update(CONTENT).finalize_xof().take(len)
}

fn file(size: u64, coding: CodingParams) -> Vec<(String, String)> {
	let spec = FileSpec::new(size, coding).expect("valid");
	let coder = Coder::new(spec);
	let mut lines = vec![
		line("size", size),
		line("data", coding.data),
		line("parity", coding.parity),
		line("segments", spec.segments()),
	];
	let commitment = coder.commit(content(size)).expect("readable");
	let mut segments = coder.segments(content(size)).expecting(&commitment);
	let mut segment = EncodedSegment::default();
	while segments.read_into(&mut segment).expect("the same") {
		let number = segment.number();
		lines.push(line(format!("fragment_len {number}"), segment.fragment_len()));
		for (index, hash) in segment.hashes().iter().enumerate() {
			// Of 64 fragments the first and last source and parity fragments.
			if spec.fragments() < 64 || [0, 31, 32, 63].contains(&index) {
				lines.push(line(format!("fragment {number} {index}"), hash));
			}
		}
		lines.push(bytes(format!("segment_root {number}"), segment.root().expect("encoded")));
	}
	lines.push(bytes("file_root", file_tree(commitment.segment_roots()).expect("some").root()));
	lines.push(line("file_id", commitment.id()));
	lines.extend(proof(&commitment, &segment));
	lines
}

/// The sidecar of the last fragment and the proof of its last chunk.
fn proof(commitment: &Commitment, segment: &EncodedSegment) -> [(String, String); 3] {
	let (spec, number) = (commitment.spec(), segment.number());
	let (index, chunk) = (spec.fragments() - 1, spec.chunks(number) - 1);
	let sidecar = commitment.sidecar(segment, index).expect("there is one");
	let fragment = segment.fragment(index).expect("there is one");
	let proof = FragmentProof::new(fragment, chunk, &sidecar).expect("there is such a chunk");
	assert_eq!(proof.verify(commitment.id(), spec, number, index, chunk), Ok(()));
	let name = format!("{number} {index}");
	[
		bytes(format!("sidecar {name}"), &sidecar.0),
		line(format!("proof_len {name} {chunk}"), proof.0.len()),
		line(format!("proof_blake3 {name} {chunk}"), blake3::hash(&proof.0)),
	]
}

fn code() -> Part {
	let product = |a, b| bytes(format!("{a:02x} * {b:02x}"), [rs_mul(a, b)]);
	let mut lines = vec![product(0x02, 0x80), product(0x53, 0xca), product(0xff, 0xff)];
	for coding in [
		CodingParams::LEAN,
		CodingParams::copies(3).expect("valid"),
		CodingParams::STANDARD,
		CodingParams::new(5, 2).expect("valid"),
	] {
		for (row, factors) in (coding.data..).zip(parity_rows(coding)) {
			lines.push(bytes(format!("{coding} row {row}"), factors));
		}
	}
	("code".into(), lines)
}

fn rs_mul(a: u8, b: u8) -> u8 {
	reed_solomon_erasure::galois_8::mul(a, b)
}

/// What the parity fragments are when source fragment `i` is 1 at byte `i`, and zero elsewhere.
fn parity_rows(coding: CodingParams) -> Vec<Vec<u8>> {
	let data = usize::from(coding.data);
	let mut source = vec![0; data * 64];
	(0..data).for_each(|i| source[i * 64 + i] = 1);
	let spec = FileSpec::new(source.len() as u64, coding).expect("valid");
	let segment = Coder::new(spec).encode(0, &source).expect("right length");
	segment.fragments().skip(data).map(|fragment| fragment[..data].to_vec()).collect()
}

fn trees() -> Part {
	let leaf = |i: u32| *blake3::hash(&i.to_le_bytes()).as_bytes();
	let mut lines = Vec::new();
	for count in [1, 2, 3, 5, 12, 64] {
		let fragments: Vec<_> = (0..count).map(|i| FragmentHash(leaf(i))).collect();
		let roots: Vec<Hash> = (0..count).map(leaf).collect();
		let in_segment = segment_tree(&fragments).expect("not empty");
		let in_file = file_tree(&roots).expect("not empty");
		lines.push(bytes(format!("segment_tree {count}"), in_segment.root()));
		lines.push(bytes(format!("file_tree {count}"), in_file.root()));
		if count == 5 {
			for index in [0, 4] {
				let path = in_file.path(index).expect("there is one").into_flattened();
				lines.push(bytes(format!("file_path 5 {index}"), path));
			}
		}
	}
	("trees".into(), lines)
}

fn asked_for() -> Part {
	let seed = *blake3::hash(b"seed").as_bytes();
	let mut lines = vec![bytes("seed", seed)];
	for (len, always) in [(5, 0), (9, 0), (40, 0), (40, bit(39)), (64, 0)] {
		let chosen = sampling::positions(&seed, len, always);
		lines.push(line(format!("positions {len} {always:016x}"), format!("{chosen:016x}")));
	}
	for chunks in [1, 13, 8192] {
		let chunk = sampling::chunk(&seed, &fragment(), chunks);
		lines.push(line(format!("chunk 7.3 {chunks}"), chunk));
	}
	("sampling".into(), lines)
}

fn fragment() -> FragmentId {
	FragmentId { segment: SegmentId(7), index: 3 }
}

fn name() -> FragmentName {
	FragmentName { file_id: FileId([0x11; 32]), file: FileIndex(5), segment: 2, index: 3 }
}

fn signed() -> Part {
	let anchor = [0x22; 32];
	let ready = signed_bytes(&anchor, MinerId(9), DutyKind::Ready, &vec![fragment()]);
	let alive = signed_bytes(&anchor, MinerId(9), DutyKind::Alive, &());
	let lines = vec![
		bytes("alive", alive),
		bytes("ready", ready),
		bytes("register", registration_bytes(&[0x33; 32], &[0x44; 32])),
	];
	("signed".into(), lines)
}

fn records() -> Part {
	let mut segment = Segment::unplaced(FileIndex(5), 3);
	segment.holders.set(0, MinerId(9));
	segment.holders.set(2, MinerId(0x0102_0304));
	segment.confirmed = bit(0) | bit(2);
	segment.restoring = bit(2);
	let lines = vec![
		bytes("coding", CodingParams::STANDARD.encode()),
		bytes("fragment_id", fragment().encode()),
		bytes("fragment_name", name().encode()),
		bytes("segment", segment.encode()),
		bytes("segment_unplaced_12", Segment::unplaced(FileIndex(1), 12).encode()),
	];
	("records".into(), lines)
}

fn mailbox() -> Part {
	let restore = JobKind::Restore { fragment: fragment(), name: name(), deadline: 1000 };
	let prove = JobKind::Prove { fragment: fragment(), name: name(), chunk: 8191 };
	let jobs: Vec<Job> = vec![restore.into(), prove.into(), Job::Unknown(vec![250, 1])];
	let wanted = Wanted { miner: MinerId(9), height: 77, jobs };
	let proof = FragmentProof(vec![0xaa, 0xbb]);
	let id = |n| FragmentId { segment: SegmentId(n), index: 0 };
	let done = Done {
		stored: vec![id(1)],
		broken: vec![id(2)],
		healed: vec![Healed { fragment: id(3), at: 70, proof: proof.clone() }],
		found: vec![id(4)],
		restored: vec![id(5)],
		hopeless: vec![id(6)],
		declined: vec![id(7)],
		chores: vec![
			Chore::MarkAbsent(MinerId(1)),
			Chore::ExpelAbsent(MinerId(2)),
			Chore::Finish(MinerId(3)),
			Chore::CheckSegment(SegmentId(4)),
			Chore::Tidy(id(5)),
		],
	};
	let proofs = Proofs(vec![ProofItem { fragment: fragment(), chunk: 8191, proof }]);
	let lines = vec![
		bytes("proofs_key 2", mailbox::proofs_key(2)),
		bytes("wanted", mailbox::pack(&wanted).expect("fits")),
		bytes("done", mailbox::pack(&done).expect("fits")),
		bytes("proofs", mailbox::pack(&proofs).expect("fits")),
	];
	("mailbox".into(), lines)
}
