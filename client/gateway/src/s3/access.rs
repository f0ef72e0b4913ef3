// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who may do what.

use super::{Api, errors::to_s3, unsupported};
use crate::{
	catalog::Bucket,
	error::Error,
	gateway::Gateway,
	keys::{Key, KeysError},
};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;
use s3s::{
	S3Request, S3Result,
	access::{S3Access, S3AccessContext},
	auth::{S3Auth, SecretKey},
	s3_error,
};
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
	/// Somebody with this key.
	Key(Key),
	/// Somebody without one.
	Anyone,
}

impl Caller {
	/// The account that the caller acts for.
	pub fn account(&self) -> Result<[u8; 32], Error> {
		match self {
			Self::Key(key) => Ok(key.owner.clone().into()),
			Self::Anyone => Err(Error::AccessDenied),
		}
	}

	/// Whether the caller may read, or with `write` change, what is in this bucket.
	pub fn may(&self, name: &str, bucket: &Bucket, write: bool) -> Result<(), Error> {
		match self {
			Self::Key(key)
				if key.may(name, write) && <[u8; 32]>::from(key.owner.clone()) == bucket.owner =>
			{
				Ok(())
			},
			_ => Err(Error::AccessDenied),
		}
	}
}

/// A signature that is in the address signs the headers that it names and no others. One that asks
/// for something else than was signed, like a source to copy from, is refused, as it is by S3.
fn check_signed(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
	let Some(query) = uri.query() else { return Ok(()) };
	let signed = query.split('&').find_map(|pair| {
		let (name, value) = pair.split_once('=')?;
		name.eq_ignore_ascii_case("X-Amz-SignedHeaders").then_some(value)
	});
	let Some(signed) = signed else { return Ok(()) };
	let signed = percent_decode_str(signed).decode_utf8_lossy().to_ascii_lowercase();
	let signed: Vec<&str> = signed.split(';').collect();
	// What these say changes nothing.
	let harmless = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];
	let asks = |name: &&str| name.starts_with("x-amz-") && !harmless.contains(name);
	let mut asked = headers.keys().map(HeaderName::as_str).filter(asks);
	if asked.all(|name| signed.contains(&name)) { Ok(()) } else { Err(Error::AccessDenied) }
}

/// Who a request is from.
pub fn caller<T>(request: &S3Request<T>) -> Caller {
	request.extensions.get().cloned().unwrap_or(Caller::Anyone)
}

fn unreadable(error: KeysError) -> s3s::S3Error {
	tracing::error!(%error, "cannot read the keys");
	s3_error!(InternalError)
}

/// Knows the secrets.
pub struct Auth(pub Arc<Gateway>);

#[async_trait]
impl S3Auth for Auth {
	async fn get_secret_key(&self, name: &str) -> S3Result<SecretKey> {
		let keys = self.0.keys.all().map_err(unreadable)?;
		let key = keys.get(name).ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
		Ok(SecretKey::from(key.secret.as_str()))
	}
}

/// Lets in who may be let in; whose the bucket is, the calls look at.
pub struct Access(pub Arc<Gateway>);

#[async_trait]
impl S3Access for Access {
	async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
		unsupported::check(context.headers()).map_err(to_s3)?;
		check_signed(context.uri(), context.headers()).map_err(to_s3)?;
		// It does not say until when it holds.
		let signature = context.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
		if signature.is_some_and(|signature| signature.starts_with(b"AWS ")) {
			return Err(s3_error!(InvalidRequest, "sign with AWS4-HMAC-SHA256"));
		}
		let call = context.s3_op().name();
		let reads = ["Get", "Head", "List"].iter().any(|verb| call.starts_with(verb));
		let caller = match context.credentials() {
			Some(credentials) => {
				let keys = self.0.keys.all().map_err(unreadable)?;
				let key = keys.get(&credentials.access_key);
				let key = key.ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
				// A public object is anybody's to read.
				if let Some(bucket) = context.s3_path().get_bucket_name()
					&& !matches!(call, "GetObject" | "HeadObject")
					&& !key.may(bucket, !reads)
				{
					return Err(s3_error!(AccessDenied, "this key may not do that"));
				}
				Caller::Key(key.clone())
			},
			// The object may be public.
			None if matches!(call, "GetObject" | "HeadObject") => Caller::Anyone,
			None => return Err(s3_error!(AccessDenied, "a signature is needed")),
		};
		let bucket = context.s3_path().get_bucket_name();
		let owners = unsupported::check_owners(context.headers(), bucket, &self.0.catalog);
		owners.await.map_err(to_s3)?;
		context.extensions_mut().insert(caller);
		Ok(())
	}
}

impl Api {
	/// A bucket that the caller may read, or with `write` change.
	pub(super) async fn bucket(
		&self,
		caller: &Caller,
		name: &str,
		write: bool,
	) -> Result<Bucket, Error> {
		let wanted = name.to_owned();
		let bucket = self.0.catalog.read(move |reader| reader.bucket(&wanted)).await?;
		caller.may(name, &bucket, write)?;
		Ok(bucket)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_address_signs_the_headers_that_it_names() {
		let check = |query: &str, headers: &[&'static str]| {
			let uri: Uri = format!("/bucket/key?{query}").parse().expect("an address");
			let value = HeaderValue::from_static("/other/secret");
			let headers = headers.iter().map(|name| (HeaderName::from_static(name), value.clone()));
			check_signed(&uri, &headers.collect()).is_ok()
		};
		let host = "X-Amz-Expires=60&X-Amz-SignedHeaders=host";
		let two = "X-Amz-SignedHeaders=host%3Bx-amz-copy-source&X-Amz-Expires=60";
		assert!(check(host, &["host", "content-type", "x-amz-content-sha256"]));
		assert!(!check(host, &["x-amz-copy-source"]));
		assert!(!check(host, &["x-amz-acl", "host"]));
		assert!(check(two, &["x-amz-copy-source"]));
		assert!(!check(two, &["x-amz-copy-source", "x-amz-copy-source-range"]));
		// Signed in a header, which names what it signs itself.
		assert!(check("uploads", &["x-amz-copy-source"]));
	}
}
