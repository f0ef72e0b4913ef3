// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How miners do their part, what is measured of them, and the cooldown pool: those that failed too
//! often and get nothing for a while.

use super::{
	Conduct, Error, MEASURED, MINERS, Measured, Reader, Writer, database, decode, encode, get,
};
use crate::config::Cooldown;
use planaria_sdk::{placement::BEST, primitives::MinerId};
use redb::ReadableTable;
use std::{collections::BTreeMap, time::Duration};

/// What is new counts as one of so many.
const MEMORY: u16 = 8;
/// Of fewer bytes the time is that of the way, more than that of the miner.
const WORTH_TIMING: u64 = 256 << 10;
/// The least quality: whoever has it may have become better, and is tried now and then.
const LEAST: u16 = BEST / 20;

impl Default for Measured {
	fn default() -> Self {
		Self { reliability: BEST, speed: 0 }
	}
}

impl Measured {
	/// It was to take fragments of an object, and did its part or not.
	fn note_part(&mut self, done: bool) {
		self.reliability = match done {
			true => {
				let missing = BEST.saturating_sub(self.reliability);
				self.reliability.saturating_add(missing.div_ceil(MEMORY))
			},
			false => self.reliability.saturating_sub(self.reliability.div_ceil(MEMORY)),
		};
	}

	/// It took so many bytes in that time, fragment by fragment.
	fn note_time(&mut self, bytes: u64, time: Duration) {
		let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
		let speed = bytes.saturating_mul(1000) / millis;
		let memory = u64::from(MEMORY);
		self.speed = match self.speed {
			0 => speed,
			before => before.saturating_sub(before / memory).saturating_add(speed / memory),
		};
	}
}

/// How good miners are, in thousandths of the best: how reliable, and how fast where they are slower
/// than half of all.
pub fn quality(measured: &[(MinerId, Measured)]) -> BTreeMap<MinerId, u16> {
	let speeds = measured.iter().map(|(_, of)| of.speed).filter(|speed| *speed > 0);
	let mut speeds: Vec<_> = speeds.collect();
	speeds.sort_unstable();
	let usual = speeds.get(speeds.len() / 2).copied().unwrap_or(0);
	let best = u64::from(BEST);
	let of = |of: &Measured| {
		let speed = match of.speed {
			0 => best,
			speed => speed.saturating_mul(best).checked_div(usual).unwrap_or(best).min(best),
		};
		let quality = u64::from(of.reliability).saturating_mul(speed) / best;
		u16::try_from(quality).unwrap_or(BEST).clamp(LEAST, BEST)
	};
	measured.iter().map(|(miner, measured)| (*miner, of(measured))).collect()
}

impl Conduct {
	/// Whether it is in the cooldown pool at this time, in milliseconds since 1970.
	pub fn is_cooling(&self, now: u64) -> bool {
		now < self.until
	}

	/// It failed. One that is in the pool is not put into it again.
	fn fail(&mut self, reason: String, now: u64, rules: &Cooldown) {
		self.all_failures = self.all_failures.saturating_add(1);
		self.reason = reason;
		if self.is_cooling(now) {
			return;
		}
		self.failures = self.failures.saturating_add(1);
		if self.failures < rules.failures {
			return;
		}
		let doubled = 1u64.checked_shl(self.cooldowns).unwrap_or(u64::MAX);
		let seconds = rules.first.saturating_mul(doubled).min(rules.longest);
		self.until = now.saturating_add(seconds.saturating_mul(1000));
		(self.cooldowns, self.failures) = (self.cooldowns.saturating_add(1), 0);
	}

	/// It did its part.
	fn succeed(&mut self) {
		(self.failures, self.cooldowns) = (0, self.cooldowns.saturating_sub(1));
	}
}

impl Reader {
	/// What was measured of miners.
	pub fn measured(&self) -> Result<Vec<(MinerId, Measured)>, Error> {
		let table = self.0.open_table(MEASURED).map_err(database)?;
		let mut measured = Vec::new();
		for row in table.iter().map_err(database)? {
			let (miner, of) = row.map_err(database)?;
			measured.push((MinerId(miner.value()), decode(of.value(), "measured")?));
		}
		Ok(measured)
	}

	/// The miners that are in the cooldown pool at this time, in milliseconds since 1970.
	pub fn cooling(&self, now: u64) -> Result<Vec<(MinerId, Conduct)>, Error> {
		let table = self.0.open_table(MINERS).map_err(database)?;
		let mut cooling = Vec::new();
		for row in table.iter().map_err(database)? {
			let (miner, conduct) = row.map_err(database)?;
			let conduct: Conduct = decode(conduct.value(), "miner")?;
			if conduct.is_cooling(now) {
				cooling.push((MinerId(miner.value()), conduct));
			}
		}
		Ok(cooling)
	}
}

impl Writer {
	/// A miner failed; returns whether it is in the cooldown pool now.
	pub fn miner_failed(
		&self,
		miner: u32,
		reason: String,
		now: u64,
		rules: &Cooldown,
	) -> Result<bool, Error> {
		self.measure(miner, |measured| measured.note_part(false))?;
		let mut table = self.0.open_table(MINERS).map_err(database)?;
		let mut conduct: Conduct = get(&table, miner, "miner")?.unwrap_or_default();
		conduct.fail(reason, now, rules);
		table.insert(miner, &encode(&conduct)[..]).map_err(database)?;
		Ok(conduct.is_cooling(now))
	}

	/// A miner did its part.
	pub fn miner_succeeded(&self, miner: u32) -> Result<(), Error> {
		self.measure(miner, |measured| measured.note_part(true))?;
		let mut table = self.0.open_table(MINERS).map_err(database)?;
		let Some(mut conduct) = get::<_, Conduct>(&table, miner, "miner")? else { return Ok(()) };
		conduct.succeed();
		table.insert(miner, &encode(&conduct)[..]).map_err(database)?;
		Ok(())
	}

	/// A miner took so many bytes, in so much time for all fragments together.
	pub fn miner_took(&self, miner: u32, bytes: u64, time: Duration) -> Result<(), Error> {
		match bytes < WORTH_TIMING {
			true => Ok(()),
			false => self.measure(miner, |measured| measured.note_time(bytes, time)),
		}
	}

	fn measure(&self, miner: u32, note: impl FnOnce(&mut Measured)) -> Result<(), Error> {
		let mut table = self.0.open_table(MEASURED).map_err(database)?;
		let mut measured: Measured = get(&table, miner, "measured")?.unwrap_or_default();
		note(&mut measured);
		table.insert(miner, &encode(&measured)[..]).map_err(database)?;
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::catalog::Catalog;

	const RULES: Cooldown = Cooldown { failures: 3, first: 10, longest: 30 };

	fn fail(conduct: &mut Conduct, times: u32, now: u64) {
		(0..times).for_each(|_| conduct.fail("is silent".into(), now, &RULES));
	}

	#[test]
	fn who_fails_too_often_cools_down_for_longer_each_time() {
		let mut conduct = Conduct::default();
		let mut now = 1_000_000;
		for seconds in [10, 20, 30, 30] {
			fail(&mut conduct, 2, now);
			assert!(!conduct.is_cooling(now));
			// What fails meanwhile does not make it longer.
			fail(&mut conduct, 5, now);
			assert_eq!(conduct.until, now + seconds * 1000);
			assert!(conduct.is_cooling(conduct.until - 1) && !conduct.is_cooling(conduct.until));
			now = conduct.until;
		}
		assert_eq!((conduct.all_failures, conduct.cooldowns), (28, 4));
	}

	#[test]
	fn who_does_its_part_is_forgiven() {
		let mut conduct = Conduct::default();
		fail(&mut conduct, 2, 0);
		conduct.succeed();
		fail(&mut conduct, 2, 0);
		assert_eq!((conduct.until, conduct.cooldowns), (0, 0));
		fail(&mut conduct, 1, 0);
		let until = conduct.until;
		fail(&mut conduct, 3, until);
		conduct.succeed();
		conduct.succeed();
		let now = conduct.until;
		fail(&mut conduct, 3, now);
		assert_eq!(conduct.until, now + 10_000);
	}

	#[test]
	fn quality_is_reliability_and_speed_compared_with_others() {
		let mut miners = [Measured::default(); 4];
		let qualities = |miners: &[Measured; 4]| {
			let named: Vec<_> = (0..).map(MinerId).zip(miners.iter().copied()).collect();
			quality(&named).into_values().collect::<Vec<_>>()
		};
		assert_eq!(qualities(&miners), [BEST; 4]);
		for (miner, millis) in miners.iter_mut().zip([1000, 4000, 1000, 100]) {
			miner.note_time(8 << 20, Duration::from_millis(millis));
		}
		// To be slower than most counts, to be faster does not.
		assert_eq!(qualities(&miners), [1000, 250, 1000, 1000]);
		miners[0].note_part(false);
		assert_eq!(qualities(&miners), [875, 250, 1000, 1000]);
		miners[1].note_part(false);
		assert_eq!(qualities(&miners)[1], 218);
		// The worst is not forgotten; what it does now counts more than what it did.
		(0..100).for_each(|_| miners[0].note_part(false));
		assert_eq!(qualities(&miners)[0], LEAST);
		(0..20).for_each(|_| miners[0].note_part(true));
		assert!(qualities(&miners)[0] > 900, "{miners:?}");
		(0..40).for_each(|_| miners[1].note_time(8 << 20, Duration::from_secs(1)));
		assert!(miners[1].speed > 8 << 19, "{miners:?}");
		// Nothing here is too large.
		miners[2].note_time(u64::MAX, Duration::ZERO);
		miners[2].note_time(u64::MAX, Duration::MAX);
		assert!(qualities(&miners).iter().all(|quality| (LEAST..=BEST).contains(quality)));
	}

	#[tokio::test]
	async fn what_was_measured_survives() {
		let data = tempfile::tempdir().expect("a directory");
		let catalog = Catalog::open(data.path()).expect("opens");
		let measured = |writer: &Writer| {
			writer.miner_took(7, 1 << 20, Duration::from_secs(1))?;
			writer.miner_took(8, 1000, Duration::from_secs(1))?;
			writer.miner_succeeded(8)?;
			writer.miner_failed(7, "is full".into(), 5, &RULES)
		};
		catalog.write(measured).await.expect("written");
		drop(catalog);
		let catalog = Catalog::open(data.path()).expect("opens");
		let measured = catalog.read(|reader| reader.measured()).await.expect("reads");
		let slow = Measured { reliability: 875, speed: 1 << 20 };
		assert_eq!(measured, [(MinerId(7), slow), (MinerId(8), Measured::default())]);
	}

	#[tokio::test]
	async fn the_pool_survives() {
		let data = tempfile::tempdir().expect("a directory");
		let catalog = Catalog::open(data.path()).expect("opens");
		for _ in 0..3 {
			let failed = |writer: &Writer| {
				writer.miner_succeeded(8)?;
				writer.miner_failed(7, "is full".into(), 5, &RULES)
			};
			catalog.write(failed).await.expect("written");
		}
		drop(catalog);
		let catalog = Catalog::open(data.path()).expect("opens");
		let cooling = |now| catalog.read(move |reader| reader.cooling(now));
		let (miner, conduct) = cooling(6).await.expect("reads").remove(0);
		assert_eq!((miner, conduct.until, &conduct.reason[..]), (MinerId(7), 10_005, "is full"));
		assert!(cooling(10_005).await.expect("reads").is_empty());
	}
}
