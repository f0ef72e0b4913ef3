// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! `cargo +nightly fuzz run proof`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| planaria_fuzz::proof(data));
