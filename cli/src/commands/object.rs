// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Storing and reading through a gateway, as any client of S3 does.

use crate::{
	args::{GatewayAccess, GatewayGet, GatewayPut},
	bars,
	context::Context,
	exit,
	output::facts,
};
use anyhow::Context as _;
use futures::TryStreamExt;
use object_store::{
	ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, WriteMultipart,
	aws::{AmazonS3, AmazonS3Builder},
	path::Path as Key,
};
use planaria_gateway::backend::with_cryptography;
use planaria_sdk::{Output, units::Size};
use serde::Serialize;
use std::{path::Path, time::Instant};
use tokio::{fs::File, io::AsyncReadExt};

/// What is sent in one request. 10,000 of them are the most of an object.
const PART: u64 = 16 << 20;
const MOST_PARTS: u64 = 10_000;
/// How many are on the way at once.
const AT_ONCE: usize = 4;

/// What became of it.
#[derive(Debug, Serialize)]
struct Done {
	bucket: String,
	key: String,
	size: u64,
	etag: Option<String>,
	seconds: f64,
}

/// `bucket/key`.
fn split(object: &str) -> anyhow::Result<(&str, &str)> {
	let object = object.strip_prefix("s3://").unwrap_or(object);
	let (bucket, key) = object.split_once('/').unwrap_or((object, ""));
	match bucket {
		"" => Err(exit::usage("an object is called BUCKET/KEY")),
		_ => Ok((bucket, key)),
	}
}

/// The key that a file is stored under.
fn key_of(key: &str, file: &Path) -> anyhow::Result<String> {
	if !key.is_empty() && !key.ends_with('/') {
		return Ok(key.to_owned());
	}
	let name = file.file_name().and_then(|name| name.to_str());
	let name = name.ok_or_else(|| exit::usage("the file's name cannot be a key: give one"))?;
	Ok(format!("{key}{name}"))
}

fn parsed(key: &str) -> anyhow::Result<Key> {
	Key::parse(key).map_err(|error| exit::usage(format!("{key} cannot be a key: {error}")))
}

fn open(access: &GatewayAccess, bucket: &str) -> anyhow::Result<AmazonS3> {
	with_cryptography();
	let plain = access.s3.starts_with("http://");
	let store = AmazonS3Builder::new()
		.with_endpoint(&access.s3)
		.with_region(&access.region)
		.with_bucket_name(bucket)
		.with_access_key_id(&access.access_key)
		.with_secret_access_key(&access.secret_key)
		// What a large object takes is not known.
		.with_client_options(
			ClientOptions::default().with_allow_http(plain).with_timeout_disabled(),
		);
	store.build().map_err(|error| failed(access, error))
}

fn failed(access: &GatewayAccess, error: Error) -> anyhow::Error {
	match &error {
		Error::NotFound { path, .. } => exit::not_found(format!("there is no {path}")),
		Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
			exit::refused(format!("the gateway at {} refuses it: {error}", access.s3))
		},
		_ => exit::network(format!("the gateway at {} fails: {error}", access.s3)),
	}
}

pub async fn put(context: &Context, args: GatewayPut) -> anyhow::Result<()> {
	let (bucket, key) = split(&args.object)?;
	let key = key_of(key, &args.file)?;
	let unreadable = || args.file.display().to_string();
	let mut file = File::open(&args.file).await.with_context(unreadable)?;
	let size = file.metadata().await.with_context(unreadable)?.len();
	let store = open(&args.access, bucket)?;
	let failed = |error| failed(&args.access, error);

	let (began, name) = (Instant::now(), parsed(&key)?);
	let bar = bars::bytes_bar("sending", size);
	let put = async {
		let part = PART.max(size.div_ceil(MOST_PARTS));
		if size <= part {
			let mut bytes = Vec::new();
			file.read_to_end(&mut bytes).await.with_context(unreadable)?;
			return store.put(&name, bytes.into()).await.map_err(failed);
		}
		let part = usize::try_from(part)?;
		let upload = store.put_multipart(&name).await.map_err(failed)?;
		let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
		let sent = async {
			let mut bytes = vec![0; part];
			loop {
				let read = file.read(&mut bytes).await.with_context(unreadable)?;
				if read == 0 {
					return anyhow::Ok(());
				}
				upload.wait_for_capacity(AT_ONCE).await.map_err(failed)?;
				upload.write(bytes.get(..read).unwrap_or_default());
				bar.inc(u64::try_from(read)?);
			}
		};
		match sent.await {
			Ok(()) => upload.finish().await.map_err(failed),
			// The gateway need not keep parts of what does not come.
			Err(error) => {
				let _ = upload.abort().await;
				Err(error)
			},
		}
	};
	let done = put.await;
	bar.finish_and_clear();
	let done = Done {
		bucket: bucket.to_owned(),
		key,
		size,
		etag: done?.e_tag,
		seconds: began.elapsed().as_secs_f64(),
	};
	context.printer.print(&done, || {
		facts(&[
			("object", format!("{}/{}", done.bucket, done.key)),
			("state", "on the gateway's disk: see 'planaria gateway status'".into()),
			("size", format!("{} in {:.1} s", Size(done.size), done.seconds)),
		])
	})
}

pub async fn get(context: &Context, args: GatewayGet) -> anyhow::Result<()> {
	let (bucket, key) = split(&args.object)?;
	let destination = args.to.destination()?;
	let store = open(&args.access, bucket)?;
	let failed = |error| failed(&args.access, error);

	let (began, name) = (Instant::now(), parsed(key)?);
	let mut options = GetOptions::default();
	if args.to.range.is_some() {
		let size = store.head(&name).await.map_err(failed)?.size;
		options.range = Some(args.to.range_of("object", size)?.into());
	}
	let got = store.get_opts(&name, options).await.map_err(failed)?;
	let (etag, size) = (got.meta.e_tag.clone(), got.range.end - got.range.start);
	let bar = bars::bytes_bar("reading", size);
	let written = async {
		let mut output = Output::open(destination).await?;
		let mut stream = got.into_stream();
		while let Some(bytes) = stream.try_next().await.map_err(failed)? {
			output.write(&bytes).await?;
			bar.inc(u64::try_from(bytes.len())?);
		}
		output.finish().await?;
		anyhow::Ok(())
	};
	let written = written.await;
	bar.finish_and_clear();
	written?;
	let done = Done {
		bucket: bucket.to_owned(),
		key: key.to_owned(),
		size,
		etag,
		seconds: began.elapsed().as_secs_f64(),
	};
	let text = || {
		facts(&[
			("object", format!("{}/{}", done.bucket, done.key)),
			("written to", args.to.output.display().to_string()),
			("size", format!("{} in {:.1} s", Size(done.size), done.seconds)),
		])
	};
	args.to.say(context, &done, text)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_object_is_named_by_bucket_and_key() {
		for name in ["photos/a/b.jpg", "s3://photos/a/b.jpg"] {
			assert_eq!(split(name).ok(), Some(("photos", "a/b.jpg")));
		}
		assert_eq!(split("photos").ok(), Some(("photos", "")));
		assert!(split("").is_err() && split("/a").is_err());
	}

	#[test]
	fn a_client_is_made_of_what_is_given() {
		let access = GatewayAccess {
			s3: "http://127.0.0.1:9000".into(),
			region: "us-east-1".into(),
			access_key: "key".into(),
			secret_key: "secret".into(),
		};
		assert!(open(&access, "photos").is_ok());
	}

	#[test]
	fn a_key_without_a_name_gets_that_of_the_file() {
		let key = |key| key_of(key, Path::new("dir/photo.jpg")).ok();
		assert_eq!(key(""), Some("photo.jpg".into()));
		assert_eq!(key("2026/"), Some("2026/photo.jpg".into()));
		assert_eq!(key("2026/other.jpg"), Some("2026/other.jpg".into()));
		assert!(key_of("", Path::new("..")).is_err());
		assert!(parsed("a//b").is_err() && parsed("a/../b").is_err());
	}
}
