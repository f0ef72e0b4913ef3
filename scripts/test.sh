#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Sets up the machine, builds everything and runs every test, the whole-network tests included.
#
# Usage: scripts/test.sh [build|clients|chain|network ...]     (default: all of them, in this order)
#   build    set up the machine, build the node and the command line
#   clients  the formats, the worker, the client crates, the command line, the node, the simulation
#   chain    the pallets and the runtime, with benchmarks and try-runtime
#   network  networks of real processes on this machine

. "$(dirname "$0")/lib.sh"
cd "$ROOT"

run_build() { "$ROOT/scripts/build.sh"; }

run_clients() { cargo test --release --locked "${NATIVE[@]/#/-p}"; }

run_chain() {
	SKIP_WASM_BUILD=1 cargo test --release --locked "${CHAIN[@]/#/-p}" \
		--features runtime-benchmarks,try-runtime
}

# Networks mostly wait for blocks: three of them run at a time, in the order of these lists, which
# take about as long as each other.
NETWORKS=(
	"restoration loss"
	"gateway fork"
	"audit failures main_job polkadot_js"
)

run_network() {
	local test=(cargo test --release --locked "${NATIVE[@]/#/-p}" --features planaria-tests/network)
	local failed=0 list lists=()
	"${test[@]}" --no-run
	LOGS=$(mktemp -d)
	for list in "${NETWORKS[@]}"; do
		run_networks $list &
		lists+=($!)
	done
	for list in "${lists[@]}"; do wait "$list" || failed=1; done
	# Last, where it is found: what failed, though it may have passed when it was run again.
	find "$LOGS" -name '*.failed' -exec cat {} + >&2
	rm -r "$LOGS"
	return "$failed"
}

# $@: the tests of networks to run one after the other.
run_networks() {
	local name failed=0
	for name in "$@"; do run_one "$name" || failed=1; done
	return "$failed"
}

# Runs a test of networks; whose a line is stands before it. On a machine that stands still for
# seconds at a time a deadline may pass that should not: what failed is run once more, alone.
# $1: its name.
run_one() {
	local log="$LOGS/$1" again
	if run_cases "$1" "$log"; then return; fi
	mapfile -t again < <(sed -n "/^$1: failures:$/,\$ s/^$1:     \([a-z_0-9]*\)$/\1/p" "$log")
	{
		say "== $1: failed at first: ${again[*]:-to run at all}"
		grep -E -A 8 "^$1: (.*panicked at|.*Error: )" "$log" || tail -n 20 "$log"
	} >"$log.failed" 2>&1
	[ "${#again[@]}" -gt 0 ] || return 1
	run_cases "$1" "$log" --exact "${again[@]}"
}

# $1: the test's name, $2: where its output goes as well; the rest: arguments.
run_cases() {
	"${test[@]}" --test "$1" -- --test-threads 1 --nocapture "${@:3}" 2>&1 |
		sed -u "s/^/$1: /" | tee "$2"
}

case "${1:-}" in
	-h | --help) sed -n '5,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
	"") set -- build clients chain network ;;
esac
for part in "$@"; do
	case "$part" in
		build | clients | chain | network) ;;
		*) die "unknown part: $part (see --help)" ;;
	esac
	say "== $part"
	begun=$SECONDS
	"run_$part"
	say "== $part: $((SECONDS - begun)) s"
done
