// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The commands, one module each.

pub mod account;

pub mod chain;

pub mod file;

pub mod get;

pub mod miner;

pub mod put;

pub mod restore;
