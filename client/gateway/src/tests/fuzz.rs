// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What `fuzz/` runs without an end, with a few thousand inputs.

use proptest::prelude::*;

#[path = "../../../../fuzz/src/gateway.rs"]
mod inputs;

/// Beginnings and pieces of what is parsed, so that more than its first byte is.
const PIECES: [&str; 24] = [
	"bytes=",
	"0",
	"1",
	"9",
	"-",
	",",
	"=",
	"&",
	"from=",
	"below=",
	"/",
	"\"",
	"W/",
	"*",
	"http://",
	"peers = [",
	"'",
	"]\n",
	"spool = ",
	"GiB",
	"{",
	"}",
	":",
	"18446744073709551616",
];

proptest! {
	#![proptest_config(ProptestConfig { cases: 3_000, ..Default::default() })]

	#[test]
	fn whatever_is_parsed_is_sound_or_refused(data in prop::collection::vec(any::<u8>(), 0..300)) {
		inputs::text(&data);
		inputs::stream(&data);
	}

	#[test]
	fn so_is_what_is_nearly_right(
		pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
		more in any::<u8>(),
	) {
		let text = pieces.concat();
		inputs::text(&[&[more], text.as_bytes()].concat());
	}

	/// What other gateways send is verified, whatever is changed in it.
	#[test]
	fn nothing_forged_is_taken_from_a_peer(
		head in prop::array::uniform4(any::<u8>()),
		changes in prop::collection::vec(any::<u8>(), 0..12),
	) {
		inputs::stream(&[&head[..], &changes[..]].concat());
	}
}
