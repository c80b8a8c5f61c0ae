# Posthorn. `make help` lists what there is to run.

GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0

export GOTOOLCHAIN := local
BIN := $(CURDIR)/bin
LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)
WORKFLOWCHECK := $(BIN)/workflowcheck-$(WORKFLOWCHECK_VERSION)
PYTHON_CLIENTS := $(BIN)/python/.installed
NODE_CLIENTS := compat/node/node_modules/.installed
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/posthorn (the first build compiles the Temporal server: about 5 minutes on 2 cores)
	go build -trimpath -ldflags "-s -w -X github.com/posthorn/posthorn/internal/cli.version=$(VERSION)" -o $(BIN)/posthorn ./cmd/posthorn

.PHONY: dev
dev: ## Run everything in one process, data in ./posthorn-data
	go run ./cmd/posthorn dev

.PHONY: test
test: clients ## Run all tests (the first run compiles the Temporal server: allow 10 minutes on 2 cores)
	@echo "compiling (the first time takes minutes: the Temporal server is part of the tests)"
	go build ./...
	go test -timeout 30m ./...

.PHONY: clients
clients: ## Install what tests need from PyPI and npm; without python3 or npm those tests are skipped
	@$(call client,python3,$(PYTHON_CLIENTS))
	@$(call client,npm,$(NODE_CLIENTS))

# client installs what a program can install. Only in CI is it an error that the program is missing or fails.
client = if command -v $(1) >/dev/null; then $(MAKE) --no-print-directory $(2); else echo "$(1) is not installed"; false; fi \
	|| { echo "the tests that need $(1) will be skipped"; test "$$POSTHORN_CI" != 1; }

$(PYTHON_CLIENTS): compat/requirements.txt
	python3 -m venv $(BIN)/python
	$(BIN)/python/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(NODE_CLIENTS): compat/node/package-lock.json
	cd compat/node && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# What is left out has its races elsewhere: programs are built without the detector; SQLite, which is Go code too and five times slower
# with it, is beneath everything that is tested here; and what runs Temporal's server would fail for that one's own races, which write
# payloads anew while gRPC still encodes them.
NOT_RACED = /bench /cmd/posthorn$$ /compat /clustertest /store/sqlite$$ /internal/app$$ /internal/cli$$ /internal/devserver$$ /worker$$

.PHONY: race
race: ## Run the tests again under the race detector
	go test -race -timeout 30m $$(go list ./... | grep -v $(foreach package,$(NOT_RACED),-e '$(package)'))

.PHONY: lint
lint: $(LINT) $(WORKFLOWCHECK) ## Check style, the direction of imports, and determinism of the workflows
	$(LINT) run
	cd compat/go && $(LINT) run
	$(WORKFLOWCHECK) ./workflows

.PHONY: fuzz
fuzz: ## Fuzz everything that parses foreign input, 30 s each
	@grep -rnoE '^func Fuzz[A-Za-z]+' --include '*_test.go' . | sed 's|/[^/]*:func | |' | while read -r package target; do \
	  go test -run '^$$' -fuzz "^$$target$$" -fuzztime 30s $$package </dev/null || exit 1; \
	done

.PHONY: generate
generate: ## Write anew what is made from the sources: docs/openapi.json
	go run ./internal/apidoc docs/openapi.json

.PHONY: faults
faults: ## Break a cluster in every way while events are posted, at length, and print what that did (about 15 minutes)
	POSTHORN_FAULTS=long go test ./internal/clustertest -run TestFaults -count=1 -v -timeout 60m

.PHONY: bench
bench: ## Measure against the naive design, side by side (about 15 minutes)
	go run ./bench

$(LINT):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

$(WORKFLOWCHECK):
	GOBIN=$(BIN) go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)
	mv $(BIN)/workflowcheck $@
