// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The Planaria node: validator, storage miner, RPC.

fn main() {}
