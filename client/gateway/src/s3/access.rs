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
		let call = context.s3_op().name();
		let reads = ["Get", "Head", "List"].iter().any(|verb| call.starts_with(verb));
		let caller = match context.credentials() {
			Some(credentials) => {
				let keys = self.0.keys.all().map_err(unreadable)?;
				let key = keys.get(&credentials.access_key);
				let key = key.ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
				if let Some(bucket) = context.s3_path().get_bucket_name()
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
