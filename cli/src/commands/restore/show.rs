// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How orders, targets, verdicts and time are put into words.

use crate::output::{count, duration};
use planaria_sdk::{
	api::{MinerStanding, NetworkStatus, OrderCause, OrderStanding, VerdictStatus, progress::Pace},
	primitives::{MinerId, Tick},
	units::Size,
};

/// The network's clock, to say ticks as time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
	tick: Tick,
	slot_millis: u64,
	running: bool,
}

impl Clock {
	pub fn new(network: &NetworkStatus) -> Self {
		let NetworkStatus { tick, slot_millis, running, .. } = *network;
		Self { tick, slot_millis, running }
	}

	fn seconds(&self, ticks: Tick) -> u64 {
		u64::from(ticks).saturating_mul(self.slot_millis) / 1000
	}

	/// Seconds since a tick.
	pub fn since(&self, tick: Tick) -> u64 {
		self.seconds(self.tick.saturating_sub(tick))
	}

	/// Seconds until a tick, if the clock runs all the while; 0 if it is over.
	pub fn until(&self, tick: Tick) -> u64 {
		self.seconds(tick.saturating_sub(self.tick))
	}

	/// How long ago a tick was.
	pub fn age(&self, tick: Tick) -> String {
		duration(self.since(tick))
	}

	/// The tick, and what it means that it stands still.
	pub fn tick_text(&self) -> String {
		let clock = if self.running { "" } else { " (the clock stands still: nothing expires)" };
		format!("{}{clock}", self.tick)
	}
}

/// Who has claimed it.
pub fn claimer(standing: OrderStanding) -> Option<MinerId> {
	match standing {
		OrderStanding::Unclaimed => None,
		OrderStanding::Claimed { by, .. } | OrderStanding::Ready { by, .. } => Some(by),
	}
}

/// Until when.
pub fn deadline(standing: OrderStanding) -> Option<Tick> {
	match standing {
		OrderStanding::Unclaimed => None,
		OrderStanding::Claimed { deadline, .. } | OrderStanding::Ready { deadline, .. } => {
			Some(deadline)
		},
	}
}

pub fn standing(standing: OrderStanding, clock: &Clock) -> String {
	match standing {
		OrderStanding::Unclaimed => "unclaimed".into(),
		OrderStanding::Claimed { by, deadline } => {
			format!("claimed by miner {by}, {} left", duration(clock.until(deadline)))
		},
		OrderStanding::Ready { by, deadline } => {
			format!("ready at miner {by}, {} left to prove it", duration(clock.until(deadline)))
		},
	}
}

pub fn holder(holder: Option<MinerId>) -> String {
	holder.map_or("nobody".into(), |miner| miner.to_string())
}

pub fn cause(cause: OrderCause) -> &'static str {
	match cause {
		OrderCause::Broken => "broken",
		OrderCause::Target => "moves away",
		OrderCause::Challenge => "not proven",
	}
}

pub fn why(standing: MinerStanding) -> &'static str {
	match standing {
		MinerStanding::Leaving => "leaving",
		MinerStanding::Expelled => "expelled",
		MinerStanding::Absent => "absent",
		MinerStanding::Serving | MinerStanding::Suspended | MinerStanding::Departed => "",
	}
}

pub fn verdict(verdict: VerdictStatus, clock: &Clock) -> String {
	match verdict {
		VerdictStatus::Suspected { deadline } => match clock.until(deadline) {
			0 => "lost any moment unless enough comes back".into(),
			seconds => format!("lost in {} unless enough comes back", duration(seconds)),
		},
		VerdictStatus::Lost { since } => {
			format!("lost {} ago, until enough comes back", clock.age(since))
		},
	}
}

/// The time that what is left takes, as far as that can be said.
pub fn time_left(pace: &Pace) -> String {
	match (pace.eta_secs, pace.stalled) {
		_ if pace.fragments_left == 0 => "-".into(),
		(_, true) => "stalled: nothing moves".into(),
		(Some(seconds), false) => format!("about {}", duration(seconds)),
		(None, false) => "unknown until something is restored".into(),
	}
}

fn speed(pace: &Pace) -> String {
	pace.rate.map_or("-".into(), |rate| format!("{}/s", Size(rate)))
}

/// Speed and time left, for a table.
pub fn pace_columns(pace: &Pace) -> [String; 2] {
	[speed(pace), time_left(pace)]
}

/// What is left, speed and time left, one per line.
pub fn pace_facts(pace: &Pace) -> [(&'static str, String); 3] {
	let left = format!("{}, {}", count(pace.fragments_left, "fragment"), Size(pace.bytes_left));
	[("left", left), ("speed", speed(pace)), ("time left", time_left(pace))]
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn time_left_is_said_only_where_it_is_known() {
		let pace = Pace { fragments_left: 3, bytes_left: 9, ..Pace::default() };
		assert!(time_left(&pace).contains("unknown"));
		assert!(time_left(&Pace { stalled: true, ..pace }).contains("stalled"));
		let known = Pace { rate: Some(1), eta_secs: Some(90), ..pace };
		assert_eq!(time_left(&known), "about 1 min 30 s");
		assert_eq!(time_left(&Pace::default()), "-");
		assert_eq!(pace_facts(&known)[0].1, "3 fragments, 9 B");
	}

	#[test]
	fn verdicts_count_down() {
		let clock = Clock { tick: 100, slot_millis: 6000, running: true };
		let suspected = |deadline| verdict(VerdictStatus::Suspected { deadline }, &clock);
		assert_eq!(suspected(110), "lost in 1 min unless enough comes back");
		assert!(suspected(100).contains("any moment"));
		assert!(verdict(VerdictStatus::Lost { since: 90 }, &clock).contains("lost 1 min ago"));
		assert!(Clock { running: false, ..clock }.tick_text().contains("stands still"));
	}
}
