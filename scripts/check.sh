#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Checks everything about the sources that is not a test. Without a step: all of them, in this
# order; one that fails does not keep the others from running, but the script fails.
#
# Usage: scripts/check.sh [STEP…]
#   spdx             every Rust and shell file says its licence and who holds the copyright
#   shell            the shell scripts can be parsed
#   fmt              rustfmt would change nothing
#   clippy           no warnings in everything native
#   clippy-features  no warnings in pallets and runtime, with runtime-benchmarks and try-runtime
#   doc              the documentation builds without warnings
#   features         features reach every dependency that has them (zepter)
#   deny             licences, banned crates and sources of the dependencies (cargo-deny)
#
# zepter and cargo-deny are built once, into the cache directory, if they are not there.

. "$(dirname "$0")/lib.sh"

STEPS=(spdx shell fmt clippy clippy-features doc features deny)
CARGO_DENY=0.20.2
ZEPTER=1.88.2
export SKIP_WASM_BUILD=1

usage() { sed -n '5,20s/^# \{0,1\}//p' "$0"; }

# The scripts among the files of the repository.
scripts() { git ls-files -- '*.sh' .ci/run; }

step_spdx() {
	local file head bad=0 count=0
	while read -r file; do
		count=$((count + 1))
		head="$(head -n 3 "$file")"
		if ! grep -q 'SPDX-License-Identifier: Apache-2.0$' <<<"$head" ||
			! grep -q 'SPDX-FileCopyrightText: The Planaria developers$' <<<"$head"; then
			echo "$file: no SPDX header" >&2
			bad=1
		fi
	done < <(git ls-files -- '*.rs' && scripts)
	[ $count -gt 0 ] || die "git lists no files"
	[ $bad = 0 ] || die "the first lines of a file say: SPDX-License-Identifier: Apache-2.0," \
		"SPDX-FileCopyrightText: The Planaria developers"
}

step_shell() {
	local file bad=0
	while read -r file; do
		bash -n "$file" || bad=1
	done < <(scripts)
	[ $bad = 0 ] || die "not all scripts can be parsed"
}

step_fmt() { cargo fmt --all --check; }

step_clippy() {
	cargo clippy --quiet --release --locked "${NATIVE[@]/#/-p}" --all-targets -- -D warnings
}

step_clippy-features() {
	cargo clippy --quiet --release --locked "${CHAIN[@]/#/-p}" --all-targets \
		--features runtime-benchmarks,try-runtime -- -D warnings
}

step_doc() {
	export RUSTDOCFLAGS="-D warnings"
	cargo doc --quiet --release --locked "${NATIVE[@]/#/-p}" --no-deps
	cargo doc --quiet --release --locked "${CHAIN[@]/#/-p}" --no-deps \
		--features runtime-benchmarks,try-runtime
}

step_features() {
	tool zepter "$ZEPTER"
	# It reads the dependencies offline.
	cargo fetch --quiet --locked
	"$TOOLS/bin/zepter" run --config .config/zepter.yaml check
}

step_deny() {
	tool cargo-deny "$CARGO_DENY"
	"$TOOLS/bin/cargo-deny" --locked check licenses bans sources
}

for argument in "$@"; do
	case "$argument" in -h | --help) usage; exit 0 ;; esac
	[[ " ${STEPS[*]} " == *" $argument "* ]] || { usage >&2; die "unknown step: $argument"; }
done
cd "$ROOT"
[ $# = 0 ] || STEPS=("$@")

# A step alone runs here, where the first command that fails ends it; several run as processes.
if [ ${#STEPS[@]} = 1 ]; then
	say "${STEPS[0]}"
	"step_${STEPS[0]}"
	exit
fi
failed=()
for step in "${STEPS[@]}"; do
	"$ROOT/scripts/check.sh" "$step" || failed+=("$step")
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
say "all checks passed"
