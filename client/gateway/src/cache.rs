// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What was read from the network lately, on this gateway's disk.
//!
//! Blocks of files as the network has them: of an encrypted file that is what is encrypted. Each
//! is a file under `cache/` with the block's CRC-64/NVME behind it, which is compared whenever it is
//! read: that is against a bad disk, what came was verified before. Nothing is synced: what a power
//! cut leaves half written is not what its sum says. When there is no room, what was not used for the
//! longest time goes.
//!
//! What was put last stays in memory as well, [`FRESH`] blocks of it, until it is asked for once:
//! who had it fetched is about to read it.
//!
//! Beside them is what proves source fragments up to their file's id, so that other gateways can
//! verify what they get from here.

use crate::{catalog::blocking, error::Error};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};
use planaria_sdk::primitives::FileId;
use std::{
	collections::{BTreeMap, HashMap, VecDeque},
	fs::{self, File},
	io::{self, Read, Write},
	path::{Path, PathBuf},
	sync::{Arc, Mutex, PoisonError},
	time::SystemTime,
};

/// The length of a block; a file's last may be shorter.
pub const BLOCK: u64 = 4 << 20;
/// The least a cache has: what is being read goes through it.
pub const LEAST: u64 = 256 << 20;

/// How many blocks that nobody has asked for yet are in memory: about what is fetched ahead of a
/// reader.
pub const FRESH: usize = 8;

/// How long a block's sum is.
const SUM_LEN: u64 = 8;

/// What is summed at once: while it is in the processor's cache.
const STEP: usize = 256 << 10;

/// A block of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Block {
	/// The file.
	pub file: FileId,
	/// Which of its blocks.
	pub number: u64,
}

/// Numbers from here on are of no block: under them is what proves a fragment.
const PROOFS: u64 = 1 << 63;

impl Block {
	/// Where it is kept what proves a fragment of a file.
	pub fn proof(file: FileId, segment: u32, index: u8) -> Self {
		Self { file, number: PROOFS | u64::from(segment) << 8 | u64::from(index) }
	}

	/// How the file of this block is called.
	pub fn name(&self) -> String {
		format!("{}.{}", hex::encode(self.file), self.number)
	}

	/// The block whose file is called like this.
	pub fn named(name: &str) -> Option<Self> {
		let (file, number) = name.split_once('.')?;
		let mut id = [0; 32];
		hex::decode_to_slice(file, &mut id).ok()?;
		let block = Self { file: FileId(id), number: number.parse().ok()? };
		// It has one name.
		(block.name() == name).then_some(block)
	}
}

#[derive(Debug, Default)]
struct Index {
	/// The length of each block, and when it was used.
	blocks: HashMap<Block, (u64, u64)>,
	/// The blocks by when they were used.
	by_use: BTreeMap<u64, Block>,
	/// What was put last, and not asked for since.
	fresh: VecDeque<(Block, Bytes)>,
	bytes: u64,
	clock: u64,
}

impl Index {
	fn remove(&mut self, block: &Block) {
		self.take_fresh(block);
		if let Some((len, used)) = self.blocks.remove(block) {
			self.by_use.remove(&used);
			self.bytes -= len;
		}
	}

	fn touch(&mut self, block: Block, len: u64) {
		self.remove(&block);
		self.clock += 1;
		self.blocks.insert(block, (len, self.clock));
		self.by_use.insert(self.clock, block);
		self.bytes += len;
	}

	/// Keeps in memory what was touched just now.
	fn keep_fresh(&mut self, block: Block, bytes: Bytes) {
		if self.fresh.len() >= FRESH {
			self.fresh.pop_front();
		}
		self.fresh.push_back((block, bytes));
	}

	fn take_fresh(&mut self, block: &Block) -> Option<Bytes> {
		let found = self.fresh.iter().position(|(fresh, _)| fresh == block)?;
		self.fresh.remove(found).map(|(_, bytes)| bytes)
	}
}

/// Reads a block's file, and its sum.
fn read(path: &Path) -> Result<Bytes, Error> {
	let mut file = File::open(path)?;
	let len = file.metadata()?.len().checked_sub(SUM_LEN).filter(|len| *len <= BLOCK);
	let len = len.and_then(|len| usize::try_from(len).ok()).ok_or(Error::BadDigest("CRC-64"))?;
	let (mut bytes, mut digest) = (Vec::with_capacity(len), Digest::new(Crc64Nvme));
	while bytes.len() < len {
		let (from, step) = (bytes.len(), STEP.min(len - bytes.len()));
		if (&file).take(step as u64).read_to_end(&mut bytes)? < step {
			return Err(Error::BadDigest("CRC-64"));
		}
		digest.update(&bytes[from..]);
	}
	let mut sum = [0; SUM_LEN as usize];
	file.read_exact(&mut sum)?;
	match digest.finalize().to_le_bytes() == sum {
		true => Ok(bytes.into()),
		false => Err(Error::BadDigest("CRC-64")),
	}
}

/// Writes a block's file.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let (mut file, mut digest) = (File::create_new(path)?, Digest::new(Crc64Nvme));
	for step in bytes.chunks(STEP) {
		digest.update(step);
		file.write_all(step)?;
	}
	file.write_all(&digest.finalize().to_le_bytes())
}

/// The cache. Clones are the same.
#[derive(Clone, Debug)]
pub struct Cache {
	root: PathBuf,
	most: u64,
	index: Arc<Mutex<Index>>,
}

impl Cache {
	/// Opens the cache of the gateway with this data directory, for at most so many bytes.
	pub fn open(data: &Path, most: u64) -> io::Result<Self> {
		let root = data.join("cache");
		fs::create_dir_all(&root)?;
		let mut found: Vec<(SystemTime, Block, u64)> = Vec::new();
		for directory in fs::read_dir(&root)? {
			let directory = directory?.path();
			if !directory.is_dir() {
				continue;
			}
			for entry in fs::read_dir(&directory)? {
				let entry = entry?;
				let name = entry.file_name();
				let metadata = entry.metadata()?;
				match name.to_str().and_then(Block::named) {
					Some(block) => found.push((metadata.modified()?, block, metadata.len())),
					None => fs::remove_file(entry.path())?,
				}
			}
		}
		found.sort_by_key(|(modified, ..)| *modified);
		let mut index = Index::default();
		found.into_iter().for_each(|(_, block, len)| index.touch(block, len));
		Ok(Self { root, most: most.max(LEAST), index: Arc::new(Mutex::new(index)) })
	}

	fn index(&self) -> std::sync::MutexGuard<'_, Index> {
		self.index.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn path(&self, block: &Block) -> PathBuf {
		let name = block.name();
		self.root.join(&name[..2]).join(name)
	}

	/// How many bytes are in it.
	pub fn used(&self) -> u64 {
		self.index().bytes
	}

	/// Whether a block seems to be there.
	pub fn has(&self, block: &Block) -> bool {
		self.index().blocks.contains_key(block)
	}

	/// A block, if it is there and what it should be.
	pub async fn get(&self, block: Block) -> Option<Bytes> {
		{
			let mut index = self.index();
			let len = index.blocks.get(&block)?.0;
			if let Some(bytes) = index.take_fresh(&block) {
				index.touch(block, len);
				return Some(bytes);
			}
		}
		let path = self.path(&block);
		let read = blocking(move || read(&path)).await;
		match read {
			Ok(bytes) => {
				self.index().touch(block, bytes.len() as u64 + SUM_LEN);
				Some(bytes)
			},
			Err(error) => {
				tracing::warn!(file = %block.file, block = block.number, %error, "dropped from the cache");
				self.drop_blocks(vec![block]).await;
				None
			},
		}
	}

	/// Keeps a block. Where the disk is full others have to go.
	pub async fn put(&self, block: Block, bytes: Bytes) -> Result<(), Error> {
		match self.write(block, bytes.clone()).await {
			Err(Error::Io(error)) if error.kind() == io::ErrorKind::StorageFull => {
				self.make_room(4 * bytes.len() as u64).await;
				self.write(block, bytes).await
			},
			written => written,
		}
	}

	/// Drops what was not used for the longest time, so many bytes of it.
	async fn make_room(&self, wanted: u64) {
		let mut gone = Vec::new();
		{
			let index = self.index();
			let mut bytes = 0;
			for oldest in index.by_use.values() {
				if bytes >= wanted {
					break;
				}
				bytes += index.blocks.get(oldest).map_or(0, |(len, _)| *len);
				gone.push(*oldest);
			}
		}
		self.drop_blocks(gone).await;
	}

	async fn write(&self, block: Block, bytes: Bytes) -> Result<(), Error> {
		let path = self.path(&block);
		let (len, fresh) = (bytes.len() as u64 + SUM_LEN, bytes.clone());
		blocking(move || {
			if let Some(directory) = path.parent() {
				fs::create_dir_all(directory)?;
			}
			let new = path.with_extension(format!("new{}", rand::random::<u64>()));
			let written = write(&new, &bytes).and_then(|()| fs::rename(&new, &path));
			if written.is_err() {
				let _ = fs::remove_file(&new);
			}
			Ok(written?)
		})
		.await?;
		let mut gone = Vec::new();
		{
			let mut index = self.index();
			index.touch(block, len);
			if block.number < PROOFS {
				index.keep_fresh(block, fresh);
			}
			let mut bytes = index.bytes;
			for oldest in index.by_use.values() {
				if bytes <= self.most || *oldest == block {
					break;
				}
				bytes -= index.blocks.get(oldest).map_or(0, |(len, _)| *len);
				gone.push(*oldest);
			}
		}
		self.drop_blocks(gone).await;
		Ok(())
	}

	async fn drop_blocks(&self, blocks: Vec<Block>) {
		if blocks.is_empty() {
			return;
		}
		let mut paths = Vec::new();
		{
			let mut index = self.index();
			for block in &blocks {
				index.remove(block);
				paths.push(self.path(block));
			}
		}
		let _ = blocking(move || {
			paths.into_iter().for_each(|path| drop(fs::remove_file(path)));
			Ok(())
		})
		.await;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn block(number: u64) -> Block {
		Block { file: FileId([7; 32]), number }
	}

	#[tokio::test]
	async fn blocks_are_kept_across_restarts_and_verified() {
		let data = tempfile::tempdir().expect("a directory");
		let cache = Cache::open(data.path(), 0).expect("opens");
		assert_eq!(cache.get(block(1)).await, None);
		cache.put(block(1), Bytes::from_static(b"one")).await.expect("kept");
		cache.put(block(2), Bytes::from_static(b"two")).await.expect("kept");
		let cache = Cache::open(data.path(), 0).expect("opens");
		assert_eq!((cache.get(block(1)).await, cache.used()), (Some("one".into()), 22));
		fs::write(cache.path(&block(2)), b"damaged").expect("writes");
		assert_eq!((cache.get(block(2)).await, cache.has(&block(2))), (None, false));
		assert!(!cache.path(&block(2)).exists());
	}

	#[tokio::test]
	async fn what_was_put_last_is_read_once_from_memory() {
		let data = tempfile::tempdir().expect("a directory");
		let cache = Cache::open(data.path(), 0).expect("opens");
		let most = FRESH as u64;
		for number in 0..=most {
			cache.put(block(number), Bytes::from(vec![1; 1000])).await.expect("kept");
			cache.put(Block::proof(FileId([7; 32]), 0, 0), Bytes::new()).await.expect("kept");
			fs::write(cache.path(&block(number)), b"damaged").expect("writes");
		}
		assert_eq!(cache.get(block(0)).await, None, "too long ago");
		for number in 1..=most {
			assert!(cache.get(block(number)).await.is_some());
			assert_eq!(cache.get(block(number)).await, None, "from disk");
		}
		assert_eq!(cache.index().fresh.len(), 0);
	}

	#[tokio::test]
	async fn what_was_not_used_longest_goes_first() {
		let data = tempfile::tempdir().expect("a directory");
		let mut cache = Cache::open(data.path(), 0).expect("opens");
		cache.most = 3 * 1008;
		let bytes = Bytes::from(vec![1; 1000]);
		for number in 0..3 {
			cache.put(block(number), bytes.clone()).await.expect("kept");
		}
		assert!(cache.get(block(0)).await.is_some());
		cache.put(block(3), bytes.clone()).await.expect("kept");
		let kept: Vec<_> = (0..4).filter(|number| cache.has(&block(*number))).collect();
		assert_eq!((kept, cache.used()), (vec![0, 2, 3], 3 * 1008));
		assert!(!cache.path(&block(1)).exists());
	}
}
