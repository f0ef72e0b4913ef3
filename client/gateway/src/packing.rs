// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Small objects share files on chain, in the format of [`planaria_pack`].
//!
//! A small object waits in the spool until there is enough for a pack, or it has waited long enough.
//! Then a pack is written to the spool and synced, and one change of the catalog puts the pack in the
//! place of what is in it: whatever happens in between, the bytes are in one of both. In a pack an
//! object is called like its content in the catalog, in hexadecimal digits.

use crate::{
	catalog::{Content, Group, Kind, Life, Pack, Packing},
	error::Error,
	gateway::Gateway,
	spool::Spooled,
};
use futures::StreamExt;
use planaria_pack::{AppendError, Index, Writer};
use std::{
	collections::HashMap,
	fs::File,
	io::{self, BufWriter},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::mpsc,
	time::{Instant, sleep},
};
use tracing::{info, warn};

/// How often it is looked what waits.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// The most objects in a pack: about what is in a full one whose objects have 4 KiB.
const MOST_OBJECTS: usize = 1 << 14;

/// The name of a content in a pack.
fn name(content: u64) -> String {
	format!("{content:016x}")
}

fn failed(error: AppendError) -> Error {
	match error {
		AppendError::Io(error) => error.into(),
		other => io::Error::other(other).into(),
	}
}

/// Where each of these contents is in a pack.
fn places(index: &Index, members: &[u64]) -> Vec<(u64, u64)> {
	let starts = index.entries().iter().map(|entry| entry.range().start);
	members.iter().copied().zip(starts).collect()
}

/// The bytes of all objects in a pack.
fn bytes(index: &Index) -> u64 {
	index.entries().iter().map(planaria_pack::Entry::len).sum()
}

fn end(writer: Writer<BufWriter<File>>) -> Result<(File, Index), Error> {
	let (file, index) = writer.finish().map_err(failed)?;
	let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
	Ok((file, index))
}

/// What a pack was made of.
struct Packed {
	/// What is in it, in the order of its index; nothing if there is no pack.
	members: Option<(Index, Vec<u64>)>,
	/// What could not be read, and why.
	unread: Vec<(u64, io::Error)>,
}

/// A pack of what waits; contents whose bytes are gone were deleted meanwhile. What cannot be read
/// keeps nothing else from being stored.
fn write_waiting(file: File, members: Vec<(u64, Spooled)>) -> Result<(File, Packed), Error> {
	let empty = file.try_clone()?;
	let mut writer = Writer::new(BufWriter::new(file)).map_err(failed)?;
	let (mut packed, mut unread) = (Vec::new(), Vec::new());
	for (number, spooled) in members {
		let mut object = vec![0; usize::try_from(spooled.size()).unwrap_or(usize::MAX)];
		match spooled.read_at(0, &mut object) {
			Ok(()) => writer.append(name(number).as_bytes(), &object).map_err(failed)?,
			Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
			Err(error) => {
				unread.push((number, error));
				continue;
			},
		}
		packed.push(number);
	}
	if packed.is_empty() {
		drop(writer);
		empty.set_len(0)?;
		return Ok((empty, Packed { members: None, unread }));
	}
	let (file, index) = end(writer)?;
	Ok((file, Packed { members: Some((index, packed)), unread }))
}

impl Gateway {
	/// Makes packs of what waits, until the future is dropped.
	pub(crate) async fn pack(&self) {
		let mut since: HashMap<Group, Instant> = HashMap::new();
		let most = Packing { count: MOST_OBJECTS, bytes: self.config.pack_size };
		let patience = Duration::from_secs(self.config.pack_after);
		loop {
			let waiting = match self.catalog.read(|reader| reader.waiting()).await {
				Ok(waiting) => waiting,
				Err(error) => {
					warn!(%error, "cannot read what waits for a pack");
					sleep(patience.max(LOOKED_EVERY)).await;
					continue;
				},
			};
			since.retain(|group, _| waiting.contains_key(group));
			let mut more = false;
			for (group, Packing { count, bytes }) in waiting {
				let began = *since.entry(group.clone()).or_insert_with(Instant::now);
				let full = count >= most.count || bytes >= most.bytes;
				if !full && began.elapsed() < patience {
					continue;
				}
				since.remove(&group);
				match self.close_pack(group, most).await {
					Ok(()) => more |= full,
					// It has to wait as long again.
					Err(error) => warn!(%error, "cannot make a pack"),
				}
			}
			if !more {
				sleep(LOOKED_EVERY).await;
			}
		}
	}

	/// Keeps why contents that wait for a pack do not get into one.
	async fn note_unread(&self, unread: Vec<(u64, io::Error)>) -> Result<(), Error> {
		for (content, error) in &unread {
			warn!(content, %error, "cannot be read, and is not put into a pack");
		}
		let noted = self.catalog.write(move |writer| {
			unread.into_iter().try_for_each(|(number, error)| {
				writer.note_failure(number, format!("the gateway's disk failed: {error}"))
			})
		});
		noted.await
	}

	/// Makes a pack of what has waited the longest in a group.
	async fn close_pack(&self, group: Group, most: Packing) -> Result<(), Error> {
		let members = self.catalog.read(move |reader| reader.waiting_of(&group, most)).await?;
		let Some((_, first)) = members.first() else { return Ok(()) };
		let pack = first.clone();
		let spooled = |(number, content): (u64, Content)| (number, self.spool.bytes(content.local));
		let members = members.into_iter().map(spooled).collect();
		let made = self.spool.make(None, move |file| write_waiting(file, members)).await?;
		let (piece, Packed { members, unread }) = made;
		if !unread.is_empty() {
			self.note_unread(unread).await?;
		}
		let (Some(piece), Some((index, members))) = (piece, members) else { return Ok(()) };
		let record = Pack::new(bytes(&index), Vec::new());
		let pack = Content {
			size: piece.len,
			kind: Kind::Pack(record),
			life: Life::Queued,
			local: vec![piece],
			stored: None,
			failures: 0,
			failure: None,
			..pack
		};
		let places = places(&index, &members);
		let freed = self.catalog.write(move |writer| writer.add_pack(pack, &places)).await;
		match freed {
			Ok(freed) => self.spool.remove(freed).await,
			Err(error) => {
				self.spool.undo(vec![piece], &error).await;
				return Err(error);
			},
		}
		info!(objects = members.len(), bytes = piece.len, "a pack is closed");
		self.jobs.notify_one();
		Ok(())
	}

	/// Copies what is alive in some packs into another one, which then is to be stored.
	pub(crate) async fn repack(&self, job: u64, packs: Vec<u64>) -> Result<(), Error> {
		let known = self.catalog.read(move |reader| {
			let (mut alive, mut known) = (Vec::new(), Vec::new());
			for number in packs {
				// One in which nothing is alive is gone.
				let Some(pack) = reader.content(number)? else { continue };
				let pack = Arc::new(pack);
				let members = reader.packed(number)?.into_iter();
				alive.extend(members.map(|member| (pack.clone(), member)));
				known.push((number, pack));
			}
			Ok((known, alive))
		});
		let (known, alive) = known.await?;
		let Some((_, old)) = known.first() else {
			return self.catalog.write(move |writer| writer.remove_job(job)).await;
		};
		let old = Content::clone(old);
		let replaces = known.into_iter().map(|(number, _)| number).collect();
		let live = alive.iter().map(|(_, (.., size))| size).sum::<u64>();
		// The index and the trailer take less than 64 bytes for each.
		let room = self.spool.room(live + 64 * (alive.len() as u64 + 1))?;
		let (sender, mut objects) = mpsc::channel::<(u64, Vec<u8>)>(2);
		let made = self.spool.make(Some(room), move |file| {
			let mut writer = Writer::new(BufWriter::new(file)).map_err(failed)?;
			let mut members = Vec::new();
			while let Some((number, object)) = objects.blocking_recv() {
				writer.append(name(number).as_bytes(), &object).map_err(failed)?;
				members.push(number);
			}
			let (file, index) = end(writer)?;
			Ok((file, (index, members)))
		});
		let count = alive.len();
		let read = async {
			for (pack, (member, offset, size)) in alive {
				let mut object = Vec::new();
				let body = self.library.content(&pack, offset..offset + size).await?;
				let mut parts = std::pin::pin!(body.into_stream());
				while let Some(part) = parts.next().await {
					object.extend_from_slice(&part?);
				}
				if sender.send((member, object)).await.is_err() {
					break;
				}
			}
			drop(sender);
			Ok::<_, Error>(())
		};
		let (made, read) = tokio::join!(made, read);
		if let Err(error) = read {
			if let Ok((Some(piece), _)) = made {
				self.spool.remove(vec![piece]).await;
			}
			return Err(error);
		}
		let (Some(piece), (index, members)) = made? else { return Err(Error::Stopping) };
		let record = Pack::new(bytes(&index), replaces);
		let pack = Content {
			size: piece.len,
			kind: Kind::Pack(record),
			uses: u32::try_from(members.len()).unwrap_or(u32::MAX),
			life: Life::Queued,
			local: vec![piece],
			stored: None,
			failures: 0,
			failure: None,
			..old
		};
		let places = places(&index, &members);
		let done = self.catalog.write(move |writer| {
			writer.add_repacked(&pack, &places)?;
			writer.remove_job(job)
		});
		if let Err(error) = done.await {
			self.spool.undo(vec![piece], &error).await;
			return Err(error);
		}
		info!(objects = count, bytes = piece.len, "what is alive is packed again");
		self.jobs.notify_one();
		Ok(())
	}
}
