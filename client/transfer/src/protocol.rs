// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What goes over the wire.
//!
//! A connection speaks [`ALPN`] over QUIC, whose TLS proves each side's ed25519 key. Only the
//! client opens streams, all of them bidirectional. A message is a frame: its length as `u32`,
//! little-endian, at most [`MAX_FRAME`], then that many bytes of SCALE, all of them used.
//!
//! The first stream is the handshake: the client sends a [`Hello`], the server answers with its
//! own. Where version or genesis differ, both close the connection with [`close::WRONG_VERSION`] or
//! [`close::WRONG_GENESIS`].
//!
//! Every further stream is one [`Request`] and its answer:
//!
//! ```text
//! Get   -> GetAnswer, if Found: BAO stream of the range, end of stream
//! Put   -> PutAnswer; if Accepted: client's BAO stream from the offset, end of stream -> PutDone
//! List  -> ListAnswer
//! ```
//!
//! The BAO stream of a range is that of `bao-tree` with chunk groups of 16 KiB and without a length
//! prefix: in pre-order, for each node the range touches, the two hashes of its children (64
//! bytes), and at the leaves the group's bytes. A range is rounded outward to whole groups.

// `Encode` casts the indices of variants.
#![allow(clippy::cast_possible_truncation)]

use codec::{Decode, Encode};
use planaria_primitives::{FragmentHash, FragmentName, Sidecar};

/// The protocol's name in TLS.
pub const ALPN: &[u8] = b"planaria/fragment/1";

/// The version inside the handshake.
pub const VERSION: u16 = 1;

/// The longest frame.
pub const MAX_FRAME: u32 = 64 << 10;

/// The most names a page of a list has.
pub const MAX_LIST: u16 = 256;

/// Each side's first message. A decoder reads the version first: the rest may be another version's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Hello {
	/// [`VERSION`].
	pub version: u16,
	/// The chain's genesis hash.
	pub genesis: [u8; 32],
}

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Request {
	/// A fragment's bytes.
	#[codec(index = 0)]
	Get(GetRequest),
	/// To take a fragment.
	#[codec(index = 1)]
	Put(PutOffer),
	/// A page of what the server holds.
	#[codec(index = 2)]
	List(ListRequest),
}

/// Asks for a range of a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct GetRequest {
	/// Which fragment.
	pub name: FragmentName,
	/// The first byte wanted.
	pub start: u32,
	/// Behind the last byte wanted.
	pub end: u32,
}

/// The answer to [`Request::Get`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum GetAnswer {
	/// The range's stream follows.
	#[codec(index = 0)]
	Found {
		/// Which bytes.
		hash: FragmentHash,
		/// How many the whole fragment has.
		len: u32,
		/// Proves the hash up to the file's id.
		sidecar: Sidecar,
	},
	/// The server does not hold it.
	#[codec(index = 1)]
	NotFound,
	/// Too much to do; ask later.
	#[codec(index = 2)]
	Busy,
	/// The server's copy no longer has its hash. It was not sent.
	#[codec(index = 3)]
	Damaged,
	/// The range is empty or ends behind the fragment.
	#[codec(index = 4)]
	BadRange,
	/// The server could not read it.
	#[codec(index = 5)]
	Failed,
}

/// Offers a fragment.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PutOffer {
	/// Which fragment.
	pub name: FragmentName,
	/// Which bytes.
	pub hash: FragmentHash,
	/// How many.
	pub len: u32,
	/// Proves the hash up to the file's id.
	pub sidecar: Sidecar,
}

/// The answer to [`Request::Put`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PutAnswer {
	/// The server holds it already.
	#[codec(index = 0)]
	Have,
	/// Send from this offset on: 0, or where an earlier attempt ended, a multiple of 16 KiB.
	#[codec(index = 1)]
	Accepted {
		/// The first byte wanted.
		offset: u32,
	},
	/// The server has not seen the placement; its best block has this number.
	#[codec(index = 2)]
	NotYet {
		/// The server's best block.
		best: u32,
	},
	/// The fragment is assigned to another miner, or to none.
	#[codec(index = 3)]
	NotAssigned {
		/// The block at which that holds.
		at: u32,
	},
	/// Too much to do; ask later.
	#[codec(index = 4)]
	Busy,
	/// There is no room.
	#[codec(index = 5)]
	Full,
	/// The offer is wrong.
	#[codec(index = 6)]
	Refused(Refusal),
}

/// What is wrong with an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Refusal {
	/// A fragment of this segment has another length.
	#[codec(index = 0)]
	WrongLength,
	/// The sidecar does not lead from the hash to the file's id.
	#[codec(index = 1)]
	WrongSidecar,
	/// The server does not take it, for example because the file is being deleted.
	#[codec(index = 2)]
	Unwanted,
	/// The server could not open its store.
	#[codec(index = 3)]
	Failed,
}

/// How a put's stream ended at the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PutDone {
	/// It is on disk.
	#[codec(index = 0)]
	Stored,
	/// A byte of the group at this offset, or of a hash above it, is wrong. What came before is
	/// kept.
	#[codec(index = 1)]
	WrongBytes {
		/// The group's first byte.
		offset: u32,
	},
	/// The disk became full.
	#[codec(index = 2)]
	Full,
	/// The disk failed.
	#[codec(index = 3)]
	Failed,
	/// The client was too slow.
	#[codec(index = 4)]
	Stalled,
}

/// Asks for a page of names, in the server's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ListRequest {
	/// The last name of the page before.
	pub after: Option<FragmentName>,
	/// At most this many, at most [`MAX_LIST`].
	pub limit: u16,
}

/// The answer to [`Request::List`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ListAnswer {
	/// A page; an empty one is behind the last.
	#[codec(index = 0)]
	Names(Vec<FragmentName>),
	/// Too much to do; ask later.
	#[codec(index = 1)]
	Busy,
	/// The server could not read its store.
	#[codec(index = 2)]
	Failed,
}

/// Why a connection is closed.
pub mod close {
	use iroh::endpoint::VarInt;

	/// Nothing more to do.
	pub const DONE: VarInt = VarInt::from_u32(0);
	/// The sides speak different versions.
	pub const WRONG_VERSION: VarInt = VarInt::from_u32(1);
	/// The sides belong to different chains.
	pub const WRONG_GENESIS: VarInt = VarInt::from_u32(2);
	/// The peer has too many connections.
	pub const BUSY: VarInt = VarInt::from_u32(3);
	/// The peer sent what no version of this protocol sends.
	pub const MALFORMED: VarInt = VarInt::from_u32(4);
	/// The peer took too long.
	pub const TIMEOUT: VarInt = VarInt::from_u32(5);
	/// This side shuts down.
	pub const SHUTDOWN: VarInt = VarInt::from_u32(6);
	/// Nobody used the connection.
	pub const IDLE: VarInt = VarInt::from_u32(7);
}

/// Why a stream is stopped or reset.
pub mod stop {
	use iroh::endpoint::VarInt;

	/// The rest is not wanted.
	pub const CANCELLED: VarInt = VarInt::from_u32(16);
	/// A byte was wrong.
	pub const WRONG_BYTES: VarInt = VarInt::from_u32(17);
	/// The peer was too slow.
	pub const STALLED: VarInt = VarInt::from_u32(18);
	/// The store failed.
	pub const FAILED: VarInt = VarInt::from_u32(19);
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::{FileId, FileIndex};

	/// A change of these bytes is a change of [`VERSION`].
	#[test]
	fn messages_have_these_bytes() {
		let name = FragmentName {
			file_id: FileId([0xaa; 32]),
			file: FileIndex(0x0102),
			segment: 3,
			index: 4,
		};
		let name_bytes = [&[0xaa; 32][..], &[2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]].concat();
		assert_eq!(name.encode(), name_bytes);
		let with_name = |head: &[u8], tail: &[u8]| [head, &name_bytes, tail].concat();
		let (hash, sidecar) = (FragmentHash([0xbb; 32]), Sidecar(vec![9; 2]));

		let hello = Hello { version: VERSION, genesis: [7; 32] };
		assert_eq!(hello.encode(), [&[1, 0][..], &[7; 32]].concat());
		let get = Request::Get(GetRequest { name, start: 5, end: 6 });
		assert_eq!(get.encode(), with_name(&[0], &[5, 0, 0, 0, 6, 0, 0, 0]));
		let put = Request::Put(PutOffer { name, hash, len: 64, sidecar: sidecar.clone() });
		let tail = [&[0xbb; 32][..], &[64, 0, 0, 0, 8, 9, 9]].concat();
		assert_eq!(put.encode(), with_name(&[1], &tail));
		let list = Request::List(ListRequest { after: Some(name), limit: 256 });
		assert_eq!(list.encode(), with_name(&[2, 1], &[0, 1]));

		let found = GetAnswer::Found { hash, len: 64, sidecar };
		assert_eq!(found.encode(), [&[0][..], &tail].concat());
		let answers = [
			GetAnswer::NotFound,
			GetAnswer::Busy,
			GetAnswer::Damaged,
			GetAnswer::BadRange,
			GetAnswer::Failed,
		];
		assert_eq!(answers.map(|answer| answer.encode()).concat(), [1, 2, 3, 4, 5]);
		let answers = [
			PutAnswer::Have,
			PutAnswer::Accepted { offset: 1 },
			PutAnswer::NotYet { best: 2 },
			PutAnswer::NotAssigned { at: 3 },
			PutAnswer::Busy,
			PutAnswer::Full,
			PutAnswer::Refused(Refusal::WrongLength),
			PutAnswer::Refused(Refusal::WrongSidecar),
			PutAnswer::Refused(Refusal::Unwanted),
			PutAnswer::Refused(Refusal::Failed),
		];
		let bytes = [0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 0, 3, 3, 0, 0, 0, 4, 5, 6, 0, 6, 1, 6, 2, 6, 3];
		assert_eq!(answers.map(|answer| answer.encode()).concat(), bytes);
		let answers = [
			PutDone::Stored,
			PutDone::WrongBytes { offset: 7 },
			PutDone::Full,
			PutDone::Failed,
			PutDone::Stalled,
		];
		let bytes = [0, 1, 7, 0, 0, 0, 2, 3, 4];
		assert_eq!(answers.map(|answer| answer.encode()).concat(), bytes);
		let answers = [ListAnswer::Names(Vec::new()), ListAnswer::Busy, ListAnswer::Failed];
		assert_eq!(answers.map(|answer| answer.encode()).concat(), [0, 0, 1, 2]);
	}

	#[test]
	fn the_longest_messages_fit_into_a_frame() {
		let name =
			FragmentName { file_id: FileId([0; 32]), file: FileIndex(0), segment: 0, index: 0 };
		let names = ListAnswer::Names(vec![name; usize::from(MAX_LIST)]);
		let sidecar = Sidecar(vec![0; Sidecar::MAX_LEN]);
		let hash = FragmentHash([0; 32]);
		let put = Request::Put(PutOffer { name, hash, len: 0, sidecar });
		for len in [names.encoded_size(), put.encoded_size()] {
			assert!(len <= MAX_FRAME as usize);
		}
	}
}
