// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which S3 error each error is.

use crate::{error::Error, network::NetworkError};
use http::StatusCode;
use planaria_sdk::GetError;
use s3s::{S3Error, S3ErrorCode};
use std::io;

/// The S3 error for an error.
pub fn to_s3(error: Error) -> S3Error {
	use S3ErrorCode as Code;
	let error = match error {
		Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => Error::DiskFull,
		error => error,
	};
	let code = match &error {
		Error::NoSuchBucket => Code::NoSuchBucket,
		Error::BucketYours => Code::BucketAlreadyOwnedByYou,
		Error::BucketTaken => Code::BucketAlreadyExists,
		Error::BucketNotEmpty => Code::BucketNotEmpty,
		Error::NoSuchKey => Code::NoSuchKey,
		Error::NoSuchUpload => Code::NoSuchUpload,
		Error::InvalidPart(_) => Code::InvalidPart,
		Error::PartOrder => Code::InvalidPartOrder,
		Error::PartTooSmall(_) => Code::EntityTooSmall,
		Error::BadDigest(_) => Code::BadDigest,
		Error::InvalidDigest(_) => Code::InvalidDigest,
		Error::IncompleteBody => Code::IncompleteBody,
		Error::Body(reason) => body(reason),
		Error::KeyTooLong => Code::KeyTooLongError,
		Error::MetadataTooLarge => Code::MetadataTooLarge,
		Error::PreconditionFailed => Code::PreconditionFailed,
		Error::NotModified => Code::NotModified,
		Error::InvalidRange => Code::InvalidRange,
		Error::AccessDenied => Code::AccessDenied,
		Error::SlowDown => Code::SlowDown,
		Error::TooLarge(_) => Code::EntityTooLarge,
		Error::DiskFull => {
			return custom("InsufficientStorage", StatusCode::INSUFFICIENT_STORAGE, &error);
		},
		Error::InvalidArgument(_) => Code::InvalidArgument,
		Error::WrongRegion(_) => Code::InvalidLocationConstraint,
		Error::InvalidRequest(_) => Code::InvalidRequest,
		Error::NotImplemented(_) => Code::NotImplemented,
		Error::Network(error) => network(error),
		Error::Stopping => Code::ServiceUnavailable,
		Error::Backend(_) => {
			tracing::error!(%error, "a request failed");
			return S3Error::with_message(
				Code::ServiceUnavailable,
				"the gateway's object store fails",
			);
		},
		Error::Catalog(_) | Error::Io(_) => {
			// What it says of this machine is not the client's business.
			tracing::error!(%error, "a request failed");
			return S3Error::with_message(Code::InternalError, "the gateway has failed");
		},
	};
	S3Error::with_message(code, error.to_string())
}

fn custom(code: &'static str, status: StatusCode, error: &Error) -> S3Error {
	let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), error.to_string());
	error.set_status_code(status);
	error
}

/// `s3s` verifies signatures and lengths while the body is read.
fn body(reason: &str) -> S3ErrorCode {
	if reason.contains("ignature") {
		S3ErrorCode::SignatureDoesNotMatch
	} else if reason.contains("timed out") {
		S3ErrorCode::RequestTimeout
	} else if reason.contains("ength") || reason.contains("ncomplete") {
		S3ErrorCode::IncompleteBody
	} else if reason.contains("ontentSHA256") || reason.contains("hash") {
		S3ErrorCode::BadDigest
	} else {
		S3ErrorCode::IncompleteBody
	}
}

fn network(error: &NetworkError) -> S3ErrorCode {
	match error {
		NetworkError::Shared(error) => network(error),
		NetworkError::Gone | NetworkError::Get(GetError::NotFound(_)) => S3ErrorCode::NoSuchKey,
		_ => S3ErrorCode::ServiceUnavailable,
	}
}
