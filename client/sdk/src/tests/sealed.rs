// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Encrypted files.

use super::{
	network::{Fake, Network},
	put_get::{LEN, content, options, store},
};
use crate::{
	Content, Destination, GetError, GetOptions, PutError, PutReport, Reader, SealedContent,
	SealedReader, Target, TransferTransport, UserKey, progress, put_content,
	sealed::{OpenError, is_sealed},
};
use bytes::Bytes;
use futures::TryStreamExt;
use planaria_primitives::{CodingParams, FileIndex};
use std::{
	fs, io,
	sync::{
		Arc,
		atomic::{AtomicU32, Ordering},
	},
};

fn user() -> UserKey {
	UserKey::from_bytes([3; 32])
}

async fn seal(content: impl Content, user: UserKey) -> Result<SealedContent, PutError> {
	SealedContent::new(Arc::new(content), user, progress::silent()).await
}

async fn put_sealed(network: &Network, content: SealedContent) -> Result<PutReport, PutError> {
	let (chain, transport) = (Arc::new(network.chain.clone()), network.transport.clone());
	let options = options(CodingParams::LEAN);
	put_content(chain, transport, Arc::new(content), options, progress::silent()).await
}

async fn reader(network: &Network, file: FileIndex) -> Reader<Fake, TransferTransport> {
	let (chain, transport) = (Arc::new(network.chain.clone()), network.transport.clone());
	let target = Target::File(file);
	Reader::open(chain, transport, target, GetOptions::default()).await.expect("open")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_is_stored_sealed_and_read_open() {
	let network = Network::new(3).await;
	let file = content(LEN);
	let plain = Bytes::from(file.bytes.clone());
	let stored = put_sealed(&network, seal(plain.clone(), user()).await.expect("sealed")).await;
	let stored = stored.expect("stored");
	// The same bytes are found stored already; another user's are another file.
	let again = put_sealed(&network, seal(plain.clone(), user()).await.expect("sealed")).await;
	assert_eq!(again.expect("stored").file, stored.file);
	let other = UserKey::from_bytes([4; 32]);
	let others = seal(plain.slice(..1000), other.clone()).await.expect("sealed");
	let mine = seal(plain.slice(..1000), user()).await.expect("sealed");
	let (mut one, mut two) = (vec![0; 1151], vec![0; 1151]);
	others.read_at(0, &mut one).expect("read");
	mine.read_at(0, &mut two).expect("read");
	assert_ne!(one, two);

	let reader = reader(&network, stored.file).await;
	let raw: Vec<Bytes> = reader.read(0..reader.size()).try_collect().await.expect("read");
	let raw = raw.concat();
	assert!(is_sealed(&raw) && raw.len() as u64 == stored.size && stored.size > LEN as u64);
	assert!(!raw.windows(32).any(|part| part == &file.bytes[1000..1032]));

	let open = SealedReader::open(&reader, &[other.clone(), user()]).await.expect("its key");
	let open = open.expect("it is sealed");
	assert_eq!(open.size(), LEN as u64);
	for (start, end) in [(0, LEN), (0, 1), (65_384, 65_387), (16_000_000, 17_000_000), (LEN, LEN)] {
		let read: Vec<Bytes> =
			open.read(start as u64..end as u64).try_collect().await.expect("read");
		assert!(read.concat() == file.bytes[start..end], "{start}..{end}");
	}
	let path = file.dir.path().join("out");
	let to = Destination::File { path: path.clone(), overwrite: false };
	assert_eq!(open.write(0..u64::MAX, to).await.expect("written").written, LEN as u64);
	assert!(fs::read(&path).expect("there") == file.bytes);

	let error = SealedReader::open(&reader, &[other]).await.expect_err("not its key");
	assert!(matches!(error, GetError::Sealed(OpenError::WrongKey)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_sealed_is_no_sealed_file() {
	let network = Network::new(3).await;
	for len in [1, 8, 100_000] {
		let file = content(len);
		let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("put");
		let reader = reader(&network, stored.file).await;
		assert!(SealedReader::open(&reader, &[user()]).await.expect("read").is_none());
	}
	// An empty one has a header at least.
	let stored = put_sealed(&network, seal(Bytes::new(), user()).await.expect("sealed")).await;
	let reader = reader(&network, stored.expect("stored").file).await;
	let open = SealedReader::open(&reader, &[user()]).await.expect("read").expect("sealed");
	let read: Vec<Bytes> = open.read(0..10).try_collect().await.expect("read");
	assert_eq!((open.size(), read.concat().len()), (0, 0));
}

/// Bytes that change after they were read so often.
struct Fickle {
	reads: AtomicU32,
	same: u32,
}

impl Content for Fickle {
	fn size(&self) -> u64 {
		1000
	}

	fn read_at(&self, _: u64, to: &mut [u8]) -> io::Result<()> {
		to.fill(u8::from(self.reads.fetch_add(1, Ordering::Relaxed) >= self.same));
		Ok(())
	}

	fn name(&self) -> String {
		"fickle".into()
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_under_the_key_of_another_content() {
	let network = Network::new(3).await;
	// The first reading is the digest's, the second the commitment's, the third is sent.
	for same in [1, 2] {
		let content = Fickle { reads: AtomicU32::new(0), same };
		let sealed = seal(content, user()).await.expect("digested");
		let error = put_sealed(&network, sealed).await.expect_err("it changed");
		assert!(matches!(error, PutError::Changed), "{error}");
		assert_eq!(network.held(), [0, 0, 0]);
	}
	let content = Fickle { reads: AtomicU32::new(0), same: 0 };
	put_sealed(&network, seal(content, user()).await.expect("digested")).await.expect("stored");

	let sealed = seal(Bytes::from(vec![1; 200_000]), user()).await.expect("digested");
	let error = sealed.read_at(100_000, &mut [0; 10]).expect_err("not in order");
	assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
