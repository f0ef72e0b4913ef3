// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Why the gateway does not do what it is asked. `s3/errors.rs` says which S3 error each one is.

use crate::{backend::BackendError, network::NetworkError};
use std::io;

/// Why the gateway does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// There is no such bucket.
	#[error("there is no such bucket")]
	NoSuchBucket,
	/// The bucket exists and is the caller's.
	#[error("the bucket exists already and is yours")]
	BucketYours,
	/// The bucket exists and is somebody else's.
	#[error("the bucket exists already and is somebody else's")]
	BucketTaken,
	/// The bucket has objects or uploads.
	#[error("the bucket is not empty")]
	BucketNotEmpty,
	/// There is no such object.
	#[error("there is no such object")]
	NoSuchKey,
	/// There is no such multipart upload.
	#[error("there is no such upload: it may have been completed or aborted")]
	NoSuchUpload,
	/// A part that is to be assembled was not uploaded, or was something else.
	#[error("part {0} was not uploaded, or with another ETag or checksum")]
	InvalidPart(u32),
	/// The parts that are to be assembled are not in ascending order.
	#[error("the parts are not in ascending order")]
	PartOrder,
	/// A part other than the last is too small.
	#[error("part {0} is smaller than 5 MiB and not the last")]
	PartTooSmall(u32),
	/// The bytes are not those that the caller said they are.
	#[error("the bytes do not have the {0} that the request says")]
	BadDigest(&'static str),
	/// A digest is not one.
	#[error("the request's {0} is not one")]
	InvalidDigest(&'static str),
	/// The body ended early.
	#[error("the body has fewer or more bytes than the request says")]
	IncompleteBody,
	/// The connection broke, or what came is not signed as it should be.
	#[error("the body cannot be read: {0}")]
	Body(String),
	/// A name is too long.
	#[error("a key has at most 1024 bytes")]
	KeyTooLong,
	/// User metadata is too large.
	#[error("user metadata has at most 2 KiB")]
	MetadataTooLarge,
	/// A condition of the request does not hold.
	#[error("a condition of the request does not hold")]
	PreconditionFailed,
	/// The caller's copy is still right.
	#[error("not modified")]
	NotModified,
	/// The object does not have these bytes.
	#[error("the object does not have these bytes")]
	InvalidRange,
	/// The caller may not do that.
	#[error("this key may not do that")]
	AccessDenied,
	/// Too much waits for being stored.
	#[error("too much waits for being stored: try again later")]
	SlowDown,
	/// It is larger than what this gateway ever takes.
	#[error("it has more than {0} bytes, which is what this gateway takes at most")]
	TooLarge(u64),
	/// The disk has no room.
	#[error("the gateway's disk has no room")]
	DiskFull,
	/// An argument makes no sense.
	#[error("{0}")]
	InvalidArgument(String),
	/// A bucket is wanted elsewhere.
	#[error("the buckets of this gateway are in {0}")]
	WrongRegion(String),
	/// What is asked for contradicts itself, or what was asked before.
	#[error("{0}")]
	InvalidRequest(&'static str),
	/// S3 has it, this gateway does not.
	#[error("{0} is not supported")]
	NotImplemented(&'static str),
	/// The network does not do its part now.
	#[error(transparent)]
	Network(#[from] NetworkError),
	/// The catalog failed.
	#[error(transparent)]
	Catalog(#[from] CatalogError),
	/// The object store does not do its part. What was to be written is on this gateway's disk, and
	/// may be nowhere else.
	#[error(transparent)]
	Backend(#[from] BackendError),
	/// The disk failed.
	#[error("the gateway's disk failed: {0}")]
	Io(#[from] io::Error),
	/// A task of this program ended early.
	#[error("the gateway is being stopped")]
	Stopping,
}

/// Why the catalog cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
	/// The database failed.
	#[error("the catalog failed: {0}")]
	Database(Box<redb::Error>),
	/// A record is not what this version writes.
	#[error("a record of the catalog cannot be read: {0}")]
	Corrupt(&'static str),
	/// The catalog was written by another version.
	#[error("the catalog has version {0}, this program reads version {expected}", expected = crate::catalog::VERSION)]
	Version(u64),
}

impl CatalogError {
	/// Wraps an error of the database.
	pub(crate) fn database(error: impl Into<redb::Error>) -> Self {
		Self::Database(Box::new(error.into()))
	}
}

/// Wraps an error of the database.
pub(crate) fn database(error: impl Into<redb::Error>) -> Error {
	match error.into() {
		redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => Error::DiskFull,
		error => Error::Catalog(CatalogError::database(error)),
	}
}
