// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What is printed.

use serde::Serialize;
use std::io::{self, Write};

/// Prints for people or for programs.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
	json: bool,
}

impl Printer {
	pub const fn new(json: bool) -> Self {
		Self { json }
	}

	pub const fn is_json(self) -> bool {
		self.json
	}

	/// Prints a result: the document as JSON, or the text.
	pub fn print(
		self,
		document: &impl Serialize,
		text: impl FnOnce() -> String,
	) -> anyhow::Result<()> {
		let text = if self.json { serde_json::to_string_pretty(document)? } else { text() };
		line(&text)
	}

	/// Prints one of many results, as a line.
	pub fn line(
		self,
		document: &impl Serialize,
		text: impl FnOnce() -> String,
	) -> anyhow::Result<()> {
		let text = if self.json { serde_json::to_string(document)? } else { text() };
		line(&text)
	}

	/// Prints a result to standard error, because standard output is used for something else.
	pub fn aside(
		self,
		document: &impl Serialize,
		text: impl FnOnce() -> String,
	) -> anyhow::Result<()> {
		let text = if self.json { serde_json::to_string(document)? } else { text() };
		eprintln!("{}", text.trim_end());
		Ok(())
	}
}

/// Prints text to standard output.
pub fn line(text: &str) -> anyhow::Result<()> {
	match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
		// Whoever reads has read enough.
		Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
		done => Ok(done?),
	}
}

/// Rows under a head, in columns.
#[derive(Debug)]
pub struct Table {
	rows: Vec<Vec<String>>,
}

impl Table {
	pub fn new(head: &[&str]) -> Self {
		Self { rows: vec![head.iter().map(|text| (*text).to_owned()).collect()] }
	}

	pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
		self.rows.push(cells.into_iter().collect());
	}

	/// The text; `empty` where there is no row.
	pub fn render(&self, empty: &str) -> String {
		if self.rows.len() == 1 {
			return empty.to_owned();
		}
		let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
		let width = |column: usize| {
			let cells = self.rows.iter().filter_map(|row| row.get(column));
			cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
		};
		let widths: Vec<_> = (0..columns).map(width).collect();
		let mut text = String::new();
		for row in &self.rows {
			let mut line = String::new();
			for (cell, width) in row.iter().zip(&widths) {
				line.push_str(&format!("{cell:<width$}  "));
			}
			text.push_str(line.trim_end());
			text.push('\n');
		}
		text
	}
}

/// Names and values, one per line.
pub fn facts(facts: &[(&str, String)]) -> String {
	let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
	facts.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// A number with its noun.
pub fn count(number: impl Into<u64>, noun: &str) -> String {
	let number = number.into();
	if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Bytes that should be text, with what cannot be shown escaped.
pub fn label(bytes: &[u8]) -> String {
	String::from_utf8_lossy(bytes).escape_debug().collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn tables_have_columns() {
		let mut table = Table::new(&["miner", "held"]);
		assert_eq!(table.render("none"), "none");
		table.row(["1".into(), "8 MiB".into()]);
		table.row(["1000000".into(), String::new()]);
		assert_eq!(table.render("none"), "miner    held\n1        8 MiB\n1000000\n");
	}

	#[test]
	fn facts_are_aligned_and_labels_are_harmless() {
		let text = facts(&[("a", "1".into()), ("long", "2".into())]);
		assert_eq!(text, "a     1\nlong  2\n");
		assert_eq!(label(b"a\x1b[31m\n"), "a\\u{1b}[31m\\n");
		assert_eq!((count(1u32, "file"), count(2u32, "file")), ("1 file".into(), "2 files".into()));
	}
}
