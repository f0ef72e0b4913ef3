#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Runs network.mjs with the packages of package-lock.json, which are installed into the cache
# directory.
#
# Usage: tests/polkadot-js/run.sh register|exit … (see network.mjs)

. "$(dirname "$0")/../../scripts/lib.sh"

SOURCE="$(cd "$(dirname "$0")" && pwd)"
INSTALLED="$CACHE/polkadot-js"
mkdir -p "$INSTALLED"
if ! cmp -s "$SOURCE/package-lock.json" "$INSTALLED/of.json"; then
	say "installing @polkadot/api into $INSTALLED"
	rm -f "$INSTALLED/of.json"
	cp "$SOURCE/package.json" "$SOURCE/package-lock.json" "$INSTALLED/"
	(cd "$INSTALLED" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund >&2)
	cp "$SOURCE/package-lock.json" "$INSTALLED/of.json"
fi
# Modules are looked for beside the program.
cp "$SOURCE/network.mjs" "$INSTALLED/network.mjs"
exec node "$INSTALLED/network.mjs" "$@"
