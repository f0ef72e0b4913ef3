#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
#
# Installs what a build needs and is not there yet: system packages and the Wasm target.
# Running it again changes nothing.
#
# Usage: scripts/setup.sh

. "$(dirname "$0")/lib.sh"

case "${1:-}" in
	-h | --help) sed -n '5,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
		die "need root for: $*"
	fi
}

APT_UPDATED=
apt_install() {
	local missing=()
	for package in "$@"; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return
	command -v apt-get >/dev/null || die "please install: ${missing[*]}"
	say "installing ${missing[*]}"
	[ -n "$APT_UPDATED" ] || as_root apt-get update -q
	APT_UPDATED=1
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y "${missing[@]}"
}

has_wasm_target() { # $1: a sysroot
	compgen -G "$1/lib/rustlib/wasm32v1-none/lib/libcore-*.rlib" >/dev/null
}

# Debian's compiler has the Wasm target's sources but not its libraries: build them once.
install_debian_wasm_target() {
	apt_install rustc-web cargo-web rust-web-src lld-22
	rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
	if ! has_wasm_target /usr; then
		say "building core and alloc for wasm32v1-none"
		local work
		work="$(mktemp -d)"
		mkdir "$work/src"
		printf '#![no_std]\n' >"$work/src/lib.rs"
		printf '[package]\nname = "empty"\nedition = "2021"\n' >"$work/Cargo.toml"
		(cd "$work" && env -u CARGO_BUILD_TARGET CARGO_TARGET_DIR="$work/target" \
			RUSTFLAGS=-Cembed-bitcode=yes RUSTC_BOOTSTRAP=1 \
			cargo +debian build --release --target wasm32v1-none -Zbuild-std=core,alloc)
		as_root install -D -m 644 -t /usr/lib/rustlib/wasm32v1-none/lib \
			"$work"/target/wasm32v1-none/release/deps/lib{core,alloc,compiler_builtins}-*.rlib
		rm -rf "$work"
	fi
	cat >"$CACHE/wasm.env" <<-ENV
		export WASM_BUILD_TOOLCHAIN=debian
		export CARGO_TARGET_WASM32V1_NONE_LINKER=wasm-ld-22
	ENV
}

cd "$ROOT" # whose toolchain is the one that counts
mkdir -p "$CACHE"
command -v rustup >/dev/null || die "rustup is needed: see https://rustup.rs"
apt_install protobuf-compiler clang cmake pkg-config libssl-dev jq curl
# For tests/s3 and tests/polkadot-js.
apt_install python3-venv rclone s3cmd
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then apt_install nodejs npm; fi

if has_wasm_target "$(rustc --print sysroot)" ||
	rustup target add wasm32v1-none >"$CACHE/rustup.log" 2>&1; then
	rm -f "$CACHE/wasm.env"
else
	install_debian_wasm_target
fi
say "set-up complete"
