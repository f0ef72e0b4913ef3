#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Sets up the machine and builds the node and the command line. The first build takes about twenty
# minutes on two cores.
#
# Usage: scripts/build.sh

. "$(dirname "$0")/lib.sh"

case "${1:-}" in
	-h | --help) sed -n '5,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

"$ROOT/scripts/setup.sh"
[ ! -r "$CACHE/wasm.env" ] || . "$CACHE/wasm.env"
say "building planaria-node and planaria"
cd "$ROOT"
cargo build --release --locked -p planaria-node -p planaria-cli
