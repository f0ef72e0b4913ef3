// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{EncryptionArgs, FileCommand},
	bars,
	commands::put,
	context::{Context, Receipt},
	exit,
	output::{Table, count, facts, label},
};
use planaria_sdk::{
	Target, View,
	api::{FileLife, FileStatus, MAX_PAGE, PlacementStatus, SegmentStatus, VerdictStatus},
	chain::calls,
	primitives::{CodingParams, FileIndex},
	put::identify,
	units::{Amount, Size},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

pub async fn run(context: &Context, command: FileCommand) -> anyhow::Result<()> {
	match command {
		FileCommand::Status { file, all } => status(context, file, all).await,
		FileCommand::List { owner } => list(context, owner).await,
		FileCommand::Delete { file } => delete(context, file).await,
		FileCommand::Id { path, coding, public, encryption } => {
			id(context, path, coding, public, &encryption).await
		},
	}
}

/// How well a file is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
struct Health {
	/// The spare of the weakest placed segment.
	spare: Option<i16>,
	/// How many segments have each spare.
	segments_by_spare: BTreeMap<i16, u32>,
	/// How many segments are not placed.
	unplaced: u32,
	/// How many fragments are being restored.
	restoring: u32,
	/// How many segments are suspected lost.
	suspected: u32,
	/// How many segments are lost.
	lost: u32,
}

impl Health {
	fn of(file: &FileStatus, segments: &[SegmentStatus]) -> Self {
		let mut health = Self::default();
		let placed = u32::try_from(segments.len()).unwrap_or(u32::MAX);
		health.unplaced = file.segments.saturating_sub(placed);
		for segment in segments {
			*health.segments_by_spare.entry(segment.spare).or_default() += 1;
			let restoring = segment.fragments.iter().filter(|f| f.restoring).count();
			health.restoring += u32::try_from(restoring).unwrap_or(u32::MAX);
			match segment.verdict {
				Some(VerdictStatus::Suspected { .. }) => health.suspected += 1,
				Some(VerdictStatus::Lost { .. }) => health.lost += 1,
				None => {},
			}
		}
		health.spare = health.segments_by_spare.keys().next().copied();
		health
	}
}

/// A file with its health, and with `--all` its segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Shown {
	#[serde(flatten)]
	file: FileStatus,
	health: Health,
	#[serde(skip_serializing_if = "Option::is_none")]
	placed_segments: Option<Vec<SegmentStatus>>,
}

async fn segments(view: &View, file: &FileStatus) -> anyhow::Result<Vec<SegmentStatus>> {
	let mut all = Vec::new();
	let mut first = 0;
	while first < file.segments {
		all.extend(view.segments(file.file, first, MAX_PAGE).await?);
		first = first.saturating_add(MAX_PAGE);
	}
	all.sort_by_key(|segment| segment.number);
	Ok(all)
}

async fn status(context: &Context, target: Target, all: bool) -> anyhow::Result<()> {
	let view = context.view().await?;
	let files = match target {
		Target::File(file) => view.file(file).await?.into_iter().collect(),
		Target::Id(id) => view.files_by_id(&id).await?,
	};
	if files.is_empty() {
		return Err(exit::not_found(format!("there is no {target} on this chain")));
	}
	let mut shown = Vec::new();
	for file in files {
		let segments = segments(&view, &file).await?;
		let health = Health::of(&file, &segments);
		shown.push(Shown { file, health, placed_segments: all.then_some(segments) });
	}
	// One instance is a document, any number of them a list.
	match (target, &shown[..]) {
		(Target::File(_), [one]) => context.printer.print(one, || text(one)),
		_ => {
			let texts = || shown.iter().map(text).collect::<Vec<_>>().join("\n");
			context.printer.print(&shown, texts)
		},
	}
}

fn life(state: FileLife) -> &'static str {
	match state {
		FileLife::Pending => "pending",
		FileLife::Active => "active",
		FileLife::Deleting => "being deleted",
		FileLife::Failed => "failed",
	}
}

fn placement(file: &FileStatus) -> String {
	match (file.placement, file.state) {
		(PlacementStatus::Chosen, _) => "chosen among all miners".into(),
		(PlacementStatus::Drawn { seed: None, .. }, _) => {
			"to be drawn by the chain in the second block after the order".into()
		},
		(PlacementStatus::Drawn { ids, candidates, more_at, .. }, FileLife::Pending) => {
			let more = match more_at {
				Some(tick) => format!("; more at tick {tick} unless it gets on"),
				None => String::new(),
			};
			format!("drawn by the chain among {ids} ids, {candidates} for each fragment{more}")
		},
		(PlacementStatus::Drawn { ids, .. }, _) => {
			format!("drawn by the chain among {ids} ids")
		},
	}
}

fn spare(spare: i16) -> String {
	if spare < 0 { format!("{spare} (cannot be restored now)") } else { spare.to_string() }
}

fn text(shown: &Shown) -> String {
	let Shown { file, health, placed_segments } = shown;
	let mut rows = vec![
		("file", file.file.to_string()),
		("id", file.id.to_string()),
		("state", life(file.state).into()),
		("owner", file.owner.to_string()),
		("size", format!("{} ({} bytes)", Size(file.size), file.size)),
		("coding", file.coding.to_string()),
		("placement", placement(file)),
		("segments", file.segments.to_string()),
	];
	if !file.label.is_empty() {
		rows.push(("label", label(&file.label)));
	}
	if file.unconfirmed > 0 {
		rows.push(("unconfirmed", count(file.unconfirmed, "fragment")));
	}
	if health.unplaced > 0 {
		rows.push(("not placed", count(health.unplaced, "segment")));
	}
	rows.push(("deposit", Amount(file.deposit).to_string()));
	if let Some(weakest) = health.spare {
		rows.push(("spare", spare(weakest)));
		let by_spare = health.segments_by_spare.iter();
		let by_spare = by_spare.map(|(spare, number)| format!("{number} with {spare}"));
		rows.push(("by spare", by_spare.collect::<Vec<_>>().join(", ")));
	}
	for (name, number) in [("suspected lost", health.suspected), ("lost", health.lost)] {
		if number > 0 {
			rows.push((name, count(number, "segment")));
		}
	}
	if health.restoring > 0 {
		rows.push(("restoring", count(health.restoring, "fragment")));
	}
	let mut text = facts(&rows);
	if let Some(segments) = placed_segments {
		text.push('\n');
		text.push_str(&table(segments, file.coding));
	}
	text
}

/// Every fragment of every segment.
fn table(segments: &[SegmentStatus], coding: CodingParams) -> String {
	let mut table = Table::new(&["segment", "spare", "fragment", "kind", "miner", "state"]);
	for segment in segments {
		for (index, fragment) in segment.fragments.iter().enumerate() {
			let (number, spare) = match index {
				0 => (segment.number.to_string(), segment.spare.to_string()),
				_ => (String::new(), String::new()),
			};
			let kind = if index < usize::from(coding.data) { "source" } else { "parity" };
			let state = match (fragment.holder, fragment.confirmed, fragment.restoring) {
				(_, _, true) => "being restored",
				(None, _, _) => "nobody has it",
				(Some(_), true, false) => "confirmed",
				(Some(_), false, false) => "not confirmed",
			};
			let state = match (index, segment.verdict) {
				(0, Some(VerdictStatus::Suspected { deadline })) => {
					format!("{state}; segment suspected lost, until tick {deadline}")
				},
				(0, Some(VerdictStatus::Lost { since })) => {
					format!("{state}; segment lost since tick {since}")
				},
				_ => state.into(),
			};
			let holder = fragment.holder.map_or("-".into(), |miner| miner.to_string());
			table.row([number, spare, index.to_string(), kind.into(), holder, state]);
		}
	}
	table.render("no segment is placed yet")
}

async fn list(context: &Context, owner: Option<planaria_sdk::AccountId32>) -> anyhow::Result<()> {
	let owner = context.account_or(owner)?;
	let files = context.view().await?.files_of(&owner).await?;
	context.printer.print(&files, || {
		let mut table =
			Table::new(&["file", "state", "size", "coding", "unconfirmed", "label", "id"]);
		for file in &files {
			table.row([
				file.file.to_string(),
				life(file.state).into(),
				Size(file.size).to_string(),
				file.coding.to_string(),
				file.unconfirmed.to_string(),
				label(&file.label),
				file.id.to_string(),
			]);
		}
		table.render(&format!("{owner} has no files"))
	})
}

async fn delete(context: &Context, file: FileIndex) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let chain = context.chain().await?;
	if chain.view().await?.file(file).await?.is_none() {
		return Err(exit::not_found(format!("there is no file {file} on this chain")));
	}
	let call = calls::delete(file);
	let included = context.submit(chain, secret, &call).await?;
	context.printer.print(&Receipt::new(&call, &included), || format!("file {file} is deleted"))
}

/// A file's id, computed without a chain.
#[derive(Debug, Serialize)]
struct Identified {
	id: planaria_sdk::primitives::FileId,
	size: u64,
	coding: CodingParams,
	segments: u32,
	stored_bytes: u64,
}

async fn id(
	context: &Context,
	path: PathBuf,
	coding: CodingParams,
	public: bool,
	encryption: &EncryptionArgs,
) -> anyhow::Result<()> {
	let bars = bars::PutBars::new();
	let content = put::content(&path, public, encryption, &bars).await?;
	let done = identify(content, coding, bars.progress(0)).await;
	bars.finish();
	let (id, spec) = done?;
	let document = Identified {
		id,
		size: spec.size(),
		coding,
		segments: spec.segments(),
		stored_bytes: spec.stored_bytes(),
	};
	context.printer.print(&document, || id.to_string())
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::{
		AccountId32,
		api::FragmentStatus,
		primitives::{FileId, MinerId, SegmentId},
	};

	fn file() -> FileStatus {
		FileStatus {
			file: FileIndex(7),
			id: FileId([1; 32]),
			owner: AccountId32::new([2; 32]),
			size: 50_000_000,
			coding: CodingParams::LEAN,
			label: b"a \x1b label".to_vec(),
			state: FileLife::Active,
			first_segment: SegmentId(10),
			segments: 3,
			unconfirmed: 0,
			lost: 0,
			last_progress: 5,
			placement: PlacementStatus::Chosen,
			deposit: 1_500_000_000_000,
		}
	}

	fn segment(number: u32, spare: i16, verdict: Option<VerdictStatus>) -> SegmentStatus {
		let holder = |index: u32| FragmentStatus {
			holder: (index > 0).then_some(MinerId(index)),
			confirmed: index < 2,
			restoring: index == 0 && spare < 1,
		};
		SegmentStatus {
			id: SegmentId(10 + u64::from(number)),
			number,
			present: 2,
			spare,
			verdict,
			fragments: (0..3).map(holder).collect(),
		}
	}

	#[test]
	fn health_is_that_of_the_weakest_segment() {
		let suspected = Some(VerdictStatus::Suspected { deadline: 99 });
		let segments = [segment(0, 1, None), segment(1, -1, suspected)];
		let health = Health::of(&file(), &segments);
		assert_eq!(health.spare, Some(-1));
		assert_eq!((health.unplaced, health.restoring, health.suspected), (1, 1, 1));
		assert_eq!(Health::of(&file(), &[]).spare, None);

		let shown = Shown { file: file(), health, placed_segments: Some(segments.to_vec()) };
		let text = text(&shown);
		for part in [
			"-1 (cannot be restored now)",
			"1 with -1, 1 with 1",
			"a \\u{1b} label",
			"1.5 PLAN",
			"segment suspected lost, until tick 99",
			"nobody has it",
		] {
			assert!(text.contains(part), "{part:?} is not in\n{text}");
		}
	}

	#[test]
	fn how_a_file_is_placed_is_shown() {
		let of = |seed, more_at, state| {
			let placement = PlacementStatus::Drawn { seed, ids: 120, candidates: 4, more_at };
			super::placement(&FileStatus { placement, state, ..file() })
		};
		assert_eq!(super::placement(&file()), "chosen among all miners");
		assert!(of(None, Some(9), FileLife::Pending).starts_with("to be drawn"));
		let seed = Some([3; 32]);
		let drawn = "drawn by the chain among 120 ids";
		assert_eq!(of(seed, None, FileLife::Active), drawn);
		assert_eq!(
			of(seed, Some(9), FileLife::Pending),
			format!("{drawn}, 4 for each fragment; more at tick 9 unless it gets on")
		);
		let placement = PlacementStatus::Drawn { seed, ids: 120, candidates: 4, more_at: None };
		let json = serde_json::to_value(FileStatus { placement, ..file() }).expect("serialises");
		assert_eq!(json["placement"]["rule"], "drawn");
		assert_eq!(json["placement"]["ids"], 120);
	}

	#[test]
	fn a_file_has_this_json_shape() {
		let shown = Shown { file: file(), health: Health::of(&file(), &[]), placed_segments: None };
		let json = serde_json::to_value(&shown).expect("serialises");
		assert_eq!(json["file"], 7);
		assert_eq!(json["state"], "active");
		assert_eq!(json["placement"], serde_json::json!({ "rule": "chosen" }));
		assert_eq!(json["deposit"], "1500000000000");
		assert_eq!(json["id"], "01".repeat(32));
		assert_eq!(json["health"]["unplaced"], 3);
		assert!(json.get("placed_segments").is_none());
		let owner = AccountId32::new([2; 32]).to_string();
		assert_eq!(json["owner"], serde_json::Value::String(owner));
	}
}
