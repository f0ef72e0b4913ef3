// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The self-check: the store against its own hashes, and against the chain.

use crate::{
	chain::{At, Chain, ChainError},
	scrub::{Finding, Next, Scrub},
	search::scan,
	status::CheckStatus,
	throttle::Limits,
};
use planaria_primitives::{
	FragmentHash, FragmentId, FragmentName, MinerId, THIN_SPARE, segment::bit,
};
use planaria_runtime_api::{FileLife, FragmentRecord, MinerStanding};
use planaria_store::{FragmentStore, Note, StoreError, Verdict};
use std::{
	collections::BTreeSet,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, SystemTime},
};
use tokio::{
	sync::{Notify, watch},
	time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How many names are looked up at a time.
const PAGE: usize = 256;

/// How many fragments the self-check looks ahead.
const CHECK_PAGE: usize = 64;

/// Each list of [`Compared`] stops here; what is beyond it is found by the next comparison.
const MAX_FOUND: usize = 1 << 16;

/// The store compared with the chain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Compared {
	/// Confirmed as this miner's on the best block, but not whole here, nor left to others.
	pub(crate) missing: Vec<FragmentName>,
	/// Here and assigned to this miner, but not confirmed on the best block.
	pub(crate) unconfirmed: Vec<FragmentName>,
	/// Confirmed as this miner's on the best block, where a restore order is open for it that is to
	/// be cancelled if it is whole.
	pub(crate) ordered: Vec<FragmentName>,
	/// Here, but assigned to this miner neither on the best nor on the finalized block.
	pub(crate) foreign: Vec<FragmentName>,
	/// Here, and assigned to nobody since its segment was lost.
	pub(crate) vacated: BTreeSet<FragmentId>,
}

/// A comparison could not be finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
	#[error(transparent)]
	Chain(#[from] ChainError),
	#[error(transparent)]
	Store(#[from] StoreError),
	#[error("the node stops")]
	Stopped,
}

/// Compares everything stored with the chain, and everything the chain assigns to `me`, which has
/// this standing, with the store. Rests for `pause` after each page of segments.
pub(crate) async fn compare(
	chain: &dyn Chain,
	store: &Arc<dyn FragmentStore>,
	me: MinerId,
	standing: MinerStanding,
	pause: Duration,
) -> Result<Compared, CompareError> {
	let mut compared = Compared::default();
	let mut after: Option<FragmentName> = None;
	loop {
		let page = blocking(store, move |store| store.entries(after.as_ref(), PAGE)).await?;
		let Some(last) = page.last() else { break };
		after = Some(last.of.name);
		let names: Vec<_> = page.iter().map(|entry| entry.of.name).collect();
		let best = chain.locate(At::Best, names.clone()).await?;
		let finalized = chain.locate(At::Finalized, names.clone()).await?;
		for ((name, best), finalized) in names.into_iter().zip(&best).zip(&finalized) {
			if !is_kept(best.as_ref(), me) && !is_kept(finalized.as_ref(), me) {
				push(&mut compared.foreign, name);
			} else if best.as_ref().is_some_and(|record| is_unconfirmed(record, me)) {
				push(&mut compared.unconfirmed, name);
			}
			let vacated = best.as_ref().filter(|record| is_vacated(record));
			if let Some(record) = vacated.filter(|_| compared.vacated.len() < MAX_FOUND) {
				compared.vacated.insert(record.fragment);
			}
		}
	}
	let mut mine: Vec<FragmentId> = Vec::new();
	scan(chain, At::Best, pause, |page| {
		mine.extend(page.into_iter().filter_map(|(segment, record)| {
			let index = record.index_of(me).filter(|index| record.is_confirmed(*index))?;
			Some(FragmentId { segment, index })
		}));
	})
	.await?;
	for ids in mine.chunks(PAGE) {
		let mut records = chain.records(At::Best, ids.to_vec()).await?;
		records.retain(|record| record.as_ref().is_some_and(|record| is_assigned(record, me)));
		let cancelled = |record: &&FragmentRecord| is_to_be_cancelled(record, standing);
		for record in records.iter().flatten().filter(cancelled) {
			push(&mut compared.ordered, record.name);
		}
		let wanted = |record: &&FragmentRecord| !is_left_to_others(record, standing);
		let names: Vec<FragmentName> =
			records.iter().flatten().filter(wanted).map(|record| record.name).collect();
		let missing = blocking(store, move |store| {
			let mut missing = Vec::new();
			for name in names {
				if store.entry(&name)?.is_none_or(|entry| entry.broken) {
					missing.push(name);
				}
			}
			Ok(missing)
		})
		.await?;
		missing.into_iter().for_each(|name| push(&mut compared.missing, name));
	}
	Ok(compared)
}

/// Whether the chain wants `me` to have this fragment: as its holder, or as the claimer of its
/// restore order.
pub(crate) fn is_assigned(record: &FragmentRecord, me: MinerId) -> bool {
	matches!(record.state, FileLife::Pending | FileLife::Active)
		&& (holder(record) == Some(me) || record.claimed_by() == Some(me))
}

/// Whether the fragment was taken off its holder because its segment was lost. Whoever has it can
/// bring the segment back, and so keeps it.
pub(crate) fn is_vacated(record: &FragmentRecord) -> bool {
	matches!(record.state, FileLife::Pending | FileLife::Active)
		&& holder(record).is_none()
		&& record.confirmed & bit(record.name.index) != 0
}

/// Whether `me` keeps the fragment of this record if it has it.
pub(crate) fn is_kept(record: Option<&FragmentRecord>, me: MinerId) -> bool {
	record.is_some_and(|record| is_assigned(record, me) || is_vacated(record))
}

/// Whether `me` is to confirm this fragment.
pub(crate) fn is_unconfirmed(record: &FragmentRecord, me: MinerId) -> bool {
	record.state == FileLife::Pending
		&& holder(record) == Some(me)
		&& record.confirmed & bit(record.name.index) == 0
}

/// Whether a restore order is open for the fragment.
pub(crate) fn is_ordered(record: &FragmentRecord) -> bool {
	record.restoring & bit(record.name.index) != 0
}

/// Whether the data of a miner of this standing moves away from it for good.
pub(crate) const fn is_leaving(standing: MinerStanding) -> bool {
	match standing {
		MinerStanding::Leaving | MinerStanding::Expelled | MinerStanding::Departed => true,
		MinerStanding::Serving | MinerStanding::Suspended | MinerStanding::Absent => false,
	}
}

/// Whether a miner of this standing leaves an own fragment to others that is not whole here: they
/// restore it from each other. Not while its segment is thin, which is not to wait for them.
///
/// As long as no order is open, one that leaves is copied from and audited, and restores it.
pub(crate) fn is_left_to_others(record: &FragmentRecord, standing: MinerStanding) -> bool {
	let restored_by_others = match standing {
		MinerStanding::Leaving => is_ordered(record),
		standing => is_leaving(standing),
	};
	restored_by_others && record.spare > THIN_SPARE
}

/// Whether a miner of this standing cancels the order that is open for an own fragment, if that is
/// whole here.
///
/// Orders are what takes the data off one that leaves: whoever claims it copies it. Only where too
/// little of a segment is present is it to say that it has the fragment, because the order may have
/// been opened for a proof that failed. What one has that is expelled is not present either way.
pub(crate) fn is_to_be_cancelled(record: &FragmentRecord, standing: MinerStanding) -> bool {
	let kept = match standing {
		MinerStanding::Leaving => record.spare < 0,
		standing => !is_leaving(standing),
	};
	kept && is_ordered(record)
}

/// Whom the fragment is assigned to.
pub(crate) fn holder(record: &FragmentRecord) -> Option<MinerId> {
	record.holders.get(usize::from(record.name.index)).copied().flatten()
}

/// Runs the [self-check](Scrub) over a store.
#[derive(Debug)]
pub(crate) struct Checker {
	store: Arc<dyn FragmentStore>,
	scrub: Mutex<Scrub>,
	limits: watch::Receiver<Limits>,
	clock: Clock,
	/// There is something new to do.
	bell: Notify,
}

/// The time since the Unix epoch, as the clock of the engine's tasks has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
	epoch: Duration,
	started: Instant,
}

impl Clock {
	/// A clock that agrees with the system's now.
	pub(crate) fn new() -> Self {
		let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
		Self { epoch, started: Instant::now() }
	}

	pub(crate) fn now(&self) -> Duration {
		self.epoch + self.started.elapsed()
	}

	fn instant(&self, time: Duration) -> Instant {
		self.started + time.saturating_sub(self.epoch)
	}
}

impl Checker {
	/// Goes on where the note in the store says.
	pub(crate) fn new(
		store: Arc<dyn FragmentStore>,
		period: Duration,
		limits: watch::Receiver<Limits>,
	) -> Arc<Self> {
		let clock = Clock::new();
		let note = store.note(Note::Check).unwrap_or_else(|error| {
			tracing::warn!(%error, "the self-check begins anew");
			None
		});
		let mut scrub = Scrub::load(note.as_deref(), clock.now(), period);
		// Until the engine stops as it should, the note says that it did not.
		save(&*store, &mut scrub, &clock, false);
		Arc::new(Self { store, scrub: Mutex::new(scrub), limits, clock, bell: Notify::new() })
	}

	/// Begins a fast pass unless one runs.
	pub(crate) fn check(&self) {
		self.scrub().check(self.clock.now());
		self.bell.notify_one();
	}

	/// Begins a fast pass unless there was one lately; looks at this fragment first.
	pub(crate) fn doubt(&self, hash: Option<FragmentHash>) {
		hash.into_iter().for_each(|hash| self.scrub().suspect(hash));
		self.scrub().doubt(self.clock.now());
		self.bell.notify_one();
	}

	/// Has a fragment looked at out of turn.
	pub(crate) fn suspect(&self, hash: FragmentHash) {
		self.scrub().suspect(hash);
		self.bell.notify_one();
	}

	/// Whether the disk cannot be relied on.
	pub(crate) fn is_disk_failing(&self) -> bool {
		self.scrub().is_disk_failing()
	}

	pub(crate) fn status(&self) -> CheckStatus {
		self.scrub().status(self.clock.now(), &self.limits.borrow())
	}

	/// Works until `stop` is cancelled or the future is dropped; `broken` is told what is out of
	/// service.
	pub(crate) async fn run(
		self: Arc<Self>,
		stop: CancellationToken,
		broken: impl Fn(FragmentName) + Send + Sync,
	) {
		let _saved = SaveOnDrop(&self);
		let mut limits = self.limits.clone();
		loop {
			let next = self.scrub().next(self.clock.now(), &limits.borrow_and_update());
			let work = async {
				match next {
					Next::Wait(until) => tokio::time::sleep_until(self.clock.instant(until)).await,
					next => self.step(next, &broken).await,
				}
			};
			tokio::select! {
				() = stop.cancelled() => return,
				() = self.bell.notified(), if matches!(next, Next::Wait(_)) => (),
				Ok(()) = limits.changed(), if matches!(next, Next::Wait(_)) => (),
				() = work => (),
			}
			self.save_some().await;
		}
	}

	async fn step(&self, next: Next, broken: &(impl Fn(FragmentName) + Send + Sync)) {
		let done = match next {
			Next::Wait(_) => Ok(()),
			Next::List { after } => self.list(after).await,
			Next::Verify(hash) => self.verify(hash, broken).await,
			Next::GiveUp(hash) => self.give_up(hash, broken).await,
		};
		if let Err(error) = done {
			tracing::error!(%error, "the self-check cannot go on for now");
			self.scrub().stumbled(self.clock.now());
		}
	}

	async fn list(&self, after: Option<FragmentHash>) -> Result<(), CompareError> {
		let (page, usage) = blocking(&self.store, move |store| {
			Ok((store.fragments(after.as_ref(), CHECK_PAGE)?, store.usage()?))
		})
		.await?;
		let fragments = page.into_iter().map(|fragment| (fragment.hash, fragment.len));
		self.scrub().list(fragments, usage.used);
		Ok(())
	}

	async fn verify(
		&self,
		hash: FragmentHash,
		broken: &(impl Fn(FragmentName) + Send + Sync),
	) -> Result<(), CompareError> {
		let began = Instant::now();
		let (len, finding, uses) = blocking(&self.store, move |store| look(store, &hash)).await?;
		uses.into_iter().for_each(broken);
		let failing = {
			let mut scrub = self.scrub();
			let before = scrub.is_disk_failing();
			scrub.looked(hash, len, finding.clone(), began.elapsed(), self.clock.now());
			(before, scrub.is_disk_failing())
		};
		if let Finding::Unreadable(error) = &finding {
			tracing::warn!(%error, "a fragment cannot be read; it is tried again");
		}
		match (failing, &finding) {
			((false, true), Finding::Unreadable(error)) => tracing::error!(
				%error,
				"THE DISK IS FAILING: too many fragments cannot be read. Nothing is restored onto it \
				 and nothing is given up until it reads again. Check cable, controller and disk"
			),
			((true, false), _) => tracing::warn!("the disk reads again; the self-check goes on"),
			_ => (),
		}
		Ok(())
	}

	async fn give_up(
		&self,
		hash: FragmentHash,
		broken: &(impl Fn(FragmentName) + Send + Sync),
	) -> Result<(), CompareError> {
		let names = blocking(&self.store, move |store| {
			let verdict = store.give_up(&hash)?;
			if verdict.is_whole() { Ok(Vec::new()) } else { names(store, &hash) }
		})
		.await?;
		if !names.is_empty() {
			tracing::error!(%hash, "a fragment could not be read time after time; it is restored");
			self.scrub().given_up();
			names.into_iter().for_each(broken);
		}
		Ok(())
	}

	async fn save_some(&self) {
		let now = self.clock.now();
		let note = {
			let mut scrub = self.scrub();
			scrub.is_to_be_saved(now).then(|| scrub.save(now, false))
		};
		let Some(note) = note else { return };
		let saved = blocking(&self.store, move |store| store.set_note(Note::Check, &note)).await;
		if let Err(error) = saved {
			tracing::warn!(%error, "the position of the self-check cannot be noted");
		}
	}

	fn scrub(&self) -> MutexGuard<'_, Scrub> {
		self.scrub.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Notes that the engine stopped, even where its future is dropped.
struct SaveOnDrop<'a>(&'a Checker);

impl Drop for SaveOnDrop<'_> {
	fn drop(&mut self) {
		save(&*self.0.store, &mut self.0.scrub(), &self.0.clock, true);
	}
}

fn save(store: &dyn FragmentStore, scrub: &mut Scrub, clock: &Clock, clean: bool) {
	if let Err(error) = store.set_note(Note::Check, &scrub.save(clock.now(), clean)) {
		tracing::warn!(%error, "the position of the self-check cannot be noted");
	}
}

/// Hashes a fragment again and takes it out of service if it is damaged or gone. Its length, what
/// was found, and what is broken by that.
fn look(
	store: &dyn FragmentStore,
	hash: &FragmentHash,
) -> Result<(u32, Finding, Vec<FragmentName>), StoreError> {
	let Some(fragment) = store.fragment(hash)?.filter(|fragment| !fragment.broken) else {
		return Ok((0, Finding::Gone, Vec::new()));
	};
	let verdict = match store.verify(hash)? {
		Verdict::Damaged | Verdict::Missing => store.quarantine(hash)?,
		verdict => verdict,
	};
	let finding = match verdict {
		Verdict::Whole => Finding::Whole,
		Verdict::Unreadable(error) => Finding::Unreadable(error.to_string()),
		// Released meanwhile.
		_ if store.fragment(hash)?.is_none() => Finding::Gone,
		Verdict::Damaged => Finding::Damaged,
		Verdict::Missing => Finding::Missing,
	};
	let is_broken = matches!(finding, Finding::Damaged | Finding::Missing);
	let names = if is_broken { names(store, hash)? } else { Vec::new() };
	Ok((fragment.len, finding, names))
}

/// What a fragment is used for; what is beyond the first page comes out of the comparison with the
/// chain.
fn names(store: &dyn FragmentStore, hash: &FragmentHash) -> Result<Vec<FragmentName>, StoreError> {
	Ok(store.uses(hash, None, PAGE)?.into_iter().map(|of| of.name).collect())
}

pub(crate) async fn blocking<T: Send + 'static>(
	store: &Arc<dyn FragmentStore>,
	work: impl FnOnce(&dyn FragmentStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, CompareError> {
	let store = store.clone();
	let done = tokio::task::spawn_blocking(move || work(&*store)).await;
	Ok(done.map_err(|_| CompareError::Stopped)??)
}

fn push(list: &mut Vec<FragmentName>, name: FragmentName) {
	if list.len() < MAX_FOUND {
		list.push(name);
	}
}
