#!/usr/bin/env bash
# generate.sh CONTROLLER_GEN DEEPCOPY_DIR CRD_DIR CHART_CRD_DIR: what is generated from api/.
set -euo pipefail
controller_gen=$1 deepcopy=$2 crd=$3 chart=$4
mkdir -p "$deepcopy" "$crd" "$chart"
"$controller_gen" object paths=./api/... output:object:dir="$deepcopy"
"$controller_gen" crd paths=./api/... output:crd:dir="$crd"
# Gateway API's own generator takes its markers out of descriptions; controller-gen leaves them in.
for file in "$crd"/*.yaml; do
	sed -e '/<gateway:experimental:description>/,/<\/gateway:experimental:description>/d' -e '/<gateway:util:excludeFromCRD>/,/<\/gateway:util:excludeFromCRD>/d' -e '/<\/\{0,1\}gateway:/d' "$file" >"$file.new"
	mv "$file.new" "$file"
done
cp "$crd"/*.yaml "$chart"
