// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What was, what is, and whether the one may have become the other.

use super::super::*;
use crate::{Balances, Clock, Rewards, RuntimeEvent};
use frame_support::traits::fungible::Inspect;
use pallet_planaria_audit as audit;
use pallet_planaria_clock as clock;
use pallet_planaria_files as files;
use pallet_planaria_miners as miners;
use pallet_planaria_restore::{self as restore, Verdict};
use pallet_planaria_rewards as rewards;
use pallet_planaria_space as space;
use pallet_planaria_support::{Clock as _, FileState};
use pallet_transaction_payment as payment;
use planaria_primitives::{FileIndex, FragmentId, MinerId, Segment, SegmentId, Tick};
use std::collections::{BTreeMap, BTreeSet};

/// The state, as far as truths are about it.
pub struct View {
	tick: Tick,
	/// What each account owns, held or free.
	accounts: BTreeMap<AccountId, u128>,
	issuance: u128,
	stashes: BTreeMap<MinerId, AccountId>,
	files: BTreeMap<FileIndex, FileState>,
	segments: BTreeMap<SegmentId, Segment>,
	/// The claims of the orders: by whom and until when.
	orders: BTreeMap<FragmentId, Option<(MinerId, Tick)>>,
	verdicts: BTreeMap<SegmentId, Verdict>,
	/// The deadlines of the challenges.
	challenges: BTreeMap<(MinerId, FragmentId), Tick>,
}

impl View {
	pub fn now() -> Self {
		let accounts = frame_system::Account::<Runtime>::iter_keys();
		Self {
			tick: Clock::now(),
			accounts: accounts.map(|who| (who.clone(), Balances::total_balance(&who))).collect(),
			issuance: Balances::total_issuance(),
			stashes: miners::Miners::<Runtime>::iter()
				.map(|(id, m)| (id, m.stash.clone()))
				.collect(),
			files: files::Files::<Runtime>::iter().map(|(id, file)| (id, file.state)).collect(),
			segments: files::Segments::<Runtime>::iter().collect(),
			orders: restore::Orders::<Runtime>::iter().map(|(f, o)| (f, o.state.claim())).collect(),
			verdicts: restore::Verdicts::<Runtime>::iter().collect(),
			challenges: audit::Challenges::<Runtime>::iter()
				.map(|(miner, fragment, challenge)| ((miner, fragment), challenge.deadline))
				.collect(),
		}
	}

	fn is_alive(&self, segment: SegmentId) -> bool {
		let state = self.segments.get(&segment).and_then(|s| self.files.get(&s.file));
		state.is_some_and(|state| state.is_alive())
	}

	/// That this has become of `before` by what the events say, and by nothing else.
	pub fn follows(&self, before: &Self, events: &[RuntimeEvent]) {
		self.is_paid_for(before, events);
		let said: BTreeSet<Said> = events.iter().filter_map(Said::of).collect();
		self.kept_fragments(before, &said);
		self.kept_claims(before, &said);
		self.kept_deadlines(before, events);
		assert!(self.tick >= before.tick, "the clock went back");
	}

	/// Each account has what it had, but for fees, for what was taken of its collateral, and for what
	/// went into the pot and out of it.
	fn is_paid_for(&self, before: &Self, events: &[RuntimeEvent]) {
		let (author, pot) = (account(Sr25519Keyring::Alice), Rewards::pot());
		let mut expected = before.accounts.clone();
		let mut issuance = before.issuance;
		let stash = |miner| self.stashes.get(miner).or(before.stashes.get(miner)).unwrap().clone();
		let mut take = |who, amount: u128, to: Option<&AccountId>| {
			*expected.entry(who).or_default() -= amount;
			match to {
				Some(to) => *expected.entry(to.clone()).or_default() += amount,
				None => issuance -= amount,
			}
		};
		for event in events {
			match event {
				RuntimeEvent::TransactionPayment(payment::Event::TransactionFeePaid {
					who,
					actual_fee,
					..
				}) => take(who.clone(), *actual_fee, Some(&author)),
				RuntimeEvent::Miners(miners::Event::CollateralTaken { miner, to, amount }) => {
					take(stash(miner), *amount, to.as_ref());
				},
				RuntimeEvent::Miners(miners::Event::WrongProofCharged { miner, amount }) => {
					take(stash(miner), *amount, None);
				},
				RuntimeEvent::Rewards(rewards::Event::BountyReturned {
					holder, amount, ..
				}) => {
					take(pot.clone(), *amount, Some(&stash(holder)));
				},
				RuntimeEvent::Rewards(
					rewards::Event::BountyPaid { payee, amount, .. }
					| rewards::Event::Claimed { payee, amount, .. },
				) => take(pot.clone(), *amount, Some(payee)),
				RuntimeEvent::Rewards(rewards::Event::Compensated { to, amount, .. }) => {
					take(pot.clone(), *amount, Some(to));
				},
				RuntimeEvent::Rewards(rewards::Event::Burnt { amount }) => {
					take(pot.clone(), *amount, None);
				},
				RuntimeEvent::Space(
					space::Event::Bought { owner, paid, .. }
					| space::Event::Grown { owner, paid, .. }
					| space::Event::Renewed { owner, paid, .. },
				) => take(owner.clone(), *paid, Some(&pot)),
				RuntimeEvent::Space(space::Event::Closed { owner, returned }) => {
					take(pot.clone(), *returned, Some(owner));
				},
				// Who is paid for a miner here is its stash.
				RuntimeEvent::Audit(audit::Event::DepositPaid { by, miner, amount }) => {
					take(by.clone(), *amount, Some(&stash(miner)));
				},
				_ => (),
			}
		}
		assert_eq!(self.accounts, expected, "an account has more or less than it should");
		assert_eq!(self.issuance, issuance, "funds appeared or vanished");
		assert_eq!(self.accounts.values().sum::<u128>(), self.issuance, "funds are nobody's");
	}

	/// What is confirmed stays so, with its holder, until somebody else has proven it or it is lost
	/// or removed.
	fn kept_fragments(&self, before: &Self, said: &BTreeSet<Said>) {
		for (id, was) in &before.segments {
			let Some(is) = self.segments.get(id) else {
				let removed = self.files.get(&was.file).is_none_or(|state| !state.is_alive());
				assert!(removed, "{id:?} went, its file did not");
				continue;
			};
			assert_eq!((is.file, is.fragments()), (was.file, was.fragments()));
			assert_eq!(was.confirmed & !is.confirmed, 0, "{id:?} has what is no longer confirmed");
			for index in (0..was.fragments()).filter(|index| is.is_confirmed(*index)) {
				let fragment = FragmentId { segment: *id, index };
				let (from, to) = (was.holder(index), is.holder(index));
				let handed_over = said.contains(&Said::Restored { fragment, to });
				let vacated = to.is_none() && said.contains(&Said::Vacated { fragment });
				assert!(
					from == to || was.is_confirmed(index) && (handed_over || vacated),
					"{fragment:?} went from {from:?} to {to:?}"
				);
			}
		}
	}

	/// Nobody loses a claim before its deadline, and no order goes without a reason.
	fn kept_claims(&self, before: &Self, said: &BTreeSet<Said>) {
		for (fragment, claim) in &before.orders {
			let fragment = *fragment;
			if !self.is_alive(fragment.segment) {
				continue;
			}
			let is = self.orders.get(&fragment);
			let done = said
				.iter()
				.any(|what| matches!(what, Said::Restored { fragment: f, .. } if *f == fragment));
			let closed = done || said.contains(&Said::Closed { fragment });
			assert!(is.is_some() || closed, "the order for {fragment:?} went");
			let Some((by, deadline)) = *claim else { continue };
			let still = is.is_some_and(|claim| *claim == Some((by, deadline)));
			let ended = done || said.contains(&Said::GivenUp { fragment, by });
			assert!(
				still || ended || self.tick > deadline,
				"{by:?} lost its claim of {fragment:?}"
			);
		}
	}

	/// What has a deadline happens after it.
	fn kept_deadlines(&self, before: &Self, events: &[RuntimeEvent]) {
		for event in events {
			match event {
				RuntimeEvent::Restore(restore::Event::ClaimExpired { fragment, by, .. }) => {
					let claim = before.orders.get(fragment).copied().flatten();
					let over = claim.is_some_and(|(who, until)| who == *by && self.tick > until);
					assert!(over, "{fragment:?}, claimed as {claim:?}, expired at {}", self.tick);
				},
				RuntimeEvent::Restore(restore::Event::SegmentLost { segment }) => {
					let verdict = before.verdicts.get(segment);
					let over = matches!(verdict, Some(Verdict::Suspected { deadline })
						if self.tick > *deadline);
					assert!(over, "{segment:?}, judged {verdict:?}, lost at {}", self.tick);
				},
				RuntimeEvent::Audit(audit::Event::Failed { miner, fragment }) => {
					let deadline = before.challenges.get(&(*miner, *fragment));
					let over = deadline.is_some_and(|deadline| self.tick > *deadline);
					assert!(over, "{miner:?} failed at {}, asked until {deadline:?}", self.tick);
				},
				RuntimeEvent::Clock(clock::Event::Stopped { tick, .. }) => {
					assert_eq!((self.tick, before.tick), (*tick, *tick));
				},
				_ => (),
			}
		}
	}

	/// No fragment has two truths: in a segment nobody holds two fragments or claims two, and
	/// nobody who claims one holds another, but for those in `placed_later`.
	pub fn is_one_truth(&self, placed_later: &BTreeSet<(MinerId, SegmentId)>) {
		for (id, segment) in &self.segments {
			let holders: Vec<_> =
				(0..segment.fragments()).filter_map(|index| segment.holder(index)).collect();
			let distinct: BTreeSet<_> = holders.iter().collect();
			assert_eq!(distinct.len(), holders.len(), "{id:?} has a holder twice");
		}
		let mut claims = BTreeSet::new();
		for (fragment, claim) in &self.orders {
			let Some((by, _)) = claim else { continue };
			let id = fragment.segment;
			assert!(claims.insert((*by, id)), "{by:?} claims two fragments of {id:?}");
			let holds = self.segments[&id].index_of(*by).is_some();
			assert!(
				!holds || placed_later.contains(&(*by, id)),
				"{by:?} claims and holds a fragment of {id:?}"
			);
			assert!(self.stashes.contains_key(by), "{by:?} claims and is not registered");
		}
	}

	/// The claims of miners that hold a fragment of the segment.
	pub fn claimed_by_holders(&self) -> BTreeSet<(MinerId, SegmentId)> {
		let claims =
			self.orders.iter().filter_map(|(f, claim)| Some((claim.as_ref()?.0, f.segment)));
		claims.filter(|(by, id)| self.segments[id].index_of(*by).is_some()).collect()
	}
}

/// An event that is the reason of a change.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Said {
	Restored { fragment: FragmentId, to: Option<MinerId> },
	Vacated { fragment: FragmentId },
	Closed { fragment: FragmentId },
	GivenUp { fragment: FragmentId, by: MinerId },
}

impl Said {
	fn of(event: &RuntimeEvent) -> Option<Self> {
		use restore::Event::*;
		let RuntimeEvent::Restore(event) = event else { return None };
		Some(match event {
			FragmentRestored { fragment, to, .. } => {
				Self::Restored { fragment: *fragment, to: Some(*to) }
			},
			FragmentVacated { fragment, .. } => Self::Vacated { fragment: *fragment },
			OrderCancelled { fragment, .. } | OrderVoided { fragment } => {
				Self::Closed { fragment: *fragment }
			},
			GivenBack { fragment, by } | OrderDeclined { fragment, by } => {
				Self::GivenUp { fragment: *fragment, by: *by }
			},
			_ => return None,
		})
	}
}
