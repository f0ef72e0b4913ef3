// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Bytes on this gateway's disk, until the network has them.
//!
//! Every upload and every part is one file with a random name under `spool/`, whatever the object
//! is called. It is written to `spool/new/`, synced, renamed, and its directory synced; only then
//! the catalog names it. What the catalog does not name is removed when the gateway starts. A
//! gateway with a [`Replica`] puts it there before the catalog names it. What is removed while it is
//! being read is removed when it was read.
//!
//! # Memory
//!
//! An upload takes two batches of [`BATCH`] bytes: one is written while the next one arrives. With a
//! replica it takes 15 MiB while it is put there.

use crate::{
	catalog::{BlobId, Piece, blocking},
	digest::{Digester, Digests},
	error::Error,
	replica::Replica,
};
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use std::{
	collections::{HashMap, HashSet},
	fs::{self, File},
	io::{self, Write},
	os::unix::fs::FileExt,
	path::{Path, PathBuf},
	sync::{
		Arc, Mutex, MutexGuard, PoisonError,
		atomic::{AtomicU64, Ordering},
	},
};
use tokio::{
	runtime::Handle,
	task::{JoinHandle, spawn_blocking},
};

/// How many bytes are written at once.
pub const BATCH: usize = 1 << 20;

/// After how many bytes the disk is told to go on, so that little is left for the end.
const SYNC_EVERY: usize = 32 << 20;

/// How much the spool may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
	/// The most bytes in it.
	pub most: u64,
	/// The bytes that stay free on its disk.
	pub keep_free: u64,
}

/// The spool. Clones are the same.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
	root: PathBuf,
	limits: Limits,
	used: AtomicU64,
	/// Where everything is a second time.
	replica: Option<Replica>,
	reads: Mutex<Reads>,
}

#[derive(Debug, Default)]
struct Reads {
	/// How many read each file.
	open: HashMap<BlobId, usize>,
	/// Those of them that are to be removed.
	doomed: HashMap<BlobId, Piece>,
}

/// Files that are being read.
#[derive(Debug)]
struct Held {
	spool: Spool,
	blobs: Vec<BlobId>,
}

impl Drop for Held {
	fn drop(&mut self) {
		let mut gone = Vec::new();
		{
			let mut reads = self.spool.reads();
			for blob in &self.blobs {
				let left = reads.open.remove(blob).unwrap_or(0).saturating_sub(1);
				if left > 0 {
					reads.open.insert(*blob, left);
				} else {
					gone.extend(reads.doomed.remove(blob));
				}
			}
		}
		if gone.is_empty() {
			return;
		}
		let spool = self.spool.clone();
		let remove = move || gone.iter().for_each(|piece| spool.unlink(piece));
		match Handle::try_current() {
			Ok(runtime) => drop(runtime.spawn_blocking(remove)),
			Err(_) => remove(),
		}
	}
}

/// Room in the spool. What is not kept is free again when this is dropped.
#[derive(Debug)]
pub struct Room {
	spool: Spool,
	bytes: u64,
}

impl Room {
	/// Makes room for more. It asks the disk, so it is not for a few bytes at a time.
	fn grow(&mut self, bytes: u64) -> Result<(), Error> {
		self.spool.check_disk(bytes)?;
		self.spool.take(bytes)?;
		self.bytes += bytes;
		Ok(())
	}

	/// So much of it stays taken.
	fn keep(mut self, bytes: u64) {
		self.bytes = self.bytes.saturating_sub(bytes);
	}
}

impl Drop for Room {
	fn drop(&mut self) {
		self.spool.give_back(self.bytes);
	}
}

/// Bytes that have arrived and are on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
	/// Where; `None` if there are none.
	pub piece: Option<Piece>,
	/// How many.
	pub size: u64,
	/// What they are.
	pub digests: Digests,
}

/// A file that is being written.
struct Writing {
	file: File,
	digester: Digester,
	/// How many bytes were written since it was last begun to sync them.
	unsynced: usize,
	/// What came of that, which nobody is told again.
	syncing: Option<JoinHandle<io::Result<()>>>,
}

impl Writing {
	/// Blocks.
	fn write(&mut self, parts: &[Bytes]) -> io::Result<()> {
		for part in parts {
			self.digester.update(part);
			self.file.write_all(part)?;
			self.unsynced += part.len();
		}
		if self.unsynced < SYNC_EVERY {
			return Ok(());
		}
		match self.syncing.take() {
			Some(syncing) if !syncing.is_finished() => self.syncing = Some(syncing),
			done => {
				if let Some(Ok(synced)) = done.and_then(FutureExt::now_or_never) {
					synced?;
				}
				let file = self.file.try_clone()?;
				self.unsynced = 0;
				self.syncing = Some(spawn_blocking(move || file.sync_data()));
			},
		}
		Ok(())
	}
}

/// Syncs a directory, so that a name in it is on disk.
fn sync_directory(path: &Path) -> io::Result<()> {
	File::open(path)?.sync_all()
}

impl Spool {
	/// Opens the spool of the gateway with this data directory; `known` is what the catalog names.
	/// Everything else in it is removed.
	pub fn open(
		data: &Path,
		limits: Limits,
		known: &[Piece],
		replica: Option<Replica>,
	) -> io::Result<Self> {
		let root = data.join("spool");
		let new = root.join("new");
		if new.exists() {
			fs::remove_dir_all(&new)?;
		}
		fs::create_dir_all(&new)?;
		let names: HashSet<String> = known.iter().map(|piece| hex::encode(piece.blob.0)).collect();
		for entry in fs::read_dir(&root)? {
			let directory = entry?.path();
			if directory == new || !directory.is_dir() {
				continue;
			}
			for entry in fs::read_dir(&directory)? {
				let path = entry?.path();
				let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
				if !names.contains(name) {
					tracing::info!(?path, "removing what was never acknowledged");
					fs::remove_file(&path)?;
				}
			}
		}
		let used = AtomicU64::new(known.iter().map(|piece| piece.len).sum());
		sync_directory(&root)?;
		Ok(Self(Arc::new(Inner { root, limits, used, replica, reads: Mutex::default() })))
	}

	/// Has all pieces that the catalog names here and in the replica, if there is one.
	pub async fn even_out(&self, known: &[Piece]) -> Result<(), Error> {
		if let Some(replica) = &self.0.replica {
			replica.even_out(known, |blob| self.path(blob)).await?;
		}
		Ok(())
	}

	/// Puts a piece that has its name into the replica, if there is one; without that it is gone.
	async fn replicate(&self, piece: Piece) -> Result<(), Error> {
		let Some(replica) = &self.0.replica else { return Ok(()) };
		let path = self.path(piece.blob);
		let guard = Unfinished(Some(path.clone()));
		replica.put_piece(piece, &path).await?;
		guard.finished();
		Ok(())
	}

	fn reads(&self) -> MutexGuard<'_, Reads> {
		self.0.reads.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// How many bytes are in it, or on their way into it.
	pub fn used(&self) -> u64 {
		self.0.used.load(Ordering::Relaxed)
	}

	/// How much it may take.
	pub fn limits(&self) -> Limits {
		self.0.limits
	}

	fn path(&self, blob: BlobId) -> PathBuf {
		let name = hex::encode(blob.0);
		self.0.root.join(&name[..2]).join(name)
	}

	fn take(&self, bytes: u64) -> Result<(), Error> {
		let most = self.0.limits.most;
		let taken = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
			used.checked_add(bytes).filter(|used| *used <= most)
		});
		taken.map(drop).map_err(|_| Error::SlowDown)
	}

	fn give_back(&self, bytes: u64) {
		let _ = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
			Some(used.saturating_sub(bytes))
		});
	}

	/// Whether the disk has so many bytes beside those that stay free.
	fn check_disk(&self, bytes: u64) -> Result<(), Error> {
		let disk = rustix::fs::statvfs(&self.0.root).map_err(io::Error::from)?;
		let free = disk.f_bavail.saturating_mul(disk.f_frsize);
		if free < bytes.saturating_add(self.0.limits.keep_free) {
			return Err(Error::DiskFull);
		}
		Ok(())
	}

	/// Room for so many bytes, before the first of them is taken.
	pub fn room(&self, bytes: u64) -> Result<Room, Error> {
		if bytes > self.0.limits.most {
			return Err(Error::TooLarge(self.0.limits.most));
		}
		self.check_disk(bytes)?;
		self.take(bytes)?;
		Ok(Room { spool: self.clone(), bytes })
	}

	/// Takes bytes in and syncs them; `said` is how many the request says there are. They are
	/// verified by `verify` before they get a name.
	pub async fn receive<S, E>(
		&self,
		stream: S,
		said: Option<u64>,
		most: u64,
		digester: Digester,
		verify: impl FnOnce(&Digests) -> Result<(), Error>,
	) -> Result<Received, Error>
	where
		S: Stream<Item = Result<Bytes, E>> + Unpin,
		E: std::fmt::Display,
	{
		if said.is_some_and(|said| said > most) {
			return Err(Error::TooLarge(most));
		}
		let mut room = self.room(said.unwrap_or(0))?;
		let blob = BlobId::random();
		let new = self.0.root.join("new").join(hex::encode(blob.0));
		let guard = Unfinished(Some(new.clone()));
		let path = new.clone();
		let opened = blocking(move || {
			let file = File::create_new(&path)?;
			Ok(Writing { file, digester, unsynced: 0, syncing: None })
		});
		let opened = opened.await?;
		let mut writing = tokio::spawn(async { Ok(opened) });
		let mut stream = stream.fuse();
		let (mut size, mut batch, mut batched) = (0u64, Vec::new(), 0);
		loop {
			let part = stream.next().await;
			if let Some(part) = part {
				let part = part.map_err(|error| Error::Body(error.to_string()))?;
				size += part.len() as u64;
				if said.is_some_and(|said| size > said) {
					return Err(Error::IncompleteBody);
				}
				if size > most {
					return Err(Error::TooLarge(most));
				}
				if size > room.bytes {
					room.grow((size - room.bytes).max(BATCH as u64))?;
				}
				batched += part.len();
				batch.push(part);
				if batched < BATCH {
					continue;
				}
			}
			let (done, parts) = (batch.is_empty(), std::mem::take(&mut batch));
			let mut writer = writing.await.unwrap_or(Err(Error::Stopping))?;
			if done {
				break self.finish(writer, (guard, new, blob), (size, said), room, verify).await;
			}
			batched = 0;
			writing = tokio::spawn(blocking(move || {
				writer.write(&parts)?;
				Ok(writer)
			}));
		}
	}

	async fn finish(
		&self,
		writing: Writing,
		(guard, new, blob): (Unfinished, PathBuf, BlobId),
		(size, said): (u64, Option<u64>),
		room: Room,
		verify: impl FnOnce(&Digests) -> Result<(), Error>,
	) -> Result<Received, Error> {
		if said.is_some_and(|said| said != size) {
			return Err(Error::IncompleteBody);
		}
		let Writing { file, digester, syncing, .. } = writing;
		if let Some(syncing) = syncing {
			syncing.await.map_err(|_| Error::Stopping)??;
		}
		let digests = digester.finish();
		verify(&digests)?;
		if size == 0 {
			return Ok(Received { piece: None, size, digests });
		}
		let (path, spool) = (self.path(blob), self.clone());
		blocking(move || {
			spool.name(&file, &new, &path)?;
			guard.finished();
			Ok(())
		})
		.await?;
		let piece = Piece { blob, len: size };
		self.replicate(piece).await?;
		room.keep(size);
		Ok(Received { piece: Some(piece), size, digests })
	}

	/// Makes a file of what `write` writes, synced, whether there is room for it in the spool or not:
	/// what is written was in the spool before, or `room` was made for it. `None` if nothing was
	/// written.
	pub async fn make<R: Send + 'static>(
		&self,
		room: Option<Room>,
		write: impl FnOnce(File) -> Result<(File, R), Error> + Send + 'static,
	) -> Result<(Option<Piece>, R), Error> {
		let blob = BlobId::random();
		let new = self.0.root.join("new").join(hex::encode(blob.0));
		let guard = Unfinished(Some(new.clone()));
		let (path, spool) = (self.path(blob), self.clone());
		let made = blocking(move || {
			let (file, result) = write(File::create_new(&new)?)?;
			let len = file.metadata()?.len();
			if len == 0 {
				return Ok((None, result));
			}
			spool.name(&file, &new, &path)?;
			guard.finished();
			spool.0.used.fetch_add(len, Ordering::Relaxed);
			drop(room);
			Ok((Some(Piece { blob, len }), result))
		});
		let made = made.await?;
		if let Some(piece) = made.0
			&& let Err(error) = self.replicate(piece).await
		{
			self.give_back(piece.len);
			return Err(error);
		}
		Ok(made)
	}

	/// Syncs a file and gives it its name.
	fn name(&self, file: &File, new: &Path, path: &Path) -> io::Result<()> {
		file.sync_all()?;
		let root = &self.0.root;
		let directory = path.parent().unwrap_or(root);
		if !directory.exists() {
			fs::create_dir_all(directory)?;
			sync_directory(root)?;
		}
		fs::rename(new, path)?;
		sync_directory(directory)
	}

	/// Removes a file. Blocks.
	fn unlink(&self, piece: &Piece) {
		let path = self.path(piece.blob);
		if let Err(error) = fs::remove_file(&path) {
			// It is removed when the gateway starts again.
			tracing::warn!(?path, %error, "cannot remove a file of the spool");
		}
		self.give_back(piece.len);
	}

	/// Removes files that the catalog no longer names.
	pub async fn remove(&self, pieces: Vec<Piece>) {
		if pieces.is_empty() {
			return;
		}
		if let Some(replica) = self.0.replica.clone() {
			let pieces = pieces.clone();
			tokio::spawn(async move { replica.remove_pieces(&pieces).await });
		}
		let spool = self.clone();
		let removed = blocking(move || {
			for piece in pieces {
				let mut reads = spool.reads();
				if reads.open.contains_key(&piece.blob) {
					reads.doomed.insert(piece.blob, piece);
				} else {
					drop(reads);
					spool.unlink(&piece);
				}
			}
			Ok(())
		});
		let _ = removed.await;
	}

	/// Removes pieces that the catalog was to name, and did not because of this error.
	pub async fn undo(&self, pieces: Vec<Piece>, error: &Error) {
		// It names them, and only the replica does not say so.
		if !matches!(error, Error::Backend(_)) {
			self.remove(pieces).await;
		}
	}

	/// The bytes of these pieces, one behind the other. They stay until this was dropped.
	pub fn bytes(&self, pieces: Vec<Piece>) -> Spooled {
		let mut ends = Vec::with_capacity(pieces.len());
		let mut end = 0;
		for piece in &pieces {
			end += piece.len;
			ends.push(end);
		}
		let blobs: Vec<BlobId> = pieces.iter().map(|piece| piece.blob).collect();
		let mut reads = self.reads();
		for blob in &blobs {
			*reads.open.entry(*blob).or_default() += 1;
		}
		drop(reads);
		let held = Arc::new(Held { spool: self.clone(), blobs });
		Spooled { held, pieces, ends }
	}
}

/// Removes a file that did not get its name, or is not where it has to be as well.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
	/// It has got its name, or is there.
	fn finished(mut self) {
		self.0 = None;
	}
}

impl Drop for Unfinished {
	fn drop(&mut self) {
		if let Some(path) = self.0.take() {
			let _ = fs::remove_file(path);
		}
	}
}

/// Bytes in the spool that may be read anywhere.
#[derive(Clone, Debug)]
pub struct Spooled {
	/// The files stay as long as this is.
	held: Arc<Held>,
	pieces: Vec<Piece>,
	/// Where each piece ends.
	ends: Vec<u64>,
}

impl Spooled {
	/// How many.
	pub fn size(&self) -> u64 {
		self.ends.last().copied().unwrap_or(0)
	}

	/// Fills `to` with the bytes from `offset` on, all of which must be there. Blocks.
	pub fn read_at(&self, mut offset: u64, mut to: &mut [u8]) -> io::Result<()> {
		let mut index = self.ends.partition_point(|end| *end <= offset);
		while !to.is_empty() {
			let (Some(piece), Some(end)) = (self.pieces.get(index), self.ends.get(index)) else {
				return Err(io::ErrorKind::UnexpectedEof.into());
			};
			let within = offset - (end - piece.len);
			let here = usize::try_from(piece.len - within).unwrap_or(usize::MAX).min(to.len());
			let (part, rest) = std::mem::take(&mut to).split_at_mut(here);
			File::open(self.held.spool.path(piece.blob))?.read_exact_at(part, within)?;
			(to, offset, index) = (rest, offset + here as u64, index + 1);
		}
		Ok(())
	}

	/// The bytes from `offset` on, `len` of them.
	pub async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
		let this = self.clone();
		blocking(move || {
			let mut bytes = vec![0; len];
			this.read_at(offset, &mut bytes)?;
			Ok(bytes.into())
		})
		.await
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use futures::stream;

	const LIMITS: Limits = Limits { most: 10 << 20, keep_free: 0 };

	fn parts(bytes: &[u8], len: usize) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin {
		let parts: Vec<_> =
			bytes.chunks(len).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
		stream::iter(parts)
	}

	async fn receive(spool: &Spool, bytes: &[u8], said: Option<u64>) -> Result<Received, Error> {
		let stream = parts(bytes, 100_000);
		spool.receive(stream, said, 8 << 20, Digester::new(None), |_| Ok(())).await
	}

	fn files(data: &Path) -> usize {
		let directories = fs::read_dir(data.join("spool")).expect("there").flatten();
		directories.map(|entry| fs::read_dir(entry.path()).expect("there").count()).sum()
	}

	#[tokio::test]
	async fn what_is_received_is_read_back_across_pieces() {
		let data = tempfile::tempdir().expect("a directory");
		let spool = Spool::open(data.path(), LIMITS, &[], None).expect("opens");
		let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
		let (one, two) = bytes.split_at(2_100_001);
		let first = receive(&spool, one, Some(one.len() as u64)).await.expect("received");
		let second = receive(&spool, two, None).await.expect("received");
		assert_eq!(spool.used(), 3_000_000);
		let all = spool.bytes([first.piece, second.piece].into_iter().flatten().collect());
		assert_eq!(all.size(), 3_000_000);
		for (offset, len) in
			[(0, 3_000_000), (2_100_000, 2), (2_100_001, 10), (2_999_999, 1), (5, 0)]
		{
			let read = all.read(offset as u64, len).await.expect("reads");
			assert_eq!(read, bytes[offset..offset + len]);
		}
		assert!(all.read(2_999_999, 2).await.is_err());
		drop(all);
		spool.remove(vec![first.piece.expect("some")]).await;
		assert_eq!((spool.used(), files(data.path())), (two.len() as u64, 1));
	}

	#[tokio::test]
	async fn nothing_is_left_of_what_is_refused() {
		let data = tempfile::tempdir().expect("a directory");
		let spool = Spool::open(data.path(), LIMITS, &[], None).expect("opens");
		let bytes = vec![1; 2 << 20];
		for said in [Some(1), Some(3 << 20), Some(9 << 20), Some(1 << 40)] {
			receive(&spool, &bytes, said).await.expect_err("not what was said");
		}
		let broken = stream::iter([Ok(Bytes::from_static(b"a")), Err(io::Error::other("broken"))]);
		let refused = spool.receive(broken, None, 9, Digester::new(None), |_| Ok(())).await;
		assert!(matches!(refused, Err(Error::Body(_))));
		let refused = spool
			.receive(parts(&bytes, 9), None, 9 << 20, Digester::new(None), |_| {
				Err(Error::BadDigest("sum"))
			})
			.await;
		assert!(matches!(refused, Err(Error::BadDigest(_))));
		let empty = receive(&spool, &[], Some(0)).await.expect("nothing is something");
		assert_eq!((empty.piece, empty.size), (None, 0));
		assert_eq!((spool.used(), files(data.path())), (0, 0));
	}

	#[tokio::test]
	async fn the_spool_never_takes_more_than_it_may() {
		let data = tempfile::tempdir().expect("a directory");
		let spool = Spool::open(data.path(), LIMITS, &[], None).expect("opens");
		let bytes = vec![1; 6 << 20];
		let first = receive(&spool, &bytes, None).await.expect("fits");
		for said in [None, Some(6 << 20)] {
			assert!(matches!(receive(&spool, &bytes, said).await, Err(Error::SlowDown)));
		}
		spool.remove(first.piece.into_iter().collect()).await;
		receive(&spool, &bytes, None).await.expect("fits again");
		let full = Limits { keep_free: u64::MAX, ..LIMITS };
		let other = tempfile::tempdir().expect("a directory");
		let full = Spool::open(other.path(), full, &[], None).expect("opens");
		assert!(matches!(receive(&full, &bytes, None).await, Err(Error::DiskFull)));
	}

	#[test]
	fn room_grows_only_on_a_disk_that_has_it() {
		let data = tempfile::tempdir().expect("a directory");
		let limits = Limits { most: u64::MAX, keep_free: 0 };
		let spool = Spool::open(data.path(), limits, &[], None).expect("opens");
		let mut room = spool.room(1).expect("there is some");
		assert!(matches!(room.grow(u64::MAX), Err(Error::DiskFull)));
		assert_eq!(spool.used(), 1);
		room.grow(2).expect("there is some");
		assert_eq!(spool.used(), 3);
		drop(room);
		assert_eq!(spool.used(), 0);
	}

	#[tokio::test]
	async fn what_is_being_read_stays_until_it_was_read() {
		let data = tempfile::tempdir().expect("a directory");
		let spool = Spool::open(data.path(), LIMITS, &[], None).expect("opens");
		let piece = receive(&spool, b"bytes", None).await.expect("received").piece.expect("some");
		let (one, other) = (spool.bytes(vec![piece]), spool.bytes(vec![piece]));
		spool.remove(vec![piece]).await;
		drop(other);
		assert_eq!(one.read(1, 3).await.expect("reads"), &b"yte"[..]);
		assert_eq!((spool.used(), files(data.path())), (5, 1));
		drop(one);
		while (spool.used(), files(data.path())) != (0, 0) {
			tokio::task::yield_now().await;
		}
	}

	#[tokio::test]
	async fn what_the_catalog_does_not_name_is_swept() {
		let data = tempfile::tempdir().expect("a directory");
		let spool = Spool::open(data.path(), LIMITS, &[], None).expect("opens");
		let kept = receive(&spool, b"kept", None).await.expect("received").piece.expect("some");
		receive(&spool, b"swept", None).await.expect("received");
		fs::write(data.path().join("spool/new/unfinished"), b"x").expect("writes");
		let spool = Spool::open(data.path(), LIMITS, &[kept], None).expect("opens");
		assert_eq!((spool.used(), files(data.path())), (4, 1));
		assert_eq!(spool.bytes(vec![kept]).read(0, 4).await.expect("reads"), &b"kept"[..]);
	}
}
