// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Attacks on the verifier: nothing but the one right proof answers a challenge.

use super::*;
use crate::{Answer, ChallengeOf};
use codec::{DecodeAll, Encode};
use planaria_primitives::{FragmentHash, FragmentId, FragmentProof};
use proptest::prelude::*;

/// A file whose fragments have sixteen chunks, with fragment 1 of segment 0 challenged.
fn challenged() -> (TestFile, FragmentId, ChallengeOf<Test>) {
	let file = TestFile::new(3, 2 * 16 * 1024, CodingParams::LEAN).store(&[0, 1, 2]);
	let fragment = file.fragment(0, 1);
	named(fragment);
	let challenge = challenge_of(fragment).expect("challenged");
	(file, fragment, challenge)
}

/// Whether the challenge is answered by that. Each wrong proof costs a fee.
fn is_accepted(fragment: FragmentId, proof: FragmentProof) -> bool {
	let wrong = miner(1).wrong;
	answer(1, vec![Answer { fragment, proof }]);
	let open = challenge_of(fragment).is_some();
	assert_eq!(miner(1).wrong - wrong, u32::from(open));
	!open
}

fn assert_refused(fragment: FragmentId, proof: FragmentProof, what: &str) {
	assert!(!is_accepted(fragment, proof), "{what}");
}

#[test]
fn every_other_length_is_refused() {
	execute(|| {
		let (file, fragment, challenge) = challenged();
		let right = file.proof_of(fragment, challenge.chunk);
		for len in 0..right.0.len() {
			let short = FragmentProof(right.0[..len].to_vec());
			assert_refused(fragment, short, "cut off at the end");
		}
		for from in 1..right.0.len() {
			let short = FragmentProof(right.0[from..].to_vec());
			assert_refused(fragment, short, "cut off at the beginning");
		}
		for extra in 1..=64 {
			let mut long = right.clone();
			long.0.resize(long.0.len() + extra, 0);
			assert_refused(fragment, long, "longer");
		}
		let twice = FragmentProof([right.0.clone(), right.0.clone()].concat());
		assert_refused(fragment, twice, "twice the same");
		assert!(is_accepted(fragment, right));
	});
}

#[test]
fn the_path_is_refused_in_any_other_order() {
	execute(|| {
		let (file, fragment, challenge) = challenged();
		let right = file.proof_of(fragment, challenge.chunk);
		let steps = (right.0.len() - 1024) / 32;
		let step = |n: usize| 1024 + 32 * n..1024 + 32 * (n + 1);
		for one in 0..steps {
			for other in 0..one {
				let mut swapped = right.clone();
				let (a, b) = (right.0[step(one)].to_vec(), right.0[step(other)].to_vec());
				swapped.0[step(one)].copy_from_slice(&b);
				swapped.0[step(other)].copy_from_slice(&a);
				assert_refused(fragment, swapped, "two siblings swapped");
			}
			let mut without = right.clone();
			without.0.drain(step(one));
			assert_refused(fragment, without, "a sibling missing");
			let mut doubled = right.clone();
			let sibling = right.0[step(one)].to_vec();
			doubled.0.splice(step(one).start..step(one).start, sibling);
			assert_refused(fragment, doubled, "a sibling twice");
		}
		assert!(is_accepted(fragment, right));
	});
}

#[test]
fn what_proves_something_else_is_refused() {
	execute(|| {
		let (file, fragment, challenge) = challenged();
		let chunk = challenge.chunk;
		for other in (0..16).filter(|other| *other != chunk) {
			assert_refused(fragment, file.proof_of(fragment, other), "another chunk");
		}
		for index in [0, 2] {
			assert_refused(fragment, file.proof(0, index, chunk), "a sibling's");
		}
		let same_size = TestFile::new(4, 2 * 16 * 1024, CodingParams::LEAN);
		assert_refused(fragment, same_size.proof(0, 1, chunk), "another file's");
		let longer = TestFile::new(3, 2 * 17 * 1024, CodingParams::LEAN);
		assert_refused(fragment, longer.proof(0, 1, chunk), "a longer file's");
		let wider = CodingParams::bitdust(4).expect("valid");
		let wider = TestFile::new(3, 2 * 16 * 1024, wider);
		assert_refused(fragment, wider.proof(0, 1, chunk), "another coding's");
		assert!(is_accepted(fragment, file.proof_of(fragment, chunk)));
	});
}

/// ArFleet's verifier accepts an empty path with `left || right` as the leaf: whoever has only two
/// hashes of 32 bytes passes. Here at every level of the way up.
#[test]
fn an_inner_node_is_not_a_chunk() {
	execute(|| {
		let (file, fragment, challenge) = challenged();
		let right = file.proof_of(fragment, challenge.chunk);
		let steps = (right.0.len() - 1024) / 32;
		let sibling = |n: usize| right.0[1024 + 32 * n..1024 + 32 * (n + 1)].to_vec();
		for level in 0..steps {
			// The node above this sibling, shown as bytes of a chunk, in both orders.
			let own = FragmentHash::of(&right.0[..1024]).0.to_vec();
			for leaf in [[sibling(level), own.clone()].concat(), [own, sibling(level)].concat()] {
				let rest: Vec<u8> = (level + 1..steps).flat_map(sibling).collect();
				let mut padded = leaf.clone();
				padded.resize(1024, 0);
				let forgeries =
					[leaf.clone(), [leaf.clone(), rest.clone()].concat(), [padded, rest].concat()];
				for forged in forgeries {
					assert_refused(fragment, FragmentProof(forged), "a node for a leaf");
				}
			}
		}
		assert_refused(fragment, FragmentProof(Vec::new()), "nothing at all");
	});
}

/// The fragment of one chunk has the shortest paths: nothing else is shorter by accident.
#[test]
fn a_fragment_of_one_chunk_is_not_easier() {
	execute(|| {
		let file = TestFile::new(5, 100, CodingParams::copies(2).expect("valid")).store(&[0, 1]);
		let fragment = file.fragment(0, 1);
		named(fragment);
		let right = file.proof_of(fragment, 0);
		// 128 bytes, and one sibling.
		assert_eq!(right.0.len(), 128 + 32);
		for len in 0..right.0.len() {
			assert_refused(fragment, FragmentProof(right.0[..len].to_vec()), "cut off");
		}
		let hash = FragmentHash::of(&right.0[..128]).0.to_vec();
		let sibling = right.0[128..].to_vec();
		assert_refused(fragment, FragmentProof([sibling, hash].concat()), "the segment's root");
		assert!(is_accepted(fragment, right));
	});
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 64, ..Default::default() })]
	#[test]
	fn one_wrong_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u8) {
		execute(|| {
			let (file, fragment, challenge) = challenged();
			let mut proof = file.proof_of(fragment, challenge.chunk);
			let at = at.index(proof.0.len());
			proof.0[at] ^= 1 << bit;
			assert_refused(fragment, proof, "a wrong bit");
		});
	}

	/// Whatever bytes arrive: they are no answers, or refused, and nothing traps.
	#[test]
	fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
		execute(|| {
			let (_, fragment, _) = challenged();
			assert_refused(fragment, FragmentProof(bytes.clone()), "noise");
			if let Ok(answer) = Answer::decode_all(&mut &bytes[..]) {
				assert_eq!(answer.encode(), bytes);
			}
			let call = crate::Call::<Test>::decode_all(&mut &bytes[..]);
			let _ = call.map(|call| {
				use frame_support::traits::UnfilteredDispatchable;
				call.dispatch_bypass_filter(frame_system::RawOrigin::Authorized.into())
			});
		});
	}
}
