// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{GatewayCommand, GatewayKeys, GatewayRun},
	context::Context,
	exit,
	output::{Table, count, duration, facts},
};
use anyhow::Context as _;
use planaria_gateway::{
	Config, Gateway, Stop,
	keys::{Key, Keys, Right, new_name},
	network::ChainNetwork,
	serve::{Listeners, serve},
};
use planaria_sdk::{Account, primitives::FileId, units::Size};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(context: &Context, command: GatewayCommand) -> anyhow::Result<()> {
	match command {
		GatewayCommand::Run(args) => serve_until_stopped(context, args).await,
		GatewayCommand::Keys { data, command } => keys(context, &data, command),
		GatewayCommand::Put(args) => super::object::put(context, args).await,
		GatewayCommand::Get(args) => super::object::get(context, args).await,
		GatewayCommand::Status { http, file: None } => status(context, &http).await,
		GatewayCommand::Status { http, file: Some(id) } => file_status(context, &http, id).await,
	}
}

fn config(args: &GatewayRun) -> anyhow::Result<Config> {
	let mut config = match &args.config {
		Some(path) => Config::read(path)?,
		None => Config::default(),
	};
	macro_rules! overrides {
		($($field:ident),*) => {$(
			if let Some(value) = args.$field.clone() {
				config.$field = value.into();
			}
		)*};
	}
	overrides!(data, listen, http, coding, domain, region);
	if let Some(spool) = args.spool {
		config.spool = spool.0;
	}
	if let Some(cache) = args.cache {
		config.cache = cache.0;
	}
	if !args.peers.is_empty() {
		config.peers = args.peers.clone();
	}
	Ok(config)
}

/// Where a gateway answers.
#[derive(Debug, Serialize)]
struct Ready {
	s3: String,
	http: String,
	operator: String,
}

async fn serve_until_stopped(context: &Context, args: GatewayRun) -> anyhow::Result<()> {
	let config = config(&args)?;
	let secret = context.secret()?;
	let chain = context.chain().await?;
	let transport = context.transport(&chain, &args.transfer).await?;
	let account = Account::new(chain.clone(), secret);
	let operator = account.id();
	let network = Arc::new(ChainNetwork::new(account, chain, transport.clone()));
	let gateway = Gateway::open(config, network).await?;
	let listeners = Listeners::bind(&gateway).await?;
	let (s3, http) = listeners.addresses()?;
	let ready = Ready {
		s3: format!("http://{s3}"),
		http: format!("http://{http}"),
		operator: operator.to_string(),
	};
	context.printer.line(&ready, || {
		facts(&[
			("S3", ready.s3.clone()),
			("HTTP", ready.http.clone()),
			("operator", ready.operator.clone()),
		])
	})?;
	if gateway.keys.all()?.is_empty() {
		eprintln!("nobody can use it yet: add a key with 'planaria gateway keys add'");
	}
	let stop = Stop::new();
	let (mut terminate, mut interrupt) =
		(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
	let asked = stop.clone();
	tokio::spawn(async move {
		tokio::select! {
			_ = terminate.recv() => {},
			_ = interrupt.recv() => {},
		}
		asked.cancel();
	});
	serve(gateway, listeners, stop).await?;
	transport.endpoint().close().await;
	Ok(())
}

/// A key as it is shown; the secret only when it is new.
#[derive(Debug, Serialize)]
struct Shown<'a> {
	access_key: &'a str,
	#[serde(skip_serializing_if = "Option::is_none")]
	secret_key: Option<&'a str>,
	owner: String,
	buckets: &'a BTreeMap<String, Right>,
	note: &'a str,
}

fn rights(buckets: &BTreeMap<String, Right>) -> String {
	let shown = buckets.iter().map(|(name, right)| match right {
		Right::Read => format!("{name} (read)"),
		Right::Write => name.clone(),
	});
	let shown = shown.collect::<Vec<_>>().join(", ");
	if shown.is_empty() { "all of the owner's".into() } else { shown }
}

fn keys(context: &Context, data: &Path, command: GatewayKeys) -> anyhow::Result<()> {
	std::fs::create_dir_all(data).with_context(|| data.display().to_string())?;
	let keys = Keys::open(data)?;
	match command {
		GatewayKeys::Add { owner, buckets, read, note } => {
			let owner = context.account_or(owner)?;
			let read = read.into_iter().map(|name| (name, Right::Read));
			let write = buckets.into_iter().map(|name| (name, Right::Write));
			let key = Key::generate(owner, read.chain(write).collect(), note);
			let name = new_name();
			keys.add(name.clone(), key.clone())?;
			let shown = Shown {
				access_key: &name,
				secret_key: Some(&key.secret),
				owner: key.owner.to_string(),
				buckets: &key.buckets,
				note: &key.note,
			};
			context.printer.print(&shown, || {
				facts(&[
					("access key", name.clone()),
					("secret key", key.secret.clone()),
					("owner", key.owner.to_string()),
					("buckets", rights(&key.buckets)),
				])
			})
		},
		GatewayKeys::List => {
			let all = keys.all()?;
			let shown: Vec<_> = all
				.iter()
				.map(|(name, key)| Shown {
					access_key: name,
					secret_key: None,
					owner: key.owner.to_string(),
					buckets: &key.buckets,
					note: &key.note,
				})
				.collect();
			context.printer.print(&shown, || {
				let mut table = Table::new(&["access key", "owner", "buckets", "note"]);
				for (name, key) in all.iter() {
					let note = key.note.clone();
					table.row([name.clone(), key.owner.to_string(), rights(&key.buckets), note]);
				}
				table.render("no keys")
			})
		},
		GatewayKeys::Remove { access_key } => {
			if !keys.remove(&access_key)? {
				return Err(exit::not_found(format!("there is no key {access_key}")));
			}
			let done = serde_json::json!({ "removed": access_key });
			context.printer.print(&done, || format!("removed {access_key}"))
		},
	}
}

async fn status(context: &Context, http: &str) -> anyhow::Result<()> {
	let answer = planaria_gateway::client::get(http, "/status")
		.await
		.with_context(|| format!("the gateway at {http} cannot be asked"))?;
	let status: Value = serde_json::from_slice(&answer)?;
	context.printer.print(&status, || {
		let size = |value: &Value| Size(value.as_u64().unwrap_or(0)).to_string();
		let of = |state: &str| {
			let of = &status["contents"][state];
			let number = of["count"].as_u64().unwrap_or(0);
			format!("{}, {}", count(number, "object"), size(&of["bytes"]))
		};
		let room = |what: &str| {
			format!("{} of {}", size(&status[what]["used"]), size(&status[what]["most"]))
		};
		let peers = status["peers"].as_array().into_iter().flatten().map(|peer| {
			let url = peer["url"].as_str().unwrap_or_default();
			let wrong = match peer["wrong"].as_u64() {
				None | Some(0) => String::new(),
				Some(times) => format!(", wrong {}", count(times, "time")),
			};
			format!("{url} ({}{wrong})", size(&peer["bytes"]))
		});
		let peers = peers.collect::<Vec<_>>().join(", ");
		let rows = |what: &str| status[what].as_array().cloned().unwrap_or_default();
		let mut shown = facts(&[
			("operator", status["operator"].as_str().unwrap_or_default().to_owned()),
			("queued", of("queued")),
			("placing", of("placing")),
			("active", of("active")),
			("jobs", status["jobs"].to_string()),
			("spool", room("spool")),
			("cache", room("cache")),
			("peers", if peers.is_empty() { "none".into() } else { peers }),
		]);
		let mut add = |title: &str, names: &[&'static str], rows: Vec<Vec<String>>| {
			if !rows.is_empty() {
				let mut table = Table::new(names);
				rows.into_iter().for_each(|row| table.row(row));
				shown = format!("{shown}\n{title}\n{}", table.render(""));
			}
		};
		let failing = rows("failing").into_iter().map(|row| {
			vec![row["content"].to_string(), row["failures"].to_string(), text(&row["failure"])]
		});
		add("not stored yet", &["object", "tried", "what went wrong last"], failing.collect());
		let cooling = rows("cooling").into_iter().map(|row| {
			let rest = duration(row["seconds"].as_u64().unwrap_or(0));
			vec![row["miner"].to_string(), rest, row["failures"].to_string(), text(&row["reason"])]
		});
		let names = ["miner", "gets nothing for", "failures", "the last"];
		add("cooling down", &names, cooling.collect());
		let share = |value: &Value| {
			let thousandths = value.as_u64().unwrap_or(0);
			format!("{}.{} %", thousandths / 10, thousandths % 10)
		};
		let weak = rows("weak").into_iter().map(|row| {
			let speed = match row["speed"].as_u64() {
				None | Some(0) => "not known".into(),
				Some(speed) => format!("{}/s", Size(speed)),
			};
			vec![
				row["miner"].to_string(),
				share(&row["quality"]),
				share(&row["reliability"]),
				speed,
			]
		});
		let names = ["miner", "of its share", "does its part", "takes"];
		add("get less than others", &names, weak.collect());
		let undeleted = rows("undeleted_files").into_iter();
		let undeleted = undeleted.map(|row| vec![row["file"].to_string(), text(&row["reason"])]);
		add("not deleted on chain", &["file", "why"], undeleted.collect());
		shown
	})
}

fn text(value: &Value) -> String {
	value.as_str().unwrap_or_default().to_owned()
}

async fn file_status(context: &Context, http: &str, id: FileId) -> anyhow::Result<()> {
	let found = planaria_gateway::client::find(http, &format!("/file/{id}/status"))
		.await
		.with_context(|| format!("the gateway at {http} cannot be asked"))?;
	let missing = || exit::not_found(format!("neither the gateway nor the chain has file {id}"));
	let status: Value = serde_json::from_slice(&found.ok_or_else(missing)?)?;
	context.printer.print(&status, || file_text(&status))
}

/// What the chain says of a file, and the gateway of each object that is one.
fn file_text(status: &Value) -> String {
	let rows = |what: &str| status[what].as_array().cloned().unwrap_or_default();
	let mut shown = facts(&[("id", text(&status["id"]))]);
	for file in rows("chain") {
		let left = match file["unconfirmed"].as_u64() {
			None | Some(0) => String::new(),
			Some(left) => format!(", {} not confirmed", count(left, "fragment")),
		};
		shown.push('\n');
		shown.push_str(&facts(&[
			("on chain", format!("file {}, {}{left}", file["file"], text(&file["state"]))),
			("owner", text(&file["owner"])),
		]));
	}
	for object in rows("gateway") {
		let size = Size(object["size"].as_u64().unwrap_or(0));
		let mut said = vec![("here", format!("{}, {size}", text(&object["state"])))];
		if let Some(failure) = object["failure"].as_str() {
			let times = count(object["failures"].as_u64().unwrap_or(0), "time");
			said.push(("failed", format!("{times}, the last: {failure}")));
		}
		shown.push('\n');
		shown.push_str(&facts(&said));
		shown.push_str(&fragments(&object["fragments"]));
	}
	shown
}

/// The fragments of an object by segment, whose numbers are text.
fn fragments(segments: &Value) -> String {
	let segments = segments.as_object().into_iter().flatten();
	let segments = segments.filter_map(|(number, states)| Some((number.parse().ok()?, states)));
	let segments: BTreeMap<u32, &Value> = segments.collect();
	let head = ["segment", "fragment", "phase", "miner", "taken from", "what went wrong last"];
	let mut table = Table::new(&head);
	for (segment, states) in segments {
		for (index, state) in states.as_array().into_iter().flatten().enumerate() {
			let segment = if index == 0 { segment.to_string() } else { String::new() };
			let miner = state["miner"].as_u64().map_or("-".into(), |miner| miner.to_string());
			let taken = match state["replaced"].as_u64() {
				None | Some(0) => "-".into(),
				Some(times) => count(times, "miner"),
			};
			let (phase, reason) = (text(&state["phase"]), text(&state["reason"]));
			table.row([segment, index.to_string(), phase, miner, taken, reason]);
		}
	}
	table.render("nothing is known of its fragments\n")
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn a_file_shows_why_it_does_not_advance_and_where_its_fragments_are() {
		let fragment = |phase: &str, miner: Option<u32>, reason: Option<&str>| {
			let replaced = u32::from(reason.is_some());
			json!({ "phase": phase, "miner": miner, "replaced": replaced, "reason": reason })
		};
		let first = [
			fragment("COMPLETED", Some(3), None),
			fragment("TRANSFERRED", Some(7), Some("is full")),
			fragment("UNAVAILABLE", None, None),
		];
		let status = json!({
			"id": "0x01",
			"chain": [{ "file": 5, "state": "pending", "owner": "5Gr", "unconfirmed": 2 }],
			"gateway": [{
				"state": "placing",
				"size": 3 << 20,
				"file": 5,
				"failures": 2,
				"failure": "nobody takes it",
				"fragments": { "10": [fragment("CREATED", None, None)], "2": [], "0": first },
			}],
		});
		let shown = file_text(&status);
		for part in [
			"file 5, pending, 2 fragments not confirmed",
			"placing, 3 MiB",
			"2 times, the last: nobody takes it",
		] {
			assert!(shown.contains(part), "{part:?} is not in\n{shown}");
		}
		let rows: Vec<Vec<_>> = shown
			.lines()
			.skip_while(|line| !line.starts_with("segment"))
			.map(|line| line.split_whitespace().collect())
			.collect();
		let expected: [&[&str]; 4] = [
			&["0", "0", "COMPLETED", "3", "-"],
			&["1", "TRANSFERRED", "7", "1", "miner", "is", "full"],
			&["2", "UNAVAILABLE", "-", "-"],
			&["10", "0", "CREATED", "-", "-"],
		];
		assert_eq!(rows[1..], expected.map(<[_]>::to_vec), "{shown}");
	}

	#[test]
	fn a_file_that_others_stored_is_shown_as_the_chain_has_it() {
		let chain = json!([{ "file": 5, "state": "active", "owner": "5Gr", "unconfirmed": 0 }]);
		let shown = file_text(&json!({ "id": "0x01", "chain": chain, "gateway": [] }));
		assert!(shown.ends_with("on chain  file 5, active\nowner     5Gr\n"), "{shown}");
	}
}
