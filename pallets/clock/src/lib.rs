// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The network clock and its beacon.
