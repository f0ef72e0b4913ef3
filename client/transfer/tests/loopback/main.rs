// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Clients and servers over loopback, with real endpoints, and with peers that break the rules.

#![allow(missing_docs, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod fixture;
mod get;
mod handshake;
mod hostile_client;
mod hostile_server;
mod lifecycle;
mod limits;
mod put;
