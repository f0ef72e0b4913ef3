// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What other programs know about the runtime by number or by key does not change unnoticed.

use super::*;
use frame_support::__private::metadata_ir::StorageEntryTypeIR;
use scale_info::{MetaType, TypeDef};
use std::{env, fmt::Write, fs, path::Path};

/// Where the expectation stands.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden.txt");

/// The variants of an enum, a line each: kind, index, name.
fn variants(kind: &str, ty: Option<MetaType>) -> String {
	let Some(TypeDef::Variant(def)) = ty.map(|ty| ty.type_info().type_def) else {
		return String::new();
	};
	let mut variants = def.variants;
	variants.sort_by_key(|variant| variant.index);
	variants
		.iter()
		.map(|variant| format!("  {kind} {} {}\n", variant.index, variant.name))
		.collect()
}

/// The runtime as it is.
fn description() -> String {
	let metadata = genesis("development").execute_with(Runtime::metadata_ir);
	let mut text = String::new();
	let extensions = metadata.extrinsic.extensions_v0().unwrap();
	for (index, extension) in extensions.iter().enumerate() {
		writeln!(text, "extension {index} {}", extension.identifier).unwrap();
	}
	let mut pallets = metadata.pallets;
	pallets.sort_by_key(|pallet| pallet.index);
	for pallet in pallets {
		writeln!(text, "pallet {} {}", pallet.index, pallet.name).unwrap();
		if let Some(storage) = pallet.storage {
			for entry in storage.entries {
				let hashers = match entry.ty {
					StorageEntryTypeIR::Plain(_) => String::new(),
					StorageEntryTypeIR::Map { hashers, .. } => format!(" {hashers:?}"),
				};
				writeln!(text, "  storage {}.{}{hashers}", storage.prefix, entry.name).unwrap();
			}
		}
		text += &variants("call", pallet.calls.map(|calls| calls.ty));
		text += &variants("event", pallet.event.map(|event| event.ty));
		text += &variants("error", pallet.error.map(|error| error.ty));
	}
	text
}

#[test]
fn the_runtime_is_what_other_programs_know() {
	let is = description();
	if env::var_os("UPDATE_GOLDEN").is_some() {
		fs::write(GOLDEN, is).unwrap();
		return;
	}
	let golden = fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
	if is == golden {
		return;
	}
	let (is, golden): (Vec<_>, Vec<_>) = (is.lines().collect(), golden.lines().collect());
	let gone = golden.iter().filter(|line| !is.contains(line)).map(|line| format!("- {line}\n"));
	let new = is.iter().filter(|line| !golden.contains(line)).map(|line| format!("+ {line}\n"));
	let changes: String = gone.chain(new).collect();
	panic!(
		"the runtime is not what {GOLDEN} says:\n{changes}\nA line that is gone or has another \
		 number breaks programs that are out there. If the change is meant:\n    \
		 UPDATE_GOLDEN=1 cargo test --release -p planaria-runtime golden\n"
	);
}
