// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Multipart uploads.

use super::{
	Error, Listed, Listing, PARTS, Page, Part, Reader, UPLOADS, Upload, Writer, database, decode,
	encode, get, objects::Freed,
};
use redb::ReadableTable;
use std::ops::Bound;

/// The uploads of one key, by their names.
pub type Listable = Vec<(String, Upload)>;

impl Reader {
	/// An upload.
	pub fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<Upload, Error> {
		let table = self.0.open_table(UPLOADS).map_err(database)?;
		get(&table, (bucket, key, upload), "upload")?.ok_or(Error::NoSuchUpload)
	}

	/// The parts of an upload with numbers after `after`, at most so many.
	pub fn parts(&self, upload: &str, after: u32, most: usize) -> Result<Vec<(u32, Part)>, Error> {
		let table = self.0.open_table(PARTS).map_err(database)?;
		parts(&table, upload, after, most)
	}

	/// A page of a bucket's uploads; those of one key stay together.
	pub fn uploads(&self, bucket: &str, listing: &Listing) -> Result<Page<Listable>, Error> {
		let table = self.0.open_table(UPLOADS).map_err(database)?;
		listing.page(|first, take| {
			let first = match first {
				Bound::Unbounded => Bound::Included((bucket, "", "")),
				Bound::Included(key) => Bound::Included((bucket, key, "")),
				// No upload is called like this: their names are hexadecimal.
				Bound::Excluded(key) => Bound::Excluded((bucket, key, "~")),
			};
			let mut of_key: Option<(String, Listable)> = None;
			for row in table.range((first, Bound::Unbounded)).map_err(database)? {
				let (name, record) = row.map_err(database)?;
				let (of, key, upload) = name.value();
				if of != bucket {
					break;
				}
				let record = (upload.to_owned(), decode(record.value(), "upload")?);
				match &mut of_key {
					Some((known, uploads)) if known == key => uploads.push(record),
					_ => {
						if let Some((key, uploads)) = of_key.take()
							&& !take(&key, &mut || Ok(uploads.clone()))?
						{
							return Ok(());
						}
						of_key = Some((key.to_owned(), vec![record]));
					},
				}
			}
			if let Some((key, uploads)) = of_key {
				take(&key, &mut || Ok(uploads.clone()))?;
			}
			Ok(())
		})
	}
}

fn parts(
	table: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
	upload: &str,
	after: u32,
	most: usize,
) -> Result<Vec<(u32, Part)>, Error> {
	let mut all = Vec::new();
	let range = (Bound::Excluded((upload, after)), Bound::Included((upload, u32::MAX)));
	for row in table.range(range).map_err(database)?.take(most) {
		let (key, part) = row.map_err(database)?;
		all.push((key.value().1, decode(part.value(), "part")?));
	}
	Ok(all)
}

impl Writer {
	/// Begins an upload.
	pub fn create_upload(
		&self,
		bucket: &str,
		key: &str,
		upload: &str,
		record: &Upload,
	) -> Result<(), Error> {
		self.bucket(bucket)?;
		let mut table = self.0.open_table(UPLOADS).map_err(database)?;
		table.insert((bucket, key, upload), &encode(record)[..]).map_err(database)?;
		Ok(())
	}

	/// An upload.
	pub fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<Upload, Error> {
		let table = self.0.open_table(UPLOADS).map_err(database)?;
		get(&table, (bucket, key, upload), "upload")?.ok_or(Error::NoSuchUpload)
	}

	/// Writes a part; returns what the former one leaves on the disk.
	pub fn put_part(
		&self,
		(bucket, key, upload): (&str, &str, &str),
		number: u32,
		part: &Part,
	) -> Result<Freed, Error> {
		self.upload(bucket, key, upload)?;
		let mut table = self.0.open_table(PARTS).map_err(database)?;
		let former: Option<Part> = get(&table, (upload, number), "part")?;
		table.insert((upload, number), &encode(part)[..]).map_err(database)?;
		Ok(former.and_then(|former| former.piece).into_iter().collect())
	}

	/// All parts of an upload.
	pub fn parts(&self, upload: &str) -> Result<Vec<(u32, Part)>, Error> {
		let table = self.0.open_table(PARTS).map_err(database)?;
		parts(&table, upload, 0, usize::MAX)
	}

	/// Ends an upload: it and its parts are forgotten.
	pub fn remove_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
		let mut uploads = self.0.open_table(UPLOADS).map_err(database)?;
		uploads.remove((bucket, key, upload)).map_err(database)?.ok_or(Error::NoSuchUpload)?;
		let mut parts = self.0.open_table(PARTS).map_err(database)?;
		parts.retain_in((upload, 0)..=(upload, u32::MAX), |_, _| false).map_err(database)?;
		Ok(())
	}
}

impl<T> Page<T> {
	/// The last text on the page.
	pub fn last(&self) -> Option<&str> {
		self.rows.last().map(Listed::text)
	}
}
