#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
# Runs a step of clients.py with boto3, or with `serve PORT` an object store in memory, moto's. The
# first run installs both.
set -euo pipefail
cd "$(dirname "$0")"
env="${XDG_CACHE_HOME:-$HOME/.cache}/planaria/s3-clients"
if [ ! -x "$env/bin/python" ] || ! "$env/bin/python" -c 'import boto3, moto.server' 2>/dev/null; then
	python3 -m venv "$env"
	"$env/bin/pip" -q install 'boto3==1.44.5' 'moto[server,s3]==5.2.5'
fi
if [ "$1" = serve ]; then
	exec "$env/bin/moto_server" -H 127.0.0.1 -p "$2"
fi
exec "$env/bin/python" clients.py "$@"
