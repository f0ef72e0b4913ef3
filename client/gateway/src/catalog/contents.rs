// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Contents, the files they are on chain, and what is still to be done.

use super::{
	CONTENTS, COUNTS, CatalogError, Content, DOOMED, Error, FILES, FRAGMENTS, FragmentState, IDS,
	JOBS, Job, Kind, Life, PARTS, Part, Piece, Reader, Stored, UNDELETED, Undeleted, Writer,
	database, decode, encode, get, objects::Freed,
};
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::{BTreeMap, HashSet};

impl Reader {
	/// A content.
	pub fn content(&self, content: u64) -> Result<Option<Content>, Error> {
		get(&self.0.open_table(CONTENTS).map_err(database)?, content, "content")
	}

	/// The jobs but some, the oldest first, at most so many.
	pub fn jobs(&self, most: usize, but: &HashSet<u64>) -> Result<Vec<(u64, Job)>, Error> {
		let table = self.0.open_table(JOBS).map_err(database)?;
		let mut jobs = Vec::new();
		for row in table.iter().map_err(database)? {
			let (number, job) = row.map_err(database)?;
			if jobs.len() >= most {
				break;
			}
			if !but.contains(&number.value()) {
				jobs.push((number.value(), decode(job.value(), "job")?));
			}
		}
		Ok(jobs)
	}

	/// How many jobs there are.
	pub fn jobs_len(&self) -> Result<u64, Error> {
		self.0.open_table(JOBS).map_err(database)?.len().map_err(database)
	}

	/// What the catalog says is in the spool.
	pub fn pieces(&self) -> Result<Vec<Piece>, Error> {
		let mut pieces = Vec::new();
		for row in self.0.open_table(CONTENTS).map_err(database)?.iter().map_err(database)? {
			let content: Content = decode(row.map_err(database)?.1.value(), "content")?;
			pieces.extend(content.local);
		}
		for row in self.0.open_table(PARTS).map_err(database)?.iter().map_err(database)? {
			let part: Part = decode(row.map_err(database)?.1.value(), "part")?;
			pieces.extend(part.piece);
		}
		// A part that is being copied within the spool may be named twice.
		let mut seen = HashSet::new();
		pieces.retain(|piece| seen.insert(piece.blob));
		Ok(pieces)
	}

	/// How many contents are how far, and how many bytes these are.
	pub fn lives(&self) -> Result<BTreeMap<&'static str, (u64, u64)>, Error> {
		let table = self.0.open_table(COUNTS).map_err(database)?;
		let mut lives = BTreeMap::new();
		for life in [Life::Queued, Life::Placing, Life::Active] {
			let counted = table.get(life.name()).map_err(database)?;
			lives.insert(life.name(), counted.map_or((0, 0), |counted| counted.value()));
		}
		Ok(lives)
	}

	/// What fails of the oldest jobs, at most so many: the content, and what went wrong how often.
	pub fn failing(&self, most: usize) -> Result<Vec<(u64, u32, String)>, Error> {
		let table = self.0.open_table(CONTENTS).map_err(database)?;
		let mut failing = Vec::new();
		for (_, job) in self.jobs(most, &HashSet::new())? {
			let Job::Store { content: number } = job else { continue };
			let content: Option<Content> = get(&table, number, "content")?;
			let failed = content.and_then(|content| Some((content.failures, content.failure?)));
			failing.extend(failed.map(|(failures, failure)| (number, failures, failure)));
		}
		Ok(failing)
	}

	/// Files that the chain does not let the gateway delete, at most so many, and how many there are.
	pub fn undeleted(&self, most: usize) -> Result<(Vec<(u64, Undeleted)>, u64), Error> {
		let table = self.0.open_table(UNDELETED).map_err(database)?;
		let mut files = Vec::new();
		for row in table.iter().map_err(database)?.take(most) {
			let (file, record) = row.map_err(database)?;
			files.push((file.value(), decode(record.value(), "undeleted")?));
		}
		Ok((files, table.len().map_err(database)?))
	}

	/// The placement of a content's fragments, by segment.
	pub fn fragments(&self, content: u64) -> Result<BTreeMap<u32, Vec<FragmentState>>, Error> {
		let table = self.0.open_table(FRAGMENTS).map_err(database)?;
		let mut all = BTreeMap::new();
		for row in table.range((content, 0)..=(content, u32::MAX)).map_err(database)? {
			let (key, states) = row.map_err(database)?;
			all.insert(key.value().1, decode(states.value(), "fragments")?);
		}
		Ok(all)
	}

	/// The contents that are this file on chain.
	pub fn contents_of(&self, id: &[u8; 32]) -> Result<Vec<(u64, Content)>, Error> {
		let contents = self.0.open_table(CONTENTS).map_err(database)?;
		let ids = self.0.open_table(IDS).map_err(database)?;
		let mut found = Vec::new();
		for row in ids.range((*id, 0)..=(*id, u64::MAX)).map_err(database)? {
			let (_, number) = row.map_err(database)?.0.value();
			let content = get(&contents, number, "content")?;
			found.push((number, content.ok_or(CatalogError::Corrupt("content"))?));
		}
		Ok(found)
	}
}

impl Writer {
	/// A content.
	pub fn content(&self, content: u64) -> Result<Option<Content>, Error> {
		get(&self.0.open_table(CONTENTS).map_err(database)?, content, "content")
	}

	/// Writes a content.
	pub fn set_content(&self, number: u64, content: &Content) -> Result<(), Error> {
		let mut table = self.0.open_table(CONTENTS).map_err(database)?;
		let former: Option<Content> = get(&table, number, "content")?;
		table.insert(number, &encode(content)[..]).map_err(database)?;
		drop(table);
		self.recount(former.as_ref(), Some(content))
	}

	/// A content that was counted as one thing is counted as another.
	fn recount(&self, former: Option<&Content>, now: Option<&Content>) -> Result<(), Error> {
		let former = former.and_then(Content::counted);
		let now = now.and_then(Content::counted);
		if former == now {
			return Ok(());
		}
		let mut table = self.0.open_table(COUNTS).map_err(database)?;
		for (counted, more) in [(former, false), (now, true)] {
			let Some((life, count, bytes)) = counted else { continue };
			let known = table.get(life.name()).map_err(database)?.map(|known| known.value());
			let (counts, sum) = known.unwrap_or_default();
			let changed = match more {
				true => (counts.saturating_add(count), sum.saturating_add(bytes)),
				false => (counts.saturating_sub(count), sum.saturating_sub(bytes)),
			};
			table.insert(life.name(), changed).map_err(database)?;
		}
		Ok(())
	}

	/// Keeps why a content is not stored.
	pub fn note_failure(&self, number: u64, failure: String) -> Result<(), Error> {
		let Some(mut content) = self.content(number)? else { return Ok(()) };
		content.failures = content.failures.saturating_add(1);
		content.failure = Some(failure);
		self.set_content(number, &content)
	}

	/// Adds a content, used once, and the job of storing it unless it waits for a pack.
	pub fn add_content(&self, content: &Content) -> Result<u64, Error> {
		let number = self.count("contents")?;
		self.set_content(number, content)?;
		match content.kind {
			Kind::Waiting => self.wait(number, content)?,
			_ => self.add_job(&Job::Store { content: number })?,
		}
		Ok(number)
	}

	/// Counts: no number is given twice.
	fn count(&self, what: &str) -> Result<u64, Error> {
		let mut meta = self.0.open_table(super::META).map_err(database)?;
		let number = meta.get(what).map_err(database)?.map_or(0, |value| value.value());
		meta.insert(what, number + 1).map_err(database)?;
		Ok(number)
	}

	/// One more object names the content.
	pub fn share(&self, number: u64) -> Result<(), Error> {
		let mut content = self.content(number)?.ok_or(CatalogError::Corrupt("content"))?;
		content.uses += 1;
		self.set_content(number, &content)
	}

	/// One object fewer names the content. What nobody names goes: from the disk, which the caller
	/// is to do, and from the chain.
	pub fn release(&self, number: u64) -> Result<Freed, Error> {
		let mut content = self.content(number)?.ok_or(CatalogError::Corrupt("content"))?;
		content.uses = content.uses.saturating_sub(1);
		if content.uses > 0 || content.life == Life::Placing {
			// What is being placed goes when whoever places it sees that.
			self.set_content(number, &content)?;
			return Ok(Freed::new());
		}
		self.remove_content(number, content)
	}

	/// Removes a content that nobody names.
	pub fn remove_content(&self, number: u64, content: Content) -> Result<Freed, Error> {
		let mut table = self.0.open_table(CONTENTS).map_err(database)?;
		let former = table.remove(number).map_err(database)?;
		let former: Option<Content> =
			former.map(|former| decode(former.value(), "content")).transpose()?;
		drop(table);
		self.recount(former.as_ref(), None)?;
		let mut fragments = self.0.open_table(FRAGMENTS).map_err(database)?;
		fragments.retain_in((number, 0)..=(number, u32::MAX), |_, _| false).map_err(database)?;
		drop(fragments);
		if let Some(stored) = &content.stored {
			self.leave_file(number, stored)?;
		}
		let mut freed = content.local.clone();
		freed.extend(self.leave_pack(number, &content)?);
		Ok(freed)
	}

	/// Notes which file on chain a content is, unless that is being deleted there; returns whether it
	/// is not.
	pub fn enter_file(&self, number: u64, stored: Stored) -> Result<bool, Error> {
		let Some(mut content) = self.content(number)? else { return Ok(true) };
		if content.stored.as_ref() == Some(&stored) {
			return Ok(true);
		}
		if self.is_doomed(stored.file)? {
			return Ok(false);
		}
		let mut files = self.0.open_table(FILES).map_err(database)?;
		let uses = files.get(stored.file).map_err(database)?.map_or(0, |uses| uses.value());
		files.insert(stored.file, uses + 1).map_err(database)?;
		drop(files);
		// It may have been given up.
		self.0.open_table(UNDELETED).map_err(database)?.remove(stored.file).map_err(database)?;
		if let Some(former) = content.stored.replace(stored.clone()) {
			self.leave_file(number, &former)?;
		}
		let mut ids = self.0.open_table(IDS).map_err(database)?;
		ids.insert((stored.id, number), ()).map_err(database)?;
		drop(ids);
		self.set_content(number, &content)?;
		Ok(true)
	}

	/// One content fewer is this file; without any the file is to be deleted.
	fn leave_file(&self, number: u64, stored: &Stored) -> Result<(), Error> {
		let mut ids = self.0.open_table(IDS).map_err(database)?;
		ids.remove((stored.id, number)).map_err(database)?;
		drop(ids);
		let mut files = self.0.open_table(FILES).map_err(database)?;
		let uses = files.remove(stored.file).map_err(database)?.map_or(1, |uses| uses.value());
		if uses > 1 {
			files.insert(stored.file, uses - 1).map_err(database)?;
			return Ok(());
		}
		drop(files);
		self.add_job(&Job::Delete { file: stored.file, id: stored.id })
	}

	/// Whether a content is this file.
	pub fn is_used(&self, file: u64) -> Result<bool, Error> {
		let files = self.0.open_table(FILES).map_err(database)?;
		Ok(files.get(file).map_err(database)?.is_some())
	}

	/// Has a file deleted on chain, unless a content is this file; returns whether it is to be. From
	/// now on no content becomes it: who deletes it is not faster than who finds it there.
	pub fn doom_file(&self, file: u64) -> Result<bool, Error> {
		if self.is_used(file)? {
			return Ok(false);
		}
		self.0.open_table(DOOMED).map_err(database)?.insert(file, ()).map_err(database)?;
		Ok(true)
	}

	/// Whether a file is being deleted on chain.
	pub fn is_doomed(&self, file: u64) -> Result<bool, Error> {
		let doomed = self.0.open_table(DOOMED).map_err(database)?;
		Ok(doomed.get(file).map_err(database)?.is_some())
	}

	/// A file is deleted on chain, or stays there.
	pub fn spare_file(&self, file: u64) -> Result<(), Error> {
		self.0.open_table(DOOMED).map_err(database)?.remove(file).map_err(database)?;
		Ok(())
	}

	/// Notes that a file stays on chain.
	pub fn give_up_file(&self, file: u64, record: &Undeleted) -> Result<(), Error> {
		let mut table = self.0.open_table(UNDELETED).map_err(database)?;
		table.insert(file, &encode(record)[..]).map_err(database)?;
		Ok(())
	}

	/// Adds a job.
	pub fn add_job(&self, job: &Job) -> Result<(), Error> {
		let number = self.count("jobs")?;
		let mut table = self.0.open_table(JOBS).map_err(database)?;
		table.insert(number, &encode(job)[..]).map_err(database)?;
		Ok(())
	}

	/// A job is done.
	pub fn remove_job(&self, number: u64) -> Result<(), Error> {
		self.0.open_table(JOBS).map_err(database)?.remove(number).map_err(database)?;
		Ok(())
	}

	/// Writes the placement of a segment's fragments.
	pub fn set_fragments(
		&self,
		content: u64,
		segment: u32,
		states: &[FragmentState],
	) -> Result<(), Error> {
		let mut table = self.0.open_table(FRAGMENTS).map_err(database)?;
		table.insert((content, segment), &encode(&states)[..]).map_err(database)?;
		Ok(())
	}
}
