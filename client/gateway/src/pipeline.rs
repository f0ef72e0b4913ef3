// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is still to be done, done: contents are stored on the network, files are deleted there.
//!
//! Jobs are in the catalog until they are done, so a gateway that is started again goes on. A job
//! that fails is tried again, after 5 s and then after twice as long each time, up to 10 minutes.
//!
//! A content's bytes leave this gateway's disk when the file is active in finalized state, a random
//! part of it was read back from the network and compared, and every holder has given back a random
//! part of what it holds.

use crate::{
	catalog::{
		Content, FragmentPhase, Job, Life, Stored, Undeleted, blocking, now_millis, quality,
	},
	error::Error,
	gateway::Gateway,
	network::{NetworkError, Order, Remote},
	placement::{Tracker, unplaced},
	spool::Spooled,
};
use futures::StreamExt;
use planaria_sdk::{
	AccountId32, Content as Source, GetError, SealedContent, Target,
	api::FileLife,
	primitives::{FileId, FileIndex},
	progress::{self, Progress, PutEvent},
	retry::Backoff,
	sealed::Cipher,
};
use std::{
	collections::{HashMap, HashSet},
	ops::Range,
	sync::Arc,
	time::Duration,
};
use tokio::{
	task::JoinSet,
	time::{Instant, sleep, sleep_until},
};
use tracing::{info, warn};

/// How many of the oldest jobs are looked at.
const LOOKED_AT: usize = 4096;
/// How many files are deleted at once.
const DELETING_AT_ONCE: usize = 4;
/// How often it is looked whether something has happened that nobody tells.
const POLL: Duration = Duration::from_secs(3);
/// The first wait after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// How many bytes are read back.
const READ_BACK: u64 = 64 << 10;

impl Source for Spooled {
	fn size(&self) -> u64 {
		Self::size(self)
	}

	fn name(&self) -> String {
		"an object".into()
	}

	fn read_at(&self, offset: u64, to: &mut [u8]) -> std::io::Result<()> {
		Self::read_at(self, offset, to)
	}
}

/// What became of a job.
enum Outcome {
	/// It is no longer in the catalog.
	Done,
	/// It is to be tried again.
	Again,
}

impl Gateway {
	/// Does what is to be done, until the future is dropped.
	pub async fn work(self: Arc<Self>) {
		tokio::join!(self.do_jobs(), self.pack());
	}

	async fn do_jobs(self: &Arc<Self>) {
		let mut tasks: JoinSet<(u64, bool, Outcome)> = JoinSet::new();
		let mut running: HashSet<u64> = HashSet::new();
		let (mut storing, mut deleting) = (0, 0);
		let mut later: HashMap<u64, (Backoff, Instant)> = HashMap::new();
		loop {
			let now = Instant::now();
			let waiting =
				later.iter().filter(|(_, (_, due))| *due > now).map(|(number, _)| *number);
			// Those are not counted, however many they are.
			let but: HashSet<u64> = running.iter().copied().chain(waiting).collect();
			let jobs = match self.catalog.read(move |reader| reader.jobs(LOOKED_AT, &but)).await {
				Ok(jobs) => jobs,
				Err(error) => {
					warn!(%error, "cannot read what is to be done");
					Vec::new()
				},
			};
			for (number, job) in jobs {
				let is_store = matches!(job, Job::Store { .. });
				let (used, most) = match is_store {
					true => (&mut storing, self.config.storing_at_once.max(1)),
					false => (&mut deleting, DELETING_AT_ONCE),
				};
				if *used >= most {
					continue;
				}
				*used += 1;
				running.insert(number);
				let gateway = self.clone();
				tasks.spawn(async move { (number, is_store, gateway.job(number, job).await) });
			}
			let next =
				later.values().map(|(_, due)| *due).filter(|due| *due > Instant::now()).min();
			let next = next.unwrap_or_else(|| Instant::now() + 20 * POLL);
			tokio::select! {
				Some(done) = tasks.join_next(), if !tasks.is_empty() => {
					let Ok((number, is_store, outcome)) = done else { continue };
					running.remove(&number);
					if is_store { storing -= 1 } else { deleting -= 1 }
					match outcome {
						Outcome::Done => drop(later.remove(&number)),
						Outcome::Again => {
							let (first, longest) = PAUSES;
							let new = || (Backoff::new(first, longest), Instant::now());
							let (pauses, due) = later.entry(number).or_insert_with(new);
							*due = Instant::now() + pauses.next().unwrap_or(longest);
						},
					}
				},
				() = self.jobs.notified() => {},
				() = sleep_until(next) => {},
			}
		}
	}

	async fn job(&self, number: u64, job: Job) -> Outcome {
		let done = async {
			self.catalog.confirm().await?;
			match job {
				Job::Store { content } => self.store(number, content).await,
				Job::Delete { file, id } => {
					self.delete_file(number, FileIndex(file), FileId(id)).await
				},
				Job::Repack { packs } => self.repack(number, packs).await,
			}
		};
		match done.await {
			Ok(()) => Outcome::Done,
			Err(error) => {
				warn!(job = number, %error, "a job failed and is tried again");
				self.metrics.failures.inc();
				Outcome::Again
			},
		}
	}

	async fn delete_file(&self, job: u64, file: FileIndex, id: FileId) -> Result<(), Error> {
		// A content may have become this file again since the job was written.
		let doomed = self.catalog.write(move |writer| writer.doom_file(file.0)).await?;
		let refused = match doomed {
			false => None,
			true => match self.network.delete(file, id, &self.label).await {
				Ok(()) => {
					info!(file = file.0, "deleted on chain");
					None
				},
				// Only its owner can do something about it.
				Err(NetworkError::NotAllowed(reason)) => {
					warn!(file = file.0, reason, "stays on chain");
					Some(Undeleted { id: id.0, since: now_millis(), reason })
				},
				Err(error) => return Err(error.into()),
			},
		};
		let done = self.catalog.write(move |writer| {
			if let Some(refused) = refused {
				writer.give_up_file(file.0, &refused)?;
			}
			writer.spare_file(file.0)?;
			writer.remove_job(job)
		});
		done.await
	}

	/// Stores a content, from wherever it was left.
	async fn store(&self, job: u64, number: u64) -> Result<(), Error> {
		let known = self.catalog.read(move |reader| reader.content(number)).await?;
		// What nobody could hold stays queued, and is not read for nothing.
		if let Some(content) = known.filter(|content| content.stored.is_none()) {
			if content.uses == 0 {
				return self.abandon(job, number).await;
			}
			if let Err(error) = self.network.could_store(content.size, &self.order(&content)).await
			{
				return self.note_failure(number, error.into()).await;
			}
		}
		let begun = self.catalog.write(move |writer| {
			let Some(mut content) = writer.content(number)? else {
				writer.remove_job(job)?;
				return Ok(None);
			};
			content.life = Life::Placing;
			writer.set_content(number, &content)?;
			Ok(Some(content))
		});
		let Some(content) = begun.await? else { return Ok(()) };
		let plain: Arc<dyn Source> = Arc::new(self.spool.bytes(content.local.clone()));
		let known = self.known_file(&content).await?;
		let before = self.catalog.read(move |reader| reader.fragments(number)).await?;
		let (source, fragments) = if known.is_some() {
			(plain.clone(), before)
		} else {
			let (source, phase) = match content.public {
				true => (plain.clone(), FragmentPhase::Initialized),
				false => (self.seal(&content, plain.clone()).await?, FragmentPhase::Encrypted),
			};
			let fragments = unplaced(content.coding, source.size(), phase, before);
			(source, fragments)
		};
		let rules = self.config.cooldown;
		let tracker = Tracker::new(self.catalog.clone(), number, fragments, rules);
		let placing = async {
			let (file, id) = match known {
				Some(known) => known,
				None => self.place(&content, source, &tracker).await?,
			};
			let stored = Stored { file: file.0, id: id.0 };
			if !self.catalog.write(move |writer| writer.enter_file(number, stored)).await? {
				return Err(NetworkError::Gone.into());
			}
			self.until_final(file, id).await?;
			tracker.confirmed();
			self.read_back(&content, file, id, plain, &tracker).await
		};
		let stored = tokio::select! {
			stored = placing => stored,
			() = self.unwanted(number) => return self.abandon(job, number).await,
		};
		tracker.end(stored.as_ref().err()).await?;
		if let Err(error) = stored {
			return self.note_failure(number, error).await;
		}
		let finished = self.catalog.write(move |writer| {
			let Some(mut content) = writer.content(number)? else { return Ok(Vec::new()) };
			let mut freed = std::mem::take(&mut content.local);
			(content.life, content.failure) = (Life::Active, None);
			freed.extend(writer.settle_pack(number, &mut content)?);
			writer.set_content(number, &content)?;
			writer.remove_job(job)?;
			if content.uses == 0 {
				freed.extend(writer.remove_content(number, content)?);
			}
			Ok(freed)
		});
		self.spool.remove(finished.await?).await;
		self.jobs.notify_one();
		self.metrics.stored.inc();
		self.metrics.stored_bytes.inc_by(content.size);
		info!(content = number, bytes = content.size, "active");
		Ok(())
	}

	/// Keeps why a content is not stored, and returns that.
	async fn note_failure(&self, number: u64, error: Error) -> Result<(), Error> {
		let failure = error.to_string();
		self.catalog.write(move |writer| writer.note_failure(number, failure)).await?;
		Err(error)
	}

	/// How a content is to be stored, with whichever miners.
	fn order(&self, content: &Content) -> Order {
		Order {
			owner: AccountId32::new(content.owner),
			coding: content.coding,
			label: self.label.clone(),
			preferences: self.config.placement.preferences(),
			placement: self.config.placement.rule,
		}
	}

	/// Returns when nobody names the content any more.
	async fn unwanted(&self, number: u64) {
		loop {
			let content = self.catalog.read(move |reader| reader.content(number)).await;
			if matches!(content, Ok(Some(Content { uses: 0, .. }) | None)) {
				return;
			}
			sleep(POLL).await;
		}
	}

	/// Forgets a content that nobody names; what is on chain of it is deleted by another job.
	async fn abandon(&self, job: u64, number: u64) -> Result<(), Error> {
		let freed = self.catalog.write(move |writer| {
			writer.remove_job(job)?;
			match writer.content(number)? {
				Some(content) => writer.remove_content(number, content),
				None => Ok(Vec::new()),
			}
		});
		self.spool.remove(freed.await?).await;
		self.jobs.notify_one();
		info!(content = number, "deleted before it was stored");
		Ok(())
	}

	/// Stores a content with miners that are not in the cooldown pool, or with any if there are too
	/// few others.
	async fn place(
		&self,
		content: &Content,
		source: Arc<dyn Source>,
		tracker: &Arc<Tracker>,
	) -> Result<(FileIndex, FileId), Error> {
		let mut any = self.order(content);
		if any.preferences.weigh {
			let measured = self.catalog.read(|reader| reader.measured()).await?;
			any.preferences.quality = quality(&measured);
		}
		let cooling = self.catalog.read(|reader| reader.cooling(now_millis())).await?;
		let mut others = any.clone();
		others.preferences.avoid.extend(cooling.into_iter().map(|(miner, _)| miner));
		let (replaced, told) = (self.metrics.replaced.clone(), tracker.progress());
		let progress: Progress<PutEvent> = Arc::new(move |event| {
			if matches!(event, PutEvent::Replaced { .. }) {
				replaced.inc();
			}
			told(event);
		});
		let stored = self.network.store(source.clone(), &others, progress.clone()).await;
		match stored {
			Err(NetworkError::Put(error)) if error.lacks_miners() && others != any => {
				warn!(%error, "miners that failed before are given another chance");
				Ok(self.network.store(source, &any, progress).await?)
			},
			stored => Ok(stored?),
		}
	}

	/// What is stored of a content that is not public.
	async fn seal(
		&self,
		content: &Content,
		plain: Arc<dyn Source>,
	) -> Result<Arc<dyn Source>, Error> {
		let key = self.sealing.key_or_new(content.owner).await?;
		let sealed = SealedContent::new(plain, key, progress::silent()).await;
		Ok(Arc::new(sealed.map_err(NetworkError::from)?))
	}

	/// The file that this content is, if it is active already.
	async fn known_file(&self, content: &Content) -> Result<Option<(FileIndex, FileId)>, Error> {
		let Some(stored) = &content.stored else { return Ok(None) };
		let (file, id) = (FileIndex(stored.file), FileId(stored.id));
		let found = self.network.finalized(file).await?;
		let active = |found: &planaria_sdk::api::FileStatus| {
			found.id == id && found.state == FileLife::Active
		};
		Ok(found.filter(active).map(|_| (file, id)))
	}

	/// Waits until the file is active in finalized state.
	async fn until_final(&self, file: FileIndex, id: FileId) -> Result<(), Error> {
		// A fork may rename the file: then the caller finds it again.
		for _ in 0..200 {
			match self.network.finalized(file).await? {
				Some(found) if found.id != id => return Err(NetworkError::Gone.into()),
				Some(found) if found.state == FileLife::Active => return Ok(()),
				Some(found) if found.state != FileLife::Pending => {
					return Err(NetworkError::Gone.into());
				},
				_ => sleep(POLL).await,
			}
		}
		Err(NetworkError::Gone.into())
	}

	/// Reads a random part of the file from the network, opens it, and compares; and one from each
	/// holder, which the network compares with the file's id.
	async fn read_back(
		&self,
		content: &Content,
		file: FileIndex,
		id: FileId,
		plain: Arc<dyn Source>,
		tracker: &Tracker,
	) -> Result<(), Error> {
		let size = plain.size();
		let len = READ_BACK.min(size);
		let from = rand::random_range(0..=size - len);
		let remote = self.network.open(Target::File(file)).await?;
		if remote.id() != id {
			return Err(NetworkError::Gone.into());
		}
		let read = if content.public {
			collect(&*remote, from..from + len).await?
		} else {
			let key = self.sealing.key(content.owner).await?;
			let sealed_len = remote.spec().size();
			let head = collect(&*remote, 0..sealed_len.min(READ_BACK)).await?;
			let cipher = Cipher::open(&head, sealed_len, &[key]).map_err(refused)?;
			let mut opening = Arc::new(cipher).opening(from..from + len);
			let sealed = collect(&*remote, opening.sealed()).await?;
			let opened = opening.push(&sealed).map_err(refused)?;
			opening.finish().map_err(refused)?;
			opened.concat()
		};
		let same = blocking(move || {
			let mut expected = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
			plain.read_at(from, &mut expected)?;
			Ok(expected == read)
		});
		if !same.await? {
			return Err(NetworkError::Differs.into());
		}
		let failed = tracker.probed(remote.probe().await?);
		if failed.is_empty() { Ok(()) } else { Err(NetworkError::NotReadBack(failed).into()) }
	}
}

fn refused(error: planaria_sdk::sealed::OpenError) -> Error {
	NetworkError::Get(GetError::from(error)).into()
}

/// A range of a file, in memory.
async fn collect(remote: &dyn Remote, range: Range<u64>) -> Result<Vec<u8>, NetworkError> {
	let mut parts = remote.read(range);
	let mut read = Vec::new();
	while let Some(part) = parts.next().await {
		read.extend_from_slice(&part?);
	}
	Ok(read)
}
