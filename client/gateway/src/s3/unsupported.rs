// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What headers ask for that this gateway does not do. Whoever asks is refused, rather than given
//! something else.

use crate::{catalog::Catalog, error::Error};
use http::HeaderMap;
use planaria_sdk::AccountId32;

/// How the names of headers begin, and what they ask for.
const REFUSED: [(&str, &str); 14] = [
	("x-amz-grant-", "granting access by header"),
	("x-amz-server-side-encryption", "server-side encryption by S3's keys"),
	("x-amz-copy-source-server-side-encryption", "server-side encryption by S3's keys"),
	("x-amz-object-lock-", "object lock"),
	("x-amz-bypass-governance-retention", "object lock"),
	("x-amz-mfa", "multi-factor authentication"),
	("x-amz-website-redirect-location", "redirection"),
	("x-amz-write-offset-bytes", "appending"),
	("x-amz-if-match-last-modified-time", "this condition"),
	("x-amz-if-match-size", "this condition"),
	("x-amz-if-match-initiated-time", "this condition"),
	("x-amz-rename-source", "renaming"),
	("x-amz-create-session-mode", "sessions"),
	("x-amz-fwd-", "object lambdas"),
];

/// Headers that may say only one thing, and what others would ask for.
const FIXED: [(&str, &str, &str); 4] = [
	("x-amz-storage-class", "STANDARD", "a storage class other than STANDARD"),
	("x-amz-bucket-object-lock-enabled", "false", "object lock"),
	("x-amz-object-ownership", "BucketOwnerEnforced", "ACLs of other owners"),
	// Objects have no tags.
	("x-amz-tagging-directive", "COPY", "tags"),
];

/// Refuses what is not supported.
pub fn check(headers: &HeaderMap) -> Result<(), Error> {
	for (name, value) in headers {
		let name = name.as_str();
		if name == "x-amz-tagging" {
			return Err(Error::NotImplemented("tags"));
		}
		if let Some((.., what)) = REFUSED.iter().find(|(begin, _)| name.starts_with(begin)) {
			return Err(Error::NotImplemented(what));
		}
		let fixed = FIXED.iter().find(|(fixed, ..)| *fixed == name);
		if let Some((_, only, what)) = fixed
			&& !value.as_bytes().eq_ignore_ascii_case(only.as_bytes())
		{
			return Err(Error::NotImplemented(what));
		}
	}
	Ok(())
}

/// Refuses a request whose buckets are not those of whom it says they are.
pub async fn check_owners(
	headers: &HeaderMap,
	bucket: Option<&str>,
	catalog: &Catalog,
) -> Result<(), Error> {
	let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str());
	let source = text("x-amz-copy-source").and_then(Result::ok);
	let source = source.and_then(|source| source.trim_start_matches('/').split('/').next());
	for (header, bucket) in
		[("x-amz-expected-bucket-owner", bucket), ("x-amz-source-expected-bucket-owner", source)]
	{
		let (Some(expected), Some(bucket)) = (text(header), bucket) else { continue };
		let name = bucket.to_owned();
		let owner = catalog.read(move |reader| reader.bucket(&name)).await?.owner;
		if expected.ok() != Some(&AccountId32::new(owner).to_string()) {
			return Err(Error::AccessDenied);
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use http::{HeaderName, HeaderValue};

	fn headers(name: &str, value: &str) -> HeaderMap {
		let name: HeaderName = name.parse().expect("a name");
		HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
	}

	#[test]
	fn what_is_not_done_is_refused_and_nothing_else() {
		for (name, value) in [
			("x-amz-grant-read", "id=1"),
			("x-amz-server-side-encryption", "AES256"),
			("x-amz-server-side-encryption-customer-key", "AAAA"),
			("x-amz-object-lock-mode", "GOVERNANCE"),
			("x-amz-tagging", "a=b"),
			("x-amz-tagging-directive", "REPLACE"),
			("x-amz-storage-class", "GLACIER"),
			("x-amz-bucket-object-lock-enabled", "true"),
		] {
			let refused = check(&headers(name, value));
			assert!(matches!(refused, Err(Error::NotImplemented(_))), "{name}");
		}
		for (name, value) in [
			("x-amz-storage-class", "STANDARD"),
			("x-amz-tagging-directive", "COPY"),
			("x-amz-meta-tagging", "a"),
			("x-amz-acl", "private"),
			("x-amz-date", "20260101T000000Z"),
			("x-amz-checksum-crc32", "AAAAAA=="),
		] {
			assert!(check(&headers(name, value)).is_ok(), "{name}");
		}
	}
}
