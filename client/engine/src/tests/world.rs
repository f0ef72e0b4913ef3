// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A chain, miners with stores, and a transport between them, in memory.
//!
//! Segment `k` is the only segment of file `k`; fragment `i` of it is held by miner `i`. The engine
//! under test is miner 0; others can be started beside it, also of miners that hold nothing.

#![allow(clippy::cast_possible_truncation)] // small numbers

use crate::{
	At, Chain, ChainError, Changes, Engine, EngineConfig, EngineHandle, Fault, FileRow, Heads,
	Incoming, Mailbox, MinerRow, OrderRow, PeerError, Peers, Service, Wanted as WantedBytes,
	engine::Event,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use planaria_erasure::Coder;
use planaria_primitives::{
	CodingParams, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentName, FragmentProof, Hash,
	MinerId, Segment, SegmentId, Sidecar, Tick,
	commitment::{file_tree, segment_tree},
	mailbox::{
		DONE, Done, Healed, Job, JobKind, PROOF_PAGES, ProofItem, Proofs, WANTED, Wanted, pack,
		proofs_key, unpack,
	},
	sampling,
	segment::bit,
};
use planaria_runtime_api::{
	FileLife, FragmentRecord, MinerStanding, MinerStatus, NetworkStatus, OrderCause, SegmentClaim,
	VerdictStatus,
};
use planaria_store::{Begun, FragmentStore, FragmentStoreExt, FragmentUse, MemoryStore, Writer};
use planaria_transfer::{FragmentService, GROUP_LEN, Meter, PeerAddr, PutOffer, Stored, Verdict};
use std::{
	collections::{BTreeMap, BTreeSet, HashMap},
	num::NonZeroU64,
	ops::{Deref, Range},
	sync::{Arc, Mutex, MutexGuard},
	time::Duration,
};
use tokio::{
	sync::{Notify, broadcast, watch},
	task::JoinHandle,
	time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(super) const ME: MinerId = MinerId(0);
const SIZE: u64 = 5_000;
/// How many miners there are that hold nothing, behind those that do.
const SPARE: u32 = 4;
/// Bytes per second.
const RATE: u64 = 10_000_000;
/// Until when claims can be reported.
const DEADLINE: u32 = 1_000;
/// The network's clock.
const TICK: Tick = 150;
const BEACON: Hash = [42; 32];

#[derive(Clone)]
struct Stripe {
	fragments: Vec<Vec<u8>>,
	hashes: Vec<FragmentHash>,
	sidecars: Vec<Sidecar>,
	spec: FileSpec,
}

/// One state of the chain: best or finalized.
#[derive(Clone, Default)]
struct State {
	segments: BTreeMap<SegmentId, Segment>,
	claimed: BTreeMap<FragmentName, MinerId>,
	/// Those that leave or have left.
	leaving: BTreeMap<MinerId, MinerStanding>,
	absent: BTreeSet<MinerId>,
	last_seen: BTreeMap<MinerId, Tick>,
	verdicts: BTreeMap<SegmentId, VerdictStatus>,
	braked: bool,
}

struct Inner {
	names: Vec<FragmentName>,
	stripes: Vec<Stripe>,
	best: State,
	finalized: State,
	silent: BTreeSet<MinerId>,
	liars: BTreeSet<MinerId>,
	/// How much segments can spare where that is not all of their parity.
	spares: BTreeMap<SegmentId, i16>,
	/// Bytes per second.
	rates: BTreeMap<MinerId, u64>,
	/// After how many bytes a miner's streams break.
	breaks: BTreeMap<MinerId, u32>,
	/// Which bytes were asked for, of whom.
	asked: Vec<(MinerId, FragmentName, Range<u32>)>,
	/// What miners say they hold where that is not the truth.
	lists: HashMap<MinerId, Vec<FragmentName>>,
	values: HashMap<(MinerId, Vec<u8>), Vec<u8>>,
	rate: Option<NonZeroU64>,
	/// How long a tick takes.
	slot_millis: u64,
}

pub(super) struct World {
	shared: Arc<Shared>,
	running: Mutex<BTreeMap<MinerId, Running>>,
	config: EngineConfig,
}

struct Running {
	stop: CancellationToken,
	task: JoinHandle<()>,
	handle: EngineHandle,
}

struct Shared {
	inner: Mutex<Inner>,
	stores: Vec<MemoryStore>,
	/// What a miner whose engine runs serves.
	services: Mutex<BTreeMap<MinerId, Arc<Service>>>,
	heads: watch::Sender<Heads>,
	bell: Arc<Notify>,
	changes: broadcast::Sender<Arc<Changes>>,
}

/// What the engine of one miner sees.
struct Node {
	shared: Arc<Shared>,
	me: MinerId,
}

impl Deref for Node {
	type Target = Shared;

	fn deref(&self) -> &Shared {
		&self.shared
	}
}

impl World {
	/// Files of one segment each, all stored and confirmed.
	pub(super) fn new(data: u8, parity: u8, files: u64) -> Self {
		Self::with_capacity(data, parity, files, SIZE, 1 << 30)
	}

	/// One file of one segment of so many bytes.
	pub(super) fn sized(data: u8, parity: u8, size: u64) -> Self {
		Self::with_capacity(data, parity, 1, size, 1 << 30)
	}

	/// Its engines work with this.
	pub(super) fn with_config(self, config: EngineConfig) -> Self {
		Self { config, ..self }
	}

	/// Its stores have room for exactly what they hold.
	pub(super) fn full(data: u8, parity: u8) -> Self {
		let coding = CodingParams::new(data, parity).expect("valid");
		let spec = FileSpec::new(SIZE, coding).expect("valid");
		Self::with_capacity(data, parity, 1, SIZE, spec.fragment_len(0).into())
	}

	fn with_capacity(data: u8, parity: u8, files: u64, size: u64, capacity: u64) -> Self {
		let coding = CodingParams::new(data, parity).expect("valid");
		let spec = FileSpec::new(size, coding).expect("valid");
		let miners = u32::from(coding.fragments()) + SPARE;
		let stores: Vec<_> = (0..miners).map(|_| MemoryStore::new(capacity)).collect();
		let (mut names, mut stripes, mut state) = (Vec::new(), Vec::new(), State::default());
		for file in 0..files {
			let content: Vec<u8> = (0..size).map(|i| (i * 7 + i / 251 + file * 13) as u8).collect();
			let coder = Coder::new(spec);
			let commitment = coder.commit(&content[..]).expect("readable");
			let segment = coder.encode(0, &content).expect("right length");
			let name = FragmentName {
				file_id: *commitment.id(),
				file: FileIndex(file),
				segment: 0,
				index: 0,
			};
			let mut record = Segment::unplaced(FileIndex(file), coding.fragments());
			let mut stripe = Stripe {
				fragments: segment.fragments().map(<[u8]>::to_vec).collect(),
				hashes: segment.hashes().to_vec(),
				sidecars: Vec::new(),
				spec,
			};
			for index in 0..coding.fragments() {
				let sidecar = commitment.sidecar(&segment, index).expect("there");
				let name = FragmentName { index, ..name };
				let of = FragmentUse { name, spec, sidecar: sidecar.clone() };
				stores[usize::from(index)]
					.put_bytes(
						stripe.hashes[usize::from(index)],
						&of,
						&stripe.fragments[usize::from(index)],
					)
					.expect("stored");
				stripe.sidecars.push(sidecar);
				record.holders.set(index, MinerId(u32::from(index)));
				record.confirmed |= bit(index);
			}
			names.push(name);
			stripes.push(stripe);
			state.segments.insert(SegmentId(file), record);
		}
		let inner = Inner {
			names,
			stripes,
			best: state.clone(),
			finalized: state,
			silent: BTreeSet::new(),
			liars: BTreeSet::new(),
			spares: BTreeMap::new(),
			rates: BTreeMap::new(),
			breaks: BTreeMap::new(),
			asked: Vec::new(),
			lists: HashMap::new(),
			values: HashMap::new(),
			rate: None,
			slot_millis: 1000,
		};
		let heads = watch::channel(Heads { best: 10, finalized: 8, syncing: false }).0;
		let shared = Shared {
			inner: Mutex::new(inner),
			stores,
			services: Mutex::default(),
			heads,
			bell: Arc::new(Notify::new()),
			changes: broadcast::channel(16).0,
		};
		let (running, config) = (Mutex::default(), EngineConfig::default());
		Self { shared: Arc::new(shared), running, config }
	}

	fn inner(&self) -> MutexGuard<'_, Inner> {
		self.shared.inner()
	}

	pub(super) fn start(&self) -> EngineHandle {
		self.start_miner(ME)
	}

	pub(super) fn start_miner(&self, miner: MinerId) -> EngineHandle {
		self.start_miner_with(miner, self.config.clone())
	}

	pub(super) fn start_with(&self, config: EngineConfig) -> EngineHandle {
		self.start_miner_with(ME, config)
	}

	fn start_miner_with(&self, miner: MinerId, config: EngineConfig) -> EngineHandle {
		let store: Arc<dyn FragmentStore> = Arc::new(self.store(miner).clone());
		let node = Arc::new(Node { shared: self.shared.clone(), me: miner });
		let (engine, handle) =
			Engine::new(node.clone(), store.clone(), node.clone(), node.clone(), config);
		let service = Arc::new(Service::new(node, store, handle.clone()));
		self.shared.services.lock().expect("not poisoned").insert(miner, service);
		let stop = CancellationToken::new();
		let task = tokio::spawn(engine.run(stop.clone()));
		let running = Running { stop, task, handle: handle.clone() };
		self.running.lock().expect("not poisoned").insert(miner, running);
		handle
	}

	pub(super) async fn stop(&self) {
		self.stop_miner(ME).await;
	}

	pub(super) async fn stop_miner(&self, miner: MinerId) {
		self.shared.services.lock().expect("not poisoned").remove(&miner);
		let running = self.running.lock().expect("not poisoned").remove(&miner);
		if let Some(Running { stop, task, .. }) = running {
			stop.cancel();
			task.await.expect("the engine ends well");
		}
	}

	/// Waits in virtual time, in which everything has a day to happen.
	pub(super) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
		let end = Instant::now() + Duration::from_secs(24 * 3600);
		while !holds() {
			assert!(Instant::now() < end, "never happened: {what}; done: {:?}", self.done());
			self.pass(Duration::from_millis(500)).await;
		}
	}

	pub(super) async fn pass(&self, time: Duration) {
		tokio::time::sleep(time).await;
	}

	pub(super) fn store(&self, miner: MinerId) -> &MemoryStore {
		&self.shared.stores[miner.0 as usize]
	}

	pub(super) fn name(&self, segment: usize, index: u8) -> FragmentName {
		FragmentName { index, ..self.inner().names[segment] }
	}

	pub(super) fn id(&self, name: &FragmentName) -> FragmentId {
		FragmentId { segment: SegmentId(name.file.0), index: name.index }
	}

	fn stripe(&self, name: &FragmentName) -> Stripe {
		self.inner().stripes[name.file.0 as usize].clone()
	}

	pub(super) fn hash(&self, name: &FragmentName) -> FragmentHash {
		self.stripe(name).hashes[usize::from(name.index)]
	}

	pub(super) fn bytes(&self, name: &FragmentName) -> Vec<u8> {
		self.stripe(name).fragments[usize::from(name.index)].clone()
	}

	pub(super) fn is_whole(&self, miner: MinerId, name: &FragmentName) -> bool {
		let entry = self.store(miner).entry(name).expect("store");
		entry.is_some_and(|entry| {
			!entry.broken && self.store(miner).verify(&entry.hash).expect("store").is_whole()
		})
	}

	pub(super) fn corrupt(&self, miner: MinerId, name: &FragmentName) {
		self.store(miner).damage(&self.hash(name), |mut bytes| {
			bytes[17] ^= 1;
			Some(bytes)
		});
	}

	pub(super) fn lose(&self, miner: MinerId, name: &FragmentName) {
		self.store(miner).release(name).expect("store");
	}

	/// At which rate the engine wants to read from others.
	pub(super) fn rate(&self) -> Option<u64> {
		self.inner().rate.map(NonZeroU64::get)
	}

	pub(super) fn silence(&self, miner: MinerId, silent: bool) {
		let mut inner = self.inner();
		if silent {
			inner.silent.insert(miner)
		} else {
			inner.silent.remove(&miner)
		};
	}

	pub(super) fn make_liar(&self, miner: MinerId) {
		self.inner().liars.insert(miner);
	}

	pub(super) fn make_honest(&self, miner: MinerId) {
		self.inner().liars.remove(&miner);
	}

	/// What it serves comes at so many bytes per second.
	pub(super) fn slow_down(&self, miner: MinerId, rate: u64) {
		self.inner().rates.insert(miner, rate);
	}

	/// Its streams break after so many bytes; with 0 it is whole again.
	pub(super) fn break_after(&self, miner: MinerId, bytes: u32) {
		self.inner().breaks.insert(miner, bytes);
	}

	/// Which bytes of the fragment were asked of the miner.
	pub(super) fn asked(&self, miner: MinerId, name: &FragmentName) -> Vec<Range<u32>> {
		let inner = self.inner();
		let asked = inner.asked.iter().filter(|(of, what, _)| *of == miner && what == name);
		asked.map(|(.., range)| range.clone()).collect()
	}

	/// Replaces a fragment of a file by bytes of which it commits to, but which are no codeword;
	/// the file gets another id.
	pub(super) fn make_no_codeword(&self, segment: usize, index: u8) {
		let mut inner = self.inner();
		let stripe = &mut inner.stripes[segment];
		stripe.fragments[usize::from(index)][0] ^= 1;
		let bytes = &stripe.fragments[usize::from(index)];
		stripe.hashes[usize::from(index)] = FragmentHash::of(bytes);
		let tree = segment_tree(&stripe.hashes).expect("there are some");
		let file = file_tree(&[tree.root()]).expect("there is one");
		let spec = stripe.spec;
		let id = planaria_primitives::file_id(&spec, &file.root());
		let stripe = inner.stripes[segment].clone();
		let old = inner.names[segment];
		inner.names[segment].file_id = id;
		drop(inner);
		for (index, bytes) in (0..).zip(&stripe.fragments) {
			let sidecar = Sidecar::new(&tree, index, &file, 0).expect("there is one");
			let store = self.store(MinerId(u32::from(index)));
			store.release(&FragmentName { index, ..old }).expect("store");
			let name = FragmentName { index, file_id: id, ..old };
			let of = FragmentUse { name, spec, sidecar };
			store.put_bytes(stripe.hashes[usize::from(index)], &of, bytes).expect("stored");
		}
	}

	/// What the server does when it has read wrong bytes.
	pub(super) fn serve_damaged(&self, name: &FragmentName) {
		self.store(ME).quarantine(&self.hash(name)).expect("store");
		let running = self.running.lock().expect("not poisoned");
		running.get(&ME).expect("running").handle.send(Event::Broken(*name));
	}

	/// What the server does when it misses what it should have.
	pub(super) fn serve_lost(&self, name: &FragmentName) {
		let running = self.running.lock().expect("not poisoned");
		running.get(&ME).expect("running").handle.send(Event::Broken(*name));
	}

	/// Somebody has begun to write the fragment into a miner's store.
	pub(super) fn begin(&self, miner: MinerId, name: &FragmentName) -> Writer {
		let stripe = self.stripe(name);
		let index = usize::from(name.index);
		let sidecar = stripe.sidecars[index].clone();
		let of = FragmentUse { name: *name, spec: stripe.spec, sidecar };
		match self.store(miner).begin(stripe.hashes[index], &of) {
			Ok(Begun::Write(writer)) => writer,
			other => panic!("{other:?}"),
		}
	}

	/// A tick takes so long from now on.
	pub(super) fn set_slot(&self, millis: u64) {
		self.inner().slot_millis = millis;
	}

	/// Another miner has the fragment as well.
	pub(super) fn copy_of(&self, name: &FragmentName, at: MinerId) {
		let stripe = self.stripe(name);
		let index = usize::from(name.index);
		let sidecar = stripe.sidecars[index].clone();
		let of = FragmentUse { name: *name, spec: stripe.spec, sidecar };
		self.store(at)
			.put_bytes(stripe.hashes[index], &of, &stripe.fragments[index])
			.expect("room");
	}

	fn change(&self, finalized: bool, change: impl Fn(&mut State)) {
		let mut inner = self.inner();
		let before = inner.orders(At::Best);
		let old = inner.best.segments.clone();
		change(&mut inner.best);
		if finalized {
			change(&mut inner.finalized);
		}
		let mut changes = Changes::default();
		for (id, segment) in &inner.best.segments {
			if old.get(id) != Some(segment) {
				changes.segments.push((*id, Some(segment.clone())));
			}
		}
		let after = inner.orders(At::Best);
		let gone = before.iter().filter(|(id, _)| after.iter().all(|(other, _)| other != id));
		changes.orders.extend(gone.map(|(id, _)| (*id, None)));
		let new = after.iter().filter(|order| !before.contains(order));
		changes.orders.extend(new.map(|(id, row)| (*id, Some(*row))));
		drop(inner);
		// Nobody listens before the engine has begun to search.
		let _ = self.shared.changes.send(Arc::new(changes));
		self.shared.heads.send_modify(|heads| {
			heads.best += 1;
			heads.finalized += u32::from(finalized);
		});
	}

	fn change_segment(&self, name: &FragmentName, finalized: bool, change: impl Fn(&mut Segment)) {
		self.change(finalized, |state| {
			change(state.segments.get_mut(&SegmentId(name.file.0)).expect("there"));
		});
	}

	pub(super) fn set_heads(&self, heads: Heads) {
		self.shared.heads.send_replace(heads);
	}

	pub(super) fn open_order(&self, name: &FragmentName) {
		self.change_segment(name, true, |segment| segment.restoring |= bit(name.index));
	}

	pub(super) fn close_order(&self, name: &FragmentName) {
		self.change_segment(name, true, |segment| segment.restoring &= !bit(name.index));
	}

	/// Takes this miner's fragment of the segment away and gives it the claim of another.
	pub(super) fn claim_by_me(&self, segment: usize, index: u8) -> FragmentName {
		let own = self.name(segment, 0);
		self.lose(ME, &own);
		self.hand_over(&own, MinerId::NOBODY);
		let name = self.name(segment, index);
		self.claim(&name, ME);
		name
	}

	/// Opens the fragment's order and gives its claim to a miner.
	pub(super) fn claim(&self, name: &FragmentName, by: MinerId) {
		self.open_order(name);
		self.change(true, |state| {
			state.claimed.insert(*name, by);
		});
	}

	pub(super) fn absent(&self, miner: MinerId) {
		self.change(true, |state| {
			state.absent.insert(miner);
		});
	}

	pub(super) fn back(&self, miner: MinerId) {
		self.change(true, |state| {
			state.absent.remove(&miner);
		});
	}

	pub(super) fn seen(&self, miner: MinerId, at: Tick) {
		self.change(true, |state| {
			state.last_seen.insert(miner, at);
		});
	}

	pub(super) fn judge(&self, segment: SegmentId, verdict: VerdictStatus) {
		self.change(true, |state| {
			state.verdicts.insert(segment, verdict);
		});
	}

	pub(super) fn set_braked(&self, braked: bool) {
		self.change(true, |state| state.braked = braked);
	}

	/// What the miner says it holds from now on.
	pub(super) fn lists(&self, miner: MinerId, names: Vec<FragmentName>) {
		self.inner().lists.insert(miner, names);
	}

	pub(super) fn unclaim(&self, name: &FragmentName) {
		self.change(true, |state| {
			state.claimed.remove(name);
		});
	}

	pub(super) fn hand_over(&self, name: &FragmentName, to: MinerId) {
		self.hand_over_on_best(name, to);
		self.change(true, |state| {
			state.claimed.remove(name);
		});
		self.change_segment(name, true, |segment| {
			segment.holders.set(name.index, to);
			segment.restoring &= !bit(name.index);
		});
	}

	pub(super) fn hand_over_on_best(&self, name: &FragmentName, to: MinerId) {
		self.change_segment(name, false, |segment| segment.holders.set(name.index, to));
	}

	pub(super) fn unconfirm(&self, name: &FragmentName) {
		self.change_segment(name, true, |segment| segment.confirmed &= !bit(name.index));
	}

	pub(super) fn confirm_on_best(&self, name: &FragmentName) {
		self.change_segment(name, false, |segment| segment.confirmed |= bit(name.index));
	}

	pub(super) fn confirm(&self, name: &FragmentName) {
		self.change_segment(name, true, |segment| segment.confirmed |= bit(name.index));
	}

	pub(super) fn leave(&self, miner: MinerId) {
		self.stand(miner, MinerStanding::Leaving);
	}

	/// The miner leaves, is expelled or has left.
	pub(super) fn stand(&self, miner: MinerId, standing: MinerStanding) {
		self.change(true, |state| {
			state.leaving.insert(miner, standing);
		});
	}

	/// How many fragments the segment can spare from now on.
	pub(super) fn set_spare(&self, segment: u64, spare: i16) {
		self.inner().spares.insert(SegmentId(segment), spare);
	}

	/// What this miner's server says to an offer of the fragment.
	pub(super) async fn offered(&self, name: &FragmentName) -> Verdict {
		let stripe = self.stripe(name);
		let index = usize::from(name.index);
		let offer = PutOffer {
			name: *name,
			hash: stripe.hashes[index],
			len: stripe.spec.fragment_len(name.segment),
			sidecar: stripe.sidecars[index].clone(),
		};
		let service = self.shared.services.lock().expect("not poisoned").get(&ME).cloned();
		service.expect("running").judge(&[1; 32], &offer).await
	}

	pub(super) fn want(&self, jobs: Vec<Job>) {
		self.want_of(ME, jobs);
	}

	fn want_of(&self, miner: MinerId, jobs: Vec<Job>) {
		let wanted = Wanted { miner, height: 10, jobs };
		self.node(miner).set(WANTED, pack(&wanted).expect("fits"));
		self.shared.bell.notify_waiters();
	}

	pub(super) fn want_restore(&self, name: &FragmentName) {
		self.want_restore_of(ME, name);
	}

	pub(super) fn want_restore_of(&self, miner: MinerId, name: &FragmentName) {
		let job = JobKind::Restore { fragment: self.id(name), name: *name, deadline: DEADLINE };
		self.want_of(miner, vec![job.into()]);
	}

	fn node(&self, me: MinerId) -> Node {
		Node { shared: self.shared.clone(), me }
	}

	pub(super) fn done(&self) -> Done {
		self.done_of(ME)
	}

	pub(super) fn done_of(&self, miner: MinerId) -> Done {
		Mailbox::get(&self.node(miner), DONE).and_then(|bytes| unpack(&bytes)).unwrap_or_default()
	}

	pub(super) fn forget_done(&self) {
		self.inner().values.remove(&(ME, DONE.to_vec()));
	}

	pub(super) fn proofs(&self) -> Vec<ProofItem> {
		(0..PROOF_PAGES)
			.filter_map(|page| unpack::<Proofs>(&Mailbox::get(&self.node(ME), &proofs_key(page))?))
			.flat_map(|page| page.0)
			.collect()
	}

	pub(super) fn verify_proof(&self, name: &FragmentName, chunk: u32, proof: &FragmentProof) {
		let spec = self.stripe(name).spec;
		proof.verify(&name.file_id, &spec, 0, name.index, chunk).expect("proves the chunk");
	}

	pub(super) fn verify_cancel(&self, name: &FragmentName, healed: &Healed) {
		assert_eq!(healed.fragment, self.id(name));
		assert!(healed.at <= self.shared.heads.borrow().best);
		let chunk = sampling::chunk(&BEACON, &healed.fragment, self.stripe(name).spec.chunks(0));
		self.verify_proof(name, chunk, &healed.proof);
	}
}

impl Shared {
	fn inner(&self) -> MutexGuard<'_, Inner> {
		self.inner.lock().expect("not poisoned")
	}

	fn status(&self, miner: MinerId, state: &State) -> MinerStatus {
		let account = sp_runtime_account();
		MinerStatus {
			miner,
			stash: account.clone(),
			payee: account.clone(),
			hot_key: account,
			endpoint_key: [u8::try_from(miner.0).expect("small"); 32],
			endpoint_addrs: Vec::new(),
			standing: state.leaving.get(&miner).copied().unwrap_or(MinerStanding::Serving),
			since: 0,
			declared: 1 << 20,
			held: 1,
			reserved: 0,
			fragments: 1,
			claims: 0,
			last_seen: 0,
			collateral: 0,
			required: 0,
			free_at: None,
			audit: Default::default(),
		}
	}

	fn record(&self, at: At, id: FragmentId) -> Option<FragmentRecord> {
		let inner = self.inner();
		let state = inner.state(at);
		let segment = state.segments.get(&id.segment)?;
		let name = inner.names.get(usize::try_from(id.segment.0).ok()?)?;
		let name = FragmentName { index: id.index, ..*name };
		let spec = inner.stripes.first()?.spec;
		let all = segment.confirmed.count_ones() == u32::from(segment.fragments());
		let claim = |(name, by): (&FragmentName, &MinerId)| SegmentClaim {
			index: name.index,
			by: *by,
			deadline: DEADLINE,
			ready: false,
		};
		let sibling = |(other, _): &(&FragmentName, &MinerId)| other.file == name.file;
		let claims = state.claimed.iter().filter(sibling).map(claim).collect();
		let parity = i16::from(segment.fragments()) - i16::from(spec.data());
		Some(FragmentRecord {
			fragment: id,
			name,
			size: spec.size(),
			coding: spec.coding(),
			state: if all { FileLife::Active } else { FileLife::Pending },
			holders: (0..segment.fragments()).map(|index| segment.holder(index)).collect(),
			confirmed: segment.confirmed,
			restoring: segment.restoring,
			claims,
			spare: inner.spares.get(&id.segment).copied().unwrap_or(parity),
			verdict: None,
		})
	}
}

impl State {
	fn row(&self, miner: MinerId) -> MinerRow {
		let standing = if let Some(standing) = self.leaving.get(&miner) {
			*standing
		} else if self.absent.contains(&miner) {
			MinerStanding::Absent
		} else {
			MinerStanding::Serving
		};
		let held = self.segments.values().filter(|segment| segment.index_of(miner).is_some());
		let fragments = u32::try_from(held.count()).expect("few");
		MinerRow {
			miner,
			standing,
			since: 0,
			absent: (standing == MinerStanding::Absent).then_some(0),
			last_seen: self.last_seen.get(&miner).copied().unwrap_or(TICK),
			fragments,
			idle: fragments == 0,
		}
	}
}

impl Inner {
	fn orders(&self, at: At) -> Vec<(FragmentId, OrderRow)> {
		let state = self.state(at);
		let mut orders = Vec::new();
		for (id, segment) in &state.segments {
			for index in (0..segment.fragments()).filter(|index| segment.is_restoring(*index)) {
				let name = FragmentName { index, ..self.names[id.0 as usize] };
				let row = OrderRow {
					claim: state.claimed.get(&name).map(|by| (*by, DEADLINE)),
					cause: OrderCause::Broken,
					opened: 0,
					disputed: false,
				};
				orders.push((FragmentId { segment: *id, index }, row));
			}
		}
		orders
	}

	fn state(&self, at: At) -> &State {
		match at {
			At::Best => &self.best,
			At::Finalized => &self.finalized,
		}
	}
}

fn sp_runtime_account() -> planaria_runtime_api::AccountId32 {
	[0; 32].into()
}

#[async_trait]
impl Chain for Node {
	fn genesis(&self) -> Hash {
		[0; 32]
	}

	fn heads(&self) -> watch::Receiver<Heads> {
		self.heads.subscribe()
	}

	async fn network(&self, _: At) -> Result<NetworkStatus, ChainError> {
		let inner = self.inner();
		Ok(NetworkStatus {
			height: 10,
			tick: TICK,
			running: true,
			slot_millis: inner.slot_millis,
			claim_period: 100,
			absent_after: 100,
			absent_max: 1000,
			braked: inner.best.braked,
			miners: 4,
			files_ever: 10,
			segments_ever: 10,
		})
	}

	async fn me(&self, at: At) -> Result<Option<MinerStatus>, ChainError> {
		self.miner(at, self.me).await
	}

	async fn miner(&self, at: At, miner: MinerId) -> Result<Option<MinerStatus>, ChainError> {
		let state = self.inner().state(at).clone();
		Ok((miner.0 as usize <= self.stores.len()).then(|| self.status(miner, &state)))
	}

	async fn locate(
		&self,
		at: At,
		names: Vec<FragmentName>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		let id =
			|name: &FragmentName| FragmentId { segment: SegmentId(name.file.0), index: name.index };
		Ok(names.iter().map(|name| self.record(at, id(name))).collect())
	}

	async fn records(
		&self,
		at: At,
		fragments: Vec<FragmentId>,
	) -> Result<Vec<Option<FragmentRecord>>, ChainError> {
		Ok(fragments.into_iter().map(|id| self.record(at, id)).collect())
	}

	async fn miners(
		&self,
		at: At,
		after: Option<MinerId>,
		limit: u32,
	) -> Result<Vec<MinerRow>, ChainError> {
		let inner = self.inner();
		let state = inner.state(at);
		let count = u32::try_from(self.stores.len()).expect("few");
		let rows = (0..count).map(MinerId).filter(|miner| after.is_none_or(|after| *miner > after));
		Ok(rows.take(limit as usize).map(|miner| state.row(miner)).collect())
	}

	async fn files(
		&self,
		at: At,
		files: Vec<FileIndex>,
	) -> Result<Vec<Option<FileRow>>, ChainError> {
		let inner = self.inner();
		let Some(stripe) = inner.stripes.first() else { return Ok(vec![None; files.len()]) };
		let spec = stripe.spec;
		let row = |file: FileIndex| {
			let first_segment = SegmentId(file.0);
			inner.state(at).segments.contains_key(&first_segment).then_some(FileRow {
				size: spec.size(),
				coding: spec.coding(),
				first_segment,
				alive: true,
			})
		};
		Ok(files.into_iter().map(row).collect())
	}

	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		limit: u32,
	) -> Result<Vec<(FragmentId, OrderRow)>, ChainError> {
		let inner = self.inner();
		let mut orders = inner.orders(at);
		orders.retain(|(fragment, _)| after.is_none_or(|after| *fragment > after));
		orders.truncate(limit as usize);
		Ok(orders)
	}

	async fn verdicts(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, VerdictStatus)>, ChainError> {
		let inner = self.inner();
		let verdicts = inner.state(at).verdicts.iter().map(|(id, verdict)| (*id, *verdict));
		let after = verdicts.filter(|(id, _)| after.is_none_or(|after| *id > after));
		Ok(after.take(limit as usize).collect())
	}

	async fn segments(
		&self,
		at: At,
		ids: Vec<SegmentId>,
	) -> Result<Vec<Option<Segment>>, ChainError> {
		let inner = self.inner();
		Ok(ids.iter().map(|id| inner.state(at).segments.get(id).cloned()).collect())
	}

	async fn class(
		&self,
		at: At,
		class: u8,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError> {
		let inner = self.inner();
		let segments = inner.state(at).segments.iter();
		Ok(segments
			.filter(|(id, _)| id.0.to_le_bytes()[0] == class)
			.filter(|(id, _)| after.is_none_or(|after| **id > after))
			.map(|(id, segment)| (*id, segment.clone()))
			.take(limit as usize)
			.collect())
	}

	fn changes(&self) -> broadcast::Receiver<Arc<Changes>> {
		self.changes.subscribe()
	}

	async fn beacon(&self, _: At, _: u32) -> Result<Option<Hash>, ChainError> {
		Ok(Some(BEACON))
	}
}

impl Mailbox for Node {
	fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
		self.inner().values.get(&(self.me, key.to_vec())).cloned()
	}

	fn set(&self, key: &[u8], value: Vec<u8>) {
		self.inner().values.insert((self.me, key.to_vec()), value);
	}

	fn rings(&self) -> Arc<Notify> {
		self.bell.clone()
	}
}

/// Serves what the stores really have, and verifies it as the transfer does.
#[async_trait]
impl Peers for Node {
	async fn open(
		&self,
		from: &PeerAddr,
		wanted: &WantedBytes,
		meter: &Meter,
	) -> Result<Incoming, PeerError> {
		tokio::time::sleep(Duration::from_millis(20)).await;
		let miner = MinerId(u32::from(from.key[0]));
		let failed = |reason: &str, fault| Err(PeerError { reason: reason.into(), fault });
		let (silent, lies, rate, breaks) = {
			let inner = self.inner();
			(
				inner.silent.contains(&miner),
				inner.liars.contains(&miner),
				inner.rates.get(&miner).copied().unwrap_or(RATE),
				inner.breaks.get(&miner).copied().filter(|after| *after > 0),
			)
		};
		if silent {
			return failed("no answer", Fault::Unreachable);
		}
		if lies {
			return failed("wrong bytes", Fault::Lied);
		}
		let WantedBytes { name, spec, range, .. } = wanted;
		let service = self.services.lock().expect("not poisoned").get(&miner).cloned();
		let stored = match service {
			Some(service) => service
				.read(&[1; 32], name)
				.map_err(|error| PeerError { reason: error.to_string(), fault: Fault::NotHeld })?,
			None => self.stores[miner.0 as usize].entry(name).expect("store").and_then(|entry| {
				let len = spec.fragment_len(name.segment);
				let bytes = self.stores[miner.0 as usize].read(&entry.hash, 0..len).ok()?;
				let sidecar = entry.of.sidecar;
				Some(Stored { hash: entry.hash, sidecar, bytes: Bytes::from(bytes) })
			}),
		};
		let Some(Stored { hash, sidecar, bytes }) = stored else {
			return failed("not here", Fault::NotHeld);
		};
		sidecar
			.verify(&name.file_id, spec, name.segment, name.index, &hash)
			.expect("the store has it verified");
		if FragmentHash::of(&bytes) != hash {
			return failed("wrong bytes", Fault::Lied);
		}
		assert_eq!(range.start % GROUP_LEN, 0);
		self.inner().asked.push((miner, *name, range.clone()));
		let bytes = bytes.slice(range.start as usize..range.end as usize);
		let state = (bytes, meter.clone(), breaks);
		let pieces = stream::unfold(state, move |(mut bytes, meter, mut left)| async move {
			if bytes.is_empty() {
				return None;
			}
			if left == Some(0) {
				let error = PeerError { reason: "broken".into(), fault: Fault::Broken };
				return Some((Err(error), (Bytes::new(), meter, left)));
			}
			let len = bytes.len().min(GROUP_LEN as usize);
			let len = left.map_or(len, |left| len.min(left as usize));
			left = left.map(|left| left - len as u32);
			tokio::time::sleep(Duration::from_micros(len as u64 * 1_000_000 / rate)).await;
			meter.add(len as u64);
			Some((Ok(bytes.split_to(len)), (bytes, meter, left)))
		});
		Ok(Incoming { hash, sidecar, pieces: pieces.boxed() })
	}

	fn set_rate(&self, rate: Option<NonZeroU64>) {
		self.inner().rate = rate;
	}

	async fn list(
		&self,
		from: &PeerAddr,
		after: Option<FragmentName>,
		limit: usize,
	) -> Result<Vec<FragmentName>, PeerError> {
		tokio::time::sleep(Duration::from_millis(20)).await;
		let miner = MinerId(u32::from(from.key[0]));
		if self.inner().silent.contains(&miner) {
			return Err(PeerError { reason: "no answer".into(), fault: Fault::Unreachable });
		}
		if let Some(list) = self.inner().lists.get(&miner) {
			let names = list.iter().filter(|name| after.is_none_or(|after| **name > after));
			return Ok(names.take(limit).copied().collect());
		}
		let entries = self.stores[miner.0 as usize].entries(after.as_ref(), limit);
		Ok(entries.expect("a store").into_iter().map(|entry| entry.of.name).collect())
	}
}
