#!/usr/bin/env bash
# 1,000 routes of mixed shape on the running kernel: verified within the budget, and decided by evaluator and compiled function
# as the generator says; and the worst policy that we can think of. Started by ctest; the guests do the same on Debian's kernels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
verify() {
  "$HEDDLE_BIN_DIR/heddle" build "$folder/$1" --verify require -o "$folder/$1.bundle"
  worst=$(grep -oE '"verified_instructions": *[0-9]+' "$folder/$1.bundle.verify.json" | grep -oE '[0-9]+$' | sort -n | tail -n 1)
  [ "$worst" -lt 200000 ]
}
python3 -B "$HEDDLE_SOURCE_DIR/tests/matrix/thousand_routes.py" "$folder/thousand"
verify thousand
"$HEDDLE_BIN_DIR/heddle" test --engine both "$folder/thousand"
python3 -B "$HEDDLE_SOURCE_DIR/tests/matrix/worst_case.py" "$folder/worst"
verify worst
