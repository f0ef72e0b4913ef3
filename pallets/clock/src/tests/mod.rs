// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tests, one file per concern.

mod beacon;
mod health;
mod tick;
