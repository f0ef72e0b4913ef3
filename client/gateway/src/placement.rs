// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where each fragment of a content is on its way.
//!
//! The states are kept in the catalog, written at most once a second while a content is placed, and
//! with them which miners have failed and how fast they are. A miner is not blamed as long as none
//! other does its part: then it may be this gateway that nobody reaches.
//! A content in work takes about 64 bytes of memory per fragment.

use crate::{
	catalog::{Catalog, FragmentPhase, FragmentState, Stored, now_millis},
	config::Cooldown,
	error::Error,
	network::NetworkError,
};
use planaria_sdk::{
	PutError,
	get::Probed,
	primitives::{CodingParams, FileSpec},
	progress::{Progress, PutEvent},
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};

/// How often the states are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct States {
	segments: BTreeMap<u32, Vec<FragmentState>>,
	changed: BTreeSet<u32>,
	/// The file's id, as soon as it is known.
	id: Option<[u8; 32]>,
	/// What the content is on chain, as soon as that is known.
	stored: Option<Stored>,
	/// The miners that did their part.
	good: BTreeSet<u32>,
	/// The miners that did not, each once, and whether that is written.
	blamed: BTreeMap<u32, (String, bool)>,
	/// How many bytes miners took, and in how much time for all fragments together.
	took: BTreeMap<u32, (u64, Duration)>,
}

/// Follows the placement of a content.
#[derive(Debug)]
pub struct Tracker {
	catalog: Catalog,
	content: u64,
	rules: Cooldown,
	states: Mutex<States>,
}

impl States {
	fn all(&mut self, phase: FragmentPhase) {
		self.changed.extend(self.segments.keys());
		self.segments.values_mut().flatten().for_each(|state| state.phase = phase);
	}

	fn one(&mut self, segment: u32, index: u8, change: impl FnOnce(&mut FragmentState)) {
		let fragments = self.segments.get_mut(&segment);
		if let Some(state) = fragments.and_then(|all| all.get_mut(usize::from(index))) {
			change(state);
			self.changed.insert(segment);
		}
	}

	fn blame(&mut self, miner: u32, reason: String) {
		self.blamed.entry(miner).or_insert((reason, false));
	}

	/// The miners that are to be blamed and were not yet.
	fn accused(&mut self) -> Vec<(u32, String)> {
		let Self { good, blamed, .. } = self;
		let another = |miner: u32| good.iter().any(|good| *good != miner);
		let new = blamed.iter_mut().filter(|(miner, (_, written))| !written && another(**miner));
		new.map(|(miner, (reason, written))| {
			*written = true;
			(*miner, reason.clone())
		})
		.collect()
	}

	fn note(&mut self, event: PutEvent) {
		match event {
			PutEvent::Digesting { .. } | PutEvent::Committing { .. } | PutEvent::Waiting { .. } => {
			},
			PutEvent::Committed(id) => {
				self.id = Some(id.0);
				self.all(FragmentPhase::ProcessSpawned);
			},
			PutEvent::Ordered(file) | PutEvent::Resumed { file, .. } => {
				self.stored = self.id.map(|id| Stored { file: file.0, id });
				self.all(FragmentPhase::Funded);
			},
			PutEvent::Placed { segments, .. } => {
				for (_, fragments) in self.segments.range_mut(..segments) {
					for state in fragments {
						if state.phase < FragmentPhase::Accepted {
							state.phase = FragmentPhase::Accepted;
						}
					}
				}
				self.changed.extend(0..segments);
			},
			PutEvent::Sent { segment, index, miner, bytes, took } => {
				self.good.insert(miner.0);
				if let Some(took) = took {
					let (all, time) = self.took.entry(miner.0).or_default();
					*all = all.saturating_add(bytes.into());
					*time = time.saturating_add(took);
				}
				self.one(segment, index, |state| {
					(state.phase, state.miner) = (FragmentPhase::Transferred, Some(miner.0));
				});
			},
			PutEvent::Blamed { miner, reason } => self.blame(miner.0, reason),
			PutEvent::Replaced { segment, index, to, reason, .. } => {
				self.one(segment, index, |state| {
					(state.phase, state.miner) = (FragmentPhase::Accepted, Some(to.0));
					(state.replaced, state.reason) = (state.replaced + 1, Some(reason));
				});
			},
			PutEvent::Confirmed { fragments, of } => {
				if fragments == of {
					self.all(FragmentPhase::Completed);
				}
			},
		}
	}

	/// Returns the miners that did their part.
	fn end(&mut self, failure: Option<&Error>) -> Vec<u32> {
		if let Some(failure) = failure {
			self.fail(failure);
			return Vec::new();
		}
		self.all(FragmentPhase::Completed);
		let Self { good, blamed, .. } = self;
		good.iter().filter(|miner| !blamed.contains_key(miner)).copied().collect()
	}

	/// What is not on a miner's disk has failed; it is unavailable where nobody takes it, or its
	/// miner is to blame.
	fn fail(&mut self, failure: &Error) {
		let nobody = matches!(
			failure,
			Error::Network(NetworkError::Put(error))
				if error.lacks_miners() || matches!(error, PutError::NoHolder { .. })
		);
		let reason = failure.to_string();
		for (segment, fragments) in &mut self.segments {
			for state in fragments {
				let blamed = state.miner.and_then(|miner| self.blamed.get(&miner));
				let (phase, reason) = match (state.phase, blamed) {
					(FragmentPhase::Completed | FragmentPhase::Unavailable, _) => continue,
					(_, Some((reason, _))) => (FragmentPhase::Unavailable, reason),
					(FragmentPhase::Transferred, None) => continue,
					(_, None) if nobody => (FragmentPhase::Unavailable, &reason),
					(_, None) => (FragmentPhase::Failed, &reason),
				};
				(state.phase, state.reason) = (phase, Some(reason.clone()));
				self.changed.insert(*segment);
			}
		}
	}
}

impl Tracker {
	/// Follows a content whose fragments are known to be so far.
	pub fn new(
		catalog: Catalog,
		content: u64,
		segments: BTreeMap<u32, Vec<FragmentState>>,
		rules: Cooldown,
	) -> Arc<Self> {
		let changed = segments.keys().copied().collect();
		let states = Mutex::new(States { segments, changed, ..States::default() });
		let tracker = Arc::new(Self { catalog, content, rules, states });
		let weak = Arc::downgrade(&tracker);
		tokio::spawn(async move {
			loop {
				tokio::time::sleep(WRITTEN_EVERY).await;
				let Some(tracker) = weak.upgrade() else { return };
				if let Err(error) = tracker.write().await {
					tracing::warn!(%error, "cannot write where fragments are");
				}
			}
		});
		tracker
	}

	/// Every fragment is confirmed.
	pub fn confirmed(&self) {
		let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
		states.all(FragmentPhase::Completed);
	}

	/// Holders were asked for what they hold: those that did not give it are to blame. Returns what
	/// each of them did.
	pub fn probed(&self, probed: Vec<Probed>) -> Vec<String> {
		let mut failed = Vec::new();
		let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
		for Probed { miner, segment, index, result } in probed {
			let Err(error) = result else {
				states.good.insert(miner.0);
				continue;
			};
			let reason = format!("does not give back what it holds: {error}");
			states.one(segment, index, |state| {
				(state.phase, state.miner) = (FragmentPhase::Unavailable, Some(miner.0));
				state.reason = Some(reason.clone());
			});
			states.blame(miner.0, reason);
			failed.push(format!("miner {miner} ({error})"));
		}
		failed
	}

	/// Told what happens.
	pub fn progress(self: &Arc<Self>) -> Progress<PutEvent> {
		let tracker = self.clone();
		Arc::new(move |event| {
			tracker.states.lock().unwrap_or_else(PoisonError::into_inner).note(event);
		})
	}

	/// The placement has ended, well or with a failure.
	pub async fn end(&self, failure: Option<&Error>) -> Result<(), Error> {
		let (good, took) = {
			let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
			(states.end(failure), std::mem::take(&mut states.took))
		};
		self.write().await?;
		if good.is_empty() && took.is_empty() {
			return Ok(());
		}
		self.catalog
			.write(move |writer| {
				good.into_iter().try_for_each(|miner| writer.miner_succeeded(miner))?;
				let mut took = took.into_iter();
				took.try_for_each(|(miner, (bytes, time))| writer.miner_took(miner, bytes, time))
			})
			.await
	}

	async fn write(&self) -> Result<(), Error> {
		let (changed, stored, accused) = {
			let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
			let segments = std::mem::take(&mut states.changed);
			let changed: Vec<_> = segments
				.into_iter()
				.filter_map(|segment| Some((segment, states.segments.get(&segment)?.clone())))
				.collect();
			(changed, states.stored.take(), states.accused())
		};
		if changed.is_empty() && stored.is_none() && accused.is_empty() {
			return Ok(());
		}
		let (content, rules) = (self.content, self.rules);
		self.catalog
			.write(move |writer| {
				for (miner, reason) in accused {
					if writer.miner_failed(miner, reason.clone(), now_millis(), &rules)? {
						tracing::warn!(miner, reason, "gets nothing for a while");
					}
				}
				if writer.content(content)?.is_none() {
					return Ok(());
				}
				// If the file is being deleted, whoever stores it finds out.
				if let Some(stored) = stored {
					writer.enter_file(content, stored)?;
				}
				for (segment, states) in &changed {
					writer.set_fragments(content, *segment, states)?;
				}
				Ok(())
			})
			.await
	}
}

/// The fragments of a content, nothing of which is placed yet; `size` is that of what is stored of
/// it, `before` what was known of them when it was tried before.
pub fn unplaced(
	coding: CodingParams,
	size: u64,
	phase: FragmentPhase,
	mut before: BTreeMap<u32, Vec<FragmentState>>,
) -> BTreeMap<u32, Vec<FragmentState>> {
	let Ok(spec) = FileSpec::new(size, coding) else { return BTreeMap::new() };
	let count = usize::from(spec.fragments());
	let created = FragmentState { phase, miner: None, replaced: 0, reason: None };
	let fragments = |segment| {
		let mut states = before.remove(&segment).unwrap_or_default();
		states.resize(count, created.clone());
		states.iter_mut().for_each(|state| state.phase = phase);
		(segment, states)
	};
	(0..spec.segments()).map(fragments).collect()
}
