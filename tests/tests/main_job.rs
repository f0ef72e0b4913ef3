// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The main job: a real file is stored, damaged, and regrown by the miners through the chain.

use planaria_tests::{binary, root};
use std::process::Command;

/// The demo checks every step it shows, and fails where anything is not as it should be.
#[test]
fn a_real_file_is_stored_lost_and_regrown() {
	let data = tempfile::tempdir().expect("a directory");
	let status = Command::new(root().join("scripts/demo.sh"))
		.args(["--no-build", "--file"])
		.arg(binary("planaria-node").expect("built"))
		.env("PLANARIA_NET", data.path().join("net"))
		.env("PLANARIA_PORT", "23000")
		.status()
		.expect("the demo runs");
	assert!(status.success(), "{status}");
}
