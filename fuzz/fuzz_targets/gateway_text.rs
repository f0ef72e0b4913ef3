// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! `cargo +nightly fuzz run gateway_text`
#![no_main]

#[path = "../src/gateway.rs"]
#[allow(dead_code)]
mod gateway;

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::text(data));
