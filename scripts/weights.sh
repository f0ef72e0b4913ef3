#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Measures the weights of our pallets on this machine, and writes pallets/*/src/weights/measured.rs.
# Without a pallet: all of them. Needs an otherwise idle machine; other work makes weights larger.
#
# Usage: scripts/weights.sh [--steps N] [--repeat N] [PALLET…]
#   --steps N    values of each component, 20 unless told
#   --repeat N   measurements of each value at least, 10 unless told
#   PALLET       a directory of pallets/, as clock or restore
#
# Builds the runtime with its benchmarks, and the bencher into the cache directory. Afterwards
# `scripts/test.sh chain` says whether everything still fits into a block.
#
# The bencher has a thousand dependencies: it is built without what makes that take even longer. It
# measures Wasm that it compiles itself, so its own optimisation does not matter much.

. "$(dirname "$0")/lib.sh"

STEPS=20
REPEAT=10
PALLETS=()
while [ $# -gt 0 ]; do
	case "$1" in
		-h | --help) sed -n '5,16s/^# \{0,1\}//p' "$0"; exit 0 ;;
		--steps) STEPS="${2:?}"; shift ;;
		--repeat) REPEAT="${2:?}"; shift ;;
		-*) die "unknown argument: $1 (see --help)" ;;
		*)
			[ -r "$(dirname "$0")/../pallets/$1/src/benchmarking.rs" ] || die "no pallet to measure: $1"
			PALLETS+=("$1")
			;;
	esac
	shift
done

cd "$ROOT"
if [ ${#PALLETS[@]} = 0 ]; then
	for benchmarks in pallets/*/src/benchmarking.rs; do
		PALLETS+=("$(basename "${benchmarks%/src/*}")")
	done
fi
"$ROOT/scripts/setup.sh"
# shellcheck disable=SC1091
[ ! -r "$CACHE/wasm.env" ] || . "$CACHE/wasm.env"
SKIP_WASM_BUILD=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
	CARGO_TARGET_DIR="$CACHE/bencher" \
	cargo build --release --locked --manifest-path scripts/bencher/Cargo.toml
BENCHER="$CACHE/bencher/release/planaria-bencher"
say "building the runtime with its benchmarks"
cargo build --release --locked -p planaria-runtime --features runtime-benchmarks
RUNTIME="$BIN/wbuild/planaria-runtime/planaria_runtime.compact.compressed.wasm"

for pallet in "${PALLETS[@]}"; do
	output="pallets/$pallet/src/weights/measured.rs"
	say "measuring $pallet"
	"$BENCHER" --runtime "$RUNTIME" \
		--genesis-builder runtime --genesis-builder-preset development \
		--pallet "pallet_planaria_$pallet" --extrinsic '*' --steps "$STEPS" --repeat "$REPEAT" \
		--template scripts/weights.hbs --output "$output" --quiet
	rustfmt "$output"
done
