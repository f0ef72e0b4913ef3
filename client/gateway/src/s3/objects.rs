// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Objects.

use super::{
	Api,
	access::{Caller, caller},
	buckets::public,
	conditions::{Conditions, check_write},
	said_length,
};
use crate::{
	catalog::{Bucket, Content, Headers, Kind, Life, Located, Object, Piece, now_millis},
	digest::{Algorithm, Digester, Expected, SumKind},
	error::Error,
	reading::Body,
	spool::Received,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::StatusCode;
use s3s::{S3Request, S3Response, TrailingHeaders, dto};
use std::{
	io::ErrorKind,
	ops::Range,
	time::{Duration, SystemTime},
};

/// The most bytes that come with one request, as S3 has it.
pub const LARGEST_BODY: u64 = 5 << 30;
/// The most bytes of user metadata, names and values together.
const LARGEST_METADATA: usize = 2 << 10;
/// How often a content is looked for anew when it has moved.
const MOVES: u32 = 3;
/// How many keys one request deletes at most.
const MOST_DELETED: usize = 1000;

type Response<T> = Result<S3Response<T>, Error>;

/// There is one version of an object, which S3 calls `null`.
fn refuse_version(version: Option<&str>) -> Result<(), Error> {
	match version {
		None | Some("null") => Ok(()),
		Some(_) => Err(Error::NotImplemented("versions")),
	}
}

/// A size as S3 shows it.
pub fn signed(size: u64) -> i64 {
	i64::try_from(size).unwrap_or(i64::MAX)
}

/// A time as S3 shows it.
pub fn timestamp(millis: u64) -> dto::Timestamp {
	(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)).into()
}

/// Reads what a request says about an object, whose fields are the same in several requests.
macro_rules! headers {
	($input:expr) => {{
		let input = &$input;
		let metadata = input.metadata.iter().flatten();
		let mut metadata: Vec<_> =
			metadata.map(|(name, value)| (name.clone(), value.clone())).collect();
		metadata.sort();
		let len: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
		if len > $crate::s3::objects::largest_metadata() {
			return Err($crate::error::Error::MetadataTooLarge);
		}
		$crate::catalog::Headers {
			content_type: input.content_type.clone(),
			content_encoding: $crate::s3::objects::encoding(input.content_encoding.as_deref()),
			content_disposition: input.content_disposition.clone(),
			content_language: input.content_language.clone(),
			cache_control: input.cache_control.clone(),
			expires: input.expires.as_ref().and_then($crate::s3::objects::http_date),
			metadata,
		}
	}};
}

/// The conditions of a request, whose fields are the same in several.
macro_rules! conditions {
	($input:ident) => {
		Conditions {
			if_match: $input.if_match,
			if_none_match: $input.if_none_match,
			if_modified_since: $input.if_modified_since,
			if_unmodified_since: $input.if_unmodified_since,
		}
	};
}

/// What is said of an object in answer to a request for it, whether its bytes come along or not.
macro_rules! described {
	($output:ident, $object:ident, $input:ident, $wanted:ident) => {{
		let wanted_sum = $input.checksum_mode.is_some() && !$wanted.partial;
		let checksum = checksum(&$object, wanted_sum);
		let Headers { content_type, content_encoding, content_disposition, .. } = $object.headers;
		let Headers { content_language, cache_control, expires, metadata, .. } = $object.headers;
		dto::$output {
			accept_ranges: Some("bytes".into()),
			content_length: Some(signed($wanted.range.end - $wanted.range.start)),
			content_range: content_range(&$wanted, $object.size),
			e_tag: Some(dto::ETag::Strong($object.etag)),
			last_modified: Some(timestamp($object.modified)),
			content_type: $input.response_content_type.or(content_type).or_else(octets),
			content_encoding: $input.response_content_encoding.or(content_encoding),
			content_disposition: $input.response_content_disposition.or(content_disposition),
			content_language: $input.response_content_language.or(content_language),
			cache_control: $input.response_cache_control.or(cache_control),
			expires: $input.response_expires.or_else(|| parse_date(expires.as_deref())),
			metadata: Some(metadata.into_iter().collect()),
			parts_count: $wanted.parts,
			checksum_crc32: checksum.checksum_crc32,
			checksum_crc32c: checksum.checksum_crc32c,
			checksum_crc64nvme: checksum.checksum_crc64nvme,
			checksum_sha1: checksum.checksum_sha1,
			checksum_sha256: checksum.checksum_sha256,
			checksum_type: checksum.checksum_type,
			..Default::default()
		}
	}};
}

/// The checksum that a request names by its header, whose fields are the same in several.
macro_rules! given_checksum {
	($input:expr) => {{
		let input = &$input;
		let sums = [
			($crate::digest::Algorithm::Crc32, &input.checksum_crc32),
			($crate::digest::Algorithm::Crc32c, &input.checksum_crc32c),
			($crate::digest::Algorithm::Crc64Nvme, &input.checksum_crc64nvme),
			($crate::digest::Algorithm::Sha1, &input.checksum_sha1),
			($crate::digest::Algorithm::Sha256, &input.checksum_sha256),
		];
		let mut given =
			sums.into_iter().filter_map(|(algorithm, sum)| Some((algorithm, sum.clone()?)));
		let first = given.next();
		if given.next().is_some() {
			return Err($crate::error::Error::InvalidRequest("there is more than one checksum"));
		}
		first
	}};
}

/// Reads what a request says its bytes are.
macro_rules! expected {
	($input:expr, $request:expr) => {{
		let input = &$input;
		let given = $crate::s3::objects::given_checksum!(input);
		let named = input.checksum_algorithm.as_ref().map(|name| name.as_str().to_owned());
		$crate::s3::objects::read_expected(input.content_md5.as_deref(), given, named, &$request)?
	}};
}

pub(super) use {expected, given_checksum, headers};

pub const fn largest_metadata() -> usize {
	LARGEST_METADATA
}

/// `aws-chunked` is how the request was sent, not how the object is encoded.
pub fn encoding(text: Option<&str>) -> Option<String> {
	let kept =
		text?.split(',').map(str::trim).filter(|part| !part.eq_ignore_ascii_case("aws-chunked"));
	let kept = kept.collect::<Vec<_>>().join(",");
	(!kept.is_empty()).then_some(kept)
}

/// A time as headers show it.
pub fn http_date(time: &dto::Timestamp) -> Option<String> {
	let mut text = Vec::new();
	time.format(dto::TimestampFormat::HttpDate, &mut text).ok()?;
	String::from_utf8(text).ok()
}

/// What a request says its bytes are.
pub fn read_expected(
	md5: Option<&str>,
	given: Option<(Algorithm, String)>,
	named: Option<String>,
	headers: &http::HeaderMap,
) -> Result<Expected, Error> {
	let md5 = md5
		.map(|text| {
			let bytes = BASE64_STANDARD.decode(text).ok();
			bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
		})
		.map(|md5| md5.ok_or(Error::InvalidDigest("Content-MD5")))
		.transpose()?;
	let trailing = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
	let trailing = trailing.and_then(|names| names.split(',').find_map(Algorithm::in_header));
	let named = match named {
		Some(name) => Some(
			Algorithm::named(&name)
				.ok_or_else(|| Error::InvalidArgument(format!("there is no checksum {name}")))?,
		),
		None => None,
	};
	if let Some((algorithm, sum)) = &given {
		let len = BASE64_STANDARD.decode(sum).map(|sum| sum.len());
		if len.ok() != Some(algorithm.width()) {
			return Err(Error::InvalidRequest("the checksum in the headers is not one"));
		}
	}
	let algorithm = given.as_ref().map(|(algorithm, _)| *algorithm).or(trailing).or(named);
	Ok(Expected { md5, algorithm, sum: given.map(|(_, sum)| sum) })
}

/// A checksum as objects and parts keep it.
pub fn kept_checksum(received: &Received) -> Option<(String, String)> {
	let (algorithm, sum) = received.digests.checksum.clone()?;
	Some((algorithm.name().to_owned(), sum))
}

/// The sum in the field of its algorithm.
pub fn shown_checksum(kept: Option<&(String, String)>) -> dto::Checksum {
	let mut shown = dto::Checksum::default();
	if let Some((name, sum)) = kept {
		let field = match Algorithm::named(name) {
			Some(Algorithm::Crc32) => &mut shown.checksum_crc32,
			Some(Algorithm::Crc32c) => &mut shown.checksum_crc32c,
			Some(Algorithm::Crc64Nvme) => &mut shown.checksum_crc64nvme,
			Some(Algorithm::Sha1) => &mut shown.checksum_sha1,
			Some(Algorithm::Sha256) => &mut shown.checksum_sha256,
			None => return shown,
		};
		*field = Some(sum.clone());
		shown.checksum_type = Some(dto::ChecksumType::from_static(SumKind::of(sum).name()));
	}
	shown
}

/// The part of an object that a request reads.
struct Wanted {
	range: Range<u64>,
	/// Whether it was asked for as a part.
	partial: bool,
	parts: Option<i32>,
}

fn wanted(object: &Object, range: Option<dto::Range>, part: Option<i32>) -> Result<Wanted, Error> {
	if let Some(number) = part {
		if range.is_some() {
			return Err(Error::InvalidArgument(
				"a range and a part number exclude each other".into(),
			));
		}
		let single = [object.size];
		let sizes = if object.parts.is_empty() { &single[..] } else { &object.parts[..] };
		let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
		let index = index.filter(|index| *index < sizes.len()).ok_or(Error::InvalidRange)?;
		let start: u64 = sizes[..index].iter().sum();
		let parts = (!object.parts.is_empty()).then(|| i32::try_from(sizes.len()).ok()).flatten();
		return Ok(Wanted { range: start..start + sizes[index], partial: true, parts });
	}
	match range {
		Some(range) => {
			let range = range.check(object.size).map_err(|_| Error::InvalidRange)?;
			Ok(Wanted { range, partial: true, parts: None })
		},
		None => Ok(Wanted { range: 0..object.size, partial: false, parts: None }),
	}
}

impl Api {
	/// Takes a request's bytes into the spool.
	pub(super) async fn receive(
		&self,
		body: Option<dto::StreamingBlob>,
		len: Option<i64>,
		expected: &Expected,
		trailing: Option<&TrailingHeaders>,
	) -> Result<Received, Error> {
		let body = body.unwrap_or_else(|| dto::StreamingBlob::from(s3s::Body::empty()));
		let len =
			len.map(|len| u64::try_from(len).map_err(|_| Error::IncompleteBody)).transpose()?;
		let digester = Digester::new(expected.algorithm);
		let trailing = trailing.cloned();
		let verify = |digests: &crate::digest::Digests| {
			let header = expected.algorithm.map(Algorithm::header);
			let sum = trailing.zip(header).and_then(|(trailing, header)| {
				let value = trailing.read(|headers| headers.get(header).cloned())?;
				value.and_then(|value| value.to_str().map(str::to_owned).ok())
			});
			digests.verify(expected, sum.as_deref())
		};
		let received = self.0.spool.receive(body, len, LARGEST_BODY, digester, verify).await?;
		self.0.metrics.received_bytes.inc_by(received.size);
		Ok(received)
	}

	/// A content that is to be stored.
	pub(super) fn new_content(&self, bucket: &Bucket, local: Vec<Piece>, public: bool) -> Content {
		let size = local.iter().map(|piece| piece.len).sum();
		let small = size < self.0.config.pack_below;
		Content {
			owner: bucket.owner,
			size,
			kind: if small { Kind::Waiting } else { Kind::File },
			uses: 1,
			life: Life::Queued,
			local,
			coding: self.0.config.coding,
			stored: None,
			public,
			failures: 0,
			failure: None,
		}
	}

	pub(super) async fn put_object(
		&self,
		request: S3Request<dto::PutObjectInput>,
	) -> Response<dto::PutObjectOutput> {
		let bucket = self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let input = request.input;
		let expected = expected!(input, request.headers);
		let headers = headers!(input);
		let acl = public(input.acl.as_ref().map(dto::ObjectCannedACL::as_str))?;
		let public = acl.unwrap_or(bucket.public);
		let (name, key) = (input.bucket, input.key);
		if input.if_match.is_some() || input.if_none_match.is_some() {
			// Before the body, so that no byte is sent in vain; and again when it is written.
			let (name, key) = (name.clone(), key.clone());
			let present = self.0.catalog.read(move |reader| match reader.object(&name, &key) {
				Ok(object) => Ok(Some(object)),
				Err(Error::NoSuchKey) => Ok(None),
				Err(error) => Err(error),
			});
			check_write(
				input.if_match.as_ref(),
				input.if_none_match.as_ref(),
				present.await?.as_ref(),
			)?;
		}
		let trailing = request.trailing_headers.as_ref();
		let len = said_length(input.content_length, &request.headers);
		let received = self.receive(input.body, len, &expected, trailing).await?;
		let object = Object {
			content: None,
			size: received.size,
			etag: hex::encode(received.digests.md5),
			modified: now_millis(),
			headers,
			parts: Vec::new(),
			checksum: kept_checksum(&received),
			public,
		};
		let content = received.piece.map(|piece| self.new_content(&bucket, vec![piece], public));
		let (if_match, if_none_match) = (input.if_match, input.if_none_match);
		let etag = dto::ETag::Strong(object.etag.clone());
		let checksum = shown_checksum(object.checksum.as_ref());
		let written = self.0.catalog.write(move |writer| {
			let present = writer.object(&name, &key)?;
			check_write(if_match.as_ref(), if_none_match.as_ref(), present.as_ref())?;
			let content = content.map(|content| writer.add_content(&content)).transpose()?;
			writer.put_object((&name, &bucket), &key, &Object { content, ..object })
		});
		self.settle(written.await, received.piece).await?;
		Ok(S3Response::new(dto::PutObjectOutput {
			e_tag: Some(etag),
			checksum_crc32: checksum.checksum_crc32,
			checksum_crc32c: checksum.checksum_crc32c,
			checksum_crc64nvme: checksum.checksum_crc64nvme,
			checksum_sha1: checksum.checksum_sha1,
			checksum_sha256: checksum.checksum_sha256,
			..Default::default()
		}))
	}

	/// Removes from the spool what a change has freed, or what it was to write if there is none.
	pub(super) async fn settle(
		&self,
		written: Result<Vec<Piece>, Error>,
		new: impl IntoIterator<Item = Piece>,
	) -> Result<(), Error> {
		match written {
			Ok(freed) => {
				self.0.spool.remove(freed).await;
				self.0.jobs.notify_one();
				Ok(())
			},
			Err(error) => {
				self.0.spool.undo(new.into_iter().collect(), &error).await;
				Err(error)
			},
		}
	}

	/// The bytes of a range of a content.
	pub(super) async fn body(&self, number: u64, range: Range<u64>) -> Result<Body, Error> {
		let mut attempt = 0;
		loop {
			let located = self.0.catalog.read(move |reader| reader.located(number)).await?;
			let Located { content, offset } = located.ok_or(Error::NoSuchKey)?;
			let there = offset + range.start..offset + range.end;
			match self.0.library.content(&content, there).await {
				// It was put into a pack meanwhile, or that into another one.
				Err(Error::Io(error)) if error.kind() == ErrorKind::NotFound && attempt < MOVES => {
					attempt += 1;
				},
				done => return done,
			}
		}
	}

	/// An object that the caller may read.
	async fn readable(&self, caller: &Caller, bucket: &str, key: &str) -> Result<Object, Error> {
		let (name, wanted) = (bucket.to_owned(), key.to_owned());
		let found = self.0.catalog.read(move |reader| {
			let bucket = reader.bucket(&name)?;
			Ok((bucket, reader.object(&name, &wanted)))
		});
		let (record, object) = found.await?;
		match (caller, object) {
			(_, Ok(object)) if object.public => Ok(object),
			(_, object) => {
				caller.may(bucket, &record, false)?;
				object
			},
		}
	}

	pub(super) async fn get_object(
		&self,
		request: S3Request<dto::GetObjectInput>,
	) -> Response<dto::GetObjectOutput> {
		let caller = caller(&request);
		let input = request.input;
		refuse_version(input.version_id.as_deref())?;
		let object = self.readable(&caller, &input.bucket, &input.key).await?;
		let range = input.range.filter(|_| holds_if_range(&request.headers, &object));
		conditions!(input).check(&object)?;
		let wanted = wanted(&object, range, input.part_number)?;
		let body = match object.content {
			Some(content) if !wanted.range.is_empty() => {
				let body = self.body(content, wanted.range.clone()).await?;
				dto::StreamingBlob::wrap(body.into_stream())
			},
			_ => dto::StreamingBlob::from(s3s::Body::empty()),
		};
		let output = dto::GetObjectOutput {
			body: Some(body),
			..described!(GetObjectOutput, object, input, wanted)
		};
		let status = if wanted.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
		Ok(S3Response::with_status(output, status))
	}

	pub(super) async fn head_object(
		&self,
		request: S3Request<dto::HeadObjectInput>,
	) -> Response<dto::HeadObjectOutput> {
		let caller = caller(&request);
		let input = request.input;
		refuse_version(input.version_id.as_deref())?;
		let object = self.readable(&caller, &input.bucket, &input.key).await?;
		conditions!(input).check(&object)?;
		let wanted = wanted(&object, input.range, input.part_number)?;
		let state = match object.content {
			None => None,
			Some(number) => self.0.catalog.read(move |reader| reader.located(number)).await?,
		};
		let object_size = object.size;
		let output = described!(HeadObjectOutput, object, input, wanted);
		let status = if wanted.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
		let mut response = S3Response::with_status(output, status);
		add_state(&mut response.headers, state.as_ref(), object_size);
		Ok(response)
	}

	pub(super) async fn delete_object(
		&self,
		request: S3Request<dto::DeleteObjectInput>,
	) -> Response<dto::DeleteObjectOutput> {
		self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let dto::DeleteObjectInput { bucket, key, if_match, version_id, .. } = request.input;
		refuse_version(version_id.as_deref())?;
		let deleted = self.0.catalog.write(move |writer| {
			if if_match.is_some() {
				check_write(if_match.as_ref(), None, writer.object(&bucket, &key)?.as_ref())?;
			}
			writer.delete_object(&bucket, &key)
		});
		self.settle(deleted.await, None).await?;
		Ok(S3Response::with_status(dto::DeleteObjectOutput::default(), StatusCode::NO_CONTENT))
	}

	pub(super) async fn delete_objects(
		&self,
		request: S3Request<dto::DeleteObjectsInput>,
	) -> Response<dto::DeleteObjectsOutput> {
		self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let dto::DeleteObjectsInput { bucket, delete, .. } = request.input;
		let quiet = delete.quiet.unwrap_or(false);
		if delete.objects.len() > MOST_DELETED {
			return Err(Error::InvalidArgument(format!("at most {MOST_DELETED} keys at once")));
		}
		let (refused, keys): (Vec<_>, Vec<_>) = delete.objects.into_iter().partition(|object| {
			object.version_id.as_deref().is_some_and(|version| version != "null")
				|| object.e_tag.is_some()
				|| object.last_modified_time.is_some()
				|| object.size.is_some()
		});
		let keys: Vec<String> = keys.into_iter().map(|object| object.key).collect();
		let wanted = keys.clone();
		let deleted = self.0.catalog.write(move |writer| {
			let mut freed = Vec::new();
			for key in &wanted {
				freed.extend(writer.delete_object(&bucket, key)?);
			}
			Ok(freed)
		});
		self.settle(deleted.await, None).await?;
		let shown = |key| dto::DeletedObject { key: Some(key), ..Default::default() };
		let errors = refused.into_iter().map(|object| dto::Error {
			code: Some("NotImplemented".into()),
			message: Some("versions, and conditions per key, are not supported".into()),
			key: Some(object.key),
			version_id: object.version_id,
		});
		Ok(S3Response::new(dto::DeleteObjectsOutput {
			deleted: (!quiet).then(|| keys.into_iter().map(shown).collect()),
			errors: Some(errors.collect()),
			..Default::default()
		}))
	}

	/// The object that a copy is made of.
	pub(super) async fn copy_source(
		&self,
		caller: &Caller,
		source: &dto::CopySource,
		conditions: &Conditions,
	) -> Result<(String, String, Object), Error> {
		let dto::CopySource::Bucket { bucket, key, version_id } = source else {
			return Err(Error::NotImplemented("copying from an access point"));
		};
		refuse_version(version_id.as_deref())?;
		let object = self.readable(caller, bucket, key).await?;
		conditions.check_source(&object)?;
		Ok((bucket.to_string(), key.to_string(), object))
	}

	pub(super) async fn copy_object(
		&self,
		request: S3Request<dto::CopyObjectInput>,
	) -> Response<dto::CopyObjectOutput> {
		let caller = caller(&request);
		let bucket = self.bucket(&caller, &request.input.bucket, true).await?;
		let input = request.input;
		let conditions = Conditions {
			if_match: input.copy_source_if_match.clone(),
			if_none_match: input.copy_source_if_none_match.clone(),
			if_modified_since: input.copy_source_if_modified_since.clone(),
			if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
		};
		let (from, source_key, source) =
			self.copy_source(&caller, &input.copy_source, &conditions).await?;
		let replaces = match input.metadata_directive.as_ref().map(dto::MetadataDirective::as_str) {
			None | Some("COPY") => false,
			Some("REPLACE") => true,
			Some(_) => return Err(Error::InvalidArgument("there is no such directive".into())),
		};
		if !replaces && from == input.bucket && source_key == input.key {
			return Err(Error::InvalidArgument(
				"a copy onto itself has to replace metadata".into(),
			));
		}
		let acl = public(input.acl.as_ref().map(dto::ObjectCannedACL::as_str))?;
		let public = acl.unwrap_or(bucket.public && source.public);
		if public && !source.public && source.content.is_some() {
			return Err(Error::NotImplemented("a public copy of an object that is not public"));
		}
		let headers = if replaces { headers!(input) } else { source.headers.clone() };
		let object = Object { modified: now_millis(), headers, public, ..source };
		let (etag, modified) = (object.etag.clone(), object.modified);
		let (name, key) = (input.bucket, input.key);
		let written = self.0.catalog.write(move |writer| {
			// The source may have been replaced meanwhile.
			let source = writer.object(&from, &source_key)?.ok_or(Error::NoSuchKey)?;
			if (&source.etag, source.content) != (&object.etag, object.content) {
				return Err(Error::PreconditionFailed);
			}
			if let Some(content) = object.content {
				let shared = writer.content(content)?.ok_or(Error::NoSuchKey)?;
				if shared.owner != bucket.owner {
					return Err(Error::NotImplemented("a copy for another account"));
				}
				writer.share(content)?;
			}
			writer.put_object((&name, &bucket), &key, &object)
		});
		self.settle(written.await, None).await?;
		let result = dto::CopyObjectResult {
			e_tag: Some(dto::ETag::Strong(etag)),
			last_modified: Some(timestamp(modified)),
			..Default::default()
		};
		let copy_object_result = Some(result);
		Ok(S3Response::new(dto::CopyObjectOutput { copy_object_result, ..Default::default() }))
	}
}

/// Whether the object is still the one that a client has a part of (RFC 9110 §13.1.5).
fn holds_if_range(headers: &http::HeaderMap, object: &Object) -> bool {
	let Some(value) = headers.get(http::header::IF_RANGE) else { return true };
	let Ok(text) = value.to_str() else { return false };
	text == format!("\"{}\"", object.etag)
		|| http_date(&timestamp(object.modified)).is_some_and(|date| date == text)
}

/// What an object's bytes are if nobody says it.
fn octets() -> Option<String> {
	Some("binary/octet-stream".into())
}

fn parse_date(text: Option<&str>) -> Option<dto::Timestamp> {
	dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text?).ok()
}

fn checksum(object: &Object, asked: bool) -> dto::Checksum {
	shown_checksum(object.checksum.as_ref().filter(|_| asked))
}

fn content_range(wanted: &Wanted, size: u64) -> Option<String> {
	let Range { start, end } = wanted.range;
	(wanted.partial && end > start).then(|| format!("bytes {start}-{}/{size}", end - 1))
}

/// How far the storing of an object is, in headers of its own.
fn add_state(headers: &mut http::HeaderMap, located: Option<&Located>, size: u64) {
	let content = located.map(|located| &located.content);
	// An object without bytes has nothing to store.
	let state = content.map_or(Life::Active, |content| content.life).name();
	headers.insert("x-planaria-state", http::HeaderValue::from_static(state));
	if let Some(Located { content: Content { kind: Kind::Pack(_), .. }, offset }) = located
		&& let Ok(range) = http::HeaderValue::from_str(&format!("{offset}-{}", offset + size - 1))
	{
		headers.insert("x-planaria-range", range);
	}
	// On one line, and of what a header may have.
	let failure = content.and_then(|content| content.failure.as_ref()).map(|failure| {
		failure.replace(|letter: char| !letter.is_ascii_graphic(), " ").chars().take(500).collect()
	});
	if let Some(Ok(failure)) = failure.map(|text: String| http::HeaderValue::from_str(&text)) {
		headers.insert("x-planaria-failure", failure);
	}
	if let Some(stored) = content.and_then(|content| content.stored.as_ref()) {
		headers.insert("x-planaria-file", http::HeaderValue::from(stored.file));
		if let Ok(id) = http::HeaderValue::from_str(&hex::encode(stored.id)) {
			headers.insert("x-planaria-file-id", id);
		}
	}
}
