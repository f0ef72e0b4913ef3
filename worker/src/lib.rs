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
	FragmentId, FragmentName, FragmentProof, MinerId, SegmentId, THIN_SPARE, Tick,
	mailbox::{
		Chore, Done, Healed, Job, JobKind, MAX_LISTED, PROOF_PAGES, ProofItem, Proofs, Wanted,
	},
};

/// After how many blocks without an effect a submission is repeated: two blocks from job to
/// inclusion, one for a session's rotation, and some for a fork.
pub const RESUBMIT: u32 = 6;

/// How many restore orders one submission names at most.
pub const MAX_BATCH: usize = 64;

/// How many batches may be declared and not reported at once.
pub const MAX_BATCHES: usize = 4;

/// How many proofs one report, and how many one answer carries at most: 24 of the longest stay below
/// 64 KiB.
pub const MAX_PROOFS: usize = 24;

/// How many proofs the engine can hand over at a time.
const MAX_PROVEN: usize = PROOF_PAGES as usize * Proofs::PER_PAGE;

/// The miner this worker acts for, as the chain sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Me {
	/// The miner.
	pub miner: MinerId,
	/// Whether it may take new data: placements and claims.
	pub takes_data: bool,
	/// How many more restore orders it may claim.
	pub claims_left: u32,
	/// For how many ticks a claim is good.
	pub claim_period: Tick,
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
	/// The block it was declared in.
	pub at: u32,
	/// The fragments and chunks that the report must prove, in the report's order; `None` until
	/// its seed is known.
	pub asked: Option<Vec<(FragmentId, u32)>>,
}

/// A challenge of this miner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChallengeView {
	/// The fragment.
	pub fragment: FragmentId,
	/// The chunk that is asked for.
	pub chunk: u32,
	/// The last tick it can be answered at.
	pub deadline: Tick,
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
	/// Whether this miner may claim the fragment's order, or open one for it, as far as the order,
	/// the segment, its holder, the brake and what became of this miner's last claim there go.
	fn is_takeable(&self, id: FragmentId) -> bool;
	/// How many more fragments of the fragment's segment may go missing.
	fn spare(&self, id: FragmentId) -> i16;
	/// The restore orders this miner has claimed, at most [`MAX_LISTED`].
	fn claims(&self) -> Vec<FragmentId>;
	/// The batches this miner declared ready and can still report, the oldest first.
	fn batches(&self) -> Vec<BatchView>;
	/// The challenges of this miner that can still be answered, at most [`MAX_LISTED`].
	fn challenges(&self) -> Vec<ChallengeView>;
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
	/// The duty to prove the batch that was declared in this block, in the order the chain asked.
	Report(u32, Vec<FragmentProof>),
	/// The duty to answer challenges.
	Answer(Vec<(FragmentId, FragmentProof)>),
	/// Signed: open orders, for this miner's own broken fragments or for a target's.
	Open(Vec<FragmentId>),
	/// Signed: claim unclaimed orders.
	Claim(Vec<FragmentId>),
	/// Signed: give claims back. Others come first for a while.
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
		matches!(
			self,
			Self::Confirm(_) | Self::Alive | Self::Ready(_) | Self::Report(..) | Self::Answer(_)
		)
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
	let batches = chain.batches();
	let challenges = run.challenges();
	let jobs = run.jobs(&claims, &batches, &challenges);

	run.report(&batches, proofs);
	run.answer(&challenges, proofs);
	run.ready(&claims, &batches, done);
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
	/// The claims that can still be reported, the earliest deadline first, and of those with the same
	/// one holder by holder.
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
		claims.sort_by_key(|claim| (claim.deadline, claim.view.holder, claim.fragment));
		claims
	}

	/// What can be answered, the earliest deadline first.
	fn challenges(&self) -> Vec<ChallengeView> {
		let mut challenges = self.chain.challenges();
		challenges.sort_by_key(|challenge| (challenge.deadline, challenge.fragment));
		challenges
	}

	/// Proofs first, those of batches before all, because nobody else can restore those meanwhile:
	/// of as many as one report carries, then what is left in the mailbox.
	fn jobs(
		&self,
		claims: &[Claim],
		batches: &[BatchView],
		challenges: &[ChallengeView],
	) -> Vec<Job> {
		let asked = batches.iter().filter_map(|batch| batch.asked.as_deref());
		let mut room = MAX_PROOFS;
		let asked = asked.take_while(|asked| {
			let fits = asked.len() <= room;
			room = room.saturating_sub(asked.len());
			fits
		});
		let challenged = challenges.iter().map(|challenge| (challenge.fragment, challenge.chunk));
		let asked = asked.flatten().copied().chain(challenged).take(MAX_PROVEN);
		let prove = asked.filter_map(|(fragment, chunk)| {
			let name = self.chain.fragment(fragment)?.name;
			Some(JobKind::Prove { fragment, name, chunk })
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

	/// Reports a batch once every proof that is asked for is there; one in a step, because two
	/// duties of a kind cannot have one anchor.
	fn report(&mut self, batches: &[BatchView], proofs: &[ProofItem]) {
		for BatchView { at, asked } in batches {
			let Some(asked) = asked.as_deref().filter(|asked| asked.len() <= MAX_PROOFS) else {
				continue;
			};
			let found: Option<Vec<_>> = asked
				.iter()
				.map(|(fragment, chunk)| {
					proofs
						.iter()
						.find(|item| item.fragment == *fragment && item.chunk == *chunk)
						.map(|item| item.proof.clone())
				})
				.collect();
			if let Some(found) = found
				&& self.memory.may_report(*at, asked, self.height)
			{
				self.submit.push(Submit::Report(*at, found));
				return;
			}
		}
	}

	/// Answers the challenges whose proofs are there.
	fn answer(&mut self, challenges: &[ChallengeView], proofs: &[ProofItem]) {
		let mut answers = Vec::new();
		for ChallengeView { fragment, chunk, .. } in challenges {
			let made =
				proofs.iter().find(|item| item.fragment == *fragment && item.chunk == *chunk);
			let Some(item) = made.filter(|_| answers.len() < MAX_PROOFS) else { continue };
			if self.memory.may_answer(*fragment, *chunk, self.height) {
				answers.push((*fragment, item.proof.clone()));
			}
		}
		if !answers.is_empty() {
			self.submit.push(Submit::Answer(answers));
		}
	}

	/// Declares ready what is restored, in batches as large as they can be, because a small one takes
	/// as many proofs. One that is not full waits while another is under way, and for what is still to
	/// be restored: for an eighth of the claim period, and not if one of its segments is thin.
	///
	/// The chain proves every fragment of a segment with a spare of at most 1, so no more of those
	/// go into one batch than one report can carry.
	fn ready(&mut self, claims: &[Claim], batches: &[BatchView], done: &Done) {
		if let Some(last) = batches.last() {
			self.memory.ready_is_in(last.at);
		}
		if batches.len() >= MAX_BATCHES {
			return;
		}
		// The seed of the batch that they are part of is forgotten: it has to go first, for a fee.
		let stuck = batches.is_empty() && claims.iter().any(|claim| claim.ready);
		if stuck {
			if self.memory.may_ready(self.height) {
				self.submit.push(Submit::Ready(Vec::new()));
			}
			return;
		}
		let (restored, left): (Vec<&Claim>, Vec<&Claim>) = claims
			.iter()
			.filter(|claim| !claim.ready && !claim.is_in_vain())
			.partition(|claim| done.restored.contains(&claim.fragment));
		let Some(first) = restored.first() else { return };
		let patience = self.me.claim_period - self.me.claim_period / 8;
		let is_late = first.deadline.saturating_sub(self.chain.now()) <= patience;
		let mut thin = 0;
		let ready: Vec<_> = restored
			.iter()
			.filter(|claim| {
				let is_thin = self.chain.spare(claim.fragment) <= THIN_SPARE;
				thin += usize::from(is_thin);
				!is_thin || thin <= MAX_PROOFS - SAMPLE
			})
			.map(|claim| claim.fragment)
			.take(MAX_BATCH)
			.collect();
		let is_full = ready.len() == MAX_BATCH || thin > MAX_PROOFS - SAMPLE;
		let is_time = batches.is_empty() && (left.is_empty() || is_late || thin > 0);
		if (is_full || is_time) && self.memory.may_ready(self.height) {
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
		let own = |_, view: FragmentView| {
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
		let select = |order: Option<OrderView>| {
			let found = |id, view: FragmentView| {
				view.alive && view.order == order && self.chain.is_takeable(id)
			};
			self.select(&done.found, room, found)
		};
		some(Submit::Claim, select(Some(OrderView::Unclaimed)))
			.or_else(|| some(Submit::Open, select(None)))
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
		wanted: impl Fn(FragmentId, FragmentView) -> bool,
	) -> Vec<FragmentId> {
		let mut selected: Vec<FragmentId> = Vec::new();
		for id in listed {
			if selected.len() == limit {
				break;
			}
			if selected.iter().all(|other| other.segment != id.segment)
				&& self.chain.fragment(*id).is_some_and(|view| wanted(*id, view))
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
