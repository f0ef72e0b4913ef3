// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The seams between the pallets, and the types that cross them.
//!
//! `audit -> restore -> files -> {miners, space}`, `{restore, space} -> rewards -> miners`, all of
//! them `-> clock`. Callbacks go up: [`OnSegmentRemoved`], [`OnSegmentStored`] and [`OnConfirmed`]
//! from files to restore and audit, [`OnSpaceLapsed`] from space to files, [`OnEarningChange`] and
//! [`OnDeparture`] from miners to rewards, restore and audit.

// The derives of the codec cast the variants' indices, which are constants.
#![allow(clippy::cast_possible_truncation)]

use crate::{StandingPage, hot_key, standings::PAGE};
use alloc::vec::Vec;
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

	/// How the network sees the miner, if it is registered. Less to read than all of it.
	fn standing(miner: MinerId) -> Option<Standing> {
		Self::get(miner).map(|info| info.standing)
	}

	/// The standings of all miners on a page.
	fn standings(page: u32) -> StandingPage {
		let first = page.saturating_mul(PAGE);
		let mut standings = StandingPage::default();
		for miner in (first..first.saturating_add(PAGE)).map(MinerId) {
			if let Some(standing) = Self::standing(miner) {
				standings.set(miner, Some(standing));
			}
		}
		standings
	}
}

impl<AccountId> MinerDirectory<AccountId> for () {
	fn by_account(_: &AccountId) -> Option<MinerId> {
		None
	}

	fn get(_: MinerId) -> Option<MinerInfo<AccountId>> {
		None
	}
}

/// How many miners there are.
pub trait MinerCount {
	/// The id of the next miner to be registered: all ids are below, and none is used twice.
	fn next_id() -> MinerId;

	/// How many miners are registered and have not departed.
	fn registered() -> u32;
}

impl MinerCount for () {
	fn next_id() -> MinerId {
		MinerId(0)
	}

	fn registered() -> u32 {
		0
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

	/// Gives a reservation back. Where it was made for a placement, and the miner has departed without
	/// ever confirming it, it is gone already.
	fn release(miner: MinerId, bytes: u64, purpose: Purpose);

	/// Turns a reservation into one fragment held.
	fn settle(miner: MinerId, bytes: u64, purpose: Purpose);

	/// Takes one held fragment off.
	fn forget(miner: MinerId, bytes: u64);

	/// Takes fragments off those who held them, and settles the claims of those who hold them now.
	fn moved(moves: &[Moved]) {
		for Moved { from, to, bytes } in moves {
			if let Some(from) = from {
				Self::forget(*from, *bytes);
			}
			if let Some(to) = to {
				Self::settle(*to, *bytes, Purpose::Claim);
			}
		}
	}
}

/// A fragment that has changed hands, which the ledger is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the bytes have to move, too"]
pub struct Moved {
	/// Who held it.
	pub from: Option<MinerId>,
	/// Who holds it now.
	pub to: Option<MinerId>,
	/// Its length.
	pub bytes: u64,
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

	/// What so many bytes require, beside what every miner has at stake.
	fn for_bytes(bytes: u64) -> Balance;

	/// Moves up to `amount` of the miner's collateral to `to`, or burns it where `to` is `None`;
	/// returns what was moved.
	fn pay(miner: MinerId, to: Option<&AccountId>, amount: Balance) -> Balance;

	/// Moves up to `amount` from `from` into the miner's collateral, and returns what was moved:
	/// nothing where the miner has none any more.
	fn give(miner: MinerId, from: &AccountId, amount: Balance) -> Balance;
}

impl<AccountId, Balance: Default> Collateral<AccountId, Balance> for () {
	fn required(_: MinerId) -> Balance {
		Balance::default()
	}

	fn for_bytes(_: u64) -> Balance {
		Balance::default()
	}

	fn pay(_: MinerId, _: Option<&AccountId>, _: Balance) -> Balance {
		Balance::default()
	}

	fn give(_: MinerId, _: &AccountId, _: Balance) -> Balance {
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
	/// Gives the miner no new data and no rewards, until it is reinstated; also one that leaves.
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
	/// anchor is used up; of a signed one, the signer is the miner's hot key or stash. Returns what
	/// that weighed.
	fn enter(
		origin: RuntimeOrigin,
		kind: DutyKind,
		miner: MinerId,
		anchor: u32,
	) -> Result<Weight, DispatchError>;

	/// The weight of `enter` at most: the miner was absent.
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

	fn enter(_: RuntimeOrigin, _: DutyKind, _: MinerId, _: u32) -> Result<Weight, DispatchError> {
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
	/// Its owner deleted it, or the owner's space has lapsed; its segments are being removed.
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

	/// Present fragments: confirmed, and held by a miner that serves and has them, under restoration
	/// or not: one that leaves serves what moves away from it, and one that was absent and came back
	/// has what others have claimed meanwhile.
	///
	/// `missing` are the fragments, bit by bit, that are under restoration because their holders do
	/// not have them.
	pub fn present(&self, standing: impl Fn(MinerId) -> Option<Standing>, missing: u64) -> u8 {
		self.count(standing, missing, self.segment.fragments())
	}

	/// Present fragments, not counted further than to `enough`.
	pub fn count(
		&self,
		standing: impl Fn(MinerId) -> Option<Standing>,
		missing: u64,
		enough: u8,
	) -> u8 {
		let present = (0..self.segment.fragments())
			.filter(|index| self.is_present(*index, &standing, missing))
			.take(enough.into());
		// There are at most 64.
		u8::try_from(present.count()).unwrap_or(u8::MAX)
	}

	/// Whether the fragment with this index is present.
	pub fn is_present(
		&self,
		index: u8,
		standing: impl Fn(MinerId) -> Option<Standing>,
		missing: u64,
	) -> bool {
		let is_missing = self.segment.is_restoring(index) && missing & bit(index) != 0;
		self.segment.is_confirmed(index)
			&& !is_missing
			&& self.segment.holder(index).and_then(standing).is_some_and(Standing::serves)
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
///
/// Each is given the segment of the fragment as it is, and leaves it as it is from then on.
pub trait Custody {
	/// Sets or clears the bit that says that a restore order exists. Where it is set the caller has
	/// seen that the file is neither deleted nor failed.
	fn set_restoring(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		restoring: bool,
	) -> DispatchResult;

	/// Hands a confirmed fragment over to a miner that has claimed it, which clears the bit; or
	/// leaves it to nobody, which does not. The caller has the ledger told.
	fn hand_over(
		fragment: FragmentId,
		info: &mut SegmentInfo,
		to: Option<MinerId>,
	) -> Result<Moved, DispatchError>;

	/// Tells the miners' ledger what changed hands.
	fn moved(moves: &[Moved]);

	/// Counts the segment as lost in its file, or no longer. The caller does so once per verdict.
	fn set_lost(segment: SegmentId, lost: bool) -> DispatchResult;
}

/// Ends the payment for what was lost.
pub trait WriteOff<AccountId> {
	/// From now on nobody pays for this segment of a file that is stored. Returns whose it is.
	fn write_off(segment: SegmentId) -> Result<AccountId, DispatchError>;

	/// The segment can be restored again, and is paid for again if its owner has the space. Returns
	/// whether it is.
	fn take_back(segment: SegmentId) -> bool;
}

impl<AccountId> WriteOff<AccountId> for () {
	fn write_off(_: SegmentId) -> Result<AccountId, DispatchError> {
		Err(DispatchError::Unavailable)
	}

	fn take_back(_: SegmentId) -> bool {
		false
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

	/// Gives the reservation of an order back that failed, and that `by` had made at this tick.
	fn release(payer: &AccountId, by: &AccountId, bytes: u64, ordered: Tick);

	/// Turns the reservation of an order that became active into use.
	fn settle(payer: &AccountId, bytes: u64);

	/// Frees the bytes of a file that is removed.
	fn free(payer: &AccountId, bytes: u64);

	/// Whether `by` may act on behalf of `payer` now.
	fn may_act(payer: &AccountId, by: &AccountId) -> bool;
}

impl<AccountId: PartialEq> SpaceLedger<AccountId> for () {
	/// Without space nobody has authorised anybody else.
	fn reserve(payer: &AccountId, by: &AccountId, _: u64) -> DispatchResult {
		if payer == by { Ok(()) } else { Err(DispatchError::BadOrigin) }
	}

	fn release(_: &AccountId, _: &AccountId, _: u64, _: Tick) {}

	fn settle(_: &AccountId, _: u64) {}

	fn free(_: &AccountId, _: u64) {}

	fn may_act(payer: &AccountId, by: &AccountId) -> bool {
		payer == by
	}
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

/// Both are told, the first one first.
impl<A: OnDeparture, B: OnDeparture> OnDeparture for (A, B) {
	fn on_departure(miner: MinerId) {
		A::on_departure(miner);
		B::on_departure(miner);
	}
}

/// What a step of a lapsed space's removal did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lapsed {
	/// The file that was looked at: the next step goes on behind it.
	pub file: FileIndex,
	/// The bytes it gave back that were reserved.
	pub reserved: u64,
	/// The bytes it gave back that were used.
	pub used: u64,
}

/// Told by space that nothing is paid for any more of what an account has stored.
pub trait OnSpaceLapsed<AccountId> {
	/// Begins the removal of the account's file that comes behind `after`, or of its first one, and
	/// says what that gave back; `None` where there are no more. The caller changes its own ledger.
	fn on_space_lapsed(payer: AccountId, after: Option<FileIndex>) -> Option<Lapsed>;

	/// The weight of that.
	fn weight() -> Weight;
}

impl<AccountId> OnSpaceLapsed<AccountId> for () {
	fn on_space_lapsed(_: AccountId, _: Option<FileIndex>) -> Option<Lapsed> {
		None
	}

	fn weight() -> Weight {
		Weight::zero()
	}
}

/// Money finer than the token has parts: a grain is a 2^40th of the token's smallest part.
///
/// Where a TiB costs `price` for a tick, a byte costs `price` grains. So what is stored, however
/// little and however shortly, is paid for without ever rounding.
pub type Grains = u128;

/// An amount of the token's smallest parts in grains.
pub const fn grains(amount: u128) -> Grains {
	amount.saturating_mul(1 << GRAIN_BITS)
}

/// The token's smallest parts in so many grains, rounded down.
pub const fn whole(grains: Grains) -> u128 {
	grains >> GRAIN_BITS
}

/// The grains of the token's smallest part, as a power of two.
pub const GRAIN_BITS: u32 = 40;

/// What one payer's stored bytes let flow out of what was prepaid.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stream {
	/// The bytes that are paid for.
	pub bytes: u64,
	/// What flows for them in each tick.
	pub rate: Grains,
	/// The last tick that is paid for. A multiple of an era.
	pub ends: Tick,
}

/// Keeps what was paid in advance, and lets it flow to those who store.
pub trait Pot<AccountId> {
	/// Takes so many of the token's smallest parts from an account.
	fn fund(from: &AccountId, amount: u128) -> DispatchResult;

	/// Returns what is left of a payer's prepayment, in whole parts; the rest of it is nobody's.
	/// Returns what was moved: nothing where the account cannot receive it.
	fn refund(to: &AccountId, left: Grains) -> u128;

	/// From now on a payer's prepayment flows as `after` says, and no longer as `before` does. A
	/// stream that has ended flows no more, whatever it was.
	fn flow(before: Stream, after: Stream);
}

impl<AccountId> Pot<AccountId> for () {
	fn fund(_: &AccountId, _: u128) -> DispatchResult {
		Ok(())
	}

	fn refund(_: &AccountId, _: Grains) -> u128 {
		0
	}

	fn flow(_: Stream, _: Stream) {}
}

/// What changed about what a miner is paid for. A miner that was never heard of holds nothing, and
/// would earn with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EarningChange<AccountId> {
	/// It holds so many bytes from now on.
	Held(u64),
	/// It earns with them from now on, or no longer.
	Earns(bool),
	/// It has departed, and holds nothing. What is owed to it goes to its payee.
	Departed {
		/// Who receives what it earned.
		payee: AccountId,
	},
}

/// Told by miners whenever what a miner is paid for changes, at the tick it does.
pub trait OnEarningChange<AccountId> {
	/// This changes from now on.
	fn on_earning_change(miner: MinerId, change: EarningChange<AccountId>);
}

impl<AccountId> OnEarningChange<AccountId> for () {
	fn on_earning_change(_: MinerId, _: EarningChange<AccountId>) {}
}

/// A fragment that is to be restored, and who pays for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
	/// The fragment.
	pub fragment: FragmentId,
	/// Its bytes.
	pub bytes: u64,
	/// Who pays.
	pub holder: MinerId,
	/// Whether the fragment only moves away from its holder, who leaves.
	pub leaves: bool,
}

/// What the restoration of a fragment is worth to whoever does it, paid by the miner that does not
/// have it any more.
pub trait Bounties<AccountId> {
	/// Orders are open for these fragments. Their holders pay: half as much for what only leaves.
	/// Where one was open because it leaves, its holder pays the other half.
	fn open(wanted: Vec<Wanted>);

	/// This miner has proven these fragments, and holds them now.
	fn pay(fragments: Vec<FragmentId>, to: MinerId);

	/// Nothing was to be restored after all: whoever paid has it back. Does nothing where there is
	/// no bounty.
	fn give_back(fragment: FragmentId);

	/// The fragment is gone before anybody has restored it, and whoever paid did not have it: nobody
	/// gets the bounty.
	fn forfeit(fragment: FragmentId);

	/// The segment of this fragment of so many bytes is lost for good: `to` has what its bounty
	/// still is, and the rest of the collateral for these bytes. Where there is no bounty, `holder`
	/// pays it all, if there is one.
	fn compensate(fragment: FragmentId, bytes: u64, holder: Option<MinerId>, to: &AccountId);
}

impl<AccountId> Bounties<AccountId> for () {
	fn open(_: Vec<Wanted>) {}

	fn pay(_: Vec<FragmentId>, _: MinerId) {}

	fn give_back(_: FragmentId) {}

	fn forfeit(_: FragmentId) {}

	fn compensate(_: FragmentId, _: u64, _: Option<MinerId>, _: &AccountId) {}
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

/// Both are told, the first one first.
impl<A: OnSegmentRemoved, B: OnSegmentRemoved> OnSegmentRemoved for (A, B) {
	fn on_segment_removed(id: SegmentId, segment: Segment, fragment_len: u64) {
		A::on_segment_removed(id, segment.clone(), fragment_len);
		B::on_segment_removed(id, segment, fragment_len);
	}

	fn weight(fragments: u32) -> Weight {
		A::weight(fragments).saturating_add(B::weight(fragments))
	}
}

/// Told by files when a segment is stored.
pub trait OnSegmentStored {
	/// The last fragment of the segment was confirmed. It has so many, each of `fragment_len`
	/// bytes.
	fn on_segment_stored(id: SegmentId, fragments: u8, fragment_len: u64);

	/// The weight of that.
	fn weight() -> Weight;
}

impl OnSegmentStored for () {
	fn on_segment_stored(_: SegmentId, _: u8, _: u64) {}

	fn weight() -> Weight {
		Weight::zero()
	}
}

/// Told by files when a miner has confirmed fragments.
pub trait OnConfirmed {
	/// The miner confirmed these fragments, at least one, in one call.
	fn on_confirmed(miner: MinerId, fragments: Vec<FragmentId>);

	/// The weight of that for so many fragments.
	fn weight(fragments: u32) -> Weight;
}

impl OnConfirmed for () {
	fn on_confirmed(_: MinerId, _: Vec<FragmentId>) {}

	fn weight(_: u32) -> Weight {
		Weight::zero()
	}
}
