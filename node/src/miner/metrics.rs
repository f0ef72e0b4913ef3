// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the miner tells Prometheus.

use super::Miner;
use crate::metrics::{known, metrics};
use planaria_engine::{At, Chain, EngineStatus, RestorePhase};
use planaria_runtime::currency::UNIT;
use planaria_runtime_api::{MinerStanding, MinerStatus, NetworkStatus};
use planaria_store::Usage;
use planaria_transfer::TransferMetrics;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

metrics! {
	/// What a miner shows, each named after what it says.
	Metrics {
		capacity: Whole "planaria_store_capacity_bytes", "What the store may hold";
		used: Whole "planaria_store_used_bytes", "Bytes of the fragments that are served";
		quarantined: Whole "planaria_store_quarantined_bytes", "Wrong bytes in quarantine";
		reserved: Whole "planaria_store_reserved_bytes", "Writes in progress";
		free_on_disk: Real "planaria_store_free_on_disk_bytes", "What the file system still has";
		fragments: Whole "planaria_store_fragments", "Fragments in the store";
		broken: Whole "planaria_store_broken_fragments", "Fragments that have to be restored";
		check_running: Whole "planaria_store_check_running", "Whether a self-check runs";
		check_passes: Total "planaria_store_check_passes_total", "Self-checks finished";
		checked: Whole "planaria_store_checked_fragments", "Fragments hashed by the current or last self-check";
		damaged: Whole "planaria_store_damaged_fragments", "Fragments with wrong bytes in the current or last self-check";
		unreadable: Whole "planaria_store_unreadable_fragments", "Fragments that the disk could not read in the current or last self-check";
		missing: Whole "planaria_store_missing_fragments", "Fragments that the chain assigns to this miner and that are not here";
		suspects: Whole "planaria_store_suspect_fragments", "Fragments that the disk could not read and that are tried again";
		check_age: Real "planaria_store_check_age_seconds", "The time since the last self-check of the whole store";
		disk_failing: Whole "planaria_store_disk_failing", "Whether the disk cannot be relied on";

		bytes_in: Total "planaria_transfer_received_bytes_total", "Fragment bytes received and verified";
		bytes_out: Total "planaria_transfer_sent_bytes_total", "Bytes handed to the network";
		connections: Whole "planaria_transfer_connections", "Open connections";
		active: Whole "planaria_transfer_active", "Requests being worked on, own and others'";
		busy: Total "planaria_transfer_busy_total", "Requests turned away because there was too much to do";
		wrong_bytes: Total "planaria_transfer_wrong_bytes_total", "Transfers stopped at a wrong byte or sidecar";
		transfer_stalled: Total "planaria_transfer_stalled_total", "Transfers cut because the peer was too slow";
		interrupted: Total "planaria_transfer_interrupted_total", "Transfers that broke";
		store_errors: Total "planaria_transfer_store_errors_total", "Reads, writes and syncs of the store that failed";

		registered: Whole "planaria_miner_registered", "Whether the chain knows this miner";
		serving: Whole "planaria_miner_serving", "Whether the network sees it as serving";
		frozen: Whole "planaria_miner_frozen", "Whether its collateral is below what is required";
		strikes: Whole "planaria_miner_strikes", "Windows with failed audits that it has not made good for";
		challenges: Whole "planaria_miner_challenges", "Challenges it has to answer";
		ticks_unseen: Whole "planaria_miner_ticks_unseen", "Ticks since its last duty was accepted";
		absent_after: Whole "planaria_miner_absent_after_ticks", "After how many ticks unseen it counts as absent";
		declared: Whole "planaria_miner_declared_bytes", "What it offers";
		held: Whole "planaria_miner_held_bytes", "What the chain says it holds";
		claims: Whole "planaria_miner_claims", "Restore orders it has claimed";
		hot_key_plan: Real "planaria_miner_hot_key_plan", "What the hot key's account has for fees, in PLAN";
		unconfirmed: Whole "planaria_miner_unconfirmed_fragments", "Fragments stored and not yet confirmed";
		proofs: Whole "planaria_miner_proofs_asked", "Proofs that the chain asks for";
		discarding: Whole "planaria_miner_discarding_fragments", "Fragments kept for a while though assigned elsewhere";
		unknown_jobs: Whole "planaria_miner_unknown_jobs", "Jobs of a kind this version does not know";

		waiting: Whole "planaria_restore_waiting", "Restorations that wait";
		running: Whole "planaria_restore_running", "Restorations that run";
		durable: Whole "planaria_restore_durable", "Restored fragments that the chain has not taken in yet";
		given_up: Whole "planaria_restore_given_up", "Restorations that were given up";
		fragments_left: Whole "planaria_restore_fragments_left", "Fragments this miner has yet to restore";
		bytes_left: Whole "planaria_restore_bytes_left", "Bytes this miner has yet to restore";
		rate: Whole "planaria_restore_rate_bytes", "Bytes per second this miner restored lately";
		eta: Real "planaria_restore_eta_seconds", "The time that what is left takes at that rate";
		stalled: Whole "planaria_restore_stalled", "Whether something is left and nothing moves";
		copied: Total "planaria_restore_copied_total", "Fragments copied from their holder";
		rebuilt: Total "planaria_restore_rebuilt_total", "Fragments rebuilt from others";
		cooperated: Total "planaria_restore_cooperated_total", "Fragments another restorer of the segment had rebuilt";
		read: Total "planaria_restore_read_bytes_total", "Bytes read from other miners to restore";
		restored: Total "planaria_restore_restored_bytes_total", "Bytes of the fragments restored";
		bytes_cooperated: Total "planaria_restore_cooperated_bytes_total", "Of these, bytes another restorer had rebuilt";
		lies: Total "planaria_restore_lies_total", "Sources caught with wrong bytes";
		races_lost: Total "planaria_restore_races_lost_total", "Orders somebody else claimed first";
		declined: Total "planaria_restore_declined_total", "Claims declined, because the rest decodes to another hash";
		discarded: Total "planaria_restore_discarded_total", "Fragments given up because they are assigned elsewhere";
		finder_scanning: Whole "planaria_restore_finder_scanning", "Whether the chain's segments are being looked through";
		finder_scanned: Whole "planaria_restore_finder_scanned_segments", "Segments looked at by the current or last pass";
		finder_total: Whole "planaria_restore_finder_total_segments", "Segments such a pass looks at";
		finder_worklist: Whole "planaria_restore_finder_worklist", "Segments known of which a target holds a fragment";
		finder_pass: Real "planaria_restore_finder_pass_seconds", "How long the last pass took";
	}
}

impl Metrics {
	/// Brings them up to date again and again.
	pub async fn run(self, miner: Miner, every: Duration) {
		let mut interval = tokio::time::interval(every);
		loop {
			interval.tick().await;
			let store = miner.store().clone();
			if let Ok(Ok(usage)) = tokio::task::spawn_blocking(move || store.usage()).await {
				self.store(&usage);
			}
			self.transfer(&miner.transfer().metrics());
			let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
			self.engine(&miner.engine().status(), now.as_secs());
			let me = miner.chain().me(At::Best).await;
			let network = miner.chain().network(At::Best).await;
			if let (Ok(me), Ok(network)) = (me, network) {
				let account = me.as_ref().map(|me| me.hot_key.clone());
				self.chain(me.as_ref(), &network);
				if let Ok(Some(funds)) = miner.funds(account).await {
					#[allow(clippy::cast_precision_loss)]
					self.hot_key_plan.set(funds.free as f64 / UNIT as f64);
				}
			}
		}
	}

	fn store(&self, usage: &Usage) {
		self.capacity.set(usage.capacity);
		self.used.set(usage.used);
		self.quarantined.set(usage.quarantined);
		self.reserved.set(usage.reserved);
		self.free_on_disk.set(known(Some(usage.free_on_disk).filter(|free| *free != u64::MAX)));
		self.fragments.set(usage.fragments);
		self.broken.set(usage.broken);
	}

	fn transfer(&self, transfer: &TransferMetrics) {
		self.bytes_in.raise(transfer.bytes_in);
		self.bytes_out.raise(transfer.bytes_out);
		self.connections.set(transfer.connections);
		self.active.set(transfer.active);
		self.busy.raise(transfer.busy);
		self.wrong_bytes.raise(transfer.wrong_bytes);
		self.transfer_stalled.raise(transfer.stalled);
		self.interrupted.raise(transfer.interrupted);
		self.store_errors.raise(transfer.store_errors);
	}

	fn chain(&self, me: Option<&MinerStatus>, network: &NetworkStatus) {
		self.absent_after.set(network.absent_after.into());
		self.registered.set(me.is_some().into());
		let Some(me) = me else { return };
		self.serving.set((me.standing == MinerStanding::Serving).into());
		self.frozen.set((me.collateral < me.required).into());
		self.strikes.set(me.audit.strikes.into());
		self.challenges.set(me.audit.open.into());
		self.ticks_unseen.set(network.tick.saturating_sub(me.last_seen).into());
		self.declared.set(me.declared);
		self.held.set(me.held);
		self.claims.set(me.claims.into());
	}

	/// `now` is in seconds since the Unix epoch.
	fn engine(&self, engine: &EngineStatus, now: u64) {
		let check = &engine.check;
		self.check_running.set(check.running.into());
		self.check_passes.raise(check.passes);
		self.checked.set(check.checked);
		self.damaged.set(check.damaged);
		self.unreadable.set(check.unreadable);
		self.missing.set(check.missing);
		self.suspects.set(check.suspects);
		self.check_age.set(known(check.last.map(|last| now.saturating_sub(last.finished))));
		self.disk_failing.set(check.alarm.is_some().into());

		self.unconfirmed.set(engine.unconfirmed);
		self.proofs.set(engine.proofs);
		self.discarding.set(engine.discarding);
		self.unknown_jobs.set(engine.unknown_jobs);

		let in_phase =
			|phase| engine.restores.iter().filter(|restore| restore.phase == phase).count() as u64;
		self.waiting.set(in_phase(RestorePhase::Waiting));
		self.running.set(in_phase(RestorePhase::Running));
		self.durable.set(in_phase(RestorePhase::Durable));
		self.given_up.set(in_phase(RestorePhase::GivenUp));
		let progress = &engine.progress;
		self.fragments_left.set(progress.fragments_left);
		self.bytes_left.set(progress.bytes_left);
		self.rate.set(progress.rate);
		self.eta.set(known(progress.eta_secs));
		self.stalled.set(progress.stalled.into());

		let totals = &engine.totals;
		self.copied.raise(totals.copied);
		self.rebuilt.raise(totals.rebuilt);
		self.cooperated.raise(totals.cooperated);
		self.read.raise(totals.bytes_read);
		self.restored.raise(totals.bytes_restored);
		self.bytes_cooperated.raise(totals.bytes_cooperated);
		self.lies.raise(totals.lies);
		self.races_lost.raise(totals.races_lost);
		self.declined.raise(totals.declined);
		self.discarded.raise(totals.discarded);

		let finder = &engine.finder;
		self.finder_scanning.set(finder.scanning.into());
		self.finder_scanned.set(finder.scanned);
		self.finder_total.set(finder.total);
		self.finder_worklist.set(finder.worklist);
		let passed = (finder.passes > 0).then_some(finder.last_pass_millis);
		self.finder_pass.set(known(passed) / 1000.0);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_engine::{CheckStatus, DiskAlarm, PassStatus};
	use substrate_prometheus_endpoint::Registry;

	#[test]
	fn the_self_check_shows_its_age_and_what_the_disk_does_not_read() {
		let metrics = Metrics::register(&Registry::new()).expect("registered");
		let mut status = EngineStatus::default();
		metrics.engine(&status, 1_000);
		assert!(metrics.check_age.get().is_nan(), "none was finished");
		assert_eq!((metrics.suspects.get(), metrics.disk_failing.get()), (0, 0));
		status.check = CheckStatus {
			suspects: 3,
			last: Some(PassStatus { began: 300, finished: 400, ..PassStatus::default() }),
			alarm: Some(DiskAlarm { since: 900, error: "does not read".into() }),
			..CheckStatus::default()
		};
		metrics.engine(&status, 1_000);
		assert!((metrics.check_age.get() - 600.0).abs() < f64::EPSILON);
		assert_eq!((metrics.suspects.get(), metrics.disk_failing.get()), (3, 1));
		// The clock was set back.
		metrics.engine(&status, 100);
		assert!(metrics.check_age.get().abs() < f64::EPSILON);
	}
}
