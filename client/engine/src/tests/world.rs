// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A chain, miners with stores, and a transport between them, in memory.
//!
//! Segment `k` is the only segment of file `k`; fragment `i` of it is held by miner `i`, and the
//! engine under test is miner 0.

#![allow(clippy::cast_possible_truncation)] // small numbers

use crate::{
	At, Chain, ChainError, Engine, EngineConfig, EngineHandle, Heads, Mailbox, PeerError, Peers,
	engine::Event, peers::Fetched,
};
use async_trait::async_trait;
use bytes::Bytes;
use planaria_erasure::Coder;
use planaria_primitives::{
	CodingParams, FileIndex, FileSpec, FragmentHash, FragmentId, FragmentName, FragmentProof, Hash,
	MinerId, Segment, SegmentId, Sidecar,
	mailbox::{
		DONE, Done, Healed, Job, JobKind, PROOF_PAGES, ProofItem, Proofs, WANTED, Wanted, pack,
		proofs_key, unpack,
	},
	sampling,
	segment::bit,
};
use planaria_runtime_api::{
	FileLife, FragmentRecord, MinerStanding, MinerStatus, NetworkStatus, OrderCause, OrderStanding,
	OrderStatus, SegmentClaim, TargetStatus,
};
use planaria_store::{FragmentStore, FragmentStoreExt, FragmentUse, MemoryStore};
use planaria_transfer::PeerAddr;
use std::{
	collections::{BTreeMap, BTreeSet, HashMap},
	sync::{Arc, Mutex, MutexGuard},
	time::Duration,
};
use tokio::{
	sync::{Notify, watch},
	task::JoinHandle,
	time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(super) const ME: MinerId = MinerId(0);
const SIZE: u64 = 5_000;
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
	leaving: BTreeSet<MinerId>,
}

struct Inner {
	names: Vec<FragmentName>,
	stripes: Vec<Stripe>,
	best: State,
	finalized: State,
	silent: BTreeSet<MinerId>,
	liars: BTreeSet<MinerId>,
	values: HashMap<Vec<u8>, Vec<u8>>,
}

pub(super) struct World {
	shared: Arc<Shared>,
	running: Mutex<Option<(CancellationToken, JoinHandle<()>, EngineHandle)>>,
}

struct Shared {
	inner: Mutex<Inner>,
	stores: Vec<MemoryStore>,
	heads: watch::Sender<Heads>,
	bell: Arc<Notify>,
}

impl World {
	/// Files of one segment each, all stored and confirmed.
	pub(super) fn new(data: u8, parity: u8, files: u64) -> Self {
		Self::with_capacity(data, parity, files, 1 << 20)
	}

	/// Its stores have room for exactly what they hold.
	pub(super) fn full(data: u8, parity: u8) -> Self {
		let coding = CodingParams::new(data, parity).expect("valid");
		let spec = FileSpec::new(SIZE, coding).expect("valid");
		Self::with_capacity(data, parity, 1, spec.fragment_len(0).into())
	}

	fn with_capacity(data: u8, parity: u8, files: u64, capacity: u64) -> Self {
		let coding = CodingParams::new(data, parity).expect("valid");
		let spec = FileSpec::new(SIZE, coding).expect("valid");
		let stores: Vec<_> = (0..coding.fragments()).map(|_| MemoryStore::new(capacity)).collect();
		let (mut names, mut stripes, mut state) = (Vec::new(), Vec::new(), State::default());
		for file in 0..files {
			let content: Vec<u8> = (0..SIZE).map(|i| (i * 7 + file * 13) as u8).collect();
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
			values: HashMap::new(),
		};
		let heads = watch::channel(Heads { best: 10, finalized: 8, syncing: false }).0;
		let shared =
			Shared { inner: Mutex::new(inner), stores, heads, bell: Arc::new(Notify::new()) };
		Self { shared: Arc::new(shared), running: Mutex::new(None) }
	}

	fn inner(&self) -> MutexGuard<'_, Inner> {
		self.shared.inner()
	}

	pub(super) fn start(&self) -> EngineHandle {
		let store: Arc<dyn FragmentStore> = Arc::new(self.store(ME).clone());
		let (engine, handle) = Engine::new(
			self.shared.clone(),
			store,
			self.shared.clone(),
			self.shared.clone(),
			EngineConfig::default(),
		);
		let stop = CancellationToken::new();
		let task = tokio::spawn(engine.run(stop.clone()));
		*self.running.lock().expect("not poisoned") = Some((stop, task, handle.clone()));
		handle
	}

	pub(super) async fn stop(&self) {
		let running = self.running.lock().expect("not poisoned").take();
		if let Some((stop, task, _)) = running {
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

	/// What the server does when it has read wrong bytes.
	pub(super) fn serve_damaged(&self, name: &FragmentName) {
		self.store(ME).quarantine(&self.hash(name)).expect("store");
		let running = self.running.lock().expect("not poisoned");
		running.as_ref().expect("running").2.send(Event::Broken(*name));
	}

	fn change(&self, finalized: bool, change: impl Fn(&mut State)) {
		let mut inner = self.inner();
		change(&mut inner.best);
		if finalized {
			change(&mut inner.finalized);
		}
		drop(inner);
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
		self.open_order(&name);
		self.change(true, |state| {
			state.claimed.insert(name, ME);
		});
		name
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
		self.change(true, |state| {
			state.leaving.insert(miner);
		});
	}

	pub(super) fn want(&self, jobs: Vec<Job>) {
		let wanted = Wanted { miner: ME, height: 10, jobs };
		self.shared.set(WANTED, pack(&wanted).expect("fits"));
		self.shared.bell.notify_one();
	}

	pub(super) fn want_restore(&self, name: &FragmentName) {
		let job = JobKind::Restore { fragment: self.id(name), name: *name, deadline: 100 };
		self.want(vec![job.into()]);
	}

	pub(super) fn done(&self) -> Done {
		Mailbox::get(&*self.shared, DONE).and_then(|bytes| unpack(&bytes)).unwrap_or_default()
	}

	pub(super) fn forget_done(&self) {
		self.inner().values.remove(DONE);
	}

	pub(super) fn proofs(&self) -> Vec<ProofItem> {
		(0..PROOF_PAGES)
			.filter_map(|page| unpack::<Proofs>(&Mailbox::get(&*self.shared, &proofs_key(page))?))
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
			standing: if state.leaving.contains(&miner) {
				MinerStanding::Leaving
			} else {
				MinerStanding::Serving
			},
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
		}
	}

	fn record(&self, at: At, id: FragmentId) -> Option<FragmentRecord> {
		let inner = self.inner();
		let state = inner.state(at);
		let segment = state.segments.get(&id.segment)?;
		let name = inner.names.get(usize::try_from(id.segment.0).ok()?)?;
		let name = FragmentName { index: id.index, ..*name };
		let spec = inner.stripes[0].spec;
		let all = segment.confirmed.count_ones() == u32::from(segment.fragments());
		let claim = |(name, by): (&FragmentName, &MinerId)| SegmentClaim {
			index: name.index,
			by: *by,
			deadline: 100,
			ready: false,
		};
		let sibling = |(other, _): &(&FragmentName, &MinerId)| other.file == name.file;
		let claims = state.claimed.iter().filter(sibling).map(claim).collect();
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
			spare: i16::from(segment.fragments()) - i16::from(spec.data()),
			verdict: None,
		})
	}
}

impl Inner {
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
impl Chain for Shared {
	fn genesis(&self) -> Hash {
		[0; 32]
	}

	fn heads(&self) -> watch::Receiver<Heads> {
		self.heads.subscribe()
	}

	async fn network(&self, _: At) -> Result<NetworkStatus, ChainError> {
		Ok(NetworkStatus {
			height: 10,
			tick: 10,
			running: true,
			slot_millis: 1000,
			claim_period: 100,
			absent_after: 100,
			absent_max: 1000,
			braked: false,
			miners: 4,
			files_ever: 10,
			segments_ever: 10,
		})
	}

	async fn me(&self, at: At) -> Result<Option<MinerStatus>, ChainError> {
		self.miner(at, ME).await
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

	async fn orders(
		&self,
		at: At,
		after: Option<FragmentId>,
		_: u32,
	) -> Result<Vec<OrderStatus>, ChainError> {
		let inner = self.inner();
		let mut orders = Vec::new();
		for (id, segment) in &inner.state(at).segments {
			for index in (0..segment.fragments()).filter(|index| segment.is_restoring(*index)) {
				let name = FragmentName { index, ..inner.names[id.0 as usize] };
				let standing = match inner.state(at).claimed.get(&name) {
					Some(by) => OrderStanding::Claimed { by: *by, deadline: 100 },
					None => OrderStanding::Unclaimed,
				};
				orders.push(OrderStatus {
					fragment: FragmentId { segment: *id, index },
					file: segment.file,
					number: 0,
					len: 64,
					holder: segment.holder(index),
					cause: OrderCause::Broken,
					opened: 0,
					standing,
					expiries: 0,
					declines: 0,
					disputed: false,
					spare: 0,
				});
			}
		}
		orders.retain(|order| after.is_none_or(|after| order.fragment > after));
		Ok(orders)
	}

	async fn targets(
		&self,
		at: At,
		_: Option<MinerId>,
		_: u32,
	) -> Result<Vec<TargetStatus>, ChainError> {
		let target = |miner: &MinerId| TargetStatus {
			miner: *miner,
			standing: MinerStanding::Leaving,
			since: 0,
			fragments: 1,
			held: 1,
		};
		Ok(self.inner().state(at).leaving.iter().map(target).collect())
	}

	async fn segments(
		&self,
		at: At,
		after: Option<SegmentId>,
		limit: u32,
	) -> Result<Vec<(SegmentId, Segment)>, ChainError> {
		let inner = self.inner();
		let segments = inner.state(at).segments.iter();
		Ok(segments
			.filter(|(id, _)| after.is_none_or(|after| **id > after))
			.map(|(id, segment)| (*id, segment.clone()))
			.take(limit as usize)
			.collect())
	}

	async fn beacon(&self, _: At, _: u32) -> Result<Option<Hash>, ChainError> {
		Ok(Some(BEACON))
	}
}

impl Mailbox for Shared {
	fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
		self.inner().values.get(key).cloned()
	}

	fn set(&self, key: &[u8], value: Vec<u8>) {
		self.inner().values.insert(key.to_vec(), value);
	}

	fn rings(&self) -> Arc<Notify> {
		self.bell.clone()
	}
}

/// Serves what the stores really have, and verifies it as the transfer does.
#[async_trait]
impl Peers for Shared {
	async fn get(
		&self,
		from: &PeerAddr,
		name: &FragmentName,
		spec: &FileSpec,
	) -> Result<Fetched, PeerError> {
		tokio::time::sleep(Duration::from_millis(20)).await;
		let miner = MinerId(u32::from(from.key[0]));
		let failed = |reason: &str, lied| Err(PeerError { reason: reason.into(), lied });
		if self.inner().silent.contains(&miner) {
			return failed("no answer", false);
		}
		if self.inner().liars.contains(&miner) {
			return failed("wrong bytes", true);
		}
		let store = &self.stores[miner.0 as usize];
		let Ok(Some(entry)) = store.entry(name) else { return failed("not here", false) };
		entry.of.check(&entry.hash).expect("the store has it verified");
		let Ok(bytes) = store.read(&entry.hash, 0..spec.fragment_len(name.segment)) else {
			return failed("damaged", false);
		};
		if FragmentHash::of(&bytes) != entry.hash {
			return failed("wrong bytes", true);
		}
		Ok(Fetched { hash: entry.hash, sidecar: entry.of.sidecar, bytes: Bytes::from(bytes) })
	}
}
