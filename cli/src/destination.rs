// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where what is read goes.

use crate::{args::OutputArgs, context::Context, exit};
use planaria_sdk::Destination;
use serde::Serialize;
use std::{ops::Range, path::Path};

impl OutputArgs {
	fn is_stdout(&self) -> bool {
		self.output == Path::new("-")
	}

	/// The destination, which is checked before anything is read for it.
	pub fn destination(&self) -> anyhow::Result<Destination> {
		let destination = if self.is_stdout() {
			Destination::Stream(Box::new(tokio::io::stdout()))
		} else {
			Destination::File { path: self.output.clone(), overwrite: self.force }
		};
		destination.check()?;
		Ok(destination)
	}

	/// The bytes that are asked for of `what`, which has `size` of them.
	pub fn range_of(&self, what: &str, size: u64) -> anyhow::Result<Range<u64>> {
		let Some(range) = self.range else { return Ok(0..size) };
		let nothing = || format!("there is no byte {range}: the {what} has {size} bytes");
		range.within(size).ok_or_else(|| exit::usage(nothing()))
	}

	/// Says what became of it, where that is not in the way of the bytes themselves.
	pub fn say<T: Serialize>(
		&self,
		context: &Context,
		done: &T,
		text: impl FnOnce() -> String,
	) -> anyhow::Result<()> {
		match (self.is_stdout(), context.printer.is_json()) {
			(true, true) => context.printer.aside(done, text),
			(true, false) => Ok(()),
			(false, _) => context.printer.print(done, text),
		}
	}
}
