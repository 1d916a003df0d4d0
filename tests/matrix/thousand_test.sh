#!/usr/bin/env bash
# 1,000 routes of mixed shape on the running kernel: verified within the budget, and decided by evaluator and compiled function
# as the generator says. Started by ctest; the guests do the same on Debian's kernels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -B "$HEDDLE_SOURCE_DIR/tests/matrix/thousand_routes.py" "$folder/policy"
"$HEDDLE_BIN_DIR/heddle" build "$folder/policy" --verify require -o "$folder/thousand.bundle"
worst=$(grep -oE '"verified_instructions": *[0-9]+' "$folder/thousand.bundle.verify.json" | grep -oE '[0-9]+$' | sort -n | tail -n 1)
[ "$worst" -lt 200000 ]
"$HEDDLE_BIN_DIR/heddle" test --engine both "$folder/policy"
