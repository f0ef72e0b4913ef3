// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Having a fragment durable again, from wherever it can be had.
//!
//! What is copied streams into the store, so that a transfer that breaks, or a process that ends,
//! costs nothing that was there: the rest is fetched from whoever has the fragment. What is fetched
//! to rebuild a segment stays in memory, and is fetched again after a restart.

use crate::{
	chain::{At, Chain, ChainError},
	config::EngineConfig,
	contacts::{Contact, Contacts},
	gather,
	gauge::Gauge,
	peers::{Fault, PeerError, Peers, Wanted},
	siblings::Siblings,
	sources::{self, Attempt, Avoided, Blame, Patience, Source, Speed, Waits},
	status::RestoreSource,
	writing::Writing,
};
use bytes::Bytes;
use futures::StreamExt;
use planaria_erasure::{Coder, RestoredFragment, Sibling};
use planaria_primitives::{FileSpec, FragmentHash, FragmentName, MinerId, Sidecar, SpecError};
use planaria_runtime_api::{FileLife, FragmentRecord};
use planaria_store::{
	BeginError, Begun, CommitError, FragmentStore, FragmentStoreExt, FragmentUse, PutError,
	StoreError, WriteError,
};
use planaria_transfer::{GROUP_LEN, Meter, PeerAddr};
use std::{
	collections::{BTreeMap, HashMap},
	ops::Range,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::Semaphore,
	task::spawn_blocking,
	time::{Instant, sleep, timeout},
};

/// How many bytes of a copy are written at a time.
const PIECE: usize = 256 << 10;

/// How often a broken transfer goes on at the same miner.
const RESUMES: u32 = 2;

/// How often a busy miner is asked again.
const BUSY_RETRIES: u32 = 6;

/// The first wait for a busy miner; it doubles.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// Of how many broken copies it is remembered how far they came.
const MAX_PARTIALS: usize = 1024;

/// What a restoration needs. Clones share it.
#[derive(Clone)]
pub(crate) struct Restorer {
	pub(crate) chain: Arc<dyn Chain>,
	pub(crate) store: Arc<dyn FragmentStore>,
	pub(crate) peers: Arc<dyn Peers>,
	pub(crate) config: Arc<EngineConfig>,
	pub(crate) siblings: Arc<Siblings>,
	contacts: Arc<Contacts>,
	/// In KiB, for the segments that are being rebuilt.
	memory: Arc<Semaphore>,
	known: Arc<Mutex<Known>>,
	/// Whether the store had interrupted writes when the engine started.
	leftovers: bool,
	started: Instant,
}

/// What was learned about others.
#[derive(Debug, Default)]
struct Known {
	avoided: Avoided,
	waits: Waits,
	/// How long a rebuild takes, fetching included; a moving average.
	decode: Duration,
	/// Copies that were begun in this process.
	partials: HashMap<FragmentName, (FragmentHash, Sidecar)>,
}

/// Why a fragment could not be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
	/// The chain's record is unusable.
	#[error("the chain's record of the file is unusable: {0}")]
	Spec(#[from] SpecError),
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The file is gone or not restorable.
	#[error("the file is being removed")]
	Removed,
	/// Another miner is about to make it.
	#[error("miner {0} is about to restore this segment")]
	NotYet(MinerId),
	/// Somebody else is writing it into the store.
	#[error("fragment {0} is being written by somebody else")]
	Busy(FragmentHash),
	/// Too few sources answered.
	#[error("only {got} of the {needed} fragments that are needed could be fetched; last: {last}")]
	Sources { got: usize, needed: u8, last: String },
	/// What was fetched does not decode to the file: what was stored is no codeword.
	#[error("the other fragments do not decode to the file: {0}")]
	NoCodeword(planaria_erasure::RestoreError),
	/// The store cannot take it, and trying again will not help.
	#[error("{0}")]
	NoRoom(String),
	/// The store failed.
	#[error("{0}")]
	Store(String),
	/// The node stops.
	#[error("the node stops")]
	Stopped,
}

impl RestoreError {
	/// Whether another attempt is pointless for now.
	pub(crate) const fn is_final(&self) -> bool {
		matches!(self, Self::NoRoom(_) | Self::Removed | Self::Spec(_))
	}
}

impl From<StoreError> for RestoreError {
	fn from(error: StoreError) -> Self {
		let text = error.to_string();
		match error {
			StoreError::DiskFull { .. } | StoreError::ReadOnly { .. } => Self::NoRoom(text),
			_ => Self::Store(text),
		}
	}
}

impl From<BeginError> for RestoreError {
	fn from(error: BeginError) -> Self {
		match error {
			BeginError::Store(error) => error.into(),
			BeginError::Busy(hash) => Self::Busy(hash),
			error if error.is_full() => Self::NoRoom(error.to_string()),
			error => Self::Store(error.to_string()),
		}
	}
}

impl From<WriteError> for RestoreError {
	fn from(error: WriteError) -> Self {
		match error {
			WriteError::Store(error) => error.into(),
			error => Self::Store(error.to_string()),
		}
	}
}

impl From<CommitError> for RestoreError {
	fn from(error: CommitError) -> Self {
		match error {
			CommitError::Store(error) => error.into(),
			error => Self::Store(error.to_string()),
		}
	}
}

impl From<PutError> for RestoreError {
	fn from(error: PutError) -> Self {
		match error {
			PutError::Begin(error) => error.into(),
			PutError::Write(error) => error.into(),
			PutError::Commit(error) => error.into(),
			error => Self::Store(error.to_string()),
		}
	}
}

/// Why a copy from one miner ended early.
enum Broken {
	Peer(PeerError),
	/// It is too slow.
	Slow,
	Here(RestoreError),
}

impl From<PeerError> for Broken {
	fn from(error: PeerError) -> Self {
		Self::Peer(error)
	}
}

impl From<RestoreError> for Broken {
	fn from(error: RestoreError) -> Self {
		Self::Here(error)
	}
}

/// One fragment that is to be had.
pub(crate) struct Task<'a> {
	pub(crate) me: MinerId,
	pub(crate) record: &'a FragmentRecord,
	pub(crate) spec: FileSpec,
	pub(crate) gauge: &'a Gauge,
}

impl Task<'_> {
	pub(crate) fn name(&self) -> FragmentName {
		self.record.name
	}

	pub(crate) fn len(&self) -> u32 {
		self.spec.fragment_len(self.record.name.segment)
	}
}

impl std::fmt::Debug for Restorer {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Restorer").field("store", &self.store).finish_non_exhaustive()
	}
}

impl Restorer {
	pub(crate) fn new(
		chain: Arc<dyn Chain>,
		store: Arc<dyn FragmentStore>,
		peers: Arc<dyn Peers>,
		config: Arc<EngineConfig>,
	) -> Self {
		let memory = usize::try_from(config.rebuild_memory >> 10).unwrap_or(usize::MAX);
		let memory = memory.clamp(1, u32::MAX as usize >> 4);
		Self {
			siblings: Arc::new(Siblings::new(config.siblings_memory, config.siblings_age)),
			contacts: Arc::default(),
			memory: Arc::new(Semaphore::new(memory)),
			known: Arc::default(),
			leftovers: store.usage().is_ok_and(|usage| usage.reserved > 0),
			started: Instant::now(),
			chain,
			store,
			peers,
			config,
		}
	}

	/// Restores the fragment of `record` for miner `me`, and says where it came from.
	pub(crate) async fn restore(
		&self,
		me: MinerId,
		record: &FragmentRecord,
		gauge: &Gauge,
	) -> Result<RestoreSource, RestoreError> {
		if !matches!(record.state, FileLife::Active | FileLife::Pending) {
			return Err(RestoreError::Removed);
		}
		let spec = FileSpec::new(record.size, record.coding)?;
		let task = Task { me, record, spec, gauge };
		// This miner may have made it for others before it claimed it.
		if let Some(made) = self.siblings.take(&task.name()) {
			gauge.set_source(RestoreSource::Rebuild);
			self.put(&task, made.hash, made.sidecar, made.bytes).await?;
			return Ok(RestoreSource::Rebuild);
		}
		let mut writing = None;
		let restored = self.try_all(&task, &mut writing).await;
		if let Some(writing) = writing {
			writing.keep().await;
		}
		restored
	}

	async fn try_all(
		&self,
		task: &Task<'_>,
		writing: &mut Option<Writing>,
	) -> Result<RestoreSource, RestoreError> {
		let mut failed = None;
		for attempt in self.attempts(task).await? {
			match attempt {
				Attempt::Copy(holder) => {
					task.gauge.set_source(RestoreSource::Copy);
					if self.copy(task, holder, &task.gauge.read, writing).await? {
						return Ok(RestoreSource::Copy);
					}
				},
				Attempt::Ask(restorer) => {
					task.gauge.set_source(RestoreSource::Cooperative);
					if self.copy(task, restorer, &task.gauge.passed, writing).await? {
						return Ok(RestoreSource::Cooperative);
					}
				},
				Attempt::Wait(restorer) => {
					self.wait(task.name(), restorer);
					return Err(RestoreError::NotYet(restorer));
				},
				Attempt::Rebuild => {
					task.gauge.set_source(RestoreSource::Rebuild);
					// It is written anew.
					if let Some(writing) = writing.take() {
						writing.keep().await;
					}
					match self.rebuild(task).await {
						Ok(()) => return Ok(RestoreSource::Rebuild),
						Err(error @ RestoreError::Sources { .. }) => failed = Some(error),
						Err(error) => return Err(error),
					}
				},
			}
		}
		Err(failed.unwrap_or(RestoreError::Stopped))
	}

	/// What to try, with what is known of everybody.
	async fn attempts(&self, task: &Task<'_>) -> Result<Vec<Attempt>, RestoreError> {
		let record = task.record;
		let holder = record.holders.get(usize::from(record.name.index)).copied().flatten();
		let holder = match holder {
			Some(miner) => {
				let contact = self.contact(miner).await?;
				contact.map(|contact| (miner, contact.source, self.is_avoided(miner)))
			},
			None => None,
		};
		let patience = self.patience(task).await?;
		let now = self.now();
		let known = self.known();
		let usable = |miner| !known.avoided.contains(miner, now);
		let patient = |miner| known.waits.is_patient(&record.name, miner, now, patience);
		Ok(sources::attempts(record, task.me, holder, usable, patient))
	}

	/// How long this claim can wait for others.
	async fn patience(&self, task: &Task<'_>) -> Result<Patience, RestoreError> {
		let claim = task.record.claim(task.name().index).filter(|claim| claim.by == task.me);
		let Some(claim) = claim else { return Ok(Patience::NONE) };
		let network = self.chain.network(At::Best).await?;
		let left = claim.deadline.saturating_sub(network.tick);
		let tick = Duration::from_millis(network.slot_millis);
		Ok(Patience::new(left, tick, self.config.wait_share, self.known().decode))
	}

	/// Has the whole fragment from one miner, behind what is here already; whether it is durable
	/// now.
	async fn copy(
		&self,
		task: &Task<'_>,
		miner: MinerId,
		meter: &Meter,
		writing: &mut Option<Writing>,
	) -> Result<bool, RestoreError> {
		let Some(contact) = self.contact(miner).await? else { return Ok(false) };
		let (mut resumes, mut busy) = (RESUMES, 0);
		loop {
			let error = match self.stream(task, &contact.addr, meter, writing).await {
				Ok(()) => {
					self.known().avoided.served(miner);
					return Ok(true);
				},
				Err(Broken::Here(error)) => return Err(error),
				Err(Broken::Slow) => {
					self.blame(miner, Blame::Slow);
					return Ok(false);
				},
				Err(Broken::Peer(error)) => error,
			};
			tracing::debug!(name = %task.name(), %miner, %error, "does not give it");
			match error.fault {
				Fault::Broken if resumes > 0 => resumes -= 1,
				Fault::Busy if busy < BUSY_RETRIES => {
					sleep(BUSY_WAIT * 2u32.pow(busy)).await;
					busy += 1;
				},
				fault => {
					self.judge(task.gauge, miner, fault);
					return Ok(false);
				},
			}
		}
	}

	/// Streams what is missing of the fragment from one miner into the store.
	async fn stream(
		&self,
		task: &Task<'_>,
		from: &PeerAddr,
		meter: &Meter,
		writing: &mut Option<Writing>,
	) -> Result<(), Broken> {
		let (name, len) = (task.name(), task.len());
		let partial = self.known().partials.get(&name).cloned();
		if writing.is_none()
			&& let Some((hash, sidecar)) = &partial
		{
			let Some(begun) = self.begin(task, *hash, sidecar.clone()).await? else {
				return Ok(());
			};
			*writing = Some(begun);
		}
		loop {
			let offset = writing.as_ref().map_or(0, Writing::offset);
			if offset == len {
				break;
			}
			// What an earlier process has of it can be found only by its hash: one group tells it.
			let probe = writing.is_none() && partial.is_none() && self.leftovers;
			let start = offset / GROUP_LEN * GROUP_LEN;
			let range = start..if probe { len.min(GROUP_LEN) } else { len };
			let wanted = Wanted { name, spec: task.spec, range, piece: PIECE };
			let mut pace = Pace::new(meter);
			let opening = self.peers.open(from, &wanted, &pace.meter);
			let opening = timeout(self.config.hedge_after * 2, opening);
			let mut incoming = opening.await.map_err(|_| Broken::Slow)??;
			if writing.is_none() {
				let sidecar = incoming.sidecar.clone();
				let Some(begun) = self.begin(task, incoming.hash, sidecar).await? else {
					return Ok(());
				};
				// What is here needs not be fetched.
				let elsewhere = begun.offset() != offset;
				*writing = Some(begun);
				if elsewhere {
					continue;
				}
			}
			let Some(writing) = writing.as_mut() else { break };
			let mut skip = (offset - start) as usize;
			loop {
				let next = timeout(self.config.hedge_after, incoming.pieces.next()).await;
				let moved = pace.look();
				let slow = pace.speed.elapsed >= self.config.hedge_after
					&& pace.speed.rate() < self.config.least_rate;
				let mut piece = match next {
					Ok(Some(piece)) => piece?,
					Ok(None) => break,
					Err(_) if moved && !slow => continue,
					Err(_) => return Err(Broken::Slow),
				};
				let skipped = skip.min(piece.len());
				skip -= skipped;
				let piece = piece.split_off(skipped);
				if !piece.is_empty() {
					writing.write(piece).await?;
					task.gauge.set_had(writing.offset().into());
				}
				if slow && !writing.is_complete() {
					return Err(Broken::Slow);
				}
			}
		}
		if let Some(writing) = writing.take() {
			writing.commit().await?;
		}
		self.known().partials.remove(&name);
		Ok(())
	}

	/// A place for the fragment; `None` where it is here already.
	async fn begin(
		&self,
		task: &Task<'_>,
		hash: FragmentHash,
		sidecar: Sidecar,
	) -> Result<Option<Writing>, RestoreError> {
		let of = FragmentUse { name: task.name(), spec: task.spec, sidecar: sidecar.clone() };
		let store = self.store.clone();
		let begun = spawn_blocking(move || store.begin(hash, &of));
		let begun = begun.await.map_err(|_| RestoreError::Stopped)??;
		let mut known = self.known();
		if known.partials.len() >= MAX_PARTIALS {
			known.partials.clear();
		}
		known.partials.insert(task.name(), (hash, sidecar));
		Ok(match begun {
			Begun::Have => None,
			Begun::Write(writer) => Some(Writing::new(writer)),
		})
	}

	/// Rebuilds the fragment from any `data` others, and along with it those that others need.
	async fn rebuild(&self, task: &Task<'_>) -> Result<(), RestoreError> {
		let (name, len) = (task.name(), u64::from(task.len()));
		let sources = self.known_sources(task.record).await?;
		let source = |miner| sources.get(&miner).copied().unwrap_or(Source::Gone);
		let mut others = sources::wanted_by_others(task.record, task.me, source);
		others.truncate(usize::try_from(self.config.siblings_memory / len).unwrap_or(usize::MAX));
		// Others have to fetch what was made for them before there is room for more.
		if !others.is_empty() && !self.siblings.has_room(len * others.len() as u64) {
			let patience = self.patience(task).await?;
			let now = self.now();
			if self.known().waits.is_patient(&name, task.me, now, patience) {
				self.wait(name, task.me);
				return Err(RestoreError::NotYet(task.me));
			}
		}
		let kib =
			|fragments: usize| u32::try_from((len * fragments as u64) >> 10).unwrap_or(u32::MAX);
		let data = usize::from(task.spec.data());
		let all = u32::try_from(self.config.rebuild_memory >> 10).unwrap_or(u32::MAX);
		let needed = kib(data + 1 + others.len()).clamp(1, all.clamp(1, u32::MAX >> 4));
		let mut memory =
			self.memory.acquire_many(needed).await.map_err(|_| RestoreError::Stopped)?;

		let began = Instant::now();
		let mut last = Vec::new();
		let restored = loop {
			let fetched = gather::gather(self, task, &last).await?;
			let used: Vec<u8> = fetched.iter().map(|(index, _)| *index).collect();
			match decode(task, &others, fetched).await? {
				Ok(restored) => break restored,
				// Each was verified, so what was stored is no codeword. Others are to say the same.
				Err(_) if last.is_empty() => last = used,
				Err(error) => return Err(RestoreError::NoCodeword(error)),
			}
		};
		self.took(began.elapsed());
		// The sources are gone, what was made is left.
		drop(memory.split((kib(data) as usize).min(memory.num_permits().saturating_sub(1))));

		let mut own = None;
		for RestoredFragment { index, hash, sidecar, bytes } in restored {
			if index == name.index {
				own = Some((hash, sidecar, bytes));
			} else {
				let name = FragmentName { index, ..name };
				self.siblings.keep(name, hash, sidecar, bytes.into());
			}
		}
		let (hash, sidecar, bytes) = own.ok_or(RestoreError::Stopped)?;
		self.put(task, hash, sidecar, bytes.into()).await
	}

	/// Whether others still need this fragment, which was made for them.
	pub(crate) async fn is_wanted(
		&self,
		me: MinerId,
		record: &FragmentRecord,
	) -> Result<bool, ChainError> {
		let index = record.name.index;
		let source = match record.holders.get(usize::from(index)).copied().flatten() {
			Some(holder) => self.contact(holder).await?.map(|contact| contact.source),
			None => None,
		};
		Ok(sources::is_wanted(record, index, me, source.unwrap_or(Source::Gone)))
	}

	/// What the holders of a segment are as sources.
	async fn known_sources(
		&self,
		record: &FragmentRecord,
	) -> Result<BTreeMap<MinerId, Source>, RestoreError> {
		let mut known = BTreeMap::new();
		for miner in record.holders.iter().copied().flatten() {
			if let Some(contact) = self.contact(miner).await? {
				known.insert(miner, contact.source);
			}
		}
		Ok(known)
	}

	async fn put(
		&self,
		task: &Task<'_>,
		hash: FragmentHash,
		sidecar: Sidecar,
		bytes: Bytes,
	) -> Result<(), RestoreError> {
		let of = FragmentUse { name: task.name(), spec: task.spec, sidecar: sidecar.clone() };
		let (store, made) = (self.store.clone(), bytes.clone());
		let put = spawn_blocking(move || store.put_bytes(hash, &of, &bytes).map(drop));
		let put = put.await.map_err(|_| RestoreError::Stopped)?.map_err(RestoreError::from);
		if matches!(put, Err(RestoreError::Busy(_))) {
			// The next attempt takes it from there, and does not make it again.
			self.siblings.keep(task.name(), hash, sidecar, made);
		}
		put?;
		task.gauge.set_had(task.len().into());
		Ok(())
	}

	/// Fetches one fragment into memory; `meter` counts what arrives.
	pub(crate) async fn fetch(
		&self,
		task: &Task<'_>,
		index: u8,
		holder: MinerId,
		meter: &Meter,
	) -> Result<Fetched, PeerError> {
		let unreachable = |reason| PeerError { reason, fault: Fault::Unreachable };
		let contact = self
			.contact(holder)
			.await
			.map_err(|error| PeerError { reason: error.to_string(), fault: Fault::Other })?;
		let contact = contact.ok_or_else(|| unreachable("the miner is gone".into()))?;
		let name = FragmentName { index, ..task.name() };
		let (mut bytes, len) = (Vec::new(), task.len());
		let (mut resumes, mut busy) = (RESUMES, 0);
		loop {
			let start = u32::try_from(bytes.len()).unwrap_or(len) / GROUP_LEN * GROUP_LEN;
			bytes.truncate(start as usize);
			let fetched = self.fetch_range(task, &name, start..len, &contact, meter, &mut bytes);
			match fetched.await {
				Ok(fetched) => return Ok(Fetched { bytes, ..fetched }),
				Err(error) if error.fault == Fault::Broken && resumes > 0 => resumes -= 1,
				Err(error) if error.fault == Fault::Busy && busy < BUSY_RETRIES => {
					sleep(BUSY_WAIT * 2u32.pow(busy)).await;
					busy += 1;
				},
				Err(error) => return Err(error),
			}
		}
	}

	async fn fetch_range(
		&self,
		task: &Task<'_>,
		name: &FragmentName,
		range: Range<u32>,
		contact: &Contact,
		meter: &Meter,
		bytes: &mut Vec<u8>,
	) -> Result<Fetched, PeerError> {
		let wanted =
			Wanted { name: *name, spec: task.spec, range: range.clone(), piece: range.len() };
		let mut incoming = self.peers.open(&contact.addr, &wanted, meter).await?;
		while let Some(piece) = incoming.pieces.next().await {
			let piece = piece?;
			if bytes.is_empty() {
				// All of it, usually: nothing is copied.
				*bytes = piece.into();
			} else {
				bytes.extend_from_slice(&piece);
			}
		}
		if bytes.len() != range.end as usize {
			let reason = "the stream ended too early".into();
			return Err(PeerError { reason, fault: Fault::Broken });
		}
		Ok(Fetched { hash: incoming.hash, sidecar: incoming.sidecar, bytes: Vec::new() })
	}

	pub(crate) async fn contact(&self, miner: MinerId) -> Result<Option<Contact>, ChainError> {
		self.contacts.get(&*self.chain, miner).await
	}

	/// Avoids a miner for what it did.
	pub(crate) fn judge(&self, gauge: &Gauge, miner: MinerId, fault: Fault) {
		match fault {
			Fault::Lied => {
				gauge.lied();
				self.blame(miner, Blame::Lied);
			},
			Fault::Unreachable | Fault::Broken => self.blame(miner, Blame::Unreachable),
			Fault::NotHeld | Fault::Busy | Fault::Other => (),
		}
	}

	pub(crate) fn blame(&self, miner: MinerId, why: Blame) {
		tracing::debug!(%miner, ?why, "avoided as a source for a while");
		let now = self.now();
		self.known().avoided.blame(miner, why, now);
	}

	pub(crate) fn served(&self, miner: MinerId) {
		self.known().avoided.served(miner);
	}

	pub(crate) fn is_avoided(&self, miner: MinerId) -> bool {
		let now = self.now();
		self.known().avoided.contains(miner, now)
	}

	/// Only these fragments are needed still.
	pub(crate) fn retain_waits(&self, needed: impl Fn(&FragmentName) -> bool) {
		self.known().waits.retain(needed);
	}

	fn wait(&self, name: FragmentName, miner: MinerId) {
		let now = self.now();
		self.known().waits.wait(name, miner, now);
	}

	/// A rebuild took so long.
	fn took(&self, time: Duration) {
		let mut known = self.known();
		known.decode = if known.decode.is_zero() { time } else { (known.decode * 7 + time) / 8 };
	}

	fn now(&self) -> Duration {
		self.started.elapsed()
	}

	fn known(&self) -> MutexGuard<'_, Known> {
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// A fragment in memory, verified against its file's id.
#[derive(Debug)]
pub(crate) struct Fetched {
	pub(crate) hash: FragmentHash,
	pub(crate) sidecar: Sidecar,
	pub(crate) bytes: Vec<u8>,
}

/// The fragment of the task and the `others` from verified fragments; what is fetched is dropped.
async fn decode(
	task: &Task<'_>,
	others: &[u8],
	fetched: Vec<(u8, Fetched)>,
) -> Result<Result<Vec<RestoredFragment>, planaria_erasure::RestoreError>, RestoreError> {
	let (name, spec) = (task.name(), task.spec);
	let wanted: Vec<u8> = std::iter::once(name.index).chain(others.iter().copied()).collect();
	let work = move || {
		let siblings: Vec<Sibling<'_>> = fetched
			.iter()
			.map(|(index, Fetched { hash, sidecar, bytes })| Sibling {
				index: *index,
				bytes,
				hash: *hash,
				sidecar,
			})
			.collect();
		Coder::new(spec).restore_some(&name.file_id, name.segment, &siblings, &wanted)
	};
	spawn_blocking(work).await.map_err(|_| RestoreError::Stopped)
}

/// How fast a source is, as seen from time to time.
pub(crate) struct Pace {
	/// Counts what comes from it.
	pub(crate) meter: Meter,
	pub(crate) speed: Speed,
	began: Instant,
	moved: Instant,
}

impl Pace {
	/// A source that is asked now; what comes from it counts in `meter` as well.
	pub(crate) fn new(meter: &Meter) -> Self {
		let now = Instant::now();
		Self { meter: meter.part(), speed: Speed::default(), began: now, moved: now }
	}

	/// Looks again; whether anything has arrived since the last time.
	pub(crate) fn look(&mut self) -> bool {
		let bytes = self.meter.bytes();
		let moved = bytes > self.speed.bytes;
		if moved {
			self.moved = Instant::now();
		}
		let (elapsed, still) = (self.began.elapsed(), self.moved.elapsed());
		self.speed = Speed { elapsed, still, bytes };
		moved
	}
}
