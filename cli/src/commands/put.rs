// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{EncryptionArgs, PutArgs},
	bars::PutBars,
	context::Context,
	output::facts,
};
use planaria_sdk::{
	Account, Content, FileContent, Preferences, PutError, PutOptions, PutReport, SealedContent,
	primitives::FileSpec, put_content, units::Size,
};
use serde::Serialize;
use std::{path::Path, sync::Arc};

/// What became of it.
#[derive(Debug, Serialize)]
struct Done {
	#[serde(flatten)]
	report: PutReport,
	encrypted: bool,
}

/// A file as it is to be stored: encrypted, unless it shall be public.
pub async fn content(
	path: &Path,
	public: bool,
	encryption: &EncryptionArgs,
	bars: &Arc<PutBars>,
) -> anyhow::Result<Arc<dyn Content>> {
	let file = Arc::new(FileContent::open(path)?);
	if public {
		return Ok(file);
	}
	let key = encryption.key_or_new()?;
	Ok(Arc::new(SealedContent::new(file, key, bars.progress(0)).await?))
}

pub async fn run(context: &Context, args: PutArgs) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let chain = context.chain().await?;
	let bars = PutBars::new();
	let content = content(&args.file, args.public, &args.encryption, &bars).await?;
	let transport = context.transport(&chain, &args.transfer).await?;
	let size = content.size();
	let stored = FileSpec::new(size, args.coding).map_or(size, |spec| spec.stored_bytes());
	let options = PutOptions {
		coding: args.coding,
		label: args.label.into_bytes(),
		payer: args.payer,
		preferences: Preferences {
			prefer: args.prefer.into_iter().collect(),
			avoid: args.avoid.into_iter().collect(),
			only: args.only.into_iter().collect(),
			..Preferences::default()
		},
		placement: args.placement.map(Into::into),
		wait: !args.no_wait,
		again: args.again,
		..PutOptions::default()
	};
	let account = Arc::new(Account::new(chain, secret));
	let done =
		put_content(account, transport.clone(), content, options, bars.progress(stored)).await;
	bars.finish();
	transport.endpoint().close().await;
	let report = done.map_err(|error| match error {
		// What was done already is not lost.
		error @ (PutError::Chain(_) | PutError::NoHolder { .. }) => anyhow::Error::from(error)
			.context("not stored (put the same file again to go on where it stopped)"),
		error => error.into(),
	})?;
	let done = Done { report, encrypted: !args.public };
	context.printer.print(&done, || text(&done))
}

fn text(Done { report, encrypted }: &Done) -> String {
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
		("readable", if *encrypted { "with your encryption key" } else { "by everybody" }.into()),
		("coding", report.coding.to_string()),
		("placement", report.placement.to_string()),
		("segments", report.segments.to_string()),
		("stored bytes", Size(report.stored_bytes).to_string()),
		("sent", format!("{} in {:.1} s", Size(report.sent_bytes), report.seconds)),
		("replaced", report.replaced.to_string()),
	])
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::primitives::{CodingParams, FileId, FileIndex, PlacementRule};

	#[test]
	fn the_report_has_this_shape() {
		let report = PutReport {
			file: FileIndex(7),
			id: FileId([0xab; 32]),
			size: 5,
			coding: CodingParams::LEAN,
			placement: PlacementRule::Drawn,
			segments: 1,
			stored_bytes: 192,
			sent_fragments: 3,
			sent_bytes: 192,
			replaced: 0,
			resumed: false,
			active: true,
			seconds: 1.5,
		};
		let done = Done { report, encrypted: true };
		let json = serde_json::to_value(&done).expect("serialises");
		let expected = serde_json::json!({
			"file": 7,
			"id": "ab".repeat(32),
			"size": 5,
			"coding": { "codec": 0, "data": 2, "parity": 1 },
			"placement": "drawn",
			"segments": 1,
			"stored_bytes": 192,
			"sent_fragments": 3,
			"sent_bytes": 192,
			"replaced": 0,
			"resumed": false,
			"active": true,
			"seconds": 1.5,
			"encrypted": true,
		});
		assert_eq!(json, expected);
		assert!(text(&done).contains("coding        2+1"));
	}
}
