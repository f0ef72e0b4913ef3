// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{args::GetArgs, bars, context::Context, output::facts};
use planaria_sdk::{Destination, GetOptions, get, units::Size};
use std::{path::Path, sync::Arc};

pub async fn run(context: &Context, args: GetArgs) -> anyhow::Result<()> {
	let to_stdout = args.output == Path::new("-");
	let destination = if to_stdout {
		Destination::Stream(Box::new(tokio::io::stdout()))
	} else {
		Destination::File { path: args.output.clone(), overwrite: args.force }
	};
	let chain = context.chain().await?;
	let transport = context.transport(&chain, &args.transfer).await?;
	let (bar, progress) = bars::get_bar();
	let (chain, options) = (Arc::new(chain), GetOptions::default());
	let done = get(chain, transport.clone(), args.file, destination, options, progress).await;
	bar.finish_and_clear();
	transport.endpoint().close().await;
	let report = done?;
	let text = || {
		facts(&[
			("file", report.file.to_string()),
			("id", report.id.to_string()),
			("written to", args.output.display().to_string()),
			("size", format!("{} in {:.1} s", Size(report.size), report.seconds)),
			("segments", format!("{}, {} rebuilt", report.segments, report.rebuilt_segments)),
			("fragments", format!("{}, {} failures", report.fetched_fragments, report.failures)),
		])
	};
	match (to_stdout, context.printer.is_json()) {
		(true, true) => context.printer.aside(&report, text),
		(true, false) => Ok(()),
		(false, _) => context.printer.print(&report, text),
	}
}
