# "make" lists what can be made. Everything needs Go, git, make and a network
# with package registries; nothing else.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X tapetum.dev/tapetum/internal/cli.stamped=$(VERSION)
BINARY    := bin/tapetum
LINT      := $(GO) tool -modfile=tools/lint/go.mod golangci-lint
MODULES   := . tools/controlplane tools/lint

# The tree may belong to another user than the one who builds.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

##@ Use

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## Build bin/tapetum, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/tapetum

.PHONY: demo
demo: controlplane build ## Show a cluster go from mesh to reflectors and back; DEMO_FLAGS="--plain --report FILE" passes flags on
	$(BINARY) lab demo $(DEMO_FLAGS)

.PHONY: controlplane
controlplane: ## Build kube-apiserver and etcd for demo and tests, once, into the user's cache; KUBEBUILDER_ASSETS=DIR uses those of DIR
	@$(GO) run ./tools/assets

.PHONY: bird
bird: ## Fetch BIRD 1.6, against which the BGP model is checked, once, into the user's cache (needs apt-get and dpkg, not root)
	@$(GO) run ./tools/bird

.PHONY: e2e
e2e: controlplane bird build ## Measure on kernels and BIRDs of this machine what every transition and fault costs; REPORT=FILE writes the table into a document, E2E_REPORT=FILE JSON, E2E_FLAGS="-list" passes flags on (Linux, root or user namespaces)
	$(GO) run ./tools/e2e -controller $(BINARY) -report '$(REPORT)' $(E2E_FLAGS)

.PHONY: image
image: ## Build the container image into dist/ (OCI layout and docker archive) and check that it runs
	@mkdir -p dist
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/tapetum ./cmd/tapetum
	$(GO) run ./tools/image -binary dist/tapetum -version '$(VERSION)' -out dist/image

##@ Develop

.PHONY: test
test: controlplane ## Run all tests, those against a real API server and BIRD included; TEST_FLAGS="-run X" passes flags on
	@$(MAKE) bird || echo "the tests against BIRD are skipped (but fail where CI=true)"
	@$(GO) run ./tools/e2e -check || echo "the tests on kernels' routes are skipped (but fail where CI=true)"
	GOGC=400 $(GO) test -timeout 60m $(TEST_FLAGS) ./... # tests of virtual time make much garbage, and keep little

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Fuzz everything that reads what strangers write, for FUZZTIME (30s) each; FUZZ=Name only that
	@grep -rlE '^func Fuzz' --include='*_test.go' internal | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*$(FUZZ)[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2); do \
			echo "$$dir: $$target"; \
			$(GO) test "./$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
		done; \
	done

.PHONY: lint
lint: tidy-check ## Check the code with golangci-lint and the modules with go mod tidy
	$(LINT) run ./...

.PHONY: tidy-check
tidy-check: ## Fail where a go.mod or go.sum is not tidy
	@for module in $(MODULES); do (cd $$module && $(GO) mod tidy -diff) || { echo "$$module is not tidy: run \"go mod tidy\" there"; exit 1; }; done

.PHONY: generate
generate: ## Write generated code and the CRD anew
	$(GO) tool controller-gen object paths=./api/... paths=./internal/calico
	$(GO) tool controller-gen crd paths=./api/... output:crd:artifacts:config=deploy/crd

.PHONY: generate-check
generate-check: ## Fail where generated files are not what "make generate" writes
	@hack/generate-check

.PHONY: faults
faults: ## Try each topology to each other at 600 nodes, and all faults in process, not the part that "make test" tries: crashes, lost and stale answers, old caches, two leaders, random histories (an hour); TAPETUM_FAULT_SEED=N tries one seed
	TAPETUM_LARGE=1 $(GO) test -timeout 2h -run 'TestEveryTransitionLarge|TestSilentDeath|TestManyDead' -v ./internal/rollout
	TAPETUM_FAULTS=long $(GO) test -timeout 6h -run '$(or $(FAULTS_RUN),.)' -v ./internal/faults

.PHONY: soak
soak: ## Let 1,000 nodes live for a simulated month, for at most 30 minutes, with an autoscaler and faults; SOAK_FLAGS="-for 5m -nodes 300 -seed 2" passes flags on
	$(GO) run ./tools/soak $(SOAK_FLAGS)

.PHONY: bench
bench: ## Run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(BENCH_FLAGS) ./...

.PHONY: performance
performance: controlplane ## Run the benchmarks of docs/performance.md and write its tables
	$(GO) run ./tools/performance

.PHONY: clean
clean: ## Remove what was built here; the control plane in the user's cache stays
	rm -rf bin dist
