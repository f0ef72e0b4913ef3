# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
# Sourced by the other scripts: where things are built, and the environment every build needs.

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/planaria"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
export WASM_BUILD_WORKSPACE_HINT="$ROOT"
export OPENSSL_NO_VENDOR=1
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
BIN="$CARGO_TARGET_DIR/release"

# Every package but the pallets and the runtime. Selected together, as here, or as the two programs
# alone, they share what cargo builds of their dependencies; selected otherwise, they do not.
NATIVE=(planaria-node planaria-cli planaria-primitives planaria-worker planaria-runtime-api
	planaria-durable planaria-erasure planaria-store planaria-transfer planaria-seal planaria-pack
	planaria-sdk planaria-engine planaria-gateway planaria-simulation planaria-tests)

# The pallets and the runtime, likewise, with the features of benchmarks and try-runtime.
CHAIN=(pallet-planaria-support pallet-planaria-clock pallet-planaria-miners pallet-planaria-space
	pallet-planaria-files pallet-planaria-restore pallet-planaria-audit pallet-planaria-rewards
	planaria-runtime)

# The Wasm target comes either from rustup's toolchain or from Debian's compiler; setup.sh leaves a
# note of which.
if [ -r "$CACHE/wasm.env" ]; then
	# shellcheck disable=SC1091
	. "$CACHE/wasm.env"
fi

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

TOOLS="$CACHE/tools"
# Builds a tool unless it is there in this version. $1: its crate, $2: its version.
tool() {
	if ! grep -qs "^\"$1 $2 " "$TOOLS/.crates.toml"; then
		say "building $1 $2 into $TOOLS"
		cargo install --quiet --locked --root "$TOOLS" --version "$2" "$1"
	fi
}
