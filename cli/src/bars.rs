// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Progress on standard error, where that is a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use planaria_sdk::progress::{GetEvent, Progress, PutEvent};
use std::{
	io::{IsTerminal, stderr},
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};

const BYTES: &str = "{prefix:10} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const FRAGMENTS: &str = "{prefix:10} [{bar:32}] {pos}/{len} fragments {msg}";

fn target() -> ProgressDrawTarget {
	if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn style(template: &str) -> ProgressStyle {
	ProgressStyle::with_template(template)
		.unwrap_or_else(|_| ProgressStyle::default_bar())
		.progress_chars("=> ")
}

/// Something that takes time.
pub fn spinner(message: String) -> ProgressBar {
	let bar = ProgressBar::with_draw_target(None, target());
	bar.set_message(message);
	bar.enable_steady_tick(Duration::from_millis(120));
	bar
}

/// The stages of a put, each with its bar.
#[derive(Debug)]
pub struct PutBars {
	all: MultiProgress,
	stage: Mutex<Stage>,
}

#[derive(Debug)]
struct Stage {
	bar: ProgressBar,
	name: &'static str,
}

impl PutBars {
	pub fn new() -> Arc<Self> {
		let all = MultiProgress::with_draw_target(target());
		let stage = Mutex::new(Stage { bar: ProgressBar::hidden(), name: "" });
		Arc::new(Self { all, stage })
	}

	/// The bar of this stage, made when the stage begins.
	fn bar(&self, name: &'static str, template: &str, len: u64) -> ProgressBar {
		let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
		if stage.name != name {
			stage.bar.finish();
			let bar = self.all.add(ProgressBar::new(len).with_style(style(template)));
			bar.set_prefix(name);
			*stage = Stage { bar, name };
		}
		stage.bar.clone()
	}

	fn tell(&self, text: &str) {
		if stderr().is_terminal() {
			let _ = self.all.println(text);
		}
	}

	/// Told by the put, whose fragments take `stored` bytes.
	pub fn progress(self: &Arc<Self>, stored: u64) -> Progress<PutEvent> {
		let bars = self.clone();
		Arc::new(move |event| bars.show(event, stored))
	}

	fn show(&self, event: PutEvent, stored: u64) {
		match event {
			PutEvent::Digesting { bytes, size } => {
				self.bar("digesting", BYTES, size).set_position(bytes);
			},
			PutEvent::Committing { bytes, size } => {
				self.bar("reading", BYTES, size).set_position(bytes);
			},
			PutEvent::Committed(id) => self.tell(&format!("file id {id}")),
			PutEvent::Ordered(file) => self.tell(&format!("ordered as file {file}")),
			PutEvent::Resumed { file, unconfirmed } => self.tell(&format!(
				"going on with file {file}: {unconfirmed} fragments are not confirmed yet"
			)),
			PutEvent::Placed { .. } => {
				self.bar("sending", BYTES, stored);
			},
			PutEvent::Sent { bytes, .. } => {
				self.bar("sending", BYTES, stored).inc(bytes.into());
			},
			// Told when the fragment has another miner.
			PutEvent::Blamed { .. } => {},
			PutEvent::Replaced { segment, index, from, to, reason } => self.tell(&format!(
				"fragment {index} of segment {segment}: miner {from} {reason}; now miner {to}"
			)),
			PutEvent::Waiting { segment, until } => self.tell(&format!(
				"no candidate takes what is left of segment {segment}; more are drawn at tick {until}"
			)),
			PutEvent::Confirmed { fragments, of } => {
				let bar = self.bar("confirming", FRAGMENTS, of);
				bar.set_position(fragments);
			},
		}
	}

	pub fn finish(&self) {
		let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
		stage.bar.finish_and_clear();
		let _ = self.all.clear();
	}
}

/// A bar of bytes.
pub fn bytes_bar(name: &'static str, size: u64) -> ProgressBar {
	let bar = ProgressBar::with_draw_target(Some(size), target()).with_style(style(BYTES));
	bar.set_prefix(name);
	bar
}

/// The bar of a get.
pub fn get_bar() -> (ProgressBar, Progress<GetEvent>) {
	let bar = bytes_bar("reading", 0);
	let shown = bar.clone();
	let progress: Progress<GetEvent> = Arc::new(move |event| match event {
		GetEvent::Found { size, .. } => shown.set_length(size),
		GetEvent::Written { bytes } => shown.set_position(bytes),
		GetEvent::Spare { segment, reason, .. } => {
			shown.suspend(|| {
				if stderr().is_terminal() {
					eprintln!("segment {segment}: {reason}; asking another holder");
				}
			});
		},
		GetEvent::Fetched { .. } => {},
	});
	(bar, progress)
}
