// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Lists of objects.

use super::{
	Api,
	access::caller,
	buckets::owner,
	objects::{signed, timestamp},
};
use crate::{
	catalog::{Listed, Listing, Object},
	error::Error,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, S3Response, dto};

/// The longest page.
pub const LONGEST_PAGE: i32 = 1000;
/// What `encoding-type=url` leaves as it is.
const KEPT: &AsciiSet =
	&NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How long a page is to be.
pub fn page_len(wanted: Option<i32>) -> Result<usize, Error> {
	let wanted = wanted.unwrap_or(LONGEST_PAGE).min(LONGEST_PAGE);
	usize::try_from(wanted)
		.map_err(|_| Error::InvalidArgument("a page cannot have a negative length".into()))
}

/// Writes names as the client wants them.
pub fn encoder(wanted: Option<&dto::EncodingType>) -> Result<fn(&str) -> String, Error> {
	match wanted.map(dto::EncodingType::as_str) {
		None => Ok(str::to_owned),
		Some("url") => Ok(|text| utf8_percent_encode(text, KEPT).to_string()),
		Some(_) => Err(Error::InvalidArgument("the encoding type is not url".into())),
	}
}

type Response<T> = Result<S3Response<T>, Error>;
type Contents = (Vec<dto::Object>, Vec<dto::CommonPrefix>);

fn contents(
	rows: Vec<Listed<Object>>,
	encode: fn(&str) -> String,
	of: Option<&[u8; 32]>,
) -> Contents {
	let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
	for row in rows {
		match row {
			Listed::RolledUp(prefix) => {
				prefixes.push(dto::CommonPrefix { prefix: Some(encode(&prefix)) });
			},
			Listed::Name(key, object) => objects.push(dto::Object {
				key: Some(encode(&key)),
				size: Some(signed(object.size)),
				e_tag: Some(dto::ETag::Strong(object.etag)),
				last_modified: Some(timestamp(object.modified)),
				owner: of.map(owner),
				storage_class: Some(dto::ObjectStorageClass::from_static(
					dto::ObjectStorageClass::STANDARD,
				)),
				..Default::default()
			}),
		}
	}
	(objects, prefixes)
}

impl Api {
	pub(super) async fn list_objects(
		&self,
		request: S3Request<dto::ListObjectsInput>,
	) -> Response<dto::ListObjectsOutput> {
		let bucket = self.bucket(&caller(&request), &request.input.bucket, false).await?;
		let input = request.input;
		let encode = encoder(input.encoding_type.as_ref())?;
		let listing = Listing {
			prefix: input.prefix.clone().unwrap_or_default(),
			delimiter: input.delimiter.clone(),
			after: input.marker.clone(),
			skip_rolled_up: true,
			most: page_len(input.max_keys)?,
		};
		let name = input.bucket.clone();
		let page = self.0.catalog.read(move |reader| reader.list(&name, &listing)).await?;
		let next_marker = page.more.then(|| page.last().map(encode)).flatten();
		let (objects, prefixes) = contents(page.rows, encode, Some(&bucket.owner));
		Ok(S3Response::new(dto::ListObjectsOutput {
			name: Some(input.bucket),
			prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
			marker: Some(encode(input.marker.as_deref().unwrap_or_default())),
			max_keys: Some(input.max_keys.unwrap_or(LONGEST_PAGE).min(LONGEST_PAGE)),
			delimiter: input.delimiter.as_deref().map(encode),
			is_truncated: Some(page.more),
			contents: Some(objects),
			common_prefixes: Some(prefixes),
			next_marker,
			encoding_type: input.encoding_type,
			..Default::default()
		}))
	}

	pub(super) async fn list_objects_v2(
		&self,
		request: S3Request<dto::ListObjectsV2Input>,
	) -> Response<dto::ListObjectsV2Output> {
		let bucket = self.bucket(&caller(&request), &request.input.bucket, false).await?;
		let input = request.input;
		let encode = encoder(input.encoding_type.as_ref())?;
		let after = match &input.continuation_token {
			Some(token) => Some(read_token(token)?),
			None => input.start_after.clone(),
		};
		let listing = Listing {
			prefix: input.prefix.clone().unwrap_or_default(),
			delimiter: input.delimiter.clone(),
			after,
			skip_rolled_up: input.continuation_token.is_some(),
			most: page_len(input.max_keys)?,
		};
		let name = input.bucket.clone();
		let page = self.0.catalog.read(move |reader| reader.list(&name, &listing)).await?;
		let next = page.more.then(|| page.last().map(hex::encode)).flatten();
		let key_count = i32::try_from(page.rows.len()).ok();
		let of = input.fetch_owner.unwrap_or(false).then_some(&bucket.owner);
		let (objects, prefixes) = contents(page.rows, encode, of);
		Ok(S3Response::new(dto::ListObjectsV2Output {
			name: Some(input.bucket),
			prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
			max_keys: Some(input.max_keys.unwrap_or(LONGEST_PAGE).min(LONGEST_PAGE)),
			delimiter: input.delimiter.as_deref().map(encode),
			start_after: input.start_after.as_deref().map(encode),
			key_count,
			is_truncated: Some(page.more),
			continuation_token: input.continuation_token,
			next_continuation_token: next,
			contents: Some(objects),
			common_prefixes: Some(prefixes),
			encoding_type: input.encoding_type,
			..Default::default()
		}))
	}
}

/// The name that a page ended with.
fn read_token(token: &str) -> Result<String, Error> {
	let wrong = || Error::InvalidArgument("the continuation token is not one of ours".into());
	let bytes = hex::decode(token).map_err(|_| wrong())?;
	String::from_utf8(bytes).map_err(|_| wrong())
}
