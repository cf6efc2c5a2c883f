#!/usr/bin/env bash
# release.sh check VERSION: says what keeps the sources from being the release VERSION, as in v0.2.0.
# release.sh files VERSION IMAGE DIGEST SBOM_TOOL HELM DIR: writes into DIR what a release has beside its image: an
# archive of the program for each of $PLATFORMS, its SBOM (CycloneDX), the chart that names the image by its digest, the
# notes, and SHA256SUMS. The same sources give the same archives.
set -euo pipefail

notes() { awk -v head="## ${1#v}" '$0 ~ /^## / { on = index($0, head) == 1 && substr($0, length(head) + 1) ~ /^( |$)/ } on' CHANGELOG.md; }

check() {
	local version=$1 failed=0
	complain() {
		echo "release: $1" >&2
		failed=1
	}
	[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || complain "expected VERSION=v1.2.3, got '$version'"
	for field in version appVersion; do
		got=$(sed -n "s/^$field: //p" charts/agentauth/Chart.yaml)
		[[ $got == "${version#v}" ]] || complain "charts/agentauth/Chart.yaml: expected $field: ${version#v}, got '$got'"
	done
	[[ -n $(notes "$version") ]] || complain "CHANGELOG.md: expected a chapter '## ${version#v}'; rename Unreleased"
	return "$failed"
}

files() {
	local version=$1 image=$2 digest=$3 sbom=$4 helm=$5 dir=$6
	[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "release: expected DIGEST=sha256:…, got '$digest'" >&2; return 1; }
	rm -rf "$dir"
	mkdir -p "$dir"
	local work
	work=$(mktemp -d)
	trap "rm -rf '$work'" EXIT
	for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/arm64}; do
		local name=agentauth-${version#v}-${platform/\//-}
		mkdir "$work/$name"
		# As the Dockerfile builds it.
		CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} GOFLAGS=-mod=readonly \
			go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$work/$name/agentauth" ./cmd/agentauth
		"$sbom" bin -json -noserial -notimestamp -version "$version" -output "$dir/$name.cdx.json" "$work/$name/agentauth"
		cp LICENSE NOTICE "$work/$name"
		tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w -c "$name" | gzip -n >"$dir/$name.tar.gz"
	done
	cp -r charts/agentauth "$work/chart"
	sed -i -e "s|^  repository: \"\"$|  repository: $image|" -e "s|^  digest: \"\" |  digest: $digest |" "$work/chart/values.yaml"
	grep -q "^  repository: $image$" "$work/chart/values.yaml" && grep -q "^  digest: $digest " "$work/chart/values.yaml" ||
		{ echo "release: charts/agentauth/values.yaml: expected image.repository and image.digest to be empty texts" >&2; return 1; }
	"$helm" package "$work/chart" --destination "$dir" >/dev/null
	notes "$version" >"$dir/NOTES.md"
	(cd "$dir" && sha256sum -- *.tar.gz *.tgz *.json >SHA256SUMS)
}

"$@"
