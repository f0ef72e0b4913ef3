// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Miner registry, capacity, collateral, standing, liveness and restore targets.
