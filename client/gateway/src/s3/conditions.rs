// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Conditions of requests (RFC 9110 §13).

use crate::{catalog::Object, error::Error};
use s3s::dto::{ETagCondition, Timestamp};
use std::time::{Duration, SystemTime};

/// What a request demands of the object it reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
	/// It has this ETag.
	pub if_match: Option<ETagCondition>,
	/// It does not.
	pub if_none_match: Option<ETagCondition>,
	/// It was written after this.
	pub if_modified_since: Option<Timestamp>,
	/// It was not.
	pub if_unmodified_since: Option<Timestamp>,
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
	match condition {
		ETagCondition::Any => true,
		ETagCondition::ETag(wanted) => wanted.value() == etag,
	}
}

/// In whole seconds, as headers show times.
fn is_after(object: &Object, time: &Timestamp) -> bool {
	let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(object.modified / 1000);
	Timestamp::from(modified) > *time
}

impl Conditions {
	/// Whether the object may be read. ETags win over times.
	pub fn check(&self, object: &Object) -> Result<(), Error> {
		match (&self.if_match, &self.if_unmodified_since) {
			(Some(condition), _) if !matches(condition, &object.etag) => {
				return Err(Error::PreconditionFailed);
			},
			(None, Some(time)) if is_after(object, time) => return Err(Error::PreconditionFailed),
			_ => {},
		}
		match (&self.if_none_match, &self.if_modified_since) {
			(Some(condition), _) if matches(condition, &object.etag) => Err(Error::NotModified),
			(None, Some(time)) if !is_after(object, time) => Err(Error::NotModified),
			_ => Ok(()),
		}
	}

	/// The same for the source of a copy, of which nobody has an older copy.
	pub fn check_source(&self, object: &Object) -> Result<(), Error> {
		self.check(object).map_err(|_| Error::PreconditionFailed)
	}
}

/// Whether an object may be written where this one is or none.
pub fn check_write(
	if_match: Option<&ETagCondition>,
	if_none_match: Option<&ETagCondition>,
	present: Option<&Object>,
) -> Result<(), Error> {
	if let Some(condition) = if_none_match {
		match condition {
			ETagCondition::Any if present.is_some() => return Err(Error::PreconditionFailed),
			ETagCondition::Any => {},
			ETagCondition::ETag(_) => {
				return Err(Error::NotImplemented("If-None-Match with an ETag"));
			},
		}
	}
	match (if_match, present) {
		(Some(_), None) => Err(Error::NoSuchKey),
		(Some(condition), Some(object)) if !matches(condition, &object.etag) => {
			Err(Error::PreconditionFailed)
		},
		_ => Ok(()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn object() -> Object {
		Object {
			content: None,
			size: 0,
			etag: "a".into(),
			modified: 1_500_500,
			headers: Default::default(),
			parts: Vec::new(),
			checksum: None,
			public: false,
		}
	}

	fn etag(text: &str) -> Option<ETagCondition> {
		Some(text.parse().expect("a condition"))
	}

	fn at(seconds: u64) -> Option<Timestamp> {
		Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).into())
	}

	#[test]
	fn reads_keep_to_rfc_9110() {
		let none = Conditions::default();
		let with = |if_match, if_none_match, if_modified_since, if_unmodified_since| {
			let conditions =
				Conditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
			match conditions.check(&object()) {
				Ok(()) => 200,
				Err(Error::NotModified) => 304,
				Err(Error::PreconditionFailed) => 412,
				Err(_) => 500,
			}
		};
		assert!(none.check(&object()).is_ok());
		assert_eq!(with(etag("\"a\""), None, None, None), 200);
		assert_eq!(with(etag("\"b\""), None, None, None), 412);
		assert_eq!(with(etag("*"), None, None, None), 200);
		assert_eq!(with(None, etag("\"a\""), None, None), 304);
		assert_eq!(with(None, etag("W/\"a\""), None, None), 304);
		assert_eq!(with(None, etag("\"b\""), None, None), 200);
		assert_eq!(with(None, None, at(1500), None), 304);
		assert_eq!(with(None, None, at(1499), None), 200);
		assert_eq!(with(None, None, None, at(1500)), 200);
		assert_eq!(with(None, None, None, at(1499)), 412);
		// ETags win over times.
		assert_eq!(with(etag("\"a\""), None, None, at(0)), 200);
		assert_eq!(with(None, etag("\"b\""), at(9999), None), 200);
		let stale = Conditions { if_none_match: etag("\"a\""), ..none };
		assert!(matches!(stale.check_source(&object()), Err(Error::PreconditionFailed)));
	}

	#[test]
	fn writes_may_demand_what_is_there() {
		let object = object();
		let any = etag("*");
		assert!(check_write(None, any.as_ref(), None).is_ok());
		let refused = check_write(None, any.as_ref(), Some(&object));
		assert!(matches!(refused, Err(Error::PreconditionFailed)));
		assert!(check_write(etag("\"a\"").as_ref(), None, Some(&object)).is_ok());
		let refused = check_write(etag("\"b\"").as_ref(), None, Some(&object));
		assert!(matches!(refused, Err(Error::PreconditionFailed)));
		assert!(matches!(check_write(any.as_ref(), None, None), Err(Error::NoSuchKey)));
	}
}
