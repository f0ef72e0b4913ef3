// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Gateways that share an object store.

use super::{Memory, Running, content, curl};
use crate::{
	Config, Gateway, StartError,
	backend::{Backend, BackendError},
	catalog::Life,
	config::Shared,
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
	CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
	ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
	memory::InMemory, path::Path,
};
use planaria_sdk::UserKey;
use std::{
	fmt,
	sync::{
		Arc,
		atomic::{AtomicBool, Ordering::SeqCst},
	},
	time::Duration,
};
use tokio::time::sleep;

/// An object store in memory that may fail.
#[derive(Debug, Default)]
struct Store {
	inner: InMemory,
	fails: AtomicBool,
}

impl fmt::Display for Store {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Store")
	}
}

impl Store {
	fn check(&self) -> Result<()> {
		match self.fails.load(SeqCst) {
			true => Err(object_store::Error::Generic { store: "test", source: "fails".into() }),
			false => Ok(()),
		}
	}

	async fn names(&self, under: &str) -> Vec<Path> {
		let all = self.inner.list(Some(&Path::from(under)));
		all.map_ok(|meta| meta.location).try_collect().await.expect("listed")
	}
}

#[async_trait]
impl ObjectStore for Store {
	async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
		self.check()?;
		self.inner.put_opts(at, what, how).await
	}

	async fn put_multipart_opts(
		&self,
		at: &Path,
		how: PutMultipartOptions,
	) -> Result<Box<dyn MultipartUpload>> {
		self.check()?;
		self.inner.put_multipart_opts(at, how).await
	}

	async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
		self.check()?;
		self.inner.get_opts(at, how).await
	}

	fn delete_stream(
		&self,
		all: BoxStream<'static, Result<Path>>,
	) -> BoxStream<'static, Result<Path>> {
		match self.check() {
			Ok(()) => self.inner.delete_stream(all),
			Err(error) => stream::iter([Err(error)]).boxed(),
		}
	}

	fn list(&self, under: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
		match self.check() {
			Ok(()) => self.inner.list(under),
			Err(error) => stream::iter([Err(error)]).boxed(),
		}
	}

	async fn list_with_delimiter(&self, under: Option<&Path>) -> Result<ListResult> {
		self.check()?;
		self.inner.list_with_delimiter(under).await
	}

	async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
		self.check()?;
		self.inner.copy_opts(from, to, how).await
	}
}

fn directory() -> Arc<tempfile::TempDir> {
	Arc::new(tempfile::tempdir().expect("a directory"))
}

fn backend(store: &Arc<Store>) -> Backend {
	Backend::new(store.clone(), Some(UserKey::from_bytes([3; 32])))
}

fn called(name: Option<&str>) -> impl Fn(&mut Config) + Clone {
	let name = name.map(str::to_owned);
	move |config| {
		let shared = Shared {
			url: "s3://bucket".into(),
			endpoint: None,
			region: None,
			name: name.clone(),
			key: None,
		};
		config.shared = Some(shared);
	}
}

/// A gateway with this name and this data.
async fn start(data: &Arc<tempfile::TempDir>, network: &Memory, store: &Arc<Store>) -> Running {
	let (data, network) = (data.clone(), network.clone());
	Running::with_backend(data, network, Some(backend(store)), called(Some("one"))).await
}

#[tokio::test]
async fn what_is_acknowledged_survives_the_loss_of_a_disk() {
	let (store, network, data) = (Arc::<Store>::default(), Memory::new(), directory());
	let running = start(&data, &network, &store).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let stored = content(1, 1_000_000);
	running.put("/bucket/stored", &stored, &[]).await.is(200);
	running.until_active().await;
	network.open.send_replace(false);
	let queued = content(2, 6_000_000);
	running.put("/bucket/queued", &queued, &["-H", "x-amz-meta-a: b"]).await.is(200);
	running.until(|lives| lives == [Life::Active, Life::Placing]).await;
	let upload = running.s3("/bucket/m?uploads=", &["-X", "POST"]).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	let part = format!("/bucket/m?partNumber=1&uploadId={upload}");
	running.put(&part, b"part", &[]).await.is(200);
	running.put("/bucket/deleted", b"x", &[]).await.is(200);
	running.s3("/bucket/deleted", &["-X", "DELETE"]).await.is(204);

	// Another one, with an empty disk. From then on the first acknowledges nothing.
	let other = directory();
	let next = start(&other, &network, &store).await;
	assert_eq!(store.names("gateways/one/spool").await.len(), next.spooled());
	running.put("/bucket/late", b"late", &[]).await.fails(503, "ServiceUnavailable");
	running.stop().await;
	assert!(next.s3("/bucket/stored", &[]).await.is(200).body == stored);
	let got = next.s3("/bucket/queued", &[]).await.is(200);
	assert!(got.body == queued && got.headers["x-amz-meta-a"] == "b");
	for gone in ["/bucket/deleted", "/bucket/late"] {
		next.s3(gone, &[]).await.fails(404, "NoSuchKey");
	}
	let parts = next.s3(&format!("/bucket/m?uploadId={upload}"), &[]).await.is(200);
	assert_eq!(parts.elements("Size"), ["4"]);
	network.open.send_replace(true);
	next.until_active().await;
	assert!(next.s3("/bucket/queued", &[]).await.is(200).body == queued);
	next.stop().await;

	// Who has lost the name does not get it back with old data.
	let mut config = Config { data: data.path().into(), ..Config::default() };
	called(Some("one"))(&mut config);
	let memory = Arc::new(network.clone());
	let refused = Gateway::open_with(config, memory, Some(backend(&store))).await;
	assert!(
		matches!(refused, Err(StartError::Backend(BackendError::TakenOver(name))) if name == "one")
	);
	// Who has it goes on.
	let again = start(&other, &network, &store).await;
	assert!(again.s3("/bucket/queued", &[]).await.is(200).body == queued);
	// The part alone is still nowhere else.
	assert_eq!((store.names("gateways/one/spool").await.len(), again.spooled()), (1, 1));
	again.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_that_the_object_store_does_not_have() {
	let (store, network, data) = (Arc::<Store>::default(), Memory::new(), directory());
	network.open.send_replace(false);
	let running = start(&data, &network, &store).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 300_000);
	running.put("/bucket/before", &bytes, &[]).await.is(200);
	store.fails.store(true, SeqCst);
	running.put("/bucket/k", &bytes, &[]).await.fails(503, "ServiceUnavailable");
	running.s3("/bucket/before", &["-X", "DELETE"]).await.fails(503, "ServiceUnavailable");
	running.s3("/other", &["-X", "PUT"]).await.fails(503, "ServiceUnavailable");
	store.fails.store(false, SeqCst);
	// What was on the way comes before what is acknowledged now.
	running.put("/bucket/after", &bytes, &[]).await.is(200);
	let next = start(&directory(), &network, &store).await;
	running.stop().await;
	assert!(next.s3("/bucket/after", &[]).await.is(200).body == bytes);
	next.s3("/bucket/k", &[]).await.fails(404, "NoSuchKey");
	next.s3("/other", &["-X", "PUT"]).await.fails(409, "BucketAlreadyOwnedByYou");
	network.open.send_replace(true);
	next.until_active().await;
	next.stop().await;
}

#[tokio::test]
async fn what_one_gateway_has_read_is_not_fetched_from_miners_by_another() {
	let (store, network) = (Arc::<Store>::default(), Memory::new());
	let bytes = content(1, (16 << 20) + 100_001);
	let beside = async || {
		let shared = Some(backend(&store));
		Running::with_backend(directory(), network.clone(), shared, called(None)).await
	};
	let (first, second) = (beside().await, beside().await);
	first.s3("/bucket", &["-X", "PUT"]).await.is(200);
	first.put("/bucket/k", &bytes, &["-H", "x-amz-acl: public-read"]).await.is(200);
	first.until_active().await;
	let head = first.s3("/bucket/k", &["-I"]).await.is(200);
	let path = format!("/file/{}", head.headers["x-planaria-file-id"]);
	assert!(curl(&format!("{}{path}", first.plain), &[]).await.is(200).body == bytes);
	// `lean` has two source fragments; the last segment's bytes fill both as well.
	while store.names("fragments").await.len() != 4 {
		sleep(Duration::from_millis(20)).await;
	}
	let read = network.state().read;
	let part = curl(&format!("{}{path}", second.plain), &["-r", "9000000-9000999"]).await;
	assert!(part.is(206).body == bytes[9_000_000..9_001_000]);
	assert!(curl(&format!("{}{path}", second.plain), &[]).await.is(200).body == bytes);
	assert_eq!(network.state().read, read);
	let shown = second.gateway.library.peers().shown();
	assert_eq!((&shown[0].url[..], shown[0].wrong), ("object store", 0));

	// What is forged there comes from the miners, and is put there right.
	let forged = store.names("fragments").await.into_iter().next().expect("there are some");
	let right = store.inner.get(&forged).await.expect("there").bytes().await.expect("read");
	let mut wrong = right.to_vec();
	let middle = wrong.len() / 2;
	wrong[middle] ^= 1;
	store.inner.put(&forged, wrong.into()).await.expect("put");
	let third = beside().await;
	assert!(curl(&format!("{}{path}", third.plain), &[]).await.is(200).body == bytes);
	assert!(network.state().read > read);
	assert_eq!(third.gateway.library.peers().shown()[0].wrong, 1);
	loop {
		if let Ok(got) = store.inner.get(&forged).await
			&& got.bytes().await.expect("read") == right
		{
			break;
		}
		// Asked again once it is gone, the miners give it again.
		std::fs::remove_dir_all(third.data.path().join("cache")).expect("removed");
		assert!(curl(&format!("{}{path}", third.plain), &[]).await.is(200).body == bytes);
		sleep(Duration::from_millis(20)).await;
	}
	for running in [first, second, third] {
		running.stop().await;
	}
}
