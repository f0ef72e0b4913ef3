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
cargo bench -q "${NATIVE[@]/#/-p}" --features planaria-erasure/simd-reference --bench erasure -- "${FORMAT[@]}"

# restore/: real transfers and stores, the chain is a table.
cargo bench -q "${NATIVE[@]/#/-p}" --bench restore -- "${FORMAT[@]}"

# restore/find-…: the search for what a dead miner held, over a state of a million segments.
cargo bench -q "${NATIVE[@]/#/-p}" --bench find -- "${FORMAT[@]}"

# transfer/: the same number of bytes by raw iroh is the baseline.
TRANSFER="$(cargo run -q --release "${NATIVE[@]/#/-p}" --bin planaria-bench-transfer)"
RAW="$(printf '%s\n' "$TRANSFER" | jq -s 'map(select(.name == "transfer/put"))[0].baseline')"

# Prints rows as they are wanted.
rows() {
	if [ ${#FORMAT[@]} = 0 ]; then
		jq -r '[.name, (.value | tostring), .unit, ((.ratio // "") | tostring), (.goal | tostring),
			(if .met then "yes" else "NO" end)] | @tsv' | column -t -s $'\t'
	else
		jq -c .
	fi
}
# $1: name, $2: value, $3: unit, $4: baseline or null, $5: goal, $6: what must hold, in jq
row() {
	jq -nc --arg name "$1" --argjson value "$2" --arg unit "$3" --argjson baseline "$4" \
		--argjson goal "$5" "{\$name, \$value, \$unit, \$baseline,
		ratio: (if \$baseline then \$value / \$baseline else null end), \$goal} | .met = ($6)"
}
printf '%s\n' "$TRANSFER" | rows

# simulate/: the restore protocol under faults, with 10,000 to 100,000 segments.
cargo build -q --release "${NATIVE[@]/#/-p}" --bin planaria-simulate
SIMULATED="$("$BIN/planaria-simulate" --scaling --miners 300 --days 30 --json || true)"
sim() { # $1: what of all runs, in jq
	printf '%s\n' "$SIMULATED" | jq -s "sort_by(.config.segments) | $1"
}
{
	row simulate/recoverable-lost "$(sim 'map(.durability.lost_recoverable) | add')" segments null 0 '.value == 0'
	row simulate/violations "$(sim 'map(.violations | length) | add')" '' null 0 '.value == 0'
	row simulate/read-per-byte-lost "$(sim '.[-1].traffic.read_per_lost')" '' null null true
	row simulate/read-per-byte-rebuilt "$(sim '.[-1].traffic.read_per_rebuilt')" '' null 4 '.value <= 4'
	row simulate/read-per-byte-copied "$(sim '.[-1].traffic.read_per_copied')" '' null 1.02 '.value <= 1.02'
	row simulate/repair-median "$(sim '.[-1].repair.p50')" s null null true
	row simulate/repair-p99 "$(sim '.[-1].repair.p99')" s null null true
	row simulate/block-space-per-fragment "$(sim '.[-1].chain.bytes_per_restored')" bytes null 400 '.value <= 400'
	row simulate/holders-per-full-batch "$(sim '.[-1].chain.reporting.holders_of_full')" miners null 10 '.value <= 10'
	row simulate/300-miners-100000-segments-30-days "$(sim '.[-1].wall_secs')" s null 600 '.value <= 600'
	row simulate/cost-of-ten-times-the-segments "$(sim '.[-1].cpu_secs')" s "$(sim '.[0].cpu_secs')" 10 '.ratio <= 10'
} | rows

# audit/: from the measured weights.
cargo run -q --release "${NATIVE[@]/#/-p}" --bin planaria-bench-audit | rows

# put/ and node/: a network of 1 validator and 13 miners.
export PLANARIA_NET="$CACHE/bench" PLANARIA_PORT="${PLANARIA_PORT:-26000}"
URL="ws://127.0.0.1:$((PLANARIA_PORT + 100))"
WORK="$(mktemp -d -p "$CACHE")"
trap '"$ROOT/scripts/localnet.sh" down 2>/dev/null; rm -rf "$WORK"' EXIT
"$ROOT/scripts/localnet.sh" up --miners 13 2>/dev/null

rpc() { # $1: method, $2: parameters as JSON
	curl -sS -H 'content-type: application/json' "${URL/ws:/http:}" \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" | jq -r .result
}
height() { printf '%d' "$(rpc chain_getHeader '[]' | jq -r .number)"; }
peak() { awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$1/status" 2>/dev/null || true; }

SLOTS=30
FROM="$(height)"
sleep $((2 * SLOTS))
row node/slots-authored-13-miners "$(($(height) - FROM))" "of $SLOTS" $SLOTS 1 '.ratio >= 0.96' | rows

head -c 1G /dev/urandom >"$WORK/file"
"$BIN/planaria" --url "$URL" --json put "$WORK/file" --public --coding lean --key //Alice >"$WORK/put.json" &
CLIENT=$!
CLIENT_PEAK=0
while kill -0 $CLIENT 2>/dev/null; do
	NOW="$(peak $CLIENT)"
	[ "${NOW:-0}" -le $CLIENT_PEAK ] || CLIENT_PEAK=$NOW
	sleep 0.2
done
wait $CLIENT
SPEED="$(jq '.stored_bytes / .seconds / 1e6' "$WORK/put.json")"
MINER_PEAK=0
for pid in "$PLANARIA_NET"/miner-*/pid; do
	NOW="$(peak "$(cat "$pid")")"
	[ "$NOW" -le $MINER_PEAK ] || MINER_PEAK=$NOW
done
# A segment's key and value in the chain's database; the prefix is twox128 of Files and Segments.
PREFIX=0xb3b78f30e9b952d60249b22fcdaaa76d056262a1c72cd504fff8b2729e7d63e9
{
	row put/lean-1GiB "$SPEED" MB/s "$RAW" 0.5 '.ratio >= 0.5'
	row put/client-memory "$CLIENT_PEAK" MiB null 512 '.value < 512'
	row put/miner-memory "$MINER_PEAK" MiB null 400 '.value < 400'
	KEY="$(rpc state_getKeysPaged "[\"$PREFIX\", 1]" | jq -r '.[0]')"
	row node/segment-value-3-fragments "$(rpc state_getStorageSize "[\"$KEY\"]")" bytes null 38 '.value == 38'
	row node/segment-key "$(((${#KEY} - 2) / 2))" bytes null 40 '.value == 40'
} | rows

# restore/: networks of its own.
"$ROOT/scripts/localnet.sh" down 2>/dev/null
rm -rf "$WORK"
cargo build -q --release "${NATIVE[@]/#/-p}" --bin planaria-bench-restore
"$BIN/planaria-bench-restore" $((PLANARIA_PORT + 400)) | rows

# gateway/: a network of its own. The sizes in MiB of one object, and of each of 16 at once.
cargo build -q --release "${NATIVE[@]/#/-p}" --bin planaria-bench-gateway --bin planaria-bench-transfer
"$BIN/planaria-bench-gateway" $((PLANARIA_PORT + 1200)) "${GATEWAY_MIB:-1024}" "${GATEWAY_PARALLEL_MIB:-128}" | rows
