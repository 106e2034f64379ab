#!/usr/bin/env bash
# The program in the image, with files of $TMPDIR and the caller's network: contained.sh [ARGUMENT]...
set -euo pipefail
cd "$(dirname "$0")/../.."
. docker/engine.sh

exec "${engine_command[@]}" run --rm --network host --user "$(id -u):$(id -g)" "${start_options[@]}" \
    -v "$TMPDIR:$TMPDIR" "$image" "$@"
