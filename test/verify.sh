#!/usr/bin/env bash
# verify.sh CONTROLLER_GEN DIR: changes nothing but DIR, names every difference, and fails if there is one.
set -uo pipefail
controller_gen=$1 fresh=$2
failed=0
complain() {
	echo "verify: $1" >&2
	failed=1
}

rm -rf "$fresh"
test/generate.sh "$controller_gen" "$fresh/api" "$fresh/crd" "$fresh/chart" || complain "generating failed"
diff -u api/v1alpha1/zz_generated.deepcopy.go "$fresh/api/zz_generated.deepcopy.go" || complain "deep copies are old: make generate"
diff -ru -x Kustomization -x crd.go config/crd "$fresh/crd" || complain "config/crd is old: make generate"
diff -ru charts/agentauth/files/crd "$fresh/chart" || complain "the chart's CRD is old: make generate"

unformatted=$(gofmt -l ./*/)
[[ -z $unformatted ]] || complain "not formatted (gofmt -w): $unformatted"
go vet -tags e2e ./... || complain "go vet"
go mod tidy -diff || complain "go.mod is not tidy: go mod tidy"
exit "$failed"
