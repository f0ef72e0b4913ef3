// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the miner tells Prometheus.

use super::Miner;
use planaria_engine::RestorePhase;
use std::time::Duration;
use substrate_prometheus_endpoint::{Gauge, PrometheusError, Registry, U64, register};

macro_rules! gauges {
	($($name:ident: $metric:literal, $help:literal;)*) => {
		/// The gauges, each named after what it shows.
		pub struct Metrics {
			$($name: Gauge<U64>,)*
		}

		impl Metrics {
			/// Registers all of them.
			pub fn register(registry: &Registry) -> Result<Self, PrometheusError> {
				Ok(Self { $($name: register(Gauge::new($metric, $help)?, registry)?,)* })
			}
		}
	};
}

gauges! {
	capacity: "planaria_store_capacity_bytes", "What the store may hold";
	used: "planaria_store_used_bytes", "Bytes of the fragments that are served";
	quarantined: "planaria_store_quarantined_bytes", "Wrong bytes in quarantine";
	fragments: "planaria_store_fragments", "Fragments in the store";
	broken: "planaria_store_broken_fragments", "Fragments that have to be restored";
	checked: "planaria_store_checked_fragments", "Fragments hashed by the current or last self-check";
	damaged: "planaria_store_damaged_fragments", "Fragments with wrong bytes in the last self-check";
	bytes_in: "planaria_transfer_received_bytes_total", "Fragment bytes received and verified";
	bytes_out: "planaria_transfer_sent_bytes_total", "Bytes handed to the network";
	connections: "planaria_transfer_connections", "Open connections";
	busy: "planaria_transfer_busy_total", "Requests turned away because there was too much to do";
	wrong_bytes: "planaria_transfer_wrong_bytes_total", "Transfers stopped at a wrong byte or sidecar";
	unconfirmed: "planaria_miner_unconfirmed_fragments", "Fragments stored and not yet confirmed";
	unknown_jobs: "planaria_miner_unknown_jobs", "Jobs of a kind this version does not know";
	waiting: "planaria_restore_waiting", "Restorations that wait";
	running: "planaria_restore_running", "Restorations that run";
	given_up: "planaria_restore_given_up", "Restorations that were given up";
	copied: "planaria_restore_copied_total", "Fragments copied from their holder";
	rebuilt: "planaria_restore_rebuilt_total", "Fragments rebuilt from others";
	read: "planaria_restore_read_bytes_total", "Bytes read from other miners to restore";
	restored: "planaria_restore_restored_bytes_total", "Bytes of the fragments restored";
}

impl Metrics {
	/// Brings the gauges up to date again and again.
	pub async fn run(self, miner: Miner, every: Duration) {
		let mut interval = tokio::time::interval(every);
		loop {
			interval.tick().await;
			let store = miner.store().clone();
			let usage = tokio::task::spawn_blocking(move || store.usage()).await;
			if let Ok(Ok(usage)) = usage {
				self.capacity.set(usage.capacity);
				self.used.set(usage.used);
				self.quarantined.set(usage.quarantined);
				self.fragments.set(usage.fragments);
				self.broken.set(usage.broken);
			}
			let transfer = miner.transfer().metrics();
			self.bytes_in.set(transfer.bytes_in);
			self.bytes_out.set(transfer.bytes_out);
			self.connections.set(transfer.connections);
			self.busy.set(transfer.busy);
			self.wrong_bytes.set(transfer.wrong_bytes);
			let engine = miner.engine().status();
			let in_phase = |phase| {
				engine.restores.iter().filter(|restore| restore.phase == phase).count() as u64
			};
			self.checked.set(engine.check.checked);
			self.damaged.set(engine.check.damaged);
			self.unconfirmed.set(engine.unconfirmed);
			self.unknown_jobs.set(engine.unknown_jobs);
			self.waiting.set(in_phase(RestorePhase::Waiting));
			self.running.set(in_phase(RestorePhase::Running));
			self.given_up.set(in_phase(RestorePhase::GivenUp));
			self.copied.set(engine.totals.copied);
			self.rebuilt.set(engine.totals.rebuilt);
			self.read.set(engine.totals.bytes_read);
			self.restored.set(engine.totals.bytes_restored);
		}
	}
}
