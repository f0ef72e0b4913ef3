// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How far restorations are, and when that is told.

use crate::{
	config::EngineConfig,
	gauge::Gauge,
	needs::{Need, Needs},
	progress::{ReadRate, Tally, Window},
	status::{EngineStatus, FileProgress, Progress, Totals},
};
use planaria_primitives::{FileIndex, FragmentName};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// What is measured of the restorations, altogether and by file.
#[derive(Debug)]
pub(crate) struct Report {
	every: Duration,
	last: Option<Instant>,
	/// Something may have changed that was not told yet.
	changed: bool,
	new: Window,
	all: Window,
	files: BTreeMap<FileIndex, File>,
	read: ReadRate,
}

#[derive(Debug)]
struct File {
	window: Window,
	/// Bytes restored since the file has anything to restore.
	restored: u64,
	tally: Tally,
}

impl Report {
	pub(crate) fn new(config: &EngineConfig) -> Self {
		let new = Window::new(config.rate_window, config.stall_after);
		Self {
			every: config.publish_every,
			last: None,
			changed: true,
			all: new.clone(),
			new,
			files: BTreeMap::new(),
			read: ReadRate::default(),
		}
	}

	/// Something may have changed.
	pub(crate) fn changed(&mut self) {
		self.changed = true;
	}

	/// Comes when the status is to be told again: not too soon, and only if something changed or
	/// something `runs`.
	pub(crate) async fn due(&self, runs: bool) {
		if !self.changed && !runs {
			return std::future::pending().await;
		}
		if let Some(last) = self.last {
			sleep_until(last + self.every).await;
		}
	}

	/// Bytes per second that this miner reads from others while it restores; 0 while that was not
	/// measured.
	pub(crate) fn read_rate(&self) -> u64 {
		self.read.rate()
	}

	/// So many bytes of the file were restored.
	pub(crate) fn restored(&mut self, file: FileIndex, bytes: u64) {
		if let Some(file) = self.files.get_mut(&file) {
			file.restored += bytes;
		}
	}

	/// How far everything is now, and file by file.
	pub(crate) fn progress(
		&mut self,
		needs: &Needs,
		running: &BTreeMap<FragmentName, Arc<Gauge>>,
		totals: &Totals,
		now: Duration,
	) -> (Progress, Vec<FileProgress>) {
		self.last = Some(Instant::now());
		self.changed = false;
		let arriving = running.values().any(|gauge| gauge.source().is_some());
		self.read.sample(totals.bytes_read + totals.bytes_cooperated, arriving, now);

		for file in self.files.values_mut() {
			file.tally = Tally { bytes_had: file.restored, ..Tally::default() };
		}
		let mut all = Tally { bytes_had: totals.bytes_restored, ..Tally::default() };
		for (name, need) in needs.iter().filter(|(_, need)| need.is_left()) {
			let had = running.get(name).map_or(0, |gauge| gauge.had());
			add(&mut all, need, had);
			if self.files.len() < EngineStatus::MAX_FILES || self.files.contains_key(&name.file) {
				let window = &self.new;
				let file = self.files.entry(name.file).or_insert_with(|| File {
					window: window.clone(),
					restored: 0,
					tally: Tally::default(),
				});
				add(&mut file.tally, need, had);
			}
		}
		self.files.retain(|_, file| file.tally.fragments_left > 0);
		let files = self.files.iter_mut().map(|(index, file)| FileProgress {
			file: *index,
			progress: file.window.progress(file.tally, now),
		});
		(self.all.progress(all, now), files.collect())
	}
}

fn add(tally: &mut Tally, need: &Need, had: u64) {
	let len = u64::from(need.len.unwrap_or(0));
	tally.fragments_left += 1;
	tally.bytes_left += len.saturating_sub(had);
	tally.bytes_had += had.min(len);
}
