// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! An object store that gateways share, if there is one.
//!
//! | name | what | |
//! |---|---|---|
//! | `fragments/<file>/<segment>/<index>` | a source fragment, as a peer gives it | of all gateways |
//! | `sealing/<account>` | the key that an account's objects are encrypted with | sealed, of all gateways |
//! | `gateways/<name>/…` | see [`replica`](crate::replica) | sealed, of the gateway of that name |
//!
//! It is not trusted. Fragments are verified up to their file's id, as those of peers are. The rest
//! is sealed in the format of [`planaria_sdk::sealed`] with the key that the gateways share, and
//! begins with a hash of its name, so that nothing is read as something else.

use crate::config::Shared;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};
use object_store::{
	BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
	WriteMultipart, aws::AmazonS3Builder, path::Path as Name, prefix::PrefixStore,
};
use planaria_sdk::{
	UserKey,
	primitives::FileId,
	sealed::{Cipher, KeyError, OpenError, Opening, SealError},
};
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc, time::Duration};

/// What is sent at once of something large.
const PART: usize = 5 << 20;
/// How much of a sealed thing says how it is opened.
const HEAD: usize = 4096;
/// The longest thing that is read as a whole.
const LONGEST: u64 = 1 << 30;
/// For how long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the object store does not do its part.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
	/// It is not named as it should be.
	#[error("the object store is called s3://bucket or s3://bucket/prefix, not {0}")]
	Url(String),
	/// A gateway that has a name in it, or is to seal, needs a key.
	#[error("a gateway with a name in the object store needs the key that it is sealed with")]
	NoKey,
	/// The key cannot be read.
	#[error(transparent)]
	Key(#[from] KeyError),
	/// A name is not one.
	#[error("a gateway is called by 1 to 64 letters, digits and hyphens, not {0}")]
	Name(String),
	/// It fails.
	#[error("the object store failed: {0}")]
	Store(#[from] object_store::Error),
	/// What it gives is not what it was given.
	#[error("the object store gives something else as {name}: {error}")]
	Opened {
		/// What was asked for.
		name: String,
		/// What is wrong.
		error: OpenError,
	},
	/// The same, but it was once given under another name.
	#[error("the object store gives something else as {0}")]
	Other(String),
	/// It does not have what it was given.
	#[error("the object store does not have {0}, which it was given")]
	Lost(String),
	/// It cannot be sealed.
	#[error("it cannot be sealed: {0}")]
	Seal(#[from] SealError),
	/// This gateway's disk failed.
	#[error("the gateway's disk failed: {0}")]
	Io(#[from] io::Error),
	/// Another gateway goes on where this one was.
	#[error("another gateway has taken over as {0}: this one can only be started without its data")]
	TakenOver(String),
	/// The program is ending.
	#[error("the gateway is being stopped")]
	Stopping,
}

type Result<T> = std::result::Result<T, BackendError>;

/// An object store. Clones are the same.
#[derive(Clone, Debug)]
pub struct Backend {
	store: Arc<dyn ObjectStore>,
	key: Option<UserKey>,
}

/// What a sealed thing begins with.
fn bound(name: &str) -> [u8; 32] {
	blake3::derive_key("planaria 2026 gateway object store name", name.as_bytes())
}

fn is_lacking(error: &object_store::Error) -> bool {
	matches!(error, object_store::Error::NotFound { .. })
}

/// Runs what may block.
async fn on_disk<R: Send + 'static>(
	run: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<R> {
	let done = tokio::task::spawn_blocking(run).await;
	Ok(done.map_err(|_| BackendError::Stopping)??)
}

/// A file that is sealed while it is sent.
struct Sealed {
	cipher: Cipher,
	bound: [u8; 32],
	file: File,
}

impl Sealed {
	fn read(&self, offset: u64) -> io::Result<Bytes> {
		let left = self.cipher.layout().sealed_len() - offset;
		let mut part = vec![0; usize::try_from(left).unwrap_or(PART).min(PART)];
		self.cipher.seal_at(offset, &mut part, |offset, to| {
			// The name's hash is within the first frame.
			let skipped = usize::try_from(offset).unwrap_or(usize::MAX).min(32);
			let (name, to) = to.split_at_mut(to.len().min(32 - skipped));
			name.copy_from_slice(&self.bound[skipped..skipped + name.len()]);
			self.file.read_exact_at(to, offset.saturating_sub(32))
		})?;
		Ok(part.into())
	}
}

/// A sealed thing that is opened while it comes.
struct Unsealing {
	name: String,
	stream: BoxStream<'static, object_store::Result<Bytes>>,
	opening: Opening,
	/// What came behind the header, and was not opened yet.
	arrived: Bytes,
	/// Whether the name was compared.
	compared: bool,
}

impl Unsealing {
	/// The next bytes; `None` at the end.
	async fn next(&mut self) -> Result<Option<Vec<u8>>> {
		let wrong = |error| BackendError::Opened { name: self.name.clone(), error };
		loop {
			let sealed = std::mem::take(&mut self.arrived);
			let mut opened = self.opening.push(&sealed).map_err(wrong)?.concat();
			if !self.compared && !opened.is_empty() {
				// A frame is longer, or it is the last.
				if opened.get(..32) != Some(&bound(&self.name)[..]) {
					return Err(BackendError::Other(self.name.clone()));
				}
				opened.drain(..32);
				self.compared = true;
			}
			if !opened.is_empty() {
				return Ok(Some(opened));
			}
			match self.stream.next().await {
				Some(part) => self.arrived = part?,
				None if self.compared && self.opening.sealed().is_empty() => return Ok(None),
				None => return Err(wrong(OpenError::Truncated(0))),
			}
		}
	}
}

/// Sets what TLS is done with in this process. Without it no client can be made, not even for plain
/// HTTP.
pub fn with_cryptography() {
	// It fails where it was set before.
	let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Backend {
	/// The object store of a configuration, whose key is made if there is none. How it is signed for
	/// is in the environment, as with other programs that speak S3.
	pub fn open(shared: &Shared) -> Result<Self> {
		with_cryptography();
		let wrong = || BackendError::Url(shared.url.clone());
		let place = shared.url.strip_prefix("s3://").ok_or_else(wrong)?;
		let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
		if bucket.is_empty() {
			return Err(wrong());
		}
		let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
		if let Some(endpoint) = &shared.endpoint {
			let plain = endpoint.starts_with("http://");
			builder = builder.with_endpoint(endpoint).with_allow_http(plain);
		}
		if let Some(region) = &shared.region {
			builder = builder.with_region(region);
		}
		let plain = shared.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
		let options = ClientOptions::default().with_allow_http(plain).with_timeout(3 * PATIENCE);
		let retry = RetryConfig {
			backoff: BackoffConfig::default(),
			max_retries: 3,
			retry_timeout: PATIENCE,
		};
		let store = builder.with_client_options(options).with_retry(retry).build()?;
		let key = shared.key.as_deref().map(|path| match path.exists() {
			true => UserKey::read(path),
			false => UserKey::generate().and_then(|key| key.write(path).map(|()| key)),
		});
		let key = key.transpose()?;
		Ok(Self::new(Arc::new(PrefixStore::new(store, prefix)), key))
	}

	/// An object store.
	pub fn new(store: Arc<dyn ObjectStore>, key: Option<UserKey>) -> Self {
		Self { store, key }
	}

	/// Whether gateways seal in it what is theirs.
	pub fn has_key(&self) -> bool {
		self.key.is_some()
	}

	fn key(&self) -> Result<&UserKey> {
		self.key.as_ref().ok_or(BackendError::NoKey)
	}

	/// Puts bytes, sealed, in the place of what is there; or only if there is nothing, and returns
	/// whether there was not.
	pub async fn put(&self, name: &str, bytes: &[u8], anew: bool) -> Result<bool> {
		let mut plain = bound(name).to_vec();
		plain.extend_from_slice(bytes);
		let cipher = Cipher::random(self.key()?, plain.len() as u64)?;
		let len = usize::try_from(cipher.layout().sealed_len()).unwrap_or(usize::MAX);
		let mut sealed = vec![0; len];
		cipher.seal_at(0, &mut sealed, |offset, to| {
			let start = usize::try_from(offset).unwrap_or(usize::MAX);
			to.copy_from_slice(&plain[start..start + to.len()]);
			Ok::<_, BackendError>(())
		})?;
		self.put_bytes(name, PutPayload::from(sealed), anew).await
	}

	async fn put_bytes(&self, name: &str, payload: PutPayload, anew: bool) -> Result<bool> {
		let mode = if anew { PutMode::Create } else { PutMode::Overwrite };
		match self.store.put_opts(&Name::from(name), payload, mode.into()).await {
			Ok(_) => Ok(true),
			Err(object_store::Error::AlreadyExists { .. }) if anew => Ok(false),
			Err(error) => Err(error.into()),
		}
	}

	/// Puts the first `len` bytes of a file, sealed. Takes 15 MiB of memory.
	pub async fn put_file(&self, name: &str, file: File, len: u64) -> Result<()> {
		let cipher = Cipher::random(self.key()?, len + 32)?;
		let total = cipher.layout().sealed_len();
		let sealed = Arc::new(Sealed { cipher, bound: bound(name), file });
		let read = |at| {
			let sealed = sealed.clone();
			on_disk(move || sealed.read(at))
		};
		let path = Name::from(name);
		if total <= PART as u64 {
			self.store.put(&path, read(0).await?.into()).await?;
			return Ok(());
		}
		let upload = self.store.put_multipart(&path).await?;
		let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
		let sent = async {
			let mut at = 0;
			while at < total {
				upload.wait_for_capacity(2).await?;
				let part = read(at).await?;
				at += part.len() as u64;
				upload.put(part);
			}
			Ok::<_, BackendError>(())
		};
		match sent.await {
			Ok(()) => drop(upload.finish().await?),
			Err(error) => {
				let _ = upload.abort().await;
				return Err(error);
			},
		}
		Ok(())
	}

	async fn unsealing(&self, name: &str) -> Result<Option<Unsealing>> {
		let got = match self.store.get(&Name::from(name)).await {
			Err(error) if is_lacking(&error) => return Ok(None),
			got => got?,
		};
		let sealed_len = got.meta.size;
		let mut stream = got.into_stream();
		let mut head = BytesMut::new();
		while head.len() < HEAD {
			let Some(part) = stream.next().await else { break };
			head.extend_from_slice(&part?);
		}
		let wrong = |error| BackendError::Opened { name: name.into(), error };
		let cipher = Cipher::open(&head, sealed_len, std::slice::from_ref(self.key()?));
		let cipher = Arc::new(cipher.map_err(wrong)?);
		let header = cipher.header().len();
		let opening = cipher.opening(0..cipher.layout().size());
		let arrived = head.split_off(header.min(head.len())).freeze();
		let name = name.to_owned();
		Ok(Some(Unsealing { name, stream, opening, arrived, compared: false }))
	}

	/// What was put sealed, if it is there.
	pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
		let Some(mut coming) = self.unsealing(name).await? else { return Ok(None) };
		let mut all = Vec::new();
		while let Some(part) = coming.next().await? {
			all.extend_from_slice(&part);
			if all.len() as u64 > LONGEST {
				return Err(BackendError::Other(name.into()));
			}
		}
		Ok(Some(all))
	}

	/// Writes what was put sealed to a file, and syncs it.
	pub async fn get_file(&self, name: &str, mut file: File) -> Result<File> {
		let coming = self.unsealing(name).await?;
		let mut coming = coming.ok_or_else(|| BackendError::Lost(name.into()))?;
		while let Some(part) = coming.next().await? {
			file = on_disk(move || {
				io::Write::write_all(&mut file, &part)?;
				Ok(file)
			})
			.await?;
		}
		on_disk(move || {
			file.sync_all()?;
			Ok(file)
		})
		.await
	}

	/// Whether there is something of this name.
	pub async fn has(&self, name: &str) -> Result<bool> {
		match self.store.head(&Name::from(name)).await {
			Ok(_) => Ok(true),
			Err(error) if is_lacking(&error) => Ok(false),
			Err(error) => Err(error.into()),
		}
	}

	/// The names of all that is under this one, without it.
	pub async fn list(&self, under: &str) -> Result<Vec<String>> {
		let under = Name::from(under);
		let mut found = self.store.list(Some(&under));
		let mut names = Vec::new();
		while let Some(meta) = found.next().await {
			let location = meta?.location;
			let rest = location.as_ref().strip_prefix(under.as_ref()).unwrap_or_default();
			names.push(rest.trim_start_matches('/').to_owned());
		}
		Ok(names)
	}

	/// Removes what is there under this name.
	pub async fn remove(&self, name: &str) -> Result<()> {
		match self.store.delete(&Name::from(name)).await {
			Err(error) if !is_lacking(&error) => Err(error.into()),
			_ => Ok(()),
		}
	}

	fn fragment(id: FileId, segment: u32, index: u8) -> String {
		format!("fragments/{id}/{segment}/{index}")
	}

	/// Whether there seems to be a source fragment.
	pub async fn has_fragment(&self, id: FileId, segment: u32, index: u8) -> Result<bool> {
		self.has(&Self::fragment(id, segment, index)).await
	}

	/// Puts a source fragment, as a peer would give all of it.
	pub async fn put_fragment(
		&self,
		(id, segment, index): (FileId, u32, u8),
		pieces: impl Iterator<Item = Bytes>,
	) -> Result<()> {
		let name = Self::fragment(id, segment, index);
		self.put_bytes(&name, pieces.collect(), false).await.map(drop)
	}

	/// Removes what is there as a source fragment.
	pub async fn remove_fragment(&self, (id, segment, index): (FileId, u32, u8)) -> Result<()> {
		self.remove(&Self::fragment(id, segment, index)).await
	}

	/// What is there as a source fragment, as it comes; `None` if there is nothing.
	pub async fn get_fragment(
		&self,
		(id, segment, index): (FileId, u32, u8),
	) -> Result<Option<BoxStream<'static, io::Result<Bytes>>>> {
		match self.store.get(&Name::from(Self::fragment(id, segment, index))).await {
			Ok(got) => {
				let parts = got.into_stream();
				Ok(Some(parts.map(|part| part.map_err(io::Error::other)).boxed()))
			},
			Err(error) if is_lacking(&error) => Ok(None),
			Err(error) => Err(error.into()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use object_store::memory::InMemory;

	fn backend() -> Backend {
		Backend::new(Arc::new(InMemory::new()), Some(UserKey::generate().expect("random")))
	}

	#[tokio::test]
	async fn what_is_put_comes_back_and_nothing_else_does() {
		let backend = backend();
		assert_eq!(backend.get("a/b").await.expect("asked"), None);
		for len in [0, 1, 5000, 200_000] {
			let bytes = crate::tests::content(1, len);
			backend.put("a/b", &bytes, false).await.expect("put");
			assert!(backend.get("a/b").await.expect("opened") == Some(bytes));
		}
		assert!(!backend.put("a/b", b"other", true).await.expect("asked"), "there is something");
		assert!(backend.put("a/c", b"c", true).await.expect("put"));
		assert_eq!(backend.list("a").await.expect("listed"), ["b", "c"]);

		// Something else under its name, a part of it, a changed bit, another key.
		let name = |name: &str| Name::from(name);
		let raw =
			backend.store.get(&name("a/b")).await.expect("there").bytes().await.expect("read");
		backend.store.put(&name("a/c"), raw.clone().into()).await.expect("put");
		assert!(matches!(backend.get("a/c").await, Err(BackendError::Other(_))));
		for at in [raw.len() - 1, raw.len() / 2] {
			backend.store.put(&name("a/b"), raw.slice(..at).into()).await.expect("put");
			assert!(matches!(backend.get("a/b").await, Err(BackendError::Opened { .. })));
			let mut changed = raw.to_vec();
			changed[at] ^= 1;
			backend.store.put(&name("a/b"), changed.into()).await.expect("put");
			assert!(matches!(backend.get("a/b").await, Err(BackendError::Opened { .. })));
		}
		backend.store.put(&name("a/b"), raw.into()).await.expect("put");
		let key = UserKey::generate().expect("random");
		let other = Backend::new(backend.store.clone(), Some(key));
		assert!(matches!(other.get("a/b").await, Err(BackendError::Opened { .. })));
		assert!(matches!(
			Backend::new(backend.store.clone(), None).put("a", b"", false).await,
			Err(BackendError::NoKey)
		));
		backend.remove("a/b").await.expect("removed");
		backend.remove("a/b").await.expect("is removed");
		assert_eq!(backend.get("a/b").await.expect("asked"), None);
	}

	#[tokio::test]
	async fn files_are_sent_in_parts() {
		let backend = backend();
		for len in [1, PART - 100, 2 * PART + 77] {
			let bytes = crate::tests::content(2, len);
			let mut file = tempfile::tempfile().expect("a file");
			io::Write::write_all(&mut file, &bytes).expect("written");
			backend.put_file("f", file, len as u64).await.expect("put");
			let to = tempfile::NamedTempFile::new().expect("a file");
			backend.get_file("f", to.reopen().expect("opens")).await.expect("got");
			assert!(std::fs::read(to.path()).expect("read") == bytes, "{len}");
		}
		let to = tempfile::tempfile().expect("a file");
		assert!(matches!(backend.get_file("g", to).await, Err(BackendError::Lost(_))));
	}
}
