// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the offchain worker and the engine tell each other.
//!
//! They meet in a few values of the node's offchain database, each with exactly one writer. Both
//! rewrite theirs whole: a lost, repeated or forked write corrects itself at the next block. There
//! is no queue, no cursor and no acknowledgement; what was done shows on chain.
//!
//! | key | writer | value |
//! |---|---|---|
//! | [`LAST`] | worker, by compare-and-set only | height of the newest run, to stop older ones |
//! | [`MEMORY`] | worker | what it remembers from run to run |
//! | [`WANTED`] | worker | [`Wanted`]: all the chain wants of this miner now |
//! | [`DONE`] | engine | [`Done`]: all the engine has that the chain may not know yet |
//! | [`PROOFS`] + page | engine | [`Proofs`]: the proofs that [`JobKind::Prove`] asked for |
//!
//! Every value is at most [`MAX_VALUE_LEN`] long and begins with [`VERSION`]. A value that is too
//! long, of another version or not decodable is as if it were not there.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use crate::{FragmentId, FragmentName, FragmentProof, MinerId, SegmentId, Tick};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};

/// The height of the newest run of the worker.
pub const LAST: &[u8] = b"planaria/last";

/// What the worker remembers.
pub const MEMORY: &[u8] = b"planaria/memory";

/// What the worker wants.
pub const WANTED: &[u8] = b"planaria/wanted";

/// What the engine has done.
pub const DONE: &[u8] = b"planaria/done";

/// The engine's proofs; the key of page `n` is this and the byte `n`.
pub const PROOFS: &[u8] = b"planaria/proofs/";

/// How many pages of proofs there are at most: together they hold what one report may carry.
pub const PROOF_PAGES: u8 = 5;

/// The version every value begins with.
pub const VERSION: u8 = 2;

/// The longest value, its version included. The offchain database shares its commit queue with
/// block import, so large values would delay blocks.
pub const MAX_VALUE_LEN: usize = 16 << 10;

/// How many fragments each list of [`Done`] names at most.
pub const MAX_LISTED: usize = 128;

/// The key of a page of proofs.
pub fn proofs_key(page: u8) -> Vec<u8> {
	let mut key = PROOFS.to_vec();
	key.push(page);
	key
}

/// A value as it stands in the database; `None` where it would be too long.
pub fn pack(value: &impl Encode) -> Option<Vec<u8>> {
	let bytes = (VERSION, value).encode();
	(bytes.len() <= MAX_VALUE_LEN).then_some(bytes)
}

/// The value that stands in the database, if it is one.
pub fn unpack<T: Decode>(bytes: &[u8]) -> Option<T> {
	let (version, value) = bytes.split_first()?;
	if *version != VERSION || bytes.len() > MAX_VALUE_LEN {
		return None;
	}
	T::decode_all(&mut &*value).ok()
}

/// All that the chain wants of this miner now.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Wanted {
	/// The miner.
	pub miner: MinerId,
	/// The height of the block whose state this follows from.
	pub height: u32,
	/// The jobs, most urgent first.
	pub jobs: Vec<Job>,
}

/// One thing the chain wants. Its name is what it is about, never a block number.
///
/// Encodes as a byte string, so that an engine can skip a kind it does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
	/// A known kind.
	Known(JobKind),
	/// A kind of a later version, as it was encoded.
	Unknown(Vec<u8>),
}

/// The kinds of jobs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum JobKind {
	/// This miner claimed the restore order: have the fragment durable, then name it in
	/// [`Done::restored`].
	#[codec(index = 0)]
	Restore {
		/// The fragment on chain.
		fragment: FragmentId,
		/// Its name off chain.
		name: FragmentName,
		/// When the claim expires.
		deadline: Tick,
	},
	/// The report of this miner's batch needs the proof of this chunk: put it into [`Proofs`].
	#[codec(index = 1)]
	Prove {
		/// The fragment on chain.
		fragment: FragmentId,
		/// Its name off chain.
		name: FragmentName,
		/// The chunk that is asked for.
		chunk: u32,
	},
}

impl Encode for Job {
	fn encode_to<O: codec::Output + ?Sized>(&self, out: &mut O) {
		match self {
			Self::Known(kind) => kind.encode().encode_to(out),
			Self::Unknown(bytes) => bytes.encode_to(out),
		}
	}
}

impl Decode for Job {
	fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
		let bytes = Vec::<u8>::decode(input)?;
		Ok(JobKind::decode_all(&mut &bytes[..]).map_or(Self::Unknown(bytes), Self::Known))
	}
}

impl From<JobKind> for Job {
	fn from(kind: JobKind) -> Self {
		Self::Known(kind)
	}
}

/// All that the engine has done, found or failed at, and that the chain may not know yet.
///
/// Each list holds at most [`MAX_LISTED`] fragments, the most urgent first; what does not fit
/// follows once the chain has taken in the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Done {
	/// Durable here and assigned to this miner, but not confirmed on chain.
	pub stored: Vec<FragmentId>,
	/// This miner's own, neither whole here nor restorable by itself: to be opened as orders.
	pub broken: Vec<FragmentId>,
	/// This miner's own, whole again here although an unclaimed order is open for it.
	pub healed: Vec<Healed>,
	/// Fragments of restore targets and of unclaimed orders that this miner would restore, in the
	/// order in which it would claim them.
	pub found: Vec<FragmentId>,
	/// Claimed by this miner and durable here.
	pub restored: Vec<FragmentId>,
	/// Claimed by this miner, but not to be had: to be given back.
	pub hopeless: Vec<FragmentId>,
	/// Claimed by this miner, but what the others restore to is another fragment: to be declined.
	pub declined: Vec<FragmentId>,
	/// What anybody may do for the network and this engine found due, at most
	/// [`MAX_CHORES`](Self::MAX_CHORES).
	pub chores: Vec<Chore>,
}

impl Done {
	/// How many healed fragments are listed at most, for their proofs' sake.
	pub const MAX_HEALED: usize = 3;
	/// How many chores are listed at most.
	pub const MAX_CHORES: usize = 32;
}

/// What anybody may do for the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Chore {
	/// Mark a miner absent that was not seen for too long.
	#[codec(index = 0)]
	MarkAbsent(MinerId),
	/// Expel a miner that has been absent for too long.
	#[codec(index = 1)]
	ExpelAbsent(MinerId),
	/// Let a leaving miner go that holds nothing any more.
	#[codec(index = 2)]
	Finish(MinerId),
	/// Have a segment judged whose verdict is not what its fragments say.
	#[codec(index = 3)]
	CheckSegment(SegmentId),
	/// Tidy up an order that is void, or whose claim has expired.
	#[codec(index = 4)]
	Tidy(FragmentId),
}

/// A fragment that is whole again, and the proof that cancels its order.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Healed {
	/// The fragment on chain.
	pub fragment: FragmentId,
	/// The block whose beacon drew the chunk, a recent one.
	pub at: u32,
	/// The proof of that chunk.
	pub proof: FragmentProof,
}

/// One page of proofs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Proofs(pub Vec<ProofItem>);

impl Proofs {
	/// How many proofs one page holds, whatever their length.
	pub const PER_PAGE: usize = 6;
}

/// The proof that a [`JobKind::Prove`] asked for.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ProofItem {
	/// The fragment on chain.
	pub fragment: FragmentId,
	/// The chunk that is proven.
	pub chunk: u32,
	/// The proof.
	pub proof: FragmentProof,
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{FileId, FileIndex, MAX_FRAGMENTS};

	fn id(n: u64) -> FragmentId {
		FragmentId { segment: SegmentId(n), index: MAX_FRAGMENTS - 1 }
	}

	fn longest_proof() -> FragmentProof {
		FragmentProof(alloc::vec![0xff; FragmentProof::MAX_LEN])
	}

	#[test]
	fn the_fullest_values_fit() {
		let list: Vec<_> = (0..MAX_LISTED as u64).map(id).collect();
		let healed = Healed { fragment: id(0), at: u32::MAX, proof: longest_proof() };
		let done = Done {
			stored: list.clone(),
			broken: list.clone(),
			healed: alloc::vec![healed; Done::MAX_HEALED],
			found: list.clone(),
			restored: list.clone(),
			hopeless: list.clone(),
			declined: list,
			chores: alloc::vec![Chore::Tidy(id(u64::MAX)); Done::MAX_CHORES],
		};
		assert_eq!(unpack(&pack(&done).expect("fits")), Some(done));
		let item = ProofItem { fragment: id(0), chunk: 8191, proof: longest_proof() };
		let proofs = Proofs(alloc::vec![item; Proofs::PER_PAGE]);
		assert_eq!(unpack(&pack(&proofs).expect("fits")), Some(proofs));

		let name = FragmentName {
			file_id: FileId([0xff; 32]),
			file: FileIndex(u64::MAX),
			segment: u32::MAX,
			index: 63,
		};
		let restore = JobKind::Restore { fragment: id(0), name, deadline: u32::MAX };
		let prove = JobKind::Prove { fragment: id(0), name, chunk: 8191 };
		let mut jobs: Vec<Job> = alloc::vec![restore.into(); MAX_LISTED];
		jobs.extend(alloc::vec![prove.into(); 64]);
		let wanted = Wanted { miner: MinerId(1), height: 1, jobs };
		assert_eq!(unpack(&pack(&wanted).expect("fits")), Some(wanted));
	}

	#[test]
	fn what_cannot_be_read_is_as_if_it_were_not_there() {
		let bytes = pack(&Done::default()).expect("fits");
		assert_eq!(unpack(&bytes), Some(Done::default()));
		assert_eq!(unpack::<Done>(&[]), None);
		assert_eq!(unpack::<Done>(&bytes[..bytes.len() - 1]), None);
		let mut other = bytes.clone();
		other[0] = VERSION + 1;
		assert_eq!(unpack::<Done>(&other), None);
		let mut longer = bytes;
		longer.push(0);
		assert_eq!(unpack::<Done>(&longer), None);
		assert_eq!(pack(&alloc::vec![0u8; MAX_VALUE_LEN]), None);
	}

	#[test]
	fn an_unknown_kind_of_job_is_kept_apart() {
		let jobs = alloc::vec![alloc::vec![250u8, 1, 2], Vec::new()];
		let wanted = (MinerId(1), 7u32, &jobs).encode();
		let wanted = Wanted::decode_all(&mut &wanted[..]).expect("readable");
		assert_eq!(wanted.jobs, jobs.into_iter().map(Job::Unknown).collect::<Vec<_>>());
	}
}
