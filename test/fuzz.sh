#!/usr/bin/env bash
# Runs every fuzz target for $FUZZTIME. A target without a seed would say nothing about old findings, so
# it fails.
set -euo pipefail
: "${FUZZTIME:=60s}"
targets=$(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' ./*/ | sort | sed -E 's|/[^/]*:func | |')
[[ -n $targets ]] || { echo "expected fuzz targets, found none" >&2; exit 1; }
while read -r package target; do
	seeds=$(go test -run "^$target\$" -v "$package" | grep -c "^ *--- PASS: $target/") || true
	echo "=== $package $target: $seeds seeds, $FUZZTIME"
	[[ $seeds -gt 0 ]] || { echo "$package $target: expected a corpus, found no seed that passes" >&2; exit 1; }
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package"
done <<<"$targets"
