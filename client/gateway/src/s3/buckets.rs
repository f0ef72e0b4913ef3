// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Buckets.

use super::{Api, access::caller, objects::timestamp};
use crate::{
	catalog::{Bucket, now_millis},
	error::Error,
};
use s3s::{S3Request, S3Response, dto};

/// Whether an ACL makes public what it is for; the others are `private` or not supported.
pub fn public(acl: Option<&str>) -> Result<Option<bool>, Error> {
	match acl {
		None => Ok(None),
		Some("private") => Ok(Some(false)),
		Some("public-read") => Ok(Some(true)),
		Some(_) => Err(Error::NotImplemented("this ACL")),
	}
}

/// The longest page of buckets.
const MOST_BUCKETS: usize = 10_000;

type Response<T> = Result<S3Response<T>, Error>;

impl Api {
	pub(super) async fn list_buckets(
		&self,
		request: S3Request<dto::ListBucketsInput>,
	) -> Response<dto::ListBucketsOutput> {
		let caller = caller(&request);
		let account = caller.account()?;
		let input = request.input;
		let most = match input.max_buckets {
			None => usize::MAX,
			Some(most) => usize::try_from(most)
				.ok()
				.filter(|most| (1..=MOST_BUCKETS).contains(most))
				.ok_or_else(|| {
					Error::InvalidArgument(format!("a page has 1 to {MOST_BUCKETS} buckets"))
				})?,
		};
		let all = self.0.catalog.read(|reader| reader.buckets()).await?;
		let prefix = input.prefix.clone().unwrap_or_default();
		let region = &self.0.config.region;
		let here = input.bucket_region.as_ref().is_none_or(|wanted| wanted == region);
		let visible = all.into_iter().filter(|(name, bucket)| {
			let behind = input.continuation_token.as_ref().is_none_or(|last| name > last);
			here && behind && name.starts_with(&prefix) && caller.may(name, bucket, false).is_ok()
		});
		let mut buckets: Vec<dto::Bucket> = visible
			.take(most.saturating_add(1))
			.map(|(name, bucket)| dto::Bucket {
				creation_date: Some(timestamp(bucket.created)),
				name: Some(name),
				bucket_region: Some(region.clone()),
			})
			.collect();
		let more = buckets.len() > most;
		buckets.truncate(most);
		let last = buckets.last().and_then(|bucket| bucket.name.clone());
		Ok(S3Response::new(dto::ListBucketsOutput {
			buckets: Some(buckets),
			continuation_token: last.filter(|_| more),
			owner: Some(owner(&account)),
			prefix: input.prefix,
		}))
	}

	pub(super) async fn create_bucket(
		&self,
		request: S3Request<dto::CreateBucketInput>,
	) -> Response<dto::CreateBucketOutput> {
		let owner = caller(&request).account()?;
		let input = request.input;
		if input.object_lock_enabled_for_bucket == Some(true) {
			return Err(Error::NotImplemented("object lock"));
		}
		if let Some(configuration) = &input.create_bucket_configuration {
			let region = configuration.location_constraint.as_ref().map(|region| region.as_str());
			if region.is_some_and(|region| !region.is_empty() && region != self.0.config.region) {
				return Err(Error::WrongRegion(self.0.config.region.clone()));
			}
			if configuration.bucket.is_some() || configuration.location.is_some() {
				return Err(Error::NotImplemented("a directory bucket"));
			}
		}
		let public = public(input.acl.as_ref().map(dto::BucketCannedACL::as_str))?;
		let name = input.bucket.clone();
		let bucket = Bucket { owner, created: now_millis(), public: public.unwrap_or(false) };
		self.0.catalog.write(move |writer| writer.create_bucket(&name, &bucket)).await?;
		let location = Some(format!("/{}", input.bucket));
		Ok(S3Response::new(dto::CreateBucketOutput { location }))
	}

	pub(super) async fn delete_bucket(
		&self,
		request: S3Request<dto::DeleteBucketInput>,
	) -> Response<dto::DeleteBucketOutput> {
		let name = request.input.bucket.clone();
		self.bucket(&caller(&request), &name, true).await?;
		self.0.catalog.write(move |writer| writer.delete_bucket(&name)).await?;
		Ok(S3Response::new(dto::DeleteBucketOutput::default()))
	}

	pub(super) async fn head_bucket(
		&self,
		request: S3Request<dto::HeadBucketInput>,
	) -> Response<dto::HeadBucketOutput> {
		self.bucket(&caller(&request), &request.input.bucket, false).await?;
		let bucket_region = Some(self.0.config.region.clone());
		Ok(S3Response::new(dto::HeadBucketOutput { bucket_region, ..Default::default() }))
	}

	pub(super) async fn get_bucket_location(
		&self,
		request: S3Request<dto::GetBucketLocationInput>,
	) -> Response<dto::GetBucketLocationOutput> {
		self.bucket(&caller(&request), &request.input.bucket, false).await?;
		// S3 says nothing for its first region.
		let region = Some(self.0.config.region.clone()).filter(|region| region != "us-east-1");
		let location_constraint = region.map(dto::BucketLocationConstraint::from);
		Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint }))
	}

	pub(super) async fn get_bucket_versioning(
		&self,
		request: S3Request<dto::GetBucketVersioningInput>,
	) -> Response<dto::GetBucketVersioningOutput> {
		self.bucket(&caller(&request), &request.input.bucket, false).await?;
		Ok(S3Response::new(dto::GetBucketVersioningOutput::default()))
	}
}

/// An account as S3 shows owners.
pub fn owner(account: &[u8; 32]) -> dto::Owner {
	let address = planaria_sdk::AccountId32::new(*account).to_string();
	dto::Owner { display_name: Some(address.clone()), id: Some(address) }
}
