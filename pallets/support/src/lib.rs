// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the Planaria pallets share: seams between them, the agenda, the duty gate.
