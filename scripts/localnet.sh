#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# A network on this machine: validators and storage miners, each a process of its own, on 127.0.0.1
# only. Periods are short (a claim lasts a minute and a half).
#
# Usage: scripts/localnet.sh up [--validators 1|4] [--miners N] [--capacity SIZE]
#        scripts/localnet.sh down            stop it and remove its data
#        scripts/localnet.sh status          who runs, and the chain's state
#        scripts/localnet.sh stop miner K    stop one process (also: validator K)
#        scripts/localnet.sh start miner K [--capacity SIZE]
#
# Environment: PLANARIA_NET  where its data is (default: the cache directory)
#              PLANARIA_PORT first of the 400 ports it may use (default: 21000)
#
# Validator K answers RPC at PORT + 100 + K, miner K at PORT + 200 + K. Miner K's stash is //Miner/K.

. "$(dirname "$0")/lib.sh"

NET="${PLANARIA_NET:-$CACHE/localnet}"
PORT="${PLANARIA_PORT:-21000}"
URL="ws://127.0.0.1:$((PORT + 100))"
NODE="$BIN/planaria-node"
CLI="$BIN/planaria"
VALIDATORS=1
MINERS=5
CAPACITY=16GiB
COLLATERAL='1000 PLAN'
NAMES=(alice bob charlie dave)
# The peer id that belongs to the node key 00..01.
BOOT_KEY=0000000000000000000000000000000000000000000000000000000000000001
BOOTNODE="/ip4/127.0.0.1/tcp/$PORT/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"

usage() { sed -n '5,19s/^# \{0,1\}//p' "$0"; }

# Starts a process of the network and notes its id. $1: its name; the rest: its arguments.
launch() {
	local name="$1"
	shift
	mkdir -p "$NET/$name"
	"$NODE" --base-path "$NET/$name/data" --no-mdns --no-prometheus --no-telemetry \
		--rpc-max-connections 200 --rpc-methods unsafe --state-pruning 1024 --log "${PLANARIA_LOG:-info}" "$@" \
		>>"$NET/$name/log" 2>&1 &
	echo $! >"$NET/$name/pid"
	disown
}

is_up() { # $1: a name
	[ -r "$NET/$1/pid" ] && kill -0 "$(cat "$NET/$1/pid")" 2>/dev/null
}

stop_one() { # $1: a name
	is_up "$1" || return 0
	local pid
	pid="$(cat "$NET/$1/pid")"
	kill "$pid" 2>/dev/null || true
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || { rm -f "$NET/$1/pid"; return 0; }
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$NET/$1/pid"
}

start_validator() { # $1: its number
	local chain=dev
	[ "$VALIDATORS" = 1 ] || chain=local
	local identity=(--bootnodes "$BOOTNODE")
	[ "$1" != 0 ] || identity=(--node-key "$BOOT_KEY")
	launch "validator-$1" --chain "$chain" --validator "--${NAMES[$1]}" --force-authoring \
		--listen-addr "/ip4/127.0.0.1/tcp/$((PORT + $1))" --rpc-port "$((PORT + 100 + $1))" \
		--unsafe-force-node-key-generation "${identity[@]}"
}

start_miner() { # $1: its number, $2: its capacity
	local chain=dev
	[ "$VALIDATORS" = 1 ] || chain=local
	launch "miner-$1" --chain "$chain" --name "miner-$1" --bootnodes "$BOOTNODE" \
		--listen-addr "/ip4/127.0.0.1/tcp/$((PORT + 10 + $1))" --rpc-port "$((PORT + 200 + $1))" \
		--miner --store "$NET/miner-$1/store" --capacity "$2" \
		--transfer-listen "127.0.0.1:$((PORT + 300 + $1))"
}

wait_rpc() { # $1: a url, $2: a name
	for _ in $(seq 240); do
		"$CLI" --url "$1" chain info >/dev/null 2>&1 && return
		is_up "$2" || die "$2 has stopped: $(tail -n 3 "$NET/$2/log")"
		sleep 0.5
	done
	die "$2 does not answer: see $NET/$2/log"
}

check_ports() {
	local used
	used="$( (exec 3<>"/dev/tcp/127.0.0.1/$((PORT + 100))") 2>/dev/null && echo used || true)"
	[ -z "$used" ] || die "port $((PORT + 100)) is in use; set PLANARIA_PORT"
}

up() {
	[ -x "$NODE" ] && [ -x "$CLI" ] || die "not built yet: run scripts/demo.sh, or scripts/build.sh"
	[ ! -e "$NET/settings" ] || die "a network is up already: scripts/localnet.sh down"
	check_ports
	mkdir -p "$NET"
	printf 'VALIDATORS=%s\nMINERS=%s\n' "$VALIDATORS" "$MINERS" >"$NET/settings"
	say "starting $VALIDATORS validator(s) and $MINERS miners in $NET"
	for ((i = 0; i < VALIDATORS; i++)); do start_validator "$i"; done
	wait_rpc "$URL" validator-0
	for ((k = 0; k < MINERS; k++)); do start_miner "$k" "$CAPACITY"; done
	local stash
	for ((k = 0; k < MINERS; k++)); do
		stash="$("$CLI" account address --key "//Miner/$k" --json | jq -r .address)"
		"$CLI" --url "$URL" account transfer "$stash" 10000 --key //Alice --json >/dev/null
	done
	for ((k = 0; k < MINERS; k++)); do
		wait_rpc "ws://127.0.0.1:$((PORT + 200 + k))" "miner-$k"
		"$CLI" --url "$URL" miner register --stash "//Miner/$k" --collateral "$COLLATERAL" \
			--node "ws://127.0.0.1:$((PORT + 200 + k))" --json >"$NET/miner-$k/registered.json"
	done
	# A miner's node signs and pays for its claims with its hot key's account.
	for hot_key in $("$CLI" --url "$URL" miner list --json | jq -r '.. | .hot_key? // empty'); do
		"$CLI" --url "$URL" account transfer "$hot_key" 100 --key //Alice --json >/dev/null
	done
	say "up: planaria --url $URL miner list"
}

down() {
	[ -e "$NET/settings" ] || { say "no network is up"; return; }
	for pid in "$NET"/*/pid; do
		[ -e "$pid" ] && stop_one "$(basename "$(dirname "$pid")")"
	done
	rm -rf "$NET"
	say "down"
}

status() {
	[ -e "$NET/settings" ] || { say "no network is up"; return 1; }
	for directory in "$NET"/validator-* "$NET"/miner-*; do
		name="$(basename "$directory")"
		if is_up "$name"; then echo "$name: pid $(cat "$directory/pid")"; else echo "$name: stopped"; fi
	done
	"$CLI" --url "$URL" chain info
	"$CLI" --url "$URL" miner list
}

command="${1:-}"
[ $# = 0 ] || shift
what=()
while [ $# -gt 0 ]; do
	case "$1" in
		--validators) VALIDATORS="${2:?}"; shift ;;
		--miners) MINERS="${2:?}"; shift ;;
		--capacity) CAPACITY="${2:?}"; shift ;;
		-*) usage >&2; die "unknown option: $1" ;;
		*) what+=("$1") ;;
	esac
	shift
done
case "$VALIDATORS" in 1 | 4) ;; *) die "--validators is 1 or 4" ;; esac
case "$command" in
	up) up ;;
	down) down ;;
	status) status ;;
	stop) stop_one "${what[0]:?}-${what[1]:?}" ;;
	start)
		# shellcheck disable=SC1091
		. "$NET/settings"
		case "${what[0]:?}" in
			miner) start_miner "${what[1]:?}" "$CAPACITY"; wait_rpc "ws://127.0.0.1:$((PORT + 200 + what[1]))" "miner-${what[1]}" ;;
			validator) start_validator "${what[1]:?}" ;;
			*) die "start what? miner K or validator K" ;;
		esac
		;;
	-h | --help | help) usage ;;
	*) usage >&2; exit 2 ;;
esac
