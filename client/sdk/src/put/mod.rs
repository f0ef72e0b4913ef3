// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Storing a file.
//!
//! The file, or whatever [`Content`] it is, is read twice: once to commit to it, once to send it. In
//! between stands the storage
//! order on chain. What was already done is read from the chain, so a put that was broken off goes
//! on where it stopped when it is called again with the same file, coding and account.
//!
//! # Memory
//!
//! A segment takes `(data + n) × F` while it is encoded (40 MiB with `lean`, 128 MiB with
//! `standard`) and `n × F` while it is sent; as many as fit into
//! [`MEMORY_BUDGET`](crate::MEMORY_BUDGET) are worked on at once, at least one and at most three.
//! The transport may have up to 4 MiB more per fragment on its way.

mod content;

mod error;

mod segment;

mod source;

pub use content::{Content, FileContent};
pub use error::PutError;
pub(crate) use source::unreadable;

use crate::{
	AccountId32, ChainError, Orders, Placement, PlacementError, Planner, Preferences, Transport,
	ledger::NewOrder,
	progress::{Progress, PutEvent},
	retry::{Backoff, Patience},
	segments_at_once,
	transport::{PeerAddr, peer},
};
use futures::{StreamExt, TryStreamExt, stream};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FileSpec, MinerId, PlacementRule, Tick, placement::Draw,
};
use planaria_runtime_api::{
	FileLife, FileStatus, FragmentStatus, MAX_PAGE, PlacementStatus, SegmentStatus,
};
use rand::{SeedableRng, rngs::StdRng};
use segment::{Work, holders_of};
use source::Source;
use std::{
	collections::{HashMap, VecDeque},
	future::Future,
	path::Path,
	sync::{
		Arc, Mutex, PoisonError,
		atomic::{AtomicU32, AtomicU64, Ordering},
	},
	time::Duration,
};
use tokio::{
	sync::Notify,
	task::spawn_blocking,
	time::{Instant, sleep},
};
use tracing::{debug, info, warn};

/// How a file is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutOptions {
	/// The erasure code.
	pub coding: CodingParams,
	/// What the owner writes on it, at most 64 bytes.
	pub label: Vec<u8>,
	/// Whose file it shall be, if not the signer's.
	pub payer: Option<AccountId32>,
	/// Which miners.
	pub preferences: Preferences,
	/// Whether they are chosen, or drawn; drawn unless the network is small where it is not said.
	pub placement: Option<PlacementRule>,
	/// Whether to wait until every fragment is confirmed on chain.
	pub wait: bool,
	/// Whether to store the file once more though the account has it already, under this label.
	pub again: bool,
	/// How patient to be with a holder.
	pub patience: Patience,
	/// How long a holder may take to confirm a fragment that is on its disk.
	pub confirm_within: Duration,
}

impl Default for PutOptions {
	fn default() -> Self {
		Self {
			coding: CodingParams::STANDARD,
			label: Vec::new(),
			payer: None,
			preferences: Preferences::default(),
			placement: None,
			wait: true,
			again: false,
			patience: Patience::default(),
			confirm_within: Duration::from_secs(120),
		}
	}
}

/// What became of a put.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct PutReport {
	/// The stored instance.
	pub file: FileIndex,
	/// The content.
	pub id: FileId,
	/// Its size in bytes.
	pub size: u64,
	/// Its coding.
	pub coding: CodingParams,
	/// How its holders were found.
	pub placement: PlacementRule,
	/// How many segments it has.
	pub segments: u32,
	/// The bytes all fragments take together.
	pub stored_bytes: u64,
	/// How many fragments were sent in this put.
	pub sent_fragments: u64,
	/// How many bytes these are.
	pub sent_bytes: u64,
	/// How many fragments went to another miner than the first.
	pub replaced: u32,
	/// Whether an earlier storage order was continued.
	pub resumed: bool,
	/// Whether every fragment is confirmed.
	pub active: bool,
	/// How long it took.
	pub seconds: f64,
}

/// How many segments are in work at most.
const MOST_SEGMENTS: usize = 3;
/// How often a step on chain is tried.
const CHAIN_ATTEMPTS: u32 = 6;
/// How many fragments one call places at most, so that it fits into a block.
const PLACED_AT_ONCE: u32 = 1024;
/// How many segments are sent before it is seen whose holders have failed meanwhile.
const SENT_AT_ONCE: u32 = 16;
/// How often the chain is looked at while waiting.
const POLL: Duration = Duration::from_secs(2);

/// Stores the file at `path`.
///
/// Returns when every fragment is confirmed, or with [`PutOptions::wait`] off when every fragment
/// is on its holder's disk. When the future is dropped, call it again to go on.
pub async fn put<O: Orders, T: Transport>(
	orders: Arc<O>,
	transport: Arc<T>,
	path: &Path,
	options: PutOptions,
	progress: Progress<PutEvent>,
) -> Result<PutReport, PutError> {
	let content = open(path).await?;
	put_content(orders, transport, content, options, progress).await
}

/// Stores what is no file, like [`put`].
pub async fn put_content<O: Orders, T: Transport>(
	orders: Arc<O>,
	transport: Arc<T>,
	content: Arc<dyn Content>,
	options: PutOptions,
	progress: Progress<PutEvent>,
) -> Result<PutReport, PutError> {
	let began = Instant::now();
	let source = Source::commit(content, options.coding, progress.clone()).await?;
	progress(PutEvent::Committed(*source.id()));
	let miners = patiently(|| orders.miners()).await?;
	let random = StdRng::from_rng(&mut rand::rng());
	let terms = patiently(|| orders.terms()).await?;
	let rule = options.placement.unwrap_or_else(|| terms.rule(&miners));
	let planner = Planner::new(terms, &miners, options.preferences.clone(), random);
	let peers = miners.iter().map(|miner| (miner.miner, peer(miner))).collect();
	let put = Putting {
		orders,
		transport,
		source: Arc::new(source),
		options,
		rule,
		progress,
		planner: Mutex::new(planner),
		peers: Mutex::new(peers),
		file: Mutex::new(FileIndex(0)),
		sent: Mutex::new(HashMap::new()),
		unreachable: Mutex::new(HashMap::new()),
		waiting: Mutex::new(None),
		shunning: Notify::new(),
		sent_fragments: AtomicU64::new(0),
		sent_bytes: AtomicU64::new(0),
		replaced: AtomicU32::new(0),
	};
	put.run(began).await
}

async fn open(path: &Path) -> Result<Arc<dyn Content>, PutError> {
	let path = path.to_owned();
	let opened = spawn_blocking(move || FileContent::open(&path)).await;
	Ok(Arc::new(opened.expect("opening does not panic; qed")?))
}

/// The id and geometry of what would be stored, computed without a chain.
pub async fn identify(
	content: Arc<dyn Content>,
	coding: CodingParams,
	progress: Progress<PutEvent>,
) -> Result<(FileId, FileSpec), PutError> {
	let source = Source::commit(content, coding, progress).await?;
	Ok((*source.id(), *source.spec()))
}

/// A put in work.
pub(crate) struct Putting<O, T> {
	orders: Arc<O>,
	transport: Arc<T>,
	source: Arc<Source>,
	options: PutOptions,
	/// How a new order is placed.
	rule: PlacementRule,
	progress: Progress<PutEvent>,
	planner: Mutex<Planner<StdRng>>,
	peers: Mutex<HashMap<MinerId, PeerAddr>>,
	/// A fork may change it.
	file: Mutex<FileIndex>,
	/// To whom the fragments of a segment were given; [`MinerId::NOBODY`] where to nobody yet.
	sent: Mutex<HashMap<u32, Vec<MinerId>>>,
	/// How often in a row a miner was not reached.
	unreachable: Mutex<HashMap<MinerId, u32>>,
	/// Until when more candidates are waited for.
	waiting: Mutex<Option<Tick>>,
	/// Told when a miner is shunned.
	shunning: Notify,
	sent_fragments: AtomicU64,
	sent_bytes: AtomicU64,
	replaced: AtomicU32,
}

/// Segments that are placed by one call, sent together, and are not all confirmed yet.
#[derive(Clone, Copy, Debug)]
struct Page {
	first: u32,
	count: u32,
	/// When to look at it.
	due: Instant,
	/// How often it was due in vain.
	expiries: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks again as long as only the connection fails.
async fn patiently<R, F>(mut ask: impl FnMut() -> F) -> Result<R, ChainError>
where
	F: Future<Output = Result<R, ChainError>>,
{
	let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
	let mut attempt = 1;
	loop {
		match ask().await {
			Err(error) if error.is_transient() && attempt < CHAIN_ATTEMPTS => {
				warn!(%error, attempt, "asking the chain again");
				sleep(backoff.next().unwrap_or_default()).await;
				attempt += 1;
			},
			done => return done,
		}
	}
}

impl<O: Orders, T: Transport> Putting<O, T> {
	async fn run(&self, began: Instant) -> Result<PutReport, PutError> {
		let spec = *self.source.spec();
		let (status, resumed) = self.ordered().await?;
		if resumed {
			let (file, unconfirmed) = (status.file, status.unconfirmed);
			(self.progress)(PutEvent::Resumed { file, unconfirmed });
		} else {
			(self.progress)(PutEvent::Ordered(status.file));
		}
		let mut active = status.state == FileLife::Active;
		if !active {
			let mut pages = VecDeque::new();
			for (first, count) in pages_of(&spec) {
				self.send_page(first, count, false).await?;
				let due = Instant::now() + self.options.confirm_within;
				pages.push_back(Page { first, count, due, expiries: 0 });
			}
			if self.options.wait {
				self.wait(pages).await?;
				active = true;
			}
		}
		Ok(PutReport {
			file: *lock(&self.file),
			id: *self.source.id(),
			size: spec.size(),
			coding: spec.coding(),
			placement: status.placement.rule(),
			segments: spec.segments(),
			stored_bytes: spec.stored_bytes(),
			sent_fragments: self.sent_fragments.load(Ordering::Relaxed),
			sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
			replaced: self.replaced.load(Ordering::Relaxed),
			resumed,
			active,
			seconds: began.elapsed().as_secs_f64(),
		})
	}

	/// Whose file it is to be.
	fn owner(&self) -> AccountId32 {
		self.options.payer.clone().unwrap_or_else(|| self.orders.account())
	}

	/// An instance that this put can continue: pending, or active unless another one is wanted. What
	/// has another label is somebody else's to delete, of the same account though it is.
	async fn existing(&self) -> Result<Option<FileStatus>, PutError> {
		let owner = self.owner();
		let files = patiently(|| self.orders.files_by_id(self.source.id())).await?;
		let mut own: Vec<_> = files.into_iter().filter(|file| file.owner == owner).collect();
		let wished = |file: &FileStatus| {
			self.options.placement.is_none_or(|rule| file.placement.rule() == rule)
		};
		own.retain(|file| file.label == self.options.label && wished(file));
		own.retain(|file| match file.state {
			FileLife::Pending => true,
			FileLife::Active => !self.options.again,
			FileLife::Deleting | FileLife::Failed => false,
		});
		own.sort_by_key(|file| (file.state != FileLife::Active, file.unconfirmed));
		Ok(own.into_iter().next())
	}

	/// The storage order, and whether it was there before.
	async fn ordered(&self) -> Result<(FileStatus, bool), PutError> {
		if let Some(file) = self.existing().await? {
			info!(file = file.file.0, "continuing a storage order");
			*lock(&self.file) = file.file;
			return Ok((file, true));
		}
		// No order that nobody could serve.
		let spec = self.source.spec();
		let fragments = usize::from(spec.fragments());
		lock(&self.planner).could_serve(fragments, spec.fragment_len(0))?;
		let order = NewOrder {
			id: *self.source.id(),
			size: spec.size(),
			coding: spec.coding(),
			label: self.options.label.clone(),
			payer: self.options.payer.clone(),
			placement: self.rule,
		};
		match self.orders.order(&order).await {
			Ok(file) => *lock(&self.file) = file,
			// It may have got through.
			Err(error) if error.is_transient() => {
				warn!(%error, "the storage order may be lost, looking for it");
				sleep(POLL).await;
				let Some(found) = self.existing().await? else { return Err(error.into()) };
				*lock(&self.file) = found.file;
			},
			Err(error) => return Err(error.into()),
		}
		Ok((self.status().await?, false))
	}

	/// The file as the chain has it now, under the number that the present fork gives it.
	async fn status(&self) -> Result<FileStatus, PutError> {
		for _ in 0..CHAIN_ATTEMPTS {
			let file = *lock(&self.file);
			let found = patiently(|| self.orders.file(file)).await?;
			if let Some(found) = found.filter(|found| found.id == *self.source.id()) {
				return match found.state {
					FileLife::Pending | FileLife::Active => Ok(found),
					FileLife::Failed => Err(PutError::Failed(file)),
					FileLife::Deleting => Err(PutError::Deleted(file)),
				};
			}
			// A fork took the order, or gave it another number.
			if let Some(found) = self.existing().await? {
				warn!(from = file.0, to = found.file.0, "a fork renamed the file");
				*lock(&self.file) = found.file;
				lock(&self.sent).clear();
				continue;
			}
			sleep(3 * POLL).await;
		}
		Err(PutError::Vanished)
	}

	/// Reads the miners' present state.
	async fn refresh_miners(&self) -> Result<(), PutError> {
		let miners = patiently(|| self.orders.miners()).await?;
		lock(&self.planner).refresh(&miners);
		*lock(&self.peers) = miners.iter().map(|miner| (miner.miner, peer(miner))).collect();
		Ok(())
	}

	/// Places what is not placed of these segments and sends what is not sent and not confirmed;
	/// with `replace`, to other miners than before.
	async fn send_page(&self, first: u32, count: u32, replace: bool) -> Result<(), PutError> {
		let (mut segments, mut placed_at) = self.place_page(first, count).await?;
		let at_once = segments_at_once(self.source.spec(), MOST_SEGMENTS);
		for group in segments
			.chunk_by_mut(|one, next| next.number % SENT_AT_ONCE > one.number % SENT_AT_ONCE)
		{
			placed_at = placed_at.max(self.leave_shunned(group).await?.unwrap_or(0));
			let works = group.iter().filter_map(|segment| {
				let fragments = (0..).zip(&segment.fragments);
				let wanted = fragments.filter(|(_, fragment)| !fragment.confirmed);
				let wanted: Vec<u8> = wanted.map(|(index, _)| index).collect();
				let (number, holders) = (segment.number, holders_of(segment));
				(!wanted.is_empty()).then_some(Work { number, holders, wanted, placed_at, replace })
			});
			stream::iter(works)
				.map(|work| self.send_segment(work))
				.buffer_unordered(at_once)
				.try_collect::<()>()
				.await?;
		}
		Ok(())
	}

	/// Places what is not placed of these segments; returns them all, and a block that has seen
	/// every placement.
	async fn place_page(
		&self,
		first: u32,
		count: u32,
	) -> Result<(Vec<SegmentStatus>, u32), PutError> {
		let spec = *self.source.spec();
		let mut attempt = 0;
		let mut placed_at = None;
		loop {
			let (status, draw) = self.drawn().await?;
			let file = status.file;
			let segments = patiently(|| self.orders.segments(file, first, count)).await?;
			let unplaced = unplaced(&segments, first, count);
			let Some(run) = unplaced.into_iter().next() else {
				let height = match placed_at {
					Some(height) => height,
					None => patiently(|| self.orders.height()).await?,
				};
				let (segments, of) = (first + count, spec.segments());
				(self.progress)(PutEvent::Placed { segments, of });
				return Ok((segments_in_order(file, first, &self.orders, count).await?, height));
			};
			let holders = match self.plan(&run, &segments, &spec, draw.as_ref()) {
				Ok(holders) => holders,
				Err((segment, error)) => {
					self.until_more(&status, segment, error).await?;
					self.refresh_miners().await?;
					continue;
				},
			};
			match self.place(file, run.start, draw.as_ref(), &holders).await {
				Ok(block) => placed_at = placed_at.max(Some(block)),
				// A miner may have become full or left since it was chosen.
				Err(error) if attempt < CHAIN_ATTEMPTS && is_worth_another(&error) => {
					warn!(%error, attempt, "placing again");
					attempt += 1;
					sleep(POLL).await;
					self.refresh_miners().await?;
				},
				Err(error) => return Err(error.into()),
			}
		}
	}

	/// The file, and the draw of its candidates where its holders are drawn. Waits for the seed.
	async fn drawn(&self) -> Result<(FileStatus, Option<Draw>), PutError> {
		let deadline = Instant::now() + self.options.confirm_within;
		loop {
			let status = self.status().await?;
			let draw = status.placement.draw();
			if draw.is_some() || status.placement == PlacementStatus::Chosen {
				return Ok((status, draw));
			}
			if Instant::now() >= deadline {
				return Err(PutError::NotDrawn(status.file));
			}
			sleep(POLL).await;
		}
	}

	/// Waits a while where more candidates will be drawn.
	async fn until_more(
		&self,
		status: &FileStatus,
		segment: u32,
		error: PlacementError,
	) -> Result<(), PutError> {
		let until = match status.placement {
			PlacementStatus::Chosen => return Err(error.into()),
			PlacementStatus::Drawn { more_at, .. } => more_at,
		};
		let PlacementError { needed, found } = error;
		let file = status.file;
		let until = until.ok_or(PutError::NoCandidates { file, segment, needed, found })?;
		if lock(&self.waiting).replace(until) != Some(until) {
			info!(segment, needed, found, until, "waiting for more candidates");
			(self.progress)(PutEvent::Waiting { segment, until });
		}
		sleep(2 * POLL).await;
		Ok(())
	}

	/// Places segments with these holders.
	async fn place(
		&self,
		file: FileIndex,
		first: u32,
		draw: Option<&Draw>,
		segments: &[Vec<MinerId>],
	) -> Result<u32, ChainError> {
		let placement = |(number, holders): (u32, &Vec<_>)| Placement::of(draw, number, holders);
		let placements: Vec<_> = (first..).zip(segments).map(placement).collect();
		self.orders.place(file, first, &placements).await
	}

	/// Chooses holders for a run of segments. A confirmed fragment stays where it is. Where that
	/// fails it says in which segment.
	fn plan(
		&self,
		run: &std::ops::Range<u32>,
		known: &[SegmentStatus],
		spec: &FileSpec,
		draw: Option<&Draw>,
	) -> Result<Vec<Vec<MinerId>>, (u32, PlacementError)> {
		let mut planner = lock(&self.planner);
		let mut planned = Vec::new();
		for number in run.clone() {
			let len = spec.fragment_len(number);
			let known = known.iter().find(|segment| segment.number == number);
			let Some(known) = known else {
				let holders = match draw {
					None => planner.segment(spec.fragments(), len),
					Some(draw) => {
						let all = 0..spec.fragments();
						let of: Vec<_> =
							all.map(|index| draw.of(number, index).collect()).collect();
						planner.drawn(&of, &[], len)
					},
				};
				planned.push(holders.map_err(|error| (number, error))?);
				continue;
			};
			let mut holders: Vec<_> =
				known.fragments.iter().filter_map(|fragment| fragment.holder).collect();
			let mut complete = Vec::new();
			for (index, fragment) in (0..).zip(&known.fragments) {
				complete.push(match fragment.holder {
					Some(holder) => holder,
					None if fragment.confirmed => MinerId::NOBODY,
					None => {
						let chosen = planner
							.another(draw.map(|draw| draw.of(number, index)), &holders, len)
							.map_err(|error| (number, error))?;
						holders.push(chosen);
						chosen
					},
				});
			}
			planned.push(complete);
		}
		Ok(planned)
	}

	/// Waits until every fragment is confirmed; offers again, then replaces, what is not.
	async fn wait(&self, mut pages: VecDeque<Page>) -> Result<(), PutError> {
		let spec = *self.source.spec();
		let of = u64::from(spec.segments()) * u64::from(spec.fragments());
		let mut last = None;
		loop {
			let status = self.status().await?;
			let fragments = of.saturating_sub(u64::from(status.unconfirmed));
			if last.replace(fragments) != Some(fragments) {
				(self.progress)(PutEvent::Confirmed { fragments, of });
			}
			if status.state == FileLife::Active {
				return Ok(());
			}
			if pages.is_empty() {
				// Everything was confirmed when it was looked at, and is not any more: a fork.
				let due = Instant::now() + self.options.confirm_within;
				let page = |(first, count)| Page { first, count, due, expiries: 0 };
				pages.extend(pages_of(&spec).map(page));
			}
			sleep(POLL).await;
			let Some(page) = pages.front().copied().filter(|page| page.due <= Instant::now())
			else {
				continue;
			};
			pages.pop_front();
			if self.is_confirmed(status.file, &page).await? {
				(page.first..page.first + page.count).for_each(|number| {
					lock(&self.sent).remove(&number);
				});
				continue;
			}
			let Page { first, count, expiries, .. } = page;
			debug!(first, count, expiries, "fragments are not confirmed in time");
			if expiries > self.options.patience.replacements {
				return Err(PutError::Unconfirmed { file: status.file, first, count });
			}
			// Once more to the same holder, which may have lost it; then to others.
			(first..first + count).for_each(|number| {
				if let Some(sent) = lock(&self.sent).get_mut(&number) {
					sent.fill(MinerId::NOBODY);
				}
			});
			self.refresh_miners().await?;
			self.send_page(first, count, expiries > 0).await?;
			let due = Instant::now() + self.options.confirm_within;
			pages.push_back(Page { due, expiries: expiries + 1, ..page });
		}
	}

	async fn is_confirmed(&self, file: FileIndex, page: &Page) -> Result<bool, PutError> {
		let segments = patiently(|| self.orders.segments(file, page.first, page.count)).await?;
		let all = segments.len() == page.count as usize;
		let confirmed = |segment: &SegmentStatus| segment.fragments.iter().all(|f| f.confirmed);
		Ok(all && segments.iter().all(confirmed))
	}
}

async fn segments_in_order<O: Orders>(
	file: FileIndex,
	first: u32,
	orders: &Arc<O>,
	count: u32,
) -> Result<Vec<SegmentStatus>, PutError> {
	let mut segments = patiently(|| orders.segments(file, first, count)).await?;
	segments.sort_by_key(|segment| segment.number);
	Ok(segments)
}

/// The segments of a file in runs that one call places, as first number and count.
fn pages_of(spec: &FileSpec) -> impl Iterator<Item = (u32, u32)> + use<> {
	let page = (PLACED_AT_ONCE / u32::from(spec.fragments())).clamp(1, MAX_PAGE);
	let segments = spec.segments();
	(0..segments).step_by(page as usize).map(move |first| (first, page.min(segments - first)))
}

/// Runs of segments of which a fragment is not placed.
fn unplaced(segments: &[SegmentStatus], first: u32, count: u32) -> Vec<std::ops::Range<u32>> {
	let is_placed = |number| {
		segments.iter().any(|segment| {
			// A confirmed fragment without a holder was lost: that is no longer ours to place.
			let is_placed = |f: &FragmentStatus| f.holder.is_some() || f.confirmed;
			segment.number == number && segment.fragments.iter().all(is_placed)
		})
	};
	let mut runs: Vec<std::ops::Range<u32>> = Vec::new();
	for number in (first..first + count).filter(|number| !is_placed(*number)) {
		match runs.last_mut() {
			Some(run) if run.end == number => run.end += 1,
			_ => runs.push(number..number + 1),
		}
	}
	runs
}

/// Whether another placement may succeed where one failed with this.
fn is_worth_another(error: &ChainError) -> bool {
	match error {
		ChainError::Refused(refusal) => refusal.pallet == "Miners" || refusal.pallet == "Files",
		ChainError::Rejected(_) => true,
		other => other.is_transient(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_primitives::SegmentId;

	fn segment(number: u32, holders: &[Option<u32>]) -> SegmentStatus {
		let fragment = |holder: &Option<u32>| FragmentStatus {
			holder: holder.map(MinerId),
			confirmed: false,
			restoring: false,
		};
		SegmentStatus {
			id: SegmentId(u64::from(number)),
			number,
			present: 0,
			spare: 0,
			verdict: None,
			fragments: holders.iter().map(fragment).collect(),
		}
	}

	#[test]
	fn what_is_not_placed_is_found_in_runs() {
		let known = [segment(0, &[Some(1)]), segment(3, &[Some(1), None]), segment(4, &[Some(1)])];
		assert_eq!(unplaced(&known, 0, 7), [1..4, 5..7]);
		assert_eq!(unplaced(&known, 4, 1), []);
		assert_eq!(unplaced(&[], 256, 256), vec![256..512; 1]);
	}

	#[test]
	fn a_page_fits_into_a_call() {
		let spec = |size, coding| FileSpec::new(size, coding).expect("valid");
		let pages = |spec| pages_of(&spec).collect::<Vec<_>>();
		assert_eq!(pages(spec(1, CodingParams::LEAN)), [(0, 1)]);
		let capacity = CodingParams::LEAN.segment_capacity();
		assert_eq!(pages(spec(300 * capacity, CodingParams::LEAN)), [(0, 256), (256, 44)]);
		let wide = CodingParams::new(32, 32).expect("valid");
		let sizes = pages(spec(40 * wide.segment_capacity(), wide));
		assert_eq!(sizes, [(0, 16), (16, 16), (32, 8)]);
	}
}
