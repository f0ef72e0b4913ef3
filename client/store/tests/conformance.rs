// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Both backends pass the one suite.

mod common;

use common::{Disk, Memory};
use planaria_store::conformance;

#[test]
fn memory_conforms() {
	conformance::run(Memory::new);
}

#[test]
fn disk_conforms() {
	conformance::run(Disk::new);
}
