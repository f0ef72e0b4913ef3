// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What Prometheus is told.

use prometheus::{
	Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// What is counted.
#[derive(Clone, Debug)]
pub struct Metrics {
	registry: Registry,
	/// Requests by interface and status.
	pub requests: IntCounterVec,
	/// Bytes that clients sent.
	pub received_bytes: IntCounter,
	/// Contents that became active.
	pub stored: IntCounter,
	/// Bytes of these.
	pub stored_bytes: IntCounter,
	/// Jobs that failed and are tried again.
	pub failures: IntCounter,
	/// Fragments that went to another miner than the first.
	pub replaced: IntCounter,
	/// What peers were asked for, by peer and what came of it.
	pub peer_requests: IntCounterVec,
	/// Verified bytes that came from peers.
	pub peer_bytes: IntCounter,
	/// Bytes of the network's files that were fetched, from whomever.
	pub fetched_bytes: IntCounter,
	contents: IntGaugeVec,
	content_bytes: IntGaugeVec,
	jobs: IntGauge,
	spool_bytes: IntGauge,
	cache_bytes: IntGauge,
	cooling_miners: IntGauge,
	undeleted_files: IntGauge,
}

/// What is looked up when it is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Levels {
	/// How many contents are how far, and their bytes.
	pub lives: Vec<(&'static str, u64, u64)>,
	/// How many jobs there are.
	pub jobs: u64,
	/// Bytes in the spool.
	pub spool: u64,
	/// Bytes in the cache.
	pub cache: u64,
	/// How many miners get nothing for a while.
	pub cooling: u64,
	/// How many files the chain does not let the gateway delete.
	pub undeleted: u64,
}

impl Metrics {
	/// Nothing counted yet.
	pub fn new() -> Self {
		let registry = Registry::new();
		let counter = |name: &str, help: &str| {
			let counter =
				IntCounter::with_opts(Opts::new(name, help).namespace("planaria_gateway"));
			let counter = counter.expect("the name is valid; qed");
			registry.register(Box::new(counter.clone())).expect("registered once; qed");
			counter
		};
		let gauge = |name: &str, help: &str| {
			let gauge = IntGauge::with_opts(Opts::new(name, help).namespace("planaria_gateway"));
			let gauge = gauge.expect("the name is valid; qed");
			registry.register(Box::new(gauge.clone())).expect("registered once; qed");
			gauge
		};
		let gauges = |name: &str, help: &str| {
			let opts = Opts::new(name, help).namespace("planaria_gateway");
			let gauges = IntGaugeVec::new(opts, &["state"]).expect("the names are valid; qed");
			registry.register(Box::new(gauges.clone())).expect("registered once; qed");
			gauges
		};
		let opts = Opts::new("requests_total", "Requests answered").namespace("planaria_gateway");
		let requests =
			IntCounterVec::new(opts, &["interface", "status"]).expect("the names are valid; qed");
		registry.register(Box::new(requests.clone())).expect("registered once; qed");
		let opts = Opts::new("peer_requests_total", "Fragments that peers were asked for")
			.namespace("planaria_gateway");
		let peer_requests =
			IntCounterVec::new(opts, &["peer", "result"]).expect("the names are valid; qed");
		registry.register(Box::new(peer_requests.clone())).expect("registered once; qed");
		Self {
			requests,
			peer_requests,
			peer_bytes: counter("peer_bytes_total", "Verified bytes that came from peers"),
			fetched_bytes: counter("fetched_bytes_total", "Bytes fetched from miners and peers"),
			received_bytes: counter("received_bytes_total", "Bytes received from clients"),
			stored: counter("stored_total", "Contents that became active"),
			stored_bytes: counter("stored_bytes_total", "Bytes of contents that became active"),
			failures: counter("failures_total", "Jobs that failed and are tried again"),
			replaced: counter("replaced_fragments_total", "Fragments that went to another miner"),
			contents: gauges("contents", "Contents by state"),
			content_bytes: gauges("content_bytes", "Bytes of contents by state"),
			jobs: gauge("jobs", "Jobs that are not done"),
			spool_bytes: gauge("spool_bytes", "Bytes that the network does not have yet"),
			cache_bytes: gauge("cache_bytes", "Bytes in the cache"),
			cooling_miners: gauge("cooling_miners", "Miners that get nothing for a while"),
			undeleted_files: gauge(
				"undeleted_files",
				"Files that the chain does not let it delete",
			),
			registry,
		}
	}

	/// All of it, as text.
	pub fn text(&self, levels: &Levels) -> Vec<u8> {
		let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
		for (state, count, bytes) in &levels.lives {
			self.contents.with_label_values(&[*state]).set(signed(*count));
			self.content_bytes.with_label_values(&[*state]).set(signed(*bytes));
		}
		self.jobs.set(signed(levels.jobs));
		self.spool_bytes.set(signed(levels.spool));
		self.cache_bytes.set(signed(levels.cache));
		self.cooling_miners.set(signed(levels.cooling));
		self.undeleted_files.set(signed(levels.undeleted));
		let mut text = Vec::new();
		// Writing to memory does not fail, and every family has a name.
		let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
		text
	}
}

impl Default for Metrics {
	fn default() -> Self {
		Self::new()
	}
}
