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

/// A length of time, in its two largest units.
pub fn duration(seconds: u64) -> String {
	const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
	let first = UNITS.iter().position(|(length, _)| seconds >= *length);
	let Some(first) = first else { return "0 s".into() };
	let mut rest = seconds;
	let mut parts = Vec::new();
	for (length, name) in UNITS.iter().skip(first).take(2) {
		if rest / length > 0 {
			parts.push(format!("{} {name}", rest / length));
		}
		rest %= length;
	}
	parts.join(" ")
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
	fn durations_have_two_units_at_most() {
		let shown = [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_725, "1 h 2 min")];
		for (seconds, text) in shown {
			assert_eq!(duration(seconds), text);
		}
		assert_eq!((duration(90_061), duration(86_401)), ("1 d 1 h".into(), "1 d".into()));
	}

	#[test]
	fn facts_are_aligned_and_labels_are_harmless() {
		let text = facts(&[("a", "1".into()), ("long", "2".into())]);
		assert_eq!(text, "a     1\nlong  2\n");
		assert_eq!(label(b"a\x1b[31m\n"), "a\\u{1b}[31m\\n");
		assert_eq!((count(1u32, "file"), count(2u32, "file")), ("1 file".into(), "2 files".into()));
	}
}
