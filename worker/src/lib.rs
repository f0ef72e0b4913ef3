// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a miner should do next: a pure function of the chain and of what is done.
