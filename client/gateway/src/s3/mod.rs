// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The S3 API. Signatures, XML and HTTP are `s3s`'s; what the calls do is here.

mod access;

mod buckets;

mod conditions;

mod errors;

mod listing;

mod multipart;

mod objects;

mod unsupported;

pub use access::Caller;

use crate::gateway::Gateway;
use access::{Access, Auth};
use async_trait::async_trait;
use s3s::{
	S3, S3Request, S3Response, S3Result,
	dto::*,
	host::{DomainError, SingleDomain},
	service::{S3Service, S3ServiceBuilder},
};
use std::sync::Arc;

/// The longest XML document a client may send: a list of 1000 keys to delete, or 10,000 parts.
const LONGEST_XML: usize = 8 << 20;

/// The calls.
#[derive(Clone, Debug)]
pub struct Api(pub(crate) Arc<Gateway>);

/// The service for HTTP.
pub fn service(gateway: &Arc<Gateway>) -> Result<S3Service, DomainError> {
	let mut builder = S3ServiceBuilder::new(Api(gateway.clone()));
	builder.set_auth(Auth(gateway.clone()));
	builder.set_access(Access(gateway.clone()));
	let mut config = s3s::config::S3Config::default();
	config.xml_max_body_size = LONGEST_XML;
	// Forms are refused before they get here; nothing of one that did would be kept in memory.
	config.post_object_max_file_size = 0;
	config.form_max_field_size = 0;
	config.form_max_fields_size = 0;
	config.form_max_parts = 0;
	builder.set_config(Arc::new(s3s::config::StaticConfigProvider::new(Arc::new(config))));
	if let Some(domain) = &gateway.config.domain {
		builder.set_host(SingleDomain::new(domain)?);
	}
	Ok(builder.build())
}

/// How many bytes of an object a request says it brings. Where they come in chunks, and nobody
/// says how long those are together, there is a header for it.
fn said_length(len: Option<i64>, headers: &http::HeaderMap) -> Option<i64> {
	len.or_else(|| headers.get("x-amz-decoded-content-length")?.to_str().ok()?.parse().ok())
}

/// What a call takes and gives.
macro_rules! calls {
	($($call:ident: $input:ty => $output:ty),* $(,)?) => {
		/// Everything that is not here is answered with `NotImplemented`.
		#[async_trait]
		impl S3 for Api {
			$(
				async fn $call(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
					self.$call(request).await.map_err(errors::to_s3)
				}
			)*
		}
	};
}

calls! {
	list_buckets: ListBucketsInput => ListBucketsOutput,
	create_bucket: CreateBucketInput => CreateBucketOutput,
	delete_bucket: DeleteBucketInput => DeleteBucketOutput,
	head_bucket: HeadBucketInput => HeadBucketOutput,
	get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
	get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput,
	put_object: PutObjectInput => PutObjectOutput,
	get_object: GetObjectInput => GetObjectOutput,
	head_object: HeadObjectInput => HeadObjectOutput,
	delete_object: DeleteObjectInput => DeleteObjectOutput,
	delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
	copy_object: CopyObjectInput => CopyObjectOutput,
	list_objects: ListObjectsInput => ListObjectsOutput,
	list_objects_v2: ListObjectsV2Input => ListObjectsV2Output,
	create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
	upload_part: UploadPartInput => UploadPartOutput,
	upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput,
	complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
	abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
	list_parts: ListPartsInput => ListPartsOutput,
	list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput,
}
