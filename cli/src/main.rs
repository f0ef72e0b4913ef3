// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The Planaria command line.

fn main() {}
