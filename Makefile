# Two commands do everything: `make run` starts Tailrace, `make test` tests it.
# Both install what they need first (scripts/setup.sh). `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VERSION := $(shell sed -n 's/.*"productVersion": "\(.*\)".*/\1/p' wails.json)
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
GOEXE := $(shell go env GOEXE 2>/dev/null)

DESKTOP := build/bin/tailrace$(GOEXE)
HEADLESS := build/bin/tailrace-headless$(GOEXE)

# What `wails build` passes to the compiler; plain Go does it without its tool.
DESKTOP_TAGS := desktop,production,webkit2_41
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GO_BUILD := go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
ifeq ($(shell uname -s),Darwin)
DESKTOP_ENV := CGO_LDFLAGS="-framework UniformTypeIdentifiers"
endif

# Tools of the checks have a module of their own: they never move the product's versions.
TOOL := go tool -modfile=build/tools.mod
GO_FILES = $(shell git ls-files -co --exclude-standard '*.go')

# The built page is made again when something it is made from has changed.
PAGE := frontend/dist/index.html
LICENCES := frontend/public/licences.txt
PAGE_SOURCES := $(shell find frontend/src frontend/public frontend/index.html frontend/package-lock.json \
	frontend/vite.config.ts frontend/svelte.config.js frontend/tsconfig.json build/licences go.sum \
	-type f ! -path $(LICENCES) 2>/dev/null)

# Arguments of the program: make run ARGS="--data-dir /tmp/streams"
ARGS ?=

.PHONY: run
run: ## Build and start: the window, or where there is no display a server that prints its addresses
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory run-$$(scripts/setup.sh kind)

.PHONY: run-desktop run-headless
run-desktop: desktop
	@exec $(DESKTOP) $(ARGS)
run-headless: headless
	@exec $(HEADLESS) serve $(ARGS)

.PHONY: build
build: desktop headless ## Build both programs into build/bin

.PHONY: desktop
desktop: $(PAGE) ## Build the program with a window
	@$(DESKTOP_ENV) CGO_ENABLED=1 $(GO_BUILD) -tags $(DESKTOP_TAGS) -o $(DESKTOP) .

.PHONY: headless
headless: $(PAGE) ## Build the program without a window, which needs no C compiler
	@CGO_ENABLED=0 $(GO_BUILD) -o $(HEADLESS) .

$(PAGE): $(PAGE_SOURCES)
	@[ -d frontend/node_modules ] || scripts/setup.sh run
	@echo "building the page"
	@go run ./build/licences >$(LICENCES) || { rm -f $(LICENCES); false; }
	@cd frontend && npm run --silent build -- --logLevel error
	@touch $@

.PHONY: dist
dist: $(PAGE) ## Packages for every platform that can be made here, into dist/
	@scripts/setup.sh dist
	@VERSION="$(VERSION)" COMMIT="$(COMMIT)" DESKTOP_TAGS="$(DESKTOP_TAGS)" scripts/dist.sh

.PHONY: test-packages
test-packages: ## Install what make dist made in a clean Debian, test it there, remove it; needs root and debootstrap
	@scripts/setup.sh test
	@scripts/test-packages.sh

# What `make test` does, in this order. Each step also runs alone.
TEST_STEPS := check test-go test-page test-program test-conformance-race test-desktop

.PHONY: test
test: ## Install what tests need and run every check and test
	@scripts/setup.sh test
	@for step in $(TEST_STEPS); do echo "== $$step"; $(MAKE) --no-print-directory $$step; done
	@echo "== all passed"

.PHONY: test-go
test-go: ## Go tests, with the race detector
	@CGO_ENABLED=1 go test -race -timeout 30m ./...

.PHONY: test-page
test-page: ## Unit tests of the page
	@cd frontend && npm run --silent test

.PHONY: test-program
test-program: headless ## The built program: conformance suite, official client, browser
	@cd test && TAILRACE_BIN="$(CURDIR)/$(HEADLESS)" CHROMIUM="$$(../scripts/setup.sh chromium)" npm run --silent test

.PHONY: test-conformance-race
test-conformance-race: ## The conformance suite against a program built with the race detector
	@CGO_ENABLED=1 go build -race -o build/bin/tailrace-race$(GOEXE) .
	@cd test && TAILRACE_BIN="$(CURDIR)/build/bin/tailrace-race$(GOEXE)" npm run --silent test -- conformance

.PHONY: test-desktop
test-desktop: desktop ## The window, on a display of its own
	@TAILRACE_DESKTOP_BIN="$(CURDIR)/$(DESKTOP)" go test -count=1 -tags $(DESKTOP_TAGS) ./test/desktop

.PHONY: screenshots
screenshots: headless ## Pictures of every screen, in both themes and two sizes, into test-results/screens
	@cd test && TAILRACE_BIN="$(CURDIR)/$(HEADLESS)" CHROMIUM="$$(../scripts/setup.sh chromium)" npx --no-install vitest run --config screens.config.ts

.PHONY: measure-page
measure-page: headless ## How the page copes with millions of messages and many producers, in figures; not part of make test
	@cd test && TAILRACE_BIN="$(CURDIR)/$(HEADLESS)" CHROMIUM="$$(../scripts/setup.sh chromium)" npx --no-install vitest run --config measure.config.ts --reporter=dot --disable-console-intercept

.PHONY: measure-scale
measure-scale: headless ## What many streams, large ones and long load cost, in figures; needs 12 GB of disk, not part of make test
	@TAILRACE_SCALE=1 TAILRACE_BIN="$(CURDIR)/$(HEADLESS)" go test -count=1 -v -timeout 60m ./test/scale

.PHONY: torture
torture: ## Minutes of kill -9 under load, 10,000 live readers of each kind, full disks; not part of make test
	@TAILRACE_TORTURE=1 go test -count=1 -v -timeout 30m ./test/torture

.PHONY: torture-mirror
torture-mirror: headless ## Copy 100,000 messages each way while both ends are killed at random; not part of make test
	@[ -d test/node_modules/@durable-streams/server ] || scripts/setup.sh bench
	@TAILRACE_TORTURE=1 TAILRACE_BIN="$(CURDIR)/$(HEADLESS)" go test -count=1 -v -timeout 60m ./test/mirror

# How long each fuzz target runs: make fuzz FUZZTIME=10m
FUZZTIME ?= 60s

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (60s); not part of make test
	@for package in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' $$package); \
		for target in $$(grep '^Fuzz' <<< "$$targets" || true); do \
			echo "-- $$target in $$package"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# Fewer or longer: make bench ROUNDS=3 DURATION=1s SCENARIOS="append-64 create"
ROUNDS ?= 5
DURATION ?= 3s
SCENARIOS ?=

.PHONY: bench
bench: headless ## Measure against the reference server and write docs/performance.md's tables; takes half an hour
	@scripts/setup.sh bench
	@scripts/bench.sh $(HEADLESS) --rounds $(ROUNDS) --duration $(DURATION) $(addprefix --scenario ,$(SCENARIOS))

CHECKS := check-format check-vet check-staticcheck check-errcheck check-deadcode check-api check-page check-tests

.PHONY: check
check: ## Formatting, static analysis, generated types
	@for step in $(CHECKS); do echo "-- $$step"; $(MAKE) --no-print-directory $$step; done

.PHONY: $(CHECKS)
check-format:
	@wrong=$$($(TOOL) gofumpt -l $(GO_FILES)); [ -z "$$wrong" ] || { echo "not formatted (make fmt):" $$wrong; exit 1; }
check-vet:
	@go vet ./...
	@go vet -tags $(DESKTOP_TAGS) ./...
check-staticcheck:
	@$(TOOL) staticcheck ./...
	@$(TOOL) staticcheck -tags $(DESKTOP_TAGS) ./...
check-errcheck:
	@$(TOOL) errcheck -ignoretests -exclude build/errcheck.txt ./...
	@$(TOOL) errcheck -ignoretests -exclude build/errcheck.txt -tags $(DESKTOP_TAGS) ./app/... .
check-deadcode:
	@dead=$$($(TOOL) deadcode -tags $(DESKTOP_TAGS) -filter '^tailrace($$|/(app|backend|build)(/|$$))' ./... && \
		$(TOOL) deadcode -test -filter '^tailrace/test/' ./test/... ./backend/snapshot/...); [ -z "$$dead" ] || { echo "$$dead"; exit 1; }
check-api:
	@scripts/api.sh check
check-page:
	@cd frontend && npm run --silent check && npm run --silent lint
check-tests:
	@cd test && npm run --silent check

.PHONY: vuln
vuln: ## Look for known vulnerabilities; needs https://vuln.go.dev
	@$(TOOL) govulncheck ./...

.PHONY: api
api: ## Write the page's types from the inspector's API
	@scripts/api.sh write

.PHONY: commands
commands: ## Write docs/commands.md from the command line
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; go build -o "$$work/cli" ./build/cli; \
		env -i HOME='~' "$$work/cli" "$$work" "$(VERSION)"; cp "$$work/commands.md" docs/commands.md

.PHONY: fmt
fmt: ## Format Go and page sources
	@$(TOOL) gofumpt -w $(GO_FILES)
	@cd frontend && npm run --silent format

.PHONY: clean
clean: ## Remove what was built; installed packages stay
	@rm -rf build/bin dist test-results
	@find frontend/dist -mindepth 1 ! -name .gitkeep -delete

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
