#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Sets up the machine, builds Planaria, starts a network on it and shows the main job: a real file
# is stored on several miners, damaged, and restored by the miners themselves through the chain.
# Each step checks what it says, and the script fails where anything is not as it should be.
#
# Usage: scripts/demo.sh [--standard] [--file FILE] [--no-build] [--keep]
#   --standard  4+8 on 13 miners instead of 2+1 on 5
#   --file      store this file instead of the node's own program
#   --no-build  use the programs that are built already
#   --keep      leave the network running at the end

. "$(dirname "$0")/lib.sh"

usage() { sed -n '5,13s/^# \{0,1\}//p' "$0"; }

CODING=lean MINERS=5 BUILD=1 KEEP= FILE="$BIN/planaria-node"
while [ $# -gt 0 ]; do
	case "$1" in
		--standard) CODING=standard MINERS=13 ;;
		--file) FILE="${2:?}"; shift ;;
		--no-build) BUILD= ;;
		--keep) KEEP=1 ;;
		-h | --help) usage; exit 0 ;;
		*) usage >&2; die "unknown option: $1" ;;
	esac
	shift
done

[ -z "$BUILD" ] || "$ROOT/scripts/build.sh"

export PLANARIA_NET="${PLANARIA_NET:-$CACHE/demo}"
export PLANARIA_PORT="${PLANARIA_PORT:-22000}"
export PLANARIA_URL="ws://127.0.0.1:$((PLANARIA_PORT + 100))"
LOCALNET="$ROOT/scripts/localnet.sh"
WORK="$(mktemp -d)"

finish() {
	local code=$?
	[ $code = 0 ] || say "the demo failed; logs were in $PLANARIA_NET"
	if [ -z "$KEEP" ]; then "$LOCALNET" down || true; fi
	rm -rf "$WORK"
	exit $code
}
trap finish EXIT

planaria() { "$BIN/planaria" --json "$@"; }
node_url() { echo "ws://127.0.0.1:$((PLANARIA_PORT + 200 + $1))"; } # $1: the number of its process
rpc() { # $1: a url, $2: a method; the rest: its parameters as JSON
	local url="${1/ws:/http:}" method="$2"
	shift 2
	local IFS=,
	curl -sS -H 'content-type: application/json' "$url" \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$method\",\"params\":[$*]}" |
		jq -e 'if .error then error(.error.message) else .result end'
}

STARTED=$SECONDS
step() { printf '\n\033[1m[%3d s] %s\033[0m\n' "$((SECONDS - STARTED))" "$*"; }
done_in() { printf '        %s (%d s)\n' "$1" "$((SECONDS - $2))"; }

# Waits until a command succeeds. $1: what for, $2: seconds; the rest: the command.
await() {
	local what="$1" limit="$2" begun=$SECONDS
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - begun)) -lt "$limit" ] || die "this did not happen within $limit s: $what"
		sleep 1
	done
	done_in "$what" "$begun"
}

get_and_compare() {
	local begun=$SECONDS
	planaria get "$INDEX" -o "$WORK/out" --force >/dev/null
	cmp "$FILE" "$WORK/out" || die "the bytes read are not the bytes stored"
	rm -f "$WORK/out"
	done_in "planaria get: identical, $(stat -c %s "$FILE") bytes" "$begun"
}

# A process's store, and a fragment's file in it.
store_of() { echo "$PLANARIA_NET/miner-$1/store"; }
path_of() { echo "$(store_of "$1")/fragments/${2:0:2}/${2:2:2}/$2"; }

# ---------------------------------------------------------------------------------------------

step "1. A network: 1 validator and $MINERS miners, each with collateral and an endpoint"
BEGUN=$SECONDS
"$LOCALNET" up --miners "$MINERS"
[ "$(planaria miner list | jq '[.. | objects | select(.standing? == "serving")] | length')" = "$MINERS" ] ||
	die "not all miners serve"
done_in "$MINERS miners serve" "$BEGUN"

step "2. A real file of $(($(stat -c %s "$FILE") >> 20)) MiB is stored ($CODING)"
BEGUN=$SECONDS
export PLANARIA_ENCRYPTION_KEY_FILE="$WORK/encryption.key"
planaria keys encryption generate -o "$PLANARIA_ENCRYPTION_KEY_FILE" >/dev/null
planaria put "$FILE" --coding "$CODING" --label demo --key //Alice >"$WORK/put.json"
INDEX="$(jq .file "$WORK/put.json")"
done_in "file $INDEX is active: every fragment is confirmed on chain" "$BEGUN"
get_and_compare
"$BIN/planaria" file status "$INDEX" --all | head -n 24

step "3. A byte of one fragment is flipped, another fragment is deleted, on the same miner"
VICTIM=0
URL="$(node_url $VICTIM)"
rpc "$URL" miner_fragments null 256 >"$WORK/fragments.json"
FLIPPED="$(jq -r '.[0].hash' "$WORK/fragments.json")"
DELETED="$(jq -r '.[1].hash' "$WORK/fragments.json")"
printf '\x55' | dd of="$(path_of $VICTIM "$FLIPPED")" bs=1 seek=4711 conv=notrunc status=none
rm "$(path_of $VICTIM "$DELETED")"
BEGUN=$SECONDS
"$BIN/planaria" --url "$URL" miner check >/dev/null
whole() { # the fragments given are stored and whole in the victim's store
	local hash
	rpc "$URL" miner_fragments null 256 >"$WORK/now.json"
	for hash in "$@"; do
		jq -e --arg hash "$hash" '.[] | select(.hash == $hash) | .broken == false' "$WORK/now.json" &&
			[ -s "$(path_of $VICTIM "$hash")" ] || return 1
	done
}
rebuilt() { [ "$(rpc "$URL" miner_status | jq .engine.totals.rebuilt)" -ge "$1" ]; }
await "self-check has found both and rebuilt them from the other holders" 120 rebuilt 2
whole "$FLIPPED" "$DELETED" || die "they are not whole"
done_in "quarantined: $(ls "$(store_of $VICTIM)/quarantine" | wc -l) damaged copy is kept aside" "$BEGUN"
get_and_compare

step "4. A miner whose store is full cannot restore by itself: it opens a restore order"
FULL=1
"$LOCALNET" stop miner-$FULL
LOST="$(find "$(store_of $FULL)/fragments" -type f ! -name '*.side' | head -n 1)"
printf '\x55' | dd of="$LOST" bs=1 seek=99 conv=notrunc status=none
"$LOCALNET" start miner-$FULL --capacity 1MiB
BEFORE="$(rpc "$(node_url $FULL)" miner_status | jq .chain.fragments)"
BEGUN=$SECONDS
"$BIN/planaria" --url "$(node_url $FULL)" miner check >/dev/null
opened() { [ "$(rpc "$PLANARIA_URL" restore_orders | jq length)" -ge 1 ]; }
handed_over() { [ "$(rpc "$(node_url $FULL)" miner_status | jq .chain.fragments)" -lt "$BEFORE" ]; }
either() { opened || handed_over; }
await "the order is open" 120 either
await "another miner has claimed it, rebuilt the fragment, and proven it: the holder changed" 240 handed_over
get_and_compare
"$LOCALNET" stop miner-$FULL
"$LOCALNET" start miner-$FULL --capacity 16GiB

step "5. A miner exits: the others find its fragments, claim, copy and report them"
LEAVER=2
LEAVER_ID="$(rpc "$(node_url $LEAVER)" miner_status | jq .chain.miner)"
HELD="$(rpc "$(node_url $LEAVER)" miner_status | jq .chain.fragments)"
BEGUN=$SECONDS
planaria miner exit --stash "//Miner/$LEAVER" >/dev/null
"$BIN/planaria" restore targets
moved() { [ "$(rpc "$(node_url 0)" restore_targets | jq '.[0].fragments // 0')" = 0 ]; }
await "all $HELD fragments have new holders" 900 moved
get_and_compare
await "it disconnects" 60 planaria miner finish "$LEAVER_ID" --key //Alice
get_and_compare
free() { planaria miner withdraw 1000 --stash "//Miner/$LEAVER"; }
await "after the cooldown its collateral is free" 300 free
"$LOCALNET" stop miner-$LEAVER
done_in "its process is stopped" "$BEGUN"
get_and_compare
"$BIN/planaria" file status "$INDEX"

step "Done in $((SECONDS - STARTED)) s: nothing was lost."
