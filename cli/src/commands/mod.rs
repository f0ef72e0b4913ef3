// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The commands, one module each.

pub mod account;

pub mod chain;

pub mod file;

pub mod gateway;

pub mod get;

pub mod keys;

pub mod miner;

mod object;

pub mod put;

pub mod restore;

pub mod space;
