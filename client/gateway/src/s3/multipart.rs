// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Multipart uploads. Parts may come in any order and at once; a part that comes again replaces
//! the former one.

use super::{
	Api,
	access::caller,
	buckets::{owner, public},
	conditions::{Conditions, check_write},
	listing::{encoder, page_len},
	objects::{
		expected, given_checksum, headers, kept_checksum, shown_checksum, signed, timestamp,
	},
	said_length,
};
use crate::{
	catalog::{BlobId, Listed, Listing, Object, Part, Piece, Upload, now_millis},
	digest::{Algorithm, Digester, SumKind, assembled_checksum, assembled_etag},
	error::Error,
	s3::objects::LARGEST_BODY,
	spool::BATCH,
};
use s3s::{S3Request, S3Response, dto};
use std::collections::BTreeMap;

/// The highest number of a part.
const MOST_PARTS: u32 = 10_000;
/// The least a part has that is not the last.
const LEAST_PART: u64 = 5 << 20;

type Response<T> = Result<S3Response<T>, Error>;

fn part_number(number: i32) -> Result<u32, Error> {
	let number = u32::try_from(number).ok().filter(|number| (1..=MOST_PARTS).contains(number));
	number.ok_or_else(|| Error::InvalidArgument("part numbers are 1 to 10000".into()))
}

/// The part that is to be assembled, if the client means the one that was uploaded.
fn confirmed<'p>(
	parts: &'p [(u32, Part)],
	named: &dto::CompletedPart,
) -> Result<(u32, &'p Part), Error> {
	let number = part_number(named.part_number.unwrap_or(0))?;
	let found = parts.binary_search_by_key(&number, |(number, _)| *number);
	let part = found.ok().and_then(|index| parts.get(index)).map(|(_, part)| part);
	let part = part.ok_or(Error::InvalidPart(number))?;
	let etag = named.e_tag.as_ref().map(|etag| etag.value() == hex::encode(part.md5));
	let sums = [
		(Algorithm::Crc32, &named.checksum_crc32),
		(Algorithm::Crc32c, &named.checksum_crc32c),
		(Algorithm::Crc64Nvme, &named.checksum_crc64nvme),
		(Algorithm::Sha1, &named.checksum_sha1),
		(Algorithm::Sha256, &named.checksum_sha256),
	];
	let sum = |(algorithm, sum): (Algorithm, &Option<String>)| match (sum, &part.checksum) {
		(Some(sum), Some((name, kept))) => name == algorithm.name() && sum == kept,
		(Some(_), None) => false,
		(None, _) => true,
	};
	if etag == Some(false) || !sums.into_iter().all(sum) {
		return Err(Error::InvalidPart(number));
	}
	Ok((number, part))
}

/// The checksum that an object is to have, as whoever begins an upload names it.
fn wanted_checksum(
	algorithm: Option<&str>,
	kind: Option<&str>,
) -> Result<Option<(Algorithm, SumKind)>, Error> {
	let kind = kind.map(|name| {
		SumKind::named(name).ok_or(Error::InvalidRequest("there is no such type of checksum"))
	});
	match (algorithm, kind.transpose()?) {
		(None, None) => Ok(None),
		(None, Some(_)) => Err(Error::InvalidRequest("a checksum's type without its algorithm")),
		(Some(name), kind) => {
			let algorithm = Algorithm::named(name);
			let algorithm = algorithm.ok_or(Error::InvalidRequest("there is no such checksum"))?;
			let kind = kind.unwrap_or(algorithm.usual());
			if !algorithm.has(kind) {
				return Err(Error::InvalidRequest("this checksum cannot be of this type"));
			}
			Ok(Some((algorithm, kind)))
		},
	}
}

/// The same as an upload keeps it.
fn promised_checksum(upload: &Upload) -> Option<(Algorithm, SumKind)> {
	let (algorithm, kind) = upload.checksum.as_ref()?;
	Some((Algorithm::named(algorithm)?, SumKind::named(kind)?))
}

impl Api {
	/// The checksums of an upload's parts, those that are not known computed from their bytes.
	async fn part_sums(
		&self,
		algorithm: Algorithm,
		parts: Vec<(u32, Part)>,
	) -> Result<BTreeMap<u32, (Part, String)>, Error> {
		let mut sums = BTreeMap::new();
		for (number, part) in parts {
			let known = part.checksum.clone().filter(|(name, _)| name == algorithm.name());
			let sum = match known {
				Some((_, sum)) => sum,
				None => {
					let mut digester = Digester::new(Some(algorithm));
					let bytes = self.0.spool.bytes(part.piece.into_iter().collect());
					let mut at = 0;
					while at < bytes.size() {
						let len = usize::try_from(bytes.size() - at).unwrap_or(usize::MAX);
						let read = bytes.read(at, len.min(BATCH)).await?;
						at += read.len() as u64;
						digester.update(&read);
					}
					digester.finish().checksum.map(|(_, sum)| sum).unwrap_or_default()
				},
			};
			sums.insert(number, (part, sum));
		}
		Ok(sums)
	}

	pub(super) async fn create_multipart_upload(
		&self,
		request: S3Request<dto::CreateMultipartUploadInput>,
	) -> Response<dto::CreateMultipartUploadOutput> {
		let caller = caller(&request);
		let bucket = self.bucket(&caller, &request.input.bucket, true).await?;
		let input = request.input;
		let checksum = wanted_checksum(
			input.checksum_algorithm.as_ref().map(dto::ChecksumAlgorithm::as_str),
			input.checksum_type.as_ref().map(dto::ChecksumType::as_str),
		)?;
		let headers = headers!(input);
		let acl = public(input.acl.as_ref().map(dto::ObjectCannedACL::as_str))?;
		let upload = hex::encode(BlobId::random().0);
		let record = Upload {
			owner: caller.account()?,
			initiated: now_millis(),
			headers,
			public: acl.unwrap_or(bucket.public),
			checksum: checksum
				.map(|(algorithm, kind)| (algorithm.name().into(), kind.name().into())),
		};
		let (name, key, id) = (input.bucket.clone(), input.key.clone(), upload.clone());
		self.0.catalog.write(move |writer| writer.create_upload(&name, &key, &id, &record)).await?;
		Ok(S3Response::new(dto::CreateMultipartUploadOutput {
			bucket: Some(input.bucket),
			key: Some(input.key),
			upload_id: Some(upload),
			checksum_algorithm: input.checksum_algorithm,
			checksum_type: checksum.map(|(_, kind)| dto::ChecksumType::from_static(kind.name())),
			..Default::default()
		}))
	}

	/// Writes a part that is in the spool.
	async fn write_part(
		&self,
		(bucket, key, upload): (String, String, String),
		number: u32,
		part: Part,
	) -> Result<(), Error> {
		let piece = part.piece;
		let written = self
			.0
			.catalog
			.write(move |writer| writer.put_part((&bucket, &key, &upload), number, &part));
		self.settle(written.await, piece).await
	}

	pub(super) async fn upload_part(
		&self,
		request: S3Request<dto::UploadPartInput>,
	) -> Response<dto::UploadPartOutput> {
		self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let input = request.input;
		let number = part_number(input.part_number)?;
		let mut expected = expected!(input, request.headers);
		let name = (input.bucket, input.key, input.upload_id);
		let (bucket, key, upload) = name.clone();
		let upload = self.0.catalog.read(move |reader| reader.upload(&bucket, &key, &upload));
		if let Some((algorithm, _)) = promised_checksum(&upload.await?) {
			if expected.algorithm.is_some_and(|given| given != algorithm) {
				return Err(Error::InvalidRequest("the upload was begun with another checksum"));
			}
			expected.algorithm = Some(algorithm);
		}
		let trailing = request.trailing_headers.as_ref();
		let len = said_length(input.content_length, &request.headers);
		let received = self.receive(input.body, len, &expected, trailing).await?;
		let part = Part {
			piece: received.piece,
			size: received.size,
			md5: received.digests.md5,
			modified: now_millis(),
			checksum: kept_checksum(&received),
		};
		let checksum = shown_checksum(part.checksum.as_ref());
		let etag = dto::ETag::Strong(hex::encode(part.md5));
		self.write_part(name, number, part).await?;
		Ok(S3Response::new(dto::UploadPartOutput {
			e_tag: Some(etag),
			checksum_crc32: checksum.checksum_crc32,
			checksum_crc32c: checksum.checksum_crc32c,
			checksum_crc64nvme: checksum.checksum_crc64nvme,
			checksum_sha1: checksum.checksum_sha1,
			checksum_sha256: checksum.checksum_sha256,
			..Default::default()
		}))
	}

	pub(super) async fn upload_part_copy(
		&self,
		request: S3Request<dto::UploadPartCopyInput>,
	) -> Response<dto::UploadPartCopyOutput> {
		let caller = caller(&request);
		self.bucket(&caller, &request.input.bucket, true).await?;
		let input = request.input;
		let number = part_number(input.part_number)?;
		let name = (input.bucket, input.key, input.upload_id);
		let (bucket, key, upload) = name.clone();
		let upload = self.0.catalog.read(move |reader| reader.upload(&bucket, &key, &upload));
		let promised = promised_checksum(&upload.await?);
		let conditions = Conditions {
			if_match: input.copy_source_if_match.clone(),
			if_none_match: input.copy_source_if_none_match.clone(),
			if_modified_since: input.copy_source_if_modified_since.clone(),
			if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
		};
		let (.., source) = self.copy_source(&caller, &input.copy_source, &conditions).await?;
		let range = match input.copy_source_range {
			None => 0..source.size,
			Some(text) => {
				let range = dto::Range::parse(&text);
				let range =
					range.map_err(|_| Error::InvalidArgument("the range is not one".into()))?;
				range.check(source.size).map_err(|_| Error::InvalidRange)?
			},
		};
		let len = range.end - range.start;
		let digester = Digester::new(promised.map(|(algorithm, _)| algorithm));
		let spool = &self.0.spool;
		let received = match source.content.filter(|_| len > 0) {
			Some(content) => {
				let body = self.body(content, range).await?;
				let body = Box::pin(body.into_stream());
				spool.receive(body, Some(len), LARGEST_BODY, digester, |_| Ok(())).await?
			},
			None => {
				let nothing = futures::stream::empty::<Result<_, std::io::Error>>();
				spool.receive(nothing, Some(0), LARGEST_BODY, digester, |_| Ok(())).await?
			},
		};
		let part = Part {
			piece: received.piece,
			size: received.size,
			md5: received.digests.md5,
			modified: now_millis(),
			checksum: kept_checksum(&received),
		};
		let checksum = shown_checksum(part.checksum.as_ref());
		let result = dto::CopyPartResult {
			e_tag: Some(dto::ETag::Strong(hex::encode(part.md5))),
			last_modified: Some(timestamp(part.modified)),
			checksum_crc32: checksum.checksum_crc32,
			checksum_crc32c: checksum.checksum_crc32c,
			checksum_crc64nvme: checksum.checksum_crc64nvme,
			checksum_sha1: checksum.checksum_sha1,
			checksum_sha256: checksum.checksum_sha256,
		};
		self.write_part(name, number, part).await?;
		let copy_part_result = Some(result);
		Ok(S3Response::new(dto::UploadPartCopyOutput { copy_part_result, ..Default::default() }))
	}

	pub(super) async fn complete_multipart_upload(
		&self,
		request: S3Request<dto::CompleteMultipartUploadInput>,
	) -> Response<dto::CompleteMultipartUploadOutput> {
		let bucket = self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let input = request.input;
		let given = given_checksum!(input);
		let said_kind = input.checksum_type.as_ref().map(dto::ChecksumType::as_str);
		let said_kind = said_kind.map(|name| {
			SumKind::named(name).ok_or(Error::InvalidRequest("there is no such type of checksum"))
		});
		let said_kind = said_kind.transpose()?;
		let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
		if named.is_empty() {
			return Err(Error::InvalidArgument("an object has at least one part".into()));
		}
		let (name, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id);
		let (if_match, if_none_match) = (input.if_match, input.if_none_match);
		let size = input.mpu_object_size;
		let api = self.clone();
		let (of, at, id) = (name.clone(), key.clone(), upload.clone());
		let known = self.0.catalog.read(move |reader| {
			let record = reader.upload(&of, &at, &id)?;
			Ok((promised_checksum(&record), reader.parts(&id, 0, MOST_PARTS as usize)?))
		});
		let (promised, parts) = known.await?;
		let wanted = match (promised, &given) {
			(Some((algorithm, kind)), _) => {
				let other = given.as_ref().is_some_and(|(given, _)| *given != algorithm);
				if other || said_kind.is_some_and(|said| said != kind) {
					return Err(Error::InvalidRequest(
						"the upload was begun with another checksum",
					));
				}
				Some((algorithm, kind))
			},
			(None, Some((algorithm, sum))) => {
				let kind = said_kind.unwrap_or(SumKind::of(sum));
				if !algorithm.has(kind) {
					return Err(Error::InvalidRequest("this checksum cannot be of this type"));
				}
				Some((*algorithm, kind))
			},
			(None, None) => None,
		};
		let sums = match wanted {
			Some((algorithm, _)) => self.part_sums(algorithm, parts).await?,
			None => BTreeMap::new(),
		};
		let written = self.0.catalog.write(move |writer| {
			let record = writer.upload(&name, &key, &upload)?;
			check_write(
				if_match.as_ref(),
				if_none_match.as_ref(),
				writer.object(&name, &key)?.as_ref(),
			)?;
			let parts = writer.parts(&upload)?;
			let mut chosen: Vec<(u32, &Part)> = Vec::with_capacity(named.len());
			for part in &named {
				let (number, part) = confirmed(&parts, part)?;
				if chosen.last().is_some_and(|(last, _)| *last >= number) {
					return Err(Error::PartOrder);
				}
				chosen.push((number, part));
			}
			for (number, part) in chosen.iter().rev().skip(1) {
				if part.size < LEAST_PART {
					return Err(Error::PartTooSmall(*number));
				}
			}
			let local: Vec<Piece> = chosen.iter().filter_map(|(_, part)| part.piece).collect();
			let content = api.new_content(&bucket, local, record.public);
			if size.is_some_and(|size| signed(content.size) != size) {
				return Err(Error::InvalidArgument(
					"the object has another size than was said".into(),
				));
			}
			let mut checksum = None;
			if let Some((algorithm, kind)) = wanted {
				let mut of_parts = Vec::with_capacity(chosen.len());
				for (number, part) in &chosen {
					// It may have been replaced meanwhile.
					let known = sums.get(number).filter(|(known, _)| known == *part);
					let (_, sum) = known.ok_or(Error::InvalidPart(*number))?;
					of_parts.push((sum.clone(), part.size));
				}
				let sum = assembled_checksum(algorithm, kind, &of_parts);
				let sum = sum.ok_or(Error::InvalidRequest("the parts' checksums do not fit"))?;
				// Of a composite one the number of parts may be left out.
				let said = given.as_ref().map(|(_, said)| said);
				let bare = sum.split('-').next();
				if said.is_some_and(|said| *said != sum && bare != Some(said)) {
					return Err(Error::BadDigest(algorithm.header()));
				}
				checksum = Some((algorithm.name().to_owned(), sum));
			}
			let object = Object {
				content: None,
				size: content.size,
				etag: assembled_etag(chosen.iter().map(|(_, part)| &part.md5)),
				modified: now_millis(),
				headers: record.headers,
				parts: chosen.iter().map(|(_, part)| part.size).collect(),
				checksum: checksum.clone(),
				public: record.public,
			};
			let etag = object.etag.clone();
			let unused = parts.iter().filter(|(number, _)| {
				chosen.binary_search_by_key(number, |(number, _)| *number).is_err()
			});
			let mut freed: Vec<Piece> = unused.filter_map(|(_, part)| part.piece).collect();
			let content = (content.size > 0).then(|| writer.add_content(&content)).transpose()?;
			freed.extend(writer.put_object(
				(&name, &bucket),
				&key,
				&Object { content, ..object },
			)?);
			writer.remove_upload(&name, &key, &upload)?;
			Ok((freed, etag, checksum))
		});
		let (freed, etag, checksum) = written.await?;
		let checksum = shown_checksum(checksum.as_ref());
		self.settle(Ok(freed), None).await?;
		Ok(S3Response::new(dto::CompleteMultipartUploadOutput {
			location: Some(format!("/{}/{}", input.bucket, input.key)),
			bucket: Some(input.bucket),
			key: Some(input.key),
			e_tag: Some(dto::ETag::Strong(etag)),
			checksum_crc32: checksum.checksum_crc32,
			checksum_crc32c: checksum.checksum_crc32c,
			checksum_crc64nvme: checksum.checksum_crc64nvme,
			checksum_sha1: checksum.checksum_sha1,
			checksum_sha256: checksum.checksum_sha256,
			checksum_type: checksum.checksum_type,
			..Default::default()
		}))
	}

	pub(super) async fn abort_multipart_upload(
		&self,
		request: S3Request<dto::AbortMultipartUploadInput>,
	) -> Response<dto::AbortMultipartUploadOutput> {
		self.bucket(&caller(&request), &request.input.bucket, true).await?;
		let dto::AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
		let aborted = self.0.catalog.write(move |writer| {
			writer.upload(&bucket, &key, &upload_id)?;
			let parts = writer.parts(&upload_id)?;
			writer.remove_upload(&bucket, &key, &upload_id)?;
			Ok(parts.into_iter().filter_map(|(_, part)| part.piece).collect())
		});
		self.settle(aborted.await, None).await?;
		Ok(S3Response::with_status(
			dto::AbortMultipartUploadOutput::default(),
			http::StatusCode::NO_CONTENT,
		))
	}

	pub(super) async fn list_parts(
		&self,
		request: S3Request<dto::ListPartsInput>,
	) -> Response<dto::ListPartsOutput> {
		self.bucket(&caller(&request), &request.input.bucket, false).await?;
		let input = request.input;
		let most = page_len(input.max_parts)?;
		let after = u32::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(0);
		let (bucket, key, upload) =
			(input.bucket.clone(), input.key.clone(), input.upload_id.clone());
		let found = self.0.catalog.read(move |reader| {
			let record = reader.upload(&bucket, &key, &upload)?;
			Ok((record, reader.parts(&upload, after, most + 1)?))
		});
		let (record, mut parts) = found.await?;
		let more = parts.len() > most;
		parts.truncate(most);
		let number = |number: u32| i32::try_from(number).ok();
		let last = parts.last().and_then(|(last, _)| number(*last));
		let shown = parts.into_iter().map(|(part, record)| {
			let checksum = shown_checksum(record.checksum.as_ref());
			dto::Part {
				part_number: number(part),
				size: Some(signed(record.size)),
				e_tag: Some(dto::ETag::Strong(hex::encode(record.md5))),
				last_modified: Some(timestamp(record.modified)),
				checksum_crc32: checksum.checksum_crc32,
				checksum_crc32c: checksum.checksum_crc32c,
				checksum_crc64nvme: checksum.checksum_crc64nvme,
				checksum_sha1: checksum.checksum_sha1,
				checksum_sha256: checksum.checksum_sha256,
			}
		});
		Ok(S3Response::new(dto::ListPartsOutput {
			parts: Some(shown.collect()),
			bucket: Some(input.bucket),
			key: Some(input.key),
			upload_id: Some(input.upload_id),
			max_parts: i32::try_from(most).ok(),
			part_number_marker: input.part_number_marker,
			next_part_number_marker: last.filter(|_| more),
			is_truncated: Some(more),
			owner: Some(owner(&record.owner)),
			storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
			..Default::default()
		}))
	}

	pub(super) async fn list_multipart_uploads(
		&self,
		request: S3Request<dto::ListMultipartUploadsInput>,
	) -> Response<dto::ListMultipartUploadsOutput> {
		self.bucket(&caller(&request), &request.input.bucket, false).await?;
		let input = request.input;
		let encode = encoder(input.encoding_type.as_ref())?;
		let marks =
			|marker: &Option<String>| marker.as_deref().is_some_and(|text| !text.is_empty());
		if marks(&input.key_marker) && marks(&input.upload_id_marker) {
			return Err(Error::NotImplemented("a page that begins within a key"));
		}
		let listing = Listing {
			prefix: input.prefix.clone().unwrap_or_default(),
			delimiter: input.delimiter.clone(),
			after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
			skip_rolled_up: true,
			most: page_len(input.max_uploads)?,
		};
		let name = input.bucket.clone();
		let page = self.0.catalog.read(move |reader| reader.uploads(&name, &listing)).await?;
		let next_key_marker = page.more.then(|| page.last().map(encode)).flatten();
		let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
		for row in page.rows {
			match row {
				Listed::RolledUp(prefix) => {
					prefixes.push(dto::CommonPrefix { prefix: Some(encode(&prefix)) });
				},
				Listed::Name(key, all) => {
					uploads.extend(all.into_iter().map(|(upload, record)| dto::MultipartUpload {
						key: Some(encode(&key)),
						upload_id: Some(upload),
						initiated: Some(timestamp(record.initiated)),
						owner: Some(owner(&record.owner)),
						..Default::default()
					}))
				},
			}
		}
		Ok(S3Response::new(dto::ListMultipartUploadsOutput {
			bucket: Some(input.bucket),
			prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
			delimiter: input.delimiter.as_deref().map(encode),
			key_marker: Some(encode(input.key_marker.as_deref().unwrap_or_default())),
			max_uploads: i32::try_from(page_len(input.max_uploads)?).ok(),
			is_truncated: Some(page.more),
			next_key_marker,
			uploads: Some(uploads),
			common_prefixes: Some(prefixes),
			encoding_type: input.encoding_type,
			..Default::default()
		}))
	}
}
