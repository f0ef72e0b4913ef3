// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! `cargo +nightly fuzz run gateway_stream`
#![no_main]

#[path = "../src/gateway.rs"]
#[allow(dead_code)]
mod gateway;

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::stream(data));
