// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Reed-Solomon coding and commitment of files, streaming.
