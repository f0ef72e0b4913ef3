// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How soon a miner that has thrown data away is found out, and how soon it is expelled, with the
//! parameters of production. `docs/audits.md` has these numbers.
//!
//! The draws are those of a large network: whether a given miner is asked does not depend on when
//! it was asked before, so the time between two challenges is exponential.

use crate::{Level, Params, Record, TIB};
use codec::Encode;
use planaria_primitives::Tick;
use sp_io::hashing::blake2_256;

/// Ticks per hour in production.
const HOUR: f64 = 600.0;

/// How many ticks pass between two draws in the same TiB.
fn ticks_per_tib(params: &Params<u64>) -> f64 {
	params.bytes_per_draw as f64 / TIB as f64
}

/// Numbers in (0, 1) that only depend on the seed.
struct Random(u64);

impl Random {
	fn next(&mut self) -> f64 {
		self.0 += 1;
		let hash = blake2_256(&(b"latency", self.0).encode());
		let number = u64::from_le_bytes(hash[..8].try_into().expect("long enough"));
		(number as f64 + 0.5) / 2f64.powi(64)
	}

	/// The ticks between two challenges of a miner of so many TiB.
	fn gap(&mut self, tib: f64, params: &Params<u64>) -> f64 {
		-self.next().ln() * ticks_per_tib(params) / tib
	}
}

/// When a miner of so many TiB that has lost this share of them reaches a level, in hours, if
/// within `hours`.
fn reaches(level: Level, tib: f64, lost: f64, hours: f64, random: &mut Random) -> Option<f64> {
	let params = Params::<u64>::default();
	let mut record = Record::default();
	let mut now = 0.0;
	loop {
		now += random.gap(tib, &params);
		if now > hours * HOUR {
			return None;
		}
		if random.next() >= lost {
			record.pass(now as Tick, params.heal_after);
			continue;
		}
		// It is noted in the tick after the deadline. Passes meanwhile come too early to heal.
		let noted = now + f64::from(params.answer_period) + 1.0;
		record.fail(noted as Tick, params.strike_window);
		if params.level(record.strikes) >= Some(level) {
			return Some(noted / HOUR);
		}
	}
}

/// Mean and 99th percentile of 2,000 tries, in hours; `None` where not all came to it.
fn statistics(level: Level, tib: f64, lost: f64, hours: f64) -> Option<(f64, f64)> {
	const TRIES: usize = 2_000;
	let mut random = Random(0);
	let mut times: Vec<f64> =
		(0..TRIES).map(|_| reaches(level, tib, lost, hours, &mut random)).collect::<Option<_>>()?;
	times.sort_by(f64::total_cmp);
	Some((times.iter().sum::<f64>() / TRIES as f64, times[TRIES * 99 / 100]))
}

#[test]
fn who_has_thrown_everything_away_is_expelled() {
	// TiB, and in hours: the mean, the 99th percentile.
	for (tib, mean, late) in
		[(0.1, 91.3, 160.0), (1.0, 36.3, 43.0), (10.0, 30.9, 31.7), (100.0, 30.4, 30.5)]
	{
		let (is, is_late) = statistics(Level::Expelled, tib, 1.0, 1e6).expect("in the end");
		println!("{tib} TiB, all lost: expelled after {is:.1} h, 99 % within {is_late:.1} h");
		assert!((is / mean - 1.0).abs() < 0.03, "{tib} TiB: {is}");
		assert!((is_late / late - 1.0).abs() < 0.05, "{tib} TiB: {is_late}");
	}
}

#[test]
fn who_has_thrown_a_part_away_is_expelled_where_it_matters() {
	// A tenth of 10 TiB, a hundredth of 100 TiB: a TiB each.
	for (tib, lost) in [(10.0, 0.1), (100.0, 0.01)] {
		let (mean, late) = statistics(Level::Expelled, tib, lost, 1e6).expect("in the end");
		println!("{lost} of {tib} TiB lost: expelled after {mean:.1} h, 99 % within {late:.1} h");
		assert!(mean < 40.0 && late < 48.0, "{mean}, {late}");
	}
	// A bad sector of a small miner is a matter of its restore order, and of a warning.
	let mut random = Random(0);
	let year = 365.0 * 24.0;
	let tries = 200;
	let expelled = (0..tries)
		.filter(|_| reaches(Level::Expelled, 1.0, 1e-4, year, &mut random).is_some())
		.count();
	assert_eq!(expelled, 0);
}

/// Within so many days at least one of a miner's lost fragments was asked for.
fn detected(tib: f64, lost: f64, days: f64) -> f64 {
	let per_day = 24.0 * HOUR / ticks_per_tib(&Params::default());
	1.0 - (-per_day * tib * lost * days).exp()
}

#[test]
fn what_is_lost_is_found_out() {
	println!("of 1 TiB and 10 TiB, this share lost, within 1, 7, 30 days:");
	for lost in [0.001, 0.01, 0.05, 0.1, 1.0] {
		let row: Vec<String> = [1.0, 10.0]
			.iter()
			.flat_map(|tib| [1.0, 7.0, 30.0].map(|days| detected(*tib, lost, days)))
			.map(|odds| format!("{:.1} %", odds * 100.0))
			.collect();
		println!("{lost}: {}", row.join(", "));
	}
	// What happens in the simulation is what the formula says.
	let mut random = Random(7);
	let (tries, hours) = (4_000, 24.0);
	let found = (0..tries)
		.filter(|_| reaches(Level::Warned, 1.0, 0.05, hours, &mut random).is_some())
		.count();
	let odds = detected(1.0, 0.05, 1.0);
	assert!((found as f64 / f64::from(tries) - odds).abs() < 0.02, "{found} of {tries}, {odds}");
	// In a month a hundredth of a TiB does not escape.
	assert!(detected(1.0, 0.01, 30.0) > 0.999);
	assert!(detected(10.0, 0.01, 1.0) > 0.9);
}

#[test]
fn an_outage_until_a_miner_counts_as_absent_is_one_strike() {
	let params = Params::<u64>::default();
	let absent_after = 2.0 * HOUR;
	let mut random = Random(3);
	for _ in 0..500 {
		let (mut record, mut now) = (Record::default(), 0.0);
		// Whatever is asked until then fails, even of a very large miner.
		loop {
			now += random.gap(1_000.0, &params);
			if now > absent_after {
				break;
			}
			record
				.fail((now + f64::from(params.answer_period) + 1.0) as Tick, params.strike_window);
		}
		assert_eq!(params.level(record.strikes), Some(Level::Warned));
		// Two days after it is back all is as before.
		let back = absent_after as Tick + params.answer_period + params.heal_after + 2;
		assert!(record.pass(back, params.heal_after) && record.is_clean());
	}
}
