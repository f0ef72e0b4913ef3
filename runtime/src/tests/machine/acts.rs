// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How each step is done: with something that it can be done with, if there is any.

use super::super::*;
use super::{
	content::{CONTENTS, Content},
	op::{Op, Pick, Wild},
	parties::*,
	world::*,
};
use crate::{Audit, Clock, Files, Miners, Restore, Rewards, currency::UNIT};
use frame_support::BoundedVec;
use pallet_planaria_audit as audit;
use pallet_planaria_files as files;
use pallet_planaria_miners::{self as miners, Phase};
use pallet_planaria_restore::{self as restore, Batch, OrderState};
use pallet_planaria_rewards as rewards;
use pallet_planaria_space::{
	self as space,
	Phase::{Open, Over},
};
use pallet_planaria_support::{
	Clock as _, Discipline as _, FileState, OpenOrder, SegmentInfo, Standing, grains,
};
use planaria_primitives::{
	FileIndex, FragmentId, FragmentProof, MinerId, PlacementRule, SegmentId, Tick,
	duty::{DutyKind, registration_bytes},
	sampling,
};
use sp_core::{Pair, sr25519};
use sp_runtime::Percent;

/// The account that does what anybody may do.
fn anybody() -> &'static sr25519::Pair {
	&FILE_OWNERS[1]
}

/// Those for whom this holds.
fn those(holds: impl Fn(&Party) -> bool) -> Vec<Party> {
	parties().into_iter().filter(holds).collect()
}

fn active(party: &Party) -> bool {
	matches!(party.record.phase, Phase::Active { .. })
}

fn serving(party: &Party) -> bool {
	party.record.standing() == Some(Standing::Serving)
}

/// How long since the chain has heard of it.
fn unseen(party: &Party) -> Option<Tick> {
	Some(Clock::now() - party.load()?.last_seen)
}

fn departed(party: &Party) -> bool {
	matches!(party.record.phase, Phase::Departed { free_at } if free_at <= Clock::now())
}

/// The files, in their order.
fn all_files() -> Vec<(FileIndex, files::FileOf<Runtime>)> {
	let mut all: Vec<_> = files::Files::<Runtime>::iter().collect();
	all.sort_by_key(|(index, _)| *index);
	all
}

fn owner_of(file: &files::FileOf<Runtime>) -> &'static sr25519::Pair {
	FILE_OWNERS.iter().find(|pair| account_of(pair) == file.owner).unwrap()
}

/// The owners for whom this holds of what they have bought.
fn owners(holds: impl Fn(Option<&space::Space>) -> bool) -> Vec<&'static sr25519::Pair> {
	let mut all: Vec<_> = FILE_OWNERS.iter().collect();
	all.retain(|pair| holds(space::Spaces::<Runtime>::get(account_of(pair)).as_ref()));
	all
}

fn phase(space: Option<&space::Space>) -> Option<space::Phase> {
	let grace = space::Parameters::<Runtime>::get().grace;
	space.map(|space| space.phase(Clock::now(), grace))
}

/// Whether something new may be stored in it.
fn is_open(space: Option<&space::Space>) -> bool {
	phase(space) == Some(Open)
}

/// The owners who have the room for it.
fn with_room(content: &Content) -> Vec<&'static sr25519::Pair> {
	owners(|space| {
		is_open(space) && space.is_some_and(|space| space.free() >= content.spec.stored_bytes())
	})
}

/// The lost segments for which money can move.
fn lost() -> Vec<SegmentId> {
	let due = restore::Parameters::<Runtime>::get().loss_settlement;
	let mut lost: Vec<_> = restore::Verdicts::<Runtime>::iter()
		.filter(|(id, verdict)| {
			matches!(verdict, restore::Verdict::Lost { since } if since + due <= Clock::now())
				&& !restore::Settled::<Runtime>::contains_key(id)
				&& segment(*id).is_some_and(|info| {
					info.state == FileState::Active && Restore::spare(*id, &info) < 0
				})
		})
		.map(|(id, _)| id)
		.collect();
	lost.sort_unstable();
	lost
}

fn any_content(pick: Pick) -> &'static Content {
	&CONTENTS[pick.below(CONTENTS.len() as u32) as usize]
}

/// Every owner with every operator it has authorised.
fn operators() -> Vec<(&'static sr25519::Pair, &'static sr25519::Pair)> {
	let both = FILE_OWNERS.iter().flat_map(|owner| OPERATORS.iter().map(move |by| (owner, by)));
	both.filter(|(owner, by)| {
		space::Operators::<Runtime>::contains_key(account_of(owner), account_of(by))
	})
	.collect()
}

/// Every order with its fragment and its segment, in the order of the fragments.
fn orders() -> Vec<(FragmentId, restore::Order, SegmentInfo)> {
	let mut all: Vec<_> = restore::Orders::<Runtime>::iter()
		.filter_map(|(fragment, order)| Some((fragment, order, segment(fragment.segment)?)))
		.collect();
	all.sort_by_key(|(fragment, ..)| *fragment);
	all
}

/// Drawn every third time, where there are enough miners.
fn any_rule(pick: Pick, content: &Content) -> PlacementRule {
	let miners = miners::Registered::<Runtime>::get();
	let drawn = miners >= content.spec.fragments().into() && pick.next().next().below(3) == 0;
	if drawn { PlacementRule::Drawn } else { PlacementRule::Chosen }
}

fn expired(order: &restore::Order) -> bool {
	order.state.claim().is_some_and(|(_, deadline)| deadline < Clock::now())
}

fn is_free(order: &restore::Order) -> bool {
	order.state.claim().is_none() || expired(order)
}

/// The fragments that have no order and could have one.
fn orderable() -> Vec<(FragmentId, SegmentInfo)> {
	let mut all = fragments();
	all.retain(|(fragment, info)| {
		info.state.is_alive()
			&& info.segment.is_confirmed(fragment.index)
			&& !info.segment.is_restoring(fragment.index)
	});
	all
}

fn standing(miner: MinerId) -> Option<Standing> {
	party(miner).and_then(|party| party.record.standing())
}

/// Whether the miner takes so many more bytes.
fn takes(party: &Party, bytes: u64) -> bool {
	let Some(load) = party.load() else { return false };
	let used = load.used() + bytes;
	let params = miners::Parameters::<Runtime>::get();
	serving(party)
		&& used <= party.record.declared
		&& params.required(used) <= party.record.collateral
}

/// Those that may take the fragment over, and are able to.
fn takers(fragment: FragmentId, info: &SegmentInfo) -> Vec<Party> {
	let most = miners::Parameters::<Runtime>::get().max_claims;
	those(|party| {
		takes(party, info.fragment_len())
			&& party.load().is_some_and(|load| load.claims < most)
			&& Restore::may_take(party.id, fragment, info).is_ok()
	})
}

/// What the miner has claimed and is not part of a batch, for so many more ticks at least.
fn claimed(party: &Party, left: Tick) -> Vec<FragmentId> {
	let ready = Restore::ready_of(party.id);
	let own = orders().into_iter().filter(|(fragment, order, info)| {
		matches!(order.state, OrderState::Claimed { by, deadline }
			if by == party.id && deadline >= Clock::now() + left)
			&& !ready.contains(fragment)
			&& info.state.is_alive()
	});
	own.map(|(fragment, ..)| fragment).collect()
}

/// The batches that can be reported now, of which something will come.
fn reportable() -> Vec<(Party, u32, Batch)> {
	let able = those(|party| {
		party.record.standing().is_some_and(Standing::serves)
			&& World::anchor(party, DutyKind::Report).is_some()
	});
	let batches = |party: Party| {
		let batches: Vec<_> = restore::Batches::<Runtime>::iter_prefix(party.id).collect();
		batches.into_iter().map(move |(at, batch)| (party.clone(), at, batch))
	};
	able.into_iter()
		.flat_map(batches)
		.filter(|(party, at, batch)| {
			let counts = |fragment: &&FragmentId| {
				let info = segment(fragment.segment);
				let order = restore::Orders::<Runtime>::get(fragment);
				order.is_some_and(|order| {
					order.state.claim().is_some_and(|(by, _)| by == party.id) && !expired(&order)
				}) && info.is_some_and(|info| {
					info.state.is_alive() && info.segment.index_of(party.id).is_none()
				})
			};
			Restore::asked(*at, batch).is_some() && batch.fragments.iter().find(counts).is_some()
		})
		.collect()
}

/// The right answers of the miner to what it is asked and still has, as many as fit into a call.
fn answers(party: &Party) -> Vec<audit::Answer> {
	let mut asked: Vec<_> = Audit::challenges_of(party.id)
		.filter(|(fragment, _)| {
			segment(fragment.segment).is_some_and(|info| {
				info.state.is_alive() && info.segment.holder(fragment.index) == Some(party.id)
			})
		})
		.collect();
	asked.sort_by_key(|(fragment, _)| *fragment);
	asked.truncate(audit::MAX_ANSWERS as usize);
	let answer = |(fragment, challenge): (FragmentId, audit::ChallengeOf<Runtime>)| audit::Answer {
		fragment,
		proof: proof(fragment, challenge.chunk),
	};
	asked.into_iter().map(answer).collect()
}

/// Those that are asked for something they still have.
fn asked() -> Vec<(Party, Vec<audit::Answer>)> {
	those(|party| World::anchor(party, DutyKind::Answer).is_some())
		.into_iter()
		.map(|party| (party.clone(), answers(&party)))
		.filter(|(_, answers)| !answers.is_empty())
		.collect()
}

/// The proof that the holder has the fragment, as of this block.
fn cancellation(fragment: FragmentId) -> (u32, FragmentProof) {
	let at = System::block_number();
	let info = segment(fragment.segment).unwrap();
	let beacon = Clock::beacon_at(at).unwrap();
	let chunk = sampling::chunk(&beacon, &fragment, info.spec.chunks(info.number));
	(at, proof(fragment, chunk))
}

impl World {
	/// Does the step.
	pub(super) fn act(&mut self, op: &Op) -> Outcome {
		// Nothing comes of it where there is nothing to do it with.
		self.try_act(op).unwrap_or(Outcome::Idle)
	}

	fn try_act(&mut self, op: &Op) -> Option<Outcome> {
		let done = match *op {
			Op::Register(pick) => {
				let known = |n: &u32| {
					miners::ByAccount::<Runtime>::contains_key(account_of(&STASHES[*n as usize]))
				};
				let n = pick.of(&(0..MINERS).filter(|n| !known(n)).collect::<Vec<_>>())?;
				self.register(n, pick.next().below(KEYS))
			},
			Op::TopUp(pick) => {
				let party = pick.of(&those(|party| party.record.standing().is_some()))?;
				let amount = u128::from(1 + pick.next().below(10)) * UNIT;
				self.call(party.stash(), miners::Call::top_up { amount })
			},
			Op::SetDeclared(pick) => {
				let party = pick.of(&those(|party| party.load().is_some()))?;
				let bytes = party.load()?.used() + u64::from(pick.next().below(1 << 15) << 10);
				self.call(party.hot(), miners::Call::set_declared { bytes })
			},
			Op::SetHotKey(pick) => self.set_hot_key(pick)?,
			Op::SetEndpoint(pick) => self.set_endpoint(pick)?,
			Op::Exit(pick) => {
				// Some stay.
				let active = those(active);
				if active.len() < 9 {
					return None;
				}
				self.call(pick.of(&active)?.stash(), miners::Call::exit {})
			},
			Op::Finish(pick) => {
				let idle = |party: &Party| {
					matches!(party.record.phase, Phase::Leaving { .. } | Phase::Expelled)
						&& party.load().is_some_and(|load| load.is_idle())
				};
				let miner = pick.of(&those(idle))?.id;
				self.call(anybody(), miners::Call::finish { miner })
			},
			Op::Withdraw(pick) => self.withdraw(pick)?,
			Op::TidyMiner(pick) => {
				let gone = |party: &Party| matches!(party.record.phase, Phase::Departed { .. });
				let party = match pick.of(&those(gone)) {
					Some(party) => party,
					None => self.depart(pick)?,
				};
				if !departed(&party) {
					self.blocks(miners::Parameters::<Runtime>::get().cooldown);
				}
				if !departed(&party) {
					return None;
				}
				self.call(anybody(), miners::Call::tidy { miner: party.id })
			},
			Op::Alive { silent } => {
				let due = miners::Parameters::<Runtime>::get().alive_every / 2;
				let due = those(|party| {
					party.record.absence.is_none()
						&& unseen(party).is_some_and(|ticks| ticks >= due)
						&& Self::anchor(party, DutyKind::Alive).is_some()
				});
				let silent = silent.below(6) as usize;
				let mut done = None;
				for (at, party) in due.iter().enumerate() {
					if at % 6 != silent {
						done = Some(self.alive(party) && done != Some(false));
					}
				}
				done?
			},
			Op::Return(pick) => {
				let party = pick.of(&those(|party| {
					party.record.absence.is_some() && Self::anchor(party, DutyKind::Alive).is_some()
				}))?;
				self.alive(&party) && standing(party.id).is_some_and(Standing::serves)
			},
			Op::MarkAbsent(pick) => {
				let after = miners::Parameters::<Runtime>::get().absent_after;
				let away = those(|party| {
					party.record.standing().is_some_and(Standing::serves)
						&& unseen(party).is_some_and(|ticks| ticks > after)
				});
				let miner = pick.of(&away)?.id;
				self.call(anybody(), miners::Call::mark_absent { miner })
			},
			Op::Suspend(pick) => Miners::suspend(pick.of(&those(serving))?.id).is_ok(),
			Op::Reinstate(pick) => {
				let suspended =
					those(|party| matches!(party.record.phase, Phase::Active { suspended: true }));
				Miners::reinstate(pick.of(&suspended)?.id).is_ok()
			},
			Op::ExpelAbsent(pick) => {
				let most = miners::Parameters::<Runtime>::get().absent_max;
				let away = those(|party| {
					let absence = party.record.absence;
					absence.is_some_and(|absence| Clock::now() - absence.since > most)
				});
				let miner = pick.of(&away)?.id;
				let braked = Miners::brake_engaged();
				let done = self.call(anybody(), miners::Call::expel_absent { miner });
				assert_eq!(done, !braked, "the brake stops what it should, and no more");
				done
			},

			Op::Order(pick) => {
				if all_files().len() >= 9 {
					return None;
				}
				let content = any_content(pick);
				let owner = pick.next().of(&with_room(content))?;
				self.order(owner, content, None, any_rule(pick, content))
			},
			Op::Place(pick) => self.place_somewhere(pick)?,
			Op::Confirm(mut pick) => {
				let party = choose(
					&mut pick,
					&those(|party| {
						Self::anchor(party, DutyKind::Confirm).is_some()
							&& !unconfirmed(party).is_empty()
					}),
				)?;
				let fragment = pick.of(&unconfirmed(&party))?;
				self.confirm(&party, &[fragment]) && !unconfirmed(&party).contains(&fragment)
			},
			Op::ConfirmFile(pick) => {
				let waiting: Vec<_> = all_files()
					.into_iter()
					.filter(|(_, file)| file.state == FileState::Pending && file.placed > 0)
					.map(|(index, _)| index)
					.collect();
				return Some(self.confirm_file(pick.of(&waiting)?));
			},
			Op::Delete(pick) => {
				let mut alive = all_files();
				alive.retain(|(_, file)| file.state.is_alive());
				let (file, record) = pick.of(&alive)?;
				self.call(owner_of(&record), files::Call::delete { file })
			},
			Op::TidyFiles(pick) => {
				let timeout = files::Parameters::<Runtime>::get().order_timeout;
				let mut due = all_files();
				due.retain(|(_, file)| match file.state {
					FileState::Pending => file.deadline(timeout) <= Clock::now(),
					state => !state.is_alive(),
				});
				let files = files::Call::tidy {
					files: frame_support::BoundedVec::truncate_from(vec![pick.of(&due)?.0]),
				};
				self.call(anybody(), files)
			},

			Op::OpenOwn(pick) => {
				let held: Vec<_> = orderable()
					.into_iter()
					.filter_map(|(fragment, info)| {
						Some((fragment, party(info.segment.holder(fragment.index)?)?))
					})
					.collect();
				let (fragment, holder) = pick.of(&held)?;
				self.call(holder.hot(), restore::Call::open { fragments: list([fragment]) })
			},
			Op::OpenTarget(mut pick) => {
				let mut moving = orderable();
				moving.retain(|(fragment, info)| {
					let holder = info.segment.holder(fragment.index).and_then(standing);
					holder.is_some_and(Standing::is_restore_target)
						&& !takers(*fragment, info).is_empty()
				});
				let (fragment, info) = choose(&mut pick, &moving)?;
				let by = pick.of(&takers(fragment, &info))?;
				self.call(by.hot(), restore::Call::open { fragments: list([fragment]) })
			},
			Op::Claim(mut pick) => {
				let mut free = orders();
				free.retain(|(fragment, _, info)| !takers(*fragment, info).is_empty());
				let (fragment, _, info) = choose(&mut pick, &free)?;
				let by = pick.of(&takers(fragment, &info))?;
				self.call(by.hot(), restore::Call::claim { fragments: list([fragment]) })
			},
			Op::GiveBack(mut pick) => {
				let by = choose(&mut pick, &those(|party| !claimed(party, 0).is_empty()))?;
				let fragments = list([pick.of(&claimed(&by, 0))?]);
				self.call(by.hot(), restore::Call::give_back { fragments })
			},
			Op::Decline(mut pick) => {
				let by = choose(&mut pick, &those(|party| !claimed(party, 0).is_empty()))?;
				let fragment = pick.of(&claimed(&by, 0))?;
				let call = restore::Call::decline { fragments: list([fragment]) };
				let done = self.call(by.hot(), call);
				let info = segment(fragment.segment)?;
				let again = Restore::may_take(by.id, fragment, &info).is_ok();
				assert!(!again, "who has declined may claim again");
				done
			},
			Op::Challenge(pick) => {
				let (fragment, _) = pick.of(&orderable())?;
				<Restore as OpenOrder>::open(fragment).is_ok()
			},
			Op::Cancel(pick) => {
				let (fragment, holder) = Self::cancellable(pick)?;
				let (at, proof) = cancellation(fragment);
				self.call(holder.hot(), restore::Call::cancel { fragment, at, proof })
			},
			Op::CancelWithout(pick) => {
				let (fragment, holder) = Self::cancellable(pick)?;
				let (at, mut proof) = cancellation(fragment);
				proof.0[0] ^= 1;
				let done = self.call(holder.hot(), restore::Call::cancel { fragment, at, proof });
				assert!(!done, "cancelled without the fragment");
				true
			},
			Op::Ready(mut pick) => {
				let able = those(|party| {
					!claimed(party, 3).is_empty()
						&& restore::Batches::<Runtime>::iter_key_prefix(party.id).count()
							< restore::MAX_BATCHES as usize
						&& Self::anchor(party, DutyKind::Ready).is_some()
				});
				let party = choose(&mut pick, &able)?;
				let ready = claimed(&party, 3);
				self.ready(&party, &ready) && claimed(&party, 3).is_empty()
			},
			Op::Report(pick) => {
				let (party, at, batch) = pick.of(&reportable())?;
				let before = party.record.collateral;
				let held = party.load()?.fragments;
				let accepted = self.report(&party, at, Self::proofs(at, &batch));
				assert!(accepted, "a right report was refused");
				let after = self::party(party.id)?;
				assert_eq!(after.record.collateral, before, "a right report cost something");
				after.load()?.fragments > held
			},
			Op::ReportWrong(pick) => {
				let mut able = reportable();
				able.retain(|(_, at, batch)| !Self::proofs(*at, batch).is_empty());
				let (party, at, batch) = pick.of(&able)?;
				let held = party.load()?.fragments;
				let mut proofs = Self::proofs(at, &batch);
				if pick.next().below(2) == 0 {
					let last = proofs.last_mut()?;
					last.0[0] ^= 1;
				} else {
					proofs.pop();
				}
				assert!(self.report(&party, at, proofs));
				let after = self::party(party.id)?;
				assert_eq!(after.load()?.fragments, held, "a wrong report brought something");
				let fee = miners::Parameters::<Runtime>::get().wrong_proof_fee;
				let paid = party.record.collateral - after.record.collateral;
				assert_eq!(paid, fee.min(party.record.collateral), "a wrong proof costs its fee");
				true
			},
			Op::TidyOrders(pick) => {
				let mut due = orders();
				due.retain(|(fragment, order, info)| {
					let void = info.state.is_alive() && Restore::is_void(*fragment, order, info);
					expired(order) || void && is_free(order)
				});
				let fragment = match pick.of(&due) {
					Some((fragment, ..)) => fragment,
					None => self.leave_void(pick)?,
				};
				let fragments = list([fragment]);
				self.call(anybody(), restore::Call::tidy { fragments })
			},
			Op::CheckSegment(pick) => {
				let (fragment, _) = pick.of(&fragments())?;
				let segment = fragment.segment;
				self.call(anybody(), restore::Call::check_segment { segment })
			},

			Op::SettleLoss(pick) => {
				if lost().is_empty() {
					// That takes many blocks.
					if pick.below(2) > 0 {
						return None;
					}
					self.lose(pick.next())?;
				}
				let segment = pick.of(&lost())?;
				let done = self.call(anybody(), restore::Call::settle_loss { segment });
				assert!(!self.call(anybody(), restore::Call::settle_loss { segment }));
				done
			},
			Op::Buy(pick) => {
				let owner = pick.of(&owners(|space| space.is_none()))?;
				let ticks = space_params().grace + 30 + pick.next().below(200);
				self.call(owner, space::Call::buy { bytes: SPACE, ticks })
			},
			Op::Grow(pick) => {
				let owner = pick.of(&owners(is_open))?;
				let bytes = 1 + u64::from(pick.next().below(1 << 16));
				self.call(owner, space::Call::grow { bytes })
			},
			Op::Renew(pick) => {
				let owner = pick.of(&owners(|space| !matches!(phase(space), None | Some(Over))))?;
				self.call(owner, space::Call::renew { ticks: 1 + pick.next().below(100) })
			},
			Op::Close(pick) => {
				let empty =
					|space: Option<&space::Space>| space.is_some_and(|space| space.occupied() == 0);
				self.call(pick.of(&owners(empty))?, space::Call::close {})
			},
			Op::Authorise(pick) => {
				let owner = pick.of(&owners(|space| space.is_some()))?;
				let operator = account_of(&pick.next().of(&OPERATORS)?);
				let bytes = u64::from(pick.next().below(1 << 12));
				let until = Clock::now() + pick.next().next().below(60);
				self.call(owner, space::Call::authorise { operator, bytes, until })
			},
			Op::Revoke(pick) => {
				let (owner, operator) = pick.of(&operators())?;
				let operator = account_of(operator);
				self.call(owner, space::Call::revoke { operator })
			},
			Op::OrderFor(mut pick) => {
				if all_files().len() >= 9 {
					return None;
				}
				let content = any_content(pick);
				let able: Vec<_> = operators()
					.into_iter()
					.filter(|(owner, operator)| {
						let (owner, operator) = (account_of(owner), account_of(operator));
						let known = space::Operators::<Runtime>::get(&owner, &operator);
						known.is_some_and(|known| {
							known.until >= Clock::now()
								&& known.bytes >= content.spec.stored_bytes()
						}) && with_room(content).iter().any(|able| account_of(able) == owner)
					})
					.collect();
				let (owner, operator) = choose(&mut pick, &able)?;
				let rule = any_rule(pick, content);
				self.order(operator, content, Some(account_of(owner)), rule)
			},
			Op::Earn(pick) => {
				let earned = those(|party| Rewards::claimable(party.id) > 0);
				let miner = pick.of(&earned)?.id;
				self.call(anybody(), rewards::Call::claim { miner })
			},
			Op::Burn => {
				if Rewards::flow_now().unearned < grains(1) {
					return None;
				}
				self.call(anybody(), rewards::Call::burn {})
			},

			Op::Name(pick) => {
				let most = audit::Parameters::<Runtime>::get().max_named;
				let mut able = fragments();
				able.retain(|(fragment, info)| {
					Audit::may_be_challenged(*fragment, info)
						.is_ok_and(|miner| audit::Records::<Runtime>::get(miner).named < most)
				});
				let (fragment, _) = pick.of(&able)?;
				self.call(&pick.next().of(&FILE_OWNERS)?, audit::Call::challenge { fragment })
			},
			Op::Answer { silent } => {
				let silent = silent.below(6) as usize;
				let mut done = None;
				for (at, (party, answers)) in asked().into_iter().enumerate() {
					if at % 6 == silent {
						continue;
					}
					let fragments: Vec<_> = answers.iter().map(|item| item.fragment).collect();
					let accepted = self.answer(&party, answers);
					assert!(accepted, "a right answer was refused");
					let open =
						|fragment| audit::Challenges::<Runtime>::contains_key(party.id, fragment);
					assert!(!fragments.into_iter().any(open), "answered, and still to be answered");
					done = Some(true);
				}
				done?
			},
			Op::AnswerWrong(pick) => {
				let (party, mut answers) = pick.of(&asked())?;
				answers.truncate(1);
				let answer = answers.first_mut()?;
				answer.proof.0[0] ^= 1;
				let fragment = answer.fragment;
				assert!(self.answer(&party, answers));
				let open = audit::Challenges::<Runtime>::contains_key(party.id, fragment);
				assert!(open, "a wrong proof answers nothing");
				let fee = miners::Parameters::<Runtime>::get().wrong_proof_fee;
				let paid = party.record.collateral - self::party(party.id)?.record.collateral;
				assert_eq!(paid, fee.min(party.record.collateral), "a wrong proof costs its fee");
				true
			},

			Op::Wild(wild, pick) => self.wild(wild, pick)?,

			Op::SetParams(pick) => self.set_params(pick),
			Op::Blocks(count) => {
				self.blocks(count.into());
				true
			},
			Op::Skip(slots) => {
				self.skip(slots.into());
				true
			},
			Op::FullBlock => {
				self.full_block();
				true
			},
			Op::SetRunning(running) => self.set_running(running),
		};
		Some(Outcome::of(done))
	}

	/// So many miners do not have their fragments of a segment any more that it is lost, and time
	/// passes until that is settled.
	fn lose(&mut self, pick: Pick) -> Option<()> {
		let mut stored: Vec<_> = files::Segments::<Runtime>::iter_keys().collect();
		stored.retain(|id| {
			let file = segment(*id).map(|info| info.state);
			file == Some(FileState::Active) && !restore::Settled::<Runtime>::contains_key(id)
		});
		stored.sort_unstable();
		let id = pick.of(&stored)?;
		for (fragment, info) in orderable().into_iter().filter(|(f, _)| f.segment == id) {
			if let Some(holder) = info.segment.holder(fragment.index).and_then(party) {
				self.call(holder.hot(), restore::Call::open { fragments: list([fragment]) });
			}
		}
		let params = restore::Parameters::<Runtime>::get();
		let time = restore::LOSS_PERIODS * params.claim_period + params.loss_settlement;
		self.blocks(time + 3);
		Some(())
	}

	/// A miner gives back what it took over of an absent one, which comes back: nobody has tidied up
	/// that order yet.
	fn leave_void(&mut self, mut pick: Pick) -> Option<FragmentId> {
		let away = those(|party| {
			party.record.standing() == Some(Standing::Absent)
				&& Self::anchor(party, DutyKind::Alive).is_some()
		});
		let back = choose(&mut pick, &away)?;
		let mut moving = orderable();
		moving.retain(|(fragment, info)| {
			info.segment.holder(fragment.index) == Some(back.id)
				&& !takers(*fragment, info).is_empty()
		});
		let (fragment, info) = choose(&mut pick, &moving)?;
		let by = pick.of(&takers(fragment, &info))?;
		let opened = self.call(by.hot(), restore::Call::open { fragments: list([fragment]) });
		let fragments = list([fragment]);
		let left = opened && self.call(by.hot(), restore::Call::give_back { fragments });
		(left && self.alive(&back)).then_some(fragment)
	}

	/// A miner that holds nothing leaves, and is gone.
	fn depart(&mut self, pick: Pick) -> Option<Party> {
		let idle = those(|party| active(party) && party.load().is_some_and(|load| load.is_idle()));
		let miner = pick.of(&idle)?;
		let left = self.call(miner.stash(), miners::Call::exit {})
			&& self.call(anybody(), miners::Call::finish { miner: miner.id });
		left.then(|| party(miner.id)).flatten()
	}

	fn set_hot_key(&mut self, pick: Pick) -> Option<bool> {
		let party = pick.of(&those(|party| party.record.standing().is_some()))?;
		let free: Vec<u32> = (0..KEYS)
			.filter(|key| keys(party.n, *key).0.public() != party.record.hot_key)
			.collect();
		let (hot, _) = keys(party.n, pick.next().of(&free)?);
		let stash = party.record.stash.as_ref();
		let bytes = registration_bytes(&System::block_hash(0).0, stash);
		let call = miners::Call::set_hot_key { hot_key: hot.public(), proof: hot.sign(&bytes) };
		Some(self.call(party.stash(), call))
	}

	fn set_endpoint(&mut self, pick: Pick) -> Option<bool> {
		let party = pick.of(&those(|party| party.record.standing().is_some()))?;
		let (_, endpoint) = keys(party.n, pick.next().below(KEYS));
		let stash = party.record.stash.as_ref();
		let proof = endpoint.sign(&registration_bytes(&System::block_hash(0).0, stash));
		let addrs = Default::default();
		let endpoint = miners::Endpoint { key: endpoint.public().0, addrs };
		Some(self.call(party.hot(), miners::Call::set_endpoint { endpoint, proof }))
	}

	/// Whoever has departed takes all of its collateral, another one what is not required.
	fn withdraw(&mut self, pick: Pick) -> Option<bool> {
		let params = miners::Parameters::<Runtime>::get();
		let spare = |party: &Party| {
			let used = party.load().map_or(0, |load| load.used());
			party.record.collateral.saturating_sub(params.required(used))
		};
		let able = those(|party| departed(party) || active(party) && spare(party) > UNIT);
		let party = pick.of(&able)?;
		Some(self.call(party.stash(), miners::Call::withdraw { amount: spare(&party) / 2 }))
	}

	/// Places a segment that is not confirmed as a whole: what is confirmed stays.
	fn place_somewhere(&mut self, mut pick: Pick) -> Option<bool> {
		let pending: Vec<_> = all_files()
			.into_iter()
			.filter(|(_, file)| file.state == FileState::Pending)
			.flat_map(|(index, file)| {
				(0..file.spec().segments()).map(move |number| (index, file.clone(), number))
			})
			.filter(|(_, file, number)| {
				segment(file.segment_id(*number))
					.is_none_or(|info| info.segment.confirmed_count() < info.segment.fragments())
			})
			.collect();
		let (index, file, first) = choose(&mut pick, &pending)?;
		let spec = file.spec();
		let info = segment(file.segment_id(first));
		let confirmed = |at: u8| {
			let segment = &info.as_ref()?.segment;
			segment.is_confirmed(at).then(|| segment.holder(at).unwrap_or(MinerId::NOBODY))
		};
		let kept: Vec<_> = (0..spec.fragments()).map(confirmed).collect();
		let mut free: Vec<_> = those(|party| takes(party, spec.fragment_len(first).into()))
			.into_iter()
			.map(|party| party.id)
			.filter(|id| !kept.contains(&Some(*id)))
			.collect();
		let placing = Files::placing(&file);
		if placing != files::Placing::Chosen {
			let draw = placing.draw()?;
			let mut choices = Vec::new();
			for (at, kept) in (0..).zip(kept) {
				if kept.is_some() {
					choices.push(None);
					continue;
				}
				let mut candidates = (0..).zip(draw.of(first, at));
				let (choice, miner) = candidates.find(|(_, miner)| free.contains(miner))?;
				free.retain(|id| *id != miner);
				choices.push(Some(choice));
			}
			let drawn = files::Placement::Drawn(BoundedVec::truncate_from(choices));
			return Some(self.place_as(owner_of(&file), index, first, vec![drawn]));
		}
		let mut miners = Vec::new();
		for kept in kept {
			let miner = match kept {
				Some(miner) => miner,
				None => {
					let miner = choose(&mut pick, &free)?;
					free.retain(|id| *id != miner);
					miner
				},
			};
			miners.push(miner);
		}
		Some(self.place(owner_of(&file), index, Placed { first, miners: vec![miners] }))
	}

	/// A fragment whose order its holder may cancel.
	fn cancellable(pick: Pick) -> Option<(FragmentId, Party)> {
		let able: Vec<_> = orders()
			.into_iter()
			.filter(|(_, order, info)| info.state.is_alive() && is_free(order))
			.filter_map(|(fragment, _, info)| {
				Some((fragment, party(info.segment.holder(fragment.index)?)?))
			})
			.collect();
		pick.of(&able)
	}

	fn set_params(&mut self, pick: Pick) -> bool {
		let (miners, files, restore) = (miners_params(), files_params(), restore_params());
		let (space, rewards, audit) = (space_params(), rewards_params(), audit_params());
		let call: RuntimeCall = match pick.below(14) {
			0 => miners::Call::set_params { params: miners }.into(),
			1 => {
				let brake_share = Percent::from_percent(10);
				miners::Call::set_params { params: miners::Params { brake_share, ..miners } }.into()
			},
			2 => {
				let params = miners::Params { brake_window: 20, cooldown: 0, ..miners };
				miners::Call::set_params { params }.into()
			},
			3 => {
				let params = miners::Params { max_claims: 2, absent_max: 20, ..miners };
				miners::Call::set_params { params }.into()
			},
			4 => {
				let params = files::Params { order_timeout: 8, deposit_base: UNIT, ..files };
				files::Call::set_params { params }.into()
			},
			5 => files::Call::set_params { params: files }.into(),
			6 => {
				let params = restore::Params { claim_period: 8, ban_period: 0, ..restore };
				restore::Call::set_params { params }.into()
			},
			7 => restore::Call::set_params { params: restore }.into(),
			8 => {
				let params = space::Params { price: 3 * space.price, grace: 5, ..space };
				space::Call::set_params { params }.into()
			},
			9 => space::Call::set_params { params: space }.into(),
			10 => {
				let params = rewards::Params { bounty_hold: 3, bounty_base: 1, ..rewards };
				rewards::Call::set_params { params }.into()
			},
			11 => {
				let params = audit::Params { suspend_at: 1, slash_at: 1, expel_at: 3, ..audit };
				audit::Call::set_params { params }.into()
			},
			12 => audit::Call::set_params { params: audit }.into(),
			_ => rewards::Call::set_params { params: rewards }.into(),
		};
		// Not one that is unsound.
		let none = space::Params { min_bytes: 0, ..space };
		assert!(!self.root(space::Call::set_params { params: none }));
		let most = rewards::Params { bounty_base: UNIT, ..rewards };
		assert!(!self.root(rewards::Call::set_params { params: most }));
		let none = restore::Params { claim_period: 0, ..restore };
		assert!(!self.root(restore::Call::set_params { params: none }));
		self.root(call)
	}

	/// Somebody calls something.
	fn wild(&mut self, wild: Wild, mut pick: Pick) -> Option<bool> {
		let by = choose(&mut pick, &parties())?;
		let other = choose(&mut pick, &parties())?;
		let next = files::NextSegment::<Runtime>::get().0;
		let mut fragment = || {
			pick = pick.next();
			let segment = SegmentId(u64::from(pick.below(next as u32 + 2)));
			pick = pick.next();
			FragmentId { segment, index: pick.below(13) as u8 }
		};
		let some = [fragment(), fragment(), fragment()];
		let file =
			FileIndex(u64::from(pick.next().below(files::NextFile::<Runtime>::get().0 as u32 + 1)));
		let owner = pick.next().of(&FILE_OWNERS)?;
		Some(match wild {
			Wild::Place => {
				let miner = |_| {
					pick = pick.next();
					match pick.below(20) {
						19 => MinerId::NOBODY,
						n => MinerId(n),
					}
				};
				let count = [2, 3, 4, 12][some[0].index as usize % 4];
				let miners = vec![(0..count).map(miner).collect()];
				self.place(&owner, file, Placed { first: pick.below(3) / 2, miners })
			},
			Wild::Confirm => self.confirm(&by, &some),
			Wild::Delete => {
				let mine = all_files().iter().any(|(index, record)| {
					*index == file && record.owner == account_of(&owner) && record.state.is_alive()
				});
				let done = self.call(&owner, files::Call::delete { file });
				assert_eq!(done, mine, "only the owner deletes");
				done
			},
			Wild::Open => self.call(by.hot(), restore::Call::open { fragments: list(some) }),
			Wild::Claim => {
				let open = orders().into_iter().map(|(fragment, ..)| fragment);
				self.call(by.hot(), restore::Call::claim { fragments: list(open.chain(some)) })
			},
			Wild::GiveBack => {
				let open = orders().into_iter().map(|(fragment, ..)| fragment);
				self.call(
					by.stash(),
					restore::Call::give_back { fragments: list(open.chain(some)) },
				)
			},
			Wild::Decline => {
				let open = orders().into_iter().map(|(fragment, ..)| fragment);
				self.call(by.hot(), restore::Call::decline { fragments: list(open.chain(some)) })
			},
			Wild::Cancel => {
				let at = System::block_number();
				let (fragment, proof) = (some[0], FragmentProof::default());
				self.call(by.stash(), restore::Call::cancel { fragment, at, proof })
			},
			Wild::Ready => {
				// Also what is part of an earlier batch, which is dropped.
				let of = restore::ClaimsOf::<Runtime>::iter_prefix(by.id);
				let mut own: Vec<_> =
					of.map(|(segment, index)| FragmentId { segment, index }).collect();
				own.extend(some);
				self.ready(&by, &own)
			},
			Wild::Report => {
				let mut others = restore::Batches::<Runtime>::iter_prefix(other.id);
				let (at, proofs) = others
					.next()
					.map(|(at, batch)| (at, Self::proofs(at, &batch)))
					.unwrap_or_default();
				self.report(&by, at, proofs)
			},
			Wild::Tidy => {
				let open = orders().into_iter().map(|(fragment, ..)| fragment);
				self.call(anybody(), restore::Call::tidy { fragments: list(open.chain(some)) })
			},
			Wild::Name => self.call(&owner, audit::Call::challenge { fragment: some[0] }),
			Wild::Answer => {
				// What another one is asked.
				let stolen = answers(&other);
				let mine = by.id == other.id && !stolen.is_empty();
				let done = self.answer(&by, stolen);
				assert!(mine || !done, "somebody answered for another");
				done
			},
			Wild::TidyAudits => {
				let asked = audit::Challenges::<Runtime>::iter_prefix(other.id);
				let asked: Vec<_> = asked.map(|(fragment, _)| fragment).chain(some).collect();
				let fragments = frame_support::BoundedVec::truncate_from(asked);
				self.call(anybody(), audit::Call::tidy { miner: other.id, fragments })
			},
			Wild::Exit => self.call(by.hot(), miners::Call::exit {}),
			Wild::Finish => self.call(by.hot(), miners::Call::finish { miner: other.id }),
			Wild::Withdraw => {
				let amount = by.record.collateral;
				self.call(by.stash(), miners::Call::withdraw { amount })
			},
			Wild::MarkAbsent => self.call(by.hot(), miners::Call::mark_absent { miner: other.id }),
			Wild::ExpelAbsent => {
				self.call(by.hot(), miners::Call::expel_absent { miner: other.id })
			},
			Wild::Grow => self.call(&owner, space::Call::grow { bytes: 1 << 20 }),
			Wild::TidySpace => {
				let over =
					phase(space::Spaces::<Runtime>::get(account_of(&owner)).as_ref()) == Some(Over);
				let owner = account_of(&owner);
				let done = self.call(by.hot(), space::Call::tidy { owner });
				assert_eq!(done, over, "only what has lapsed is removed");
				done
			},
			Wild::Collect => {
				let kept = |fragment| {
					rewards::Pledges::<Runtime>::get(fragment).and_then(|pledge| pledge.kept())
				};
				let mut fragments: Vec<_> = rewards::Pledges::<Runtime>::iter_keys()
					.filter(|fragment| kept(*fragment).is_some())
					.collect();
				fragments.sort_unstable();
				let fragment = pick.of(&fragments).unwrap_or(some[0]);
				let due = kept(fragment).is_some_and(|kept| kept.due <= Clock::now());
				let done = self.call(by.hot(), rewards::Call::collect { fragment });
				assert_eq!(done, due, "only what is due is paid");
				done
			},
		})
	}
}
