// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can be done, and how often it is tried.

use proptest::prelude::*;
use std::fmt;

/// A number by which one of the things that there are is picked, when it comes to that.
#[derive(Clone, Copy)]
pub struct Pick(u16);

impl Pick {
	/// One of these, if there are any.
	pub fn of<Item: Clone>(self, items: &[Item]) -> Option<Item> {
		items.get(usize::from(self.0).checked_rem(items.len())?).cloned()
	}

	/// A number below this one.
	pub fn below(self, end: u32) -> u32 {
		u32::from(self.0) % end
	}

	/// Another number that follows from this one.
	pub fn next(self) -> Self {
		Self(self.0.wrapping_mul(25_173).wrapping_add(13_849))
	}
}

impl fmt::Debug for Pick {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}", self.0)
	}
}

fn pick() -> impl Strategy<Value = Pick> {
	any::<u16>().prop_map(Pick)
}

/// A step. What it is about is picked from what it can be done with at that time; where there is
/// nothing, it is not done.
#[derive(Clone, Copy, Debug)]
pub enum Op {
	// Miners.
	Register(Pick),
	TopUp(Pick),
	SetDeclared(Pick),
	SetHotKey(Pick),
	SetEndpoint(Pick),
	Exit(Pick),
	Finish(Pick),
	Withdraw(Pick),
	TidyMiner(Pick),
	/// All that are due say that they are there, but for one of so many.
	Alive {
		silent: Pick,
	},
	/// An absent miner comes back.
	Return(Pick),
	MarkAbsent(Pick),
	ExpelAbsent(Pick),
	/// As an audit has it.
	Suspend(Pick),
	Reinstate(Pick),

	// Files.
	Order(Pick),
	Place(Pick),
	Confirm(Pick),
	/// All miners of a file confirm what they can.
	ConfirmFile(Pick),
	Delete(Pick),
	TidyFiles(Pick),

	// Restore orders.
	/// A holder finds that it does not have a fragment.
	OpenOwn(Pick),
	/// A miner takes over what a restore target holds.
	OpenTarget(Pick),
	Claim(Pick),
	GiveBack(Pick),
	Decline(Pick),
	/// A challenge failed.
	Challenge(Pick),
	Cancel(Pick),
	CancelWithout(Pick),
	Ready(Pick),
	Report(Pick),
	ReportWrong(Pick),
	TidyOrders(Pick),
	CheckSegment(Pick),
	/// Money moves for what is lost.
	SettleLoss(Pick),

	// Money.
	Buy(Pick),
	Grow(Pick),
	Renew(Pick),
	Close(Pick),
	Authorise(Pick),
	Revoke(Pick),
	/// An operator orders a file in an owner's name.
	OrderFor(Pick),
	/// A miner's earnings are paid.
	Earn(Pick),
	Burn,

	// Audits.
	/// Somebody has a fragment challenged.
	Name(Pick),
	/// All that are asked answer, but for one of so many, which fails in time.
	Answer {
		silent: Pick,
	},
	AnswerWrong(Pick),

	// Anybody does anything.
	Wild(Wild, Pick),

	// The network.
	SetParams(Pick),
	Blocks(u8),
	/// Slots without a block.
	Skip(u8),
	/// A block without room for a duty.
	FullBlock,
	/// Root stops the clock, or lets it go on.
	SetRunning(bool),
}

/// A call with whatever comes to mind.
#[derive(Clone, Copy, Debug)]
pub enum Wild {
	Place,
	Confirm,
	Delete,
	Open,
	Claim,
	GiveBack,
	Decline,
	Cancel,
	Ready,
	Report,
	Tidy,
	Name,
	Answer,
	TidyAudits,
	Exit,
	Finish,
	Withdraw,
	MarkAbsent,
	ExpelAbsent,
	Grow,
	TidySpace,
	Collect,
}

impl Op {
	/// What this is counted as.
	pub fn kind(&self) -> String {
		let name = format!("{self:?}");
		name.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
	}
}

fn wild() -> impl Strategy<Value = Wild> {
	use Wild::*;
	prop_oneof![
		3 => Just(Place),
		1 => Just(Confirm),
		1 => Just(Delete),
		1 => Just(Open),
		2 => Just(Claim),
		1 => Just(GiveBack),
		1 => Just(Decline),
		1 => Just(Cancel),
		2 => Just(Ready),
		2 => Just(Report),
		1 => Just(Tidy),
		1 => Just(Name),
		1 => Just(Answer),
		1 => Just(TidyAudits),
		1 => Just(Exit),
		1 => Just(Finish),
		1 => Just(Withdraw),
		1 => Just(MarkAbsent),
		1 => Just(ExpelAbsent),
		1 => Just(Grow),
		1 => Just(TidySpace),
		1 => Just(Collect),
	]
}

fn op() -> impl Strategy<Value = Op> {
	use Op::*;
	let miners = prop_oneof![
		2 => pick().prop_map(Register),
		2 => pick().prop_map(TopUp),
		1 => pick().prop_map(SetDeclared),
		1 => pick().prop_map(SetHotKey),
		1 => pick().prop_map(SetEndpoint),
		2 => pick().prop_map(Exit),
		5 => pick().prop_map(Finish),
		2 => pick().prop_map(Withdraw),
		3 => pick().prop_map(TidyMiner),
		6 => pick().prop_map(|silent| Alive { silent }),
		4 => pick().prop_map(Return),
		5 => pick().prop_map(MarkAbsent),
		5 => pick().prop_map(ExpelAbsent),
		1 => pick().prop_map(Suspend),
		2 => pick().prop_map(Reinstate),
	];
	let files = prop_oneof![
		4 => pick().prop_map(Order),
		5 => pick().prop_map(Place),
		3 => pick().prop_map(Confirm),
		6 => pick().prop_map(ConfirmFile),
		1 => pick().prop_map(Delete),
		2 => pick().prop_map(TidyFiles),
	];
	let orders = prop_oneof![
		6 => pick().prop_map(OpenOwn),
		8 => pick().prop_map(OpenTarget),
		8 => pick().prop_map(Claim),
		2 => pick().prop_map(GiveBack),
		3 => pick().prop_map(Decline),
		2 => pick().prop_map(Challenge),
		2 => pick().prop_map(Cancel),
		1 => pick().prop_map(CancelWithout),
		8 => pick().prop_map(Ready),
		9 => pick().prop_map(Report),
		2 => pick().prop_map(ReportWrong),
		5 => pick().prop_map(TidyOrders),
		4 => pick().prop_map(CheckSegment),
		1 => pick().prop_map(SettleLoss),
	];
	let money = prop_oneof![
		3 => pick().prop_map(Buy),
		2 => pick().prop_map(Grow),
		3 => pick().prop_map(Renew),
		1 => pick().prop_map(Close),
		3 => pick().prop_map(Authorise),
		1 => pick().prop_map(Revoke),
		4 => pick().prop_map(OrderFor),
		4 => pick().prop_map(Earn),
		2 => Just(Burn),
	];
	let audits = prop_oneof![
		3 => pick().prop_map(Name),
		8 => pick().prop_map(|silent| Answer { silent }),
		1 => pick().prop_map(AnswerWrong),
	];
	let network = prop_oneof![
		2 => pick().prop_map(SetParams),
		20 => (1..4u8).prop_map(Blocks),
		5 => (4..14u8).prop_map(Blocks),
		2 => (1..20u8).prop_map(Skip),
		1 => Just(FullBlock),
		2 => any::<bool>().prop_map(SetRunning),
	];
	prop_oneof![
		30 => miners,
		25 => files,
		50 => orders,
		20 => money,
		20 => audits,
		30 => network,
		8 => (wild(), pick()).prop_map(|(wild, pick)| Wild(wild, pick)),
	]
}

/// At most so many steps.
pub fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
	prop::collection::vec(op(), 1..=most)
}
