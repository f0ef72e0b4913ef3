#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Measures what Planaria promises and prints a table, or one JSON object per line:
# {"name","value","unit","baseline","ratio","goal","met"}. A ratio is taken within one run.
# A figure that is not met is printed as such; it is no error. Needs an otherwise idle machine.
#
# Usage: scripts/bench.sh [--json]

. "$(dirname "$0")/lib.sh"

FORMAT=()
case "${1:-}" in
	-h | --help) sed -n '5,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
	--json) FORMAT=(--json) ;;
	"") ;;
	*) die "unknown argument: $1 (see --help)" ;;
esac
cd "$ROOT"

# erasure/ and proof/
cargo bench -q -p planaria-erasure --bench erasure -- "${FORMAT[@]}"
