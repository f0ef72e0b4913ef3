// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Buckets and objects.

use super::{
	BUCKETS, Bucket, Error, OBJECTS, Object, Reader, UPLOADS, Writer, database, encode, get,
};
use redb::ReadableTable;

/// What became of the bytes that an object no longer names.
pub type Freed = Vec<super::Piece>;

/// The first object of a bucket, if there is one.
fn any(
	table: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
	bucket: &str,
) -> Result<bool, Error> {
	let Some(first) = table.range((bucket, "")..).map_err(database)?.next() else {
		return Ok(false);
	};
	Ok(first.map_err(database)?.0.value().0 == bucket)
}

impl Reader {
	/// A bucket.
	pub fn bucket(&self, name: &str) -> Result<Bucket, Error> {
		let table = self.0.open_table(BUCKETS).map_err(database)?;
		get(&table, name, "bucket")?.ok_or(Error::NoSuchBucket)
	}

	/// All buckets, by name.
	pub fn buckets(&self) -> Result<Vec<(String, Bucket)>, Error> {
		let table = self.0.open_table(BUCKETS).map_err(database)?;
		let mut all = Vec::new();
		for row in table.iter().map_err(database)? {
			let (name, bucket) = row.map_err(database)?;
			all.push((name.value().to_owned(), super::decode(bucket.value(), "bucket")?));
		}
		Ok(all)
	}

	/// An object.
	pub fn object(&self, bucket: &str, key: &str) -> Result<Object, Error> {
		let table = self.0.open_table(OBJECTS).map_err(database)?;
		get(&table, (bucket, key), "object")?.ok_or(Error::NoSuchKey)
	}
}

impl Writer {
	/// A bucket.
	pub fn bucket(&self, name: &str) -> Result<Bucket, Error> {
		let table = self.0.open_table(BUCKETS).map_err(database)?;
		get(&table, name, "bucket")?.ok_or(Error::NoSuchBucket)
	}

	/// Makes a bucket.
	pub fn create_bucket(&self, name: &str, bucket: &Bucket) -> Result<(), Error> {
		let mut table = self.0.open_table(BUCKETS).map_err(database)?;
		if let Some(known) = get::<_, Bucket>(&table, name, "bucket")? {
			let yours = known.owner == bucket.owner;
			return Err(if yours { Error::BucketYours } else { Error::BucketTaken });
		}
		table.insert(name, &encode(bucket)[..]).map_err(database)?;
		Ok(())
	}

	/// Deletes a bucket without objects and uploads.
	pub fn delete_bucket(&self, name: &str) -> Result<(), Error> {
		let mut buckets = self.0.open_table(BUCKETS).map_err(database)?;
		if any(&self.0.open_table(OBJECTS).map_err(database)?, name)? {
			return Err(Error::BucketNotEmpty);
		}
		let uploads = self.0.open_table(UPLOADS).map_err(database)?;
		if let Some(first) = uploads.range((name, "", "")..).map_err(database)?.next()
			&& first.map_err(database)?.0.value().0 == name
		{
			return Err(Error::BucketNotEmpty);
		}
		buckets.remove(name).map_err(database)?.ok_or(Error::NoSuchBucket)?;
		Ok(())
	}

	/// An object.
	pub fn object(&self, bucket: &str, key: &str) -> Result<Option<Object>, Error> {
		let table = self.0.open_table(OBJECTS).map_err(database)?;
		get(&table, (bucket, key), "object")
	}

	/// Writes an object whose content is counted as used by it already; returns what its former
	/// content leaves on the disk. The bucket is still the one that it was meant for.
	pub fn put_object(
		&self,
		(bucket, meant): (&str, &Bucket),
		key: &str,
		object: &Object,
	) -> Result<Freed, Error> {
		let found = self.bucket(bucket)?;
		if (found.owner, found.created) != (meant.owner, meant.created) {
			return Err(Error::NoSuchBucket);
		}
		let former = self.object(bucket, key)?;
		let mut table = self.0.open_table(OBJECTS).map_err(database)?;
		table.insert((bucket, key), &encode(object)[..]).map_err(database)?;
		drop(table);
		match former.and_then(|former| former.content) {
			Some(content) => self.release(content),
			None => Ok(Freed::new()),
		}
	}

	/// Deletes an object, if there is one; returns what its content leaves on the disk.
	pub fn delete_object(&self, bucket: &str, key: &str) -> Result<Freed, Error> {
		self.bucket(bucket)?;
		let Some(object) = self.object(bucket, key)? else { return Ok(Freed::new()) };
		let mut table = self.0.open_table(OBJECTS).map_err(database)?;
		table.remove((bucket, key)).map_err(database)?;
		drop(table);
		match object.content {
			Some(content) => self.release(content),
			None => Ok(Freed::new()),
		}
	}
}
