// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What changes fragments that are stored.

use super::{
	Inner,
	intents::Intent,
	lock,
	manifest::{Row, Tables},
	side::{self, Line, RECORD_LEN},
};
use crate::{FragmentUse, PAGE_LEN, Released, StoreError, Verdict};
use planaria_primitives::{FragmentHash, FragmentName};
use std::{collections::VecDeque, iter, path::Path, sync::MutexGuard};
use tracing::warn;

/// What becomes of bytes that the disk cannot read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doubt {
	/// They may be the right ones.
	Keep,
	/// They count as wrong.
	GiveUp,
}

impl Inner {
	/// Keeps others from changing this fragment. Fails where an earlier change of it failed so
	/// badly that nobody knows yet what is there.
	pub fn lock(&self, hash: &FragmentHash) -> Result<MutexGuard<'_, ()>, StoreError> {
		let guard = lock(&self.locks[usize::from(hash.0[0]) % self.locks.len()]);
		let stuck = lock(&self.stuck).remove(hash);
		if let Some((intent, noted)) = stuck {
			let tidied = self.tidy_up(intent, hash);
			let settled = match &tidied {
				Ok(()) => self.intents.settle(noted),
				Err(_) => Err(noted),
			};
			if let Err(noted) = settled {
				lock(&self.stuck).insert(*hash, (intent, noted));
			}
			tidied?;
		}
		Ok(guard)
	}

	/// Does something to a fragment that a crash must not leave half done. The fragment is locked.
	pub fn change<T>(
		&self,
		intent: Intent,
		hash: &FragmentHash,
		act: impl FnOnce() -> Result<T, StoreError>,
	) -> Result<T, StoreError> {
		let noted = self.intents.note(intent, hash)?;
		let result = act();
		let tidied = match &result {
			Ok(_) => Ok(()),
			Err(_) => self.tidy_up(intent, hash),
		};
		if let Err(error) = &tidied {
			warn!(%hash, %error, "a failed change could not be tidied up; will try again");
		}
		let settled = if tidied.is_ok() { self.intents.settle(noted) } else { Err(noted) };
		if let Err(noted) = settled {
			lock(&self.stuck).insert(*hash, (intent, noted));
		}
		result
	}

	/// After a change that did not end: makes the disk one thing or the other, and the manifest
	/// agree with it.
	pub fn tidy_up(&self, intent: Intent, hash: &FragmentHash) -> Result<(), StoreError> {
		self.tidy_disk(intent, hash)?;
		let (before, quarantined_before) =
			(self.manifest.row(hash)?, self.manifest.quarantined(hash)?);
		let (after, quarantined) = self.manifest.write(|tables| self.load(tables, hash))?;
		let mut accounts = lock(&self.accounts);
		accounts.replace(before, after);
		accounts.requarantine(quarantined_before, quarantined);
		Ok(())
	}

	/// The part of [`Inner::tidy_up`] that does not need the manifest.
	pub fn tidy_disk(&self, intent: Intent, hash: &FragmentHash) -> Result<(), StoreError> {
		self.is_mounted()?;
		if intent == Intent::Remove {
			self.remove_quarantined(hash)?;
		}
		let (data, side) = (self.layout.fragment(hash), self.layout.side(hash));
		let [_, dir] = self.layout.dirs(hash);
		if !dir.is_dir() {
			return Ok(());
		}
		self.fs.remove(&side.with_extension("side.tmp"))?;
		let keep = match intent {
			Intent::Change => true,
			Intent::Restore { records } => {
				if self.fs.len(&data)?.is_none() && self.fs.len(&side)?.is_some() {
					side::truncate(&self.fs, &side, records)?;
				}
				true
			},
			Intent::Remove => false,
			Intent::Create => {
				let summary = side::read(&side, hash, |_| Ok(()))?.unwrap_or_default();
				let len = self.fs.len(&data)?;
				len.is_some() && len == summary.len.map(u64::from)
			},
		};
		if !keep {
			self.fs.remove(&data)?;
			self.fs.remove(&side)?;
		}
		self.fs.sync_dir(&dir)
	}

	/// Writes into the manifest what the disk says of a fragment, and returns that. Bytes whose
	/// uses nobody knows go to quarantine.
	pub fn load(
		&self,
		tables: &mut Tables<'_>,
		hash: &FragmentHash,
	) -> Result<(Option<Row>, u64), StoreError> {
		tables.clear(hash)?;
		let (data, side) = (self.layout.fragment(hash), self.layout.side(hash));
		let mut names = 0;
		let summary = side::read(&side, hash, |line| {
			match line {
				Line::Add(of) => names += u64::from(tables.add(hash, &of)?),
				Line::Remove(name) => names -= u64::from(tables.remove(hash, &name)?),
			}
			Ok(())
		})?;
		let summary = summary.unwrap_or_default();
		if summary.bad > 0 {
			warn!(%hash, records = summary.bad, "unreadable records in a sidecar file");
		}
		let there = self.fs.len(&data)?.is_some();
		let row = summary.len.filter(|_| names > 0).map(|len| Row {
			len,
			names,
			records: summary.records,
			broken: !there,
		});
		if row.is_none() && there {
			warn!(%hash, "a fragment without uses goes to quarantine");
			self.move_to_quarantine(hash, &data)?;
		}
		if row.is_none() {
			self.fs.remove(&side)?;
		}
		let quarantined = self.quarantined_on_disk(hash)?;
		tables.set_row(hash, row)?;
		tables.set_quarantined(hash, quarantined)?;
		Ok((row, quarantined))
	}

	/// Whether the bytes are here already; then the use is added. Bytes that turn out wrong go to
	/// quarantine.
	pub fn have(&self, hash: &FragmentHash, of: &FragmentUse) -> Result<bool, StoreError> {
		let _guard = self.lock(hash)?;
		let Some(row) = self.manifest.row(hash)?.filter(|row| !row.broken) else {
			return Ok(false);
		};
		let known = self.manifest.has_use(hash, &of.name)?;
		let same_len = || Ok(self.fs.len(&self.layout.fragment(hash))? == Some(u64::from(row.len)));
		if known && !self.refused(hash) && same_len()? {
			return Ok(true);
		}
		match self.quarantine(hash, row, Doubt::Keep)? {
			Verdict::Whole => (),
			Verdict::Unreadable(error) => return Err(error),
			Verdict::Damaged | Verdict::Missing => return Ok(false),
		}
		if !known {
			let row = self.ready_side(hash, row)?;
			self.change(Intent::Change, hash, || {
				self.append(hash, &row, &Line::Add(of.clone()))?;
				let after = Row { names: row.names + 1, records: row.records + 1, ..row };
				self.manifest.write(|tables| {
					tables.add(hash, of)?;
					tables.set_row(hash, Some(after))
				})?;
				lock(&self.accounts).replace(Some(row), Some(after));
				Ok(())
			})?;
		}
		Ok(true)
	}

	/// Gives bytes that are complete and synced their name, and adds the use. The fragment is not
	/// stored, or broken.
	pub fn store(&self, hash: &FragmentHash, of: &FragmentUse) -> Result<(), StoreError> {
		let _guard = self.lock(hash)?;
		let before = match self.manifest.row(hash)? {
			Some(row) => Some(self.ready_side(hash, row)?),
			None => None,
		};
		let new = !self.manifest.has_use(hash, &of.name)?;
		let intent = before.map_or(Intent::Create, |row| Intent::Restore { records: row.records });
		self.change(intent, hash, || {
			match &before {
				None => {
					self.make_dirs(hash)?;
					let side = self.layout.side(hash);
					side::write(&self.fs, &side, hash, of.fragment_len(), [Ok(of.clone())])?;
				},
				Some(row) if new => self.append(hash, row, &Line::Add(of.clone()))?,
				Some(_) => {},
			}
			self.fs.rename(&self.layout.partial(hash), &self.layout.fragment(hash))?;
			let [_, dir] = self.layout.dirs(hash);
			self.fs.sync_dir(&dir)?;
			let (names, records) = before.map_or((0, 0), |row| (row.names, row.records));
			let after = Row {
				len: of.fragment_len(),
				names: names + u64::from(new),
				records: records + u64::from(new),
				broken: false,
			};
			self.manifest.write(|tables| {
				tables.add(hash, of)?;
				tables.set_row(hash, Some(after))
			})?;
			lock(&self.accounts).replace(before, Some(after));
			Ok(())
		})?;
		lock(&self.refused).remove(hash);
		Ok(())
	}

	pub fn release(&self, name: &FragmentName) -> Result<Released, StoreError> {
		let Some(hash) = self.manifest.hash(name)? else { return Ok(Released::Unknown) };
		let _guard = self.lock(&hash)?;
		let Some(row) = self.manifest.row(&hash)? else { return Ok(Released::Unknown) };
		if !self.manifest.has_use(&hash, name)? {
			return Ok(Released::Unknown);
		}
		if row.names == 1 {
			self.change(Intent::Remove, &hash, || {
				let quarantined = self.manifest.quarantined(&hash)?;
				self.tidy_disk(Intent::Remove, &hash)?;
				self.manifest.write(|tables| {
					tables.clear(&hash)?;
					tables.set_quarantined(&hash, 0)
				})?;
				let mut accounts = lock(&self.accounts);
				accounts.replace(Some(row), None);
				accounts.requarantine(quarantined, 0);
				Ok(())
			})?;
			lock(&self.refused).remove(&hash);
			return Ok(Released::Removed { bytes: if row.broken { 0 } else { row.len.into() } });
		}
		let row = self.ready_side(&hash, row)?;
		let after = Row { names: row.names - 1, records: row.records + 1, ..row };
		self.change(Intent::Change, &hash, || {
			self.append(&hash, &row, &Line::Remove(*name))?;
			self.manifest.write(|tables| {
				tables.remove(&hash, name)?;
				tables.set_row(&hash, Some(after))
			})?;
			lock(&self.accounts).replace(Some(row), Some(after));
			Ok(())
		})?;
		Ok(Released::Kept { names: after.names })
	}

	/// Takes a fragment out of service if its bytes are wrong or gone. It is locked.
	pub fn quarantine(
		&self,
		hash: &FragmentHash,
		row: Row,
		doubt: Doubt,
	) -> Result<Verdict, StoreError> {
		let verdict = self.check(hash, &row)?;
		if matches!(verdict, Verdict::Unreadable(_)) && doubt == Doubt::Keep {
			return Ok(verdict);
		}
		if verdict.is_whole() || row.broken {
			lock(&self.refused).remove(hash);
			return Ok(verdict);
		}
		warn!(%hash, ?verdict, "a fragment is broken");
		lock(&self.refused).insert(*hash);
		self.change(Intent::Change, hash, || {
			let data = self.layout.fragment(hash);
			let before = self.manifest.quarantined(hash)?;
			let moved = match self.fs.len(&data)? {
				Some(bytes) => {
					self.move_to_quarantine(hash, &data)?;
					bytes
				},
				None => 0,
			};
			let after = Row { broken: true, ..row };
			self.manifest.write(|tables| {
				tables.set_row(hash, Some(after))?;
				tables.set_quarantined(hash, before + moved)
			})?;
			let mut accounts = lock(&self.accounts);
			accounts.replace(Some(row), Some(after));
			accounts.requarantine(before, before + moved);
			Ok(())
		})?;
		lock(&self.refused).remove(hash);
		Ok(verdict)
	}

	pub fn forget_quarantined(&self, hash: &FragmentHash) -> Result<u64, StoreError> {
		let bytes = self.manifest.quarantined(hash)?;
		if bytes == 0 {
			return Ok(0);
		}
		self.change(Intent::Change, hash, || {
			self.remove_quarantined(hash)?;
			self.manifest.write(|tables| tables.set_quarantined(hash, 0))?;
			lock(&self.accounts).requarantine(bytes, 0);
			Ok(())
		})?;
		Ok(bytes)
	}

	/// Removes a fragment's files in quarantine, if there are any.
	fn remove_quarantined(&self, hash: &FragmentHash) -> Result<(), StoreError> {
		let count = self.count_quarantined(hash)?;
		if count == 0 {
			return Ok(());
		}
		// The last one first, so that the numbers stay without gaps.
		for number in (0..count).rev() {
			self.fs.remove(&self.layout.quarantined(hash, number))?;
		}
		self.fs.sync_dir(&self.layout.quarantine())
	}

	/// The lengths of a fragment's files in quarantine.
	fn quarantined_files(
		&self,
		hash: &FragmentHash,
	) -> impl Iterator<Item = Result<u64, StoreError>> {
		(0..).map_while(|number| self.fs.len(&self.layout.quarantined(hash, number)).transpose())
	}

	fn quarantined_on_disk(&self, hash: &FragmentHash) -> Result<u64, StoreError> {
		self.quarantined_files(hash).sum()
	}

	/// How many those are.
	fn count_quarantined(&self, hash: &FragmentHash) -> Result<u32, StoreError> {
		// Not `count`: a disk that fails does so for every number.
		self.quarantined_files(hash).try_fold(0, |count, len| len.map(|_| count + 1))
	}

	fn move_to_quarantine(&self, hash: &FragmentHash, data: &Path) -> Result<(), StoreError> {
		let number = self.count_quarantined(hash)?;
		self.fs.rename(data, &self.layout.quarantined(hash, number))?;
		self.fs.sync_dir(&self.layout.quarantine())?;
		let [_, dir] = self.layout.dirs(hash);
		self.fs.sync_dir(&dir)
	}

	/// All uses of a fragment, a page at a time.
	fn all_uses(
		&self,
		hash: &FragmentHash,
	) -> impl Iterator<Item = Result<FragmentUse, StoreError>> {
		let mut page = VecDeque::new();
		let mut after = None;
		iter::from_fn(move || {
			if page.is_empty() {
				match self.manifest.uses(hash, after.as_ref(), PAGE_LEN) {
					Ok(next) => page.extend(next),
					Err(error) => return Some(Err(error)),
				}
			}
			let of: FragmentUse = page.pop_front()?;
			after = Some(of.name);
			Some(Ok(of))
		})
	}

	fn make_dirs(&self, hash: &FragmentHash) -> Result<(), StoreError> {
		let _guard = lock(&self.dirs);
		self.layout.dirs(hash).iter().try_for_each(|dir| self.fs.make_dir(dir))
	}

	/// Makes the sidecar file of a fragment say one more thing, durably.
	fn append(&self, hash: &FragmentHash, row: &Row, line: &Line) -> Result<(), StoreError> {
		side::append(&self.fs, &self.layout.side(hash), hash, row.len, row.records, line)
	}

	/// Makes sure that the sidecar file has as many records as the manifest says and does not
	/// mostly consist of uses that were given up.
	fn ready_side(&self, hash: &FragmentHash, row: Row) -> Result<Row, StoreError> {
		let bytes = self.fs.len(&self.layout.side(hash))?;
		let sound = bytes.is_some_and(|bytes| bytes / RECORD_LEN == row.records);
		let crowded = row.records > 2 * row.names + 16;
		if sound && !crowded { Ok(row) } else { self.rewrite_side(hash, row) }
	}

	/// Writes the sidecar file anew from the manifest.
	fn rewrite_side(&self, hash: &FragmentHash, row: Row) -> Result<Row, StoreError> {
		self.change(Intent::Change, hash, || {
			self.make_dirs(hash)?;
			let side = self.layout.side(hash);
			let records = side::write(&self.fs, &side, hash, row.len, self.all_uses(hash))?;
			let [_, dir] = self.layout.dirs(hash);
			self.fs.sync_dir(&dir)?;
			let after = Row { records, ..row };
			self.manifest.write(|tables| tables.set_row(hash, Some(after)))?;
			Ok(after)
		})
	}

	/// Writes a damaged sidecar file anew. What fails is tried again when the fragment is verified
	/// the next time.
	pub fn heal_side(&self, hash: &FragmentHash) {
		let path = self.layout.side(hash);
		let sound = |row: &Row| {
			let summary = side::read(&path, hash, |_| Ok(())).ok().flatten();
			summary.is_some_and(|summary| summary.bad == 0 && summary.records == row.records)
		};
		let heal = || {
			if self.manifest.row(hash)?.is_none_or(|row| sound(&row)) {
				return Ok(());
			}
			let _guard = self.lock(hash)?;
			if let Some(row) = self.manifest.row(hash)?.filter(|row| !sound(row)) {
				warn!(%hash, "a damaged sidecar file is written anew");
				self.rewrite_side(hash, row)?;
			}
			Ok(())
		};
		let healed: Result<(), StoreError> = heal();
		if let Err(error) = healed {
			warn!(%hash, %error, "a damaged sidecar file could not be written anew");
		}
	}
}
