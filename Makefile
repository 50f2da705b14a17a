# Everything here needs Go and make; race also needs a C compiler.

GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 30s
STATES   ?= 200000
MUTANTS  ?= 1
# The fuzz targets, as package:name.
FUZZ := ./strategies:FuzzUnmarshalText ./tree/internal/machine:FuzzMachine ./proc/internal/notify:FuzzMessage

.DEFAULT_GOAL := help
.PHONY: run test race lint fmt fuzz explore mutate bench cover build examples ci help

run: ## a living tree that is hurt and heals, about ten seconds
	$(GO) run ./examples/quickstart

test: ## all tests
	$(GO) test -shuffle=on ./...

race: ## all tests under the race detector
	$(GO) test -race -shuffle=on ./...

lint: ## vet, staticcheck and gofumpt, at pinned versions
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	$(TOOL) staticcheck ./...
	@out=$$($(TOOL) gofumpt -l actor bench examples internal proc strategies tree treetest); \
	if [ -n "$$out" ]; then echo "gofumpt differs:"; echo "$$out"; exit 1; fi

fmt: ## format the code
	$(TOOL) gofumpt -w actor bench examples internal proc strategies tree treetest

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for t in $(FUZZ); do \
		echo "fuzz $$t"; $(GO) test $${t%%:*} -run='^$$' -fuzz="^$${t##*:}$$" -fuzztime=$(FUZZTIME); done

explore: ## every order of what can happen in small trees: some minutes
	$(GO) test ./tree/internal/machine -run=TestExplore -v -timeout=2h -explore=$(STATES)

mutate: ## break the semantics in every small way; what do the tests not notice? An hour, or MUTANTS=n: every n-th
	$(GO) run ./internal/mutate -every $(MUTANTS)

bench: ## figures beside suture, bare goroutines and a bare scanner
	cd bench && $(GO) test -run='^$$' -bench=BenchmarkStart -benchtime=3x -count=3 .
	cd bench && $(GO) test -run='^$$' -bench=Restart -benchtime=2000x -count=3 .
	cd bench && $(GO) test -run='^$$' -bench=Memory -benchtime=1x -count=1 .
	cd bench && $(GO) test -run='^$$' -bench=Output -benchtime=9x -count=1 .

cover: ## coverage by package, and cover/index.html
	@mkdir -p cover
	$(GO) test -shuffle=on -coverpkg=./actor,./strategies,./tree/...,./treetest,./proc,./internal/... -coverprofile=cover/all.out ./...
	$(GO) tool cover -func=cover/all.out | tail -1
	$(GO) tool cover -html=cover/all.out -o cover/index.html

build: ## compile for every supported system
	@set -e; for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "build $$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build ./...; \
	done; done

examples: ## run every example; each checks itself
	$(GO) run ./examples/quickstart
	$(GO) run ./examples/webservice -check
	$(GO) run ./examples/plainactors

ci: ## what continuous integration runs
	bash .ci/run

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
