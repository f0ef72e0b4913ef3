// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the tables contain.

use codec::{Decode, Encode};
use planaria_sdk::primitives::CodingParams;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_millis() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A bucket.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Bucket {
	/// The account whose it is.
	pub owner: [u8; 32],
	/// When it was made, in milliseconds since 1970.
	pub created: u64,
	/// Whether its objects are stored as they are and anybody may read them, unless an object says
	/// otherwise.
	pub public: bool,
}

/// What a client says about an object and gets back with it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Headers {
	/// `Content-Type`.
	pub content_type: Option<String>,
	/// `Content-Encoding`.
	pub content_encoding: Option<String>,
	/// `Content-Disposition`.
	pub content_disposition: Option<String>,
	/// `Content-Language`.
	pub content_language: Option<String>,
	/// `Cache-Control`.
	pub cache_control: Option<String>,
	/// `Expires`.
	pub expires: Option<String>,
	/// `x-amz-meta-…`.
	pub metadata: Vec<(String, String)>,
}

/// An object.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Object {
	/// Its bytes, unless it has none.
	pub content: Option<u64>,
	/// How many.
	pub size: u64,
	/// The ETag, without quotes.
	pub etag: String,
	/// When it was written, in milliseconds since 1970.
	pub modified: u64,
	/// What the client said about it.
	pub headers: Headers,
	/// The sizes of the parts it was assembled from; empty if it was not.
	pub parts: Vec<u64>,
	/// Its checksum, where the client gave one: the algorithm's name and the sum in base 64, with
	/// the number of parts behind it where it is of theirs.
	pub checksum: Option<(String, String)>,
	/// Whether it is stored as it is and anybody may read it.
	pub public: bool,
}

/// A multipart upload.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Upload {
	/// For whose account.
	pub owner: [u8; 32],
	/// When it began, in milliseconds since 1970.
	pub initiated: u64,
	/// What the client said about the object.
	pub headers: Headers,
	/// Whether the object is to be public.
	pub public: bool,
	/// The checksum that the object is to have, where the client said so: the algorithm's name, and
	/// what it is of.
	pub checksum: Option<(String, String)>,
}

/// A part of a multipart upload.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Part {
	/// Its bytes; `None` if it has none.
	pub piece: Option<Piece>,
	/// How many.
	pub size: u64,
	/// Their MD5.
	pub md5: [u8; 16],
	/// When it was written, in milliseconds since 1970.
	pub modified: u64,
	/// Its checksum, where the client gave one.
	pub checksum: Option<(String, String)>,
}

/// Names a file in the spool; random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
	/// A new one.
	pub fn random() -> Self {
		Self(rand::random())
	}
}

/// Bytes in the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Piece {
	/// In which file.
	pub blob: BlobId,
	/// How many.
	pub len: u64,
}

/// How far the storing of a content is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
	/// On this gateway's disk alone.
	#[codec(index = 0)]
	Queued,
	/// Its fragments are on their way to miners.
	#[codec(index = 1)]
	Placing,
	/// On the network, seen in finalized state, and read back.
	#[codec(index = 2)]
	Active,
}

impl Life {
	/// Its name, as clients are told.
	pub fn name(self) -> &'static str {
		match self {
			Self::Queued => "queued",
			Self::Placing => "placing",
			Self::Active => "active",
		}
	}
}

/// What the network has of a content.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Stored {
	/// The file's number on chain.
	pub file: u64,
	/// Its id.
	pub id: [u8; 32],
}

/// What a content is to the network.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Kind {
	/// A file of its own.
	#[codec(index = 0)]
	File,
	/// To be put into a pack.
	#[codec(index = 1)]
	Waiting,
	/// In a pack, which is a content of its own and says how far it is.
	#[codec(index = 2)]
	Packed(Place),
	/// A pack; its uses are the contents in it that objects name.
	#[codec(index = 3)]
	Pack(Pack),
}

/// Where a content is in a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Place {
	/// Which.
	pub pack: u64,
	/// Its first byte there.
	pub offset: u64,
}

/// What is in a pack.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Pack {
	/// The bytes of all contents in it.
	pub bytes: u64,
	/// The bytes of those that objects name.
	pub live: u64,
	/// The packs whose live contents are copied into this one and move here when it is active.
	pub replaces: Vec<u64>,
	/// Whether what is alive is to be, or is being, copied into another one.
	pub repacking: bool,
}

impl Pack {
	/// Whether less than half of it is alive.
	pub fn is_worth_repacking(&self) -> bool {
		self.live < self.bytes.div_ceil(2)
	}

	/// A pack of so many bytes, all of them alive.
	pub fn new(bytes: u64, replaces: Vec<u64>) -> Self {
		Self { bytes, live: bytes, replaces, repacking: false }
	}
}

/// Bytes that objects name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Content {
	/// For whose account.
	pub owner: [u8; 32],
	/// How many bytes.
	pub size: u64,
	/// What it is to the network.
	pub kind: Kind,
	/// How many objects name it.
	pub uses: u32,
	/// How far its storing is.
	pub life: Life,
	/// The bytes on this gateway's disk, in order; empty once the network has them.
	pub local: Vec<Piece>,
	/// How it is coded.
	pub coding: CodingParams,
	/// What it is on the network, as soon as that is known.
	pub stored: Option<Stored>,
	/// Whether it is stored as it is.
	pub public: bool,
	/// How often storing it has failed.
	pub failures: u32,
	/// What went wrong last.
	pub failure: Option<String>,
}

impl Content {
	/// As what it is counted: its state, how many contents, their bytes. What is in a pack is counted
	/// with the pack, and that with the one that it is to replace.
	pub(super) fn counted(&self) -> Option<(Life, u64, u64)> {
		match &self.kind {
			Kind::File | Kind::Waiting => Some((self.life, 1, self.size)),
			Kind::Packed(_) => None,
			Kind::Pack(Pack { replaces, .. }) if !replaces.is_empty() => None,
			Kind::Pack(pack) => Some((self.life, self.uses.into(), pack.live)),
		}
	}
}

/// How far the placement of a fragment is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FragmentPhase {
	/// Its content is on this gateway's disk.
	#[codec(index = 0)]
	Created,
	/// Which bytes it has is decided.
	#[codec(index = 1)]
	Initialized,
	/// Its bytes are final: encrypted, or meant to be public, and committed to.
	#[codec(index = 2)]
	Encrypted,
	/// The storage order is being submitted.
	#[codec(index = 3)]
	ProcessSpawned,
	/// The storage order is on chain, with its deposit and space.
	#[codec(index = 4)]
	Funded,
	/// The chain has assigned it to a miner.
	#[codec(index = 5)]
	Accepted,
	/// It is on the miner's disk.
	#[codec(index = 6)]
	Transferred,
	/// The miner has confirmed it on chain.
	#[codec(index = 7)]
	Completed,
	/// It could not be placed; that is tried again.
	#[codec(index = 8)]
	Failed,
	/// Its holder does not have it any more.
	#[codec(index = 9)]
	Unavailable,
}

/// A fragment's placement.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, serde::Serialize)]
pub struct FragmentState {
	/// How far it is.
	pub phase: FragmentPhase,
	/// With which miner.
	pub miner: Option<u32>,
	/// How many miners it was taken from.
	pub replaced: u32,
	/// Why it was taken from the last one.
	pub reason: Option<String>,
}

/// How a miner has done its part so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Conduct {
	/// How often it has failed since it last did its part, or was put into the pool.
	pub failures: u32,
	/// How often it has failed altogether.
	pub all_failures: u32,
	/// How often it has been in the cooldown pool; less by one each time it does its part.
	pub cooldowns: u32,
	/// Until when it is in the pool, in milliseconds since 1970; 0 if it never was.
	pub until: u64,
	/// What it did last.
	pub reason: String,
}

/// What was measured of a miner; what is newer counts more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Measured {
	/// Of a thousand objects that it was to take fragments of, with how many it did its part.
	pub reliability: u16,
	/// How many bytes per second it took; 0 if that is not known.
	pub speed: u64,
}

/// A file that stays on chain though it is to be deleted, because the chain does not let the gateway.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Undeleted {
	/// Its id.
	pub id: [u8; 32],
	/// Since when, in milliseconds since 1970.
	pub since: u64,
	/// What the chain says.
	pub reason: String,
}

/// What is still to be done. A job is done when it is no longer here.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Job {
	/// A content is to be stored.
	#[codec(index = 0)]
	Store {
		/// Which.
		content: u64,
	},
	/// A file is to be deleted on chain.
	#[codec(index = 1)]
	Delete {
		/// Which.
		file: u64,
		/// Its id.
		id: [u8; 32],
	},
	/// What is alive in some packs is to be copied into another one.
	#[codec(index = 2)]
	Repack {
		/// Which.
		packs: Vec<u64>,
	},
}
