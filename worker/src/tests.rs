// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::*;
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec,
};
use core::ops::{Deref, DerefMut};
use planaria_primitives::{FileId, FileIndex, SegmentId};
use proptest::prelude::*;

const ME: MinerId = MinerId(7);
const OTHER: MinerId = MinerId(8);

#[derive(Clone, Debug)]
struct Chain {
	height: u32,
	now: Tick,
	nonce: u32,
	me: Option<Me>,
	fragments: BTreeMap<FragmentId, Fragment>,
	batches: Vec<BatchView>,
	challenges: Vec<ChallengeView>,
	due: Vec<Chore>,
}

/// A fragment, with what the worker asks for apart.
#[derive(Clone, Copy, Debug)]
struct Fragment {
	view: FragmentView,
	takeable: bool,
	spare: i16,
}

impl Deref for Fragment {
	type Target = FragmentView;

	fn deref(&self) -> &FragmentView {
		&self.view
	}
}

impl DerefMut for Fragment {
	fn deref_mut(&mut self) -> &mut FragmentView {
		&mut self.view
	}
}

impl Chain {
	fn new() -> Self {
		let me = Me {
			miner: ME,
			takes_data: true,
			claims_left: 10,
			claim_period: 80,
			miners: 1,
			last_seen: 95,
			alive_every: 30,
		};
		Self {
			height: 50,
			now: 100,
			nonce: 3,
			me: Some(me),
			fragments: BTreeMap::new(),
			batches: Vec::new(),
			challenges: Vec::new(),
			due: Vec::new(),
		}
	}

	fn with(mut self, segment: u64, change: impl FnOnce(&mut Fragment)) -> Self {
		let view = FragmentView {
			name: FragmentName {
				file_id: FileId([1; 32]),
				file: FileIndex(1),
				segment: u32::try_from(segment).expect("small"),
				index: 0,
			},
			holder: Some(OTHER),
			confirmed: true,
			alive: true,
			holds_sibling: false,
			order: None,
		};
		let mut fragment = Fragment { view, takeable: true, spare: 8 };
		change(&mut fragment);
		self.fragments.insert(id(segment), fragment);
		self
	}

	fn claimed(self, segment: u64, deadline: Tick) -> Self {
		self.with(segment, |view| {
			view.order = Some(OrderView::Claimed { by: ME, deadline, ready: false });
		})
	}
}

impl ChainView for Chain {
	fn height(&self) -> u32 {
		self.height
	}
	fn now(&self) -> Tick {
		self.now
	}
	fn me(&self) -> Option<Me> {
		self.me
	}
	fn fragment(&self, id: FragmentId) -> Option<FragmentView> {
		self.fragments.get(&id).map(|fragment| fragment.view)
	}
	fn is_takeable(&self, id: FragmentId) -> bool {
		self.fragments.get(&id).is_some_and(|fragment| fragment.takeable)
	}
	fn spare(&self, id: FragmentId) -> i16 {
		self.fragments.get(&id).map_or(i16::MIN, |fragment| fragment.spare)
	}
	fn claims(&self) -> Vec<FragmentId> {
		let claimed =
			|view: &Fragment| matches!(view.order, Some(OrderView::Claimed { by: ME, .. }));
		self.fragments.iter().filter(|(_, view)| claimed(view)).map(|(id, _)| *id).collect()
	}
	fn batches(&self) -> Vec<BatchView> {
		self.batches.clone()
	}
	fn challenges(&self) -> Vec<ChallengeView> {
		self.challenges.clone()
	}
	fn is_due(&self, chore: &Chore) -> bool {
		self.due.contains(chore)
	}
	fn nonce(&self) -> u32 {
		self.nonce
	}
}

fn id(segment: u64) -> FragmentId {
	FragmentId { segment: SegmentId(segment), index: 0 }
}

fn submitted(chain: &Chain, done: &Done) -> Vec<Submit> {
	step(chain, done, &[], Memory::default()).submit
}

#[test]
fn a_node_without_a_miner_wants_nothing() {
	let chain = Chain { me: None, ..Chain::new().claimed(1, 200) };
	let step = step(&chain, &Done::default(), &[], Memory::default());
	assert_eq!((step.wanted, step.submit), (None, vec![]));
}

#[test]
fn a_silent_miner_says_it_is_alive_once() {
	let mut chain = Chain { now: 125, ..Chain::new() };
	let first = step(&chain, &Done::default(), &[], Memory::default());
	assert_eq!(first.submit, [Submit::Alive]);
	chain.height += 1;
	let second = step(&chain, &Done::default(), &[], first.memory);
	assert_eq!(second.submit, []);
	chain.height += RESUBMIT - 1;
	assert_eq!(step(&chain, &Done::default(), &[], second.memory).submit, [Submit::Alive]);
	// Another duty says as much.
	let chain = chain.with(1, |view| (view.holder, view.confirmed) = (Some(ME), false));
	let done = Done { stored: vec![id(1)], ..Done::default() };
	assert_eq!(submitted(&chain, &done), [Submit::Confirm(vec![id(1)])]);
}

#[test]
fn only_what_is_mine_and_open_is_confirmed() {
	let chain = Chain::new()
		.with(1, |view| (view.holder, view.confirmed) = (Some(ME), false))
		.with(2, |view| view.confirmed = false)
		.with(3, |view| view.holder = Some(ME))
		.with(4, |view| (view.holder, view.confirmed, view.alive) = (Some(ME), false, false));
	let done = Done { stored: (0..6).map(id).collect(), ..Done::default() };
	let first = step(&chain, &done, &[], Memory::default());
	assert_eq!(first.submit, [Submit::Confirm(vec![id(1)])]);
	assert_eq!(step(&chain, &done, &[], first.memory).submit, []);
}

#[test]
fn claims_become_jobs_by_deadline_and_expired_or_dead_ones_do_not() {
	let chain = Chain::new()
		.claimed(1, 300)
		.claimed(2, 200)
		.with(3, |view| {
			view.alive = false;
			view.order = Some(OrderView::Claimed { by: ME, deadline: 150, ready: false });
		})
		.with(4, |view| view.order = Some(OrderView::Unclaimed));
	let wanted = step(&chain, &Done::default(), &[], Memory::default()).wanted.expect("a miner");
	let segments: Vec<_> = wanted
		.jobs
		.iter()
		.map(|job| match job {
			Job::Known(JobKind::Restore { fragment, .. }) => fragment.segment.0,
			job => panic!("{job:?}"),
		})
		.collect();
	assert_eq!(segments, [2, 1]);
}

#[test]
fn ready_names_what_is_restored_and_fits_a_report() {
	let mut chain = Chain::new().claimed(1, 170).claimed(2, 160);
	let done = Done { restored: vec![id(1), id(5)], ..Done::default() };
	let first = step(&chain, &done, &[], Memory::default());
	assert_eq!(first.submit, [Submit::Ready(vec![id(1)])]);
	assert_eq!(step(&chain, &done, &[], first.memory.clone()).submit, []);
	// Once the batch is over, the next one need not wait.
	chain.batches = vec![BatchView { at: chain.height + 1, asked: None }];
	let second = step(&chain, &done, &[], first.memory);
	assert_eq!(second.submit, []);
	chain.batches.clear();
	assert_eq!(step(&chain, &done, &[], second.memory).submit, [Submit::Ready(vec![id(1)])]);

	let mut chain = Chain::new();
	for segment in 0..60 {
		chain = chain.claimed(segment, 300);
		chain.fragments.get_mut(&id(segment)).expect("there").spare = i16::from(segment >= 40) * 8;
	}
	let done = Done { restored: (0..60).map(id).collect(), ..Done::default() };
	match &submitted(&chain, &done)[..] {
		[Submit::Ready(batch)] => {
			let thin = batch.iter().filter(|id| id.segment.0 < 40).count();
			assert_eq!((thin, batch.len()), (16, 36));
		},
		other => panic!("{other:?}"),
	}
}

#[test]
fn a_batch_waits_for_what_is_still_to_be_restored_but_not_for_long() {
	let done = Done { restored: vec![id(1)], ..Done::default() };
	let ready = [Submit::Ready(vec![id(1)])];
	// Claimed an eighth of the period ago, or a tick less.
	let since = |deadline| Chain::new().claimed(1, deadline).claimed(2, deadline);
	assert_eq!(submitted(&since(170), &done), ready);
	assert_eq!(submitted(&since(171), &done), []);
	let mut thin = since(171);
	thin.fragments.get_mut(&id(1)).expect("there").spare = THIN_SPARE;
	assert_eq!(submitted(&thin, &done), ready);
	// What will never be reported is not waited for.
	for change in
		[|it: &mut Fragment| it.holds_sibling = true, |it: &mut Fragment| it.alive = false]
	{
		let mut chain = since(171);
		change(chain.fragments.get_mut(&id(2)).expect("there"));
		assert_eq!(submitted(&chain, &done)[..1], ready);
	}
	let all = Done { restored: vec![id(1), id(2)], ..Done::default() };
	assert_eq!(submitted(&since(171), &all), [Submit::Ready(vec![id(1), id(2)])]);
}

#[test]
fn a_batch_has_the_oldest_claims_holder_by_holder() {
	let mut chain = Chain::new();
	for segment in 0..100 {
		chain = chain.claimed(segment, 200);
		let holder = MinerId(100 + u32::try_from(segment % 4).expect("small"));
		chain.fragments.get_mut(&id(segment)).expect("there").holder = Some(holder);
	}
	chain = chain.claimed(100, 199);
	let done = Done { restored: (0..101).map(id).collect(), ..Done::default() };
	match &submitted(&chain, &done)[..] {
		[Submit::Ready(batch)] => {
			assert_eq!((batch.len(), batch[0]), (MAX_BATCH, id(100)));
			let holders = batch[1..].iter().map(|id| chain.fragments[id].holder);
			assert!(holders.clone().is_sorted());
			assert_eq!(holders.collect::<BTreeSet<_>>().len(), 3);
		},
		other => panic!("{other:?}"),
	}
}

#[test]
fn while_a_batch_is_under_way_only_full_ones_follow_and_no_more_than_may_be() {
	let count = u64::try_from(MAX_BATCH).expect("small");
	let mut chain = Chain::new();
	for segment in 0..count {
		chain = chain.claimed(segment, 300);
	}
	let restored = |count: u64| Done { restored: (0..count).map(id).collect(), ..Done::default() };
	let is_ready = |chain: &Chain, done: &Done| {
		let submitted = submitted(chain, done);
		matches!(&submitted[..], [Submit::Ready(batch)] if batch.len() as u64 == count)
	};
	let batch = |at| BatchView { at, asked: None };
	chain.batches = vec![batch(47)];
	assert_eq!(submitted(&chain, &restored(count - 1)), []);
	assert!(is_ready(&chain, &restored(count)));
	chain.batches = vec![batch(45), batch(46), batch(47)];
	assert!(is_ready(&chain, &restored(count)));
	chain.batches.push(batch(48));
	assert_eq!(submitted(&chain, &restored(count)), []);
	// What is in a batch whose seed is forgotten could never be declared again.
	chain.batches.clear();
	for view in chain.fragments.values_mut() {
		view.order = Some(OrderView::Claimed { by: ME, deadline: 300, ready: true });
	}
	assert_eq!(submitted(&chain, &restored(count)), [Submit::Ready(vec![])]);
}

#[test]
fn batches_are_proven_ahead_and_reported_one_by_one() {
	let asked = |first: u64| Some((first..first + 10).map(|segment| (id(segment), 5)).collect());
	let mut chain = Chain::new();
	for segment in 0..40 {
		chain = chain.claimed(segment, 300);
	}
	let view = |at, asked| BatchView { at, asked };
	chain.batches = vec![view(45, asked(0)), view(46, asked(10)), view(47, asked(20))];
	chain.batches.push(view(49, None));
	let proof =
		|segment: u64| ProofItem { fragment: id(segment), chunk: 5, proof: FragmentProof(vec![]) };
	let first = step(&chain, &Done::default(), &[], Memory::default());
	let jobs = first.wanted.expect("a miner").jobs;
	let proofs = jobs.iter().filter(|job| matches!(job, Job::Known(JobKind::Prove { .. })));
	// Three times ten would be more than the mailbox takes.
	assert_eq!(proofs.count(), 20);
	let proofs: Vec<_> = (5..20).map(proof).collect();
	let reported = step(&chain, &Done::default(), &proofs, first.memory);
	assert!(matches!(&reported.submit[..], [Submit::Report(46, proofs)] if proofs.len() == 10));
	let proofs: Vec<_> = (0..20).map(proof).collect();
	let reported = step(&chain, &Done::default(), &proofs, reported.memory);
	assert!(matches!(&reported.submit[..], [Submit::Report(45, _)]));
	assert_eq!(step(&chain, &Done::default(), &proofs, reported.memory).submit, []);
}

#[test]
fn a_report_waits_for_all_its_proofs_and_keeps_their_order() {
	let asked = vec![(id(2), 5), (id(1), 9)];
	let chain = Chain {
		batches: vec![BatchView { at: 48, asked: Some(asked) }],
		..Chain::new().claimed(1, 300).claimed(2, 300)
	};
	let proof = |segment: u64, chunk: u32| ProofItem {
		fragment: id(segment),
		chunk,
		proof: FragmentProof(vec![u8::try_from(segment).expect("small")]),
	};
	let run = |proofs: &[ProofItem], memory| step(&chain, &Done::default(), proofs, memory);
	let first = run(&[], Memory::default());
	assert_eq!(first.submit, []);
	let wanted = first.wanted.expect("a miner");
	assert!(matches!(wanted.jobs[0], Job::Known(JobKind::Prove { chunk: 5, .. })));
	assert_eq!(run(&[proof(1, 9), proof(2, 4)], Memory::default()).submit, []);
	let reported = run(&[proof(1, 9), proof(2, 5)], Memory::default());
	let proofs = vec![FragmentProof(vec![2]), FragmentProof(vec![1])];
	assert_eq!(reported.submit, [Submit::Report(48, proofs)]);
	assert_eq!(run(&[proof(1, 9), proof(2, 5)], reported.memory).submit, []);
}

#[test]
fn challenges_are_answered_as_their_proofs_come() {
	let challenge =
		|segment, chunk, deadline| ChallengeView { fragment: id(segment), chunk, deadline };
	let chain = Chain {
		challenges: vec![challenge(1, 5, 300), challenge(2, 6, 200), challenge(3, 7, 250)],
		..(1..4).fold(Chain::new(), |chain, n| chain.with(n, |view| view.holder = Some(ME)))
	};
	let proof = |segment: u64, chunk: u32| ProofItem {
		fragment: id(segment),
		chunk,
		proof: FragmentProof(vec![u8::try_from(segment).expect("small")]),
	};
	let answer = |n: u8| (id(n.into()), FragmentProof(vec![n]));
	let run = |proofs: &[ProofItem], memory| step(&chain, &Done::default(), proofs, memory);
	let first = run(&[], Memory::default());
	assert_eq!(first.submit, []);
	// All of them are wanted, the earliest deadline first.
	let wanted: Vec<_> = first.wanted.expect("a miner").jobs;
	let asked: Vec<_> = wanted
		.iter()
		.map(|job| match job {
			Job::Known(JobKind::Prove { fragment, chunk, .. }) => (*fragment, *chunk),
			other => panic!("{other:?}"),
		})
		.collect();
	assert_eq!(asked, [(id(2), 6), (id(3), 7), (id(1), 5)]);
	// One is there, and one of another chunk is no answer.
	let second = run(&[proof(1, 5), proof(2, 5)], first.memory);
	assert_eq!(second.submit, [Submit::Answer(vec![answer(1)])]);
	// That one is on its way; the others follow.
	let third = run(&[proof(1, 5), proof(2, 6), proof(3, 7)], second.memory);
	assert_eq!(third.submit, [Submit::Answer(vec![answer(2), answer(3)])]);
	assert_eq!(run(&[proof(1, 5), proof(2, 6), proof(3, 7)], third.memory).submit, []);
}

#[test]
fn no_more_is_wanted_than_can_be_handed_over() {
	let asked: Vec<_> = (0..MAX_PROOFS as u64).map(|n| (id(n), 1)).collect();
	let mut chain = (0..200).fold(Chain::new(), |chain, n| chain.with(n, |_| ()));
	chain.batches = vec![BatchView { at: 48, asked: Some(asked) }];
	let challenge = |n| ChallengeView { fragment: id(n), chunk: 2, deadline: 200 };
	chain.challenges = (50..178).map(challenge).collect();
	let count = |chain: &Chain, chunk: u32| {
		let step = step(chain, &Done::default(), &[], Memory::default());
		let jobs = step.wanted.expect("a miner").jobs;
		let of =
			|job: &&Job| matches!(job, Job::Known(JobKind::Prove { chunk: c, .. }) if *c == chunk);
		jobs.iter().filter(of).count()
	};
	// The report comes first.
	assert_eq!((count(&chain, 1), count(&chain, 2)), (MAX_PROOFS, MAX_PROVEN - MAX_PROOFS));
	chain.batches = Vec::new();
	assert_eq!(count(&chain, 2), MAX_PROVEN);
	let proofs: Vec<_> = (50..178)
		.map(|n| ProofItem { fragment: id(n), chunk: 2, proof: FragmentProof::default() })
		.collect();
	match &step(&chain, &Done::default(), &proofs, Memory::default()).submit[..] {
		[Submit::Answer(answers)] => assert_eq!(answers.len(), MAX_PROOFS),
		other => panic!("{other:?}"),
	}
}

#[test]
fn own_losses_come_before_new_work_and_signed_transactions_one_by_one() {
	let mut chain = Chain::new()
		.with(1, |view| view.holder = Some(ME))
		.with(2, |view| view.order = Some(OrderView::Unclaimed))
		.with(3, |_| ())
		.claimed(4, 200);
	let done = Done {
		broken: vec![id(1)],
		// The engine may not know yet that it cannot have the last one again.
		found: vec![id(4), id(3), id(2)],
		hopeless: vec![id(4)],
		..Done::default()
	};
	let mut memory = Memory::default();
	let mut order = Vec::new();
	for _ in 0..4 {
		let step = step(&chain, &done, &[], memory);
		memory = step.memory.clone();
		order.extend(step.submit);
		// Nothing more before it is included.
		assert_eq!(super::step(&chain, &done, &[], memory.clone()).submit, []);
		chain.nonce += 1;
		match order.last() {
			Some(Submit::Open(ids)) if *ids == [id(1)] => {
				chain = chain.with(1, |view| {
					(view.holder, view.order) = (Some(ME), Some(OrderView::Unclaimed));
				});
			},
			Some(Submit::GiveBack(_)) => {
				chain = chain.with(4, |view| {
					(view.order, view.takeable) = (Some(OrderView::Unclaimed), false);
				});
			},
			Some(Submit::Claim(_)) => chain = chain.claimed(2, 300),
			_ => (),
		}
	}
	assert_eq!(
		order,
		[
			Submit::Open(vec![id(1)]),
			Submit::GiveBack(vec![id(4)]),
			Submit::Claim(vec![id(2)]),
			Submit::Open(vec![id(3)]),
		]
	);
}

#[test]
fn a_miner_without_room_or_right_takes_nothing_over() {
	let done = Done { found: vec![id(1), id(2), id(3)], ..Done::default() };
	let mut chain = Chain::new();
	for segment in 1..=3 {
		chain = chain.with(segment, |view| view.order = Some(OrderView::Unclaimed));
	}
	let set = |takes_data, claims_left| {
		let me = chain.me.map(|me| Me { takes_data, claims_left, ..me });
		submitted(&Chain { me, ..chain.clone() }, &done)
	};
	assert_eq!(set(false, 10), []);
	assert_eq!(set(true, 0), []);
	assert_eq!(set(true, 2), [Submit::Claim(vec![id(1), id(2)])]);
}

#[test]
fn what_is_not_this_miners_to_take_is_left_alone() {
	let done = Done { found: vec![id(1), id(2), id(3)], ..Done::default() };
	let chain = Chain::new()
		.with(1, |view| (view.order, view.takeable) = (Some(OrderView::Unclaimed), false))
		.with(2, |view| view.takeable = false)
		.with(3, |view| (view.order, view.alive) = (Some(OrderView::Unclaimed), false));
	assert_eq!(submitted(&chain, &done), []);
}

#[test]
fn a_claim_beside_a_sibling_is_given_back() {
	let chain = Chain::new().claimed(1, 200).claimed(2, 300);
	let chain = chain.with(1, |view| {
		view.order = Some(OrderView::Claimed { by: ME, deadline: 200, ready: false });
		view.holds_sibling = true;
	});
	let done = Done { restored: vec![id(1)], ..Done::default() };
	let first = step(&chain, &done, &[], Memory::default());
	assert_eq!(first.submit, [Submit::GiveBack(vec![id(1)])]);
	assert_eq!(first.wanted.expect("a miner").jobs.len(), 1);
	// What is part of a batch cannot be: it is once the batch is over.
	let mut chain = chain.with(1, |view| {
		view.order = Some(OrderView::Claimed { by: ME, deadline: 200, ready: true });
		view.holds_sibling = true;
	});
	chain.batches = vec![BatchView { at: 48, asked: None }];
	assert_eq!(submitted(&chain, &done), []);
}

#[test]
fn what_is_not_the_fragment_is_declined() {
	let chain = Chain::new().claimed(1, 200).claimed(2, 200).with(3, |_| ()).with(4, |view| {
		view.order = Some(OrderView::Claimed { by: ME, deadline: 200, ready: true });
	});
	let chain = Chain { batches: vec![BatchView { at: 48, asked: None }], ..chain };
	let declined = vec![id(3), id(4), id(2)];
	let mut done = Done { declined, ..Done::default() };
	assert_eq!(submitted(&chain, &done), [Submit::Decline(vec![id(2)])]);
	// What is given back is so first.
	done.hopeless = vec![id(1)];
	assert_eq!(submitted(&chain, &done), [Submit::GiveBack(vec![id(1)])]);
}

#[test]
fn a_chore_is_done_if_it_is_due_and_what_unlocks_others_first() {
	let gone = MinerId(3);
	let all = [
		Chore::Finish(gone),
		Chore::Tidy(id(7)),
		Chore::ExpelAbsent(gone),
		Chore::CheckSegment(SegmentId(5)),
		Chore::MarkAbsent(gone),
		Chore::Tidy(id(8)),
		Chore::Tidy(id(9)),
	];
	let done = Done { chores: all.to_vec(), found: vec![id(1)], ..Done::default() };
	let chain = Chain::new().with(1, |view| view.order = Some(OrderView::Unclaimed));
	let claim = Submit::Claim(vec![id(1)]);
	let due = |due: &[Chore]| submitted(&Chain { due: due.to_vec(), ..chain.clone() }, &done);
	assert_eq!(due(&[]), core::slice::from_ref(&claim));
	assert_eq!(due(&all), [Submit::CheckSegment(SegmentId(5))]);
	assert_eq!(due(&[all[0], all[1], all[4]]), [Submit::MarkAbsent(gone)]);
	assert_eq!(due(&[all[0], all[1], all[2]]), [claim]);
	let idle = Done { found: vec![], ..done };
	let due = |due: &[Chore]| submitted(&Chain { due: due.to_vec(), ..chain.clone() }, &idle);
	assert_eq!(due(&[all[0], all[1], all[2]]), [Submit::Finish(gone)]);
	assert_eq!(due(&[all[2], all[1]]), [Submit::Tidy(vec![id(7)])]);
	assert_eq!(due(&[all[2]]), [Submit::ExpelAbsent(gone)]);
	// Orders are tidied up together.
	assert_eq!(due(&[all[6], all[1]]), [Submit::Tidy(vec![id(7), id(9)])]);
}

#[test]
fn about_one_of_many_miners_does_a_chore_and_each_gets_its_turn() {
	let done = Done { chores: vec![Chore::MarkAbsent(MinerId(900))], ..Done::default() };
	let miners = 300;
	let mut turns = vec![0; miners as usize];
	let mut idle = 0;
	for height in 50..650 {
		let mut now = 0;
		for miner in 0..miners {
			let mut chain = Chain { height, due: done.chores.clone(), ..Chain::new() };
			chain.me = chain.me.map(|me| Me { miner: MinerId(miner), miners, ..me });
			let submitted = submitted(&chain, &done).len();
			now += submitted;
			turns[miner as usize] += submitted;
		}
		assert!(now < 10, "{now} at once");
		idle += usize::from(now == 0);
	}
	// With 300 that try with the odds of 1 in 300, nobody does in e^-1 of the blocks.
	assert!((150..300).contains(&idle), "{idle}");
	assert!(turns.iter().filter(|turns| **turns == 0).count() < 100);
}

#[test]
fn a_memory_of_the_future_is_no_memory() {
	let chain = Chain { now: 125, ..Chain::new() };
	let memory = step(&chain, &Done::default(), &[], Memory::default()).memory;
	let anew = Chain { height: 4, ..chain };
	assert_eq!(step(&anew, &Done::default(), &[], memory).submit, [Submit::Alive]);
}

/// A chore of one of the kinds.
fn any_chore(about: SegmentId) -> Chore {
	let miner = MinerId(u32::try_from(about.0).expect("small"));
	match about.0 % 5 {
		0 => Chore::MarkAbsent(miner),
		1 => Chore::ExpelAbsent(miner),
		2 => Chore::Finish(miner),
		3 => Chore::CheckSegment(about),
		_ => Chore::Tidy(id(about.0)),
	}
}

fn any_view() -> impl Strategy<Value = Fragment> {
	let miner = prop_oneof![Just(None), Just(Some(ME)), Just(Some(OTHER))];
	let order = prop_oneof![
		Just(None),
		Just(Some(OrderView::Unclaimed)),
		(any::<bool>(), 90u32..200, any::<bool>()).prop_map(|(mine, deadline, ready)| {
			Some(OrderView::Claimed { by: if mine { ME } else { OTHER }, deadline, ready })
		}),
	];
	(miner, any::<[bool; 4]>(), -4i16..9, order).prop_map(
		|(holder, [confirmed, alive, holds_sibling, takeable], spare, order)| {
			let mut view = *Chain::new().with(0, |_| ()).fragments.values().next().expect("one");
			view.holder = holder;
			(view.confirmed, view.alive) = (confirmed, alive);
			(view.holds_sibling, view.takeable) = (holds_sibling, takeable);
			(view.spare, view.order) = (spare, order);
			view
		},
	)
}

proptest! {
	#[test]
	fn whatever_the_inputs_the_step_is_bounded_and_never_acts_for_others(
		views in prop::collection::vec(any_view(), 0..40),
		lists in prop::collection::vec(prop::collection::vec(0u64..45, 0..60), 7),
		claims_left in 0u32..20,
		takes_data: bool,
	) {
		let mut chain = Chain::new();
		chain.me = chain.me.map(|me| Me { takes_data, claims_left, ..me });
		for (n, view) in (0u64..).zip(views) {
			chain.fragments.insert(id(n), view);
		}
		let mut lists = lists.into_iter().map(|list| list.into_iter().map(id).collect::<Vec<_>>());
		let mut next = || lists.next().expect("seven lists");
		let due = next();
		chain.due = due.iter().map(|id| any_chore(id.segment)).collect();
		let done = Done {
			stored: next(), broken: next(), found: next(), restored: next(), hopeless: next(),
			declined: next(), healed: vec![], chores: (0..32).map(|n| any_chore(SegmentId(n))).collect(),
		};
		let first = step(&chain, &done, &[], Memory::default());
		prop_assert!(first.submit.iter().filter(|s| !s.is_duty()).count() <= 1);
		for submit in &first.submit {
			let view = |id: &FragmentId| chain.fragments[id];
			let all = |ids: &[FragmentId], holds: &dyn Fn(Fragment) -> bool| {
				ids.iter().all(|id| holds(view(id)))
			};
			let holds = match submit {
				Submit::Confirm(ids) => {
					all(ids, &|view| view.alive && !view.confirmed && view.holder == Some(ME))
				},
				Submit::Claim(ids) => {
					takes_data
						&& ids.len() <= claims_left as usize
						&& all(ids, &|view| view.takeable && view.order == Some(OrderView::Unclaimed))
				},
				Submit::Open(ids) => all(ids, &|view| {
					view.order.is_none() && (view.holder == Some(ME) || view.takeable)
				}),
				Submit::Ready(ids) if ids.is_empty() => chain.batches.is_empty(),
				Submit::Ready(ids) | Submit::GiveBack(ids) | Submit::Decline(ids) => all(ids, &|view| {
					matches!(view.order, Some(OrderView::Claimed { by: ME, ready: false, .. }))
				}),
				Submit::MarkAbsent(miner) => chain.is_due(&Chore::MarkAbsent(*miner)),
				Submit::ExpelAbsent(miner) => chain.is_due(&Chore::ExpelAbsent(*miner)),
				Submit::Finish(miner) => chain.is_due(&Chore::Finish(*miner)),
				Submit::CheckSegment(segment) => chain.is_due(&Chore::CheckSegment(*segment)),
				Submit::Tidy(ids) => ids.iter().all(|id| chain.is_due(&Chore::Tidy(*id))),
				Submit::Alive | Submit::Report(..) | Submit::Answer(_) | Submit::Cancel(_) => true,
			};
			prop_assert!(holds, "{:?}", submit);
		}
		// The same state again: nothing is submitted twice.
		prop_assert_eq!(step(&chain, &done, &[], first.memory).submit, vec![]);
	}
}
