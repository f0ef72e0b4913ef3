// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Packs: small contents that share a file on chain.
//!
//! A small content waits until a pack is closed; it is in the spool like any other. Then its bytes are
//! in the pack, and the pack is a content that is stored like any other. When less than half of an
//! active pack is alive, that is copied into another pack, and moves there when that one is active.
//! So is what is in several small packs, when there are [`PUT_TOGETHER`] of them: objects that come
//! one at a time become few files, too.

use super::{
	CONTENTS, CatalogError, Content, Error, Job, Kind, Life, PACKED, Place, Reader, SMALL, WAITING,
	Writer, database, get, objects::Freed,
};
use codec::Encode;
use redb::ReadableTable;
use std::collections::BTreeMap;

/// What contents that may be in the same pack have in common: their account, whether they are
/// public, their coding.
pub type Group = Vec<u8>;

/// How much waits, or is to be packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packing {
	/// How many contents.
	pub count: usize,
	/// Their bytes.
	pub bytes: u64,
}

/// How many small packs are put together.
const PUT_TOGETHER: usize = 8;
/// A pack is small with less of both, bytes and contents, that are alive: as many as are put together
/// are less than a full one.
const SMALL_BELOW: (u64, u32) = (8 << 20, 1 << 13);

/// Where a content's bytes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
	/// The content that has them: itself, or the pack it is in.
	pub content: Content,
	/// Where they begin there.
	pub offset: u64,
}

/// The group of a content.
fn group(content: &Content) -> Group {
	(content.owner, content.public, content.coding).encode()
}

impl Reader {
	/// Where a content's bytes are.
	pub fn located(&self, number: u64) -> Result<Option<Located>, Error> {
		let Some(content) = self.content(number)? else { return Ok(None) };
		let Kind::Packed(Place { pack, offset }) = content.kind else {
			return Ok(Some(Located { content, offset: 0 }));
		};
		let content = self.content(pack)?.ok_or(CatalogError::Corrupt("pack"))?;
		Ok(Some(Located { content, offset }))
	}

	/// What waits for a pack, by group.
	pub fn waiting(&self) -> Result<BTreeMap<Group, Packing>, Error> {
		let table = self.0.open_table(WAITING).map_err(database)?;
		let mut groups: BTreeMap<Group, Packing> = BTreeMap::new();
		for row in table.iter().map_err(database)? {
			let (key, bytes) = row.map_err(database)?;
			let amount = groups.entry(key.value().0.to_vec()).or_default();
			(amount.count, amount.bytes) = (amount.count + 1, amount.bytes + bytes.value());
		}
		Ok(groups)
	}

	/// The contents of a group that have waited the longest, at most so many, or one that is larger.
	pub fn waiting_of(&self, of: &[u8], most: Packing) -> Result<Vec<(u64, Content)>, Error> {
		let table = self.0.open_table(WAITING).map_err(database)?;
		let contents = self.0.open_table(CONTENTS).map_err(database)?;
		let (mut found, mut bytes) = (Vec::new(), 0);
		for row in table.range((of, 0)..=(of, u64::MAX)).map_err(database)?.take(most.count) {
			let (key, len) = row.map_err(database)?;
			bytes += len.value();
			if bytes > most.bytes && !found.is_empty() {
				break;
			}
			let number = key.value().1;
			let content = get(&contents, number, "content")?;
			found.push((number, content.ok_or(CatalogError::Corrupt("content"))?));
		}
		Ok(found)
	}

	/// What is alive in a pack: each content with its place and size.
	pub fn packed(&self, pack: u64) -> Result<Vec<(u64, u64, u64)>, Error> {
		let table = self.0.open_table(PACKED).map_err(database)?;
		let contents = self.0.open_table(CONTENTS).map_err(database)?;
		let mut alive = Vec::new();
		for row in table.range((pack, 0)..=(pack, u64::MAX)).map_err(database)? {
			let (key, number) = row.map_err(database)?;
			let content: Option<Content> = get(&contents, number.value(), "content")?;
			let size = content.ok_or(CatalogError::Corrupt("content"))?.size;
			alive.push((number.value(), key.value().1, size));
		}
		Ok(alive)
	}
}

impl Writer {
	/// A content waits for a pack.
	pub(super) fn wait(&self, number: u64, content: &Content) -> Result<(), Error> {
		let mut table = self.0.open_table(WAITING).map_err(database)?;
		table.insert((&group(content)[..], number), content.size).map_err(database)?;
		Ok(())
	}

	/// Adds a pack of contents that were waiting, each with its first byte there, and the job of
	/// storing it. What was deleted meanwhile is dead from the beginning. Returns what is no longer
	/// needed of the disk, which is the pack itself if nothing in it is alive.
	pub fn add_pack(&self, mut pack: Content, members: &[(u64, u64)]) -> Result<Freed, Error> {
		let mut alive = Vec::new();
		for (number, offset) in members {
			match self.content(*number)? {
				Some(content) if content.kind == Kind::Waiting => {
					alive.push((*number, *offset, content));
				},
				_ => {},
			}
		}
		if alive.is_empty() {
			return Ok(pack.local);
		}
		let live = alive.iter().map(|(.., content)| content.size).sum();
		let Kind::Pack(record) = &mut pack.kind else {
			return Err(CatalogError::Corrupt("pack").into());
		};
		record.live = live;
		pack.uses = u32::try_from(alive.len()).unwrap_or(u32::MAX);
		let number = self.add_content(&pack)?;
		let mut freed = Freed::new();
		for (member, offset, mut content) in alive {
			let mut waiting = self.0.open_table(WAITING).map_err(database)?;
			waiting.remove((&group(&content)[..], member)).map_err(database)?;
			drop(waiting);
			freed.append(&mut content.local);
			content.kind = Kind::Packed(Place { pack: number, offset });
			self.set_content(member, &content)?;
			self.set_packed(number, offset, member)?;
		}
		Ok(freed)
	}

	/// Adds a pack that is to replace another one, with copies of these contents of it.
	pub fn add_repacked(&self, pack: &Content, members: &[(u64, u64)]) -> Result<(), Error> {
		let number = self.add_content(pack)?;
		members.iter().try_for_each(|(member, offset)| self.set_packed(number, *offset, *member))
	}

	fn set_packed(&self, pack: u64, offset: u64, member: u64) -> Result<(), Error> {
		let mut table = self.0.open_table(PACKED).map_err(database)?;
		table.insert((pack, offset), member).map_err(database)?;
		Ok(())
	}

	/// A pack is active: what is alive in the one that it replaces moves here, and that one goes.
	/// Returns what is no longer needed of the disk.
	pub fn settle_pack(&self, number: u64, content: &mut Content) -> Result<Freed, Error> {
		let Kind::Pack(pack) = &mut content.kind else { return Ok(Freed::new()) };
		let mut freed = Freed::new();
		let replaced = std::mem::take(&mut pack.replaces);
		if !replaced.is_empty() {
			(content.uses, pack.live) = (0, 0);
			let table = self.0.open_table(PACKED).map_err(database)?;
			let mut copies = Vec::new();
			for row in table.range((number, 0)..=(number, u64::MAX)).map_err(database)? {
				let (key, member) = row.map_err(database)?;
				copies.push((key.value().1, member.value()));
			}
			drop(table);
			for (offset, member) in copies {
				let here = Kind::Packed(Place { pack: number, offset });
				let known = self.content(member)?;
				let mut table = self.0.open_table(PACKED).map_err(database)?;
				match known {
					Some(mut known) => {
						let Kind::Packed(place) = std::mem::replace(&mut known.kind, here) else {
							return Err(CatalogError::Corrupt("content").into());
						};
						table.remove((place.pack, place.offset)).map_err(database)?;
						drop(table);
						(content.uses, pack.live) = (content.uses + 1, pack.live + known.size);
						self.set_content(member, &known)?;
					},
					// It was deleted meanwhile.
					None => drop(table.remove((number, offset)).map_err(database)?),
				}
			}
			for old in replaced {
				if let Some(content) = self.content(old)? {
					freed.extend(self.remove_content(old, content)?);
				}
			}
		}
		if content.uses > 0 && pack.is_worth_repacking() {
			pack.repacking = true;
			self.add_job(&Job::Repack { packs: vec![number] })?;
		} else if (1..SMALL_BELOW.1).contains(&content.uses) && pack.live < SMALL_BELOW.0 {
			self.settle_small(number, content)?;
		}
		Ok(freed)
	}

	/// A small pack is active. When there are enough of them, they are put together.
	fn settle_small(&self, number: u64, content: &mut Content) -> Result<(), Error> {
		let group = group(content);
		let mut table = self.0.open_table(SMALL).map_err(database)?;
		let mut packs = vec![number];
		for row in table.range((&group[..], 0)..=(&group[..], u64::MAX)).map_err(database)? {
			packs.push(row.map_err(database)?.0.value().1);
		}
		if packs.len() < PUT_TOGETHER {
			table.insert((&group[..], number), ()).map_err(database)?;
			return Ok(());
		}
		drop(table);
		for pack in &packs[1..] {
			let mut other = self.content(*pack)?.ok_or(CatalogError::Corrupt("pack"))?;
			self.repacking(*pack, &mut other)?;
			self.set_content(*pack, &other)?;
		}
		self.repacking(number, content)?;
		self.add_job(&Job::Repack { packs })
	}

	/// What is alive in a pack is to be copied into another one.
	fn repacking(&self, number: u64, content: &mut Content) -> Result<(), Error> {
		let mut table = self.0.open_table(SMALL).map_err(database)?;
		table.remove((&group(content)[..], number)).map_err(database)?;
		match &mut content.kind {
			Kind::Pack(pack) => pack.repacking = true,
			_ => return Err(CatalogError::Corrupt("pack").into()),
		}
		Ok(())
	}

	/// A content is removed: nothing waits for it, and nothing of its pack is it any more. Returns
	/// what the pack leaves on the disk if it was the last one.
	pub(super) fn leave_pack(&self, number: u64, content: &Content) -> Result<Freed, Error> {
		match content.kind {
			Kind::File => Ok(Freed::new()),
			Kind::Waiting => {
				let mut table = self.0.open_table(WAITING).map_err(database)?;
				table.remove((&group(content)[..], number)).map_err(database)?;
				Ok(Freed::new())
			},
			Kind::Pack(_) => {
				let mut small = self.0.open_table(SMALL).map_err(database)?;
				small.remove((&group(content)[..], number)).map_err(database)?;
				let mut table = self.0.open_table(PACKED).map_err(database)?;
				table
					.retain_in((number, 0)..=(number, u64::MAX), |_, _| false)
					.map_err(database)?;
				Ok(Freed::new())
			},
			Kind::Packed(Place { pack: number, offset }) => {
				let mut table = self.0.open_table(PACKED).map_err(database)?;
				table.remove((number, offset)).map_err(database)?;
				drop(table);
				let mut record = self.content(number)?.ok_or(CatalogError::Corrupt("pack"))?;
				let Kind::Pack(pack) = &mut record.kind else {
					return Err(CatalogError::Corrupt("pack").into());
				};
				pack.live = pack.live.saturating_sub(content.size);
				let repack = pack.is_worth_repacking() && !pack.repacking;
				record.uses = record.uses.saturating_sub(1);
				if record.uses == 0 && record.life != Life::Placing {
					return self.remove_content(number, record);
				}
				if repack && record.life == Life::Active {
					self.repacking(number, &mut record)?;
					self.add_job(&Job::Repack { packs: vec![number] })?;
				}
				self.set_content(number, &record)?;
				Ok(Freed::new())
			},
		}
	}
}
