// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A large network fits into its blocks, and `docs/economics.md` says how far.

use crate::capacity::{Network, answers};
use std::{env, fs};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/economics.md");
const BEGIN: &str = "<!-- capacity -->\n";
const END: &str = "<!-- /capacity -->";

/// The most that it may take of the blocks, in percent.
const MOST: f64 = 25.0;

/// Where calls have fragments of as many miners as die in a day.
const MIXED: Network = Network { holders: 37, ..Network::LARGE };

fn table() -> String {
	let network = Network::LARGE;
	let rows: Vec<_> = network.parts().iter().map(ToString::to_string).collect();
	let (all, mixed) = (network.share() * 100.0, MIXED.share() * 100.0);
	let sums = format!(
		"| all of it | | | {all:.2} % |\n| all of it with {} miners in each call | | | {mixed:.2} % |",
		MIXED.holders
	);
	format!(
		"\n| what | in each block | µs each | of the blocks' time |\n|---|---|---|---|\n{}\n{sums}\n\n",
		rows.join("\n")
	)
}

#[test]
fn a_network_of_ten_pebibytes_fits_into_its_blocks() {
	let share = Network::LARGE.share() * 100.0;
	assert!(share < MOST, "{share:.2} % of the blocks' time");
}

#[test]
fn the_document_has_the_table() {
	let document = fs::read_to_string(DOCUMENT).unwrap();
	let (before, rest) = document.split_once(BEGIN).unwrap();
	let (stated, after) = rest.split_once(END).unwrap();
	if env::var_os("UPDATE_GOLDEN").is_some() {
		fs::write(DOCUMENT, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
	} else {
		assert_eq!(stated, table(), "UPDATE_GOLDEN=1 writes it anew");
	}
}

#[test]
fn a_quarter_of_a_block_verifies_enough_proofs() {
	let verified = answers(25);
	println!("{verified} answers in a quarter of a block");
	assert!(verified >= 200, "{verified}");
}
