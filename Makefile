# Everything here needs Go and make; race also needs a C compiler.

GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 30s
STATES   ?= 200000
MUTANTS  ?= 1
GOBENCH  := $(GO) test -run='^$$' -bench='Step|Start|Restart|Escalation|Snapshot' -count=10 ./tree/internal/machine ./tree
# The fuzz targets, as package:name.
FUZZ := ./strategies:FuzzUnmarshalText ./tree/internal/machine:FuzzMachine ./proc/internal/notify:FuzzMessage

.DEFAULT_GOAL := help
.PHONY: run test race lint fmt fuzz explore mutate bench bench-full bench-doc bench-compare bench-baseline bench-output bench-test \
	cover build examples ci help

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
	cd bench && $(GO) tool -modfile=../tools/go.mod staticcheck ./...
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

bench: ## figures beside suture, protoactor, OTP and bare goroutines, some minutes; BENCH=flags, see bench/README.md
	cd bench && $(GO) run . -plots plots $(BENCH)

bench-full: ## the same with every n and until they are steady: hours
	cd bench && $(GO) run . -full -plots plots $(BENCH)

bench-doc: ## docs/performance.md from bench/results.jsonl and bench/baseline.txt
	cd bench && $(GO) run . doc -in results.jsonl -out ../docs/performance.md

bench-output: ## every way that output can take, beside a bare scanner
	cd bench/output && $(GO) test -run='^$$' -bench=Output -benchtime=9x -count=1 .

bench-compare: ## the Go benchmarks against bench/baseline.txt
	@new=$$(mktemp); trap 'rm -f "$$new"' EXIT; set -e; \
	$(GOBENCH) >"$$new"; $(TOOL) benchstat -ignore cpu bench/baseline.txt "$$new"

bench-baseline: ## record bench/baseline.txt anew
	$(GOBENCH) >bench/baseline.new && mv bench/baseline.new bench/baseline.txt

bench-test: ## tests of the benchmarks' own code, with every contestant that is installed
	cd bench && $(GO) test -shuffle=on ./...

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
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
