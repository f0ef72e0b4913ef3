// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The settings of every pallet.

pub mod admin;
pub mod consensus;
pub mod payment;
pub mod storage;
pub mod system;
