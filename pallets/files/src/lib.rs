// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files, segments, storage orders and their removal.
