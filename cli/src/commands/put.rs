// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{args::PutArgs, bars::PutBars, context::Context, output::facts};
use planaria_sdk::{
	Account, Preferences, PutError, PutOptions, PutReport, primitives::FileSpec, put, units::Size,
};
use std::sync::Arc;

pub async fn run(context: &Context, args: PutArgs) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let chain = context.chain().await?;
	let transport = context.transport(&chain, &args.transfer).await?;
	// For the bar only; what is wrong with the file the put itself says.
	let size = std::fs::metadata(&args.file).map_or(1, |metadata| metadata.len().max(1));
	let stored = FileSpec::new(size, args.coding).map_or(size, |spec| spec.stored_bytes());
	let options = PutOptions {
		coding: args.coding,
		label: args.label.into_bytes(),
		payer: args.payer,
		preferences: Preferences {
			prefer: args.prefer.into_iter().collect(),
			avoid: args.avoid.into_iter().collect(),
			only: args.only.into_iter().collect(),
		},
		wait: !args.no_wait,
		again: args.again,
		..PutOptions::default()
	};
	let bars = PutBars::new();
	let account = Arc::new(Account::new(chain, secret));
	let done = put(account, transport.clone(), &args.file, options, bars.progress(stored)).await;
	bars.finish();
	transport.endpoint().close().await;
	let report = done.map_err(|error| match error {
		// What was done already is not lost.
		error @ (PutError::Chain(_) | PutError::NoHolder { .. }) => anyhow::Error::from(error)
			.context("not stored (put the same file again to go on where it stopped)"),
		error => error.into(),
	})?;
	context.printer.print(&report, || text(&report))
}

fn text(report: &PutReport) -> String {
	let state = match (report.active, report.resumed && report.sent_fragments == 0) {
		(true, true) => "stored already",
		(true, false) => "stored",
		(false, _) => "sent, not all confirmed yet: see 'planaria file status'",
	};
	facts(&[
		("file", report.file.to_string()),
		("id", report.id.to_string()),
		("state", state.into()),
		("size", Size(report.size).to_string()),
		("coding", report.coding.to_string()),
		("segments", report.segments.to_string()),
		("stored bytes", Size(report.stored_bytes).to_string()),
		("sent", format!("{} in {:.1} s", Size(report.sent_bytes), report.seconds)),
		("replaced", report.replaced.to_string()),
	])
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::primitives::{CodingParams, FileId, FileIndex};

	#[test]
	fn the_report_has_this_shape() {
		let report = PutReport {
			file: FileIndex(7),
			id: FileId([0xab; 32]),
			size: 5,
			coding: CodingParams::LEAN,
			segments: 1,
			stored_bytes: 192,
			sent_fragments: 3,
			sent_bytes: 192,
			replaced: 0,
			resumed: false,
			active: true,
			seconds: 1.5,
		};
		let json = serde_json::to_value(&report).expect("serialises");
		let expected = serde_json::json!({
			"file": 7,
			"id": "ab".repeat(32),
			"size": 5,
			"coding": { "codec": 0, "data": 2, "parity": 1 },
			"segments": 1,
			"stored_bytes": 192,
			"sent_fragments": 3,
			"sent_bytes": 192,
			"replaced": 0,
			"resumed": false,
			"active": true,
			"seconds": 1.5,
		});
		assert_eq!(json, expected);
		assert!(text(&report).contains("coding        2+1"));
	}
}
