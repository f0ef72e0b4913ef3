// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{args::GetArgs, bars, context::Context, exit, output::facts};
use planaria_sdk::{
	GetError, GetOptions, GetReport, Reader, SealedReader,
	sealed::{OpenError, UserKey},
	units::Size,
};
use serde::Serialize;
use std::sync::Arc;

/// What became of it.
#[derive(Debug, Serialize)]
struct Done {
	#[serde(flatten)]
	report: GetReport,
	decrypted: bool,
}

pub async fn run(context: &Context, args: GetArgs) -> anyhow::Result<()> {
	let destination = args.to.destination()?;
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
		let range = args.to.range_of("file", size)?;
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
			("written to", args.to.output.display().to_string()),
			("size", format!("{} in {:.1} s", Size(report.written), report.seconds)),
			("segments", format!("{}, {} rebuilt", report.segments, report.rebuilt_segments)),
			("fragments", format!("{}, {} failures", report.fetched_fragments, report.failures)),
		])
	};
	args.to.say(context, &done, text)
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
