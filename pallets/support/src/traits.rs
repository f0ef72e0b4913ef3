// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The seams between the pallets, and the types that cross them.
//!
//! `restore -> files -> miners`, all of them `-> clock`; the callback [`OnSegmentRemoved`] goes
//! from files up to restore.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use crate::hot_key;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::pallet_prelude::{
	DispatchError, DispatchResult, InvalidTransaction, TransactionValidityWithRefund, Weight,
};
use planaria_primitives::{
	FileId, FileIndex, FileSpec, FragmentId, Hash, MinerId, Segment, SegmentId, Tick,
	duty::DutyKind, segment::bit,
};
use scale_info::TypeInfo;

/// The network's time and randomness.
pub trait Clock {
	/// The current tick. Every deadline is one.
	fn now() -> Tick;

	/// The beacon of a block, known from that block on; `None` for a later block and for one more
	/// than 256 blocks old.
	fn beacon_at(block: u32) -> Option<Hash>;
}

impl Clock for () {
	fn now() -> Tick {
		0
	}

	fn beacon_at(_: u32) -> Option<Hash> {
		None
	}
}

/// How the network sees a miner.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Standing {
	/// Stores and serves; gets new data.
	#[codec(index = 0)]
	Serving,
	/// Failed audits: gets no new data and no rewards, must serve what it has.
	#[codec(index = 1)]
	Suspended,
	/// No duty was accepted for too long: a restore target until it comes back.
	#[codec(index = 2)]
	Absent,
	/// A restore target until it holds nothing any more.
	#[codec(index = 3)]
	Leaving {
		/// Against its will: what it holds does not count as present.
		expelled: bool,
	},
}

impl Standing {
	/// Whether the miner may take new data: placements and claims.
	pub const fn takes_data(self) -> bool {
		matches!(self, Self::Serving)
	}

	/// Whether the data moves away from the miner, so that others may open orders for it.
	pub const fn is_restore_target(self) -> bool {
		matches!(self, Self::Absent | Self::Leaving { .. })
	}

	/// Whether what the miner holds counts as present.
	pub const fn serves(self) -> bool {
		!matches!(self, Self::Absent | Self::Leaving { expelled: true })
	}
}

/// What other pallets need to know of a miner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MinerInfo<AccountId> {
	/// Owns the collateral.
	pub stash: AccountId,
	/// Receives what the miner earns.
	pub payee: AccountId,
	/// How the network sees it.
	pub standing: Standing,
}

/// Who the miners are.
pub trait MinerDirectory<AccountId> {
	/// The miner whose stash or hot key this account is.
	fn by_account(who: &AccountId) -> Option<MinerId>;

	/// The miner, if it is registered.
	fn get(miner: MinerId) -> Option<MinerInfo<AccountId>>;
}

impl<AccountId> MinerDirectory<AccountId> for () {
	fn by_account(_: &AccountId) -> Option<MinerId> {
		None
	}

	fn get(_: MinerId) -> Option<MinerInfo<AccountId>> {
		None
	}
}

/// Why a miner's bytes are reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
	/// A fragment of a storage order was placed with it.
	Placement,
	/// It claimed a restore order.
	Claim,
}

/// The bytes of every miner. Reserved bytes become held, or are released.
pub trait MinerLedger {
	/// Reserves bytes of a miner that takes data, has the room, enough collateral and, for a
	/// claim, is below its claim limit.
	fn reserve(miner: MinerId, bytes: u64, purpose: Purpose) -> DispatchResult;

	/// Gives a reservation back.
	fn release(miner: MinerId, bytes: u64, purpose: Purpose);

	/// Turns a reservation into one fragment held.
	fn settle(miner: MinerId, bytes: u64, purpose: Purpose);

	/// Takes one held fragment off.
	fn forget(miner: MinerId, bytes: u64);
}

impl MinerLedger for () {
	fn reserve(_: MinerId, _: u64, _: Purpose) -> DispatchResult {
		Ok(())
	}

	fn release(_: MinerId, _: u64, _: Purpose) {}

	fn settle(_: MinerId, _: u64, _: Purpose) {}

	fn forget(_: MinerId, _: u64) {}
}

/// What a miner has at stake.
pub trait Collateral<AccountId, Balance> {
	/// What the miner's held and reserved bytes require.
	fn required(miner: MinerId) -> Balance;

	/// Moves up to `amount` of the miner's collateral to `to`, or burns it where `to` is `None`;
	/// returns what was moved.
	fn pay(miner: MinerId, to: Option<&AccountId>, amount: Balance) -> Balance;
}

impl<AccountId, Balance: Default> Collateral<AccountId, Balance> for () {
	fn required(_: MinerId) -> Balance {
		Balance::default()
	}

	fn pay(_: MinerId, _: Option<&AccountId>, _: Balance) -> Balance {
		Balance::default()
	}
}

/// Whether too much data turned absent lately to restore it all.
pub trait Brake {
	/// Whether the brake is engaged.
	fn is_engaged() -> bool;
}

impl Brake for () {
	fn is_engaged() -> bool {
		false
	}
}

/// Changes the standing of a miner that does not do what it should.
///
/// Each fails where the miner is not registered or its standing does not allow it, and then changes
/// nothing.
pub trait Discipline {
	/// Gives the miner no new data and no rewards, until it is reinstated.
	fn suspend(miner: MinerId) -> DispatchResult;

	/// Ends a suspension.
	fn reinstate(miner: MinerId) -> DispatchResult;

	/// Marks the miner absent, whenever it was last seen: others may restore what it holds, until
	/// its next duty.
	fn absent(miner: MinerId) -> DispatchResult;

	/// Has the miner leave against its will. Fails while the brake is engaged.
	fn expel(miner: MinerId) -> DispatchResult;
}

impl Discipline for () {
	fn suspend(_: MinerId) -> DispatchResult {
		Ok(())
	}

	fn reinstate(_: MinerId) -> DispatchResult {
		Ok(())
	}

	fn absent(_: MinerId) -> DispatchResult {
		Ok(())
	}

	fn expel(_: MinerId) -> DispatchResult {
		Ok(())
	}
}

/// Lets duty calls in: free of charge for the miner whose duty it is, and for nobody else.
///
/// A pallet has `authorize` check the call in `#[pallet::authorize]`, and calls `enter` first
/// thing in the call itself, which may also be signed by the miner's hot key or stash.
pub trait DutyGate<RuntimeOrigin> {
	/// Checks a fee-less duty call before it enters the pool or a block: the miner exists, the
	/// anchor is younger than [`MAX_ANCHOR_AGE`](planaria_primitives::duty::MAX_ANCHOR_AGE) blocks
	/// and greater than the miner's last of this kind, and its hot key signed
	/// [`signed_bytes`](planaria_primitives::duty::signed_bytes).
	fn authorize<Items: Encode>(
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
		items: &Items,
		signature: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund;

	/// The weight of `authorize` for items of this many encoded bytes.
	fn authorize_weight(bytes: u32) -> Weight;

	/// Lets the call in and notes that the miner is there: of a call that was authorised, the
	/// anchor is used up; of a signed one, the signer is the miner's hot key or stash.
	fn enter(
		origin: RuntimeOrigin,
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<(), DispatchError>;

	/// The weight of `enter`.
	fn enter_weight() -> Weight;

	/// Takes the fee for a wrong proof from the miner's collateral.
	fn charge_wrong(miner: MinerId);
}

impl<RuntimeOrigin> DutyGate<RuntimeOrigin> for () {
	fn authorize<Items: Encode>(
		_: DutyKind,
		_: MinerId,
		_: u32,
		_: &Items,
		_: &Option<hot_key::Signature>,
	) -> TransactionValidityWithRefund {
		Err(InvalidTransaction::Call.into())
	}

	fn authorize_weight(_: u32) -> Weight {
		Weight::zero()
	}

	fn enter(_: RuntimeOrigin, _: DutyKind, _: MinerId, _: u32) -> Result<(), DispatchError> {
		Err(DispatchError::BadOrigin)
	}

	fn enter_weight() -> Weight {
		Weight::zero()
	}

	fn charge_wrong(_: MinerId) {}
}

/// The life of a stored file.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum FileState {
	/// The storage order runs: not every fragment is confirmed yet.
	#[codec(index = 0)]
	Pending,
	/// Every fragment was confirmed.
	#[codec(index = 1)]
	Active,
	/// Its owner deleted it; its segments are being removed.
	#[codec(index = 2)]
	Deleting,
	/// The storage order failed; its segments are being removed.
	#[codec(index = 3)]
	Failed,
}

impl FileState {
	/// Whether fragments can still be confirmed, restored and proven.
	pub const fn is_alive(self) -> bool {
		matches!(self, Self::Pending | Self::Active)
	}
}

/// A segment together with what its file says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
	/// The stored instance.
	pub file: FileIndex,
	/// The content.
	pub file_id: FileId,
	/// The file's size and coding.
	pub spec: FileSpec,
	/// The segment's number in the file.
	pub number: u32,
	/// The file's state.
	pub state: FileState,
	/// The segment.
	pub segment: Segment,
}

impl SegmentInfo {
	/// The length of each of its fragments.
	pub fn fragment_len(&self) -> u64 {
		u64::from(self.spec.fragment_len(self.number))
	}

	/// Present fragments: confirmed, held by a miner that serves, and not under restoration unless
	/// they are only moving away from a miner that leaves.
	///
	/// `missing` are the fragments, bit by bit, that are under restoration because their holders do
	/// not have them: they are not present, even if the holder leaves and still serves.
	pub fn present(&self, standing: impl Fn(MinerId) -> Option<Standing>, missing: u64) -> u8 {
		let mut present = 0;
		for index in (0..self.segment.fragments()).filter(|i| self.segment.is_confirmed(*i)) {
			let standing = self.segment.holder(index).and_then(&standing);
			present += u8::from(match standing {
				Some(standing) if !self.segment.is_restoring(index) => standing.serves(),
				Some(Standing::Leaving { expelled: false }) => missing & bit(index) == 0,
				_ => false,
			});
		}
		present
	}

	/// How many more fragments could be missing before the segment cannot be restored; negative
	/// where it cannot.
	pub fn spare(&self, standing: impl Fn(MinerId) -> Option<Standing>, missing: u64) -> i16 {
		i16::from(self.present(standing, missing)) - i16::from(self.spec.data())
	}
}

/// What is stored.
pub trait Fragments {
	/// The segment with what its file says about it.
	fn get(segment: SegmentId) -> Option<SegmentInfo>;
}

impl Fragments for () {
	fn get(_: SegmentId) -> Option<SegmentInfo> {
		None
	}
}

/// Changes who has what. Only files does, and it moves the miners' ledgers.
pub trait Custody {
	/// Sets or clears the bit that says that a restore order exists.
	fn set_restoring(fragment: FragmentId, restoring: bool) -> DispatchResult;

	/// Hands a confirmed fragment over: takes it off its holder's ledger and settles the claim of
	/// the new one, or leaves it to nobody.
	fn hand_over(fragment: FragmentId, to: Option<MinerId>) -> DispatchResult;

	/// Counts the segment as lost in its file, or no longer. The caller does so once per verdict.
	fn set_lost(segment: SegmentId, lost: bool) -> DispatchResult;
}

impl Custody for () {
	fn set_restoring(_: FragmentId, _: bool) -> DispatchResult {
		Ok(())
	}

	fn hand_over(_: FragmentId, _: Option<MinerId>) -> DispatchResult {
		Ok(())
	}

	fn set_lost(_: SegmentId, _: bool) -> DispatchResult {
		Ok(())
	}
}

/// Opens restore orders on the chain's own account.
pub trait OpenOrder {
	/// Opens an order for a fragment whose holder failed a challenge: anyone but the holder may
	/// claim it. Where one is open because the holder leaves, it is no longer only a copy.
	fn open(fragment: FragmentId) -> DispatchResult;

	/// The weight of that.
	fn weight() -> Weight;
}

impl OpenOrder for () {
	fn open(_: FragmentId) -> DispatchResult {
		Ok(())
	}

	fn weight() -> Weight {
		Weight::zero()
	}
}

/// The prepaid capacity a file's bytes come out of.
pub trait SpaceLedger<AccountId> {
	/// Reserves a new order's bytes of `payer`, on whose behalf `by` acts.
	fn reserve(payer: &AccountId, by: &AccountId, bytes: u64) -> DispatchResult;

	/// Gives the reservation of an order that failed back.
	fn release(payer: &AccountId, bytes: u64);

	/// Turns the reservation of an order that became active into use.
	fn settle(payer: &AccountId, bytes: u64);

	/// Frees the bytes of a file that is removed.
	fn free(payer: &AccountId, bytes: u64);
}

impl<AccountId: PartialEq> SpaceLedger<AccountId> for () {
	/// Without space nobody has authorised anybody else.
	fn reserve(payer: &AccountId, by: &AccountId, _: u64) -> DispatchResult {
		if payer == by { Ok(()) } else { Err(DispatchError::BadOrigin) }
	}

	fn release(_: &AccountId, _: u64) {}

	fn settle(_: &AccountId, _: u64) {}

	fn free(_: &AccountId, _: u64) {}
}

/// Told by miners when one has departed.
pub trait OnDeparture {
	/// The miner holds and claims nothing any more, and no duty of it is accepted again. Drops what
	/// is kept about it, in a constant number of writes, which are part of the weight of its departure.
	fn on_departure(miner: MinerId);
}

impl OnDeparture for () {
	fn on_departure(_: MinerId) {}
}

/// Told by files when a segment is gone.
pub trait OnSegmentRemoved {
	/// The segment is gone: so are its orders and its verdict; claims on it are released.
	/// `fragment_len` is the length of each of its fragments.
	fn on_segment_removed(id: SegmentId, segment: Segment, fragment_len: u64);

	/// The weight of that for a segment of `fragments` fragments, all of them under restoration.
	fn weight(fragments: u32) -> Weight;
}

impl OnSegmentRemoved for () {
	fn on_segment_removed(_: SegmentId, _: Segment, _: u64) {}

	fn weight(_: u32) -> Weight {
		Weight::zero()
	}
}
