#!/usr/bin/env bash
# Formatters, linters, include directions, banned functions, line length: run.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.c' '*.h')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' dev .ci/run 'docker/debian/p*')

echo "== format"
clang-format --dry-run -Werror "${sources[@]}"

echo "== style"
tests/lint/style.sh "${sources[@]}" "${scripts[@]}"

echo "== layers"
tests/lint/layers.sh

echo "== shell"
shellcheck "${scripts[@]}"

echo "== python"
git ls-files --cached --others --exclude-standard '*.py' | xargs flake8 --isolated --max-line-length 110

echo "== tidy"
printf '%s\n' "${sources[@]}" | grep '\.c$' \
    | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2> >(grep -vE 'warnings? generated|^$' >&2)
