#!/usr/bin/env bash
# Fuzzes for real: run.sh BUILD_DIR SECONDS [TARGET]. Findings go to BUILD_DIR/crashes, new inputs to
# BUILD_DIR/corpus; the committed corpus stays as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 seconds=${2:?seconds} only=${3:-}
mkdir -p "$build/crashes"

for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    target=${name#fuzz_}
    [ "${only:-$target}" = "$target" ] || continue
    echo "== $target, $seconds s"
    mkdir -p "$build/corpus/$target"
    "$build/tests/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/crashes/$target-" "$build/corpus/$target" "tests/fuzz/corpus/$target" \
        2>"$build/crashes/$target.log" || { tail -n 40 "$build/crashes/$target.log" >&2; exit 1; }
    grep -E 'number_of_executed_units|new_units_added' "$build/crashes/$target.log"
done
