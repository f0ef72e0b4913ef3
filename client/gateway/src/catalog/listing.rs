// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Lists of names, in pages, with what stands between delimiters rolled up.

use super::{Error, OBJECTS, Object, Reader, database, decode};
use std::ops::Bound;

/// What is to be listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
	/// Only names that begin with this.
	pub prefix: String,
	/// Names that have this after the prefix are rolled up to where it ends.
	pub delimiter: Option<String>,
	/// Only names after this one.
	pub after: Option<String>,
	/// If `after` is a roll-up, go on behind all it stands for.
	pub skip_rolled_up: bool,
	/// How many names and roll-ups.
	pub most: usize,
}

/// A name or a roll-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed<T> {
	/// A name and what it names.
	Name(String, T),
	/// What several names begin with.
	RolledUp(String),
}

impl<T> Listed<T> {
	/// Its text.
	pub fn text(&self) -> &str {
		match self {
			Self::Name(text, _) | Self::RolledUp(text) => text,
		}
	}
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
	/// What is on it, in order.
	pub rows: Vec<Listed<T>>,
	/// Whether there is more.
	pub more: bool,
}

/// The least text that is greater than every text that begins with this one.
fn behind(prefix: &str) -> Option<String> {
	let mut chars: Vec<char> = prefix.chars().collect();
	while let Some(last) = chars.pop() {
		let next = match last {
			// What lies between are not characters.
			'\u{d7ff}' => Some('\u{e000}'),
			other => u32::from(other).checked_add(1).and_then(char::from_u32),
		};
		if let Some(next) = next {
			chars.push(next);
			return Some(chars.into_iter().collect());
		}
	}
	None
}

impl Listing {
	/// Where the names begin that may be on the page.
	fn first(&self) -> Option<Bound<String>> {
		let prefix = Bound::Included(self.prefix.clone());
		let Some(after) = &self.after else { return Some(prefix) };
		let rolled_up = self.skip_rolled_up
			&& self.delimiter.as_deref().is_some_and(|delimiter| {
				after.strip_prefix(&self.prefix).is_some_and(|rest| {
					rest.find(delimiter).is_some_and(|at| at + delimiter.len() == rest.len())
				})
			});
		if rolled_up {
			let first = behind(after)?;
			return Some(Bound::Included(first.max(self.prefix.clone())));
		}
		Some(if *after < self.prefix { prefix } else { Bound::Excluded(after.clone()) })
	}

	/// Lists what `from` gives: from a bound on, in order, until it is told to stop.
	pub fn page<T>(
		&self,
		mut from: impl FnMut(
			Bound<&str>,
			&mut dyn FnMut(&str, &mut dyn FnMut() -> Result<T, Error>) -> Result<bool, Error>,
		) -> Result<(), Error>,
	) -> Result<Page<T>, Error> {
		let mut rows = Vec::new();
		let mut first = match self.first() {
			Some(first) if self.most > 0 => first,
			_ => return Ok(Page { rows, more: false }),
		};
		loop {
			let mut jump = None;
			let mut more = false;
			from(first.as_ref().map(String::as_str), &mut |name, read| {
				let Some(rest) = name.strip_prefix(self.prefix.as_str()) else { return Ok(false) };
				if rows.len() >= self.most {
					more = true;
					return Ok(false);
				}
				let delimiter = self.delimiter.as_deref().filter(|text| !text.is_empty());
				let end = delimiter.and_then(|text| rest.find(text).map(|at| at + text.len()));
				if let Some(end) = end {
					let rolled_up = &name[..self.prefix.len() + end];
					rows.push(Listed::RolledUp(rolled_up.to_owned()));
					jump = Some(behind(rolled_up));
					return Ok(false);
				}
				rows.push(Listed::Name(name.to_owned(), read()?));
				Ok(true)
			})?;
			match jump {
				Some(Some(next)) => first = Bound::Included(next),
				_ => return Ok(Page { rows, more }),
			}
		}
	}
}

impl Reader {
	/// A page of a bucket's objects.
	pub fn list(&self, bucket: &str, listing: &Listing) -> Result<Page<Object>, Error> {
		let table = self.0.open_table(OBJECTS).map_err(database)?;
		listing.page(|first, take| {
			let first = first.map(|first| (bucket, first));
			for row in table.range((first, Bound::Unbounded)).map_err(database)? {
				let (key, object) = row.map_err(database)?;
				let (of, name) = key.value();
				if of != bucket || !take(name, &mut || decode(object.value(), "object"))? {
					break;
				}
			}
			Ok(())
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::collections::BTreeSet;

	fn listing(prefix: &str, delimiter: Option<&str>, after: Option<&str>, most: usize) -> Listing {
		Listing {
			prefix: prefix.into(),
			delimiter: delimiter.map(Into::into),
			after: after.map(Into::into),
			skip_rolled_up: true,
			most,
		}
	}

	fn page(names: &BTreeSet<&str>, listing: &Listing) -> (Vec<String>, bool) {
		let page = listing
			.page(|first, take| {
				for name in names.range::<str, _>((first, Bound::Unbounded)) {
					if !take(name, &mut || Ok(()))? {
						break;
					}
				}
				Ok(())
			})
			.expect("lists");
		(page.rows.iter().map(|row| row.text().to_owned()).collect(), page.more)
	}

	#[test]
	fn prefixes_and_delimiters_roll_up() {
		let names = BTreeSet::from(["a", "b/1", "b/2/x", "b/2/y", "b0", "c/", "c/1", "ü/1"]);
		let all = |prefix: &str, delimiter| page(&names, &listing(prefix, delimiter, None, 100)).0;
		assert_eq!(all("", None).len(), 8);
		assert_eq!(all("", Some("/")), ["a", "b/", "b0", "c/", "ü/"]);
		assert_eq!(all("b/", Some("/")), ["b/1", "b/2/"]);
		assert_eq!(all("b", None), ["b/1", "b/2/x", "b/2/y", "b0"]);
		assert_eq!(all("c/", Some("/")), ["c/", "c/1"]);
		assert_eq!(all("x", None), Vec::<String>::new());
		assert_eq!(all("", Some("/2")), ["a", "b/1", "b/2", "b0", "c/", "c/1", "ü/1"]);
	}

	#[test]
	fn pages_of_every_size_give_the_same_list() {
		let names = BTreeSet::from([
			"a",
			"a/",
			"a/b",
			"a/b/c",
			"a/b/d",
			"a0",
			"b",
			"b/\u{10ffff}",
			"b/x",
			"é",
		]);
		for delimiter in [None, Some("/"), Some("b/"), Some("\u{10ffff}")] {
			for prefix in ["", "a", "a/", "b/"] {
				let (whole, more) = page(&names, &listing(prefix, delimiter, None, 100));
				assert!(!more);
				for most in 1..5 {
					let mut found = Vec::new();
					let mut after: Option<String> = None;
					loop {
						let listing = listing(prefix, delimiter, after.as_deref(), most);
						let (rows, more) = page(&names, &listing);
						found.extend(rows);
						after = found.last().cloned();
						if !more {
							break;
						}
					}
					assert_eq!(found, whole, "{prefix} {delimiter:?} {most}");
				}
			}
		}
	}

	#[test]
	fn a_start_need_not_exist() {
		let names = BTreeSet::from(["a", "c", "p/1", "p/2"]);
		assert_eq!(page(&names, &listing("", None, Some("b"), 9)).0, ["c", "p/1", "p/2"]);
		assert_eq!(page(&names, &listing("p/", None, Some("a"), 9)).0, ["p/1", "p/2"]);
		assert_eq!(page(&names, &listing("", Some("/"), Some("p/"), 9)).0, Vec::<String>::new());
		let plain = Listing { skip_rolled_up: false, ..listing("", Some("/"), Some("p/"), 9) };
		assert_eq!(page(&names, &plain).0, ["p/"]);
		assert_eq!(page(&names, &listing("", None, None, 0)), (vec![], false));
		assert_eq!(behind("a\u{10ffff}"), Some("b".into()));
		assert_eq!((behind("\u{10ffff}"), behind("\u{d7ff}")), (None, Some("\u{e000}".into())));
	}
}
