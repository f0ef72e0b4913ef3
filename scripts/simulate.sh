#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Simulates the restore protocol with faults by seed: see docs/simulation.md. Exits with 1 when
# something recoverable was lost or an invariant broke. Builds the simulation first.
#
# Usage: scripts/simulate.sh [--seeds N] [--first-seed N] [--miners N] [--segments N] [--days N]
#          [--coding data+parity] [--faults LIST] [--bandwidth BYTES] [--jobs N] [--threads N]
#          [--scaling] [--json]
#   scripts/simulate.sh --help                                     explains each of them
#   scripts/simulate.sh --miners 300 --segments 100000 --days 30   the size it is meant for

. "$(dirname "$0")/lib.sh"
cd "$ROOT"

cargo build -q --release --locked "${NATIVE[@]/#/-p}" --bin planaria-simulate >&2
exec "$BIN/planaria-simulate" "$@"
