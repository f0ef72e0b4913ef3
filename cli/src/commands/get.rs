// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{args::GetArgs, bars, context::Context, exit, output::facts};
use planaria_sdk::{
	Destination, GetError, GetOptions, GetReport, Reader, SealedReader,
	sealed::{OpenError, UserKey},
	units::Size,
};
use serde::Serialize;
use std::{ops::Range, path::Path, sync::Arc};

/// What became of it.
#[derive(Debug, Serialize)]
struct Done {
	#[serde(flatten)]
	report: GetReport,
	decrypted: bool,
}

pub async fn run(context: &Context, args: GetArgs) -> anyhow::Result<()> {
	let to_stdout = args.output == Path::new("-");
	let destination = if to_stdout {
		Destination::Stream(Box::new(tokio::io::stdout()))
	} else {
		Destination::File { path: args.output.clone(), overwrite: args.force }
	};
	destination.check()?;
	let key = if args.raw { None } else { args.encryption.key()? };
	let chain = context.chain().await?;
	let transport = context.transport(&chain, &args.transfer).await?;
	let (bar, progress) = bars::get_bar();
	let (chain, options) = (Arc::new(chain), GetOptions::default());
	let reading = async {
		let reader =
			Reader::open_with(chain, transport.clone(), args.file, options, progress).await?;
		let sealed = match args.raw {
			true => None,
			false => {
				SealedReader::open(&reader, key.as_slice()).await.map_err(|e| named(e, &key))?
			},
		};
		let size = sealed.as_ref().map_or(reader.size(), SealedReader::size);
		let range = range(&args, size)?;
		let decrypted = sealed.is_some();
		let report = match sealed {
			Some(sealed) => sealed.write(range, destination).await?,
			None => reader.write(range, destination).await?,
		};
		anyhow::Ok(Done { report, decrypted })
	};
	let done = reading.await;
	bar.finish_and_clear();
	transport.endpoint().close().await;
	let done = done?;
	let report = &done.report;
	let text = || {
		facts(&[
			("file", report.file.to_string()),
			("id", report.id.to_string()),
			("written to", args.output.display().to_string()),
			("size", format!("{} in {:.1} s", Size(report.written), report.seconds)),
			("segments", format!("{}, {} rebuilt", report.segments, report.rebuilt_segments)),
			("fragments", format!("{}, {} failures", report.fetched_fragments, report.failures)),
		])
	};
	match (to_stdout, context.printer.is_json()) {
		(true, true) => context.printer.aside(&done, text),
		(true, false) => Ok(()),
		(false, _) => context.printer.print(&done, text),
	}
}

fn range(args: &GetArgs, size: u64) -> anyhow::Result<Range<u64>> {
	let Some(range) = args.range else { return Ok(0..size) };
	range
		.within(size)
		.ok_or_else(|| exit::usage(format!("there is no byte {range}: the file has {size} bytes")))
}

/// A file that no key opens, because there is none.
fn named(error: GetError, key: &Option<UserKey>) -> anyhow::Error {
	match (&error, key) {
		(GetError::Sealed(OpenError::WrongKey), None) => {
			exit::usage("the file is encrypted, and there is no encryption key: give --key-file")
		},
		_ => error.into(),
	}
}
