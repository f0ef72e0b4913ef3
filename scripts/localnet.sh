#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# A network on this machine: validators and storage miners, each a process of its own, on 127.0.0.1
# only. Periods are short: a claim lasts a minute, a silent miner is absent after one and a half.
#
# Usage: scripts/localnet.sh up [--validators 1|4] [--miners N] [--capacity SIZE] [--while PID]
#        scripts/localnet.sh down           stop it and remove its data
#        scripts/localnet.sh status         who runs, and the chain's state
#        scripts/localnet.sh start NODE…    [--capacity SIZE] [--apart]
#        scripts/localnet.sh stop NODE…     end it and wait until it has ended
#        scripts/localnet.sh kill NODE…     end it as a power cut does
#        scripts/localnet.sh pause NODE…    freeze it: it is there and does not answer
#        scripts/localnet.sh resume NODE…   let it go on
#        scripts/localnet.sh wipe NODE…     delete the store of a miner that does not run
#
# NODE is miner-K or validator-K, counted from 0. Miner K is registered as number K, with the stash
# //Miner/K; a miner that is started and was not up before is new, and not registered. Validator K
# answers RPC at PORT + 100 + K, miner K at PORT + 200 + K.
#   --while    take the network down when this process has ended
#   --apart    a node that is apart talks only to others that are: a network that is cut in two.
#              Stopped and started without it, it joins again. Fragments cross the cut.
#
# Environment: PLANARIA_NET  where its data is (default: the cache directory)
#              PLANARIA_PORT first of the 400 ports it may use (default: 21000)
#
# Example: see a network lose a miner and regrow what it held
#   scripts/localnet.sh up --miners 6
#   planaria --url ws://127.0.0.1:21100 put FILE --coding lean --key //Alice
#   scripts/localnet.sh kill miner-2 && scripts/localnet.sh wipe miner-2
#   planaria --url ws://127.0.0.1:21100 restore watch

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
WHILE=
APART=
NAMES=(alice bob charlie dave)
# Who owns something: each gives to every sixth miner, so that they need not wait for each other.
RICH=(Alice Bob Charlie Dave Eve Ferdie)
# The peer ids that belong to the node keys 00..01 to 00..04, the validators'.
PEERS=(
	12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp
	12D3KooWHdiAxVd8uMQR1hGWXccidmfCwLqcMpGwR6QcTP6QRMuD
	12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x
	12D3KooWSsChzF81YDUKpe9Uk5AHV5oqAaXAcWNSPYgoLauUk4st
)

usage() { sed -n '5,33s/^# \{0,1\}//p' "$0"; }

# Starts a process of the network and notes its id. $1: its name; the rest: its arguments.
launch() {
	local name="$1" chain=dev v
	shift
	! is_up "$name" || die "$name runs already"
	[ "$VALIDATORS" = 1 ] || chain=local
	[ -z "$APART" ] || chain="$NET/apart.json"
	mkdir -p "$NET/$name"
	for ((v = 0; v < VALIDATORS; v++)); do
		[ "$name" = "validator-$v" ] ||
			set -- "$@" --bootnodes "/ip4/127.0.0.1/tcp/$((PORT + v))/p2p/${PEERS[v]}"
	done
	"$NODE" --chain "$chain" --base-path "$NET/$name/data" --no-mdns --no-prometheus --no-telemetry \
		--rpc-max-connections 200 --rpc-methods unsafe --state-pruning 1024 --log "${PLANARIA_LOG:-info}" "$@" \
		>>"$NET/$name/log" 2>&1 &
	echo $! >"$NET/$name/pid"
	disown
}

# The same chain under other protocol names: nodes of the one do not understand those of the other.
write_apart() {
	[ -e "$NET/apart.json" ] || {
		"$NODE" export-chain-spec --chain local --raw 2>/dev/null |
			jq '.forkId = "apart" | .protocolId = "apart"' >"$NET/apart.json.new"
		mv "$NET/apart.json.new" "$NET/apart.json"
	}
}

is_up() { # $1: a name
	[ -r "$NET/$1/pid" ] && kill -0 "$(cat "$NET/$1/pid")" 2>/dev/null
}

# $1: a name, $2: the signal, $3: how many tenths of a second to wait before it is killed
end() {
	is_up "$1" || return 0
	local pid
	pid="$(cat "$NET/$1/pid")"
	kill "-$2" "$pid" 2>/dev/null || true
	kill -CONT "$pid" 2>/dev/null || true
	for _ in $(seq "$3"); do
		kill -0 "$pid" 2>/dev/null || { rm -f "$NET/$1/pid"; return 0; }
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$NET/$1/pid"
}

start_validator() { # $1: its number
	launch "validator-$1" --validator "--${NAMES[$1]}" --force-authoring \
		--listen-addr "/ip4/127.0.0.1/tcp/$((PORT + $1))" --rpc-port "$((PORT + 100 + $1))" \
		--node-key "$(printf '%064x' $(($1 + 1)))"
}

start_miner() { # $1: its number, $2: its capacity
	# A store that is not there was wiped: its file system is not what is missing.
	[ -e "$NET/miner-$1/store/planaria-store" ] || set -- "$1" "$2" --new-store
	launch "miner-$1" --name "miner-$1" \
		--listen-addr "/ip4/127.0.0.1/tcp/$((PORT + 10 + $1))" --rpc-port "$((PORT + 200 + $1))" \
		--miner --store "$NET/miner-$1/store" --capacity "$2" \
		--transfer-listen "127.0.0.1:$((PORT + 300 + $1))" "${@:3}"
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
	[ -z "$WHILE" ] || {
		# Whatever happens to the terminal of what started it, this goes on until then.
		(
			trap '' INT HUP
			while kill -0 "$WHILE" 2>/dev/null && [ -e "$NET/settings" ]; do sleep 1; done
			exec "$0" down
		) >/dev/null 2>&1 </dev/null &
		disown
	}
	say "starting $VALIDATORS validator(s) and $MINERS miners in $NET"
	for ((i = 0; i < VALIDATORS; i++)); do start_validator "$i"; done
	wait_rpc "$URL" validator-0
	for ((k = 0; k < MINERS; k++)); do start_miner "$k" "$CAPACITY"; done
	local addresses=()
	for ((k = 0; k < MINERS; k++)); do
		addresses+=("$("$CLI" account address --key "//Miner/$k" --json | jq -r .address)")
	done
	give 10000 "${addresses[@]}"
	for ((k = 0; k < MINERS; k++)); do
		wait_rpc "ws://127.0.0.1:$((PORT + 200 + k))" "miner-$k"
		"$CLI" --url "$URL" miner register --stash "//Miner/$k" --collateral "$COLLATERAL" \
			--node "ws://127.0.0.1:$((PORT + 200 + k))" --json >"$NET/miner-$k/registered.json"
	done
	# A miner's node signs and pays for its claims with its hot key's account.
	mapfile -t addresses < <("$CLI" --url "$URL" miner list --json | jq -r '.. | .hot_key? // empty')
	give 100 "${addresses[@]}"
	say "up: planaria --url $URL miner list"
}

# Gives tokens to accounts. $1: how many; the rest: their addresses.
give() {
	local amount="$1" rich jobs=() job
	shift
	for ((rich = 0; rich < ${#RICH[@]}; rich++)); do
		for ((i = rich + 1; i <= $#; i += ${#RICH[@]})); do
			"$CLI" --url "$URL" account transfer "${!i}" "$amount" --key "//${RICH[rich]}" --json \
				>/dev/null || exit 1
		done &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do wait "$job" || die "could not give tokens to the miners"; done
}

down() {
	[ -e "$NET/settings" ] || { say "no network is up"; return; }
	local pid jobs=()
	for pid in "$NET"/*/pid; do
		[ ! -e "$pid" ] || { end "$(basename "$(dirname "$pid")")" TERM 100 & jobs+=($!); }
	done
	[ ${#jobs[@]} = 0 ] || wait "${jobs[@]}" || true
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

# $1: miner-K or validator-K
start_one() {
	local kind="${1%-*}" number="${1##*-}"
	case "$kind" in
		miner) start_miner "$number" "$CAPACITY"; wait_rpc "ws://127.0.0.1:$((PORT + 200 + number))" "$1" ;;
		validator) start_validator "$number"; wait_rpc "ws://127.0.0.1:$((PORT + 100 + number))" "$1" ;;
	esac
}

wipe() { # $1: a name
	! is_up "$1" || die "$1 still runs"
	rm -rf "${NET:?}/$1/store"
}

command="${1:-}"
[ $# = 0 ] || shift
nodes=()
while [ $# -gt 0 ]; do
	case "$1" in
		--validators) VALIDATORS="${2:?}"; shift ;;
		--miners) MINERS="${2:?}"; shift ;;
		--capacity) CAPACITY="${2:?}"; shift ;;
		--while) WHILE="${2:?}"; shift ;;
		--apart) APART=1 ;;
		-h | --help) usage; exit 0 ;;
		miner-[0-9]* | validator-[0-9]*) nodes+=("$1") ;;
		*) usage >&2; die "unknown option or node: $1" ;;
	esac
	shift
done
case "$VALIDATORS" in 1 | 4) ;; *) die "--validators is 1 or 4" ;; esac
case "$command" in
	up) up; exit ;;
	down) down; exit ;;
	status) status; exit ;;
	-h | --help | help) usage; exit 0 ;;
	start | stop | kill | pause | resume | wipe) ;;
	*) usage >&2; exit 2 ;;
esac
[ -e "$NET/settings" ] || die "no network is up"
[ ${#nodes[@]} -gt 0 ] || die "which node? miner-K or validator-K"
# shellcheck disable=SC1091
. "$NET/settings"
[ -z "$APART" ] || write_apart
for node in "${nodes[@]}"; do
	[ -d "$NET/$node" ] || [ "$command" = start ] || die "there is no $node"
	case "$command" in
		start) start_one "$node" ;;
		stop) end "$node" TERM 100 ;;
		kill) end "$node" KILL 100 ;;
		pause) is_up "$node" && kill -STOP "$(cat "$NET/$node/pid")" || die "$node does not run" ;;
		resume) is_up "$node" && kill -CONT "$(cat "$NET/$node/pid")" || die "$node does not run" ;;
		wipe) wipe "$node" ;;
	esac
done
