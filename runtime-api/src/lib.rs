// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The runtime APIs of Planaria and their response types.
//!
//! One record by its key is read from storage, whose layout is documented. These calls are for
//! what is computed, joined or paged. Every list takes the key to go on after and a limit of at
//! most [`MAX_PAGE`]; the order of keys is the chain's own, and a page shorter than its limit is
//! the last. polkadot.js shows the calls as `api.call.minersApi`, `filesApi`, `restoreApi` and `spaceApi`.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use codec::{Decode, Encode};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FragmentId, FragmentName, MinerId, PlacementRule, SegmentId,
	Tick, placement::Draw,
};
use scale_info::TypeInfo;
pub use sp_runtime::AccountId32;

#[cfg(feature = "std")]
pub mod progress;

/// The longest page any of the calls returns.
pub const MAX_PAGE: u32 = 256;

/// How the network sees a miner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MinerStanding {
	/// Stores, serves and gets new data.
	Serving,
	/// Failed audits: no new data, no rewards.
	Suspended,
	/// Silent for too long: a restore target until it comes back.
	Absent,
	/// A restore target by its own wish, until it holds nothing.
	Leaving,
	/// A restore target against its will, until it holds nothing.
	Expelled,
	/// Disconnected: its collateral waits for the end of the cooldown.
	Departed,
}

/// What a miner's failed audits have come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AuditLevel {
	/// None that is not made good for.
	#[default]
	Clean,
	/// Nothing follows yet.
	Warned,
	/// No new data, no rewards.
	Suspended,
	/// A share of its collateral goes, a larger one each time.
	Slashed,
	/// It leaves against its will.
	Expelled,
}

/// A miner's audits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AuditStatus {
	/// How many challenges it has to answer.
	pub open: u32,
	/// How many windows with failures it has not made good for.
	pub strikes: u8,
	/// What they have come to.
	pub level: AuditLevel,
	/// What one more comes to.
	pub next: AuditLevel,
	/// The tick from which on a drawn challenge that it passes makes one good; none without
	/// strikes.
	pub heals_at: Option<Tick>,
}

/// A miner, its load and what it has at stake.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MinerStatus {
	/// The miner.
	pub miner: MinerId,
	/// Owns the collateral.
	pub stash: AccountId32,
	/// Receives what the miner earns.
	pub payee: AccountId32,
	/// The account of the key its node signs with.
	pub hot_key: AccountId32,
	/// The ed25519 key its transfer endpoint is dialled by.
	pub endpoint_key: [u8; 32],
	/// Where the endpoint may be reached: `ip:port`, or the URL of a relay.
	pub endpoint_addrs: Vec<String>,
	/// How the network sees it.
	pub standing: MinerStanding,
	/// Since when.
	pub since: Tick,
	/// The bytes it offers.
	pub declared: u64,
	/// The bytes of the fragments it holds.
	pub held: u64,
	/// The bytes reserved for placements and claims.
	pub reserved: u64,
	/// How many fragments it holds.
	pub fragments: u32,
	/// How many restore orders it has claimed.
	pub claims: u32,
	/// When a duty was last accepted from it.
	pub last_seen: Tick,
	/// Its collateral, in the smallest unit of the currency.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub collateral: u128,
	/// The collateral that its held and reserved bytes require.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub required: u128,
	/// The tick from which a departed miner can withdraw all its collateral.
	pub free_at: Option<Tick>,
	/// Its audits.
	pub audit: AuditStatus,
}

/// The network as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NetworkStatus {
	/// The height of the block this was read at.
	pub height: u32,
	/// The network's clock.
	pub tick: Tick,
	/// Whether the clock runs: it stands still while the chain is unhealthy.
	pub running: bool,
	/// The length of a slot in milliseconds, which is a tick's while the chain is healthy.
	pub slot_millis: u64,
	/// How many ticks a claim lasts.
	pub claim_period: Tick,
	/// After how many ticks of silence a miner counts as absent.
	pub absent_after: Tick,
	/// For how many ticks a miner may be absent before it is expelled.
	pub absent_max: Tick,
	/// Whether so much data turned absent lately that nobody is expelled, and that orders for
	/// fragments of absent and expelled miners are opened in thin segments only.
	pub braked: bool,
	/// How many miners are registered and have not departed.
	pub miners: u32,
	/// How many files were ever ordered.
	pub files_ever: u64,
	/// How many segments were ever allocated: every [`SegmentId`] is below.
	pub segments_ever: u64,
}

/// The life of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FileLife {
	/// The storage order runs.
	Pending,
	/// Every fragment was confirmed.
	Active,
	/// Deleted by its owner, being removed.
	Deleting,
	/// Its storage order failed, being removed.
	Failed,
}

/// How the fragments of a file find their holders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "rule", rename_all = "snake_case"))]
pub enum PlacementStatus {
	/// Whoever places them chooses among all miners.
	Chosen,
	/// Whoever places them chooses among candidates.
	Drawn {
		/// What these follow from; none until the second block after the order.
		seed: Option<[u8; 32]>,
		/// Candidates have ids below this.
		ids: u32,
		/// How many each fragment has, as long as the order runs.
		candidates: u16,
		/// When it gets more, unless a fragment is confirmed meanwhile; none where it gets none.
		more_at: Option<Tick>,
	},
}

impl PlacementStatus {
	/// The rule.
	pub const fn rule(&self) -> PlacementRule {
		match self {
			Self::Chosen => PlacementRule::Chosen,
			Self::Drawn { .. } => PlacementRule::Drawn,
		}
	}

	/// The draw, where there is one and its seed is known.
	pub fn draw(&self) -> Option<Draw> {
		match *self {
			Self::Chosen => None,
			Self::Drawn { seed, ids, candidates, .. } => {
				Some(Draw { seed: seed?, ids, candidates })
			},
		}
	}
}

/// A stored file.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FileStatus {
	/// The stored instance.
	pub file: FileIndex,
	/// The content.
	pub id: FileId,
	/// Whose it is.
	pub owner: AccountId32,
	/// Its size in bytes.
	pub size: u64,
	/// Its coding.
	pub coding: CodingParams,
	/// What the owner wrote on it: opaque bytes.
	pub label: Vec<u8>,
	/// Its state.
	pub state: FileLife,
	/// The id of its first segment; the others follow.
	pub first_segment: SegmentId,
	/// How many segments it has.
	pub segments: u32,
	/// How many fragments are not confirmed yet.
	pub unconfirmed: u32,
	/// How many of its segments are lost.
	pub lost: u32,
	/// When a fragment was last confirmed.
	pub last_progress: Tick,
	/// How its fragments find their holders.
	pub placement: PlacementStatus,
	/// The deposit for its state, in the smallest unit of the currency.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub deposit: u128,
}

/// The network's word on a segment that too little is present of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum VerdictStatus {
	/// Lost at this tick, unless enough comes back.
	Suspected {
		/// When the countdown ends.
		deadline: Tick,
	},
	/// Lost since this tick, until enough comes back.
	Lost {
		/// When the countdown ended.
		since: Tick,
	},
}

/// A segment and all its fragments.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentStatus {
	/// The segment on chain.
	pub id: SegmentId,
	/// Its number in the file.
	pub number: u32,
	/// How many fragments are present.
	pub present: u8,
	/// How many more may go missing before it cannot be restored; negative where it cannot.
	pub spare: i16,
	/// The network's word on it, if there is one.
	pub verdict: Option<VerdictStatus>,
	/// Its fragments in order.
	pub fragments: Vec<FragmentStatus>,
}

/// A fragment of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FragmentStatus {
	/// Whom it is assigned to.
	pub holder: Option<MinerId>,
	/// Whether the holder confirmed it.
	pub confirmed: bool,
	/// Whether a restore order exists for it.
	pub restoring: bool,
}

/// What a miner must know of one fragment to store, serve or restore it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FragmentRecord {
	/// The fragment on chain.
	pub fragment: FragmentId,
	/// Its name off chain.
	pub name: FragmentName,
	/// The file's size in bytes.
	pub size: u64,
	/// The file's coding.
	pub coding: CodingParams,
	/// The file's state.
	pub state: FileLife,
	/// Whom every fragment of the segment is assigned to.
	pub holders: Vec<Option<MinerId>>,
	/// Which fragments of the segment are confirmed, bit by bit.
	pub confirmed: u64,
	/// For which fragments of the segment a restore order exists, bit by bit.
	pub restoring: u64,
	/// The claims of the segment's restore orders whose deadlines have not passed, by index.
	pub claims: Vec<SegmentClaim>,
	/// How many more fragments of the segment may go missing.
	pub spare: i16,
	/// The network's word on the segment, if there is one.
	pub verdict: Option<VerdictStatus>,
}

impl FragmentRecord {
	/// The claim of the restore order for the fragment with this index of the segment.
	pub fn claim(&self, index: u8) -> Option<&SegmentClaim> {
		self.claims.iter().find(|claim| claim.index == index)
	}

	/// Who has claimed this fragment's restore order.
	pub fn claimed_by(&self) -> Option<MinerId> {
		self.claim(self.name.index).map(|claim| claim.by)
	}
}

/// That a miner restores a fragment of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentClaim {
	/// The fragment's index.
	pub index: u8,
	/// Who.
	pub by: MinerId,
	/// Until when.
	pub deadline: Tick,
	/// Whether it has the fragment, and is about to prove it.
	pub ready: bool,
}

/// Why a restore order was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OrderCause {
	/// Its holder does not have the fragment any more, and said so.
	Broken,
	/// Its holder is a restore target.
	Target,
	/// Its holder failed a challenge for it.
	Challenge,
}

/// The state of a restore order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OrderStanding {
	/// Any miner that may can claim it.
	Unclaimed,
	/// A miner restores it.
	Claimed {
		/// Who.
		by: MinerId,
		/// Until when.
		deadline: Tick,
	},
	/// A miner has it and is about to prove it.
	Ready {
		/// Who.
		by: MinerId,
		/// Until when.
		deadline: Tick,
	},
}

/// A restore order.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderStatus {
	/// The fragment that is to be restored.
	pub fragment: FragmentId,
	/// The file it belongs to.
	pub file: FileIndex,
	/// The segment's number in the file.
	pub number: u32,
	/// The length of the fragment in bytes.
	pub len: u32,
	/// Who holds the fragment as long as nobody has proven it.
	pub holder: Option<MinerId>,
	/// Why the order was opened.
	pub cause: OrderCause,
	/// When the order was opened.
	pub opened: Tick,
	/// The order's state; a claim whose deadline has passed is shown as unclaimed.
	pub standing: OrderStanding,
	/// How many claims of it have expired.
	pub expiries: u8,
	/// How many miners have declined it, because what they restored was not the fragment.
	pub declines: u8,
	/// Whether so many have that it probably cannot be restored: nobody is punished for it.
	pub disputed: bool,
	/// How many more fragments of the segment may go missing.
	pub spare: i16,
}

/// A miner the data moves away from.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TargetStatus {
	/// The miner.
	pub miner: MinerId,
	/// Why the data moves away.
	pub standing: MinerStanding,
	/// Since when.
	pub since: Tick,
	/// How many fragments it still holds.
	pub fragments: u32,
	/// How many bytes these are.
	pub held: u64,
}

/// A segment that too little is present of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentVerdict {
	/// The segment.
	pub segment: SegmentId,
	/// The file it belongs to.
	pub file: FileIndex,
	/// Its number in the file.
	pub number: u32,
	/// How many more fragments would have to be present, as a negative number.
	pub spare: i16,
	/// The network's word on it.
	pub verdict: VerdictStatus,
}

/// What may be done with a space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SpacePhase {
	/// Files may be stored.
	Open,
	/// What is stored stays, and nothing new may be; the space may still be renewed.
	Grace,
	/// Nothing is paid for any more: the files are being removed, and then the space.
	Lapsed,
}

/// What an account has bought.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SpaceStatus {
	/// The account.
	pub owner: AccountId32,
	/// How many bytes may be stored.
	pub bytes: u64,
	/// The bytes of files whose storage order runs.
	pub reserved: u64,
	/// The bytes of files that are stored.
	pub used: u64,
	/// What may be done with it.
	pub phase: SpacePhase,
	/// The last tick at which something new may be stored.
	pub open_until: Tick,
	/// The last tick that is paid for.
	pub until: Tick,
	/// What a TiB of it costs for a tick, in the smallest unit of the currency.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub price: u128,
	/// What is left of the payments.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub left: u128,
	/// What is held for it and its operators, and returned.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub deposit: u128,
	/// Who may order storage in the owner's name.
	pub operators: Vec<OperatorStatus>,
}

/// An account that may order storage in another's name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OperatorStatus {
	/// The account.
	pub operator: AccountId32,
	/// How many stored bytes it may still order.
	pub bytes: u64,
	/// The last tick at which it may.
	pub until: Tick,
}

/// What space costs, and how much of it is sold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SpaceTerms {
	/// What a TiB costs for a tick, in the smallest unit of the currency.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub price: u128,
	/// How many ticks before its end nothing new may be stored.
	pub grace: Tick,
	/// The fewest bytes that are sold.
	pub min_bytes: u64,
	/// The most bytes one account may buy.
	pub max_bytes: u64,
	/// The most ticks that are sold ahead.
	pub max_ticks: Tick,
	/// What is held for a space, and for each operator.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub deposit: u128,
}

/// What a miner earns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EarningsStatus {
	/// The miner.
	pub miner: MinerId,
	/// Whether it is paid for what it holds: it serves, and is not suspended.
	pub earns: bool,
	/// The bytes it is paid for.
	pub bytes: u64,
	/// What it has earned and not been paid, in the smallest unit of the currency.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub claimable: u128,
	/// What it earns in a day at the present rate.
	#[cfg_attr(feature = "serde", serde(with = "amount"))]
	pub per_day: u128,
}

sp_api::decl_runtime_apis! {
	/// The miners and the network as a whole.
	pub trait MinersApi {
		/// A miner.
		fn miner(miner: MinerId) -> Option<MinerStatus>;
		/// The miner whose stash or hot key this account is.
		fn miner_by_account(account: AccountId32) -> Option<MinerId>;
		/// A page of miners.
		fn miners(after: Option<MinerId>, limit: u32) -> Vec<MinerStatus>;
		/// The network as a whole.
		fn network() -> NetworkStatus;
	}

	/// Stored files.
	pub trait FilesApi {
		/// A file.
		fn file(file: FileIndex) -> Option<FileStatus>;
		/// A page of the stored instances of this content.
		fn files_by_id(id: FileId, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus>;
		/// A page of an account's files.
		fn files_of(owner: AccountId32, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus>;
		/// The placed segments among the file's numbers from `first` to below `first + limit`.
		fn segments(file: FileIndex, first: u32, limit: u32) -> Vec<SegmentStatus>;
		/// What a miner must know of these fragments, named off chain; `None` for those that do
		/// not exist (any more).
		fn locate(names: Vec<FragmentName>) -> Vec<Option<FragmentRecord>>;
		/// What a miner must know of these fragments, named on chain.
		fn records(fragments: Vec<FragmentId>) -> Vec<Option<FragmentRecord>>;
	}

	/// The restoration of lost fragments.
	pub trait RestoreApi {
		/// A page of restore orders.
		fn orders(after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus>;
		/// A page of the restore orders a miner has claimed.
		fn claims(miner: MinerId, after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus>;
		/// A page of restore targets among the miners.
		fn targets(after: Option<MinerId>, limit: u32) -> Vec<TargetStatus>;
		/// A page of the segments that too little is present of.
		fn verdicts(after: Option<SegmentId>, limit: u32) -> Vec<SegmentVerdict>;
		/// The beacon of one of the last 256 blocks.
		fn beacon(block: u32) -> Option<planaria_primitives::Hash>;
	}

	/// Space and earnings.
	#[api_version(1)]
	pub trait SpaceApi {
		/// What an account has bought.
		fn space(owner: AccountId32) -> Option<SpaceStatus>;
		/// What space costs now, and how much of it is sold.
		fn space_terms() -> SpaceTerms;
		/// What so many bytes cost for so many ticks at the price of now, before the time is rounded
		/// up to an era; `None` where no amount is that high.
		fn quote(bytes: u64, ticks: Tick) -> Option<u128>;
		/// What a registered miner earns.
		fn earnings(miner: MinerId) -> Option<EarningsStatus>;
	}
}

#[cfg(feature = "serde")]
mod amount {
	//! Amounts as decimal text: JavaScript's numbers end at 2^53.

	use alloc::string::{String, ToString};
	use serde::{Deserialize, Deserializer, Serializer, de::Error};

	pub fn serialize<S: Serializer>(amount: &u128, to: S) -> Result<S::Ok, S::Error> {
		to.serialize_str(&amount.to_string())
	}

	pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
		String::deserialize(from)?.parse().map_err(D::Error::custom)
	}
}
