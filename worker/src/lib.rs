// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a miner should do next: a pure function of the chain and of what is done.
//!
//! [`step`] looks at the chain as it is after one block ([`ChainView`]), at what the engine on the
//! same machine says it has done ([`Done`]), and at what it remembers of its own submissions
//! ([`Memory`]). It answers with the complete set of jobs for the engine and the transactions to
//! submit now ([`Step`]). It has no clock, does no I/O and keeps nothing else.
//!
//! Any of its inputs may be missing, old or from another fork. Whatever is submitted is checked
//! by the chain again, so the worst that comes of it is a refused transaction; whatever was lost
//! is submitted again after [`RESUBMIT`] blocks.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod memory;

pub mod planner;

#[cfg(test)]
mod tests;

pub use memory::Memory;

use alloc::vec::Vec;
use planaria_primitives::{
	FragmentId, FragmentName, FragmentProof, MinerId, SegmentId, Tick,
	mailbox::{Chore, Done, Healed, Job, JobKind, MAX_LISTED, ProofItem, Wanted},
};

/// After how many blocks without an effect a submission is repeated: two blocks from job to
/// inclusion, one for a session's rotation, and some for a fork.
pub const RESUBMIT: u32 = 6;

/// How many restore orders one submission names at most.
pub const MAX_BATCH: usize = 64;

/// How many proofs one report carries at most: 24 of the longest stay below 64 KiB.
pub const MAX_PROOFS: usize = 24;

/// The miner this worker acts for, as the chain sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Me {
	/// The miner.
	pub miner: MinerId,
	/// Whether it may take new data: placements and claims.
	pub takes_data: bool,
	/// How many more restore orders it may claim.
	pub claims_left: u32,
	/// How many miners there are.
	pub miners: u32,
	/// When a duty was last accepted from it.
	pub last_seen: Tick,
	/// After how many ticks of silence it should say that it is alive.
	pub alive_every: Tick,
}

/// A fragment as the chain sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FragmentView {
	/// Its name off chain.
	pub name: FragmentName,
	/// Whom it is assigned to.
	pub holder: Option<MinerId>,
	/// Whether its holder confirmed it.
	pub confirmed: bool,
	/// Whether its file can still be confirmed and restored.
	pub alive: bool,
	/// Whether this miner holds another fragment of the segment: it cannot hold this one too.
	pub holds_sibling: bool,
	/// Whether this miner may claim its order, or open one for it, as far as the order, the
	/// segment, its holder and the brake go.
	pub takeable: bool,
	/// How many more fragments of its segment may go missing.
	pub spare: i16,
	/// Its restore order.
	pub order: Option<OrderView>,
}

/// A restore order as the chain sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderView {
	/// Open to claims; an expired claim is.
	Unclaimed,
	/// Claimed, and the deadline has not passed.
	Claimed {
		/// By whom.
		by: MinerId,
		/// Until when.
		deadline: Tick,
		/// Whether it is part of its claimer's batch.
		ready: bool,
	},
	/// Nothing needs to be restored any more: anyone may tidy it up.
	Void,
}

/// A batch this miner declared ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchView {
	/// The fragments and chunks that the report must prove, in the report's order; `None` until
	/// the next block's beacon is known.
	pub asked: Option<Vec<(FragmentId, u32)>>,
}

/// The chain after one block.
pub trait ChainView {
	/// The block's height.
	fn height(&self) -> u32;
	/// The network's clock.
	fn now(&self) -> Tick;
	/// The miner, while it is registered and can be asked for duties.
	fn me(&self) -> Option<Me>;
	/// A fragment.
	fn fragment(&self, id: FragmentId) -> Option<FragmentView>;
	/// The restore orders this miner has claimed, at most [`MAX_LISTED`].
	fn claims(&self) -> Vec<FragmentId>;
	/// The batch this miner declared ready, while it can still be reported.
	fn batch(&self) -> Option<BatchView>;
	/// Whether the chore would have an effect now.
	fn is_due(&self, chore: &Chore) -> bool;
	/// How many transactions the hot key's account has signed.
	fn nonce(&self) -> u32;
}

/// A transaction to submit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submit {
	/// The duty to confirm what was put.
	Confirm(Vec<FragmentId>),
	/// The duty to say that the miner is there.
	Alive,
	/// The duty to declare restored fragments ready.
	Ready(Vec<FragmentId>),
	/// The duty to prove the batch, in the order the chain asked.
	Report(Vec<FragmentProof>),
	/// Signed: open orders, for this miner's own broken fragments or for a target's.
	Open(Vec<FragmentId>),
	/// Signed: claim unclaimed orders.
	Claim(Vec<FragmentId>),
	/// Signed: give claims back.
	GiveBack(Vec<FragmentId>),
	/// Signed: decline what cannot be restored to what its file's id commits to.
	Decline(Vec<FragmentId>),
	/// Signed: cancel the order for an own fragment that is whole again.
	Cancel(Healed),
	/// Signed: mark a miner absent.
	MarkAbsent(MinerId),
	/// Signed: expel a miner that was absent for too long.
	ExpelAbsent(MinerId),
	/// Signed: let a leaving miner go that holds nothing any more.
	Finish(MinerId),
	/// Signed: have a segment judged.
	CheckSegment(SegmentId),
	/// Signed: tidy up orders.
	Tidy(Vec<FragmentId>),
}

impl Submit {
	/// Whether it is a fee-less duty; if not, it is signed by the hot key's account.
	pub const fn is_duty(&self) -> bool {
		matches!(self, Self::Confirm(_) | Self::Alive | Self::Ready(_) | Self::Report(_))
	}
}

/// What a run of the worker comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
	/// The complete set of jobs; `None` where this node's keys are no miner's.
	pub wanted: Option<Wanted>,
	/// What to submit now: duties first, at most one signed transaction.
	pub submit: Vec<Submit>,
	/// What to remember.
	pub memory: Memory,
}

/// What this miner should do, given the chain after one block.
///
/// `proofs` are what the engine made for the jobs of an earlier step.
pub fn step(chain: &impl ChainView, done: &Done, proofs: &[ProofItem], memory: Memory) -> Step {
	let Some(me) = chain.me() else {
		return Step { wanted: None, submit: Vec::new(), memory: Memory::default() };
	};
	let mut run = Run { chain, me, height: chain.height(), memory, submit: Vec::new() };
	run.memory.forget_before(run.height);

	let claims = run.claims();
	// A batch of which nothing is left to prove is as good as none: a new one replaces it.
	let batch = chain.batch().filter(|batch| batch.asked.as_ref().is_none_or(|a| !a.is_empty()));
	let jobs = run.jobs(&claims, batch.as_ref());

	run.report(batch.as_ref(), proofs);
	run.ready(&claims, batch.as_ref(), done);
	run.confirm(done);
	run.alive();
	run.signed(&claims, done);

	let wanted = Wanted { miner: me.miner, height: run.height, jobs };
	Step { wanted: Some(wanted), submit: run.submit, memory: run.memory }
}

/// A claim of this miner that has not expired.
struct Claim {
	fragment: FragmentId,
	view: FragmentView,
	deadline: Tick,
	ready: bool,
}

impl Claim {
	/// Whether the miner was given another fragment of the segment since it claimed this one: the
	/// chain would not accept it.
	const fn is_in_vain(&self) -> bool {
		self.view.holds_sibling
	}
}

struct Run<'a, C> {
	chain: &'a C,
	me: Me,
	height: u32,
	memory: Memory,
	submit: Vec<Submit>,
}

impl<C: ChainView> Run<'_, C> {
	/// The claims that can still be reported, the earliest deadline first.
	fn claims(&self) -> Vec<Claim> {
		let mut claims: Vec<_> = self
			.chain
			.claims()
			.into_iter()
			.filter_map(|fragment| {
				let view = self.chain.fragment(fragment).filter(|view| view.alive)?;
				match view.order? {
					OrderView::Claimed { by, deadline, ready } if by == self.me.miner => {
						Some(Claim { fragment, view, deadline, ready })
					},
					_ => None,
				}
			})
			.collect();
		claims.sort_by_key(|claim| (claim.deadline, claim.fragment));
		claims
	}

	/// Proofs first: they are what a deadline is closest for.
	fn jobs(&self, claims: &[Claim], batch: Option<&BatchView>) -> Vec<Job> {
		let asked = batch.and_then(|batch| batch.asked.as_deref()).unwrap_or_default();
		let prove = asked.iter().take(MAX_PROOFS).filter_map(|(fragment, chunk)| {
			let name = self.chain.fragment(*fragment)?.name;
			Some(JobKind::Prove { fragment: *fragment, name, chunk: *chunk })
		});
		// What is to be given back need not be restored.
		let restore = claims.iter().filter(|claim| !claim.is_in_vain());
		let restore = restore.map(|claim| JobKind::Restore {
			fragment: claim.fragment,
			name: claim.view.name,
			deadline: claim.deadline,
		});
		prove.chain(restore).map(Into::into).collect()
	}

	/// Reports once every proof that is asked for is there.
	fn report(&mut self, batch: Option<&BatchView>, proofs: &[ProofItem]) {
		let Some(asked) = batch.and_then(|batch| batch.asked.as_deref()) else { return };
		let proofs: Option<Vec<_>> = asked
			.iter()
			.map(|(fragment, chunk)| {
				proofs
					.iter()
					.find(|item| item.fragment == *fragment && item.chunk == *chunk)
					.map(|item| item.proof.clone())
			})
			.collect();
		let Some(proofs) = proofs.filter(|proofs| proofs.len() <= MAX_PROOFS) else { return };
		if self.memory.may_report(asked, self.height) {
			self.submit.push(Submit::Report(proofs));
		}
	}

	/// Declares ready what is restored, unless a batch is under way.
	///
	/// The chain proves every fragment of a segment with a spare of at most 1, so no more of those
	/// go into one batch than one report can carry.
	fn ready(&mut self, claims: &[Claim], batch: Option<&BatchView>, done: &Done) {
		if batch.is_some() {
			self.memory.ready_is_in();
			return;
		}
		let mut thin = 0;
		let ready: Vec<_> = claims
			.iter()
			.filter(|claim| !claim.ready && !claim.is_in_vain())
			.filter(|claim| done.restored.contains(&claim.fragment))
			.filter(|claim| {
				thin += usize::from(claim.view.spare <= 1);
				claim.view.spare > 1 || thin <= MAX_PROOFS - SAMPLE
			})
			.map(|claim| claim.fragment)
			.take(MAX_BATCH)
			.collect();
		if !ready.is_empty() && self.memory.may_ready(self.height) {
			self.submit.push(Submit::Ready(ready));
		}
	}

	/// Confirms what was put and is durable.
	fn confirm(&mut self, done: &Done) {
		let mut items = Vec::new();
		for fragment in &done.stored {
			let Some(view) = self.chain.fragment(*fragment) else { continue };
			let mine = view.alive && view.holder == Some(self.me.miner) && !view.confirmed;
			if mine && items.len() < MAX_LISTED && self.memory.may_confirm(*fragment, self.height) {
				items.push(*fragment);
			}
		}
		if !items.is_empty() {
			self.submit.push(Submit::Confirm(items));
		}
	}

	/// Any duty says that the miner is there; without one it says so itself.
	fn alive(&mut self) {
		let silent = self.chain.now().saturating_sub(self.me.last_seen);
		if self.submit.is_empty()
			&& silent >= self.me.alive_every
			&& self.memory.may_say_alive(self.height)
		{
			self.submit.push(Submit::Alive);
		}
	}

	/// At most one signed transaction at a time, so that nonces never cross: what saves data
	/// first, then what frees others to act, then new work, then the rest of the chores.
	fn signed(&mut self, claims: &[Claim], done: &Done) {
		let nonce = self.chain.nonce();
		if !self.memory.may_sign(nonce) {
			return;
		}
		let submit = self
			.open_own(done)
			.or_else(|| give_back(claims, done))
			.or_else(|| decline(claims, done))
			.or_else(|| self.cancel(done))
			.or_else(|| self.chore(done, unlocks))
			.or_else(|| self.take_over(done))
			.or_else(|| self.chore(done, |chore| !unlocks(chore)));
		if let Some(submit) = submit {
			self.memory.signed(nonce, self.height);
			self.submit.push(submit);
		}
	}

	fn open_own(&self, done: &Done) -> Option<Submit> {
		let own = |view: FragmentView| {
			view.alive
				&& view.confirmed
				&& view.order.is_none()
				&& view.holder == Some(self.me.miner)
		};
		some(Submit::Open, self.select(&done.broken, MAX_BATCH, own))
	}

	fn cancel(&self, done: &Done) -> Option<Submit> {
		let healed = done.healed.iter().find(|healed| {
			self.chain.fragment(healed.fragment).is_some_and(|view| {
				view.holder == Some(self.me.miner) && view.order == Some(OrderView::Unclaimed)
			})
		})?;
		Some(Submit::Cancel(healed.clone()))
	}

	/// Claims unclaimed orders, or opens those of restore targets, in the engine's order of
	/// preference.
	fn take_over(&self, done: &Done) -> Option<Submit> {
		if !self.me.takes_data {
			return None;
		}
		let room = usize::try_from(self.me.claims_left).unwrap_or(MAX_BATCH).min(MAX_BATCH);
		let takeable = |view: &FragmentView| view.alive && view.takeable;
		let unclaimed =
			|view: FragmentView| takeable(&view) && view.order == Some(OrderView::Unclaimed);
		let unopened = |view: FragmentView| takeable(&view) && view.order.is_none();
		some(Submit::Claim, self.select(&done.found, room, unclaimed))
			.or_else(|| some(Submit::Open, self.select(&done.found, room, unopened)))
	}

	/// A chore of a kind, if one is due and this miner's turn has come.
	///
	/// Many miners find the same chores at the same time, and all but one of them would pay for
	/// nothing: so each is drawn for each block, with such odds that about one of them goes ahead.
	fn chore(&self, done: &Done, kind: impl Fn(&Chore) -> bool) -> Option<Submit> {
		let due = |chore: &&Chore| {
			kind(chore)
				&& planner::is_drawn(self.me.miner, self.height, chore, finders(chore, &self.me))
				&& self.chain.is_due(chore)
		};
		let mut chores = done.chores.iter().filter(due);
		Some(match *chores.next()? {
			Chore::MarkAbsent(miner) => Submit::MarkAbsent(miner),
			Chore::ExpelAbsent(miner) => Submit::ExpelAbsent(miner),
			Chore::Finish(miner) => Submit::Finish(miner),
			Chore::CheckSegment(segment) => Submit::CheckSegment(segment),
			Chore::Tidy(first) => {
				let more = chores.filter_map(|chore| match chore {
					Chore::Tidy(fragment) if *fragment != first => Some(*fragment),
					_ => None,
				});
				Submit::Tidy(core::iter::once(first).chain(more).take(MAX_BATCH).collect())
			},
		})
	}

	/// The first `limit` of the listed fragments that are as wanted, each once, and of one segment
	/// only one: a miner restores at most one fragment of a segment.
	fn select(
		&self,
		listed: &[FragmentId],
		limit: usize,
		wanted: impl Fn(FragmentView) -> bool,
	) -> Vec<FragmentId> {
		let mut selected: Vec<FragmentId> = Vec::new();
		for id in listed {
			if selected.len() == limit {
				break;
			}
			if selected.iter().all(|other| other.segment != id.segment)
				&& self.chain.fragment(*id).is_some_and(&wanted)
			{
				selected.push(*id);
			}
		}
		selected
	}
}

/// How many proofs a report carries by the seed's choice alone.
const SAMPLE: usize = planaria_primitives::sampling::SAMPLE as usize;

fn give_back(claims: &[Claim], done: &Done) -> Option<Submit> {
	let hopeless =
		claims.iter().filter(|claim| claim.is_in_vain() || done.hopeless.contains(&claim.fragment));
	some(Submit::GiveBack, ended(hopeless))
}

fn decline(claims: &[Claim], done: &Done) -> Option<Submit> {
	some(
		Submit::Decline,
		ended(claims.iter().filter(|claim| done.declined.contains(&claim.fragment))),
	)
}

/// The fragments of claims that may be ended: what is part of a batch may not.
fn ended<'a>(claims: impl Iterator<Item = &'a Claim>) -> Vec<FragmentId> {
	claims.filter(|claim| !claim.ready).map(|claim| claim.fragment).take(MAX_BATCH).collect()
}

/// Whether others can do more once the chore is done.
const fn unlocks(chore: &Chore) -> bool {
	matches!(chore, Chore::MarkAbsent(_) | Chore::CheckSegment(_))
}

/// How many miners are likely to have found the chore: all find the miners it is about, some are
/// responsible for a segment.
fn finders(chore: &Chore, me: &Me) -> u32 {
	/// How many are responsible for a segment.
	const RESPONSIBLE: u32 = 40;
	match chore {
		Chore::MarkAbsent(_) | Chore::ExpelAbsent(_) | Chore::Finish(_) => me.miners,
		Chore::CheckSegment(_) | Chore::Tidy(_) => me.miners.min(RESPONSIBLE),
	}
}

fn some(submit: fn(Vec<FragmentId>) -> Submit, fragments: Vec<FragmentId>) -> Option<Submit> {
	(!fragments.is_empty()).then(|| submit(fragments))
}
