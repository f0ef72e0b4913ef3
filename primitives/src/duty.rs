// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a miner signs when it does what the chain asked of it.

use crate::{Hash, MinerId};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Something the chain asks of a miner. The position is part of the signed bytes and of storage.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum DutyKind {
	/// Confirm fragments that were put.
	#[codec(index = 0)]
	Confirm,
	/// Say that the miner is there.
	#[codec(index = 1)]
	Alive,
	/// Declare restored fragments ready to be proven.
	#[codec(index = 2)]
	Ready,
	/// Prove a sample of what was declared ready.
	#[codec(index = 3)]
	Report,
	/// Answer a challenge.
	#[codec(index = 4)]
	Answer,
}

impl DutyKind {
	/// How many kinds there are.
	pub const COUNT: usize = 5;
}

/// The domain of a duty's signature.
pub const DUTY_DOMAIN: &[u8] = b"planaria duty 1";

/// A duty call is refused when its anchor is this many blocks old or older.
pub const MAX_ANCHOR_AGE: u32 = 64;

/// The bytes a miner's hot key signs for a duty call: the domain, the hash of the block that the
/// duty is anchored to (chain, fork and age), who does what, and the items as they are encoded in
/// the call.
pub fn signed_bytes(anchor: &Hash, miner: MinerId, kind: DutyKind, items: &impl Encode) -> Vec<u8> {
	(DUTY_DOMAIN, anchor, miner, kind, items).encode()
}

/// The domain of the two signatures with which a miner's keys agree to its registration.
pub const REGISTER_DOMAIN: &[u8] = b"planaria register 1";

/// The bytes that a miner's hot key (sr25519) and its endpoint key (ed25519) sign to be registered
/// by `stash` on the chain with this genesis.
pub fn registration_bytes(genesis: &Hash, stash: &[u8; 32]) -> Vec<u8> {
	(REGISTER_DOMAIN, genesis, stash).encode()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_signed_bytes_are_these() {
		let bytes = signed_bytes(&[7; 32], MinerId(2), DutyKind::Ready, &(1u8, 2u8));
		let mut expected = alloc::vec![15 << 2];
		expected.extend(b"planaria duty 1");
		expected.extend([7; 32]);
		expected.extend([2, 0, 0, 0, 2, 1, 2]);
		assert_eq!(bytes, expected);
	}
}
