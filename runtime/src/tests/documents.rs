// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What `docs/restoration.md` and `docs/audits.md` say of events and parameters is complete and true.

use super::*;
use scale_info::{TypeDef, TypeInfo};
use std::{collections::BTreeMap, fs};

fn document() -> String {
	fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/restoration.md")).unwrap()
}

fn audits() -> String {
	fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audits.md")).unwrap()
}

/// The names of an enum's variants.
fn variants<T: TypeInfo>() -> Vec<String> {
	let TypeDef::Variant(def) = T::type_info().type_def else { return Vec::new() };
	def.variants.iter().map(|variant| variant.name.to_string()).collect()
}

/// The fields of a struct as polkadot.js and the documents call them.
fn fields<T: TypeInfo>() -> Vec<String> {
	let TypeDef::Composite(def) = T::type_info().type_def else { return Vec::new() };
	def.fields.iter().filter_map(|field| field.name).map(camel).collect()
}

fn camel(name: &str) -> String {
	let mut words = name.split('_');
	let first = words.next().unwrap_or_default().to_owned();
	words.fold(first, |text, word| {
		let (head, tail) = word.split_at(1);
		text + &head.to_uppercase() + tail
	})
}

/// The numbers of a record of parameters by name, as JSON has them.
fn numbers(params: impl sp_runtime::serde::Serialize) -> BTreeMap<String, u64> {
	let Value::Object(fields) = serde_json::to_value(params).unwrap() else {
		return BTreeMap::new();
	};
	let number = |(name, value): (String, Value)| Some((camel(&name), value.as_u64()?));
	fields.into_iter().filter_map(number).collect()
}

/// The parameters of a preset as its JSON has them.
fn local(pallet: &str) -> BTreeMap<String, u64> {
	let preset = presets::get_preset(&PresetId::from("development")).unwrap();
	let preset: Value = serde_json::from_slice(&preset).unwrap();
	numbers(preset[pallet]["params"].clone())
}

#[test]
fn every_event_and_parameter_is_named() {
	let document = document();
	let events = [
		variants::<pallet_planaria_restore::Event<Runtime>>(),
		variants::<pallet_planaria_miners::Event<Runtime>>(),
	];
	let params = [
		fields::<pallet_planaria_restore::ParamsOf<Runtime>>(),
		fields::<pallet_planaria_miners::ParamsOf<Runtime>>(),
	];
	for names in events.iter().chain(&params) {
		assert!(!names.is_empty());
	}
	let missing: Vec<_> = events
		.iter()
		.chain(&params)
		.flatten()
		.filter(|name| !document.contains(&format!("`{name}`")))
		.collect();
	assert!(missing.is_empty(), "docs/restoration.md does not name {missing:?}");
}

#[test]
fn the_deadlines_are_those_of_the_presets() {
	let production: BTreeMap<_, _> =
		[numbers(presets::production_restore()), numbers(presets::production_miners())]
			.into_iter()
			.flatten()
			.collect();
	let local: BTreeMap<_, _> = [local("restore"), local("miners")].into_iter().flatten().collect();
	let number = |cell: &str| -> Option<u64> {
		cell.split_whitespace().next()?.replace(',', "").parse().ok()
	};
	let document = document();
	let mut compared = 0;
	for row in document.lines().filter(|line| line.starts_with("| `")) {
		let cells: Vec<_> = row.split('|').map(str::trim).collect();
		let name = cells[1].trim_matches('`');
		let (Some(is), Some(is_local)) = (production.get(name), local.get(name)) else { continue };
		// Amounts are written in another unit, shares with their sign.
		if cells[2].contains("PLAN") || cells[2].contains('%') {
			continue;
		}
		assert_eq!(number(cells[2]), Some(*is), "{name} in production: {row}");
		assert_eq!(number(cells[3]), Some(*is_local), "{name} on local networks: {row}");
		compared += 1;
	}
	assert_eq!(compared, 8, "the table of deadlines has another form");
}

#[test]
fn every_parameter_of_audits_is_what_the_presets_say() {
	let document = audits();
	let names = fields::<pallet_planaria_audit::ParamsOf<Runtime>>();
	let (production, local) = (numbers(presets::production_audit()), local("audit"));
	let number = |cell: &str| -> Option<u64> {
		cell.split_whitespace().next()?.replace(',', "").parse().ok()
	};
	let mut compared = 0;
	for name in &names {
		let row = document.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
		let cells: Vec<_> = row.unwrap_or_else(|| panic!("{name}")).split('|').collect();
		// Amounts and bytes are written in other units, shares with their sign.
		let is_number = |cell: &str| !["PLAN", "%", "iB"].iter().any(|unit| cell.contains(unit));
		if is_number(cells[2]) {
			assert_eq!(number(cells[2]), production.get(name).copied(), "{name} in production");
			let here = number(cells[3]).or_else(|| number(cells[2]));
			assert_eq!(here, local.get(name).copied(), "{name} on local networks");
			compared += 1;
		}
	}
	assert_eq!((names.len(), compared), (11, 7), "the table has another form");
	assert_eq!((production["bytesPerDraw"] >> 40, local["bytesPerDraw"] >> 20), (600, 256));
	// The events on the way from a byte to a verdict.
	for event in ["Challenged", "Failed", "Struck", "Healed"] {
		assert!(document.contains(&format!("`{event}")), "{event}");
	}
}
